//! The Log Analytics client against a service that keeps the documented contract and misbehaves on demand.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::support::fake_logs::{FakeLogs, Fault, HSM, Record, Schema};
use crate::support::server::Server;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use hsmwatch::azure::identity::{StaticToken, Token, TokenError, TokenSource};
use hsmwatch::azure::logs::{LogAnalytics, LogAnalyticsOptions, WAIT};
use hsmwatch::azure::{Cloud, client};
use hsmwatch::ports::{LogSource, Query, QueryError, RowSink};
use hsmwatch::watch::alert::Interval;
use hsmwatch::watch::row::{Row, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const WORKSPACE: &str = "11111111-2222-3333-4444-555555555555";
const QUERY: &str =
    r#"CloudHsmServiceOperationAuditLogs | where OperationName == "CN_TOMBSTONE_OBJECT""#;

fn at(minute: i64) -> DateTime<Utc> {
    "2026-03-01T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn query() -> Query {
    let timespan = Some(Interval { from: at(0), to: at(60) });
    Query { text: QUERY.to_owned(), timespan, now: at(60) }
}

fn logs_with(url: &str, credential: Arc<dyn TokenSource>, wait: Duration) -> LogAnalytics {
    LogAnalytics::new(LogAnalyticsOptions {
        endpoint: url.parse().unwrap(),
        workspace_id: WORKSPACE.to_owned(),
        scope: Cloud::Public.query_scope().to_owned(),
        credential,
        http: client(true).unwrap(),
        wait,
        pauses: &[Duration::ZERO, Duration::ZERO],
    })
    .unwrap()
}

fn logs(fake: &FakeLogs) -> LogAnalytics {
    logs_with(&fake.url(), Arc::new(StaticToken("secret-token".to_owned().into())), WAIT)
}

/// A workspace with a deletion every ten minutes, and a login.
fn fake() -> FakeLogs {
    let fake = FakeLogs::start(&[WORKSPACE]);
    fake.clock(at(60));
    fake.add(WORKSPACE, (0..6).map(|n| Record::new("CN_TOMBSTONE_OBJECT", at(n * 10 + 1))));
    fake.add(WORKSPACE, [Record::new("CN_LOGIN", at(5))]);
    fake
}

/// Asks once where the next request meets `fault`.
async fn ask(fault: Fault) -> (Result<Option<String>, QueryError>, usize, usize) {
    let fake = fake();
    fake.fault(fault);
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs(&fake).query(&query(), &mut rows).await.map(|a| a.partial);
    (answer, rows.len(), fake.requests().len())
}

#[tokio::test]
async fn asks_as_documented_and_reads_every_column() {
    let fake = fake();
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs(&fake).query(&query(), &mut rows).await.unwrap();
    assert_eq!(answer.date, Some(at(60)));
    assert_eq!(answer.partial, None);
    assert_eq!(rows.len(), 6);
    let row = rows.last().unwrap();
    assert_eq!(row.time(), Some(at(1)));
    assert_eq!(row.get("OperationName"), Some(&Value::string("CN_TOMBSTONE_OBJECT")));
    assert_eq!(row.get("HsmInstance"), Some(&Value::string("hsm-instance-1")));
    assert_eq!(row.get("MemberId"), None);
    assert_eq!(row.get("DurationMs"), Some(&Value::Long(12)));
    assert_eq!(row.get("Sku").unwrap().text(), r#"{"family":"B","name":"Standard_B1"}"#);
    assert_eq!(row.get("_ResourceId"), Some(&Value::string(HSM)));

    let requests = fake.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].workspace, WORKSPACE);
    assert_eq!(requests[0].query, QUERY);
    assert_eq!(requests[0].timespan, Some((at(0), at(60))));
    assert_eq!(requests[0].header("authorization"), "Bearer secret-token");
    assert_eq!(requests[0].header("content-type"), "application/json");
    assert_eq!(requests[0].header("prefer"), "wait=180");
    assert!(requests[0].header("accept-encoding").contains("gzip"));
}

#[tokio::test]
async fn knows_the_older_schema_by_its_names() {
    let fake = fake();
    fake.schema(Schema::Legacy);
    let mut rows: Vec<Row> = Vec::new();
    logs(&fake).query(&query(), &mut rows).await.unwrap();
    assert_eq!(rows[0].get("MemberId"), Some(&Value::string("hsm-instance-1")));
    assert_eq!(rows[0].get("HsmInstance"), None);
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let fake = FakeLogs::start(&[WORKSPACE]);
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs(&fake).query(&query(), &mut rows).await.unwrap();
    assert_eq!((answer.partial, rows.len()), (None, 0));
}

