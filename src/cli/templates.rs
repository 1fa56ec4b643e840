//! Receivers' templates, tried with every alert that they may come to see.

use super::setup::{self, Setup};
use super::test_alert::sample;
use crate::config::Problem;
use crate::notify::webhook::template::{Fault, context};
use crate::notify::webhook::{self, Template, TemplateProblem};
use crate::notify::{Receiver, Settings};
use crate::watch::alert::{Alert, Hit, Links, Reason};
use crate::watch::own::{self, Condition, Observation};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// Text that a log may hold, to break out of whatever it is put in.
const HOSTILE: &str =
    "\"}],\"x\":[{\\ <b>&amp; {{ x }} {% y %}\r\n\u{202e}\u{1b}[2J `code` @all \u{2028}é🔑";
/// Hits that an alert lists at most.
const MANY: usize = 500;

/// What is wrong with the templates of receivers: each place once, with the rules for which it is.
pub(crate) fn problems(setup: &Setup, receivers: &[Receiver]) -> Vec<Problem> {
    let templates: Vec<(&Receiver, &Template)> = receivers
        .iter()
        .filter_map(|receiver| match &receiver.settings {
            Settings::Webhook(webhook::Settings {
                format: webhook::Format::Template(template),
                ..
            }) => Some((receiver, template)),
            _ => None,
        })
        .collect();
    if templates.is_empty() {
        return Vec::new();
    }
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    let mut found: Vec<Vec<Found>> = templates.iter().map(|_| Vec::new()).collect();
    for ready in &setup.rules {
        let told = setup::told(&ready.rule, receivers);
        if !templates.iter().any(|(receiver, _)| told.contains(&receiver.name)) {
            continue;
        }
        let alert = sample(setup, &ready.rule, None, told.clone(), now);
        let variants = variants(&alert);
        for ((receiver, template), found) in templates.iter().zip(&mut found) {
            if told.contains(&receiver.name) {
                for (how, alert) in &variants {
                    attempt(receiver, template, alert, Some(&ready.rule.id), how, found);
                }
            }
        }
    }
    let own = own_alerts(now);
    for ((receiver, template), found) in templates.iter().zip(&mut found) {
        for (how, alert) in &own {
            attempt(receiver, template, alert, None, how, found);
        }
    }
    let all = templates.iter().zip(found);
    all.flat_map(|((receiver, _), found)| {
        found.into_iter().map(|found| found.told(setup, receiver))
    })
    .collect()
}

/// A place where a template fails, and for what.
struct Found {
    problem: TemplateProblem,
    /// What the engine says beside.
    detail: Option<String>,
    rules: BTreeSet<String>,
    /// Of the first alert it failed for.
    how: &'static str,
}

/// Renders, and notes what is wrong.
fn attempt(
    receiver: &Receiver,
    template: &Template,
    alert: &Alert,
    rule: Option<&str>,
    how: &'static str,
    found: &mut Vec<Found>,
) {
    let rendered = template.render(&context(alert, receiver.detail));
    let faults = rendered.body.err().into_iter().chain(rendered.header_fault);
    for Fault { problem, detail } in faults {
        // The column within the body differs from rule to rule; the template's own does not.
        let same = |found: &&mut Found| {
            found.problem.part == problem.part
                && (found.problem.offset, &found.problem.hint) == (problem.offset, &problem.hint)
        };
        let rule = rule.map(str::to_owned);
        match found.iter_mut().find(same) {
            Some(found) => found.rules.extend(rule),
            None => found.push(Found { problem, detail, rules: rule.into_iter().collect(), how }),
        }
    }
}

