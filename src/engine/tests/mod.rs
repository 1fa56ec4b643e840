//! The engine over a store in memory that counts, a service that answers as it is told, and receivers that do likewise.

mod cases;
mod cost;
mod delegate;
mod deliveries;
mod failing;
mod golden;
mod heads;
mod limits;
mod status;
mod templates;
mod windows;

use super::{Delivered, Engine, Outcome, TickReport, Ticket, Watch, Workspace};
use crate::local::memory::MemoryStore;
use crate::notify::samples::settings;
use crate::notify::{Detail, Kind, Receiver, Settings, webhook};
use crate::ports::{
    Answer, Document, Etag, Listed, LogSource, Meta, Query, QueryError, Reply, Request, RowSink,
    StateStore, StoreError, Transport, TransportError, When,
};
use crate::watch::alert::{Alert, Interval};
use crate::watch::head::{Head, WatchId};
use crate::watch::own;
use crate::watch::plan::Timing;
use crate::watch::row::{Columns, Row, Value};
use crate::watch::rule::{Kind as RuleKind, Rule, plain};
use crate::watch::schedule::Schedule;
use crate::watch::severity::Severity;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// When every test begins: on a slot.
fn epoch() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

/// A row of three columns: its time, its group and its name.
fn row(time: DateTime<Utc>, group: &str, name: &str) -> Row {
    let columns: Columns =
        ["TimeGenerated", "OperationName", "Name"].map(Arc::from).to_vec().into();
    Row::new(columns, vec![Value::Datetime(time), Value::string(group), Value::string(name)])
}

fn rule(id: &str) -> Rule {
    Rule {
        title: format!("Title of {id}"),
        group_by: Some(vec!["OperationName".to_owned()]),
        ..plain(id, "CloudHsmServiceOperationAuditLogs")
    }
}

fn receiver(name: &str, kind: Kind) -> Receiver {
    Receiver {
        name: name.to_owned(),
        settings: settings(kind),
        min_severity: Severity::Info,
        rules: None,
        detail: Detail::Full,
        keys: Vec::new(),
        credential: format!("credential-of-{name}"),
    }
}

/// A receiver with a template.
fn templated(name: &str, text: &str) -> Receiver {
    let template = webhook::Template::compile(text, &BTreeMap::new(), "application/json").unwrap();
    let format = webhook::Format::Template(template);
    let settings = Settings::Webhook(webhook::Settings { format, ..Default::default() });
    Receiver { settings, ..receiver(name, Kind::Webhook) }
}

type Script = dyn Fn(&Query) -> Result<Answer, QueryError> + Send + Sync;

/// A service: hands over the rows within the timespan, and ends the answer as the script says.
#[derive(Default)]
struct Service {
    rows: Mutex<Vec<Row>>,
    script: Mutex<Option<Arc<Script>>>,
    asked: Mutex<Vec<Query>>,
}

impl Service {
    fn says(&self, script: impl Fn(&Query) -> Result<Answer, QueryError> + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Some(Arc::new(script));
    }

    fn fails(&self, error: QueryError) {
        self.says(move |_| Err(error.clone()));
    }

    fn is_well(&self) {
        *self.script.lock().unwrap() = None;
    }

    fn add(&self, row: Row) {
        self.rows.lock().unwrap().push(row);
    }

    /// The queries asked since this was last called.
    fn asked(&self) -> Vec<Query> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl LogSource for Service {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        self.asked.lock().unwrap().push(query.clone());
        let span = query.timespan.unwrap();
        for row in self.rows.lock().unwrap().iter() {
            if row.time().is_none_or(|time| span.contains(time)) {
                rows.row(row.clone());
            }
        }
        let script = self.script.lock().unwrap().clone();
        script.map_or(Ok(Answer::default()), |script| script(query))
    }
}

/// Receivers: each answers with its status, 200 where none is set.
/// In place of a status: nothing proves who calls, so that nothing was sent.
const NO_TOKEN: u16 = 0;

