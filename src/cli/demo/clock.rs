//! The clock of the demo: it is told what time it is.

use chrono::{DateTime, Utc};
use std::sync::atomic::{AtomicI64, Ordering};

/// The simulated clock, or the machine's.
#[derive(Debug)]
pub(super) struct Clock(AtomicI64);

/// Says that the machine's clock is meant.
const MACHINE: i64 = i64::MIN;

impl Clock {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self(AtomicI64::new(now.timestamp_millis()))
    }

    /// From now on it is this instant, until it is told otherwise.
    pub(super) fn set(&self, now: DateTime<Utc>) {
        self.0.store(now.timestamp_millis(), Ordering::SeqCst);
    }

    /// From now on it is what it is.
    pub(super) fn follow_the_machine(&self) {
        self.0.store(MACHINE, Ordering::SeqCst);
    }

    /// What time it is.
    pub(super) fn now(&self) -> DateTime<Utc> {
        match self.0.load(Ordering::SeqCst) {
            MACHINE => machine(),
            millis => DateTime::from_timestamp_millis(millis).unwrap_or_default(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a receiver checks signatures by its own clock")]
fn machine() -> DateTime<Utc> {
    Utc::now()
}
