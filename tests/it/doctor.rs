//! `doctor`, from outside: a chain that is well, each of its links broken, and people who may see only a part of it.

mod app;
mod links;

use crate::support::bed::{Ran, SECRET, SECRETS, TestBed, WORKSPACE};
use crate::support::fake_identity::{FakeIdentity, HEADER};
use crate::support::fake_logs::Record;
use crate::support::fake_management::{FakeManagement, hsm, id};
use crate::support::fake_receiver::{FakeReceiver, Kind};
use chrono::{TimeDelta, Utc};
use serde_json::{Value as Json, json};
use std::process::Command;

/// The object id of the identity that all is done with.
const OID: &str = "99999999-0000-0000-0000-000000000001";

/// A bed with everything around it.
struct Doctor {
    bed: TestBed,
    arm: FakeManagement,
    identity: FakeIdentity,
}

impl Doctor {
    /// Nothing has run yet.
    fn new() -> Self {
        Self::of(TestBed::new().receiver("itsm", "webhook"))
    }

    fn of(bed: TestBed) -> Self {
        let identity = FakeIdentity::start();
        identity.tokens_of(&json!({
            "oid": OID, "appid": "88888888-0000-0000-0000-000000000008", "idtyp": "app",
            "tid": "77777777-0000-0000-0000-000000000007",
            "xms_mirid": id("rg-ops", "Microsoft.ManagedIdentity/userAssignedIdentities", "id-ops"),
        }));
        let bed =
            bed.variable("IDENTITY_ENDPOINT", &identity.url()).variable("IDENTITY_HEADER", HEADER);
        Self { bed, arm: FakeManagement::start(WORKSPACE), identity }
    }

    /// It runs, and records have come in.
    fn well() -> Self {
        let doctor = Self::new();
        doctor.records();
        doctor.bed.begin();
        doctor
    }

    fn records(&self) {
        let now = Utc::now();
        for minutes in [7, 90] {
            self.bed.log(Record::new("CN_LOGIN", now - TimeDelta::minutes(minutes)));
        }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let url = self.arm.url();
        let all = [&["doctor", "--management-endpoint", &url], arguments].concat();
        clean(Ran::of(self.bed.command(&all).envs(variables.iter().copied()).output().unwrap()))
    }

    /// The report as JSON.
    fn json(&self, arguments: &[&str]) -> Json {
        let ran = self.run(&[&["--format", "json"], arguments].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
    }
}

/// No secret is shown, and nothing that a terminal would obey.
#[track_caller]
fn clean(ran: Ran) -> Ran {
    for text in [&ran.stdout, &ran.stderr] {
        for secret in SECRETS.iter().copied().chain([HEADER, "eyJ", "http://127"]) {
            assert!(!text.contains(secret), "`{secret}` is shown:\n{text}");
        }
        let hidden = |c: char| c.is_control() && c != '\n' || c == '\u{202e}' || c == '\u{200b}';
        assert!(!text.contains(hidden), "{text:?}");
    }
    ran
}

/// All checks of an id.
fn of<'j>(report: &'j Json, id: &str) -> Vec<&'j Json> {
    report["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id).collect()
}

/// Verdict and text of the first check of an id.
#[track_caller]
fn first<'j>(report: &'j Json, id: &str) -> (&'j str, &'j str) {
    let check =
        of(report, id).into_iter().next().unwrap_or_else(|| panic!("no `{id}`: {report:#}"));
    (check["verdict"].as_str().unwrap(), check["seen"].as_str().unwrap())
}

/// What is the same at each run.
fn steady(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for line in text.replace(env!("CARGO_PKG_VERSION"), "VERSION").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let words = words.iter().enumerate().map(|(n, word)| {
            let next = words.get(n + 1).copied().unwrap_or_default();
            let bare = word.trim_start_matches('(');
            let digits = |text: &str, like: &str| {
                text.len() == like.len()
                    && text
                        .chars()
                        .zip(like.chars())
                        .all(|(c, l)| if l == '0' { c.is_ascii_digit() } else { c == l })
            };
            if digits(bare, "0000-00-00") {
                word.replace(bare, "DATE")
            } else if digits(bare, "00:00:00") {
                "TIME".to_owned()
            } else if (next.starts_with("min") || next == "s") && word.parse::<u32>().is_ok() {
                "N".to_owned()
            } else if next.starts_with("ago") {
                "AGE".to_owned()
            } else {
                (*word).to_owned()
            }
        });
        out.push(words.collect::<Vec<_>>().join(" "));
    }
    out.join("\n")
}

