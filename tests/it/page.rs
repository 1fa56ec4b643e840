//! The status page: what can be in it and what never can, and how a real browser shows it.

mod browser;
mod checker;
mod sample;

use super::support::bed::{SECRETS, TestBed, deletion};
use super::support::fake_logs::{Fault, Record};
use super::support::fake_receiver::Say;
use browser::{Browser, Look, Site, kept, screenshots};
use chrono::{TimeDelta, Utc};
use hsmwatch::engine::status::Status;
use hsmwatch::hosts::page::{Page, html};
use hsmwatch::notify::limits::{clean, is_hidden};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::fs;

/// The page of a status.
fn page(status: &Status) -> String {
    html(&Page {
        status: Some(status),
        refused: None,
        source: "hsmwatch.toml",
        version: "1.2.3",
        at: status.at,
    })
}

/// The page of a configuration that was refused, with the status of the last good one if there is one.
fn refused(status: Option<&Status>, why: &str) -> String {
    html(&Page {
        status,
        refused: Some((why, sample::t("2026-11-22T08:00:00Z"))),
        source: "https://account.blob.core.windows.net/config/hsmwatch.toml",
        version: "1.2.3",
        at: sample::now(),
    })
}

const WHY: &str = "2 problems in the configuration\n\
    hsmwatch.toml:12:8: rule `night`: the query cuts rows\n    | take 5\n      ^^^^^^\n  hint: give it a `window`\n\
    hsmwatch.toml:20:1: `recievers` is no key; did you mean `receiver`?";

/// Without the style sheet and its hash, which have tests of their own.
fn without_style(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (before, hash) = head.split_once("sha256-").unwrap();
    let (_, after) = hash.split_once("&#39;").unwrap();
    // A line an element, so that a change shows where it is.
    format!("{before}[hash]&#39;{after}[style]{rest}").replace("><", ">\n<")
}

#[test]
fn a_small_page_as_it_is() {
    insta::assert_snapshot!(without_style(&page(&sample::one())));
}

