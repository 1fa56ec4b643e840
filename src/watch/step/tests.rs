//! The step: what is told, what is held back, what is folded, with exact counts.

use super::super::alert::Interval;
use super::super::fingerprint::Scope;
use super::super::head::{Batch, WatchId};
use super::super::intake::Reading;
use super::super::row::{Columns, Row, Value};
use super::super::rule::{Kind, plain};
use super::super::severity::Severity;
use super::*;
use proptest::prelude::*;
use std::sync::Arc;

fn t0() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn at(minutes: i64) -> DateTime<Utc> {
    t0() + TimeDelta::minutes(minutes)
}

fn rule(kind: Kind, key: &[&str], renotify: Option<i64>) -> Rule {
    Rule {
        kind,
        key: key.iter().map(|key| (*key).to_owned()).collect(),
        renotify: renotify.map(TimeDelta::minutes),
        group_by: Some(vec!["Group".to_owned()]),
        ..plain("r", TABLE)
    }
}

const EVENT: Kind = Kind::Event { lookback: None };
const HOURLY: Kind = Kind::Window { window: TimeDelta::hours(1), settle: TimeDelta::zero() };

fn row(time: DateTime<Utc>, group: &str, caller: &str, n: usize) -> Row {
    let columns: Columns = ["TimeGenerated", "Group", "Caller", "N"].map(Arc::from).to_vec().into();
    let n = Value::Long(i64::try_from(n).unwrap());
    Row::new(columns, vec![Value::Datetime(time), Value::string(group), Value::string(caller), n])
}

/// A watch with the state that the engine would keep for it.
#[derive(Clone)]
struct Watching {
    rule: Rule,
    head: Head,
    seen: Seen,
}

impl Watching {
    fn new(rule: Rule) -> Self {
        let id = WatchId { workspace: "w".to_owned(), rule: "r".to_owned() };
        let head = Head::start(id, "prod", &rule, t0());
        Self { rule, head, seen: Seen::default() }
    }

    /// An evaluation at a minute, which finds these rows; for window rules at each of these instants.
    fn finds(&mut self, minute: i64, answers: &[(i64, Vec<Row>)]) -> Vec<Alert> {
        let now = at(minute);
        let version = self.head.versions.last().unwrap().clone();
        let reading = Reading {
            scope: Scope::new("w", "r", &version.id),
            key: &version.key,
            group_by: self.rule.group_by.as_deref(),
        };
        let (mut intake, mut seen) = (Intake::default(), self.seen.clone());
        for (instant, rows) in answers {
            for row in rows {
                if let Kind::Window { window, .. } = self.rule.kind {
                    let window = Interval { from: at(*instant) - window, to: at(*instant) };
                    intake.summary(&reading, window, row);
                } else {
                    let window = Interval { from: t0() - TimeDelta::days(1), to: now };
                    intake.event(&reading, window, &mut seen, row);
                }
            }
        }
        intake.keep_answer(&mut seen);
        let telling = Telling {
            rule: &self.rule,
            version: &version.id,
            receivers: &["a".to_owned()],
            reason: Reason::New,
            window: Interval { from: self.head.watermark, to: now },
            now,
        };
        let progress = Progress::Window(now);
        let alerts = self.head.step(&intake, &mut seen, progress, &Timing::default(), &telling);
        // What is told is in the document that the engine would write.
        self.seen = Seen::decode(&seen.encode()).unwrap();
        alerts
    }

    fn event(&mut self, minute: i64, rows: Vec<Row>) -> Vec<Alert> {
        self.finds(minute, &[(minute, rows)])
    }
}

/// What people would say of alerts: reason, hits, suppressed.
fn said(alerts: &[Alert]) -> Vec<(Reason, u64, u64)> {
    alerts.iter().map(|alert| (alert.reason, alert.count, alert.suppressed)).collect()
}

