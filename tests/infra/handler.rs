//! What the program logs when the Functions host runs it: real lines of a real process.

use hsmwatch::config::{self, Input, Known, Lookup};
use hsmwatch::engine::{Outcome, TickReport};
use hsmwatch::hosts::daemon;
use hsmwatch::watch::head::FailureKind;
use hsmwatch::watch::presets;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Lines of a workspace, each as it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// Of evaluations in which every watch committed.
    pub(crate) good: Vec<String>,
    /// Of evaluations in which one did not.
    pub(crate) failed: Vec<String>,
    /// Everything else.
    pub(crate) others: Vec<String>,
}

/// The lines for a workspace of this name. The program runs once a name.
pub(crate) fn lines(workspace: &str) -> Lines {
    static KNOWN: Mutex<BTreeMap<String, Lines>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(workspace.to_owned()).or_insert_with(|| logged(workspace)).clone()
}

/// What the only workspace is called when there is no configuration file.
pub(crate) fn name_without_a_file() -> String {
    struct Minimal;
    impl Lookup for Minimal {
        fn var(&self, name: &str) -> Option<String> {
            let pairs = [
                ("HSMWATCH_WORKSPACE_ID", "11111111-2222-3333-4444-555555555555"),
                ("HSMWATCH_STATE_PATH", "state"),
                ("HSMWATCH_SLACK_URL", "https://hooks.slack.com/services/T/B/x"),
            ];
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
        fn base(&self) -> &Path {
            Path::new("")
        }
        fn read(&self, _path: &Path) -> Result<String, String> {
            Err(String::new())
        }
        fn glob(&self, _pattern: &str) -> Result<Vec<PathBuf>, String> {
            Ok(Vec::new())
        }
    }
    let known = Known {
        parameters: presets::parameters(),
        preset_ids: presets::all().iter().map(|preset| preset.spec.id.clone()).collect(),
        sets: presets::sets(),
    };
    let loaded = config::load(Input::Environment, &known, &Minimal).expect("the least that works");
    loaded.config.workspaces.first().expect("a workspace").name.clone()
}

fn logged(workspace: &str) -> Lines {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let configuration = format!(
        "presets = [\"key-delete\"]\n[state]\npath = \"state\"\n[[workspace]]\nname = \"{workspace}\"\nlogs = [\"*.json\"]\n\
         [[receiver]]\nname = \"r\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nunsigned = true\n"
    );
    fs::write(path("hsmwatch.toml"), configuration).expect("a configuration");
    let record = r#"{"TimeGenerated":"2026-03-03T20:10:00Z","OperationName":"CN_LOGIN"}"#;
    fs::write(path("logs.json"), record).expect("logs");
    let handler = Handler::start(folder.path());
    handler.tick();
    // The next tick finds a state that it cannot read.
    for head in fs::read_dir(path("state/heads")).expect("heads") {
        fs::write(head.expect("a head").path(), "damaged").expect("a file");
    }
    handler.tick();
    let mut lines = Lines::default();
    for line in handler.stop().lines() {
        if message(line).starts_with("evaluated workspace=") {
            lines.good.push(line.to_owned());
        } else {
            lines.others.push(line.to_owned());
        }
    }
    let good = lines.good.first().expect("a tick that was good");
    assert_eq!(lines.good.len(), 1, "{lines:?}");
    assert_eq!([message(good)], *evaluated(workspace, 1, 0));
    lines.failed = [(1, 1), (3, 1), (12, 10), (20, 20)]
        .into_iter()
        .flat_map(|(watches, failed)| evaluated(workspace, watches, failed))
        .map(|text| good.replace(&message(good), &text))
        .collect();
    lines
}

fn message(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("a line is JSON");
    line["message"].as_str().expect("a message").to_owned()
}

/// What the program says of a tick in which so many watches were due and so many failed.
fn evaluated(workspace: &str, watches: usize, failed: usize) -> Vec<String> {
    let watch = |number: usize| {
        let outcome = if number < failed {
            let (kind, error) = (FailureKind::Refused, "no".to_owned());
            Outcome::Failed { kind, error, alerts: Vec::new() }
        } else {
            Outcome::Started
        };
        (format!("rule-{number} on {workspace}"), outcome)
    };
    daemon::evaluated(&TickReport {
        watches: (0..watches).map(watch).collect(),
        ..TickReport::default()
    })
}

/// The program as the host starts it.
struct Handler {
    child: Child,
    port: u16,
}

impl Handler {
    fn start(folder: &Path) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let child = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
            .args(["handler", "--port", &port.to_string()])
            .current_dir(folder)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        Self { child, port }
    }

    fn tick(&self) {
        let mut stream = loop {
            // It is ready within milliseconds.
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => break stream,
                Err(_) => std::thread::yield_now(),
            }
        };
        let body = r#"{"Data":{"timer":{}}}"#;
        let request = format!(
            "POST /tick HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }

    /// Ends it, and answers what it wrote.
    fn stop(mut self) -> String {
        self.child.kill().expect("it runs");
        let output = self.child.wait_with_output().expect("its output");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8")
    }
}