#[tokio::test]
async fn late_records_come_when_they_can_be_found() {
    let fake = fake();
    let late = Record::new("CN_TOMBSTONE_OBJECT", at(3)).available_from(at(90));
    fake.add(WORKSPACE, [late]);
    let mut rows: Vec<Row> = Vec::new();
    logs(&fake).query(&query(), &mut rows).await.unwrap();
    assert_eq!(rows.len(), 6);
    fake.clock(at(90));
    let mut rows: Vec<Row> = Vec::new();
    logs(&fake).query(&query(), &mut rows).await.unwrap();
    assert_eq!(rows.len(), 7);
}

#[tokio::test]
async fn a_partial_answer_says_so_and_its_rows_are_true() {
    let (answer, rows, _) = ask(Fault::Partial).await;
    let said = answer.unwrap().unwrap();
    assert!(said.contains("E_QUERY_RESULT_SET_TOO_LARGE"), "{said}");
    assert_eq!(rows, 3);
}

#[tokio::test]
async fn every_fault_says_what_the_caller_must_do() {
    let wait = Duration::from_secs(17);
    for (fault, expected) in [
        (Fault::NoContent, QueryError::NoData("the workspace has never received data".into())),
        (Fault::TableMissing, QueryError::NoData("the workspace has no table `CloudHsmServiceOperationAuditLogs` yet".into())),
        (Fault::Semantic("Failed to resolve scalar expression named 'X'"), QueryError::Refused("Failed to resolve scalar expression named 'X'".into())),
        (Fault::Throttled("17"), QueryError::Throttled { retry_after: Some(wait) }),
        (Fault::Throttled("Sun, 01 Mar 2026 10:00:17 GMT"), QueryError::Throttled { retry_after: Some(wait) }),
        (Fault::Status(504), QueryError::TooLarge("a fault of the service; the query took too long".into())),
        (Fault::Truncated, QueryError::Unavailable("the answer ends in the middle".into())),
        (Fault::AccessDenied, QueryError::Denied("The provided credentials have insufficient access to perform the requested operation; assign the role `Log Analytics Data Reader` on the workspace (it may take an hour to act)".into())),
    ] {
        let (answer, _, requests) = ask(fault.clone()).await;
        assert_eq!(answer, Err(expected), "{fault:?}");
        assert_eq!(requests, 1, "{fault:?} must not be tried again");
    }
    let (answer, _, _) = ask(Fault::Cut).await;
    let Err(QueryError::Unavailable(text)) = answer else { panic!("{answer:?}") };
    assert!(text.starts_with("the answer broke off: ") && !text.contains("://"), "{text}");
}

#[tokio::test]
async fn a_hiccup_is_bridged_twice_and_no_more() {
    for fault in [Fault::Status(500), Fault::Status(503), Fault::HangUp] {
        let (answer, rows, requests) = ask(fault.clone()).await;
        assert_eq!((answer, rows, requests), (Ok(None), 6, 2), "{fault:?}");
    }
    let fake = fake();
    fake.fault_when(|_| true, Fault::Status(502));
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs(&fake).query(&query(), &mut rows).await;
    assert_eq!(answer, Err(QueryError::Unavailable("a fault of the service (status 502)".into())));
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let gone = logs_with("http://127.0.0.1:1", Arc::new(StaticToken("t".to_owned().into())), WAIT);
    let mut rows: Vec<Row> = Vec::new();
    let Err(QueryError::Unavailable(text)) = gone.query(&query(), &mut rows).await else {
        panic!()
    };
    assert!(text.contains("onnection refused") && !text.contains("workspaces"), "{text}");
}

