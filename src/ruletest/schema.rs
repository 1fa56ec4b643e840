//! The JSON schema of rule tests, for editors: completion, and most of what [`super::file`] refuses.

use crate::watch::alert::Reason;
use crate::watch::severity::Severity;
use crate::watch::step::TABLE;
use crate::watch::tables::{HARDWARE_TABLE, Variant, schema as columns};
use kql::Type;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

const REASONS: [Reason; 6] =
    [Reason::New, Reason::Digest, Reason::CatchUp, Reason::Sweep, Reason::Repeat, Reason::Test];

/// The schema's text, as it stands in `hsmwatch-test.schema.json`.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

fn described(mut schema: Json, description: &str) -> Json {
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), description.into());
    }
    schema
}

/// One of them, or a list.
fn some(item: &Json) -> Json {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

fn object(keys: &[(&str, Json)], required: &[&str]) -> Json {
    let properties: Map<String, Json> =
        keys.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("properties".to_owned(), Json::Object(properties));
        if !required.is_empty() {
            fields.insert("required".to_owned(), required.into());
        }
    }
    schema
}

fn instant() -> Json {
    json!({
        "type": "string",
        "pattern": r"^([+-]([0-9]+(d|h|ms|m|s))+|[0-9]{4}-[0-9]{2}-[0-9]{2}.*)$",
        "description": "After the start (`+2m1s`), before it (`-3d`), or as it is (2026-11-22T08:00:00Z).",
    })
}

fn span() -> Json {
    json!({ "type": "string", "pattern": "^([0-9]+(d|h|ms|m|s))+$", "description": "Such as 90s or 1h30m." })
}

/// The columns that a row may have: those of both schemas of both tables.
fn row_columns() -> Vec<(String, Json)> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for table in [TABLE, HARDWARE_TABLE] {
        for column in columns(table, Variant::Both).map(|s| s.columns).unwrap_or_default() {
            // The test makes them.
            if ["TimeGenerated", "Type"].contains(&column.name.as_str()) {
                continue;
            }
            let ty = match column.ty {
                Type::Int | Type::Long => json!({ "type": "integer" }),
                Type::Real | Type::Decimal => json!({ "type": "number" }),
                Type::Bool => json!({ "type": "boolean" }),
                Type::Dynamic => json!({}),
                _ => json!({ "type": "string" }),
            };
            if known.insert(column.name.clone()) {
                all.push((column.name, ty));
            }
        }
    }
    all
}

fn row(required: bool) -> Json {
    let known = row_columns();
    let mut keys: Vec<(&str, Json)> = vec![
        ("at", described(instant(), "When it happened.")),
        ("ingested", described(instant(), "When it can first be queried; without it, at once.")),
        (
            "repeat",
            json!({ "type": "integer", "minimum": 1, "maximum": 100_000, "description": "So many rows in all." }),
        ),
        ("every", described(span(), "How far apart `repeat` puts them.")),
        ("table", described(tables(), "Its table.")),
    ];
    keys.extend(known.iter().map(|(name, ty)| (name.as_str(), ty.clone())));
    object(&keys, if required { &["at"] } else { &[] })
}

fn tables() -> Json {
    json!({ "enum": [TABLE, HARDWARE_TABLE] })
}

fn alert() -> Json {
    let severities: Vec<&str> = Severity::ALL.iter().map(|s| s.as_str()).collect();
    let reasons: Vec<&str> = REASONS.iter().map(|r| r.as_str()).collect();
    let fields = json!({ "type": "object", "description": "Columns of a hit." });
    object(
        &[
            ("at", described(instant(), "The instant of `eval` at which it is sent.")),
            ("rule", json!({ "type": "string", "description": "The rule's id." })),
            ("severity", json!({ "enum": severities })),
            ("count", json!({ "type": "integer", "minimum": 0, "description": "Hits." })),
            ("reason", json!({ "enum": reasons })),
            ("title", json!({ "type": "string", "description": "Its title, as it is." })),
            (
                "text",
                json!({ "type": "string", "description": "Something that the rendered alert says." }),
            ),
            (
                "group",
                json!({ "type": "object", "additionalProperties": { "type": "string" },
                        "description": "The values that made it an alert of its own." }),
            ),
            ("match", fields.clone()),
            (
                "rows",
                json!({ "type": "array", "items": fields, "description": "Each is matched by a hit of its own." }),
            ),
            (
                "exact",
                json!({ "type": "boolean", "description": "The rows are all hits, and their columns all columns." }),
            ),
        ],
        &["at", "rule"],
    )
}

