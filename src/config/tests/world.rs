//! A world made of maps.

use crate::config::Lookup;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(super) struct World {
    pub(super) base: PathBuf,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, String>,
}

impl World {
    pub(super) fn var(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Lookup for World {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn base(&self) -> &Path {
        &self.base
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        self.files.get(path.to_str().unwrap()).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let pattern = glob::Pattern::new(pattern).map_err(|e| e.msg.to_owned())?;
        Ok(self.files.keys().filter(|path| pattern.matches(path)).map(PathBuf::from).collect())
    }
}
