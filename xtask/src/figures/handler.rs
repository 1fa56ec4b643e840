//! The function app: how soon it answers, how soon it tells, and what it keeps in memory.

use super::service::{ask, make_answer, serve};
use super::{high_water, mb, memory};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How often the handler is started.
const STARTS: usize = 20;
/// How many ticks it gets in one life.
const TICKS: usize = 1000;
/// Workspaces in that life; with four rules each.
const WORKSPACES: usize = 8;
/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints the figures of the app in the folder `app`; `out` is for configuration and state.
pub(super) fn measure(app: &Path, out: &Path) -> Result<()> {
    let bed = Bed::start()?;
    let home = fresh(out)?;
    fs::write(home.join("hsmwatch.toml"), bed.config(&["key-delete"], 1))?;
    let (mut ready, mut told) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let _absent = fs::remove_dir_all(home.join("state"));
        // A life before: the watch begins. What happens from then on is told.
        let before = Handler::start(app, &home)?;
        before.tick()?;
        drop(before);
        thread::sleep(Duration::from_millis(2100));
        bed.rows.store(1, Ordering::Relaxed);
        let handler = Handler::start(app, &home)?;
        ready.push(handler.ready);
        for ticket in handler.tick()? {
            handler.deliver(&ticket)?;
        }
        let arrived = bed.arrivals.recv_timeout(PATIENCE).context("no alert arrived")?;
        told.push(arrived.duration_since(handler.began));
        bed.rows.store(0, Ordering::Relaxed);
    }
    println!("start to first 200 on `GET /`: {}", spread(ready));
    println!("start to first alert received, host's queue left out: {}", spread(told));

    let presets = ["tutorial"];
    fs::write(home.join("hsmwatch.toml"), bed.config(&presets, WORKSPACES))?;
    fs::remove_dir_all(home.join("state"))?;
    let handler = Handler::start(app, &home)?;
    thread::sleep(Duration::from_secs(1));
    println!("resident memory, idle: {:.1} MB", mb(handler.memory("VmRSS:")? * 1024));
    let before = bed.queries.load(Ordering::Relaxed);
    let began = Instant::now();
    for _ in 0..TICKS {
        handler.tick()?;
        // Rules are due once a second: so most ticks find work, and the host leaves pauses too.
        thread::sleep(Duration::from_millis(40));
    }
    println!(
        "resident memory, after {TICKS} ticks in {:.0} s with {} queries of {} watches: {:.1} MB, at most {:.1} MB",
        began.elapsed().as_secs_f64(),
        bed.queries.load(Ordering::Relaxed) - before,
        WORKSPACES * 4,
        mb(handler.memory("VmRSS:")? * 1024),
        mb(high_water(&handler.status).context("no `VmHWM`")? * 1024)
    );
    drop(handler);
    fs::remove_dir_all(home)?;
    Ok(())
}

/// An empty folder.
pub(super) fn fresh(out: &Path) -> Result<PathBuf> {
    let home = out.join("home");
    let _absent = fs::remove_dir_all(&home);
    fs::create_dir_all(&home)?;
    Ok(home)
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3;
    format!(
        "median {:.1} ms, {:.1} to {:.1} ms ({} starts)",
        at(times.len() / 2),
        at(0),
        at(times.len().saturating_sub(1)),
        times.len()
    )
}

/// The services on this machine.
pub(super) struct Bed {
    logs: u16,
    receiver: u16,
    /// How many rows a query finds.
    pub(super) rows: Arc<AtomicU32>,
    /// How many queries were asked.
    pub(super) queries: Arc<AtomicUsize>,
    /// When alerts arrive.
    arrivals: Receiver<Instant>,
}

