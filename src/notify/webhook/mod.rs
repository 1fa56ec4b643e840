//! Any HTTPS endpoint, in the shape that it knows: ours by default, or somebody else's. One file a format.

use super::limits::Unit;
use super::{Body, Detail, plain};
use crate::watch::alert::Alert;
use crate::watch::own;
use crate::watch::severity::Severity;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;
use std::str::FromStr;

pub mod alertmanager;
pub mod azure;
pub mod cloud_event;
pub mod template;

pub use template::{Template, TemplateProblem};

/// The largest body, in bytes, whatever the format.
pub const MAX_BODY: usize = 262_144;

/// The longest plain text of an alert, in bytes.
const MAX_PLAIN: usize = 24_576;

/// How alerts are told to a webhook.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The shape of the body.
    pub format: Format,
    /// Whether `X-Hub-Signature-256` is sent as well, by the newest secret.
    pub hub_signature: bool,
}

/// The shape of a body.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// A CloudEvents 1.0 structured JSON object that is also a Standard Webhooks payload.
    #[default]
    CloudEvents,
    /// The common alert schema of Azure Monitor, as its log search alerts send it.
    AzureCommonAlert,
    /// What Prometheus' Alertmanager sends to a webhook, version 4.
    Alertmanager,
    /// Whatever the operator's template makes of the first.
    Template(Template),
}

impl Format {
    /// Its word.
    pub const fn word(&self) -> FormatWord {
        match self {
            Self::CloudEvents => FormatWord::CloudEvents,
            Self::AzureCommonAlert => FormatWord::AzureCommonAlert,
            Self::Alertmanager => FormatWord::Alertmanager,
            Self::Template(_) => FormatWord::Template,
        }
    }
}

/// The word for a format in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormatWord {
    /// `cloudevents`
    #[default]
    CloudEvents,
    /// `azure-common-alert`
    AzureCommonAlert,
    /// `alertmanager`
    Alertmanager,
    /// `template`
    Template,
}

impl FormatWord {
    /// All words.
    pub const ALL: [Self; 4] =
        [Self::CloudEvents, Self::AzureCommonAlert, Self::Alertmanager, Self::Template];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::AzureCommonAlert => "azure-common-alert",
            Self::Alertmanager => "alertmanager",
            Self::Template => "template",
        }
    }
}

impl fmt::Display for FormatWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format: use cloudevents, azure-common-alert, alertmanager or template")]
pub struct UnknownFormat(pub String);

impl FromStr for FormatWord {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// What is sent to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The body.
    pub body: Body,
    /// Headers of the template's own.
    pub headers: Vec<(String, String)>,
    /// Why the body has the default format in place of the configured one.
    pub fault: Option<template::Fault>,
}

/// The body for an alert, in the receiver's format. A template that fails for it makes way for the default format: no alert
/// is lost to one.
pub fn make(settings: &Settings, receiver: &str, alert: &Alert, detail: Detail) -> Made {
    let plain = |body| Made { body, headers: Vec::new(), fault: None };
    match &settings.format {
        Format::CloudEvents => plain(cloud_event::render(alert, detail)),
        Format::AzureCommonAlert => plain(azure::render(alert, detail)),
        Format::Alertmanager => plain(alertmanager::render(alert, receiver, detail)),
        Format::Template(template) => {
            let rendered = template.render(&template::context(alert, detail));
            let (body, fault) = match rendered.body {
                Ok(body) => (body, rendered.header_fault),
                Err(fault) => (Body::default(), Some(fault)),
            };
            let body = if fault.is_some() { cloud_event::render(alert, detail) } else { body };
            Made { body, headers: rendered.headers, fault }
        }
    }
}

/// How bad what is told is: of an alert that says that a condition of hsmwatch itself is over, how bad that was, so that those
/// who compare the two find the same.
fn told_severity(alert: &Alert) -> Severity {
    own::condition(alert).map_or(alert.rule.severity, own::Condition::severity)
}

/// The whole alert as plain text.
fn plain(alert: &Alert, detail: Detail) -> String {
    let telling =
        plain::Telling { alert, detail, nth: 1, previous: None, former: None, cleans_up: false };
    plain::text(&telling, plain::Place::Case, MAX_PLAIN, Unit::Bytes)
}

/// A time as bodies spell it: without a fraction if there is none, else with all seven digits.
fn rfc3339(t: DateTime<Utc>) -> String {
    if t.timestamp_subsec_nanos() == 0 {
        t.to_rfc3339_opts(SecondsFormat::Secs, true)
    } else {
        crate::watch::row::ticks_text(t)
    }
}

/// The beginning of `text` with a mark that says how long it was, if as JSON it would be longer than `max` bytes.
fn shorten(text: &str, max: usize) -> Option<String> {
    let cost = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    };
    if text.len().saturating_mul(6) <= max || text.chars().map(cost).sum::<usize>() <= max {
        return None;
    }
    let mark = format!("… [cut: {} bytes in all]", text.len());
    let mut room = max.saturating_sub(mark.len());
    let mut short: String = text
        .chars()
        .take_while(|c| {
            let fits = cost(*c) <= room;
            room = room.saturating_sub(cost(*c));
            fits
        })
        .collect();
    short.push_str(&mark);
    Some(short)
}

/// `text`, cut and marked if as JSON it would be longer than `max` bytes.
fn fitting(text: &str, max: usize) -> String {
    shorten(text, max).unwrap_or_else(|| text.to_owned())
}
