//! Walks a TOML document with its spans, and writes down whatever is not as asked for instead of stopping.

use super::lookup::Lookup;
use super::model::TextPlace;
use super::problem::{Fault, Place, Report, Setting, nearest, shown};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys whose values have a unit, which people leave out.
const DURATIONS: [&str; 10] = [
    "every",
    "overlap",
    "sweep",
    "sweep_every",
    "catch_up",
    "silent_after",
    "window",
    "settle",
    "lookback",
    "renotify",
];

/// A file's name and text.
pub(super) struct Document<'t> {
    pub(super) name: Arc<str>,
    pub(super) text: &'t str,
}

impl Document<'_> {
    pub(super) fn place(&self, offset: usize) -> Place {
        let start = Place { file: self.name.clone(), line: 1, column: 1 };
        let before = self.text.get(..offset).unwrap_or_default();
        // A byte order mark is no column.
        start.advanced(before.strip_prefix('\u{feff}').unwrap_or(before))
    }

    /// The document as a table, or its syntax errors written down. A document that cannot be read has nothing to check.
    pub(super) fn parse(&self, report: &mut Report) -> Option<Spanned<DeTable<'_>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            let setting = Setting { label: String::new(), place: Some(self.place(at)) };
            // The parser's message names tokens and never quotes the document.
            report.fail(&setting, Fault::new(format!("not TOML: {}", error.message())));
        }
        errors.is_empty().then_some(table)
    }

    /// The document before its first syntax error, if its `[state]` ends there: what comes after one may be anything.
    pub(super) fn parse_until_error(&self) -> Option<Spanned<DeTable<'_>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let first = errors.iter().filter_map(|error| Some(error.span()?.start)).min();
        let state = table.get_ref().get("state")?.get_ref().as_table()?;
        let end = state.values().map(|value| value.span().end).max().unwrap_or(0);
        (errors.is_empty() || first.is_some_and(|first| end < first)).then_some(table)
    }
}

/// A table, and the keys that were asked of it: what was never asked for is unknown.
pub(super) struct Section<'t> {
    table: &'t DeTable<'t>,
    /// As problems name it, such as `[[receiver]]`; empty for the document.
    name: &'static str,
    pub(super) setting: Setting,
    asked: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub(super) fn document(table: &'t Spanned<DeTable<'t>>, document: &Document<'_>) -> Self {
        let place = Some(document.place(0));
        let setting = Setting { label: String::new(), place };
        Self { table: table.get_ref(), name: "", setting, asked: Vec::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.table.get(key)
    }
}

/// A string of the configuration, wherever it came from.
pub(super) struct Text {
    pub(super) value: String,
    pub(super) setting: Setting,
    /// Whether it stands in the file itself, so that a problem may quote it.
    literal: bool,
    pub(super) place: Option<TextPlace>,
}

impl Text {
    pub(super) fn variable(name: &str, value: String) -> Self {
        let setting = Setting { label: format!("`{name}`"), place: None };
        Self { value, setting, literal: false, place: None }
    }

    /// The value in quotes, or a word for it if it must not be quoted.
    pub(super) fn quoted(&self) -> String {
        shown(&self.value)
            .filter(|_| self.literal)
            .map_or_else(|| "the value".to_owned(), |value| format!("\"{value}\""))
    }
}

/// Reads the sections of one document.
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) lookup: &'a dyn Lookup,
    pub(super) report: &'a mut Report,
}

