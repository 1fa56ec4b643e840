//! The report for people: what each rule told and when, in characters.

use super::expect::{Policy, Verdict};
use super::outcome::{Outcome, RuleRun};
use crate::notify::limits::clean;
use crate::notify::wording;
use crate::watch::severity::Severity;
use std::fmt::Write as _;

/// How the report is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// With colours, as terminals take them.
    pub colour: bool,
    /// Stretches of time in a line.
    pub width: usize,
    /// Days listed; the others are counted.
    pub days: usize,
}

/// Signs for none, few and many.
const BARS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The report. Without `verdict` nothing was expected.
pub fn report(outcome: &Outcome, verdict: Option<&Verdict>, look: Look) -> String {
    let mut out = String::new();
    head(&mut out, outcome);
    table(&mut out, outcome, look);
    days(&mut out, outcome, look);
    troubles(&mut out, outcome, look);
    if let Some(verdict) = verdict {
        expectations(&mut out, verdict, look);
    }
    out.truncate(out.trim_end().len());
    out
}

/// `8,760,000`
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 alert`, `1,000 alerts`
fn things(n: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" })
}

// Writing to a text cannot fail: what `writeln!` answers below is of no interest.

fn head(out: &mut String, outcome: &Outcome) {
    let rules = things(outcome.rules.len() as u64, "rule");
    let time = wording::from_to(outcome.period.from, outcome.period.to);
    let every = wording::duration(outcome.every);
    let evaluations = outcome.rules.iter().map(|rule| rule.evaluations).sum();
    let hits = outcome.rules.iter().map(RuleRun::hits).sum();
    let _ = writeln!(out, "{rules} over {time}, every {every}");
    let _ = writeln!(
        out,
        "{} in {}; {}; {}, {}\n",
        things(outcome.rows, "row"),
        things(outcome.files, "file"),
        things(evaluations, "evaluation"),
        things(outcome.alerts() as u64, "alert"),
        things(hits, "hit"),
    );
}

fn table(out: &mut String, outcome: &Outcome, look: Look) {
    let wide =
        |texts: &mut dyn Iterator<Item = usize>, least: usize| texts.max().unwrap_or(0).max(least);
    let id = wide(&mut outcome.rules.iter().map(|rule| rule.id.chars().count()), 4);
    let number = |n: u64| grouped(n).len();
    let alerts = wide(&mut outcome.rules.iter().map(|rule| number(rule.fired.len() as u64)), 6);
    let hits = wide(&mut outcome.rules.iter().map(|rule| number(rule.hits())), 4);
    let (from, to) = (outcome.period.from.format("%F"), outcome.period.to.format("%F"));
    let gap = look.width.saturating_sub(20).max(1);
    let _ = writeln!(
        out,
        "{:<id$}  {:<8}  {:>alerts$}  {:>hits$}  {:>4}  {from}{:gap$}{to}",
        "RULE", "SEVERITY", "ALERTS", "HITS", "DAYS", ""
    );
    for rule in &outcome.rules {
        let severity = format!("{:<8}", rule.severity.as_str());
        let line = match &rule.skipped {
            Some(_) => "not evaluated".to_owned(),
            None => {
                paint(look, colour(rule.severity), &bars(&rule.buckets(outcome.period, look.width)))
            }
        };
        let _ = writeln!(
            out,
            "{:<id$}  {}  {:>alerts$}  {:>hits$}  {:>4}  {line}",
            rule.id,
            paint(look, colour(rule.severity), &severity),
            grouped(rule.fired.len() as u64),
            grouped(rule.hits()),
            grouped(rule.days().len() as u64),
        );
    }
    let indent = id + 8 + alerts + hits + 4 + 10;
    let volume = bars(&squeezed(&outcome.volume, look.width));
    let _ = writeln!(out, "{:<indent$}{}", "rows in the log", paint(look, "2", &volume));
}

/// A line of bars; each row of it has its own scale.
fn bars(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0);
    let bar = |n: &u64| {
        let step = match (*n, most) {
            (0, _) | (_, 0) => 0,
            (n, most) => 1 + usize::try_from((n - 1) * 8 / most.max(1)).unwrap_or(7).min(7),
        };
        BARS.get(step).copied().unwrap_or('█')
    };
    counts.iter().map(bar).collect()
}

/// The same counts in fewer stretches.
fn squeezed(counts: &[u64], n: usize) -> Vec<u64> {
    let mut out = vec![0; n];
    for (at, count) in counts.iter().enumerate() {
        if let Some(sum) = out.get_mut(at * n / counts.len().max(1)) {
            *sum += count;
        }
    }
    out
}

fn days(out: &mut String, outcome: &Outcome, look: Look) {
    let days = outcome.days();
    if days.is_empty() {
        let _ = writeln!(out, "\nno rule told anything");
        return;
    }
    let _ = writeln!(out, "\nDAY         ALERTS");
    for (day, rules) in days.iter().take(look.days) {
        let mut rules = rules.clone();
        rules.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let rules: Vec<String> =
            rules.iter().map(|(id, n)| format!("{id} {}", grouped(*n))).collect();
        let _ = writeln!(out, "{day}  {}", rules.join(", "));
    }
    let more = days.len().saturating_sub(look.days);
    if more > 0 {
        let _ =
            writeln!(out, "and {} with alerts: --days lists them", things(more as u64, "more day"));
    }
}

fn troubles(out: &mut String, outcome: &Outcome, look: Look) {
    for rule in &outcome.rules {
        if let Some(why) = &rule.skipped {
            let _ = writeln!(out, "\n{} was not evaluated: {}", rule.id, clean(why, 500));
        }
        if let Some((at, why)) = &rule.failure {
            let word = paint(look, "31", "failed");
            let at = at.format("%F %H:%M");
            let _ = writeln!(
                out,
                "\n{} {word} in {} of {}, first at {at} UTC:",
                rule.id,
                grouped(rule.failed),
                things(rule.evaluations, "evaluation")
            );
            for line in why.lines().take(12) {
                let _ = writeln!(out, "  {}", clean(line, 300));
            }
        }
    }
}

fn expectations(out: &mut String, verdict: &Verdict, look: Look) {
    let _ = writeln!(out, "\nEXPECTATIONS");
    for met in &verdict.met {
        let (colour, word) = if met.passed { ("32", "ok  ") } else { ("31", "FAIL") };
        let word = paint(look, colour, word);
        let _ = writeln!(out, "{word}  {}", clean(&met.sentence(), 500));
    }
    let (colour, word) = match verdict.policy {
        Policy::Fail => ("31", "FAIL"),
        Policy::Warn => ("33", "warn"),
        Policy::Ignore => return,
    };
    for one in &verdict.unexpected {
        let alerts = things(one.alerts, "alert");
        let _ = writeln!(
            out,
            "{}  {}: {alerts} that no expectation covers",
            paint(look, colour, word),
            one.rule
        );
    }
}

const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "1;31",
        Severity::High => "31",
        Severity::Medium => "33",
        Severity::Low => "34",
        Severity::Info => "36",
    }
}

fn paint(look: Look, colour: &str, text: &str) -> String {
    if look.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}
