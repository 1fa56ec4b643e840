//! One TOML file: its text, where things stand in it, and its tables as far as they can be parsed.

use super::problem::{Fault, Place, Report, Setting};
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeTable;

/// A file's name and text.
pub(super) struct Document<'t> {
    pub(super) name: Arc<str>,
    pub(super) text: &'t str,
}

impl Document<'_> {
    pub(super) fn place(&self, offset: usize) -> Place {
        let start = Place { file: self.name.clone(), line: 1, column: 1 };
        let before = self.text.get(..offset).unwrap_or_default();
        // A byte order mark is no column.
        start.advanced(before.strip_prefix('\u{feff}').unwrap_or(before))
    }

    /// The document as a table, or its syntax errors written down. A document that cannot be read has nothing to check.
    pub(super) fn parse(&self, report: &mut Report) -> Option<Spanned<DeTable<'_>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            let setting = Setting { label: String::new(), place: Some(self.place(at)) };
            // The parser's message names tokens and never quotes the document.
            report.fail(&setting, Fault::new(format!("not TOML: {}", error.message())));
        }
        errors.is_empty().then_some(table)
    }

    /// The document before its first syntax error, if its `[state]` ends there: what comes after one may be anything.
    pub(super) fn parse_until_error(&self) -> Option<Spanned<DeTable<'_>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let first = errors.iter().filter_map(|error| Some(error.span()?.start)).min();
        let state = table.get_ref().get("state")?.get_ref().as_table()?;
        let end = state.values().map(|value| value.span().end).max().unwrap_or(0);
        (errors.is_empty() || first.is_some_and(|first| end < first)).then_some(table)
    }
}
