//! Arrays and property bags.

use super::{Args, Function, Signature, Takes};
use crate::num;
use crate::value::{Type, Value};
use serde_json::Value as Json;

const DYNAMIC: Takes = Takes::Is(Type::Dynamic);
const TEXT: Takes = Takes::Is(Type::String);
const ANY: Takes = Takes::Scalar;
const LENGTH: &[Signature] = &[Signature::new(&[DYNAMIC], Type::Long)];
const PACK: &[Signature] = &[Signature::new(&[TEXT, ANY], Type::Dynamic).up_to(32_767)];
const SETS: &[Signature] = &[Signature::new(&[DYNAMIC, DYNAMIC], Type::Dynamic).up_to(64)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("array_length", LENGTH, array_length),
    Function::plain("arraylength", LENGTH, array_length),
    Function::plain("pack_array", &[Signature::new(&[ANY], Type::Dynamic).up_to(32_767)], |args| {
        pack_array(args)
    }),
    Function::plain("bag_pack", PACK, pack),
    Function::plain("pack", PACK, pack),
    Function::plain("pack_dictionary", PACK, pack),
    Function::plain("bag_keys", &[Signature::new(&[DYNAMIC], Type::Dynamic)], |args| {
        let keys = args.json(0)?.as_object()?.keys().map(|k| Json::from(k.as_str()));
        Some(Value::from_json(Json::Array(keys.collect())))
    }),
    Function::plain("array_concat", SETS, |args| {
        fits_all(args)?;
        let mut all = Vec::new();
        for at in 0..args.len() {
            all.extend(args.json(at)?.as_array()?.iter().cloned());
        }
        Some(Value::from_json(Json::Array(all)))
    }),
    Function::plain("set_union", SETS, |args| {
        fits_all(args)?;
        let mut all = Vec::new();
        for at in 0..args.len() {
            all.extend(args.json(at)?.as_array()?.iter().cloned());
        }
        Some(distinct(all.into_iter()))
    }),
    Function::plain("set_difference", SETS, |args| {
        let mut drop = std::collections::HashSet::new();
        for at in 1..args.len() {
            drop.extend(args.json(at)?.as_array()?.iter().map(Json::to_string));
        }
        let kept =
            args.json(0)?.as_array()?.iter().filter(|item| !drop.contains(&item.to_string()));
        Some(distinct(kept.cloned()))
    }),
    Function::plain("set_intersect", SETS, |args| {
        let mut kept = args.json(0)?.as_array()?.clone();
        for at in 1..args.len() {
            let other: std::collections::HashSet<String> =
                args.json(at)?.as_array()?.iter().map(Json::to_string).collect();
            kept.retain(|item| other.contains(&item.to_string()));
        }
        Some(distinct(kept.into_iter()))
    }),
];

fn array_length(args: &[Value]) -> Option<Value> {
    args.json(0)?.as_array().map(|items| Value::Long(num::len_to_long(items.len())))
}

/// Bytes of a value that a function makes of others, at most; of a larger one there is none.
const LARGEST: usize = 1 << 26;

/// Nothing where a value of the size is too large to be made.
pub(crate) fn fits(size: usize) -> Option<()> {
    (size <= LARGEST).then_some(())
}

/// Nothing where a value that holds all of these is too large to be made.
pub(crate) fn fits_all(args: &[Value]) -> Option<()> {
    fits(args.iter().fold(0, |sum, arg| arg.size().saturating_add(sum)))
}

pub(crate) fn pack_array(args: &[Value]) -> Option<Value> {
    fits_all(args)?;
    Some(Value::from_json(Json::Array(args.iter().map(Value::to_json).collect())))
}

fn pack(args: &[Value]) -> Option<Value> {
    fits_all(args)?;
    let pairs =
        args.chunks_exact(2).map(|pair| (pair.text(0).to_string(), pair.value(1).to_json()));
    Some(Value::from_json(Json::Object(pairs.collect())))
}

fn distinct(items: impl Iterator<Item = Json>) -> Value {
    let mut seen = std::collections::HashSet::new();
    Value::from_json(Json::Array(items.filter(|item| seen.insert(item.to_string())).collect()))
}

/// `bag.name`, `bag["name"]`, `array[0]`, `array[-1]`; nothing where there is no such place.
pub(crate) fn access(base: &Value, index: &Value) -> Value {
    let Value::Dynamic(json) = base else { return Value::Null };
    let found = match (&**json, index) {
        (Json::Object(bag), Value::String(name)) => bag.get(&**name),
        (Json::Array(items), _) => index.as_long().and_then(|at| {
            let at = if at < 0 { num::len_to_long(items.len()).saturating_add(at) } else { at };
            items.get(num::long_to_len(at)?)
        }),
        _ => None,
    };
    found.map_or(Value::Null, |json| Value::from_json(json.clone()))
}
