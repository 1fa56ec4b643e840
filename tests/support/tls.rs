//! A certificate authority of one's own, and TLS before a fake.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// PEM, without its chain.
    pub(crate) certificate: String,
    /// PEM, PKCS#8.
    pub(crate) key: String,
}

impl Certificate {
    /// Both in one text, as `client_certificate` wants it.
    pub(crate) fn both(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority that this one vouches for.
    pub(crate) fn below(&self, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    /// For `ca`.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// For servers with these names (or addresses).
    pub(crate) fn server(&self, names: &[&str]) -> Certificate {
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, &KeyPair::generate().unwrap(), false)
    }

    /// The same, and its time is over.
    pub(crate) fn expired(&self, names: &[&str]) -> Certificate {
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, &KeyPair::generate().unwrap(), true)
    }

    /// For a client.
    pub(crate) fn client(&self) -> Certificate {
        self.client_with(&KeyPair::generate().unwrap())
    }

    /// For a client that has this key.
    pub(crate) fn client_with(&self, key: &KeyPair) -> Certificate {
        self.issue(&["hsmwatch"], ExtendedKeyUsagePurpose::ClientAuth, key, false)
    }

    fn issue(
        &self,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
        key: &KeyPair,
        expired: bool,
    ) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "fake");
        params.extended_key_usages = vec![usage];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(if expired { 2021 } else { 2100 }, 1, 1);
        let certificate = params.signed_by(key, &self.0).unwrap();
        Certificate { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// What a server wants of its clients.
#[derive(Clone, Copy)]
pub(crate) enum Wants<'a> {
    /// No certificate.
    Nothing,
    /// One of this authority.
    CertificateOf(&'a Authority),
}

/// A server that speaks TLS and passes on what it hears to one that does not.
pub(crate) struct TlsFront {
    address: SocketAddr,
    path: String,
    handshakes: Arc<Mutex<Vec<bool>>>,
    runtime: Option<Runtime>,
}

impl TlsFront {
    /// Before the fake at `url`; by TLS 1.3.
    pub(crate) fn before(url: &str, certificate: &Certificate, wants: Wants<'_>) -> Self {
        Self::by(&TLS13, url, certificate, wants)
    }

    /// The same, by TLS 1.2.
    pub(crate) fn before_by_12(url: &str, certificate: &Certificate, wants: Wants<'_>) -> Self {
        Self::by(&TLS12, url, certificate, wants)
    }

    fn by(
        version: &'static SupportedProtocolVersion,
        url: &str,
        certificate: &Certificate,
        wants: Wants<'_>,
    ) -> Self {
        let rest = url.strip_prefix("http://").unwrap();
        let (to, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let to: SocketAddr = to.parse().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config(version, certificate, wants)));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let handshakes: Arc<Mutex<Vec<bool>>> = Arc::default();
        let seen = Arc::clone(&handshakes);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, acceptor.clone(), to, Arc::clone(&seen)));
            }
        });
        Self { address, path: path.to_owned(), handshakes, runtime: Some(runtime) }
    }

    /// What is behind it, by the name `localhost`.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}{}", self.address.port(), self.path)
    }

    /// Of each connection, whether TLS came about.
    pub(crate) fn handshakes(&self) -> Vec<bool> {
        self.handshakes.lock().unwrap().clone()
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn config(
    version: &'static SupportedProtocolVersion,
    certificate: &Certificate,
    wants: Wants<'_>,
) -> ServerConfig {
    let builder = ServerConfig::builder_with_protocol_versions(&[version]);
    let builder = match wants {
        Wants::Nothing => builder.with_no_client_auth(),
        Wants::CertificateOf(authority) => {
            let mut roots = RootCertStore::empty();
            for root in CertificateDer::pem_slice_iter(authority.pem().as_bytes()) {
                roots.add(root.unwrap()).unwrap();
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::pem_slice_iter(certificate.certificate.as_bytes());
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    builder.with_single_cert(chain, key).unwrap()
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    to: SocketAddr,
    seen: Arc<Mutex<Vec<bool>>>,
) {
    match acceptor.accept(stream).into_fallible().await {
        Ok(mut stream) => {
            seen.lock().unwrap().push(true);
            let mut behind = TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut behind).await;
        }
        Err((_, mut stream)) => {
            seen.lock().unwrap().push(false);
            // The client reads what was wrong only if nothing of what it sends meanwhile makes the system cut the line.
            let _ = stream.shutdown().await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    }
}