impl Bed {
    pub(super) fn start() -> Result<Self> {
        let rows = Arc::new(AtomicU32::new(0));
        let queries = Arc::new(AtomicUsize::new(0));
        let (shared, counted) = (Arc::clone(&rows), Arc::clone(&queries));
        let logs = serve(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            Arc::new(make_answer(request, shared.load(Ordering::Relaxed)))
        })?;
        let (arrived, arrivals) = mpsc::channel();
        let receiver = serve(move |_| {
            // Nobody listens where arrivals do not matter.
            let _nobody = arrived.send(Instant::now());
            Arc::new(b"{}".to_vec())
        })?;
        Ok(Self { logs, receiver, rows, queries, arrivals })
    }

    /// Presets or sets of them, over so many workspaces; state in a folder.
    fn config(&self, presets: &[&str], workspaces: usize) -> String {
        self.config_with(&format!("presets = {presets:?}"), "path = \"state\"", "", workspaces)
    }

    pub(super) fn config_with(
        &self,
        root: &str,
        state: &str,
        rules: &str,
        workspaces: usize,
    ) -> String {
        let mut text = format!("every = \"1s\"\n{root}\n[state]\n{state}\n");
        for n in 0..workspaces {
            let _infallible = write!(
                text,
                "[[workspace]]\nname = \"w{n}\"\nid = \"11111111-2222-3333-4444-{n:012}\"\nendpoint = \"http://127.0.0.1:{}\"\n",
                self.logs
            );
        }
        let _infallible = write!(
            text,
            "[[receiver]]\nname = \"sink\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/sink\"\nunsigned = true\n{rules}\n",
            self.receiver
        );
        text
    }
}

/// A running handler; killed as the host kills it.
pub(super) struct Handler {
    child: Child,
    port: u16,
    status: PathBuf,
    /// When it was started.
    began: Instant,
    /// From there to its first answer.
    ready: Duration,
}

impl Handler {
    /// Starts the app as the host does, with the configuration in `home`.
    pub(super) fn start(app: &Path, home: &Path) -> Result<Self> {
        let host: Json = serde_json::from_slice(&fs::read(app.join("host.json"))?)?;
        let description =
            host.pointer("/customHandler/description").context("no `customHandler.description`")?;
        let arguments: Vec<String> = match description.get("arguments") {
            Some(arguments) => serde_json::from_value(arguments.clone())?,
            None => Vec::new(),
        };
        let program =
            description.get("defaultExecutablePath").and_then(Json::as_str).unwrap_or("hsmwatch");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = home.join("handler.log");
        let began = Instant::now();
        let child = Command::new(app.join(program))
            .args(arguments)
            .current_dir(app)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("HSMWATCH_CONFIG", home.join("hsmwatch.toml"))
            .stdout(File::create(&log)?)
            .stderr(Stdio::inherit())
            .spawn()?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut handler = Self { child, port, status, began, ready: Duration::ZERO };
        while ask(port, "GET", "/", "").is_err() {
            ensure!(began.elapsed() < PATIENCE, "the handler does not answer: {}", log.display());
            thread::sleep(Duration::from_millis(1));
        }
        handler.ready = began.elapsed();
        Ok(handler)
    }

    /// One tick of the timer, and the tickets that come of it.
    pub(super) fn tick(&self) -> Result<Vec<String>> {
        let body = json!({
            "Data": {"timer": {"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false}},
            "Metadata": {"sys": {"MethodName": "tick", "UtcNow": "2026-01-01T00:00:00Z", "RandGuid": "0"}},
        });
        let answer = ask(self.port, "POST", "/tick", &body.to_string())?;
        let answer: Json = serde_json::from_slice(&answer)?;
        let tickets = answer.pointer("/Outputs/deliveries").and_then(Json::as_array);
        Ok(tickets.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect())
    }

    /// One message of the queue, in the host's encoding: JSON text within JSON text.
    pub(super) fn deliver(&self, ticket: &str) -> Result<()> {
        let body = json!({
            "Data": {"ticket": json!(ticket).to_string()},
            "Metadata": {"DequeueCount": "1", "sys": {"MethodName": "deliver"}},
        });
        ask(self.port, "POST", "/deliver", &body.to_string()).map(drop)
    }

    fn memory(&self, line: &str) -> Result<u64> {
        memory(&self.status, line).with_context(|| format!("no `{line}`"))
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
