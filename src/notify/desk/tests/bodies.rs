//! What desks are told: as sent, within the limits, and harmless.

use super::*;
use crate::notify::{content, limits};
use serde_json::Value as Json;

/// Whatever an alert may be told of, with a past or without.
fn asks(name: &str, alert: &Alert, detail: Detail, later: bool) -> Vec<Ask> {
    let world = World::new(name);
    let receiver = Receiver { detail, ..world.receiver };
    let errand = Errand { receiver: &receiver, alert, again: false, resolve: false, at: world.now };
    let previous = Told { alert: format!("{:032x}", 1), time: t("2026-11-20T07:00:01Z") };
    let memory = if later {
        Memory { told: 1, last: Some(previous), ..Memory::default() }
    } else {
        Memory::default()
    };
    let about = About { goal: Goal::Tell, ..About::new(&errand, &memory) };
    let former = Case { id: "10011".to_owned(), name: "FORMER-12".to_owned() };
    let former = later.then_some(&former);
    let found = searching::Found {
        case: Case { id: "10012".to_owned(), name: "SEC-13".to_owned() },
        open: true,
        done: true,
        text: String::new(),
    };
    let notify::Settings::Desk(settings) = &receiver.settings else { panic!("no desk") };
    let searched = |desk: &dyn searching::Desk| {
        let mut asks = vec![desk.open(&about, former)];
        asks.extend(later.then(|| desk.note(&found, &about)));
        asks.extend(desk.resolve(&found.case, &about, None));
        asks
    };
    let keyed = |desk: &dyn keyed::Desk| {
        let mut asks = desk.tell(&about);
        asks.extend(desk.resolve(&about));
        asks
    };
    match settings {
        Settings::PagerDuty(desk) => keyed(desk),
        Settings::JiraServiceManagement(desk) => keyed(desk),
        Settings::ServiceNow(desk) if desk.table == servicenow::Table::EmEvent => keyed(desk),
        Settings::ServiceNow(desk) => searched(desk),
        Settings::Jira(desk) => searched(desk),
    }
}

fn body(ask: &Ask) -> Json {
    let body = ask.body.as_ref().unwrap();
    assert_eq!(body.content_type, "application/json");
    serde_json::from_slice(&body.bytes).unwrap()
}

fn written(asks: &[Ask]) -> String {
    let one = |ask: &Ask| {
        let body = serde_json::to_string_pretty(&body(ask)).unwrap();
        format!("{:?}: {} {}\n{body}\n", ask.act, ask.method.as_str(), ask.path)
    };
    let text = asks.iter().map(one).collect::<Vec<_>>().concat();
    text.replace(content::VERSION, "hsmwatch [version]")
}

#[test]
fn bodies_as_sent() {
    for name in ALL {
        for (sample, alert) in samples::all() {
            // PagerDuty gets all 500 of them.
            if sample == "many" && name == "pagerduty" {
                continue;
            }
            let text = written(&asks(name, &alert, Detail::Full, false));
            samples::snapshots(|| insta::assert_snapshot!(format!("{name}_{sample}"), text));
        }
        let counts = written(&asks(name, &samples::hostile(), Detail::Counts, false));
        samples::snapshots(|| insta::assert_snapshot!(format!("{name}_counts"), counts));
        let later = written(&asks(name, &samples::alert(Severity::High), Detail::Full, true));
        samples::snapshots(|| insta::assert_snapshot!(format!("{name}_later"), later));
    }
}

/// Every text of a body, with the names around it.
fn texts(json: &Json, path: &str, see: &mut impl FnMut(&str, &str)) {
    match json {
        Json::String(text) => see(path, text),
        Json::Array(items) => items.iter().for_each(|item| texts(item, path, see)),
        Json::Object(map) => {
            for (key, value) in map {
                texts(value, &format!("{path}/{key}"), see);
            }
        }
        _ => {}
    }
}

fn length(json: &Json) -> usize {
    json.as_str().unwrap().chars().count()
}

