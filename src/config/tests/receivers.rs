//! Receivers of all kinds: what is taken, what is refused, and what is said of it.

use super::written::{CERTIFICATE, CLIENT, Good, ROUTING_KEY, world};
use super::*;
use crate::config::catalogue::{Fallback, Format, RECEIVER, Shape};
use crate::notify::desk::{self, Levels};
use crate::notify::webhook::FormatWord;
use crate::notify::{Kind, Settings};
use crate::watch::severity::Severity;
use secrecy::ExposeSecret as _;
use serde_json::json;

/// The receiver of a text that stands after the rest of a configuration.
fn receiver(text: &str) -> Receiver {
    let text = format!("{REST}[[receiver]]\nname = \"b\"\n{text}");
    let loaded = file(&text, &world());
    let mut config = loaded.unwrap_or_else(|problems| panic!("{text}\n{problems}")).config;
    config.receivers.remove(1)
}

fn desk_of(receiver: &Receiver) -> &desk::Settings {
    let Settings::Desk(desk) = &receiver.settings else { panic!("{receiver:?}") };
    desk
}

#[test]
fn pagerduty_needs_a_key_and_nothing_else() {
    let key = "routing_key = { env = \"HSMWATCH_PAGERDUTY_ROUTING_KEY\" }";
    let paged = receiver(&format!("kind = \"pagerduty\"\n{key}"));
    assert_eq!(paged.kind(), Kind::PagerDuty);
    assert_eq!(paged.url.text.expose_secret(), desk::pagerduty::URL);
    assert_eq!(paged.min_severity, Severity::High);
    let desk::Settings::PagerDuty(settings) = desk_of(&paged) else { panic!() };
    assert_eq!(settings.routing_key.expose_secret(), ROUTING_KEY);
    assert_eq!(settings.severity, desk::pagerduty::Settings::default_severity());
    let eu = "https://events.eu.pagerduty.com/v2/enqueue";
    let paged = receiver(&format!(
        "kind = \"pagerduty\"\n{key}\nurl = \"{eu}\"\nmin_severity = \"low\"\n[receiver.severity]\nhigh = \"critical\"\ninfo = \"warning\""
    ));
    assert_eq!(paged.url.text.expose_secret(), eu);
    assert_eq!(paged.min_severity, Severity::Low);
    let desk::Settings::PagerDuty(settings) = desk_of(&paged) else { panic!() };
    let levels = Levels::new(["critical", "critical", "warning", "info", "warning"]);
    assert_eq!(settings.severity, levels);
}

#[test]
fn jira_service_management_is_known_by_a_key_in_a_header() {
    let duty = receiver(
        "kind = \"jira-service-management\"\napi_key = { env = \"JSM_API_KEY\" }\npriority = { low = \"P5\" }\nfields = { entity = \"hsm\", tags = [\"hsm\"] }",
    );
    assert_eq!(duty.url.text.expose_secret(), desk::jsm::URL);
    let Auth::Header { name, value } = &duty.auth else { panic!() };
    assert_eq!(name, "Authorization");
    assert_eq!(value.expose_secret(), "GenieKey 0a1b2c3d-0000-4000-8000-0123456789ab");
    let desk::Settings::JiraServiceManagement(settings) = desk_of(&duty) else { panic!() };
    assert_eq!(settings.priority, Levels::new(["P1", "P2", "P3", "P5", "P5"]));
    assert_eq!(json!(settings.fields), json!({ "entity": "hsm", "tags": ["hsm"] }));
}

#[test]
fn servicenow_takes_incidents_or_events() {
    let incidents = receiver(
        "kind = \"servicenow\"\nurl = \"https://acme.service-now.com/\"\nusername = \"svc\"\npassword = { env = \"SERVICENOW_PASSWORD\" }\nurgency = { info = \"2\" }\nimpact = { critical = \"2\" }\nfields = { assignment_group = \"HSM\" }",
    );
    assert_eq!(incidents.min_severity, Severity::Medium);
    let Auth::Basic { username, password } = &incidents.auth else { panic!() };
    assert_eq!((username.as_str(), password.expose_secret()), ("svc", "pass"));
    let desk::Settings::ServiceNow(settings) = desk_of(&incidents) else { panic!() };
    assert_eq!(settings.table, desk::servicenow::Table::Incident);
    assert_eq!(settings.urgency, Levels::new(["1", "1", "2", "2", "2"]));
    assert_eq!(settings.impact, Levels::new(["2", "2", "2", "3", "3"]));
    let events = receiver(
        "kind = \"servicenow\"\nurl = \"https://itsm.corp.example/snow\"\ntable = \"em_event\"\ntoken = { env = \"RECEIVER_TOKEN\" }\nseverity = { info = \"0\" }",
    );
    let Auth::Bearer { token } = &events.auth else { panic!() };
    assert_eq!(token.expose_secret(), "tok-0123456789");
    let desk::Settings::ServiceNow(settings) = desk_of(&events) else { panic!() };
    assert_eq!(settings.table, desk::servicenow::Table::EmEvent);
    assert_eq!(settings.severity, Levels::new(["1", "2", "3", "4", "0"]));
}

