//! The text of an `hsmwatch.toml`: the keys that someone wants written, each with what it is for, and, if asked for, all others
//! as comments.
//!
//! Prose begins with `# `; an option that is not on begins with `#` alone, so that it is switched on by taking that away.

use super::{Fallback, Key, Relation, Section, Shape};
use crate::notify::Kind;
use std::fmt::Write as _;

/// A table that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) of: &'static Section,
    /// Keys and their values, as TOML.
    pub(crate) values: Vec<(&'static str, String)>,
    /// Whether it is a comment as a whole.
    pub(crate) off: bool,
    /// What is said above it, besides what its section is.
    pub(crate) note: &'static str,
}

impl Table {
    pub(crate) fn new(of: &'static Section, values: Vec<(&'static str, String)>) -> Self {
        Self { of, values, off: false, note: "" }
    }

    /// Whether a key goes with what is written here.
    fn takes(&self, key: &str) -> bool {
        self.of.relations.iter().all(|relation| match relation {
            Relation::Only { keys, key: other, words } if keys.contains(&key) => {
                let value = self.value(other);
                value.is_none_or(|value| words.contains(&value.trim_matches('"')))
            }
            _ => true,
        })
    }

    /// How early the catalogue names what is written here among that which a key is for.
    fn rank(&self, key: &str) -> usize {
        let ranks = self.of.relations.iter().filter_map(|relation| match relation {
            Relation::Only { keys, key: other, words } if keys.contains(&key) => {
                let value = self.value(other)?.trim_matches('"');
                words.iter().position(|word| *word == value)
            }
            _ => None,
        });
        ranks.max().unwrap_or(0)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }
}

/// The most characters of a line of prose.
const WIDTH: usize = 100;

/// The text. `full`: with all options.
pub(crate) fn render(head: &str, tables: &[Table], full: bool) -> String {
    let mut text = head.to_owned();
    let mut sections: Vec<&str> = Vec::new();
    let mut explained: Vec<(&str, &str)> = Vec::new();
    for (n, table) in tables.iter().enumerate() {
        let of = table.of;
        text.push('\n');
        if !sections.contains(&of.header) {
            sections.push(of.header);
            prose(&mut text, of.about);
        }
        prose(&mut text, table.note);
        if !of.header.is_empty() {
            code(&mut text, of.header, table.off);
        }
        for key in of.keys {
            let value = table.value(key.name);
            let shown = match value {
                Some(value) => value,
                None if full && carries(tables, n, key) => offered(key),
                None => continue,
            };
            if !explained.contains(&(of.header, key.name)) {
                explained.push((of.header, key.name));
                if full {
                    text.push('\n');
                }
                prose(&mut text, key.about);
                if full {
                    prose(&mut text, &facts(of, key));
                }
            }
            code(&mut text, &format!("{} = {shown}", key.name), table.off || value.is_none());
        }
    }
    text
}

/// What a key that is not written is shown with: its default, unless that would show nothing.
fn offered(key: &Key) -> &'static str {
    match key.default {
        Fallback::Value(default) if !matches!(default, "[]" | "true" | "false") => default,
        _ => key.example,
    }
}

/// Whether a key that no table has is offered in this one: where a key is that it has to do with, else in the first of its kind.
fn carries(tables: &[Table], n: usize, key: &Key) -> bool {
    let Some(table) = tables.get(n) else { return false };
    let of = table.of;
    if matches!(key.shape, Shape::Table(_) | Shape::Tables(_)) {
        return false;
    }
    let alike = || tables.iter().enumerate().filter(|(_, table)| table.of.header == of.header);
    if alike().any(|(_, table)| table.value(key.name).is_some()) {
        return false;
    }
    let related = related(of, key.name);
    let mut places: Vec<(usize, &Table)> =
        alike().filter(|(_, table)| table.takes(key.name)).collect();
    // Of the kinds that it is for, the first that the catalogue names.
    places.sort_by_key(|(_, table)| table.rank(key.name));
    let place = places
        .iter()
        .find(|(_, table)| related.iter().any(|name| table.value(name).is_some()))
        .or_else(|| places.first());
    place.is_some_and(|(place, _)| *place == n)
}

/// The keys that a key has to do with.
fn related(of: &Section, key: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for relation in of.relations {
        match relation {
            Relation::Either(a, b) | Relation::NotBoth(a, b) => {
                found.extend((*a == key).then_some(*b));
                found.extend((*b == key).then_some(*a));
            }
            Relation::Needs(a, others) | Relation::OwnNeeds(a, others) if *a == key => {
                found.extend(others.iter());
            }
            Relation::Signed if key == "unsigned" => found.push("secret"),
            Relation::When { key: decides, needs, .. } if *decides == key => {
                found.extend(needs.iter());
            }
            _ => {}
        }
    }
    found
}

