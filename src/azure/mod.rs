//! Adapters for Azure: identity, the Log Analytics query API and storage accounts.

pub mod blob;
mod cell;
mod decode;
mod errors;
pub mod identity;
pub mod logs;
pub mod management;
pub mod remote;
mod scan;
pub mod sites;
pub mod storage;
mod time;

use std::time::Duration;
use url::{Host, Url};

/// Which Azure: they share nothing but their shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The public cloud.
    #[default]
    Public,
    /// Azure Government (US).
    UsGov,
    /// Azure in China.
    China,
}

impl Cloud {
    /// Where queries are asked.
    pub const fn query_endpoint(self) -> &'static str {
        match self {
            Self::Public => "https://api.loganalytics.azure.com",
            Self::UsGov => "https://api.loganalytics.us",
            Self::China => "https://api.loganalytics.azure.cn",
        }
    }

    /// What a token for queries is good for. In the public cloud it keeps the older name, whatever the host.
    pub const fn query_scope(self) -> &'static str {
        match self {
            Self::Public => "https://api.loganalytics.io/.default",
            Self::UsGov => "https://api.loganalytics.us/.default",
            Self::China => "https://api.loganalytics.azure.cn/.default",
        }
    }
}

/// Whether a URL's host is this machine: `localhost` or an address of the loopback network.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    }
}

/// The HTTP client for queries: gzip, no redirects, and a proxy of the environment, save to this machine.
pub fn client(loopback: bool) -> Result<reqwest::Client, reqwest::Error> {
    builder(loopback).connect_timeout(Duration::from_secs(10)).build()
}

/// What all our clients have in common.
fn builder(loopback: bool) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder()
        .user_agent(concat!("hsmwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none());
    if loopback { client.no_proxy() } else { client }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_address() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.1:1", true),
            ("http://127.1.2.3", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("https://api.loganalytics.azure.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("mailto:a@localhost", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
