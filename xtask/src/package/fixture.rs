//! A small function app of the right shape, for tests to break.

use super::{Contents, Source, assemble_from};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with `host.json`, `defs/` and `binary`; packages go to `app/`.
pub(super) struct Fixture(TempDir);

impl Fixture {
    pub(super) fn new() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        fixture.write("binary", "the program");
        fixture.set("host.json", &host());
        for (name, definition) in functions() {
            fixture.set(&format!("defs/{name}/function.json"), &definition);
        }
        fixture
    }

    pub(super) fn path(&self, place: &str) -> PathBuf {
        self.0.path().join(place)
    }

    pub(super) fn write(&self, place: &str, text: &str) {
        let file = self.path(place);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(super) fn read(&self, place: &str) -> String {
        fs::read_to_string(self.path(place)).unwrap()
    }

    pub(super) fn set(&self, place: &str, value: &Value) {
        self.write(place, &value.to_string());
    }

    /// Changes one value of a JSON file, or removes it with `Value::Null`.
    pub(super) fn change(&self, place: &str, pointer: &str, value: Value) {
        let mut document: Value = serde_json::from_str(&self.read(place)).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(map) if value.is_null() => drop(map.remove(key)),
            Value::Object(map) => drop(map.insert(key.to_owned(), value)),
            Value::Array(list) => match list.get_mut(key.parse::<usize>().unwrap_or(usize::MAX)) {
                Some(item) => *item = value,
                None => list.push(value),
            },
            other => *other = value,
        }
        self.set(place, &document);
    }

    pub(super) fn contents(&self) -> Contents {
        Contents { binary: self.path("binary"), config: None, rules: Vec::new() }
    }

    pub(super) fn assemble(&self) -> anyhow::Result<()> {
        self.assemble_with(&self.contents())
    }

    pub(super) fn assemble_with(&self, contents: &Contents) -> anyhow::Result<()> {
        let source = Source { host: self.path("host.json"), functions: self.path("defs") };
        assemble_from(&source, contents, &self.path("app"))
    }

    /// Stops the test unless assembling is refused, with all of these words.
    #[track_caller]
    pub(super) fn refuses(&self, words: &[&str]) {
        let error = format!("{:#}", self.assemble().unwrap_err());
        for word in words {
            assert!(error.contains(word), "`{word}` is not said:\n{error}");
        }
    }

    /// The files of the package, by their places, sorted.
    pub(super) fn files(&self) -> Vec<String> {
        let app = self.path("app");
        let mut found = Vec::new();
        walk(&app, &app, &mut found);
        found.sort();
        found
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn host() -> Value {
    json!({
        "version": "2.0",
        "customHandler": {"description": {"defaultExecutablePath": "hsmwatch", "arguments": ["handler"]}},
        "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
    })
}

fn functions() -> [(&'static str, Value); 5] {
    let trigger = |name, queue| json!({"name": name, "type": "queueTrigger", "direction": "in", "queueName": queue, "connection": "AzureWebJobsStorage"});
    let output = |name, queue| json!({"name": name, "type": "queue", "direction": "out", "queueName": queue, "connection": "AzureWebJobsStorage"});
    let deliveries = || output("deliveries", "hsmwatch-deliveries");
    [
        (
            "tick",
            json!({"bindings": [
                {"name": "timer", "type": "timerTrigger", "direction": "in", "schedule": "%HSMWATCH_SCHEDULE%"},
                output("evaluations", "hsmwatch-evaluations"),
                deliveries(),
            ]}),
        ),
        (
            "evaluate",
            json!({"bindings": [trigger("message", "hsmwatch-evaluations"), deliveries()]}),
        ),
        ("deliver", json!({"bindings": [trigger("ticket", "hsmwatch-deliveries")]})),
        ("dead-letter", json!({"bindings": [trigger("ticket", "hsmwatch-deliveries-poison")]})),
        (
            "status",
            json!({"bindings": [
                {"name": "req", "type": "httpTrigger", "direction": "in", "methods": ["get"], "authLevel": "function"},
                {"name": "res", "type": "http", "direction": "out"},
            ]}),
        ),
    ]
}
