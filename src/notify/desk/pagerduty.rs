//! `PagerDuty`, Events API v2: one endpoint, and `dedup_key` as the key of the case.

use super::details::place;
use super::{About, Levels, keyed};
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::plain::{self, Part, Place, Telling};
use crate::notify::verdict::{Verdict, judge};
use crate::notify::webhook::cloud_event;
use crate::notify::{Detail, Kind, limits, links, wording};
use crate::watch::own;
use chrono::SecondsFormat;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json, json};

/// Where events go unless another address is configured.
pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// What an event never exceeds, in bytes: the API takes 512 KB.
pub const MAX_EVENT: usize = 500_000;
/// What `payload.summary` never exceeds, in characters.
pub const MAX_SUMMARY: usize = 1_024;

/// What the details for people never exceed, in bytes.
const MAX_DETAILS: usize = 32_000;
/// Names of things, in characters.
const MAX_NAME: usize = 250;

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

    fn trigger(&self, about: &About<'_>) -> Json {
        let alert = about.alert;
        let telling = about.telling(None);
        let name = |text: &str| limits::clean(text, MAX_NAME);
        let watched = if own::is_own(alert) { "hsmwatch" } else { "Azure Cloud HSM" };
        let mut links_shown = Vec::new();
        let logs = alert.links.logs.as_deref().filter(|_| about.detail == Detail::Full);
        let logs = links::safe(logs, plain::MAX_LINK);
        let runbook = links::safe(alert.links.runbook.as_deref(), plain::MAX_LINK);
        for (text, href) in [("Query in Logs", logs), ("Runbook", runbook)] {
            links_shown.extend(href.map(|href| json!({ "href": href, "text": text })));
        }
        let mut event = json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": "trigger",
            "dedup_key": about.key(),
            "client": "hsmwatch",
            "links": links_shown,
            "payload": {
                "summary": plain::title(alert, about.detail, MAX_SUMMARY),
                "source": place(about, MAX_NAME),
                "severity": self.severity.of(alert.rule.severity),
                "timestamp": alert.time.to_rfc3339_opts(SecondsFormat::Millis, true),
                "component": watched,
                "group": name(&alert.workspace.name),
                "class": name(&alert.rule.id),
                "custom_details": {},
            },
        });
        if let (Some(event), Some(logs)) = (event.as_object_mut(), logs) {
            event.insert("client_url".to_owned(), json!(logs));
        }
        let room = MAX_EVENT.saturating_sub(event.to_string().len());
        if let Some(details) = event.pointer_mut("/payload/custom_details") {
            *details = Json::Object(details_of(&telling, room));
        }
        event
    }
}

/// What a person reads first, under names of ours, and then the alert as programs take it. At most `room` bytes.
fn details_of(telling: &Telling<'_>, room: usize) -> Map<String, Json> {
    let size = |details: &Map<String, Json>| json!(details).to_string().len();
    let mut details =
        plain::fit(telling, Place::Case, for_people, |details| size(details) <= MAX_DETAILS);
    let mut data = data(telling);
    details.insert("alert".to_owned(), data.clone());
    // Text that is longer now than it was may not fit: the first hits tell most.
    while size(&details) > room {
        let Some(Json::Array(hits)) = data.get_mut("hits") else { break };
        if hits.is_empty() {
            break;
        }
        hits.truncate(hits.len() / 2);
        let left_out = telling.alert.count.saturating_sub(hits.len() as u64);
        if let Some(data) = data.as_object_mut() {
            data.insert("hits_truncated".to_owned(), json!(left_out));
        }
        details.insert("alert".to_owned(), data.clone());
    }
    if size(&details) > room {
        details.remove("alert");
    }
    details
}

fn for_people(parts: &[Part]) -> Map<String, Json> {
    let mut details: Map<String, Json> = Map::new();
    let mut put = |label: &str, text: String| match details.get_mut(label) {
        Some(Json::Array(list)) => list.push(json!(text)),
        Some(there) => *there = json!([there.clone(), text]),
        None => {
            details.insert(label.to_owned(), json!(text));
        }
    };
    let joined = |pieces: &[wording::Piece]| pieces.iter().map(plain::harmless).collect::<String>();
    for part in parts {
        match part {
            Part::Lead(pieces) => put("What happened", joined(pieces)),
            Part::Text(text) => put("Before", text.clone()),
            Part::Warning(text) => put("Caveat", text.clone()),
            Part::Labelled(label, text) => put(label, text.clone()),
            Part::Lines(lines) => lines.iter().for_each(|(label, text)| put(label, joined(text))),
            Part::Hits(table, more) => {
                if !table.rows.is_empty() {
                    put("Hits", table.columns.join(" · "));
                }
                let rows = table.rows.iter().map(|row| plain::row_of(&row.cells));
                for line in rows.chain(more.clone()) {
                    put("Hits", line);
                }
            }
            // They have a place of their own.
            Part::Links(_) => {}
            Part::Footer(text) => put("Sent by", text.clone()),
        }
    }
    details
}

/// The alert as a webhook gets it, without links, and with text from the log that nothing takes for an address or a tag.
fn data(telling: &Telling<'_>) -> Json {
    let body = cloud_event::render(telling.alert, telling.detail);
    let mut event = serde_json::from_slice(&body.bytes).unwrap_or(Json::Null);
    let mut data = event.get_mut("data").map(Json::take).unwrap_or_default();
    if let Some(data) = data.as_object_mut() {
        data.shift_remove("links");
        data.insert("id".to_owned(), json!(telling.alert.id));
    }
    tamed(data)
}

fn tamed(value: Json) -> Json {
    let tame = |text: &str| plain::defanged(&limits::clean(text, usize::MAX));
    match value {
        Json::String(text) => Json::String(tame(&text)),
        Json::Array(items) => items.into_iter().map(tamed).collect(),
        Json::Object(map) => {
            map.into_iter().map(|(name, value)| (tame(&name), tamed(value))).collect()
        }
        other => other,
    }
}

impl keyed::Desk for Settings {
    fn tell(&self, about: &About<'_>) -> Vec<Ask> {
        vec![Ask::json(Act::Tell, Method::Post, String::new(), &self.trigger(about))]
    }

    fn resolve(&self, about: &About<'_>) -> Vec<Ask> {
        let body = json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": "resolve",
            "dedup_key": about.key(),
        });
        vec![Ask::json(Act::Resolve, Method::Post, String::new(), &body)]
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::PagerDuty, reply.status, reply.retry_after, &reply.body)
    }
}
