//! A configuration in Blob Storage, with rule files beside it, read by the built program from Azurite.

use crate::support::azurite::{ACCOUNT, account_sas, azurite};
use crate::support::bed::{SECRET, SECRETS, WORKSPACE, conditions};
use crate::support::fake_logs::FakeLogs;
use crate::support::fake_receiver::{FakeReceiver, Kind};
use crate::support::proxy::{Mishap, Proxy};
use axum::http::Method;
use azure_core::http::RequestContent;
use azure_storage_blob::BlobContainerClient;
use hsmwatch::azure::Cloud;
use hsmwatch::azure::storage::{key, service};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NAME: &str = "p/hsmwatch.toml";

/// A container with a configuration, and everything that it names.
struct World {
    proxy: Proxy,
    container: BlobContainerClient,
    name: String,
    logs: FakeLogs,
    receiver: FakeReceiver,
    dir: TempDir,
    variables: BTreeMap<&'static str, String>,
}

fn rule(id: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\ntitle = \"Rule {id}\"\nseverity = \"high\"\n\
         query = '''CloudHsmServiceOperationAuditLogs | where OperationName == \"{id}\"'''\n"
    )
}

impl World {
    /// A good configuration with two rule files.
    async fn new() -> Self {
        let azurite = azurite();
        let name = azurite.container();
        let url = azurite.blob_url().parse().unwrap();
        let (key, _) = key(&url, None, Cloud::Public, |_| None).unwrap();
        let container = service(&url, &key).unwrap().blob_container_client(&name);
        container.create(None).await.unwrap();
        let world = Self {
            proxy: Proxy::before(azurite.blob_url()),
            container,
            name,
            logs: FakeLogs::start(&[WORKSPACE]),
            receiver: FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()])),
            dir: tempfile::tempdir().unwrap(),
            variables: BTreeMap::new(),
        };
        world.put(NAME, &world.configuration()).await;
        world.put("p/rules/a.toml", &rule("a")).await;
        world.put("p/rules/b.toml", &rule("b")).await;
        world
    }

    fn configuration(&self) -> String {
        format!(
            "every = \"1s\"\npresets = [\"key-delete\"]\nrules = [\"rules/*.toml\"]\n\
             [state]\npath = \"{}\"\n[[workspace]]\nname = \"prod\"\nid = \"{WORKSPACE}\"\nendpoint = \"{}\"\n\
             [[receiver]]\nname = \"itsm\"\nkind = \"webhook\"\nurl = {{ env = \"URL\" }}\nsecret = {{ env = \"SECRET\" }}\n",
            self.dir.path().join("state").display(),
            self.logs.url()
        )
    }

    async fn put(&self, name: &str, text: &str) {
        self.put_bytes(name, text.as_bytes().to_vec()).await;
    }

    async fn put_bytes(&self, name: &str, bytes: Vec<u8>) {
        let blob = self.container.blob_client(name);
        blob.upload(RequestContent::from(bytes), None).await.unwrap();
    }

    async fn delete(&self, name: &str) {
        self.container.blob_client(name).delete(None).await.unwrap();
    }

    /// The configuration's address.
    fn address(&self) -> String {
        format!("{}/{}/{NAME}", self.proxy.url(), self.name)
    }

    /// As the program calls the configuration: not by its URL.
    fn source(&self) -> String {
        format!("{}/{NAME} of account {ACCOUNT}", self.name)
    }

    fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.insert(variable, value.to_owned());
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HSMWATCH_CONFIG", self.address())
            .env("URL", self.receiver.url())
            .env("SECRET", SECRET)
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    fn handler(&self) -> Handler {
        let reserved = tokio::net::TcpSocket::new_v4().unwrap();
        reserved.set_reuseaddr(true).unwrap();
        reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = reserved.local_addr().unwrap().port();
        let child = self
            .command(&["handler"])
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Handler { child, _reserved: reserved, url: format!("http://127.0.0.1:{port}"), client }
    }

    /// The requests that the configuration cost since this was last asked: what was read, with which answer, and what was
    /// listed.
    fn cost(&self) -> Vec<(String, u16)> {
        let seen = self.proxy.take().into_iter();
        let mut cost: Vec<_> = seen
            .map(|seen| match seen.blob.as_str() {
                "" => ("list".to_owned(), seen.status),
                blob => (blob.to_owned(), seen.status),
            })
            .collect();
        cost.sort();
        cost
    }

    /// The document with the last good version, if there is one.
    fn kept(&self) -> Option<Json> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir.path().join("state")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().contains("config") {
                    found
                        .push(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
                }
            }
        }
        assert!(found.len() <= 1, "{found:?}");
        let text = found.pop()?;
        let body = text.get(text.find("{\"format\":1,\"address\"")?..)?;
        serde_json::Deserializer::from_str(body).into_iter().next()?.ok()
    }
}

