//! Tokens for a client's id and secret: the grant `client_credentials` of RFC 6749.
//!
//! A client may authenticate in the header (`client_secret_basic`, which every server must support, and which Okta and
//! Keycloak have as their default) or in the body (`client_secret_post`, the way that `ServiceNow` documents and Auth0 has as
//! its default; Entra takes both). No server says beforehand which it takes. So the header is tried first, then the body, and
//! what was accepted is remembered.

use super::address::Address;
use super::answer::{self, Failure};
use super::auth::OAuth2;
use super::client::Line;
use super::proof::without;
use super::token::{Token, TokenError, TokenSource, sensitive};
use crate::wire::clean;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use url::form_urlencoded;

/// Where the server does not say for how long a token is good.
const UNSAID: Duration = Duration::from_mins(5);

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Header,
    Body,
}

/// A token endpoint, and the client that asks it.
pub(super) struct TokenEndpoint {
    address: Address,
    line: Line,
    client: Client,
    who: OAuth2,
    /// Whether the body was what the server accepted last.
    body_first: AtomicBool,
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenEndpoint")
    }
}

/// Why an attempt gave no token.
struct Attempt {
    error: TokenError,
    /// Whether it may be due to the way in which the client said who it is.
    way: bool,
    /// Whether the server says in so many words that it does not know the client.
    unknown: bool,
}

impl TokenEndpoint {
    pub(super) fn new(address: Address, line: Line, client: Client, who: OAuth2) -> Self {
        Self { address, line, client, who, body_first: AtomicBool::new(false) }
    }

    async fn ask(&self, way: Way) -> Result<Token, Attempt> {
        if let Some(why) = self.address.refused() {
            return Err(failed(Failure::Refused(why)));
        }
        let sent = self.request(way)?.send().await;
        let response = sent.map_err(|error| failed(Failure::of(error, &self.line.tls)))?;
        let status = response.status().as_u16();
        let (body, whole) = answer::read(response).await;
        let json = serde_json::from_slice(&body).ok().filter(|_| whole);
        if (200..300).contains(&status) {
            return token(json.as_ref()).map_err(|why| {
                let error = if whole { TokenError::Denied } else { TokenError::Unavailable };
                Attempt { error: error(say(why)), way: false, unknown: false }
            });
        }
        Err(self.refusal(status, json.as_ref()))
    }

    fn request(&self, way: Way) -> Result<RequestBuilder, Attempt> {
        let OAuth2 { client_id, client_secret, scope, audience, .. } = &self.who;
        let mut request = self.client.post(self.address.url.clone());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", scope), ("audience", audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        match way {
            Way::Body => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", client_secret.expose_secret());
            }
            Way::Header => {
                let both = basic(client_id, client_secret);
                let value = sensitive(&format!("Basic {}", both.expose_secret()))
                    .ok_or_else(|| denied("the client's id and secret cannot be sent"))?;
                request = request.header(AUTHORIZATION, value);
            }
        }
        Ok(request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form.finish()))
    }

    /// What an answer that is no success means.
    fn refusal(&self, status: u16, json: Option<&Json>) -> Attempt {
        let said = |name: &str| json.and_then(|json| json.get(name)?.as_str());
        let code = said("error").filter(|code| is_code(code)).unwrap_or_default();
        let mut why = format!("status {status}");
        if (300..400).contains(&status) {
            why.push_str(": it redirects, and redirects are not followed");
        }
        if !code.is_empty() {
            why = format!("{why}: {code}");
            if let Some(more) = said("error_description") {
                let secret = &self.who.client_secret;
                let secrets = [secret.clone(), basic(&self.who.client_id, secret)];
                let more = clean(&without(more.to_owned(), &secrets));
                why = format!("{why}: {more}");
            }
        }
        let passes = matches!(status, 408 | 425 | 429 | 500..)
            || status == 400 && matches!(code, "server_error" | "temporarily_unavailable");
        let error = if passes { TokenError::Unavailable } else { TokenError::Denied };
        // A server that looks for the client elsewhere finds none, or a request that is not whole. What is said of a client that
        // was found is not due to the way. (`ServiceNow` says 401 and `server_error` of one that it does not find.)
        let found = ["invalid_scope", "invalid_grant", "invalid_target", "unsupported_grant_type"];
        let way = matches!(status, 400 | 401 | 403) && !found.contains(&code);
        Attempt { error: error(say(&why)), way, unknown: code == "invalid_client" }
    }
}

#[async_trait]
impl TokenSource for TokenEndpoint {
    async fn token(&self) -> Result<Token, TokenError> {
        let ways = if self.body_first.load(Ordering::Relaxed) {
            [Way::Body, Way::Header]
        } else {
            [Way::Header, Way::Body]
        };
        let mut first: Option<Attempt> = None;
        for way in ways {
            match self.ask(way).await {
                Ok(token) => {
                    self.body_first.store(way == Way::Body, Ordering::Relaxed);
                    return Ok(token);
                }
                Err(attempt) if attempt.way && first.is_none() => first = Some(attempt),
                // What says that the client is not known says more than that something is missing.
                Err(attempt) => {
                    let first =
                        first.filter(|first| first.unknown && attempt.way && !attempt.unknown);
                    return Err(first.unwrap_or(attempt).error);
                }
            }
        }
        Err(first.map_or_else(|| TokenError::Unavailable(say("it was not asked")), |a| a.error))
    }

    fn forget(&self) {}
}

/// Id and secret as a header carries them: form-urlencoded before they are joined (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &SecretString) -> SecretString {
    // What needs no escape gets none: not every server takes them back out.
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'*');
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let both = format!("{}:{}", escaped(id), escaped(secret.expose_secret()));
    STANDARD.encode(both).into()
}

/// The token in an answer.
fn token(json: Option<&Json>) -> Result<Token, &'static str> {
    let json = json.ok_or("its answer is no JSON, or is not whole: is `token_url` right?")?;
    let text = |name: &str| json.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    let secret = text("access_token").ok_or("there is no `access_token` in its answer")?;
    if text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err("its tokens are not of the type `Bearer`");
    }
    // Some servers write the number as a string.
    let seconds = json.get("expires_in").and_then(|value| match value {
        Json::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    });
    let good_for = seconds.map_or(UNSAID, Duration::from_secs);
    Ok(Token { secret: secret.to_owned().into(), good_for })
}

/// Whether this is one of the codes that RFC 6749 and its kin define, and not a text.
fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn failed(failure: Failure) -> Attempt {
    let error = match failure {
        Failure::Refused(why) => {
            TokenError::Denied(format!("the token endpoint leads to {}", why.with_cure()))
        }
        Failure::Certificate(why) => TokenError::Denied(say(&why)),
        Failure::Unsent(why) | Failure::Unknown(why) => TokenError::Unavailable(say(&why)),
    };
    Attempt { error, way: false, unknown: false }
}

fn denied(why: &str) -> Attempt {
    Attempt { error: TokenError::Denied(say(why)), way: false, unknown: false }
}

fn say(why: &str) -> String {
    format!("no token from the token endpoint: {why}")
}
