//! Where the handler's configuration comes from: looked at again at each invocation, and the last good version goes on for as
//! long as the newest cannot be used.

use super::Context;
use super::doctor;
use super::keeper::{self, Good, KeepError};
use super::origin::{Origin, Version};
use super::report::Stop;
use super::setup::{self, Setup};
use crate::config::{self, Asked, Cloud, Input, Problem, State};
use crate::hosts::checks::Report;
use crate::hosts::daemon::clock;
use crate::hosts::functions::{App, Current, Refused, Supply};
use crate::ports::StateStore;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Invocations that need not see the newest version at once are content with one that was looked at this long ago.
const FRESH: Duration = Duration::from_secs(1);
/// Problems are told up to this length.
const MOST: usize = 16 * 1024;
/// All that is fetched in one look must have come by then; the last good version does not wait longer.
const LOOK: Duration = Duration::from_secs(30);

/// A configuration that is read again at each invocation.
pub(crate) struct Reloading {
    context: Context,
    memory: Mutex<Memory>,
}

/// What is remembered between two looks.
#[derive(Default)]
struct Memory {
    origin: Option<Origin>,
    current: Current,
    /// What the current app was made of; `None` if it was made of a version that was kept.
    made_of: Option<(String, Asked)>,
    /// A good version that is yet to be kept.
    unkept: Option<(Good, Vec<Problem>)>,
    /// When the last look began.
    began: Option<Instant>,
    /// When the last look ended.
    ended: Option<Instant>,
}

impl Reloading {
    /// Reads nothing yet.
    pub(crate) fn new(context: Context) -> Self {
        Self { context, memory: Mutex::default() }
    }
}

#[async_trait]
impl Supply for Reloading {
    async fn current(&self, fresh: bool) -> Current {
        let arrived = Instant::now();
        let mut memory = self.memory.lock().await;
        // Who waited while another looked takes part in what that one saw, if the look began later than the wait.
        let shared = memory.began.is_some_and(|began| began >= arrived);
        let recent = !fresh && memory.ended.is_some_and(|ended| ended.elapsed() < FRESH);
        if !shared && !recent {
            memory.began = Some(Instant::now());
            Box::pin(memory.look(&self.context)).await;
            memory.ended = Some(Instant::now());
        }
        memory.current.clone()
    }

    async fn checks(&self) -> Option<Report> {
        Some(Box::pin(doctor::inside(&self.context)).await)
    }
}

impl Memory {
    /// Looks for a new version, and takes it if it is good.
    async fn look(&mut self, context: &Context) {
        let mut origin = match self.origin.take().map_or_else(|| Origin::of(context), Ok) {
            Ok(origin) => origin,
            Err(stop) => return self.refuse(stop.sentence()),
        };
        let seen = match tokio::time::timeout(LOOK, self.newest(&mut origin)).await {
            Ok(seen) => seen,
            Err(_) => Err(format!(
                "the configuration `{}` cannot be read: not done within {} s",
                origin.source(),
                LOOK.as_secs()
            )),
        };
        match seen {
            Ok(Some((app, version, exposed))) => {
                tracing::info!("the configuration `{}` is good and taken", app.source);
                let since = clock();
                self.current = Current { app: Some(Arc::new(app)), refused: None };
                if let (Origin::Blob(container), Some(address)) = (&origin, origin.address()) {
                    let good = Good::of(&version, address, since).with_etags(|path| {
                        container.etag(Some(path).filter(|path| !path.as_os_str().is_empty()))
                    });
                    self.unkept = Some((good, exposed));
                }
                self.made_of = Some((version.text, version.asked));
            }
            Ok(None) => self.current.refused = None,
            Err(why) => {
                let why = match (&self.current.app, &mut origin) {
                    (None, Origin::Blob(_)) => self.restore(&mut origin, why).await,
                    _ => why,
                };
                self.refuse(why);
            }
        }
        self.keep(&origin).await;
        self.origin = Some(origin);
    }

    /// What invocations are to work with from now on; `None`: what they work with.
    async fn newest(
        &self,
        origin: &mut Origin,
    ) -> Result<Option<(App, Version, Vec<Problem>)>, String> {
        origin.refresh().await?;
        if let Some((text, asked)) = &self.made_of
            && origin.is_still(text, asked)
        {
            return Ok(None);
        }
        let version = origin.read().await?;
        let loaded = version.loaded.clone().map_err(|problems| Stop::from(problems).sentence())?;
        let exposed = loaded.exposed.clone();
        let app = made(loaded, origin).map_err(|stop| stop.sentence())?;
        Ok(Some((app, version, exposed)))
    }

