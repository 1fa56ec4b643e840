//! What patterns and paths take out of a text.

use super::{Args, Function, LONGEST_SPLIT, Made, Prepare, Refusal, Signature, Takes, regex_of};
use crate::diagnostics::BAD_LITERAL;
use crate::num;
use crate::value::{Type, Value};
use regex::{Captures, Regex};
use serde_json::Value as Json;
use std::sync::Arc;

const TEXT: Takes = Takes::Is(Type::String);
const LONG: Takes = Takes::Is(Type::Long);
const DYNAMIC: Takes = Takes::Is(Type::Dynamic);
const ALL: &[Signature] = &[
    Signature::new(&[TEXT, TEXT], Type::Dynamic),
    Signature::new(&[TEXT, DYNAMIC, TEXT], Type::Dynamic),
];
const JSON: &[Signature] = &[Signature::new(&[TEXT, TEXT], Type::String)];

/// More groups than this a pattern cannot ask for.
const GROUPS: usize = 16;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::made("extract", &[Signature::new(&[TEXT, LONG, TEXT], Type::String)], extract),
    Function::made("extract_all", ALL, extract_all),
    Function::made("extractall", ALL, extract_all),
    Function::made("extract_json", JSON, extract_json),
    Function::made("extractjson", JSON, extract_json),
];

/// Whether a call may end in a type, to which what it takes out is converted, and after how many arguments.
pub(crate) fn typed_after(name: &str) -> Option<usize> {
    match name {
        "extract" => Some(3),
        "extract_json" | "extractjson" => Some(2),
        _ => None,
    }
}

fn extract(prepare: &Prepare<'_>) -> Made {
    let regex = regex_of(prepare, 0)?;
    Ok(Arc::new(move |args| {
        let text = args.text(2);
        let group = args.long(1).and_then(num::long_to_len);
        let found = regex(args).zip(group).and_then(|(regex, group)| {
            let captures = regex.captures(&text)?;
            captures.get(group).map(|m| Value::from(m.as_str()))
        });
        found.unwrap_or_else(|| Value::from(""))
    }))
}

fn extract_all(prepare: &Prepare<'_>) -> Made {
    let regex = regex_of(prepare, 0)?;
    if let Some(Some(pattern)) = prepare.consts.first()
        && let Ok(pattern) = super::compile(&pattern.text())
        && !(2..=GROUPS + 1).contains(&pattern.captures_len())
    {
        let message = format!("the pattern must have between one and {GROUPS} groups");
        return Err(Refusal::Argument(0, BAD_LITERAL, message));
    }
    Ok(Arc::new(move |args| {
        let found = regex(args).and_then(|regex| {
            let groups = match args.len() {
                2 => (1..regex.captures_len()).collect(),
                _ => groups(&regex, args.json(1)?.as_array()?)?,
            };
            let text = args.text(args.len() - 1);
            if text.len() > LONGEST_SPLIT {
                return None;
            }
            let all: Vec<Json> =
                regex.captures_iter(&text).map(|found| taken(&found, &groups)).collect();
            (!all.is_empty()).then(|| Value::from_json(Json::Array(all)))
        });
        Value::from(found)
    }))
}

/// The groups that an array names or counts.
fn groups(regex: &Regex, wanted: &[Json]) -> Option<Vec<usize>> {
    if wanted.is_empty() || wanted.len() > GROUPS {
        return None;
    }
    let group = |json: &Json| match json {
        Json::String(name) => regex.capture_names().position(|n| n == Some(name.as_str())),
        other => usize::try_from(other.as_u64()?).ok(),
    };
    let known = |at: &usize| (1..regex.captures_len()).contains(at);
    wanted.iter().map(|json| group(json).filter(known)).collect()
}

/// One group as it is, more as an array.
fn taken(found: &Captures<'_>, groups: &[usize]) -> Json {
    let text = |group: &usize| Json::from(found.get(*group).map_or("", |m| m.as_str()));
    match groups {
        [only] => text(only),
        more => Json::Array(more.iter().map(text).collect()),
    }
}

/// A step of a JSON path.
pub(super) enum Step {
    Key(String),
    Item(usize),
}

fn extract_json(prepare: &Prepare<'_>) -> Made {
    let Some(Some(path)) = prepare.consts.first() else {
        let message = "The expression must be a constant".to_owned();
        return Err(Refusal::Argument(0, "KS129", message));
    };
    let Some(steps) = steps(&path.text()) else {
        return Err(Refusal::Unsupported("a JSON path with more than names and places".to_owned()));
    };
    Ok(Arc::new(move |args| {
        let found = serde_json::from_str::<Json>(&args.text(1)).ok().and_then(|json| {
            let mut at = &json;
            for step in &steps {
                at = match step {
                    Step::Key(key) => at.get(key)?,
                    Step::Item(item) => at.get(item)?,
                };
            }
            Some(Value::from_json(at.clone()).text())
        });
        found.map_or_else(|| Value::from(""), Value::String)
    }))
}

/// `$.name['name'][0]`.
pub(super) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end)?;
            if name.is_empty() || name.contains(['*', '?', '@', '(']) {
                return None;
            }
            steps.push(Step::Key(name.to_owned()));
            rest = after;
            continue;
        }
        let after = rest.strip_prefix('[')?;
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
        if let Some(quote) = quote {
            let (name, after) = after.strip_prefix(quote)?.split_once(quote)?;
            steps.push(Step::Key(name.to_owned()));
            rest = after.strip_prefix(']')?;
        } else {
            let (item, after) = after.split_once(']')?;
            steps.push(Step::Item(item.trim().parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}
