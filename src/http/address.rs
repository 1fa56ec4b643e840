//! A receiver's URL: what may be one, and that it is sent as it was written.

use super::auth::Auth;
use super::guard::{Policy, Refused};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use url::{Host, Position, Url};

/// Where a receiver is, and how it is spoken to. [`Default`] has no URL, which is no receiver's.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Its URL, a secret: Teams and Slack know a sender by nothing else.
    pub url: SecretString,
    /// Networks beyond the public ones that its name may lead to.
    pub allow_networks: Vec<IpNet>,
    /// How calls prove who makes them.
    pub auth: Auth,
    /// Certificates (PEM) that are trusted in place of the system's.
    pub ca: Option<String>,
    /// What a receiver that asks for a client's certificate is shown (PEM): certificate, its chain, and its private key.
    pub client_certificate: Option<SecretString>,
}

/// Why a receiver cannot be called like this. Never carries a URL or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("receiver `{receiver}`: {problem}")]
pub struct EndpointError {
    /// The receiver.
    pub receiver: String,
    /// What is wrong, by the name of the key, and the cure.
    pub problem: String,
}

/// A URL that was looked at.
pub(super) struct Address {
    pub(super) url: Url,
    pub(super) policy: Policy,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl Address {
    /// `key` is what the configuration calls the URL, for the problem.
    pub(super) fn new(
        key: &str,
        url: &SecretString,
        mut allow_networks: Vec<IpNet>,
    ) -> Result<Self, String> {
        let (url, loopback) =
            checked(url.expose_secret()).map_err(|why| format!("`{key}` {why}"))?;
        allow_networks.sort();
        Ok(Self { url, policy: Policy { allow_networks, loopback } })
    }

    /// Whether the address itself is refused. Names are checked by the resolver, which is never asked for a literal address.
    pub(super) fn refused(&self) -> Option<Refused> {
        let ip = match self.url.host()? {
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
            Host::Domain(_) => return None,
        };
        self.policy.check(ip).err()
    }

    /// The URL with a path, and perhaps a query, appended; `None` if that would lead to another host, out of the address's
    /// own path, or be sent in another way than it is written.
    pub(super) fn with(&self, path: &str) -> Option<Url> {
        if path.is_empty() {
            return Some(self.url.clone());
        }
        let base = self.url.as_str();
        let base = base.split_once('?').map_or(base, |(base, _)| base);
        let base = match path.chars().next() {
            Some('/') if !path.starts_with("//") => base.trim_end_matches('/'),
            Some('?') => base,
            _ => return None,
        };
        let text = format!("{base}{path}");
        let url = Url::parse(&text).ok()?;
        // What is behind a `#` is never sent; what the parser mends would be sent otherwise than it is meant.
        (url.fragment().is_none() && url.as_str() == text).then_some(url)
    }
}

/// The URL, and whether it is plainly one of this machine.
fn checked(text: &str) -> Result<(Url, bool), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or password");
    }
    if url.fragment().is_some() {
        return Err("must not have a `#` part: it is never sent");
    }
    let loopback = plainly_loopback(&url, text);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err("must be https (http only on this machine)"),
        _ => return Err("must be https"),
    }
    // Teams signs the query as it is written: a URL that the parser would mend is not ours to send.
    if url[Position::BeforePath..] != after_host(text) {
        return Err(
            "holds characters that a URL must percent-encode: copy it as the receiver shows it",
        );
    }
    Ok((url, loopback))
}

/// Whether the URL names this machine in so many words. `127.1` and `2130706433` mean it too, but nobody writes them
/// honestly.
fn plainly_loopback(url: &Url, text: &str) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => {
            let host = authority(text).split(':').next();
            ip.is_loopback() && host == Some(ip.to_string().as_str())
        }
        Some(Host::Ipv6(ip)) => ip == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// Host and port as written.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// Path and query as written; the path is at least `/`.
