//! What templates can do with values, beside what the engine brings.

use super::escape;
use crate::notify::limits::{self, Unit};
use crate::notify::percent;
use minijinja::{Environment, Error, Value};

/// What the engine brings and templates have no use for: these undo escaping, or show what rendering keeps.
const WITHOUT: [&str; 4] = ["safe", "escape", "e", "pprint"];

pub(super) fn add(engine: &mut Environment<'static>) {
    for name in WITHOUT {
        engine.remove_filter(name);
    }
    engine.remove_global("debug");
    engine.add_filter("in_string", in_string);
    engine.add_filter("truncate", truncate);
    engine.add_filter("one_line", one_line);
    engine.add_filter("urlencode", urlencode);
}

/// A value as the inside of a JSON string: `"Alert: {{ title | in_string }}"`.
fn in_string(value: &Value) -> Result<Value, Error> {
    let quoted = serde_json::Value::from(escape::text(value)?).to_string();
    let inside = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Ok(Value::from_safe_string(inside.unwrap_or_default().to_owned()))
}

/// The beginning of a text and an ellipsis, if it has more characters than that.
fn truncate(text: &str, max: usize) -> String {
    limits::cap(text, max, Unit::Chars)
}

/// A text on one line, without characters that hide or reorder what stands beside them.
fn one_line(text: &str) -> String {
    limits::clean(text, usize::MAX)
}

/// A text for a part of an address.
fn urlencode(text: &str) -> String {
    percent::encode(text)
}
