//! Series: arrays of numbers, computed item by item or as a whole.

use super::arrays::{made, same};
use super::{Args, Function, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Type, Value};
use serde_json::{Number, Value as Json, json};
use std::sync::Arc;

const ARRAY: Takes = Takes::Is(Type::Dynamic);
const NUMBER: Takes = Takes::Number;
const ANY: Takes = Takes::Scalar;
const BOOL: Takes = Takes::Is(Type::Bool);
const REAL: Takes = Takes::Is(Type::Real);
const ONE: &[Signature] = &[Signature::new(&[ARRAY], Type::Dynamic)];
const TO_REAL: &[Signature] = &[Signature::new(&[ARRAY], Type::Real)];
/// One of the two may be a number, which stands for an array of it.
const TWO: &[Signature] = &[
    Signature::new(&[ARRAY, ARRAY], Type::Dynamic),
    Signature::new(&[ARRAY, NUMBER], Type::Dynamic),
    Signature::new(&[NUMBER, ARRAY], Type::Dynamic),
];
const DOT: &[Signature] = &[
    Signature::new(&[ARRAY, ARRAY], Type::Real),
    Signature::new(&[ARRAY, NUMBER], Type::Real),
    Signature::new(&[NUMBER, ARRAY], Type::Real),
];
const STATS: &[Signature] = &[Signature::new(&[ARRAY, BOOL], Type::Dynamic).from(1)];
const FILL: &[Signature] = &[Signature::new(&[ARRAY, ANY], Type::Dynamic).from(1)];

/// What `series_stats` gives, a column each.
pub(crate) const STATISTICS: &[(&str, Type)] = &[
    ("min", Type::Real),
    ("min_idx", Type::Long),
    ("max", Type::Real),
    ("max_idx", Type::Long),
    ("avg", Type::Real),
    ("stdev", Type::Real),
    ("variance", Type::Real),
];

macro_rules! real {
    ($name:literal, $compute:expr) => {
        Function::plain($name, ONE, |args| {
            each(args, |n| n.as_f64().map($compute).map_or(Json::Null, real))
        })
    };
}

macro_rules! compare {
    ($name:literal, $op:tt) => {
        Function::plain($name, TWO, |args| {
            pairs(args, |a, b| match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => Json::from(a $op b),
                _ => Json::from(a.as_f64() $op b.as_f64()),
            })
        })
    };
}

macro_rules! arithmetic {
    ($name:literal, $whole:expr, $real:expr) => {
        Function::plain($name, TWO, |args| {
            pairs(args, |a, b| match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => Json::from($whole(a, b)),
                _ => reals(a, b, $real),
            })
        })
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    arithmetic!("series_add", i64::wrapping_add, |a, b| a + b),
    arithmetic!("series_subtract", i64::wrapping_sub, |a, b| a - b),
    arithmetic!("series_multiply", i64::wrapping_mul, |a, b| a * b),
    Function::plain("series_divide", TWO, |args| pairs(args, |a, b| reals(a, b, |a, b| a / b))),
    Function::plain("series_pow", TWO, |args| pairs(args, |a, b| reals(a, b, f64::powf))),
    compare!("series_equals", ==),
    compare!("series_not_equals", !=),
    compare!("series_less", <),
    compare!("series_less_equals", <=),
    compare!("series_greater", >),
    compare!("series_greater_equals", >=),
    Function::plain("series_abs", ONE, |args| {
        each(args, |n| match n.as_i64() {
            Some(whole) => Json::from(whole.wrapping_abs()),
            None => n.as_f64().map_or(Json::Null, |n| real(n.abs())),
        })
    }),
    Function::plain("series_sign", ONE, |args| {
        each(args, |n| match n.as_i64() {
            Some(whole) => Json::from(whole.signum()),
            None => n.as_f64().map_or(Json::Null, |n| real(if n == 0.0 { n } else { n.signum() })),
        })
    }),
    real!("series_ceiling", f64::ceil),
    real!("series_floor", f64::floor),
    real!("series_exp", f64::exp),
    real!("series_log", f64::ln),
    real!("series_sin", f64::sin),
    real!("series_cos", f64::cos),
    real!("series_tan", f64::tan),
    real!("series_asin", f64::asin),
    real!("series_acos", f64::acos),
    real!("series_atan", f64::atan),
    Function::plain("series_sum", TO_REAL, |args| {
        numbers(args.json(0)?).map(|all| Value::Real(all.iter().sum()))
    }),
    Function::plain("series_product", TO_REAL, |args| {
        numbers(args.json(0)?).map(|all| Value::Real(all.iter().product()))
    }),
    Function::plain("series_magnitude", TO_REAL, |args| {
        numbers(args.json(0)?).map(|all| Value::Real(dot(&all, &all).sqrt()))
    }),
    Function::plain("series_dot_product", DOT, |args| {
        let (a, b) = common(args)?;
        Some(Value::Real(dot(&a, &b)))
    }),
    Function::plain(
        "series_cosine_similarity",
        &[Signature::new(&[ARRAY, ARRAY, REAL, REAL], Type::Real).from(2)],
        |args| {
            let (a, b) = common(args)?;
            let of_a = if args.len() > 2 { args.real(2)? } else { dot(&a, &a).sqrt() };
            let of_b = if args.len() > 3 { args.real(3)? } else { dot(&b, &b).sqrt() };
            Some(Value::Real(dot(&a, &b) / (of_a * of_b)))
        },
    ),
    Function::plain(
        "series_pearson_correlation",
        &[Signature::new(&[ARRAY, ARRAY], Type::Real)],
        |args| {
            let (a, b) = (numbers(args.json(0)?)?, numbers(args.json(1)?)?);
            if a.len() != b.len() || a.is_empty() {
                return None;
            }
            let centred = |all: &[f64]| {
                let mean = mean(all);
                all.iter().map(|n| n - mean).collect::<Vec<f64>>()
            };
            let (a, b) = (centred(&a), centred(&b));
            Some(Value::Real(dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()))
        },
    ),
    Function::plain("series_stats", STATS, |args| {
        let stats = statistics(args)?;
        let of = |(name, _): &(&str, Type)| stats.get(*name).cloned().unwrap_or_default();
        made(STATISTICS.iter().map(of).collect())
    }),
    Function::plain("series_stats_dynamic", STATS, |args| statistics(args).map(Value::from_json)),
    Function::made(
        "series_fill_const",
        &[Signature::new(&[ARRAY, NUMBER, ANY], Type::Dynamic).from(1)],
        fill_const,
    )
    .named(Naming::First),
    Function::plain("series_fill_forward", FILL, |args| fill(args, false)).named(Naming::First),
    Function::plain("series_fill_backward", FILL, |args| fill(args, true)).named(Naming::First),
    Function::plain(
        "series_fill_linear",
        &[Signature::new(&[ARRAY, ANY, BOOL, ANY], Type::Dynamic).from(1)],
        fill_linear,
    )
    .named(Naming::First),
];

