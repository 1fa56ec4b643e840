//! The world as a configuration sees it: variables and files. The only place of `config` that touches either.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// No file that a configuration names needs to be larger.
const LIMIT: u64 = 1024 * 1024;

/// What a configuration may ask of the world.
pub trait Lookup {
    /// A variable of the environment; `None` if it is not set (or not Unicode).
    fn var(&self, name: &str) -> Option<String>;

    /// The folder that relative paths start from.
    fn base(&self) -> &Path;

    /// A path of this machine as the configuration means it; `None` if relative paths do not start on this machine.
    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        Some(self.base().join(path))
    }

    /// A file's text, or why there is none.
    fn read(&self, path: &Path) -> Result<String, String>;

    /// The text of a file that may hold a secret, or why there is none.
    fn secret(&self, path: &Path) -> Result<String, String> {
        self.read(path)
    }

    /// The files that a pattern matches, sorted, or why it cannot be matched.
    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String>;
}

/// The process's environment and the file system.
#[derive(Clone, Debug)]
pub struct System {
    base: PathBuf,
}

impl System {
    /// Relative paths start from the folder of this configuration file.
    pub fn beside(config: &Path) -> Self {
        Self { base: config.parent().map(Path::to_path_buf).unwrap_or_default() }
    }

    /// Relative paths start from the working folder.
    pub fn here() -> Self {
        Self { base: PathBuf::new() }
    }
}

impl Lookup for System {
    #[expect(clippy::disallowed_methods, reason = "this is the look-up that the ban points to")]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn base(&self) -> &Path {
        &self.base
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LIMIT + 1).read_to_string(&mut text))
            .map_err(|e| e.to_string())?;
        if text.len() as u64 > LIMIT {
            return Err("larger than 1 MiB".to_owned());
        }
        Ok(text)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let paths = glob::glob(pattern).map_err(|e| e.msg.to_owned())?;
        let mut found = paths.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
        found.retain(|path| path.is_file());
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_reads_globs_and_refuses_what_is_too_large() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("b.toml"), "b").unwrap();
        std::fs::write(file("a.toml"), "a").unwrap();
        std::fs::create_dir(file("c.toml")).unwrap();
        std::fs::write(file("big"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        let system = System::beside(&file("hsmwatch.toml"));
        assert_eq!(system.base(), dir.path());
        assert_eq!(system.read(&file("a.toml")), Ok("a".to_owned()));
        assert_eq!(system.read(&file("big")), Err("larger than 1 MiB".to_owned()));
        assert!(system.read(&file("none")).is_err());
        let pattern = file("*.toml");
        assert_eq!(
            system.glob(pattern.to_str().unwrap()),
            Ok(vec![file("a.toml"), file("b.toml")])
        );
        assert!(system.glob("a/***").is_err());
        assert_eq!(system.var("HSMWATCH_TEST_VARIABLE_THAT_IS_NOT_SET"), None);
    }
}
