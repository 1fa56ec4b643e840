//! The bundled day of `hsmwatch demo`: what is in it, counted by plain filters, and what the presets make of it.

use chrono::{DateTime, Utc};
use hsmwatch::local::files::LogFiles;
use hsmwatch::local::logs::FileLogs;
use hsmwatch::ports::{LogSource, Query};
use hsmwatch::watch::alert::Interval;
use hsmwatch::watch::build::build;
use hsmwatch::watch::presets;
use hsmwatch::watch::schedule::Schedule;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const EVENTS: &str = include_str!("../../demo/events.jsonl");
const DAY: (&str, &str) = ("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z");
const STRANGER: &str = "203.0.113.77";
const MINUTE: i64 = 60;

struct Event {
    json: Json,
    time: i64,
    available: i64,
}

impl Event {
    fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
    }

    fn operation(&self) -> &str {
        self.text("/operationName")
    }

    /// On the day that is watched.
    fn is_today(&self) -> bool {
        let time = self.text("/time");
        DAY.0 <= time && time < DAY.1
    }

    /// Seconds from happening to being found.
    fn delay(&self) -> i64 {
        self.available - self.time
    }
}

fn events() -> Vec<Event> {
    let seconds = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp();
    EVENTS
        .lines()
        .map(|line| {
            let json: Json = serde_json::from_str(line).unwrap();
            let at = |name: &str| seconds(json.get(name).and_then(Json::as_str).unwrap());
            let (time, available) = (at("time"), at("available"));
            Event { json, time, available }
        })
        .collect()
}

fn today() -> Vec<Event> {
    events().into_iter().filter(Event::is_today).collect()
}

#[test]
fn every_line_is_a_record_of_the_archive() {
    for Event { json, .. } in events() {
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "time",
                "available",
                "resourceId",
                "operationName",
                "category",
                "callerIpAddress",
                "resultType",
                "durationMs",
                "properties"
            ]
        );
        assert_eq!(json["category"], "HsmServiceOperations");
        let resource = json["resourceId"].as_str().unwrap();
        assert_eq!(resource, resource.to_uppercase());
        let old = resource.ends_with("-NEU");
        for (name, there) in
            [("HsmInstance", !old), ("ClusterType", !old), ("MemberId", old), ("PoolType", old)]
        {
            assert_eq!(json["properties"].get(name).is_some(), there, "{name} {json}");
        }
    }
}

#[test]
fn the_day_has_these_operations() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let today = today();
    for event in &today {
        *counts.entry(event.operation()).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
    insta::assert_snapshot!(counts.join("\n"));
}

#[test]
fn late_and_equal_records_are_among_them() {
    let today = today();
    let within =
        |from: i64, to: i64| today.iter().filter(|e| (from..=to).contains(&e.delay())).count();
    let (prompt, delayed, days) =
        (within(180, 601), within(90 * MINUTE, 96 * MINUTE), within(20 * 3600, 40 * 3600 + 1));
    assert_eq!((prompt, delayed, days), (2906, 25, 10));
    assert_eq!(prompt + delayed + days, today.len());

    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for event in &today {
        let mut row = event.json.clone();
        row.as_object_mut().unwrap().remove("available");
        *copies.entry(row.to_string()).or_default() += 1;
    }
    let twice = |operation: &str| {
        let of = format!("\"operationName\":\"{operation}\"");
        copies.iter().filter(|(row, n)| **n == 2 && row.contains(&of)).count()
    };
    assert_eq!(copies.values().max(), Some(&2));
    assert_eq!(twice("CN_TOMBSTONE_OBJECT"), 2);
    assert_eq!(twice("CN_LOGIN"), 1);
    assert_eq!(twice("HASH_SINGLE_CALL"), 24);
}

#[test]
fn one_client_says_what_could_hurt_a_receiver() {
    let today = today();
    let hostile: Vec<_> =
        today.iter().filter(|e| e.text("/properties/ClientInfo").contains("<script>")).collect();
    assert_eq!(hostile.len(), 1);
    assert_eq!(hostile[0].operation(), "CN_CREATE_USER");
    assert_eq!(hostile[0].text("/callerIpAddress"), STRANGER);
    let said = hostile[0].text("/properties/ClientInfo");
    for part in ["<!channel>", "](https://", "\u{1b}[2J", "\u{202e}", "\n", "\"", "\\", "`"] {
        assert!(said.contains(part), "{part:?}");
    }
}

