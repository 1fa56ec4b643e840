//! What must hold in every world, and the bugs that must not go unnoticed.

use super::{Options, World, desks, run};
use crate::engine::record::End;
use crate::planted::{Bug, plant};
use crate::watch::alert::{Alert, Reason};
use crate::watch::own;
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is broken in a world.
fn check(world: &World) -> Vec<String> {
    let mut broken = world.oracle.broken();
    exactly_once(world, &mut broken);
    every_alert_ends(world, &mut broken);
    cases(world, &mut broken);
    broken
}

/// P12: what a desk was told. That it never has two open cases for an incident is seen at every call.
fn cases(world: &World, broken: &mut Vec<String>) {
    let committed = world.oracle.committed();
    for desk in world.desks.names() {
        let cases = world.desks.cases(desk);
        let texts: Vec<Vec<String>> = cases
            .iter()
            .map(|case| {
                let own =
                    if case.text.is_empty() { case.record.to_string() } else { case.text.clone() };
                case.notes.iter().cloned().chain([own]).collect()
            })
            .collect();
        let mut last: BTreeMap<&str, &Alert> = BTreeMap::new();
        for committed in &committed {
            let alert = &committed.alert;
            let latest = last.entry(&alert.incident_key).or_insert(alert);
            if latest.time <= alert.time {
                *latest = alert;
            }
            let ended = world.record(&alert.id, desk).and_then(|record| record.end);
            if ended != Some(End::Delivered) {
                broken.push(format!("P12: {desk} and {}: {ended:?}", alert.id));
                continue;
            }
            // That something is over need not be said where nothing was said of it.
            if own::is_well_again(alert) {
                continue;
            }
            // The alert after it names it as the one before.
            let before = format!("the one before was {}", alert.id);
            let names = |text: &&String| text.contains(&alert.id) && !text.contains(&before);
            let times = texts.iter().map(|texts| texts.iter().filter(names).count());
            // Twice only if the answer to a note is lost and a person closes that case before it is asked for.
            let most = times.max().unwrap_or(0);
            if most == 0 {
                broken.push(format!(
                    "P12: {desk} was never told {} ({})",
                    alert.id, alert.rule.title
                ));
            }
            if most > 1 && desks::tells_once(desk) {
                broken.push(format!("P12: {desk} was told {} {most} times", alert.id));
            }
        }
        for case in cases.iter().filter(|case| case.open) {
            // Resolved incidents stay active for a while.
            let resolved = case.record["state"] == "6";
            let over = last.get(case.key.as_str()).is_some_and(|alert| own::is_well_again(alert));
            if over && !resolved {
                broken.push(format!(
                    "P12: {desk}: {} is over, and {} is open",
                    case.title, case.name
                ));
            }
        }
        for case in &cases {
            let audit = last.get(case.key.as_str()).is_some_and(|alert| !own::is_own(alert));
            if audit && !case.open && !world.desks.closed_by_people(desk, &case.id) {
                broken.push(format!("P12: {desk}: {} was closed, and nobody did", case.name));
            }
        }
    }
}

/// P1, P2, P4, P5: the multiset of source rows against the multiset over all bodies ever committed.
fn exactly_once(world: &World, broken: &mut Vec<String>) {
    let told = world.oracle.told_rows();
    let gaps = world.oracle.gaps();
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    for row in world.rows.iter() {
        let Some(version) = world.oracle.version_at(row.time) else { continue };
        let matches = version.query.trim_start_matches("letters ").contains(row.operation);
        let named = gaps.iter().any(|gap| gap.interval.contains(row.time));
        if matches && row.time >= world.started && !named {
            *wanted.entry(&row.name).or_default() += 1;
        }
    }
    for (name, n) in &wanted {
        let times = told.get(*name).map_or(0, Vec::len);
        if times < *n {
            broken.push(format!("P1: {name} is there {n} times and was told {times} times"));
        }
        if times > *n {
            broken.push(format!("P2: {name} is there {n} times and was told {times} times"));
        }
    }
    for name in told.keys().filter(|name| !wanted.contains_key(name.as_str())) {
        let row = world.rows.iter().find(|row| row.name == **name).unwrap();
        if !gaps.iter().any(|gap| gap.interval.contains(row.time)) {
            broken.push(format!("P5: {name} of {} was told but is no hit", row.time));
        }
    }
}

/// P7, P8: what was committed ended, and `b`, which never fails, has all of it.
fn every_alert_ends(world: &World, broken: &mut Vec<String>) {
    for head in world.oracle.heads() {
        if head.open_alerts() > 0 {
            broken.push(format!(
                "P7: {} alerts of {} never ended",
                head.open_alerts(),
                head.watch.rule
            ));
        }
    }
    for committed in world.oracle.committed() {
        let alert = &committed.alert;
        if alert.receivers.iter().any(|r| r == "b") && world.oracle.accepted(&alert.id, "b") == 0 {
            broken.push(format!("P8: `b` never got {} ({})", alert.id, alert.rule.title));
        }
    }
}

fn holds(seed: u64, options: Options) {
    let broken = check(&run(seed, options));
    assert!(
        broken.is_empty(),
        "seed {seed}: {} broken, such as {:#?}",
        broken.len(),
        &broken[..broken.len().min(5)]
    );
}

