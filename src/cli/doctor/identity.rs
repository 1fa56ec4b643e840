//! Tokens: whether there is one for each audience, and whose it is. A token itself is never shown.

use super::kinds::TOKEN;
use crate::azure::identity::{Choice, TokenError, TokenSource};
use crate::hosts::checks::{Check, Cure};
use crate::notify::limits::clean;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use std::time::Duration;

/// No token is waited for longer: the first of the developer's tools may take its time.
const WAIT: Duration = Duration::from_secs(40);
/// No token's claims need to be longer.
const LONGEST: usize = 16 * 1024;

/// Whose a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Who {
    /// Of a user, or the name of an app or a managed identity, where it is said.
    pub(super) name: Option<String>,
    /// The object that roles are given to.
    pub(super) oid: Option<String>,
    /// The client id.
    pub(super) app: Option<String>,
    /// The tenant.
    pub(super) tenant: Option<String>,
    /// Whether it is a person's.
    pub(super) person: bool,
}

impl Who {
    /// From the claims of a token, which are not checked: the service does that.
    pub(super) fn of(token: &str) -> Option<Self> {
        let claims = token.split('.').nth(1).filter(|claims| claims.len() <= LONGEST)?;
        let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
        let claims: Json = serde_json::from_slice(&claims).ok()?;
        let get = |names: &[&str]| {
            let text = names.iter().find_map(|name| claims.get(*name)?.as_str());
            text.map(|text| clean(text, 120)).filter(|text| !text.is_empty())
        };
        let user = get(&["upn", "preferred_username", "unique_name"]);
        let app = get(&["appid", "azp"]);
        let person = match get(&["idtyp"]).as_deref() {
            Some("app") => false,
            Some("user") => true,
            _ => user.is_some(),
        };
        // A managed identity's token says which resource it is.
        let managed = claims.get("xms_mirid").and_then(Json::as_str);
        let managed = managed.and_then(|id| id.rsplit('/').next()).map(|name| clean(name, 120));
        Some(Self {
            name: user.or(managed).or_else(|| get(&["app_displayname"])),
            oid: get(&["oid"]),
            app,
            tenant: get(&["tid"]),
            person,
        })
    }

    /// What role assignments call it.
    pub(super) const fn principal(&self) -> &'static str {
        if self.person { "User" } else { "ServicePrincipal" }
    }

    /// For people.
    fn says(&self) -> String {
        let kind = if self.person { "user" } else { "app" };
        let mut text = match (&self.name, &self.app) {
            (Some(name), _) => format!("{kind} `{name}`"),
            (None, Some(app)) => format!("{kind} `{app}`"),
            (None, None) => format!("an unnamed {kind}"),
        };
        let named = self.name.is_some() && !self.person;
        for (what, value) in [
            ("object id", self.oid.as_ref()),
            ("client id", self.app.as_ref().filter(|_| named)),
            ("tenant", self.tenant.as_ref()),
        ] {
            if let Some(value) = value {
                text.extend([", ", what, " ", value]);
            }
        }
        text
    }
}

/// A token for an audience.
pub(super) struct Asked {
    check: Check,
    pub(super) who: Option<Who>,
    /// Whether there is one.
    pub(super) got: bool,
    audience: String,
    until: String,
}

impl Asked {
    /// The check, shorter if the same identity was named before.
    pub(super) fn check(self, before: Option<&Who>) -> Check {
        if before.is_some() && self.who.as_ref() == before {
            return TOKEN.ok(format!("the same identity{}", self.until)).of(self.audience);
        }
        self.check
    }
}

/// Asks for a token.
pub(super) async fn ask(
    audience: &str,
    scope: &str,
    choice: &Choice,
    source: &dyn TokenSource,
    now: DateTime<Utc>,
) -> Asked {
    let token = match tokio::time::timeout(WAIT, source.token(scope)).await {
        Ok(token) => token,
        Err(_) => Err(TokenError::Unavailable(format!("no answer within {} s", WAIT.as_secs()))),
    };
    let check = |check: Check| check.of(audience);
    match token {
        Ok(token) => {
            let who = Who::of(token.secret.expose_secret());
            let left = (token.expires - now).num_minutes();
            let whose =
                who.as_ref().map_or_else(|| "its claims cannot be read".to_owned(), Who::says);
            let until = if (0..60 * 24 * 30).contains(&left) {
                format!(", good for {left} min")
            } else {
                String::new()
            };
            let seen = format!("{}: {whose}{until}", choice.name());
            Asked {
                check: check(TOKEN.ok(seen)),
                who,
                got: true,
                audience: audience.to_owned(),
                until,
            }
        }
        Err(error) => {
            let failed = TOKEN.fail(error.to_string()).cure(cure(choice, &error));
            Asked {
                check: check(failed),
                who: None,
                got: false,
                audience: audience.to_owned(),
                until: String::new(),
            }
        }
    }
}

fn cure(choice: &Choice, error: &TokenError) -> Cure {
    if matches!(error, TokenError::Unavailable(_)) {
        return Cure::text(
            "try again; if it lasts, see whether this machine reaches the sign-in service",
        );
    }
    match choice {
        Choice::DeveloperTools => Cure::az("az login"),
        Choice::ManagedIdentity { client_id: None } => Cure::text(
            "assign an identity to the app; for a user-assigned one set AZURE_CLIENT_ID to its client id",
        )
        .and_portal("Function App › Settings › Identity"),
        Choice::ManagedIdentity { .. } => Cure::text(
            "AZURE_CLIENT_ID must be the client id of a user-assigned identity that is assigned to the app",
        )
        .and_portal("Function App › Settings › Identity › User assigned"),
        Choice::WorkloadIdentity { .. } => Cure::text(
            "look at AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE, and at the federated credential's \
             issuer and subject",
        ),
        Choice::ClientSecret { .. } => Cure::text(
            "look at AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET; secrets of an app registration end",
        )
        .and_portal("Microsoft Entra ID › App registrations › the app › Certificates & secrets"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &Json) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn whose_a_token_is() {
        let person = json!({"upn": "ada@contoso.com", "oid": "o-1", "appid": "04b0", "tid": "t-1"});
        let who = Who::of(&token(&person)).unwrap();
        assert_eq!(who.says(), "user `ada@contoso.com`, object id o-1, tenant t-1");
        assert_eq!(who.principal(), "User");
        let managed = json!({"oid": "o-2", "appid": "a-2", "tid": "t-1", "idtyp": "app",
            "xms_mirid": "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-with-a-long-name/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-hsmwatch"});
        let who = Who::of(&token(&managed)).unwrap();
        assert_eq!(who.says(), "app `id-hsmwatch`, object id o-2, client id a-2, tenant t-1");
        assert_eq!(who.principal(), "ServicePrincipal");
        assert_eq!(Who::of(&token(&json!({}))).unwrap().says(), "an unnamed app");
    }

    #[test]
    fn a_token_that_is_none_is_nobodys() {
        for text in
            ["", "a", "a.b.c", "a.!!.c", "e30.bnVsbA.x", &format!("a.{}.c", "A".repeat(20_000))]
        {
            let who = Who::of(text);
            assert!(who.is_none_or(|who| who == Who::default()), "{text}");
        }
        let evil = json!({"upn": "a\u{1b}[2J\u{202e}b", "oid": 7});
        assert_eq!(Who::of(&token(&evil)).unwrap().says(), "user `a[2Jb`");
    }
}