fn after_host(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    match rest.strip_prefix(authority(text)).unwrap_or_default() {
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(url: &str) -> Result<Address, String> {
        Address::new("url", &url.to_owned().into(), Vec::new())
    }

    #[test]
    fn urls_are_kept_as_written() {
        for url in [
            "https://prod-1.westeurope.logic.azure.com:443/workflows/ab/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b_c%3D",
            "https://hooks.slack.com/services/T0/B0/x%2fY",
            "https://a.example/?q=%e2%82%ac&&=",
            "https://a.example//x/",
            "https://EXAMPLE.com/Path",
        ] {
            let got = address(url).unwrap();
            assert!(url.ends_with(&got.url[Position::BeforePath..]), "{url}: {}", got.url);
        }
        assert_eq!(address("https://a.example").unwrap().url.as_str(), "https://a.example/");
        assert_eq!(address("https://a.example?x").unwrap().url.as_str(), "https://a.example/?x");
    }

    #[test]
    fn what_is_no_receivers_url() {
        for (url, expected) in [
            ("nonsense", "`url` is not a URL"),
            ("ftp://a.example/", "`url` must be https"),
            ("http://a.example/", "must be https (http only"),
            ("http://127.1/", "must be https (http only"),
            ("https://me:pw@a.example/", "user name"),
            ("https://a.example/#x", "`#`"),
            ("https://a.example/a b", "percent-encode"),
            ("https://a.example/a/../b", "percent-encode"),
            ("https://a.example/?q='", "percent-encode"),
            ("https://a.example/\u{e9}", "percent-encode"),
            ("https://a.example\\x", "percent-encode"),
            ("https:/a.example/x", "percent-encode"),
            (" https://a.example/x\n", "percent-encode"),
        ] {
            let problem = address(url).unwrap_err();
            assert!(problem.contains(expected), "{url}: {problem}");
        }
    }

    #[test]
    fn loopback_must_be_written_plainly() {
        for (url, plain) in [
            ("https://127.0.0.1/", true),
            ("http://127.0.0.1:81/x", true),
            ("http://127.9.9.9", true),
            ("http://localhost:81/", true),
            ("http://LOCALHOST:81/", true),
            ("http://[::1]:81/", true),
            ("https://127.1/", false),
            ("https://2130706433/", false),
            ("https://0x7f.1/", false),
            ("https://0177.0.0.1/", false),
            ("https://[::ffff:127.0.0.1]/", false),
            ("https://127.0.0.1.example.com/", false),
            ("https://localhost.example.com/", false),
            ("https://10.0.0.1/", false),
        ] {
            assert_eq!(address(url).unwrap().policy.loopback, plain, "{url}");
        }
    }

    #[test]
    fn a_path_is_appended_to_the_address() {
        for (base, path, expected) in [
            ("https://a.example", "/api/x", "https://a.example/api/x"),
            ("https://a.example/", "/api/x", "https://a.example/api/x"),
            ("https://a.example/now", "/api/x", "https://a.example/now/api/x"),
            ("https://a.example/now/", "/api/x?q=1&r=%2F", "https://a.example/now/api/x?q=1&r=%2F"),
            ("https://a.example/a%2fb", "/c%2Fd%20e", "https://a.example/a%2fb/c%2Fd%20e"),
            // What is behind the address's own `?` belongs to the address itself, not to what is below it.
            ("https://a.example/now?sig=s3cret", "/api/x", "https://a.example/now/api/x"),
            ("https://a.example/now", "?q=1", "https://a.example/now?q=1"),
            ("https://a.example/now/?sig=s3cret", "?q=1", "https://a.example/now/?q=1"),
            ("https://a.example", "?q=1", "https://a.example/?q=1"),
            ("https://a.example", "/", "https://a.example/"),
            ("https://a.example:8443/now", "/x:y@z;p=1", "https://a.example:8443/now/x:y@z;p=1"),
            ("https://EXAMPLE.com:443/x", "/y", "https://example.com/x/y"),
            // The address itself, byte for byte.
            (
                "https://a.example/now/?sp=%2Fx&sig=a%3D",
                "",
                "https://a.example/now/?sp=%2Fx&sig=a%3D",
            ),
        ] {
            let url = address(base).unwrap().with(path).unwrap();
            assert_eq!(url.as_str(), expected, "{base} {path}");
        }
    }

    #[test]
    fn no_path_leads_elsewhere() {
        for path in [
            "x",
            "@evil.example/x",
            ":8443/x",
            ".evil.example/x",
            "//evil.example/x",
            "///evil.example/x",
            "\\\\evil.example/x",
            "/\\evil.example/x",
            "/../x",
            "/x/../../../y",
            "/x/..",
            "/./x",
            "/%2e%2e/x",
            "/%2E./x",
            "/.%2e/x",
            "/x#y",
            "#y",
            "/a b",
            "/a\nb",
            "/a\tb",
            "/\u{e9}",
            "/x?q='",
            "/x?q=\"",
            "http://evil.example/x",
            "?q=#",
        ] {
            for base in ["https://a.example", "https://a.example/now", "https://a.example/now/?x"] {
                assert_eq!(address(base).unwrap().with(path), None, "{base} {path}");
            }
        }
    }

    proptest! {
        /// Whatever is appended, it is sent as it is written, to the same place, below the address's own path.
        #[test]
        fn what_is_appended_stays_below(path in "[/?@:#\\\\.a%2eEfF&= ]{0,12}") {
            let base = address("https://a.example:8443/now").unwrap();
            if let Some(url) = base.with(&path) {
                prop_assert_eq!(url.host_str(), Some("a.example"));
                prop_assert_eq!(url.port(), Some(8443));
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(url.path() == "/now" || url.path().starts_with("/now/"));
                prop_assert_eq!(url.as_str(), format!("https://a.example:8443/now{path}"));
                let mut segments = url.path_segments().unwrap();
                prop_assert!(segments.all(|s| !matches!(s, "." | "..")));
            }
        }
    }
}
