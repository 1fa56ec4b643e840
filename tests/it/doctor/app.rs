//! `doctor --app`: a deployed app as a resource, and as it sees itself.

use super::{Doctor, first, of, shown};
use crate::support::bed::{Ran, TestBed, WORKSPACE};
use crate::support::fake_identity::HEADER;
use crate::support::fake_management::{APP_KEY, APP_SECRET, FakeManagement, site};
use crate::support::function_app::FunctionApp;
use crate::support::functions_host::HttpRequest;
use serde_json::{Value as Json, json};

/// What an app answers in which its state may not be written.
fn answer() -> String {
    json!({
        "version": "9.9.9", "at": "2026-11-24T12:00:00Z",
        "checks": [
            {"id": "token", "title": "token", "subject": "query API", "verdict": "ok", "seen": "user-assigned managed identity: app `id-hsmwatch`", "cure": null},
            {"id": "state", "title": "state", "subject": "fn1/hsmwatch-state", "verdict": "fail",
             "seen": "state store: not allowed\u{1b}[2J", "cure": {"az": "az role assignment create", "portal": null, "text": null}},
        ],
        "summary": {"ok": 0, "warn": 0, "fail": 0, "skipped": 0},
    })
    .to_string()
}

fn doctor(status: u16, answer: &str) -> Doctor {
    let doctor = Doctor::new();
    Doctor { arm: FakeManagement::start(WORKSPACE).with_app(status, answer), ..doctor }
}

fn app(doctor: &Doctor, more: &[&str]) -> Ran {
    let ran = doctor.run(&[&["--app", "hsmwatch-x1"], more].concat());
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(APP_KEY) && !text.contains(APP_SECRET) && !text.contains("s3cret"));
    }
    let asked = doctor.arm.requests();
    assert!(
        asked.iter().all(|asked| !asked.query.contains("code=") && !asked.query.contains("s3cret"))
    );
    ran
}

#[test]
fn the_app_is_looked_at_from_both_sides() {
    let doctor = doctor(200, &answer());
    let ran = app(&doctor, &[]).exits(1);
    let (_, own) = ran.stdout.split_once("\nFunction app\n").unwrap();
    insta::assert_snapshot!("app", super::steady(own));
    assert!(shown(&ran).contains("begin with: state fn1/hsmwatch-state"));
    let json: Json = serde_json::from_str(&app(&doctor, &["--format", "json"]).stdout).unwrap();
    assert_eq!(json["app"]["name"], "hsmwatch-x1");
    assert_eq!(json["app"]["report"]["version"], "9.9.9");
    assert_eq!(json["app"]["report"]["checks"][1]["seen"], "state store: not allowed[2J");
    assert_eq!(json["summary"]["fail"], 1, "its own summary is not believed");
    let group = app(&doctor, &["--resource-group", "rg-watch", "--format", "json"]);
    let json: Json = serde_json::from_str(&group.stdout).unwrap();
    assert_eq!(first(&json, "app-checks").0, "ok");
    assert_eq!(of(&json, "provider").len(), 4);
}

#[test]
fn whoever_may_not_list_keys_brings_one_along() {
    let doctor = doctor(200, &answer());
    doctor.arm.deny("microsoft.web/sites/functions/listkeys/action");
    doctor.arm.deny("microsoft.web/sites/host/listkeys/action");
    doctor.arm.deny("microsoft.web/sites/functions/action");
    doctor.arm.deny("microsoft.web/sites/host/action");
    let json: Json = serde_json::from_str(&app(&doctor, &["--format", "json"]).stdout).unwrap();
    let check = of(&json, "app-checks")[0];
    assert_eq!(check["verdict"], "warn", "{check:#}");
    assert!(check["cure"]["az"].as_str().unwrap().contains("az functionapp function keys list"));
    let ran = doctor
        .run_with(&["--app", "hsmwatch-x1", "--format", "json"], &[("HSMWATCH_APP_KEY", APP_KEY)]);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(first(&json, "app-checks").0, "ok");
    let ran = doctor
        .run_with(&["--app", "hsmwatch-x1", "--format", "json"], &[("HSMWATCH_APP_KEY", "wrong")]);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(first(&json, "app-checks").0, "fail");
}