/// Type, default and what goes with what, in a line.
fn facts(of: &Section, key: &Key) -> String {
    let mut said = match &key.shape {
        Shape::Text(format) => format.label(),
        Shape::List { of, .. } => format!("list: {}", of.label()),
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Levels => "table: severity to text".to_owned(),
        Shape::Texts => "table: name to text".to_owned(),
        Shape::Values => "table: name to value".to_owned(),
        Shape::Table(_) | Shape::Tables(_) => return String::new(),
    };
    match key.default {
        Fallback::Value(default) => {
            let _infallible = write!(said, "; default {default}");
        }
        Fallback::Words(words) => {
            let _infallible = write!(said, "; default: {words}");
        }
        Fallback::Required | Fallback::Nothing => {}
    }
    let sentences = of.sentences(key);
    let said = format!("({said})").replace('`', "");
    if sentences.is_empty() { said } else { format!("{said} {sentences}") }
}

/// Writes sentences as comments.
fn prose(text: &mut String, sentences: &str) {
    let mut line = String::new();
    for word in sentences.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH - 2 {
            let _infallible = writeln!(text, "# {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _infallible = writeln!(text, "# {line}");
    }
}

/// Writes lines of TOML, as comments if they are off.
fn code(text: &mut String, lines: &str, off: bool) {
    for line in lines.lines() {
        text.push_str(if off { "#" } else { "" });
        text.push_str(line);
        text.push('\n');
    }
}

/// The configuration with every option.
pub(crate) fn example() -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let variable = |name: &str| format!("{{ env = {} }}", text(name));
    let own = |of: &'static Section, keys: &[&'static str]| {
        let example = |key: &&'static str| Some((*key, of.key(key)?.example.to_owned()));
        Table::new(of, keys.iter().filter_map(example).collect())
    };
    let receiver = |name: &str, kind: Kind, more: Vec<(&'static str, String)>| {
        let mut values = vec![("name", text(name)), ("kind", text(kind.as_str()))];
        values.extend(more);
        Table::new(&super::RECEIVER, values)
    };
    let document = vec![("every", text("5m")), ("presets", "[\"tutorial\"]".to_owned())];
    let mut tables = [
        Table::new(&super::DOCUMENT, document),
        own(&super::STATE, &["path"]),
        own(&super::WORKSPACE, &["name", "id"]),
        own(&super::RECEIVER, &["name", "kind", "url"]),
        receiver("chat", Kind::Slack, vec![("url", variable("HSMWATCH_SLACK_URL"))]),
        receiver(
            "itsm",
            Kind::Webhook,
            vec![
                ("url", variable("HSMWATCH_WEBHOOK_URL")),
                ("secret", variable("HSMWATCH_WEBHOOK_SECRET")),
                ("token", variable("RECEIVER_TOKEN")),
            ],
        ),
        receiver(
            "paged",
            Kind::PagerDuty,
            vec![("routing_key", variable("HSMWATCH_PAGERDUTY_ROUTING_KEY"))],
        ),
        receiver("duty", Kind::JiraServiceManagement, vec![("api_key", variable("JSM_API_KEY"))]),
        receiver(
            "incidents",
            Kind::ServiceNow,
            vec![
                ("url", text("https://acme.service-now.com")),
                ("username", text("svc-hsmwatch")),
                ("password", variable("SERVICENOW_PASSWORD")),
            ],
        ),
        receiver(
            "issues",
            Kind::Jira,
            vec![
                ("url", text("https://acme.atlassian.net")),
                ("project", text("SEC")),
                ("email", text("hsmwatch@example.com")),
                ("token", variable("JIRA_TOKEN")),
            ],
        ),
        own(&super::RULE, &["id", "title", "severity", "query"]),
        Table {
            note: "A preset, changed: logins of the monitoring host are left out.",
            ..own(&super::RULE, &["exclude"])
        },
    ];
    if let Some(change) = tables.last_mut() {
        change.values.push(("id", text("login-session")));
    }
    render(&format!("{EXAMPLE}{}", legend(true)), &tables, true)
}

/// How such a file is read, for its head.
pub(crate) fn legend(full: bool) -> String {
    let off =
        "Lines that begin with `#` and no space are options that are not on: take the `#` away.";
    let strings = "Any string may also be { env = \"VARIABLE\" } or { file = \"PATH\" }, and secrets should be. \
                   Durations are a whole number and s, m, h or d. `hsmwatch check` says what is wrong, and where.";
    let mut text = String::new();
    prose(&mut text, &if full { format!("{off} {strings}") } else { strings.to_owned() });
    text
}

const EXAMPLE: &str = "\
#:schema ./hsmwatch.schema.json
# Every option of hsmwatch, with its default and what it is for; docs/configuration.md has the same as tables.
# Printed by `hsmwatch init --example`; a file with your own values: `hsmwatch init`.
#
";
