//! Alerts for the tests of every receiver kind.
use super::desk::{self, jira, jsm, pagerduty, servicenow};
use super::{Kind, Settings, webhook};
use crate::watch::alert::{Alert, AlertRule, AlertWorkspace, CAVEAT, Hit, Interval, Links, Reason};
use crate::watch::own as own_watch;
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

pub(super) const HSM: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/rg-hsm/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/hsm-prod-weu";

/// Every hostile string that the kinds must defuse.
pub(super) const HOSTILE: [&str; 6] = [
    "evil [click](https://evil.example/x) <at>Everyone</at> **BOLD** <!channel> # h1",
    "evil <https://evil.example|click> <!channel> <@U123> *b* _i_ ~s~ & co",
    "\u{202e}gnp.exe\u{202c}\u{200b}\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}\u{1b}[2J",
    "{{DATE(2020-01-01T00:00:00Z)}} ![](https://evil.example/pixel.png)",
    "line one\r\nline two\u{2028}line three\t| a | table |",
    "\"}],\"x\":[{\\",
];

/// A receiver of this kind as people mostly configure it.
pub(crate) fn settings(kind: Kind) -> Settings {
    let fields = Map::new;
    match kind {
        Kind::Teams => Settings::Teams,
        Kind::Slack => Settings::Slack,
        Kind::Webhook => Settings::Webhook(webhook::Settings::default()),
        Kind::PagerDuty => Settings::Desk(desk::Settings::PagerDuty(pagerduty::Settings {
            routing_key: "R0123456789abcdef0123456789abcde".into(),
            severity: pagerduty::Settings::default_severity(),
        })),
        Kind::JiraServiceManagement => {
            Settings::Desk(desk::Settings::JiraServiceManagement(jsm::Settings {
                priority: jsm::Settings::default_priority(),
                fields: fields(),
            }))
        }
        Kind::ServiceNow => Settings::Desk(desk::Settings::ServiceNow(servicenow::Settings {
            table: servicenow::Table::Incident,
            urgency: servicenow::Settings::default_urgency(),
            impact: servicenow::Settings::default_impact(),
            severity: servicenow::Settings::default_severity(),
            fields: fields(),
        })),
        Kind::Jira => Settings::Desk(desk::Settings::Jira(jira::Settings {
            project: "SEC".to_owned(),
            issue_type: "Task".to_owned(),
            priority: None,
            fields: fields(),
        })),
    }
}

