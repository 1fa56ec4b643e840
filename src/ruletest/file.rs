//! The file of a rule test, read and checked: everything that is wrong with it is said at once.

mod raw;
#[cfg(test)]
mod tests;

use super::time::{Written, absolute, relative, span};
use crate::watch::alert::Reason;
use crate::watch::severity::Severity;
use crate::watch::step::TABLE;
use crate::watch::tables::{HARDWARE_TABLE, Variant, schema};
use chrono::{DateTime, TimeDelta, Utc};
use raw::{RawAlert, RawCase, RawEval, RawEvery, RawFault, RawQuery, Some1};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Spanned, Table, Value as Toml};

/// Rows that one `repeat` makes, at most.
const REPEATS: u64 = 100_000;
/// Instants that one `eval` names, at most.
const INSTANTS: usize = 10_000;

/// How instants are written.
const INSTANT: &str =
    "write \"+2m1s\" after the start, \"-3d\" before it, or 2026-11-22T08:00:00Z with its zone";
/// What else than columns a row has.
const ROW_KEYS: [&str; 5] = ["at", "ingested", "repeat", "every", "table"];

/// Something wrong with a test file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// First byte of the place.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// A word that is none, and those that are: one of them may be meant.
    pub meant: Option<(String, Vec<String>)>,
}

impl Wrong {
    fn new(at: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: hint.into(), meant: None }
    }
}

/// Which columns the audit table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schema {
    /// `HsmInstance`, `ClusterType`
    Current,
    /// `MemberId`, `PoolType`
    Legacy,
}

impl Schema {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Legacy => "legacy",
        }
    }

    /// The columns as the engine knows them.
    pub const fn variant(self) -> Variant {
        match self {
            Self::Current => Variant::Current,
            Self::Legacy => Variant::Legacy,
        }
    }
}

/// A test file, checked.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Rule files, as patterns relative to the file.
    pub rules: Vec<String>,
    /// Presets and sets.
    pub presets: Vec<String>,
    /// Each case is run once with each.
    pub schemas: Vec<Schema>,
    /// What relative times count from, and when the watches begin.
    pub start: DateTime<Utc>,
    /// Exported logs, as patterns relative to the file.
    pub rows_files: Vec<String>,
    /// Rows of all cases.
    pub rows: Vec<TestRow>,
    /// The cases.
    pub cases: Vec<Case>,
    /// Questions about the same rows.
    pub queries: Vec<QueryTest>,
}

/// A row that comes to be.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRow {
    /// Its table.
    pub table: String,
    /// `TimeGenerated`.
    pub at: DateTime<Utc>,
    /// When it can be seen.
    pub ingested: DateTime<Utc>,
    /// Its other columns, by their names in the current schema.
    pub columns: BTreeMap<String, Toml>,
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// First byte in the file.
    pub offset: usize,
    /// When the timer fires, after the start.
    pub eval: Vec<DateTime<Utc>>,
    /// Rows besides the file's.
    pub rows: Vec<TestRow>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// All alerts that should be told.
    pub alerts: Vec<Expected>,
}

/// What goes wrong, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The instants.
    pub at: Vec<DateTime<Utc>>,
    /// What.
    pub mishap: Mishap,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The receiver answers with this status.
    Status(u16),
    /// The receiver takes the request and never answers.
    Dies,
    /// Nobody listens at the receiver's address.
    Down,
    /// The timer does not fire.
    Missed,
    /// The process ends before it sends anything.
    CrashBefore,
    /// The process ends when the receiver has the alert, before anything is noted.
    CrashAfter,
}

/// An alert that should be told.
#[derive(Clone, Debug)]
pub struct Expected {
    /// First byte in the file.
    pub offset: usize,
    /// The instant at which it is sent.
    pub at: DateTime<Utc>,
    /// The rule's id.
    pub rule: String,
    /// What else is known of it.
    pub severity: Option<Severity>,
    /// Hits.
    pub count: Option<u64>,
    /// Why it is sent.
    pub reason: Option<Reason>,
    /// The title, as it is.
    pub title: Option<String>,
    /// What the rendered alert holds.
    pub text: Option<String>,
    /// Columns that make one alert.
    pub group: BTreeMap<String, String>,
    /// Each is matched by a hit of its own.
    pub rows: Vec<BTreeMap<String, Toml>>,
    /// The rows are all hits, and their columns all columns.
    pub exact: bool,
}

