//! How calls prove who makes them, against receivers and a token endpoint that look.

use super::{SECRET, json, webhook};
use crate::support::bouncer::Bouncer;
use crate::support::fake_receiver::{FakeReceiver, Kind, Say};
use crate::support::fake_tokens::{CLIENT, CLIENT_SECRET, FakeTokens, Takes};
use async_trait::async_trait;
use axum::http::HeaderMap;
use futures_util::future::join_all;
use hsmwatch::http::{
    Auth, Endpoint, HttpError, HttpTransport, OAuth2, Token, TokenError, TokenSource,
};
use hsmwatch::ports::{Reply, Transport, TransportError};
use serde_json::json as value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn to(url: &str, auth: Auth) -> HttpTransport {
    try_to(url, auth).unwrap()
}

fn try_to(url: &str, auth: Auth) -> Result<HttpTransport, HttpError> {
    let endpoint = Endpoint { url: url.to_owned().into(), auth, ..Endpoint::default() };
    HttpTransport::new(BTreeMap::from([("r".to_owned(), endpoint)]))
}

fn oauth(url: &str) -> OAuth2 {
    OAuth2 {
        token_url: url.to_owned().into(),
        client_id: CLIENT.to_owned(),
        client_secret: CLIENT_SECRET.to_owned().into(),
        scope: None,
        audience: None,
    }
}

/// A receiver that takes webhooks from whoever has one of the endpoint's tokens.
fn guarded(tokens: &FakeTokens) -> (FakeReceiver, Bouncer) {
    let fake = FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()]));
    let bouncer = Bouncer::before(&fake.url(), tokens.look());
    (fake, bouncer)
}

fn status(answer: Result<Reply, TransportError>) -> u16 {
    answer.unwrap().status
}

