//! Exported audit logs: files of any of the formats in which the log leaves Azure, as rows of its table.
//!
//! Formats, told by content and never by name, packed with gzip or not:
//! - JSON lines as a diagnostic setting archives them (`time`, `category`, `properties`, …);
//! - the same records as an Event Hub gives them, `{"records":[…]}`, one or several in a file or a line;
//! - an answer of the query service, `{"tables":[…]}`, or what a command line makes of it, `[{…},…]`;
//! - JSON lines and CSV with the table's own column names (data export; the portal's CSV with times in UTC).
//!
//! Files may grow and come and go. Each is read once when it changed, to learn which columns it uses and which time it
//! covers; a later question reads only files that can answer it.

pub mod archive;
mod cell;
mod reader;
mod report;
mod table;
mod values;

pub use cell::Kind;
pub use report::{Bad, Report};
pub use table::{Column, TABLE, Variant};

use crate::watch::alert::Interval;
use crate::watch::row::{Columns, Row};
use chrono::{DateTime, Utc};
use glob::{MatchOptions, Pattern};
use reader::{Item, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use table::{COLUMNS, Drift, Record, TableRow};

/// Why files cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// The pattern itself is wrong.
    #[error("`{pattern}` is no file pattern: {why}; write paths with `*`, `?`, `[…]` and `**`")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// There are no patterns at all.
    #[error(
        "no log files are named: give at least one path or pattern, such as `exports/**/*.json`"
    )]
    NoPattern,
    /// Nothing matches.
    #[error(
        "no file matches `{0}`: put exported logs there, or mend the path (it is relative to the configuration file)"
    )]
    NoMatch(String),
    /// A file or directory cannot be read, or not at all understood.
    #[error("cannot read `{file}`: {why}")]
    Unreadable {
        /// The file, as the patterns name it.
        file: String,
        /// The system's word, and what to do.
        why: String,
    },
}

/// A set of exported log files.
#[derive(Debug)]
pub struct LogFiles {
    patterns: Vec<String>,
    base: PathBuf,
    /// What is known of files that have not changed since.
    known: Mutex<BTreeMap<PathBuf, Arc<Known>>>,
}

/// A file, and its name for people.
pub type Named = (PathBuf, String);

/// A file as it was when it was last looked through.
#[derive(Debug)]
struct Known {
    length: u64,
    modified: Option<SystemTime>,
    drift: Drift,
    /// The first and the last time in it.
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    report: Report,
}

impl LogFiles {
    /// Files matching any of `patterns`, which are relative to `base`. Looks at no file yet: there may be none so far.
    pub fn open(patterns: &[String], base: &Path) -> Result<Self, FilesError> {
        if patterns.is_empty() {
            return Err(FilesError::NoPattern);
        }
        for pattern in patterns {
            Pattern::new(pattern).map_err(|error| FilesError::Pattern {
                pattern: pattern.clone(),
                why: error.msg.to_owned(),
            })?;
        }
        let known = Mutex::default();
        Ok(Self { patterns: patterns.to_vec(), base: base.to_owned(), known })
    }

    /// The files as they are now. Reads those that changed since the last snapshot.
    pub fn snapshot(&self) -> Result<Snapshot, FilesError> {
        let (paths, unmatched) = self.find()?;
        // Held throughout: of several questions at once one reads, and the others find it read.
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|path, _| paths.contains(path));
        let mut files = Vec::with_capacity(paths.len());
        let mut report = Report { unmatched, ..Report::default() };
        let mut drift = Drift::default();
        let mut fresh = Report::default();
        for path in paths {
            let name = self.shown(&path);
            let known = match look(&path, all.get(&path)) {
                Ok(Some(Look::Same(known))) => known,
                Ok(Some(Look::Changed(length, modified))) => {
                    let mut known = read_through(&path, &name)?;
                    (known.length, known.modified) = (length, modified);
                    // What was told of this file before need not be told again.
                    let told = all.get(&path).map_or(0, |old| old.report.bad_count);
                    if known.report.bad_count > told {
                        fresh.add(&known.report);
                    }
                    Arc::new(known)
                }
                // It went away after it was found.
                Ok(None) => continue,
                Err(error) => return Err(unreadable(name, &error)),
            };
            report.add(&known.report);
            drift.add(known.drift);
            all.insert(path.clone(), Arc::clone(&known));
            files.push(OneFile { path, name, known });
        }
        Ok(Snapshot { files, drift, report, fresh })
    }

    /// The matching files with their names for people, sorted, and the patterns that match none.
    pub fn list(&self) -> Result<(Vec<Named>, Vec<String>), FilesError> {
        let (paths, unmatched) = self.find()?;
        let named = |path: PathBuf| {
            let name = self.shown(&path);
            (path, name)
        };
        Ok((paths.into_iter().map(named).collect(), unmatched))
    }

    /// The matching files, sorted, and the patterns that match none.
    fn find(&self) -> Result<(BTreeSet<PathBuf>, Vec<String>), FilesError> {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        let mut found = BTreeSet::new();
        let mut unmatched = Vec::new();
        for pattern in &self.patterns {
            let full = if Path::new(pattern).is_absolute() {
                pattern.clone()
            } else {
                let base = Pattern::escape(&self.base.to_string_lossy());
                Path::new(&base).join(pattern).to_string_lossy().into_owned()
            };
            let paths = glob::glob_with(&full, options).map_err(|error| FilesError::Pattern {
                pattern: pattern.clone(),
                why: error.msg.to_owned(),
            })?;
            let mut any = false;
            for path in paths {
                let path =
                    path.map_err(|error| unreadable(self.shown(error.path()), error.error()))?;
                if !path.is_dir() {
                    any = true;
                    found.insert(path);
                }
            }
            if !any {
                unmatched.push(pattern.clone());
            }
        }
        if found.is_empty() {
            return Err(FilesError::NoMatch(unmatched.join("`, `")));
        }
        Ok((found, unmatched))
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.base).unwrap_or(path).display().to_string()
    }
}

