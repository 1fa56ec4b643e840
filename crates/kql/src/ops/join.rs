//! `join` and `lookup`: the right side is held by key, the left side streams past it.
//!
//! Where right rows matter only beside left ones, the first left rows are read before: without any, the right side is
//! not read at all, and a table with an index ([`Tables::seeks`](crate::Tables::seeks)) is asked for their keys alone.

use crate::ast::JoinKind;
use crate::needs::Texts;
use crate::plan::{Expr, Node, Rows, RunError, RunState, row_size};
use crate::schema::{Row, Schema};
use crate::value::{Key, Type, Value};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) left: &'a Arc<Node>,
    pub(super) right: &'a Arc<Node>,
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

/// Rows of the left side that are read before the right side is.
const FIRST: usize = 1024;
/// Keys that are looked for one by one.
const PROBES: usize = 64;

/// The values of a row's key on the left side.
type KeyValues = Vec<Value>;

/// The first rows, and whether they are all.
fn first_rows(left: &mut Rows<'_>) -> Result<(Vec<Row>, bool), RunError> {
    let mut first = Vec::new();
    while first.len() < FIRST {
        match left.next() {
            Some(row) => first.push(row?),
            None => return Ok((first, true)),
        }
    }
    Ok((first, false))
}

fn left_key(row: &Row, keys: &[(Expr, Expr)], run: &RunState<'_>) -> Vec<Key> {
    keys.iter().map(|(left, _)| left.eval(row, run).key()).collect()
}

/// The keys of these rows, each once.
fn keys_of(rows: &[Row], sides: &Sides<'_>, run: &RunState<'_>) -> Vec<(Vec<Key>, KeyValues)> {
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for row in rows {
        let key = left_key(row, sides.keys, run);
        if seen.insert(key.clone()) {
            keys.push((key, sides.keys.iter().map(|(left, _)| left.eval(row, run)).collect()));
        }
    }
    keys
}

impl Sides<'_> {
    /// What the right side's columns have to be for a row to meet one of these keys, as far as they are texts as they stand.
    fn pushed(&self, keys: &[(Vec<Key>, KeyValues)]) -> Option<Vec<Texts>> {
        let texts = self.keys.iter().enumerate().filter_map(|(at, (_, right))| {
            let Expr::Column(column) = right else { return None };
            let of = self.right.schema.columns.get(*column)?;
            if of.ty != Type::String {
                return None;
            }
            let values = keys.iter().map(|(_, values)| match values.get(at) {
                Some(Value::String(text)) => Some(Arc::clone(text)),
                _ => None,
            });
            Some(Texts { column: *column, any_of: Arc::new(values.collect::<Option<_>>()?) })
        });
        let texts: Vec<Texts> = texts.collect();
        (!texts.is_empty()).then_some(texts)
    }
}

/// The keys that the right side has, looked for one by one: the first row of each is enough.
fn probe<'a>(
    keys: &[(Vec<Key>, KeyValues)],
    sides: &Sides<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<HashSet<Vec<Key>>, RunError> {
    let mut found = HashSet::new();
    for one in keys {
        let Some(texts) = sides.pushed(std::slice::from_ref(one)) else { continue };
        let narrowing = run.narrow(sides.right, &texts);
        let met = meets(&one.0, sides, run);
        run.widen(narrowing);
        if met? {
            found.insert(one.0.clone());
        }
    }
    Ok(found)
}

/// Whether the right side has a row of this key.
fn meets<'a>(key: &[Key], sides: &Sides<'a>, run: &Rc<RunState<'a>>) -> Result<bool, RunError> {
    for row in super::open(sides.right, run) {
        let row = row?;
        let mut values = sides.keys.iter().map(|(_, right)| right.eval(&row, run).key());
        if key.iter().all(|wanted| values.next().is_some_and(|value| value == *wanted)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The right side's rows, by key.
fn hold<'a>(sides: &Sides<'a>, run: &Rc<RunState<'a>>) -> Result<Held, RunError> {
    let mut held = Held { rows: Vec::new(), matched: Vec::new(), by_key: HashMap::new() };
    for row in super::open(sides.right, run) {
        let row = row?;
        run.hold("join", 1, row_size(&row).saturating_mul(2))?;
        let key = sides.keys.iter().map(|(_, k)| k.eval(&row, run).key()).collect();
        held.by_key.entry(key).or_default().push(held.rows.len());
        held.rows.push(row);
        held.matched.push(false);
    }
    Ok(held)
}

pub(super) fn run<'a>(
    kind: JoinKind,
    sides: Sides<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    let mut left = super::open(sides.left, run);
    let mut narrowing = None;
    if kind.drops_lone_right() {
        let (first, all) = first_rows(&mut left)?;
        if all && first.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let keys = (all && run.tables.seeks()).then(|| keys_of(&first, &sides, run));
        if let Some(keys) = keys {
            let semi = matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti);
            if semi && keys.len() <= PROBES && sides.pushed(&keys).is_some() {
                let found = probe(&keys, &sides, run)?;
                let keep = kind == JoinKind::LeftSemi;
                let run = Rc::clone(run);
                return Ok(Box::new(first.into_iter().map(Ok).filter(move |row| {
                    let Ok(row) = row else { return true };
                    found.contains(&left_key(row, sides.keys, &run)) == keep
                })));
            }
            narrowing = sides.pushed(&keys).map(|texts| run.narrow(sides.right, &texts));
        }
        left = Box::new(first.into_iter().map(Ok).chain(left));
    }
    let held = hold(&sides, run);
    if let Some(narrowing) = narrowing {
        run.widen(narrowing);
    }
    let mut held = held?;
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
