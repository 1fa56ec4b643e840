//! Things are deployed in an order that works: whatever is named exists by then, and the app starts last.
//!
//! Bicep sees an order where one resource reads another's symbol. Where a name or an id is computed from parameters it sees
//! none, and `dependsOn` has to say it.

use crate::bicep::ast::{Block, File, Kind};
use crate::sources::Infra;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What there must be before an app starts: else its first start fails, and nothing says when it tries again.
const BEFORE_THE_APP: [&str; 5] = [
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    for root in infra.roots() {
        let direct = direct(root);
        let line = |symbol: &str| {
            blocks(root).find(|block| block.symbol == symbol).map_or(0, |block| block.at.line)
        };
        for scenario in infra.scenarios().iter().filter(|scenario| scenario.root == root.path) {
            let made: Vec<_> = scenario
                .deployment
                .resources
                .iter()
                .filter(|resource| !resource.existing)
                .collect();
            let deployed = scenario.deployment.given.iter().map(|(symbol, _)| symbol.as_str());
            let before = whole(&direct, &deployed.collect());
            let mut needs = |symbol: &str, other: &str, why: &str| {
                let known = before.get(symbol).is_some_and(|before| before.contains(other));
                if symbol != other && !known {
                    found.insert(format!(
                        "{}:{}: `{symbol}` {why}: put `{other}` into its dependsOn (with {})",
                        root.path,
                        line(symbol),
                        scenario.label
                    ));
                }
            };
            for (symbol, value) in &scenario.deployment.given {
                // A module without resources only computes.
                if !made.iter().any(|resource| resource.within == *symbol) {
                    continue;
                }
                let mut texts = Vec::new();
                texts_of(value, &mut texts);
                for resource in &made {
                    if texts.iter().any(|text| text.eq_ignore_ascii_case(&resource.id)) {
                        let why = format!(
                            "names the id of a {} that `{}` makes",
                            resource.kind, resource.within
                        );
                        needs(symbol, &resource.within, &why);
                    }
                }
            }
            for app in made.iter().filter(|resource| resource.kind == "Microsoft.Web/sites") {
                for resource in &made {
                    if BEFORE_THE_APP.contains(&resource.kind.as_str()) {
                        let why = format!(
                            "has the app, which may start before `{}` has made a {}",
                            resource.within, resource.kind
                        );
                        needs(&app.within, &resource.within, &why);
                    }
                }
            }
        }
    }
    super::once_each(found)
}

fn blocks(file: &File) -> impl Iterator<Item = &Block> {
    file.all_resources().into_iter().chain(&file.modules)
}

/// For each resource and module of a template, those that it waits for.
fn direct(file: &File) -> BTreeMap<&str, BTreeSet<&str>> {
    let symbols: BTreeSet<&str> = blocks(file).map(|block| block.symbol.as_str()).collect();
    blocks(file).map(|block| (block.symbol.as_str(), named(file, block, &symbols))).collect()
}

/// Those that it waits for, and what these wait for. What is not deployed passes no waiting on.
fn whole<'f>(
    direct: &BTreeMap<&'f str, BTreeSet<&'f str>>,
    deployed: &BTreeSet<&str>,
) -> BTreeMap<&'f str, BTreeSet<&'f str>> {
    let mut whole = direct.clone();
    loop {
        let mut more = whole.clone();
        for before in more.values_mut() {
            let through = before.iter().filter(|symbol| deployed.contains(*symbol));
            let further: Vec<&str> =
                through.filter_map(|symbol| whole.get(symbol)).flatten().copied().collect();
            before.extend(further);
        }
        if more == whole {
            return whole;
        }
        whole = more;
    }
}

/// The symbols that a block reads or waits for, through variables. The id or name alone of a module or resource that exists
/// already is no order; of one that is made, Bicep makes it one.
fn named<'f>(file: &'f File, block: &'f Block, symbols: &BTreeSet<&'f str>) -> BTreeSet<&'f str> {
    let mut seen = BTreeSet::new();
    let mut next = vec![&block.value];
    while let Some(node) = next.pop() {
        node.walk(&mut |node| {
            if let Kind::Name(name) = &node.kind
                && seen.insert(name.as_str())
                && let Some(var) = file.vars.iter().find(|var| var.name == *name)
            {
                next.push(&var.value);
            }
        });
    }
    seen.into_iter().filter(|name| symbols.contains(name) && *name != block.symbol).collect()
}

fn texts_of<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(map) => map.values().for_each(|item| texts_of(item, texts)),
        _ => {}
    }
}
