//! Shared Key: a signature over each request, made anew for each try, as it covers the date.

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The headers that have a line of their own, in the order of their lines.
const LINES: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Signs with one of the account's keys.
pub(super) struct SharedKey {
    account: String,
    key: SecretSlice<u8>,
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({})", self.account)
    }
}

impl SharedKey {
    /// `None`: the key is not base64.
    pub(super) fn new(account: &str, key: &SecretString) -> Option<Self> {
        let key = STANDARD.decode(key.expose_secret().trim()).ok()?;
        Some(Self { account: account.to_owned(), key: key.into() })
    }

    /// The value of `authorization`.
    fn authorization(&self, request: &Request) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()).ok()?;
        mac.update(text(&self.account, request).as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Some(format!("SharedKey {}:{signature}", self.account))
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait elides it, and the two must agree")]
#[async_trait]
impl Policy for SharedKey {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        if let Some(authorization) = self.authorization(request) {
            request.insert_header("authorization", authorization);
        }
        pass(ctx, request, next).await
    }
}

/// Hands a request to the policy behind.
pub(super) async fn pass(
    ctx: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    let Some((first, rest)) = next.split_first() else {
        let kind = azure_core::error::ErrorKind::Other;
        return Err(azure_core::Error::with_message(kind, "no policy sends the request"));
    };
    first.send(ctx, request, rest).await
}

/// What is signed.
fn text(account: &str, request: &Request) -> String {
    let header = |name: &'static str| {
        request.headers().get_optional_str(&HeaderName::from_static(name)).unwrap_or_default()
    };
    let mut text = request.method().as_str().to_owned();
    for name in LINES {
        text.push('\n');
        if name == "content-length" {
            // Also where the header is left to the transport. Nothing is an empty line, not a zero.
            let length = request.body().len().filter(|length| *length > 0);
            text.push_str(&length.map(|length| length.to_string()).unwrap_or_default());
        } else {
            text.push_str(header(name));
        }
    }
    text.push('\n');
    let ours: BTreeMap<&str, &str> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    for (name, value) in ours {
        text.extend([name, ":", value, "\n"]);
    }
    text.extend(["/", account, request.url().path()]);
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url().query_pairs() {
        pairs.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in pairs {
        values.sort();
        text.extend(["\n", &name, ":", &values.join(",")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::Method;

    fn request(url: &str, method: Method) -> Request {
        let mut request = Request::new(url.parse().unwrap(), method);
        request.insert_header("x-ms-version", "2015-02-21");
        request.insert_header("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT");
        request
    }

    /// The example of the service's documentation.
    #[test]
    fn the_text_is_as_documented() {
        let url = "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20";
        assert_eq!(
            text("myaccount", &request(url, Method::Get)),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
             /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        );
    }

    #[test]
    fn conditions_lengths_and_repeated_parameters_have_their_place() {
        let mut put =
            request("https://a.blob.core.windows.net/c/x%2Fy?B=2&b=1&a=%20%C3%A9", Method::Put);
        put.insert_header("if-none-match", "*");
        put.insert_header("content-type", "application/octet-stream");
        put.insert_header("x-ms-meta-due", " now ");
        put.set_body(b"12345".to_vec());
        assert_eq!(
            text("a", &put),
            "PUT\n\n\n5\n\napplication/octet-stream\n\n\n\n*\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n\
             x-ms-meta-due:now\nx-ms-version:2015-02-21\n/a/c/x%2Fy\na: é\nb:1,2"
        );
    }

    #[test]
    fn a_key_is_base64_and_never_shown() {
        assert!(SharedKey::new("a", &"not base64!".to_owned().into()).is_none());
        let key = SharedKey::new("a", &" c2VjcmV0 ".to_owned().into()).unwrap();
        assert_eq!(format!("{key:?}"), "SharedKey(a)");
        let signed = key.authorization(&request("https://a.example/c", Method::Get)).unwrap();
        assert!(signed.starts_with("SharedKey a:") && signed.len() == 12 + 44, "{signed}");
    }
}
