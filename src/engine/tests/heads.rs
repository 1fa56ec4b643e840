//! State documents: lost, unreadable, written by a newer version. They are left as they are, and told.

use super::*;
use crate::engine::record::{End, Record};
use crate::watch::head::FailureKind;
use crate::watch::seen;

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

/// The document with another format number.
fn reformatted(body: &[u8], format: u32) -> Vec<u8> {
    let mut json: serde_json::Value = serde_json::from_slice(body).unwrap();
    json["format"] = format.into();
    serde_json::to_vec(&json).unwrap()
}

/// A bench whose watch has told one row; the alert waits for `a`.
async fn with_news() -> Bench {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(after(1), "g", "n"));
    bench.receivers.answer("a", 503);
    bench.round(after(5)).await;
    bench
}

/// Two ticks: the first tells of the document, the second does not tell again, and neither touches it.
async fn refused_kept_and_told(bench: &Bench, name: &str, body: &[u8]) {
    bench.put(name, body).await;
    let own =
        |report: &TickReport| own_titles(report).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let report = bench.tick(after(10)).await;
    assert_eq!(own(&report), [format!("State cannot be read: {name}")]);
    assert!(report.own[0].rule.meaning.contains(name), "{}", report.own[0].rule.meaning);
    assert_eq!(own(&bench.tick(after(15)).await), [""; 0], "once");
    assert_eq!(bench.body(name).await, body, "left as it is");
}

#[tokio::test]
async fn a_head_of_a_newer_version_is_refused_kept_and_told() {
    for spoil in [
        |body: &[u8]| reformatted(body, 2),
        |body: &[u8]| body[..body.len() / 2].to_vec(),
        |_: &[u8]| b"not json".to_vec(),
        |_: &[u8]| Vec::new(),
    ] {
        let bench = with_news().await;
        let name = Head::name(&Bench::key("r"));
        let good = bench.body(&name).await;
        refused_kept_and_told(&bench, &name, &spoil(&good)).await;
        let report = bench.tick(after(16)).await;
        let Outcome::Failed { kind: FailureKind::State, error, .. } = outcome(&report) else {
            panic!("{report:?}")
        };
        assert!(error.contains(&name) && error.contains("left untouched"), "{error}");
        // Put back, it goes on as if nothing had been.
        bench.put(&name, &good).await;
        let report = bench.tick(after(20)).await;
        assert!(matches!(outcome(&report), Outcome::Done { .. }));
        assert_eq!(own_titles(&report), [format!("Well again: State cannot be read: {name}")]);
    }
}

#[tokio::test]
async fn a_seen_set_of_a_newer_version_is_refused_kept_and_told() {
    let mut newer = seen::Seen::default().encode();
    newer[8] = 2;
    for spoilt in [newer, b"hsmwseen".to_vec(), Vec::new()] {
        let bench = with_news().await;
        let name = bench.head().await.seen.unwrap();
        let good = bench.body(&name).await;
        refused_kept_and_told(&bench, &name, &spoilt).await;
        let report = bench.tick(after(16)).await;
        let Outcome::Failed { kind: FailureKind::State, error, .. } = outcome(&report) else {
            panic!("{report:?}")
        };
        assert!(error.contains(&name), "{error}");
        assert_eq!(bench.head().await.watermark, after(5));
        bench.put(&name, &good).await;
        let report = bench.tick(after(20)).await;
        assert_eq!(outcome(&report), &Outcome::Done { rows: 1, alerts: vec![] });
        assert_eq!(own_titles(&report), [format!("Well again: State cannot be read: {name}")]);
    }
}

#[tokio::test]
async fn a_delivery_record_of_a_newer_version_is_refused_kept_and_told() {
    let bench = with_news().await;
    let alert = bench.head().await.recent[0].id.clone();
    let name = Record::name(&alert, "a");
    let mut record = Record::decode(&bench.body(&name).await).unwrap();
    record.format = 2;
    let document = bench.store.store.read(&name).await.unwrap().unwrap();
    let when = When::Matches(document.etag);
    bench.store.store.write(&name, record.encode(), record.meta(), when).await.unwrap();
    let report = bench.round(after(10)).await;
    assert_eq!(own_titles(&report), [format!("State cannot be read: {name}")]);
    assert_eq!(bench.round(after(15)).await.own, []);
    assert_eq!(bench.body(&name).await, record.encode());
    // A ticket that was under way is refused too, naming the document.
    let ticket = Ticket { watch: Bench::key("r"), alert, receiver: "a".to_owned() };
    let error = bench.engine().deliver(&ticket, after(60)).await.unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("format 2"), "{error}");
}

