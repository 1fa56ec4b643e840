//! What tests need of others' programs, put in a folder of this build as the repository pins it, by the first test that needs it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with what `source`, a folder of this repository, pins for npm.
pub(crate) fn npm(source: &str, name: &str, what: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    put(name, &source.join("package-lock.json"), what, |folder| {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(source.join(file), folder.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        npm.current_dir(folder);
        npm
    })
}

/// A folder with what `source`, a file of this repository, pins for Python: it belongs on `PYTHONPATH`.
pub(crate) fn pip(source: &str, name: &str, what: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    put(name, &source, what, |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--upgrade"]);
        pip.args(["--disable-pip-version-check", "--root-user-action=ignore"]);
        pip.arg("--target").arg(folder).arg("--requirement").arg(&source);
        pip
    })
}

/// Runs what installs, unless what is pinned now is there.
fn put(name: &str, pinned: &Path, what: &str, install: impl FnOnce(&Path) -> Command) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    // Other test binaries, or other processes of this one, wait here.
    let lock = File::create(folder.join("install.lock")).unwrap();
    lock.lock().unwrap();
    let stamp = folder.join("installed.stamp");
    let pinned = std::fs::read(pinned).unwrap();
    if std::fs::read(&stamp).is_ok_and(|installed| installed == pinned) {
        return folder;
    }
    let mut command = install(&folder);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("these tests need {program}, for {what}: {error}"));
    assert!(
        output.status.success(),
        "{program} cannot install {what}, which these tests need: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Written last: a broken installation has no stamp and is done again.
    std::fs::write(&stamp, pinned).unwrap();
    folder
}
