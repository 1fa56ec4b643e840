//! Templates that fail: the alert goes out, and that is told.

use super::*;
use crate::engine::record::{Line, Record};
use crate::watch::own::Condition;

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

const DEFAULT: &str = "application/cloudevents+json";

async fn with_an_alert(template: &str) -> (Bench, Alert) {
    let mut bench = Bench::new();
    bench.configured[0] = templated("a", template);
    bench.begin().await;
    bench.service.add(row(after(1), "g", "n"));
    let report = bench.tick(after(5)).await;
    let alert = alerts(&report)[0].clone();
    (bench, alert)
}

fn types(bench: &Bench, receiver: &str) -> Vec<String> {
    let types = std::mem::take(&mut *bench.receivers.types.lock().unwrap());
    types.into_iter().filter(|(to, _)| to == receiver).map(|(_, what)| what).collect()
}

async fn record(bench: &Bench, alert: &Alert) -> Record {
    Record::decode(&bench.body(&Record::name(&alert.id, "a")).await).unwrap()
}

#[tokio::test]
async fn a_template_that_renders_is_sent_and_nothing_is_told() {
    let (bench, alert) = with_an_alert("{\"n\": {{ data.count }}}").await;
    bench.deliver(after(5)).await;
    assert_eq!(types(&bench, "a"), ["application/json"]);
    assert_eq!(record(&bench, &alert).await.fault, None);
    assert!(bench.round(after(10)).await.own.is_empty());
}

#[tokio::test]
async fn an_alert_that_a_template_fails_for_goes_out_and_that_is_told_once_to_all() {
    let (bench, alert) = with_an_alert("{\n  \"x\": {{ nosuch }}\n}").await;
    let done = bench.deliver(after(5)).await;
    assert_eq!(done, [("a".to_owned(), Delivered::Ok), ("b".to_owned(), Delivered::Ok)]);
    assert_eq!(types(&bench, "a"), [DEFAULT]);
    let fault = record(&bench, &alert).await.fault.unwrap();
    let why = "template, line 2, column 11: undefined value: `nosuch` is undefined";
    assert_eq!(fault.why, why);
    assert!(fault.at >= after(5) && fault.at < after(6), "{}", fault.at);

    let report = bench.round(after(10)).await;
    assert_eq!(own_titles(&report), ["A template failed: a"]);
    let told = &report.own[0];
    assert_eq!(told.receivers, ["a", "b"]);
    assert_eq!(own::condition(told), Some(Condition::TemplateFailed));
    assert!(told.rule.meaning.contains(why) && told.rule.meaning.contains("Title of r, 1 hits"));
    assert!(told.rule.meaning.contains("`a`"), "{}", told.rule.meaning);
    // It fails for that one, too, and no further one comes of it.
    assert_eq!(types(&bench, "a"), [DEFAULT]);
    for n in [15, 20] {
        assert!(bench.round(after(n)).await.own.is_empty(), "once");
    }
    // Another alert, another word.
    bench.service.add(row(after(21), "g", "m"));
    bench.round(after(25)).await;
    assert_eq!(own_titles(&bench.round(after(30)).await), ["A template failed: a"]);
}

#[tokio::test]
async fn it_is_told_once_however_often_it_is_tried() {
    let (bench, alert) = with_an_alert("{{ nosuch }}").await;
    bench.receivers.answer("a", 503);
    bench.deliver(after(5)).await;
    let first = record(&bench, &alert).await;
    assert_eq!(own_titles(&bench.round(after(10)).await), ["A template failed: a"]);
    bench.round(after(40)).await;
    let later = record(&bench, &alert).await;
    assert!(later.attempts > first.attempts && later.fault == first.fault);
    assert!(bench.round(after(45)).await.own.is_empty());
    // Mended meanwhile: what was told was told.
    bench.receivers.answer("a", 200);
    let mut bench = bench;
    bench.configured[0] = templated("a", "{\"n\": {{ data.count }}}");
    let due = record(&bench, &alert).await.next_due;
    types(&bench, "a");
    assert!(bench.round(due).await.own.is_empty());
    assert_eq!(types(&bench, "a").last().unwrap(), "application/json");
    assert!(bench.round(due + minutes(5)).await.own.is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_makes_no_word() {
    let (mut bench, _) = with_an_alert("{{ nosuch }}").await;
    bench.deliver(after(5)).await;
    bench.configured.remove(0);
    assert!(bench.round(after(10)).await.own.is_empty());
}

#[test]
fn what_a_listing_says_comes_back() {
    let mut record = Record::new("0", "a", after(0));
    let why = format!("template, line 1, column 7: „ü“ {}\n", "x".repeat(1_000));
    record.fault = Some(super::super::record::Faulted::new(after(1), &why));
    let meta = record.meta();
    assert!(meta["fault"].is_ascii() && meta["fault"].len() < 400);
    let line = Line::read("deliveries/0.a", &meta).unwrap();
    let fault = line.fault.unwrap();
    assert_eq!(fault.at, after(1));
    assert!(fault.why.starts_with("template, line 1, column 7: ?"), "{}", fault.why);
    record.fault = None;
    assert_eq!(Line::read("deliveries/0.a", &record.meta()).unwrap().fault, None);
}
