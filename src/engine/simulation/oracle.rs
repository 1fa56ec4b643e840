//! The oracle: sees every head that is written, every ticket, every POST and every answered query, and says what was broken.

use crate::engine::record::Record;
use crate::engine::{ALERTS_FORMATS, AlertsDoc, Ticket};
use crate::ports::Document;
use crate::watch::alert::{Alert, Interval, Reason};
use crate::watch::head::{Gap, Head, Version};
use crate::watch::own::OWN;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// A committed alert, with the time of its commit.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) alert: Alert,
    pub(super) at: DateTime<Utc>,
}

#[derive(Default)]
struct Facts {
    now: DateTime<Utc>,
    committed: BTreeMap<String, Committed>,
    docs: BTreeSet<String>,
    heads: BTreeMap<String, Head>,
    versions: BTreeMap<String, Version>,
    gaps: BTreeSet<Gap>,
    answered: Vec<Interval>,
    /// POSTs on the wire, or given up by a process that died: until when they count as open.
    open: BTreeMap<(String, String), DateTime<Utc>>,
    accepted: BTreeMap<(String, String), u32>,
    posts: u64,
    clocks_step: bool,
    broken: Vec<String>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Oracle(Mutex<Facts>);

impl Oracle {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap().now
    }

    pub(super) fn set_now(&self, now: DateTime<Utc>) {
        self.0.lock().unwrap().now = now;
    }

    pub(super) fn clocks_step(&self) {
        self.0.lock().unwrap().clocks_step = true;
    }

    /// A query of the watch was answered in full.
    pub(super) fn answered_query(&self, window: Interval) {
        let mut facts = self.0.lock().unwrap();
        facts.answered.push(window);
        // Keep it short: one union.
        facts.answered.sort();
        let mut union: Vec<Interval> = Vec::new();
        for next in facts.answered.drain(..) {
            match union.last_mut() {
                Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
                _ => union.push(next),
            }
        }
        facts.answered = union;
    }

    pub(super) fn head_written(
        &self,
        documents: &BTreeMap<String, (Document, DateTime<Utc>)>,
        name: &str,
    ) {
        let mut facts = self.0.lock().unwrap();
        let facts = &mut *facts;
        let head = Head::decode(&documents[name].0.body).unwrap();
        let size = documents[name].0.body.len();
        if size > 64 * 1024 {
            facts.broken.push(format!("P9: head of {size} bytes"));
        }
        for batch in &head.outbox {
            if !facts.docs.insert(batch.doc.clone()) {
                continue;
            }
            let Some((document, _)) = documents.get(&batch.doc) else {
                facts.broken.push(format!("P7: the head names {} which is not there", batch.doc));
                continue;
            };
            let doc: AlertsDoc = serde_json::from_slice(&document.body).unwrap();
            assert_eq!(doc.format, ALERTS_FORMATS.writes);
            for alert in doc.alerts {
                let committed = Committed { at: facts.now, alert: alert.clone() };
                if facts.committed.insert(alert.id.clone(), committed).is_some() {
                    facts.broken.push(format!(
                        "alert {} ({}, {:?}) was committed twice",
                        alert.id, alert.rule.title, alert.reason
                    ));
                }
            }
        }
        if let Some(seen) = &head.seen
            && !documents.contains_key(seen)
        {
            facts.broken.push(format!("the head names {seen} which is not there"));
        }
        if head.watch.rule != OWN {
            if let Some(before) = facts.heads.get(name) {
                if head.watermark < before.watermark {
                    facts.broken.push("the watermark fell".to_owned());
                }
                if head.floor < before.floor {
                    facts.broken.push("the floor fell".to_owned());
                }
                // P3: everything up to the watermark was asked for, or is named.
                if head.watermark > before.watermark {
                    let new = Interval { from: before.watermark, to: head.watermark };
                    let asked = facts.answered.iter().any(|i| i.from <= new.from && new.to <= i.to);
                    let named = head.gaps.iter().any(|g| g.interval.to > new.from);
                    if !asked && !named {
                        facts
                            .broken
                            .push(format!("P3: {new:?} is committed but was not asked for"));
                    }
                }
            }
            // A version that was replaced before it had time of its own never stood.
            let first = head.versions[0].since;
            facts.versions.retain(|_, v| v.since < first || head.versions.contains(v));
            for version in &head.versions {
                facts.versions.insert(format!("{}@{}", version.since, version.id), version.clone());
            }
            facts.gaps.extend(head.gaps.iter().cloned());
        }
        facts.heads.insert(name.to_owned(), head);
    }

