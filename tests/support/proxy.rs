//! A proxy before a storage service: it counts requests and bytes, and has mishaps on demand.

use super::gate::Gate;
use super::server::{Line, Server};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    /// Nothing.
    None,
    /// The service does it, and the connection breaks before its answer.
    LoseAnswer,
    /// The connection breaks before the service hears of it.
    LoseRequest,
    /// The answer breaks off in its body.
    CutBody,
    /// The service does it, and something in between answers like this.
    Masked(u16),
    /// The service does not hear of it, and the answer is this status with this `x-ms-error-code`.
    Answer(u16, &'static str),
    /// There is never an answer.
    Hang,
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Name of the blob; empty: the container itself.
    pub(crate) blob: String,
    pub(crate) query: String,
    pub(crate) sent: usize,
    pub(crate) status: u16,
}

#[derive(Default)]
struct Inner {
    seen: Vec<Seen>,
    /// For requests with this method and a blob that begins like this.
    script: Vec<(Method, String, VecDeque<Mishap>)>,
    headers: Vec<HeaderMap>,
    page: Option<usize>,
}

#[derive(Clone)]
struct Shared {
    inner: Arc<Mutex<Inner>>,
    /// `http://host:port` of the service.
    to: String,
    http: reqwest::Client,
}

/// A running proxy.
pub(crate) struct Proxy {
    shared: Shared,
    account: String,
    server: Server,
}

impl Proxy {
    /// Before the service at `url` (with the account in its path).
    pub(crate) fn before(url: &str) -> Self {
        Self::behind(url, &Gate::default())
    }

    /// The same, behind a gate that others may share.
    pub(crate) fn behind(url: &str, gate: &Gate) -> Self {
        let (to, account) = url.rsplit_once('/').unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shared = Shared { inner: Arc::default(), to: to.to_owned(), http };
        let app = Router::new().fallback(forward).with_state(shared.clone());
        Self { shared, account: account.to_owned(), server: Server::start(gate.before(app)) }
    }

    /// The account's URL at the proxy.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server.url(), self.account)
    }

    /// What happens to the next requests with this method and a blob that begins like this.
    pub(crate) fn script(&self, method: Method, blob: &str, mishaps: &[Mishap]) {
        let queue = mishaps.iter().cloned().collect();
        self.shared.inner.lock().unwrap().script.push((method, blob.to_owned(), queue));
    }

    /// From now on listings come in pages of this size. Not under a shared key, which signs the size.
    pub(crate) fn pages(&self, size: usize) {
        self.shared.inner.lock().unwrap().page = Some(size);
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.shared.inner.lock().unwrap().seen)
    }

    /// The headers of all requests.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.shared.inner.lock().unwrap().headers.clone()
    }
}

async fn forward(
    State(shared): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut target = parts.uri.path_and_query().unwrap().as_str().to_owned();
    if let Some(size) = shared.inner.lock().unwrap().page
        && target.contains("comp=list")
    {
        write!(target, "&maxresults={size}").unwrap();
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let blob = path.splitn(4, '/').nth(3).unwrap_or_default().replace("%2F", "/");
    let mishap = {
        let mut inner = shared.inner.lock().unwrap();
        inner.headers.push(parts.headers.clone());
        let due = |(method, prefix, queue): &&mut (Method, String, VecDeque<Mishap>)| {
            *method == parts.method && blob.starts_with(prefix.as_str()) && !queue.is_empty()
        };
        let found = inner.script.iter_mut().find(due);
        found.and_then(|(_, _, queue)| queue.pop_front()).unwrap_or(Mishap::None)
    };
    let seen = |status: u16| {
        shared.inner.lock().unwrap().seen.push(Seen {
            method: parts.method.clone(),
            blob: blob.clone(),
            query: query.to_owned(),
            sent: body.len(),
            status,
        });
    };
    match mishap {
        Mishap::LoseRequest => {
            seen(0);
            return cut(&line).await;
        }
        Mishap::Hang => {
            seen(0);
            return std::future::pending().await;
        }
        Mishap::Answer(status, code) => {
            seen(status);
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [("x-ms-error-code", code)]).into_response();
        }
        _ => {}
    }
    let (status, headers, answer) = ask(&shared, &parts, &target, body.clone()).await;
    seen(status.as_u16());
    match mishap {
        Mishap::LoseAnswer => cut(&line).await,
        Mishap::Masked(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mishap::CutBody => {
            let half = String::from_utf8_lossy(&answer[..answer.len() / 2]).into_owned();
            (status, headers, super::server::broken_body(half)).into_response()
        }
        _ => (status, headers, Body::from(answer)).into_response(),
    }
}

async fn cut(line: &Line) -> Response {
    line.cut();
    std::future::pending().await
}

async fn ask(
    shared: &Shared,
    parts: &axum::http::request::Parts,
    target: &str,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    let mut headers = parts.headers.clone();
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let url = format!("{}{target}", shared.to);
    let request = shared.http.request(parts.method.clone(), url).headers(headers).body(body);
    let answer = request.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    (status, headers, answer.bytes().await.unwrap())
}
