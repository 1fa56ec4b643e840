//! Parameters of a rule: values with names, which stand before its query as constants. So a threshold or a time zone can be
//! changed without copying the query.

use super::step::TABLE;
use super::tables::{HARDWARE_TABLE, Variant, schema};
use std::collections::BTreeMap;
use std::fmt;
use toml::Value as Toml;
use toml::value::{Date, Datetime, Offset, Time};

/// Words of KQL that a reader would stumble over, even where the service takes them for names.
const WORDS: [&str; 30] = [
    "let", "where", "by", "on", "in", "kind", "with", "from", "to", "of", "step", "set", "null",
    "and", "or", "not", "has", "contains", "between", "true", "false", "print", "string", "int",
    "long", "real", "bool", "datetime", "timespan", "dynamic",
];

/// A rule's parameters by name.
pub type Parameters = BTreeMap<String, Parameter>;

/// The characters of a parameter's name, at most.
const NAME: usize = 64;
/// The characters of a text, at most.
const TEXT: usize = 1_000;
/// The items of a list, at most.
const ITEMS: usize = 1_000;

/// The value of a parameter. Its type in KQL is that of its value in TOML.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// A string.
    Text(String),
    /// An integer: `long`.
    Whole(i64),
    /// A float: `real`. Neither infinite nor NaN.
    Number(f64),
    /// `true` or `false`: `bool`.
    Flag(bool),
    /// A date, with or without a time, in UTC: `datetime`. As KQL writes it.
    Instant(String),
    /// A time of day: `timespan` since midnight, in nanoseconds.
    Clock(u64),
    /// A list of values of one type: `dynamic`.
    List(Vec<Self>),
}

/// A value that is no parameter's, or a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The name is none that KQL takes.
    #[error(
        "not a parameter's name: letters, digits and `_`, at most {NAME}, not beginning with a digit"
    )]
    Name,
    /// The name means something in KQL, or is a constant of every query.
    #[error("a parameter cannot be called `{0}`: the name has a meaning of its own in a query")]
    Reserved(String),
    /// A column hides a constant of its name.
    #[error(
        "a parameter cannot be called `{0}`: the table has a column of this name, which would hide it"
    )]
    Column(String),
    /// Nothing that KQL could take.
    #[error("{0}")]
    Value(&'static str),
    /// A value of another type than the preset's.
    #[error("expected {expected}, found {found}")]
    Kind {
        /// What the preset has.
        expected: &'static str,
        /// What was given.
        found: &'static str,
    },
}

impl Parameter {
    /// Reads a value of TOML.
    pub fn of(value: &Toml) -> Result<Self, ParameterError> {
        Ok(match value {
            Toml::String(text) => Self::text(text)?,
            Toml::Integer(n) => Self::Whole(*n),
            Toml::Float(x) if x.is_finite() => Self::Number(*x),
            Toml::Float(_) => {
                return Err(ParameterError::Value("neither infinity nor NaN is a parameter"));
            }
            Toml::Boolean(b) => Self::Flag(*b),
            Toml::Datetime(when) => Self::when(when)?,
            Toml::Array(items) => Self::list(items)?,
            Toml::Table(_) => return Err(ParameterError::Value("a table is not a parameter")),
        })
    }

    fn text(text: &str) -> Result<Self, ParameterError> {
        if text.chars().any(char::is_control) {
            return Err(ParameterError::Value(
                "a text of more than one line, or with control characters",
            ));
        }
        if text.chars().count() > TEXT {
            return Err(ParameterError::Value("a text that is too long: at most 1000 characters"));
        }
        Ok(Self::Text(text.to_owned()))
    }

    fn when(when: &Datetime) -> Result<Self, ParameterError> {
        match when {
            Datetime { date: None, time: Some(time), offset: None } => Ok(Self::clock(*time)),
            Datetime { date: Some(Date { year, month, day }), time, offset } => {
                if !matches!(offset, None | Some(Offset::Z | Offset::Custom { minutes: 0 })) {
                    return Err(ParameterError::Value(
                        "a time with an offset: write it in UTC, with `Z`",
                    ));
                }
                let time = time.map(|Time { hour, minute, second, nanosecond }| {
                    let (second, ticks) = (second.unwrap_or(0), nanosecond.unwrap_or(0) / 100);
                    format!("T{hour:02}:{minute:02}:{second:02}.{ticks:07}Z")
                });
                let time = time.unwrap_or_default();
                Ok(Self::Instant(format!("{year:04}-{month:02}-{day:02}{time}")))
            }
            _ => Err(ParameterError::Value("a date that cannot be read")),
        }
    }

    fn clock(Time { hour, minute, second, nanosecond }: Time) -> Self {
        let seconds =
            u64::from(hour) * 3_600 + u64::from(minute) * 60 + u64::from(second.unwrap_or(0));
        Self::Clock(seconds * 1_000_000_000 + u64::from(nanosecond.unwrap_or(0)))
    }

