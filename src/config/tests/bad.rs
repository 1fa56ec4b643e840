//! Configurations that are refused, and what is said of them.

use super::*;
use proptest::prelude::*;

/// As much as can be wrong at once.
const KITCHEN_SINK: &str = r#"evrey = "5m"
every = "5x"
cron = "61 * * * * *"
presets = ["tutorail", "key-delete"]
cloud = "gov"
overlap = "50h"
sweep_every = 30
catch_up = "1h30m"
rules = ["extra.toml", "more/*.toml"]

[state]
path = "x"
account_url = "https://acct.queue.core.windows.net"

[[workspace]]
name = "prod"
id = "my-workspace"

[[workspace]]
name = "Prod"
id = "11111111-2222-3333-4444-555555555555"
logs = ["x/*.json"]

[[receiver]]
name = "on call"
kind = "team"
url = "https://contoso.webhook.office.com/webhookb2/x"

[[receiver]]
name = "pd"
kind = "pagerduty"
url = { env = "PD_URL" }

[[receiver]]
name = "itsm"
kind = "webhook"
url = "https://user:pw@itsm.example.com/"
secret = { env = "ITSM_SECRET" }
min_severity = "hihg"
allow_networks = ["10.20.0.1"]

[[rule]]
id = "key-delte"
severity = "high"

[[rule]]
id = "Burst"
title = "Burst"
severity = "high"
query = "T | summarize count()"
window = "8m"
lookback = "14d"
workspaces = ["prd"]
enabled = "yes"
"#;

#[test]
fn everything_is_said_at_once() {
    let world = World::default()
        .var("ITSM_SECRET", "@Microsoft.KeyVault(VaultName=v;SecretName=itsm)")
        .file("more/a.toml", "every = \"5m\"\n[[rule]]\nid = \"a\"\ntitel = \"A\"\n");
    insta::assert_snapshot!(rendered(&file(KITCHEN_SINK, &world)));
}

#[test]
fn syntax() {
    let cases = [
        "every = 5m\n\n[state\npath = \"x\"\n",
        "every = \"5m\"\nevery = \"6m\"\n",
        "x = ",
        "query = '''never ends",
        "[[rule]]\nid = \"a\n\ntitle = 'b'",
    ];
    insta::assert_snapshot!(
        cases
            .map(|text| format!("{text:?}\n{}", rendered(&file(text, &World::default()))))
            .join("\n\n")
    );
}

#[test]
fn nothing_at_all() {
    insta::assert_snapshot!(rendered(&file("", &World::default())));
}

#[test]
fn top_level() {
    let cases = [
        "every = \"0s\"",
        "every = 300",
        "every = \"5M\"",
        "every = \"1h30m\"",
        "every = \"99999999d\"",
        "every = \"\"",
        "every = { env = \"NOT_SET\" }",
        "every = { env = \"A\", file = \"B\" }",
        "every = [\"5m\"]",
        "every = \"5m\"\ncron = \"0 */5 * * * *\"",
        "cron = \"* * *\"",
        "cron = \"0 0 0 31 2 *\"",
        "presets = \"tutorial\"",
        "presets = []",
        "presets = [\"nope\", 1]",
        "cloud = \"Public\"",
        "overlap = \"49h\"",
        "overlap = \"8d\"\nsweep = \"9d\"",
        "catch_up = \"30m\"",
        "sweep_every = \"59s\"",
        "silent_after = \"of\"",
        "silent_after = \"off\"",
        "rules = [\"rules/*.toml\"]",
        "rules = [\"rules/mine.toml\"]",
        "rules = [\"rules/***\"]",
        "state_path = \"x\"",
        "workspaces = 3",
        "\"a b\\u0007\" = 3",
    ];
    insta::assert_snapshot!(
        cases.map(|text| format!("{text}\n{}", with_rest(&format!("{text}\n")))).join("\n\n")
    );
}

