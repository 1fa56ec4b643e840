//! Telling people: pure functions from an alert to a body, and from an answer to a verdict. One file a receiver kind.

use crate::watch::alert::Alert;
use crate::watch::own;
use crate::watch::severity::Severity;
use chrono::{DateTime, Utc};
use std::fmt;
use std::str::FromStr;

pub mod backoff;
pub mod content;
pub mod limits;
pub mod links;
pub mod operations;
mod percent;
pub mod sign;
pub mod slack;
pub mod teams;
pub mod terminal;
pub mod verdict;
pub mod webhook;
pub mod wording;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// `content-type`, exactly as sent.
    pub content_type: &'static str,
    /// The bytes that are signed and sent.
    pub bytes: Vec<u8>,
}

/// What kind of destination a receiver is. A closed set: adding one is a file, a variant, a snapshot and the shared test kit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Teams channel, through a Workflows webhook.
    Teams,
    /// A Slack channel, through an incoming webhook.
    Slack,
    /// Any HTTPS endpoint that takes CloudEvents signed as Standard Webhooks.
    Webhook,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Teams, Self::Slack, Self::Webhook];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }

    /// `min_severity` where the configuration says nothing: channels of people are spared what is worth recording only.
    pub const fn default_min_severity(self) -> Severity {
        match self {
            Self::Teams | Self::Slack => Severity::Low,
            Self::Webhook => Severity::Info,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no kind of receiver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownKind {
    /// One that is planned.
    #[error("receiver kind `{0}`: not yet: use webhook")]
    NotYet(String),
    /// Any other word.
    #[error("`{0}` is not a receiver kind: use teams, slack or webhook")]
    Unknown(String),
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        const LATER: [&str; 6] = ["pagerduty", "opsgenie", "jira", "jsm", "servicenow", "email"];
        let unknown = || {
            let word = word.to_owned();
            if LATER.contains(&&*word) {
                UnknownKind::NotYet(word)
            } else {
                UnknownKind::Unknown(word)
            }
        };
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(unknown)
    }
}

/// How much of the log leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Hits with their fields.
    #[default]
    Full,
    /// Counts only: no field of the log leaves.
    Counts,
}

impl Detail {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Counts => "counts",
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no detail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a detail: use full or counts")]
pub struct UnknownDetail(pub String);

impl FromStr for Detail {
    type Err = UnknownDetail;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "full" => Ok(Self::Full),
            "counts" => Ok(Self::Counts),
            _ => Err(UnknownDetail(word.to_owned())),
        }
    }
}

/// One destination, without its address: that stays with the transport.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name in the configuration.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Alerts below this are not for it.
    pub min_severity: Severity,
    /// Ids of the rules it is told about; `None`: all.
    pub rules: Option<Vec<String>>,
    /// How much of the log it gets.
    pub detail: Detail,
    /// Signing keys, newest first; none: unsigned.
    pub keys: Vec<sign::SigningKey>,
    /// Changes whenever the address or a secret changes, and tells nothing of either: 16 hex digits of a keyed hash.
    pub credential: String,
}

/// Whether alerts of this rule and severity are for this receiver.
pub fn wants(receiver: &Receiver, rule_id: &str, severity: Severity) -> bool {
    severity >= receiver.min_severity
        && receiver.rules.as_ref().is_none_or(|rules| rules.iter().any(|id| id == rule_id))
}

/// The body for an alert, in the form of the receiver's kind.
pub fn render(receiver: &Receiver, alert: &Alert) -> Body {
    match receiver.kind {
        Kind::Teams if own::is_heartbeat(alert) => teams::heartbeat(alert.time, alert.first_seen),
        Kind::Teams => teams::render(alert, receiver.detail),
        Kind::Slack => slack::render(alert, receiver.detail),
        Kind::Webhook => webhook::render(alert, receiver.detail),
    }
}

/// The headers beside the body: id and time of this attempt, and the signature if the receiver has a secret.
pub fn headers(
    receiver: &Receiver,
    alert_id: &str,
    now: DateTime<Utc>,
    body: &Body,
) -> Vec<(String, String)> {
    let seconds = now.timestamp();
    let signature = sign::sign(alert_id, seconds, &body.bytes, &receiver.keys);
    let mut headers = vec![
        ("webhook-id".to_owned(), alert_id.to_owned()),
        ("webhook-timestamp".to_owned(), seconds.to_string()),
    ];
    headers.extend(signature.map(|value| ("webhook-signature".to_owned(), value)));
    headers
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
