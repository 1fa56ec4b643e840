//! `iff`, `case`, `coalesce` and the tests for nothing. Calls have no effects, so all arguments are computed.

use super::{Args, Function, Gives, Signature, Takes};
use crate::value::{Type, Value};

const CHOICE: &[Signature] = &[Signature::new(
    &[Takes::Is(Type::Bool), Takes::CommonOrDynamic, Takes::CommonOrDynamic],
    Type::Dynamic,
)
.giving(Gives::Common)];
const ANY_TO_BOOL: &[Signature] = &[Signature::new(&[Takes::Scalar], Type::Bool)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("iff", CHOICE, iff),
    Function::plain("iif", CHOICE, iff),
    // The pairs of `case` are more than a signature can say: the binder checks them.
    Function::plain(
        "case",
        &[Signature::new(&[Takes::CommonOrDynamic], Type::Dynamic)
            .from(3)
            .up_to(65_535)
            .giving(Gives::Common)],
        case,
    ),
    Function::plain(
        "coalesce",
        &[Signature::new(&[Takes::Common, Takes::Common], Type::Dynamic)
            .up_to(64)
            .giving(Gives::Common)],
        |args| args.iter().find(|a| !is_empty(a)).or(args.last()).cloned(),
    ),
    Function::plain("isempty", ANY_TO_BOOL, |args| Some(Value::Bool(is_empty(args.value(0))))),
    Function::plain("isnotempty", ANY_TO_BOOL, |args| Some(Value::Bool(!is_empty(args.value(0))))),
    Function::plain("notempty", ANY_TO_BOOL, |args| Some(Value::Bool(!is_empty(args.value(0))))),
    Function::plain("notnull", ANY_TO_BOOL, |args| Some(Value::Bool(!args.value(0).is_null()))),
    Function::plain("isnull", ANY_TO_BOOL, |args| Some(Value::Bool(args.value(0).is_null()))),
    Function::plain("isnotnull", ANY_TO_BOOL, |args| Some(Value::Bool(!args.value(0).is_null()))),
    Function::plain("not", &[Signature::new(&[Takes::Is(Type::Bool)], Type::Bool)], |args| {
        args.bool(0).map(|b| Value::Bool(!b))
    }),
];

fn iff(args: &[Value]) -> Option<Value> {
    let chosen = if args.bool(0) == Some(true) { 1 } else { 2 };
    args.get(chosen).cloned()
}

fn case(args: &[Value]) -> Option<Value> {
    let (otherwise, pairs) = args.split_last()?;
    let hit = pairs.chunks_exact(2).find(|pair| pair.bool(0) == Some(true));
    Some(hit.and_then(|pair| pair.get(1)).unwrap_or(otherwise).clone())
}

/// Null or the empty string.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Dynamic(json) => json.as_str() == Some(""),
        _ => false,
    }
}
