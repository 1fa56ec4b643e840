//! Exchanges with desks as the fakes play them, with answers that get lost and people who do what they like.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::fakes::{self, Desk as _};
use super::*;
use crate::notify::exchange::{Act, Reply};
use crate::notify::samples::{self, t};
use crate::notify::verdict::{NoAnswer, Verdict};
use crate::notify::{self};
use fakes::jira::Jira;
use fakes::jsm::Jsm;
use fakes::pagerduty::PagerDuty;
use fakes::servicenow::ServiceNow;
use serde_json::json;
use std::time::Duration;

const ALL: [&str; 5] = ["jira", "incident", "em_event", "pagerduty", "jsm"];

/// What gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The request, and nobody knows.
    Request,
    /// The answer.
    Answer,
    /// There is no connection.
    Connection,
    /// Something in between answers.
    Gateway(u16),
    /// The answer breaks off.
    Half,
}

/// A receiver and its desk.
struct World {
    receiver: Receiver,
    desk: Box<dyn fakes::Desk>,
    root: &'static str,
    authorization: &'static str,
    memory: Memory,
    now: DateTime<Utc>,
    acts: Vec<Act>,
    /// What happens to the next call for this.
    fault: Option<(Act, Fault)>,
}

const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

impl World {
    fn new(name: &str) -> Self {
        let (kind, root, authorization, desk): (_, _, _, Box<dyn fakes::Desk>) = match name {
            "jira" => (Kind::Jira, "", BASIC, Box::new(Jira::new("SEC", "user", "secret"))),
            "pagerduty" => {
                let desk = PagerDuty::new("R0123456789abcdef0123456789abcde");
                (Kind::PagerDuty, "/v2/enqueue", "", Box::new(desk))
            }
            "jsm" => {
                let root = "/jsm/ops/integration/v2/alerts";
                (Kind::JiraServiceManagement, root, "GenieKey key", Box::new(Jsm::new("key")))
            }
            _ => (Kind::ServiceNow, "", BASIC, Box::new(ServiceNow::new("user", "secret"))),
        };
        Self::with(name, kind, root, authorization, desk)
    }

    fn with(
        name: &str,
        kind: Kind,
        root: &'static str,
        authorization: &'static str,
        desk: Box<dyn fakes::Desk>,
    ) -> Self {
        let mut settings = samples::settings(kind);
        if name == "em_event"
            && let notify::Settings::Desk(Settings::ServiceNow(servicenow)) = &mut settings
        {
            servicenow.table = servicenow::Table::EmEvent;
        }
        let receiver = Receiver {
            name: "desk".to_owned(),
            settings,
            min_severity: Severity::Info,
            rules: None,
            detail: Detail::Full,
            keys: Vec::new(),
            credential: String::new(),
        };
        Self {
            receiver,
            desk,
            root,
            authorization,
            memory: Memory::default(),
            now: t("2026-11-22T09:16:00Z"),
            acts: Vec::new(),
            fault: None,
        }
    }

    fn jira(change: impl FnOnce(&mut Jira)) -> Self {
        let mut jira = Jira::new("SEC", "user", "secret");
        change(&mut jira);
        Self::with("jira", Kind::Jira, "", BASIC, Box::new(jira))
    }

    fn incident(change: impl FnOnce(&mut ServiceNow)) -> Self {
        let mut desk = ServiceNow::new("user", "secret");
        change(&mut desk);
        Self::with("incident", Kind::ServiceNow, "", BASIC, Box::new(desk))
    }

