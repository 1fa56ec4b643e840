//! What the API for integrations refuses at once.

use super::super::chars;
use serde_json::{Map, Value as Json};

/// Holds texts to their lengths.
pub(super) fn limit(errors: &mut Map<String, Json>, body: &Json, limits: &[(&str, usize)]) {
    for (name, most) in limits {
        match &body[*name] {
            Json::Null => {}
            Json::String(text) if chars(text) <= *most => {}
            Json::String(_) => {
                errors.insert(
                    (*name).to_owned(),
                    format!("must be at most {most} characters").into(),
                );
            }
            _ => {
                errors.insert((*name).to_owned(), "must be a string".into());
            }
        }
    }
}

/// Notes what nobody knows.
pub(super) fn unknown(errors: &mut Map<String, Json>, body: &Json, known: &[&str]) {
    for name in body.as_object().into_iter().flat_map(Map::keys) {
        if !known.contains(&name.as_str()) {
            errors.insert(name.clone(), "unknown property".into());
        }
    }
}

/// What is wrong with a request to create an alert.
pub(super) fn faults(body: &Json) -> Map<String, Json> {
    let mut errors = Map::new();
    if body["message"].as_str().is_none_or(|m| m.trim().is_empty()) {
        errors.insert("message".to_owned(), "Message can not be empty.".into());
    }
    limit(
        &mut errors,
        body,
        &[
            ("message", 130),
            ("alias", 512),
            ("description", 15_000),
            ("entity", 512),
            ("source", 100),
            ("user", 100),
            ("note", 25_000),
        ],
    );
    let known = [
        "message",
        "alias",
        "description",
        "responders",
        "visibleTo",
        "actions",
        "tags",
        "details",
        "entity",
        "source",
        "priority",
        "user",
        "note",
    ];
    unknown(&mut errors, body, &known);
    let priority = &body["priority"];
    if !(priority.is_null() || ["P1", "P2", "P3", "P4", "P5"].iter().any(|p| priority == p)) {
        errors
            .insert("priority".to_owned(), "Priority should be one of P1, P2, P3, P4, P5.".into());
    }
    for (list, most, longest) in [("tags", 20, 50), ("actions", 10, 50)] {
        let short = |tag: &Json| tag.as_str().is_some_and(|t| !t.is_empty() && chars(t) <= longest);
        let holds = match &body[list] {
            Json::Null => true,
            Json::Array(tags) => tags.len() <= most && tags.iter().all(short),
            _ => false,
        };
        if !holds {
            errors
                .insert(list.to_owned(), format!("at most {most} of {longest} characters").into());
        }
    }
    let holds = match &body["details"] {
        Json::Null => true,
        Json::Object(details) => {
            let sum = details
                .iter()
                .map(|(k, v)| chars(k) + chars(v.as_str().unwrap_or_default()))
                .sum::<usize>();
            sum <= 8_000 && details.values().all(Json::is_string)
        }
        _ => false,
    };
    if !holds {
        errors.insert("details".to_owned(), "pairs of strings, 8000 characters in total".into());
    }
    for list in ["responders", "visibleTo"] {
        let typed = |entry: &Json| {
            ["team", "user", "escalation", "schedule"].iter().any(|t| entry["type"] == *t)
                && entry["id"].is_string()
        };
        if !(body[list].is_null() || body[list].as_array().is_some_and(|l| l.iter().all(typed))) {
            errors.insert(list.to_owned(), "id and type".into());
        }
    }
    errors
}
