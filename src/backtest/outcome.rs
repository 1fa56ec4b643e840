//! What came of a period.

use crate::watch::alert::{Alert, Interval, Reason};
use crate::watch::severity::Severity;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An alert that would have been sent: what a report needs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// When it would have been sent.
    pub at: DateTime<Utc>,
    /// Its id, that of every run over the same rows.
    pub id: Box<str>,
    /// Hits that it tells.
    pub count: u64,
    /// Hits held back before it.
    pub suppressed: u64,
    /// Why it would have been sent.
    pub reason: Reason,
    /// The earliest hit.
    pub first_seen: DateTime<Utc>,
    /// The latest hit.
    pub last_seen: DateTime<Utc>,
    /// The columns that make one alert, with their values. From the log: may be hostile.
    pub group: Arc<BTreeMap<String, String>>,
}

impl Fired {
    /// What a report needs of an alert. `groups` keeps equal groups once.
    pub fn new(alert: &Alert, groups: &mut Vec<Arc<BTreeMap<String, String>>>) -> Self {
        let known = groups.iter().find(|group| ***group == alert.group).cloned();
        let group = known.unwrap_or_else(|| {
            let group = Arc::new(alert.group.clone());
            // Rules that group by what is seldom equal would make the search long.
            if groups.len() < 64 {
                groups.push(Arc::clone(&group));
            }
            group
        });
        Self {
            at: alert.time,
            id: alert.id.as_str().into(),
            count: alert.count,
            suppressed: alert.suppressed,
            reason: alert.reason,
            first_seen: alert.first_seen,
            last_seen: alert.last_seen,
            group,
        }
    }

    /// The day of the alert, in UTC.
    pub fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }
}

/// How a rule went through the period.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleRun {
    /// The rule's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: Severity,
    /// Evaluations.
    pub evaluations: u64,
    /// Rows that its query gave.
    pub rows: u64,
    /// Evaluations that failed.
    pub failed: u64,
    /// When the first of them was, and why.
    pub failure: Option<(DateTime<Utc>, String)>,
    /// Why it was not evaluated at all.
    pub skipped: Option<String>,
    /// The alerts, oldest first.
    pub fired: Vec<Fired>,
}

impl RuleRun {
    /// A rule that has not begun.
    pub fn new(id: &str, title: &str, severity: Severity) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            severity,
            evaluations: 0,
            rows: 0,
            failed: 0,
            failure: None,
            skipped: None,
            fired: Vec::new(),
        }
    }

    /// Notes an evaluation that failed.
    pub fn fail(&mut self, at: DateTime<Utc>, why: String) {
        self.failed += 1;
        self.failure.get_or_insert((at, why));
    }

    /// Hits told, in all.
    pub fn hits(&self) -> u64 {
        self.fired.iter().map(|fired| fired.count).sum()
    }

    /// Alerts by day.
    pub fn days(&self) -> BTreeMap<NaiveDate, u64> {
        let mut days = BTreeMap::new();
        for fired in &self.fired {
            *days.entry(fired.day()).or_default() += 1;
        }
        days
    }

    /// Alerts in each of `n` equal stretches of the period.
    pub fn buckets(&self, period: Interval, n: usize) -> Vec<u64> {
        let mut buckets = vec![0; n];
        for fired in &self.fired {
            if let Some(count) = buckets.get_mut(bucket(period, fired.at, n)) {
                *count += 1;
            }
        }
        buckets
    }
}

/// The stretch of `n` in a period that an instant lies in.
pub fn bucket(period: Interval, at: DateTime<Utc>, n: usize) -> usize {
    let whole = (period.to - period.from).num_milliseconds().max(1);
    let into = (at - period.from).num_milliseconds().clamp(0, whole);
    let count = i64::try_from(n).unwrap_or(1).max(1);
    let at = i128::from(into) * i128::from(count) / i128::from(whole);
    usize::try_from(at).unwrap_or(0).min(n.saturating_sub(1))
}

/// What came of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The period: from the first instant to the last.
    pub period: Interval,
    /// How often a timer fired.
    pub every: TimeDelta,
    /// Files or blobs read.
    pub files: u64,
    /// Rows of the table in them that lie in the period, or that rules look back on.
    pub rows: u64,
    /// The first row's time, and the last one's.
    pub rows_span: Option<Interval>,
    /// Rows in each of [`STRETCHES`] equal stretches of the period.
    pub volume: Vec<u64>,
    /// Records that could not be read.
    pub bad_records: u64,
    /// The rules, in the order in which they were named.
    pub rules: Vec<RuleRun>,
}

/// Stretches of time that a chart shows.
pub const STRETCHES: usize = 120;

impl Outcome {
    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<&RuleRun> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Alerts, in all.
    pub fn alerts(&self) -> usize {
        self.rules.iter().map(|rule| rule.fired.len()).sum()
    }

    /// Rules of which an evaluation failed.
    pub fn failed(&self) -> impl Iterator<Item = &RuleRun> {
        self.rules.iter().filter(|rule| rule.failed > 0)
    }

    /// Rules with alerts, by day.
    pub fn days(&self) -> BTreeMap<NaiveDate, Vec<(&str, u64)>> {
        let mut days: BTreeMap<NaiveDate, Vec<(&str, u64)>> = BTreeMap::new();
        for rule in &self.rules {
            for (day, count) in rule.days() {
                days.entry(day).or_default().push((&rule.id, count));
            }
        }
        days
    }
}
