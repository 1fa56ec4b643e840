//! XML as bags: an attribute is a key with `@` before it, repeated elements are an array, text beside of others
//! is `#text`.

use super::{Args, Function, Naming, Signature, Takes};
use crate::value::{Type, Value};
use serde_json::{Map, Value as Json};

/// Longer texts are null, as in the service.
const LONGEST: usize = 1 << 20;
/// Elements inside of each other; deeper ones are null.
const DEEPEST: usize = 100;

pub(super) const FUNCTIONS: &[Function] = &[Function::plain(
    "parse_xml",
    &[Signature::new(&[Takes::TextOrDynamic], Type::Dynamic)],
    |args| {
        let text = args.text(0);
        (text.len() <= LONGEST).then(|| parse(&text)).flatten().map(Value::from_json)
    },
)
.named(Naming::First)];

/// An element that is being read.
struct Element<'a> {
    name: &'a str,
    /// Its attributes and elements so far.
    inner: Map<String, Json>,
    /// The names of elements that came more than once.
    arrays: Vec<&'a str>,
    text: String,
}

impl<'a> Element<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, inner: Map::new(), arrays: Vec::new(), text: String::new() }
    }

    /// Text takes its place among the elements where it first comes.
    fn write(&mut self, text: &str) {
        self.text.push_str(text);
        if !self.text.trim().is_empty() && !self.inner.contains_key("#text") {
            self.inner.insert("#text".to_owned(), Json::Null);
        }
    }

    fn add(&mut self, name: &'a str, value: Json) {
        match self.inner.get_mut(name) {
            None => {
                self.inner.insert(name.to_owned(), value);
            }
            Some(Json::Array(items)) if self.arrays.contains(&name) => items.push(value),
            Some(first) => {
                *first = Json::Array(vec![first.take(), value]);
                self.arrays.push(name);
            }
        }
    }

    fn finish(mut self) -> Json {
        let text = Json::from(self.text.trim());
        if self.inner.is_empty() {
            return Json::Null;
        }
        if let Some(place) = self.inner.get_mut("#text") {
            *place = text;
        }
        if self.inner.len() == 1
            && let Some(text) = self.inner.get_mut("#text")
        {
            return text.take();
        }
        Json::Object(self.inner)
    }
}

fn parse(text: &str) -> Option<Json> {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut root: Option<Map<String, Json>> = None;
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let (text, after) = rest.split_at_checked(rest.find('<').unwrap_or(rest.len()))?;
            rest = after;
            match open.last_mut() {
                Some(element) => element.write(&resolved(text)?),
                None if text.trim().is_empty() => {}
                None => return None,
            }
            continue;
        };
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        if let Some(data) = tag.strip_prefix("![CDATA[") {
            let (data, after) = data.split_once("]]>")?;
            open.last_mut()?.write(data);
            rest = after;
            continue;
        }
        if tag.starts_with(['?', '!']) {
            rest = tag.split_once('>')?.1;
            continue;
        }
        let closed = if let Some(end) = tag.strip_prefix('/') {
            let (name, after) = end.split_once('>')?;
            rest = after;
            if open.last()?.name != name.trim_end() {
                return None;
            }
            true
        } else {
            let (element, after) = start(tag)?;
            if root.is_some() || open.len() >= DEEPEST {
                return None;
            }
            open.push(element);
            let empty = after.strip_prefix('/');
            rest = empty.unwrap_or(after).strip_prefix('>')?;
            empty.is_some()
        };
        if closed {
            let element = open.pop()?;
            let name = element.name;
            let value = element.finish();
            match open.last_mut() {
                Some(parent) => parent.add(name, value),
                None => root = Some(Map::from_iter([(name.to_owned(), value)])),
            }
        }
    }
    if open.is_empty() { root.map(Json::Object) } else { None }
}

/// A name and attributes, up to the tag's end.
fn start(tag: &str) -> Option<(Element<'_>, &str)> {
    let (element, mut rest) = name(tag)?;
    let mut element = Element::new(element);
    loop {
        let spaced = rest.trim_start();
        if spaced.starts_with(['>', '/']) {
            return Some((element, spaced));
        }
        if spaced.len() == rest.len() {
            return None;
        }
        let (key, after) = name(spaced)?;
        let after = after.trim_start().strip_prefix('=')?.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = after.strip_prefix(quote)?.split_once(quote)?;
        element.inner.insert(format!("@{key}"), Json::from(resolved(value)?));
        rest = after;
    }
}

fn name(text: &str) -> Option<(&str, &str)> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.');
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    let first = text.chars().next()?;
    (first.is_alphabetic() || matches!(first, '_' | ':')).then(|| text.split_at_checked(end))?
}

/// With its entities written out.
fn resolved(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';')?;
        out.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = entity.strip_prefix('#')?;
                let point = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                char::from_u32(point.ok()?)?
            }
        });
        out.push_str(after);
    }
    Some(out)
}
