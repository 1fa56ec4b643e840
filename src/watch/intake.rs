//! Intake: the rows of one evaluation, one by one, become counts in the seen set and hits in groups. Rows are not kept: what
//! is kept of an evaluation is bounded, however large the answer.

use super::alert::{Hit, Interval};
use super::fingerprint::{Fingerprint, Hash, Scope, hex};
use super::row::{Row, Value};
use super::seen::Seen;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Hits listed in one alert.
pub const HITS_PER_ALERT: usize = 500;
/// Groups of one evaluation that become alerts of their own; what is beyond is folded into one digest.
pub const ALERTS_PER_EVALUATION: usize = 50;

/// The columns that make one alert, with their values.
pub type Group = BTreeMap<String, String>;

/// A row not told before.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What makes the row.
    pub row: Fingerprint,
    /// The how-manieth of rows equal in all columns.
    pub ordinal: u32,
    /// Index of its key in [`Intake::keys`]; 0 where the rule has none.
    pub key: u32,
    /// For window rules, the instant of the evaluation that found it.
    pub instant: Option<Interval>,
    /// What an alert says of it.
    pub hit: Hit,
}

/// A row not told before, of which an alert only counts. Half a million of these may be held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// What makes the row.
    pub row: Fingerprint,
    /// The how-manieth of rows equal in all columns.
    pub ordinal: u32,
    /// Index of its key in [`Intake::keys`].
    pub key: u32,
    /// Microseconds since the epoch.
    pub micros: i64,
}

/// The new rows of one group.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    /// The first [`HITS_PER_ALERT`], as they came.
    pub listed: Vec<Candidate>,
    /// Further ones.
    pub unlisted: Vec<Unlisted>,
}

impl Fold {
    /// New rows, listed or not.
    pub fn count(&self) -> u64 {
        (self.listed.len() + self.unlisted.len()) as u64
    }
}

/// How a rule's rows are read.
#[derive(Clone)]
pub struct Reading<'a> {
    /// Scope of fingerprints.
    pub scope: Scope,
    /// Columns of `key`.
    pub key: &'a [String],
    /// Columns of `group_by`.
    pub group_by: Option<&'a [String]>,
}

impl Reading<'_> {
    /// The group of a row: `group_by`, or `_ResourceId` where returned.
    pub fn group(&self, row: &Row) -> Group {
        let text = |column: &str| row.get(column).map(Value::text);
        match self.group_by {
            None => text("_ResourceId")
                .filter(|id| !id.is_empty())
                .map(|id| ("_ResourceId".to_owned(), id.to_lowercase()))
                .into_iter()
                .collect(),
            Some(columns) => columns
                .iter()
                .map(|column| (column.clone(), text(column).unwrap_or_default()))
                .collect(),
        }
    }

    /// What an alert says of a row.
    pub fn hit(
        &self,
        row: &Row,
        fingerprint: &Fingerprint,
        ordinal: u32,
        time: DateTime<Utc>,
    ) -> Hit {
        let text =
            |column: &str| row.get(column).filter(|value| !value.is_empty()).map(Value::text);
        let instance = text("HsmInstance").or_else(|| text("MemberId"));
        let told_apart = [
            "TimeGenerated",
            "OperationName",
            "HsmInstance",
            "CallerIpAddress",
            "ClientInfo",
            "_ResourceId",
        ];
        let fields = row
            .iter()
            .filter(|(name, value)| !value.is_empty() && !told_apart.contains(name))
            .filter(|(name, value)| {
                *name != "MemberId" || instance.as_deref() != Some(&value.text())
            })
            .map(|(name, value)| (name.to_owned(), value.json()))
            .collect();
        Hit {
            fingerprint: match ordinal {
                0 | 1 => hex(fingerprint),
                n => format!("{}-{n}", hex(fingerprint)),
            },
            time,
            operation: text("OperationName"),
            instance,
            caller: text("CallerIpAddress"),
            client: text("ClientInfo"),
            resource: text("_ResourceId").map(|id| id.to_lowercase()),
            fields,
        }
    }
}

/// The rows of one evaluation.
#[derive(Debug, Default)]
pub struct Intake {
    /// New rows by group.
    pub groups: BTreeMap<Group, Fold>,
    /// Rows that the query returned within its window.
    pub rows: u64,
    /// Rows outside the window, dropped.
    pub outside: u64,
    /// Rows without `TimeGenerated`: the rule does not keep its side of the bargain.
    pub timeless: u64,
    /// The latest row.
    pub latest: Option<DateTime<Utc>>,
    /// Fingerprints of the keys met, for keyed rules and window rules.
    pub keys: Vec<Fingerprint>,
    key_index: BTreeMap<Fingerprint, u32>,
    /// Undo marks: how long each list was when the answer being read began.
    marks: BTreeMap<Group, (usize, usize)>,
    before: (u64, u64, u64, Option<DateTime<Utc>>),
}

