//! Azure Resource Manager: which resources there are, and how they are set up. It reads, and asks for keys; it changes nothing.

mod refusal;
mod resource;

pub use refusal::not_registered;
pub use resource::{ResourceId, is_guid};

use super::identity::{TokenError, TokenSource};
use super::{Cloud, is_loopback};
use crate::wire::{cause, date, retry_after};
use chrono::{DateTime, TimeDelta, Utc};
use refusal::refusal;
use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// The most of an answer that is read.
const MAX_BODY: usize = 4 << 20;
/// No answer is waited for longer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A longer wait than this is left to whoever asks again.
const PATIENCE: Duration = Duration::from_secs(3);
/// Further tries, and the pauses before them.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// Pages of one listing that are followed.
const PAGES: usize = 20;
/// Things of one listing that are held.
const ITEMS: usize = 2000;

impl Cloud {
    /// Where resources are managed.
    pub const fn management_endpoint(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::UsGov => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    /// What a token for managing resources is good for.
    pub const fn management_scope(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com/.default",
            Self::UsGov => "https://management.usgovcloudapi.net/.default",
            Self::China => "https://management.chinacloudapi.cn/.default",
        }
    }

    /// What the names of function apps end in.
    pub const fn sites_suffix(self) -> &'static str {
        match self {
            Self::Public => ".azurewebsites.net",
            Self::UsGov => ".azurewebsites.us",
            Self::China => ".chinacloudsites.cn",
        }
    }
}

/// Why Resource Manager did not answer what was asked. Texts carry no URL and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagementError {
    /// There is no token: someone must mend the identity.
    #[error("{0}")]
    NoToken(String),
    /// The token is not accepted: most often it is of another tenant or cloud.
    #[error("the token is not accepted: {0}")]
    TokenRefused(String),
    /// Someone must grant a right.
    #[error("access denied: {said}")]
    Denied {
        /// The action that is not allowed, if it was said.
        action: Option<String>,
        /// What was said.
        said: String,
    },
    /// Someone must register the subscription for a resource provider.
    #[error("the subscription is not registered to use namespace `{namespace}`")]
    NotRegistered {
        /// The provider's namespace.
        namespace: String,
    },
    /// There is no such thing.
    #[error("`{0}` is not there")]
    NotFound(String),
    /// Ask again later.
    #[error("throttled by Resource Manager; try again in some minutes")]
    Throttled {
        /// What `Retry-After` said.
        retry_after: Option<Duration>,
    },
    /// The question is wrong.
    #[error("refused: {0}")]
    Refused(String),
    /// The service or the way to it is down: try again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The answer is none that could be used.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl From<TokenError> for ManagementError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Denied(why) => Self::NoToken(why),
            TokenError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// Things of a listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The things.
    pub items: Vec<Json>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Resource Manager, as one identity.
pub struct Management {
    endpoint: Url,
    scope: String,
    credential: Arc<dyn TokenSource>,
    http: reqwest::Client,
    /// The service's clock less ours, by the latest answer.
    skew: Mutex<Option<TimeDelta>>,
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Management({})", self.endpoint.host_str().unwrap_or_default())
    }
}

impl Management {
    /// Asks nothing yet. `endpoint` must be https, or on this machine.
    pub fn new(
        endpoint: Url,
        scope: &str,
        credential: Arc<dyn TokenSource>,
    ) -> Result<Self, String> {
        let loopback = is_loopback(&endpoint);
        // A token must not travel in the clear.
        if !(endpoint.scheme() == "https" || endpoint.scheme() == "http" && loopback) {
            return Err("the endpoint must be https (http only on this machine)".to_owned());
        }
        let http = super::client(loopback).map_err(cause)?;
        Ok(Self { endpoint, scope: scope.to_owned(), credential, http, skew: Mutex::new(None) })
    }

