//! Each link of the chain broken, one after the other: what is seen, and what is to be done.

use super::{Doctor, OID, first, of};
use crate::support::azurite::azurite;
use crate::support::bed::{Ran, TestBed, WORKSPACE};
use crate::support::fake_logs::{Fault as LogFault, Record, Schema};
use crate::support::fake_management::{
    FakeManagement, Fault, SUBSCRIPTION, account, hsm, id, workspace,
};
use crate::support::server::Server;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use chrono::{TimeDelta, Utc};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What breaks, the check that says so, its verdict, words of it, and words of its cure.
type Case = (&'static str, fn(&FakeManagement), &'static str, &'static str, &'static str, String);

fn cases() -> Vec<Case> {
    let insights = "Microsoft.Insights";
    vec![
        (
            "provider not registered",
            |arm| arm.register("Microsoft.Insights", "NotRegistered"),
            "provider",
            "fail",
            "not registered in subscription",
            format!("az provider register --namespace {insights} --wait --subscription {SUBSCRIPTION}"),
        ),
        (
            "provider not registered, as the setting says it",
            |arm| arm.register("microsoft.insights", "Unregistered"),
            "diagnostic-setting",
            "fail",
            "the subscription is not registered to use namespace `microsoft.insights`",
            format!("az provider register --namespace {insights} --wait"),
        ),
        (
            "provider being registered",
            |arm| arm.register("Microsoft.Insights", "Registering"),
            "provider",
            "warn",
            "being registered",
            "az provider show --namespace Microsoft.Insights".to_owned(),
        ),
        (
            "no such HSM",
            |arm| arm.remove(&hsm()),
            "hsm",
            "fail",
            "there is no such HSM in resource group `rg-hsm`",
            "az resource list --resource-type Microsoft.HardwareSecurityModules/cloudHsmClusters".to_owned(),
        ),
        (
            "an HSM that is not provisioned",
            |arm| arm.put(&hsm(), json!({"location": "uksouth", "properties": {"provisioningState": "Provisioning"}})),
            "hsm",
            "warn",
            "Provisioning",
            "az resource show --ids".to_owned(),
        ),
        (
            "no diagnostic setting",
            FakeManagement::no_settings,
            "diagnostic-setting",
            "fail",
            "the HSM's operations are logged nowhere",
            format!(
                "az monitor diagnostic-settings create --name hsmwatch-audit --resource {} --logs '[{{\"category\":\"HsmServiceOperations\",\"enabled\":true}}]' --workspace {}",
                hsm(),
                workspace()
            ),
        ),
        (
            "the category is off",
            |arm| arm.setting("hsm-to-law", "HsmServiceOperations", false, Some(&workspace()), None),
            "diagnostic-setting",
            "fail",
            "`hsm-to-law` is there without the category HsmServiceOperations enabled",
            "az monitor diagnostic-settings create".to_owned(),
        ),
        (
            "another category",
            |arm| arm.setting("hsm-to-law", "HsmOperations", true, Some(&workspace()), None),
            "diagnostic-setting",
            "fail",
            "without the category",
            "--workspace".to_owned(),
        ),
        (
            "settings may not be read",
            |arm| arm.deny("Microsoft.Insights/diagnosticSettings/read"),
            "diagnostic-setting",
            "warn",
            "this identity may not do `microsoft.insights/diagnosticsettings/read`",
            format!("az monitor diagnostic-settings list --resource {}", hsm()),
        ),
        (
            "no archive",
            |arm| arm.setting("hsm-to-law", "HsmServiceOperations", true, Some(&workspace()), None),
            "archive",
            "warn",
            "no setting leads to a storage account",
            "storage account in the HSM's region".to_owned(),
        ),
        (
            "the archive is in another region",
            |arm| arm.put(&account(), json!({"location": "westeurope", "properties": {}})),
            "archive",
            "fail",
            "is in westeurope, the HSM in uksouth",
            "make an account in uksouth".to_owned(),
        ),
        (
            "the archive is gone",
            |arm| arm.remove(&account()),
            "archive",
            "fail",
            "account `hsmevidence`, which a setting names, is not there",
            "make the account again".to_owned(),
        ),
        (
            "the archive has no container yet",
            |arm| arm.remove(&format!("{}/blobServices/default/containers/insights-logs-hsmserviceoperations", account())),
            "archive",
            "warn",
            "it is made with the first record",
            "up to 90 min".to_owned(),
        ),
        (
            "the table has another plan",
            |arm| arm.put(
                &format!("{}/tables/CloudHsmServiceOperationAuditLogs", workspace()),
                json!({"properties": {"plan": "Basic"}}),
            ),
            "table-plan",
            "fail",
            "Basic: such a table answers no rule",
            "az monitor log-analytics workspace table update --subscription 00000000-0000-0000-0000-000000000001 --resource-group rg-logs --workspace-name law-hsm --name CloudHsmServiceOperationAuditLogs --plan Analytics".to_owned(),
        ),
        (
            "the workspace is closed to public queries",
            |arm| arm.put(&workspace(), json!({"location": "uksouth", "properties": {"customerId": WORKSPACE, "publicNetworkAccessForQuery": "Disabled"}})),
            "workspace",
            "warn",
            "queries from public networks are off",
            "Network Isolation".to_owned(),
        ),
        (
            "the workspace is in no subscription that is seen",
            |arm| arm.remove(&workspace()),
            "workspace",
            "warn",
            "in none of the subscriptions",
            format!("az monitor log-analytics workspace list --query \"[?customerId=='{WORKSPACE}'].id\""),
        ),
        (
            "the clock is a little off",
            |arm| arm.skew(TimeDelta::seconds(-20)),
            "clock",
            "warn",
            "s ahead of Resource Manager",
            "timedatectl".to_owned(),
        ),
        (
            "the clock is wrong",
            |arm| arm.skew(TimeDelta::seconds(90)),
            "clock",
            "fail",
            "s behind Resource Manager: tokens",
            "NTP".to_owned(),
        ),
        (
            "the service is down",
            |arm| arm.script(std::iter::repeat_n(Fault::Status(503), 3)),
            "subscription",
            "warn",
            "unavailable: no reason given (status 503)",
            "try again".to_owned(),
        ),
        (
            "the service throttles for long",
            |arm| arm.script([Fault::Throttled("600")]),
            "subscription",
            "warn",
            "throttled",
            "try again".to_owned(),
        ),
        (
            "an answer that is no JSON",
            |arm| arm.script([Fault::Body("{\"subscriptionId\": \"x")]),
            "subscription",
            "warn",
            "the answer cannot be read: it is not JSON",
            "try again".to_owned(),
        ),
        (
            "an answer without end",
            |arm| arm.script([Fault::Huge(5 << 20)]),
            "subscription",
            "warn",
            "larger than 4 MiB",
            "try again".to_owned(),
        ),
    ]
}

