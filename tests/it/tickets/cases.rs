//! What becomes of cases.

use super::{
    ALL, EVENTS, INCIDENTS, JIRA, JSM, PAGERDUTY, bed, clean, each, jira, jsm, open, servicenow,
    with,
};
use crate::support::bed::TestBed;
use crate::support::desks::Desk;
use crate::support::desks::servicenow::Journal;
use crate::support::fake_desk::{FakeDesk, Fault};
use crate::support::fake_logs::Fault as LogFault;
use crate::support::gate::Stop;
use chrono::{TimeDelta, Utc};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The id and the incident's key of the last alert that the webhook `itsm` was told.
fn last(bed: &TestBed) -> (String, String) {
    let delivery = bed.at("itsm").deliveries().pop().unwrap();
    let key = delivery.json()["data"]["incident_key"].as_str().map(str::to_owned);
    (delivery.id().to_owned(), key.unwrap_or_default())
}

#[test]
fn alerts_of_an_incident_share_a_case_until_a_person_closes_it() {
    each(&ALL, |sort| {
        let name = format!("{} {}", sort.kind, sort.lines);
        let (bed, desk) = with(bed().receiver("itsm", "webhook"), sort, (sort.make)());
        bed.begin();
        bed.delete_key("first-client");
        bed.run_once().exits(0).without_talk();
        let (first, key) = last(&bed);
        let case = open(&desk).remove(0);
        assert_eq!((case.key.as_str(), case.count), (key.as_str(), 1), "{name}");
        let level = match sort.kind {
            "pagerduty" => "critical",
            "jira-service-management" => "P1",
            "servicenow" if case.name.starts_with("INC") => "1/1",
            "servicenow" => "1",
            // The project's default.
            _ => "",
        };
        assert_eq!(case.level, level, "{name}");
        assert!(
            case.title.contains("CRITICAL") && case.title.contains("Key deleted"),
            "{name}: {}",
            case.title
        );
        for part in
            ["first-client", "10.20.4.17", "Ask the owner of the calling host at once", &first]
        {
            assert!(case.text.contains(part), "{name}: no {part} in {}", case.text);
        }

        // Told to the same case, once.
        bed.delete_key("second-client");
        bed.run_once().exits(0).without_talk();
        let (second, _) = last(&bed);
        let [case] = &desk.cases()[..] else { panic!("{name}: {:?}", desk.cases()) };
        assert_eq!((case.open, case.count), (true, 2), "{name}");
        assert_eq!(case.notes.len(), 1, "{name}");
        assert!(
            case.notes[0].contains("second-client") && case.notes[0].contains(&second),
            "{name}: {}",
            case.notes[0]
        );
        assert!(!case.notes[0].contains("first-client"), "{name}: {}", case.notes[0]);

        // A person closes it: another opens, and names the former.
        desk.close(&case.id);
        bed.delete_key("third-client");
        bed.run_once().exits(0).without_talk();
        let cases = desk.cases();
        let [former, case] = &cases[..] else { panic!("{name}: {cases:?}") };
        assert_eq!((former.open, case.open, &case.key), (false, true, &key), "{name}");
        assert!(case.text.contains("third-client"), "{name}: {}", case.text);
        let named = case.text.contains(&former.name) || case.text.contains(&second);
        assert!(named, "{name}: {}", case.text);
        clean(&desk);
        bed.run_once().exits(0).without_talk();
        assert_eq!(desk.cases().len(), 2, "{name}");
    });
}

/// A case is asked for, and nobody knows what came of it.
fn ambiguous<D: Desk + 'static>(bed: &TestBed, desk: &FakeDesk<D>, opening: &str) {
    bed.begin();
    bed.delete_key("a");
    desk.when_exactly(opening, Fault::Ambiguous, 1);
    bed.run_once().exits(0).says("waits for desk until").says("no answer");
    assert_eq!(open(desk).len(), 1, "it is there");
    let opened = |desk: &FakeDesk<D>| desk.whats().iter().filter(|what| *what == opening).count();
    assert_eq!(opened(desk), 1);

    // The search does not show it yet: it is not asked for again, not even for the next alert.
    bed.delete_key("b");
    bed.deliveries_come_due();
    bed.run_once().exits(0).says("whether it was opened is not known yet");
    assert_eq!(opened(desk), 1);

    desk.advance(TimeDelta::minutes(2));
    bed.deliveries_come_due();
    bed.run_once().exits(0);
    // The second may have waited for its turn.
    bed.deliveries_come_due();
    bed.run_once().exits(0).without_talk();
    assert_eq!(opened(desk), 1);
    let [case] = &desk.cases()[..] else { panic!("{:?}", desk.cases()) };
    assert_eq!((case.count, case.notes.len()), (2, 1), "each alert is told once: {case:?}");
    assert!(case.text.contains('a') && case.notes[0].contains('b'));
    clean(desk);
}

