//! A request as `listen` shows it: what it is, what it says, whether it is to be believed, and what was answered.

use super::super::inbox::{Answer, Arrival};
use super::super::rows::escaped;
use super::super::verify::{self, Secrets};
use crate::notify::captured::Kept;
use crate::notify::limits;
use crate::notify::proof::Examination;
use crate::notify::shape::Gist;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// A request with everything that is known of it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) at: DateTime<Utc>,
    pub(super) arrival: Arrival,
    pub(super) gist: Gist,
    pub(super) proof: Examination,
    /// How often its `webhook-id` has come at this path, this time included.
    pub(super) attempt: Option<u32>,
    /// The file that it was kept in.
    pub(super) kept: Option<String>,
    /// Whether its signature is looked at.
    checked: bool,
    answer: String,
    status: u16,
    retry_after: Option<u32>,
}

impl Shown {
    pub(super) fn new(
        at: DateTime<Utc>,
        arrival: Arrival,
        gist: Gist,
        proof: Examination,
        attempt: Option<u32>,
        has_secret: bool,
    ) -> Self {
        // Teams, Slack and desks know a sender by a secret of their own, and no signature.
        let signed = arrival.captured.header("webhook-signature").is_some();
        let checked = has_secret && (signed || !gist.shape.is_for_a_service());
        Self {
            at,
            arrival,
            gist,
            proof,
            attempt,
            kept: None,
            checked,
            answer: String::new(),
            status: 0,
            retry_after: None,
        }
    }

    /// Takes down what is answered.
    pub(super) fn answered(&mut self, answer: &Answer) {
        self.status = answer.status.as_u16();
        self.retry_after = answer.retry_after;
        self.answer = format!("answered {}", self.status);
        if let Some(seconds) = answer.retry_after {
            let _infallible = write!(self.answer, ", Retry-After: {seconds}");
        }
        if !answer.delay.is_zero() {
            let _infallible = write!(self.answer, ", after {} s", answer.delay.as_secs());
        }
    }

    /// Whether its signature is valid; `None`: that is not looked at.
    pub(super) fn is_valid(&self) -> Option<bool> {
        self.checked.then(|| self.proof.is_valid())
    }

    /// Whether its body is larger than is taken.
    pub(super) fn is_too_large(&self) -> bool {
        self.arrival.captured.body == Kept::Nothing
    }

    /// For people.
    pub(super) fn lines(&self, secrets: &Secrets) -> Vec<String> {
        let Gist { shape, title, severity, count, key } = &self.gist;
        let mut head = vec![
            self.at.format("%H:%M:%S").to_string(),
            format!("{} {}", self.arrival.method, limits::clean(self.arrival.path(), 60)),
            shape.to_string(),
        ];
        head.extend(severity.as_ref().map(|severity| severity.to_uppercase()));
        head.extend(title.clone());
        head.extend(count.as_ref().map(|count| format!("count {count}")));
        let mut lines = vec![head.join("  ")];
        if self.is_too_large() {
            lines.push(
                "  its body is larger than 1 MB, or broke off: it is not looked at".to_owned(),
            );
        }
        if let Some(id) = &self.proof.id {
            let mut line = format!("  webhook-id {}", limits::clean(id, 80));
            if let Some(attempt) = self.attempt.filter(|attempt| *attempt > 1) {
                let _infallible = write!(line, ", again: attempt {attempt}");
            }
            lines.push(line);
        }
        lines.extend(key.as_ref().map(|key| format!("  incident {key}")));
        if self.checked {
            lines
                .extend(verify::lines(&self.proof, secrets).iter().map(|line| format!("  {line}")));
        }
        let kept = self.kept.as_ref().map(|name| format!(", kept as {name}")).unwrap_or_default();
        lines.push(format!("  {}{kept}\n", self.answer));
        lines
    }

    /// For programs.
    pub(super) fn json(&self, secrets: &Secrets) -> String {
        let Gist { shape, title, severity, count, key } = &self.gist;
        let proof: Option<Json> =
            self.checked.then(|| verify::json(&self.arrival.captured, &self.proof, secrets));
        let json = json!({
            "at": self.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "method": self.arrival.method,
            "path": limits::clean(self.arrival.path(), 200),
            "shape": shape.as_str(),
            "title": title,
            "severity": severity,
            "count": count,
            "incident_key": key,
            "id": self.proof.id,
            "attempt": self.attempt,
            "signature": proof,
            "status": self.status,
            "retry_after": self.retry_after,
            "kept": self.kept,
        });
        escaped(&json.to_string())
    }
}
