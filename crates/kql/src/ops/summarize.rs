//! `summarize`: one accumulator per aggregate and group.

use super::slices;
use crate::aggregates::Accumulator;
use crate::plan::{AggregateCall, Expr, Node, Rows, RunError, RunState, row_size};
use crate::schema::Row;
use crate::value::{Key, Value};
use std::collections::HashMap;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

pub(crate) struct Group {
    key: Vec<Key>,
    keys: Row,
    states: Vec<Box<dyn Accumulator>>,
}

/// What to sum up, and how.
#[derive(Clone, Copy)]
pub(super) struct Sum<'a> {
    pub(super) input: &'a Arc<Node>,
    pub(super) keys: &'a [Expr],
    pub(super) calls: &'a [AggregateCall],
    pub(super) results: &'a [Expr],
}

/// Groups in the order in which they first occur.
pub(crate) struct Groups<'a> {
    sum: Sum<'a>,
    places: HashMap<Vec<Key>, usize>,
    all: Vec<Group>,
    // Both are filled anew for each row: most rows belong to a group that is known.
    key: Vec<Key>,
    args: Row,
}

impl<'a> Groups<'a> {
    pub(super) fn new(sum: Sum<'a>) -> Self {
        let (key, args) = (Vec::with_capacity(sum.keys.len()), Row::new());
        Self { sum, places: HashMap::new(), all: Vec::new(), key, args }
    }

    fn states(&self) -> Vec<Box<dyn Accumulator>> {
        self.sum.calls.iter().map(|call| (call.factory)()).collect()
    }

    /// The place of the group that `self.key` tells.
    fn place(&mut self, keys: impl FnOnce() -> Row, run: &RunState<'_>) -> Result<usize, RunError> {
        if let Some(place) = self.places.get(self.key.as_slice()) {
            return Ok(*place);
        }
        let keys = keys();
        let states = self.states();
        let size = row_size(&keys).saturating_mul(2).saturating_add(64 * states.len());
        run.hold("summarize", 1, size)?;
        let place = self.all.len();
        self.places.insert(self.key.clone(), place);
        self.all.push(Group { key: self.key.clone(), keys, states });
        Ok(place)
    }

    pub(super) fn add(&mut self, rows: Rows<'_>, run: &RunState<'_>) -> Result<(), RunError> {
        let Sum { keys, calls, .. } = self.sum;
        for row in rows {
            let row = row?;
            self.key.clear();
            self.key.extend(keys.iter().map(|k| k.look(&row, run).key()));
            let place = self.place(|| keys.iter().map(|k| k.eval(&row, run)).collect(), run)?;
            let Some(group) = self.all.get_mut(place) else { continue };
            for (state, call) in group.states.iter_mut().zip(calls) {
                let held = match call.args.as_slice() {
                    [] => state.add(&[]),
                    [arg] => state.add(slice::from_ref(&*arg.look(&row, run))),
                    several => {
                        self.args.clear();
                        self.args.extend(several.iter().map(|a| a.eval(&row, run)));
                        state.add(&self.args)
                    }
                };
                if held > 0 {
                    run.hold("summarize", 1, held)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the groups of later rows.
    pub(super) fn merge(&mut self, later: &[Group], run: &RunState<'_>) -> Result<(), RunError> {
        for group in later {
            self.key.clone_from(&group.key);
            let place = self.place(|| group.keys.clone(), run)?;
            let Some(known) = self.all.get_mut(place) else { continue };
            for (state, later) in known.states.iter_mut().zip(&group.states) {
                let held = later.state().map_or(0, |later| state.merge(later));
                if held > 0 {
                    run.hold("summarize", 1, held)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn into_groups(self) -> Vec<Group> {
        self.all
    }

    fn rows(mut self, run: &Rc<RunState<'a>>) -> Rows<'a> {
        let Sum { keys, calls, results, .. } = self.sum;
        if self.all.is_empty() && keys.is_empty() && !results.is_empty() {
            let states = self.states();
            self.all.push(Group { key: Vec::new(), keys: Vec::new(), states });
        }
        let run = Rc::clone(run);
        Box::new(self.all.into_iter().map(move |mut group| {
            let mut row = group.keys;
            for (state, call) in group.states.iter_mut().zip(calls) {
                let mut values = state.finish().into_iter();
                row.extend(call.types.iter().map(|ty| match values.next() {
                    Some(Value::Null) | None => ty.missing(),
                    Some(value) => value,
                }));
            }
            Ok(results.iter().map(|r| r.eval(&row, &run)).collect())
        }))
    }
}

pub(super) fn run<'a>(
    node: &'a Node,
    sum: Sum<'a>,
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    let mut groups = Groups::new(sum);
    if !slices::add(node, sum, &mut groups, run)? {
        groups.add(super::open(sum.input, run), run)?;
    }
    Ok(groups.rows(run))
}
