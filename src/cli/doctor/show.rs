//! Checks as people read them, under the headings of the chain, and as programs do.

use super::kinds::group;
use crate::cli::report::count;
use crate::hosts::checks::{Check, Cure, Report, Summary, Verdict};
use crate::notify::limits::clean;
use crate::notify::terminal::{WIDTH, wrap};
use serde_json::{Value as Json, json};

/// What stands before a line that goes on.
const INDENT: usize = 10;

/// Everything that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) report: Report,
    /// The name of an app, and what it says of itself.
    pub(super) app: Option<(String, Option<Report>)>,
}

impl Shown {
    /// Whether the chain is broken anywhere.
    pub(super) fn fails(&self) -> bool {
        self.all().fail > 0
    }

    /// How many checks ended how, the app's own included.
    fn all(&self) -> Summary {
        let mut all = self.report.summary;
        if let Some((_, Some(own))) = &self.app {
            all.ok += own.summary.ok;
            all.warn += own.summary.warn;
            all.fail += own.summary.fail;
            all.skipped += own.summary.skipped;
        }
        all
    }

    /// For programs.
    pub(super) fn json(&self) -> Json {
        let mut json = json!(self.report);
        let app = self.app.as_ref().map(|(name, own)| json!({"name": name, "report": own}));
        if let Some(object) = json.as_object_mut() {
            object.insert("app".to_owned(), json!(app));
            object.insert("summary".to_owned(), json!(self.all()));
        }
        json
    }

    /// For people.
    pub(super) fn text(&self, colour: bool) -> String {
        let mut lines = Vec::new();
        checks(&self.report.checks, colour, &mut lines);
        if let Some((name, Some(own))) = &self.app {
            lines.push(String::new());
            let name = clean(name, 60);
            lines.push(format!("As the app {name} sees itself (hsmwatch {})", own.version));
            checks(&own.checks, colour, &mut lines);
        }
        lines.join("\n").trim_start_matches('\n').to_owned()
    }

    /// The end of it, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let Summary { ok, warn, fail, skipped } = self.all();
        let mut text =
            format!("{ok} ok, {}, {fail} failed, {skipped} skipped", count(warn, "warning"));
        let own = self.app.iter().filter_map(|(_, own)| own.as_ref()).flat_map(|own| &own.checks);
        let first =
            self.report.checks.iter().chain(own).find(|check| check.verdict == Verdict::Fail);
        if let Some(check) = first {
            text.extend(["; begin with: ", &name(check)]);
        }
        text
    }
}

fn name(check: &Check) -> String {
    match &check.subject {
        Some(subject) => format!("{} {subject}", check.title),
        None => check.title.clone(),
    }
}

fn checks(checks: &[Check], colour: bool, lines: &mut Vec<String>) {
    let mut heading = "";
    for check in checks {
        let here = group(&check.id);
        if here != heading {
            lines.push(String::new());
            lines.push(if colour { format!("\u{1b}[1m{here}\u{1b}[0m") } else { here.to_owned() });
            heading = here;
        }
        one(check, colour, lines);
    }
}

fn one(check: &Check, colour: bool, lines: &mut Vec<String>) {
    let word = format!("{:<7}", check.verdict.word());
    let word = match (colour, check.verdict) {
        (false, _) => word,
        (true, Verdict::Ok) => format!("\u{1b}[32m{word}\u{1b}[0m"),
        (true, Verdict::Warn) => format!("\u{1b}[33m{word}\u{1b}[0m"),
        (true, Verdict::Fail) => format!("\u{1b}[1;31m{word}\u{1b}[0m"),
        (true, Verdict::Skipped) => format!("\u{1b}[2m{word}\u{1b}[0m"),
    };
    let mut seen = check.seen.lines();
    let first = format!("{}: {}", name(check), seen.next().unwrap_or_default());
    let mut first = wrap(&first, WIDTH - INDENT).into_iter();
    lines.push(format!("  {word} {}", first.next().unwrap_or_default()));
    lines.extend(first.map(|line| format!("{:INDENT$}  {line}", "")));
    for line in seen {
        let indent = INDENT + 2 + line.len() - line.trim_start_matches(' ').len();
        lines.extend(wrap(line, WIDTH - indent).iter().map(|line| format!("{:indent$}{line}", "")));
    }
    let Some(Cure { az, portal, text }) = &check.cure else { return };
    let mut said = |label: &str, text: &str| {
        for (n, line) in wrap(text, WIDTH - INDENT - 4).iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            lines.push(format!("{:INDENT$}{label:<4}{line}", ""));
        }
    };
    if let Some(text) = text {
        text.lines().for_each(|line| said("→", line));
    }
    if let Some(portal) = portal {
        said("→", &format!("portal: {portal}"));
    }
    for command in az.iter().flat_map(|az| az.lines()) {
        // On one line, however long: it is to be copied.
        lines.push(format!("{:INDENT$}$   {command}", ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        let at = "2026-11-24T12:00:00Z".parse().unwrap();
        let checks = vec![
            Check::new("configuration", "configuration", Verdict::Fail, "2 problems in the configuration\nhsmwatch.toml:3:1: no\n  hint: yes"),
            Check::new("token", "token", Verdict::Ok, "developer tools: user `ada@contoso.com`, object id 00000000-0000-0000-0000-000000000009, tenant 00000000-0000-0000-0000-00000000000a, good for 61 min").of("query API"),
            Check::new("diagnostic-setting", "diagnostic setting", Verdict::Warn, "hidden \u{1b}[2J")
                .of("hsm-1\u{202e}")
                .cure(Cure::az("az monitor diagnostic-settings list --resource /subscriptions/00000000-0000-0000-0000-000000000001/x").and_portal("a › b").and_text("look")),
        ];
        let own = Report::new(at, vec![Check::new("state", "state", Verdict::Skipped, "why not")]);
        Shown { report: Report::new(at, checks), app: Some(("app".into(), Some(own))) }
    }

    #[test]
    fn people_see_headings_and_cures() {
        let text = format!("{}\n--\n{}", shown().text(false), shown().sentence());
        insta::assert_snapshot!("shown", text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
        let coloured = shown().text(true);
        assert!(coloured.contains("\u{1b}[1;31mfail") && !coloured.contains("\u{1b}[2J"));
    }

    #[test]
    fn programs_get_every_field_always() {
        let json = shown().json();
        let text = serde_json::to_string_pretty(&json).unwrap();
        insta::assert_snapshot!("json", text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}
