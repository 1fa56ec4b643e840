//! Proof of origin, looked into: everything that is wrong with a request that was received, not only that something is.
//!
//! [`sign::verify`] is what a receiver does: yes or no, and the first reason. [`examine`] is for whoever wonders about a no. It
//! tries what commonly happens to a request on its way and says which of it makes the signature fit. It is never more
//! generous: what `verify` refuses, has a [`Wrong`] here.

mod changes;
mod entries;
mod found;
mod wrong;

use super::captured::{Captured, Kept};
use super::limits;
use super::sign::{self, Reading, Signed, SigningKey, VerifyError};
use super::webhook::cloud_event;
pub use changes::Change;
use chrono::{DateTime, TimeDelta, Utc};
use entries::{Entry, Form};
use found::Found;
use hmac::Mac as _;
use serde_json::Value as Json;
pub use wrong::{Note, Suspect, Wrong};

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Why a receiver should refuse it. None: it is what it says it is.
    pub wrong: Vec<Wrong>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
    /// Which keys have a signature that fits the request as it is, whatever its time: positions in the list of keys.
    pub signed_by: Vec<usize>,
    /// Which key's `X-Hub-Signature-256` fits.
    pub hub_signed_by: Option<usize>,
    /// `webhook-id`, under whatever name it came.
    pub id: Option<String>,
    /// Seconds from `webhook-timestamp` to now; negative: it lies ahead.
    pub age: Option<i64>,
}

