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

/// Reads texts in quotes.
struct Quotes<'r> {
    rules: &'r Delimiters,
    /// Closing quotes that the rest of the text has not: none is looked for twice.
    lacking: Vec<char>,
}

impl<'r> Quotes<'r> {
    fn new(rules: &'r Delimiters) -> Self {
        Self { rules, lacking: Vec::new() }
    }

    /// A text in quotes at the start, and what follows it.
    fn read<'t>(&mut self, text: &'t str) -> Option<(String, &'t str)> {
        let open = text.chars().next()?;
        let (_, close) = self.rules.quotes.iter().find(|(o, _)| *o == open)?;
        if self.lacking.contains(close) {
            return None;
        }
        let mut value = String::new();
        let mut chars = text.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if self.rules.escapes.contains(&c) {
                value.extend(chars.next().map(|(_, c)| c));
            } else if c == *close {
                return Some((value, text.get(at + c.len_utf8()..)?));
            } else {
                value.push(c);
            }
        }
        self.lacking.push(*close);
        None
    }
}

fn delimited(text: &str, pair: &str, kv: &str, rules: &Delimiters, take: &mut Take<'_>) {
    let mut quotes = Quotes::new(rules);
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(next) = rest.strip_prefix(pair) {
            rest = next;
            continue;
        }
        let (key, after) = match key(rest, pair, kv, &mut quotes) {
            Ok(found) => found,
            Err(next) => {
                rest = next;
                continue;
            }
        };
        let start = if pair.trim().is_empty() { after } else { after.trim_start() };
        if let Some((value, after)) = quotes.read(start) {
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

/// The key at the start and what follows its delimiter; where there is none, what follows the next pair's.
fn key<'t>(
    text: &'t str,
    pair: &str,
    kv: &str,
    quotes: &mut Quotes<'_>,
) -> Result<(String, &'t str), &'t str> {
    if let Some((key, after)) = quotes.read(text.trim_start()) {
        return match after.trim_start().strip_prefix(kv) {
            Some(after) => Ok((key, after)),
            None => Err(after.split_once(pair).map_or("", |(_, next)| next)),
        };
    }
    let (part, next) = text.split_once(pair).unwrap_or((text, ""));
    match part.find(kv) {
        Some(at) => {
            let key = part.get(..at).unwrap_or("").trim();
            Ok((key.to_owned(), text.get(at + kv.len()..).unwrap_or("")))
        }
        None => Err(next),
    }
}

/// Whatever is no letter or digit delimits.
fn words(text: &str, rules: &Delimiters, take: &mut Take<'_>) {
    let mut quotes = Quotes::new(rules);
    let mut rest = text;
    while let Some((key, after)) = word(rest, &mut quotes) {
        rest = after;
        // A value is not a key as well.
        if let Some((value, next)) = word(after, &mut quotes)
            && take(&key, value)
        {
            rest = next;
        }
    }
}

/// The next word, or text in quotes, and what follows it.
fn word<'t>(text: &'t str, quotes: &mut Quotes<'_>) -> Option<(String, &'t str)> {
    let mut rest = text;
    loop {
        let first = rest.chars().next()?;
        if let Some(found) = quotes.read(rest) {
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
