//! What each kind of receiver must be told, and how answers are judged.

use super::answers::{Draft, Refused, fits, refused, secret_beside, variable};
use crate::config::catalogue::RECEIVER;
use crate::config::{Known, judge};
use crate::notify::Kind;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receiver {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Its other keys, in the order in which they are asked for.
    pub(super) values: Vec<(&'static str, Value)>,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// As it is.
    Text(String),
    /// The variable that holds it.
    Variable(String, Fate),
}

/// What the value of a variable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Teams,
    Slack,
    Webhook,
    Secret,
    RoutingKey,
    ApiKey,
    Password,
    Token,
}

/// A key that must be asked for.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) key: &'static str,
    /// What the question calls it.
    pub(super) what: &'static str,
    /// Such a value, for a flag that is not understood.
    pub(super) such: &'static str,
    /// What it is for, if it is a secret: then the name of its variable is asked for.
    pub(super) fate: Option<Fate>,
}

const fn secret(key: &'static str, what: &'static str, fate: Fate) -> Want {
    Want { key, what, such: fate.usual(), fate: Some(fate) }
}

const fn plain(key: &'static str, what: &'static str, such: &'static str) -> Want {
    Want { key, what, such, fate: None }
}

const TEAMS: &[Want] = &[secret("url", "Teams' address", Fate::Teams)];
const SLACK: &[Want] = &[secret("url", "Slack's address", Fate::Slack)];
const WEBHOOK: &[Want] = &[
    secret("url", "the webhook's address", Fate::Webhook),
    secret("secret", "what alerts are signed with", Fate::Secret),
];
const PAGERDUTY: &[Want] =
    &[secret("routing_key", "the integration key of PagerDuty", Fate::RoutingKey)];
const JSM: &[Want] = &[secret("api_key", "the key of the API integration", Fate::ApiKey)];
const SERVICENOW: &[Want] = &[
    plain("url", "ServiceNow's address", "https://acme.service-now.com"),
    plain("username", "The user there", "svc-hsmwatch"),
    secret("password", "that user's password", Fate::Password),
];
const JIRA: &[Want] = &[
    plain("url", "Jira's address", "https://acme.atlassian.net"),
    plain("project", "The key of the project", "SEC"),
    plain("email", "The account's e-mail address", "hsmwatch@example.com"),
    secret("token", "that account's API token", Fate::Token),
];

/// What a kind must be told.
pub(super) const fn wants(kind: Kind) -> &'static [Want] {
    match kind {
        Kind::Teams => TEAMS,
        Kind::Slack => SLACK,
        Kind::Webhook => WEBHOOK,
        Kind::PagerDuty => PAGERDUTY,
        Kind::JiraServiceManagement => JSM,
        Kind::ServiceNow => SERVICENOW,
        Kind::Jira => JIRA,
    }
}

impl Want {
    /// A value as it was answered.
    pub(super) fn value(&self, kind: Kind, text: &str, known: &Known) -> Result<Value, Refused> {
        if let Some(fate) = self.fate {
            return Ok(Value::Variable(variable(text, fate)?, fate));
        }
        if self.key == "url" {
            judge::address(kind, text)?;
        } else {
            fits(&RECEIVER, self.key, text, known)?;
        }
        Ok(Value::Text(text.to_owned()))
    }

    /// What Enter answers, after what was answered before.
    pub(super) fn usual(&self, before: &[(&'static str, Value)]) -> Option<String> {
        match (self.fate?, before) {
            (Fate::Secret, [(_, Value::Variable(url, _)), ..]) => Some(secret_beside(url)),
            (fate, _) => Some(fate.usual().to_owned()),
        }
    }
}

impl Receiver {
    /// The variables that it names.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, Fate)> {
        variables(&self.values)
    }

    /// From a flag: `[NAME=]` and the values, with commas. The last may be left out if it has a usual name.
    pub(super) fn flag(
        draft: &Draft,
        kind: Kind,
        text: &str,
        known: &Known,
    ) -> Result<Self, Refused> {
        // A pasted address may have `=` and `,` in it: nothing is taken apart that is no list of names.
        let named =
            text.split_once('=').filter(|(name, _)| fits(&RECEIVER, "name", name, known).is_ok());
        let (name, values) = match named {
            Some((name, values)) => (name.to_owned(), values),
            None => (draft.free_name(kind.as_str()), text),
        };
        let wants = wants(kind);
        let mut parts = values.splitn(wants.len(), ',');
        let mut values = Vec::new();
        for (n, want) in wants.iter().enumerate() {
            let answer = match parts.next() {
                Some(part) => part.to_owned(),
                None => want.usual(&values).filter(|_| n > 0).ok_or_else(|| {
                    let such: Vec<&str> = wants.iter().map(|want| want.such).collect();
                    refused(
                        "not all that is needed is there",
                        &format!("such as {}", such.join(",")),
                    )
                })?,
            };
            values.push((want.key, want.value(kind, &answer, known)?));
        }
        Ok(Self { name, kind, values })
    }
}

/// The variables among values.
pub(super) fn variables<'v>(
    values: &'v [(&'static str, Value)],
) -> impl Iterator<Item = (&'v str, Fate)> {
    values.iter().filter_map(|(_, value)| match value {
        Value::Variable(name, fate) => Some((name.as_str(), *fate)),
        Value::Text(_) => None,
    })
}

impl Fate {
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Teams,
        Self::Slack,
        Self::Webhook,
        Self::Secret,
        Self::RoutingKey,
        Self::ApiKey,
        Self::Password,
        Self::Token,
    ];

    /// The variable's usual name: that which a deployment sets too, where it does.
    pub(super) const fn usual(self) -> &'static str {
        match self {
            Self::Teams => "HSMWATCH_TEAMS_URL",
            Self::Slack => "HSMWATCH_SLACK_URL",
            Self::Webhook => "HSMWATCH_WEBHOOK_URL",
            Self::Secret => "HSMWATCH_WEBHOOK_SECRET",
            Self::RoutingKey => "HSMWATCH_PAGERDUTY_ROUTING_KEY",
            Self::ApiKey => "JSM_API_KEY",
            Self::Password => "SERVICENOW_PASSWORD",
            Self::Token => "JIRA_TOKEN",
        }
    }

    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Teams | Self::Slack | Self::Webhook => "the address",
            Self::Secret => "the secret",
            Self::RoutingKey | Self::ApiKey => "the key",
            Self::Password => "the password",
            Self::Token => "the token",
        }
    }

    /// Where its value comes from.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Teams => "paste: Teams, the channel's Workflows, its webhook's URL",
            Self::Slack => "paste: Slack, your app's Incoming Webhooks",
            Self::Webhook => "paste: the address; it is not shown",
            Self::Secret => "give the receiver the same",
            Self::RoutingKey => "paste: PagerDuty, the service's Integrations, Events API V2",
            Self::ApiKey => "paste: Jira Service Management, the team's Integrations, API",
            Self::Password => "paste: the password; it is not shown",
            Self::Token => "paste: id.atlassian.com, Security, API tokens",
        }
    }

    /// A value that such a variable could have.
    pub(super) const fn stand_in(self) -> &'static str {
        match self {
            Self::Teams => "https://example.environment.api.powerplatform.com/workflows",
            Self::Slack => "https://hooks.slack.com/services",
            Self::Webhook => "https://example.com/",
            Self::Secret => "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            Self::RoutingKey => "00000000000000000000000000000000",
            Self::ApiKey => "00000000-0000-0000-0000-000000000000",
            Self::Password | Self::Token => "0000",
        }
    }
}
