//! hsmwatch's own alerts: the alerts of one more watch, whose rows are (condition, subject, since).

use super::alert::{Alert, AlertRule, AlertWorkspace, Hit, Interval, Links, Reason};
use super::fingerprint::{Fingerprint, Hash, hex};
use super::head::{Head, Version, WatchId};
use super::intake::{ALERTS_PER_EVALUATION, Group, alert_id, incident_key};
use super::severity::Severity;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Id of the rule, and of the workspace, under which hsmwatch speaks of itself.
pub const OWN: &str = "hsmwatch";
/// Conditions remembered; what is beyond is told when there is room.
const CONDITIONS: usize = 80;
/// Own alerts that may wait for their receivers; what is beyond is told when there is room.
const WAITING: usize = 200;

/// What a row about a condition that is over says in `state`.
const WELL: &str = "well";

/// What can be the matter with hsmwatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// No successful evaluation for three intervals.
    WatchFailing,
    /// The service refuses the query as wrong.
    QueryRefused,
    /// No access to the workspace.
    AccessDenied,
    /// The table has no data, and two hours have passed.
    NoData,
    /// No row of the table for `silent_after`.
    TableSilent,
    /// A receiver refuses everything: it is off.
    ReceiverBroken,
    /// A receiver refused an alert for good.
    AlertRefused,
    /// The delivery schedule of an alert ended.
    AlertGivenUp,
    /// A receiver's template failed for an alert, which went out in the default format.
    TemplateFailed,
    /// Time that is not covered, or in which late rows are no longer found.
    NotCovered,
    /// The head of a known watch was gone.
    HeadLost,
    /// A state document cannot be read.
    StateUnreadable,
    /// A new version of the configuration is refused: the last good one goes on.
    ConfigurationRefused,
    /// Too many alerts wait for their receivers.
    OutboxFull,
    /// Nothing was accepted for 30 days: an idle flow would be switched off.
    Heartbeat,
}

