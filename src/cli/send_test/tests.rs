//! Every preset in every receiver's words.

use super::*;
use crate::config::{Input, System, load};
use crate::notify::samples::settings;
use crate::notify::{Body, Detail, Kind, render};
use crate::watch::intake::incident_key;
use chrono::TimeZone as _;

const CONFIG: &str = r#"
presets = ["all"]
[state]
path = "state"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
[[receiver]]
name = "itsm"
kind = "webhook"
url = "http://127.0.0.1:9/"
unsigned = true
"#;

fn receiver(kind: Kind) -> Receiver {
    Receiver {
        name: kind.as_str().to_owned(),
        settings: settings(kind),
        min_severity: Severity::Info,
        rules: None,
        detail: Detail::Full,
        keys: Vec::new(),
        credential: String::new(),
    }
}

#[test]
fn every_preset_in_every_kind() {
    let lookup = System::here();
    let input = Input::File { name: "hsmwatch.toml", text: CONFIG };
    let loaded = load(input, &setup::known(), &lookup).unwrap();
    let setup = setup::finish(loaded, "hsmwatch.toml".to_owned(), lookup).unwrap();
    let now = Utc.with_ymd_and_hms(2026, 3, 3, 20, 15, 0).unwrap();
    assert_eq!(setup.rules.len(), crate::watch::presets::all().len());
    for ready in &setup.rules {
        let mut alert = sample(&setup, &ready.rule, None, Vec::new(), now);
        alert.id = "0123456789abcdef0123456789abcdef".to_owned();
        // A test has one of its own, of chance: here the rule's.
        alert.incident_key = incident_key(&alert.workspace.id, &alert.rule.id, &alert.group);
        alert.links.logs = None;
        for kind in Kind::ALL {
            let Body { bytes, .. } = render(&receiver(kind), &alert);
            let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            insta::assert_json_snapshot!(format!("{}_{kind}", ready.rule.id), json);
        }
    }
}
