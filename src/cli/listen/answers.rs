//! What `listen` answers.

use super::super::inbox::Answer;
use super::show::Shown;
use crate::notify::shape::Shape;
use axum::http::StatusCode;
use std::time::Duration;

/// What the command line says about answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<u32>,
    pub(super) body: Option<String>,
    pub(super) delay: Duration,
}

/// Answers, one after the other.
#[derive(Debug)]
pub(super) struct Answers {
    told: Given,
    /// How many more are as told; `None`: all.
    left: Option<u64>,
}

impl Answers {
    pub(super) fn new(told: Given, first: Option<u64>) -> Self {
        Self { told, left: first }
    }

    /// The answer to the next request.
    pub(super) fn to(&mut self, one: &Shown) -> Answer {
        let usual = usual(one);
        if self.left == Some(0) {
            return usual;
        }
        self.left = self.left.map(|left| left - 1);
        let told = &self.told;
        let status = told.status.and_then(|status| StatusCode::from_u16(status).ok());
        Answer {
            // A text needs a status that may have one.
            status: status.unwrap_or(match usual.status {
                StatusCode::NO_CONTENT if told.body.is_some() => StatusCode::OK,
                status => status,
            }),
            retry_after: told.retry_after,
            body: told.body.clone().unwrap_or(if status.is_none() {
                usual.body
            } else {
                String::new()
            }),
            delay: told.delay,
        }
    }
}

/// What a receiver of that kind would say.
fn usual(one: &Shown) -> Answer {
    let of = |status, body: &str| Answer { status, body: body.to_owned(), ..Answer::default() };
    if one.is_too_large() {
        return of(StatusCode::PAYLOAD_TOO_LARGE, "larger than 1 MB, or it broke off");
    }
    if one.is_valid() == Some(false) {
        let why = one.proof.wrong.first().map(ToString::to_string).unwrap_or_default();
        return of(StatusCode::UNAUTHORIZED, &why);
    }
    match one.gist.shape {
        Shape::TeamsCard => of(StatusCode::ACCEPTED, ""),
        // By this word a webhook of Slack's is known.
        Shape::SlackMessage => of(StatusCode::OK, "ok"),
        Shape::PagerDutyEvent => {
            of(StatusCode::ACCEPTED, r#"{"status":"success","message":"Event processed"}"#)
        }
        _ => of(StatusCode::NO_CONTENT, ""),
    }
}
