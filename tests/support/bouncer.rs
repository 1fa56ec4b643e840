//! Stands before a fake and looks at who comes: requests that do not prove who makes them are turned away.

use super::server::Server;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use std::sync::{Arc, Mutex};

/// What it thinks of a request's headers: a status and a body in place of the fake's, or nothing.
type Look = dyn Fn(&HeaderMap) -> Option<(u16, String)> + Send + Sync;

#[derive(Clone)]
struct Shared {
    look: Arc<Look>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    to: String,
    /// What it says of whom it lets through, in place of what they said themselves.
    says: Option<(String, String)>,
    http: reqwest::Client,
}

/// A running bouncer.
pub(crate) struct Bouncer {
    shared: Shared,
    server: Server,
    path: String,
}

impl Bouncer {
    /// Before whatever is at `url`.
    pub(crate) fn before(
        url: &str,
        look: impl Fn(&HeaderMap) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        Self::new(url, None, Arc::new(look))
    }

    /// Before one that knows a user and a password: whoever is let through is that user.
    pub(crate) fn standing_in_for(
        url: &str,
        user: &str,
        password: &str,
        look: impl Fn(&HeaderMap) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        Self::new(url, Some((user.to_owned(), password.to_owned())), Arc::new(look))
    }

    fn new(url: &str, says: Option<(String, String)>, look: Arc<Look>) -> Self {
        let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
        let (to, path) = url.split_at(end);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shared = Shared { look, seen: Arc::default(), to: to.to_owned(), says, http };
        let app = Router::new().fallback(pass).with_state(shared.clone());
        Self { shared, server: Server::start(app), path: path.to_owned() }
    }

    /// What is behind it, by way of it.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.server.url(), self.path)
    }

    /// A header of all requests, in order; empty where there was none.
    pub(crate) fn seen(&self, name: &str) -> Vec<String> {
        let seen = self.shared.seen.lock().unwrap();
        let text = |headers: &HeaderMap| {
            headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        seen.iter().map(text).collect()
    }
}

async fn pass(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    shared.seen.lock().unwrap().push(parts.headers.clone());
    if let Some((status, text)) = (shared.look)(&parts.headers) {
        return (StatusCode::from_u16(status).unwrap(), text).into_response();
    }
    let mut headers = parts.headers;
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    if shared.says.is_some() {
        headers.remove(header::AUTHORIZATION);
    }
    let url = format!("{}{}", shared.to, parts.uri);
    let mut request = shared.http.request(parts.method, url).headers(headers).body(body);
    if let Some((user, password)) = &shared.says {
        request = request.basic_auth(user, Some(password));
    }
    let answer = request.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    (status, headers, answer.bytes().await.unwrap()).into_response()
}
