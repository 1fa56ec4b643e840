//! Secrets: for signing, `whsec_` and 24 to 64 bytes in base64; of a storage account, a key or a shared access signature; of
//! receivers, keys, tokens and passwords.
//! A fault says what is wrong and shows nothing of the secret.

use super::model::StorageSecret;
use super::problem::Fault;
use super::text::Text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

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

/// A key of a storage account.
pub(super) fn account_key(text: &Text) -> Result<StorageSecret, Fault> {
    let key = text.value.trim();
    let hint = "in the portal: the storage account, \"Access keys\", \"Key\" of key1 or key2";
    if key.contains("AccountKey=") {
        return Err(Fault::new("a connection string").hint("what follows `AccountKey=` in it"));
    }
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() >= 16 => {
            Ok(StorageSecret::AccountKey(SecretString::from(key.to_owned())))
        }
        Ok(_) => Err(Fault::new("is too short for a storage account's key").hint(hint)),
        Err(_) => Err(Fault::new("is not a storage account's key, which is base64").hint(hint)),
    }
}

/// A shared access signature.
pub(super) fn sas(text: &Text) -> Result<StorageSecret, Fault> {
    let sas = text.value.trim();
    if sas.contains("SharedAccessSignature=") {
        return Err(
            Fault::new("a connection string").hint("what follows `SharedAccessSignature=` in it")
        );
    }
    if sas.contains("://") {
        return Err(Fault::new("a URL").hint("what follows the `?` in it"));
    }
    let sas = sas.strip_prefix('?').unwrap_or(sas);
    if sas.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '#' | '?')) {
        return Err(Fault::new("has a space, a line break, a `#` or a `?` in it"));
    }
    if !sas.split('&').any(|pair| pair.strip_prefix("sig=").is_some_and(|sig| !sig.is_empty())) {
        return Err(Fault::new("is not a shared access signature: it has no `sig=`")
            .hint("in the portal: the storage account, \"Shared access signature\""));
    }
    Ok(StorageSecret::Sas(SecretString::from(sas.to_owned())))
}

/// `PagerDuty`'s integration key.
pub(super) fn routing_key(text: &Text) -> Result<SecretString, Fault> {
    let key = text.value.trim();
    let hint =
        "in PagerDuty: the service, \"Integrations\", \"Events API V2\", \"Integration Key\"";
    if key.contains("://") {
        return Err(Fault::new("a URL").hint(format!("the key alone; {hint}")));
    }
    if !key.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Fault::new("has something else than letters and digits in it").hint(hint));
    }
    match key.len() {
        32 => Ok(SecretString::from(key.to_owned())),
        20 => Err(Fault::new(
            "is 20 characters long, as keys of PagerDuty's REST API are; an integration key has 32",
        )
        .hint(hint)),
        n => Err(Fault::new(format!("is {n} characters long, not 32")).hint(hint)),
    }
}

/// A token or a key that goes into a header.
pub(super) fn credential(text: &Text) -> Result<SecretString, Fault> {
    let token = &text.value;
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Err(Fault::new("has a line break, or something that is not ASCII, in it")
            .hint("copy it once more: one line, as the service showed it"));
    }
    if token.trim() != token {
        return Err(Fault::new("has spaces around it").hint("take them out"));
    }
    Ok(SecretString::from(token.clone()))
}

/// A credential that stands after a word which is ours to write.
pub(super) fn alone(token: SecretString) -> Result<SecretString, Fault> {
    let text = token.expose_secret();
    let Some((word, _)) = text.split_once(' ') else { return Ok(token) };
    let known = ["Bearer", "Basic", "GenieKey", "Token", "token"].contains(&word);
    Err(Fault::new("has a space in it").hint(if known {
        format!("what follows `{word}`, without that word")
    } else {
        "copy it once more: one word, as the service showed it".to_owned()
    }))
}

/// A password, or the secret of a client.
pub(super) fn password(text: &Text) -> Result<SecretString, Fault> {
    if text.value.is_empty() || text.value.chars().any(char::is_control) {
        return Err(Fault::new("has a line break or a control character in it"));
    }
    Ok(SecretString::from(text.value.clone()))
}