/// What must not be found in any text.
#[track_caller]
fn nothing_secret(text: &str) {
    for secret in ["s3cret", "czNjcmV0", "c3dhdGNoOnMz", "://", "oauth/token"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn what_never_changes_is_shown_with_every_call() {
    for (auth, name, expected) in [
        (Auth::Bearer("s3cret-token".to_owned().into()), "authorization", "Bearer s3cret-token"),
        (
            Auth::Basic { user: "watch".into(), password: "s3cret:pä ss".to_owned().into() },
            "authorization",
            "Basic d2F0Y2g6czNjcmV0OnDDpCBzcw==",
        ),
        (
            Auth::Header { name: "X-Api-Key".into(), value: "s3cret key".to_owned().into() },
            "x-api-key",
            "s3cret key",
        ),
        (Auth::None, "authorization", ""),
    ] {
        let fake = FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()]));
        let transport = to(&fake.url(), auth);
        nothing_secret(&format!("{transport:?}"));
        assert_eq!(status(transport.send(webhook("a1")).await), 204);
        // Whatever the call brings along, it is the receiver's own that counts.
        let mut other = webhook("a2");
        other.headers.push((name.to_owned(), "of the call".to_owned()));
        assert_eq!(status(transport.send(other).await), 204);
        let shown: Vec<String> =
            fake.deliveries().iter().map(|d| d.header(name).to_owned()).collect();
        let second = if expected.is_empty() { "of the call" } else { expected };
        assert_eq!(shown, [expected, second]);
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_named_at_once() {
    let secret = |text: &str| text.to_owned().into();
    let header = |name: &str, value: &str| Auth::Header { name: name.into(), value: secret(value) };
    let basic =
        |user: &str, password: &str| Auth::Basic { user: user.into(), password: secret(password) };
    for (auth, expected) in [
        (
            Auth::Bearer(secret("Bearer s3cret")),
            "`token` must be the token alone: `Bearer` is put before it",
        ),
        (
            Auth::Bearer(secret("s3cret\n")),
            "`token` has a space, a line break or another character that no token has",
        ),
        (
            Auth::Bearer(secret("")),
            "`token` has a space, a line break or another character that no token has",
        ),
        (
            basic("a:b", "s3cret"),
            "the user name must not have a `:` in it: the password begins there",
        ),
        (
            basic("a", "s3cret\n"),
            "user name or password has a line break or another control character",
        ),
        (header("x y", "s3cret"), "`auth_header` is no header's name"),
        (
            header("Content-Length", "s3cret"),
            "`auth_header` must not be `content-length`: that header is not free",
        ),
        (
            header("webhook-signature", "s3cret"),
            "`auth_header` must not be `webhook-signature`: that header is not free",
        ),
        (
            header("x-key", "s3cret\r\nx: y"),
            "`token` is empty, or has a line break or another character that no header can carry",
        ),
        (
            header("x-key", " "),
            "`token` is empty, or has a line break or another character that no header can carry",
        ),
        (
            Auth::OAuth2(oauth("http://s3cret.example/")),
            "`token_url` must be https (http only on this machine)",
        ),
        (Auth::OAuth2(oauth("s3cret")), "`token_url` is not a URL"),
    ] {
        let error = try_to("https://a.example/", auth).unwrap_err();
        assert_eq!(error.to_string(), format!("receiver `r`: {expected}"));
        nothing_secret(&format!("{error:?}"));
    }
}

#[tokio::test]
async fn a_refusal_does_not_repeat_what_was_shown() {
    for (auth, echo) in [
        (Auth::Bearer("s3cret-token".to_owned().into()), "no: s3cret-token"),
        (
            Auth::Basic { user: "watch".into(), password: "s3cret-pass".to_owned().into() },
            "no: d2F0Y2g6czNjcmV0LXBhc3M= is s3cret-pass",
        ),
        (
            Auth::Header { name: "x-k".into(), value: "s3cret key".to_owned().into() },
            "no: s3cret key",
        ),
    ] {
        let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
        fake.script([Say::StatusAndBody(401, echo.to_owned())]);
        let reply = to(&fake.url(), auth).send(webhook("a1")).await.unwrap();
        assert!(reply.body.starts_with("no: …"), "{}", reply.body);
        nothing_secret(&reply.body);
        // What never changes is not shown again.
        assert_eq!(fake.deliveries().len(), 1);
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    for takes in [Takes::Either, Takes::Header, Takes::Body] {
        let tokens = FakeTokens::start(takes);
        let (fake, bouncer) = guarded(&tokens);
        let who = OAuth2 {
            scope: Some("alerts.write alerts".to_owned()),
            audience: Some("https://itsm.example/".to_owned()),
            ..oauth(&tokens.url())
        };
        let transport = to(&bouncer.url(), Auth::OAuth2(who));
        nothing_secret(&format!("{transport:?}"));
        for id in ["a1", "a2"] {
            assert_eq!(status(transport.send(webhook(id)).await), 204);
        }
        assert_eq!((fake.deliveries().len(), fake.problems().len()), (2, 0));
        let shown = bouncer.seen("authorization");
        assert_eq!(shown[0], shown[1]);
        assert!(shown[0].starts_with("Bearer s3cret-token-"), "{takes:?}");
        // The header first, as every server must take it; then the body.
        let asked: Vec<_> = tokens.asked().iter().map(|a| (a.in_header, a.status)).collect();
        match takes {
            Takes::Either | Takes::Header => assert_eq!(asked, [(true, 200)]),
            Takes::Body => assert_eq!(asked, [(true, 401), (false, 200)]),
        }
        let form = &tokens.asked().last().unwrap().form.clone();
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "alerts.write alerts");
        assert_eq!(form["audience"], "https://itsm.example/");
        assert_eq!(form.contains_key("client_secret"), takes == Takes::Body);

        // What was accepted is remembered.
        tokens.revoke();
        assert_eq!(status(transport.send(webhook("a3")).await), 204);
        let last = tokens.asked().pop().unwrap();
        assert_eq!((last.in_header, last.status), (takes != Takes::Body, 200));
        assert_eq!(tokens.asked().len(), asked.len() + 1);
    }
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let tokens = FakeTokens::start(Takes::Either);
    tokens.slow(Duration::from_millis(100));
    let (fake, bouncer) = guarded(&tokens);
    let transport = to(&bouncer.url(), Auth::OAuth2(oauth(&tokens.url())));
    let ids: Vec<String> = (0..8).map(|n| format!("a{n}")).collect();
    let answers = join_all(ids.iter().map(|id| transport.send(webhook(id)))).await;
    assert!(answers.into_iter().all(|answer| status(answer) == 204));
    assert_eq!((fake.deliveries().len(), tokens.asked().len()), (8, 1));

    // All are refused at once, and one fetches anew.
    tokens.revoke();
    let answers = join_all(ids.iter().map(|id| transport.send(webhook(id)))).await;
    assert!(answers.into_iter().all(|answer| status(answer) == 204));
    assert_eq!((fake.deliveries().len(), tokens.asked().len()), (16, 2));

    // Those that wait together fail together.
    let transport = to(&bouncer.url(), Auth::OAuth2(oauth(&tokens.url())));
    tokens.script(&[(503, "")]);
    let answers = join_all(ids.iter().map(|id| transport.send(webhook(id)))).await;
    assert!(answers.into_iter().all(|answer| matches!(answer, Err(TransportError::Connect(_)))));
    assert_eq!((fake.deliveries().len(), tokens.asked().len()), (16, 3));
}

#[tokio::test]
async fn a_token_is_replaced_when_its_time_is_over() {
    let tokens = FakeTokens::start(Takes::Either);
    let (fake, bouncer) = guarded(&tokens);
    // It is told, and so no call is made with a token that is over.
    tokens.lifetime(Some(value!("0")));
    let transport = to(&bouncer.url(), Auth::OAuth2(oauth(&tokens.url())));
    for id in ["a1", "a2"] {
        assert_eq!(status(transport.send(webhook(id)).await), 204);
    }
    assert_eq!(tokens.asked().len(), 2);
    assert_eq!(bouncer.seen("authorization").len(), 2);
    // It is not told, or told wrong, and so the receiver's refusal tells it. The call is made once more, and is one delivery.
    for lifetime in [None, Some(value!(86_400))] {
        tokens.lifetime(lifetime);
        assert_eq!(status(transport.send(webhook("b1")).await), 204);
        tokens.revoke();
        assert_eq!(status(transport.send(webhook("b2")).await), 204);
        tokens.revoke();
    }
    assert_eq!(tokens.asked().len(), 6);
    assert_eq!(fake.counts().values().copied().collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert_eq!(bouncer.seen("authorization").len(), 9);
}

#[tokio::test]
async fn a_token_that_was_just_fetched_is_not_fetched_again() {
    for status in [401, 403] {
        let tokens = FakeTokens::start(Takes::Either);
        let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
        fake.always(Some(Say::Status(status)));
        let transport = to(&fake.url(), Auth::OAuth2(oauth(&tokens.url())));
        for calls in [1, 2] {
            assert_eq!(transport.send(webhook("a1")).await.unwrap().status, status);
            assert_eq!((fake.deliveries().len(), tokens.asked().len()), (calls, calls));
        }
        // Other answers say nothing about the token.
        fake.always(None);
        transport.send(webhook("a2")).await.unwrap();
        fake.always(Some(Say::Status(404)));
        assert_eq!(transport.send(webhook("a3")).await.unwrap().status, 404);
        assert_eq!((fake.deliveries().len(), tokens.asked().len()), (4, 3));
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    use TransportError::{Connect, Unauthorized};
    let no = |why: &str| format!("no token from the token endpoint: {why}");
    let echo = format!(
        r#"{{"error":"invalid_scope","error_description":"scope x of {CLIENT_SECRET} at https://s3cret.example/?sig=s3cret is\n unknown"}}"#
    );
    for (answers, expected) in [
        (
            // Entra's own way of saying it.
            &[(
                401,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#,
            ); 2][..],
            Unauthorized(no(
                "status 401: invalid_client: AADSTS7000215: Invalid client secret provided.",
            )),
        ),
        // What knows the client not says more than what misses something.
        (
            &[(401, r#"{"error":"invalid_client"}"#), (400, r#"{"error":"invalid_request"}"#)],
            Unauthorized(no("status 401: invalid_client")),
        ),
        (
            &[(400, r#"{"error":"invalid_request"}"#), (401, r#"{"error":"invalid_client"}"#)],
            Unauthorized(no("status 401: invalid_client")),
        ),
        // ServiceNow's way.
        (
            &[(401, r#"{"error":"server_error","error_description":"access_denied"}"#); 2],
            Unauthorized(no("status 401: server_error: access_denied")),
        ),
        (
            &[(400, r#"{"error":"unauthorized_client"}"#); 2],
            Unauthorized(no("status 400: unauthorized_client")),
        ),
        (&[(403, "<html>s3cret</html>"); 2], Unauthorized(no("status 403"))),
        (&[(404, "s3cret")], Unauthorized(no("status 404"))),
        (
            &[(307, "")],
            Unauthorized(no("status 307: it redirects, and redirects are not followed")),
        ),
        (
            &[(400, &echo)],
            Unauthorized(no(
                "status 400: invalid_scope: scope x of … at https://s3cret.example/?… is unknown",
            )),
        ),
        (&[(400, r#"{"error":"s3cret: oops"}"#); 2], Unauthorized(no("status 400"))),
        (
            &[(200, "<html>")],
            Unauthorized(no("its answer is no JSON, or is not whole: is `token_url` right?")),
        ),
        (&[(200, "{}")], Unauthorized(no("there is no `access_token` in its answer"))),
        (
            &[(200, r#"{"access_token":"s3cret","token_type":"mac"}"#)],
            Unauthorized(no("its tokens are not of the type `Bearer`")),
        ),
        (
            &[(200, r#"{"access_token":"s3 cret"}"#)],
            Unauthorized("the token that was given is none that can be sent".into()),
        ),
        (&[(429, "")], Connect(no("status 429"))),
        (&[(500, "s3cret")], Connect(no("status 500"))),
        (
            &[(503, r#"{"error":"temporarily_unavailable"}"#)],
            Connect(no("status 503: temporarily_unavailable")),
        ),
        (
            &[(400, r#"{"error":"temporarily_unavailable"}"#); 2],
            Connect(no("status 400: temporarily_unavailable")),
        ),
    ] {
        let tokens = FakeTokens::start(Takes::Either);
        let (fake, bouncer) = guarded(&tokens);
        tokens.script(answers);
        let transport = to(&bouncer.url(), Auth::OAuth2(oauth(&tokens.url())));
        let error = transport.send(webhook("a1")).await.unwrap_err();
        assert_eq!(error, expected);
        if !answers[0].1.contains("s3cret.example") {
            nothing_secret(&error.to_string());
        }
        assert_eq!(tokens.asked().len(), answers.len(), "{expected}");
        assert!(bouncer.seen("authorization").is_empty() && fake.deliveries().is_empty());
        // Once it gives tokens again, all is well.
        assert_eq!(status(transport.send(webhook("a1")).await), 204);
    }
}

#[tokio::test]
async fn a_token_endpoint_is_held_to_the_rules_for_receivers() {
    let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
    for (url, expected) in [
        (
            "https://10.0.0.1/oauth/token",
            "the token endpoint leads to a private address; if it is meant to be there, name its network in `allow_networks`",
        ),
        (
            "https://169.254.169.254/oauth/token",
            "the token endpoint leads to an address of Azure's own services",
        ),
    ] {
        let transport = to(&fake.url(), Auth::OAuth2(oauth(url)));
        let error = transport.send(webhook("a1")).await.unwrap_err();
        assert_eq!(error, TransportError::Unauthorized(expected.to_owned()));
    }
    // Nobody is there.
    let tokens = FakeTokens::start(Takes::Either);
    let gone = tokens.url();
    drop(tokens);
    let error = to(&fake.url(), Auth::OAuth2(oauth(&gone))).send(webhook("a1")).await.unwrap_err();
    let TransportError::Connect(why) = &error else { panic!("{error:?}") };
    assert!(why.starts_with("no token from the token endpoint: "), "{why}");
    nothing_secret(why);
    assert!(fake.deliveries().is_empty());
}

/// A source that gives what it is told to.
#[derive(Debug, Default)]
struct Source {
    answers: Mutex<Vec<Result<Token, TokenError>>>,
    forgotten: Mutex<usize>,
}

#[async_trait]
impl TokenSource for Source {
    async fn token(&self) -> Result<Token, TokenError> {
        self.answers.lock().unwrap().remove(0)
    }

    fn forget(&self) {
        *self.forgotten.lock().unwrap() += 1;
    }
}

fn token(secret: &str) -> Token {
    Token { secret: secret.to_owned().into(), good_for: Duration::from_hours(1) }
}

#[tokio::test]
async fn a_source_of_tokens_is_told_to_forget_what_was_refused() {
    let source = Arc::new(Source {
        answers: Mutex::new(vec![
            Ok(token("s3cret-1")),
            Ok(token("s3cret-2")),
            Err(TokenError::Denied("no token from an identity: no role".to_owned())),
        ]),
        ..Source::default()
    });
    let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
    let look = |headers: &HeaderMap| {
        (headers["authorization"] == "Bearer s3cret-1").then(|| (401, String::new()))
    };
    let bouncer = Bouncer::before(&fake.url(), look);
    let tokens: Arc<dyn TokenSource> = Arc::clone(&source) as _;
    let transport = to(&bouncer.url(), Auth::Token(tokens));
    // Fetched for this call and refused: that is an answer.
    assert_eq!(status(transport.send(webhook("a1")).await), 401);
    assert_eq!(*source.forgotten.lock().unwrap(), 1);
    assert_eq!(status(transport.send(webhook("a2")).await), 204);
    assert_eq!(bouncer.seen("authorization"), ["Bearer s3cret-1", "Bearer s3cret-2"]);
    fake.script([Say::Status(403)]);
    let error = transport.send(webhook("a3")).await.unwrap_err();
    assert_eq!(
        error,
        TransportError::Unauthorized("no token from an identity: no role".to_owned())
    );
}

#[tokio::test]
async fn channels_may_want_proof_as_well() {
    let teams = FakeReceiver::start(Kind::Teams);
    let card = r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"type":"AdaptiveCard","version":"1.5","body":[]}}]}"#;
    let transport = to(&teams.url(), Auth::Bearer("s3cret".to_owned().into()));
    assert_eq!(status(transport.send(json(card)).await), 202);
    assert_eq!(teams.deliveries()[0].header("authorization"), "Bearer s3cret");
}
