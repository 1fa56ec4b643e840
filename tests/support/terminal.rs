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
    /// As it came: a chunk may end anywhere, in a character or before a line's end.
    bytes: Vec<u8>,
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
        Self { child, pty, chunks, bytes: Vec::new(), at: 0 }
    }

    /// Waits until this has been asked, after all that was waited for before.
    pub(crate) fn asks(&mut self, text: &str) -> &mut Self {
        let wanted = text.as_bytes();
        loop {
            let (_, ahead) = self.bytes.split_at(self.at);
            if let Some(found) = ahead.windows(wanted.len()).position(|part| part == wanted) {
                self.at += found + wanted.len();
                return self;
            }
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.bytes.extend(chunk),
                Err(e) => panic!("`{text}` is not asked ({e}):\n{}", self.seen()),
            }
        }
    }

    /// All that was to be seen so far.
    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.bytes).replace("\r\n", "\n")
    }

    /// Types this.
    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        (&*self.pty).write_all(text.as_bytes()).unwrap();
        self
    }

    /// Waits for the end: how it ended, and all that was to be seen.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        while let Ok(chunk) = self.chunks.recv_timeout(PATIENCE) {
            self.bytes.extend(chunk);
        }
        (self.child.wait().unwrap(), self.seen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}
