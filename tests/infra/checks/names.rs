//! Queues, containers, functions and connections are called the same by the template, the functions, the code and the
//! documentation.

use super::settings::of_app;
use crate::eval::Scenario;
use crate::sources::Infra;
use hsmwatch::config::{self, Input, Lookup, State};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const QUEUES: &str = "Microsoft.Storage/storageAccounts/queueServices/queues";
const CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    let functions = functions(infra, &mut found);
    let bindings: Vec<(&String, &Value)> = functions
        .iter()
        .flat_map(|(path, json)| {
            json["bindings"].as_array().into_iter().flatten().map(move |b| (path, b))
        })
        .collect();
    let queues: BTreeSet<&str> =
        bindings.iter().filter_map(|(_, binding)| binding["queueName"].as_str()).collect();
    for scenario in infra.scenarios().iter().filter(|scenario| of_app(scenario).is_some()) {
        let made = names(scenario, QUEUES);
        for queue in &queues {
            if !made.contains_key(*queue) {
                found.insert(format!(
                    "{}: the functions use the queue `{queue}`: make it",
                    scenario.root
                ));
            }
        }
        for (queue, place) in &made {
            if !queues.contains(queue.as_str()) {
                found.insert(format!(
                    "{place}: no function uses the queue `{queue}`: correct its name or remove it"
                ));
            }
        }
        containers(scenario, &mut found);
        connections(scenario, &bindings, &mut found);
    }
    for queue in queues.iter().filter_map(|queue| queue.strip_suffix("-poison")) {
        if !queues.contains(queue) {
            found.insert(format!(
                "function-defs/: there is a queue for what `{queue}` gives up, and no `{queue}`"
            ));
        }
    }
    documentation(infra, &functions, &queues, &mut found);
    found.into_iter().collect()
}

/// Each `function.json` by its path.
fn functions(infra: &Infra, found: &mut BTreeSet<String>) -> BTreeMap<String, Value> {
    let paths = infra.texts.keys().filter(|path| path.starts_with("function-defs/"));
    let mut functions = BTreeMap::new();
    for path in paths {
        match infra.json(path) {
            Ok(json) => {
                functions.insert(path.clone(), json);
            }
            Err(why) => {
                found.insert(why);
            }
        }
    }
    functions
}

/// The last names of all resources of a type, with where they are declared.
fn names(scenario: &Scenario, kind: &str) -> BTreeMap<String, String> {
    let name = |resource: &crate::eval::Deployed| {
        let name = resource.id.rsplit('/').next().unwrap_or_default().to_owned();
        (name, format!("{}:{}", resource.path, resource.at.line))
    };
    scenario.deployment.of_kind(kind).map(name).collect()
}

