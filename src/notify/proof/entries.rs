//! The list in `webhook-signature`, and how else a signature may have been written.

use super::wrong::Wrong;
use crate::notify::sign::VerifyError;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Bytes of a digest.
const WHOLE: usize = 32;
/// Fewer bytes say nothing.
const ENOUGH: usize = 8;

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it must be.
    Sound,
    /// `v1a,`: by a key pair.
    Asymmetric,
    /// In hex.
    Hex,
    /// In the other alphabet.
    UrlSafe,
    /// With a comma behind it.
    Comma,
    /// Without `v1,`.
    Bare,
    /// Only so many bytes of it.
    CutOff(usize),
    /// Not a digest, however it is read.
    NoDigest,
    /// Of another version, or no signature.
    Unknown,
}

/// One of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) form: Form,
    pub(super) digest: Option<Vec<u8>>,
}

impl Form {
    /// What is wrong with a signature that is written so.
    pub(super) const fn wrong(self) -> Option<Wrong> {
        match self {
            Self::Sound | Self::Asymmetric | Self::Unknown => None,
            Self::Hex => Some(Wrong::Plain(VerifyError::Hex)),
            Self::NoDigest => Some(Wrong::Plain(VerifyError::NotBase64)),
            Self::UrlSafe => Some(Wrong::UrlSafe),
            Self::Comma => Some(Wrong::Comma),
            Self::Bare => Some(Wrong::Bare),
            Self::CutOff(bytes) => Some(Wrong::CutOff(bytes)),
        }
    }
}

/// The signatures of a list.
pub(super) fn read(list: &str) -> Vec<Entry> {
    list.split_whitespace().map(entry).collect()
}

fn entry(text: &str) -> Entry {
    let none = |form| Entry { form, digest: None };
    if text.starts_with("v1a,") {
        return none(Form::Asymmetric);
    }
    let Some(encoded) = text.strip_prefix("v1,") else {
        // `v1=…` is how others write it.
        let bare = text.strip_prefix("v1=").or_else(|| text.strip_prefix("v1:")).unwrap_or(text);
        let digest = from_hex(bare).or_else(|| whole(&STANDARD, bare));
        return Entry { form: if digest.is_some() { Form::Bare } else { Form::Unknown }, digest };
    };
    if let Some(digest) = from_hex(encoded) {
        return Entry { form: Form::Hex, digest: Some(digest) };
    }
    if let Some(digest) = whole(&STANDARD, encoded) {
        // As strict as a receiver: bits that say nothing must be zero.
        let exact = STANDARD.encode(&digest).trim_end_matches('=') == encoded.trim_end_matches('=');
        if exact {
            return Entry { form: Form::Sound, digest: Some(digest) };
        }
        return none(Form::NoDigest);
    }
    if let Some(digest) = whole(&URL_SAFE, encoded) {
        return Entry { form: Form::UrlSafe, digest: Some(digest) };
    }
    if let Some(digest) = encoded.strip_suffix([',', ';']).and_then(|e| whole(&STANDARD, e)) {
        return Entry { form: Form::Comma, digest: Some(digest) };
    }
    match beginning(encoded) {
        Some(digest) => Entry { form: Form::CutOff(digest.len()), digest: Some(digest) },
        None => none(Form::NoDigest),
    }
}

fn whole(engine: &GeneralPurpose, text: &str) -> Option<Vec<u8>> {
    engine.decode(text).ok().filter(|digest| digest.len() == WHOLE)
}

/// What is there of a digest that was cut off.
fn beginning(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches(['.', '…', '=']);
    // A single character of a group of four holds no whole byte.
    let text = text.get(..text.len() - text.len() % 4).unwrap_or(text);
    STANDARD.decode(text).ok().filter(|digest| (ENOUGH..WHOLE).contains(&digest.len()))
}

/// 32 bytes in hex, of either case.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.len() != 2 * WHOLE {
        return None;
    }
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        // `+f` parses as a number.
        u8::from_str_radix(text, 16).ok().filter(|_| text.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    bytes.chunks(2).map(pair).collect()
}
