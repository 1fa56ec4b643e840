use super::*;
use crate::engine::status::{Missing, State};
use proptest::prelude::*;

fn t(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn week() -> Range {
    Range {
        from: t("2026-11-15T00:00:00Z"),
        to: t("2026-11-22T00:00:00Z"),
        name: "7 days",
        step: TimeDelta::days(1),
    }
}

fn watch(started: &str, watermark: &str, gaps: &[(&str, &str, GapKind)]) -> WatchStatus {
    WatchStatus {
        rule: "key-delete".to_owned(),
        workspace: "prod".to_owned(),
        state: State::Fine,
        attention: false,
        started_at: Some(t(started)),
        last_success: None,
        watermark: Some(t(watermark)),
        lag_s: Some(0),
        covered_s: None,
        missing_s: None,
        gaps: gaps
            .iter()
            .map(|(from, to, why)| Missing { from: t(from), to: t(to), why: *why })
            .collect(),
        latest_row: None,
        next: None,
        open_alerts: 0,
        held: 0,
        hours: Vec::new(),
    }
}

fn drawn(watch: &WatchStatus) -> Vec<(Kind, i64, i64)> {
    bars(watch, &week()).into_iter().map(|bar| (bar.kind, bar.x, bar.width)).collect()
}

#[test]
fn bars_are_as_long_as_the_time_they_stand_for() {
    let watch = watch(
        "2026-11-16T18:00:00Z",
        "2026-11-21T12:00:00Z",
        &[("2026-11-18T12:00:00Z", "2026-11-20T06:00:00Z", GapKind::Outage)],
    );
    assert_eq!(
        drawn(&watch),
        [(Kind::Covered, 2_500, 6_785), (Kind::Waiting, 9_285, 715), (Kind::Missing, 5_000, 2_500)]
    );
}

#[test]
fn one_second_is_seen_wherever_it_lies() {
    for (from, to, x) in [
        ("2026-11-18T12:00:00Z", "2026-11-18T12:00:01Z", 4_955),
        ("2026-11-15T00:00:00Z", "2026-11-15T00:00:01Z", 0),
        ("2026-11-21T23:59:58Z", "2026-11-21T23:59:59Z", WIDTH - NARROWEST),
    ] {
        let watch =
            watch("2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", &[(from, to, GapKind::TooDense)]);
        assert_eq!(drawn(&watch), [(Kind::Covered, 0, WIDTH), (Kind::Missing, x, NARROWEST)]);
    }
}

#[test]
fn a_lag_of_minutes_is_no_waiting_but_hours_are() {
    let at = |watermark| drawn(&watch("2026-11-01T00:00:00Z", watermark, &[]));
    assert_eq!(at("2026-11-21T23:50:00Z"), [(Kind::Covered, 0, 9_990)]);
    assert_eq!(
        at("2026-11-21T23:00:00Z"),
        [(Kind::Covered, 0, 9_940), (Kind::Waiting, WIDTH - NARROWEST, NARROWEST)]
    );
}

#[test]
fn what_is_not_there_is_not_drawn() {
    let none = WatchStatus {
        started_at: None,
        watermark: None,
        ..watch("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", &[])
    };
    assert_eq!(drawn(&none), []);
    assert_eq!(
        alternative(&none, &week()),
        "Coverage of the last 7 days: it has not started, nothing is covered"
    );
    // Nothing was asked for in all that time.
    let waiting = watch("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", &[]);
    assert_eq!(drawn(&waiting), [(Kind::Waiting, 0, WIDTH)]);
    assert_eq!(
        alternative(&waiting, &week()),
        "Coverage of the last 7 days: nothing covered; waiting 7d"
    );
    // A watch without its rule waits for nothing.
    let gone = WatchStatus { lag_s: None, ..waiting };
    assert_eq!(drawn(&gone), []);
}

#[test]
fn all_missing() {
    let watch = watch(
        "2026-11-01T00:00:00Z",
        "2026-11-22T00:00:00Z",
        &[("2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", GapKind::Outage)],
    );
    assert_eq!(drawn(&watch), [(Kind::Covered, 0, WIDTH), (Kind::Missing, 0, WIDTH)]);
}

#[test]
fn gaps_before_the_picture_are_not_in_it() {
    let watch = watch(
        "2026-11-01T00:00:00Z",
        "2026-11-22T00:00:00Z",
        &[("2026-11-02T00:00:00Z", "2026-11-15T00:00:00Z", GapKind::Outage)],
    );
    assert_eq!(drawn(&watch), [(Kind::Covered, 0, WIDTH)]);
}

#[test]
fn what_touches_is_one_bar() {
    let gaps = [
        ("2026-11-18T12:00:00Z", "2026-11-18T12:00:01Z", GapKind::TooDense),
        ("2026-11-18T12:00:01Z", "2026-11-18T12:00:02Z", GapKind::TooDense),
        ("2026-11-18T12:10:00Z", "2026-11-18T12:10:01Z", GapKind::TooDense),
        ("2026-11-18T12:00:00Z", "2026-11-18T12:00:01Z", GapKind::Versions),
    ];
    let watch = watch("2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", &gaps);
    assert_eq!(
        drawn(&watch),
        [(Kind::Covered, 0, WIDTH), (Kind::Late, 4_955, 90), (Kind::Missing, 4_955, 99)]
    );
}

#[test]
fn the_text_names_what_the_bars_show() {
    let watch = watch(
        "2026-11-16T18:00:00Z",
        "2026-11-21T12:00:00Z",
        &[
            ("2026-11-18T12:00:00Z", "2026-11-20T06:00:00Z", GapKind::Outage),
            ("2026-11-17T00:00:00Z", "2026-11-17T00:00:01Z", GapKind::TooDense),
        ],
    );
    assert_eq!(
        alternative(&watch, &week()),
        "Coverage of the last 7 days: asked for 2026-11-16 18:00:00Z to 2026-11-21 12:00:00Z (4d18h); \
         missing 2026-11-18 12:00:00Z to 2026-11-20 06:00:00Z (1d18h); \
         missing 2026-11-17 00:00:00Z to 00:00:01Z (1s); waiting 12h; began 2026-11-16 18:00:00Z"
    );
}

#[test]
fn the_axis_has_round_times() {
    let labels = |range: Range| range.marks().into_iter().map(|(_, l)| l).collect::<Vec<_>>();
    let marks = Range { from: t("2026-11-15T06:00:00Z"), to: t("2026-11-22T06:00:00Z"), ..week() };
    assert_eq!(
        labels(marks),
        ["Mon 16", "Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21", "Sun 22"]
    );
    let day = Range {
        from: t("2026-11-21T06:10:00Z"),
        to: t("2026-11-22T06:10:00Z"),
        step: TimeDelta::hours(4),
        ..week()
    };
    assert_eq!(labels(day), ["08:00", "12:00", "16:00", "20:00", "00:00", "04:00"]);
}

#[test]
fn percentages_are_written_as_svg_reads_them() {
    assert_eq!(percent(0), "0%");
    assert_eq!(percent(5), "0.05%");
    assert_eq!(percent(1_250), "12.50%");
    assert_eq!(percent(WIDTH), "100%");
}

proptest! {
    #[test]
    fn every_bar_lies_within_the_picture(
        start in -20i64..10, lasted in 0i64..30,
        gaps in proptest::collection::vec((-30i64 * 86_400..30 * 86_400, 0i64..200_000, 0usize..4), 0..50),
    ) {
        let from = t("2026-11-15T00:00:00Z");
        let kinds = [GapKind::Outage, GapKind::TooDense, GapKind::Fingerprints, GapKind::Versions];
        let mut watch = watch("2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", &[]);
        watch.started_at = Some(from + TimeDelta::days(start));
        watch.watermark = Some(from + TimeDelta::days(start + lasted));
        watch.gaps = gaps.iter().map(|(at, long, kind)| Missing {
            from: from + TimeDelta::seconds(*at),
            to: from + TimeDelta::seconds(at + long),
            why: kinds[*kind],
        }).collect();
        let bars = bars(&watch, &week());
        for bar in &bars {
            prop_assert!(bar.x >= 0 && bar.width > 0 && bar.x + bar.width <= WIDTH, "{bar:?}");
            prop_assert!(matches!(bar.kind, Kind::Covered) || bar.width >= NARROWEST, "{bar:?}");
        }
        for pair in bars.windows(2) {
            prop_assert!(pair[0].kind < pair[1].kind || pair[0].x + pair[0].width < pair[1].x);
        }
        // Each gap of which something lies in the picture is under a bar of its kind.
        for gap in watch.gaps.iter().filter(|gap| gap.from < gap.to && gap.to > week().from && gap.from < week().to) {
            let middle = i64::midpoint(week().x(gap.from), week().x(gap.to));
            let missing = matches!(gap.why, GapKind::Outage | GapKind::TooDense);
            let kind = if missing { Kind::Missing } else { Kind::Late };
            prop_assert!(bars.iter().any(|b| b.kind == kind && b.x <= middle && middle <= b.x + b.width));
        }
    }
}
