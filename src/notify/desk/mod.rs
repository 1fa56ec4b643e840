//! Desks: receivers that keep state. A desk keeps one open **case** for an incident; another alert of the incident updates it,
//! and after a person has closed it, the next alert opens a new one that names the former.
//!
//! Two sorts. Some know a case by a key that we choose, and do nothing twice for the same key (`keyed`). Others do whatever they
//! are told as often as they are told it, and find a case again only by searching, which may lag (`searching`): of these the
//! exchange first asks what there is, and an attempt to open a case whose fate is not known is never repeated before a search
//! would show what came of it.

mod details;
mod keyed;
mod searching;

use super::exchange::{Answered, Ask, Errand, Step};
use super::plain::Telling;
use super::{Detail, Kind, Receiver};
use crate::watch::alert::Alert;
use crate::watch::own;
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use keyed::Keyed;
use searching::Searching;
use serde::{Deserialize, Serialize};

pub mod jira;
pub mod jsm;
pub mod pagerduty;
pub mod servicenow;

/// How long a search may lag behind: an attempt to open a case whose fate is not known is not repeated before.
pub const SETTLE: TimeDelta = TimeDelta::minutes(5);

/// How many alerts of an incident are remembered by their ids.
const RECENT: usize = 32;

/// A desk, as it is configured.
#[derive(Clone, Debug)]
pub enum Settings {
    /// `PagerDuty`, Events API v2.
    PagerDuty(pagerduty::Settings),
    /// Alerts of Jira Service Management.
    JiraServiceManagement(jsm::Settings),
    /// Incidents or events of `ServiceNow`.
    ServiceNow(servicenow::Settings),
    /// Issues of Jira.
    Jira(jira::Settings),
}

impl Settings {
    /// The kind of receiver.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::PagerDuty(_) => Kind::PagerDuty,
            Self::JiraServiceManagement(_) => Kind::JiraServiceManagement,
            Self::ServiceNow(_) => Kind::ServiceNow,
            Self::Jira(_) => Kind::Jira,
        }
    }
}

/// What a desk calls each of our severities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// For `critical`.
    pub critical: String,
    /// For `high`.
    pub high: String,
    /// For `medium`.
    pub medium: String,
    /// For `low`.
    pub low: String,
    /// For `info`.
    pub info: String,
}

impl Levels {
    /// In the order critical, high, medium, low, info.
    pub fn new(words: [&str; 5]) -> Self {
        let [critical, high, medium, low, info] = words.map(str::to_owned);
        Self { critical, high, medium, low, info }
    }

    /// The desk's word.
    pub fn of(&self, severity: Severity) -> &str {
        match severity {
            Severity::Critical => &self.critical,
            Severity::High => &self.high,
            Severity::Medium => &self.medium,
            Severity::Low => &self.low,
            Severity::Info => &self.info,
        }
    }
}

/// A case at a desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// How the desk's API knows it.
    pub id: String,
    /// How people know it: `SEC-12`, `INC0010023`.
    pub name: String,
}

impl Case {
    /// A case as a desk names it; `None` if that can be no name: it is remembered, shown, and part of addresses.
    fn named(id: &str, name: &str) -> Option<Self> {
        let like = |text: &str| {
            (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        (like(id) && like(name)).then(|| Self { id: id.to_owned(), name: name.to_owned() })
    }
}

/// An alert that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its id.
    pub alert: String,
    /// Its time.
    pub time: DateTime<Utc>,
}

/// An attempt to open a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The alert that it was for.
    pub alert: String,
    /// When it was made.
    pub since: DateTime<Utc>,
}

/// What is remembered of an incident's case at one receiver, between alerts and between attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The case that was last open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    /// A case was asked for without our knowing what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// Alerts told.
    #[serde(default)]
    pub told: u64,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Told>,
    /// Ids of some told before: whoever told them may not have been able to write it down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<String>,
    /// The time of the latest alert told that says the condition is there (alerts about hsmwatch only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ill_at: Option<DateTime<Utc>>,
    /// The time of the latest alert told that says it is well again (alerts about hsmwatch only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_at: Option<DateTime<Utc>>,
}

/// What is to be done with the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Tell the alert: open a case, or update the open one.
    Tell,
    /// Tell it and close the case: a condition about hsmwatch itself that was over before it could be told.
    TellAndResolve,
    /// Close the case: the condition is over.
    Resolve,
    /// Nothing: the alert was told, and whoever did could not write down that it has ended; or the condition that it says is
    /// over is there again, and that has been told.
    Nothing,
}

/// What an exchange with a desk is about: all that a body is made from.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// How much of the log leaves.
    pub detail: Detail,
    /// What is to be done.
    pub goal: Goal,
    /// Whether it was tried before, so that part of it may be done.
    pub again: bool,
    /// When this attempt begins.
    pub at: DateTime<Utc>,
    /// Which alert of the incident this is, from 1.
    pub nth: u64,
    /// The alert of the incident told before this one.
    pub previous: Option<Told>,
}

impl<'a> About<'a> {
    fn new(errand: &Errand<'a>, memory: &Memory) -> Self {
        let alert = errand.alert;
        Self {
            alert,
            detail: errand.receiver.detail,
            goal: if errand.resolve { Goal::Resolve } else { goal(alert, memory) },
            again: errand.again,
            at: errand.at,
            nth: memory.told + 1,
            previous: memory.last.clone().filter(|last| last.alert != alert.id),
        }
    }

