//! Certificates: who is believed to be a receiver, and what a receiver that asks for it is shown.

use super::webhook;
use crate::support::fake_receiver::{FakeReceiver, Kind};
use crate::support::fake_tokens::{CLIENT, CLIENT_SECRET, FakeTokens, Takes};
use crate::support::tls::{Authority, Certificate, TlsFront, Wants};
use hsmwatch::http::{Auth, Endpoint, HttpError, HttpTransport, OAuth2};
use hsmwatch::ports::{Transport, TransportError};
use std::collections::BTreeMap;

/// A receiver behind TLS.
struct Bed {
    fake: FakeReceiver,
    front: TlsFront,
}

fn receiver(certificate: &Certificate, wants: Wants<'_>) -> Bed {
    let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
    let front = TlsFront::before(&fake.url(), certificate, wants);
    Bed { fake, front }
}

impl Bed {
    fn endpoint(&self) -> Endpoint {
        Endpoint { url: self.front.url().into(), ..Endpoint::default() }
    }

    fn believing(&self, ca: &str) -> Endpoint {
        Endpoint { ca: Some(ca.to_owned()), ..self.endpoint() }
    }

    /// One call, and a look at the door.
    async fn call(
        &self,
        endpoint: Endpoint,
    ) -> (Result<u16, TransportError>, Result<(), TransportError>) {
        let transport = transport(endpoint).unwrap();
        let answer = transport.send(webhook("a1")).await.map(|reply| reply.status);
        let reached = transport.reach("r").await;
        for text in [format!("{answer:?}"), format!("{reached:?}")] {
            assert!(!text.contains("s3cret") && !text.contains("BEGIN"), "{text}");
        }
        (answer, reached)
    }

    /// A call that TLS does not let through, and why.
    async fn fails(&self, endpoint: Endpoint) -> String {
        let (answer, reached) = self.call(endpoint).await;
        assert!(self.fake.deliveries().is_empty());
        let Err(TransportError::Connect(why)) = answer else { panic!("{answer:?}") };
        assert!(matches!(reached, Err(TransportError::Connect(_))), "{reached:?}");
        why
    }
}

fn transport(endpoint: Endpoint) -> Result<HttpTransport, HttpError> {
    HttpTransport::new(BTreeMap::from([("r".to_owned(), endpoint)]))
}

#[tokio::test]
async fn a_receiver_is_believed_by_the_authority_that_is_named() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let bed = receiver(&ours.server(&["localhost"]), Wants::Nothing);
    // Among others, with text between them, and without a line break at the end.
    let many = format!("# other\n{}\nours:\n{}", other.pem(), ours.pem());
    for ca in [ours.pem(), many.clone(), many.trim_end().to_owned(), many.replace('\n', "\r\n")] {
        assert_eq!(bed.call(bed.believing(&ca)).await, (Ok(204), Ok(())));
    }
    assert_eq!(bed.fake.deliveries().len(), 4);
    assert!(bed.front.handshakes().iter().all(|well| *well));
}

#[tokio::test]
async fn who_is_not_vouched_for_is_not_believed() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let bed = receiver(&ours.server(&["localhost"]), Wants::Nothing);
    // The system knows nothing of it.
    assert!(bed.fails(bed.endpoint()).await.contains("UnknownIssuer"));
    assert!(bed.fails(bed.believing(&other.pem())).await.contains("UnknownIssuer"));

    let bed = receiver(&ours.server(&["other.example", "127.0.0.1"]), Wants::Nothing);
    let why = bed.fails(bed.believing(&ours.pem())).await;
    assert!(why.contains("not valid for name"), "{why}");
    // By its address it is the one it says it is.
    let url = bed.front.url().replace("localhost", "127.0.0.1").into();
    let by_address = Endpoint { url, ..bed.believing(&ours.pem()) };
    assert_eq!(bed.call(by_address).await, (Ok(204), Ok(())));

    let bed = receiver(&ours.expired(&["localhost"]), Wants::Nothing);
    let why = bed.fails(bed.believing(&ours.pem())).await;
    assert!(why.contains("expired"), "{why}");

    // A client's certificate is no server's.
    let bed = receiver(&ours.client(), Wants::Nothing);
    assert!(!bed.fails(bed.believing(&ours.pem())).await.is_empty());
}

#[tokio::test]
async fn a_chain_is_followed_to_the_authority() {
    let root = Authority::new("root");
    let below = root.below("below");
    let leaf = below.server(&["localhost"]);
    let with_chain = Certificate {
        certificate: format!("{}{}", leaf.certificate, below.pem()),
        key: leaf.key.clone(),
    };
    let bed = receiver(&with_chain, Wants::Nothing);
    assert_eq!(bed.call(bed.believing(&root.pem())).await, (Ok(204), Ok(())));
    // Without the link in between nobody can tell; who trusts that link needs no more.
    let bed = receiver(&leaf, Wants::Nothing);
    assert!(bed.fails(bed.believing(&root.pem())).await.contains("UnknownIssuer"));
    assert_eq!(bed.call(bed.believing(&below.pem())).await, (Ok(204), Ok(())));
}

