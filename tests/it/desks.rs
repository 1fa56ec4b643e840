//! The desks of the tests behave as the real ones do: what a test of hsmwatch proves is worth no more than that.

mod jira;
mod pagerduty;

use crate::support::desks::{Call, Desk};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;

/// A person at a desk's API, with a clock.
struct Caller<D> {
    desk: D,
    now: DateTime<Utc>,
    authorization: String,
}

impl<D: Desk> Caller<D> {
    fn new(desk: D, authorization: &str) -> Self {
        let now = "2026-01-15T09:00:00Z".parse().unwrap();
        Self { desk, now, authorization: authorization.to_owned() }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    /// What is answered: the status, and the body (as a string, if it is no JSON).
    fn ask(&mut self, method: &str, target: &str, body: &Json) -> (u16, Json) {
        self.ask_as("application/json", method, target, body.to_string().as_bytes())
    }

    fn ask_as(&mut self, kind: &str, method: &str, target: &str, body: &[u8]) -> (u16, Json) {
        let headers = |name: &str| match name {
            "authorization" => Some(self.authorization.clone()),
            "content-type" => Some(kind.to_owned()),
            _ => None,
        };
        let said = self.desk.call(self.now, &Call { method, target, headers: &headers, body });
        let body = serde_json::from_str(&said.body).unwrap_or(Json::String(said.body));
        (said.status, body)
    }

    fn get(&mut self, target: &str) -> (u16, Json) {
        self.ask("GET", target, &Json::Null)
    }

    fn post(&mut self, target: &str, body: &Json) -> (u16, Json) {
        self.ask("POST", target, body)
    }

    /// Whether each case is open, oldest first.
    fn open(&self) -> Vec<bool> {
        self.desk.cases().iter().map(|case| case.open).collect()
    }

    /// Holds that nothing broke the contract so far.
    fn clean(&self) {
        assert_eq!(self.desk.problems(), &[] as &[String]);
    }

    /// Holds that something new broke the contract since there were `n` problems, and answers what.
    fn noticed(&self, n: usize) -> String {
        let problems = self.desk.problems();
        assert!(problems.len() > n, "nothing was noticed");
        problems[n..].join("; ")
    }
}
