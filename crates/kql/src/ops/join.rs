//! `join` and `lookup`: the right side is held by key, the left side streams past it. A left side without rows, or
//! whose every key has been met, needs no more of the right.

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

/// Keys that are looked for one by one.
const PROBES: usize = 64;

impl Sides<'_> {
    /// The values of a left row's key.
    fn values(&self, row: &Row, run: &RunState<'_>) -> Vec<Value> {
        self.keys.iter().map(|(left, _)| left.eval(row, run)).collect()
    }

    /// What the right side's columns have to be for a row to meet one of these keys, as far as those are texts as they stand.
    fn texts(&self, keys: &[Vec<Value>]) -> Option<Vec<Texts>> {
        let texts = self.keys.iter().enumerate().filter_map(|(at, (_, right))| {
            let Expr::Column(column) = right else { return None };
            if self.right.schema.columns.get(*column)?.ty != Type::String {
                return None;
            }
            let values = keys.iter().map(|values| match values.get(at) {
                Some(Value::String(text)) => Some(Arc::clone(text)),
                _ => None,
            });
            Some(Texts { column: *column, any_of: Arc::new(values.collect::<Option<_>>()?) })
        });
        let texts: Vec<Texts> = texts.collect();
        (!texts.is_empty()).then_some(texts)
    }
}

/// Those of the left rows' keys that the right side has, looked for one by one: the first row of each is enough. Nothing
/// where they are too many for that, or not to be looked for.
fn probe<'a, 'r>(
    left: impl Iterator<Item = (&'r Row, &'r Vec<Key>)>,
    sides: &Sides<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<Option<HashSet<Vec<Key>>>, RunError> {
    let mut keys: HashMap<&Vec<Key>, Vec<Texts>> = HashMap::new();
    for (row, key) in left {
        if keys.contains_key(key) {
            continue;
        }
        let Some(texts) = sides.texts(&[sides.values(row, run)]) else { return Ok(None) };
        keys.insert(key, texts);
        if keys.len() > PROBES {
            return Ok(None);
        }
    }
    let mut met = HashSet::new();
    for (key, texts) in keys {
        let narrowing = run.narrow(sides.right, &texts);
        let found = meets(key, sides, run);
        run.widen(narrowing);
        if found? {
            met.insert(key.clone());
        }
    }
    Ok(Some(met))
}

/// Whether the right side has a row of this key.
fn meets<'a>(wanted: &[Key], sides: &Sides<'a>, run: &Rc<RunState<'a>>) -> Result<bool, RunError> {
    let mut key = Vec::with_capacity(wanted.len());
    for row in super::open(sides.right, run) {
        fill(&mut key, sides.keys.iter().map(|(_, k)| k), &row?, run);
        if key == wanted {
            return Ok(true);
        }
    }
    Ok(false)
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
    let lone_right = !matches!(kind, JoinKind::InnerUnique | JoinKind::Inner | JoinKind::LeftOuter);
    if left.peek().is_none() && !lone_right {
        return Ok(Box::new(std::iter::empty()));
    }
    let (mut first, mut narrowing) = (Vec::new(), None);
    if run.tables.seeks() && !lone_right {
        while first.len() < FEW && left.peek().is_some_and(Result::is_ok) {
            let Some(row) = left.next().transpose()? else { break };
            run.hold("join", 1, row_size(&row))?;
            first.push(row);
        }
        if left.peek().is_none() {
            let values: Vec<Vec<Value>> = first.iter().map(|row| sides.values(row, run)).collect();
            narrowing = sides.texts(&values).map(|texts| run.narrow(sides.right, &texts));
        }
    }
    let mut left = first.into_iter().map(Ok).chain(left);
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
    if let Some(narrowing) = narrowing {
        run.widen(narrowing);
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
    if ended
        && run.tables.seeks()
        && let Some(met) = probe(first.iter().map(|(row, key)| (row, key)), &sides, run)?
    {
        let rows = first.into_iter().filter(move |(_, key)| met.contains(key) == wanted);
        return Ok(Box::new(rows.map(|(row, _)| Ok(row))));
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
