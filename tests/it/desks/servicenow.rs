use super::Caller;
use crate::support::desks::servicenow::{Journal, ServiceNow};
use crate::support::desks::{Desk as _, Throttle};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use serde_json::{Value as Json, json};

const TABLE: &str = "/api/now/table/incident";
const EVENTS: &str = "/api/global/em/jsonv2";

fn caller() -> Caller<ServiceNow> {
    let basic = BASE64_STANDARD.encode("hsmwatch:password");
    Caller::new(ServiceNow::new("hsmwatch", "password"), &format!("Basic {basic}"))
}

fn incident(key: &str) -> Json {
    json!({
        "short_description": "2 keys deleted", "description": "Look.", "urgency": "1", "impact": "1",
        "correlation_id": key, "correlation_display": "hsmwatch", "assignment_group": "crypto",
    })
}

fn open(caller: &mut Caller<ServiceNow>, key: &str) -> String {
    let (status, body) = caller.post(TABLE, &incident(key));
    assert_eq!(status, 201, "{body}");
    body["result"]["sys_id"].as_str().unwrap().to_owned()
}

/// Numbers of the incidents that a query finds.
fn find(caller: &mut Caller<ServiceNow>, query: &str) -> Vec<String> {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let (status, body) = caller
        .get(&format!("{TABLE}?sysparm_query={query}&sysparm_fields=number&sysparm_limit=10"));
    assert_eq!(status, 200);
    let rows = body["result"].as_array().unwrap();
    rows.iter().map(|row| row["number"].as_str().unwrap().to_owned()).collect()
}

fn journal(caller: &mut Caller<ServiceNow>, id: &str) -> (u16, Json) {
    let query = format!("element_id={id}%5Eelement=work_notes%5EORDERBYDESCsys_created_on");
    caller.get(&format!(
        "/api/now/table/sys_journal_field?sysparm_query={query}&sysparm_fields=value"
    ))
}

#[test]
fn an_incident_lives_its_life() {
    let mut caller = caller();
    let id = open(&mut caller, "k");
    let (_, body) = caller.get(&format!("{TABLE}/{id}"));
    let shown = &body["result"];
    assert_eq!(
        (&shown["number"], &shown["active"], &shown["state"]),
        (&json!("INC0010001"), &json!("true"), &json!("1"))
    );
    assert_eq!(shown["assignment_group"]["value"], "crypto");
    assert_eq!(shown["priority"], "1");
    let note = |text: &str| json!({"work_notes": text});
    assert_eq!(caller.ask("PATCH", &format!("{TABLE}/{id}"), &note("Again.")).0, 200);
    caller.wait(60);
    assert_eq!(caller.ask("PUT", &format!("{TABLE}/{id}"), &note("And again.")).0, 200);
    assert_eq!(
        journal(&mut caller, &id).1,
        json!({"result": [{"value": "And again."}, {"value": "Again."}]})
    );
    let (_, body) = caller
        .get(&format!("{TABLE}/{id}?sysparm_display_value=all&sysparm_fields=work_notes,state"));
    let shown = &body["result"];
    assert_eq!(
        (&shown["work_notes"]["value"], &shown["state"]["display_value"]),
        (&json!(""), &json!("New"))
    );
    assert!(
        shown["work_notes"]["display_value"]
            .as_str()
            .unwrap()
            .starts_with("2026-01-15 09:01:00 - hsmwatch (Work notes)\nAnd again.\n")
    );

    let resolve = json!({"state": "6"});
    let (status, body) = caller.ask("PATCH", &format!("{TABLE}/{id}"), &resolve);
    assert_eq!((status, &body["error"]["message"]), (403, &json!("Operation Failed")));
    assert!(
        body["error"]["detail"]
            .as_str()
            .unwrap()
            .starts_with("Data Policy Exception: Resolution code is mandatory")
    );
    let resolve =
        json!({"state": "6", "close_code": "Solved (Permanently)", "close_notes": "Well again."});
    assert_eq!(
        caller.ask("PATCH", &format!("{TABLE}/{id}"), &resolve).1["result"]["active"],
        "true",
        "resolved is active"
    );
    caller.desk.close(caller.now, &id);
    let (status, body) = caller.ask("PATCH", &format!("{TABLE}/{id}"), &note("Late."));
    assert_eq!(
        (status, &body["error"]["detail"]),
        (403, &json!("ACL Exception Update Failed due to security constraints"))
    );
    let case = caller.desk.cases().remove(0);
    assert_eq!((case.open, case.count, &*case.key, &*case.level), (false, 3, "k", "1/1"));
    assert_eq!(case.notes, ["Again.", "And again."]);
    assert_eq!(caller.desk.state(&id), "7");
    caller.desk.delete(&id);
    assert_eq!(caller.get(&format!("{TABLE}/{id}")).1["error"]["message"], "No Record found");
    caller.clean();
}

