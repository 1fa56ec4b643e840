//! `check`: what a person sees of a configuration, good or bad, without any network.

use crate::support::bed::{Ran, SECRET, SECRETS, TestBed, WORKSPACE};
use serde_json::Value as Json;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A directory with files, and the program run in it.
struct Desk(TempDir);

impl Desk {
    fn new(configuration: &str) -> Self {
        Self::empty().with("hsmwatch.toml", configuration)
    }

    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn check(&self, arguments: &[&str]) -> Ran {
        self.check_with(arguments, &[])
    }

    fn check_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
        command.arg("check").args(arguments).current_dir(self.0.path()).env_clear();
        command.env("SECRET", SECRET).envs(variables.iter().copied());
        let ran = Ran::of(command.output().unwrap());
        for secret in SECRETS {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{ran:?}");
        }
        ran
    }
}

/// The parts of a good configuration that a test is not about.
const REST: &str = r#"
[state]
path = "state"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
[[receiver]]
name = "itsm"
kind = "webhook"
url = "https://itsm.example.com/hooks/s3cret"
secret = { env = "SECRET" }
"#;

/// One rule with this query, after a good configuration.
fn rule(query: &str, more: &str) -> Desk {
    Desk::new(&format!(
        "{REST}[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\n{more}query = {query}\n"
    ))
}

#[test]
fn every_problem_is_said_at_once_with_its_place_and_what_to_do() {
    let desk = Desk::new(
        r#"evrey = "5m"
every = "5x"
presets = ["tutorail"]

[state]
path = "state"

[[workspace]]
name = "prod"
id = "my-workspace"

[[receiver]]
name = "oncall"
kind = "teams"
url = "https://contoso.webhook.office.com/webhookb2/s3cret"

[[receiver]]
name = "itsm"
kind = "webhook"
url = "https://user:s3cret@itsm.example.com/"
secret = { env = "SECRET" }
min_severity = "hihg"

[[receiver]]
name = "pd"
kind = "pagerduty"
url = { env = "NOT_SET" }

[[rule]]
id = "own"
title = "Own"
severity = "high"
window = "5m"
query = "T"
"#,
    );
    let ran = desk.check(&[]).exits(2);
    assert_eq!(ran.stdout, "");
    insta::assert_snapshot!(ran.stderr);
    assert!(!desk.0.path().join("state").exists(), "a check makes nothing");
}

