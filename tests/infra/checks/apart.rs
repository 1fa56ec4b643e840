//! Evidence and watcher share nothing, and the watcher has no right on what it watches.

use crate::sources::Infra;
use std::collections::{BTreeMap, BTreeSet};

const LOGGING: &str = "infra/logging/main.bicep";
const WATCHER: &str = "infra/main.bicep";

/// Types that belong to the watcher alone, and to the evidence alone.
const OF_WATCHER: [&str; 6] = [
    "Microsoft.Web/",
    "Microsoft.ManagedIdentity/",
    "Microsoft.KeyVault/",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/components",
    "Microsoft.Insights/scheduledQueryRules",
];
const OF_EVIDENCE: [&str; 2] =
    ["Microsoft.HardwareSecurityModules/", "Microsoft.OperationalInsights/workspaces/tables"];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    let roots: Vec<&str> = infra.roots().iter().map(|root| root.path.as_str()).collect();
    if roots != [LOGGING, WATCHER] {
        found.insert(format!(
            "infra/: the templates are {roots:?}: there are two, {LOGGING} and {WATCHER}, and no third"
        ));
    }
    let mut made: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let scenarios = infra.scenarios();
    for scenario in scenarios.iter() {
        let logging = scenario.root == LOGGING;
        for resource in &scenario.deployment.resources {
            let place = format!("{}:{}", resource.path, resource.at.line);
            let others = if logging { OF_WATCHER.as_slice() } else { OF_EVIDENCE.as_slice() };
            if others.iter().any(|kind| resource.kind.starts_with(kind)) {
                let (root, kind) = (&scenario.root, &resource.kind);
                found.insert(format!(
                    "{place}: {kind} is not for {root}: evidence and watcher are apart"
                ));
            }
            let on_hsm = resource.id.contains("/Microsoft.HardwareSecurityModules/");
            if on_hsm && !logging {
                found.insert(format!("{place}: the watcher touches an HSM: only {LOGGING} may"));
            }
            if on_hsm && !resource.existing && !resource.kind.ends_with("/diagnosticSettings") {
                found.insert(format!(
                    "{place}: {} on an HSM: only diagnostic settings are",
                    resource.kind
                ));
            }
            if !resource.existing {
                made.entry(scenario.root.as_str()).or_default().insert(resource.id.to_lowercase());
            }
        }
    }
    // In the same group with the same prefix they must not meet: what one makes the other would overwrite.
    let logging = scenarios.iter().filter(|scenario| scenario.root == LOGGING);
    let made_there = logging.flat_map(|scenario| &scenario.deployment.resources);
    for resource in made_there.filter(|resource| !resource.existing) {
        let evidence = ["Microsoft.Storage/", "Microsoft.OperationalInsights/"];
        let is_evidence = evidence.iter().any(|kind| resource.kind.starts_with(kind));
        if is_evidence
            && made.get(WATCHER).is_some_and(|ids| ids.contains(&resource.id.to_lowercase()))
        {
            found.insert(format!(
                "{}:{}: {} has the name of one of the watcher's: name it otherwise",
                resource.path, resource.at.line, resource.id
            ));
        }
    }
    shared(infra, &mut found);
    found.into_iter().collect()
}

/// No template uses a module of the other, but for those that only tell people.
fn shared(infra: &Infra, found: &mut BTreeSet<String>) {
    const BOTH: [&str; 2] = ["infra/modules/actionGroup.bicep", "infra/modules/settingAlert.bicep"];
    for path in infra.modules_of(LOGGING).intersection(&infra.modules_of(WATCHER)) {
        if !BOTH.contains(&path.as_str()) {
            found.insert(format!("{path}: serves evidence and watcher: make two of it"));
        }
    }
}