pub(super) fn t(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn hit(n: u64, operation: &str, caller: &str, client: &str) -> Hit {
    let mut fields = Map::new();
    fields.insert("Opcode".to_owned(), json!(17));
    fields.insert("DurationMs".to_owned(), json!(12.5));
    Hit {
        fingerprint: format!("{n:032x}"),
        time: t("2026-11-22T09:01:12.1234567Z") + TimeDelta::seconds(i64::try_from(n).unwrap() * 7),
        operation: Some(operation.to_owned()),
        instance: Some("hsm1".to_owned()),
        caller: Some(caller.to_owned()),
        client: Some(client.to_owned()),
        resource: Some(HSM.to_owned()),
        fields,
    }
}

/// An ordinary alert: three keys deleted by two callers.
pub(super) fn alert(severity: Severity) -> Alert {
    with_hits(
        severity,
        vec![
            hit(0, "CN_TOMBSTONE_OBJECT", "10.20.4.17", "azcloudhsm_util/2.0.1"),
            hit(1, "CN_TOMBSTONE_OBJECT", "10.20.4.17", "azcloudhsm_util/2.0.1"),
            hit(40, "CN_TOMBSTONE_OBJECT", "10.20.9.3", "pkcs11-tool"),
        ],
    )
}

pub(super) fn with_hits(severity: Severity, hits: Vec<Hit>) -> Alert {
    let times = || hits.iter().map(|hit| hit.time);
    let at = t("2026-11-22T09:15:04Z");
    Alert {
        id: "8c0f2f6e5d0b4a3c9e1d7a6b5c4d3e2f".to_owned(),
        rule: AlertRule {
            id: "key-delete".to_owned(),
            title: "HSM key deleted".to_owned(),
            severity,
            version: "3f9a1c0b77de".to_owned(),
            meaning: "Someone deleted a key (deleteKey).".to_owned(),
            why: "A deleted key cannot be brought back; what it protects is lost with it."
                .to_owned(),
            action: "Ask who did it; check that the keys still exist; restore a backup if not."
                .to_owned(),
            false_positives: "A planned key rotation.".to_owned(),
        },
        workspace: AlertWorkspace {
            id: "11111111-2222-3333-4444-555555555555".to_owned(),
            name: "prod".to_owned(),
        },
        group: BTreeMap::from([("_ResourceId".to_owned(), HSM.to_owned())]),
        incident_key: "5d41402abc4b2a76b9719d911017c592".to_owned(),
        reason: Reason::New,
        window: Interval { from: t("2026-11-22T08:10:00Z"), to: t("2026-11-22T09:15:00Z") },
        time: at,
        count: hits.len() as u64,
        suppressed: 0,
        first_seen: times().min().unwrap_or(at),
        last_seen: times().max().unwrap_or(at),
        hits,
        hits_truncated: 0,
        caveat: Some(CAVEAT.to_owned()),
        note: None,
        links: Links {
            logs: Some("https://portal.azure.com#@contoso/blade/Logs/q/H4sI".to_owned()),
            runbook: Some("https://wiki.example.com/hsm/key-delete".to_owned()),
        },
        receivers: vec!["oncall".to_owned()],
    }
}

/// Late records, some time ago.
pub(super) fn sweep() -> Alert {
    let mut alert = alert(Severity::High);
    alert.reason = Reason::Sweep;
    alert.window = Interval { from: t("2026-11-20T08:00:00Z"), to: t("2026-11-22T09:00:00Z") };
    for (hit, time) in alert.hits.iter_mut().zip(["21T23:58:00Z", "21T23:59:00Z", "22T00:01:00Z"]) {
        hit.time = t(&format!("2026-11-{time}"));
    }
    alert.first_seen = alert.hits[0].time;
    alert.last_seen = alert.hits[2].time;
    alert
}

/// Folded: counted, not listed.
pub(super) fn digest() -> Alert {
    let mut alert = with_hits(Severity::Medium, Vec::new());
    alert.reason = Reason::Digest;
    alert.group = BTreeMap::new();
    (alert.count, alert.hits_truncated, alert.suppressed) = (1_234, 1_234, 17);
    alert.first_seen = t("2026-11-22T08:12:00Z");
    alert.last_seen = t("2026-11-22T09:14:59Z");
    alert.note =
        Some("61 further groups had hits in this evaluation; they are counted here.".to_owned());
    alert
}

/// 500 listed of 702, by many callers.
pub(super) fn many() -> Alert {
    let callers = 23;
    let hits = (0..500).map(|n| {
        let caller = format!("10.20.{}.{}", n % callers, n % callers + 1);
        let time = t("2026-11-22T09:00:00Z") + TimeDelta::seconds(i64::try_from(n).unwrap());
        let operation = if n % 5 == 0 { "CN_LOGIN" } else { "CN_TOMBSTONE_OBJECT" };
        Hit { time, ..hit(n, operation, &caller, "azcloudhsm_util/2.0.1") }
    });
    let mut alert = with_hits(Severity::Critical, hits.collect());
    (alert.count, alert.hits_truncated) = (702, 202);
    alert
}

/// Hostile text in every field of the log.
pub(super) fn hostile() -> Alert {
    let mut alert = alert(Severity::Critical);
    alert.hits = HOSTILE
        .iter()
        .zip(0..)
        .map(|(evil, n)| {
            let mut hit = hit(n, evil, evil, evil);
            hit.instance = Some((*evil).to_owned());
            hit.resource = Some((*evil).to_owned());
            hit.fields.insert("ResultDescription".to_owned(), json!(evil));
            hit.fields.insert((*evil).to_owned(), json!({ (*evil): [evil] }));
            hit
        })
        .collect();
    alert.group = HOSTILE.iter().map(|evil| ((*evil).to_owned(), (*evil).to_owned())).collect();
    (alert.count, alert.hits_truncated) = (HOSTILE.len() as u64, 0);
    alert
}

/// As little as an alert can hold.
pub(super) fn empty() -> Alert {
    let mut alert = with_hits(Severity::Info, Vec::new());
    let rule = &mut alert.rule;
    for text in [
        &mut rule.title,
        &mut rule.meaning,
        &mut rule.why,
        &mut rule.action,
        &mut rule.false_positives,
    ] {
        text.clear();
    }
    alert.group = BTreeMap::new();
    alert.caveat = None;
    alert.links = Links::default();
    alert.hits = vec![Hit {
        fingerprint: "0".repeat(32),
        time: alert.time,
        operation: None,
        instance: None,
        caller: None,
        client: None,
        resource: None,
        fields: Map::new(),
    }];
    alert.count = 1;
    alert
}

/// A window rule's result: no operation, no caller, fields only.
pub(super) fn summed() -> Alert {
    let mut alert = alert(Severity::Medium);
    alert.rule.id = "login-burst".to_owned();
    alert.rule.title = "Many logins from one address".to_owned();
    alert.window = Interval { from: t("2026-11-22T08:00:00Z"), to: t("2026-11-22T09:00:00Z") };
    let mut hit = hit(0, "", "10.20.4.17", "");
    (hit.operation, hit.client, hit.instance, hit.time) = (None, None, None, alert.window.to);
    hit.fields =
        Map::from_iter([("Logins".to_owned(), json!(212)), ("Usual".to_owned(), json!(9))]);
    (alert.first_seen, alert.last_seen) = (hit.time, hit.time);
    alert.hits = vec![hit];
    alert.count = 1;
    alert
}

/// One of hsmwatch's own.
pub(super) fn own() -> Alert {
    let mut alert = with_hits(Severity::High, Vec::new());
    alert.rule = AlertRule {
        id: "receiver-broken".to_owned(),
        title: "A receiver does not take alerts".to_owned(),
        severity: Severity::High,
        version: "000000000001".to_owned(),
        meaning: String::new(),
        why: "People who read there do not hear of their keys.".to_owned(),
        action: "Mend its URL or secret, then run `hsmwatch receivers on oncall`.".to_owned(),
        false_positives: String::new(),
    };
    alert.workspace = AlertWorkspace { id: "hsmwatch".to_owned(), name: "hsmwatch".to_owned() };
    alert.group = BTreeMap::from([("subject".to_owned(), "oncall".to_owned())]);
    let mut hit = empty().hits.remove(0);
    hit.fields = Map::from_iter([
        ("condition".to_owned(), json!("receiver broken")),
        ("subject".to_owned(), json!("oncall")),
        ("since".to_owned(), json!("2026-11-22T09:14:00Z")),
    ]);
    alert.hits = vec![hit];
    alert.count = 1;
    alert.caveat = None;
    alert.note = Some("The receiver `oncall` answered 404: its alerts wait.".to_owned());
    alert.links = Links::default();
    alert
}

/// What hsmwatch says of itself: of a receiver that is broken, and of the same one when it is well again.
pub(crate) fn ill_and_well() -> (Alert, Alert) {
    let now = t("2026-11-22T09:15:04Z");
    let mut head = own_watch::start(now - TimeDelta::days(1));
    let broken = own_watch::Observation {
        condition: own_watch::Condition::ReceiverBroken,
        about: "oncall".to_owned(),
        subject: "oncall".to_owned(),
        since: now - TimeDelta::minutes(1),
        detail: "Receiver `oncall` is off: it refuses everything.".to_owned(),
        not_over: None,
        only_over: None,
    };
    let receivers = ["itsm".to_owned()];
    let ill = own_watch::step(&mut head, &[broken], &receivers, now).remove(0);
    let well = own_watch::step(&mut head, &[], &receivers, now + TimeDelta::hours(1)).remove(0);
    (ill, well)
}

/// Runs `test` with all snapshots in one folder, named as the test says and free of the crate's version.
pub(super) fn snapshots(test: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/src/notify/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(test);
}

/// All samples by name: an ordinary one a severity, and the odd ones.
pub(super) fn all() -> Vec<(String, Alert)> {
    let ordinary =
        Severity::ALL.into_iter().map(|severity| (severity.to_string(), alert(severity)));
    let odd = [
        ("sweep", sweep()),
        ("digest", digest()),
        ("many", many()),
        ("hostile", hostile()),
        ("empty", empty()),
        ("summed", summed()),
        ("own", own()),
    ];
    ordinary.chain(odd.into_iter().map(|(name, alert)| (name.to_owned(), alert))).collect()
}

/// A mark that every text from the log carries in [`any_alert`], so that a test can find where it went.
pub(super) const MARK: &str = "LOG\u{16a0}";

/// Text from the log: anything, short or long, marked.
fn log_text() -> impl Strategy<Value = String> + Clone {
    let long =
        (any::<char>(), 0usize..100_000).prop_map(|(c, n)| c.to_string().repeat(n / c.len_utf8()));
    prop_oneof![
        8 => any::<String>(),
        4 => prop::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned),
        1 => long,
    ]
    .prop_map(|text| format!("{MARK}{text}"))
}

