//! Delivering, as far as the engine decides: ends, receivers that are off, and what is told of them.

use super::*;
use crate::engine::record::{End, KEPT, Record};
use crate::engine::{SwitchError, Tended};
use crate::notify::backoff;
use crate::watch::own::Condition;

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

/// A bench with one committed alert of which nothing was delivered yet.
async fn with_an_alert() -> (Bench, String) {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(after(1), "g", "n"));
    let report = bench.tick(after(5)).await;
    let id = alerts(&report)[0].id.clone();
    (bench, id)
}

async fn record(bench: &Bench, alert: &str, receiver: &str) -> Record {
    Record::decode(&bench.body(&Record::name(alert, receiver)).await).unwrap()
}

async fn tended(bench: &Bench, now: DateTime<Utc>) -> Tended {
    bench.engine().tend(now, &|_| {}).await.unwrap()
}

#[tokio::test]
async fn what_is_accepted_leaves_the_outbox() {
    let (bench, id) = with_an_alert().await;
    let done = bench.deliver(after(5)).await;
    assert_eq!(done, [("a".to_owned(), Delivered::Ok), ("b".to_owned(), Delivered::Ok)]);
    assert_eq!(
        bench.receivers.posts(),
        [("a".to_owned(), id.clone()), ("b".to_owned(), id.clone())]
    );
    assert_eq!(bench.head().await.open_alerts(), 1);
    bench.tick(after(10)).await;
    assert_eq!(bench.head().await.open_alerts(), 0);
    assert!(bench.tickets.lock().unwrap().is_empty());
    // A ticket that comes late is dropped, and so is one for an alert that never was.
    for alert in [id, "0".repeat(32)] {
        bench.tickets.lock().unwrap().push(Ticket {
            watch: Bench::key("r"),
            alert,
            receiver: "a".to_owned(),
        });
    }
    let dropped = bench.deliver(after(10)).await;
    assert!(dropped.iter().all(|(_, delivered)| *delivered == Delivered::Dropped));
    assert!(bench.receivers.posts().is_empty());
}

#[tokio::test]
async fn a_removed_receiver_ends_as_refused_and_makes_no_alert() {
    let (mut bench, id) = with_an_alert().await;
    bench.configured.remove(0);
    let done = bench.deliver(after(5)).await;
    let Delivered::Ended { end: End::Refused, why } = &done[0].1 else { panic!("{done:?}") };
    assert!(why.starts_with("removed"));
    assert_eq!(record(&bench, &id, "a").await.end, Some(End::Refused));
    let report = bench.tick(after(10)).await;
    assert!(report.own.is_empty(), "{:?}", own_titles(&report));
    assert_eq!(bench.head().await.open_alerts(), 0);
}

#[tokio::test]
async fn what_is_not_accepted_is_offered_again_when_due_and_given_up_at_the_end() {
    let (bench, id) = with_an_alert().await;
    bench.receivers.answer("a", 503);
    let mut now = after(5);
    let mut attempts = 0;
    loop {
        bench.deliver(now).await;
        let record = record(&bench, &id, "a").await;
        attempts += 1;
        assert_eq!(record.attempts, attempts);
        if record.end.is_some() {
            assert_eq!(record.end, Some(End::GaveUp));
            break;
        }
        // Not a second before.
        bench.tick(record.next_due - TimeDelta::seconds(1)).await;
        assert!(bench.deliver(record.next_due - TimeDelta::seconds(1)).await.is_empty());
        now = record.next_due;
        bench.tick(now).await;
    }
    assert_eq!(usize::try_from(attempts).unwrap(), backoff::SCHEDULE.len());
    let report = bench.round(now + minutes(5)).await;
    assert_eq!(own_titles(&report), ["An alert could not be delivered: a"]);
    assert_eq!(report.own[0].receivers, ["b"], "not over the receiver it is about");
    assert!(bench.round(now + minutes(10)).await.own.is_empty(), "once");
    assert_eq!(bench.head().await.open_alerts(), 0);
}

#[tokio::test]
async fn a_refusal_is_told_over_another_receiver_and_its_own_refusal_is_not() {
    let (bench, _) = with_an_alert().await;
    bench.receivers.answer("a", 400);
    bench.deliver(after(5)).await;
    bench.receivers.answer("b", 400);
    let report = bench.round(after(10)).await;
    assert_eq!(own_titles(&report), ["A receiver refused an alert: a"]);
    assert!(report.own[0].rule.meaning.contains("Title of r, 1 hits"), "it says which");
    assert_eq!(report.own[0].receivers, ["b"]);
    // `b` refused the alert about `a`: no further one.
    assert!(bench.round(after(15)).await.own.is_empty());
}

#[tokio::test]
async fn a_broken_receiver_is_off_until_it_is_switched_on() {
    let (bench, id) = with_an_alert().await;
    bench.receivers.answer("a", 403);
    assert!(matches!(bench.deliver(after(5)).await[0].1, Delivered::Broken { .. }));
    let report = bench.round(after(10)).await;
    assert_eq!(report.off, ["a"]);
    assert_eq!(own_titles(&report), ["A receiver is broken: a"]);
    assert_eq!(report.own[0].receivers, ["b"]);
    bench.receivers.posts();
    for n in [15, 20] {
        assert!(bench.round(after(n)).await.own.is_empty());
    }
    assert!(bench.receivers.posts().is_empty(), "its alerts wait");

    bench.receivers.answer("a", 200);
    bench.engine().switch_on("a", after(21)).await.unwrap();
    assert!(tended(&bench, after(21)).await.off.is_empty());
    let report = bench.round(after(25)).await;
    assert_eq!(own_titles(&report), ["Well again: A receiver is broken: a"]);
    assert!(bench.receivers.posts().contains(&("a".to_owned(), id)));
    assert_eq!(bench.own().await.own.unwrap().switched_on["a"], after(21));
}

