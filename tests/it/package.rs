//! The package of the function app, driven as it is: the zip that `HSMWATCH_PACKAGE` names, unpacked elsewhere, or a folder put
//! together around the program of this build. `cargo xtask test` builds the zip and names it.

use crate::support::fake_receiver::{FakeReceiver, Kind};
use crate::support::package::{app, zipped};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xtask::package::{Contents, FUNCTIONS, Linkage, accept, assemble, check, inspect, rule_files};
use zip::{DateTime, System, ZipArchive};

/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);

fn host() -> Json {
    serde_json::from_str(&fs::read_to_string(app().join("host.json")).unwrap()).unwrap()
}

/// The program, by the name under which the host starts it.
fn program() -> PathBuf {
    app().join(host()["customHandler"]["description"]["defaultExecutablePath"].as_str().unwrap())
}

/// The program in the package's folder, in an environment that has nothing.
fn command() -> Command {
    let mut command = Command::new(program());
    command.current_dir(app()).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn places(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let place = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            places(&path, &format!("{place}/"), found);
        } else {
            found.insert(place);
        }
    }
}

#[test]
fn it_holds_the_function_app_and_nothing_else() {
    check(&app()).unwrap();
    let mut expected: BTreeSet<String> =
        FUNCTIONS.iter().map(|name| format!("{name}/function.json")).collect();
    expected.extend(["host.json".to_owned(), "hsmwatch".to_owned()]);
    let mut found = BTreeSet::new();
    places(&app(), "", &mut found);
    assert_eq!(found, expected);
}

#[test]
fn its_entries_are_as_the_host_mounts_them() {
    let Some(zip) = zipped() else { return };
    let mut archive = ZipArchive::new(File::open(&zip).unwrap()).unwrap();
    let mut names = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mode = if name == "hsmwatch" { 0o100_755 } else { 0o100_644 };
        assert_eq!(entry.unix_mode(), Some(mode), "{name}");
        assert_eq!(entry.system(), System::Unix, "{name}");
        assert_eq!(entry.last_modified(), Some(DateTime::DEFAULT), "{name}");
        names.push(name);
    }
    assert!(names.is_sorted(), "{names:?}");
    let mut found = BTreeSet::new();
    places(&app(), "", &mut found);
    assert_eq!(names, found.into_iter().collect::<Vec<_>>());
    let sum = fs::read_to_string(zip.with_extension("zip.sha256")).unwrap();
    assert_eq!(sum.split_once("  ").unwrap().1, "hsmwatch.zip\n");
}

#[test]
fn its_program_needs_nothing_of_the_system() {
    // What this build links against is this machine's; what is shipped must be static.
    if zipped().is_some() {
        assert_eq!(inspect(&program()).unwrap(), Linkage::Static);
        assert!(fs::metadata(program()).unwrap().len() < 24_000_000);
    }
}