#[test]
fn fields_are_of_any_type() {
    let issues = receiver(
        r#"kind = "jira"
url = "https://acme.atlassian.net"
project = "SEC"
email = "hsmwatch@example.com"
token = { env = "JIRA_TOKEN" }
priority = { critical = "Highest" }
[receiver.fields]
labels = ["hsm"]
components = [{ name = "HSM" }]
duedate = 2026-12-24
customfield_1 = 2026-12-24T18:00:00Z
customfield_2 = { value = "High", child = { value = "Very" } }
customfield_3 = 0x1F
customfield_4 = 1.5
customfield_5 = true
customfield_6 = { env = "RECEIVER_TOKEN" }
customfield_7 = { env = "A", file = "B" }
"#,
    );
    let Auth::Basic { username, password } = &issues.auth else { panic!() };
    assert_eq!((username.as_str(), password.expose_secret()), ("hsmwatch@example.com", "tok"));
    let desk::Settings::Jira(settings) = desk_of(&issues) else { panic!() };
    assert_eq!((settings.project.as_str(), settings.issue_type.as_str()), ("SEC", "Task"));
    assert_eq!(settings.priority, Some(Levels::new(["Highest", "", "", "", ""])));
    assert_eq!(
        json!(settings.fields),
        json!({
            "labels": ["hsm"], "components": [{ "name": "HSM" }], "duedate": "2026-12-24",
            "customfield_1": "2026-12-24T18:00:00Z",
            "customfield_2": { "value": "High", "child": { "value": "Very" } },
            "customfield_3": 31, "customfield_4": 1.5, "customfield_5": true,
            "customfield_6": "tok-0123456789", "customfield_7": { "env": "A", "file": "B" },
        })
    );
}

#[test]
fn the_ways_to_sign_in_are_told_apart_by_their_keys() {
    let auth = |keys: &str| {
        let hook = "kind = \"webhook\"\nurl = \"https://h.example.com/\"\nunsigned = true\n";
        format!("{:?}", receiver(&format!("{hook}{keys}")).auth)
    };
    let token = "token = { env = \"RECEIVER_TOKEN\" }";
    insta::assert_snapshot!(
        [
            String::new(),
            "auth = \"none\"".to_owned(),
            token.to_owned(),
            format!("auth = \"bearer\"\n{token}"),
            "username = \"u\"\npassword = { env = \"RECEIVER_PASSWORD\" }".to_owned(),
            format!("auth_header = \"X-Api-Key\"\n{token}"),
            format!("auth = \"header\"\nauth_header = \"Authorization\"\n{token}"),
            "token_url = \"https://login.example.com/token\"\nclient_id = \"c\"\nclient_secret = { env = \"RECEIVER_CLIENT_SECRET\" }\nscope = \"a b\"".to_owned(),
            "auth = \"managed-identity\"\naudience = \"api://itsm\"".to_owned(),
            "auth = \"managed-identity\"\naudience = \"11111111-2222-3333-4444-555555555555\"\nclient_id = \"AAAAAAAA-2222-3333-4444-555555555555\"".to_owned(),
        ]
        .map(|keys| format!("{keys}\n    {}", auth(&keys)))
        .join("\n")
    );
}

#[test]
fn certificates_are_of_any_receiver() {
    let chat = receiver(
        "kind = \"slack\"\nurl = \"https://hooks.slack.com/services/x\"\nca = { file = \"ca.pem\" }\nclient_certificate = { file = \"client.pem\" }",
    );
    assert_eq!(chat.ca.as_deref(), Some(CERTIFICATE.trim_end()));
    assert_eq!(chat.client_certificate.unwrap().expose_secret(), CLIENT.trim_end());
}

