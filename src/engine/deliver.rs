//! Delivering one alert to one receiver: claim the record, read the alert, send it, record what came of it.

use super::record::{CLAIM, End, POST_TAKES, Record};
use super::{Engine, StateError, Ticket};
use crate::notify::verdict::{NoAnswer, Verdict, judge, judge_no_answer};
use crate::notify::{self, Kind, Receiver, backoff};
use crate::planted::{self, Bug};
use crate::ports::{Etag, Post, Reply, StoreError, TransportError, When};
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
        let verdict = self.post(receiver, &alert, at()).await;
        let delivered = settle(&mut record, receiver, &alert, verdict, at());
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

    async fn post(&self, receiver: &Receiver, alert: &Alert, at: DateTime<Utc>) -> Verdict {
        let body = notify::render(receiver, alert);
        let headers = notify::headers(receiver, &alert.id, at, &body);
        let post = Post { receiver: receiver.name.clone(), body, headers };
        verdict(receiver.kind, &self.transport.send(post).await)
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

/// What came of a POST.
pub fn verdict(kind: Kind, sent: &Result<Reply, TransportError>) -> Verdict {
    match sent {
        // Slack's word is its body: half of it says neither that all is well nor that this is not Slack.
        Ok(reply) if kind == Kind::Slack && !reply.whole && (200..300).contains(&reply.status) => {
            judge_no_answer(NoAnswer::Ambiguous, "the answer broke off")
        }
        Ok(reply) => judge(kind, reply.status, reply.retry_after, &reply.body),
        Err(TransportError::Forbidden(why)) => judge_no_answer(NoAnswer::Forbidden, why),
        Err(TransportError::Connect(why)) => judge_no_answer(NoAnswer::Connect, why),
        Err(TransportError::Ambiguous(why)) => judge_no_answer(NoAnswer::Ambiguous, why),
    }
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