/// A query, and the rows that it gives.
#[derive(Clone, Debug)]
pub struct QueryTest {
    /// Its name, or its text.
    pub name: String,
    /// First byte in the file.
    pub offset: usize,
    /// The text.
    pub kql: String,
    /// The instant of `now()`, and of the rows that can be seen.
    pub eval: DateTime<Utc>,
    /// The rows.
    pub expect: Vec<BTreeMap<String, Toml>>,
    /// They come in this order.
    pub ordered: bool,
    /// How much reals may differ.
    pub fuzzy: f64,
}

/// What all parts of a file are read with.
struct Reading {
    start: DateTime<Utc>,
    table: String,
    defaults: Table,
    wrong: Vec<Wrong>,
}

impl TestFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Wrong>> {
        match Self::read(text) {
            (Some(file), wrong) if wrong.is_empty() => Ok(file),
            (_, wrong) => Err(wrong),
        }
    }

    /// Reads a file's text as far as it can be read, with everything that is wrong, in the order of the text.
    pub fn read(text: &str) -> (Option<Self>, Vec<Wrong>) {
        let (raw, wrong) = raw::read(text);
        let Some(raw) = raw else { return (None, wrong) };
        let mut reading = Reading {
            // A Monday, at eight.
            start: DateTime::from_timestamp(1_767_600_000, 0).unwrap_or_default(),
            table: TABLE.to_owned(),
            defaults: raw.defaults,
            wrong,
        };
        if let Some(start) = raw.start {
            match absolute(start.get_ref()) {
                Some(start) => reading.start = start,
                None => reading.wrong(
                    start.span().start,
                    "`start` has no zone",
                    "write it as 2026-11-22T08:00:00Z",
                ),
            }
        }
        if let Some(table) = raw.table {
            let at = table.span().start;
            reading.table = table.into_inner();
            reading.known_table(at);
        }
        let rows = reading.rows(raw.rows);
        let cases = raw.case.into_iter().map(|case| reading.case(case)).collect::<Vec<_>>();
        let queries =
            raw.query.into_iter().filter_map(|query| reading.query(query)).collect::<Vec<_>>();
        let (rules, presets) = (raw.rules.all(), raw.presets.all());
        if rules.is_empty() && presets.is_empty() && !cases.is_empty() {
            let hint = "presets = [\"key-delete\"], or rules = [\"../rules/*.toml\"]";
            reading.wrong(0, "the file names no rule", hint);
        }
        if cases.is_empty() && queries.is_empty() && reading.wrong.is_empty() {
            let message = "the file has no case and no query: it tests nothing";
            reading.wrong(0, message, "add a [[case]] or a [[query]]");
        }
        let schemas = raw.schema.map_or_else(|| vec![Schema::Current, Schema::Legacy], Some1::all);
        let Reading { start, mut wrong, .. } = reading;
        wrong.sort_by_key(|wrong| wrong.at);
        let rows_files = raw.rows_file.all();
        (Some(Self { rules, presets, schemas, start, rows_files, rows, cases, queries }), wrong)
    }
}

impl Reading {
    fn wrong(&mut self, at: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.wrong.push(Wrong::new(at, message, hint));
    }

    fn known_table(&mut self, at: usize) {
        if schema(&self.table, Variant::Current).is_none() {
            self.no_table(at, &self.table.clone());
        }
    }

    fn no_table(&mut self, at: usize, table: &str) {
        let tables = format!("the tables are {TABLE} and {HARDWARE_TABLE}");
        self.wrong(at, format!("there is no audit table `{table}`"), tables);
    }

    fn instant(&mut self, at: usize, written: &Written) -> Option<DateTime<Utc>> {
        written
            .instant(self.start)
            .map_err(|written| self.wrong(at, format!("`{written}` is no instant"), INSTANT))
            .ok()
    }

    /// The instants of a case, as a hint.
    fn when(&self, eval: &[DateTime<Utc>]) -> String {
        let shown: Vec<String> = eval.iter().take(6).map(|at| relative(*at, self.start)).collect();
        let more = if eval.len() > 6 { ", …" } else { "" };
        format!("`eval` names {}{more}", shown.join(", "))
    }

    fn instants(&mut self, at: usize, written: Some1<Written>) -> Vec<DateTime<Utc>> {
        written.all().iter().filter_map(|written| self.instant(at, written)).collect()
    }

    fn rows(&mut self, raw: Vec<Spanned<Table>>) -> Vec<TestRow> {
        raw.into_iter().flat_map(|row| self.row(row)).collect()
    }

