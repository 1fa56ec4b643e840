//! Exported log files as a log source: the embedded KQL engine runs over their rows.

use super::files::{Column, FilesError, Kind, LogFiles, Report, Snapshot, TABLE, Variant};
use crate::ports::{Answer, LogSource, Query, QueryError, RowSink};
use crate::watch::alert::Interval;
use crate::watch::row::{Row, Value};
use crate::watch::tables::{self, HARDWARE_TABLE, to_ticks};
use async_trait::async_trait;
use kql::{Catalog, RunError, Scan, Schema, Tables, Type};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Rows handed from the thread that reads to the one that asks, at once.
const BATCH: usize = 256;

/// A workspace that is a set of exported log files.
#[derive(Clone, Debug)]
pub struct FileLogs {
    files: Arc<LogFiles>,
}

impl FileLogs {
    /// Answers questions from these files.
    pub fn new(files: LogFiles) -> Self {
        Self { files: Arc::new(files) }
    }

    /// The files.
    pub fn files(&self) -> &LogFiles {
        &self.files
    }
}

#[async_trait]
impl LogSource for FileLogs {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let (batches, mut received) = mpsc::channel(4);
        let (files, query) = (Arc::clone(&self.files), query.clone());
        let reading = tokio::task::spawn_blocking(move || answer(&files, &query, &batches));
        while let Some(batch) = received.recv().await {
            for row in batch {
                rows.row(row);
            }
        }
        match reading.await {
            Ok(result) => result,
            Err(_) => Err(QueryError::Unavailable("reading log files was cut off".to_owned())),
        }
    }
}

/// Runs a query over the files as they are now. Blocks.
fn answer(
    files: &LogFiles,
    query: &Query,
    batches: &mpsc::Sender<Vec<Row>>,
) -> Result<Answer, QueryError> {
    let snapshot = files.snapshot().map_err(|error| unavailable(&error))?;
    tell(snapshot.news());
    let exported = Exported { snapshot: &snapshot, within: query.timespan };
    let plan = kql::bind(&query.text, &exported, to_ticks(query.now)).map_err(|all| {
        let missing = |d: &kql::Diagnostic| d.code == "KS204" && d.message.contains(HARDWARE_TABLE);
        if all.iter().any(missing) {
            return QueryError::NoData(format!("log files hold no records of `{HARDWARE_TABLE}`"));
        }
        QueryError::Refused(all.render("query", &query.text).trim_end().to_owned())
    })?;
    let columns = tables::columns(plan.schema());
    let mut batch = Vec::new();
    for row in plan.run(&exported) {
        batch.push(tables::row(&columns, row.map_err(failed)?));
        // When nobody listens any more, nobody wants the rest.
        if batch.len() == BATCH && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(Answer::default());
        }
    }
    let _ = batches.blocking_send(batch);
    Ok(Answer::default())
}

/// Logs records that could not be read, when a file first shows them.
fn tell(news: &Report) {
    for bad in &news.bad {
        tracing::warn!(
            file = bad.file,
            line = bad.line,
            "skipped a record of the exported logs: {bad}"
        );
    }
    let more = news.bad_count.saturating_sub(u64::try_from(news.bad.len()).unwrap_or(u64::MAX));
    if more > 0 {
        tracing::warn!(records = more, "skipped {more} more records of the exported logs");
    }
}

fn unavailable(error: &FilesError) -> QueryError {
    match error {
        FilesError::NoMatch(_) => QueryError::NoData(error.to_string()),
        _ => QueryError::Unavailable(error.to_string()),
    }
}

pub(super) fn failed(error: RunError) -> QueryError {
    match error {
        RunError::Limit { .. } => QueryError::TooLarge(error.to_string()),
        RunError::Value { .. } => QueryError::Refused(error.to_string()),
        // What the reader said names the file; that it happened in a table adds nothing.
        RunError::Scan { error, .. } => QueryError::Unavailable(error.to_string()),
        error => QueryError::Unavailable(error.to_string()),
    }
}

/// The table's schema alone, to check queries with.
#[derive(Clone, Copy, Debug)]
pub struct TableCatalog(pub Variant);

impl Catalog for TableCatalog {
    fn schema(&self, table: &str) -> Option<Schema> {
        (table == TABLE).then(|| schema(&self.0.columns()))
    }
}

/// Exported files as the engine's tables.
struct Exported<'a> {
    snapshot: &'a Snapshot,
    within: Option<Interval>,
}

impl Catalog for Exported<'_> {
    fn schema(&self, table: &str) -> Option<Schema> {
        self.snapshot.schema(table).map(|columns| schema(&columns))
    }
}

impl Tables for Exported<'_> {
    fn scan(&self, table: &str) -> Scan<'_> {
        let kinds: Vec<Kind> =
            self.snapshot.schema(table).unwrap_or_default().iter().map(|c| c.kind).collect();
        let rows = self.snapshot.rows(table, self.within);
        Box::new(rows.map(move |row| {
            let values = row?.values.into_iter().zip(&kinds);
            Ok(values.map(|(value, kind)| to_kql(value, *kind)).collect())
        }))
    }
}

pub(super) fn schema(columns: &[Column]) -> Schema {
    Schema::new(columns.iter().map(|column| {
        let ty = match column.kind {
            Kind::String => Type::String,
            Kind::Int => Type::Int,
            Kind::Real => Type::Real,
            Kind::Datetime => Type::Datetime,
            Kind::Dynamic => Type::Dynamic,
        };
        (column.name, ty)
    }))
}

/// A cell of a file for the engine. Files have values of five kinds only.
fn to_kql(value: Value, kind: Kind) -> kql::Value {
    match (kind, value) {
        (Kind::String, Value::String(text)) => kql::Value::String(text),
        (Kind::Int, Value::Long(n)) => i32::try_from(n).map_or(kql::Value::Null, kql::Value::Int),
        (Kind::Real, Value::Real(x)) => kql::Value::Real(x),
        (Kind::Datetime, Value::Datetime(time)) => kql::Value::Datetime(to_ticks(time)),
        (Kind::Dynamic, Value::Dynamic(json)) => kql::Value::Dynamic(json),
        _ => kql::Value::Null,
    }
}