/// What a reader who does not see the layout gets.
#[test]
fn pages_as_text() {
    let text = |page: &str| {
        let text = checker::read(page).text;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!("ill_text", text(&page(&sample::ill())));
    insta::assert_snapshot!("empty_text", text(&page(&sample::empty())));
    insta::assert_snapshot!("refused_text", text(&refused(None, WHY)));
    let on = text(&refused(Some(&sample::well()), WHY));
    assert!(on.contains("1 thing needs attention"), "{on}");
    assert!(on.contains("The configuration is refused."), "{on}");
    assert!(on.contains("The last good configuration goes on"), "{on}");
}

#[test]
fn the_answer_comes_first() {
    for (status, says) in [
        (sample::well(), "All is well"),
        (sample::one(), "All is well"),
        (sample::ill(), "7 things need attention"),
        (sample::empty(), "Nothing is watched"),
    ] {
        let read = checker::read(&page(&status));
        let lines: Vec<&str> = read.text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let brand = lines.iter().position(|line| *line == "hsmwatch").unwrap();
        assert_eq!(lines[brand + 1], says);
        assert_eq!(lines[0].to_lowercase(), format!("hsmwatch: {}", says.to_lowercase()));
    }
}

/// Whatever does not look well is on the list, even if nothing that we know is the reason.
#[test]
fn a_status_that_is_not_well_never_says_that_it_is() {
    let status = Status { well: false, ..sample::well() };
    assert!(page(&status).contains("1 thing needs attention"));
}

#[test]
fn two_hundred_watches_make_a_page_of_bearable_size() {
    let status = sample::many();
    assert_eq!(status.watches.len(), 200);
    let page = page(&status);
    checker::read(&page);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    // What is fine is folded away, what is not stays in sight.
    assert_eq!(page.matches("watches are fine</span>").count(), 9);
    // Everything gone wrong at once, at full length.
    let mut worst = sample::hostile(|_| "<\u{202e}&".repeat(100_000));
    worst.watches = worst.watches.into_iter().cycle().take(200).collect();
    worst.receivers = worst.receivers.into_iter().cycle().take(20).collect();
    worst.recent = worst.recent.into_iter().cycle().take(2_000).collect();
    worst.conditions = worst.conditions.into_iter().cycle().take(80).collect();
    let page = super::page::page(&worst);
    checker::read(&page);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn a_long_refusal_is_cut() {
    let page = refused(None, &"x\u{1b}<\n".repeat(100_000));
    checker::read(&page);
    assert!(page.len() < 300_000 && page.contains('…'), "{} bytes", page.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_becomes_markup(
        seed in proptest::collection::vec(prop_oneof![
            any::<String>(),
            "[<>&\"'/=a-z ;#!-]{0,40}",
            Just("</bdi></p><script>alert(1)</script>".to_owned()),
            Just("\" onload=\"alert(1)".to_owned()),
            Just("&lt;&#x3c;&amp;amp;".to_owned()),
            Just("]]><!--".to_owned()),
            Just("\u{202e}\u{2066}\u{200b}\u{0}\u{1b}[31m".to_owned()),
        ], 11),
    ) {
        let names = ["rule", "workspace", "error", "receiver", "answer", "title", "id", "subject", "document", "why"];
        let text = |name: &'static str| {
            let n = names.iter().position(|known| *known == name).unwrap();
            format!("{name} {}", seed[n])
        };
        let status = sample::hostile(text);
        let read = checker::read(&page(&status));
        let usual = checker::read(&page(&sample::hostile(str::to_owned)));
        prop_assert_eq!(&read.elements, &usual.elements);
        for name in names {
            let max = match name {
                "rule" | "workspace" | "receiver" | "id" => 80,
                "title" | "subject" | "document" => 160,
                _ => 400,
            };
            let shown = clean(&text(name), max);
            prop_assert!(read.text.contains(&shown), "{:?} of {}", shown, name);
        }
        // In its lines.
        let why = &seed[10];
        let read = checker::read(&refused(None, why));
        let shown: String = why.chars().map(|c| match c {
            '\t' => "    ".to_owned(),
            '\r' => String::new(),
            c if c != '\n' && is_hidden(c) => format!("<U+{:04X}>", u32::from(c)),
            c => c.to_string(),
        }).collect();
        prop_assert!(read.text.contains(&shown), "{:?}", shown);
    }
}

/// What would act if any of it were read as markup.
const MARKUP: &str = "<script>document.title='pwned';document.documentElement.setAttribute('data-pwned','1')</script>\
    <img src=x onerror=\"document.title='pwned'\"><svg onload=document.title='pwned'>\"'></bdi></p>\
    <a href=javascript:alert(1)>x</a><style>*{display:none}</style><base href=//evil.example/>\u{202e}gnp.exe\u{2066}";

/// A bed in which much has gone wrong, and everything that others may write is hostile.
fn hostile_bed(site: &Site) -> TestBed {
    let image = format!("no: <img src={}>{MARKUP}", site.url("/hit.png"));
    let rule = "[[rule]]\nid = \"own\"\nseverity = \"critical\"\n\
        title = '<script>document.title=\"pwned\"</script><img src=x onerror=alert(1)></bdi>'\n\
        query = \"\"\"CloudHsmServiceOperationAuditLogs | where OperationName == 'CN_OWN'\"\"\"\n";
    let bed = TestBed::new()
        .presets("[\"tutorial\"]")
        .setting("catch_up = \"3d\"")
        .rules(rule)
        .receiver("oncall", "teams")
        .receiver("itsm", "webhook")
        .receiver("chat", "slack");
    bed.begin();
    // Nobody ran it for eight days, and rows wait in those that are caught up with.
    bed.began_earlier(TimeDelta::days(8));
    bed.at("itsm").always(Some(Say::StatusAndBody(401, image.clone())));
    bed.at("chat").always(Some(Say::StatusAndBody(503, image.clone())));
    let now = Utc::now();
    for (n, operation) in
        ["CN_LOGIN", "CN_GENERATE_KEY", "CN_LOGIN", "CN_TOMBSTONE_OBJECT", "CN_OWN"]
            .into_iter()
            .cycle()
            .take(60)
            .enumerate()
    {
        let back = TimeDelta::minutes(7 + 43 * i64::try_from(n).unwrap());
        bed.log(Record::new(operation, now - back).with("ClientInfo", image.as_str()));
    }
    bed.log(deletion(MARKUP, now));
    bed.run_once();
    bed.logs.fault_when(
        |request| request.query.contains("CN_DELETE_USER"),
        Fault::Semantic(
            "<script>document.title='pwned'</script><img src=x onerror=alert(1)>\u{202e}",
        ),
    );
    bed.run_once();
    bed
}

#[test]
fn a_browser_shows_a_real_state_and_nothing_hostile_acts() {
    let Some(browser) = Browser::find() else { return };
    let site = Site::start();
    let bed = hostile_bed(&site);
    let ran = bed.run(&["status", "--html"]).exits(1).without_talk();
    let ours = checker::read(&ran.stdout);
    for secret in SECRETS {
        assert!(!ran.stdout.contains(secret), "{secret}");
    }
    for seen in [
        "itsm",
        "Receiver",
        "is off",
        "evaluations fail",
        "missing",
        "not asked for",
        "waiting",
        "delivered",
        "pwned",
    ] {
        assert!(ours.text.contains(seen), "`{seen}` is not on the page:\n{}", ours.text);
    }
    site.put("/page", "text/html; charset=utf-8", ran.stdout.as_str());

    let found = browser.probe(&site.url("/probe"));
    assert_eq!(site.asked(), ["/page", "/page", "/page", "/page", "/page", "/probe"]);
    assert_eq!(found["title"], "probe");
    looks_right(&found, &ours);

    let mut looks = Vec::new();
    for look in Look::ALL {
        let path = screenshots().join(format!("status-{}.png", look.name()));
        browser.screenshot(&site.url("/page"), look, height(&found, look), &path);
        assert_eq!(site.asked(), ["/page"]);
        site.put("/image.png", "image/png", fs::read(&path).unwrap());
        let colours = browser.probe(&site.url("/colours"));
        assert_eq!(colours["width"], look.width);
        is_painted(&colours, look);
        looks.push(colours["brightness"].as_f64().unwrap());
        kept(&path);
        site.asked();
    }
    assert!(
        looks[0] > 200.0 && looks[1] < 70.0 && looks[2] > 200.0 && looks[3] < 70.0,
        "{looks:?}"
    );
}

/// Made-up statuses for the eye: the browser finds nothing wrong with their layout either.
#[test]
fn a_browser_shows_few_many_and_none() {
    let Some(browser) = Browser::find() else { return };
    let site = Site::start();
    let wide = |dark| Look { width: 1280, dark };
    let phone = |dark| Look { width: 390, dark };
    for (name, page, look) in [
        ("well", page(&sample::well()), wide(false)),
        ("ill", page(&sample::ill()), wide(true)),
        ("many", page(&sample::many()), phone(true)),
        ("fresh", page(&sample::fresh()), phone(false)),
        ("empty", page(&sample::empty()), wide(false)),
        ("refused", refused(None, WHY), phone(false)),
        ("refused-goes-on", refused(Some(&sample::well()), WHY), wide(true)),
        ("hostile", page(&sample::hostile(|_| MARKUP.repeat(20))), phone(true)),
    ] {
        site.put("/page", "text/html; charset=utf-8", page.as_str());
        let found = browser.probe(&site.url("/probe"));
        looks_right(&found, &checker::read(&page));
        assert_eq!(site.asked(), ["/page", "/page", "/page", "/page", "/page", "/probe"], "{name}");
        let path = screenshots().join(format!("{name}-{}.png", look.name()));
        browser.screenshot(&site.url("/page"), look, height(&found, look), &path);
        fs::write(path.with_extension("html"), &page).unwrap();
        kept(&path);
        site.asked();
    }
}

fn frames(found: &Json) -> &Vec<Json> {
    found["frames"].as_array().unwrap()
}

/// The height of the page at this width, within what a picture may have.
fn height(found: &Json, look: Look) -> u64 {
    let frame = frames(found).iter().find(|frame| frame["width"] == look.width).unwrap();
    frame["height"].as_u64().unwrap().clamp(600, 12_000)
}

/// At every width, the browser's document is ours, no script has run, and nothing sticks out.
fn looks_right(found: &Json, ours: &checker::Read) {
    assert_eq!(frames(found).len(), 5);
    for frame in frames(found) {
        let width = &frame["width"];
        let elements: Vec<&str> =
            frame["elements"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
        assert_eq!(elements, ours.elements, "the browser reads the page as we do");
        for nothing in ["handlers", "links", "wide", "small"] {
            assert_eq!(
                frame[nothing].as_array().unwrap(),
                &[Json::Null; 0],
                "{nothing} at {width}"
            );
        }
        assert_eq!(frame["marked"], false);
        let title = frame["title"].as_str().unwrap();
        assert!(title.starts_with("hsmwatch: ") && !title.contains("pwned"), "{title}");
        assert_eq!(&frame["scroll"], width, "no scrolling sideways");
    }
}

/// The colours of the scheme are there, those of the charts included: the style sheet was let in.
fn is_painted(colours: &Json, look: Look) {
    let (dark, light) = (
        ["#121518", "#4d94bf", "#ff7846", "#ff8d7e"],
        ["#f6f6f3", "#3a7ca5", "#d1481a", "#b3261e"],
    );
    let (these, others) = if look.dark { (dark, light) } else { (light, dark) };
    for colour in these {
        assert!(colours["colours"].get(colour).is_some(), "no {colour} at {look:?}");
    }
    for colour in others {
        assert!(colours["colours"].get(colour).is_none(), "{colour} at {look:?}");
    }
}

#[test]
fn a_page_of_a_refused_configuration_says_why_and_fails() {
    let bed = TestBed::new().setting("recievers = 1").receiver("oncall", "teams");
    let ran = bed.run(&["status", "--html"]).exits(2).says("recievers");
    let read = checker::read(&ran.stdout);
    for seen in ["Nothing is watched", "The configuration is refused", "recievers", "hsmwatch.toml"]
    {
        assert!(read.text.contains(seen), "`{seen}` is not on the page:\n{}", read.text);
    }
    assert!(!bed.state_dir().exists(), "state was touched");
}

#[test]
fn a_page_is_no_json() {
    let bed = TestBed::new().receiver("oncall", "teams");
    let ran =
        bed.run(&["status", "--html", "--format", "json"]).exits(2).says("exclude each other");
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_page_touches_no_state_and_answers_as_the_terminal_does() {
    let bed = TestBed::new().receiver("oncall", "teams");
    // Not started: that is for someone to know.
    bed.run(&["status", "--html"]).exits(1).without_talk();
    assert!(!bed.state_dir().exists(), "state was made");
    bed.begin();
    bed.run_once().exits(0);
    let before = bed.state_files();
    let ran = bed.run(&["status", "--html"]).exits(0).without_talk();
    assert!(checker::read(&ran.stdout).text.contains("All is well"));
    assert_eq!(bed.state_files(), before);
}
