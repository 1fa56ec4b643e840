//! Delivering one alert to one receiver: claim the record, read the alert, send it, record what came of it.

use super::case::BUSY;
use super::record::{CLAIM, End, Faulted, POST_TAKES, Record};
use super::{Engine, StateError, Ticket};
use crate::notify::desk::Memory;
use crate::notify::exchange::{Act, Ask, Errand, Exchange, Step};
use crate::notify::verdict::Verdict;
use crate::notify::{Receiver, backoff};
use crate::planted::{self, Bug};
use crate::ports::{Etag, Request, StoreError, When, answered};
use crate::watch::alert::Alert;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tokio::time::Instant;

/// How a delivery went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The receiver accepted it.
    Ok,
    /// Nothing to do: it ended before, is not due, someone else has claimed it, or the alert is gone.
    Dropped,
    /// Not yet: to be tried again at this time.
    Later {
        /// When.
        due: DateTime<Utc>,
        /// What was answered.
        why: String,
    },
    /// The receiver is broken: its alerts wait.
    Broken {
        /// What was answered.
        why: String,
    },
    /// Ended without having been accepted.
    Ended {
        /// How.
        end: End,
        /// What was answered.
        why: String,
    },
}

/// How often a record's end is written before it is left to the claim to run out.
const WRITES: usize = 3;

