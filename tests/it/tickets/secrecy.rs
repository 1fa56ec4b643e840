//! What must not be shown, and what must not act.

use super::{ALL, bed, clean, each, open, with, with_more};
use crate::support::bed::deletion;
use crate::support::fake_desk::Fault;
use chrono::Utc;
use serde_json::Value as Json;

/// Every text of a JSON value.
fn texts(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::String(text) => found.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Json::Object(object) => {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| texts(value, found));
        }
        _ => {}
    }
}

#[test]
fn secrets_are_never_shown_or_kept() {
    each(&ALL, |sort| {
        let (bed, desk) = with(bed().variable("RUST_LOG", "trace"), sort, (sort.make)());
        let echo = format!(
            "{{\"error\":{{\"message\":\"{0}\"}},\"errorMessages\":[\"{0}\"],\"errors\":{{\"x\":\"{0}\"}},\"message\":\"{0}\"}}",
            [super::ROUTING_KEY, super::API_KEY, super::PASSWORD, super::TOKEN].join(" ")
        );
        bed.begin();
        bed.delete_key("a");
        let mut shown = Vec::new();
        for status in [500, 429, 400, 422, 403, 401] {
            desk.script([Fault::Status(status, echo.clone())]);
            let ran = bed.run_once();
            shown.extend([ran.stdout, ran.stderr]);
            bed.deliveries_come_due();
            bed.cases_settle();
        }
        for arguments in [&["status"][..], &["check"]] {
            let ran = bed.run(arguments);
            shown.extend([ran.stdout, ran.stderr]);
        }
        assert!(!desk.calls().is_empty(), "{}", sort.kind);
        bed.keeps_secrets(&shown.iter().map(String::as_str).collect::<Vec<_>>());
    });
}

#[test]
fn with_counts_no_field_of_the_log_leaves() {
    each(&ALL, |sort| {
        let (bed, desk) = with_more(bed(), sort, (sort.make)(), "detail = \"counts\"");
        bed.begin();
        let fields = [
            ("ClientInfo", "first-client"),
            ("CallerIpAddress", "10.77.66.55"),
            ("Instance", "hidden-instance"),
            ("ResultDescription", "hidden-description"),
        ];
        for _ in 0..2 {
            let record = fields
                .iter()
                .fold(deletion("", Utc::now()), |record, (name, value)| record.with(name, *value));
            bed.log(record);
            bed.run_once().exits(0).without_talk();
        }
        assert_eq!((open(&desk).len(), desk.cases()[0].count), (1, 2), "{}", sort.kind);
        for call in desk.calls() {
            let body = String::from_utf8(call.body).unwrap();
            for (_, value) in fields {
                assert!(
                    !body.contains(value) && !call.target.contains(value),
                    "{}: {body}",
                    sort.kind
                );
            }
        }
        clean(&desk);
    });
}

#[test]
fn fields_of_the_log_act_in_no_desk() {
    let hostile = [
        "\u{1b}[2J\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}31m",
        "[x](https://evil.example/) ![i](https://evil.example/i.png) {color:red}h1. x{color} [~admin] !img.png!",
        "safe\u{202e}fdp.exe\u{2066}\u{200b}\u{feff}",
        "nul\0nul \"}],\"a\":[{\\ \\u0000",
        "x\r\nState: Closed\n[code]<script>alert(1)</script>[/code] https://evil.example/ evil.example",
        "{{7*7}} ${gs.getUser()} javascript:gs.print(1) ^ORactive=true",
        "🔑👩‍👩‍👧‍👦 漢字 \u{10ffff}",
    ];
    let long = "A\u{1b}[code]".repeat(20_000);
    each(&ALL, |sort| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        for value in hostile.iter().copied().chain([long.as_str()]) {
            let record = deletion(value, Utc::now());
            let columns =
                ["CallerIpAddress", "Instance", "ResultDescription", "ResultType", "Opcode"];
            bed.log(columns.iter().fold(record, |record, column| record.with(column, value)));
            bed.run_once().exits(0).without_talk();
        }
        clean(&desk);
        let [case] = &desk.cases()[..] else { panic!("{}: {:?}", sort.kind, desk.cases()) };
        assert_eq!(case.notes.len(), hostile.len(), "{}", sort.kind);
        for call in desk.calls().iter().filter(|call| !call.body.is_empty()) {
            let json = call.json();
            assert!(!json.to_string().contains("\"href\":\"https://evil"), "{}: {json}", sort.kind);
            let mut found = Vec::new();
            texts(&json, &mut found);
            for text in found {
                let acts = |c: char| {
                    c.is_control() && c != '\n'
                        || matches!(c, '\u{200b}'..='\u{200c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
                };
                assert!(!text.contains(acts), "{}: {text:?}", sort.kind);
                // A document's text is text, whatever it looks like.
                if sort.kind != "jira" {
                    for link in ["https://evil", "[code]", "<script"] {
                        assert!(!text.contains(link), "{}: {text:?}", sort.kind);
                    }
                }
            }
        }
    });
}