#[test]
fn an_issue_whose_fate_is_not_known_is_never_opened_twice() {
    let mut site = jira();
    site.search_lag = TimeDelta::minutes(1);
    let (bed, desk) = with(bed(), &JIRA, site);
    ambiguous(&bed, &desk, "POST /rest/api/3/issue");
}

#[test]
fn an_incident_whose_fate_is_not_known_is_never_opened_twice() {
    let mut instance = servicenow();
    instance.search_lag = TimeDelta::minutes(1);
    let (bed, desk) = with(bed(), &INCIDENTS, instance);
    ambiguous(&bed, &desk, "POST /api/now/table/incident");
}

#[test]
fn what_never_came_to_be_is_opened_when_a_search_would_show_it() {
    let openings =
        [(&JIRA, "POST /rest/api/3/issue"), (&INCIDENTS, "POST /api/now/table/incident")];
    each(&openings, |(sort, opening)| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        desk.when_exactly(opening, Fault::HangUp, 1);
        bed.run_once().exits(0).says("no answer");
        bed.deliveries_come_due();
        bed.run_once().exits(0).says("whether it was opened is not known yet");
        assert_eq!(desk.cases().len(), 0);
        bed.cases_settle();
        bed.deliveries_come_due();
        bed.run_once().exits(0).without_talk();
        assert_eq!(open(&desk).len(), 1);
        clean(&desk);
    });
}

#[test]
fn a_note_whose_fate_is_not_known_is_added_once() {
    let notes = [(&JIRA, "/comment"), (&INCIDENTS, "PATCH /api/now/table/incident/")];
    let faults = [Fault::Ambiguous, Fault::HangUp, Fault::Masked(502)];
    let all: Vec<_> =
        notes.iter().flat_map(|note| faults.iter().map(move |f| (*note, f))).collect();
    each(&all, |((sort, note), fault)| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0).without_talk();
        bed.delete_key("b");
        desk.when(note, (*fault).clone(), 1);
        bed.run_once().exits(0).says("waits for desk until");
        bed.deliveries_come_due();
        bed.run_once().exits(0).without_talk();
        let [case] = &desk.cases()[..] else { panic!("{:?}", desk.cases()) };
        assert_eq!(case.notes.len(), 1, "{} {fault:?}: {:?}", sort.kind, case.notes);
        clean(&desk);
    });
}

#[test]
fn notes_are_added_where_they_may_not_be_read() {
    for journal in [Journal::Refused, Journal::Empty] {
        let mut instance = servicenow();
        instance.journal = journal;
        let (bed, desk) = with(bed(), &INCIDENTS, instance);
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0).without_talk();
        bed.delete_key("b");
        desk.when("PATCH", Fault::HangUp, 1);
        bed.run_once().exits(0).says("waits for desk until");
        bed.deliveries_come_due();
        bed.run_once().exits(0).without_talk();
        assert_eq!((desk.cases().len(), desk.cases()[0].count), (1, 2), "{journal:?}");
        clean(&desk);
    }
}

#[test]
fn where_the_desk_knows_a_key_nothing_is_opened_twice_either() {
    each(&[&PAGERDUTY, &JSM, &EVENTS], |sort| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        desk.script([Fault::Ambiguous]);
        bed.run_once().exits(0).says("waits for desk until");
        desk.script([Fault::Masked(503)]);
        bed.deliveries_come_due();
        bed.run_once().exits(0).says("status 503");
        bed.deliveries_come_due();
        bed.run_once().exits(0).without_talk();
        assert_eq!(open(&desk).len(), 1, "{}", sort.kind);
        assert_eq!(desk.cases().len(), 1, "{}", sort.kind);
        clean(&desk);
    });
}

#[test]
fn whoever_is_killed_on_the_way_leaves_no_second_case() {
    // The workspace is asked before: the desk's calls are among the first few.
    let all: Vec<_> =
        [&JIRA, &INCIDENTS].into_iter().flat_map(|s| (1..=5).map(move |n| (s, n))).collect();
    let killed = AtomicUsize::new(0);
    each(&all, |(sort, n)| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        killed.fetch_add(usize::from(bed.run_killed(*n, Stop::Unanswered)), Ordering::Relaxed);
        for _ in 0..2 {
            bed.deliveries_come_due();
            bed.cases_settle();
            bed.run_once();
        }
        let [case] = &desk.cases()[..] else { panic!("{} {n}: {:?}", sort.kind, desk.cases()) };
        assert_eq!((case.open, case.count), (true, 1), "{} {n}: {case:?}", sort.kind);
        clean(&desk);
    });
    assert!(killed.into_inner() >= 4, "they get that far");
}

