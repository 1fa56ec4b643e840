//! Texts with parts of them exchanged, repeated or cut off.

use super::{Args, Function, LONGEST_TEXT, Made, Prepare, Refusal, Signature, Takes, regex_of};
use crate::num;
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

const TEXT: Takes = Takes::Is(Type::String);
const DYNAMIC: Takes = Takes::Is(Type::Dynamic);
const ANY: Takes = Takes::Scalar;
const TEXTS: &[Signature] = &[Signature::new(&[TEXT, TEXT, TEXT], Type::String)];
const TRIM: &[Signature] = &[Signature::new(&[TEXT, TEXT], Type::String)];

/// The most work for one text: lookups by its length.
const MOST_WORK: usize = 1 << 30;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("replace_string", TEXTS, |args| {
        let (text, from, to) = (args.text(0), args.text(1), args.text(2));
        if from.is_empty() {
            return Some(Value::String(text));
        }
        let finds = text.matches(&*from).count();
        if text.len().saturating_add(finds.saturating_mul(to.len())) > LONGEST_TEXT {
            return Some(Value::from(""));
        }
        Some(Value::from(text.replace(&*from, &to)))
    }),
    Function::made("replace_regex", TEXTS, |prepare| replace_regex(prepare, 0, 1, 2)),
    Function::made("replace", TEXTS, |prepare| replace_regex(prepare, 2, 0, 1)),
    Function::plain(
        "replace_strings",
        &[Signature::new(&[TEXT, DYNAMIC, DYNAMIC], Type::String)],
        replace_strings,
    ),
    Function::plain("translate", TEXTS, |args| {
        let (from, to, text) = (args.text(0), args.text(1), args.text(2));
        // A list that is too short goes on with its last character.
        let last = to.chars().next_back();
        let mut to = to.chars();
        let mut map = HashMap::new();
        for c in from.chars() {
            let into = to.next().or(last);
            map.entry(c).or_insert(into);
        }
        let out: String =
            text.chars().filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))).collect();
        Some(Value::from(out))
    }),
    Function::plain(
        "strrep",
        &[Signature::new(&[ANY, Takes::Is(Type::Long), ANY], Type::String).from(2)],
        |args| {
            let (text, delimiter) = (args.text(0), args.text(2));
            let count = args.long(1).and_then(num::long_to_len).unwrap_or(0).min(1024);
            if count.saturating_mul(text.len() + delimiter.len()) > LONGEST_TEXT {
                return Some(Value::from(""));
            }
            Some(Value::from(vec![&*text; count].join(&delimiter)))
        },
    ),
    Function::made("trim", TRIM, |p| trim(p, true, true)),
    Function::made("trim_start", TRIM, |p| trim(p, true, false)),
    Function::made("trim_end", TRIM, |p| trim(p, false, true)),
];

/// A pattern's matches rewritten; the arguments' order differs between the functions.
fn replace_regex(prepare: &Prepare<'_>, text: usize, pattern: usize, rewrite: usize) -> Made {
    let regex = regex_of(prepare, pattern)?;
    Ok(Arc::new(move |args| {
        let text = args.text(text);
        let Some(regex) = regex(args) else { return Value::String(text) };
        let rewrite = expandable(&args.text(rewrite));
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for found in regex.captures_iter(&text) {
            let Some(whole) = found.get(0) else { continue };
            out.push_str(text.get(from..whole.start()).unwrap_or(""));
            found.expand(&rewrite, &mut out);
            if out.len() > LONGEST_TEXT {
                return Value::from("");
            }
            from = whole.end();
        }
        out.push_str(text.get(from..).unwrap_or(""));
        Value::from(out)
    }))
}

/// `\1` as `${1}` of this crate's regex engine.
fn expandable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str("${");
                out.push(*digit);
                out.push('}');
                chars.next();
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// Every text of an array, and nothing for what is none.
fn texts(value: &Value) -> Vec<Option<&str>> {
    match value {
        Value::Dynamic(json) => json.as_array().into_iter().flatten().map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The lookups take turns: what an earlier one found is closed to those after it, and what has no text to
/// become stays as it is.
#[expect(clippy::unnecessary_wraps, reason = "the shape of an entry's computation")]
fn replace_strings(args: &[Value]) -> Option<Value> {
    let text = args.text(0);
    let (lookups, rewrites) = (texts(args.value(1)), texts(args.value(2)));
    if lookups.len().saturating_mul(text.len()) > MOST_WORK {
        return Some(Value::from(""));
    }
    // The pieces of the text, each with what it becomes if it was found.
    let mut pieces: Vec<(&str, Option<&str>)> = vec![(&text, None)];
    for (at, lookup) in lookups.iter().enumerate() {
        let Some(lookup) = lookup.filter(|lookup| !lookup.is_empty()) else { continue };
        if !pieces.iter().any(|(piece, found)| found.is_none() && piece.contains(lookup)) {
            continue;
        }
        let into = rewrites.get(at).copied().flatten().unwrap_or(lookup);
        let mut next = Vec::with_capacity(pieces.len() + 2);
        for (piece, found) in pieces {
            if found.is_some() {
                next.push((piece, found));
                continue;
            }
            for (turn, between) in piece.split(lookup).enumerate() {
                if turn > 0 {
                    next.push((lookup, Some(into)));
                }
                if !between.is_empty() {
                    next.push((between, None));
                }
            }
        }
        pieces = next;
    }
    let parts = || pieces.iter().map(|(piece, into)| into.unwrap_or(piece));
    let length = parts().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    Some(Value::from(if length > LONGEST_TEXT { String::new() } else { parts().collect() }))
}

/// One match at the start, one at the end.
fn trim(prepare: &Prepare<'_>, start: bool, end: bool) -> Made {
    let Some(Some(pattern)) = prepare.consts.first() else {
        return Err(Refusal::Unsupported("trim with a pattern that is not a constant".to_owned()));
    };
    let pattern = pattern.text();
    let compile = |text: String| {
        super::compile(&text).map_err(|e| Refusal::Argument(0, crate::diagnostics::BAD_LITERAL, e))
    };
    let head = compile(format!("^(?:{pattern})"))?;
    let tail = compile(format!("(?:{pattern})$"))?;
    Ok(Arc::new(move |args| {
        let text = args.text(1);
        let mut rest: &str = &text;
        if let (true, Some(found)) = (start, head.find(rest)) {
            rest = rest.get(found.end()..).unwrap_or("");
        }
        if let (true, Some(found)) = (end, tail.find(rest)) {
            rest = rest.get(..found.start()).unwrap_or("");
        }
        Value::from(rest)
    }))
}
