//! JSON lines into columns: one pass over the text, in as many threads as there are processors.

use super::ColumnTable;
use super::column::Stored;
use crate::functions::conversion::to_type;
use crate::num;
use crate::schema::{Column, Schema};
use crate::time::parse_datetime;
use crate::value::{Type, Value};
use serde_core::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that one thread reads at a time.
const PIECE: usize = 4 << 20;

/// A line that is no JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonLinesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for JsonLinesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for JsonLinesError {}

/// The columns of JSON lines, in the order of their first occurrence in the first `rows` objects.
///
/// Whole numbers make a `long`, others a `real`; text that is a datetime in every row makes a `datetime`; objects,
/// arrays and properties of several kinds make a `dynamic`. Properties that are null in all of them are left out.
///
/// # Errors
/// The first line that is no JSON object.
///
/// ```
/// let schema = kql::infer_schema(br#"{"at": "2026-11-22T08:00:00Z", "ms": 12}"#, 100)?;
/// assert_eq!(schema, kql::Schema::new([("at", kql::Type::Datetime), ("ms", kql::Type::Long)]));
/// # Ok::<(), kql::JsonLinesError>(())
/// ```
pub fn infer_schema(text: &[u8], rows: usize) -> Result<Schema, JsonLinesError> {
    let mut schema = Schema::default();
    for (at, line) in lines(text).take(rows) {
        let object: serde_json::Map<String, Json> =
            serde_json::from_slice(line).map_err(|e| at_line(at, &e))?;
        for (name, value) in &object {
            let Some(ty) = type_of(value) else { continue };
            match schema.index(name).and_then(|at| schema.columns.get_mut(at)) {
                Some(column) => column.ty = wider(column.ty, ty),
                None => schema.columns.push(Column { name: name.clone(), ty }),
            }
        }
    }
    Ok(schema)
}

fn type_of(value: &Json) -> Option<Type> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(_) => Type::Bool,
        Json::Number(n) if n.is_i64() => Type::Long,
        Json::Number(_) => Type::Real,
        // Shorter text may be read as a datetime, too, and hardly ever is one.
        Json::String(text) if text.len() > 9 && parse_datetime(text).is_some() => Type::Datetime,
        Json::String(_) => Type::String,
        Json::Array(_) | Json::Object(_) => Type::Dynamic,
    })
}

fn wider(a: Type, b: Type) -> Type {
    match (a, b) {
        _ if a == b => a,
        (Type::Long | Type::Real, Type::Long | Type::Real) => Type::Real,
        (Type::String | Type::Datetime, Type::String | Type::Datetime) => Type::String,
        _ => Type::Dynamic,
    }
}

/// Reads JSON lines as a table of these columns; of properties that are no columns nothing is kept. With `wanted`, only
/// the columns that it marks are filled.
///
/// Values that are not of their column's type are converted as Kusto converts them, and are null where they cannot be.
/// Of a property that an object has twice, the first counts. Empty lines are passed over.
///
/// # Errors
/// The first line that is no JSON object.
///
/// ```
/// let text = br#"{"user": "ada", "ms": 12}
/// {"user": "bob"}"#;
/// let schema = kql::infer_schema(text, 100)?;
/// let table = kql::read_json_lines(text, &schema, None)?;
/// assert_eq!(table.len(), 2);
/// # Ok::<(), kql::JsonLinesError>(())
/// ```
pub fn read_json_lines(
    text: &[u8],
    schema: &Schema,
    wanted: Option<&[bool]>,
) -> Result<ColumnTable, JsonLinesError> {
    let pieces = pieces(text);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(pieces.len());
    let mut tables: Vec<Option<Result<ColumnTable, JsonLinesError>>> = Vec::new();
    tables.resize_with(pieces.len(), || None);
    if threads < 2 {
        for (piece, table) in pieces.iter().zip(&mut tables) {
            *table = Some(read_piece(piece, schema, wanted));
        }
    } else {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some((at, piece)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                pieces.get(at).map(|piece| (at, piece))
            } {
                done.push((at, read_piece(piece, schema, wanted)));
            }
            done
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for thread in running {
                // A thread that panicked leaves its pieces out: they are read again below.
                for (at, table) in thread.join().unwrap_or_default() {
                    if let Some(place) = tables.get_mut(at) {
                        *place = Some(table);
                    }
                }
            }
        });
    }
    let mut all = ColumnTable::new(schema.clone());
    let mut lines_before = 0;
    for (piece, table) in pieces.iter().zip(tables) {
        let table = table.unwrap_or_else(|| read_piece(piece, schema, wanted));
        all.append(table.map_err(|e| JsonLinesError { line: e.line + lines_before, ..e })?);
        lines_before += piece.split(|byte| *byte == b'\n').count() - 1;
    }
    Ok(all)
}

