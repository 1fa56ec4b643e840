//! Webhooks in other people's shapes: as they arrive, and what happens when a template fails.

use crate::support::bed::{TestBed, conditions};
use serde_json::Value as Json;
use std::fs;

const TEMPLATE: &str = r#"
format = "template"
template = { file = "ticket.json.j2" }
headers = { X-Priority = "{{ severity_number }}", X-Rule = "{{ data.rule.id }}" }
"#;

fn with_template(text: &str) -> TestBed {
    let bed = TestBed::new().receiver_with("itsm", "webhook", TEMPLATE).receiver("siem", "webhook");
    fs::write(bed.dir().join("ticket.json.j2"), text).unwrap();
    bed
}

#[test]
fn every_shape_arrives_signed() {
    let bed = with_template("{\"key\": {{ data.incident_key }}, \"text\": {{ text }}}")
        .receiver_with("azure", "webhook", "format = \"azure-common-alert\"\n")
        .receiver_with("prometheus", "webhook", "format = \"alertmanager\"\n")
        .receiver_with(
            "form",
            "webhook",
            "format = \"template\"\ntemplate = 'title={{ title }}&n={{ data.count }}'\n\
             content_type = \"application/x-www-form-urlencoded\"\n",
        );
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    assert_eq!(bed.problems(), [""; 0]);
    let one = |name: &str| {
        let [delivery] = &bed.at(name).deliveries()[..] else { panic!("{name}") };
        delivery.clone()
    };
    let key = one("siem").json()["subject"].clone();

    let ticket = one("itsm");
    assert_eq!(ticket.header("content-type"), "application/json");
    assert_eq!((ticket.header("x-priority"), ticket.header("x-rule")), ("1", "key-delete"));
    assert_eq!(ticket.json()["key"], key);
    assert!(ticket.json()["text"].as_str().unwrap().contains("CN_TOMBSTONE_OBJECT"));

    let azure = one("azure");
    assert_eq!(azure.header("content-type"), "application/json; charset=utf-8");
    let azure = azure.json();
    let essentials = &azure["data"]["essentials"];
    assert_eq!(essentials["monitoringService"], "hsmwatch");
    assert_eq!(essentials["severity"], "Sev0");
    assert_eq!(essentials["monitorCondition"], "Fired");
    assert_eq!(azure["data"]["customProperties"]["incidentKey"], key);

    let prometheus = one("prometheus");
    assert_eq!(prometheus.header("content-type"), "application/json");
    assert_eq!(prometheus.json()["receiver"], "prometheus");
    assert_eq!(prometheus.json()["alerts"][0]["labels"]["incident_key"], key);

    let form = one("form");
    assert_eq!(form.header("content-type"), "application/x-www-form-urlencoded");
    let form = String::from_utf8(form.body).unwrap();
    assert!(form.starts_with("title=") && form.ends_with("&n=1") && !form.contains(' '), "{form}");
}

#[test]
fn an_alert_that_a_template_fails_for_goes_out_and_the_place_is_told() {
    // Only digests and alerts of hsmwatch itself have a note.
    let bed = with_template("{\n  \"note\": {{ data.note }}\n}");
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0);
    let [delivery] = &bed.at("itsm").deliveries()[..] else { panic!("one") };
    assert_eq!(delivery.header("content-type"), "application/cloudevents+json");
    assert_eq!(delivery.header("x-rule"), "key-delete", "headers that do not fail stay");
    assert_eq!(delivery.json(), bed.at("siem").deliveries()[0].json());
    let alert = delivery.id().to_owned();

    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let told: Vec<_> = bed.at("siem").deliveries().iter().flat_map(conditions).collect();
    let subject = format!("alert {alert} at itsm");
    assert_eq!(told, [("template-failed".to_owned(), subject, "ill".to_owned())]);
    let said = bed.at("siem").deliveries().last().unwrap().json();
    let note = said["data"]["note"].as_str().unwrap().to_owned();
    let why = "template, line 2, column 14: undefined value: `data.note` is undefined";
    assert!(note.contains("Receiver `itsm`") && note.contains(why), "{note}");
    // The template holds for that one: it has a note.
    let last = bed.at("itsm").deliveries().last().unwrap().clone();
    assert_eq!(last.header("content-type"), "application/json");
    assert_eq!(last.json()["note"], *note);
    assert_eq!(bed.at("itsm").deliveries().len(), 2);
    assert_eq!(bed.problems(), [""; 0]);

    let status = bed.run(&["status"]).exits(0).stdout;
    assert!(status.contains("A template failed"), "{status}");
}

#[test]
fn check_says_where_a_template_fails_and_for_what() {
    let bed = with_template("{\n  \"ä\": {{ data.hits[0].caller }}\n}");
    let hint = "hint: not every alert has it";
    let where_and_why = "ticket.json.j2:2:20: receiver `itsm`: template: fails for an alert of rule `key-delete` \
                         (a digest, which lists no hit and names no group): undefined value: `data.hits[0]` is undefined";
    bed.run(&["check"]).exits(2).says(where_and_why).says(hint);
    let bed = with_template("{\n  \"a\": {{ title }\n}");
    let why = "expected end of variable block";
    bed.run(&["check"]).exits(2).says("ticket.json.j2:2:17: ").says(why);
    bed_is_fine(&with_template("{\"a\": {{ title }}}"));
    // Where the template stands in the configuration itself.
    let inline = "format = \"template\"\ntemplate = '''\n{\"a\": {{ nosuch }}}\n'''\n";
    let bed = TestBed::new().receiver_with("itsm", "webhook", inline);
    let line = 1 + bed.configuration().lines().position(|l| l.contains("nosuch")).unwrap();
    bed.run(&["check"]).exits(2).says(&format!("hsmwatch.toml:{line}:10: receiver `itsm`"));
    let header = "format = \"template\"\ntemplate = '{}'\nheaders = { X-A = \"{{ nosuch }}\" }\n";
    let bed = TestBed::new().receiver_with("itsm", "webhook", header);
    bed.run(&["check"]).exits(2).says("header `X-A`").says("`nosuch` is undefined");
}

#[track_caller]
fn bed_is_fine(bed: &TestBed) {
    bed.run(&["check"]).exits(0);
}

#[test]
fn a_test_says_when_its_template_fails() {
    let bed = with_template("{\"a\": {{ nosuch }}}");
    let why = "rendered in the default format, because its own failed: template, line 1, column 10: \
               undefined value: `nosuch` is undefined";
    let ran = bed.run(&["send-test", "itsm", "--print"]).exits(0).says(why);
    assert!(ran.stdout.contains("content-type: application/cloudevents+json"), "{}", ran.stdout);
    let ran = bed.run(&["send-test", "itsm", "--format", "json"]).exits(0);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json[0]["fault"], why);
    bed.run(&["send-test", "itsm"]).exits(0).says(why);
    let bed = with_template("{\"a\": {{ title }}}");
    let ran = bed.run(&["send-test", "itsm", "--print"]).exits(0);
    assert!(ran.stdout.contains("X-Priority: 1"), "{}", ran.stdout);
    assert!(ran.stdout.contains("{\"a\": \"Test: "), "{}", ran.stdout);
}
