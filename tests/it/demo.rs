//! `hsmwatch demo`, as somebody meets it who has just cloned the repository: what it prints, against a count of the bundled
//! records that knows nothing of the product.

use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output, Stdio};

const EVENTS: &str = include_str!("../../demo/events.jsonl");
const START: &str = "2026-03-03T00:00:00Z";

/// Rules that tell of each record with one of these operations.
const EACH: [(&str, &[&str]); 9] = [
    ("login-session", &["CN_LOGIN", "CN_AUTHORIZE_SESSION"]),
    ("user-change", &["CN_CREATE_USER", "CN_DELETE_USER"]),
    ("key-create", &["CN_GENERATE_KEY", "CN_GENERATE_KEY_PAIR"]),
    ("key-delete", &["CN_TOMBSTONE_OBJECT"]),
    ("key-attribute-change", &["CN_MODIFY_OBJECT"]),
    ("key-share", &["CN_SHARE_OBJECT"]),
    ("password-change", &["CN_CHANGE_PSWD"]),
    ("hsm-backup", &["CN_BACKUP_BEGIN", "CN_BACKUP_END"]),
    ("key-export", &["CN_EXTRACT_MASKED_OBJECT_USER", "CN_WRAP_KEY"]),
];

fn demo(args: &[&str]) -> Output {
    // A place without a configuration, and no terminal anywhere.
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
        .arg("demo")
        .args(args)
        .current_dir(empty.path())
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(std::fs::read_dir(empty.path()).unwrap().next().is_none(), "the demo left something");
    output
}

fn text(event: &Json, pointer: &str) -> String {
    event.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// What tells a record from others: rule, time, operation, caller, client, HSM.
type Told = BTreeMap<[String; 6], usize>;

/// What must be told, and how many of it come more than an hour after they happened.
fn due() -> (Told, usize) {
    let (mut told, mut late) = (Told::new(), 0);
    for line in EVENTS.lines() {
        let event: Json = serde_json::from_str(line).unwrap();
        let (time, operation) = (text(&event, "/time"), text(&event, "/operationName"));
        for (rule, operations) in EACH {
            if time.as_str() < START || !operations.contains(&operation.as_str()) {
                continue;
            }
            let caller = text(&event, "/callerIpAddress");
            let client = text(&event, "/properties/ClientInfo");
            let hsm = text(&event, "/resourceId").to_lowercase();
            *told
                .entry([rule.to_owned(), time.clone(), operation.clone(), caller, client, hsm])
                .or_default() += 1;
            let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
            let way = at(&text(&event, "/available")) - at(&time);
            late += usize::from(way > chrono::TimeDelta::hours(1));
        }
    }
    (told, late)
}

#[test]
fn each_matching_record_is_told_once_to_a_program() {
    let output = demo(&["--once", "--format", "json"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Json> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap()["summary"].take();

    let ids: BTreeSet<String> = lines.iter().map(|body| text(body, "/id")).collect();
    assert_eq!(ids.len(), lines.len(), "an id came twice");
    let mut told = Told::new();
    let mut rules = BTreeSet::new();
    let mut sweeps = 0;
    for body in &lines {
        assert_eq!(body["type"], "com.hsmwatch.alert.v1");
        assert!(text(body, "/data/caveat").contains("not whether it succeeded"), "{body}");
        let rule = text(body, "/data/rule/id");
        rules.insert(rule.clone());
        let hits = body["data"]["hits"].as_array().unwrap();
        assert_eq!(body["data"]["count"], hits.len());
        if !EACH.iter().any(|(id, _)| *id == rule) {
            continue;
        }
        if body["data"]["reason"] == "sweep" {
            sweeps += hits.len();
        }
        for hit in hits {
            let field = |name: &str| text(hit, name);
            let rest = ["/time", "/operation", "/caller", "/client", "/resource"].map(field);
            let [time, operation, caller, client, hsm] = rest;
            *told.entry([rule.clone(), time, operation, caller, client, hsm]).or_default() += 1;
        }
    }
    let (due, late) = due();
    assert_eq!(told, due);
    assert_eq!(sweeps, late);
    let expected = EACH.iter().map(|(id, _)| (*id).to_owned());
    let sums = [
        "login-burst",
        "caller-first-seen",
        "key-enumeration",
        "key-delete-burst",
        "new-user-login",
    ]
    .map(str::to_owned);
    assert_eq!(rules, expected.chain(sums).collect());

    let hits: u64 = lines.iter().map(|body| body["data"]["count"].as_u64().unwrap()).sum();
    for (name, value) in [
        ("events_read", EVENTS.lines().count()),
        ("alerts_sent", lines.len()),
        ("deliveries_verified", lines.len()),
        ("hits_told", usize::try_from(hits).unwrap()),
        ("late_rows_caught", late),
        ("tried_again", 2),
        ("forgeries_refused", 2),
        ("deliveries_unverified", 0),
        ("delivered_twice", 0),
        ("undelivered", 0),
        ("failures", 0),
        ("missed", 0),
        ("told_twice", 0),
    ] {
        assert_eq!(summary[name], value, "{name}");
    }
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(number("duplicates_suppressed"), number("rows_matched") - hits);
    assert!(number("duplicates_suppressed") > hits, "windows overlap");
    assert_eq!(summary["fine"], true);
    assert_eq!(summary["not_counted"], Json::Array(Vec::new()));
}

#[test]
fn a_person_sees_what_happened() {
    let output = demo(&[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    // The log holds escape sequences and text that runs backwards.
    let control = stdout.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
    assert_eq!(control, None);
    assert!(!stdout.contains("whsec_"));
    for line in stdout.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    readme_shows(&stdout);
    let (alerts, table) = stdout.split_at(stdout.find("  events read").unwrap());
    insta::assert_snapshot!("demo_table", table);
    // Each alert's first line, and what stands between the alerts.
    let heads = ["2026-", "── ", "CRITICAL", "HIGH", "MEDIUM"];
    let outline: Vec<&str> =
        alerts.lines().filter(|line| heads.iter().any(|head| line.starts_with(head))).collect();
    insta::assert_snapshot!("demo_outline", outline.join("\n"));
}

/// What the README shows of the demo is what it prints.
fn readme_shows(stdout: &str) {
    const README: &str = include_str!("../../README.md");
    let block = README.split("<!-- demo output").nth(1).unwrap();
    let block = block.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for part in block.split("\n…\n") {
        assert!(
            stdout.contains(part.trim()),
            "README.md shows what the demo no longer prints: {part}"
        );
    }
}
