//! Telling people: pure functions from an alert to a body, and from an answer to a verdict. One file a receiver kind.

use crate::watch::severity::Severity;

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

/// How much of the log leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Hits with their fields.
    #[default]
    Full,
    /// Counts only: no field of the log leaves.
    Counts,
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

pub mod sign;
