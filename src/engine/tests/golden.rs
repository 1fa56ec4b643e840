//! Documents of format 1, as files in `tests/golden/` that every build must read. They are never made again: a new format
//! gets new files beside them.

use super::*;
use crate::engine::case::CaseDoc;
use crate::engine::record::{End, Record};
use crate::engine::{ALERTS_FORMATS, AlertsDoc};
use crate::watch::alert::Reason;
use crate::watch::head::{FailureKind, GapKind};
use crate::watch::own::Condition;
use crate::watch::seen::Seen;
use serde_json::Value as Json;

const HEAD: &[u8] = include_bytes!("../../../tests/golden/head-1.json");
const HEAD_FULL: &[u8] = include_bytes!("../../../tests/golden/head-full-1.json");
const OWN: &[u8] = include_bytes!("../../../tests/golden/own-1.json");
const SEEN: &[u8] = include_bytes!("../../../tests/golden/seen-1.bin");
const SEEN_KEYED: &[u8] = include_bytes!("../../../tests/golden/seen-keyed-1.bin");
const ALERTS: &[u8] = include_bytes!("../../../tests/golden/alerts-1.json");
const DELIVERY: &[u8] = include_bytes!("../../../tests/golden/delivery-1.json");
const HEAD_99: &[u8] = include_bytes!("../../../tests/golden/head-99.json");
const SEEN_99: &[u8] = include_bytes!("../../../tests/golden/seen-99.bin");
const ALERTS_99: &[u8] = include_bytes!("../../../tests/golden/alerts-99.json");
const DELIVERY_99: &[u8] = include_bytes!("../../../tests/golden/delivery-99.json");
const CASE: &[u8] = include_bytes!("../../../tests/golden/case-1.json");
const CASE_99: &[u8] = include_bytes!("../../../tests/golden/case-99.json");
const DELIVERY_ENDED: &[u8] = include_bytes!("../../../tests/golden/delivery-ended-1.json");
const DELIVERY_FAULTED: &[u8] = include_bytes!("../../../tests/golden/delivery-faulted-1.json");

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

/// Whether everything that the file says is still there when it is written again. A build may say more.
fn assert_kept(at: &str, file: &Json, written: &Json) {
    match (file, written) {
        (Json::Object(file), Json::Object(written)) => {
            for (key, value) in file {
                let at = format!("{at}.{key}");
                assert_kept(&at, value, written.get(key).unwrap_or_else(|| panic!("{at} is lost")));
            }
        }
        (Json::Array(file), Json::Array(written)) => {
            assert_eq!(file.len(), written.len(), "{at}");
            for (n, (file, written)) in file.iter().zip(written).enumerate() {
                assert_kept(&format!("{at}[{n}]"), file, written);
            }
        }
        _ => assert_eq!(file, written, "{at}"),
    }
}

fn kept(file: &[u8], written: &[u8]) {
    assert_kept(
        "",
        &serde_json::from_slice(file).unwrap(),
        &serde_json::from_slice(written).unwrap(),
    );
}

#[test]
fn heads_are_read_and_lose_nothing() {
    for file in [HEAD, HEAD_FULL, OWN] {
        kept(file, &Head::decode(file).unwrap().encode());
    }
    let head = Head::decode(HEAD_FULL).unwrap();
    assert_eq!(head.watch.key(), "f974c5fc0c0f36d56f83");
    assert_eq!(head.versions.len(), 2);
    assert_eq!(head.versions[1].lookback_s, Some(1_209_600));
    assert_eq!(head.health.failure, Some(FailureKind::Unavailable));
    assert_eq!(
        head.gaps.iter().map(|gap| gap.why).collect::<Vec<_>>(),
        [GapKind::Outage, GapKind::TooDense, GapKind::Fingerprints, GapKind::Versions]
    );
    assert_eq!(head.held.unwrap().count, 7);
    let own = Head::decode(OWN).unwrap().own.unwrap();
    assert_eq!(own.told.values().next().unwrap().condition, Condition::ReceiverBroken);
    assert_eq!((own.known.len(), own.accepted.len(), own.switched_on.len()), (1, 1, 1));
}

#[test]
fn alerts_are_read_and_lose_nothing() {
    let doc: AlertsDoc = serde_json::from_slice(ALERTS).unwrap();
    assert_eq!(doc.format, ALERTS_FORMATS.writes);
    kept(ALERTS, &serde_json::to_vec(&doc).unwrap());
    assert_eq!((doc.alerts[0].count, doc.alerts[0].reason), (3, Reason::New));
}

#[test]
fn delivery_records_are_read_and_lose_nothing() {
    for file in [DELIVERY, DELIVERY_ENDED, DELIVERY_FAULTED] {
        kept(file, &Record::decode(file).unwrap().encode());
    }
    let record = Record::decode(DELIVERY).unwrap();
    assert_eq!((record.attempts, record.end), (1, None));
    assert_eq!(Record::decode(DELIVERY_ENDED).unwrap().end, Some(End::Delivered));
    let fault = Record::decode(DELIVERY_FAULTED).unwrap().fault.unwrap();
    assert_eq!(fault.at, after(5));
}

