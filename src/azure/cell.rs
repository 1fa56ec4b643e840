//! One row of an answer: cells by their columns' types.
//!
//! A cell that does not fit its column's type keeps what it is (text, number, truth or structure): it may be the one that
//! matters, and no row is lost for it.

use super::time;
use crate::watch::row::{Columns, Row, Value};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Long,
    Real,
    Decimal,
    String,
    Datetime,
    Timespan,
    Guid,
    Dynamic,
    /// A type that we do not know: cells keep what they are.
    Other,
}

impl Kind {
    fn named(name: &str) -> Self {
        match name {
            "bool" | "boolean" => Self::Bool,
            "int" | "long" => Self::Long,
            "real" | "double" => Self::Real,
            "decimal" => Self::Decimal,
            "string" => Self::String,
            "datetime" | "date" => Self::Datetime,
            "timespan" | "time" => Self::Timespan,
            "guid" | "uuid" | "uniqueid" => Self::Guid,
            "dynamic" => Self::Dynamic,
            _ => Self::Other,
        }
    }
}

/// A column as the answer declares it.
#[derive(Deserialize)]
struct Declared {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

/// A column's type and the last text read in it. The same operation, resource or SKU stands in row after row: a repeated
/// text costs no new memory and is not parsed again.
#[derive(Debug)]
struct Column {
    kind: Kind,
    text: String,
    value: Value,
}

/// The columns of the answer's table.
#[derive(Debug)]
pub(super) struct Layout {
    names: Columns,
    columns: Vec<Column>,
}

impl Layout {
    /// Reads `columns` of a table.
    pub(super) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let declared: Vec<Declared> = serde_json::from_slice(json)?;
        let columns = declared.iter().map(|c| Column {
            kind: Kind::named(&c.kind),
            text: String::new(),
            value: Value::Null,
        });
        Ok(Self {
            columns: columns.collect(),
            names: declared.iter().map(|c| Arc::from(c.name.as_str())).collect(),
        })
    }

    /// Reads one row, an array of cells.
    pub(super) fn row(&mut self, json: &[u8]) -> Result<Row, serde_json::Error> {
        let mut strict = serde_json::Deserializer::from_slice(json);
        let values = match RowSeed(&mut self.columns).deserialize(&mut strict) {
            Ok(values) => {
                strict.end()?;
                values
            }
            Err(_) => self.lenient(json)?,
        };
        Ok(Row::new(Arc::clone(&self.names), values))
    }

    /// Reads a row of which some cell is beyond `serde_json`'s types: half a surrogate pair, bytes that are not UTF-8,
    /// a number out of range, a structure too deep. A client can write such things into the log to hide behind them.
    fn lenient(&mut self, json: &[u8]) -> Result<Vec<Value>, serde_json::Error> {
        let text = String::from_utf8_lossy(json);
        let cells: Vec<&RawValue> = serde_json::from_str(&text)?;
        let cell = |(column, raw): (&mut Column, &RawValue)| {
            let mut strict = serde_json::Deserializer::from_str(raw.get());
            if let Ok(value) = CellSeed(column).deserialize(&mut strict) {
                return value;
            }
            let mut bytes = serde_json::Deserializer::from_str(raw.get());
            match bytes.deserialize_bytes(TextVisitor) {
                Ok(text) => column.text(&text),
                Err(_) => Value::string(raw.get()),
            }
        };
        Ok(self.columns.iter_mut().zip(cells).map(cell).collect())
    }
}

struct RowSeed<'a>(&'a mut [Column]);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        de.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::with_capacity(self.0.len());
        for column in self.0 {
            match seq.next_element_seed(CellSeed(column))? {
                Some(value) => values.push(value),
                None => return Ok(values),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(values)
    }
}

