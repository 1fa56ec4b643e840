//! Sends alerts over HTTP: one POST, one answer, no redirects, and only to addresses that a receiver may have.

mod address;
mod auth;
mod guard;
mod probe;
mod token;

pub use address::{Endpoint, EndpointError};
pub use auth::{Auth, OAuth2};
pub use token::{Token, TokenError, TokenSource};

use crate::ports::{self, Reply, Request, Transport, TransportError};
use crate::wire::{cause, clean, retry_after};
use address::Address;
use async_trait::async_trait;
use chrono::Utc;
use guard::{Policy, Refused};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, ClientBuilder};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;
use url::{Host, Url};

/// No receiver is waited for longer, from the first packet to the last byte that is read.
pub const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most of an answer that is read.
pub const MAX_REPLY: usize = 64 << 10;

/// Why a transport cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A URL cannot be a receiver's.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No TLS: mostly because the system has no CA certificates.
    #[error("cannot make an HTTP client: {0}")]
    Client(String),
}

/// Receivers over HTTP.
#[derive(Debug)]
pub struct HttpTransport {
    receivers: BTreeMap<String, (Address, Client)>,
}

impl HttpTransport {
    /// Knows receivers by name. Connects to none yet.
    pub fn new(endpoints: BTreeMap<String, Endpoint>) -> Result<Self, HttpError> {
        let mut clients: BTreeMap<Policy, Client> = BTreeMap::new();
        let mut receivers = BTreeMap::new();
        for (receiver, endpoint) in endpoints {
            let address = match Address::new(endpoint) {
                Ok(address) => address,
                Err(problem) => return Err(EndpointError { receiver, problem }.into()),
            };
            // Each client loads the CA certificates: receivers of one policy share it.
            let client = match clients.get(&address.policy) {
                Some(client) => client.clone(),
                None => client(&address.policy).map_err(|e| HttpError::Client(cause(e)))?,
            };
            clients.insert(address.policy.clone(), client.clone());
            receivers.insert(receiver, (address, client));
        }
        Ok(Self { receivers })
    }
}

fn client(policy: &Policy) -> Result<Client, reqwest::Error> {
    client_builder(policy).build()
}

fn client_builder(policy: &Policy) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("hsmwatch/", env!("CARGO_PKG_VERSION")))
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A proxy would look names up for itself, past the guard.
        .no_proxy()
        .no_gzip()
        // A kept connection that the receiver has closed meanwhile would make a POST's fate unknown. Alerts are rare.
        .pool_max_idle_per_host(0)
        .dns_resolver(Guard(policy.clone()))
}

/// Looks names up and lets only allowed addresses through, so that the connection goes to an address that was checked.
struct Guard(Policy);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found {
                match policy.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(why) if allowed.is_empty() => Err(why.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, call: Request) -> Result<Reply, TransportError> {
        let Some((address, client)) = self.receivers.get(&call.receiver) else {
            return Err(TransportError::Forbidden(format!(
                "no receiver `{}` is configured",
                call.receiver
            )));
        };
        if let Some(Err(why)) = literal(&address.url).map(|ip| address.policy.check(ip)) {
            return Err(forbidden(&call.receiver, why));
        }
        let method = match call.method {
            ports::Method::Get => reqwest::Method::GET,
            ports::Method::Post => reqwest::Method::POST,
            ports::Method::Patch => reqwest::Method::PATCH,
            ports::Method::Put => reqwest::Method::PUT,
        };
        let Some(url) = address.with(&call.path) else {
            let why = format!("receiver `{}`: a path that leads elsewhere", call.receiver);
            return Err(TransportError::Forbidden(why));
        };
        let mut request = client.request(method, url);
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, &*body.content_type).body(body.bytes);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| match refusal(&error) {
            Some(why) => forbidden(&call.receiver, why),
            // A request that could not even be built was not sent either.
            None if error.is_connect() || error.is_builder() => {
                TransportError::Connect(cause(error))
            }
            None => TransportError::Ambiguous(cause(error)),
        })?;
        #[expect(
            clippy::disallowed_methods,
            reason = "only where the answer has no date of its own"
        )]
        let retry_after = retry_after(response.headers(), Utc::now());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // The status is the answer: a body that breaks off, or never ends, does not change it.
        let whole = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break true,
                Err(_) => break false,
            }
            if body.len() >= MAX_REPLY {
                break true;
            }
        };
        body.truncate(MAX_REPLY);
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Reply { status, retry_after, body, whole })
    }
}

