//! Lines read fast: the fields of a record straight to the numbers of their values, without a tree of JSON between.
//!
//! What is not plain (an unknown shape, a field twice, an escape where it matters) is left to the reader of all formats,
//! which decides what a record means; a property test holds the two together.

use super::super::cell::{self, Kind};
use super::super::table::{self, COLUMNS, Drift, Place, TableRow};
use super::store::CODED;
use crate::watch::row::Value;
use crate::watch::tables::to_ticks;
use hashbrown::HashMap;
use serde::Deserialize as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The values of every column but the time, each once. Shared by all who read.
#[derive(Debug)]
pub(super) struct Words {
    columns: Vec<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    places: HashMap<Key, u32>,
    values: Vec<kql::Value>,
}

/// What tells values of a column apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Text(std::sync::Arc<str>),
    Whole(i64),
    Real(u64),
}

impl Words {
    pub(super) fn new() -> Self {
        let columns = COLUMNS.iter().skip(1).map(|column| {
            let missing = match column.kind {
                Kind::String => kql::Value::from(""),
                _ => kql::Value::Null,
            };
            Mutex::new(Known { places: HashMap::new(), values: vec![missing] })
        });
        Self { columns: columns.collect() }
    }

    /// The number of a value.
    fn code(&self, column: usize, value: &Value) -> u32 {
        let (key, made) = match value {
            Value::String(text) if !text.is_empty() => {
                (Key::Text(text.clone()), kql::Value::String(text.clone()))
            }
            Value::Long(n) => match i32::try_from(*n) {
                Ok(int) => (Key::Whole(*n), kql::Value::Int(int)),
                Err(_) => return 0,
            },
            Value::Real(x) => (Key::Real(x.to_bits()), kql::Value::Real(*x)),
            Value::Dynamic(json) => {
                (Key::Text(json.to_string().into()), kql::Value::Dynamic(json.clone()))
            }
            _ => return 0,
        };
        let Some(known) = self.columns.get(column) else { return 0 };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = known.places.get(&key) {
            return *code;
        }
        let code = u32::try_from(known.values.len()).unwrap_or(0);
        known.places.insert(key, code);
        known.values.push(made);
        code
    }

    pub(super) fn into_values(self) -> Vec<Vec<kql::Value>> {
        let inner =
            |known: Mutex<Known>| known.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.columns.into_iter().map(|known| inner(known).values).collect()
    }
}

/// A row in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) ticks: i64,
    pub(super) codes: [u32; CODED],
    pub(super) drift: Drift,
}

/// One who reads: remembers what it has met, so as to ask the others seldom.
pub(super) struct Coder<'w> {
    words: &'w Words,
    names: HashMap<String, Place>,
    /// Numbers of texts as they are written, by column.
    texts: Vec<Texts>,
    wholes: HashMap<(usize, i64), u32>,
}

#[derive(Default)]
struct Texts {
    known: HashMap<String, (u32, u32)>,
    /// The last one met: rows that follow one another are much alike.
    last: String,
    last_code: (u32, u32),
}

/// Where the two columns are that are made from one field.
const RESOURCE: &str = "_ResourceId";

impl<'w> Coder<'w> {
    pub(super) fn new(words: &'w Words) -> Self {
        let texts = (0..CODED).map(|_| Texts::default()).collect();
        Self { words, names: HashMap::new(), texts, wholes: HashMap::new() }
    }

    /// A row of any reader.
    pub(super) fn row(&mut self, row: &TableRow) -> Coded {
        let mut coded = Coded { ticks: to_ticks(row.time), drift: row.drift, ..Coded::default() };
        let values = row.values.iter().skip(1).enumerate();
        for ((column, value), code) in values.zip(&mut coded.codes) {
            *code = self.words.code(column, value);
        }
        coded
    }

