//! What a watch does when the service does not answer as it should.

use super::*;
use crate::watch::head::{FailureKind, GapKind};
use std::time::Duration;

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

#[tokio::test]
async fn no_data_leaves_the_watermark_where_it_is() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.fails(QueryError::NoData("no table".to_owned()));
    for n in [5, 10, 60] {
        let report = bench.round(after(n)).await;
        assert_eq!(outcome(&report), &Outcome::Waiting("no table".to_owned()));
        assert!(report.own.is_empty());
    }
    let head = bench.head().await;
    assert_eq!((head.watermark, head.health.waiting_since), (epoch(), Some(after(5))));
    // In the first two hours it is a state; then it is told, once.
    assert_eq!(own_titles(&bench.round(after(121)).await), ["No data to watch: prod"]);
    assert!(bench.round(after(126)).await.own.is_empty());
    // The first row, of any time since the start, counts.
    bench.service.is_well();
    bench.service.add(row(after(2), "g", "early"));
    let report = bench.round(after(131)).await;
    assert_eq!(alerts(&report).len(), 1);
    assert_eq!(own_titles(&report), ["Well again: No data to watch: prod"]);
    assert_eq!(bench.head().await.health.waiting_since, None);
}

#[tokio::test]
async fn throttled_is_put_off_until_the_service_says_and_is_no_failure() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.fails(QueryError::Throttled { retry_after: Some(Duration::from_mins(10)) });
    let report = bench.round(after(5)).await;
    assert_eq!(outcome(&report), &Outcome::PutOff(after(15)));
    assert_eq!(report.failed(), 0);
    bench.service.is_well();
    bench.service.asked();
    assert_eq!(outcome(&bench.round(after(10)).await), &Outcome::PutOff(after(15)));
    assert!(bench.service.asked().is_empty(), "not asked before its time");
    assert!(bench.head().await.health.failing_since.is_none());
    assert!(matches!(outcome(&bench.round(after(15)).await), Outcome::Done { .. }));
    assert_eq!(bench.head().await.watermark, after(15));
    assert_eq!(bench.head().await.health.put_off_until, None);
}

