//! Invocations: a body is posted, the answer is read, and what it says is done.

use super::answer::{self, Answer, HttpAnswer, Verdict};
use super::encode::{self, HttpRequest, Timer};
use super::package::{Function, Trigger};
use super::queue::Taken;
use super::{Fault, Phase, Shared};
use chrono::Utc;
use futures_util::stream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the host calls itself.
const VERSION: &str = "4.1052.200.0";

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed(String),
    /// The answer would have kept the host waiting until the function's time is over; the handler was killed.
    Hung(String),
    /// The function's time is over; the handler was killed.
    TimedOut,
    /// The process ended before it answered.
    Died(String),
}

/// One invocation, as it went.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// `X-Azure-Functions-InvocationId`
    pub(crate) id: String,
    /// The trace's part of `traceparent`.
    pub(crate) trace: String,
    pub(crate) function: String,
    pub(crate) outcome: Outcome,
    pub(crate) answer: Option<Answer>,
    /// `Logs` of the answer.
    pub(crate) logs: Vec<String>,
    /// What was written: queue and text.
    pub(crate) written: Vec<(String, String)>,
    pub(crate) http: Option<HttpAnswer>,
    pub(crate) took: Duration,
    /// The message that it is about, and the how-manieth time.
    pub(crate) message: Option<(String, u32)>,
}

impl Invocation {
    /// Stops the test unless it succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.outcome, Outcome::Succeeded, "{self:?}");
        self
    }

    /// Stops the test unless it failed. Answers what the handler said.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert!(matches!(self.outcome, Outcome::Failed(_)), "{self:?}");
        String::from_utf8(self.answer.unwrap_or_default().body).unwrap()
    }

    /// The texts that went to a queue.
    pub(crate) fn to(&self, queue: &str) -> Vec<&str> {
        let to = self.written.iter().filter(|(name, _)| name == queue);
        to.map(|(_, text)| text.as_str()).collect()
    }
}

/// What an invocation is about.
pub(super) enum What {
    Timer(Timer),
    Message(Taken),
    Http {
        url: String,
        request: HttpRequest,
    },
    /// A body as it is, whatever the function.
    Raw(Vec<u8>),
}

pub(super) async fn invoke(
    shared: &Arc<Shared>,
    name: &str,
    what: &What,
    fault: Option<Fault>,
) -> Invocation {
    let function = shared.package.functions.get(name).unwrap_or_else(|| {
        panic!("the host has no function `{name}`: {:?}", shared.package.not_indexed)
    });
    let (id, trace, span) = (shared.guid(), shared.hex(32), shared.hex(16));
    let now = Utc::now();
    let body = match what {
        What::Timer(timer) => encode::timer(function, timer, now, &id),
        What::Message(taken) => encode::message(function, taken, now, &id),
        What::Http { url, request } => encode::http(function, url, request, now, &id),
        What::Raw(body) => body.clone(),
    };
    let began = Instant::now();
    let mut invocation = Invocation {
        id: id.clone(),
        trace: trace.clone(),
        function: name.to_owned(),
        outcome: Outcome::Succeeded,
        answer: None,
        logs: Vec::new(),
        written: Vec::new(),
        http: None,
        took: Duration::ZERO,
        message: match what {
            What::Message(taken) => Some((taken.text.clone(), taken.dequeues)),
            _ => None,
        },
    };
    let limit = shared.lock().function_timeout;
    let parent = format!("00-{trace}-{span}-00");
    let posted = post(shared, name, body, &id, &parent);
    let answered = match limit {
        Some(limit) => tokio::time::timeout(limit, posted).await,
        None => Ok(posted.await),
    };
    match answered {
        Err(_) => {
            invocation.outcome = Outcome::TimedOut;
            shared.kill_and_restart();
        }
        Ok(Err(why)) => invocation.outcome = Outcome::Died(why),
        Ok(Ok(answer)) => {
            let reading = answer::read(function, &answer, shared.package.queues.base64);
            let bad = reading.problems.into_iter();
            let text =
                |problem| format!("{name}: {problem}: {}", String::from_utf8_lossy(&answer.body));
            bad.for_each(|problem| shared.problem(text(problem)));
            invocation.logs = reading.logs;
            // What had been written before a failure stays written.
            write(shared, &mut invocation, reading.messages, fault);
            match reading.verdict {
                Verdict::Succeeded => {
                    invocation.http = reading.http;
                }
                Verdict::Failed(why) => invocation.outcome = Outcome::Failed(why),
                Verdict::Hangs(why) => {
                    invocation.outcome = Outcome::Hung(why);
                    shared.kill_and_restart();
                }
            }
            invocation.answer = Some(answer);
        }
    }
    invocation.took = began.elapsed();
    shared.lock().invocations.push(invocation.clone());
    shared.told();
    invocation
}

