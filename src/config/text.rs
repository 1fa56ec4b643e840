//! A string of the configuration, wherever it came from: the file itself, a variable, or another file.

use super::lookup::Lookup;
use super::model::TextPlace;
use super::problem::{Fault, Report, Setting, shown};
use std::path::{Path, PathBuf};

/// A string of the configuration, wherever it came from.
pub(super) struct Text {
    pub(super) value: String,
    pub(super) setting: Setting,
    /// Whether it stands in the file itself, so that a problem may quote it.
    pub(super) literal: bool,
    pub(super) place: Option<TextPlace>,
}

impl Text {
    pub(super) fn variable(name: &str, value: String) -> Self {
        let setting = Setting { label: format!("`{name}`"), place: None };
        Self { value, setting, literal: false, place: None }
    }

    /// A text that someone has just typed.
    pub(super) fn typed(value: &str) -> Self {
        let setting = Setting { label: String::new(), place: None };
        Self { value: value.to_owned(), setting, literal: true, place: None }
    }

    /// The value in quotes, or a word for it if it must not be quoted.
    pub(super) fn quoted(&self) -> String {
        shown(&self.value)
            .filter(|_| self.literal)
            .map_or_else(|| "the value".to_owned(), |value| format!("\"{value}\""))
    }
}

/// The words in backticks, with commas.
pub(super) fn list<T: AsRef<str>>(words: &[T]) -> String {
    words.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A path as the configuration means it: relative ones start from the configuration's folder.
pub(super) fn path(lookup: &dyn Lookup, path: &str) -> PathBuf {
    lookup.base().join(path)
}

/// A pattern as the configuration means it. The folder's own name is no pattern.
pub(super) fn pattern(lookup: &dyn Lookup, pattern: &str) -> String {
    if Path::new(pattern).is_absolute() || lookup.base().as_os_str().is_empty() {
        return pattern.to_owned();
    }
    let base = glob::Pattern::escape(&lookup.base().to_string_lossy());
    Path::new(&base).join(pattern).to_string_lossy().into_owned()
}

pub(super) fn variable(value: Option<String>) -> Result<String, Fault> {
    match value {
        None => Err(Fault::new("the variable is not set").hint("set it, or leave the key out")),
        Some(value) if value.trim().is_empty() => Err(Fault::new("the variable is empty")),
        Some(value) => Ok(value),
    }
}

pub(super) fn contents(lookup: &dyn Lookup, name: &str, secret: bool) -> Result<String, Fault> {
    let path = path(lookup, name);
    let text = if secret { lookup.secret(&path) } else { lookup.read(&path) };
    let text = text.map_err(|e| Fault::new(format!("the file cannot be read: {e}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Fault::new("the file is empty"));
    }
    Ok(text.to_owned())
}

/// Refuses what App Service hands over when it could not follow a reference to Key Vault.
pub(super) fn resolved(value: &str) -> Result<(), Fault> {
    let Some(reference) = value.trim_start().strip_prefix("@Microsoft.KeyVault(") else {
        return Ok(());
    };
    let reference = reference.trim_end().trim_end_matches(')');
    let after = |marker: &str| reference.split_once(marker).map(|(_, rest)| rest);
    let name = after("/secrets/")
        .and_then(|rest| rest.split('/').next())
        .or_else(|| after("SecretName=").and_then(|rest| rest.split(';').next()))
        .filter(|name| name.len() <= 127 && !name.is_empty())
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    let secret = name.map_or("a secret".to_owned(), |name| format!("secret `{name}`"));
    Err(Fault::new(format!("the Key Vault reference to {secret} was not resolved")).hint(
        "give the app's identity the role `Key Vault Secrets User` on the vault, see that the secret exists, and \
         restart the app",
    ))
}

/// A variable's value, parsed.
pub(super) fn checked<T>(
    text: &Text,
    parse: impl FnOnce(&Text) -> Result<T, Fault>,
    report: &mut Report,
) -> Option<T> {
    let value = resolved(&text.value).and_then(|()| parse(text));
    report.check(&text.setting, value)
}
