//! Switching a receiver on again by hand.

use super::{Engine, StateError};
use crate::ports::{StoreError, When};
use crate::watch::own;
use chrono::{DateTime, Utc};

/// How often a lost race for the own head is taken up again.
const RACES: usize = 3;

/// Why a receiver was not switched on.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No receiver has this name.
    #[error("there is no receiver `{name}`: the configuration has {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Engine {
    /// Switches a broken receiver on: its refusals up to now no longer count, and the next tick offers what waits for it.
    pub async fn switch_on(&self, name: &str, now: DateTime<Utc>) -> Result<(), SwitchError> {
        if self.receiver(name).is_none() {
            let known = self.receivers.iter().map(|receiver| receiver.name.clone()).collect();
            return Err(SwitchError::Unknown { name: name.to_owned(), known });
        }
        let key = own::watch_id().key();
        for _ in 0..=RACES {
            let loaded = self.load(&key).await?;
            let when = loaded.as_ref().map_or(When::Absent, |l| When::Matches(l.etag.clone()));
            let mut head = loaded.map_or_else(|| own::start(now), |loaded| loaded.head);
            let own = head.own.get_or_insert_default();
            own.switched_on.insert(name.to_owned(), now);
            match self.write_head(&mut head, when, now).await {
                Ok(_) => return Ok(()),
                Err(StateError::Store(StoreError::Lost(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Contended(own::OWN.to_owned()).into())
    }
}
