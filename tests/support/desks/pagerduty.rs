//! `PagerDuty`, Events API v2.

use super::{Call, Case, Desk, Said, Throttle, chars, scrambled};
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

/// What the API takes.
const LARGEST: usize = 512 << 10;

/// A service with one integration.
#[derive(Clone, Debug)]
pub(crate) struct PagerDuty {
    routing_key: String,
    pub(crate) throttle: Throttle,
    incidents: Vec<Incident>,
    problems: Vec<String>,
}

#[derive(Clone, Debug)]
struct Incident {
    key: String,
    id: String,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    acknowledged: bool,
    /// The event that triggered it.
    first: Json,
    /// Summaries of those it absorbed.
    absorbed: Vec<Json>,
}

impl PagerDuty {
    pub(crate) fn new(routing_key: &str) -> Self {
        Self {
            routing_key: routing_key.to_owned(),
            throttle: Throttle::default(),
            incidents: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Whether somebody has taken the incident on.
    pub(crate) fn acknowledged(&self, id: &str) -> bool {
        self.incidents.iter().any(|i| i.id == id && i.acknowledged)
    }

    /// The integration was made anew: it has another key from now on.
    pub(crate) fn rekey(&mut self, routing_key: &str) {
        routing_key.clone_into(&mut self.routing_key);
    }

    fn open(&mut self, key: &str) -> Option<&mut Incident> {
        self.incidents.iter_mut().find(|i| i.key == key && i.closed_at.is_none())
    }

    fn enqueue(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        if !call.says_json() {
            self.problems.push(format!("content type {:?}", call.header("content-type")));
        }
        if call.body.len() > LARGEST {
            self.problems.push(format!("{} bytes", call.body.len()));
            return Said::text(413, "text/plain", "Request Entity Too Large");
        }
        let Some(event) = call.object() else {
            self.problems.push("no JSON object".to_owned());
            return refused(&["JSON cannot be parsed".to_owned()]);
        };
        let errors = faults(&event);
        let oddities = oddities(&event);
        self.problems.extend(errors.iter().chain(&oddities).cloned());
        if !errors.is_empty() {
            return refused(&errors);
        }
        if event["routing_key"] != *self.routing_key {
            // Well-formed, but nobody's: the only refusal that is no JSON.
            return Said::text(400, "text/plain", "Invalid routing key");
        }
        if self.throttle.admit(now).is_err() {
            return Said::json(
                429,
                &json!({"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly. Please retry later."}),
            );
        }
        let number = self.incidents.len() as u64;
        let key = event["dedup_key"]
            .as_str()
            .map_or_else(|| format!("{:032x}", scrambled(number)), str::to_owned);
        match event["event_action"].as_str() {
            Some("trigger") => {
                if let Some(open) = self.open(&key) {
                    open.absorbed.push(event);
                } else {
                    self.incidents.push(Incident {
                        key: key.clone(),
                        id: format!("Q{:013X}", scrambled(number) >> 12),
                        opened_at: now,
                        closed_at: None,
                        acknowledged: false,
                        first: event,
                        absorbed: Vec::new(),
                    });
                }
            }
            Some("acknowledge") => {
                if let Some(open) = self.open(&key) {
                    open.acknowledged = true;
                }
            }
            // Of what is not open, silently nothing.
            _ => {
                if let Some(open) = self.open(&key) {
                    open.closed_at = Some(now);
                }
            }
        }
        let body = json!({"status": "success", "message": "Event processed", "dedup_key": key});
        Said::json(202, &body)
    }
}

fn refused(errors: &[String]) -> Said {
    let body =
        json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
    Said::json(400, &body)
}

/// What the API refuses.
fn faults(event: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    let filled = |value: &Json| value.as_str().is_some_and(|s| !s.trim().is_empty());
    let mut fault = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let key = event["routing_key"].as_str().unwrap_or_default();
    fault(chars(key) == 32, "Length of 'routing_key' is incorrect (should be 32 characters)");
    fault(
        key.chars().all(|c| c.is_ascii_alphanumeric()),
        "'routing_key' cannot contain non-alphanumeric characters.",
    );
    let action = event["event_action"].as_str().unwrap_or_default();
    fault(
        ["trigger", "acknowledge", "resolve"].contains(&action),
        "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')",
    );
    let dedup_key = &event["dedup_key"];
    fault(
        dedup_key.is_null() || dedup_key.as_str().is_some_and(|k| chars(k) <= 255),
        "Length of 'dedup_key' is incorrect (should be 255 characters or less)",
    );
    fault(action == "trigger" || filled(dedup_key), "'dedup_key' is missing or blank");
    if action != "trigger" {
        return faults;
    }
    let payload = &event["payload"];
    if !payload.is_object() {
        fault(false, "'payload' is missing or blank");
        return faults;
    }
    fault(filled(&payload["summary"]), "'payload.summary' is missing or blank");
    fault(
        chars(payload["summary"].as_str().unwrap_or_default()) <= 1024,
        "Length of 'payload.summary' is incorrect (should be 1024 characters or less)",
    );
    fault(filled(&payload["source"]), "'payload.source' is missing or blank");
    let severity = &payload["severity"];
    fault(filled(severity), "'payload.severity' is missing or blank");
    fault(
        ["critical", "error", "warning", "info"].iter().any(|s| severity == s),
        "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
    );
    faults
}

/// What the API takes in silence, and may leave out.
fn oddities(event: &Json) -> Vec<String> {
    let mut odd = Vec::new();
    let known = |of: &Json, names: &[&str], odd: &mut Vec<String>| {
        for name in of.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !names.contains(&name.as_str()) {
                odd.push(format!("`{name}` is unknown"));
            }
        }
    };
    known(
        event,
        &[
            "routing_key",
            "event_action",
            "dedup_key",
            "payload",
            "client",
            "client_url",
            "links",
            "images",
        ],
        &mut odd,
    );
    let payload = &event["payload"];
    known(
        payload,
        &[
            "summary",
            "source",
            "severity",
            "timestamp",
            "component",
            "group",
            "class",
            "custom_details",
        ],
        &mut odd,
    );
    let texts = [
        ("client", &event["client"]),
        ("client_url", &event["client_url"]),
        ("component", &payload["component"]),
        ("group", &payload["group"]),
        ("class", &payload["class"]),
    ];
    for (name, value) in texts {
        if !(value.is_null() || value.is_string()) {
            odd.push(format!("`{name}` is no text"));
        }
    }
    let timestamp = &payload["timestamp"];
    if let Some(text) = timestamp.as_str() {
        if DateTime::parse_from_rfc3339(text).is_err() {
            odd.push(format!("`timestamp` is {text:?}"));
        }
    } else if !timestamp.is_null() {
        odd.push("`timestamp` is no text".to_owned());
    }
    let details = &payload["custom_details"];
    if !(details.is_null() || details.is_object()) {
        odd.push("`custom_details` is no object".to_owned());
    }
    for (list, address) in [("links", "href"), ("images", "src")] {
        for entry in event[list].as_array().into_iter().flatten() {
            if !entry[address].as_str().is_some_and(|a| a.starts_with("https://")) {
                odd.push(format!("`{list}` without https `{address}`"));
            }
        }
        if !(event[list].is_null() || event[list].is_array()) {
            odd.push(format!("`{list}` is no list"));
        }
    }
    odd
}

impl Desk for PagerDuty {
    fn call(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        match (call.method, call.path().join("/").as_str()) {
            ("POST", "v2/enqueue") => self.enqueue(now, call),
            (method, path) => {
                self.problems.push(format!("{method} /{path}"));
                Said::text(404, "text/plain", "Not Found")
            }
        }
    }

    fn cases(&self) -> Vec<Case> {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let case = |incident: &Incident| Case {
            key: incident.key.clone(),
            id: incident.id.clone(),
            name: incident.id.clone(),
            open: incident.closed_at.is_none(),
            opened_at: incident.opened_at,
            closed_at: incident.closed_at,
            count: 1 + incident.absorbed.len() as u64,
            title: text(&incident.first["payload"]["summary"]),
            text: incident.first["payload"]["custom_details"].to_string(),
            level: text(&incident.first["payload"]["severity"]),
            notes: incident
                .absorbed
                .iter()
                .map(|event| {
                    let payload = &event["payload"];
                    format!("{} {}", text(&payload["summary"]), payload["custom_details"])
                })
                .collect(),
            record: incident.first.clone(),
        };
        self.incidents.iter().map(case).collect()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }

    fn close(&mut self, now: DateTime<Utc>, id: &str) {
        let incident = self.incidents.iter_mut().find(|i| i.id == id).expect("an incident");
        incident.closed_at.get_or_insert(now);
    }
}