#[test]
fn rows_are_told_once_by_group() {
    let mut watch = Watching::new(rule(EVENT, &[], None));
    let rows = vec![row(at(1), "x", "c", 1), row(at(2), "y", "c", 2), row(at(3), "x", "c", 3)];
    let alerts = watch.event(5, rows.clone());
    assert_eq!(said(&alerts), [(Reason::New, 2, 0), (Reason::New, 1, 0)], "largest first");
    let x = &alerts[0];
    assert_eq!((x.first_seen, x.last_seen, x.time), (at(1), at(3), at(5)));
    assert_eq!(x.group["Group"], "x");
    assert_eq!(x.caveat.as_deref(), Some(CAVEAT));
    assert_ne!(x.incident_key, alerts[1].incident_key);
    assert!(watch.event(10, rows.clone()).is_empty());
    // Equal rows are as many events as there are rows.
    let mut twice = rows;
    twice.push(row(at(1), "x", "c", 1));
    let again = watch.event(15, twice);
    assert_eq!(said(&again), [(Reason::New, 1, 0)]);
    assert!(again[0].hits[0].fingerprint.ends_with("-2"));
    assert_eq!(
        again[0].incident_key, x.incident_key,
        "the same for every alert about the same thing"
    );
    assert_ne!(again[0].id, x.id);
}

#[test]
fn a_key_is_told_once_per_renotify_and_what_is_held_back_in_one_digest() {
    let mut watch = Watching::new(rule(EVENT, &["Caller"], Some(60)));
    let told = watch.event(5, vec![row(at(1), "x", "c", 1), row(at(2), "x", "c", 2)]);
    assert_eq!(said(&told), [(Reason::New, 2, 0)]);
    // Another key is another matter.
    assert_eq!(said(&watch.event(6, vec![row(at(5), "x", "d", 1)])), [(Reason::New, 1, 0)]);
    assert!(watch.event(10, vec![row(at(9), "x", "c", 3)]).is_empty());
    assert!(watch.event(20, vec![row(at(19), "y", "c", 4), row(at(18), "x", "c", 5)]).is_empty());
    assert_eq!(watch.seen.digest_due(watch.rule.hold()), Some(at(65)));
    assert!(watch.event(64, vec![]).is_empty());
    let digest = watch.event(65, vec![]);
    assert_eq!(said(&digest), [(Reason::Digest, 3, 0)]);
    let digest = &digest[0];
    assert_eq!((digest.hits.len(), digest.hits_truncated), (0, 3));
    assert_eq!((digest.first_seen, digest.last_seen), (at(9), at(19)));
    assert!(digest.note.as_ref().unwrap().contains("3 more, told here once"));
    assert!(watch.event(70, vec![]).is_empty(), "once");
    assert_eq!(watch.seen.digest_due(watch.rule.hold()), None);
}

#[test]
fn a_key_that_is_met_again_is_a_repeat_with_what_was_held_back() {
    let mut watch = Watching::new(rule(EVENT, &["Caller"], Some(60)));
    watch.event(5, vec![row(at(1), "x", "c", 1)]);
    watch.event(30, vec![row(at(29), "x", "c", 2), row(at(28), "x", "c", 3)]);
    let again = watch.event(65, vec![row(at(64), "x", "c", 4)]);
    assert_eq!(said(&again), [(Reason::Repeat, 1, 2)], "and no digest besides");
    // Its time begins anew.
    assert!(watch.event(70, vec![row(at(69), "x", "c", 5)]).is_empty());
    assert_eq!(said(&watch.event(125, vec![])), [(Reason::Digest, 1, 0)]);
}

#[test]
fn a_repeat_counts_what_is_held_once_over_its_groups() {
    let mut watch = Watching::new(rule(EVENT, &["Caller"], Some(60)));
    watch.event(5, vec![row(at(1), "x", "c", 1)]);
    watch.event(30, vec![row(at(29), "x", "c", 2)]);
    let again = watch.event(65, vec![row(at(64), "x", "c", 3), row(at(64), "y", "c", 4)]);
    assert_eq!(again.len(), 2);
    assert_eq!(again.iter().map(|alert| alert.suppressed).sum::<u64>(), 1, "{:?}", said(&again));
}

