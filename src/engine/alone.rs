//! Evaluating one watch after another instant of its own, without the rest of a tick: how the past is gone through. What is
//! told, and what is remembered, are those of [`Engine::tick`]: both call the same evaluation.

use super::evaluate::{Evaluated, Given, Outcome};
use super::{Engine, Loaded, Watch};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

impl Engine {
    /// Evaluates a watch at `now` if it is due, on the head that the instant before left. Nothing is offered: who goes through
    /// the past has no receivers.
    pub async fn evaluate_alone(
        &self,
        watch: &Watch,
        loaded: Option<Loaded>,
        now: DateTime<Utc>,
    ) -> (Outcome, Option<Loaded>) {
        let ended = BTreeSet::new();
        let given = Given { loaded, known: None, ended: &ended, now, offer: &|_| () };
        let Evaluated { outcome, head, .. } = self.evaluate(watch, given).await;
        (outcome, head)
    }
}
