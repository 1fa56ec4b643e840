//! Requests as people keep them: raw HTTP from a tool or a proxy, JSON, a HAR file, and what our own verbs print. Reads them
//! back into headers and the bytes of the body.

mod http;
mod json;

use super::limits;

/// A request as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// What tells it from others in the same file, if anything does.
    pub name: Option<String>,
    /// Headers in their order, names as written.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Kept,
}

/// A body as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Not at all: headers alone were.
    #[default]
    Nothing,
    /// Byte for byte, as far as one can know.
    Bytes(Vec<u8>),
    /// Parsed. These bytes are written anew, in the order and the form in which hsmwatch writes.
    Parsed(Vec<u8>),
}

impl Kept {
    /// The bytes; none where nothing was kept.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Bytes(bytes) | Self::Parsed(bytes) => bytes,
        }
    }
}

impl Captured {
    /// The values of a header, in their order, without white space around them.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    }

    /// The first value of a header.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }
}

/// Why something kept is no request that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCapture {
    /// Nothing is there.
    #[error("there is nothing in it")]
    Empty,
    /// The head of a raw request has a line that is none.
    #[error("line {line} is no header: `{text}`")]
    NoHeader {
        /// Its number.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// An answer was kept.
    #[error("it is the answer to a request, not a request: `{0}`")]
    Answer(String),
    /// It looks like JSON, and is none.
    #[error("it begins like JSON but cannot be read: {0}")]
    NotJson(String),
    /// JSON of another form.
    #[error("the JSON in it has no `headers`: is it the body alone")]
    NoHeaders,
    /// Headers of another form.
    #[error("its `headers` are neither an object nor a list of `name` and `value`")]
    BadHeaders,
    /// A body that cannot be decoded.
    #[error("its `{0}` is not base64")]
    NotBase64(&'static str),
}

/// Reads what was kept: one request, or several from a list or a HAR file.
pub fn read(kept: &[u8]) -> Result<Vec<Captured>, BadCapture> {
    // Editors and PowerShell put it there.
    let kept = kept.strip_prefix("\u{feff}".as_bytes()).unwrap_or(kept);
    match kept.trim_ascii_start().first() {
        None => Err(BadCapture::Empty),
        Some(b'{' | b'[') => json::read(kept),
        Some(_) => http::read(kept).map(|one| vec![one]),
    }
}

/// Headers that were kept without their body.
pub fn read_headers(kept: &[u8]) -> Result<Captured, BadCapture> {
    http::read(kept)
}

/// A piece of a text that is shown in an error.
fn shown(text: &str) -> String {
    limits::clean(text, 60)
}

#[cfg(test)]
mod tests;
