//! The Functions host of the tests, tested itself: against a handler that answers whatever a test wants, each corner of the
//! documented contract must be told apart. Only so can it be believed when it finds nothing.

mod stub;

use crate::support::functions_host::{
    Fault, FunctionsHost, HttpRequest, Invocation, Level, Outcome, Phase, Settings, Timer,
};
use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use stub::Stub;

#[test]
fn an_invocation_comes_as_the_host_sends_it() {
    let stub = Stub::new();
    let host = stub.start();
    assert!(host.ready_in()[0] < Duration::from_secs(30));
    let done = host.timer("timed").succeeds();
    let [seen] = &stub.seen()[..] else { panic!() };
    assert_eq!((&seen["method"], &seen["path"]), (&"POST".into(), &"/timed".into()));
    let headers = &seen["headers"];
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert_eq!(headers.get("content-length"), None);
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["x-azure-functions-invocationid"], done.id.as_str());
    assert_eq!(done.id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(headers["user-agent"].as_str().unwrap().starts_with("Azure-Functions-Host/4."));
    assert!(headers["x-azure-functions-hostversion"].as_str().unwrap().starts_with("4."));
    let parent = headers["traceparent"].as_str().unwrap();
    assert!(parent.starts_with(&format!("00-{}-", done.trace)) && parent.len() == 55, "{parent}");
    let body: Json = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Data"]["timer"]["IsPastDue"], false);
    assert!(body["Data"]["timer"]["ScheduleStatus"]["Last"].is_string());
    for shape in Timer::shapes() {
        host.timer_with("timed", &shape).succeeds();
    }
    assert_eq!(host.problems(), [""; 0]);
}

#[test]
fn a_process_gets_the_hosts_environment_and_nothing_else() {
    let stub = Stub::new().setting("OWN", "a b");
    stub.executable("env > env; pwd > pwd; exec sleep 1000");
    stub.host_json(&json!({"customHandler": {"initializationTimeout": "00:00:01", "description": {"arguments": ["a b", "%OWN%", "%NONE%"]}}}));
    let host = FunctionsHost::read(stub.dir.path(), stub.settings.clone()).unwrap();
    assert_eq!(host.package().arguments, ["a", "b", "a", "b"]);
    let error = host.boot().unwrap_err();
    assert!(error.contains("Exceeded http worker restart retry count"), "{error}");
    assert_eq!(host.exits().len(), 3, "never ready: three times an error");
    assert!(host.problems()[0].contains("not ready in time"));
    let env = fs::read_to_string(stub.dir.path().join("env")).unwrap();
    let root = stub.dir.path().display();
    for line in [
        format!("FUNCTIONS_CUSTOMHANDLER_PORT={}", host.port()),
        format!("FUNCTIONS_HTTPWORKER_PORT={}", host.port()),
        format!("FUNCTIONS_APP_ROOT_PATH={root}"),
        "OWN=a b".to_owned(),
    ] {
        assert!(env.lines().any(|known| known == line), "{line}\n{env}");
    }
    assert!(
        env.contains("FUNCTIONS_CUSTOMHANDLER_WORKER_ID=")
            && env.contains("FUNCTIONS_HTTPWORKER_ID=")
    );
    assert!(!env.contains("CARGO"), "{env}");
    let pwd = fs::read_to_string(stub.dir.path().join("pwd")).unwrap();
    assert_eq!(Path::new(pwd.trim()), stub.dir.path());
}

/// What comes of an answer of the timer's function.
struct Row {
    name: &'static str,
    step: Json,
    outcome: &'static str,
    messages: &'static [&'static str],
    problem: Option<&'static str>,
}

fn row(
    name: &'static str,
    step: Json,
    outcome: &'static str,
    messages: &'static [&'static str],
    problem: impl Into<Option<&'static str>>,
) -> Row {
    Row { name, step, outcome, messages, problem: problem.into() }
}

fn out(value: &Json) -> Json {
    json!({"body": {"Outputs": {"out": value}}})
}

