//! Values: JSON, in which what only Azure knows stands as a text between `⟦` and `⟧`.

use serde_json::Value;

pub(crate) const OPEN: char = '⟦';
/// The key that marks a reference to a resource or module.
pub(crate) const REFERENCE: &str = "⟦of⟧";

/// What only Azure knows.
pub(crate) fn unknown(what: &str) -> Value {
    Value::String(format!("⟦{}⟧", what.replace([OPEN, '⟧'], "")))
}

/// Whether a value, or a part of it, is not known.
pub(crate) fn is_unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(OPEN),
        Value::Array(items) => items.iter().any(is_unknown),
        Value::Object(map) => map.values().any(is_unknown),
        _ => false,
    }
}

/// Whether the whole value is not known, its kind included.
pub(crate) fn is_wholly_unknown(value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    text.starts_with(OPEN) && text.ends_with('⟧') && text.matches(OPEN).count() == 1
}

/// What kind of value it is, for people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "an int",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// How a value reads within a string.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a value may be given to a parameter or an output of this type, as far as the type is written out.
pub(crate) fn fits(declared: &str, value: &Value) -> bool {
    if is_wholly_unknown(value) {
        return true;
    }
    if let Some(inner) = declared.strip_suffix('?') {
        return value.is_null() || fits(inner, value);
    }
    if let Some(inner) = declared.strip_suffix("[]") {
        let inner = inner.trim_start_matches('(').trim_end_matches(')');
        return value.as_array().is_some_and(|items| items.iter().all(|item| fits(inner, item)));
    }
    match declared {
        "string" => value.is_string(),
        "int" => value.is_i64(),
        "bool" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ if declared.starts_with('\'') => {
            declared.split('|').any(|one| value.as_str() == Some(one.trim_matches('\'')))
        }
        _ if declared.starts_with('{') => value.is_object(),
        _ => true,
    }
}

/// A stable stand-in for `uniqueString` and `guid`.
pub(crate) fn hash(parts: &[Value]) -> u64 {
    let joined: Vec<String> = parts.iter().map(text).collect();
    joined.join("\u{1f}").bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
