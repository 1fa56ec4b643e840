//! What the kinds of receivers need to know besides their address.

use super::problem::Fault;
use super::reader::{Reader, Section};
use super::secret;
use super::text::{Text, list};
use super::value::{self, word};
use crate::notify::desk::servicenow::Table;
use crate::notify::desk::{Levels, jira, jsm, pagerduty, servicenow};
use crate::notify::{Kind, Settings, desk, webhook};
use crate::watch::severity::Severity;
use secrecy::SecretString;
use serde_json::{Map, Value as Json};

/// The tables of `ServiceNow`, by their words.
pub(super) const TABLES: [(&str, Table); 2] =
    [("incident", Table::Incident), ("em_event", Table::EmEvent)];

/// What stands in the keys of the desks.
pub(super) struct Desk {
    /// What the kind needs; `None` only with a problem written down.
    pub(super) settings: Option<Settings>,
    /// The key of Jira Service Management, which goes into a header.
    pub(super) api_key: Option<SecretString>,
}

/// Reads the keys of the desks, and makes the settings of any kind.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    kind: Option<Kind>,
    webhook: Option<webhook::Settings>,
) -> Desk {
    let routing_key = reader.parsed(section, "routing_key", secret::routing_key);
    let api_key =
        reader.parsed(section, "api_key", |text| secret::credential(text).and_then(secret::alone));
    let table = reader.parsed(section, "table", table).map(|(table, _)| table).unwrap_or_default();
    let project = reader.parsed(section, "project", project);
    let issue_type = reader.parsed(section, "issue_type", value::line);
    let events = table == Table::EmEvent;
    if kind == Some(Kind::ServiceNow) {
        let stray: &[&str] = if events { &["urgency", "impact"] } else { &["severity"] };
        for key in stray.iter().filter(|key| section.reads(key)) {
            let other = if events { "incident" } else { "em_event" };
            let fault = Fault::new(format!("only for `table = \"{other}\"`"))
                .hint("take it out, or write that `table`");
            reader.fail_at(section, key, fault);
        }
    }
    let severity = match kind {
        Some(Kind::PagerDuty) => words(reader, section, "severity", &PAGERDUTY),
        _ => words(reader, section, "severity", &EVENT),
    };
    let priority = if kind == Some(Kind::JiraServiceManagement) {
        words(reader, section, "priority", &PRIORITY)
    } else {
        names(reader, section, "priority")
    };
    let urgency = words(reader, section, "urgency", &INCIDENT);
    let impact = words(reader, section, "impact", &INCIDENT);
    let fields = fields(reader, section, kind, events);
    let settings = kind.and_then(|kind| {
        Some(match kind {
            Kind::Teams => Settings::Teams,
            Kind::Slack => Settings::Slack,
            Kind::Webhook => Settings::Webhook(webhook?),
            Kind::PagerDuty => Settings::Desk(desk::Settings::PagerDuty(pagerduty::Settings {
                routing_key: routing_key?.0,
                severity: with(pagerduty::Settings::default_severity(), severity),
            })),
            Kind::JiraServiceManagement => {
                Settings::Desk(desk::Settings::JiraServiceManagement(jsm::Settings {
                    priority: with(jsm::Settings::default_priority(), priority),
                    fields,
                }))
            }
            Kind::ServiceNow => Settings::Desk(desk::Settings::ServiceNow(servicenow::Settings {
                table,
                urgency: with(servicenow::Settings::default_urgency(), urgency),
                impact: with(servicenow::Settings::default_impact(), impact),
                severity: with(servicenow::Settings::default_severity(), severity),
                fields,
            })),
            Kind::Jira => Settings::Desk(desk::Settings::Jira(jira::Settings {
                project: project?.0,
                issue_type: issue_type.map_or_else(|| "Task".to_owned(), |(name, _)| name),
                // An empty word is not sent.
                priority: (!priority.is_empty()).then(|| with(Levels::new([""; 5]), priority)),
                fields,
            })),
        })
    });
    Desk { settings, api_key: api_key.map(|(key, _)| key) }
}

/// `PagerDuty` with nothing but its key.
pub(super) fn pagerduty(routing_key: SecretString) -> Settings {
    let severity = pagerduty::Settings::default_severity();
    Settings::Desk(desk::Settings::PagerDuty(pagerduty::Settings { routing_key, severity }))
}

const PAGERDUTY: [&str; 4] = ["critical", "error", "warning", "info"];
const PRIORITY: [&str; 5] = ["P1", "P2", "P3", "P4", "P5"];
const INCIDENT: [&str; 3] = ["1", "2", "3"];
const EVENT: [&str; 6] = ["0", "1", "2", "3", "4", "5"];