#[test]
fn every_link_has_its_verdict_and_its_cure() {
    let mut doctor = Doctor::well();
    for (what, broken, id, verdict, words, cure) in cases() {
        doctor.arm = FakeManagement::start(WORKSPACE);
        broken(&doctor.arm);
        let report = doctor.json(&[]);
        let check = of(&report, id)
            .into_iter()
            .find(|check| check["seen"].as_str().unwrap().contains(words));
        let check = check.unwrap_or_else(|| panic!("{what}: {report:#}"));
        assert_eq!(check["verdict"], verdict, "{what}");
        let cures = check["cure"].as_object().unwrap_or_else(|| panic!("{what}: {check:#}"));
        let said = cures.values().filter_map(Json::as_str).any(|text| text.contains(&cure));
        assert!(said, "{what}: {check:#}");
    }
}

#[test]
fn of_many_subscriptions_those_with_an_hsm_matter() {
    let doctor = Doctor::new();
    let empty = "00000000-0000-0000-0000-000000000002";
    doctor.arm.subscription(empty, "another");
    doctor.arm.pages(1, None);
    let report = doctor.json(&[]);
    let named: Vec<&str> = of(&report, "subscription")
        .iter()
        .map(|check| check["subject"].as_str().unwrap())
        .collect();
    assert_eq!(named, [SUBSCRIPTION]);
    assert_eq!(first(&report, "hsm").0, "ok");
    // Without any, all are looked at.
    doctor.arm.remove(&hsm());
    let report = doctor.json(&[]);
    assert_eq!(of(&report, "subscription").len(), 2);
    assert_eq!(first(&report, "hsm").0, "fail");
    // Or the one that is named.
    let report = doctor.json(&["--subscription", empty]);
    assert_eq!(of(&report, "subscription")[0]["subject"], empty);
}

