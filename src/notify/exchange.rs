//! Exchanges: what is asked of a receiver to tell it an alert, one call after the other, and what comes of the answers.
//!
//! Channels and webhooks take one call. A desk may take several: it is asked first what it has.

use super::desk::{self, Memory};
use super::verdict::{NoAnswer, Verdict, judge, judge_no_answer};
use super::webhook::Made;
use super::webhook::template::Fault;
use super::{Body, Kind, Receiver, Settings};
use crate::watch::alert::Alert;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How a receiver is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Tells, or makes something new.
    Post,
    /// Changes something.
    Patch,
    /// Replaces something.
    Put,
}

impl Method {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
        }
    }
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` as a wait from now.
    pub retry_after: Option<Duration>,
    /// The first 64 KB of the body, as text.
    pub body: String,
    /// Whether that is all of it: not if it broke off, nor if it goes on after those 64 KB.
    pub whole: bool,
}

/// What came of a call: an answer, or why there is none, with words that name no address.
pub type Answered = Result<Reply, (NoAnswer, String)>;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Tells the alert. May be repeated: who takes it knows a repetition by its id or key.
    Tell,
    /// Searches for cases of the incident.
    Find,
    /// Looks at one case.
    Look,
    /// Opens a case. **Never** repeated before it is known what came of it: the desk has no key that tells a repetition.
    Open,
    /// Reads a case's notes: this alert's may be among them.
    Read,
    /// Adds this alert to an open case.
    Note,
    /// Asks how a case may be closed.
    Ways,
    /// Closes a case.
    Resolve,
}

/// A call to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What for.
    pub act: Act,
    /// How.
    pub method: Method,
    /// Appended to the receiver's address; empty for the address itself.
    pub path: String,
    /// Body and content type.
    pub body: Option<Body>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

impl Ask {
    /// A call without a body.
    pub fn get(act: Act, path: String) -> Self {
        Self { act, method: Method::Get, path, body: None, headers: vec![accept()] }
    }

    /// A call with a JSON body.
    pub fn json(act: Act, method: Method, path: String, body: &serde_json::Value) -> Self {
        let bytes = body.to_string().into_bytes();
        let body = Some(Body { content_type: "application/json".into(), bytes });
        Self { act, method, path, body, headers: vec![accept()] }
    }
}

fn accept() -> (String, String) {
    ("accept".to_owned(), "application/json".to_owned())
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This call.
    Ask(Ask),
    /// Nothing: this came of it.
    End(Verdict),
}

/// What an exchange is about.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// To whom.
    pub receiver: &'a Receiver,
    /// The alert.
    pub alert: &'a Alert,
    /// Whether it was tried before, so that part of it may be done.
    pub again: bool,
    /// Whether the case is to be closed, whatever the alert says: a test cleans up after itself.
    pub resolve: bool,
    /// When this attempt begins.
    pub at: DateTime<Utc>,
}

/// An exchange under way.
#[derive(Debug)]
pub enum Exchange<'a> {
    /// One call.
    Single(Box<Single>),
    /// With a desk.
    Desk(Box<desk::Exchange<'a>>),
}

impl<'a> Exchange<'a> {
    /// Begins one. `memory` is what is remembered of the incident's case at this receiver; only desks need it.
    pub fn begin(errand: Errand<'a>, memory: Memory) -> Self {
        match &errand.receiver.settings {
            Settings::Desk(settings) => {
                Self::Desk(Box::new(desk::Exchange::begin(settings, errand, memory)))
            }
            Settings::Teams | Settings::Slack | Settings::Webhook(_) => {
                Self::Single(Box::new(Single::new(&errand)))
            }
        }
    }

    /// What to do now.
    pub fn step(&mut self) -> Step {
        match self {
            Self::Single(single) => single.step(),
            Self::Desk(desk) => desk.step(),
        }
    }

    /// Takes what came of the call that `step` asked for.
    pub fn take(&mut self, answered: &Answered) {
        match self {
            Self::Single(single) => single.verdict = Some(judged(single.kind, answered)),
            Self::Desk(desk) => desk.take(answered),
        }
    }

    /// Why the alert goes out in the default format in place of the configured one, if it does.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Single(single) => single.fault.as_ref(),
            Self::Desk(_) => None,
        }
    }

    /// What is to be remembered, whatever is done next.
    pub fn memory(&self) -> Memory {
        match self {
            Self::Single(_) => Memory::default(),
            Self::Desk(desk) => desk.memory().clone(),
        }
    }
}

/// An exchange of one call.
#[derive(Debug)]
pub struct Single {
    kind: Kind,
    ask: Option<Ask>,
    verdict: Option<Verdict>,
    fault: Option<Fault>,
}

impl Single {
    fn new(errand: &Errand<'_>) -> Self {
        let Errand { receiver, alert, at, .. } = *errand;
        let Made { body, headers: own, fault } = super::message(receiver, alert);
        let mut headers = super::headers(receiver, &alert.id, at, &body);
        headers.extend(own);
        let ask = Ask {
            act: Act::Tell,
            method: Method::Post,
            path: String::new(),
            body: Some(body),
            headers,
        };
        Self { kind: receiver.kind(), ask: Some(ask), verdict: None, fault }
    }

    fn step(&mut self) -> Step {
        match (self.ask.take(), &self.verdict) {
            (Some(ask), _) => Step::Ask(ask),
            (None, Some(verdict)) => Step::End(verdict.clone()),
            (None, None) => Step::End(judge_no_answer(NoAnswer::Ambiguous, "nobody waited for it")),
        }
    }
}

/// What an answer, or none, means for the alert.
pub fn judged(kind: Kind, answered: &Answered) -> Verdict {
    match answered {
        // Slack's word is its body: half of it says neither that all is well nor that this is not Slack. What is no beginning of
        // that word says it, however it would have gone on.
        Ok(reply)
            if kind == Kind::Slack
                && !reply.whole
                && "ok".starts_with(reply.body.trim())
                && (200..300).contains(&reply.status) =>
        {
            judge_no_answer(NoAnswer::Ambiguous, "the answer broke off")
        }
        Ok(reply) => judge(kind, reply.status, reply.retry_after, &reply.body),
        Err((what, why)) => judge_no_answer(*what, why),
    }
}
