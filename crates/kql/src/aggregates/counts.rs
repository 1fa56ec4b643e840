//! How many rows, and how many different values.

use super::{ANY, Accumulator, Aggregate, TEST, boxed};
use crate::functions::{Args, Signature, Takes};
use crate::num;
use crate::value::{Key, Type, Value};
use std::any::Any;
use std::collections::HashSet;

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of(
        "count",
        "count",
        &[Signature::new(&[], Type::Long), Signature::new(&[ANY], Type::Long)],
        // Rows where a condition holds; of any other value, all rows.
        |p| boxed((p.types.first() == Some(&Type::Bool)).then_some(0), || Count(0)),
    ),
    Aggregate::of("countif", "countif", &[Signature::new(&[TEST], Type::Long)], |_| {
        boxed(Some(0), || Count(0))
    }),
    Aggregate::of(
        "dcount",
        "dcount",
        &[Signature::new(&[ANY, Takes::NotDynamic], Type::Long).from(1)],
        |_| boxed(None, Distinct::default),
    ),
    Aggregate::of(
        "dcountif",
        "dcountif",
        &[Signature::new(&[ANY, TEST, Takes::NotDynamic], Type::Long).from(2)],
        |_| boxed(Some(1), Distinct::default),
    ),
    Aggregate::of(
        "count_distinct",
        "count_distinct",
        &[Signature::new(&[Takes::NotDynamic], Type::Long)],
        |_| boxed(None, Distinct::default),
    ),
    Aggregate::of(
        "count_distinctif",
        "count_distinctif",
        &[Signature::new(&[Takes::NotDynamic, TEST], Type::Long)],
        |_| boxed(Some(1), Distinct::default),
    ),
];

struct Count(i64);

impl Accumulator for Count {
    fn add(&mut self, _: &[Value]) -> usize {
        self.0 += 1;
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::Long(self.0)]
    }

    fn state(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn merge(&mut self, later: &dyn Any) -> usize {
        let Some(Self(count)) = later.downcast_ref() else { return 0 };
        self.0 += count;
        0
    }
}

/// Exact, where the service estimates. Null is no value.
#[derive(Default)]
struct Distinct(HashSet<Key>);

impl Accumulator for Distinct {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        if !value.is_null() && self.0.insert(value.key()) { value.size() } else { 0 }
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::Long(num::len_to_long(self.0.len()))]
    }
}
