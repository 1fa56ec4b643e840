//! State in a directory: a document is a file, and compare-and-swap happens under a lock file.
//!
//! A write makes a temporary file beside the document, syncs it, renames it over the document and syncs the directory. So
//! a document is always whole, the old or the new one, wherever a crash falls. Readers take no lock. Why files and not an
//! embedded database: `docs/adr/0002-state-on-disk.md`.

mod format;
mod write;

#[cfg(test)]
mod tests;

use crate::ports::names::{check_meta, check_name};
use crate::ports::{Document, Etag, Listed, Meta, StateStore, StoreError, When};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use format::Header;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// Ends the file name of a document. `@` occurs in no name, so no document can be taken for a directory, a temporary file
/// or the lock.
const SUFFIX: &str = "@doc";
/// Begins the name of a temporary file.
const TEMPORARY: &str = "@tmp-";
/// The lock file, in the state directory itself.
const LOCK: &str = "@lock";

/// Documents in a directory. Cheap to clone; several stores and processes may share a directory.
#[derive(Clone, Debug)]
pub struct DiskStore {
    root: PathBuf,
    /// Tests stop a write here.
    #[cfg(test)]
    stop: Option<tests::Stop>,
}

/// What is wrong with a file.
#[derive(Debug)]
enum Fault {
    /// The system said no.
    Io(io::Error),
    /// It is not what a write of ours leaves, at whatever point it stops.
    Damaged(&'static str),
    /// A later version of this program wrote it.
    Format(u32),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Fault {
    /// As the caller gets it.
    fn of(self, name: &str) -> StoreError {
        StoreError::Failed(match self {
            Self::Io(error) => format!("cannot read document `{name}`: {}", plain(&error)),
            Self::Damaged(why) => format!(
                "document `{name}` is damaged: {why}; put back its file from a backup, or delete the file to begin anew"
            ),
            Self::Format(format) => format!(
                "document `{name}` has format {format}, which a later version of hsmwatch wrote: run that version"
            ),
        })
    }
}

/// The system's words, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full: make room".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "permission denied: let this user read and write the state directory".to_owned()
        }
        ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}

impl DiskStore {
    /// Opens the store in `root`, makes the directory if need be, and removes what crashed writes left behind. Blocks for
    /// as long as the disk does, and never for another process.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let failed = |what: &str, error: &io::Error| {
            StoreError::Failed(format!("{what} `{}`: {}", root.display(), plain(error)))
        };
        write::make_directories(&root)
            .map_err(|error| failed("cannot make the state directory", &error))?;
        let lock = write::open_lock(&root)
            .map_err(|error| failed("cannot make a lock file in the state directory", &error))?;
        match lock.try_lock() {
            // Temporary files live only under the lock: those seen while we hold it were left by the dead.
            Ok(()) => remove_temporaries(&root)
                .map_err(|error| failed("cannot read the state directory", &error))?,
            // Someone is writing right now; the next to open cleans up.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(failed("cannot lock files in the state directory", &error));
            }
        }
        Ok(Self {
            root,
            #[cfg(test)]
            stop: None,
        })
    }

    /// Where a document lives. Upper-case letters are escaped, for file systems that do not tell them apart.
    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        check_name(name)?;
        let mut path = self.root.clone();
        let mut words = name.split('/').peekable();
        while let Some(word) = words.next() {
            let mut file = escape(word);
            if words.peek().is_none() {
                file.push_str(SUFFIX);
            }
            path.push(file);
        }
        Ok(path)
    }

    fn read_now(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let path = self.path(name)?;
        let read = || -> Result<Option<Document>, Fault> {
            let Some(file) = open_existing(&path)? else { return Ok(None) };
            let mut file = BufReader::new(file);
            let header = Header::read(name, &mut file)?;
            let body = header.body(&mut file)?;
            Ok(Some(Document { body, etag: header.version(), meta: header.meta }))
        };
        read().map_err(|fault| fault.of(name))
    }

    fn list_now(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        // Only the directory that the prefix names is walked; a prefix that no name can have finds nothing.
        let (directory, words) = match prefix.rsplit_once('/') {
            Some((words, _)) if check_name(words).is_err() => return Ok(Vec::new()),
            Some((words, _)) => (
                words.split('/').map(escape).fold(self.root.clone(), |path, word| path.join(word)),
                format!("{words}/"),
            ),
            None => (self.root.clone(), String::new()),
        };
        let mut listed = Vec::new();
        walk(&directory, &words, prefix, &mut listed)?;
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }
}

/// Opens a file if there is one.
fn open_existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists the documents below `directory`, whose names begin with `words`.
fn walk(
    directory: &Path,
    words: &str,
    prefix: &str,
    listed: &mut Vec<Listed>,
) -> Result<(), StoreError> {
    let failed = |error: &io::Error| {
        StoreError::Failed(format!("cannot list `{}`: {}", directory.display(), plain(error)))
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed(&error))?;
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        if let Some(word) = file_name.strip_suffix(SUFFIX).and_then(unescape) {
            let name = format!("{words}{word}");
            if name.starts_with(prefix) && check_name(&name).is_ok() {
                let line = list_one(&name, &entry.path()).map_err(|fault| fault.of(&name))?;
                listed.extend(line);
            }
        } else if let Some(word) = unescape(file_name) {
            let words = format!("{words}{word}/");
            let apart = !words.starts_with(prefix) && !prefix.starts_with(&words);
            if !apart && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&entry.path(), &words, prefix, listed)?;
            }
        }
    }
    Ok(())
}

/// A document's line in a listing, unless it was deleted meanwhile.
fn list_one(name: &str, path: &Path) -> Result<Option<Listed>, Fault> {
    let Some(file) = open_existing(path)? else { return Ok(None) };
    let modified = DateTime::<Utc>::from(file.metadata()?.modified()?);
    let header = Header::read(name, &mut BufReader::new(file))?;
    let etag = header.version();
    Ok(Some(Listed { name: name.to_owned(), etag, meta: header.meta, modified }))
}

/// Removes temporary files. The caller holds the lock.
fn remove_temporaries(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(TEMPORARY)) {
            fs::remove_file(entry.path())?;
        } else if entry.file_type()?.is_dir() && is_word(&name) {
            remove_temporaries(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether a directory of this name is ours.
fn is_word(name: &OsStr) -> bool {
    name.to_str().and_then(unescape).is_some_and(|word| check_name(&word).is_ok())
}

/// `A` becomes `+a`.
fn escape(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii_uppercase() {
            out.push('+');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The word that [`escape`] made this of, if it did.
fn unescape(file: &str) -> Option<String> {
    let mut word = String::with_capacity(file.len());
    let mut chars = file.chars();
    while let Some(c) = chars.next() {
        let c = if c == '+' { chars.next()?.to_ascii_uppercase() } else { c };
        word.push(c);
    }
    (escape(&word) == file).then_some(word)
}

#[async_trait]
impl StateStore for DiskStore {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let (store, name) = (self.clone(), name.to_owned());
        blocking(move || store.read_now(&name)).await
    }

    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        check_meta(name, &meta)?;
        let (store, name) = (self.clone(), name.to_owned());
        blocking(move || store.write_now(&name, &body, meta, &when)).await
    }

    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        let (store, name, matches) = (self.clone(), name.to_owned(), matches.cloned());
        blocking(move || store.delete_now(&name, matches.as_ref())).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        blocking(move || store.list_now(&prefix)).await
    }
}

/// Disks block. Work that was begun goes on to its end, whoever still waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unknown("the work was cut off".to_owned())),
    }
}
