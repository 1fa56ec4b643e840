//! `ServiceNow`: the Table API over incidents, and events.

mod events;
pub(crate) mod query;
mod table;

use super::{Call, Case, Desk, Said, Throttle};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use std::collections::VecDeque;

/// How the journal, which holds work notes, may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journal {
    Readable,
    /// 403
    Refused,
    /// Its rows are held back without a word.
    Empty,
}

/// An instance.
#[derive(Clone, Debug)]
pub(crate) struct ServiceNow {
    /// What stands before `/api` in its addresses; usually nothing.
    pub(crate) prefix: String,
    /// Fields that its administrators added to incidents.
    pub(crate) custom_fields: Vec<String>,
    /// Fields, and their labels, that a data policy demands of new incidents.
    pub(crate) mandatory: Vec<(String, String)>,
    pub(crate) may_login: bool,
    pub(crate) may_create: bool,
    pub(crate) may_write: bool,
    pub(crate) journal: Journal,
    /// How long after a change a query shows it: a replica may lag behind.
    pub(crate) search_lag: TimeDelta,
    /// How long after an event came it becomes an alert.
    pub(crate) event_lag: TimeDelta,
    /// How long after an alert was closed an event opens it again.
    pub(crate) reopen_within: TimeDelta,
    pub(crate) throttle: Throttle,
    credentials: Vec<String>,
    incidents: Vec<Incident>,
    waiting: VecDeque<Event>,
    alerts: Vec<EventAlert>,
    problems: Vec<String>,
}

#[derive(Clone, Debug)]
struct Incident {
    fields: Map<String, Json>,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    /// When, in which field, what.
    journal: Vec<(DateTime<Utc>, &'static str, String)>,
    /// What it looked like since when.
    history: Vec<(DateTime<Utc>, Map<String, Json>)>,
}

impl Incident {
    fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Json::as_str).unwrap_or_default()
    }

    /// Sets a field, and what follows from it.
    fn set(&mut self, now: DateTime<Utc>, field: &str, value: &str) {
        self.fields.insert(field.to_owned(), value.into());
        if field == "state" {
            let active = !["7", "8"].contains(&value);
            self.fields.insert("active".to_owned(), active.to_string().into());
            self.closed_at = if active { None } else { self.closed_at.or(Some(now)) };
            let at = |holds: bool| if holds { time::text(now) } else { String::new() };
            self.fields.insert("resolved_at".to_owned(), at(["6", "7"].contains(&value)).into());
            self.fields.insert("closed_at".to_owned(), at(!active).into());
        }
    }

    fn changed(&mut self, now: DateTime<Utc>) {
        self.fields.insert("sys_updated_on".to_owned(), time::text(now).into());
        self.history.push((now, self.fields.clone()));
    }
}

#[derive(Clone, Debug)]
struct Event {
    due: DateTime<Utc>,
    record: Map<String, Json>,
}

/// An alert that came of events.
#[derive(Clone, Debug)]
struct EventAlert {
    id: String,
    number: String,
    key: String,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    count: u64,
    severity: String,
    first: Map<String, Json>,
    later: Vec<Map<String, Json>>,
}

/// Times as `ServiceNow` writes them.
mod time {
    use chrono::{DateTime, Utc};

    pub(super) const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

    pub(super) fn text(at: DateTime<Utc>) -> String {
        at.format(FORMAT).to_string()
    }
}

/// An error as `ServiceNow` words it.
struct SnError {
    status: u16,
    message: String,
    detail: Option<String>,
}

impl SnError {
    fn new(status: u16, message: &str, detail: &str) -> Self {
        Self { status, message: message.to_owned(), detail: Some(detail.to_owned()) }
    }

    fn said(self) -> Said {
        Said::json(
            self.status,
            &json!({"error": {"message": self.message, "detail": self.detail}, "status": "failure"}),
        )
    }
}

