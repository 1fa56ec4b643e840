//! A tick: tend the outboxes, evaluate what is due, and look at ourselves.

use super::evaluate::{Evaluated, Given, Outcome, offer_all};
use super::record::End;
use super::{ALERTS_FORMATS, AlertsDoc, Engine, Loaded, Offer, StateError, Tended, Watch};
use crate::ports::{StoreError, When};
use crate::watch::alert::Alert;
use crate::watch::head::Head;
use crate::watch::own::{self, Known};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Queries at a time: the service allows five a user.
const AT_A_TIME: usize = 4;
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
}

impl TickReport {
    /// Watches that failed.
    pub fn failed(&self) -> usize {
        self.watches.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. })).count()
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
        let mut tended = self.tend(now, offer).await?;
        let mut report = TickReport {
            waiting: tended.waiting,
            off: tended.off.keys().cloned().collect(),
            ..TickReport::default()
        };
        // What is committed now waits like the rest for a receiver that is off.
        let off: BTreeSet<String> = tended.off.keys().cloned().collect();
        let held = AtomicU64::new(0);
        let offer: Offer<'_> = &|ticket| {
            if off.contains(&ticket.receiver) {
                held.fetch_add(1, Ordering::Relaxed);
            } else {
                offer(ticket);
            }
        };
        let own_key = own::watch_id().key();
        let facts = tended.head(&own_key).and_then(|head| head.own.clone()).unwrap_or_default();
        let mut lost = Vec::new();
        let mut jobs = Vec::new();
        for (index, watch) in watches.iter().enumerate() {
            let key = watch.id().key();
            if let Some(why) = tended.unreadable.get(&key) {
                let kind = crate::watch::head::FailureKind::State;
                let outcome = Outcome::Failed { kind, error: why.clone(), alerts: Vec::new() };
                report.watches.push((watch.label(), outcome));
                continue;
            }
            let loaded = tended.heads.get(&key).cloned();
            let known = facts.known.get(&key);
            if let (None, Some(known)) = (&loaded, known) {
                lost.push((watch.label(), known.watermark));
            }
            jobs.push((index, key, watch, loaded, known));
        }
        let ended = &tended.ended;
        // Made one by one, run a few at a time.
        let mut evaluations = Vec::new();
        for (index, key, watch, loaded, known) in jobs {
            let given = Given { loaded, known, ended, now, offer };
            evaluations.push(async move { (index, key, self.evaluate(watch, given).await) });
        }
        let mut done: Vec<(usize, String, Evaluated)> =
            stream::iter(evaluations).buffer_unordered(AT_A_TIME).collect().await;
        done.sort_by_key(|(index, ..)| *index);
        for (index, key, Evaluated { outcome, head, unreadable }) in done {
            tended.documents.extend(unreadable);
            if let Some(watch) = watches.get(index) {
                report.watches.push((watch.label(), outcome));
            }
            if let Some(loaded) = head {
                tended.heads.insert(key, loaded);
            }
        }
        self.trim_others(&mut tended, now, &mut report).await;
        match self.tick_own(watches, &mut tended, &lost, now, offer).await {
            Ok(alerts) => report.own = alerts,
            Err(error) => report.errors.push(error.to_string()),
        }
        report.waiting += held.load(Ordering::Relaxed);
        Ok(report)
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
        now: DateTime<Utc>,
        offer: Offer<'_>,
    ) -> Result<Vec<Alert>, StateError> {
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
            let observations = self.observe(watches, &heads, tended, &head, lost, now).await;
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
                    offer_all(&key, &alerts, offer);
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
