//! Every template can be evaluated with every value of its parameters, and what has to be known at the start is known then.

use crate::bicep::ast::{Block, File, Kind, Node};
use crate::eval::{faults_of_pairs, value::OPEN};
use crate::sources::Infra;
use std::collections::BTreeSet;

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // Each once, with the first parameters that show it.
    let mut say = |text: String| {
        let start = text.split(" (with ").next().unwrap_or_default();
        if !found.iter().any(|known| known.starts_with(start)) {
            found.push(text);
        }
    };
    for scenario in infra.scenarios().iter() {
        let deployment = &scenario.deployment;
        for fault in &deployment.faults {
            say(format!("{fault} (with {})", scenario.label));
        }
        for why in &deployment.refusals {
            say(format!("{}: the defaults are refused: {why}", scenario.root));
        }
        let mut ids = BTreeSet::new();
        for resource in deployment.resources.iter().filter(|resource| !resource.existing) {
            if !ids.insert(resource.id.to_lowercase()) {
                let (path, line) = (&resource.path, resource.at.line);
                say(format!(
                    "{path}:{line}: `{}` is deployed twice: {} (with {})",
                    resource.symbol, resource.id, scenario.label
                ));
            }
        }
    }
    for fault in faults_of_pairs(infra) {
        say(fault);
    }
    for file in infra.files.values() {
        early(file, &mut say);
    }
    found
}

/// Names, scopes, loops and conditions: what Azure only knows while it deploys cannot be in them.
fn early(file: &File, say: &mut dyn FnMut(String)) {
    let mut hold = |node: &Node, what: &str| {
        if let Some(late) = late(file, node, &mut BTreeSet::new()) {
            say(format!(
                "{}:{}: {what} needs `{late}`, which is known only while it is deployed: compute it from parameters",
                file.path, node.at.line
            ));
        }
    };
    let modules: Vec<&Block> = file.modules.iter().collect();
    for block in file.all_resources().into_iter().chain(modules) {
        let mut node = &block.value;
        loop {
            node = match &node.kind {
                Kind::For(each) => {
                    hold(&each.over, "the loop");
                    &each.body
                }
                Kind::If(parts) => {
                    hold(&parts[0], "the condition");
                    &parts[1]
                }
                _ => break,
            };
        }
        for name in ["name", "scope", "parent", "location"] {
            let of_module = block.version.is_none();
            if let Some(entry) = node.get(name).filter(|_| name != "location" || !of_module) {
                // A location may be late; everything else may not.
                if name != "location" {
                    hold(&entry.value, name);
                }
            }
        }
    }
    for var in &file.vars {
        if let Kind::For(each) = &var.value.kind {
            hold(&each.over, "the loop");
            hold(&each.body, "the loop");
        }
    }
}

/// The expression that is only known while it is deployed, if there is one.
fn late(file: &File, node: &Node, seen: &mut BTreeSet<String>) -> Option<String> {
    let mut found = None;
    let mut names = Vec::new();
    node.walk(&mut |node| match &node.kind {
        Kind::Member { of, name, .. } => {
            let of = match &of.kind {
                Kind::Index { of, .. } => of,
                _ => of,
            };
            let known = ["id", "name", "type", "apiVersion"].contains(&name.as_str());
            if let Kind::Name(symbol) = &of.kind
                && !known
                && is_block(file, symbol)
            {
                found.get_or_insert_with(|| format!("{symbol}.{name}"));
            }
        }
        Kind::Call { name, .. } if name == "reference" || name.starts_with("list") => {
            found.get_or_insert_with(|| name.clone());
        }
        Kind::Name(name) => names.push(name.clone()),
        _ => {}
    });
    for name in names {
        if found.is_none()
            && let Some(var) = file.vars.iter().find(|var| var.name == name)
            && seen.insert(name)
        {
            found = late(file, &var.value, seen);
        }
    }
    found.map(|text| text.replace(OPEN, ""))
}

fn is_block(file: &File, symbol: &str) -> bool {
    let resources = file.all_resources().into_iter();
    resources.chain(&file.modules).any(|block| block.symbol == symbol)
}
