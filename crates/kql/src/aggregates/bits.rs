//! Bits of integers.

use super::{Accumulator, Aggregate, Made, boxed, first_type};
use crate::functions::{Args, Gives, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Type, Value};

const BITS: &[Signature] = &[Signature::new(&[Takes::Summable], Type::Long).giving(Gives::First)];

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of("binary_all_and", "", BITS, |p| bits(p, |a, b| a & b)).named_as_its_argument(),
    Aggregate::of("binary_all_or", "", BITS, |p| bits(p, |a, b| a | b)).named_as_its_argument(),
    Aggregate::of("binary_all_xor", "", BITS, |p| bits(p, |a, b| a ^ b)).named_as_its_argument(),
];

fn bits(prepare: &Prepare<'_>, join: fn(i64, i64) -> i64) -> Made {
    let ty = first_type(prepare);
    if !ty.is_integer() {
        return Err(Refusal::Unsupported(format!("the bits of a {ty}")));
    }
    boxed(None, move || Bits { join, value: None, int: ty == Type::Int })
}

/// Of nothing: null.
struct Bits {
    join: fn(i64, i64) -> i64,
    value: Option<i64>,
    int: bool,
}

impl Accumulator for Bits {
    fn add(&mut self, args: &[Value]) -> usize {
        if let Some(value) = args.long(0) {
            self.value = Some(self.value.map_or(value, |all| (self.join)(all, value)));
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        let wrap = |v| if self.int { Value::Int(num::wrap_int(v)) } else { Value::Long(v) };
        vec![Value::from(self.value.map(wrap))]
    }
}
