//! The function app, from outside: a package under a Functions host.

mod harm;
mod settings;
mod state;

use crate::support::bed::TestBed;
use crate::support::fake_identity::HEADER;
use crate::support::fake_logs::Fault;
use crate::support::fake_receiver::Say;
use crate::support::function_app::{DELIVERIES, EVALUATIONS, FunctionApp, settings};
use crate::support::functions_host::{FunctionsHost, HttpRequest, Outcome, Phase, Timer};
use crate::support::gate::Stop;
use crate::support::package;
use axum::body::Bytes;
use hsmwatch::hosts::functions::{Current, Limits, Supply, serve};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn bed() -> TestBed {
    TestBed::new().receiver("itsm", "webhook")
}

fn app() -> FunctionApp {
    FunctionApp::start(bed())
}

#[test]
fn what_is_new_is_told_once_to_everyone() {
    let bed = bed().receiver("oncall", "teams").receiver("chat", "slack");
    bed.delete_key("before");
    let app = FunctionApp::start(bed);
    let first = app.tick().succeeds();
    assert_eq!(first.written, [], "history is not told");
    app.bed.delete_key("after");
    let second = app.tick().succeeds();
    assert_eq!(second.to(DELIVERIES).len(), 3);
    assert_eq!(second.to(EVALUATIONS).len(), 0);
    for ticket in second.to(DELIVERIES) {
        let ticket: Json = serde_json::from_str(ticket).unwrap();
        let names: Vec<&String> = ticket.as_object().unwrap().keys().collect();
        assert_eq!(names, ["watch", "alert", "receiver"]);
    }
    let delivered = app.host.drain();
    assert_eq!(delivered.len(), 3);
    for delivery in delivered {
        assert_eq!(delivery.succeeds().logs, ["delivered"]);
    }
    assert_eq!(app.tick().succeeds().written, []);
    for name in ["itsm", "oncall", "chat"] {
        assert_eq!(app.bed.at(name).deliveries().len(), 1, "{name}");
    }
    assert_eq!(app.bed.told("itsm").keys().collect::<Vec<_>>(), ["after"]);
    let evaluated = || app.lines("evaluated workspace=prod watches=1 failed=0");
    app.host.wait_until(|_| evaluated().len() == 3);
    let lines = evaluated();
    assert_eq!(lines[0]["level"], "INFO");
    assert!(lines.iter().all(|line| line["function"] == "tick"));
    app.is_clean();
}

#[test]
fn it_is_ready_before_it_asks_anybody_anything() {
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}/msi/token", silent.local_addr().unwrap());
    let bed = bed();
    let state = bed.state_dir();
    let hook = bed.at("itsm").url();
    let more = [
        ("HSMWATCH_CONFIG", ""),
        ("HSMWATCH_WORKSPACE_ID", "11111111-2222-3333-4444-555555555555"),
        ("HSMWATCH_STATE_PATH", state.to_str().unwrap()),
        ("HSMWATCH_SLACK_URL", &hook),
        ("HSMWATCH_PRESETS", "key-delete"),
        ("IDENTITY_ENDPOINT", &endpoint),
        ("IDENTITY_HEADER", HEADER),
    ];
    let app = FunctionApp::start_with(bed, &more);
    let took = app.host.ready_in();
    assert!(took[0] < Duration::from_secs(5), "{took:?}");
    for _ in 0..20 {
        let ping = app.host.ping();
        assert_eq!((ping.status, ping.header("content-type")), (200, "application/json"));
    }
    assert!(silent.accept().is_err(), "nobody was asked");
    assert!(!state.exists(), "and nothing was written");
    app.host.timer("tick").succeeds();
    app.await_slot();
    app.ticked();
    app.await_slot();
    let tick = app.host.begin_timer("tick");
    app.host.wait_until(|_| silent.accept().is_ok());
    // The tick waits for a token, and nobody else does.
    assert_eq!(app.host.ping().status, 200);
    assert_eq!(app.host.http("status", "application/json").status, 200);
    app.host.kill();
    assert!(matches!(tick.wait().outcome, Outcome::Died(_)));
    app.is_clean();
}

