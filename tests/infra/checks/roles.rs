//! Roles: which there are, who gets which where, and never more.

use crate::eval::{Deployed, Scenario, value};
use crate::sources::{Infra, has_extension};
use serde_json::Value;
use std::collections::BTreeMap;

const FILE: &str = "infra/roles.json";

/// The roles that may be assigned at all: the name in `roles.json`, the GUID of Azure's, and on what.
///
/// Two more than the least: Log Analytics Reader where the narrower role cannot be had (`restrictToTables` off), and Key Vault
/// Secrets Officer for a person.
const ROLES: [(&str, &str, &str, Who); 9] = [
    (
        "logAnalyticsDataReader",
        "3b03c2da-16b3-4a49-8834-0f8130efdd3b",
        "Microsoft.OperationalInsights/workspaces",
        Who::App,
    ),
    (
        "logAnalyticsReader",
        "73c42c96-874c-492b-b04d-ab87d138a893",
        "Microsoft.OperationalInsights/workspaces",
        Who::App,
    ),
    (
        "storageBlobDataOwner",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Microsoft.Storage/storageAccounts",
        Who::App,
    ),
    (
        "storageBlobDataContributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        Who::Person,
    ),
    (
        "storageQueueDataContributor",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "Microsoft.Storage/storageAccounts",
        Who::App,
    ),
    (
        "storageTableDataContributor",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "Microsoft.Storage/storageAccounts",
        Who::App,
    ),
    (
        "keyVaultSecretsUser",
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Microsoft.KeyVault/vaults",
        Who::App,
    ),
    (
        "keyVaultSecretsOfficer",
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Microsoft.KeyVault/vaults",
        Who::Person,
    ),
    (
        "monitoringMetricsPublisher",
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "Microsoft.Insights/components",
        Who::App,
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Who {
    App,
    /// Whoever `principalId` names.
    Person,
}

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    table(infra, &mut found);
    guids(infra, &mut found);
    for scenario in infra.scenarios().iter() {
        for role in scenario.deployment.of_kind("Microsoft.Authorization/roleAssignments") {
            for text in assignment(scenario, role) {
                let text = format!("{}:{}: {text}", role.path, role.at.line);
                if !found.contains(&text) {
                    found.push(text);
                }
            }
        }
        for kind in
            ["Microsoft.Authorization/roleDefinitions", "Microsoft.KeyVault/vaults/accessPolicies"]
        {
            for odd in scenario.deployment.of_kind(kind) {
                found.push(format!(
                    "{}:{}: {kind} is a right of its own kind: assign a role of {FILE}",
                    odd.path, odd.at.line
                ));
            }
        }
    }
    found.dedup();
    found
}

/// `roles.json` is the table above, and every role of it is used.
fn table(infra: &Infra, found: &mut Vec<String>) {
    let roles: BTreeMap<String, String> = match infra.json(FILE).map(serde_json::from_value) {
        Ok(Ok(roles)) => roles,
        Ok(Err(_)) => return found.push(format!("{FILE}: is not an object of names and GUIDs")),
        Err(why) => return found.push(why),
    };
    for (name, guid) in &roles {
        match ROLES.iter().find(|role| role.0 == name) {
            None => found.push(format!("{FILE}: `{name}` is not in the table of tests/infra/checks/roles.rs: add it there, with a reason, or use a role that is")),
            Some(role) if role.1 != guid => found.push(format!("{FILE}: `{name}` is {}, not {guid}", role.1)),
            Some(_) => {}
        }
        let used = |text: &str| text.contains(&format!("roles.{name}"));
        if !infra.texts.iter().any(|(path, text)| has_extension(path, "bicep") && used(text)) {
            found.push(format!("{FILE}: nobody assigns `{name}`: remove it"));
        }
    }
}

/// No GUID of a role anywhere else.
fn guids(infra: &Infra, found: &mut Vec<String>) {
    for (path, file) in &infra.files {
        for (number, line) in file.text.lines().enumerate() {
            if looks_like_guid(line) {
                found.push(format!(
                    "{path}:{}: a GUID stands here: give it a name in {FILE} and load it",
                    number + 1
                ));
            }
        }
    }
}

fn looks_like_guid(line: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let words = line.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words.into_iter().any(|word| {
        let parts: Vec<usize> = word.split('-').map(str::len).collect();
        parts == lengths
    })
}

fn assignment(scenario: &Scenario, role: &Deployed) -> Vec<String> {
    let mut found = Vec::new();
    let text = |name: &str| role.body.pointer(name).and_then(Value::as_str).unwrap_or_default();
    let guid = text("/properties/roleDefinitionId").rsplit('/').next().unwrap_or_default();
    let scope =
        role.id.rsplit_once("/providers/Microsoft.Authorization/").map_or("", |(scope, _)| scope);
    let principal = text("/properties/principalId");
    let person = scenario.given.get("principalId").and_then(Value::as_str);
    if text("/properties/principalType").is_empty() {
        found.push("the role assignment has no `principalType`: without it a new identity may not be found yet".to_owned());
    }
    if !text("/properties/roleDefinitionId").starts_with("/subscriptions/")
        || text("/properties/roleDefinitionId").contains("/resourceGroups/")
    {
        found.push(
            "`roleDefinitionId` is no id of the subscription: use subscriptionResourceId()"
                .to_owned(),
        );
    }
    let parts = [scope, principal, guid].map(|part| Value::String(part.to_owned()));
    if role.body.get("name") != Some(&crate::eval::guid(&parts)) {
        found.push("the name is not guid(scope.id, principal, role): a second deployment would fail or assign twice".to_owned());
    }
    let Some((name, _, kind, who)) = ROLES.iter().find(|known| known.1 == guid) else {
        found.push(format!("the role {guid} is not in the table: load it from {FILE}"));
        return found;
    };
    let ours = |resource: &Deployed| !resource.existing && resource.id == scope;
    if scope.contains("/Microsoft.Storage/") && !scenario.deployment.resources.iter().any(ours) {
        found.push(format!("`{name}` is assigned on {scope}, which is not the watcher's own"));
    }
    let of = kind_of(scope);
    if of != *kind {
        found.push(format!("`{name}` is assigned on {of}: assign it on {kind}, no wider"));
    }
    let to_person = person.is_some_and(|person| person == principal);
    if to_person != (*who == Who::Person) {
        let to = if to_person { "a person" } else { "the app" };
        found.push(format!("`{name}` is assigned to {to}"));
    }
    if !to_person
        && !value::text(&role.body["properties"]["principalId"])
            .contains("identity.properties.principalId")
    {
        found.push(format!("`{name}` is assigned to {principal}, not to the watcher's identity"));
    }
    let condition = text("/properties/condition");
    if *name == "logAnalyticsDataReader"
        && (condition.is_empty() || text("/properties/conditionVersion") != "2.0")
    {
        found.push(
            "`logAnalyticsDataReader` has no condition of version 2.0: it could read all tables"
                .to_owned(),
        );
    }
    found
}

/// The type in a resource id.
fn kind_of(id: &str) -> String {
    let Some((_, own)) = id.rsplit_once("/providers/") else {
        return "a resource group".to_owned();
    };
    let parts: Vec<&str> = own.split('/').collect();
    let kinds: Vec<&str> = parts.iter().skip(1).step_by(2).copied().collect();
    format!("{}/{}", parts[0], kinds.join("/"))
}
