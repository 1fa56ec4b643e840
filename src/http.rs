//! Sends alerts over HTTP: one POST, one answer, no redirects, and only to addresses that a receiver may have.

mod address;
mod answer;
mod auth;
mod client;
mod guard;
mod oauth;
mod probe;
mod proof;
mod tls;
mod token;

pub use address::{Endpoint, EndpointError};
pub use answer::MAX_REPLY;
pub use auth::{Auth, OAuth2};
pub use token::{Token, TokenError, TokenSource};

use crate::ports::{self, Reply, Request, Transport, TransportError};
use crate::wire::{cause, clean, retry_after};
use address::Address;
use answer::Failure;
use async_trait::async_trait;
use chrono::Utc;
use client::{Clients, Line};
use guard::Refused;
use oauth::TokenEndpoint;
use proof::{Proof, Shown};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::time::Instant;

/// No receiver is waited for longer, from the first packet to the last byte that is read: its token included, and a second
/// call where that token has expired.
pub const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call is not begun with less time than this.
const LEAST: Duration = Duration::from_secs(2);

/// Why a transport cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A receiver cannot be called like this.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No TLS: mostly because the system has no CA certificates.
    #[error("cannot make an HTTP client: {0}")]
    Client(String),
}

/// Receivers over HTTP.
#[derive(Debug)]
pub struct HttpTransport {
    receivers: BTreeMap<String, Receiver>,
}

/// The way to one receiver.
#[derive(Debug)]
struct Receiver {
    address: Address,
    line: Line,
    client: Client,
    proof: Proof,
}

impl HttpTransport {
    /// Knows receivers by name. Connects to none yet.
    pub fn new(endpoints: BTreeMap<String, Endpoint>) -> Result<Self, HttpError> {
        let mut clients = Clients::default();
        let mut receivers = BTreeMap::new();
        for (name, endpoint) in endpoints {
            let receiver = receiver(endpoint, &mut clients).map_err(|error| match error {
                Bad::Problem(problem) => EndpointError { receiver: name.clone(), problem }.into(),
                Bad::Client(error) => HttpError::Client(cause(error)),
            })?;
            receivers.insert(name, receiver);
        }
        Ok(Self { receivers })
    }
}

/// Why a receiver cannot be called.
enum Bad {
    Problem(String),
    Client(reqwest::Error),
}

impl<T: Into<String>> From<T> for Bad {
    fn from(problem: T) -> Self {
        Self::Problem(problem.into())
    }
}

fn receiver(endpoint: Endpoint, clients: &mut Clients) -> Result<Receiver, Bad> {
    let Endpoint { url, allow_networks, auth, ca, client_certificate } = endpoint;
    let address = Address::new("url", &url, allow_networks.clone())?;
    let tls = Tls::new(ca, client_certificate)?;
    let line = Line { policy: address.policy.clone(), tls: tls.clone() };
    let client = clients.get(&line).map_err(Bad::Client)?;
    let proof = Proof::new(auth, |who| {
        let address = Address::new("token_url", &who.token_url, allow_networks)?;
        // Whoever vouches for the receiver may vouch for its token endpoint, but often that is a public one.
        let line = Line { policy: address.policy.clone(), tls: tls.and_system() };
        let client = clients.get(&line).map_err(cause)?;
        Ok(Arc::new(TokenEndpoint::new(address, line, client, who)))
    })?;
    Ok(Receiver { address, line, client, proof })
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, call: Request) -> Result<Reply, TransportError> {
        let receiver = self.receiver(&call.receiver)?;
        if let Some(why) = receiver.address.refused() {
            return Err(forbidden(&call.receiver, why));
        }
        let deadline = Instant::now() + TIMEOUT;
        let shown = receiver.shown(deadline).await?;
        let reply = receiver.call(&call, shown.as_ref(), deadline).await?;
        let Some(shown) = shown.filter(|_| matches!(reply.status, 401 | 403)) else {
            return Ok(reply);
        };
        // A token out of memory may have been revoked, or have expired before its time. Nothing was taken: once more, with
        // one that was not there before. That one's refusal is an answer.
        if !receiver.proof.refused(&shown).await {
            return Ok(reply);
        }
        let shown = receiver.shown(deadline).await?;
        if deadline.saturating_duration_since(Instant::now()) < LEAST {
            let why = "the token had expired, and fetching another took too long";
            return Err(TransportError::Connect(why.to_owned()));
        }
        receiver.call(&call, shown.as_ref(), deadline).await
    }
}

