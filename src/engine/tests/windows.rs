//! Which time is asked for, through the engine.

use super::*;
use crate::watch::alert::Reason;
use crate::watch::head::GapKind;

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

#[tokio::test]
async fn history_before_the_start_is_never_told() {
    let bench = Bench::new();
    bench.service.add(row(epoch() - TimeDelta::milliseconds(1), "g", "before"));
    bench.service.add(row(epoch(), "g", "first"));
    bench.begin().await;
    assert!(bench.service.asked().is_empty(), "the head comes before any query");
    let report = bench.round(after(5)).await;
    assert_eq!(alerts(&report)[0].count, 1);
    assert_eq!(spans(&bench.service.asked()), [(0, 5)]);
}

#[tokio::test]
async fn an_outage_is_made_up_for_in_segments_each_committed() {
    let bench = Bench::new();
    bench.begin().await;
    bench.round(after(5)).await;
    bench.service.asked();
    bench.store.counted();
    bench.service.add(row(after(60), "g", "one"));
    bench.service.add(row(after(13 * 60), "g", "two"));
    let now = after(15 * 60);
    let report = bench.round(now).await;
    let reasons: Vec<Reason> = alerts(&report).iter().map(|alert| alert.reason).collect();
    assert_eq!(reasons, [Reason::CatchUp, Reason::CatchUp]);
    let asked = spans(&bench.service.asked());
    // Three segments, each with the overlap before it, then the sweep.
    assert_eq!(asked, [(0, 365), (305, 725), (665, 900), (0, 900)]);
    assert!(bench.store.counted().contains(&"5 write heads".to_owned()));
    assert_eq!(bench.head().await.watermark, now);
}

#[tokio::test]
async fn a_segment_that_fails_leaves_the_ones_before_it() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(after(60), "g", "one"));
    bench.service.says(|query| {
        if query.timespan.unwrap().to > after(400) {
            Err(QueryError::Unavailable("502".to_owned()))
        } else {
            Ok(Answer::default())
        }
    });
    let report = bench.round(after(900)).await;
    assert!(matches!(outcome(&report), Outcome::Failed { .. }));
    assert_eq!(alerts(&report).len(), 1);
    assert_eq!(bench.head().await.watermark, after(360));
    // It is due again at the same slot's next tick.
    bench.service.is_well();
    assert!(matches!(outcome(&bench.round(after(901)).await), Outcome::Done { .. }));
}

#[tokio::test]
async fn what_lies_further_back_than_catch_up_is_named() {
    let mut bench = Bench::new();
    bench.timing.catch_up = TimeDelta::days(1);
    bench.begin().await;
    bench.round(after(5)).await;
    let now = epoch() + TimeDelta::days(3);
    let report = bench.round(now).await;
    assert!(matches!(outcome(&report), Outcome::Done { .. }));
    assert_eq!(own_titles(&report), ["Time is not covered: r on prod"]);
    assert!(
        report.own[0].rule.meaning.contains("to 2026-03-03T12:00:00Z"),
        "{}",
        report.own[0].rule.meaning
    );
    assert!(
        bench
            .service
            .asked()
            .iter()
            .skip(1)
            .all(|q| q.timespan.unwrap().from >= now - TimeDelta::days(1))
    );
    assert!(bench.round(now + minutes(5)).await.own.is_empty(), "once");
}

#[tokio::test]
async fn late_rows_are_found_by_the_sweep() {
    let bench = Bench::new();
    bench.begin().await;
    for n in (5..=355).step_by(50) {
        bench.round(after(n)).await;
    }
    // Five hours late: beyond the overlap.
    bench.service.add(row(after(20), "g", "late"));
    let report = bench.round(after(360)).await;
    assert_eq!(alerts(&report).len(), 1);
    assert_eq!(alerts(&report)[0].reason, Reason::Sweep);
    assert!(alerts(&bench.round(after(720)).await).is_empty(), "once");
}

#[tokio::test]
async fn an_edited_rule_closes_the_old_version_at_its_watermark() {
    let mut bench = Bench::new();
    bench.begin().await;
    bench.round(after(5)).await;
    let wording = Rule { title: "New title".to_owned(), severity: Severity::Low, ..rule("r") };
    bench.rules = vec![wording.clone()];
    bench.round(after(10)).await;
    assert_eq!(bench.head().await.versions.len(), 1, "wording is no new version");
    bench.rules = vec![Rule { exclude: Some("Name == 'x'".to_owned()), ..wording }];
    bench.service.asked();
    bench.round(after(15)).await;
    let versions = bench.head().await.versions;
    assert_eq!(versions.iter().map(|v| v.since).collect::<Vec<_>>(), [epoch(), after(10)]);
    let asked = bench.service.asked();
    assert_eq!(spans(&asked), [(0, 10), (10, 15)], "the overlap with the old text");
    assert!(!asked[0].text.contains("not(") && asked[1].text.contains("| where not(Name == 'x'"));
}