/// Every container that is named is made, and every one that is made is named.
fn containers(scenario: &Scenario, found: &mut BTreeSet<String>) {
    let made = names(scenario, CONTAINERS);
    let Some((place, settings)) = of_app(scenario) else { return };
    let mut used = BTreeSet::new();
    let mut uses = |place: &str, what: &str, container: &str| {
        if !made.contains_key(container) {
            found.insert(format!(
                "{place}: {what} names the container `{container}`, which is not made: make it"
            ));
        }
        used.insert(container.to_owned());
    };
    let after_endpoint = |text: &str| {
        let rest = text.rsplit_once('⟧').map_or(text, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    };
    for name in ["HSMWATCH_STATE_URL", "HSMWATCH_CONFIG"] {
        if let Some(text) = settings.get(name).and_then(Value::as_str) {
            uses(&place, &format!("`{name}`"), &after_endpoint(text));
        }
    }
    for site in scenario.deployment.of_kind("Microsoft.Web/sites") {
        let value = site.body.pointer("/properties/functionAppConfig/deployment/storage/value");
        let text = value.and_then(Value::as_str).unwrap_or_default();
        let place = format!("{}:{}", site.path, site.at.line);
        uses(&place, "the package's place", &after_endpoint(text));
    }
    // Where state is without a container's name.
    uses("src/config/address.rs", "the default", &default_container());
    let config = scenario.given.get("configInBlob") == Some(&Value::Bool(true));
    for (container, place) in &made {
        // Whoever wants it later finds it there.
        let waits = container == "hsmwatch-config" && !config;
        if !used.contains(container) && !waits {
            found.insert(format!(
                "{place}: nobody uses the container `{container}`: correct its name or remove it"
            ));
        }
    }
}

/// The container that the code takes when none is named.
fn default_container() -> String {
    struct Nothing;
    impl Lookup for Nothing {
        fn var(&self, name: &str) -> Option<String> {
            (name == "HSMWATCH_STATE_URL").then(|| "https://acct.blob.core.windows.net".to_owned())
        }
        fn base(&self) -> &Path {
            Path::new("")
        }
        fn read(&self, _path: &Path) -> Result<String, String> {
            Err(String::new())
        }
        fn glob(&self, _pattern: &str) -> Result<Vec<PathBuf>, String> {
            Ok(Vec::new())
        }
    }
    match config::state(Input::Environment, &Nothing) {
        Some(State::Blob { container, .. }) => container,
        other => format!("{other:?}"),
    }
}

/// What stands between `%` and in `connection` is a setting of the app.
fn connections(scenario: &Scenario, bindings: &[(&String, &Value)], found: &mut BTreeSet<String>) {
    let Some((place, settings)) = of_app(scenario) else { return };
    for (path, binding) in bindings {
        if let Some(name) = binding["connection"].as_str()
            && !settings.keys().any(|key| key == name || key.starts_with(&format!("{name}__")))
        {
            found.insert(format!("{place}: {path} connects by `{name}`: set `{name}__…`"));
        }
        for text in ["schedule", "queueName"].iter().filter_map(|key| binding[key].as_str()) {
            for name in text.split('%').skip(1).step_by(2) {
                if !settings.contains_key(name) {
                    found.insert(format!("{place}: {path} reads `{name}`: set it"));
                }
            }
        }
    }
}

/// `docs/functions.md`, the code's list of functions, and whatever else in `infra/` names a queue.
fn documentation(
    infra: &Infra,
    functions: &BTreeMap<String, Value>,
    queues: &BTreeSet<&str>,
    found: &mut BTreeSet<String>,
) {
    let names: BTreeSet<&str> =
        functions.keys().filter_map(|path| path.split('/').nth(1)).collect();
    let docs = infra.text("docs/functions.md");
    let rows = docs.lines().skip_while(|line| !line.starts_with("| function |")).skip(2);
    let cells =
        rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('`').nth(1));
    let documented: BTreeSet<&str> = cells.collect();
    if documented != names {
        found.insert(format!("docs/functions.md: the table has the functions {documented:?}, function-defs/ has {names:?}"));
    }
    let code = infra.text("src/hosts/functions/invoke.rs");
    let list = code.split("FUNCTIONS: [&str; ").nth(1).and_then(|rest| rest.split(';').next());
    let answered: BTreeSet<&str> = list.unwrap_or_default().split('"').skip(1).step_by(2).collect();
    if answered != names {
        found.insert(format!(
            "src/hosts/functions/invoke.rs: it answers {answered:?}, function-defs/ has {names:?}"
        ));
    }
    let texts = infra.texts.iter().filter(|(path, _)| {
        path.starts_with("docs/")
            || path.starts_with("infra/")
            || path.starts_with("src/")
            || *path == "README.md"
    });
    for (path, text) in texts {
        for (number, line) in text.lines().enumerate() {
            for start in ["hsmwatch-deliver", "hsmwatch-evaluat"] {
                for (at, _) in line.match_indices(start) {
                    let rest = &line[at..];
                    let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-');
                    let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('-');
                    if !queues.contains(name) {
                        found.insert(format!(
                            "{path}:{}: there is no queue `{name}`: function-defs/ has {queues:?}",
                            number + 1
                        ));
                    }
                }
            }
        }
    }
}