#[test]
fn an_app_that_is_ill() {
    let run = |broken: &dyn Fn(&FakeManagement), status: u16, answer: &str| -> Json {
        let doctor = doctor(status, answer);
        broken(&doctor.arm);
        serde_json::from_str(&app(&doctor, &["--format", "json"]).stdout).unwrap()
    };
    let well = |_: &FakeManagement| {};
    let stopped = |arm: &FakeManagement| {
        arm.put(
            &site(),
            json!({"properties": {"state": "Stopped", "defaultHostName": "evil.example"}}),
        );
    };
    let report = run(&stopped, 200, "{}");
    let check = of(&report, "app")[0];
    assert_eq!(check["verdict"], "fail");
    assert_eq!(
        check["cure"]["az"],
        "az functionapp start --name hsmwatch-x1 --resource-group rg-watch --subscription 00000000-0000-0000-0000-000000000001"
    );
    assert_eq!(first(&report, "app-identity").0, "fail");
    // The key goes to no host that is not an app's.
    assert_eq!(first(&report, "app-checks"), ("fail", "its address is none of a function app"));
    let unresolved = |arm: &FakeManagement| {
        arm.put(
            &format!("{}/config/configreferences/appsettings", site()),
            json!({"value": [
            {"name": "HSMWATCH_TEAMS_URL", "properties": {"status": "AccessToKeyVaultDenied",
             "reference": "@Microsoft.KeyVault(VaultName=kv-1;SecretName=hsmwatch-teams-url)"}}]}),
        );
    };
    let report = run(&unresolved, 200, &answer());
    let (verdict, seen) = first(&report, "key-vault");
    assert_eq!(verdict, "fail");
    assert!(seen.contains("HSMWATCH_TEAMS_URL: secret `hsmwatch-teams-url` of vault `kv-1`: AccessToKeyVaultDenied"), "{seen}");
    let cure = of(&report, "key-vault")[0]["cure"]["az"].as_str().unwrap();
    assert!(
        cure.contains(
            "az role assignment create --assignee-object-id 66666666-0000-0000-0000-000000000006 "
        ) && cure.contains(
            "--role 4633458b-17de-408a-b874-0445c86b69e6 --scope \"$(az keyvault show --name kv-1 "
        ),
        "{cure}"
    );
    let gone = |arm: &FakeManagement| arm.remove(&site());
    assert_eq!(first(&run(&gone, 200, ""), "app").0, "fail");
    let old = run(&well, 200, r#"{"at":"2026-11-24T12:00:00Z","well":true}"#);
    assert!(first(&old, "app-checks").1.contains("another version is deployed"));
    assert_eq!(first(&run(&well, 503, ""), "app-checks").0, "fail");
    assert_eq!(first(&run(&well, 404, ""), "app-checks").0, "fail");
    let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(2 << 20));
    assert!(first(&run(&well, 200, &huge), "app-checks").1.contains("larger than 1 MiB"));
}

/// The deployed function itself, whose answer is what `--app` shows.
#[test]
fn the_function_looks_at_its_own_deployment() {
    let doctor = Doctor::new();
    doctor.records();
    let identity = doctor.identity.url();
    let Doctor { bed, identity: _held, .. } = doctor;
    let more = [("IDENTITY_ENDPOINT", identity.as_str()), ("IDENTITY_HEADER", HEADER)];
    let function = FunctionApp::start_with(bed, &more).begin();
    let mut request = HttpRequest::get("application/json");
    request.query.insert("checks".into(), "run".into());
    let answer = function.host.http_with("status", &request);
    assert_eq!(answer.status, 200);
    let report: Json = serde_json::from_str(&answer.body).unwrap();
    for id in [
        "configuration",
        "rules",
        "token",
        "clock",
        "query",
        "table",
        "columns",
        "last-record",
        "state",
        "receiver",
        "package",
        "settings",
        "key-vault",
        "watches",
    ] {
        assert_eq!(first(&report, id).0, "ok", "{id}: {report:#}");
    }
    for id in ["subscription", "hsm", "diagnostic-setting", "workspace", "table-plan"] {
        assert!(of(&report, id).is_empty(), "{id} is not seen from there");
    }
    let mut browser = HttpRequest::get("text/html");
    browser.query.insert("checks".into(), "run".into());
    let text = function.host.http_with("status", &browser);
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(text.body.contains("\nok       state"), "{}", text.body);
    assert!(function.bed.at("itsm").deliveries().is_empty());
    function.is_clean();
    // And that is what `--app` shows.
    let outside = self::doctor(200, &answer.body);
    let json: Json = serde_json::from_str(&app(&outside, &["--format", "json"]).stdout).unwrap();
    assert_eq!(json["app"]["report"]["checks"], report["checks"]);
}

#[test]
fn a_function_without_a_configuration_says_so() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    let secret = "@Microsoft.KeyVault(VaultName=kv-1;SecretName=hsmwatch-slack-url)";
    let more = [
        ("HSMWATCH_CONFIG", ""),
        ("HSMWATCH_SLACK_URL", secret),
        ("HSMWATCH_SCHEDULE", "0 * * * * *"),
    ];
    let function = FunctionApp::start_with(bed, &more);
    let mut request = HttpRequest::get("application/json");
    request.query.insert("checks".into(), "run".into());
    let answer = function.host.http_with("status", &request);
    assert_eq!(answer.status, 200);
    let report: Json = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(first(&report, "configuration").0, "fail");
    let (verdict, seen) = first(&report, "key-vault");
    assert_eq!(verdict, "fail");
    assert_eq!(
        seen,
        "not resolved:\nHSMWATCH_SLACK_URL: secret `hsmwatch-slack-url` of vault `kv-1`"
    );
}