#[test]
fn webhooks_have_a_format() {
    let hook = "kind = \"webhook\"\nurl = \"https://h.example.com/\"\nsecret = { env = \"HSMWATCH_WEBHOOK_SECRET\" }\n";
    let format = |keys: &str| {
        let receiver = receiver(&format!("{hook}{keys}"));
        let Settings::Webhook(webhook) = &receiver.settings else { panic!() };
        let headers = receiver.headers.iter().map(|text| text.expose_secret().to_owned());
        (webhook.format.word(), webhook.hub_signature, headers.collect::<Vec<_>>())
    };
    assert_eq!(format(""), (FormatWord::CloudEvents, false, Vec::new()));
    for word in [FormatWord::AzureCommonAlert, FormatWord::Alertmanager] {
        let keys = format!("format = \"{word}\"\nhub_signature = true");
        assert_eq!(format(&keys), (word, true, Vec::new()));
    }
    let keys = "format = \"template\"\ntemplate = { file = \"alert.json.j2\" }\nheaders = { X-A = \"{{ severity }}\" }";
    assert_eq!(format(keys), (FormatWord::Template, false, vec!["{{ severity }}".to_owned()]));
}

#[test]
fn keys_of_other_kinds_and_missing_ones_are_told_at_once() {
    let cases = [
        "kind = \"pagerduty\"",
        "kind = \"pagerduty\"\ntoken = \"t\"\nproject = \"SEC\"\nsecret = \"x\"\npriority = { critical = \"P1\" }",
        "kind = \"jira-service-management\"\nrouting_key = \"x\"\nurgency = { high = \"1\" }\nauth = \"bearer\"",
        "kind = \"servicenow\"",
        "kind = \"servicenow\"\nurl = \"https://acme.service-now.com\"\nusername = \"u\"\nseverity = { high = \"1\" }\npriority = 1",
        "kind = \"servicenow\"\nurl = \"https://acme.service-now.com\"\nauth = \"none\"\ntable = \"em_event\"\nimpact = { high = \"1\" }\nemail = \"a@b\"",
        "kind = \"jira\"",
        "kind = \"jira\"\nurl = \"https://acme.atlassian.net\"\nproject = \"SEC\"\ntoken = \"t\"\nrouting_key = \"k\"",
        "kind = \"jira\"\nurl = \"https://acme.atlassian.net\"\nproject = \"SEC\"\nusername = \"u\"\npassword = \"p\"",
        "kind = \"slack\"\nurl = \"https://hooks.slack.com/x\"\ntoken = \"t\"\nformat = \"alertmanager\"\nfields = {}",
        "kind = \"webhook\"\nurl = \"https://h/x\"\nunsigned = true\ntemplate = \"x\"\nhub_signature = true",
        "kind = \"webhook\"\nurl = \"https://h/x\"\nunsigned = true\nformat = \"template\"\nheaders = 1",
        "kind = \"webhook\"\nurl = \"https://h/x\"\nunsigned = true\nformat = \"azure\"\ncontent_type = \"x\"",
        "kind = \"snow\"\nurl = \"https://acme.service-now.com\"",
        "kind = \"jsm\"\napi_key = \"k\"",
        "kind = \"email\"\nurl = \"https://h/x\"",
    ];
    insta::assert_snapshot!(told(&cases));
}

#[test]
fn addresses_that_lead_elsewhere() {
    let basic = "username = \"u\"\npassword = { env = \"RECEIVER_PASSWORD\" }";
    let jira = "project = \"SEC\"\nemail = \"a@b.example\"\ntoken = { env = \"JIRA_TOKEN\" }";
    let key = "routing_key = { env = \"HSMWATCH_PAGERDUTY_ROUTING_KEY\" }";
    let api = "api_key = { env = \"JSM_API_KEY\" }";
    let cases = [
        (
            "servicenow",
            basic,
            "https://acme.service-now.com/now/nav/ui/classic/params/target/incident_list.do",
        ),
        ("servicenow", basic, "https://acme.service-now.com/api/now/table/incident"),
        ("servicenow", basic, "https://itsm.corp.example/snow/api/now/table/incident"),
        ("servicenow", basic, "https://acme.service-now.com/?x=1"),
        ("servicenow", basic, "http://acme.service-now.com"),
        ("jira", jira, "https://acme.atlassian.net/browse/SEC-1"),
        ("jira", jira, "https://acme.atlassian.net/jira/software/projects/SEC/boards/1"),
        ("jira", jira, "https://jira.corp.example/rest/api/3/issue"),
        ("pagerduty", key, "https://acme.pagerduty.com/services/PABC"),
        ("pagerduty", key, "https://events.eu.pagerduty.com/integration/x/enqueue"),
        ("jira-service-management", api, "https://acme.atlassian.net/jira/ops"),
        ("jira-service-management", api, "https://api.atlassian.com/jsm/ops/integration/v1/alerts"),
    ];
    let cases: Vec<String> = cases
        .iter()
        .map(|(kind, keys, url)| format!("kind = \"{kind}\"\nurl = \"{url}\"\n{keys}"))
        .collect();
    insta::assert_snapshot!(told(&cases));
    for (kind, keys, url) in [
        ("servicenow", basic, "https://itsm.corp.example/snow"),
        ("jira", jira, "https://api.atlassian.com/ex/jira/11111111-2222-3333-4444-555555555555"),
        ("jira", jira, "http://127.0.0.1:9/browse/"),
        ("pagerduty", key, "https://pager.corp.example/v2/enqueue"),
        ("jira-service-management", api, "https://api.opsgenie.com/v2/alerts"),
    ] {
        let receiver = receiver(&format!("kind = \"{kind}\"\nurl = \"{url}\"\n{keys}"));
        assert_eq!(receiver.url.text.expose_secret(), url);
    }
}