#[test]
fn every_answer_is_read_as_the_host_reads_it() {
    let rows = [
        row("empty object", json!({}), "ok", &[], None),
        row("chunked", json!({"chunked": true}), "ok", &[], None),
        row("with a charset", json!({"type": "application/json; charset=utf-8"}), "ok", &[], None),
        row(
            "names in any case",
            json!({"body": {"oUTPUTS": {"out": ["{}"]}, "LOGS": ["x"]}}),
            "ok",
            &["{}"],
            None,
        ),
        row("unknown names", json!({"body": {"error": "x"}}), "ok", &[], None),
        row("empty", json!({"body": ""}), "hang", &[], "empty answer"),
        row(
            "empty, of another type",
            json!({"body": "", "type": "text/plain"}),
            "hang",
            &[],
            "empty answer",
        ),
        row("empty, chunked", json!({"body": "", "chunked": true}), "hang", &[], "empty answer"),
        row("blanks", json!({"body": " \n"}), "hang", &[], "empty answer"),
        row("null", json!({"body": "null"}), "hang", &[], "`null`"),
        row(
            "text",
            json!({"body": "fine", "type": "text/plain"}),
            "fail",
            &[],
            "UnsupportedMediaType",
        ),
        row("no type", json!({"type": ""}), "fail", &[], "UnsupportedMediaType"),
        row(
            "problem+json",
            json!({"type": "application/problem+json"}),
            "fail",
            &[],
            "UnsupportedMediaType",
        ),
        row("text/json", json!({"type": "text/json"}), "ok", &[], "text/json"),
        row("no JSON", json!({"body": "{"}), "fail", &[], "no JSON"),
        row("array", json!({"body": "[]"}), "fail", &[], "no JSON object"),
        row("string", json!({"body": "\"x\""}), "fail", &[], "no JSON object"),
        row("201", json!({"status": 201}), "ok", &[], None),
        row("500", json!({"status": 500, "body": {"error": "x"}}), "fail", &[], None),
        row(
            "500 with outputs",
            json!({"status": 500, "body": {"Outputs": {"out": ["{}"]}}}),
            "fail",
            &[],
            None,
        ),
        row("500, empty", json!({"status": 500, "body": ""}), "fail", &[], "without a JSON object"),
        row(
            "404 as text",
            json!({"status": 404, "body": "x", "type": "text/plain"}),
            "fail",
            &[],
            "without a JSON object",
        ),
        row("redirect", json!({"status": 307, "location": "/x"}), "fail", &[], "follows redirects"),
        row("logs", json!({"body": {"Logs": ["a", "b"]}}), "ok", &[], None),
        row("logs are null", json!({"body": {"Logs": null}}), "ok", &[], None),
        row("logs of numbers", json!({"body": {"Logs": ["a", 1]}}), "ok", &[], "no string"),
        row("logs of objects", json!({"body": {"Logs": [{"a": 1}]}}), "fail", &[], "no string"),
        row("logs are a string", json!({"body": {"Logs": "a"}}), "fail", &[], "no array"),
        row("outputs are null", json!({"body": {"Outputs": null}}), "ok", &[], None),
        row("outputs are an array", json!({"body": {"Outputs": []}}), "fail", &[], "no object"),
        row(
            "unknown output",
            json!({"body": {"Outputs": {"Out": ["{}"]}}}),
            "ok",
            &[],
            "it is lost",
        ),
        row("twice", json!({"body": "{\"Outputs\":{},\"outputs\":{}}"}), "ok", &[], "twice"),
        row(
            "return value",
            json!({"body": {"ReturnValue": {"out": ["{}"]}}}),
            "ok",
            &[],
            "ReturnValue",
        ),
        row(
            "large integer",
            json!({"body": "{\"Outputs\":{\"out\":[\"{}\"]},\"a\":9223372036854775808}"}),
            "fail",
            &[],
            "larger",
        ),
        row(
            "array of JSON texts",
            out(&json!(["{\"a\":1.0}", "[1]"])),
            "ok",
            &["{\"a\":1.0}", "[1]"],
            None,
        ),
        row(
            "date in a JSON text",
            out(&json!(["{\"at\":\"2026-05-04T10:00:00.100Z\"}"])),
            "ok",
            &["{\"at\":\"2026-05-04T10:00:00.100Z\"}"],
            None,
        ),
        row("empty array", out(&json!([])), "ok", &[], None),
        row("null output", out(&json!(null)), "ok", &[], None),
        row(
            "array with a date",
            out(&json!(["2026-05-04T10:00:00.100+02:00"])),
            "ok",
            &["mangled 2026-05-04T10:00:00.100+02:00"],
            "read as a date",
        ),
        row(
            "array of objects",
            out(&json!([{"a": 1}])),
            "ok",
            &["{\n  \"a\": 1\n}"],
            "printed anew",
        ),
        row("array of numbers", out(&json!([1])), "ok", &["1"], "no string"),
        row("object", out(&json!({"a": 1})), "ok", &["{\n  \"a\": 1\n}"], "printed anew"),
        row("plain string", out(&json!("hello!!")), "ok", &["hello!!"], None),
        row("base64", out(&json!("YWJj")), "ok", &["abc"], "base64"),
        row("base64 with blanks", out(&json!("YW Jj")), "ok", &["abc"], "base64"),
        row(
            "digits",
            out(&json!("12345678")),
            "ok",
            &["\u{fffd}m\u{fffd}\u{fffd}\u{fffd}"],
            "base64",
        ),
        row(
            "JSON in a string",
            out(&json!("{\"a\":1}")),
            "ok",
            &["{\n  \"a\": 1\n}"],
            "printed anew",
        ),
        row(
            "array in a string",
            out(&json!("[\"x!\",\"y!\"]")),
            "ok",
            &["x!", "y!"],
            "looks like JSON",
        ),
        row("no JSON in a string", out(&json!("{a}")), "fail", &[], "looks like JSON"),
        row("number", out(&json!(7)), "ok", &["7"], "no string"),
        row(
            "date",
            out(&json!("2026-05-04T10:00:00")),
            "ok",
            &["mangled 2026-05-04T10:00:00"],
            "read as a date",
        ),
        row("49152 bytes", out(&json!([" ".repeat(49_152)])), "ok", &[], None),
        row("49153 bytes", out(&json!(["{}", " ".repeat(49_153)])), "fail", &["{}"], "too large"),
    ];
    let stub = Stub::new();
    let host = stub.start();
    for Row { name, step, outcome, messages, problem } in rows {
        stub.answer("/timed", &step);
        let done = host.timer("timed");
        let got = match &done.outcome {
            Outcome::Succeeded => "ok",
            Outcome::Failed(_) => "fail",
            Outcome::Hung(_) => "hang",
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(got, outcome, "{name}: {done:?}");
        if name != "49152 bytes" {
            assert_eq!(done.to("work"), messages, "{name}");
        }
        let problems = host.take_problems();
        match problem {
            None => assert_eq!(problems, [""; 0], "{name}"),
            Some(problem) => assert!(
                problems.len() == 1
                    && problems[0].contains(problem)
                    && problems[0].starts_with("timed: "),
                "{name}: {problems:?}"
            ),
        }
        host.settled().unwrap();
    }
    // What hangs is killed in the end, which is no error of the handler's.
    assert!(host.exits().len() >= 5 && host.failures().is_empty(), "{:?}", host.exits());
}

#[test]
fn logs_belong_to_their_invocation() {
    let stub = Stub::new();
    let host = stub.start();
    stub.answer("/timed", &json!({"body": {"Logs": ["one", "two"]}}));
    assert_eq!(host.timer("timed").succeeds().logs, ["one", "two"]);
    stub.answer("/timed", &json!({"status": 500, "body": {"Logs": ["lost"]}}));
    let failed = host.timer("timed");
    assert_eq!(failed.logs, [""; 0]);
    assert!(failed.fails().contains("lost"));
}

#[test]
fn every_http_answer_is_read_as_the_host_reads_it() {
    let stub = Stub::new();
    let host = stub.start();
    let html = json!({"content-type": "text/html"});
    let rows = [
        (json!({"res": {"statusCode": 201, "body": "<p>", "headers": html}}), 201, "<p>", None),
        (json!({"res": {"STATUS": "404", "Body": "<p>", "headers": html}}), 404, "<p>", None),
        (json!({"res": {"body": "{}", "headers": {"content-type": "x/y"}}}), 200, "{}", None),
        (json!({"res": {"statusCode": 404, "headers": html}}), 200, "", Some("without `body`")),
        (json!({"res": {"body": "x"}}), 200, "x", Some("without a content type")),
        (
            json!({"res": {"body": {"a": 1}, "headers": html}}),
            200,
            "{\"a\":1}",
            Some("body is no string"),
        ),
        (
            json!({"res": {"body": [1], "headers": html}}),
            200,
            "System.Collections.Generic.List`1[System.Object]",
            Some("body is a list"),
        ),
        (
            json!({"res": {"body": "", "headers": {"content-type": "a/b", "x": 1}}}),
            200,
            "",
            Some("header `x`"),
        ),
        (
            json!({"res": {"body": "", "headers": {"content-type": "a/b", "Content-Length": "1"}}}),
            200,
            "",
            Some("Content-Length").map(|_| "content-length"),
        ),
        (
            json!({"res": {"statusCode": "no", "body": "x", "headers": html}}),
            500,
            "",
            Some("status is no number"),
        ),
        (
            json!({"res": {"statusCode": 99, "body": "x", "headers": html}}),
            500,
            "",
            Some("status is no number"),
        ),
        (json!({"res": "text"}), 500, "", Some("no object")),
        (json!({}), 200, "", Some("without its answer")),
    ];
    for (outputs, status, body, problem) in rows {
        stub.answer("/page", &json!({"body": {"Outputs": outputs}}));
        let answer = host.http("page", "text/html");
        let problems = host.take_problems();
        match problem {
            None => assert_eq!(problems, [""; 0], "{outputs}"),
            Some(problem) => assert!(
                problems.len() == 1 && problems[0].contains(problem),
                "{outputs}: {problems:?}"
            ),
        }
        if status != 200 || !body.is_empty() {
            assert_eq!((answer.status, answer.body.as_str()), (status, body), "{outputs}");
        }
    }
    stub.answer("/page", &json!({"status": 500, "body": {}}));
    assert_eq!(host.http("page", "text/html").status, 500);
    // The method is not among the function's: it does not even hear of it.
    let asked = stub.seen().len();
    let post = HttpRequest { method: "POST", body: Some(b"x".to_vec()), ..HttpRequest::get("*/*") };
    assert_eq!(host.http_with("page", &post).status, 404);
    assert_eq!(stub.seen().len(), asked);
    let seen: Json = serde_json::from_str(stub.seen()[0]["body"].as_str().unwrap()).unwrap();
    let request = &seen["Data"]["req"];
    assert_eq!(request["Headers"]["Accept"], json!(["text/html"]));
    assert!(request["Url"].as_str().unwrap().contains("/api/page?code="));
    assert!(request.get("Body").is_none());
    assert_eq!(host.problems(), [""; 0]);
}

#[test]
fn forwarded_requests_come_and_go_as_they_are() {
    let stub = Stub::new();
    stub.host_json(&json!({"customHandler": {"enableForwardingHttpRequest": true}}));
    let host = stub.start();
    stub.answer("/api/page", &json!({"status": 418, "type": "text/plain", "body": "tea"}));
    let answer = host.http("page", "text/html");
    assert_eq!((answer.status, answer.body.as_str()), (418, "tea"));
    assert_eq!(stub.seen()[0]["headers"]["accept"], "text/html");
    // Others in the same app are not.
    stub.answer("/timed", &json!({}));
    host.timer("timed").succeeds();
}

#[test]
fn lines_get_their_levels() {
    let stub = Stub::new();
    let host = stub.start();
    stub.answer(
        "/timed",
        &json!({"stdout": ["an error on stdout"], "stderr": ["it rains", "WARNING: it pours"]}),
    );
    host.timer("timed").succeeds();
    for (text, level) in [
        ("an error on stdout", Level::Information),
        ("it rains", Level::Error),
        ("it pours", Level::Warning),
    ] {
        assert_eq!(host.wait_for_line(text).level, level, "{text}");
    }
    stub.answer("/timed", &json!({"stderr": ["Address already in use (os error 98)"]}));
    host.timer("timed").succeeds();
    host.wait_for_line("Address already");
    assert_eq!(host.problems().len(), 1);
}

#[test]
fn a_process_that_ends_is_started_again_by_the_hosts_rules() {
    let stub = Stub::new();
    let host = stub.start();
    let port = host.port();
    // 200 is a wish to be started again, any number of times.
    stub.answer("/timed", &json!({"exit": 200}));
    for n in 1..=4 {
        assert!(matches!(host.timer("timed").outcome, Outcome::Died(_)));
        host.wait_until(|host| host.exits().len() == n);
        host.settled().unwrap();
    }
    assert_eq!(host.ready_in().len(), 5);
    // Anything else is an error; the third is the last.
    stub.answer("/timed", &json!({"exit": 3, "stderr": ["one", "two", "three", "four"]}));
    for n in 5..=7 {
        assert!(matches!(host.timer("timed").outcome, Outcome::Died(_)));
        host.wait_until(|host| host.exits().len() == n);
        assert_eq!(host.settled().is_ok(), n < 7);
    }
    let Phase::Over(why) = host.phase() else { panic!() };
    assert!(
        why.contains("restart retry count") && why.ends_with("code 3\ntwo\nthree\nfour"),
        "{why}"
    );
    assert!(
        matches!(host.timer("timed").outcome, Outcome::Died(_)),
        "and nobody is there any more"
    );
    assert_eq!(host.take_problems().len(), 1);
    // A new instance begins anew, at the same port.
    stub.answer("/timed", &json!({}));
    host.reboot();
    assert_eq!(host.port(), port);
    host.timer("timed").succeeds();
    host.crash().unwrap();
    host.timer("timed").succeeds();
    assert_eq!(host.problems(), [""; 0]);
}

#[test]
fn exit_code_0_leaves_the_host_alone() {
    let stub = Stub::new();
    let host = stub.start();
    stub.answer("/timed", &json!({"exit": 0}));
    assert!(matches!(host.timer("timed").outcome, Outcome::Died(_)));
    host.wait_until(|host| !host.exits().is_empty());
    assert!(host.settled().is_err());
    assert!(host.problems()[0].contains("code 0"));
    assert!(matches!(host.timer("timed").outcome, Outcome::Died(_)));
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let stub = Stub::new();
    stub.write("handler", "\u{7f}ELF no");
    fs::set_permissions(stub.dir.path().join("handler"), fs::Permissions::from_mode(0o755))
        .unwrap();
    let host = FunctionsHost::read(stub.dir.path(), stub.settings.clone()).unwrap();
    let error = host.boot().unwrap_err();
    assert!(error.contains("Failed to start Worker Channel"), "{error}");
    assert!(matches!(host.timer("timed").outcome, Outcome::Died(_)));
}

#[test]
fn at_the_end_of_a_functions_time_everything_in_the_process_dies() {
    let stub = Stub::new();
    let host = stub.start();
    stub.script(&json!({"/worker": {"wait": 60_000}, "/timed": {"wait": 60_000}}));
    host.put("work", "hello!!");
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| host.drain());
        host.wait_until(|_| stub.seen().len() == 1);
        host.function_timeout(Duration::from_millis(300));
        assert_eq!(host.timer("timed").outcome, Outcome::TimedOut);
        stub.script(&json!({}));
        // It counted as a failure of the message, which came again.
        let outcomes: Vec<_> = drain.join().unwrap().into_iter().map(|i| i.outcome).collect();
        assert!(
            matches!(&outcomes[..], [Outcome::Died(_), .., Outcome::Succeeded]),
            "{outcomes:?}"
        );
    });
    assert!(host.failures().is_empty(), "no error is counted");
    assert!(host.queue("work").is_empty());
}