    fn row(&mut self, raw: Spanned<Table>) -> Vec<TestRow> {
        let offset = raw.span().start;
        let mut columns = self.defaults.clone();
        columns.extend(raw.into_inner());
        let written = |value: Toml| Written::deserialize(value).ok();
        let Some(at) = columns.remove("at").and_then(written) else {
            self.wrong(offset, "the row has no `at`, or none that is an instant", INSTANT);
            return Vec::new();
        };
        let Some(at) = self.instant(offset, &at) else { return Vec::new() };
        let ingested = match columns.remove("ingested") {
            None => TimeDelta::zero(),
            Some(value) => {
                let Some(ingested) = written(value) else {
                    self.wrong(offset, "`ingested` is no instant", INSTANT);
                    return Vec::new();
                };
                let Some(ingested) = self.instant(offset, &ingested) else { return Vec::new() };
                if ingested < at {
                    let hint = "`ingested` is when the row can be seen, after the start as `at` is";
                    self.wrong(offset, "`ingested` is before `at`", hint);
                }
                ingested - at
            }
        };
        let repeat = match columns.remove("repeat") {
            None => 1,
            Some(Toml::Integer(n)) => match u64::try_from(n) {
                Ok(n) if (1..=REPEATS).contains(&n) => n,
                _ => {
                    self.wrong(offset, "`repeat` is out of bounds", format!("1 to {REPEATS}"));
                    1
                }
            },
            Some(_) => {
                self.wrong(offset, "`repeat` is no whole number", "repeat = 4");
                1
            }
        };
        let every = match columns.remove("every") {
            None => TimeDelta::zero(),
            Some(value) => value.as_str().and_then(span).unwrap_or_else(|| {
                self.wrong(offset, "`every` is no span", "every = \"10s\"");
                TimeDelta::zero()
            }),
        };
        let table = match columns.remove("table") {
            None => self.table.clone(),
            Some(Toml::String(table)) => table,
            Some(_) => {
                self.wrong(
                    offset,
                    "`table` is no name",
                    "table = \"CloudHsmHardwareOperationAuditLogs\"",
                );
                self.table.clone()
            }
        };
        let Some(known) = schema(&table, Variant::Both) else {
            self.no_table(offset, &table);
            return Vec::new();
        };
        for name in columns.keys() {
            if name == "TimeGenerated" || name == "Type" {
                let message = format!("`{name}` of a row is made by the test");
                self.wrong(offset, message, "`at` is its time, and `table` its table");
            } else if known.index(name).is_none() {
                let known = known.columns.iter().map(|c| c.name.clone());
                let known = known.chain(ROW_KEYS.map(str::to_owned)).collect();
                let mut wrong = Wrong::new(
                    offset,
                    format!("the table has no column `{name}`"),
                    format!("besides its columns a row has {}", ROW_KEYS.join(", ")),
                );
                wrong.meant = Some((name.clone(), known));
                self.wrong.push(wrong);
            }
        }
        let columns: BTreeMap<String, Toml> = columns.into_iter().collect();
        (0..repeat)
            .map(|n| {
                let later = every * i32::try_from(n).unwrap_or(i32::MAX);
                let at = at.checked_add_signed(later).unwrap_or(at);
                let ingested = at.checked_add_signed(ingested).unwrap_or(at);
                TestRow { table: table.clone(), at, ingested, columns: columns.clone() }
            })
            .collect()
    }

    fn eval(&mut self, raw: Spanned<RawEval>) -> Vec<DateTime<Utc>> {
        let at = raw.span().start;
        let mut all = match raw.into_inner() {
            RawEval::Named(named) => self.instants(at, named),
            RawEval::Every(RawEvery { every, until }) => {
                let until = self.instant(at, &until);
                let every = span(&every).filter(|every| *every >= TimeDelta::seconds(1));
                let (Some(every), Some(until)) = (every, until) else {
                    let hint = "eval = { every = \"5m\", until = \"+2h\" }, at least each second";
                    self.wrong(at, "`eval` names no instants", hint);
                    return Vec::new();
                };
                let mut all = Vec::new();
                let mut next = self.start + every;
                while next <= until && all.len() <= INSTANTS {
                    all.push(next);
                    next += every;
                }
                all
            }
        };
        all.sort_unstable();
        all.dedup();
        if all.is_empty() && self.wrong.iter().all(|wrong| wrong.at != at) {
            self.wrong(at, "`eval` names no instants", "eval = [\"+5m\", \"+10m\"]");
        }
        if all.len() > INSTANTS {
            let message = format!("`eval` names more than {INSTANTS} instants");
            self.wrong(at, message, "make `every` longer, or `until` earlier");
        }
        if all.first().is_some_and(|first| *first <= self.start) {
            let message = "`eval` is not after the start, at which the watches begin";
            self.wrong(
                at,
                message,
                "`start` is when they are evaluated first; name later instants",
            );
        }
        all
    }

