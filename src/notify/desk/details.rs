//! Facts about an alert by name, for desks that keep such beside the text: every value is a text.

use super::About;
use crate::notify::{Detail, limits, links, plain, wording};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// The longest value, in UTF-16 units.
const MAX_VALUE: usize = 1_000;

/// The facts, the most telling first, of at most `max` bytes as JSON.
pub(super) fn details(about: &About<'_>, max: usize) -> Map<String, Json> {
    let alert = about.alert;
    let time = |t: DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut facts: Vec<(&str, String)> = vec![
        ("alert_id", alert.id.clone()),
        ("incident_key", alert.incident_key.clone()),
        ("rule", alert.rule.id.clone()),
        ("rule_version", alert.rule.version.clone()),
        ("severity", alert.rule.severity.to_string()),
        ("reason", alert.reason.as_str().to_owned()),
        ("count", alert.count.to_string()),
        ("held_back", alert.suppressed.to_string()),
        ("workspace", alert.workspace.name.clone()),
        ("window_from", time(alert.window.from)),
        ("window_to", time(alert.window.to)),
        ("detected", time(alert.time)),
        ("alert_of_incident", about.nth.to_string()),
    ];
    if let Some(previous) = &about.previous {
        facts.push(("previous_alert", previous.alert.clone()));
    }
    if about.detail == Detail::Full {
        facts.push(("first_seen", time(alert.first_seen)));
        facts.push(("last_seen", time(alert.last_seen)));
        let listed =
            |texts: BTreeSet<&str>| texts.into_iter().take(10).collect::<Vec<_>>().join(", ");
        facts.push(("hsm", listed(wording::resources(alert).into_iter().collect())));
        let hits = || alert.hits.iter();
        facts.push(("callers", listed(hits().filter_map(|hit| hit.caller.as_deref()).collect())));
        facts.push((
            "operations",
            listed(hits().filter_map(|hit| hit.operation.as_deref()).collect()),
        ));
        facts.push(("clients", listed(hits().filter_map(|hit| hit.client.as_deref()).collect())));
    } else {
        facts.push(("detail", "counts".to_owned()));
    }
    let mut details = Map::new();
    let mut room = max.saturating_sub(2);
    let mut put = |name: &str, value: String| {
        // Name, value, colon and comma.
        let size = json!(name).to_string().len() + json!(value).to_string().len() + 2;
        if !value.is_empty() && size <= room {
            room -= size;
            details.insert(name.to_owned(), json!(value));
        }
    };
    for (name, value) in facts {
        put(name, plain::defanged(&limits::clean(&value, MAX_VALUE)));
    }
    // The query in the link may name values of the log.
    let logs = alert.links.logs.as_deref().filter(|_| about.detail == Detail::Full);
    for (name, link) in [("runbook", alert.links.runbook.as_deref()), ("logs", logs)] {
        if let Some(link) = links::safe(link, plain::MAX_LINK) {
            put(name, link.to_owned());
        }
    }
    details
}

/// What is watched, for lists: the HSM's name, or the workspace's; never empty.
pub(super) fn place(about: &About<'_>, max: usize) -> String {
    let alert = about.alert;
    let hsm = match wording::resources(alert).as_slice() {
        [resource] if about.detail == Detail::Full => wording::short_name(resource).to_owned(),
        _ => String::new(),
    };
    let names = [hsm, alert.workspace.name.clone(), "hsmwatch".to_owned()];
    let names = names.iter().map(|name| plain::defanged(&limits::clean(name, max)));
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
}
