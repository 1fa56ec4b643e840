//! Operators at work: every one an iterator over the iterator of its input.
//!
//! `where`, `project`, `extend`, `take`, `union` and the left side of `join` pass rows on as they come;
//! `summarize`, `sort`, `top`, `distinct` and the right side of `join` hold rows and count them.

mod apply;
mod expand;
mod join;
mod order;
mod parse;
mod parse_kv;
mod summarize;
mod top_nested;
mod window;

use crate::num;
use crate::plan::{Expr, Node, Op, Rows, RunError, RunState};
use crate::schema::Row;
use crate::value::{Key, Value};
use std::collections::HashSet;
use std::rc::Rc;

/// Starts an operator.
pub(crate) fn open<'a>(node: &'a Node, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let rows = start(node, run);
    if !run.is_counted() {
        return rows;
    }
    let (id, run) = (node.id(), Rc::clone(run));
    run.count(id, 0);
    Box::new(rows.inspect(move |row| run.count(id, u64::from(row.is_ok()))))
}

fn start<'a>(node: &'a Node, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let run = Rc::clone(run);
    match &node.op {
        Op::Scan(table) => scan(table, node, &run),
        Op::Rows(rows) => Box::new(rows.iter().map(move |row| {
            run.step("datatable")?;
            Ok(row.iter().map(|value| value.eval(&[], &run)).collect())
        })),
        Op::Materialize(input) => deferred(move || materialize(input, &run)),
        Op::Range { from, to, step } => Box::new(
            range(from, to, step, &run)
                .map(move |row| row.and_then(|row| run.step("range").map(|()| row))),
        ),
        Op::Filter(input, test) => {
            let rows = open(input, &run);
            Box::new(rows.filter(move |row| row.as_ref().map_or(true, |row| test.test(row, &run))))
        }
        Op::Project(input, columns) => {
            let rows = open(input, &run);
            Box::new(rows.map(move |row| {
                let row = row?;
                Ok(columns.iter().map(|c| c.eval(&row, &run)).collect())
            }))
        }
        Op::Summarize { input, keys, calls, results } => {
            deferred(move || summarize::run(open(input, &run), keys, calls, results, &run))
        }
        Op::Distinct(input) => {
            let mut rows = open(input, &run);
            let mut seen: HashSet<Vec<Key>> = HashSet::new();
            let mut key = Vec::new();
            Box::new(std::iter::from_fn(move || {
                loop {
                    let row = match rows.next()? {
                        Ok(row) => row,
                        Err(error) => return Some(Err(error)),
                    };
                    key.clear();
                    key.extend(row.iter().map(Value::key));
                    if !seen.contains(key.as_slice()) {
                        seen.insert(key.clone());
                        let size = crate::plan::row_size(&row);
                        return Some(run.hold("distinct", 1, size).map(|()| row));
                    }
                }
            }))
        }
        Op::Sort(input, keys) => deferred(move || order::sort(open(input, &run), keys, &run)),
        Op::Top(input, count, key) => {
            deferred(move || order::top(open(input, &run), count, key, &run))
        }
        Op::Take(input, count) => match whole(count, "take", &run) {
            // The first of all in order: the others need not be kept. Who counts rows wants to see them.
            Ok(count)
                if !run.is_counted()
                    && let Op::Sort(input, keys) = &input.op =>
            {
                deferred(move || order::first(open(input, &run), count, keys, &run))
            }
            Ok(count) => Box::new(open(input, &run).take(count)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        },
        Op::Count(input) => deferred(move || {
            let mut count = 0_i64;
            for row in open(input, &run) {
                row?;
                count += 1;
            }
            Ok(Box::new(std::iter::once(Ok(vec![Value::Long(count)]))))
        }),
        Op::Serialize(input) | Op::Named(input, _) => open(input, &run),
        Op::Window(input, window) => window::run(input, window, &run),
        Op::Expand(input, expand) => expand::run(input, expand, &run),
        Op::Parse(input, parse) => parse::run(input, parse, &run),
        Op::ParseKv(input, parse) => parse_kv::run(input, parse, &run),
        Op::TopNested(input, top) => deferred(move || top_nested::run(input, top, &run)),
        Op::Part => kept(run.lent(node.id())),
        Op::Apply(apply) => apply::run(apply, &run),
        Op::Join { kind, left, right, keys, right_columns } => {
            let sides = join::Sides { left, right, keys, right_columns };
            deferred(move || join::run(*kind, sides, &run))
        }
        Op::Union { inputs, sources } => {
            Box::new(inputs.iter().enumerate().flat_map(move |(at, (input, places))| {
                let source =
                    sources.as_ref().and_then(|s| s.get(at)).map(|s| Value::from(s.as_str()));
                let rows = open(input, &run);
                rows.map(move |row| {
                    let row = row?;
                    let values = places.iter().zip(&node.schema.columns).map(|(place, column)| {
                        place
                            .and_then(|p| row.get(p).cloned())
                            .unwrap_or_else(|| column.ty.missing())
                    });
                    // The source's name fills the first column.
                    Ok(match &source {
                        Some(source) => {
                            std::iter::once(source.clone()).chain(values.skip(1)).collect()
                        }
                        None => values.collect(),
                    })
                })
            }))
        }
    }
}

