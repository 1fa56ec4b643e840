//! The JSON schema of the configuration, for editors.
//!
//! It says draft-07, which VS Code and Taplo read, and uses only words that draft-04 has too: Taplo has taken schemas for
//! draft-04, and an unknown word is silently nothing. So `not` and `anyOf` stand where `if` and `const` would.

use super::{DOCUMENT, Fallback, Key, RECEIVER, RULE, Relation, STATE, Section, Shape, WORKSPACE};
use crate::config::Known;
use crate::config::catalogue::Format;
use crate::watch::severity::Severity;
use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;

/// The schema.
pub(crate) fn schema(known: &Known) -> Json {
    let mut root = Map::new();
    root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("title".to_owned(), json!("hsmwatch.toml"));
    let Json::Object(document) = object(&DOCUMENT, known) else { return Json::Null };
    root.extend(document);
    root.insert(
        "definitions".to_owned(),
        json!({
            "elsewhere": {
                "description": "Where a string is kept outside the file: a variable of the environment, or a file.",
                "oneOf": [
                    { "type": "object", "additionalProperties": false, "required": ["env"],
                      "properties": { "env": { "type": "string", "minLength": 1, "description": "The name of a variable." } } },
                    { "type": "object", "additionalProperties": false, "required": ["file"],
                      "properties": { "file": { "type": "string", "minLength": 1, "description": "A file, relative to this one." } } },
                ],
            },
            "state": object(&STATE, known),
            "workspace": object(&WORKSPACE, known),
            "receiver": object(&RECEIVER, known),
            "rule": object(&RULE, known),
        }),
    );
    Json::Object(root)
}

/// The schema as the text of a file.
pub(crate) fn text(known: &Known) -> String {
    format!("{:#}\n", schema(known))
}

fn object(of: &'static Section, known: &Known) -> Json {
    let properties: Map<String, Json> =
        of.keys.iter().map(|key| (key.name.to_owned(), property(of, key, known))).collect();
    let required: Vec<&str> =
        of.keys.iter().filter(|key| key.required()).map(|key| key.name).collect();
    let relations: Vec<Json> =
        of.relations.iter().flat_map(|relation| condition(of, relation, known)).collect();
    let mut object = json!({
        "description": of.about, "type": "object", "additionalProperties": false, "properties": properties,
    });
    // Empty lists are no schema in draft-04.
    if let Some(map) = object.as_object_mut() {
        if !required.is_empty() {
            map.insert("required".to_owned(), json!(required));
        }
        if !relations.is_empty() {
            map.insert("allOf".to_owned(), json!(relations));
        }
    }
    object
}

fn property(of: &Section, key: &Key, known: &Known) -> Json {
    let mut about = key.about.to_owned();
    if key.format().is_some_and(Format::is_secret) {
        about.push_str(" A secret: write { env = \"VARIABLE\" } or { file = \"PATH\" }.");
    }
    if let Fallback::Words(words) = key.default {
        let _infallible = write!(about, " Default: {words}.");
    }
    let sentences = of.sentences(key);
    if !sentences.is_empty() {
        let _infallible = write!(about, " {sentences}");
    }
    let anything = json!({ "anyOf": [
        { "type": "string", "minLength": 1 }, { "$ref": "#/definitions/elsewhere" },
    ] });
    let mut schema = match &key.shape {
        Shape::Text(format) => string(format, known),
        Shape::List { of, empty } => {
            let mut list = json!({ "type": "array", "items": string(of, known) });
            if let (false, Some(map)) = (empty, list.as_object_mut()) {
                map.insert("minItems".to_owned(), json!(1));
            }
            list
        }
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Levels => {
            let levels: Map<String, Json> =
                Severity::ALL.iter().map(|level| (level.to_string(), anything.clone())).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": levels })
        }
        Shape::Texts => json!({ "type": "object", "additionalProperties": anything }),
        Shape::Values => json!({ "type": "object" }),
        Shape::Table(_) => json!({ "allOf": [{ "$ref": format!("#/definitions/{}", key.name) }] }),
        Shape::Tables(_) => {
            let mut list = json!({
                "type": "array", "items": { "$ref": format!("#/definitions/{}", key.name) },
            });
            if let (true, Some(map)) = (key.required(), list.as_object_mut()) {
                map.insert("minItems".to_owned(), json!(1));
            }
            list
        }
    };
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), json!(about));
        if let Fallback::Value(default) = key.default {
            map.insert("default".to_owned(), value(default));
        }
        map.insert("examples".to_owned(), json!([value(key.example)]));
    }
    schema
}

