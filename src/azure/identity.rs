//! Tokens: which identity this process has, and how it asks for them.

use super::{Cloud, is_loopback};
use crate::wire::chain;
use async_trait::async_trait;
use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// No token is waited for longer than this, retries included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A bearer token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What is sent. Empty: nothing is sent.
    pub secret: SecretString,
    /// From then on it is refused.
    pub expires: DateTime<Utc>,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Someone must change the identity or the configuration.
    #[error("{0}")]
    Denied(String),
    /// The token service or the way to it is down: try again.
    #[error("{0}")]
    Unavailable(String),
}

/// Where tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token for `scope` (`https://…/.default`), from memory while it is good.
    async fn token(&self, scope: &str) -> Result<Token, TokenError>;

    /// Forgets the tokens in memory: the service did not accept one.
    fn invalidate(&self);
}

/// Always the same token: for services on this machine, which check none.
#[derive(Clone, Debug)]
pub struct StaticToken(pub SecretString);

#[async_trait]
impl TokenSource for StaticToken {
    async fn token(&self, _scope: &str) -> Result<Token, TokenError> {
        Ok(Token { secret: self.0.clone(), expires: DateTime::<Utc>::MAX_UTC })
    }

    fn invalidate(&self) {}
}

/// Which identity this process has.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The managed identity of a function app.
    ManagedIdentity {
        /// Of a user-assigned one.
        client_id: Option<String>,
    },
    /// A Kubernetes service account, federated.
    WorkloadIdentity {
        /// `AZURE_TENANT_ID`
        tenant_id: String,
        /// `AZURE_CLIENT_ID`
        client_id: String,
        /// `AZURE_FEDERATED_TOKEN_FILE`
        file: PathBuf,
    },
    /// An app registration with a secret.
    ClientSecret {
        /// `AZURE_TENANT_ID`
        tenant_id: String,
        /// `AZURE_CLIENT_ID`
        client_id: String,
        /// `AZURE_CLIENT_SECRET`
        secret: SecretString,
    },
    /// Whoever is signed in to the Azure CLI or the Azure Developer CLI.
    DeveloperTools,
}

/// Why the environment names no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// A variable that goes with another is missing.
    #[error("`{set}` is set but `{missing}` is not: set both or neither")]
    Half {
        /// The one that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Not a URL.
    #[error("`IDENTITY_ENDPOINT` is not an http or https URL")]
    Endpoint,
}

/// Chooses by the environment: a managed identity where the host offers one, else a federated or secret credential, else
/// the developer's own. Never the metadata address of a virtual machine, which costs minutes where there is none.
pub fn choose(lookup: impl Fn(&str) -> Option<String>) -> Result<Choice, ChoiceError> {
    let get = |name| lookup(name).filter(|value| !value.trim().is_empty());
    let with = |set, missing| get(missing).ok_or(ChoiceError::Half { set, missing });
    if let Some(endpoint) = get("IDENTITY_ENDPOINT") {
        // Without the header azure_identity would ask the metadata address instead.
        with("IDENTITY_ENDPOINT", "IDENTITY_HEADER")?;
        let url = Url::parse(&endpoint).map_err(|_| ChoiceError::Endpoint)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ChoiceError::Endpoint);
        }
        return Ok(Choice::ManagedIdentity { client_id: get("AZURE_CLIENT_ID") });
    }
    if let Some(file) = get("AZURE_FEDERATED_TOKEN_FILE") {
        let with = |missing| with("AZURE_FEDERATED_TOKEN_FILE", missing);
        return Ok(Choice::WorkloadIdentity {
            tenant_id: with("AZURE_TENANT_ID")?,
            client_id: with("AZURE_CLIENT_ID")?,
            file: file.into(),
        });
    }
    if let Some(secret) = get("AZURE_CLIENT_SECRET") {
        let with = |missing| with("AZURE_CLIENT_SECRET", missing);
        return Ok(Choice::ClientSecret {
            tenant_id: with("AZURE_TENANT_ID")?,
            client_id: with("AZURE_CLIENT_ID")?,
            secret: secret.into(),
        });
    }
    Ok(Choice::DeveloperTools)
}