#[test]
fn its_program_runs() {
    let output = command().arg("--version").output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("hsmwatch {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn its_program_finds_this_machine_by_name() {
    let receiver = FakeReceiver::start(Kind::Webhook(Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hsmwatch.toml");
    let text = r#"
        presets = ["tutorial"]
        [state]
        path = "state"
        [[workspace]]
        name = "prod"
        id = "11111111-2222-3333-4444-555555555555"
        [[receiver]]
        name = "itsm"
        kind = "webhook"
        url = "URL"
        unsigned = true
    "#;
    let url = receiver.url().replace("127.0.0.1", "localhost");
    assert!(url.contains("localhost"), "{url}");
    fs::write(&config, text.replace("URL", &url)).unwrap();
    let output =
        command().arg("--config").arg(&config).args(["send-test", "itsm"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(receiver.deliveries().len(), 1);
}

/// The program as the host starts it: the arguments of `host.json`, a port that was free, nothing else.
struct Handler {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Handler {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = host()["customHandler"]["description"]["arguments"].clone();
        let arguments: Vec<String> = serde_json::from_value(arguments).unwrap();
        let child = command()
            .args(arguments)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let handler =
            Self { child, url: format!("http://127.0.0.1:{port}"), client: reqwest::Client::new() };
        let began = Instant::now();
        while handler.client.get(&handler.url).send().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the handler does not answer");
            tokio::task::yield_now().await;
        }
        handler
    }

    async fn post(&self, function: &str) -> u16 {
        let request = self.client.post(format!("{}/{function}", self.url));
        let body = r#"{"Data":{},"Metadata":{}}"#;
        let request = request.header("content-type", "application/json").body(body);
        request.send().await.unwrap().status().as_u16()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[tokio::test]
async fn its_program_answers_the_functions_of_its_folders() {
    let handler = Handler::start().await;
    let ready = handler.client.get(&handler.url).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    for name in FUNCTIONS {
        assert_ne!(handler.post(name).await, 404, "{name}");
    }
    for name in ["Tick", "api/status", "deliveries", "host.json"] {
        assert_eq!(handler.post(name).await, 404, "{name}");
    }
}

/// A configuration in a folder of its own, with a rule file, and secrets in variables that are not set.
struct Configuration(tempfile::TempDir);

const RULE: &str = r#"
[[rule]]
id = "key-carried-out"
title = "Key carried out of an HSM"
severity = "critical"
query = "CloudHsmServiceOperationAuditLogs | where OperationName == 'CN_WRAP_KEY'"
"#;

impl Configuration {
    fn new(more: &str, rule: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        fs::write(folder.path().join("rules/mine.toml"), rule).unwrap();
        let text = r#"
            presets = ["tutorial"]
            rules = ["rules/*.toml"]
            [state]
            account_url = { env = "PACKAGED_ACCOUNT" }
            container = "hsmwatch-state"
            [[workspace]]
            name = "prod"
            id = { env = "PACKAGED_WORKSPACE" }
            [[receiver]]
            name = "oncall"
            kind = "teams"
            url = { env = "PACKAGED_TEAMS" }
            [[receiver]]
            name = "chat"
            kind = "slack"
            url = { env = "PACKAGED_SLACK" }
            [[receiver]]
            name = "itsm"
            kind = "webhook"
            url = { env = "PACKAGED_URL" }
            secret = { env = "PACKAGED_SECRET" }
            previous_secrets = [{ env = "PACKAGED_OLD" }]
        "#;
        let configuration = Self(folder);
        fs::write(configuration.file(), format!("{text}{more}")).unwrap();
        configuration
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("prod.toml")
    }

    #[track_caller]
    fn refused(&self, words: &[&str]) {
        let error = accept(&program(), &self.file()).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` is not said:\n{error}");
        }
        assert!(!error.contains("not set"), "{error}");
    }
}

#[test]
fn a_configuration_whose_secrets_are_elsewhere_can_be_packaged() {
    let configuration = Configuration::new("", RULE);
    let unset = accept(&program(), &configuration.file()).unwrap();
    let names = ["ACCOUNT", "OLD", "SECRET", "SLACK", "TEAMS", "URL", "WORKSPACE"];
    assert_eq!(unset, names.map(|name| format!("PACKAGED_{name}")));

    let contents = Contents {
        binary: program(),
        config: Some(configuration.file()),
        rules: rule_files(&configuration.file()).unwrap(),
    };
    let folder = tempfile::tempdir().unwrap();
    let packaged = folder.path().join("app");
    assemble(&contents, &packaged).unwrap();
    assert_eq!(fs::read_to_string(packaged.join("rules/mine.toml")).unwrap(), RULE);
    assert_eq!(accept(&program(), &packaged.join("hsmwatch.toml")).unwrap(), unset);
}

#[test]
fn a_configuration_with_mistakes_is_not_packaged() {
    Configuration::new("bogus = 1", RULE).refused(&["unknown key `bogus`"]);
    Configuration::new("", "[[rule]]").refused(&["rules/mine.toml", "`id`"]);
    // Found only once the variables have values.
    let rule = RULE.replace("| where", "| summarize count() by HsmInstance | where");
    Configuration::new("", &rule).refused(&["rules/mine.toml", "summarize"]);
    Configuration::new("", &RULE.replace("\"critical\"", "{ env = \"PACKAGED_SEVERITY\" }"))
        .refused(&["without the variable `PACKAGED_SEVERITY`"]);
    let secret = "[[receiver]]\nname = \"more\"\nkind = \"slack\"\nurl = { file = \"url.txt\" }\n";
    Configuration::new(secret, RULE).refused(&["`url.txt`", "cannot be read"]);
}