/// The address in a URL. Names are checked by the resolver, which is never asked for a literal address.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

fn forbidden(receiver: &str, why: Refused) -> TransportError {
    let cure = if why.curable {
        "; if it is meant to be there, name its network in `allow_networks`"
    } else {
        ""
    };
    TransportError::Forbidden(clean(&format!("receiver `{receiver}` leads to {why}{cure}")))
}

/// The guard's word, if it was the guard that prevented a connection.
fn refusal(error: &reqwest::Error) -> Option<Refused> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(*refused);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Body;

    fn transport(url: &str, nets: &[&str]) -> Result<HttpTransport, HttpError> {
        let endpoint = Endpoint {
            url: url.to_owned().into(),
            allow_networks: nets.iter().map(|n| n.parse().unwrap()).collect(),
            ..Endpoint::default()
        };
        HttpTransport::new([("itsm".to_owned(), endpoint)].into())
    }

    async fn send(transport: &HttpTransport) -> TransportError {
        let body = Body { content_type: "application/json".into(), bytes: b"{}".to_vec() };
        let request = Request {
            receiver: "itsm".into(),
            method: ports::Method::Post,
            path: String::new(),
            body: Some(body),
            headers: Vec::new(),
        };
        transport.send(request).await.unwrap_err()
    }

    #[tokio::test]
    async fn literal_addresses_are_checked_in_every_disguise() {
        let never = "receiver `itsm` leads to a loopback address";
        let private = "receiver `itsm` leads to a private address; if it is meant to be there, name its network in `allow_networks`";
        for (url, expected) in [
            ("https://127.1/hook?sig=s3cret", never),
            ("https://2130706433/hook", never),
            ("https://0x7f.1/hook", never),
            ("https://0177.0.0.1/hook", never),
            ("https://[::ffff:127.0.0.1]/hook", never),
            ("https://[::ffff:7f00:1]/hook", never),
            ("https://0.0.0.0/hook", "receiver `itsm` leads to an unspecified address"),
            (
                "https://169.254.169.254/metadata",
                "receiver `itsm` leads to an address of Azure's own services",
            ),
            (
                "https://168.63.129.16/",
                "receiver `itsm` leads to an address of Azure's own services",
            ),
            ("https://10.0.0.1/hook", private),
            ("https://0xa.1/hook", private),
            ("https://[fd00::1]/hook", private),
        ] {
            let error = send(&transport(url, &[]).unwrap()).await;
            assert_eq!(error, TransportError::Forbidden(expected.into()), "{url}");
        }
    }

    #[tokio::test]
    async fn names_are_checked_by_the_resolver() {
        // `localhost`, as if some public name led to this machine.
        let mut transport = transport("https://localhost/hook?sig=s3cret", &[]).unwrap();
        let (_, client) = transport.receivers.get_mut("itsm").unwrap();
        *client = super::client(&Policy::default()).unwrap();
        let error = send(&transport).await;
        let expected = "receiver `itsm` leads to a loopback address";
        assert_eq!(error, TransportError::Forbidden(expected.into()));
    }

    #[tokio::test]
    async fn an_unknown_receiver_is_refused() {
        let error = send(&HttpTransport::new(BTreeMap::new()).unwrap()).await;
        assert_eq!(error.to_string(), "address refused: no receiver `itsm` is configured");
    }

    #[test]
    fn urls_never_show() {
        let shown =
            format!("{:?}", transport("https://a.example/T0/s3cret?sig=s3cret", &[]).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
        let error = transport("https://a.example/s3cret#", &[]).unwrap_err().to_string();
        assert_eq!(error, "receiver `itsm`: `url` must not have a `#` part: it is never sent");
    }
}
