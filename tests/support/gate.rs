//! A gate before any number of fakes: it counts their requests and stops at the n-th, so that a test can kill whoever asked
//! at exactly that point.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Where it stops the n-th request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Before the fake has seen it: nothing has happened.
    Before,
    /// The fake has done its work and the answer never leaves.
    Unanswered,
    /// The answer is on its way: whoever asked may be anywhere after it.
    Answered,
}

#[derive(Default)]
struct Inner {
    armed: Option<(usize, Stop)>,
    seen: usize,
    tripped: bool,
}

/// Shared by the fakes behind it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Inner>, Condvar)>);

impl Gate {
    /// Puts the gate before a fake.
    pub(crate) fn before(&self, app: Router) -> Router {
        app.layer(from_fn_with_state(self.clone(), pass))
    }

    /// Stops the n-th request from now, counted from 1.
    pub(crate) fn arm(&self, n: usize, stop: Stop) {
        *self.0.0.lock().unwrap() = Inner { armed: Some((n, stop)), ..Inner::default() };
    }

    /// Lets everything through. Answers whether a request was stopped.
    pub(crate) fn disarm(&self) -> bool {
        std::mem::take(&mut *self.0.0.lock().unwrap()).tripped
    }

    /// Waits a moment for a request to be stopped. Answers whether one was.
    pub(crate) fn tripped(&self, moment: Duration) -> bool {
        let (inner, news) = &*self.0;
        let inner = inner.lock().unwrap();
        news.wait_timeout_while(inner, moment, |inner| !inner.tripped).unwrap().0.tripped
    }

    fn trip(&self) {
        self.0.0.lock().unwrap().tripped = true;
        self.0.1.notify_all();
    }
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let stop = {
        let mut inner = gate.0.0.lock().unwrap();
        inner.seen += 1;
        inner.armed.and_then(|(n, stop)| (n == inner.seen).then_some(stop))
    };
    if stop == Some(Stop::Before) {
        gate.trip();
        return std::future::pending().await;
    }
    let response = next.run(request).await;
    match stop {
        Some(Stop::Unanswered) => {
            gate.trip();
            std::future::pending().await
        }
        Some(_) => {
            gate.trip();
            response
        }
        None => response,
    }
}