impl Engine {
    /// Delivers what a ticket stands for. `now` is when it begins.
    pub async fn deliver(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<Delivered, StateError> {
        let began = Instant::now();
        let at = || now + TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        let Some((mut record, mut etag)) = self.claim(ticket, now).await? else {
            return Ok(Delivered::Dropped);
        };
        // Only whoever holds the claim reads the alert: it may have ended and been forgotten meanwhile.
        let alert = match self.committed(ticket).await {
            Ok(Some(alert)) => alert,
            Ok(None) => {
                let name = Record::name(&ticket.alert, &ticket.receiver);
                self.store.delete(&name, Some(&etag)).await?;
                return Ok(Delivered::Dropped);
            }
            // Someone may put it back; if nobody does, the schedule ends, and that is told.
            Err(error @ StateError::Document { .. }) => {
                record.claim_until = at();
                let delivered = retry(&mut record, at(), None, error.to_string());
                self.put(&record, &mut etag).await?;
                return Ok(delivered);
            }
            Err(error) => return Err(error),
        };
        let Some(receiver) = self.receiver(&ticket.receiver) else {
            let why = "removed: the receiver is no longer configured".to_owned();
            record.last.clone_from(&why);
            record.end(End::Refused, at());
            self.put(&record, &mut etag).await?;
            return Ok(Delivered::Ended { end: End::Refused, why });
        };
        if at() + POST_TAKES > record.claim_until {
            return Ok(Delivered::Dropped);
        }
        let delivered = match self.tell(receiver, &alert, &mut record, &at).await {
            Ok(Some(verdict)) => settle(&mut record, receiver, &alert, verdict, at()),
            Ok(None) => wait_for_turn(&mut record, at()),
            Err(error @ StateError::Document { .. }) => {
                record.claim_until = at();
                retry(&mut record, at(), None, error.to_string())
            }
            Err(error) => return Err(error),
        };
        self.put(&record, &mut etag).await?;
        Ok(delivered)
    }

    /// Wins the record, or answers `None`: it ended, is not due, or someone else has it.
    async fn claim(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<Option<(Record, Etag)>, StateError> {
        let name = Record::name(&ticket.alert, &ticket.receiver);
        let bad = |why| StateError::Document { name: name.clone(), why };
        let (mut record, when) = match self.store.read(&name).await? {
            None => (Record::new(&ticket.alert, &ticket.receiver, now), When::Absent),
            Some(document) => {
                (Record::decode(&document.body).map_err(bad)?, When::Matches(document.etag))
            }
        };
        if planted::is(Bug::NoClaim) {
            return Ok(Some((record, Etag(String::new()))));
        }
        if !record.is_due(now) {
            return Ok(None);
        }
        record.claimed_by = self.commit_id(now);
        record.claim_until = now + CLAIM;
        record.attempts += 1;
        record.own = ticket.watch == crate::watch::own::watch_id().key();
        record.attempted_at = now;
        record.broken = None;
        match self.store.write(&name, record.encode(), record.meta(), when).await {
            Ok(etag) => Ok(Some((record, etag))),
            Err(StoreError::Lost(_) | StoreError::Unknown(_)) => {
                // Ours after all, if the answer was what got lost.
                let read = self.store.read(&name).await?;
                Ok(read.filter(|d| d.body == record.encode()).map(|d| (record, d.etag)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn committed(&self, ticket: &Ticket) -> Result<Option<Alert>, StateError> {
        let Some(loaded) = self.load(&ticket.watch).await? else { return Ok(None) };
        let batch = loaded.head.outbox.iter().find(|batch| batch.alerts.contains(&ticket.alert));
        let Some(batch) = batch else { return Ok(None) };
        let alerts = self.alerts(&batch.doc).await?.unwrap_or_default();
        let alert = alerts.into_iter().find(|alert| alert.id == ticket.alert);
        let gone =
            || StateError::Document { name: batch.doc.clone(), why: "it is gone".to_owned() };
        alert.map(Some).ok_or_else(gone)
    }

    /// Makes the calls that tell the alert. `None`: another alert of the incident is being told to the same desk.
    async fn tell(
        &self,
        receiver: &Receiver,
        alert: &Alert,
        record: &mut Record,
        at: &(impl Fn() -> DateTime<Utc> + Sync),
    ) -> Result<Option<Verdict>, StateError> {
        let mut claimed = None;
        if receiver.kind().is_desk() {
            claimed = self.claim_case(&alert.incident_key, record, at()).await?;
            if claimed.is_none() {
                return Ok(None);
            }
        }
        let again = record.attempts > 1;
        let errand = Errand { receiver, alert, again, resolve: false, at: at() };
        let memory = claimed.as_ref().map_or_else(Memory::default, |c| c.doc.memory.clone());
        let mut exchange = Exchange::begin(errand, memory);
        if let Some(fault) = exchange.fault() {
            // The first stays: it is told once.
            record.fault.get_or_insert_with(|| Faulted::new(at(), &fault.problem.to_string()));
        }
        let verdict = loop {
            let ask = match exchange.step() {
                Step::Ask(ask) => ask,
                Step::End(verdict) => break verdict,
            };
            if at() + POST_TAKES > record.claim_until {
                let why = "the calls it takes took too long".to_owned();
                break Verdict::Retry { after: None, why };
            }
            if ask.act == Act::Open
                && !planted::is(Bug::OpeningForgotten)
                && let Some(claimed) = &mut claimed
                && !self.remember(claimed, exchange.memory()).await?
            {
                return Ok(None);
            }
            exchange.take(&answered(self.transport.send(request(receiver, ask)).await));
        };
        if let Some(claimed) = claimed {
            // What is not written down is found out again; the alert's own record says what came of it.
            let mut memory = exchange.memory();
            if planted::is(Bug::OpeningForgotten) {
                memory.opening = None;
            }
            let _not_known = self.give_back(claimed, memory, at()).await;
        }
        Ok(Some(verdict))
    }

    /// Records what came of an attempt. Losing means that the claim ran out and someone else goes on.
    async fn put(&self, record: &Record, etag: &mut Etag) -> Result<(), StateError> {
        let name = Record::name(&record.alert, &record.receiver);
        let mut last = StoreError::Unknown(name.clone());
        for _ in 0..WRITES {
            let when = When::Matches(etag.clone());
            match self.store.write(&name, record.encode(), record.meta(), when).await {
                Ok(_) | Err(StoreError::Lost(_)) => return Ok(()),
                // Not known: the same write is tried again; if it had arrived, this one loses.
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }
}

/// The call, for the transport.
pub fn request(receiver: &Receiver, ask: Ask) -> Request {
    let Ask { method, path, body, headers, .. } = ask;
    Request { receiver: receiver.name.clone(), method, path, body, headers }
}

/// Another alert of the incident is being told: this one waits a little, which is no attempt.
fn wait_for_turn(record: &mut Record, at: DateTime<Utc>) -> Delivered {
    let why = "another alert of the incident is being told".to_owned();
    record.attempts = record.attempts.saturating_sub(1);
    record.claim_until = at;
    record.next_due = at + BUSY;
    record.last.clone_from(&why);
    Delivered::Later { due: record.next_due, why }
}

/// What a verdict makes of a record.
fn settle(
    record: &mut Record,
    receiver: &Receiver,
    alert: &Alert,
    verdict: Verdict,
    at: DateTime<Utc>,
) -> Delivered {
    record.claim_until = at;
    match verdict {
        Verdict::Delivered => {
            "accepted".clone_into(&mut record.last);
            record.end(End::Delivered, at);
            Delivered::Ok
        }
        Verdict::Refused { why } => {
            record.last.clone_from(&why);
            record.end(End::Refused, at);
            Delivered::Ended { end: End::Refused, why }
        }
        Verdict::ReceiverBroken { why } => {
            record.last.clone_from(&why);
            if at - alert.time >= backoff::total() {
                record.end(End::GaveUp, at);
                return Delivered::Ended { end: End::GaveUp, why };
            }
            // Due at once when the receiver is on again: until then nobody offers it.
            record.next_due = at;
            record.broken = Some(receiver.credential.clone());
            Delivered::Broken { why }
        }
        Verdict::Retry { after, why } => retry(record, at, after, why),
    }
}

/// The next attempt, or the end of the schedule.
fn retry(
    record: &mut Record,
    at: DateTime<Utc>,
    after: Option<Duration>,
    why: String,
) -> Delivered {
    record.last.clone_from(&why);
    let seed = backoff::seed(&record.alert, &record.receiver);
    if let Some(due) = backoff::next_due(record.attempts, at, after, seed) {
        record.next_due = due;
        Delivered::Later { due, why }
    } else {
        record.end(End::GaveUp, at);
        Delivered::Ended { end: End::GaveUp, why }
    }
}
