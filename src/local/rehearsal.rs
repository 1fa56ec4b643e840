//! The world of a rehearsal: rows that come when they are said to, a receiver that answers as it is told, and state that
//! outlives the processes that write it.

use crate::local::logs::failed;
use crate::local::memory::MemoryStore;
use crate::ports::{
    Answer, Document, Etag, Listed, LogSource, Meta, Query, QueryError, Reply, Request, RowSink,
    StateStore, StoreError, Transport, TransportError, When,
};
use crate::watch::alert::Interval;
use crate::watch::tables::{self, Variant, to_ticks};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kql::{Catalog, Scan, Schema, Tables};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows, each with the instant from which it can be seen.
#[derive(Debug)]
pub struct RehearsedLogs {
    variant: Variant,
    rows: BTreeMap<String, Vec<Logged>>,
    asked: Mutex<Vec<Query>>,
}

#[derive(Debug)]
struct Logged {
    /// When it happened.
    at: DateTime<Utc>,
    /// When it can be seen.
    seen: DateTime<Utc>,
    row: kql::Row,
}

impl RehearsedLogs {
    /// No rows.
    pub fn new(variant: Variant) -> Self {
        Self { variant, rows: BTreeMap::new(), asked: Mutex::default() }
    }

    /// Adds a row of the table's columns, which happened at `at` and can be seen from `seen` on.
    pub fn add(&mut self, table: &str, at: DateTime<Utc>, seen: DateTime<Utc>, row: kql::Row) {
        self.rows.entry(table.to_owned()).or_default().push(Logged { at, seen, row });
    }

    /// What was asked.
    pub fn asked(&self) -> Vec<Query> {
        lock(&self.asked).clone()
    }

    /// The tables as they are at an instant, within bounds of `TimeGenerated`, as the service keeps them.
    pub fn at(&self, now: DateTime<Utc>, within: Option<Interval>) -> impl Tables + '_ {
        At { logs: self, now, within }
    }
}

#[async_trait]
impl LogSource for RehearsedLogs {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        lock(&self.asked).push(query.clone());
        let tables = self.at(query.now, query.timespan);
        let plan = kql::bind(&query.text, &tables, to_ticks(query.now)).map_err(|all| {
            QueryError::Refused(all.render("query", &query.text).trim_end().to_owned())
        })?;
        let columns = tables::columns(plan.schema());
        for row in plan.run(&tables) {
            rows.row(tables::row(&columns, row.map_err(failed)?));
        }
        Ok(Answer::default())
    }
}

struct At<'a> {
    logs: &'a RehearsedLogs,
    now: DateTime<Utc>,
    within: Option<Interval>,
}

impl Catalog for At<'_> {
    fn schema(&self, table: &str) -> Option<Schema> {
        tables::schema(table, self.logs.variant)
    }
}

impl Tables for At<'_> {
    fn scan(&self, table: &str) -> Scan<'_> {
        let rows = self.logs.rows.get(table).map(Vec::as_slice).unwrap_or_default();
        let within = |row: &&Logged| self.within.is_none_or(|within| within.contains(row.at));
        let seen = rows.iter().filter(|row| row.seen <= self.now).filter(within);
        Box::new(seen.map(|logged| Ok(logged.row.clone())))
    }
}

/// How the receiver answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// With 200.
    #[default]
    Well,
    /// With this status.
    Status(u16),
    /// Not at all: it took the request, and nobody knows what became of it.
    Dies,
    /// Nobody is there.
    Down,
    /// Well, and the caller's process ends before it hears of it.
    CallerDies,
    /// The caller's process ends before it sends anything.
    CallerDiesBefore,
}

/// The receiver's side: it remembers what it accepted.
#[derive(Debug, Default)]
pub struct RehearsedReceiver {
    inner: Mutex<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    manner: Manner,
    /// The alert that is being told.
    alert: String,
    accepted: Vec<String>,
    crashed: bool,
}

impl RehearsedReceiver {
    /// From now on it answers like this.
    pub fn be(&self, manner: Manner) {
        let mut desk = lock(&self.inner);
        desk.manner = manner;
        desk.crashed = false;
    }

    /// The next request is about this alert.
    pub fn expect(&self, alert: &str) {
        alert.clone_into(&mut lock(&self.inner).alert);
    }

    /// The alerts that it has accepted since it was last asked.
    pub fn accepted(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.inner).accepted)
    }

    /// Whether the caller's process has ended.
    pub fn caller_is_dead(&self) -> bool {
        lock(&self.inner).crashed
    }
}

#[async_trait]
impl Transport for RehearsedReceiver {
    async fn send(&self, _: Request) -> Result<Reply, TransportError> {
        let mut desk = lock(&self.inner);
        let gone = || TransportError::Ambiguous("the process ended".to_owned());
        let status = match desk.manner {
            _ if desk.crashed => return Err(gone()),
            Manner::Well => 200,
            Manner::Status(status) => status,
            Manner::Dies => {
                return Err(TransportError::Ambiguous("the connection broke off".to_owned()));
            }
            Manner::Down => return Err(TransportError::Connect("connection refused".to_owned())),
            Manner::CallerDiesBefore => {
                desk.crashed = true;
                return Err(gone());
            }
            Manner::CallerDies => {
                desk.crashed = true;
                let alert = desk.alert.clone();
                desk.accepted.push(alert);
                return Err(gone());
            }
        };
        if status == 200 {
            let alert = desk.alert.clone();
            desk.accepted.push(alert);
        }
        Ok(Reply { status, retry_after: None, body: String::new(), whole: true })
    }
}

/// State in memory that takes nothing more from a process that has ended.
pub struct MortalStore {
    store: MemoryStore,
    receiver: Arc<RehearsedReceiver>,
}

impl MortalStore {
    /// An empty one.
    pub fn new(receiver: Arc<RehearsedReceiver>) -> Self {
        Self { store: MemoryStore::new(), receiver }
    }

    /// From now on writes are dated `now`.
    pub fn set_clock(&self, now: DateTime<Utc>) {
        self.store.set_clock(now);
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.receiver.caller_is_dead() {
            return Err(StoreError::Unknown("the process ended".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl StateStore for MortalStore {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.alive()?;
        self.store.read(name).await
    }

    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        self.alive()?;
        self.store.write(name, body, meta, when).await
    }

    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        self.alive()?;
        self.store.delete(name, matches).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.alive()?;
        self.store.list(prefix).await
    }
}
