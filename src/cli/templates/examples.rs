//! The templates that we ship, with every alert that there may be, against what their targets ask for.

use super::tests::{receiver_of, setup};
use super::*;
use crate::notify::Detail;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/templates")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// What a target asks of a field: that it is there, of a type, and not longer than that (0: any length).
type Field = (&'static str, &'static str, usize);

const GITHUB: &[Field] =
    &[("/title", "string", 256), ("/body", "string", 65_536), ("/labels", "array", 0)];
const GITLAB: &[Field] = &[
    ("/title", "string", 200),
    ("/description", "string", 1_000),
    ("/severity", "string", 0),
    ("/fingerprint", "string", 0),
    ("/start_time", "time", 0),
    ("/service", "string", 100),
    ("/monitoring_tool", "string", 100),
    ("/hosts/0", "string", 255),
];
const OPSGENIE: &[Field] = &[
    ("/message", "string", 130),
    ("/alias", "string", 512),
    ("/description", "string", 15_000),
    ("/priority", "string", 2),
    ("/source", "string", 100),
    ("/entity", "string", 512),
    ("/tags", "array", 20),
    ("/tags/1", "string", 50),
    ("/details", "object", 8_000),
];
const ZENDESK: &[Field] = &[
    ("/ticket/subject", "string", 255),
    ("/ticket/comment/body", "string", 65_535),
    ("/ticket/comment/public", "boolean", 0),
    ("/ticket/priority", "string", 0),
    ("/ticket/type", "string", 0),
    ("/ticket/external_id", "string", 255),
    ("/ticket/tags", "array", 0),
];
const ITSM: &[Field] = &[
    ("/short_description", "string", 160),
    ("/description", "string", 0),
    ("/priority", "number", 0),
    ("/correlation_id", "string", 0),
    ("/links", "array", 0),
];
const DISCORD: &[Field] = &[
    ("/username", "string", 80),
    ("/allowed_mentions/parse", "array", 0),
    ("/embeds", "array", 10),
    ("/embeds/0/title", "string", 256),
    ("/embeds/0/description", "string", 4_096),
    ("/embeds/0/color", "number", 0),
    ("/embeds/0/timestamp", "time", 0),
    ("/embeds/0/footer/text", "string", 2_048),
];
const MATTERMOST: &[Field] = &[
    ("/attachments", "array", 10),
    ("/attachments/0/fallback", "string", 0),
    ("/attachments/0/text", "string", 16_383),
];
const GOOGLE_CHAT: &[Field] = &[("/text", "string", 4_096), ("/thread/threadKey", "string", 4_000)];

const TARGETS: &[(&str, &[Field])] = &[
    ("github-issue.json.j2", GITHUB),
    ("gitlab-alert.json.j2", GITLAB),
    ("opsgenie-alert.json.j2", OPSGENIE),
    ("zendesk-ticket.json.j2", ZENDESK),
    ("flat.json.j2", &[]),
    ("itsm.json.j2", ITSM),
    ("discord.json.j2", DISCORD),
    ("mattermost.json.j2", MATTERMOST),
    ("google-chat.json.j2", GOOGLE_CHAT),
    ("ntfy.txt.j2", &[]),
];

fn is(kind: &str, value: &Json) -> bool {
    match kind {
        "string" => value.as_str().is_some_and(|text| !text.is_empty()),
        "time" => value.as_str().is_some_and(|t| DateTime::parse_from_rfc3339(t).is_ok()),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    }
}

/// As the target counts: characters, entries, or characters of all values.
fn length(value: &Json) -> usize {
    match value {
        Json::String(text) => text.chars().count(),
        Json::Array(all) => all.len(),
        Json::Object(all) => all.iter().map(|(k, v)| k.chars().count() + length(v)).sum(),
        _ => 0,
    }
}

fn holds(name: &str, fields: &[Field], body: &Json) {
    for (path, kind, max) in fields {
        let value = body.pointer(path).unwrap_or_else(|| panic!("{name}: {path} is missing"));
        assert!(is(kind, value), "{name}: {path} is {value}");
        assert!(*max == 0 || length(value) <= *max, "{name}: {path} has {}", length(value));
    }
    let one_of = |path: &str, words: &[&str]| {
        let word = body.pointer(path).and_then(Json::as_str).unwrap();
        assert!(words.contains(&word), "{name}: {path} is {word}");
    };
    match name {
        "gitlab-alert.json.j2" => {
            one_of("/severity", &["critical", "high", "medium", "low", "info", "unknown"]);
        }
        "opsgenie-alert.json.j2" => {
            one_of("/priority", &["P1", "P2", "P3", "P4", "P5"]);
            assert!(body["details"].as_object().unwrap().values().all(Json::is_string));
        }
        "zendesk-ticket.json.j2" => {
            one_of("/ticket/priority", &["urgent", "high", "normal", "low"]);
            one_of("/ticket/type", &["problem", "incident", "question", "task"]);
            let tags = body["ticket"]["tags"].as_array().unwrap();
            assert!(tags.iter().all(|tag| !tag.as_str().unwrap().contains(' ')));
        }
        "discord.json.j2" => {
            assert_eq!(body["allowed_mentions"]["parse"], json!([]));
            let embed = &body["embeds"][0];
            let total = ["title", "description"].iter().map(|f| length(&embed[*f])).sum::<usize>();
            assert!(total + length(&embed["footer"]["text"]) <= 6_000);
        }
        "google-chat.json.j2" => assert!(body.to_string().len() <= 32_000),
        _ => {}
    }
}

