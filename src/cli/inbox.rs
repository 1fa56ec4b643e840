//! A receiver on this machine, for the demo and for trying things: it takes whatever comes and lets somebody else say what to
//! answer.

use crate::notify::captured::{Captured, Kept};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Bytes of a body that are taken.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// How long whoever is still connected may take when it closes.
const GRACE: Duration = Duration::from_secs(5);

/// A request that came.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// Headers and body; no body if it was larger than is taken, or broke off.
    pub(crate) captured: Captured,
}

impl Arrival {
    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Seconds of `Retry-After`.
    pub(crate) retry_after: Option<u32>,
    pub(crate) body: String,
    /// How long it takes.
    pub(crate) delay: Duration,
}

/// Says what to answer. Called once a request, in the order in which they are there whole.
type Judge = Arc<dyn Fn(Arrival) -> Answer + Send + Sync>;

/// A receiver that listens. It stops when this is dropped.
pub(crate) struct Inbox {
    pub(crate) address: SocketAddr,
    close: oneshot::Sender<()>,
    serving: JoinSet<()>,
}

impl Inbox {
    /// Listens.
    pub(crate) async fn open(
        at: impl ToSocketAddrs,
        judge: impl Fn(Arrival) -> Answer + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let app = Router::new().fallback(take).with_state(Arc::new(judge) as Judge);
        let (close, closing) = oneshot::channel::<()>();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let closing = async {
                // Dropped or sent: either way it is over.
                let _over = closing.await;
            };
            let _ended = axum::serve(listener, app).with_graceful_shutdown(closing).await;
        });
        Ok(Self { address, close, serving })
    }

    /// Takes nothing more, and waits a moment until what has come is answered.
    pub(crate) async fn close(mut self) {
        let _gone = self.close.send(());
        let _in_time = tokio::time::timeout(GRACE, self.serving.join_next()).await;
    }
}

async fn take(State(judge): State<Judge>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let body = match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => Kept::Bytes(bytes.to_vec()),
        Err(_) => Kept::Nothing,
    };
    let answer = judge(Arrival {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        captured: Captured { name: None, headers, body },
    });
    if !answer.delay.is_zero() {
        #[expect(clippy::disallowed_methods, reason = "a receiver that is told to be slow")]
        tokio::time::sleep(answer.delay).await;
    }
    let bare = matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bare { Body::empty() } else { answer.body.into() });
    *response.status_mut() = answer.status;
    if !bare {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
    }
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(HeaderName::from_static("retry-after"), seconds.into());
    }
    response
}

/// How often something has come.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    counts: BTreeMap<String, u32>,
    order: VecDeque<String>,
}

impl Attempts {
    /// How many are remembered: the oldest are forgotten.
    const MAX: usize = 10_000;

    /// Counts one more; the first is 1.
    pub(crate) fn count(&mut self, key: &str) -> u32 {
        if let Some(count) = self.counts.get_mut(key) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.order.len() >= Self::MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
        }
        self.order.push_back(key.to_owned());
        self.counts.insert(key.to_owned(), 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_and_the_oldest_forgotten() {
        let mut attempts = Attempts::default();
        assert_eq!((attempts.count("a"), attempts.count("b"), attempts.count("a")), (1, 1, 2));
        for n in 0..Attempts::MAX {
            attempts.count(&n.to_string());
        }
        assert_eq!((attempts.counts.len(), attempts.count("a")), (Attempts::MAX, 1));
    }
}
