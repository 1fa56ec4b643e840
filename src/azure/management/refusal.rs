//! What a refusal of Resource Manager means for the caller.

use super::ManagementError;
use crate::wire::clean;
use serde_json::Value as Json;
use std::time::Duration;

/// What an error body says: code and message, as deep as they go.
#[derive(Debug, Default)]
struct Said {
    codes: Vec<String>,
    messages: Vec<String>,
}

impl Said {
    /// Reads `{"error":{"code","message","details":[…]}}`, and the older `{"Code","Message"}`.
    fn read(body: &[u8]) -> Self {
        let mut said = Self::default();
        if let Ok(json) = serde_json::from_slice::<Json>(body) {
            let root = json.get("error").filter(|error| error.is_object()).unwrap_or(&json);
            said.walk(root, 0);
        }
        said
    }

    fn walk(&mut self, node: &Json, depth: u8) {
        let field = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| node.get(*name)?.as_str());
            text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        self.codes.extend(field(["code", "Code"]));
        self.messages.extend(field(["message", "Message"]));
        if depth < 8 {
            let details = node.get("details").and_then(Json::as_array);
            for detail in details.into_iter().flatten().take(4) {
                self.walk(detail, depth + 1);
            }
        }
    }

    fn text(&self) -> String {
        match self.messages.first().or(self.codes.first()) {
            Some(text) => clean(text),
            None => "no reason given".to_owned(),
        }
    }
}

/// The namespace that a subscription is not registered to use, if a text says that. Any service may say it.
pub fn not_registered(text: &str) -> Option<String> {
    let (_, after) = text.split_once("not registered to use namespace")?;
    let name: String = after
        .trim_start_matches([' ', '\'', '"', '`'])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '.')
        .take(100)
        .collect();
    let name = name.trim_end_matches('.').to_owned();
    (!name.is_empty()).then_some(name)
}

/// The action that a 403 says is not allowed.
fn action(text: &str) -> Option<String> {
    let (_, after) = text.split_once("perform action '")?;
    let (action, _) = after.split_once('\'')?;
    let good = !action.is_empty()
        && action.len() <= 200
        && action.chars().all(|c| c.is_ascii_alphanumeric() || "./*-_".contains(c));
    good.then(|| action.to_owned())
}

/// What a status other than 200 means.
pub(super) fn refusal(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    name: &str,
) -> ManagementError {
    let said = Said::read(body);
    let text = said.text();
    let unregistered = said.messages.iter().find_map(|message| not_registered(message));
    let code = |wanted: &str| said.codes.iter().any(|code| code.eq_ignore_ascii_case(wanted));
    if let Some(namespace) = unregistered {
        return ManagementError::NotRegistered { namespace };
    }
    match status {
        401 => ManagementError::TokenRefused(text),
        403 => ManagementError::Denied {
            action: said.messages.iter().find_map(|message| action(message)),
            said: text,
        },
        // A subscription that one may not read is said not to be there.
        404 if code("SubscriptionNotFound") => ManagementError::Denied { action: None, said: text },
        404 => ManagementError::NotFound(name.to_owned()),
        429 => ManagementError::Throttled { retry_after },
        500..=599 => ManagementError::Unavailable(format!("{text} (status {status})")),
        _ => ManagementError::Refused(format!("{text} (status {status})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> ManagementError {
        refusal(status, body.as_bytes(), None, "/x")
    }

    #[test]
    fn every_refusal_says_what_the_caller_must_do() {
        let denied = r#"{"error":{"code":"AuthorizationFailed","message":"The client 'a@b' with object id 'o' does not have authorization to perform action 'Microsoft.Insights/diagnosticSettings/read' over scope '/x' or the scope is invalid."}}"#;
        let ManagementError::Denied { action, said } = of(403, denied) else { panic!() };
        assert_eq!(action.as_deref(), Some("Microsoft.Insights/diagnosticSettings/read"));
        assert!(said.starts_with("The client 'a@b'"));
        let registration = r#"{"error":{"code":"MissingSubscriptionRegistration","message":"The subscription is not registered to use namespace 'microsoft.insights'. See https://aka.ms/rps-not-found for how to register subscriptions."}}"#;
        let namespace = "microsoft.insights".to_owned();
        assert_eq!(of(409, registration), ManagementError::NotRegistered { namespace });
        assert_eq!(
            of(404, r#"{"error":{"code":"ResourceNotFound","message":"not found"}}"#),
            ManagementError::NotFound("/x".into())
        );
        assert!(matches!(
            of(404, r#"{"error":{"code":"SubscriptionNotFound","message":"m"}}"#),
            ManagementError::Denied { action: None, .. }
        ));
        assert_eq!(
            of(503, "<html>"),
            ManagementError::Unavailable("no reason given (status 503)".into())
        );
        assert_eq!(
            of(400, r#"{"Code":"BadRequest","Message":"why?"}"#),
            ManagementError::Refused("why? (status 400)".into())
        );
    }

    #[test]
    fn what_is_quoted_from_a_refusal_is_only_what_it_should_be() {
        assert_eq!(not_registered("not registered to use namespace 'a b'"), Some("a".into()));
        assert_eq!(not_registered("not registered to use namespace '$(x)'"), None);
        assert_eq!(action("perform action 'x; rm -rf /'"), None);
        assert_eq!(action("perform action 'x"), None);
    }
}
