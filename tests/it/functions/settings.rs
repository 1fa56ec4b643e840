//! Settings that cannot be used: the handler starts all the same, every invocation fails with one sentence that names what
//! is wrong, and the status shows it.

use super::{app, bed};
use crate::support::bed::{SECRETS, TestBed};
use crate::support::function_app::{DELIVERIES, EVALUATIONS, FunctionApp, settings};
use crate::support::functions_host::FunctionsHost;
use crate::support::package;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

/// A bed without its file: the variables alone say how it is.
const BARE: [(&str, &str); 5] = [
    ("HSMWATCH_CONFIG", ""),
    ("HSMWATCH_WORKSPACE_ID", "11111111-2222-3333-4444-555555555555"),
    ("HSMWATCH_STATE_PATH", "/nowhere/state"),
    ("HSMWATCH_SLACK_URL", "http://127.0.0.1:9/hooks/s3cret-path"),
    ("HSMWATCH_PRESETS", "tutorial"),
];

/// Every way to find out says this.
#[track_caller]
fn refuses(bed: &TestBed, more: &[(&str, &str)], names: &[&str]) {
    let host = FunctionsHost::start(&package::app(), settings(bed, more));
    assert_eq!(host.ping().status, 200);
    let says = |text: &str, how: &str| {
        for name in names {
            assert!(text.contains(name), "{how} does not name `{name}`: {text}");
        }
        for secret in SECRETS {
            assert!(!text.contains(secret), "{how} tells `{secret}`: {text}");
        }
    };
    let tick = host.timer("tick");
    let id = tick.id.clone();
    let error = tick.fails();
    says(&error, "the tick");
    let line = host.wait_for_line(&id);
    says(&line.text, "the log");
    assert!(!line.text.contains("\\n"), "one sentence: {}", line.text);
    host.put(DELIVERIES, &json!({"watch": "aa", "alert": "a1", "receiver": "r"}).to_string());
    host.put(EVALUATIONS, &json!({"workspace": "w", "at": "2026-01-01T00:00:00Z"}).to_string());
    let done = host.drain();
    assert_eq!(done.len(), 2);
    for invocation in done {
        says(&invocation.fails(), "a message");
    }
    // What cannot be done now is not thrown away.
    assert_eq!((host.queue(DELIVERIES).len(), host.queue(EVALUATIONS).len()), (1, 1));
    let page = host.http("status", "text/html");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    says(&unescaped(&page.body), "the page");
    let status = host.http("status", "application/json");
    let json = status.json();
    says(json["refused"]["why"].as_str().unwrap(), "the status");
    assert_eq!(json["well"], false);
    // Since when does not move.
    let since = json["refused"]["since"].clone();
    let again = host.http("status", "application/json").json();
    assert_eq!(again["refused"]["since"], since);
    assert_eq!(host.ping().status, 200);
    assert_eq!(host.problems(), [""; 0]);
}