impl HttpTransport {
    fn receiver(&self, name: &str) -> Result<&Receiver, TransportError> {
        self.receivers
            .get(name)
            .ok_or_else(|| TransportError::Forbidden(format!("no receiver `{name}` is configured")))
    }
}

impl Receiver {
    /// What proves who calls. Without it, nothing is sent.
    async fn shown(&self, deadline: Instant) -> Result<Option<Shown>, TransportError> {
        self.proof.show(deadline).await.map_err(|error| match error {
            TokenError::Denied(why) => TransportError::Unauthorized(clean(&why)),
            TokenError::Unavailable(why) => TransportError::Connect(clean(&why)),
        })
    }

    /// One call, one answer.
    async fn call(
        &self,
        call: &Request,
        shown: Option<&Shown>,
        deadline: Instant,
    ) -> Result<Reply, TransportError> {
        let Some(url) = self.address.with(&call.path) else {
            let why = format!("receiver `{}`: a path that leads elsewhere", call.receiver);
            return Err(TransportError::Forbidden(why));
        };
        let headers = headers(call, shown).map_err(|name| {
            TransportError::Connect(format!("the header `{name}` cannot be sent"))
        })?;
        let mut request = self
            .client
            .request(method(call.method), url)
            .headers(headers)
            .timeout(deadline.saturating_duration_since(Instant::now()));
        if let Some(body) = &call.body {
            request = request.body(body.bytes.clone());
        }
        let response =
            request.send().await.map_err(|error| match Failure::of(error, &self.line.tls) {
                Failure::Refused(why) => forbidden(&call.receiver, why),
                Failure::Certificate(why) => TransportError::Unauthorized(why),
                Failure::Unsent(why) => TransportError::Connect(why),
                Failure::Unknown(why) => TransportError::Ambiguous(why),
            })?;
        #[expect(
            clippy::disallowed_methods,
            reason = "only where the answer has no date of its own"
        )]
        let retry_after = retry_after(response.headers(), Utc::now());
        let status = response.status().as_u16();
        let (body, whole) = answer::read(response).await;
        let mut body = String::from_utf8_lossy(&body).into_owned();
        // What is no success is quoted to people, and some servers repeat what they were shown.
        if let Some(shown) = shown
            && !(200..300).contains(&status)
        {
            body = proof::without(body, &shown.secrets);
        }
        Ok(Reply { status, retry_after, body, whole })
    }
}

const fn method(method: ports::Method) -> reqwest::Method {
    match method {
        ports::Method::Get => reqwest::Method::GET,
        ports::Method::Post => reqwest::Method::POST,
        ports::Method::Patch => reqwest::Method::PATCH,
        ports::Method::Put => reqwest::Method::PUT,
    }
}

/// The headers of a call, or the name of one that no request can carry. What proves who calls stands in place of any other
/// header of its name.
fn headers(call: &Request, shown: Option<&Shown>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    if let Some(body) = &call.body {
        let value = body.content_type.parse().map_err(|_| CONTENT_TYPE.to_string())?;
        headers.insert(CONTENT_TYPE, value);
    }
    for (name, value) in &call.headers {
        let bad = || clean(name);
        let name: HeaderName = name.parse().map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        // Some carry a key; none needs to be shown.
        value.set_sensitive(true);
        headers.append(name, value);
    }
    if let Some(Shown { name, value, .. }) = shown {
        headers.insert(name.clone(), value.clone());
    }
    Ok(headers)
}

fn forbidden(receiver: &str, why: Refused) -> TransportError {
    TransportError::Forbidden(clean(&format!("receiver `{receiver}` leads to {}", why.with_cure())))
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
        let line = Line { policy: guard::Policy::default(), tls: Tls::default() };
        transport.receivers.get_mut("itsm").unwrap().client = line.builder().build().unwrap();
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
