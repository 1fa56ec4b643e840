//! Tokens that expire: where they come from, and that one is kept for as long as it is good.

use async_trait::async_trait;
use secrecy::SecretString;
use std::fmt;
use std::time::Duration;

/// A bearer token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What is sent.
    pub secret: SecretString,
    /// For how long it is good, from when it was asked for.
    pub good_for: Duration,
}

/// Why there is no token. The words name no address and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Someone must change the identity, the secret or the configuration.
    #[error("{0}")]
    Denied(String),
    /// The token service or the way to it is down: try again.
    #[error("{0}")]
    Unavailable(String),
}

/// Where a receiver's tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token. Need not be a new one, save after [`forget`](Self::forget).
    async fn token(&self) -> Result<Token, TokenError>;

    /// Forgets what is in memory: the receiver did not accept it.
    fn forget(&self);
}
