//! A Log Analytics workspace's query API. It cannot run KQL: it finds records by the timespan and by the operations that
//! the query names in quotes, or by a matcher that the test brings along.

use super::gate::Gate;
use super::server::{Line, Server, broken_body};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Which columns the table has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Schema {
    /// `HsmInstance`, `ClusterType`
    #[default]
    Current,
    /// `MemberId`, `PoolType`
    Legacy,
}

impl Schema {
    fn columns(self) -> Vec<(&'static str, &'static str)> {
        let (instance, kind) = match self {
            Self::Current => ("HsmInstance", "ClusterType"),
            Self::Legacy => ("MemberId", "PoolType"),
        };
        vec![
            ("TenantId", "string"),
            ("TimeGenerated", "datetime"),
            ("OperationName", "string"),
            ("ResultType", "string"),
            ("ResultSignature", "string"),
            ("ResultDescription", "string"),
            ("DurationMs", "int"),
            ("CallerIpAddress", "string"),
            ("ClientInfo", "string"),
            ("ClientSdkPackageVersion", "string"),
            ("Opcode", "string"),
            ("Sku", "dynamic"),
            (instance, "string"),
            (kind, "string"),
            ("SourceSystem", "string"),
            ("Type", "string"),
            ("_ResourceId", "string"),
        ]
    }
}

/// The HSM all records come from, unless they say otherwise.
pub(crate) const HSM: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-hsm/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/hsm-prod";

/// One line of the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// `TimeGenerated`
    pub(crate) time: DateTime<Utc>,
    /// From then on (by the fake's clock) a query finds it.
    pub(crate) available: DateTime<Utc>,
    columns: Map<String, Json>,
}

impl Record {
    /// A record that can be found at once.
    pub(crate) fn new(operation: &str, time: DateTime<Utc>) -> Self {
        let columns = json!({
            "TenantId": "11111111-2222-3333-4444-555555555555",
            "TimeGenerated": time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            "OperationName": operation,
            "ResultType": "",
            "ResultSignature": "",
            "ResultDescription": "",
            "DurationMs": 12,
            "CallerIpAddress": "10.20.4.17",
            "ClientInfo": "CloudHSM-Client/2.0",
            "ClientSdkPackageVersion": "2.0.1",
            "Opcode": "0x56",
            "Sku": r#"{"family":"B","name":"Standard_B1"}"#,
            "Instance": "hsm-instance-1",
            "Cluster": "Standard",
            "SourceSystem": "Azure",
            "Type": "CloudHsmServiceOperationAuditLogs",
            "_ResourceId": HSM,
        });
        let columns = columns.as_object().unwrap().clone();
        Self { time, available: DateTime::<Utc>::MIN_UTC, columns }
    }

    /// With another value in a column; `Instance` and `Cluster` stand for the columns that the schemas name differently.
    pub(crate) fn with(mut self, column: &str, value: impl Into<Json>) -> Self {
        self.columns.insert(column.to_owned(), value.into());
        self
    }

    /// Late: it cannot be found before.
    pub(crate) fn available_from(mut self, t: DateTime<Utc>) -> Self {
        self.available = t;
        self
    }

    /// `OperationName`
    pub(crate) fn operation(&self) -> &str {
        self.columns["OperationName"].as_str().unwrap_or_default()
    }

