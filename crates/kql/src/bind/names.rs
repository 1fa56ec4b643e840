//! The names of result columns.

use crate::ast::Ident;
use crate::bind::{Binder, Typed};
use crate::schema::{Column, Schema};
use crate::value::Type;
use std::collections::{HashMap, HashSet};

/// Names given so far, without one twice.
#[derive(Default)]
pub(super) struct Names {
    used: HashSet<String>,
    /// Written by the query: may not be written again.
    declared: HashSet<String>,
    /// The next number to try after a name.
    next: HashMap<String, usize>,
    unnamed: usize,
    pub(super) columns: Vec<Column>,
}

impl Names {
    /// Reserves names without making columns of them.
    pub(super) fn reserve<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.used.extend(names.map(str::to_owned));
    }

    /// `base`, or `base1`, `base2` … where it is taken.
    pub(super) fn unique(&mut self, base: &str) -> String {
        let mut name = base.to_owned();
        while !self.used.insert(name.clone()) {
            let next = self.next.entry(base.to_owned()).or_insert(0);
            *next += 1;
            name = format!("{base}{next}");
        }
        name
    }

    pub(super) fn push(&mut self, name: String, ty: Type) {
        self.columns.push(Column { name, ty });
    }

    pub(super) fn schema(self) -> Schema {
        Schema { columns: self.columns }
    }

    /// `Column1`, `Column2` …
    pub(super) fn unnamed(&mut self) -> String {
        self.unnamed += 1;
        self.unique(&format!("Column{}", self.unnamed))
    }

    /// `Column1` …, the first number that is free.
    pub(super) fn free_unnamed(&mut self) -> String {
        loop {
            self.unnamed += 1;
            let name = format!("Column{}", self.unnamed);
            if self.used.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Marks a name as written; false where it was before.
    pub(super) fn declare(&mut self, name: &str) -> bool {
        self.declared.insert(name.to_owned())
    }
}

impl Binder<'_> {
    /// The name of a column of `project`, `distinct`, `summarize` or `print`.
    pub(super) fn column_name(
        &mut self,
        names: &mut Names,
        written: Option<&Ident>,
        value: &Typed,
    ) -> Option<String> {
        let (base, span) = match (written, &value.name) {
            (Some(ident), _) => (ident.name.as_str(), ident.span),
            (None, Some(name)) if value.is_column => (name.as_str(), value.span),
            (None, Some(name)) => return Some(names.unique(name)),
            (None, None) => return Some(names.unnamed()),
        };
        if !names.declare(base) {
            let message = format!("A column with the name '{base}' is already declared");
            self.error("KS171", span, message);
            return None;
        }
        Some(names.unique(base))
    }
}
