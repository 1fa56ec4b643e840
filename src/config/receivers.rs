//! One `[[receiver]]`: its values, and what they say to each other.

use super::catalogue::{Relation, with_words};
use super::draft::DraftReceiver;
use super::model::Address;
use super::problem::Fault;
use super::reader::{Reader, Section};
use super::{address, auth, desks, pem, secret, value, webhook};
use crate::notify::Kind;
use secrecy::SecretString;

/// Reads one `[[receiver]]`.
pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section<'_>) -> DraftReceiver {
    reader.needs(section, "name", "a name of your choice, such as \"oncall\"");
    reader.needs(
        section,
        "kind",
        "such as kind = \"teams\", \"slack\", \"webhook\" or \"pagerduty\"",
    );
    let name = reader.parsed(section, "name", value::name);
    let kind = reader.parsed(section, "kind", value::kind).map(|(kind, _)| kind);
    if !section.has("kind") {
        reader.needs(section, "url", "url = { env = \"NAME\" }: an address is a secret");
    }
    belong(reader, section, kind);
    let url = url(reader, section, kind);
    let secrets = secrets(reader, section, kind);
    let shape = webhook::read(reader, section, kind);
    let desk = desks::read(reader, section, kind, shape.settings);
    let auth = match (kind, &desk.api_key) {
        (Some(Kind::JiraServiceManagement), Some(key)) => {
            let _none = auth::read(reader, section, kind);
            Some(auth::genie(key))
        }
        (Some(Kind::JiraServiceManagement), None) => {
            let _none = auth::read(reader, section, kind);
            None
        }
        _ => auth::read(reader, section, kind),
    };
    let ca = reader.parsed(section, "ca", pem::authorities).map(|(ca, _)| ca);
    let client_certificate = reader.parsed(section, "client_certificate", pem::identity);
    let min_severity = reader.parsed(section, "min_severity", value::severity);
    let rules = reader.strings(section, "rules");
    if rules.as_ref().is_some_and(Vec::is_empty) {
        let fault = Fault::new("is empty, so the receiver would be told nothing")
            .hint("leave it out for all rules");
        reader.fail_at(section, "rules", fault);
    }
    let networks = reader.strings(section, "allow_networks").unwrap_or_default();
    let mut allow_networks = Vec::new();
    for text in &networks {
        let Some(network) = reader.report.check(&text.setting, value::network(text)) else {
            continue;
        };
        if network.prefix_len() == 0 {
            reader.report.warn(&text.setting, Fault::new("allows every address"));
        }
        allow_networks.push(network);
    }
    let detail = reader.parsed(section, "detail", value::detail).map(|(detail, _)| detail);
    reader.finish(section, None);
    DraftReceiver {
        name,
        settings: desk.settings,
        url,
        secrets,
        min_severity: min_severity.map(|(severity, _)| severity),
        rules,
        allow_networks,
        detail,
        auth,
        ca,
        headers: shape.headers,
        templates: shape.places,
        client_certificate: client_certificate.map(|(pem, _)| SecretString::from(pem)),
    }
}

/// Holds the keys that are written against those that the kind takes and needs.
fn belong(reader: &mut Reader<'_>, section: &mut Section<'_>, kind: Option<Kind>) {
    let Some(kind) = kind else { return };
    for relation in section.of.relations {
        match relation {
            Relation::Only { keys, key: "kind", words } if !words.contains(&kind.as_str()) => {
                for key in keys.iter().filter(|key| section.has(key)) {
                    let fault = Fault::new(format!("only for {}", with_words("kind", words)))
                        .hint(instead(key, kind));
                    reader.fail_at(section, key, fault);
                }
                keys.iter().for_each(|key| section.withhold(key));
            }
            Relation::When { key: "kind", words, needs } if words.contains(&kind.as_str()) => {
                for key in needs.iter().filter(|key| !section.has(key)) {
                    let what = format!("kind \"{kind}\" needs `{key}`");
                    reader.report.fail(&section.setting, Fault::new(what).hint(cure(key, kind)));
                }
            }
            _ => {}
        }
    }
}

