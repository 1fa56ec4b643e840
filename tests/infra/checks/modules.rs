//! Modules get what they take, and give what is asked of them.

use crate::bicep::ast::{Block, File, Kind, Node};
use crate::sources::{Infra, beside};
use std::collections::BTreeSet;

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for file in infra.files.values() {
        for module in &file.modules {
            let path = beside(&file.path, &module.target);
            let place = format!("{}:{}", file.path, module.at.line);
            let Some(target) = infra.files.get(&path) else {
                found.push(format!("{place}: there is no {path}: name a file of infra/"));
                continue;
            };
            used.insert(path.clone());
            given(module, target, &place, &mut found);
        }
        outputs(infra, file, &mut found);
    }
    for path in infra.files.keys() {
        if path.contains("/modules/") && !used.contains(path) {
            found.push(format!("{path}: no template uses it: remove it or use it"));
        }
    }
    found
}

fn given(module: &Block, target: &File, place: &str, found: &mut Vec<String>) {
    let params = module.body().get("params").map(|entry| &entry.value.kind);
    let entries = match params {
        Some(Kind::Object(entries)) => entries.as_slice(),
        None => &[],
        Some(_) => {
            found.push(format!("{place}: `params` is not written out: write {{ name: value }}"));
            return;
        }
    };
    for entry in entries {
        if entry.name().is_none_or(|name| target.param(name).is_none()) {
            let name = entry.name().unwrap_or("?");
            found.push(format!(
                "{place}: {} takes no `{name}`: remove it or declare it",
                target.path
            ));
        }
    }
    for param in target.params.iter().filter(|param| param.is_required()) {
        if !entries.iter().any(|entry| entry.name() == Some(&param.name)) {
            found.push(format!("{place}: {} needs `{}`: pass it", target.path, param.name));
        }
    }
}

/// `module.outputs.name`: the name exists.
fn outputs(infra: &Infra, file: &File, found: &mut Vec<String>) {
    file.walk(&mut |node| {
        let Kind::Member { of, name, .. } = &node.kind else { return };
        let Kind::Member { of: module, name: outputs, .. } = &of.kind else { return };
        if outputs != "outputs" {
            return;
        }
        let Some(symbol) = symbol(module) else { return };
        let Some(module) = file.modules.iter().find(|module| module.symbol == symbol) else {
            return;
        };
        let path = beside(&file.path, &module.target);
        let gives = |file: &File| file.outputs.iter().any(|output| output.name == *name);
        if infra.files.get(&path).is_some_and(|target| !gives(target)) {
            let line = node.at.line;
            found.push(format!(
                "{}:{line}: {path} has no output `{name}`: declare it there",
                file.path
            ));
        }
    });
}

fn symbol(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Name(name) => Some(name),
        Kind::Index { of, .. } => symbol(of),
        _ => None,
    }
}
