//! The custom handler: what the Azure Functions host calls over HTTP on this machine.
//!
//! It is ready before it has read a configuration, answers every request with a JSON object (the host hangs on anything
//! less), and keeps nothing between invocations that would be missed: state is in the store, and tickets are claim checks.

mod invoke;
mod lanes;
mod limits;
pub mod log;
mod wire;

pub use limits::Limits;

use super::checks::Report;
use crate::engine::{Engine, Watch};
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use invoke::Invocations;
use serde_json::json;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::Instrument as _;
use wire::{Answer, Ids};

/// The largest body that is read. The host's own are far smaller: a queue message has at most 64 KiB.
const BODY: usize = 16 << 20;
/// How long invocations may go on after the order to stop.
const GRACE: Duration = Duration::from_secs(25);

/// What invocations work with.
pub struct App {
    /// The engine.
    pub engine: Engine,
    /// Every rule on every workspace.
    pub watches: Vec<Watch>,
    /// Where the configuration came from. No secrets.
    pub source: String,
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Clear sentences, all problems. No secrets.
    pub why: String,
    /// When it was first seen.
    pub since: DateTime<Utc>,
}

/// What there is to work with now.
#[derive(Clone, Default)]
pub struct Current {
    /// The last good configuration. Without one every invocation fails with what is refused.
    pub app: Option<Arc<App>>,
    /// The newest version, if it is refused: the last good one goes on.
    pub refused: Option<Refused>,
}

/// Where the configuration comes from.
#[async_trait]
pub trait Supply: Send + Sync {
    /// What there is to work with; asked at the begin of each invocation. `fresh`: look for a new version in any case.
    async fn current(&self, fresh: bool) -> Current;

    /// Looks at the deployment from inside, under its own identity. `None`: there is nobody to do so.
    async fn checks(&self) -> Option<Report> {
        None
    }
}

/// Answers the host until `stop` completes; then what is under way is finished.
pub async fn serve(
    listener: TcpListener,
    supply: Arc<dyn Supply>,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = Router::new().fallback(answer).with_state(Arc::new(Invocations::new(supply, limits)));
    let (told, stopping) = oneshot::channel();
    let stop = async {
        stop.await;
        let _nobody_waits = told.send(());
    };
    let late = async {
        if stopping.await.is_ok() {
            tracing::info!("stopping: what is under way has {} s to end", GRACE.as_secs());
            nap(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(stop) => served,
        // What is cut off here is taken up by the next tick, as after a crash.
        () = late => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "hosts wait")]
async fn nap(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// Answers whatever is asked.
async fn answer(State(invocations): State<Arc<Invocations>>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let ids = Ids::of(&head.headers);
    let name = head.uri.path().trim_matches('/').to_owned();
    let span = tracing::info_span!(
        "invocation", function = %known(&name), invocation = %ids.invocation, traceparent = %ids.traceparent
    );
    let answering = async {
        match (&head.method, name.as_str()) {
            // The host asks this every 25 ms at the start, and whenever somebody asks for its health.
            (&Method::GET | &Method::HEAD, "") => Answer::plain(
                StatusCode::OK,
                json!({"name": "hsmwatch", "version": env!("CARGO_PKG_VERSION")}),
            ),
            (&Method::POST, function) => match to_bytes(body, BODY).await {
                Ok(body) => invocations.invoke(function, &body).await,
                Err(error) => too_large(&error),
            },
            _ => {
                tracing::error!("there is no such page: functions are called by POST /NAME");
                let error = "functions are called by POST /NAME";
                Answer::failed(StatusCode::METHOD_NOT_ALLOWED, error)
            }
        }
    };
    // The process goes on: others are at work in it.
    let answer = AssertUnwindSafe(answering).catch_unwind().instrument(span.clone()).await;
    answer
        .unwrap_or_else(|panic| {
            let _in = span.enter();
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!("this is a bug in hsmwatch: the invocation panicked: {text}");
            let error = "a bug in hsmwatch: the invocation panicked; the log has more";
            Answer::failed(StatusCode::INTERNAL_SERVER_ERROR, error)
        })
        .into_response()
}

/// The name of a function for the log; whatever else is asked for is not repeated there.
fn known(name: &str) -> &str {
    if invoke::FUNCTIONS.contains(&name) { name } else { "-" }
}

fn too_large(error: &axum::Error) -> Answer {
    let mut cause = std::error::Error::source(error);
    let mut text = error.to_string();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    if text.contains("length limit") {
        let error = format!("the body is larger than {BODY} bytes");
        tracing::error!("{error}");
        return Answer::failed(StatusCode::PAYLOAD_TOO_LARGE, &error);
    }
    tracing::error!("the body of the invocation broke off: {text}");
    Answer::failed(StatusCode::BAD_REQUEST, "the body broke off")
}
