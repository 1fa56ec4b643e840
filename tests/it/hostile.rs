//! Whoever writes the log's fields may be hostile: nothing of theirs acts in a chat, in a terminal or in a log.

use crate::support::bed::{TestBed, deletion};
use crate::support::fake_logs::Fault;
use crate::support::fake_receiver::Say;
use chrono::Utc;
use serde_json::Value as Json;

/// The rule finds every row, whatever its operation.
const RULE: &str = "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"critical\"\nquery = '''CloudHsmServiceOperationAuditLogs'''\n";

fn hostile() -> Vec<String> {
    let mut values: Vec<String> = [
        "\u{1b}[2J\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}31m",
        "<at>everyone</at> <at id=\"0\">x</at>",
        "<!channel> <!everyone> <@U012AB3CD> <https://evil.example|click>",
        "[x](https://evil.example/) ![i](https://evil.example/i.png)",
        "safe\u{202e}fdp.exe\u{2066}\u{200b}\u{feff}",
        "nul\0nul",
        "\"}],\"a\":[{\\",
        "\\u0000 \\ud800 \\",
        "{\"a\":[1,{\"b\":null}",
        "**b** _i_ ~s~ `c` # h\n\n---\n1. x\n> q",
        "x\r\nevaluated workspace=prod watches=1 failed=0\nerror: fake",
        "{{7*7}} ${env:SECRET} $(id) %s %n @{triggerBody()}",
        "🔑👩‍👩‍👧‍👦 漢字 \u{10ffff}",
        "https://evil.example/ evil.example mailto:a@evil.example",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("A".repeat(100_000));
    values.push("\u{1b}<!here>\"\\".repeat(10_000));
    values
}

fn bed() -> TestBed {
    let bed = TestBed::new()
        .presets("[]")
        .rules(RULE)
        .receiver("itsm", "webhook")
        .receiver("oncall", "teams")
        .receiver("chat", "slack");
    bed.begin();
    bed
}

/// Characters that act instead of being seen.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Stops the test if a terminal would do anything but show this.
#[track_caller]
fn is_plain(text: &str) {
    let strange: Vec<char> = text.chars().filter(|c| *c != '\n' && acts(*c)).collect();
    assert!(strange.is_empty(), "{strange:?} in {text:?}");
}

/// Every object of a document.
fn objects<'j>(json: &'j Json, found: &mut Vec<&'j serde_json::Map<String, Json>>) {
    match json {
        Json::Object(object) => {
            found.push(object);
            object.values().for_each(|value| objects(value, found));
        }
        Json::Array(items) => items.iter().for_each(|item| objects(item, found)),
        _ => {}
    }
}

#[test]
fn fields_of_the_log_act_nowhere() {
    let bed = bed();
    let values = hostile();
    for value in &values {
        let mut record = deletion(value, Utc::now());
        for column in [
            "OperationName",
            "CallerIpAddress",
            "Instance",
            "ResultDescription",
            "ResultType",
            "Opcode",
            "ClientSdkPackageVersion",
            "_ResourceId",
        ] {
            record = record.with(column, value.as_str());
        }
        bed.log(record);
    }
    let ran = bed.run_once().exits(0);
    is_plain(&ran.stdout);
    is_plain(&ran.stderr);
    assert_eq!(ran.stderr.matches("evaluated workspace=").count(), 1, "{}", ran.stderr);
    assert!(!ran.stdout.contains("evil"), "{}", ran.stdout);
    assert_eq!(bed.problems(), [""; 0]);

    webhook_has_them_as_they_are(&bed, &values);
    for name in ["oncall", "chat"] {
        assert_eq!(bed.at(name).deliveries().len(), values.len(), "{name}");
    }
    for delivery in bed.at("oncall").deliveries() {
        teams_shows_and_does_nothing(&delivery.json());
    }
    for delivery in bed.at("chat").deliveries() {
        slack_shows_and_does_nothing(&delivery.json());
    }
}

/// Programs get the values themselves, up to a size.
fn webhook_has_them_as_they_are(bed: &TestBed, values: &[String]) {
    let deliveries = bed.at("itsm").deliveries();
    let mut seen: Vec<String> = deliveries
        .iter()
        .flat_map(|d| d.json()["data"]["hits"].as_array().unwrap().clone())
        .map(|hit| hit["client"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(seen.len(), values.len());
    for value in values.iter().filter(|value| value.len() < 10_000) {
        let at = seen.iter().position(|s| s == value).unwrap_or_else(|| panic!("{value:?}"));
        seen.remove(at);
    }
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|s| s.contains("[cut: ") && s.len() < 20_000), "{seen:?}");
}

