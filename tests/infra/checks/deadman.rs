//! The dead-man's switch counts what the program really logs.
//!
//! Lines come from the program itself, run as the Functions host runs it. The queries are the template's own, run by the embedded
//! KQL engine over a table `traces` that holds those lines. A change of the line, of the query or of a workspace's name breaks
//! this.

use crate::eval::{Deployed, Scenario};
use crate::handler::{Lines, lines};
use crate::sources::Infra;
use kql::{MemoryTables, Schema, Type};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

const RULES: &str = "Microsoft.Insights/scheduledQueryRules";

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut seen = false;
    for scenario in infra.scenarios().iter() {
        let Some(names) = names(infra, scenario) else { continue };
        seen = true;
        let mut say = |rule: Option<&Deployed>, text: &str| {
            let place = rule.map_or_else(
                || scenario.root.clone(),
                |rule| format!("{}:{}", rule.path, rule.at.line),
            );
            found.insert(format!("{place}: {text} (with {})", scenario.label));
        };
        let rules: Vec<&Deployed> = scenario.deployment.of_kind(RULES).collect();
        let silent = |rule: &&&Deployed| criterion(rule, "operator").starts_with("LessThan");
        for name in &names {
            let speaks = |rule: &&&Deployed| silent(rule) && of_workspace(rule, name, &names);
            if !rules.iter().any(|rule| speaks(&rule)) {
                say(
                    None,
                    &format!(
                        "no rule fires when the workspace `{name}` is no longer evaluated: add one"
                    ),
                );
            }
        }
        for rule in rules.iter().filter(silent) {
            silence(rule, &names, &mut |text| say(Some(rule), text));
        }
        for rule in rules.iter().filter(|rule| !silent(rule)) {
            errors(rule, &mut |text| say(Some(rule), text));
        }
        if rules.iter().all(|rule| silent(&rule)) {
            say(None, "no rule fires on lines of level ERROR: add one");
        }
        for rule in rules {
            speaking(scenario, rule, &mut |text| say(Some(rule), text));
        }
    }
    if !seen {
        found.insert("infra/: no template has the parameter `deadmanWorkspaceNames`: there is no dead-man's switch".to_owned());
    }
    if let Some(root) = infra.files.get("infra/main.bicep")
        && let Some(param) = root.param("deadmanWorkspaceNames")
    {
        let default = param.default.as_ref().and_then(crate::bicep::constraints::literal);
        let wanted = Value::from(vec![crate::handler::name_without_a_file()]);
        if default.as_ref() != Some(&wanted) {
            found.insert(format!("infra/main.bicep:{}: without a file the only workspace is called {wanted}: make it the default", param.at.line));
        }
    }
    super::once_each(found)
}

