//! A case, played: the engine, tick by tick, in a world where rows come and things fail as the case says.

use super::super::check::schedule;
use super::super::report::Stop;
use super::super::runtime;
use super::super::setup::{Ready, instance};
use super::rows::{Exported, logs};
use crate::engine::{Engine, Outcome, Ticket, Watch, Workspace};
use crate::local::rehearsal::{Manner, MortalStore, RehearsedLogs, RehearsedReceiver};
use crate::notify::{Detail, Receiver, Settings, webhook};
use crate::ports::Query;
use crate::ruletest::file::{Case, Mishap, Schema, TestFile};
use crate::ruletest::judge::Told;
use crate::watch::alert::Alert;
use crate::watch::plan::Timing;
use crate::watch::severity::Severity;
use crate::watch::tables::to_ticks;
use chrono::{DateTime, Utc};
use kql::Stages;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The receiver of a rehearsal.
const RECEIVER: &str = "rehearsal";
/// The workspace of a rehearsal.
const WORKSPACE: &str = "rehearsal";

/// What came of a case.
pub(super) struct Played {
    pub(super) told: Vec<Told>,
    /// Evaluations that failed.
    pub(super) errors: Vec<String>,
    logs: Arc<RehearsedLogs>,
    /// The rules that were not due at an instant, each with when it is.
    idle: BTreeSet<(DateTime<Utc>, String, String)>,
}

/// Plays a case.
pub(super) fn play(
    case: &Case,
    test: &TestFile,
    rules: &[Ready],
    which: Schema,
    exported: &[Exported],
) -> Result<Played, Stop> {
    let logs = Arc::new(logs(test, &case.rows, which, exported));
    let receiver = Arc::new(RehearsedReceiver::default());
    let store = Arc::new(MortalStore::new(Arc::clone(&receiver)));
    let workspace = Arc::new(Workspace {
        id: WORKSPACE.to_owned(),
        name: WORKSPACE.to_owned(),
        source: Arc::<RehearsedLogs>::clone(&logs),
        logs_link: Box::new(|_, _, _| None),
    });
    let watches: Vec<Watch> = rules
        .iter()
        .map(|ready| Watch {
            workspace: Arc::clone(&workspace),
            rule: Arc::clone(&ready.rule),
            receivers: vec![RECEIVER.to_owned()],
            over_nothing: ready.over_nothing.clone(),
        })
        .collect();
    let mut play = Play {
        watches,
        receiver,
        store,
        alerts: BTreeMap::new(),
        played: Played { told: Vec::new(), errors: Vec::new(), logs, idle: BTreeSet::new() },
    };
    runtime()?.block_on(async {
        let mut engine = play.engine();
        for at in std::iter::once(&test.start).chain(&case.eval) {
            let mishaps: Vec<Mishap> = case
                .faults
                .iter()
                .filter(|fault| fault.at.contains(at))
                .map(|fault| fault.mishap)
                .collect();
            if mishaps.contains(&Mishap::Missed) {
                continue;
            }
            play.receiver.be(manner(&mishaps));
            play.store.set_clock(*at);
            play.instant(&engine, *at).await;
            if play.receiver.caller_is_dead() {
                play.receiver.be(Manner::Well);
                engine = play.engine();
            }
        }
    });
    Ok(play.played)
}

fn manner(mishaps: &[Mishap]) -> Manner {
    let one = mishaps.last().map(|mishap| match mishap {
        Mishap::Status(status) => Manner::Status(*status),
        Mishap::Dies => Manner::Dies,
        Mishap::Down => Manner::Down,
        Mishap::CrashBefore => Manner::CallerDiesBefore,
        Mishap::CrashAfter => Manner::CallerDies,
        Mishap::Missed => Manner::Well,
    });
    one.unwrap_or_default()
}

struct Play {
    watches: Vec<Watch>,
    receiver: Arc<RehearsedReceiver>,
    store: Arc<MortalStore>,
    /// All that were committed, by id.
    alerts: BTreeMap<String, Alert>,
    played: Played,
}

