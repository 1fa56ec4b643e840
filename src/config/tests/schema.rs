//! The JSON schema, as a validator sees it: what the reader takes it takes, and much of what the reader refuses it refuses.

use super::written::{Good, world};
use super::*;
use crate::config::catalogue::{RECEIVER, schema};
use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value as Json, json};

/// The schema under one draft.
struct Validator(Schemas, SchemaIndex);

impl Validator {
    fn new(draft: Draft, schema: Json) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(draft);
        compiler.add_resource("https://example.com/schema.json", schema).unwrap();
        let index = compiler.compile("https://example.com/schema.json", &mut schemas).unwrap();
        Self(schemas, index)
    }

    fn refuses(&self, value: &Json) -> Option<String> {
        self.0.validate(value, self.1).err().map(|error| format!("{error:#}"))
    }
}

thread_local! {
    /// As it says itself, and as Taplo has read schemas: as draft-04.
    static BOTH: [Validator; 2] = {
        let schema = schema::schema(&known());
        let mut old = schema.clone();
        old.as_object_mut().unwrap().remove("$schema");
        [Validator::new(Draft::V7, schema), Validator::new(Draft::V4, old)]
    };
}

/// What the schema has against a text; `None`: nothing.
pub(super) fn refuses(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    let value = serde_json::to_value(table).unwrap();
    BOTH.with(|[new, old]| {
        let (new, old) = (new.refuses(&value), old.refuses(&value));
        assert_eq!(new.is_some(), old.is_some(), "drafts 7 and 4 differ\n{text}\n{new:?}\n{old:?}");
        new
    })
}

/// Whether the schema takes a text.
pub(super) fn takes(text: &str) -> bool {
    refuses(text).is_none()
}

/// The parts of a configuration that a test is not about, and one change.
fn changed(from: &str, to: &str) -> String {
    assert!(REST.contains(from), "{from}");
    REST.replace(from, to)
}

#[test]
fn what_an_editor_should_mark_is_marked() {
    let own = "[[rule]]\nid = 'r'\ntitle = 'R'\nseverity = 'low'\nquery = 'T'\n";
    for (what, text) in [
        ("an unknown key", format!("evrey = '5m'\n{REST}")),
        ("an unknown section", format!("{REST}[workspaces]\n")),
        ("an unknown key of a section", format!("{REST}serverity = 'low'\n")),
        ("a number for a duration", format!("every = 300\n{REST}")),
        ("two units", format!("every = '1h30m'\n{REST}")),
        ("a capital unit", format!("every = '5M'\n{REST}")),
        ("a string for a list", format!("presets = 'tutorial'\n{REST}")),
        ("a preset that is none", format!("presets = ['tutorail']\n{REST}")),
        ("a cloud that is none", format!("cloud = 'gov'\n{REST}")),
        ("both schedules", format!("every = '5m'\ncron = '0 0 * * *'\n{REST}")),
        ("one table for many", REST.replace("[[workspace]]", "[workspace]")),
        ("many tables for one", changed("[state]", "[[state]]")),
        ("no state", changed("[state]\npath = \"s\"\n", "")),
        ("both places of state", changed("path = \"s\"", "path = 's'\naccount_url = 'https://a'")),
        ("neither place of state", changed("path = \"s\"", "container = 'box'")),
        ("a name for an id", changed("11111111-2222-3333-4444-555555555555", "my-workspace")),
        ("both id and logs", changed("name = \"prod\"", "name = 'prod'\nlogs = ['x']")),
        ("a kind that is none", changed("\"webhook\"", "\"team\"")),
        ("no signature and no word of it", changed("unsigned = true", "unsigned = false")),
        (
            "a signature and none",
            changed("unsigned = true", "unsigned = true\nsecret = { env = 'S' }"),
        ),
        ("a secret of another kind", changed("unsigned = true", "secret = 'abc'")),
        ("a URL that is none", changed("https://itsm", "itsm")),
        ("both env and file", format!("every = {{ env = 'A', file = 'B' }}\n{REST}")),
        ("neither env nor file", format!("every = {{ var = 'A' }}\n{REST}")),
        ("a number for a name", format!("every = {{ env = 1 }}\n{REST}")),
        ("a rule without a query", format!("{REST}{}", own.replace("query = 'T'\n", ""))),
        ("a capital id", format!("{REST}{}", own.replace("'r'", "'Burst'"))),
        ("a severity that is none", format!("{REST}{}", own.replace("'low'", "'hihg'"))),
        ("a string for a boolean", format!("{REST}{own}enabled = 'yes'\n")),
        (
            "window and lookback",
            format!("{REST}{own}window = '1h'\nlookback = '1d'\nkey = ['A']\n"),
        ),
        ("lookback alone", format!("{REST}{own}lookback = '1d'\n")),
        ("an empty list", format!("{REST}{own}workspaces = []\n")),
        ("a column that is none", format!("{REST}{own}group_by = ['b c']\n")),
        ("no technique", format!("{REST}{own}attack = '1485'\n")),
    ] {
        assert!(!takes(&text), "{what} is taken:\n{text}");
        let result = file(&text, &World::default().var("S", "x").var("A", "5m"));
        assert!(result.is_err(), "{what} is taken by the reader:\n{text}");
    }
}