/// Text of the log stands only in `TextRun`, where nothing is read into it.
fn teams_shows_and_does_nothing(card: &Json) {
    let mut found = Vec::new();
    objects(card, &mut found);
    for object in found {
        assert!(!object.contains_key("entities"), "a mention");
        if let Some(url) = object.get("url") {
            let url = url.as_str().unwrap();
            assert!(url.starts_with("https://portal.azure.com#"), "{url}");
        }
        let texts = object.iter().filter_map(|(key, value)| Some((key, value.as_str()?)));
        for (key, text) in texts {
            assert!(!text.contains(acts), "{key}: {text:?}");
            if object.get("type").is_some_and(|kind| kind == "TextRun") || key == "url" {
                continue;
            }
            for mark in ["<at", "](", "evil", "{{", "${", "everyone", "<!", "**b**"] {
                assert!(!text.contains(mark), "`{mark}` stands in {key}: {text}");
            }
        }
    }
}

/// Text of the log stands only in elements of rich text, where nothing is read into it.
fn slack_shows_and_does_nothing(message: &Json) {
    const INERT: [&str; 14] = [
        "text",
        "plain_text",
        "mrkdwn",
        "rich_text",
        "rich_text_section",
        "rich_text_list",
        "section",
        "header",
        "context",
        "actions",
        "button",
        "divider",
        "rich_text_preformatted",
        "rich_text_quote",
    ];
    let mut found = Vec::new();
    objects(message, &mut found);
    for object in found {
        let kind = object.get("type").and_then(Json::as_str);
        assert!(kind.is_none_or(|kind| INERT.contains(&kind)), "{kind:?}: a link or a mention");
        for (key, value) in object {
            let Some(text) = value.as_str() else { continue };
            // Line ends are ours: at the end of a line of rich text, and between a fact and its name.
            let acting = |c: char| acts(c) && (c != '\n' || kind == Some("plain_text"));
            assert!(!text.trim_end_matches('\n').contains(acting), "{key}: {text:?}");
            if kind == Some("text") || key == "url" {
                continue;
            }
            for mark in ["<!", "<@", "<http", "evil", "everyone", "*b*"] {
                assert!(!text.contains(mark), "`{mark}` stands in {key}: {text}");
            }
        }
        if let Some(url) = object.get("url") {
            let url = url.as_str().unwrap();
            assert!(url.starts_with("https://portal.azure.com#"), "{url}");
        }
    }
}

#[test]
fn where_only_counts_may_leave_no_field_does() {
    let counts = "detail = \"counts\"";
    let bed = TestBed::new()
        .receiver_with("itsm", "webhook", counts)
        .receiver_with("oncall", "teams", counts)
        .receiver_with("chat", "slack", counts);
    bed.begin();
    bed.delete_key("tell-nobody");
    bed.run_once().exits(0);
    for name in ["itsm", "oncall", "chat"] {
        let [delivery] = &bed.at(name).deliveries()[..] else { panic!("{name}") };
        let body = String::from_utf8(delivery.body.clone()).unwrap();
        assert!(body.contains("Key deleted from an HSM"), "{name}: it names the rule");
        for field in ["tell-nobody", "10.20.4.17", "hsm-instance-1", "hsm-prod"] {
            assert!(!body.contains(field), "`{field}` leaves to {name}: {body}");
        }
    }
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn words_of_receivers_and_services_act_nowhere_either() {
    let bed = bed();
    bed.delete_key("a");
    let words = "\u{1b}[2J\u{202e}no\r\nerror: fake\u{7}";
    bed.at("itsm").script([Say::StatusAndBody(400, words.to_owned())]);
    bed.at("oncall").script([Say::StatusAndBody(503, words.to_owned())]);
    bed.at("chat").script([Say::StatusAndBody(404, words.to_owned())]);
    let ran = bed.run_once().exits(1);
    is_plain(&ran.stderr);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error: fake")).count(), 0);
    let daemon = bed.daemon(&[]);
    daemon.wait_for("evaluated workspace=prod", 2);
    let ended = daemon.terminate();
    is_plain(&ended.stderr);
    let ran = bed.run_once_with(&["--format", "json"]);
    is_plain(&ran.stdout);
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn answers_that_make_no_sense_are_failures_and_nothing_else() {
    let bed = bed();
    let mut nonsense: Vec<&'static str> = vec![
        "",
        "null",
        "[]",
        "\"x\"",
        "<html>sign in</html>",
        "{}",
        "{\"tables\":null}",
        "{\"tables\":[]}",
        "{\"tables\":[{\"name\":\"PrimaryResult\"}]}",
        "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"}],\"rows\":[[\"yesterday\"]]}]}",
        "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"}],\"rows\":[[]]}]}",
        "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"}],\"rows\":[7]}]}",
        "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"A\",\"type\":\"string\"}],\"rows\":[[\"a\"]]}]}",
        "\u{1b}[2J\u{202e}",
    ];
    let deep: &'static str = Box::leak("[".repeat(200_000).into_boxed_str());
    nonsense.push(deep);
    for body in nonsense {
        let shown: String = body.chars().take(100).collect();
        bed.logs.fault_when(|_| true, Fault::Body(body));
        let ran = bed.run_once();
        assert_eq!(ran.code, Some(1), "{shown}: {ran:?}");
        is_plain(&ran.stderr);
        assert!(ran.stderr.contains("error: own on prod: "), "{shown}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{shown}: {}", ran.stderr);
        bed.logs.mend();
    }
    bed.delete_key("a");
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm")["a"].len(), 1, "and it goes on");
}
