//! `top-nested`: the rows of each key of a level, the top keys only, level after level.

use super::{open, order};
use crate::plan::stages::{Level, TopNested};
use crate::plan::{Node, Rows, RunError, RunState, row_size};
use crate::schema::Row;
use crate::value::{Key, Value};
use std::collections::HashMap;
use std::rc::Rc;

pub(super) fn run<'a>(
    input: &'a Node,
    top: &'a TopNested,
    run: &Rc<RunState<'a>>,
) -> Result<Rows<'a>, RunError> {
    let mut all = Vec::new();
    for row in open(input, run) {
        let row = row?;
        run.hold("top-nested", 1, row_size(&row))?;
        all.push(row);
    }
    let rows: Vec<&Row> = all.iter().collect();
    let mut found = Vec::new();
    nested(&rows, &top.levels, &mut Row::new(), &mut found, run)?;
    Ok(Box::new(found.into_iter().map(Ok)))
}

/// A key, the rows that have it and what they measure.
struct Group<'r> {
    key: Value,
    rows: Vec<&'r Row>,
    measure: Value,
}

fn nested(
    rows: &[&Row],
    levels: &[Level],
    above: &mut Row,
    found: &mut Vec<Row>,
    run: &RunState<'_>,
) -> Result<(), RunError> {
    let Some((level, below)) = levels.split_first() else {
        run.hold("top-nested", 1, row_size(above))?;
        found.push(above.clone());
        return Ok(());
    };
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows {
        run.step("top-nested")?;
        let key = level.key.eval(row, run);
        let place = *places.entry(key.key()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { key, rows: vec![row], measure: Value::Null }),
        }
    }
    for group in &mut groups {
        group.measure = measure(&group.rows, level, run)?;
    }
    groups.sort_by(|a, b| order::compare(&a.measure, &b.measure, &level.measure));
    let count = match &level.count {
        Some(count) => super::whole(count, "top-nested", run)?,
        None => groups.len(),
    };
    let rest = groups.split_off(count.min(groups.len()));
    if let Some(others) = &level.others {
        let rows: Vec<&Row> = rest.into_iter().flat_map(|group| group.rows).collect();
        if !rows.is_empty() {
            let measure = measure(&rows, level, run)?;
            groups.push(Group { key: others.clone(), rows, measure });
        }
    }
    for group in groups {
        above.extend([group.key, group.measure]);
        nested(&group.rows, below, above, found, run)?;
        above.truncate(above.len().saturating_sub(2));
    }
    Ok(())
}

fn measure(rows: &[&Row], level: &Level, run: &RunState<'_>) -> Result<Value, RunError> {
    let mut results = Row::new();
    for call in &level.calls {
        let mut state = (call.factory)();
        for row in rows {
            let args: Row = call.args.iter().map(|arg| arg.eval(row, run)).collect();
            let held = state.add(&args);
            if held > 0 {
                run.hold("top-nested", 1, held)?;
            }
        }
        let mut values = state.finish().into_iter();
        results.extend(call.types.iter().map(|ty| match values.next() {
            Some(Value::Null) | None => ty.missing(),
            Some(value) => value,
        }));
    }
    Ok(level.measure.expr.eval(&results, run))
}