#[test]
fn a_moment_of_throttling_is_waited_for() {
    let doctor = Doctor::new();
    doctor.arm.script([Fault::Throttled("0"), Fault::Status(500)]);
    assert_eq!(first(&doctor.json(&["--hsm", &hsm()]), "subscription").0, "ok");
}

#[test]
fn the_setting_leads_elsewhere() {
    let doctor = Doctor::new();
    let other = id("rg-logs", "Microsoft.OperationalInsights/workspaces", "law-other");
    doctor
        .arm
        .put(&other, json!({"properties": {"customerId": "22222222-2222-3333-4444-555555555555"}}));
    doctor.arm.setting("hsm-to-law", "HsmServiceOperations", true, Some(&other), Some(&account()));
    let report = doctor.json(&["--hsm", &hsm()]);
    let (verdict, seen) = first(&report, "diagnostic-destination");
    assert_eq!(verdict, "fail");
    assert!(seen.contains("`law-other`, which is not watched"), "{seen}");
    // A second one that leads here.
    doctor.arm.setting("second", "AllLogs", false, None, None);
    doctor.arm.setting(
        "third",
        "HsmServiceOperations",
        true,
        Some(&workspace().to_uppercase()),
        None,
    );
    let report = doctor.json(&["--hsm", &hsm()]);
    assert_eq!(first(&report, "diagnostic-destination").0, "ok");
    assert_eq!(of(&report, "diagnostic-setting").len(), 2);
}

#[test]
fn pages_are_followed_but_not_to_other_hosts() {
    let doctor = Doctor::new();
    for n in 0..7 {
        let id = id("rg", "Microsoft.OperationalInsights/workspaces", &format!("a{n}"));
        doctor.arm.put(&id, json!({"properties": {"customerId": "x"}}));
    }
    doctor.arm.pages(2, None);
    assert_eq!(first(&doctor.json(&["--hsm", &hsm()]), "workspace").0, "ok");
    doctor.arm.pages(2, Some("http://127.0.0.1:1"));
    let report = doctor.json(&["--hsm", &hsm()]);
    let (verdict, seen) = first(&report, "workspace");
    assert_eq!(verdict, "warn");
    assert!(seen.contains("the next page is on another host"), "{seen}");
}

#[test]
fn what_the_workspace_answers() {
    let doctor = Doctor::new();
    doctor.records();
    let ask = || doctor.json(&["--hsm", &hsm()]);
    let logs = &doctor.bed.logs;

    logs.fault_when(|_| true, LogFault::AccessDenied);
    let report = ask();
    let query = of(&report, "query")[0];
    assert_eq!(query["verdict"], "fail");
    assert_eq!(
        query["cure"]["az"],
        format!(
            "az role assignment create --assignee-object-id {OID} --assignee-principal-type ServicePrincipal --role 3b03c2da-16b3-4a49-8834-0f8130efdd3b --scope {}",
            workspace()
        )
    );
    assert!(query["cure"]["text"].as_str().unwrap().contains("up to 15 minutes"));
    assert_eq!(first(&report, "last-record").0, "skipped");

    logs.mend();
    logs.fault_when(|_| true, LogFault::TableMissing);
    let report = ask();
    assert_eq!(first(&report, "query").0, "ok");
    let table = of(&report, "table")[0];
    assert_eq!(table["verdict"], "warn");
    assert!(table["cure"]["text"].as_str().unwrap().contains("up to 90 min"));

    logs.mend();
    logs.fault_when(|_| true, LogFault::Status(503));
    assert_eq!(first(&ask(), "query").0, "fail");

    logs.mend();
    logs.fault_when(
        |_| true,
        LogFault::Semantic(
            "The subscription is not registered to use namespace 'microsoft.insights'.",
        ),
    );
    let report = ask();
    let query = of(&report, "query")[0];
    assert_eq!(query["cure"]["az"], "az provider register --namespace Microsoft.Insights --wait");

    logs.mend();
    logs.fault_when(|_| true, LogFault::WrongDate(TimeDelta::seconds(75)));
    let report = ask();
    assert_eq!(first(&report, "clock").0, "fail");
    assert!(first(&report, "clock").1.contains("behind the query API"));

    logs.mend();
    logs.schema(Schema::Legacy);
    let report = ask();
    assert!(first(&report, "columns").1.contains("the old schema"));
}