    fn case(&mut self, raw: Spanned<RawCase>) -> Case {
        let offset = raw.span().start;
        let raw = raw.into_inner();
        let eval = self.eval(raw.eval);
        let rows = self.rows(raw.rows);
        let faults = raw.fault.into_iter().filter_map(|fault| self.fault(fault, &eval)).collect();
        let mut alerts = raw.alert;
        if let Some(list) = raw.alerts {
            if !alerts.is_empty() {
                let message = "the case has both [[case.alert]] and `alerts`";
                self.wrong(list.span().start, message, "keep one of them");
            }
            alerts.extend(list.into_inner());
        } else if alerts.is_empty() {
            let message = format!("case `{}` does not say what it expects", raw.name);
            self.wrong(offset, message, "[[case.alert]], or alerts = [] where none must fire");
        }
        let alerts = alerts.into_iter().filter_map(|alert| self.alert(alert, &eval)).collect();
        Case { name: raw.name, offset, eval, rows, faults, alerts }
    }

    fn fault(&mut self, raw: Spanned<RawFault>, eval: &[DateTime<Utc>]) -> Option<Fault> {
        let offset = raw.span().start;
        let raw = raw.into_inner();
        let at = self.instants(offset, raw.at);
        for instant in &at {
            if !eval.contains(instant) {
                let message = "the fault is at no instant of the case's `eval`";
                self.wrong(offset, message, self.when(eval));
            }
        }
        let mishap = match (raw.receiver.as_deref(), raw.tick.as_deref(), raw.crash.as_deref()) {
            (Some("dies"), None, None) => Some(Mishap::Dies),
            (Some("down"), None, None) => Some(Mishap::Down),
            (Some(status), None, None) => {
                status.parse().ok().filter(|status| (300..600).contains(status)).map(Mishap::Status)
            }
            (None, Some("missed"), None) => Some(Mishap::Missed),
            (None, None, Some("before-send")) => Some(Mishap::CrashBefore),
            (None, None, Some("after-send")) => Some(Mishap::CrashAfter),
            _ => None,
        };
        if mishap.is_none() {
            let hint = "one of receiver = \"429\" (any status from 300), receiver = \"dies\", receiver = \"down\", \
                        tick = \"missed\", crash = \"before-send\", crash = \"after-send\"";
            self.wrong(offset, "this is no fault", hint);
        }
        mishap.map(|mishap| Fault { at, mishap })
    }

    fn alert(&mut self, raw: Spanned<RawAlert>, eval: &[DateTime<Utc>]) -> Option<Expected> {
        let offset = raw.span().start;
        let raw = raw.into_inner();
        let at = self.instant(offset, &raw.at)?;
        if !eval.contains(&at) && !eval.is_empty() {
            let message = "the alert is at no instant of the case's `eval`";
            self.wrong(offset, message, self.when(eval));
        }
        let mut rows = raw.rows;
        if !raw.matching.is_empty() {
            rows.push(raw.matching);
        }
        if raw.exact && rows.is_empty() {
            self.wrong(offset, "`exact` stands without `match` and `rows`", "add one of them");
        }
        Some(Expected {
            offset,
            at,
            rule: raw.rule,
            severity: raw.severity,
            count: raw.count,
            reason: raw.reason,
            title: raw.title,
            text: raw.text,
            group: raw.group,
            rows,
            exact: raw.exact,
        })
    }

    fn query(&mut self, raw: Spanned<RawQuery>) -> Option<QueryTest> {
        let offset = raw.span().start;
        let raw = raw.into_inner();
        let eval = self.instant(offset, &raw.eval)?;
        if raw.fuzzy.is_nan() || raw.fuzzy < 0.0 {
            self.wrong(offset, "`fuzzy` is below 0", "fuzzy = 0.001");
        }
        let first = raw.kql.trim().lines().next().unwrap_or_default().to_owned();
        let name = raw.name.unwrap_or(first);
        let (kql, expect, ordered, fuzzy) = (raw.kql, raw.expect, raw.ordered, raw.fuzzy);
        Some(QueryTest { name, offset, kql, eval, expect, ordered, fuzzy })
    }
}
