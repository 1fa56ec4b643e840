//! The archive as a log source. A query is bound once for all windows that it is asked about.

use super::super::table::{COLUMNS, TABLE};
use super::scan::{Memory, Search, value};
use super::store::Archive;
use crate::local::logs::{failed, schema};
use crate::ports::{Answer, LogSource, Query, QueryError, RowSink};
use crate::watch::alert::Interval;
use crate::watch::row::Columns;
use crate::watch::tables::{self, to_ticks};
use async_trait::async_trait;
use hashbrown::HashMap;
use kql::{Catalog, Plan, Scan, Schema, Tables, Type, Value, Wanted};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Queries that are kept bound.
const PLANS: usize = 1_000;

/// Answers questions from an archive, as of the instant that each question names: later rows are not there yet.
pub struct ArchiveLogs {
    archive: Arc<Archive>,
    schema: Schema,
    /// For each column of the schema, its place among all there are.
    places: Vec<usize>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    plans: HashMap<String, Option<Bound>>,
    memory: Memory,
}

#[derive(Clone)]
struct Bound {
    plan: Arc<Plan>,
    columns: Columns,
}

impl fmt::Debug for ArchiveLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveLogs").field("rows", &self.archive.len()).finish_non_exhaustive()
    }
}

impl ArchiveLogs {
    /// What is remembered of queries is this source's own: who asks at the same time as others has one of its own.
    pub fn new(archive: Arc<Archive>) -> Self {
        let places = archive.drift().columns();
        let columns: Vec<_> = places.iter().filter_map(|at| COLUMNS.get(*at)).copied().collect();
        Self { archive, schema: schema(&columns), places, inner: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan of a text whose window is named apart; nothing where it has to be bound for each window.
    fn bound(&self, text: &str, now: i64) -> Option<Bound> {
        if let Some(known) = self.lock().plans.get(text) {
            return known.clone();
        }
        let names = [("window_start", Type::Datetime), ("window_end", Type::Datetime)];
        let clock = kql::outline(text).map_or(true, |outline| !outline.clock_calls.is_empty());
        let plan = (!clock).then(|| kql::bind_with(text, &Bare(&self.schema), now, &names).ok());
        let bound = plan
            .flatten()
            .map(|plan| Bound { columns: tables::columns(plan.schema()), plan: Arc::new(plan) });
        let mut inner = self.lock();
        if inner.plans.len() < PLANS {
            inner.plans.insert(text.to_owned(), bound.clone());
            return bound;
        }
        // What is remembered of a plan's conditions ends with the plan: this one is not kept.
        None
    }

    fn answer(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let now = to_ticks(query.now);
        let asked = Asked { logs: self, within: query.timespan, now, remembered: true };
        if let Some((start, end, text)) = window(&query.text)
            && let Some(Bound { plan, columns }) = self.bound(text, now)
        {
            let values = [Value::Datetime(start), Value::Datetime(end)];
            for row in plan.run_with(&asked, &values) {
                rows.row(tables::row(&columns, row.map_err(failed)?));
            }
            return Ok(Answer::default());
        }
        let asked = Asked { remembered: false, ..asked };
        let plan = kql::bind(&query.text, &asked, now).map_err(|all| {
            QueryError::Refused(all.render("query", &query.text).trim_end().to_owned())
        })?;
        let columns = tables::columns(plan.schema());
        for row in plan.run(&asked) {
            rows.row(tables::row(&columns, row.map_err(failed)?));
        }
        Ok(Answer::default())
    }
}

#[async_trait]
impl LogSource for ArchiveLogs {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        self.answer(query, rows)
    }
}

/// The window that the constants before a rule's text name, and the text.
fn window(text: &str) -> Option<(i64, i64, &str)> {
    let rest = text.strip_prefix("let window_start = datetime(")?;
    let (start, rest) = rest.split_once("); let window_end = datetime(")?;
    let (end, text) = rest.split_once("); ")?;
    Some((kql::parse_datetime(start)?, kql::parse_datetime(end)?, text))
}

/// The table's columns alone.
struct Bare<'a>(&'a Schema);

impl Catalog for Bare<'_> {
    fn schema(&self, table: &str) -> Option<Schema> {
        (table == TABLE).then(|| self.0.clone())
    }
}

/// The archive as of an instant, for one question.
struct Asked<'a> {
    logs: &'a ArchiveLogs,
    within: Option<Interval>,
    now: i64,
    /// Whether the plan is kept, and its conditions with it.
    remembered: bool,
}

impl Catalog for Asked<'_> {
    fn schema(&self, table: &str) -> Option<Schema> {
        Bare(&self.logs.schema).schema(table)
    }
}

impl Tables for Asked<'_> {
    fn scan(&self, table: &str) -> Scan<'_> {
        let columns = vec![true; self.logs.schema.columns.len()];
        self.scan_for(table, &Wanted { columns, ..Wanted::default() })
    }

    fn scan_for(&self, table: &str, wanted: &Wanted) -> Scan<'_> {
        let Self { logs, within, now, remembered } = self;
        let archive = &*logs.archive;
        if table != TABLE {
            return Box::new(std::iter::empty());
        }
        let seen = archive.place(now.saturating_add(1));
        let (from, to) = within.map_or((0, seen), |Interval { from, to }| {
            (archive.place(to_ticks(from)), archive.place(to_ticks(to)).min(seen))
        });
        let mut fresh = Memory::default();
        let mut inner;
        let memory = if *remembered {
            inner = logs.lock();
            &mut inner.memory
        } else {
            &mut fresh
        };
        let search = Search::new(archive, memory, wanted, &logs.places, from..to);
        let columns = search.columns();
        let rows = search.rows(archive, memory, &logs.places);
        Box::new(rows.map(move |row| {
            let cell = |place: &Option<usize>| {
                place.map_or(Value::Null, |place| value(archive, place, row))
            };
            Ok(columns.iter().map(cell).collect())
        }))
    }

    fn seeks(&self) -> bool {
        true
    }
}
