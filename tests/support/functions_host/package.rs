//! A function app's folder as the host reads it: `host.json`, the folders with a `function.json` beside it, and what of
//! them is refused.

use super::cron;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// App settings: the environment of the host and of the handler.
pub(crate) type Settings = BTreeMap<String, String>;

/// A function app that the host accepts.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) root: PathBuf,
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) working_directory: PathBuf,
    /// `None`: unbounded.
    pub(crate) function_timeout: Option<Duration>,
    pub(crate) initialization_timeout: Duration,
    /// `enableForwardingHttpRequest`
    pub(crate) forwarding: bool,
    /// Every line on standard error is an error, unless it says "warn".
    pub(crate) errors_only: bool,
    pub(crate) queues: QueueOptions,
    pub(crate) route_prefix: String,
    pub(crate) functions: BTreeMap<String, Function>,
    /// Functions that the host cannot index, and why. It logs that and goes on without them.
    pub(crate) not_indexed: BTreeMap<String, String>,
}

/// `extensions.queues`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueOptions {
    pub(crate) batch: usize,
    pub(crate) threshold: usize,
    pub(crate) max_dequeues: u32,
    /// How long a failed message stays hidden.
    pub(crate) visibility: Duration,
    pub(crate) base64: bool,
}

/// One function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Name of the trigger's binding.
    pub(crate) binding: String,
    pub(crate) trigger: Trigger,
    pub(crate) outputs: BTreeMap<String, Output>,
    /// It has a retry policy: its payload tells of retries.
    pub(crate) retries: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Timer {
        schedule: String,
        /// More often than once a minute: the host keeps no status of it.
        unmonitored: bool,
    },
    Queue {
        queue: String,
    },
    Http {
        methods: Option<Vec<String>>,
        route: String,
        anonymous: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Queue(String),
    Http,
}

