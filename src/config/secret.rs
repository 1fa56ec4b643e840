//! Signing secrets: `whsec_` and 24 to 64 bytes in base64. A fault says what is wrong and shows nothing of the secret.

use super::problem::Fault;
use super::reader::Text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// How to make a secret.
pub(super) const MAKE: &str =
    "make one: `whsec_` followed by what `openssl rand -base64 32` prints";

/// A signing secret.
pub(super) fn signing(text: &Text) -> Result<SecretString, Fault> {
    signing_text(&text.value).map_err(|what| Fault::new(what).hint(MAKE))?;
    Ok(SecretString::from(text.value.clone()))
}

fn signing_text(secret: &str) -> Result<(), String> {
    let Some(encoded) = secret.strip_prefix("whsec_") else {
        if secret.starts_with("whsk_") || secret.starts_with("whpk_") {
            return Err("an asymmetric key: secrets begin with `whsec_`".to_owned());
        }
        return Err("does not begin with `whsec_`".to_owned());
    };
    if encoded.chars().any(char::is_whitespace) {
        return Err("has a space or a line break in it".to_owned());
    }
    if encoded.contains(['-', '_']) {
        return Err(
            "is in the URL-safe alphabet (`-`, `_`); standard base64 has `+` and `/`".to_owned()
        );
    }
    if encoded.len() % 4 != 0 {
        return Err("is not whole: base64 comes in groups of four, with `=` at the end".to_owned());
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| "is not base64 after `whsec_`".to_owned())?;
    match bytes.len() {
        24..=64 => Ok(()),
        n => Err(format!("decodes to {n} bytes, not 24 to 64")),
    }
}