#[test]
fn what_is_over_is_resolved_and_what_was_logged_is_not() {
    each(&ALL, |sort| {
        let name = format!("{} {}", sort.kind, sort.lines);
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0).without_talk();
        bed.logs.fault_when(|_| true, LogFault::Semantic("'project' operator: no such column"));
        bed.run_once().exits(1);
        bed.run_once().exits(1);
        let [audit, own] = &open(&desk)[..] else { panic!("{name}: {:?}", desk.cases()) };
        assert_ne!(audit.key, own.key, "{name}");
        bed.logs.mend();
        bed.run_once().exits(0);
        bed.run_once().exits(0).without_talk();
        if own.name.starts_with("INC") {
            // Resolved is active until it is closed, by the instance or by people.
            assert_eq!(desk.cases()[1].record["state"], "6", "{name}");
            assert_eq!(desk.cases()[0].record["state"], "1", "{name}");
        } else {
            let open: Vec<String> = open(&desk).into_iter().map(|case| case.id).collect();
            assert_eq!(open, [audit.id.as_str()], "{name}: what was logged stays open");
        }
        clean(&desk);
    });
}

#[test]
fn a_resolved_incident_is_worked_on_again() {
    let (bed, desk) = with(bed(), &INCIDENTS, servicenow());
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    let id = desk.cases()[0].id.clone();
    desk.with(|instance| instance.set_state(Utc::now(), &id, "6"));
    bed.delete_key("b");
    bed.run_once().exits(0).without_talk();
    assert_eq!(desk.with(|instance| instance.state(&id)), "2");
    assert_eq!((desk.cases().len(), desk.cases()[0].count), (1, 2));
    clean(&desk);
}

#[test]
fn a_case_that_people_opened_again_is_the_case() {
    let mut site = jira();
    site.search_lag = TimeDelta::minutes(1);
    let (bed, desk) = with(bed(), &JIRA, site);
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    let id = desk.cases()[0].id.clone();
    desk.advance(TimeDelta::minutes(2));
    desk.close(&id);
    desk.advance(TimeDelta::minutes(2));
    // The search still shows it as closed.
    desk.with(|site| site.reopen(Utc::now() + TimeDelta::minutes(4), &id));
    bed.delete_key("b");
    bed.run_once().exits(0).without_talk();
    assert_eq!((desk.cases().len(), desk.cases()[0].count), (1, 2));
    clean(&desk);
}

#[test]
fn a_case_that_is_gone_is_followed_by_another() {
    let (bed, desk) = with(bed(), &JIRA, jira());
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    desk.with(|site| site.delete(Utc::now(), "10000"));
    bed.delete_key("b");
    bed.run_once().exits(0).without_talk();
    assert_eq!(open(&desk).len(), 1);
    assert!(open(&desk)[0].text.contains('b'));
    clean(&desk);
}

#[test]
fn requests_that_are_done_later_still_make_one_case() {
    let mut team = jsm();
    team.lag = TimeDelta::minutes(1);
    let (bed, desk) = with(bed(), &JSM, team);
    bed.begin();
    for client in ["a", "b"] {
        bed.delete_key(client);
        bed.run_once().exits(0).without_talk();
    }
    assert_eq!(desk.cases().len(), 0);
    desk.advance(TimeDelta::minutes(2));
    let [case] = &desk.cases()[..] else { panic!("{:?}", desk.cases()) };
    assert_eq!((case.count, case.notes.len()), (2, 1));
    assert_eq!(desk.with(|team| team.lost()), [""; 0]);
    clean(&desk);
}

#[test]
fn a_test_leaves_real_cases_alone_and_cleans_up() {
    each(&ALL, |sort| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0).without_talk();
        let ran = bed.run(&["send-test", "desk", "--resolve"]).exits(0).says("closed again");
        let cases = desk.cases();
        let [real, test] = &cases[..] else { panic!("{}: {cases:?}", sort.kind) };
        assert_eq!((real.open, real.count, real.notes.len()), (true, 1, 0), "{}", sort.kind);
        assert!(!test.open || test.record["state"] == "6", "{}: {ran:?}", sort.kind);
        assert!(test.title.to_lowercase().starts_with("test"), "{}: {}", sort.kind, test.title);
        let ran = bed.run(&["send-test", "desk"]).exits(0).says("look at");
        assert_eq!(desk.cases().len(), 3, "{}: a test is an incident of its own", sort.kind);
        let case = desk.cases().remove(2);
        assert!(case.open, "{}", sort.kind);
        if matches!(sort.kind, "jira") || case.name.starts_with("INC") {
            assert!(ran.stderr.contains(&case.name), "{ran:?}");
        }
        clean(&desk);
    });
}
