//! The world: rows with times and lateness, a service that answers for them, hosts whose clocks step, and what happens when.

use super::effects::{Disk, Effect, Mood, Moods, minutes};
use super::{Desks, Fate, Oracle, Rng, SimStore, SimTransport, desks};
use crate::engine::record::Record;
use crate::engine::{Engine, Ticket, Watch, Workspace};
use crate::notify::{Detail, Receiver, Settings, webhook};
use crate::ports::{Answer, LogSource, Query, QueryError, RowSink};
use crate::watch::alert::Interval;
use crate::watch::own::OWN;
use crate::watch::plan::Timing;
use crate::watch::row::{Columns, Row, Value};
use crate::watch::rule::{Rule, plain};
use crate::watch::schedule::Schedule;
use crate::watch::severity::Severity;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What happens in a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Days of rows.
    pub(super) days: i64,
    /// Minutes between ticks.
    pub(super) every: i64,
    /// How late a row may be, in minutes: up to exactly `sweep`.
    pub(super) latest: i64,
    /// Whether the service, or we, are away for a while now and then.
    pub(super) outages: bool,
    /// Whether the rule is edited.
    pub(super) edits: bool,
    /// Per mille of effects that fail, lose their answer, kill the process.
    pub(super) faults: (u64, u64, u64),
    /// Whether host clocks step.
    pub(super) clocks: bool,
    /// How many instances tick at once.
    pub(super) instances: usize,
    /// Whether receivers fail.
    pub(super) moods: bool,
    /// Days after the last row in which everything is well.
    pub(super) calm: i64,
    /// Whether desks are told too, and people close their cases.
    pub(super) desks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            days: 5,
            every: 30,
            latest: 49 * 60,
            outages: false,
            edits: false,
            faults: (0, 0, 0),
            clocks: false,
            instances: 1,
            moods: false,
            calm: 3,
            desks: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct SourceRow {
    /// Equal for rows that are equal in all columns.
    pub(super) name: String,
    pub(super) time: DateTime<Utc>,
    pub(super) available: DateTime<Utc>,
    pub(super) operation: char,
}

pub(super) struct World {
    pub(super) oracle: Arc<Oracle>,
    pub(super) rows: Arc<Vec<SourceRow>>,
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) timing: Timing,
    pub(super) started: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
    pub(super) desks: Arc<Desks>,
}

impl World {
    /// What is known of a delivery in the end.
    pub(super) fn record(&self, alert: &str, receiver: &str) -> Option<Record> {
        let disk = self.disk.lock().unwrap();
        let (document, _) = disk.documents.get(&Record::name(alert, receiver))?;
        Some(Record::decode(&document.body).unwrap())
    }
}

/// The service: answers by the time, and by the letters in the query's text.
struct SimSource {
    rows: Arc<Vec<SourceRow>>,
    fate: Arc<Fate>,
    oracle: Arc<Oracle>,
    columns: Columns,
    down: Arc<Vec<Interval>>,
    sloppy: bool,
}

#[async_trait]
impl LogSource for SimSource {
    async fn query(&self, query: &Query, sink: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let effect = self.fate.next().await;
        let now = self.oracle.now();
        if self.down.iter().any(|i| i.contains(now)) || effect == Effect::Fails {
            return Err(QueryError::Unavailable("simulated".to_owned()));
        }
        let span = query.timespan.unwrap();
        let letters = query.text.rsplit("letters ").next().unwrap();
        for row in self.rows.iter() {
            // `timespan` is a hint: a sloppy service gives more.
            let inside = self.sloppy || span.contains(row.time);
            if inside && row.available <= now && letters.contains(row.operation) {
                sink.row(Row::new(
                    self.columns.clone(),
                    vec![
                        Value::Datetime(row.time),
                        Value::string(row.operation.to_string()),
                        Value::string(&row.name),
                    ],
                ));
            }
        }
        if effect == Effect::DiesAfter {
            self.fate.die().await;
        }
        if effect == Effect::LosesReply {
            return Err(QueryError::Unavailable("simulated".to_owned()));
        }
        self.oracle.answered_query(span);
        // The header has whole seconds.
        let date = DateTime::from_timestamp(now.timestamp(), 0);
        Ok(Answer { date, partial: None })
    }
}

fn rule(letters: &str) -> Rule {
    Rule {
        title: "Letters".to_owned(),
        schedule: Schedule::Every(minutes(1)),
        group_by: Some(vec!["OperationName".to_owned()]),
        ..plain("letters", &format!("letters {letters}"))
    }
}

pub(super) fn receivers(options: &Options) -> Vec<Receiver> {
    let webhook = |name| (name, Settings::Webhook(webhook::Settings::default()));
    let desks = if options.desks { desks::receivers() } else { Vec::new() };
    [webhook("a"), webhook("b")]
        .into_iter()
        .chain(desks)
        .map(|(name, settings)| Receiver {
            name: name.to_owned(),
            settings,
            min_severity: Severity::Info,
            rules: None,
            detail: Detail::Full,
            keys: Vec::new(),
            credential: format!("credential of {name}"),
        })
        .collect()
}