/// Every alert that there may be.
fn all() -> Vec<(String, Alert)> {
    let setup = setup();
    let now = "2026-03-03T20:15:00Z".parse().unwrap();
    let mut all: Vec<(String, Alert)> = Vec::new();
    for ready in &setup.rules {
        let alert = sample(&setup, &ready.rule, None, Vec::new(), now);
        let variants = variants(&alert).into_iter();
        all.extend(variants.map(|(how, alert)| (format!("{} {how}", ready.rule.id), alert)));
    }
    all.extend(own_alerts(now).into_iter().map(|(how, alert)| (how.to_owned(), alert)));
    all
}

/// The receivers of the folder's README, by the name of their template.
fn configured() -> Vec<(String, toml::Table)> {
    let text = read("README.md");
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut out = Vec::new();
    for block in blocks {
        let table: toml::Table = block.parse().unwrap();
        for receiver in table["receiver"].as_array().unwrap() {
            let receiver = receiver.as_table().unwrap().clone();
            let file = receiver["template"]["file"].as_str().unwrap().to_owned();
            let name = file.strip_prefix("examples/templates/").unwrap().to_owned();
            out.push((name, receiver));
        }
    }
    out
}

fn compiled(name: &str, receiver: &toml::Table) -> Template {
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let headers: BTreeMap<String, String> = receiver
        .get("headers")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let content_type = receiver.get("content_type").map_or("application/json".to_owned(), text);
    Template::compile(&read(name), &headers, &content_type)
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_template_holds_for_every_alert() {
    let alerts = all();
    let schema: Json = serde_json::from_str(&read("flat.schema.json")).unwrap();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("flat.json", schema.clone()).unwrap();
    let flat = compiler.compile("flat.json", &mut schemas).unwrap();
    for (name, receiver) in configured() {
        let template = compiled(&name, &receiver);
        let (_, fields) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
        for (which, alert) in &alerts {
            for detail in [Detail::Full, Detail::Counts] {
                let made = template.render(&context(alert, detail));
                let body = made.body.unwrap_or_else(|e| panic!("{name}: {which}: {e:?}"));
                assert!(made.header_fault.is_none(), "{name}: {which}: {:?}", made.header_fault);
                if name == "ntfy.txt.j2" {
                    assert!(body.bytes.len() <= 4_096, "{which}: {}", body.bytes.len());
                    assert_eq!(made.headers.len(), 3);
                    continue;
                }
                let body: Json = serde_json::from_slice(&body.bytes).unwrap();
                holds(&name, fields, &body);
                if name == "flat.json.j2" {
                    let fits = schemas.validate(&body, flat);
                    assert!(fits.is_ok(), "{which}: {fits:?}");
                    let known = schema["properties"].as_object().unwrap();
                    assert!(body.as_object().unwrap().keys().eq(known.keys()), "{which}");
                }
                if which.contains("well again") {
                    assert_eq!(body.get("end_time").is_some(), name == "gitlab-alert.json.j2");
                    assert!(name != "itsm.json.j2" || body["state"] == "resolved");
                }
            }
        }
    }
}

/// Whatever stands in the log leads nowhere and pings nobody where text is Markdown.
#[test]
fn hostile_text_stays_in_its_block() {
    for (which, alert) in all().into_iter().filter(|(which, _)| which.contains("hostile")) {
        for (name, path, fence) in [
            ("github-issue.json.j2", "/body", "~~~~"),
            ("discord.json.j2", "/embeds/0/description", "```"),
            ("mattermost.json.j2", "/attachments/0/text", "```"),
            ("google-chat.json.j2", "/text", "```"),
        ] {
            let template = compiled(name, &toml::Table::new());
            let body = template.render(&context(&alert, Detail::Full)).body.unwrap();
            let body: Json = serde_json::from_slice(&body.bytes).unwrap();
            let text = body.pointer(path).unwrap().as_str().unwrap();
            let parts: Vec<&str> = text.split(fence).collect();
            assert_eq!(parts.len(), 3, "{name}: {which}: {text}");
            for outside in [parts[0], parts[2]] {
                assert!(!outside.contains("@all") && !outside.contains("<b>"), "{name}: {outside}");
            }
        }
    }
}

#[test]
fn every_template_is_told_of_and_every_one_told_of_is_there() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "j2"))
        .collect();
    let named: BTreeSet<String> = configured().into_iter().map(|(name, _)| name).collect();
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, named);
    assert_eq!(files, known);
}

/// `check` finds nothing to say about them.
#[test]
fn check_takes_them_all() {
    let setup = setup();
    for (name, receiver) in configured() {
        for detail in [Detail::Full, Detail::Counts] {
            let receiver = receiver_of(compiled(&name, &receiver), detail);
            let found = problems(&setup, &[receiver]);
            assert!(found.is_empty(), "{name}: {found:?}");
        }
    }
}
