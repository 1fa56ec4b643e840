//! Watching: pure. What a rule is, which time to ask for, which rows are new, and what to say about them. `now` is always
//! an argument; nothing here waits, reads or writes.

pub mod alert;
pub mod build;
pub mod duration;
pub mod fingerprint;
pub mod format;
pub mod head;
pub mod intake;
mod outbox;
pub mod own;
pub mod parameters;
pub mod plan;
pub mod presets;
pub mod row;
pub mod rule;
pub mod schedule;
pub mod seen;
pub mod severity;
pub mod step;
pub mod tables;
