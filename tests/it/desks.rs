//! The desks of the tests behave as the real ones do: what a test of hsmwatch proves is worth no more than that.

mod jira;
mod jsm;
mod pagerduty;
mod servicenow;

use crate::support::desks::pagerduty::PagerDuty;
use crate::support::desks::{Call, Desk};
use crate::support::fake_desk::{FakeDesk, Fault};
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

#[tokio::test]
async fn over_http_a_desk_is_the_same_and_may_fail() {
    let desk = FakeDesk::start(PagerDuty::new(&"a".repeat(32)));
    let client = reqwest::Client::new();
    let event = serde_json::json!({
        "routing_key": "a".repeat(32), "event_action": "trigger", "dedup_key": "k",
        "payload": {"summary": "s", "source": "s", "severity": "info"},
    });
    let send = || client.post(format!("{}/v2/enqueue", desk.url())).json(&event).send();
    desk.script([Fault::HangUp, Fault::Ambiguous, Fault::Masked(502)]);
    desk.when("/v2/enqueue", Fault::Status(500, "{}".to_owned()), 1);
    desk.when_exactly("POST /v2/enqueue", Fault::RetryAfter(7), 1);
    assert!(send().await.is_err());
    assert_eq!(desk.cases().len(), 0);
    assert!(send().await.is_err());
    assert_eq!(desk.cases()[0].count, 1, "it was done");
    assert_eq!(send().await.unwrap().status(), 502);
    assert_eq!(desk.cases()[0].count, 2, "it was done");
    assert_eq!(send().await.unwrap().status(), 500);
    let throttled = send().await.unwrap();
    assert_eq!(
        (throttled.status().as_u16(), &throttled.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    let answer: Json = send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["dedup_key"], "k");
    desk.close(&desk.cases()[0].id);
    assert_eq!((desk.cases()[0].open, desk.cases()[0].count), (false, 3));
    assert_eq!(desk.whats(), vec!["POST /v2/enqueue"; 6]);
    assert_eq!(desk.problems(), [] as [String; 0]);
}
