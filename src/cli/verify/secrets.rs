//! The secrets that `verify` and `listen` check with: from variables and files, never from the command line.

use super::super::report::Stop;
use crate::config::{Lookup as _, System};
use crate::notify::sign::SigningKey;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;

/// Where a secret is, if nothing is said.
const USUAL: &str = "HSMWATCH_WEBHOOK_SECRET";

/// Keys, newest first, and what to call them.
pub(crate) struct Secrets {
    pub(crate) keys: Vec<SigningKey>,
    names: Vec<String>,
    /// Where the first is, as a configuration says it.
    whence: Option<String>,
}

impl Secrets {
    /// Reads those that are named; at least one.
    pub(crate) fn read(variables: &[String], files: &[PathBuf]) -> Result<Self, Stop> {
        let usual = [USUAL.to_owned()];
        let none = variables.is_empty() && files.is_empty();
        Self::named(if none { &usual } else { variables }, files)
    }

    /// Reads those that are named, and without a name the usual one if it is there.
    pub(crate) fn if_any(variables: &[String], files: &[PathBuf]) -> Result<Self, Stop> {
        let none = variables.is_empty() && files.is_empty();
        if none && System::here().var(USUAL).is_none() {
            return Ok(Self { keys: Vec::new(), names: Vec::new(), whence: None });
        }
        Self::read(variables, files)
    }

    fn named(variables: &[String], files: &[PathBuf]) -> Result<Self, Stop> {
        let mut all = Self { keys: Vec::new(), names: Vec::new(), whence: None };
        for name in variables {
            let text = System::here().var(name).ok_or_else(|| {
                Stop::usage(format!("the variable `{name}` is not set"))
                    .hint("put the secret (`whsec_…`) into it, or name a file with --secret-file")
            })?;
            all.add(&SecretString::from(text), &format!("`{name}`"))?;
            all.whence.get_or_insert_with(|| format!("{{ env = \"{name}\" }}"));
        }
        for path in files {
            let name = format!("`{}`", path.display());
            let text = std::fs::read_to_string(path)
                .map_err(|e| Stop::usage(format!("cannot read the secret from {name}: {e}")))?;
            all.add(&SecretString::from(text), &name)?;
            all.whence
                .get_or_insert_with(|| format!("{{ file = {:?} }}", path.display().to_string()));
        }
        Ok(all)
    }

    /// All that stand in one text, separated by white space.
    fn add(&mut self, text: &SecretString, whence: &str) -> Result<(), Stop> {
        let words: Vec<&str> = text.expose_secret().split_whitespace().collect();
        if words.is_empty() {
            return Err(Stop::usage(format!("there is no secret in {whence}")));
        }
        for (n, word) in (1..).zip(&words) {
            let which = if words.len() == 1 { String::new() } else { format!(", number {n}") };
            let key = SigningKey::parse(word)
                .map_err(|e| Stop::usage(format!("the secret in {whence}{which}: {e}")))?;
            self.keys.push(key);
            self.names.push(format!("the secret in {whence}{which}"));
        }
        Ok(())
    }

    /// Where the newest is, as a configuration says it.
    pub(crate) fn whence(&self) -> Option<&str> {
        self.whence.as_deref()
    }

    /// What to call a secret.
    pub(crate) fn name(&self, n: usize) -> String {
        self.names.get(n).cloned().unwrap_or_default()
    }
}
