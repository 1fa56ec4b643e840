//! Holds the tables of "Error texts" in docs/operations.md to the texts in `src/`.

use super::literals::{Literal, normal, words};
use super::markdown;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A text that the page explains.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Where the section begins.
const SECTION: &str = "## Error texts";

/// The texts that the page explains: the first cells of the tables in its section.
pub(crate) fn explained(page: &str) -> Vec<Explained> {
    let mut found = Vec::new();
    let lines = page.lines().enumerate().skip_while(|(_, line)| *line != SECTION).skip(1);
    for (n, line) in lines.take_while(|(_, line)| !line.starts_with("## ")) {
        let Some(cell) = markdown::cells(line).first().map(|cell| cell.trim()) else { continue };
        if !cell.starts_with('`') {
            continue;
        }
        for text in cell.split("<br>") {
            let text = normal(&text.replace("\\|", "|"));
            found.push(Explained { line: n + 1, text });
        }
    }
    found
}

/// Whether a row is about this text: it is the text, or it has it in it.
fn is_about(row: &str, text: &str) -> bool {
    row == text || words(text) >= 3 && row.contains(text)
}

/// What is missing on the page and what is there in vain, for whoever has to mend it.
pub(crate) fn complaints(page: &str, literals: &[Literal]) -> String {
    let rows = explained(page);
    let mut missing: BTreeMap<&str, BTreeMap<&str, &Literal>> = BTreeMap::new();
    for literal in literals.iter().filter(|literal| literal.error) {
        if !rows.iter().any(|row| is_about(&row.text, &literal.text)) {
            missing.entry(section(&literal.file)).or_default().insert(&literal.text, literal);
        }
    }
    let texts: BTreeSet<&str> = literals.iter().map(|literal| literal.text.as_str()).collect();
    let in_vain: Vec<&Explained> = rows
        .iter()
        .filter(|row| {
            let known = texts.contains(row.text.as_str());
            let part =
                || words(&row.text) >= 3 && texts.iter().any(|text| text.contains(&row.text));
            let whole = || texts.iter().any(|text| is_about(&row.text, text));
            !known && !part() && !whole()
        })
        .collect();

    let mut out = String::new();
    if !missing.is_empty() {
        out.push_str(
            "\ndocs/operations.md does not explain these error texts. Add to the table of the section that is named a row of this form\n\
             (or the text, after <br>, to the first cell of a row that has the same cause), and say what causes it and what to do:\n",
        );
    }
    for (section, texts) in missing {
        let _infallible = writeln!(out, "\n### {section}");
        for (text, literal) in texts {
            let _infallible = writeln!(
                out,
                "| `{}` | cause | what to do |        (src/{}:{})",
                text.replace('|', "\\|"),
                literal.file,
                literal.line
            );
        }
    }
    if !in_vain.is_empty() {
        out.push_str("\ndocs/operations.md explains texts that are nowhere in src/ any more. Take them out, or mend them:\n");
    }
    for row in in_vain {
        let _infallible = writeln!(out, "line {}: `{}`", row.line, row.text);
    }
    out
}

/// The section of the page for errors of a file.
fn section(file: &str) -> &'static str {
    let parts = [
        ("config/", "Configuration"),
        ("watch/seen", "State"),
        ("watch/head", "State"),
        ("watch/format", "State"),
        ("watch/", "Configuration"),
        ("cli/origin", "Configuration"),
        ("cli/supply", "Configuration"),
        ("cli/keeper", "Configuration"),
        ("cli/setup", "Configuration"),
        ("cli/doctor", "Doctor"),
        ("cli/", "Command line"),
        ("azure/identity", "Identity and rights"),
        ("azure/management", "Doctor"),
        ("azure/sites", "Doctor"),
        ("http/probe", "Doctor"),
        ("azure/blob", "State"),
        ("azure/storage", "State"),
        ("azure/remote", "Configuration"),
        ("azure/", "Query service"),
        ("local/disk", "State"),
        ("local/", "Log files"),
        ("ports", "State"),
        ("http", "Receivers"),
        ("notify/", "Receivers"),
        ("engine/deliver", "Receivers"),
        ("engine/cover", "Query service"),
        ("engine/evaluate", "Query service"),
        ("engine/", "State"),
    ];
    let found = parts.into_iter().find(|(part, _)| file.starts_with(part));
    found.map_or("Package and host", |(_, section)| section)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(file: &str, text: &str, error: bool) -> Literal {
        Literal { text: normal(text), file: file.to_owned(), line: 7, error }
    }

    #[test]
    fn what_is_missing_and_what_is_in_vain_is_named_with_its_row() {
        let page = "## Error texts\n\n| text | cause | do |\n|---|---|---|\n| `is empty`<br>`no \\| such` | c | d |\n\
                    | `… is away from …; go and look for it` | c | d |\n| `gone for ever` | c | d |\n\n## Next\n\n| `not read` | c | d |\n";
        let literals = [
            literal("config/x.rs", "is empty", true),
            literal("config/x.rs", "no | such", true),
            literal("config/x.rs", "not an error", false),
            literal("azure/blob.rs", "; go and look for it", true),
            literal("config/value.rs", "`{name}` is a | b", true),
            literal("azure/blob.rs", "`{}` is lost", true),
        ];
        let said = complaints(page, &literals);
        let expected = "\n### Configuration\n| `… is a \\| b` | cause | what to do |        (src/config/value.rs:7)\n\
                        \n### State\n| `… is lost` | cause | what to do |        (src/azure/blob.rs:7)\n\
                        \ndocs/operations.md explains texts that are nowhere in src/ any more. Take them out, or mend them:\n\
                        line 7: `gone for ever`\n";
        assert!(said.ends_with(expected), "{said}");
        assert_eq!(complaints(page, &literals[..0]).matches("line ").count(), 4);
    }
}
