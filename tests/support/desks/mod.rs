//! Desks, as they behave: `PagerDuty`, Jira Service Management, `ServiceNow` and Jira as pure state machines, without network
//! or clock. Black-box tests reach them over HTTP (`fake_desk`), the simulated world of the property tests by a call.
//!
//! They answer what the real ones answer, in their words, and write down whatever breaks the documented contract: a real desk
//! takes some of that in silence.

pub(crate) mod jira;
pub(crate) mod jsm;
pub(crate) mod pagerduty;
pub(crate) mod servicenow;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use std::collections::VecDeque;

/// A request.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// Path and query, as they were sent.
    pub(crate) target: &'a str,
    /// A header by its name in small letters.
    pub(crate) headers: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) body: &'a [u8],
}

impl Call<'_> {
    /// The path's parts, decoded.
    pub(super) fn path(&self) -> Vec<String> {
        let path = self.target.split_once('?').map_or(self.target, |(path, _)| path);
        path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    pub(super) fn header(&self, name: &str) -> String {
        (self.headers)(name).unwrap_or_default()
    }

    /// Whether the body says that it is JSON.
    pub(super) fn says_json(&self) -> bool {
        let content_type = self.header("content-type");
        content_type.split(';').next().is_some_and(|t| t.trim() == "application/json")
    }

    /// The body, if it is a JSON object.
    pub(super) fn object(&self) -> Option<Json> {
        serde_json::from_slice(self.body).ok().filter(Json::is_object)
    }
}

// A plus sign stands for itself in a path.
fn decoded(part: &str) -> String {
    let part = part.replace('+', "%2B");
    url::form_urlencoded::parse(part.as_bytes()).map(|(key, _)| key.into_owned()).collect()
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    /// Seconds.
    pub(crate) retry_after: Option<u64>,
    /// Further headers, `content-type` among them.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Said {
    pub(super) fn json(status: u16, body: &Json) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    pub(super) fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, retry_after: None, headers, body: body.into() }
    }

    /// 204
    pub(super) fn nothing() -> Self {
        Self { status: 204, retry_after: None, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A case, whatever the desk calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// The incident's key, by which hsmwatch finds it again: `dedup_key`, `alias`, `message_key`, `correlation_id`, the label
    /// without `hsmwatch-`.
    pub(crate) key: String,
    /// How the API knows it.
    pub(crate) id: String,
    /// How people know it.
    pub(crate) name: String,
    pub(crate) open: bool,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) closed_at: Option<DateTime<Utc>>,
    /// How often it was told: when it was opened, and since.
    pub(crate) count: u64,
    pub(crate) title: String,
    /// Its description, as text.
    pub(crate) text: String,
    /// Severity, priority, or urgency and impact, in the desk's words; empty: the desk's default.
    pub(crate) level: String,
    /// What was added, as text, oldest first.
    pub(crate) notes: Vec<String>,
    /// All of it, as the desk keeps it.
    pub(crate) record: Json,
}

/// A desk.
pub(crate) trait Desk: Send {
    /// Takes a request and answers it.
    fn call(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said;
    /// Time passes: what it had taken in to do later is done.
    fn pass(&mut self, _now: DateTime<Utc>) {}
    /// Every case, oldest first.
    fn cases(&self) -> Vec<Case>;
    /// What broke the contract.
    fn problems(&self) -> &[String];
    /// A person closes a case.
    fn close(&mut self, now: DateTime<Utc>, id: &str);
}

impl<D: Desk + ?Sized> Desk for Box<D> {
    fn call(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        (**self).call(now, call)
    }

    fn pass(&mut self, now: DateTime<Utc>) {
        (**self).pass(now);
    }

    fn cases(&self) -> Vec<Case> {
        (**self).cases()
    }

    fn problems(&self) -> &[String] {
        (**self).problems()
    }

    fn close(&mut self, now: DateTime<Utc>, id: &str) {
        (**self).close(now, id);
    }
}

/// Lets so many requests through a minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle {
    per_minute: Option<usize>,
    passed: VecDeque<DateTime<Utc>>,
}

impl Throttle {
    pub(crate) fn per_minute(n: usize) -> Self {
        Self { per_minute: Some(n), passed: VecDeque::new() }
    }

    /// Lets a request through, or says how many seconds to wait.
    pub(super) fn admit(&mut self, now: DateTime<Utc>) -> Result<(), u64> {
        let Some(limit) = self.per_minute else { return Ok(()) };
        let minute = TimeDelta::minutes(1);
        self.passed.retain(|at| *at + minute > now);
        if self.passed.len() < limit {
            self.passed.push_back(now);
            return Ok(());
        }
        let free = self.passed.front().copied().unwrap_or(now) + minute;
        Err(u64::try_from((free - now).num_seconds()).unwrap_or(0).max(1))
    }
}

/// A number that looks like the identifiers of a desk, the same on every run.
pub(super) fn scrambled(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A text as people count it.
pub(super) fn chars(text: &str) -> usize {
    text.chars().count()
}
