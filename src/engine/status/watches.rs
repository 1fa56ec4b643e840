//! How a watch fares, from its head.

use super::{Missing, State, WatchStatus};
use crate::engine::Watch;
use crate::engine::observe::{SETTLING, without_success};
use crate::watch::alert::Interval;
use crate::watch::head::{GapKind, Head};
use chrono::{DateTime, TimeDelta, Utc};

/// Slots that may go by without an evaluation before it is said that nobody evaluates.
const MISSED: usize = 3;
/// A tick takes time: slots are not counted as missed before this.
const GRACE: TimeDelta = TimeDelta::minutes(1);

/// A configured watch whose head is not there, or cannot be read.
pub(super) fn without_head(watch: &Watch, unreadable: bool) -> WatchStatus {
    WatchStatus {
        rule: watch.rule.id.clone(),
        workspace: watch.workspace.name.clone(),
        state: if unreadable { State::Unreadable } else { State::NotStarted },
        attention: true,
        started_at: None,
        last_success: None,
        watermark: None,
        lag_s: None,
        covered_s: None,
        missing_s: None,
        gaps: Vec::new(),
        latest_row: None,
        next: None,
        open_alerts: 0,
        held: 0,
        hours: Vec::new(),
    }
}

/// A watch by its head; without `watch`, its rule or workspace is no longer configured.
pub(super) fn of_head(
    head: &Head,
    watch: Option<&Watch>,
    ticked: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> WatchStatus {
    let (state, attention) =
        watch.map_or((State::UnknownRule, false), |w| state(head, w, ticked, now));
    let missing = missing(head);
    let lasted = (head.watermark.min(now) - head.started_at).max(TimeDelta::zero());
    WatchStatus {
        rule: head.watch.rule.clone(),
        workspace: watch.map_or_else(|| head.workspace_name.clone(), |w| w.workspace.name.clone()),
        state,
        attention,
        started_at: Some(head.started_at),
        last_success: head.health.last_success,
        watermark: Some(head.watermark),
        lag_s: watch.map(|_| (now - head.watermark).max(TimeDelta::zero()).num_seconds()),
        covered_s: Some((lasted - missing).max(TimeDelta::zero()).num_seconds()),
        missing_s: Some(missing.num_seconds()),
        gaps: head
            .gaps
            .iter()
            .map(|gap| Missing { from: gap.interval.from, to: gap.interval.to, why: gap.why })
            .collect(),
        latest_row: head.health.latest_row,
        next: watch.and_then(|w| w.rule.schedule.next_after(head.slot.unwrap_or(now))),
        open_alerts: head.open_alerts() as u64,
        held: head.held.as_ref().map_or(0, |held| held.count),
        hours: head.hours.clone(),
    }
}

/// How a configured watch fares, and whether someone should look.
fn state(
    head: &Head,
    watch: &Watch,
    ticked: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> (State, bool) {
    let health = &head.health;
    if let Some(since) = missed(head, watch, ticked, now) {
        return (State::Overdue { since }, true);
    }
    if let Some(since) = health.failing_since {
        let error = health.error.clone().unwrap_or_default();
        return (State::Failing { since, kind: health.failure, error }, true);
    }
    if let Some(until) = health.put_off_until.filter(|until| now < *until) {
        return (State::Throttled { until }, without_success(head, watch, now).is_some());
    }
    match health.waiting_since {
        // An absence rule says so itself.
        Some(since) => {
            let settling = now - head.started_at < SETTLING;
            (State::Waiting { since }, !settling && watch.awaits_data())
        }
        None => (State::Fine, false),
    }
}

/// The first slot that was missed, if several were since anybody last looked.
fn missed(
    head: &Head,
    watch: &Watch,
    ticked: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let schedule = &watch.rule.schedule;
    // A watch without data, or put off, is done with no slot: what counts is whether hsmwatch runs.
    let known = head.slot.unwrap_or(head.started_at);
    let first = schedule.next_after(ticked.map_or(known, |ticked| ticked.max(known)))?;
    let mut slot = first;
    for _ in 1..MISSED {
        slot = schedule.next_after(slot)?;
    }
    (slot + GRACE <= now).then_some(first)
}

/// Seconds of the watch's time that were given up for good, counted once.
fn missing(head: &Head) -> TimeDelta {
    let mut lost: Vec<Interval> = head
        .gaps
        .iter()
        .filter(|gap| matches!(gap.why, GapKind::Outage | GapKind::TooDense))
        .map(|gap| gap.interval)
        .collect();
    lost.sort_unstable();
    let mut until = head.started_at;
    let mut sum = TimeDelta::zero();
    for Interval { from, to } in lost {
        sum += (to - from.max(until)).max(TimeDelta::zero());
        until = until.max(to);
    }
    sum
}