impl Intake {
    /// Takes a row of an event rule.
    pub fn event(&mut self, reading: &Reading<'_>, window: Interval, seen: &mut Seen, row: &Row) {
        let Some(time) = row.time() else {
            self.timeless += 1;
            return;
        };
        if !window.contains(time) {
            self.outside += 1;
            return;
        }
        self.rows += 1;
        self.latest = self.latest.max(Some(time));
        let fingerprint = reading.scope.fingerprint(row, &[]);
        let Some(ordinal) = seen.count(fingerprint, time) else { return };
        let (hit, key) = if reading.key.is_empty() {
            (reading.hit(row, &fingerprint, ordinal, time), 0)
        } else {
            let key = reading.scope.fingerprint(row, reading.key);
            (reading.hit(row, &key, 1, time), self.key(key))
        };
        self.push(reading, row, Candidate { row: fingerprint, ordinal, key, instant: None, hit });
    }

    /// Takes a row of a window rule, evaluated at an instant whose window is `window`.
    pub fn summary(&mut self, reading: &Reading<'_>, window: Interval, row: &Row) {
        self.rows += 1;
        let time = row.time().unwrap_or(window.to);
        self.latest = self.latest.max(Some(window.to));
        let fingerprint = reading.scope.fingerprint(row, reading.key);
        let key = self.key(fingerprint);
        let hit = reading.hit(row, &fingerprint, 1, time);
        let instant = Some(window);
        self.push(reading, row, Candidate { row: fingerprint, ordinal: 1, key, instant, hit });
    }

    fn key(&mut self, key: Fingerprint) -> u32 {
        let keys = &mut self.keys;
        *self.key_index.entry(key).or_insert_with(|| {
            keys.push(key);
            u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn push(&mut self, reading: &Reading<'_>, row: &Row, candidate: Candidate) {
        let group = reading.group(row);
        let fold = self.groups.entry(group.clone()).or_default();
        self.marks.entry(group).or_insert((fold.listed.len(), fold.unlisted.len()));
        if fold.listed.len() < HITS_PER_ALERT {
            fold.listed.push(candidate);
        } else {
            let Candidate { row, ordinal, key, hit, .. } = candidate;
            let micros = hit.time.timestamp_micros();
            fold.unlisted.push(Unlisted { row, ordinal, key, micros });
        }
    }

    /// The answer being read is complete.
    pub fn keep_answer(&mut self, seen: &mut Seen) {
        self.marks.clear();
        self.before = (self.rows, self.outside, self.timeless, self.latest);
        seen.keep_answer();
    }

    /// The answer being read was useless: as if it had never begun.
    pub fn drop_answer(&mut self, seen: &mut Seen) {
        for (group, (listed, unlisted)) in std::mem::take(&mut self.marks) {
            if let Some(fold) = self.groups.get_mut(&group) {
                fold.listed.truncate(listed);
                fold.unlisted.truncate(unlisted);
            }
        }
        self.groups.retain(|_, fold| fold.count() > 0);
        (self.rows, self.outside, self.timeless, self.latest) = self.before;
        seen.drop_answer();
    }

    /// Leaves out what someone else has told meanwhile: what their seen set has, and what lies below their floor, where a
    /// seen set remembers nothing and a complete sweep has been.
    pub fn without_told(&mut self, seen: &Seen, floor: DateTime<Utc>) {
        let floor_micros = floor.timestamp_micros();
        for fold in self.groups.values_mut() {
            fold.listed.retain(|c| {
                c.instant.is_some() || (c.hit.time >= floor && !seen.told(&c.row, c.ordinal))
            });
            fold.unlisted.retain(|u| u.micros >= floor_micros && !seen.told(&u.row, u.ordinal));
        }
        self.groups.retain(|_, fold| fold.count() > 0);
    }
}

/// The alert id: the same for the same hits of the same group of the same watch.
pub fn alert_id<'a>(
    watch_key: &str,
    group: &Group,
    rows: impl Iterator<Item = (&'a Fingerprint, u32)>,
    instant: Option<DateTime<Utc>>,
) -> String {
    let mut hash = Hash::new("alert");
    hash.text(watch_key);
    for (column, value) in group {
        hash.text(column).text(value);
    }
    // Up to as many as are listed, the sorted rows themselves; beyond, a sum that no order changes: half a million need not be
    // held and sorted for their name.
    let mut first: Vec<(&Fingerprint, u32)> = Vec::new();
    let (mut sum, mut count) = (0_u128, 0_u64);
    for (row, ordinal) in rows {
        let mut one = Hash::new("alert row");
        one.part(row).part(&ordinal.to_be_bytes());
        sum = sum.wrapping_add(u128::from_be_bytes(one.finish()));
        count += 1;
        if first.len() < HITS_PER_ALERT {
            first.push((row, ordinal));
        }
    }
    if count > HITS_PER_ALERT as u64 {
        hash.text("sum").part(&sum.to_be_bytes()).part(&count.to_be_bytes());
    } else {
        first.sort_unstable();
        hash.text("rows");
        for (row, ordinal) in first {
            hash.part(row).part(&ordinal.to_be_bytes());
        }
    }
    if let Some(instant) = instant {
        hash.text("at").text(&instant.timestamp_micros().to_string());
    }
    hex(&hash.finish())
}

/// The incident key: the same for every alert about the same thing.
pub fn incident_key(watch_workspace: &str, rule_id: &str, group: &Group) -> String {
    let mut hash = Hash::new("incident");
    hash.text(rule_id).text(watch_workspace);
    for (column, value) in group {
        hash.text(column).text(value);
    }
    hex(&hash.finish())
}