fn shown(ran: &Ran) -> String {
    steady(&format!("{}\n--\n{}", ran.stdout.trim_end(), ran.stderr.trim_end()))
}

#[test]
fn a_chain_that_is_well() {
    let doctor = Doctor::well();
    let ran = doctor.run(&[]).exits(0);
    insta::assert_snapshot!("well", shown(&ran));
    // Nothing of it was posted, and the document in the state is gone.
    assert!(doctor.bed.at("itsm").deliveries().is_empty());
    let left = doctor.bed.state_dir().join("probe");
    assert!(!left.exists() || std::fs::read_dir(left).unwrap().next().is_none());
    let asked = doctor.arm.requests();
    assert!(asked.iter().all(|asked| asked.method == "GET"), "{asked:#?}");
}

#[test]
fn help_teaches() {
    let doctor = Doctor::new();
    let ran = doctor.bed.run(&["doctor", "--help"]).exits(0);
    insta::assert_snapshot!("help", ran.stdout);
    assert!(!ran.stdout.contains("endpoint"), "what is for tests alone is not shown");
}

#[test]
fn programs_get_one_shape() {
    let doctor = Doctor::well();
    doctor.arm.no_settings();
    let ran = doctor.run(&["--format", "json"]).exits(1);
    assert_eq!(ran.stderr, "");
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    let keys = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&report), ["version", "at", "checks", "summary", "app"]);
    assert_eq!(keys(&report["summary"]), ["ok", "warn", "fail", "skipped"]);
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(keys(check), ["id", "title", "subject", "verdict", "seen", "cure"]);
        if !check["cure"].is_null() {
            assert_eq!(keys(&check["cure"]), ["az", "portal", "text"]);
        }
    }
    assert_eq!(report["app"], Json::Null);
    assert_eq!(report["summary"]["fail"], 1);
}

#[test]
fn much_is_broken_and_all_of_it_is_said() {
    let doctor = Doctor::new();
    doctor.arm.register("Microsoft.Insights", "NotRegistered");
    doctor.arm.skew(TimeDelta::seconds(120));
    doctor.bed.logs.fault_when(|_| true, crate::support::fake_logs::Fault::AccessDenied);
    let ran = doctor.run(&["--hsm", &hsm()]).exits(1);
    insta::assert_snapshot!("broken", shown(&ran));
}

#[test]
fn without_any_right_on_resources_the_data_is_looked_at() {
    let doctor = Doctor::well();
    doctor.arm.deny("*");
    let ran = doctor.run(&[]).exits(0);
    insta::assert_snapshot!("few_rights", shown(&ran));
    let doctor_without = Doctor { arm: FakeManagement::start(WORKSPACE), ..doctor };
    doctor_without.identity.refuse("https://management.azure.com");
    let report = doctor_without.json(&[]);
    let management: Vec<&Json> = of(&report, "token");
    assert!(
        management
            .iter()
            .any(|check| check["verdict"] == "fail" && check["subject"] == "Resource Manager")
    );
    assert_eq!(first(&report, "subscription").0, "skipped");
    for id in [
        "query",
        "table",
        "columns",
        "last-record",
        "state",
        "receiver",
        "watches",
        "table-plan",
        "hsm",
    ] {
        assert_eq!(first(&report, id).0, "ok", "{id}");
    }
}

#[test]
fn without_any_right_on_data_resources_are_looked_at() {
    let doctor = Doctor::new();
    doctor.identity.refuse("https://api.loganalytics.io");
    let report = doctor.json(&[]);
    assert_eq!(first(&report, "token").0, "fail");
    assert_eq!(first(&report, "query"), ("skipped", "there is no token for the query API"));
    for id in [
        "subscription",
        "provider",
        "hsm",
        "diagnostic-setting",
        "diagnostic-destination",
        "archive",
        "workspace",
        "table-plan",
    ] {
        assert_eq!(first(&report, id).0, "ok", "{id}");
    }
}