#[test]
fn every_enumeration_is_taken_by_the_reader() {
    let schema = schema::schema(&known());
    let mut seen = 0;
    let sections = [
        ("", "/properties"),
        ("[[receiver]]", "/definitions/receiver/properties"),
        ("[[rule]]", "/definitions/rule/properties"),
    ];
    for (header, pointer) in sections {
        for (key, property) in schema.pointer(pointer).unwrap().as_object().unwrap() {
            let list = property.pointer("/items/anyOf/0/enum");
            let words = list.or_else(|| property.pointer("/anyOf/0/enum"));
            for word in words.and_then(Json::as_array).into_iter().flatten() {
                seen += 1;
                let value = if list.is_some() { json!([word]) } else { word.clone() };
                let line = format!("{key} = {value}\n");
                let text = match (header, key.as_str()) {
                    ("", _) => format!("{line}{REST}"),
                    ("[[receiver]]", key) => {
                        let key = RECEIVER.key(key).unwrap();
                        Good::new().with(&RECEIVER, key, &value.to_string()).text()
                    }
                    _ => format!("{REST}[[rule]]\nid = 'key-delete'\n{line}"),
                };
                let result = file(&text, &world());
                assert!(result.is_ok(), "{text}\n{}", rendered(&result));
            }
        }
    }
    assert_eq!(
        seen,
        (2 + 5) + 3 + 7 + 2 + 6 + 4 + 5 + 2 + 5,
        "presets, cloud, kind, table, auth, format, min_severity, detail, severity"
    );
}

#[test]
fn every_key_is_explained() {
    fn explained(properties: &Json) -> usize {
        let properties = properties.as_object().unwrap();
        for (key, property) in properties {
            assert!(property["description"].as_str().is_some_and(|d| d.len() > 15), "{key}");
        }
        properties.len()
    }
    let schema = schema::schema(&known());
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let mut keys = explained(&schema["properties"]);
    for (name, definition) in schema["definitions"].as_object().unwrap() {
        if name != "elsewhere" {
            keys += explained(&definition["properties"]);
            assert_eq!(definition["additionalProperties"], false, "{name}");
        }
    }
    assert_eq!(keys, 14 + 5 + 5 + 38 + 23);
    for (section, key) in [("receiver", "url"), ("receiver", "secret"), ("state", "account_key")] {
        let about = schema["definitions"][section]["properties"][key]["description"].as_str();
        assert!(about.unwrap().contains("A secret: write { env"), "{key}");
    }
}
