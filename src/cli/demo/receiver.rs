//! The other end: a receiver on this machine that takes what Teams, Slack and a webhook would, checks what they would check,
//! and fails now and then as they do.

use super::clock::Clock;
use crate::notify::sign::{Signed, SigningKey, TOLERANCE, verify};
use crate::notify::{Kind, webhook};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

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
    attempts: BTreeMap<(Kind, String), u32>,
    accepted: BTreeSet<(Kind, String)>,
}

/// A receiver that listens. It stops when this is dropped.
pub(super) struct Receiver {
    base: String,
    _serving: JoinSet<()>,
}

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
            attempts: BTreeMap::new(),
            accepted: BTreeSet::new(),
        };
        let inner = Inner { clock, keys: vec![key], arrived, memory: Mutex::new(memory) };
        let app = Router::new().route("/{kind}", post(take)).with_state(Arc::new(inner));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Ends with the demo, or not at all.
            let _ended = axum::serve(listener, app).await;
        });
        Ok((Self { base, _serving: serving }, hand_on))
    }

    /// Where it takes what is meant for a kind.
    pub(super) fn url(&self, kind: Kind) -> String {
        format!("{}/{kind}", self.base)
    }
}

async fn take(
    State(inner): State<Arc<Inner>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = kind.parse::<Kind>().ok().filter(|kind| !kind.is_desk());
    let Some(kind) = kind else { return StatusCode::NOT_FOUND.into_response() };
    let at = inner.clock.now();
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let id = header("webhook-id").unwrap_or_default();
    let json: Option<Json> = serde_json::from_slice(&body).ok();
    let problem = match kind {
        Kind::Webhook => {
            let (timestamp, signature) = (header("webhook-timestamp"), header("webhook-signature"));
            let signed = Signed {
                id: Some(&id),
                timestamp: timestamp.as_deref(),
                signature: signature.as_deref(),
            };
            let content_type = header(header::CONTENT_TYPE.as_str());
            check_webhook(&inner.keys, signed, content_type.as_deref(), json.as_ref(), &body, at)
        }
        Kind::Teams => {
            let card = json.as_ref().and_then(|json| json.pointer("/attachments/0/content/type"));
            let card = card.and_then(Json::as_str) == Some("AdaptiveCard");
            (!card).then(|| "it holds no Adaptive Card".to_owned())
        }
        _ => {
            let text = json.as_ref().and_then(|json| json.get("text")).is_some_and(Json::is_string);
            (!text).then(|| "invalid_payload".to_owned())
        }
    };
    let mut memory = inner.memory.lock().unwrap_or_else(PoisonError::into_inner);
    let attempts = memory.attempts.entry((kind, id.clone())).or_insert(0);
    *attempts += 1;
    let attempt = *attempts;
    let rule = json.as_ref().and_then(|json| json.pointer("/data/rule/id")).and_then(Json::as_str);
    let fault =
        memory.faults.iter().position(|fault| problem.is_none() && Some(fault.rule) == rule);
    let fault = fault.map(|at| memory.faults.remove(at));
    let (status, retry_after) = match (&problem, fault, kind) {
        (Some(_), _, Kind::Webhook) => (StatusCode::UNAUTHORIZED, None),
        (Some(_), ..) => (StatusCode::BAD_REQUEST, None),
        (None, Some(fault), _) => {
            let status = StatusCode::from_u16(fault.status).unwrap_or_default();
            (status, fault.retry_after)
        }
        (None, None, Kind::Teams) => (StatusCode::ACCEPTED, None),
        (None, None, Kind::Webhook) => (StatusCode::NO_CONTENT, None),
        (None, None, _) => (StatusCode::OK, None),
    };
    let again = status.is_success() && !memory.accepted.insert((kind, id.clone()));
    drop(memory);
    let kept = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];
    let kept = kept.into_iter().filter_map(|name| Some((name.to_owned(), header(name)?))).collect();
    // Nobody listens any more: then nobody wants to know.
    let _gone = inner.arrived.send(Arrived {
        kind,
        at,
        attempt,
        headers: kept,
        body: body.to_vec(),
        status: status.as_u16(),
        problem: problem.clone(),
        again,
    });
    // Slack's way to say yes; by it a webhook of Slack's is known.
    let yes = if kind == Kind::Slack && status.is_success() { "ok" } else { "" };
    let mut answer = problem.unwrap_or_else(|| yes.to_owned()).into_response();
    *answer.status_mut() = status;
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(HeaderName::from_static("retry-after"), seconds.into());
    }
    answer
}

/// What is wrong with a webhook's message, as its receiver should see it.
fn check_webhook(
    keys: &[SigningKey],
    signed: Signed<'_>,
    content_type: Option<&str>,
    json: Option<&Json>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Option<String> {
    if let Err(why) = verify(signed, body, keys, now, TOLERANCE) {
        return Some(why.to_string());
    }
    if content_type != Some(webhook::cloud_event::CONTENT_TYPE) {
        return Some(format!("its content type is not `{}`", webhook::cloud_event::CONTENT_TYPE));
    }
    let id = json.and_then(|json| json.get("id")).and_then(Json::as_str);
    (id != signed.id).then(|| "its `id` is not its `webhook-id`".to_owned())
}
