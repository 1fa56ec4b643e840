//! The head: the small document that is a watch's state, and the only thing that is compared and swapped for it.

use super::alert::{Alert, Interval};
use super::fingerprint::{Hash, hex};
use super::format::{Formats, OtherFormat};
use super::rule::{Kind, Rule};
use super::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The formats of heads. Any other is refused, kept and told.
pub const FORMATS: Formats = Formats::new(1, 1, 1);
/// Old versions of a rule's text that a head keeps until the sweep has passed their time.
pub const OLD_VERSIONS: usize = 8;
/// Bytes of old text that a head keeps: it stays a small document.
pub const OLD_TEXT: usize = 6 * 1024;
/// Alerts committed and not yet ended, a watch.
pub const OUTBOX_ALERTS: usize = 500;
/// Gaps that a head keeps in mind.
const GAPS: usize = 40;
const RECENT: usize = 10;
const HOURS: usize = 48;

/// One rule on one workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WatchId {
    /// The workspace's id.
    pub workspace: String,
    /// The rule's id.
    pub rule: String,
}

impl WatchId {
    /// A short name that is fit for a document's name: 20 hex digits.
    pub fn key(&self) -> String {
        let mut hash = Hash::new("watch");
        hash.text(&self.workspace).text(&self.rule);
        let mut key = hex(&hash.finish());
        key.truncate(20);
        key
    }
}

/// A rule's text, and from when on it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// 12 hex digits of a hash over what follows.
    pub id: String,
    /// First instant of its time; it ends where the next version begins.
    pub since: DateTime<Utc>,
    /// The query, with `exclude` appended.
    pub query: String,
    /// Seconds of `lookback`; `None` for rules without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback_s: Option<i64>,
    /// Columns of `key`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Whether it is a window rule.
    #[serde(default)]
    pub summary: bool,
}

impl Version {
    /// The version of a rule that begins at `since`.
    pub fn of(rule: &Rule, since: DateTime<Utc>) -> Self {
        let query = rule.text();
        let (lookback_s, summary) = match &rule.kind {
            Kind::Event { lookback } => (lookback.map(|l| l.num_seconds()), false),
            Kind::Window { .. } => (None, true),
        };
        let mut hash = Hash::new("version");
        hash.text(&query).text(&format!("{lookback_s:?} {summary}"));
        rule.key.iter().for_each(|column| {
            hash.text(column);
        });
        let mut id = hex(&hash.finish());
        id.truncate(12);
        Self { id, since, query, lookback_s, key: rule.key.clone(), summary }
    }

    /// The query for a window: two constants before the text, on its first line, and nothing else.
    pub fn ask(&self, window: Interval) -> String {
        format!(
            "let window_start = datetime({}); let window_end = datetime({}); {}",
            super::row::ticks_text(window.from),
            super::row::ticks_text(window.to),
            self.query
        )
    }

    /// How far before the window it looks.
    pub fn lookback(&self) -> TimeDelta {
        self.lookback_s.and_then(TimeDelta::try_seconds).unwrap_or_default()
    }
}

/// The look back for late records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// When the previous complete sweep began its query.
    pub previous: DateTime<Utc>,
    /// A sweep under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// A sweep under way: what it has not asked for yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When it began its query.
    pub began: DateTime<Utc>,
    /// What is left.
    pub left: Interval,
}

/// Why an evaluation did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// No access, or none yet.
    Denied,
    /// The query itself is wrong.
    Refused,
    /// The service, or the way to it, is down or too slow.
    Unavailable,
    /// The state could not be written.
    State,
}

/// How the watch fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// When an evaluation last succeeded.
    #[serde(default)]
    pub last_success: Option<DateTime<Utc>>,
    /// Since when evaluations fail; `None`: they do not.
    #[serde(default)]
    pub failing_since: Option<DateTime<Utc>>,
    /// What kind of failure it is.
    #[serde(default)]
    pub failure: Option<FailureKind>,
    /// What the failure says.
    #[serde(default)]
    pub error: Option<String>,
    /// Since when the workspace has no data to give (204, table not found).
    #[serde(default)]
    pub waiting_since: Option<DateTime<Utc>>,
    /// Throttled: not asked again before this.
    #[serde(default)]
    pub put_off_until: Option<DateTime<Utc>>,
    /// The latest row that any evaluation returned.
    #[serde(default)]
    pub latest_row: Option<DateTime<Utc>>,
}

/// A second that the service will not answer for, and how often it has been tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The second.
    pub second: DateTime<Utc>,
    /// Ticks at which it was refused.
    pub tries: u32,
    /// When it was last tried: one try a tick counts.
    pub at: DateTime<Utc>,
}

/// Time of which the watch does not know all. Each is named in an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The interval.
    pub interval: Interval,
    /// Why.
    pub why: GapKind,
    /// When it came to be known.
    pub at: DateTime<Utc>,
}

