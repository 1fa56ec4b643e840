//! An alert: one message about the new hits of one watch and one group in one evaluation, complete enough to be rendered
//! for any receiver without the rule that made it.

use super::severity::Severity;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// What Cloud HSM's audit log cannot say. Every alert on the table carries it and every receiver kind shows it.
pub const CAVEAT: &str = "Cloud HSM logs that an operation ran, not whether it succeeded. Who = caller address and \
self-reported client; the table names no user.";

/// Why an alert was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Hits not told before.
    New,
    /// Hits that were folded together because a limit was reached, or that were held back until now.
    Digest,
    /// Hits of evaluations that an outage delayed.
    CatchUp,
    /// Late records, found by looking back.
    Sweep,
    /// The same key again, after `renotify`.
    Repeat,
    /// A sample, sent by hand.
    Test,
}

impl Reason {
    /// The word in bodies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Digest => "digest",
            Self::CatchUp => "catch-up",
            Self::Sweep => "sweep",
            Self::Repeat => "repeat",
            Self::Test => "test",
        }
    }
}

/// What an alert says of its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRule {
    /// The rule's id.
    pub id: String,
    /// Plain words.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// The version of the rule's text that found the hits: 12 hex digits.
    pub version: String,
    /// What happened, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// Why it matters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What to do now.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// When it is harmless.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub false_positives: String,
}

/// Where the rows were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertWorkspace {
    /// The workspace's id (Log Analytics customer id; the name for files).
    pub id: String,
    /// The name in the configuration.
    pub name: String,
}

/// A half-open interval of time, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// First instant inside.
    pub from: DateTime<Utc>,
    /// First instant after.
    pub to: DateTime<Utc>,
}

impl Interval {
    /// Whether `t` lies inside.
    pub fn contains(&self, t: DateTime<Utc>) -> bool {
        self.from <= t && t < self.to
    }

    /// Whether nothing lies inside.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }
}

/// One row as an alert carries it. Every text but `fingerprint` comes from the log and may be hostile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// 32 hex digits; `-N` follows for the N-th of rows equal in all columns, from the second on.
    pub fingerprint: String,
    /// `TimeGenerated`; for window rules without one, the end of the window.
    pub time: DateTime<Utc>,
    /// `OperationName`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `HsmInstance`, or `MemberId` in the older schema
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// `CallerIpAddress`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// `ClientInfo`: what the client says of itself
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// `_ResourceId`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// All other columns that are not empty.
    #[serde(default)]
    pub fields: Map<String, Json>,
}

/// Where a person looks further.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The Logs blade with the query prefilled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
    /// The rule's runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
}

/// One message. Immutable once committed; its id never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// 32 hex digits; the `webhook-id`.
    pub id: String,
    /// The rule, as it was.
    pub rule: AlertRule,
    /// The workspace.
    pub workspace: AlertWorkspace,
    /// The columns that make one alert (`_ResourceId` by default) and their values. From the log: may be hostile.
    #[serde(default)]
    pub group: BTreeMap<String, String>,
    /// The same for every alert about the same thing; 32 hex digits.
    pub incident_key: String,
    /// Why it was sent.
    pub reason: Reason,
    /// The time the evaluation covered.
    pub window: Interval,
    /// When it was committed.
    pub time: DateTime<Utc>,
    /// Hits told by this alert, listed or not.
    pub count: u64,
    /// Hits that `renotify` held back since the last alert on the key.
    #[serde(default)]
    pub suppressed: u64,
    /// The earliest hit.
    pub first_seen: DateTime<Utc>,
    /// The latest hit.
    pub last_seen: DateTime<Utc>,
    /// The hits listed, oldest first; at most 500.
    pub hits: Vec<Hit>,
    /// Hits counted but not listed.
    #[serde(default)]
    pub hits_truncated: u64,
    /// [`CAVEAT`] for alerts on the HSM's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// A sentence of ours that says more than the title, if there is one (hsmwatch's own alerts, digests).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Links.
    #[serde(default)]
    pub links: Links,
    /// Names of the receivers, fixed when the alert was committed.
    pub receivers: Vec<String>,
}
