//! A token endpoint that keeps RFC 6749: the grant `client_credentials`, errors by their names, tokens that expire.

use super::server::Server;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The client that it knows. What its id and secret are made of must be escaped in a header.
pub(crate) const CLIENT: &str = "hsm+watch:1";
/// That client's secret.
pub(crate) const CLIENT_SECRET: &str = "s3cret:cl%ient/~é";

/// Where it looks for a client's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Either,
    Header,
    Body,
}

/// A request, as it understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether the client was named in a header.
    pub(crate) in_header: bool,
    pub(crate) form: BTreeMap<String, String>,
    /// What was answered.
    pub(crate) status: u16,
}

struct Inner {
    takes: Takes,
    /// Of a token, as it is told. `None`: it is not.
    lifetime: Option<Json>,
    /// After which it is refused, whatever was told.
    dies_after: Duration,
    issued: BTreeMap<String, Instant>,
    script: VecDeque<(u16, String)>,
    asked: Vec<Asked>,
    /// How long an answer takes.
    slow: Duration,
}

/// A running endpoint. Tokens are `s3cret-token-1`, `s3cret-token-2`, …
#[derive(Clone)]
pub(crate) struct FakeTokens {
    inner: Arc<Mutex<Inner>>,
    server: Arc<Server>,
}

impl FakeTokens {
    pub(crate) fn start(takes: Takes) -> Self {
        let inner = Inner {
            takes,
            lifetime: Some(json!(3600)),
            dies_after: Duration::from_hours(1),
            issued: BTreeMap::new(),
            script: VecDeque::new(),
            asked: Vec::new(),
            slow: Duration::ZERO,
        };
        let inner = Arc::new(Mutex::new(inner));
        let app = Router::new().route("/oauth/token", any(token)).with_state(Arc::clone(&inner));
        Self { inner, server: Arc::new(Server::start(app)) }
    }

    /// For `token_url`.
    pub(crate) fn url(&self) -> String {
        format!("{}/oauth/token", self.server.url())
    }

    /// What `expires_in` says from now on.
    pub(crate) fn lifetime(&self, told: Option<Json>) {
        self.inner.lock().unwrap().lifetime = told;
    }

    /// Tokens are good for so long, whatever is told.
    pub(crate) fn dies_after(&self, time: Duration) {
        self.inner.lock().unwrap().dies_after = time;
    }

    /// The next requests are answered with these.
    pub(crate) fn script(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned()));
        self.inner.lock().unwrap().script.extend(answers);
    }

    /// How long each answer takes from now on.
    pub(crate) fn slow(&self, time: Duration) {
        self.inner.lock().unwrap().slow = time;
    }

    /// No token that was given so far is good any more.
    pub(crate) fn revoke(&self) {
        self.inner.lock().unwrap().issued.clear();
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }

    /// What a resource server makes of a request: it goes through, or this is said.
    pub(crate) fn look(
        &self,
    ) -> impl Fn(&HeaderMap) -> Option<(u16, String)> + Send + Sync + use<> {
        let inner = Arc::clone(&self.inner);
        move |headers| {
            let inner = inner.lock().unwrap();
            let shown = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
            let token = shown.and_then(|shown| shown.strip_prefix("Bearer "));
            let good = token
                .and_then(|token| inner.issued.get(token))
                .is_some_and(|issued| issued.elapsed() < inner.dies_after);
            // Some repeat what they were shown.
            (!good).then(|| (401, format!("invalid token: {}", token.unwrap_or("none"))))
        }
    }
}

async fn token(
    State(inner): State<Arc<Mutex<Inner>>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let slow = inner.lock().unwrap().slow;
    tokio::time::sleep(slow).await;
    let mut inner = inner.lock().unwrap();
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let in_header = headers.contains_key(header::AUTHORIZATION);
    let result = match inner.script.pop_front() {
        Some((status, body)) => Err((status, body)),
        None => inner
            .judge(&method, &headers, &form)
            .map_err(|(status, code)| (status, json!({ "error": code }).to_string())),
    };
    let status = result.as_ref().map_or_else(|(status, _)| *status, |()| 200);
    inner.asked.push(Asked { in_header, form: form.into_iter().collect(), status });
    if let Err((status, body)) = result {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let token = format!("s3cret-token-{}", inner.asked.len());
    inner.issued.insert(token.clone(), Instant::now());
    let mut answer = json!({ "access_token": token, "token_type": "Bearer", "scope": "alerts" });
    if let Some(lifetime) = &inner.lifetime {
        answer["expires_in"] = lifetime.clone();
    }
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(answer)).into_response()
}

impl Inner {
    fn judge(
        &self,
        method: &Method,
        headers: &HeaderMap,
        form: &[(String, String)],
    ) -> Result<(), (u16, &'static str)> {
        if *method != Method::POST {
            return Err((405, "invalid_request"));
        }
        let header = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let names: BTreeSet<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        let get = |wanted: &str| form.iter().find(|(n, _)| n == wanted).map(|(_, v)| v.as_str());
        if header(header::CONTENT_TYPE) != "application/x-www-form-urlencoded"
            || names.len() != form.len()
        {
            return Err((400, "invalid_request"));
        }
        let basic = header(header::AUTHORIZATION).strip_prefix("Basic ").map(|basic| {
            let both = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
            let (id, secret) = both.split_once(':').unwrap();
            let decode = |text: &str| {
                let pair = format!("x={text}");
                let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
                pairs.next().unwrap().1.into_owned()
            };
            (decode(id), decode(secret))
        });
        let posted = get("client_id").zip(get("client_secret"));
        let posted = posted.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
        let shown = match (basic, posted) {
            (Some(_), Some(_)) => return Err((400, "invalid_request")),
            (Some(basic), None) if self.takes != Takes::Body => basic,
            (None, Some(posted)) if self.takes != Takes::Header => posted,
            _ => return Err((401, "invalid_client")),
        };
        if shown != (CLIENT.to_owned(), CLIENT_SECRET.to_owned()) {
            return Err((401, "invalid_client"));
        }
        match get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err((400, "unsupported_grant_type")),
            None => return Err((400, "invalid_request")),
        }
        match get("scope") {
            None | Some("alerts" | "alerts.write alerts") => Ok(()),
            Some(_) => Err((400, "invalid_scope")),
        }
    }
}
