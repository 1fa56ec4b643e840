//! `run --once`: what is told, to whom, how often, and what is asked of the query service.

use crate::support::bed::{DELETE, TestBed, WORKSPACE, clients, deletion};
use crate::support::fake_logs::{Record, Schema};
use chrono::{DateTime, TimeDelta, Utc};
use hsmwatch::watch::row::ticks_text;
use serde_json::Value as Json;
use std::collections::BTreeSet;

fn all_kinds() -> TestBed {
    TestBed::new().receiver("itsm", "webhook").receiver("oncall", "teams").receiver("chat", "slack")
}

fn webhook() -> TestBed {
    TestBed::new().receiver("itsm", "webhook")
}

#[test]
fn history_is_never_told_and_what_is_new_is_told_once_to_everyone() {
    let bed = all_kinds();
    bed.log(deletion("before", Utc::now() - TimeDelta::minutes(10)));
    bed.delete_key("just before");
    let first = bed.begin();
    assert_eq!(first.stdout, "");
    assert_eq!(bed.logs.requests().len(), 0, "the start comes before any query");

    let at = bed.delete_key("after");
    let second = bed.run_once().exits(0).without_talk();
    let [delivery] = &bed.at("itsm").deliveries()[..] else { panic!("{second:?}") };
    assert_eq!(clients(delivery), ["after"]);
    let data = &delivery.json()["data"];
    assert_eq!(data["rule"]["id"], "key-delete");
    assert_eq!(data["rule"]["severity"], "critical");
    assert_eq!(data["workspace"]["id"], WORKSPACE);
    assert_eq!(data["workspace"]["name"], "prod");
    assert_eq!((&data["reason"], &data["count"]), (&"new".into(), &1.into()));
    assert!(data["caveat"].as_str().unwrap().contains("not whether it succeeded"));
    let hit = &data["hits"][0];
    assert_eq!(hit["operation"], DELETE);
    assert_eq!(hit["instance"], "hsm-instance-1");
    assert_eq!(hit["caller"], "10.20.4.17");
    assert_eq!(hit["time"].as_str().unwrap(), ticks_text(at), "full precision");
    // The same alert everywhere, said on standard output.
    for name in ["oncall", "chat"] {
        let [other] = &bed.at(name).deliveries()[..] else { panic!("{name}: {second:?}") };
        assert_eq!(other.id(), delivery.id());
        assert!(second.stdout.contains(&format!("delivered {} to {name}\n", other.id())));
    }

    let third = bed.run_once().exits(0).without_talk();
    assert_eq!(third.stdout, "");
    for name in ["itsm", "oncall", "chat"] {
        assert_eq!(bed.at(name).deliveries().len(), 1, "{name}");
    }
    // Signature, size and shape, by the fakes' own judgement.
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn a_rule_whose_slot_was_evaluated_is_not_due() {
    let bed = webhook().setting("overlap = \"2h\"").presets("[]").rules(
        "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nevery = \"1d\"\nquery = 'CloudHsmServiceOperationAuditLogs'\n",
    );
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm").len(), 1);
    let asked = bed.logs.requests().len();
    bed.delete_key("b");
    bed.run_once().exits(0).without_talk();
    // Unless midnight came in between.
    if bed.logs.requests().len() == asked {
        assert_eq!(bed.told("itsm").len(), 1);
    }
}

#[test]
fn the_query_as_the_service_gets_it() {
    let bed = webhook().presets("[]").rules(
        "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nquery = '''CloudHsmServiceOperationAuditLogs\n| where OperationName == \"CN_LOGIN\"\n'''\n",
    );
    bed.begin();
    let before = Utc::now();
    bed.run_once().exits(0);
    let [request] = &bed.logs.requests()[..] else { panic!("{:?}", bed.logs.requests()) };
    assert_eq!(request.workspace, WORKSPACE);
    assert_eq!(request.header("prefer"), "wait=180");
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("authorization").starts_with("Bearer "));
    let (from, to) = request.timespan.unwrap();
    let first_line = format!(
        "let window_start = datetime({}); let window_end = datetime({}); CloudHsmServiceOperationAuditLogs",
        ticks_text(from),
        ticks_text(to)
    );
    assert_eq!(request.query, format!("{first_line}\n| where OperationName == \"CN_LOGIN\"\n"));
    assert!(before <= to && to <= Utc::now(), "the window ends now");
    assert!(from < before, "and begins at the start");
}

