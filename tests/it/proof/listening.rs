//! `listen`: what it shows, how it verifies, and that it answers as told.

use crate::support::bed::{SECRET, SECRETS, TestBed};
use crate::support::daemon::Daemon;
use serde_json::{Value as Json, json};
use std::fs;

const OTHER: &str = "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS10ZXN0LWJlZC0xMjM0";

/// A receiver that listens, and its address.
fn listen(bed: &TestBed, more: &[&str]) -> (Daemon, String) {
    let daemon =
        Daemon::start(bed.command(&[&["listen", "--address", "127.0.0.1:0"], more].concat()));
    let line = daemon.wait_for("listening on http://", 1);
    let address = line.split("http://").nth(1).unwrap().split(';').next().unwrap().to_owned();
    (daemon, address)
}

/// A bed whose only receiver of a kind is at this address.
fn sends_to(address: &str, kind: &str) -> String {
    let secret = if kind == "webhook" { "secret = { env = \"SECRET\" }" } else { "" };
    format!(
        "[state]\npath = \"state\"\n[[workspace]]\nname = \"export\"\nlogs = [\"*.json\"]\n[[receiver]]\nname = \"listen\"\nkind = \"{kind}\"\nurl = \"http://{address}/hook?sig=s3cret\"\n{secret}\n"
    )
}

/// `send-test` to it.
fn send(bed: &TestBed, address: &str, kind: &str, code: i32) -> Json {
    fs::write(bed.dir().join("to.toml"), sends_to(address, kind)).unwrap();
    let ran = bed.run(&["send-test", "--config", "to.toml", "--format", "json"]).exits(code);
    serde_json::from_str::<Json>(&ran.stdout).unwrap()[0].take()
}

/// A request of one's own; answers status, `Retry-After` and body.
fn post(address: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Option<String>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("http://{address}/own")).body(body);
        let request = headers.iter().fold(request, |request, (n, v)| request.header(*n, *v));
        let answer = request.send().await.unwrap();
        let wait = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        (answer.status().as_u16(), wait, answer.text().await.unwrap())
    })
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_comes_is_shown_and_verified() {
    let bed = TestBed::new();
    let (daemon, address) = listen(&bed, &["--secret-env", "SECRET"]);
    let said = daemon.wait_for("secret = { env = \"SECRET\" }", 1);
    assert!(!said.contains("whsec_"));
    let id = send(&bed, &address, "webhook", 0)["alert"].as_str().unwrap().to_owned();
    send(&bed, &address, "teams", 0);
    send(&bed, &address, "slack", 0);
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.ends_with(
        "3 requests: 1 with a valid signature, 0 with one that is not, 2 not checked; 0 had come before"
    ), "{}", ended.stderr);
    let shown = ended.stdout.replace(&id, "[id]");
    let shown: Vec<&str> = shown.lines().collect();
    assert!(
        shown[0]
            .contains("  POST /hook  CloudEvent  CRITICAL  Test: Key deleted from an HSM  count 1"),
        "{shown:?}"
    );
    assert_eq!(shown[1], "  webhook-id [id]");
    assert!(shown[2].starts_with("  incident "), "{shown:?}");
    assert!(
        shown[3].starts_with("  valid: signed with the secret in `SECRET`, and fresh"),
        "{shown:?}"
    );
    assert_eq!(shown[4], "  answered 204");
    let answers: Vec<&&str> = shown.iter().filter(|line| line.contains("answered")).collect();
    assert_eq!(answers, [&"  answered 204", &"  answered 202", &"  answered 200"]);
    assert!(shown.iter().any(|line| line.contains("Teams card")));
    assert!(shown.iter().any(|line| line.contains("Slack message")));
    for secret in SECRETS {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret}");
    }
}

#[test]
fn it_answers_as_told_and_then_as_usual() {
    let bed = TestBed::new();
    let told =
        ["--status", "429", "--retry-after", "3", "--body", "busy", "--first", "2", "--count", "4"];
    let (daemon, address) = listen(&bed, &[&told[..], &["--format", "json"]].concat());
    let headers = [("webhook-id", "m-1")];
    let busy = (429, Some("3".to_owned()), "busy".to_owned());
    assert_eq!(post(&address, &headers, b"{}".to_vec()), busy);
    assert_eq!(post(&address, &headers, b"{}".to_vec()), busy);
    assert_eq!(post(&address, &headers, b"{}".to_vec()), (204, None, String::new()));
    assert_eq!(post(&address, &[], b"<html>".to_vec()), (204, None, String::new()));
    let ended = daemon.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let all = lines(&ended.stdout);
    let of = |name: &str| all.iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("attempt"), [json!(1), json!(2), json!(3), Json::Null]);
    assert_eq!(of("status"), [429, 429, 204, 204]);
    assert_eq!(of("retry_after"), [json!(3), json!(3), Json::Null, Json::Null]);
    assert_eq!(of("shape"), ["json", "json", "json", "other"]);
    // No secret was given.
    assert_eq!(of("signature"), [Json::Null, Json::Null, Json::Null, Json::Null]);
    assert!(ended.stderr.contains("unsigned = true"), "{}", ended.stderr);
    assert!(ended.stderr.contains("4 not checked; 2 had come before"), "{}", ended.stderr);
}