impl Found {
    fn told(self, setup: &Setup, receiver: &Receiver) -> Problem {
        let Self { problem, detail, rules, how } = self;
        let mut rules = rules.iter();
        let whom = match (rules.next(), rules.len()) {
            (None, _) => "hsmwatch itself".to_owned(),
            (Some(rule), 0) => format!("rule `{rule}`"),
            (Some(rule), more) => format!("rule `{rule}` and {more} more"),
        };
        let how = if how.is_empty() { String::new() } else { format!(" ({how})") };
        let detail = detail
            .filter(|detail| !problem.message.contains(detail.as_str()))
            .map_or_else(String::new, |detail| format!(": {detail}"));
        let place = setup.template_place(&receiver.name, &problem.part, problem.offset);
        let part = &problem.part;
        let at = match &place {
            Some(_) => part.to_string(),
            None => format!("{part}, line {}, column {}", problem.line, problem.column),
        };
        let message = format!(
            "receiver `{}`: {at}: fails for an alert of {whom}{how}: {}{detail}",
            receiver.name, problem.message
        );
        Problem { place, message, hint: problem.hint }
    }
}

/// An alert as it mostly is, and as it may be.
fn variants(alert: &Alert) -> Vec<(&'static str, Alert)> {
    let digest = Alert {
        reason: Reason::Digest,
        group: alert.group.iter().take(0).map(|(k, v)| (k.clone(), v.clone())).collect(),
        hits: Vec::new(),
        count: 1_234,
        hits_truncated: 1_234,
        suppressed: 17,
        note: Some("further hits are counted here".to_owned()),
        links: Links::default(),
        ..alert.clone()
    };
    let with = |hits: Vec<Hit>, note: Option<String>| Alert {
        reason: Reason::New,
        count: hits.len() as u64,
        hits,
        note,
        ..alert.clone()
    };
    let plain = with(alert.hits.clone(), None);
    let empty = |hit: &Hit| Hit {
        operation: None,
        instance: None,
        caller: None,
        client: None,
        resource: None,
        fields: Map::new(),
        ..hit.clone()
    };
    let mut bare = with(alert.hits.iter().map(empty).collect(), None);
    bare.links = Links::default();
    let mut hostile = with(alert.hits.iter().map(hostile).collect(), None);
    hostile.group = alert.group.keys().map(|k| (k.clone(), HOSTILE.to_owned())).collect();
    let many = with(alert.hits.iter().cycle().take(MANY).cloned().collect(), None);
    vec![
        ("", plain),
        ("a test", alert.clone()),
        ("a digest, which lists no hit and names no group", digest),
        ("a record whose columns are empty, and no link", bare),
        ("hostile text in the record", hostile),
        ("500 hits", many),
    ]
}

fn hostile(hit: &Hit) -> Hit {
    let text = |had: &Option<String>| had.as_ref().map(|_| HOSTILE.to_owned());
    let value = |value: &Json| match value {
        Json::String(_) => Json::from(HOSTILE),
        other => other.clone(),
    };
    Hit {
        operation: text(&hit.operation),
        instance: text(&hit.instance),
        caller: text(&hit.caller),
        client: text(&hit.client),
        resource: text(&hit.resource),
        fields: hit.fields.iter().map(|(name, was)| (name.clone(), value(was))).collect(),
        ..hit.clone()
    }
}

/// What hsmwatch says of itself: that something is the matter, and that it is over.
fn own_alerts(now: DateTime<Utc>) -> Vec<(&'static str, Alert)> {
    let mut head = own::start(now - TimeDelta::days(1));
    let ill = Observation {
        condition: Condition::WatchFailing,
        about: "sample".to_owned(),
        subject: "sample".to_owned(),
        since: now - TimeDelta::hours(1),
        detail: "Workspace `sample` is a sample.".to_owned(),
        not_over: None,
        only_over: None,
    };
    let ill = own::step(&mut head, &[ill], &[], now).into_iter();
    let ill: Vec<Alert> = ill.collect();
    let well = own::step(&mut head, &[], &[], now + TimeDelta::hours(1));
    let ill = ill.into_iter().map(|alert| ("that something is the matter", alert));
    ill.chain(well.into_iter().map(|alert| ("that it is well again", alert))).collect()
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
