//! Exported logs as a log source: KQL over files gives what the query service would give.

use chrono::{DateTime, Utc};
use hsmwatch::local::files::{LogFiles, Variant};
use hsmwatch::local::logs::{FileLogs, TableCatalog};
use hsmwatch::ports::{LogSource as _, Query, QueryError};
use hsmwatch::watch::alert::Interval;
use hsmwatch::watch::row::{Row, Value};
use hsmwatch::watch::tables::to_ticks as ticks;
use std::fs;
use std::path::Path;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn logs(base: &Path, patterns: &[&str]) -> FileLogs {
    let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
    FileLogs::new(LogFiles::open(&patterns, base).unwrap())
}

fn samples(pattern: &str) -> FileLogs {
    logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs"), &[pattern])
}

fn query(text: &str) -> Query {
    Query { text: text.to_owned(), timespan: None, now: time("2026-11-23T00:00:00Z") }
}

async fn ask(logs: &FileLogs, query: &Query) -> Result<Vec<Row>, QueryError> {
    let mut rows = Vec::new();
    logs.query(query, &mut rows).await.map(|_| rows)
}

fn shown(rows: &[Row]) -> String {
    let line = |row: &Row| {
        row.iter().map(|(n, v)| format!("{n}={}", v.text())).collect::<Vec<_>>().join(" ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The tutorial's third query, safe for old and new columns.
const USERS_AND_KEYS: &str = r#"let window_start = datetime(2026-11-22T00:00:00Z); let window_end = datetime(2026-11-23T00:00:00Z);
CloudHsmServiceOperationAuditLogs
| where OperationName in ("CN_CREATE_USER", "CN_DELETE_USER", "CN_TOMBSTONE_OBJECT")
| extend HsmInstance = coalesce(column_ifexists("HsmInstance", ""), column_ifexists("MemberId", ""))
| project TimeGenerated, OperationName, HsmInstance, CallerIpAddress, DurationMs, Sku"#;

#[tokio::test]
async fn a_rule_finds_the_same_rows_in_every_format_and_schema() {
    let wanted = ask(&samples("archive.json"), &query(USERS_AND_KEYS)).await.unwrap();
    insta::assert_snapshot!(shown(&wanted));
    for format in [
        "archive-2025.json",
        "event-hub.json",
        "query.json",
        "cli.json",
        "export.json",
        "table.csv",
    ] {
        assert_eq!(
            ask(&samples(format), &query(USERS_AND_KEYS)).await.unwrap(),
            wanted,
            "{format}"
        );
    }
}

#[tokio::test]
async fn values_have_the_types_that_the_service_gives() {
    let text = "CloudHsmServiceOperationAuditLogs | where OperationName == 'CN_LOGIN' \
        | project TimeGenerated, DurationMs, l = tolong(DurationMs), r = 1.5, s = ResultType, b = true, \
          n = int(null), e = ClientInfo, age = now() - TimeGenerated, d = Sku.family, j = Sku";
    let rows = ask(&samples("archive.json"), &query(text)).await.unwrap();
    let row = &rows.first().unwrap();
    assert_eq!(row.time(), Some(time("2026-11-22T08:00:00.1234567Z")));
    assert_eq!(row.get("DurationMs"), Some(&Value::Long(12)));
    assert_eq!(row.get("l"), Some(&Value::Long(12)));
    assert_eq!(row.get("r"), Some(&Value::Real(1.5)));
    assert_eq!(row.get("b"), Some(&Value::Bool(true)));
    assert_eq!(row.get("n"), Some(&Value::Null));
    assert_eq!(row.get("age").unwrap().text(), "15:59:59.8765433");
    assert_eq!(row.get("d").unwrap().text(), "\"B\"");
}

#[tokio::test]
async fn only_the_timespan_is_read() {
    let logs = samples("archive.json");
    let (from, to) = (time("2026-11-22T08:00:01Z"), time("2026-11-22T09:15:00.0000001Z"));
    let within = Query {
        timespan: Some(Interval { from, to }),
        ..query("CloudHsmServiceOperationAuditLogs | count")
    };
    assert_eq!(shown(&ask(&logs, &within).await.unwrap()), "Count=2");
    let early = Interval { from: time("2020-01-01T00:00:00Z"), to: time("2020-01-02T00:00:00Z") };
    let before = Query { timespan: Some(early), ..within };
    assert_eq!(shown(&ask(&logs, &before).await.unwrap()), "Count=0");
}

#[tokio::test]
async fn a_wrong_query_is_shown_with_its_place() {
    let mut texts = Vec::new();
    for text in [
        "let window_start = now();\nCloudHsmServiceOperationAuditLogs\n| project OperationName, MemberId",
        "AzureActivity | count",
        "CloudHsmServiceOperationAuditLogs | evaluate bag_unpack(Sku)",
    ] {
        match ask(&samples("archive.json"), &query(text)).await {
            Err(QueryError::Refused(text)) => texts.push(text),
            other => panic!("{other:?}"),
        }
    }
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[tokio::test]
async fn no_files_are_no_data_and_empty_files_are_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let logs = logs(dir.path(), &["**/*.json"]);
    let count = query("CloudHsmServiceOperationAuditLogs | count");
    assert!(matches!(ask(&logs, &count).await, Err(QueryError::NoData(_))));
    fs::write(dir.path().join("a.json"), "").unwrap();
    assert_eq!(shown(&ask(&logs, &count).await.unwrap()), "Count=0");
    fs::write(dir.path().join("b.json"), b"\xff\xfe{\0").unwrap();
    let error = ask(&logs, &count).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "unavailable: cannot read `b.json`: it is UTF-16 text: save it as UTF-8"
    );
}

#[tokio::test]
async fn many_rows_come_through_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let line =
        |n: usize| format!("{{\"time\":\"2026-11-22T08:00:00Z\",\"operationName\":\"{n}\"}}\n");
    fs::write(dir.path().join("a"), (0..3000).map(line).collect::<String>()).unwrap();
    let logs = logs(dir.path(), &["a"]);
    let rows = ask(&logs, &query("CloudHsmServiceOperationAuditLogs | project OperationName"))
        .await
        .unwrap();
    let names: Vec<String> =
        rows.iter().map(|row| row.get("OperationName").unwrap().text()).collect();
    assert_eq!(names, (0..3000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn queries_can_be_checked_against_each_schema_without_files() {
    let now = ticks(time("2026-11-23T00:00:00Z"));
    let tutorial = "CloudHsmServiceOperationAuditLogs | project OperationName, MemberId";
    let binds = |text: &str| Variant::ALL.map(|v| kql::bind(text, &TableCatalog(v), now).is_ok());
    assert_eq!(binds(tutorial), [false, true, true]);
    assert_eq!(binds(USERS_AND_KEYS), [true, true, true]);
}