/// A running handler, and the host that calls it.
struct Handler {
    child: Child,
    _reserved: tokio::net::TcpSocket,
    url: String,
    client: reqwest::Client,
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Handler {
    /// Calls a function as the host does. Answers the status and the body.
    async fn call(&self, function: &str, data: Json) -> (u16, Json) {
        let began = Instant::now();
        loop {
            let body = json!({ "Data": data, "Metadata": {} }).to_string();
            let sent = self
                .client
                .post(format!("{}/{function}", self.url))
                .header("content-type", "application/json; charset=utf-8")
                .body(body)
                .send()
                .await;
            match sent {
                Ok(answer) => return (answer.status().as_u16(), answer.json().await.unwrap()),
                // Not listening yet.
                Err(error) if error.is_connect() && began.elapsed() < Duration::from_secs(20) => {
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{function}: {error}"),
            }
        }
    }

    /// A tick and the deliveries that it offers. Answers the tick's status.
    async fn turn(&self) -> u16 {
        let (status, answer) = self.call("tick", json!({"timer": {}})).await;
        let tickets = answer["Outputs"]["deliveries"].as_array().cloned().unwrap_or_default();
        for ticket in tickets {
            let ticket = json!(ticket.as_str().unwrap()).to_string();
            let (status, answer) = self.call("deliver", json!({ "ticket": ticket })).await;
            assert_eq!(status, 200, "{answer}");
        }
        status
    }

    async fn status(&self) -> Json {
        let (_, answer) = self.call("status", json!({"req": {}})).await;
        serde_json::from_str(answer["Outputs"]["res"]["body"].as_str().unwrap()).unwrap()
    }

    async fn page(&self) -> String {
        let accept = json!({"req": {"Headers": {"Accept": ["text/html"]}}});
        let (_, answer) = self.call("status", accept).await;
        answer["Outputs"]["res"]["body"].as_str().unwrap().to_owned()
    }

    /// The rules that are watched.
    async fn rules(&self) -> Vec<String> {
        let status = self.status().await;
        let Some(watches) = status["watches"].as_array() else { return Vec::new() };
        let mut rules: Vec<String> = watches
            .iter()
            // A head whose rule is gone is shown for what it is.
            .filter(|watch| watch["state"] != "unknown-rule")
            .filter(|watch| !watch["state"].to_string().contains("unknown"))
            .map(|watch| watch["rule"].as_str().unwrap().to_owned())
            .collect();
        rules.sort();
        rules
    }

    /// Why the newest version is refused.
    async fn refused(&self) -> Option<String> {
        self.status().await["refused"]["why"].as_str().map(str::to_owned)
    }
}

fn cost(expected: &[(&str, u16)]) -> Vec<(String, u16)> {
    expected.iter().map(|(what, status)| ((*what).to_owned(), *status)).collect()
}

#[tokio::test]
async fn changes_are_taken_at_the_next_invocation_and_no_change_costs_one_read_and_one_listing() {
    let world = World::new().await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    let files = [("list", 200), (NAME, 200), ("p/rules/a.toml", 200), ("p/rules/b.toml", 200)];
    let files = files.map(|(what, status)| (what, if what == "list" { status } else { 206 }));
    let first = world.cost();
    assert_eq!(first.len(), files.len(), "{first:?}");
    assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    world.cost();

    for _ in 0..3 {
        assert_eq!(handler.turn().await, 200);
        assert_eq!(world.cost(), cost(&[("list", 200), (NAME, 304)]));
    }

    // A rule file: changed, added, taken away.
    world.put("p/rules/b.toml", &rule("c")).await;
    assert_eq!(handler.turn().await, 200);
    let changed: Vec<_> = world.cost().into_iter().map(|(what, _)| what).collect();
    assert_eq!(changed, ["list", NAME, "p/rules/b.toml"]);
    assert_eq!(handler.rules().await, ["a", "c", "key-delete"]);
    world.put("p/rules/d.toml", &rule("d")).await;
    world.put("p/rules/deep/e.toml", "not TOML").await;
    assert_eq!(handler.rules().await, ["a", "c", "d", "key-delete"]);
    world.delete("p/rules/a.toml").await;
    assert_eq!(handler.rules().await, ["c", "d", "key-delete"]);

    // The configuration itself, without patterns: then nothing is listed.
    let text = world.configuration().replace("rules = [\"rules/*.toml\"]\n", "");
    world.put(NAME, &text).await;
    assert_eq!(handler.rules().await, ["key-delete"]);
    world.cost();
    assert_eq!(handler.turn().await, 200);
    assert_eq!(world.cost(), cost(&[(NAME, 304)]));
    assert_eq!(handler.refused().await, None);
}

#[tokio::test]
async fn an_invalid_version_is_refused_and_told_once_while_the_last_good_one_goes_on() {
    let world = World::new().await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);

    world.put("p/rules/b.toml", "[[rule]]\nid = \"b\"\nseverty = \"high\"\n").await;
    for _ in 0..3 {
        assert_eq!(handler.turn().await, 200, "the last good version goes on");
    }
    let why = handler.refused().await.unwrap();
    let place = format!("{}/p/rules/b.toml:3:1: unknown key `severty` in `[[rule]]`", world.name);
    assert!(why.contains(&place), "{why}");
    assert!(why.contains("hint: did you mean `severity`?"), "{why}");
    assert!(why.contains("needs `title`"), "all problems: {why}");
    assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    let page = handler.page().await;
    assert!(page.contains("severty") && page.contains("rules/b.toml:3:1"), "{page}");

    world.put("p/rules/b.toml", &rule("b")).await;
    for _ in 0..3 {
        assert_eq!(handler.turn().await, 200);
    }
    assert_eq!(handler.refused().await, None);
    let told: Vec<_> = world
        .receiver
        .deliveries()
        .iter()
        .flat_map(conditions)
        .map(|(condition, subject, state)| {
            assert_eq!(subject, world.source());
            (condition, state)
        })
        .collect();
    let expected = ["ill", "well"].map(|s| ("configuration-refused".to_owned(), s.to_owned()));
    assert_eq!(told, expected);
    assert_eq!(world.receiver.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_process_that_begins_while_a_version_is_refused_goes_on_with_the_last_good_one() {
    let world = World::new().await;
    // Nothing is known yet: every invocation fails, and says why.
    world.put(NAME, "every = 5\n").await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 500);
    assert!(handler.refused().await.unwrap().contains("hsmwatch.toml:1:9"));
    drop(handler);

    world.put(NAME, &world.configuration()).await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    drop(handler);
    let kept = world.kept().unwrap();
    assert_eq!(kept["config"]["text"], world.configuration());
    assert!(kept["config"]["etag"].as_str().is_some_and(|etag| !etag.is_empty()), "{kept}");
    assert_eq!(kept["address"], world.address());

    // The newest version is TOML no more after `[state]`, and its rules are others.
    world.put(NAME, &format!("{}\n[[receiver]\n", world.configuration())).await;
    world.put("p/rules/a.toml", &rule("z")).await;
    world.delete("p/rules/b.toml").await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    let why = handler.refused().await.unwrap();
    assert!(why.contains("p/hsmwatch.toml:16:12: not TOML"), "{why}");
    assert_eq!(world.kept().unwrap(), kept, "a refused version is not kept");

    // And is taken, and kept, when it is mended.
    world.put(NAME, &world.configuration()).await;
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.rules().await, ["key-delete", "z"]);
    assert_ne!(world.kept().unwrap(), kept);
}

#[tokio::test]
async fn the_environment_says_where_the_last_good_version_is_when_nothing_else_can() {
    let world = World::new().await;
    let state = world.dir.path().join("state").display().to_string();
    let world = world.with("HSMWATCH_STATE_PATH", &state);
    assert_eq!(world.handler().turn().await, 200);
    for broken in ["[[[", "", "\u{feff}x"] {
        world.put(NAME, broken).await;
        let handler = world.handler();
        assert_eq!(handler.turn().await, 200, "{broken}");
        assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    }
    // Also when there is no blob at all, or no way to it.
    world.delete(NAME).await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    let why = handler.refused().await.unwrap();
    assert!(why.contains("there is no such blob in account `devstoreaccount1`"), "{why}");
    drop(handler);
    let all = vec![Mishap::LoseRequest; 50];
    world.proxy.script(Method::GET, "p/", &all);
    assert_eq!(world.handler().turn().await, 200);
}

#[tokio::test]
async fn a_version_with_secrets_in_it_is_kept_nowhere() {
    let world = World::new().await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    assert!(world.kept().is_some());
    let url = format!("\"{}\"", world.receiver.url());
    let text = world.configuration().replace("{ env = \"URL\" }", &url);
    world.put(NAME, &text).await;
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.refused().await, None);
    assert_eq!(world.kept(), None, "an older version is not the last good one");
    // In memory it goes on all the same.
    world.put(NAME, "?").await;
    assert_eq!(handler.turn().await, 200);
    drop(handler);
    assert_eq!(world.handler().turn().await, 500);
    let mut folders = vec![world.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for secret in SECRETS {
                assert!(!text.contains(secret), "{secret} in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn the_last_good_version_is_kept_where_state_is_and_reads_its_secrets_anew() {
    let world = World::new().await;
    let store = azurite().container();
    let folder = format!("path = \"{}\"", world.dir.path().join("state").display());
    let account = format!("account_url = \"{}\"\ncontainer = \"{store}\"", azurite().blob_url());
    let text = world.configuration().replace(&folder, &account);
    let text = text.replace("{ env = \"URL\" }", "{ file = \"secrets/url\" }");
    let text = format!(
        "{text}[[rule]]\nid = \"q\"\ntitle = \"Q\"\nseverity = \"low\"\nquery = {{ file = \"q.kql\" }}\n"
    );
    world.put(NAME, &text).await;
    world.put("p/q.kql", "CloudHsmServiceOperationAuditLogs").await;
    world.put("p/secrets/url", "http://127.0.0.1:1/old-s3cret").await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.refused().await, None);
    assert_eq!(handler.rules().await, ["a", "b", "key-delete", "q"]);
    world.cost();
    assert_eq!(handler.turn().await, 200);
    let quiet = [("list", 200), (NAME, 304), ("p/q.kql", 304), ("p/secrets/url", 304)];
    assert_eq!(world.cost(), cost(&quiet));
    drop(handler);

    let url = azurite().blob_url().parse().unwrap();
    let (key, _) = key(&url, None, Cloud::Public, |_| None).unwrap();
    let state = service(&url, &key).unwrap().blob_container_client(&store);
    let kept = state.blob_client("config/good").download(None).await.unwrap();
    let kept = kept.body.collect_string().await.unwrap();
    assert!(kept.contains("secrets/url") && !kept.contains("s3cret"), "{kept}");

    // Both the configuration and a text of a rule are broken; the secret is a new one.
    world.put(NAME, &format!("{text}x = 1\n")).await;
    world.put("p/q.kql", "|").await;
    world.put("p/secrets/url", &world.receiver.url()).await;
    let handler = world.handler();
    for _ in 0..3 {
        assert_eq!(handler.turn().await, 200);
    }
    assert_eq!(handler.rules().await, ["a", "b", "key-delete", "q"]);
    let told: Vec<_> =
        world.receiver.deliveries().iter().flat_map(conditions).map(|c| c.0).collect();
    assert_eq!(told, ["configuration-refused"]);
    let status = handler.status().await;
    assert_eq!(status["unreadable"], json!([]), "{status}");
}

#[tokio::test]
async fn a_file_is_read_again_at_each_tick() {
    let world = World::new().await;
    let path = world.dir.path().join("hsmwatch.toml");
    let rules = world.dir.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(&path, world.configuration()).unwrap();
    std::fs::write(rules.join("a.toml"), rule("a")).unwrap();
    let world = world.with("HSMWATCH_CONFIG", "hsmwatch.toml");
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.rules().await, ["a", "key-delete"]);
    std::fs::write(rules.join("b.toml"), rule("b")).unwrap();
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    std::fs::write(rules.join("b.toml"), "[[rule]]\nid = 7\n").unwrap();
    assert_eq!(handler.turn().await, 200);
    let why = handler.refused().await.unwrap();
    assert!(why.contains("rules/b.toml:2:6: `id`: expected a string"), "{why}");
    assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    std::fs::remove_file(&path).unwrap();
    assert!(handler.refused().await.unwrap().contains("hsmwatch.toml` cannot be read"));
    assert_eq!(handler.turn().await, 200);
    std::fs::write(&path, world.configuration()).unwrap();
    std::fs::remove_file(rules.join("b.toml")).unwrap();
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.rules().await, ["a", "key-delete"]);
    assert_eq!(handler.refused().await, None);
    assert_eq!(world.kept(), None, "what is on this machine is not kept in state");
}

