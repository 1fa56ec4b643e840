//! Cells: what stands in a file, in the type of its column.

use crate::watch::row::Value;
use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use serde_json::Value as Json;
use std::sync::Arc;

/// The type of a column, as the query service names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `string`
    String,
    /// `int`
    Int,
    /// `real`
    Real,
    /// `datetime`
    Datetime,
    /// `dynamic`
    Dynamic,
}

/// A cell in its column's type. What does not fit is null, as it is in Log Analytics.
pub(super) fn value(kind: Kind, json: &Json) -> Value {
    match (kind, json) {
        (Kind::String, Json::Null) => Value::string(""),
        (Kind::String, Json::String(text)) => Value::string(text),
        (Kind::String, other) => Value::string(other.to_string()),
        (_, Json::Null) => Value::Null,
        (Kind::Int, json) => int(json).map_or(Value::Null, |n| Value::Long(n.into())),
        (Kind::Real, Json::Number(n)) => n.as_f64().map_or(Value::Null, Value::Real),
        (Kind::Real, Json::String(text)) => text.trim().parse().map_or(Value::Null, Value::Real),
        (Kind::Datetime, Json::String(text)) => datetime(text).map_or(Value::Null, Value::Datetime),
        (Kind::Real | Kind::Datetime, _) => Value::Null,
        // The query service sends dynamic values as JSON in a string.
        (Kind::Dynamic, Json::String(text)) if text.is_empty() => Value::Null,
        (Kind::Dynamic, Json::String(text)) => match serde_json::from_str(text) {
            Ok(Json::Null) => Value::Null,
            Ok(inner) => Value::Dynamic(Arc::new(inner)),
            Err(_) => Value::Dynamic(Arc::new(json.clone())),
        },
        (Kind::Dynamic, json) => Value::Dynamic(Arc::new(json.clone())),
    }
}

fn int(json: &Json) -> Option<i32> {
    match json {
        Json::Number(n) => match n.as_i64() {
            Some(n) => i32::try_from(n).ok(),
            None => whole(&n.to_string()),
        },
        Json::String(text) => whole(text.trim()),
        _ => None,
    }
}

/// `12`, `12.0`
fn whole(text: &str) -> Option<i32> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    fraction.bytes().all(|b| b == b'0').then(|| digits.parse().ok()).flatten()
}

/// Ways to write a time without an offset; it is then UTC. The last two are the portal's.
const NAIVE: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%m/%d/%Y, %I:%M:%S%.f %p",
    "%m/%d/%Y %I:%M:%S%.f %p",
];

/// Reads a date and time, to 100 ns.
fn datetime(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
    let time = time.or_else(|| {
        let text = text.strip_suffix('Z').unwrap_or(text);
        let parsed = NAIVE.iter().find_map(|way| NaiveDateTime::parse_from_str(text, way).ok());
        Some(parsed?.and_utc())
    })?;
    // A leap second is written as more than a second's nanoseconds; the query service has none.
    let nanos = time.nanosecond().min(999_999_999);
    time.with_nanosecond(nanos - nanos % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_are_whole_and_of_32_bits() {
        for (json, wanted) in [
            (json!(7), Some(7)),
            (json!(7.0), Some(7)),
            (json!("-7.00"), Some(-7)),
            (json!(7.5), None),
            (json!(3_000_000_000_i64), None),
            (json!("None"), None),
            (json!(true), None),
        ] {
            assert_eq!(int(&json), wanted, "{json}");
        }
    }

    #[test]
    fn times_are_read_as_exports_write_them() {
        for text in [
            "2026-11-22T08:00:00.5Z",
            "2026-11-22T09:00:00.5+01:00",
            "2026-11-22T08:00:00.5000000",
            "2026-11-22 08:00:00.500Z",
            "11/22/2026, 8:00:00.500 AM",
        ] {
            let time = datetime(text).map(|t| t.to_rfc3339());
            assert_eq!(time.as_deref(), Some("2026-11-22T08:00:00.500+00:00"), "{text}");
        }
        assert_eq!(datetime("2016-12-31T23:59:60Z").unwrap().timestamp(), 1_483_228_799);
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "1732262400"] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }
}
