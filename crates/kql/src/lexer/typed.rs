//! `int(…)`, `datetime(…)` and their like: literals that name their type.

use super::Kind;
use super::Lexer;
use crate::diagnostics::{Diagnostic, Span};
use crate::time;
use crate::value::{Decimal, Type, Value, parse_guid};

/// Literals of the form `type(text)`.
const TYPED: &[(&str, Type)] = &[
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("long", Type::Long),
    ("real", Type::Real),
    ("double", Type::Real),
    ("decimal", Type::Decimal),
    ("datetime", Type::Datetime),
    ("date", Type::Datetime),
    ("timespan", Type::Timespan),
    ("time", Type::Timespan),
    ("guid", Type::Guid),
    ("dynamic", Type::Dynamic),
];

/// The type that a literal of the name has.
pub(super) fn of_name(name: &str) -> Option<Type> {
    TYPED.iter().find(|(n, _)| *n == name).map(|(_, ty)| *ty)
}

impl Lexer<'_> {
    /// `datetime(…)` and its like: the raw text up to the closing parenthesis.
    pub(super) fn typed(&mut self, ty: Type, rest: &str, open: usize) {
        let body = rest.get(open..).unwrap_or("");
        let end = if ty == Type::Dynamic { dynamic_end(body) } else { body.find(')') };
        let Some(end) = end else {
            let span = Span::new(self.text.len(), 0);
            self.found.push(Diagnostic::error("KS005", span, "Expected: )"));
            self.push(Kind::Literal(Value::Null, ty), rest.len());
            return;
        };
        let raw = body.get(..end).unwrap_or("").trim();
        let len = open + end + 1;
        if ty == Type::Dynamic {
            let blanks = body.len() - body.trim_start().len();
            self.dynamic(raw, open + blanks, len);
            return;
        }
        let quoted = ['"', '\''].into_iter().find_map(|q| raw.strip_prefix(q)?.strip_suffix(q));
        let text = quoted.unwrap_or(raw);
        if text == "null" {
            self.push(Kind::Literal(Value::Null, ty), len);
            return;
        }
        self.literal(typed_value(ty, text), ty, len);
    }
}

pub(super) fn truth(name: &str) -> Option<bool> {
    match name {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn dynamic_end(body: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (i, c) in body.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), _) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return Some(i),
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The value that the text of a literal has.
fn typed_value(ty: Type, text: &str) -> Option<Value> {
    match ty {
        Type::Bool => match truth(text) {
            Some(value) => Some(Value::Bool(value)),
            None => integer(text).map(|number| Value::Bool(number != 0)),
        },
        Type::Int => integer(text).and_then(|v| i32::try_from(v).ok()).map(Value::Int),
        Type::Long => integer(text).map(Value::Long),
        Type::Real => text.parse().ok().map(Value::Real),
        Type::Decimal => Decimal::parse(text).map(Value::Decimal),
        Type::Datetime => {
            time::parse_datetime(text).or_else(|| spaced_date(text)).map(Value::Datetime)
        }
        Type::Timespan => time::parse_timespan(text).map(Value::Timespan),
        Type::Guid => {
            let bare = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
            parse_guid(bare).map(Value::Guid)
        }
        Type::String | Type::Dynamic => None,
    }
}

/// Digits with or without a sign, to the base of ten or, after `0x`, of sixteen.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) else {
        return text.parse().ok();
    };
    let sound = hex.starts_with(|c: char| c.is_ascii_hexdigit());
    let value = u64::from_str_radix(hex, 16).ok().filter(|_| sound)?.cast_signed();
    Some(if text.starts_with('-') { value.wrapping_neg() } else { value })
}

/// `2025, 6, 14` and `2025 - 06 - 14`.
fn spaced_date(text: &str) -> Option<i64> {
    let separator = if text.contains(',') { ',' } else { '-' };
    let mut parts = text.split(separator).map(str::trim);
    let mut part = || parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let (year, month, day) = (part()?, part()?, part()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    time::parse_datetime(&format!("{year}-{month}-{day}"))
}
