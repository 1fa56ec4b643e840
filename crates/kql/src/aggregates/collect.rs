//! Arrays and bags of a group's values.

use super::{ANY, Accumulator, Aggregate, Made, TEST, boxed};
use crate::functions::{Args, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Key, Type, Value};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

const INTEGER: Takes = Takes::Integer;
const VALUES: &[Signature] = &[Signature::new(&[ANY, INTEGER], Type::Dynamic).from(1)];
const VALUES_IF: &[Signature] = &[Signature::new(&[ANY, TEST, INTEGER], Type::Dynamic).from(2)];
const BAGS: &[Signature] = &[Signature::new(&[Takes::Bag, INTEGER], Type::Dynamic).from(1)];
const BAGS_IF: &[Signature] =
    &[Signature::new(&[Takes::Bag, TEST, INTEGER], Type::Dynamic).from(2)];

/// The service's own bound on what is collected.
const MAX_ELEMENTS: usize = 1_048_576;
/// The bound of the deprecated names.
const OLD_MAX_ELEMENTS: usize = 128;

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of("make_set", "set", VALUES, |p| set(p, None, MAX_ELEMENTS)),
    Aggregate::of("makeset", "set", VALUES, |p| set(p, None, OLD_MAX_ELEMENTS)),
    Aggregate::of("make_set_if", "set", VALUES_IF, |p| set(p, Some(1), MAX_ELEMENTS)),
    Aggregate::of("make_list", "list", VALUES, |p| list(p, None, MAX_ELEMENTS)),
    Aggregate::of("makelist", "list", VALUES, |p| list(p, None, OLD_MAX_ELEMENTS)),
    Aggregate::of("make_list_if", "list", VALUES_IF, |p| list(p, Some(1), MAX_ELEMENTS)),
    Aggregate::of("make_list_with_nulls", "list", &[Signature::new(&[ANY], Type::Dynamic)], |_| {
        boxed(None, || List { items: Vec::new(), max: MAX_ELEMENTS, nulls: true })
    }),
    Aggregate::of("make_bag", "bag", BAGS, |p| bag(p, None, MAX_ELEMENTS)),
    Aggregate::of("make_bag_if", "bag", BAGS_IF, |p| bag(p, Some(1), MAX_ELEMENTS)),
    Aggregate::of("make_dictionary", "dictionary", BAGS, |p| bag(p, None, OLD_MAX_ELEMENTS)),
];

/// The bound: the argument after the value and the test, where it is given.
fn max(prepare: &Prepare<'_>, test: Option<usize>, default: usize) -> Result<usize, Refusal> {
    let at = test.map_or(1, |test| test + 1);
    match prepare.consts.get(at) {
        None => Ok(default),
        Some(Some(max)) => Ok(max
            .as_long()
            .and_then(num::long_to_len)
            .filter(|max| (1..=MAX_ELEMENTS).contains(max))
            .unwrap_or(MAX_ELEMENTS)),
        Some(None) => {
            let message = "The expression must be a constant".to_owned();
            Err(Refusal::Argument(at, "KS129", message))
        }
    }
}

fn list(prepare: &Prepare<'_>, test: Option<usize>, default: usize) -> Made {
    let max = max(prepare, test, default)?;
    boxed(test, move || List { items: Vec::new(), max, nulls: false })
}

struct List {
    items: Vec<Json>,
    max: usize,
    nulls: bool,
}

impl Accumulator for List {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        if value.is_null() && !self.nulls || self.items.len() >= self.max {
            return 0;
        }
        self.items.push(value.to_json());
        value.size() * 2
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::from_json(Json::Array(std::mem::take(&mut self.items)))]
    }
}

fn set(prepare: &Prepare<'_>, test: Option<usize>, default: usize) -> Made {
    let max = max(prepare, test, default)?;
    boxed(test, move || Set { seen: HashSet::new(), items: Vec::new(), max })
}

/// In the order of the first of each value; the elements of arrays are values of their own.
struct Set {
    seen: HashSet<Key>,
    items: Vec<Json>,
    max: usize,
}

impl Set {
    fn take(&mut self, value: &Value) -> usize {
        if value.is_null() || self.items.len() >= self.max || !self.seen.insert(value.key()) {
            return 0;
        }
        self.items.push(value.to_json());
        value.size() * 2
    }
}

impl Accumulator for Set {
    fn add(&mut self, args: &[Value]) -> usize {
        match args.json(0) {
            Some(Json::Array(items)) => {
                items.iter().map(|item| self.take(&Value::from_json(item.clone()))).sum()
            }
            _ => self.take(args.value(0)),
        }
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::from_json(Json::Array(std::mem::take(&mut self.items)))]
    }
}

fn bag(prepare: &Prepare<'_>, test: Option<usize>, default: usize) -> Made {
    let max = max(prepare, test, default)?;
    boxed(test, move || Bag { properties: Map::new(), max })
}

/// The first value of each property; what is no bag is passed over.
struct Bag {
    properties: Map<String, Json>,
    max: usize,
}

impl Accumulator for Bag {
    fn add(&mut self, args: &[Value]) -> usize {
        let Some(Json::Object(properties)) = args.json(0) else { return 0 };
        let mut held = 0;
        for (name, value) in properties {
            if self.properties.len() >= self.max {
                break;
            }
            if !self.properties.contains_key(name) {
                held += name.len() + 64 + Value::from_json(value.clone()).size();
                self.properties.insert(name.clone(), value.clone());
            }
        }
        held
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::from_json(Json::Object(std::mem::take(&mut self.properties)))]
    }
}
