//! The file of a rule test, read and checked: everything that is wrong with it is said at once.

use super::time::{Written, absolute, span};
use crate::watch::alert::Reason;
use crate::watch::severity::Severity;
use crate::watch::step::TABLE;
use crate::watch::tables::{Variant, schema};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Spanned, Table, Value as Toml};

/// Rows that one `repeat` makes, at most.
const REPEATS: u64 = 100_000;
/// Instants that one `eval` names, at most.
const INSTANTS: usize = 10_000;

/// Something wrong with a test file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// First byte of the place.
    pub at: usize,
    /// What is wrong.
    pub message: String,
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

#[derive(Deserialize)]
#[serde(untagged)]
enum Some1<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Some1<T> {
    fn all(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl<T> Default for Some1<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    rules: Some1<String>,
    #[serde(default)]
    presets: Some1<String>,
    schema: Option<Some1<Schema>>,
    start: Option<Spanned<toml::value::Datetime>>,
    table: Option<Spanned<String>>,
    #[serde(default)]
    defaults: Table,
    #[serde(default)]
    rows_file: Some1<String>,
    #[serde(default)]
    rows: Vec<Spanned<Table>>,
    #[serde(default)]
    case: Vec<Spanned<RawCase>>,
    #[serde(default)]
    query: Vec<Spanned<RawQuery>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    eval: Spanned<RawEval>,
    #[serde(default)]
    rows: Vec<Spanned<Table>>,
    #[serde(default)]
    fault: Vec<Spanned<RawFault>>,
    #[serde(default)]
    alert: Vec<Spanned<RawAlert>>,
    alerts: Option<Spanned<Vec<Spanned<RawAlert>>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawEval {
    // First: two texts in a row would be taken for the two of `every`.
    Named(Some1<Written>),
    Every(RawEvery),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvery {
    every: String,
    until: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    at: Some1<Written>,
    receiver: Option<String>,
    tick: Option<String>,
    crash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlert {
    at: Written,
    rule: String,
    severity: Option<Severity>,
    count: Option<u64>,
    reason: Option<Reason>,
    title: Option<String>,
    text: Option<String>,
    #[serde(default)]
    group: BTreeMap<String, String>,
    #[serde(default, rename = "match")]
    matching: BTreeMap<String, Toml>,
    #[serde(default)]
    rows: Vec<BTreeMap<String, Toml>>,
    #[serde(default)]
    exact: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuery {
    name: Option<String>,
    kql: String,
    eval: Written,
    #[serde(default)]
    expect: Vec<BTreeMap<String, Toml>>,
    #[serde(default)]
    ordered: bool,
    #[serde(default)]
    fuzzy: f64,
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
    /// Everything that is wrong, in the order of the text; of what is no TOML, or has keys that there are not, the first.
    pub fn parse(text: &str) -> Result<Self, Vec<Wrong>> {
        let raw: RawFile = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![Wrong { at, message: error.message().trim_end().to_owned() }]
        })?;
        let mut reading = Reading {
            // A Monday, at eight.
            start: DateTime::from_timestamp(1_767_600_000, 0).unwrap_or_default(),
            table: TABLE.to_owned(),
            defaults: raw.defaults,
            wrong: Vec::new(),
        };
        if let Some(start) = raw.start {
            match absolute(start.get_ref()) {
                Some(start) => reading.start = start,
                None => reading.wrong(
                    start.span().start,
                    "`start` needs a zone, such as 2026-11-22T08:00:00Z".to_owned(),
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
            let message = "the file names no rule: give `presets = [\"key-delete\"]` or `rules = [\"../rules/*.toml\"]`";
            reading.wrong(0, message.to_owned());
        }
        if cases.is_empty() && queries.is_empty() && reading.wrong.is_empty() {
            let message = "the file has no [[case]] and no [[query]]: it tests nothing";
            reading.wrong(0, message.to_owned());
        }
        let schemas = raw.schema.map_or_else(|| vec![Schema::Current, Schema::Legacy], Some1::all);
        let Reading { start, mut wrong, .. } = reading;
        if !wrong.is_empty() {
            wrong.sort_by_key(|wrong| wrong.at);
            return Err(wrong);
        }
        let rows_files = raw.rows_file.all();
        Ok(Self { rules, presets, schemas, start, rows_files, rows, cases, queries })
    }
}

impl Reading {
    fn wrong(&mut self, at: usize, message: String) {
        self.wrong.push(Wrong { at, message });
    }

    fn known_table(&mut self, at: usize) {
        if schema(&self.table, Variant::Current).is_none() {
            let message = format!("there is no audit table `{}`", self.table);
            self.wrong(at, message);
        }
    }

    fn instant(&mut self, at: usize, written: &Written) -> Option<DateTime<Utc>> {
        written.instant(self.start).map_err(|message| self.wrong(at, message)).ok()
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
            self.wrong(offset, "a row needs `at`, such as at = \"+2m\"".to_owned());
            return Vec::new();
        };
        let Some(at) = self.instant(offset, &at) else { return Vec::new() };
        let ingested = match columns.remove("ingested") {
            None => TimeDelta::zero(),
            Some(value) => {
                let Some(ingested) = written(value).and_then(|w| self.instant(offset, &w)) else {
                    self.wrong(offset, "`ingested` is no instant".to_owned());
                    return Vec::new();
                };
                if ingested < at {
                    self.wrong(offset, "`ingested` is before `at`".to_owned());
                }
                ingested - at
            }
        };
        let repeat = match columns.remove("repeat") {
            None => 1,
            Some(Toml::Integer(n)) => match u64::try_from(n) {
                Ok(n) if (1..=REPEATS).contains(&n) => n,
                _ => {
                    self.wrong(offset, format!("`repeat` is 1 to {REPEATS}"));
                    1
                }
            },
            Some(_) => {
                self.wrong(offset, "`repeat` is a number".to_owned());
                1
            }
        };
        let every = match columns.remove("every") {
            None => TimeDelta::zero(),
            Some(value) => value.as_str().and_then(span).unwrap_or_else(|| {
                self.wrong(offset, "`every` is a span such as \"10s\"".to_owned());
                TimeDelta::zero()
            }),
        };
        let table = match columns.remove("table") {
            None => self.table.clone(),
            Some(Toml::String(table)) => table,
            Some(_) => {
                self.wrong(offset, "`table` is a name".to_owned());
                self.table.clone()
            }
        };
        let Some(known) = schema(&table, Variant::Both) else {
            self.wrong(offset, format!("there is no audit table `{table}`"));
            return Vec::new();
        };
        for name in columns.keys() {
            if known.index(name).is_none() {
                let message = format!(
                    "`{name}` is neither a column of the table nor one of at, ingested, repeat, every, table"
                );
                self.wrong(offset, message);
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
                    self.wrong(at, "write eval = { every = \"5m\", until = \"+2h\" }".to_owned());
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
        if all.is_empty() || all.len() > INSTANTS {
            self.wrong(at, format!("`eval` names 1 to {INSTANTS} instants"));
        }
        if all.first().is_some_and(|first| *first <= self.start) {
            self.wrong(at, "`eval` is after the start, at which the watches begin".to_owned());
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
                let message = "give the alerts as [[case.alert]] or as `alerts`, not both";
                self.wrong(list.span().start, message.to_owned());
            }
            alerts.extend(list.into_inner());
        } else if alerts.is_empty() {
            let message = format!(
                "case `{}` expects nothing: give [[case.alert]], or `alerts = []` where none must fire",
                raw.name
            );
            self.wrong(offset, message);
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
                self.wrong(offset, "a fault happens at an instant of the case's `eval`".to_owned());
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
            let message = "a fault is one of receiver = \"429\" (any status from 300), receiver = \"dies\", \
                           receiver = \"down\", tick = \"missed\", crash = \"before-send\", crash = \"after-send\"";
            self.wrong(offset, message.to_owned());
        }
        mishap.map(|mishap| Fault { at, mishap })
    }

    fn alert(&mut self, raw: Spanned<RawAlert>, eval: &[DateTime<Utc>]) -> Option<Expected> {
        let offset = raw.span().start;
        let raw = raw.into_inner();
        let at = self.instant(offset, &raw.at)?;
        if !eval.contains(&at) && !eval.is_empty() {
            let message = "an alert is sent at an instant of the case's `eval`";
            self.wrong(offset, message.to_owned());
        }
        let mut rows = raw.rows;
        if !raw.matching.is_empty() {
            rows.push(raw.matching);
        }
        if raw.exact && rows.is_empty() {
            self.wrong(offset, "`exact` needs `match` or `rows`".to_owned());
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
            self.wrong(offset, "`fuzzy` is 0 or more".to_owned());
        }
        let first = raw.kql.trim().lines().next().unwrap_or_default().to_owned();
        let name = raw.name.unwrap_or(first);
        let (kql, expect, ordered, fuzzy) = (raw.kql, raw.expect, raw.ordered, raw.fuzzy);
        Some(QueryTest { name, offset, kql, eval, expect, ordered, fuzzy })
    }
}
