//! `join` and `lookup`: the right side is held by key, the left side streams past it.

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

pub(super) fn run<'a>(
    kind: JoinKind,
    sides: Sides<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    let mut held = Held { rows: Vec::new(), matched: Vec::new(), by_key: HashMap::new() };
    for row in super::open(sides.right, run) {
        let row = row?;
        run.hold("join", 1, row_size(&row).saturating_mul(2))?;
        let key = sides.keys.iter().map(|(_, k)| k.eval(&row, run).key()).collect();
        held.by_key.entry(key).or_default().push(held.rows.len());
        held.rows.push(row);
        held.matched.push(false);
    }
    let mut left = super::open(sides.left, run);
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
            let key: Vec<Key> = sides.keys.iter().map(|(k, _)| k.eval(&row, &run).key()).collect();
            let hits = held.by_key.get(&key);
            match kind {
                JoinKind::LeftSemi if hits.is_some() => return Some(Ok(row)),
                JoinKind::LeftAnti if hits.is_none() => return Some(Ok(row)),
                JoinKind::LeftSemi | JoinKind::LeftAnti => continue,
                _ => {}
            }
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
                if seen.contains(&key) {
                    continue;
                }
                if let Err(error) = run.hold("join", 1, 64 * key.len()) {
                    return Some(Err(error));
                }
                seen.insert(key);
            }
            pending = Some((row, hits.clone(), 0));
        }
    })))
}
