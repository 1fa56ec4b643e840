//! The presets as a pack: the embedded engine and Microsoft's own parser both read every one of them, as it would be asked, on
//! every schema that the tables have had; and each has tests of both kinds.

use crate::support::installed;
use chrono::{DateTime, TimeDelta, Utc};
use hsmwatch::watch::alert::Interval;
use hsmwatch::watch::build::build;
use hsmwatch::watch::head::Version;
use hsmwatch::watch::presets;
use hsmwatch::watch::rule::{Kind, Rule};
use hsmwatch::watch::schedule::Schedule;
use hsmwatch::watch::tables::{Empty, Variant, to_ticks};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use toml::Value as Toml;

const VARIANTS: [(&str, Variant); 3] =
    [("current", Variant::Current), ("legacy", Variant::Legacy), ("both", Variant::Both)];

fn start() -> DateTime<Utc> {
    "2026-03-03T10:00:00Z".parse().unwrap()
}

/// The presets as rules. The build itself must have nothing to say, not even a warning.
fn rules() -> Vec<Rule> {
    let default = Schedule::Every(TimeDelta::minutes(5));
    let built = presets::all().iter().map(|preset| {
        let built = build(preset.spec.clone(), &default);
        assert_eq!(built.problems, [], "{}", preset.spec.id);
        built.rule.unwrap()
    });
    built.collect()
}

/// What the service would be asked.
fn asked(rule: &Rule) -> String {
    let window = Interval { from: start(), to: start() + TimeDelta::hours(1) };
    Version::of(rule, start()).ask(window)
}

#[test]
fn the_embedded_engine_reads_every_preset_on_every_schema() {
    for rule in &rules() {
        for (name, variant) in VARIANTS {
            let text = asked(rule);
            let bound = kql::bind(&text, &Empty(variant), to_ticks(start()));
            let plan = bound
                .unwrap_or_else(|e| panic!("{} on {name}: {}", rule.id, e.render("query", &text)));
            let names: Vec<&str> = plan.schema().columns.iter().map(|c| c.name.as_str()).collect();
            assert!(
                !names.contains(&"MemberId") && !names.contains(&"PoolType"),
                "{}: {names:?}",
                rule.id
            );
        }
    }
}

/// Needs node and npm; where they are not, `cargo xtask test` says that its step was skipped.
#[test]
fn the_official_parser_reads_every_preset_on_every_schema() {
    let there =
        |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
    if !(there("node") && there("npm")) {
        return;
    }
    let folder = installed::npm("xtask/js", "kusto", "Microsoft's KQL parser");
    let rules = rules();
    let questions: Vec<Json> =
        rules.iter().map(|rule| json!({"name": rule.id, "text": asked(rule)})).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/xtask/js/kqllint.js");
    let mut node = Command::new("node");
    let mut node =
        node.arg(script).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Node reads all its input before it writes; dropping it ends the input.
    node.stdin.take().unwrap().write_all(&serde_json::to_vec(&questions).unwrap()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), rules.len() * VARIANTS.len());
    for answer in &answers {
        let (id, schema) = (answer["name"].as_str().unwrap(), answer["schema"].as_str().unwrap());
        // Suggestions are matters of taste.
        let problems: Vec<&Json> = answer["problems"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| ["Error", "Warning"].contains(&p["severity"].as_str().unwrap()))
            .collect();
        assert!(problems.is_empty(), "{id} on {schema}: {problems:?}");
        // Both agree on what comes out.
        let rule = rules.iter().find(|rule| rule.id == id).unwrap();
        let (_, variant) = VARIANTS.into_iter().find(|(name, _)| *name == schema).unwrap();
        let plan = kql::bind(&asked(rule), &Empty(variant), to_ticks(start())).unwrap();
        let ours: Vec<(String, String)> = plan
            .schema()
            .columns
            .iter()
            .map(|c| (c.name.clone(), c.ty.name().to_owned()))
            .collect();
        let theirs: Vec<(String, String)> = answer["columns"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, ty)| (name.clone(), ty.as_str().unwrap().to_owned()))
            .collect();
        let sorted = |mut columns: Vec<_>| {
            columns.sort();
            columns
        };
        assert_eq!(sorted(ours), sorted(theirs), "{id} on {schema}");
        if matches!(rule.kind, Kind::Event { .. }) {
            assert_eq!(answer["columns"]["TimeGenerated"], "datetime", "{id} on {schema}");
        }
    }
}

/// The test files by the preset's id.
fn files() -> BTreeMap<String, Toml> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/tests");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let id = name.strip_suffix(".test.toml").unwrap_or_else(|| panic!("{name}")).to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (id, toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    entries.map(read).collect()
}

#[test]
fn every_preset_has_tests_of_both_kinds_on_both_schemas_with_late_and_equal_rows() {
    let files = files();
    let ids: BTreeSet<&str> = presets::all().iter().map(|p| p.spec.id.as_str()).collect();
    assert_eq!(files.keys().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    for (id, file) in &files {
        assert_eq!(file["presets"], Toml::from(vec![id.as_str()]), "{id}");
        assert_eq!(file["schema"], Toml::from(vec!["current", "legacy"]), "{id}");
        let cases = file["case"].as_array().unwrap();
        let fires = |case: &&Toml| case.get("alert").is_some();
        let silent = |case: &&Toml| {
            case.get("alerts").is_some_and(|alerts| alerts.as_array().unwrap().is_empty())
        };
        assert!(cases.iter().any(|case| fires(&case)), "{id}: no case that must fire");
        assert!(cases.iter().any(|case| silent(&case)), "{id}: no case that must not");
        assert!(cases.iter().all(|case| fires(&case) != silent(&case)), "{id}: a case says both");
        let rows = || cases.iter().flat_map(|case| case["rows"].as_array().unwrap());
        assert!(rows().any(|row| row.get("ingested").is_some()), "{id}: no late row");
        let equal = cases.iter().any(|case| {
            let rows = case["rows"].as_array().unwrap();
            rows.windows(2).any(|two| two[0] == two[1])
                || rows.iter().any(|row| row.get("every").is_some_and(|e| e.as_str() == Some("0s")))
        });
        assert!(equal, "{id}: no equal rows");
    }
}