/// A number that is not finite is text in JSON.
fn real(value: f64) -> Json {
    Value::Real(value).to_json()
}

fn reals(a: &Number, b: &Number, compute: fn(f64, f64) -> f64) -> Json {
    a.as_f64().zip(b.as_f64()).map_or(Json::Null, |(a, b)| real(compute(a, b)))
}

/// Of every number; what is none gives null.
fn each(args: &[Value], compute: impl Fn(&Number) -> Json) -> Option<Value> {
    let items = args.json(0)?.as_array()?.iter();
    made(items.map(|item| item.as_number().map_or(Json::Null, &compute)).collect())
}

/// Of the numbers at each place of two arrays; null where one has none.
fn pairs(args: &[Value], compute: impl Fn(&Number, &Number) -> Json) -> Option<Value> {
    let (a, b) = (Side::of(args.value(0))?, Side::of(args.value(1))?);
    let length = a.len().max(b.len());
    let item = |at| match (a.get(at).and_then(Json::as_number), b.get(at).and_then(Json::as_number))
    {
        (Some(a), Some(b)) => compute(a, b),
        _ => Json::Null,
    };
    made((0..length).map(item).collect())
}

/// An array, or a number for all of its places.
enum Side<'a> {
    Items(&'a [Json]),
    All(Json),
}

impl<'a> Side<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Dynamic(json) => json.as_array().map(|items| Self::Items(items)),
            other => Some(Self::All(match other {
                Value::Decimal(decimal) => real(decimal.to_real()),
                other => other.to_json(),
            })),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::All(_) => 0,
        }
    }

    fn get(&self, at: usize) -> Option<&Json> {
        match self {
            Self::Items(items) => items.get(at),
            Self::All(item) => Some(item),
        }
    }
}

/// The numbers of an array that has nothing else.
fn numbers(json: &Json) -> Option<Vec<f64>> {
    json.as_array()?.iter().map(Json::as_f64).collect()
}