#[test]
fn what_is_wrong_with_a_query_is_shown_in_the_file() {
    let desk = Desk::new(&format!(
        r#"rules = ["more/*.toml"]
{REST}
[[rule]]
id = "sum"
title = "Sums up"
severity = "high"
query = "CloudHsmServiceOperationAuditLogs | summarize count() by CallerIpAddress"

[[rule]]
id = "typo"
title = "Typo"
severity = "high"
query = '''
CloudHsmServiceOperationAuditLogs
| where OperationNam == "CN_LOGIN"
'''

[[rule]]
id = "syntax"
title = "Syntax"
severity = "high"
query = "CloudHsmServiceOperationAuditLogs\n\t| were \"ä\" == \"b\""

[[rule]]
id = "key-delete"
exclude = "CallerIpAdress == '10.0.0.1'"
"#
    ))
    .with(
        "more/a.toml",
        "[[rule]]\nid = \"file\"\ntitle = \"F\"\nseverity = \"low\"\nquery = '''CloudHsmServiceOperationAuditLogs | where x ='''\n",
    );
    let ran = desk.check(&[]).exits(2);
    assert_eq!(ran.stdout, "");
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn the_place_is_that_of_the_word() {
    // Whatever way the string is written, if without escapes: line and column are those of the file.
    for (text, line, column) in [
        ("'T | where Nope == 1'", 1, 20),
        ("\"T | where Nope == 1\"", 1, 20),
        ("'''\nT\n| where Nope == 1'''", 3, 9),
        ("\"\"\"\nT\n\n| where Nope == 1\"\"\"", 4, 9),
        ("'''\r\nT\r\n| where Nope == 1'''", 3, 9),
    ] {
        let text = text.replace('T', "CloudHsmServiceOperationAuditLogs");
        let grown = "CloudHsmServiceOperationAuditLogs".len() - 1;
        let column = if line == 1 { column + grown } else { column };
        let desk = rule(&text, "");
        let before = REST.matches('\n').count() + 4;
        let ran = desk.check(&[]).exits(2);
        let place = format!("hsmwatch.toml:{}:{column}: rule `own`: ", before + line);
        assert!(ran.stderr.contains(&place), "{place} {text:?}:\n{}", ran.stderr);
    }
}

#[test]
fn a_query_that_sums_up_needs_a_window() {
    let query = "'CloudHsmServiceOperationAuditLogs | summarize n = count() by CallerIpAddress'";
    rule(query, "").check(&[]).exits(2).says("`summarize` sums up or cuts rows");
    let ran = rule(query, "window = \"1h\"\n").check(&[]).exits(0);
    assert!(ran.stdout.contains("window 1h"), "{ran:?}");
}

#[test]
fn warnings_are_errors_only_where_asked() {
    let desk = rule("'CloudHsmServiceOperationAuditLogs | where TimeGenerated > ago(1h)'", "");
    let ran = desk.check(&[]).exits(0).says("warning: hsmwatch.toml:").says("ago");
    assert!(ran.stderr.contains("fine, with 1 warning\n"), "{ran:?}");
    desk.check(&["--strict"]).exits(2).says("warning: hsmwatch.toml:");
    let json: Json =
        serde_json::from_str(&desk.check(&["--format", "json"]).exits(0).stdout).unwrap();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
    let fine = "'CloudHsmServiceOperationAuditLogs | where OperationName == \"CN_LOGIN\"'";
    rule(fine, "").check(&["--strict"]).exits(0);
}

#[test]
fn a_good_configuration_shows_who_is_told_of_what() {
    let desk = Desk::new(&format!(
        "presets = [\"all\"]\n{REST}\
         [[receiver]]\nname = \"oncall\"\nkind = \"teams\"\nurl = \"http://127.0.0.1:9/s3cret\"\n\
         [[receiver]]\nname = \"boss\"\nkind = \"slack\"\nurl = \"http://localhost:9/s3cret\"\nmin_severity = \"critical\"\n\
         [[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"info\"\nquery = '''CloudHsmServiceOperationAuditLogs | where OperationName == \"CN_LOGIN\"'''\nreceivers = [\"boss\"]\n\
         [[rule]]\nid = \"login-burst\"\nenabled = false\n"
    ));
    let ran = desk.check(&[]).exits(0);
    insta::assert_snapshot!(format!("{}---\n{}", ran.stdout, ran.stderr));
    let ran = desk.check(&["--format", "json"]).exits(0);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["receivers"], serde_json::json!(["itsm", "oncall", "boss"]));
    let rules = json["rules"].as_array().unwrap();
    let of = |id: &str| rules.iter().find(|r| r["id"] == id).unwrap();
    assert_eq!(of("key-delete")["receivers"], serde_json::json!(["itsm", "oncall", "boss"]));
    assert_eq!(of("key-delete")["preset"], true);
    assert_eq!(of("own")["receivers"], serde_json::json!([]));
    assert!(!rules.iter().any(|r| r["id"] == "login-burst"));
    assert!(!desk.0.path().join("state").exists(), "a check makes nothing");
}

