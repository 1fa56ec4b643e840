//! A desk over HTTP: one of [`desks`](super::desks) behind a server that also fails as networks fail.

use super::desks::{Call, Case, Desk};
use super::gate::Gate;
use super::server::{Line, Server};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What happens to a call, in place of its being done and answered.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is done, and the line is cut before the answer.
    Ambiguous,
    /// The line is cut before anything is done.
    HangUp,
    /// It is done, and the answer never comes.
    Hang,
    /// Nothing is done; this is answered.
    Status(u16, String),
    /// Nothing is done; 429 is answered, with this `Retry-After`.
    RetryAfter(u64),
    /// It is done, and this is answered although it is: something in between gave up.
    Masked(u16),
    /// It is done and answered, but late.
    Slow(Duration),
}

/// A call as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// What was answered; `None`: nothing.
    pub(crate) answered: Option<u16>,
}

impl Seen {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `POST /rest/api/3/issue`, without a query.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.target.split('?').next().unwrap_or_default())
    }
}

type Applies = Box<dyn Fn(&str) -> bool + Send>;

struct Planned {
    applies: Applies,
    fault: Fault,
    times: usize,
}

struct Inner<D> {
    desk: D,
    /// How far its clock is ahead of this machine's.
    ahead: TimeDelta,
    plan: Vec<Planned>,
    calls: Vec<Seen>,
}

impl<D> Inner<D> {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }
}

type Shared<D> = Arc<(Mutex<Inner<D>>, Condvar)>;

/// A running desk.
pub(crate) struct FakeDesk<D> {
    shared: Shared<D>,
    app: Router,
    server: Server,
}

impl<D: Desk + 'static> FakeDesk<D> {
    pub(crate) fn start(desk: D) -> Self {
        Self::behind(desk, &Gate::default())
    }

    /// Behind a gate that others may share.
    pub(crate) fn behind(desk: D, gate: &Gate) -> Self {
        let inner = Inner { desk, ahead: TimeDelta::zero(), plan: Vec::new(), calls: Vec::new() };
        let shared: Shared<D> = Arc::new((Mutex::new(inner), Condvar::new()));
        let app = Router::new()
            .fallback(take::<D>)
            // Size is the contract's business.
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let app = gate.before(app);
        Self { shared, app: app.clone(), server: Server::start(app) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<D>> {
        self.shared.0.lock().unwrap()
    }

    /// Nobody listens any more.
    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }

    /// Listens again, at the same address.
    pub(crate) fn restart(&mut self) {
        self.server.restart(self.app.clone());
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Looks into the desk, or changes how it is set up.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut D) -> T) -> T {
        look(&mut self.inner().desk)
    }

    /// Its clock goes forward by this: what lagged is seen.
    pub(crate) fn advance(&self, by: TimeDelta) {
        let mut inner = self.inner();
        inner.ahead += by;
        let now = inner.now();
        inner.desk.pass(now);
    }

    /// This happens to the next calls, one for each.
    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        for fault in faults {
            self.when("", fault, 1);
        }
    }

    /// This happens to the next `times` calls whose method and path hold `part`, such as `POST /rest/api/3/issue`.
    pub(crate) fn when(&self, part: &str, fault: Fault, times: usize) {
        let part = part.to_owned();
        let applies: Applies = Box::new(move |what| what.contains(&part));
        self.inner().plan.push(Planned { applies, fault, times });
    }

    /// The same, where method and path end so: creating an issue, and not commenting on one.
    pub(crate) fn when_exactly(&self, what: &str, fault: Fault, times: usize) {
        let exactly = what.to_owned();
        let applies: Applies = Box::new(move |what| what == exactly);
        self.inner().plan.push(Planned { applies, fault, times });
    }

    /// What is left of the plan does not happen.
    pub(crate) fn forget_plan(&self) {
        self.inner().plan.clear();
    }

    pub(crate) fn cases(&self) -> Vec<Case> {
        self.inner().desk.cases()
    }

    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.inner().calls.clone()
    }

    /// Methods and paths of the calls so far.
    pub(crate) fn whats(&self) -> Vec<String> {
        self.calls().iter().map(Seen::what).collect()
    }

    /// Everything that broke the contract.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.inner().desk.problems().to_vec()
    }

    /// A person closes a case.
    pub(crate) fn close(&self, id: &str) {
        let mut inner = self.inner();
        let now = inner.now();
        inner.desk.close(now, id);
    }

    /// Waits until there are `n` calls, 20 s at most. Blocks the thread.
    pub(crate) fn wait_for(&self, n: usize) -> Vec<Seen> {
        let inner = self.inner();
        let (inner, _) = self
            .shared
            .1
            .wait_timeout_while(inner, Duration::from_secs(20), |inner| inner.calls.len() < n)
            .unwrap();
        assert!(inner.calls.len() >= n, "{} of {n} calls came", inner.calls.len());
        inner.calls.clone()
    }
}

async fn take<D: Desk + 'static>(
    State(shared): State<Shared<D>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let target = uri.path_and_query().map_or("/", |t| t.as_str()).to_owned();
    let what = format!("{method} {}", uri.path());
    let (fault, said) = {
        let mut inner = shared.0.lock().unwrap();
        let at = inner.plan.iter().position(|planned| (planned.applies)(&what));
        let fault = at.map(|at| {
            let planned = &mut inner.plan[at];
            planned.times -= 1;
            let fault = planned.fault.clone();
            if planned.times == 0 {
                inner.plan.remove(at);
            }
            fault
        });
        let nothing =
            matches!(fault, Some(Fault::HangUp | Fault::Status(..) | Fault::RetryAfter(_)));
        let said = (!nothing).then(|| {
            let get = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
            let now = inner.now();
            let call =
                Call { method: method.as_str(), target: &target, headers: &get, body: &bytes };
            inner.desk.call(now, &call)
        });
        (fault, said)
    };
    let mut answer = Response::builder();
    let usual = |answer: &mut axum::http::response::Builder| {
        let said = said.clone().unwrap();
        let mut builder = std::mem::take(answer);
        for (name, value) in said.headers {
            builder = builder.header(name, value);
        }
        if let Some(seconds) = said.retry_after {
            builder = builder.header(header::RETRY_AFTER, seconds);
        }
        *answer = builder;
        (said.status, Body::from(said.body))
    };
    let mut cut = false;
    let (status, body) = match fault {
        None => usual(&mut answer),
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            usual(&mut answer)
        }
        Some(Fault::Ambiguous | Fault::HangUp) => {
            cut = true;
            (0, Body::empty())
        }
        Some(Fault::Hang) => (0, Body::empty()),
        Some(Fault::Status(status, text)) => {
            answer = answer.header(header::CONTENT_TYPE, "application/json");
            (status, text.into())
        }
        Some(Fault::RetryAfter(seconds)) => {
            answer = answer.header(header::RETRY_AFTER, seconds);
            (429, Body::empty())
        }
        Some(Fault::Masked(status)) => (status, "upstream failed".into()),
    };
    let seen = Seen {
        method: method.to_string(),
        target,
        headers,
        body: bytes.to_vec(),
        answered: (status != 0).then_some(status),
    };
    shared.0.lock().unwrap().calls.push(seen);
    shared.1.notify_all();
    if status == 0 {
        if cut {
            // Only now, so that whoever sees the line cut also sees the call.
            line.cut();
        }
        return std::future::pending().await;
    }
    answer.status(StatusCode::from_u16(status).unwrap()).body(body).unwrap()
}
