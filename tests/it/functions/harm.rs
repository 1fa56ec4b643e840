//! What a queue, a timer and a host do to a function app: twice, at once, late, lost, garbage. All of it is harmless.

use super::{app, bed};
use crate::support::bed::{WORKSPACE, deletion};
use crate::support::fake_logs::Fault as Trouble;
use crate::support::fake_receiver::Say;
use crate::support::function_app::{DELIVERIES, EVALUATIONS, FunctionApp};
use crate::support::functions_host::{Fault, Outcome};
use chrono::{TimeDelta, Utc};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

fn most_posts(app: &FunctionApp) -> usize {
    let names = app.bed.webhooks();
    names.iter().flat_map(|name| app.bed.at(name).counts().into_values()).max().unwrap_or(0)
}

#[test]
fn two_ticks_at_once_tell_everything_once() {
    let app = FunctionApp::start(bed().receiver("siem", "webhook")).begin();
    let mut rows = BTreeSet::new();
    for round in 0..4 {
        app.delete_key(&format!("row {round}"), &mut rows);
        app.await_slot();
        let both = [(); 2].map(|()| app.host.begin_timer("tick"));
        for tick in both {
            tick.wait().succeeds();
        }
        app.ticked();
        app.host.drain();
    }
    app.settle();
    app.told_once(&rows);
    assert_eq!(most_posts(&app), 1);
}

#[test]
fn a_tick_during_a_long_evaluation_tells_everything_once() {
    let app = app().begin();
    let mut rows = BTreeSet::new();
    app.delete_key("a", &mut rows);
    app.bed.logs.fault(Trouble::Slow(Duration::from_millis(2_500)));
    app.await_slot();
    let long = app.host.begin_timer("tick");
    app.host.wait_until(|_| app.bed.logs.requests().len() == 1);
    app.delete_key("b", &mut rows);
    app.ticked();
    app.round().succeeds();
    long.wait().succeeds();
    app.settle();
    app.told_once(&rows);
    assert_eq!(most_posts(&app), 1);
}

#[test]
fn messages_that_come_twice_are_delivered_once() {
    let app = FunctionApp::start(bed().receiver("siem", "webhook")).begin();
    let mut rows = BTreeSet::new();
    for (round, fault) in
        [Fault::Twice, Fault::Redelivered, Fault::Twice, Fault::Redelivered].into_iter().enumerate()
    {
        app.delete_key(&format!("row {round}"), &mut rows);
        app.tick().succeeds();
        // Slow enough that the second comes while the first is under way.
        app.bed.at("siem").script([Say::Slow(Duration::from_millis(300))]);
        app.host.fault("deliver", [fault; 2]);
        let done = app.host.drain();
        assert_eq!(done.len(), 4, "{fault:?}");
        assert!(done.iter().all(|i| i.outcome == Outcome::Succeeded));
    }
    app.host.fault("tick", [Fault::OutputsTwice]);
    app.delete_key("last", &mut rows);
    app.tick().succeeds();
    assert_eq!(app.host.drain().len(), 4);
    app.told_once(&rows);
    assert_eq!(most_posts(&app), 1);
}

#[test]
fn outputs_lost_after_the_answer_are_offered_again() {
    let app =
        FunctionApp::start(bed().receiver("siem", "webhook").receiver("third", "webhook")).begin();
    let mut rows = BTreeSet::new();
    for (round, fault) in
        [Fault::OutputsLost, Fault::OutputsPartly, Fault::FailedAfter].into_iter().enumerate()
    {
        app.delete_key(&format!("row {round}"), &mut rows);
        app.host.fault("tick", [fault]);
        let tick = app.tick();
        assert!(matches!(tick.outcome, Outcome::Failed(_)), "{fault:?}");
        app.host.drain();
        let next = app.tick().succeeds();
        let left = if fault == Fault::FailedAfter { 0 } else { 3 - tick.written.len() };
        assert_eq!(next.to(DELIVERIES).len(), left, "{fault:?}");
        app.host.drain();
    }
    app.told_once(&rows);
    assert_eq!(most_posts(&app), 1);
}