#[tokio::test]
async fn throttled_without_a_time_is_put_off_a_minute_and_at_most_an_hour() {
    for (said, put_off) in [(None, 60), (Some(u64::MAX), 60), (Some(7_200), 3_600), (Some(0), 0)] {
        let bench = Bench::new();
        bench.begin().await;
        bench.service.fails(QueryError::Throttled { retry_after: said.map(Duration::from_secs) });
        let report = bench.round(after(5)).await;
        assert_eq!(
            outcome(&report),
            &Outcome::PutOff(after(5) + TimeDelta::seconds(put_off)),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn throttled_for_three_intervals_is_told_once() {
    let bench = Bench::new();
    bench.begin().await;
    bench.round(after(5)).await;
    bench.service.fails(QueryError::Throttled { retry_after: Some(Duration::from_mins(5)) });
    for n in [10, 15, 20] {
        assert!(bench.round(after(n)).await.own.is_empty(), "{n}");
    }
    let report = bench.round(after(25)).await;
    assert_eq!(own_titles(&report), ["A watch does not succeed: prod"]);
    assert_eq!(bench.round(after(30)).await.own, []);
    bench.service.is_well();
    let report = bench.round(after(35)).await;
    assert_eq!(own_titles(&report), ["Well again: A watch does not succeed: prod"]);
}

#[tokio::test]
async fn failures_are_told_by_what_must_be_done() {
    let table = [
        (QueryError::Refused("no such column".to_owned()), 5, "A query is refused: r on prod"),
        (QueryError::Denied("no role".to_owned()), 120, "No access to a workspace: prod"),
        (QueryError::Unavailable("502".to_owned()), 20, "A watch does not succeed: prod"),
    ];
    for (error, told_at, title) in table {
        let bench = Bench::new();
        bench.begin().await;
        bench.service.fails(error.clone());
        let mut told = Vec::new();
        for n in (5..=130).step_by(5) {
            let report = bench.round(after(n)).await;
            assert!(matches!(outcome(&report), Outcome::Failed { .. }));
            told.extend(own_titles(&report).into_iter().map(|title| (n, title.to_owned())));
        }
        assert_eq!(told, [(told_at, title.to_owned())], "{error}");
        let head = bench.head().await;
        assert_eq!((head.watermark, head.health.failing_since), (epoch(), Some(after(5))));
        assert_eq!(head.health.error, Some(error.to_string()));
        bench.service.is_well();
        let report = bench.round(after(135)).await;
        assert_eq!(own_titles(&report), [format!("Well again: {title}")]);
        assert_eq!(bench.head().await.watermark, after(135));
    }
}

/// Whether the service gives up on a query of this timespan: those that hold the instant and are longer than the limit.
fn too_large_at(
    instant: DateTime<Utc>,
    longer_than: TimeDelta,
) -> impl Fn(&Query) -> Result<Answer, QueryError> {
    move |query| {
        let span = query.timespan.unwrap();
        if span.contains(instant) && span.to - span.from > longer_than {
            Err(QueryError::TooLarge("64 MB".to_owned()))
        } else {
            Ok(Answer::default())
        }
    }
}

#[tokio::test]
async fn a_too_large_answer_is_halved_until_it_fits() {
    let bench = Bench::new();
    bench.begin().await;
    for n in 0..10 {
        bench.service.add(row(epoch() + TimeDelta::seconds(n * 30), "g", &format!("row {n}")));
    }
    bench.service.says(too_large_at(epoch() + TimeDelta::seconds(77), TimeDelta::seconds(1)));
    let report = bench.round(after(5)).await;
    assert_eq!(alerts(&report).iter().map(|alert| alert.count).collect::<Vec<_>>(), [10]);
    let asked = bench.service.asked();
    // The pieces that were answered tile the window.
    let mut upto = epoch();
    for span in asked.iter().map(|query| query.timespan.unwrap()) {
        if span.from == upto && !too_large_at_second(span) {
            upto = span.to;
        }
    }
    assert_eq!(upto, after(5));
    assert!(asked.len() < 25, "{} queries", asked.len());
    assert_eq!(bench.head().await.stuck, None);
}

fn too_large_at_second(span: Interval) -> bool {
    span.contains(epoch() + TimeDelta::seconds(77)) && span.to - span.from > TimeDelta::seconds(1)
}

#[tokio::test]
async fn a_partial_answer_is_halved_too_and_its_rows_are_not_told_twice() {
    let bench = Bench::new();
    bench.begin().await;
    for n in 0..4 {
        bench.service.add(row(epoch() + TimeDelta::seconds(n * 60), "g", &format!("row {n}")));
    }
    bench.service.says(|query| {
        let span = query.timespan.unwrap();
        let partial = (span.to - span.from > minutes(1)).then(|| "500,000 rows".to_owned());
        Ok(Answer { date: None, partial })
    });
    let report = bench.round(after(5)).await;
    assert_eq!(alerts(&report)[0].count, 4);
    assert_eq!(outcome(&report), &Outcome::Done { rows: 4, alerts: alerts(&report).to_vec() });
}

#[tokio::test]
async fn a_second_refused_at_three_ticks_is_passed_and_named() {
    let bench = Bench::new();
    bench.begin().await;
    let dense = epoch() + TimeDelta::seconds(77);
    bench.service.add(row(epoch() + TimeDelta::seconds(10), "g", "before"));
    bench.service.add(row(epoch() + TimeDelta::seconds(90), "g", "after"));
    bench.service.says(too_large_at(dense, TimeDelta::milliseconds(1)));
    let report = bench.round(after(5)).await;
    // What lies before it is told at once.
    assert!(matches!(outcome(&report), Outcome::Failed { kind: FailureKind::Unavailable, .. }));
    assert_eq!(alerts(&report)[0].count, 1);
    assert_eq!(bench.head().await.watermark, dense);
    assert_eq!(bench.head().await.stuck.unwrap().tries, 1);
    bench.round(after(10)).await;
    assert_eq!(bench.head().await.stuck.unwrap().tries, 2);
    assert!(bench.head().await.gaps.is_empty());
    let report = bench.round(after(15)).await;
    assert_eq!(alerts(&report)[0].count, 1);
    let head = bench.head().await;
    assert_eq!(head.gaps.len(), 1);
    let second = Interval { from: dense, to: dense + TimeDelta::seconds(1) };
    assert_eq!((head.gaps[0].interval, head.gaps[0].why), (second, GapKind::TooDense));
    assert_eq!((head.watermark, head.stuck), (after(15), None));
    assert_eq!(own_titles(&report), ["Time is not covered: r on prod"]);
    assert!(report.own[0].rule.meaning.contains("2026-03-01T12:01:17Z to 2026-03-01T12:01:18Z"));
    // From then on it is left out.
    bench.service.asked();
    assert!(matches!(outcome(&bench.round(after(20)).await), Outcome::Done { .. }));
    assert!(!bench.service.asked().iter().any(|query| query.timespan.unwrap().contains(dense)));
}

#[tokio::test]
async fn an_outage_never_makes_a_second_pass() {
    let bench = Bench::new();
    bench.begin().await;
    // Whatever is asked is too large, next to nothing too: that is not the second's fault.
    bench.service.fails(QueryError::TooLarge("gateway timeout".to_owned()));
    for n in (5..=60).step_by(5) {
        let report = bench.round(after(n)).await;
        assert!(matches!(outcome(&report), Outcome::Failed { kind: FailureKind::Unavailable, .. }));
    }
    let head = bench.head().await;
    assert_eq!((head.watermark, head.gaps.len(), head.stuck), (epoch(), 0, None));
}

#[tokio::test]
async fn a_clock_that_runs_ahead_is_not_believed() {
    let bench = Bench::new();
    bench.begin().await;
    // The service says it is 12:03; we say it is 12:05.
    bench.service.says(|_| Ok(Answer { date: Some(after(3)), partial: None }));
    bench.round(after(5)).await;
    assert_eq!(bench.head().await.watermark, after(3));
    // Five seconds are believed.
    bench
        .service
        .says(|_| Ok(Answer { date: Some(after(10) - TimeDelta::seconds(5)), partial: None }));
    bench.round(after(10)).await;
    assert_eq!(bench.head().await.watermark, after(10));
}

#[tokio::test]
async fn rows_without_a_time_are_the_rules_fault() {
    let bench = Bench::new();
    bench.begin().await;
    let columns: Columns = [Arc::from("n")].to_vec().into();
    bench.service.add(Row::new(columns, vec![Value::Long(1)]));
    let report = bench.round(after(5)).await;
    assert!(matches!(outcome(&report), Outcome::Failed { kind: FailureKind::Refused, .. }));
    assert_eq!(bench.head().await.watermark, epoch());
}

#[tokio::test]
async fn a_rule_with_lookback_is_not_halved() {
    let mut bench = Bench::new();
    bench.rules[0].kind = RuleKind::Event { lookback: Some(TimeDelta::days(14)) };
    bench.rules[0].key = vec!["Name".to_owned()];
    bench.begin().await;
    bench.service.fails(QueryError::TooLarge("64 MB".to_owned()));
    let report = bench.round(after(5)).await;
    assert!(matches!(outcome(&report), Outcome::Failed { .. }));
    let asked = bench.service.asked();
    assert_eq!(spans(&asked), [(-14 * 1440, 5)], "the timespan reaches back");
    assert!(asked[0].text.contains("let window_start = datetime(2026-03-01T12:00:00.0000000Z);"));
}
