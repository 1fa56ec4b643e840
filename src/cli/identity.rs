//! Tokens of this process's own identity for calls of receivers: Azure's side of them meets HTTP's.

use super::setup::azure;
use crate::azure::identity::{self, ChoiceError, for_audience};
use crate::config::Cloud;
use crate::hosts::daemon::clock;
use crate::http::{Auth, Token, TokenError, TokenSource};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Tokens for one audience.
#[derive(Debug)]
struct OwnIdentity {
    tokens: Arc<dyn identity::TokenSource>,
    scope: String,
}

/// A receiver at `url` is shown tokens for `audience`, of the identity that queries are made with; `client_id` names another
/// user-assigned identity of the app.
pub(crate) fn managed_identity(
    url: &Url,
    audience: &str,
    client_id: Option<&str>,
    cloud: Cloud,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Auth, ChoiceError> {
    let tokens = for_audience(url, azure(cloud), client_id, lookup)?;
    // As it is written: an audience that ends in a slash makes two of them, and the token's `aud` ends in one.
    let scope = format!("{audience}/.default");
    Ok(Auth::Token(Arc::new(OwnIdentity { tokens, scope })))
}

#[async_trait]
impl TokenSource for OwnIdentity {
    async fn token(&self) -> Result<Token, TokenError> {
        match self.tokens.token(&self.scope).await {
            Ok(token) => {
                let good_for = (token.expires - clock()).to_std().unwrap_or(Duration::ZERO);
                Ok(Token { secret: token.secret, good_for })
            }
            Err(identity::TokenError::Denied(why)) => Err(TokenError::Denied(why)),
            Err(identity::TokenError::Unavailable(why)) => Err(TokenError::Unavailable(why)),
        }
    }

    fn forget(&self) {
        self.tokens.invalidate();
    }
}
