//! Exchanges with desks as the fakes play them, with answers that get lost and people who do what they like.

mod bodies;
mod life;
mod lost;

use super::fakes::{self, Desk as _};
use super::*;
use crate::notify::exchange::{Act, Method, Reply};
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
