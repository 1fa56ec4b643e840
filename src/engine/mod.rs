//! The engine: *evaluate* a watch, *deliver* one alert to one receiver, and *tend* the outboxes, over three ports. It never
//! reads a clock and never waits: `now` is an argument, and what is to be done later is answered.

mod alone;
pub mod case;
mod cover;
mod deliver;
mod evaluate;
mod observe;
pub mod record;
#[cfg(test)]
mod simulation;
pub mod status;
mod switch;
mod tend;
#[cfg(test)]
mod tests;
mod tick;

pub use deliver::{Delivered, request};
pub use evaluate::Outcome;
pub use switch::SwitchError;
pub use tend::Tended;
pub use tick::{TickReport, Turn};

use crate::notify::Receiver;
use crate::ports::{Etag, LogSource, StateStore, StoreError, Transport};
use crate::watch::alert::{Alert, Interval};
use crate::watch::format::Formats;
use crate::watch::head::{BadHead, Head, WatchId};
use crate::watch::plan::Timing;
use crate::watch::rule::Rule;
use crate::watch::tables::HARDWARE_TABLE;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Makes the link to the Logs blade for a query, a window and the resource it is about.
pub type LogsLink = dyn Fn(&str, Interval, Option<&str>) -> Option<String> + Send + Sync;

/// Where rules are evaluated.
pub struct Workspace {
    /// Log Analytics customer id; the name for log files.
    pub id: String,
    /// Name in the configuration.
    pub name: String,
    /// Where its rows come from.
    pub source: Arc<dyn LogSource>,
    /// Link to the Logs blade.
    pub logs_link: Box<LogsLink>,
}

/// One rule on one workspace.
#[derive(Clone)]
pub struct Watch {
    /// The workspace.
    pub workspace: Arc<Workspace>,
    /// The rule.
    pub rule: Arc<Rule>,
    /// Names of the receivers that its alerts are for.
    pub receivers: Vec<String>,
    /// What the query returns when there is nothing at all: rows for rules that watch for absence, none for others.
    pub over_nothing: Vec<crate::watch::row::Row>,
}

impl Watch {
    /// Its id.
    pub fn id(&self) -> WatchId {
        WatchId { workspace: self.workspace.id.clone(), rule: self.rule.id.clone() }
    }

    /// Whether it is odd that there is no data: an absence rule says so itself, and the log of the hardware is one that few
    /// workspaces have.
    pub fn awaits_data(&self) -> bool {
        self.over_nothing.is_empty() && !self.rule.tables().iter().any(|t| t == HARDWARE_TABLE)
    }

    /// `rule on workspace`, for people.
    pub fn label(&self) -> String {
        format!("{} on {}", self.rule.id, self.workspace.name)
    }
}

/// A claim check for one delivery. Losing one, or having it twice, does no harm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Key of the watch whose outbox has the alert.
    pub watch: String,
    /// Alert id.
    pub alert: String,
    /// Receiver name.
    pub receiver: String,
}

/// Takes tickets as they are made.
pub type Offer<'a> = &'a (dyn Fn(Ticket) + Send + Sync);

/// A document with the alerts of one commit.
#[derive(Debug, Serialize, Deserialize)]
struct AlertsDoc {
    format: u32,
    alerts: Vec<Alert>,
}

/// The formats of such documents.
const ALERTS_FORMATS: Formats = Formats::new(1, 1, 1);

/// Refuses a JSON document of a format that is not read, whatever else is in it.
fn check_format(formats: Formats, bytes: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    formats.check(format).map_err(|other| other.to_string())
}

/// Evaluates and delivers.
pub struct Engine {
    /// Where state lives.
    pub store: Arc<dyn StateStore>,
    /// How receivers are reached.
    pub transport: Arc<dyn Transport>,
    /// All receivers.
    pub receivers: Vec<Receiver>,
    /// The times that decide what is asked.
    pub timing: Timing,
    /// A table without rows for this long is told.
    pub silent_after: Option<TimeDelta>,
    instance: String,
    commits: AtomicU64,
    /// Evaluations at a time, however many ticks and invocations ask for them.
    evaluations: Semaphore,
}

/// Evaluations at a time: the service allows five queries a user.
const AT_A_TIME: usize = 4;

/// A head as it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The head.
    pub head: Head,
    /// Its version.
    pub etag: Etag,
}

/// Why a state document is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head cannot be read; it stays as it is.
    #[error("state document `{name}` is left untouched: {why}")]
    Head {
        /// The document.
        name: String,
        /// What is wrong with it.
        why: BadHead,
    },
    /// Another document cannot be read; it stays as it is.
    #[error("state document `{name}` is left untouched: {why}")]
    Document {
        /// The document.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Others won the race every time.
    #[error("the head of `{0}` was changed by someone else each time; the next tick tries again")]
    Contended(String),
}

impl Engine {
    /// An engine. `instance` tells this process from all others, ever: it goes into the names of its commits.
    pub fn new(
        store: Arc<dyn StateStore>,
        transport: Arc<dyn Transport>,
        receivers: Vec<Receiver>,
        timing: Timing,
        silent_after: Option<TimeDelta>,
        instance: String,
    ) -> Self {
        Self {
            store,
            transport,
            receivers,
            timing,
            silent_after,
            instance,
            commits: AtomicU64::new(0),
            evaluations: Semaphore::new(AT_A_TIME),
        }
    }

    /// A name that no other commit has.
    fn commit_id(&self, now: DateTime<Utc>) -> String {
        let n = self.commits.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{}-{n:x}", now.timestamp_millis(), self.instance)
    }

    /// Reads a head.
    pub async fn load(&self, watch_key: &str) -> Result<Option<Loaded>, StateError> {
        let name = Head::name(watch_key);
        let Some(document) = self.store.read(&name).await? else { return Ok(None) };
        match Head::decode(&document.body) {
            Ok(head) => Ok(Some(Loaded { head, etag: document.etag })),
            Err(why) => Err(StateError::Head { name, why }),
        }
    }

    /// Reads the alerts of a commit; `None` if they are gone.
    pub async fn alerts(&self, doc: &str) -> Result<Option<Vec<Alert>>, StateError> {
        let bad = |why: String| StateError::Document { name: doc.to_owned(), why };
        let read = self.store.read(doc).await.map_err(|error| match error {
            StoreError::Failed(why) => bad(why),
            error => error.into(),
        })?;
        let Some(document) = read else { return Ok(None) };
        check_format(ALERTS_FORMATS, &document.body).map_err(bad)?;
        let read: AlertsDoc =
            serde_json::from_slice(&document.body).map_err(|e| bad(e.to_string()))?;
        Ok(Some(read.alerts))
    }

    /// The receiver of this name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }
}
