//! `mv-expand`: a row for each element.

use super::open;
use crate::num;
use crate::plan::stages::{Expand, ExpandPlace};
use crate::plan::{Node, Rows, RunError, RunState};
use crate::schema::Row;
use crate::time;
use crate::value::{Type, Value, parse_guid};
use serde_json::Value as Json;
use std::rc::Rc;

pub(super) fn run<'a>(input: &'a Node, expand: &'a Expand, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let mut rows = open(input, run);
    let run = Rc::clone(run);
    let mut current: Option<Elements> = None;
    Box::new(std::iter::from_fn(move || {
        loop {
            if let Some(row) = current.as_mut().and_then(|c| c.next(expand)) {
                return Some(run.step("mv-expand").map(|()| row));
            }
            current = match rows.next()? {
                Ok(row) => match Elements::of(row, expand, &run) {
                    Ok(elements) => Some(elements),
                    Err(error) => return Some(Err(error)),
                },
                Err(error) => return Some(Err(error)),
            };
        }
    }))
}

/// The rows that one row becomes.
pub(super) struct Elements {
    row: Row,
    items: Vec<std::vec::IntoIter<Value>>,
    at: usize,
    count: usize,
}

impl Elements {
    pub(super) fn of(row: Row, expand: &Expand, run: &RunState<'_>) -> Result<Self, RunError> {
        let limit = match &expand.limit {
            Some(limit) => super::whole(limit, "mv-expand", run)?,
            None => usize::MAX,
        };
        let items: Vec<_> = expand
            .items
            .iter()
            .map(|(expr, ty)| elements(&expr.eval(&row, run), *ty, expand.pairs, limit).into_iter())
            .collect();
        let count = items.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        Ok(Self { row, items, at: 0, count })
    }

    pub(super) fn next(&mut self, expand: &Expand) -> Option<Row> {
        if self.at >= self.count {
            return None;
        }
        let mut elements: Vec<Value> = self
            .items
            .iter_mut()
            .zip(&expand.items)
            .map(|(item, (_, ty))| item.next().unwrap_or_else(|| ty.missing()))
            .collect();
        let at = num::len_to_long(self.at);
        self.at += 1;
        let last = self.at >= self.count;
        let values = expand.places.iter().map(|place| match place {
            ExpandPlace::Input(at) => match self.row.get_mut(*at) {
                Some(value) if last => std::mem::replace(value, Value::Null),
                Some(value) => value.clone(),
                None => Value::Null,
            },
            ExpandPlace::Item(at) => {
                elements.get_mut(*at).map_or(Value::Null, |v| std::mem::replace(v, Value::Null))
            }
            ExpandPlace::Index => Value::Long(at),
        });
        Some(values.collect())
    }
}

/// The elements of an array, the properties of a bag, or the value itself; of nothing, one that is nothing.
fn elements(value: &Value, ty: Type, pairs: bool, limit: usize) -> Vec<Value> {
    let Value::Dynamic(json) = value else {
        return vec![ty.missing(); limit.min(1)];
    };
    match &**json {
        Json::Array(items) => items.iter().take(limit).map(|item| cast(item, ty)).collect(),
        Json::Object(bag) => bag
            .iter()
            .take(limit)
            .map(|(name, value)| {
                let property = if pairs {
                    Json::Array(vec![Json::from(name.as_str()), value.clone()])
                } else {
                    Json::Object([(name.clone(), value.clone())].into_iter().collect())
                };
                cast(&property, ty)
            })
            .collect(),
        other => vec![cast(other, ty); limit.min(1)],
    }
}

/// An element as a value of a type. Texts are read as times and guids, not as numbers.
fn cast(json: &Json, ty: Type) -> Value {
    let text = json.as_str();
    let value = match ty {
        Type::Dynamic => return Value::from_json(json.clone()),
        Type::String => return Value::String(Value::from_json(json.clone()).text()),
        Type::Bool => json.as_bool().or_else(|| json.as_i64().map(|n| n != 0)).map(Value::Bool),
        Type::Long => whole(json).map(Value::Long),
        Type::Int => whole(json).and_then(|n| i32::try_from(n).ok()).map(Value::Int),
        Type::Real => json.as_f64().map(Value::Real),
        Type::Datetime => text
            .filter(|text| text.as_bytes().get(4) == Some(&b'-'))
            .and_then(time::parse_datetime)
            .map(Value::Datetime),
        Type::Guid => text.and_then(parse_guid).map(Value::Guid),
        // Refused by the binder.
        Type::Timespan | Type::Decimal => None,
    };
    Value::from(value)
}

fn whole(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_f64().and_then(num::real_to_long))
}