    fn call(&mut self, ask: &Ask) -> Answered {
        self.acts.push(ask.act);
        let fault = self.fault.take_if(|(act, _)| *act == ask.act).map(|(_, fault)| fault);
        match fault {
            Some(Fault::Request) => {
                return Err((NoAnswer::Ambiguous, "not within 10 s".to_owned()));
            }
            Some(Fault::Connection) => return Err((NoAnswer::Connect, "refused".to_owned())),
            Some(Fault::Gateway(status)) => {
                let body = "<html>".to_owned();
                return Ok(Reply { status, retry_after: None, body, whole: true });
            }
            Some(Fault::Answer | Fault::Half) | None => {}
        }
        let target = format!("{}{}", self.root, ask.path);
        let authorization = self.authorization;
        let headers = |name: &str| match name {
            "content-type" => ask.body.as_ref().map(|body| body.content_type.to_string()),
            "authorization" => (!authorization.is_empty()).then(|| authorization.to_owned()),
            name => ask.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()),
        };
        let body = ask.body.as_ref().map_or(&[][..], |body| &body.bytes);
        let call =
            fakes::Call { method: ask.method.as_str(), target: &target, headers: &headers, body };
        let said = self.desk.call(self.now, &call);
        if fault == Some(Fault::Answer) {
            return Err((NoAnswer::Ambiguous, "not within 10 s".to_owned()));
        }
        let whole = fault != Some(Fault::Half);
        let mut body = said.body;
        if !whole {
            body.truncate(body.len() / 2);
        }
        let retry_after = said.retry_after.map(Duration::from_secs);
        Ok(Reply { status: said.status, retry_after, body, whole })
    }

    fn exchange(&mut self, alert: &Alert, again: bool, resolve: bool) -> Verdict {
        self.acts.clear();
        let receiver = self.receiver.clone();
        let errand = Errand { receiver: &receiver, alert, again, resolve, at: self.now };
        let settings = match &receiver.settings {
            notify::Settings::Desk(settings) => settings,
            other => panic!("{other:?}"),
        };
        let mut exchange = Exchange::begin(settings, errand, self.memory.clone());
        let verdict = loop {
            match exchange.step() {
                Step::Ask(ask) => {
                    // As the engine does: what was remembered before the call is all there is, should everything stop here.
                    self.memory = exchange.memory().clone();
                    let answered = self.call(&ask);
                    exchange.take(&answered);
                }
                Step::End(verdict) => break verdict,
            }
        };
        self.memory = exchange.memory().clone();
        verdict
    }

    /// Tells an alert for the first time.
    fn tell(&mut self, alert: &Alert) -> Verdict {
        self.exchange(alert, false, false)
    }

    #[track_caller]
    fn told(&mut self, alert: &Alert) {
        assert_eq!(self.tell(alert), Verdict::Delivered);
    }

    #[track_caller]
    fn told_again(&mut self, alert: &Alert) {
        assert_eq!(self.exchange(alert, true, false), Verdict::Delivered);
    }

    fn wait(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
        self.desk.pass(self.now);
    }

    fn close_all(&mut self) {
        self.wait(1);
        for case in self.desk.cases().into_iter().filter(|case| case.open) {
            self.desk.close(self.now, &case.id);
        }
        self.wait(1);
    }

    fn open(&self) -> Vec<bool> {
        self.desk.cases().iter().map(|case| case.open).collect()
    }

    /// Notes of each case.
    fn notes(&self) -> Vec<usize> {
        self.desk.cases().iter().map(|case| case.notes.len()).collect()
    }

    #[track_caller]
    fn clean(&self) {
        assert_eq!(self.desk.problems(), &[] as &[String]);
    }

    fn searches(&self) -> bool {
        matches!(self.receiver.kind(), Kind::Jira)
            || matches!(&self.receiver.settings, notify::Settings::Desk(Settings::ServiceNow(s)) if s.table == servicenow::Table::Incident)
    }
}

/// The n-th alert of an incident, told a minute after the one before.
fn alert(n: u64) -> Alert {
    let mut alert = samples::alert(Severity::High);
    alert.id = format!("{n:032x}");
    alert.time += TimeDelta::minutes(i64::try_from(n).unwrap());
    alert
}

