//! The files that are checked, by their path from the root of the repository, and the templates among them.

use crate::bicep::{self, ast::File};
use crate::eval::{self, Scenario};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What else speaks of the same things as `infra/`.
const OTHERS: [&str; 3] = ["README.md", "docs/functions.md", "host.json"];

/// `infra/` and what it must agree with. A mutant is the same with one text changed.
#[derive(Clone, Default)]
pub(crate) struct Infra {
    /// All texts by path.
    pub(crate) texts: BTreeMap<String, Arc<str>>,
    /// The Bicep files among them.
    pub(crate) files: BTreeMap<String, Arc<File>>,
    /// Only these parameters are tried at other values; `None`: all.
    tried: Option<Vec<&'static str>>,
    scenarios: OnceLock<Arc<Vec<Arc<Scenario>>>>,
    /// What templates came to that this mutant does not touch.
    untouched: BTreeMap<String, Vec<Arc<Scenario>>>,
}

impl Infra {
    /// What is in the repository. Every file below `infra/`, `function-defs/` and `src/` counts.
    pub(crate) fn of_repository() -> Self {
        let mut texts = BTreeMap::new();
        for folder in ["infra", "function-defs", "src"] {
            walk(Path::new(env!("CARGO_MANIFEST_DIR")), folder, &mut texts);
        }
        for path in OTHERS {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
            texts.insert(path.to_owned(), text.expect(path).into());
        }
        Self::of(texts)
    }

    pub(crate) fn of(texts: BTreeMap<String, Arc<str>>) -> Self {
        let bicep = texts.iter().filter(|(path, _)| has_extension(path, "bicep"));
        let files =
            bicep.map(|(path, text)| (path.clone(), Arc::new(bicep::read(path, text)))).collect();
        Self { texts, files, tried: None, scenarios: OnceLock::new(), untouched: BTreeMap::new() }
    }

    /// The same with another text at this path.
    pub(crate) fn with(&self, path: &str, text: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.scenarios = OnceLock::new();
        changed.untouched.clear();
        for root in self.roots() {
            let loaded = path.starts_with("infra/") && has_extension(path, "json");
            if !loaded && root.path != path && !self.modules_of(&root.path).contains(path) {
                let of_root = |scenario: &&Arc<Scenario>| scenario.root == root.path;
                let kept = self.scenarios().iter().filter(of_root).cloned().collect();
                changed.untouched.insert(root.path.clone(), kept);
            }
        }
        let text = text.into();
        if has_extension(path, "bicep") {
            changed.files.insert(path.to_owned(), Arc::new(bicep::read(path, &text)));
        }
        changed.texts.insert(path.to_owned(), text.into());
        changed
    }

    /// The same, with fewer parameters tried, for those who have many mutants to look at.
    pub(crate) fn trying(mut self, params: &[&'static str]) -> Self {
        self.tried = Some(params.to_vec());
        self.scenarios = OnceLock::new();
        self.untouched.clear();
        self
    }

    /// Whether a parameter is tried at other values.
    pub(crate) fn tries(&self, param: &str) -> bool {
        self.tried.as_ref().is_none_or(|params| params.contains(&param))
    }

    pub(crate) fn text(&self, path: &str) -> &str {
        self.texts.get(path).map_or("", |text| &**text)
    }

    /// What the templates come to.
    pub(crate) fn scenarios(&self) -> Arc<Vec<Arc<Scenario>>> {
        let of_root = |root: &&File| match self.untouched.get(&root.path) {
            Some(kept) => kept.clone(),
            None => eval::scenarios(self, root),
        };
        let all = || Arc::new(self.roots().iter().flat_map(of_root).collect());
        Arc::clone(self.scenarios.get_or_init(all))
    }

    /// A JSON file, or why there is none.
    pub(crate) fn json(&self, path: &str) -> Result<Value, String> {
        let text = self.texts.get(path).ok_or_else(|| format!("{path}: is missing: write it"))?;
        serde_json::from_str(text).map_err(|e| format!("{path}: is no JSON: {e}"))
    }

    /// The templates that people deploy: those that no other file names as a module.
    pub(crate) fn roots(&self) -> Vec<&File> {
        let files = || self.files.values().map(Arc::as_ref);
        let named: Vec<String> = files()
            .flat_map(|file| file.modules.iter().map(|module| beside(&file.path, &module.target)))
            .collect();
        files().filter(|file| !named.contains(&file.path)).collect()
    }

    /// The modules that a template uses, directly or not.
    pub(crate) fn modules_of(&self, root: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut next = vec![root.to_owned()];
        while let Some(path) = next.pop() {
            let Some(file) = self.files.get(&path) else { continue };
            for module in &file.modules {
                let path = beside(&file.path, &module.target);
                if all.insert(path.clone()) {
                    next.push(path);
                }
            }
        }
        all
    }
}

/// Whether a file is of this kind.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|own| own == extension)
}

/// The path that `target` means in the file at `path`.
pub(crate) fn beside(path: &str, target: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn walk(root: &Path, folder: &str, texts: &mut BTreeMap<String, Arc<str>>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    for entry in entries {
        let entry = entry.expect("a folder that can be listed");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a kind").is_dir() {
            walk(root, &path, texts);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            texts.insert(path, text.into());
        }
    }
}
