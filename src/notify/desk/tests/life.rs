//! What becomes of a case between alerts: closed, deleted, resolved, opened again, over.

use super::*;

#[test]
fn one_case_an_incident_and_a_new_one_after_it_was_closed() {
    for name in ALL {
        let mut world = World::new(name);
        world.told(&alert(1));
        world.wait(1);
        world.told(&alert(2));
        world.wait(1);
        world.told(&alert(3));
        assert_eq!(world.open(), [true], "{name}");
        assert_eq!(world.desk.cases()[0].count, 3, "{name}");
        assert_eq!(world.desk.cases()[0].key, alert(1).incident_key);
        assert_eq!(world.memory.told, 3);

        let former = world.desk.cases()[0].name.clone();
        world.close_all();
        world.told(&alert(4));
        assert_eq!(world.open(), [false, true], "{name}");
        let case = &world.desk.cases()[1];
        let text = format!("{}{}", case.text, case.record);
        // By its name where the desk tells it, and by the alert before in any case.
        assert!(text.contains(&alert(3).id), "{name}: {text}");
        assert!(!world.searches() || text.contains(&former), "{name}: {text}");
        world.wait(1);
        world.told(&alert(5));
        assert_eq!(world.open(), [false, true], "{name}");
        world.clean();
    }
}

#[test]
fn another_incident_has_another_case() {
    for name in ALL {
        let mut world = World::new(name);
        world.told(&alert(1));
        let mut other = alert(2);
        other.incident_key = "0123456789abcdef0123456789abcdef".to_owned();
        world.memory = Memory::default();
        world.wait(10);
        world.told(&other);
        assert_eq!(world.open(), [true, true], "{name}");
        world.clean();
    }
}

#[test]
fn what_is_forgotten_is_searched_for() {
    for name in ALL {
        let mut world = World::new(name);
        world.told(&alert(1));
        world.wait(10);
        world.memory = Memory::default();
        world.told(&alert(2));
        assert_eq!(world.open(), [true], "{name}");
        if world.searches() {
            assert_eq!(world.acts, [Act::Find, Act::Look, Act::Note], "{name}");
            assert_eq!(world.notes(), [1]);
        }
        world.clean();
    }
}

#[test]
fn a_case_that_is_gone_is_not_missed() {
    let mut jira = Jira::new("SEC", "user", "secret");
    let mut world = World::with("jira", Kind::Jira, "", BASIC, Box::new(jira.clone()));
    world.told(&alert(1));
    // It was deleted.
    let id = world.memory.case.clone().unwrap().id;
    jira = Jira::new("SEC", "user", "secret");
    world.desk = Box::new(jira);
    world.told(&alert(2));
    assert_eq!(world.acts, [Act::Look, Act::Find, Act::Open]);
    assert_eq!(world.open(), [true]);
    assert!(!id.is_empty());
}

#[test]
fn a_case_that_was_opened_again_is_noted() {
    // Closed, so a new one was opened; then people opened the old one again and closed the new one.
    let mut world = World::incident(|_| {});
    world.told(&alert(1));
    let old = world.memory.case.clone();
    world.close_all();
    world.told(&alert(2));
    let new = world.memory.case.clone();
    assert_ne!(old, new);
    world.close_all();
    world.memory.case = new;
    world.told(&alert(3));
    assert_eq!(world.open(), [false, false, true]);
}

#[test]
fn resolved_incidents_are_opened_again() {
    let mut world = World::new("incident");
    world.told(&alert(1));
    // A person resolves it: it is active still, and nobody looks at it.
    let Case { id, .. } = world.memory.case.clone().unwrap();
    let path = format!("/api/now/table/incident/{id}");
    let body = json!({ "state": "6", "close_code": "Known error", "close_notes": "x" });
    let resolve = Ask::json(Act::Resolve, Method::Patch, path, &body);
    assert_eq!(world.call(&resolve).unwrap().status, 200);
    assert_eq!(world.desk.cases()[0].record["state"], "6");
    world.told(&alert(2));
    assert_eq!(world.desk.cases()[0].record["state"], "2");
    assert_eq!((world.open(), world.notes()), (vec![true], vec![1]));
    world.clean();
}

