//! `test`: what a rule's author and a pipeline see of it.

use crate::support::bed::Ran;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A folder with files, and the program run in it.
struct Desk(TempDir);

const NIGHT: &str = r#"
[[rule]]
id = "delete-at-night"
title = "Key deleted <at> night"
severity = "critical"
query = """
CloudHsmServiceOperationAuditLogs
| where OperationName == "CN_TOMBSTONE_OBJECT"
| where hourofday(TimeGenerated) !between (7 .. 18)
"""
"#;

/// What all tests of that rule begin with.
const HEAD: &str = r#"rules = "night.toml"
start = 2026-11-22T22:00:00Z
defaults = { OperationName = "CN_TOMBSTONE_OBJECT", HsmInstance = "hsm-1", CallerIpAddress = "10.0.0.4" }
"#;

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap()).with("night.toml", NIGHT)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// With one test, after [`HEAD`].
    fn of(cases: &str) -> Self {
        Self::new().with("night.test.toml", &format!("{HEAD}{cases}"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn test(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
        command.arg("test").args(arguments).current_dir(self.0.path()).env_clear();
        Ran::of(command.output().unwrap())
    }

    /// Both schemas pass.
    #[track_caller]
    fn passes(&self) {
        let ran = self.test(&[]).exits(0);
        assert!(ran.stderr.contains(": all passed"), "{ran:?}");
    }
}

/// A case: its rows, when the timer fires, what goes wrong, and when how many hits are told.
fn case(rows: &str, eval: &str, faults: &str, told: &[(&str, u64)]) -> String {
    let mut text = format!("rows = [{rows}]\n[[case]]\nname = \"case\"\neval = {eval}\n");
    if told.is_empty() {
        text += "alerts = []\n";
    }
    for (at, count) in told {
        write!(
            text,
            "[[case.alert]]\nat = \"{at}\"\nrule = \"delete-at-night\"\ncount = {count}\n"
        )
        .unwrap();
    }
    text + faults
}

fn fault(at: &str, what: &str) -> String {
    format!("[[case.fault]]\nat = {at}\n{what}\n")
}

#[test]
fn what_should_be_told_is() {
    for (name, rows, eval, told) in [
        ("a row", r#"{ at = "+2m" }"#, r#"["+5m", "+10m"]"#, vec![("+5m", 1)]),
        ("equal rows", r#"{ at = "+2m" }, { at = "+2m" }"#, r#""+5m""#, vec![("+5m", 2)]),
        (
            "many rows",
            r#"{ at = "+2m", repeat = 30, every = "1s" }"#,
            r#""+5m""#,
            vec![("+5m", 30)],
        ),
        (
            "a late row",
            r#"{ at = "+2m", ingested = "+40m" }"#,
            r#"{ every = "5m", until = "+1h" }"#,
            vec![("+40m", 1)],
        ),
        (
            "an equal row that is late",
            r#"{ at = "+2m" }, { at = "+2m", ingested = "+8m" }"#,
            r#"["+5m", "+10m", "+15m"]"#,
            vec![("+5m", 1), ("+10m", 1)],
        ),
        ("a row by day", r#"{ at = "+10h30m" }"#, r#"["+10h35m"]"#, vec![]),
        ("another operation", r#"{ at = "+2m", OperationName = "CN_LOGIN" }"#, r#""+5m""#, vec![]),
    ] {
        let desk = Desk::of(&case(rows, eval, "", &told));
        let ran = desk.test(&[]);
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
    }
}

#[test]
fn what_goes_wrong_loses_and_repeats_nothing() {
    let row = r#"{ at = "+2m" }"#;
    let eval = r#"["+5m", "+10m", "+15m"]"#;
    for (name, faults, told) in [
        ("the receiver asks for patience", fault(r#""+5m""#, r#"receiver = "429""#), ("+10m", 1)),
        (
            "the receiver is ill twice",
            fault(r#"["+5m", "+10m"]"#, r#"receiver = "503""#),
            ("+15m", 1),
        ),
        ("nobody is there", fault(r#""+5m""#, r#"receiver = "down""#), ("+10m", 1)),
        ("the timer did not fire", fault(r#""+5m""#, r#"tick = "missed""#), ("+10m", 1)),
        ("the process ended first", fault(r#""+5m""#, r#"crash = "before-send""#), ("+10m", 1)),
        ("the receiver went silent", fault(r#""+5m""#, r#"receiver = "dies""#), ("+10m", 1)),
        // It is sent again with the same id, which its receiver knows.
        ("the process ended after", fault(r#""+5m""#, r#"crash = "after-send""#), ("+5m", 1)),
    ] {
        let ran = Desk::of(&case(row, eval, &faults, &[told])).test(&[]);
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
    }
}

#[test]
fn a_failure_shows_rows_and_steps() {
    let desk = Desk::of(
        r#"rows = [{ at = "+2m" }, { at = "+3m", OperationName = "CN_LOGIN" }, { at = "+11h" }]
[[case]]
name = "told with another caller"
eval = ["+5m", "+11h5m"]
[[case.alert]]
at = "+5m"
rule = "delete-at-night"
count = 2
severity = "high"
match = { CallerIpAddress = "10.0.0.9" }

[[case]]
name = "must be silent"
eval = "+5m"
alerts = []

[[case]]
name = "only with the newer columns"
eval = "+5m"
[[case.alert]]
at = "+5m"
rule = "delete-at-night"
text = "no such words"

[[query]]
kql = "CloudHsmServiceOperationAuditLogs | summarize n = count() by OperationName"
eval = "+10m"
expect = [{ OperationName = "CN_LOGIN", n = 2 }]
"#,
    );
    let ran = desk.test(&["--junit", "report.xml"]).exits(1);
    insta::assert_snapshot!(format!("{}---\n{}", ran.stdout, ran.stderr));
    let told: Json = serde_json::from_str(&desk.test(&["--json"]).exits(1).stdout).unwrap();
    assert_eq!((&told["runs"], &told["failed"]), (&8.into(), &8.into()));
    let runs = told["files"][0]["runs"].as_array().unwrap();
    let stages = runs[0]["failures"][0]["stages"].as_array().unwrap();
    let counts: Vec<u64> = stages.iter().map(|stage| stage["rows"].as_u64().unwrap()).collect();
    assert_eq!(counts, [2, 1, 1], "{runs:?}");
    // As strict readers see it.
    let mut reader = quick_xml_events(&desk.read("report.xml"));
    assert_eq!(reader.remove("testcase"), Some(8));
    assert_eq!(reader.remove("failure"), Some(8));
}

/// How often each element begins, by Python's own reader of XML.
fn quick_xml_events(text: &str) -> std::collections::BTreeMap<String, usize> {
    let script = "import sys, json, collections, xml.etree.ElementTree as e\n\
                  print(json.dumps(collections.Counter(x.tag for x in e.fromstring(sys.stdin.buffer.read()).iter())))";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn hostile_names_stay_text() {
    let name = r#"\u001b[31m<b>&\"'\u202e ]]>"#;
    let desk = Desk::of(&format!(
        "rows = [{{ at = \"+2m\" }}]\n[[case]]\nname = \"{name}\"\neval = \"+5m\"\nalerts = []\n"
    ));
    let ran = desk.test(&["--junit", "report.xml"]).exits(1);
    assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.stdout);
    assert_eq!(quick_xml_events(&desk.read("report.xml"))["testcase"], 2);
}

#[test]
fn update_writes_down_what_is_told() {
    let desk = Desk::of(
        "# Of the night.\nrows = [{ at = \"+2m\" }]\n[[case]] # first\nname = \"a\"\neval = \"+5m\"\nalerts = []\n\
         [[case]]\nname = \"b\"\neval = \"+5m\"\n[[case.alert]]\nat = \"+5m\"\nrule = \"delete-at-night\"\ncount = 1\n",
    );
    desk.test(&["--update"]).exits(0).says("wrote down what is told now: 1 case");
    insta::assert_snapshot!(desk.read("night.test.toml"));
    desk.passes();
    let before = desk.read("night.test.toml");
    desk.test(&["--update"]).exits(0);
    assert_eq!(desk.read("night.test.toml"), before);
    // What cannot be written still fails.
    let query = "\n[[query]]\nkql = \"print x = 1\"\neval = \"+1m\"\nexpect = [{ x = 2 }]\n";
    let wrong = before.replace("count = 1", "count = 2");
    assert_ne!(wrong, before);
    let desk = desk.with("night.test.toml", &format!("{wrong}{query}"));
    desk.test(&["--update"]).exits(1).says("wrote down what is told now: 2 cases");
    desk.test(&["-k", "print"]).exits(1);
}

#[test]
fn some_are_chosen_by_name() {
    let desk = Desk::of(&case(r#"{ at = "+2m" }"#, r#""+5m""#, "", &[("+5m", 1)])).with(
        "other/b.test.toml",
        "[[query]]\nname = \"one\"\nkql = \"print x = 1\"\neval = \"+1m\"\nexpect = [{ x = 1 }]\n",
    );
    let runs = |arguments: &[&str]| {
        let told = desk.test(&[arguments, &["--json"]].concat()).exits(0);
        serde_json::from_str::<Json>(&told.stdout).unwrap()["runs"].as_u64().unwrap()
    };
    assert_eq!(runs(&[]), 4);
    assert_eq!(runs(&["-k", "one"]), 2);
    assert_eq!(runs(&["-k", "night"]), 2);
    assert_eq!(runs(&["other"]), 2);
    assert_eq!(runs(&["night.test.toml"]), 2);
}

#[test]
fn what_is_wrong_with_a_test_is_said_at_once() {
    let bad = Desk::of(
        "rows = [{ at = \"soon\" }, { at = \"+1m\", Oops = 1 }]\n[[case]]\nname = \"a\"\neval = \"-5m\"\n\
         [[case.fault]]\nat = \"+7m\"\nreceiver = \"tired\"\n",
    )
    .with("key.test.toml", "presets = [\"key-delete\"]\n[[case]]\nname = \"a\"\neval = \"+5m\"\nalrets = []\n")
    .with("rule.test.toml", "presets = [\"key-delete\"]\n[[case]]\nname = \"a\"\neval = \"+5m\"\n[[case.alert]]\nat = \"+5m\"\nrule = \"key-delet\"\n")
    .with("preset.test.toml", "presets = [\"key-delet\"]\n[[case]]\nname = \"a\"\neval = \"+5m\"\nalerts = []\n")
    .with("query.test.toml", "[[query]]\nkql = \"CloudHsmServiceOperationAuditLogs | where Nope == 1\"\neval = \"+1m\"\n")
    .with("toml.test.toml", "presets = [\n");
    let ran = bad.test(&[]).exits(2);
    insta::assert_snapshot!(format!("{}---\n{}", ran.stdout, ran.stderr));
    let nothing = Desk::new().test(&[]).exits(2);
    insta::assert_snapshot!("no_tests", nothing.stderr);
    Desk::new().test(&["nowhere"]).exits(2).says("nowhere");
}

#[test]
fn the_tests_of_the_presets_pass() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets/tests");
    let told: Json =
        serde_json::from_str(&Desk::new().test(&[folder, "--json"]).exits(0).stdout).unwrap();
    assert_eq!(told["files"].as_array().unwrap().len(), fs::read_dir(folder).unwrap().count());
    assert_eq!(told["failed"], 0);
}

#[test]
fn the_schema_for_editors_can_be_had() {
    let printed = Desk::new().test(&["--schema"]).exits(0).stdout;
    assert_eq!(printed, include_str!("../../hsmwatch-test.schema.json"));
}