/// Text of ours or of the configuration's: anything, too.
fn own_text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![8 => any::<String>(), 1 => (any::<char>(), 0usize..20_000).prop_map(|(c, n)| c.to_string().repeat(n))]
}

fn any_hit() -> impl Strategy<Value = Hit> {
    let text = || prop::option::of(log_text());
    let operation = prop::option::of(prop_oneof![
        3 => prop::sample::select(vec!["CN_TOMBSTONE_OBJECT", "CN_LOGIN", "CN_CREATE_USER"]).prop_map(str::to_owned),
        1 => log_text(),
    ]);
    let value = prop_oneof![
        log_text().prop_map(Json::String),
        any::<f64>().prop_map(|x| json!(x)),
        prop::collection::vec(log_text().prop_map(Json::String), 0..3).prop_map(Json::Array),
    ];
    let fields = prop::collection::btree_map(log_text(), value, 0..4);
    (operation, text(), text(), text(), text(), fields, 0i64..100_000).prop_map(
        |(operation, instance, caller, client, resource, fields, seconds)| Hit {
            fingerprint: "0".repeat(32),
            time: t("2026-11-22T09:00:00Z") + TimeDelta::seconds(seconds),
            operation,
            instance,
            caller,
            client,
            resource,
            fields: fields.into_iter().collect(),
        },
    )
}

