//! `sort` and `top`: both keep the order of rows that compare equal.

use crate::plan::{Expr, Rows, RunError, RunState, SortKey, row_size};
use crate::schema::Row;
use crate::value::Value;
use std::cmp::Ordering;

/// A row and what it is sorted by.
type Keyed = (Vec<Value>, Row);

/// Null, then what is not a number, then all else: the first two stand together at the end that nulls go to.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Real(v) if v.is_nan() => 1,
        _ => 2,
    }
}

pub(super) fn compare(a: &Value, b: &Value, key: &SortKey) -> Ordering {
    let ranks = rank(a).cmp(&rank(b));
    match (ranks, key.nulls_first, key.ascending) {
        (Ordering::Equal, _, true) => a.order(b),
        (Ordering::Equal, _, false) => b.order(a),
        (_, true, _) => ranks,
        (_, false, _) => ranks.reverse(),
    }
}

fn compared(a: &[Value], b: &[Value], keys: &[SortKey]) -> Ordering {
    let pairs = a.iter().zip(b).zip(keys);
    pairs.map(|((a, b), key)| compare(a, b, key)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn by(keys: &[SortKey]) -> impl Fn(&Keyed, &Keyed) -> Ordering {
    move |a, b| compared(&a.0, &b.0, keys)
}

pub(super) fn sort<'a>(
    rows: Rows<'a>,
    keys: &[SortKey],
    run: &RunState<'_>,
) -> Result<Rows<'a>, RunError> {
    let mut all: Vec<Keyed> = Vec::new();
    for row in rows {
        let row = row?;
        run.hold("sort", 1, row_size(&row))?;
        all.push((keys.iter().map(|k| k.expr.eval(&row, run)).collect(), row));
    }
    all.sort_by(by(keys));
    Ok(Box::new(all.into_iter().map(|(_, row)| Ok(row))))
}

pub(super) fn top<'a>(
    rows: Rows<'a>,
    count: &Expr,
    key: &'a SortKey,
    run: &RunState<'_>,
) -> Result<Rows<'a>, RunError> {
    let count = super::whole(count, "top", run)?;
    first(rows, count, std::slice::from_ref(key), run)
}

/// The first rows in the order of the keys.
pub(super) fn first<'a>(
    rows: Rows<'a>,
    count: usize,
    keys: &[SortKey],
    run: &RunState<'_>,
) -> Result<Rows<'a>, RunError> {
    let mut best: Vec<Keyed> = Vec::new();
    // Twice the rows asked for are held, then cut: each row is sorted a few times at most.
    let room = count.saturating_mul(2).max(1_024);
    let mut held = 0;
    // From here on a row has to come before this to be among the first.
    let mut last: Option<Vec<Value>> = None;
    let order = by(keys);
    for row in rows {
        let row = row?;
        let values: Vec<Value> = keys.iter().map(|key| key.expr.eval(&row, run)).collect();
        if last.as_ref().is_some_and(|last| compared(&values, last, keys).is_ge()) {
            continue;
        }
        if best.len() == held {
            run.hold("top", 1, row_size(&row))?;
            held += 1;
        }
        best.push((values, row));
        if best.len() >= room {
            best.sort_by(&order);
            best.truncate(count);
            last = best.last().map(|(values, _)| values.clone());
        }
    }
    best.sort_by(order);
    best.truncate(count);
    Ok(Box::new(best.into_iter().map(|(_, row)| Ok(row))))
}
