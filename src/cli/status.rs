//! `status`: how every watch and every receiver fares, from the state alone. Writes nothing.

use super::report::{Stop, out, out_raw};
use super::setup::{self, Setup};
use super::{Context, Done, Format, receivers, runtime};
use crate::config::State as Place;
use crate::engine::Engine;
pub(crate) use crate::engine::status::words::{Age, at};
use crate::engine::status::{RecentAlert, Status, WatchStatus, words};
use crate::hosts::page::{self, Page};
use crate::local::memory::MemoryStore;
use crate::notify::{limits, terminal};
use crate::ports::StateStore;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

/// Hours that the picture of hits shows.
const HOURS: i64 = 48;
/// Alerts of late that people are shown.
const RECENT: usize = 8;
/// Gaps of a watch that people are shown.
const GAPS: usize = 4;

/// Show how every watch and every receiver fares
///
/// Reads the state and nothing else: no query is asked, nothing is sent, nothing is written. Exit code 0 if all is well, 1 if
/// something needs attention: a watch that fails, has not begun or is not evaluated any more, no data after the first two
/// hours, a receiver that is off, a document that cannot be read, anything that hsmwatch has told of itself and that lasts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hsmwatch status                          for the eye, in a terminal
  hsmwatch status --html > status.html     one page, complete in itself: open it, print it, attach it
  hsmwatch status --format json            everything, for programs")]
pub(crate) struct Args {
    /// Print a page for a browser, with pictures of what was covered and what was found
    ///
    /// One file without script, image or font from elsewhere, dark or light as the browser asks. If the configuration is
    /// refused, the page says so and why.
    #[arg(long)]
    html: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    if args.html {
        return html(context);
    }
    let status = gather(context)?;
    if context.format == Format::Json {
        out(serde_json::to_string_pretty(&status).map_err(|e| Stop::no(e.to_string()))?);
    } else {
        out(text(&status));
    }
    Ok(code(&status))
}

/// The page.
fn html(context: &Context) -> Done {
    if context.format == Format::Json {
        return Err(Stop::usage("`--html` and `--format json` exclude each other")
            .hint("the page and the JSON say the same: ask for one of them"));
    }
    let version = env!("CARGO_PKG_VERSION");
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    let setup = match setup::load(context) {
        Ok(setup) => setup,
        // Whoever has the page made regularly must see on it why there is no other.
        Err(stop) => {
            let refused = Some((stop.text(), now));
            let source = setup::source(context);
            out_page(&Page { status: None, refused, source: &source, version, at: now });
            return Err(stop);
        }
    };
    let status = read(&setup, now)?;
    let source = &setup.source;
    out_page(&Page { status: Some(&status), refused: None, source, version, at: now });
    Ok(code(&status))
}

fn out_page(page: &Page<'_>) {
    out_raw(page::html(page).as_bytes());
}

