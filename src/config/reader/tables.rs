//! Tables of a section whose keys are the user's own, or severities.

use super::{Reader, Section, wrong_type};
use crate::config::problem::{Fault, Setting, nearest, shown};
use crate::config::text::{Text, list};
use crate::watch::parameters::{Parameter, ParameterError, check_name};
use crate::watch::severity::Severity;
use serde_json::{Map, Number, Value as Json};
use std::str::FromStr as _;
use toml::Spanned;
use toml::Value as Toml;
use toml::de::{DeTable, DeValue};

impl Reader<'_> {
    /// A table with a string for each severity, or for some.
    pub(in crate::config) fn levels(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Vec<(Severity, Text)> {
        let mut found = Vec::new();
        let such = format!("such as `{key} = {{ critical = \"…\" }}`");
        let Some(table) = self.own_table(section, key, &such) else { return found };
        for (word, value) in table {
            let name = word.get_ref().as_ref();
            let Ok(severity) = Severity::from_str(name) else {
                let words = Severity::ALL.map(Severity::as_str);
                let hint = nearest(name, words).map_or_else(
                    || format!("its keys are {}", list(&words)),
                    |near| format!("did you mean `{near}`?"),
                );
                let setting = self.named(key, None, word.span().start);
                let fault = Fault::new(format!("{} is not a severity", quoted(name)));
                self.report.fail(&setting, fault.hint(hint));
                continue;
            };
            let text = self.text(section.of, &format!("{key}.{severity}"), value);
            found.extend(text.map(|text| (severity, text)));
        }
        found
    }

    /// A table with a string for each name.
    pub(in crate::config) fn texts(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Vec<(String, Setting, Text)> {
        let mut found = Vec::new();
        let such = format!("such as `{key} = {{ X-Name = \"…\" }}`");
        let Some(table) = self.own_table(section, key, &such) else { return found };
        for (word, value) in table {
            let name = word.get_ref().to_string();
            let setting = self.named(key, Some(&name), word.span().start);
            let text = self.text(section.of, setting.label.trim_matches('`'), value);
            found.extend(text.map(|text| (name, setting, text)));
        }
        found
    }

    /// A table with a value of any type for each name, as JSON. The value itself may be kept elsewhere; what is within it, not.
    pub(in crate::config) fn values(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Vec<(String, Setting, Json)> {
        let mut found = Vec::new();
        let such = format!("such as `{key} = {{ name = \"…\" }}`");
        let Some(table) = self.own_table(section, key, &such) else { return found };
        for (word, value) in table {
            let name = word.get_ref().to_string();
            let setting = self.named(key, Some(&name), word.span().start);
            let elsewhere = value.get_ref().as_table().is_some_and(|table| {
                table.len() == 1
                    && ["env", "file"]
                        .iter()
                        .any(|key| table.get(*key).is_some_and(|value| value.get_ref().is_str()))
            });
            let json = if elsewhere {
                let label = setting.label.trim_matches('`').to_owned();
                self.text(section.of, &label, value).map(|text| Json::String(text.value))
            } else {
                self.report.check(&setting, json(value.get_ref()))
            };
            found.extend(json.map(|json| (name, setting, json)));
        }
        found
    }

    /// A table with a parameter for each name. A text may be kept elsewhere.
    pub(in crate::config) fn parameters(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Vec<(String, Setting, Parameter)> {
        let mut found = Vec::new();
        let such = format!("such as `{key} = {{ threshold = 20 }}`");
        let Some(table) = self.own_table(section, key, &such) else { return found };
        for (word, value) in table {
            let name = word.get_ref().to_string();
            let setting = self.named(key, Some(&name), word.span().start);
            let fault = |error: ParameterError| Fault::new(error.to_string());
            if self.report.check(&setting, check_name(&name).map_err(fault)).is_none() {
                continue;
            }
            let value = if value.get_ref().is_table() {
                let label = setting.label.trim_matches('`').to_owned();
                self.text(section.of, &label, value).map(|text| Toml::String(text.value))
            } else {
                self.report.check(&setting, toml_value(value.get_ref()))
            };
            let parameter = value.and_then(|value| {
                self.report.check(&setting, Parameter::of(&value).map_err(fault))
            });
            found.extend(parameter.map(|parameter| (name, setting, parameter)));
        }
        found
    }

    /// `[receiver.key]`, or the same on one line.
    fn own_table<'t>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        such: &str,
    ) -> Option<&'t DeTable<'t>> {
        let value: &'t Spanned<DeValue<'t>> = section.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            let setting = self.setting(key, &value.span());
            self.report.fail(&setting, wrong_type("a table", value.get_ref()).hint(such));
        }
        table
    }

    /// A key of such a table, as problems name it.
    fn named(&self, key: &str, name: Option<&str>, at: usize) -> Setting {
        let name = name.map(|name| shown(name).unwrap_or_else(|| "…".to_owned()));
        let label = name.map_or_else(|| format!("`{key}`"), |name| format!("`{key}.{name}`"));
        Setting { label, place: Some(self.document.place(at)) }
    }
}

fn quoted(name: &str) -> String {
    shown(name).map_or_else(|| "a key of it".to_owned(), |name| format!("`{name}`"))
}

/// A value as it is outside of its document.
fn toml_value(value: &DeValue<'_>) -> Result<Toml, Fault> {
    Ok(match value {
        DeValue::String(text) => Toml::String(text.to_string()),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            Toml::Integer(parsed.map_err(|_| Fault::new("an integer that is too large"))?)
        }
        DeValue::Float(float) => {
            let parsed = float.as_str().parse().map_err(|_| Fault::new("a float that is none"));
            Toml::Float(parsed?)
        }
        DeValue::Boolean(value) => Toml::Boolean(*value),
        DeValue::Datetime(when) => Toml::Datetime(*when),
        DeValue::Array(items) => {
            let items: Result<Vec<Toml>, Fault> =
                items.iter().map(|item| toml_value(item.get_ref())).collect();
            Toml::Array(items?)
        }
        DeValue::Table(_) => Toml::Table(toml::Table::new()),
    })
}

/// A value of TOML as one of JSON.
fn json(value: &DeValue<'_>) -> Result<Json, Fault> {
    Ok(match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            Json::from(parsed.map_err(|_| Fault::new("an integer that is too large"))?)
        }
        DeValue::Float(float) => {
            let parsed = float.as_str().parse().ok().and_then(Number::from_f64);
            let what = "a float that JSON cannot say";
            Json::Number(parsed.ok_or_else(|| Fault::new(what).hint("a number, or a string"))?)
        }
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(date) => Json::String(date.to_string()),
        DeValue::Array(items) => {
            let items: Result<Vec<Json>, Fault> =
                items.iter().map(|item| json(item.get_ref())).collect();
            Json::Array(items?)
        }
        DeValue::Table(table) => {
            let entries: Result<Map<String, Json>, Fault> = table
                .iter()
                .map(|(name, value)| Ok((name.get_ref().to_string(), json(value.get_ref())?)))
                .collect();
            Json::Object(entries?)
        }
    })
}