#[test]
fn the_environment_alone_is_enough() {
    let variables = [
        ("HSMWATCH_WORKSPACE_ID", WORKSPACE),
        ("HSMWATCH_STATE_PATH", "state"),
        ("HSMWATCH_WEBHOOK_URL", "http://127.0.0.1:9/s3cret"),
        ("HSMWATCH_WEBHOOK_SECRET", SECRET),
        ("HSMWATCH_PRESETS", "key-delete,user-change"),
    ];
    let desk = Desk::empty();
    let ran = desk.check_with(&[], &variables).exits(0);
    assert!(ran.stdout.contains("key-delete   critical"), "{ran:?}");
    assert!(ran.stdout.ends_with("→ webhook\n"), "{ran:?}");
    assert!(ran.stderr.contains("environment: 2 rules, 1 workspace, 1 receiver: fine"), "{ran:?}");
    // Anything missing is named, all at once.
    let ran = desk.check_with(&[], &variables[4..]).exits(2);
    for name in ["HSMWATCH_WORKSPACE_ID", "HSMWATCH_STATE_PATH", "HSMWATCH_TEAMS_URL"] {
        assert!(ran.stderr.contains(name), "{name}: {ran:?}");
    }
    // A file wins whole.
    let desk = Desk::new(REST);
    let ran = desk.check_with(&[], &variables).exits(0);
    assert!(ran.stderr.contains("hsmwatch.toml: 4 rules, 1 workspace, 1 receiver"), "{ran:?}");
    assert!(ran.stdout.ends_with("→ itsm\n"), "{ran:?}");
}

#[test]
fn a_secret_that_the_vault_did_not_give_is_named() {
    let reference = "@Microsoft.KeyVault(VaultName=v;SecretName=itsm)";
    let ran = Desk::new(REST).check_with(&[], &[("SECRET", reference)]).exits(2);
    let ran = ran.says("`secret` (variable `SECRET`)");
    ran.says("Key Vault Secrets User");
}

#[test]
fn the_file_may_be_elsewhere() {
    let desk = Desk::empty().with("etc/watch.toml", REST);
    desk.check(&["--config", "etc/watch.toml"]).exits(0).says("etc/watch.toml: 4 rules");
    let from_variable = desk.check_with(&[], &[("HSMWATCH_CONFIG", "etc/watch.toml")]);
    from_variable.exits(0).says("etc/watch.toml: 4 rules");
    desk.check(&["--config", "etc/nope.toml"])
        .exits(2)
        .says("cannot read the configuration `etc/nope.toml`")
        .says("hint: name it with --config or HSMWATCH_CONFIG");
}

#[test]
fn what_check_refuses_run_refuses_too() {
    let bed = TestBed::new()
        .receiver("itsm", "webhook")
        .rules("[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nquery = 'CloudHsmServiceOperationAuditLogs | take 5'\n");
    let checked = bed.run(&["check"]).exits(2);
    for verb in [&["run", "--once"][..], &["run"]] {
        let ran = bed.run(verb).exits(2);
        assert_eq!(ran.stderr, checked.stderr);
    }
    assert!(!bed.state_dir().exists(), "nothing has begun");
}

#[test]
fn costs_and_traps_are_warned_of() {
    let query = "CloudHsmServiceOperationAuditLogs\n| where ClientInfo contains \"kali\" and HsmInstance == \"hsm-1\"\n\
                 | join kind=inner (CloudHsmServiceOperationAuditLogs | where OperationName == \"CN_LOGIN\") on CallerIpAddress\n\
                 | where tolower(OperationName) == \"cn_create_user\"\n| take 10\n";
    let quoted = |query: &str| format!("'''{query}'''");
    let desk = rule(&quoted(query), "window = \"1h\"\n");
    let ran = desk.check(&[]).exits(0);
    insta::assert_snapshot!(ran.stderr);
    desk.check(&["--strict"]).exits(2);
    let told: Json =
        serde_json::from_str(&desk.check(&["--format", "json"]).exits(0).stdout).unwrap();
    assert_eq!(told["warnings"].as_array().unwrap().len(), 5, "{told}");
    // Each has its row in the documentation.
    let page = include_str!("../../docs/operations.md");
    for (code, _) in kql::LINTS {
        assert!(
            page.contains(&format!("| `{code}` |")),
            "docs/operations.md does not explain {code}"
        );
    }
    let allowed = format!("// allow: KQL102 KQL103, KQL104, KQL106\n{query}");
    let ran = rule(&quoted(&allowed), "window = \"1h\"\n").check(&[]).exits(0);
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{}", ran.stderr);
}
