//! The other end of an alert: Teams, Slack or a webhook, each insisting on its documented contract.

use super::gate::Gate;
use super::server::{Line, Server, broken_body};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::post;
use serde_json::Value as Json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What the receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Verifies a signature with any of these secrets (`whsec_…`); without any, asks for none.
    Webhook(Vec<String>),
    /// The same of a body of whatever shape.
    Shaped(Vec<String>),
    Teams,
    Slack,
}

/// What it answers in place of its usual "thank you".
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Status(u16),
    StatusAndBody(u16, String),
    /// This status, with this `Retry-After`.
    RetryAfter(u16, String),
    /// 307 to this place.
    Redirect(String),
    /// A status and a body that breaks off.
    Break(u16),
    /// Takes the delivery and hangs up.
    HangUp,
    /// The usual answer, but late.
    Slow(Duration),
    /// Takes the delivery and never answers.
    Hang,
}

/// A delivery as it came.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) headers: HeaderMap,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    /// What breaks the contract, if anything does.
    pub(crate) problem: Option<String>,
    /// What was answered; `None`: nothing.
    pub(crate) answered: Option<u16>,
    /// When it came.
    pub(crate) at: Instant,
}

impl Delivery {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// `webhook-id`
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }
}

struct Inner {
    kind: Kind,
    deliveries: Vec<Delivery>,
    /// How many came, those included that are not answered yet.
    arrived: usize,
    script: VecDeque<Say>,
    always: Option<Say>,
}

type Shared = Arc<(Mutex<Inner>, Condvar)>;

/// A running receiver.
pub(crate) struct FakeReceiver {
    shared: Shared,
    app: Router,
    server: Server,
}

impl FakeReceiver {
    pub(crate) fn start(kind: Kind) -> Self {
        Self::behind(kind, &Gate::default())
    }

    /// Behind a gate that others may share.
    pub(crate) fn behind(kind: Kind, gate: &Gate) -> Self {
        let inner = Inner {
            kind,
            deliveries: Vec::new(),
            arrived: 0,
            script: VecDeque::new(),
            always: None,
        };
        let shared: Shared = Arc::new((Mutex::new(inner), Condvar::new()));
        let app = Router::new()
            .route("/{*path}", post(take))
            // Size is the contract's business.
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let app = gate.before(app);
        Self { shared, app: app.clone(), server: Server::start(app) }
    }

    /// Nobody listens any more.
    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }

    /// Listens again, at the same address.
    pub(crate) fn restart(&mut self) {
        self.server.restart(self.app.clone());
    }

    /// From now on it verifies signatures with these secrets.
    pub(crate) fn knows(&self, secrets: &[&str]) {
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        self.shared.0.lock().unwrap().kind = Kind::Webhook(secrets);
    }

    /// For a receiver's `url`. It holds what must never be shown: `s3cret`.
    pub(crate) fn url(&self) -> String {
        format!(
            "{}/hooks/s3cret-path?sp=%2Ftriggers%2Fmanual%2Frun&sig=s3cret-sig",
            self.server.url()
        )
    }

    /// The next deliveries are answered so.
    pub(crate) fn script(&self, says: impl IntoIterator<Item = Say>) {
        self.shared.0.lock().unwrap().script.extend(says);
    }

    /// What is left of the script is not said any more.
    pub(crate) fn forget_script(&self) {
        self.shared.0.lock().unwrap().script.clear();
    }

    /// From now on, once the script is done, every delivery is answered so; `None`: as usual.
    pub(crate) fn always(&self, say: Option<Say>) {
        self.shared.0.lock().unwrap().always = say;
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.shared.0.lock().unwrap().deliveries.clone()
    }

    /// Waits until there are `n` deliveries, 20 s at most. Blocks the thread.
    pub(crate) fn wait_for(&self, n: usize) -> Vec<Delivery> {
        let (inner, news) = &*self.shared;
        let (inner, _) = news
            .wait_timeout_while(inner.lock().unwrap(), Duration::from_secs(20), |inner| {
                inner.deliveries.len() < n
            })
            .unwrap();
        assert!(inner.deliveries.len() >= n, "{} of {n} deliveries came", inner.deliveries.len());
        inner.deliveries.clone()
    }

    /// Waits until `n` deliveries have arrived, answered or not, 20 s at most. Blocks the thread.
    pub(crate) fn wait_for_arrivals(&self, n: usize) {
        let (inner, news) = &*self.shared;
        let (inner, _) = news
            .wait_timeout_while(inner.lock().unwrap(), Duration::from_secs(20), |i| i.arrived < n)
            .unwrap();
        assert!(inner.arrived >= n, "{} of {n} deliveries came", inner.arrived);
    }

    /// How often each `webhook-id` came.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for delivery in self.deliveries() {
            *counts.entry(delivery.id().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Everything that broke the contract.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.deliveries().into_iter().filter_map(|d| d.problem).collect()
    }
}