/// A string, or where it is kept.
fn string(format: &Format, known: &Known) -> Json {
    let mut string = Map::new();
    string.insert("type".to_owned(), json!("string"));
    let words: Option<Vec<String>> = match format {
        Format::Preset => Some(known.sets.keys().chain(&known.preset_ids).cloned().collect()),
        format => format.words().map(|words| words.iter().map(|w| (*w).to_owned()).collect()),
    };
    if let Some(words) = words {
        string.insert("enum".to_owned(), json!(words));
    }
    let outline = format.outline();
    if let Some(pattern) = outline.pattern {
        string.insert("pattern".to_owned(), json!(pattern));
    }
    if let Some(least) = outline.least {
        string.insert("minLength".to_owned(), json!(least));
    }
    if let Some(most) = outline.most {
        string.insert("maxLength".to_owned(), json!(most));
    }
    json!({ "anyOf": [string, { "$ref": "#/definitions/elsewhere" }] })
}

fn condition(of: &Section, relation: &Relation, known: &Known) -> Vec<Json> {
    let has = |key: &str| json!({ "required": [key] });
    // An empty list is as good as none.
    let uses = |key: &str| match of.key(key) {
        Some(Key { shape: Shape::List { empty: true, .. }, .. }) => {
            json!({ "required": [key], "properties": { key: { "minItems": 1 } } })
        }
        _ => has(key),
    };
    let needs = |key: &str, others: &[&str], mut or: Vec<Json>| {
        or.push(json!({ "not": uses(key) }));
        or.extend(others.iter().map(|other| has(other)));
        json!({ "anyOf": or })
    };
    // A preset that is changed; what an id elsewhere is, nobody knows here.
    let preset = || {
        vec![
            json!({ "properties": { "id": { "enum": known.preset_ids } } }),
            json!({ "properties": { "id": { "type": "object" } } }),
        ]
    };
    let unsigned =
        json!({ "required": ["unsigned"], "properties": { "unsigned": { "enum": [true] } } });
    // What is kept elsewhere, nobody knows here; and what is not written, another relation may ask for.
    let is = |key: &str, words: &[&str]| {
        vec![
            json!({ "properties": { key: { "enum": words } } }),
            json!({ "properties": { key: { "type": "object" } } }),
        ]
    };
    let is_not = |key: &str, words: &[&str]| {
        vec![
            json!({ "not": { "required": [key] } }),
            json!({ "properties": { key: { "not": { "enum": words } } } }),
        ]
    };
    match relation {
        Relation::Only { keys, key, words } => keys
            .iter()
            .map(|mine| {
                let mut or = is(key, words);
                or.push(json!({ "not": has(mine) }));
                json!({ "anyOf": or })
            })
            .collect(),
        Relation::When { key, words, needs } => {
            let mut or = is_not(key, words);
            or.push(json!({ "required": needs }));
            vec![json!({ "anyOf": or })]
        }
        Relation::WhenAny { key, words, any } => {
            let mut or = is_not(key, words);
            or.extend(any.iter().map(|other| has(other)));
            vec![json!({ "anyOf": or })]
        }
        Relation::Either(a, b) => vec![json!({ "oneOf": [has(a), has(b)] })],
        Relation::NotBoth(a, b) => vec![json!({ "not": { "required": [a, b] } })],
        Relation::Needs(key, others) => vec![needs(key, others, Vec::new())],
        Relation::OwnNeeds(key, others) => vec![needs(key, others, preset())],
        Relation::OwnHas(keys) => {
            let mut or = preset();
            or.push(json!({ "required": keys }));
            vec![json!({ "anyOf": or })]
        }
        Relation::Signed => vec![
            json!({ "anyOf": [
                { "properties": { "kind": { "not": { "enum": ["webhook"] } } } },
                has("secret"),
                unsigned,
            ] }),
            json!({ "not": { "allOf": [has("secret"), unsigned] } }),
        ],
    }
}

/// A value of the catalogue as JSON.
fn value(text: &str) -> Json {
    let table: Option<toml::Table> = toml::from_str(&format!("value = {text}")).ok();
    let value = table.and_then(|table| table.get("value").cloned());
    value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default()
}
