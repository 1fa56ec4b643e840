//! A program on a terminal: waits for what it asks, and types.

use pty_process::blocking::{Command, Pty, open};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a program that hangs is waited for. Nothing waits for this that goes well.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    chunks: Receiver<Vec<u8>>,
    seen: String,
    /// Up to where what was seen has been waited for.
    at: usize,
}

impl Terminal {
    /// The program, with these arguments, in this folder; no variables.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let (pty, pts) = open().unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
        let child = command.args(arguments).current_dir(folder).env_clear().spawn(pts).unwrap();
        let pty = Arc::new(pty);
        let (sender, chunks) = channel();
        let reading = Arc::clone(&pty);
        // Ends with the program: a terminal that nobody holds cannot be read.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = (&*reading).read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, pty, chunks, seen: String::new(), at: 0 }
    }

    /// Waits until this has been asked, after all that was waited for before.
    pub(crate) fn asks(&mut self, text: &str) -> &mut Self {
        loop {
            if let Some(found) = self.seen.get(self.at..).unwrap().find(text) {
                self.at += found + text.len();
                return self;
            }
            let chunk = self.chunks.recv_timeout(PATIENCE);
            let chunk =
                chunk.unwrap_or_else(|e| panic!("`{text}` is not asked ({e}):\n{}", self.seen));
            self.seen.push_str(&String::from_utf8(chunk).unwrap().replace("\r\n", "\n"));
        }
    }

    /// Types this.
    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        (&*self.pty).write_all(text.as_bytes()).unwrap();
        self
    }

    /// Waits for the end: how it ended, and all that was to be seen.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        while let Ok(chunk) = self.chunks.recv_timeout(PATIENCE) {
            self.seen.push_str(&String::from_utf8(chunk).unwrap().replace("\r\n", "\n"));
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}
