//! What a switch leaves out, the output `privilegedSteps` has as commands: for each role, setting and lock that is not made, one
//! step that makes exactly that, and none for what is made.

use super::shell::{option, tokens, words};
use crate::bicep::ast::File;
use crate::eval::{Deployed, Deployment, deploy};
use crate::sources::Infra;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The acts that need a right of their own.
const ACTS: [&str; 3] = [
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/locks",
    "Microsoft.Insights/diagnosticSettings",
];
/// The switches that there must be.
const SWITCHES: [(&str, &str); 3] = [
    ("infra/main.bicep", "assignRoles"),
    ("infra/logging/main.bicep", "createDiagnosticSetting"),
    ("infra/logging/main.bicep", "enableLocks"),
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (root, switch) in SWITCHES {
        if infra
            .files
            .get(root)
            .is_none_or(|file| file.param(switch).is_none_or(|p| p.kind != "bool"))
        {
            found.insert(format!(
                "{root}: there is no switch `{switch}`: whoever lacks the right cannot deploy"
            ));
        }
    }
    for root in infra.roots() {
        let given = |scenario: &&std::sync::Arc<crate::eval::Scenario>| scenario.root == root.path;
        let mut seen = BTreeSet::new();
        for scenario in infra.scenarios().iter().filter(given) {
            let outputs = &scenario.deployment.outputs;
            for (output, keys) in [
                ("privilegedSteps", ["who", "what", "az", "powershell"].as_slice()),
                ("nextSteps", &["what", "az", "powershell"]),
            ] {
                shapes(&root.path, output, keys, outputs.get(output), &mut found);
            }
            // Parameters that change neither acts nor steps need no second look.
            let acts = ACTS.iter().flat_map(|act| scenario.deployment.of_kind(act));
            let acts: Vec<String> = acts.map(|act| format!("{} {}", act.id, act.body)).collect();
            if seen.insert((acts, outputs.get("privilegedSteps").map(Value::to_string))) {
                switched(infra, root, &scenario.given, &scenario.label, &mut found);
            }
        }
    }
    super::once_each(found)
}

/// Each step has its texts, and its commands can be taken apart.
fn shapes(
    root: &str,
    output: &str,
    keys: &[&str],
    steps: Option<&Value>,
    found: &mut BTreeSet<String>,
) {
    for step in steps.and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        let named: BTreeSet<&str> =
            step.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let place = format!("{root}: a step of {output} (\"{}\")", text("what"));
        if named != keys.iter().copied().collect() {
            found.insert(format!("{place}: has {named:?}: it must have {keys:?}"));
        }
        let privileged = output == "privilegedSteps";
        if privileged
            && (!text("az").starts_with("az ") || text("who").is_empty() || text("what").is_empty())
        {
            found.insert(format!("{place}: has no command for az, or says not who or what"));
        }
        let verbs = ["New-Az", "Set-Az", "Register-Az", "Update-Az"];
        if privileged && !verbs.iter().any(|verb| text("powershell").starts_with(verb)) {
            found.insert(format!("{place}: has no PowerShell command"));
        }
        if text("az").is_empty() != text("powershell").is_empty() {
            found.insert(format!("{place}: has a command for one shell only"));
        }
        if privileged && let Err(why) = words(text("az")) {
            found.insert(format!("{place}: az: {why}"));
        }
        if let Err(why) = tokens(text("powershell")) {
            found.insert(format!("{place}: powershell: {why}"));
        }
        for odd in ["⟦fault⟧", "⟦refused⟧"] {
            if text("az").contains(odd) || text("powershell").contains(odd) {
                found.insert(format!("{place}: cannot be computed"));
            }
        }
    }
}

/// Holds what is deployed with all switches on against what is deployed as given, plus the steps.
fn switched(
    infra: &Infra,
    root: &File,
    given: &BTreeMap<String, Value>,
    label: &str,
    found: &mut BTreeSet<String>,
) {
    let mut switches: Vec<&str> =
        SWITCHES.iter().filter(|(path, _)| *path == root.path).map(|(_, switch)| *switch).collect();
    let more = root
        .params
        .iter()
        .filter(|param| param.kind == "bool" && param.name.starts_with("assignRoles"));
    switches.extend(more.map(|param| param.name.as_str()));
    let with = |on: &[&str]| {
        let mut given = given.clone();
        for switch in &switches {
            given.insert((*switch).to_owned(), json!(on.contains(switch)));
        }
        deploy(infra, root, &given)
    };
    let whole = with(&switches);
    for off in std::iter::once(None).chain(switches.iter().map(|switch| Some(*switch))) {
        // Each alone, and all of them.
        let on: Vec<&str> =
            switches.iter().filter(|s| off.is_some_and(|off| off != **s)).copied().collect();
        let part = with(&on);
        let off = off.map_or_else(|| "all switches".to_owned(), |off| format!("`{off}`"));
        let context = format!("{off} off, and {label}");
        compare(root, given, &whole, &part, &context, found);
    }
    compare(root, given, &whole, &whole, &format!("everything on, and {label}"), found);
}