#[test]
fn rows_at_the_edges_of_windows_are_told_once() {
    let bed = webhook().setting("overlap = \"1s\"");
    bed.begin();
    // Windows that touch: rows lie exactly on the edges, which the service's timespan includes on both sides.
    for n in 0..4 {
        bed.run_once().exits(0);
        let (_, to) = bed.logs.requests().last().unwrap().timespan.unwrap();
        bed.log(deletion(&format!("edge-{n}"), to));
        bed.log(deletion(&format!("before-{n}"), to - TimeDelta::nanoseconds(100)));
    }
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let told = bed.told("itsm");
    assert_eq!(told.len(), 8, "{told:?}");
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
    assert_eq!(bed.at("itsm").counts().values().max(), Some(&1));
}

#[test]
fn late_rows_are_told_within_the_overlap_and_beyond_it_by_the_sweep() {
    let bed = webhook();
    bed.begin();
    bed.began_earlier(TimeDelta::hours(20));
    bed.run_once().exits(0);
    // The watermark is now; the overlap is 1 h.
    let now = Utc::now();
    bed.log(deletion("half an hour late", now - TimeDelta::minutes(30)));
    bed.log(deletion("five hours late", now - TimeDelta::hours(5)));
    bed.log(deletion("from before the start", now - TimeDelta::hours(21)));
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm").into_keys().collect::<Vec<_>>(), ["half an hour late"]);
    bed.change_heads(|head| head.sweep.previous -= TimeDelta::hours(7));
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let deliveries = bed.at("itsm").deliveries();
    let told: Vec<_> = deliveries
        .iter()
        .map(|d| (d.json()["data"]["reason"].as_str().unwrap().to_owned(), clients(d)))
        .collect();
    let expect = |reason: &str, client: &str| (reason.to_owned(), vec![client.to_owned()]);
    assert_eq!(told, [expect("new", "half an hour late"), expect("sweep", "five hours late")]);
}

#[test]
fn an_outage_is_caught_up_with_in_segments() {
    let bed = webhook();
    bed.begin();
    bed.began_earlier(TimeDelta::hours(20));
    let now = Utc::now();
    bed.change_heads(|head| head.sweep.previous = now);
    for hours in [19, 13, 7, 1] {
        bed.log(deletion(&format!("{hours} h ago"), now - TimeDelta::hours(hours)));
    }
    bed.run_once().exits(0);
    let told = bed.told("itsm");
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
    let longest = bed.logs.requests().iter().map(|r| r.timespan.unwrap()).map(|(a, b)| b - a).max();
    assert!(longest <= Some(TimeDelta::hours(7)), "6 h and the overlap: {longest:?}");
    let first = bed.at("itsm").deliveries()[0].json();
    assert_eq!(first["data"]["reason"], "catch-up");
}

