//! The handler's process: started with the host's environment, probed until it answers, its lines read, its end judged.

use super::{Inner, Phase, Shared};
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is asked whether it is ready.
const PROBE: Duration = Duration::from_millis(25);
/// Errors are forgotten when there is so much time between two.
const APART: Duration = Duration::from_mins(30);
/// The third error is the last.
const ERRORS: usize = 3;
/// The host keeps this many lines of what was said last.
const LAST_LINES: usize = 3;

/// As the host logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Information,
    Warning,
    Error,
}

/// A line that the handler wrote.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) stderr: bool,
    pub(crate) text: String,
    /// Which of the processes wrote it, counted from 1.
    pub(crate) process: u64,
}

/// A process under way.
pub(super) struct Process {
    pub(super) child: Child,
    /// We killed it: its end is no error.
    pub(super) expected: bool,
}

/// Starts the handler. Answers at once; whoever needs it waits for its phase.
pub(super) fn start(shared: &Arc<Shared>) -> Result<(), String> {
    let mut inner = shared.lock();
    if inner.process.is_some() {
        return Err("the handler is running already".to_owned());
    }
    if shared.package.functions.is_empty() {
        let why = format!("no function was found: {:?}", shared.package.not_indexed);
        inner.phase = Phase::Over(why.clone());
        return Err(why);
    }
    inner.generation += 1;
    let generation = inner.generation;
    let id = shared.guid();
    let package = &shared.package;
    let port = shared.port.to_string();
    let spawned = Command::new(&package.executable)
        .args(&package.arguments)
        .current_dir(&package.working_directory)
        .env_clear()
        .envs(&shared.settings)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
        .env("FUNCTIONS_HTTPWORKER_PORT", &port)
        .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id)
        .env("FUNCTIONS_HTTPWORKER_ID", &id)
        .env("FUNCTIONS_APP_ROOT_PATH", &package.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            // No restart follows: the first invocation waits, and then the host gives up.
            let why = format!("Failed to start Worker Channel: {error}");
            inner.phase = Phase::Over(why.clone());
            return Err(why);
        }
    };
    let readers = [
        read(shared, child.stdout.take().unwrap(), false, generation),
        read(shared, child.stderr.take().unwrap(), true, generation),
    ];
    inner.process = Some(Process { child, expected: false });
    inner.client = client();
    inner.phase = Phase::Starting;
    inner.started = Instant::now();
    drop(inner);
    let watching = Arc::clone(shared);
    std::thread::spawn(move || watch(&watching, generation, readers));
    let probing = Arc::clone(shared);
    shared.spawn(async move { probe(&probing, generation).await });
    Ok(())
}

/// Its own for each process: connections to the former one are of no use.
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Any answer will do.
async fn probe(shared: &Arc<Shared>, generation: u64) {
    let url = format!("http://127.0.0.1:{}/", shared.port);
    let (client, began) = {
        let inner = shared.lock();
        (inner.client.clone(), inner.started)
    };
    let limit = shared.package.initialization_timeout;
    loop {
        let answer =
            tokio::time::timeout(limit.saturating_sub(began.elapsed()), client.get(&url).send())
                .await;
        let ready = match answer {
            Ok(Ok(answer)) => {
                if answer.status() != 200 {
                    shared.problem(format!("`GET /` is answered with {}", answer.status()));
                }
                true
            }
            Ok(Err(error)) if error.is_connect() => false,
            // The connection was there: that counts.
            Ok(Err(_)) => true,
            Err(_) => false,
        };
        if !ready && began.elapsed() >= limit {
            shared.late(generation);
            return;
        }
        if shared.probed(generation, ready.then(|| began.elapsed())) {
            return;
        }
        wait(PROBE).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the host waits")]
pub(super) async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn read(
    shared: &Arc<Shared>,
    from: impl Read + Send + 'static,
    stderr: bool,
    process: u64,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { break };
            let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            let level = level(&text, stderr, shared.package.errors_only);
            if stderr && is_port_error(&text) {
                shared.problem(format!("the host replaces this line by its own: {text}"));
            }
            shared.lock().console.push(Line { level, stderr, text, process });
            shared.told();
        }
    })
}

