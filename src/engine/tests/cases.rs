//! Cases: one alert of an incident at a time talks to a desk, and what is remembered outlives whoever remembered it.

use super::*;
use crate::engine::case::{BUSY, CaseDoc, REMEMBERED};
use crate::engine::record::{CLAIM, End, Record};
use crate::engine::{Delivered, Ticket};

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

/// A bench whose only receiver is a desk, with one alert for it.
async fn with_a_desk() -> (Bench, Ticket) {
    let mut bench = Bench::new();
    bench.configured = vec![receiver("pager", Kind::PagerDuty)];
    bench.begin().await;
    bench.service.add(row(after(1), "g", "one"));
    bench.tick(after(5)).await;
    let ticket = bench.tickets().into_iter().next().unwrap();
    (bench, ticket)
}

async fn case(bench: &Bench) -> (String, CaseDoc) {
    let name = bench.store.store.list("cases/").await.unwrap().remove(0).name;
    let doc = CaseDoc::decode(&bench.body(&name).await).unwrap();
    (name, doc)
}

#[tokio::test]
async fn what_is_remembered_is_written_down_and_the_turn_given_back() {
    let (bench, ticket) = with_a_desk().await;
    assert_eq!(bench.engine().deliver(&ticket, after(5)).await.unwrap(), Delivered::Ok);
    let (name, doc) = case(&bench).await;
    assert_eq!(name, CaseDoc::name(&doc.incident, "pager"));
    assert!(doc.claim_until <= after(6), "given back: {doc:?}");
    assert_eq!((doc.memory.told, doc.memory.last.unwrap().alert), (1, ticket.alert));
}

#[tokio::test]
async fn whoever_finds_the_turn_taken_waits_and_that_is_no_attempt() {
    let (bench, ticket) = with_a_desk().await;
    bench.engine().deliver(&ticket, after(5)).await.unwrap();
    // As if another alert of the incident were being told.
    let (name, mut doc) = case(&bench).await;
    doc.claim_until = after(15);
    bench.put(&name, &doc.encode()).await;
    bench.service.add(row(after(6), "g", "two"));
    bench.tick(after(10)).await;
    let [second] = &bench.tickets()[..] else { panic!() };
    bench.receivers.posts();
    let delivered = bench.engine().deliver(second, after(10)).await.unwrap();
    assert!(matches!(delivered, Delivered::Later { due, .. } if due < after(10) + BUSY * 2));
    assert!(bench.receivers.posts().is_empty());
    let record = Record::decode(&bench.body(&Record::name(&second.alert, "pager")).await).unwrap();
    assert_eq!((record.attempts, record.end), (0, None));
    // A turn that was never given back runs out.
    let later = after(15) + CLAIM;
    assert_eq!(bench.engine().deliver(second, later).await.unwrap(), Delivered::Ok);
    assert_eq!(case(&bench).await.1.memory.told, 2);
}

#[tokio::test]
async fn a_case_that_cannot_be_read_is_left_and_the_alert_waits() {
    let (bench, ticket) = with_a_desk().await;
    bench.engine().deliver(&ticket, after(5)).await.unwrap();
    let (name, _) = case(&bench).await;
    bench.put(&name, b"{\"format\":99}").await;
    bench.service.add(row(after(6), "g", "two"));
    bench.tick(after(10)).await;
    let [second] = &bench.tickets()[..] else { panic!() };
    let delivered = bench.engine().deliver(second, after(10)).await.unwrap();
    assert!(matches!(delivered, Delivered::Later { why, .. } if why.contains("format 99")));
    assert_eq!(bench.body(&name).await, b"{\"format\":99}");
}

#[tokio::test]
async fn a_case_is_forgotten_after_ninety_days() {
    let (bench, ticket) = with_a_desk().await;
    assert_eq!(bench.engine().deliver(&ticket, after(5)).await.unwrap(), Delivered::Ok);
    let record = Record::decode(&bench.body(&Record::name(&ticket.alert, "pager")).await).unwrap();
    assert_eq!(record.end, Some(End::Delivered));
    // Alerts about the silence of this test have cases of their own.
    let (name, _) = case(&bench).await;
    let there = || async { bench.store.store.read(&name).await.unwrap().is_some() };
    bench.round(after(5) + REMEMBERED - TimeDelta::days(1)).await;
    assert!(there().await);
    bench.round(after(5) + REMEMBERED + TimeDelta::days(1)).await;
    assert!(!there().await);
}
