//! Telling people: pure functions from an alert to a body, and from an answer to a verdict. One file a receiver kind.

use crate::watch::alert::Alert;
use crate::watch::own;
use crate::watch::severity::Severity;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

pub mod backoff;
pub mod captured;
pub mod content;
pub mod desk;
pub mod exchange;
pub mod limits;
pub mod links;
pub mod operations;
mod percent;
pub mod plain;
pub mod proof;
pub mod shape;
pub mod sign;
pub mod slack;
pub mod teams;
pub mod terminal;
pub mod verdict;
pub mod webhook;
pub mod wording;

/// What is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// `content-type`, exactly as sent.
    pub content_type: Cow<'static, str>,
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
    /// Any HTTPS endpoint: by default one that takes CloudEvents signed as Standard Webhooks.
    Webhook,
    /// A service of `PagerDuty`.
    PagerDuty,
    /// Alerts of Jira Service Management.
    JiraServiceManagement,
    /// Incidents or events of `ServiceNow`.
    ServiceNow,
    /// Issues of Jira.
    Jira,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Teams,
        Self::Slack,
        Self::Webhook,
        Self::PagerDuty,
        Self::JiraServiceManagement,
        Self::ServiceNow,
        Self::Jira,
    ];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
            Self::PagerDuty => "pagerduty",
            Self::JiraServiceManagement => "jira-service-management",
            Self::ServiceNow => "servicenow",
            Self::Jira => "jira",
        }
    }

    /// `min_severity` where the configuration says nothing: nobody is paged for what is worth recording only, and channels of
    /// people are spared it.
    pub const fn default_min_severity(self) -> Severity {
        match self {
            Self::Teams | Self::Slack => Severity::Low,
            Self::Webhook => Severity::Info,
            Self::PagerDuty | Self::JiraServiceManagement => Severity::High,
            Self::ServiceNow | Self::Jira => Severity::Medium,
        }
    }

    /// Whether it keeps a case for an incident.
    pub const fn is_desk(self) -> bool {
        matches!(
            self,
            Self::PagerDuty | Self::JiraServiceManagement | Self::ServiceNow | Self::Jira
        )
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
    /// A word that people use for something that there is.
    #[error("`{0}` is not a receiver kind: {1}")]
    Meant(String, &'static str),
    /// Any other word.
    #[error(
        "`{0}` is not a receiver kind: use teams, slack, webhook, pagerduty, jira-service-management, servicenow or jira"
    )]
    Unknown(String),
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            let cure = match word {
                "jsm" => "use jira-service-management",
                "snow" | "service-now" => "use servicenow",
                "opsgenie" => {
                    "use jira-service-management, or webhook with the template for Opsgenie"
                }
                "email" | "mail" => "use webhook, to something that sends mail",
                _ => return UnknownKind::Unknown(word.to_owned()),
            };
            UnknownKind::Meant(word.to_owned(), cure)
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

/// What a receiver's kind needs to know.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each receiver, and a handful of receivers"
)]
pub enum Settings {
    /// A Teams channel.
    Teams,
    /// A Slack channel.
    Slack,
    /// Any HTTPS endpoint.
    Webhook(webhook::Settings),
    /// Something that keeps a case for an incident.
    Desk(desk::Settings),
}

impl Settings {
    /// The kind of receiver.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Teams => Kind::Teams,
            Self::Slack => Kind::Slack,
            Self::Webhook(_) => Kind::Webhook,
            Self::Desk(desk) => desk.kind(),
        }
    }

    /// A body without the secrets that such a receiver's bodies carry.
    pub fn redact(&self, body: &str) -> String {
        match self {
            Self::Desk(desk::Settings::PagerDuty(pagerduty)) => {
                body.replace(pagerduty.routing_key.expose_secret(), "…")
            }
            _ => body.to_owned(),
        }
    }
}

/// One destination, without its address: that stays with the transport.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name in the configuration.
    pub name: String,
    /// Its kind, with what that kind needs to know.
    pub settings: Settings,
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

impl Receiver {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.settings.kind()
    }
}

/// Whether alerts of this rule and severity are for this receiver.
pub fn wants(receiver: &Receiver, rule_id: &str, severity: Severity) -> bool {
    severity >= receiver.min_severity
        && receiver.rules.as_ref().is_none_or(|rules| rules.iter().any(|id| id == rule_id))
}

/// The body for an alert, in the form of the receiver's kind; for a desk, of the call that opens a case.
pub fn render(receiver: &Receiver, alert: &Alert) -> Body {
    message(receiver, alert).body
}

/// What is told of an alert: the body, headers of the receiver's own, and why it is not in the configured format if it is not.
pub fn message(receiver: &Receiver, alert: &Alert) -> webhook::Made {
    let body = match &receiver.settings {
        Settings::Teams if own::is_heartbeat(alert) => {
            teams::heartbeat(alert.time, alert.first_seen)
        }
        Settings::Teams => teams::render(alert, receiver.detail),
        Settings::Slack => slack::render(alert, receiver.detail),
        Settings::Webhook(settings) => {
            return webhook::make(settings, &receiver.name, alert, receiver.detail);
        }
        Settings::Desk(desk) => desk::opening(desk, receiver, alert, alert.time)
            .and_then(|ask| ask.body)
            .unwrap_or(Body { content_type: Cow::Borrowed("application/json"), bytes: Vec::new() }),
    };
    webhook::Made { body, headers: Vec::new(), fault: None }
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
    // It holds one signature, so the newest secret's: whoever verifies it changes the secret in the same moment as we do.
    let asked = matches!(&receiver.settings, Settings::Webhook(webhook) if webhook.hub_signature);
    let hub = receiver.keys.first().filter(|_| asked);
    let hub = hub.and_then(|key| sign::hub_signature(&body.bytes, key));
    headers.extend(hub.map(|value| (sign::HUB_HEADER.to_owned(), value)));
    headers
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
