//! `parse-kv`: columns from a text of keys and their values.

use super::apply::joined;
use super::open;
use super::parse::convert;
use crate::plan::stages::{Delimiters, KvRules, ParseKv};
use crate::plan::{Node, Rows, RunState};
use crate::value::Value;
use std::collections::HashMap;
use std::rc::Rc;

pub(super) fn run<'a>(input: &'a Node, parse: &'a ParseKv, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let rows = open(input, run);
    let run = Rc::clone(run);
    let places: HashMap<&str, usize> =
        parse.keys.iter().enumerate().map(|(at, (key, _))| (&**key, at)).collect();
    Box::new(rows.map(move |row| {
        let row = row?;
        let text = parse.text.eval(&row, &run).text();
        // The first value of a key is the one that counts.
        let mut found: Vec<Option<String>> = vec![None; parse.keys.len()];
        let mut take = |key: &str, value: String| {
            let place = places.get(key).and_then(|at| found.get_mut(*at));
            let wanted = place.is_some();
            if let Some(place) = place {
                place.get_or_insert(value);
            }
            wanted
        };
        match &parse.how {
            KvRules::Regex(pattern) => {
                for pair in pattern.captures_iter(&text) {
                    let group = |at| pair.get(at).map_or("", |m| m.as_str()).trim();
                    take(group(1), group(2).to_owned());
                }
            }
            KvRules::Delimiters(rules) => match (&rules.pair, &rules.kv) {
                (Some(pair), Some(kv)) => delimited(&text, pair, kv, rules, &mut take),
                _ => words(&text, rules, &mut take),
            },
        }
        let values: Vec<Value> = found
            .iter()
            .zip(&parse.keys)
            .map(|(value, (_, ty))| {
                value.as_ref().and_then(|v| convert(v, *ty)).unwrap_or_else(|| ty.missing())
            })
            .collect();
        Ok(joined(&row, &values, &parse.places))
    }))
}

/// Takes a key and its value; true where the key is one that is asked for.
type Take<'t> = dyn FnMut(&str, String) -> bool + 't;

/// A text in quotes at the start, and what follows them.
fn quoted<'t>(text: &'t str, rules: &Delimiters) -> Option<(String, &'t str)> {
    let open = text.chars().next()?;
    let (_, close) = rules.quotes.iter().find(|(o, _)| *o == open)?;
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if rules.escapes.contains(&c) {
            value.extend(chars.next().map(|(_, c)| c));
        } else if c == *close {
            return Some((value, text.get(at + c.len_utf8()..)?));
        } else {
            value.push(c);
        }
    }
    None
}

fn delimited(text: &str, pair: &str, kv: &str, rules: &Delimiters, take: &mut Take<'_>) {
    let mut rest = text;
    // The pair's end that was last looked for, so that none is looked for twice.
    loop {
        while let Some(next) = rest.strip_prefix(pair) {
            rest = next;
        }
        if rest.is_empty() {
            return;
        }
        let trimmed = rest.trim_start();
        let (key, after) = match quoted(trimmed, rules) {
            Some((key, after)) => match after.trim_start().strip_prefix(kv) {
                Some(after) => (key, after),
                None => match after.split_once(pair) {
                    Some((_, next)) => {
                        rest = next;
                        continue;
                    }
                    None => return,
                },
            },
            None => {
                let (part, next) = match rest.split_once(pair) {
                    Some((part, next)) => (part, Some(next)),
                    None => (rest, None),
                };
                match (part.find(kv), next) {
                    (Some(at), _) => (
                        part.get(..at).unwrap_or("").trim().to_owned(),
                        rest.get(at + kv.len()..).unwrap_or(""),
                    ),
                    (None, Some(next)) => {
                        rest = next;
                        continue;
                    }
                    (None, None) => return,
                }
            }
        };
        let start = if pair.trim().is_empty() { after } else { after.trim_start() };
        if let Some((value, after)) = quoted(start, rules) {
            take(&key, value);
            rest = after.split_once(pair).map_or("", |(_, next)| next);
            continue;
        }
        let (value, next) = if rules.greedy {
            // Up to the delimiter before the next key.
            match after.find(kv).and_then(|at| after.get(..at)?.rfind(pair)) {
                Some(at) => after.split_at_checked(at).unwrap_or((after, "")),
                None => (after, ""),
            }
        } else {
            after.split_once(pair).unwrap_or((after, ""))
        };
        take(&key, value.trim().to_owned());
        rest = next;
    }
}

/// Whatever is no letter or digit delimits.
fn words(text: &str, rules: &Delimiters, take: &mut Take<'_>) {
    let mut rest = text;
    while let Some((key, after)) = word(rest, rules) {
        rest = after;
        // A value is not a key as well.
        if let Some((value, next)) = word(after, rules)
            && take(&key, value)
        {
            rest = next;
        }
    }
}

/// The next word, or text in quotes, and what follows it.
fn word<'t>(text: &'t str, rules: &Delimiters) -> Option<(String, &'t str)> {
    let mut rest = text;
    loop {
        let first = rest.chars().next()?;
        if let Some(found) = quoted(rest, rules) {
            return Some(found);
        }
        if first.is_alphanumeric() {
            break;
        }
        rest = rest.get(first.len_utf8()..)?;
    }
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end)?;
    Some((word.to_owned(), after))
}
