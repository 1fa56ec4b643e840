//! `sort` and `top`: both keep the order of rows that compare equal.

use crate::plan::{Expr, Rows, RunError, RunState, SortKey, row_size};
use crate::schema::Row;
use crate::value::Value;
use std::cmp::Ordering;

/// A row and what it is sorted by.
type Keyed = (Vec<Value>, Row);

fn compare(a: &Value, b: &Value, key: &SortKey) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if key.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if key.nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if key.ascending => a.order(b),
        _ => b.order(a),
    }
}

fn by(keys: &[SortKey]) -> impl Fn(&Keyed, &Keyed) -> Ordering {
    move |a, b| {
        let pairs = a.0.iter().zip(&b.0).zip(keys);
        pairs.map(|((a, b), key)| compare(a, b, key)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }
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
    key: &SortKey,
    run: &RunState<'_>,
) -> Result<Rows<'a>, RunError> {
    let count = super::whole(count, "top", run)?;
    let keys = std::slice::from_ref(key);
    let mut best: Vec<Keyed> = Vec::new();
    // Twice the rows asked for are held, then cut: each row is sorted a few times at most.
    let room = count.saturating_mul(2).max(16);
    let mut held = 0;
    for row in rows {
        let row = row?;
        if best.len() == held {
            run.hold("top", 1, row_size(&row))?;
            held += 1;
        }
        best.push((vec![key.expr.eval(&row, run)], row));
        if best.len() >= room {
            best.sort_by(by(keys));
            best.truncate(count);
        }
    }
    best.sort_by(by(keys));
    best.truncate(count);
    Ok(Box::new(best.into_iter().map(|(_, row)| Ok(row))))
}