pub(super) fn epoch() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap()
}

fn make_rows(rng: &mut Rng, options: &Options) -> Vec<SourceRow> {
    let mut rows = Vec::new();
    for n in 0..60 * options.days {
        let time =
            epoch() + TimeDelta::microseconds(rng.between(0, options.days * 86_400_000_000 - 1));
        // On an edge of windows now and then.
        let time = if rng.chance(200) {
            DateTime::from_timestamp(time.timestamp() / 1800 * 1800, 0).unwrap()
        } else {
            time
        };
        let operation = rng.pick(&['x', 'y', 'z']);
        for _ in 0..if rng.chance(80) { rng.between(2, 3) } else { 1 } {
            let late = match rng.below(10) {
                0..=5 => rng.between(3, 10),
                6 | 7 => rng.between(10, 90),
                8 => options.latest,
                _ => rng.between(90.min(options.latest), options.latest),
            };
            let available = time + minutes(late.min(options.latest));
            rows.push(SourceRow { name: format!("row {n}"), time, available, operation });
        }
    }
    rows
}

fn make_moods(rng: &mut Rng, options: &Options) -> Moods {
    let calm = epoch() + TimeDelta::days(options.days);
    let mut all = BTreeMap::new();
    for (name, _) in if options.desks { desks::receivers() } else { Vec::new() } {
        all.insert(name.to_owned(), desk_moods(rng, calm));
    }
    if !options.moods {
        return all;
    }
    let mut moods = Vec::new();
    let mut t = epoch();
    while t < calm {
        moods.push((
            t,
            rng.pick(&[
                Mood::Well,
                Mood::Well,
                Mood::Status(503),
                Mood::Status(500),
                Mood::Throttles(600),
                Mood::TakesButDoesNotAnswer,
                Mood::Unreachable,
                Mood::Status(401),
                Mood::Status(400),
                Mood::Status(302),
            ]),
        ));
        t += minutes(rng.between(20, 600));
    }
    moods.push((calm, Mood::Well));
    // Of the webhooks only `a` fails: `b` is what P8 is about.
    all.insert("a".to_owned(), moods);
    all
}

/// Desks have bad hours, and none that needs a person: those are not about cases.
fn desk_moods(rng: &mut Rng, calm: DateTime<Utc>) -> Vec<(DateTime<Utc>, Mood)> {
    let mut moods = Vec::new();
    let mut t = epoch();
    while t < calm {
        let mood = rng.pick(&[
            Mood::Well,
            Mood::Well,
            Mood::Status(500),
            Mood::Status(503),
            Mood::Throttles(120),
            Mood::TakesButDoesNotAnswer,
            Mood::Unreachable,
        ]);
        moods.push((t, mood));
        t += minutes(rng.between(3, 60));
    }
    moods.push((calm, Mood::Well));
    moods
}

fn make_outages(rng: &mut Rng, options: &Options) -> Vec<Interval> {
    (0..if options.outages { rng.between(1, 3) } else { 0 })
        .map(|_| {
            let from = epoch() + minutes(rng.between(0, options.days * 1440));
            Interval { from, to: from + minutes(rng.pick(&[30, 120, 600, 1500, 4000])) }
        })
        .collect()
}

struct Hosts {
    options: Options,
    world: World,
    receivers: Vec<Receiver>,
    moods: Arc<Moods>,
    service_down: Arc<Vec<Interval>>,
    sloppy: bool,
    engines: u64,
}

impl Hosts {
    fn instance(
        &mut self,
        rng: &mut Rng,
        letters: &str,
        calm: bool,
    ) -> (Engine, Vec<Watch>, Arc<Fate>) {
        self.engines += 1;
        let (fail, lose, crash) = if calm { (0, 0, 0) } else { self.options.faults };
        let fate = Fate::new(rng.next(), fail, lose, crash);
        let World { oracle, rows, disk, timing, .. } = &self.world;
        let store = SimStore { disk: disk.clone(), fate: fate.clone(), oracle: oracle.clone() };
        let transport = SimTransport {
            disk: disk.clone(),
            fate: fate.clone(),
            oracle: oracle.clone(),
            moods: self.moods.clone(),
            desks: self.world.desks.clone(),
        };
        let columns: Columns = ["TimeGenerated", "OperationName", "Row"]
            .into_iter()
            .map(Arc::from)
            .collect::<Vec<Arc<str>>>()
            .into();
        let source = SimSource {
            rows: rows.clone(),
            fate: fate.clone(),
            oracle: oracle.clone(),
            columns,
            down: self.service_down.clone(),
            sloppy: self.sloppy,
        };
        let workspace = Arc::new(Workspace {
            id: "w".to_owned(),
            name: "prod".to_owned(),
            source: Arc::new(source),
            logs_link: Box::new(|_, _, _| None),
        });
        let engine = Engine::new(
            Arc::new(store),
            Arc::new(transport),
            self.receivers.clone(),
            *timing,
            None,
            format!("i{}", self.engines),
        );
        let watch = Watch {
            workspace,
            rule: Arc::new(rule(letters)),
            receivers: self.receivers.iter().map(|r| r.name.clone()).collect(),
            over_nothing: Vec::new(),
        };
        (engine, vec![watch], fate)
    }
}

