//! Signatures: of Standard Webhooks, `v1,` + base64(HMAC-SHA256(key, `{id}.{timestamp}.{body}`)), and for receivers that know
//! no other way, GitHub's.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use std::fmt::Write as _;

/// Standard base64; padding may be there or not when reading.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a secret begins with.
pub const PREFIX: &str = "whsec_";

/// How far a receiver lets the timestamp be from its own clock.
pub const TOLERANCE: TimeDelta = TimeDelta::seconds(300);

/// The header of [`hub_signature`].
pub const HUB_HEADER: &str = "x-hub-signature-256";

/// A signing key. Prints nothing, and is overwritten in memory when it is dropped.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// What is encoded after `whsec_`: the key of Standard Webhooks.
    bytes: SecretSlice<u8>,
    /// The secret as written: the key of [`hub_signature`], which is what people can paste into a field "secret".
    text: SecretString,
}

/// A secret that cannot be used. Never shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Another kind of string.
    #[error(
        "the signing secret does not begin with `whsec_`: make one of 24 to 64 random bytes, as in \
         `echo whsec_$(openssl rand -base64 32)`"
    )]
    Prefix,
    /// Cannot be decoded.
    #[error(
        "what follows `whsec_` in the signing secret is not base64: use the standard alphabet (A-Z a-z 0-9 + /)"
    )]
    NotBase64,
    /// Too short to be safe, or longer than the specification allows.
    #[error("the signing secret is {0} bytes long: use 24 to 64 bytes")]
    Length(usize),
}

impl SigningKey {
    /// Reads `whsec_` + base64 of 24 to 64 bytes, padded or not.
    pub fn parse(secret: &str) -> Result<Self, BadSecret> {
        let text = secret.trim();
        let encoded = text.strip_prefix(PREFIX).ok_or(BadSecret::Prefix)?;
        let bytes = BASE64.decode(encoded).map_err(|_| BadSecret::NotBase64)?;
        let length = bytes.len();
        // Wrapped before it can be dropped in the clear.
        let key = Self { bytes: SecretSlice::from(bytes), text: SecretString::from(text) };
        if (24..=64).contains(&length) { Ok(key) } else { Err(BadSecret::Length(length)) }
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
        mac(self.bytes.expose_secret(), &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
    }

    /// The code over some parts by a reading of the secret.
    pub(super) fn code(&self, reading: Reading, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        mac(
            match reading {
                Reading::Bytes => self.bytes.expose_secret(),
                Reading::Text => self.text.expose_secret().as_bytes(),
            },
            parts,
        )
    }
}

/// Which bytes of a secret are a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Those that are encoded after `whsec_`.
    Bytes,
    /// Those of its text.
    Text,
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

/// The value of `X-Hub-Signature-256`: `sha256=` and the HMAC-SHA256 of the body alone, in hex.
///
/// The key is the secret *as written*, `whsec_` included, because that is what a receiver of this kind lets people paste. The
/// signature knows neither id nor time, so it does not tell a replayed message from a new one.
pub fn hub_signature(body: &[u8], key: &SigningKey) -> Option<String> {
    key.code(Reading::Text, &[body]).map(hub)
}

fn hub(mac: Hmac<Sha256>) -> String {
    let mut value = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        let _infallible = write!(value, "{byte:02x}");
    }
    value
}

