//! Events: what is pushed becomes an alert, or joins one.

use super::super::{Call, Said, scrambled};
use super::{Event, EventAlert, ServiceNow, SnError, time};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value as Json, json};

const FIELDS: &[&str] = &[
    "source",
    "event_class",
    "resource",
    "node",
    "metric_name",
    "message_key",
    "type",
    "severity",
    "description",
    "additional_info",
    "time_of_event",
    "resolution_state",
    "ci_identifier",
];

impl ServiceNow {
    /// POST /api/global/em/jsonv2
    pub(super) fn push(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        let body = call.object().unwrap_or_default();
        let Some(records) = body["records"].as_array().filter(|r| !r.is_empty()) else {
            self.problems.push("no `records`".to_owned());
            return SnError::new(400, "Invalid request body", "records array is missing").said();
        };
        let inserted = records.len();
        for record in records {
            let Some(record) = record.as_object() else {
                self.problems.push("a record is no object".to_owned());
                continue;
            };
            self.problems.extend(oddities(record));
            self.waiting.push_back(Event { due: now + self.event_lag, record: record.clone() });
        }
        self.settle(now);
        Said::json(
            200,
            &json!({"result": {"Default Bulk Endpoint": format!("{inserted} events were inserted")}}),
        )
    }

    /// What is due becomes alerts. What cannot be understood is marked as an error, and nobody is told.
    pub(super) fn settle(&mut self, now: DateTime<Utc>) {
        while self.waiting.front().is_some_and(|event| event.due <= now) {
            let event = self.waiting.pop_front().expect("one waits");
            self.process(&event);
        }
    }

    fn process(&mut self, event: &Event) {
        let at = event.due;
        let text = |name: &str| match event.record.get(name) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let severity = text("severity");
        if !["0", "1", "2", "3", "4", "5"].contains(&&*severity) {
            return;
        }
        let key = Some(text("message_key")).filter(|k| !k.is_empty()).unwrap_or_else(|| {
            ["source", "node", "type", "resource", "metric_name"].map(text).join("_")
        });
        let closing = severity == "0" || text("resolution_state") == "Closing";
        let within = self.reopen_within;
        let known = self.alerts.iter_mut().rfind(|a| {
            a.key == key && a.closed_at.is_none_or(|closed| !closing && at < closed + within)
        });
        match known {
            Some(alert) => {
                alert.count += 1;
                alert.closed_at = closing.then_some(at);
                alert.severity = severity;
                alert.later.push(event.record.clone());
            }
            // Of nothing, nothing is closed.
            None if closing => {}
            None => {
                let n = self.alerts.len();
                self.alerts.push(EventAlert {
                    id: format!("{:016x}{:016x}", scrambled(n as u64), scrambled(!(n as u64))),
                    number: format!("Alert{:07}", 10_001 + n),
                    key,
                    opened_at: at,
                    closed_at: None,
                    count: 1,
                    severity,
                    first: event.record.clone(),
                    later: Vec::new(),
                });
            }
        }
    }
}

/// What breaks the contract, although it is taken.
fn oddities(record: &Map<String, Json>) -> Vec<String> {
    let mut odd = Vec::new();
    for (name, value) in record {
        if !FIELDS.contains(&name.as_str()) {
            odd.push(format!("event: `{name}` is unknown"));
        } else if !(value.is_string() || name == "severity" && value.is_u64()) {
            odd.push(format!("event: `{name}` is no string"));
        }
    }
    let text = |name: &str| record.get(name).and_then(Json::as_str).unwrap_or_default();
    let severity =
        record.get("severity").map(|s| s.to_string().replace('"', "")).unwrap_or_default();
    if !["0", "1", "2", "3", "4", "5"].contains(&&*severity) {
        odd.push(format!("event: `severity` is {severity:?}"));
    }
    for name in ["source", "message_key"] {
        if text(name).is_empty() {
            odd.push(format!("event: no `{name}`"));
        }
    }
    let longest = [
        ("source", 100),
        ("node", 100),
        ("type", 100),
        ("resource", 255),
        ("metric_name", 255),
        ("message_key", 1024),
        ("description", 4000),
    ];
    for (name, most) in longest {
        if super::super::chars(text(name)) > most {
            odd.push(format!("event: `{name}` is longer than {most}"));
        }
    }
    let at = text("time_of_event");
    if !at.is_empty() && NaiveDateTime::parse_from_str(at, time::FORMAT).is_err() {
        odd.push(format!("event: `time_of_event` is {at:?}"));
    }
    let info = text("additional_info");
    let flat = |value: Json| value.as_object().is_some_and(|o| o.values().all(Json::is_string));
    if !info.is_empty() && !serde_json::from_str(info).is_ok_and(flat) {
        odd.push("event: `additional_info` is no JSON of strings".to_owned());
    }
    if !["", "New", "Closing"].contains(&text("resolution_state")) {
        odd.push("event: `resolution_state`".to_owned());
    }
    odd
}
