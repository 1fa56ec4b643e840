//! An archive: all rows of exported logs in memory, in the order of their time, for questions by the thousand.
//!
//! ```text
//! inputs ─► load: blocks of lines, read by all processors ─► store: equal values once, columns in bytes, sorted by time
//!        ─► source: a log source that binds a query once, and finds its rows by time and by value
//! ```
//!
//! It answers what [`LogFiles`](super::LogFiles) would, for the instants of the past: a row is there from its own time on.

mod line;
mod load;
mod scan;
mod source;
mod store;
#[cfg(test)]
mod tests;

pub use load::{Input, Loading, load};
pub use source::ArchiveLogs;
pub use store::Archive;