fn fault() -> Json {
    object(
        &[
            ("at", described(some(&instant()), "Instants of `eval`.")),
            (
                "receiver",
                json!({ "type": "string", "pattern": "^(dies|down|[345][0-9]{2})$",
                        "description": "It answers with this status, takes the alert and never answers (dies), or is not there (down)." }),
            ),
            ("tick", json!({ "enum": ["missed"], "description": "The timer does not fire." })),
            (
                "crash",
                json!({ "enum": ["before-send", "after-send"],
                        "description": "The process ends before it sends, or when the receiver has the alert and nothing is noted." }),
            ),
        ],
        &["at"],
    )
}

fn case() -> Json {
    let every = object(&[("every", span()), ("until", instant())], &["every", "until"]);
    let eval = json!({ "anyOf": [instant(), { "type": "array", "items": instant() }, every] });
    let alerts = json!({ "type": "array", "items": alert() });
    object(
        &[
            ("name", json!({ "type": "string" })),
            ("eval", described(eval, "When the timer fires. The watches begin at the start.")),
            (
                "rows",
                json!({ "type": "array", "items": row(false), "description": "Rows besides the file's." }),
            ),
            (
                "fault",
                json!({ "type": "array", "items": fault(), "description": "What goes wrong, and when." }),
            ),
            ("alert", described(alerts.clone(), "All alerts that are told.")),
            ("alerts", described(alerts, "The same in one line; `[]`: none.")),
        ],
        &["name", "eval"],
    )
}

fn query() -> Json {
    let fields = json!({ "type": "array", "items": { "type": "object" }, "description": "The rows that it gives." });
    object(
        &[
            ("name", json!({ "type": "string" })),
            ("kql", json!({ "type": "string" })),
            (
                "eval",
                described(
                    instant(),
                    "The instant of `now()`; only rows that can be queried by then are there.",
                ),
            ),
            ("expect", fields),
            ("ordered", json!({ "type": "boolean", "description": "They come in this order." })),
            (
                "fuzzy",
                json!({ "type": "number", "minimum": 0, "description": "How much reals may differ." }),
            ),
        ],
        &["kql", "eval"],
    )
}

