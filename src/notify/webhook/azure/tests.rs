use super::*;
use crate::notify::samples;
use crate::notify::webhook::MAX_BODY;
use proptest::prelude::*;

fn parse(alert: &Alert, detail: Detail) -> Json {
    let body = render(alert, detail);
    assert_eq!(body.content_type, "application/json; charset=utf-8");
    assert!(body.bytes.len() <= MAX_BODY, "{}", body.bytes.len());
    serde_json::from_slice(&body.bytes).unwrap()
}

/// Names and types, as Azure Monitor documents them: (path, type, may be missing).
const SCHEMA: [(&str, &str); 34] = [
    ("/schemaId", "string"),
    ("/data/essentials/alertId", "string"),
    ("/data/essentials/alertRule", "string"),
    ("/data/essentials/alertRuleId", "string"),
    ("/data/essentials/severity", "string"),
    ("/data/essentials/signalType", "string"),
    ("/data/essentials/monitorCondition", "string"),
    ("/data/essentials/monitoringService", "string"),
    ("/data/essentials/alertTargetIDs", "array"),
    ("/data/essentials/configurationItems", "array"),
    ("/data/essentials/originAlertId", "string"),
    ("/data/essentials/firedDateTime", "string"),
    ("/data/essentials/description", "string"),
    ("/data/essentials/essentialsVersion", "string"),
    ("/data/essentials/alertContextVersion", "string"),
    ("/data/alertContext/properties", "object"),
    ("/data/alertContext/conditionType", "string"),
    ("/data/alertContext/condition/windowSize", "string"),
    ("/data/alertContext/condition/allOf", "array"),
    ("/data/alertContext/condition/allOf/0/searchQuery", "string"),
    ("/data/alertContext/condition/allOf/0/metricMeasureColumn", "null"),
    ("/data/alertContext/condition/allOf/0/targetResourceTypes", "string"),
    ("/data/alertContext/condition/allOf/0/operator", "string"),
    ("/data/alertContext/condition/allOf/0/threshold", "string"),
    ("/data/alertContext/condition/allOf/0/timeAggregation", "string"),
    ("/data/alertContext/condition/allOf/0/dimensions", "array"),
    ("/data/alertContext/condition/allOf/0/metricValue", "real"),
    ("/data/alertContext/condition/allOf/0/failingPeriods/numberOfEvaluationPeriods", "integer"),
    ("/data/alertContext/condition/allOf/0/failingPeriods/minFailingPeriodsToAlert", "integer"),
    ("/data/alertContext/condition/allOf/0/linkToSearchResultsUI", "string"),
    ("/data/alertContext/condition/allOf/0/linkToFilteredSearchResultsAPI", "string"),
    ("/data/alertContext/condition/windowStartTime", "string"),
    ("/data/alertContext/condition/windowEndTime", "string"),
    ("/data/customProperties", "object"),
];

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(n) if n.is_f64() => "real",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn holds(body: &Json) {
    for (path, expected) in SCHEMA {
        assert_eq!(body.pointer(path).map(kind), Some(expected), "{path}");
    }
    let custom = body["data"]["customProperties"].as_object().unwrap();
    assert!(custom.values().all(Json::is_string));
    assert_eq!(body["data"]["essentials"]["monitoringService"], "hsmwatch");
}

#[test]
fn bodies_as_sent() {
    for (name, alert) in samples::all() {
        let body = parse(&alert, Detail::Full);
        holds(&body);
        samples::snapshots(|| insta::assert_json_snapshot!(format!("azure_{name}"), body));
    }
    let counts = parse(&samples::hostile(), Detail::Counts);
    holds(&counts);
    samples::snapshots(|| insta::assert_json_snapshot!("azure_counts", counts));
}

#[test]
fn well_again_resolves_what_was_fired() {
    let (ill, well) = samples::ill_and_well();
    let (fired, resolved) = (parse(&ill, Detail::Full), parse(&well, Detail::Full));
    holds(&resolved);
    let of = |body: &Json, name: &str| body["data"]["essentials"][name].clone();
    assert_eq!(of(&fired, "monitorCondition"), "Fired");
    assert_eq!(of(&fired, "resolvedDateTime"), Json::Null);
    assert_eq!(of(&resolved, "monitorCondition"), "Resolved");
    assert_eq!(of(&resolved, "resolvedDateTime"), json!(ticks(well.time)));
    for same in ["alertId", "alertRule", "severity", "originAlertId"] {
        assert_eq!(of(&fired, same), of(&resolved, same), "{same}");
    }
    // Audit events are never taken back, and each is an alert of its own.
    let body = parse(&samples::alert(Severity::Critical), Detail::Full);
    assert!(
        of(&body, "alertId").as_str().unwrap().ends_with("/8c0f2f6e-5d0b-4a3c-9e1d-7a6b5c4d3e2f")
    );
    assert_eq!(of(&body, "severity"), "Sev0");
}

#[test]
fn durations() {
    for (seconds, text) in [
        (0, "PT0S"),
        (300, "PT5M"),
        (3_905, "PT1H5M5S"),
        (86_400, "P1D"),
        (90_000, "P1DT1H"),
        (-1, "PT0S"),
    ] {
        assert_eq!(iso_duration(TimeDelta::seconds(seconds)), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_alert_fits(alert in samples::any_alert()) {
        holds(&parse(&alert, Detail::Full));
    }

    #[test]
    fn counts_carry_no_field_of_the_log(alert in samples::any_alert()) {
        let body = parse(&alert, Detail::Counts);
        holds(&body);
        let text = body.to_string();
        prop_assert!(!text.contains(samples::MARK) && !text.contains("CN_"));
    }
}