    fn refuse(&mut self, why: String) {
        let why = cut(why);
        let since = self.current.refused.as_ref().map_or_else(clock, |refused| refused.since);
        self.current.refused = Some(Refused { why, since });
    }

    /// Goes on with the version that is kept in the state, if there is one. Answers why the newest is refused, and why the kept
    /// one is of no use, if so.
    async fn restore(&mut self, origin: &mut Origin, why: String) -> String {
        match restored(origin).await {
            Ok(None) => why,
            Ok(Some((app, since))) => {
                tracing::warn!(
                    "goes on with the version of `{}` that is good since {since}",
                    app.source
                );
                self.current.app = Some(Arc::new(app));
                why
            }
            Err(error) => format!("{why}; nor can the last good version be used: {error}"),
        }
    }

    /// Keeps the good version, should this process end and another begin when the newest is not good.
    async fn keep(&mut self, origin: &Origin) {
        let Some((good, exposed)) = &self.unkept else { return };
        let store = match home(origin, &good.text) {
            Some(Ok(store)) => store,
            Some(Err(error)) => {
                tracing::warn!(
                    "the last good version of the configuration cannot be kept: {error}"
                );
                return;
            }
            None => return,
        };
        let kept = if exposed.is_empty() {
            keeper::keep(&*store, good).await
        } else {
            let places: Vec<String> = exposed.iter().map(ToString::to_string).collect();
            tracing::warn!(
                "the last good version of the configuration is not kept in the state, for it holds secrets ({}): put them into \
                 variables or files, and an instance that begins while a new version is refused can go on with it",
                places.join("; ")
            );
            keeper::forget(&*store).await
        };
        match kept {
            Ok(()) => self.unkept = None,
            Err(error) => {
                tracing::warn!(
                    "the last good version of the configuration cannot be kept: {error}"
                );
                // What is transient is tried again.
                if matches!(error, KeepError::Untouched(_)) {
                    self.unkept = None;
                }
            }
        }
    }
}

/// A text that a page and an alert can take.
fn cut(why: String) -> String {
    if why.len() <= MOST {
        return why;
    }
    let kept = why.get(..why.floor_char_boundary(MOST)).unwrap_or_default();
    let kept = kept.rsplit_once('\n').map_or(kept, |(lines, _)| lines);
    format!("{kept}\nand more: `hsmwatch check` shows all")
}

/// The store that has the last good version: the one that the environment names, else that of the configuration itself.
fn home(origin: &Origin, text: &str) -> Option<Result<Arc<dyn StateStore>, String>> {
    let machine = origin.lookup();
    let state = config::state(Input::Environment, &machine).or_else(|| origin.state(text))?;
    let cloud = match &state {
        State::Blob { account_url, .. } => Cloud::of_account(account_url),
        State::Folder(_) => Cloud::default(),
    };
    Some(setup::open(&state, cloud, &machine).map_err(|stop| stop.sentence()))
}

/// The version that is kept, made ready, and since when it is good.
async fn restored(origin: &mut Origin) -> Result<Option<(App, DateTime<Utc>)>, String> {
    let Some(store) = home(origin, &origin.text()?) else { return Ok(None) };
    let Some(address) = origin.address() else { return Ok(None) };
    let kept = keeper::kept(&*store?, &address).await.map_err(|e| e.to_string())?;
    let Some(good) = kept else { return Ok(None) };
    let loaded = tokio::time::timeout(LOOK, origin.read_kept(&good))
        .await
        .map_err(|_| format!("not done within {} s", LOOK.as_secs()))??;
    let app = made(loaded, origin).map_err(|stop| stop.sentence())?;
    Ok(Some((app, good.since)))
}

/// What invocations work with.
fn made(loaded: config::Loaded, origin: &Origin) -> Result<App, Stop> {
    app(&setup::finish(loaded, origin.source(), origin.lookup())?)
}

fn app(setup: &Setup) -> Result<App, Stop> {
    for warning in &setup.warnings {
        tracing::warn!("{warning}");
    }
    Ok(App { engine: setup.engine()?, watches: setup.watches()?, source: setup.source.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_end_is_cut_at_a_line() {
        assert_eq!(cut("a\nb".to_owned()), "a\nb");
        let long = cut(format!("{}\n{}", "é".repeat(5000), "x".repeat(MOST)));
        assert_eq!(long, format!("{}\nand more: `hsmwatch check` shows all", "é".repeat(5000)));
        assert_eq!(cut("é".repeat(MOST)).lines().count(), 2);
    }
}
