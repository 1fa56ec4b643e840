//! The other end: a receiver on this machine that takes what Teams, Slack and a webhook would, checks what they would check,
//! and fails now and then as they do.

use super::clock::Clock;
use crate::cli::inbox::{Answer, Arrival, Attempts, Inbox};
use crate::notify::captured::Captured;
use crate::notify::proof::examine;
use crate::notify::sign::{SigningKey, TOLERANCE};
use crate::notify::{Kind, webhook};
use axum::http::{StatusCode, header};
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// A POST as it came.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) kind: Kind,
    pub(super) at: DateTime<Utc>,
    /// The first is 1.
    pub(super) attempt: u32,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// What was answered.
    pub(super) status: u16,
    /// Why it was not taken for what it says it is.
    pub(super) problem: Option<String>,
    /// Whether it was accepted before.
    pub(super) again: bool,
}

impl Arrived {
    pub(super) fn accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Fails the first POST of an alert of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) rule: &'static str,
    pub(super) status: u16,
    /// Seconds of `Retry-After`, if it says.
    pub(super) retry_after: Option<u32>,
}

struct Inner {
    clock: Arc<Clock>,
    keys: Vec<SigningKey>,
    arrived: mpsc::UnboundedSender<Arrived>,
    memory: Mutex<Memory>,
}

struct Memory {
    faults: Vec<Fault>,
    attempts: Attempts,
    accepted: BTreeSet<String>,
}

/// A receiver that listens. It stops when this is dropped.
pub(super) struct Receiver(Inbox);

impl Receiver {
    /// Listens on some free port of this machine, and hands on what comes.
    pub(super) async fn start(
        clock: Arc<Clock>,
        key: SigningKey,
        faults: &[Fault],
    ) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Arrived>)> {
        let (arrived, hand_on) = mpsc::unbounded_channel();
        let memory = Memory {
            faults: faults.to_vec(),
            attempts: Attempts::default(),
            accepted: BTreeSet::new(),
        };
        let inner = Inner { clock, keys: vec![key], arrived, memory: Mutex::new(memory) };
        let inbox = Inbox::open(("127.0.0.1", 0), move |arrival| inner.take(&arrival)).await?;
        Ok((Self(inbox), hand_on))
    }

    /// Where it takes what is meant for a kind.
    pub(super) fn url(&self, kind: Kind) -> String {
        format!("http://{}/{kind}", self.0.address)
    }
}

impl Inner {
    fn take(&self, arrival: &Arrival) -> Answer {
        let kind = arrival.path().trim_start_matches('/').parse::<Kind>().ok();
        let Some(kind) = kind.filter(|_| arrival.method == "POST") else {
            return Answer { status: StatusCode::NOT_FOUND, ..Answer::default() };
        };
        let at = self.clock.now();
        let captured = &arrival.captured;
        let json: Option<Json> = serde_json::from_slice(captured.body.bytes()).ok();
        let problem = match kind {
            Kind::Webhook => check_webhook(&self.keys, captured, at),
            Kind::Teams => {
                let card = json.as_ref().and_then(|j| j.pointer("/attachments/0/content/type"));
                let card = card.and_then(Json::as_str) == Some("AdaptiveCard");
                (!card).then(|| "it holds no Adaptive Card".to_owned())
            }
            Kind::Slack => {
                let text =
                    json.as_ref().and_then(|json| json.get("text")).is_some_and(Json::is_string);
                (!text).then(|| "invalid_payload".to_owned())
            }
            _ => Some("the demo has no such receiver".to_owned()),
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{kind} {}", captured.header("webhook-id").unwrap_or_default());
        let attempt = memory.attempts.count(&key);
        let rule = json.as_ref().and_then(|j| j.pointer("/data/rule/id")).and_then(Json::as_str);
        let fault =
            memory.faults.iter().position(|fault| problem.is_none() && Some(fault.rule) == rule);
        let fault = fault.map(|at| memory.faults.remove(at));
        let (status, retry_after) = match (&problem, fault, kind) {
            (Some(_), _, Kind::Webhook) => (StatusCode::UNAUTHORIZED, None),
            (Some(_), ..) => (StatusCode::BAD_REQUEST, None),
            (None, Some(fault), _) => {
                (StatusCode::from_u16(fault.status).unwrap_or_default(), fault.retry_after)
            }
            (None, None, Kind::Teams) => (StatusCode::ACCEPTED, None),
            (None, None, Kind::Slack) => (StatusCode::OK, None),
            (None, None, _) => (StatusCode::NO_CONTENT, None),
        };
        let again = status.is_success() && !memory.accepted.insert(key);
        drop(memory);
        let kept = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];
        let kept = kept
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), captured.header(name)?.to_owned())));
        // Nobody listens any more: then nobody wants to know.
        let _gone = self.arrived.send(Arrived {
            kind,
            at,
            attempt,
            headers: kept.collect(),
            body: captured.body.bytes().to_vec(),
            status: status.as_u16(),
            problem: problem.clone(),
            again,
        });
        // Slack's way to say yes; by it a webhook of Slack's is known.
        let yes = if kind == Kind::Slack && status.is_success() { "ok" } else { "" };
        let body = problem.unwrap_or_else(|| yes.to_owned());
        Answer { status, retry_after, body, ..Answer::default() }
    }
}

/// What is wrong with a webhook's message, as its receiver should see it.
fn check_webhook(keys: &[SigningKey], captured: &Captured, now: DateTime<Utc>) -> Option<String> {
    let seen = examine(captured, keys, now, TOLERANCE);
    if let Some(wrong) = seen.wrong.first() {
        return Some(wrong.to_string());
    }
    let content_type = captured.header(header::CONTENT_TYPE.as_str());
    let ours = webhook::cloud_event::CONTENT_TYPE;
    (content_type != Some(ours)).then(|| format!("its content type is not `{ours}`"))
}
