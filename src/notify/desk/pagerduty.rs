//! `PagerDuty`, Events API v2: one endpoint, and `dedup_key` as the key of the case.

use super::{About, Levels, keyed};
use crate::notify::Kind;
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::verdict::{Verdict, judge};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// Where events go unless another address is configured.
pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// The service that is paged.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its integration key: 32 characters. It travels in the body.
    pub routing_key: SecretString,
    /// `severity` of events.
    pub severity: Levels,
}

impl Settings {
    /// The severities unless others are configured.
    pub fn default_severity() -> Levels {
        Levels::new(["critical", "error", "warning", "info", "info"])
    }
}

impl keyed::Desk for Settings {
    fn tell(&self, about: &About<'_>) -> Vec<Ask> {
        let body = json!({
            "routing_key": self.routing_key.expose_secret(), "event_action": "trigger", "dedup_key": about.key(),
            "payload": { "summary": about.alert.rule.title, "source": about.alert.workspace.name, "severity": self.severity.of(about.alert.rule.severity) },
        });
        vec![Ask::json(Act::Tell, Method::Post, String::new(), &body)]
    }

    fn resolve(&self, about: &About<'_>) -> Vec<Ask> {
        let body = json!({ "routing_key": self.routing_key.expose_secret(), "event_action": "resolve", "dedup_key": about.key() });
        vec![Ask::json(Act::Resolve, Method::Post, String::new(), &body)]
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::PagerDuty, reply.status, reply.retry_after, &reply.body)
    }
}
