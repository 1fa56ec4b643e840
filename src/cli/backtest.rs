//! `backtest`: what rules would have told over a past period, by the engine that runs every day.

mod container;
mod logs;
mod rules;
mod work;

use super::report::{Stop, colour, out, talk};
use super::{Context, Done, Format};
use crate::backtest::chart::{Look, report};
use crate::backtest::outcome::STRETCHES;
use crate::backtest::{Expectations, Outcome, Policy, Verdict, json, judge, junit, svg};
use crate::hosts::replay::Period;
use crate::local::files::{Report, archive::Archive};
use crate::notify::limits::clean;
use crate::notify::wording::count_of;
use crate::watch::alert::Interval;
use crate::watch::duration;
use crate::watch::rule::Kind;
use crate::watch::schedule::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const AFTER: &str = "\
Examples:
  hsmwatch backtest --logs exports/
  hsmwatch backtest --rules key-delete --rules rules/ --logs 'archive/**/*.json' --from 2026-01-01 --to 2026-04-01
  hsmwatch backtest --rules all --logs exports/ --expect expectations.toml --junit backtest.xml --svg timeline.svg
  hsmwatch backtest --rules recommended --every 1h --from 2026-11-01 \\
    --logs https://ACCOUNT.blob.core.windows.net/insights-logs-hsmserviceoperations

The rules go through the period tick by tick, with the windows, the memory and the limits that they have every day; each
row counts as arrived at its own time, and what lies before --from is history that first-seen rules look back on.

An expectations file says what should have been told; docs/backtest.md has it all:
  unexpected = \"fail\"            # of rules that told what no expectation covers: fail, warn or ignore
  [[expect]]
  rule = \"key-delete\"
  exactly = 3                    # or at_least, at_most
  day = 2026-03-03               # or from, to; per = \"day\"; count = \"hits\"; group = { _ResourceId = \"hsm-prod\" }

Exit codes: 0 all is as expected; 1 an expectation failed, or something unexpected was told and fails; 2 a rule is wrong or
could not be evaluated, or the command line is wrong; 3 the logs or the expectations file cannot be used.";

/// Tell what rules would have told over archived logs
///
/// Needs no configuration: rules are presets, sets or files, and logs are files as they leave Azure, or the container into
/// which a diagnostic setting archives them. Nothing is sent to anybody, and no state is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Rules: a preset, a set, a file or a folder; may be repeated [default: the rules of the configuration that are on;
    /// without one, the set recommended]
    #[arg(long, value_name = "RULES")]
    rules: Vec<String>,
    /// Logs: a file, a folder, a pattern, or the https address of a container; may be repeated
    #[arg(long, value_name = "LOGS", required = true)]
    logs: Vec<String>,
    /// Where the watches begin (RFC 3339, or a date) [default: the first row]
    #[arg(long, value_name = "TIME", value_parser = super::span::instant)]
    from: Option<DateTime<Utc>>,
    /// The last instant [default: just after the last row]
    #[arg(long, value_name = "TIME", value_parser = super::span::instant)]
    to: Option<DateTime<Utc>>,
    /// How often the timer fires; rules that are due more often are evaluated as often as it does
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    every: TimeDelta,
    /// Hold what was told against this expectations file
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// What it means that a rule told what no expectation covers [default: as the expectations file says, else warn]
    #[arg(long, value_enum, value_name = "POLICY")]
    unexpected: Option<Unexpected>,
    /// Write a timeline of the alerts to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a report for continuous integration to this file, in `JUnit`'s format
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the report as JSON, alerts included; the same as --format json
    #[arg(long)]
    json: bool,
    /// List every day with alerts, not only the first 14
    #[arg(long)]
    days: bool,
}

/// The words of [`Policy`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Unexpected {
    /// The back-test fails
    Fail,
    /// It is said
    Warn,
    /// It is as it should be
    Ignore,
}

impl From<Unexpected> for Policy {
    fn from(word: Unexpected) -> Self {
        match word {
            Unexpected::Fail => Self::Fail,
            Unexpected::Warn => Self::Warn,
            Unexpected::Ignore => Self::Ignore,
        }
    }
}

/// Days listed unless all are asked for.
const DAYS: usize = 14;

pub(crate) use rules::named as read_rules;

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    if args.every < TimeDelta::seconds(1) {
        return Err(Stop::usage("--every is less than a second"));
    }
    let rules = rules::ready(context, &args.rules)?;
    let expectations = expectations(args, &rules)?;
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(Stop::fed("no time lies between --from and --to"));
    }
    // What rules look back on is read, too.
    let back = rules.iter().map(|ready| reach(&ready.rule.kind)).max().unwrap_or_default();
    let within = Interval {
        from: args.from.map_or(DateTime::<Utc>::MIN_UTC, |from| {
            from.checked_sub_signed(back).unwrap_or(DateTime::<Utc>::MIN_UTC)
        }),
        to: args.to.unwrap_or(DateTime::<Utc>::MAX_UTC),
    };
    let (archive, read) = logs::load(&args.logs, within)?;
    tell(&read);
    let period = period(args, &archive)?;
    let archive = Arc::new(archive);
    let runs = work::all(&rules, &archive, period)?;
    let outcome = Outcome {
        period: Interval { from: period.from, to: period.to },
        every: period.every,
        files: read.files,
        rows: archive.len() as u64,
        rows_span: archive.span(),
        volume: volume(&archive, period),
        bad_records: read.bad_count,
        rules: runs,
    };
    let verdict = expectations.map(|expectations| judge(&outcome, &expectations));
    finish(context, args, &outcome, verdict.as_ref())
}

