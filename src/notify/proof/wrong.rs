//! What can be wrong with a request, each with what to do about it.

use super::changes::Change;
use crate::notify::sign::VerifyError;

/// Why a request is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// What every receiver would say.
    #[error(transparent)]
    Plain(VerifyError),
    /// A header came under another name.
    #[error("header `{name}` is missing: it came as `{found}`")]
    Renamed {
        /// What it should be called.
        name: &'static str,
        /// What it was called.
        found: String,
    },
    /// Two values, and nobody knows which counts.
    #[error("header `{0}` is there twice, with different values")]
    Twice(&'static str),
    /// Only headers were kept.
    #[error("the body was not kept, and without it nothing can be verified")]
    NoBody,
    /// The other alphabet.
    #[error(
        "the `v1` signature is written in URL-safe base64 (- and _); it must be standard base64 (+ and /)"
    )]
    UrlSafe,
    /// A list as others write it.
    #[error("the signatures are separated by commas; they must be by spaces")]
    Comma,
    /// No version before it.
    #[error("the signature has no `v1,` before it")]
    Bare,
    /// Not all of it.
    #[error("the `v1` signature is cut off: {0} of 32 bytes are there")]
    CutOff(usize),
    /// The signature fits another body.
    #[error("the signature fits, but not this body: {}", .0.said())]
    Changed(Change),
    /// The signature fits another id.
    #[error(
        "the signature fits the body's `id`, `{signed}`, but not `webhook-id`: the header was changed"
    )]
    IdChanged {
        /// The id that was signed.
        signed: String,
    },
    /// The signature fits another timestamp.
    #[error(
        "the signature fits the timestamp {signed}, but not `webhook-timestamp`: the header was changed"
    )]
    TimestampChanged {
        /// The timestamp that was signed.
        signed: String,
    },
    /// The sender took the text for the key.
    #[error(
        "the signature was made with the text of the secret; the key is what is encoded after `whsec_`"
    )]
    KeyIsText,
    /// Signed as GitHub does.
    #[error(
        "the signature is over the body alone; it must be over id, timestamp and body, joined by dots"
    )]
    BodyAlone,
    /// All is well formed, and nothing that is commonly done explains it.
    #[error("{}", VerifyError::NoMatch)]
    NoMatch(Suspect),
    /// Body and header name two alerts.
    #[error("the body's `id` is `{body}`, which is not `webhook-id`")]
    OtherId {
        /// What the body says.
        body: String,
    },
    /// Not as GitHub writes it.
    #[error("`X-Hub-Signature-256` is not `sha256=` and 64 hex digits")]
    HubForm,
    /// Does not fit.
    #[error("`X-Hub-Signature-256` does not fit the body, with any secret")]
    HubNoMatch,
    /// Made with the wrong reading of the secret.
    #[error(
        "`X-Hub-Signature-256` was made with what is encoded after `whsec_`; its key is the secret as text, `whsec_` included"
    )]
    HubReading,
}

impl Wrong {
    /// The word in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Plain(VerifyError::Missing(_)) => "header-missing",
            Self::Plain(VerifyError::NoKeys) => "no-secret",
            Self::Plain(VerifyError::Timestamp(_)) => "timestamp-not-a-number",
            Self::Plain(VerifyError::TooOld { .. }) => "too-old",
            Self::Plain(VerifyError::TooNew { .. }) => "too-new",
            Self::Plain(VerifyError::NoV1) => "no-v1-signature",
            Self::Plain(VerifyError::Hex) => "signature-in-hex",
            Self::Plain(VerifyError::NotBase64) => "signature-not-base64",
            Self::Plain(VerifyError::NoMatch) | Self::NoMatch(_) => "no-match",
            Self::Renamed { .. } => "header-renamed",
            Self::Twice(_) => "header-twice",
            Self::NoBody => "no-body",
            Self::UrlSafe => "signature-url-safe",
            Self::Comma => "signatures-with-commas",
            Self::Bare => "signature-without-v1",
            Self::CutOff(_) => "signature-cut-off",
            Self::Changed(_) => "body-changed",
            Self::IdChanged { .. } => "id-changed",
            Self::TimestampChanged { .. } => "timestamp-changed",
            Self::KeyIsText => "key-is-text",
            Self::BodyAlone => "body-alone-signed",
            Self::OtherId { .. } => "other-id",
            Self::HubForm => "hub-signature-malformed",
            Self::HubNoMatch => "hub-no-match",
            Self::HubReading => "hub-key-is-bytes",
        }
    }

    pub(super) const fn is_about_time(&self) -> bool {
        matches!(self, Self::Plain(VerifyError::TooOld { .. } | VerifyError::TooNew { .. }))
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Plain(VerifyError::Missing("webhook-signature")) => {
                "without a `secret` hsmwatch does not sign; if it has one, something on the way drops the header: let it pass"
            }
            Self::Plain(VerifyError::Missing(_)) => {
                "hsmwatch always sends it: something on the way drops it, or this is not its request"
            }
            Self::Plain(VerifyError::TooOld { .. }) => {
                "a request kept for later: give its time with --now; one that has just come: compare the clocks, or it is a replay"
            }
            Self::Plain(VerifyError::TooNew { .. }) => "set the clocks of both machines by NTP",
            Self::Plain(VerifyError::Hex) => {
                "encode the 32 bytes of the digest, not their hex digits"
            }
            Self::Renamed { found, .. } if found.to_ascii_lowercase().starts_with("svix") => {
                "these are Svix's names: verify with their library, or let what sends it use the standard ones"
            }
            Self::Renamed { .. } => "let the header pass as it is, or read it under its other name",
            Self::Twice(_) => "something on the way adds a header that is there already",
            Self::NoBody => "keep the body byte for byte and name it with --body",
            Self::Changed(Change::WrittenAnew) => {
                "verify the bytes as they came, before anything parses them: in most frameworks that is the raw body"
            }
            Self::Changed(_) => {
                "verify the bytes as they came, and keep them as a file, not through an editor"
            }
            Self::IdChanged { .. } | Self::TimestampChanged { .. } => {
                "something on the way sets the header anew: let it pass as it is"
            }
            Self::NoMatch(suspect) => return Some(suspect.said()),
            Self::OtherId { .. } => {
                "something on the way mixes requests up, or sets the header anew"
            }
            Self::HubNoMatch => {
                "it is made with the newest secret alone: give that, and the body byte for byte"
            }
            Self::KeyIsText => "decode it from base64 before it is used as the key",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// What is most likely to be another than was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// The body looks as hsmwatch writes it: rather the secret.
    Secret,
    /// The body is of another length than was sent.
    Length {
        /// What `content-length` says.
        said: usize,
        /// Bytes that are there.
        is: usize,
    },
    /// The body is no JSON.
    NotJson,
    /// The body is JSON that hsmwatch would write otherwise.
    NotAsWritten,
    /// Secret and body are right: id or timestamp.
    Headers,
}

