//! A row: what a query returned, in values that mean the same whether they came from Log Analytics or from a file.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;
use std::sync::Arc;

/// One cell. Types are those of Kusto; `int` and `long` are both [`Value::Long`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value (of any type but string, which has none).
    Null,
    /// `bool`
    Bool(bool),
    /// `int` or `long`
    Long(i64),
    /// `real`
    Real(f64),
    /// `decimal`, as its text
    Decimal(Arc<str>),
    /// `string`
    String(Arc<str>),
    /// `datetime`, UTC, to 100 ns
    Datetime(DateTime<Utc>),
    /// `timespan`, in ticks of 100 ns
    Timespan(i64),
    /// `guid`, lower case
    Guid(Arc<str>),
    /// `dynamic`
    Dynamic(Arc<Json>),
}

impl Value {
    /// A string value.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    /// Null, the empty string and null in `dynamic` say nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::String(text) => text.is_empty(),
            Self::Dynamic(json) => json.is_null(),
            _ => false,
        }
    }

    /// The text of this value for people and for comparison by eye: datetimes with 7 digits and `Z`, timespans as Kusto
    /// writes them, dynamic as compact JSON.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(b) => b.to_string(),
            Self::Long(n) => n.to_string(),
            Self::Real(x) if x.is_nan() => "NaN".to_owned(),
            Self::Real(x) if x.is_infinite() => {
                if *x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
            }
            Self::Real(x) => x.to_string(),
            Self::Decimal(s) | Self::String(s) | Self::Guid(s) => s.to_string(),
            Self::Datetime(t) => ticks_text(*t),
            Self::Timespan(ticks) => timespan_text(*ticks),
            Self::Dynamic(json) => json.to_string(),
        }
    }

    /// This value as JSON, for the `fields` of a webhook body.
    pub fn json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Long(n) => Json::from(*n),
            Self::Real(x) => serde_json::Number::from_f64(*x)
                .map_or_else(|| Json::String(self.text()), Json::Number),
            Self::Dynamic(json) => Json::clone(json),
            _ => Json::String(self.text()),
        }
    }
}

/// RFC 3339 in UTC with seven digits of a second, as Kusto writes a datetime.
pub fn ticks_text(t: DateTime<Utc>) -> String {
    let nanos = t.to_rfc3339_opts(SecondsFormat::Nanos, true);
    // …:SS.nnnnnnnnnZ → seven digits: cut the last two before the Z.
    match nanos.strip_suffix('Z').and_then(|s| s.get(..s.len().saturating_sub(2))) {
        Some(cut) => format!("{cut}Z"),
        None => nanos,
    }
}

fn timespan_text(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let all = ticks.unsigned_abs();
    let (seconds, fraction) = (all / 10_000_000, all % 10_000_000);
    let (days, h, m, s) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let days = if days > 0 { format!("{days}.") } else { String::new() };
    let fraction = if fraction > 0 { format!(".{fraction:07}") } else { String::new() };
    format!("{sign}{days}{h:02}:{m:02}:{s:02}{fraction}")
}

/// The names of an answer's columns, shared by its rows.
pub type Columns = Arc<[Arc<str>]>;

/// One row of an answer. `values` has as many entries as `columns`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Column names, in the answer's order.
    pub columns: Columns,
    /// Values, in the same order.
    pub values: Vec<Value>,
}

impl Row {
    /// A row of these columns and values; missing values are null, surplus ones are dropped.
    pub fn new(columns: Columns, mut values: Vec<Value>) -> Self {
        values.resize(columns.len(), Value::Null);
        Self { columns, values }
    }

    /// The value of the column with this exact name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.columns.iter().position(|c| &**c == name).and_then(|i| self.values.get(i))
    }

    /// `TimeGenerated`, if the row has one.
    pub fn time(&self) -> Option<DateTime<Utc>> {
        match self.get("TimeGenerated") {
            Some(Value::Datetime(t)) => Some(*t),
            _ => None,
        }
    }

    /// Columns with their values, in the answer's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns.iter().map(|c| &**c).zip(&self.values)
    }
}
