use super::Caller;
use crate::support::desks::pagerduty::PagerDuty;
use crate::support::desks::{Desk as _, Throttle};
use serde_json::{Value as Json, json};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn caller() -> Caller<PagerDuty> {
    Caller::new(PagerDuty::new(KEY), "")
}

fn event(action: &str, dedup_key: &str) -> Json {
    json!({
        "routing_key": KEY, "event_action": action, "dedup_key": dedup_key,
        "payload": {"summary": "2 keys deleted", "source": "hsm-1", "severity": "critical", "timestamp": "2026-01-15T09:00:00Z", "custom_details": {"n": 2}},
        "links": [{"href": "https://portal.azure.com/", "text": "Logs"}],
    })
}

fn send(caller: &mut Caller<PagerDuty>, event: &Json) -> (u16, Json) {
    caller.post("/v2/enqueue", event)
}

#[test]
fn an_open_incident_absorbs_and_a_resolved_one_does_not() {
    let mut caller = caller();
    let (status, body) = send(&mut caller, &event("trigger", "a"));
    assert_eq!(status, 202);
    assert_eq!(body, json!({"status": "success", "message": "Event processed", "dedup_key": "a"}));
    send(&mut caller, &event("acknowledge", "a"));
    send(&mut caller, &event("trigger", "a"));
    let cases = caller.desk.cases();
    assert_eq!((cases.len(), cases[0].count, cases[0].open), (1, 2, true));
    assert!(caller.desk.acknowledged(&cases[0].id));
    send(&mut caller, &event("trigger", "b"));
    send(&mut caller, &event("resolve", "a"));
    send(&mut caller, &event("resolve", "a"));
    send(&mut caller, &event("trigger", "a"));
    assert_eq!(caller.open(), [false, true, true]);
    let id = caller.desk.cases()[2].id.clone();
    caller.desk.close(caller.now, &id);
    assert_eq!(caller.open(), [false, true, false]);
    caller.clean();
}

#[test]
fn resolving_what_is_not_there_is_taken_and_does_nothing() {
    let mut caller = caller();
    let mut resolve = event("resolve", "a");
    resolve.as_object_mut().unwrap().remove("payload");
    assert_eq!(send(&mut caller, &resolve).0, 202);
    assert_eq!(caller.desk.cases(), []);
    caller.clean();
}

#[test]
fn without_a_key_every_trigger_is_an_incident() {
    let mut caller = caller();
    let mut trigger = event("trigger", "a");
    trigger.as_object_mut().unwrap().remove("dedup_key");
    let first = send(&mut caller, &trigger).1;
    let second = send(&mut caller, &trigger).1;
    assert_ne!(first["dedup_key"], second["dedup_key"]);
    assert_eq!(caller.open(), [true, true]);
}

#[test]
fn what_is_refused_says_why() {
    let mut caller = caller();
    let cases: &[(&str, Json, &str)] = &[
        (
            "/routing_key",
            json!("short"),
            "Length of 'routing_key' is incorrect (should be 32 characters)",
        ),
        (
            "/routing_key",
            json!("0123456789abcdef0123456789abcde-"),
            "'routing_key' cannot contain non-alphanumeric characters.",
        ),
        ("/event_action", json!("open"), "'event_action' is invalid"),
        ("/dedup_key", json!("k".repeat(256)), "Length of 'dedup_key' is incorrect"),
        ("/payload", json!(null), "'payload' is missing or blank"),
        ("/payload/summary", json!(" "), "'payload.summary' is missing or blank"),
        ("/payload/summary", json!("s".repeat(1025)), "Length of 'payload.summary' is incorrect"),
        ("/payload/source", json!(null), "'payload.source' is missing or blank"),
        ("/payload/severity", json!("high"), "'payload.severity' is invalid"),
    ];
    for (n, (place, value, why)) in cases.iter().enumerate() {
        let mut event = event("trigger", "a");
        *event.pointer_mut(place).unwrap() = value.clone();
        let (status, body) = send(&mut caller, &event);
        assert_eq!((status, &body["status"]), (400, &json!("invalid event")), "{place}");
        assert!(body["errors"].to_string().contains(why), "{place}: {body}");
        caller.noticed(n);
    }
    let (status, body) = send(&mut caller, &event("resolve", ""));
    assert_eq!((status, &body["errors"][0]), (400, &json!("'dedup_key' is missing or blank")));
    assert_eq!(caller.desk.cases(), []);
}

#[test]
fn a_key_of_nobody_is_refused_and_is_not_against_the_contract() {
    let mut caller = caller();
    caller.desk.rekey(&"f".repeat(32));
    assert_eq!(send(&mut caller, &event("trigger", "a")), (400, json!("Invalid routing key")));
    caller.clean();
}

#[test]
fn what_is_taken_in_silence_is_noticed() {
    let changes: &[(&str, Json)] = &[
        ("/payload/custom_details", json!("text")),
        ("/payload/timestamp", json!("yesterday")),
        ("/payload/extra", json!(1)),
        ("/links", json!([{"href": "http://plain"}])),
        ("/client", json!(7)),
    ];
    for (place, value) in changes {
        let mut caller = caller();
        let mut event = event("trigger", "a");
        let (parent, name) = place.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value.clone();
        assert_eq!(send(&mut caller, &event).0, 202, "{place}");
        caller.noticed(0);
    }
}

#[test]
fn size_type_and_rate_are_limited() {
    let mut caller = caller();
    let mut large = event("trigger", "a");
    large["payload"]["custom_details"]["text"] = json!("x".repeat(512 << 10));
    assert_eq!(send(&mut caller, &large).0, 413);
    let body = event("trigger", "a").to_string();
    caller.ask_as("text/plain", "POST", "/v2/enqueue", body.as_bytes());
    assert!(caller.noticed(1).contains("content type"));
    assert_eq!(caller.post("/v1/enqueue", &json!({})).0, 404);
    caller.desk.throttle = Throttle::per_minute(2);
    let mut statuses = || send(&mut caller, &event("trigger", "a")).0;
    assert_eq!([statuses(), statuses(), statuses()], [202, 202, 429]);
    caller.wait(60);
    assert_eq!(send(&mut caller, &event("trigger", "a")).0, 202);
}
