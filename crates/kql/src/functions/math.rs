//! Numbers: rounding, bins, extremes.

use super::{Args, Function, Gives, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Decimal, Type, Value};
use std::cmp::Ordering;
use std::sync::Arc;

const DATETIME: Takes = Takes::Is(Type::Datetime);
const TIMESPAN: Takes = Takes::Is(Type::Timespan);
const REAL: Takes = Takes::Is(Type::Real);
const BIN: &[Signature] = &[
    Signature::new(&[Takes::Number, Takes::Number], Type::Real).giving(Gives::Widest),
    Signature::new(&[TIMESPAN, TIMESPAN], Type::Timespan),
    Signature::new(&[DATETIME, TIMESPAN], Type::Datetime),
];
const EXTREME: &[Signature] =
    &[Signature::new(&[Takes::Common, Takes::Common], Type::Real).up_to(64).giving(Gives::Common)];
const REAL_TO_BOOL: &[Signature] = &[Signature::new(&[REAL], Type::Bool)];
const NUMBER_TO_REAL: &[Signature] = &[Signature::new(&[Takes::Number], Type::Real)];
const REAL_TO_REAL: &[Signature] = &[Signature::new(&[REAL], Type::Real)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("bin", BIN, bin).named(Naming::First),
    Function::plain("floor", BIN, bin).named(Naming::First),
    Function::made(
        "round",
        &[Signature::new(&[Takes::Number, Takes::Is(Type::Long)], Type::Real)
            .from(1)
            .giving(Gives::First)],
        |p| match p.consts.get(1) {
            Some(None) => {
                Err(Refusal::Argument(1, "KS129", "The expression must be a constant".to_owned()))
            }
            _ => Ok(Arc::new(|args| Value::from(round(args)))),
        },
    )
    .named(Naming::First),
    Function::plain(
        "ceiling",
        &[Signature::new(&[Takes::Number], Type::Real).giving(Gives::First)],
        |args| match args.value(0) {
            Value::Real(v) => Some(Value::Real(v.ceil())),
            Value::Decimal(v) => v.negated().floor().map(|v| Value::Decimal(v.negated())),
            other => Some(other.clone()),
        },
    )
    .named(Naming::First),
    Function::plain(
        "abs",
        &[
            Signature::new(&[Takes::Integer], Type::Long),
            Signature::new(&[Takes::Number], Type::Real).giving(Gives::First),
            Signature::new(&[TIMESPAN], Type::Timespan),
        ],
        |args| match args.value(0) {
            Value::Real(v) => Some(Value::Real(v.abs())),
            Value::Decimal(v) => Some(Value::Decimal(v.abs())),
            Value::Timespan(v) => Some(Value::Timespan(v.wrapping_abs())),
            other => other.as_long().map(|v| Value::Long(v.wrapping_abs())),
        },
    )
    .named(Naming::First),
    Function::made("max_of", EXTREME, |p| of_extreme(p, Ordering::Greater)),
    Function::made("min_of", EXTREME, |p| of_extreme(p, Ordering::Less)),
    Function::plain("isnan", REAL_TO_BOOL, |args| args.real(0).map(|v| Value::Bool(v.is_nan()))),
    Function::plain("isinf", REAL_TO_BOOL, |args| {
        args.real(0).map(|v| Value::Bool(v.is_infinite()))
    }),
    Function::plain("isfinite", REAL_TO_BOOL, |args| {
        args.real(0).map(|v| Value::Bool(v.is_finite()))
    }),
    Function::plain("sqrt", NUMBER_TO_REAL, |args| args.real(0).map(|v| Value::Real(v.sqrt())))
        .named(Naming::First),
    Function::plain("exp", NUMBER_TO_REAL, |args| args.real(0).map(|v| Value::Real(v.exp())))
        .named(Naming::First),
    Function::plain("log", NUMBER_TO_REAL, |args| args.real(0).map(|v| Value::Real(v.ln())))
        .named(Naming::First),
    Function::plain("log10", NUMBER_TO_REAL, |args| args.real(0).map(|v| Value::Real(v.log10())))
        .named(Naming::First),
    Function::plain("log2", REAL_TO_REAL, |args| args.real(0).map(|v| Value::Real(v.log2())))
        .named(Naming::First),
    Function::plain("pow", &[Signature::new(&[REAL, REAL], Type::Real)], |args| {
        Some(Value::Real(args.real(0)?.powf(args.real(1)?)))
    })
    .named(Naming::First),
];

/// The start of the bin, counted from zero; from 0001-01-01 for datetimes. No bin of zero or less.
fn bin(args: &[Value]) -> Option<Value> {
    let whole =
        |value: i64, size: i64| (size > 0).then(|| value.wrapping_sub(value.rem_euclid(size)));
    match (args.value(0), args.value(1)) {
        (Value::Datetime(v), Value::Timespan(size)) => whole(*v, *size).map(Value::Datetime),
        (Value::Timespan(v), Value::Timespan(size)) => whole(*v, *size).map(Value::Timespan),
        (value @ Value::Decimal(_), size) | (value, size @ Value::Decimal(_)) => {
            let (value, size) = (decimal(value)?, decimal(size)?);
            let zero = Decimal::from_long(0);
            let count = value.div(&size).filter(|_| size.order(&zero).is_gt())?.floor()?;
            count.mul(&size).map(Value::Decimal)
        }
        (value, size) => {
            if let (Some(value), Some(size)) = (value.as_long(), size.as_long()) {
                return whole(value, size).map(Value::Long);
            }
            let (value, size) = (value.as_real()?, size.as_real()?);
            (size > 0.0).then(|| Value::Real((value / size).floor() * size))
        }
    }
}

/// A number of any type as a decimal.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Decimal(v) => Some(v.clone()),
        Value::Real(v) => Decimal::from_real(*v),
        other => other.as_long().map(Decimal::from_long),
    }
}

/// Half away from zero.
fn round(args: &[Value]) -> Option<Value> {
    if let Value::Decimal(value) = args.value(0) {
        let digits = if args.len() > 1 { args.long(1)? } else { 0 };
        let digits = i32::try_from(digits.clamp(-308, 308)).ok()?;
        return value.round(digits).map(Value::Decimal);
    }
    let Value::Real(value) = args.value(0) else { return Some(args.value(0).clone()) };
    let digits = if args.len() > 1 { args.long(1)? } else { 0 };
    let digits = i32::try_from(digits.clamp(-308, 308)).ok()?;
    let factor = 10_f64.powi(digits);
    let scaled = value * factor;
    Some(Value::Real(if scaled.is_finite() { scaled.round() / factor } else { *value }))
}

fn of_extreme(prepare: &Prepare<'_>, wanted: Ordering) -> Made {
    if prepare.types.iter().any(|ty| matches!(ty, Type::Dynamic | Type::Guid)) {
        let message = "No common type can be determined from the arguments".to_owned();
        return Err(Refusal::Argument(0, "KS232", message));
    }
    Ok(Arc::new(move |args| Value::from(extreme(args, wanted))))
}

/// The greatest or least that is not null.
fn extreme(args: &[Value], wanted: Ordering) -> Option<Value> {
    let mut best: Option<&Value> = None;
    for value in args.iter().filter(|v| !v.is_null()) {
        if best.is_none_or(|b| value.order(b) == wanted) {
            best = Some(value);
        }
    }
    // The common type may be real where the value is a long.
    let real = args.iter().any(|v| matches!(v, Value::Real(_)));
    best.map(|v| match v.as_long() {
        Some(long) if real => Value::Real(num::long_to_real(long)),
        _ => v.clone(),
    })
}
