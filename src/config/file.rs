//! `hsmwatch.toml` and the rule files it names, as a draft.

use super::catalogue::{DOCUMENT, RULE_FILE};
use super::document::Document;
use super::draft::{Draft, DraftWorkspace};
use super::lookup::Lookup;
use super::model::{Source, State};
use super::problem::{Fault, Report, Setting, shown};
use super::reader::{Reader, Section};
use super::text::{Text, list, pattern};
use super::{address, receivers, rules, state, value};
use crate::watch::schedule::Schedule;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads the whole configuration. `files` takes the names of the files in the order they were read.
pub(super) fn read(
    document: &Document<'_>,
    lookup: &dyn Lookup,
    report: &mut Report,
    files: &mut Vec<Arc<str>>,
) -> Option<Draft> {
    files.push(document.name.clone());
    let table = document.parse(report)?;
    let mut root = Section::document(&DOCUMENT, &table, document);
    let root = &mut root;
    let mut draft = Draft::empty(root.setting.clone());
    let mut reader = Reader { document, lookup, report };

    draft.schedule = schedule(&mut reader, root);
    draft.presets = reader.strings(root, "presets");
    draft.cloud = reader.parsed(root, "cloud", value::cloud).map(|(cloud, _)| cloud);
    draft.overlap = reader.duration(root, "overlap");
    draft.sweep = reader.duration(root, "sweep");
    draft.sweep_every = reader.duration(root, "sweep_every");
    draft.catch_up = reader.duration(root, "catch_up");
    draft.silent_after =
        reader.duration_or_off(root, "silent_after").and_then(|(silent_after, _)| silent_after);
    if let Some(mut section) = reader.table(root, "state") {
        draft.state = state::section(&mut reader, &mut section);
    } else if !root.has("state") {
        let fault = Fault::new("no `[state]`").hint("add\n[state]\npath = \"hsmwatch-state\"");
        reader.report.fail(&root.setting, fault);
    }
    for mut section in reader.tables(root, "workspace") {
        draft.workspaces.push(workspace(&mut reader, &mut section));
    }
    if root.lacks("workspace") {
        let fault = Fault::new("no `[[workspace]]`").hint(
            "add\n[[workspace]]\nname = \"prod\"\nid = \"11111111-2222-3333-4444-555555555555\"",
        );
        reader.report.fail(&root.setting, fault);
    }
    for mut section in reader.tables(root, "receiver") {
        draft.receivers.push(receivers::read(&mut reader, &mut section));
    }
    if root.lacks("receiver") {
        let fault = Fault::new("no `[[receiver]]`").hint(
            "add\n[[receiver]]\nname = \"oncall\"\nkind = \"teams\"\nurl = { env = \"TEAMS_URL\" }",
        );
        reader.report.fail(&root.setting, fault);
    }
    for mut section in reader.tables(root, "rule") {
        draft.rules.push(rules::read(&mut reader, &mut section));
    }
    let patterns = reader.strings(root, "rules").unwrap_or_default();
    reader.finish(root, None);

    for path in rule_files(&patterns, lookup, report) {
        draft.rules_complete &= rule_file(&path, lookup, report, files, &mut draft.rules);
    }
    Some(draft)
}