impl Choice {
    /// What it is, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ManagedIdentity { client_id: None } => "system-assigned managed identity",
            Self::ManagedIdentity { .. } => "user-assigned managed identity",
            Self::WorkloadIdentity { .. } => "workload identity",
            Self::ClientSecret { .. } => "client secret",
            Self::DeveloperTools => "developer tools",
        }
    }

    /// The credential, as Azure's other clients take it. Its retries end within 10 s.
    pub fn credential(&self, cloud: Cloud) -> Result<Arc<dyn TokenCredential>, TokenError> {
        let denied = |e: azure_core::Error| TokenError::Denied(self.say(&chain(&e)));
        Ok(match self {
            Self::ManagedIdentity { client_id } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: self.options(None)?,
                }))
                .map_err(denied)?
            }
            Self::WorkloadIdentity { tenant_id, client_id, file } => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions {
                        client_options: self.options(Some(cloud))?,
                    },
                    client_id: Some(client_id.clone()),
                    tenant_id: Some(tenant_id.clone()),
                    token_file_path: Some(file.clone()),
                }))
                .map_err(denied)?
            }
            Self::ClientSecret { tenant_id, client_id, secret } => ClientSecretCredential::new(
                tenant_id,
                client_id.clone(),
                Secret::from(secret.expose_secret().to_owned()),
                Some(ClientSecretCredentialOptions { client_options: self.options(Some(cloud))? }),
            )
            .map_err(denied)?,
            Self::DeveloperTools => DeveloperToolsCredential::new(None).map_err(denied)?,
        })
    }

    /// Bounded retries over a client of our own: `azure_core`'s panics where the system has no CA certificates. Without a
    /// cloud it is for an endpoint on this machine, whose secret a proxy of the environment must not see.
    fn options(&self, cloud: Option<Cloud>) -> Result<ClientOptions, TokenError> {
        let http = super::client(cloud.is_none())
            .map_err(|e| TokenError::Denied(self.say(&crate::wire::cause(e))))?;
        Ok(ClientOptions {
            transport: Some(Transport::new(Arc::new(http))),
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                initial_delay: azure_core::time::Duration::milliseconds(200),
                max_retries: 3,
                max_total_elapsed: azure_core::time::Duration::seconds(10),
                max_delay: azure_core::time::Duration::seconds(2),
            }),
            cloud: cloud.map(|cloud| {
                Arc::new(match cloud {
                    Cloud::Public => CloudConfiguration::AzurePublic,
                    Cloud::UsGov => CloudConfiguration::AzureGovernment,
                    Cloud::China => CloudConfiguration::AzureChina,
                })
            }),
            ..ClientOptions::default()
        })
    }

    /// An error's text with the identity it concerns.
    fn say(&self, text: &str) -> String {
        let hint = match self {
            Self::DeveloperTools => {
                "; sign in with `az login`, or set the variables of an identity"
            }
            _ => "",
        };
        format!("no token from {}: {text}{hint}", self.name())
    }
}

/// Tokens of the identity that was chosen.
pub struct AzureIdentity {
    choice: Choice,
    cloud: Cloud,
    /// Holds tokens in memory, and has no way to forget them but to be made anew.
    credential: Mutex<Option<Arc<dyn TokenCredential>>>,
}

impl fmt::Debug for AzureIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureIdentity({})", self.choice.name())
    }
}

impl AzureIdentity {
    /// Asks nothing yet.
    pub fn new(choice: Choice, cloud: Cloud) -> Self {
        Self { choice, cloud, credential: Mutex::new(None) }
    }

    fn credential(&self) -> Result<Arc<dyn TokenCredential>, TokenError> {
        let mut held = self.credential.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = &*held {
            return Ok(Arc::clone(credential));
        }
        let credential = self.choice.credential(self.cloud)?;
        *held = Some(Arc::clone(&credential));
        Ok(credential)
    }
}

#[async_trait]
impl TokenSource for AzureIdentity {
    async fn token(&self, scope: &str) -> Result<Token, TokenError> {
        let credential = self.credential()?;
        let token = tokio::time::timeout(TIMEOUT, credential.get_token(&[scope], None))
            .await
            .map_err(|_| TokenError::Unavailable(self.choice.say("no answer within 30 s")))?
            .map_err(|error| {
                let text = self.choice.say(&chain(&error));
                // Where nobody is signed in, no patience helps.
                if refused(&error) || matches!(self.choice, Choice::DeveloperTools) {
                    TokenError::Denied(text)
                } else {
                    TokenError::Unavailable(text)
                }
            })?;
        let expires = DateTime::from_timestamp(token.expires_on.unix_timestamp(), 0);
        Ok(Token {
            secret: token.token.secret().to_owned().into(),
            expires: expires.unwrap_or(DateTime::<Utc>::MAX_UTC),
        })
    }

