//! Names are what the services take, with the shortest and the longest of all parameters.

use crate::eval::value::OPEN;
use crate::sources::Infra;
use std::collections::BTreeSet;

/// A type, the least and the most characters of its own name, and which besides letters and digits.
const NAMES: [(&str, usize, usize, &str); 17] = [
    // Lower case only: see `lower`.
    ("Microsoft.Storage/storageAccounts", 3, 24, ""),
    ("Microsoft.Storage/storageAccounts/blobServices/containers", 3, 63, "-"),
    ("Microsoft.Storage/storageAccounts/queueServices/queues", 3, 63, "-"),
    ("Microsoft.KeyVault/vaults", 3, 24, "-"),
    ("Microsoft.OperationalInsights/workspaces", 4, 63, "-"),
    ("Microsoft.Insights/components", 1, 255, "-._()"),
    ("Microsoft.Insights/actionGroups", 1, 260, "-._"),
    ("Microsoft.Insights/scheduledQueryRules", 1, 260, "-._"),
    ("Microsoft.Insights/activityLogAlerts", 1, 260, "-._"),
    ("Microsoft.Insights/diagnosticSettings", 1, 260, "-._"),
    ("Microsoft.ManagedIdentity/userAssignedIdentities", 3, 128, "-_"),
    ("Microsoft.Web/serverfarms", 1, 60, "-"),
    // 60 is the limit of sites; the host makes its id of the first 32, and two apps must not share one.
    ("Microsoft.Web/sites", 2, 32, "-"),
    ("Microsoft.Network/virtualNetworks", 2, 64, "-._"),
    ("Microsoft.Network/networkSecurityGroups", 1, 80, "-._"),
    ("Microsoft.Network/privateEndpoints", 2, 64, "-._"),
    ("Microsoft.Authorization/locks", 1, 90, "-._"),
];

/// Types whose names have lower-case letters only.
const LOWER: [&str; 3] = [
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    for scenario in infra.scenarios().iter() {
        for resource in scenario.deployment.resources.iter().filter(|resource| !resource.existing) {
            let Some((kind, least, most, others)) =
                NAMES.iter().find(|(kind, ..)| *kind == resource.kind)
            else {
                continue;
            };
            let name = resource.id.rsplit('/').next().unwrap_or_default();
            let mut say = |text: &str| {
                let (path, line) = (&resource.path, resource.at.line);
                found.insert(format!(
                    "{path}:{line}: {kind} cannot be called `{name}`: {text} (with {})",
                    scenario.label
                ));
            };
            let length = name.chars().count();
            if name.contains(OPEN) {
                say("it is not known at the start");
            } else if !(*least..=*most).contains(&length) {
                say(&format!("{length} characters, and it takes {least} to {most}"));
            }
            let fits = |c: char| {
                let letter =
                    c.is_ascii_lowercase() || (c.is_ascii_uppercase() && !LOWER.contains(kind));
                letter || c.is_ascii_digit() || others.contains(c)
            };
            if let Some(odd) = name.chars().find(|c| !fits(*c) && *c != OPEN && *c != '⟧') {
                say(&format!("`{odd}` is not taken"));
            }
            if name.starts_with('-') || name.ends_with(['-', '.']) || name.contains("--") {
                say("it begins or ends with a hyphen, or has two together");
            }
            if *kind == "Microsoft.KeyVault/vaults"
                && !name.starts_with(|c: char| c.is_ascii_alphabetic())
            {
                say("it must begin with a letter");
            }
        }
        for group in scenario.deployment.of_kind("Microsoft.Insights/actionGroups") {
            let short = group.body["properties"]["groupShortName"].as_str().unwrap_or_default();
            if short.is_empty() || short.chars().count() > 12 {
                let (path, line) = (&group.path, group.at.line);
                found.insert(format!(
                    "{path}:{line}: `groupShortName` is `{short}`: 1 to 12 characters"
                ));
            }
        }
    }
    super::once_each(found)
}