    fn cell(&self, column: &str) -> Json {
        let alias = match column {
            "HsmInstance" | "MemberId" => "Instance",
            "ClusterType" | "PoolType" => "Cluster",
            other => other,
        };
        self.columns.get(alias).or(self.columns.get(column)).cloned().unwrap_or(Json::Null)
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status with an error body of the service's shape.
    Status(u16),
    /// 429 with this `Retry-After`.
    Throttled(&'static str),
    /// Half of the rows and a `PartialError`.
    Partial,
    /// The JSON ends in the middle, the HTTP body does not.
    Truncated,
    /// The connection is cut in the middle of the body.
    Cut,
    /// The connection is cut before the answer.
    HangUp,
    /// 204: no data ever.
    NoContent,
    /// 400: the workspace does not know the table.
    TableMissing,
    /// 400 with this message of the parser.
    Semantic(&'static str),
    /// 403: the token is not accepted.
    TokenRefused,
    /// 403: the identity has no role.
    AccessDenied,
    /// The answer takes this long.
    Slow(Duration),
    /// The `Date` header is this far from the fake's clock.
    WrongDate(TimeDelta),
    /// 200 with this body.
    Body(&'static str),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) workspace: String,
    pub(crate) headers: HeaderMap,
    /// `query` of the body
    pub(crate) query: String,
    /// `timespan` of the body
    pub(crate) timespan: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// How many rows it was given.
    pub(crate) rows: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

type Matcher = Box<dyn Fn(&str, &Record) -> bool + Send>;
type When = Box<dyn Fn(&Request) -> bool + Send>;

#[derive(Default)]
struct Inner {
    schema: Schema,
    records: BTreeMap<String, Vec<Record>>,
    requests: Vec<Request>,
    queue: VecDeque<Fault>,
    always: Vec<(When, Fault)>,
    matcher: Option<Matcher>,
    clock: Option<DateTime<Utc>>,
    max_rows: Option<usize>,
}

type Shared = Arc<Mutex<Inner>>;

/// A running service.
pub(crate) struct FakeLogs {
    inner: Shared,
    server: Server,
}

impl FakeLogs {
    /// Knows these workspaces, all empty.
    pub(crate) fn start(workspaces: &[&str]) -> Self {
        Self::behind(workspaces, &Gate::default())
    }

    /// Behind a gate that others may share.
    pub(crate) fn behind(workspaces: &[&str], gate: &Gate) -> Self {
        let inner = Shared::default();
        inner.lock().unwrap().records =
            workspaces.iter().map(|w| ((*w).to_owned(), Vec::new())).collect();
        let app = Router::new()
            .route("/v1/workspaces/{id}/query", any(answer))
            .with_state(Arc::clone(&inner));
        Self { inner, server: Server::start(gate.before(app)) }
    }

    /// For a workspace's `endpoint`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The table's columns from now on.
    pub(crate) fn schema(&self, schema: Schema) {
        self.inner.lock().unwrap().schema = schema;
    }

    /// Records come in.
    pub(crate) fn add(&self, workspace: &str, records: impl IntoIterator<Item = Record>) {
        let mut inner = self.inner.lock().unwrap();
        inner.records.entry(workspace.to_owned()).or_default().extend(records);
    }

    /// What decides, in place of the operations a query names.
    pub(crate) fn matcher(&self, matcher: impl Fn(&str, &Record) -> bool + Send + 'static) {
        self.inner.lock().unwrap().matcher = Some(Box::new(matcher));
    }

    /// The service's clock; without it the machine's.
    pub(crate) fn clock(&self, now: DateTime<Utc>) {
        self.inner.lock().unwrap().clock = Some(now);
    }

    /// Answers with more rows are cut, as the real service does at 500,000.
    pub(crate) fn max_rows(&self, rows: usize) {
        self.inner.lock().unwrap().max_rows = Some(rows);
    }

    /// The next request that has no fault yet gets this one.
    pub(crate) fn fault(&self, fault: Fault) {
        self.inner.lock().unwrap().queue.push_back(fault);
    }

    /// Every request of this kind gets this fault.
    pub(crate) fn fault_when(
        &self,
        when: impl Fn(&Request) -> bool + Send + 'static,
        fault: Fault,
    ) {
        self.inner.lock().unwrap().always.push((Box::new(when), fault));
    }

    /// All is well again.
    pub(crate) fn mend(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.queue.clear();
        inner.always.clear();
    }

    /// All requests so far that were proper ones.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.inner.lock().unwrap().requests.clone()
    }
}

async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(workspace): Path<String>,
    method: axum::http::Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: header::HeaderName| {
        headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut date = shared.lock().unwrap().clock.unwrap_or_else(Utc::now);
    if method != axum::http::Method::POST {
        return refuse(
            404,
            date,
            &json!({"code": "PathNotFoundError", "message": "The requested path does not exist"}),
        );
    }
    if !text(header::AUTHORIZATION).starts_with("Bearer ") {
        let error = json!({"code": "AuthenticationFailed", "message": "Authentication failed. The 'Authorization' header is missing."});
        return refuse(401, date, &error);
    }
    if !text(header::CONTENT_TYPE).starts_with("application/json") || body.is_empty() {
        // As the real one does.
        return reply(200, date).body(Body::empty()).unwrap();
    }
    let Ok(asked) = serde_json::from_slice::<Json>(&body) else {
        return refuse(400, date, &invalid("InvalidJsonBody", "The request body is not JSON"));
    };
    let mut request = Request {
        workspace,
        headers: headers.clone(),
        query: asked["query"].as_str().unwrap_or_default().to_owned(),
        timespan: asked["timespan"].as_str().map(timespan),
        rows: 0,
    };
    let (fault, rows, schema, cut) = {
        let mut inner = shared.lock().unwrap();
        let always = inner.always.iter().find(|(when, _)| when(&request)).map(|(_, f)| f.clone());
        let fault = always.or_else(|| inner.queue.pop_front());
        let Some(records) = inner.records.get(&request.workspace) else {
            let error = invalid("FailedToResolveResource", "The workspace could not be found");
            return refuse(400, date, &error);
        };
        let mut rows: Vec<Record> = records
            .iter()
            .filter(|r| r.available <= date)
            // Both ends belong to it: a caller that trusts the timespan to tile tells things twice.
            .filter(|r| request.timespan.is_none_or(|(from, to)| from <= r.time && r.time <= to))
            .filter(|r| match &inner.matcher {
                Some(matcher) => matcher(&request.query, r),
                None => named(&request.query, r),
            })
            .cloned()
            .collect();
        // No order is promised: newest first is as good as any.
        rows.reverse();
        let cut = inner.max_rows.filter(|max| rows.len() > *max);
        rows.truncate(cut.unwrap_or(usize::MAX));
        request.rows = rows.len();
        inner.requests.push(request.clone());
        (fault, rows, inner.schema, cut)
    };
    let mut partial = cut;
    match fault {
        Some(Fault::Status(status)) => {
            return refuse(
                status,
                date,
                &json!({"code": "Fault", "message": "a fault of the service"}),
            );
        }
        Some(Fault::Throttled(wait)) => {
            let error =
                json!({"error": {"code": "ThrottledError", "message": "Too many requests"}});
            let throttled = reply(429, date).header(header::RETRY_AFTER, wait);
            return throttled.body(error.to_string().into()).unwrap();
        }
        Some(Fault::HangUp) => {
            line.cut();
            return std::future::pending().await;
        }
        Some(Fault::NoContent) => return reply(204, date).body(Body::empty()).unwrap(),
        Some(Fault::TableMissing) => {
            let message = "'where' operator: Failed to resolve table or column expression named 'CloudHsmServiceOperationAuditLogs'";
            return refuse(400, date, &semantic(message));
        }
        Some(Fault::Semantic(message)) => return refuse(400, date, &semantic(message)),
        Some(Fault::TokenRefused) => {
            let error = json!({"code": "InvalidAuthenticationToken", "message": "The access token is invalid."});
            return refuse(403, date, &error);
        }
        Some(Fault::AccessDenied) => {
            let error = json!({"code": "InsufficientAccessError", "message": "The provided credentials have insufficient access to perform the requested operation"});
            return refuse(403, date, &error);
        }
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::WrongDate(by)) => date += by,
        Some(Fault::Partial) => partial = Some(rows.len() / 2),
        Some(Fault::Body(text)) => return reply(200, date).body(text.into()).unwrap(),
        Some(Fault::Truncated | Fault::Cut) | None => {}
    }
    if matches!(fault, None | Some(Fault::WrongDate(_)))
        && let Some(answer) = summed_up(&request.query, schema, &rows)
    {
        return reply(200, date).body(answer.to_string().into()).unwrap();
    }
    let kept = partial.unwrap_or(rows.len());
    let mut body = render(schema, &rows[..kept.min(rows.len())], partial);
    let half = body.len() / 2;
    match fault {
        Some(Fault::Truncated) => body.truncate(half),
        Some(Fault::Cut) => {
            body.truncate(half);
            return reply(200, date).body(broken_body(body)).unwrap();
        }
        _ => {}
    }
    let answer = reply(200, date).header(header::VARY, "Accept-Encoding");
    if text(header::ACCEPT_ENCODING).contains("gzip") {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(body.as_bytes()).unwrap();
        let zipped = zip.finish().unwrap();
        return answer.header(header::CONTENT_ENCODING, "gzip").body(zipped.into()).unwrap();
    }
    answer.body(body.into()).unwrap()
}

/// The answers to two questions that are not for rows: which columns there are, and how fresh each HSM's records are.
fn summed_up(query: &str, schema: Schema, rows: &[Record]) -> Option<Json> {
    if query.contains("| getschema") {
        let names: Vec<Json> = schema.columns().iter().map(|(name, _)| json!([name])).collect();
        let columns = json!([{"name": "ColumnName", "type": "string"}]);
        return Some(
            json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": names}]}),
        );
    }
    if !query.contains("ingestion_time(), TimeGenerated)") {
        return None;
    }
    let mut by_hsm: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in rows {
        let hsm = record.cell("_ResourceId").as_str().unwrap_or_default().to_lowercase();
        by_hsm.entry(hsm).or_default().push(record);
    }
    let rows: Vec<Json> = by_hsm
        .iter()
        .map(|(hsm, records)| {
            let last = records.iter().map(|record| record.time).max().unwrap();
            let lag = |r: &&Record| {
                (r.available.max(r.time + TimeDelta::seconds(240)) - r.time).num_seconds()
            };
            let lag = records.iter().map(lag).max().unwrap();
            json!([hsm, records.len(), last.to_rfc3339_opts(SecondsFormat::AutoSi, true), lag])
        })
        .collect();
    let columns = json!([
        {"name": "Hsm", "type": "string"},
        {"name": "Records", "type": "long"},
        {"name": "Last", "type": "datetime"},
        {"name": "Lag", "type": "long"},
    ]);
    Some(json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}))
}

/// Whether the query names the record's operation in quotes, or none at all.
fn named(query: &str, record: &Record) -> bool {
    let operations: BTreeSet<&str> =
        query.split(['"', '\'']).filter(|word| word.starts_with("CN_")).collect();
    operations.is_empty() || operations.contains(record.operation())
}

fn timespan(text: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    let (from, to) = text.split_once('/').expect("a timespan from/to");
    (from.parse().unwrap(), to.parse().unwrap())
}

fn render(schema: Schema, rows: &[Record], partial: Option<usize>) -> String {
    let columns = schema.columns();
    let rows: Vec<Vec<Json>> =
        rows.iter().map(|r| columns.iter().map(|(name, _)| r.cell(name)).collect()).collect();
    let columns: Vec<Json> =
        columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let mut answer =
        json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]});
    if let Some(limit) = partial {
        let message = format!(
            "Query result set has exceeded the internal record count limit {limit} (E_QUERY_RESULT_SET_TOO_LARGE; see https://aka.ms/kustoquerylimits for more information and possible solutions)."
        );
        answer["error"] = json!({
            "code": "PartialError",
            "message": "There were some errors when processing your query.",
            "details": [{
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server.",
                "innererror": {"code": "-2133196797", "message": message, "severity": 2, "severityName": "Error"},
            }],
        });
    }
    answer.to_string()
}

fn reply(status: u16, date: DateTime<Utc>) -> axum::http::response::Builder {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::DATE, date.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn refuse(status: u16, date: DateTime<Utc>, error: &Json) -> Response {
    reply(status, date).body(json!({"error": error}).to_string().into()).unwrap()
}

fn invalid(code: &str, message: &str) -> Json {
    json!({
        "message": "The request had some invalid properties",
        "code": "BadArgumentError",
        "correlationId": "00000000-0000-0000-0000-00000000000c",
        "innererror": {"code": code, "message": message},
    })
}

fn semantic(message: &str) -> Json {
    let mut error = invalid("SemanticError", "A semantic error occurred.");
    error["innererror"]["innererror"] = json!({"code": "SEM0100", "message": message});
    error
}
