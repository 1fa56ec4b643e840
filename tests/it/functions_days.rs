//! Fifty ticks of a function app on which everything comes down: the four presets of the tutorial, state in Azurite, late
//! rows, a throttled query service, failing receivers, messages twice, outputs lost, and SIGKILL at any request. Each event
//! stands as new in exactly one alert, and at the end everything is delivered.
//!
//! What happens is drawn from a seed; the clock is the real one.

use crate::support::bed::TestBed;
use crate::support::fake_logs::{Fault as Trouble, Record};
use crate::support::fake_receiver::{Delivery, Say};
use crate::support::function_app::FunctionApp;
use crate::support::functions_host::{Fault, FunctionsHost, Outcome};
use crate::support::gate::Stop;
use chrono::{TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const TICKS: usize = 50;
const WEBHOOKS: [&str; 2] = ["itsm", "siem"];
const CHATS: [&str; 2] = ["chat", "oncall"];
/// Operations and the preset that each is about.
const OPERATIONS: [(&str, &str); 8] = [
    ("CN_LOGIN", "login-session"),
    ("CN_AUTHORIZE_SESSION", "login-session"),
    ("CN_CREATE_USER", "user-change"),
    ("CN_DELETE_USER", "user-change"),
    ("CN_GENERATE_KEY", "key-create"),
    ("CN_GENERATE_KEY_PAIR", "key-create"),
    ("CN_TOMBSTONE_OBJECT", "key-delete"),
    ("CN_GET_HSM_INFO", "none"),
];

/// Draws what happens: the same at every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.next(n) == 0
    }
}

/// One in `n` of whatever has this text, the same at every run and in any order.
fn drawn(what: (&str, Option<(&str, u32)>), n: u64) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    let hash = hasher.finish();
    hash.is_multiple_of(n).then_some(hash / n)
}