#[tokio::test]
async fn whatever_cannot_be_read_is_named_and_over_once_it_can() {
    let world = World::new().await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    let config = format!("the configuration `{}/{NAME}` cannot be read: ", world.name);
    let refused = async |expected: String| {
        assert_eq!(handler.turn().await, 200);
        let why = handler.refused().await.unwrap();
        assert!(why.contains(&expected), "{why}");
        assert_eq!(handler.rules().await, ["a", "b", "key-delete"]);
    };
    let good = world.configuration();

    world.delete(NAME).await;
    refused(format!("{config}there is no such blob")).await;
    world.put(NAME, &good).await;
    assert_eq!(handler.refused().await, None);

    world.put(NAME, &format!("{good}#{}", "x".repeat(1 << 20))).await;
    refused(format!("{config}larger than 1 MiB")).await;
    world.put_bytes(NAME, [good.as_bytes(), b"# \xff"].concat()).await;
    refused(format!("{config}not UTF-8")).await;
    world.put(NAME, &good).await;
    assert_eq!(handler.refused().await, None);

    // What is beside it is a problem of its own place.
    world.put_bytes("p/rules/a.toml", vec![b'#'; (1 << 20) + 1]).await;
    let place = format!("`{}/p/rules/a.toml`: the file cannot be read: ", world.name);
    refused(format!("{place}larger than 1 MiB")).await;
    world.put_bytes("p/rules/a.toml", b"\xff".to_vec()).await;
    refused(format!("{place}not UTF-8")).await;
    world.put("p/rules/a.toml", &rule("a")).await;
    assert_eq!(handler.refused().await, None);

    let denied = Mishap::Answer(403, "AuthorizationPermissionMismatch");
    world.proxy.script(Method::GET, NAME, &[denied.clone(), denied]);
    refused("is not accepted".to_owned()).await;
    assert_eq!(handler.refused().await, None);
    for secret in SECRETS {
        assert!(!handler.page().await.contains(secret));
    }
}

