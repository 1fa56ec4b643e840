//! Walks a TOML document with its spans, and writes down whatever is not as asked for instead of stopping.

use super::catalogue::{self, Format, Key, Shape};
use super::document::Document;
use super::lookup::Lookup;
use super::model::TextPlace;
use super::problem::{Fault, Place, Report, Setting, nearest, shown};
use super::text::{Text, contents, list, path, resolved, variable};
use super::value;
use chrono::TimeDelta;
use std::ops::Range;
use std::sync::Arc;

mod tables;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table, and what the catalogue says of it: what is not there is unknown.
pub(super) struct Section<'t> {
    table: &'t DeTable<'t>,
    pub(super) of: &'static catalogue::Section,
    pub(super) setting: Setting,
    asked: Vec<&'static str>,
    withheld: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// A whole file.
    pub(super) fn document(
        of: &'static catalogue::Section,
        table: &'t Spanned<DeTable<'t>>,
        document: &Document<'_>,
    ) -> Self {
        let place = Some(document.place(0));
        let setting = Setting { label: String::new(), place };
        Self { table: table.get_ref(), of, setting, asked: Vec::new(), withheld: Vec::new() }
    }

    fn new(table: &'t DeTable<'t>, of: &'static catalogue::Section, setting: Setting) -> Self {
        let setting = Setting { label: String::new(), ..setting };
        Self { table, of, setting, asked: Vec::new(), withheld: Vec::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a key is written that is to be read.
    pub(super) fn reads(&self, key: &str) -> bool {
        self.has(key) && !self.withheld.contains(&key)
    }

    /// Keeps a key from being read: it does not belong here, and what it says is of no matter.
    pub(super) fn withhold(&mut self, key: &'static str) {
        self.withheld.push(key);
    }

    /// Whether a list of tables is not written, or written and empty.
    pub(super) fn lacks(&self, key: &str) -> bool {
        let value = self.table.get(key).map(|value| value.get_ref().as_array());
        value.is_none_or(|list| list.is_some_and(|list| list.is_empty()))
    }

    fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.table.get(key).filter(|_| !self.withheld.contains(&key))
    }

    /// What the catalogue has and nobody asks for, or the other way round. Always empty: tests see to it.
    fn drift(&self) -> Vec<&'static str> {
        let unread = self.of.names().filter(|name| !self.asked.contains(name));
        let unlisted = self.asked.iter().copied().filter(|name| self.of.key(name).is_none());
        unread.chain(unlisted).collect()
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
            let fault = Fault::new(format!("`{}` needs `{key}`", section.of.header)).hint(hint);
            self.report.fail(&section.setting, fault);
        }
    }

    /// A string: itself, `{ env = "NAME" }` or `{ file = "PATH" }`.
    pub(super) fn string(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Text> {
        let value = section.value(key)?;
        self.text(section.of, key, value)
    }

    /// A string that is no secret here, whatever it may be elsewhere.
    pub(super) fn plain(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Text> {
        let value = section.value(key)?;
        self.text_of(section.of, key, value)
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

    /// A duration within the bounds of the catalogue; `None` in it: off.
    pub(super) fn duration_or_off(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<(Option<TimeDelta>, Setting)> {
        let format = section.of.key(key).and_then(Key::format);
        self.parsed(section, key, |text| match format {
            Some(Format::Duration { off: true, .. }) if text.value == "off" => Ok(None),
            Some(Format::Duration { least, .. }) => value::at_least(text, *least).map(Some),
            _ => Ok(None),
        })
    }

    /// A duration within the bounds of the catalogue.
    pub(super) fn duration(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<(TimeDelta, Setting)> {
        let (duration, setting) = self.duration_or_off(section, key)?;
        Some((duration?, setting))
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
            items.iter().filter_map(|item| self.text(section.of, key, item)).collect();
        // A list of nothing but mistakes is not an empty list.
        (items.is_empty() || !texts.is_empty()).then_some(texts)
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
    ) -> Option<Section<'t>> {
        let value = section.value(key)?;
        let Some(Key { shape: Shape::Table(of), .. }) = section.of.key(key) else { return None };
        let name = of.header;
        let setting = self.setting(key, &value.span());
        let Some(table) = value.get_ref().as_table() else {
            let fault = wrong_type("a table", value.get_ref()).hint(format!("write `{name}`"));
            self.report.fail(&setting, fault);
            return None;
        };
        Some(Section::new(table, of, setting))
    }

    /// The tables `[[key]]`.
    pub(super) fn tables<'t>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
    ) -> Vec<Section<'t>> {
        let Some(value) = section.value(key) else { return Vec::new() };
        let Some(Key { shape: Shape::Tables(of), .. }) = section.of.key(key) else {
            return Vec::new();
        };
        let name = of.header;
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
                sections.push(Section::new(table, of, setting));
            } else {
                let fault = wrong_type("a table", item.get_ref()).hint(format!("write `{name}`"));
                self.report.fail(&setting, fault);
            }
        }
        sections
    }

    /// Writes down the keys that there are not.
    pub(super) fn finish(&mut self, section: &Section<'_>, otherwise: Option<&str>) {
        debug_assert_eq!(
            section.drift(),
            [""; 0],
            "catalogue and reader of `{}`",
            section.of.header
        );
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if section.of.key(name).is_some() {
                continue;
            }
            let named = shown(name).map(|name| format!(" `{name}`")).unwrap_or_default();
            let within = match section.of.header {
                "" => String::new(),
                name => format!(" in `{name}`"),
            };
            let names: Vec<&str> = section.of.names().collect();
            let hint = nearest(name, names.iter().copied())
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| otherwise.map(str::to_owned))
                .unwrap_or_else(|| format!("the keys are {}", list(&names)));
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
        of: &'static catalogue::Section,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Text> {
        let text = self.text_of(of, key, value)?;
        if text.literal && of.key(key).and_then(Key::format).is_some_and(Format::is_secret) {
            self.report.exposed(&text.setting);
        }
        Some(text)
    }

    fn text_of(
        &mut self,
        of: &'static catalogue::Section,
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
                    // A rule has no secrets, nor have these; anything else may be one.
                    let format = of.key(key).and_then(Key::format);
                    let open = matches!(format, Some(Format::Template | Format::Certificates));
                    let secret = !open && of.header != catalogue::RULE.header;
                    contents(self.lookup, &name, secret)
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
                        // Of what has a unit, the unit is what people leave out.
                        let format = of.key(key).and_then(Key::format);
                        let lasts = matches!(format, Some(Format::Duration { .. }));
                        let unit = if lasts { "s" } else { "" };
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
