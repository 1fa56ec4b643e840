//! Types and values, their order, their equality and their text.

pub use crate::decimal::Decimal;
pub use crate::guid::Guid;
pub(crate) use crate::guid::{leading_guid, parse_guid};
use crate::num;
use crate::time;
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// A scalar type of Kusto.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// True, false or null.
    Bool,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// A double.
    Real,
    /// 128 bits, exact in base ten.
    Decimal,
    /// Unicode text; there is no null string.
    String,
    /// Ticks of 100 ns since 0001-01-01 UTC.
    Datetime,
    /// Ticks of 100 ns.
    Timespan,
    /// JSON.
    Dynamic,
    /// 128 bits.
    Guid,
}

impl Type {
    /// The name in Kusto's schemas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::Decimal => "decimal",
            Self::String => "string",
            Self::Datetime => "datetime",
            Self::Timespan => "timespan",
            Self::Dynamic => "dynamic",
            Self::Guid => "guid",
        }
    }

    /// The type of a name, Kusto's aliases included.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "bool" | "boolean" => Self::Bool,
            "int" => Self::Int,
            "long" => Self::Long,
            "real" | "double" => Self::Real,
            "decimal" => Self::Decimal,
            "string" => Self::String,
            "datetime" | "date" => Self::Datetime,
            "timespan" | "time" => Self::Timespan,
            "dynamic" => Self::Dynamic,
            "guid" | "uuid" | "uniqueid" => Self::Guid,
            _ => return None,
        })
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::Int | Self::Long)
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Real | Self::Decimal)
    }

    /// What a missing value of the type is.
    pub fn missing(self) -> Value {
        static EMPTY: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(""));
        if self == Self::String { Value::String(Arc::clone(&EMPTY)) } else { Value::Null }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A scalar value. Nulls carry no type: the column or expression has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A double.
    Real(f64),
    /// Exact in base ten.
    Decimal(Decimal),
    /// Text.
    String(Arc<str>),
    /// Ticks since 0001-01-01 UTC.
    Datetime(i64),
    /// Ticks.
    Timespan(i64),
    /// JSON that is not null.
    Dynamic(Arc<Json>),
    /// 128 bits.
    Guid(Guid),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(Arc::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(Arc::from(text))
    }
}

impl From<Option<Value>> for Value {
    fn from(value: Option<Value>) -> Self {
        value.unwrap_or(Self::Null)
    }
}

impl Value {
    /// A dynamic value; JSON null is null.
    pub fn from_json(json: Json) -> Self {
        if json.is_null() { Self::Null } else { Self::Dynamic(Arc::new(json)) }
    }

