//! Alerts of Jira Service Management: `alias` is the key of the case.

use super::{About, Levels, keyed};
use crate::notify::Kind;
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::verdict::{Verdict, judge};
use serde_json::{Map, Value as Json, json};

/// Where alerts go unless another address is configured.
pub const URL: &str = "https://api.atlassian.com/jsm/ops/integration/v2/alerts";

/// The team's integration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `priority` of alerts.
    pub priority: Levels,
    /// Further fields of new alerts.
    pub fields: Map<String, Json>,
}

impl Settings {
    /// The priorities unless others are configured.
    pub fn default_priority() -> Levels {
        Levels::new(["P1", "P2", "P3", "P4", "P5"])
    }
}

impl keyed::Desk for Settings {
    fn tell(&self, about: &About<'_>) -> Vec<Ask> {
        let body = json!({ "message": about.alert.rule.title, "alias": about.key(), "priority": self.priority.of(about.alert.rule.severity) });
        vec![Ask::json(Act::Tell, Method::Post, String::new(), &body)]
    }

    fn resolve(&self, about: &About<'_>) -> Vec<Ask> {
        let path = format!("/{}/close?identifierType=alias", about.key());
        vec![Ask::json(Act::Resolve, Method::Post, path, &json!({}))]
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::JiraServiceManagement, reply.status, reply.retry_after, &reply.body)
    }
}
