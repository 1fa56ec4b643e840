//! `infra/README.md` says of parameters and outputs what the templates say.

use crate::bicep::ast::{File, Kind, Node, Param};
use crate::bicep::constraints::literal;
use crate::sources::Infra;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const README: &str = "infra/README.md";

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    let readme = infra.text(README);
    for file in infra.files.values() {
        for param in &file.params {
            if File::description(&param.decorators).is_none() {
                found.push(format!(
                    "{}:{}: the parameter `{}` has no @description",
                    file.path, param.at.line, param.name
                ));
            }
        }
        for output in &file.outputs {
            if File::description(&output.decorators).is_none() {
                found.push(format!(
                    "{}:{}: the output `{}` has no @description",
                    file.path, output.at.line, output.name
                ));
            }
        }
    }
    for root in infra.roots() {
        parameters(readme, root, &mut found);
        outputs(readme, root, &mut found);
    }
    found
}

/// The lines of a section, with their numbers.
fn section<'t>(text: &'t str, heading: &str) -> Vec<(usize, &'t str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let section = lines.skip_while(|(_, line)| *line != heading).skip(1);
    section.take_while(|(_, line)| !line.starts_with('#')).collect()
}

fn parameters(readme: &str, root: &File, found: &mut Vec<String>) {
    let heading = format!("### Parameters of {}", root.path);
    let lines = section(readme, &heading);
    let rows: BTreeMap<&str, (usize, &str)> = lines
        .into_iter()
        .filter(|(_, line)| line.starts_with("| `"))
        .filter_map(|(number, line)| Some((line.split('`').nth(1)?, (number, line))))
        .collect();
    for param in &root.params {
        let wanted = row(param);
        match rows.get(param.name.as_str()) {
            None => {
                found.push(format!("{README}: \"{heading}\" lacks `{}`: add {wanted}", param.name));
            }
            Some((number, line)) if *line != wanted => {
                found.push(format!(
                    "{README}:{number}: is not what the template says of `{}`: write {wanted}",
                    param.name
                ));
            }
            Some(_) => {}
        }
    }
    for (name, (number, _)) in rows {
        if root.param(name).is_none() {
            found.push(format!(
                "{README}:{number}: {} has no parameter `{name}`: remove the row",
                root.path
            ));
        }
    }
}

/// The row that documents a parameter.
fn row(param: &Param) -> String {
    let description = File::description(&param.decorators).unwrap_or_default().replace('|', "\\|");
    let limits = limits(param).map(|limits| format!(" ({limits})")).unwrap_or_default();
    format!("| `{}` | {} | {} | {description}{limits} |", param.name, param.kind, default(param))
}

fn default(param: &Param) -> String {
    let Some(node) = &param.default else { return "(must be given)".to_owned() };
    match literal(node) {
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
        None => computed(node),
    }
}

/// A default that is no literal, in words.
fn computed(node: &Node) -> String {
    match &node.kind {
        Kind::Name(name) => format!("`{name}`"),
        Kind::Call { name, args } if name == "any" => {
            args.first().map_or_else(String::new, computed)
        }
        Kind::Call { name, args } if name == "loadJsonContent" => {
            let file = args.first().and_then(Node::text).unwrap_or("?");
            format!("the names in `{file}`")
        }
        Kind::Member { of, name, .. }
            if name == "location"
                && matches!(&of.kind, Kind::Call { name, .. } if name == "resourceGroup") =>
        {
            "the group's".to_owned()
        }
        _ => "?".to_owned(),
    }
}

/// What the decorators allow, in words.
fn limits(param: &Param) -> Option<String> {
    if let Some(allowed) = param.allowed() {
        let words: Vec<String> = allowed
            .iter()
            .map(|value| {
                format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect();
        return Some(words.join(" \\| "));
    }
    let unit = if param.kind == "string" { " characters" } else { "" };
    match (param.bound("minLength"), param.bound("maxLength")) {
        (Some(least), Some(most)) => return Some(format!("{least} to {most}{unit}")),
        (Some(1), None) if param.kind == "string" => return Some("not empty".to_owned()),
        (Some(1), None) => return Some("at least one".to_owned()),
        (Some(least), None) => return Some(format!("at least {least}{unit}")),
        (None, Some(most)) => return Some(format!("at most {most}{unit}")),
        (None, None) => {}
    }
    match (param.bound("minValue"), param.bound("maxValue")) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}

/// Outputs stand in a list: names in backticks, before a colon or alone.
fn outputs(readme: &str, root: &File, found: &mut Vec<String>) {
    let heading = format!("### Outputs of {}", root.path);
    let lines = section(readme, &heading);
    let mut documented = BTreeSet::new();
    for (number, line) in lines.iter().filter(|(_, line)| line.starts_with("- ")) {
        for part in line.trim_start_matches("- ").split(';') {
            let head = part.split(':').next().unwrap_or_default().trim();
            if !head.starts_with('`') {
                continue;
            }
            for name in head.split('`').skip(1).step_by(2) {
                documented.insert(name);
                if !root.outputs.iter().any(|output| output.name == name) {
                    found.push(format!(
                        "{README}:{number}: {} has no output `{name}`: remove it",
                        root.path
                    ));
                }
            }
        }
    }
    for output in &root.outputs {
        if !documented.contains(output.name.as_str()) {
            found.push(format!("{README}: \"{heading}\" lacks `{}`: add it", output.name));
        }
    }
}
