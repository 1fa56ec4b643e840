//! Standard Webhooks signatures: `v1,` + base64(HMAC-SHA256(key, `{id}.{timestamp}.{body}`)).

use secrecy::SecretSlice;

/// A signing key. Prints nothing.
#[derive(Clone, Debug)]
pub struct SigningKey(pub(crate) SecretSlice<u8>);
