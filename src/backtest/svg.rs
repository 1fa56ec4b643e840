//! The timeline as a picture: a line for each rule, a bar for each stretch of time in which it told something. Dark on light,
//! with a title and a description, and no colour that says what no word says.

use super::chart::grouped;
use super::junit::escape;
use super::outcome::{Outcome, RuleRun, STRETCHES};
use crate::notify::wording;
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt::Write as _;

const WIDTH: usize = 1_080;
const LEFT: usize = 230;
const RIGHT: usize = 130;
const TOP: usize = 92;
const LINE: usize = 44;
const BAR: usize = 26;
const FONT: &str = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

/// The picture.
pub fn picture(outcome: &Outcome) -> String {
    let plot = WIDTH - LEFT - RIGHT;
    let lines = outcome.rules.len() + 1;
    let bottom = TOP + lines * LINE;
    let height = bottom + 44;
    let time = wording::from_to(outcome.period.from, outcome.period.to);
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title desc\" font-family=\"{FONT}\" fill=\"#1f2937\">\n\
         <title id=\"title\">Alerts of a back-test, {time}</title>\n<desc id=\"desc\">{}</desc>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"24\" y=\"34\" font-size=\"20\" font-weight=\"600\">What {} would have told</text>\n\
         <text x=\"24\" y=\"58\" font-size=\"13\" fill=\"#4b5563\">{time}, every {}: {} rows, {} alerts</text>\n",
        escape(&described(outcome)),
        match outcome.rules.len() {
            1 => "one rule".to_owned(),
            n => format!("{n} rules"),
        },
        wording::duration(outcome.every),
        grouped(outcome.rows),
        grouped(outcome.alerts() as u64),
    );
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"#4b5563\">alerts · hits</text>",
        WIDTH - RIGHT + 14,
        TOP - 10
    );
    ticks(&mut out, outcome, plot, bottom);
    for (at, rule) in outcome.rules.iter().enumerate() {
        line(&mut out, outcome, rule, TOP + at * LINE, plot);
    }
    volume(&mut out, outcome, TOP + outcome.rules.len() * LINE, plot);
    out.push_str("</svg>\n");
    out
}

/// The picture in words.
fn described(outcome: &Outcome) -> String {
    let mut words: Vec<String> = Vec::new();
    for rule in &outcome.rules {
        let (id, severity) = (&rule.id, rule.severity);
        words.push(match (rule.fired.first(), rule.fired.last()) {
            _ if rule.skipped.is_some() => format!("{id} ({severity}): not evaluated"),
            (Some(first), Some(last)) => format!(
                "{id} ({severity}): {} from {} to {}",
                wording::count_of(rule.fired.len() as u64, "alert", "alerts"),
                first.at.format("%F"),
                last.at.format("%F")
            ),
            _ => format!("{id} ({severity}): no alerts"),
        });
    }
    format!("A timeline with a line for each rule. {}.", words.join("; "))
}

fn line(out: &mut String, outcome: &Outcome, rule: &RuleRun, top: usize, plot: usize) {
    let (base, colour) = (top + BAR + 8, colour(rule.severity));
    let state = match (&rule.skipped, rule.failed) {
        (Some(_), _) => " · not evaluated",
        (None, 1..) => " · evaluations failed",
        _ => "",
    };
    let _ = write!(
        out,
        "<g>\n<text x=\"24\" y=\"{}\" font-size=\"14\" font-weight=\"600\">{}</text>\n\
         <text x=\"24\" y=\"{}\" font-size=\"11\" fill=\"{colour}\">{}{state}</text>\n\
         <line x1=\"{LEFT}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\" stroke=\"#d1d5db\"/>\n",
        top + 18,
        escape(&shortened(&rule.id, 26)),
        top + 34,
        rule.severity,
        LEFT + plot,
    );
    let buckets = rule.buckets(outcome.period, STRETCHES);
    bars(out, outcome, &buckets, base, plot, colour, "alert");
    let _ = write!(
        out,
        "<text x=\"{}\" y=\"{}\" font-size=\"13\">{} · {}</text>\n</g>\n",
        WIDTH - RIGHT + 14,
        base - 4,
        grouped(rule.fired.len() as u64),
        grouped(rule.hits()),
    );
}

fn volume(out: &mut String, outcome: &Outcome, top: usize, plot: usize) {
    let base = top + BAR + 8;
    let _ = writeln!(
        out,
        "<g>\n<text x=\"24\" y=\"{}\" font-size=\"12\" fill=\"#4b5563\">rows in the log</text>",
        base - 4
    );
    bars(out, outcome, &outcome.volume, base, plot, "#6b7280", "row");
    out.push_str("</g>\n");
}

/// Bars over a base line; each line has its own scale, and the least bar can be seen.
fn bars(
    out: &mut String,
    outcome: &Outcome,
    counts: &[u64],
    base: usize,
    plot: usize,
    colour: &str,
    thing: &str,
) {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let n = counts.len().max(1);
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let x = LEFT + at * plot / n;
        let wide = (LEFT + (at + 1) * plot / n).saturating_sub(x + 1).max(2);
        // Tenths of the height: 3 at least.
        let tall = 4 + usize::try_from(u128::from(*count) * (BAR as u128 - 4) / u128::from(most))
            .unwrap_or(0);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"{tall}\" fill=\"{colour}\"><title>{}: {} {thing}{}</title></rect>",
            base - tall,
            start(outcome, at, n).format("%F %H:%M"),
            grouped(*count),
            if *count == 1 { "" } else { "s" },
        );
    }
}

/// The beginning of a stretch.
fn start(outcome: &Outcome, at: usize, n: usize) -> DateTime<Utc> {
    let whole = (outcome.period.to - outcome.period.from).num_milliseconds();
    let part = i128::from(whole) * i128::try_from(at).unwrap_or(0) / i128::try_from(n).unwrap_or(1);
    outcome.period.from + TimeDelta::milliseconds(i64::try_from(part).unwrap_or(0))
}

/// Lines down the picture, with dates or times beneath.
fn ticks(out: &mut String, outcome: &Outcome, plot: usize, bottom: usize) {
    let days = (outcome.period.to - outcome.period.from).num_days();
    let format = match days {
        0..=2 => "%m-%d %H:%M",
        3..=180 => "%m-%d",
        _ => "%Y-%m-%d",
    };
    let parts = 6;
    for at in 0..=parts {
        let x = LEFT + at * plot / parts;
        let when = start(outcome, at, parts).format(format);
        let anchor = match at {
            0 => "start",
            _ if at == parts => "end",
            _ => "middle",
        };
        let _ = write!(
            out,
            "<line x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#e5e7eb\"/>\n\
             <text x=\"{x}\" y=\"{}\" font-size=\"11\" fill=\"#4b5563\" text-anchor=\"{anchor}\">{when}</text>\n",
            bottom + 18,
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"24\" y=\"{}\" font-size=\"11\" fill=\"#4b5563\">each line has its own scale</text>",
        bottom + 18
    );
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// Colours that can be read on white.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#991b1b",
        Severity::High => "#c2410c",
        Severity::Medium => "#92400e",
        Severity::Low => "#1d4ed8",
        Severity::Info => "#475569",
    }
}
