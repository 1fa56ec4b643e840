//! What an answer means for a delivery: it ended, it is tried again, or the receiver itself needs a person.

use super::Kind;
use super::limits;
use serde_json::Value as Json;
use std::time::Duration;

mod desks;

/// What an answer means. `why` is for people: a status, known words of the receiver's, at most a short quotation of its
/// answer with everything left out that could be an address or a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It may pass by itself: try again.
    Retry {
        /// Not before this wait, if the receiver asked for one.
        after: Option<Duration>,
        /// What was answered.
        why: String,
    },
    /// This alert will never be taken: tell it over another receiver.
    Refused {
        /// What was answered.
        why: String,
    },
    /// No alert will be taken until someone mends the receiver or its address.
    ReceiverBroken {
        /// What was answered.
        why: String,
    },
}

impl Verdict {
    /// The word for logs and status.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::Refused { .. } => "refused",
            Self::ReceiverBroken { .. } => "receiver broken",
        }
    }
}

/// Why there was no answer at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The address guard refused the address: someone must change it or allow its network.
    Forbidden,
    /// No connection was made.
    Connect,
    /// The request may have arrived.
    Ambiguous,
    /// No token, or a certificate that is not accepted: nothing was sent, and someone must mend it.
    Unauthorized,
}

/// The verdict on having no answer; `what` comes from the transport and names no URL.
pub fn judge_no_answer(no_answer: NoAnswer, what: &str) -> Verdict {
    let what = quote(what);
    match no_answer {
        NoAnswer::Forbidden => Verdict::ReceiverBroken { why: format!("address refused: {what}") },
        NoAnswer::Connect => Verdict::Retry { after: None, why: format!("no connection: {what}") },
        NoAnswer::Ambiguous => Verdict::Retry { after: None, why: format!("no answer: {what}") },
        NoAnswer::Unauthorized => {
            Verdict::ReceiverBroken { why: format!("not authorized: {what}") }
        }
    }
}

/// What a class of answers means.
#[derive(Clone, Copy)]
enum Class {
    Delivered,
    Retry,
    Refused,
    Broken,
}

/// The verdict on an answer: status, `Retry-After` as a wait, and the beginning of the body.
pub fn judge(kind: Kind, status: u16, retry_after: Option<Duration>, body: &str) -> Verdict {
    let (class, word) = match kind {
        Kind::Slack => slack(status, body.trim()),
        Kind::Teams => teams(status, body),
        Kind::Webhook => (by_status(status), None),
        Kind::PagerDuty => desks::pagerduty(status, body),
        Kind::JiraServiceManagement => desks::jsm(status, body),
        Kind::ServiceNow => desks::servicenow(status, body),
        Kind::Jira => desks::jira(status, body),
    };
    let why = match (word, class) {
        (_, Class::Broken) if (300..400).contains(&status) => {
            format!("status {status}: it redirects, and redirects are not followed")
        }
        (Some(word), _) => format!("status {status}: {word}"),
        (None, _) => match quote(body) {
            quoted if quoted.is_empty() => format!("status {status}"),
            quoted => format!("status {status}: {quoted}"),
        },
    };
    match class {
        Class::Delivered => Verdict::Delivered,
        Class::Retry => Verdict::Retry { after: retry_after, why },
        Class::Refused => Verdict::Refused { why },
        Class::Broken => Verdict::ReceiverBroken { why },
    }
}

/// The rule for all kinds. Beyond the statuses that the design names:
/// 409, 423 and 424 pass by themselves; 1xx, and numbers that are no status, come from something in between;
/// any other 4xx (402, 405, 406, 407, 414, 415, 426, 451, …) would be the answer to every alert, so the receiver is broken
/// and its alerts wait, which loses none.
const fn by_status(status: u16) -> Class {
    match status {
        200..=299 => Class::Delivered,
        400 | 413 | 422 => Class::Refused,
        408 | 409 | 423 | 424 | 425 | 429 => Class::Retry,
        300..=499 => Class::Broken,
        _ => Class::Retry,
    }
}

