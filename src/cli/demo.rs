//! `demo`: a day of bundled audit records through the whole product, on a simulated clock, to a receiver on this machine.
//!
//! Everything is the real thing (configuration, presets, KQL, engine, state, signatures, HTTP) except three: the log is
//! bundled, state is kept in memory, and the clock is told what time it is.

mod clock;
mod count;
mod events;
mod forgery;
mod receiver;
mod show;
mod source;
mod world;

use super::report::{Stop, progress_done};
use super::setup::{self, Setup};
use super::{Context, Done, Format, runtime};
use crate::engine::{Delivered, Engine, Outcome, StateError, TickReport, Ticket, Watch};
use crate::hosts::daemon;
use crate::local::memory::MemoryStore;
use crate::notify::sign::SigningKey;
use crate::notify::{Kind, Receiver};
use crate::ports::{StateStore, Transport};
use crate::watch::alert::Alert;
use chrono::{DateTime, TimeDelta, Utc};
use clock::Clock;
use events::Record;
use receiver::{Arrived, Fault};
use serde_json::json;
use show::{Show, Totals};
use source::DemoLog;
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// See it at work: no account, no configuration
///
/// Replays a day of bundled audit records of two HSMs through the whole product on a simulated clock: ordinary traffic, then
/// somebody who should not be there; late records, equal records, a receiver that is busy, and a crash in the midst of it.
/// Alerts go to a receiver on this machine, which checks each signature, and are shown as they were received. At the end
/// the demo compares what arrived with a count of its own; exit code 1 if they differ. Nothing leaves this machine.
///
/// On a terminal it pauses after each alert so that you can follow, and after the replay its receiver stays, to try your own
/// configuration with, until Ctrl-C. With --once, or when its output is not a terminal, it neither pauses nor stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// No pauses, and exit when the replay is done
    #[arg(long)]
    once: bool,
}

/// Seconds of 2026-03-03T00:00Z: the watch begins, and what happened before is never told.
const START: i64 = 1_772_496_000;
const STEP: TimeDelta = TimeDelta::minutes(5);
const DAY: TimeDelta = TimeDelta::days(1);
/// After the day only late records come, and the clock goes faster.
const LATER_STEP: TimeDelta = TimeDelta::hours(1);
/// From the start: the process dies after it has committed alerts and before it has sent them.
const CRASH: TimeDelta = TimeDelta::minutes(20 * 60 + 20);
/// From the start: somebody sends what they have no key for.
const FORGERY: TimeDelta = TimeDelta::minutes(20 * 60 + 30);
/// Waits up to this are slept by a daemon; longer ones are offered by the tick that finds them due.
const SLEPT: TimeDelta = TimeDelta::seconds(30);
/// For a person to look at an alert.
const PAUSE: Duration = Duration::from_millis(1_200);

/// The receiver is busy when these are first told.
const FAULTS: [Fault; 2] = [
    Fault { rule: "user-change", status: 503, retry_after: None },
    Fault { rule: "key-export", status: 429, retry_after: Some(90) },
];

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let people = context.format == Format::Human
        && std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal();
    let stays = people && !args.once;
    runtime()?.block_on(async {
        let mut demo = Demo::start(context.format, stays).await?;
        let fine = demo.replay().await?;
        if stays {
            demo.stay().await?;
        }
        Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(1) })
    })
}

struct Demo {
    show: Show,
    paced: bool,
    clock: Arc<Clock>,
    records: Arc<[Record]>,
    log: Arc<DemoLog>,
    setup: Setup,
    store: Arc<MemoryStore>,
    transport: Arc<dyn Transport>,
    receivers: Vec<Receiver>,
    watches: Vec<Watch>,
    receiver: receiver::Receiver,
    arrivals: mpsc::UnboundedReceiver<Arrived>,
    secret: String,
    /// Webhook messages that were accepted, with what they say.
    told: Vec<(Arrived, Alert)>,
    /// Deliveries that were committed to.
    promised: u64,
    accepted: u64,
    totals: Totals,
}

impl Demo {
    async fn start(format: Format, paced: bool) -> Result<Self, Stop> {
        let records: Arc<[Record]> = events::all()
            .map_err(|e| Stop::no(format!("cannot read the bundled log: {e}")))?
            .into();
        let clock = Arc::new(Clock::new(at(TimeDelta::zero())));
        let secret = world::new_secret();
        let key = SigningKey::parse(&secret).map_err(|e| Stop::no(e.to_string()))?;
        let (receiver, arrivals) = receiver::Receiver::start(Arc::clone(&clock), key, &FAULTS)
            .await
            .map_err(|e| Stop::no(format!("cannot listen on 127.0.0.1: {e}")))?;
        let setup = world::setup(&receiver, &secret)?;
        let log = Arc::new(DemoLog::new(Arc::clone(&records)));
        let receivers = setup.receivers()?;
        let watches = world::watches(&setup, &receivers, &log);
        Ok(Self {
            show: Show::new(format),
            paced,
            clock,
            records,
            log,
            store: Arc::new(MemoryStore::new()),
            transport: setup.transport()?,
            receivers,
            watches,
            setup,
            receiver,
            arrivals,
            secret,
            told: Vec::new(),
            promised: 0,
            accepted: 0,
            totals: Totals::default(),
        })
    }

