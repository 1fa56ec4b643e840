//! Statuses made up for the eye: well, ill, with many watches, with none.

use chrono::{DateTime, TimeDelta, Utc};
use hsmwatch::engine::status::{
    Missing, ReceiverStatus, RecentAlert, Standing, State, Status, Unreadable, WatchStatus,
};
use hsmwatch::watch::head::{FailureKind, GapKind, Hour};
use hsmwatch::watch::own::Condition;
use hsmwatch::watch::severity::Severity;
use std::collections::BTreeMap;

pub(super) fn t(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn now() -> DateTime<Utc> {
    t("2026-11-22T09:15:04Z")
}

pub(super) fn watch(rule: &str, workspace: &str, state: State, attention: bool) -> WatchStatus {
    WatchStatus {
        rule: rule.to_owned(),
        workspace: workspace.to_owned(),
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

pub(super) fn receiver(name: &str, kind: &'static str) -> ReceiverStatus {
    ReceiverStatus {
        name: name.to_owned(),
        kind,
        min_severity: Severity::Low,
        on: true,
        off_since: None,
        last_answer: None,
        last_accepted: Some(t("2026-11-22T06:10:00Z")),
        open: 0,
        next_due: None,
    }
}

/// Hits that come and go, the same ones for the same number.
fn hours(seed: u64, busy: u64) -> Vec<Hour> {
    (0..60_u64)
        .filter_map(|n| {
            // A multiplicative hash: no pattern for the eye, no random numbers either.
            let noise = (n + seed * 131).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
            let hits = noise * busy / 256;
            let hour = t("2026-11-22T09:00:00Z") - TimeDelta::hours(i64::try_from(n).unwrap());
            (hits > 0 && !noise.is_multiple_of(3)).then_some(Hour { hour, hits })
        })
        .collect()
}

fn alert(n: u64, severity: Severity, title: &str, ends: &[(&str, &'static str)]) -> RecentAlert {
    RecentAlert {
        id: format!(
            "{:032x}",
            u128::from(n + 1).wrapping_mul(0x8c0f_2f6e_5d0b_4a3c_9e1d_7a6b_5c4d_3e2f)
        ),
        time: t("2026-11-22T06:05:00Z") - TimeDelta::minutes(i64::try_from(n * 97).unwrap()),
        severity,
        title: title.to_owned(),
        workspace: "prod".to_owned(),
        count: 7 + n * n,
        deliveries: ends.iter().map(|(name, end)| ((*name).to_owned(), *end)).collect(),
    }
}

pub(super) fn well() -> Status {
    Status {
        at: now(),
        well: true,
        last_tick: Some(t("2026-11-22T09:15:00Z")),
        watches: vec![
            WatchStatus { hours: hours(1, 5), ..watch("key-delete", "prod", State::Fine, false) },
            WatchStatus {
                hours: hours(2, 60),
                ..watch("login-session", "prod", State::Fine, false)
            },
            watch("user-change", "prod", State::Fine, false),
        ],
        receivers: vec![receiver("oncall", "teams"), receiver("itsm", "webhook")],
        recent: vec![
            alert(
                0,
                Severity::Critical,
                "Key deleted from an HSM",
                &[("oncall", "delivered"), ("itsm", "delivered")],
            ),
            alert(1, Severity::Info, "Session opened on an HSM", &[("itsm", "delivered")]),
        ],
        unreadable: Vec::new(),
        conditions: Vec::new(),
    }
}

/// One watch and one receiver.
pub(super) fn one() -> Status {
    let mut status = well();
    status.watches.truncate(1);
    status.receivers.truncate(1);
    status.recent.truncate(1);
    status
}

/// All that can be the matter.
pub(super) fn ill() -> Status {
    let mut status = well();
    status.well = false;
    let failing = State::Failing {
        since: t("2026-11-22T08:00:00Z"),
        kind: Some(FailureKind::Denied),
        error: "access denied: grant the identity the role Log Analytics Data Reader on the workspace `11111111-2222-3333-4444-555555555555`".to_owned(),
    };
    let gap = |from, to, why| Missing { from: t(from), to: t(to), why };
    status.watches.extend([
        WatchStatus {
            gaps: vec![
                gap("2026-11-12T00:00:00Z", "2026-11-12T02:30:00Z", GapKind::Outage),
                gap("2026-11-17T20:00:00Z", "2026-11-18T08:30:00Z", GapKind::Outage),
                gap("2026-11-20T14:03:07Z", "2026-11-20T14:03:08Z", GapKind::TooDense),
            ],
            missing_s: Some(54_001),
            lag_s: Some(4_504),
            last_success: Some(t("2026-11-22T08:00:00Z")),
            watermark: Some(t("2026-11-22T08:00:00Z")),
            open_alerts: 3,
            hours: hours(5, 9),
            ..watch("key-create", "prod", failing, true)
        },
        WatchStatus {
            held: 1_234,
            open_alerts: 500,
            gaps: vec![gap("2026-11-19T00:00:00Z", "2026-11-19T16:00:00Z", GapKind::Fingerprints)],
            hours: hours(7, 9_000),
            ..watch(
                "login-burst",
                "prod",
                State::Throttled { until: t("2026-11-22T09:17:00Z") },
                false,
            )
        },
        WatchStatus {
            started_at: None,
            last_success: None,
            watermark: None,
            lag_s: None,
            covered_s: None,
            missing_s: None,
            latest_row: None,
            next: None,
            ..watch(
                "caller-first-seen-with-a-name-that-is-rather-long",
                "prod",
                State::NotStarted,
                true,
            )
        },
        WatchStatus {
            watermark: Some(t("2026-11-20T04:00:00Z")),
            last_success: Some(t("2026-11-20T04:00:00Z")),
            lag_s: Some(191_704),
            ..watch(
                "user-change",
                "stage",
                State::Waiting { since: t("2026-11-20T04:00:00Z") },
                true,
            )
        },
        WatchStatus {
            lag_s: None,
            next: None,
            ..watch("gone", "stage", State::UnknownRule, false)
        },
        WatchStatus {
            started_at: Some(t("2026-11-19T13:00:00Z")),
            watermark: Some(t("2026-11-21T23:00:00Z")),
            last_success: Some(t("2026-11-21T23:00:00Z")),
            lag_s: Some(36_904),
            ..watch("night", "stage", State::Overdue { since: t("2026-11-21T23:00:00Z") }, true)
        },
    ]);
    status.receivers.extend([
        ReceiverStatus {
            on: false,
            off_since: Some(t("2026-11-22T07:00:00Z")),
            last_answer: Some("401: the token of this hook expired on 2026-11-22".to_owned()),
            last_accepted: None,
            open: 12,
            ..receiver("pager", "webhook")
        },
        ReceiverStatus {
            last_answer: Some("503: down for maintenance".to_owned()),
            open: 2,
            next_due: Some(t("2026-11-22T09:40:00Z")),
            ..receiver("channel", "slack")
        },
    ]);
    status.recent.extend([
        alert(
            2,
            Severity::High,
            "User created or deleted on an HSM",
            &[("oncall", "delivered"), ("itsm", "waiting"), ("pager", "gave-up")],
        ),
        alert(3, Severity::Medium, "A caller never seen before", &[("itsm", "refused")]),
        alert(4, Severity::Low, "Key created in an HSM", &[]),
    ]);
    status.conditions = vec![
        Standing {
            condition: Condition::ReceiverBroken,
            subject: "pager".to_owned(),
            since: t("2026-11-22T07:00:00Z"),
            stands: true,
        },
        Standing {
            condition: Condition::TableSilent,
            subject: "stage".to_owned(),
            since: t("2026-11-20T04:00:00Z"),
            stands: true,
        },
        Standing {
            condition: Condition::NotCovered,
            subject: "key-create on prod 2026-11-17T20:00:00Z/2026-11-18T08:30:00Z".to_owned(),
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

/// Twenty rules on ten workspaces, busy ones, some of them in trouble.
pub(super) fn many() -> Status {
    let mut status = well();
    status.well = false;
    status.watches.clear();
    let rules = [
        "login-session",
        "user-change",
        "key-create",
        "key-delete",
        "login-burst",
        "caller-first-seen",
        "client-first-seen",
        "key-export",
        "key-share-change",
        "password-change",
        "backup-restore",
        "audit-config",
        "firmware-update",
        "cluster-change",
        "attribute-change",
        "many-keys-deleted",
        "silent-instance",
        "key-use-outside-hours",
        "mass-wrap",
        "quorum-change",
    ];
    for w in 0..10_u64 {
        for (r, rule) in rules.iter().enumerate() {
            let seed = w * 20 + u64::try_from(r).unwrap();
            let mut watch = watch(rule, &format!("hsm-prod-region-{w:02}"), State::Fine, false);
            watch.hours = hours(seed, 40 * (seed % 7));
            if w == 3 {
                watch.state = State::Failing {
                    since: t("2026-11-22T05:00:00Z"),
                    kind: Some(FailureKind::Unavailable),
                    error: "the query service did not answer within 60 s".to_owned(),
                };
                watch.attention = true;
                watch.watermark = Some(t("2026-11-22T05:00:00Z"));
                watch.last_success = watch.watermark;
                watch.lag_s = Some(15_304);
            }
            if seed % 23 == 5 {
                watch.gaps = vec![Missing {
                    from: t("2026-11-18T01:00:00Z"),
                    to: t("2026-11-18T05:00:00Z"),
                    why: GapKind::Outage,
                }];
                watch.missing_s = Some(14_400);
            }
            status.watches.push(watch);
        }
    }
    let titles = [
        (Severity::Critical, "Key deleted from an HSM"),
        (Severity::Info, "Session opened on an HSM"),
        (Severity::High, "User created or deleted on an HSM"),
    ];
    status.recent = (0..100_u64)
        .map(|n| {
            let (severity, title) = titles[usize::try_from(n % 3).unwrap()];
            alert(
                n,
                severity,
                title,
                &[("oncall", "delivered"), ("itsm", if n < 2 { "waiting" } else { "delivered" })],
            )
        })
        .collect();
    status
}

/// Before the first tick, with nothing configured.
pub(super) fn empty() -> Status {
    Status {
        last_tick: None,
        watches: Vec::new(),
        receivers: Vec::new(),
        recent: Vec::new(),
        ..well()
    }
}

/// Just begun.
pub(super) fn fresh() -> Status {
    let mut status = one();
    for watch in &mut status.watches {
        watch.started_at = Some(t("2026-11-22T08:02:00Z"));
        watch.covered_s = Some(4_380);
        watch.hours = vec![Hour { hour: t("2026-11-22T09:00:00Z"), hits: 1 }];
    }
    status.recent.clear();
    status
}

/// Every text that others could have a hand in, in its place, this one.
pub(super) fn hostile(text: impl Fn(&'static str) -> String) -> Status {
    let mut status = ill();
    for watch in &mut status.watches {
        watch.rule = text("rule");
        watch.workspace = text("workspace");
        if let State::Failing { error, .. } = &mut watch.state {
            *error = text("error");
        }
    }
    for receiver in &mut status.receivers {
        receiver.name = text("receiver");
        receiver.last_answer = Some(text("answer"));
    }
    for alert in &mut status.recent {
        alert.title = text("title");
        alert.id = text("id");
        alert.workspace = text("workspace");
        alert.deliveries = BTreeMap::from([(text("receiver"), "waiting")]);
    }
    for condition in &mut status.conditions {
        condition.subject = text("subject");
    }
    for unreadable in &mut status.unreadable {
        unreadable.document = text("document");
        unreadable.why = text("why");
    }
    status
}
