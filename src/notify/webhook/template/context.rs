//! What a template is given: the default format's object, and a few texts that are ready to be shown.

use crate::notify::webhook::cloud_event;
use crate::notify::webhook::plain;
use crate::notify::{Detail, limits, wording};
use crate::watch::alert::Alert;
use crate::watch::own;
use crate::watch::severity::Severity;
use minijinja::Value;
use serde_json::{Value as Json, json};

/// How much of the default format's object a template is given, in bytes of JSON: further hits are counted only, so that what
/// is made of them has room.
const MAX_OBJECT: usize = 131_072;

/// What is ready beside the default format's object: name and meaning.
pub const READY: [(&str, &str); 6] = [
    (
        "title",
        "The rule's title, on one line. `Test: …` for a test, `Well again: …` for a condition that is over.",
    ),
    (
        "summary",
        "What happened in one sentence, on one line: how often, on which HSM, when, by how many callers.",
    ),
    (
        "severity",
        "`critical`, `high`, `medium`, `low` or `info`: the same as `data.rule.severity`.",
    ),
    ("severity_number", "The same as a number: 1 for critical, 2, 3, 4, and 5 for info."),
    (
        "text",
        "The whole alert as plain text of several lines, ready for a description or a comment.",
    ),
    (
        "well_again",
        "`true` if this alert says that a condition of hsmwatch itself is over, else `false`: no alert about a key is ever taken back.",
    ),
];

/// What a template is given of an alert.
pub fn context(alert: &Alert, detail: Detail) -> Value {
    value(object(alert, detail))
}

/// The same as JSON.
pub(super) fn object(alert: &Alert, detail: Detail) -> Json {
    let mut object = cloud_event::object(alert, detail, MAX_OBJECT);
    let summary: Vec<String> =
        wording::summary(alert, detail).iter().map(|piece| piece.text(500)).collect();
    let ready = [
        json!(limits::clean(wording::title(alert), 1_000)),
        json!(summary.concat()),
        json!(alert.rule.severity),
        json!(number(alert.rule.severity)),
        json!(plain(alert, detail)),
        json!(own::is_well_again(alert)),
    ];
    if let Json::Object(all) = &mut object {
        all.extend(READY.iter().map(|(name, _)| (*name).to_owned()).zip(ready));
    }
    object
}

/// 1 for the worst.
const fn number(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 1,
        Severity::High => 2,
        Severity::Medium => 3,
        Severity::Low => 4,
        Severity::Info => 5,
    }
}

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(it) => Value::from(it),
        Json::Number(it) => match (it.as_u64(), it.as_i64(), it.as_f64()) {
            (Some(it), _, _) => Value::from(it),
            (_, Some(it), _) => Value::from(it),
            (_, _, Some(it)) => Value::from(it),
            _ => Value::from(()),
        },
        Json::String(it) => Value::from(it),
        Json::Array(all) => all.into_iter().map(value).collect(),
        Json::Object(all) => Value::from_pairs(all.into_iter().map(|(k, v)| (k, value(v)))),
    }
}
