//! The bundled log as a workspace: the embedded KQL engine over the records that can be seen by the simulated clock.

use super::events::Record;
use crate::ports::{Answer, LogSource, Query, QueryError, RowSink};
use crate::watch::alert::Interval;
use crate::watch::step::TABLE;
use crate::watch::tables::{self, Variant, to_ticks};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kql::{Catalog, Scan, Schema, Tables};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The log, and how often it was asked.
pub(super) struct DemoLog {
    /// By time.
    records: Arc<[Record]>,
    queries: AtomicU64,
    rows: AtomicU64,
}

impl DemoLog {
    pub(super) fn new(records: Arc<[Record]>) -> Self {
        Self { records, queries: AtomicU64::new(0), rows: AtomicU64::new(0) }
    }

    /// Queries answered.
    pub(super) fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Rows that they returned.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl LogSource for DemoLog {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let seen = Seen { records: &self.records, within: query.timespan, now: query.now };
        let plan = kql::bind(&query.text, &seen, to_ticks(query.now))
            .map_err(|e| QueryError::Refused(e.render("query", &query.text)))?;
        let columns = tables::columns(plan.schema());
        for row in plan.run(&seen) {
            let row = row.map_err(|e| QueryError::Refused(e.to_string()))?;
            self.rows.fetch_add(1, Ordering::Relaxed);
            rows.row(tables::row(&columns, row));
        }
        self.queries.fetch_add(1, Ordering::Relaxed);
        Ok(Answer { date: Some(query.now), partial: None })
    }
}

/// The table as it is at an instant.
struct Seen<'a> {
    records: &'a [Record],
    within: Option<Interval>,
    now: DateTime<Utc>,
}

impl Catalog for Seen<'_> {
    fn schema(&self, table: &str) -> Option<Schema> {
        // Two HSMs: one in the newer schema, one in the older. So does a workspace of 2026 look.
        (table == TABLE).then(|| tables::schema(table, Variant::Both)).flatten()
    }
}

impl Tables for Seen<'_> {
    fn scan(&self, _: &str) -> Scan<'_> {
        let before = |t: DateTime<Utc>| self.records.partition_point(|record| record.time < t);
        let (from, to) = match self.within {
            Some(Interval { from, to }) => (before(from), before(to)),
            None => (0, self.records.len()),
        };
        let within = self.records.get(from..to).unwrap_or_default().iter();
        let seen = within.filter(|record| record.available <= self.now);
        Box::new(seen.map(|record| Ok(record.row.clone())))
    }
}
