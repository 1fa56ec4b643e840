//! The schema that all values of a group fit.

use super::{Accumulator, Aggregate, boxed};
use crate::functions::{Args, Signature, Takes};
use crate::value::{Type, Value};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

pub(super) const AGGREGATES: &[Aggregate] = &[Aggregate::of(
    "buildschema",
    "schema",
    &[Signature::new(&[Takes::Bag], Type::Dynamic)],
    |_| boxed(None, Schema::default),
)];

/// What the items of an array are called.
const ITEMS: &str = "`indexer`";

/// The forms that a value has, in the order of their first appearance.
#[derive(Default)]
struct Schema {
    plain: Vec<&'static str>,
    /// Before how many of the plain forms the container is.
    container: Option<(usize, Box<Container>)>,
}

#[derive(Default)]
struct Container {
    places: HashMap<String, usize>,
    inner: Vec<(String, Schema)>,
}

impl Container {
    fn inner(&mut self, name: &str) -> (Option<&mut Schema>, usize) {
        let mut held = 0;
        let at = if let Some(at) = self.places.get(name) {
            *at
        } else {
            held = name.len() * 2 + 160;
            self.places.insert(name.to_owned(), self.inner.len());
            self.inner.push((name.to_owned(), Schema::default()));
            self.inner.len() - 1
        };
        (self.inner.get_mut(at).map(|(_, schema)| schema), held)
    }
}

impl Schema {
    /// Takes a value; the bytes of memory that it newly holds.
    fn take(&mut self, json: &Json) -> usize {
        let form = match json {
            Json::Null => return 0,
            Json::Bool(_) => "bool",
            Json::Number(n) if n.is_f64() => "double",
            Json::Number(_) => "long",
            Json::String(_) => "string",
            Json::Array(items) => {
                let container = self.container();
                return items.iter().map(|item| container.take(ITEMS, item)).sum();
            }
            Json::Object(bag) => {
                let container = self.container();
                return bag.iter().map(|(name, item)| container.take(name, item)).sum();
            }
        };
        if !self.plain.contains(&form) {
            self.plain.push(form);
        }
        0
    }

    fn container(&mut self) -> &mut Container {
        &mut self.container.get_or_insert_with(|| (self.plain.len(), Box::default())).1
    }

    fn shown(&self) -> Json {
        let mut forms: Vec<Json> = self.plain.iter().map(|form| Json::from(*form)).collect();
        if let Some((at, container)) = &self.container {
            let inner = container.inner.iter().map(|(name, schema)| (name.clone(), schema.shown()));
            forms.insert((*at).min(forms.len()), Json::Object(inner.collect::<Map<_, _>>()));
        }
        match forms.len() {
            0 => Json::Null,
            1 => forms.swap_remove(0),
            _ => Json::Array(forms),
        }
    }
}

impl Container {
    fn take(&mut self, name: &str, item: &Json) -> usize {
        let (schema, held) = self.inner(name);
        held + schema.map_or(0, |schema| schema.take(item))
    }
}

impl Accumulator for Schema {
    fn add(&mut self, args: &[Value]) -> usize {
        args.json(0).map_or(0, |json| self.take(json))
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::from_json(self.shown())]
    }
}
