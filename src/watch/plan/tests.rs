//! Which time is asked for: tiling, floor, sweep, halves, versions, instants of window rules.

use super::super::head::{Gap, Version, WatchId};
use super::super::rule::{Rule, plain};
use super::super::schedule::Schedule;
use super::*;
use proptest::prelude::*;

fn t0() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn at(minutes: i64) -> DateTime<Utc> {
    t0() + TimeDelta::minutes(minutes)
}

fn span(from: i64, to: i64) -> Interval {
    Interval { from: at(from), to: at(to) }
}

fn rule(kind: Kind, every: i64) -> Rule {
    Rule { schedule: Schedule::Every(TimeDelta::minutes(every)), kind, ..plain("r", "T") }
}

fn head() -> Head {
    let id = WatchId { workspace: "w".to_owned(), rule: "r".to_owned() };
    Head::start(id, "prod", &rule(Kind::Event { lookback: None }, 5), t0())
}

const TIMING: fn() -> Timing = Timing::default;

#[test]
fn ordinary_windows() {
    let mut head = head();
    assert_eq!(head.next_window(t0(), &TIMING()), None, "nothing has passed yet");
    assert_eq!(head.next_window(at(-5), &TIMING()), None, "a clock that fell back asks nothing");
    // Not before the start.
    assert_eq!(head.next_window(at(5), &TIMING()), Some(span(0, 5)));
    head.watermark = at(5);
    assert_eq!(head.next_window(at(10), &TIMING()), Some(span(0, 10)));
    head.watermark = at(300);
    assert_eq!(head.next_window(at(305), &TIMING()), Some(span(240, 305)));
    // Not before the floor.
    head.floor = at(280);
    assert_eq!(head.next_window(at(305), &TIMING()), Some(span(280, 305)));
    // At most a segment further.
    assert_eq!(head.next_window(at(10_000), &TIMING()), Some(span(280, 660)));
}

#[test]
fn the_floor_is_the_lower_of_two_and_never_falls() {
    let mut head = head();
    let timing = TIMING();
    // 49 h before the previous sweep is lower than an hour before the watermark; the start is higher than both.
    head.watermark = at(600);
    head.settle_floor(&timing);
    assert_eq!(head.floor, t0());
    head.watermark = at(10_000);
    head.sweep.previous = at(9_900);
    head.settle_floor(&timing);
    assert_eq!(head.floor, at(9_900 - 49 * 60));
    // A long overlap makes the ordinary window the lower one.
    let long = Timing { overlap: TimeDelta::hours(100), ..timing };
    head.settle_floor(&long);
    assert_eq!(
        head.floor,
        at(9_900 - 49 * 60),
        "it does not fall, whatever the configuration says now"
    );
    let short = Timing { sweep: TimeDelta::hours(1), ..timing };
    head.settle_floor(&short);
    assert_eq!(head.floor, at(9_840));
}

#[test]
fn a_sweep_reaches_back_from_the_one_before() {
    let mut head = head();
    let timing = TIMING();
    head.sweep.previous = at(10_000);
    head.watermark = at(10_359);
    head.floor = at(0);
    assert_eq!(head.next_sweep(at(10_359), &timing), None, "six hours are not over");
    let due = head.next_sweep(at(10_360), &timing).unwrap();
    assert_eq!(due, Cursor { began: at(10_360), left: span(10_000 - 49 * 60, 10_359) });
    // After an outage of days it still begins 49 h before the previous one.
    let due = head.next_sweep(at(20_000), &timing).unwrap();
    assert_eq!(due.left.from, at(10_000 - 49 * 60));
    head.floor = at(9_000);
    assert_eq!(
        head.next_sweep(at(20_000), &timing).unwrap().left.from,
        at(9_000),
        "not below the floor"
    );
    // One under way goes on, whenever.
    let under_way = Cursor { began: at(10_000), left: span(9_500, 9_900) };
    head.sweep.cursor = Some(under_way.clone());
    assert_eq!(head.next_sweep(at(10_010), &timing), Some(under_way));
    // Not below a floor that was raised meanwhile, be it beyond all that was left.
    for (floor, from) in [(9_700, 9_700), (9_950, 9_900)] {
        head.floor = at(floor);
        assert_eq!(head.next_sweep(at(10_010), &timing).unwrap().left, span(from, 9_900));
    }
}