const QUIET: Options = Options {
    days: 4,
    every: 45,
    latest: 49 * 60,
    outages: false,
    edits: false,
    faults: (0, 0, 0),
    clocks: false,
    instances: 1,
    moods: false,
    calm: 3,
    desks: false,
};

/// A day in which attempts follow each other within minutes, as they do in life.
const DESKS: Options = Options { days: 1, every: 2, latest: 60, calm: 2, desks: true, ..QUIET };

/// The worlds that a property is held against: the same few at every build, so that a red build is about its change; as many
/// others as you like with `HSMWATCH_WORLDS`.
#[expect(clippy::disallowed_methods, reason = "a knob of the tests")]
fn worlds_of(few: u32) -> ProptestConfig {
    let wanted = std::env::var("HSMWATCH_WORLDS").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: wanted.unwrap_or(few),
        rng_seed: if wanted.is_some() { RngSeed::Random } else { RngSeed::Fixed(20_260_301) },
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(worlds_of(6))]

    #[test]
    fn late_rows_are_told_once(seed in any::<u64>()) {
        holds(seed, QUIET);
    }

    #[test]
    fn outages_lose_nothing(seed in any::<u64>()) {
        holds(seed, Options { outages: true, ..QUIET });
    }

    #[test]
    fn edits_neither_miss_nor_shout(seed in any::<u64>()) {
        holds(seed, Options { edits: true, outages: true, ..QUIET });
    }

    #[test]
    fn stepping_clocks_lose_nothing(seed in any::<u64>()) {
        holds(seed, Options { clocks: true, outages: true, ..QUIET });
    }

    #[test]
    fn lost_replies_and_crashes_lose_nothing(seed in any::<u64>()) {
        holds(seed, Options { faults: (20, 20, 10), outages: true, moods: true, calm: 5, ..QUIET });
    }

    #[test]
    fn instances_do_not_meet(seed in any::<u64>()) {
        holds(seed, Options { instances: 2, faults: (10, 10, 5), days: 3, ..QUIET });
    }

    #[test]
    fn everything_at_once(seed in any::<u64>()) {
        holds(seed, Options {
            outages: true,
            edits: true,
            faults: (10, 10, 5),
            clocks: true,
            instances: 2,
            moods: true,
            calm: 6,
            ..QUIET
        });
    }
}

proptest! {
    // A world with five desks takes as long as ten without.
    #![proptest_config(worlds_of(2))]

    #[test]
    fn desks_keep_one_case_an_incident(seed in any::<u64>()) {
        holds(seed, Options { faults: (10, 20, 10), ..DESKS });
    }

    #[test]
    fn instances_do_not_meet_at_a_desk(seed in any::<u64>()) {
        holds(seed, Options { faults: (10, 10, 5), instances: 2, ..DESKS });
    }
}

/// The world in which a bug shows.
fn caught(bug: Bug, options: Options) {
    plant(Some(bug));
    let found = (0..20).any(|seed| !check(&run(seed, options)).is_empty());
    plant(None);
    assert!(found, "{bug:?} went unnoticed in 20 worlds");
}

#[test]
fn a_sweep_anchored_at_now_is_caught() {
    caught(Bug::SweepAnchoredAtNow, Options { outages: true, ..QUIET });
}

#[test]
fn pruning_above_the_floor_is_caught() {
    caught(Bug::PruneAboveFloor, QUIET);
}

#[test]
fn a_dropped_ordinal_is_caught() {
    caught(Bug::OrdinalDropped, QUIET);
}

#[test]
fn tickets_before_the_commit_are_caught() {
    caught(Bug::TicketsBeforeCommit, Options { faults: (20, 20, 10), ..QUIET });
}

#[test]
fn sending_without_a_claim_is_caught() {
    caught(Bug::NoClaim, Options { instances: 2, days: 2, ..QUIET });
}

#[test]
fn a_watermark_set_to_now_is_caught() {
    caught(Bug::WatermarkIsNow, Options { outages: true, ..QUIET });
}

#[test]
fn talking_to_a_desk_out_of_turn_is_caught() {
    caught(Bug::NoTurn, Options { instances: 2, ..DESKS });
}

#[test]
fn an_attempt_that_is_forgotten_is_caught() {
    caught(Bug::OpeningForgotten, Options { faults: (10, 20, 10), ..DESKS });
}

/// That nothing is broken would say little if nothing happened.
#[test]
fn worlds_have_something_to_tell() {
    for seed in 0..3 {
        let told = run(seed, QUIET).oracle.told_rows();
        assert!(told.len() > 20, "seed {seed}: {} rows", told.len());
        let reasons: BTreeSet<_> = told.values().flatten().map(|(_, reason)| *reason).collect();
        assert!(reasons.contains(&Reason::New) && reasons.contains(&Reason::Sweep), "{reasons:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let ids = |world: World| -> Vec<_> {
        world.oracle.committed().into_iter().map(|c| (c.alert.id, c.at)).collect()
    };
    let options = Options { days: 1, calm: 1, ..QUIET };
    assert_eq!(ids(run(7, options)), ids(run(7, options)));
    assert!(run(7, options).end > run(7, options).started + TimeDelta::hours(1));
}
