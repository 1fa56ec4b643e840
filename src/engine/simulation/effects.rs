//! Effects that fail: every read, write, query and POST may fail, lose its answer, or be where the process dies.

use super::{Desks, Oracle, Rng};
use crate::engine::record::Record;
use crate::ports::{
    Document, Etag, Listed, Meta, Reply, Request, StateStore, StoreError, Transport,
    TransportError, When,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// How one instance fares. Dies for good when an effect says so; the harness starts another.
pub(super) struct Fate {
    rng: Mutex<Rng>,
    /// Per mille of effects that fail, lose their answer, or are the last.
    pub(super) fail: u64,
    pub(super) lose: u64,
    pub(super) crash: u64,
    pub(super) died: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Works,
    Fails,
    LosesReply,
    DiesBefore,
    DiesAfter,
}

impl Fate {
    pub(super) fn new(seed: u64, fail: u64, lose: u64, crash: u64) -> Arc<Self> {
        let rng = Mutex::new(Rng::new(seed));
        Arc::new(Self { rng, fail, lose, crash, died: Notify::new() })
    }

    /// Lets others go first for a while, and says how the next effect ends.
    pub(super) async fn next(&self) -> Effect {
        let (yields, effect) = {
            let mut rng = self.rng.lock().unwrap();
            let effect = if rng.chance(self.crash) {
                rng.pick(&[Effect::DiesBefore, Effect::DiesAfter])
            } else if rng.chance(self.lose) {
                Effect::LosesReply
            } else if rng.chance(self.fail) {
                Effect::Fails
            } else {
                Effect::Works
            };
            (rng.below(3), effect)
        };
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if effect == Effect::DiesBefore {
            self.die().await;
        }
        effect
    }

    pub(super) async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }
}

/// What all instances share.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) documents: BTreeMap<String, (Document, DateTime<Utc>)>,
    pub(super) writes: u64,
    pub(super) reads: u64,
    pub(super) lists: u64,
}

/// A store over the shared disk, with the fate of one instance.
pub(super) struct SimStore {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) fate: Arc<Fate>,
    pub(super) oracle: Arc<Oracle>,
}

impl SimStore {
    fn apply(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: &When,
    ) -> Result<Etag, StoreError> {
        let mut disk = self.disk.lock().unwrap();
        let now = self.oracle.now();
        let current = disk.documents.get(name).map(|(d, _)| d.etag.clone());
        let holds = match when {
            When::Absent => current.is_none(),
            When::Matches(etag) => current.as_ref() == Some(etag),
        };
        if !holds {
            return Err(StoreError::Lost(name.to_owned()));
        }
        disk.writes += 1;
        let etag = Etag(disk.writes.to_string());
        let document = Document { body, etag: etag.clone(), meta };
        disk.documents.insert(name.to_owned(), (document, now));
        if name.starts_with("heads/") {
            self.oracle.head_written(&disk.documents, name);
        }
        Ok(etag)
    }
}

#[async_trait]
impl StateStore for SimStore {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        match self.fate.next().await {
            Effect::Fails | Effect::LosesReply => Err(StoreError::Unknown(name.to_owned())),
            effect => {
                let found = {
                    let mut disk = self.disk.lock().unwrap();
                    disk.reads += 1;
                    disk.documents.get(name).map(|(d, _)| d.clone())
                };
                if effect == Effect::DiesAfter {
                    self.fate.die().await;
                }
                Ok(found)
            }
        }
    }

    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        let effect = self.fate.next().await;
        if effect == Effect::Fails {
            return Err(StoreError::Unknown(name.to_owned()));
        }
        let done = self.apply(name, body, meta, &when);
        match effect {
            Effect::DiesAfter => {
                self.fate.die().await;
                done
            }
            Effect::LosesReply => Err(StoreError::Unknown(name.to_owned())),
            _ => done,
        }
    }

    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        let effect = self.fate.next().await;
        if effect == Effect::Fails {
            return Err(StoreError::Unknown(name.to_owned()));
        }
        let lost = {
            let mut disk = self.disk.lock().unwrap();
            let current = disk.documents.get(name).map(|(d, _)| d.etag.clone());
            let lost = matches.is_some() && current.is_some() && current.as_ref() != matches;
            if !lost {
                disk.documents.remove(name);
            }
            lost
        };
        match effect {
            Effect::DiesAfter => {
                self.fate.die().await;
                Ok(())
            }
            Effect::LosesReply => Err(StoreError::Unknown(name.to_owned())),
            _ if lost => Err(StoreError::Lost(name.to_owned())),
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        if matches!(self.fate.next().await, Effect::Fails | Effect::LosesReply) {
            return Err(StoreError::Unknown(prefix.to_owned()));
        }
        let mut disk = self.disk.lock().unwrap();
        disk.lists += 1;
        let listed = |(name, (document, modified)): (&String, &(Document, DateTime<Utc>))| Listed {
            name: name.clone(),
            etag: document.etag.clone(),
            meta: document.meta.clone(),
            modified: *modified,
        };
        Ok(disk.documents.iter().filter(|(name, _)| name.starts_with(prefix)).map(listed).collect())
    }
}