#[test]
fn fifty_ticks_of_everything_at_once() {
    let bed = TestBed::new()
        .presets("[\"tutorial\"]")
        .receiver("itsm", "webhook")
        .receiver("siem", "webhook")
        .receiver("oncall", "teams")
        .receiver("chat", "slack");
    let app = FunctionApp::start_on_azurite(bed).begin();
    let began = Utc::now();
    app.host.chaos(|function, message| match function {
        "deliver" => match drawn((function, message), 7)? % 2 {
            0 => Some(Fault::Twice),
            _ => Some(Fault::Redelivered),
        },
        _ => None,
    });
    let mut draw = Draw(7);
    let mut rows: BTreeMap<String, &str> = BTreeMap::new();
    let mut killed = 0;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Queues are worked at all the time, as on a real host.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                app.host.drain();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        for tick in 0..TICKS {
            log_rows(&app, tick, began, &mut draw, &mut rows);
            trouble(&app, &mut draw);
            if draw.one_in(3) {
                app.host.fault("tick", [LOST[draw.next(LOST.len())]]);
            }
            if draw.one_in(4) {
                let stop = [Stop::Before, Stop::Unanswered, Stop::Answered][draw.next(3)];
                app.await_slot();
                let n = 1 + draw.next(30);
                killed += usize::from(app.host.killed_at(&app.bed.gate, n, stop, both_at_times));
                app.ticked();
            } else {
                app.tick();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    app.host.calm();
    app.bed.logs.mend();
    for name in WEBHOOKS.iter().chain(&CHATS) {
        app.bed.at(name).always(None);
        app.bed.at(name).forget_script();
    }
    // The last late rows come in.
    let last = Utc::now() + TimeDelta::seconds(4);
    while Utc::now() < last {
        app.round();
    }
    app.settle();
    check(&app, &rows);
    assert!(killed >= 5, "{killed} of {TICKS} ticks were killed");
    assert!(rows.len() >= 60, "{}", rows.len());
}

const LOST: [Fault; 4] =
    [Fault::OutputsLost, Fault::OutputsPartly, Fault::FailedAfter, Fault::OutputsTwice];

/// One tick, or two at once.
fn both_at_times(host: &FunctionsHost) {
    let other = host.begin_timer("tick");
    host.timer("tick");
    other.wait();
}

/// Up to three rows, some of which can be found only later.
fn log_rows(
    app: &FunctionApp,
    tick: usize,
    began: chrono::DateTime<Utc>,
    draw: &mut Draw,
    rows: &mut BTreeMap<String, &'static str>,
) {
    for n in 0..draw.next(4) {
        let (operation, preset) = OPERATIONS[draw.next(OPERATIONS.len())];
        let client = format!("row {tick} {n}");
        let hsm = format!("/subscriptions/s/hsm-{}", draw.next(3));
        let now = Utc::now();
        let age = TimeDelta::milliseconds(i64::try_from(draw.next(20_000)).unwrap());
        let late = draw.one_in(3);
        let time = if late { (now - age).max(began) } else { now };
        let mut record = Record::new(operation, time)
            .with("ClientInfo", client.as_str())
            .with("_ResourceId", hsm);
        if late {
            let wait = i64::try_from(draw.next(4_000)).unwrap();
            record = record.available_from(now + TimeDelta::milliseconds(wait));
        }
        app.bed.log(record);
        if preset != "none" {
            rows.insert(client, preset);
        }
    }
}

/// What goes wrong at the query service and at the receivers.
fn trouble(app: &FunctionApp, draw: &mut Draw) {
    if draw.one_in(3) {
        app.bed.logs.fault(match draw.next(6) {
            0 => Trouble::Throttled("1"),
            1 => Trouble::Status(503),
            2 => Trouble::Cut,
            3 => Trouble::Partial,
            4 => Trouble::HangUp,
            _ => Trouble::Slow(Duration::from_millis(400)),
        });
    }
    if draw.one_in(4) {
        let name = [WEBHOOKS, CHATS].concat()[draw.next(4)];
        app.bed.at(name).script([match draw.next(6) {
            0 => Say::Status(500),
            1 => Say::RetryAfter(429, "1".to_owned()),
            2 => Say::HangUp,
            3 => Say::Break(503),
            4 => Say::Slow(Duration::from_millis(800)),
            _ => Say::Status(503),
        }]);
    }
}

/// What was told, to whom, how often.
fn check(app: &FunctionApp, rows: &BTreeMap<String, &str>) {
    let expected: BTreeSet<&String> = rows.keys().collect();
    for name in WEBHOOKS {
        let told = app.bed.told(name);
        assert_eq!(told.keys().collect::<BTreeSet<_>>(), expected, "{name}\n{}", app.host.said());
        for (row, alerts) in &told {
            assert_eq!(alerts.len(), 1, "{name}: {row} stands in {alerts:?}");
        }
    }
    // Each rule tells of its own, and a repeated delivery is the same to the byte.
    let (mut bodies, mut severe) = (BTreeMap::new(), BTreeSet::new());
    for name in WEBHOOKS {
        for delivery in app.bed.at(name).deliveries() {
            let json = delivery.json();
            let rule = json["data"]["rule"]["id"].as_str().unwrap().to_owned();
            if rule != "hsmwatch" && rule != "login-session" {
                severe.insert(delivery.id().to_owned());
            }
            for hit in json["data"]["hits"].as_array().unwrap() {
                if let Some(preset) = hit["client"].as_str().and_then(|client| rows.get(client)) {
                    assert_eq!(rule, *preset);
                }
            }
            let first = bodies
                .entry((name, delivery.id().to_owned()))
                .or_insert_with(|| delivery.body.clone());
            assert!(*first == delivery.body, "{name}: {} changed", delivery.id());
        }
    }
    // Everybody has accepted everything that is for them.
    for name in WEBHOOKS.iter().chain(&CHATS) {
        let deliveries = app.bed.at(name).deliveries();
        let all: BTreeSet<&str> = deliveries.iter().map(Delivery::id).collect();
        let accepted =
            deliveries.iter().filter(|d| d.answered.is_some_and(|s| (200..300).contains(&s)));
        let accepted: BTreeSet<&str> = accepted.map(Delivery::id).collect();
        assert_eq!(all, accepted, "{name}");
        let missed: Vec<&String> = severe.iter().filter(|id| !all.contains(id.as_str())).collect();
        let said = || app.lines(&format!("{name}\""));
        assert!(missed.is_empty(), "{name} has not heard of {missed:?}: {:#?}", said());
    }
    // No invocation hung, timed out, or died otherwise than by our hand.
    for invocation in app.host.invocations() {
        assert!(
            !matches!(invocation.outcome, Outcome::Hung(_) | Outcome::TimedOut),
            "{invocation:?}"
        );
    }
    assert!(app.host.exits().iter().all(Option::is_none), "{:?}", app.host.exits());
    app.is_clean();
}