impl Play {
    /// A process.
    fn engine(&self) -> Engine {
        let receiver = Receiver {
            name: RECEIVER.to_owned(),
            settings: Settings::Webhook(webhook::Settings::default()),
            min_severity: Severity::Info,
            rules: None,
            detail: Detail::Full,
            keys: Vec::new(),
            credential: String::new(),
        };
        let store = Arc::<MortalStore>::clone(&self.store);
        let transport = Arc::<RehearsedReceiver>::clone(&self.receiver);
        Engine::new(store, transport, vec![receiver], Timing::default(), None, instance())
    }

    /// The timer fires.
    async fn instant(&mut self, engine: &Engine, at: DateTime<Utc>) {
        let tickets: Mutex<Vec<Ticket>> = Mutex::default();
        let offer = |ticket| tickets.lock().unwrap_or_else(PoisonError::into_inner).push(ticket);
        let watches = self.watches.clone();
        match engine.tick(&watches, at, &offer).await {
            Ok(report) => {
                self.played.errors.extend(report.errors);
                for ((label, outcome), watch) in report.watches.into_iter().zip(&watches) {
                    match outcome {
                        Outcome::Done { alerts, .. } => self.keep(alerts),
                        Outcome::Failed { error, alerts, .. } => {
                            self.keep(alerts);
                            self.played.errors.push(format!("{label} at {at}: {error}"));
                        }
                        Outcome::NotDue => {
                            let every = schedule(&watch.rule.schedule);
                            self.played.idle.insert((at, watch.rule.id.clone(), every));
                        }
                        Outcome::Started | Outcome::PutOff(_) | Outcome::Waiting(_) => {}
                    }
                }
            }
            Err(error) => self.played.errors.push(format!("at {at}: {error}")),
        }
        for ticket in tickets.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if self.receiver.caller_is_dead() {
                break;
            }
            self.receiver.expect(&ticket.alert);
            if let Err(error) = engine.deliver(&ticket, at).await
                && !self.receiver.caller_is_dead()
            {
                self.played.errors.push(format!("delivery at {at}: {error}"));
            }
        }
        for id in self.receiver.accepted() {
            // Who gets an alert twice knows it by its id.
            let known = self.played.told.iter().any(|told| told.alert.id == id);
            if let (false, Some(alert)) = (known, self.alerts.get(&id)) {
                self.played.told.push(Told { at, alert: alert.clone() });
            }
        }
    }

    fn keep(&mut self, alerts: Vec<Alert>) {
        self.alerts.extend(alerts.into_iter().map(|alert| (alert.id.clone(), alert)));
    }
}

impl Played {
    /// Why a rule told nothing at an instant, if it was not due.
    pub(super) fn not_due(&self, rule: &str, at: DateTime<Utc>) -> Option<String> {
        self.idle.iter().find(|(when, id, _)| *when == at && id == rule).map(|(_, id, every)| {
            format!("`{id}` was not due at this instant: it is evaluated {every}")
        })
    }

    /// The rows that each operator of a rule's query gave at an instant.
    pub(super) fn stages(
        &self,
        rule: &str,
        at: DateTime<Utc>,
        rules: &[Ready],
    ) -> Vec<(u64, usize, String)> {
        let Some(ready) = rules.iter().find(|ready| ready.rule.id == rule) else {
            return Vec::new();
        };
        let text = ready.rule.text();
        let asked = self.logs.asked();
        let Some(Query { text, timespan, now }) =
            asked.iter().rev().find(|asked| asked.now == at && asked.text.ends_with(&text))
        else {
            return Vec::new();
        };
        let tables = self.logs.at(*now, *timespan);
        let Ok(plan) = kql::bind(text, &tables, to_ticks(*now)) else { return Vec::new() };
        let (rows, stages) = plan.explain(&tables);
        let _ = rows.map_while(Result::ok).count();
        shown(text, &stages)
    }
}

/// Each operator's rows, depth and line of text.
pub(super) fn shown(text: &str, stages: &Stages<'_>) -> Vec<(u64, usize, String)> {
    let line = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let part = line.split('|').next().unwrap_or_default().trim();
        part.chars().take(100).collect()
    };
    stages.all().into_iter().map(|s| (s.rows, s.depth, line(s.span.start))).collect()
}
