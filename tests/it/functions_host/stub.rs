//! A handler that answers whatever a test wants, in a process of its own, and the package around it.

use crate::support::functions_host::{FunctionsHost, Package, Settings};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// What the stub does with requests to a path: what `script.json` says of it.
#[test]
#[ignore = "a process of its own, started by the tests of this file"]
fn serve() {
    let lookup = |name: &str| std::env::vars().find(|(n, _)| n == name).map(|(_, value)| value);
    let Some(root) = lookup("FUNCTIONS_APP_ROOT_PATH").map(PathBuf::from) else { return };
    let port: u16 = lookup("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = Router::new().fallback(move |request| stub_answer(root.clone(), request));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        axum::serve(listener, app).await.unwrap();
    });
}

/// Requests that the stub is answering.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

async fn stub_answer(root: PathBuf, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = head.uri.path().to_owned();
    if path != "/" {
        let headers: BTreeMap<String, String> = head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let seen = json!({
            "method": head.method.as_str(), "path": head.uri.to_string(), "headers": headers,
            "body": String::from_utf8(body.to_vec()).unwrap(),
        });
        let mut log =
            fs::OpenOptions::new().create(true).append(true).open(root.join("seen")).unwrap();
        log.write_all(format!("{seen}\n").as_bytes()).unwrap();
    }
    let script: Json =
        serde_json::from_str(&fs::read_to_string(root.join("script.json")).unwrap()).unwrap();
    let step = &script[path.as_str()];
    for (name, stderr) in [("stdout", false), ("stderr", true)] {
        for line in step[name].as_array().into_iter().flatten().filter_map(Json::as_str) {
            let line = format!("{line}\n");
            // Past the capture of the test harness.
            let _ = if stderr {
                std::io::stderr().write_all(line.as_bytes())
            } else {
                std::io::stdout().write_all(line.as_bytes())
            };
        }
    }
    if let Some(code) = step["exit"].as_i64() {
        #[expect(clippy::exit, reason = "what the host makes of it is what is tested")]
        #[expect(clippy::disallowed_methods, reason = "the same")]
        std::process::exit(i32::try_from(code).unwrap());
    }
    if let Some(millis) = step["wait"].as_u64() {
        let now = UNDER_WAY.fetch_add(1, Ordering::SeqCst) + 1;
        fs::write(root.join(format!("under-way-{now:03}")), "").unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
    let mut response =
        Response::builder().status(u16::try_from(step["status"].as_u64().unwrap_or(200)).unwrap());
    let kind = step["type"].as_str().unwrap_or("application/json");
    if !kind.is_empty() {
        response = response.header("content-type", kind);
    }
    if let Some(to) = step["location"].as_str() {
        response = response.header("location", to);
    }
    let text = match &step["body"] {
        Json::String(text) => text.clone(),
        Json::Null => "{}".to_owned(),
        other => other.to_string(),
    };
    let body = if step["chunked"] == true {
        let chunk =
            futures_util::stream::once(async { Ok::<_, std::io::Error>(text.into_bytes()) });
        Body::from_stream(chunk)
    } else {
        Body::from(text)
    };
    response.body(body).unwrap()
}

/// A package around the stub.
pub(super) struct Stub {
    pub(super) dir: TempDir,
    pub(super) settings: Settings,
}

impl Stub {
    pub(super) fn new() -> Self {
        let stub = Self { dir: tempfile::tempdir().unwrap(), settings: Settings::new() };
        stub.host_json(&json!({}));
        stub.function(
            "timed",
            &json!([
                {"name": "timer", "type": "timerTrigger", "direction": "in", "schedule": "%WHEN%"},
                {"name": "out", "type": "queue", "direction": "out", "queueName": "work"},
            ]),
        );
        stub.function(
            "worker",
            &json!([
                {"name": "item", "type": "queueTrigger", "direction": "in", "queueName": "work"},
            ]),
        );
        stub.function("buried", &json!([
            {"name": "item", "type": "queueTrigger", "direction": "in", "queueName": "work-poison"},
        ]));
        stub.function(
            "page",
            &json!([
                {"name": "req", "type": "httpTrigger", "direction": "in", "methods": ["get"]},
                {"name": "res", "type": "http", "direction": "out"},
            ]),
        );
        stub.script(&json!({}));
        let exe = std::env::current_exe().unwrap();
        stub.executable(&format!(
            "exec '{}' --exact functions_host::stub::serve --ignored --nocapture",
            exe.display()
        ));
        stub.setting("WHEN", "0 */5 * * * *")
            .setting("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    }

    pub(super) fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Never half of it.
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    pub(super) fn host_json(&self, more: &Json) {
        let mut host = json!({
            "version": "2.0",
            "functionTimeout": "00:05:00",
            "customHandler": {"description": {"defaultExecutablePath": "handler", "arguments": []}},
            "extensions": {"queues": {"batchSize": 4, "newBatchThreshold": 2, "maxDequeueCount": 3}},
            "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
        });
        merge(&mut host, more);
        self.write("host.json", &host.to_string());
    }

    pub(super) fn function(&self, name: &str, bindings: &Json) {
        self.write(&format!("{name}/function.json"), &json!({"bindings": bindings}).to_string());
    }

    pub(super) fn executable(&self, script: &str) {
        let path = self.dir.path().join("handler");
        self.write("handler", &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn script(&self, script: &Json) {
        self.write("script.json", &script.to_string());
    }

    /// From now on requests to this path are answered so.
    pub(super) fn answer(&self, path: &str, step: &Json) {
        self.script(&json!({path: step}));
    }

    pub(super) fn start(&self) -> FunctionsHost {
        FunctionsHost::start(self.dir.path(), self.settings.clone())
    }

    pub(super) fn read(&self) -> Result<Package, String> {
        Package::read(self.dir.path(), &self.settings)
    }

    /// Requests to functions so far.
    /// The most requests that it was answering at the same time, of those that wait.
    pub(super) fn most_under_way(&self) -> usize {
        (1..1000).take_while(|n| self.dir.path().join(format!("under-way-{n:03}")).exists()).count()
    }

    pub(super) fn seen(&self) -> Vec<Json> {
        let text = fs::read_to_string(self.dir.path().join("seen")).unwrap_or_default();
        // The last line may be half written yet.
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn merge(into: &mut Json, more: &Json) {
    match (into, more) {
        (Json::Object(into), Json::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}
