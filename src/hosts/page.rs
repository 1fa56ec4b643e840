//! The status page.

use crate::engine::status::Status;
use chrono::{DateTime, Utc};

/// What the page may load: nothing.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What is shown.
pub struct Page<'a> {
    /// What the state says, if it could be read.
    pub status: Option<&'a Status>,
    /// What is refused, and since when.
    pub refused: Option<(&'a str, DateTime<Utc>)>,
    /// Where the configuration came from.
    pub source: &'a str,
    /// The version of hsmwatch.
    pub version: &'a str,
    /// When this was gathered.
    pub at: DateTime<Utc>,
}

/// The page.
pub fn html(page: &Page<'_>) -> String {
    format!("<!doctype html><title>hsmwatch</title><p>{}", page.at)
}
