//! The operator's own format: a template in the manner of Jinja that is given the default format's object.
//!
//! A template is trusted to be meant well and not to be right: it can reach nothing but that object, it comes to an end, and
//! where it fails for an alert the default format is sent. What it writes is escaped for the content type, so that text from
//! the log, which may be hostile, stays text.

mod context;
mod escape;
mod filters;
mod place;

pub use context::{READY, context};
pub use place::{Fault, Part, TemplateProblem};

use super::{Body, MAX_BODY};
use escape::Escape;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The content type where the configuration says nothing.
pub const CONTENT_TYPE: &str = "application/json";
/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 65_536;
/// The longest template of a header.
pub const MAX_HEADER_TEMPLATE: usize = 4_096;
/// The longest value of a header.
pub const MAX_HEADER: usize = 4_096;
/// Headers at most.
pub const MAX_HEADERS: usize = 32;
/// What rendering may cost, in the engine's units: an instruction each, or 64 bytes. Fifty times what the largest alert takes.
pub const FUEL: u64 = 1_000_000;
/// Brackets, filters and commas in a template's tags.
pub const MAX_PARTS: usize = 200;
/// `elif` in a template.
pub const MAX_ELIFS: usize = 50;
/// Words and signs in one tag.
pub const MAX_WORDS: usize = 200;
/// How deeply it may nest while it runs.
const RECURSION: usize = 100;
/// The name of the body's template; headers' have their own names after it.
const BODY: &str = "body";
const HEADER: &str = "header ";

/// A template that can be rendered.
#[derive(Clone)]
pub struct Template(Arc<Compiled>);

struct Compiled {
    engine: Environment<'static>,
    /// Names, as they were written.
    headers: Vec<String>,
    content_type: String,
    escape: Escape,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its text may have come from a variable.
        f.debug_struct("Template")
            .field("content_type", &self.0.content_type)
            .finish_non_exhaustive()
    }
}

/// What a template makes of an alert.
#[derive(Debug)]
pub struct Rendered {
    /// The body.
    pub body: Result<Body, Fault>,
    /// Headers, without those that failed.
    pub headers: Vec<(String, String)>,
    /// Why one failed.
    pub header_fault: Option<Fault>,
}

impl Template {
    /// Compiles a body's template and those of headers, by name. `content_type` decides how values are escaped.
    pub fn compile(
        text: &str,
        headers: &BTreeMap<String, String>,
        content_type: &str,
    ) -> Result<Self, TemplateProblem> {
        let escape = Escape::of(content_type)
            .ok_or_else(|| place::problem(Part::ContentType, place::BAD_CONTENT_TYPE))?;
        if text.len() > MAX_TEMPLATE {
            return Err(place::problem(Part::Body, place::TOO_LONG));
        }
        for (part, text) in texts(text, headers) {
            let Intricacy { parts, words } = Intricacy::of(text);
            if parts > MAX_PARTS {
                return Err(place::problem(part, place::TOO_INTRICATE));
            }
            // Each is taken apart within the one before.
            if text.matches("elif").count() > MAX_ELIFS {
                return Err(place::problem(part, place::TOO_MANY_BRANCHES));
            }
            if words > MAX_WORDS {
                return Err(place::problem(part, place::TAG_TOO_INTRICATE));
            }
        }
        check_names(headers)?;
        let mut engine = engine(escape);
        add(&mut engine, BODY.to_owned(), text)
            .map_err(|error| place::locate(Part::Body, text, &error))?;
        for (name, text) in headers {
            let part = || Part::Header(name.clone());
            if text.len() > MAX_HEADER_TEMPLATE {
                return Err(place::problem(part(), place::HEADER_TOO_LONG));
            }
            add(&mut engine, format!("{HEADER}{name}"), text)
                .map_err(|error| place::locate(part(), text, &error))?;
        }
        let headers = headers.keys().cloned().collect();
        Ok(Self(Arc::new(Compiled {
            engine,
            headers,
            content_type: content_type.to_owned(),
            escape,
        })))
    }

    /// Its content type.
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// What it makes of a context.
    pub fn render(&self, context: &Value) -> Rendered {
        let mut headers = Vec::new();
        let mut header_fault = None;
        for name in &self.0.headers {
            match self.header(name, context) {
                Ok(value) => headers.push((name.clone(), value)),
                Err(fault) => header_fault = header_fault.or(Some(fault)),
            }
        }
        Rendered { body: self.body(context), headers, header_fault }
    }