#[test]
fn state_workspaces_and_receivers() {
    let cases = [
        "[[workspace]]",
        "[[workspace]]\nname = \"hsmwatch\"\nid = \"11111111-2222-3333-4444-555555555555\"",
        "[[workspace]]\nname = \"prod\"\nlogs = []",
        "[[workspace]]\nname = \"b\"\nlogs = [\"x\"]\nendpoint = \"https://h/\"\nresource_id = \"/subscriptions\"",
        "[[workspace]]\nname = \"b\"\nid = \"1111111-2222-3333-4444-5555555555556\"\nendpoint = \"http://h/\"",
        "[[receiver]]",
        "[[receiver]]\nname = \"Oncall\"\nkind = \"teams\"\nurl = \"https://example.com/x\"",
        "[[receiver]]\nname = \"b\"\nkind = \"teams\"\nurl = \"http://127.0.0.1:1/x\"",
        "[[receiver]]\nname = \"b\"\nkind = \"slack\"\nurl = \"https://hooks.slack.com.evil.example/x\"",
        "[[receiver]]\nname = \"b\"\nkind = \"slack\"\nurl = \"http://hooks.slack.com/x\"",
        "[[receiver]]\nname = \"b\"\nkind = \"webhook\"\nurl = \"https://h/x\"",
        "[[receiver]]\nname = \"b\"\nkind = \"webhook\"\nurl = \"https://hooks.slack.com/x\"\nunsigned = true",
        "[[receiver]]\nname = \"b\"\nkind = \"webhook\"\nurl = \"ftp://h/x\"\nunsigned = false",
        "[[receiver]]\nname = \"b\"\nkind = \"webhook\"\nurl = \"https://h/x#y\"\nsecret = \"abc\"\nunsigned = true",
        "[[receiver]]\nname = \"b\"\nkind = \"webhook\"\nurl = \"https://h/ x\"\nprevious_secrets = [\"whsec_QUJD\"]\nunsigned = true",
        "[[receiver]]\nname = \"b\"\nkind = \"opsgenie\"\nurl = \"https://h/x\"\nallow_networks = [\"::1\", \"x\", \"0.0.0.0/0\"]\nrules = []",
        "[[receiver]]\nname = \"b\"\nkind = \"slack\"\nurl = \"https://hooks.slack.com/x\"\nrules = [\"key-delte\", \"nope\", \"login-burst\"]\ndetail = \"none\"",
        "[[receiver]]\nname = \"b\"\nkind = \"slack\"\nurl = \"https://hooks.slack.com/x\"\nrules = [\"login-burst\"]",
        "[receivers]",
    ];
    insta::assert_snapshot!(cases.map(|text| format!("{text}\n{}", after_rest(text))).join("\n\n"));
}

#[test]
fn secrets_of_the_state() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let cases = [
        format!("account_key = \"{key}\"\nsas = \"sig=x\""),
        "account_key = 7".to_owned(),
        "account_key = \"not base64\"".to_owned(),
        "account_key = \"c2hvcnQ=\"".to_owned(),
        format!("account_key = \"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={key}\""),
        "account_key = { env = \"NOT_SET\" }".to_owned(),
        "account_key = \"@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/key/)\""
            .to_owned(),
        "sas = \"sv=2021-12-02&se=2027-01-01\"".to_owned(),
        "sas = \"https://acct.blob.core.windows.net/?sv=1&sig=x\"".to_owned(),
        "sas = \"BlobEndpoint=https://a/;SharedAccessSignature=sv=1&sig=x\"".to_owned(),
        "sas = \"sv=1&sig=x y\"".to_owned(),
        "sas = \"sv=1&sig=\"".to_owned(),
        "acount_key = \"x\"".to_owned(),
    ];
    let account = "account_url = \"https://acct.blob.core.windows.net\"";
    let state =
        |text: &str| rendered(&file(&REST.replace("path = \"s\"", text), &World::default()));
    let mut said: Vec<String> = cases
        .iter()
        .map(|case| format!("{case}\n{}", state(&format!("{account}\n{case}"))))
        .collect();
    for case in [
        format!("path = \"s\"\naccount_key = \"{key}\"\ncontainer = \"box\""),
        "account_url = \"http://127.0.0.1:1/devstoreaccount1?sig=x\"\nsas = \"sig=y\"".to_owned(),
        "account_url = \"https://acct.blob.core.windows.net/?sv=1&sig=x\"".to_owned(),
    ] {
        said.push(format!("{case}\n{}", state(&case)));
    }
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn one_table_is_not_a_list_of_tables() {
    insta::assert_snapshot!(rendered(&file(
        "state = 1\n[workspace]\nname = \"a\"\n[receiver]\n",
        &World::default()
    )));
}

