//! Alerts of Jira Service Management, by the API of its integrations: `alias` is the key of the case. Requests are taken in and
//! done later; a repeated one raises the open alert's count and changes nothing else, so a note tells what is new.

use super::details::{details, place};
use super::{About, Levels, keyed};
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::limits::{self, Unit};
use crate::notify::plain::{self, Place};
use crate::notify::verdict::{Verdict, judge};
use crate::notify::{Kind, percent};
use serde_json::{Map, Value as Json, json};

/// Where alerts go unless another address is configured.
pub const URL: &str = "https://api.atlassian.com/jsm/ops/integration/v2/alerts";
/// What a message never exceeds, in characters.
pub const MAX_MESSAGE: usize = 130;
/// What a description never exceeds, in characters: the API takes 15,000.
pub const MAX_DESCRIPTION: usize = 14_000;
/// What a note never exceeds, in characters: the API takes 25,000.
pub const MAX_NOTE: usize = 14_000;
/// What the details never exceed, in bytes: the API takes 8,000 characters.
pub const MAX_DETAILS: usize = 7_500;
/// Fields that are ours alone: `fields` does not change them, save `tags` and `details`, to which it adds.
pub const OWN_FIELDS: [&str; 5] = ["alias", "message", "description", "tags", "details"];

const MAX_TAG: usize = 50;
const MAX_TAGS: usize = 20;
const MAX_ENTITY: usize = 500;

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

    fn alert(&self, about: &About<'_>) -> Json {
        let alert = about.alert;
        let description =
            plain::text(&about.telling(None), Place::Case, MAX_DESCRIPTION, Unit::Utf16);
        let tag = |text: &str| limits::clean(text, MAX_TAG);
        let mut tags = vec![tag("hsmwatch"), tag(&alert.rule.id), alert.rule.severity.to_string()];
        let more = self.fields.get("tags").and_then(Json::as_array);
        tags.extend(more.into_iter().flatten().filter_map(Json::as_str).map(tag));
        let mut told: Vec<String> = Vec::new();
        for tag in tags.into_iter().filter(|tag| !tag.is_empty()) {
            if !told.contains(&tag) && told.len() < MAX_TAGS {
                told.push(tag);
            }
        }
        let mut details = details(about, MAX_DETAILS);
        if let Some(Json::Object(more)) = self.fields.get("details") {
            details.extend(more.clone());
        }
        let mut body = json!({
            "message": plain::title(alert, about.detail, MAX_MESSAGE),
            "alias": about.key(),
            "description": description,
            "priority": self.priority.of(alert.rule.severity),
            "tags": told,
            "details": details,
            "entity": place(about, MAX_ENTITY),
            "source": "hsmwatch",
        });
        if let Some(body) = body.as_object_mut() {
            for (name, value) in &self.fields {
                if !OWN_FIELDS.contains(&name.as_str()) {
                    body.insert(name.clone(), value.clone());
                }
            }
        }
        body
    }
}

/// The address of what may be done with an alert.
fn path(about: &About<'_>, action: &str) -> String {
    format!("/{}/{action}?identifierType=alias", percent::encode(about.key()))
}

/// What is added to the open alert.
fn noted(about: &About<'_>) -> Json {
    let note = plain::text(&about.telling(None), Place::Note, MAX_NOTE, Unit::Utf16);
    json!({ "note": note, "source": "hsmwatch", "user": "hsmwatch" })
}

impl keyed::Desk for Settings {
    fn tell(&self, about: &About<'_>) -> Vec<Ask> {
        let mut asks = vec![Ask::json(Act::Tell, Method::Post, String::new(), &self.alert(about))];
        if about.nth > 1 {
            asks.push(Ask::json(Act::Note, Method::Post, path(about, "notes"), &noted(about)));
        }
        asks
    }

    fn resolve(&self, about: &About<'_>) -> Vec<Ask> {
        vec![Ask::json(Act::Resolve, Method::Post, path(about, "close"), &noted(about))]
    }

    fn is_moot(&self, act: Act, reply: &Reply) -> bool {
        matches!(act, Act::Note | Act::Resolve) && matches!(reply.status, 404 | 409 | 410 | 422)
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::JiraServiceManagement, reply.status, reply.retry_after, &reply.body)
    }
}