#[test]
fn messages_are_tried_again_and_then_put_away() {
    let stub = Stub::new();
    let host = stub.start();
    stub.script(&json!({"/worker": {"status": 500, "body": {"error": "no"}}}));
    host.put("work", "{\"Id\":\"x\"}");
    let done = host.drain();
    let functions: Vec<&str> = done.iter().map(|i| i.function.as_str()).collect();
    assert_eq!(functions, ["worker", "worker", "worker", "buried"]);
    let times: Vec<u32> = done.iter().map(|i| i.message.as_ref().unwrap().1).collect();
    assert_eq!(times, [1, 2, 3, 1]);
    assert!(host.queue("work").is_empty() && host.queue("work-poison").is_empty());
    let body: Json = serde_json::from_str(stub.seen()[1]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Data"]["item"], "\"{\\\"Id\\\":\\\"x\\\"}\"");
    assert_eq!(body["Metadata"]["DequeueCount"], "2");
    assert_eq!(body["Metadata"]["Id"], "\"x\"");
    assert_eq!(host.problems(), [""; 0]);
    // There is no poison queue of a poison queue: that would never end.
    stub.script(&json!({"/buried": {"status": 500, "body": {"error": "no"}}}));
    host.put("work-poison", "x");
    host.drain();
    assert_eq!(host.take_problems().len(), 1);
    host.kill();
}

