//! No secret is a parameter, an output or a text.

use crate::bicep::ast::{File, Kind, Node, Piece};
use crate::sources::Infra;
use std::collections::BTreeSet;

/// What names of secrets have in them. A secret's *name* in a vault is none.
const WORDS: [&str; 8] = [
    "password",
    "secret",
    "accesskey",
    "accountkey",
    "sas",
    "token",
    "connectionstring",
    "webhookurl",
];
/// Parameters that sound like secrets and hold none.
const HARMLESS: [(&str, &str, &str); 2] = [
    ("infra/main.bicep", "secretSettings", "names of settings and names of secrets in the vault"),
    ("infra/modules/watcherSteps.bicep", "secretNames", "names of secrets in the vault"),
];
/// Outputs likewise.
const HARMLESS_OUTPUTS: [(&str, &str, &str); 1] = [(
    "infra/modules/telemetry.bicep",
    "connectionString",
    "local authentication is off: it is an address",
)];
/// What only stands where a key is written out.
const LITERALS: [&str; 7] = [
    "AccountKey=",
    "SharedAccessKey=",
    "SharedAccessSignature=",
    "InstrumentationKey=",
    "whsec_",
    "hooks.slack.com/services/",
    "sig=",
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    for file in infra.files.values() {
        let at = |line: usize| format!("{}:{line}", file.path);
        for param in &file.params {
            let harmless =
                HARMLESS.iter().any(|(path, name, _)| *path == file.path && *name == param.name);
            if param.is_secure() || (sounds_secret(&param.name) && !harmless) {
                found.push(format!(
                    "{}: the parameter `{}` is a secret: let people set it in the vault",
                    at(param.at.line),
                    param.name
                ));
            }
        }
        let secure: BTreeSet<&str> = file
            .params
            .iter()
            .filter(|param| param.is_secure())
            .map(|param| param.name.as_str())
            .collect();
        for output in &file.outputs {
            let harmless = HARMLESS_OUTPUTS
                .iter()
                .any(|(path, name, _)| *path == file.path && *name == output.name);
            if sounds_secret(&output.name) && !harmless {
                found.push(format!(
                    "{}: the output `{}` is a secret: deployments keep their outputs",
                    at(output.at.line),
                    output.name
                ));
            }
            for name in reached(file, &output.value) {
                if secure.contains(name.as_str()) {
                    found.push(format!(
                        "{}: the output `{}` shows the secure parameter `{name}`",
                        at(output.at.line),
                        output.name
                    ));
                }
            }
        }
        file.walk(&mut |node| match &node.kind {
            Kind::Call { name, .. } if name.starts_with("list") || name == "getSecret" => {
                found.push(format!("{}: `{name}` reads keys: use the identity", at(node.at.line)));
            }
            Kind::Member { name, .. }
                if name.starts_with("listKeys") || name == "InstrumentationKey" =>
            {
                found.push(format!("{}: `{name}` is a key: use the identity", at(node.at.line)));
            }
            Kind::Text(pieces) => {
                for text in pieces.iter().filter_map(|piece| match piece {
                    Piece::Literal(text) => Some(text),
                    Piece::Inserted(_) => None,
                }) {
                    if let Some(word) = LITERALS.iter().find(|word| text.contains(*word)) {
                        found.push(format!(
                            "{}: `{word}…` is written out: put it into the vault",
                            at(node.at.line)
                        ));
                    }
                }
            }
            _ => {}
        });
    }
    for (path, text) in infra.texts.iter().filter(|(path, _)| path.ends_with(".parameters.json")) {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = LITERALS.iter().find(|word| line.contains(*word)) {
                found.push(format!(
                    "{path}:{}: `{word}…` is written out: put it into the vault",
                    number + 1
                ));
            }
        }
    }
    found
}

fn sounds_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    WORDS
        .iter()
        .any(|word| if *word == "sas" { lower.ends_with("sas") } else { lower.contains(word) })
}

/// The names that an expression needs, through variables.
fn reached(file: &File, node: &Node) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut next = vec![node];
    while let Some(node) = next.pop() {
        node.walk(&mut |node| {
            if let Kind::Name(name) = &node.kind
                && all.insert(name.clone())
                && let Some(var) = file.vars.iter().find(|var| var.name == *name)
            {
                next.push(&var.value);
            }
        });
    }
    all
}
