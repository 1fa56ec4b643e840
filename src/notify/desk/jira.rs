//! Issues of Jira: found by a label, for Jira has no key of ours.

use super::searching::Found;
use super::{About, Case, Levels, searching};
use crate::notify::Kind;
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::verdict::{Verdict, judge};
use serde_json::{Map, Value as Json, json};

/// Where issues are opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of the project.
    pub project: String,
    /// Name of the issue type.
    pub issue_type: String,
    /// Names of priorities; `None`: the project's default.
    pub priority: Option<Levels>,
    /// Further fields of new issues.
    pub fields: Map<String, Json>,
}

impl searching::Desk for Settings {
    fn find(&self, _: &About<'_>) -> Ask {
        Ask::json(Act::Find, Method::Post, "/rest/api/3/search/jql".to_owned(), &json!({}))
    }
    fn found(&self, _: &Json) -> Option<Vec<Found>> {
        None
    }
    fn look(&self, case: &Case, _: &About<'_>) -> Ask {
        Ask::get(Act::Look, format!("/rest/api/3/issue/{}", case.id))
    }
    fn looked(&self, _: &Json) -> Option<Found> {
        None
    }
    fn open(&self, _: &About<'_>, _: Option<&Case>) -> Ask {
        Ask::json(Act::Open, Method::Post, "/rest/api/3/issue".to_owned(), &json!({}))
    }
    fn opened(&self, _: &Json) -> Option<Case> {
        None
    }
    fn read(&self, _: &Case, _: &About<'_>) -> Ask {
        Ask::get(Act::Read, String::new())
    }
    fn note(&self, _: &Found, _: &About<'_>) -> Ask {
        Ask::json(Act::Note, Method::Post, String::new(), &json!({}))
    }
    fn ways(&self, _: &Case) -> Option<Ask> {
        None
    }
    fn resolve(&self, _: &Case, _: &About<'_>, _: Option<&Json>) -> Option<Ask> {
        None
    }
    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::Jira, reply.status, reply.retry_after, &reply.body)
    }
}
