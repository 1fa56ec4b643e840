//! What holds for every kind: the kit that a new one has to pass.

use super::*;
use proptest::prelude::*;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn receiver(kind: Kind) -> Receiver {
    Receiver {
        name: "oncall".to_owned(),
        settings: samples::settings(kind),
        min_severity: Severity::Low,
        rules: None,
        detail: Detail::Full,
        keys: Vec::new(),
        credential: "0123456789abcdef".to_owned(),
    }
}

#[test]
fn words_round_trip() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    for detail in [Detail::Full, Detail::Counts] {
        assert_eq!(detail.to_string().parse(), Ok(detail));
    }
    let error = |word: &str| word.parse::<Kind>().unwrap_err().to_string();
    assert_eq!(error("jsm"), "`jsm` is not a receiver kind: use jira-service-management");
    assert_eq!(
        error("Teams"),
        "`Teams` is not a receiver kind: use teams, slack, webhook, pagerduty, jira-service-management, servicenow or jira"
    );
    let error = "some".parse::<Detail>().unwrap_err().to_string();
    assert_eq!(error, "`some` is not a detail: use full or counts");
}

#[test]
fn a_receiver_wants_its_rules_from_its_severity_on() {
    let mut receiver = receiver(Kind::Teams);
    assert!(!wants(&receiver, "key-delete", Severity::Info));
    assert!(wants(&receiver, "key-delete", Severity::Low));
    assert!(wants(&receiver, "key-delete", Severity::Critical));
    receiver.rules = Some(vec!["key-delete".to_owned()]);
    assert!(wants(&receiver, "key-delete", Severity::Low));
    assert!(!wants(&receiver, "key-delete", Severity::Info));
    assert!(!wants(&receiver, "key-create", Severity::Critical));
    receiver.rules = Some(Vec::new());
    assert!(!wants(&receiver, "key-delete", Severity::Critical));
}

#[test]
fn every_attempt_carries_its_own_time_and_signatures() {
    let now = samples::t("2026-01-01T00:00:00.9Z");
    let alert = samples::alert(Severity::High);
    for kind in Kind::ALL {
        let mut receiver = receiver(kind);
        let body = render(&receiver, &alert);
        let bare = headers(&receiver, &alert.id, now, &body);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [pair("webhook-id", &alert.id), pair("webhook-timestamp", "1767225600")];
        assert_eq!(bare, expected);

        receiver.keys = vec![sign::SigningKey::parse(SECRET).unwrap()];
        let signed = headers(&receiver, &alert.id, now, &body);
        assert_eq!(signed[..2], expected);
        assert_eq!(signed[2].0, "webhook-signature");
        let theirs = standardwebhooks::Webhook::new(SECRET).unwrap();
        assert_eq!(signed[2].1, theirs.sign(&alert.id, 1_767_225_600, &body.bytes).unwrap());
    }
}

#[test]
fn a_webhook_may_also_be_signed_as_github_does() {
    let now = samples::t("2026-01-01T00:00:00Z");
    let alert = samples::alert(Severity::High);
    let key = |n: u8| {
        let secret = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [n; 32]);
        sign::SigningKey::parse(&format!("whsec_{secret}")).unwrap()
    };
    let mut receiver = receiver(Kind::Webhook);
    let settings = webhook::Settings { hub_signature: true, ..webhook::Settings::default() };
    receiver.settings = Settings::Webhook(settings);
    let body = render(&receiver, &alert);
    let hub = |receiver: &Receiver| {
        let headers = headers(receiver, &alert.id, now, &body);
        headers.into_iter().find(|(name, _)| name == sign::HUB_HEADER).map(|(_, value)| value)
    };
    assert_eq!(hub(&receiver), None);
    // The newest secret's alone.
    receiver.keys = vec![key(1), key(2)];
    assert_eq!(hub(&receiver), sign::hub_signature(&body.bytes, &key(1)));
    receiver.settings = samples::settings(Kind::Webhook);
    assert_eq!(hub(&receiver), None);
}

#[test]
fn every_kind_shows_the_caveat_and_the_action() {
    let alert = samples::alert(Severity::High);
    let caveat = alert.caveat.clone().unwrap();
    for kind in Kind::ALL {
        let body = String::from_utf8(render(&receiver(kind), &alert).bytes).unwrap();
        let shown = body.replace('\\', "");
        assert!(shown.contains(&caveat), "{kind}");
        assert!(shown.contains(&alert.rule.action), "{kind}");
    }
    assert!(terminal::render(&alert, Detail::Full, false).contains("not whether it succeeded"));
}

/// Without a caveat, an action or links, nothing stands where they would.
#[test]
fn what_is_not_there_leaves_no_trace() {
    for kind in Kind::ALL {
        let body = String::from_utf8(render(&receiver(kind), &samples::empty()).bytes).unwrap();
        for trace in
            ["Logged is not", "What to do now", "Runbook", "\"caveat\"", "null,\"runbook\""]
        {
            assert!(!body.contains(trace), "{kind}: {trace}");
        }
    }
}

#[test]
fn only_https_links_leave() {
    let mut alert = samples::alert(Severity::High);
    for bad in
        ["javascript:alert(1)", "http://wiki.example.com/", "https://a b/", "data:text/html,x"]
    {
        alert.links.runbook = Some(bad.to_owned());
        alert.links.logs = Some(bad.to_owned());
        for kind in [Kind::Teams, Kind::Slack] {
            let body = String::from_utf8(render(&receiver(kind), &alert).bytes).unwrap();
            assert!(!body.contains(bad), "{kind}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// What is signed is what is sent, and the same alert is the same body at every attempt.
    #[test]
    fn bodies_do_not_change_between_attempts(alert in samples::any_alert()) {
        for kind in Kind::ALL {
            let receiver = receiver(kind);
            let body = render(&receiver, &alert);
            prop_assert_eq!(&body, &render(&receiver, &alert));
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&body.bytes).is_ok());
        }
    }
}