    fn invalidate(&self) {
        *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether the token service answered and said no (4xx, save those that ask for patience).
fn refused(error: &azure_core::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(status) =
            error.downcast_ref::<azure_core::Error>().and_then(azure_core::Error::http_status)
        {
            let status = u16::from(status);
            return (400..500).contains(&status) && !matches!(status, 408 | 425 | 429);
        }
        next = error.source();
    }
    false
}

/// The tokens for a query endpoint. One on this machine is asked with a token that means nothing, unless the environment
/// names an identity: neither a developer's token nor a minute of waiting is spent on it.
pub fn for_endpoint(
    endpoint: &Url,
    cloud: Cloud,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Arc<dyn TokenSource>, ChoiceError> {
    Ok(match choose(lookup)? {
        Choice::DeveloperTools if is_loopback(endpoint) => {
            Arc::new(StaticToken("loopback".to_owned().into()))
        }
        choice => Arc::new(AzureIdentity::new(choice, cloud)),
    })
}

/// The same for calls of `url` that are not queries. `client_id` names another user-assigned identity than the
/// environment's, where the identity is one of those that have several.
pub fn for_audience(
    url: &Url,
    cloud: Cloud,
    client_id: Option<&str>,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Arc<dyn TokenSource>, ChoiceError> {
    let several = ["IDENTITY_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE"]
        .iter()
        .any(|name| lookup(name).is_some_and(|value| !value.trim().is_empty()));
    let client_id = client_id.filter(|_| several);
    for_endpoint(url, cloud, |name| match client_id {
        Some(id) if name == "AZURE_CLIENT_ID" => Some(id.to_owned()),
        _ => lookup(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn the_environment_chooses() {
        for (pairs, expected) in [
            (&[][..], r"Ok(DeveloperTools)"),
            (&[("AZURE_CLIENT_ID", "c")], r"Ok(DeveloperTools)"),
            (&[("IDENTITY_ENDPOINT", ""), ("AZURE_CLIENT_SECRET", " ")], r"Ok(DeveloperTools)"),
            (
                &[("IDENTITY_ENDPOINT", "http://127.0.0.1:41/x"), ("IDENTITY_HEADER", "h")],
                r"Ok(ManagedIdentity { client_id: None })",
            ),
            (
                &[
                    ("IDENTITY_ENDPOINT", "http://127.0.0.1:41/x"),
                    ("IDENTITY_HEADER", "h"),
                    ("AZURE_CLIENT_ID", "c"),
                    ("AZURE_TENANT_ID", "t"),
                    ("AZURE_CLIENT_SECRET", "s"),
                ],
                r#"Ok(ManagedIdentity { client_id: Some("c") })"#,
            ),
            (
                &[("IDENTITY_ENDPOINT", "http://127.0.0.1:41/x")],
                r#"Err(Half { set: "IDENTITY_ENDPOINT", missing: "IDENTITY_HEADER" })"#,
            ),
            (&[("IDENTITY_ENDPOINT", "nonsense"), ("IDENTITY_HEADER", "h")], r"Err(Endpoint)"),
            (&[("IDENTITY_ENDPOINT", "file:///x"), ("IDENTITY_HEADER", "h")], r"Err(Endpoint)"),
            (
                &[
                    ("AZURE_FEDERATED_TOKEN_FILE", "/f"),
                    ("AZURE_TENANT_ID", "t"),
                    ("AZURE_CLIENT_ID", "c"),
                    ("AZURE_CLIENT_SECRET", "s"),
                ],
                r#"Ok(WorkloadIdentity { tenant_id: "t", client_id: "c", file: "/f" })"#,
            ),
            (
                &[("AZURE_FEDERATED_TOKEN_FILE", "/f"), ("AZURE_TENANT_ID", "t")],
                r#"Err(Half { set: "AZURE_FEDERATED_TOKEN_FILE", missing: "AZURE_CLIENT_ID" })"#,
            ),
            (
                &[("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")],
                r#"Ok(ClientSecret { tenant_id: "t", client_id: "c", secret: SecretBox<str>([REDACTED]) })"#,
            ),
            (
                &[("AZURE_CLIENT_SECRET", "s"), ("AZURE_CLIENT_ID", "c")],
                r#"Err(Half { set: "AZURE_CLIENT_SECRET", missing: "AZURE_TENANT_ID" })"#,
            ),
        ] {
            assert_eq!(format!("{:?}", choose(env(pairs))), expected, "{pairs:?}");
        }
    }

    #[test]
    fn errors_name_the_cure() {
        let half = ChoiceError::Half { set: "IDENTITY_ENDPOINT", missing: "IDENTITY_HEADER" };
        assert_eq!(
            half.to_string(),
            "`IDENTITY_ENDPOINT` is set but `IDENTITY_HEADER` is not: set both or neither"
        );
    }

    #[test]
    fn a_service_on_this_machine_needs_no_identity() {
        let here: Url = "http://127.0.0.1:9".parse().unwrap();
        let there: Url = Cloud::Public.query_endpoint().parse().unwrap();
        let named =
            env(&[("IDENTITY_ENDPOINT", "http://127.0.0.1:41/x"), ("IDENTITY_HEADER", "h")]);
        let show = |url: &Url, named: bool, env: &dyn Fn(&str) -> Option<String>| {
            let lookup = |name: &str| if named { env(name) } else { None };
            format!("{:?}", for_endpoint(url, Cloud::Public, lookup).unwrap())
        };
        assert_eq!(show(&here, false, &named), "StaticToken(SecretBox<str>([REDACTED]))");
        assert_eq!(show(&there, false, &named), "AzureIdentity(developer tools)");
        assert_eq!(show(&here, true, &named), "AzureIdentity(system-assigned managed identity)");
    }

    #[test]
    fn a_token_file_that_is_not_there_is_named_as_configuration() {
        let choice = Choice::WorkloadIdentity {
            tenant_id: "00000000-0000-0000-0000-000000000000".into(),
            client_id: "c".into(),
            file: "/nonexistent/token".into(),
        };
        let Err(TokenError::Denied(text)) = choice.credential(Cloud::UsGov) else { panic!() };
        assert!(text.starts_with("no token from workload identity: "), "{text}");
    }
}
