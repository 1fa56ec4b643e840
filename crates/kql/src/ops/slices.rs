//! `summarize` over the past by slices: where the rows of a stretch of time never change, what they sum up to is remembered,
//! slice by slice, and put together for each window that is asked about.

use super::summarize::{Group, Groups, Sum};
use crate::needs::{Bounds, Wanted};
use crate::plan::{Expr, Node, NodeId, Op, RunError, RunState};
use crate::time::HOUR;
use crate::value::{Type, Value};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// What queries over rows that never change have found out, for the next ones; see [`Settled`]. It is for one table and for
/// plans that are kept as long as it is.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<NodeId, Slices>>);

/// Slices of a window; more than that, and it has no beginning worth the name.
const MOST: i64 = 100_000;

/// Groups of the slices of a `summarize`, by the number of the slice.
type Slices = BTreeMap<i64, Arc<Vec<Group>>>;

/// The stretch of a table whose rows are all there and never change, given by a datetime column in whose order the table
/// gives its rows.
pub struct Settled<'a> {
    /// Place of the column.
    pub column: usize,
    /// The first tick inside.
    pub from: i64,
    /// The first tick after.
    pub until: i64,
    /// What is remembered of these rows.
    pub memory: &'a Memory,
}

/// Adds all rows, by slices; false where that cannot be done, and nothing was added.
pub(super) fn add<'a>(
    node: &'a Node,
    sum: Sum<'a>,
    groups: &mut Groups<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<bool, RunError> {
    let Some((scan, table)) = source(sum.input) else { return Ok(false) };
    let Some(settled) = run.tables.settled(table).filter(|_| !run.is_counted()) else {
        return Ok(false);
    };
    // What a join asks for less of is not all there is to remember.
    if run.is_narrowed(scan) {
        return Ok(false);
    }
    let Some(wanted) = run.wanted(scan, |wanted: Option<&Wanted>| wanted.cloned()) else {
        return Ok(false);
    };
    let known = wanted.bounds.iter().find(|bounds| bounds.column == settled.column);
    let mergeable = || sum.calls.iter().all(|call| (call.factory)().state().is_some());
    let alone = || {
        let args = sum.calls.iter().flat_map(|call| &call.args);
        sum.keys.iter().chain(args).all(Expr::is_of_row_alone)
    };
    let Some(Bounds { from, last, .. }) = known.copied() else { return Ok(false) };
    let first = from.max(settled.from).saturating_add(HOUR - 1).div_euclid(HOUR);
    let end = last.saturating_add(1).min(settled.until).div_euclid(HOUR);
    if !(2..=MOST).contains(&end.saturating_sub(first))
        || !alone()
        || !mergeable()
        || passes(sum.input, &settled, run).is_none()
    {
        return Ok(false);
    }
    let stretch = |from: i64, last: i64, groups: &mut Groups<'a>| {
        let narrowing = run.narrow_scan(scan, narrowed(&wanted, settled.column, from, last));
        let added = groups.add(super::open(sum.input, run), run);
        run.widen(narrowing);
        added
    };
    let start = |slice: i64| slice.saturating_mul(HOUR);
    if from < start(first) {
        stretch(from, start(first) - 1, groups)?;
    }
    for slice in first..end {
        let lock = || settled.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = lock().get(&node.id()).and_then(|slices| slices.get(&slice)).cloned();
        let of_slice = if let Some(groups) = remembered {
            groups
        } else {
            let mut fresh = Groups::new(sum);
            stretch(start(slice), start(slice + 1) - 1, &mut fresh)?;
            let fresh = Arc::new(fresh.into_groups());
            lock().entry(node.id()).or_default().insert(slice, Arc::clone(&fresh));
            fresh
        };
        groups.merge(&of_slice, run)?;
    }
    // Windows go forward: what lies before this one is not asked about again, or found out anew.
    if let Some(slices) =
        settled.memory.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&node.id())
    {
        let later = slices.split_off(&first);
        *slices = later;
    }
    if start(end) <= last {
        stretch(start(end), last, groups)?;
    }
    Ok(true)
}

/// The same need within a stretch of time.
fn narrowed(wanted: &Wanted, column: usize, from: i64, last: i64) -> Wanted {
    let mut wanted = wanted.clone();
    for bounds in wanted.bounds.iter_mut().filter(|bounds| bounds.column == column) {
        (bounds.from, bounds.last) = (from, last);
    }
    wanted
}

/// The scan below filters and projections.
fn source(node: &Arc<Node>) -> Option<(&Arc<Node>, &str)> {
    match &node.op {
        Op::Scan(table) => Some((node, table)),
        Op::Filter(input, _) | Op::Project(input, _) => source(input),
        _ => None,
    }
}

/// The places of the settled column among a node's columns, where the rows that pass depend on nothing but the rows and on
/// bounds of that column, which a slice is wholly inside of.
fn passes(node: &Arc<Node>, settled: &Settled<'_>, run: &RunState<'_>) -> Option<Vec<usize>> {
    match &node.op {
        Op::Scan(_) => Some(vec![settled.column]),
        Op::Filter(input, test) => {
            let times = passes(input, settled, run)?;
            let timed = |at: usize| {
                let of = input.schema.columns.get(at);
                times.contains(&at) && of.is_some_and(|column| column.ty == Type::Datetime)
            };
            holds(test, &timed, run).then_some(times)
        }
        Op::Project(input, exprs) => {
            let times = passes(input, settled, run)?;
            if !exprs.iter().all(Expr::is_of_row_alone) {
                return None;
            }
            let places = exprs.iter().enumerate().filter_map(|(at, expr)| match expr {
                Expr::Column(column) if times.contains(column) => Some(at),
                _ => None,
            });
            Some(places.collect())
        }
        _ => None,
    }
}

/// Whether a test is of the row alone, or bounds of the settled column.
fn holds(test: &Expr, timed: &dyn Fn(usize) -> bool, run: &RunState<'_>) -> bool {
    match test {
        Expr::And(parts) => parts.iter().all(|part| holds(part, timed, run)),
        Expr::Compare { op, left, right } => {
            let bound = match (&**left, &**right) {
                (Expr::Column(at), side) | (side, Expr::Column(at)) => {
                    op.bounds()
                        && timed(*at)
                        && side.is_fixed()
                        && matches!(*side.look(&[], run), Value::Datetime(_))
                }
                _ => false,
            };
            bound || test.is_of_row_alone()
        }
        other => other.is_of_row_alone(),
    }
}