/// What each preset must find on the day, once everything has arrived.
const MATCHES: [(&str, usize); 6] = [
    ("login-session", 93),
    ("user-change", 3),
    ("key-create", 2),
    ("key-delete", 41),
    ("login-burst", 1),
    ("caller-first-seen", 126),
];

fn operations_of(id: &str) -> &'static [&'static str] {
    match id {
        "login-session" => &["CN_LOGIN", "CN_AUTHORIZE_SESSION"],
        "user-change" => &["CN_CREATE_USER", "CN_DELETE_USER"],
        "key-create" => &["CN_GENERATE_KEY", "CN_GENERATE_KEY_PAIR"],
        "key-delete" => &["CN_TOMBSTONE_OBJECT"],
        _ => &[],
    }
}

fn who(event: &Event) -> (&str, &str) {
    (event.text("/callerIpAddress"), event.text("/resourceId"))
}

/// Instants of the grid at which a caller has 20 logins or more on one HSM in the hour before, as far as has arrived.
fn bursts(events: &[Event]) -> BTreeSet<(&str, &str)> {
    let logins: Vec<_> = events.iter().filter(|e| e.operation() == "CN_LOGIN").collect();
    let first = events.iter().map(|e| e.time).min().unwrap();
    let last = events.iter().map(|e| e.time).max().unwrap();
    let mut found = BTreeSet::new();
    for end in (first..last + 3600).filter(|t| t % (5 * MINUTE) == 0) {
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for login in &logins {
            if (end - 3600..end).contains(&login.time) && login.available <= end {
                *counts.entry(who(login)).or_default() += 1;
            }
        }
        found.extend(counts.into_iter().filter(|(_, n)| *n >= 20).map(|(who, _)| who));
    }
    found
}

#[test]
fn plain_filters_find_what_the_presets_should() {
    let (all, today) = (events(), today());
    let known: BTreeSet<_> = all.iter().filter(|e| !e.is_today()).map(who).collect();
    for (id, matches) in MATCHES {
        let found = match id {
            "login-burst" => bursts(&today).len(),
            "caller-first-seen" => today.iter().filter(|e| !known.contains(&who(e))).count(),
            _ => today.iter().filter(|e| operations_of(id).contains(&e.operation())).count(),
        };
        assert_eq!(found, matches, "{id}");
    }
    let strangers: BTreeSet<_> = today.iter().map(who).filter(|w| !known.contains(w)).collect();
    assert_eq!(strangers.len(), 1);
    assert_eq!(strangers, bursts(&today));
    let kept_out = today.iter().filter(|e| e.text("/callerIpAddress") == STRANGER).count();
    assert_eq!(kept_out, 126);
}

/// The rows of a preset's query over the bundled file, read as any exported log is.
async fn ask(logs: &FileLogs, id: &str, window: (&str, &str), from: &str) -> usize {
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let (start, end) = window;
    let spec = presets::get(id).unwrap().spec.clone();
    let every = Schedule::Every(chrono::TimeDelta::minutes(5));
    let query = build(spec, &every).rule.unwrap().text();
    let query = Query {
        text: format!(
            "let window_start = datetime({start}); let window_end = datetime({end});\n{query}"
        ),
        timespan: Some(Interval { from: instant(from), to: instant(end) }),
        now: instant("2026-03-06T00:00:00Z"),
    };
    let mut rows = Vec::new();
    logs.query(&query, &mut rows).await.unwrap();
    rows.len()
}

#[tokio::test]
async fn the_presets_find_it() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = LogFiles::open(&["demo/events.jsonl".to_owned()], base).unwrap();
    let snapshot = files.snapshot().unwrap();
    let report = snapshot.report();
    assert_eq!((report.rows, report.bad_count), (u64::try_from(events().len()).unwrap(), 0));
    assert_eq!(report.ignored, BTreeSet::from(["available".to_owned()]));

    let logs = FileLogs::new(files);
    for (id, matches) in MATCHES {
        let (window, from) = match id {
            "login-burst" => (("2026-03-03T19:15:00Z", "2026-03-03T20:15:00Z"), DAY.0),
            "caller-first-seen" => (DAY, "2026-02-17T00:00:00Z"),
            _ => (DAY, DAY.0),
        };
        assert_eq!(ask(&logs, id, window, from).await, matches, "{id}");
    }
    assert_eq!(ask(&logs, "log-silence", DAY, DAY.0).await, 0);
    let next_day = ("2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z");
    assert_eq!(ask(&logs, "log-silence", next_day, next_day.0).await, 1);
}
