//! The common alert schema of Azure Monitor, as its log search alerts (version 2) send it: for what already takes those.
//! `monitoringService` says `hsmwatch`, so that nobody takes it for the platform.
//!
//! A receiver of these knows no incident key, so it is among the custom properties; `alertId` is new with every alert on a key, as
//! alerts of Azure without state are, and the same for a condition of hsmwatch itself and the alert that says that it is over.

use super::{fitting, told_severity};
use crate::notify::{Body, Detail, links, wording};
use crate::watch::alert::Alert;
use crate::watch::own;
use crate::watch::severity::Severity;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};

/// The content type, as action groups send it.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
/// Texts of ours, values and names, as JSON.
const MAX_TEXT: usize = 4_096;
const MAX_VALUE: usize = 2_048;
const MAX_NAME: usize = 256;
const MAX_LINK: usize = 8_192;
const MAX_DIMENSIONS: usize = 32;

/// The body for an alert.
pub fn render(alert: &Alert, detail: Detail) -> Body {
    let bytes = object(alert, detail).to_string().into_bytes();
    Body { content_type: CONTENT_TYPE.into(), bytes }
}

fn object(alert: &Alert, detail: Detail) -> Json {
    let full = detail == Detail::Full;
    let well = own::is_well_again(alert);
    let resources = if full { wording::resources(alert) } else { Vec::new() };
    let first = resources.first().copied().unwrap_or_default();
    let subscription = wording::arm_segment(first, "subscriptions")
        .filter(|id| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'))
        .unwrap_or(NOBODY);
    let group = wording::arm_segment(first, "resourceGroups")
        .filter(|name| plain(name))
        .unwrap_or("hsmwatch");
    let rule = fitting(&alert.rule.id, MAX_NAME);
    let key = guid(&alert.incident_key);
    let id = if own::is_own(alert) { key.clone() } else { guid(&alert.id) };

    let targets: Vec<String> = if resources.is_empty() {
        vec![fitting(&alert.workspace.id, MAX_NAME).to_lowercase()]
    } else {
        resources.iter().take(8).map(|id| fitting(&id.to_lowercase(), MAX_VALUE)).collect()
    };
    let items: Vec<String> = if resources.is_empty() {
        vec![fitting(&alert.workspace.name, MAX_NAME)]
    } else {
        resources.iter().take(8).map(|id| fitting(id, MAX_VALUE)).collect()
    };
    let logs = alert.links.logs.as_deref().filter(|_| full);
    let logs = links::safe(logs, MAX_LINK).unwrap_or_default();
    let runbook = links::safe(alert.links.runbook.as_deref(), MAX_LINK).unwrap_or_default();

    let mut essentials = Map::new();
    let mut put = |name: &str, value: Json| {
        essentials.insert(name.to_owned(), value);
    };
    put(
        "alertId",
        json!(format!(
            "/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{id}"
        )),
    );
    put("alertRule", json!(rule));
    put(
        "alertRuleId",
        json!(format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/microsoft.insights/scheduledqueryrules/{rule}"
        )),
    );
    put("severity", json!(severity(told_severity(alert))));
    put("signalType", json!("Log"));
    put("monitorCondition", json!(if well { "Resolved" } else { "Fired" }));
    put("monitoringService", json!("hsmwatch"));
    put("alertTargetIDs", json!(targets));
    put("configurationItems", json!(items));
    put("originAlertId", json!(key));
    put("firedDateTime", json!(ticks(alert.time)));
    if well {
        put("resolvedDateTime", json!(ticks(alert.time)));
    }
    put("description", json!(description(alert, detail)));
    put("essentialsVersion", json!("1.0"));
    put("alertContextVersion", json!("1.0"));
    if let Some(link) = [logs, runbook].into_iter().find(|link| !link.is_empty()) {
        put("investigationLink", json!(link));
    }

    let dimensions: Vec<Json> = alert
        .group
        .iter()
        .take(if full { MAX_DIMENSIONS } else { 0 })
        .map(|(name, value)| {
            json!({ "name": fitting(name, MAX_NAME), "value": fitting(value, MAX_VALUE) })
        })
        .collect();
    let target = if resources.is_empty() {
        "['Microsoft.OperationalInsights/workspaces']"
    } else {
        "['Microsoft.HardwareSecurityModules/cloudHsmClusters']"
    };
    let table = if own::is_own(alert) { "" } else { crate::watch::step::TABLE };
    let properties = properties(alert, detail);
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": essentials,
            "alertContext": {
                "properties": properties,
                "conditionType": "LogQueryCriteria",
                "condition": {
                    "windowSize": iso_duration(alert.window.to - alert.window.from),
                    "allOf": [{
                        "searchQuery": table,
                        "metricMeasureColumn": null,
                        "targetResourceTypes": target,
                        "operator": "GreaterThan",
                        "threshold": "0",
                        "timeAggregation": "Count",
                        "dimensions": dimensions,
                        "metricValue": number(alert.count),
                        "failingPeriods": {
                            "numberOfEvaluationPeriods": 1,
                            "minFailingPeriodsToAlert": 1,
                        },
                        "linkToSearchResultsUI": logs,
                        "linkToFilteredSearchResultsUI": logs,
                        "linkToSearchResultsAPI": "",
                        "linkToFilteredSearchResultsAPI": "",
                    }],
                    "windowStartTime": seconds(alert.window.from),
                    "windowEndTime": seconds(alert.window.to),
                },
            },
            "customProperties": properties,
        },
    })
}

