//! Desks: one open case stands for an incident, whatever gets lost on the way.

mod cases;
mod configured;
mod refusals;
mod secrecy;

use crate::support::bed::TestBed;
use crate::support::desks::jira::Jira;
use crate::support::desks::jsm::Jsm;
use crate::support::desks::pagerduty::PagerDuty;
use crate::support::desks::servicenow::ServiceNow;
use crate::support::desks::{Case, Desk};
use crate::support::fake_desk::FakeDesk;

// All of them hold what must never be shown: `s3cret`.
const ROUTING_KEY: &str = "s3cret0ROUTING0KEY00000000000000";
const API_KEY: &str = "s3cret-api-key-0000-000000000000";
const PASSWORD: &str = "s3cret-password-of-the-instance";
const TOKEN: &str = "ATATT3s3cret-token-of-the-account";

/// A sort of desk.
struct Sort {
    kind: &'static str,
    /// Below its root.
    path: &'static str,
    /// Of its receiver.
    lines: &'static str,
    make: fn() -> Box<dyn Desk>,
}

const PAGERDUTY: Sort = Sort {
    kind: "pagerduty",
    path: "/v2/enqueue",
    lines: "routing_key = { env = \"ROUTING_KEY\" }",
    make: || Box::new(pagerduty()),
};
const JSM: Sort = Sort {
    kind: "jira-service-management",
    path: "/jsm/ops/integration/v2/alerts",
    lines: "api_key = { env = \"API_KEY\" }",
    make: || Box::new(jsm()),
};
const INCIDENTS: Sort = Sort {
    kind: "servicenow",
    path: "",
    lines: "username = \"hsmwatch\"\npassword = { env = \"PASSWORD\" }",
    make: || Box::new(servicenow()),
};
const EVENTS: Sort = Sort {
    kind: "servicenow",
    path: "",
    lines: "table = \"em_event\"\nusername = \"hsmwatch\"\npassword = { env = \"PASSWORD\" }",
    make: || Box::new(servicenow()),
};
const JIRA: Sort = Sort {
    kind: "jira",
    path: "",
    lines: "project = \"SEC\"\nemail = \"watch@acme.example\"\ntoken = { env = \"TOKEN\" }",
    make: || Box::new(jira()),
};
const ALL: [&Sort; 5] = [&PAGERDUTY, &JSM, &INCIDENTS, &EVENTS, &JIRA];

fn pagerduty() -> PagerDuty {
    PagerDuty::new(ROUTING_KEY)
}

fn jsm() -> Jsm {
    Jsm::new(API_KEY)
}

fn servicenow() -> ServiceNow {
    ServiceNow::new("hsmwatch", PASSWORD)
}

fn jira() -> Jira {
    Jira::new("SEC", "watch@acme.example", TOKEN)
}

fn bed() -> TestBed {
    TestBed::new()
        .variable("ROUTING_KEY", ROUTING_KEY)
        .variable("API_KEY", API_KEY)
        .variable("PASSWORD", PASSWORD)
        .variable("TOKEN", TOKEN)
}

/// A bed with this desk as the receiver `desk`.
fn with<D: Desk + 'static>(bed: TestBed, sort: &Sort, desk: D) -> (TestBed, FakeDesk<D>) {
    with_more(bed, sort, desk, "")
}

/// With further lines for the receiver.
fn with_more<D: Desk + 'static>(
    bed: TestBed,
    sort: &Sort,
    desk: D,
    more: &str,
) -> (TestBed, FakeDesk<D>) {
    let desk = FakeDesk::behind(desk, &bed.gate);
    let url = format!("{}{}", desk.url(), sort.path);
    let bed = bed.desk("desk", sort.kind, &url, &format!("{}\n{more}", sort.lines));
    (bed, desk)
}

/// The same test with each sort, a few at once: most of the time is spent waiting for the next second.
fn each<T: Sync>(all: &[T], test: impl Fn(&T) + Sync) {
    for some in all.chunks(6) {
        std::thread::scope(|scope| {
            for one in some {
                scope.spawn(|| test(one));
            }
        });
    }
}

/// The open cases.
fn open<D: Desk + 'static>(desk: &FakeDesk<D>) -> Vec<Case> {
    desk.cases().into_iter().filter(|case| case.open).collect()
}

/// Stops the test if anything broke the desk's contract.
#[track_caller]
fn clean<D: Desk + 'static>(desk: &FakeDesk<D>) {
    assert_eq!(desk.problems(), [""; 0]);
}
