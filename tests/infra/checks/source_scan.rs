//! The table of variables in `src/config/variables.rs` has every variable that the source names.

use crate::sources::{Infra, has_extension};
use hsmwatch::config::variables::{self, VARIABLES};
use std::collections::BTreeSet;

/// Words of this shape that are no variables, and what they are.
const NO_VARIABLES: [(&str, &str); 3] = [
    ("HSMWATCH_NO_SUCH_OPERATION", "an operation that does not exist, in `send-test`"),
    ("HSMWATCH_STATE_", "the beginning of a name"),
    ("HSMWATCH_", "the beginning of a name"),
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    let mut named = BTreeSet::new();
    for (path, text) in infra.texts.iter().filter(|(path, _)| is_product(path)) {
        for (number, line) in product(text).lines().enumerate() {
            for name in names(line) {
                if path != "src/config/variables.rs" {
                    named.insert(name.clone());
                }
                let known = variables::get(&name).is_some()
                    || NO_VARIABLES.iter().any(|(word, _)| *word == name);
                if !known {
                    found.push(format!("{path}:{}: `{name}` is not in src/config/variables.rs: add it there with a sentence", number + 1));
                }
            }
        }
    }
    for schedule in infra.texts.iter().filter(|(path, _)| path.starts_with("function-defs/")) {
        named.extend(schedule.1.split('%').skip(1).step_by(2).map(str::to_owned));
    }
    for variable in VARIABLES {
        if !named.contains(variable.name) {
            found.push(format!(
                "src/config/variables.rs: nothing reads `{}`: remove it",
                variable.name
            ));
        }
    }
    found
}

/// Not tests, and not what only tests are built with.
fn is_product(path: &str) -> bool {
    path.starts_with("src/")
        && has_extension(path, "rs")
        && !path.contains("/tests")
        && !path.contains("/simulation")
}

/// The part of a file before its tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// The variables that a line names: `HSMWATCH_…` anywhere, and what is looked up or is a clap `env`.
fn names(line: &str) -> Vec<String> {
    let code = line.trim_start();
    if code.starts_with("//") && !code.starts_with("///") {
        return Vec::new();
    }
    let mut names = Vec::new();
    for (at, _) in line.match_indices("HSMWATCH_") {
        let rest = &line[at..];
        let end = rest.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
        names.push(rest[..end.unwrap_or(rest.len())].to_owned());
    }
    // An example in a text has its own names: `{ env = "TEAMS_URL" }`.
    let asks =
        [".var(\"", "get(\"", "with(\"", "(long, env = \"", "(env = \"", "global = true, env = \""];
    if asks.iter().any(|start| line.contains(start)) {
        names.extend(
            line.split('"').skip(1).step_by(2).filter(|word| is_variable(word)).map(str::to_owned),
        );
    }
    // Names of the platform's, however they are asked for; and whatever the table knows.
    let platform = ["WEBSITE_", "IDENTITY_", "FUNCTIONS_"];
    for word in line.split('"').skip(1).step_by(2).filter(|word| is_variable(word)) {
        let known = variables::get(word).is_some();
        if known || platform.iter().any(|start| word.starts_with(start)) {
            names.push(word.to_owned());
        }
    }
    names.dedup();
    names
}

fn is_variable(word: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric() || c == '_';
    word.contains('_')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(alphanumeric)
}
