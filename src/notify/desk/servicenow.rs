//! `ServiceNow`: incidents, found by `correlation_id`, or events, known by `message_key`.

use super::searching::Found;
use super::{About, Case, Levels, keyed, searching};
use crate::notify::Kind;
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::verdict::{Verdict, judge};
use serde_json::{Map, Value as Json, json};

/// Which table takes alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// `incident`: what people work on.
    #[default]
    Incident,
    /// `em_event`: what event management turns into alerts.
    EmEvent,
}

/// The instance.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which table takes alerts.
    pub table: Table,
    /// `urgency` of incidents.
    pub urgency: Levels,
    /// `impact` of incidents.
    pub impact: Levels,
    /// `severity` of events.
    pub severity: Levels,
    /// Further fields of new incidents or events.
    pub fields: Map<String, Json>,
}

impl Settings {
    /// The urgencies unless others are configured.
    pub fn default_urgency() -> Levels {
        Levels::new(["1", "1", "2", "2", "3"])
    }

    /// The impacts unless others are configured.
    pub fn default_impact() -> Levels {
        Levels::new(["1", "2", "2", "3", "3"])
    }

    /// The severities of events unless others are configured.
    pub fn default_severity() -> Levels {
        Levels::new(["1", "2", "3", "4", "5"])
    }
}

impl keyed::Desk for Settings {
    fn tell(&self, _: &About<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn resolve(&self, _: &About<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::ServiceNow, reply.status, reply.retry_after, &reply.body)
    }
}

impl searching::Desk for Settings {
    fn find(&self, about: &About<'_>) -> Ask {
        Ask::get(
            Act::Find,
            format!("/api/now/table/incident?sysparm_query=correlation_id={}", about.key()),
        )
    }
    fn found(&self, _: &Json) -> Option<Vec<Found>> {
        None
    }
    fn look(&self, case: &Case, _: &About<'_>) -> Ask {
        Ask::get(Act::Look, format!("/api/now/table/incident/{}", case.id))
    }
    fn looked(&self, _: &Json) -> Option<Found> {
        None
    }
    fn open(&self, _: &About<'_>, _: Option<&Case>) -> Ask {
        Ask::json(Act::Open, Method::Post, "/api/now/table/incident".to_owned(), &json!({}))
    }
    fn opened(&self, _: &Json) -> Option<Case> {
        None
    }
    fn read(&self, _: &Case, _: &About<'_>) -> Ask {
        Ask::get(Act::Read, String::new())
    }
    fn note(&self, _: &Found, _: &About<'_>) -> Ask {
        Ask::json(Act::Note, Method::Patch, String::new(), &json!({}))
    }
    fn ways(&self, _: &Case) -> Option<Ask> {
        None
    }
    fn resolve(&self, _: &Case, _: &About<'_>, _: Option<&Json>) -> Option<Ask> {
        None
    }
    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::ServiceNow, reply.status, reply.retry_after, &reply.body)
    }
}
