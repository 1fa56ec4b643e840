//! Tokens from a function app's identity endpoint. `azure_identity` reads the process's environment, so that each case
//! runs in a process of its own: this test binary, asked for the one test that does the asking.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::support::fake_identity::{FakeIdentity, HEADER};
use hsmwatch::azure::Cloud;
use hsmwatch::azure::identity::{AzureIdentity, TokenError, TokenSource, choose};
use secrecy::ExposeSecret;
use std::process::Command;

/// What the child is to ask for; set only in a child.
const SCOPE: &str = "HSMWATCH_TEST_SCOPE";

#[expect(clippy::disallowed_methods, reason = "this process stands for the product")]
fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Asks twice, forgets, and asks again; prints what it got.
#[tokio::test]
async fn child() {
    let Some(scope) = lookup(SCOPE) else { return };
    let identity = match choose(lookup) {
        Ok(choice) => AzureIdentity::new(choice, Cloud::Public),
        Err(error) => return println!("\nchoice: {error}"),
    };
    println!("\nidentity: {identity:?}");
    for forget in [false, false, true] {
        if forget {
            identity.invalidate();
        }
        match identity.token(&scope).await {
            Ok(token) => println!("token: {} {token:?}", token.secret.expose_secret()),
            Err(error @ TokenError::Unavailable(_)) => return println!("error: {error:?}"),
            Err(error) => println!("error: {error:?}"),
        }
    }
}

/// The lines the child printed.
fn run(fake: &FakeIdentity, env: &[(&str, &str)]) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["identity::child", "--exact", "--nocapture"])
        .env_remove("AZURE_CLIENT_ID")
        .env_remove("NO_PROXY")
        .env("IDENTITY_ENDPOINT", fake.url())
        .env("IDENTITY_HEADER", HEADER)
        .env(SCOPE, "https://api.loganalytics.io/.default")
        // The endpoint's secret must not pass through a proxy.
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("http_proxy", "http://127.0.0.1:9")
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ours = |line: &&str| {
        ["choice: ", "identity: ", "token: ", "error: "].iter().any(|p| line.starts_with(p))
    };
    text.lines().filter(ours).map(str::to_owned).collect()
}

fn words(lines: &[String], n: usize) -> Vec<String> {
    lines.iter().map(|l| l.split(' ').take(n).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn tokens_are_kept_until_forgotten() {
    let fake = FakeIdentity::start();
    let lines = run(&fake, &[]);
    assert_eq!(lines[0], "identity: AzureIdentity(system-assigned managed identity)");
    assert_eq!(words(&lines[1..], 2), ["token: token-1", "token: token-1", "token: token-2"]);
    assert!(lines[1].contains("REDACTED") && !lines[1].contains("\"token-1"), "{}", lines[1]);
    let asked = fake.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0]["resource"], "https://api.loganalytics.io");
    assert!(!asked[0].contains_key("client_id"));
}

#[test]
fn a_user_assigned_identity_is_asked_for_by_its_client_id() {
    let fake = FakeIdentity::start();
    let lines = run(&fake, &[("AZURE_CLIENT_ID", "c-1")]);
    assert_eq!(lines[0], "identity: AzureIdentity(user-assigned managed identity)");
    assert_eq!(fake.asked()[0]["client_id"], "c-1");
}

#[test]
fn a_hiccup_is_bridged_and_a_refusal_is_not() {
    let fake = FakeIdentity::start();
    fake.script(&[500, 503]);
    assert_eq!(words(&run(&fake, &[]), 2)[1], "token: token-3");
    let fake = FakeIdentity::start();
    fake.script(&[400]);
    let lines = run(&fake, &[]);
    assert!(
        lines[1].starts_with(
            "error: Denied(\"no token from system-assigned managed identity: ManagedIdentityCredential \
             authentication failed. The requested identity has not been assigned to this resource"
        ),
        "{}",
        lines[1]
    );
    assert_eq!(words(&lines, 2)[2], "token: token-2");
}

#[test]
fn a_wrong_secret_is_a_refusal_and_half_an_environment_an_error() {
    let fake = FakeIdentity::start();
    let lines = run(&fake, &[("IDENTITY_HEADER", "wrong")]);
    assert!(lines[1].starts_with("error: Denied("), "{}", lines[1]);
    assert!(!lines.join("").contains("wrong"));
    assert_eq!(
        run(&fake, &[("IDENTITY_HEADER", "")]),
        ["choice: `IDENTITY_ENDPOINT` is set but `IDENTITY_HEADER` is not: set both or neither"]
    );
}

#[test]
fn an_endpoint_that_is_down_is_unavailable_soon() {
    let fake = FakeIdentity::start();
    let lines = run(&fake, &[("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")]);
    assert!(lines[1].starts_with("error: Unavailable("), "{}", lines[1]);
}
