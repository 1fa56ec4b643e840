//! Receivers that fail: whatever one does is its own business, and nothing it was to be told is lost.

use crate::support::bed::{Ran, SECRET, TestBed, clients, conditions};
use crate::support::fake_receiver::{Delivery, FakeReceiver, Kind, Say};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Deliveries that are alerts of rules, not of hsmwatch itself.
fn of_rules(fake: &FakeReceiver) -> Vec<Delivery> {
    let own = |d: &Delivery| d.json()["data"]["rule"]["id"] == "hsmwatch";
    fake.deliveries().into_iter().filter(|d| !own(d)).collect()
}

/// What a webhook was told of hsmwatch itself.
fn own(fake: &FakeReceiver) -> Vec<(String, String, String)> {
    fake.deliveries().iter().flat_map(conditions).collect()
}

fn triple(a: &str, b: &str, c: &str) -> (String, String, String) {
    (a.to_owned(), b.to_owned(), c.to_owned())
}

/// `… waits for NAME until TIME: …`
fn due(ran: &Ran, name: &str) -> DateTime<Utc> {
    let mark = format!("waits for {name} until ");
    let (_, rest) = ran.stderr.split_once(&mark).unwrap_or_else(|| panic!("{ran:?}"));
    rest.split_once(": ").unwrap().0.parse().unwrap()
}

#[test]
fn a_retry_repeats_the_same_delivery_when_it_is_due() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("chat", "slack");
    bed.begin();
    bed.delete_key("a");
    bed.at("itsm").script([Say::Status(503)]);
    let ran = bed.run_once().exits(0).says("waits for itsm until").says("status 503");
    let wait = due(&ran, "itsm") - Utc::now();
    assert!(wait <= TimeDelta::seconds(6), "5 s and a fifth: {wait}");
    assert_eq!(bed.at("chat").deliveries().len(), 1, "the other is told at once");

    // Not due yet: nothing is sent, and that something waits is still said.
    bed.change("deliveries/", |document| {
        let text = String::from_utf8(document.body.clone()).unwrap();
        let later = (Utc::now() + TimeDelta::hours(1)).to_rfc3339();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let waits = json["end"].is_null();
        if waits {
            json["next_due"] = later.clone().into();
            document.body = json.to_string().into_bytes();
            document.meta.insert("due".to_owned(), later);
        }
        waits
    });
    bed.run_once().exits(0).says("1 delivery waits");
    assert_eq!(bed.at("itsm").deliveries().len(), 1);

    bed.deliveries_come_due();
    let ran = bed.run_once().exits(0).without_talk();
    let [first, second] = &bed.at("itsm").deliveries()[..] else { panic!("{ran:?}") };
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    assert!(ran.stdout.contains(&format!("delivered {} to itsm", second.id())));
    bed.run_once().exits(0).without_talk();
    assert_eq!(bed.at("itsm").deliveries().len(), 2);
    assert_eq!(bed.at("chat").deliveries().len(), 1);
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn retry_after_is_honoured() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("chat", "slack");
    bed.begin();
    bed.delete_key("a");
    let at = Utc::now() + TimeDelta::hours(2);
    bed.at("itsm").script([Say::RetryAfter(429, "3600".to_owned())]);
    let date = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    bed.at("chat").script([Say::RetryAfter(503, date)]);
    let ran = bed.run_once().exits(0);
    let wait = due(&ran, "itsm") - Utc::now();
    assert!(TimeDelta::minutes(59) < wait && wait <= TimeDelta::minutes(60), "{wait}");
    let wait = due(&ran, "chat") - at;
    assert!(wait.abs() <= TimeDelta::seconds(2), "{wait}");
}

#[test]
fn what_one_refuses_is_told_over_the_others_once() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("siem", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("itsm").script([Say::StatusAndBody(400, "unknown field data.why".to_owned())]);
    bed.run_once()
        .exits(1)
        .says("will not be delivered to itsm: status 400: unknown field data.why");
    assert_eq!(bed.at("siem").deliveries().len(), 1);
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    let alert = bed.at("siem").deliveries()[0].id().to_owned();
    let subject = format!("alert {alert} at itsm");
    assert_eq!(own(bed.at("siem")), [triple("alert-refused", &subject, "ill")]);
    assert_eq!(bed.at("itsm").deliveries().len(), 1, "it is neither asked again nor told of it");
}

