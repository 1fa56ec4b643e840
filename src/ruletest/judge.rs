//! What was told, held against what should have been.

use super::file::{Case, Expected, QueryTest};
use super::time::absolute;
use crate::notify::Detail;
use crate::notify::terminal;
use crate::notify::wording::count_of;
use crate::watch::alert::{Alert, Hit};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use toml::Value as Toml;

/// An alert that was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// The instant.
    pub at: DateTime<Utc>,
    /// The alert.
    pub alert: Alert,
}

/// A way in which what was told is not what should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// First byte in the file of what is not met.
    pub offset: usize,
    /// The rule that it is about, and the instant: what people look at next.
    pub about: Option<(String, DateTime<Utc>)>,
    /// What should have been, in a line.
    pub expected: String,
    /// What was instead, a line each.
    pub found: Vec<String>,
}

/// Columns of a row.
type Columns = BTreeMap<String, Json>;

/// Holds all that was told against all that should have been.
pub fn judge(case: &Case, told: &[Told], start: DateTime<Utc>) -> Vec<Difference> {
    let mut open: Vec<&Told> = told.iter().collect();
    let mut missed = Vec::new();
    for expected in &case.alerts {
        match open.iter().position(|told| misfits(expected, told).is_empty()) {
            Some(at) => {
                open.remove(at);
            }
            None => missed.push(expected),
        }
    }
    let when = |at| super::time::relative(at, start);
    let mut differences = Vec::new();
    for expected in missed {
        // The nearest that nobody else expected: of the rule, at the instant, with the fewest misfits.
        let nearest = open
            .iter()
            .enumerate()
            .filter(|(_, told)| told.alert.rule.id == expected.rule)
            .min_by_key(|(_, told)| (told.at != expected.at, misfits(expected, told).len()))
            .map(|(at, _)| at);
        let found = match nearest.map(|at| open.remove(at)) {
            Some(told) => {
                let mut lines = misfits(expected, told);
                if told.at != expected.at {
                    lines.insert(0, format!("it was told at {}", when(told.at)));
                }
                lines
            }
            None => vec![format!("no such alert of `{}` was told", expected.rule)],
        };
        differences.push(Difference {
            offset: expected.offset,
            about: Some((expected.rule.clone(), expected.at)),
            expected: describe(expected, &when(expected.at)),
            found,
        });
    }
    for told in open {
        let Alert { rule, count, reason, .. } = &told.alert;
        let hits =
            told.alert.hits.iter().take(5).map(|hit| format!("hit: {}", line(&columns(hit))));
        let head = format!(
            "at {}: {}, {}, {}, {}",
            when(told.at),
            rule.id,
            rule.severity,
            count_of(*count, "hit", "hits"),
            reason.as_str()
        );
        differences.push(Difference {
            offset: case.offset,
            about: Some((rule.id.clone(), told.at)),
            expected: "no other alert".to_owned(),
            found: std::iter::once(head).chain(hits).collect(),
        });
    }
    differences.sort_by_key(|difference| difference.offset);
    differences
}

fn describe(expected: &Expected, when: &str) -> String {
    let mut parts = vec![format!("at {when}: {}", expected.rule)];
    parts.extend(expected.severity.map(|severity| severity.to_string()));
    parts.extend(expected.count.map(|count| count_of(count, "hit", "hits")));
    parts.extend(expected.reason.map(|reason| reason.as_str().to_owned()));
    parts.extend(expected.rows.iter().map(toml_line));
    parts.join(", ")
}

/// How an alert differs from what is expected, apart from the instant; empty where it does not differ at all.
fn misfits(expected: &Expected, told: &Told) -> Vec<String> {
    let alert = &told.alert;
    let mut out = Vec::new();
    if alert.rule.id != expected.rule {
        return vec![format!("it is of rule `{}`", alert.rule.id)];
    }
    let mut differ = |what: &str, wanted: Option<String>, found: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            out.push(format!("{what} is {found}, not {wanted}"));
        }
    };
    differ("severity", expected.severity.map(|s| s.to_string()), alert.rule.severity.to_string());
    differ("count", expected.count.map(|n| n.to_string()), alert.count.to_string());
    differ(
        "reason",
        expected.reason.map(|r| r.as_str().to_owned()),
        alert.reason.as_str().to_owned(),
    );
    differ("title", expected.title.clone(), alert.rule.title.clone());
    for (column, wanted) in &expected.group {
        let found = alert.group.get(column).cloned().unwrap_or_default();
        differ(&format!("group `{column}`"), Some(wanted.clone()), found);
    }
    if let Some(text) = &expected.text {
        let rendered = words(&terminal::render(alert, Detail::Full, false));
        if !rendered.contains(&words(text)) {
            out.push(format!("the rendered alert does not say \"{text}\""));
            out.push(format!("it says: {}", rendered.chars().take(400).collect::<String>()));
        }
    }
    let hits: Vec<Columns> = alert.hits.iter().map(columns).collect();
    out.extend(rows(&expected.rows, &hits, expected.exact, 0.0));
    if told.at != expected.at && out.is_empty() {
        out.push("the instant".to_owned());
    }
    out
}