#[tokio::test]
async fn hostile_names_do_no_harm() {
    let world = World::new().await;
    world.put("p/rules/<img src=x onerror=alert(1)>.toml", "[[rule]\n").await;
    world.put("p/rules/ü b%2e\u{202e}.toml", &rule("u")).await;
    world.put("p/rules/[x]*?.toml", &rule("x")).await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 500);
    let page = handler.page().await;
    assert!(page.contains("not TOML") && !page.contains("<img"), "{page}");
    world.delete("p/rules/<img src=x onerror=alert(1)>.toml").await;
    assert_eq!(handler.turn().await, 200);
    assert_eq!(handler.rules().await, ["a", "b", "key-delete", "u", "x"]);
}

#[tokio::test]
async fn invocations_at_the_same_time_share_a_look() {
    let world = World::new().await;
    let handler = world.handler();
    assert_eq!(handler.turn().await, 200);
    world.cost();
    // The first look takes more than a second.
    let busy = Mishap::Answer(503, "ServerBusy");
    world.proxy.script(Method::GET, NAME, &[busy.clone(), busy.clone(), busy]);
    let calls = (0..9).map(|_| handler.call("status", json!({"req": {}})));
    for (status, answer) in futures_util::future::join_all(calls).await {
        assert_eq!(status, 200, "{answer}");
    }
    let looks = world.cost().into_iter().filter(|seen| *seen == (NAME.to_owned(), 304)).count();
    assert!((1..9).contains(&looks), "{looks} looks");
}

