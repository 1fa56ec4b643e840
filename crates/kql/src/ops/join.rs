//! `join` and `lookup`: the right side is held by key, the left side streams past it. A left side without rows, or
//! whose every key has been met, needs no more of the right.

use crate::ast::JoinKind;
use crate::plan::{Expr, Node, Rows, RunError, RunState, row_size};
use crate::schema::{Row, Schema};
use crate::value::{Key, Value};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) left: &'a Node,
    pub(super) right: &'a Node,
    pub(super) keys: &'a [(Expr, Expr)],
    /// The right side's columns that the result has.
    pub(super) right_columns: &'a [usize],
}

struct Held {
    rows: Vec<Row>,
    matched: Vec<bool>,
    by_key: HashMap<Vec<Key>, Vec<usize>>,
}

fn missing(schema: &Schema) -> Row {
    schema.columns.iter().map(|c| c.ty.missing()).collect()
}

/// The key of a row, in a buffer that is used again.
fn fill<'a>(
    key: &mut Vec<Key>,
    exprs: impl Iterator<Item = &'a Expr>,
    row: &[Value],
    run: &RunState<'_>,
) {
    key.clear();
    key.extend(exprs.map(|expr| expr.look(row, run).key()));
}

pub(super) fn run<'a>(
    kind: JoinKind,
    sides: Sides<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    match kind {
        JoinKind::LeftSemi => return filter(sides, true, run),
        JoinKind::LeftAnti => return filter(sides, false, run),
        _ => {}
    }
    let mut left = super::open(sides.left, run).peekable();
    if left.peek().is_none()
        && matches!(kind, JoinKind::InnerUnique | JoinKind::Inner | JoinKind::LeftOuter)
    {
        return Ok(Box::new(std::iter::empty()));
    }
    let mut held = Held { rows: Vec::new(), matched: Vec::new(), by_key: HashMap::new() };
    let mut key = Vec::with_capacity(sides.keys.len());
    for row in super::open(sides.right, run) {
        let row = row?;
        run.hold("join", 1, row_size(&row).saturating_mul(2))?;
        fill(&mut key, sides.keys.iter().map(|(_, k)| k), &row, run);
        let place = held.rows.len();
        match held.by_key.get_mut(key.as_slice()) {
            Some(places) => places.push(place),
            None => {
                held.by_key.insert(key.clone(), vec![place]);
            }
        }
        held.rows.push(row);
        held.matched.push(false);
    }
    let run = Rc::clone(run);
    let nothing = missing(&sides.right.schema);
    let mut seen: HashSet<Vec<Key>> = HashSet::new();
    let pick = |row: &Row| -> Vec<Value> {
        sides.right_columns.iter().map(|at| row.get(*at).cloned().unwrap_or(Value::Null)).collect()
    };
    // The left row at hand and the right rows that still wait for it.
    let mut pending: Option<(Row, Vec<usize>, usize)> = None;
    let mut rest: Option<usize> = None;
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            if let Some(at) = rest {
                // The right rows that no left row met.
                let row = held.rows.get(at)?;
                rest = Some(at + 1);
                let matched = held.matched.get(at).copied().unwrap_or(false);
                match kind {
                    JoinKind::RightSemi if matched => return Some(Ok(row.clone())),
                    JoinKind::RightAnti if !matched => return Some(Ok(row.clone())),
                    JoinKind::RightOuter | JoinKind::FullOuter if !matched => {
                        let mut out = missing(&sides.left.schema);
                        out.extend(pick(row));
                        return Some(Ok(out));
                    }
                    _ => continue,
                }
            }
            if let Some((row, hits, next)) = &mut pending {
                if let Some(hit) = hits.get(*next).and_then(|at| held.rows.get(*at)) {
                    *next += 1;
                    if let Err(error) = run.step("join") {
                        return Some(Err(error));
                    }
                    let mut out = row.clone();
                    out.extend(pick(hit));
                    return Some(Ok(out));
                }
                pending = None;
            }
            let row = match left.next() {
                Some(Ok(row)) => row,
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    let right = matches!(
                        kind,
                        JoinKind::RightOuter
                            | JoinKind::FullOuter
                            | JoinKind::RightSemi
                            | JoinKind::RightAnti
                    );
                    if !right {
                        return None;
                    }
                    rest = Some(0);
                    continue;
                }
            };
            fill(&mut key, sides.keys.iter().map(|(k, _)| k), &row, &run);
            let hits = held.by_key.get(key.as_slice());
            let Some(hits) = hits else {
                if matches!(kind, JoinKind::LeftOuter | JoinKind::FullOuter) {
                    let mut out = row;
                    out.extend(pick(&nothing));
                    return Some(Ok(out));
                }
                continue;
            };
            for at in hits {
                if let Some(matched) = held.matched.get_mut(*at) {
                    *matched = true;
                }
            }
            if matches!(kind, JoinKind::RightSemi | JoinKind::RightAnti) {
                continue;
            }
            if kind == JoinKind::InnerUnique {
                if seen.contains(key.as_slice()) {
                    continue;
                }
                if let Err(error) = run.hold("join", 1, 64 * key.len()) {
                    return Some(Err(error));
                }
                seen.insert(key.clone());
            }
            pending = Some((row, hits.clone(), 0));
        }
    })))
}

/// Left rows that are held back until it is known which of their keys the right side has. With more of them, the right
/// side's keys are held instead.
const FEW: usize = 4_096;

/// The left rows whose key the right side has, or has not.
fn filter<'a>(
    sides: Sides<'a>,
    wanted: bool,
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    let mut left = super::open(sides.left, run);
    let mut first: Vec<(Row, Vec<Key>)> = Vec::new();
    let mut ended = false;
    while first.len() < FEW {
        let Some(row) = left.next().transpose()? else {
            ended = true;
            break;
        };
        run.hold("join", 1, row_size(&row))?;
        let mut key = Vec::with_capacity(sides.keys.len());
        fill(&mut key, sides.keys.iter().map(|(k, _)| k), &row, run);
        first.push((row, key));
    }
    let mut open: HashSet<&[Key]> = first.iter().map(|(_, key)| key.as_slice()).collect();
    let mut met: HashSet<Vec<Key>> = HashSet::new();
    let mut key = Vec::with_capacity(sides.keys.len());
    if !(ended && open.is_empty()) {
        for row in super::open(sides.right, run) {
            fill(&mut key, sides.keys.iter().map(|(_, k)| k), &row?, run);
            let known =
                if ended { !open.remove(key.as_slice()) } else { met.contains(key.as_slice()) };
            if !known {
                run.hold("join", 1, 64 * key.len())?;
                met.insert(key.clone());
                if ended && open.is_empty() {
                    break;
                }
            }
        }
    }
    let run = Rc::clone(run);
    let mut first = first.into_iter();
    Ok(Box::new(std::iter::from_fn(move || {
        for (row, key) in first.by_ref() {
            if met.contains(&key) == wanted {
                return Some(Ok(row));
            }
        }
        loop {
            let row = match left.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            fill(&mut key, sides.keys.iter().map(|(k, _)| k), &row, &run);
            if met.contains(key.as_slice()) == wanted {
                return Some(Ok(row));
            }
        }
    })))
}