/// Each wanted row is met by a row of its own; `exact`: there are no other rows, and no other columns.
fn rows(
    wanted: &[BTreeMap<String, Toml>],
    found: &[Columns],
    exact: bool,
    fuzzy: f64,
) -> Vec<String> {
    let mut open: Vec<&Columns> = found.iter().collect();
    let mut out = Vec::new();
    for row in wanted {
        let met = open.iter().position(|columns| {
            (!exact || columns.len() == row.len())
                && row.iter().all(|(name, value)| {
                    columns.get(name).is_some_and(|found| equal(value, found, fuzzy))
                })
        });
        match met {
            Some(at) => {
                open.remove(at);
            }
            None => out.push(format!("- {}", toml_line(row))),
        }
    }
    if !out.is_empty() || exact {
        out.extend(open.iter().take(10).map(|columns| format!("+ {}", line(columns))));
    }
    out
}

/// Holds the rows of a query against those that it should give: all of them, with all columns.
pub fn judge_rows(test: &QueryTest, names: &[String], found: &[Vec<Json>]) -> Vec<String> {
    let found: Vec<Columns> =
        found.iter().map(|row| names.iter().cloned().zip(row.iter().cloned()).collect()).collect();
    let out = rows(&test.expect, &found, true, test.fuzzy);
    if !out.is_empty() || !test.ordered {
        return out;
    }
    let same = |(wanted, found): (&BTreeMap<String, Toml>, &Columns)| {
        wanted.iter().all(|(name, value)| {
            found.get(name).is_some_and(|found| equal(value, found, test.fuzzy))
        })
    };
    if test.expect.iter().zip(&found).all(same) {
        return out;
    }
    let order = found.iter().map(|columns| format!("  {}", line(columns)));
    std::iter::once("the rows are right, and come in another order:".to_owned())
        .chain(order)
        .collect()
}

/// A hit's columns by their names; those that are renamed in newer workspaces by both.
fn columns(hit: &Hit) -> Columns {
    let mut columns: Columns = hit.fields.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let named = [
        ("OperationName", &hit.operation),
        ("HsmInstance", &hit.instance),
        ("CallerIpAddress", &hit.caller),
        ("ClientInfo", &hit.client),
        ("_ResourceId", &hit.resource),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            columns.insert(name.to_owned(), Json::from(value.as_str()));
        }
    }
    columns.insert("TimeGenerated".to_owned(), Json::from(text_of(hit.time)));
    columns
}

fn text_of(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A value as it is written against one as it came.
fn equal(wanted: &Toml, found: &Json, fuzzy: f64) -> bool {
    match (wanted, found) {
        (Toml::String(wanted), Json::String(found)) => {
            wanted == found || same_instant(wanted, found)
        }
        (Toml::String(wanted), Json::Null) => wanted.is_empty(),
        (Toml::Integer(wanted), Json::Number(found)) => {
            found.as_i64() == Some(*wanted) || near(int(*wanted), found.as_f64(), fuzzy)
        }
        (Toml::Float(wanted), Json::Number(found)) => near(*wanted, found.as_f64(), fuzzy),
        (Toml::Boolean(wanted), Json::Bool(found)) => wanted == found,
        (Toml::Datetime(wanted), Json::String(found)) => {
            absolute(wanted) == DateTime::parse_from_rfc3339(found).ok().map(|t| t.to_utc())
        }
        (Toml::Array(wanted), Json::Array(found)) => {
            wanted.len() == found.len()
                && wanted.iter().zip(found).all(|(wanted, found)| equal(wanted, found, fuzzy))
        }
        (Toml::Table(wanted), Json::Object(found)) => {
            wanted.len() == found.len()
                && wanted.iter().all(|(name, wanted)| {
                    found.get(name).is_some_and(|found| equal(wanted, found, fuzzy))
                })
        }
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a whole number that is compared with a real")]
fn int(value: i64) -> f64 {
    value as f64
}

fn near(wanted: f64, found: Option<f64>, fuzzy: f64) -> bool {
    found.is_some_and(|found| wanted.total_cmp(&found).is_eq() || (wanted - found).abs() <= fuzzy)
}

fn same_instant(a: &str, b: &str) -> bool {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    matches!((read(a), read(b)), (Some(a), Some(b)) if a == b)
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line(columns: &Columns) -> String {
    let parts = columns
        .iter()
        .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
        .map(|(name, value)| format!("{name} = {value}"));
    format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
}

fn toml_line(row: &BTreeMap<String, Toml>) -> String {
    let parts = row.iter().map(|(name, value)| format!("{name} = {value}"));
    format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let toml = |text: &str| -> Toml {
            let table: toml::Table = format!("v = {text}").parse().unwrap();
            table["v"].clone()
        };
        for (wanted, found, same) in [
            ("'a'", r#""a""#, true),
            ("'a'", r#""b""#, false),
            ("''", "null", true),
            ("5", "5", true),
            ("5", "5.0", true),
            ("5", r#""5""#, false),
            ("5.5", "5.5", true),
            ("true", "true", true),
            ("2026-01-01T00:00:00Z", r#""2026-01-01T01:00:00+01:00""#, true),
            ("'2026-01-01T00:00:00Z'", r#""2026-01-01T00:00:00.0000000Z""#, true),
            ("[1, 'a']", r#"[1, "a"]"#, true),
            ("[1]", "[1, 2]", false),
            ("{ a = 1 }", r#"{"a": 1}"#, true),
            ("{ a = 1 }", r#"{"a": 1, "b": 2}"#, false),
        ] {
            assert_eq!(
                equal(&toml(wanted), &serde_json::from_str(found).unwrap(), 0.0),
                same,
                "{wanted} {found}"
            );
        }
        assert!(equal(&toml("1.0"), &Json::from(1.05), 0.1));
    }
}