#[test]
fn queries_find_and_what_they_do_not_understand_finds_all() {
    let mut caller = caller();
    let first = open(&mut caller, "a");
    caller.wait(1);
    open(&mut caller, "b");
    caller.wait(1);
    open(&mut caller, "a");
    caller.desk.close(caller.now, &first);
    assert_eq!(find(&mut caller, "correlation_id=a^active=true"), ["INC0010003"]);
    assert_eq!(
        find(&mut caller, "correlation_id=a^ORDERBYDESCsys_created_on"),
        ["INC0010003", "INC0010001"]
    );
    assert_eq!(
        find(&mut caller, "correlation_idINa,b^state!=7^ORDERBYnumber"),
        ["INC0010002", "INC0010003"]
    );
    assert_eq!(
        find(&mut caller, "correlation_id=b^ORstate=7^ORDERBYnumber"),
        ["INC0010001", "INC0010002"]
    );
    assert_eq!(
        find(
            &mut caller,
            "descriptionLIKEook^close_codeISEMPTY^numberSTARTSWITHINC001^ORDERBYnumber"
        )
        .len(),
        3
    );
    caller.clean();
    assert_eq!(find(&mut caller, "u_correlation=a").len(), 3, "everything");
    assert!(caller.noticed(0).contains("u_correlation"));
    assert_eq!(find(&mut caller, "correlation_id~a").len(), 3, "everything");
    assert_eq!(find(&mut caller, "active=true^correlationid=a").len(), 2);
    assert_eq!(caller.desk.problems().len(), 3);
}

#[test]
fn a_query_may_lag_and_a_record_does_not() {
    let mut caller = caller();
    caller.desk.search_lag = TimeDelta::seconds(10);
    let id = open(&mut caller, "a");
    assert_eq!(find(&mut caller, "correlation_id=a").len(), 0);
    assert_eq!(caller.get(&format!("{TABLE}/{id}")).0, 200);
    caller.wait(10);
    caller.desk.close(caller.now, &id);
    assert_eq!(find(&mut caller, "correlation_id=a^active=true").len(), 1);
}

