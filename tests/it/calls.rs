//! Calls that prove who makes them, through the program: what is configured is shown, what expires is fetched anew, what is
//! refused is told over another receiver, and no secret is ever shown or kept.

use crate::support::bed::{Ran, SECRET, TestBed, clients, conditions};
use crate::support::bouncer::Bouncer;
use crate::support::desks::servicenow::ServiceNow;
use crate::support::fake_desk::FakeDesk;
use crate::support::fake_identity::{FakeIdentity, HEADER};
use crate::support::fake_receiver::{FakeReceiver, Kind, Say};
use crate::support::fake_tokens::{CLIENT, CLIENT_SECRET, FakeTokens, Takes};
use crate::support::tls::{Authority, TlsFront, Wants};
use axum::http::HeaderMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const SIGNED: &str = "secret = { env = \"SECRET\" }\n";
/// Lines of a receiver that is shown tokens of an endpoint.
const OAUTH: &str = "auth = \"oauth2\"\ntoken_url = { env = \"TOKEN_URL\" }\nclient_id = { env = \"CLIENT\" }\n\
                     client_secret = { env = \"CLIENT_SECRET\" }\n";

/// The identity that flows know.
const FLOWS: &str = "aaaaaaaa-2222-3333-4444-555555555555";
/// The identity that queries are made with.
const QUERIES: &str = "bbbbbbbb-2222-3333-4444-555555555555";

fn webhook() -> FakeReceiver {
    FakeReceiver::start(Kind::Webhook(vec![SECRET.to_owned()]))
}

/// Lets those through that show this.
fn wants(name: &'static str, value: &'static str) -> impl Fn(&HeaderMap) -> Option<(u16, String)> {
    move |headers| {
        let shown = headers.get(name).map_or("nothing", |shown| shown.to_str().unwrap());
        // It repeats what it was shown, as some do.
        (shown != value).then(|| (401, format!("who are you? I was shown {shown}")))
    }
}

/// With what the receivers' settings name.
fn bed(tokens: Option<&FakeTokens>) -> TestBed {
    let bed = TestBed::new()
        .variable("RUST_LOG", "trace")
        .variable("CLIENT", CLIENT)
        .variable("CLIENT_SECRET", CLIENT_SECRET)
        .variable("TOKEN", "s3cret-token");
    match tokens {
        Some(tokens) => bed.variable("TOKEN_URL", &tokens.url()),
        None => bed,
    }
}

/// With a managed identity.
fn with_identity(bed: TestBed, identity: &FakeIdentity) -> TestBed {
    bed.variable("IDENTITY_ENDPOINT", &identity.url()).variable("IDENTITY_HEADER", HEADER)
}

