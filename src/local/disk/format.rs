//! A document as a file: one header line of JSON, then the body as it is.

use super::Fault;
use crate::ports::{Etag, Meta};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, Read};

/// The format that this code reads and writes.
const FORMAT: u32 = 1;
/// Longest header line: facts of 8 KB, escaped, and the rest.
const MAX_HEADER: u64 = 64 * 1024;

/// The first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Number of the format. First, so that the line begins recognisably.
    hsmwatch: u32,
    /// The document's full name: a file moved by hand is not taken for another document.
    name: String,
    pub(super) etag: String,
    /// Length of the body.
    bytes: u64,
    /// Digest of the body: bits rot, and other programs write files too.
    sha256: String,
    pub(super) meta: Meta,
}

/// What the header has in every format.
#[derive(Deserialize)]
struct Any {
    hsmwatch: u32,
}

impl Header {
    /// A header with a new version.
    pub(super) fn new(name: &str, body: &[u8], meta: Meta) -> Self {
        let sha256 = digest(body);
        Self {
            hsmwatch: FORMAT,
            name: name.to_owned(),
            etag: new_etag(),
            bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
            sha256,
            meta,
        }
    }

    /// The document's version.
    pub(super) fn version(&self) -> Etag {
        Etag(self.etag.clone())
    }

    /// As the first line of a file.
    pub(super) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads the first line of the file of document `name`.
    pub(super) fn read(name: &str, file: &mut impl BufRead) -> Result<Self, Fault> {
        let mut line = Vec::new();
        file.take(MAX_HEADER).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(Fault::Damaged("its header is cut short"));
        }
        match serde_json::from_slice::<Any>(&line) {
            Err(_) => return Err(Fault::Damaged("it does not begin with a header")),
            Ok(any) if any.hsmwatch != FORMAT => return Err(Fault::Format(any.hsmwatch)),
            Ok(_) => {}
        }
        let header: Self = serde_json::from_slice(&line)
            .map_err(|_| Fault::Damaged("its header lacks something"))?;
        if header.name != name {
            return Err(Fault::Damaged("its header names another document"));
        }
        Ok(header)
    }

    /// Reads the rest of the file and holds it against the header.
    pub(super) fn body(&self, file: &mut impl Read) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        file.read_to_end(&mut body)?;
        if u64::try_from(body.len()).ok() != Some(self.bytes) {
            return Err(Fault::Damaged("its length is not the one in its header"));
        }
        if digest(&body) != self.sha256 {
            return Err(Fault::Damaged("its content is not what its header says"));
        }
        Ok(body)
    }
}

fn digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// 128 bits that no earlier version had: the same bytes written twice, or a document deleted and written again, are
/// different versions, also across restarts. The standard library seeds each `RandomState` from the system.
fn new_etag() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// 64 random bits; not for secrets.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