struct CellSeed<'a>(&'a mut Column);

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Value, D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cell")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        // Kusto's string has no null.
        Ok(if self.0.kind == Kind::String { Value::string("") } else { Value::Null })
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<Value, E> {
        Ok(if self.0.kind == Kind::Dynamic { dynamic(Json::Bool(b)) } else { Value::Bool(b) })
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Value, E> {
        Ok(match self.0.kind {
            #[expect(clippy::cast_precision_loss, reason = "a real written without a point")]
            Kind::Real => Value::Real(n as f64),
            Kind::Decimal => Value::Decimal(n.to_string().into()),
            Kind::Dynamic => dynamic(n.into()),
            // Older services write bool as a number.
            Kind::Bool if n == 0 || n == 1 => Value::Bool(n == 1),
            _ => Value::Long(n),
        })
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Value, E> {
        match (i64::try_from(n), self.0.kind) {
            (Ok(n), _) => self.visit_i64(n),
            #[expect(clippy::cast_precision_loss, reason = "a real written without a point")]
            (Err(_), Kind::Real) => Ok(Value::Real(n as f64)),
            (Err(_), Kind::Dynamic) => Ok(dynamic(n.into())),
            (Err(_), _) => Ok(Value::Decimal(n.to_string().into())),
        }
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Value, E> {
        Ok(match self.0.kind {
            Kind::Decimal => Value::Decimal(x.to_string().into()),
            Kind::Dynamic => dynamic(x.into()),
            _ => Value::Real(x),
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(self.0.text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        Json::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map(dynamic)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Json::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(dynamic)
    }
}

fn dynamic(json: Json) -> Value {
    Value::Dynamic(Arc::new(json))
}

impl Column {
    /// A cell written as text.
    fn text(&mut self, text: &str) -> Value {
        match self.kind {
            Kind::Datetime => time::datetime(text).map_or_else(|| absent(text), Value::Datetime),
            Kind::Timespan => time::timespan(text).map_or_else(|| absent(text), Value::Timespan),
            Kind::Long => text.parse().map_or_else(|_| absent(text), Value::Long),
            Kind::Real => text.parse().map_or_else(|_| absent(text), Value::Real),
            Kind::Bool => match text {
                "true" | "True" => Value::Bool(true),
                "false" | "False" => Value::Bool(false),
                _ => absent(text),
            },
            Kind::String | Kind::Other | Kind::Decimal | Kind::Guid | Kind::Dynamic => {
                if self.value == Value::Null || self.text != text {
                    self.value = remembered(self.kind, text);
                    text.clone_into(&mut self.text);
                }
                self.value.clone()
            }
        }
    }
}

/// A text where no text is due: the empty one stands for null.
fn absent(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::string(text) }
}

fn remembered(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Decimal if is_decimal(text) => Value::Decimal(text.into()),
        Kind::Guid if is_guid(text) => Value::Guid(text.to_ascii_lowercase().into()),
        Kind::Decimal | Kind::Guid => absent(text),
        Kind::Dynamic if text.is_empty() => Value::Null,
        // JSON in a string; text that is no JSON is a dynamic string.
        Kind::Dynamic => {
            dynamic(serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned())))
        }
        _ => Value::string(text),
    }
}

fn is_decimal(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Takes a JSON string that is no Unicode text, with replacement characters where it is not.
struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::row::ticks_text;

    fn cell(kind: &str, json: &str) -> Value {
        let columns = format!(r#"[{{"name":"c","type":"{kind}"}}]"#);
        let mut layout = Layout::read(columns.as_bytes()).unwrap();
        let row = layout.row(format!("[{json}]").as_bytes()).unwrap();
        // A second reading answers from memory.
        assert_eq!(
            format!("{row:?}"),
            format!("{:?}", layout.row(format!("[{json}]").as_bytes()).unwrap())
        );
        row.values[0].clone()
    }

    fn dynamic_of(json: &str) -> Value {
        dynamic(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn every_type_in_its_form() {
        for (kind, json, expected) in [
            ("bool", "true", Value::Bool(true)),
            ("bool", "null", Value::Null),
            ("bool", "1", Value::Bool(true)),
            ("int", "-7", Value::Long(-7)),
            ("long", "9223372036854775807", Value::Long(i64::MAX)),
            ("real", "1.5", Value::Real(1.5)),
            ("real", "3", Value::Real(3.0)),
            ("real", r#""Infinity""#, Value::Real(f64::INFINITY)),
            ("real", r#""-Infinity""#, Value::Real(f64::NEG_INFINITY)),
            ("decimal", r#""0.10101""#, Value::Decimal("0.10101".into())),
            ("string", r#""""#, Value::string("")),
            ("string", "null", Value::string("")),
            ("string", r#""a\"\u00e9""#, Value::string("a\"é")),
            (
                "guid",
                r#""74BE27DE-1E4E-49D9-B579-FE0B331D3642""#,
                Value::Guid("74be27de-1e4e-49d9-b579-fe0b331d3642".into()),
            ),
            ("timespan", r#""1.02:03:04.5000000""#, Value::Timespan(937_845_000_000)),
            (
                "dynamic",
                r#""{\"family\":\"B\",\"n\":[1]}""#,
                dynamic_of(r#"{"family":"B","n":[1]}"#),
            ),
            ("dynamic", r#""plain""#, dynamic_of(r#""plain""#)),
            ("dynamic", r#""""#, Value::Null),
            ("dynamic", "null", Value::Null),
            ("dynamic", r#"{"a":[1,null]}"#, dynamic_of(r#"{"a":[1,null]}"#)),
            ("dynamic", "[1]", dynamic_of("[1]")),
            ("dynamic", "1", dynamic_of("1")),
            ("newtype", r#""x""#, Value::string("x")),
            ("newtype", "1", Value::Long(1)),
        ] {
            assert_eq!(cell(kind, json), expected, "{kind} {json}");
        }
        assert!(matches!(cell("real", r#""NaN""#), Value::Real(x) if x.is_nan()));
        let Value::Datetime(t) = cell("datetime", r#""2015-12-31T23:59:59.9Z""#) else { panic!() };
        assert_eq!(ticks_text(t), "2015-12-31T23:59:59.9000000Z");
    }

    #[test]
    fn what_does_not_fit_keeps_what_it_is() {
        for (kind, json, expected) in [
            ("datetime", r#""yesterday""#, Value::string("yesterday")),
            ("datetime", r#""""#, Value::Null),
            ("datetime", "5", Value::Long(5)),
            ("long", r#""17""#, Value::Long(17)),
            ("long", r#""many""#, Value::string("many")),
            ("long", "18446744073709551615", Value::Decimal("18446744073709551615".into())),
            ("int", "1.5", Value::Real(1.5)),
            ("bool", r#""perhaps""#, Value::string("perhaps")),
            ("guid", r#""none""#, Value::string("none")),
            ("decimal", r#""much""#, Value::string("much")),
            ("timespan", r#""long""#, Value::string("long")),
            ("string", "[1]", dynamic_of("[1]")),
            ("string", "4", Value::Long(4)),
        ] {
            assert_eq!(cell(kind, json), expected, "{kind} {json}");
        }
    }

    #[test]
    fn no_row_is_lost_to_a_cell_beyond_the_types() {
        let columns = br#"[{"name":"a","type":"string"},{"name":"b","type":"real"},{"name":"c","type":"long"}]"#;
        let mut layout = Layout::read(columns).unwrap();
        let row = layout.row(br#"["half \ud83d pair",1e999,7]"#).unwrap();
        assert_eq!(row.get("a"), Some(&Value::string("half \u{fffd}\u{fffd}\u{fffd} pair")));
        assert_eq!(row.get("b"), Some(&Value::string("1e999")));
        assert_eq!(row.get("c"), Some(&Value::Long(7)));
        let row = layout.row(b"[\"not \xff utf-8\",1.0,8]").unwrap();
        assert_eq!(row.get("a"), Some(&Value::string("not \u{fffd} utf-8")));
        let deep = format!("[{}1{},2.0,9]", "[".repeat(400), "]".repeat(400));
        assert_eq!(layout.row(deep.as_bytes()).unwrap().get("c"), Some(&Value::Long(9)));
    }

    #[test]
    fn short_and_long_rows() {
        let mut layout =
            Layout::read(br#"[{"name":"a","type":"long"},{"name":"b","type":"long"}]"#).unwrap();
        assert_eq!(layout.row(b"[1]").unwrap().values, [Value::Long(1), Value::Null]);
        assert_eq!(layout.row(b"[1,2,3]").unwrap().values, [Value::Long(1), Value::Long(2)]);
        assert!(layout.row(b"[1,]").is_err());
        assert!(layout.row(b"7").is_err());
    }
}