/// One about hsmwatch itself.
fn own(n: u64, well: bool) -> Alert {
    let mut alert = alert(n);
    alert.rule.id = own::OWN.to_owned();
    alert.workspace.id = own::OWN.to_owned();
    alert.caveat = None;
    let what = if well { "Well again" } else { "Receiver broken" };
    alert.note = Some(format!("{what}: oncall"));
    alert.hits.truncate(1);
    alert.count = 1;
    if well {
        alert.hits[0].fields.insert("state".to_owned(), json!("well"));
    }
    assert!(own::is_own(&alert) && own::is_well_again(&alert) == well);
    alert
}

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
    let mut desk = ServiceNow::new("user", "secret");
    let mut world = World::with("incident", Kind::ServiceNow, "", BASIC, Box::new(desk.clone()));
    world.told(&alert(1));
    // A person resolves it: it is active still, and nobody looks at it.
    let Case { id, .. } = world.memory.case.clone().unwrap();
    let path = format!("/api/now/table/incident/{id}");
    let body = json!({ "state": "6", "close_code": "Known error", "close_notes": "x" });
    let resolve = Ask::json(Act::Resolve, super::super::exchange::Method::Patch, path, &body);
    assert_eq!(world.call(&resolve).unwrap().status, 200);
    assert_eq!(world.desk.cases()[0].record["state"], "6");
    world.told(&alert(2));
    assert_eq!(world.desk.cases()[0].record["state"], "2");
    assert_eq!((world.open(), world.notes()), (vec![true], vec![1]));
    world.clean();
    desk.pass(world.now);
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
    assert_eq!(acts, [Act::Look, Act::Note, Act::Look, Act::Find, Act::Look, Act::Open]);
    assert_eq!(world.open(), [false, true]);
}

#[test]
fn who_may_not_note_is_told_so() {
    let mut world = World::jira(|jira| jira.may_comment = false);
    world.told(&alert(1));
    let verdict = world.tell(&alert(2));
    let why = "status 400: You do not have the permission to comment on this issue.".to_owned();
    assert_eq!(verdict, Verdict::ReceiverBroken { why });
    assert_eq!(world.acts, [Act::Look, Act::Note, Act::Look]);
    let mut world = World::incident(|desk| desk.may_write = false);
    world.told(&alert(1));
    let verdict = world.tell(&alert(2));
    let Verdict::ReceiverBroken { why } = verdict else { panic!("{verdict:?}") };
    assert!(why.contains("ACL Exception") && why.contains("roles"), "{why}");
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

#[test]
fn counts_reach_desks_without_fields_of_the_log() {
    for name in ALL {
        let mut world = World::new(name);
        world.receiver.detail = Detail::Counts;
        world.told(&alert(1));
        world.wait(1);
        world.told(&alert(2));
        for case in world.desk.cases() {
            let all = format!("{} {} {:?} {}", case.title, case.text, case.notes, case.record);
            for field in ["10.20.4.17", "azcloudhsm", "CN_", "hsm1", "blade", "hsm-prod"] {
                assert!(!all.contains(field), "{name}: {field}: {all}");
            }
        }
        world.clean();
    }
}

/// Whatever an alert holds, no desk finds anything wrong with what is told of it.
#[test]
fn desks_take_every_sample() {
    for name in ALL {
        for (sample, alert) in samples::all() {
            let mut world = World::new(name);
            assert_eq!(world.tell(&alert), Verdict::Delivered, "{name} {sample}");
            let mut second = alert.clone();
            second.id = format!("{:032x}", 7);
            world.wait(1);
            assert_eq!(world.tell(&second), Verdict::Delivered, "{name} {sample}");
            world.clean();
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn desks_take_any_alert(alert in samples::any_alert()) {
        for name in ALL {
            let mut world = World::new(name);
            assert_eq!(world.tell(&alert), Verdict::Delivered, "{name}");
            let mut second = alert.clone();
            second.id = format!("{:032x}", 7);
            world.wait(1);
            assert_eq!(world.tell(&second), Verdict::Delivered, "{name}");
            world.clean();
        }
    }
}