#[tokio::test]
async fn every_verb_takes_an_address() {
    let world = World::new().await;
    let (code, out, talk) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(out.contains("key-delete") && talk.contains(&world.source()), "{out}{talk}");
    let (code, _, talk) = world.run(&["run", "--once"]);
    assert_eq!(code, Some(0), "{talk}");
    let (code, out, talk) = world.run(&["rules"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(out.contains("Rule b"), "{out}");
    let (code, _, talk) = world.run(&["send-test"]);
    assert_eq!(code, Some(0), "{talk}");
    assert_eq!(world.receiver.deliveries().len(), 1);
    let (code, out, talk) = world.run(&["query", "CloudHsmServiceOperationAuditLogs | count"]);
    assert!(code != Some(2), "{out}{talk}");

    world.put("p/rules/b.toml", "[[rule]]\nid = 7\n").await;
    let (code, _, talk) = world.run(&["check"]);
    assert_eq!(code, Some(2));
    let place = format!("{}/p/rules/b.toml:2:6: `id`: expected a string", world.name);
    assert!(talk.contains(&place), "{talk}");

    world.delete(NAME).await;
    let (code, _, talk) = world.run(&["status"]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("there is no such blob"), "{talk}");
}

#[tokio::test]
async fn an_address_or_a_key_that_is_no_good_says_so_and_shows_no_secret() {
    let world = World::new().await;
    let address = format!("{}?sig=s3cret", world.address());
    let (code, _, talk) = world.run(&["check", "--config", &address]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("has a query") && !talk.contains("s3cret"), "{talk}");
    let (code, _, talk) = world.run(&["check", "--config", "http://example.com/conf/x.toml"]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("http is accepted only for loopback hosts"), "{talk}");

    // May write, and nothing else.
    let sas = account_sas("w");
    let world = world.with("HSMWATCH_STORAGE_SAS", &sas);
    let (code, _, talk) = world.run(&["check"]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("the shared access signature does not allow it"), "{talk}");
    let signature = sas.rsplit_once("sig=").unwrap().1;
    assert!(!talk.contains(signature), "{talk}");
    let world = world.with("HSMWATCH_STORAGE_SAS", &account_sas("rl"));
    let (code, _, talk) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{talk}");
}
