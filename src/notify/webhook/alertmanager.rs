//! What Prometheus' Alertmanager sends to a webhook, version 4: for what already takes that. One alert of ours is one of
//! theirs, in a group of its own; its labels are the same for every alert about the same thing.

use super::{fitting, plain, rfc3339, told_severity};
use crate::notify::{Body, Detail, links, wording};
use crate::watch::alert::Alert;
use crate::watch::own;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// The content type, as Alertmanager sends it.
pub const CONTENT_TYPE: &str = "application/json";

/// How Go writes that an alert has not ended.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// Texts of ours, the alert as text, values and names, as JSON.
const MAX_TEXT: usize = 4_096;
const MAX_DESCRIPTION: usize = 32_768;
const MAX_VALUE: usize = 2_048;
const MAX_NAME: usize = 256;
const MAX_LINK: usize = 8_192;
const MAX_GROUP: usize = 32;

/// The body for an alert.
pub fn render(alert: &Alert, receiver: &str, detail: Detail) -> Body {
    let bytes = object(alert, receiver, detail).to_string().into_bytes();
    Body { content_type: CONTENT_TYPE.into(), bytes }
}

fn object(alert: &Alert, receiver: &str, detail: Detail) -> Json {
    let full = detail == Detail::Full;
    let well = own::is_well_again(alert);
    let status = if well { "resolved" } else { "firing" };
    let labels = labels(alert, full);
    let annotations = annotations(alert, detail);
    let group: Map<String, Json> = ["alertname", "incident_key"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), labels.get(name)?.clone())))
        .collect();
    // Instants of single records are fields of the log.
    let from = if full { alert.first_seen } else { alert.window.from };
    let logs = links::safe(alert.links.logs.as_deref().filter(|_| full), MAX_LINK);
    let runbook = links::safe(alert.links.runbook.as_deref(), MAX_LINK);
    let key: Vec<String> = group.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "receiver": receiver,
        "status": status,
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": rfc3339(from),
            "endsAt": if well { rfc3339(alert.time) } else { NEVER.to_owned() },
            "generatorURL": with_path(logs.or(runbook).unwrap_or_default()),
            "fingerprint": alert.incident_key.get(..16).unwrap_or(&alert.incident_key),
        }],
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": with_path(runbook.unwrap_or_default()),
        "version": "4",
        "groupKey": format!("{{}}:{{{}}}", key.join(", ")),
        "truncatedAlerts": 0,
    })
}

/// A link with a path after its host, as the portal's have none: Go takes what follows for a part of the host otherwise, and
/// Alertmanager's own API refuses it.
fn with_path(link: &str) -> String {
    let host = link.strip_prefix("https://").unwrap_or(link);
    match host.find(['/', '?', '#']).map(|at| host.split_at(at)) {
        Some((host, rest)) if !rest.starts_with('/') => format!("https://{host}/{rest}"),
        _ => link.to_owned(),
    }
}

/// Ours, then the group's columns under names that Prometheus takes.
fn labels(alert: &Alert, full: bool) -> Map<String, Json> {
    let mut out = Map::new();
    let ours = [
        ("alertname", fitting(&alert.rule.id, MAX_NAME)),
        ("severity", told_severity(alert).to_string()),
        ("workspace", fitting(&alert.workspace.name, MAX_NAME)),
        ("incident_key", fitting(&alert.incident_key, MAX_NAME)),
    ];
    out.extend(ours.into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
    // By name, so that the same group always has the same labels.
    let names: BTreeSet<&String> =
        alert.group.keys().take(if full { MAX_GROUP } else { 0 }).collect();
    for column in names {
        let mut name = label_name(column);
        while out.contains_key(&name) {
            name.push('_');
        }
        let value = alert.group.get(column).map(|value| fitting(value, MAX_VALUE));
        out.insert(name, json!(value.unwrap_or_default()));
    }
    out
}

/// A name that a label may have: `[a-zA-Z_][a-zA-Z0-9_]*`, without the two underscores that are Prometheus' own.
fn label_name(column: &str) -> String {
    let mut out = String::new();
    for c in column.chars().take(64) {
        let fits = c == '_' || c.is_ascii_alphabetic() || (c.is_ascii_digit() && !out.is_empty());
        out.push(if fits { c } else { '_' });
    }
    let bare = out.trim_start_matches('_');
    if bare.is_empty() {
        return "column".to_owned();
    }
    if out.starts_with("__") { format!("_{bare}") } else { out }
}

fn annotations(alert: &Alert, detail: Detail) -> Map<String, Json> {
    let mut out = Map::new();
    let mut put = |name: &str, text: &str, max| {
        if !text.is_empty() {
            out.insert(name.to_owned(), json!(fitting(text, max)));
        }
    };
    let summary: Vec<String> =
        wording::summary(alert, detail).iter().map(|piece| piece.text(500)).collect();
    put("title", wording::title(alert), MAX_TEXT);
    put("summary", &summary.concat(), MAX_TEXT);
    put("description", &plain(alert, detail), MAX_DESCRIPTION);
    put("action", &alert.rule.action, MAX_TEXT);
    put("caveat", alert.caveat.as_deref().unwrap_or_default(), MAX_TEXT);
    put("note", alert.note.as_deref().unwrap_or_default(), MAX_TEXT);
    put("alert_id", &alert.id, MAX_NAME);
    put("count", &alert.count.to_string(), MAX_NAME);
    put("reason", alert.reason.as_str(), MAX_NAME);
    let runbook = links::safe(alert.links.runbook.as_deref(), MAX_LINK);
    put("runbook_url", runbook.unwrap_or_default(), MAX_LINK);
    out
}

#[cfg(test)]
mod tests;
