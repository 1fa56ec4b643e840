//! Desks that know a case by a key of ours: telling the same thing twice does nothing twice.

use super::{About, Goal, Memory};
use crate::notify::exchange::{Act, Answered, Ask, Reply, Step};
use crate::notify::verdict::{Verdict, judge_no_answer};
use std::collections::VecDeque;
use std::fmt;

/// What such a desk is told.
pub(super) trait Desk: fmt::Debug + Sync {
    /// The calls that tell an alert: they open the case, or update the open one.
    fn tell(&self, about: &About<'_>) -> Vec<Ask>;

    /// The calls that close the case.
    fn resolve(&self, about: &About<'_>) -> Vec<Ask>;

    /// Whether this is no success, and yet all that can be done: the case that a note or the end was for is closed or gone.
    fn is_moot(&self, _act: Act, _reply: &Reply) -> bool {
        false
    }

    /// The verdict on an answer.
    fn judge(&self, reply: &Reply) -> Verdict;
}

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Keyed<'a> {
    desk: &'a dyn Desk,
    about: About<'a>,
    asks: VecDeque<Ask>,
    /// What the call under way is for.
    asking: Option<Act>,
    verdict: Option<Verdict>,
    pub(super) memory: Memory,
}

impl<'a> Keyed<'a> {
    pub(super) fn begin(desk: &'a dyn Desk, about: About<'a>, memory: Memory) -> Self {
        let mut asks = VecDeque::new();
        if matches!(about.goal, Goal::Tell | Goal::TellAndResolve) {
            asks.extend(desk.tell(&about));
        }
        if matches!(about.goal, Goal::Resolve | Goal::TellAndResolve) {
            asks.extend(desk.resolve(&about));
        }
        Self { desk, about, asks, asking: None, verdict: None, memory }
    }

    pub(super) fn step(&mut self) -> Step {
        if let Some(verdict) = &self.verdict {
            return Step::End(verdict.clone());
        }
        if let Some(ask) = self.asks.pop_front() {
            self.asking = Some(ask.act);
            return Step::Ask(ask);
        }
        self.memory.tells(&self.about);
        self.verdict = Some(Verdict::Delivered);
        Step::End(Verdict::Delivered)
    }

    pub(super) fn take(&mut self, answered: &Answered) {
        let verdict = match answered {
            Ok(reply) if self.asking.is_some_and(|act| self.desk.is_moot(act, reply)) => {
                Verdict::Delivered
            }
            Ok(reply) => self.desk.judge(reply),
            Err((what, why)) => judge_no_answer(*what, why),
        };
        if verdict != Verdict::Delivered {
            self.verdict = Some(verdict);
        }
    }
}
