//! A lane for each receiver: one that is slow or broken must not take the places of those that are not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Deliveries to one receiver at a time.
const WIDE: usize = 4;
/// A delivery waits this long for its turn at a receiver that is well.
const TURN: Duration = Duration::from_secs(20);
/// A failure is remembered this long.
const FAILING: Duration = Duration::from_mins(1);
/// A receiver that refused everything is left alone this long; the next tick knows more.
const BROKEN: Duration = Duration::from_secs(10);

/// Lanes of all receivers.
#[derive(Default)]
pub(super) struct Lanes(Mutex<BTreeMap<String, Lane>>);

struct Lane {
    wide: Arc<Semaphore>,
    narrow: Arc<Semaphore>,
    failed: Option<Instant>,
    broken: Option<(String, Instant)>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            wide: Arc::new(Semaphore::new(WIDE)),
            narrow: Arc::new(Semaphore::new(1)),
            failed: None,
            broken: None,
        }
    }
}

/// How a delivery went, as far as its lane cares.
pub(super) enum Went {
    /// Accepted, or nothing to do.
    Well,
    /// To be tried again.
    Failed,
    /// The receiver with this credential refuses everything.
    Broken(String),
}

impl Lanes {
    /// A place in the receiver's lane, or `None`: the ticket is left to the next tick, which offers it again.
    pub(super) async fn enter(
        &self,
        receiver: &str,
        credential: &str,
    ) -> Option<OwnedSemaphorePermit> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = lanes.entry(receiver.to_owned()).or_default();
            let broken = lane
                .broken
                .as_ref()
                .is_some_and(|(of, at)| of == credential && at.elapsed() < BROKEN);
            if broken {
                return None;
            }
            match lane.failed {
                // One at a time finds out whether it is well again; the others would only wait with it.
                Some(at) if at.elapsed() < FAILING => {
                    return Arc::clone(&lane.narrow).try_acquire_owned().ok();
                }
                _ => Arc::clone(&lane.wide),
            }
        };
        timeout(TURN, lane.acquire_owned()).await.ok()?.ok()
    }

    /// Notes how a delivery went.
    pub(super) fn note(&self, receiver: &str, went: Went) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(receiver.to_owned()).or_default();
        match went {
            Went::Well => (lane.failed, lane.broken) = (None, None),
            Went::Failed => lane.failed = Some(Instant::now()),
            Went::Broken(credential) => lane.broken = Some((credential, Instant::now())),
        }
    }

    /// What a tick has just read in the state is newer than what is remembered here.
    pub(super) fn forget_broken(&self) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values_mut().for_each(|lane| lane.broken = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failing_receiver_takes_one_place() {
        let lanes = Lanes::default();
        let mut held = Vec::new();
        for _ in 0..WIDE {
            held.push(lanes.enter("a", "1").await.unwrap());
        }
        assert!(lanes.enter("a", "1").await.is_none(), "its turn does not come");
        assert!(lanes.enter("b", "1").await.is_some(), "others are not held up");
        lanes.note("a", Went::Failed);
        let one = lanes.enter("a", "1").await;
        assert!(one.is_some());
        let began = Instant::now();
        assert!(lanes.enter("a", "1").await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for a failing receiver");
        held.clear();
        tokio::time::advance(FAILING).await;
        assert!(lanes.enter("a", "1").await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_receiver_is_left_alone_until_a_tick_or_a_new_address() {
        let lanes = Lanes::default();
        lanes.note("a", Went::Broken("1".to_owned()));
        assert!(lanes.enter("a", "1").await.is_none());
        assert!(lanes.enter("a", "2").await.is_some(), "a new address");
        lanes.forget_broken();
        assert!(lanes.enter("a", "1").await.is_some());
        lanes.note("a", Went::Broken("1".to_owned()));
        tokio::time::advance(BROKEN).await;
        assert!(lanes.enter("a", "1").await.is_some());
    }
}
