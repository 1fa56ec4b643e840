//! `docs/rules.md`, made from the pack.

use super::{Preset, SETS, all};
use crate::watch::duration;
use crate::watch::rule::RuleSpec;
use crate::watch::severity::Severity;
use std::fmt::Write as _;

/// The tables and sections, without the page's head.
pub(super) fn page() -> String {
    let mut text = String::new();
    text.push_str("| id | severity | kind | sets | what it tells |\n|---|---|---|---|---|\n");
    for preset in all() {
        let spec = &preset.spec;
        let (id, severity) = (&spec.id, spec.severity.map_or("", Severity::as_str));
        let title = spec.title.as_deref().unwrap_or_default();
        let _infallible = writeln!(
            text,
            "| [`{id}`](#{id}) | {severity} | {} | {} | {title} |",
            kind(spec),
            sets(preset)
        );
    }
    for (header, about, those) in [
        ("Set `tutorial`", TUTORIAL, "tutorial"),
        ("Set `recommended`, besides these", RECOMMENDED, "recommended"),
        ("Only in the set `all`", ALL, "all"),
    ] {
        let _infallible = write!(text, "\n## {header}\n\n{about}\n");
        all()
            .iter()
            .filter(|preset| first_set(preset) == those)
            .for_each(|p| section(&mut text, p));
    }
    text
}

const TUTORIAL: &str = "The four queries of Microsoft's tutorial on operation event logging for Azure Cloud HSM, as it has them. It is what a configuration without `presets` gets.";
const RECOMMENDED: &str = "What serves at any HSM whose owner says nothing about it: these rules need no values of yours, are quiet while nothing happens, read only the table that every set-up has, and none tells what another of them tells as well, but for bursts, which are worth a word of their own.";
const ALL: &str =
    "Rules that need something of you first, or that many have no use for; each says what.";

/// The smallest set that a preset is in.
fn first_set(preset: &Preset) -> &'static str {
    SETS.into_iter().find(|set| preset.is_in(set)).unwrap_or("all")
}

fn sets(preset: &Preset) -> &'static str {
    match first_set(preset) {
        "tutorial" => "tutorial, recommended",
        other => other,
    }
}

fn kind(spec: &RuleSpec) -> String {
    match (spec.window, spec.lookback) {
        (Some(window), _) => format!("window {}", duration::text(window)),
        (None, Some(lookback)) => format!("event, lookback {}", duration::text(lookback)),
        (None, None) => "event".to_owned(),
    }
}

fn section(text: &mut String, preset: &Preset) {
    let spec = &preset.spec;
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let severity = spec.severity.map_or("", Severity::as_str);
    let mut facts = vec![format!("severity **{severity}**"), kind(spec)];
    facts.extend(spec.every.map(|every| format!("every {}", duration::text(every))));
    facts.extend(spec.settle.map(|settle| format!("settles {}", duration::text(settle))));
    if let Some(key) = &spec.key {
        let hold = spec.renotify.or(spec.lookback).or(spec.window);
        let hold = hold.map_or("1d".to_owned(), duration::text);
        facts.push(format!("told once per {}, again after {hold}", key.join(", ")));
    }
    if let Some(attack) = &spec.attack {
        let page = attack.replace('.', "/");
        facts.push(format!("ATT&CK [{attack}](https://attack.mitre.org/techniques/{page}/)"));
    }
    let _infallible = write!(
        text,
        "\n### {}\n\n**{}** · {}\n\n{}\n\n{}\n\n**Do now.** {}\n\n**Harmless when.** {}\n",
        spec.id,
        said(&spec.title),
        facts.join(" · "),
        said(&spec.meaning),
        said(&spec.why),
        said(&spec.action),
        said(&spec.false_positives),
    );
    if !preset.left_out.is_empty() {
        let _infallible = write!(text, "\n**Not in `recommended`**: {}.\n", preset.left_out);
    }
    if let Some(parameters) = &spec.parameters {
        text.push_str("\n| parameter | as shipped |\n|---|---|\n");
        for (name, value) in parameters {
            let _infallible = writeln!(text, "| `{name}` | `{value}` |");
        }
    }
    let query = spec.query.as_deref().unwrap_or_default().trim();
    let _infallible = write!(text, "\n```kusto\n{query}\n```\n");
}
