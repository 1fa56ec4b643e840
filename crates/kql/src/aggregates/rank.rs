//! Percentiles: the value of the nearest rank. The service estimates where there are many values.

use super::{ANY, Accumulator, Aggregate, Made, Shape, boxed, first_type};
use crate::functions::{Args, Gives, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Type, Value};
use serde_json::Value as Json;

const MANY: usize = 32_768;
const ONE: &[Signature] = &[Signature::new(&[ANY, Takes::Number], Type::Long).giving(Gives::First)];
const SOME: &[Signature] =
    &[Signature::new(&[ANY, Takes::Number], Type::Long).up_to(MANY).giving(Gives::First)];
const ARRAY: &[Signature] = &[
    Signature::new(&[ANY, Takes::Number], Type::Dynamic).up_to(MANY),
    Signature::new(&[ANY, Takes::Is(Type::Dynamic)], Type::Dynamic),
];
const WEIGHTED: &[Signature] =
    &[Signature::new(&[ANY, Takes::Integer, Takes::Number], Type::Long).giving(Gives::First)];
const SOME_WEIGHTED: &[Signature] =
    &[Signature::new(&[ANY, Takes::Integer, Takes::Number], Type::Long)
        .up_to(MANY)
        .giving(Gives::First)];
const ARRAY_WEIGHTED: &[Signature] = &[
    Signature::new(&[ANY, Takes::Integer, Takes::Number], Type::Dynamic).up_to(MANY),
    Signature::new(&[ANY, Takes::Integer, Takes::Is(Type::Dynamic)], Type::Dynamic),
];

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of("percentile", "percentile", ONE, |p| ranks(p, 1, false)).shaped(Shape::Ranks(1)),
    Aggregate::of("percentiles", "percentile", SOME, |p| ranks(p, 1, false))
        .shaped(Shape::Ranks(1)),
    Aggregate::of("percentiles_array", "percentiles", ARRAY, |p| ranks(p, 1, true)),
    Aggregate::of("percentilew", "percentile", WEIGHTED, |p| ranks(p, 2, false))
        .shaped(Shape::Ranks(2)),
    Aggregate::of("percentilesw", "percentile", SOME_WEIGHTED, |p| ranks(p, 2, false))
        .shaped(Shape::Ranks(2)),
    Aggregate::of("percentilesw_array", "percentiles", ARRAY_WEIGHTED, |p| ranks(p, 2, true)),
];

/// The type of a percentile of values of a type.
pub(super) fn result_type(ty: Type) -> Type {
    match ty {
        Type::Int => Type::Long,
        Type::Decimal => Type::Real,
        other => other,
    }
}

/// How the percentile is called in a column's name.
pub(super) fn label(percentile: Option<&Value>) -> String {
    let text = match percentile {
        Some(Value::Real(v)) => v.to_string(),
        Some(value) => value.text().to_string(),
        None => String::new(),
    };
    text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

fn ranks(prepare: &Prepare<'_>, from: usize, array: bool) -> Made {
    let ty = first_type(prepare);
    let countable = ty.is_number() || matches!(ty, Type::Datetime | Type::Timespan);
    if !countable {
        return Err(Refusal::Unsupported(format!("percentiles of {ty}")));
    }
    let mut wanted = Vec::new();
    for (at, value) in prepare.consts.iter().enumerate().skip(from) {
        let percentiles = match value {
            None => {
                let message = "The expression must be a constant".to_owned();
                return Err(Refusal::Argument(at, "KS129", message));
            }
            Some(Value::Dynamic(json)) => {
                let items = json.as_array();
                items.map_or_else(|| vec![None], |items| items.iter().map(Json::as_f64).collect())
            }
            Some(value) => vec![value.as_real()],
        };
        for percentile in percentiles {
            let Some(percentile) = percentile.filter(|p| (0.0..=100.0).contains(p)) else {
                let message = "a percentile is a number from 0 to 100".to_owned();
                return Err(Refusal::Argument(at, crate::diagnostics::BAD_LITERAL, message));
            };
            wanted.push(percentile);
        }
    }
    boxed(None, move || Ranks {
        ty: result_type(ty),
        weighted: from == 2,
        array,
        wanted: wanted.clone(),
        values: Vec::new(),
    })
}

/// Of nothing: null, and an empty array.
struct Ranks {
    ty: Type,
    weighted: bool,
    array: bool,
    wanted: Vec<f64>,
    values: Vec<(Value, i64)>,
}

impl Accumulator for Ranks {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        let weight = if self.weighted { args.long(1).unwrap_or(0) } else { 1 };
        if value.is_null() || weight <= 0 || value.as_real().is_some_and(f64::is_nan) {
            return 0;
        }
        self.values.push((value.clone(), weight));
        size_of::<(Value, i64)>() * 2
    }

    fn finish(&mut self) -> Vec<Value> {
        self.values.sort_by(|(a, _), (b, _)| a.order(b));
        let mut below: i128 = 0;
        // The rank of the last of each value's copies.
        let last: Vec<i128> = self
            .values
            .iter()
            .map(|(_, weight)| {
                below += i128::from(*weight);
                below
            })
            .collect();
        let found = self.wanted.iter().map(|percentile| {
            let rank = rank(*percentile, below);
            let at = last.partition_point(|last| *last < rank);
            Value::from(self.values.get(at).map(|(value, _)| shown(value, self.ty)))
        });
        if self.array {
            let found = if self.values.is_empty() { Vec::new() } else { found.collect() };
            return vec![Value::from_json(found.iter().map(Value::to_json).collect())];
        }
        found.collect()
    }
}

fn shown(value: &Value, ty: Type) -> Value {
    match (value, ty) {
        (Value::Int(v), Type::Long) => Value::Long(i64::from(*v)),
        (Value::Decimal(v), Type::Real) => Value::Real(v.to_real()),
        _ => value.clone(),
    }
}

/// The rank, from one, of a percentile among so many.
fn rank(percentile: f64, count: i128) -> i128 {
    let rank = (percentile * num::wide_to_real(count) / 100.0).ceil();
    // The product may end a hair above the whole number it stands for.
    num::real_to_long(rank).map_or(count, i128::from).clamp(1, count.max(1))
}
