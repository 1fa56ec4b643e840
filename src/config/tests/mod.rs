//! Configurations, good and bad.

mod bad;
mod catalogue;
mod environment;
mod fetched;
mod generated;
mod good;
mod leaks;
mod receivers;
mod schema;
mod variables;
mod world;
mod written;

use super::*;
use crate::watch::parameters::{Parameter, Parameters};
use world::World;

/// Reads `hsmwatch.toml` with this text. What is good, an editor takes too: so every good configuration of these tests goes
/// through the schema.
fn file(text: &str, world: &World) -> Result<Loaded, Problems> {
    let result = load(Input::File { name: "hsmwatch.toml", text }, &known(), world);
    if result.is_ok() {
        assert_eq!(
            schema::refuses(text),
            None,
            "the schema refuses what the reader takes:\n{text}"
        );
    }
    result
}

/// What a user would see: the problems, or the warnings.
fn rendered(result: &Result<Loaded, Problems>) -> String {
    match result {
        Ok(loaded) if loaded.warnings.is_empty() => "fine".to_owned(),
        Ok(loaded) => format!("warnings:\n{}", Problems(loaded.warnings.clone())),
        Err(problems) => problems.to_string(),
    }
}

fn known() -> Known {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let tutorial = ids(&["login-session", "user-change", "key-create", "key-delete"]);
    let all = ids(&["login-session", "user-change", "key-create", "key-delete", "login-burst"]);
    Known {
        preset_ids: all.clone(),
        parameters: BTreeMap::from([(
            "login-burst".to_owned(),
            Parameters::from([
                ("threshold".to_owned(), Parameter::Whole(20)),
                ("opens".to_owned(), Parameter::Clock(0)),
            ]),
        )]),
        sets: BTreeMap::from([("tutorial".to_owned(), tutorial), ("all".to_owned(), all)]),
    }
}

/// The parts of a configuration that a test is not about.
const REST: &str = r#"
[state]
path = "s"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
[[receiver]]
name = "oncall"
kind = "webhook"
url = "https://itsm.example.com/hook"
unsigned = true
"#;

/// What a user would see of `text` before the rest of a good configuration.
fn with_rest(text: &str) -> String {
    rendered(&file(&format!("{text}{REST}"), &World::default()))
}

/// What a user would see of `text` after the rest of a good configuration, on its own lines from 1 on.
fn after_rest(text: &str) -> String {
    let before = REST.matches('\n').count();
    let mut seen = rendered(&file(&format!("{REST}{text}"), &World::default()));
    for line in (1..=60).rev() {
        seen = seen.replace(&format!("toml:{}:", before + line), &format!("toml:+{line}:"));
    }
    seen
}