impl Condition {
    /// Whether it lasts until it is over, and is told to be well then. The others happen once.
    pub const fn stands(self) -> bool {
        !matches!(
            self,
            Self::AlertRefused
                | Self::AlertGivenUp
                | Self::TemplateFailed
                | Self::NotCovered
                | Self::HeadLost
                | Self::Heartbeat
        )
    }

    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::WatchFailing,
        Self::QueryRefused,
        Self::AccessDenied,
        Self::NoData,
        Self::TableSilent,
        Self::ReceiverBroken,
        Self::AlertRefused,
        Self::AlertGivenUp,
        Self::TemplateFailed,
        Self::NotCovered,
        Self::HeadLost,
        Self::StateUnreadable,
        Self::ConfigurationRefused,
        Self::OutboxFull,
        Self::Heartbeat,
    ];

    /// How bad.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Heartbeat => Severity::Info,
            Self::NoData | Self::TableSilent | Self::OutboxFull => Severity::Medium,
            Self::WatchFailing
            | Self::QueryRefused
            | Self::AccessDenied
            | Self::ReceiverBroken
            | Self::AlertRefused
            | Self::AlertGivenUp
            | Self::TemplateFailed
            | Self::NotCovered
            | Self::HeadLost
            | Self::StateUnreadable
            | Self::ConfigurationRefused => Severity::High,
        }
    }

    /// The word in bodies and in the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WatchFailing => "watch-failing",
            Self::QueryRefused => "query-refused",
            Self::AccessDenied => "access-denied",
            Self::NoData => "no-data",
            Self::TableSilent => "table-silent",
            Self::ReceiverBroken => "receiver-broken",
            Self::AlertRefused => "alert-refused",
            Self::AlertGivenUp => "alert-given-up",
            Self::TemplateFailed => "template-failed",
            Self::NotCovered => "not-covered",
            Self::HeadLost => "head-lost",
            Self::StateUnreadable => "state-unreadable",
            Self::ConfigurationRefused => "configuration-refused",
            Self::OutboxFull => "outbox-full",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// What people read of it in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::WatchFailing => "A watch does not succeed",
            Self::QueryRefused => "A query is refused",
            Self::AccessDenied => "No access to a workspace",
            Self::NoData => "No data to watch",
            Self::TableSilent => "The audit log is silent",
            Self::ReceiverBroken => "A receiver is broken",
            Self::AlertRefused => "A receiver refused an alert",
            Self::AlertGivenUp => "An alert could not be delivered",
            Self::TemplateFailed => "A template failed",
            Self::NotCovered => "Time is not covered",
            Self::HeadLost => "State was lost",
            Self::StateUnreadable => "State cannot be read",
            Self::ConfigurationRefused => "The configuration is refused",
            Self::OutboxFull => "Alerts pile up",
            Self::Heartbeat => "hsmwatch is alive",
        }
    }

    /// What to do about it.
    pub const fn action(self) -> &'static str {
        match self {
            Self::WatchFailing => {
                "Look at the error; check the network, the workspace and `hsmwatch status`."
            }
            Self::QueryRefused => "Mend the rule's query; `hsmwatch check` shows what is wrong.",
            Self::AccessDenied => {
                "Grant the identity the role Log Analytics Data Reader on the workspace; a new grant takes up to an hour."
            }
            Self::NoData => {
                "Check that the HSM has a diagnostic setting with the category HsmServiceOperations that sends to this workspace."
            }
            Self::TableSilent => "Check the HSM's diagnostic setting: someone may have removed it.",
            Self::ReceiverBroken => {
                "Make a new webhook address or secret, or mend the receiver and run `hsmwatch receivers on NAME`. Its alerts wait."
            }
            Self::AlertRefused => {
                "Read the alert here or in `hsmwatch status`; the receiver's schema may have changed."
            }
            Self::AlertGivenUp => "Read the alert in `hsmwatch status` and look at the receiver.",
            Self::TemplateFailed => {
                "Mend the template: `hsmwatch check` tries it with every rule. Look whether the receiver understood the default format."
            }
            Self::NotCovered => "Look through this time by hand: `hsmwatch query`.",
            Self::HeadLost => {
                "Find out who deletes state documents. The watch goes on from its last known watermark; late rows before it may be told twice or not at all."
            }
            Self::StateUnreadable => {
                "Run the version that wrote it, or restore the document. It has not been touched."
            }
            Self::ConfigurationRefused => {
                "Mend it: `hsmwatch check` shows every problem with its place. Until then the last good version goes on."
            }
            Self::OutboxFull => "Look at the receivers: `hsmwatch status`.",
            Self::Heartbeat => {
                "Nothing. Flows that are never triggered are switched off after 90 days; this message keeps yours awake."
            }
        }
    }
}

/// A condition as it is seen now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What is the matter.
    pub condition: Condition,
    /// The watch, workspace or receiver it is about: one alert tells of all that is new about it.
    pub about: String,
    /// With what exactly: a watch, a receiver, an interval, an alert.
    pub subject: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// A sentence that says more.
    pub detail: String,
    /// The receiver that cannot be told of it.
    pub not_over: Option<String>,
    /// The only receiver that is told of it.
    pub only_over: Option<String>,
}

impl Observation {
    fn id(&self) -> String {
        let mut hash = Hash::new("condition");
        hash.text(self.condition.as_str()).text(&self.subject);
        if !self.condition.stands() {
            hash.text(&self.since.timestamp_micros().to_string());
        }
        hex(&hash.finish())
    }
}

/// A condition that has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What.
    pub condition: Condition,
    /// What it is about.
    pub about: String,
    /// With what.
    pub subject: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The receiver that cannot be told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_over: Option<String>,
}

/// What is remembered of a watch, should its head be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Name of the workspace and id of the rule, for people.
    pub name: String,
    /// Its last watermark.
    pub watermark: DateTime<Utc>,
}

