//! Calls whose fate is not known.

use super::*;

/// Whatever gets lost at whatever call, attempts later there is one case that holds the alert once.
#[test]
fn lost_answers_make_no_second_case() {
    let faults = [
        Fault::Request,
        Fault::Answer,
        Fault::Connection,
        Fault::Half,
        Fault::Gateway(502),
        Fault::Gateway(408),
        Fault::Gateway(429),
    ];
    let acts = [Act::Tell, Act::Find, Act::Look, Act::Open, Act::Note];
    for name in ALL {
        for fault in faults {
            for act in acts {
                for first in [true, false] {
                    let mut world = World::new(name);
                    if !first {
                        world.told(&alert(1));
                        world.wait(10);
                    }
                    world.fault = Some((act, fault));
                    let hit = |world: &World| world.fault.is_none();
                    let mut verdict = world.tell(&alert(2));
                    let at = format!("{name} {fault:?} at {act:?}, first {first}");
                    if hit(&world) && !(act == Act::Note && verdict == Verdict::Delivered) {
                        // An accepted answer that breaks off is still an acceptance where nothing is read in it.
                        let retried = matches!(verdict, Verdict::Retry { .. });
                        let read = matches!(act, Act::Find | Act::Look | Act::Open);
                        assert!(retried || fault == Fault::Half && !read, "{at}: {verdict:?}");
                    }
                    for _ in 0..12 {
                        if verdict == Verdict::Delivered {
                            break;
                        }
                        world.wait(1);
                        verdict = world.exchange(&alert(2), true, false);
                    }
                    assert_eq!(verdict, Verdict::Delivered, "{at}");
                    assert_eq!(world.open(), [true], "{at}");
                    if world.searches() {
                        assert_eq!(world.notes(), [usize::from(!first)], "{at}");
                    }
                    world.clean();
                }
            }
        }
    }
}

#[test]
fn a_search_that_lags_is_waited_for() {
    let lag = TimeDelta::minutes(4);
    for mut world in
        [World::jira(|jira| jira.search_lag = lag), World::incident(|desk| desk.search_lag = lag)]
    {
        world.fault = Some((Act::Open, Fault::Answer));
        assert!(matches!(world.tell(&alert(1)), Verdict::Retry { .. }));
        assert_eq!(world.open(), [true]);
        world.wait(1);
        // Whether it was opened is not known: nothing is opened before a search would show it.
        let verdict = world.exchange(&alert(1), true, false);
        let Verdict::Retry { why, .. } = verdict else { panic!("{verdict:?}") };
        assert!(why.starts_with("a case was asked for at 09:16:00 UTC, "), "{why}");
        assert_eq!(world.acts, [Act::Find]);
        world.wait(3);
        world.told_again(&alert(1));
        assert_eq!(world.acts, [Act::Find, Act::Look]);
        assert_eq!((world.open(), world.notes()), (vec![true], vec![0]));
        world.clean();
    }
}

#[test]
fn what_never_arrived_is_asked_for_again_after_a_while() {
    for name in ["jira", "incident"] {
        let mut world = World::new(name);
        world.fault = Some((Act::Open, Fault::Request));
        assert!(matches!(world.tell(&alert(1)), Verdict::Retry { .. }));
        world.wait(5);
        world.told_again(&alert(1));
        assert_eq!(world.acts, [Act::Find, Act::Open]);
        assert_eq!(world.open(), [true]);
    }
}

/// What only hinders the tidying up is no reason to tell again.
#[test]
fn notes_that_cannot_be_read_do_not_hinder() {
    for fault in [Fault::Gateway(403), Fault::Half] {
        let mut world = World::new("jira");
        world.told(&alert(1));
        world.fault = Some((Act::Note, Fault::Answer));
        assert!(matches!(world.tell(&alert(2)), Verdict::Retry { .. }));
        world.wait(1);
        world.fault = Some((Act::Read, fault));
        world.told_again(&alert(2));
        assert!(world.notes()[0] <= 2);
    }
}
