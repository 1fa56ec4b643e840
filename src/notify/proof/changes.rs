//! What commonly happens to a request on its way: tried one after the other, to see which of it makes the signature fit.

use super::entries::Entry;
use super::found::{Found, is_of};
use super::wrong::{Suspect, Wrong};
use crate::notify::captured::Captured;
use crate::notify::limits;
use crate::notify::sign::{Reading, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;

/// What happened to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// White space at its end or beginning was added: mostly a line end.
    Space,
    /// Its line end was taken away.
    NoLineEnd,
    /// LF became CRLF.
    CrLf,
    /// CRLF became LF.
    Lf,
    /// A byte order mark was put before it.
    Mark,
    /// It was parsed, and written anew.
    WrittenAnew,
    /// Its UTF-8 was taken for Latin-1.
    Latin1,
    /// It was made a JSON string.
    Quoted,
    /// It was encoded in base64.
    Base64,
    /// Something was put behind it.
    Longer,
}

impl Change {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Space => "space-added",
            Self::NoLineEnd => "line-end-removed",
            Self::CrLf => "lf-became-crlf",
            Self::Lf => "crlf-became-lf",
            Self::Mark => "byte-order-mark-added",
            Self::WrittenAnew => "written-anew",
            Self::Latin1 => "utf8-taken-for-latin1",
            Self::Quoted => "made-a-json-string",
            Self::Base64 => "base64-encoded",
            Self::Longer => "longer",
        }
    }

    /// What was done, as a person says it.
    pub(super) const fn said(self) -> &'static str {
        match self {
            Self::Space => "white space was added at its end or beginning (a line end, mostly)",
            Self::NoLineEnd => "the line end at its end was taken away",
            Self::CrLf => "its line ends became CRLF",
            Self::Lf => "its line ends became LF",
            Self::Mark => "a byte order mark was put before it",
            Self::WrittenAnew => {
                "it was parsed as JSON and written anew (other white space or escapes)"
            }
            Self::Latin1 => "its UTF-8 was taken for Latin-1 and encoded once more",
            Self::Quoted => "it was made a JSON string",
            Self::Base64 => "it was encoded in base64",
            Self::Longer => "something was put behind it: it is longer than `content-length`",
        }
    }
}

/// The bodies that this one may have been.
fn bodies(captured: &Captured, json: Option<&Json>) -> Vec<(Change, Vec<u8>)> {
    let body = captured.body.bytes();
    let mut all = Vec::new();
    let mut may = |change, was: Option<Vec<u8>>| {
        all.extend(was.filter(|was| was != body).map(|was| (change, was)));
    };
    may(Change::Space, Some(body.trim_ascii_end().to_vec()));
    may(Change::Space, Some(body.trim_ascii().to_vec()));
    may(Change::NoLineEnd, Some([body, b"\n"].concat()));
    may(Change::NoLineEnd, Some([body, b"\r\n"].concat()));
    let text = std::str::from_utf8(body).ok();
    let lf = text.filter(|text| text.contains("\r\n")).map(|text| text.replace("\r\n", "\n"));
    may(Change::CrLf, lf.clone().map(String::into_bytes));
    may(Change::CrLf, lf.map(|lf| lf.trim_ascii_end().as_bytes().to_vec()));
    let crlf = text.filter(|text| text.contains('\n') && !text.contains("\r\n"));
    may(Change::Lf, crlf.map(|text| text.replace('\n', "\r\n").into_bytes()));
    let marked = body.strip_prefix("\u{feff}".as_bytes());
    may(Change::Mark, marked.map(<[u8]>::to_vec));
    may(Change::Mark, marked.map(|body| body.trim_ascii_end().to_vec()));
    may(Change::WrittenAnew, json.map(|json| json.to_string().into_bytes()));
    let pretty = json.and_then(|json| serde_json::to_vec_pretty(json).ok());
    may(Change::WrittenAnew, pretty);
    let latin1 = text.filter(|text| !text.is_ascii()).and_then(|text| {
        let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).ok());
        bytes.collect::<Option<Vec<u8>>>()
    });
    may(Change::Latin1, latin1);
    may(Change::Quoted, json.and_then(Json::as_str).map(|text| text.as_bytes().to_vec()));
    may(Change::Base64, BASE64.decode(body.trim_ascii()).ok());
    let said: Option<usize> = captured.header("content-length").and_then(|n| n.parse().ok());
    may(Change::Longer, said.and_then(|n| body.get(..n)).map(<[u8]>::to_vec));
    all
}

/// What makes a signature fit that does not fit the request as it is.
pub(super) fn explain(
    found: &Found<'_>,
    json: Option<&Json>,
    captured: &Captured,
    key: &SigningKey,
    entry: &Entry,
) -> Option<Wrong> {
    let changed = bodies(captured, json)
        .into_iter()
        .find(|(_, body)| Found { body, ..*found }.fits(key, entry));
    if let Some((change, _)) = changed {
        return Some(Wrong::Changed(change));
    }
    let inner = json.and_then(|json| json.get("id")).and_then(Json::as_str);
    if let Some(id) = inner
        && (Found { id, ..*found }).fits(key, entry)
    {
        return Some(Wrong::IdChanged { signed: limits::clean(id, 80) });
    }
    for timestamp in timestamps(found.timestamp) {
        if (Found { timestamp: &timestamp, ..*found }).fits(key, entry) {
            return Some(Wrong::TimestampChanged { signed: timestamp });
        }
    }
    if found.fits_as(Reading::Text, key, entry) {
        return Some(Wrong::KeyIsText);
    }
    let alone = [Reading::Bytes, Reading::Text]
        .into_iter()
        .any(|reading| is_of(reading, key, &[found.body], entry));
    alone.then_some(Wrong::BodyAlone)
}

/// The timestamps that this one may have been: milliseconds, fractions and signs are put on by what reads and writes anew.
fn timestamps(text: &str) -> Vec<String> {
    let whole = text.split('.').next().unwrap_or_default().trim_start_matches('+');
    let mut all = vec![whole.to_owned()];
    if let Ok(number) = whole.parse::<i64>() {
        all.push((number / 1000).to_string());
    }
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        all.push(time.timestamp().to_string());
    }
    all.retain(|other| other != text);
    all
}

/// What is most likely to be another than was signed.
pub(super) fn suspect(
    found: &Found<'_>,
    json: Option<&Json>,
    captured: &Captured,
    hub_fits: bool,
) -> Suspect {
    if hub_fits {
        return Suspect::Headers;
    }
    let said: Option<usize> = captured.header("content-length").and_then(|n| n.parse().ok());
    match (said, json) {
        (Some(said), _) if said != found.body.len() => {
            Suspect::Length { said, is: found.body.len() }
        }
        (_, None) => Suspect::NotJson,
        (_, Some(json)) if json.to_string().as_bytes() != found.body => Suspect::NotAsWritten,
        (_, Some(json))
            if json.get("id").and_then(Json::as_str).is_some_and(|id| id != found.id) =>
        {
            Suspect::Headers
        }
        _ => Suspect::Secret,
    }
}
