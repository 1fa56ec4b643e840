//! A row of the posture table, and how it is held.

use crate::eval::{Deployed, Scenario};
use crate::sources::Infra;
use serde_json::Value;
use std::collections::BTreeSet;

/// Which resources a row is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct On {
    pub(crate) kind: &'static str,
    /// Only those of this template.
    pub(crate) root: Option<&'static str>,
    /// Only those of this name.
    pub(crate) name: Option<&'static str>,
}

/// What must be so.
#[derive(Clone, Debug)]
pub(crate) enum Must {
    /// A property has this value.
    Be(&'static str, Value),
    /// A property is one of these.
    BeOneOf(&'static str, Vec<Value>),
    /// A property is there and not empty; only Azure knows its value, or people choose it.
    BeSet(&'static str),
    /// A property is not there.
    NotBe(&'static str),
    /// A diagnostic setting sends this log, a `category` or `categoryGroup`, to a workspace.
    Log { by: &'static str, name: &'static str },
    /// A diagnostic setting has this destination.
    SendTo(&'static str),
    /// No diagnostic setting sends this log.
    NotLog { by: &'static str, name: &'static str },
    /// A resource of this type lies on it or within it.
    Have(&'static str),
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) on: On,
    /// Only where parameters have these values.
    pub(crate) when: Vec<(&'static str, Value)>,
    pub(crate) must: Must,
}

pub(crate) const DIAGNOSTICS: &str = "Microsoft.Insights/diagnosticSettings";

impl Row {
    /// What breaks this row, each fault once.
    pub(crate) fn faults(&self, infra: &Infra) -> Vec<String> {
        let mut faults = BTreeSet::new();
        let mut seen = false;
        let scenarios = infra.scenarios();
        for scenario in scenarios.iter().filter(|scenario| self.applies(infra, scenario)) {
            for resource in self.resources(scenario) {
                seen = true;
                if let Some(fault) = self.fault(scenario, resource) {
                    let (path, line) = (&resource.path, resource.at.line);
                    faults.insert(format!("{path}:{line}: {}: {fault}", self.name));
                }
            }
        }
        if !seen {
            let root = self.on.root.unwrap_or("infra/");
            faults.insert(format!("{root}: {}: there is no {} at all", self.name, self.on.kind));
        }
        faults.into_iter().collect()
    }

    fn applies(&self, infra: &Infra, scenario: &Scenario) -> bool {
        self.on.root.is_none_or(|root| scenario.root == root)
            && self
                .when
                .iter()
                .all(|(name, value)| scenario.param(infra, name).as_ref() == Some(value))
    }

    /// The resources that the row is about.
    pub(crate) fn resources<'s>(&self, scenario: &'s Scenario) -> Vec<&'s Deployed> {
        let of_kind = scenario.deployment.of_kind(self.on.kind);
        let named = |resource: &&Deployed| {
            self.on.name.is_none_or(|name| resource.body["name"].as_str() == Some(name))
        };
        of_kind.filter(named).collect()
    }

    fn fault(&self, scenario: &Scenario, resource: &Deployed) -> Option<String> {
        let at = |path: &str| resource.body.pointer(&format!("/{}", path.replace('.', "/")));
        match &self.must {
            Must::Be(path, value) => match at(path) {
                Some(found) if found == value => None,
                Some(found) => Some(format!("`{path}` is {found}: it must be {value}")),
                None => Some(format!("`{path}` is missing: it must be {value}")),
            },
            Must::BeOneOf(path, values) => match at(path) {
                Some(found) if values.contains(found) => None,
                Some(found) => Some(format!("`{path}` is {found}: it must be one of {values:?}")),
                None => Some(format!("`{path}` is missing: say it, one of {values:?}")),
            },
            Must::BeSet(path) => match at(path) {
                Some(found) if !is_empty(found) => None,
                _ => Some(format!("`{path}` is missing or empty: set it")),
            },
            Must::NotBe(path) => at(path).map(|found| format!("`{path}` is {found}: remove it")),
            Must::Log { by, name } => {
                let sent = settings(scenario, resource)
                    .iter()
                    .any(|setting| sends(setting, by, name) && goes_to(setting, "workspaceId"));
                (!sent).then(|| {
                    format!("no diagnostic setting sends `{by}` {name} to a workspace: add one")
                })
            }
            Must::SendTo(to) => {
                let sent = settings(scenario, resource).iter().any(|setting| goes_to(setting, to));
                (!sent).then(|| format!("no diagnostic setting has a `{to}`: set it"))
            }
            Must::NotLog { by, name } => {
                let odd = settings(scenario, resource).iter().any(|s| sends(s, by, name));
                odd.then(|| format!("a diagnostic setting sends `{by}` {name}: remove it"))
            }
            Must::Have(kind) => {
                let within = |other: &Deployed| other.id.starts_with(&format!("{}/", resource.id));
                let has = scenario.deployment.of_kind(kind).any(within);
                (!has).then(|| format!("it has no {kind}: add one"))
            }
        }
    }
}

/// The diagnostic settings of a resource.
fn settings<'s>(scenario: &'s Scenario, resource: &Deployed) -> Vec<&'s Deployed> {
    let start = format!("{}/providers/{DIAGNOSTICS}/", resource.id);
    scenario
        .deployment
        .of_kind(DIAGNOSTICS)
        .filter(|setting| setting.id.starts_with(&start))
        .collect()
}

fn sends(setting: &Deployed, by: &str, name: &str) -> bool {
    let logs = setting.body["properties"]["logs"].as_array();
    logs.into_iter().flatten().any(|log| log[by] == name && log["enabled"] == true)
}

fn goes_to(setting: &Deployed, to: &str) -> bool {
    setting.body["properties"][to].as_str().is_some_and(|to| !to.is_empty())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}
