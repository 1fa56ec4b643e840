//! Alerts of Jira Service Management, by the API for integrations: it takes everything in and does it later.

mod faults;

use super::{Call, Case, Desk, Said, Throttle, scrambled};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use faults::{faults, limit, unknown};
use serde_json::{Map, Value as Json, json};
use std::collections::VecDeque;

/// How it takes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// As configured.
    Good,
    /// It was revoked.
    Revoked,
    /// It belongs to an integration that may not do this.
    OfAnother,
}

/// A team's alerts.
#[derive(Clone, Debug)]
pub(crate) struct Jsm {
    pub(crate) key: Key,
    /// How long after a request was taken in it is done.
    pub(crate) lag: TimeDelta,
    pub(crate) throttle: Throttle,
    api_key: String,
    alerts: Vec<Alert>,
    waiting: VecDeque<Request>,
    done: Vec<Done>,
    requests: u64,
    problems: Vec<String>,
}

#[derive(Clone, Debug)]
struct Alert {
    id: String,
    alias: String,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    acknowledged: bool,
    count: u64,
    /// The request that made it.
    made: Json,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Request {
    id: String,
    due: DateTime<Utc>,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Create(Json),
    /// With the words of the note.
    Act {
        action: &'static str,
        identifier: String,
        by_alias: bool,
        note: Option<String>,
    },
}

/// What came of a request.
#[derive(Clone, Debug)]
struct Done {
    request: String,
    at: DateTime<Utc>,
    action: &'static str,
    success: bool,
    status: &'static str,
    alert: Option<(String, String)>,
}

impl Jsm {
    pub(crate) fn new(api_key: &str) -> Self {
        Self {
            key: Key::Good,
            lag: TimeDelta::zero(),
            throttle: Throttle::default(),
            api_key: api_key.to_owned(),
            alerts: Vec::new(),
            waiting: VecDeque::new(),
            done: Vec::new(),
            requests: 0,
            problems: Vec::new(),
        }
    }

    /// Requests that came to nothing, and why. Whoever sent them was told that they would be processed.
    pub(crate) fn lost(&self) -> Vec<String> {
        let lost = self.done.iter().filter(|done| !done.success);
        lost.map(|done| format!("{}: {}", done.action, done.status)).collect()
    }

    /// Whether somebody has taken the alert on.
    pub(crate) fn acknowledged(&self, id: &str) -> bool {
        self.alerts.iter().any(|a| a.id == id && a.acknowledged)
    }

    fn request_id(&mut self) -> String {
        self.requests += 1;
        let (a, b) = (scrambled(self.requests), scrambled(!self.requests));
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xFFFF,
            a & 0xFFF,
            b >> 52,
            b & 0xFFFF_FFFF_FFFF
        )
    }

    fn said(&mut self, status: u16, mut body: Json) -> Said {
        body["took"] = json!(0.002);
        body["requestId"] = self.request_id().into();
        Said::json(status, &body)
    }

    fn refused(&mut self, errors: &Map<String, Json>) -> Said {
        self.problems.push(format!("{errors:?}"));
        let message = "Request body is not processable. Please check the errors.";
        self.said(422, json!({"message": message, "errors": errors}))
    }

    fn take_in(&mut self, now: DateTime<Utc>, what: What) -> Said {
        let id = self.request_id();
        self.waiting.push_back(Request { id: id.clone(), due: now + self.lag, what });
        self.pass(now);
        let body = json!({"result": "Request will be processed", "took": 0.02, "requestId": id});
        Said::json(202, &body)
    }

    fn answer(&mut self, now: DateTime<Utc>, call: &Call<'_>, parts: &[&str]) -> Said {
        let authorization = call.header("authorization");
        let Some(key) = authorization.strip_prefix("GenieKey ") else {
            self.problems.push("no `GenieKey`".to_owned());
            return self
                .said(401, json!({"message": "Key must be provided in Authorization header."}));
        };
        if key != self.api_key || self.key == Key::Revoked {
            return self.said(401, json!({"message": "Could not authenticate"}));
        }
        if self.key == Key::OfAnother {
            let message = "To perform this action, use an API key from an API integration.";
            return self.said(403, json!({"code": 40301, "message": message}));
        }
        if let Err(seconds) = self.throttle.admit(now) {
            let message = "You are making too many requests! To avoid errors, please try again in a few seconds.";
            return self.said(429, json!({"message": message})).after(seconds);
        }
        match (call.method, parts) {
            ("POST", _) if !call.body.is_empty() && !call.says_json() => {
                self.problems.push(format!("content type {:?}", call.header("content-type")));
                self.said(415, json!({"message": "Unsupported media type"}))
            }
            ("POST", []) => self.create(now, call),
            ("POST", [identifier, action @ ("close" | "notes" | "acknowledge")]) => {
                self.act(now, call, identifier, action)
            }
            ("GET", ["requests", id]) => self.status(id),
            _ => self.no_endpoint(call),
        }
    }

    // There is no way to read an alert by this API.
    fn no_endpoint(&mut self, call: &Call<'_>) -> Said {
        self.problems.push(format!("{} {}", call.method, call.target));
        self.said(404, json!({"message": "No handler found"}))
    }

    fn create(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        let Some(body) = call.object() else {
            self.problems.push("no JSON object".to_owned());
            return self.said(400, json!({"message": "Invalid JSON body"}));
        };
        let errors = faults(&body);
        if errors.is_empty() {
            self.take_in(now, What::Create(body))
        } else {
            self.refused(&errors)
        }
    }