/// Why there is a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// Further back than `catch_up` when the outage ended.
    Outage,
    /// A second with more rows than the service gives.
    TooDense,
    /// More fingerprints than a watch keeps: late rows of this time are no longer found.
    Fingerprints,
    /// A former version of the rule is no longer asked, for a head keeps only so many, or the service refuses its text: late rows
    /// of this time are no longer found.
    Versions,
}

/// The alerts of one commit that have not all ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The document with the alerts.
    pub doc: String,
    /// When they were committed.
    pub at: DateTime<Utc>,
    /// Names of the receivers.
    pub receivers: Vec<String>,
    /// Ids of the alerts whose deliveries have not all ended.
    pub alerts: Vec<String>,
}

/// Hits that found no room in a full outbox: told in a digest as soon as there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How many.
    pub count: u64,
    /// The earliest.
    pub first: DateTime<Utc>,
    /// The latest.
    pub last: DateTime<Utc>,
}

/// An alert as `status` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Alert id.
    pub id: String,
    /// When it was committed.
    pub time: DateTime<Utc>,
    /// Severity of its rule.
    pub severity: Severity,
    /// Title of its rule.
    pub title: String,
    /// Hits told.
    pub count: u64,
}

/// Hits told in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// Its first instant.
    pub hour: DateTime<Utc>,
    /// Hits by their own time.
    pub hits: u64,
}

/// The state of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Format number.
    pub format: u32,
    /// Whose head it is.
    pub watch: WatchId,
    /// The workspace's name in the configuration.
    pub workspace_name: String,
    /// The commit that wrote this; tells our own write from another's when no answer came.
    pub commit: String,
    /// Rows before this are never hits.
    pub started_at: DateTime<Utc>,
    /// End of the committed windows. For window rules, the last instant evaluated.
    pub watermark: DateTime<Utc>,
    /// No window begins before this, and fingerprints are kept from here on.
    pub floor: DateTime<Utc>,
    /// The slot last evaluated.
    #[serde(default)]
    pub slot: Option<DateTime<Utc>>,
    /// The look back for late records.
    pub sweep: Sweep,
    /// The rule's text over time, oldest first; never empty.
    pub versions: Vec<Version>,
    /// How the watch fares.
    #[serde(default)]
    pub health: Health,
    /// A second that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
    /// What is not covered, until it is below the floor and two days old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Name of the seen set.
    #[serde(default)]
    pub seen: Option<String>,
    /// Rows in the seen set.
    #[serde(default)]
    pub seen_rows: u64,
    /// When something that `renotify` held back is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_due: Option<DateTime<Utc>>,
    /// Alerts that have not ended.
    #[serde(default, with = "super::outbox")]
    pub outbox: Vec<Batch>,
    /// Hits that found no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The last few alerts, newest last.
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// Hits an hour.
    #[serde(default)]
    pub hours: Vec<Hour>,
    /// What only the watch `hsmwatch` keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<super::own::Own>,
}

