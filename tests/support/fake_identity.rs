//! The identity endpoint of a function app, as strict as the real one.

use super::server::Server;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// The secret that callers must show.
pub(crate) const HEADER: &str = "identity-header-secret";

#[derive(Default)]
struct Inner {
    /// Queries of all requests, in order.
    asked: Vec<BTreeMap<String, String>>,
    script: VecDeque<u16>,
    /// Tokens that Azurite takes, for this audience.
    audience: Option<String>,
    /// What tokens say, besides for what they are good.
    claims: Option<Json>,
    /// There are no tokens for these.
    refused: Vec<String>,
}

type Shared = Arc<Mutex<Inner>>;

/// A running endpoint. Tokens are `token-1`, `token-2`, …
pub(crate) struct FakeIdentity {
    inner: Shared,
    server: Server,
}

impl FakeIdentity {
    pub(crate) fn start() -> Self {
        let inner = Shared::default();
        let app = Router::new().route("/msi/token", get(token)).with_state(Arc::clone(&inner));
        Self { inner, server: Server::start(app) }
    }

    /// For `IDENTITY_ENDPOINT`.
    pub(crate) fn url(&self) -> String {
        format!("{}/msi/token", self.server.url())
    }

    /// The next requests are answered with these statuses.
    pub(crate) fn script(&self, statuses: &[u16]) {
        self.inner.lock().unwrap().script.extend(statuses);
    }

    /// Tokens are from now on such as Azurite takes (`--oauth basic`), for this audience: unsigned, but whole.
    pub(crate) fn tokens_for(&self, audience: &str) {
        self.inner.lock().unwrap().audience = Some(audience.to_owned());
    }

    /// Tokens say this from now on, and that they are good for what was asked.
    pub(crate) fn tokens_of(&self, claims: &Json) {
        self.inner.lock().unwrap().claims = Some(claims.clone());
    }

    /// There are no tokens for this resource.
    pub(crate) fn refuse(&self, resource: &str) {
        self.inner.lock().unwrap().refused.push(resource.to_owned());
    }

    /// The queries of all requests.
    pub(crate) fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.inner.lock().unwrap().asked.clone()
    }
}

async fn token(
    State(inner): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut inner = inner.lock().unwrap();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    inner.asked.push(query.clone());
    let shown = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if shown("x-identity-header") != Some(HEADER) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if query.get("api-version").map(String::as_str) != Some("2019-08-01") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if let Some(status) = inner.script.pop_front() {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let resource = query.get("resource").cloned().unwrap_or_default();
    if inner.refused.contains(&resource) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    // All fields are strings, also the time.
    let expires = chrono::Utc::now().timestamp() + 86_400;
    let token = match (&inner.audience, &inner.claims) {
        (Some(audience), _) => unsigned(audience, &json!({})),
        (None, Some(claims)) => unsigned(&resource, claims),
        (None, None) => format!("token-{}", inner.asked.len()),
    };
    axum::Json(json!({
        "access_token": token,
        "expires_on": expires.to_string(),
        "resource": query.get("resource"),
        "token_type": "Bearer",
        "client_id": query.get("client_id"),
    }))
    .into_response()
}

fn unsigned(audience: &str, more: &Json) -> String {
    let now = chrono::Utc::now().timestamp();
    let mut claims = json!({
        "aud": audience,
        "iss": "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 86_400,
    });
    for (name, claim) in more.as_object().unwrap() {
        claims[name] = claim.clone();
    }
    let part = |json: Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(claims))
}
