//! What a message to people holds, before it takes the form of a kind: lines, facts and a table of hits.

use super::wording::{self, Piece, log, own};
use super::{Detail, limits, operations};
use crate::watch::alert::{Alert, Hit};
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// This program and its version, for footers.
pub const VERSION: &str = concat!("hsmwatch ", env!("CARGO_PKG_VERSION"));

/// More hits than this are shown by caller.
const GROUP_ABOVE: usize = 12;
/// Distinct values shown of a kind.
const SHOW: usize = 4;
/// Columns that tell a person nothing beside the operation's name.
const NOISE: [&str; 8] = [
    "Opcode",
    "DurationMs",
    "Sku",
    "ClusterType",
    "PoolType",
    "ClientSdkPackageVersion",
    "CorrelationId",
    "Category",
];

/// A label of ours and what stands behind it.
pub type Labelled = (&'static str, Vec<Piece>);

/// What happened and where: lines that hold text from the log.
pub fn lines(alert: &Alert) -> Vec<Labelled> {
    let mut out = Vec::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for name in alert.hits.iter().filter_map(|hit| hit.operation.as_deref()) {
        *counts.entry(name).or_default() += 1;
    }
    let kinds = counts.len();
    for (name, n) in by_count(counts).into_iter().take(SHOW) {
        let mut pieces = vec![log(name)];
        if let Some(known) = operations::explain(name) {
            pieces.push(own(format!(": {}", known.sentence())));
        }
        let times = wording::count_of(n, "time", "times");
        let among = if alert.count > alert.hits.len() as u64 { " among those listed" } else { "" };
        pieces.push(own(format!(", {times}{among}")));
        out.push(("What", pieces));
    }
    if kinds > SHOW {
        out.push(("What", vec![own(format!("and {} more kinds of operation", kinds - SHOW))]));
    }
    let resources = wording::resources(alert);
    for resource in resources.iter().take(SHOW) {
        let mut pieces = vec![log(wording::short_name(resource))];
        if let Some(group) = wording::arm_segment(resource, "resourceGroups") {
            pieces.extend([own(" in resource group "), log(group)]);
        }
        out.push(("Where", pieces));
    }
    if resources.len() > SHOW {
        out.push(("Where", vec![own(format!("and {} more HSMs", resources.len() - SHOW))]));
    }
    let others = alert.group.iter().filter(|(name, _)| *name != "_ResourceId");
    for (name, value) in others.take(SHOW) {
        out.push(("Group", vec![log(name), own(" = "), log(value)]));
    }
    out
}

/// When, why and which: facts in words of ours alone.
pub fn facts(alert: &Alert, detail: Detail) -> Vec<(&'static str, String)> {
    let mut out = vec![("Workspace", limits::clean(&alert.workspace.name, 100))];
    // Nothing was queried for hsmwatch's own alerts.
    if wording::own_note(alert).is_none() {
        out.push(("Window", wording::interval(alert.window)));
    }
    let told = format!("{} UTC", wording::date_time(alert.time));
    if detail == Detail::Counts {
        out.push(("Detected", told));
        let sorry = "counts only: this receiver is set to get no field of the log";
        out.push(("Detail", sorry.to_owned()));
    } else if wording::own_note(alert).is_some() {
        out.push(("Detected", told));
    } else if wording::sums_up(alert) {
        let delay = wording::duration(alert.time - alert.window.to);
        out.push(("Detected", format!("{told}, {delay} after the window's end")));
    } else {
        out.push(("First to last", wording::from_to(alert.first_seen, alert.last_seen)));
        let delay = wording::duration(alert.time - alert.last_seen);
        out.push(("Detected", format!("{told}, {delay} after the last record")));
    }
    out.push(("Count", alert.count.to_string()));
    if alert.suppressed > 0 {
        let held = wording::count_of(alert.suppressed, "hit", "hits");
        out.push(("Held back", format!("{held} more since the last alert on this")));
    }
    out.push(("Reason", wording::reason_sentence(alert.reason).to_owned()));
    out.push(("Incident", limits::clean(&alert.incident_key, 64)));
    out.retain(|(_, value)| !value.is_empty());
    out
}

/// The footer, in words of ours alone.
pub fn footer(alert: &Alert, shown: u64) -> String {
    // The rule last: it is the only part that could be long.
    format!(
        "{VERSION} · {shown} of {} shown · alert {} · rule {}, version {}",
        alert.count,
        limits::clean(&alert.id, 64),
        limits::clean(&alert.rule.id, 80),
        limits::clean(&alert.rule.version, 20),
    )
}

/// The line below a table that does not hold all hits. Listed and left out add up to the count.
pub fn and_more(alert: &Alert, shown: u64) -> Option<String> {
    let more = alert.count.saturating_sub(shown);
    match (shown, more) {
        (_, 0) => None,
        (0, _) => {
            Some(format!("{} in all, none listed here", wording::count_of(more, "hit", "hits")))
        }
        (_, 1) => Some(format!("and 1 more hit of {} in all", alert.count)),
        _ => Some(format!("and {more} more hits of {} in all", alert.count)),
    }
}

/// A table of hits for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Headings, in words of ours.
    pub columns: Vec<&'static str>,
    /// Rows, each with as many cells as there are columns.
    pub rows: Vec<TableRow>,
}

/// A row: one hit, or all of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// Its cells.
    pub cells: Vec<Piece>,
    /// How many hits it stands for.
    pub hits: u64,
}