impl ServiceNow {
    pub(crate) fn new(user: &str, password: &str) -> Self {
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self {
            prefix: String::new(),
            custom_fields: Vec::new(),
            mandatory: Vec::new(),
            may_login: true,
            may_create: true,
            may_write: true,
            journal: Journal::Readable,
            search_lag: TimeDelta::zero(),
            event_lag: TimeDelta::zero(),
            reopen_within: TimeDelta::zero(),
            throttle: Throttle::default(),
            credentials: vec![format!("Basic {basic}"), format!("Bearer {password}")],
            incidents: Vec::new(),
            waiting: VecDeque::new(),
            alerts: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A person sets an incident's state: 2 is in progress, 6 resolved (and still active), 7 closed, 8 cancelled.
    pub(crate) fn set_state(&mut self, now: DateTime<Utc>, id: &str, state: &str) {
        let incident = self.incident(id).expect("an incident");
        incident.set(now, "state", state);
        incident.changed(now);
    }

    /// An incident's state.
    pub(crate) fn state(&self, id: &str) -> String {
        let incident = self.incidents.iter().find(|i| i.text("sys_id") == id).expect("an incident");
        incident.text("state").to_owned()
    }

    /// A person deletes an incident.
    pub(crate) fn delete(&mut self, id: &str) {
        self.incidents.retain(|incident| incident.text("sys_id") != id);
    }

    fn incident(&mut self, id: &str) -> Option<&mut Incident> {
        self.incidents.iter_mut().find(|incident| incident.text("sys_id") == id)
    }

    fn answer(&mut self, now: DateTime<Utc>, call: &Call<'_>, parts: &[&str]) -> Said {
        if !self.may_login || !self.credentials.contains(&call.header("authorization")) {
            return SnError::new(
                401,
                "User is not authenticated",
                "Required to provide Auth information",
            )
            .said()
            .with("www-authenticate", "BASIC realm=\"Service-now\"");
        }
        if let Err(seconds) = self.throttle.admit(now) {
            return SnError::new(
                429,
                "Rate limit exceeded",
                "Rate limit of requests per hour exceeded",
            )
            .said()
            .after(seconds);
        }
        if call.method != "GET" {
            if !call.says_json() {
                self.problems.push(format!("content type {:?}", call.header("content-type")));
                return SnError::new(
                    415,
                    "Unsupported media type",
                    "The media type is not supported",
                )
                .said();
            }
            if call.object().is_none() {
                self.problems.push("no JSON object".to_owned());
                return SnError::new(
                    400,
                    "Exception while reading request",
                    "The payload is not valid JSON.",
                )
                .said();
            }
        }
        match (call.method, parts) {
            ("POST", ["global", "em", "jsonv2"]) => self.push(now, call),
            (_, ["now", "table", rest @ ..] | ["now", "v1" | "v2", "table", rest @ ..]) => {
                self.on_table(now, call, rest).unwrap_or_else(SnError::said)
            }
            _ => self.no_endpoint(call),
        }
    }

    fn no_endpoint(&mut self, call: &Call<'_>) -> Said {
        let target = call.target.split('?').next().unwrap_or_default();
        self.problems.push(format!("{} {target}", call.method));
        SnError::new(400, "Requested URI does not represent any resource", target).said()
    }
}

impl Desk for ServiceNow {
    fn call(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        self.settle(now);
        let path = call.path();
        let mut parts: Vec<&str> = path.iter().map(String::as_str).collect();
        for part in self.prefix.clone().split('/').filter(|p| !p.is_empty()) {
            if parts.first() != Some(&part) {
                return self.no_endpoint(call);
            }
            parts.remove(0);
        }
        match parts.as_slice() {
            ["api", parts @ ..] => self.answer(now, call, parts),
            _ => self.no_endpoint(call),
        }
    }

    fn pass(&mut self, now: DateTime<Utc>) {
        self.settle(now);
    }

    fn cases(&self) -> Vec<Case> {
        let incident = |incident: &Incident| {
            let text = |name: &str| incident.text(name).to_owned();
            Case {
                key: text("correlation_id"),
                id: text("sys_id"),
                name: text("number"),
                open: incident.text("active") == "true",
                opened_at: incident.opened_at,
                closed_at: incident.closed_at,
                count: 1 + incident.journal.len() as u64,
                title: text("short_description"),
                text: text("description"),
                level: format!("{}/{}", text("urgency"), text("impact")),
                notes: incident.journal.iter().map(|(_, _, note)| note.clone()).collect(),
                record: incident.fields.clone().into(),
            }
        };
        let text = |event: &Map<String, Json>, name: &str| {
            event.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let told = |event: &Map<String, Json>| {
            format!("{}\n{}", text(event, "description"), text(event, "additional_info"))
        };
        let alert = |alert: &EventAlert| Case {
            key: alert.key.clone(),
            id: alert.id.clone(),
            name: alert.number.clone(),
            open: alert.closed_at.is_none(),
            opened_at: alert.opened_at,
            closed_at: alert.closed_at,
            count: alert.count,
            title: text(&alert.first, "description"),
            text: told(&alert.first),
            level: alert.severity.clone(),
            notes: alert.later.iter().map(told).collect(),
            record: alert.first.clone().into(),
        };
        self.incidents.iter().map(incident).chain(self.alerts.iter().map(alert)).collect()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }

    fn close(&mut self, now: DateTime<Utc>, id: &str) {
        self.settle(now);
        if let Some(alert) = self.alerts.iter_mut().find(|alert| alert.id == id) {
            alert.closed_at.get_or_insert(now);
        } else {
            self.set_state(now, id, "7");
        }
    }
}