/// The schema.
pub fn schema() -> Json {
    let text = json!({ "type": "string" });
    let variants = json!({ "enum": ["current", "legacy"] });
    let mut schema = object(
        &[
            ("rules", described(some(&text), "Rule files, as patterns relative to this one.")),
            ("presets", described(some(&text), "Presets and sets.")),
            (
                "schema",
                described(
                    some(&variants),
                    "The columns of the table: each case is run with each. Without it, with both.",
                ),
            ),
            (
                "start",
                json!({ "description": "What relative times count from, and when the watches begin." }),
            ),
            ("table", described(tables(), "The table of rows that name none.")),
            ("defaults", described(row(false), "Columns of all rows that do not say otherwise.")),
            (
                "rows_file",
                described(
                    some(&text),
                    "Exported logs whose rows are there too, as patterns relative to this file.",
                ),
            ),
            (
                "rows",
                json!({ "type": "array", "items": row(false), "description": "Rows of all cases." }),
            ),
            ("case", json!({ "type": "array", "items": case() })),
            (
                "query",
                json!({ "type": "array", "items": query(), "description": "Questions about the same rows." }),
            ),
        ],
        &[],
    );
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        fields.insert("title".to_owned(), "Rule tests of hsmwatch".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::super::TestFile;
    use super::*;
    use boon::{Compiler, Draft, Schemas};
    use std::path::PathBuf;

    fn root() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    /// As editors see it: an instant is a text.
    fn as_json(toml: &toml::Value) -> Json {
        match toml {
            toml::Value::Datetime(at) => at.to_string().into(),
            toml::Value::Array(items) => items.iter().map(as_json).collect(),
            toml::Value::Table(table) => {
                Json::Object(table.iter().map(|(k, v)| (k.clone(), as_json(v))).collect())
            }
            other => serde_json::to_value(other).unwrap(),
        }
    }

    fn refuses(text: &str) -> Option<String> {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V7);
        compiler.add_resource("https://example.com/schema.json", schema()).unwrap();
        let index = compiler.compile("https://example.com/schema.json", &mut schemas).unwrap();
        let value = as_json(&toml::Value::Table(toml::from_str(text).unwrap()));
        schemas.validate(&value, index).err().map(|error| format!("{error:#}"))
    }

    #[test]
    fn the_generated_schema_of_rule_tests_is_what_the_code_says() {
        let path = root().join("hsmwatch-test.schema.json");
        #[expect(clippy::disallowed_methods, reason = "a switch of whoever runs the test")]
        if std::env::var("HSMWATCH_WRITE").is_ok() {
            std::fs::write(path, text()).unwrap();
            return;
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == text(),
            "hsmwatch-test.schema.json is behind: HSMWATCH_WRITE=1 cargo test -p hsmwatch --lib generated"
        );
    }

    #[test]
    fn shipped_tests_satisfy_it() {
        let mut seen = 0;
        for entry in std::fs::read_dir(root().join("presets/tests")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(refuses(&text), None, "{}", path.display());
            seen += 1;
        }
        assert!(seen > 20);
    }

    #[test]
    fn reader_and_schema_refuse_alike() {
        let head = "presets = [\"key-delete\"]\n[[case]]\nname = \"c\"\neval = \"+5m\"\n";
        let with = |more: &str| format!("{head}{more}");
        let good = [
            with("alerts = []"),
            with(
                "alerts = [{ at = \"+5m\", rule = \"key-delete\", count = 2, match = { Opcode = \"7\" } }]",
            ),
            with(
                "alerts = []\nrows = [{ at = 2026-11-22T08:00:00Z, repeat = 3, every = \"1m30s\", OperationName = \"A\" }]",
            ),
            with("alerts = []\n[[case.fault]]\nat = \"+5m\"\nreceiver = \"429\""),
            "[[query]]\nkql = \"print 1\"\neval = \"+1m\"\n".to_owned(),
        ];
        for text in good {
            assert_eq!(refuses(&text), None, "{text}");
            assert!(TestFile::parse(&text).is_ok(), "{text}: {:?}", TestFile::parse(&text));
        }
        let bad = [
            with("alerts = []\nnosuch = 1"),
            with("alerts = [{ at = \"soon\", rule = \"key-delete\" }]"),
            with("alerts = [{ at = \"+5m\" }]"),
            with("alerts = [{ at = \"+5m\", rule = \"key-delete\", severity = \"bad\" }]"),
            with("alerts = []\nrows = [{ at = \"+1m\", NoSuchColumn = \"A\" }]"),
            with("alerts = []\nrows = [{ at = \"+1m\", repeat = 0 }]"),
            with("alerts = []\nrows = [{ at = \"+1m\", every = \"often\" }]"),
            with("alerts = []\n[[case.fault]]\nat = \"+5m\"\nreceiver = \"tired\""),
            with("alerts = []\n[[case.fault]]\nat = \"+5m\"\ncrash = \"now\""),
            "schema = \"old\"\n[[query]]\nkql = \"print 1\"\neval = \"+1m\"\n".to_owned(),
            "table = \"Other\"\n[[query]]\nkql = \"print 1\"\neval = \"+1m\"\n".to_owned(),
        ];
        for text in bad {
            assert!(refuses(&text).is_some(), "{text}");
            assert!(TestFile::parse(&text).is_err(), "{text}");
        }
    }
}