fn unescaped(html: &str) -> String {
    let pairs = [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#x60;", "`"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(html.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The same with a variable of its own.
fn but(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    BARE.into_iter().filter(|(known, _)| *known != name).chain([(name, value)]).collect()
}

#[test]
fn no_workspace() {
    refuses(&bed(), &but("HSMWATCH_WORKSPACE_ID", ""), &["`HSMWATCH_WORKSPACE_ID`"]);
}

#[test]
fn no_state() {
    let names = ["`HSMWATCH_STATE_PATH`", "`HSMWATCH_STATE_URL`"];
    refuses(&bed(), &but("HSMWATCH_STATE_PATH", ""), &names);
}

#[test]
fn no_receiver() {
    refuses(
        &bed(),
        &but("HSMWATCH_SLACK_URL", ""),
        &["`HSMWATCH_TEAMS_URL`", "`HSMWATCH_SLACK_URL`"],
    );
}

#[test]
fn two_states() {
    let both = but("HSMWATCH_STATE_URL", "https://account.blob.core.windows.net/state");
    refuses(&bed(), &both, &["`HSMWATCH_STATE_PATH`", "HSMWATCH_STATE_URL"]);
}

#[test]
fn a_secret_that_was_not_resolved() {
    let reference = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/slack-url)";
    refuses(
        &bed(),
        &but("HSMWATCH_SLACK_URL", reference),
        &["HSMWATCH_SLACK_URL", "slack-url", "Key Vault Secrets User"],
    );
}

#[test]
fn a_webhook_without_its_secret() {
    let hook = but("HSMWATCH_WEBHOOK_URL", "http://127.0.0.1:9/s3cret");
    refuses(&bed(), &hook, &["`HSMWATCH_WEBHOOK_SECRET`"]);
}

#[test]
fn an_identity_by_halves() {
    let half = but("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token");
    refuses(&bed(), &half, &["IDENTITY_ENDPOINT", "IDENTITY_HEADER"]);
}

#[test]
fn an_unknown_cloud() {
    let bed = bed().setting("cloud = \"mars\"");
    refuses(&bed, &[], &["cloud", "mars", "usgov"]);
}

#[test]
fn an_unknown_preset() {
    refuses(&bed(), &but("HSMWATCH_PRESETS", "everything"), &["HSMWATCH_PRESETS", "`tutorial`"]);
}

#[test]
fn a_cron_that_is_none() {
    let bed = bed().rules(
        "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\ncron = \"every minute\"\nquery = 'CloudHsmServiceOperationAuditLogs'\n",
    );
    refuses(&bed, &[], &["cron", "every minute"]);
}

#[test]
fn a_rule_that_is_none() {
    let bed = bed().rules(
        "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nquery = 'CloudHsmServiceOperationAuditLogs | where'\n",
    );
    refuses(&bed, &[], &["own"]);
}

#[test]
fn a_file_that_is_not_there() {
    refuses(&bed(), &[("HSMWATCH_CONFIG", "/nowhere/hsmwatch.toml")], &["/nowhere/hsmwatch.toml"]);
}

#[test]
fn a_file_that_is_no_toml() {
    let bed = bed().setting("this is no TOML");
    refuses(&bed, &[], &["hsmwatch.toml"]);
}

#[test]
fn all_problems_are_said_at_once() {
    let two: Vec<_> = but("HSMWATCH_STATE_PATH", "")
        .into_iter()
        .map(
            |(name, value)| {
                if name == "HSMWATCH_SLACK_URL" { (name, "ftp://s3cret") } else { (name, value) }
            },
        )
        .collect();
    refuses(&bed(), &two, &["`HSMWATCH_STATE_PATH`", "HSMWATCH_SLACK_URL"]);
}

#[test]
fn put_right_it_works_without_a_restart() {
    let app = app();
    let file = app.bed.dir().join("hsmwatch.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("kind = \"webhook\"", "kind = \"pigeon\"")).unwrap();
    assert!(app.host.timer("tick").fails().contains("pigeon"));
    fs::write(&file, good).unwrap();
    app.tick().succeeds();
    let mut rows = BTreeSet::new();
    app.delete_key("a", &mut rows);
    app.round().succeeds();
    assert!(app.status()["refused"].is_null());
    app.told_once(&rows);
}

#[test]
fn a_state_that_cannot_be_reached_fails_the_tick_and_is_shown() {
    let bed = bed();
    // A file where the folder should be.
    fs::write(bed.state_dir(), "x").unwrap();
    let app = FunctionApp::start(bed);
    let error = app.host.timer("tick").fails();
    assert!(error.contains("state"), "{error}");
    let status = app.host.http("status", "application/json");
    assert_eq!(status.status, 503);
    assert!(!status.json()["refused"]["why"].as_str().unwrap().is_empty());
    assert_eq!(app.host.http("status", "text/html").status, 503);
    fs::remove_file(app.bed.state_dir()).unwrap();
    app.tick().succeeds();
    app.is_clean();
}
