//! The function app as it is deployed: `host.json`, the program and one folder a function.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use xtask::package::{Contents, assemble, unpack};

/// The folder of the package under test, made once a process: the zip that `HSMWATCH_PACKAGE` names, unpacked, or
/// else put together around the program that cargo built for these tests. It is shared: do not write to it.
pub(crate) fn app() -> PathBuf {
    static APP: OnceLock<PathBuf> = OnceLock::new();
    APP.get_or_init(|| {
        let app = folder().join("app");
        match zipped() {
            Some(zip) => unpack(&zip, &app).unwrap(),
            None => assemble(&contents(), &app).unwrap(),
        }
        app
    })
    .clone()
}

/// The zip that `HSMWATCH_PACKAGE` names, if it is set.
pub(crate) fn zipped() -> Option<PathBuf> {
    std::env::var_os("HSMWATCH_PACKAGE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What makes a package of the program that cargo built for these tests.
pub(crate) fn contents() -> Contents {
    Contents {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_hsmwatch")),
        config: None,
        rules: Vec::new(),
    }
}

/// A folder of this process below the target folder. Those of processes that have ended are removed: nothing runs at
/// the end of a test process that could do it, and a package is large.
fn folder() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
    fs::create_dir_all(&all).unwrap();
    for entry in fs::read_dir(&all).unwrap() {
        let old = entry.unwrap().path();
        if Path::new("/proc/self").exists()
            && !Path::new("/proc").join(old.file_name().unwrap()).exists()
        {
            // Another process may be removing it too.
            let _gone = fs::remove_dir_all(old);
        }
    }
    let own = all.join(std::process::id().to_string());
    fs::create_dir_all(&own).unwrap();
    own
}