#[test]
fn a_failed_message_stays_hidden_as_long_as_configured() {
    let stub = Stub::new();
    stub.host_json(&json!({"extensions": {"queues": {"visibilityTimeout": "00:00:30"}}}));
    let host = stub.start();
    stub.script(&json!({"/worker": {"status": 500, "body": {"error": "no"}}}));
    host.put("work", "x");
    assert_eq!(host.drain().len(), 1);
    assert_eq!(host.drain().len(), 0);
    host.skip(TimeDelta::seconds(29));
    assert_eq!(host.drain().len(), 0);
    host.skip(TimeDelta::seconds(1));
    assert_eq!(host.drain().len(), 1);
    assert_eq!(host.queue("work"), ["x"]);
}

#[test]
fn no_more_messages_are_under_way_than_configured() {
    let stub = Stub::new();
    let host = stub.start();
    stub.script(&json!({"/worker": {"wait": 100}}));
    (0..14).for_each(|n| host.put("work", &format!("{n}")));
    assert_eq!(host.drain().len(), 14);
    // A batch of four when two are left.
    let most = stub.most_under_way();
    assert!((2..=6).contains(&most), "{most}");
}

#[test]
fn outputs_go_wrong_on_demand() {
    let stub = Stub::new();
    let host = stub.start();
    stub.script(&json!({
        "/timed": {"body": {"Outputs": {"out": ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]}}},
    }));
    for (fault, written, fails) in [
        (Fault::OutputsLost, 0, true),
        (Fault::OutputsPartly, 1, true),
        (Fault::FailedAfter, 3, true),
        (Fault::OutputsTwice, 6, false),
    ] {
        host.fault("timed", [fault]);
        let done = host.timer("timed");
        assert_eq!(matches!(done.outcome, Outcome::Failed(_)), fails, "{fault:?}");
        assert_eq!(host.queue("work").len(), written, "{fault:?}");
        assert_eq!(host.drain().len(), written, "{fault:?}");
    }
    host.put("work", "a");
    host.fault("worker", [Fault::Redelivered]);
    assert_eq!(host.drain().len(), 2);
    // Twice at once: the first cannot delete it any more, the second does.
    stub.script(&json!({"/worker": {"wait": 200}}));
    host.put("work", "b");
    host.fault("worker", [Fault::Twice]);
    let before = stub.seen().len();
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| host.drain());
        host.wait_until(|_| stub.seen().len() == before + 2);
        assert_eq!(drain.join().unwrap().len(), 2);
    });
    assert!(host.queue("work").is_empty());
    host.chaos(|function, message| {
        (function == "worker" && message == Some(("c", 1))).then_some(Fault::OutputsLost)
    });
    host.put("work", "c");
    assert_eq!(host.drain().len(), 2);
    host.calm();
    assert_eq!(host.problems(), [""; 0]);
}