/// The key of a certificate in the forms that other programs write.
fn forms(authority: &Authority) -> Vec<(&'static str, String)> {
    let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let rsa = rsa.unwrap();
    let inner = |key: &rcgen::KeyPair, label: &str| {
        let der = key.serialize_der();
        pem(label, octets(&der))
    };
    let (sec1, pkcs1) = (inner(&ec, "EC PRIVATE KEY"), inner(&rsa, "RSA PRIVATE KEY"));
    let ec = authority.client_with(&ec);
    let rsa = authority.client_with(&rsa);
    let ed = authority.client_with(&ed);
    vec![
        ("P-256, PKCS#8", authority.client().both()),
        ("P-384, PKCS#8", ec.both()),
        ("P-384, SEC1", format!("{}{sec1}", ec.certificate)),
        ("RSA, PKCS#8", rsa.both()),
        ("RSA, PKCS#1", format!("{}{pkcs1}", rsa.certificate)),
        ("Ed25519, key first", format!("{}{}", ed.key, ed.certificate)),
    ]
}

/// What a PKCS#8 key has in it: its third part, a string of octets.
fn octets(der: &[u8]) -> &[u8] {
    let mut rest = value(der).0;
    for _ in 0..2 {
        rest = value(rest).1;
    }
    value(rest).0
}

/// The contents of the first value of DER, and what comes after it.
fn value(der: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(der[1]);
    let (start, length) = if length < 0x80 {
        (2, length)
    } else {
        let bytes = &der[2..2 + (length & 0x7f)];
        (2 + bytes.len(), bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)))
    };
    (&der[start..start + length], &der[start + length..])
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks() {
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let bed = receiver(&ours.server(&["localhost"]), Wants::CertificateOf(&clients));
    let link = clients.below("link");
    let leaf = link.client();
    let chain = ("with its chain", format!("{}{}{}", leaf.certificate, link.pem(), leaf.key));
    for (what, text) in forms(&clients).into_iter().chain([chain]) {
        let endpoint =
            Endpoint { client_certificate: Some(text.into()), ..bed.believing(&ours.pem()) };
        assert_eq!(bed.call(endpoint).await, (Ok(204), Ok(())), "{what}");
    }
    // One who does not ask is not shown it, and goes without.
    let bed = receiver(&ours.server(&["localhost"]), Wants::Nothing);
    let endpoint = Endpoint {
        client_certificate: Some(clients.client().both().into()),
        ..bed.believing(&ours.pem())
    };
    assert_eq!(bed.call(endpoint).await, (Ok(204), Ok(())));
}

#[tokio::test]
async fn who_does_not_like_our_certificate_has_heard_nothing() {
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let wrong = Authority::new("wrong").client().both();
    let expired = {
        let Certificate { certificate, key } = clients.expired(&["hsmwatch"]);
        format!("{certificate}{key}")
    };
    let server = ours.server(&["localhost"]);
    let fake = FakeReceiver::start(Kind::Webhook(Vec::new()));
    let wants = Wants::CertificateOf(&clients);
    for front in [
        TlsFront::before(&fake.url(), &server, wants),
        TlsFront::before_by_12(&fake.url(), &server, wants),
    ] {
        for shown in [None, Some(wrong.clone()), Some(expired.clone())] {
            let expected = if shown.is_some() {
                "it does not accept our client certificate ("
            } else {
                "it wants a client certificate, and `client_certificate` is not set ("
            };
            let endpoint = Endpoint {
                url: front.url().into(),
                ca: Some(ours.pem()),
                client_certificate: shown.map(Into::into),
                ..Endpoint::default()
            };
            let error = transport(endpoint).unwrap().send(webhook("a1")).await.unwrap_err();
            let TransportError::Unauthorized(why) = &error else { panic!("{error:?}") };
            assert!(why.starts_with(expected), "{why}");
        }
        assert_eq!(front.handshakes(), [false; 3]);
    }
    assert!(fake.deliveries().is_empty());
}

