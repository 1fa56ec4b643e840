//! `check`: looks at configuration and rules, without any network.

use super::report::{count, out, talk};
use super::setup::{self, Ready};
use super::{Context, Done, Format, templates};
use crate::config::Problems;
use crate::notify::limits::clean;
use crate::watch::duration;
use crate::watch::rule::Kind;
use crate::watch::schedule::Schedule;
use serde_json::json;
use std::process::ExitCode;

/// Check the configuration, every rule and every template, without any network
///
/// Reports all problems at once, each with file, line, column and what to do. Templates of receivers are rendered for every
/// rule, with sample alerts of all sorts. Exit code 2 if there are any problems.
///
/// Every rule is bound to both schemas that the table has had. Warnings tell of rules that work on one of them only, and of
/// costs and traps (KQL101 to KQL107, docs/operations.md): reading without a filter, `contains` where `has` serves, joins without a
/// bound in time, `ago()`, answers that differ from run to run, rows cut without an order. A comment in the query takes a
/// warning back: `// allow: KQL104`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let mut setup = setup::load(context)?;
    // Receivers, transport and workspaces are made, and thrown away: what they refuse is told here too.
    setup.transport()?;
    let receivers = setup.receivers()?;
    setup.watches()?;
    let failing = templates::problems(&setup, &receivers);
    if !failing.is_empty() {
        return Err(Problems(failing).into());
    }
    setup.warnings.extend(setup.advice());
    setup.warn();
    if context.format == Format::Json {
        let rules: Vec<_> = setup
            .rules
            .iter()
            .map(|Ready { rule, preset, offline, .. }| {
                json!({
                    "id": rule.id, "title": rule.title, "severity": rule.severity, "preset": preset,
                    "schedule": schedule(&rule.schedule), "kind": kind(&rule.kind),
                    "parameters": super::rules::parameters(rule),
                    "receivers": setup::told(rule, &receivers), "offline": offline.is_empty(),
                })
            })
            .collect();
        out(json!({
            "configuration": setup.source, "rules": rules,
            "workspaces": setup.config.workspaces.iter().map(|w| &w.name).collect::<Vec<_>>(),
            "receivers": receivers.iter().map(|r| &r.name).collect::<Vec<_>>(),
            "warnings": setup.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    } else {
        let width = setup.rules.iter().map(|r| r.rule.id.len()).max().unwrap_or(0);
        for Ready { rule, .. } in &setup.rules {
            let told = setup::told(rule, &receivers);
            let told = if told.is_empty() { "nobody".to_owned() } else { told.join(", ") };
            out(format!(
                "{:<width$}  {:<8}  {:<18}  {:<22}  → {told}",
                rule.id,
                rule.severity.as_str(),
                schedule(&rule.schedule),
                kind(&rule.kind),
            ));
            for (name, value) in &rule.parameters {
                let text = clean(&format!("{name} = {value}"), 200);
                out(format!("{:<width$}  {text}", ""));
            }
        }
        let n = setup.warnings.len();
        talk(format!(
            "{}: {}, {}, {}: fine{}",
            setup.source,
            count(setup.rules.len(), "rule"),
            count(setup.config.workspaces.len(), "workspace"),
            count(receivers.len(), "receiver"),
            if n == 0 { String::new() } else { format!(", with {}", count(n, "warning")) }
        ));
    }
    let fine = !args.strict || setup.warnings.is_empty();
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// When a rule is evaluated, in words.
pub(crate) fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(every) => format!("every {}", duration::text(*every)),
        Schedule::Cron { text, .. } => format!("cron {text}"),
    }
}

/// How a rule is run, in words.
pub(crate) fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Event { lookback: None } => "event".to_owned(),
        Kind::Event { lookback: Some(l) } => format!("event, lookback {}", duration::text(*l)),
        Kind::Window { window, .. } => format!("window {}", duration::text(*window)),
    }
}
