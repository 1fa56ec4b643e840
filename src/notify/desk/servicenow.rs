//! `ServiceNow`: incidents, found by `correlation_id`, or events, known by `message_key`.

mod event;

use super::searching::Found;
use super::{About, Case, Goal, Levels, keyed, searching};
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::limits::Unit;
use crate::notify::plain::{self, Place};
use crate::notify::verdict::{Verdict, judge};
use crate::notify::{Kind, percent};
use crate::watch::own;
use serde_json::{Map, Value as Json, json};

/// What `short_description` never exceeds, in characters.
pub const MAX_SHORT: usize = 160;
/// What a description or a note never exceeds, in characters: that of an incident is cut at 4,000 in silence.
pub const MAX_TEXT: usize = 4_000;
/// Fields that are ours alone: `fields` does not change them.
pub const OWN_FIELDS: [&str; 4] =
    ["correlation_id", "short_description", "description", "work_notes"];
/// How an incident about hsmwatch itself is closed, unless `fields` has another `close_code`.
pub const CLOSE_CODE: &str = "Solution provided";

pub use event::OWN_FIELDS as OWN_EVENT_FIELDS;

const TABLE: &str = "/api/now/table/incident";
/// Fields of `fields` that are sent when an incident is closed, not when it is opened.
const CLOSING: [&str; 2] = ["close_code", "close_notes"];
/// `state` of incidents.
const IN_PROGRESS: &str = "2";
const RESOLVED: &str = "6";

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
    fn tell(&self, about: &About<'_>) -> Vec<Ask> {
        vec![event::ask(self, about, false)]
    }

    fn resolve(&self, about: &About<'_>) -> Vec<Ask> {
        vec![event::ask(self, about, true)]
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::ServiceNow, reply.status, reply.retry_after, &reply.body)
    }
}

/// The address of an incident.
fn path(case: &Case, fields: &str) -> String {
    format!("{TABLE}/{}?sysparm_fields={}", percent::encode(&case.id), percent::encode(fields))
}

/// A text of a record. Where values are shown with their display value, the value.
fn text<'a>(record: &'a Json, name: &str) -> Option<&'a str> {
    let field = record.get(name)?;
    field.as_str().or_else(|| field.get("value")?.as_str())
}

fn incident(record: &Json) -> Option<Found> {
    let text = |name: &str| text(record, name);
    let active = record
        .get("active")
        .and_then(Json::as_bool)
        .map_or_else(|| text("active").map(|active| active.eq_ignore_ascii_case("true")), Some)?;
    let case = Case::named(text("sys_id")?, text("number")?)?;
    Some(Found {
        case,
        open: active,
        done: text("state") == Some(RESOLVED),
        text: text("description").unwrap_or_default().to_owned(),
    })
}

impl searching::Desk for Settings {
    fn find(&self, about: &About<'_>) -> Ask {
        let query = format!("correlation_id={}^ORDERBYDESCsys_created_on", about.key());
        let path = format!(
            "{TABLE}?sysparm_query={}&sysparm_fields={}&sysparm_limit=10",
            percent::encode(&query),
            percent::encode("sys_id,number,active,state,correlation_id"),
        );
        Ask::get(Act::Find, path)
    }

    fn found(&self, body: &Json, about: &About<'_>) -> Option<Vec<Found>> {
        let mut found = Vec::new();
        for record in body.get("result")?.as_array()? {
            // An instance leaves out conditions that it does not understand, and answers with anything. A record without the
            // field is one whose field this user may not read: nothing can be said of it.
            if text(record, "correlation_id")? == about.key() {
                found.push(incident(record)?);
            }
        }
        Some(found)
    }

    fn look(&self, case: &Case, about: &About<'_>) -> Ask {
        let fields = "sys_id,number,active,state";
        let with_text = format!("{fields},description");
        Ask::get(Act::Look, path(case, if about.again { &with_text } else { fields }))
    }

    fn looked(&self, body: &Json) -> Option<Found> {
        incident(body.get("result")?)
    }

    fn open(&self, about: &About<'_>, former: Option<&Case>) -> Ask {
        let alert = about.alert;
        let telling = about.telling(former);
        let severity = alert.rule.severity;
        let mut body = json!({
            "short_description": plain::title(alert, about.detail, MAX_SHORT),
            "description": plain::text(&telling, Place::Case, MAX_TEXT, Unit::Utf16),
            "urgency": self.urgency.of(severity),
            "impact": self.impact.of(severity),
            "correlation_id": about.key(),
            "correlation_display": "hsmwatch",
        });
        if let Some(body) = body.as_object_mut() {
            if let Some(former) = former {
                let note = format!("An earlier case of this incident is closed: {}.", former.name);
                body.insert("work_notes".to_owned(), json!(note));
            }
            for (name, value) in &self.fields {
                if !OWN_FIELDS.contains(&name.as_str()) && !CLOSING.contains(&name.as_str()) {
                    body.insert(name.clone(), value.clone());
                }
            }
        }
        let path = format!("{TABLE}?sysparm_fields={}", percent::encode("sys_id,number"));
        Ask::json(Act::Open, Method::Post, path, &body)
    }

    fn opened(&self, body: &Json) -> Option<Case> {
        let record = body.get("result")?;
        Case::named(text(record, "sys_id")?, text(record, "number")?)
    }

    fn read(&self, case: &Case, _: &About<'_>) -> Ask {
        // All notes as people see them, the latest first. The table that holds them is for administrators.
        Ask::get(Act::Read, format!("{}&sysparm_display_value=true", path(case, "work_notes")))
    }

    fn note(&self, found: &Found, about: &About<'_>) -> Ask {
        let note = plain::text(&about.telling(None), Place::Note, MAX_TEXT, Unit::Utf16);
        let mut body = json!({ "work_notes": note });
        let reopens = found.done && about.goal != Goal::Resolve;
        if let Some(body) = body.as_object_mut().filter(|_| reopens) {
            body.insert("state".to_owned(), json!(IN_PROGRESS));
        }
        Ask::json(Act::Note, Method::Patch, path(&found.case, "sys_id"), &body)
    }

    fn ways(&self, _: &Case) -> Option<Ask> {
        None
    }

    fn resolve(&self, case: &Case, about: &About<'_>, _: Option<&Json>) -> Option<Ask> {
        let over = if own::is_well_again(about.alert) {
            "The condition is over"
        } else {
            "The test is over"
        };
        let notes = format!("{over} (hsmwatch, alert {}).", about.alert.id);
        let given = |name: &str| self.fields.get(name).cloned();
        let body = json!({
            "state": RESOLVED,
            "close_code": given("close_code").unwrap_or_else(|| json!(CLOSE_CODE)),
            "close_notes": given("close_notes").unwrap_or_else(|| json!(notes)),
        });
        Some(Ask::json(Act::Resolve, Method::Patch, path(case, "sys_id"), &body))
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::ServiceNow, reply.status, reply.retry_after, &reply.body)
    }
}