fn compare(
    root: &File,
    given: &BTreeMap<String, Value>,
    whole: &Deployment,
    part: &Deployment,
    context: &str,
    found: &mut BTreeSet<String>,
) {
    let done: BTreeSet<&str> = part.resources.iter().map(|resource| resource.id.as_str()).collect();
    let steps: Vec<(Vec<String>, Vec<String>)> = part
        .outputs
        .get("privilegedSteps")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|step| {
            let az = words(step["az"].as_str().unwrap_or_default()).unwrap_or_default();
            (az, tokens(step["powershell"].as_str().unwrap_or_default()).unwrap_or_default())
        })
        .collect();
    let mut needed = vec![false; steps.len()];
    for act in ACTS {
        for missing in whole.of_kind(act).filter(|resource| !done.contains(resource.id.as_str())) {
            let wanted = Act::of(missing);
            for ((az, _), needed) in steps.iter().zip(&mut needed) {
                *needed |= wanted.is_az(az);
            }
            if !steps.iter().any(|(az, _)| wanted.is_az(az)) {
                found.insert(format!(
                    "{}:{}: no step has the az command that makes `{}` (with {context})",
                    missing.path, missing.at.line, missing.symbol
                ));
            }
            if !steps.iter().any(|(_, powershell)| wanted.is_powershell(powershell)) {
                found.insert(format!(
                    "{}:{}: no step has the PowerShell command that makes `{}` (with {context})",
                    missing.path, missing.at.line, missing.symbol
                ));
            }
        }
    }
    for ((az, _), needed) in steps.iter().zip(needed) {
        if !needed && does_act(az) && !is_always_asked(az, given) {
            found.insert(format!(
                "{}: privilegedSteps has {az:?}, and nothing is left for it (with {context})",
                root.path
            ));
        }
    }
}

/// Whether a command is one of the acts.
fn does_act(az: &[String]) -> bool {
    let acts = [["role", "assignment"], ["lock", "create"], ["monitor", "diagnostic-settings"]];
    az.get(1..3).is_some_and(|words| acts.iter().any(|act| words == act))
}

/// A person's right on somebody else's vault: no template makes it, whatever the switches.
fn is_always_asked(az: &[String], given: &BTreeMap<String, Value>) -> bool {
    let is = |option_name: &str, param: &str| {
        option(az, option_name).is_some()
            && option(az, option_name) == given.get(param).and_then(Value::as_str)
    };
    is("--scope", "existingKeyVaultResourceId") && is("--assignee-object-id", "principalId")
}

/// A resource as the commands must name it.
enum Act<'d> {
    Role {
        scope: &'d str,
        role: &'d str,
        principal: &'d str,
        kind: &'d str,
        condition: Option<&'d str>,
    },
    Lock {
        on: &'d str,
        level: &'d str,
    },
    Setting {
        on: &'d str,
        name: &'d str,
        workspace: Option<&'d str>,
        storage: Option<&'d str>,
        categories: Vec<&'d str>,
    },
}

impl<'d> Act<'d> {
    fn of(resource: &'d Deployed) -> Self {
        let on = resource.id.rsplit_once("/providers/").map_or("", |(on, _)| on);
        let properties = &resource.body["properties"];
        let text = |name: &str| properties[name].as_str().unwrap_or_default();
        match resource.kind.as_str() {
            "Microsoft.Authorization/roleAssignments" => Self::Role {
                scope: on,
                role: text("roleDefinitionId").rsplit('/').next().unwrap_or_default(),
                principal: text("principalId"),
                kind: text("principalType"),
                condition: properties["condition"].as_str(),
            },
            "Microsoft.Authorization/locks" => Self::Lock { on, level: text("level") },
            _ => Self::Setting {
                on,
                name: resource.body["name"].as_str().unwrap_or_default(),
                workspace: properties["workspaceId"].as_str(),
                storage: properties["storageAccountId"].as_str(),
                categories: properties["logs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|log| log["category"].as_str())
                    .collect(),
            },
        }
    }

    fn is_az(&self, words: &[String]) -> bool {
        let is = |name: &str, value: &str| option(words, name) == Some(value);
        match self {
            Self::Role { scope, role, principal, kind, condition } => {
                is("--scope", scope)
                    && is("--role", role)
                    && is("--assignee-object-id", principal)
                    && is("--assignee-principal-type", kind)
                    && option(words, "--condition") == *condition
                    && option(words, "--condition-version") == condition.map(|_| "2.0")
            }
            Self::Lock { on, level } => is("--resource", on) && is("--lock-type", level),
            Self::Setting { on, name, workspace, storage, categories } => {
                let logs: Value = option(words, "--logs")
                    .and_then(|logs| serde_json::from_str(logs).ok())
                    .unwrap_or_default();
                let wanted: Vec<Value> = categories
                    .iter()
                    .map(|category| json!({ "category": category, "enabled": true }))
                    .collect();
                is("--resource", on)
                    && is("--name", name)
                    && logs == json!(wanted)
                    && option(words, "--workspace") == *workspace
                    && option(words, "--storage-account") == *storage
            }
        }
    }

    fn is_powershell(&self, tokens: &[String]) -> bool {
        let is = |name: &str, value: &str| option(tokens, name) == Some(value);
        match self {
            Self::Role { scope, role, principal, kind, condition } => {
                is("-Scope", scope)
                    && is("-RoleDefinitionId", role)
                    && is("-ObjectId", principal)
                    && is("-ObjectType", kind)
                    && option(tokens, "-Condition") == *condition
                    && option(tokens, "-ConditionVersion") == condition.map(|_| "2.0")
            }
            Self::Lock { on, level } => is("-ResourceId", on) && is("-LockLevel", level),
            Self::Setting { on, name, workspace, storage, categories } => {
                let named: Vec<&str> = tokens
                    .iter()
                    .zip(tokens.iter().skip(1))
                    .filter(|(option, _)| *option == "-Category")
                    .map(|(_, value)| value.as_str())
                    .collect();
                is("-ResourceId", on)
                    && is("-Name", name)
                    && named == *categories
                    && option(tokens, "-WorkspaceId") == *workspace
                    && option(tokens, "-StorageAccountId") == *storage
            }
        }
    }
}
