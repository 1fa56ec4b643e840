//! The header that proves who calls: always the same, or a token that is kept for as long as it is good.

use super::auth::Auth;
use super::token::{Given, Keeper, TokenError, TokenSource, bearer, sensitive};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::sync::Arc;
use tokio::time::Instant;

/// How one receiver is shown who calls.
pub(super) enum Proof {
    /// Not by a header.
    None,
    /// By a header that never changes.
    Fixed {
        name: HeaderName,
        value: HeaderValue,
        /// What of it must not be repeated in any text.
        secrets: Vec<SecretString>,
    },
    /// By a bearer token.
    Token(Keeper),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed { .. } => "Fixed",
            Self::Token(_) => "Token",
        })
    }
}

/// A header for one call.
pub(super) struct Shown {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    pub(super) secrets: Vec<SecretString>,
    /// The token in it, if it is one.
    given: Option<Given>,
}

impl Proof {
    /// `tokens` makes the source of a token endpoint. The problem names the key, and nothing of its value.
    pub(super) fn new(
        auth: Auth,
        tokens: impl FnOnce(super::auth::OAuth2) -> Result<Arc<dyn TokenSource>, String>,
    ) -> Result<Self, String> {
        Ok(match auth {
            Auth::None => Self::None,
            Auth::Bearer(token) => bearer_by_hand(token)?,
            Auth::Basic { user, password } => basic(&user, password)?,
            Auth::Header { name, value } => header(&name, value)?,
            Auth::OAuth2(client) => Self::Token(Keeper::new(tokens(client)?)),
            Auth::Token(source) => Self::Token(Keeper::new(source)),
        })
    }

    /// The header for a call that must be made by this time.
    pub(super) async fn show(&self, deadline: Instant) -> Result<Option<Shown>, TokenError> {
        Ok(match self {
            Self::None => None,
            Self::Fixed { name, value, secrets } => Some(Shown {
                name: name.clone(),
                value: value.clone(),
                secrets: secrets.clone(),
                given: None,
            }),
            Self::Token(keeper) => {
                let given = keeper.give(deadline).await?;
                let value = given.value.clone();
                let secrets = vec![given.secret.clone()];
                Some(Shown { name: AUTHORIZATION, value, secrets, given: Some(given) })
            }
        })
    }

    /// The receiver answered that it does not accept this. Whether it might accept another: whether what it was shown was a
    /// token out of memory, which may have expired before its time or been revoked.
    pub(super) async fn refused(&self, shown: &Shown) -> bool {
        match (self, &shown.given) {
            (Self::Token(keeper), Some(given)) => {
                keeper.refused(given).await;
                given.kept
            }
            _ => false,
        }
    }
}

fn bearer_by_hand(token: SecretString) -> Result<Proof, String> {
    let text = token.expose_secret();
    if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err("`token` must be the token alone: `Bearer` is put before it".to_owned());
    }
    let value = bearer(&token)
        .ok_or("`token` has a space, a line break or another character that no token has")?;
    Ok(Proof::Fixed { name: AUTHORIZATION, value, secrets: vec![token] })
}

fn basic(user: &str, password: SecretString) -> Result<Proof, String> {
    if user.contains(':') {
        return Err("the user name must not have a `:` in it: the password begins there".to_owned());
    }
    if user.chars().chain(password.expose_secret().chars()).any(char::is_control) {
        return Err(
            "user name or password has a line break or another control character".to_owned()
        );
    }
    let both = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
    let value =
        sensitive(&format!("Basic {both}")).ok_or("user name and password cannot be sent")?;
    Ok(Proof::Fixed { name: AUTHORIZATION, value, secrets: vec![both.into(), password] })
}

/// Headers that mean something to the message itself, or that hsmwatch sets.
const TAKEN: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

fn header(name: &str, value: SecretString) -> Result<Proof, String> {
    let name: HeaderName =
        name.parse().map_err(|_| "`auth_header` is no header's name".to_owned())?;
    if TAKEN.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        return Err(format!("`auth_header` must not be `{name}`: that header is not free"));
    }
    let fits = !value.expose_secret().trim().is_empty();
    let shown = fits.then(|| sensitive(value.expose_secret())).flatten().ok_or(
        "`token` is empty, or has a line break or another character that no header can carry",
    )?;
    Ok(Proof::Fixed { name, value: shown, secrets: vec![value] })
}

/// A text without these secrets: whoever is shown one may repeat it.
pub(super) fn without(mut text: String, secrets: &[SecretString]) -> String {
    for secret in secrets {
        let secret = secret.expose_secret();
        // A word so short stands in many a text that does not mean it.
        if secret.len() >= 6 && text.contains(secret) {
            text = text.replace(secret, "…");
        }
    }
    text
}
