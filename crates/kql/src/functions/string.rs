//! Text. Positions and lengths count characters.

use super::{Args, Function, Made, Naming, Prepare, Refusal, Signature, Takes, regex_of};
use crate::num;
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

const TEXT: Takes = Takes::Is(Type::String);
const LONG: Takes = Takes::Is(Type::Long);
const ANY: Takes = Takes::Scalar;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("tolower", &[Signature::new(&[ANY], Type::String)], |args| {
        Some(Value::from(args.text(0).to_lowercase()))
    }),
    Function::plain("toupper", &[Signature::new(&[ANY], Type::String)], |args| {
        Some(Value::from(args.text(0).to_uppercase()))
    }),
    Function::plain("strlen", &[Signature::new(&[Takes::TextOrDynamic], Type::Long)], |args| {
        Some(Value::Long(num::len_to_long(args.text(0).chars().count())))
    })
    .named(Naming::Prefix("strlen")),
    Function::plain("strcat", &[Signature::new(&[ANY], Type::String).up_to(64)], |args| {
        Some(Value::from(args.iter().map(Value::text).collect::<Vec<_>>().concat()))
    }),
    Function::plain(
        "strcat_delim",
        &[Signature::new(&[ANY, ANY, ANY], Type::String).up_to(64)],
        |args| {
            let parts: Vec<_> = args.iter().skip(1).map(Value::text).collect();
            Some(Value::from(parts.join(&args.text(0))))
        },
    ),
    Function::plain(
        "substring",
        &[Signature::new(&[ANY, Takes::Integer, Takes::Integer], Type::String).from(2)],
        substring,
    ),
    Function::plain("indexof", &[Signature::new(&[ANY, ANY], Type::Long)], |args| {
        let (text, part) = (args.text(0), args.text(1));
        let at = text.find(&*part).and_then(|at| text.get(..at)).map(|t| t.chars().count());
        Some(Value::Long(at.map_or(-1, num::len_to_long)))
    }),
    Function::plain("reverse", &[Signature::new(&[ANY], Type::String)], |args| {
        Some(Value::from(args.text(0).chars().rev().collect::<String>()))
    }),
    Function::plain("strcmp", &[Signature::new(&[TEXT, TEXT], Type::Long)], |args| {
        Some(Value::Long(match args.text(0).cmp(&args.text(1)) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }))
    }),
    Function::plain(
        "replace_string",
        &[Signature::new(&[TEXT, TEXT, TEXT], Type::String)],
        |args| {
            let (text, from) = (args.text(0), args.text(1));
            if from.is_empty() {
                return Some(Value::String(text));
            }
            Some(Value::from(text.replace(&*from, &args.text(2))))
        },
    ),
    Function::made("replace_regex", &[Signature::new(&[TEXT, TEXT, TEXT], Type::String)], |p| {
        let regex = regex_of(p, 1)?;
        Ok(Arc::new(move |args| {
            let Some(regex) = regex(args) else { return Value::String(args.text(0)) };
            let rewrite = rewrite(&args.text(2));
            Value::from(regex.replace_all(&args.text(0), rewrite.as_str()).into_owned())
        }))
    }),
    Function::plain(
        "split",
        &[Signature::new(&[ANY, TEXT, Takes::Integer], Type::Dynamic).from(2)],
        split,
    )
    .named(Naming::First),
    Function::made("trim", &[Signature::new(&[TEXT, TEXT], Type::String)], |p| trim(p, true, true)),
    Function::made("trim_start", &[Signature::new(&[TEXT, TEXT], Type::String)], |p| {
        trim(p, true, false)
    }),
    Function::made("trim_end", &[Signature::new(&[TEXT, TEXT], Type::String)], |p| {
        trim(p, false, true)
    }),
    Function::made("extract", &[Signature::new(&[TEXT, LONG, TEXT], Type::String)], extract),
    Function::plain("countof", &[Signature::new(&[ANY, ANY], Type::Long)], |args| {
        let (text, part) = (args.text(0), args.text(1));
        // Overlapping places count, as in the service.
        let starts = text
            .char_indices()
            .filter(|(at, _)| text.get(*at..).is_some_and(|t| t.starts_with(&*part)));
        Some(Value::Long(if part.is_empty() { 0 } else { num::len_to_long(starts.count()) }))
    }),
];

fn substring(args: &[Value]) -> Option<Value> {
    let text = args.text(0);
    let count = num::len_to_long(text.chars().count());
    let start = args.long(1)?;
    // A negative start counts from the end; further back than the text is long there is nothing.
    let start = if start < 0 { count.saturating_add(start) } else { start };
    let len = if args.len() > 2 { args.long(2)? } else { -1 };
    let (Some(skip), true) = (num::long_to_len(start), start <= count) else {
        return Some(Value::from(""));
    };
    let take = num::long_to_len(len).unwrap_or(usize::MAX);
    Some(Value::from(text.chars().skip(skip).take(take).collect::<String>()))
}

fn split(args: &[Value]) -> Option<Value> {
    let (text, delimiter) = (args.text(0), args.text(1));
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

/// `\1` of RE2 as `${1}` of this crate's regex engine.
fn rewrite(text: &str) -> String {
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
