//! What a configuration asked of the world, so that one can tell later whether the world would answer the same.

use super::lookup::Lookup;
use secrecy::{ExposeSecret as _, SecretString};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files and patterns that a configuration asked for, with the answers. Variables are left out: those of a process do not
/// change. Its `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Files that are part of the configuration: rule files, and files that hold a text of a rule.
    pub files: BTreeMap<PathBuf, Result<String, String>>,
    /// Patterns and what they matched.
    pub patterns: BTreeMap<String, Result<Vec<PathBuf>, String>>,
    secrets: BTreeMap<PathBuf, Result<SecretString, String>>,
}

impl Asked {
    /// Whether `world` answers now as it was answered then.
    pub fn still(&self, world: &dyn Lookup) -> bool {
        let plain = |a: &Result<SecretString, String>| match a {
            Ok(secret) => Ok(secret.expose_secret().to_owned()),
            Err(why) => Err(why.clone()),
        };
        self.patterns.iter().all(|(pattern, answer)| world.glob(pattern) == *answer)
            && self.files.iter().all(|(path, answer)| world.read(path) == *answer)
            && self.secrets.iter().all(|(path, answer)| world.secret(path) == plain(answer))
    }

    /// The files that hold no secret.
    pub fn open(&self) -> impl Iterator<Item = (&PathBuf, &str)> {
        self.files
            .iter()
            .filter(|(path, _)| !self.secrets.contains_key(*path))
            .filter_map(|(path, answer)| Some((path, answer.as_deref().ok()?)))
    }
}

/// Writes down what is asked of another look-up.
pub struct Recorder<'l> {
    world: &'l dyn Lookup,
    asked: RefCell<Asked>,
}

impl<'l> Recorder<'l> {
    /// Asks `world`.
    pub fn new(world: &'l dyn Lookup) -> Self {
        Self { world, asked: RefCell::default() }
    }

    /// What was asked.
    pub fn asked(self) -> Asked {
        self.asked.into_inner()
    }
}

impl Lookup for Recorder<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.world.var(name)
    }

    fn base(&self) -> &Path {
        self.world.base()
    }

    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        self.world.on_disk(path)
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let answer = self.world.read(path);
        self.asked.borrow_mut().files.insert(path.to_owned(), answer.clone());
        answer
    }

    fn secret(&self, path: &Path) -> Result<String, String> {
        let answer = self.world.secret(path);
        let kept = answer.clone().map(SecretString::from);
        self.asked.borrow_mut().secrets.insert(path.to_owned(), kept);
        answer
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let answer = self.world.glob(pattern);
        self.asked.borrow_mut().patterns.insert(pattern.to_owned(), answer.clone());
        answer
    }
}

/// A version of a configuration that was kept: its own files and patterns as they were, everything else as it is now.
pub struct Kept<'l> {
    /// Texts of files.
    pub files: &'l BTreeMap<PathBuf, String>,
    /// What patterns matched.
    pub patterns: &'l BTreeMap<String, Vec<PathBuf>>,
    /// Variables, and files that may hold secrets.
    pub world: &'l dyn Lookup,
}

impl Lookup for Kept<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.world.var(name)
    }

    fn base(&self) -> &Path {
        self.world.base()
    }

    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        self.world.on_disk(path)
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        self.files.get(path).map_or_else(|| self.world.read(path), |text| Ok(text.clone()))
    }

    fn secret(&self, path: &Path) -> Result<String, String> {
        self.world.secret(path)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        self.patterns
            .get(pattern)
            .map_or_else(|| self.world.glob(pattern), |found| Ok(found.clone()))
    }
}
