//! Tokens that expire: where they come from, and that one is kept for as long as it is good.

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
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
    /// The last fetch that failed, and when it did.
    failed: Option<(Instant, TokenError)>,
}

#[derive(Debug)]
struct Kept {
    given: Given,
    until: Instant,
}

/// A token for one call.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) secret: SecretString,
    /// As a header carries it.
    pub(super) value: HeaderValue,
    /// When it came: what tells it from others.
    came: Instant,
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
        let asked = Instant::now();
        // Whoever waited while another fetched has a token as new as if it had fetched it, and need not fail by itself.
        if let Some(kept) = held.kept.as_ref().filter(|kept| asked < kept.until) {
            return Ok(Given { kept: kept.given.came < arrived, ..kept.given.clone() });
        }
        if let Some((failed, error)) = &held.failed
            && *failed >= arrived
        {
            return Err(error.clone());
        }
        held.kept = None;
        let fetched = self.source.token().await.and_then(|Token { secret, good_for }| {
            let value = bearer(&secret).ok_or_else(|| {
                TokenError::Denied("the token that was given is none that can be sent".to_owned())
            })?;
            let until = asked + good_for.saturating_sub(MARGIN.min(good_for / 4)).min(LONGEST);
            Ok((Given { secret, value, came: Instant::now(), kept: false }, until))
        });
        match fetched {
            Ok((given, until)) => {
                held.kept = Some(Kept { given: given.clone(), until });
                Ok(given)
            }
            Err(error) => {
                held.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// The receiver did not accept this token: it is not given again.
    pub(super) async fn refused(&self, given: &Given) {
        let mut held = self.held.lock().await;
        // Another call may have found that out before, and there is a new one.
        if held.kept.as_ref().is_some_and(|kept| kept.given.came == given.came) {
            held.kept = None;
            self.source.forget();
        }
    }
}

/// A token as a header carries it; `None`: none can.
pub(super) fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let token = token.expose_secret();
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| sensitive(&format!("Bearer {token}"))).flatten()
}

/// A header's value that no log shows.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as Plain;
    use tokio::time::{advance, sleep};

    /// Numbers its tokens, and takes its time.
    #[derive(Debug, Default)]
    struct Numbers {
        good_for: Duration,
        takes: Duration,
        asked: Plain<u32>,
        forgot: Plain<u32>,
    }

    #[async_trait]
    impl TokenSource for Numbers {
        async fn token(&self) -> Result<Token, TokenError> {
            #[expect(clippy::disallowed_methods, reason = "time stands still in these tests")]
            sleep(self.takes).await;
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            Ok(Token { secret: format!("t{asked}").into(), good_for: self.good_for })
        }

        fn forget(&self) {
            *self.forgot.lock().unwrap() += 1;
        }
    }

    fn keeper(good_for: u64, takes: u64) -> (Keeper, Arc<Numbers>) {
        let (good_for, takes) = (Duration::from_secs(good_for), Duration::from_secs(takes));
        let source = Arc::new(Numbers { good_for, takes, ..Numbers::default() });
        (Keeper::new(Arc::clone(&source) as Arc<dyn TokenSource>), source)
    }

    async fn give(keeper: &Keeper) -> (String, bool) {
        let given = keeper.give(Instant::now() + Duration::from_secs(30)).await.unwrap();
        assert!(given.value.is_sensitive());
        assert!(!format!("{keeper:?}{given:?}").contains(given.secret.expose_secret()));
        (given.secret.expose_secret().to_owned(), given.kept)
    }

    fn got(token: &str, kept: bool) -> (String, bool) {
        (token.to_owned(), kept)
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_kept_until_shortly_before_its_end() {
        // A minute before; of a short life, a quarter.
        for (good_for, last) in [(3600, 3539), (120, 89), (8, 5)] {
            let (keeper, _) = keeper(good_for, 0);
            assert_eq!(give(&keeper).await, got("t1", false));
            advance(Duration::from_secs(last)).await;
            assert_eq!(give(&keeper).await, got("t1", true), "{good_for}");
            advance(Duration::from_secs(1)).await;
            assert_eq!(give(&keeper).await, got("t2", false), "{good_for}");
        }
        // Its life begins when it is asked for, and ends after a day at the latest.
        let (slow, _) = keeper(100, 10);
        give(&slow).await;
        advance(Duration::from_secs(65)).await;
        assert_eq!(give(&slow).await, got("t2", false));
        let (forever, _) = keeper(u64::MAX, 0);
        give(&forever).await;
        advance(LONGEST).await;
        assert_eq!(give(&forever).await, got("t2", false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_a_life_is_used_once() {
        let (keeper, _) = keeper(0, 0);
        assert_eq!(give(&keeper).await, got("t1", false));
        assert_eq!(give(&keeper).await, got("t2", false));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_refused_token_is_forgotten() {
        let (keeper, source) = keeper(3600, 1);
        let deadline = Instant::now() + Duration::from_secs(30);
        let old = keeper.give(deadline).await.unwrap();
        keeper.refused(&old).await;
        assert_eq!(give(&keeper).await, got("t2", false));
        // Another call hears late that the old one was refused.
        keeper.refused(&old).await;
        advance(Duration::from_secs(1)).await;
        assert_eq!(give(&keeper).await, got("t2", true));
        assert_eq!(*source.forgot.lock().unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (keeper, source) = keeper(3600, 60);
        let began = Instant::now();
        let deadline = began + Duration::from_secs(30);
        let (a, b) = tokio::join!(keeper.give(deadline), keeper.give(deadline));
        for error in [a.unwrap_err(), b.unwrap_err()] {
            assert_eq!(error, TokenError::Unavailable("no token within 15 s".to_owned()));
        }
        assert_eq!(began.elapsed(), WAIT);
        let soon = Instant::now() + Duration::from_secs(3);
        assert!(keeper.give(soon).await.is_err());
        assert_eq!(Instant::now(), soon);
        assert_eq!(*source.asked.lock().unwrap(), 0);
    }
}
