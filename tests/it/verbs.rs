//! Verbs that look things up or try things out, through the built binary.

use crate::support::fake_logs::{FakeLogs, Fault, Record};
use crate::support::fake_receiver::{FakeReceiver, Kind, Say};
use serde_json::Value as Json;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const ID: &str = "11111111-2222-3333-4444-555555555555";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TABLE: &str = "CloudHsmServiceOperationAuditLogs";

/// What a run of the program came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap()
    }

    /// For snapshots.
    fn shown(&self) -> String {
        format!("exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }

    /// Everything that was said.
    fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs the program in a folder, with nothing of this machine's environment.
fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_with(folder, arguments, "", &[])
}

fn run_with(folder: &Path, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who reads no input has closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A folder with a configuration.
fn configured(text: &str) -> TempDir {
    let folder = folder();
    fs::write(folder.path().join("hsmwatch.toml"), text).unwrap();
    folder
}

fn workspace(endpoint: &str) -> String {
    format!("[[workspace]]\nname = \"prod\"\nid = \"{ID}\"\nendpoint = \"{endpoint}\"\n")
}

const OFFLINE: &str = r#"
[[workspace]]
name = "export"
logs = ["logs/*.json"]
[[receiver]]
name = "oncall"
kind = "webhook"
url = "https://hooks.example.com/s3cret-path"
unsigned = true
min_severity = "high"
"#;

/// Copies the exported logs that tests share.
fn exported(folder: &TempDir) {
    fs::create_dir_all(folder.path().join("logs")).unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs/archive.json");
    fs::copy(data, folder.path().join("logs/archive.json")).unwrap();
}

#[test]
fn help_teaches() {
    let here = folder();
    for verb in [
        &["rules"][..],
        &["rules", "show"],
        &["explain"],
        &["query"],
        &["send-test"],
        &["verify"],
        &["listen"],
    ] {
        let ran = run(here.path(), &[verb, &["--help"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{verb:?}");
        insta::assert_snapshot!(format!("help_{}", verb.join("_")), ran.out);
    }
}

// rules

#[test]
fn rules_are_listed_without_a_configuration() {
    let here = folder();
    let ran = run(here.path(), &["rules"]);
    assert_eq!(ran.code, 0);
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "SEVERITY", "KIND", "SCHEDULE", "SETS", "TITLE"]);
    let ids: Vec<&str> = lines[1..5].iter().map(|line| line[0]).collect();
    assert_eq!(ids, ["login-session", "user-change", "key-create", "key-delete"]);
    assert_eq!(
        lines[4][..7],
        ["key-delete", "critical", "event", "every", "5m", "tutorial,", "recommended"]
    );
    assert!(ran.err.contains("without a configuration nothing is on"), "{}", ran.err);

    let all = run(here.path(), &["rules", "list", "--format", "json"]).json();
    let delete = all.as_array().unwrap().iter().find(|rule| rule["id"] == "key-delete").unwrap();
    assert_eq!(delete["on"], Json::Null);
    assert_eq!(delete["sets"], serde_json::json!(["tutorial", "recommended", "all"]));
    assert_eq!(delete["severity"], "critical");
}

#[test]
fn rules_say_which_are_on() {
    let here = configured(&format!(
        "presets = [\"key-delete\"]\n[state]\npath = \"state\"\n{OFFLINE}{}",
        r#"
[[rule]]
id = "key-delete"
severity = "high"
[[rule]]
id = "key-create"
severity = "medium"
[[rule]]
id = "at-night"
title = "Key deleted at night"
severity = "low"
query = "CloudHsmServiceOperationAuditLogs | where OperationName == 'CN_TOMBSTONE_OBJECT' | where hourofday(TimeGenerated) !between (7 .. 18)"
every = "1m"
[[rule]]
id = "not-yet"
title = "Not yet"
severity = "low"
enabled = false
query = "CloudHsmServiceOperationAuditLogs"
"#
    ));
    let all = run(here.path(), &["rules", "--format", "json"]);
    let all = all.json();
    let rule = |id: &str| all.as_array().unwrap().iter().find(|r| r["id"] == id).unwrap().clone();
    assert_eq!(rule("key-delete")["on"], true);
    assert_eq!(rule("key-delete")["severity"], "high");
    assert_eq!(rule("key-delete")["changed"], true);
    assert_eq!(rule("key-delete")["receivers"], serde_json::json!(["oncall"]));
    assert_eq!(rule("key-create")["on"], false);
    assert_eq!(rule("key-create")["severity"], "medium");
    assert_eq!(rule("at-night")["on"], true);
    assert_eq!(rule("at-night")["receivers"], serde_json::json!([]));
    assert_eq!(rule("not-yet")["on"], false);
    let ran = run(here.path(), &["rules"]);
    assert!(ran.out.lines().any(|l| l.starts_with("on   key-delete ")), "{}", ran.out);
    assert!(ran.out.lines().any(|l| l.starts_with("off  not-yet ") && l.contains("(own)")));
    assert!(ran.err.starts_with("2 of "), "{}", ran.err);
    insta::assert_snapshot!(
        "rule_of_ones_own",
        run(here.path(), &["rules", "show", "at-night"]).shown()
    );
    assert!(!here.path().join("state").exists());
}

#[test]
fn the_tables_are_those_of_the_rules_that_are_on() {
    const OPERATIONS: &str = "CloudHsmServiceOperationAuditLogs";
    const HARDWARE: &str = "CloudHsmHardwareOperationAuditLogs";
    let here = folder();
    let ran = run(here.path(), &["rules", "tables"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.out);
    assert!(lines[1].starts_with(HARDWARE) && lines[1].contains("hardware-change"), "{}", ran.out);
    assert!(lines[2].starts_with(OPERATIONS) && lines[2].contains("key-delete"), "{}", ran.out);
    let json = run(here.path(), &["rules", "tables", "--format", "json"]).json();
    assert_eq!(json, serde_json::json!([HARDWARE, OPERATIONS]));

    let here = configured(&format!(
        "presets = [\"key-delete\"]\n[state]\npath = \"state\"\n{OFFLINE}{}",
        r#"
[[rule]]
id = "hardware"
title = "Anything in the hardware's own log"
severity = "low"
query = "CloudHsmHardwareOperationAuditLogs | project TimeGenerated, OperationName"
[[rule]]
id = "elsewhere"
title = "Not on"
severity = "low"
enabled = false
query = "SigninLogs | project TimeGenerated"
"#
    ));
    let ran = run(here.path(), &["rules", "tables", "--format", "json"]);
    assert_eq!(ran.json(), serde_json::json!([HARDWARE, OPERATIONS]));
}

#[test]
fn rules_are_shown_also_beside_a_broken_configuration() {
    let here = configured("nonsense = 1\n");
    let ran = run(here.path(), &["rules"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("key-delete"));
    assert!(ran.err.contains("`hsmwatch check` tells more"), "{}", ran.err);
    // Named, it is what was asked for.
    assert_eq!(run(here.path(), &["rules", "--config", "hsmwatch.toml"]).code, 2);
}

#[test]
fn a_rule_is_shown() {
    let here = folder();
    insta::assert_snapshot!(
        "rule_shown",
        run(here.path(), &["rules", "show", "key-delete"]).shown()
    );
    let ran = run(here.path(), &["rules", "show", "key-delte"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: there is no rule `key-delte`\n  hint: did you mean `key-delete`?\n"
    );
}

#[test]
fn a_rule_s_query_can_be_pasted_into_the_portal() {
    let here = folder();
    let ran = run(here.path(), &["rules", "show", "key-delete", "--kql"]);
    assert_eq!(ran.code, 0);
    let (constants, query) = ran.out.split_once(&format!("; {TABLE}\n")).unwrap();
    let (start, end) = constants.split_once("; ").unwrap();
    let time = |text: &str, name: &str| -> chrono::DateTime<chrono::Utc> {
        let text = text.strip_prefix(&format!("let {name} = datetime(")).unwrap();
        text.strip_suffix(')').unwrap().parse().unwrap()
    };
    assert_eq!((time(end, "window_end") - time(start, "window_start")).num_minutes(), 60);
    assert!(query.starts_with("| where OperationName in (\"CN_TOMBSTONE_OBJECT\")"));
    let last = run(
        here.path(),
        &["rules", "show", "login-burst", "--kql", "--last", "6h", "--format", "json"],
    )
    .json();
    let window = &last["window"];
    let end = |name: &str| -> chrono::DateTime<chrono::Utc> {
        window[name].as_str().unwrap().parse().unwrap()
    };
    assert_eq!((end("to") - end("from")).num_hours(), 6);
    assert_eq!(run(here.path(), &["rules", "show", "key-delete", "--last", "1h"]).code, 2);
}

// explain

/// Without the lines that change with every new preset.
fn without_rules(text: &str) -> String {
    let lines = text.lines().filter(|l| !l.contains("Watched by") && !l.contains("As any other"));
    lines.fold(String::new(), |out, line| out + line + "\n")
}

#[test]
fn operations_are_explained() {
    let here = folder();
    let ran = run(
        here.path(),
        &["explain", "cn_tombstone_object", "login", "getattribute", "HASH_SINGLE_CALL"],
    );
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("explained", without_rules(&ran.out));
    let watched: Vec<&str> = ran.out.lines().filter(|l| l.contains("Watched by")).collect();
    assert!(watched[0].contains("key-delete"), "{watched:?}");
    assert!(watched[1].contains("login-session") && watched[1].contains("login-burst"));
    let json = run(here.path(), &["explain", "deleteKey", "--format", "json"]).json();
    assert_eq!(json[0]["operation"], "CN_TOMBSTONE_OBJECT");
    assert_eq!(json[0]["commands"], serde_json::json!(["deleteKey"]));
    let rules = json[0]["watched_by"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["rule"] == "key-delete" && rule["any"] == false));
}

#[test]
fn unknown_operations_are_shown_as_they_are() {
    let here = folder();
    let ran = run(here.path(), &["explain", "CN_LOGIN", "CN_TOMSTONE_OBJECT", "CN_\u{1b}[2JX"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("CN_LOGIN: a user logged in"));
    assert!(ran.out.contains("\nCN_TOMSTONE_OBJECT: not known\n"));
    assert!(ran.out.contains("\nCN_[2JX: not known\n"));
    assert!(ran.err.contains("hint: did you mean `CN_TOMBSTONE_OBJECT`"), "{}", ran.err);
    let json = run(here.path(), &["explain", "CN_NEW", "--format", "json"]);
    assert_eq!(json.code, 1);
    assert_eq!(json.json()[0]["known"], false);
}

#[test]
fn all_operations_are_listed() {
    let here = folder();
    let ran = run(here.path(), &["explain"]);
    assert_eq!(ran.code, 0);
    let delete = ran.out.lines().find(|line| line.starts_with("CN_TOMBSTONE_OBJECT ")).unwrap();
    assert!(delete.contains("a key was deleted (deleteKey)") && delete.contains("key-delete"));
    let json = run(here.path(), &["explain", "--format", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), ran.out.lines().count() - 1);
}

// query, over files

#[test]
fn files_are_asked_without_a_configuration() {
    let here = folder();
    exported(&here);
    let query = format!(
        "{TABLE} | project TimeGenerated, OperationName, CallerIpAddress, DurationMs, _ResourceId | order by TimeGenerated asc"
    );
    let ask = |more: &[&str]| {
        run(here.path(), &[&["query", "--logs", "logs/*.json", &query], more].concat())
    };
    insta::assert_snapshot!("files_as_table", ask(&[]).shown());
    insta::assert_snapshot!("files_as_csv", ask(&["--output", "csv"]).shown());
    insta::assert_snapshot!(
        "files_as_lines",
        ask(&["--output", "jsonl", "--last", "20m", "--to", "2026-11-22T08:10:00Z"]).shown()
    );
    let all = ask(&["--format", "json"]).json();
    assert_eq!(all[0]["OperationName"], "CN_LOGIN");
    assert_eq!(all[0]["DurationMs"], 12);
    let none = ask(&["--format", "json", "--to", "2020-01-01"]);
    assert_eq!((none.code, none.json()), (0, serde_json::json!([])));
    let one = ask(&["--from", "2026-11-22T08:00:01Z", "--to", "2026-11-22T08:00:02Z"]);
    assert!(
        one.err.ends_with("1 row from log files, 2026-11-22 08:00:01 to 08:00:02 UTC\n"),
        "{}",
        one.err
    );
}

#[test]
fn a_query_comes_from_an_argument_a_file_or_standard_input() {
    let here = folder();
    exported(&here);
    let query = format!("\u{feff}{TABLE}\r\n| count");
    fs::write(here.path().join("q.kql"), &query).unwrap();
    let logs = ["query", "--output", "csv", "--logs", "logs/archive.json"];
    let file = run(here.path(), &[&logs[..], &["--file", "q.kql"]].concat());
    assert_eq!(file.code, 0, "{}", file.err);
    let input = run_with(here.path(), &logs, &query, &[]);
    let argument = run(here.path(), &[&logs[..], &[&query]].concat());
    assert_eq!((&file.out, &file.out), (&input.out, &argument.out));
    // As a shell gives them where the pattern is not quoted.
    fs::write(here.path().join("logs/more.json"), "").unwrap();
    let spread = run(here.path(), &[&logs[..], &["logs/more.json", &query]].concat());
    assert_eq!(spread.out, file.out);
    for (more, said) in [
        (&[query.as_str(), "T"][..], "more than one query"),
        (&[query.as_str(), "--file", "q.kql"], "more than one query"),
        (&[query.as_str(), "--rule", "key-delete"], "more than one query"),
        (&["--file", "none.kql"], "cannot read the query from `none.kql`"),
        (&[" "], "the query is empty"),
        (&["T", "--last", "0s"], "no time lies between"),
        (&["T", "--last", "1h", "--from", "2026-01-01"], "cannot be used with"),
        (&["T", "--from", "yesterday"], "use RFC 3339"),
    ] {
        let ran = run(here.path(), &[&logs[..], more].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{more:?}");
        assert!(ran.err.contains(said), "{more:?}: {}", ran.err);
    }
    let none = run(here.path(), &["query", "--logs", "no/*.json", "T"]);
    insta::assert_snapshot!("no_files", none.shown());
}

#[test]
fn files_are_a_workspace_wherever_one_stands() {
    let here =
        configured(&format!("presets = [\"key-delete\"]\n[state]\npath = \"state\"\n{OFFLINE}"));
    exported(&here);
    let elsewhere = folder();
    let config = here.path().join("hsmwatch.toml");
    let config = config.to_str().unwrap();
    let query = format!("{TABLE} | count");
    let ran = run(elsewhere.path(), &["query", "--config", config, "--output", "csv", &query]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Count\n6\n"), "{}", ran.err);
    assert!(ran.err.ends_with("1 row from export\n"), "{}", ran.err);
    let once = run(elsewhere.path(), &["run", "--once", "--config", config]);
    assert_eq!(once.code, 0, "{}", once.shown());
    assert!(once.err.contains("key-delete on export: begins now"), "{}", once.err);
    assert!(here.path().join("state").is_dir());
}

#[test]
fn a_wrong_query_is_shown_with_its_place() {
    let here = folder();
    exported(&here);
    let wrong = format!("{TABLE}\n| where OperationNme == \"CN_LOGIN\"");
    let ran = run(here.path(), &["query", "--logs", "logs/*.json", &wrong]);
    insta::assert_snapshot!("wrong_query", ran.shown());
    let unsupported = format!("{TABLE} | evaluate bag_unpack(Sku)");
    let ran = run(here.path(), &["query", "--logs", "logs/*.json", &unsupported]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("a Log Analytics workspace runs it"), "{}", ran.err);
}

#[test]
fn a_rule_s_query_runs_over_files() {
    let here = folder();
    exported(&here);
    let ask = |more: &[&str]| {
        let ran = run(
            here.path(),
            &[&["query", "--logs", "logs/*.json", "--format", "json"], more].concat(),
        );
        assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
        ran.json().as_array().unwrap().clone()
    };
    let users = ask(&["--rule", "user-change"]);
    assert!(
        !users.is_empty()
            && users.iter().all(|row| row["OperationName"].as_str().unwrap().ends_with("_USER"))
    );
    assert!(ask(&["--rule", "user-change", "--to", "2026-11-22T08:00:00Z"]).is_empty());
    // The look back is read, and its rows are not the window's.
    let first = ask(&[
        "--rule",
        "caller-first-seen",
        "--from",
        "2026-11-22T08:00:00.5Z",
        "--to",
        "2026-11-23",
    ]);
    assert!(first.iter().all(|row| row["CallerIpAddress"] != "10.20.0.4"), "{first:?}");
    assert!(first.iter().any(|row| row["CallerIpAddress"] == "192.0.2.17"), "{first:?}");
    let constants = ask(&[
        &format!("{TABLE} | where TimeGenerated < window_end | count"),
        "--to",
        "2026-11-22T08:00:00.5Z",
    ]);
    assert_eq!(constants[0]["Count"], 1);
}

#[test]
fn nothing_from_the_log_moves_the_cursor() {
    let here = folder();
    let hostile = serde_json::json!({
        "time": "2026-11-22T08:00:00Z", "operationName": "CN_LOGIN", "category": "HsmServiceOperations",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/P/T/HSM",
        "callerIpAddress": "=cmd|'/c calc'!A1",
        "properties": {"ClientInfo": "\u{1b}]8;;https://evil.example\u{7}x\u{9b}2J\u{202e}y\nz"},
    });
    fs::write(here.path().join("log.json"), hostile.to_string()).unwrap();
    let query = format!("{TABLE} | project CallerIpAddress, ClientInfo");
    let ask = |output: &str| {
        run(here.path(), &["query", "--logs", "log.json", "--output", output, &query])
    };
    let control = |text: &str| text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}');
    for output in ["table", "json", "jsonl"] {
        let ran = ask(output);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(!control(&ran.out), "{output}: {:?}", ran.out);
    }
    let back: Json = serde_json::from_str(&ask("jsonl").out).unwrap();
    assert_eq!(back["ClientInfo"], hostile["properties"]["ClientInfo"]);
    assert!(ask("csv").out.contains("\n'=cmd|'"), "{}", ask("csv").out);
}

// query, over a workspace

#[test]
fn a_workspace_is_asked() {
    let service = FakeLogs::start(&[ID]);
    let time = "2026-11-22T08:00:00.1234567Z".parse().unwrap();
    service.add(ID, [Record::new("CN_LOGIN", time), Record::new("CN_LOGOUT", time)]);
    let here =
        configured(&format!("[state]\npath = \"state\"\n{}{OFFLINE}", workspace(&service.url())));
    let query = format!("{TABLE} | where OperationName == \"CN_LOGIN\" | project TimeGenerated");
    let ask = |more: &[&str]| run(here.path(), &[&["query", "--format", "json"], more].concat());
    let two = ask(&[&query]);
    assert_eq!(two.code, 2);
    assert_eq!(
        two.err,
        "error: name a workspace with --workspace\n  hint: there are prod, export\n"
    );
    assert!(ask(&["--workspace", "prd", &query]).err.contains("did you mean `prod`?"));

    let ran = ask(&["--workspace", "prod", &query, "--from", "2026-11-22", "--to", "2026-11-23"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let rows = ran.json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["TimeGenerated"], "2026-11-22T08:00:00.1234567Z");
    let asked = service.requests().pop().unwrap();
    assert_eq!(asked.query, query);
    let (from, to) = asked.timespan.unwrap();
    assert_eq!(
        (from.to_rfc3339(), to.to_rfc3339()),
        ("2026-11-22T00:00:00+00:00".to_owned(), "2026-11-23T00:00:00+00:00".to_owned())
    );

    // A day, if nothing is said; a rule's look back beside.
    ask(&["--workspace", "prod", "--rule", "caller-first-seen"]);
    let (from, to) = service.requests().pop().unwrap().timespan.unwrap();
    assert_eq!((to - from).num_days(), 15);

    // What is wrong wherever it is asked is not asked.
    let before = service.requests().len();
    let wrong = ask(&["--workspace", "prod", &format!("{TABLE} | where (")]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains('^'), "{}", wrong.err);
    assert_eq!(service.requests().len(), before);
    assert!(!here.path().join("state").exists());
}

#[test]
fn a_workspace_refuses_or_answers_in_part() {
    let service = FakeLogs::start(&[ID]);
    let time = "2026-11-22T08:00:00Z".parse().unwrap();
    service.add(ID, (0..4).map(|_| Record::new("CN_LOGIN", time)));
    let here = configured(&format!(
        "[state]\npath = \"state\"\n{}{}",
        workspace(&service.url()),
        OFFLINE.split_once("[[receiver]]").map(|(_, rest)| format!("[[receiver]]{rest}")).unwrap()
    ));
    let ask = |query: &str| {
        run(here.path(), &["query", "--from", "2026-11-22", "--to", "2026-11-23", query])
    };
    service.fault(Fault::Semantic(
        "'where' operator: Failed to resolve column or scalar expression named 'OperationNme'",
    ));
    insta::assert_snapshot!(
        "refused_by_the_service",
        ask(&format!("{TABLE} | where OperationNme == 'CN_LOGIN'")).shown()
    );
    service.fault(Fault::Partial);
    let partial =
        ask(&format!("{TABLE} | where OperationName == 'CN_LOGIN' | project OperationName"));
    assert_eq!(partial.code, 1, "{}", partial.shown());
    assert!(partial.out.contains("CN_LOGIN"));
    assert!(partial.err.contains("warning: the answer is not complete"), "{}", partial.err);
    service.fault(Fault::AccessDenied);
    let denied = ask(TABLE);
    assert_eq!(denied.code, 1, "{}", denied.shown());
    assert!(denied.err.contains("Log Analytics Reader"), "{}", denied.err);
    service.fault(Fault::TableMissing);
    let none = ask(TABLE);
    assert_eq!(none.code, 1);
    assert!(
        none.err.contains("no data yet") && none.err.contains("diagnostic setting"),
        "{}",
        none.err
    );
}

// send-test

/// Three receivers of three kinds.
struct Three {
    teams: FakeReceiver,
    slack: FakeReceiver,
    itsm: FakeReceiver,
    folder: TempDir,
}

fn three() -> Three {
    let teams = FakeReceiver::start(Kind::Teams);
    let slack = FakeReceiver::start(Kind::Slack);
    let itsm = FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()]));
    let folder = configured(&format!(
        "presets = [\"key-delete\"]\n[state]\npath = \"state\"\n{}
[[receiver]]
name = \"oncall\"
kind = \"teams\"
url = {{ env = \"TEAMS\" }}
[[receiver]]
name = \"sec\"
kind = \"slack\"
url = {{ env = \"SLACK\" }}
min_severity = \"critical\"
[[receiver]]
name = \"itsm\"
kind = \"webhook\"
url = {{ env = \"ITSM\" }}
secret = {{ env = \"ITSM_SECRET\" }}
",
        workspace("http://127.0.0.1:9")
            + "resource_id = \"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w\"\n"
    ));
    Three { teams, slack, itsm, folder }
}

impl Three {
    fn run(&self, arguments: &[&str]) -> Ran {
        let (teams, slack, itsm) = (self.teams.url(), self.slack.url(), self.itsm.url());
        let variables =
            [("TEAMS", &*teams), ("SLACK", &*slack), ("ITSM", &*itsm), ("ITSM_SECRET", SECRET)];
        let ran = run_with(self.folder.path(), arguments, "", &variables);
        let said = ran.said();
        assert!(!said.contains("s3cret") && !said.contains("whsec_"), "{said}");
        assert!(!self.folder.path().join("state").exists(), "state was touched");
        ran
    }
}

/// Without what differs from run to run.
fn steady(text: &str) -> String {
    let id = text.split("\nalert ").nth(1).and_then(|rest| rest.get(..32)).unwrap_or("?");
    text.replace(id, "[alert id]")
}

#[test]
fn a_sample_reaches_all_kinds() {
    let all = three();
    let ran = all.run(&["send-test"]);
    insta::assert_snapshot!("sent", steady(&ran.shown()));
    for receiver in [&all.teams, &all.slack, &all.itsm] {
        assert_eq!(receiver.deliveries().len(), 1);
        assert_eq!(receiver.problems(), [""; 0]);
        let body = String::from_utf8(receiver.deliveries()[0].body.clone()).unwrap();
        assert!(body.contains("Test: Key deleted from an HSM"), "{body}");
    }
    let sent = all.itsm.deliveries()[0].json();
    let data = &sent["data"];
    assert_eq!(data["reason"], "test");
    assert_eq!(data["rule"]["id"], "key-delete");
    assert_eq!(data["rule"]["severity"], "critical");
    assert_eq!(data["count"], 1);
    assert_eq!(data["hits"][0]["operation"], "CN_TOMBSTONE_OBJECT");
    assert_eq!(data["workspace"]["name"], "prod");
    assert!(data["links"]["logs"].as_str().unwrap().contains("%2Fworkspaces%2Fw/"), "{data}");
    // Another test is another alert.
    all.run(&["send-test", "itsm"]);
    assert_eq!(all.itsm.counts().len(), 2);
    assert_eq!(all.teams.deliveries().len(), 1);
}

#[test]
fn a_sample_can_be_of_another_rule_and_severity() {
    let all = three();
    let ran =
        all.run(&["send-test", "--rule", "login-burst", "--severity", "low", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told = ran.json();
    assert_eq!(told[0]["verdict"], "delivered");
    assert_eq!(told[0]["status"], 202);
    assert!(told[0]["next"].as_str().unwrap().contains("run history"));
    assert_eq!(told[1]["spared"], "its `min_severity` is critical");
    assert_eq!(told[2]["spared"], Json::Null);
    let data = all.itsm.deliveries()[0].json()["data"].clone();
    assert_eq!(data["rule"]["severity"], "low");
    assert_eq!(data["rule"]["id"], "login-burst");
    for (arguments, said) in [
        (&["send-test", "itsmm"][..], "did you mean `itsm`?"),
        (&["send-test", "--rule", "no"], "there is no rule `no`"),
        (&["send-test", "--severity", "bad"], "use info, low, medium, high or critical"),
    ] {
        let ran = all.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn a_failing_receiver_is_told_and_gives_nothing_away() {
    let all = three();
    let echo = |status| {
        Say::StatusAndBody(status, format!("POST {} failed with {SECRET}", all.itsm.url()))
    };
    all.itsm.script([echo(500)]);
    all.slack.script([Say::StatusAndBody(404, "no_service".to_owned())]);
    all.teams.script([Say::HangUp]);
    let ran = all.run(&["send-test"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!("not_sent", steady(&ran.shown()));
    all.itsm.script([echo(400)]);
    let ran = all.run(&["send-test", "itsm", "--format", "json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.json()[0]["verdict"], "refused");
    assert_eq!(ran.json()[0]["delivered"], false);
}

#[test]
fn what_is_printed_is_what_would_be_sent() {
    let all = three();
    let ran = all.run(&["send-test", "itsm", "--print"]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.err, "POST to itsm (webhook):\nnothing was sent\n");
    let (headers, body) = ran.out.split_once("\n\n").unwrap();
    let header = |name: &str| {
        headers.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")).unwrap().to_owned()
    };
    assert_eq!(header("content-type"), "application/cloudevents+json");
    let (id, timestamp, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let verify = ["verify", "--id", &id, "--timestamp", &timestamp, "--signature", &signature];
    let verified = run_with(
        all.folder.path(),
        &verify,
        body.strip_suffix('\n').unwrap(),
        &[("HSMWATCH_WEBHOOK_SECRET", SECRET)],
    );
    assert_eq!(verified.code, 0, "{}", verified.shown());
    let json = all.run(&["send-test", "--print", "--format", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), 3);
    assert_eq!(json[0]["headers"]["webhook-signature"], Json::Null);
    let body: Json = serde_json::from_str(json[2]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["reason"], "test");
    for receiver in [&all.teams, &all.slack, &all.itsm] {
        assert_eq!(receiver.deliveries().len(), 0);
    }
}