    pub(super) fn offered(&self, ticket: &Ticket) {
        let mut facts = self.0.lock().unwrap();
        if !facts.committed.contains_key(&ticket.alert) {
            facts.broken.push(format!("a ticket for {} left before its commit", ticket.alert));
        }
    }

    pub(super) fn posted(&self, alert: &str, receiver: &str, record: Option<&Record>) {
        let mut facts = self.0.lock().unwrap();
        let facts = &mut *facts;
        let key = (alert.to_owned(), receiver.to_owned());
        facts.posts += 1;
        if !facts.committed.contains_key(alert) {
            facts.broken.push(format!("{alert} was sent before its commit"));
        }
        // A claim is a matter of clocks: where they step, only what was recorded counts.
        if !facts.clocks_step && facts.open.get(&key).is_some_and(|until| *until > facts.now) {
            facts.broken.push(format!(
                "P2: {alert} was sent to {receiver} while another POST was under way"
            ));
        }
        if let Some(at) = record.filter(|r| r.end.is_some()).and_then(|r| r.ended_at) {
            facts
                .broken
                .push(format!("P2: {alert} was sent to {receiver} although it ended at {at}"));
        }
        facts.open.insert(key, facts.now + TimeDelta::seconds(119));
    }

    pub(super) fn answered(&self, alert: &str, receiver: &str, accepted: bool) {
        let mut facts = self.0.lock().unwrap();
        let key = (alert.to_owned(), receiver.to_owned());
        facts.open.remove(&key);
        if accepted {
            *facts.accepted.entry(key).or_default() += 1;
        }
    }

    pub(super) fn died_posting(&self, alert: &str, receiver: &str, accepted: bool) {
        if accepted {
            let mut facts = self.0.lock().unwrap();
            *facts.accepted.entry((alert.to_owned(), receiver.to_owned())).or_default() += 1;
        }
    }

    pub(super) fn breaks(&self, what: String) {
        let mut facts = self.0.lock().unwrap();
        if !facts.broken.contains(&what) {
            facts.broken.push(what);
        }
    }

    pub(super) fn broken(&self) -> Vec<String> {
        self.0.lock().unwrap().broken.clone()
    }

    pub(super) fn committed(&self) -> Vec<Committed> {
        self.0.lock().unwrap().committed.values().cloned().collect()
    }

    pub(super) fn accepted(&self, alert: &str, receiver: &str) -> u32 {
        let facts = self.0.lock().unwrap();
        facts.accepted.get(&(alert.to_owned(), receiver.to_owned())).copied().unwrap_or(0)
    }

    pub(super) fn heads(&self) -> Vec<Head> {
        self.0.lock().unwrap().heads.values().cloned().collect()
    }

    pub(super) fn gaps(&self) -> Vec<Gap> {
        self.0.lock().unwrap().gaps.iter().cloned().collect()
    }

    /// The version that stands for an instant: the last one that was ever adopted at or before it.
    pub(super) fn version_at(&self, t: DateTime<Utc>) -> Option<Version> {
        let facts = self.0.lock().unwrap();
        let mut versions: Vec<&Version> = facts.versions.values().collect();
        versions.sort_by_key(|v| v.since);
        versions.iter().rev().find(|v| v.since <= t).or(versions.first()).map(|v| (*v).clone())
    }

    /// Rows told, by what the world put into `Row`, over all bodies ever committed.
    pub(super) fn told_rows(&self) -> BTreeMap<String, Vec<(DateTime<Utc>, Reason)>> {
        let mut told: BTreeMap<String, Vec<(DateTime<Utc>, Reason)>> = BTreeMap::new();
        for Committed { alert, at } in self.committed() {
            if alert.rule.id == OWN {
                continue;
            }
            for hit in &alert.hits {
                let row = hit.fields["Row"].as_str().unwrap().to_owned();
                told.entry(row).or_default().push((at, alert.reason));
            }
        }
        told
    }
}