#[tokio::test]
async fn alerts_that_cannot_be_read_are_kept_and_end_as_given_up() {
    for spoil in [Some(2), None] {
        let bench = with_news().await;
        let doc = bench.head().await.outbox[0].doc.clone();
        let good = bench.body(&doc).await;
        let kept = spoil.map(|format| reformatted(&good, format));
        match &kept {
            Some(body) => bench.put(&doc, body).await,
            None => bench.store.store.delete(&doc, None).await.unwrap(),
        }
        let alert = bench.head().await.recent[0].id.clone();
        let read = async || Record::decode(&bench.body(&Record::name(&alert, "a")).await).unwrap();
        bench.receivers.posts();
        bench.receivers.answer("a", 200);
        let mut now = after(10);
        while read().await.end.is_none() {
            bench.tick(now).await;
            bench.deliver(now).await;
            now = read().await.next_due.max(now + minutes(5));
        }
        let record = read().await;
        assert_eq!(record.end, Some(End::GaveUp));
        assert!(record.last.contains(&doc), "{}", record.last);
        assert!(!bench.receivers.posts().contains(&("a".to_owned(), alert.clone())));
        let report = bench.tick(now).await;
        assert_eq!(own_titles(&report), ["An alert could not be delivered: a"]);
        if let Some(kept) = kept {
            assert_eq!(bench.body(&doc).await, kept);
        }
    }
}

#[tokio::test]
async fn one_document_that_the_store_cannot_read_stops_nobody_else() {
    let mut bench = Bench::new();
    bench.rules.push(rule("other"));
    bench.begin().await;
    let name = Head::name(&Bench::key("r"));
    *bench.store.broken.lock().unwrap() = Some(name.clone());
    let report = bench.round(after(5)).await;
    assert!(matches!(outcome(&report), Outcome::Failed { kind: FailureKind::State, .. }));
    assert!(matches!(report.watches[1].1, Outcome::Done { .. }));
    assert_eq!(own_titles(&report), [format!("State cannot be read: {name}")]);
    *bench.store.broken.lock().unwrap() = None;
    assert!(matches!(outcome(&bench.round(after(10)).await), Outcome::Done { .. }));
}

#[tokio::test]
async fn an_own_head_that_cannot_be_read_stops_no_watch() {
    let bench = with_news().await;
    let name = Head::name(&own::watch_id().key());
    let newer = reformatted(&bench.body(&name).await, 2);
    bench.put(&name, &newer).await;
    bench.service.add(row(after(6), "g", "m"));
    let offer = |_| {};
    let report = bench.engine().tick(&bench.watches(), after(10), &offer).await.unwrap();
    assert_eq!(alerts(&report).len(), 1);
    assert_eq!(report.errors.len(), 1);
    assert!(report.errors[0].contains(&name), "{}", report.errors[0]);
    assert_eq!(bench.body(&name).await, newer);
}

#[tokio::test]
async fn a_lost_head_goes_on_from_the_known_watermark_and_says_so() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(after(1), "g", "told"));
    bench.round(after(30)).await;
    let name = Head::name(&Bench::key("r"));
    bench.store.store.delete(&name, None).await.unwrap();
    bench.service.add(row(after(31), "g", "while it was gone"));
    let report = bench.round(after(60)).await;
    assert_eq!(outcome(&report), &Outcome::Started);
    assert_eq!(own_titles(&report), ["State was lost: r on prod"]);
    let head = bench.head().await;
    assert_eq!((head.started_at, head.watermark), (after(30), after(30)));
    let report = bench.round(after(65)).await;
    assert_eq!(alerts(&report).iter().map(|alert| alert.count).collect::<Vec<_>>(), [1]);
    assert!(report.own.is_empty(), "once");
}

#[tokio::test]
async fn a_lost_store_begins_anew_and_shouts_nothing() {
    let bench = with_news().await;
    for line in bench.store.store.list("").await.unwrap() {
        bench.store.store.delete(&line.name, None).await.unwrap();
    }
    let report = bench.round(after(60)).await;
    assert_eq!(outcome(&report), &Outcome::Started);
    assert!(report.own.is_empty());
    assert!(alerts(&bench.round(after(65)).await).is_empty());
}

#[tokio::test]
async fn the_outbox_of_a_rule_that_is_gone_is_still_looked_after() {
    let mut bench = with_news().await;
    bench.rules = vec![rule("another")];
    bench.receivers.answer("a", 200);
    bench.round(after(60)).await;
    bench.round(after(65)).await;
    assert_eq!(bench.head().await.open_alerts(), 0);
}
