//! `backtest`: what a person and a pipeline see of it, and that it tells what the engine would have told.

mod blob;
mod same;

use crate::support::bed::Ran;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A directory with files, and the program run in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
        command.arg("backtest").args(arguments).current_dir(self.0.path()).env_clear();
        Ran::of(command.output().unwrap())
    }

    fn json(&self, arguments: &[&str], code: i32) -> Json {
        let ran = self.run(&[arguments, &["--json"]].concat()).exits(code);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

const HSM: &str = "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.HARDWARESECURITYMODULES/CLOUDHSMCLUSTERS/HSM-PROD";

fn record(time: &str, operation: &str, caller: &str) -> String {
    format!(
        "{{\"time\":\"{time}\",\"resourceId\":\"{HSM}\",\"category\":\"HsmServiceOperations\",\"operationName\":\"{operation}\",\
         \"callerIpAddress\":\"{caller}\",\"properties\":{{\"HsmInstance\":\"hsm-1\",\"ClusterType\":\"Production\"}}}}\n"
    )
}

/// Three deletions on the 3rd, one on the 5th; logins each day.
fn logs() -> String {
    let mut text = String::new();
    for day in 1..=6 {
        for hour in [8, 12, 16] {
            text += &record(&format!("2026-03-0{day}T{hour:02}:01:02.5Z"), "CN_LOGIN", "10.0.0.4");
        }
        if day == 3 {
            for minute in [3, 3, 44] {
                text += &record(
                    &format!("2026-03-03T20:{minute:02}:10Z"),
                    "CN_TOMBSTONE_OBJECT",
                    "203.0.113.7",
                );
            }
        }
        if day == 5 {
            text += &record("2026-03-05T09:30:00Z", "CN_TOMBSTONE_OBJECT", "10.0.0.4");
        }
    }
    text
}

const RULES: [&str; 4] = ["--rules", "key-delete", "--rules", "login-session"];

fn desk() -> Desk {
    Desk::new().with("logs/2026/03.json", &logs())
}

fn backtest<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--logs", "logs"], RULES.as_slice(), more].concat()
}