    /// An engine over the state that is there: what a process makes when it starts.
    fn engine(&self) -> Engine {
        Engine::new(
            Arc::clone(&self.store) as Arc<dyn StateStore>,
            Arc::clone(&self.transport),
            self.receivers.clone(),
            self.setup.timing(),
            self.setup.config.silent_after,
            setup::instance(),
        )
    }

    /// Everything; answers whether all went as promised.
    async fn replay(&mut self) -> Result<bool, Stop> {
        let rules = self.watches.len();
        self.show.line(format!(
            "hsmwatch demo: Tuesday, 3 March 2026 on two HSMs, by a simulated clock. {rules} rules look every\n\
             5 minutes; alerts go to a receiver on this machine, which checks each signature. This is what\n\
             it gets.\n"
        ));
        let last = self.records.iter().map(|record| record.available).max().unwrap_or_default();
        // One whole sweep after the last record, and the retries of what it finds.
        let end = last + self.setup.timing().sweep_every + LATER_STEP * 2;
        let mut engine = self.engine();
        let mut now = at(TimeDelta::zero());
        while now <= end {
            self.clock.set(now);
            self.store.set_clock(now);
            let read = self.records.iter().filter(|record| record.available <= now).count();
            self.show.progress(format!(
                "{}  {read} of {} events read; alerts: {}",
                now.format("%Y-%m-%d %H:%M"),
                self.records.len(),
                self.told.len()
            ));
            if now == at(CRASH) {
                engine = self.crash(engine, now).await?;
            } else {
                self.tick(&engine, now).await?;
            }
            if now == at(FORGERY) {
                self.forge(now).await;
            }
            now += if now < at(DAY) { STEP } else { LATER_STEP };
        }
        Ok(self.finish())
    }

    /// One tick, the deliveries that are due, and their retries that are worth waiting for.
    async fn tick(&mut self, engine: &Engine, now: DateTime<Utc>) -> Result<(), Stop> {
        let done = daemon::once(engine, &self.watches, now).await.map_err(|e| stop(&e))?;
        self.note_tick(&done.tick);
        self.take().await;
        let mut waiting = BTreeSet::new();
        for (ticket, delivered) in done.deliveries {
            waiting.extend(self.note_delivery(now, ticket, delivered));
        }
        while let Some((due, ticket)) = waiting.pop_first() {
            self.clock.set(due);
            let delivered = engine.deliver(&ticket, due).await;
            self.take().await;
            waiting.extend(self.note_delivery(due, ticket, delivered));
        }
        Ok(())
    }

