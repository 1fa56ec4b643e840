//! The tests of the presets, run by the least that can run them: the engine's own evaluation over rows in memory, instant after
//! instant. It knows only what `presets/tests/` uses of the format; whatever it does not know fails.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use hsmwatch::engine::{Engine, Outcome, Watch, Workspace};
use hsmwatch::local::memory::MemoryStore;
use hsmwatch::ports::{
    Answer, LogSource, Query, QueryError, Reply, Request, RowSink, Transport, TransportError,
};
use hsmwatch::watch::alert::Alert;
use hsmwatch::watch::build::build;
use hsmwatch::watch::plan::Timing;
use hsmwatch::watch::presets;
use hsmwatch::watch::schedule::Schedule;
use hsmwatch::watch::tables::{self, HARDWARE_TABLE, Variant, schema, to_ticks};
use kql::{MemoryTables, Type, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use toml::Value as Toml;

const TABLE: &str = "CloudHsmServiceOperationAuditLogs";
/// Presets that the embedded engine cannot run yet.
const LATER: [&str; 1] = ["outside-working-hours"];

/// A row, and when it can be seen.
struct Logged {
    at: DateTime<Utc>,
    ingested: DateTime<Utc>,
    row: kql::Row,
}

struct Log {
    table: String,
    variant: Variant,
    rows: Vec<Logged>,
}

#[async_trait]
impl LogSource for Log {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let within = |t| query.timespan.is_none_or(|span| span.contains(t));
        let seen = self.rows.iter().filter(|row| row.ingested <= query.now && within(row.at));
        let seen = seen.map(|row| row.row.clone()).collect();
        let other = if self.table == TABLE { HARDWARE_TABLE } else { TABLE };
        let tables = MemoryTables::new()
            .with(&self.table, schema(&self.table, self.variant).unwrap(), seen)
            .with(other, schema(other, self.variant).unwrap(), Vec::new());
        let plan = kql::bind(&query.text, &tables, to_ticks(query.now))
            .map_err(|e| QueryError::Refused(e.render("query", &query.text)))?;
        let columns = tables::columns(plan.schema());
        for row in plan.run(&tables) {
            rows.row(tables::row(&columns, row.unwrap()));
        }
        Ok(Answer::default())
    }
}

struct Nobody;

#[async_trait]
impl Transport for Nobody {
    async fn send(&self, _: Request) -> Result<Reply, TransportError> {
        panic!("nothing is delivered")
    }
}

/// `1h30m`, after a sign.
fn span(text: &str) -> TimeDelta {
    let digits = text.trim_start_matches('+');
    let mut sum = TimeDelta::zero();
    let mut number = String::new();
    for c in digits.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let n: i64 = std::mem::take(&mut number).parse().unwrap();
        sum += match c {
            's' => TimeDelta::seconds(n),
            'm' => TimeDelta::minutes(n),
            'h' => TimeDelta::hours(n),
            'd' => TimeDelta::days(n),
            _ => panic!("{text}"),
        };
    }
    assert!(number.is_empty(), "{text}");
    sum
}

fn instant(value: &Toml, start: DateTime<Utc>) -> DateTime<Utc> {
    match value {
        Toml::String(text) => start + span(text),
        Toml::Datetime(when) => when.to_string().parse().unwrap(),
        _ => panic!("{value}"),
    }
}

/// What the column of a row is called on this schema.
fn column(name: &str, variant: Variant) -> &str {
    match (variant, name) {
        (Variant::Legacy, "HsmInstance") => "MemberId",
        (Variant::Legacy, "ClusterType") => "PoolType",
        _ => name,
    }
}

fn rows(case: &Toml, file: &Toml, variant: Variant, start: DateTime<Utc>) -> Vec<Logged> {
    let table = file.get("table").map_or(TABLE, |table| table.as_str().unwrap());
    let columns = schema(table, variant).unwrap().columns;
    let variant = if table == TABLE { variant } else { Variant::Current };
    let mut found = Vec::new();
    for row in case["rows"].as_array().unwrap() {
        let row = row.as_table().unwrap();
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        let all = file["defaults"].as_table().unwrap().iter().chain(row);
        for (name, value) in all {
            if !["at", "ingested", "repeat", "every"].contains(&name.as_str()) {
                let name = column(name, variant);
                assert!(columns.iter().any(|c| c.name == name && c.ty == Type::String), "{name}");
                given.insert(name, value.as_str().unwrap());
            }
        }
        let first = instant(&row["at"], start);
        let every = row.get("every").map_or(TimeDelta::zero(), |e| span(e.as_str().unwrap()));
        for n in 0..row.get("repeat").map_or(1, |n| n.as_integer().unwrap()) {
            let at = first + every * i32::try_from(n).unwrap();
            let value = |c: &kql::Column| match given.get(c.name.as_str()) {
                Some(text) => Value::from(*text),
                None if c.name == "TimeGenerated" => Value::Datetime(to_ticks(at)),
                None if c.ty == Type::String => Value::from(""),
                None => Value::Null,
            };
            let ingested = row.get("ingested").map_or(at, |i| instant(i, start));
            found.push(Logged { at, ingested, row: columns.iter().map(value).collect() });
        }
    }
    found
}

/// An alert as tests speak of it: instant, severity and count, and its hits as texts.
type Told = (DateTime<Utc>, String, u64);

