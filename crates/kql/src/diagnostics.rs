//! What is wrong with a query, where, and how to say so.

use std::fmt::{self, Write as _};

/// Valid KQL that this engine does not run.
pub const UNSUPPORTED: &str = "KQL001";
/// Text that is larger or nested deeper than the engine accepts.
pub const TOO_COMPLEX: &str = "KQL002";
/// A literal whose text does not denote a value of its type.
pub const BAD_LITERAL: &str = "KQL003";
/// A function of the rows before or after, where the order of the rows is not given.
pub const NOT_SERIALIZED: &str = "KQL004";

/// A place in the query text: bytes, as the lexer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

impl Span {
    /// A span of `len` bytes from `start`.
    pub fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// The first byte after the span.
    pub fn end(self) -> usize {
        self.start.saturating_add(self.len)
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        let start = self.start.min(other.start);
        Self::new(start, self.end().max(other.end()).saturating_sub(start))
    }

    /// The text under the span, empty where the span does not fit `text`.
    pub fn text(self, text: &str) -> &str {
        text.get(self.start..self.end()).unwrap_or("")
    }

    /// Line and column of the first byte, both from 1, columns counted in characters.
    pub fn line_column(self, text: &str) -> (usize, usize) {
        let before = text.get(..self.start).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let last = before.rsplit('\n').next().unwrap_or("");
        (line, last.chars().count().saturating_add(1))
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The query does not run.
    Error,
    /// The query runs, and probably not as meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding about a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `KS…` as Kusto's own binder numbers it, `KQL…` for what only this engine says.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Valid KQL that the service runs and this engine does not.
    pub unsupported: bool,
}

impl Diagnostic {
    pub(crate) fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            span,
            message: message.into(),
            help: None,
            unsupported: false,
        }
    }

    /// `what` names the construct: ``operator `evaluate` ``.
    pub(crate) fn lacking(span: Span, what: &str) -> Self {
        Self {
            unsupported: true,
            ..Self::error(UNSUPPORTED, span, format!("{what} is not supported offline"))
        }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The finding with `source:line:column`, the line it is in and a caret run under the place.
    pub fn render(&self, source_name: &str, text: &str) -> String {
        let (line, column) = self.span.line_column(text);
        let source = text.split('\n').nth(line.saturating_sub(1)).unwrap_or("");
        let source = source.trim_end_matches('\r');
        // Tabs are shown as one blank, so that the carets stay under what they mean.
        let shown: String = source.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        let left = shown.chars().count().saturating_sub(column.saturating_sub(1));
        let inside = self.span.text(text).split('\n').next().unwrap_or("");
        let carets = inside.trim_end_matches('\r').chars().count().min(left).max(1);
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let mut out = String::new();
        let _ = writeln!(out, "{}[{}]: {}", self.severity, self.code, self.message);
        let _ = writeln!(out, "{gutter}--> {source_name}:{line}:{column}");
        let _ = writeln!(out, "{gutter} |");
        let _ = writeln!(out, "{number} | {shown}");
        let indent = " ".repeat(column.saturating_sub(1));
        let _ = writeln!(out, "{gutter} | {indent}{}", "^".repeat(carets));
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{gutter} = help: {help}");
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// All findings about one query, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn new(mut all: Vec<Diagnostic>) -> Self {
        all.sort_by_key(|d| d.span.start);
        all.dedup();
        Self(all)
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// True where every finding is valid KQL that only this engine lacks.
    pub fn only_unsupported(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|d| d.unsupported)
    }

    /// Every finding as [`Diagnostic::render`] shows it, a blank line between two.
    pub fn render(&self, source_name: &str, text: &str) -> String {
        let parts: Vec<String> = self.0.iter().map(|d| d.render(source_name, text)).collect();
        parts.join("\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