enum Look {
    Same(Arc<Known>),
    Changed(u64, Option<SystemTime>),
}

/// Whether a file changed since it was last looked through; nothing if there is none.
fn look(path: &Path, known: Option<&Arc<Known>>) -> io::Result<Option<Look>> {
    let facts = match fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (length, modified) = (facts.len(), facts.modified().ok());
    let same = |known: &&Arc<Known>| {
        modified.is_some() && known.length == length && known.modified == modified
    };
    Ok(Some(match known.filter(same) {
        Some(known) => Look::Same(Arc::clone(known)),
        None => Look::Changed(length, modified),
    }))
}

fn unreadable(file: String, error: &io::Error) -> FilesError {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    let why = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied: let this user read it".to_owned(),
        io::ErrorKind::InvalidData => text,
        _ => text.to_lowercase(),
    };
    FilesError::Unreadable { file, why }
}

/// Reads a whole file once, for what is in it.
fn read_through(path: &Path, name: &str) -> Result<Known, FilesError> {
    let mut reader = Reader::open(path).map_err(|error| unreadable(name.to_owned(), &error))?;
    let mut report = Report { files: 1, ..Report::default() };
    let (mut drift, mut span) = (Drift::default(), None::<(DateTime<Utc>, DateTime<Utc>)>);
    while let Some(item) = reader.next() {
        match item.map_err(|error| unreadable(name.to_owned(), &error))? {
            Item::Unfinished => report.unfinished.push(name.to_owned()),
            Item::Bad(line, why) => report.bad(name, line, why),
            Item::Record(line, fields) => {
                match table::record(&fields, &mut |field| report.ignore(field)) {
                    Ok(Record::Row(row)) => {
                        report.rows += 1;
                        drift.add(row.drift);
                        let (first, last) = span.unwrap_or((row.time, row.time));
                        span = Some((first.min(row.time), last.max(row.time)));
                    }
                    Ok(Record::Other(other)) => report.other(other),
                    Err(why) => report.bad(name, line, why),
                }
            }
        }
    }
    Ok(Known { length: 0, modified: None, drift, span, report })
}

#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    name: String,
    known: Arc<Known>,
}

/// The files as they were at one moment.
#[derive(Debug)]
pub struct Snapshot {
    files: Vec<OneFile>,
    drift: Drift,
    report: Report,
    fresh: Report,
}

impl Snapshot {
    /// What was found beside rows.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What was found in files that changed and have more bad records than they had before: what is worth a line in a log.
    pub fn news(&self) -> &Report {
        &self.fresh
    }

    /// The columns of a table, if there is such a table. Of the four columns that differ between older and newer
    /// workspaces it has those that any file uses.
    pub fn schema(&self, table: &str) -> Option<Vec<Column>> {
        let columns = self.drift.columns();
        (table == TABLE)
            .then(|| columns.iter().filter_map(|at| COLUMNS.get(*at)).copied().collect())
    }

    /// The rows of a table whose `TimeGenerated` lies in `within`, file after file. Bad records are passed over: the report
    /// has them. An error is the last item.
    pub fn rows(
        &self,
        table: &str,
        within: Option<Interval>,
    ) -> impl Iterator<Item = Result<Row, FilesError>> + '_ {
        let places = self.drift.columns();
        let names = places.iter().filter_map(|at| COLUMNS.get(*at));
        let columns: Columns = names.map(|column| Arc::from(column.name)).collect();
        let wanted = move |file: &&OneFile| match (within, file.known.span) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(within), Some((first, last))) => first < within.to && last >= within.from,
        };
        let files = if table == TABLE { self.files.as_slice() } else { &[] };
        let mut files = files.iter().filter(wanted);
        let mut open: Option<(&OneFile, Reader)> = None;
        let mut failed = false;
        std::iter::from_fn(move || {
            while !failed {
                let Some((file, reader)) = &mut open else {
                    let file = files.next()?;
                    match Reader::open(&file.path) {
                        Ok(reader) => open = Some((file, reader)),
                        // It went away since; its rows may be asked for again, with those of all other files.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => {
                            failed = true;
                            return Some(Err(unreadable(file.name.clone(), &error)));
                        }
                    }
                    continue;
                };
                match reader.next() {
                    None => open = None,
                    Some(Err(error)) => {
                        failed = true;
                        return Some(Err(unreadable(file.name.clone(), &error)));
                    }
                    Some(Ok(Item::Record(_, fields))) => {
                        let Ok(Record::Row(row)) = table::record(&fields, &mut |_| ()) else {
                            continue;
                        };
                        // A row written since, with columns that were in no file, waits for the next snapshot.
                        if self.drift.covers(row.drift)
                            && within.is_none_or(|within| within.contains(row.time))
                        {
                            return Some(Ok(project(&row, &places, &columns)));
                        }
                    }
                    Some(Ok(Item::Bad(..) | Item::Unfinished)) => {}
                }
            }
            None
        })
    }
}

fn project(row: &TableRow, places: &[usize], columns: &Columns) -> Row {
    let values = places.iter().filter_map(|at| row.values.get(*at)).cloned().collect();
    Row::new(Arc::clone(columns), values)
}