#[test]
fn what_lies_further_back_than_catch_up_is_cut_and_noted() {
    let timing = Timing { catch_up: TimeDelta::hours(10), ..TIMING() };
    let mut head = head();
    head.cut(at(600), &timing);
    assert_eq!((head.watermark, head.gaps.len()), (t0(), 0), "exactly ten hours are made up for");
    head.sweep.cursor = Some(Cursor { began: at(1), left: span(0, 700) });
    head.cut(at(720), &timing);
    assert_eq!((head.watermark, head.floor), (at(120), at(120)));
    assert_eq!(head.gaps, [Gap { interval: span(0, 120), why: GapKind::Outage, at: at(720) }]);
    assert_eq!(head.sweep.cursor.as_ref().unwrap().left, span(120, 700));
    head.cut(at(720), &timing);
    assert_eq!(head.gaps.len(), 1);
}

fn version(since: i64, summary: bool) -> Version {
    Version {
        id: since.to_string(),
        since: at(since),
        query: String::new(),
        lookback_s: None,
        key: Vec::new(),
        summary,
    }
}

fn parts_of(
    versions: &[(i64, bool)],
    gaps: &[(i64, i64)],
    window: (i64, i64),
) -> Vec<(usize, i64, i64)> {
    let mut head = head();
    head.versions = versions.iter().map(|(since, summary)| version(*since, *summary)).collect();
    head.gaps = gaps
        .iter()
        .map(|(from, to)| Gap { interval: span(*from, *to), why: GapKind::TooDense, at: t0() })
        .collect();
    // Other gaps are asked for as ever.
    head.gaps.push(Gap { interval: span(-100, 100), why: GapKind::Fingerprints, at: t0() });
    let minute = |t: DateTime<Utc>| (t - t0()).num_minutes();
    head.parts(span(window.0, window.1))
        .into_iter()
        .map(|part| (part.version, minute(part.interval.from), minute(part.interval.to)))
        .collect()
}

#[test]
fn windows_are_cut_at_versions_and_around_dense_seconds() {
    // Versions (since, whether of a window rule), dense gaps, window, parts.
    type Case<'a> = (&'a [(i64, bool)], &'a [(i64, i64)], (i64, i64), &'a [(usize, i64, i64)]);
    let event = |since| (since, false);
    let table: [Case<'_>; 12] = [
        (&[event(0)], &[], (10, 20), &[(0, 10, 20)]),
        // The first version also stands for all time before it.
        (&[event(0)], &[], (-10, 20), &[(0, -10, 20)]),
        (&[event(0), event(15)], &[], (10, 20), &[(0, 10, 15), (1, 15, 20)]),
        (&[event(0), event(10)], &[], (10, 20), &[(1, 10, 20)]),
        (&[event(0), event(20)], &[], (10, 20), &[(0, 10, 20)]),
        (
            &[event(0), event(12), event(14)],
            &[],
            (10, 20),
            &[(0, 10, 12), (1, 12, 14), (2, 14, 20)],
        ),
        // What a window rule found is not asked for again.
        (&[(0, true), event(15)], &[], (10, 20), &[(1, 15, 20)]),
        (&[event(0), (15, true)], &[], (10, 20), &[(0, 10, 15)]),
        (&[event(0)], &[(12, 13)], (10, 20), &[(0, 10, 12), (0, 13, 20)]),
        (&[event(0)], &[(5, 12), (19, 30)], (10, 20), &[(0, 12, 19)]),
        (&[event(0)], &[(5, 30)], (10, 20), &[]),
        (&[event(0), event(15)], &[(14, 16), (20, 21)], (10, 20), &[(0, 10, 14), (1, 16, 20)]),
    ];
    for (versions, gaps, window, expected) in table {
        assert_eq!(parts_of(versions, gaps, window), expected, "{versions:?} {gaps:?} {window:?}");
    }
}

fn seconds(from: f64, to: f64) -> Interval {
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    let t = |s: f64| t0() + TimeDelta::milliseconds((s * 1000.0).round() as i64);
    Interval { from: t(from), to: t(to) }
}