    /// The key by which desks know the incident: hexadecimal digits.
    pub fn key(&self) -> &'a str {
        &self.alert.incident_key
    }

    /// What the texts of the case are made from.
    fn telling<'b>(&'b self, former: Option<&'b Case>) -> Telling<'b> {
        Telling {
            alert: self.alert,
            detail: self.detail,
            nth: self.nth,
            previous: self.previous.as_ref().map(|told| (told.alert.as_str(), told.time)),
            former: former.map(|case| case.name.as_str()),
            cleans_up: self.goal == Goal::Resolve && !own::is_well_again(self.alert),
        }
    }
}

/// Audit events are never resolved: only a person can say that a deletion was meant. Conditions of hsmwatch itself are, when
/// they are over; their alerts may arrive in any order.
fn goal(alert: &Alert, memory: &Memory) -> Goal {
    if memory.has_told(alert) {
        return Goal::Nothing;
    }
    if own::is_well_again(alert) {
        let ill_again = memory.ill_at.is_some_and(|ill| ill > alert.time);
        return if ill_again { Goal::Nothing } else { Goal::Resolve };
    }
    let over = memory
        .well_at
        .is_some_and(|well| well >= alert.time && memory.ill_at.is_none_or(|ill| ill <= well));
    if own::is_own(alert) && over { Goal::TellAndResolve } else { Goal::Tell }
}

/// The call that opens a case for an alert where there is none yet.
pub fn opening(
    settings: &Settings,
    receiver: &Receiver,
    alert: &Alert,
    at: DateTime<Utc>,
) -> Option<Ask> {
    let errand = Errand { receiver, alert, again: false, resolve: false, at };
    let about = About { goal: Goal::Tell, ..About::new(&errand, &Memory::default()) };
    match settings {
        Settings::PagerDuty(desk) => first(keyed::Desk::tell(desk, &about)),
        Settings::JiraServiceManagement(desk) => first(keyed::Desk::tell(desk, &about)),
        Settings::ServiceNow(desk) => match desk.table {
            servicenow::Table::Incident => Some(searching::Desk::open(desk, &about, None)),
            servicenow::Table::EmEvent => first(keyed::Desk::tell(desk, &about)),
        },
        Settings::Jira(desk) => Some(searching::Desk::open(desk, &about, None)),
    }
}

fn first(asks: Vec<Ask>) -> Option<Ask> {
    asks.into_iter().next()
}

/// An exchange with a desk.
#[derive(Debug)]
pub struct Exchange<'a> {
    way: Way<'a>,
}

#[derive(Debug)]
enum Way<'a> {
    Keyed(Keyed<'a>),
    Searching(Searching<'a>),
}

impl<'a> Exchange<'a> {
    /// Begins one.
    pub fn begin(settings: &'a Settings, errand: Errand<'a>, memory: Memory) -> Self {
        let about = About::new(&errand, &memory);
        let way = match settings {
            Settings::PagerDuty(desk) => Way::Keyed(Keyed::begin(desk, about, memory)),
            Settings::JiraServiceManagement(desk) => Way::Keyed(Keyed::begin(desk, about, memory)),
            Settings::ServiceNow(desk) => match desk.table {
                servicenow::Table::Incident => {
                    Way::Searching(Searching::begin(desk, about, memory))
                }
                servicenow::Table::EmEvent => Way::Keyed(Keyed::begin(desk, about, memory)),
            },
            Settings::Jira(desk) => Way::Searching(Searching::begin(desk, about, memory)),
        };
        Self { way }
    }

    /// What to do now.
    pub fn step(&mut self) -> Step {
        match &mut self.way {
            Way::Keyed(keyed) => keyed.step(),
            Way::Searching(searching) => searching.step(),
        }
    }

    /// Takes what came of the call that `step` asked for.
    pub fn take(&mut self, answered: &Answered) {
        match &mut self.way {
            Way::Keyed(keyed) => keyed.take(answered),
            Way::Searching(searching) => searching.take(answered),
        }
    }

    /// What is to be remembered.
    pub const fn memory(&self) -> &Memory {
        match &self.way {
            Way::Keyed(keyed) => &keyed.memory,
            Way::Searching(searching) => &searching.memory,
        }
    }
}

impl Memory {
    /// Whether this alert is one of the last that were told.
    fn has_told(&self, alert: &Alert) -> bool {
        self.recent.contains(&alert.id)
    }

    /// The attempt to open a case has come to light, with this text in the case.
    fn opened(&mut self, text: &str) {
        if let Some(Opening { alert, .. }) = self.opening.take_if(|o| text.contains(&o.alert)) {
            self.told += 1;
            self.recall(alert);
        }
    }

    fn recall(&mut self, alert: String) {
        if self.recent.len() >= RECENT {
            self.recent.remove(0);
        }
        self.recent.push(alert);
    }

    /// Notes that an alert was told.
    fn tells(&mut self, about: &About<'_>) {
        let alert = about.alert;
        if self.has_told(alert) {
            return;
        }
        self.told += 1;
        self.recall(alert.id.clone());
        if self.last.as_ref().is_none_or(|last| last.time <= alert.time) {
            self.last = Some(Told { alert: alert.id.clone(), time: alert.time });
        }
        if own::is_own(alert) {
            let latest =
                if own::is_well_again(alert) { &mut self.well_at } else { &mut self.ill_at };
            *latest = (*latest).max(Some(alert.time));
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/support/desks/mod.rs"]
#[expect(dead_code, reason = "the black-box tests use more of them")]
pub(crate) mod fakes;
#[cfg(test)]
mod tests;