/// An operator that does its work when its first row is asked for.
fn deferred<'a>(start: impl FnOnce() -> Result<Rows<'a>, RunError> + 'a) -> Rows<'a> {
    let mut start = Some(start);
    let mut rows: Option<Rows<'a>> = None;
    Box::new(std::iter::from_fn(move || {
        if let Some(start) = start.take() {
            match start() {
                Ok(started) => rows = Some(started),
                Err(error) => return Some(Err(error)),
            }
        }
        rows.as_mut()?.next()
    }))
}

/// A row count; negative counts are none.
fn whole(count: &Expr, operator: &'static str, run: &RunState<'_>) -> Result<usize, RunError> {
    let value = count.eval(&[], run).as_long();
    let value = value.ok_or(RunError::Value { operator, problem: "the number of rows is null" })?;
    Ok(num::long_to_len(value).unwrap_or(0))
}

/// The rows of `input`, kept from when they are first asked for.
fn materialize<'a>(input: &'a Node, run: &Rc<RunState<'a>>) -> Result<Rows<'a>, RunError> {
    let rows = if let Some(rows) = run.materialized(input.id()) {
        rows
    } else {
        let mut rows = Vec::new();
        for row in open(input, run) {
            let row = row?;
            run.hold("materialize", 1, crate::plan::row_size(&row))?;
            rows.push(row);
        }
        run.materialize(input.id(), rows)
    };
    Ok(kept(rows))
}

/// Rows that are kept for more than one reader.
fn kept<'a>(rows: Rc<Vec<Row>>) -> Rows<'a> {
    let mut at = 0;
    Box::new(std::iter::from_fn(move || {
        let row = rows.get(at)?.clone();
        at += 1;
        Some(Ok(row))
    }))
}

fn scan<'a>(table: &'a str, node: &'a Node, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let (tables, schema) = (run.tables, &node.schema);
    let rows = run.wanted(node, |wanted| match wanted {
        Some(wanted) => tables.scan_for(table, wanted),
        None => tables.scan(table),
    });
    let run = Rc::clone(run);
    Box::new(rows.map(move |row| {
        run.step("table")?;
        let row = row.map_err(|error| RunError::Scan { table: table.to_owned(), error })?;
        schema.fitting(row).map_err(|problem| RunError::Row { table: table.to_owned(), problem })
    }))
}

fn range<'a>(from: &Expr, to: &Expr, step: &Expr, run: &RunState<'_>) -> Rows<'a> {
    let (from, to, step) = (from.eval(&[], run), to.eval(&[], run), step.eval(&[], run));
    let ticks = |v: &Value| match v {
        Value::Datetime(t) | Value::Timespan(t) => Some(*t),
        other => other.as_long(),
    };
    if let (Some(first), Some(last), Some(step)) = (ticks(&from), ticks(&to), ticks(&step)) {
        if step == 0 {
            return Box::new(std::iter::once(Err(RunError::Value {
                operator: "range",
                problem: "the step is zero",
            })));
        }
        let wrap = match from {
            Value::Datetime(_) => Value::Datetime,
            Value::Timespan(_) => Value::Timespan,
            _ => Value::Long,
        };
        let mut next = Some(first);
        return Box::new(std::iter::from_fn(move || {
            let at = next.filter(|at| if step > 0 { *at <= last } else { *at >= last })?;
            next = at.checked_add(step);
            Some(Ok(vec![wrap(at)]))
        }));
    }
    let (Some(first), Some(last), Some(step)) = (from.as_real(), to.as_real(), step.as_real())
    else {
        return Box::new(std::iter::once(Err(RunError::Value {
            operator: "range",
            problem: "a bound is null",
        })));
    };
    if step == 0.0 || !step.is_finite() {
        return Box::new(std::iter::once(Err(RunError::Value {
            operator: "range",
            problem: "the step is zero",
        })));
    }
    let mut next = first;
    Box::new(std::iter::from_fn(move || {
        let at = next;
        next = at + step;
        let inside = if step > 0.0 { at <= last } else { at >= last };
        // Steps too small to move the value would never end.
        (inside && next.total_cmp(&at).is_ne()).then(|| Ok(vec![Value::Real(at)]))
    }))
}