#[test]
fn what_was_under_way_at_a_kill_comes_again() {
    let stub = Stub::new();
    let host = stub.start();
    stub.script(&json!({"/worker": {"wait": 60_000}}));
    (0..3).for_each(|n| host.put("work", &format!("{n}")));
    let killed = host.killed_at_change(
        1,
        || stub.seen().len() == 3,
        |host| {
            let died = |i: &Invocation| matches!(i.outcome, Outcome::Died(_));
            assert!(host.drain().iter().all(died));
        },
    );
    assert!(killed);
    stub.script(&json!({}));
    assert_eq!(host.queue("work").len(), 3);
    assert_eq!(host.drain().len(), 3);
    assert!(host.queue("work").is_empty());
    // Two of one timer at once.
    stub.script(&json!({"/timed": {"wait": 300}}));
    let before = stub.seen().len();
    let both = [host.begin_timer("timed"), host.begin_timer("timed")];
    host.wait_until(|_| stub.seen().len() == before + 2);
    for pending in both {
        pending.wait().succeeds();
    }
    assert_eq!(host.ends_at("TERM"), None, "the stub knows no better than to die of it");
    assert_eq!(host.problems(), [""; 0]);
}

#[test]
fn a_package_that_the_host_refuses() {
    let stub = Stub::new();
    assert_eq!(stub.read().unwrap().functions.len(), 4);
    for (more, why) in [
        (json!({"version": "1.0"}), "version"),
        (json!({"version": 2.0}), "version"),
        (json!({"customHandler": null}), "description"),
        (json!({"customHandler": {"description": {"defaultExecutablePath": ""}}}), "empty"),
        (json!({"customHandler": {"description": {"defaultExecutablePath": "none"}}}), "no `none`"),
        (
            json!({"customHandler": {"description": {"defaultExecutablePath": "./handler"}}}),
            "exec bit",
        ),
        (json!({"customHandler": {"http": {"routes": []}}}), "customHandler.http"),
        (json!({"customHandler": {"port": 7071}}), "port"),
        (json!({"customHandler": {"initializationTimeout": "soon"}}), "initializationTimeout"),
        (json!({"extensions": {"queues": {"batchSize": 33}}}), "batchSize"),
        (json!({"extensions": {"queues": {"maxDequeueCount": 0}}}), "maxDequeueCount"),
        (json!({"extensions": {"queues": {"visibilityTimeout": "30"}}}), "visibilityTimeout"),
        (
            json!({"extensions": {"queues": {"maxPollingInterval": "00:00:00"}}}),
            "maxPollingInterval",
        ),
        (json!({"extensions": {"queues": {"messageEncoding": "utf8"}}}), "messageEncoding"),
        (json!({"functionTimeout": "5m"}), "functionTimeout"),
        (json!({"functionTimeout": "00:00:00"}), "functionTimeout"),
        (json!({"retry": {"strategy": "fixedDelay"}}), "retry"),
    ] {
        stub.host_json(&more);
        let error = stub.read().unwrap_err();
        assert!(error.contains(why), "{more}: {error}");
    }
    stub.write("host.json", "{");
    assert!(stub.read().is_err());
    stub.host_json(&json!({}));
    fs::set_permissions(stub.dir.path().join("handler"), fs::Permissions::from_mode(0o644))
        .unwrap();
    assert!(stub.read().unwrap_err().contains("mode"));
}