/// The value of `webhook-signature`: one signature a key, in the order of the keys (newest first). `None` without keys.
pub fn sign(id: &str, unix_seconds: i64, body: &[u8], keys: &[SigningKey]) -> Option<String> {
    let timestamp = unix_seconds.to_string();
    let signatures: Vec<String> = keys
        .iter()
        .filter_map(|key| key.mac(id, &timestamp, body))
        .map(|mac| format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
        .collect();
    if signatures.is_empty() { None } else { Some(signatures.join(" ")) }
}

/// The headers that a signature needs, as received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed<'a> {
    /// `webhook-id`
    pub id: Option<&'a str>,
    /// `webhook-timestamp`
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`
    pub signature: Option<&'a str>,
}

/// Why a message is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is not there, or empty.
    #[error("header `{0}` is missing")]
    Missing(&'static str),
    /// There is nothing to compare with.
    #[error("there is no secret to verify with")]
    NoKeys,
    /// Not whole seconds since 1970.
    #[error("`webhook-timestamp` is `{0}`, not a number of seconds since 1970")]
    Timestamp(String),
    /// A replay, or a clock that runs behind.
    #[error(
        "the message is too old: sent {age} s before now, {over} s more than the {tolerance} s allowed"
    )]
    TooOld {
        /// Seconds between its timestamp and now.
        age: i64,
        /// Seconds beyond the tolerance.
        over: i64,
        /// The tolerance.
        tolerance: i64,
    },
    /// A clock that runs ahead.
    #[error(
        "the message is too new: sent {ahead} s after now, {over} s more than the {tolerance} s allowed; compare the clocks"
    )]
    TooNew {
        /// Seconds between now and its timestamp.
        ahead: i64,
        /// Seconds beyond the tolerance.
        over: i64,
        /// The tolerance.
        tolerance: i64,
    },
    /// No entry of the list is a `v1,` signature.
    #[error("`webhook-signature` holds no `v1,` signature; it is a list separated by spaces")]
    NoV1,
    /// Someone encoded the digest the other way.
    #[error("the `v1` signature is written in hex; it must be base64")]
    Hex,
    /// Not a digest in base64.
    #[error("the `v1` signature is not base64 of 32 bytes")]
    NotBase64,
    /// All is well formed, but body, id, timestamp or secret are not those that were signed.
    #[error(
        "no signature matches: the body (byte for byte), `webhook-id`, `webhook-timestamp` or the secret is not what was signed"
    )]
    NoMatch,
}

/// Checks a received message as a receiver should: headers there, timestamp within `tolerance` of `now` (inclusive), and
/// one `v1` signature that matches one of `keys`, compared in constant time.
pub fn verify(
    signed: Signed<'_>,
    body: &[u8],
    keys: &[SigningKey],
    now: DateTime<Utc>,
    tolerance: TimeDelta,
) -> Result<(), VerifyError> {
    let header = |value: Option<&'_ str>, name| match value.map(str::trim) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(VerifyError::Missing(name)),
    };
    let id = header(signed.id, "webhook-id")?;
    let timestamp = header(signed.timestamp, "webhook-timestamp")?;
    let signatures = header(signed.signature, "webhook-signature")?;
    if keys.is_empty() {
        return Err(VerifyError::NoKeys);
    }
    let unix = seconds(&timestamp)
        .ok_or_else(|| VerifyError::Timestamp(super::limits::clean(&timestamp, 40)))?;
    fresh(unix, now, tolerance)?;

    let mut problem = VerifyError::NoV1;
    for encoded in signatures.split_whitespace().filter_map(|entry| entry.strip_prefix("v1,")) {
        if encoded.len() == 64 && encoded.bytes().all(|b| b.is_ascii_hexdigit()) {
            problem = worse(problem, VerifyError::Hex);
            continue;
        }
        let Some(digest) = BASE64.decode(encoded).ok().filter(|digest| digest.len() == 32) else {
            problem = worse(problem, VerifyError::NotBase64);
            continue;
        };
        let matches = |key: &SigningKey| {
            key.mac(&id, &timestamp, body).is_some_and(|mac| mac.verify_slice(&digest).is_ok())
        };
        if keys.iter().any(matches) {
            return Ok(());
        }
        problem = VerifyError::NoMatch;
    }
    Err(problem)
}

/// A timestamp as a sender writes it. `+5` parses as a number, but is none; what was signed is the text.
pub(super) fn seconds(timestamp: &str) -> Option<i64> {
    timestamp.parse::<i64>().ok().filter(|_| !timestamp.starts_with('+'))
}

/// Whether a time is close enough to now.
pub(super) fn fresh(
    seconds: i64,
    now: DateTime<Utc>,
    tolerance: TimeDelta,
) -> Result<(), VerifyError> {
    let tolerance = tolerance.num_seconds();
    let age = now.timestamp().saturating_sub(seconds);
    if age > tolerance {
        return Err(VerifyError::TooOld { age, over: age - tolerance, tolerance });
    }
    let ahead = age.saturating_neg();
    if ahead > tolerance {
        return Err(VerifyError::TooNew { ahead, over: ahead - tolerance, tolerance });
    }
    Ok(())
}

/// A well-formed signature that does not match says more than a malformed one, and that more than none.
fn worse(so_far: VerifyError, found: VerifyError) -> VerifyError {
    if so_far == VerifyError::NoMatch { so_far } else { found }
}

#[cfg(test)]
mod tests;
