//! The head's own small moves, and its document.

use super::super::alert::{AlertRule, AlertWorkspace, Hit, Links, Reason};
use super::super::schedule::Schedule;
use super::*;
use crate::watch::rule::plain;
use serde_json::Map;

fn t0() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn at(minutes: i64) -> DateTime<Utc> {
    t0() + TimeDelta::minutes(minutes)
}

fn rule(query: &str) -> Rule {
    plain("r", query)
}

fn head() -> Head {
    let id = WatchId { workspace: "w".to_owned(), rule: "r".to_owned() };
    Head::start(id, "prod", &rule("T"), t0())
}

fn alert(id: &str, times: &[DateTime<Utc>], truncated: u64, receivers: &[&str]) -> Alert {
    let hits: Vec<Hit> = times
        .iter()
        .map(|time| Hit {
            fingerprint: String::new(),
            time: *time,
            operation: None,
            instance: None,
            caller: None,
            client: None,
            resource: None,
            fields: Map::new(),
        })
        .collect();
    let last = times.iter().max().copied().unwrap_or(t0());
    Alert {
        id: id.to_owned(),
        rule: AlertRule {
            id: "r".to_owned(),
            title: "Title".to_owned(),
            severity: Severity::High,
            version: String::new(),
            meaning: String::new(),
            why: String::new(),
            action: String::new(),
            false_positives: String::new(),
        },
        workspace: AlertWorkspace { id: "w".to_owned(), name: "prod".to_owned() },
        group: std::collections::BTreeMap::new(),
        incident_key: String::new(),
        reason: Reason::New,
        window: Interval { from: t0(), to: last },
        time: last,
        count: hits.len() as u64 + truncated,
        suppressed: 0,
        first_seen: times.iter().min().copied().unwrap_or(t0()),
        last_seen: last,
        hits,
        hits_truncated: truncated,
        caveat: None,
        note: None,
        links: Links::default(),
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn what_a_version_is() {
    let base = Version::of(&rule("T"), t0()).id;
    let with = |change: fn(&mut Rule)| {
        let mut changed = rule("T");
        change(&mut changed);
        Version::of(&changed, at(5)).id
    };
    for (what, change) in [
        ("query", (|r| r.query = "U".to_owned()) as fn(&mut Rule)),
        ("exclude", |r| r.exclude = Some("x".to_owned())),
        ("lookback", |r| r.kind = Kind::Event { lookback: Some(TimeDelta::days(14)) }),
        ("key", |r| r.key = vec!["A".to_owned()]),
        ("kind", |r| {
            r.kind = Kind::Window { window: TimeDelta::hours(1), settle: TimeDelta::zero() }
        }),
    ] {
        assert_ne!(with(change), base, "{what} makes a new version");
    }
    for (what, change) in [
        ("title", (|r| r.title = "U".to_owned()) as fn(&mut Rule)),
        ("severity", |r| r.severity = Severity::Info),
        ("wording", |r| r.meaning = "U".to_owned()),
        ("schedule", |r| r.schedule = Schedule::Every(TimeDelta::hours(1))),
        ("group_by", |r| r.group_by = Some(vec!["A".to_owned()])),
        ("receivers", |r| r.receivers = Some(Vec::new())),
        ("renotify", |r| r.renotify = Some(TimeDelta::hours(1))),
    ] {
        assert_eq!(with(change), base, "{what} makes none");
    }
    assert_eq!(base.len(), 12);
}

#[test]
fn two_constants_stand_before_the_text_on_its_first_line() {
    let version = Version::of(&rule("T\n| where x // end"), t0());
    let window = Interval { from: t0() + TimeDelta::nanoseconds(100), to: at(5) };
    assert_eq!(
        version.ask(window),
        "let window_start = datetime(2026-03-01T12:00:00.0000001Z); \
         let window_end = datetime(2026-03-01T12:05:00.0000000Z); T\n| where x // end"
    );
    let excluded = Rule { exclude: Some("A == 'b' // why".to_owned()), ..rule("T // c ;\n") };
    assert_eq!(Version::of(&excluded, t0()).query, "T // c\n| where not(A == 'b' // why\n)");
}

#[test]
fn adopting_closes_the_old_version_at_the_watermark() {
    let mut head = head();
    let since = |head: &Head| head.versions.iter().map(|v| v.since).collect::<Vec<_>>();
    head.adopt(&rule("T"), at(1));
    assert_eq!(since(&head), [t0()], "the same text");
    head.watermark = at(10);
    head.adopt(&rule("U"), at(11));
    assert_eq!(since(&head), [t0(), at(10)]);
    // Edited again before anything was asked: the one in between never had time of its own.
    head.adopt(&rule("V"), at(12));
    assert_eq!(since(&head), [t0(), at(10)]);
    assert_eq!(head.versions[1].query, "V");
    // Back to the old text is a version of its own: rows are compared within a version only.
    head.watermark = at(20);
    head.adopt(&rule("T"), at(21));
    assert_eq!(since(&head), [t0(), at(10), at(20)]);
    assert_eq!(head.versions[0].id, head.versions[2].id);
}

#[test]
fn an_edit_at_the_start_replaces_the_version() {
    let mut head = head();
    head.adopt(&rule("U"), at(1));
    assert_eq!((head.versions.len(), head.versions[0].query.as_str()), (1, "U"));
}

#[test]
fn versions_are_few_and_short_and_what_is_given_up_is_noted() {
    let mut head = head();
    for n in 1..=12 {
        head.watermark = at(n * 10);
        head.adopt(&rule(&format!("T{n}")), at(n * 10 + 1));
    }
    assert_eq!(head.versions.len(), OLD_VERSIONS + 1);
    assert_eq!(head.versions[0].since, at(40));
    assert_eq!(head.floor, at(40), "no window begins before the oldest version kept");
    let lost: Vec<(DateTime<Utc>, DateTime<Utc>)> =
        head.gaps.iter().map(|gap| (gap.interval.from, gap.interval.to)).collect();
    assert_eq!(lost, [(t0(), at(10)), (at(10), at(20)), (at(20), at(30)), (at(30), at(40))]);
    assert!(head.gaps.iter().all(|gap| gap.why == GapKind::Versions));

    let mut head = self::head();
    for n in 1..=4 {
        head.watermark = at(n * 10);
        head.adopt(
            &rule(&"x".repeat(OLD_TEXT * 2 / 5 + usize::try_from(n).unwrap())),
            at(n * 10 + 1),
        );
    }
    let old: usize = head.versions.iter().rev().skip(1).map(|v| v.query.len()).sum();
    assert!(old <= OLD_TEXT, "{old} bytes of old text");
    assert_eq!(head.versions.len(), 3);
    assert_eq!(head.floor, at(20));
}

#[test]
fn gaps_that_touch_and_were_found_together_are_one() {
    let mut head = head();
    let span = |from, to| Interval { from: at(from), to: at(to) };
    head.gap(span(1, 1), GapKind::Outage, at(9));
    assert!(head.gaps.is_empty(), "nothing is no gap");
    head.gap(span(1, 2), GapKind::TooDense, at(9));
    head.gap(span(2, 3), GapKind::TooDense, at(9));
    head.gap(span(3, 4), GapKind::Outage, at(9));
    head.gap(span(4, 5), GapKind::Outage, at(10));
    head.gap(span(6, 7), GapKind::Outage, at(10));
    let all: Vec<Interval> = head.gaps.iter().map(|gap| gap.interval).collect();
    assert_eq!(all, [span(1, 3), span(3, 4), span(4, 5), span(6, 7)]);
    head.raise_floor(at(-1), GapKind::Outage, at(9));
    assert_eq!((head.floor, head.gaps.len()), (t0(), 4), "the floor does not fall");
}

#[test]
fn alerts_go_in_by_receivers_and_leave_when_they_have_ended() {
    let mut head = head();
    let alerts = [
        alert("1", &[at(1)], 0, &["a", "b"]),
        alert("2", &[at(1)], 0, &["a", "b"]),
        alert("3", &[at(1)], 0, &["b"]),
        alert("4", &[at(1)], 0, &[]),
    ];
    head.post("alerts/1", &alerts, at(5));
    assert_eq!(head.outbox.len(), 2, "one batch a set of receivers");
    assert_eq!(head.open_alerts(), 3, "what is for nobody waits for nobody");
    head.post("alerts/2", &[alert("5", &[at(6)], 0, &["a", "b"])], at(10));
    assert_eq!(head.outbox.len(), 3, "one batch a document");
    let ended = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    assert!(!head.trim(&ended(&["9"])));
    assert!(head.trim(&ended(&["1", "3"])));
    assert_eq!((head.outbox.len(), head.open_alerts()), (2, 2));
    assert!(head.trim(&ended(&["2", "5"])));
    assert!(head.outbox.is_empty());
    let ids: Vec<&str> = head.recent.iter().map(|recent| recent.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    for n in 6..30 {
        head.post("alerts/3", &[alert(&n.to_string(), &[at(11)], 0, &[])], at(12));
    }
    assert_eq!(
        (head.recent.len(), head.recent[9].id.as_str()),
        (10, "29"),
        "the last few, newest last"
    );
}

#[test]
fn hits_are_counted_by_the_hour_of_their_own_time() {
    let mut head = head();
    let hours = |head: &Head| {
        head.hours.iter().map(|h| ((h.hour - t0()).num_hours(), h.hits)).collect::<Vec<_>>()
    };
    head.post("d", &[alert("1", &[at(59), at(60), at(61), at(-1)], 0, &[])], at(70));
    assert_eq!(hours(&head), [(-1, 1), (0, 1), (1, 2)]);
    // What was only counted goes to the hour of the last.
    head.post("d", &[alert("2", &[at(0), at(119)], 40, &[])], at(130));
    assert_eq!(hours(&head), [(-1, 1), (0, 2), (1, 43)]);
    // 48 hours are kept.
    head.post("d", &[alert("3", &[at(48 * 60)], 0, &[])], at(48 * 60 + 5));
    assert_eq!(hours(&head), [(1, 43), (48, 1)]);
}

#[test]
fn documents() {
    let head = head();
    assert_eq!(Head::decode(&head.encode()), Ok(head.clone()));
    let newer = Head { format: FORMATS.writes + 1, ..head.clone() };
    let error = Head::decode(&newer.encode()).unwrap_err();
    assert_eq!(error, BadHead::Format(OtherFormat::Newer { format: 2, newest: 1 }));
    assert_eq!(
        error.to_string(),
        "it has format 2, this version reads up to 1: run the version that wrote it, or a newer one"
    );
    // A newer format is recognised though nothing else of it is understood.
    let newer = Head::decode(br#"{"format":7,"watches":[]}"#);
    assert_eq!(newer, Err(BadHead::Format(OtherFormat::Newer { format: 7, newest: 1 })));
    let bare = Head { versions: Vec::new(), ..head };
    for bytes in [&b""[..], b"{}", b"[1]", b"{\"format\":1}", b"\xff", &bare.encode()] {
        assert!(matches!(Head::decode(bytes), Err(BadHead::Damaged(_))));
    }
}

#[test]
fn keys_tell_watches_apart() {
    let key = |workspace: &str, rule: &str| {
        WatchId { workspace: workspace.to_owned(), rule: rule.to_owned() }.key()
    };
    assert_eq!(key("w", "r"), "f974c5fc0c0f36d56f83", "it names documents: it never changes");
    assert_ne!(key("a", "bc"), key("ab", "c"));
    assert_ne!(key("a", "b"), key("b", "a"));
    assert_eq!(Head::name("0"), "heads/0");
}