/// Any alert at all, with counts that fit its hits.
pub(super) fn any_alert() -> impl Strategy<Value = Alert> {
    let hits = prop_oneof![
        3 => prop::collection::vec(any_hit(), 0..6),
        1 => (any_hit(), 0usize..=500).prop_map(|(hit, n)| vec![hit; n]),
    ];
    let texts = prop::collection::vec(own_text(), 8);
    let group = prop::collection::btree_map(log_text(), log_text(), 0..3);
    let link = prop::option::of("https://[a-z]{1,8}\\.example/[ -~]{0,20}|[ -~]{0,30}");
    let rest = (
        prop_oneof![Just(0u64), 0u64..5_000, Just(u64::from(u32::MAX))],
        0u64..3,
        prop::sample::select(Severity::ALL.to_vec()),
        prop::sample::select(vec![Reason::New, Reason::Digest, Reason::Sweep, Reason::Test]),
    );
    (hits, texts, group, link.clone(), link, rest).prop_map(
        |(hits, texts, group, logs, runbook, (truncated, suppressed, severity, reason))| {
            let mut alert = with_hits(severity, hits);
            let mut texts = texts.into_iter();
            let mut next = || texts.next().unwrap();
            alert.rule.title = next();
            alert.rule.meaning = next();
            alert.rule.why = next();
            alert.rule.action = next();
            alert.rule.false_positives = next();
            alert.workspace.name = next();
            alert.note = Some(next());
            alert.rule.id = next();
            alert.group = group;
            alert.links = Links { logs, runbook };
            (alert.suppressed, alert.reason) = (suppressed, reason);
            alert.count = alert.hits.len() as u64 + truncated;
            alert.hits_truncated = truncated;
            alert
        },
    )
}
