//! The program as it runs for long: its log lines as they come, signals, and how it ended.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);

type Lines = Arc<(Mutex<Vec<String>>, Condvar)>;

/// A running daemon; killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    lines: Lines,
    reader: Option<JoinHandle<()>>,
    stdout: Option<JoinHandle<String>>,
}

/// How a daemon ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// From the signal to the end.
    pub(crate) took: Duration,
}

impl Daemon {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = Lines::default();
        let (stderr, into) = (child.stderr.take().unwrap(), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                into.0.lock().unwrap().push(line.unwrap());
                into.1.notify_all();
            }
        });
        let mut stdout = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, reader: Some(reader), stdout: Some(stdout) }
    }

    /// Waits for the n-th log line that has this text in it.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, n: usize) -> String {
        let (lines, news) = &*self.lines;
        let found = |lines: &Vec<String>| {
            lines.iter().filter(|line| line.contains(text)).nth(n - 1).cloned()
        };
        let (lines, _) = news
            .wait_timeout_while(lines.lock().unwrap(), PATIENCE, |lines| found(lines).is_none())
            .unwrap();
        found(&lines).unwrap_or_else(|| panic!("`{text}` was not logged:\n{}", lines.join("\n")))
    }

    /// SIGTERM, and how it ends.
    pub(crate) fn terminate(self) -> Ended {
        self.end("TERM")
    }

    /// A signal, and how it ends.
    pub(crate) fn end(self, signal: &str) -> Ended {
        let pid = self.child.id();
        let sent =
            Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().unwrap();
        assert!(sent.success());
        self.ended()
    }

    /// How it ends by itself.
    pub(crate) fn ended(mut self) -> Ended {
        let began = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(began.elapsed() < Duration::from_mins(1), "it does not stop");
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = began.elapsed();
        self.reader.take().unwrap().join().unwrap();
        let stdout = self.stdout.take().unwrap().join().unwrap();
        Ended { code, stdout, stderr: self.lines.0.lock().unwrap().join("\n"), took }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
