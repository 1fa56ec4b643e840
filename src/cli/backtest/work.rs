//! The rules' way through the period: as many at a time as there are processors, each with an engine and a memory of its own,
//! for no rule knows of another.

use super::super::report::{Stop, progress, progress_done};
use super::super::setup::{Ready, instance};
use crate::backtest::{Fired, RuleRun};
use crate::engine::{Engine, Outcome, Watch, Workspace};
use crate::hosts::replay::{Period, replay};
use crate::local::files::archive::{Archive, ArchiveLogs};
use crate::local::fleeting::{FleetingStore, Nowhere};
use crate::watch::head::FailureKind;
use crate::watch::plan::Timing;
use crate::watch::rule::{Kind, Rule};
use crate::watch::schedule::Schedule;
use chrono::TimeDelta;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Evaluations that fail before a rule is given up: the next would fail like them.
const PATIENCE: u64 = 20;

/// How far all are.
struct Far {
    done: AtomicU64,
    all: u64,
}

/// Takes every rule through the period.
pub(super) fn all(
    rules: &[Ready],
    archive: &Arc<Archive>,
    period: Period,
) -> Result<Vec<RuleRun>, Stop> {
    let next = AtomicUsize::new(0);
    let far = Far { done: AtomicU64::new(0), all: period.count() * rules.len() as u64 };
    let runs: Mutex<Vec<(usize, Result<RuleRun, Stop>)>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(rules.len());
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                let logs = Arc::new(ArchiveLogs::new(Arc::clone(archive)));
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(ready) = rules.get(at) else { return };
                    let run = one(ready, archive, &logs, period, &far);
                    runs.lock().unwrap_or_else(PoisonError::into_inner).push((at, run));
                }
            });
        }
    });
    progress_done();
    let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
    runs.sort_by_key(|(at, _)| *at);
    runs.into_iter().map(|(_, run)| run).collect()
}

fn one(
    ready: &Ready,
    archive: &Archive,
    logs: &Arc<ArchiveLogs>,
    period: Period,
    far: &Far,
) -> Result<RuleRun, Stop> {
    let rule = paced(&ready.rule, period.every);
    let mut run = RuleRun::new(&rule.id, &rule.title, rule.severity);
    let missing = rule.tables().into_iter().find(|table| table != archive.table());
    let passed = |instants: u64| {
        let done = far.done.fetch_add(instants, Ordering::Relaxed) + instants;
        progress(format!("evaluating: {} %", done * 100 / far.all.max(1)));
    };
    if let Some(table) = missing {
        run.skipped = Some(format!("it reads the table {table}, which is not in the logs"));
        passed(period.count());
        return Ok(run);
    }
    let workspace = Workspace {
        id: "logs".to_owned(),
        name: "logs".to_owned(),
        source: Arc::<ArchiveLogs>::clone(logs),
        logs_link: Box::new(|_, _, _| None),
    };
    let watch = Watch {
        workspace: Arc::new(workspace),
        rule: Arc::new(rule),
        receivers: Vec::new(),
        over_nothing: ready.over_nothing.clone(),
    };
    let timing = Timing::punctual(Timing::default().catch_up.max(period.every * 2));
    let engine = Engine::new(
        Arc::new(FleetingStore::new()),
        Arc::new(Nowhere),
        Vec::new(),
        timing,
        None,
        instance(),
    );
    let mut groups = Vec::new();
    let mut told = |at, outcome| {
        let (alerts, failure) = match outcome {
            Outcome::Started | Outcome::NotDue => return true,
            Outcome::Done { rows, alerts } => {
                run.rows += rows;
                (alerts, None)
            }
            Outcome::Failed { kind, error, alerts } => (alerts, Some((kind, error))),
            Outcome::Waiting(why) => (Vec::new(), Some((FailureKind::Unavailable, why))),
            Outcome::PutOff(_) => (Vec::new(), None),
        };
        run.evaluations += 1;
        run.fired.extend(alerts.iter().map(|alert| Fired::new(alert, &mut groups)));
        if let Some((_, why)) = failure {
            run.fail(at, why);
        }
        run.failed < PATIENCE || run.failed < run.evaluations
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|e| Stop::no(format!("cannot start: {e}")))?;
    runtime.block_on(replay(&engine, &watch, period, &mut told, &passed));
    Ok(run)
}

/// A rule as the timer lets it be: one that is due more often than the timer fires is due when it fires. Rules with a window
/// keep their instants, of which the engine makes up for those between.
fn paced(rule: &Rule, every: TimeDelta) -> Rule {
    let mut rule = rule.clone();
    if let (Kind::Event { .. }, Schedule::Every(own)) = (&rule.kind, &rule.schedule)
        && *own < every
    {
        rule.schedule = Schedule::Every(every);
    }
    rule
}