impl Package {
    /// Reads a folder, as the host does when it starts.
    pub(crate) fn read(root: &Path, settings: &Settings) -> Result<Self, String> {
        let text = fs::read_to_string(root.join("host.json"))
            .map_err(|error| format!("host.json: {error}"))?;
        let host: Json =
            serde_json::from_str(&text).map_err(|error| format!("host.json: {error}"))?;
        if host["version"] != "2.0" {
            return Err("host.json: `version` must be \"2.0\"".to_owned());
        }
        let handler = &host["customHandler"];
        let description = handler["description"].as_object().ok_or(
            "host.json: `customHandler.description` is missing: no handler would be started",
        )?;
        if !handler["http"].is_null() {
            return Err(
                "host.json: `customHandler.http` does not go with function.json files".to_owned()
            );
        }
        if handler["port"].as_u64().unwrap_or(0) != 0 {
            return Err("host.json: leave `customHandler.port` to the host".to_owned());
        }
        if !host["retry"].is_null() {
            return Err(
                "host.json: `retry` at the top multiplies the attempts of queues".to_owned()
            );
        }
        let working = description.get("workingDirectory").and_then(Json::as_str).unwrap_or("");
        let mut package = Self {
            root: root.to_owned(),
            executable: executable(root, description)?,
            arguments: arguments(description, settings),
            working_directory: root.join(working),
            function_timeout: function_timeout(&host["functionTimeout"])?,
            initialization_timeout: match handler["initializationTimeout"].as_str() {
                Some(text) => time_span(text)
                    .ok_or(format!("host.json: `initializationTimeout` is `{text}`"))?,
                None => Duration::from_secs(30),
            },
            forwarding: handler["enableForwardingHttpRequest"] == true
                || handler["enableProxyingHttpRequest"] == true,
            errors_only: description
                .get("useStdErrorStreamForErrorsOnly")
                .and_then(Json::as_bool)
                .unwrap_or(true),
            queues: queue_options(&host["extensions"]["queues"])?,
            route_prefix: host["extensions"]["http"]["routePrefix"]
                .as_str()
                .unwrap_or("api")
                .to_owned(),
            functions: BTreeMap::new(),
            not_indexed: BTreeMap::new(),
        };
        let only: Option<BTreeSet<String>> = serde_json::from_value(host["functions"].clone()).ok();
        let bundle = host["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle";
        package.index(settings, only.as_ref(), bundle);
        Ok(package)
    }

    /// The folders beside host.json; none below them.
    fn index(&mut self, settings: &Settings, only: Option<&BTreeSet<String>>, bundle: bool) {
        for entry in fs::read_dir(&self.root).unwrap() {
            let folder = entry.unwrap().path();
            let file = folder.join("function.json");
            if !file.is_file() {
                continue;
            }
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            if only.is_some_and(|only| !only.contains(&name)) {
                continue;
            }
            match function(&name, &folder, settings, bundle) {
                Ok(function) => self.functions.insert(name, function).map(|_| ()),
                Err(why) => self.not_indexed.insert(name, why).map(|_| ()),
            };
        }
    }
}

fn executable(root: &Path, description: &Map<String, Json>) -> Result<PathBuf, String> {
    let name = description.get("defaultExecutablePath").and_then(Json::as_str).unwrap_or("");
    if name.is_empty() {
        return Err("host.json: `defaultExecutablePath` is empty".to_owned());
    }
    if name.starts_with("./") {
        return Err(format!(
            "host.json: `{name}`: Core Tools give no exec bit to an entry of another name than `{}`",
            name.trim_start_matches("./")
        ));
    }
    let path = root.join(name);
    if !path.is_file() {
        // The host would search PATH for it; a package brings its own.
        return Err(format!("host.json: there is no `{name}` beside it"));
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    if mode & 0o555 != 0o555 {
        return Err(format!("`{name}` has mode {mode:o}: not everybody may run it"));
    }
    Ok(path)
}

/// One command line, joined by blanks without quotes: an argument with a blank in it falls apart.
fn arguments(description: &Map<String, Json>, settings: &Settings) -> Vec<String> {
    let list = description.get("arguments").and_then(Json::as_array);
    let list = list.into_iter().flatten().filter_map(Json::as_str);
    let line: Vec<String> = list
        // Unknown ones are removed.
        .map(|text| resolve(text, |name| Some(settings.get(name).cloned().unwrap_or_default())))
        .map(Option::unwrap_or_default)
        .collect();
    line.join(" ").split_whitespace().map(str::to_owned).collect()
}

fn function_timeout(value: &Json) -> Result<Option<Duration>, String> {
    match value.as_str() {
        None => Ok(Some(Duration::from_mins(30))),
        Some("-1") => Ok(None),
        Some(text) => match time_span(text) {
            Some(time) if time >= Duration::from_secs(1) => Ok(Some(time)),
            _ => Err(format!("host.json: `functionTimeout` is `{text}`")),
        },
    }
}

fn queue_options(given: &Json) -> Result<QueueOptions, String> {
    let number = |name: &str, default: u64| given[name].as_u64().unwrap_or(default);
    let refused = |name: &str| format!("host.json: `extensions.queues.{name}` is {}", given[name]);
    let batch = number("batchSize", 16);
    if !(1..=32).contains(&batch) {
        return Err(refused("batchSize"));
    }
    let max_dequeues = number("maxDequeueCount", 5);
    if max_dequeues == 0 {
        return Err(refused("maxDequeueCount"));
    }
    let span = |name: &str, default: &str| {
        time_span(given[name].as_str().unwrap_or(default)).ok_or_else(|| refused(name))
    };
    if span("maxPollingInterval", "00:01:00")? < Duration::from_millis(100) {
        return Err(refused("maxPollingInterval"));
    }
    let base64 = match given["messageEncoding"].as_str().map(str::to_ascii_lowercase).as_deref() {
        None | Some("base64") => true,
        Some("none") => false,
        Some(_) => return Err(refused("messageEncoding")),
    };
    Ok(QueueOptions {
        batch: usize::try_from(batch).unwrap(),
        // Of a machine with one core.
        threshold: usize::try_from(number("newBatchThreshold", batch / 2)).unwrap(),
        max_dequeues: u32::try_from(max_dequeues).unwrap(),
        visibility: span("visibilityTimeout", "00:00:00")?,
        base64,
    })
}

fn function(
    name: &str,
    folder: &Path,
    settings: &Settings,
    bundle: bool,
) -> Result<Function, String> {
    let of = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let proper = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(of)
        && !name.eq_ignore_ascii_case("host");
    if !proper {
        return Err("no name of a function".to_owned());
    }
    let text = fs::read_to_string(folder.join("function.json")).unwrap();
    let json: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if let Some(script) = json["scriptFile"].as_str()
        && !folder.join(script).is_file()
    {
        return Err(format!("`scriptFile`: there is no `{script}`"));
    }
    let bindings = json["bindings"].as_array().ok_or("no `bindings`")?;
    let (mut triggers, mut outputs) = (Vec::new(), BTreeMap::new());
    let mut names = BTreeSet::new();
    for binding in bindings {
        let kind = binding["type"].as_str().ok_or("a binding without `type`")?;
        let name = binding["name"].as_str().ok_or("a binding without `name`")?;
        let proper = name == "$return"
            || name.len() <= 128
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric());
        if !proper || !names.insert(name.to_ascii_lowercase()) {
            return Err(format!("`{name}` is no name of a binding, or is there twice"));
        }
        let read = Binding { of: binding, kind, settings };
        if !bundle && kind.to_ascii_lowercase().starts_with("queue") {
            return Err("queues need the extension bundle in host.json".to_owned());
        }
        if kind.ends_with("Trigger") {
            triggers.push((name.to_owned(), read.trigger()?));
        } else {
            outputs.insert(name.to_owned(), read.output()?);
        }
    }
    let Some((binding, trigger)) = triggers.pop().filter(|_| triggers.is_empty()) else {
        return Err("not exactly one trigger".to_owned());
    };
    let http = outputs.values().filter(|output| **output == Output::Http).count();
    if http != usize::from(matches!(trigger, Trigger::Http { .. })) {
        return Err("an http answer goes with an http trigger, and one with one".to_owned());
    }
    let retries = !json["retry"].is_null();
    if retries && !matches!(trigger, Trigger::Timer { .. }) {
        return Err("`retry` multiplies the attempts of queues".to_owned());
    }
    Ok(Function { name: name.to_owned(), binding, trigger, outputs, retries })
}

struct Binding<'a> {
    of: &'a Json,
    kind: &'a str,
    settings: &'a Settings,
}

