//! Secrets: for signing, `whsec_` and 24 to 64 bytes in base64; of a storage account, a key or a shared access signature.
//! A fault says what is wrong and shows nothing of the secret.

use super::model::StorageSecret;
use super::problem::Fault;
use super::text::Text;
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
