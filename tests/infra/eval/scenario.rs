//! With which parameters a template is tried: as it is, with each parameter at each value that makes a difference, and with
//! everything there is.

use super::deploy::{Deployment, deploy};
use super::value::is_unknown;
use crate::bicep::ast::{File, Node, Param};
use crate::bicep::constraints::{literal, misfit};
use crate::sources::Infra;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters, and what the template comes to with them.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// The template.
    pub(crate) root: String,
    /// What differs from the defaults, for people.
    pub(crate) label: String,
    pub(crate) given: BTreeMap<String, Value>,
    pub(crate) deployment: Deployment,
}

impl Scenario {
    /// The value of a parameter, given or by default.
    pub(crate) fn param(&self, infra: &Infra, name: &str) -> Option<Value> {
        let default =
            || infra.files.get(&self.root)?.param(name)?.default.as_ref().and_then(literal);
        self.given.get(name).cloned().or_else(default)
    }
}

/// All scenarios of a template. The first is the one of the defaults.
pub(crate) fn scenarios(infra: &Infra, root: &File) -> Vec<Arc<Scenario>> {
    let base = base(root);
    let mut all = Vec::new();
    let mut add = |label: String, given: BTreeMap<String, Value>| {
        let deployment = deploy(infra, root, &given);
        // What is refused comes to nothing; only the defaults must not be.
        let accepted = deployment.refusals.is_empty();
        if accepted || given == base {
            all.push(Arc::new(Scenario { root: root.path.clone(), label, given, deployment }));
        }
        accepted
    };
    add("the defaults".to_owned(), base.clone());
    let tried = || root.params.iter().filter(|param| infra.tries(&param.name));
    for param in tried() {
        for value in others(param, base.get(&param.name)) {
            let mut given = base.clone();
            let label = format!("{} = {value}", param.name);
            given.insert(param.name.clone(), value);
            add(label, given);
        }
    }
    let mut full = base.clone();
    let mut last = tried().filter_map(|param| {
        let value = others(param, base.get(&param.name)).pop()?;
        Some((param.name.clone(), value))
    });
    full.extend(&mut last);
    drop(last);
    let label = || "everything at its last value".to_owned();
    if add(label(), full.clone()) {
        return all;
    }
    // Some of it cannot go together: as much as can.
    let mut fuller = base.clone();
    for (name, value) in full {
        let mut next = fuller.clone();
        next.insert(name, value);
        if deploy(infra, root, &next).refusals.is_empty() {
            fuller = next;
        }
    }
    add(label(), fuller);
    all
}

/// Two parameters away from their defaults at a time: only what cannot be evaluated is of interest.
pub(crate) fn faults_of_pairs(infra: &Infra) -> Vec<String> {
    let mut faults = Vec::new();
    for root in infra.roots() {
        let base = base(root);
        // Only what steers: a switch, a choice, something that is there or not.
        let steers = |param: &&Param| match param.kind.as_str() {
            "bool" | "array" => true,
            "string" => {
                let empty = param.default.as_ref().and_then(Node::text) == Some("");
                empty || param.allowed().is_some()
            }
            _ => false,
        };
        let tried = root.params.iter().filter(|param| infra.tries(&param.name));
        let params: Vec<&Param> = tried.filter(steers).collect();
        for (at, one) in params.iter().enumerate() {
            for other in params.iter().skip(at + 1) {
                let (Some(first), Some(second)) = (
                    others(one, base.get(&one.name)).pop(),
                    others(other, base.get(&other.name)).pop(),
                ) else {
                    continue;
                };
                let mut given = base.clone();
                given.insert(one.name.clone(), first);
                given.insert(other.name.clone(), second);
                for fault in deploy(infra, root, &given).faults {
                    faults.push(format!("{fault} (with {} and {})", one.name, other.name));
                }
            }
        }
    }
    faults
}

/// What must be given, and nothing else.
fn base(root: &File) -> BTreeMap<String, Value> {
    let required = root.params.iter().filter(|param| param.is_required());
    required.map(|param| (param.name.clone(), sample(param))).collect()
}

/// Values of a parameter besides what is given, or the default; the fullest last.
pub(crate) fn others_of(param: &Param, given: &BTreeMap<String, Value>) -> Vec<Value> {
    others(param, given.get(&param.name))
}

