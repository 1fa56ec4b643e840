use super::*;
use crate::notify::samples;
use proptest::prelude::*;

fn parse(body: &Body) -> Json {
    assert_eq!(body.content_type, "application/json; charset=utf-8");
    assert!(body.bytes.len() <= MAX_BODY, "{}", body.bytes.len());
    let text = str::from_utf8(&body.bytes).unwrap();
    assert!(Unit::Utf16.len(text) <= TARGET, "{}", Unit::Utf16.len(text));
    let envelope: Json = serde_json::from_str(text).unwrap();
    assert_eq!(envelope["type"], "message");
    let attachments = envelope["attachments"].as_array().unwrap();
    assert_eq!(attachments.len(), 1);
    assert_eq!(attachments[0]["contentType"], "application/vnd.microsoft.card.adaptive");
    attachments[0]["content"].clone()
}

/// Calls `see` with the type of the nearest element, the key, and the text of every string.
fn strings(json: &Json, element: &str, key: &str, see: &mut impl FnMut(&str, &str, &str)) {
    match json {
        Json::String(text) => see(element, key, text),
        Json::Array(items) => items.iter().for_each(|item| strings(item, element, key, see)),
        Json::Object(map) => {
            let element = map.get("type").and_then(Json::as_str).unwrap_or(element);
            for (key, value) in map {
                assert!(!key.contains(samples::MARK));
                strings(value, element, key, see);
            }
        }
        _ => {}
    }
}

/// What the schema asks of the elements we use, and what we ask beyond it.
fn check(card: &Json) {
    assert_eq!(card["type"], "AdaptiveCard");
    assert_eq!(card["version"], "1.5");
    assert!(!card["fallbackText"].as_str().unwrap().is_empty());
    for action in card["actions"].as_array().unwrap() {
        assert_eq!(action["type"], "Action.OpenUrl");
        assert!(action["url"].as_str().unwrap().starts_with("https://"));
    }
    for table in card["body"].as_array().unwrap().iter().filter(|item| item["type"] == "Table") {
        let columns = table["columns"].as_array().unwrap().len();
        for row in table["rows"].as_array().unwrap() {
            assert_eq!(row["cells"].as_array().unwrap().len(), columns);
        }
    }
    strings(card, "", "", &mut |element, key, text| {
        assert!(!text.chars().any(limits::is_hidden), "{element}.{key}: {text:?}");
        assert!(!text.is_empty(), "{element}.{key} is empty");
        // Unescaped Markdown is only ever our own bold label.
        if (element == "TextBlock" && key == "text") || key == "value" || key == "title" {
            let body = text.strip_prefix("**").and_then(|rest| rest.split_once("** "));
            let body = body.map_or(text, |(_, rest)| rest);
            assert!(!body.contains(['<', '>']), "{text}");
            let mut escaped = false;
            for c in body.chars() {
                assert!(escaped || !"`*_[]()#+!|~{}-".contains(c), "{text}");
                escaped = c == '\\' && !escaped;
            }
        }
    });
}

/// Listed and left out, as a reader adds them up.
fn adds_up(message: &Json, alert: &Alert) {
    let (mut shown, mut more) = (None, 0);
    strings(message, "", "", &mut |_, _, text| {
        if let Some((shown_of, _)) = text.split_once(" shown · alert ") {
            let (head, of) = shown_of.split_once(" of ").unwrap();
            assert_eq!(of, alert.count.to_string());
            shown = head.rsplit_once(' ').unwrap().1.parse::<u64>().ok();
        }
        if text.ends_with(" in all, none listed here") {
            more = text.split_once(" hit").unwrap().0.parse().unwrap();
        }
        let tail = format!(" of {} in all", alert.count);
        if let Some(line) = text.strip_prefix("and ").and_then(|line| line.strip_suffix(&*tail)) {
            more = line.split_once(" more hit").unwrap().0.parse().unwrap();
        }
    });
    assert_eq!(shown.unwrap() + more, alert.count);
}

#[test]
fn cards_as_sent() {
    for (name, alert) in samples::all() {
        let card = parse(&render(&alert, Detail::Full));
        check(&card);
        adds_up(&card, &alert);
        let text = serde_json::to_string_pretty(&card)
            .unwrap()
            .replace(content::VERSION, "hsmwatch [version]");
        samples::snapshots(|| insta::assert_snapshot!(format!("teams_{name}"), text));
    }
    let card = parse(&render(&samples::hostile(), Detail::Counts));
    check(&card);
    let text = serde_json::to_string_pretty(&card)
        .unwrap()
        .replace(content::VERSION, "hsmwatch [version]");
    samples::snapshots(|| insta::assert_snapshot!("teams_counts", text));
}

#[test]
fn the_heartbeat_says_why_it_comes() {
    let card =
        parse(&heartbeat(samples::t("2026-11-22T09:00:00Z"), samples::t("2026-10-23T09:00:00Z")));
    check(&card);
    let text = serde_json::to_string_pretty(&card)
        .unwrap()
        .replace(content::VERSION, "hsmwatch [version]");
    let text = text.replace(&escape(content::VERSION, 99), "hsmwatch [version]");
    samples::snapshots(|| insta::assert_snapshot!("teams_heartbeat", text));
}

#[test]
fn an_ordinary_card_is_small_and_shows_all() {
    let card = parse(&render(&samples::alert(Severity::Critical), Detail::Full));
    assert!(card.to_string().len() < 8_000, "{}", card.to_string().len());
    assert!(card.to_string().contains("3 of 3 shown"));
}

#[test]
fn escaping() {
    assert_eq!(
        escape("a-b_c *d* [e](f) <at>g</at> {{DATE}}", 99),
        "a\\-b\\_c \\*d\\* \\[e\\]\\(f\\) ‹at›g‹/at› \\{\\{DATE\\}\\}"
    );
    assert_eq!(escape("1. no list", 99), "1\\. no list");
    assert_eq!(escape(". 1.5", 99), ". 1.5");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_alert_fits_and_log_text_stands_in_runs_only(alert in samples::any_alert()) {
        let card = parse(&render(&alert, Detail::Full));
        check(&card);
        adds_up(&card, &alert);
        strings(&card, "", "", &mut |element, key, text| {
            assert!(!text.contains(samples::MARK) || (element == "TextRun" && key == "text"), "{element}.{key}");
        });
    }

    #[test]
    fn counts_carry_no_field_of_the_log(alert in samples::any_alert()) {
        let card = parse(&render(&alert, Detail::Counts));
        check(&card);
        adds_up(&card, &alert);
        let text = card.to_string();
        prop_assert!(!text.contains(samples::MARK) && !text.contains("CN_"));
    }
}
