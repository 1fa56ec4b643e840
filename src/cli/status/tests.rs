//! What people see of a status.

use super::*;
use crate::engine::status::{Missing, ReceiverStatus, Standing, State, Unreadable};
use crate::watch::head::{FailureKind, GapKind, Hour};
use crate::watch::own::Condition;
use crate::watch::severity::Severity;

fn t(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    t("2026-11-22T09:15:04Z")
}

fn watch(rule: &str, state: State, attention: bool) -> WatchStatus {
    WatchStatus {
        rule: rule.to_owned(),
        workspace: "prod".to_owned(),
        state,
        attention,
        started_at: Some(t("2026-11-10T08:00:00Z")),
        last_success: Some(t("2026-11-22T09:15:00Z")),
        watermark: Some(t("2026-11-22T09:15:00Z")),
        lag_s: Some(4),
        covered_s: Some(1_041_300),
        missing_s: Some(0),
        gaps: Vec::new(),
        latest_row: Some(t("2026-11-22T06:02:00Z")),
        next: Some(t("2026-11-22T09:20:00Z")),
        open_alerts: 0,
        held: 0,
        hours: Vec::new(),
    }
}

fn receiver(name: &str) -> ReceiverStatus {
    ReceiverStatus {
        name: name.to_owned(),
        kind: "teams",
        min_severity: Severity::Low,
        on: true,
        off_since: None,
        last_answer: None,
        last_accepted: Some(t("2026-11-22T06:10:00Z")),
        open: 0,
        next_due: None,
    }
}

fn well() -> Status {
    let hours =
        [("2026-11-20T11:00:00Z", 1), ("2026-11-21T18:00:00Z", 40), ("2026-11-22T06:00:00Z", 7)];
    let hours = hours.map(|(hour, hits)| Hour { hour: t(hour), hits }).to_vec();
    Status {
        at: now(),
        well: true,
        last_tick: Some(t("2026-11-22T09:15:00Z")),
        watches: vec![
            WatchStatus { hours, ..watch("key-delete", State::Fine, false) },
            watch("login-session", State::Fine, false),
        ],
        receivers: vec![receiver("oncall")],
        recent: vec![RecentAlert {
            id: "8c0f2f6e5d0b4a3c9e1d7a6b5c4d3e2f".to_owned(),
            time: t("2026-11-22T06:05:00Z"),
            severity: Severity::Critical,
            title: "HSM key deleted".to_owned(),
            workspace: "prod".to_owned(),
            count: 7,
            deliveries: BTreeMap::from([("oncall".to_owned(), "delivered")]),
        }],
        unreadable: Vec::new(),
        conditions: Vec::new(),
    }
}

fn ill() -> Status {
    let mut status = well();
    status.well = false;
    let failing = State::Failing {
        since: t("2026-11-22T08:00:00Z"),
        kind: Some(FailureKind::Denied),
        error: "access denied: grant the identity the role Log Analytics Data Reader on the workspace \u{1b}[31m`11111111-2222-3333-4444-555555555555`".to_owned(),
    };
    let gap = Missing {
        from: t("2026-11-15T00:00:00Z"),
        to: t("2026-11-15T02:30:00Z"),
        why: GapKind::Outage,
    };
    let mut other = watch("user-change", State::Waiting { since: t("2026-11-22T04:00:00Z") }, true);
    other.workspace = "stage".to_owned();
    let fresh = WatchStatus {
        started_at: None,
        last_success: None,
        watermark: None,
        lag_s: None,
        covered_s: None,
        missing_s: None,
        latest_row: None,
        next: None,
        ..watch("caller-first-seen-with-a-name-that-is-too-long", State::NotStarted, true)
    };
    status.watches.extend([
        WatchStatus {
            gaps: vec![gap],
            missing_s: Some(9_000),
            lag_s: Some(4_504),
            open_alerts: 3,
            ..watch("key-create", failing, true)
        },
        WatchStatus {
            held: 1_234,
            open_alerts: 500,
            ..watch("login-burst", State::Throttled { until: t("2026-11-22T09:17:00Z") }, false)
        },
        fresh,
        other,
        WatchStatus { lag_s: None, next: None, ..watch("gone", State::UnknownRule, false) },
        watch("night", State::Overdue { since: t("2026-11-21T23:00:00Z") }, true),
    ]);
    status.receivers.extend([
        ReceiverStatus {
            kind: "webhook",
            on: false,
            off_since: Some(t("2026-11-22T07:00:00Z")),
            last_answer: Some("401: \u{202e}token expired".to_owned()),
            last_accepted: None,
            open: 12,
            ..receiver("itsm")
        },
        ReceiverStatus {
            kind: "slack",
            last_answer: Some("503: down for maintenance".to_owned()),
            open: 2,
            next_due: Some(t("2026-11-22T09:40:00Z")),
            ..receiver("channel")
        },
    ]);
    status.conditions = vec![
        Standing {
            condition: Condition::ReceiverBroken,
            subject: "itsm".to_owned(),
            since: t("2026-11-22T07:00:00Z"),
            stands: true,
        },
        Standing {
            condition: Condition::NotCovered,
            subject: "key-create on prod 2026-11-15T00:00:00Z/2026-11-15T02:30:00Z".to_owned(),
            since: t("2026-11-22T08:00:00Z"),
            stands: false,
        },
    ];
    status.unreadable = vec![Unreadable {
        document: "heads/0123456789abcdef0123".to_owned(),
        why: "state document `heads/0123456789abcdef0123` is left untouched: it has format 2, this version reads up to 1: run the version that wrote it, or a newer one".to_owned(),
    }];
    status
}

#[test]
fn as_shown() {
    insta::assert_snapshot!("well", text(&well()));
    insta::assert_snapshot!("ill", text(&ill()));
    let fresh = Status {
        watches: Vec::new(),
        receivers: Vec::new(),
        recent: Vec::new(),
        last_tick: None,
        ..well()
    };
    insta::assert_snapshot!("empty", text(&fresh));
}

#[test]
fn as_json() {
    insta::assert_json_snapshot!("json", ill());
}

#[test]
fn no_line_is_wide_and_nothing_hides() {
    for line in text(&ill()).lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.chars().any(limits::is_hidden), "{line:?}");
    }
}

#[test]
fn bars() {
    assert_eq!(spark([0, 1, 4, 8].into_iter()), "·▁▄█");
    assert_eq!(spark([0, 0].into_iter()), "··");
    assert_eq!(spark([1, 1].into_iter()), "██");
    assert_eq!(spark([1, 1_000_000].into_iter()), "▁█");
    assert_eq!(spark([u64::MAX].into_iter()), "█");
}
