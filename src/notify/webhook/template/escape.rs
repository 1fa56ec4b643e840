//! How values are written: for every content type so that text stays text.

use crate::notify::webhook::MAX_BODY;
use crate::notify::{limits, percent};
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Error, ErrorKind, Output, State, Value};
use std::borrow::Cow;

/// The longest value that a header takes of one expression.
const MAX_IN_HEADER: usize = 1_024;
/// How deeply what is written as JSON may be nested.
const MAX_DEPTH: usize = 100;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// As a JSON value, with its quotes.
    Json,
    /// Percent-encoded.
    Form,
    /// With the characters replaced that HTML and XML give a meaning.
    Markup,
    /// As it is.
    Text,
    /// On one line, of visible ASCII.
    Header,
}

impl Escape {
    /// For a content type; `None` if it is none.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let fit = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if content_type.len() > 256 || !content_type.bytes().all(fit) {
            return None;
        }
        let bare = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let token = |part: &str| {
            let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty() && part.bytes().all(fit)
        };
        let (kind, of) = bare.split_once('/')?;
        if !token(kind) || !token(of) {
            return None;
        }
        let is = |word: &str| of == word || of.ends_with(&format!("+{word}"));
        Some(if is("json") {
            Self::Json
        } else if of == "x-www-form-urlencoded" {
            Self::Form
        } else if is("xml") || of == "html" {
            Self::Markup
        } else {
            Self::Text
        })
    }

    /// As the engine knows it.
    pub(super) const fn auto(self) -> AutoEscape {
        match self {
            Self::Json => AutoEscape::Custom(Cow::Borrowed("json")),
            Self::Form => AutoEscape::Custom(Cow::Borrowed("form")),
            Self::Markup => AutoEscape::Custom(Cow::Borrowed("markup")),
            Self::Text => AutoEscape::None,
            Self::Header => AutoEscape::Custom(Cow::Borrowed("header")),
        }
    }
}

/// Writes a value.
pub(super) fn write(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    // What was written before, in a block that was kept, and what `tojson` and `in_string` make.
    if value.is_safe() {
        return Ok(out.write_str(value.as_str().unwrap_or_default())?);
    }
    let how = match state.auto_escape() {
        AutoEscape::Custom(how) => how.as_ref(),
        _ => "text",
    };
    let text = match how {
        "json" => json(value)?,
        "form" => percent::encode(&text(value)?),
        "markup" => markup(&text(value)?),
        "header" => header(&text(value)?),
        _ => text(value)?,
    };
    Ok(out.write_str(&text)?)
}

/// A value as text: what is no text, as JSON.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String => Ok(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::None => Ok(String::new()),
        _ => json(value),
    }
}

/// A value as JSON.
pub(super) fn json(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    put(&mut out, value, 0)?;
    Ok(out)
}

/// Appends a value as JSON. Lists may share what they hold, so that what is written can be far larger than what is kept.
fn put(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::BadSerialization, "it is nested too deeply"));
    }
    if out.len() > MAX_BODY {
        return Err(Error::new(ErrorKind::WriteFailure, "it is too large"));
    }
    let wrong = |_| Error::new(ErrorKind::BadSerialization, "it cannot be written as JSON");
    match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => {
            // The engine has wider ones than JSON; what is no number is null.
            let number = value.to_string().parse::<serde_json::Number>();
            out.push_str(&number.map_or_else(|_| "null".to_owned(), |number| number.to_string()));
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            out.push_str(&serde_json::to_string(text).map_err(wrong)?);
        }
        ValueKind::Map => {
            out.push('{');
            for (n, key) in value.try_iter()?.enumerate() {
                if n > 0 {
                    out.push(',');
                }
                let name = serde_json::to_string(&key.to_string()).map_err(wrong)?;
                out.push_str(&name);
                out.push(':');
                put(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (n, item) in value.try_iter()?.enumerate() {
                if n > 0 {
                    out.push(',');
                }
                put(out, &item, depth + 1)?;
            }
            out.push(']');
        }
        _ => return Err(Error::new(ErrorKind::BadSerialization, "it is neither text nor number")),
    }
    Ok(())
}

fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no way to write these.
            '\u{0}'..='\u{8}'
            | '\u{b}'
            | '\u{c}'
            | '\u{e}'..='\u{1f}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

fn header(text: &str) -> String {
    let text = limits::clean(text, MAX_IN_HEADER);
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
