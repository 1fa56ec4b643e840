//! What is wrong with a template, and where. Words for people; none of them from the log.

use minijinja::{Error, ErrorKind};
use std::fmt;

/// Which of a receiver's texts it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `template`
    Body,
    /// `headers`, the one of this name.
    Header(String),
    /// `content_type`
    ContentType,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("template"),
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::ContentType => f.write_str("content type"),
        }
    }
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}, line {line}, column {column}: {message}")]
pub struct TemplateProblem {
    /// Which text.
    pub part: Part,
    /// Bytes before the place.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Why a template made nothing of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong and where, in words that hold nothing of the alert.
    pub problem: TemplateProblem,
    /// What the engine says of it: may hold values of the alert.
    pub detail: Option<String>,
}

/// What is wrong, and what to do.
pub(super) type What = (&'static str, Option<&'static str>);

pub(super) const BAD_CONTENT_TYPE: What = (
    "it is not a content type",
    Some("write one such as `application/json` or `text/plain; charset=utf-8`"),
);
pub(super) const TOO_LONG: What = ("the template is longer than 64 KB", None);
pub(super) const TOO_INTRICATE: What = (
    "there are more than 200 brackets, filters and commas in its tags",
    Some("write lists with a loop, and what stays the same outside of tags"),
);
pub(super) const TAG_TOO_INTRICATE: What =
    ("there is a tag with more than 200 words and signs", Some("write it as several"));
pub(super) const TOO_MANY_BRANCHES: What =
    ("there are more than 50 times `elif`", Some("look it up in a list or a map"));
pub(super) const HEADER_TOO_LONG: What = ("the header's template is longer than 4 KB", None);
pub(super) const TOO_MANY_HEADERS: What = ("there are more than 32 headers", None);
pub(super) const BAD_HEADER_NAME: What = (
    "it is not the name of a header",
    Some("names are letters, digits and hyphens, such as `X-Api-Key`"),
);
pub(super) const AUTHORIZATION: What = (
    "`authorization` is not for templates",
    Some("use the key `auth`: what it says is never shown"),
);
pub(super) const RESERVED_HEADER: What =
    ("hsmwatch, or HTTP itself, sets this header", Some("leave it out"));
pub(super) const HEADER_TWICE: What = ("the header is there twice", None);
pub(super) const TOO_LARGE: What =
    ("the body is larger than 256 KB", Some("list fewer hits: `{% for hit in data.hits[:50] %}`"));
pub(super) const HEADER_TOO_LARGE: What =
    ("the header's value is longer than 4 KB", Some("cut it: `{{ summary | truncate(200) }}`"));
pub(super) const BAD_HEADER: What = (
    "the header's value has a character that no header can have",
    Some("visible ASCII and spaces are allowed"),
);

/// A problem of a whole text.
pub(super) fn problem(part: Part, (message, hint): What) -> TemplateProblem {
    TemplateProblem {
        part,
        offset: 0,
        line: 1,
        column: 1,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    }
}

/// The same while rendering.
pub(super) fn fault(part: Part, what: What) -> Fault {
    Fault { problem: problem(part, what), detail: None }
}

/// What the engine says of a text.
pub(super) fn locate(part: Part, source: &str, error: &Error) -> TemplateProblem {
    let offset = error
        .range()
        .map(|range| range.start)
        .or_else(|| Some(start_of(source, error.line()?)))
        .unwrap_or_default();
    let (line, column) = line_and_column(source, offset);
    let (message, hint) = words(error, source);
    TemplateProblem { part, offset, line, column, message, hint }
}

/// What the engine says of rendering a text.
pub(super) fn failed(part: Part, source: &str, error: &Error) -> Fault {
    let detail = error.detail().map(str::to_owned);
    Fault { problem: locate(part, source, error), detail }
}

/// What was made is no JSON.
pub(super) fn not_json(source: &str, at: Option<usize>, error: &serde_json::Error) -> Fault {
    let offset = at.unwrap_or_default();
    let (line, column) = line_and_column(source, offset);
    // Its words name what JSON expects, and where in the body; never what stands there.
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default().to_owned();
    let problem = TemplateProblem {
        part: Part::Body,
        offset,
        line,
        column,
        message: format!(
            "the body is not JSON: {what} (line {} of the body, column {})",
            error.line(),
            error.column()
        ),
        hint: Some(
            "values bring their own quotes: `{\"text\": {{ title }}}`; within quotes write `{{ title | in_string }}`; \
             a text of several lines is made in `{% autoescape false %}{% set body %}…{% endset %}{% endautoescape %}` and \
             written with `{{ body }}`"
                .to_owned(),
        ),
    };
    Fault { problem, detail: None }
}

/// Words for what the engine says, free of values: those that name a value are replaced.
fn words(error: &Error, source: &str) -> (String, Option<String>) {
    let kind = error.kind();
    let detail = error.detail().unwrap_or_default();
    // A filter or a test may be named by a value: what the template itself says may be repeated.
    let known = |word: &str| ["filter", "test", "function", "is", "unknown"].contains(&word);
    let name: Vec<&str> = detail.split(' ').filter(|word| !known(word)).collect();
    let named = |what: &str| {
        if source.contains(&name.join(" ")) { format!("{what}: {detail}") } else { what.to_owned() }
    };
    let with =
        |what: &str| if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") };
    let hint = |hint: &str| Some(hint.to_owned());
    match kind {
        ErrorKind::SyntaxError => {
            let only = ["include", "import", "from", "extends", "block", "macro", "call"]
                .iter()
                .any(|word| detail == format!("unknown statement {word}"));
            let more = "templates are one text: there are no includes, imports, blocks or macros";
            (with("syntax error"), hint(more).filter(|_| only))
        }
        ErrorKind::BadEscape => (with("bad escape in a string"), None),
        ErrorKind::UndefinedError => (
            with("undefined value"),
            hint(
                "not every alert has it: write `{% if x is defined %}`, or `x | default(\"\")`; docs/templates.md lists what there is",
            ),
        ),
        ErrorKind::UnknownFilter if detail.contains("safe") || detail.contains("escape") => (
            named("unknown filter"),
            hint("values are escaped for the content type, and there is no way around it"),
        ),
        ErrorKind::UnknownFilter => (named("unknown filter"), hint("docs/templates.md lists them")),
        ErrorKind::UnknownTest => (named("unknown test"), None),
        ErrorKind::UnknownFunction => (named("unknown function"), None),
        ErrorKind::OutOfFuel => (
            "it takes too long".to_owned(),
            hint("loop over fewer things: `{% for hit in data.hits[:50] %}`"),
        ),
        ErrorKind::MissingArgument => ("an argument is missing".to_owned(), None),
        ErrorKind::TooManyArguments => ("there are too many arguments".to_owned(), None),
        ErrorKind::NonPrimitive | ErrorKind::NonKey | ErrorKind::InvalidOperation => (
            "this cannot be done with such a value".to_owned(),
            hint("`~` joins texts and numbers; `+` adds numbers"),
        ),
        other => (other.to_string(), None),
    }
}

/// The offset of a line's first byte.
fn start_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

/// The offset of a place that a parser of JSON names: its column counts bytes, from 1, and 0 is the line's end before.
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    (start_of(text, line) + column.saturating_sub(1)).min(text.len())
}

/// Line and column of an offset, both from 1; columns count characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
