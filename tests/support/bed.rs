//! A test bed: the built program, a configuration and a state directory of its own, the fakes around it, and one method for
//! each thing that a user or an operator does.

use super::daemon::Daemon;
use super::fake_logs::{FakeLogs, Record};
use super::fake_receiver::{Delivery, FakeReceiver, Kind};
use super::gate::{Gate, Stop};
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The workspace's id.
pub(crate) const WORKSPACE: &str = "11111111-2222-3333-4444-555555555555";
/// Every webhook's secret.
pub(crate) const SECRET: &str = "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGhlLXRlc3QtYmVkMTI=";
/// What must never be shown or kept, whatever goes wrong.
pub(crate) const SECRETS: [&str; 4] =
    ["s3cret", "c2lnbmluZy1zZWNyZXQt", "signing-secret-of-the-test-bed", "triggers%2Fmanual"];
/// The operation that the preset `key-delete` is about.
pub(crate) const DELETE: &str = "CN_TOMBSTONE_OBJECT";

/// How a run of the program ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Stops the test unless the exit code is this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let Self { code: got, stdout, stderr } = &self;
        assert_eq!(*got, Some(code), "\n--- stdout\n{stdout}--- stderr\n{stderr}---");
        self
    }

    /// Stops the test unless this is said on standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not said:\n{}", self.stderr);
        self
    }

    /// Stops the test unless standard error says nothing.
    #[track_caller]
    pub(crate) fn without_talk(self) -> Self {
        let talk = self.stderr.lines().filter(|line| !line.starts_with("evaluated workspace="));
        assert_eq!(talk.collect::<Vec<_>>(), [""; 0]);
        self
    }

    /// What came of a run.
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

struct Configured {
    fake: FakeReceiver,
    kind: &'static str,
    more: String,
}

struct ConfiguredDesk {
    kind: &'static str,
    url: String,
    more: String,
}

/// Everything that a test needs. Rules run every second.
pub(crate) struct TestBed {
    pub(crate) logs: FakeLogs,
    pub(crate) gate: Gate,
    dir: TempDir,
    presets: String,
    settings: String,
    state: String,
    rules: String,
    receivers: BTreeMap<String, Configured>,
    desks: BTreeMap<String, ConfiguredDesk>,
    variables: BTreeMap<String, String>,
    /// The second in which the last run ended.
    last: Cell<i64>,
}

impl TestBed {
    /// One workspace, the preset `key-delete`, no receiver yet.
    pub(crate) fn new() -> Self {
        let gate = Gate::default();
        Self {
            logs: FakeLogs::behind(&[WORKSPACE], &gate),
            gate,
            dir: tempfile::tempdir().unwrap(),
            presets: r#"["key-delete"]"#.to_owned(),
            settings: String::new(),
            state: "path = \"state\"".to_owned(),
            rules: String::new(),
            receivers: BTreeMap::new(),
            desks: BTreeMap::new(),
            variables: BTreeMap::new(),
            last: Cell::new(0),
        }
    }

    /// With a receiver of this name and kind (`webhook`, `teams`, `slack`). A name that is there already gets a new address.
    pub(crate) fn receiver(mut self, name: &str, kind: &'static str) -> Self {
        self.set_receiver(name, kind, "");
        self
    }

    /// With further lines of configuration for the receiver.
    pub(crate) fn receiver_with(mut self, name: &str, kind: &'static str, more: &str) -> Self {
        self.set_receiver(name, kind, more);
        self
    }

    /// Puts a receiver in the configuration, in place of one of the same name.
    pub(crate) fn set_receiver(&mut self, name: &str, kind: &'static str, more: &str) {
        let contract = match kind {
            "webhook" if more.contains("format = ") => Kind::Shaped(vec![SECRET.to_owned()]),
            "webhook" => Kind::Webhook(vec![SECRET.to_owned()]),
            "teams" => Kind::Teams,
            _ => Kind::Slack,
        };
        let fake = FakeReceiver::behind(contract, &self.gate);
        self.receivers.insert(name.to_owned(), Configured { fake, kind, more: more.to_owned() });
    }

    /// With a desk as a receiver: its kind, its address, and further lines of configuration.
    pub(crate) fn desk(mut self, name: &str, kind: &'static str, url: &str, more: &str) -> Self {
        let desk = ConfiguredDesk { kind, url: url.to_owned(), more: more.to_owned() };
        self.desks.insert(name.to_owned(), desk);
        self
    }