/// The numbers that two arrays have at the same places; nothing where one is empty.
fn common(args: &[Value]) -> Option<(Vec<f64>, Vec<f64>)> {
    let (a, b) = (Side::of(args.value(0))?, Side::of(args.value(1))?);
    let length = match (&a, &b) {
        (Side::Items(a), Side::Items(b)) => a.len().min(b.len()),
        _ => a.len().max(b.len()),
    };
    let pair = |at| a.get(at).and_then(Json::as_f64).zip(b.get(at).and_then(Json::as_f64));
    (length > 0).then(|| (0..length).filter_map(pair).unzip())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn mean(all: &[f64]) -> f64 {
    all.iter().sum::<f64>() / num::long_to_real(num::len_to_long(all.len()))
}

/// Nothing where an item is no number, unless such items are to be passed over.
fn statistics(args: &[Value]) -> Option<Json> {
    let items = args.json(0)?.as_array()?;
    let lenient = args.bool(1).unwrap_or(false);
    let finite = |item: &Json| item.as_f64().filter(|n| n.is_finite());
    let all: Vec<(usize, f64)> =
        items.iter().enumerate().filter_map(|(at, item)| Some((at, finite(item)?))).collect();
    if all.is_empty() || !lenient && all.len() < items.len() {
        return None;
    }
    let first = all.first().copied()?;
    let least =
        all.iter().copied().fold(first, |best, next| if next.1 < best.1 { next } else { best });
    let most =
        all.iter().copied().fold(first, |best, next| if next.1 > best.1 { next } else { best });
    let values: Vec<f64> = all.iter().map(|(_, n)| *n).collect();
    // One value after another, which loses no digits; the mean is of the sum.
    let (_, _, squares) = values.iter().fold((0.0, 0.0, 0.0), |(count, mean, squares), n| {
        let (count, off) = (count + 1.0, n - mean);
        let mean = mean + off / count;
        (count, mean, squares + off * (n - mean))
    });
    let others = num::len_to_long(values.len().saturating_sub(1));
    let variance = if others == 0 { 0.0 } else { squares / num::long_to_real(others) };
    Some(json!({
        "min": least.1,
        "min_idx": least.0,
        "max": most.1,
        "max_idx": most.0,
        "avg": mean(&values),
        "stdev": variance.sqrt(),
        "variance": variance,
        "sum": values.iter().sum::<f64>(),
        "len": values.len(),
    }))
}

/// Whether an item stands for one that is missing.
fn missing(args: &[Value], at: usize) -> impl Fn(&Json) -> bool + use<> {
    let placeholder = args.value(at).to_json();
    move |item| same(item, &placeholder)
}

fn fill_const(prepare: &Prepare<'_>) -> Made {
    if prepare.types.len() < 2 {
        return Err(Refusal::Unsupported("`series_fill_const()` without a value".to_owned()));
    }
    Ok(Arc::new(|args| {
        let Some(Json::Array(items)) = args.json(0) else { return Value::Null };
        let (missing, value) = (missing(args, 2), args.value(1).to_json());
        let filled = items.iter().map(|item| if missing(item) { &value } else { item }.clone());
        Value::from_json(Json::Array(filled.collect()))
    }))
}

fn fill(args: &[Value], backward: bool) -> Option<Value> {
    let mut items = args.json(0)?.as_array()?.clone();
    let missing = missing(args, 1);
    let mut last: Option<Json> = None;
    let mut take = |item: &mut Json| {
        if !missing(item) {
            last = Some(item.clone());
        } else if let Some(known) = &last {
            *item = known.clone();
        }
    };
    if backward {
        items.iter_mut().rev().for_each(&mut take);
    } else {
        items.iter_mut().for_each(take);
    }
    made(items)
}

/// On the line from the known item before to the one after; whole where all known items are.
fn fill_linear(args: &[Value]) -> Option<Value> {
    let items = args.json(0)?.as_array()?;
    let missing = missing(args, 1);
    let edges = if args.len() > 2 { args.bool(2)? } else { true };
    let known: Vec<(usize, f64)> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| !missing(item))
        .filter_map(|(at, item)| Some((at, item.as_f64()?)))
        .collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        let constant = if args.len() > 3 { args.value(3).to_json() } else { Json::from(0.0) };
        return made(
            items.iter().map(|i| if missing(i) { &constant } else { i }.clone()).collect(),
        );
    };
    let whole = items.iter().all(|item| missing(item) || item.is_i64());
    let place = |at: usize| num::long_to_real(num::len_to_long(at));
    let mut filled = Vec::with_capacity(items.len());
    let mut next = 0;
    for (at, item) in items.iter().enumerate() {
        while known.get(next).is_some_and(|(place, _)| *place < at) {
            next += 1;
        }
        if !missing(item) {
            filled.push(item.clone());
            continue;
        }
        let before = next.checked_sub(1).and_then(|before| known.get(before));
        let value = match (before, known.get(next)) {
            (Some((from, low)), Some((to, high))) => {
                let value = low + (high - low) * place(at - from) / place(to - from);
                num::real_to_long(value).filter(|_| whole).map_or_else(|| real(value), Json::from)
            }
            _ if !edges => item.clone(),
            (None, _) => items.get(first.0).cloned().unwrap_or_default(),
            (_, None) => items.get(last.0).cloned().unwrap_or_default(),
        };
        filled.push(value);
    }
    made(filled)
}