#[test]
fn a_service_that_never_answers_keeps_nobody_else_waiting() {
    let app = app().begin();
    app.bed.logs.fault_when(|_| true, Fault::Slow(Duration::from_mins(10)));
    app.bed.delete_key("a");
    app.await_slot();
    let tick = app.host.begin_timer("tick");
    app.host.wait_until(|_| !app.bed.logs.requests().is_empty());
    assert_eq!(app.host.ping().status, 200);
    assert_eq!(app.host.http("status", "text/html").status, 200);
    app.bed.logs.mend();
    app.host.reboot();
    assert!(matches!(tick.wait().outcome, Outcome::Died(_)));
    app.settle();
    app.told_once(&BTreeSet::from(["a".to_owned()]));
}

#[test]
fn every_answer_is_a_json_object() {
    let app = app().begin();
    let host = &app.host;
    let long = vec![b' '; (16 << 20) + 1];
    for (method, path, body, status) in [
        ("GET", "/", None, 200),
        ("POST", "/", Some(&b"{}"[..]), 404),
        ("POST", "/unknown", Some(b"{\"Data\":{}}"), 404),
        ("POST", "/Tick", Some(b"{\"Data\":{}}"), 404),
        ("POST", "/api/status", Some(b"{\"Data\":{}}"), 404),
        ("POST", "/tick/more", Some(b"{\"Data\":{}}"), 404),
        ("POST", "/%00%ff", Some(b"{\"Data\":{}}"), 404),
        ("GET", "/tick", None, 405),
        ("PUT", "/tick", Some(b"{\"Data\":{\"timer\":{}}}"), 405),
        ("DELETE", "/", None, 405),
        ("PATCH", "/status", Some(b"{}"), 405),
        ("POST", "/tick", Some(&long), 413),
        ("POST", "/tick", Some(b""), 400),
        ("POST", "/tick", Some(b"null"), 400),
        ("POST", "/tick", Some(b"[]"), 400),
        ("POST", "/tick", Some(b"\"x\""), 400),
        ("POST", "/tick", Some(b"{"), 400),
        ("POST", "/tick", Some(b"{}"), 400),
        ("POST", "/tick", Some(b"\xff\xfe{}"), 400),
        ("POST", "/evaluate", Some(b"{\"Data\":{\"other\":1}}"), 400),
        ("POST", "/deliver", Some(b"{\"Data\":{}}"), 400),
        ("POST", "/deliver", Some(b"{\"Data\":\"x\"}"), 400),
    ] {
        let shown = body.map(|body| String::from_utf8_lossy(&body[..body.len().min(40)]));
        let answer = host.request(method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {shown:?}");
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
        let json = answer.json();
        assert!(json.is_object(), "{method} {path}: {answer:?}");
        assert_eq!(json["error"].is_string(), status != 200, "{method} {path}");
    }
    // The same as the host sends it, in chunks and with its headers.
    for body in [&b""[..], b"null", b"[]", b"{", b"{}", b"\xff", &long] {
        let error = host.raw("tick", body).fails();
        assert!(error.contains("\"error\""), "{error}");
        let error = host.raw("deliver", body).fails();
        assert!(error.contains("\"error\""), "{error}");
    }
    // A page is shown to whoever asks for it, however.
    for body in [&b"{}"[..], b"{\"Data\":{\"req\":{}}}", b"[]"] {
        host.raw("status", body).succeeds();
    }
    app.is_clean();
}

#[test]
fn a_failure_is_logged_before_it_is_answered() {
    let app = app();
    for _ in 0..5 {
        let failed = app.host.raw("tick", b"{}");
        app.host.kill();
        let said = app.lines(&failed.id);
        assert!(
            said.iter().any(|line| line["level"] == "ERROR"
                && line["message"].as_str().unwrap().contains("`Data`")),
            "{said:?}"
        );
        assert!(
            said.iter().all(|line| line["traceparent"].as_str().unwrap().contains(&failed.trace))
        );
        failed.fails();
        app.host.boot().unwrap();
    }
    app.is_clean();
}

#[test]
fn timers_of_every_shape_tick() {
    let app = app().begin();
    let mut rows = BTreeSet::new();
    for (n, shape) in Timer::shapes().into_iter().enumerate() {
        app.delete_key(&format!("row {n}"), &mut rows);
        app.host.timer_with("tick", &shape).succeeds();
        app.host.drain();
    }
    for body in [
        json!({"Data": {"timer": null}}),
        json!({"Data": {"timer": "{}"}, "Metadata": null}),
        json!({"Data": {"timer": {"ScheduleStatus": 7, "IsPastDue": "no"}}}),
        json!({"Data": {}, "More": [1]}),
    ] {
        app.host.raw("tick", body.to_string().as_bytes()).succeeds();
    }
    app.ticked();
    app.settle();
    app.told_once(&rows);
}

#[test]
fn lines_have_their_levels_and_their_invocation() {
    let app = FunctionApp::start(bed().receiver("oncall", "teams")).begin();
    app.bed.at("itsm").always(Some(Say::Status(404)));
    app.bed.delete_key("a warning: Address already in use");
    app.bed.logs.fault(Fault::Throttled("1"));
    // The alert, and that itsm is broken: told when a tick has seen it.
    for _ in 0..8 {
        app.round().succeeds();
        if app.bed.at("oncall").deliveries().len() == 2 {
            break;
        }
    }
    for level in ["INFO", "WARN", "ERROR"] {
        assert!(
            !app.lines(&format!("\"level\":\"{level}\"")).is_empty(),
            "{level}: {}",
            app.host.said()
        );
    }
    let broken = app.lines("receiver itsm is broken");
    assert_eq!(broken[0]["function"], "deliver");
    assert_eq!(broken[0]["level"], "ERROR");
    let invocations = app.host.invocations();
    for line in app.lines("\"level\"") {
        let id = line["invocation"].as_str().unwrap_or_else(|| panic!("{line}"));
        let of = invocations.iter().find(|i| i.id == id).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(line["function"], of.function.as_str());
        assert!(line["traceparent"].as_str().unwrap().contains(&of.trace));
    }
    // A receiver's failure is its own, and no failure of any invocation.
    assert!(invocations.iter().all(|i| i.outcome == Outcome::Succeeded));
    assert_eq!(app.bed.at("oncall").deliveries().len(), 2);
    app.is_clean();
}

#[test]
fn the_status_is_shown_to_people_and_to_programs() {
    let app = FunctionApp::start(bed());
    let early = app.host.http("status", "text/html");
    assert_eq!((early.status, early.header("content-type")), (200, "text/html; charset=utf-8"));
    app.tick().succeeds();
    app.bed.delete_key("<script>alert(1)</script>");
    app.round().succeeds();
    let page = app.host.http("status", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    assert!(page.body.starts_with("<!doctype html>") || page.body.starts_with("<!DOCTYPE html>"));
    assert!(page.body.contains("key-delete") && page.body.contains("prod"));
    assert!(!page.body.contains("<script>alert"));
    let json = app.host.http("status", "*/*");
    assert_eq!((json.status, json.header("content-type")), (200, "application/json"));
    assert_eq!(json.json()["refused"], Json::Null);
    let mut by_query = HttpRequest::get("*/*");
    by_query.query.insert("format".to_owned(), "html".to_owned());
    assert_eq!(
        app.host.http_with("status", &by_query).header("content-type"),
        "text/html; charset=utf-8"
    );
    for text in [page.body, json.body] {
        app.bed.keeps_secrets(&[&text]);
    }
    assert_eq!(
        app.host.http_with("status", &HttpRequest { method: "POST", ..by_query }).status,
        404
    );
    app.is_clean();
}

#[test]
fn the_order_to_stop_ends_it_cleanly() {
    let app = app().begin();
    app.host.ping();
    let began = Instant::now();
    assert_eq!(app.host.ends_at("TERM"), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    app.host.wait_for_line("\"stopped\"");
    app.host.boot().unwrap();
    assert_eq!(app.host.ends_at("INT"), Some(0));
    app.host.boot().unwrap();
    // What is under way is finished.
    let mut rows = BTreeSet::new();
    app.delete_key("a", &mut rows);
    app.bed.logs.fault(Fault::Slow(Duration::from_millis(1_500)));
    app.await_slot();
    let tick = app.host.begin_timer("tick");
    app.host.wait_until(|_| !app.bed.logs.requests().is_empty());
    assert_eq!(app.host.ends_at("TERM"), Some(0));
    let tick = tick.wait().succeeds();
    assert_eq!(tick.to(DELIVERIES).len(), 1);
    app.host.boot().unwrap();
    app.host.drain();
    app.told_once(&rows);
}

#[test]
fn a_crash_of_its_own_is_made_good_by_the_hosts_restart() {
    let app = app().begin();
    let mut rows = BTreeSet::new();
    app.delete_key("a", &mut rows);
    app.host.crash().unwrap();
    app.round().succeeds();
    assert_eq!(app.host.ready_in().len(), 2);
    assert_eq!(app.host.phase(), Phase::Ready);
    app.told_once(&rows);
}

#[test]
fn killed_at_any_request_and_at_any_answer() {
    for stop in [Stop::Before, Stop::Unanswered, Stop::Answered] {
        let app = FunctionApp::start(bed().receiver("siem", "webhook")).begin();
        let (mut rows, mut killed) = (BTreeSet::new(), 0);
        for n in 1..=4 {
            app.delete_key(&format!("row {n}"), &mut rows);
            killed += usize::from(app.round_killed(n, stop));
            app.deliveries_come_due();
        }
        app.settle();
        app.told_once(&rows);
        assert!(killed >= 3, "{stop:?}: {killed}");
    }
}

#[test]
fn killed_between_writes_to_the_state() {
    let app = FunctionApp::start(bed().receiver("siem", "webhook")).begin();
    let (mut rows, mut killed) = (BTreeSet::new(), 0);
    for n in 1..=12 {
        app.delete_key(&format!("row {n}"), &mut rows);
        killed += usize::from(app.round_killed_at_change(n));
        app.deliveries_come_due();
    }
    app.settle();
    app.told_once(&rows);
    assert!(killed >= 5, "{killed}");
}

/// Falls over when it is asked the first time.
struct Fragile(AtomicBool);

#[async_trait::async_trait]
impl Supply for Fragile {
    async fn current(&self, _fresh: bool) -> Current {
        assert!(self.0.swap(true, Ordering::Relaxed), "it falls over");
        Current::default()
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_process_goes_on() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/tick", listener.local_addr().unwrap());
    let supply = Arc::new(Fragile(AtomicBool::new(false)));
    let limits = Limits::within(Duration::from_mins(5));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = async move { stopped.await.unwrap() };
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { serve(listener, supply, limits, ended).await.unwrap() });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for says in ["a bug in hsmwatch", "no configuration"] {
        let answer = client.post(&url).body("{\"Data\":{\"timer\":{}}}").send().await.unwrap();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let body: Bytes = answer.bytes().await.unwrap();
        let json: Json = serde_json::from_slice(&body).unwrap();
        assert!(json["error"].as_str().unwrap().contains(says), "{json}");
    }
    drop(client);
    stop.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap();
}

#[test]
fn a_schedule_that_the_host_does_not_understand_is_told_by_the_host() {
    let bed = bed();
    for (schedule, why) in [("every minute", "`every minute`"), ("", "`%HSMWATCH_SCHEDULE%`")] {
        let settings = settings(&bed, &[("HSMWATCH_SCHEDULE", schedule)]);
        let host = FunctionsHost::read(&package::app(), settings).unwrap();
        let not_indexed = &host.package().not_indexed;
        assert_eq!(not_indexed.len(), 1);
        assert!(not_indexed["tick"].contains(why), "{not_indexed:?}");
        // The others work.
        host.boot().unwrap();
        assert_eq!(host.http("status", "application/json").status, 200);
        assert_eq!(host.problems(), [""; 0]);
    }
}
