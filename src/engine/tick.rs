//! A tick: tend the outboxes, evaluate what is due or name the workspaces where something is, and look at ourselves.

use super::evaluate::{Evaluated, Given, Outcome, offer_all};
use super::record::End;
use super::{
    ALERTS_FORMATS, AT_A_TIME, AlertsDoc, Engine, Loaded, Offer, StateError, Tended, Ticket, Watch,
};
use crate::ports::{StoreError, When};
use crate::watch::alert::Alert;
use crate::watch::head::{FailureKind, Head};
use crate::watch::own::{self, Known, Observation};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{Instant, timeout_at};

/// How often what nobody names is collected.
const COLLECT_EVERY: TimeDelta = TimeDelta::hours(6);
const RACES: usize = 3;

/// What a tick did.
#[derive(Debug, Default)]
pub struct TickReport {
    /// How each watch went, in the order given.
    pub watches: Vec<(String, Outcome)>,
    /// Alerts about hsmwatch itself.
    pub own: Vec<Alert>,
    /// Deliveries that wait: not due yet, or their receiver is off.
    pub waiting: u64,
    /// Receivers that are off.
    pub off: Vec<String>,
    /// What went wrong with the state, besides the watches' own failures.
    pub errors: Vec<String>,
    /// Ids of workspaces with something due, for others to evaluate: there are too many for one.
    pub delegated: Vec<String>,
}

/// How a tick is done.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// When it begins.
    pub now: DateTime<Utc>,
    /// Takes the tickets.
    pub offer: Offer<'a>,
    /// Evaluations that are not over by then are dropped: what they have committed counts, and the next tick goes on.
    pub until: Option<Instant>,
    /// With more workspaces than this, those where something is due are named, and not evaluated.
    pub workspaces: usize,
    /// What else is the matter, as the host sees it.
    pub notices: &'a [Observation],
}

impl<'a> Turn<'a> {
    /// Everything at once, for as long as it takes.
    pub const fn new(now: DateTime<Utc>, offer: Offer<'a>) -> Self {
        Self { now, offer, until: None, workspaces: usize::MAX, notices: &[] }
    }
}

/// One evaluation to come.
struct Job<'a> {
    index: usize,
    key: String,
    watch: &'a Watch,
    loaded: Option<Loaded>,
    known: Option<&'a Known>,
}

impl TickReport {
    /// Watches that failed.
    pub fn failed(&self) -> usize {
        self.watches.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. })).count()
    }

    /// The head of this watch cannot be read.
    fn cannot_read(&mut self, watch: &Watch, why: &str) {
        let (kind, error) = (FailureKind::State, why.to_owned());
        self.watches.push((watch.label(), Outcome::Failed { kind, error, alerts: Vec::new() }));
    }
}

impl Engine {
    /// One tick over these watches.
    pub async fn tick(
        &self,
        watches: &[Watch],
        now: DateTime<Utc>,
        offer: Offer<'_>,
    ) -> Result<TickReport, StateError> {
        self.tick_as(watches, &Turn::new(now, offer)).await
    }

    /// One tick over these watches, as the turn says.
    pub async fn tick_as(
        &self,
        watches: &[Watch],
        turn: &Turn<'_>,
    ) -> Result<TickReport, StateError> {
        let mut tended = self.tend(turn.now, turn.offer).await?;
        let mut report = TickReport {
            waiting: tended.waiting,
            off: tended.off.keys().cloned().collect(),
            ..TickReport::default()
        };
        let own_key = own::watch_id().key();
        let facts = tended.head(&own_key).and_then(|head| head.own.clone()).unwrap_or_default();
        let here: BTreeSet<&str> = watches.iter().map(|w| w.workspace.id.as_str()).collect();
        let delegate = here.len() > turn.workspaces;
        let mut due: BTreeSet<&str> = BTreeSet::new();
        let mut lost = Vec::new();
        let mut jobs = Vec::new();
        for (index, watch) in watches.iter().enumerate() {
            let key = watch.id().key();
            if let Some(why) = tended.unreadable.get(&key) {
                report.cannot_read(watch, why);
                continue;
            }
            let loaded = tended.heads.get(&key).cloned();
            let known = facts.known.get(&key);
            if let (None, Some(known)) = (&loaded, known) {
                lost.push((watch.label(), known.watermark));
            }
            // Whoever tends begins the watches: a head that is gone must be seen by the one who tells of it.
            if delegate && let Some(loaded) = &loaded {
                let head = &loaded.head;
                let due_now = head.due_slot(&watch.rule, turn.now).is_some();
                if due_now && head.put_off_until(turn.now).is_none() {
                    due.insert(&watch.workspace.id);
                }
                continue;
            }
            jobs.push(Job { index, key, watch, loaded, known });
        }
        report.delegated = due.into_iter().map(str::to_owned).collect();
        self.evaluate_all(jobs, &mut tended, turn, &mut report).await;
        self.trim_others(&mut tended, turn.now, &mut report).await;
        match self.tick_own(watches, &mut tended, &lost, turn).await {
            Ok(alerts) => report.own = alerts,
            Err(error) => report.errors.push(error.to_string()),
        }
        Ok(report)
    }