impl Binding<'_> {
    fn text(&self, name: &str) -> Result<String, String> {
        let given = self.of[name].as_str().ok_or(format!("`{}` needs `{name}`", self.kind))?;
        resolve(given, |name| self.settings.get(name).cloned())
            .ok_or(format!("`{name}`: `{given}` is not among the app settings"))
    }

    fn direction(&self, wanted: &str) -> Result<(), String> {
        let given = self.of["direction"].as_str().unwrap_or("in");
        if given == wanted { Ok(()) } else { Err(format!("`{}` goes {wanted}", self.kind)) }
    }

    /// A connection string, or the address of the service for an identity.
    fn queue(&self) -> Result<String, String> {
        let connection = self.of["connection"].as_str().unwrap_or("AzureWebJobsStorage");
        let set = |name: &str| self.settings.get(name).is_some_and(|value| !value.is_empty());
        if !set(connection)
            && !set(&format!("{connection}__queueServiceUri"))
            && !set(&format!("{connection}__accountName"))
        {
            return Err(format!("the connection `{connection}` is not among the app settings"));
        }
        let queue = self.text("queueName")?;
        let of = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(3..=63).contains(&queue.len())
            || !queue.chars().all(of)
            || queue.starts_with('-')
            || queue.ends_with('-')
            || queue.contains("--")
        {
            return Err(format!("`{queue}` is no name of a queue"));
        }
        Ok(queue)
    }

    fn trigger(&self) -> Result<Trigger, String> {
        self.direction("in")?;
        match self.kind {
            "timerTrigger" => {
                let schedule = self.text("schedule")?;
                let times = cron::seconds(&schedule)
                    .map_err(|why| format!("`schedule`: `{schedule}`: {why}"))?;
                if self.of["runOnStartup"] == true {
                    return Err("`runOnStartup` runs it at every scale event".to_owned());
                }
                let unmonitored = times > 1 || self.of["useMonitor"] == false;
                Ok(Trigger::Timer { schedule, unmonitored })
            }
            "queueTrigger" => Ok(Trigger::Queue { queue: self.queue()? }),
            "httpTrigger" => {
                let methods = self.of["methods"].as_array().map(|methods| {
                    let methods = methods.iter().filter_map(Json::as_str);
                    methods.map(str::to_ascii_uppercase).collect()
                });
                let level = self.of["authLevel"].as_str().unwrap_or("function");
                if !["anonymous", "function", "admin"].contains(&level) {
                    return Err(format!("`authLevel` is `{level}`"));
                }
                Ok(Trigger::Http {
                    methods,
                    route: self.of["route"].as_str().unwrap_or_default().to_owned(),
                    anonymous: level == "anonymous",
                })
            }
            other => Err(format!("this host knows no `{other}`")),
        }
    }

    fn output(&self) -> Result<Output, String> {
        // Without a direction it would be an input, which the handler never hears of.
        if self.of["direction"] != "out" {
            return Err(format!("`{}` goes out", self.kind));
        }
        match self.kind {
            "queue" => Ok(Output::Queue(self.queue()?)),
            "http" => Ok(Output::Http),
            other => Err(format!("this host knows no `{other}`")),
        }
    }
}

/// Puts values in place of `%NAME%`; `None` if one is not known.
fn resolve(text: &str, look_up: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let Some((name, left)) = after.split_once('%') else { break };
        out.push_str(before);
        out.push_str(&look_up(name)?);
        rest = left;
    }
    out.push_str(rest);
    Some(out)
}

/// .NET's `[d.]hh:mm:ss`.
fn time_span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) if days.bytes().all(|b| b.is_ascii_digit()) => {
            (days.parse().ok()?, clock)
        }
        _ => (0_u64, text),
    };
    let parts: Vec<u64> = clock.split(':').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}

#[test]
fn time_spans_are_those_of_dotnet() {
    assert_eq!(time_span("00:05:00"), Some(Duration::from_mins(5)));
    assert_eq!(time_span("1.02:00:03"), Some(Duration::from_secs(26 * 3600 + 3)));
    for bad in ["", "5", "00:60:00", "24:00:00", "-1", "a:b:c"] {
        assert_eq!(time_span(bad), None, "{bad}");
    }
}

#[test]
fn settings_stand_between_percent_signs() {
    let known = |name: &str| (name == "A").then(|| "x".to_owned());
    assert_eq!(resolve("0 %A% 100%", known).unwrap(), "0 x 100%");
    assert_eq!(resolve("%B%", known), None);
}
