//! The three headers, under whatever name they came.

use super::entries::{Entry, Form};
use super::wrong::Wrong;
use crate::notify::captured::Captured;
use crate::notify::limits;
use crate::notify::sign::{Reading, SigningKey, VerifyError};
use hmac::Mac as _;

/// What was signed, as far as the request says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) id: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) body: &'a [u8],
}

impl Found<'_> {
    /// Whether a signature is this key's over exactly this.
    pub(super) fn fits(&self, key: &SigningKey, entry: &Entry) -> bool {
        self.fits_as(Reading::Bytes, key, entry)
    }

    /// Whether it is with the secret read so.
    pub(super) fn fits_as(&self, reading: Reading, key: &SigningKey, entry: &Entry) -> bool {
        let parts = [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", self.body];
        is_of(reading, key, &parts, entry)
    }
}

/// Whether a signature is a key's over some parts. All that is there of one that was cut off must fit.
pub(super) fn is_of(reading: Reading, key: &SigningKey, parts: &[&[u8]], entry: &Entry) -> bool {
    let (Some(digest), Some(mac)) = (&entry.digest, key.code(reading, parts)) else { return false };
    match entry.form {
        Form::CutOff(_) => mac.verify_truncated_left(digest).is_ok(),
        _ => mac.verify_slice(digest).is_ok(),
    }
}

/// Id, timestamp and signature. What is missing, renamed or there twice is wrong.
pub(super) fn all(captured: &Captured, wrong: &mut Vec<Wrong>) -> [Option<String>; 3] {
    ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| one(captured, name, wrong))
}

fn one(captured: &Captured, name: &'static str, wrong: &mut Vec<Wrong>) -> Option<String> {
    let values: Vec<&str> = captured.values(name).filter(|value| !value.is_empty()).collect();
    if let Some((first, more)) = values.split_first() {
        if more.iter().any(|value| value != first) {
            wrong.push(Wrong::Twice(name));
        }
        return Some((*first).to_owned());
    }
    let other = captured.headers.iter().find(|(found, value)| {
        !value.trim().is_empty() && !found.eq_ignore_ascii_case(name) && means(found, name)
    });
    if let Some((found, value)) = other {
        wrong.push(Wrong::Renamed { name, found: limits::clean(found, 60) });
        return Some(value.trim().to_owned());
    }
    wrong.push(Wrong::Plain(VerifyError::Missing(name)));
    None
}

/// Whether a header is this one under another name: Svix's, a gateway's or a CGI variable's.
fn means(found: &str, name: &str) -> bool {
    let found = found.to_ascii_lowercase().replace('_', "-");
    let what = name.trim_start_matches("webhook");
    let ours = ["webhook", "svix"].map(|begin| format!("{begin}{what}"));
    ours.iter().any(|ours| {
        found
            .strip_suffix(ours.as_str())
            .is_some_and(|before| before.is_empty() || before.ends_with('-'))
    })
}
