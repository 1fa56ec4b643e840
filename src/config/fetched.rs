//! The world of a configuration in Blob Storage: variables of this process, absolute paths of this machine, and blobs that
//! someone else has fetched.
//!
//! Reading a configuration is a pure function of strings, and fetching is not. So what is not there yet is written down
//! instead, whoever reads fetches it and reads again, until nothing is missing: see [`Fetched::missing`].

use super::blob::BlobPlace;
use super::lookup::Lookup;
use glob::{MatchOptions, Pattern};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// As for files: only a slash matches a slash.
const LIKE_FILES: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// What was fetched of a container.
#[derive(Clone, Default)]
pub struct Blobs {
    /// Texts by the blobs' names, or why there is none.
    pub files: BTreeMap<String, Result<String, String>>,
    /// Names of the blobs that begin with a prefix, by prefix, or why they cannot be listed.
    pub listings: BTreeMap<String, Result<Vec<String>, String>>,
}

/// What is to be fetched of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names of blobs.
    pub files: BTreeSet<String>,
    /// Prefixes whose blobs are to be listed.
    pub prefixes: BTreeSet<String>,
}

impl Wanted {
    /// Whether there is nothing to fetch.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.prefixes.is_empty()
    }
}

/// A look-up over fetched blobs.
pub struct Fetched<'l> {
    place: &'l BlobPlace,
    blobs: &'l Blobs,
    machine: &'l dyn Lookup,
    base: PathBuf,
    asked: RefCell<Wanted>,
}

impl<'l> Fetched<'l> {
    /// The world as seen from the configuration at `place`. `machine` has the variables and the absolute paths.
    pub fn new(place: &'l BlobPlace, blobs: &'l Blobs, machine: &'l dyn Lookup) -> Self {
        Self { place, blobs, machine, base: place.folder(), asked: RefCell::default() }
    }

    /// What was asked for, whether it was there or not.
    pub fn asked(&self) -> Wanted {
        self.asked.borrow().clone()
    }

    /// What was asked for and is not there yet. Unless this is empty, all problems are void.
    pub fn missing(&self) -> Wanted {
        let mut wanted = self.asked();
        wanted.files.retain(|name| !self.blobs.files.contains_key(name));
        wanted.prefixes.retain(|prefix| !self.blobs.listings.contains_key(prefix));
        wanted
    }

    fn within(&self, path: &str) -> Result<String, String> {
        self.place.within(path)
    }
}

impl Lookup for Fetched<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.machine.var(name)
    }

    fn base(&self) -> &Path {
        &self.base
    }

    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        let path = PathBuf::from(path);
        path.is_absolute().then_some(path)
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        if path.is_absolute() {
            return self.machine.read(path);
        }
        let name = self.within(&path.to_string_lossy())?;
        self.asked.borrow_mut().files.insert(name.clone());
        self.blobs.files.get(&name).cloned().unwrap_or_else(|| Err("not fetched yet".to_owned()))
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        if Path::new(pattern).is_absolute() {
            return self.machine.glob(pattern);
        }
        let pattern_within = self.within(pattern)?;
        // Every part must be a pattern for itself, as a file's path is matched part by part.
        for part in pattern_within.split('/') {
            Pattern::new(part).map_err(|e| e.msg.to_owned())?;
        }
        // What ends like this matches folders, and there are none.
        if matches!(pattern.rsplit('/').next(), Some("" | "." | "**")) {
            return Ok(Vec::new());
        }
        let compiled = Pattern::new(&pattern_within).map_err(|e| e.msg.to_owned())?;
        let literal = pattern_within.split(['*', '?', '[']).next().unwrap_or_default();
        self.asked.borrow_mut().prefixes.insert(literal.to_owned());
        let listed = match self.blobs.listings.get(literal) {
            Some(listed) => listed.clone()?,
            None => return Err("not listed yet".to_owned()),
        };
        let mut found: Vec<PathBuf> = listed
            .iter()
            // A name that no path can have is no file beside the configuration.
            .filter(|name| {
                self.within(&format!("{}/{name}", self.place.container)).as_ref() == Ok(*name)
            })
            .filter(|name| compiled.matches_with(name, LIKE_FILES))
            .map(|name| {
                // Names stand in problems, and those in logs.
                let forged = name.chars().any(char::is_control);
                (!forged).then_some(name).ok_or_else(|| {
                    "the name of a blob there has a control character in it".to_owned()
                })
            })
            .map(|name| Ok(Path::new(&self.place.container).join(name?)))
            .collect::<Result<_, String>>()?;
        found.sort();
        Ok(found)
    }
}
