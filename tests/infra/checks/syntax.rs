//! The grammar takes every file, and every file stays inside what a parser without the compiler reads.

use crate::bicep::ast::{File, Kind, Node};
use crate::sources::Infra;

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    for path in infra.texts.keys().filter(|path| path.ends_with(".bicepparam")) {
        found.push(format!(
            "{path}: azd would take it, and these checks cannot read it: write a .parameters.json"
        ));
    }
    for file in infra.files.values() {
        let mut say = |at: crate::bicep::ast::At, text: &str| {
            found.push(format!("{}:{at}: {text}", file.path));
        };
        for fault in &file.faults {
            say(fault.at, &format!("{}: put the syntax right", fault.text));
        }
        if !file.faults.is_empty() {
            // Whatever else would be said of it may be untrue.
            continue;
        }
        for other in &file.others {
            say(other.at, &format!("{}: write it without", other.text));
        }
        for module in &file.modules {
            if module.target.contains(':') {
                say(module.at, "a module of a registry: write a module of your own");
            }
        }
        let kinds = file.params.iter().map(|param| (param.at, &param.kind));
        for (at, kind) in kinds.chain(file.outputs.iter().map(|output| (output.at, &output.kind))) {
            if kind.starts_with("resourceInput") || kind.starts_with("resourceOutput") {
                say(
                    at,
                    "a type taken from a resource: write `object` and say in the description what",
                );
            }
        }
        for node in odd(file) {
            match &node.kind {
                Kind::Array(_) => say(
                    node.at,
                    "an item of an array begins with a call, or two stand on a line: give it a variable, each a line",
                ),
                _ => say(node.at, "is not read by these checks: write it more simply"),
            }
        }
    }
    found
}

/// What is read differently from how it is meant, and what is not read.
fn odd(file: &File) -> Vec<&Node> {
    let mut odd = Vec::new();
    file.walk(&mut |node| match &node.kind {
        Kind::Array(items) if items.iter().any(begins_with_call) => odd.push(node),
        // `f(x)` is read as the items `f` and `(x)`: no line break or comma between them.
        Kind::Array(items) if items.windows(2).any(|two| one_line(file, two)) => odd.push(node),
        Kind::Other => odd.push(node),
        _ => {}
    });
    odd
}

fn begins_with_call(node: &Node) -> bool {
    match &node.kind {
        _ if node.closed => false,
        Kind::Call { .. } => true,
        Kind::Member { of, .. } | Kind::Index { of, .. } => begins_with_call(of),
        Kind::Binary { sides, .. } => begins_with_call(&sides[0]),
        Kind::Ternary(parts) => begins_with_call(&parts[0]),
        _ => false,
    }
}

fn one_line(file: &File, two: &[Node]) -> bool {
    let between = file.text.get(two[0].span.1..two[1].span.0).unwrap_or_default();
    !between.contains(['\n', ','])
}
