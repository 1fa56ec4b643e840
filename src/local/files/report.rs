//! What was found in the files beside rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many bad records are named; the rest are counted.
const NAMED: usize = 20;
/// How many names of unknown fields, and of other tables, are kept.
const NAMES: usize = 50;

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// The file, as the patterns name it.
    pub file: String,
    /// The line in which the record begins, from 1; 0 for the file as a whole.
    pub line: u64,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.why),
            line => write!(f, "{}:{line}: {}", self.file, self.why),
        }
    }
}

/// What was found in a set of files. All but the bad records is as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files looked at.
    pub files: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Records that could not be read.
    pub bad_count: u64,
    /// The first 20 of them.
    pub bad: Vec<Bad>,
    /// Records of other categories and tables, by name.
    pub other: BTreeMap<String, u64>,
    /// Files whose last record is not yet written to its end.
    pub unfinished: Vec<String>,
    /// Names of fields that are no column of the table.
    pub ignored: BTreeSet<String>,
    /// Patterns that match no file, while others do.
    pub unmatched: Vec<String>,
}

impl Report {
    pub(super) fn bad(&mut self, file: &str, line: u64, why: String) {
        self.bad_count += 1;
        if self.bad.len() < NAMED {
            self.bad.push(Bad { file: file.to_owned(), line, why });
        }
    }

    pub(super) fn ignore(&mut self, name: &str) {
        if self.ignored.len() < NAMES && !self.ignored.contains(name) {
            self.ignored.insert(name.chars().take(60).collect());
        }
    }

    pub(super) fn other(&mut self, name: String) {
        self.count_other(name, 1);
    }

    fn count_other(&mut self, name: String, count: u64) {
        let full = self.other.len() >= NAMES && !self.other.contains_key(&name);
        *self.other.entry(if full { "(more)".to_owned() } else { name }).or_default() += count;
    }

    /// Adds what was found in another set.
    pub(super) fn add(&mut self, more: &Self) {
        self.files += more.files;
        self.rows += more.rows;
        self.bad_count += more.bad_count;
        let room = NAMED.saturating_sub(self.bad.len());
        self.bad.extend(more.bad.iter().take(room).cloned());
        for (name, count) in &more.other {
            self.count_other(name.clone(), *count);
        }
        self.unfinished.extend(more.unfinished.iter().cloned());
        more.ignored.iter().for_each(|name| self.ignore(name));
    }
}
