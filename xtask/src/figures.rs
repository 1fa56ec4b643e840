//! `cargo xtask figures`: builds the profile `dist` and measures what the README quotes, against a query service and a
//! receiver on this machine.

use crate::{Usage, root, variable};
use anyhow::{Context as _, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
Measures hsmwatch (profile dist) on this machine and prints the figures as a table.

Usage: cargo xtask figures [--runs N]

  --runs N   runs of each case; the median is printed [default: 5]

Cases: nothing new; 10,000 rows all new and none new; 500,000 rows (about 100 MB) all new, beside bare JSON parsing
of the same bytes. The query service and the receiver are threads of this process.
";

/// One run of the binary.
#[derive(Clone, Copy)]
struct Run {
    wall: Duration,
    /// Peak resident memory in KiB.
    peak: u64,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let runs = match args {
        [] => 5,
        [flag, n] if flag == "--runs" => {
            n.parse().map_err(|_| Usage(format!("`{n}` is not a number of runs")))?
        }
        [flag] if flag == "--help" || flag == "-h" => {
            print!("{HELP}");
            return Ok(());
        }
        _ => bail!(Usage("usage: cargo xtask figures [--runs N]".to_owned())),
    };
    let binary = build()?;
    println!("{}", machine());
    println!("binary, profile dist: {:.2} MB", mb(fs::metadata(&binary)?.len()));
    let bed = Bed::start()?;
    let quiet = bed.case(&binary, runs, 0)?;
    println!("run --once, nothing new: {}", figure(&quiet.none_new));
    let small = bed.case(&binary, runs, 10_000)?;
    println!("10,000 rows all new: {}, {}", figure(&small.all_new), rate(10_000, &small.all_new));
    println!(
        "10,000 rows none new: {}, {}",
        figure(&small.none_new),
        rate(10_000, &small.none_new)
    );
    let large = bed.case(&binary, runs.min(3), 500_000)?;
    println!("500,000 rows all new ({:.0} MB): {}", mb(large.bytes), figure(&large.all_new));
    println!("500,000 rows none new: {}", figure(&large.none_new));
    let bare = median_time(&large.bare);
    println!("bare JSON parsing of the same bytes, in the same runs: {:.2} s", bare.as_secs_f64());
    let ratio = median(&large.all_new).wall.as_secs_f64() / bare.as_secs_f64();
    println!("ratio: {ratio:.2}");
    Ok(())
}

fn build() -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--profile", "dist", "--bin", "hsmwatch"])
        .current_dir(root())
        .status()?;
    if !status.success() {
        bail!("`cargo build --profile dist` failed");
    }
    let target =
        variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
    Ok(target.join("dist/hsmwatch"))
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim())
        })
        .unwrap_or("unknown processor");
    format!("{cores} cores, {model}")
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
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

fn high_water(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// An answer of `rows` deletions in the window that was asked for, as the service writes it: 200 bytes or so a row.
fn make_answer(request: &str, rows: u32) -> Vec<u8> {
    let span = request.split("\"timespan\":\"").nth(1).and_then(|rest| rest.split('"').next());
    // The second in which the window ends, less one: inside for sure, the fractions tell the rows apart.
    let end =
        span.and_then(|span| span.split('/').nth(1)).unwrap_or("2026-01-01T00:00:01.0000000Z");
    let start = span.and_then(|span| span.split('/').next()).unwrap_or(end);
    let second = next_second(start);
    let mut body = String::from(
        r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"OperationName","type":"string"},{"name":"HsmInstance","type":"string"},{"name":"CallerIpAddress","type":"string"},{"name":"TimeGenerated","type":"datetime"},{"name":"ClientInfo","type":"string"},{"name":"_ResourceId","type":"string"}],"rows":["#,
    );
    for n in 0..rows {
        if n > 0 {
            body.push(',');
        }
        let _infallible = write!(
            body,
            r#"["CN_TOMBSTONE_OBJECT","hsm-instance-{}","10.20.{}.{}","{second}.{:07}Z","cloudhsm-cli/5.1 (linux; x86_64)","/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/rg-hsm/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/hsm"]"#,
            n % 3,
            n / 250 % 250,
            n % 250,
            n
        );
    }
    body.push_str("]}]}");
    body.into_bytes()
}

/// The whole second after a time such as `2026-01-01T00:00:00.1234567Z`; carries into the minute, and no further.
fn next_second(time: &str) -> String {
    let (hour, rest) = time.get(..19).unwrap_or("2026-01-01T00:00:00").split_at(14);
    let (minute, second) = rest.split_once(':').unwrap_or(("0", "0"));
    let next = minute.parse::<u32>().unwrap_or(0) * 60 + second.parse::<u32>().unwrap_or(0) + 1;
    format!("{hour}{:02}:{:02}", (next / 60).min(59), next % 60)
}

/// Answers every POST on a port of its own, until the process ends.
fn serve(answer: impl Fn(&str) -> Arc<Vec<u8>> + Send + Sync + 'static) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has gone away is its own business.
            let _gone = converse(&stream, &answer);
        }
    });
    Ok(port)
}

fn converse(stream: &TcpStream, answer: &impl Fn(&str) -> Arc<Vec<u8>>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = answer(&String::from_utf8_lossy(&body));
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body)?;
        stream.flush()?;
    }
}
