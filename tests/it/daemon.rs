//! `run`: the program as a service of one machine.

use crate::support::bed::{SECRET, TestBed, conditions, deletion};
use crate::support::fake_logs::Fault;
use crate::support::fake_receiver::{FakeReceiver, Say};
use chrono::Utc;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const EVALUATED: &str = "evaluated workspace=prod watches=1 failed=0";

fn ids(fake: &FakeReceiver) -> BTreeSet<String> {
    fake.counts().into_keys().collect()
}

/// One row for each of five HSMs: five alerts.
fn five_alerts(bed: &TestBed) {
    for n in 0..5 {
        let hsm = format!("/subscriptions/s/hsm-{n}");
        bed.log(deletion(&hsm, Utc::now()).with("_ResourceId", hsm.clone()));
    }
}

#[test]
fn new_rows_are_told_as_they_come_until_it_is_told_to_stop() {
    for signal in ["TERM", "INT"] {
        let bed = TestBed::new().receiver("itsm", "webhook").receiver("oncall", "teams");
        bed.delete_key("before");
        let daemon = bed.daemon(&[]);
        daemon.wait_for("watching 1 rule on 1 workspace for 2 receivers", 1);
        daemon.wait_for(EVALUATED, 1);
        bed.delete_key("first");
        bed.at("itsm").wait_for(1);
        bed.at("oncall").wait_for(1);
        bed.delete_key("second");
        bed.at("itsm").wait_for(2);
        daemon.wait_for("delivered", 4);
        let ended = daemon.end(signal);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
        assert!(ended.stderr.ends_with("stopped"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "", "logs are talk");
        assert_eq!(bed.told("itsm").into_keys().collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(bed.problems(), [""; 0]);
        // The next one goes on where this one stopped.
        bed.ran();
        bed.delete_key("third");
        bed.run_once().exits(0);
        assert_eq!(bed.told("itsm").into_keys().collect::<Vec<_>>(), ["first", "second", "third"]);
        assert_eq!(bed.at("itsm").counts().values().max(), Some(&1));
    }
}

#[test]
fn what_is_under_way_when_it_stops_is_finished_and_what_waits_is_left() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    five_alerts(&bed);
    bed.at("itsm").always(Some(Say::Slow(Duration::from_secs(2))));
    let daemon = bed.daemon(&[]);
    bed.at("itsm").wait_for_arrivals(1);
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(5), "it delivered on and on: {:?}", ended.took);
    let delivered = bed.at("itsm").deliveries();
    assert_eq!(delivered.len(), 1);
    assert!(ended.stderr.contains(&format!("delivered {} to itsm", delivered[0].id())));
    bed.ran();
    bed.at("itsm").always(None);
    bed.run_once().exits(0);
    let counts = bed.at("itsm").counts();
    assert_eq!(counts.values().collect::<Vec<_>>(), [&1; 5], "each once: {counts:?}");
}

#[test]
fn a_retry_that_is_waited_for_does_not_hold_up_the_end() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("itsm").script([Say::RetryAfter(503, "25".to_owned())]);
    let daemon = bed.daemon(&[]);
    bed.at("itsm").wait_for(1);
    // A tick later the answer has been recorded and the wait has begun.
    daemon.wait_for(EVALUATED, 3);
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    bed.ran();
    bed.deliveries_come_due();
    bed.run_once().exits(0);
    assert_eq!(bed.at("itsm").counts().into_values().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_receiver_that_hangs_or_waits_delays_no_other() {
    let bed = TestBed::new()
        .receiver("hangs", "webhook")
        .receiver("waits", "webhook")
        .receiver("again", "webhook")
        .receiver("well", "webhook");
    bed.begin();
    bed.at("hangs").always(Some(Say::Hang));
    bed.at("waits").script([Say::RetryAfter(429, "8".to_owned())]);
    bed.at("again").script([Say::Status(503)]);
    let daemon = bed.daemon(&[]);
    bed.delete_key("a");
    bed.at("hangs").wait_for_arrivals(1);
    let began = Instant::now();
    bed.at("well").wait_for(1);
    bed.delete_key("b");
    bed.at("well").wait_for(2);
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert_eq!(bed.at("hangs").deliveries().len(), 1, "it still hangs on the first");
    // Meanwhile the retries come in their own time.
    for (name, least, most) in [("waits", 8.0, 20.0), ("again", 4.0, 20.0)] {
        let deliveries = bed.at(name).wait_for(3);
        let first = &deliveries[0];
        let again = deliveries[1..].iter().find(|d| d.id() == first.id()).unwrap();
        let waited = (again.at - first.at).as_secs_f64();
        assert!(least <= waited && waited < most, "{name}: {waited}");
        assert_eq!(ids(bed.at(name)), ids(bed.at("well")), "{name}");
    }
    drop(daemon);
}

#[test]
fn a_broken_receiver_is_asked_once_however_much_there_is_to_tell() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("well", "webhook");
    bed.begin();
    bed.at("itsm").always(Some(Say::Status(410)));
    five_alerts(&bed);
    let daemon = bed.daemon(&[]);
    daemon.wait_for("receiver itsm is broken", 1);
    // Five alerts and one about the broken receiver.
    bed.at("well").wait_for(6);
    five_alerts(&bed);
    bed.at("well").wait_for(11);
    let ended = daemon.terminate();
    assert_eq!(bed.at("itsm").deliveries().len(), 1, "{}", ended.stderr);
    let own: Vec<_> = bed.at("well").deliveries().iter().flat_map(conditions).collect();
    assert_eq!(own.len(), 1, "{own:?}");
}

#[test]
fn the_log_says_what_failed_in_words_and_in_json() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("down", "webhook");
    bed.begin();
    bed.at("down").always(Some(Say::Status(404)));
    bed.delete_key("a");
    bed.logs.fault(Fault::AccessDenied);
    let daemon = bed.daemon(&["--format", "json"]);
    daemon.wait_for("evaluated workspace=prod watches=1 failed=1", 1);
    daemon.wait_for(EVALUATED, 1);
    daemon.wait_for("delivered", 1);
    daemon.wait_for("receiver down is broken", 1);
    let ended = daemon.terminate();
    let logged: Vec<Json> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |text: &str| {
        let message = |l: &&Json| l["fields"]["message"].as_str().is_some_and(|m| m.contains(text));
        logged.iter().find(message).unwrap_or_else(|| panic!("{text}:\n{}", ended.stderr))
    };
    let denied = of("Log Analytics Data Reader");
    assert_eq!(denied["level"], "ERROR");
    assert_eq!(denied["fields"]["watch"], "key-delete on prod");
    let alert = bed.at("itsm").deliveries()[0].id().to_owned();
    let delivered = of("delivered");
    assert_eq!(delivered["fields"]["alert.id"], *alert);
    assert_eq!(delivered["fields"]["receiver.name"], "itsm");
    assert_eq!(of("broken")["fields"]["receiver.name"], "down");
    assert!(!ended.stderr.contains(SECRET));
}

#[test]
fn a_query_service_that_hangs_delays_no_delivery() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("itsm").script([Say::Status(503)]);
    let daemon = bed.daemon(&[]);
    bed.at("itsm").wait_for(1);
    bed.logs.fault_when(|_| true, Fault::Slow(Duration::from_mins(1)));
    bed.at("itsm").wait_for(2);
    drop(daemon);
}
