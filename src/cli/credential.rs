//! What changes whenever something changes that may mend a broken receiver.

use crate::config::{Auth, Receiver};
use crate::notify::webhook::FormatWord;
use crate::notify::{Settings, desk};
use crate::watch::fingerprint::{Hash, hex};
use secrecy::ExposeSecret as _;

/// A word for all that a receiver may refuse us for: its address, secrets, and where in it cases are opened. It tells nothing
/// of them: 16 hex digits of a keyed hash.
pub(crate) fn credential(receiver: &Receiver) -> String {
    let mut hash = Hash::new("credential");
    hash.text(receiver.url.text.expose_secret());
    for secret in &receiver.secrets {
        hash.text(secret.expose_secret());
    }
    // What is not there is left out, so that a receiver without it has the word that it always had.
    let mut named = |name: &str, value: &str| {
        hash.text(name);
        hash.text(value);
    };
    match &receiver.auth {
        Auth::None => {}
        Auth::Bearer { token } => named("bearer", token.expose_secret()),
        Auth::Basic { username, password } => {
            named("basic", username);
            named("password", password.expose_secret());
        }
        Auth::Header { name, value } => {
            named("header", name);
            named("value", value.expose_secret());
        }
        Auth::OAuth2 { token_url, client_id, client_secret, scope, audience } => {
            named("oauth2", token_url.as_str());
            named("client_id", client_id);
            named("client_secret", client_secret.expose_secret());
            named("scope", scope.as_deref().unwrap_or_default());
            named("audience", audience.as_deref().unwrap_or_default());
        }
        Auth::ManagedIdentity { audience, client_id } => {
            named("managed-identity", audience);
            named("client_id", client_id.as_deref().unwrap_or_default());
        }
    }
    for header in &receiver.headers {
        named("template header", header.expose_secret());
    }
    if let Some(ca) = &receiver.ca {
        named("ca", ca);
    }
    if let Some(certificate) = &receiver.client_certificate {
        named("client_certificate", certificate.expose_secret());
    }
    match &receiver.settings {
        Settings::Teams | Settings::Slack => {}
        Settings::Webhook(webhook) => {
            // Some receivers refuse what has not their shape as if it came from a stranger.
            if webhook.format.word() != FormatWord::default() {
                named("format", webhook.format.word().as_str());
            }
            if webhook.hub_signature {
                named("hub_signature", "true");
            }
        }
        Settings::Desk(desk::Settings::PagerDuty(pagerduty)) => {
            named("routing_key", pagerduty.routing_key.expose_secret());
        }
        Settings::Desk(desk::Settings::JiraServiceManagement(jsm)) => {
            named("fields", &json(&jsm.fields));
        }
        Settings::Desk(desk::Settings::ServiceNow(servicenow)) => {
            named("table", &format!("{:?}", servicenow.table));
            named("fields", &json(&servicenow.fields));
        }
        Settings::Desk(desk::Settings::Jira(jira)) => {
            named("project", &jira.project);
            named("issue_type", &jira.issue_type);
            named("fields", &json(&jira.fields));
        }
    }
    let mut credential = hex(&hash.finish());
    credential.truncate(16);
    credential
}

fn json(fields: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(fields).unwrap_or_default()
}
