//! Whom a receiver is vouched for by, and what it is shown of us: certificates and a key, out of PEM.

use reqwest::{Certificate, Client, ClientBuilder, Identity};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;

/// Certificates of a receiver. The default: the system's roots, and nothing is shown.
#[derive(Clone, Default)]
pub(super) struct Tls {
    ca: Option<Ca>,
    shown: Option<Shown>,
}

/// What is trusted, as it was written and as it was read.
#[derive(Clone)]
struct Ca {
    pem: String,
    certificates: Vec<Certificate>,
    /// Whether the system's roots are trusted, too.
    and_system: bool,
}

/// What we show.
#[derive(Clone)]
struct Shown {
    pem: SecretString,
    identity: Identity,
}

impl Tls {
    /// Reads both, and tries them. The problem names the key, and nothing of what is in it.
    pub(super) fn new(
        ca: Option<String>,
        client_certificate: Option<SecretString>,
    ) -> Result<Self, &'static str> {
        let ca = ca.map(trusted).transpose()?;
        let shown = client_certificate.map(shown).transpose()?;
        Ok(Self { ca, shown })
    }

    /// The same, with the system's roots beside those that were given.
    pub(super) fn and_system(mut self) -> Self {
        if let Some(ca) = &mut self.ca {
            ca.and_system = true;
        }
        self
    }

    /// Whether anything is shown.
    pub(super) const fn shows(&self) -> bool {
        self.shown.is_some()
    }

    pub(super) fn apply(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if let Some(ca) = &self.ca {
            let certificates = ca.certificates.clone();
            builder = if ca.and_system {
                builder.tls_certs_merge(certificates)
            } else {
                builder.tls_certs_only(certificates)
            };
        }
        match &self.shown {
            Some(shown) => builder.identity(shown.identity.clone()),
            None => builder,
        }
    }
}

/// Whoever is equal may share a client.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let ca = |tls: &Self| tls.ca.as_ref().map(|ca| (ca.pem.clone(), ca.and_system));
        let shown = |tls: &Self| tls.shown.as_ref().map(|s| s.pem.expose_secret().to_owned());
        ca(self) == ca(other) && shown(self) == shown(other)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

fn trusted(pem: String) -> Result<Ca, &'static str> {
    if !pem.contains(BEGIN) {
        return Err(
            "`ca` holds no certificate: it must be PEM, `-----BEGIN CERTIFICATE-----` and what follows",
        );
    }
    let unreadable = "`ca` holds a certificate that cannot be read: is it whole, each line on a line of its own?";
    let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| unreadable)?;
    // What is between the lines is looked at only when a client is made of it.
    let made = Client::builder().tls_certs_only(certificates.clone()).build();
    made.map_err(|_| unreadable)?;
    Ok(Ca { pem, certificates, and_system: false })
}

fn shown(pem: SecretString) -> Result<Shown, &'static str> {
    let text = pem.expose_secret();
    if !text.contains(BEGIN) {
        return Err(
            "`client_certificate` holds no certificate: it must be PEM, `-----BEGIN CERTIFICATE-----` and what follows, \
             with the private key in the same text",
        );
    }
    if !text.contains("PRIVATE KEY-----") {
        return Err(
            "`client_certificate` holds no private key: it must be in the same text, `-----BEGIN PRIVATE KEY-----` and what \
             follows",
        );
    }
    if text.contains("ENCRYPTED") {
        return Err(
            "the private key in `client_certificate` is encrypted, and nobody is there to type its passphrase: keep it \
             unencrypted in a vault",
        );
    }
    let unreadable = "`client_certificate` holds a certificate or private key that cannot be read: is it whole, each line on a \
                      line of its own?";
    let identity = Identity::from_pem(text.as_bytes()).map_err(|_| unreadable)?;
    let made = Client::builder().tls_certs_only([]).identity(identity.clone()).build();
    made.map_err(|_| {
        "the private key in `client_certificate` is not that of the first certificate in it, or of a kind that is not known \
         (RSA, ECDSA or Ed25519, in PKCS#8, PKCS#1 or SEC1)"
    })?;
    Ok(Shown { pem, identity })
}
