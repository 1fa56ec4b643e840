//! Reads a package as the Functions host would, and refuses what the host would stumble over.

use super::FUNCTIONS;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Stops unless the folder is a function app that the host will run as it is meant; names all that is wrong.
pub fn check(app: &Path) -> Result<()> {
    let host = json(&app.join("host.json"))?;
    let mut problems = Vec::new();
    check_host(app, &host, &mut problems);
    let functions = read_functions(app, &mut problems)?;
    check_names(&functions, &host, &mut problems);
    let mut queues = Queues::default();
    for (name, definition) in &functions {
        check_function(app, name, definition, &mut queues, &mut problems);
    }
    queues.check(&mut problems);
    if queues.are_used() && host.pointer("/extensionBundle/id").is_none() {
        problems.push("`host.json`: queues need `extensionBundle`".to_owned());
    }
    ensure!(problems.is_empty(), "no package for the Functions host:\n  {}", problems.join("\n  "));
    Ok(())
}

/// The name of the program, as `host.json` gives it.
///
/// The tool that publishes an app makes exactly the entry of this name executable, so it must be the plain name.
pub(super) fn executable(host: &Value) -> Result<&str> {
    let key = "customHandler.description.defaultExecutablePath";
    let name = host
        .pointer("/customHandler/description/defaultExecutablePath")
        .and_then(Value::as_str)
        .with_context(|| format!("`host.json`: no `{key}`"))?;
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    ensure!(plain, "`host.json`: `{key}` is `{name}`; write the file's name alone");
    Ok(name)
}

/// A JSON document.
pub(super) fn json(file: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read `{}`", place(file)))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", place(file)))
}

/// The last two parts of a path: enough to find the file, in a package and in the repository.
fn place(file: &Path) -> String {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    match name(Some(file)) {
        function if function == "function.json" => format!("{}/{function}", name(file.parent())),
        other => other,
    }
}

fn check_host(app: &Path, host: &Value, problems: &mut Vec<String>) {
    let mut problem = |text: &str| problems.push(format!("`host.json`: {text}"));
    if host.get("version").and_then(Value::as_str) != Some("2.0") {
        problem("`version` must be the string \"2.0\"");
    }
    if host.get("httpWorker").is_some() {
        problem("`httpWorker` is the old name of `customHandler`: leave it out");
    }
    if host.pointer("/customHandler/http").is_some() {
        problem(
            "`customHandler.http` makes up functions and refuses those in folders: leave it out",
        );
    }
    if host.pointer("/customHandler/port").is_some() {
        problem("`customHandler.port` is the host's to choose: leave it out");
    }
    if host.get("retry").is_some() {
        problem("`retry` would multiply the attempts of queues: leave it out");
    }
    match executable(host) {
        Ok(name) => {
            let file = app.join(name);
            if !file.is_file() {
                problem(&format!("the program `{name}` is not in the package"));
            } else if !may_run(&file) {
                problem(&format!("the program `{name}` may not be run"));
            }
        }
        Err(error) => problems.push(error.to_string()),
    }
}

#[cfg(unix)]
fn may_run(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // All may run it: the host is not the user that unpacked it.
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o555 == 0o555)
}

#[cfg(not(unix))]
fn may_run(_file: &Path) -> bool {
    true
}

/// Every folder with a `function.json`, as the host finds them.
fn read_functions(app: &Path, problems: &mut Vec<String>) -> Result<BTreeMap<String, Value>> {
    let mut functions = BTreeMap::new();
    for entry in fs::read_dir(app)? {
        let path = entry?.path();
        let file = path.join("function.json");
        if !file.is_file() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match json(&file) {
            Ok(definition) => {
                functions.insert(name, definition);
            }
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    Ok(functions)
}

fn check_names(functions: &BTreeMap<String, Value>, host: &Value, problems: &mut Vec<String>) {
    for name in functions.keys() {
        if !is_name(name, &['-', '_']) || name.eq_ignore_ascii_case("host") {
            problems.push(format!(
                "`{name}` is no name of a function: a letter, then letters, digits, `-` and `_`, and not `host`"
            ));
        }
        if !FUNCTIONS.contains(&name.as_str()) {
            problems.push(format!("the function `{name}` is not answered by the handler"));
        }
    }
    for name in FUNCTIONS {
        if !functions.contains_key(name) {
            problems.push(format!("the function `{name}` is missing"));
        }
        let listed = host.get("functions").and_then(Value::as_array);
        if listed.is_some_and(|list| !list.iter().any(|item| item.as_str() == Some(name))) {
            problems.push(format!("`host.json`: `functions` leaves out `{name}`"));
        }
    }
}

/// A letter, then up to 127 letters, digits and these.
fn is_name(name: &str, also: &[char]) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(&c))
}

