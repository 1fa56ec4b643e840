//! A back-test tells what ticking the engine over the same log tells: by default timing, with overlaps and sweeps, asking a
//! source that binds each query anew and looks at every row.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use hsmwatch::engine::{Engine, Outcome, Watch, Workspace};
use hsmwatch::hosts::replay::{Period, replay};
use hsmwatch::local::files::archive::{ArchiveLogs, Input, Loading, load};
use hsmwatch::local::fleeting::{FleetingStore, Nowhere};
use hsmwatch::local::memory::MemoryStore;
use hsmwatch::ports::{Answer, LogSource, Query, QueryError, RowSink};
use hsmwatch::watch::alert::Alert;
use hsmwatch::watch::build::build;
use hsmwatch::watch::plan::Timing;
use hsmwatch::watch::presets;
use hsmwatch::watch::rule::{Rule, RuleSpec};
use hsmwatch::watch::schedule::Schedule;
use hsmwatch::watch::tables::{self, Variant, to_ticks};
use kql::{MemoryTables, Value};
use proptest::test_runner::{Config, TestRunner};
use std::io::Cursor;
use std::sync::Arc;

const TABLE: &str = "CloudHsmServiceOperationAuditLogs";
const HSM: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg/hsm-";

/// One row: seconds after the beginning, operation, caller, client, HSM.
type Seed = (u32, usize, usize, usize, usize);

const OPERATIONS: [&str; 14] = [
    "CN_LOGIN",
    "CN_LOGIN",
    "CN_LOGIN",
    "CN_AUTHORIZE_SESSION",
    "CN_LOGOUT",
    "CN_TOMBSTONE_OBJECT",
    "CN_TOMBSTONE_OBJECT",
    "CN_GENERATE_KEY",
    "CN_CREATE_USER",
    "CN_DELETE_USER",
    "CN_CHANGE_PSWD",
    "HASH_SINGLE_CALL",
    "CN_FIND_OBJECTS_USING_COUNT",
    "CN_SHARE_OBJECT",
];

fn beginning() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn time(seed: &Seed) -> DateTime<Utc> {
    beginning() + TimeDelta::seconds(i64::from(seed.0))
}

/// The log as a file, in no order.
fn lines(seeds: &[Seed]) -> Vec<u8> {
    let line = |seed: &Seed| {
        let (_, operation, caller, client, hsm) = *seed;
        format!(
            "{{\"time\":\"{}\",\"category\":\"HsmServiceOperations\",\"operationName\":\"{}\",\"callerIpAddress\":\"10.0.0.{caller}\",\
             \"resourceId\":\"{HSM}{hsm}\",\"properties\":{{\"HsmInstance\":\"i-{hsm}\",\"ClientInfo\":\"c-{client}\"}}}}\n",
            time(seed).format("%Y-%m-%dT%H:%M:%SZ"),
            OPERATIONS[operation],
        )
    };
    seeds.iter().map(line).collect::<String>().into_bytes()
}

/// The log as rows, asked the plain way.
struct Plain(Vec<(i64, kql::Row)>);

impl Plain {
    fn new(seeds: &[Seed]) -> Self {
        let schema = tables::schema(TABLE, Variant::Current).unwrap();
        let mut seeds: Vec<&Seed> = seeds.iter().collect();
        // Where rows are equal in time, the order of the file is that of the archive.
        seeds.sort_by_key(|seed| seed.0);
        let row = |seed: &&Seed| {
            let (_, operation, caller, client, hsm) = **seed;
            let ticks = to_ticks(time(seed));
            let cells = schema.columns.iter().map(|column| match column.name.as_str() {
                "TimeGenerated" => Value::Datetime(ticks),
                "OperationName" => Value::from(OPERATIONS[operation]),
                "CallerIpAddress" => Value::from(format!("10.0.0.{caller}").as_str()),
                "ClientInfo" => Value::from(format!("c-{client}").as_str()),
                "HsmInstance" => Value::from(format!("i-{hsm}").as_str()),
                "_ResourceId" => Value::from(format!("{HSM}{hsm}").as_str()),
                "_SubscriptionId" => Value::from("00000000-0000-0000-0000-000000000001"),
                "Type" => Value::from(TABLE),
                _ => Value::Null,
            });
            (ticks, cells.collect())
        };
        Self(seeds.iter().map(row).collect())
    }
}

#[async_trait]
impl LogSource for Plain {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let now = to_ticks(query.now);
        let inside = |ticks: i64| {
            ticks <= now
                && query
                    .timespan
                    .is_none_or(|span| ticks >= to_ticks(span.from) && ticks < to_ticks(span.to))
        };
        let seen =
            self.0.iter().filter(|(ticks, _)| inside(*ticks)).map(|(_, row)| row.clone()).collect();
        let all =
            MemoryTables::new().with(TABLE, tables::schema(TABLE, Variant::Current).unwrap(), seen);
        let plan =
            kql::bind(&query.text, &all, now).map_err(|e| QueryError::Refused(format!("{e:?}")))?;
        let columns = tables::columns(plan.schema());
        for row in plan.run(&all) {
            rows.row(tables::row(&columns, row.map_err(|e| QueryError::Refused(e.to_string()))?));
        }
        Ok(Answer::default())
    }
}

