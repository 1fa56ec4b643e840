//! `summarize`: one accumulator per aggregate and group.

use crate::aggregates::Accumulator;
use crate::plan::{AggregateCall, Expr, Rows, RunError, RunState, row_size};
use crate::schema::Row;
use crate::value::{Key, Value};
use std::collections::HashMap;
use std::rc::Rc;

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
    for row in rows {
        let row = row?;
        let values: Row = keys.iter().map(|k| k.eval(&row, run)).collect();
        let key: Vec<Key> = values.iter().map(Value::key).collect();
        let at = *places.entry(key).or_insert(groups.len());
        if at == groups.len() {
            run.hold(
                "summarize",
                1,
                row_size(&values).saturating_mul(2).saturating_add(64 * calls.len()),
            )?;
            groups.push(group(values, calls));
        }
        let Some(group) = groups.get_mut(at) else { continue };
        for (state, call) in group.states.iter_mut().zip(calls) {
            let args: Vec<Value> = call.args.iter().map(|a| a.eval(&row, run)).collect();
            let held = state.add(&args);
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