fn check_function(
    app: &Path,
    name: &str,
    definition: &Value,
    queues: &mut Queues,
    problems: &mut Vec<String>,
) {
    let mut problem = |text: String| problems.push(format!("`{name}/function.json`: {text}"));
    if let Some(script) = definition.get("scriptFile")
        && !script.as_str().is_some_and(|file| app.join(name).join(file).is_file())
    {
        problem("`scriptFile` names no file of the package".to_owned());
    }
    let mut seen = BTreeSet::new();
    let mut triggers = 0;
    for binding in definition.get("bindings").and_then(Value::as_array).into_iter().flatten() {
        let binding = match Binding::read(binding) {
            Ok(binding) => binding,
            Err(error) => {
                problem(error.to_string());
                continue;
            }
        };
        if !seen.insert(binding.name.to_ascii_lowercase()) {
            problem(format!("two bindings are called `{}`", binding.name));
        }
        triggers += usize::from(binding.is_trigger());
        if let Some(queue) = binding.queue {
            queues.add(name, &binding, queue);
        }
    }
    if triggers != 1 {
        problem(format!("it has {triggers} triggers; a function has exactly one"));
    }
}

/// What matters of one entry of `bindings`.
struct Binding<'a> {
    name: &'a str,
    kind: &'a str,
    queue: Option<(&'a str, &'a str)>,
}

impl<'a> Binding<'a> {
    fn read(value: &'a Value) -> Result<Self> {
        let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        ensure!(
            name == "$return" || is_name(name, &[]),
            "`{name}` is no name of a binding: a letter, then letters and digits"
        );
        let kind = text("type");
        ensure!(!kind.is_empty(), "the binding `{name}` has no `type`");
        let direction = if kind.ends_with("Trigger") { "in" } else { "out" };
        ensure!(
            text("direction") == direction,
            "the binding `{name}` ({kind}) must have the direction `{direction}`"
        );
        let queue = match kind {
            "queue" | "queueTrigger" => Some((text("queueName"), text("connection"))),
            _ => None,
        };
        if let Some((queue, _)) = queue
            && !is_queue(queue)
        {
            bail!("the binding `{name}` has no proper `queueName`");
        }
        if kind == "timerTrigger" && text("schedule").is_empty() {
            bail!("the binding `{name}` has no `schedule`");
        }
        Ok(Self { name, kind, queue })
    }

    fn is_trigger(&self) -> bool {
        self.kind.ends_with("Trigger")
    }
}

