//! Crashes, twins and full disks: every row stands in exactly one alert, and a delivery that is repeated is the same delivery.

use crate::support::bed::{TestBed, deletion};
use crate::support::fake_receiver::FakeReceiver;
use crate::support::gate::Stop;
use chrono::Utc;
use std::collections::{BTreeMap, BTreeSet};

const RECEIVERS: [&str; 2] = ["itsm", "siem"];

fn bed() -> TestBed {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("siem", "webhook");
    bed.begin();
    bed
}

/// With one receiver, requests come one after the other.
fn bed_of_one() -> TestBed {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed
}

/// Rows of three HSMs: three alerts for each of two receivers.
fn log_rows(bed: &TestBed, round: usize, rows: &mut BTreeSet<String>) {
    for hsm in ["a", "b", "c"] {
        let row = format!("row {round}{hsm}");
        let resource = format!("/subscriptions/s/{hsm}");
        bed.log(deletion(&row, Utc::now()).with("_ResourceId", resource));
        rows.insert(row);
    }
}

/// Runs until nothing is left to tell.
fn settle(bed: &TestBed) {
    for _ in 0..5 {
        bed.deliveries_come_due();
        if bed.run_once().exits(0).stdout.is_empty() {
            return;
        }
    }
    panic!("it does not settle");
}

/// Every row in exactly one alert, the same at both receivers; a repeated delivery is the same to the byte.
fn check(bed: &TestBed, rows: &BTreeSet<String>) {
    for name in bed.webhooks() {
        let name = name.as_str();
        let told = bed.told(name);
        assert_eq!(&told.keys().cloned().collect::<BTreeSet<_>>(), rows, "{name}");
        assert!(told.values().all(|alerts| alerts.len() == 1), "{name}: {told:?}");
        let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for delivery in bed.at(name).deliveries() {
            let first = bodies.entry(delivery.id().to_owned()).or_insert(delivery.body.clone());
            assert!(*first == delivery.body, "{name}: {} changed", delivery.id());
        }
    }
    let told: BTreeSet<_> = bed.webhooks().iter().map(|name| bed.told(name)).collect();
    assert_eq!(told.len(), 1, "all are told the same");
    assert_eq!(bed.problems(), [""; 0]);
}

fn most_posts(fake: &FakeReceiver) -> usize {
    fake.counts().into_values().max().unwrap_or(0)
}

fn killed_at_requests(bed: &TestBed, stop: Stop) -> usize {
    let mut rows = BTreeSet::new();
    let mut killed = 0;
    for n in 1..=12 {
        log_rows(bed, n, &mut rows);
        killed += usize::from(bed.run_killed(n, stop));
        bed.deliveries_come_due();
    }
    settle(bed);
    check(bed, &rows);
    killed
}

#[test]
fn killed_before_a_request_is_seen() {
    let killed = killed_at_requests(&bed(), Stop::Before);
    assert!(killed >= 7, "{killed}");
    let one = bed_of_one();
    let killed = killed_at_requests(&one, Stop::Before);
    assert!(killed >= 4, "{killed}");
    // The receiver has never seen the delivery that was cut off, and all before it were recorded.
    assert_eq!(most_posts(one.at("itsm")), 1);
}

#[test]
fn killed_before_an_answer_comes() {
    let bed = bed();
    let killed = killed_at_requests(&bed, Stop::Unanswered);
    assert!(killed >= 7, "{killed}");
    let most = RECEIVERS.map(|name| most_posts(bed.at(name)));
    assert!(most.into_iter().max() >= Some(2), "no delivery was repeated: {most:?}");
}

#[test]
fn killed_after_an_answer_has_left() {
    let killed = killed_at_requests(&bed(), Stop::Answered);
    assert!(killed >= 7, "{killed}");
}

#[test]
fn killed_between_writes_to_the_state() {
    let bed = bed();
    let mut rows = BTreeSet::new();
    let mut killed = 0;
    for n in 1..=14 {
        log_rows(&bed, n, &mut rows);
        killed += usize::from(bed.run_killed_at_change(n));
        bed.deliveries_come_due();
    }
    settle(&bed);
    check(&bed, &rows);
    assert!(killed >= 5, "{killed}");
}

#[test]
fn killed_at_its_very_first_write() {
    for n in 1..=4 {
        let bed = TestBed::new().receiver("itsm", "webhook").receiver("siem", "webhook");
        bed.delete_key("before");
        bed.run_killed_at_change(n);
        let mut rows = BTreeSet::new();
        bed.run_once().exits(0);
        log_rows(&bed, n, &mut rows);
        bed.run_once().exits(0);
        settle(&bed);
        check(&bed, &rows);
    }
}

#[test]
fn twins_on_one_state_tell_everything_once() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("siem", "webhook");
    let mut rows = BTreeSet::new();
    for round in 0..6 {
        let twins = [bed.spawn_once(), bed.spawn_once(), bed.spawn_once()];
        for mut twin in twins {
            let status = twin.wait().unwrap();
            assert_eq!(status.code(), Some(0), "round {round}");
        }
        bed.ran();
        log_rows(&bed, round, &mut rows);
    }
    settle(&bed);
    check(&bed, &rows);
    // Nobody crashed: not even the same delivery comes twice.
    assert_eq!(RECEIVERS.map(|name| most_posts(bed.at(name))), [1, 1]);
}

#[test]
fn daemon_and_cron_at_once_tell_everything_once() {
    let bed = bed();
    let daemon = bed.daemon(&[]);
    let mut rows = BTreeSet::new();
    for round in 0..4 {
        log_rows(&bed, round, &mut rows);
        bed.run_once().exits(0);
    }
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    settle(&bed);
    check(&bed, &rows);
    assert_eq!(RECEIVERS.map(|name| most_posts(bed.at(name))), [1, 1]);
}