/// What the schema has no place for. All are texts.
fn properties(alert: &Alert, detail: Detail) -> Json {
    let mut out = Map::new();
    let mut put = |name: &str, text: &str| {
        if !text.is_empty() {
            out.insert(name.to_owned(), json!(fitting(text, MAX_TEXT)));
        }
    };
    put("incidentKey", &alert.incident_key);
    put("alertId", &alert.id);
    put("title", &alert.rule.title);
    put("count", &alert.count.to_string());
    put("reason", alert.reason.as_str());
    if alert.suppressed > 0 {
        put("suppressed", &alert.suppressed.to_string());
    }
    put("workspaceId", &alert.workspace.id);
    put("workspaceName", &alert.workspace.name);
    put("ruleVersion", &alert.rule.version);
    if detail == Detail::Full {
        put("firstSeen", &super::rfc3339(alert.first_seen));
        put("lastSeen", &super::rfc3339(alert.last_seen));
    }
    put("meaning", &alert.rule.meaning);
    put("action", &alert.rule.action);
    put("note", alert.note.as_deref().unwrap_or_default());
    put("caveat", alert.caveat.as_deref().unwrap_or_default());
    put("runbook", links::safe(alert.links.runbook.as_deref(), MAX_TEXT).unwrap_or_default());
    Json::Object(out)
}

fn description(alert: &Alert, detail: Detail) -> String {
    let summary: Vec<String> =
        wording::summary(alert, detail).iter().map(|piece| piece.text(500)).collect();
    fitting(&format!("{}: {}", wording::title(alert), summary.concat()), MAX_TEXT)
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Sev0",
        Severity::High => "Sev1",
        Severity::Medium => "Sev2",
        Severity::Low => "Sev3",
        Severity::Info => "Sev4",
    }
}

/// 32 hexadecimal digits as a GUID; anything else as it is.
fn guid(hex: &str) -> String {
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    if hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
        return parts.join("-");
    }
    fitting(hex, MAX_NAME)
}

fn plain(name: &str) -> bool {
    name.len() <= 90 && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
}

/// Always with a fraction, so that it is a number with a point. Counts beyond 2^53 are not told apart.
fn number(count: u64) -> Json {
    count.to_string().parse::<f64>().ok().map_or(Json::Null, Json::from)
}

fn ticks(t: DateTime<Utc>) -> String {
    crate::watch::row::ticks_text(t)
}

fn seconds(t: DateTime<Utc>) -> String {
    t.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `PT1H5M`.
fn iso_duration(span: TimeDelta) -> String {
    let all = span.num_seconds().max(0);
    let (days, h, m, s) = (all / 86_400, all / 3_600 % 24, all / 60 % 60, all % 60);
    let part = |n: i64, unit: char| if n > 0 { format!("{n}{unit}") } else { String::new() };
    let time = [part(h, 'H'), part(m, 'M'), part(s, 'S')].concat();
    match (days, time.as_str()) {
        (0, "") => "PT0S".to_owned(),
        (_, "") => format!("P{days}D"),
        _ => format!("P{}T{time}", part(days, 'D')),
    }
}

#[cfg(test)]
mod tests;
