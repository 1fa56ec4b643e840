//! The shape in which a webhook is told: a format, or a template with its headers.

use super::model::TemplatePlaces;
use super::problem::{Fault, Setting};
use super::reader::{Reader, Section};
use super::text::Text;
use super::value::word;
use crate::notify::Kind;
use crate::notify::webhook::template::{Part, Template, TemplateProblem};
use crate::notify::webhook::{Format, FormatWord, Settings};
use secrecy::SecretString;
use std::collections::BTreeMap;

/// What a template is escaped for where nothing is said.
pub(super) const CONTENT_TYPE: &str = "application/json";

/// What stands in the keys of webhooks.
pub(super) struct Shape {
    /// `None` only with a problem written down.
    pub(super) settings: Option<Settings>,
    /// Texts of headers, which may be what a receiver knows us by.
    pub(super) headers: Vec<SecretString>,
    /// Where the templates are written.
    pub(super) places: TemplatePlaces,
}

/// Reads the keys of webhooks.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    kind: Option<Kind>,
) -> Shape {
    let written = reader.parsed(section, "format", format);
    let bad_format = written.is_none() && section.reads("format");
    let format = written.as_ref().map(|(format, _)| *format).unwrap_or_default();
    if format != FormatWord::Template && !bad_format {
        stray(reader, section, format);
    }
    let hub_signature = reader.boolean(section, "hub_signature");
    if hub_signature.is_some() && !section.has("secret") {
        let fault = Fault::new("needs `secret`, which it signs with");
        reader.fail_at(section, "hub_signature", fault);
    }
    let hub_signature = hub_signature.is_some_and(|(value, _)| value);
    let content_type = reader.parsed(section, "content_type", content_type);
    let text = reader.string(section, "template");
    let headers = reader.texts(section, "headers");
    if let (FormatWord::Template, Some((_, setting)), false) =
        (format, &written, section.has("template"))
    {
        let fault = Fault::new("needs `template`").hint(
            "template = { file = \"alert.json.j2\" }; examples/templates/ has some to begin with",
        );
        reader.report.fail(setting, fault);
    }
    let content_type = content_type.map_or(CONTENT_TYPE.to_owned(), |(word, _)| word);
    let template = compiled(reader, text.as_ref(), &headers, &content_type);
    let places = TemplatePlaces {
        body: text.and_then(|text| text.place),
        headers: headers
            .iter()
            .filter_map(|(name, _, text)| Some((name.clone(), text.place.clone()?)))
            .collect(),
    };
    let headers = headers.into_iter().map(|(_, _, text)| SecretString::from(text.value)).collect();
    let format = match format {
        _ if bad_format || kind != Some(Kind::Webhook) => None,
        FormatWord::CloudEvents => Some(Format::CloudEvents),
        FormatWord::AzureCommonAlert => Some(Format::AzureCommonAlert),
        FormatWord::Alertmanager => Some(Format::Alertmanager),
        FormatWord::Template => template.map(Format::Template),
    };
    Shape { settings: format.map(|format| Settings { format, hub_signature }), headers, places }
}

/// What belongs to templates is of no use without one.
fn stray(reader: &mut Reader<'_>, section: &mut Section<'_>, format: FormatWord) {
    for key in ["template", "headers", "content_type"] {
        if section.reads(key) {
            let fault =
                Fault::new(format!("the format is `{format}`")).hint("format = \"template\"");
            reader.fail_at(section, key, fault);
        }
        section.withhold(key);
    }
}

/// The template, or all that is wrong with it: the body's text and each header's are looked at alone.
fn compiled(
    reader: &mut Reader<'_>,
    text: Option<&Text>,
    headers: &[(String, Setting, Text)],
    content_type: &str,
) -> Option<Template> {
    let mut good = true;
    if let Some(text) = text {
        if let Err(fault) = body(text, content_type) {
            good = false;
            fail(reader, text, fault);
        }
        for (name, setting, header) in headers {
            // With nothing in it, only its name can be wrong.
            let named = Template::compile("x", &alone(name, ""), content_type);
            let filled = Template::compile("x", &alone(name, &header.value), content_type);
            if let Err(problem) = named {
                good = false;
                let fault = Fault::new(problem.message).maybe_hint(problem.hint);
                reader.report.fail(setting, fault);
            } else if let Err(problem) = filled {
                good = false;
                fail(reader, header, problem);
            }
        }
    }
    let (text, true) = (text?, good) else { return None };
    let all = headers.iter().map(|(name, _, text)| (name.clone(), text.value.clone())).collect();
    match Template::compile(&text.value, &all, content_type) {
        Ok(template) => Some(template),
        Err(problem) => {
            let setting = match &problem.part {
                Part::Header(name) => headers.iter().rfind(|(other, _, _)| other == name),
                Part::Body | Part::ContentType => None,
            };
            let setting = setting.map_or(&text.setting, |(_, setting, _)| setting);
            let fault = Fault::new(problem.message).maybe_hint(problem.hint);
            reader.report.fail(setting, fault);
            None
        }
    }
}

/// A header alone.
fn alone(name: &str, text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), text.to_owned())])
}

/// A body's template alone.
fn body(text: &Text, content_type: &str) -> Result<(), TemplateProblem> {
    Template::compile(&text.value, &BTreeMap::new(), content_type).map(drop)
}

/// Writes down what is wrong at its place in the text, or, where nobody can be shown that, with line and column.
fn fail(reader: &mut Reader<'_>, text: &Text, problem: TemplateProblem) {
    let TemplateProblem { offset, line, column, message, hint, .. } = problem;
    let (setting, message) = match &text.place {
        Some(place) => {
            let setting = Setting { place: Some(place.at(offset)), ..text.setting.clone() };
            (setting, message)
        }
        None => (text.setting.clone(), format!("line {line}, column {column}: {message}")),
    };
    reader.report.fail(&setting, Fault::new(message).maybe_hint(hint));
}

/// The word for a format.
pub(super) fn format(text: &Text) -> Result<FormatWord, Fault> {
    word(text, "format", &FormatWord::ALL.map(|format| (format.as_str(), format)))
}

/// What a template is escaped for.
pub(super) fn content_type(text: &Text) -> Result<String, Fault> {
    match Template::compile("x", &BTreeMap::new(), &text.value) {
        Ok(_) => Ok(text.value.clone()),
        Err(problem) => Err(Fault::new(problem.message).maybe_hint(problem.hint)),
    }
}

/// A template, by itself.
pub(super) fn template(text: &Text) -> Result<(), Fault> {
    body(text, CONTENT_TYPE).map_err(|problem| Fault::new(problem.message).maybe_hint(problem.hint))
}