#[test]
fn halves_are_cut_at_whole_seconds() {
    for (from, to, cut) in [
        (0.0, 3600.0, Some(1800.0)),
        (0.0, 2.0, Some(1.0)),
        (0.0, 3.0, Some(1.0)),
        (0.0, 1.001, Some(1.0)),
        (0.5, 2.2, Some(1.0)),
        (0.9, 2.0, Some(1.0)),
        (0.0, 1.5, Some(1.0)),
        (0.0, 1.0, None),
        (0.5, 1.5, None),
        (0.0, 0.001, None),
        (0.0, 0.0, None),
        (1.0, 0.0, None),
    ] {
        let expected = cut.map(|cut| (seconds(from, cut), seconds(cut, to)));
        assert_eq!(halves(seconds(from, to)), expected, "{from} to {to}");
    }
}

#[test]
fn instants_of_window_rules() {
    // Window, settle, every, watermark, now; instants.
    type Case<'a> = (i64, i64, i64, i64, i64, &'a [i64]);
    let window = |window, settle| Kind::Window {
        window: TimeDelta::minutes(window),
        settle: TimeDelta::minutes(settle),
    };
    let table: [Case<'_>; 13] = [
        // The first window lies wholly after the start.
        (60, 0, 30, 0, 59, &[]),
        (60, 0, 30, 0, 60, &[60]),
        (60, 20, 30, 0, 60, &[]),
        (60, 20, 30, 0, 90, &[90]),
        (60, 0, 60, 0, 60, &[60]),
        // One at a time while all is well.
        (60, 0, 30, 60, 89, &[]),
        (60, 0, 30, 60, 90, &[90]),
        (60, 0, 30, 60, 95, &[90]),
        // After an outage: a stride of a window, and the latest.
        (60, 0, 30, 60, 180, &[120, 180]),
        (60, 0, 30, 60, 210, &[120, 180, 210]),
        (60, 0, 5, 60, 300, &[120, 180, 240, 300]),
        // A grid coarser than the window: every instant of it.
        (60, 0, 120, 120, 480, &[240, 360, 480]),
        // A clock that fell back.
        (60, 0, 30, 120, 60, &[]),
    ];
    for (length, settle, every, watermark, now, expected) in table {
        let mut head = head();
        head.watermark = at(watermark);
        let rule = rule(window(length, settle), every);
        let minutes: Vec<i64> = instants(&head, &rule, at(now), 100)
            .into_iter()
            .map(|instant| (instant - t0()).num_minutes())
            .collect();
        assert_eq!(
            minutes, expected,
            "window {length} settle {settle} every {every} from {watermark} at {now}"
        );
    }
    assert_eq!(window_at(at(90), TimeDelta::minutes(60), TimeDelta::minutes(20)), span(10, 70));
    let bounded = instants(&head(), &rule(window(60, 0), 30), at(100_000), 7);
    assert_eq!(bounded.len(), 7, "the oldest first");
    assert_eq!(bounded[0], at(60));
    assert!(instants(&head(), &rule(Kind::Event { lookback: None }, 5), at(100), 7).is_empty());
}

