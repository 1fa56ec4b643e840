//! Each row fails, and fails alone, when what it asks for is taken away or is something else.

use super::row::{Must, Row};
use super::{setup, table};
use crate::bicep::ast::{Block, Entry, File, Kind, Node};
use crate::sources::Infra;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Both tables.
fn rows() -> Vec<Row> {
    [table::rows(), setup::rows()].concat()
}

/// Those of the rows that fail.
fn failing(rows: &[Row], infra: &Infra) -> BTreeSet<&'static str> {
    rows.iter().filter(|row| !row.faults(infra).is_empty()).map(|row| row.name).collect()
}

/// The blocks of the source that a row is about, with their files.
fn blocks<'i>(infra: &'i Infra, row: &Row) -> Vec<(&'i File, &'i Block)> {
    let mut places = BTreeSet::new();
    for scenario in infra.scenarios().iter() {
        if row.on.root.is_none_or(|root| scenario.root == root) {
            for resource in row.resources(scenario) {
                places.insert((resource.path.clone(), resource.symbol.clone()));
            }
        }
    }
    let block = |(path, symbol): &(String, String)| {
        let file = infra.files.get(path)?.as_ref();
        let block = file.all_resources().into_iter().find(|block| block.symbol == *symbol)?;
        Some((file, block))
    };
    places.iter().filter_map(block).collect()
}

/// The property at the end of a path, also where an object stands in one branch of a condition or in a call.
fn entry<'n>(node: &'n Node, path: &str) -> Option<&'n Entry> {
    let (first, rest) =
        path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match &node.kind {
        Kind::Object(_) => {
            let found = node.get(first)?;
            rest.map_or(Some(found), |rest| entry(&found.value, rest))
        }
        Kind::Ternary(parts) => parts.iter().skip(1).find_map(|part| entry(part, path)),
        Kind::Call { args, .. } => args.iter().find_map(|arg| entry(arg, path)),
        // A number: an item of an array, or of what a loop makes.
        Kind::Array(items) => entry(items.get(first.parse::<usize>().ok()?)?, rest?),
        Kind::For(each) => entry(&each.body, rest?),
        _ => None,
    }
}

/// A file's text with these bytes replaced.
fn edited(infra: &Infra, file: &File, span: (usize, usize), with: &str) -> Infra {
    let (start, end) = span;
    let text = format!("{}{with}{}", &file.text[..start], &file.text[end..]);
    let mutant = infra.with(&file.path, text);
    let faults = &mutant.files[&file.path].faults;
    assert!(faults.is_empty(), "the mutant itself is no Bicep: {faults:?}");
    mutant
}

/// Whole items of arrays in the diagnostic settings that send this log.
fn items<'i>(infra: &'i Infra, by: &str, name: &str) -> Vec<(&'i File, &'i Node)> {
    let mut found = Vec::new();
    for file in infra.files.values() {
        file.walk(&mut |node| {
            if node.get(by).is_some_and(|entry| entry.value.text() == Some(name)) {
                found.push((file.as_ref(), node));
            }
        });
    }
    found
}

/// A value that is not the right one.
fn wrong(value: &Value) -> String {
    match value {
        Value::Bool(value) => (!value).to_string(),
        Value::Number(number) => (number.as_i64().unwrap_or_default() + 1).to_string(),
        _ => "'Wrong'".to_owned(),
    }
}

/// All mutants that break a row.
fn mutants(infra: &Infra, row: &Row) -> Vec<Infra> {
    match &row.must {
        Must::Be(path, value) => blocks(infra, row)
            .into_iter()
            .filter_map(|(file, block)| Some((file, entry(block.body(), path)?)))
            .flat_map(|(file, entry)| {
                [
                    edited(infra, file, entry.span, ""),
                    edited(infra, file, entry.value.span, &wrong(value)),
                ]
            })
            .collect(),
        Must::BeOneOf(path, _) | Must::BeSet(path) => blocks(infra, row)
            .into_iter()
            .filter_map(|(file, block)| Some((file, entry(block.body(), path)?)))
            .flat_map(|(file, entry)| {
                [edited(infra, file, entry.span, ""), edited(infra, file, entry.value.span, "null")]
            })
            .collect(),
        Must::NotBe(path) => blocks(infra, row)
            .into_iter()
            .filter_map(|(file, block)| {
                let (parent, name) = path.rsplit_once('.')?;
                let parent = entry(block.body(), parent)?.value.span;
                let at = (parent.1 - 1, parent.1 - 1);
                Some(edited(infra, file, at, &format!("  {name}: []\n  ")))
            })
            .collect(),
        Must::SendTo(to) => infra
            .files
            .values()
            .filter(|file| Some(file.path.as_str()) == row.on.root)
            .flat_map(|file| file.all_resources_with())
            .filter(|(_, block)| block.target == super::row::DIAGNOSTICS)
            .filter_map(|(file, block)| {
                Some((file, entry(block.body(), &format!("properties.{to}"))?))
            })
            .map(|(file, entry)| edited(infra, file, entry.span, ""))
            .collect(),
        Must::Log { by, name } => {
            let places: BTreeSet<&str> =
                blocks(infra, row).iter().map(|(file, _)| file.path.as_str()).collect();
            items(infra, by, name)
                .into_iter()
                .filter(|(file, _)| places.contains(file.path.as_str()))
                .flat_map(|(file, item)| {
                    let enabled = item.get("enabled").expect("a log says whether it is enabled");
                    [
                        edited(infra, file, item.span, ""),
                        edited(infra, file, enabled.value.span, "false"),
                    ]
                })
                .collect()
        }
        Must::NotLog { by, name } => items(infra, by, "StorageRead")
            .into_iter()
            .map(|(file, item)| {
                let more = format!("\n{{\n {by}: '{name}'\n enabled: true\n}}\n");
                edited(infra, file, (item.span.1, item.span.1), &more)
            })
            .collect(),
        Must::Have(kind) => infra
            .files
            .values()
            .flat_map(|file| file.all_resources_with())
            .filter(|(_, block)| block.target == *kind && lies_on(block, infra, row))
            .map(|(file, block)| edited(infra, file, block.span, ""))
            .collect(),
    }
}