/// Slack answers in words, some of them with a status that says less. Only 200 with `ok` is a success: another 2xx comes
/// from something that is not an incoming webhook (a workflow trigger, a proxy's page), so nobody has seen the alert and
/// nobody would see the next one.
fn slack(status: u16, body: &str) -> (Class, Option<String>) {
    const REFUSED: [&str; 8] = [
        "invalid_payload",
        "user_not_found",
        "no_text",
        "too_many_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "missing_text_or_fallback_or_attachments",
        "msg_blocks_too_long",
    ];
    const BROKEN: [&str; 12] = [
        "action_prohibited",
        "posting_to_general_channel_denied",
        "invalid_token",
        "team_disabled",
        "channel_not_found",
        "no_service",
        "no_service_id",
        "no_active_hooks",
        "no_team",
        "channel_is_archived",
        "is_archived",
        "token_revoked",
    ];
    const RETRY: [&str; 4] = ["rollup_error", "ratelimited", "rate_limited", "service_unavailable"];

    let known = |words: &[&str]| words.contains(&body).then(|| body.to_owned());
    if status == 200 && body == "ok" {
        (Class::Delivered, None)
    } else if let Some(word) = known(&REFUSED) {
        (Class::Refused, Some(word))
    } else if let Some(word) = known(&BROKEN) {
        (Class::Broken, Some(word))
    } else if let Some(word) = known(&RETRY) {
        (Class::Retry, Some(word))
    } else if (200..300).contains(&status) {
        let why = "not Slack's `ok`: is its address that of an incoming webhook?";
        (Class::Broken, Some(why.to_owned()))
    } else {
        (by_status(status), None)
    }
}

/// A flow that was deleted or switched off may answer 400: that is no fault of the card.
fn teams(status: u16, body: &str) -> (Class, Option<String>) {
    let code = serde_json::from_str::<Json>(body)
        .ok()
        .and_then(|json| Some(limits::clean(json.get("error")?.get("code")?.as_str()?, 60)))
        // A code is letters; anything else could be an echo.
        .filter(|code| !code.is_empty() && code.chars().all(|c| c.is_ascii_alphabetic()));
    let class = match (by_status(status), &code) {
        (Class::Refused, Some(code)) if status == 400 => {
            let code = code.to_ascii_lowercase();
            let gone = ["workflow", "trigger", "flow"].iter().any(|thing| code.contains(thing))
                && ["notfound", "disabled", "suspended", "notenabled", "deleted"]
                    .iter()
                    .any(|state| code.contains(state));
            if gone { Class::Broken } else { Class::Refused }
        }
        (class, _) => class,
    };
    (class, code)
}

/// Up to 200 characters of an answer for people to read. An answer may echo the request: words that could be part of an
/// address or a secret are left out, and of a page only that it is one.
fn quote(body: &str) -> String {
    let body = body.trim_start();
    if body.starts_with('<') {
        return "(an HTML or XML page)".to_owned();
    }
    // Enough to fill 200 characters, whatever is left out at the end.
    let text = limits::clean(body, 1_000);
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_whitespace()
            || matches!(
                c,
                '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '{' | '}' | '[' | ']' | '<' | '>'
            )
        {
            out.push_str(if looks_secret(&word) { "…" } else { &word });
            word.clear();
            out.push(c);
        } else {
            word.push(c);
        }
    }
    limits::clean(&out, 200)
}

/// Whether a word could be part of an address (whose path or query is a secret) or a secret itself.
fn looks_secret(word: &str) -> bool {
    word.contains(['/', '\\', '=', '%', '@', '…'])
        || word.len() > 24
        || ["whsec_", "xox", "http"]
            .iter()
            .any(|prefix| word.to_ascii_lowercase().starts_with(prefix))
}

#[cfg(test)]
mod tests;