#[test]
fn records_that_are_old_or_late_or_not_there() {
    let doctor = Doctor::new();
    let last = || {
        let report = doctor.json(&["--hsm", &hsm()]);
        let (verdict, seen) = first(&report, "last-record");
        (verdict.to_owned(), seen.to_owned())
    };
    assert!(last().1.contains("none in the last 14 days"));
    let now = Utc::now();
    doctor.bed.log(Record::new("CN_LOGIN", now - TimeDelta::days(3)));
    let (verdict, seen) = last();
    assert_eq!(verdict, "warn");
    assert!(seen.starts_with("3d ago"), "{seen}");
    let late = now - TimeDelta::minutes(61);
    doctor.bed.log(Record::new("CN_LOGIN", late).available_from(now - TimeDelta::minutes(1)));
    let (verdict, seen) = last();
    assert_eq!(verdict, "warn");
    assert!(seen.contains("95 of 100 came within 1h"), "{seen}");
}

#[test]
fn a_table_that_only_a_rule_reads_is_asked_for() {
    let bed = TestBed::new().receiver("itsm", "webhook").rules(
        "[[rule]]\nid = \"mine\"\ntitle = \"t\"\nseverity = \"low\"\nquery = '''SigninLogs | where TimeGenerated > window_start'''\n",
    );
    let doctor = Doctor::of(bed);
    doctor.records();
    doctor.bed.logs.fault_when(
        |request| request.query.starts_with("SigninLogs\n"),
        LogFault::Semantic(
            "'getschema' operator: Failed to resolve table or column expression named 'SigninLogs'",
        ),
    );
    let report = doctor.json(&["--hsm", &hsm()]);
    let tables = of(&report, "table");
    assert_eq!(tables.len(), 2, "{report:#}");
    assert!(tables[1]["seen"].as_str().unwrap().contains("`SigninLogs`, which a rule reads"));
    assert_eq!(tables[1]["verdict"], "fail");
}

#[test]
fn receivers_that_are_not_reached_or_off() {
    let mut doctor =
        Doctor::of(TestBed::new().receiver("itsm", "webhook").receiver("chat", "slack"));
    doctor.records();
    doctor.bed.begin();
    doctor.bed.at("chat").always(Some(crate::support::fake_receiver::Say::Status(404)));
    doctor.bed.delete_key("a");
    doctor.bed.run_once();
    doctor.bed.stop("itsm");
    let report = doctor.json(&[]);
    let receivers = of(&report, "receiver");
    let named = |name: &str, verdict: &str| {
        receivers.iter().find(|check| check["subject"] == name && check["verdict"] == verdict)
    };
    let down = named("itsm", "fail").unwrap_or_else(|| panic!("{receivers:#?}"));
    assert!(down["seen"].as_str().unwrap().contains("no connection"), "{down:#}");
    assert!(named("chat", "ok").is_some(), "its door is open");
    let off = named("chat", "warn").unwrap_or_else(|| panic!("{receivers:#?}"));
    assert_eq!(off["cure"]["az"], "hsmwatch receivers on chat");
    doctor.bed.restart("itsm");
}

#[test]
fn the_state_is_not_harmed_and_not_waited_for() {
    let doctor = Doctor::well();
    let before = doctor.bed.state_stamps();
    assert!(first(&doctor.json(&[]), "state").1.contains("state is in use by a running hsmwatch"));
    assert_eq!(doctor.bed.state_stamps(), before);
    // Another process holds the lock and does not let go.
    let lock =
        std::fs::File::options().write(true).open(doctor.bed.state_dir().join("@lock")).unwrap();
    lock.lock().unwrap();
    let began = std::time::Instant::now();
    let report = doctor.json(&[]);
    assert!(began.elapsed() < Duration::from_mins(1));
    let (verdict, seen) = first(&report, "state");
    assert_eq!(verdict, "warn");
    assert!(seen.contains("state is in use by a running hsmwatch: its lock"), "{seen}");
    drop(lock);
}

#[test]
fn a_state_that_is_not_there_yet_is_not_made() {
    let doctor = Doctor::new();
    let report = doctor.json(&["--hsm", &hsm()]);
    assert_eq!(first(&report, "state").0, "ok");
    assert_eq!(first(&report, "watches").0, "skipped");
    assert!(!doctor.bed.state_dir().exists());
}

/// A storage account that answers nobody but with this status and code.
fn refusing(status: u16, code: &'static str) -> Server {
    let answer = move || async move {
        let headers = [("x-ms-error-code", code), ("content-type", "application/xml")];
        (
            StatusCode::from_u16(status).unwrap(),
            headers,
            format!("<Error><Code>{code}</Code></Error>"),
        )
    };
    Server::start(Router::new().fallback(any(answer)))
}