#[derive(Default)]
struct Receivers {
    status: Mutex<BTreeMap<String, u16>>,
    posts: Mutex<Vec<(String, String)>>,
    /// Receiver and content type of every POST.
    types: Mutex<Vec<(String, String)>>,
}

impl Receivers {
    fn answer(&self, name: &str, status: u16) {
        self.status.lock().unwrap().insert(name.to_owned(), status);
    }

    /// Receiver and alert of the POSTs since this was last called.
    fn posts(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.posts.lock().unwrap())
    }
}

#[async_trait]
impl Transport for Receivers {
    async fn send(&self, post: Request) -> Result<Reply, TransportError> {
        // Desks know alerts by what is in the body.
        let id = post.headers.iter().find(|(k, _)| k == "webhook-id").map(|(_, v)| v.clone());
        let id = id.unwrap_or_default();
        self.posts.lock().unwrap().push((post.receiver.clone(), id));
        let content_type = post.body.map(|body| body.content_type.into_owned());
        self.types.lock().unwrap().push((post.receiver.clone(), content_type.unwrap_or_default()));
        let status = self.status.lock().unwrap().get(&post.receiver).copied().unwrap_or(200);
        if status == NO_TOKEN {
            return Err(TransportError::Unauthorized("no token".to_owned()));
        }
        Ok(Reply { status, retry_after: None, body: format!("said {status}"), whole: true })
    }
}

/// A store that counts what is done with the documents beneath each first word.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    counts: Mutex<BTreeMap<(&'static str, String), u32>>,
    /// Length of the last body written beneath each first word.
    bytes: Mutex<BTreeMap<String, usize>>,
    /// The document that cannot be read.
    broken: Mutex<Option<String>>,
}

impl Counting {
    fn count(&self, what: &'static str, name: &str) {
        let first = name.split('/').next().unwrap().to_owned();
        *self.counts.lock().unwrap().entry((what, first)).or_default() += 1;
    }

    /// What was done since this was last called, such as `2 read heads`.
    fn counted(&self) -> Vec<String> {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap());
        counts.into_iter().map(|((what, first), n)| format!("{n} {what} {first}")).collect()
    }
}

#[async_trait]
impl StateStore for Counting {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.count("read", name);
        // Others go on meanwhile.
        tokio::task::yield_now().await;
        if self.broken.lock().unwrap().as_deref() == Some(name) {
            return Err(StoreError::Failed(format!("document `{name}` is damaged")));
        }
        self.store.read(name).await
    }

    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        self.count("write", name);
        let first = name.split('/').next().unwrap().to_owned();
        self.bytes.lock().unwrap().insert(first, body.len());
        // Others go on meanwhile.
        tokio::task::yield_now().await;
        self.store.write(name, body, meta, when).await
    }

    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        self.count("delete", name);
        // Others go on meanwhile.
        tokio::task::yield_now().await;
        self.store.delete(name, matches).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.count("list", prefix);
        // Others go on meanwhile.
        tokio::task::yield_now().await;
        self.store.list(prefix).await
    }
}

/// A world with one workspace.
struct Bench {
    store: Arc<Counting>,
    service: Arc<Service>,
    receivers: Arc<Receivers>,
    configured: Vec<Receiver>,
    rules: Vec<Rule>,
    over_nothing: Vec<Row>,
    timing: Timing,
    silent_after: Option<TimeDelta>,
    tickets: Mutex<Vec<Ticket>>,
    ticks: Mutex<u32>,
}

impl Bench {
    /// One event rule `r`, and the receivers `a` and `b`.
    fn new() -> Self {
        Self {
            store: Arc::default(),
            service: Arc::default(),
            receivers: Arc::default(),
            configured: vec![receiver("a", Kind::Webhook), receiver("b", Kind::Webhook)],
            rules: vec![rule("r")],
            over_nothing: Vec::new(),
            timing: Timing::default(),
            silent_after: None,
            tickets: Mutex::default(),
            ticks: Mutex::default(),
        }
    }

    fn engine(&self) -> Engine {
        let instance = {
            let mut ticks = self.ticks.lock().unwrap();
            *ticks += 1;
            format!("i{ticks}")
        };
        Engine::new(
            self.store.clone(),
            self.receivers.clone(),
            self.configured.clone(),
            self.timing,
            self.silent_after,
            instance,
        )
    }