/// The level that the host gives a line.
fn level(text: &str, stderr: bool, errors_only: bool) -> Level {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if !stderr {
        Level::Information
    } else if says(&["warn"]) {
        Level::Warning
    } else if errors_only || says(&["error", "fail", "severe", "unhandled exception"]) {
        Level::Error
    } else {
        Level::Information
    }
}

fn is_port_error(text: &str) -> bool {
    text.to_lowercase().contains("address already in use") || text.contains("EADDRINUSE")
}

/// Waits for the end of a process and does what the host does then.
fn watch(shared: &Arc<Shared>, generation: u64, readers: [JoinHandle<()>; 2]) {
    let (status, expected) = loop {
        {
            let mut inner = shared.lock();
            let Some(process) = &mut inner.process else { return };
            if let Some(status) = process.child.try_wait().unwrap() {
                break (status, process.expected);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    for reader in readers {
        reader.join().unwrap();
    }
    let restart = {
        let mut inner = shared.lock();
        inner.process = None;
        inner.exits.push(status.code());
        let restart = if expected {
            inner.phase = Phase::Stopped;
            false
        } else {
            inner.judge(status, generation)
        };
        restart && !shared.closing.load(Ordering::Relaxed)
    };
    shared.told();
    if restart {
        let _ = start(shared);
        shared.told();
    }
}

impl Shared {
    /// Kills a process that is not ready in time. That is an error of its own: it is started again.
    fn late(&self, generation: u64) {
        let mut inner = self.lock();
        if inner.generation == generation
            && let Some(process) = &mut inner.process
        {
            let _gone = process.child.kill();
            inner.problems.push("the handler was not ready in time".to_owned());
        }
    }

    /// Notes what a probe found. Answers whether there is no need for another.
    fn probed(&self, generation: u64, ready: Option<Duration>) -> bool {
        let mut inner = self.lock();
        if inner.generation != generation || inner.process.is_none() {
            return true;
        }
        if let Some(took) = ready {
            inner.ready_in.push(took);
            inner.phase = Phase::Ready;
        }
        drop(inner);
        self.told();
        ready.is_some()
    }
}

impl Inner {
    /// Whether a process that ended is started again.
    fn judge(&mut self, status: ExitStatus, generation: u64) -> bool {
        let code = status.code();
        match code {
            Some(0) => {
                self.problems
                    .push("the handler ended with code 0: it is not started again".to_owned());
                self.phase = Phase::Over("the handler ended with code 0".to_owned());
                return false;
            }
            Some(200) => return true,
            _ => {}
        }
        let last: Vec<&str> = self
            .console
            .iter()
            .filter(|line| line.stderr && line.process == generation)
            .map(|line| line.text.as_str())
            .collect();
        let last = last[last.len().saturating_sub(LAST_LINES)..].join("\n");
        let why = format!("the handler exited with code {}\n{last}", code.unwrap_or(137));
        let now = Instant::now();
        if self.errors.last().is_some_and(|before| now - *before > APART) {
            self.errors.clear();
        }
        self.errors.push(now);
        self.failures.push(why.clone());
        if self.errors.len() >= ERRORS {
            self.problems.push(format!("Exceeded http worker restart retry count: {why}"));
            self.phase = Phase::Over(format!("Exceeded http worker restart retry count: {why}"));
            return false;
        }
        true
    }
}

#[test]
fn lines_get_the_levels_of_the_host() {
    assert_eq!(level("Error!", false, true), Level::Information);
    assert_eq!(level("all is well", true, true), Level::Error);
    assert_eq!(level("WARN: it rains", true, true), Level::Warning);
    assert_eq!(level("an error, be warned", true, true), Level::Warning);
    assert_eq!(level("all is well", true, false), Level::Information);
    assert_eq!(level("it failed", true, false), Level::Error);
}
