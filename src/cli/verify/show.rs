//! What an examination found, for people and for programs.

use super::super::Format;
use super::super::report::out;
use super::secrets::Secrets;
use crate::notify::captured::Captured;
use crate::notify::limits;
use crate::notify::proof::{Examination, Wrong};
use serde_json::{Value as Json, json};

/// Prints what was found of each request.
pub(super) fn all(format: Format, seen: &[(&Captured, Examination)], secrets: &Secrets) {
    if format == Format::Json {
        let mut all: Vec<Json> = seen.iter().map(|(one, seen)| json(one, seen, secrets)).collect();
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => out(one),
            (Some(last), false) => {
                all.push(last);
                out(Json::Array(all));
            }
            (None, _) => {}
        }
        return;
    }
    for (n, (captured, seen)) in (1..).zip(seen) {
        if n > 1 {
            out("");
        }
        if let Some(name) = &captured.name {
            out(format!("{}:", limits::clean(name, 100)));
        }
        for line in lines(seen, secrets) {
            out(line);
        }
    }
}

/// The verdict, and what it rests on.
pub(crate) fn lines(seen: &Examination, secrets: &Secrets) -> Vec<String> {
    let mut lines = Vec::new();
    if seen.is_valid() {
        let by = seen.signed_by.first().map(|n| secrets.name(*n)).unwrap_or_default();
        lines.push(format!("valid: signed with {by}, and fresh{}", aged(seen.age)));
    }
    for wrong in &seen.wrong {
        lines.push(format!("not valid: {wrong}"));
        lines.extend(wrong.hint().map(|hint| format!("  hint: {hint}")));
    }
    for note in &seen.notes {
        lines.push(format!("note: {}", note.said(|n| secrets.name(n))));
    }
    lines
}

fn aged(age: Option<i64>) -> String {
    match age {
        Some(age) if age > 0 => format!(" ({age} s old)"),
        _ => String::new(),
    }
}

/// The same for programs.
pub(crate) fn json(captured: &Captured, seen: &Examination, secrets: &Secrets) -> Json {
    let name = |n: &usize| secrets.name(*n);
    let mut json = json!({
        "valid": seen.is_valid(),
        "why": seen.wrong.first().map(ToString::to_string),
        "wrong": seen.wrong.iter().map(wrong).collect::<Vec<_>>(),
        "notes": seen.notes.iter().map(|note| json!({
            "code": note.as_str(), "text": note.said(|n| secrets.name(n)),
        })).collect::<Vec<_>>(),
        "signed_by": seen.signed_by.iter().map(name).collect::<Vec<_>>(),
        "hub_signed_by": seen.hub_signed_by.as_ref().map(name),
        "id": seen.id.as_deref().map(|id| limits::clean(id, 200)),
        "age": seen.age,
    });
    if let (Some(name), Some(object)) = (&captured.name, json.as_object_mut()) {
        object.insert("name".to_owned(), limits::clean(name, 100).into());
    }
    json
}

fn wrong(wrong: &Wrong) -> Json {
    let mut json = json!({"code": wrong.as_str(), "text": wrong.to_string(), "hint": wrong.hint()});
    let more = match wrong {
        Wrong::Changed(change) => Some(("change", change.as_str())),
        Wrong::NoMatch(suspect) => Some(("suspect", suspect.as_str())),
        _ => None,
    };
    if let (Some((key, value)), Some(object)) = (more, json.as_object_mut()) {
        object.insert(key.to_owned(), value.into());
    }
    json
}