/// How far before an instant a rule looks.
fn reach(kind: &Kind) -> TimeDelta {
    match kind {
        Kind::Event { lookback } => lookback.unwrap_or_default(),
        Kind::Window { window, settle } => *window + *settle,
    }
}

fn expectations(args: &Args, rules: &[super::setup::Ready]) -> Result<Option<Expectations>, Stop> {
    let Some(path) = &args.expect else {
        // Without a file nothing is expected: anything told is unexpected.
        return Ok(args
            .unexpected
            .map(|policy| Expectations { unexpected: policy.into(), ..Expectations::default() }));
    };
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Stop::fed(format!("cannot read the expectations file `{name}`: {e}")))?;
    let ids: Vec<&str> = rules.iter().map(|ready| ready.rule.id.as_str()).collect();
    let mut read = Expectations::parse(&text, &ids).map_err(|e| {
        Stop::fed(format!("expectations file `{name}`: {}", e.to_string().trim_end()))
    })?;
    if let Some(policy) = args.unexpected {
        read.unexpected = policy.into();
    }
    Ok(Some(read))
}

/// The period: as told, or from the first row to just after the last one.
fn period(args: &Args, archive: &Archive) -> Result<Period, Stop> {
    let timer = Schedule::Every(args.every);
    let span = archive.span();
    let nothing = || {
        Stop::fed("the logs have no row of the HSM's audit log in that time").hint(
            "`hsmwatch query --logs … 'CloudHsmServiceOperationAuditLogs | count'` looks into them",
        )
    };
    let from = match (args.from, span) {
        (Some(from), _) => from,
        (None, Some(span)) => timer.slot(span.from).unwrap_or(span.from),
        (None, None) => return Err(nothing()),
    };
    let to = match (args.to, span) {
        (Some(to), _) => to,
        (None, Some(span)) => timer.next_after(span.to).unwrap_or(span.to),
        (None, None) => return Err(nothing()),
    };
    if from >= to {
        return Err(nothing());
    }
    Ok(Period { from, to, every: args.every })
}

/// Rows in each of the stretches that a chart shows.
fn volume(archive: &Archive, period: Period) -> Vec<u64> {
    let whole = period.to - period.from;
    let n = i32::try_from(STRETCHES).unwrap_or(i32::MAX);
    let edges: Vec<DateTime<Utc>> = (0..=n).map(|at| period.from + whole / n * at).collect();
    archive.counts(&edges).into_iter().map(|count| count as u64).collect()
}

fn finish(context: &Context, args: &Args, outcome: &Outcome, verdict: Option<&Verdict>) -> Done {
    if let Some(path) = &args.svg {
        write(path, &svg::picture(outcome))?;
    }
    if let Some(path) = &args.junit {
        write(path, &junit::report(outcome, verdict))?;
    }
    if args.json || context.format == Format::Json {
        out(json::report(outcome, verdict));
    } else {
        let days = if args.days { usize::MAX } else { DAYS };
        out(report(outcome, verdict, Look { colour: colour(), width: 48, days }));
    }
    if outcome.failed().next().is_some() {
        return Ok(ExitCode::from(2));
    }
    let passed = verdict.is_none_or(Verdict::passed);
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    std::fs::write(path, text)
        .map_err(|e| Stop::no(format!("cannot write `{}`: {e}", path.display())))
}

/// Says what was found in the logs beside rows.
fn tell(read: &Report) {
    for pattern in &read.unmatched {
        talk(format!("warning: no file matches `{}`", clean(pattern, 200)));
    }
    for bad in read.bad.iter().take(5) {
        talk(format!("warning: skipped a record: {}", clean(&bad.to_string(), 300)));
    }
    if read.bad_count > 5 {
        talk(format!("warning: skipped {} in all", count_of(read.bad_count, "record", "records")));
    }
    for file in read.unfinished.iter().take(5) {
        talk(format!("warning: the last record of `{}` is not yet complete", clean(file, 200)));
    }
    let others: u64 = read.other.values().sum();
    if others > 0 {
        let names: Vec<String> = read.other.keys().take(5).map(|name| clean(name, 60)).collect();
        let records = count_of(others, "record", "records");
        talk(format!("passed over {records} of other logs ({})", names.join(", ")));
    }
}