#[test]
fn what_was_held_back_is_not_lost_in_a_full_outbox() {
    let mut watch = Watching::new(rule(EVENT, &["Caller"], Some(60)));
    watch.event(5, vec![row(at(1), "x", "c", 1)]);
    watch.event(30, vec![row(at(29), "x", "c", 2), row(at(28), "x", "c", 3)]);
    waiting(&mut watch.head, OUTBOX_ALERTS);
    assert!(watch.event(65, vec![row(at(64), "x", "c", 4)]).is_empty());
    waiting(&mut watch.head, 0);
    assert_eq!(said(&watch.event(66, vec![])), [(Reason::Digest, 3, 0)]);
}

#[test]
fn overlapping_windows_hold_nothing_back() {
    // Half-hourly over an hour: the same thing is found by two windows.
    let mut watch = Watching::new(rule(HOURLY, &["Caller"], None));
    let busy = || vec![row(at(59), "x", "c", 7)];
    assert_eq!(said(&watch.finds(60, &[(60, busy())])), [(Reason::New, 1, 0)]);
    assert!(watch.finds(90, &[(90, busy())]).is_empty());
    assert_eq!(watch.seen.digest_due(watch.rule.hold()), None, "it was told");
    // It goes on: told again when the window holds nothing of what was told.
    assert_eq!(said(&watch.finds(120, &[(120, busy())])), [(Reason::Repeat, 1, 0)]);
    assert!(watch.finds(150, &[(150, busy())]).is_empty());
    assert!(watch.finds(180, &[(180, vec![])]).is_empty());
}

#[test]
fn windows_within_renotify_are_held_back_and_counted() {
    let mut watch = Watching::new(rule(HOURLY, &["Caller"], Some(180)));
    let busy = |n| vec![row(at(n), "x", "c", 7)];
    assert_eq!(said(&watch.finds(60, &[(60, busy(59))])), [(Reason::New, 1, 0)]);
    assert!(watch.finds(90, &[(90, busy(59))]).is_empty(), "overlaps: not counted");
    assert!(watch.finds(120, &[(120, busy(119))]).is_empty());
    assert!(watch.finds(180, &[(180, busy(179))]).is_empty());
    assert_eq!(said(&watch.finds(240, &[(240, busy(239))])), [(Reason::Repeat, 1, 2)]);
}

#[test]
fn instants_made_up_for_are_one_alert() {
    let mut watch = Watching::new(rule(HOURLY, &["Caller"], None));
    let busy = |n| vec![row(at(n), "x", "c", 7)];
    let answers: Vec<(i64, Vec<Row>)> =
        (1..=5).map(|hour| (hour * 60, busy(hour * 60 - 1))).collect();
    let alerts = watch.finds(300, &answers);
    assert_eq!(said(&alerts), [(Reason::New, 5, 0)]);
    assert_eq!(watch.seen.key(&watch_key(&watch, "c")).unwrap().told_at, at(300));
}

#[test]
fn instants_made_up_for_within_a_keys_time_stay_held() {
    let mut watch = Watching::new(rule(HOURLY, &["Caller"], Some(180)));
    let busy = |n| vec![row(at(n), "x", "c", 7)];
    watch.finds(60, &[(60, busy(59))]);
    // 120 and 180 are within the key's time, 240 and 300 are not.
    let answers: Vec<(i64, Vec<Row>)> =
        (2..=5).map(|hour| (hour * 60, busy(hour * 60 - 1))).collect();
    assert_eq!(said(&watch.finds(300, &answers)), [(Reason::Repeat, 2, 2)]);
}

fn watch_key(watch: &Watching, caller: &str) -> Fingerprint {
    let version = watch.head.versions.last().unwrap();
    Scope::new("w", "r", &version.id).fingerprint(&row(t0(), "any", caller, 0), &version.key)
}

