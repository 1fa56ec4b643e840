//! A strict reader of HTML: it knows the elements and attributes that the page may have, takes nothing that a browser might
//! read in another way, and stops the test at the first surprise.

#![expect(clippy::expect_used, reason = "a test's reader stops at the first surprise")]

use std::collections::BTreeSet;

/// Elements with an end, and what attributes they may have beside the common ones.
const ELEMENTS: &[(&str, &[&str])] = &[
    ("html", &["lang"]),
    ("head", &[]),
    ("title", &[]),
    ("body", &[]),
    ("header", &[]),
    ("main", &[]),
    ("footer", &[]),
    ("nav", &[]),
    ("section", &["aria-labelledby"]),
    ("article", &[]),
    ("div", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("h4", &[]),
    ("p", &[]),
    ("pre", &["tabindex"]),
    ("ul", &[]),
    ("ol", &[]),
    ("li", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("dd", &[]),
    ("details", &[]),
    ("summary", &[]),
    ("table", &[]),
    ("thead", &[]),
    ("tbody", &[]),
    ("tr", &[]),
    ("th", &["scope"]),
    ("td", &["data-head"]),
    ("a", &["href"]),
    ("b", &[]),
    ("bdi", &[]),
    ("span", &[]),
    ("small", &[]),
    ("code", &[]),
    ("time", &["datetime"]),
    ("svg", &["viewBox", "preserveAspectRatio"]),
    ("symbol", &["viewBox"]),
    ("pattern", &["width", "height", "patternUnits", "patternTransform"]),
    ("text", &["x", "y"]),
];
/// Elements without.
const VOID: &[(&str, &[&str])] = &[
    ("meta", &["charset", "http-equiv", "content", "name"]),
    ("rect", &["x", "y", "width", "height"]),
    ("path", &["d", "fill-rule"]),
    ("line", &["x1", "x2", "y1", "y2"]),
    ("use", &["href"]),
];
const COMMON: &[&str] = &["class", "id", "role", "aria-label", "aria-hidden"];

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Names of all elements, in the order in which they begin.
    pub(super) elements: Vec<String>,
    /// All text, a line's end after each element's.
    pub(super) text: String,
    ids: BTreeSet<String>,
    referred: BTreeSet<String>,
}

/// Reads a page.
#[track_caller]
pub(super) fn read(page: &str) -> Read {
    let mut rest = page.strip_prefix("<!doctype html>\n").expect("a document");
    let mut read = Read::default();
    let mut open: Vec<&str> = Vec::new();
    while let Some((text, more)) = rest.split_once('<') {
        if open.is_empty() {
            assert_eq!(text.trim(), "", "text outside of everything");
        }
        read.text += &decoded(text);
        rest = more;
        if let Some(more) = rest.strip_prefix('/') {
            let (name, more) = more.split_once('>').expect("the end of a tag");
            assert_eq!(open.pop(), Some(name), "nesting");
            read.text.push('\n');
            rest = more;
            continue;
        }
        if let Some(more) = rest.strip_prefix("style>") {
            let (css, more) = more.split_once("</style>").unwrap();
            assert_eq!(css, include_str!("../../../src/hosts/page/style.css"));
            read.elements.push("style".to_owned());
            rest = more;
            continue;
        }
        let (name, more) = word(rest);
        let (void, attributes) = match (known(ELEMENTS, name), known(VOID, name)) {
            (Some(attributes), _) => (false, attributes),
            (_, Some(attributes)) => (true, attributes),
            _ => panic!("an element `{name}` at {rest:.80}"),
        };
        rest = tag(name, more, attributes, &mut read);
        read.elements.push(name.to_owned());
        if !void {
            open.push(name);
        }
    }
    assert_eq!(rest.trim(), "", "text after everything");
    assert_eq!(open, [""; 0], "left open");
    for id in &read.referred {
        assert!(read.ids.contains(id), "nothing is called `{id}`");
    }
    read
}

/// The attributes of a tag and its end; answers what follows.
fn tag<'p>(name: &str, mut rest: &'p str, attributes: &[&str], read: &mut Read) -> &'p str {
    let mut seen = BTreeSet::new();
    while let Some(more) = rest.strip_prefix(' ') {
        let (attribute, more) = word(more);
        assert!(
            attributes.contains(&attribute) || COMMON.contains(&attribute),
            "an attribute `{attribute}` of `{name}`"
        );
        assert!(seen.insert(attribute), "`{attribute}` twice");
        let (value, more) = more.strip_prefix("=\"").unwrap().split_once('"').unwrap();
        let value = decoded(value);
        match attribute {
            "href" => {
                read.referred
                    .insert(value.strip_prefix('#').expect("no link elsewhere").to_owned());
            }
            "aria-labelledby" => {
                read.referred.insert(value);
            }
            "id" => assert!(read.ids.insert(value), "an id twice"),
            _ => {}
        }
        rest = more;
    }
    let shape = !matches!(name, "meta") && known(VOID, name).is_some();
    rest.strip_prefix(if shape { "/>" } else { ">" }).expect("the end of a tag")
}

fn known(table: &[(&str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(known, _)| *known == name).map(|(_, attributes)| *attributes)
}

/// A name, and what follows.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(text.len());
    text.split_at(end)
}

/// Text without its escapes. Nothing else may look like one, nor act.
fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut pieces = text.split('&');
    out += pieces.next().unwrap();
    for piece in pieces {
        let (name, rest) = piece.split_once(';').expect("an escape ends");
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("an escape `{other}`"),
        });
        out += rest;
    }
    let acts = |c: char| {
        c != '\n' && c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    assert!(!text.contains(['>', '"', '\'']) && !text.contains(acts), "{text:?}");
    out
}

#[test]
#[should_panic(expected = "an element `script`")]
fn a_foreign_element_is_noticed() {
    read("<!doctype html>\n<html><script></script></html>");
}

#[test]
#[should_panic(expected = "an attribute `onload`")]
fn a_handler_is_noticed() {
    read("<!doctype html>\n<html><body onload=\"x\"></body></html>");
}

#[test]
#[should_panic(expected = "nesting")]
fn what_is_not_closed_is_noticed() {
    read("<!doctype html>\n<html><body></html>");
}

#[test]
#[should_panic(expected = "no link elsewhere")]
fn a_link_elsewhere_is_noticed() {
    read("<!doctype html>\n<html><a href=\"javascript:x\"></a></html>");
}
