//! Text. Positions and lengths count characters.

use super::{Args, Function, LONGEST_SPLIT, Naming, Signature, Takes, joined};
use crate::num;
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

const TEXT: Takes = Takes::Is(Type::String);
const ANY: Takes = Takes::Scalar;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("tolower", &[Signature::new(&[ANY], Type::String)], |args| {
        Some(Value::from(args.text(0).chars().flat_map(char::to_lowercase).collect::<String>()))
    }),
    Function::plain("toupper", &[Signature::new(&[ANY], Type::String)], |args| {
        Some(Value::from(args.text(0).chars().map(upper).collect::<String>()))
    }),
    Function::plain("strlen", &[Signature::new(&[Takes::TextOrDynamic], Type::Long)], |args| {
        Some(Value::Long(num::len_to_long(args.text(0).chars().count())))
    })
    .named(Naming::Prefix("strlen")),
    Function::plain("strcat", &[Signature::new(&[ANY], Type::String).up_to(64)], |args| {
        Some(joined(&args.iter().map(Value::text).collect::<Vec<_>>(), ""))
    }),
    Function::plain(
        "strcat_delim",
        &[Signature::new(&[ANY, ANY, ANY], Type::String).up_to(64)],
        |args| {
            let parts: Vec<_> = args.iter().skip(1).map(Value::text).collect();
            Some(joined(&parts, &args.text(0)))
        },
    ),
    Function::plain(
        "strcat_array",
        &[Signature::new(&[Takes::Is(Type::Dynamic), ANY], Type::String)],
        |args| {
            let items = args.json(0).and_then(|json| json.as_array());
            let texts =
                items.into_iter().flatten().map(|item| Value::from_json(item.clone()).text());
            let texts: Vec<_> = texts.collect();
            Some(joined(&texts, &args.text(1)))
        },
    ),
    Function::plain("dynamic_to_json", &[Signature::new(&[ANY], Type::String)], |args| match args
        .json(0)
    {
        Some(json) => Some(Value::from(sorted(json).to_string())),
        None => Some(Value::String(args.text(0))),
    }),
    Function::plain(
        "substring",
        &[Signature::new(&[ANY, Takes::Integer, Takes::Integer], Type::String).from(2)],
        substring,
    ),
    Function::plain("reverse", &[Signature::new(&[ANY], Type::String)], |args| {
        Some(Value::from(args.text(0).chars().rev().collect::<String>()))
    }),
    Function::plain("strcmp", &[Signature::new(&[ANY, ANY], Type::Long)], |args| {
        Some(Value::Long(match args.text(0).cmp(&args.text(1)) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }))
    }),
    Function::plain(
        "split",
        &[Signature::new(&[ANY, TEXT, Takes::Integer], Type::Dynamic).from(2)],
        split,
    )
    .named(Naming::First),
    Function::plain(
        "string_size",
        &[Signature::new(&[Takes::TextOrDynamic], Type::Long)],
        |args| Some(Value::Long(num::len_to_long(args.text(0).len()))),
    )
    .named(Naming::Prefix("string_size")),
    Function::plain("isascii", &[Signature::new(&[ANY], Type::Bool)], |args| {
        Some(Value::Bool(args.text(0).is_ascii()))
    }),
    Function::plain("isutf8", &[Signature::new(&[ANY], Type::Bool)], |_| Some(Value::Bool(true))),
];

fn substring(args: &[Value]) -> Option<Value> {
    let text = args.text(0);
    let count = num::len_to_long(text.chars().count());
    let nothing = || Some(Value::from(""));
    let Some(start) = args.long(1) else { return nothing() };
    // A negative start counts from the end; further back than the text is long there is nothing.
    let start = if start < 0 { count.saturating_add(start) } else { start };
    let Some(len) = (if args.len() > 2 { args.long(2) } else { Some(-1) }) else {
        return nothing();
    };
    let (Some(skip), true) = (num::long_to_len(start), start <= count) else {
        return nothing();
    };
    let take = num::long_to_len(len).unwrap_or(usize::MAX);
    Some(Value::from(text.chars().skip(skip).take(take).collect::<String>()))
}

fn split(args: &[Value]) -> Option<Value> {
    let (text, delimiter) = (args.text(0), args.text(1));
    if text.len() > LONGEST_SPLIT {
        return None;
    }
    let parts: Vec<Json> = if delimiter.is_empty() {
        vec![Json::from(&*text)]
    } else {
        text.split(&*delimiter).map(Json::from).collect()
    };
    if args.len() > 2 {
        let part = num::long_to_len(args.long(2)?).and_then(|at| parts.get(at).cloned());
        return Some(Value::from_json(Json::Array(part.into_iter().collect())));
    }
    Some(Value::from_json(Json::Array(parts)))
}

/// The one letter that is the upper case; what would become several letters stays.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// With the keys of every bag in order.
fn sorted(json: &Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        Json::Object(bag) => {
            let bag: BTreeMap<&String, &Json> = bag.iter().collect();
            Json::Object(bag.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
        }
        other => other.clone(),
    }
}