#[test]
fn a_broken_receiver_is_off_until_its_address_changes_and_loses_nothing() {
    let elsewhere = FakeReceiver::start(Kind::Slack);
    let broken = [
        ("r401", Say::Status(401)),
        ("r404", Say::Status(404)),
        ("r410", Say::Status(410)),
        ("r307", Say::Redirect(elsewhere.url())),
    ];
    let mut bed = TestBed::new().receiver("well", "webhook");
    for (name, say) in &broken {
        bed.set_receiver(name, "webhook", "");
        bed.at(name).always(Some(say.clone()));
    }
    bed.begin();
    bed.delete_key("a");
    let ran = bed.run_once().exits(0);
    for (name, _) in &broken {
        ran.clone().says(&format!(
            "error: receiver `{name}` is broken: status {}",
            name.trim_start_matches('r')
        ));
    }
    // Off: not asked again, though there is more to tell; the well one is told of all, once.
    bed.delete_key("b");
    let ran = bed.run_once().exits(0);
    bed.run_once().exits(0);
    for (name, _) in &broken {
        assert_eq!(bed.at(name).deliveries().len(), 1, "{name}");
        ran.clone().says(&format!("receiver `{name}` is off"));
    }
    assert_eq!(elsewhere.deliveries().len(), 0, "redirects are not followed");
    let mut told = own(bed.at("well"));
    told.sort();
    let ill = ["r307", "r401", "r404", "r410"];
    assert_eq!(told, ill.map(|name| triple("receiver-broken", name, "ill")));
    assert_eq!(of_rules(bed.at("well")).len(), 2);

    for (name, _) in &broken {
        bed.set_receiver(name, "webhook", "");
    }
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    for (name, _) in &broken {
        let mut told: Vec<_> = of_rules(bed.at(name)).iter().flat_map(clients).collect();
        told.sort();
        assert_eq!(told, ["a", "b"], "{name}");
        assert_eq!(bed.at(name).counts().values().max(), Some(&1), "{name}");
        // Of the others' trouble, not of its own.
        let of_own =
            own(bed.at(name)).into_iter().filter(|(_, s, state)| s == name && state == "ill");
        assert_eq!(of_own.count(), 0, "{name}");
    }
    let well: Vec<_> = own(bed.at("well")).into_iter().filter(|c| c.2 == "well").collect();
    assert_eq!(well.len(), 4, "{well:?}");
    bed.run_once().exits(0).without_talk();
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn a_new_secret_switches_a_receiver_on_too() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("itsm").always(Some(Say::Status(403)));
    bed.run_once().exits(0);
    bed.at("itsm").always(None);
    bed.run_once().exits(0).says("receiver `itsm` is off");
    assert_eq!(bed.at("itsm").deliveries().len(), 1);
    let bed = bed.variable("SECRET", "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS10ZXN0LWJlZC0xMjM0");
    bed.run_once();
    assert_eq!(bed.at("itsm").deliveries().len(), 2);
}

#[test]
fn the_only_receiver_being_broken_is_said_as_an_error() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("itsm").always(Some(Say::Status(404)));
    bed.run_once().exits(0).says("error: receiver `itsm` is broken");
    bed.run_once().exits(0).says("error: Receiver `itsm` is off");
    // Its own trouble makes no alerts that nobody could be told.
    bed.run_once().exits(0);
    assert_eq!(bed.at("itsm").deliveries().len(), 1);
}

