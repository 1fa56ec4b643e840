//! `rules`: what can be watched, and what one rule looks for.

use super::catalogue::{self, Catalogue, Entry};
use super::columns::lines;
use super::query;
use super::report::{Stop, out, talk};
use super::span::{Span, Timing};
use super::{Context, Done, Format};
use super::{check, setup};
use crate::notify::limits::clean;
use crate::notify::terminal::{WIDTH, wrap};
use crate::watch::duration;
use crate::watch::head::Version;
use crate::watch::parameters::Parameters;
use crate::watch::rule::{Kind, Rule};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

const AFTER: &str = "\
Examples:
  hsmwatch rules                               all presets, and your own rules
  hsmwatch rules show key-delete               what it looks for, what it means, what to do
  hsmwatch rules show key-delete --kql         the query alone, to be pasted into the portal
  hsmwatch rules show login-burst --kql --last 6h
  hsmwatch rules tables                        what an identity must be allowed to read

Turn rules on in hsmwatch.toml: presets = [\"tutorial\"], with ids or the sets tutorial, recommended and all.";

/// List the rules, or show one
///
/// Lists all presets and your own rules. Works without any configuration; with one it also says which are on.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List all rules
    List,
    /// Show one rule: its query, and what its alerts say
    Show(Show),
    /// List the tables that the rules read: what the watcher's identity must be allowed to read
    ///
    /// The rules that are on; without a configuration, all presets. With --format json it is the list for the parameter
    /// `tables` of infra/main.bicep, from which the condition of the watcher's role is made.
    Tables,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The rule's id
    id: String,
    /// Print the query alone, with its window's two constants: ready to be pasted into the portal
    #[arg(long)]
    kql: bool,
    /// With --kql: the window's length, up to now [default: the rule's window, or 1h]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "kql")]
    last: Option<TimeDelta>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let catalogue = catalogue::find(context)?;
    match &args.what {
        None | Some(What::List) => list(context, &catalogue),
        Some(What::Show(show)) if show.kql => kql(context, &catalogue.get(&show.id)?.rule, show)?,
        Some(What::Show(show)) => one(context, &catalogue, catalogue.get(&show.id)?),
        Some(What::Tables) => tables(context, &catalogue),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context, catalogue: &Catalogue) {
    if context.format == Format::Json {
        let rules: Vec<_> = catalogue.entries.iter().map(|e| brief(catalogue, e)).collect();
        out(json!(rules));
        return;
    }
    let known = catalogue.setup.is_some();
    let mut head = vec!["ID", "SEVERITY", "KIND", "SCHEDULE", "SETS", "TITLE"];
    if known {
        head.insert(0, "");
    }
    let rows: Vec<Vec<String>> = catalogue
        .entries
        .iter()
        .map(|entry| {
            let rule = &entry.rule;
            let sets = match entry.sets().as_slice() {
                [] => "(own)".to_owned(),
                // All presets are in `all`.
                [.., "all"] if entry.sets().len() > 1 => entry
                    .sets()
                    .into_iter()
                    .filter(|set| *set != "all")
                    .collect::<Vec<_>>()
                    .join(", "),
                sets => sets.join(", "),
            };
            let state = known.then(|| entry.state().to_owned());
            let cells = [
                rule.id.clone(),
                rule.severity.to_string(),
                check::kind(&rule.kind),
                check::schedule(&rule.schedule),
                sets,
                clean(&rule.title, 60),
            ];
            state.into_iter().chain(cells).collect()
        })
        .collect();
    lines(&head, &rows).into_iter().for_each(out);
    let all = catalogue.entries.len();
    talk(match &catalogue.setup {
        Some(setup) => {
            let on = catalogue.entries.iter().filter(|entry| entry.on == Some(true)).count();
            format!("{on} of {all} rules are on ({})", setup.source)
        }
        None => format!("{all} presets; without a configuration nothing is on"),
    });
    talk("`hsmwatch rules show ID` tells what one looks for");
}

/// The tables, each with the rules that read it.
fn tables(context: &Context, catalogue: &Catalogue) {
    let mut readers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for entry in catalogue.entries.iter().filter(|entry| entry.on != Some(false)) {
        for table in entry.rule.tables() {
            readers.entry(table).or_default().push(&entry.rule.id);
        }
    }
    if context.format == Format::Json {
        out(json!(readers.keys().collect::<Vec<_>>()));
        return;
    }
    let rows: Vec<Vec<String>> = readers
        .into_iter()
        .map(|(table, rules)| vec![clean(&table, 80), rules.join(", ")])
        .collect();
    lines(&["TABLE", "READ BY"], &rows).into_iter().for_each(out);
}

/// Names of the receivers that are told; `None` without a configuration.
fn told(catalogue: &Catalogue, rule: &Rule) -> Option<Vec<String>> {
    let receivers = catalogue.setup.as_ref()?.receivers().ok()?;
    Some(setup::told(rule, &receivers))
}

fn brief(catalogue: &Catalogue, entry: &Entry) -> serde_json::Value {
    let rule = &entry.rule;
    json!({
        "id": rule.id, "title": rule.title, "severity": rule.severity,
        "kind": check::kind(&rule.kind), "schedule": check::schedule(&rule.schedule),
        "preset": entry.preset.is_some(), "sets": entry.sets(), "changed": entry.changed,
        "on": entry.on, "receivers": told(catalogue, rule),
    })
}

/// The parameters as JSON.
pub(crate) fn parameters(rule: &Rule) -> serde_json::Value {
    rule.parameters.iter().map(|(name, value)| (name.clone(), value.json())).collect()
}

fn kql(context: &Context, rule: &Rule, show: &Show) -> Result<(), Stop> {
    let timing = Timing { last: show.last, from: None, to: None };
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let span = Span::of_rule(&timing, rule, Utc::now(), Some(TimeDelta::hours(1)))?;
    let text = Version::of(rule, span.now).ask(span.window);
    if context.format == Format::Json {
        out(json!({"id": rule.id, "query": text, "window": span.window, "timespan": span.asked}));
        return Ok(());
    }
    out(text.trim_end());
    if let Kind::Event { lookback: Some(lookback) } = rule.kind {
        talk(format!(
            "in the portal, set the time range to the last {} at least: the rule tells new from old by what was there before",
            duration::text(lookback)
        ));
    } else {
        talk("in the portal, set the time range to one that holds the window above");
    }
    Ok(())
}

fn one(context: &Context, catalogue: &Catalogue, entry: &Entry) {
    let rule = &entry.rule;
    let told = told(catalogue, rule);
    if context.format == Format::Json {
        let mut all = brief(catalogue, entry);
        let more = json!({
            "query": rule.query, "parameters": parameters(rule), "exclude": rule.exclude, "key": rule.key,
            "renotify": rule.renotify.map(duration::text), "group_by": rule.group_by,
            "workspaces": rule.workspaces, "meaning": rule.meaning, "why": rule.why,
            "action": rule.action, "false_positives": rule.false_positives,
            "runbook": rule.runbook, "attack": rule.attack,
        });
        if let (Some(all), serde_json::Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        out(all);
        return;
    }
    out(format!("{}: {}", rule.id, clean(&rule.title, 200)));
    out("");
    let every = check::schedule(&rule.schedule);
    let mut facts = vec![
        ("Severity", rule.severity.to_string()),
        ("Evaluated", format!("{every}, {}", check::kind(&rule.kind))),
    ];
    if !rule.key.is_empty() {
        let hold = duration::text(rule.hold());
        facts.push(("Told once", format!("per {}, again after {hold}", rule.key.join(", "))));
    }
    if let Some(columns) = &rule.group_by {
        facts.push(("One alert", format!("per {}", columns.join(", "))));
    }
    for (name, value) in &rule.parameters {
        facts.push(("Parameter", format!("{name} = {value}")));
    }
    let what = match (entry.preset, entry.changed) {
        (None, _) => "your own rule".to_owned(),
        (Some(_), false) => format!("preset of {}", entry.sets().join(", ")),
        (Some(_), true) => format!("preset of {}, changed here", entry.sets().join(", ")),
    };
    facts.push(("Origin", what));
    if let (Some(setup), Some(on)) = (&catalogue.setup, entry.on) {
        let state = if on { "on" } else { "off" };
        facts.push(("State", format!("{state} ({})", setup.source)));
        let places = match &rule.workspaces {
            Some(names) => names.join(", "),
            None => "all workspaces".to_owned(),
        };
        facts.push(("Watched on", places));
    }
    if let Some(told) = told {
        let told = if told.is_empty() { "nobody".to_owned() } else { told.join(", ") };
        facts.push(("Receivers", told));
    }
    let optional = [("Attack", &rule.attack), ("Runbook", &rule.runbook)];
    facts.extend(optional.into_iter().filter_map(|(l, text)| Some((l, text.clone()?))));
    for (label, text) in [
        ("Meaning", &rule.meaning),
        ("Why it matters", &rule.why),
        ("Do now", &rule.action),
        ("Harmless when", &rule.false_positives),
    ] {
        facts.push((label, clean(text, 2_000)));
    }
    for (label, text) in facts {
        labelled(label, &text);
    }
    out("");
    // Its parameters are shown above, and with --kql.
    let shown = Rule { parameters: Parameters::new(), ..(**rule).clone() };
    for line in shown.text().trim().lines() {
        // A query is shown as it is, but nothing in it moves the cursor.
        out(format!("  {}", query::visible(line)));
    }
}

/// A label and a text, on as many lines as it takes.
pub(crate) fn labelled(label: &str, text: &str) {
    const INDENT: usize = 18;
    for (n, line) in wrap(text, WIDTH - INDENT).iter().enumerate() {
        let label = if n == 0 { label } else { "" };
        out(format!("  {label:<width$}{line}", width = INDENT - 2));
    }
}