impl Reader<'_> {
    fn setting(&self, key: &str, span: &Range<usize>) -> Setting {
        Setting { label: format!("`{key}`"), place: Some(self.document.place(span.start)) }
    }

    /// Where a key's value stands, if it is written.
    pub(super) fn setting_of(&self, section: &Section<'_>, key: &str) -> Option<Setting> {
        section.table.get(key).map(|value| self.setting(key, &value.span()))
    }

    /// Writes down what is wrong with a key's value as a whole.
    pub(super) fn fail_at(&mut self, section: &Section<'_>, key: &str, fault: Fault) {
        let setting = self.setting_of(section, key).unwrap_or_else(|| section.setting.clone());
        self.report.fail(&setting, fault);
    }

    /// Writes down that a section lacks a key it needs.
    pub(super) fn needs(&mut self, section: &Section<'_>, key: &str, hint: &str) {
        if !section.has(key) {
            let fault = Fault::new(format!("`{}` needs `{key}`", section.name)).hint(hint);
            self.report.fail(&section.setting, fault);
        }
    }

    /// A string: itself, `{ env = "NAME" }` or `{ file = "PATH" }`.
    pub(super) fn string(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Text> {
        let value = section.value(key)?;
        self.text(section.name, key, value)
    }

    /// A string that is a secret.
    pub(super) fn secret(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Text> {
        let text = self.string(section, key)?;
        if text.literal {
            self.report.exposed(&text.setting);
        }
        Some(text)
    }

    /// A string, parsed.
    pub(super) fn parsed<T>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        parse: impl FnOnce(&Text) -> Result<T, Fault>,
    ) -> Option<(T, Setting)> {
        let text = self.string(section, key)?;
        let value = self.report.check(&text.setting, parse(&text))?;
        Some((value, text.setting))
    }

    /// A string that is a secret, parsed.
    pub(super) fn parsed_secret<T>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        parse: impl FnOnce(&Text) -> Result<T, Fault>,
    ) -> Option<(T, Setting)> {
        let text = self.secret(section, key)?;
        let value = self.report.check(&text.setting, parse(&text))?;
        Some((value, text.setting))
    }

    /// A list of strings.
    pub(super) fn strings(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<Vec<Text>> {
        let value = section.value(key)?;
        let Some(items) = value.get_ref().as_array() else {
            let fault = wrong_type("a list of strings", value.get_ref());
            let fault = match value.get_ref() {
                DeValue::String(_) => fault.hint(format!("put it in brackets: `{key} = [\"…\"]`")),
                _ => fault,
            };
            let setting = self.setting(key, &value.span());
            self.report.fail(&setting, fault);
            return None;
        };
        let texts: Vec<Text> =
            items.iter().filter_map(|item| self.text(section.name, key, item)).collect();
        // A list of nothing but mistakes is not an empty list.
        (items.is_empty() || !texts.is_empty()).then_some(texts)
    }

    /// A list of strings that are secrets.
    pub(super) fn secrets(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<Vec<Text>> {
        let texts = self.strings(section, key)?;
        for text in texts.iter().filter(|text| text.literal) {
            self.report.exposed(&text.setting);
        }
        Some(texts)
    }

    /// `true` or `false`.
    pub(super) fn boolean(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<(bool, Setting)> {
        let value = section.value(key)?;
        let setting = self.setting(key, &value.span());
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.report.fail(&setting, wrong_type("`true` or `false`", value.get_ref()));
        }
        Some((found?, setting))
    }

    /// The table `[key]`.
    pub(super) fn table<'t>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        name: &'static str,
    ) -> Option<Section<'t>> {
        let value = section.value(key)?;
        let setting = self.setting(key, &value.span());
        let Some(table) = value.get_ref().as_table() else {
            let fault = wrong_type("a table", value.get_ref()).hint(format!("write `{name}`"));
            self.report.fail(&setting, fault);
            return None;
        };
        let setting = Setting { label: String::new(), ..setting };
        Some(Section { table, name, setting, asked: Vec::new() })
    }

    /// The tables `[[key]]`.
    pub(super) fn tables<'t>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        name: &'static str,
    ) -> Vec<Section<'t>> {
        let Some(value) = section.value(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            let setting = self.setting(key, &value.span());
            let fault = wrong_type("a list of tables", value.get_ref())
                .hint(format!("write `{name}`, once for each"));
            self.report.fail(&setting, fault);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let setting = self.setting(key, &item.span());
            if let Some(table) = item.get_ref().as_table() {
                let setting = Setting { label: String::new(), ..setting };
                sections.push(Section { table, name, setting, asked: Vec::new() });
            } else {
                let fault = wrong_type("a table", item.get_ref()).hint(format!("write `{name}`"));
                self.report.fail(&setting, fault);
            }
        }
        sections
    }

    /// Writes down the keys that nobody asked for.
    pub(super) fn finish(&mut self, section: &Section<'_>, otherwise: Option<&str>) {
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if section.asked.contains(&name) {
                continue;
            }
            let named = shown(name).map(|name| format!(" `{name}`")).unwrap_or_default();
            let within = match section.name {
                "" => String::new(),
                name => format!(" in `{name}`"),
            };
            let hint = nearest(name, section.asked.iter().copied())
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| otherwise.map(str::to_owned))
                .unwrap_or_else(|| format!("the keys are {}", list(&section.asked)));
            let setting = Setting {
                label: String::new(),
                place: Some(self.document.place(key.span().start)),
            };
            self.report
                .fail(&setting, Fault::new(format!("unknown key{named}{within}")).hint(hint));
        }
    }

    fn text(
        &mut self,
        section: &'static str,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Text> {
        let mut setting = self.setting(key, &value.span());
        let text = match value.get_ref() {
            DeValue::String(text) => {
                let place = self.text_place(text, &value.span());
                Text { value: text.to_string(), setting, literal: true, place: Some(place) }
            }
            DeValue::Table(table) => {
                let (kind, name) = self.indirection(&setting, table)?;
                let named = shown(&name).map(|name| format!(" `{name}`")).unwrap_or_default();
                setting.label = format!("{} ({kind}{named})", setting.label);
                let found = if kind == "variable" {
                    variable(self.lookup.var(&name))
                } else {
                    // A rule has no secrets; anything else may be one.
                    contents(self.lookup, &name, section != "[[rule]]")
                };
                let value = self.report.check(&setting, found)?;
                let place = (kind == "file").then(|| {
                    let file = path(self.lookup, &name);
                    let file = Arc::from(file.to_string_lossy());
                    let start = Place { file, line: 1, column: 1 };
                    TextPlace { start, exact: Some(value.clone()) }
                });
                Text { value, setting, literal: false, place }
            }
            other => {
                let fault = wrong_type("a string", other);
                let fault = match other {
                    DeValue::Integer(n) if n.radix() == 10 => {
                        let unit = if DURATIONS.contains(&key) { "s" } else { "" };
                        fault.hint(format!("put it in quotes: \"{}{unit}\"", n.as_str()))
                    }
                    _ => fault,
                };
                self.report.fail(&setting, fault);
                return None;
            }
        };
        self.report.check(&text.setting, resolved(&text.value))?;
        Some(text)
    }

    /// `{ env = "NAME" }` or `{ file = "PATH" }`: what kind, and which.
    fn indirection(
        &mut self,
        setting: &Setting,
        table: &DeTable<'_>,
    ) -> Option<(&'static str, String)> {
        let string =
            |key: &str| table.get(key).and_then(|v| v.get_ref().as_str()).map(str::to_owned);
        let found = match (table.len(), string("env"), string("file")) {
            (1, Some(name), None) => Ok(("variable", name)),
            (1, None, Some(path)) => Ok(("file", path)),
            _ => Err(Fault::new("expected a string")
                .hint("a string, `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")),
        };
        self.report.check(setting, found)
    }

    /// Where a string's text stands: exactly, if what is between its quotes is the text.
    fn text_place(&self, text: &str, span: &Range<usize>) -> TextPlace {
        let raw = self.document.text.get(span.clone()).unwrap_or_default();
        let body = ["'''", "\"\"\"", "'", "\""].iter().find_map(|quote| {
            let body = raw.strip_prefix(quote)?.strip_suffix(quote)?;
            let body = if quote.len() == 1 {
                body
            } else {
                body.strip_prefix("\r\n").or_else(|| body.strip_prefix('\n')).unwrap_or(body)
            };
            Some((body, raw.len() - quote.len() - body.len()))
        });
        match body {
            Some((body, skip)) if body == text => TextPlace {
                start: self.document.place(span.start + skip),
                exact: Some(text.to_owned()),
            },
            _ => TextPlace { start: self.document.place(span.start), exact: None },
        }
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

fn variable(value: Option<String>) -> Result<String, Fault> {
    match value {
        None => Err(Fault::new("the variable is not set").hint("set it, or leave the key out")),
        Some(value) if value.trim().is_empty() => Err(Fault::new("the variable is empty")),
        Some(value) => Ok(value),
    }
}

fn contents(lookup: &dyn Lookup, name: &str, secret: bool) -> Result<String, Fault> {
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

fn wrong_type(expected: &str, found: &DeValue<'_>) -> Fault {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Fault::new(format!("expected {expected}, found {found}"))
}
