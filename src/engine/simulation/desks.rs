//! Desks in the world: the same that the black-box tests speak HTTP with, called directly.

use super::Rng;
use crate::notify::desk::fakes::{self, Call, Desk};
use crate::notify::desk::{self, servicenow};
use crate::notify::samples::settings;
use crate::notify::{Kind, Settings};
use crate::ports::{Reply, Request};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

pub(super) use fakes::Case;

/// The receivers that are desks, by name.
pub(super) fn receivers() -> Vec<(&'static str, Settings)> {
    let mut events = settings(Kind::ServiceNow);
    if let Settings::Desk(desk::Settings::ServiceNow(servicenow)) = &mut events {
        servicenow.table = servicenow::Table::EmEvent;
    }
    vec![
        ("jira", settings(Kind::Jira)),
        ("incidents", settings(Kind::ServiceNow)),
        ("events", events),
        ("pager", settings(Kind::PagerDuty)),
        ("jsm", settings(Kind::JiraServiceManagement)),
    ]
}

/// Whether a desk adds an alert once and no more, whatever gets lost: it can be asked whether it has it.
pub(super) fn tells_once(receiver: &str) -> bool {
    matches!(receiver, "jira" | "incidents")
}

struct Place {
    desk: Box<dyn Desk>,
    /// Ids of the cases that people have closed.
    closed: BTreeSet<String>,
    authorization: &'static str,
}

/// All desks of a world.
#[derive(Default)]
pub(super) struct Desks(BTreeMap<String, Mutex<Place>>);

impl Desks {
    /// Desks whose searches lag, but by less than is waited for.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let lag = TimeDelta::seconds(rng.between(0, 280));
        let mut jira = fakes::jira::Jira::new("SEC", "watch@example.com", "token");
        jira.search_lag = lag;
        let mut incidents = fakes::servicenow::ServiceNow::new("hsmwatch", "password");
        incidents.search_lag = lag;
        let mut jsm = fakes::jsm::Jsm::new("key");
        jsm.lag = TimeDelta::seconds(rng.between(0, 60));
        let basic = "Basic aHNtd2F0Y2g6cGFzc3dvcmQ=";
        let places: [(&str, Box<dyn Desk>, &'static str); 5] = [
            ("jira", Box::new(jira), "Basic d2F0Y2hAZXhhbXBsZS5jb206dG9rZW4="),
            ("incidents", Box::new(incidents), basic),
            ("events", Box::new(fakes::servicenow::ServiceNow::new("hsmwatch", "password")), basic),
            (
                "pager",
                Box::new(fakes::pagerduty::PagerDuty::new("R0123456789abcdef0123456789abcde")),
                "",
            ),
            ("jsm", Box::new(jsm), "GenieKey key"),
        ];
        let place = |(name, desk, authorization): (&str, _, _)| {
            (name.to_owned(), Mutex::new(Place { desk, closed: BTreeSet::new(), authorization }))
        };
        Self(places.into_iter().map(place).collect())
    }

    pub(super) fn has(&self, receiver: &str) -> bool {
        self.0.contains_key(receiver)
    }

    /// What a desk answers.
    pub(super) fn call(&self, request: &Request, now: DateTime<Utc>) -> Reply {
        let mut place = self.0[&request.receiver].lock().unwrap();
        let root = match request.receiver.as_str() {
            "pager" => "/v2/enqueue",
            "jsm" => "/jsm/ops/integration/v2/alerts",
            _ => "",
        };
        let target = format!("{root}{}", request.path);
        let authorization = place.authorization;
        let headers = |name: &str| match name {
            "content-type" => request.body.as_ref().map(|body| body.content_type.to_string()),
            "authorization" => (!authorization.is_empty()).then(|| authorization.to_owned()),
            name => request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()),
        };
        let call = Call {
            method: request.method.as_str(),
            target: &target,
            headers: &headers,
            body: request.body.as_ref().map_or(&[], |body| &body.bytes),
        };
        let said = place.desk.call(now, &call);
        Reply {
            status: said.status,
            retry_after: said.retry_after.map(Duration::from_secs),
            body: said.body,
            whole: true,
        }
    }

    /// Time passes at one desk or all, and what is broken is said: two open cases of an incident, a call that breaks the contract.
    pub(super) fn pass(&self, only: Option<&str>, now: DateTime<Utc>) -> Vec<String> {
        let mut broken = Vec::new();
        let looked_at = self.0.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
        for (name, place) in looked_at {
            let mut place = place.lock().unwrap();
            place.desk.pass(now);
            let mut open: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for case in place.desk.cases().into_iter().filter(|case| case.open) {
                open.entry(case.key).or_default().push(case.name);
            }
            for (key, names) in open.into_iter().filter(|(_, names)| names.len() > 1) {
                broken.push(format!("P12: {name} has {names:?} open for incident {key}"));
            }
            broken.extend(place.desk.problems().iter().map(|p| format!("{name}: {p}")));
        }
        broken
    }

    /// A person closes a case, if one is open.
    pub(super) fn close_one(&self, rng: &mut Rng, now: DateTime<Utc>) {
        let names: Vec<&String> = self.0.keys().collect();
        if names.is_empty() {
            return;
        }
        let name = names[usize::try_from(rng.below(names.len() as u64)).unwrap()];
        let mut place = self.0[name].lock().unwrap();
        let open = place.desk.cases().into_iter().find(|case| case.open);
        if let Some(case) = open {
            place.desk.close(now, &case.id);
            place.closed.insert(case.id);
        }
    }

    /// Whether a person has closed a case.
    pub(super) fn closed_by_people(&self, receiver: &str, id: &str) -> bool {
        self.0[receiver].lock().unwrap().closed.contains(id)
    }

    /// All cases of a desk.
    pub(super) fn cases(&self, receiver: &str) -> Vec<Case> {
        self.0[receiver].lock().unwrap().desk.cases()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