/// Counts how often its tokens were forgotten.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl TokenSource for Counting {
    async fn token(&self, _scope: &str) -> Result<Token, TokenError> {
        let n = self.0.load(Ordering::SeqCst);
        let secret = format!("token-{n}").into();
        Ok(Token { secret, expires: DateTime::<Utc>::MAX_UTC })
    }

    fn invalidate(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_renewed_once() {
    let fake = fake();
    fake.fault(Fault::TokenRefused);
    let mut rows: Vec<Row> = Vec::new();
    let logs = logs_with(&fake.url(), Arc::new(Counting::default()), WAIT);
    logs.query(&query(), &mut rows).await.unwrap();
    let tokens: Vec<_> =
        fake.requests().iter().map(|r| r.header("authorization").to_owned()).collect();
    assert_eq!(tokens, ["Bearer token-0", "Bearer token-1"]);

    fake.fault_when(|_| true, Fault::TokenRefused);
    let answer = logs.query(&query(), &mut rows).await;
    assert_eq!(answer, Err(QueryError::Denied("The access token is invalid.".into())));
    assert_eq!(fake.requests().len(), 4);
}

#[tokio::test]
async fn without_a_token_nothing_is_asked() {
    #[derive(Debug)]
    struct Broken(TokenError);
    #[async_trait]
    impl TokenSource for Broken {
        async fn token(&self, _scope: &str) -> Result<Token, TokenError> {
            Err(self.0.clone())
        }
        fn invalidate(&self) {}
    }
    let fake = fake();
    for (error, expected) in [
        (TokenError::Denied("no".into()), QueryError::Denied("no".into())),
        (TokenError::Unavailable("down".into()), QueryError::Unavailable("down".into())),
    ] {
        let logs = logs_with(&fake.url(), Arc::new(Broken(error)), WAIT);
        let mut rows: Vec<Row> = Vec::new();
        assert_eq!(logs.query(&query(), &mut rows).await, Err(expected));
    }
    assert_eq!(fake.requests().len(), 0);
    // A service that wants a token says so.
    let logs = logs_with(&fake.url(), Arc::new(StaticToken(String::new().into())), WAIT);
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs.query(&query(), &mut rows).await;
    assert!(matches!(answer, Err(QueryError::Denied(_))), "{answer:?}");
}

#[tokio::test]
async fn the_services_clock_is_passed_on() {
    let fake = fake();
    fake.fault(Fault::WrongDate(TimeDelta::minutes(-7)));
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs(&fake).query(&query(), &mut rows).await.unwrap();
    assert_eq!(answer.date, Some(at(53)));
}

#[tokio::test]
async fn an_unknown_workspace_is_named_as_configuration() {
    let fake = FakeLogs::start(&["another"]);
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs(&fake).query(&query(), &mut rows).await;
    let expected = "The workspace could not be found; check the workspace's `id`";
    assert_eq!(answer, Err(QueryError::Denied(expected.into())));
}

#[tokio::test]
async fn rows_arrive_while_the_answer_is_still_being_written() {
    struct Tell(tokio::sync::mpsc::UnboundedSender<Row>);
    impl RowSink for Tell {
        fn row(&mut self, row: Row) {
            self.0.send(row).unwrap();
        }
    }
    let (body, pieces) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let pieces = Arc::new(tokio::sync::Mutex::new(pieces));
    let app = Router::new().route(
        "/{*path}",
        post(move || {
            let stream = futures_util::stream::unfold(Arc::clone(&pieces), |pieces| async move {
                let piece = pieces.lock().await.recv().await?;
                Some((Ok::<_, std::io::Error>(Bytes::from(piece)), pieces))
            });
            async move { Body::from_stream(stream) }
        }),
    );
    let server = Server::start(app);
    let logs = logs_with(&server.url(), Arc::new(StaticToken("t".to_owned().into())), WAIT);
    let (tell, mut rows) = tokio::sync::mpsc::unbounded_channel();
    let (query, mut sink) = (query(), Tell(tell));
    let asking = logs.query(&query, &mut sink);
    let writing = async {
        body.send(r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"n","type":"long"}],"rows":[[1],[2],[3"#).unwrap();
        // The end is written only after these rows were seen.
        for n in 1..=2 {
            assert_eq!(rows.recv().await.unwrap().values, [Value::Long(n)]);
        }
        body.send("]]}]}").unwrap();
        assert_eq!(rows.recv().await.unwrap().values, [Value::Long(3)]);
        drop(body);
    };
    let (answer, ()) = tokio::join!(asking, writing);
    assert_eq!(answer.unwrap().partial, None);
}

#[tokio::test]
async fn an_empty_body_is_no_answer() {
    let server = Server::start(Router::new().route("/{*path}", post(|| async { Body::empty() })));
    let logs = logs_with(&server.url(), Arc::new(StaticToken("t".to_owned().into())), WAIT);
    let mut rows: Vec<Row> = Vec::new();
    let answer = logs.query(&query(), &mut rows).await;
    let expected = "the answer is empty; does a proxy drop the request's body or content type?";
    assert_eq!(answer, Err(QueryError::Unavailable(expected.into())));
}