#[test]
fn more_than_fifty_groups_are_folded_into_a_digest() {
    for (groups, alerts) in [(50, 50), (51, 50), (120, 50)] {
        let mut watch = Watching::new(rule(EVENT, &[], None));
        // Group n has n % 3 + 1 rows.
        let rows: Vec<Row> = (0..groups)
            .flat_map(|n| (0..=n % 3).map(move |i| row(at(1), &format!("group {n}"), "c", i)))
            .collect();
        let sum = rows.len() as u64;
        let told = watch.event(5, rows);
        assert_eq!(told.len(), alerts, "{groups} groups");
        assert_eq!(told.iter().map(|alert| alert.count).sum::<u64>(), sum, "exact");
        let folded = groups - 49;
        let digest = told.last().unwrap();
        if groups > 50 {
            assert_eq!(digest.reason, Reason::Digest);
            assert!(digest.group.is_empty());
            assert!(digest.note.as_ref().unwrap().starts_with(&format!("{folded} further groups")));
            // The largest keep alerts of their own.
            assert!(told[0].count >= told[48].count && told[0].count == 3);
        }
        assert!(told.iter().take(49).all(|alert| alert.reason == Reason::New));
        let ids: BTreeSet<&str> = told.iter().map(|alert| alert.id.as_str()).collect();
        assert_eq!(ids.len(), told.len());
    }
}

#[test]
fn five_hundred_hits_are_listed_and_the_rest_is_counted() {
    for (rows, listed, truncated) in
        [(499, 499, 0), (500, 500, 0), (501, 500, 1), (1_234, 500, 734)]
    {
        let mut watch = Watching::new(rule(EVENT, &[], None));
        let all: Vec<Row> = (0..rows)
            .map(|n| {
                row(t0() + TimeDelta::milliseconds(i64::try_from(rows - n).unwrap()), "x", "c", n)
            })
            .collect();
        let told = watch.event(5, all.clone());
        let alert = &told[0];
        assert_eq!((alert.hits.len(), alert.hits_truncated), (listed, truncated));
        assert_eq!(alert.count, rows as u64);
        assert!(alert.hits.is_sorted_by_key(|hit| hit.time), "oldest first");
        assert_eq!(alert.first_seen, t0() + TimeDelta::milliseconds(1));
        assert!(watch.event(10, all).is_empty(), "what was only counted was told");
    }
}

/// An outbox with this many alerts that wait.
fn waiting(head: &mut Head, n: usize) {
    head.outbox = vec![Batch {
        doc: "alerts/0".to_owned(),
        at: t0(),
        receivers: vec!["a".to_owned()],
        alerts: (0..n).map(|n| n.to_string()).collect(),
    }];
}

#[test]
fn what_finds_no_room_in_the_outbox_is_held_and_told_in_one_digest() {
    let groups = |minute: i64, n: usize| -> Vec<Row> {
        (0..n).map(|group| row(at(minute), &format!("group {group}"), "c", 0)).collect()
    };
    let mut watch = Watching::new(rule(EVENT, &[], None));
    // Just enough room.
    waiting(&mut watch.head, OUTBOX_ALERTS - 3);
    assert_eq!(watch.event(5, groups(1, 3)).len(), 3);
    // Too little for all, enough for one digest.
    let digest = watch.event(10, groups(6, 4));
    assert_eq!(said(&digest), [(Reason::Digest, 4, 0)]);
    assert!(digest[0].note.as_ref().unwrap().starts_with("4 hits in one digest"));
    assert_eq!(watch.head.held, None);
    // None at all.
    waiting(&mut watch.head, OUTBOX_ALERTS);
    assert!(watch.event(15, groups(11, 2)).is_empty());
    assert!(watch.event(20, groups(16, 3)).is_empty());
    assert_eq!(watch.head.held, Some(Held { count: 5, first: at(11), last: at(16) }));
    // Room again: in one digest, with the evaluation's own alerts where they fit beside it.
    waiting(&mut watch.head, OUTBOX_ALERTS - 3);
    let told = watch.event(25, groups(21, 2));
    assert_eq!(said(&told), [(Reason::New, 1, 0), (Reason::New, 1, 0), (Reason::Digest, 5, 0)]);
    assert_eq!((told[2].first_seen, told[2].last_seen), (at(11), at(16)));
    assert_eq!(watch.head.held, None);
    // Not beside it: all in the digest.
    waiting(&mut watch.head, OUTBOX_ALERTS);
    watch.event(30, groups(26, 2));
    waiting(&mut watch.head, OUTBOX_ALERTS - 1);
    assert_eq!(said(&watch.event(35, groups(31, 1))), [(Reason::Digest, 3, 0)]);
}