    /// A line, if it is a plain record of the table.
    pub(super) fn line(&mut self, line: &[u8], unknown: &mut dyn FnMut(&str)) -> Option<Coded> {
        let mut raw = serde_json::Deserializer::from_str(str::from_utf8(line).ok()?);
        let mut fields = Fields::default();
        Record { coder: self, fields: &mut fields, inner: false, unknown }
            .deserialize(&mut raw)
            .ok()?;
        raw.end().ok()?;
        let mut coded = Coded { ticks: fields.ticks?, drift: fields.drift, ..Coded::default() };
        for ((code, outer), inner) in coded.codes.iter_mut().zip(fields.outer).zip(fields.inner) {
            *code = outer.or(inner).unwrap_or(0);
        }
        self.finish(&mut coded, fields.subscription);
        Some(coded)
    }

    /// What every row of the table has, whatever the record says.
    fn finish(&mut self, coded: &mut Coded, subscription: u32) {
        for (column, code) in COLUMNS.iter().skip(1).zip(&mut coded.codes) {
            match column.name {
                "Type" => *code = self.table(),
                "_SubscriptionId" if *code == 0 => *code = subscription,
                _ => {}
            }
        }
    }

    fn table(&mut self) -> u32 {
        let at = COLUMNS.iter().skip(1).position(|column| column.name == "Type").unwrap_or(0);
        self.text(at, table::TABLE).0
    }

    /// The numbers of a text in a column, and of the subscription that it names.
    fn text(&mut self, column: usize, text: &str) -> (u32, u32) {
        let Some(texts) = self.texts.get_mut(column) else { return (0, 0) };
        if texts.last == text && !text.is_empty() {
            return texts.last_code;
        }
        let words = self.words;
        let code = *texts.known.entry_ref(text).or_insert_with(|| first_met(words, column, text));
        texts.last.clear();
        texts.last.push_str(text);
        texts.last_code = code;
        code
    }

    fn whole(&mut self, column: usize, n: i64) -> u32 {
        let words = self.words;
        *self.wholes.entry((column, n)).or_insert_with(|| {
            let kind = COLUMNS.get(column + 1).map_or(Kind::String, |column| column.kind);
            words.code(column, &cell::value(kind, &Json::from(n)))
        })
    }

    fn place(&mut self, name: &str) -> Place {
        if let Some(place) = self.names.get(name) {
            return *place;
        }
        let place = table::place_of(name);
        // Names come from outside: there may be any number of them.
        if self.names.len() < 1_000 {
            self.names.insert(name.to_owned(), place);
        }
        place
    }
}

fn first_met(words: &Words, column: usize, text: &str) -> (u32, u32) {
    let Some(known) = COLUMNS.get(column + 1) else { return (0, 0) };
    let value = cell::value(known.kind, &Json::from(text));
    if known.name != RESOURCE {
        return (words.code(column, &value), 0);
    }
    let (id, subscription) = table::resource(text);
    let code = |column, text: &str| words.code(column, &Value::string(text));
    (code(column, &id), subscription.map_or(0, |text| code(CODED - 1, &text)))
}

/// The fields of a record as they are met.
#[derive(Default)]
struct Fields {
    ticks: Option<i64>,
    outer: [Option<u32>; CODED],
    /// Those of `properties`, which give way.
    inner: [Option<u32>; CODED],
    subscription: u32,
    drift: Drift,
    properties: bool,
    /// The columns met, a bit each: outside, and in `properties`.
    met: [u32; 2],
}

/// Reads an object: the record itself, or its properties.
struct Record<'r, 'w, 'u> {
    coder: &'r mut Coder<'w>,
    fields: &'r mut Fields,
    inner: bool,
    unknown: &'r mut (dyn FnMut(&str) + 'u),
}

