//! The watcher on one machine: `run --once`, wall time and peak memory, against a query service and a receiver.

use super::service::{make_answer, serve};
use super::{high_water, mb};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// One run of the binary.
#[derive(Clone, Copy)]
struct Run {
    wall: Duration,
    /// Peak resident memory in KiB.
    peak: u64,
}

/// Nothing new; 10,000 rows all new and none new; 500,000 rows, beside bare JSON parsing of the same bytes.
pub(super) fn measure(binary: &Path, runs: usize) -> Result<()> {
    let bed = Bed::start()?;
    let quiet = bed.case(binary, runs, 0)?;
    println!("run --once, nothing new: {}", figure(&quiet.none_new));
    let small = bed.case(binary, runs, 10_000)?;
    println!("10,000 rows all new: {}, {}", figure(&small.all_new), rate(10_000, &small.all_new));
    println!(
        "10,000 rows none new: {}, {}",
        figure(&small.none_new),
        rate(10_000, &small.none_new)
    );
    let large = bed.case(binary, runs.min(3), 500_000)?;
    println!("500,000 rows all new ({:.0} MB): {}", mb(large.bytes), figure(&large.all_new));
    println!("500,000 rows none new: {}", figure(&large.none_new));
    let bare = median_time(&large.bare);
    println!("bare JSON parsing of the same bytes, in the same runs: {:.2} s", bare.as_secs_f64());
    let ratio = median(&large.all_new).wall.as_secs_f64() / bare.as_secs_f64();
    println!("ratio: {ratio:.2}");
    Ok(())
}

fn median(runs: &[Run]) -> Run {
    let mut walls: Vec<Duration> = runs.iter().map(|run| run.wall).collect();
    let mut peaks: Vec<u64> = runs.iter().map(|run| run.peak).collect();
    walls.sort_unstable();
    peaks.sort_unstable();
    let middle = runs.len() / 2;
    Run {
        wall: walls.get(middle).copied().unwrap_or_default(),
        peak: peaks.get(middle).copied().unwrap_or_default(),
    }
}

fn median_time(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn figure(runs: &[Run]) -> String {
    let Run { wall, peak } = median(runs);
    format!("{:.3} s, peak {:.1} MB", wall.as_secs_f64(), mb(peak * 1024))
}

fn rate(rows: u32, runs: &[Run]) -> String {
    format!("{:.0} rows/s", f64::from(rows) / median(runs).wall.as_secs_f64())
}

/// What the runs of a case gave.
struct Case {
    all_new: Vec<Run>,
    none_new: Vec<Run>,
    bare: Vec<Duration>,
    bytes: u64,
}

/// The services on this machine.
struct Bed {
    logs: u16,
    receiver: u16,
    answer: Arc<Mutex<Answer>>,
}

/// What the query service answers: made for the window of the first query, and the same from then on.
#[derive(Default)]
struct Answer {
    rows: u32,
    body: Option<Arc<Vec<u8>>>,
}

impl Bed {
    fn start() -> Result<Self> {
        let answer: Arc<Mutex<Answer>> = Arc::default();
        let shared = Arc::clone(&answer);
        let logs = serve(move |request| {
            let mut answer = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let rows = answer.rows;
            let body = answer.body.get_or_insert_with(|| Arc::new(make_answer(request, rows)));
            Arc::clone(body)
        })?;
        let receiver = serve(|_| Arc::new(b"{}".to_vec()))?;
        Ok(Self { logs, receiver, answer })
    }

    fn case(&self, binary: &Path, runs: usize, rows: u32) -> Result<Case> {
        let mut case =
            Case { all_new: Vec::new(), none_new: Vec::new(), bare: Vec::new(), bytes: 0 };
        for _ in 0..runs {
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) =
                Answer { rows, body: None };
            let dir = std::env::temp_dir().join(format!("hsmwatch-figures-{}", std::process::id()));
            let _absent = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir)?;
            fs::write(dir.join("hsmwatch.toml"), self.config())?;
            // The watch begins; the first query makes the answer, the next one finds it told.
            once(binary, &dir)?;
            thread::sleep(Duration::from_millis(2100));
            case.all_new.push(once(binary, &dir)?);
            thread::sleep(Duration::from_millis(1100));
            case.none_new.push(once(binary, &dir)?);
            let body = self.answer.lock().unwrap_or_else(PoisonError::into_inner).body.clone();
            let body = body.context("the query service was not asked")?;
            case.bytes = body.len() as u64;
            let began = Instant::now();
            let parsed: serde_json::Value = serde_json::from_slice(&body)?;
            case.bare.push(began.elapsed());
            drop(parsed);
            fs::remove_dir_all(&dir)?;
        }
        Ok(case)
    }

    fn config(&self) -> String {
        format!(
            r#"every = "1s"
presets = ["key-delete"]
[state]
path = "state"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
endpoint = "http://127.0.0.1:{}"
[[receiver]]
name = "sink"
kind = "webhook"
url = "http://127.0.0.1:{}/sink"
unsigned = true
"#,
            self.logs, self.receiver
        )
    }
}

/// One `run --once`, with its wall time and the highest resident memory that was seen.
fn once(binary: &Path, dir: &Path) -> Result<Run> {
    let began = Instant::now();
    let mut child = Command::new(binary)
        .args(["run", "--once"])
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    let ended = loop {
        // The kernel keeps the high-water mark: only what happens after the last look is missed.
        if let Some(kib) = high_water(&status) {
            peak = peak.max(kib);
        }
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let wall = began.elapsed();
    if !ended.success() {
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        bail!("`run --once` failed: {said}");
    }
    Ok(Run { wall, peak })
}