#[test]
fn alert_ids_do_not_depend_on_order_or_on_when_unless_the_rule_is_keyed() {
    let rows = || vec![row(at(1), "x", "c", 1), row(at(2), "x", "d", 2)];
    let ids = |rule: Rule, minute: i64, rows: Vec<Row>| -> Vec<String> {
        Watching::new(rule).event(minute, rows).into_iter().map(|alert| alert.id).collect()
    };
    let mut turned = rows();
    turned.reverse();
    let plain = || rule(EVENT, &[], None);
    let first = ids(plain(), 5, rows());
    assert_eq!(first, ids(plain(), 5, turned.clone()), "order");
    assert_eq!(first, ids(plain(), 7, rows()), "another instance, later");
    let renamed = Rule { title: "Other".to_owned(), severity: Severity::Low, ..plain() };
    assert_eq!(first, ids(renamed, 5, rows()), "wording");
    assert_ne!(first, ids(plain(), 5, rows()[..1].to_vec()), "other hits");
    let keyed = || rule(EVENT, &["Caller"], None);
    assert_eq!(ids(keyed(), 5, rows()), ids(keyed(), 5, turned));
    assert_ne!(ids(keyed(), 5, rows()), ids(keyed(), 7, rows()), "a key may be told again");
    assert_eq!(first[0].len(), 32);
}

#[test]
fn losing_a_race_tells_only_what_the_winner_has_not() {
    let mut winner = Watching::new(rule(EVENT, &[], None));
    let mut loser = winner.clone();
    winner.event(5, vec![row(at(1), "x", "c", 1)]);
    // The loser takes its rows through the step again, on what the winner left.
    (loser.head, loser.seen) = (winner.head.clone(), winner.seen.clone());
    let told = loser.event(5, vec![row(at(1), "x", "c", 1), row(at(2), "x", "c", 2)]);
    assert_eq!(said(&told), [(Reason::New, 1, 0)]);
}

#[test]
fn more_fingerprints_than_a_watch_keeps_raise_the_floor_and_are_named() {
    // Quicker with a smaller limit than FINGERPRINTS.
    const LIMIT: usize = 1_000;
    let second = |n: usize| t0() + TimeDelta::seconds(i64::try_from(n).unwrap());
    let mut watch = Watching::new(rule(EVENT, &[], None));
    let fill = |watch: &mut Watching, rows: std::ops::Range<usize>| {
        for n in rows {
            let mut print = [0; 16];
            print[..8].copy_from_slice(&n.to_le_bytes());
            watch.seen.count(print, second(n));
        }
        watch.seen.settle();
        watch.head.bound(&mut watch.seen, LIMIT, at(60));
    };
    fill(&mut watch, 0..LIMIT);
    assert_eq!((watch.seen.len(), watch.head.gaps.len()), (LIMIT, 0));
    fill(&mut watch, LIMIT..LIMIT + 1);
    // A tenth goes at once, so that the next few rows do not raise the floor again.
    let kept_from = second(LIMIT / 10 + 1);
    assert_eq!((watch.seen.len(), watch.head.floor), (LIMIT - LIMIT / 10, kept_from));
    assert_eq!(watch.head.gaps.len(), 1);
    let gap = &watch.head.gaps[0];
    let lost = Interval { from: t0(), to: kept_from };
    assert_eq!((gap.interval, gap.why), (lost, GapKind::Fingerprints));
    fill(&mut watch, LIMIT + 1..LIMIT + 100);
    assert_eq!((watch.head.floor, watch.head.gaps.len()), (kept_from, 1));
    // No window begins before the floor any more, and settling does not lower it.
    watch.event(70, vec![]);
    assert_eq!(watch.head.floor, kept_from);
}