    /// The service's clock less ours, if it has answered.
    pub fn skew(&self) -> Option<TimeDelta> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the endpoint is on this machine: it is a test's.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.endpoint)
    }

    /// Reads a thing.
    pub async fn get(&self, path: &str, api_version: &str) -> Result<Json, ManagementError> {
        self.ask(&Method::GET, self.url(path, api_version)?, path).await
    }

    /// Asks for what is not shown to readers, such as keys.
    pub async fn post(&self, path: &str, api_version: &str) -> Result<Json, ManagementError> {
        self.ask(&Method::POST, self.url(path, api_version)?, path).await
    }

    /// All things of a listing, page by page.
    pub async fn list(&self, path: &str, api_version: &str) -> Result<Listing, ManagementError> {
        let mut url = self.url(path, api_version)?;
        let mut listing = Listing::default();
        for _ in 0..PAGES {
            let mut page = self.ask(&Method::GET, url, path).await?;
            match page.get_mut("value").map(Json::take) {
                Some(Json::Array(items)) => listing.items.extend(items),
                _ => return Err(unreadable("it is no listing")),
            }
            if listing.items.len() > ITEMS {
                listing.items.truncate(ITEMS);
                listing.more = true;
                return Ok(listing);
            }
            let next = page.get("nextLink").and_then(Json::as_str).filter(|next| !next.is_empty());
            let Some(next) = next else { return Ok(listing) };
            url = self.next(next)?;
        }
        listing.more = true;
        Ok(listing)
    }

    /// Where a listing goes on: at the same service, or nowhere, for the token goes along.
    fn next(&self, link: &str) -> Result<Url, ManagementError> {
        let url = Url::parse(link).map_err(|_| unreadable("the next page has no address"))?;
        let own = url.origin() == self.endpoint.origin() && url.username().is_empty();
        own.then_some(url).ok_or_else(|| unreadable("the next page is on another host"))
    }

    fn url(&self, path: &str, api_version: &str) -> Result<Url, ManagementError> {
        let good = path.starts_with('/')
            && path.split('/').all(|segment| segment != "." && segment != "..")
            && !path.chars().any(|c| c.is_control() || c.is_whitespace() || "?#%\\".contains(c));
        if !good {
            return Err(ManagementError::Refused("that is no path of a resource".to_owned()));
        }
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().clear().append_pair("api-version", api_version);
        Ok(url)
    }

    async fn ask(&self, method: &Method, url: Url, path: &str) -> Result<Json, ManagementError> {
        let mut pauses = PAUSES.into_iter();
        let mut fresh_token = false;
        loop {
            let error = match self.once(method.clone(), url.clone(), path).await {
                Ok(json) => return Ok(json),
                Err(error) => error,
            };
            let wait = match &error {
                ManagementError::TokenRefused(_) if !fresh_token => {
                    self.credential.invalidate();
                    fresh_token = true;
                    continue;
                }
                ManagementError::Throttled { retry_after } => *retry_after,
                ManagementError::Unavailable(_) => None,
                _ => return Err(error),
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            let wait = wait.unwrap_or(pause);
            if wait > PATIENCE {
                return Err(error);
            }
            #[expect(clippy::disallowed_methods, reason = "a moment, and few times")]
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, method: Method, url: Url, path: &str) -> Result<Json, ManagementError> {
        let token = self.credential.token(&self.scope).await?;
        let mut request = self
            .http
            .request(method.clone(), url)
            .header(ACCEPT, "application/json")
            .timeout(TIMEOUT);
        if method == Method::POST {
            // It is refused without a length.
            request = request.header("content-length", "0");
        }
        if !token.secret.expose_secret().is_empty() {
            request = request.bearer_auth(token.secret.expose_secret());
        }
        let mut response =
            request.send().await.map_err(|e| ManagementError::Unavailable(cause(e)))?;
        self.look_at_clock(&response);
        let status = response.status().as_u16();
        let body = body(&mut response).await?;
        if status != 200 {
            return Err(refusal(status, &body, wait(&response), path));
        }
        serde_json::from_slice(&body).map_err(|_| unreadable("it is not JSON"))
    }

    fn look_at_clock(&self, response: &Response) {
        #[expect(clippy::disallowed_methods, reason = "two clocks are compared")]
        let now = Utc::now();
        let skew = date(response.headers()).map(|date| skew(date, now));
        let mut held = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        *held = skew.or(*held);
    }
}

/// A service's clock less ours. Its answers carry whole seconds, cut off.
pub fn skew(date: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
    let least = date - now;
    let most = least + TimeDelta::seconds(1);
    if least > TimeDelta::zero() {
        least
    } else if most < TimeDelta::zero() {
        most
    } else {
        TimeDelta::zero()
    }
}

fn wait(response: &Response) -> Option<Duration> {
    #[expect(clippy::disallowed_methods, reason = "only where the answer has no date of its own")]
    retry_after(response.headers(), Utc::now())
}

async fn body(response: &mut Response) -> Result<Vec<u8>, ManagementError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => {
                let why = format!("the answer broke off: {}", cause(error));
                return Err(ManagementError::Unavailable(why));
            }
        }
        if body.len() > MAX_BODY {
            return Err(unreadable("it is larger than 4 MiB"));
        }
    }
}

fn unreadable(why: &str) -> ManagementError {
    ManagementError::Unreadable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::identity::StaticToken;

    fn management(endpoint: &str) -> Result<Management, String> {
        let token = Arc::new(StaticToken("t".to_owned().into()));
        Management::new(endpoint.parse().unwrap(), "s", token)
    }

    #[test]
    fn tokens_travel_over_https_or_stay_here() {
        for (endpoint, good) in [
            ("https://management.azure.com", true),
            ("http://127.0.0.1:1", true),
            ("http://management.azure.com", false),
            ("ftp://127.0.0.1", false),
        ] {
            assert_eq!(management(endpoint).is_ok(), good, "{endpoint}");
        }
    }

    #[test]
    fn paths_stay_paths_and_pages_at_home() {
        let arm = management("https://management.azure.com").unwrap();
        let url = arm.url("/subscriptions/x/providers/Y", "2021-04-01").unwrap();
        let expected =
            "https://management.azure.com/subscriptions/x/providers/Y?api-version=2021-04-01";
        assert_eq!(url.as_str(), expected);
        for path in ["subscriptions", "/a/../b", "/a?b", "/a#b", "/a%2fb", "/a b", "/a\\b", "/a\n"]
        {
            assert!(arm.url(path, "v").is_err(), "{path}");
        }
        assert!(arm.next("https://management.azure.com/x?$skiptoken=1").is_ok());
        for next in [
            "https://evil.example/x",
            "http://management.azure.com/x",
            "https://management.azure.com:444/x",
            "https://me@management.azure.com/x",
            "/x",
        ] {
            assert!(arm.next(next).is_err(), "{next}");
        }
    }

    #[test]
    fn a_second_that_was_cut_off_is_no_skew() {
        let now: DateTime<Utc> = "2026-01-01T00:00:10.700Z".parse().unwrap();
        let of = |seconds: u32| {
            let date = format!("2026-01-01T00:00:{seconds:02}Z").parse().unwrap();
            skew(date, now).num_milliseconds()
        };
        assert_eq!((of(10), of(11), of(20)), (0, 300, 9300));
        assert_eq!((of(9), of(0)), (-700, -9700));
    }
}
