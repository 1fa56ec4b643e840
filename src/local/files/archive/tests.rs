//! The archive answers what the files would.

use super::line::{Coder, Words};
use super::{Archive, ArchiveLogs, Input, Loading, load};
use crate::local::files::table::{self, Record};
use crate::local::files::{LogFiles, Report};
use crate::local::logs::FileLogs;
use crate::ports::{LogSource, Query, QueryError};
use crate::watch::alert::Interval;
use crate::watch::row::Row;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

fn loaded(files: &[(&str, Vec<u8>)], within: Option<Interval>) -> (Archive, Report) {
    let inputs = files.iter().map(|(name, bytes)| {
        Ok(Input { name: (*name).to_owned(), bytes: Box::new(Cursor::new(bytes.clone())) })
    });
    load(inputs, &Loading { within, readers: 2, progress: &|_| () }).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A field's value: mostly as exports write it.
fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => "[a-zA-Z0-9_ .é\"\\\\]{0,6}".prop_map(Json::from),
        2 => any::<i32>().prop_map(Json::from),
        1 => any::<u64>().prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(json!({"family": "B", "deep": [1, {"x": null}]})),
        1 => Just(json!([1, "a"])),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let names = [
        "time",
        "TimeGenerated",
        "operationName",
        "OperationName",
        "operation_name",
        "category",
        "Category",
        "callerIpAddress",
        "resourceId",
        "_ResourceId",
        "ResourceId",
        "durationMs",
        "Sku",
        "Type",
        "type",
        "HsmInstance",
        "MemberId",
        "location",
        "surprise",
        "SubscriptionId",
        "_BilledSize",
        "records",
        "TenantId",
    ];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

fn time() -> impl Strategy<Value = Json> {
    prop_oneof![
        8 => (0_i64..400_000_000, 0_u32..9).prop_map(|(second, digits)| {
            let time = DateTime::from_timestamp(1_600_000_000 + second, 123_456_700).unwrap();
            let text = time.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string();
            let digits = usize::try_from(digits).unwrap();
            let cut = if digits == 0 { &text[..19] } else { &text[..20 + digits] };
            Json::from(format!("{cut}Z"))
        }),
        1 => prop::sample::select(vec![
            "2026-02-30T00:00:00Z", "2016-12-31T23:59:60Z", "2026-11-22T09:00:00+01:00", " 2026-11-22T08:00:00Z",
            "2026-11-22 08:00:00Z", "", "soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z",
        ]).prop_map(Json::from),
        1 => value(),
    ]
}

fn fields() -> impl Strategy<Value = Vec<(String, Json)>> {
    prop::collection::vec((name(), value()), 0..8)
}

/// A line as it is written: names may come twice.
fn line() -> impl Strategy<Value = String> {
    let category = prop::sample::select(vec![
        "HsmServiceOperations",
        "hsmserviceoperations",
        "Other",
        " ",
        "",
    ]);
    (time(), fields(), prop::option::of(fields()), prop::option::of(category), any::<bool>())
        .prop_map(|(time, outer, inner, category, first)| {
            let object = |fields: &[(String, Json)]| {
                let all: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", Json::from(name.as_str())))
                    .collect();
                format!("{{{}}}", all.join(","))
            };
            let mut parts = vec![format!("\"time\":{time}")];
            parts.extend(category.map(|category| format!("\"category\":\"{category}\"")));
            parts.extend(
                outer.iter().map(|(name, value)| format!("{}:{value}", Json::from(name.as_str()))),
            );
            if let Some(inner) = inner {
                let at = if first { 0 } else { parts.len() };
                parts.insert(at, format!("\"properties\":{}", object(&inner)));
            }
            format!("{{{}}}", parts.join(","))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn a_line_read_fast_is_the_row_that_the_reader_makes(lines in prop::collection::vec(line(), 1..4)) {
        let words = Words::new();
        let (mut fast, mut slow) = (Coder::new(&words), Coder::new(&words));
        for line in lines {
            let mut unknown = Vec::new();
            let Some(row) = fast.line(line.as_bytes(), &mut |name| unknown.push(name.to_owned())) else { continue };
            let json: Json = serde_json::from_str(&line).unwrap();
            let mut ignored = Vec::new();
            let record = table::record(json.as_object().unwrap(), &mut |name| ignored.push(name.to_owned()));
            let Ok(Record::Row(wanted)) = record else { panic!("{line}: {record:?}") };
            prop_assert_eq!(row, slow.row(&wanted), "{}", line);
            // Of a name that comes twice, and is no column, a tree of JSON shows one.
            ignored.sort();
            ignored.dedup();
            unknown.sort();
            unknown.dedup();
            prop_assert_eq!(unknown, ignored, "{}", line);
        }
    }
}

#[test]
fn ordinary_lines_are_read_fast() {
    let words = Words::new();
    let mut coder = Coder::new(&words);
    let text = std::fs::read_to_string("demo/events.jsonl").unwrap();
    let archive = std::fs::read_to_string("tests/data/logs/archive.json").unwrap();
    for line in text
        .lines()
        .take(50)
        .chain(archive.lines().filter(|line| line.contains("HsmServiceOperations")))
    {
        assert!(coder.line(line.trim().as_bytes(), &mut |_| ()).is_some(), "{line}");
    }
}

/// Every file that the reader of all formats is tested with.
fn exported() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "archive.json",
        "archive-2025.json",
        "cli.json",
        "event-hub.json",
        "event-hub-lines.json",
        "export.json",
        "portal.csv",
        "query.json",
        "table.csv",
    ];
    names.map(|name| (name, std::fs::read(format!("tests/data/logs/{name}")).unwrap())).to_vec()
}

const QUERIES: [&str; 9] = [
    "CloudHsmServiceOperationAuditLogs | where TimeGenerated >= window_start and TimeGenerated < window_end",
    "CloudHsmServiceOperationAuditLogs | where OperationName in (\"CN_LOGIN\", \"CN_TOMBSTONE_OBJECT\") | project TimeGenerated, OperationName, CallerIpAddress, _ResourceId, _SubscriptionId",
    "CloudHsmServiceOperationAuditLogs | where OperationName has \"LOGIN\" and DurationMs > 10 | summarize count(), max(TimeGenerated) by CallerIpAddress",
    "CloudHsmServiceOperationAuditLogs | where strlen(OperationName) > strlen(CallerIpAddress) | count",
    "CloudHsmServiceOperationAuditLogs | where hourofday(TimeGenerated) < 9 | summarize n = count() by OperationName, ResultType, tostring(Sku)",
    "let L = CloudHsmServiceOperationAuditLogs; L | where OperationName == \"CN_LOGIN\" | join kind=leftanti (L | where OperationName == \"CN_TOMBSTONE_OBJECT\") on CallerIpAddress | summarize count() by CallerIpAddress",
    "let L = CloudHsmServiceOperationAuditLogs; L | where TimeGenerated >= window_start + 1s | join kind=inner (L | project CallerIpAddress, At = TimeGenerated) on CallerIpAddress | count",
    "CloudHsmServiceOperationAuditLogs | where TimeGenerated > ago(30d) | count",
    "CloudHsmServiceOperationAuditLogs | where isempty(ResultDescription) or isnotempty(ClientInfo) | take 1000 | summarize take_any(Type), dcount(CallerIpAddress)",
];

async fn ask(source: &dyn LogSource, query: &Query) -> Result<Vec<String>, QueryError> {
    let mut rows: Vec<Row> = Vec::new();
    source.query(query, &mut rows).await?;
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    Ok(rows)
}

#[tokio::test]
async fn it_answers_what_the_files_answer() {
    let files =
        FileLogs::new(LogFiles::open(&["tests/data/logs/*".to_owned()], Path::new("")).unwrap());
    let (archive, report) = loaded(&exported(), None);
    let snapshot = files.files().snapshot().unwrap();
    assert_eq!(report.rows, snapshot.report().rows);
    assert_eq!(report.bad_count, snapshot.report().bad_count);
    assert_eq!(report.ignored, snapshot.report().ignored);
    assert_eq!(report.other, snapshot.report().other);
    assert_eq!(u64::try_from(archive.len()).unwrap(), report.rows);
    let span = archive.span().unwrap();
    let logs = ArchiveLogs::new(Arc::new(archive));
    let windows = [
        span,
        Interval { from: span.from, to: span.from + TimeDelta::seconds(1) },
        Interval { from: at("2026-11-22T08:00:00Z"), to: at("2026-11-22T08:00:05Z") },
        Interval { from: at("2020-01-01T00:00:00Z"), to: at("2021-01-01T00:00:00Z") },
    ];
    let mut answered = 0;
    for body in QUERIES {
        for (window, timespan) in windows.iter().flat_map(|w| [(w, Some(*w)), (w, None)]) {
            let version = crate::watch::rule::plain("r", body);
            let text = crate::watch::head::Version::of(&version, span.from).ask(*window);
            let query = Query { text, timespan, now: span.to };
            let (wanted, got) =
                (ask(&files, &query).await.unwrap(), ask(&logs, &query).await.unwrap());
            assert_eq!(got, wanted, "{body} over {window:?}");
            answered += wanted.len();
        }
    }
    assert!(answered > 100, "{answered}");
    let unknown = Query { text: "Elsewhere | count".to_owned(), timespan: None, now: span.to };
    assert!(matches!(ask(&logs, &unknown).await, Err(QueryError::Refused(_))));
}

#[tokio::test]
async fn rows_are_there_from_their_own_time_on() {
    let lines = |hours: &[u32]| -> Vec<u8> {
        let line = |hour: &u32| {
            format!(
                "{}\n",
                json!({"time": format!("2026-03-01T{hour:02}:00:00Z"), "operationName": "A"})
            )
        };
        hours.iter().map(line).collect::<String>().into_bytes()
    };
    let files = [("b", lines(&[5, 1])), ("a", lines(&[3])), ("empty", Vec::new())];
    let within = Interval { from: at("2026-03-01T01:00:00Z"), to: at("2026-03-01T05:00:00Z") };
    let count = "CloudHsmServiceOperationAuditLogs | count".to_owned();
    for (within, counts) in [(None, [0, 1, 2, 3]), (Some(within), [0, 1, 2, 2])] {
        let (archive, report) = loaded(&files, within);
        assert_eq!((report.files, report.rows), (3, 3));
        let logs = ArchiveLogs::new(Arc::new(archive));
        for (hour, wanted) in [0, 1, 4, 5].into_iter().zip(counts) {
            let now = at("2026-03-01T00:00:00Z") + TimeDelta::hours(hour);
            let query = Query { text: count.clone(), timespan: None, now };
            let rows = ask(&logs, &query).await.unwrap();
            assert!(rows[0].contains(&format!("Long({wanted})")), "{hour}: {rows:?}");
        }
    }
}

#[test]
fn blocks_end_where_lines_do() {
    // Several blocks, a line longer than a block, an end that is not written yet, and two bad lines.
    let row = |second: i64, text: &str| {
        let time = DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
        format!(
            "{}\n",
            json!({"time": time.to_rfc3339(), "operationName": "A", "resultDescription": text})
        )
    };
    let mut text = String::new();
    for second in 0..12_000 {
        text.push_str(&row(second, &"x".repeat(200)));
        if second == 7_000 {
            text.push_str("nonsense\n");
            text.push_str(&row(second, &"y".repeat(3 << 20)));
        }
    }
    text.push_str("{\"time\":\"2026-0");
    let (archive, report) = loaded(&[("f", text.clone().into_bytes())], None);
    assert_eq!((archive.len(), report.rows, report.bad_count), (12_001, 12_001, 1));
    assert_eq!(report.bad[0].line, 7_002);
    assert_eq!(report.unfinished, ["f"]);
    // Packed, and cut off.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let (archive, _) = loaded(&[("f.gz", packed.clone())], None);
    assert_eq!(archive.len(), 12_001);
    let (archive, report) = loaded(&[("f.gz", packed[..packed.len() / 4].to_vec())], None);
    assert!(archive.len() > 1_000 && archive.len() < 12_001);
    assert_eq!((report.bad_count, report.bad[0].line), (1, 0));
}