#[test]
fn a_sweep_moves_its_cursor_and_then_the_anchor() {
    let mut watch = Watching::new(rule(EVENT, &[], None));
    let timing = Timing::default();
    watch.head.watermark = at(10_000);
    let version = watch.head.versions[0].id.clone();
    let step = |progress, watch: &mut Watching| {
        let telling = Telling {
            rule: &watch.rule,
            version: &version,
            receivers: &[],
            reason: Reason::Sweep,
            window: Interval { from: t0(), to: at(10_000) },
            now: at(10_001),
        };
        watch.head.step(&Intake::default(), &mut Seen::default(), progress, &timing, &telling)
    };
    let began = at(10_000);
    step(Progress::Sweep { to: at(500), began, end: at(10_000) }, &mut watch);
    let cursor = watch.head.sweep.cursor.clone().unwrap();
    assert_eq!((cursor.began, cursor.left), (began, Interval { from: at(500), to: at(10_000) }));
    assert_eq!((watch.head.sweep.previous, watch.head.floor), (t0(), t0()));
    step(Progress::Sweep { to: at(10_000), began, end: at(10_000) }, &mut watch);
    assert_eq!((watch.head.sweep.previous, watch.head.sweep.cursor.clone()), (began, None));
    assert_eq!(watch.head.floor, began - timing.sweep, "only now the floor follows");
    assert_eq!(watch.head.watermark, at(10_000), "a sweep moves no watermark");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// P2 for keyed rules: every row is told, suppressed or in a digest, exactly once.
    #[test]
    fn keyed_rows_are_accounted_for_once(
        arrivals in prop::collection::vec((1..40_i64, 0..3_usize, 0..3_usize), 1..40),
        renotify in 10..200_i64,
    ) {
        let mut watch = Watching::new(rule(EVENT, &["Caller"], Some(renotify)));
        let (mut minute, mut accounted) = (0, 0);
        let callers = ["a", "b", "c"];
        let groups = ["x", "y", "z"];
        for (n, (wait, caller, group)) in arrivals.iter().enumerate() {
            minute += wait;
            // One key in two groups at once.
            let two = [group, &((group + 1) % 3)];
            let rows = two.map(|g| row(at(minute - 1), groups[*g], callers[*caller], n)).to_vec();
            for alert in watch.event(minute, rows) {
                accounted += alert.count + alert.suppressed;
            }
        }
        for alert in watch.event(minute + renotify, vec![]) {
            prop_assert_eq!(alert.reason, Reason::Digest);
            accounted += alert.count;
        }
        prop_assert_eq!(accounted, 2 * arrivals.len() as u64);
    }

    /// P2 for event rules: any split of any rows over evaluations tells the same multiset.
    #[test]
    fn rows_are_told_once_in_any_order(
        rows in prop::collection::vec((0..5_i64, 0..3_usize), 0..30),
        cuts in prop::collection::vec(0..30_usize, 1..5),
    ) {
        let all: Vec<Row> = rows.iter().map(|(minute, n)| row(at(*minute), "g", "c", *n)).collect();
        let mut watch = Watching::new(rule(EVENT, &[], None));
        let mut told = Vec::new();
        // Rows become visible one after the other, and every query returns all that are.
        let mut visible: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).collect();
        visible.sort_unstable();
        visible.push(all.len());
        for (minute, upto) in (10..).zip(visible) {
            for alert in watch.event(minute, all[..upto].to_vec()) {
                told.extend(alert.hits.into_iter().map(|hit| hit.fingerprint));
            }
        }
        let n = told.len();
        told.sort();
        told.dedup();
        prop_assert_eq!((n, told.len()), (all.len(), all.len()));
    }
}