impl Examination {
    /// Whether a receiver should take it.
    pub const fn is_valid(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Looks into a request. `keys` are the receiver's, newest first.
pub fn examine(
    captured: &Captured,
    keys: &[SigningKey],
    now: DateTime<Utc>,
    tolerance: TimeDelta,
) -> Examination {
    let mut seen = Examination::default();
    let [id, timestamp, signature] = found::all(captured, &mut seen.wrong);
    seen.id.clone_from(&id);
    let body = captured.body.bytes();
    let json: Option<Json> = serde_json::from_slice(body).ok();
    match captured.body {
        Kept::Nothing => seen.wrong.push(Wrong::NoBody),
        Kept::Parsed(_) => seen.notes.push(Note::Parsed),
        Kept::Bytes(_) => {}
    }
    if let Some(text) = &timestamp {
        match sign::seconds(text) {
            Some(seconds) => {
                seen.age = Some(now.timestamp().saturating_sub(seconds));
                seen.wrong.extend(sign::fresh(seconds, now, tolerance).err().map(Wrong::Plain));
            }
            None => seen.wrong.push(Wrong::Plain(VerifyError::Timestamp(limits::clean(text, 40)))),
        }
    }
    if keys.is_empty() {
        seen.wrong.push(Wrong::Plain(VerifyError::NoKeys));
    }
    hub(captured, keys, &mut seen);
    if let (Some(id), Some(timestamp), Some(signature)) = (&id, &timestamp, &signature)
        && !keys.is_empty()
        && captured.body != Kept::Nothing
    {
        let found = Found { id, timestamp, body };
        signatures(captured, &found, json.as_ref(), signature, keys, &mut seen);
    }
    about_the_body(captured, id.as_deref(), json.as_ref(), &mut seen);
    seen
}

/// Looks at each signature of the list: whether it fits, or what would make it fit.
fn signatures(
    captured: &Captured,
    found: &Found<'_>,
    json: Option<&Json>,
    list: &str,
    keys: &[SigningKey],
    seen: &mut Examination,
) {
    let entries = entries::read(list);
    let sound = |entry: &&Entry| entry.form == Form::Sound;
    seen.signed_by = (0..)
        .zip(keys)
        .filter(|(_, key)| entries.iter().filter(sound).any(|entry| found.fits(key, entry)))
        .map(|(n, _)| n)
        .collect();
    if entries.iter().any(|entry| entry.form == Form::Asymmetric) {
        seen.notes.push(Note::Asymmetric);
    }
    let count = entries.iter().filter(sound).count();
    if count > 1 {
        seen.notes.push(Note::Several(count));
    }
    if let Some(first) = seen.signed_by.first() {
        if *first > 0 {
            seen.notes.push(Note::OnlyPrevious(*first));
        }
        if seen.wrong.iter().all(Wrong::is_about_time) && !seen.wrong.is_empty() {
            seen.notes.push(Note::OnlyTime);
        }
        return;
    }
    // Well formed or not: some entry may fit if it is read as it was meant.
    let malformed = entries.iter().filter_map(|entry| {
        let wrong = entry.form.wrong()?;
        Some((wrong, keys.iter().any(|key| found.fits(key, entry))))
    });
    let malformed: Vec<(Wrong, bool)> = malformed.collect();
    if let Some((wrong, _)) = malformed.iter().find(|(_, fits)| *fits) {
        seen.wrong.push(wrong.clone());
        seen.notes.push(Note::FitsOtherwise);
        return;
    }
    let candidates: Vec<&Entry> = entries.iter().filter(|entry| entry.digest.is_some()).collect();
    let explained = candidates.iter().find_map(|entry| {
        keys.iter().find_map(|key| changes::explain(found, json, captured, key, entry))
    });
    match (explained, malformed.first()) {
        (Some(wrong), _) => seen.wrong.push(wrong),
        (None, Some((wrong, _))) if !entries.iter().any(|entry| sound(&entry)) => {
            seen.wrong.push(wrong.clone());
        }
        (None, _) if candidates.is_empty() => seen.wrong.push(Wrong::Plain(VerifyError::NoV1)),
        (None, _) => {
            let suspect = changes::suspect(found, json, captured, seen.hub_signed_by.is_some());
            seen.wrong.push(Wrong::NoMatch(suspect));
        }
    }
}

/// `X-Hub-Signature-256`, if it came.
fn hub(captured: &Captured, keys: &[SigningKey], seen: &mut Examination) {
    let Some(value) = captured.header(sign::HUB_HEADER) else { return };
    let digest = value.strip_prefix("sha256=").and_then(entries::from_hex);
    let Some(digest) = digest else {
        seen.wrong.push(Wrong::HubForm);
        return;
    };
    let fits = |reading, key: &SigningKey| {
        let mac = key.code(reading, &[captured.body.bytes()]);
        mac.is_some_and(|mac| mac.verify_slice(&digest).is_ok())
    };
    seen.hub_signed_by = keys.iter().position(|key| fits(Reading::Text, key));
    if captured.body == Kept::Nothing || keys.is_empty() {
        return;
    }
    match seen.hub_signed_by {
        Some(n) => seen.notes.push(Note::HubFits(n)),
        None if keys.iter().any(|key| fits(Reading::Bytes, key)) => {
            seen.wrong.push(Wrong::HubReading);
        }
        None => seen.wrong.push(Wrong::HubNoMatch),
    }
}

/// What the body says against its headers.
fn about_the_body(
    captured: &Captured,
    id: Option<&str>,
    json: Option<&Json>,
    seen: &mut Examination,
) {
    let Some(event) = json.filter(|json| json.get("specversion").is_some()) else { return };
    let inner = event.get("id").and_then(Json::as_str);
    if let (Some(id), Some(inner)) = (id, inner)
        && id != inner
    {
        seen.wrong.push(Wrong::OtherId { body: limits::clean(inner, 80) });
    }
    let content_type = captured.header("content-type").unwrap_or_default();
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    if !bare.eq_ignore_ascii_case(cloud_event::CONTENT_TYPE) {
        seen.notes.push(Note::ContentType(limits::clean(content_type, 80)));
    }
}

/// The headers that a signature needs, under their own names, as [`sign::verify`] takes them.
pub fn signed(captured: &Captured) -> Signed<'_> {
    Signed {
        id: captured.header("webhook-id"),
        timestamp: captured.header("webhook-timestamp"),
        signature: captured.header("webhook-signature"),
    }
}

#[cfg(test)]
mod tests;