async fn take(
    State(shared): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let at = Instant::now();
    let (say, kind, problem) = {
        let mut inner = shared.0.lock().unwrap();
        inner.arrived += 1;
        shared.1.notify_all();
        let say = inner.script.pop_front().or_else(|| inner.always.clone());
        let problem = check(&inner.kind, &headers, &bytes).err();
        (say, inner.kind.clone(), problem)
    };
    let (status, text) = match (&kind, &problem) {
        (Kind::Slack, Some(problem)) => (400, problem.clone()),
        (_, Some(problem)) => {
            (400, format!(r#"{{"error":{{"code":"BadRequest","message":"{problem}"}}}}"#))
        }
        (Kind::Slack, None) => (200, "ok".to_owned()),
        (Kind::Teams, None) => (202, String::new()),
        (Kind::Webhook(_) | Kind::Shaped(_), None) => (204, String::new()),
    };
    let mut answer = Response::builder();
    let (status, body) = match say {
        None => (status, text.into()),
        Some(Say::Slow(time)) => {
            tokio::time::sleep(time).await;
            (status, text.into())
        }
        Some(Say::Status(status)) => (status, Body::empty()),
        Some(Say::StatusAndBody(status, text)) => (status, text.into()),
        Some(Say::RetryAfter(status, wait)) => {
            answer = answer.header(header::RETRY_AFTER, wait);
            (status, Body::empty())
        }
        Some(Say::Redirect(to)) => {
            answer = answer.header(header::LOCATION, to);
            (307, Body::empty())
        }
        Some(Say::Break(status)) => (status, broken_body("o".to_owned())),
        Some(Say::HangUp | Say::Hang) => (0, Body::empty()),
    };
    let delivery = Delivery {
        target: uri.to_string(),
        headers,
        body: bytes.to_vec(),
        problem,
        answered: (status != 0).then_some(status),
        at,
    };
    shared.0.lock().unwrap().deliveries.push(delivery);
    shared.1.notify_all();
    if status == 0 {
        // Only now, so that whoever sees the line cut also sees the delivery.
        line.cut();
        return std::future::pending().await;
    }
    answer.status(StatusCode::from_u16(status).unwrap()).body(body).unwrap()
}

/// The contract of every kind.
fn check(kind: &Kind, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    demand(!header("webhook-id").is_empty(), "webhook-id is missing")?;
    demand(header("webhook-timestamp").parse::<i64>().is_ok(), "webhook-timestamp is no number")?;
    if let Kind::Shaped(secrets) = kind {
        demand(body.len() <= 256 << 10, "the body is larger than 256 KB")?;
        return demand(signed(secrets, headers, body), "the signature is wrong");
    }
    let json: Json = serde_json::from_slice(body).map_err(|_| "invalid_payload".to_owned())?;
    let content_type = header("content-type");
    match kind {
        Kind::Shaped(_) => Ok(()),
        Kind::Webhook(secrets) => {
            demand(content_type == "application/cloudevents+json", "the content type is not bare")?;
            demand(body.len() <= 256 << 10, "the body is larger than 256 KB")?;
            demand(json["specversion"] == "1.0", "no CloudEvent")?;
            demand(json["id"] == header("webhook-id"), "id and webhook-id differ")?;
            for name in ["source", "type"] {
                demand(
                    json[name].as_str().is_some_and(|s| !s.is_empty()),
                    "source or type is missing",
                )?;
            }
            demand(secrets.is_empty() || signed(secrets, headers, body), "the signature is wrong")
        }
        Kind::Teams => {
            demand(content_type.starts_with("application/json"), "the content type is not JSON")?;
            demand(body.len() <= 28 << 10, "the message is larger than 28 KB")?;
            demand(json["type"] == "message", "no message")?;
            let attachments = json["attachments"].as_array().map_or(&[][..], Vec::as_slice);
            demand(attachments.len() == 1, "not one attachment")?;
            let card = &attachments[0]["content"];
            demand(
                attachments[0]["contentType"] == "application/vnd.microsoft.card.adaptive",
                "no card",
            )?;
            demand(card["type"] == "AdaptiveCard", "no adaptive card")?;
            demand(card["version"].is_string() && card["body"].is_array(), "no version or body")
        }
        Kind::Slack => {
            demand(content_type.starts_with("application/json"), "invalid_payload")?;
            demand(json["text"].as_str().is_some_and(|s| !s.is_empty()), "no_text")?;
            let blocks = json["blocks"].as_array().map_or(0, Vec::len);
            let attachments = json["attachments"].as_array().map_or(&[][..], Vec::as_slice);
            demand(attachments.len() <= 100, "too_many_attachments")?;
            let within = |a: &Json| a["blocks"].as_array().map_or(0, Vec::len) <= 50;
            demand(blocks <= 50 && attachments.iter().all(within), "invalid_blocks")
        }
    }
}

/// Whether a signature fits, by another's code than ours. The time is not held against the clock: tests have their own.
fn signed(secrets: &[String], headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let Ok(timestamp) = header("webhook-timestamp").parse() else { return false };
    secrets.iter().any(|secret| {
        let webhook = standardwebhooks::Webhook::new(secret).unwrap();
        let expected = webhook.sign(header("webhook-id"), timestamp, body).unwrap();
        header("webhook-signature").split(' ').any(|signature| signature == expected)
    })
}
