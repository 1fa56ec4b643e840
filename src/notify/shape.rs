//! What a body is, told from its own fields: for whoever looks at what arrives.

use super::limits;
use serde_json::Value as Json;
use std::fmt;

/// A kind of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A `CloudEvent`, as a webhook gets it.
    CloudEvent,
    /// A card for Teams.
    TeamsCard,
    /// A message for Slack.
    SlackMessage,
    /// What Alertmanager sends.
    Alertmanager,
    /// Azure Monitor's common alert schema.
    AzureCommonAlert,
    /// An event for PagerDuty.
    PagerDutyEvent,
    /// An alert for Jira Service Management or Opsgenie.
    JsmAlert,
    /// An incident for ServiceNow.
    ServiceNowIncident,
    /// Events for ServiceNow.
    ServiceNowEvents,
    /// An issue for Jira.
    JiraIssue,
    /// JSON of some other form.
    Json,
    /// Not JSON.
    Other,
}

impl Shape {
    /// The word in JSON and in names of files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudEvent => "cloudevent",
            Self::TeamsCard => "teams-card",
            Self::SlackMessage => "slack-message",
            Self::Alertmanager => "alertmanager",
            Self::AzureCommonAlert => "azure-common-alert",
            Self::PagerDutyEvent => "pagerduty-event",
            Self::JsmAlert => "jsm-alert",
            Self::ServiceNowIncident => "servicenow-incident",
            Self::ServiceNowEvents => "servicenow-events",
            Self::JiraIssue => "jira-issue",
            Self::Json => "json",
            Self::Other => "other",
        }
    }

    /// Whether whoever takes such a body in earnest checks no signature of ours: it knows the sender by a secret of its own.
    pub const fn is_for_a_service(self) -> bool {
        !matches!(
            self,
            Self::CloudEvent
                | Self::Alertmanager
                | Self::AzureCommonAlert
                | Self::Json
                | Self::Other
        )
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloudEvent => "CloudEvent",
            Self::TeamsCard => "Teams card",
            Self::SlackMessage => "Slack message",
            Self::Alertmanager => "Alertmanager webhook",
            Self::AzureCommonAlert => "Azure common alert",
            Self::PagerDutyEvent => "PagerDuty event",
            Self::JsmAlert => "Jira Service Management alert",
            Self::ServiceNowIncident => "ServiceNow incident",
            Self::ServiceNowEvents => "ServiceNow event",
            Self::JiraIssue => "Jira issue",
            Self::Json => "JSON",
            Self::Other => "not JSON",
        })
    }
}

/// What a body is and says. Its texts can be shown on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gist {
    /// What it is.
    pub shape: Shape,
    /// What happened.
    pub title: Option<String>,
    /// How bad it is, in the words of its kind.
    pub severity: Option<String>,
    /// How many things happened.
    pub count: Option<String>,
    /// What tells it from others, or joins it with them: the incident key.
    pub key: Option<String>,
}

/// Where a kind of body has what. The first that is there counts.
struct Places {
    title: &'static [&'static str],
    severity: &'static [&'static str],
    count: &'static [&'static str],
    key: &'static [&'static str],
}

/// What a body is and says.
pub fn gist(body: &[u8]) -> Gist {
    let json: Option<Json> = serde_json::from_slice(body).ok();
    let Some(json) = json else {
        return Gist { shape: Shape::Other, title: None, severity: None, count: None, key: None };
    };
    let shape = shape(&json);
    let Places { title, severity, count, key } = places(shape);
    let find =
        |places: &[&str], max| places.iter().find_map(|place| shown(json.pointer(place)?, max));
    let mut gist = Gist {
        shape,
        title: find(title, 200),
        severity: find(severity, 20),
        count: find(count, 20),
        key: find(key, 100),
    };
    if shape == Shape::Alertmanager {
        let alerts = json.get("alerts").and_then(Json::as_array);
        gist.count = alerts.map(|alerts| alerts.len().to_string());
    }
    gist
}

fn shape(json: &Json) -> Shape {
    let has = |place: &str| json.pointer(place).is_some();
    if has("/specversion") && has("/type") {
        Shape::CloudEvent
    } else if has("/attachments/0/contentType") || json.get("type") == Some(&"AdaptiveCard".into())
    {
        Shape::TeamsCard
    } else if json.get("schemaId") == Some(&"azureMonitorCommonAlertSchema".into()) {
        Shape::AzureCommonAlert
    } else if has("/alerts") && has("/groupKey") {
        Shape::Alertmanager
    } else if has("/routing_key") && has("/event_action") {
        Shape::PagerDutyEvent
    } else if has("/records/0/message_key") {
        Shape::ServiceNowEvents
    } else if has("/short_description") {
        Shape::ServiceNowIncident
    } else if has("/fields/issuetype") || has("/fields/project") {
        Shape::JiraIssue
    } else if has("/message") && has("/alias") {
        Shape::JsmAlert
    } else if has("/text") && (has("/blocks") || has("/attachments")) {
        Shape::SlackMessage
    } else {
        Shape::Json
    }
}

