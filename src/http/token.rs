//! Tokens that expire: where they come from, and that one is kept for as long as it is good.

use async_trait::async_trait;
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

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

/// No token is waited for longer, so that something is left of the call's time to make the call itself.
const WAIT: Duration = Duration::from_secs(15);
/// A token is not used in the last of its time: the call takes some of it, and clocks differ.
const MARGIN: Duration = Duration::from_mins(1);
/// No token is believed to be good for longer.
const LONGEST: Duration = Duration::from_hours(24);

/// Keeps a receiver's token for as long as it is good, and fetches one at a time.
#[derive(Debug)]
pub(super) struct Keeper {
    source: Arc<dyn TokenSource>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    kept: Option<Kept>,
    /// The last fetch that failed, by when it began.
    failed: Option<(Instant, TokenError)>,
}

#[derive(Debug)]
struct Kept {
    secret: SecretString,
    asked: Instant,
    until: Instant,
}

/// A token for one call.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) secret: SecretString,
    /// When it was asked for: what tells it from others.
    asked: Instant,
    /// Whether it was in memory before the call began.
    pub(super) kept: bool,
}

impl Keeper {
    pub(super) fn new(source: Arc<dyn TokenSource>) -> Self {
        Self { source, held: Mutex::default() }
    }

    /// A token, from memory or fetched, by this time.
    pub(super) async fn give(&self, deadline: Instant) -> Result<Given, TokenError> {
        let arrived = Instant::now();
        let deadline = deadline.min(arrived + WAIT);
        timeout_at(deadline, self.find(arrived)).await.unwrap_or_else(|_| {
            Err(TokenError::Unavailable(format!("no token within {} s", WAIT.as_secs())))
        })
    }

    async fn find(&self, arrived: Instant) -> Result<Given, TokenError> {
        let mut held = self.held.lock().await;
        let now = Instant::now();
        if let Some(kept) = held.kept.as_ref().filter(|kept| now < kept.until) {
            let Kept { secret, asked, .. } = kept;
            // Whoever waited while another fetched has a token as new as if it had fetched it.
            return Ok(Given { secret: secret.clone(), asked: *asked, kept: *asked < arrived });
        }
        // Whoever waited while another failed need not fail by itself.
        if let Some((asked, error)) = &held.failed
            && *asked >= arrived
        {
            return Err(error.clone());
        }
        held.kept = None;
        match self.source.token().await {
            Ok(Token { secret, good_for }) => {
                let until = now + good_for.saturating_sub(MARGIN.min(good_for / 4)).min(LONGEST);
                held.kept = Some(Kept { secret: secret.clone(), asked: now, until });
                held.failed = None;
                Ok(Given { secret, asked: now, kept: false })
            }
            Err(error) => {
                held.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// The receiver did not accept this token: it is not given again.
    pub(super) async fn refused(&self, given: &Given) {
        let mut held = self.held.lock().await;
        // Another call may have found that out before, and there is a new one.
        if held.kept.as_ref().is_some_and(|kept| kept.asked == given.asked) {
            held.kept = None;
            self.source.forget();
        }
    }
}