/// The documented limits, and what is kept of them.
fn check(name: &str, ask: &Ask) {
    let json = body(ask);
    let bytes = ask.body.as_ref().unwrap().bytes.len();
    match (name, ask.act) {
        ("pagerduty", _) => {
            assert!(bytes <= pagerduty::MAX_EVENT, "{bytes}");
            assert_eq!(length(&json["routing_key"]), 32);
            assert!((1..=255).contains(&length(&json["dedup_key"])));
            if ask.act == Act::Tell {
                let payload = &json["payload"];
                assert!((1..=1_024).contains(&length(&payload["summary"])));
                assert!(!payload["source"].as_str().unwrap().trim().is_empty());
                let known = ["critical", "error", "warning", "info"];
                assert!(known.contains(&payload["severity"].as_str().unwrap()));
                let stamp = payload["timestamp"].as_str().unwrap();
                assert!(DateTime::parse_from_rfc3339(stamp).is_ok());
                assert!(payload["custom_details"]["alert"]["id"].is_string());
            }
        }
        ("jsm", Act::Tell) => {
            assert!((1..=130).contains(&length(&json["message"])));
            assert!(length(&json["description"]) <= 15_000);
            assert!(length(&json["alias"]) <= 512 && length(&json["entity"]) <= 512);
            assert!(["P1", "P2", "P3", "P4", "P5"].contains(&json["priority"].as_str().unwrap()));
            let tags = json["tags"].as_array().unwrap();
            assert!(tags.len() <= 20 && tags.iter().all(|tag| (1..=50).contains(&length(tag))));
            let details = json["details"].as_object().unwrap();
            assert!(details.values().all(Json::is_string));
            assert!(json["details"].to_string().len() <= 8_000);
        }
        ("jsm", _) => assert!((1..=25_000).contains(&length(&json["note"]))),
        ("incident", Act::Open) => {
            assert!((1..=160).contains(&length(&json["short_description"])));
            assert!(length(&json["description"]) <= 4_000);
            assert!(length(&json["correlation_id"]) <= 100);
        }
        ("incident", Act::Note) => assert!(length(&json["work_notes"]) <= 4_000),
        ("incident", _) => assert_eq!(json["state"], "6"),
        ("em_event", act) => {
            let record = &json["records"][0];
            assert_eq!(json["records"].as_array().unwrap().len(), 1);
            for name in ["source", "node", "type"] {
                assert!((1..=100).contains(&length(&record[name])), "{name}");
            }
            assert!(length(&record["description"]) <= 4_000);
            assert!(length(&record["additional_info"]) <= 4_000);
            let info = record["additional_info"].as_str().unwrap();
            let info: Json = serde_json::from_str(info).unwrap();
            assert!(info.as_object().unwrap().values().all(Json::is_string));
            let closes = act == Act::Resolve;
            assert_eq!(record["severity"] == "0", closes);
            assert_eq!(record["resolution_state"], if closes { "Closing" } else { "New" });
        }
        (_, Act::Open) => {
            let fields = &json["fields"];
            assert!((1..=255).contains(&length(&fields["summary"])));
            assert!(!fields["summary"].as_str().unwrap().contains(['\n', '\r']));
            assert!(fields["description"].to_string().len() <= jira::MAX_DESCRIPTION);
            for label in fields["labels"].as_array().unwrap() {
                assert!((1..=255).contains(&length(label)));
                assert!(!label.as_str().unwrap().contains(char::is_whitespace));
            }
        }
        (_, Act::Note) => assert!(json["body"].to_string().len() <= jira::MAX_COMMENT),
        other => panic!("{other:?}"),
    }
    // Nothing that hides or reorders, anywhere.
    texts(&json, "", &mut |path, text| {
        let text = text.replace('\n', "");
        assert!(!text.chars().any(limits::is_hidden), "{name} {path}: {text:?}");
    });
}

/// In a document, text from the log stands in `code`.
fn code_only(node: &Json) {
    if node["type"] == "text" && node["text"].as_str().unwrap().contains("evil.example") {
        assert_eq!(node["marks"], json!([{ "type": "code" }]), "{node}");
    }
    match node {
        Json::Array(items) => items.iter().for_each(code_only),
        Json::Object(map) => map.values().for_each(code_only),
        _ => {}
    }
}