#[test]
fn values_that_cannot_be() {
    let jira = "kind = \"jira\"\nurl = \"https://acme.atlassian.net\"";
    let hook = "kind = \"webhook\"\nurl = \"https://h/x\"\nunsigned = true";
    let cases = [
        "kind = \"pagerduty\"\nrouting_key = \"abc\"".to_owned(),
        "kind = \"pagerduty\"\nrouting_key = \"01234567890123456789\"".to_owned(),
        "kind = \"pagerduty\"\nrouting_key = \"R0123456789ABCDEFGHIJKLMNOPQRST-\"".to_owned(),
        "kind = \"pagerduty\"\nrouting_key = \"https://events.pagerduty.com/integration/x/enqueue\"".to_owned(),
        format!("kind = \"pagerduty\"\nrouting_key = \"{ROUTING_KEY}\"\nseverity = {{ critical = \"P1\", hihg = \"error\", low = 3 }}"),
        format!("kind = \"pagerduty\"\nrouting_key = \"{ROUTING_KEY}\"\nseverity = \"critical\""),
        "kind = \"jira-service-management\"\napi_key = \"GenieKey x\"\npriority = { high = \"2\" }\nfields = { alias = \"x\", tags = \"hsm\", details = [] }".to_owned(),
        "kind = \"servicenow\"\nurl = \"https://acme.service-now.com\"\ntoken = \"t\"\ntable = \"incidents\"\nurgency = { high = \"0\" }\nimpact = { low = \"4\" }".to_owned(),
        format!("{jira}\nproject = \"SEC-12\"\nemail = \"someone\"\ntoken = \"two words\""),
        format!("{jira}\nproject = \"Security\"\nissue_type = \"\"\nauth = \"bearer\"\ntoken = \"Bearer x\"\npriority = {{ high = \"\" }}"),
        format!("{jira}\nproject = \"SEC\"\nauth = \"bearer\"\ntoken = \"x\"\n[receiver.fields]\nsummary = \"x\"\nproject = {{ key = \"SEC\" }}\nlabels = [1]\nn = nan\nx = {{ env = \"NOT_SET\" }}\nbig = 99999999999999999999"),
        format!("{hook}\nauth = \"digest\""),
        format!("{hook}\nusername = \"u:p\"\npassword = \"a\\nb\""),
        format!("{hook}\nauth_header = \"Content-Type\"\ntoken = \" x\""),
        format!("{hook}\nauth_header = \"webhook-id\"\ntoken = \"\""),
        format!("{hook}\nauth_header = \"X Key\"\ntoken = \"x\""),
        format!("{hook}\ntoken_url = \"http://login.example.com/\"\nclient_secret = \"x\""),
        format!("{hook}\nauth = \"managed-identity\"\naudience = \"https://service.flow.microsoft.com//.default\"\nclient_id = \"me\""),
        format!("{hook}\nauth = \"managed-identity\"\naudience = \"flow\"\nscope = \"x\"\nusername = \"u\""),
        format!("{hook}\naudience = \"api://x\""),
        format!("{hook}\ntoken = \"t\"\nusername = \"u\"\npassword = \"p\""),
        format!("{hook}\nca = \"ca.pem\"\nclient_certificate = {{ file = \"ca.pem\" }}"),
        format!("{hook}\nca = {{ file = \"client.pem\" }}\nclient_certificate = {{ env = \"ENCRYPTED\" }}"),
        format!("{hook}\nca = {{ env = \"CUT\" }}\nclient_certificate = {{ env = \"DAMAGED\" }}"),
        format!("{hook}\nclient_certificate = {{ env = \"TWO_KEYS\" }}"),
        format!("{hook}\nformat = \"template\"\ntemplate = \"\"\"\n{{\n  \"a\": {{{{ title | nope }}}}\n}}\"\"\"\nheaders = {{ Host = \"x\", \"X A\" = \"x\", X-B = \"{{{{\", Authorization = \"x\" }}"),
        format!("{hook}\nformat = \"template\"\ntemplate = {{ file = \"bad.j2\" }}\nheaders = {{ X-A = \"a\", x-a = \"b\" }}"),
        format!("{hook}\nformat = \"template\"\ntemplate = {{ env = \"TEMPLATE\" }}\ncontent_type = \"json\""),
    ];
    insta::assert_snapshot!(told(&cases));
}

