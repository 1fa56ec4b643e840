//! `summarize`: one accumulator per aggregate and group.

use crate::aggregates::Accumulator;
use crate::plan::{AggregateCall, Expr, Rows, RunError, RunState, row_size};
use crate::schema::Row;
use crate::value::{Key, Value};
use std::collections::HashMap;
use std::rc::Rc;
use std::slice;

struct Group {
    keys: Row,
    states: Vec<Box<dyn Accumulator>>,
}

fn group(keys: Row, calls: &[AggregateCall]) -> Group {
    Group { keys, states: calls.iter().map(|call| (call.factory)()).collect() }
}

pub(super) fn run<'a>(
    rows: Rows<'a>,
    keys: &'a [Expr],
    calls: &'a [AggregateCall],
    results: &'a [Expr],
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    let mut places: HashMap<Vec<Key>, usize> = HashMap::new();
    // Groups in the order in which they first occur.
    let mut groups: Vec<Group> = Vec::new();
    // Both are filled anew for each row: most rows belong to a group that is known.
    let mut key: Vec<Key> = Vec::with_capacity(keys.len());
    let mut args: Row = Row::new();
    for row in rows {
        let row = row?;
        key.clear();
        key.extend(keys.iter().map(|k| k.look(&row, run).key()));
        let at = places.get(key.as_slice()).copied().unwrap_or(groups.len());
        if at == groups.len() {
            let values: Row = keys.iter().map(|k| k.eval(&row, run)).collect();
            run.hold(
                "summarize",
                1,
                row_size(&values).saturating_mul(2).saturating_add(64 * calls.len()),
            )?;
            places.insert(key.clone(), at);
            groups.push(group(values, calls));
        }
        let Some(group) = groups.get_mut(at) else { continue };
        for (state, call) in group.states.iter_mut().zip(calls) {
            let held = match call.args.as_slice() {
                [] => state.add(&[]),
                [arg] => state.add(slice::from_ref(&*arg.look(&row, run))),
                several => {
                    args.clear();
                    args.extend(several.iter().map(|a| a.eval(&row, run)));
                    state.add(&args)
                }
            };
            if held > 0 {
                run.hold("summarize", 1, held)?;
            }
        }
    }
    if groups.is_empty() && keys.is_empty() && !results.is_empty() {
        groups.push(group(Vec::new(), calls));
    }
    let run = Rc::clone(run);
    Ok(Box::new(groups.into_iter().map(move |mut group| {
        let mut row = group.keys;
        for (state, call) in group.states.iter_mut().zip(calls) {
            let mut values = state.finish().into_iter();
            row.extend(call.types.iter().map(|ty| match values.next() {
                Some(Value::Null) | None => ty.missing(),
                Some(value) => value,
            }));
        }
        Ok(results.iter().map(|r| r.eval(&row, &run)).collect())
    })))
}