/// A table of severities whose values are some of a few words.
fn words(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    words: &[&'static str],
) -> Vec<(Severity, String)> {
    let found = reader.levels(section, key);
    let checked = found.into_iter().filter_map(|(severity, text)| {
        let result = if words.contains(&text.value.as_str()) {
            Ok(text.value.clone())
        } else {
            Err(Fault::new(format!("{} is not one of the words for it", text.quoted()))
                .hint(format!("one of {}", list(words))))
        };
        Some((severity, reader.report.check(&text.setting, result)?))
    });
    checked.collect()
}

/// A table of severities whose values are the user's own.
fn names(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
) -> Vec<(Severity, String)> {
    let found = reader.levels(section, key);
    let checked = found.into_iter().filter_map(|(severity, text)| {
        Some((severity, reader.report.check(&text.setting, value::line(&text))?))
    });
    checked.collect()
}

/// Some levels, and the others as they were.
fn with(mut levels: Levels, changed: Vec<(Severity, String)>) -> Levels {
    for (severity, word) in changed {
        let level = match severity {
            Severity::Critical => &mut levels.critical,
            Severity::High => &mut levels.high,
            Severity::Medium => &mut levels.medium,
            Severity::Low => &mut levels.low,
            Severity::Info => &mut levels.info,
        };
        *level = word;
    }
    levels
}

/// Further fields of new cases. Those that we know a case by, and fill in ourselves, are ours.
fn fields(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    kind: Option<Kind>,
    events: bool,
) -> Map<String, Json> {
    let ours: &[&str] = match kind {
        Some(Kind::Jira) => &["project", "issuetype", "summary", "description"],
        Some(Kind::ServiceNow) if events => {
            &["message_key", "severity", "description", "time_of_event", "resolution_state"]
        }
        Some(Kind::ServiceNow) => {
            &["correlation_id", "short_description", "description", "work_notes"]
        }
        Some(Kind::JiraServiceManagement) => &["alias", "message", "description"],
        _ => &[],
    };
    let mut fields = Map::new();
    for (name, setting, value) in reader.values(section, "fields") {
        if ours.contains(&name.as_str()) {
            let fault = Fault::new("hsmwatch fills this in itself").hint(match name.as_str() {
                "project" => "`project` of the receiver",
                "issuetype" => "`issue_type` of the receiver",
                _ => "take it out",
            });
            reader.report.fail(&setting, fault);
        }
        if let Some((_, such)) = added(kind, &name).filter(|(good, _)| !good(&value)) {
            let fault = Fault::new("hsmwatch adds to it, and cannot add to this");
            reader.report.fail(&setting, fault.hint(such));
        }
        fields.insert(name, value);
    }
    fields
}

/// Whether a value has a form.
type Form = fn(&Json) -> bool;

/// What a field must be that we add to, where it is one, and an example.
fn added(kind: Option<Kind>, name: &str) -> Option<(Form, &'static str)> {
    let words: Form =
        |value| value.as_array().is_some_and(|items| items.iter().all(Json::is_string));
    match (kind?, name) {
        (Kind::Jira, "labels") => Some((words, "labels = [\"hsm\", \"audit\"]")),
        (Kind::JiraServiceManagement, "tags") => Some((words, "tags = [\"hsm\", \"audit\"]")),
        (Kind::JiraServiceManagement, "details") => {
            Some((Json::is_object, "details = { team = \"HSM operations\" }"))
        }
        (Kind::ServiceNow, "additional_info") => {
            Some((Json::is_object, "additional_info = { team = \"HSM operations\" }"))
        }
        _ => None,
    }
}

/// A table of `ServiceNow`.
pub(super) fn table(text: &Text) -> Result<Table, Fault> {
    word(text, "table", &TABLES)
}

/// The key of a project of Jira.
pub(super) fn project(text: &Text) -> Result<String, Fault> {
    let key = &text.value;
    let good = key.starts_with(|c: char| c.is_ascii_uppercase())
        && key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && (2..=100).contains(&key.len());
    if good {
        return Ok(key.clone());
    }
    let hint = match key.split_once('-') {
        Some((before, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            super::problem::shown(before)
                .filter(|_| text.literal)
                .map(|key| format!("of that issue: \"{key}\""))
        }
        _ => None,
    };
    Err(Fault::new(format!("{} is not the key of a project", text.quoted())).hint(hint.unwrap_or_else(|| {
        "the key, not the name: two or more capital letters and digits, what stands before the number in `SEC-12`".to_owned()
    })))
}
