use super::*;
use crate::notify::samples;
use proptest::prelude::*;

fn units(json: &Json) -> usize {
    Unit::Utf16.len(json.as_str().unwrap())
}

fn parse(body: &Body) -> Json {
    assert_eq!(body.content_type, "application/json; charset=utf-8");
    let text = str::from_utf8(&body.bytes).unwrap();
    assert!(Unit::Utf16.len(text) <= MAX_BODY, "{}", Unit::Utf16.len(text));
    serde_json::from_str(text).unwrap()
}

fn list(json: &Json) -> &Vec<Json> {
    json.as_array().unwrap()
}

fn text_object(object: &Json, max: usize) {
    assert!((1..=max).contains(&units(&object["text"])), "{object}");
    let shown = object["text"].as_str().unwrap();
    assert!(!shown.replace('\n', "").chars().any(limits::is_hidden), "{object}");
    if object["type"] == "mrkdwn" {
        assert_eq!(object["verbatim"], true);
        assert!(!shown.contains(['<', '>']), "{object}");
    } else {
        assert_eq!(object["type"], "plain_text");
        assert_eq!(object["emoji"], false);
    }
}

/// Slack's limits, block by block.
fn check(message: &Json) {
    assert_eq!(message["unfurl_links"], false);
    assert_eq!(message["unfurl_media"], false);
    assert!((1..=3_000).contains(&units(&message["text"])));
    assert!(!message["text"].as_str().unwrap().contains(['<', '>']));
    let attachments = list(&message["attachments"]);
    assert_eq!(attachments.len(), 1);
    let all = list(&message["blocks"]).iter().chain(list(&attachments[0]["blocks"]));
    let all: Vec<&Json> = all.collect();
    assert!(all.len() <= 50);
    for block in all {
        match block["type"].as_str().unwrap() {
            "header" => text_object(&block["text"], 150),
            "section" => {
                if let Some(text) = block.get("text") {
                    text_object(text, 3_000);
                } else {
                    let fields = list(&block["fields"]);
                    assert!((1..=10).contains(&fields.len()));
                    for field in fields {
                        text_object(field, 2_000);
                    }
                }
            }
            "context" => {
                assert!((1..=10).contains(&list(&block["elements"]).len()));
                for text in list(&block["elements"]) {
                    text_object(text, 2_000);
                }
            }
            "actions" => {
                for button in list(&block["elements"]) {
                    text_object(&button["text"], 75);
                    assert!(!button["action_id"].as_str().unwrap().is_empty());
                    let url = button["url"].as_str().unwrap();
                    assert!(url.starts_with("https://") && url.len() <= 3_000);
                }
            }
            "rich_text" => list(&block["elements"]).iter().for_each(rich_element),
            other => panic!("{other}"),
        }
    }
}

fn rich_element(element: &Json) {
    let elements = list(&element["elements"]);
    assert!(!elements.is_empty(), "{element}");
    match element["type"].as_str().unwrap() {
        "rich_text_list" => elements.iter().for_each(rich_element),
        "rich_text_section" => {
            for text in elements {
                assert_eq!(text["type"], "text");
                assert!(units(&text["text"]) > 0);
                let shown = text["text"].as_str().unwrap();
                assert!(shown == "\n" || !shown.chars().any(limits::is_hidden), "{text}");
            }
        }
        other => panic!("{other}"),
    }
}

/// Calls `see` with whether it stands in rich text, and every string.
fn strings(json: &Json, rich: bool, see: &mut impl FnMut(bool, &str)) {
    match json {
        Json::String(text) => see(rich, text),
        Json::Array(items) => items.iter().for_each(|item| strings(item, rich, see)),
        Json::Object(map) => {
            let rich = rich || map.get("type").is_some_and(|kind| kind == "rich_text");
            for (key, value) in map {
                assert!(!key.contains(samples::MARK));
                strings(value, rich, see);
            }
        }
        _ => {}
    }
}

/// Listed and left out, as a reader adds them up.
fn adds_up(message: &Json, alert: &Alert) {
    let (mut shown, mut more) = (None, 0);
    strings(message, false, &mut |_, text| {
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
fn messages_as_sent() {
    let snapshot = |name: String, message: &Json| {
        let text = serde_json::to_string_pretty(message).unwrap();
        let text = text.replace(content::VERSION, "hsmwatch [version]");
        samples::snapshots(|| insta::assert_snapshot!(name, text));
    };
    for (name, alert) in samples::all() {
        let message = parse(&render(&alert, Detail::Full));
        check(&message);
        adds_up(&message, &alert);
        snapshot(format!("slack_{name}"), &message);
    }
    let message = parse(&render(&samples::hostile(), Detail::Counts));
    check(&message);
    snapshot("slack_counts".to_owned(), &message);
}

#[test]
fn literal_where_literal_escaped_where_not() {
    let mut alert = samples::hostile();
    alert.rule.title = "a <!channel> & b".to_owned();
    let message = parse(&render(&alert, Detail::Full));
    let text = message["text"].as_str().unwrap();
    assert!(text.contains("a &lt;!channel&gt; &amp; b"), "{text}");
    assert!(message["blocks"][0]["text"]["text"].as_str().unwrap().contains("a <!channel> & b"));
    let mut literal = false;
    strings(&message, false, &mut |rich, text| {
        literal |= rich && text.contains("<!channel> <@U123> *b*");
    });
    assert!(literal);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_alert_fits_and_log_text_stands_in_rich_text_only(alert in samples::any_alert()) {
        let message = parse(&render(&alert, Detail::Full));
        check(&message);
        adds_up(&message, &alert);
        strings(&message, false, &mut |rich, text| {
            assert!(rich || !text.contains(samples::MARK), "{text}");
        });
    }

    #[test]
    fn counts_carry_no_field_of_the_log(alert in samples::any_alert()) {
        let message = parse(&render(&alert, Detail::Counts));
        check(&message);
        adds_up(&message, &alert);
        let text = message.to_string();
        prop_assert!(!text.contains(samples::MARK) && !text.contains("CN_"));
    }
}
