//! `explain`: what an operation of the audit log means, and which rules watch it.

use super::catalogue::{self, Entry};
use super::columns::lines;
use super::report::{out, talk};
use super::rules::labelled;
use super::sample::{Probe, Watches};
use super::{Context, Done, Format};
use crate::config::nearest;
use crate::notify::limits::clean;
use crate::notify::operations::{self, Operation};
use crate::watch::parameters::Parameter;
use chrono::Utc;
use serde_json::json;
use std::process::ExitCode;

const AFTER: &str = "\
Examples:
  hsmwatch explain                             all operations with a known meaning
  hsmwatch explain CN_TOMBSTONE_OBJECT         what this one means, and which rules watch it
  hsmwatch explain login tombstone_object      in any case, with or without CN_
  hsmwatch explain deleteKey                   by the tool's command that causes it

Exit codes: 0 all are known; 1 one is not.";

/// Say what operations of the audit log mean
///
/// The names are those of the column `OperationName`. Without any, lists all with a known meaning. Which rules watch an
/// operation is found out by running them over made-up records.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Names of operations, or commands of the HSM's tools
    #[arg(value_name = "OPERATION")]
    operations: Vec<String>,
}

/// A rule that watches an operation.
struct Watching<'e> {
    entry: &'e Entry,
    how: Watches,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let entries = catalogue::find(context)?.entries;
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    let probes: Vec<(&Entry, Probe<'_>)> =
        entries.iter().map(|entry| (entry, Probe::new(&entry.rule, now))).collect();
    let watching = |name: &str| -> Vec<Watching<'_>> {
        let all = probes.iter().map(|(entry, p)| Watching { entry, how: p.watches(name) });
        all.filter(|watching| watching.how != Watches::No).collect()
    };
    if args.operations.is_empty() {
        list(context, watching);
        return Ok(ExitCode::SUCCESS);
    }
    let mut all_known = true;
    let mut json = Vec::new();
    for (n, word) in args.operations.iter().enumerate() {
        let found = find(word);
        all_known &= !found.is_empty();
        if context.format == Format::Json {
            json.extend(
                found.iter().map(|operation| as_json(operation, &watching(&operation.name))),
            );
            if found.is_empty() {
                let watched = by(&watching(word), |_| true);
                json.push(json!({"operation": word, "known": false, "watched_by": watched, "near": near(word)}));
            }
            continue;
        }
        if n > 0 {
            out("");
        }
        for operation in &found {
            one(operation, &watching(&operation.name));
        }
        if found.is_empty() {
            out(format!("{}: not known", clean(word, 200)));
            watched_by(&watching(word));
            match near(word).as_slice() {
                [] => talk(
                    "hint: alerts show such names as they are; `hsmwatch explain` lists those that are known",
                ),
                near => talk(format!("hint: did you mean {}?", quoted(near))),
            }
        }
    }
    if context.format == Format::Json {
        out(json!(json));
    }
    Ok(ExitCode::from(u8::from(!all_known)))
}

/// The operations that a word stands for: a name, or a tool's command.
fn find(word: &str) -> Vec<&'static Operation> {
    let named = |operation: &&Operation| {
        let name = &operation.name;
        name.eq_ignore_ascii_case(word)
            || name.strip_prefix("CN_").is_some_and(|rest| rest.eq_ignore_ascii_case(word))
    };
    if let Some(operation) = operations::all().iter().find(named) {
        return vec![operation];
    }
    let caused = |operation: &&Operation| {
        operation.commands.iter().any(|command| command.eq_ignore_ascii_case(word))
    };
    operations::all().iter().filter(caused).collect()
}

/// Names that a word may have been meant to be: slips of the finger first, then names with a part of it.
fn near(word: &str) -> Vec<&'static str> {
    let word = word.to_ascii_uppercase();
    let names = || operations::all().iter().map(|operation| operation.name.as_str());
    let mut near: Vec<&str> = nearest(&word, names()).into_iter().collect();
    let parts: Vec<&str> = word.split('_').filter(|part| part.len() > 3).collect();
    let shared = |name: &&str| parts.iter().any(|part| name.contains(part));
    for name in names().filter(shared) {
        if !near.contains(&name) {
            near.push(name);
        }
    }
    near.truncate(4);
    near
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