    /// A tick whose process dies when it has committed; another one takes over.
    async fn crash(&mut self, engine: Engine, now: DateTime<Utc>) -> Result<Engine, Stop> {
        let lost = Mutex::new(BTreeSet::new());
        let tick = engine
            .tick(&self.watches, now, &|ticket: Ticket| {
                lost.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket);
            })
            .await
            .map_err(|e| stop(&e))?;
        self.note_tick(&tick);
        drop(engine);
        let lost = lost.into_inner().unwrap_or_else(PoisonError::into_inner).len();
        self.show.note(
            now,
            format!("hsmwatch is killed with {lost} deliveries committed and not yet sent."),
        );
        self.show.note(now, "Another hsmwatch starts over the same state, and goes on.");
        Ok(self.engine())
    }

    fn note_tick(&mut self, tick: &TickReport) {
        let mut alerts: Vec<&Alert> = tick.own.iter().collect();
        for (label, outcome) in &tick.watches {
            match outcome {
                Outcome::Done { alerts: new, .. } => alerts.extend(new),
                Outcome::Failed { error, alerts: new, .. } => {
                    alerts.extend(new);
                    self.totals.failures += 1;
                    self.show.line(format!("error: {label}: {error}"));
                }
                Outcome::Waiting(why) => {
                    self.totals.failures += 1;
                    self.show.line(format!("error: {label}: {why}"));
                }
                Outcome::Started | Outcome::NotDue | Outcome::PutOff(_) => {}
            }
        }
        self.promised += alerts.iter().map(|alert| alert.receivers.len() as u64).sum::<u64>();
        for error in &tick.errors {
            self.totals.failures += 1;
            self.show.line(format!("error: {error}"));
        }
    }

    /// Answers when it is to be tried again, if a daemon would wait for that.
    fn note_delivery(
        &mut self,
        now: DateTime<Utc>,
        ticket: Ticket,
        delivered: Result<Delivered, StateError>,
    ) -> Option<(DateTime<Utc>, Ticket)> {
        let name = &ticket.receiver;
        match delivered {
            Ok(Delivered::Ok | Delivered::Dropped) => None,
            Ok(Delivered::Later { due, why }) => {
                self.show.note(
                    now,
                    format!("Receiver `{name}` is busy ({why}): the alert is sent again."),
                );
                (due - now <= SLEPT).then_some((due, ticket))
            }
            Ok(Delivered::Broken { why } | Delivered::Ended { why, .. }) => {
                self.totals.failures += 1;
                self.show.line(format!("error: {} to {name}: {why}", ticket.alert));
                None
            }
            Err(error) => {
                self.totals.failures += 1;
                self.show.line(format!("error: {} to {name}: {error}", ticket.alert));
                None
            }
        }
    }

    /// Looks at what has arrived since.
    async fn take(&mut self) {
        let mut arrived = Vec::new();
        while let Ok(one) = self.arrivals.try_recv() {
            arrived.push(one);
        }
        arrived.sort_by_key(|one| one.at);
        for one in arrived {
            self.look_at(one).await;
        }
    }

    async fn look_at(&mut self, arrived: Arrived) {
        if let Some(why) = &arrived.problem {
            self.totals.deliveries_unverified += 1;
            self.show.note(arrived.at, format!("The receiver refuses a message: {why}"));
            return;
        }
        if !arrived.accepted() {
            return;
        }
        self.accepted += 1;
        self.totals.tried_again += u64::from(arrived.attempt > 1);
        self.totals.delivered_twice += u64::from(arrived.again);
        match arrived.kind {
            Kind::Teams => self.totals.teams_cards += 1,
            Kind::Slack => self.totals.slack_messages += 1,
            _ => {
                let Some(alert) = show::received(&arrived.body) else {
                    self.totals.failures += 1;
                    self.show.line("error: the receiver cannot read a message that it accepted");
                    return;
                };
                self.totals.deliveries_verified += 1;
                if self.show.alert(&arrived, &alert) && self.paced {
                    #[expect(clippy::disallowed_methods, reason = "a person reads")]
                    tokio::time::sleep(PAUSE).await;
                }
                self.told.push((arrived, alert));
            }
        }
    }

    /// The table, and whether all went as promised.
    fn finish(&mut self) -> bool {
        let overlap = self.setup.timing().overlap;
        let alerts: Vec<Alert> = self.told.iter().map(|(_, alert)| alert.clone()).collect();
        let compared = count::compare(&self.records, at(TimeDelta::zero()), overlap, &alerts);
        let hits =
            || alerts.iter().flat_map(|alert| alert.hits.iter().map(move |hit| (alert, hit)));
        let late = hits().filter(|(alert, _)| alert.reason == crate::watch::alert::Reason::Sweep);
        let totals = &mut self.totals;
        totals.events_read = self.records.len() as u64;
        totals.queries = self.log.queries();
        totals.rows_matched = self.log.rows();
        totals.hits_told = alerts.iter().map(|alert| alert.count).sum();
        totals.duplicates_suppressed = totals.rows_matched.saturating_sub(totals.hits_told);
        totals.alerts_sent =
            alerts.iter().map(|alert| &alert.id).collect::<BTreeSet<_>>().len() as u64;
        totals.late_rows_caught = late.clone().count() as u64;
        totals.latest_after_s =
            late.map(|(alert, hit)| (alert.time - hit.time).num_seconds()).max().unwrap_or(0);
        totals.undelivered = self.promised.saturating_sub(self.accepted);
        totals.due = compared.due;
        totals.due_late = compared.late;
        totals.missed = compared.missed;
        totals.told_twice = compared.surplus;
        totals.fine = compared.agrees()
            && totals.undelivered == 0
            && totals.failures == 0
            && totals.deliveries_unverified == 0
            && totals.delivered_twice == 0;
        totals.not_counted = compared.unknown;
        let fine = totals.fine;
        if self.show.format == Format::Json {
            super::report::out(json!({ "summary": totals }));
        } else {
            let text = format!("{}\n\n{}", totals.table(), totals.verdict());
            self.show.line("");
            self.show.line(text);
            self.show.line(NEXT);
        }
        progress_done();
        fine
    }

    /// Goes on receiving, by the machine's clock, until it is told to stop.
    async fn stay(&mut self) -> Result<(), Stop> {
        let stop =
            daemon::signal().map_err(|e| Stop::no(format!("cannot wait for signals: {e}")))?;
        self.clock.follow_the_machine();
        let (url, secret) = (self.receiver.url(Kind::Webhook), &self.secret);
        let text = format!(
            "\nThe receiver stays, for your own configuration, and shows what it gets. Ctrl-C ends it.\n\n\
             [[receiver]]\nname = \"demo\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = \"{secret}\"\n"
        );
        self.show.line(text);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                Some(arrived) = self.arrivals.recv() => {
                    self.look_at(arrived).await;
                    self.show.quiet_line();
                }
            }
        }
    }
}

const NEXT: &str = "
What ran here is the configuration `demo/hsmwatch.toml`. With your own log:
  hsmwatch check        reads your hsmwatch.toml (README.md, \"Five minutes with your own logs\")
  hsmwatch run --once   watches once; hsmwatch run keeps watching";

fn at(since_start: TimeDelta) -> DateTime<Utc> {
    DateTime::from_timestamp(START, 0).unwrap_or_default() + since_start
}

fn stop(error: &StateError) -> Stop {
    Stop::no(error.to_string())
}
