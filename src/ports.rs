//! The three ports between the engine and the world. Their errors say what the *caller* must do.

pub mod names;

use crate::notify::Body;
use crate::notify::exchange::Answered;
pub use crate::notify::exchange::{Method, Reply};
use crate::notify::verdict::NoAnswer;
use crate::watch::alert::Interval;
use crate::watch::row::Row;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// One question to a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Complete KQL, constants included.
    pub text: String,
    /// Bounds of `TimeGenerated` that the service may use to read less. Never trusted: the caller drops rows outside its window.
    pub timespan: Option<Interval>,
    /// The instant that `now()` stands for, where the embedded engine answers.
    pub now: DateTime<Utc>,
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The service's clock (`Date` header), if it said.
    pub date: Option<DateTime<Utc>>,
    /// Why rows are missing, if some are: the rows seen are true but not all.
    pub partial: Option<String>,
}

/// Why a query got no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The workspace or table has never received data (204, table not found). A state, not a failure.
    #[error("no data yet: {0}")]
    NoData(String),
    /// The answer is too large or took too long: ask for less time.
    #[error("answer too large: {0}")]
    TooLarge(String),
    /// Come back later.
    #[error("throttled by the service")]
    Throttled {
        /// What `Retry-After` said.
        retry_after: Option<Duration>,
    },
    /// No access, or none yet: someone must grant it.
    #[error("access denied: {0}")]
    Denied(String),
    /// The query itself is wrong: someone must mend the rule.
    #[error("query refused: {0}")]
    Refused(String),
    /// The service or the way to it is down: try again.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

/// Takes the rows of an answer as they come. An answer is never held whole.
pub trait RowSink: Send {
    /// Takes one row.
    fn row(&mut self, row: Row);
}

impl RowSink for Vec<Row> {
    fn row(&mut self, row: Row) {
        self.push(row);
    }
}

/// Where audit logs are read.
#[async_trait]
pub trait LogSource: Send + Sync {
    /// Asks, and hands each row to `rows`. On an error the rows handed over so far mean nothing.
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError>;
}

/// The version of a stored document. Opaque; changes with every write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Etag(pub String);

/// Small facts beside a document that a listing shows. Keys `[a-z_]+`, values ASCII without line breaks.
pub type Meta = BTreeMap<String, String>;

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Content.
    pub body: Vec<u8>,
    /// Version.
    pub etag: Etag,
    /// Facts beside it.
    pub meta: Meta,
}

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Full name.
    pub name: String,
    /// Version.
    pub etag: Etag,
    /// Facts beside it.
    pub meta: Meta,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// What must be true for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// There is no such document.
    Absent,
    /// The document is at this version.
    Matches(Etag),
}

/// Why a store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Someone else wrote first: read again and decide again. Nothing was written.
    #[error("`{0}` was changed by someone else")]
    Lost(String),
    /// Nothing is known of whether it was written: read again.
    #[error("no answer from the state store: {0}")]
    Unknown(String),
    /// It was not done, and would not be done now: someone must look.
    #[error("state store: {0}")]
    Failed(String),
}

/// Where state lives: named documents with compare-and-swap. Names are `/`-separated words of `[A-Za-z0-9._-]`.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The document, or `None`.
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError>;

    /// Writes the whole document if `when` holds; answers its new version.
    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError>;

    /// Deletes the document; `Matches` makes it conditional. Deleting what is not there is no error.
    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError>;

    /// All documents whose name begins with `prefix`, by name.
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError>;
}

/// One call of a receiver.
#[derive(Clone, Debug)]
pub struct Request {
    /// The receiver's name: whoever sends it knows the address.
    pub receiver: String,
    /// How.
    pub method: Method,
    /// What is appended to the receiver's address, percent-encoded: a path, perhaps with a query. Empty for the address itself,
    /// which is then used byte for byte.
    pub path: String,
    /// Body and content type.
    pub body: Option<Body>,
    /// Further headers: id, timestamp, signature.
    pub headers: Vec<(String, String)>,
}

/// Why there was no answer. Never carries a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The address guard refuses the address.
    #[error("address refused: {0}")]
    Forbidden(String),
    /// No connection was made: nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// It may or may not have arrived.
    #[error("no answer: {0}")]
    Ambiguous(String),
    /// There is nothing to prove who calls, or its certificate is not accepted: nothing was sent, and someone must mend it.
    #[error("not authorized: {0}")]
    Unauthorized(String),
}

/// What came of a call, as an exchange takes it.
pub fn answered(sent: Result<Reply, TransportError>) -> Answered {
    sent.map_err(|error| match error {
        TransportError::Forbidden(why) => (NoAnswer::Forbidden, why),
        TransportError::Connect(why) => (NoAnswer::Connect, why),
        TransportError::Ambiguous(why) => (NoAnswer::Ambiguous, why),
        TransportError::Unauthorized(why) => (NoAnswer::Unauthorized, why),
    })
}

/// Calls receivers. Knows their addresses by name, so that no address travels through state or logs.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends once: no retries, no redirects.
    async fn send(&self, request: Request) -> Result<Reply, TransportError>;
}
