//! Angles, powers and signs.

use super::{Args, Function, Naming, Signature, Takes};
use crate::value::{Type, Value};

const REAL: Takes = Takes::Is(Type::Real);
const ONE: &[Signature] = &[Signature::new(&[REAL], Type::Real)];
const TWO: &[Signature] = &[Signature::new(&[REAL, REAL], Type::Real)];

macro_rules! real {
    ($name:literal, $of:expr) => {
        Function::plain($name, ONE, |args| {
            let of: fn(f64) -> f64 = $of;
            args.real(0).map(|v| Value::Real(of(v)))
        })
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    real!("sin", f64::sin).named(Naming::First),
    real!("cos", f64::cos).named(Naming::First),
    real!("tan", f64::tan).named(Naming::First),
    real!("cot", |v| v.tan().recip()),
    real!("asin", f64::asin).named(Naming::First),
    real!("acos", f64::acos).named(Naming::First),
    real!("atan", f64::atan).named(Naming::First),
    Function::plain("atan2", TWO, |args| Some(Value::Real(args.real(0)?.atan2(args.real(1)?))))
        .named(Naming::First),
    Function::plain("pi", &[Signature::new(&[], Type::Real)], |_| {
        Some(Value::Real(std::f64::consts::PI))
    }),
    real!("exp2", f64::exp2).named(Naming::First),
    real!("exp10", |v| 10_f64.powf(v)).named(Naming::First),
    real!("radians", f64::to_radians),
    real!("degrees", f64::to_degrees),
    Function::plain("sign", &[Signature::new(&[Takes::Number], Type::Real)], |args| {
        let value = args.real(0)?;
        Some(Value::Real(if value == 0.0 || value.is_nan() { value } else { value.signum() }))
    }),
];