/// A head that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Written by a version too far from this one.
    #[error(transparent)]
    Format(#[from] OtherFormat),
    /// Not a head.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Head {
    /// The head of a watch that begins now: nothing before `started_at` is ever told.
    pub fn start(
        watch: WatchId,
        workspace_name: &str,
        rule: &Rule,
        started_at: DateTime<Utc>,
    ) -> Self {
        Self::begin(watch, workspace_name, Version::of(rule, started_at), started_at)
    }

    /// A head with this first version and nothing behind it.
    pub(super) fn begin(
        watch: WatchId,
        workspace_name: &str,
        version: Version,
        started_at: DateTime<Utc>,
    ) -> Self {
        Self {
            format: FORMATS.writes,
            watch,
            workspace_name: workspace_name.to_owned(),
            commit: String::new(),
            started_at,
            watermark: started_at,
            floor: started_at,
            slot: None,
            sweep: Sweep { previous: started_at, cursor: None },
            versions: vec![version],
            health: Health::default(),
            stuck: None,
            gaps: Vec::new(),
            seen: None,
            seen_rows: 0,
            digest_due: None,
            outbox: Vec::new(),
            held: None,
            recent: Vec::new(),
            hours: Vec::new(),
            own: None,
        }
    }

    /// The document's name.
    pub fn name(watch_key: &str) -> String {
        format!("heads/{watch_key}")
    }

    /// The document's bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a document.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHead> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged = |e: serde_json::Error| BadHead::Damaged(e.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        // First of all: the rest of another format may be anything.
        FORMATS.check(format)?;
        let mut head: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        // Whatever it was, it is written again in this version's.
        head.format = FORMATS.writes;
        if head.versions.is_empty() {
            return Err(BadHead::Damaged("it has no version of the rule".to_owned()));
        }
        Ok(head)
    }

    /// Takes up the rule as it is configured now. A change of its text closes the old version at the watermark: older rows are
    /// still asked for with the old text, later rows only with the new.
    pub fn adopt(&mut self, rule: &Rule, now: DateTime<Utc>) {
        let version = Version::of(rule, self.watermark);
        if self.versions.last().is_some_and(|last| last.id == version.id) {
            return;
        }
        // A version that never had time of its own leaves no trace.
        self.versions.retain(|old| old.since < version.since);
        self.versions.push(version);
        while self.versions.len() > OLD_VERSIONS + 1 || self.old_text() > OLD_TEXT {
            if self.versions.len() < 2 {
                break;
            }
            self.versions.remove(0);
            let first = self.versions.first().map_or(self.floor, |v| v.since);
            self.raise_floor(first, GapKind::Versions, now);
        }
    }

    fn old_text(&self) -> usize {
        let old = self.versions.len().saturating_sub(1);
        self.versions.iter().take(old).map(|v| v.query.len()).sum()
    }

    /// Raises the floor to `to` before its time, and notes what late rows will no longer be found in.
    pub fn raise_floor(&mut self, to: DateTime<Utc>, why: GapKind, now: DateTime<Utc>) {
        if to > self.floor {
            self.gap(Interval { from: self.floor, to }, why, now);
            self.floor = to;
        }
    }

    /// Notes time that is not covered.
    pub fn gap(&mut self, interval: Interval, why: GapKind, at: DateTime<Utc>) {
        if !interval.is_empty() {
            // Neighbours found together become one.
            if let Some(last) = self.gaps.last_mut()
                && last.why == why
                && last.at == at
                && last.interval.to == interval.from
            {
                last.interval.to = interval.to;
                return;
            }
            self.gaps.push(Gap { interval, why, at });
            if self.gaps.len() > GAPS {
                // Those that windows leave out are needed longest.
                let dense = |gap: &Gap| gap.why == GapKind::TooDense;
                let oldest = self.gaps.iter().take(GAPS).position(|gap| !dense(gap));
                let oldest = oldest.unwrap_or(0);
                self.gaps.remove(oldest);
            }
        }
    }

    /// Forgets alerts whose deliveries have all ended. Answers whether there were any.
    pub fn trim(&mut self, ended: &BTreeSet<String>) -> bool {
        let before = self.open_alerts();
        for batch in &mut self.outbox {
            batch.alerts.retain(|id| !ended.contains(id));
        }
        self.outbox.retain(|batch| !batch.alerts.is_empty());
        self.open_alerts() < before
    }

    /// The slot to evaluate now, if there is one.
    pub fn due_slot(&self, rule: &Rule, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        rule.schedule.slot(now).filter(|slot| self.slot < Some(*slot))
    }

    /// Until when the service wants to be left alone.
    pub fn put_off_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.health.put_off_until.filter(|until| now < *until)
    }

    /// Alerts in the outbox.
    pub fn open_alerts(&self) -> usize {
        self.outbox.iter().map(|batch| batch.alerts.len()).sum()
    }

    /// Puts the alerts of a commit into the outbox and the lists that `status` shows.
    pub fn post(&mut self, doc: &str, alerts: &[Alert], now: DateTime<Utc>) {
        for alert in alerts {
            self.recent.push(Recent {
                id: alert.id.clone(),
                time: alert.time,
                severity: alert.rule.severity,
                title: alert.rule.title.clone(),
                count: alert.count,
            });
            self.count_hours(alert, now);
            if alert.receivers.is_empty() {
                continue;
            }
            // One batch a set of receivers: nearly always one.
            match self.outbox.iter_mut().find(|b| b.doc == doc && b.receivers == alert.receivers) {
                Some(batch) => batch.alerts.push(alert.id.clone()),
                None => self.outbox.push(Batch {
                    doc: doc.to_owned(),
                    at: now,
                    receivers: alert.receivers.clone(),
                    alerts: vec![alert.id.clone()],
                }),
            }
        }
        let surplus = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..surplus);
    }

    fn count_hours(&mut self, alert: &Alert, now: DateTime<Utc>) {
        let hour = |t: DateTime<Utc>| {
            DateTime::from_timestamp(t.timestamp().div_euclid(3600) * 3600, 0).unwrap_or(t)
        };
        let mut add =
            |at: DateTime<Utc>, hits: u64| match self.hours.binary_search_by_key(&at, |h| h.hour) {
                Ok(i) => {
                    if let Some(h) = self.hours.get_mut(i) {
                        h.hits += hits;
                    }
                }
                Err(i) => self.hours.insert(i, Hour { hour: at, hits }),
            };
        alert.hits.iter().for_each(|hit| add(hour(hit.time), 1));
        if alert.hits_truncated > 0 {
            add(hour(alert.last_seen), alert.hits_truncated);
        }
        let oldest = hour(now) - TimeDelta::hours(i64::try_from(HOURS).unwrap_or(48));
        self.hours.retain(|h| h.hour > oldest && h.hour <= now);
    }
}

#[cfg(test)]
mod tests;