#[test]
fn every_way_to_have_no_answer_is_tried_again() {
    let mut bed = TestBed::new()
        .receiver("cut", "webhook")
        .receiver("half", "webhook")
        .receiver("gone", "webhook")
        .receiver("late", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("cut").script([Say::HangUp]);
    bed.at("half").script([Say::Break(500)]);
    bed.at("late").script([Say::Slow(Duration::from_secs(1))]);
    bed.stop("gone");
    let ran = bed.run_once().exits(0);
    for (name, why) in [("cut", "no answer"), ("half", "status 500"), ("gone", "no connection")] {
        let line = ran.stderr.lines().find(|l| l.contains(&format!("waits for {name} ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {ran:?}");
    }
    assert!(ran.stdout.contains("to late"), "{ran:?}");
    bed.deliveries_come_due();
    bed.restart("gone");
    bed.run_once().exits(0).without_talk();
    for (name, posts) in [("cut", 2), ("half", 2), ("gone", 1), ("late", 1)] {
        assert_eq!(bed.at(name).counts().values().copied().collect::<Vec<_>>(), [posts], "{name}");
    }
}

#[test]
fn a_receiver_that_is_removed_ends_its_deliveries() {
    let mut bed = TestBed::new().receiver("itsm", "webhook").receiver("old", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.at("old").always(Some(Say::Status(503)));
    bed.run_once().exits(0).says("waits for old");
    bed.remove_receiver("old");
    bed.deliveries_come_due();
    bed.run_once().exits(1).says("to old: removed: the receiver is no longer configured");
    bed.run_once().exits(0).without_talk();
    assert_eq!(bed.at("itsm").deliveries().len(), 1, "and nobody is alarmed");
}

#[test]
fn secrets_are_never_shown_or_kept() {
    let echo =
        |fake: &FakeReceiver| format!("cannot POST {} with whsec_c2lnbmluZy1zZWNyZXQt", fake.url());
    let mut bed = TestBed::new().variable("RUST_LOG", "trace");
    bed.set_receiver("well", "webhook", "");
    let elsewhere = FakeReceiver::start(Kind::Slack);
    for (n, kind) in ["webhook", "teams", "slack"].into_iter().enumerate() {
        for (m, status) in [400_u16, 401, 500, 418].into_iter().enumerate() {
            let name = format!("echo{n}{m}");
            bed.set_receiver(&name, kind, "");
            let say = Say::StatusAndBody(status, echo(bed.at(&name)));
            bed.at(&name).always(Some(say));
        }
        for (name, say) in [
            ("redirect", Say::Redirect(elsewhere.url())),
            ("cut", Say::HangUp),
            ("half", Say::Break(503)),
            ("gone", Say::Status(200)),
        ] {
            let name = format!("{name}{n}");
            bed.set_receiver(&name, kind, "");
            bed.at(&name).always(Some(say));
        }
        bed.stop(&format!("gone{n}"));
    }
    bed.begin();
    bed.delete_key("a");
    let mut texts = Vec::new();
    for more in [&[][..], &["--format", "json"]] {
        let ran = bed.run_once_with(more);
        assert_eq!(ran.code, Some(1).filter(|_| texts.is_empty()).or(ran.code), "{ran:?}");
        texts.extend([ran.stdout, ran.stderr]);
        bed.deliveries_come_due();
    }
    assert!(texts[1].contains("will not be delivered"), "{}", texts[1]);
    let daemon = bed.daemon(&[]);
    daemon.wait_for("echo02", 1);
    daemon.wait_for("evaluated workspace=prod", 2);
    let ended = daemon.terminate();
    assert!(ended.stderr.contains("DEBUG") || ended.stderr.contains("TRACE"), "it logs all it can");
    texts.extend([ended.stdout, ended.stderr]);
    bed.keeps_secrets(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    // The fakes were asked at their secret addresses, so there was something to keep.
    assert!(bed.at("well").deliveries()[0].target.contains("s3cret"));
}

#[test]
fn while_secrets_rotate_both_verify_and_so_does_our_own_verb() {
    const OLD: &str = "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS10ZXN0LWJlZC0xMjM0";
    const OTHER: &str = "whsec_eWV0LWFub3RoZXItc2VjcmV0LW9mLXRoZS1iZWQtMTIz";
    let bed = TestBed::new()
        .receiver_with("itsm", "webhook", "previous_secrets = [{ env = \"OLD\" }]")
        .variable("OLD", OLD)
        .variable("OTHER", OTHER);
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0);
    let [delivery] = &bed.at("itsm").deliveries()[..] else { panic!() };
    let signatures: Vec<&str> = delivery.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2, "{signatures:?}");
    let timestamp = delivery.header("webhook-timestamp");
    for (signature, secret) in signatures.iter().zip([SECRET, OLD]) {
        let webhook = standardwebhooks::Webhook::new(secret).unwrap();
        let expected = webhook.sign(delivery.id(), timestamp.parse().unwrap(), &delivery.body);
        assert_eq!(*signature, expected.unwrap());
    }
    // As the receiver's engineer would look into it.
    let body = bed.dir().join("body.json");
    let verify = |variable: &str, id: &str| {
        let signature = delivery.header("webhook-signature");
        let mut arguments = vec!["verify", "--secret-env", variable, "--id", id];
        arguments.extend(["--timestamp", timestamp, "--signature", signature, "body.json"]);
        bed.run(&arguments)
    };
    std::fs::write(&body, &delivery.body).unwrap();
    verify("SECRET", delivery.id()).exits(0);
    verify("OLD", delivery.id()).exits(0);
    verify("OTHER", delivery.id()).exits(1);
    verify("SECRET", "another").exits(1);
    let mut changed = delivery.body.clone();
    changed[20] ^= 1;
    std::fs::write(&body, changed).unwrap();
    verify("SECRET", delivery.id()).exits(1);
    verify("NOT_SET", delivery.id()).exits(2);
}

#[test]
fn half_an_answer_switches_nobody_off() {
    let bed = TestBed::new().receiver("itsm", "webhook").receiver("chat", "slack");
    bed.begin();
    bed.delete_key("a");
    for name in ["itsm", "chat"] {
        bed.at(name).script([Say::Break(200)]);
    }
    // A webhook's status is its answer; Slack's is its word.
    bed.run_once().exits(0).says("waits for chat until").says("the answer broke off");
    bed.deliveries_come_due();
    bed.run_once().exits(0).without_talk();
    let [first, second] = &bed.at("chat").deliveries()[..] else { panic!() };
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    assert_eq!(bed.at("itsm").deliveries().len(), 1);
}