#[test]
fn a_state_that_refuses_us_names_the_role() {
    let account = refusing(403, "AuthorizationPermissionMismatch");
    let state = format!("account_url = \"{}/acct\"\ncontainer = \"hsmwatch-state\"", account.url());
    let doctor = Doctor::of(TestBed::new().receiver("itsm", "webhook").state(&state));
    let report = doctor.json(&["--hsm", &hsm()]);
    let check = of(&report, "state")[0];
    assert_eq!(check["verdict"], "fail");
    assert_eq!(check["subject"], "acct/hsmwatch-state");
    assert_eq!(
        check["cure"]["az"],
        format!(
            "az role assignment create --assignee-object-id {OID} --assignee-principal-type ServicePrincipal --role ba92f5b4-2d11-453d-a403-e96b0029c9fe --scope \"$(az storage account show --name acct --query id --output tsv)/blobServices/default/containers/hsmwatch-state\""
        )
    );
    assert_eq!(first(&report, "watches").0, "skipped");
    drop(account);
    let doctor = Doctor::of(TestBed::new().receiver("itsm", "webhook").state(&state));
    let report = doctor.json(&["--hsm", &hsm()]);
    let (verdict, seen) = first(&report, "state");
    assert_eq!(verdict, "fail");
    assert!(seen.contains("container `hsmwatch-state` of account `acct`"), "{seen}");
}

#[test]
fn state_in_a_container_is_written_read_and_deleted() {
    let azurite = azurite();
    let container = azurite.container();
    let state = format!("account_url = \"{}\"\ncontainer = \"{container}\"", azurite.blob_url());
    let bed = TestBed::new().receiver("itsm", "webhook").state(&state);
    let doctor = Doctor { bed, ..Doctor::new() };
    doctor.bed.begin();
    for _ in 0..2 {
        let ran = Ran::of(
            doctor
                .bed
                .command(&[
                    "doctor",
                    "--format",
                    "json",
                    "--management-endpoint",
                    &doctor.arm.url(),
                ])
                .output()
                .unwrap(),
        );
        let report: Json = serde_json::from_str(&ran.stdout).unwrap();
        let (verdict, seen) = first(&report, "state");
        assert_eq!(verdict, "ok", "{seen}");
        assert!(seen.contains("in use by a running hsmwatch"), "{seen}");
        assert_eq!(first(&report, "watches").0, "ok");
        // Nobody is signed in, and nobody need be, for services on this machine.
        assert_eq!(first(&report, "token").0, "skipped");
    }
}

#[test]
fn a_watch_that_fails_is_named() {
    let doctor = Doctor::well();
    doctor.bed.logs.fault_when(|_| true, LogFault::Semantic("'where' operator: no \u{1b}[2J"));
    doctor.bed.run_once();
    doctor.bed.logs.mend();
    let report = doctor.json(&[]);
    let watches = of(&report, "watches");
    assert_eq!(watches[0]["verdict"], "warn");
    assert_eq!(watches[1]["subject"], "key-delete on prod");
    assert_eq!(watches[1]["verdict"], "fail");
    assert_eq!(watches[1]["cure"]["az"], "hsmwatch query --rule key-delete");
    assert_eq!(first(&report, "query").0, "ok", "it is well by now");
}

#[test]
fn names_from_outside_stay_names() {
    let doctor = Doctor::new();
    let evil = "x\u{1b}[2J\u{202e}'; reboot #";
    doctor.arm.put(&hsm(), json!({"location": evil, "properties": {"provisioningState": evil}}));
    doctor.arm.setting("ok", "HsmServiceOperations", false, Some(evil), None);
    doctor.arm.put(
        &format!("{}/providers/Microsoft.Insights/diagnosticSettings/evil", hsm()),
        json!({"properties": {"logs": evil, "workspaceId": 7}}),
    );
    doctor.arm.put(&workspace(), json!({"location": evil, "properties": {"customerId": WORKSPACE, "provisioningState": evil}}));
    doctor.bed.log(Record::new("CN_LOGIN", Utc::now()).with("_ResourceId", evil));
    let ran = doctor.run(&[]).exits(1);
    // `run` has looked at every character.
    for command in ran.stdout.lines().filter_map(|line| line.trim().strip_prefix("$ ")) {
        assert!(!command.contains("reboot"), "{command}");
    }
}
