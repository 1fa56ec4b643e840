//! The past as a host: a watch goes through a period tick by tick, with the engine that runs every day. There is no clock and
//! no receiver; each instant is as long as its evaluation takes.

use crate::engine::{Engine, Outcome, Watch};
use crate::watch::schedule::Schedule;
use chrono::{DateTime, TimeDelta, Utc};

/// The instants at which a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first: watches begin here.
    pub from: DateTime<Utc>,
    /// The last.
    pub to: DateTime<Utc>,
    /// Those between are the multiples of this since the epoch.
    pub every: TimeDelta,
}

impl Period {
    /// The instants, oldest first.
    pub fn instants(self) -> impl Iterator<Item = DateTime<Utc>> {
        let timer = Schedule::Every(self.every);
        let mut next = Some(self.from);
        std::iter::from_fn(move || {
            let at = next?;
            next = (at < self.to).then(|| timer.next_after(at).unwrap_or(self.to).min(self.to));
            Some(at)
        })
    }

    /// How many instants there are.
    pub fn count(self) -> u64 {
        let every = self.every.num_milliseconds().max(1_000);
        let (from, to) = (self.from.timestamp_millis(), self.to.timestamp_millis());
        let between = to.saturating_sub(1).div_euclid(every) - from.div_euclid(every);
        u64::try_from(between).unwrap_or(0) + 1 + u64::from(to > from)
    }
}

/// Takes what came of an evaluation; whether to go on.
pub type Told<'a> = dyn FnMut(DateTime<Utc>, Outcome) -> bool + Send + 'a;

/// Takes a watch through a period. What was not due is not told. `passed` takes the number of instants gone through, now and
/// then.
pub async fn replay(
    engine: &Engine,
    watch: &Watch,
    period: Period,
    told: &mut Told<'_>,
    passed: &(dyn Fn(u64) + Sync),
) {
    /// Instants between two words on how far it is.
    const STRIDE: u64 = 256;
    let mut loaded = None;
    let mut count = 0;
    let mut due: Option<DateTime<Utc>> = None;
    for at in period.instants() {
        count += 1;
        if count == STRIDE {
            passed(count);
            count = 0;
        }
        if due.is_some_and(|due| at < due) {
            continue;
        }
        let outcome;
        (outcome, loaded) = engine.evaluate_alone(watch, loaded, at).await;
        due = loaded
            .as_ref()
            .and_then(|loaded| loaded.head.slot)
            .and_then(|slot| watch.rule.schedule.next_after(slot));
        if outcome != Outcome::NotDue && !told(at, outcome) {
            break;
        }
    }
    passed(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_a_timer() {
        let t = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (from, to, every, wanted) in [
            ("2026-03-01T00:00:00Z", "2026-03-01T00:10:00Z", 5, 3),
            ("2026-03-01T00:01:00Z", "2026-03-01T00:10:00Z", 5, 3),
            ("2026-03-01T00:01:00Z", "2026-03-01T00:12:00Z", 5, 4),
            ("2026-03-01T00:01:00Z", "2026-03-01T00:01:00Z", 5, 1),
            ("2026-03-01T00:01:00Z", "2026-03-01T00:02:00Z", 60, 2),
        ] {
            let period = Period { from: t(from), to: t(to), every: TimeDelta::minutes(every) };
            let all: Vec<_> = period.instants().collect();
            assert_eq!(all.len(), wanted, "{all:?}");
            assert_eq!(period.count(), u64::try_from(wanted).unwrap(), "{period:?}");
            assert_eq!((all.first(), all.last()), (Some(&t(from)), Some(&t(to))));
            let inner = all.get(1..all.len().max(2) - 1).unwrap_or_default();
            assert!(inner.iter().all(|at| at.timestamp() % (every * 60) == 0));
        }
    }
}
