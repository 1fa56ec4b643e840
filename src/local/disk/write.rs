//! Changing a document: the only code that writes, and its order of steps.

use super::format::{Header, random};
use super::{DiskStore, LOCK, TEMPORARY, open_existing, plain};
use crate::ports::{Etag, Meta, StoreError, When};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The steps of a write, in their order. Tests stop after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The temporary file exists.
    Created,
    /// Half of it is written.
    Half,
    /// All of it is written.
    Written,
    /// It is on the disk.
    Synced,
    /// It has the document's name: from here on the new document may be what a reader sees.
    Renamed,
    /// The name is on the disk.
    Settled,
}

impl DiskStore {
    pub(super) fn write_now(
        &self,
        name: &str,
        body: &[u8],
        meta: Meta,
        when: &When,
    ) -> Result<Etag, StoreError> {
        let path = self.path(name)?;
        let failed = |error: &io::Error| {
            StoreError::Failed(format!("cannot write document `{name}`: {}", plain(error)))
        };
        let unknown = |error: &io::Error| {
            StoreError::Unknown(format!("writing document `{name}`: {}", plain(error)))
        };
        let _lock = self.lock()?;
        let holds = match (version(name, &path)?, when) {
            (None, When::Absent) => true,
            (Some(current), When::Matches(etag)) => current == *etag,
            _ => false,
        };
        if !holds {
            return Err(StoreError::Lost(name.to_owned()));
        }
        let directory = path.parent().unwrap_or(&self.root);
        make_directories(directory).map_err(|error| failed(&error))?;
        let header = Header::new(name, body, meta);
        let temporary = Temporary(directory.join(format!("{TEMPORARY}{:016x}", random())));
        if let Err(error) = self.fill(&temporary, &header, body) {
            self.remove(&temporary);
            return Err(failed(&error));
        }
        if let Err(error) = fs::rename(&temporary.0, &path) {
            // Over a network a rename can be done and yet be answered with an error: then its source is gone.
            return Err(match fs::remove_file(&temporary.0) {
                Ok(()) => failed(&error),
                Err(_) => unknown(&error),
            });
        }
        // The old document is gone from here on, and whether the new name survives a power cut is not known.
        self.step(Step::Renamed)
            .and_then(|()| sync_directory(directory))
            .and_then(|()| self.step(Step::Settled))
            .map_err(|error| unknown(&error))?;
        Ok(header.version())
    }

    pub(super) fn delete_now(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let _lock = self.lock()?;
        if let Some(etag) = matches {
            match version(name, &path)? {
                None => return Ok(()),
                Some(current) if current == *etag => {}
                Some(_) => return Err(StoreError::Lost(name.to_owned())),
            }
        }
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(StoreError::Failed(format!(
                    "cannot delete document `{name}`: {}",
                    plain(&error)
                )));
            }
        }
        sync_directory(path.parent().unwrap_or(&self.root)).map_err(|error| {
            StoreError::Unknown(format!("deleting document `{name}`: {}", plain(&error)))
        })
    }

    /// Waits for the lock, which is let go when the file is closed, by a crash too.
    fn lock(&self) -> Result<File, StoreError> {
        let lock = open_lock(&self.root).and_then(|file| file.lock().map(|()| file));
        lock.map_err(|error| {
            StoreError::Failed(format!(
                "cannot lock the state directory `{}`: {}",
                self.root.display(),
                plain(&error)
            ))
        })
    }

    /// Makes the temporary file and puts it on the disk whole.
    fn fill(&self, temporary: &Temporary, header: &Header, body: &[u8]) -> io::Result<()> {
        let mut file = private().write(true).create_new(true).open(&temporary.0)?;
        self.step(Step::Created)?;
        file.write_all(&header.line()?)?;
        let (first, second) = body.split_at_checked(body.len() / 2).unwrap_or((body, &[]));
        file.write_all(first)?;
        self.step(Step::Half)?;
        file.write_all(second)?;
        self.step(Step::Written)?;
        file.sync_all()?;
        self.step(Step::Synced)
    }

    /// Removes the temporary file of a write that failed. If that fails too, the next to open the store does it.
    fn remove(&self, temporary: &Temporary) {
        if !self.crashed() {
            let _ = fs::remove_file(&temporary.0);
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests put faults here")]
    fn step(&self, _: Step) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, step: Step) -> io::Result<()> {
        self.stop.as_ref().map_or(Ok(()), |stop| stop.at(step))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests feign crashes here")]
    fn crashed(&self) -> bool {
        false
    }

    #[cfg(test)]
    fn crashed(&self) -> bool {
        self.stop.as_ref().is_some_and(super::tests::Stop::is_crash)
    }
}

/// The document's version now. A file that is not ours is an error, so that it is never overwritten.
fn version(name: &str, path: &Path) -> Result<Option<Etag>, StoreError> {
    let header = || match open_existing(path)? {
        Some(file) => Header::read(name, &mut BufReader::new(file)).map(Some),
        None => Ok(None),
    };
    let header = header().map_err(|fault: super::Fault| fault.of(name))?;
    Ok(header.map(|header| header.version()))
}

/// A file that becomes a document, or nothing.
struct Temporary(PathBuf);

/// Opens the lock file, making it if need be.
pub(super) fn open_lock(root: &Path) -> io::Result<File> {
    private().create(true).truncate(false).write(true).open(root.join(LOCK))
}

/// Makes a directory and those above it, each entry put on the disk. Only this user may look inside: documents hold what
/// the audit log says.
pub(super) fn make_directories(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new(""));
    make_directories(parent)?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(parent),
    }
}

/// Options for files that only this user may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Puts a directory's entries on the disk. Windows has no such call: there the journal keeps renames.
fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let here = Path::new(".");
        File::open(if directory.as_os_str().is_empty() { here } else { directory })?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        Ok(())
    }
}