/// How a receiver behaves for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Status(u16),
    Throttles(u64),
    TakesButDoesNotAnswer,
    Unreachable,
}

/// For each receiver, moods with the instant they begin.
pub(super) type Moods = BTreeMap<String, Vec<(DateTime<Utc>, Mood)>>;

/// Receivers, with their moods over time.
pub(super) struct SimTransport {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) fate: Arc<Fate>,
    pub(super) oracle: Arc<Oracle>,
    /// For each receiver, moods with the instant they begin.
    pub(super) moods: Arc<Moods>,
    pub(super) desks: Arc<Desks>,
}

impl SimTransport {
    fn mood(&self, receiver: &str, now: DateTime<Utc>) -> Mood {
        self.moods.get(receiver).map_or(Mood::Well, |moods| {
            moods.iter().rev().find(|(from, _)| *from <= now).map_or(Mood::Well, |(_, mood)| *mood)
        })
    }

    /// A call of a desk: it may be done although nobody learns of it, and done twice if it is sent twice.
    async fn at_desk(&self, request: &Request) -> Result<Reply, TransportError> {
        let unknown = || Err(TransportError::Ambiguous("simulated".to_owned()));
        let effect = self.fate.next().await;
        let now = self.oracle.now();
        let mood = self.mood(&request.receiver, now);
        if effect == Effect::Fails || mood == Mood::Unreachable {
            return Err(TransportError::Connect("simulated".to_owned()));
        }
        // On the wire, others go on.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        let status = |status, retry_after| {
            Ok(Reply { status, retry_after, body: String::new(), whole: true })
        };
        match mood {
            Mood::Throttles(seconds) => return status(429, Some(Duration::from_secs(seconds))),
            // From something before the desk.
            Mood::Status(s) if s != 500 => return status(s, None),
            _ => {}
        }
        let reply = self.desks.call(request, now);
        for broken in self.desks.pass(Some(&request.receiver), now) {
            self.oracle.breaks(broken);
        }
        match (mood, effect) {
            (_, Effect::DiesAfter) => {
                self.fate.die().await;
                unknown()
            }
            // It was done, and what comes back says nothing of it.
            (Mood::Status(s), _) => status(s, None),
            (Mood::TakesButDoesNotAnswer, _) | (_, Effect::LosesReply) => unknown(),
            _ => Ok(reply),
        }
    }
}

#[async_trait]
impl Transport for SimTransport {
    async fn send(&self, post: Request) -> Result<Reply, TransportError> {
        if self.desks.has(&post.receiver) {
            return self.at_desk(&post).await;
        }
        let id =
            post.headers.iter().find(|(k, _)| k == "webhook-id").map(|(_, v)| v.clone()).unwrap();
        let effect = self.fate.next().await;
        let now = self.oracle.now();
        {
            let disk = self.disk.lock().unwrap();
            let record = disk.documents.get(&Record::name(&id, &post.receiver));
            let record = record.map(|(d, _)| Record::decode(&d.body).unwrap());
            self.oracle.posted(&id, &post.receiver, record.as_ref());
        }
        if effect == Effect::Fails {
            self.oracle.answered(&id, &post.receiver, false);
            return Err(TransportError::Connect("simulated".to_owned()));
        }
        let mood = self.mood(&post.receiver, now);
        // On the wire, others go on.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        let accepted = matches!(mood, Mood::Well | Mood::TakesButDoesNotAnswer);
        if effect == Effect::DiesAfter {
            self.oracle.died_posting(&id, &post.receiver, accepted);
            self.fate.die().await;
        }
        self.oracle.answered(&id, &post.receiver, accepted);
        let reply =
            |status, retry_after| Reply { status, retry_after, body: String::new(), whole: true };
        match mood {
            _ if effect == Effect::LosesReply => {
                Err(TransportError::Ambiguous("simulated".to_owned()))
            }
            Mood::Well => Ok(reply(200, None)),
            Mood::Status(status) => Ok(reply(status, None)),
            Mood::Throttles(seconds) => Ok(reply(429, Some(Duration::from_secs(seconds)))),
            Mood::TakesButDoesNotAnswer => Err(TransportError::Ambiguous("simulated".to_owned())),
            Mood::Unreachable => Err(TransportError::Connect("simulated".to_owned())),
        }
    }
}

pub(super) fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}