/// The tools' names, as they are typed.
fn tools(operation: &Operation) -> String {
    let name = |tool: &str| match tool {
        "util" => "azcloudhsm_util".to_owned(),
        "mgmt" => "azcloudhsm_mgmt_util".to_owned(),
        other => other.to_owned(),
    };
    operation.tools.split('+').filter(|t| !t.is_empty()).map(name).collect::<Vec<_>>().join(", ")
}

fn one(operation: &Operation, watching: &[Watching<'_>]) {
    let commands = operation.commands.join(" or ");
    let command = match operation.commands.len() {
        0 => String::new(),
        1 => format!(" (tool command {commands})"),
        _ => format!(" (tool commands {commands})"),
    };
    out(format!("{}: {}{command}", operation.name, operation.what));
    let tools = tools(operation);
    if !tools.is_empty() {
        labelled("Tools", &tools);
    }
    labelled("Category", &operation.category);
    labelled("Known from", &operation.source);
    watched_by(watching);
}

fn watched_by(watching: &[Watching<'_>]) {
    let text = |how: Watches| {
        let those = watching.iter().filter(|w| w.how == how);
        let told = those.map(|w| {
            let rule = &w.entry.rule;
            let off = (w.entry.on == Some(false)).then(|| "off".to_owned());
            // What a rule asks for; a list is for `rules show`.
            let plain = rule.parameters.iter().filter(|(_, v)| !matches!(v, Parameter::List(_)));
            let said: Vec<String> = off
                .into_iter()
                .chain(plain.map(|(name, value)| format!("{name} = {value}")))
                .collect();
            if said.is_empty() {
                rule.id.clone()
            } else {
                format!("{} ({})", rule.id, said.join(", "))
            }
        });
        told.collect::<Vec<_>>().join(", ")
    };
    let (this, any) = (text(Watches::This), text(Watches::Any));
    let none = if any.is_empty() { "no rule" } else { "no rule for it alone" };
    labelled("Watched by", if this.is_empty() { none } else { &this });
    if !any.is_empty() {
        labelled("As any other", &any);
    }
}

fn by(watching: &[Watching<'_>], which: impl Fn(Watches) -> bool) -> Vec<serde_json::Value> {
    let those = watching.iter().filter(|w| which(w.how));
    those
        .map(|w| json!({"rule": w.entry.rule.id, "on": w.entry.on, "any": w.how == Watches::Any}))
        .collect()
}

fn as_json(operation: &Operation, watching: &[Watching<'_>]) -> serde_json::Value {
    json!({
        "operation": operation.name, "known": true, "what": operation.what,
        "commands": operation.commands, "tools": tools(operation), "category": operation.category,
        "source": operation.source, "watched_by": by(watching, |_| true),
    })
}

fn list<'e>(context: &Context, watching: impl Fn(&str) -> Vec<Watching<'e>>) {
    let all = operations::all();
    if context.format == Format::Json {
        let all: Vec<_> = all.iter().map(|o| as_json(o, &watching(&o.name))).collect();
        out(json!(all));
        return;
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|operation| {
            let watching = watching(&operation.name);
            let this = watching.iter().filter(|w| w.how == Watches::This);
            let ids: Vec<&str> = this.map(|w| w.entry.rule.id.as_str()).collect();
            let sentence = operation.sentence();
            vec![operation.name.clone(), operation.category.clone(), sentence, ids.join(", ")]
        })
        .collect();
    lines(&["OPERATION", "CATEGORY", "WHAT", "RULES"], &rows).into_iter().for_each(out);
    talk(format!(
        "{} operations; `hsmwatch explain OPERATION` tells where its meaning is known from",
        all.len()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_operations() {
        let names = |word| find(word).iter().map(|o| o.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names("cn_tombstone_object"), ["CN_TOMBSTONE_OBJECT"]);
        assert_eq!(names("Login"), ["CN_LOGIN"]);
        assert_eq!(names("hash_single_call"), ["HASH_SINGLE_CALL"]);
        assert_eq!(names("DELETEKEY"), ["CN_TOMBSTONE_OBJECT"]);
        assert_eq!(names("getAttribute").len(), 4);
        assert_eq!(names(""), [""; 0]);
        assert_eq!(names("CN_"), [""; 0]);
    }

    #[test]
    fn near_names_are_found() {
        assert_eq!(near("CN_TOMSTONE_OBJECT").first(), Some(&"CN_TOMBSTONE_OBJECT"));
        assert!(near("delete").contains(&"CN_DELETE_USER"));
        assert!(near("zzz").is_empty());
    }
}
