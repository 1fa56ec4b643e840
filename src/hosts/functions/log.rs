//! Log lines as the Functions host reads them.
//!
//! It takes lines from standard output as information, and lines from standard error as errors, unless they have the word
//! "warn" in them. So each line is one JSON object, on the stream of its level; and in an error line every "warn" that
//! came in with a text is written with an escape, which JSON readers undo and the host does not.

use serde_json::{Map, Value as Json};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What the host looks for in a line of standard error, besides its prefixes: it would change the line's level or text.
const NEEDLES: [&str; 3] = ["warn", "address already in use", "eaddrinuse"];

/// Begins logging at this level and above. What libraries say is left out: it may quote URLs.
pub fn start(level: Level) {
    // A second subscriber in the same process is a matter of tests.
    let _already = tracing_subscriber::registry().with(Lines { level }).try_init();
}

struct Lines {
    level: Level,
}

/// Fields of a span, kept beside it.
struct Fields(Map<String, Json>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _context: Context<'_, S>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("hsmwatch")
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                for (name, value) in &of_span.0 {
                    fields.0.insert(name.clone(), value.clone());
                }
            }
        }
        event.record(&mut fields);
        let level = *event.metadata().level();
        let line = line(level, fields.0);
        // Whoever reads has gone: there is nobody left to tell.
        let _gone = if level <= Level::WARN {
            std::io::stderr().lock().write_all(line.as_bytes())
        } else {
            std::io::stdout().lock().write_all(line.as_bytes())
        };
    }
}

/// One line, its end included. The message comes first after the level, for those who read it bare.
fn line(level: Level, mut fields: Map<String, Json>) -> String {
    let mut all = Map::new();
    all.insert("level".to_owned(), level.as_str().into());
    if let Some(message) = fields.shift_remove("message") {
        all.insert("message".to_owned(), message);
    }
    all.append(&mut fields);
    let text = Json::Object(all).to_string();
    let mut text = if level == Level::ERROR { escaped(&text) } else { text };
    text.push('\n');
    text
}

/// The same JSON without any of the needles: their second letter is escaped. All of them can only stand within strings, and
/// their first letter may be the last digit of an escape (`\u001eaddrinuse`), but not the second.
fn escaped(json: &str) -> String {
    let lower = json.to_ascii_lowercase();
    let begins = |at: usize| {
        lower.get(at..).is_some_and(|rest| NEEDLES.iter().any(|needle| rest.starts_with(needle)))
    };
    let mut out = String::with_capacity(json.len());
    for (at, c) in json.char_indices() {
        if at > 0 && begins(at - 1) {
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(pairs: &[(&str, &str)]) -> Map<String, Json> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), Json::from(*v))).collect()
    }

    #[test]
    fn levels_stand_where_the_host_looks_for_them() {
        let warning = line(Level::WARN, fields(&[("message", "throttled")]));
        assert!(warning.to_lowercase().contains("warn"));
        let error =
            line(Level::ERROR, fields(&[("message", "it says WARNING: Address already in use")]));
        assert!(!error.to_lowercase().contains("warn"), "{error}");
        assert!(!error.to_lowercase().contains("address already"), "{error}");
        let read: Json = serde_json::from_str(&error).unwrap();
        assert_eq!(read["message"], "it says WARNING: Address already in use");
    }

    proptest! {
        #[test]
        fn an_error_line_is_one_line_and_never_a_warning(
            message in "(\\PC|[\u{1e}\u{1a}]|[\\\\\"\n\r\t]|[Ww][Aa][Rr][Nn]|\\\\warn|EADDRINUSE){0,40}",
            field in "\\PC{0,20}",
        ) {
            let line = line(Level::ERROR, fields(&[("message", &message), ("field", &field)]));
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(!line.to_ascii_lowercase().contains("warn"));
            let read: Json = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["message"].as_str().unwrap(), message);
            prop_assert_eq!(read["field"].as_str().unwrap(), field);
        }
    }
}
