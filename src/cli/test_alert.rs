//! A sample alert: what a rule would send of a made-up record.

use super::sample::{CALLER, CLIENT, HSM, Probe, Watches};
use super::setup::{Setup, instance};
use crate::config::Source;
use crate::notify::operations;
use crate::watch::alert::{Alert, AlertRule, AlertWorkspace, CAVEAT, Hit, Interval, Links, Reason};
use crate::watch::fingerprint::{Hash, Scope, hex};
use crate::watch::head::Version;
use crate::watch::intake::{Group, Reading, incident_key};
use crate::watch::rule::Rule;
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Map;

/// The alert that a rule would send of a made-up record, marked as a test.
pub(crate) fn sample(
    setup: &Setup,
    rule: &Rule,
    severity: Option<Severity>,
    receivers: Vec<String>,
    now: DateTime<Utc>,
) -> Alert {
    let version = Version::of(rule, now);
    let window = Interval { from: now - TimeDelta::hours(1), to: now };
    let here = |name: &String| rule.workspaces.as_ref().is_none_or(|names| names.contains(name));
    let workspace = setup.config.workspaces.iter().find(|workspace| here(&workspace.name));
    let name = workspace.map(|workspace| workspace.name.clone()).unwrap_or_default();
    let id = match workspace.map(|workspace| &workspace.source) {
        Some(Source::LogAnalytics { id, .. }) => id.clone(),
        _ => name.clone(),
    };
    // To the workspace if it is known where that is: the HSM is made up.
    let logs = workspace
        .and_then(|workspace| setup.workspace(workspace).ok())
        .and_then(|workspace| (workspace.logs_link)(&version.ask(window), window, None));
    let (hit, group) = hit(rule, &Scope::new(&id, &rule.id, &version.id), now);
    // Random, so that no receiver takes a second test for the first.
    let mut hash = Hash::new("test");
    hash.text(&instance()).text(&now.timestamp_micros().to_string());
    let test = hash.finish();
    Alert {
        id: hex(&test),
        rule: AlertRule {
            id: rule.id.clone(),
            title: format!("Test: {}", rule.title),
            severity: severity.unwrap_or(rule.severity),
            version: version.id,
            meaning: rule.meaning.clone(),
            why: rule.why.clone(),
            action: rule.action.clone(),
            false_positives: rule.false_positives.clone(),
        },
        // Of its own: a test must not land in the case of something that has happened.
        incident_key: incident_key("test", &hex(&test), &group),
        workspace: AlertWorkspace { id, name },
        group,
        reason: Reason::Test,
        window,
        time: now,
        count: 1,
        suppressed: 0,
        first_seen: hit.time,
        last_seen: hit.time,
        hits: vec![hit],
        hits_truncated: 0,
        caveat: Some(CAVEAT.to_owned()),
        note: Some("This is a test, sent by hand with `hsmwatch send-test`. Nothing has happened: the record below is made up.".to_owned()),
        links: Links { logs, runbook: rule.runbook.clone() },
        receivers,
    }
}

/// What the rule returns for the first operation that it watches.
fn hit(rule: &Rule, scope: &Scope, now: DateTime<Utc>) -> (Hit, Group) {
    let probe = Probe::new(rule, now);
    let reading =
        Reading { scope: scope.clone(), key: &rule.key, group_by: rule.group_by.as_deref() };
    let known = || operations::all().iter().map(|operation| operation.name.as_str());
    let this = known().find(|name| probe.watches(name) == Watches::This);
    let operation = this.or_else(|| known().next()).unwrap_or_default();
    if let Some(row) = probe.latest(operation) {
        let fingerprint = scope.fingerprint(&row, &rule.key);
        let time = row.time().unwrap_or(now);
        return (reading.hit(&row, &fingerprint, 1, time), reading.group(&row));
    }
    // The embedded engine cannot run the rule, or it asks for what is not made up.
    let hit = Hit {
        fingerprint: hex(&Hash::new("test").finish()),
        time: now - TimeDelta::minutes(1),
        operation: Some(operation.to_owned()),
        instance: Some("hsmwatch-test-1".to_owned()),
        caller: Some(CALLER.to_owned()),
        client: Some(CLIENT.to_owned()),
        resource: Some(HSM.to_owned()),
        fields: Map::new(),
    };
    (hit, Group::from([("_ResourceId".to_owned(), HSM.to_owned())]))
}