#[test]
fn people_see_what_was_told_and_when() {
    let ran = desk().run(&backtest(&[])).exits(0).without_talk();
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn programs_see_every_alert() {
    let report = desk().json(&backtest(&[]), 0);
    assert_eq!(report["summary"]["alerts"], 21);
    assert_eq!(report["summary"]["rows"], 22);
    assert_eq!(report["summary"]["passed"], true);
    let rule = &report["rules"][0];
    assert_eq!((&rule["id"], &rule["hits"]), (&"key-delete".into(), &4.into()));
    assert_eq!(rule["days"], serde_json::json!({"2026-03-03": 2, "2026-03-05": 1}));
    let deletions: Vec<&Json> =
        report["alerts"].as_array().unwrap().iter().filter(|a| a["rule"] == "key-delete").collect();
    assert_eq!(deletions.len(), 3);
    // Two equal rows are two events.
    assert_eq!(
        (&deletions[0]["count"], &deletions[0]["at"]),
        (&2.into(), &"2026-03-03T20:05:00Z".into())
    );
    assert_eq!(deletions[0]["group"]["_ResourceId"], HSM.to_lowercase());
    assert_eq!(deletions[0]["reason"], "new");
}

#[test]
fn a_period_is_what_is_asked_for() {
    let report = desk().json(&backtest(&["--from", "2026-03-03", "--to", "2026-03-04"]), 0);
    assert_eq!(report["summary"]["from"], "2026-03-03T00:00:00Z");
    assert_eq!(report["summary"]["alerts"], 5);
    // What came before is not told, but first-seen rules know it.
    let first = |from: &str| {
        let report =
            desk().json(&["--logs", "logs", "--rules", "caller-first-seen", "--from", from], 0);
        report["alerts"].as_array().unwrap().len()
    };
    assert_eq!((first("2026-03-01"), first("2026-03-02"), first("2026-03-04")), (2, 1, 0));
}

#[test]
fn a_slower_timer_tells_the_same_hits_in_fewer_alerts() {
    let slow = desk().json(&backtest(&["--every", "1h"]), 0);
    assert_eq!(slow["rules"][0]["hits"], 4);
    assert_eq!(slow["rules"][0]["alerts"], 2);
    assert_eq!(slow["alerts"][0]["at"], "2026-03-01T09:00:00Z");
}

const EXPECTED: &str = r#"
unexpected = "fail"
[[expect]]
rule = "key-delete"
exactly = 2
day = 2026-03-03
[[expect]]
rule = "key-delete"
at_least = 4
count = "hits"
group = { _ResourceId = "hsm-PROD" }
[[expect]]
rule = "login-session"
exactly = 3
per = "day"
"#;

#[test]
fn expectations_are_held_against_it() {
    let expect = ["--expect", "expect.toml", "--junit", "junit.xml"];
    let good = desk().with("expect.toml", EXPECTED);
    let ran = good.run(&backtest(&expect)).exits(0);
    assert!(
        ran.stdout
            .contains("ok    key-delete: expected exactly 2 alerts on 2026-03-03, there are 2")
    );
    let bad = EXPECTED.replace("exactly = 2", "exactly = 1").replace("exactly = 3", "at_most = 2");
    let bad = desk().with("expect.toml", &bad);
    let ran = bad.run(&backtest(&expect)).exits(1);
    assert!(
        ran.stdout
            .contains("FAIL  key-delete: expected exactly 1 alerts on 2026-03-03, there are 2")
    );
    assert!(ran.stdout.contains(
        "FAIL  login-session: expected at most 2 alerts a day, there are 3 on 2026-03-01"
    ));
    insta::assert_snapshot!(fs::read_to_string(bad.0.path().join("junit.xml")).unwrap());
    let report = bad.json(&backtest(&expect), 1);
    assert_eq!(report["summary"]["expectations_failed"], 2);
    assert_eq!(report["expectations"][0]["passed"], false);
}

#[test]
fn what_nobody_expected_is_said_or_fails() {
    let expect = |policy: &str| {
        desk().with(
            "e.toml",
            &format!(
                "unexpected = \"{policy}\"\n[[expect]]\nrule = \"key-delete\"\nat_least = 1\n"
            ),
        )
    };
    let run = |policy: &str, code: i32| {
        expect(policy).run(&backtest(&["--expect", "e.toml"])).exits(code).stdout
    };
    assert!(run("fail", 1).contains("FAIL  login-session: 18 alerts that no expectation covers"));
    assert!(run("warn", 0).contains("warn  login-session: 18 alerts that no expectation covers"));
    assert!(!run("ignore", 0).contains("covers"));
    // The command line wins; without a file all is unexpected.
    expect("ignore").run(&backtest(&["--expect", "e.toml", "--unexpected", "fail"])).exits(1);
    desk().run(&backtest(&["--unexpected", "fail"])).exits(1);
}

#[test]
fn what_cannot_be_used_says_so() {
    let desk = desk()
        .with("unknown.toml", "[[expect]]\nrule = \"key-delet\"\nexactly = 1\n")
        .with("key.toml", "[[expect]]\nrule = \"key-delete\"\nexactely = 1\n")
        .with("both.toml", "[[expect]]\nrule = \"key-delete\"\nexactly = 1\nat_most = 2\n")
        .with("rules/bad.toml", "[[rule]]\nid = \"bad\"\nseverity = \"low\"\ntitle = \"x\"\nquery = 'CloudHsmServiceOperationAuditLogs | where Nope == 1'\n")
        .with("other.json", "{\"time\":\"2026-03-01T00:00:00Z\",\"category\":\"Elsewhere\"}\n");
    let mut said = String::new();
    for (arguments, code) in [
        (backtest(&["--expect", "unknown.toml"]), 3),
        (backtest(&["--expect", "key.toml"]), 3),
        (backtest(&["--expect", "both.toml"]), 3),
        (backtest(&["--expect", "nowhere.toml"]), 3),
        (vec!["--logs", "nowhere/*.json"], 3),
        (vec!["--logs", "other.json"], 3),
        (backtest(&["--from", "2026-03-03", "--to", "2026-03-02"]), 3),
        (backtest(&["--from", "2027-03-03"]), 3),
        (vec!["--logs", "logs", "--rules", "key-delet"], 2),
        (vec!["--logs", "logs", "--rules", "rules"], 2),
        (vec!["--logs", "logs", "--rules", "nowhere/rules.toml"], 2),
        (vec!["--logs", "logs", "--every", "0s"], 2),
        (vec![], 2),
    ] {
        let ran = desk.run(&arguments).exits(code);
        writeln!(said, "$ hsmwatch backtest {}\n{}", arguments.join(" "), ran.stderr.trim_end())
            .unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn rules_of_ones_own_are_tried_with_their_parameters() {
    let rule = r#"
[[rule]]
id = "mine"
title = "Deletion"
severity = "high"
window = "1h"
every = "15m"
query = '''CloudHsmServiceOperationAuditLogs
| where TimeGenerated >= window_start and TimeGenerated < window_end
| where OperationName == operation | summarize n = count() by CallerIpAddress | where n >= 2'''
[rule.parameters]
operation = "CN_TOMBSTONE_OBJECT"
"#;
    let desk = desk()
        .with("rules/mine.toml", rule)
        .with("rules/mine.test.toml", "not a rule")
        .with("rules/notes.txt", "nothing");
    let report = desk.json(&["--logs", "logs/2026/*.json", "--rules", "rules"], 0);
    assert_eq!(report["rules"][0]["alerts"], 2, "{report}");
    assert_eq!(report["alerts"][0]["at"], "2026-03-03T20:15:00Z");
}

#[test]
fn a_configuration_says_which_rules_there_are() {
    let configuration = "presets = [\"key-delete\"]\n[state]\npath = \"state\"\n[[workspace]]\nname = \"w\"\nlogs = [\"logs/**/*.json\"]\n\
        [[receiver]]\nname = \"r\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nunsigned = true\n";
    let desk = desk().with("hsmwatch.toml", configuration);
    let report = desk.json(&["--logs", "logs"], 0);
    assert_eq!(report["rules"].as_array().unwrap().len(), 1);
    assert_eq!(report["summary"]["alerts"], 3);
    assert!(!desk.0.path().join("state").exists());
}

#[test]
fn a_table_that_is_not_in_the_logs_is_no_reason_to_stop() {
    let report = desk().json(&["--logs", "logs", "--rules", "all"], 0);
    let hardware = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["id"] == "hardware-change")
        .unwrap();
    assert!(hardware["skipped"].as_str().unwrap().contains("CloudHsmHardwareOperationAuditLogs"));
    let failed = report["summary"]["failed_evaluations"].as_u64().unwrap();
    assert_eq!(failed, 0);
}

#[test]
fn the_picture_is_complete() {
    let desk = desk();
    desk.run(&backtest(&["--svg", "timeline.svg"])).exits(0);
    let svg = fs::read_to_string(desk.0.path().join("timeline.svg")).unwrap();
    insta::assert_snapshot!(svg);
}