/// What only the watch `hsmwatch` keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Last watermarks, by watch key.
    #[serde(default)]
    pub known: BTreeMap<String, Known>,
    /// Receivers switched on by hand, and when: refusals before that do not count.
    #[serde(default)]
    pub switched_on: BTreeMap<String, DateTime<Utc>>,
    /// When a receiver last accepted anything.
    #[serde(default)]
    pub accepted: BTreeMap<String, DateTime<Utc>>,
    /// Conditions told.
    #[serde(default)]
    pub told: BTreeMap<String, Told>,
    /// When unnamed documents were last collected.
    #[serde(default)]
    pub collected_at: Option<DateTime<Utc>>,
}

/// Whether an alert is the sign of life that keeps an idle receiver in use.
pub fn is_heartbeat(alert: &Alert) -> bool {
    let condition = alert.group.get("condition").map(String::as_str);
    alert.rule.id == OWN && condition == Some(Condition::Heartbeat.as_str())
}

/// Whether an alert is about hsmwatch itself.
pub fn is_own(alert: &Alert) -> bool {
    alert.rule.id == OWN && alert.workspace.id == OWN
}

/// What is, or was, the matter with hsmwatch, if an alert is about that.
pub fn condition(alert: &Alert) -> Option<Condition> {
    let word = alert.group.get("condition").filter(|_| is_own(alert))?;
    Condition::ALL.into_iter().find(|condition| condition.as_str() == word)
}

/// Whether an alert says that something about hsmwatch itself is over.
pub fn is_well_again(alert: &Alert) -> bool {
    let state = alert.hits.first().and_then(|hit| hit.fields.get("state"));
    is_own(alert) && state.and_then(Json::as_str) == Some(WELL)
}

/// The watch's id.
pub fn watch_id() -> WatchId {
    WatchId { workspace: OWN.to_owned(), rule: OWN.to_owned() }
}

/// The head of hsmwatch's own watch at its start.
pub fn start(now: DateTime<Utc>) -> Head {
    let version = Version {
        id: "own".to_owned(),
        since: now,
        query: String::new(),
        lookback_s: None,
        key: Vec::new(),
        summary: true,
    };
    let head = Head::begin(watch_id(), OWN, version, now);
    Head { own: Some(Own::default()), ..head }
}

/// Compares what is the matter with what has been told. Answers the alerts: once for what is new, once for what is well again.
pub fn step(
    head: &mut Head,
    observations: &[Observation],
    receivers: &[String],
    now: DateTime<Utc>,
) -> Vec<Alert> {
    let full = head.open_alerts() >= WAITING;
    let own = head.own.get_or_insert_default();
    let observed: BTreeMap<String, &Observation> =
        observations.iter().map(|o| (o.id(), o)).collect();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    // One alert a condition and what it is about; well-again ones apart from ill ones.
    let mut tell: BTreeMap<(bool, Condition, String, Option<String>), Vec<Line>> = BTreeMap::new();
    for (id, of) in std::mem::take(&mut own.told) {
        if observed.contains_key(&id) {
            told.insert(id, of);
        } else if of.condition.stands() {
            let detail = format!("Well again since {}: {}.", now.format("%F %T UTC"), of.subject);
            tell.entry((true, of.condition, of.about.clone(), None))
                .or_default()
                .push(Line { told: of, detail });
        }
    }
    for (id, o) in observed {
        // What finds no room now is told when there is some.
        if told.contains_key(&id) || told.len() >= CONDITIONS || full {
            continue;
        }
        let key = (false, o.condition, o.about.clone(), o.only_over.clone());
        if !tell.contains_key(&key) && tell.len() >= ALERTS_PER_EVALUATION {
            continue;
        }
        let of = Told {
            condition: o.condition,
            about: o.about.clone(),
            subject: o.subject.clone(),
            since: o.since,
            not_over: o.not_over.clone(),
        };
        tell.entry(key).or_default().push(Line { told: of.clone(), detail: o.detail.clone() });
        told.insert(id, of);
    }
    own.told = told;
    head.watermark = now;
    let key = head.watch.key();
    tell.into_iter()
        .map(|((well, _, _, only), lines)| {
            alert(&key, &lines, well, receivers, only.as_deref(), now)
        })
        .collect()
}