fn names(infra: &Infra, scenario: &Scenario) -> Option<Vec<String>> {
    let names = scenario.param(infra, "deadmanWorkspaceNames")?;
    Some(names.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// A text of a rule's only criterion.
fn criterion<'d>(rule: &'d Deployed, name: &str) -> &'d str {
    rule.body
        .pointer(&format!("/properties/criteria/allOf/0/{name}"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether a rule counts this workspace's lines and no other's.
fn of_workspace(rule: &Deployed, name: &str, names: &[String]) -> bool {
    let good = |name: &str| lines(name).good;
    let of = |name: &str| count(rule, &[good(name)].concat()).unwrap_or(0);
    of(name) > 0 && names.iter().filter(|other| *other != name).all(|other| of(other) == 0)
}

/// A rule on the absence of good lines.
fn silence(rule: &Deployed, names: &[String], say: &mut dyn FnMut(&str)) {
    let Some(name) = names.iter().find(|name| of_workspace(rule, name, names)) else {
        return say("its query counts the lines of no workspace, or of several");
    };
    let Lines { good, failed, others } = lines(name);
    let counts = [
        ("one good line", good.as_slice(), 1),
        ("a line of an evaluation that failed", failed.as_slice(), 0),
        ("lines that are not of an evaluation", others.as_slice(), 0),
        ("nothing at all", &[], 0),
    ];
    for (what, lines, wanted) in counts {
        let lines = if wanted == 1 { lines.get(..1).unwrap_or_default() } else { lines };
        match count(rule, lines) {
            Ok(counted) if counted == wanted => {}
            Ok(counted) => {
                say(&format!("its query counts {counted} in {what}: it must count {wanted}"));
            }
            Err(why) => return say(&why),
        }
    }
    // A name that begins or ends like this one, and a failure count that only begins with 0.
    for like in [format!("{name}-2"), format!("x{name}"), name.to_uppercase()] {
        if like != *name
            && count(rule, &lines_as(&good, name, &like)).is_ok_and(|counted| counted > 0)
        {
            say(&format!(
                "its query takes the lines of a workspace `{like}` for those of `{name}`"
            ));
        }
    }
    let tenth: Vec<String> =
        good.iter().map(|line| line.replace("failed=0", "failed=01")).collect();
    if count(rule, &tenth).is_ok_and(|counted| counted > 0) {
        say("its query takes `failed=01` for `failed=0`");
    }
    if !fires(rule, 0) || fires(rule, 1) {
        say("it does not fire exactly when there is no good line: LessThan 1");
    }
}

fn lines_as(good: &[String], name: &str, like: &str) -> Vec<String> {
    let (from, to) = (format!("workspace={name} "), format!("workspace={like} "));
    good.iter().map(|line| line.replace(&from, &to)).collect()
}

/// A rule on lines of level ERROR.
fn errors(rule: &Deployed, say: &mut dyn FnMut(&str)) {
    let Lines { good, failed, others } = lines("prod");
    let is_error = |line: &&String| {
        serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"] == "ERROR")
    };
    let all: Vec<String> = [good, failed, others].concat();
    let wanted = all.iter().filter(is_error).count();
    match count(rule, &all) {
        Ok(counted) if counted == wanted && wanted > 0 => {}
        Ok(counted) => say(&format!("its query counts {counted} of {wanted} lines of level ERROR")),
        Err(why) => say(&why),
    }
    if fires(rule, 0) || !fires(rule, 1) {
        say("it does not fire exactly when there is such a line: GreaterThan 0");
    }
}

/// Whether a rule fires at this count.
fn fires(rule: &Deployed, count: i64) -> bool {
    let threshold =
        rule.body.pointer("/properties/criteria/allOf/0/threshold").and_then(Value::as_i64);
    let Some(threshold) = threshold else { return false };
    match criterion(rule, "operator") {
        "LessThan" => count < threshold,
        "LessThanOrEqual" => count <= threshold,
        "GreaterThan" => count > threshold,
        "GreaterThanOrEqual" => count >= threshold,
        _ => false,
    }
}

/// What the rule's query counts over these lines. Most scenarios have the same queries: each is run once.
fn count(rule: &Deployed, lines: &[String]) -> Result<usize, String> {
    type Counts = BTreeMap<(String, String, Vec<String>), Result<usize, String>>;
    static COUNTS: Mutex<Counts> = Mutex::new(BTreeMap::new());
    let (query, measured) = (criterion(rule, "query"), criterion(rule, "metricMeasureColumn"));
    let key = (query.to_owned(), measured.to_owned(), lines.to_vec());
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    counts.entry(key).or_insert_with(|| counted(query, measured, lines)).clone()
}

/// What a query counts: one row, in the column that is measured.
fn counted(query: &str, measured: &str, lines: &[String]) -> Result<usize, String> {
    let columns = ["timestamp", "message", "severityLevel", "operation_Name"];
    let kinds = [Type::Datetime, Type::String, Type::Int, Type::String];
    let schema =
        Schema::new(columns.into_iter().zip(kinds).map(|(name, kind)| (name.to_owned(), kind)));
    let now = kql::parse_datetime("2026-03-03T20:20:00Z").expect("a datetime");
    let row = |line: &String| {
        let text = |text: &str| kql::Value::String(text.into());
        vec![kql::Value::Datetime(now), text(line), kql::Value::Int(1), text("tick")]
    };
    let tables = MemoryTables::new().with("traces", schema, lines.iter().map(row).collect());
    let plan = kql::bind(query, &tables, now)
        .map_err(|e| format!("its query cannot be run: {}", e.render("query", query)))?;
    let Some(at) = plan.schema().index(measured) else {
        return Err(format!("its query has no column `{measured}`"));
    };
    let rows: Vec<_> =
        plan.run(&tables).collect::<Result<_, _>>().map_err(|e| format!("its query fails: {e}"))?;
    match rows.as_slice() {
        [row] => match row.get(at) {
            Some(kql::Value::Long(count)) => usize::try_from(*count).map_err(|e| e.to_string()),
            other => Err(format!("its query counts {other:?}")),
        },
        _ => Err(format!(
            "its query gives {} rows over {} lines: without a row nothing fires",
            rows.len(),
            lines.len()
        )),
    }
}

/// Whom a rule tells, and how often it looks.
fn speaking(scenario: &Scenario, rule: &Deployed, say: &mut dyn FnMut(&str)) {
    let given = |name: &str| {
        scenario.given.get(name).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
    };
    let groups = rule.body.pointer("/properties/actions/actionGroups").and_then(Value::as_array);
    let groups: Vec<&str> = groups.into_iter().flatten().filter_map(Value::as_str).collect();
    if groups.is_empty() && (given("alertEmails") || given("existingActionGroupResourceIds")) {
        say("it tells nobody, although somebody is named");
    }
    if rule.body.pointer("/properties/enabled") != Some(&Value::Bool(true)) {
        say("it is not enabled");
    }
    let component = |id: &Value| {
        let of_kind = scenario.deployment.of_kind("Microsoft.Insights/components");
        of_kind.into_iter().any(|component| *id == component.id)
    };
    let scopes = rule.body.pointer("/properties/scopes").and_then(Value::as_array);
    if !scopes.is_some_and(|scopes| scopes.len() == 1 && scopes.iter().all(component)) {
        say("its scope is not the watcher's Application Insights component");
    }
    // Another way to people than the one that may be broken.
    for group in scenario.deployment.of_kind("Microsoft.Insights/actionGroups") {
        let properties = group.body["properties"].as_object();
        let kinds = properties.into_iter().flatten().map(|(key, _)| key.as_str());
        for kind in kinds.filter(|kind| kind.ends_with("Receivers") && *kind != "emailReceivers") {
            say(&format!(
                "{}:{} tells by `{kind}`: only people, by e-mail",
                group.path, group.at.line
            ));
        }
    }
}