/// Where text from the log stands: in code, or with everything taken out that could be taken for a link or a tag.
fn check_hostile(name: &str, ask: &Ask) {
    let json = body(ask);
    texts(&json, "", &mut |path, text| {
        if name == "jira" && path.ends_with("/text") {
            return;
        }
        for evil in ["https://evil", "<at>", "<!channel>", "](http"] {
            assert!(!text.contains(evil), "{name} {path}: {text}");
        }
    });
    code_only(&json);
}

#[test]
fn text_from_the_log_is_interpreted_nowhere() {
    for name in ALL {
        for ask in asks(name, &samples::hostile(), Detail::Full, true) {
            check_hostile(name, &ask);
        }
    }
}

#[test]
fn limits_hold_exactly() {
    // A rule with texts far too long, and as many hits as an alert can have.
    let mut alert = samples::many();
    alert.rule.title = "T".repeat(5_000);
    alert.rule.id = "r".repeat(300);
    for text in [&mut alert.rule.meaning, &mut alert.rule.why, &mut alert.rule.action] {
        *text = "word ".repeat(5_000);
    }
    for name in ALL {
        let asks = asks(name, &alert, Detail::Full, true);
        for ask in &asks {
            check(name, ask);
        }
        let json = body(&asks[0]);
        let title = match name {
            "pagerduty" => &json["payload"]["summary"],
            "jsm" => &json["message"],
            "incident" => &json["short_description"],
            "em_event" => &json["records"][0]["description"],
            _ => &json["fields"]["summary"],
        };
        assert!(title.as_str().unwrap().starts_with("CRITICAL: TTTT"), "{name}");
    }
    let jsm = body(&asks("jsm", &alert, Detail::Full, false)[0]);
    assert_eq!(length(&jsm["message"]), 130);
    let incident = body(&asks("incident", &alert, Detail::Full, false)[0]);
    assert_eq!(length(&incident["short_description"]), 160);
}

#[test]
fn own_links_are_kept() {
    for name in ALL {
        let alert = samples::alert(Severity::High);
        let text = body(&asks(name, &alert, Detail::Full, false)[0]).to_string();
        assert!(text.contains("https://wiki.example.com/hsm/key-delete"), "{name}");
        assert!(text.contains("https://portal.azure.com#@contoso/blade/Logs/q/H4sI"), "{name}");
        let mut alert = alert;
        alert.links.runbook = Some("javascript:alert(1)".to_owned());
        let text = body(&asks(name, &alert, Detail::Full, false)[0]).to_string();
        assert!(!text.contains("javascript:"), "{name}");
    }
}

fn with_fields(name: &str, fields: &Json) -> Json {
    let mut world = World::new(name);
    let fields = fields.as_object().unwrap().clone();
    let notify::Settings::Desk(settings) = &mut world.receiver.settings else { panic!("no desk") };
    match settings {
        Settings::PagerDuty(_) => panic!("it has no fields"),
        Settings::JiraServiceManagement(desk) => desk.fields = fields,
        Settings::ServiceNow(desk) => desk.fields = fields,
        Settings::Jira(desk) => desk.fields = fields,
    }
    let alert = samples::alert(Severity::High);
    let notify::Settings::Desk(settings) = &world.receiver.settings else { panic!("no desk") };
    body(&opening(settings, &world.receiver, &alert, alert.time).unwrap())
}