#[tokio::test]
async fn a_receiver_that_cannot_be_shown_who_calls_is_broken_and_told_of_over_another() {
    let (bench, id) = with_an_alert().await;
    bench.receivers.answer("a", NO_TOKEN);
    assert!(matches!(bench.deliver(after(5)).await[0].1, Delivered::Broken { .. }));
    let record = record(&bench, &id, "a").await;
    assert_eq!((record.end, record.last.as_str()), (None, "not authorized: no token"));
    let report = bench.round(after(10)).await;
    assert_eq!(report.off, ["a"]);
    assert_eq!(own_titles(&report), ["A receiver is broken: a"]);
    assert_eq!(report.own[0].receivers, ["b"]);
}

#[tokio::test]
async fn a_receiver_that_refuses_again_is_off_again() {
    let (bench, _) = with_an_alert().await;
    bench.receivers.answer("a", 401);
    bench.deliver(after(5)).await;
    bench.engine().switch_on("a", after(6)).await.unwrap();
    bench.round(after(10)).await;
    assert_eq!(tended(&bench, after(10)).await.off.keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn a_new_credential_switches_a_receiver_on() {
    let (mut bench, id) = with_an_alert().await;
    bench.receivers.answer("a", 410);
    bench.deliver(after(5)).await;
    bench.receivers.answer("a", 200);
    bench.configured[0].credential = "another".to_owned();
    let report = bench.round(after(10)).await;
    assert!(report.off.is_empty());
    assert_eq!(record(&bench, &id, "a").await.end, Some(End::Delivered));
}

#[tokio::test]
async fn a_receiver_that_stays_broken_gives_up_when_the_schedule_is_over() {
    let (bench, id) = with_an_alert().await;
    bench.receivers.answer("a", 404);
    bench.deliver(after(5)).await;
    bench.tick(after(5) + backoff::total() - minutes(5)).await;
    assert!(
        bench
            .deliver(after(5) + backoff::total() - minutes(5))
            .await
            .iter()
            .all(|(to, _)| to == "b")
    );
    bench.round(after(5) + backoff::total()).await;
    assert_eq!(record(&bench, &id, "a").await.end, Some(End::GaveUp));
}

#[tokio::test]
async fn switching_on_knows_its_receivers_and_needs_no_head() {
    let bench = Bench::new();
    let error = bench.engine().switch_on("c", epoch()).await.unwrap_err();
    assert!(matches!(&error, SwitchError::Unknown { .. }));
    assert_eq!(error.to_string(), "there is no receiver `c`: the configuration has a, b");
    bench.engine().switch_on("b", epoch()).await.unwrap();
    assert_eq!(bench.own().await.own.unwrap().switched_on["b"], epoch());
    // What the own head knew besides stays, and two that switch at once both do.
    bench.begin().await;
    let (one, two) = (bench.engine(), bench.engine());
    let (one, two) = tokio::join!(one.switch_on("a", after(1)), two.switch_on("b", after(2)));
    one.unwrap();
    two.unwrap();
    let own = bench.own().await.own.unwrap();
    assert_eq!(own.switched_on.into_values().collect::<Vec<_>>(), [after(1), after(2)]);
    assert_eq!(own.known.len(), 1);
}

#[tokio::test]
async fn a_flow_that_was_idle_for_thirty_days_gets_a_sign_of_life() {
    let mut bench = Bench::new();
    bench.configured = vec![receiver("flow", Kind::Teams), receiver("hook", Kind::Webhook)];
    bench.timing.catch_up = TimeDelta::days(400);
    bench.rules[0].schedule = Schedule::Every(TimeDelta::days(1));
    bench.begin().await;
    // A minute later each day, so that thirty days have passed for sure, however long a delivery takes.
    let day = |n| epoch() + TimeDelta::days(n) + TimeDelta::minutes(n);
    let mut told = Vec::new();
    for n in 1..=70 {
        let report = bench.round(day(n)).await;
        for alert in &report.own {
            assert_eq!(alert.group["condition"], Condition::Heartbeat.as_str());
            assert_eq!(alert.receivers, ["flow"]);
            told.push(n);
        }
    }
    assert_eq!(told, [30, 60]);
    let posts = bench.receivers.posts();
    assert_eq!(posts.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["flow", "flow"]);
}

#[tokio::test]
async fn a_receiver_that_refuses_signs_of_life_gets_one_a_month() {
    let mut bench = Bench::new();
    bench.configured = vec![receiver("flow", Kind::Teams)];
    bench.rules[0].schedule = Schedule::Every(TimeDelta::days(1));
    bench.receivers.answer("flow", 400);
    bench.begin().await;
    let mut told = 0;
    for n in 1..=40 {
        told += bench.round(epoch() + TimeDelta::days(n)).await.own.len();
    }
    assert_eq!(told, 1);
}

#[tokio::test]
async fn what_nobody_names_is_collected() {
    let (bench, id) = with_an_alert().await;
    bench.deliver(after(5)).await;
    bench.round(after(10)).await;
    let count = |prefix: &'static str| {
        let store = bench.store.clone();
        async move { store.store.list(prefix).await.unwrap().len() }
    };
    assert_eq!((count("alerts/").await, count("deliveries/").await), (1, 2));
    // The body of an alert that ended goes after a day; its records after eight, at the next collection.
    bench.round(after(10) + TimeDelta::days(2)).await;
    assert_eq!((count("alerts/").await, count("deliveries/").await), (0, 2));
    bench.round(after(15) + KEPT + TimeDelta::hours(7)).await;
    assert_eq!(count("deliveries/").await, 0, "{id}");
    assert!(count("seen/").await <= 1, "the one that is named");
}
