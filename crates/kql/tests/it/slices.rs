//! Sums over slices of what never changes are the sums over its rows.

use crate::support::schema;
use kql::{
    Catalog, HOUR, Memory, MemoryTables, Row, Scan, Schema, Settled, Tables, Type, Value, Wanted,
};
use proptest::prelude::*;
use std::cell::Cell;

/// A table in the order of its time, of which rows before `until` are settled, and which counts the rows that it gives.
struct Log {
    tables: MemoryTables,
    rows: Vec<Row>,
    memory: Memory,
    until: i64,
    given: Cell<usize>,
}

fn columns() -> Schema {
    schema("t:datetime,s:string,n:int,x:real,d:dynamic")
}

impl Log {
    fn new(mut rows: Vec<Row>, until: i64) -> Self {
        rows.sort_by_key(|row| match row.first() {
            Some(Value::Datetime(ticks)) => *ticks,
            _ => 0,
        });
        let tables = MemoryTables::new().with("T", columns(), rows.clone());
        Self { tables, rows, memory: Memory::default(), until, given: Cell::new(0) }
    }
}

impl Catalog for Log {
    fn schema(&self, table: &str) -> Option<Schema> {
        self.tables.schema(table)
    }
}

impl Tables for Log {
    fn scan(&self, table: &str) -> Scan<'_> {
        self.tables.scan(table)
    }

    fn scan_for(&self, _: &str, wanted: &Wanted) -> Scan<'_> {
        let bounds = wanted.bounds.clone();
        let inside = move |row: &&Row| {
            bounds.iter().all(|b| match row.get(b.column) {
                Some(Value::Datetime(t)) => (b.from..=b.last).contains(t),
                _ => true,
            })
        };
        Box::new(self.rows.iter().filter(inside).map(|row| {
            self.given.set(self.given.get() + 1);
            Ok(row.clone())
        }))
    }

    fn settled(&self, _: &str) -> Option<Settled<'_>> {
        Some(Settled { column: 0, from: 0, until: self.until, memory: &self.memory })
    }
}

const QUERIES: [&str; 10] = [
    "T | where t >= from and t < until | summarize count() by s",
    "T | where t >= from and t < until | summarize n = count()",
    "T | where t >= from and t < until | where n > 3 | summarize count(), min(t), max(n), sum(n), countif(n > 5), maxif(t, s == 'a') by s",
    "T | where t >= from and t < until | summarize make_set(n, 3), take_any(s), take_any(n, s), arg_max(n, *), arg_min(t, s) by n % 2 == 0",
    "T | where t >= from and t < until | extend q = bin(t, 15m) | summarize count(), m = max(t) by s, q | where q >= from + 1h | summarize sum(count_), max(m) by s",
    "T | project at = t, s | where at > from and at <= until | summarize count() by s",
    // These are summed up row by row.
    "T | where t >= from and t < until | summarize avg(x), dcount(n), make_list(n), sum(x) by s",
    "T | where t >= from and t < until | summarize count() by late = t > from + 30m",
    "T | where t >= from and t < until | where n > toscalar(T | summarize min(n)) | summarize count() by s",
    "T | where t >= from and t < until and t != from + 1h | summarize count(), make_set(d) by s",
];

fn row() -> impl Strategy<Value = Row> {
    let texts = prop::sample::select(vec!["", "a", "b", "c"]);
    (0..20 * HOUR, texts, prop::option::of(0..9), any::<bool>()).prop_map(
        |(t, s, n, on_the_hour)| {
            let t = if on_the_hour { t - t % (HOUR / 4) } else { t };
            let n = n.map_or(Value::Null, Value::Int);
            vec![Value::Datetime(t), Value::from(s), n, Value::Real(0.5), Value::Null]
        },
    )
}

proptest! {
    #[test]
    fn sums_by_slices_are_sums_by_rows(
        rows in prop::collection::vec(row(), 0..120),
        until in 0..20 * HOUR,
        mut windows in prop::collection::vec((0..20 * HOUR, 0..12 * HOUR), 1..6),
    ) {
        // Mostly forward, as windows go, but not always.
        windows.sort_by_key(|(from, length)| from + length % HOUR);
        let log = Log::new(rows, until);
        let names = [("from", Type::Datetime), ("until", Type::Datetime)];
        let plans: Vec<_> = QUERIES.iter().map(|q| kql::bind_with(q, &log, 0, &names).unwrap()).collect();
        for (plan, query) in plans.iter().zip(QUERIES) {
            for (from, length) in &windows {
                let values = [Value::Datetime(*from), Value::Datetime(from + length)];
                let got: Vec<_> = plan.run_with(&log, &values).map(Result::unwrap).collect();
                let wanted: Vec<_> = plan.run_with(&log.tables, &values).map(Result::unwrap).collect();
                prop_assert_eq!(got, wanted, "{} from {} for {}", query, from, length);
            }
        }
    }
}

#[test]
fn what_is_settled_is_read_once() {
    let rows = (0..200).map(|n| {
        vec![
            Value::Datetime(n * HOUR / 10),
            Value::from("a"),
            Value::Int(1),
            Value::Null,
            Value::Null,
        ]
    });
    let log = Log::new(rows.collect(), 15 * HOUR);
    let names = [("from", Type::Datetime), ("until", Type::Datetime)];
    let query = "T | where t >= from and t < until | summarize count() by s";
    let plan = kql::bind_with(query, &log, 0, &names).unwrap();
    let read = |from: i64, to: i64| {
        log.given.set(0);
        let values = [Value::Datetime(from * HOUR), Value::Datetime(to * HOUR)];
        let rows: Vec<_> = plan.run_with(&log, &values).map(Result::unwrap).collect();
        assert_eq!(rows, [[Value::from("a"), Value::Long((to - from) * 10)]]);
        log.given.get()
    };
    assert_eq!(read(0, 10), 100);
    assert_eq!(read(0, 10), 0);
    assert_eq!(read(1, 11), 10);
    // What is not settled is read each time.
    assert_eq!(read(2, 18), 70);
    assert_eq!(read(2, 18), 30);
}