    fn list(items: &[Toml]) -> Result<Self, ParameterError> {
        if items.len() > ITEMS {
            return Err(ParameterError::Value("a list that is too long: at most 1000 items"));
        }
        let items: Vec<Self> = items.iter().map(Self::of).collect::<Result<_, _>>()?;
        let plain = |item: &Self| {
            matches!(item, Self::Text(_) | Self::Whole(_) | Self::Number(_) | Self::Flag(_))
        };
        if !items.iter().all(plain) {
            return Err(ParameterError::Value(
                "a list of something else than texts, numbers or `true` and `false`",
            ));
        }
        if items.iter().any(|item| items.first().is_some_and(|first| first.kind() != item.kind())) {
            return Err(ParameterError::Value("a list of values of different types"));
        }
        Ok(Self::List(items))
    }

    /// What it is, in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Whole(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Flag(_) => "`true` or `false`",
            Self::Instant(_) => "a date",
            Self::Clock(_) => "a time of day",
            Self::List(_) => "a list",
        }
    }

    /// A value that stands in for this one: it has to be of the same type. A whole number is a number too, and `"07:30"` is a
    /// time of day where one is wanted.
    pub fn replaced_by(&self, value: Self) -> Result<Self, ParameterError> {
        match (self, value) {
            (Self::Number(_), Self::Whole(n)) => {
                let number: Option<i32> = n.try_into().ok();
                number
                    .map(|n| Self::Number(f64::from(n)))
                    .ok_or(ParameterError::Value("a number that is too large"))
            }
            (Self::Clock(_), Self::Text(text)) => match text.parse() {
                Ok(Datetime { date: None, time: Some(time), offset: None }) => {
                    Ok(Self::clock(time))
                }
                _ => Err(ParameterError::Kind {
                    expected: "a time of day, such as 07:30:00",
                    found: "another text",
                }),
            },
            (Self::List(mine), Self::List(given)) => {
                let kind = |items: &[Self]| items.first().map(Self::kind);
                match (kind(mine), kind(&given)) {
                    (Some(expected), Some(found)) if expected != found => {
                        let expected = match mine.first() {
                            Some(Self::Text(_)) => "a list of texts",
                            _ => "a list of the preset's type",
                        };
                        Err(ParameterError::Kind { expected, found: "a list of something else" })
                    }
                    _ => Ok(Self::List(given)),
                }
            }
            (mine, value) if mine.kind() == value.kind() => Ok(value),
            (mine, value) => {
                Err(ParameterError::Kind { expected: mine.kind(), found: value.kind() })
            }
        }
    }

    /// The value as KQL writes it.
    pub fn kql(&self) -> String {
        match self {
            Self::Text(text) => {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{text}\"")
            }
            Self::Whole(n) if *n >= 0 => n.to_string(),
            Self::Whole(n) => format!("long({n})"),
            Self::Number(x) => format!("real({x:?})"),
            Self::Flag(b) => b.to_string(),
            Self::Instant(text) => format!("datetime({text})"),
            Self::Clock(_) => format!("timespan({self})"),
            Self::List(_) => format!("dynamic({})", self.json()),
        }
    }

    /// The value as JSON: what has no type there is text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Whole(n) => (*n).into(),
            Self::Number(x) => (*x).into(),
            Self::Flag(b) => (*b).into(),
            Self::Instant(_) | Self::Clock(_) => self.to_string().into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
        }
    }
}

/// The value as TOML writes it.
impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Toml::String(text.clone())),
            Self::Whole(n) => write!(f, "{n}"),
            Self::Number(x) => write!(f, "{x:?}"),
            Self::Flag(b) => write!(f, "{b}"),
            Self::Instant(text) => write!(f, "{text}"),
            Self::Clock(nanos) => {
                let (seconds, ticks) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 100);
                write!(f, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
                if ticks > 0 { write!(f, ".{ticks:07}") } else { Ok(()) }
            }
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for Parameter {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Toml::deserialize(from)?;
        Self::of(&value).map_err(serde::de::Error::custom)
    }
}

/// Whether a parameter may have this name.
pub fn check_name(name: &str) -> Result<(), ParameterError> {
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= NAME;
    if !good {
        return Err(ParameterError::Name);
    }
    let columns = [TABLE, HARDWARE_TABLE].map(|table| schema(table, Variant::Both));
    if columns.iter().flatten().any(|schema| schema.columns.iter().any(|c| c.name == name)) {
        return Err(ParameterError::Column(name.to_owned()));
    }
    // Keywords and what else KQL has a use for.
    let text = format!("let {name} = 1; print {name}");
    let tables = super::tables::Empty(Variant::Both);
    let constant = ["window_start", "window_end", TABLE, HARDWARE_TABLE].contains(&name);
    let constant = constant || WORDS.contains(&name);
    if constant || kql::bind(&text, &tables, kql::UNIX_EPOCH).is_err() {
        return Err(ParameterError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// The parameters as constants, to stand before a query on its first line; nothing if there are none.
pub(super) fn constants(parameters: &Parameters) -> String {
    let one = |(name, value): (&String, &Parameter)| format!("let {name} = {}; ", value.kql());
    parameters.iter().map(one).collect::<Vec<_>>().concat()
}

/// Whether a text speaks of a name.
pub(super) fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests;
