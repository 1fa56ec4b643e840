//! The transport against receivers that keep their contracts and misbehave on demand.

#![expect(clippy::unwrap_used, reason = "tests")]

mod auth;
mod tls;

use crate::support::fake_receiver::{FakeReceiver, Kind, Say};
use crate::support::server::Server;
use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::routing::any;
use hsmwatch::http::{Endpoint, HttpTransport, MAX_REPLY};
use hsmwatch::notify::Body;
use hsmwatch::ports::{Method, Reply, Request, Transport, TransportError};
use std::collections::BTreeMap;
use std::time::Duration;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn transport(url: &str) -> HttpTransport {
    let endpoint = Endpoint { url: url.to_owned().into(), ..Endpoint::default() };
    HttpTransport::new(BTreeMap::from([("r".to_owned(), endpoint)])).unwrap()
}

fn webhook(id: &str) -> Request {
    let body = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/hsmwatch/w","type":"com.hsmwatch.alert.v1"}}"#
    )
    .into_bytes();
    let key = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signature = key.sign(id, 1_767_225_600, &body).unwrap();
    Request {
        receiver: "r".to_owned(),
        method: Method::Post,
        path: String::new(),
        body: Some(Body { content_type: "application/cloudevents+json".into(), bytes: body }),
        headers: vec![
            ("webhook-id".to_owned(), id.to_owned()),
            ("webhook-timestamp".to_owned(), "1767225600".to_owned()),
            ("webhook-signature".to_owned(), format!("v1,AAAA {signature}")),
        ],
    }
}

fn json(text: &str) -> Request {
    let body = Body { content_type: "application/json; charset=utf-8".into(), bytes: text.into() };
    Request { body: Some(body), ..webhook("a1") }
}

async fn say(say: Say) -> Result<Reply, TransportError> {
    let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
    fake.script([say]);
    let answer = transport(&fake.url()).send(webhook("a1")).await;
    assert_eq!(fake.deliveries().len(), 1, "sent once");
    answer
}

#[tokio::test]
async fn a_webhook_takes_a_signed_delivery_as_it_was_sent() {
    let fake = FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()]));
    let transport = transport(&fake.url());
    let reply = transport.send(webhook("a1")).await.unwrap();
    let body = String::new();
    assert_eq!(reply, Reply { status: 204, retry_after: None, body, whole: true });
    transport.send(webhook("a1")).await.unwrap();
    let mut forged = webhook("a2");
    forged.body.as_mut().unwrap().bytes.push(b' ');
    assert_eq!(transport.send(forged).await.unwrap().status, 400);

    let deliveries = fake.deliveries();
    // Every escape of the URL arrives as it was written.
    assert_eq!(
        deliveries[0].target,
        "/hooks/s3cret-path?sp=%2Ftriggers%2Fmanual%2Frun&sig=s3cret-sig"
    );
    assert_eq!(deliveries[0].header("content-type"), "application/cloudevents+json");
    assert_eq!(deliveries[0].body, webhook("a1").body.unwrap().bytes);
    assert!(deliveries[0].header("user-agent").starts_with("hsmwatch/"));
    assert_eq!(fake.counts(), BTreeMap::from([("a1".to_owned(), 2), ("a2".to_owned(), 1)]));
    assert_eq!(fake.problems(), ["the signature is wrong"]);
}

