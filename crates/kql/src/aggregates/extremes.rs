//! The least, the greatest, and the rows that have them; any row.

use super::{ANY, Accumulator, Aggregate, Made, Shape, TEST, boxed};
use crate::functions::{Args, Gives, Prepare, Signature, Takes};
use crate::value::{Type, Value};
use std::cmp::Ordering::{self, Greater, Less};

const EXTREME: &[Signature] =
    &[Signature::new(&[Takes::Orderable], Type::Long).giving(Gives::First)];
const EXTREME_IF: &[Signature] =
    &[Signature::new(&[Takes::Orderable, TEST], Type::Long).giving(Gives::First)];
const ROW: &[Signature] = &[Signature::new(&[ANY], Type::Long).up_to(32_767).giving(Gives::First)];
const ROW_IF: &[Signature] = &[Signature::new(&[ANY, TEST], Type::Long).giving(Gives::First)];
const BEST: &[Signature] = &[Signature::new(&[Takes::Orderable, ANY], Type::Long)
    .from(1)
    .up_to(32_767)
    .giving(Gives::First)];

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of("min", "min", EXTREME, |_| extreme(None, Less)),
    Aggregate::of("max", "max", EXTREME, |_| extreme(None, Greater)),
    Aggregate::of("minif", "minif", EXTREME_IF, |_| extreme(Some(1), Less)),
    Aggregate::of("maxif", "maxif", EXTREME_IF, |_| extreme(Some(1), Greater)),
    Aggregate::of("take_any", "", ROW, any).named_as_its_argument().shaped(Shape::Each),
    Aggregate::of("any", "any", ROW, any).shaped(Shape::Each),
    Aggregate::of("take_anyif", "", ROW_IF, any_if).named_as_its_argument(),
    Aggregate::of("anyif", "anyif", ROW_IF, any_if),
    Aggregate::of("arg_max", "", BEST, |_| best(Greater))
        .named_as_its_argument()
        .shaped(Shape::Extreme),
    Aggregate::of("arg_min", "", BEST, |_| best(Less))
        .named_as_its_argument()
        .shaped(Shape::Extreme),
    Aggregate::of("argmax", "max", BEST, |_| best(Greater)).shaped(Shape::Extreme),
    Aggregate::of("argmin", "min", BEST, |_| best(Less)).shaped(Shape::Extreme),
];

fn extreme(test: Option<usize>, wanted: Ordering) -> Made {
    boxed(test, move || Extreme { wanted, best: Value::Null })
}

/// Null does not compete.
struct Extreme {
    wanted: Ordering,
    best: Value,
}

impl Accumulator for Extreme {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        if !value.is_null() && (self.best.is_null() || value.order(&self.best) == self.wanted) {
            self.best = value.clone();
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![std::mem::replace(&mut self.best, Value::Null)]
    }
}

fn any(prepare: &Prepare<'_>) -> Made {
    let single = prepare.types.len() == 1;
    boxed(None, move || Any { single, row: None })
}

fn any_if(_: &Prepare<'_>) -> Made {
    boxed(Some(1), || Any { single: true, row: None })
}

/// The first row; of one column the first value that is neither null nor empty, where there is one.
struct Any {
    single: bool,
    row: Option<Vec<Value>>,
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

impl Accumulator for Any {
    fn add(&mut self, args: &[Value]) -> usize {
        let better = self
            .row
            .as_deref()
            .is_none_or(|row| self.single && is_empty(row.value(0)) && !is_empty(args.value(0)));
        if better {
            self.row = Some(args.to_vec());
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        self.row.take().unwrap_or_default()
    }
}

fn best(wanted: Ordering) -> Made {
    boxed(None, move || Best { wanted, row: None })
}

/// The first row of the extreme; rows without a value do not compete, but the first one stands in for them.
struct Best {
    wanted: Ordering,
    row: Option<Vec<Value>>,
}

impl Accumulator for Best {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        let better = self.row.as_deref().is_none_or(|row| {
            let best = row.value(0);
            !value.is_null() && (best.is_null() || value.order(best) == self.wanted)
        });
        if better {
            self.row = Some(args.to_vec());
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        self.row.take().unwrap_or_default()
    }
}
