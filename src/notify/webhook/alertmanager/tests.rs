use super::*;
use crate::notify::samples;
use crate::notify::webhook::MAX_BODY;
use crate::watch::severity::Severity;
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `template.Data` and `webhook.Message` of Alertmanager: every name there is, and no other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Message {
    receiver: String,
    status: String,
    alerts: Vec<Theirs>,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: String,
    version: String,
    group_key: String,
    truncated_alerts: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Theirs {
    status: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

fn parse(alert: &Alert, detail: Detail) -> Message {
    let body = render(alert, "itsm", detail);
    assert_eq!(body.content_type, "application/json");
    assert!(body.bytes.len() <= MAX_BODY, "{}", body.bytes.len());
    let message: Message = serde_json::from_slice(&body.bytes).unwrap();
    assert_eq!((message.receiver.as_str(), message.version.as_str()), ("itsm", "4"));
    assert_eq!(message.truncated_alerts, 0);
    assert_eq!(message.alerts.len(), 1);
    let only = &message.alerts[0];
    assert_eq!(
        (&only.labels, &only.annotations),
        (&message.common_labels, &message.common_annotations)
    );
    assert_eq!(only.status, message.status);
    for name in only.labels.keys() {
        let mut bytes = name.bytes();
        assert!(bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic()), "{name}");
        assert!(bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric()), "{name}");
        assert!(!name.starts_with("__"), "{name}");
    }
    for (name, value) in &message.group_labels {
        assert_eq!(only.labels.get(name), Some(value));
    }
    assert_eq!(only.fingerprint.len(), 16);
    for time in [&only.starts_at, &only.ends_at] {
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    }
    let is_link = |link: &str| link.is_empty() || url::Url::parse(link).is_ok();
    assert!(is_link(&only.generator_url) && is_link(&message.external_url));
    assert!(!message.group_key.is_empty());
    message
}

#[test]
fn bodies_as_sent() {
    for (name, alert) in samples::all() {
        parse(&alert, Detail::Full);
        let body: Json = object(&alert, "itsm", Detail::Full);
        samples::snapshots(|| insta::assert_json_snapshot!(format!("alertmanager_{name}"), body));
    }
    let counts = object(&samples::hostile(), "itsm", Detail::Counts);
    samples::snapshots(|| insta::assert_json_snapshot!("alertmanager_counts", counts));
}

#[test]
fn well_again_resolves_what_was_firing() {
    let (ill, well) = samples::ill_and_well();
    let (firing, resolved) = (parse(&ill, Detail::Full), parse(&well, Detail::Full));
    assert_eq!((firing.status.as_str(), resolved.status.as_str()), ("firing", "resolved"));
    assert_eq!(firing.alerts[0].ends_at, NEVER);
    assert_ne!(resolved.alerts[0].ends_at, NEVER);
    assert_eq!(firing.common_labels, resolved.common_labels);
    assert_eq!(firing.group_key, resolved.group_key);
    assert_eq!(firing.alerts[0].fingerprint, resolved.alerts[0].fingerprint);
    assert_eq!(parse(&samples::alert(Severity::Low), Detail::Full).status, "firing");
}

#[test]
fn links_have_a_path() {
    for (link, same) in [
        ("https://portal.azure.com#@contoso/blade", "https://portal.azure.com/#@contoso/blade"),
        ("https://x.example?a=b#c", "https://x.example/?a=b#c"),
        ("https://x.example/a#c", "https://x.example/a#c"),
        ("https://x.example", "https://x.example"),
        ("", ""),
    ] {
        assert_eq!(with_path(link), same);
    }
}

#[test]
fn names_of_labels() {
    for (column, name) in [
        ("_ResourceId", "_ResourceId"),
        ("CallerIpAddress", "CallerIpAddress"),
        ("__reserved", "_reserved"),
        ("1st", "_st"),
        ("a b-c", "a_b_c"),
        ("", "column"),
        ("__", "column"),
        ("é", "column"),
    ] {
        assert_eq!(label_name(column), name, "{column}");
    }
    let mut alert = samples::alert(Severity::Low);
    alert.group = BTreeMap::from([
        ("severity".to_owned(), "a".to_owned()),
        ("a b".to_owned(), "b".to_owned()),
        ("a-b".to_owned(), "c".to_owned()),
    ]);
    let labels = parse(&alert, Detail::Full).common_labels;
    assert_eq!((labels["severity"].as_str(), labels["severity_"].as_str()), ("low", "a"));
    assert_eq!((labels["a_b"].as_str(), labels["a_b_"].as_str()), ("b", "c"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_alert_fits(alert in samples::any_alert()) {
        parse(&alert, Detail::Full);
    }

    #[test]
    fn counts_carry_no_field_of_the_log(alert in samples::any_alert()) {
        let message = format!("{:?}", parse(&alert, Detail::Counts));
        prop_assert!(!message.contains(samples::MARK) && !message.contains("CN_"));
    }
}
