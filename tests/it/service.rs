//! The query service misbehaves: what was not answered is asked again, and nothing is told twice or not at all.

use crate::support::bed::{TestBed, conditions, deletion};
use crate::support::fake_logs::Fault;
use chrono::{SubsecRound as _, TimeDelta, Utc};
use std::time::Duration;

fn bed() -> TestBed {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed
}

fn own(bed: &TestBed) -> Vec<(String, String)> {
    let all = bed.at("itsm").deliveries();
    all.iter().flat_map(conditions).map(|(condition, _, state)| (condition, state)).collect()
}

/// Every row that was logged stands in one alert that was delivered once.
#[track_caller]
fn told_once(bed: &TestBed, rows: usize) {
    let told = bed.told("itsm");
    assert_eq!(told.len(), rows, "{told:?}");
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
    assert_eq!(bed.at("itsm").counts().values().max(), Some(&1));
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn failures_fail_the_run_and_the_next_one_makes_up_for_them() {
    let faults = [
        (Fault::Status(401), "access denied"),
        (Fault::TokenRefused, "access denied"),
        (Fault::AccessDenied, "assign the role `Log Analytics Data Reader`"),
        (Fault::Status(404), "check the workspace's `id` and `endpoint`"),
        (Fault::Status(500), "status 500"),
        (Fault::Status(503), "status 503"),
        (Fault::Status(502), "status 502"),
        (Fault::Status(418), "status 418"),
        (Fault::Truncated, "unavailable"),
        (Fault::Cut, "unavailable"),
        (Fault::HangUp, "unavailable"),
    ];
    let bed = bed();
    let rows = faults.len();
    for (n, (fault, says)) in faults.into_iter().enumerate() {
        bed.delete_key(&format!("row {n}"));
        bed.logs.fault_when(|_| true, fault);
        let ran = bed.run_once().exits(1).says("watches=1 failed=1");
        ran.says("error: key-delete on prod: ").says(says);
        bed.logs.mend();
        bed.run_once().exits(0);
    }
    told_once(&bed, rows);
}

#[test]
fn a_hiccup_is_no_failure() {
    let bed = bed();
    bed.delete_key("a");
    for fault in [Fault::Status(503), Fault::HangUp] {
        bed.logs.fault(fault);
    }
    bed.run_once().exits(0);
    told_once(&bed, 1);
    // One refused token: a new one is asked for.
    bed.delete_key("b");
    bed.logs.fault(Fault::Status(401));
    bed.run_once().exits(0);
    told_once(&bed, 2);
}

#[test]
fn throttling_puts_off_and_is_no_failure() {
    let bed = bed();
    bed.delete_key("a");
    bed.logs.fault(Fault::Throttled("2"));
    let asked = Utc::now();
    let ran = bed.run_once().exits(0).says("throttled, put off until");
    // That line is only for ticks in which all that was due is committed.
    assert!(!ran.stderr.contains("failed=0"), "{}", ran.stderr);
    assert_eq!(bed.logs.requests().len(), 1);
    while bed.logs.requests().len() == 1 {
        bed.run_once().exits(0);
        assert!(Utc::now() - asked < TimeDelta::seconds(20), "it is never asked again");
    }
    assert!(Utc::now() - asked >= TimeDelta::seconds(2), "Retry-After was not waited for");
    told_once(&bed, 1);
    // An hour is an hour.
    bed.delete_key("b");
    bed.logs.fault(Fault::Throttled("3600"));
    bed.run_once().exits(0);
    bed.run_once().exits(0).says("throttled, put off until");
    assert_eq!(bed.logs.requests().len(), 3);
    assert!(own(&bed).is_empty());
}

#[test]
fn answers_that_are_too_large_are_asked_for_in_halves() {
    let gaps = [Fault::Partial, Fault::Status(504)];
    for fault in gaps {
        let bed = bed();
        bed.began_earlier(TimeDelta::hours(1));
        let now = Utc::now();
        for n in 0..40 {
            bed.log(deletion(&format!("row {n}"), now - TimeDelta::seconds(90 * n)));
        }
        // Whatever covers more than seven minutes is too much.
        let much = |r: &crate::support::fake_logs::Request| {
            r.timespan.is_some_and(|(from, to)| to - from > TimeDelta::minutes(7))
        };
        bed.logs.fault_when(much, fault);
        bed.run_once().exits(0);
        told_once(&bed, 40);
        bed.logs.mend();
        bed.run_once().exits(0);
        told_once(&bed, 40);
    }
}

#[test]
fn rows_beyond_what_the_service_gives_are_all_told() {
    let bed = bed();
    bed.began_earlier(TimeDelta::minutes(10));
    bed.logs.max_rows(20);
    // A row at every whole second: where windows are cut, there is one.
    let now = Utc::now().trunc_subsecs(0);
    for n in 0..590 {
        bed.log(deletion(&format!("row {n}"), now - TimeDelta::seconds(n)));
    }
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let alerts = bed.at("itsm").deliveries();
    let counted = alerts.iter().map(|d| d.json()["data"]["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(counted, 590);
    let told = bed.told("itsm");
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
}

#[test]
fn a_second_too_dense_is_named_and_passed() {
    let bed = bed();
    bed.began_earlier(TimeDelta::minutes(10));
    bed.logs.max_rows(10);
    let dense = Utc::now() - TimeDelta::minutes(5);
    for n in 0..30 {
        bed.log(deletion(&format!("dense {n}"), dense));
    }
    bed.log(deletion("before", dense - TimeDelta::seconds(30)));
    bed.log(deletion("after", dense + TimeDelta::seconds(30)));
    bed.run_once().exits(1);
    assert!(bed.told("itsm").contains_key("before"));
    assert!(!bed.told("itsm").contains_key("after"), "it may not pass it yet");
    bed.run_once().exits(1);
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let told = bed.told("itsm");
    assert!(told.contains_key("after"), "{told:?}");
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
    let named = own(&bed).into_iter().filter(|(condition, _)| condition == "not-covered");
    assert_eq!(named.count(), 1, "{:?}", own(&bed));
}

#[test]
fn no_data_is_waited_for() {
    let bed = bed();
    for fault in [Fault::NoContent, Fault::TableMissing] {
        bed.logs.fault_when(|_| true, fault);
        bed.run_once().exits(0).says("key-delete on prod: waiting for data").says("failed=0");
        bed.delete_key("lies in between");
        bed.logs.mend();
    }
    assert!(own(&bed).is_empty(), "a state, not an alert");
    bed.run_once().exits(0).without_talk();
    assert_eq!(bed.told("itsm").into_keys().collect::<Vec<_>>(), ["lies in between"]);
}

#[test]
fn no_data_for_two_hours_is_told_and_so_is_that_it_came() {
    let bed = bed();
    bed.began_earlier(TimeDelta::hours(3));
    bed.logs.fault_when(|_| true, Fault::NoContent);
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    assert_eq!(own(&bed), [("no-data".to_owned(), "ill".to_owned())]);
    bed.logs.mend();
    bed.delete_key("a");
    bed.run_once().exits(0);
    assert_eq!(own(&bed)[1..], [("no-data".to_owned(), "well".to_owned())]);
    told_once(&bed, 1);
}

#[test]
fn a_refused_query_is_told_at_once_and_once() {
    let bed = bed();
    let message =
        "'project' operator: Failed to resolve scalar expression named '\u{1b}[31mOops\u{202e}'";
    bed.logs.fault_when(|_| true, Fault::Semantic(message));
    for _ in 0..2 {
        let ran = bed.run_once().exits(1).says("query refused").says("Failed to resolve");
        let strange = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!ran.stderr.contains(strange) && !ran.stdout.contains(strange), "{ran:?}");
    }
    assert_eq!(own(&bed), [("query-refused".to_owned(), "ill".to_owned())]);
    bed.logs.mend();
    bed.run_once().exits(0);
    assert_eq!(own(&bed)[1..], [("query-refused".to_owned(), "well".to_owned())]);
}

#[test]
fn an_outage_of_three_intervals_is_told_and_so_is_its_end() {
    let bed = bed();
    bed.logs.fault_when(|_| true, Fault::Status(500));
    let began = Utc::now();
    while own(&bed).is_empty() {
        bed.run_once().exits(1);
        assert!(Utc::now() - began < TimeDelta::seconds(20), "it is never told");
    }
    assert!(Utc::now() - began >= TimeDelta::seconds(2), "told too soon");
    bed.run_once().exits(1);
    assert_eq!(own(&bed), [("watch-failing".to_owned(), "ill".to_owned())]);
    bed.logs.mend();
    bed.run_once().exits(0);
    assert_eq!(own(&bed)[1..], [("watch-failing".to_owned(), "well".to_owned())]);
}

#[test]
fn a_clock_that_runs_ahead_is_not_believed() {
    let bed = TestBed::new().receiver("itsm", "webhook").setting("overlap = \"1s\"");
    bed.begin();
    bed.began_earlier(TimeDelta::hours(2));
    let now = Utc::now();
    // By the service it is half an hour earlier than by our clock.
    bed.logs.clock(now - TimeDelta::minutes(30));
    bed.run_once().exits(0);
    // What is logged after that lies in what our clock takes for the past.
    let time = now - TimeDelta::minutes(20);
    bed.log(deletion("a", time).available_from(time));
    bed.logs.clock(now - TimeDelta::minutes(10));
    bed.run_once().exits(0);
    told_once(&bed, 1);
}

#[test]
fn a_slow_answer_is_an_answer() {
    let bed = bed();
    bed.delete_key("a");
    bed.logs.fault(Fault::Slow(Duration::from_secs(2)));
    bed.run_once().exits(0);
    told_once(&bed, 1);
}

#[test]
fn a_date_that_is_off_by_a_little_changes_nothing() {
    let bed = bed();
    bed.delete_key("a");
    bed.logs.fault(Fault::WrongDate(TimeDelta::seconds(-4)));
    bed.run_once().exits(0);
    bed.logs.fault(Fault::WrongDate(TimeDelta::days(400)));
    bed.delete_key("b");
    bed.run_once().exits(0);
    told_once(&bed, 2);
}
