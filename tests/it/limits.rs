//! Limits, driven to from outside: what does not fit is counted, never lost and never silent.

use crate::support::bed::{TestBed, deletion};
use crate::support::fake_receiver::{Delivery, Say};
use chrono::{TimeDelta, Utc};
use std::collections::BTreeSet;

fn bed() -> TestBed {
    let bed = TestBed::new()
        .receiver("itsm", "webhook")
        .receiver("oncall", "teams")
        .receiver("chat", "slack");
    bed.begin();
    bed
}

/// `count` and listed hits of all webhook deliveries together.
fn totals(bed: &TestBed) -> (u64, u64) {
    let deliveries = bed.at("itsm").deliveries();
    deliveries.iter().map(Delivery::json).fold((0, 0), |(count, listed), json| {
        let data = &json["data"];
        let hits = data["hits"].as_array().unwrap().len() as u64;
        let told = data["count"].as_u64().unwrap();
        assert_eq!(hits + data["hits_truncated"].as_u64().unwrap(), told, "listed and left out");
        (count + told, listed + hits)
    })
}

#[test]
fn more_hits_than_an_alert_lists_are_counted() {
    let bed = bed();
    let now = Utc::now();
    for n in 0..700 {
        bed.log(deletion(&format!("row {n}"), now));
    }
    bed.run_once().exits(0);
    assert_eq!(bed.at("itsm").deliveries().len(), 1);
    // At most 500, and no more than 256 KB hold.
    let (count, listed) = totals(&bed);
    assert!(count == 700 && (300..=500).contains(&listed), "{count} {listed}");
    assert_eq!(bed.problems(), [""; 0]);
    bed.run_once().exits(0);
    assert_eq!(totals(&bed).0, 700, "what was only counted is told too");
}

#[test]
fn more_alerts_than_an_evaluation_makes_are_folded() {
    let bed = bed();
    let now = Utc::now();
    for n in 0..70 {
        let hsm = format!("/subscriptions/s/hsm-{n}");
        bed.log(deletion(&hsm, now).with("_ResourceId", hsm.clone()));
    }
    bed.run_once().exits(0);
    let deliveries = bed.at("itsm").deliveries();
    assert_eq!(deliveries.len(), 50);
    assert_eq!(totals(&bed).0, 70);
    let digests = deliveries.iter().filter(|d| d.json()["data"]["reason"] == "digest").count();
    assert_eq!(digests, 1);
    bed.run_once().exits(0);
    assert_eq!(totals(&bed).0, 70);
    for name in ["oncall", "chat"] {
        assert_eq!(bed.at(name).deliveries().len(), 50, "{name}");
    }
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn an_outage_beyond_catch_up_is_named() {
    let bed = bed();
    bed.began_earlier(TimeDelta::days(20));
    let now = Utc::now();
    bed.log(deletion("eight days ago", now - TimeDelta::days(8)));
    bed.log(deletion("six days ago", now - TimeDelta::days(6)));
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm").into_keys().collect::<Vec<_>>(), ["six days ago"]);
    let own: BTreeSet<String> = bed
        .at("itsm")
        .deliveries()
        .iter()
        .flat_map(crate::support::bed::conditions)
        .map(|(condition, ..)| condition)
        .collect();
    assert_eq!(own, BTreeSet::from(["not-covered".to_owned()]));
}

#[test]
fn what_finds_no_room_in_a_full_outbox_is_told_in_a_digest() {
    let mut bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.at("itsm").always(Some(Say::Status(404)));
    let log = |bed: &TestBed, round: u64, alerts: u64| {
        for n in 0..alerts {
            let hsm = format!("/subscriptions/s/hsm-{round}-{n}");
            bed.log(deletion(&hsm, Utc::now()).with("_ResourceId", hsm.clone()));
        }
    };
    // Ten times the most that an evaluation makes fill the outbox.
    for round in 0..10 {
        log(&bed, round, 50);
        bed.run_once().exits(0);
    }
    log(&bed, 10, 7);
    let ran = bed.run_once().exits(0).says("501 deliveries wait");
    assert_eq!(ran.stdout.matches("hsmwatch: Alerts pile up: ").count(), 0, "told once: {ran:?}");
    bed.set_receiver("itsm", "webhook", "");
    for _ in 0..3 {
        bed.run_once().exits(0);
    }
    let deliveries = bed.at("itsm").deliveries();
    let of_rule = |json: &serde_json::Value| json["data"]["rule"]["id"] == "key-delete";
    let told: Vec<_> = deliveries.iter().map(Delivery::json).filter(of_rule).collect();
    let digests: Vec<_> = told.iter().filter(|json| json["data"]["reason"] == "digest").collect();
    assert_eq!((told.len(), digests.len()), (501, 1));
    assert_eq!(digests[0]["data"]["count"], 7, "to the last hit");
    let own: Vec<_> = deliveries.iter().flat_map(crate::support::bed::conditions).collect();
    let full = own.iter().filter(|(condition, ..)| condition == "outbox-full");
    assert_eq!(
        full.map(|c| c.2.as_str()).collect::<BTreeSet<_>>(),
        BTreeSet::from(["ill", "well"])
    );
    assert_eq!(bed.problems(), [""; 0]);
}
