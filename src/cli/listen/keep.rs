//! Keeps requests as files that `verify` reads.

use super::super::inbox::MAX_BODY;
use super::super::report::Stop;
use super::show::Shown;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Files that one run writes at most: a thousand of 1 MB.
pub(super) const MAX_FILES: u32 = 1_000;
const _: () = assert!(MAX_BODY <= 1 << 20);

/// Headers whose values let somebody in: they are not kept.
const CREDENTIALS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-api-key"];

/// A folder that requests are kept in.
#[derive(Debug)]
pub(super) struct Keep {
    folder: PathBuf,
    kept: u32,
    next: u32,
}

impl Keep {
    /// Makes the folder, if it is not there.
    pub(super) fn open(folder: &Path) -> Result<Self, Stop> {
        std::fs::create_dir_all(folder).map_err(|e| {
            Stop::usage(format!("cannot keep requests in `{}`: {e}", folder.display()))
        })?;
        Ok(Self { folder: folder.to_owned(), kept: 0, next: 1 })
    }

    /// Writes a request and answers the file's name; `None` once there are enough.
    pub(super) fn keep(&mut self, one: &Shown) -> Result<Option<String>, String> {
        if self.kept >= MAX_FILES {
            return Ok(None);
        }
        let (name, mut file) = self.file(one).map_err(|e| self.failed(&e))?;
        file.write_all(&raw(one)).map_err(|e| self.failed(&e))?;
        self.kept += 1;
        Ok(Some(name))
    }

    fn failed(&self, error: &std::io::Error) -> String {
        format!("cannot keep the request in `{}`: {error}", self.folder.display())
    }

    /// The next name that no file has: those of earlier runs stay.
    fn file(&mut self, one: &Shown) -> std::io::Result<(String, File)> {
        loop {
            let name = format!("{:04}-{}.http", self.next, one.gist.shape.as_str());
            self.next += 1;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            // Alerts are nobody else's business.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(self.folder.join(&name)) {
                Ok(file) => return Ok((name, file)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The request as raw HTTP.
fn raw(one: &Shown) -> Vec<u8> {
    let arrival = &one.arrival;
    let mut raw = format!("{} {} HTTP/1.1\r\n", arrival.method, arrival.path());
    for (name, value) in &arrival.captured.headers {
        let secret = CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential));
        let value = if secret { "(not kept)" } else { value };
        raw.extend([name, ": ", value, "\r\n"]);
    }
    raw.push_str("\r\n");
    let mut raw = raw.into_bytes();
    raw.extend_from_slice(arrival.captured.body.bytes());
    raw
}
