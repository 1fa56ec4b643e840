use super::Caller;
use crate::support::desks::jsm::{Jsm, Key};
use crate::support::desks::{Desk as _, Throttle};
use chrono::TimeDelta;
use serde_json::{Value as Json, json};

const ALERTS: &str = "/jsm/ops/integration/v2/alerts";

fn caller() -> Caller<Jsm> {
    Caller::new(Jsm::new("key"), "GenieKey key")
}

fn alert(alias: &str, message: &str) -> Json {
    json!({
        "message": message, "alias": alias, "description": "Look.", "priority": "P1", "tags": ["hsmwatch"],
        "details": {"rule": "key-deletion"}, "entity": "hsm-1", "source": "hsmwatch",
    })
}

fn to(alias: &str, action: &str) -> String {
    format!("{ALERTS}/{alias}/{action}?identifierType=alias")
}

#[test]
fn an_open_alert_counts_and_keeps_its_words() {
    let mut caller = caller();
    let (status, body) = caller.post(ALERTS, &alert("a", "first"));
    assert_eq!((status, &body["result"]), (202, &json!("Request will be processed")));
    assert!(body["requestId"].as_str().is_some_and(|id| id.len() == 36), "{body}");
    caller.post(ALERTS, &alert("a", "second"));
    caller.post(&to("a", "notes"), &json!({"note": "Again."}));
    let case = caller.desk.cases().remove(0);
    assert_eq!((case.count, &*case.title, &*case.level), (2, "first", "P1"));
    assert_eq!(case.notes, ["Again."]);
    caller.post(&to("a", "close"), &json!({"note": "Over."}));
    caller.post(ALERTS, &alert("a", "third"));
    assert_eq!(caller.open(), [false, true]);
    let id = caller.desk.cases()[1].id.clone();
    caller.post(&format!("{ALERTS}/{id}/acknowledge"), &json!({}));
    assert!(caller.desk.acknowledged(&id));
    caller.desk.close(caller.now, &id);
    assert_eq!(caller.open(), [false, false]);
    assert_eq!(caller.desk.lost(), [] as [String; 0]);
    caller.clean();
}

#[test]
fn requests_are_done_later_and_may_come_to_nothing() {
    let mut caller = caller();
    caller.desk.lag = TimeDelta::seconds(3);
    let (status, note) = caller.post(&to("a", "notes"), &json!({"note": "To whom?"}));
    assert_eq!(status, 202, "it is promised");
    let (_, made) = caller.post(ALERTS, &alert("a", "first"));
    let request =
        |body: &Json| format!("{ALERTS}/requests/{}", body["requestId"].as_str().unwrap());
    assert_eq!(caller.get(&request(&made)).0, 404);
    assert_eq!(caller.desk.cases(), []);
    caller.wait(3);
    let (status, answer) = caller.get(&request(&made));
    assert_eq!(
        (status, &answer["data"]["success"], &answer["data"]["alias"]),
        (200, &json!(true), &json!("a"))
    );
    assert_eq!(caller.get(&request(&note)).1["data"]["status"], "Alert does not exist");
    caller.post(&to("b", "close"), &json!({}));
    caller.wait(3);
    caller.desk.pass(caller.now);
    assert_eq!(
        caller.desk.lost(),
        ["AddNote: Alert does not exist", "Close: Alert does not exist"]
    );
    assert_eq!(caller.open(), [true]);
}

#[test]
fn what_is_refused_says_why() {
    let cases: &[(&str, Json)] = &[
        ("message", json!(" ")),
        ("message", json!("m".repeat(131))),
        ("alias", json!("a".repeat(513))),
        ("description", json!("d".repeat(15_001))),
        ("priority", json!("critical")),
        ("tags", json!("hsmwatch")),
        ("tags", json!(["t".repeat(51)])),
        ("tags", json!(vec!["t"; 21])),
        ("details", json!({"n": 1})),
        ("details", json!({"n": "x".repeat(8000)})),
        ("entity", json!(7)),
        ("source", json!("s".repeat(101))),
        ("responders", json!([{"name": "team"}])),
        ("colour", json!("red")),
    ];
    for (name, value) in cases {
        let mut caller = caller();
        let mut body = alert("a", "first");
        body[*name] = value.clone();
        let (status, answer) = caller.post(ALERTS, &body);
        assert_eq!((status, answer["errors"].get(name).is_some()), (422, true), "{name}: {answer}");
        assert!(caller.noticed(0).contains(name));
        assert_eq!(caller.desk.cases(), []);
    }
    let mut caller = caller();
    caller.post(ALERTS, &alert("a", "first"));
    assert_eq!(caller.post(&to("a", "notes"), &json!({})).0, 422);
    assert_eq!(caller.post(&to("a", "notes"), &json!({"note": "n".repeat(25_001)})).0, 422);
    assert_eq!(caller.post(&format!("{ALERTS}/a/close?identifierType=name"), &json!({})).0, 422);
    assert_eq!(caller.ask_as("text/plain", "POST", ALERTS, b"{}").0, 415);
    assert_eq!(caller.ask_as("application/json", "POST", ALERTS, b"{").0, 400);
    assert_eq!(
        caller.get(&format!("{ALERTS}/a?identifierType=alias")).0,
        404,
        "alerts cannot be read"
    );
    assert_eq!(caller.desk.problems().len(), 6);
}

#[test]
fn keys_and_rates() {
    let mut caller = caller();
    caller.desk.key = Key::OfAnother;
    assert_eq!(caller.post(ALERTS, &alert("a", "first")).1["code"], 40301);
    caller.desk.key = Key::Revoked;
    let (status, body) = caller.post(ALERTS, &alert("a", "first"));
    assert_eq!((status, &body["message"]), (401, &json!("Could not authenticate")));
    caller.clean();
    caller.authorization = "Bearer key".to_owned();
    assert_eq!(caller.post(ALERTS, &alert("a", "first")).0, 401);
    caller.noticed(0);
    caller.authorization = "GenieKey key".to_owned();
    caller.desk.key = Key::Good;
    caller.desk.throttle = Throttle::per_minute(1);
    assert_eq!(caller.post(ALERTS, &alert("a", "first")).0, 202);
    assert_eq!(caller.post(ALERTS, &alert("a", "first")).0, 429);
}
