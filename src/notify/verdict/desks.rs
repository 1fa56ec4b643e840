//! What desks answer. What concerns the configuration (a project, a field, a table, a key, a right) is the answer to every
//! alert: the receiver is broken, its alerts wait, and none is lost. Only what concerns the text of this one alert is refused.

use super::super::limits;
use super::{Class, by_status, quote};
use serde_json::Value as Json;

/// Room for what was answered and what is to be done about it.
const MAX: usize = 200;

/// Fields of an alert of Jira Service Management whose content differs from alert to alert.
const CONTENT: [&str; 4] = ["message", "description", "alias", "note"];
/// What to do when Jira does not know who asks.
const LOGIN: &str = "check `email` and `token`: it may have expired";
/// What to do when Jira does not know what is asked for, or hides it from those that it does not know.
const PROJECT: &str =
    "check `project` and the account's rights in it, and `token`: expired ones look like this";

/// What was answered, and the cure beside it.
fn with_cure(said: &str, cure: &str) -> String {
    let said = quote(said);
    match (said.as_str(), cure) {
        ("", cure) => cure.to_owned(),
        (said, "") => said.to_owned(),
        (said, cure) => {
            let room = MAX.saturating_sub(cure.chars().count() + 2);
            let said = limits::clean(said, room);
            format!("{}; {cure}", said.trim_end_matches(['.', ';', ' ']))
        }
    }
}

/// The messages of an answer: texts of a list, or those of a map behind their names.
fn messages(errors: Option<&Json>) -> Vec<String> {
    let text = |error: &Json| match error {
        Json::String(text) => Some(text.clone()),
        Json::Object(error) => ["title", "message", "detail"]
            .iter()
            .find_map(|name| error.get(*name)?.as_str())
            .map(str::to_owned),
        _ => None,
    };
    match errors {
        Some(Json::Array(list)) => list.iter().filter_map(text).map(bare).collect(),
        Some(Json::Object(map)) => {
            let said = map.iter().filter_map(|(name, error)| Some((name, text(error)?)));
            said.map(|(name, text)| format!("{name}: {}", bare(text))).collect()
        }
        _ => Vec::new(),
    }
}

/// A sentence without the period that would stand before a semicolon.
fn bare(mut text: String) -> String {
    text.truncate(text.trim_end_matches(['.', ' ']).len());
    text
}

/// The rule for all desks: what a success is not.
fn class_of(status: u16, body: &str) -> Result<Class, (Class, Option<String>)> {
    match by_status(status) {
        // A log-in page of a proxy; an instance that sleeps.
        Class::Delivered if body.trim_start().starts_with('<') => {
            let why = "a page, not the API: check `url`, and what answers there";
            Err((Class::Broken, Some(why.to_owned())))
        }
        class => Ok(class),
    }
}

fn parsed(body: &str) -> Json {
    serde_json::from_str(body).unwrap_or(Json::Null)
}

fn contains_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// `{"status":"invalid event","message":"…","errors":["…"]}`; an unknown key is answered in plain text.
pub(super) fn pagerduty(status: u16, body: &str) -> (Class, Option<String>) {
    let class = match class_of(status, body) {
        Ok(class) => class,
        Err(verdict) => return verdict,
    };
    let json = parsed(body);
    let mut said = messages(json.get("errors")).join("; ");
    if said.is_empty() {
        let message = json.get("message").and_then(Json::as_str);
        message.unwrap_or(if json.is_null() { body } else { "" }).clone_into(&mut said);
    }
    let class = match class {
        Class::Refused if contains_any(&said, &["routing_key", "routing key"]) => {
            let cure = "check `routing_key`: the integration key of an Events API v2 integration";
            return (Class::Broken, Some(with_cure(&said, cure)));
        }
        // It holds for every alert of that severity.
        Class::Refused if contains_any(&said, &["severity"]) => Class::Broken,
        class => class,
    };
    (class, Some(quote(&said)).filter(|said| !said.is_empty()))
}

