//! Writing the file: whole or not at all, and over nothing without being told to.

use super::super::report::Stop;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Whether a file may be written here: asked before any question is, and once more by writing.
pub(super) fn may(path: &Path, force: bool) -> Result<(), Stop> {
    let Ok(there) = fs::symlink_metadata(path) else {
        let folder = folder(path);
        return if folder.is_dir() {
            Ok(())
        } else {
            Err(Stop::no(format!("there is no folder `{}`", folder.display()))
                .hint("make it first"))
        };
    };
    if !force {
        return Err(exists(path));
    }
    // A link is followed, to what it leads to.
    let there = if there.is_symlink() { fs::metadata(path) } else { Ok(there) };
    match there {
        Ok(there) if there.is_file() => Ok(()),
        Ok(_) => Err(Stop::no(format!("`{}` is there and is no file", path.display()))),
        Err(e) => Err(failed(path, &e)),
    }
}

/// Writes a file: beside its place first, and then there in one step.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), Stop> {
    let path = &if force { real(path) } else { path.to_owned() };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hsmwatch-init-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any new file: there is no secret in it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let written = builder.tempfile_in(folder(path)).map_err(plain).and_then(|mut file| {
        // What is written over keeps who may read it.
        if let (true, Ok(there)) = (force, fs::metadata(path)) {
            file.as_file().set_permissions(there.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        let kept = if force { file.persist(path) } else { file.persist_noclobber(path) };
        // What could not be kept is removed with the error.
        kept.map(drop).map_err(|e| e.error)
    });
    written.map_err(|e| {
        if e.kind() == ErrorKind::AlreadyExists { exists(path) } else { failed(path, &e) }
    })
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Without the name of the file that was to be made beside, which says nothing to anybody.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn plain(error: io::Error) -> io::Error {
    io::Error::from(error.kind())
}

/// The file that a path leads to.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn exists(path: &Path) -> Stop {
    Stop::no(format!("`{}` is there already, and is left as it is", path.display()))
        .hint("--force writes over it; --stdout prints instead")
}

fn failed(path: &Path, error: &io::Error) -> Stop {
    Stop::no(format!("`{}` cannot be written: {error}", path.display()))
        .hint("name another file, or print it with --stdout")
}