const fn places(shape: Shape) -> Places {
    const fn of(
        title: &'static [&'static str],
        severity: &'static [&'static str],
        count: &'static [&'static str],
        key: &'static [&'static str],
    ) -> Places {
        Places { title, severity, count, key }
    }
    match shape {
        Shape::CloudEvent => of(
            &["/data/rule/title", "/type"],
            &["/data/rule/severity"],
            &["/data/count"],
            &["/data/incident_key", "/subject"],
        ),
        Shape::TeamsCard => {
            of(&["/attachments/0/content/fallbackText", "/fallbackText", "/summary"], &[], &[], &[])
        }
        Shape::SlackMessage => of(&["/text"], &[], &[], &[]),
        Shape::Alertmanager => of(
            &[
                "/commonAnnotations/summary",
                "/alerts/0/annotations/summary",
                "/commonLabels/alertname",
                "/alerts/0/labels/alertname",
            ],
            &["/commonLabels/severity", "/alerts/0/labels/severity"],
            &[],
            &["/groupKey"],
        ),
        Shape::AzureCommonAlert => of(
            &["/data/essentials/alertRule"],
            &["/data/essentials/severity"],
            &["/data/alertContext/condition/allOf/0/metricValue"],
            &["/data/essentials/originAlertId"],
        ),
        Shape::PagerDutyEvent => {
            of(&["/payload/summary", "/event_action"], &["/payload/severity"], &[], &["/dedup_key"])
        }
        Shape::JsmAlert => of(&["/message"], &["/priority"], &[], &["/alias"]),
        Shape::ServiceNowIncident => {
            of(&["/short_description"], &["/urgency"], &[], &["/correlation_id"])
        }
        Shape::ServiceNowEvents => of(
            &["/records/0/description", "/records/0/type"],
            &["/records/0/severity"],
            &[],
            &["/records/0/message_key"],
        ),
        Shape::JiraIssue => {
            of(&["/fields/summary"], &["/fields/priority/name"], &[], &["/fields/labels/0"])
        }
        Shape::Json => of(
            &["/title", "/summary", "/subject", "/message", "/name", "/text"],
            &["/severity", "/priority"],
            &["/count"],
            &["/incident_key", "/dedup_key", "/key", "/id"],
        ),
        Shape::Other => of(&[], &[], &[], &[]),
    }
}

/// A text or a number, on one line.
fn shown(value: &Json, max: usize) -> Option<String> {
    let text = match value {
        Json::String(text) => limits::clean(text, max),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{Detail, Kind, Receiver, render, samples};
    use crate::watch::severity::Severity;
    use proptest::prelude::*;
    use serde_json::json;

    fn of(json: &Json) -> Gist {
        gist(json.to_string().as_bytes())
    }

    /// What this version sends is recognised, whichever kind it is for.
    #[test]
    fn our_own_bodies() {
        let alert = samples::alert(Severity::High);
        for (kind, shape) in [
            (Kind::Teams, Shape::TeamsCard),
            (Kind::Slack, Shape::SlackMessage),
            (Kind::Webhook, Shape::CloudEvent),
            (Kind::PagerDuty, Shape::PagerDutyEvent),
            (Kind::JiraServiceManagement, Shape::JsmAlert),
            (Kind::ServiceNow, Shape::ServiceNowIncident),
            (Kind::Jira, Shape::JiraIssue),
        ] {
            let receiver = Receiver {
                name: "r".to_owned(),
                settings: samples::settings(kind),
                min_severity: Severity::Info,
                rules: None,
                detail: Detail::Full,
                keys: Vec::new(),
                credential: String::new(),
            };
            let seen = gist(&render(&receiver, &alert).bytes);
            assert_eq!(seen.shape, shape, "{seen:?}");
            assert!(
                seen.title.as_deref().is_some_and(|title| title.contains("HSM key deleted")),
                "{seen:?}"
            );
            if kind == Kind::Webhook {
                assert_eq!(seen.severity.as_deref(), Some("high"));
                assert_eq!(seen.count, Some(alert.count.to_string()));
                assert_eq!(seen.key, Some(alert.incident_key.clone()));
            }
        }
    }

    #[test]
    fn bodies_of_others() {
        let seen = of(
            &json!({"version": "4", "groupKey": "k", "alerts": [{}, {}], "commonLabels": {"alertname": "A", "severity": "page"}}),
        );
        let expected = Gist {
            shape: Shape::Alertmanager,
            title: Some("A".to_owned()),
            severity: Some("page".to_owned()),
            count: Some("2".to_owned()),
            key: Some("k".to_owned()),
        };
        assert_eq!(seen, expected);
        let seen = of(
            &json!({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": {"alertRule": "R", "severity": "Sev0"}}}),
        );
        assert_eq!((seen.shape, seen.title.as_deref()), (Shape::AzureCommonAlert, Some("R")));
        let seen =
            of(&json!({"records": [{"message_key": "m", "severity": "1", "description": "D"}]}));
        assert_eq!((seen.shape, seen.key.as_deref()), (Shape::ServiceNowEvents, Some("m")));
        let seen = of(&json!({"title": "T", "count": 3}));
        assert_eq!(
            (seen.shape, seen.title.as_deref(), seen.count.as_deref()),
            (Shape::Json, Some("T"), Some("3"))
        );
        for body in [&b""[..], b"<html>", b"\xff"] {
            assert_eq!(gist(body).shape, Shape::Other);
        }
        assert_eq!(gist(b"[]").shape, Shape::Json);
    }

    proptest! {
        #[test]
        fn texts_stay_on_one_line(title in any::<String>(), key in any::<String>()) {
            let seen = of(&json!({"title": title, "id": key}));
            for text in [seen.title, seen.key].into_iter().flatten() {
                prop_assert!(!text.chars().any(limits::is_hidden));
                prop_assert!(!text.is_empty());
            }
        }
    }
}