impl Table {
    /// How many hits the first `rows` rows stand for.
    pub fn shown(&self, rows: usize) -> u64 {
        self.rows.iter().take(rows).map(|row| row.hits).sum()
    }
}

/// The hits of an alert, one a row, or by caller if they are many. Columns without a value are left out.
pub fn table(alert: &Alert) -> Table {
    let with_caller = alert.hits.iter().filter(|hit| hit.caller.is_some()).count();
    let by_caller = alert.hits.len() > GROUP_ABOVE && with_caller == alert.hits.len();
    let (columns, rows) = if by_caller { grouped(&alert.hits) } else { single(alert) };
    let used: Vec<bool> = (0..columns.len())
        .map(|n| {
            rows.iter().any(|row| row.cells.get(n).is_some_and(|cell| !cell.text(9).is_empty()))
        })
        .collect();
    let rows = rows.into_iter();
    let rows = rows.map(|row| TableRow { cells: keep(row.cells, &used), hits: row.hits });
    Table {
        columns: keep(columns, &used),
        rows: rows.filter(|row| !row.cells.is_empty()).collect(),
    }
}

fn keep<T>(all: Vec<T>, used: &[bool]) -> Vec<T> {
    all.into_iter().zip(used).filter(|(_, used)| **used).map(|(item, _)| item).collect()
}

fn single(alert: &Alert) -> (Vec<&'static str>, Vec<TableRow>) {
    let text = |text: &Option<String>| log(text.clone().unwrap_or_default());
    let dated = alert.first_seen.date_naive() != alert.time.date_naive();
    let rows = alert.hits.iter().map(|hit| {
        let time = if dated { wording::date_time(hit.time) } else { wording::clock(hit.time) };
        let cells = vec![
            own(time),
            text(&hit.operation),
            text(&hit.caller),
            text(&hit.client),
            log(details(hit)),
        ];
        TableRow { cells, hits: 1 }
    });
    (vec!["Time (UTC)", "Operation", "Caller", "Client says", "Details"], rows.collect())
}

/// The instance and what other columns say, results first.
fn details(hit: &Hit) -> String {
    let telling = |name: &str| !NOISE.contains(&name);
    let is_result = |name: &str| name.starts_with("Result");
    let fields = hit.fields.iter().filter(|(name, _)| telling(name));
    let (results, others): (Vec<_>, Vec<_>) = fields.partition(|(name, _)| is_result(name));
    let instance = hit.instance.iter().map(|instance| limits::clean(instance, 100));
    let fields = results.into_iter().chain(others).map(|(name, value)| {
        let value = match value {
            Json::String(text) => limits::clean(text, 200),
            other => limits::clean(&other.to_string(), 200),
        };
        format!("{}={value}", limits::clean(name, 60))
    });
    // No cell is wider than a few of these.
    instance.chain(fields).take(12).collect::<Vec<_>>().join("; ")
}

struct Group<'a> {
    operations: BTreeMap<&'a str, u64>,
    hits: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

fn grouped(hits: &[Hit]) -> (Vec<&'static str>, Vec<TableRow>) {
    let mut groups: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
    for hit in hits {
        let key = (hit.caller.as_deref().unwrap_or(""), hit.client.as_deref().unwrap_or(""));
        let group = groups.entry(key).or_insert(Group {
            operations: BTreeMap::new(),
            hits: 0,
            first: hit.time,
            last: hit.time,
        });
        *group.operations.entry(hit.operation.as_deref().unwrap_or("")).or_default() += 1;
        group.hits += 1;
        group.first = group.first.min(hit.time);
        group.last = group.last.max(hit.time);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.hits));
    let dated = groups.iter().any(|(_, group)| group.first.date_naive() != group.last.date_naive());
    let time = |t| if dated { wording::date_time(t) } else { wording::clock(t) };
    let rows = groups.into_iter().map(|((caller, client), group)| {
        let kinds = group.operations.len();
        let mut operations: Vec<String> = by_count(group.operations)
            .into_iter()
            .take(3)
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, n)| format!("{n} × {}", limits::clean(name, 60)))
            .collect();
        if kinds > 3 {
            operations.push(format!("{} more kinds", kinds - 3));
        }
        let cells = vec![
            log(caller),
            log(client),
            log(operations.join(", ")),
            own(group.hits.to_string()),
            own(if group.first == group.last {
                time(group.first)
            } else {
                format!("{} – {}", time(group.first), time(group.last))
            }),
        ];
        TableRow { cells, hits: group.hits }
    });
    (vec!["Caller", "Client says", "Operations", "Hits", "First – last (UTC)"], rows.collect())
}

/// Most frequent first; equal ones by name.
fn by_count(counts: BTreeMap<&str, u64>) -> Vec<(&str, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

/// The largest number of rows, up to `rows`, for which `build` makes something that `fits`, and what it makes; with too
/// little room even for none, what it makes of none.
pub(super) fn most_rows<T>(
    rows: usize,
    build: impl Fn(usize) -> T,
    fits: impl Fn(&T) -> bool,
) -> (usize, T) {
    let whole = build(rows);
    if rows == 0 || fits(&whole) {
        return (rows, whole);
    }
    // Fits with `low` (or nothing does), does not fit with `high`.
    let (mut low, mut high) = (0, rows);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if fits(&build(middle)) { low = middle } else { high = middle }
    }
    (low, build(low))
}
