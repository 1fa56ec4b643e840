//! Every parameter of a template does something: another value gives another deployment.

use crate::eval::{Deployment, deploy, others_of};
use crate::sources::Infra;
use serde_json::Value;
use std::collections::BTreeMap;

/// Parameters that do something only where another has its last value.
const WITH: [(&str, &str); 4] = [
    ("auditTableTotalRetentionDays", "configureAuditTable"),
    ("pagerdutyUrl", "receivers"),
    ("principalType", "principalId"),
    ("vnetAddressPrefix", "networkMode"),
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    for root in infra.roots() {
        let scenarios = infra.scenarios();
        let Some(defaults) = scenarios.iter().find(|scenario| scenario.root == root.path) else {
            continue;
        };
        for param in &root.params {
            let mut given: BTreeMap<String, Value> = defaults.given.clone();
            for (_, other) in WITH.iter().filter(|(name, _)| *name == param.name) {
                let value = root.param(other).and_then(|other| others_of(other, &given).pop());
                given.extend(value.map(|value| ((*other).to_owned(), value)));
            }
            let before = deploy(infra, root, &given);
            let mut values = others_of(param, &given).into_iter();
            let changes = values.any(|value| {
                let mut given = given.clone();
                given.insert(param.name.clone(), value);
                let after = deploy(infra, root, &given);
                !after.refusals.is_empty() || told(&after) != told(&before)
            });
            if !changes {
                let line = param.at.line;
                found.push(format!(
                    "{}:{line}: `{}` changes nothing: pass it on, or remove it",
                    root.path, param.name
                ));
            }
        }
    }
    found
}

/// All that is sent.
fn told(deployment: &Deployment) -> Vec<String> {
    let made = deployment.resources.iter();
    made.map(|resource| format!("{} {}", resource.id, resource.body)).collect()
}
