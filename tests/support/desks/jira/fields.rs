//! What Jira says to the fields of an issue.

use super::super::{Said, chars};
use super::{Issue, Jira, Status, adf, error, field_error, link};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

/// The most characters of a description or comment.
const LONGEST: usize = 32_767;
const NO_DOCUMENT: &str =
    "Operation value must be an Atlassian Document (see the Atlassian Document Format)";

/// What is answered, and what broke the contract.
type Refusal = (Said, String);

impl Jira {
    pub(super) fn create(&mut self, now: DateTime<Utc>, body: &Json) -> Said {
        let Some(fields) = body["fields"].as_object() else {
            self.problems.push("no `fields`".to_owned());
            return error(400, "The 'fields' property is required.");
        };
        if let Err((said, problem)) = self.check(fields) {
            self.problems.extend(problem);
            return said;
        }
        if !self.may_create {
            return field_error("project", "You cannot create issues in this project.");
        }
        let id = 10_000 + self.issues.len() as u64;
        let key = format!("{}-{}", self.project, self.issues.len() + 1);
        let mut issue = Issue {
            id,
            key: key.clone(),
            fields: fields.clone().into(),
            status: Status::new("To Do", "new"),
            created: now,
            closed: None,
            comments: Vec::new(),
            deleted: false,
            history: Vec::new(),
        };
        issue.changed(now);
        self.issues.push(issue);
        Said::json(201, &json!({"id": id.to_string(), "key": key, "self": link(id)}))
    }

