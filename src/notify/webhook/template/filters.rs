//! What templates can do with values. Of what the engine brings only some: each costs room in the package, and some undo
//! escaping.

use super::escape;
use crate::notify::limits::{self, Unit};
use crate::notify::percent;
use minijinja::{Environment, Error, Value, filters, functions, tests};

/// Gives an engine that has nothing its filters, tests and functions.
pub(super) fn add(engine: &mut Environment<'static>) {
    engine.add_filter("in_string", in_string);
    engine.add_filter("one_line", one_line);
    engine.add_filter("tojson", tojson);
    engine.add_filter("truncate", truncate);
    engine.add_filter("urlencode", urlencode);

    engine.add_filter("count", filters::length);
    engine.add_filter("d", filters::default);
    engine.add_filter("default", filters::default);
    engine.add_filter("first", filters::first);
    engine.add_filter("int", filters::int);
    engine.add_filter("items", filters::items);
    engine.add_filter("join", filters::join);
    engine.add_filter("last", filters::last);
    engine.add_filter("length", filters::length);
    engine.add_filter("list", filters::list);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("map", filters::map);
    engine.add_filter("reject", filters::reject);
    engine.add_filter("replace", filters::replace);
    engine.add_filter("select", filters::select);
    engine.add_filter("selectattr", filters::selectattr);
    engine.add_filter("string", filters::string);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("unique", filters::unique);
    engine.add_filter("upper", filters::upper);

    engine.add_test("defined", tests::is_defined);
    engine.add_test("endingwith", tests::is_endingwith);
    engine.add_test("equalto", tests::is_eq);
    engine.add_test("in", tests::is_in);
    engine.add_test("none", tests::is_none);
    engine.add_test("number", tests::is_number);
    engine.add_test("startingwith", tests::is_startingwith);
    engine.add_test("string", tests::is_string);
    engine.add_test("undefined", tests::is_undefined);

    // Nothing that could carry a value from one turn of a loop to the next: it could grow without an end.
    engine.add_function("range", functions::range);
}

/// A value as the inside of a JSON string: `"Alert: {{ title | in_string }}"`.
fn in_string(value: &Value) -> Result<Value, Error> {
    let quoted = serde_json::Value::from(escape::text(value)?).to_string();
    let inside = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Ok(Value::from_safe_string(inside.unwrap_or_default().to_owned()))
}

/// A value as JSON, whatever the content type.
fn tojson(value: &Value) -> Result<Value, Error> {
    Ok(Value::from_safe_string(escape::json(value)?))
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
