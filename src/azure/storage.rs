//! A storage account: how we prove who we are to it, and the client of its blob service.
//!
//! ```text
//! key(url, secret, cloud, lookup) ─► Key ─► service(url, key) ─► BlobServiceClient
//!                                                 errors of the client ─► fault(error) ─► Fault
//! ```

mod fault;
mod sign;

pub use fault::{Fault, fault};

use super::Cloud;
use super::identity::{Choice, ChoiceError, TokenError, choose};
use super::is_loopback;
use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{
    ClientOptions, Context, ExponentialRetryOptions, Request, RetryOptions, Transport,
};
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The version of the service's interface that we ask for: an old one, so that older Azurites do too.
const VERSION: &str = "2023-11-03";
/// What a token for storage is good for, in every cloud.
const SCOPE: &str = "https://storage.azure.com/.default";
/// No connection is waited for longer.
const CONNECT: Duration = Duration::from_secs(5);
/// No piece of an answer is waited for longer.
const READ: Duration = Duration::from_secs(10);

/// The account that Azurite makes, and the key that its documentation prints: no secret.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A secret of an account, where no identity is used.
#[derive(Clone, Debug)]
pub enum Secret {
    /// One of the account's two keys, base64.
    AccountKey(SecretString),
    /// A shared access signature, with or without its `?`.
    Sas(SecretString),
}

/// How we prove who we are to an account. Prints nothing secret.
#[derive(Clone)]
pub enum Key {
    /// With tokens.
    Identity(Arc<dyn TokenCredential>),
    /// With a shared access signature: the query of every URL.
    Sas(SecretString),
    /// With a signature over each request.
    Shared {
        /// The account's name.
        account: String,
        /// One of its keys, base64.
        key: SecretString,
    },
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(_) => f.write_str("Identity"),
            Self::Sas(_) => f.write_str("Sas"),
            Self::Shared { account, .. } => write!(f, "Shared({account})"),
        }
    }
}

/// Why an account cannot be used as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The environment names no identity.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// There is no credential.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The key is no key.
    #[error("the key of account `{0}` is not base64: copy it whole from \"Access keys\"")]
    NotBase64(String),
    /// A service on this machine that no identity of Azure is for.
    #[error("account `{0}` on this machine needs `account_key` or `sas`")]
    Emulator(String),
    /// The client cannot be made.
    #[error("account `{account}`: {why}")]
    Client {
        /// The account's name.
        account: String,
        /// What is wrong.
        why: String,
    },
}

/// The key to an account, and who that is, for people. An account of Azurite's on this machine needs no secret.
pub fn key(
    url: &Url,
    secret: Option<&Secret>,
    cloud: Cloud,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(Key, &'static str), StorageError> {
    let account = account(url);
    let shared = |key: SecretString| Key::Shared { account: account.clone(), key };
    match secret {
        Some(Secret::AccountKey(key)) => return Ok((shared(key.clone()), "the account key")),
        Some(Secret::Sas(sas)) => {
            return Ok((Key::Sas(sas.clone()), "the shared access signature"));
        }
        None => {}
    }
    if let Some(sas) = url.query() {
        return Ok((Key::Sas(sas.to_owned().into()), "the shared access signature"));
    }
    let choice = choose(lookup)?;
    if is_loopback(url) {
        let plain = url.scheme() == "http";
        let nobody = matches!(choice, Choice::DeveloperTools);
        if account == DEVELOPMENT_ACCOUNT && (plain || nobody) {
            return Ok((shared(DEVELOPMENT_KEY.to_owned().into()), "Azurite's development key"));
        }
        // A developer's own token is not for whoever listens on this machine.
        if nobody {
            return Err(StorageError::Emulator(account));
        }
    }
    Ok((Key::Identity(choice.credential(cloud)?), choice.name()))
}

/// The account's name, for people and for signatures. On this machine it is in the path.
pub fn account(url: &Url) -> String {
    let in_path = url.path_segments().and_then(|mut path| path.next().map(str::to_owned));
    let in_host = url.host_str().and_then(|host| host.split('.').next().map(str::to_owned));
    if is_loopback(url) { in_path } else { in_host }.unwrap_or_default()
}

/// The client of the account's blob service. Its retries are few and end within 10 s or so; callers set the end by a
/// timeout of their own, for the service may ask for more patience.
pub fn service(url: &Url, key: &Key) -> Result<BlobServiceClient, StorageError> {
    client(
        url,
        key,
        RetryOptions::exponential(ExponentialRetryOptions {
            initial_delay: azure_core::time::Duration::milliseconds(200),
            max_retries: 3,
            max_total_elapsed: azure_core::time::Duration::seconds(10),
            max_delay: azure_core::time::Duration::seconds(2),
        }),
    )
}

/// The same client without retries: for writes, whose repetition its caller must know of.
pub fn service_once(url: &Url, key: &Key) -> Result<BlobServiceClient, StorageError> {
    client(url, key, RetryOptions::none())
}

fn client(url: &Url, key: &Key, retry: RetryOptions) -> Result<BlobServiceClient, StorageError> {
    let account = account(url);
    let bad = |why: String| StorageError::Client { account: account.clone(), why };
    let loopback = is_loopback(url);
    let http = http(loopback).map_err(|e| bad(crate::wire::cause(e)))?;
    let mut url = url.clone();
    // The service refuses a path that begins with two slashes, which a slash here would lead to.
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let mut per_try_policies: Vec<Arc<dyn Policy>> = Vec::new();
    let mut credential = None;
    match key {
        // The client takes tokens only over https; a test's service on this machine has none.
        Key::Identity(tokens) if loopback && url.scheme() == "http" => {
            per_try_policies.push(Arc::new(Bearer(Arc::clone(tokens))));
        }
        Key::Identity(tokens) => credential = Some(Arc::clone(tokens)),
        Key::Sas(sas) => {
            let sas = sas.expose_secret().trim();
            url.set_query(Some(sas.strip_prefix('?').unwrap_or(sas)));
        }
        Key::Shared { account, key } => {
            let policy = sign::SharedKey::new(account, key)
                .ok_or_else(|| StorageError::NotBase64(account.clone()))?;
            per_try_policies.push(Arc::new(policy));
        }
    }
    let options = BlobServiceClientOptions {
        client_options: ClientOptions {
            per_try_policies,
            retry,
            transport: Some(Transport::new(Arc::new(http))),
            ..ClientOptions::default()
        },
        version: VERSION.to_owned(),
    };
    // Its error quotes the URL.
    BlobServiceClient::new(url, credential, Some(options))
        .map_err(|_| bad("the URL is no account's".to_owned()))
}

/// Bodies are taken as they come: what is decompressed on the way is not what was written, and has not its length.
fn http(loopback: bool) -> Result<reqwest::Client, reqwest::Error> {
    super::builder(loopback)
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .no_gzip()
        .no_deflate()
        .no_brotli()
        .no_zstd()
        .build()
}

/// Sends a token over plain http, to this machine.
#[derive(Debug)]
struct Bearer(Arc<dyn TokenCredential>);

#[expect(elided_lifetimes_in_paths, reason = "the trait elides it, and the two must agree")]
#[async_trait]
impl Policy for Bearer {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let token = self.0.get_token(&[SCOPE], None).await?;
        request.insert_header("authorization", format!("Bearer {}", token.token.secret()));
        sign::pass(ctx, request, next).await
    }
}

#[cfg(test)]
mod tests;