#[test]
fn configured_fields_are_added_and_ours_stay() {
    let fields = json!({
        "labels": ["hsm", "hsmwatch"], "summary": "x", "description": "x", "project": { "key": "X" },
        "components": [{ "name": "HSM" }], "customfield_10010": { "value": "Security" }, "priority": { "name": "Top" },
    });
    let jira = &with_fields("jira", &fields)["fields"];
    let key = format!("hsmwatch-{}", alert(1).incident_key);
    assert_eq!(jira["labels"], json!(["hsmwatch", key, "key-delete", "hsm"]));
    assert_eq!(
        (&jira["project"], &jira["issuetype"]),
        (&json!({ "key": "SEC" }), &json!({ "name": "Task" }))
    );
    assert_eq!(jira["components"], json!([{ "name": "HSM" }]));
    assert_eq!(jira["customfield_10010"], json!({ "value": "Security" }));
    assert_eq!(jira["priority"], json!({ "name": "Top" }));
    assert_ne!(jira["summary"], "x");

    let fields = json!({
        "tags": ["hsm"], "details": { "site": "weu" }, "alias": "x", "responders": [{ "type": "team", "id": "1" }],
        "priority": "P2",
    });
    let jsm = with_fields("jsm", &fields);
    assert_eq!(jsm["tags"], json!(["hsmwatch", "key-delete", "high", "hsm"]));
    assert_eq!(
        (&jsm["details"]["site"], &jsm["details"]["rule"]),
        (&json!("weu"), &json!("key-delete"))
    );
    assert_eq!((&jsm["alias"], &jsm["priority"]), (&json!(alert(1).incident_key), &json!("P2")));
    assert_eq!(jsm["responders"], json!([{ "type": "team", "id": "1" }]));

    let fields = json!({
        "assignment_group": "287ebd7da9fe198100f92cc8d1d2154e", "correlation_id": "x", "description": "x",
        "close_code": "Known error", "close_notes": "over", "urgency": "3",
    });
    let incident = with_fields("incident", &fields);
    assert_eq!(incident["assignment_group"], "287ebd7da9fe198100f92cc8d1d2154e");
    assert_eq!(
        (&incident["correlation_id"], &incident["urgency"]),
        (&json!(alert(1).incident_key), &json!("3"))
    );
    assert!(incident.get("close_code").is_none() && incident["description"] != "x");

    let fields =
        json!({ "ci_identifier": "{}", "severity": "5", "additional_info": { "site": "weu" } });
    let event = &with_fields("em_event", &fields)["records"][0];
    assert_eq!((&event["ci_identifier"], &event["severity"]), (&json!("{}"), &json!("2")));
    assert!(event["additional_info"].as_str().unwrap().contains("\"site\":\"weu\""));
}

#[test]
fn counts_reach_desks_without_fields_of_the_log() {
    for name in ALL {
        let mut world = World::new(name);
        world.receiver.detail = Detail::Counts;
        world.told(&alert(1));
        world.wait(1);
        world.told(&alert(2));
        for case in world.desk.cases() {
            let all = format!("{} {} {:?} {}", case.title, case.text, case.notes, case.record);
            for field in ["10.20.4.17", "azcloudhsm", "CN_", "hsm1", "blade", "hsm-prod"] {
                assert!(!all.contains(field), "{name}: {field}: {all}");
            }
        }
        world.clean();
    }
}

/// Whatever an alert holds, no desk finds anything wrong with what is told of it.
#[test]
fn desks_take_every_sample() {
    for name in ALL {
        for (sample, alert) in samples::all() {
            let mut world = World::new(name);
            assert_eq!(world.tell(&alert), Verdict::Delivered, "{name} {sample}");
            let mut second = alert.clone();
            second.id = format!("{:032x}", 7);
            world.wait(1);
            assert_eq!(world.tell(&second), Verdict::Delivered, "{name} {sample}");
            world.clean();
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn desks_take_any_alert(alert in samples::any_alert()) {
        for name in ALL {
            let mut world = World::new(name);
            assert_eq!(world.tell(&alert), Verdict::Delivered, "{name}");
            let mut second = alert.clone();
            second.id = format!("{:032x}", 7);
            world.wait(1);
            assert_eq!(world.tell(&second), Verdict::Delivered, "{name}");
            world.clean();
            for ask in asks(name, &alert, Detail::Full, true) {
                check(name, &ask);
            }
            for ask in asks(name, &alert, Detail::Counts, true) {
                check(name, &ask);
                let text = body(&ask).to_string();
                assert!(!text.contains(samples::MARK) && !text.contains("CN_"), "{name}: {text}");
            }
        }
    }
}