#[tokio::test]
async fn a_rule_that_was_mended_is_watched_although_its_former_text_is_refused() {
    let mut bench = Bench::new();
    bench.begin().await;
    bench.round(after(5)).await;
    // The column that the rule needs is gone.
    let refuse = |query: &Query| {
        let mended = query.text.contains("not(");
        let refused = || QueryError::Refused("no such column".to_owned());
        if mended { Ok(Answer::default()) } else { Err(refused()) }
    };
    bench.service.says(refuse);
    bench.service.add(row(after(7), "g", "missed meanwhile"));
    assert!(matches!(outcome(&bench.round(after(10)).await), Outcome::Failed { .. }));
    // Somebody mends it; nothing else is lost than late rows of the time before, and that is told.
    bench.rules = vec![Rule { exclude: Some("Name == 'x'".to_owned()), ..rule("r") }];
    bench.service.fails(QueryError::Refused("as yet".to_owned()));
    assert!(matches!(outcome(&bench.round(after(15)).await), Outcome::Failed { .. }));
    let head = bench.head().await;
    assert_eq!((head.versions.len(), head.gaps.len()), (2, 0), "both refused: nothing is given up");
    bench.service.says(refuse);
    let report = bench.round(after(20)).await;
    assert_eq!(alerts(&report).iter().map(|alert| alert.count).collect::<Vec<_>>(), [1]);
    let head = bench.head().await;
    assert_eq!((head.watermark, head.floor, head.versions.len()), (after(20), after(5), 1));
    let gap = Interval { from: epoch(), to: after(5) };
    assert_eq!(
        head.gaps.iter().map(|gap| (gap.interval, gap.why)).collect::<Vec<_>>(),
        [(gap, GapKind::Versions)]
    );
    bench.service.asked();
    assert!(alerts(&bench.round(after(400)).await).is_empty());
    assert!(bench.service.asked().iter().all(|query| query.timespan.unwrap().from >= after(5)));
}

#[tokio::test]
async fn a_window_rule_is_evaluated_on_its_grid_and_catches_up_in_one_alert() {
    let mut bench = Bench::new();
    bench.rules[0].kind = RuleKind::Window { window: minutes(60), settle: minutes(10) };
    bench.rules[0].schedule = Schedule::Every(minutes(30));
    bench.rules[0].key = vec!["Name".to_owned()];
    bench.begin().await;
    bench.service.says(|_| Ok(Answer::default()));
    // The first window lies wholly after the start: 12:00 to 13:00, shifted by ten minutes, on the grid.
    for n in [30, 60] {
        assert!(matches!(outcome(&bench.round(after(n)).await), Outcome::Done { .. }));
        assert!(bench.service.asked().is_empty(), "{n}");
    }
    bench.round(after(90)).await;
    assert_eq!(spans(&bench.service.asked()), [(20, 80)]);
    // Away for five hours: a stride of a window, and the last one.
    bench.service.add(row(after(150), "g", "busy"));
    bench.service.add(row(after(330), "g", "busy"));
    let report = bench.round(after(395)).await;
    assert_eq!(
        spans(&bench.service.asked())[..5],
        [(80, 140), (140, 200), (200, 260), (260, 320), (320, 380)]
    );
    assert_eq!(alerts(&report).len(), 1);
    assert_eq!((alerts(&report)[0].reason, alerts(&report)[0].count), (Reason::CatchUp, 2));
}

#[tokio::test]
async fn an_absence_rule_takes_no_data_for_silence() {
    let mut bench = Bench::new();
    bench.rules[0].kind = RuleKind::Window { window: minutes(60), settle: minutes(0) };
    let columns: Columns = [Arc::from("n")].to_vec().into();
    bench.over_nothing = vec![Row::new(columns, vec![Value::Long(0)])];
    bench.begin().await;
    bench.service.fails(QueryError::NoData("no table".to_owned()));
    let report = bench.round(after(60)).await;
    assert_eq!(alerts(&report).len(), 1, "silence is what it watches for");
    assert_eq!(bench.head().await.health.waiting_since, None);
}