#[test]
fn garbage_in_the_queues_is_put_away_and_said() {
    let app = app().begin();
    let ticket = |watch: &str, alert: &str, receiver: &str| {
        json!({"watch": watch, "alert": alert, "receiver": receiver}).to_string()
    };
    let garbage = [
        String::new(),
        "hello!!".to_owned(),
        "\"quoted\"".to_owned(),
        "null".to_owned(),
        "[1,2]".to_owned(),
        "{}".to_owned(),
        "{\"watch\":1}".to_owned(),
        "7".to_owned(),
        "\u{feff}{}".to_owned(),
        "{\"sys\":1,\"Id\":{},\"DequeueCount\":\"x\",\"data\":{\"message\":1}}".to_owned(),
        ticket("", "", ""),
        ticket("../../heads", "../x", "itsm"),
        ticket("none", "0123456789abcdef", "itsm"),
        ticket(&"w".repeat(20_000), "a", "r"),
        ticket("w\u{0}", "a\n", "\u{202e}r"),
        json!({"workspace": "../..", "at": "2026-01-01T00:00:00Z"}).to_string(),
        json!({"workspace": WORKSPACE, "at": "never"}).to_string(),
        json!({"workspace": WORKSPACE, "at": "+262142-01-01T00:00:00Z"}).to_string(),
        "[".repeat(40_000),
    ];
    let before = app.bed.state_files();
    for queue in [DELIVERIES, EVALUATIONS, "hsmwatch-deliveries-poison"] {
        for text in &garbage {
            app.host.put(queue, text);
        }
        assert_eq!(app.host.drain().len(), garbage.len());
        assert_eq!(app.host.queue(queue), [""; 0]);
    }
    let failed: Vec<_> =
        app.host.invocations().into_iter().filter(|i| i.outcome != Outcome::Succeeded).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(app.bed.state_files().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(app.bed.at("itsm").deliveries().len(), 0);
    assert!(app.lines("is no ticket").len() >= 10);
    app.is_clean();
}

#[test]
fn a_poisoned_ticket_is_not_lost() {
    let app = app().begin();
    let mut rows = BTreeSet::new();
    // Due at once at each attempt, and refused each time.
    app.bed.at("itsm").always(Some(Say::RetryAfter(503, "3600".to_owned())));
    app.delete_key("a", &mut rows);
    app.round().succeeds();
    assert_eq!(app.bed.at("itsm").deliveries().len(), 1);
    // Someone spoils the record: the invocation fails, and fails again.
    let spoilt = std::cell::RefCell::new(Vec::new());
    app.change("deliveries/", |_, document| {
        spoilt.replace(std::mem::replace(&mut document.body, b"{\"format\":99}".to_vec()));
        true
    });
    let alert = app.bed.at("itsm").deliveries()[0].id().to_owned();
    let document = app.bed.documents("deliveries/");
    let watch = app.tickets_watch(&alert);
    assert_eq!(document.len(), 1);
    let ticket = json!({"watch": watch, "alert": alert, "receiver": "itsm"});
    app.host.put(DELIVERIES, &ticket.to_string());
    for _ in 0..6 {
        app.host.drain();
        app.host.skip(TimeDelta::minutes(5));
    }
    assert!(app.host.queue(DELIVERIES).is_empty());
    let lines = app.lines("failed time and again");
    assert_eq!(lines.len(), 1, "{}", app.host.said());
    assert_eq!(
        (&lines[0]["function"], &lines[0]["level"]),
        (&"dead-letter".into(), &"ERROR".into())
    );
    assert_eq!(app.bed.document(&document[0]), b"{\"format\":99}", "kept byte for byte");
    // Put right, and it goes on.
    app.change("deliveries/", |_, document| {
        document.body.clone_from(&spoilt.borrow());
        true
    });
    app.bed.at("itsm").always(None);
    app.settle();
    let told = app.bed.told("itsm");
    assert_eq!(told["a"].len(), 1);
    assert_eq!(app.bed.at("itsm").deliveries().last().unwrap().answered, Some(204));
    assert_eq!(app.host.problems(), [""; 0]);
}

/// Nine workspaces: more than one tick evaluates itself.
fn nine() -> (FunctionApp, Vec<String>) {
    let ids: Vec<String> =
        (0..9).map(|n| format!("{n}0000000-0000-0000-0000-000000000000")).collect();
    let bed = bed();
    let mut more = String::new();
    for (n, id) in ids.iter().enumerate().skip(1) {
        bed.logs.add(id, []);
        let url = bed.logs.url();
        writeln!(more, "[[workspace]]\nname = \"more{n}\"\nid = \"{id}\"\nendpoint = \"{url}\"")
            .unwrap();
    }
    let mut ids = ids;
    WORKSPACE.clone_into(&mut ids[0]);
    (FunctionApp::start(bed.rules(&more)).begin(), ids)
}

#[test]
fn many_workspaces_are_evaluated_through_the_queue() {
    let (app, ids) = nine();
    app.round().succeeds();
    let mut rows = BTreeSet::new();
    for round in 0..3 {
        for (n, id) in ids.iter().enumerate() {
            let row = format!("row {round} {n}");
            app.bed.logs.add(id, [deletion(&row, Utc::now())]);
            rows.insert(row);
        }
        if round == 1 {
            app.host.fault(
                "evaluate",
                [Fault::Twice, Fault::OutputsLost, Fault::FailedAfter, Fault::Redelivered],
            );
        }
        let tick = app.tick().succeeds();
        let asked = tick.to(EVALUATIONS);
        assert_eq!(asked.len(), 9);
        let named: BTreeSet<String> = asked
            .iter()
            .map(|text| {
                serde_json::from_str::<Json>(text).unwrap()["workspace"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(named, ids.iter().cloned().collect());
        let done = app.host.drain();
        assert!(done.iter().filter(|i| i.function == "evaluate").count() >= 9);
        // What failed comes again later.
        app.host.skip(TimeDelta::minutes(1));
        app.host.drain();
    }
    app.settle_delegated();
    app.told_once(&rows);
    assert_eq!(most_posts(&app), 1);
    assert!(!app.lines("evaluated workspace=more8 watches=1 failed=0").is_empty());
}

#[test]
fn a_stale_message_to_evaluate_is_dropped() {
    let (app, ids) = nine();
    app.round().succeeds();
    let asked = app.bed.logs.requests().len();
    let at = |ago: TimeDelta| (Utc::now() - ago).to_rfc3339();
    app.host
        .put(EVALUATIONS, &json!({"workspace": ids[3], "at": at(TimeDelta::hours(1))}).to_string());
    app.host
        .put(EVALUATIONS, &json!({"workspace": "gone", "at": at(TimeDelta::zero())}).to_string());
    let done = app.host.drain();
    assert!(done.iter().all(|i| i.clone().succeeds().logs[0].starts_with("dropped")), "{done:?}");
    assert_eq!(app.bed.logs.requests().len(), asked, "nobody was asked");
    app.await_slot();
    app.host
        .put(EVALUATIONS, &json!({"workspace": ids[3], "at": at(TimeDelta::zero())}).to_string());
    app.host.drain();
    assert_eq!(app.bed.logs.requests().len(), asked + 1);
    app.is_clean();
}

#[test]
fn an_invocation_ends_before_the_host_ends_it_and_keeps_what_it_did() {
    let rule = |id: &str, operation: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\ntitle = \"{id}\"\nseverity = \"high\"\nquery = '''CloudHsmServiceOperationAuditLogs | where OperationName == \"{operation}\"'''\n"
        )
    };
    let rules: String = (0..6).map(|n| rule(&format!("slow{n}"), "CN_LOGIN")).collect();
    let app = FunctionApp::start_with(
        bed().rules(&rules),
        &[("AzureFunctionsJobHost__functionTimeout", "00:00:04")],
    );
    app.host.function_timeout(Duration::from_secs(4));
    let app = app.begin();
    app.bed
        .logs
        .fault_when(|r| r.query.contains("CN_LOGIN"), Trouble::Slow(Duration::from_mins(5)));
    let mut rows = BTreeSet::new();
    for round in 0..2 {
        app.delete_key(&format!("row {round}"), &mut rows);
        let tick = app.tick().succeeds();
        assert!(
            tick.took > Duration::from_secs(2) && tick.took < Duration::from_secs(4),
            "{:?}",
            tick.took
        );
        app.host.drain();
    }
    assert!(app.host.exits().is_empty(), "nobody was killed");
    app.told_once(&rows);
    assert!(
        app.lines("evaluated workspace=prod watches=7 failed=0").len() <= 1,
        "only before the trouble"
    );
    app.bed.logs.mend();
    app.settle();
    app.told_once(&rows);
}

#[test]
fn a_slow_receiver_does_not_hold_up_the_others() {
    let app = FunctionApp::start(bed().receiver("slow", "webhook")).begin();
    app.bed.at("slow").always(Some(Say::Slow(Duration::from_millis(700))));
    let mut rows = BTreeSet::new();
    for n in 0..6 {
        let hsm = format!("/subscriptions/s/{n}");
        let row = format!("row {n}");
        app.bed.log(deletion(&row, Utc::now()).with("_ResourceId", hsm));
        rows.insert(row);
    }
    app.round().succeeds();
    app.settle();
    app.told_once(&rows);
}