#[test]
fn cases_are_read_and_lose_nothing() {
    kept(CASE, &CaseDoc::decode(CASE).unwrap().encode());
    let memory = CaseDoc::decode(CASE).unwrap().memory;
    assert_eq!((memory.case.unwrap().name.as_str(), memory.told), ("SEC-42", 3));
    assert!(CaseDoc::decode(CASE_99).unwrap_err().contains("format 99"));
}

#[test]
fn seen_sets_are_read() {
    let seen = Seen::decode(SEEN).unwrap();
    assert_eq!(seen.len(), 2, "two of the three rows are equal");
    let seen = Seen::decode(SEEN_KEYED).unwrap();
    assert!(seen.told(&[1; 16], 300) && !seen.told(&[1; 16], 301));
    let key = seen.key(&[2; 16]).unwrap();
    assert_eq!((key.told_at, key.held), (after(1), 4));
    assert_eq!((key.held_first, key.held_last), (after(2), after(3)));
}

/// What a build of the same format adds is passed over by one that does not know it.
#[test]
fn unknown_fields_are_passed_over() {
    let more = |file: &[u8]| {
        let mut json: Json = serde_json::from_slice(file).unwrap();
        json["unheard_of"] = serde_json::json!({"a": [1]});
        serde_json::to_vec(&json).unwrap()
    };
    for file in [HEAD, HEAD_FULL, OWN] {
        assert_eq!(Head::decode(&more(file)), Head::decode(file));
    }
    for file in [DELIVERY, DELIVERY_ENDED, DELIVERY_FAULTED] {
        assert_eq!(Record::decode(&more(file)), Record::decode(file));
    }
    let alerts = |file: &[u8]| serde_json::from_slice::<AlertsDoc>(file).unwrap().alerts;
    assert_eq!(alerts(&more(ALERTS)), alerts(ALERTS));
}

/// What a version to come may have written, of whatever shape: it is refused by its format, kept to the byte, and told.
#[tokio::test]
async fn documents_of_a_newer_format_are_refused_kept_and_told() {
    let head = Head::decode(HEAD).unwrap();
    let record = Record::decode(DELIVERY).unwrap();
    let delivery = Record::name(&record.alert, &record.receiver);
    let files = [
        (Head::name(&head.watch.key()), HEAD, HEAD_99),
        (head.seen.clone().unwrap(), SEEN, SEEN_99),
        (head.outbox[0].doc.clone(), ALERTS, ALERTS_99),
        (delivery, DELIVERY, DELIVERY_99),
    ];
    for (newer, ..) in &files {
        let bench = Bench::new();
        for (name, now, then) in &files {
            let body = if name == newer { then } else { now };
            let mut meta = if *name == files[3].0 { record.meta() } else { Meta::new() };
            if name == newer && !meta.is_empty() {
                meta.insert("format".to_owned(), "99".to_owned());
            }
            bench.store.store.write(name, body.to_vec(), meta, When::Absent).await.unwrap();
        }
        bench.service.add(row(after(1), "g", "another"));
        let report = bench.round(after(10)).await;
        let (_, _, then) = files.iter().find(|(name, ..)| name == newer).unwrap();
        assert_eq!(bench.body(newer).await, *then, "kept");
        // Alerts are told of by the deliveries that need them.
        let told = if *newer == files[2].0 {
            Record::decode(&bench.body(&files[3].0).await).unwrap().last
        } else {
            assert_eq!(own_titles(&report), [format!("State cannot be read: {newer}")]);
            report.own[0].rule.meaning.clone()
        };
        assert!(told.contains(newer) && told.contains("format 99"), "{told}");
    }
}

/// What an earlier build left is gone on with: nothing is told twice, and what waited is delivered under its old id.
#[tokio::test]
async fn a_build_goes_on_from_what_an_earlier_one_left() {
    let bench = Bench::new();
    let head = Head::decode(HEAD).unwrap();
    let record = Record::decode(DELIVERY).unwrap();
    let ended = Record::decode(DELIVERY_ENDED).unwrap();
    bench.put(&Head::name(&head.watch.key()), HEAD).await;
    bench.put(&Head::name(&own::watch_id().key()), OWN).await;
    bench.put(head.seen.as_ref().unwrap(), SEEN).await;
    bench.put(&head.outbox[0].doc, ALERTS).await;
    for (record, body) in [(&record, DELIVERY), (&ended, DELIVERY_ENDED)] {
        let name = Record::name(&record.alert, &record.receiver);
        bench.store.store.write(&name, body.to_vec(), record.meta(), When::Absent).await.unwrap();
    }
    for name in ["equal", "equal", "another"] {
        bench.service.add(row(after(1), "g", name));
    }
    let report = bench.round(after(10)).await;
    assert_eq!(outcome(&report), &Outcome::Done { rows: 3, alerts: vec![] });
    let posts = bench.receivers.posts();
    let old: Vec<&str> =
        posts.iter().filter(|(_, id)| *id == record.alert).map(|(to, _)| to.as_str()).collect();
    assert_eq!(old, ["a"]);
    assert_eq!(own_titles(&report), ["Well again: A receiver is broken: c"]);
    // A third equal row is news, and only that.
    bench.service.add(row(after(1), "g", "equal"));
    let report = bench.round(after(15)).await;
    let hits: Vec<&str> =
        alerts(&report)[0].hits.iter().map(|hit| hit.fingerprint.as_str()).collect();
    assert_eq!(hits.len(), 1);
    assert!(hits[0].ends_with("-3"), "{hits:?}");
}
