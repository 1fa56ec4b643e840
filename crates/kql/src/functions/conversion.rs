//! From one type to another.

use super::{Args, Eval, Function, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::time;
use crate::value::{Decimal, Type, Value, leading_guid};
use serde_json::Value as Json;
use std::sync::Arc;

macro_rules! to {
    ($name:literal, $ty:expr, $make:expr) => {
        Function::made($name, &[Signature::new(&[Takes::Scalar], $ty)], $make).named(Naming::First)
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    to!("tostring", Type::String, |_| Ok(Arc::new(|args| Value::String(args.text(0))))),
    to!("toint", Type::Int, |p| convert(p, Type::Int)),
    to!("tolong", Type::Long, |p| convert(p, Type::Long)),
    to!("toreal", Type::Real, |p| convert(p, Type::Real)),
    to!("todouble", Type::Real, |p| convert(p, Type::Real)),
    to!("todecimal", Type::Decimal, |p| convert(p, Type::Decimal)),
    to!("tobool", Type::Bool, |p| convert(p, Type::Bool)),
    to!("toboolean", Type::Bool, |p| convert(p, Type::Bool)),
    to!("todatetime", Type::Datetime, |p| convert(p, Type::Datetime)),
    to!("totimespan", Type::Timespan, |p| convert(p, Type::Timespan)),
    to!("totime", Type::Timespan, |p| convert(p, Type::Timespan)),
    Function::made("toguid", &[Signature::new(&[Takes::TextOrDynamic], Type::Guid)], |p| {
        convert(p, Type::Guid)
    })
    .named(Naming::First),
    Function::plain("parse_json", JSON, parse_json).named(Naming::First),
    Function::plain("parsejson", JSON, parse_json).named(Naming::First),
    Function::plain("todynamic", JSON, parse_json).named(Naming::First),
    Function::plain("toobject", JSON, parse_json).named(Naming::First),
    Function::made("gettype", &[Signature::new(&[Takes::Scalar], Type::String)], gettype)
        .named(Naming::Prefix("type")),
];

const JSON: &[Signature] = &[Signature::new(&[Takes::TextOrDynamic], Type::Dynamic)];

fn parse_json(args: &[Value]) -> Option<Value> {
    match args.value(0) {
        Value::String(text) if text.is_empty() => None,
        // Text that is no JSON stays text.
        Value::String(text) => Some(
            serde_json::from_str(text)
                .map_or_else(|_| Value::from_json(Json::from(&**text)), Value::from_json),
        ),
        other => Some(other.clone()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every entry's constructor")]
fn gettype(prepare: &Prepare<'_>) -> Made {
    let ty = prepare.types.first().copied().unwrap_or(Type::Dynamic);
    Ok(Arc::new(move |args| {
        Value::from(match args.json(0) {
            Some(Json::Array(_)) => "array",
            Some(Json::Object(_)) => "dictionary",
            Some(Json::Bool(_)) => "bool",
            Some(Json::Number(n)) if n.is_f64() => "double",
            Some(Json::Number(_)) => "long",
            Some(Json::String(_)) => "string",
            _ if ty == Type::Dynamic => "null",
            _ => ty.name(),
        })
    }))
}

/// The conversion to `to` that the argument's type asks for.
#[expect(clippy::match_same_arms, reason = "a table of types, one line each")]
fn convert(prepare: &Prepare<'_>, to: Type) -> Made {
    let from = prepare.types.first().copied().unwrap_or(to);
    let known = from == to
        || from == Type::String
        || from == Type::Dynamic
        || match to {
            Type::Int | Type::Long => from != Type::Guid,
            Type::Real | Type::Decimal => from != Type::Guid,
            Type::Bool => from.is_number(),
            Type::Timespan | Type::Datetime => from.is_integer(),
            _ => false,
        };
    if !known {
        return Err(Refusal::Unsupported(format!("converting {from} to {to}")));
    }
    if to == Type::Datetime && from.is_integer() {
        return Ok(Arc::new(|args| {
            Value::from(args.long(0).and_then(time::checked).map(Value::Datetime))
        }));
    }
    let eval: Eval = Arc::new(move |args| Value::from(to_type(args.value(0), to)));
    Ok(eval)
}

/// `value` as a value of type `to`, or nothing where it has none.
pub(crate) fn to_type(value: &Value, to: Type) -> Option<Value> {
    if let Value::Dynamic(json) = value {
        return match &**json {
            _ if to == Type::Dynamic => Some(value.clone()),
            _ if to == Type::String => Some(Value::String(value.text())),
            Json::Bool(b) => to_type(&Value::Bool(*b), to),
            Json::Number(n) => match n.as_i64() {
                Some(long) => to_type(&Value::Long(long), to),
                None => to_type(&Value::Real(n.as_f64()?), to),
            },
            Json::String(text) => to_type(&Value::from(text.as_str()), to),
            _ => None,
        };
    }
    if value.ty() == Some(to) {
        return Some(value.clone());
    }
    match to {
        Type::String => Some(Value::String(value.text())),
        Type::Dynamic => Some(Value::from_json(value.to_json())),
        Type::Int => integer(value).and_then(|v| i32::try_from(v).ok()).map(Value::Int),
        Type::Long => integer(value).map(Value::Long),
        Type::Real => match value {
            Value::String(text) => text.trim().parse().ok().map(Value::Real),
            Value::Bool(b) => Some(Value::Real(f64::from(u8::from(*b)))),
            Value::Datetime(ticks) | Value::Timespan(ticks) => {
                Some(Value::Real(num::long_to_real(*ticks)))
            }
            other => other.as_real().map(Value::Real),
        },
        Type::Decimal => match value {
            Value::String(text) => Decimal::parse(text.trim()).map(Value::Decimal),
            Value::Real(v) => Decimal::from_real(*v).map(Value::Decimal),
            other => integer(other).map(|v| Value::Decimal(Decimal::from_long(v))),
        },
        Type::Bool => match value {
            Value::String(text) if text.trim().eq_ignore_ascii_case("true") => {
                Some(Value::Bool(true))
            }
            Value::String(text) if text.trim().eq_ignore_ascii_case("false") => {
                Some(Value::Bool(false))
            }
            Value::String(text) => text.trim().parse::<i64>().ok().map(|v| Value::Bool(v != 0)),
            other => other.as_real().map(|v| Value::Bool(v != 0.0)),
        },
        Type::Datetime => time::parse_datetime(value.as_str()?).map(Value::Datetime),
        Type::Timespan => match value {
            Value::String(text) => time::parse_timespan(text).map(Value::Timespan),
            other => other.as_long().map(Value::Timespan),
        },
        Type::Guid => leading_guid(value.as_str()?.trim()).map(|(guid, _)| Value::Guid(guid)),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(b) => Some(i64::from(*b)),
        Value::Real(v) => num::real_to_long(*v),
        Value::Decimal(v) => v.to_long(),
        Value::Datetime(ticks) | Value::Timespan(ticks) => Some(*ticks),
        Value::String(text) => {
            let text = text.trim();
            match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                Some(hex) => i64::from_str_radix(hex, 16).ok(),
                None => text.parse().ok().or_else(|| text.parse().ok().and_then(num::real_to_long)),
            }
        }
        other => other.as_long(),
    }
}