impl<'de> DeserializeSeed<'de> for Record<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let odd = || A::Error::custom("odd");
        while let Some(name) = map.next_key_seed(Name)? {
            match self.coder.place(&name) {
                Place::Column(0) if self.inner => return Err(odd()),
                Place::Column(0) => {
                    let text = map.next_value_seed(Name)?;
                    let ticks = ticks(&text).ok_or_else(odd)?;
                    if self.fields.ticks.replace(ticks).is_some() {
                        return Err(odd());
                    }
                }
                Place::Column(at) => {
                    let column = at - 1;
                    let named = COLUMNS.get(at).ok_or_else(odd)?;
                    // The table of a record is looked at where the record is; within, it is one more column.
                    let ours = named.name == "Type" && !self.inner;
                    // Of two the first counts, or the last, as their names have it.
                    let [outer, inner] = &mut self.fields.met;
                    let met = if self.inner { inner } else { outer };
                    if *met >> column & 1 == 1 {
                        return Err(odd());
                    }
                    *met |= 1 << column;
                    let cell = Cell { coder: self.coder, column, kind: named.kind, table: ours };
                    self.fields.drift.add(table::drift_of(at));
                    let Some((code, subscription)) = map.next_value_seed(cell)? else { continue };
                    let side =
                        if self.inner { &mut self.fields.inner } else { &mut self.fields.outer };
                    *side.get_mut(column).ok_or_else(odd)? = Some(code);
                    if named.name == RESOURCE {
                        if self.inner {
                            return Err(odd());
                        }
                        self.fields.subscription = subscription;
                    }
                }
                Place::Category if !self.inner => {
                    let text = map.next_value_seed(Name)?;
                    if !text.trim().eq_ignore_ascii_case(table::CATEGORY) {
                        return Err(odd());
                    }
                }
                Place::Properties if !self.inner => {
                    if std::mem::replace(&mut self.fields.properties, true) {
                        return Err(odd());
                    }
                    map.next_value_seed(Record {
                        coder: self.coder,
                        fields: self.fields,
                        inner: true,
                        unknown: self.unknown,
                    })?;
                }
                Place::Wrap => return Err(odd()),
                Place::Envelope if !self.inner => {
                    map.next_value::<IgnoredAny>()?;
                }
                Place::Envelope | Place::Category | Place::Properties | Place::Unknown => {
                    (self.unknown)(&name);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A text, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The value of a column: its number, and that of the subscription that it names; nothing for null.
struct Cell<'r, 'w> {
    coder: &'r mut Coder<'w>,
    column: usize,
    kind: Kind,
    /// Tells the table of the record.
    table: bool,
}

impl<'de> DeserializeSeed<'de> for Cell<'_, '_> {
    type Value = Option<(u32, u32)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_, '_> {
    type Value = Option<(u32, u32)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.table && !text.trim().eq_ignore_ascii_case(table::TABLE) {
            return Err(E::custom("another table"));
        }
        Ok(Some(self.coder.text(self.column, text)))
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Self::Value, E> {
        if self.table || self.kind == Kind::Dynamic {
            return Err(E::custom("odd"));
        }
        Ok(Some((self.coder.whole(self.column, n), 0)))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Self::Value, E> {
        match i64::try_from(n) {
            Ok(n) => self.visit_i64(n),
            Err(_) => Err(E::custom("odd")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        if self.kind != Kind::Dynamic {
            return Err(A::Error::custom("odd"));
        }
        let json = Json::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Some((self.coder.words.code(self.column, &cell::value(self.kind, &json)), 0)))
    }
    // Real numbers and lists are refused: they are rare, and the reader of all formats knows them.
}

/// `2026-11-22T08:00:00.1234567Z`, with or without a fraction; all else is for the reader of all formats.
fn ticks(text: &str) -> Option<i64> {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        rest @ ..,
    ] = text.as_bytes()
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(*digit - b'0'))
        })
    };
    let (year, month, day) =
        (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*n1, *n2])?, number(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match rest {
        [b'Z'] => 0,
        [b'.', digits @ .., b'Z'] if (1..=7).contains(&digits.len()) => digits
            .iter()
            .chain(std::iter::repeat(&b'0'))
            .take(7)
            .try_fold(0_i64, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + i64::from(*digit - b'0'))
            })?,
        _ => return None,
    };
    let date = chrono::NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    let days = date.signed_duration_since(chrono::NaiveDate::from_ymd_opt(1, 1, 1)?).num_days();
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) * 10_000_000 + fraction)
}