/// The text in pieces that end with a line.
fn pieces(text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.get(PIECE..).and_then(|after| after.iter().position(|b| *b == b'\n'));
        let (piece, after) = match end {
            Some(end) => rest.split_at_checked(PIECE + end + 1).unwrap_or((rest, &[])),
            None => (rest, &[] as &[u8]),
        };
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The lines that are not empty, each with its number from 1.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let all = text.split(|byte| *byte == b'\n').enumerate();
    all.map(|(at, line)| (at + 1, line.trim_ascii())).filter(|(_, line)| !line.is_empty())
}

fn at_line(line: usize, error: &serde_json::Error) -> JsonLinesError {
    // Each line is a text of its own to the parser: its line is always 1.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    JsonLinesError { line, message: format!("{message} (column {})", error.column()) }
}

fn read_piece(
    text: &[u8],
    schema: &Schema,
    wanted: Option<&[bool]>,
) -> Result<ColumnTable, JsonLinesError> {
    let mut table = ColumnTable::new(schema.clone());
    let names: Vec<&str> = schema.names().collect();
    let mut raws: Vec<Option<(Box<str>, Value)>> = vec![None; names.len()];
    for (at, line) in lines(text) {
        let chunk = table.open_chunk();
        let rows = chunk.rows;
        let seed = Line { columns: &mut chunk.columns, names: &names, wanted, raws: &mut raws };
        let mut parser = serde_json::Deserializer::from_slice(line);
        let read = seed.deserialize(&mut parser).and_then(|()| parser.end());
        read.map_err(|error| at_line(at, &error))?;
        for column in &mut chunk.columns {
            if column.len() == rows {
                column.push(Value::Null);
            }
        }
        table.close_row();
    }
    Ok(table)
}

/// Reads one object into a row of columns.
struct Line<'a> {
    columns: &'a mut [Stored],
    names: &'a [&'a str],
    wanted: Option<&'a [bool]>,
    /// The last JSON of each dynamic column: rows that follow one another share it.
    raws: &'a mut [Option<(Box<str>, Value)>],
}

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let row = self.columns.iter().map(Stored::len).min().unwrap_or(0);
        // Objects that follow one another have their properties in one order.
        let mut expected = 0;
        while let Some(at) = map.next_key_seed(Name { names: self.names, expected })? {
            if let Some(at) = at {
                expected = at + 1;
            }
            let column = at
                .filter(|at| {
                    self.wanted.is_none_or(|wanted| wanted.get(*at).copied().unwrap_or(false))
                })
                .and_then(|at| Some((self.columns.get_mut(at)?, self.raws.get_mut(at)?)))
                .filter(|(column, _)| column.len() == row);
            match column {
                Some((column, raw)) => map.next_value_seed(Cell { column, raw })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The place of a property's column.
#[derive(Clone, Copy)]
struct Name<'a> {
    names: &'a [&'a str],
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        if self.names.get(self.expected).is_some_and(|n| *n == name) {
            return Ok(Some(self.expected));
        }
        Ok(self.names.iter().position(|n| *n == name))
    }
}

/// A property's value, added to its column.
struct Cell<'a> {
    column: &'a mut Stored,
    raw: &'a mut Option<(Box<str>, Value)>,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.column.ty() != Type::Dynamic {
            return deserializer.deserialize_any(self);
        }
        let text = <&RawValue as serde_core::Deserialize>::deserialize(deserializer)?.get();
        let value = match &self.raw {
            Some((last, value)) if **last == *text => value.clone(),
            _ => {
                let json = serde_json::from_str(text).map_err(D::Error::custom)?;
                let value = Value::from_json(json);
                *self.raw = Some((text.into(), value.clone()));
                value
            }
        };
        self.column.push(value);
        Ok(())
    }
}

impl Cell<'_> {
    fn put(self, value: &Value) {
        match self.column.ty() {
            Type::String => self.column.push_text(&value.text()),
            ty => self.column.push(Value::from(to_type(value, ty))),
        }
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.column.ty() {
            Type::String => self.column.push_text(text),
            Type::Datetime => {
                self.column.push(Value::from(parse_datetime(text).map(Value::Datetime)));
            }
            _ => self.put(&Value::from(text)),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(&Value::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(&Value::Long(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let value =
            i64::try_from(value).map_or_else(|_| Value::Real(num::big_to_real(value)), Value::Long);
        self.put(&value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(&Value::Real(value));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.column.push(Value::Null);
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        let json = serde_core::Deserialize::deserialize(
            serde_core::de::value::MapAccessDeserializer::new(map),
        )?;
        self.put(&Value::from_json(json));
        Ok(())
    }

    fn visit_seq<S: serde_core::de::SeqAccess<'de>>(self, seq: S) -> Result<(), S::Error> {
        let json = serde_core::Deserialize::deserialize(
            serde_core::de::value::SeqAccessDeserializer::new(seq),
        )?;
        self.put(&Value::from_json(json));
        Ok(())
    }
}
