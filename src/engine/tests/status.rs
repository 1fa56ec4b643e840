//! What `status` says of states that the engine made, and that it writes nothing.

use super::*;
use crate::engine::status::{State, Status};
use crate::watch::head::{FailureKind, GapKind};

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

async fn status(bench: &Bench, now: DateTime<Utc>) -> Status {
    bench.store.counted();
    let asked = bench.service.asked.lock().unwrap().len();
    let status = bench.engine().status(&bench.watches(), now).await.unwrap();
    let counted = bench.store.counted();
    assert!(!counted.iter().any(|c| c.contains("write") || c.contains("delete")), "{counted:?}");
    assert_eq!(bench.service.asked.lock().unwrap().len(), asked, "no query is asked");
    status
}

#[tokio::test]
async fn nothing_has_run_yet() {
    let bench = Bench::new();
    let status = status(&bench, epoch()).await;
    assert!(!status.well);
    assert_eq!((&status.watches[0].state, status.last_tick), (&State::NotStarted, None));
    assert!(
        status.receivers.iter().all(|receiver| receiver.on && receiver.last_accepted.is_none())
    );
}

#[tokio::test]
async fn all_is_well() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(after(1), "g", "n"));
    bench.round(after(5)).await;
    let status = status(&bench, after(7)).await;
    assert!(status.well, "{status:#?}");
    let watch = &status.watches[0];
    assert_eq!(watch.state, State::Fine);
    assert_eq!((watch.last_success, watch.watermark), (Some(after(5)), Some(after(5))));
    assert_eq!((watch.lag_s, watch.covered_s, watch.missing_s), (Some(120), Some(300), Some(0)));
    assert_eq!((watch.latest_row, watch.next), (Some(after(1)), Some(after(10))));
    assert_eq!(watch.hours.iter().map(|h| h.hits).sum::<u64>(), 1);
    assert_eq!(status.recent.len(), 1);
    assert_eq!(status.recent[0].deliveries.values().collect::<Vec<_>>(), [&"delivered"; 2]);
    assert!(status.receivers.iter().all(|r| r.open == 0 && r.last_accepted.is_some()));
    assert_eq!(status.last_tick, Some(after(5)));
}

#[tokio::test]
async fn watches_that_do_not_fare_well() {
    let bench = Bench::new();
    bench.begin().await;
    bench.round(after(5)).await;
    bench.service.fails(QueryError::Refused("no such column".to_owned()));
    bench.round(after(10)).await;
    let ill = status(&bench, after(10)).await;
    let failing = State::Failing {
        since: after(10),
        kind: Some(FailureKind::Refused),
        error: "query refused: no such column".to_owned(),
    };
    assert_eq!((&ill.watches[0].state, ill.well), (&failing, false));
    assert_eq!(ill.conditions.len(), 1);
    assert_eq!(ill.watches[0].lag_s, Some(300));

    bench.service.is_well();
    bench.round(after(15)).await;
    bench
        .service
        .fails(QueryError::Throttled { retry_after: Some(std::time::Duration::from_mins(5)) });
    bench.round(after(20)).await;
    let throttled = status(&bench, after(20)).await;
    assert_eq!(throttled.watches[0].state, State::Throttled { until: after(25) });
    assert!(throttled.well, "being throttled is no failure");

    bench.service.fails(QueryError::NoData("no table".to_owned()));
    bench.round(after(30)).await;
    let waiting = status(&bench, after(30)).await;
    assert_eq!(waiting.watches[0].state, State::Waiting { since: after(30) });
    assert!(waiting.well, "in the first two hours");
    bench.round(after(150)).await;
    assert!(status(&bench, after(150)).await.watches[0].attention);
}

#[tokio::test]
async fn nobody_runs_it_any_more() {
    let bench = Bench::new();
    bench.begin().await;
    bench.round(after(5)).await;
    assert!(
        status(&bench, after(20)).await.well,
        "two slots were missed, the third has just begun"
    );
    let status = status(&bench, after(21)).await;
    assert_eq!(status.watches[0].state, State::Overdue { since: after(10) });
    assert!(!status.well);
    assert_eq!(status.last_tick, Some(after(5)));
}

#[tokio::test]
async fn a_rule_that_is_gone_is_shown_and_needs_nobody() {
    let mut bench = Bench::new();
    bench.begin().await;
    bench.rules = vec![rule("new")];
    bench.round(after(5)).await;
    bench.round(after(10)).await;
    let status = status(&bench, after(10)).await;
    let shown: Vec<_> = status.watches.iter().map(|w| (w.rule.as_str(), w.state.word())).collect();
    assert_eq!(shown, [("new", "fine"), ("r", "no rule")]);
    assert!(status.well);
}

#[tokio::test]
async fn time_that_is_missing_is_named() {
    let mut bench = Bench::new();
    bench.timing.catch_up = TimeDelta::hours(1);
    bench.begin().await;
    bench.round(after(300)).await;
    let status = status(&bench, after(300)).await;
    let watch = &status.watches[0];
    assert_eq!((watch.missing_s, watch.covered_s), (Some(240 * 60), Some(60 * 60)));
    assert_eq!(
        watch.gaps.iter().map(|gap| (gap.from, gap.to, gap.why)).collect::<Vec<_>>(),
        [(epoch(), after(240), GapKind::Outage)]
    );
    assert!(status.well, "it was told; there is nothing to mend");
    assert!(status.conditions.iter().all(|condition| !condition.stands));
}

#[tokio::test]
async fn receivers_that_do_not_take_their_alerts() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(after(1), "g", "n"));
    bench.receivers.answer("a", 403);
    bench.receivers.answer("b", 503);
    bench.round(after(5)).await;
    let ill = status(&bench, after(6)).await;
    assert!(!ill.well);
    let [a, b] = &ill.receivers[..] else { panic!("{ill:?}") };
    assert!(!a.on && a.off_since.is_some() && a.last_answer.as_ref().unwrap().contains("403"));
    assert_eq!((a.open, a.next_due), (1, None));
    assert!(b.on && b.last_answer.as_ref().unwrap().contains("503"));
    assert_eq!(b.open, 1);
    assert!(b.next_due.is_some());
    assert_eq!(ill.watches[0].open_alerts, 1);
    assert_eq!(ill.recent[0].deliveries.values().collect::<Vec<_>>(), [&"waiting"; 2]);
    bench.engine().switch_on("a", after(7)).await.unwrap();
    assert!(status(&bench, after(7)).await.receivers[0].on);
}

#[tokio::test]
async fn documents_that_cannot_be_read_are_named() {
    let bench = Bench::new();
    bench.begin().await;
    let name = Head::name(&Bench::key("r"));
    bench.put(&name, b"{}").await;
    let status = status(&bench, after(1)).await;
    assert_eq!(status.watches[0].state, State::Unreadable);
    assert_eq!(status.unreadable[0].document, name);
    assert!(!status.well);
}
