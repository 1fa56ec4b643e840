//! Errors of the storage client, told apart by what a caller must do. Their texts carry no URL and no secret.

use crate::wire::{chain, clean};
use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;
use std::error::Error;
use std::time::Duration;

const CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const WAIT: HeaderName = HeaderName::from_static("retry-after");

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The blob is as it was (If-None-Match).
    NotModified,
    /// There is no such blob.
    NoBlob,
    /// There is no such container.
    NoContainer,
    /// The container to be made is there.
    ContainerThere,
    /// The condition of a write does not hold: someone else wrote.
    Condition,
    /// A lease is in the way; its code.
    Leased(String),
    /// Not allowed; what the service said.
    Denied(String),
    /// Refused for another reason; what the service said.
    Refused(String),
    /// No token, so that nothing was sent.
    NoToken(String),
    /// No connection, so that nothing was sent.
    NoConnection(String),
    /// It may have been done or not.
    NoAnswer {
        /// What is known.
        why: String,
        /// How long the service asks us to wait.
        wait: Option<Duration>,
    },
}

/// Tells an error of the client apart.
pub fn fault(error: &azure_core::Error) -> Fault {
    match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            answered(u16::from(*status), raw_response.as_deref())
        }
        ErrorKind::Connection => Fault::NoConnection(root(error)),
        ErrorKind::Credential => Fault::NoToken(clean(&chain(error))),
        _ => Fault::NoAnswer { why: root(error), wait: None },
    }
}

fn answered(status: u16, response: Option<&RawResponse>) -> Fault {
    let header = |name: &HeaderName| response.and_then(|r| r.headers().get_optional_str(name));
    let code = header(&CODE).unwrap_or_default();
    let message = response.and_then(|response| message(response.body())).unwrap_or_default();
    let said = clean(&match (code, message.as_str()) {
        ("", "") => format!("status {status}"),
        ("", message) => format!("status {status}: {message}"),
        (code, "") => format!("status {status}, {code}"),
        (code, message) => format!("status {status}, {code}: {message}"),
    });
    match (status, code) {
        (304, _) => Fault::NotModified,
        (_, "ContainerNotFound") => Fault::NoContainer,
        (409, "ContainerAlreadyExists") => Fault::ContainerThere,
        // A HEAD has no body, and behind some gateways no code.
        (404, "BlobNotFound" | "") => Fault::NoBlob,
        (409 | 412, code) if code.contains("Lease") => Fault::Leased(code.to_owned()),
        (409, "BlobAlreadyExists") | (412, _) => Fault::Condition,
        (401 | 403, _) => Fault::Denied(said),
        (408 | 429 | 500..=599, _) => {
            let wait = header(&WAIT).and_then(|wait| wait.trim().parse().ok());
            Fault::NoAnswer { why: said, wait: wait.map(Duration::from_secs) }
        }
        _ => Fault::Refused(said),
    }
}

/// The first line of what the service says. The lines after it are ids and times.
fn message(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Message>")?;
    let (message, _) = rest.split_once("</Message>")?;
    Some(message.lines().next()?.trim().to_owned())
}

/// The cause of all causes: those above it quote the URL.
fn root(error: &azure_core::Error) -> String {
    let mut last: &(dyn Error + 'static) = error;
    while let Some(next) = last.source() {
        // What lies below is the system's number for the same thing.
        last = next;
    }
    if last.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout) {
        return "no answer in time".to_owned();
    }
    clean(&last.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::StatusCode;
    use azure_core::http::headers::Headers;

    fn response(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Fault {
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert(*name, *value);
        }
        let status = StatusCode::from(status);
        let raw = RawResponse::from_bytes(status, all, body.to_owned());
        let kind =
            ErrorKind::HttpResponse { status, error_code: None, raw_response: Some(Box::new(raw)) };
        fault(&azure_core::Error::with_message(kind, body.to_owned()))
    }

    #[test]
    fn answers_are_told_apart_by_status_and_code() {
        let code = |status, code| response(status, &[("x-ms-error-code", code)], "");
        let refused = |text: &str| Fault::Refused(text.to_owned());
        for (got, expected) in [
            (response(304, &[], ""), Fault::NotModified),
            (code(404, "BlobNotFound"), Fault::NoBlob),
            (response(404, &[], ""), Fault::NoBlob),
            (code(404, "ContainerNotFound"), Fault::NoContainer),
            (code(404, "ResourceNotFound"), refused("status 404, ResourceNotFound")),
            (code(409, "BlobAlreadyExists"), Fault::Condition),
            (code(412, "ConditionNotMet"), Fault::Condition),
            (code(412, "UploadIfNoneMatchFailed"), Fault::Condition),
            (response(412, &[], ""), Fault::Condition),
            (code(412, "LeaseIdMissing"), Fault::Leased("LeaseIdMissing".into())),
            (code(409, "LeaseAlreadyPresent"), Fault::Leased("LeaseAlreadyPresent".into())),
            (
                code(409, "BlobImmutableDueToPolicy"),
                refused("status 409, BlobImmutableDueToPolicy"),
            ),
            (code(409, "ContainerBeingDeleted"), refused("status 409, ContainerBeingDeleted")),
            (response(400, &[], "<html>no</html>"), refused("status 400")),
        ] {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn refusals_say_what_the_service_says_and_no_more() {
        let body = "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.\n\
                    RequestId:1\nTime:2</Message><AuthenticationErrorDetail>sig=secret</AuthenticationErrorDetail></Error>";
        let got = response(403, &[("x-ms-error-code", "AuthenticationFailed")], body);
        let said = "status 403, AuthenticationFailed: Server failed to authenticate the request."
            .to_owned();
        assert_eq!(got, Fault::Denied(said));
    }

    #[test]
    fn a_busy_service_may_have_done_it() {
        let headers = [("x-ms-error-code", "ServerBusy"), ("retry-after", "7")];
        let why = "status 503, ServerBusy".to_owned();
        let wait = Some(Duration::from_secs(7));
        assert_eq!(response(503, &headers, ""), Fault::NoAnswer { why, wait });
    }
}
