//! `[[rule]]`: its values, and what they say to each other within one rule.

use super::catalogue::RULE;
use super::draft::DraftRule;
use super::model::RulePlace;
use super::problem::{Fault, Place, Report};
use super::reader::{Reader, Section};
use super::text::Text;
use super::value;
use crate::watch::duration;
use crate::watch::rule::RuleSpec;
use crate::watch::schedule::Schedule;
use chrono::TimeDelta;
use std::sync::Arc;

/// Reads one `[[rule]]`.
pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section<'_>) -> DraftRule {
    reader.needs(section, "id", "an id of your choice, or that of the preset to change");
    let id = reader.parsed(section, "id", value::rule_id);
    let query = reader.string(section, "query");
    let exclude = reader.string(section, "exclude");
    let workspaces = names(reader, section, "workspaces");
    let receivers = names(reader, section, "receivers");
    let parameters = reader.parameters(section, "parameters");
    let key = columns(reader, section, "key");
    if key.as_ref().is_some_and(Vec::is_empty) {
        let fault = Fault::new("is empty").hint("leave it out: every row is told once");
        reader.fail_at(section, "key", fault);
    }
    let mut parsed = |key, parse: fn(&Text) -> Result<String, Fault>| {
        reader.parsed(section, key, parse).map(|(value, _)| value)
    };
    let title = parsed("title", value::line);
    let meaning = parsed("meaning", value::prose);
    let why = parsed("why", value::prose);
    let action = parsed("action", value::prose);
    let false_positives = parsed("false_positives", value::prose);
    let runbook = parsed("runbook", super::address::runbook);
    let attack = parsed("attack", value::technique);
    let cron = parsed("cron", |text| value::cron(text).map(|_| text.value.clone()));
    let mut lasting = |key| reader.duration(section, key).map(|(duration, _)| duration);
    let spec = RuleSpec {
        every: lasting("every"),
        window: lasting("window"),
        settle: lasting("settle"),
        lookback: lasting("lookback"),
        renotify: lasting("renotify"),
        id: id.as_ref().map(|(id, _)| id.clone()).unwrap_or_default(),
        title,
        severity: reader.parsed(section, "severity", value::severity).map(|(value, _)| value),
        query: query.as_ref().and_then(|t| reader.report.check(&t.setting, value::kql(t))),
        parameters: section.has("parameters").then(|| {
            parameters.iter().map(|(name, _, value)| (name.clone(), value.clone())).collect()
        }),
        exclude: exclude.as_ref().and_then(|t| reader.report.check(&t.setting, value::kql(t))),
        enabled: reader.boolean(section, "enabled").map(|(value, _)| value),
        cron,
        key,
        group_by: columns(reader, section, "group_by"),
        workspaces: workspaces.as_ref().map(|names| values(names)),
        receivers: receivers.as_ref().map(|names| values(names)),
        meaning,
        why,
        action,
        false_positives,
        runbook,
        attack,
    };
    reader.finish(section, None);
    let written =
        RULE.names().filter_map(|key| Some((key, reader.setting_of(section, key)?))).collect();
    let place = RulePlace {
        rule: section.setting.place.clone().unwrap_or_else(|| Place {
            file: Arc::clone(&reader.document.name),
            line: 1,
            column: 1,
        }),
        query: query.and_then(|text| text.place),
        exclude: exclude.and_then(|text| text.place),
    };
    DraftRule {
        at: section.setting.clone(),
        id,
        spec,
        place,
        workspaces: workspaces.unwrap_or_default(),
        receivers: receivers.unwrap_or_default(),
        parameters,
        written,
    }
}

fn values(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.value.clone()).collect()
}

/// A list of names that must not be empty: no name would mean nowhere, not everywhere.
fn names(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
) -> Option<Vec<Text>> {
    let names = reader.strings(section, key)?;
    if names.is_empty() {
        let fault =
            Fault::new("is empty").hint("leave it out for all; enabled = false turns a rule off");
        reader.fail_at(section, key, fault);
    }
    Some(names)
}

fn columns(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
) -> Option<Vec<String>> {
    let mut columns: Vec<String> = Vec::new();
    for text in reader.strings(section, key)? {
        let Some(column) = reader.report.check(&text.setting, value::column(&text)) else {
            continue;
        };
        if columns.contains(&column) {
            reader
                .report
                .fail(&text.setting, Fault::new(format!("{} is named twice", text.quoted())));
        } else {
            columns.push(column);
        }
    }
    Some(columns)
}

/// Holds a rule's values against each other. A preset's change may rest on what the preset says, so only what it
/// contradicts by itself is a problem then.
pub(super) fn check(rule: &DraftRule, preset: bool, default: &Schedule, report: &mut Report) {
    let at = |key| rule.written.get(key);
    let spec = &rule.spec;
    if let (Some(_), Some(cron)) = (at("every"), at("cron")) {
        report.fail(cron, Fault::new("contradicts `every`").hint("keep one of the two"));
    }
    if let (Some(_), Some(lookback)) = (at("window"), at("lookback")) {
        let fault = Fault::new("contradicts `window`").hint(
            "`lookback` is for event rules that tell what was never seen before; a window rule sums up its window",
        );
        report.fail(lookback, fault);
    }
    if let (Some(settle), None, false) = (at("settle"), at("window"), preset) {
        report.fail(settle, Fault::new("needs `window`: only window rules settle"));
    }
    if let (Some(lookback), None, false) = (at("lookback"), at("key"), preset) {
        let fault = Fault::new("needs `key`")
            .hint("the columns that tell old from new, such as key = [\"CallerIpAddress\"]");
        report.fail(lookback, fault);
    }
    if let (Some(renotify), None, None, false) = (at("renotify"), at("key"), at("window"), preset) {
        let fault = Fault::new("needs `key`: without one every row is told once and never again");
        report.fail(renotify, fault);
    }
    let every = match (spec.every, default) {
        (Some(every), _) => Some(every),
        (None, Schedule::Every(every)) if at("cron").is_none() && !preset => Some(*every),
        _ => None,
    };
    if let (Some(every), Some(window), Some(setting)) = (every, spec.window, at("window"))
        && every * 2 > window
    {
        let fault = Fault::new(format!(
            "{} is less than twice `every` ({}), so a burst across two windows would be missed",
            duration::text(window),
            duration::text(every)
        ));
        let half = TimeDelta::seconds(window.num_seconds() / 2);
        let fault = if half >= TimeDelta::seconds(1) {
            fault.hint(format!("every = \"{}\" or less in this rule", duration::text(half)))
        } else {
            fault.hint("a window of at least \"2s\"")
        };
        report.fail(setting, fault);
    }
}
