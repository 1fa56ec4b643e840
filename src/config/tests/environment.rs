//! Configurations without a file.

use super::*;
use std::path::PathBuf;

fn environment(world: &World) -> Result<Loaded, Problems> {
    load(Input::Environment, &known(), world)
}

fn minimal() -> World {
    World::default()
        .var("HSMWATCH_WORKSPACE_ID", "11111111-2222-3333-4444-555555555555")
        .var("HSMWATCH_STATE_PATH", "state")
        .var("HSMWATCH_SLACK_URL", "https://hooks.slack.com/services/T/B/x")
}

#[test]
fn three_variables_are_enough() {
    let config = environment(&minimal().var("HSMWATCH_TEAMS_URL", "")).unwrap().config;
    let State::Folder(folder) = config.state else { panic!() };
    assert_eq!(folder, PathBuf::from("state"));
    assert_eq!(config.presets.len(), 4);
    assert_eq!(config.receivers.len(), 1);
    assert_eq!(config.receivers[0].name, "slack");
    assert_eq!(config.workspaces[0].name, "default");
}

#[test]
fn the_cloud_is_one_of_three() {
    let cloud = |name: &str| environment(&minimal().var("HSMWATCH_CLOUD", name));
    assert_eq!(cloud("usgov").unwrap().config.cloud, Cloud::UsGov);
    assert_eq!(cloud("").unwrap().config.cloud, Cloud::Public);
    let told = cloud("mars").unwrap_err().to_string();
    assert!(told.contains("`HSMWATCH_CLOUD`") && told.contains("usgov"), "{told}");
}

#[test]
fn every_variable_is_taken() {
    let world = minimal()
        .var("HSMWATCH_STATE_PATH", "")
        .var("HSMWATCH_STATE_URL", "https://acct.blob.core.windows.net/state")
        .var("HSMWATCH_TEAMS_URL", "https://prod-1.westeurope.logic.azure.com/workflows/x")
        .var("HSMWATCH_WEBHOOK_URL", "https://h.example.com/")
        .var("HSMWATCH_WEBHOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .var("HSMWATCH_PAGERDUTY_ROUTING_KEY", "R0123456789ABCDEFGHIJKLMNOPQRSTU")
        .var("HSMWATCH_PAGERDUTY_URL", "https://events.eu.pagerduty.com/v2/enqueue")
        .var("HSMWATCH_PRESETS", "tutorial, login-burst");
    let loaded = environment(&world).unwrap();
    assert_eq!(loaded.warnings, []);
    insta::assert_debug_snapshot!(loaded.config);
}

#[test]
fn the_state_s_url_is_an_account_and_a_container() {
    let state = |url: &str| {
        let world = minimal().var("HSMWATCH_STATE_PATH", " ").var("HSMWATCH_STATE_URL", url);
        match environment(&world) {
            Err(problems) => problems.to_string(),
            Ok(loaded) => match loaded.config.state {
                State::Blob { account_url, container, .. } => format!("{account_url} {container}"),
                State::Folder(_) => panic!(),
            },
        }
    };
    insta::assert_snapshot!(
        [
            "https://a.blob.core.windows.net",
            "https://a.blob.core.windows.net/",
            "https://a.blob.core.windows.net/box/",
            "https://a.blob.core.windows.net/box/deeper",
            "https://a.blob.core.windows.net/Box",
            "https://a.queue.core.windows.net/box",
            "https://a.blob.core.windows.net/box?sig=x",
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:10000/devstoreaccount1/box",
            "http://127.0.0.1:10000/devstoreaccount1/box?sv=1&sig=x",
            "http://a.blob.core.windows.net/box",
        ]
        .map(|url| format!("{url}\n    {}", state(url)))
        .join("\n")
    );
}

#[test]
fn an_account_s_secret_has_a_variable_of_its_own() {
    let state = |pairs: &[(&str, &str)]| {
        let start = minimal()
            .var("HSMWATCH_STATE_PATH", "")
            .var("HSMWATCH_STATE_URL", "https://acct.blob.core.windows.net/state");
        let world = pairs.iter().fold(start, |world, (name, value)| world.var(name, value));
        match environment(&world) {
            Ok(loaded) if loaded.warnings.is_empty() => format!("{:?}", loaded.config.state),
            result => rendered(&result),
        }
    };
    let (key, sas) = ("HSMWATCH_STORAGE_KEY", "HSMWATCH_STORAGE_SAS");
    insta::assert_snapshot!(
        [
            state(&[(key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]),
            state(&[(sas, "?sv=2021-12-02&sig=abc%3D")]),
            state(&[(key, ""), (sas, " ")]),
            state(&[(key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), (sas, "sig=x")]),
            state(&[(
                key,
                "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/key/)"
            )]),
            state(&[(key, "AccountName=acct;AccountKey=AAECAw==")]),
            state(&[(sas, "sv=2021-12-02")]),
            state(&[
                (sas, "sig=x"),
                ("HSMWATCH_STATE_URL", "http://127.0.0.1:1/devstoreaccount1/state?sig=y")
            ]),
            state(&[(sas, "sig=x"), ("HSMWATCH_STATE_URL", ""), ("HSMWATCH_STATE_PATH", "state")]),
        ]
        .join("\n\n")
    );
}

#[test]
fn nothing_set_says_what_to_set() {
    insta::assert_snapshot!(rendered(&environment(&World::default())));
}

#[test]
fn problems_name_the_variable() {
    let world = World::default()
        .var("HSMWATCH_WORKSPACE_ID", "my-workspace")
        .var("HSMWATCH_STATE_PATH", "state")
        .var("HSMWATCH_STATE_URL", "https://acct.blob.core.windows.net/state")
        .var("HSMWATCH_TEAMS_URL", "https://contoso.webhook.office.com/webhookb2/x")
        .var("HSMWATCH_SLACK_URL", "hooks.slack.com/services/T/B/x")
        .var(
            "HSMWATCH_WEBHOOK_URL",
            "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/webhook-url/)",
        )
        .var("HSMWATCH_PAGERDUTY_ROUTING_KEY", "u+0123456789ABCDEFGH")
        .var("HSMWATCH_PAGERDUTY_URL", "https://acme.pagerduty.com/services/P1")
        .var("HSMWATCH_PRESETS", "tutorials");
    insta::assert_snapshot!(rendered(&environment(&world)));
    let world = minimal().var("HSMWATCH_PAGERDUTY_URL", "x");
    insta::assert_snapshot!(rendered(&environment(&world)));
    let world = minimal().var("HSMWATCH_WEBHOOK_SECRET", "x");
    insta::assert_snapshot!(rendered(&environment(&world)));
}