/// What there is in place of a key that belongs to other kinds.
fn instead(key: &str, kind: Kind) -> &'static str {
    match (kind, key) {
        (Kind::PagerDuty, "api_key" | "token") => "`routing_key`, the integration key",
        (Kind::PagerDuty, "priority" | "urgency" | "impact") => "`severity`",
        (Kind::JiraServiceManagement, "token" | "routing_key") => {
            "`api_key`, the key of an API integration"
        }
        (Kind::JiraServiceManagement | Kind::Jira, "severity" | "urgency" | "impact") => {
            "`priority`"
        }
        (Kind::ServiceNow, "priority") => {
            "`urgency` and `impact`, of which ServiceNow makes the priority"
        }
        (Kind::ServiceNow | Kind::Jira, "api_key" | "routing_key") => "`token`",
        (Kind::Jira, "username") => "`email`",
        (Kind::Jira, "password") => "`token`, an API token of the account",
        (Kind::Slack, "token") => "take it out: a Slack webhook is known by its address alone",
        (_, "secret" | "previous_secrets" | "unsigned") => {
            "take it out: ticketing systems check no signatures"
        }
        _ => "take it out, or change `kind`",
    }
}

/// What a key that is missing looks like.
fn cure(key: &str, kind: Kind) -> &'static str {
    match (kind, key) {
        (Kind::ServiceNow, "url") => "the instance: url = \"https://acme.service-now.com\"",
        (Kind::Jira, "url") => "the site: url = \"https://acme.atlassian.net\"",
        (_, "url") => "url = { env = \"NAME\" }: an address is a secret",
        (_, "routing_key") => {
            "routing_key = { env = \"NAME\" }: in PagerDuty the service, \"Integrations\", \"Events API V2\""
        }
        (_, "api_key") => {
            "api_key = { env = \"NAME\" }: in Jira Service Management the team, \"Operations\", \"Integrations\", \"API\""
        }
        (_, "project") => "the key of the project in which issues are opened: project = \"SEC\"",
        _ => "it is needed",
    }
}

fn url(reader: &mut Reader<'_>, section: &mut Section<'_>, kind: Option<Kind>) -> Option<Address> {
    // The address of a desk opens nothing: its keys do.
    let desk = kind.is_some_and(Kind::is_desk);
    let text = if desk { reader.plain(section, "url") } else { reader.string(section, "url") };
    let Some(text) = text else {
        return kind.filter(|_| !section.has("url")).and_then(address::standard);
    };
    let address = reader.report.check(&text.setting, address::receiver(kind, &text))?;
    if let (Some(Kind::Webhook), Some(better)) = (kind, address::better_kind(&text)) {
        let fault =
            Fault::new("this host takes no CloudEvents").hint(format!("kind = \"{better}\""));
        reader.report.warn(&text.setting, fault);
    }
    Some(address)
}

fn secrets(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    kind: Option<Kind>,
) -> Vec<SecretString> {
    let current = reader.parsed(section, "secret", secret::signing);
    let previous = reader.strings(section, "previous_secrets").unwrap_or_default();
    let unsigned = reader.boolean(section, "unsigned");
    let has_secret = section.has("secret");
    match &unsigned {
        Some((true, setting)) if has_secret => {
            let fault = Fault::new("contradicts `secret`").hint("keep one of the two");
            reader.report.fail(setting, fault);
        }
        Some((true, _)) => {}
        _ if kind == Some(Kind::Webhook) && !has_secret => {
            let fault = Fault::new("kind \"webhook\" needs `secret`").hint(format!(
                "{}; put it in a variable and write secret = {{ env = \"NAME\" }}. Without signatures: unsigned = true",
                secret::MAKE
            ));
            reader.report.fail(&section.setting, fault);
        }
        _ => {}
    }
    if let (Some(text), false) = (previous.first(), has_secret) {
        reader.report.fail(&text.setting, Fault::new("needs `secret`, the newest"));
    }
    let mut secrets: Vec<_> = current.into_iter().map(|(secret, _)| secret).collect();
    for text in &previous {
        secrets.extend(reader.report.check(&text.setting, secret::signing(text)));
    }
    secrets
}