    fn body(&self, context: &Value) -> Result<Body, Fault> {
        let (text, source) = self.text(BODY, context, MAX_BODY, &Part::Body)?;
        if self.0.escape == Escape::Json
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text)
        {
            let offset = place::offset_of(&text, error.line(), error.column());
            return Err(place::not_json(&source, self.origin(context, offset), &error));
        }
        Ok(Body { content_type: self.0.content_type.clone().into(), bytes: text.into_bytes() })
    }

    fn header(&self, name: &str, context: &Value) -> Result<String, Fault> {
        let part = Part::Header(name.to_owned());
        let (text, _) = self.text(&format!("{HEADER}{name}"), context, MAX_HEADER, &part)?;
        let value = text.trim();
        if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Ok(value.to_owned());
        }
        Err(place::fault(part, place::BAD_HEADER))
    }

    /// What one of the templates makes of a context, and its source.
    fn text(
        &self,
        name: &str,
        context: &Value,
        max: usize,
        part: &Part,
    ) -> Result<(String, String), Fault> {
        let unreadable = |error: &minijinja::Error| place::failed(part.clone(), "", error);
        let template = self.0.engine.get_template(name).map_err(|error| unreadable(&error))?;
        let mut out = Capped { bytes: Vec::new(), max };
        let source = template.source();
        match template.render_captured_to(context, &mut out) {
            Ok(_) => {}
            Err(_) if out.bytes.len() > max => {
                let what =
                    if *part == Part::Body { place::TOO_LARGE } else { place::HEADER_TOO_LARGE };
                return Err(place::fault(part.clone(), what));
            }
            Err(error) => return Err(place::failed(part.clone(), source, &error)),
        }
        let text = String::from_utf8(out.bytes).unwrap_or_default();
        Ok((text, source.to_owned()))
    }

    /// Where in the body's template that stands which wrote the output at an offset.
    fn origin(&self, context: &Value, offset: usize) -> Option<usize> {
        let template = self.0.engine.get_template(BODY).ok()?;
        let (_, spans) = template.render_with_spans(context).ok()?;
        let span = spans
            .iter()
            .find(|span| span.output_range().contains(&offset))
            // At the very end: what came last.
            .or_else(|| spans.last())?;
        let (output, source) = (span.output_range(), span.source_range());
        // Literal text is copied byte for byte; a value has one place.
        let into = offset.saturating_sub(output.start);
        let literal = output.len() == source.len();
        Some(if literal { source.start + into.min(source.len()) } else { source.start })
    }
}

/// All texts that are templates.
fn texts<'a>(
    body: &'a str,
    headers: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (Part, &'a str)> {
    let headers = headers.iter().map(|(name, text)| (Part::Header(name.clone()), text.as_str()));
    std::iter::once((Part::Body, body)).chain(headers)
}

/// How intricate a text's tags are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Intricacy {
    /// How often there is what can put a value into another: no value is nested more deeply than that.
    parts: usize,
    /// Words and signs of the tag that has most: no expression is nested more deeply than that.
    words: usize,
}

impl Intricacy {
    /// Strings within tags count as one word, however long.
    fn of(text: &str) -> Self {
        let mut all = Self::default();
        // What ends the tag that this is in, and the string within.
        let (mut end, mut quote) = (None, None);
        let mut words = 0;
        let mut before = b' ';
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (end, quote) {
                (None, _) => {
                    let opens = byte == b'{';
                    end = bytes.peek().filter(|_| opens).and_then(|next| match next {
                        b'{' => Some(b'}'),
                        b'%' => Some(b'%'),
                        _ => None,
                    });
                    if end.is_some() {
                        bytes.next();
                    }
                    (words, before) = (0, b' ');
                }
                (_, Some(_)) if byte == b'\\' => drop(bytes.next()),
                (_, Some(mark)) => quote = quote.filter(|_| byte != mark),
                (Some(mark), None) => {
                    let of_word =
                        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 128;
                    if byte == mark && bytes.peek() == Some(&b'}') {
                        end = None;
                    } else if matches!(byte, b'"' | b'\'') {
                        quote = Some(byte);
                        words += 1;
                    } else if b"[({|,".contains(&byte) {
                        all.parts += 1;
                        words += 1;
                    } else if !(byte.is_ascii_whitespace() || of_word(byte) && of_word(before)) {
                        words += 1;
                    }
                    before = byte;
                    all.words = all.words.max(words);
                }
            }
        }
        all
    }
}

/// Names of headers that are ours, or HTTP's own.
const RESERVED: [&str; 13] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-hub-signature-256",
];

fn check_names(headers: &BTreeMap<String, String>) -> Result<(), TemplateProblem> {
    let problem = |name: &str, what| place::problem(Part::Header(name.to_owned()), what);
    let mut seen: Vec<String> = Vec::new();
    for name in headers.keys() {
        let lower = name.to_ascii_lowercase();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
            return Err(problem(name, place::BAD_HEADER_NAME));
        }
        if lower == "authorization" {
            return Err(problem(name, place::AUTHORIZATION));
        }
        if RESERVED.contains(&lower.as_str()) || lower.starts_with("webhook-") {
            return Err(problem(name, place::RESERVED_HEADER));
        }
        if seen.contains(&lower) {
            return Err(problem(name, place::HEADER_TWICE));
        }
        seen.push(lower);
    }
    if let Some(name) = headers.keys().nth(MAX_HEADERS) {
        return Err(problem(name, place::TOO_MANY_HEADERS));
    }
    Ok(())
}

fn engine(escape: Escape) -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(RECURSION);
    let lines = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    if let Ok(lines) = lines {
        engine.set_syntax(lines);
    }
    engine.set_auto_escape_callback(move |name| {
        if name == BODY { escape.auto() } else { Escape::Header.auto() }
    });
    engine.set_formatter(escape::write);
    filters::add(&mut engine);
    engine
}

fn add(
    engine: &mut Environment<'static>,
    name: String,
    text: &str,
) -> Result<(), minijinja::Error> {
    engine.add_template_owned(name, text.to_owned())
}

/// Takes what is written, up to a limit.
struct Capped {
    bytes: Vec<u8>,
    max: usize,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > self.max {
            return Err(io::Error::other("too large"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