#[test]
fn hsmwatch_makes_of_its_answers_what_it_makes_of_any() {
    let bed = TestBed::new();
    for (more, verdict) in [
        (&["--status", "410"][..], "receiver broken"),
        (&["--status", "503"], "retry"),
        (&["--status", "422"], "refused"),
        (&["--delay", "0s"], "delivered"),
    ] {
        let (_daemon, address) = listen(&bed, more);
        let code = i32::from(verdict != "delivered");
        assert_eq!(send(&bed, &address, "webhook", code)["verdict"], verdict);
    }
}

#[test]
fn what_is_not_signed_as_it_should_be_is_refused_with_the_reason() {
    let bed = TestBed::new().variable("OTHER", OTHER);
    let (daemon, address) = listen(&bed, &["--secret-env", "OTHER", "--count", "2"]);
    let sent = send(&bed, &address, "webhook", 1);
    assert_eq!((&sent["status"], &sent["verdict"]), (&json!(401), &json!("receiver broken")));
    let (status, _, body) = post(&address, &[], b"{}".to_vec());
    assert_eq!((status, body.as_str()), (401, "header `webhook-id` is missing"));
    let ended = daemon.ended();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("  not valid: no signature matches"), "{}", ended.stdout);
    assert!(ended.stdout.contains("so rather the secret is another"), "{}", ended.stdout);
}

#[test]
fn requests_are_kept_for_verify() {
    let bed = TestBed::new();
    fs::create_dir(bed.dir().join("kept")).unwrap();
    fs::write(bed.dir().join("kept/0001-json.http"), "mine").unwrap();
    let (daemon, address) =
        listen(&bed, &["--save", "kept", "--count", "2", "--secret-env", "SECRET"]);
    let own = [("authorization", "Bearer s3cret"), ("content-type", "text/plain")];
    post(&address, &own, b"{\"a\":1}\n".to_vec());
    send(&bed, &address, "webhook", 0);
    let ended = daemon.ended();
    assert!(ended.stdout.contains("answered 401, kept as 0002-json.http"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("answered 204, kept as 0003-cloudevent.http"),
        "{}",
        ended.stdout
    );
    bed.run(&["verify", "--secret-env", "SECRET", "kept/0003-cloudevent.http"]).exits(0);
    bed.run(&["verify", "--secret-env", "SECRET", "kept/0002-json.http"]).exits(1);
    let own = fs::read_to_string(bed.dir().join("kept/0002-json.http")).unwrap();
    assert!(
        own.starts_with("POST /own HTTP/1.1\r\n") && own.ends_with("\r\n\r\n{\"a\":1}\n"),
        "{own}"
    );
    assert!(own.contains("authorization: (not kept)\r\n") && !own.contains("s3cret"), "{own}");
    assert_eq!(fs::read_to_string(bed.dir().join("kept/0001-json.http")).unwrap(), "mine");
}

#[test]
fn hostile_requests_stay_text_and_large_ones_are_refused() {
    let bed = TestBed::new();
    let (daemon, address) = listen(&bed, &["--count", "3"]);
    let evil = json!({"title": "\u{1b}[2Jevil\u{202e}\nanswered 204", "id": "\u{7}x"});
    post(&address, &[("webhook-id", "\\u001b[31m")], evil.to_string().into_bytes());
    let (status, ..) = post(&address, &[], vec![b'x'; (1 << 20) + 1]);
    assert_eq!(status, 413);
    assert_eq!(post(&address, &[], vec![b'x'; 1 << 20]).0, 204);
    let ended = daemon.ended();
    assert!(!ended.stdout.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{}", ended.stdout);
    assert!(ended.stdout.contains("[2Jevil answered 204"), "{}", ended.stdout);
    assert!(ended.stdout.contains("larger than 1 MB"), "{}", ended.stdout);
}

#[test]
fn beyond_this_machine_it_warns() {
    let bed = TestBed::new();
    let daemon = Daemon::start(bed.command(&["listen", "--address", "0.0.0.0:0"]));
    daemon.wait_for("warning: whoever reaches 0.0.0.0:", 1);
    daemon.wait_for("url = \"https://HOST/hook\"", 1);
    assert_eq!(daemon.terminate().code, Some(0));
    let (_first, address) = listen(&bed, &[]);
    bed.run(&["listen", "--address", &address]).exits(1).says("cannot listen on ");
    bed.run(&["listen", "--retry-after", "3"]).exits(2);
    bed.run(&["listen", "--status", "99"]).exits(2);
    assert!(SECRET.starts_with("whsec_"));
}
