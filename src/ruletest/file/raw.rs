//! A test file as it is written, key by key.

use super::super::time::Written;
use super::{Schema, Wrong};
use crate::watch::alert::Reason;
use crate::watch::severity::Severity;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value as Toml};

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "this is not what the key takes: one value of its kind, or a list of them"
)]
pub(super) enum Some1<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Some1<T> {
    pub(super) fn all(self) -> Vec<T> {
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
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) rules: Some1<String>,
    #[serde(default)]
    pub(super) presets: Some1<String>,
    pub(super) schema: Option<Some1<Schema>>,
    pub(super) start: Option<Spanned<toml::value::Datetime>>,
    pub(super) table: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) defaults: Table,
    #[serde(default)]
    pub(super) rows_file: Some1<String>,
    #[serde(default)]
    pub(super) rows: Vec<Spanned<Table>>,
    #[serde(default)]
    pub(super) case: Vec<Spanned<RawCase>>,
    #[serde(default)]
    pub(super) query: Vec<Spanned<RawQuery>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCase {
    pub(super) name: String,
    pub(super) eval: Spanned<RawEval>,
    #[serde(default)]
    pub(super) rows: Vec<Spanned<Table>>,
    #[serde(default)]
    pub(super) fault: Vec<Spanned<RawFault>>,
    #[serde(default)]
    pub(super) alert: Vec<Spanned<RawAlert>>,
    pub(super) alerts: Option<Spanned<Vec<Spanned<RawAlert>>>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "this is no list of instants: write \"+5m\", [\"+5m\", \"+10m\"], or { every = \"5m\", until = \"+2h\" }"
)]
pub(super) enum RawEval {
    // First: two texts in a row would be taken for the two of `every`.
    Named(Some1<Written>),
    Every(RawEvery),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvery {
    pub(super) every: String,
    pub(super) until: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFault {
    pub(super) at: Some1<Written>,
    pub(super) receiver: Option<String>,
    pub(super) tick: Option<String>,
    pub(super) crash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    pub(super) at: Written,
    pub(super) rule: String,
    pub(super) severity: Option<Severity>,
    pub(super) count: Option<u64>,
    pub(super) reason: Option<Reason>,
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) group: BTreeMap<String, String>,
    #[serde(default, rename = "match")]
    pub(super) matching: BTreeMap<String, Toml>,
    #[serde(default)]
    pub(super) rows: Vec<BTreeMap<String, Toml>>,
    #[serde(default)]
    pub(super) exact: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuery {
    pub(super) name: Option<String>,
    pub(super) kql: String,
    pub(super) eval: Written,
    #[serde(default)]
    pub(super) expect: Vec<BTreeMap<String, Toml>>,
    #[serde(default)]
    pub(super) ordered: bool,
    #[serde(default)]
    pub(super) fuzzy: f64,
}

/// The keys of the file.
pub(super) const FILE: [&str; 10] = [
    "presets",
    "rules",
    "schema",
    "start",
    "table",
    "defaults",
    "rows_file",
    "rows",
    "case",
    "query",
];
/// The keys of a case.
pub(super) const CASE: [&str; 6] = ["name", "eval", "rows", "fault", "alert", "alerts"];
/// The keys of a fault.
pub(super) const FAULT: [&str; 4] = ["at", "receiver", "tick", "crash"];
/// The keys of an alert.
pub(super) const ALERT: [&str; 11] = [
    "at", "rule", "severity", "count", "reason", "title", "text", "group", "match", "rows", "exact",
];
/// The keys of a query.
pub(super) const QUERY: [&str; 6] = ["name", "kql", "eval", "expect", "ordered", "fuzzy"];

/// Reads the text, without its unknown keys: they are wrong, and what else is wrong is found all the same.
pub(super) fn read(text: &str) -> (Option<RawFile>, Vec<Wrong>) {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let wrong = errors.iter().map(|error| {
        Wrong::new(place(error), format!("not TOML: {}", error.message().trim_end()), "")
    });
    let mut wrong: Vec<Wrong> = wrong.collect();
    if !wrong.is_empty() {
        return (None, wrong);
    }
    known("the file", &FILE, table.get_mut(), &mut wrong);
    for (key, value) in table.get_mut().iter_mut() {
        let (what, keys, inner): (_, _, &[(&str, &str, &[&str])]) = match key.get_ref().as_ref() {
            "case" => (
                "a case",
                &CASE,
                &[
                    ("fault", "a fault", &FAULT),
                    ("alert", "an alert", &ALERT),
                    ("alerts", "an alert", &ALERT),
                ],
            ),
            "query" => ("a query", &QUERY, &[]),
            _ => continue,
        };
        for case in tables(value.get_mut()) {
            known(what, keys, case, &mut wrong);
            for (key, value) in case.iter_mut() {
                let of = inner.iter().find(|(name, ..)| *name == key.get_ref().as_ref());
                let Some((_, what, keys)) = of else { continue };
                for table in tables(value.get_mut()) {
                    known(what, keys, table, &mut wrong);
                }
            }
        }
    }
    match RawFile::deserialize(toml::Deserializer::from(table)) {
        Ok(raw) => (Some(raw), wrong),
        Err(error) => {
            wrong.push(Wrong::new(place(&error), error.message().trim_end(), ""));
            wrong.sort_by_key(|wrong| wrong.at);
            (None, wrong)
        }
    }
}

/// The tables of a list.
fn tables<'v, 't>(value: &'v mut DeValue<'t>) -> impl Iterator<Item = &'v mut DeTable<'t>> {
    let list = if let DeValue::Array(list) = value { Some(list) } else { None };
    list.into_iter().flat_map(|list| list.iter_mut()).filter_map(|one| match one.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    })
}

/// Takes the keys out that there are not.
fn known(what: &str, keys: &[&str], table: &mut DeTable<'_>, wrong: &mut Vec<Wrong>) {
    let is = |name: &str| keys.contains(&name);
    let names = || -> Vec<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
    let unknown: Vec<(String, usize)> = table
        .keys()
        .filter(|key| !is(key.get_ref()))
        .map(|key| (key.get_ref().to_string(), key.span().start))
        .collect();
    for (name, at) in unknown {
        table.remove(name.as_str());
        let mut one = Wrong::new(
            at,
            format!("unknown key `{name}`"),
            format!("the keys of {what} are {}", names().join(", ")),
        );
        one.meant = Some((name, names()));
        wrong.push(one);
    }
}
