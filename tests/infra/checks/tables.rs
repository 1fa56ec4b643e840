//! The tables that the watcher may read are those that the shipped rules read.

use crate::sources::Infra;
use hsmwatch::watch::presets;
use serde_json::Value;
use std::collections::BTreeSet;

const FILE: &str = "infra/tables.json";

/// What the queries of the presets read.
pub(crate) fn read_by_presets() -> BTreeSet<String> {
    let queries = presets::all().iter().filter_map(|preset| preset.spec.query.as_deref());
    queries
        .flat_map(|query| kql::outline(query).expect("a query that can be read").tables)
        .collect()
}

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    let listed: Vec<String> = match infra.json(FILE).map(serde_json::from_value) {
        Ok(Ok(tables)) => tables,
        Ok(Err(_)) => return vec![format!("{FILE}: is not an array of names")],
        Err(why) => return vec![why],
    };
    let read = read_by_presets();
    for table in &read {
        if !listed.contains(table) {
            found.push(format!("{FILE}: presets read `{table}`: add it, or they are refused"));
        }
    }
    for table in &listed {
        if !read.contains(table) {
            found.push(format!(
                "{FILE}: no preset reads `{table}`: remove it, nobody needs the right"
            ));
        }
    }
    found.extend(conditions(infra));
    found
}

/// The condition of the role names each table of the parameter, and no other.
fn conditions(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    for scenario in infra.scenarios().iter() {
        let given = scenario.given.get("tables").cloned();
        let Some(tables) = given.or_else(|| infra.json(FILE).ok()) else { continue };
        let tables: Vec<&str> =
            tables.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for role in scenario.deployment.of_kind("Microsoft.Authorization/roleAssignments") {
            let Some(condition) = role.body["properties"]["condition"].as_str() else { continue };
            if condition != expected(&tables) {
                found.insert(format!(
                    "{}:{}: the condition is not that of the tables {tables:?}, but {condition} (with {})",
                    role.path, role.at.line, scenario.label
                ));
            }
        }
    }
    super::once_each(found)
}

/// As Microsoft writes it for one table, and with OR for more.
fn expected(tables: &[&str]) -> String {
    let clauses: Vec<String> = tables
        .iter()
        .map(|table| {
            format!("@Resource[Microsoft.OperationalInsights/workspaces/tables:name] StringEquals '{table}'")
        })
        .collect();
    format!(
        "((!(ActionMatches{{'Microsoft.OperationalInsights/workspaces/tables/data/read'}})) OR ({}))",
        clauses.join(" OR ")
    )
}