#[tokio::test]
async fn receivers_do_not_share_what_is_not_theirs() {
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let bed = receiver(&ours.server(&["localhost"]), Wants::CertificateOf(&clients));
    let with = |ca: Option<String>, client: Option<String>| Endpoint {
        ca,
        client_certificate: client.map(Into::into),
        ..bed.endpoint()
    };
    let good = clients.client().both();
    // In one transport, the good one first.
    let transport = HttpTransport::new(BTreeMap::from([
        ("a".to_owned(), with(Some(ours.pem()), Some(good.clone()))),
        ("b".to_owned(), with(Some(ours.pem()), None)),
        ("c".to_owned(), with(None, Some(good.clone()))),
        ("d".to_owned(), with(Some(ours.pem()), Some(Authority::new("x").client().both()))),
        ("e".to_owned(), with(Some(ours.pem()), Some(good))),
    ]))
    .unwrap();
    let mut answers = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let mut call = webhook("a1");
        call.receiver = name.to_owned();
        answers.push(match transport.send(call).await {
            Ok(reply) => reply.status.to_string(),
            Err(error) => error.to_string().split(':').next().unwrap().to_owned(),
        });
    }
    assert_eq!(answers, ["204", "not authorized", "no connection", "not authorized", "204"]);
}

#[test]
fn what_is_no_certificate_is_named_at_once() {
    let authority = Authority::new("ours");
    let (one, two) = (authority.client(), authority.client());
    let cut = |pem: &str| pem.replace("\nMII", "\nMI");
    let ca = |text: &str| Endpoint { ca: Some(text.to_owned()), ..Endpoint::default() };
    let client =
        |text: String| Endpoint { client_certificate: Some(text.into()), ..Endpoint::default() };
    let no_ca =
        "`ca` holds no certificate: it must be PEM, `-----BEGIN CERTIFICATE-----` and what follows";
    let bad_ca = "`ca` holds a certificate that cannot be read: is it whole, each line on a line of its own?";
    let no_certificate = "`client_certificate` holds no certificate: it must be PEM, `-----BEGIN CERTIFICATE-----` and what follows, with the private key in the same text";
    let no_key = "`client_certificate` holds no private key: it must be in the same text, `-----BEGIN PRIVATE KEY-----` and what follows";
    let encrypted = "the private key in `client_certificate` is encrypted, and nobody is there to type its passphrase: keep it unencrypted in a vault";
    let unreadable = "`client_certificate` holds a certificate or private key that cannot be read: is it whole, each line on a line of its own?";
    let foreign = "the private key in `client_certificate` is not that of the first certificate in it, or of a kind that is not known (RSA, ECDSA or Ed25519, in PKCS#8, PKCS#1 or SEC1)";
    for (endpoint, expected) in [
        (ca("s3cret"), no_ca),
        (ca(""), no_ca),
        (ca(&one.key), no_ca),
        (ca(&cut(&authority.pem())), bad_ca),
        (ca(&authority.pem().replace('\n', " ")), bad_ca),
        (ca(&pem("CERTIFICATE", b"s3cret")), bad_ca),
        (ca(&format!("{}{}", authority.pem(), pem("CERTIFICATE", b"s3cret"))), bad_ca),
        (client("s3cret".to_owned()), no_certificate),
        (client(one.key.clone()), no_certificate),
        (client(one.certificate.clone()), no_key),
        (
            client(format!("{}{}", one.certificate, pem("ENCRYPTED PRIVATE KEY", b"s3cret"))),
            encrypted,
        ),
        (client(one.both().replace('\n', " ")), unreadable),
        (client(format!("{}{}", one.certificate, pem("PRIVATE KEY", b"s3cret"))), foreign),
        (client(format!("{}{}", one.certificate, two.key)), foreign),
        (client(format!("{}{}", pem("CERTIFICATE", b"s3cret"), one.key)), foreign),
    ] {
        let endpoint = Endpoint { url: "https://a.example/s3cret".to_owned().into(), ..endpoint };
        let error = transport(endpoint).unwrap_err();
        assert_eq!(error.to_string(), format!("receiver `r`: {expected}"));
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_token_endpoint_is_believed_by_the_same_authority() {
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let tokens = FakeTokens::start(Takes::Either);
    let server = ours.server(&["localhost"]);
    let wants = Wants::CertificateOf(&clients);
    let front = TlsFront::before(&tokens.url(), &server, wants);
    let bed = receiver(&server, Wants::Nothing);
    let auth = Auth::OAuth2(OAuth2 {
        token_url: front.url().into(),
        client_id: CLIENT.to_owned(),
        client_secret: CLIENT_SECRET.to_owned().into(),
        scope: None,
        audience: None,
    });
    // It is shown the receiver's client certificate as well, if it asks.
    let endpoint = Endpoint {
        auth: auth.clone(),
        client_certificate: Some(clients.client().both().into()),
        ..bed.believing(&ours.pem())
    };
    assert_eq!(bed.call(endpoint).await, (Ok(204), Ok(())));
    let without = Endpoint { auth, ..bed.believing(&ours.pem()) };
    let (answer, _) = bed.call(without).await;
    let Err(TransportError::Unauthorized(why)) = answer else { panic!("{answer:?}") };
    assert!(
        why.starts_with("no token from the token endpoint: it wants a client certificate"),
        "{why}"
    );
}