const fn code(status: &Status) -> ExitCode {
    if status.well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads the state.
pub(crate) fn gather(context: &Context) -> Result<Status, Stop> {
    let setup = setup::load(context)?;
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    read(&setup, now)
}

fn read(setup: &Setup, now: DateTime<Utc>) -> Result<Status, Stop> {
    // Opening the store would make its folder.
    let store: Arc<dyn StateStore> = match &setup.config.state {
        Place::Folder(path) if !path.exists() => Arc::new(MemoryStore::new()),
        _ => setup.store()?,
    };
    let engine = Engine::new(
        store,
        setup.transport()?,
        setup.receivers()?,
        setup.timing(),
        setup.config.silent_after,
        setup::instance(),
    );
    let watches = setup.watches()?;
    runtime()?.block_on(engine.status(&watches, now)).map_err(|e| Stop::no(e.to_string()))
}

/// The status for people, no line wider than a hundred columns.
fn text(status: &Status) -> String {
    let mut lines = Vec::new();
    said(&mut lines, "", &headline(status));
    lines.push(String::new());
    watches(status, &mut lines);
    hits(status, &mut lines);
    lines.push(String::new());
    lines.extend(receivers::lines(&status.receivers, status.at));
    recent(status, &mut lines);
    if !status.conditions.is_empty() {
        lines.push(String::new());
        lines.push("  HSMWATCH ITSELF HAS TOLD".to_owned());
    }
    for condition in &status.conditions {
        let what = format!(
            "{}: {}, since {}",
            condition.condition.as_str(),
            limits::clean(&condition.subject, 200),
            at(condition.since)
        );
        said(&mut lines, if condition.stands { "! " } else { "  " }, &what);
    }
    if !status.unreadable.is_empty() {
        lines.push(String::new());
        lines.push("  DOCUMENTS THAT CANNOT BE READ".to_owned());
    }
    for document in &status.unreadable {
        said(&mut lines, "! ", &limits::clean(&document.why, 400));
    }
    lines.join("\n")
}

/// A sentence after a prefix; what goes over is indented beneath it.
pub(crate) fn said(lines: &mut Vec<String>, prefix: &str, text: &str) {
    let indent = " ".repeat(prefix.len() + 2);
    let pieces = terminal::wrap(text, terminal::WIDTH - indent.len());
    lines.extend(
        pieces
            .into_iter()
            .enumerate()
            .map(|(n, piece)| format!("{}{piece}", if n == 0 { prefix } else { &indent })),
    );
}

fn headline(status: &Status) -> String {
    let told = status.conditions.iter().filter(|condition| condition.stands).count();
    let said = status.troubles(told);
    let all = if said.is_empty() { "all is well".to_owned() } else { said.join(", ") };
    let ran = status.last_tick.map_or_else(
        || "it has not run yet".to_owned(),
        |t| format!("last run {} ago", Age::since(t, status.at)),
    );
    format!("{}: {all}; {ran}", at(status.at))
}

fn watches(status: &Status, lines: &mut Vec<String>) {
    let width = status.watches.iter().map(|w| w.rule.chars().count()).max().unwrap_or(0);
    let width = width.clamp(4, 32);
    let mut workspaces: BTreeMap<&str, Vec<&WatchStatus>> = BTreeMap::new();
    for watch in &status.watches {
        workspaces.entry(&watch.workspace).or_default().push(watch);
    }
    lines.push(row(
        width,
        ' ',
        ["RULE", "", "LAST OK", "LAG", "LAST ROW", "COVERED", "MISSING", "NEXT", "OPEN"],
    ));
    for (workspace, watches) in workspaces {
        said(lines, "  ", &format!("on {}", limits::clean(workspace, 90)));
        for watch in watches {
            watch_lines(watch, status.at, width, lines);
        }
    }
}

fn row(width: usize, mark: char, cells: [&str; 9]) -> String {
    let [rule, state, ok, lag, latest, covered, missing, next, open] = cells;
    let rule = terminal::pad(rule, width);
    format!(
        "{mark} {rule} {state:<11} {ok:>7} {lag:>6} {latest:>8} {covered:>7} {missing:>7} {next:>6} {open:>5}"
    )
    .trim_end()
    .to_owned()
}

fn watch_lines(watch: &WatchStatus, now: DateTime<Utc>, width: usize, lines: &mut Vec<String>) {
    let ago = |t: Option<DateTime<Utc>>| t.map_or_else(|| "-".to_owned(), |t| Age::since(t, now));
    let long = |s: Option<i64>| {
        s.map_or_else(|| "-".to_owned(), |s| Age(TimeDelta::seconds(s)).to_string())
    };
    let next = match watch.next {
        Some(next) if next <= now => "due".to_owned(),
        Some(next) => Age(next - now).to_string(),
        None => "-".to_owned(),
    };
    let missing = if watch.missing_s == Some(0) { "-".to_owned() } else { long(watch.missing_s) };
    lines.push(row(
        width,
        if watch.attention { '!' } else { ' ' },
        [
            &limits::clean(&watch.rule, 64),
            watch.state.word(),
            &ago(watch.last_success),
            &long(watch.lag_s),
            &ago(watch.latest_row),
            &long(watch.covered_s),
            &missing,
            &next,
            &watch.open_alerts.to_string(),
        ],
    ));
    let mut say = |text: String| said(lines, "    ", &text);
    if let Some(sentence) = watch.state.says() {
        say(sentence);
    }
    for gap in watch.gaps.iter().rev().take(GAPS) {
        let what = words::gap(gap.why);
        say(format!("{} to {}: {what}", at(gap.from), at(gap.to)));
    }
    if watch.gaps.len() > GAPS {
        say(format!("and {} further intervals: --format json", watch.gaps.len() - GAPS));
    }
    if watch.held > 0 {
        say(format!("{} hits wait for room in the outbox", watch.held));
    }
}

/// Hits an hour, a column an hour, for watches that have any.
fn hits(status: &Status, lines: &mut Vec<String>) {
    let hour = |t: DateTime<Utc>| t.timestamp().div_euclid(3600);
    let last = hour(status.at);
    let mut pictures = Vec::new();
    for watch in &status.watches {
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for h in &watch.hours {
            if (last - HOURS + 1..=last).contains(&hour(h.hour)) {
                *counts.entry(hour(h.hour)).or_default() += h.hits;
            }
        }
        let sum: u64 = counts.values().sum();
        if sum > 0 {
            let columns = (last - HOURS + 1..=last).map(|h| counts.get(&h).copied().unwrap_or(0));
            pictures.push((format!("{} on {}", watch.rule, watch.workspace), spark(columns), sum));
        }
    }
    if pictures.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(format!(
        "  {:<34}  {:<48}  {:>7}",
        "HITS BY THE HOUR", "48 hours ago … now (UTC)", "SUM"
    ));
    for (label, picture, sum) in pictures {
        let label = terminal::pad(&limits::clean(&label, 100), 34);
        lines.push(format!("  {label}  {picture}  {sum:>7}"));
    }
}

/// A bar for each count, the highest for the largest.
fn spark(counts: impl Iterator<Item = u64> + Clone) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.clone().max().unwrap_or(0).max(1);
    counts
        .map(|n| match n {
            0 => '·',
            // 1..=most in eight steps; the largest is the highest.
            n => usize::try_from((u128::from(n) * 8).div_ceil(u128::from(most)) - 1)
                .ok()
                .and_then(|i| BARS.get(i))
                .copied()
                .unwrap_or('█'),
        })
        .collect()
}

fn recent(status: &Status, lines: &mut Vec<String>) {
    if status.recent.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push("  ALERTS OF LATE".to_owned());
    for alert in status.recent.iter().take(RECENT) {
        let RecentAlert { id, time, severity, title, workspace, count, deliveries } = alert;
        let hits = if *count == 1 { "1 hit".to_owned() } else { format!("{count} hits") };
        let (title, workspace) = (limits::clean(title, 120), limits::clean(workspace, 60));
        let what = format!("{} {severity}: {title} on {workspace}, {hits}", at(*time));
        said(lines, "  ", &what);
        let ends: Vec<String> =
            deliveries.iter().map(|(receiver, end)| format!("{receiver} {end}")).collect();
        let ends = if ends.is_empty() { "not sent yet".to_owned() } else { ends.join(", ") };
        said(lines, "    ", &format!("{id}: {ends}"));
    }
    let more = status.recent.len().saturating_sub(RECENT);
    if more > 0 {
        lines.push(format!("  and {more} more: --format json"));
    }
}

#[cfg(test)]
mod tests;