/// The rules of Storage: 3 to 63 small letters, digits and single hyphens.
fn is_queue(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Who reads and who writes which queue. Both ends must be there: a misspelt name loses messages in silence.
#[derive(Default)]
struct Queues {
    /// Queue and connection, with one function that reads it.
    read: BTreeMap<(String, String), String>,
    /// The same for one that writes it.
    written: BTreeMap<(String, String), String>,
}

impl Queues {
    fn add(&mut self, function: &str, binding: &Binding<'_>, (queue, connection): (&str, &str)) {
        let side = if binding.is_trigger() { &mut self.read } else { &mut self.written };
        side.insert((queue.to_owned(), connection.to_owned()), function.to_owned());
    }

    fn are_used(&self) -> bool {
        !self.read.is_empty() || !self.written.is_empty()
    }

    fn check(&self, problems: &mut Vec<String>) {
        for (key @ (queue, connection), function) in &self.written {
            if !self.read.contains_key(key) {
                problems.push(format!(
                    "`{function}` writes to the queue `{queue}` (connection `{connection}`), which no function reads"
                ));
            }
        }
        for (key @ (queue, connection), function) in &self.read {
            // The host itself moves what failed too often to the queue with this ending.
            let source =
                queue.strip_suffix("-poison").map(|of| (of.to_owned(), connection.clone()));
            let fed = match &source {
                Some(source) => self.read.contains_key(source),
                None => self.written.contains_key(key),
            };
            if !fed {
                problems.push(format!(
                    "`{function}` reads the queue `{queue}` (connection `{connection}`), to which nothing is written"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_host_file_is_held_to_what_the_host_takes() {
        for (pointer, value, says) in [
            ("/version", json!("3.0"), "`version` must be"),
            ("/version", json!(2.0), "`version` must be"),
            ("/version", Value::Null, "`version` must be"),
            ("/httpWorker", json!({}), "`httpWorker`"),
            ("/retry", json!({}), "`retry`"),
            ("/customHandler/http", json!({}), "`customHandler.http`"),
            ("/customHandler/port", json!(8080), "`customHandler.port`"),
            ("/functions", json!(["tick"]), "`functions` leaves out `deliver`"),
            ("/extensionBundle", Value::Null, "queues need `extensionBundle`"),
            ("/customHandler", Value::Null, "no `customHandler.description"),
            (
                "/customHandler/description/defaultExecutablePath",
                json!(""),
                "the file's name alone",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("./hsmwatch"),
                "the file's name alone",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("bin/hsmwatch"),
                "the file's name alone",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("..\\hsmwatch"),
                "the file's name alone",
            ),
        ] {
            let fixture = Fixture::new();
            fixture.change("host.json", pointer, value);
            fixture.refuses(&["host.json", says]);
        }
        let fixture = Fixture::new();
        fixture.write("host.json", "{ // comment\n}");
        fixture.refuses(&["`host.json` is no JSON"]);
    }

    #[test]
    fn functions_are_held_to_what_the_host_takes() {
        let queue = |name: &str| json!({"name": name, "type": "queue", "direction": "out", "queueName": "hsmwatch-deliveries", "connection": "AzureWebJobsStorage"});
        for (pointer, value, says) in [
            ("/bindings", json!([]), "it has 0 triggers"),
            ("/bindings", json!("none"), "it has 0 triggers"),
            ("/bindings/0/type", json!("queue"), "must have the direction `out`"),
            ("/bindings/0/direction", json!("out"), "must have the direction `in`"),
            ("/bindings/0/name", json!("the-timer"), "`the-timer` is no name of a binding"),
            ("/bindings/0/name", Value::Null, "`` is no name of a binding"),
            ("/bindings/0/type", Value::Null, "`timer` has no `type`"),
            ("/bindings/0/schedule", Value::Null, "`timer` has no `schedule`"),
            ("/bindings/1/queueName", Value::Null, "no proper `queueName`"),
            ("/bindings/1/queueName", json!("HSM"), "no proper `queueName`"),
            ("/bindings/1/queueName", json!("hsm--watch"), "no proper `queueName`"),
            ("/bindings/new", queue("Deliveries"), "two bindings are called `Deliveries`"),
            ("/scriptFile", json!("run.sh"), "`scriptFile` names no file"),
        ] {
            let fixture = Fixture::new();
            fixture.change("defs/tick/function.json", pointer, value);
            fixture.refuses(&["`tick/function.json`", says]);
        }
        let fixture = Fixture::new();
        fixture.write("defs/tick/function.json", "{\"bindings\": [");
        fixture.refuses(&["`tick/function.json` is no JSON"]);
    }

    #[test]
    fn the_functions_are_those_of_the_handler() {
        let timer = r#"{"bindings":[{"name":"t","type":"timerTrigger","direction":"in","schedule":"%S%"}]}"#;
        for (name, says) in [
            ("Tick", "the function `Tick` is not answered"),
            ("host", "`host` is no name"),
            ("1st", "`1st` is no name"),
            ("a.b", "`a.b` is no name"),
        ] {
            let fixture = Fixture::new();
            fixture.write(&format!("defs/{name}/function.json"), timer);
            fixture.refuses(&[says]);
        }
        let fixture = Fixture::new();
        fs::remove_dir_all(fixture.path("defs/status")).unwrap();
        fixture.refuses(&["the function `status` is missing"]);
    }

    #[test]
    fn names_end_at_128_characters() {
        assert!(is_name(&"a".repeat(128), &[]));
        assert!(!is_name(&"a".repeat(129), &[]));
        assert!(!is_name("", &[]));
        assert!(!is_name("ä", &[]));
    }

    #[test]
    fn both_ends_of_a_queue_are_there() {
        for (function, pointer, value, says) in [
            (
                "tick",
                "/bindings/1/queueName",
                json!("hsmwatch-evaluation"),
                "`tick` writes to the queue `hsmwatch-evaluation` (connection `AzureWebJobsStorage`), which no function reads",
            ),
            (
                "evaluate",
                "/bindings/0/connection",
                json!("Other"),
                "`evaluate` reads the queue `hsmwatch-evaluations` (connection `Other`), to which nothing is written",
            ),
            (
                "dead-letter",
                "/bindings/0/queueName",
                json!("hsmwatch-delivery-poison"),
                "`dead-letter` reads the queue `hsmwatch-delivery-poison`",
            ),
        ] {
            let fixture = Fixture::new();
            fixture.change(&format!("defs/{function}/function.json"), pointer, value);
            fixture.refuses(&[says]);
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let fixture = Fixture::new();
        fixture.change("host.json", "/version", json!("1"));
        fixture.change("defs/tick/function.json", "/bindings/0/name", json!("-"));
        fixture.change("defs/deliver/function.json", "/bindings/0/queueName", json!("x"));
        fixture.refuses(&["`version`", "`tick/function.json`", "`deliver/function.json`"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_may_not_run_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let fixture = Fixture::new();
        fixture.assemble().unwrap();
        let program = fixture.path("app/hsmwatch");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let error = check(&fixture.path("app")).unwrap_err().to_string();
        assert!(error.contains("`hsmwatch` may not be run"), "{error}");
        fs::remove_file(&program).unwrap();
        let error = check(&fixture.path("app")).unwrap_err().to_string();
        assert!(error.contains("`hsmwatch` is not in the package"), "{error}");
    }
}