/// One life of an instance: a tick, then the deliveries that it, or an unlucky twin, was given tickets for.
async fn live(
    engine: Engine,
    watches: Vec<Watch>,
    fate: Arc<Fate>,
    host_now: DateTime<Utc>,
    oracle: Arc<Oracle>,
    twice: bool,
) {
    let tickets: Mutex<Vec<Ticket>> = Mutex::new(Vec::new());
    let offer = |ticket: Ticket| {
        oracle.offered(&ticket);
        let mut tickets = tickets.lock().unwrap();
        if twice {
            tickets.push(ticket.clone());
        }
        tickets.push(ticket);
    };
    let life = async {
        let _failed = engine.tick(&watches, host_now, &offer).await;
        let todo = std::mem::take(&mut *tickets.lock().unwrap());
        let mut deliveries: Vec<_> =
            todo.iter().map(|ticket| Box::pin(engine.deliver(ticket, host_now))).collect();
        // Two at a time, so that tickets for the same alert meet.
        while !deliveries.is_empty() {
            let second = deliveries.pop();
            let first = deliveries.pop();
            let run = async |d: Option<_>| {
                if let Some(delivery) = d {
                    let delivery: std::pin::Pin<Box<_>> = delivery;
                    let _outcome = delivery.await;
                }
            };
            tokio::join!(run(first), run(second));
        }
    };
    tokio::select! {
        () = life => {}
        () = fate.died.notified() => {}
    }
}

/// Runs a world to its end.
pub(super) fn run(seed: u64, options: Options) -> World {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(simulate(seed, options))
}

async fn simulate(seed: u64, options: Options) -> World {
    let mut rng = Rng::new(seed);
    let oracle = Arc::new(Oracle::default());
    if options.clocks {
        oracle.clocks_step();
    }
    let rows = Arc::new(make_rows(&mut rng, &options));
    let calm = epoch() + TimeDelta::days(options.days);
    let end = calm + TimeDelta::days(options.calm);
    let world = World {
        oracle: oracle.clone(),
        rows,
        disk: Arc::default(),
        timing: Timing { catch_up: TimeDelta::days(7), ..Timing::default() },
        started: epoch(),
        end,
        desks: Arc::new(if options.desks { Desks::new(&mut rng) } else { Desks::default() }),
    };
    let desks = world.desks.clone();
    let service_down = Arc::new(make_outages(&mut rng, &options));
    let we_are_down = make_outages(&mut rng, &options);
    let mut hosts = Hosts {
        options,
        world,
        receivers: receivers(&options),
        moods: Arc::new(make_moods(&mut rng, &options)),
        service_down,
        sloppy: rng.chance(500),
        engines: 0,
    };
    let mut letters = "x".to_owned();
    let mut now = epoch() + minutes(rng.between(0, 1440));
    while now < end {
        let is_calm = now >= calm;
        if options.edits && !is_calm && rng.chance(15) {
            letters = rng.pick(&["x", "xy", "xz", "y", "xyz"]).to_owned();
        }
        oracle.set_now(now);
        if !is_calm && rng.chance(if options.desks { 50 } else { 0 }) {
            desks.close_one(&mut rng, now);
        }
        for broken in desks.pass(None, now) {
            oracle.breaks(broken);
        }
        let down = !is_calm && we_are_down.iter().any(|i| i.contains(now));
        if !down {
            let n = if is_calm { 1 } else { options.instances };
            let mut lives = Vec::new();
            for _ in 0..n {
                let (engine, watches, fate) = hosts.instance(&mut rng, &letters, is_calm);
                let skew = if options.clocks && !is_calm && rng.chance(100) {
                    TimeDelta::seconds(rng.pick(&[-7200, -60, 4, 30, 3600]))
                } else {
                    TimeDelta::zero()
                };
                lives.push(live(
                    engine,
                    watches,
                    fate,
                    now + skew,
                    oracle.clone(),
                    options.instances > 1,
                ));
            }
            futures_util::future::join_all(lives).await;
        }
        // What has been put off for hours does not need to be looked for every minute.
        let every = if is_calm { options.every.max(30) } else { options.every };
        let wobble = 120.min(every * 30);
        now += minutes(every) + TimeDelta::seconds(rng.between(-wobble, wobble));
    }
    // When it truly began: the first head that was written.
    let started = oracle
        .heads()
        .iter()
        .find(|head| head.watch.rule != OWN)
        .map_or(end, |head| head.started_at);
    World { started, ..hosts.world }
}