/// Values of a parameter besides the one it has anyhow, the fullest last.
fn others(param: &Param, now: Option<&Value>) -> Vec<Value> {
    let default = param.default.as_ref().and_then(literal);
    let now = now.or(default.as_ref());
    let mut values = Vec::new();
    match (param.allowed(), param.kind.as_str()) {
        (Some(allowed), "array") => {
            values.push(json!([]));
            values.extend(allowed.iter().map(|one| json!([one])));
            values.push(json!(allowed));
        }
        (Some(allowed), _) => values.extend(allowed),
        (None, "bool") => values.extend([json!(false), json!(true)]),
        (None, "int") => {
            values.extend(
                ["minValue", "maxValue"].iter().filter_map(|b| param.bound(b)).map(|n| json!(n)),
            );
        }
        (None, "string") => {
            values.push(json!(""));
            // Short and long: names are made of it.
            if let (Some(least), Some(most)) = (param.bound("minLength"), param.bound("maxLength"))
            {
                let letters = |count: i64| {
                    "abcdefghijklmnop".chars().cycle().take(usize::try_from(count).unwrap_or(0))
                };
                values.extend([least, most].map(|count| json!(letters(count).collect::<String>())));
            }
            values.push(sample(param));
        }
        (None, "array") => {
            values.push(json!([]));
            if let Some(Value::Array(items)) = now {
                values.extend(items.first().map(|first| json!([first])));
            }
            values.push(sample(param));
        }
        (None, "object") => values.extend([json!({}), sample(param)]),
        _ => values.push(sample(param)),
    }
    values.retain(|value| Some(value) != now && misfit(param, value).is_ok() && !is_unknown(value));
    values
}

const HERE: &str = "/subscriptions/00000000-1111-4222-8333-444444444444/resourceGroups";
const ELSEWHERE: &str = "/subscriptions/aaaaaaaa-1111-4222-8333-444444444444/resourceGroups";

/// A value as somebody would give it.
fn sample(param: &Param) -> Value {
    let name = param.name.as_str();
    let id = |group: &str, own: &str| {
        let kind = match name.to_lowercase() {
            lower if lower.contains("workspace") => "Microsoft.OperationalInsights/workspaces",
            lower if lower.contains("vault") => "Microsoft.KeyVault/vaults",
            lower if lower.contains("actiongroup") => "Microsoft.Insights/actionGroups",
            _ => "Microsoft.HardwareSecurityModules/cloudHsmClusters",
        };
        json!(format!("{group}/providers/{kind}/{own}"))
    };
    let one = id(&format!("{HERE}/rg-one"), "one");
    let two = id(&format!("{ELSEWHERE}/rg-two"), "two");
    match (name, param.kind.as_str()) {
        ("hsms", _) => json!([
            { "resourceId": one, "region": "westeurope" },
            { "resourceId": id(&format!("{HERE}/rg-one"), "one-more"), "region": "westeurope" },
            { "resourceId": two, "region": "northeurope" },
        ]),
        ("secretSettings", _) => json!({ "OWN_URL": "own-url" }),
        ("alertEmails", _) => json!(["oncall@example.com", "platform@example.com"]),
        ("principalId", _) => json!("99999999-0000-4000-8000-00000000000a"),
        ("location", _) => json!("northeurope"),
        ("tables", _) => json!(["CloudHsmServiceOperationAuditLogs", "Own_CL"]),
        ("presets", _) => json!(["tutorial", "login-burst"]),
        ("deadmanWorkspaceNames", _) => json!(["prod", "test_2"]),
        ("tags", _) => json!({ "owner": "security" }),
        ("schedule", _) => json!("*/30 * * * * *"),
        ("namePrefix", _) => json!("hsm-two"),
        ("vnetAddressPrefix", _) => json!("10.70.0.0/24"),
        ("diagnosticSettingName", _) => json!("own-name"),
        ("hsmLogCategories", _) => json!(["HsmServiceOperations", "Another"]),
        (_, "array") if name.ends_with("ResourceIds") => json!([one, two]),
        (_, "string") if name.ends_with("ResourceId") => two,
        (_, "array") => json!(["sample"]),
        (_, "object") => json!({ "key": "sample" }),
        (_, "int") => json!(1),
        (_, "bool") => json!(true),
        _ => json!("sample"),
    }
}