#[test]
fn without_a_configuration_flags_will_do() {
    let doctor = Doctor::new();
    doctor.records();
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let url = doctor.arm.url();
        let query = doctor.bed.logs.url();
        let all =
            [&["doctor", "--management-endpoint", &url, "--query-endpoint", &query], arguments]
                .concat();
        let mut command = doctor.bed.command(&all);
        clean(Ran::of(command.current_dir(dir.path()).output().unwrap()))
    };
    let report = |ran: Ran| -> Json { serde_json::from_str(&ran.stdout).unwrap() };
    // A subscription alone.
    let by_subscription = report(run(&[
        "--format",
        "json",
        "--subscription",
        crate::support::fake_management::SUBSCRIPTION,
    ]));
    assert_eq!(first(&by_subscription, "configuration").0, "skipped");
    assert_eq!(first(&by_subscription, "hsm").0, "ok");
    assert_eq!(first(&by_subscription, "diagnostic-setting").0, "ok");
    assert_eq!(first(&by_subscription, "diagnostic-destination").0, "warn");
    assert_eq!(first(&by_subscription, "archive").0, "ok");
    // A workspace by its resource id, and by its customer id.
    for workspace in [crate::support::fake_management::workspace(), WORKSPACE.to_owned()] {
        let report = report(run(&["--format", "json", "--hsm", &hsm(), "--workspace", &workspace]));
        for id in
            ["diagnostic-destination", "workspace", "query", "table", "columns", "last-record"]
        {
            assert_eq!(first(&report, id).0, "ok", "{id} of {workspace}: {report:#}");
        }
        assert_eq!(report["summary"]["fail"], 0);
    }
    // Nothing at all: what can be listed.
    let ran = run(&[]).exits(0);
    assert!(ran.stdout.contains("HSM hsm-prod"), "{}", ran.stdout);
    assert!(ran.stdout.contains("hsmwatch init"));
}

#[test]
fn whoever_watches_exported_files_needs_nothing_of_azure() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("export.json"), "").unwrap();
    let receiver = FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()]));
    let configuration = format!(
        "presets = [\"key-delete\"]\n[state]\npath = \"state\"\n[[workspace]]\nname = \"files\"\nlogs = [\"*.json\"]\n\
         [[receiver]]\nname = \"itsm\"\nkind = \"webhook\"\nurl = \"{}\"\nsecret = {{ env = \"SECRET\" }}\n",
        receiver.url()
    );
    std::fs::write(dir.path().join("hsmwatch.toml"), configuration).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
    command.args(["doctor", "--format", "json"]).current_dir(dir.path()).env_clear();
    let ran = clean(Ran::of(command.env("SECRET", SECRET).output().unwrap())).exits(0);
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["summary"]["fail"], 0, "{report:#}");
    assert_eq!(first(&report, "query").0, "ok");
    assert_eq!(first(&report, "hsm"), ("skipped", "only exported files are watched"));
    assert!(of(&report, "token").is_empty());
}

#[test]
fn what_is_no_id_is_refused_before_anything_is_asked() {
    let doctor = Doctor::new();
    for (arguments, hint) in [
        (&["--hsm", "/subscriptions/x"][..], "/subscriptions/GUID/resourceGroups/"),
        (&["--hsm", &crate::support::fake_management::workspace()], "cloudHsmClusters"),
        (&["--subscription", "my subscription"], "az account list"),
        (&["--workspace", "pord"], "did you mean `prod`?"),
        (&["--app", "a.b"], "without `.azurewebsites.net`"),
        (&["--app", "a", "--resource-group", "../x"], "resource group"),
        (&["--resource-group", "x"], "--app"),
    ] {
        doctor.run(arguments).exits(2).says(hint);
    }
    let bad = doctor.bed.run(&["doctor", "--management-endpoint", "http://evil.example"]);
    bad.exits(2).says("https");
    assert_eq!(doctor.arm.requests(), []);
}

#[test]
fn a_configuration_that_is_refused_stops_nothing_else() {
    let doctor = Doctor::of(TestBed::new().receiver("itsm", "webhook").setting("nonsense = 1"));
    let report = doctor.json(&["--hsm", &hsm()]);
    let (verdict, seen) = first(&report, "configuration");
    assert_eq!(verdict, "fail");
    assert!(seen.contains("hsmwatch.toml:") && seen.contains("nonsense"), "{seen}");
    assert_eq!(first(&report, "diagnostic-setting").0, "ok");
    assert_eq!(first(&report, "state").0, "skipped");
}
