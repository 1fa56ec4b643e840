//! Every resource has a name, a parent if its type has one, a region, and the tags that people give.

use crate::eval::Deployed;
use crate::sources::Infra;
use serde_json::Value;
use std::collections::BTreeSet;

/// Types without a region and tags of their own, besides all that lie within others.
const WITHOUT: [&str; 2] = ["Microsoft.Authorization/", "Microsoft.Insights/diagnosticSettings"];
/// Types that are everywhere.
const GLOBAL: [&str; 3] = [
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/activityLogAlerts",
    "Microsoft.Network/privateDnsZones",
];
/// An archive is in the region of its HSMs, wherever the template is.
const ELSEWHERE: &str = "infra/modules/archive.bicep";

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    for scenario in infra.scenarios().iter() {
        let given = scenario.given.get("location").and_then(Value::as_str);
        let location = given.unwrap_or("westeurope");
        let tags =
            scenario.given.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
        for resource in scenario.deployment.resources.iter().filter(|resource| !resource.existing) {
            let mut say = |text: &str| {
                let (path, line, symbol) = (&resource.path, resource.at.line, &resource.symbol);
                found.insert(format!("{path}:{line}: `{symbol}` {text} (with {})", scenario.label));
            };
            let parts = resource.kind.split('/').count() - 1;
            if resource.name.split('/').count() != parts {
                say(&format!("is a {} and lies in none: give it a parent", resource.kind));
            }
            if resource.name.split('/').any(str::is_empty) {
                say("has no name: give it one");
            }
            if parts > 1 || WITHOUT.iter().any(|kind| resource.kind.starts_with(kind)) {
                continue;
            }
            match resource.body["location"].as_str() {
                None => say("has no location: set it"),
                Some(found) if is_right(resource, found, location) => {}
                Some(found) => {
                    say(&format!("is in `{found}`: it must be where the parameter says"));
                }
            }
            let own = resource.body["tags"].as_object();
            if !tags.iter().all(|(name, value)| own.is_some_and(|own| own.get(name) == Some(value)))
            {
                say("has not the tags that are given: set them");
            }
        }
    }
    super::once_each(found)
}

fn is_right(resource: &Deployed, found: &str, location: &str) -> bool {
    match resource.kind.as_str() {
        kind if GLOBAL.contains(&kind) => found == "global",
        _ if resource.path == ELSEWHERE => !found.is_empty(),
        _ => found == location,
    }
}