/// All presets on the table, and a rule with a limit to reach.
fn rules(every: TimeDelta) -> Vec<(Rule, Vec<hsmwatch::watch::row::Row>)> {
    let default = Schedule::Every(every);
    let odd = RuleSpec {
        id: "odd".to_owned(),
        title: Some("Odd".to_owned()),
        severity: Some(hsmwatch::watch::severity::Severity::Low),
        query: Some(format!("{TABLE} | where TimeGenerated > ago(2h) and OperationName has 'KEY'")),
        ..RuleSpec::default()
    };
    let specs = presets::all().iter().map(|preset| preset.spec.clone()).chain([odd]);
    let built = specs
        .map(|spec| build(spec, &default))
        .map(|built| (built.rule.unwrap(), built.over_nothing));
    built.filter(|(rule, _)| rule.tables().iter().all(|table| table == TABLE)).collect()
}

fn watch(
    (rule, over_nothing): (Rule, Vec<hsmwatch::watch::row::Row>),
    source: Arc<dyn LogSource>,
) -> Watch {
    let (id, name) = ("logs".to_owned(), "logs".to_owned());
    let workspace = Workspace { id, name, source, logs_link: Box::new(|_, _, _| None) };
    Watch {
        workspace: Arc::new(workspace),
        rule: Arc::new(rule),
        receivers: Vec::new(),
        over_nothing,
    }
}

/// What has to be the same of an alert: all but how far back its window reaches, which is a matter of overlap.
fn told(alert: &Alert) -> String {
    format!(
        "{} {} {} {:?} {} +{} {:?} {} {} {} {:?} {:?}",
        alert.time,
        alert.rule.id,
        alert.id,
        alert.reason,
        alert.count,
        alert.suppressed,
        alert.group,
        alert.first_seen,
        alert.last_seen,
        alert.window.to,
        alert.note,
        alert.hits,
    )
}

fn engine(store: Arc<dyn hsmwatch::ports::StateStore>, timing: Timing) -> Engine {
    Engine::new(store, Arc::new(Nowhere), Vec::new(), timing, None, "test".to_owned())
}

fn agree(seeds: &[Seed], period: Period) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut wanted = Vec::new();
    let plain: Arc<dyn LogSource> = Arc::new(Plain::new(seeds));
    let watches: Vec<Watch> =
        rules(period.every).into_iter().map(|rule| watch(rule, Arc::clone(&plain))).collect();
    let ticking = engine(Arc::new(MemoryStore::new()), Timing::default());
    for at in period.instants() {
        let report = runtime.block_on(ticking.tick(&watches, at, &|_| ())).unwrap();
        for (label, outcome) in report.watches {
            match outcome {
                Outcome::Done { alerts, .. } => wanted.extend(alerts.iter().map(told)),
                Outcome::Failed { error, .. } => panic!("{label}: {error}"),
                _ => {}
            }
        }
    }
    let input = Input { name: "f".to_owned(), bytes: Box::new(Cursor::new(lines(seeds))) };
    let loading = Loading { within: None, readers: 1, progress: &|_| () };
    let (archive, _) = load([Ok(input)].into_iter(), &loading).unwrap();
    let logs = Arc::new(ArchiveLogs::new(Arc::new(archive)));
    let mut got = Vec::new();
    for rule in rules(period.every) {
        let watch = watch(rule, Arc::<ArchiveLogs>::clone(&logs));
        let alone = engine(Arc::new(FleetingStore::new()), Timing::punctual(TimeDelta::days(7)));
        let mut take = |_, outcome| {
            match outcome {
                Outcome::Done { alerts, .. } => got.extend(alerts.iter().map(told)),
                Outcome::Failed { error, .. } => panic!("{}: {error}", watch.rule.id),
                _ => {}
            }
            true
        };
        runtime.block_on(replay(&alone, &watch, period, &mut take, &|_| ()));
    }
    wanted.sort();
    got.sort();
    for (wanted, got) in wanted.iter().zip(&got) {
        assert_eq!(got, wanted);
    }
    assert_eq!(got.len(), wanted.len(), "{:?}", got.last().max(wanted.last()));
    got.len()
}

/// Rows in bursts, so that thresholds are reached, and some of them equal.
fn seeds(days: u32, rows: usize) -> impl proptest::strategy::Strategy<Value = Vec<Seed>> {
    use proptest::prelude::*;
    let burst = (
        0..days * 86_400,
        0..OPERATIONS.len(),
        1_usize..5,
        0_usize..3,
        1_usize..3,
        1_u32..40,
        0_u32..20,
    );
    prop::collection::vec(burst, rows).prop_map(|bursts| {
        let rows =
            bursts.into_iter().flat_map(|(at, operation, caller, client, hsm, many, apart)| {
                (0..many).map(move |n| (at + n * apart, operation, caller, client, hsm))
            });
        rows.collect()
    })
}

#[test]
fn as_ticking_the_engine() {
    let mut runner =
        TestRunner::new(Config { cases: 4, failure_persistence: None, ..Config::default() });
    let mut alerts = 0;
    let every = TimeDelta::minutes(30);
    let period = Period {
        from: beginning() + TimeDelta::hours(7),
        to: beginning() + TimeDelta::hours(31),
        every,
    };
    for _ in 0..6 {
        use proptest::strategy::{Strategy as _, ValueTree as _};
        let seeds = seeds(2, 60).new_tree(&mut runner).unwrap().current();
        alerts += agree(&seeds, period);
    }
    assert!(alerts > 200, "only {alerts} alerts");
}