#[test]
fn equal_rows_are_two_events() {
    let bed = webhook();
    bed.begin();
    let at = bed.delete_key("twin");
    bed.log(deletion("twin", at));
    bed.run_once().exits(0);
    let [delivery] = &bed.at("itsm").deliveries()[..] else { panic!() };
    let json = delivery.json();
    assert_eq!(json["data"]["count"], 2);
    let prints: BTreeSet<&str> = json["data"]["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["fingerprint"].as_str().unwrap())
        .collect();
    assert_eq!(prints.len(), 2);
    // And a third, that comes late, is the third.
    bed.log(deletion("twin", at));
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let deliveries = bed.at("itsm").deliveries();
    assert_eq!(deliveries.len(), 2);
    let late = deliveries[1].json();
    assert_eq!(late["data"]["count"], 1);
    let print = late["data"]["hits"][0]["fingerprint"].as_str().unwrap();
    assert!(print.ends_with("-3") && !prints.contains(print), "{print} {prints:?}");
}

#[test]
fn two_hsms_make_two_alerts() {
    let bed = webhook();
    bed.begin();
    for hsm in ["/subscriptions/s/a", "/subscriptions/s/b"] {
        bed.log(deletion(hsm, Utc::now()).with("_ResourceId", hsm));
        bed.log(deletion(hsm, Utc::now()).with("_ResourceId", hsm));
    }
    bed.run_once().exits(0);
    let deliveries = bed.at("itsm").deliveries();
    let mut groups = BTreeSet::new();
    for delivery in &deliveries {
        let json = delivery.json();
        let hsm = json["data"]["group"]["_ResourceId"].as_str().unwrap().to_owned();
        assert_eq!(clients(delivery), [hsm.clone(), hsm.clone()]);
        assert_eq!(json["subject"], json["data"]["incident_key"]);
        groups.insert((hsm, json["subject"].as_str().unwrap().to_owned()));
    }
    let keys: BTreeSet<&str> = groups.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!((deliveries.len(), groups.len(), keys.len()), (2, 2, 2), "{groups:?}");
}

#[test]
fn the_old_schema_is_read_and_a_row_is_the_same_in_both() {
    let bed = webhook();
    bed.begin();
    bed.logs.schema(Schema::Legacy);
    bed.delete_key("a");
    bed.run_once().exits(0);
    let [delivery] = &bed.at("itsm").deliveries()[..] else { panic!() };
    assert_eq!(delivery.json()["data"]["hits"][0]["instance"], "hsm-instance-1");
    // The table is renamed under our hands.
    bed.logs.schema(Schema::Current);
    bed.delete_key("b");
    bed.run_once().exits(0);
    let told: Vec<_> = bed.at("itsm").deliveries().iter().map(clients).collect();
    assert_eq!(told, [["a"], ["b"]]);
}

#[test]
fn severities_decide_who_is_told() {
    let bed = TestBed::new()
        .presets("[\"tutorial\"]")
        .receiver("itsm", "webhook")
        .receiver("oncall", "teams")
        .receiver_with("boss", "slack", "min_severity = \"critical\"")
        .receiver_with("users", "slack", "rules = [\"user-change\"]");
    bed.begin();
    for operation in ["CN_LOGIN", "CN_CREATE_USER", "CN_GENERATE_KEY", DELETE] {
        bed.log(Record::new(operation, Utc::now()).with("ClientInfo", operation));
    }
    bed.run_once().exits(0);
    let told = |name: &str| bed.at(name).deliveries().len();
    assert_eq!([told("itsm"), told("oncall"), told("boss"), told("users")], [4, 3, 1, 1]);
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn an_edited_rule_tells_nothing_twice_and_misses_nothing() {
    let rule = |query: &str| {
        format!(
            "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nquery = '''{query}'''\n"
        )
    };
    let mut bed = webhook().presets("[]").rules(&rule("CloudHsmServiceOperationAuditLogs"));
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0);
    let late = Utc::now();
    bed.set_rules(&rule("CloudHsmServiceOperationAuditLogs | where OperationName startswith 'CN'"));
    bed.run_once().exits(0);
    bed.delete_key("b");
    bed.log(deletion("late", late));
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let told = bed.told("itsm");
    assert_eq!(told.keys().collect::<Vec<_>>(), ["a", "b", "late"]);
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
    // Older time is asked for with the old text, later time with the new.
    let asked = bed.logs.requests();
    let [.., old, new] = &asked[..] else { panic!() };
    assert!(!old.query.contains("startswith") && new.query.contains("startswith"));
    assert_eq!(old.timespan.unwrap().1, new.timespan.unwrap().0);
}

#[test]
fn exit_codes_and_json() {
    let bed = all_kinds();
    bed.begin();
    bed.delete_key("a");
    let ran = bed.run_once_with(&["--format", "json"]).exits(0);
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["watches"][0]["outcome"], "done");
    assert_eq!(report["watches"][0]["alerts"][0]["rule"], "key-delete");
    let deliveries = report["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 3);
    assert!(deliveries.iter().all(|d| d["outcome"] == "delivered"), "{report}");

    bed.run(&["run", "--twice"]).exits(2).says("--twice");
    bed.run(&["--config", "missing.toml", "run", "--once"]).exits(2).says("missing.toml");
    let broken = bed.setting("evrey = \"5m\"");
    let ran =
        broken.run(&["run", "--once"]).exits(2).says("hsmwatch.toml:3:1: unknown key `evrey`");
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_lost_head_goes_on_from_its_last_watermark_and_is_told() {
    let bed = webhook();
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let names: Vec<_> = bed
        .state_files()
        .into_keys()
        .filter(|name| name.starts_with("heads/"))
        .filter(|name| {
            let text = String::from_utf8_lossy(&bed.state_files()[name]).into_owned();
            text.contains("\"rule\":\"key-delete\"") && !text.contains("\"rule\":\"hsmwatch\"")
        })
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    std::fs::remove_file(bed.state_dir().join(&names[0])).unwrap();
    bed.delete_key("b");
    bed.run_once();
    bed.run_once();
    let told = bed.told("itsm");
    assert!(told.contains_key("b"), "{told:?}");
    let own: Vec<_> =
        bed.at("itsm").deliveries().iter().flat_map(crate::support::bed::conditions).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0].0, "head-lost");
}

/// Times of the bed's clock are those of the machine.
#[test]
fn a_record_of_the_future_waits_for_its_time() {
    let bed = webhook();
    bed.begin();
    let soon: DateTime<Utc> = Utc::now() + TimeDelta::hours(1);
    bed.log(deletion("future", soon));
    bed.run_once().exits(0);
    assert!(bed.told("itsm").is_empty());
}