#[test]
fn secrets() {
    let long = format!("whsec_{}", "QUJD".repeat(22));
    let cases = [
        ("no prefix", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("asymmetric", "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("not padded", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
        ("not base64", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh*="),
        ("URL-safe", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH-8="),
        ("short", "whsec_QUJD"),
        ("long", &long),
        ("empty", "whsec_"),
        ("two lines", "whsec_QUJD\nQUJD"),
    ];
    let seen = cases.map(|(what, secret)| {
        let world = World::default().var("S", secret);
        let text = REST.replace("unsigned = true", "secret = { env = \"S\" }");
        format!("{what}\n{}", rendered(&file(&text, &world)))
    });
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn rules() {
    let own = "[[rule]]\nid = \"r\"\ntitle = \"R\"\nseverity = \"low\"\nquery = \"T\"\n";
    let cases = [
        "[[rule]]".to_owned(),
        "[[rule]]\nid = \"r\"".to_owned(),
        "[[rule]]\nid = \"hsmwatch\"\ntitle = \"\"\nquery = \"\"\nseverity = \"bad\"".to_owned(),
        "[[rule]]\nid = \"key-delete\"".to_owned(),
        "[[rule]]\nid = \"login-burst\"\nseverity = \"high\"".to_owned(),
        "[[rule]]\nid = \"login-burst\"\nenabled = false".to_owned(),
        "[[rule]]\nid = \"key-delete\"\nsettle = \"5m\"\nrenotify = \"1d\"".to_owned(),
        format!("{own}{own}"),
        format!("{own}every = \"5m\"\ncron = \"0 0 * * *\""),
        format!("{own}window = \"9m\""),
        format!("{own}window = \"10m\""),
        format!("{own}window = \"1s\"\nevery = \"1s\""),
        format!("{own}window = \"1h\"\nlookback = \"1d\"\nkey = [\"A\"]"),
        format!("{own}settle = \"1m\""),
        format!("{own}lookback = \"1d\""),
        format!("{own}renotify = \"1d\""),
        format!("{own}key = []"),
        format!("{own}key = [\"A\", \"A\", \"b c\"]"),
        format!("{own}workspaces = []\nreceivers = [\"oncal\", \"nobody\"]"),
        format!("{own}workspaces = [1]"),
        format!("{own}runbook = \"http://wiki/\"\nattack = \"1485\""),
        format!("{own}exclude = \" \"\nmeaning = \"\"\nenabled = 1"),
        format!("{own}query2 = \"T\"\nserverity = \"low\""),
        format!(
            "[[rule]]\nid = \"r\"\ntitle = \"a\\nb\"\nseverity = \"low\"\nquery = \"{}\"",
            "x".repeat(16 * 1024 + 1)
        ),
    ];
    let short = |text: &str| text.replace(&"x".repeat(16 * 1024 + 1), "…");
    insta::assert_snapshot!(
        cases.map(|text| format!("{}\n{}", short(&text), after_rest(&text))).join("\n\n")
    );
}

#[test]
fn a_receiver_that_does_not_take_the_rule_is_warned_of() {
    let rule = "[[rule]]\nid = \"r\"\ntitle = \"R\"\nseverity = \"low\"\nquery = \"T\"\nreceivers = [\"oncall\"]\n";
    let text = format!("{REST}rules = [\"key-delete\"]\n{rule}");
    insta::assert_snapshot!(rendered(&file(&text, &World::default())));
}

#[test]
fn the_same_workspace_under_two_names_is_refused() {
    insta::assert_snapshot!(after_rest(
        "[[workspace]]\nname = \"b\"\nid = \"11111111-2222-3333-4444-555555555555\""
    ));
}

#[test]
fn files_of_rules() {
    let world = World::default()
        .file(
            "r/a.toml",
            "[[rule]]\nid = \"a\"\ntitle = \"A\"\nseverity = \"low\"\nquery = \"T\"\n",
        )
        .file(
            "r/b.toml",
            "[[rule]]\nid = \"a\"\ntitle = \"A\"\nseverity = \"low\"\nquery = \"T\"\n",
        )
        .file("r/c.toml", "[[rule]]\nid = \n");
    let text = format!("rules = [\"r/*.toml\", \"r/a.toml\"]\n{REST}rules = [\"in-c\"]");
    insta::assert_snapshot!(rendered(&file(&text, &world)));
}

#[test]
fn places_count_characters_on_lines_of_any_ending() {
    let at = |text: &str| rendered(&file(&format!("{text}{REST}"), &World::default()));
    insta::assert_snapshot!(
        [
            at("cloud = \"public\"\r\nevery = \"5x\"\r\n"),
            at("\u{feff}every = \"5x\"\n"),
            at("presets = [\"äö\", \"key-delete\", \"key\"]\n"),
        ]
        .join("\n")
    );
}

#[test]
fn values_from_elsewhere() {
    let world = World::default()
        .var("EMPTY", " ")
        .var("BAD", "5x")
        .var("VAULT", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/odd name/1)")
        .file("empty", "\n")
        .file("bad", "5x\n")
        .file("two", "5m\n\n");
    let cases = [
        "env = \"EMPTY\"",
        "env = \"BAD\"",
        "env = \"VAULT\"",
        "env = 1",
        "file = \"empty\"",
        "file = \"bad\"",
        "file = \"two\"",
        "file = \"missing\"",
        "",
    ];
    insta::assert_snapshot!(
        cases
            .map(|case| {
                let text = format!("every = {{ {case} }}\n{REST}");
                format!("{case}\n{}", rendered(&file(&text, &world)))
            })
            .join("\n\n")
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", value in "\\PC{0,60}") {
        let world = World::default().file("x", &text).var("X", &value);
        let _ = file(&text, &world);
        let quoted = toml::Value::String(value.clone()).to_string();
        for key in ["every", "cron", "presets", "cloud", "overlap", "silent_after", "rules"] {
            let _ = file(&format!("{key} = {quoted}\n{REST}"), &world);
            let _ = file(&format!("{key} = [{quoted}]\n{REST}"), &world);
        }
    }

    #[test]
    fn no_mutation_of_a_good_file_panics(at in 0..KITCHEN_SINK.len(), cut in 0_usize..40, with in "[\\[\\]{}='\"\\n\\\\a-z0-9#.]{0,6}") {
        let head = KITCHEN_SINK.get(..at).unwrap_or_default();
        let tail = KITCHEN_SINK.get((at + cut).min(KITCHEN_SINK.len())..).unwrap_or_default();
        let _ = file(&format!("{head}{with}{tail}"), &World::default());
    }

    #[test]
    fn no_variable_panics(value in "\\PC{0,80}") {
        let names = ["WORKSPACE_ID", "STATE_URL", "TEAMS_URL", "SLACK_URL", "WEBHOOK_URL", "WEBHOOK_SECRET", "PRESETS"];
        let world = names.iter().fold(World::default(), |world, name| world.var(&format!("HSMWATCH_{name}"), &value));
        let _ = load(Input::Environment, &known(), &world);
    }

    #[test]
    fn durations_read_back(seconds in 1_i64..=315_360_000) {
        let spoken = crate::watch::duration::text(chrono::TimeDelta::seconds(seconds));
        let text = text::Text::variable("X", spoken);
        prop_assert_eq!(value::duration(&text).unwrap().num_seconds(), seconds);
    }
}