    fn watches(&self) -> Vec<Watch> {
        let workspace = Arc::new(Workspace {
            id: "w".to_owned(),
            name: "prod".to_owned(),
            source: self.service.clone(),
            logs_link: Box::new(|_, _, _| None),
        });
        let watch = |rule: &Rule| Watch {
            workspace: workspace.clone(),
            rule: Arc::new(rule.clone()),
            receivers: self.configured.iter().map(|r| r.name.clone()).collect(),
            over_nothing: self.over_nothing.clone(),
        };
        self.rules.iter().map(watch).collect()
    }

    /// A tick; its tickets wait for [`Bench::deliver`].
    async fn tick(&self, now: DateTime<Utc>) -> TickReport {
        self.store.store.set_clock(now);
        let offer = |ticket| self.tickets.lock().unwrap().push(ticket);
        let report = self.engine().tick(&self.watches(), now, &offer).await.unwrap();
        assert_eq!(report.errors, [""; 0]);
        report
    }

    /// What was offered since this was last asked, and is not delivered.
    fn tickets(&self) -> Vec<Ticket> {
        std::mem::take(&mut *self.tickets.lock().unwrap())
    }

    /// Delivers what was offered since this was last called.
    async fn deliver(&self, now: DateTime<Utc>) -> Vec<(String, Delivered)> {
        let tickets = self.tickets();
        let engine = self.engine();
        let mut out = Vec::new();
        for ticket in tickets {
            let delivered = engine.deliver(&ticket, now).await.unwrap();
            out.push((ticket.receiver, delivered));
        }
        out
    }

    /// A tick, and its deliveries.
    async fn round(&self, now: DateTime<Utc>) -> TickReport {
        let report = self.tick(now).await;
        self.deliver(now).await;
        report
    }

    fn key(rule: &str) -> String {
        WatchId { workspace: "w".to_owned(), rule: rule.to_owned() }.key()
    }

    async fn head_of(&self, key: &str) -> Head {
        let name = Head::name(key);
        Head::decode(&self.store.store.read(&name).await.unwrap().unwrap().body).unwrap()
    }

    /// The head of `r`.
    async fn head(&self) -> Head {
        self.head_of(&Self::key("r")).await
    }

    async fn own(&self) -> Head {
        self.head_of(&own::watch_id().key()).await
    }

    /// Begins the watch, so that the next tick evaluates it for the first time.
    async fn begin(&self) {
        let report = self.round(epoch()).await;
        assert_eq!(outcome(&report), &Outcome::Started);
    }

    async fn put(&self, name: &str, body: &[u8]) {
        let when = match self.store.store.read(name).await.unwrap() {
            Some(document) => When::Matches(document.etag),
            None => When::Absent,
        };
        self.store.store.write(name, body.to_vec(), Meta::new(), when).await.unwrap();
    }

    async fn body(&self, name: &str) -> Vec<u8> {
        self.store.store.read(name).await.unwrap().unwrap().body
    }
}

/// How the first watch went.
fn outcome(report: &TickReport) -> &Outcome {
    &report.watches[0].1
}

/// The alerts of the first watch.
fn alerts(report: &TickReport) -> &[Alert] {
    match outcome(report) {
        Outcome::Done { alerts, .. } | Outcome::Failed { alerts, .. } => alerts,
        _ => &[],
    }
}

/// Titles of hsmwatch's own alerts.
fn own_titles(report: &TickReport) -> Vec<&str> {
    report.own.iter().map(|alert| alert.rule.title.as_str()).collect()
}

/// The windows asked for, as minutes from the epoch.
fn spans(asked: &[Query]) -> Vec<(i64, i64)> {
    let minute = |t: DateTime<Utc>| (t - epoch()).num_minutes();
    asked
        .iter()
        .map(|q| q.timespan.unwrap())
        .map(|Interval { from, to }| (minute(from), minute(to)))
        .collect()
}
