//! `mv-apply` and `partition`: operators over one part of a table after the other.

use super::expand::Elements;
use super::open;
use crate::plan::stages::{Apply, Expand, Part, Split};
use crate::plan::{Expr, Node, Rows, RunError, RunState, row_size};
use crate::schema::Row;
use crate::value::{Key, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// The row a part is made of, where it is one row, and the rows of the part.
type Parts<'a> = Box<dyn Iterator<Item = Result<(Row, Vec<Row>), RunError>> + 'a>;

pub(super) fn run<'a>(apply: &'a Apply, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let mut parts = match &apply.split {
        Split::Elements(expand) => by_row(&apply.input, expand, run),
        Split::Keys(key, most) => by_key(&apply.input, key, *most, run),
    };
    let run = Rc::clone(run);
    let mut current: Option<(Row, Rows<'a>)> = None;
    Box::new(std::iter::from_fn(move || {
        loop {
            if let Some((outer, rows)) = &mut current
                && let Some(inner) = rows.next()
            {
                return Some(inner.map(|inner| joined(outer, &inner, &apply.places)));
            }
            current = match parts.next()? {
                Ok((outer, rows)) => {
                    run.lend(apply.part.id(), rows);
                    Some((outer, open(&apply.body, &run)))
                }
                Err(error) => return Some(Err(error)),
            };
        }
    }))
}

pub(super) fn joined(outer: &[Value], inner: &[Value], places: &[Part]) -> Row {
    let value = |place: &Part| match place {
        Part::Outer(at) => outer.get(*at).cloned(),
        Part::Inner(at) => inner.get(*at).cloned(),
    };
    places.iter().map(|place| Value::from(value(place))).collect()
}

/// The elements of each row; a row without any is no part.
fn by_row<'a>(input: &'a Node, expand: &'a Expand, run: &Rc<RunState<'a>>) -> Parts<'a> {
    let rows = open(input, run);
    let run = Rc::clone(run);
    let part = move |row: Row| {
        let mut elements = Elements::of(row.clone(), expand, &run)?;
        let mut part = Vec::new();
        while let Some(element) = elements.next(expand) {
            run.step("mv-apply")?;
            part.push(element);
        }
        Ok((row, part))
    };
    let parts = rows.map(move |row| row.and_then(&part));
    Box::new(parts.filter(|part| part.as_ref().map_or(true, |(_, rows)| !rows.is_empty())))
}

fn by_key<'a>(input: &'a Node, key: &'a Expr, most: usize, run: &Rc<RunState<'a>>) -> Parts<'a> {
    let run = Rc::clone(run);
    let gather = move || {
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut parts: Vec<(Row, Vec<Row>)> = Vec::new();
        for row in open(input, &run) {
            let row = row?;
            run.hold("partition", 1, row_size(&row))?;
            let place = *places.entry(key.eval(&row, &run).key()).or_insert(parts.len());
            match parts.get_mut(place) {
                Some((_, rows)) => rows.push(row),
                None if place >= most => {
                    return Err(RunError::Value {
                        operator: "partition",
                        problem: "more than 64 partitions: put `hint.strategy=native` before `by`",
                    });
                }
                None => parts.push((Row::new(), vec![row])),
            }
        }
        Ok(parts)
    };
    let mut gather = Some(gather);
    let mut parts = Vec::new().into_iter();
    Box::new(std::iter::from_fn(move || {
        if let Some(gather) = gather.take() {
            match gather() {
                Ok(gathered) => parts = gathered.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        parts.next().map(Ok)
    }))
}
