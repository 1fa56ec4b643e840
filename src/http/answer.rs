//! What comes back: an answer, as much of it as is read, or why there is none.

use super::guard::Refused;
use super::tls::Tls;
use crate::wire::cause;
use reqwest::Response;
use std::error::Error;

/// The most of an answer that is read.
pub const MAX_REPLY: usize = 64 << 10;

/// The beginning of an answer's body, and whether that is all of it. The status is the answer: a body that breaks off, or
/// never ends, does not change it.
pub(super) async fn read(mut response: Response) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
        // One byte more than is kept tells a body that ends there from one that goes on.
        if body.len() > MAX_REPLY {
            break false;
        }
    };
    body.truncate(MAX_REPLY);
    (body, whole)
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guard did not let the connection through.
    Refused(Refused),
    /// Who was called wants another client certificate than it was shown, or one at all. It heard nothing else.
    Certificate(String),
    /// Nothing was sent.
    Unsent(String),
    /// It may have been sent.
    Unknown(String),
}

impl Failure {
    pub(super) fn of(error: reqwest::Error, tls: &Tls) -> Self {
        if let Some(refused) = find(&error) {
            return Self::Refused(*refused);
        }
        // A request that could not even be built was not sent either.
        let unsent = error.is_connect() || error.is_builder();
        let why = cause(error);
        if let Some(alert) = why.split_once("received fatal alert: ").map(|(_, alert)| alert)
            && CERTIFICATE_ALERTS.iter().any(|known| alert.starts_with(known))
        {
            return Self::Certificate(if tls.shows() {
                format!("it does not accept our client certificate ({why})")
            } else {
                format!(
                    "it wants a client certificate, and `client_certificate` is not set ({why})"
                )
            });
        }
        if unsent { Self::Unsent(why) } else { Self::Unknown(why) }
    }
}

/// What servers say of a client's certificate, and of nothing else (RFC 8446, section 6.2). In TLS 1.3 they say it when the
/// client believes the handshake over, and before they look at anything that it sent.
const CERTIFICATE_ALERTS: [&str; 7] = [
    "CertificateRequired",
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "UnknownCA",
];

/// An error of this type among the causes of another.
pub(super) fn find<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