    fn act(&mut self, now: DateTime<Utc>, call: &Call<'_>, identifier: &str, action: &str) -> Said {
        let body = if call.body.is_empty() { Some(json!({})) } else { call.object() };
        let Some(body) = body else {
            self.problems.push("no JSON object".to_owned());
            return self.said(400, json!({"message": "Invalid JSON body"}));
        };
        let mut errors = Map::new();
        let note = body["note"].as_str().map(str::to_owned);
        if action == "notes" && note.as_deref().is_none_or(|n| n.trim().is_empty()) {
            errors.insert("note".to_owned(), "Note can not be empty.".into());
        }
        limit(&mut errors, &body, &[("note", 25_000), ("user", 100), ("source", 100)]);
        unknown(&mut errors, &body, &["note", "user", "source"]);
        if !errors.is_empty() {
            return self.refused(&errors);
        }
        let by_alias = match call.query("identifierType").as_deref() {
            None | Some("id") => false,
            Some("alias") => true,
            Some(other) => {
                self.problems.push(format!("`identifierType` is {other}"));
                return self.said(422, json!({"message": "identifierType is not valid"}));
            }
        };
        let action = match action {
            "close" => "Close",
            "notes" => "AddNote",
            _ => "Acknowledge",
        };
        self.take_in(now, What::Act { action, identifier: identifier.to_owned(), by_alias, note })
    }

    fn status(&mut self, id: &str) -> Said {
        let Some(done) = self.done.iter().find(|done| done.request == id).cloned() else {
            return self.said(
                404,
                json!({"message": "Request not found. It might not be processed, yet."}),
            );
        };
        let (alert, alias) = done.alert.unwrap_or_default();
        let processed = done.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let data = json!({"success": done.success, "isSuccess": done.success, "action": done.action, "processedAt": processed, "integrationId": "", "status": done.status, "alertId": alert, "alias": alias});
        self.said(200, json!({"data": data}))
    }

    fn find(&mut self, identifier: &str, by_alias: bool) -> Option<&mut Alert> {
        // An alias names an open alert.
        self.alerts.iter_mut().find(|alert| {
            if by_alias {
                alert.alias == identifier && alert.closed_at.is_none()
            } else {
                alert.id == identifier
            }
        })
    }

    fn process(&mut self, request: Request) {
        let at = request.due;
        let (action, outcome) = match request.what {
            What::Create(made) => ("Create", Ok(self.created(at, made))),
            What::Act { action, identifier, by_alias, note } => {
                let outcome = match self.find(&identifier, by_alias) {
                    None => Err("Alert does not exist"),
                    Some(alert) if action == "Close" && alert.closed_at.is_some() => {
                        Err("Alert is already closed")
                    }
                    Some(alert) => {
                        alert.notes.extend(note);
                        match action {
                            "Close" => alert.closed_at = Some(at),
                            "Acknowledge" => alert.acknowledged = true,
                            _ => {}
                        }
                        Ok((alert.id.clone(), alert.alias.clone()))
                    }
                };
                (action, outcome)
            }
        };
        let (success, status, alert) = match outcome {
            Ok(alert) => (true, "Processed", Some(alert)),
            Err(why) => (false, why, None),
        };
        self.done.push(Done { request: request.id, at, action, success, status, alert });
    }

    fn created(&mut self, at: DateTime<Utc>, made: Json) -> (String, String) {
        let id = format!("{:016x}-{}", scrambled(self.alerts.len() as u64), at.timestamp_millis());
        let alias = made["alias"].as_str().unwrap_or(&id).to_owned();
        if let Some(open) = self.find(&alias, true) {
            // Nothing of what it says is kept.
            open.count += 1;
            return (open.id.clone(), alias);
        }
        let notes = made["note"].as_str().map(str::to_owned).into_iter().collect();
        self.alerts.push(Alert {
            id: id.clone(),
            alias: alias.clone(),
            opened_at: at,
            closed_at: None,
            acknowledged: false,
            count: 1,
            made,
            notes,
        });
        (id, alias)
    }
}

impl Desk for Jsm {
    fn call(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        self.pass(now);
        let path = call.path();
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["jsm", "ops", "integration", "v2", "alerts", parts @ ..] => {
                self.answer(now, call, parts)
            }
            _ => self.no_endpoint(call),
        }
    }

    fn pass(&mut self, now: DateTime<Utc>) {
        while self.waiting.front().is_some_and(|request| request.due <= now) {
            let request = self.waiting.pop_front().expect("one waits");
            self.process(request);
        }
    }

    fn cases(&self) -> Vec<Case> {
        let case = |alert: &Alert| {
            let text = |name: &str| alert.made[name].as_str().unwrap_or_default().to_owned();
            Case {
                key: alert.alias.clone(),
                id: alert.id.clone(),
                name: alert.id.clone(),
                open: alert.closed_at.is_none(),
                opened_at: alert.opened_at,
                closed_at: alert.closed_at,
                count: alert.count,
                title: text("message"),
                text: text("description"),
                level: text("priority"),
                notes: alert.notes.clone(),
                record: alert.made.clone(),
            }
        };
        self.alerts.iter().map(case).collect()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }

    fn close(&mut self, now: DateTime<Utc>, id: &str) {
        self.pass(now);
        let alert = self.find(id, false).expect("an alert");
        alert.closed_at.get_or_insert(now);
    }
}