    /// Takes a receiver out of the configuration.
    pub(crate) fn remove_receiver(&mut self, name: &str) {
        self.receivers.remove(name).unwrap();
    }

    /// Nobody listens at a receiver's address any more.
    pub(crate) fn stop(&mut self, name: &str) {
        self.receivers.get_mut(name).unwrap().fake.stop();
    }

    /// A receiver listens again, at the same address.
    pub(crate) fn restart(&mut self, name: &str) {
        self.receivers.get_mut(name).unwrap().fake.restart();
    }

    /// With these presets (TOML).
    pub(crate) fn presets(mut self, presets: &str) -> Self {
        presets.clone_into(&mut self.presets);
        self
    }

    /// With a line before the first table.
    pub(crate) fn setting(mut self, line: &str) -> Self {
        writeln!(self.settings, "{line}").unwrap();
        self
    }

    /// With its state elsewhere than in a folder (lines of `[state]`).
    pub(crate) fn state(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.state);
        self
    }

    /// Puts these rules (TOML) in place of those there are.
    pub(crate) fn set_rules(&mut self, rules: &str) {
        rules.clone_into(&mut self.rules);
    }

    /// With these rules (TOML).
    pub(crate) fn rules(mut self, rules: &str) -> Self {
        self.set_rules(rules);
        self
    }

    /// With an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.set_variable(name, value);
        self
    }

    /// Gives an environment variable another value.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Gives a receiver other further lines of configuration; it stays where it is.
    pub(crate) fn reconfigure(&mut self, name: &str, more: &str) {
        more.clone_into(&mut self.receivers.get_mut(name).unwrap().more);
    }

    /// A receiver that was configured.
    #[track_caller]
    pub(crate) fn at(&self, name: &str) -> &FakeReceiver {
        &self.receivers.get(name).expect("a receiver of the bed").fake
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// The configuration as it is written before each run.
    pub(crate) fn configuration(&self) -> String {
        let Self { presets, settings, state, rules, .. } = self;
        let mut text = format!(
            "every = \"1s\"\npresets = {presets}\n{settings}\n[state]\n{state}\n\n\
             [[workspace]]\nname = \"prod\"\nid = \"{WORKSPACE}\"\nendpoint = \"{}\"\n",
            self.logs.url()
        );
        for (name, Configured { kind, more, .. }) in &self.receivers {
            let secret = if *kind == "webhook" { "secret = { env = \"SECRET\" }\n" } else { "" };
            writeln!(
                text,
                "\n[[receiver]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = {{ env = \"URL_{name}\" }}\n{secret}{more}"
            )
            .unwrap();
        }
        for (name, ConfiguredDesk { kind, url, more }) in &self.desks {
            writeln!(
                text,
                "\n[[receiver]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{more}"
            )
            .unwrap();
        }
        text + "\n" + rules
    }

    /// The program with these arguments, in the bed's directory and with the bed's variables alone.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepare(Path::new(env!("CARGO_BIN_EXE_hsmwatch")).as_os_str(), arguments)
    }

    /// The program, run by a shell after these words of it.
    pub(crate) fn command_after(&self, shell: &str, arguments: &[&str]) -> Command {
        let script = format!("{shell}; exec \"$0\" \"$@\"");
        let mut all = vec!["-c", &script, env!("CARGO_BIN_EXE_hsmwatch")];
        all.extend(arguments);
        self.prepare(OsStr::new("sh"), &all)
    }

    fn prepare(&self, program: &OsStr, arguments: &[&str]) -> Command {
        // Written only if it changed: a running process must never find half of it.
        let (path, text) = (self.dir().join("hsmwatch.toml"), self.configuration());
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(path, text).unwrap();
        }
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.dir())
            .env_clear()
            .env("SECRET", SECRET)
            .envs(&self.variables)
            .envs(self.receivers.iter().map(|(name, r)| (format!("URL_{name}"), r.fake.url())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// `run --once`, at a time when every rule is due.
    pub(crate) fn run_once(&self) -> Ran {
        self.run_once_with(&[])
    }

    /// `run --once` with further arguments, at a time when every rule is due.
    pub(crate) fn run_once_with(&self, more: &[&str]) -> Ran {
        self.await_slot();
        let ran = self.run(&[&["run", "--once"], more].concat());
        self.ran();
        ran
    }

    /// The first run, which begins every watch.
    #[track_caller]
    pub(crate) fn begin(&self) -> Ran {
        self.run_once().exits(0).says("begins now")
    }

    /// `run --once` in a process of its own.
    pub(crate) fn spawn_once(&self) -> Child {
        self.await_slot();
        self.command(&["run", "--once"]).spawn().unwrap()
    }

    /// `run --once`, killed at its n-th request. Answers whether it came to that.
    pub(crate) fn run_killed(&self, n: usize, stop: Stop) -> bool {
        self.gate.arm(n, stop);
        let mut child = self.spawn_once();
        while !self.gate.tripped(Duration::from_millis(5)) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        let _ = child.kill();
        child.wait().unwrap();
        self.ran();
        self.gate.disarm()
    }

    /// `run --once`, killed as soon as the state directory has changed n times. Answers whether it came to that.
    pub(crate) fn run_killed_at_change(&self, n: usize) -> bool {
        let (mut now, mut changes) = (self.state_stamps(), 0);
        let mut child = self.spawn_once();
        while changes < n && child.try_wait().unwrap().is_none() {
            let then = std::mem::replace(&mut now, self.state_stamps());
            changes += usize::from(then != now);
        }
        let _ = child.kill();
        child.wait().unwrap();
        self.ran();
        changes == n
    }

    /// `run`, until it is told to stop.
    pub(crate) fn daemon(&self, more: &[&str]) -> Daemon {
        Daemon::start(self.command(&[&["run"], more].concat()))
    }

    /// Notes that a run has ended: it has evaluated the slot of this second, at the latest.
    pub(crate) fn ran(&self) {
        self.last.set(Utc::now().timestamp());
    }

    /// Slots are seconds: waits until the last run's is over.
    fn await_slot(&self) {
        while Utc::now().timestamp() <= self.last.get() {
            let left = 1_000 - u64::from(Utc::now().timestamp_subsec_millis()).min(999);
            std::thread::sleep(Duration::from_millis(left));
        }
    }

    /// A key is deleted now, by a client of this name. Answers when.
    pub(crate) fn delete_key(&self, client: &str) -> DateTime<Utc> {
        let now = Utc::now();
        self.log(deletion(client, now));
        now
    }

    /// A record comes in.
    pub(crate) fn log(&self, record: Record) {
        self.logs.add(WORKSPACE, [record]);
    }

    /// Names of all receivers.
    pub(crate) fn webhooks(&self) -> Vec<String> {
        self.receivers.keys().cloned().collect()
    }

    /// Which alerts each client's deletion stands in, at a webhook.
    pub(crate) fn told(&self, webhook: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for delivery in self.at(webhook).deliveries() {
            for client in clients(&delivery) {
                told.entry(client).or_default().insert(delivery.id().to_owned());
            }
        }
        told
    }

    /// Everything that any receiver found to break its contract.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.receivers.values().flat_map(|r| r.fake.problems()).collect()
    }
}

/// A key's deletion.
pub(crate) fn deletion(client: &str, time: DateTime<Utc>) -> Record {
    Record::new(DELETE, time).with("ClientInfo", client)
}

/// The clients of a webhook delivery's hits, in their order.
pub(crate) fn clients(delivery: &Delivery) -> Vec<String> {
    let json = delivery.json();
    let hits = json["data"]["hits"].as_array().unwrap();
    hits.iter().filter_map(|hit| hit["client"].as_str().map(str::to_owned)).collect()
}

/// The conditions that a webhook delivery tells of hsmwatch itself: (condition, subject, state).
pub(crate) fn conditions(delivery: &Delivery) -> Vec<(String, String, String)> {
    let json = delivery.json();
    let field = |hit: &Json, name: &str| hit["fields"][name].as_str().unwrap().to_owned();
    if json["data"]["rule"]["id"] != "hsmwatch" {
        return Vec::new();
    }
    let hits = json["data"]["hits"].as_array().unwrap();
    hits.iter().map(|h| (field(h, "condition"), field(h, "subject"), field(h, "state"))).collect()
}