/// What a user would see of each.
fn told(cases: &[impl AsRef<str>]) -> String {
    let part = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let world = || {
        world()
            .file("bad.j2", "{\n  \"a\": {% if %}\n}\n")
            .var("TEMPLATE", "{\n  \"a\": {{ title\n}")
            .var("CUT", "-----BEGIN CERTIFICATE-----\nAAAA\n")
            .var("DAMAGED", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
            .var("TWO_KEYS", &(part("CERTIFICATE") + &part("PRIVATE KEY").repeat(2)))
            .var("ENCRYPTED", &(part("CERTIFICATE") + &part("ENCRYPTED PRIVATE KEY")))
    };
    let before = REST.matches('\n').count();
    let seen = |case: &str| {
        let text = format!("{REST}[[receiver]]\nname = \"b\"\n{case}");
        let mut seen = rendered(&file(&text, &world()));
        for line in (1..=30).rev() {
            seen = seen.replace(&format!("toml:{}:", before + line), &format!("toml:+{line}:"));
        }
        seen
    };
    let texts = cases.iter().map(|case| format!("{}\n{}", case.as_ref(), seen(case.as_ref())));
    texts.collect::<Vec<_>>().join("\n\n")
}

/// Each kind with each key that it may have, good but for what is planted.
#[test]
fn no_kind_shows_what_was_planted() {
    let planted = [
        "https://hooks.slack.com/services/T0/B0/PLANTEDpath?sig=PLANTEDsig",
        "PLANTEDAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE=",
        "PLANTED8901234567890123456789012",
    ];
    let kind_key = RECEIVER.key("kind").unwrap();
    let mut seen = 0;
    for planted in planted {
        let world = || world().var("PLANT", planted).file("plant", planted);
        for kind in Kind::ALL {
            for key in RECEIVER.keys {
                // What is named there is shown, as it must be.
                if ["name", "rules", "email", "username"].contains(&key.name) {
                    continue;
                }
                let values = match &key.shape {
                    Shape::Levels | Shape::Texts | Shape::Values => vec![
                        format!("{{ critical = \"{planted}\" }}"),
                        "{ critical = { env = \"PLANT\" } }".to_owned(),
                        format!("{{ \"{planted}\" = {{ file = \"{planted}\" }} }}"),
                        format!("{{ \"{planted}\" = 1979-05-27 }}"),
                    ],
                    _ => vec![
                        format!("\"{planted}\""),
                        "{ env = \"PLANT\" }".to_owned(),
                        "{ file = \"plant\" }".to_owned(),
                    ],
                };
                for value in values {
                    let mut good = Good::new().with(&RECEIVER, kind_key, &format!("\"{kind}\""));
                    good.set(&RECEIVER, key.name, &value);
                    let input = Input::File { name: "hsmwatch.toml", text: &good.text() };
                    let result = load(input, &known(), &world());
                    seen += 1;
                    let shown = rendered(&result);
                    assert!(!shown.contains("PLANTED"), "{}\n{shown}", good.text());
                    let secret = key.format().is_some_and(Format::is_secret);
                    if let (Ok(loaded), true) = (result, secret) {
                        let shown = format!("{loaded:?}");
                        assert!(!shown.contains("PLANTED"), "{}\n{shown}", good.text());
                    }
                }
            }
        }
    }
    assert!(seen > 2000, "{seen}");
}

#[test]
fn desks_have_addresses_that_may_stand_in_the_file() {
    for kind in Kind::ALL {
        let kind_key = RECEIVER.key("kind").unwrap();
        let mut good = Good::new().with(&RECEIVER, kind_key, &format!("\"{kind}\""));
        good.set(&RECEIVER, "url", "\"http://127.0.0.1:9/x\"");
        let loaded = file(&good.text(), &world()).unwrap();
        assert_eq!(loaded.exposed.is_empty(), kind.is_desk(), "{kind}");
    }
    assert!(matches!(RECEIVER.key("url").unwrap().default, Fallback::Words(_)));
}