impl Suspect {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Length { .. } | Self::NotJson | Self::NotAsWritten => "body",
            Self::Headers => "headers",
        }
    }

    fn said(self) -> String {
        let said = match self {
            Self::Secret => {
                "the body looks untouched, as hsmwatch writes it, so rather the secret is another, or a header was changed; while secrets rotate, give all of them"
            }
            Self::Length { said, is } => {
                return format!(
                    "rather the body: it has {is} bytes, and `content-length` says {said}"
                );
            }
            Self::NotJson => "rather the body: it is no JSON, and what hsmwatch sends is",
            Self::NotAsWritten => {
                "rather the body: hsmwatch writes JSON without white space, so this was written anew, or edited"
            }
            Self::Headers => {
                "secret and body go together, so rather `webhook-id` or `webhook-timestamp` was changed"
            }
        };
        said.to_owned()
    }
}

/// What is worth knowing of a request, and no reason to refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Only the clocks are in the way.
    OnlyTime,
    /// The list has signatures by this many secrets.
    Several(usize),
    /// Signed by this secret of the list, and by none before it.
    OnlyPrevious(usize),
    /// There is a signature by a key pair, which is not looked at.
    Asymmetric,
    /// But for how it is written, the signature fits.
    FitsOtherwise,
    /// The body was kept as parsed JSON.
    Parsed,
    /// Another content type than this body is sent with.
    ContentType(String),
    /// `X-Hub-Signature-256` fits, too, by this secret.
    HubFits(usize),
}

impl Note {
    /// The word in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::OnlyTime => "only-the-time-is-wrong",
            Self::Several(_) => "several-signatures",
            Self::OnlyPrevious(_) => "only-previous-secret",
            Self::Asymmetric => "v1a-not-checked",
            Self::FitsOtherwise => "fits-but-for-its-form",
            Self::Parsed => "body-was-parsed",
            Self::ContentType(_) => "content-type",
            Self::HubFits(_) => "hub-signature-fits",
        }
    }

    /// As a person says it; `secret` names the secrets.
    pub fn said(&self, secret: impl Fn(usize) -> String) -> String {
        match self {
            Self::OnlyTime => "the signature fits: only the time is wrong".to_owned(),
            Self::Several(n) => format!("it carries {n} signatures: the sender's secret is rotating"),
            Self::OnlyPrevious(n) => format!(
                "signed by {} only, not by the newest: the sender does not have that yet",
                secret(*n)
            ),
            Self::Asymmetric => {
                "there is a `v1a` signature, too, by a key pair: it was not checked".to_owned()
            }
            Self::FitsOtherwise => "but for how it is written, the signature fits".to_owned(),
            Self::Parsed => {
                "the body was kept as parsed JSON, not byte for byte: it was written as hsmwatch writes it"
                    .to_owned()
            }
            Self::ContentType(found) if found.is_empty() => format!(
                "it has no content type; hsmwatch sends `{}`",
                crate::notify::webhook::cloud_event::CONTENT_TYPE
            ),
            Self::ContentType(found) => format!(
                "its content type is `{found}`; hsmwatch sends `{}`",
                crate::notify::webhook::cloud_event::CONTENT_TYPE
            ),
            Self::HubFits(n) => format!("`X-Hub-Signature-256` fits {}", secret(*n)),
        }
    }
}