/// Writes the outputs, or fails at it.
fn write(
    shared: &Shared,
    invocation: &mut Invocation,
    mut messages: Vec<(String, String)>,
    fault: Option<Fault>,
) {
    let failed = match fault {
        Some(Fault::OutputsLost) => {
            messages.clear();
            true
        }
        Some(Fault::OutputsPartly) => {
            messages.truncate(messages.len() / 2);
            true
        }
        Some(Fault::FailedAfter) => true,
        _ => false,
    };
    let now = shared.now();
    let mut inner = shared.lock();
    for (queue, text) in &messages {
        inner.queues.put(queue, text, now);
        if fault == Some(Fault::OutputsTwice) {
            inner.queues.put(queue, text, now);
        }
    }
    drop(inner);
    invocation.written = messages;
    if failed {
        invocation.outcome = Outcome::Failed("the outputs could not be written".to_owned());
    }
}

/// Posts a body as the host does: in chunks, with its headers.
async fn post(
    shared: &Arc<Shared>,
    name: &str,
    body: Vec<u8>,
    id: &str,
    parent: &str,
) -> Result<Answer, String> {
    let (client, generation) = shared.ready().await?;
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        body.chunks(body.len().div_ceil(3).max(1)).map(|chunk| Ok(chunk.to_vec())).collect();
    let sent = client
        .post(format!("http://127.0.0.1:{}/{name}", shared.port))
        .header("content-type", "application/json; charset=utf-8")
        .header("x-azure-functions-hostversion", VERSION)
        .header("x-azure-functions-invocationid", id)
        .header("user-agent", format!("Azure-Functions-Host/{VERSION}"))
        .header("traceparent", parent)
        .body(reqwest::Body::wrap_stream(stream::iter(chunks)))
        .send()
        .await;
    let answer = async {
        let answer = sent?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await?.to_vec() })
    };
    match answer.await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let error: reqwest::Error = error;
            // Alive and yet no answer: that is no way to end.
            let why = format!("{error:?}");
            if shared.alive_after_a_moment(generation).await {
                shared.problem(format!("{name}: no answer from a living handler: {why}"));
            }
            Err(why)
        }
    }
}

impl Shared {
    /// Waits for the handler as long as the host does.
    async fn ready(&self) -> Result<(reqwest::Client, u64), String> {
        let limit = Instant::now() + self.package.initialization_timeout * 4;
        loop {
            {
                let inner = self.lock();
                match &inner.phase {
                    Phase::Ready => return Ok((inner.client.clone(), inner.generation)),
                    Phase::Stopped => return Err("the host is stopped".to_owned()),
                    Phase::Over(why) => return Err(why.clone()),
                    Phase::Starting => {}
                }
            }
            if Instant::now() > limit {
                return Err("the handler did not become ready: the host stops".to_owned());
            }
            super::process::wait(Duration::from_millis(5)).await;
        }
    }

    /// Whether a process is still there when its end would have been seen.
    async fn alive_after_a_moment(&self, generation: u64) -> bool {
        for _ in 0..100 {
            {
                let inner = self.lock();
                let same = inner.generation == generation && inner.process.is_some();
                if !same || inner.process.as_ref().is_some_and(|process| process.expected) {
                    return false;
                }
            }
            super::process::wait(Duration::from_millis(5)).await;
        }
        true
    }
}

/// One run of a queue's function on a message.
pub(super) async fn run_message(shared: &Arc<Shared>, name: &str, taken: Taken) -> Invocation {
    let fault = shared.fault_for(name, Some((&taken.text, taken.dequeues)));
    let host = shared.lock().hosts;
    if fault == Some(Fault::Twice) {
        // The time for which it was hidden is over; someone else takes it.
        let now = shared.now();
        shared.lock().queues.reappear(&taken, now);
        shared.told();
        // Or this one may be over before anybody has looked.
        let limit = Instant::now() + Duration::from_secs(10);
        while shared.lock().queues.is_held(&taken) && Instant::now() < limit {
            super::process::wait(Duration::from_millis(2)).await;
        }
    }
    let what = What::Message(taken);
    let invocation = invoke(shared, name, &what, fault).await;
    let What::Message(taken) = what else { return invocation };
    let now = shared.now();
    let options = shared.package.queues.clone();
    let mut inner = shared.lock();
    if inner.hosts != host {
        // The whole host died with it: nobody says how it ended.
        return invocation;
    }
    match (&invocation.outcome, fault) {
        (Outcome::Succeeded, Some(Fault::Redelivered)) => inner.queues.release(&taken, now),
        (Outcome::Succeeded, _) => inner.queues.delete(&taken),
        _ => inner.queues.failed(&taken, options.max_dequeues, options.visibility, now),
    }
    drop(inner);
    shared.told();
    invocation
}

/// Whether a function is started by messages, and of which queue.
pub(super) fn queue_of(function: &Function) -> Option<&str> {
    match &function.trigger {
        Trigger::Queue { queue } => Some(queue),
        _ => None,
    }
}
