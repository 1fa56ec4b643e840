use super::*;
use crate::notify::samples;
use crate::watch::severity::Severity;
use proptest::prelude::*;

fn parse(alert: &Alert, detail: Detail) -> Json {
    let body = render(alert, detail);
    assert_eq!(body.content_type, "application/cloudevents+json");
    assert!(body.bytes.len() <= MAX_BODY, "{}", body.bytes.len());
    serde_json::from_slice(&body.bytes).unwrap()
}

fn counts_add_up(alert: &Alert, body: &Json) {
    let data = &body["data"];
    let listed = data["hits"].as_array().unwrap().len() as u64;
    assert_eq!(data["count"], json!(alert.count));
    assert_eq!(listed + data["hits_truncated"].as_u64().unwrap(), alert.count);
}

#[test]
fn bodies_as_sent() {
    for (name, alert) in samples::all() {
        let body = parse(&alert, Detail::Full);
        counts_add_up(&alert, &body);
        // 500 hits say nothing more to a reader of the snapshot.
        if name != "many" {
            samples::snapshots(|| insta::assert_json_snapshot!(format!("webhook_{name}"), body));
        }
    }
    let counts = parse(&samples::hostile(), Detail::Counts);
    samples::snapshots(|| insta::assert_json_snapshot!("webhook_counts", counts));
}

#[test]
fn all_500_hits_fit() {
    let body = parse(&samples::many(), Detail::Full);
    assert_eq!(body["data"]["hits"].as_array().unwrap().len(), 500);
    assert_eq!(body["data"]["hits_truncated"], 202);
}

#[test]
fn hits_are_dropped_from_the_end() {
    let mut alert = samples::many();
    for hit in &mut alert.hits {
        hit.client = Some("x".repeat(2_000));
    }
    let body = parse(&alert, Detail::Full);
    let hits = body["data"]["hits"].as_array().unwrap();
    assert!((100..130).contains(&hits.len()), "{}", hits.len());
    assert_eq!(hits[0]["fingerprint"], json!(alert.hits[0].fingerprint));
    assert_eq!(hits.last().unwrap()["client"], json!("x".repeat(2_000)));
    counts_add_up(&alert, &body);
    assert_eq!(body["data"].get("values_cut"), None);
}

#[test]
fn a_huge_field_is_cut_and_says_so() {
    let mut alert = samples::alert(Severity::Low);
    alert.hits[1].client = Some("y".repeat(1_000_000));
    let body = parse(&alert, Detail::Full);
    assert_eq!(body["data"]["hits"].as_array().unwrap().len(), 3);
    let client = body["data"]["hits"][1]["client"].as_str().unwrap();
    assert!(client.ends_with("y… [cut: 1000000 bytes in all]"));
    assert!(client.len() <= 16_384);
    assert_eq!(body["data"]["values_cut"], 1);

    alert.hits[1].fields =
        (0..20_000).map(|n| (format!("column{n}"), Json::from("\u{1}".repeat(50)))).collect();
    let body = parse(&alert, Detail::Full);
    assert_eq!(body["data"]["hits"].as_array().unwrap().len(), 3);
    assert_eq!(body["data"]["hits"][1]["fields"]["…"], "[cut: 20000 fields in all]");
    assert_eq!(body["data"]["values_cut"], 20_001);
}

#[test]
fn values_are_sent_as_logged() {
    let body = parse(&samples::hostile(), Detail::Full);
    for (n, evil) in samples::HOSTILE.iter().enumerate() {
        assert_eq!(body["data"]["hits"][n]["client"], json!(evil));
        assert_eq!(body["data"]["group"][evil], json!(evil));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_alert_fits_and_adds_up(alert in samples::any_alert()) {
        let body = parse(&alert, Detail::Full);
        counts_add_up(&alert, &body);
        prop_assert!(alert.hits.is_empty() || !body["data"]["hits"].as_array().unwrap().is_empty());
    }

    #[test]
    fn counts_carry_no_field_of_the_log(alert in samples::any_alert()) {
        let body = parse(&alert, Detail::Counts);
        counts_add_up(&alert, &body);
        let text = body.to_string();
        prop_assert!(!text.contains(samples::MARK) && !text.contains("CN_"));
    }
}