fn schedule(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<Schedule> {
    let every = reader.duration(root, "every");
    let cron = reader.parsed(root, "cron", value::cron);
    if let (Some(_), Some((_, setting))) = (&every, &cron) {
        reader.report.fail(setting, Fault::new("contradicts `every`").hint("keep one of the two"));
    }
    every.map(|(every, _)| Schedule::Every(every)).or(cron.map(|(cron, _)| cron))
}

/// `[state]` of a document of which nothing else need be right.
pub(super) fn state_alone(
    document: &Document<'_>,
    lookup: &dyn Lookup,
    report: &mut Report,
) -> Option<State> {
    let table = document.parse_until_error()?;
    let mut root = Section::document(&DOCUMENT, &table, document);
    let mut reader = Reader { document, lookup, report };
    let mut section = reader.table(&mut root, "state")?;
    state::section(&mut reader, &mut section)
}

/// A path of this machine. What a configuration from elsewhere says must be absolute.
pub(super) fn on_disk(reader: &mut Reader<'_>, setting: &Setting, path: &str) -> Option<PathBuf> {
    let found = reader.lookup.on_disk(path).ok_or_else(|| {
        Fault::new("a relative path leads nowhere: the configuration is not on this machine")
            .hint("an absolute path")
    });
    reader.report.check(setting, found)
}

fn workspace(reader: &mut Reader<'_>, section: &mut Section<'_>) -> DraftWorkspace {
    reader.needs(section, "name", "a name of your choice, such as \"prod\"");
    let name = reader.parsed(section, "name", value::name);
    let id = reader.parsed(section, "id", value::guid);
    let endpoint = reader.parsed(section, "endpoint", address::endpoint);
    let resource_id = reader.parsed(section, "resource_id", value::resource_id);
    let logs = reader.strings(section, "logs");
    match (section.has("id"), section.has("logs")) {
        (true, true) => {
            let fault =
                Fault::new("`id` and `logs` contradict each other").hint("keep one of the two");
            reader.report.fail(&section.setting, fault);
        }
        (false, false) => {
            let fault = Fault::new("`[[workspace]]` needs `id` or `logs`").hint(
                "id = \"GUID\" for a Log Analytics workspace, logs = [\"exports/**/*.json\"] for exported logs",
            );
            reader.report.fail(&section.setting, fault);
        }
        _ => {}
    }
    if !section.has("id") {
        let settings = [endpoint.as_ref().map(|e| &e.1), resource_id.as_ref().map(|r| &r.1)];
        for setting in settings.into_iter().flatten() {
            reader.report.fail(setting, Fault::new("needs `id`"));
        }
    }
    let globs = logs.map(|logs| {
        if logs.is_empty() {
            let fault = Fault::new("is empty").hint("logs = [\"exports/**/*.json\"]");
            reader.fail_at(section, "logs", fault);
        }
        let mut globs = Vec::new();
        for text in &logs {
            let Some(glob) = reader.report.check(&text.setting, value::pattern(text)) else {
                continue;
            };
            if on_disk(reader, &text.setting, &glob).is_some() {
                globs.push(pattern(reader.lookup, &glob));
            }
        }
        globs
    });
    reader.finish(section, None);
    let source = match (&id, globs) {
        (Some((id, _)), _) => Some(Source::LogAnalytics {
            id: id.clone(),
            endpoint: endpoint.map(|(endpoint, _)| endpoint),
            resource_id: resource_id.map(|(resource_id, _)| resource_id),
        }),
        (None, Some(globs)) => Some(Source::Files { globs }),
        (None, None) => None,
    };
    DraftWorkspace { name, id, source }
}

/// The files that the patterns of `rules` match, each once.
fn rule_files(patterns: &[Text], lookup: &dyn Lookup, report: &mut Report) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for text in patterns {
        let Some(value) = report.check(&text.setting, value::pattern(text)) else { continue };
        let matches = lookup
            .glob(&pattern(lookup, &value))
            .map_err(|e| Fault::new(format!("{} cannot be searched: {e}", text.quoted())));
        let Some(matches) = report.check(&text.setting, matches) else { continue };
        if matches.is_empty() {
            let fault = Fault::new(format!("{} matches no file", text.quoted()));
            // A pattern may come to match later; a file that is named must be there.
            if value.contains(['*', '?', '[']) {
                report.warn(&text.setting, fault);
            } else {
                report.fail(&text.setting, fault);
            }
        }
        for path in matches {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Reads one rule file; whether it could be read.
fn rule_file(
    path: &std::path::Path,
    lookup: &dyn Lookup,
    report: &mut Report,
    files: &mut Vec<Arc<str>>,
    found: &mut Vec<super::draft::DraftRule>,
) -> bool {
    let name: Arc<str> = Arc::from(path.to_string_lossy());
    files.push(name.clone());
    let text = match lookup.read(path) {
        Ok(text) => text,
        Err(e) => {
            let setting = Setting { label: format!("`{name}`"), place: None };
            report.fail(&setting, Fault::new(format!("the file cannot be read: {e}")));
            return false;
        }
    };
    let document = Document { name, text: &text };
    let Some(table) = document.parse(report) else { return false };
    let mut root = Section::document(&RULE_FILE, &table, &document);
    let mut reader = Reader { document: &document, lookup, report };
    for mut section in reader.tables(&mut root, "rule") {
        found.push(rules::read(&mut reader, &mut section));
    }
    reader.finish(&root, Some("a rule file holds `[[rule]]` tables only"));
    true
}

/// A reference that names nothing.
pub(super) fn dangling(text: &Text, what: &str, names: &[&str]) -> Fault {
    let named =
        shown(&text.value).map_or("there is no such".to_owned(), |_| "there is no".to_owned());
    let fault = Fault::new(format!("{named} {what} {}", text.quoted()));
    let near = super::problem::nearest(&text.value, names.iter().copied())
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| {
            (!names.is_empty() && names.len() <= 12).then(|| format!("known: {}", list(names)))
        });
    fault.maybe_hint(near)
}