/// One row of an alert about hsmwatch.
struct Line {
    told: Told,
    detail: String,
}

fn hit(line: &Line, well: bool, now: DateTime<Utc>) -> (Fingerprint, Hit) {
    let Told { condition, subject, since, .. } = &line.told;
    let state = if well { WELL } else { "ill" };
    let mut hash = Hash::new("own");
    hash.text(condition.as_str()).text(subject).text(&since.timestamp_micros().to_string());
    hash.text(state);
    let fingerprint = hash.finish();
    let fields: Map<String, Json> = [
        ("condition", condition.as_str()),
        ("subject", subject.as_str()),
        ("state", state),
        ("detail", line.detail.as_str()),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), Json::from(v)))
    .collect();
    let time = if well { now } else { *since };
    let hit = Hit {
        fingerprint: hex(&fingerprint),
        time,
        operation: None,
        instance: None,
        caller: None,
        client: None,
        resource: None,
        fields,
    };
    (fingerprint, hit)
}

fn alert(
    watch_key: &str,
    lines: &[Line],
    well: bool,
    receivers: &[String],
    only: Option<&str>,
    now: DateTime<Utc>,
) -> Alert {
    let first = lines.first().map(|line| &line.told);
    let condition = first.map_or(Condition::WatchFailing, |told| told.condition);
    let about = first.map_or("", |told| told.about.as_str());
    let group = Group::from([
        ("condition".to_owned(), condition.as_str().to_owned()),
        ("subject".to_owned(), about.to_owned()),
    ]);
    let mut rows: Vec<(Fingerprint, Hit)> = lines.iter().map(|line| hit(line, well, now)).collect();
    rows.sort_by_key(|a| (a.1.time, a.0));
    let id = alert_id(watch_key, &group, rows.iter().map(|(row, _)| (row, 1)), Some(now));
    let hits: Vec<Hit> = rows.into_iter().map(|(_, hit)| hit).collect();
    let detail = match lines {
        [line] => line.detail.clone(),
        [line, rest @ ..] => format!("{} And {} more, listed below.", line.detail, rest.len()),
        [] => String::new(),
    };
    let (first_seen, last_seen) =
        (hits.first().map_or(now, |hit| hit.time), hits.last().map_or(now, |hit| hit.time));
    Alert {
        id,
        rule: AlertRule {
            id: OWN.to_owned(),
            title: if well {
                format!("Well again: {}: {about}", condition.title())
            } else {
                format!("{}: {about}", condition.title())
            },
            severity: if well { Severity::Info } else { condition.severity() },
            version: "own".to_owned(),
            meaning: detail.clone(),
            why: String::new(),
            action: if well { String::new() } else { condition.action().to_owned() },
            false_positives: String::new(),
        },
        workspace: AlertWorkspace { id: OWN.to_owned(), name: OWN.to_owned() },
        incident_key: incident_key(OWN, OWN, &group),
        group,
        reason: Reason::New,
        window: Interval { from: first_seen.min(now), to: now },
        time: now,
        count: hits.len() as u64,
        suppressed: 0,
        first_seen,
        last_seen,
        hits,
        hits_truncated: 0,
        caveat: None,
        note: Some(detail),
        links: Links::default(),
        receivers: receivers
            .iter()
            .filter(|name| !lines.iter().any(|line| line.told.not_over.as_ref() == Some(*name)))
            .filter(|name| only.is_none_or(|only| only == name.as_str()))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests;