    /// The type, where the value is not null.
    pub fn ty(&self) -> Option<Type> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Long(_) => Type::Long,
            Self::Real(_) => Type::Real,
            Self::Decimal(_) => Type::Decimal,
            Self::String(_) => Type::String,
            Self::Datetime(_) => Type::Datetime,
            Self::Timespan(_) => Type::Timespan,
            Self::Dynamic(_) => Type::Dynamic,
            Self::Guid(_) => Type::Guid,
        })
    }

    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an int or a long.
    pub fn as_long(&self) -> Option<i64> {
        match self {
            Self::Int(v) => Some(i64::from(*v)),
            Self::Long(v) => Some(*v),
            _ => None,
        }
    }

    /// The value of any number.
    pub fn as_real(&self) -> Option<f64> {
        match self {
            Self::Real(v) => Some(*v),
            Self::Decimal(v) => Some(v.to_real()),
            _ => self.as_long().map(num::long_to_real),
        }
    }

    /// The value of a bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(v) => Some(*v),
            _ => None,
        }
    }

    /// The text as `tostring()` gives it; null is empty.
    pub fn text(&self) -> Arc<str> {
        match self {
            Self::String(text) => Arc::clone(text),
            Self::Dynamic(json) => match &**json {
                Json::String(text) => Arc::from(text.as_str()),
                other => Arc::from(json_text(other)),
            },
            other => Arc::from(other.to_string()),
        }
    }

    /// The value as JSON: 64-bit integers stay numbers, datetimes and timespans become text.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(v) => Json::from(*v),
            Self::Int(v) => Json::from(*v),
            Self::Long(v) => Json::from(*v),
            Self::Real(v) if v.is_finite() => Json::from(*v),
            Self::Dynamic(json) => (**json).clone(),
            other => Json::from(other.to_string()),
        }
    }

    /// The order of two values of one type; nulls first. Numbers compare across their types.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Datetime(a), Self::Datetime(b)) | (Self::Timespan(a), Self::Timespan(b)) => {
                a.cmp(b)
            }
            (Self::Guid(a), Self::Guid(b)) => a.cmp(b),
            (Self::Decimal(a), Self::Decimal(b)) => a.order(b),
            (Self::Decimal(a), b) if b.as_long().is_some() => {
                a.order(&Decimal::from_long(b.as_long().unwrap_or(0)))
            }
            (a, Self::Decimal(b)) if a.as_long().is_some() => {
                Decimal::from_long(a.as_long().unwrap_or(0)).order(b)
            }
            (a, b) => match (a.as_long(), b.as_long(), a.as_real(), b.as_real()) {
                (Some(a), Some(b), ..) => a.cmp(&b),
                (.., Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b)),
                _ => a.text().cmp(&b.text()),
            },
        }
    }

    /// What groups, joins and `distinct` compare.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Null => Key::Null,
            Self::Bool(v) => Key::Bool(*v),
            Self::Int(_) | Self::Long(_) => Key::Long(self.as_long().unwrap_or(0)),
            Self::Real(v) if v.is_nan() => Key::Real(f64::NAN.to_bits()),
            Self::Real(v) => Key::Real((v + 0.0).to_bits()),
            Self::Decimal(_) | Self::Dynamic(_) => Key::Text(self.text()),
            Self::String(v) => Key::Text(Arc::clone(v)),
            Self::Datetime(v) => Key::Datetime(*v),
            Self::Timespan(v) => Key::Timespan(*v),
            Self::Guid(v) => Key::Guid(*v),
        }
    }

    /// A rough size in memory, for the budget of operators that keep rows.
    pub(crate) fn size(&self) -> usize {
        let inline = size_of::<Self>();
        match self {
            Self::String(text) => inline + text.len() + 16,
            Self::Dynamic(json) => inline + json_size(json),
            _ => inline,
        }
    }
}

fn json_size(json: &Json) -> usize {
    32 + match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(json_size).sum(),
        Json::Object(map) => map.iter().map(|(k, v)| 48 + k.len() + json_size(v)).sum(),
        _ => 0,
    }
}

/// A hashable value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Null,
    Bool(bool),
    Long(i64),
    Real(u64),
    Text(Arc<str>),
    Datetime(i64),
    Timespan(i64),
    Guid(Guid),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(v) => v.fmt(f),
            Self::Long(v) => v.fmt(f),
            Self::Real(v) => f.write_str(&real_text(*v)),
            Self::Decimal(v) => v.fmt(f),
            Self::String(v) => f.write_str(v),
            Self::Datetime(v) => f.write_str(&time::format_datetime(*v)),
            Self::Timespan(v) => f.write_str(&time::format_timespan(*v)),
            Self::Dynamic(_) => f.write_str(&self.text()),
            Self::Guid(v) => v.fmt(f),
        }
    }
}

/// The shortest text that reads back, with `.0` on whole numbers and an exponent from 1E+15 on.
fn real_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let short = format!("{value:e}");
    let (digits, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-5..15).contains(&exponent) {
        return format!("{value:?}").replace("e-5", "E-05");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}E{sign}{:02}", exponent.abs())
}

/// JSON without blanks; its reals are written as reals are elsewhere.
fn json_text(json: &Json) -> String {
    struct Plain;
    impl serde_json::ser::Formatter for Plain {
        fn write_f64<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            value: f64,
        ) -> std::io::Result<()> {
            writer.write_all(real_text(value).as_bytes())
        }
    }
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut out, Plain);
    // Writing to memory does not fail.
    let _ = serde_core::Serialize::serialize(json, &mut writer);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
