//! The window plan: which time to ask for next, and with which version of the rule.

use super::alert::Interval;
use super::head::{Cursor, GapKind, Head};
use super::rule::{Kind, Rule};
use crate::planted::{self, Bug};
use chrono::{DateTime, TimeDelta, Utc};

/// The longest stretch of an outage that one commit covers.
pub const SEGMENT: TimeDelta = TimeDelta::hours(6);
/// A window shorter than this is never halved.
pub const SHORTEST: TimeDelta = TimeDelta::seconds(1);

/// The times that decide what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Every window reaches this much before the watermark.
    pub overlap: TimeDelta,
    /// How late a record may be.
    pub sweep: TimeDelta,
    /// How often it is looked back.
    pub sweep_every: TimeDelta,
    /// How much of an outage is made up for.
    pub catch_up: TimeDelta,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            overlap: TimeDelta::hours(1),
            sweep: TimeDelta::hours(49),
            sweep_every: TimeDelta::hours(6),
            catch_up: TimeDelta::days(7),
        }
    }
}

impl Timing {
    /// For rows that are never late: each is asked for once, and nothing is looked back for. The alerts are those of any other
    /// timing; a property test says so.
    pub fn punctual(catch_up: TimeDelta) -> Self {
        // Sweeps never come, and so must not keep the floor down either: they count as having reached far ahead.
        let ages = TimeDelta::days(365_000);
        Self { overlap: TimeDelta::zero(), sweep: -ages, sweep_every: ages, catch_up }
    }
}

/// Part of a window that one version of the rule is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index into [`Head::versions`].
    pub version: usize,
    /// The time.
    pub interval: Interval,
}

impl Head {
    /// The lowest instant that any window may begin at, computed anew: never falls.
    pub fn settle_floor(&mut self, timing: &Timing) {
        let low = (self.watermark - timing.overlap).min(self.sweep.previous - timing.sweep);
        self.floor = self.floor.max(low);
    }

    /// Gives up what an outage left further back than `catch_up`, and notes it.
    pub fn cut(&mut self, now: DateTime<Utc>, timing: &Timing) {
        let limit = now - timing.catch_up;
        if self.watermark < limit {
            self.raise_floor(limit, GapKind::Outage, now);
            self.watermark = limit;
            if let Some(cursor) = &mut self.sweep.cursor {
                cursor.left.from = cursor.left.from.max(limit);
            }
        }
    }

    /// The next ordinary window: `[watermark − overlap, end)`, where `end` is now, or a segment further during catch-up.
    /// `None`: there is nothing to ask yet.
    pub fn next_window(&self, now: DateTime<Utc>, timing: &Timing) -> Option<Interval> {
        let from = (self.watermark - timing.overlap).max(self.floor);
        let to = now.min(self.watermark + SEGMENT);
        (to > self.watermark && to > from).then_some(Interval { from, to })
    }

    /// What a sweep has to ask, if one is due or under way: from `sweep` before the previous one began, to the watermark.
    pub fn next_sweep(&self, now: DateTime<Utc>, timing: &Timing) -> Option<Cursor> {
        if let Some(Cursor { began, left }) = &self.sweep.cursor {
            // The floor may have been raised meanwhile. What is left then may be nothing.
            let from = left.from.max(self.floor.min(left.to));
            return Some(Cursor { began: *began, left: Interval { from, to: left.to } });
        }
        (now - self.sweep.previous >= timing.sweep_every).then(|| Cursor {
            began: now,
            left: Interval {
                from: if planted::is(Bug::SweepAnchoredAtNow) {
                    (now - timing.sweep).max(self.floor)
                } else {
                    (self.sweep.previous - timing.sweep).max(self.floor)
                },
                to: self.watermark,
            },
        })
    }

    /// Cuts a window at the edges of versions and leaves out the seconds that are known not to be answered.
    pub fn parts(&self, window: Interval) -> Vec<Part> {
        let mut parts = Vec::new();
        for (version, v) in self.versions.iter().enumerate() {
            // The first version also stands for all time before it.
            let since = if version == 0 { window.from } else { v.since };
            let until = self.versions.get(version + 1).map_or(window.to, |next| next.since);
            let interval = Interval { from: window.from.max(since), to: window.to.min(until) };
            if !interval.is_empty() && !v.summary {
                parts.push(Part { version, interval });
            }
        }
        for gap in self.gaps.iter().filter(|gap| gap.why == GapKind::TooDense) {
            parts = parts.into_iter().flat_map(|part| without(part, gap.interval)).collect();
        }
        parts
    }
}

fn without(part: Part, gap: Interval) -> impl Iterator<Item = Part> {
    let Part { version, interval } = part;
    let before = Interval { from: interval.from, to: interval.to.min(gap.from) };
    let after = Interval { from: interval.from.max(gap.to), to: interval.to };
    let disjoint = gap.to <= interval.from || interval.to <= gap.from;
    let pieces = if disjoint { vec![interval] } else { vec![before, after] };
    pieces
        .into_iter()
        .filter(|interval| !interval.is_empty())
        .map(move |interval| Part { version, interval })
}

/// Two halves of an interval, cut at a whole second; `None` if it is too short to be halved.
pub fn halves(interval: Interval) -> Option<(Interval, Interval)> {
    let Interval { from, to } = interval;
    if to - from <= SHORTEST {
        return None;
    }
    let middle = from + (to - from) / 2;
    let whole = DateTime::from_timestamp(middle.timestamp(), 0)?;
    let cut = if whole > from { whole } else { whole + TimeDelta::seconds(1) };
    (from < cut && cut < to).then_some((Interval { from, to: cut }, Interval { from: cut, to }))
}

/// The window of a window rule at an instant of its grid.
pub fn window_at(instant: DateTime<Utc>, window: TimeDelta, settle: TimeDelta) -> Interval {
    Interval { from: instant - settle - window, to: instant - settle }
}

/// The instants of a window rule to evaluate now, oldest first: the latest of its grid, and before it those that an outage
/// left out, at a stride of `window`. The first one's window lies wholly after the start. `limit` bounds how many.
pub fn instants(head: &Head, rule: &Rule, now: DateTime<Utc>, limit: usize) -> Vec<DateTime<Utc>> {
    let Kind::Window { window, settle } = rule.kind else { return Vec::new() };
    let Some(latest) = rule.schedule.slot(now) else { return Vec::new() };
    let earliest = head.started_at + window + settle;
    let mut out = Vec::new();
    // The first instant after the last one evaluated, or the first of all.
    let mut next =
        rule.schedule.next_after(head.watermark.max(earliest - TimeDelta::nanoseconds(1)));
    while let Some(instant) = next
        && instant <= latest
        && out.len() < limit
    {
        // A stride of `window` from the one before leaves no time unseen: take the last instant within it.
        let previous = out.last().copied().unwrap_or(head.watermark);
        let reach = rule.schedule.slot((previous + window).max(instant)).unwrap_or(instant);
        let chosen = reach.clamp(instant, latest);
        out.push(chosen);
        next = rule.schedule.next_after(chosen);
    }
    out
}

#[cfg(test)]
mod tests;