    /// The problem is `None` where only the site's own rules stand against it.
    fn check(&self, fields: &Map<String, Json>) -> Result<(), (Said, Option<String>)> {
        let ours = |said: Said| Err((said, None));
        let get = |name: &str| fields.get(name).unwrap_or(&Json::Null);
        // All faults of fields come at once.
        let mut errors = Map::new();
        let mut problems = Vec::new();
        let project = &get("project")["key"];
        if project.is_null() {
            problems.push("no `project.key`".to_owned());
        }
        if *project != *self.project {
            return ours(field_error("project", "valid project is required"));
        }
        let issue_type = &get("issuetype")["name"];
        if !self.issue_types.iter().any(|t| issue_type == t) {
            if !issue_type.is_string() {
                problems.push("no `issuetype.name`".to_owned());
            }
            errors.insert("issuetype".to_owned(), "Specify a valid issue type".into());
        }
        for (name, value) in fields {
            let fault = match name.as_str() {
                "project" | "issuetype" => None,
                "summary" => summary(value),
                "description" => match document(value) {
                    Ok(()) => None,
                    Err(Bad::Document) => Some(NO_DOCUMENT.to_owned()),
                    Err(Bad::Inside(why)) => {
                        return Err((
                            error(400, "INVALID_INPUT"),
                            Some(format!("description: {why}")),
                        ));
                    }
                    Err(Bad::TooLong) => Some(too_long()),
                },
                "labels" => labels(value),
                "priority" => match value["name"].as_str() {
                    Some(word) if self.priorities.iter().any(|p| p == word) => None,
                    Some(word) => {
                        errors.insert(
                            name.clone(),
                            format!("Priority name '{word}' is not valid").into(),
                        );
                        continue;
                    }
                    None => {
                        Some("Could not find valid 'id' or 'name' in priority object.".to_owned())
                    }
                },
                custom => {
                    // The operator's own: nothing that hsmwatch could know.
                    if let Some(fault) = self.custom(custom, value) {
                        errors.insert(custom.to_owned(), fault.into());
                    }
                    continue;
                }
            };
            if let Some(fault) = fault {
                problems.push(format!("{name}: {fault}"));
                errors.insert(name.clone(), fault.into());
            }
        }
        if !fields.contains_key("summary") {
            problems.push("no `summary`".to_owned());
            errors.insert("summary".to_owned(), "You must specify a summary of the issue.".into());
        }
        for field in &self.custom_fields {
            if field.required && get(&field.id).is_null() {
                errors.insert(field.id.clone(), format!("{} is required.", field.name).into());
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        Err((Said::json(400, &json!({"errorMessages": [], "errors": errors})), problem))
    }

    fn custom(&self, id: &str, value: &Json) -> Option<String> {
        let known = ["components", "assignee", "duedate", "environment", "security", "fixVersions"];
        let Some(field) = self.custom_fields.iter().find(|f| f.id == id) else {
            return (!known.contains(&id)).then(|| {
                format!(
                    "Field '{id}' cannot be set. It is not on the appropriate screen, or unknown."
                )
            });
        };
        if field.options.is_empty() {
            return (!value.is_string()).then(|| "Operation value must be a string".to_owned());
        }
        let choice = value["value"].as_str();
        match choice {
            Some(choice) if field.options.iter().any(|o| o == choice) => None,
            Some(choice) => Some(format!("Option value '{choice}' is not valid")),
            None => Some("Specify a valid 'id' or 'name' for the field".to_owned()),
        }
    }

    /// PUT: labels, by addition and removal or as a whole; summary and priority as a whole.
    pub(super) fn edit(&mut self, now: DateTime<Utc>, id: &str, body: &Json) -> Said {
        let fields = body["fields"].as_object().cloned().unwrap_or_default();
        for (name, value) in &fields {
            let fault = match name.as_str() {
                "labels" => labels(value),
                "summary" => summary(value),
                "priority" => None,
                _ => Some(format!(
                    "Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
                )),
            };
            if let Some(fault) = fault {
                self.problems.push(format!("{name}: {fault}"));
                return field_error(name, &fault);
            }
        }
        let edits = body["update"]["labels"].as_array().cloned().unwrap_or_default();
        for edit in &edits {
            let label = if edit["add"].is_null() { &edit["remove"] } else { &edit["add"] };
            if let Some(fault) = labels(&json!([label])) {
                self.problems.push(format!("labels: {fault}"));
                return field_error("labels", &fault);
            }
        }
        let Some(issue) = self.issue(id) else { return error(404, super::MISSING) };
        for (name, value) in fields {
            issue.fields[name] = value;
        }
        let mut all = issue.fields["labels"].as_array().cloned().unwrap_or_default();
        for edit in edits {
            all.retain(|label| *label != edit["remove"] && *label != edit["add"]);
            all.extend(edit.get("add").cloned());
        }
        issue.fields["labels"] = all.into();
        issue.changed(now);
        Said::nothing()
    }
}

fn summary(value: &Json) -> Option<String> {
    let Some(text) = value.as_str() else {
        return Some("Operation value must be a string".to_owned());
    };
    if text.trim().is_empty() {
        return Some("You must specify a summary of the issue.".to_owned());
    }
    if text.contains(['\n', '\r']) {
        return Some("The summary is invalid because it contains newline characters.".to_owned());
    }
    (chars(text) > 255).then(|| "Summary can't exceed 255 characters.".to_owned())
}

fn labels(value: &Json) -> Option<String> {
    let Some(labels) = value.as_array() else {
        return Some("data was not an array".to_owned());
    };
    labels.iter().find_map(|label| {
        let Some(text) = label.as_str() else {
            return Some("string expected at index 0".to_owned());
        };
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Some(format!("The label '{text}' contains spaces which is invalid."));
        }
        (chars(text) > 255)
            .then(|| format!("The label '{text}' exceeds the limit of 255 characters."))
    })
}

enum Bad {
    /// It is none at all.
    Document,
    /// Something within it.
    Inside(String),
    TooLong,
}

fn document(value: &Json) -> Result<(), Bad> {
    if !value.is_object() || value["type"] != "doc" {
        return Err(Bad::Document);
    }
    adf::check(value).map_err(Bad::Inside)?;
    if chars(&adf::text(value)) > LONGEST { Err(Bad::TooLong) } else { Ok(()) }
}

fn too_long() -> String {
    "The entered text is too long. It exceeds the allowed limit of 32,767 characters.".to_owned()
}

/// A comment's body.
pub(super) fn comment(body: &Json) -> Result<(), Refusal> {
    document(&body["body"]).map_err(|bad| match bad {
        Bad::Document => (
            field_error("comment", "Comment body is not valid!"),
            "comment: no document".to_owned(),
        ),
        Bad::Inside(why) => (error(400, "INVALID_INPUT"), format!("comment: {why}")),
        Bad::TooLong => (field_error("comment", &too_long()), "comment: too long".to_owned()),
    })
}