#[test]
fn functions_that_the_host_cannot_index() {
    let trigger =
        json!({"name": "t", "type": "timerTrigger", "direction": "in", "schedule": "0 * * * * *"});
    let queue =
        json!({"name": "q", "type": "queueTrigger", "direction": "in", "queueName": "work"});
    let with = |base: &Json, name: &str, value: Json| {
        let mut base = base.clone();
        base[name] = value;
        json!([base])
    };
    let rows = [
        (json!([]), "trigger"),
        (json!([trigger, queue]), "trigger"),
        (json!([trigger, trigger]), "there twice"),
        (with(&trigger, "name", json!("1x")), "no name of a binding"),
        (with(&trigger, "name", json!(null)), "without `name`"),
        (with(&trigger, "direction", json!("out")), "goes in"),
        (
            with(&trigger, "schedule", json!("%UNKNOWN%")),
            "`%UNKNOWN%` is not among the app settings",
        ),
        (with(&trigger, "schedule", json!("every 5 minutes")), "schedule"),
        (with(&trigger, "schedule", json!(null)), "schedule"),
        (with(&trigger, "runOnStartup", json!(true)), "runOnStartup"),
        (with(&trigger, "type", json!("serviceBusTrigger")), "knows no"),
        (with(&queue, "connection", json!("Other")), "connection `Other`"),
        (with(&queue, "queueName", json!("Work")), "no name of a queue"),
        (json!([trigger, {"name": "o", "type": "queue", "queueName": "work"}]), "goes out"),
        (json!([trigger, {"name": "o", "type": "http", "direction": "out"}]), "http"),
        (json!([{"name": "r", "type": "httpTrigger", "direction": "in"}]), "http"),
    ];
    for (bindings, why) in rows {
        let stub = Stub::new();
        stub.function("bad", &bindings);
        let package = stub.read().unwrap();
        assert_eq!(package.functions.len(), 4);
        let error = &package.not_indexed["bad"];
        assert!(error.contains(why), "{bindings}: {error}");
    }
    for (name, file, why) in [
        ("1st", "{\"bindings\":[]}", "no name"),
        ("host", "{\"bindings\":[]}", "no name"),
        ("a.b", "{\"bindings\":[]}", "no name"),
        ("bad", "{", "EOF"),
        ("bad", "{\"bindings\":[],\"scriptFile\":\"x\"}", "scriptFile"),
    ] {
        let stub = Stub::new();
        stub.write(&format!("{name}/function.json"), file);
        assert!(stub.read().unwrap().not_indexed[name].contains(why), "{name}");
    }
    // Only direct children count, and what has no function.json is no function.
    let stub = Stub::new();
    stub.write("nested/deep/function.json", "{");
    stub.write("rules/a.toml", "");
    assert!(stub.read().unwrap().not_indexed.is_empty());
    // An address for an identity is a connection too.
    let stub = Stub {
        settings: Settings::from([("WHEN".to_owned(), "* * * * * *".to_owned())]),
        ..Stub::new()
    };
    assert_eq!(stub.read().unwrap().not_indexed.len(), 3);
    let stub =
        stub.setting("AzureWebJobsStorage__queueServiceUri", "https://x.queue.core.windows.net");
    assert!(stub.read().unwrap().not_indexed.is_empty());
    // Queues need their extension.
    stub.host_json(&json!({"extensionBundle": null}));
    assert_eq!(stub.read().unwrap().not_indexed.len(), 3);
    // `functions` in host.json leaves others out.
    stub.host_json(&json!({"functions": ["timed"]}));
    assert_eq!(stub.read().unwrap().functions.len(), 1);
    // Without any function no handler is started.
    stub.host_json(&json!({"functions": []}));
    let host = FunctionsHost::read(stub.dir.path(), stub.settings.clone()).unwrap();
    assert!(host.boot().unwrap_err().contains("no function was found"));
    assert_eq!(host.exits().len(), 0);
}