proptest! {
    /// P3: whatever the pattern of ticks, windows tile time from the start, none begins below the floor, none is longer
    /// than a segment and its overlap.
    #[test]
    fn windows_tile(waits in prop::collection::vec(0..2_000_i64, 1..30), overlap in 0..200_i64) {
        let timing = Timing { overlap: TimeDelta::minutes(overlap), catch_up: TimeDelta::days(400), ..TIMING() };
        let mut head = head();
        let mut now = t0();
        for wait in waits {
            now += TimeDelta::seconds(wait * 37);
            head.cut(now, &timing);
            while let Some(window) = head.next_window(now, &timing) {
                prop_assert!(window.from <= head.watermark && window.from >= head.floor);
                prop_assert!(window.from >= t0());
                prop_assert!(window.to > head.watermark && window.to <= now);
                prop_assert!(window.to - head.watermark <= SEGMENT);
                prop_assert!(head.watermark - window.from <= timing.overlap);
                let floor = head.floor;
                head.watermark = window.to;
                head.settle_floor(&timing);
                prop_assert!(head.floor >= floor && head.floor <= head.watermark);
            }
            prop_assert_eq!(head.watermark, now);
        }
        prop_assert!(head.gaps.is_empty());
    }

    #[test]
    fn parts_tile_the_window_less_the_dense_seconds(
        since in prop::collection::btree_set(-50..150_i64, 1..6),
        gaps in prop::collection::vec((-20..120_i64, 1..20_i64), 0..5),
        from in 0..100_i64,
        length in 1..100_i64,
    ) {
        let versions: Vec<(i64, bool)> = since.into_iter().map(|since| (since, false)).collect();
        let gaps: Vec<(i64, i64)> = gaps.into_iter().map(|(from, length)| (from, from + length)).collect();
        let parts = parts_of(&versions, &gaps, (from, from + length));
        // By the minute: each is in exactly one part, with the version of its time, or in a gap.
        for minute in from..from + length {
            let of: Vec<_> = parts.iter().filter(|(_, a, b)| (*a..*b).contains(&minute)).collect();
            let dense = gaps.iter().any(|(a, b)| (*a..*b).contains(&minute));
            prop_assert_eq!(of.len(), usize::from(!dense), "minute {}", minute);
            let version = versions.iter().rposition(|(since, _)| *since <= minute).unwrap_or(0);
            prop_assert!(of.iter().all(|(v, ..)| *v == version));
        }
        prop_assert!(parts.iter().all(|(_, a, b)| a < b));
        prop_assert!(parts.windows(2).all(|pair| pair[0].2 <= pair[1].1), "in order");
    }

    #[test]
    fn halving_ends_in_pieces_of_a_second_that_tile(from in 0..5_000_i64, length in 1..400_000_i64) {
        let ms = |n| t0() + TimeDelta::milliseconds(n);
        let whole = Interval { from: ms(from), to: ms(from + length) };
        let (mut left, mut upto, mut pieces) = (vec![whole], whole.from, 0);
        while let Some(piece) = left.pop() {
            if let Some((first, second)) = halves(piece) {
                prop_assert!(first.from == piece.from && second.to == piece.to && first.to == second.from);
                prop_assert!(!first.is_empty() && !second.is_empty());
                prop_assert_eq!(first.to.timestamp_subsec_nanos(), 0, "cut at a whole second");
                left.extend([second, first]);
            } else {
                prop_assert!(piece.to - piece.from <= SHORTEST);
                prop_assert_eq!(piece.from, upto);
                upto = piece.to;
                pieces += 1;
                // Only the edges of the whole may lie within a second.
                prop_assert!(piece.from == whole.from || piece.from.timestamp_subsec_nanos() == 0);
            }
        }
        prop_assert_eq!(upto, whole.to);
        prop_assert!(pieces <= length / 1000 + 3);
    }

    /// No minute from the start to the last evaluated window is unseen, and windows stay on the grid.
    #[test]
    fn instants_leave_no_time_unseen(
        every in 1..90_i64, factor in 2..5_i64, settle in 0..30_i64,
        waits in prop::collection::vec(1..600_i64, 1..10),
    ) {
        let window = TimeDelta::minutes(every * factor);
        let settle = TimeDelta::minutes(settle);
        let rule = rule(Kind::Window { window, settle }, every);
        let mut head = head();
        let mut now = t0();
        let mut seen_to: Option<DateTime<Utc>> = None;
        for wait in waits {
            now += TimeDelta::minutes(wait);
            for instant in instants(&head, &rule, now, 1_000) {
                let Interval { from, to } = window_at(instant, window, settle);
                prop_assert_eq!(rule.schedule.slot(instant), Some(instant), "on the grid");
                prop_assert!(from >= head.started_at && instant <= now);
                // The first may begin up to one step of the grid after the start.
                let reached = seen_to.unwrap_or(head.started_at + TimeDelta::minutes(every));
                prop_assert!(from <= reached, "{} was not seen from {}", from, reached);
                seen_to = Some(to);
                head.watermark = instant;
            }
            if let Some(slot) = rule.schedule.slot(now).filter(|slot| *slot >= t0() + window + settle) {
                prop_assert_eq!(head.watermark, slot);
            }
        }
    }
}