/// Neither in what was said nor in what is kept.
#[track_caller]
fn keeps_secrets(bed: &TestBed, ran: &[&Ran]) {
    let texts: Vec<&str> =
        ran.iter().flat_map(|ran| [ran.stdout.as_str(), ran.stderr.as_str()]).collect();
    bed.keeps_secrets(&texts);
    for text in texts {
        for secret in ["client%2F", "czNjcmV0", "token-1", HEADER, "PRIVATE KEY"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// What a receiver was told of hsmwatch itself: condition, about whom, and the last answer in it.
fn own(fake: &FakeReceiver) -> Vec<(String, String)> {
    let told = fake.deliveries();
    told.iter().flat_map(conditions).map(|(what, about, _)| (what, about)).collect()
}

/// What `status` says, which names why a receiver is off.
#[track_caller]
fn why_off(bed: &TestBed, why: &str) -> Ran {
    let status = bed.run(&["status", "--format", "json"]);
    assert!(status.stdout.contains(why), "{status:?}");
    status
}

fn told_of_clients(fake: &FakeReceiver) -> Vec<String> {
    fake.deliveries().iter().flat_map(clients).collect()
}

#[test]
fn every_way_reaches_its_receiver() {
    for (lines, name, value) in [
        ("token = { env = \"TOKEN\" }\n", "authorization", "Bearer s3cret-token"),
        (
            "username = \"watch\"\npassword = { env = \"TOKEN\" }\n",
            "authorization",
            "Basic d2F0Y2g6czNjcmV0LXRva2Vu",
        ),
        (
            "auth = \"header\"\nauth_header = \"X-Api-Key\"\ntoken = { env = \"TOKEN\" }\n",
            "x-api-key",
            "s3cret-token",
        ),
    ] {
        let fake = webhook();
        let bouncer = Bouncer::before(&fake.url(), wants(name, value));
        let bed = bed(None).desk("itsm", "webhook", &bouncer.url(), &format!("{SIGNED}{lines}"));
        bed.run(&["check"]).exits(0);
        let begun = bed.begin();
        bed.delete_key("a");
        let ran = bed.run_once().exits(0).without_talk();
        assert_eq!(told_of_clients(&fake), ["a"], "{lines}");
        assert_eq!(bouncer.seen(name), [value]);
        let test = bed.run(&["send-test", "itsm"]).exits(0);
        let seen = bed.run(&["doctor", "--format", "json"]);
        keeps_secrets(&bed, &[&begun, &ran, &test, &seen]);
        assert_eq!(bouncer.seen(name).len(), 2, "doctor only goes to the door");
    }
}

#[test]
fn tokens_of_an_endpoint_are_fetched_and_kept_by_the_program() {
    let tokens = FakeTokens::start(Takes::Body);
    let fake = webhook();
    let bouncer = Bouncer::before(&fake.url(), tokens.look());
    let lines = format!("{SIGNED}{OAUTH}scope = \"alerts\"\naudience = \"itsm\"\n");
    let bed = bed(Some(&tokens)).desk("itsm", "webhook", &bouncer.url(), &lines);
    let daemon = bed.daemon(&[]);
    daemon.wait_for("evaluated workspace=", 1);
    bed.delete_key("a");
    fake.wait_for(1);
    bed.delete_key("b");
    fake.wait_for(2);
    let fetched = |tokens: &FakeTokens| tokens.asked().iter().filter(|a| a.status == 200).count();
    assert_eq!(fetched(&tokens), 1, "one for both");
    // The server changes its mind while we run.
    tokens.revoke();
    bed.delete_key("c");
    fake.wait_for(3);
    assert_eq!(fetched(&tokens), 2);
    let shown = bouncer.seen("authorization");
    assert_eq!(shown.len(), 4);
    assert!(shown[0] == shown[1] && shown[1] == shown[2] && shown[2] != shown[3]);
    assert!(fake.counts().values().all(|n| *n == 1), "no alert was taken twice");
    let ended = daemon.terminate();
    bed.keeps_secrets(&[&ended.stdout, &ended.stderr]);
    assert!(!ended.stderr.contains("czNjcmV0") && !ended.stderr.contains("client%2F"));
    assert_eq!(fake.problems(), [""; 0]);
}

#[test]
fn an_expired_token_breaks_its_receiver_and_a_new_one_mends_it() {
    let fake = webhook();
    let bouncer = Bouncer::before(&fake.url(), wants("authorization", "Bearer s3cret-new-token"));
    let lines = format!("{SIGNED}token = {{ env = \"TOKEN\" }}\n");
    let mut bed =
        bed(None).desk("itsm", "webhook", &bouncer.url(), &lines).receiver("chat", "webhook");
    bed.begin();
    bed.delete_key("a");
    let first = bed.run_once();
    let second = bed.run_once();
    assert!(fake.deliveries().is_empty());
    assert_eq!(own(bed.at("chat")), [("receiver-broken".to_owned(), "itsm".to_owned())]);
    let status = why_off(&bed, "status 401: who are you? I was shown Bearer …");
    keeps_secrets(&bed, &[&first, &second, &status]);
    let calls = bouncer.seen("authorization").len();
    bed.run_once();
    assert_eq!(bouncer.seen("authorization").len(), calls, "it is off");

    bed.set_variable("TOKEN", "s3cret-new-token");
    let mended = bed.run_once();
    let after = bed.run_once();
    assert_eq!(told_of_clients(&fake), ["a"], "{mended:?}");
    keeps_secrets(&bed, &[&mended, &after]);
}

#[test]
fn a_client_that_is_not_known_is_told_of_by_its_code() {
    let tokens = FakeTokens::start(Takes::Either);
    let fake = webhook();
    let bouncer = Bouncer::before(&fake.url(), tokens.look());
    let mut bed = bed(Some(&tokens))
        .desk("itsm", "webhook", &bouncer.url(), &format!("{SIGNED}{OAUTH}"))
        .receiver("chat", "webhook");
    bed.set_variable("CLIENT_SECRET", "s3cret-that-has-expired");
    bed.begin();
    bed.delete_key("a");
    let first = bed.run_once();
    let second = bed.run_once();
    assert!(bouncer.seen("authorization").is_empty(), "nothing is sent");
    assert_eq!(own(bed.at("chat")), [("receiver-broken".to_owned(), "itsm".to_owned())]);
    let why = "not authorized: no token from the token endpoint: status 401: invalid_client";
    assert!(first.stderr.contains(why), "{first:?}");
    let status = why_off(&bed, why);
    keeps_secrets(&bed, &[&first, &second, &status]);

    bed.set_variable("CLIENT_SECRET", CLIENT_SECRET);
    bed.run_once();
    bed.run_once();
    assert_eq!(told_of_clients(&fake), ["a"]);
}

#[test]
fn a_token_endpoint_that_is_down_breaks_nothing() {
    let tokens = FakeTokens::start(Takes::Either);
    let fake = webhook();
    let bouncer = Bouncer::before(&fake.url(), tokens.look());
    let bed = bed(Some(&tokens))
        .desk("itsm", "webhook", &bouncer.url(), &format!("{SIGNED}{OAUTH}"))
        .receiver("chat", "webhook");
    bed.begin();
    bed.delete_key("a");
    tokens.script(&[(503, "s3cret")]);
    let ran = bed
        .run_once()
        .exits(0)
        .says("waits for itsm until")
        .says("no connection: no token from the token endpoint: status 503");
    assert!(bouncer.seen("authorization").is_empty());
    assert_eq!(told_of_clients(bed.at("chat")), ["a"], "the other is told at once");
    bed.deliveries_come_due();
    let again = bed.run_once().exits(0).without_talk();
    assert_eq!(told_of_clients(&fake), ["a"]);
    assert!(own(bed.at("chat")).is_empty());
    keeps_secrets(&bed, &[&ran, &again]);
}

#[test]
fn a_flow_is_shown_tokens_of_the_apps_own_identity() {
    let identity = FakeIdentity::start();
    let teams = FakeReceiver::start(Kind::Teams);
    let bouncer = Bouncer::before(&teams.url(), |headers| {
        let shown = headers.get("authorization")?.to_str().unwrap();
        (!shown.starts_with("Bearer token-")).then(|| (401, String::new()))
    });
    let audience = "https://service.flow.microsoft.com/";
    let lines = format!(
        "auth = \"managed-identity\"\naudience = \"{audience}\"\nclient_id = \"{FLOWS}\"\n"
    );
    let mut bed = with_identity(bed(None), &identity)
        .variable("AZURE_CLIENT_ID", QUERIES)
        .desk("oncall", "teams", &bouncer.url(), &lines)
        .receiver("chat", "webhook");
    let begun = bed.begin();
    bed.delete_key("a");
    let ran = bed.run_once().exits(0).without_talk();
    assert_eq!(teams.deliveries().len(), 1);
    assert!(bouncer.seen("authorization")[0].starts_with("Bearer token-"));
    let asked: Vec<(String, String)> = identity
        .asked()
        .into_iter()
        .map(|query| (query["resource"].clone(), query["client_id"].clone()))
        .collect();
    // The slash at the audience's end is part of it, and so of the token's `aud`.
    assert!(asked.contains(&(audience.to_owned(), FLOWS.to_owned())), "{asked:?}");
    assert!(
        asked.iter().all(|(resource, id)| (id == FLOWS) == (resource == audience)),
        "{asked:?}"
    );
    keeps_secrets(&bed, &[&begun, &ran]);

    // Who may not have such tokens is told of.
    identity.refuse(audience);
    bed.delete_key("b");
    bed.run_once();
    let ran = bed.run_once();
    assert_eq!(own(bed.at("chat")), [("receiver-broken".to_owned(), "oncall".to_owned())]);
    let status = why_off(&bed, "not authorized: no token from user-assigned managed identity");
    assert_eq!(teams.deliveries().len(), 1);
    keeps_secrets(&bed, &[&ran, &status]);

    // Without one of its own it has the identity that queries are made with.
    bed = bed.desk(
        "oncall",
        "teams",
        &bouncer.url(),
        "auth = \"managed-identity\"\naudience = \"api://flows\"\n",
    );
    bed.run_once();
    bed.run_once();
    assert_eq!(teams.deliveries().len(), 2);
    let last = identity.asked().into_iter().rfind(|query| query["resource"] == "api://flows");
    assert_eq!(last.unwrap()["client_id"], QUERIES);
}

#[test]
fn a_case_is_opened_once_though_the_token_ends_between_search_and_opening() {
    let tokens = FakeTokens::start(Takes::Body);
    let desk = FakeDesk::start(ServiceNow::new("hsmwatch", "behind-the-bouncer"));
    let seen = tokens.clone();
    let look = tokens.look();
    // The token ends after each call.
    let bouncer =
        Bouncer::standing_in_for(&desk.url(), "hsmwatch", "behind-the-bouncer", move |headers| {
            let refused = look(headers);
            if refused.is_none() {
                seen.revoke();
            }
            refused
        });
    let bed = bed(Some(&tokens)).desk("desk", "servicenow", &bouncer.url(), OAUTH);
    bed.begin();
    for client in ["a", "b"] {
        bed.delete_key(client);
        let ran = bed.run_once().exits(0).without_talk();
        keeps_secrets(&bed, &[&ran]);
    }
    assert_eq!(desk.cases().len(), 1, "the second alert is a note in the case of the first");
    assert_eq!(desk.problems(), [""; 0]);
    let (calls, behind) = (bouncer.seen("authorization").len(), desk.calls().len());
    assert!(calls > behind, "{calls} calls, {behind} of them with a good token");
}

#[test]
fn certificates_of_ones_own_are_trusted_and_shown() {
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let fake = webhook();
    let front =
        TlsFront::before(&fake.url(), &ours.server(&["localhost"]), Wants::CertificateOf(&clients));
    let lines = format!(
        "{SIGNED}ca = {{ file = \"ca.pem\" }}\nclient_certificate = {{ file = \"client.pem\" }}\n"
    );
    let bed = bed(None).desk("itsm", "webhook", &front.url(), &lines).receiver("chat", "webhook");
    let write = |name: &str, text: &str| {
        let path = bed.dir().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("ca.pem", &ours.pem());
    write("client.pem", &clients.client().both());
    let begun = bed.begin();
    bed.delete_key("a");
    let ran = bed.run_once().exits(0).without_talk();
    assert_eq!(told_of_clients(&fake), ["a"]);
    let seen = bed.run(&["doctor", "--format", "json"]);
    assert!(seen.stdout.contains("webhook, reached"), "{seen:?}");
    keeps_secrets(&bed, &[&begun, &ran, &seen]);

    // One that it does not accept: nothing was heard, and the receiver is broken.
    write("client.pem", &Authority::new("others").client().both());
    bed.delete_key("b");
    let refused = bed.run_once();
    let ran = bed.run_once();
    assert_eq!(told_of_clients(&fake), ["a"]);
    let broken = [("receiver-broken".to_owned(), "itsm".to_owned())];
    assert_eq!(own(bed.at("chat")), broken, "{refused:?}");
    let status = why_off(&bed, "not authorized: it does not accept our client certificate");
    keeps_secrets(&bed, &[&ran, &status]);

    // What is no certificate is told before anything runs.
    let (one, other) = (clients.client(), clients.client());
    write("client.pem", &format!("{}{}", one.certificate, other.key));
    for verb in [&["check"][..], &["run", "--once"], &["send-test", "itsm"]] {
        let ran =
            bed.run(verb).exits(2).says("receiver `itsm`: the private key in `client_certificate`");
        keeps_secrets(&bed, &[&ran]);
    }
    write("client.pem", &one.both());
    write("ca.pem", "s3cret");
    keeps_secrets(&bed, &[&bed.run(&["check"]).exits(2).says("`ca`")]);
}

#[test]
fn a_refusal_of_one_alert_is_no_refusal_of_the_token() {
    let tokens = FakeTokens::start(Takes::Either);
    let fake = webhook();
    let bouncer = Bouncer::before(&fake.url(), tokens.look());
    let bed =
        bed(Some(&tokens)).desk("itsm", "webhook", &bouncer.url(), &format!("{SIGNED}{OAUTH}"));
    bed.begin();
    fake.script([Say::RetryAfter(429, "3600".to_owned())]);
    bed.delete_key("a");
    bed.run_once().exits(0).says("waits for itsm until");
    bed.deliveries_come_due();
    bed.run_once().exits(0).without_talk();
    assert_eq!(told_of_clients(&fake), ["a", "a"]);
    assert!(tokens.asked().iter().all(|asked| asked.status == 200));
}
