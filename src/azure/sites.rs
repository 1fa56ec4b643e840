//! Asks a deployed function app over its own address, with a key that travels in a header and nowhere else.

use super::{Cloud, is_loopback};
use crate::wire::cause;
use reqwest::header::{ACCEPT, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;
use url::Url;

/// The app may have to start first, and then looks at everything.
const WAIT: Duration = Duration::from_secs(150);
/// The most of an answer that is read.
const MAX_BODY: usize = 1 << 20;

/// Why an app did not answer. Texts carry no URL and no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// No app has such an address.
    #[error("its address is none of a function app")]
    Address,
    /// The key is not accepted.
    #[error("the function key is not accepted (status {0})")]
    Key(u16),
    /// There is no such function.
    #[error("it has no such function (status 404)")]
    NoFunction,
    /// It answers something else.
    #[error("it answers with status {0}")]
    Status(u16),
    /// No answer.
    #[error("no answer: {0}")]
    Unavailable(String),
    /// The answer is too large.
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
}

/// The address of an app by its host name, which comes from outside. `tests`: this machine will do.
pub fn address(host: &str, cloud: Cloud, tests: bool) -> Result<Url, SiteError> {
    if tests
        && let Ok(url) = Url::parse(&format!("http://{host}/"))
        && is_loopback(&url)
        && url.path() == "/"
    {
        return Ok(url);
    }
    let named = host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    let own = host.to_ascii_lowercase().ends_with(cloud.sites_suffix());
    if !named || !own || host.len() > 253 {
        return Err(SiteError::Address);
    }
    Url::parse(&format!("https://{host}/")).map_err(|_| SiteError::Address)
}

/// The JSON of a function of an app.
pub async fn ask(
    app: &Url,
    path: &str,
    query: (&str, &str),
    key: &SecretString,
) -> Result<Vec<u8>, SiteError> {
    let mut url = app.clone();
    url.set_path(path);
    url.query_pairs_mut().clear().append_pair(query.0, query.1);
    let mut key = HeaderValue::from_str(key.expose_secret()).map_err(|_| SiteError::Key(0))?;
    key.set_sensitive(true);
    let client = super::client(is_loopback(app)).map_err(|e| SiteError::Unavailable(cause(e)))?;
    let request = client
        .get(url)
        .header("x-functions-key", key)
        .header(ACCEPT, "application/json")
        .timeout(WAIT);
    let mut response = request.send().await.map_err(|e| SiteError::Unavailable(cause(e)))?;
    match response.status().as_u16() {
        200 => {}
        status @ (401 | 403) => return Err(SiteError::Key(status)),
        404 => return Err(SiteError::NoFunction),
        status => return Err(SiteError::Status(status)),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| SiteError::Unavailable(cause(e)))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Err(SiteError::TooLarge);
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_to_apps_of_the_cloud_and_nowhere_else() {
        let of = |host: &str| address(host, Cloud::Public, false).map(|url| url.to_string());
        assert_eq!(of("app.azurewebsites.net"), Ok("https://app.azurewebsites.net/".into()));
        assert_eq!(
            of("app-x1.uksouth-01.azurewebsites.net"),
            Ok("https://app-x1.uksouth-01.azurewebsites.net/".into())
        );
        for host in [
            "",
            "app.azurewebsites.us",
            "evil.example",
            "evil.example/.azurewebsites.net",
            "evil.example#.azurewebsites.net",
            "evil.example:443@app.azurewebsites.net",
            "azurewebsites.net",
            "127.0.0.1:80",
            "localhost",
        ] {
            assert_eq!(of(host), Err(SiteError::Address), "{host}");
        }
        assert!(address("127.0.0.1:81", Cloud::Public, true).is_ok());
        assert!(address("127.0.0.1:81/x", Cloud::Public, true).is_err());
        assert!(address("evil.example", Cloud::Public, true).is_err());
        assert!(address("app.azurewebsites.us", Cloud::UsGov, false).is_ok());
    }
}