fn matches(alert: &Alert, wanted: &toml::Table) -> bool {
    alert.hits.iter().any(|hit| {
        wanted.iter().all(|(name, value)| {
            let found = match name.as_str() {
                "OperationName" => hit.operation.clone(),
                "HsmInstance" => hit.instance.clone(),
                "CallerIpAddress" => hit.caller.clone(),
                "ClientInfo" => hit.client.clone(),
                name => hit
                    .fields
                    .get(name)
                    .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
            };
            let wanted = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.as_deref() == Some(wanted.as_str())
        })
    })
}

async fn run(id: &str, file: &Toml, case: &Toml, variant: Variant) {
    let start = instant(&file["start"], DateTime::UNIX_EPOCH);
    let spec = presets::get(id).unwrap().spec.clone();
    let built = build(spec, &Schedule::Every(TimeDelta::minutes(5)));
    let table = file.get("table").map_or(TABLE, |table| table.as_str().unwrap()).to_owned();
    let log = Log { table, variant, rows: rows(case, file, variant, start) };
    let workspace = Workspace {
        id: "11111111-2222-3333-4444-555555555555".to_owned(),
        name: "prod".to_owned(),
        source: Arc::new(log),
        logs_link: Box::new(|_, _, _| None),
    };
    let watch = Watch {
        workspace: Arc::new(workspace),
        rule: Arc::new(built.rule.unwrap()),
        receivers: vec!["oncall".to_owned()],
        over_nothing: built.over_nothing,
    };
    let store = Arc::new(MemoryStore::new());
    let engine =
        Engine::new(store, Arc::new(Nobody), Vec::new(), Timing::default(), None, "t".to_owned());
    let name = case["name"].as_str().unwrap();
    let (outcome, mut head) = engine.evaluate_alone(&watch, None, start).await;
    assert!(
        matches!(outcome, Outcome::Started | Outcome::Done { .. }),
        "{id}: {name}: {outcome:?}"
    );
    let mut told: Vec<Alert> = Vec::new();
    for at in case["eval"].as_array().unwrap() {
        let (outcome, next) = engine.evaluate_alone(&watch, head, instant(at, start)).await;
        match outcome {
            Outcome::Done { alerts, .. } => told.extend(alerts),
            other => panic!("{id}: {name}: {variant:?}: {other:?}"),
        }
        head = next;
    }
    let wanted: Vec<&Toml> =
        case.get("alert").and_then(Toml::as_array).into_iter().flatten().collect();
    let found: Vec<Told> =
        told.iter().map(|a| (a.time, a.rule.severity.to_string(), a.count)).collect();
    let expected: Vec<Told> = wanted
        .iter()
        .map(|w| {
            assert_eq!(w["rule"].as_str(), Some(id));
            let count = u64::try_from(w["count"].as_integer().unwrap()).unwrap();
            (instant(&w["at"], start), w["severity"].as_str().unwrap().to_owned(), count)
        })
        .collect();
    assert_eq!(found, expected, "{id}: {name}: {variant:?}: {told:#?}");
    for (alert, wanted) in told.iter().zip(wanted) {
        let table = wanted["match"].as_table().unwrap();
        assert!(matches(alert, table), "{id}: {name}: {variant:?}: {table}\n{:#?}", alert.hits);
    }
}

/// The test files by the preset's id.
fn files() -> BTreeMap<String, Toml> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/tests");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let id = name.strip_suffix(".test.toml").unwrap_or_else(|| panic!("{name}")).to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (id, toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    entries.map(read).collect()
}

#[test]
fn every_preset_has_tests_of_both_kinds_on_both_schemas_with_late_and_equal_rows() {
    let files = files();
    let ids: BTreeSet<&str> = presets::all().iter().map(|p| p.spec.id.as_str()).collect();
    assert_eq!(files.keys().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    for (id, file) in &files {
        assert_eq!(file["presets"], Toml::from(vec![id.as_str()]), "{id}");
        assert_eq!(file["schema"], Toml::from(vec!["current", "legacy"]), "{id}");
        let cases = file["case"].as_array().unwrap();
        let fires = |case: &&Toml| case.get("alert").is_some();
        let silent = |case: &&Toml| {
            case.get("alerts").is_some_and(|alerts| alerts.as_array().unwrap().is_empty())
        };
        assert!(cases.iter().any(|case| fires(&case)), "{id}: no case that must fire");
        assert!(cases.iter().any(|case| silent(&case)), "{id}: no case that must not");
        assert!(cases.iter().all(|case| fires(&case) != silent(&case)), "{id}: a case says both");
        let rows = || cases.iter().flat_map(|case| case["rows"].as_array().unwrap());
        assert!(rows().any(|row| row.get("ingested").is_some()), "{id}: no late row");
        let equal = cases.iter().any(|case| {
            let rows = case["rows"].as_array().unwrap();
            rows.windows(2).any(|two| two[0] == two[1])
                || rows.iter().any(|row| row.get("every").is_some_and(|e| e.as_str() == Some("0s")))
        });
        assert!(equal, "{id}: no equal rows");
    }
}

#[tokio::test]
async fn what_the_tests_of_the_presets_say_holds() {
    for (id, file) in &files() {
        if LATER.contains(&id.as_str()) {
            continue;
        }
        for case in file["case"].as_array().unwrap() {
            for variant in [Variant::Current, Variant::Legacy] {
                run(id, file, case, variant).await;
            }
        }
    }
}
