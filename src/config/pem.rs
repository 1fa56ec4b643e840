//! Certificates and keys in PEM: whether a text is what it should be, as far as its outside tells. What is within, the transport
//! reads. A fault shows nothing of it.

use super::problem::Fault;
use super::text::Text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const CERTIFICATE: &str = "CERTIFICATE";
const KEYS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
const WRITE: &str = "write { file = \"PATH\" }; the file begins with `-----BEGIN CERTIFICATE-----`";

/// Certificates of authorities.
pub(super) fn authorities(text: &Text) -> Result<String, Fault> {
    let labels = labels(&text.value)?;
    if labels.iter().any(|label| label.ends_with("PRIVATE KEY")) {
        return Err(Fault::new("has a private key in it").hint(
            "certificates of authorities only; what we show to the receiver is `client_certificate`",
        ));
    }
    if labels.iter().any(|label| *label != CERTIFICATE) {
        return Err(Fault::new("has something else than certificates in it").hint(WRITE));
    }
    Ok(text.value.clone())
}

/// A certificate, those that it was issued by, and its private key.
pub(super) fn identity(text: &Text) -> Result<String, Fault> {
    let labels = labels(&text.value)?;
    let keys = labels.iter().filter(|label| label.ends_with("PRIVATE KEY"));
    let (good, bad): (Vec<&str>, Vec<&str>) = keys.partition(|label| KEYS.contains(label));
    let encrypted = bad.contains(&"ENCRYPTED PRIVATE KEY") || text.value.contains("Proc-Type:");
    if encrypted {
        return Err(Fault::new("its private key is encrypted").hint(
            "`openssl pkey -in client.pem` prints it unencrypted: keep the result as a secret, in Key Vault or in a file that only hsmwatch may read",
        ));
    }
    if !labels.contains(&CERTIFICATE) {
        return Err(Fault::new("has no certificate in it")
            .hint("certificate and private key in one text, one after the other"));
    }
    match (good.len(), bad.len()) {
        (1, 0) => Ok(text.value.clone()),
        (0, 0) => Err(Fault::new("has no private key in it").hint(
            "certificate and private key in one text, one after the other; of a .pfx: `openssl pkcs12 -in client.pfx -nodes`",
        )),
        (0, _) => Err(Fault::new("its private key is of a kind that is not known here")
            .hint("`openssl pkey -in client.pem` prints it as `PRIVATE KEY`")),
        _ => Err(Fault::new("has more than one private key in it").hint("keep the one that belongs to the certificate")),
    }
}

/// What the parts of a PEM text say they are. Text between them is nobody's business.
fn labels(text: &str) -> Result<Vec<&str>, Fault> {
    let mut labels = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines().map(str::trim) {
        let marker = |prefix: &str| line.strip_prefix(prefix)?.strip_suffix("-----");
        match (&mut open, marker("-----BEGIN "), marker("-----END ")) {
            (None, Some(label), _) => open = Some((label, String::new())),
            (Some((label, body)), None, Some(end)) if *label == end => {
                // An encrypted key of the old form has headers.
                if !body.contains(':') && STANDARD.decode(body.as_str()).is_err() {
                    return Err(Fault::new("is damaged: it is not base64 between its markers")
                        .hint("copy the file as it is, with its line breaks"));
                }
                labels.push(*label);
                open = None;
            }
            (Some((_, body)), None, None) => body.push_str(line),
            (None, None, None) => {}
            _ => return Err(broken_off()),
        }
    }
    if open.is_some() {
        return Err(broken_off());
    }
    if labels.is_empty() {
        return Err(Fault::new("is not PEM").hint(WRITE));
    }
    Ok(labels)
}

fn broken_off() -> Fault {
    Fault::new("is cut short: each `-----BEGIN …-----` needs its `-----END …-----`")
        .hint("copy the file as it is, with its line breaks")
}