/// Whether a block's scope or parent is one of the row's resources.
fn lies_on(block: &Block, infra: &Infra, row: &Row) -> bool {
    let on = ["scope", "parent"].iter().find_map(|name| block.body().get(name));
    let scope = match on.map(|entry| &entry.value.kind) {
        Some(Kind::Name(name)) => name,
        Some(Kind::Index { of, .. }) => match &of.kind {
            Kind::Name(name) => name,
            _ => return false,
        },
        _ => return false,
    };
    blocks(infra, row).iter().any(|(file, on)| {
        on.symbol == *scope && file.all_resources().iter().any(|other| other.span == block.span)
    })
}

/// What the mutants of these rows break besides their own row, or do not break. They are tried with these parameters alone, so
/// only the rows that ask for no others are looked at.
fn odd(repository: &Infra, params: &[&'static str], of: &[Row]) -> Vec<String> {
    let infra = repository.clone().trying(params);
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.faults(&infra).is_empty()).collect();
    let mut odd = Vec::new();
    for row in of {
        let mutants = mutants(&infra, row);
        if mutants.is_empty() {
            odd.push(format!("{}: no mutant can be made of it", row.name));
        }
        for (number, mutant) in mutants.iter().enumerate() {
            let failing = failing(&rows, mutant);
            if failing != BTreeSet::from([row.name]) {
                odd.push(format!("{} (mutant {number}): what fails is {failing:?}", row.name));
            }
        }
    }
    odd
}

#[test]
fn each_row_fails_alone_when_its_property_is_missing_or_wrong() {
    let infra = crate::repository();
    let mut groups: BTreeMap<Vec<&'static str>, Vec<Row>> = BTreeMap::new();
    for row in rows() {
        groups.entry(row.when.iter().map(|(name, _)| *name).collect()).or_default().push(row);
    }
    let odd: Vec<String> = std::thread::scope(|scope| {
        let run = |(params, rows): (&Vec<_>, &Vec<Row>)| odd(&infra, params, rows);
        let each: Vec<_> = groups.iter().map(|group| scope.spawn(move || run(group))).collect();
        each.into_iter().flat_map(|group| group.join().expect("no panic")).collect()
    });
    assert!(odd.is_empty(), "\n{}\n", odd.join("\n"));
}

#[test]
fn a_row_fails_when_its_resource_is_gone() {
    let infra = crate::repository();
    let path = "infra/modules/vault.bicep";
    let text = infra.text(path).replace("Microsoft.KeyVault/vaults@", "Microsoft.KeyVault/vaultz@");
    let failing = failing(&table::rows(), &infra.with(path, text));
    assert!(failing.len() > 8, "{failing:?}");
    assert!(failing.iter().all(|name| name.starts_with("vault_")), "{failing:?}");
}

#[test]
fn a_parameter_that_can_weaken_a_row_is_found() {
    let infra = crate::repository();
    let path = "infra/modules/archive.bicep";
    let text = infra
        .text(path)
        .replace("allowSharedKeyAccess: false", "allowSharedKeyAccess: sku == 'Standard_GRS'");
    let row = rows().into_iter().find(|row| row.name == "storage_has_no_shared_keys").expect("it");
    assert_eq!(
        row.faults(&infra.with(path, text)),
        [
            "infra/modules/archive.bicep:29: storage_has_no_shared_keys: `properties.allowSharedKeyAccess` is true: it must be false"
        ]
    );
}
