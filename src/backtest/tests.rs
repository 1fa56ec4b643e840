use super::chart::{Look, grouped, report};
use super::expect::{ExpectError, Expectations, Policy, judge};
use super::outcome::{Fired, Outcome, RuleRun, STRETCHES, bucket};
use super::{json, junit, svg};
use crate::watch::alert::{Interval, Reason};
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

fn t(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn fired(at: &str, count: u64, hsm: &str) -> Fired {
    let at = t(at);
    let group = Arc::new(BTreeMap::from([("_ResourceId".to_owned(), hsm.to_owned())]));
    let (first_seen, last_seen, reason) =
        (at - TimeDelta::minutes(2), at - TimeDelta::minutes(1), Reason::New);
    Fired {
        at,
        id: "0".repeat(32).into(),
        count,
        suppressed: 0,
        reason,
        first_seen,
        last_seen,
        group,
    }
}

fn outcome() -> Outcome {
    let mut delete = RuleRun::new("key-delete", "Key deleted", Severity::Critical);
    delete.evaluations = 288;
    delete.fired = vec![
        fired("2026-03-01T00:05:00Z", 2, "/x/hsm-a"),
        fired("2026-03-02T10:00:00Z", 1, "/x/hsm-b"),
        fired("2026-03-02T23:55:00Z", 5, "/x/hsm-a"),
    ];
    let mut login = RuleRun::new("login-session", "Login <b>&", Severity::Info);
    login.evaluations = 288;
    login.fired = vec![fired("2026-03-03T12:00:00Z", 1, "/x/hsm-a")];
    login.fail(t("2026-03-03T13:00:00Z"), "query refused: a <reason> & more".to_owned());
    let mut other = RuleRun::new("hardware-change", "Hardware", Severity::High);
    other.skipped = Some("it reads the table X, which is not in the logs".to_owned());
    Outcome {
        period: Interval { from: t("2026-03-01T00:00:00Z"), to: t("2026-03-04T00:00:00Z") },
        every: TimeDelta::minutes(5),
        files: 2,
        rows: 1_234_567,
        rows_span: None,
        volume: (0..STRETCHES as u64).collect(),
        bad_records: 0,
        rules: vec![delete, login, other],
    }
}

#[test]
fn numbers_are_grouped() {
    for (n, wanted) in [(0, "0"), (999, "999"), (1_000, "1,000"), (8_760_000, "8,760,000")] {
        assert_eq!(grouped(n), wanted);
    }
}

#[test]
fn every_instant_of_a_period_has_its_stretch() {
    let period = outcome().period;
    for (at, n, wanted) in [
        ("2026-02-01T00:00:00Z", 3, 0),
        ("2026-03-01T00:00:00Z", 3, 0),
        ("2026-03-01T23:59:59Z", 3, 0),
        ("2026-03-02T00:00:00Z", 3, 1),
        ("2026-03-03T23:59:59Z", 3, 2),
        ("2026-03-04T00:00:00Z", 3, 2),
        ("2026-03-09T00:00:00Z", 1, 0),
    ] {
        assert_eq!(bucket(period, t(at), n), wanted, "{at} of {n}");
    }
}

fn verdict(text: &str) -> Vec<(bool, u64)> {
    let rules = ["key-delete", "login-session", "hardware-change"];
    let expectations = Expectations::parse(text, &rules).unwrap();
    judge(&outcome(), &expectations).met.iter().map(|met| (met.passed, met.counted)).collect()
}

#[test]
fn bounds_hold_for_what_they_speak_of() {
    for (rest, wanted) in [
        ("at_least = 3", (true, 3)),
        ("at_least = 4", (false, 3)),
        ("at_most = 2", (false, 3)),
        ("exactly = 3", (true, 3)),
        ("exactly = 8\ncount = \"hits\"", (true, 8)),
        ("exactly = 2\nday = 2026-03-02", (true, 2)),
        ("exactly = 1\nto = 2026-03-02", (true, 1)),
        ("exactly = 1\nfrom = 2026-03-02T20:00:00Z", (true, 1)),
        ("exactly = 1\nfrom = 2026-03-02T21:55:00-02:00\nto = 2026-03-02T23:55:01Z", (true, 1)),
        ("exactly = 2\ngroup = { _ResourceId = \"HSM-A\" }", (true, 2)),
        ("exactly = 0\ngroup = { Other = \"x\" }", (true, 0)),
        // The day furthest off is told: the 3rd has none.
        ("at_least = 1\nper = \"day\"", (false, 0)),
        ("at_most = 1\nper = \"day\"", (false, 2)),
        ("at_most = 2\nper = \"day\"", (true, 2)),
        ("at_least = 1\nper = \"day\"\nto = 2026-03-03", (true, 2)),
    ] {
        let text = format!("[[expect]]\nrule = \"key-delete\"\n{rest}\n");
        assert_eq!(verdict(&text), [wanted], "{rest}");
    }
}

#[test]
fn what_no_expectation_covers_is_unexpected() {
    let rules = ["key-delete", "login-session"];
    let text =
        "unexpected = \"fail\"\n[[expect]]\nrule = \"key-delete\"\nat_most = 9\nday = 2026-03-02\n";
    let verdict = judge(&outcome(), &Expectations::parse(text, &rules).unwrap());
    let unexpected: Vec<_> =
        verdict.unexpected.iter().map(|one| (one.rule.as_str(), one.alerts)).collect();
    assert_eq!(unexpected, [("key-delete", 1), ("login-session", 1)]);
    assert!(!verdict.passed());
    let mut verdict = verdict;
    verdict.policy = Policy::Warn;
    assert!(verdict.passed());
    assert_eq!(Expectations::parse("", &rules).unwrap().unexpected, Policy::Warn);
}

#[test]
fn what_is_wrong_with_expectations_is_said() {
    let mut said = Vec::new();
    for text in [
        "[[expect]]\nrule = \"key-delete\"\n",
        "[[expect]]\nrule = \"nope\"\nexactly = 1\n",
        "[[expect]]\nrule = \"key-delete\"\nexactly = 1\nat_least = 1\n",
        "[[expect]]\nrule = \"key-delete\"\nat_least = 3\nat_most = 2\n",
        "[[expect]]\nrule = \"key-delete\"\nat_least = 3\nday = 2026-03-01\nfrom = 2026-03-01\n",
        "[[expect]]\nrule = \"key-delete\"\nat_least = 3\nfrom = 2026-03-02\nto = 2026-03-01\n",
        "[[expect]]\nrule = \"key-delete\"\nat_least = 3\nfrom = 12:00:00\n",
        "[[expect]]\nrule = \"key-delete\"\nat_least = 3\nfrom = 2026-03-01T12:00:00\n",
        "[[expect]]\nrule = \"key-delete\"\nat_least = -3\n",
        "unexpected = \"shout\"\n",
        "expect = 1\n",
    ] {
        let error: ExpectError = Expectations::parse(text, &["key-delete"]).unwrap_err();
        said.push(error.to_string());
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn reports_say_all_of_it() {
    let outcome = outcome();
    let text = "unexpected = \"warn\"\n[[expect]]\nrule = \"key-delete\"\nexactly = 2\n[[expect]]\nrule = \"login-session\"\nat_least = 1\nday = 2026-03-03\n";
    let verdict =
        judge(&outcome, &Expectations::parse(text, &["key-delete", "login-session"]).unwrap());
    let look = Look { colour: false, width: 48, days: 2 };
    insta::assert_snapshot!("chart", report(&outcome, Some(&verdict), look));
    let coloured = report(&outcome, Some(&verdict), Look { colour: true, ..look });
    assert!(coloured.contains("\u{1b}[31mFAIL\u{1b}[0m"));
    insta::assert_snapshot!("junit", junit::report(&outcome, Some(&verdict)));
    insta::assert_json_snapshot!("json", json::report(&outcome, Some(&verdict)));
    insta::assert_snapshot!("svg", svg::picture(&outcome));
}