/// `{"message":"…","errors":{"priority":"…"}}`; newer ones `{"errors":[{"title":"…"}]}`.
pub(super) fn jsm(status: u16, body: &str) -> (Class, Option<String>) {
    let class = match class_of(status, body) {
        Ok(class) => class,
        Err(verdict) => return verdict,
    };
    let json = parsed(body);
    let errors = json.get("errors");
    let mut said = messages(errors).join("; ");
    if said.is_empty() {
        json.get("message").and_then(Json::as_str).unwrap_or_default().clone_into(&mut said);
    }
    let configured = match errors {
        Some(Json::Object(errors)) => errors.keys().any(|name| !CONTENT.contains(&name.as_str())),
        Some(Json::Array(_)) => !said.is_empty() && !contains_any(&said, &CONTENT),
        _ => false,
    };
    match class {
        class @ Class::Broken if matches!(status, 401 | 403) => {
            let cure = "check `api_key`: the key of an API integration that may create alerts";
            (class, Some(with_cure(&said, cure)))
        }
        Class::Refused if configured => {
            (Class::Broken, Some(with_cure(&said, "check `priority` and `fields`")))
        }
        class => (class, Some(quote(&said)).filter(|said| !said.is_empty())),
    }
}

/// `{"error":{"message":"…","detail":"…"},"status":"failure"}`
pub(super) fn servicenow(status: u16, body: &str) -> (Class, Option<String>) {
    let class = match class_of(status, body) {
        Ok(class) => class,
        Err(verdict) => return verdict,
    };
    let json = parsed(body);
    let error = json.get("error");
    let part = |name: &str| error?.get(name)?.as_str().filter(|text| !text.is_empty());
    let said: Vec<&str> = [part("message"), part("detail")].into_iter().flatten().collect();
    let said = if said.is_empty() {
        error.and_then(Json::as_str).unwrap_or_default().to_owned()
    } else {
        said.join(": ")
    };
    // A policy of the table, a rule of a business, a table that is not there: the same for every alert.
    let configured = contains_any(
        &said,
        &[
            "data policy",
            "mandatory",
            "business rule",
            "invalid table",
            "acl",
            "security constraint",
            "aborted",
        ],
    );
    match class {
        class @ Class::Broken if status == 401 => {
            (class, Some(with_cure(&said, "check user and password, or token")))
        }
        Class::Refused | Class::Broken if contains_any(&said, &["mandatory", "data policy"]) => {
            (Class::Broken, Some(with_cure(&said, "give what is missing in `fields`")))
        }
        class @ Class::Broken if matches!(status, 403 | 404) => {
            let cure = "check `url`, `table` and the roles of the user";
            (class, Some(with_cure(&said, cure)))
        }
        Class::Refused if configured => (Class::Broken, Some(quote(&said))),
        class => (class, Some(quote(&said)).filter(|said| !said.is_empty())),
    }
}

/// `{"errorMessages":["…"],"errors":{"field":"…"}}`; what stands before the API answers in plain text.
pub(super) fn jira(status: u16, body: &str) -> (Class, Option<String>) {
    let class = match class_of(status, body) {
        Ok(class) => class,
        Err(verdict) => return verdict,
    };
    let json = parsed(body);
    let errors = json.get("errors").and_then(Json::as_object);
    let mut all = messages(json.get("errorMessages"));
    all.extend(messages(json.get("errors")));
    let said = match all.join("; ") {
        said if said.is_empty() && json.is_null() => body.to_owned(),
        said => said,
    };
    let about = |name: &str| errors.is_some_and(|errors| errors.contains_key(name));
    let others = errors.is_some_and(|errors| {
        errors.keys().any(|name| !matches!(name.as_str(), "summary" | "description" | "comment"))
    });
    let quoted = || Some(quote(&said)).filter(|said| !said.is_empty());
    match class {
        class @ Class::Broken if status == 401 => (class, Some(with_cure(&said, LOGIN))),
        class @ Class::Broken if status == 403 => {
            (class, Some(with_cure(&said, "check `token` and the account's rights")))
        }
        class @ Class::Broken if status == 404 => (class, Some(with_cure(&said, PROJECT))),
        Class::Refused if about("project") || contains_any(&said, &["for the field 'project'"]) => {
            (Class::Broken, Some(with_cure(&said, PROJECT)))
        }
        Class::Refused if about("issuetype") => {
            (Class::Broken, Some(with_cure(&said, "check `issue_type`")))
        }
        Class::Refused if others => {
            (Class::Broken, Some(with_cure(&said, "check `priority` and `fields`")))
        }
        Class::Refused
            if contains_any(
                &said,
                &["permission", "cannot be set", "log in", "logged in", "does not exist"],
            ) =>
        {
            (Class::Broken, quoted())
        }
        class => (class, quoted()),
    }
}

#[cfg(test)]
mod tests;
