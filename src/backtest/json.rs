//! The report for programs.

use super::expect::{Count, Met, Per, Verdict};
use super::outcome::{Fired, Outcome, RuleRun};
use crate::watch::row::ticks_text;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The report as one document. Without `verdict` nothing was expected.
pub fn report(outcome: &Outcome, verdict: Option<&Verdict>) -> Json {
    let passed = verdict.is_none_or(Verdict::passed) && outcome.failed().next().is_none();
    let failed = |met: &&Met| !met.passed;
    let mut document = json!({
        "format": 1,
        "summary": {
            "passed": passed,
            "from": time(outcome.period.from),
            "to": time(outcome.period.to),
            "every_seconds": outcome.every.num_seconds(),
            "files": outcome.files,
            "rows": outcome.rows,
            "bad_records": outcome.bad_records,
            "rules": outcome.rules.len(),
            "evaluations": outcome.rules.iter().map(|rule| rule.evaluations).sum::<u64>(),
            "alerts": outcome.alerts(),
            "hits": outcome.rules.iter().map(RuleRun::hits).sum::<u64>(),
            "failed_evaluations": outcome.rules.iter().map(|rule| rule.failed).sum::<u64>(),
        },
        "rules": outcome.rules.iter().map(rule).collect::<Vec<_>>(),
        "alerts": alerts(outcome),
    });
    if let (Some(verdict), Some(fields)) = (verdict, document.as_object_mut()) {
        if let Some(summary) = fields.get_mut("summary").and_then(Json::as_object_mut) {
            let failed = verdict.met.iter().filter(failed).count();
            summary.insert("expectations_passed".to_owned(), json!(verdict.met.len() - failed));
            summary.insert("expectations_failed".to_owned(), json!(failed));
            summary.insert("unexpected".to_owned(), json!(verdict.policy.as_str()));
        }
        let met: Vec<Json> = verdict.met.iter().map(expectation).collect();
        fields.insert("expectations".to_owned(), Json::Array(met));
        let unexpected = verdict.unexpected.iter();
        let unexpected = unexpected.map(|one| json!({ "rule": one.rule, "alerts": one.alerts }));
        fields.insert("unexpected".to_owned(), unexpected.collect());
    }
    document
}

fn rule(rule: &RuleRun) -> Json {
    let days: Map<String, Json> =
        rule.days().into_iter().map(|(day, n)| (day.to_string(), json!(n))).collect();
    json!({
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity.as_str(),
        "alerts": rule.fired.len(),
        "hits": rule.hits(),
        "evaluations": rule.evaluations,
        "rows": rule.rows,
        "failed_evaluations": rule.failed,
        "failure": rule.failure.as_ref().map(|(at, why)| json!({ "at": time(*at), "why": why })),
        "skipped": rule.skipped,
        "days": days,
    })
}

/// All alerts, oldest first.
fn alerts(outcome: &Outcome) -> Vec<Json> {
    let mut all: Vec<(&RuleRun, &Fired)> = outcome
        .rules
        .iter()
        .flat_map(|rule| rule.fired.iter().map(move |fired| (rule, fired)))
        .collect();
    all.sort_by(|(a, x), (b, y)| (x.at, &a.id, &x.id).cmp(&(y.at, &b.id, &y.id)));
    let one = |(rule, fired): (&RuleRun, &Fired)| {
        json!({
            "at": time(fired.at),
            "rule": rule.id,
            "severity": rule.severity.as_str(),
            "id": fired.id,
            "reason": fired.reason.as_str(),
            "count": fired.count,
            "suppressed": fired.suppressed,
            "first_seen": ticks_text(fired.first_seen),
            "last_seen": ticks_text(fired.last_seen),
            "group": *fired.group,
        })
    };
    all.into_iter().map(one).collect()
}

fn expectation(met: &Met) -> Json {
    let of = &met.expectation;
    json!({
        "rule": of.rule,
        "at_least": of.at_least,
        "at_most": of.at_most,
        "count": match of.count { Count::Alerts => "alerts", Count::Hits => "hits" },
        "per": match of.per { Per::All => "all", Per::Day => "day" },
        "from": of.from.map(time),
        "to": of.to.map(time),
        "group": of.group,
        "counted": met.counted,
        "day": met.day.map(|day| day.to_string()),
        "passed": met.passed,
    })
}