#[test]
fn a_case_closed_between_look_and_note_has_a_successor() {
    // An instance that lets nobody write to what is closed: the note is refused, and then it is seen to be closed.
    let mut world = World::incident(|_| {});
    world.told(&alert(1));
    let id = world.memory.case.clone().unwrap().id;
    let receiver = world.receiver.clone();
    let second = alert(2);
    let errand =
        Errand { receiver: &receiver, alert: &second, again: false, resolve: false, at: world.now };
    let notify::Settings::Desk(settings) = &receiver.settings else { panic!() };
    let mut exchange = Exchange::begin(settings, errand, world.memory.clone());
    let mut acts = Vec::new();
    let verdict = loop {
        match exchange.step() {
            Step::Ask(ask) => {
                if ask.act == Act::Note {
                    world.desk.close(world.now, &id);
                }
                acts.push(ask.act);
                let answered = world.call(&ask);
                exchange.take(&answered);
            }
            Step::End(verdict) => break verdict,
        }
    };
    assert_eq!(verdict, Verdict::Delivered);
    assert_eq!(acts, [Act::Look, Act::Note, Act::Look, Act::Find, Act::Open]);
    assert_eq!(world.open(), [false, true]);
}

#[test]
fn who_may_not_note_is_told_so() {
    let mut world = World::jira(|jira| jira.may_comment = false);
    world.told(&alert(1));
    let verdict = world.tell(&alert(2));
    let why = "status 400: You do not have the permission to comment on this issue".to_owned();
    assert_eq!(verdict, Verdict::ReceiverBroken { why });
    assert_eq!(world.acts, [Act::Look, Act::Note, Act::Look]);
    let mut world = World::incident(|desk| desk.may_write = false);
    world.told(&alert(1));
    let verdict = world.tell(&alert(2));
    let Verdict::ReceiverBroken { why } = verdict else { panic!("{verdict:?}") };
    assert!(why.contains("ACL Exception") && why.contains("roles"), "{why}");
}

#[test]
fn conditions_of_its_own_are_closed_when_they_are_over() {
    for name in ALL {
        let mut world = World::new(name);
        world.told(&own(1, false));
        assert_eq!(world.open(), [true], "{name}");
        world.wait(1);
        world.told(&own(2, true));
        let closed = match name {
            // Resolved, which is not closed yet.
            "incident" => world.desk.cases()[0].record["state"] == "6",
            _ => world.open() == [false],
        };
        assert!(closed, "{name}: {:?}", world.desk.cases());
        // It says why.
        if world.searches() {
            let case = &world.desk.cases()[0];
            assert!(case.notes.iter().any(|note| note.contains("Well again")), "{name}");
        }
        world.clean();
    }
}

#[test]
fn a_well_again_that_overtakes_still_closes() {
    for name in ALL {
        let mut world = World::new(name);
        world.told(&own(2, true));
        assert_eq!(world.open(), [] as [bool; 0], "{name}");
        world.wait(1);
        world.told(&own(1, false));
        let open = match name {
            "incident" => world.desk.cases().iter().any(|case| case.record["state"] != "6"),
            _ => world.open().contains(&true),
        };
        assert!(!open, "{name}");
        // A later one that is not over stays.
        world.wait(1);
        world.told(&own(3, false));
        assert!(world.open().contains(&true), "{name}");
        // And a straggler that says that the one before was over changes nothing.
        world.wait(1);
        world.told(&own(2, true));
        assert!(world.acts.is_empty() && world.open().contains(&true), "{name}");
        world.clean();
    }
}

#[test]
fn audit_events_are_never_closed() {
    for name in ALL {
        let mut world = World::new(name);
        for n in 1..4 {
            world.told(&alert(n));
            world.wait(1);
            assert!(!world.acts.contains(&Act::Resolve));
        }
        assert_eq!(world.open(), [true]);
    }
}

#[test]
fn a_test_cleans_up() {
    for name in ALL {
        let mut world = World::new(name);
        let mut test = alert(1);
        test.reason = crate::watch::alert::Reason::Test;
        world.told(&test);
        world.wait(1);
        assert_eq!(world.exchange(&test, false, true), Verdict::Delivered);
        let open = match name {
            "incident" => world.desk.cases()[0].record["state"] != "6",
            _ => world.open() == [true],
        };
        assert!(!open, "{name}");
        world.clean();
    }
}

#[test]
fn where_closing_is_not_possible_people_are_left_to_it() {
    // A screen that demands something; no way to a status that is done.
    for ways in [0, 1] {
        let mut world = World::jira(|jira| {
            jira.workflow[2].demands = Some("resolution".to_owned());
            if ways == 0 {
                jira.workflow.truncate(2);
            }
        });
        world.told(&own(1, false));
        world.wait(1);
        world.told(&own(2, true));
        assert_eq!(world.open(), [true]);
        assert_eq!(world.notes(), [1]);
    }
}