    /// Evaluates what is due of these watches, and nothing else: for whoever a tick has delegated their workspace to.
    /// Watches without a head are left to the next tick, which begins them.
    pub async fn evaluate_delegated(
        &self,
        watches: &[Watch],
        turn: &Turn<'_>,
    ) -> Result<TickReport, StateError> {
        let keys: Vec<String> = watches.iter().map(|watch| watch.id().key()).collect();
        let mut tended = self.look(keys).await?;
        let mut report =
            TickReport { off: tended.off.keys().cloned().collect(), ..TickReport::default() };
        let mut jobs = Vec::new();
        for (index, watch) in watches.iter().enumerate() {
            let key = watch.id().key();
            if let Some(why) = tended.unreadable.get(&key) {
                report.cannot_read(watch, why);
            } else if let Some(loaded) = tended.heads.get(&key).cloned() {
                jobs.push(Job { index, key, watch, loaded: Some(loaded), known: None });
            }
        }
        self.evaluate_all(jobs, &mut tended, turn, &mut report).await;
        Ok(report)
    }

    /// Evaluates a few at a time, until the turn is over.
    async fn evaluate_all(
        &self,
        mut jobs: Vec<Job<'_>>,
        tended: &mut Tended,
        turn: &Turn<'_>,
        report: &mut TickReport,
    ) {
        // What is committed now waits like the rest for a receiver that is off.
        let off: BTreeSet<String> = tended.off.keys().cloned().collect();
        let held = AtomicU64::new(0);
        let offer: Offer<'_> = &|ticket| {
            if off.contains(&ticket.receiver) {
                held.fetch_add(1, Ordering::Relaxed);
            } else {
                (turn.offer)(ticket);
            }
        };
        let Turn { now, until, .. } = *turn;
        if until.is_some() && !jobs.is_empty() {
            // Each turn begins elsewhere: watches that take too long must not keep the others from ever being evaluated.
            // Where is scattered, for ticks come at multiples of minutes, and so may the number of watches.
            let scattered =
                now.timestamp().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            let first = usize::try_from(scattered).unwrap_or(0) % jobs.len();
            jobs.rotate_left(first);
        }
        let mut left: BTreeMap<usize, String> =
            jobs.iter().map(|job| (job.index, job.watch.label())).collect();
        let ended = &tended.ended;
        // Made one by one, run a few at a time.
        let mut evaluations = Vec::new();
        for Job { index, key, watch, loaded, known } in jobs {
            let given = Given { loaded, known, ended, now, offer };
            evaluations.push(async move {
                // Never closed: without a permit it would run all the same.
                let _permit = self.evaluations.acquire().await;
                (index, key, watch.label(), self.evaluate(watch, given).await)
            });
        }
        let mut done: Vec<(usize, String, String, Evaluated)> = Vec::new();
        let mut running = stream::iter(evaluations).buffer_unordered(AT_A_TIME);
        loop {
            let next = match until {
                Some(until) => timeout_at(until, running.next()).await,
                None => Ok(running.next().await),
            };
            let Ok(Some(evaluated)) = next else { break };
            left.remove(&evaluated.0);
            done.push(evaluated);
        }
        drop(running);
        done.sort_by_key(|(index, ..)| *index);
        let mut outcomes: Vec<(usize, String, Outcome)> = left
            .into_iter()
            .map(|(index, label)| {
                let error =
                    "not over when the time of the tick was; what it has committed counts, \
                             and the next tick goes on"
                        .to_owned();
                let kind = FailureKind::Unavailable;
                (index, label, Outcome::Failed { kind, error, alerts: Vec::new() })
            })
            .collect();
        for (index, key, label, Evaluated { outcome, head, unreadable }) in done {
            tended.documents.extend(unreadable);
            outcomes.push((index, label, outcome));
            if let Some(loaded) = head {
                tended.heads.insert(key, loaded);
            }
        }
        outcomes.sort_by_key(|(index, ..)| *index);
        report.watches.extend(outcomes.into_iter().map(|(_, label, outcome)| (label, outcome)));
        report.waiting += held.load(Ordering::Relaxed);
    }

    /// Heads that no evaluation has written: their ended alerts are forgotten all the same.
    async fn trim_others(&self, tended: &mut Tended, now: DateTime<Utc>, report: &mut TickReport) {
        let own_key = own::watch_id().key();
        for (key, loaded) in &mut tended.heads {
            let mut head = loaded.head.clone();
            if *key == own_key || !head.trim(&tended.ended) {
                continue;
            }
            match self.write_head(&mut head, When::Matches(loaded.etag.clone()), now).await {
                Ok(etag) => *loaded = Loaded { head, etag },
                // Whoever won trims it too.
                Err(StateError::Store(StoreError::Lost(_))) => {}
                Err(error) => report.errors.push(error.to_string()),
            }
        }
    }

    /// hsmwatch's own watch.
    async fn tick_own(
        &self,
        watches: &[Watch],
        tended: &mut Tended,
        lost: &[(String, DateTime<Utc>)],
        turn: &Turn<'_>,
    ) -> Result<Vec<Alert>, StateError> {
        let Turn { now, until, .. } = *turn;
        let key = own::watch_id().key();
        if let Some(why) = tended.unreadable.get(&key) {
            return Err(StateError::Document { name: Head::name(&key), why: why.clone() });
        }
        let mut loaded = tended.heads.get(&key).cloned();
        for _ in 0..=RACES {
            let mut head = loaded.as_ref().map_or_else(|| own::start(now), |l| l.head.clone());
            head.trim(&tended.ended);
            let collect = head
                .own
                .as_ref()
                .and_then(|own| own.collected_at)
                .is_none_or(|at| now - at >= COLLECT_EVERY);
            if collect {
                self.collect(tended, now).await?;
            }
            let heads: BTreeMap<String, Head> = tended
                .heads
                .iter()
                .map(|(key, loaded)| (key.clone(), loaded.head.clone()))
                .collect();
            let mut observations =
                self.observe(watches, &heads, tended, &head, lost, (now, until)).await;
            observations.extend_from_slice(turn.notices);
            note_facts(&mut head, watches, &heads, tended, collect.then_some(now));
            let names: Vec<String> = self.receivers.iter().map(|r| r.name.clone()).collect();
            let alerts = own::step(&mut head, &observations, &names, now);
            if !alerts.is_empty() {
                let name = format!("alerts/{key}/{}", self.commit_id(now));
                let doc = AlertsDoc { format: ALERTS_FORMATS.writes, alerts: alerts.clone() };
                self.write_new(&name, || serde_json::to_vec(&doc).unwrap_or_default()).await?;
                head.post(&name, &alerts, now);
            }
            head.health.last_success = Some(now);
            let when = loaded.as_ref().map_or(When::Absent, |l| When::Matches(l.etag.clone()));
            match self.write_head(&mut head, when, now).await {
                Ok(_) => {
                    let on = |ticket: Ticket| {
                        if !tended.off.contains_key(&ticket.receiver) {
                            (turn.offer)(ticket);
                        }
                    };
                    offer_all(&key, &alerts, &on);
                    return Ok(alerts);
                }
                Err(StateError::Store(StoreError::Lost(_))) => loaded = self.load(&key).await?,
                Err(error) => return Err(error),
            }
        }
        Err(StateError::Contended(own::OWN.to_owned()))
    }
}

/// What is to be remembered: watermarks, and when receivers last accepted something.
fn note_facts(
    head: &mut Head,
    watches: &[Watch],
    heads: &BTreeMap<String, Head>,
    tended: &Tended,
    collected: Option<DateTime<Utc>>,
) {
    let facts = head.own.get_or_insert_default();
    for watch in watches {
        let key = watch.id().key();
        if let Some(of) = heads.get(&key) {
            facts.known.insert(key, Known { name: watch.label(), watermark: of.watermark });
        }
    }
    for (line, at) in tended.ends(End::Delivered) {
        let accepted = facts.accepted.entry(line.receiver.clone()).or_insert(at);
        *accepted = at.max(*accepted);
    }
    facts.collected_at = collected.or(facts.collected_at);
}
