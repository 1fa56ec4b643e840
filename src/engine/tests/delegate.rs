//! Ticks with more workspaces than one invocation evaluates, and ticks whose time is over before their work.

use super::*;
use crate::engine::Turn;
use std::time::Duration;
use tokio::time::Instant;

/// One rule on each of three workspaces over the same service.
fn three(bench: &Bench) -> Vec<Watch> {
    let one = bench.watches().remove(0);
    let on = |id: &str| Watch {
        workspace: Arc::new(Workspace {
            id: id.to_owned(),
            name: format!("name of {id}"),
            source: bench.service.clone(),
            logs_link: Box::new(|_, _, _| None),
        }),
        ..one.clone()
    };
    ["w1", "w2", "w3"].map(on).to_vec()
}

async fn tick(bench: &Bench, watches: &[Watch], at: DateTime<Utc>) -> TickReport {
    let offer = |ticket| bench.tickets.lock().unwrap().push(ticket);
    let turn = Turn { workspaces: 2, ..Turn::new(at, &offer) };
    bench.engine().tick_as(watches, &turn).await.unwrap()
}

async fn evaluate(bench: &Bench, watches: &[Watch], id: &str, at: DateTime<Utc>) -> TickReport {
    let offer = |ticket| bench.tickets.lock().unwrap().push(ticket);
    let watches: Vec<Watch> =
        watches.iter().filter(|watch| watch.workspace.id == id).cloned().collect();
    bench.engine().evaluate_delegated(&watches, &Turn::new(at, &offer)).await.unwrap()
}