#[test]
fn what_is_refused_says_why() {
    let mut caller = caller();
    let id = open(&mut caller, "a");
    let error = |(status, body): (u16, Json)| {
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        assert_eq!(body["status"], "failure");
        (status, text("message"), text("detail"))
    };
    let answer =
        |status: u16, message: &str, detail: &str| (status, message.to_owned(), detail.to_owned());
    let wrong = error(caller.post("/api/now/table/incidents", &incident("a")));
    assert_eq!(wrong, answer(400, "Invalid table incidents", ""));
    let missing = error(caller.get(&format!("{TABLE}/0")));
    assert_eq!(
        missing,
        answer(
            404,
            "No Record found",
            "Record doesn't exist or ACL restricts the record retrieval"
        )
    );
    caller.desk.mandatory = vec![("category".to_owned(), "Category".to_owned())];
    let policy = error(caller.post(TABLE, &incident("a")));
    assert_eq!(
        policy,
        answer(403, "Operation Failed", "Data Policy Exception: Category is mandatory")
    );
    caller.desk.may_create = false;
    let acl = error(caller.post(TABLE, &incident("a")));
    assert_eq!(
        acl,
        answer(403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")
    );
    caller.desk.may_write = false;
    assert_eq!(caller.ask("PATCH", &format!("{TABLE}/{id}"), &json!({"work_notes": "x"})).0, 403);
    caller.desk.journal = Journal::Refused;
    let refused = error(journal(&mut caller, &id));
    assert_eq!(refused, answer(403, "User Not Authorized", "Failed API level ACL Validation"));
    caller.desk.journal = Journal::Empty;
    assert_eq!(journal(&mut caller, &id), (200, json!({"result": []})));
    caller.desk.may_login = false;
    let login = error(caller.get(TABLE));
    assert_eq!(
        login,
        answer(401, "User is not authenticated", "Required to provide Auth information")
    );
    caller.clean();
    caller.desk.may_login = true;
    assert_eq!(error(caller.ask_as("application/json", "POST", TABLE, b"[")).0, 400);
    assert_eq!(error(caller.ask_as("text/xml", "POST", TABLE, b"<a/>")).0, 415);
    assert_eq!(error(caller.get("/api/now/tables")).0, 400);
    assert_eq!(error(caller.ask("DELETE", &format!("{TABLE}/{id}"), &json!({}))).0, 405);
    assert_eq!(caller.desk.problems().len(), 3);
    caller.desk.throttle = Throttle::per_minute(1);
    assert_eq!([caller.get(TABLE).0, caller.get(TABLE).0], [200, 429]);
}

#[test]
fn what_is_left_out_or_cut_in_silence_is_noticed() {
    let mut caller = caller();
    let mut body = incident("a");
    body["short_description"] = json!("s".repeat(161));
    body["u_hsm"] = json!("hsm-1");
    body["urgency"] = json!(1);
    body["close_notes"] = json!({"text": "x"});
    let (status, answer) = caller.post(TABLE, &body);
    assert_eq!(status, 201);
    assert_eq!(answer["result"]["short_description"], "s".repeat(160));
    assert_eq!((answer["result"].get("u_hsm"), &answer["result"]["urgency"]), (None, &json!("1")));
    assert_eq!(caller.desk.problems().len(), 3, "{:?}", caller.desk.problems());
    caller.desk.custom_fields = vec!["u_hsm".to_owned()];
    body["short_description"] = json!("short");
    body["close_notes"] = json!("");
    assert_eq!(caller.post(TABLE, &body).1["result"]["u_hsm"], "hsm-1");
    assert_eq!(caller.desk.problems().len(), 3);
}

fn event(key: &str, severity: &str) -> Json {
    json!({"records": [{
        "source": "hsmwatch", "node": "hsm-1", "type": "key-deletion", "resource": "hsm-1", "metric_name": "key-deletion",
        "message_key": key, "severity": severity, "description": "2 keys deleted", "additional_info": "{\"n\":\"2\"}",
        "time_of_event": "2026-01-15 09:00:00", "resolution_state": if severity == "0" { "Closing" } else { "New" },
    }]})
}

#[test]
fn events_become_alerts() {
    let mut caller = caller();
    caller.desk.event_lag = TimeDelta::seconds(5);
    let (status, body) = caller.post(EVENTS, &event("a", "1"));
    assert_eq!(
        (status, &body["result"]["Default Bulk Endpoint"]),
        (200, &json!("1 events were inserted"))
    );
    assert_eq!(caller.desk.cases(), []);
    caller.wait(5);
    caller.post(EVENTS, &event("a", "2"));
    caller.post(EVENTS, &event("b", "0"));
    caller.wait(5);
    caller.desk.pass(caller.now);
    let case = caller.desk.cases().remove(0);
    assert_eq!((case.count, &*case.level, &*case.name), (2, "2", "Alert0010001"));
    assert_eq!(caller.open(), [true], "closing what is not there opens nothing");
    caller.desk.event_lag = TimeDelta::zero();
    caller.post(EVENTS, &event("a", "0"));
    assert_eq!(caller.open(), [false]);
    caller.post(EVENTS, &event("a", "1"));
    assert_eq!(caller.open(), [false, true]);
    let id = caller.desk.cases()[1].id.clone();
    caller.desk.close(caller.now, &id);
    caller.desk.reopen_within = TimeDelta::seconds(10);
    caller.post(EVENTS, &event("a", "1"));
    assert_eq!(caller.open(), [false, true], "it is opened again");
    caller.desk.close(caller.now, &id);
    caller.wait(10);
    caller.post(EVENTS, &event("a", "1"));
    assert_eq!(caller.open(), [false, false, true]);
    caller.clean();
}

#[test]
fn events_that_nobody_will_see_are_noticed() {
    let cases = [
        ("severity", json!("6")),
        ("severity", json!(null)),
        ("message_key", json!("")),
        ("description", json!("d".repeat(4001))),
        ("additional_info", json!({"n": "2"})),
        ("additional_info", json!("plain")),
        ("additional_info", json!("{\"n\":2}")),
        ("time_of_event", json!("2026-01-15T09:00:00Z")),
        ("resolution_state", json!("Closed")),
        ("colour", json!("red")),
    ];
    for (name, value) in cases {
        let mut caller = caller();
        let mut body = event("a", "1");
        body["records"][0][name] = value;
        assert_eq!(caller.post(EVENTS, &body).0, 200);
        assert!(caller.noticed(0).contains(name));
        assert_eq!(caller.desk.cases().len(), usize::from(name != "severity"));
    }
    let mut caller = caller();
    assert_eq!(caller.post(EVENTS, &json!({"records": []})).0, 400);
    assert_eq!(caller.post("/api/global/em/jsonv3", &json!({})).0, 400);
}

#[test]
fn an_instance_may_stand_behind_a_path() {
    let mut caller = caller();
    caller.desk.prefix = "/gateway/snow".to_owned();
    assert_eq!(caller.get("/gateway/snow/api/now/table/incident").0, 200);
    assert_eq!(caller.get(TABLE).0, 400);
}