#[tokio::test]
async fn teams_and_slack_answer_in_their_own_way() {
    let teams = FakeReceiver::start(Kind::Teams);
    let card = r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"type":"AdaptiveCard","version":"1.5","body":[]}}]}"#;
    let to_teams = transport(&teams.url());
    assert_eq!(to_teams.send(json(card)).await.unwrap().status, 202);
    assert_eq!(to_teams.send(json(r#"{"text":"x"}"#)).await.unwrap().status, 400);
    assert_eq!(teams.problems(), ["no message"]);

    let slack = FakeReceiver::start(Kind::Slack);
    let to_slack = transport(&slack.url());
    let reply = to_slack.send(json(r#"{"text":"x"}"#)).await.unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    let reply = to_slack.send(json("{}")).await.unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (400, "no_text"));
}

#[tokio::test]
async fn every_answer_is_passed_on() {
    for status in [200, 202, 400, 401, 403, 404, 408, 410, 413, 422, 425, 429, 500, 503] {
        assert_eq!(say(Say::Status(status)).await.unwrap().status, status);
    }
    for (wait, expected) in
        [("17", Some(17)), ("Wed, 01 Jan 2020 00:00:00 GMT", Some(0)), ("later", None)]
    {
        let reply = say(Say::RetryAfter(429, wait.to_owned())).await.unwrap();
        assert_eq!(reply.retry_after, expected.map(Duration::from_secs), "{wait}");
    }
}

#[tokio::test]
async fn every_answer_may_say_when_to_come_back() {
    for status in [200, 202, 204, 307, 400, 401, 403, 404, 409, 422, 429, 500, 503] {
        let reply = say(Say::RetryAfter(status, "17".to_owned())).await.unwrap();
        assert_eq!(
            (reply.status, reply.retry_after),
            (status, Some(Duration::from_secs(17))),
            "{status}"
        );
    }
}

#[tokio::test]
async fn every_method_is_spoken_and_paths_are_kept() {
    let app = Router::new().fallback(any(
        |method: axum::http::Method, uri: Uri, headers: HeaderMap, body: String| async move {
            let kind = headers.get("content-type").map_or("none", |v| v.to_str().unwrap());
            format!("{method} {uri} {kind} {body}")
        },
    ));
    let server = Server::start(app);
    for (base, path, expected) in [
        ("/now?sig=s3cret", "/table/incident?q=a%5Eb%3D%2F", "/now/table/incident?q=a%5Eb%3D%2F"),
        ("/", "/x%2Fy", "/x%2Fy"),
        ("", "?q=1", "/?q=1"),
        ("/now/?q=%2f", "", "/now/?q=%2f"),
    ] {
        let transport = transport(&format!("{}{base}", server.url()));
        for method in [Method::Get, Method::Post, Method::Patch, Method::Put] {
            let with_body = method != Method::Get;
            let call = Request {
                method,
                path: path.to_owned(),
                body: json("{}").body.filter(|_| with_body),
                ..webhook("a1")
            };
            let rest = if with_body { "application/json; charset=utf-8 {}" } else { "none " };
            let reply = transport.send(call).await.unwrap();
            assert_eq!(reply.body, format!("{} {expected} {rest}", method.as_str()));
        }
        let elsewhere = Request { path: "/../x".to_owned(), ..webhook("a1") };
        let error = transport.send(elsewhere).await.unwrap_err();
        let why = "receiver `r`: a path that leads elsewhere";
        assert_eq!(error, TransportError::Forbidden(why.to_owned()));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = FakeReceiver::start(Kind::Webhook(Vec::new()));
    let reply = say(Say::Redirect(elsewhere.url())).await.unwrap();
    assert_eq!(reply.status, 307);
    assert_eq!(elsewhere.deliveries().len(), 0);
}

#[tokio::test]
async fn a_reply_is_read_only_so_far_and_says_whether_that_is_all() {
    for (length, whole) in [(0, true), (MAX_REPLY, true), (MAX_REPLY + 1, false), (1 << 20, false)]
    {
        for status in [200, 500] {
            let reply = say(Say::StatusAndBody(status, "x".repeat(length))).await.unwrap();
            assert_eq!((reply.status, reply.whole), (status, whole), "{length}");
            assert_eq!(reply.body.len(), length.min(MAX_REPLY));
        }
    }
    // The status is the answer, whatever becomes of the body.
    let reply = say(Say::Break(200)).await.unwrap();
    assert_eq!((reply.status, reply.body.as_str(), reply.whole), (200, "o", false));
}

#[tokio::test]
async fn what_was_not_sent_is_told_from_what_may_have_arrived() {
    let error = say(Say::HangUp).await.unwrap_err();
    assert!(matches!(error, TransportError::Ambiguous(_)), "{error:?}");
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("s3cret") && !text.contains("://"), "{text}");
    }

    let gone = {
        let fake = FakeReceiver::start(Kind::Slack);
        fake.url().replace("127.0.0.1:", "127.0.0.1:1/x")
    };
    let error = transport(&gone).send(webhook("a1")).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    assert!(!error.to_string().contains("s3cret"), "{error}");

    // TLS with one that speaks none.
    let fake = FakeReceiver::start(Kind::Slack);
    let error = transport(&fake.url().replace("http://", "https://")).send(webhook("a1")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert_eq!(fake.deliveries().len(), 0);

    let mut bad = webhook("a1");
    bad.headers.push(("x-bad".to_owned(), "two\nlines".to_owned()));
    let error = transport(&fake.url()).send(bad).await.unwrap_err();
    assert_eq!(error, TransportError::Connect("the header `x-bad` cannot be sent".to_owned()));
}

#[tokio::test]
async fn localhost_by_name_is_this_machine() {
    let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
    let url = fake.url().replace("127.0.0.1", "localhost");
    assert_eq!(transport(&url).send(webhook("a1")).await.unwrap().status, 204);
}
