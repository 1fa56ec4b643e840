//! The reference: the keys of each section as a table of Markdown.

use super::{Fallback, Key, Section, Shape};
use crate::config::variables::{Reader, Setter, VARIABLES};
use std::fmt::Write as _;

/// The keys of a section.
pub(crate) fn table(of: &Section) -> String {
    let mut text = "| key | type | default | meaning |\n|---|---|---|---|\n".to_owned();
    for key in of.keys {
        let mut meaning = key.about.to_owned();
        let sentences = of.sentences(key);
        if !sentences.is_empty() {
            let _infallible = write!(meaning, " {sentences}");
        }
        let example = key.example.split_whitespace().collect::<Vec<_>>().join(" ");
        if !matches!(key.shape, Shape::Table(_) | Shape::Tables(_)) && !example.contains('`') {
            let _infallible = write!(meaning, " Such as `{example}`.");
        }
        let cells = [format!("`{}`", key.name), shape(key), default(key), meaning];
        let cells = cells.map(|cell| cell.replace('|', "\\|")).join(" | ");
        let _infallible = writeln!(text, "| {cells} |");
    }
    text
}

/// The variables of the environment that people set.
pub(crate) fn variables() -> String {
    let mut text = "| variable | read by | meaning |\n|---|---|---|\n".to_owned();
    for variable in VARIABLES.iter().filter(|variable| variable.setter != Setter::Platform) {
        let reader = match variable.reader {
            Reader::Configuration => "the configuration",
            Reader::Identity => "whatever signs in to Azure",
            Reader::CommandLine => "the command line",
            Reader::Handler => "`handler`",
            Reader::Doctor => "`doctor`",
            Reader::Host => "the Functions host",
        };
        let elsewhere = match variable.setter {
            Setter::PersonElsewhere => " Not in an app on Azure.",
            _ => "",
        };
        let (name, meaning) = (variable.name, variable.meaning.replace('|', "\\|"));
        let _infallible = writeln!(text, "| `{name}` | {reader} | {meaning}{elsewhere} |");
    }
    text
}

fn shape(key: &Key) -> String {
    match &key.shape {
        Shape::Text(format) => format.label(),
        Shape::List { of, .. } => format!("list: {}", of.label()),
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Levels => "table: severity to text".to_owned(),
        Shape::Texts => "table: name to text".to_owned(),
        Shape::Values => "table: name to value".to_owned(),
        Shape::Table(section) | Shape::Tables(section) => format!("`{}`", section.header),
    }
}

fn default(key: &Key) -> String {
    match key.default {
        Fallback::Required => "needed".to_owned(),
        Fallback::Value("[]") => "none".to_owned(),
        Fallback::Value(default) => format!("`{default}`"),
        Fallback::Words(words) => words.to_owned(),
        Fallback::Nothing => String::new(),
    }
}