fn outcomes(report: &TickReport) -> Vec<&Outcome> {
    report.watches.iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn a_tick_begins_all_watches_and_delegates_what_is_due() {
    let bench = Bench::new();
    let watches = three(&bench);
    let report = tick(&bench, &watches, epoch()).await;
    assert_eq!(outcomes(&report), [&Outcome::Started; 3]);
    assert_eq!(report.delegated, [""; 0]);
    bench.service.add(row(epoch() + minutes(1), "g", "n"));

    let report = tick(&bench, &watches, epoch() + minutes(5)).await;
    assert!(report.watches.is_empty() && bench.service.asked().is_empty());
    assert_eq!(report.delegated, ["w1", "w2", "w3"]);
    let at = epoch() + minutes(5);
    for id in ["w2", "w2", "w1"] {
        evaluate(&bench, &watches, id, at).await;
    }
    assert_eq!(bench.deliver(at).await.len(), 4, "one ticket a workspace and receiver");
    // What was evaluated is not named again.
    assert_eq!(tick(&bench, &watches, at + minutes(1)).await.delegated, ["w3"]);
    let again = evaluate(&bench, &watches, "w1", at).await;
    assert_eq!(outcomes(&again), [&Outcome::NotDue]);
}

#[tokio::test]
async fn an_evaluation_costs_one_listing_and_the_heads_it_is_about() {
    let bench = Bench::new();
    let watches = three(&bench);
    tick(&bench, &watches, epoch()).await;
    bench.store.counted();
    evaluate(&bench, &watches, "w1", epoch() + minutes(5)).await;
    assert_eq!(
        bench.store.counted(),
        ["1 list deliveries", "2 read heads", "1 write heads"],
        "the watch's own head, and that of hsmwatch for receivers that are off"
    );
}

#[tokio::test]
async fn a_receiver_that_is_off_is_off_for_delegated_evaluations() {
    let bench = Bench::new();
    let watches = three(&bench);
    tick(&bench, &watches, epoch()).await;
    bench.receivers.answer("a", 404);
    bench.service.add(row(epoch() + minutes(1), "g", "n"));
    let at = epoch() + minutes(5);
    evaluate(&bench, &watches, "w1", at).await;
    bench.deliver(at).await;
    let report = evaluate(&bench, &watches, "w2", at).await;
    assert_eq!(report.off, ["a"]);
    let delivered = bench.deliver(at).await;
    assert_eq!(delivered, [("b".to_owned(), Delivered::Ok)]);
}

#[tokio::test]
async fn an_unknown_watch_is_left_to_the_tick_that_tells_of_a_lost_head() {
    let bench = Bench::new();
    let watches = three(&bench);
    tick(&bench, &watches, epoch()).await;
    let key = watches[0].id().key();
    bench.store.store.delete(&Head::name(&key), None).await.unwrap();
    let report = evaluate(&bench, &watches, "w1", epoch() + minutes(5)).await;
    assert!(report.watches.is_empty());
    let report = tick(&bench, &watches, epoch() + minutes(5)).await;
    assert_eq!(own_titles(&report), ["State was lost: r on name of w1"]);
    assert_eq!(outcomes(&report), [&Outcome::Started]);
}

#[tokio::test]
async fn delegated_watches_that_nobody_evaluates_are_told() {
    let bench = Bench::new();
    let watches = three(&bench);
    let mut told = Vec::new();
    for n in 0..8 {
        let at = epoch() + minutes(5 * n);
        for id in ["w1", "w2"] {
            evaluate(&bench, &watches, id, at).await;
        }
        let report = tick(&bench, &watches, at).await;
        told.extend(own_titles(&report).into_iter().map(str::to_owned));
    }
    assert_eq!(told, ["A watch does not succeed: name of w3"], "once, and only of that one");
    // An outage of everything is over with the next evaluations: they are not blamed for it.
    let later = epoch() + minutes(600);
    let report = tick(&bench, &watches, later).await;
    assert_eq!(own_titles(&report), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_dropped_and_the_rest_counts() {
    let mut bench = Bench::new();
    bench.rules = ["fast", "slow"].map(rule).to_vec();
    bench.tick(epoch()).await;
    bench.service.add(row(epoch() + minutes(1), "g", "n"));
    let slow: Arc<dyn LogSource> = Arc::new(Never);
    let mut watches = bench.watches();
    watches[1].workspace = Arc::new(Workspace {
        id: "w".to_owned(),
        name: "prod".to_owned(),
        source: slow,
        logs_link: Box::new(|_, _, _| None),
    });
    // Whichever comes first.
    for n in 1..=2 {
        let at = epoch() + minutes(5 * n) + TimeDelta::seconds(n);
        let offer = |ticket| bench.tickets.lock().unwrap().push(ticket);
        let until = Some(Instant::now() + Duration::from_secs(30));
        let turn = Turn { until, ..Turn::new(at, &offer) };
        let report = bench.engine().tick_as(&watches, &turn).await.unwrap();
        assert!(matches!(report.watches[0].1, Outcome::Done { rows: 1, .. }), "{report:?}");
        let Outcome::Failed { error, .. } = &report.watches[1].1 else { panic!("{report:?}") };
        assert!(error.starts_with("not over when"), "{error}");
        assert_eq!(report.failed(), 1);
    }
    assert_eq!(bench.tickets.lock().unwrap().len(), 4, "offered once at each tick until it ends");
}

/// A service that takes forever.
struct Never;

#[async_trait]
impl LogSource for Never {
    async fn query(&self, _query: &Query, _rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn what_the_host_notices_is_told_once_and_once_when_well() {
    use crate::watch::own::{Condition, Observation};
    let bench = Bench::new();
    bench.tick(epoch()).await;
    let notice = Observation {
        condition: Condition::ConfigurationRefused,
        about: "hsmwatch.toml".to_owned(),
        subject: "hsmwatch.toml".to_owned(),
        since: epoch(),
        detail: "`every` is no duration".to_owned(),
        not_over: None,
        only_over: None,
    };
    let mut told = Vec::new();
    for (n, ill) in [(1, true), (2, true), (3, false), (4, false)] {
        let notices: &[Observation] = if ill { std::slice::from_ref(&notice) } else { &[] };
        let turn = Turn { notices, ..Turn::new(epoch() + minutes(n), &|_| {}) };
        let report = bench.engine().tick_as(&bench.watches(), &turn).await.unwrap();
        told.extend(report.own.iter().map(|alert| alert.rule.title.clone()));
    }
    assert_eq!(
        told,
        [
            "The configuration is refused: hsmwatch.toml",
            "Well again: The configuration is refused: hsmwatch.toml"
        ]
    );
}
