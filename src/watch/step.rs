//! The step: a head, what an evaluation took in, and now, become a new head and the alerts to tell. Pure: losing the race for
//! the head costs no more than taking this step once more on the head that won.

use super::alert::{Alert, AlertRule, AlertWorkspace, CAVEAT, Hit, Interval, Links, Reason};
use super::fingerprint::Fingerprint;
use super::head::{GapKind, Head, Held, OUTBOX_ALERTS};
use super::intake::{
    ALERTS_PER_EVALUATION, Candidate, Fold, Group, HITS_PER_ALERT, Intake, Unlisted, alert_id,
    incident_key,
};
use super::plan::Timing;
use super::rule::Rule;
use super::seen::{KeyEntry, Seen};
use crate::planted::{self, Bug};
use chrono::{DateTime, TimeDelta, Utc};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Fingerprints that a watch keeps.
pub const FINGERPRINTS: usize = 500_000;
/// The table that Cloud HSM writes.
pub const TABLE: &str = "CloudHsmServiceOperationAuditLogs";

/// What the alerts of a step say besides its hits.
pub struct Telling<'a> {
    /// The rule as it is configured now: wording and severity are never those of an old version.
    pub rule: &'a Rule,
    /// Version that found the hits.
    pub version: &'a str,
    /// Names of the receivers.
    pub receivers: &'a [String],
    /// Reason, where the hits themselves give none.
    pub reason: Reason,
    /// The time the evaluation covered.
    pub window: Interval,
    /// When it happens.
    pub now: DateTime<Utc>,
}

/// What a step moves besides telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The ordinary window, covered up to here.
    Window(DateTime<Utc>),
    /// A sweep, covered up to here; and when it began its query.
    Sweep {
        /// Everything before this has been asked for.
        to: DateTime<Utc>,
        /// When the sweep began its query, by the service's clock if that is behind ours.
        began: DateTime<Utc>,
        /// Where it ends.
        end: DateTime<Utc>,
    },
    /// Nothing: only what was held back is looked through.
    None,
}

impl Head {
    /// Takes in an evaluation. `seen` holds what the head's seen set has told, with the evaluation counted over it.
    pub fn step(
        &mut self,
        intake: &Intake,
        seen: &mut Seen,
        progress: Progress,
        timing: &Timing,
        telling: &Telling<'_>,
    ) -> Vec<Alert> {
        let keyed = !telling.rule.key.is_empty() || self.versions.last().is_some_and(|v| v.summary);
        let mut alerts = self.alerts(intake, seen, keyed, telling);
        if keyed {
            alerts.extend(self.held_back(seen, telling));
        }
        let alerts = self.fit_outbox(alerts, telling);
        self.advance(progress, timing, telling.now);
        let floor = if planted::is(Bug::PruneAboveFloor) {
            self.watermark - timing.overlap
        } else {
            self.floor
        };
        seen.prune(floor);
        self.bound(seen, FINGERPRINTS, telling.now);
        self.health.latest_row = self.health.latest_row.max(intake.latest);
        alerts
    }

    /// Keeps at most `limit` fingerprints; what late rows will no longer be found in is noted.
    fn bound(&mut self, seen: &mut Seen, limit: usize, now: DateTime<Utc>) {
        // Well below the limit, so that the next few rows do not raise the floor again.
        if seen.len() > limit
            && let Some(complete_from) = seen.shrink(limit - limit / 10)
        {
            self.raise_floor(complete_from, GapKind::Fingerprints, now);
        }
    }

    fn advance(&mut self, progress: Progress, timing: &Timing, now: DateTime<Utc>) {
        match progress {
            Progress::None => {}
            Progress::Window(_) if planted::is(Bug::WatermarkIsNow) => {
                self.watermark = self.watermark.max(now);
            }
            Progress::Window(to) => self.watermark = self.watermark.max(to),
            Progress::Sweep { to, began, end } => {
                if to >= end {
                    self.sweep.previous = self.sweep.previous.max(began);
                    self.sweep.cursor = None;
                } else {
                    let left = Interval { from: to, to: end };
                    self.sweep.cursor = Some(super::head::Cursor { began, left });
                }
            }
        }
        self.settle_floor(timing);
        // An old version is asked for no more once the floor has passed its time.
        while self.versions.get(1).is_some_and(|next| next.since <= self.floor) {
            self.versions.remove(0);
        }
        let old = telling_horizon(self.watermark);
        self.gaps.retain(|gap| gap.interval.to > self.floor || gap.at > old);
    }

    fn alerts(
        &self,
        intake: &Intake,
        seen: &mut Seen,
        keyed: bool,
        telling: &Telling<'_>,
    ) -> Vec<Alert> {
        let mut groups: Vec<(&Group, Cow<'_, Fold>, Reason, u64)> = Vec::new();
        let keys = if keyed { decide_keys(intake, seen, telling) } else { BTreeMap::new() };
        // A key may be met in several groups: what was held back of it is counted in the first.
        let mut counted: BTreeSet<u32> = BTreeSet::new();
        for (group, fold) in &intake.groups {
            let mut fold = Cow::Borrowed(fold);
            let (mut reason, mut suppressed) = (telling.reason, 0);
            if keyed {
                let told = |key: u32| matches!(keys.get(&key), Some(Decision::Tell { .. }));
                let fold = fold.to_mut();
                fold.listed.retain(|c| told(c.key) && tells_instant(keys.get(&c.key), c.instant));
                fold.unlisted.retain(|u| told(u.key));
                let mut met: Vec<u32> = fold.listed.iter().map(|c| c.key).collect();
                met.extend(fold.unlisted.iter().map(|u| u.key));
                met.sort_unstable();
                met.dedup();
                for key in met {
                    if let Some(Decision::Tell { repeat, held, .. }) = keys.get(&key) {
                        if counted.insert(key) {
                            suppressed += held;
                        }
                        if *repeat && reason == Reason::New {
                            reason = Reason::Repeat;
                        }
                    }
                }
            }
            if fold.count() > 0 {
                groups.push((group, fold, reason, suppressed));
            }
        }
        // Beyond the limit, the largest groups keep alerts of their own and the rest is folded.
        groups.sort_by_key(|(_, fold, ..)| std::cmp::Reverse(fold.count()));
        let own = if groups.len() > ALERTS_PER_EVALUATION {
            ALERTS_PER_EVALUATION - 1
        } else {
            groups.len()
        };
        let rest = groups.split_off(own);
        let mut alerts: Vec<Alert> = groups
            .into_iter()
            .map(|(group, fold, reason, suppressed)| {
                self.alert(group, &fold, reason, suppressed, keyed, telling)
            })
            .collect();
        if !rest.is_empty() {
            let n = rest.len();
            let mut all = Fold::default();
            let mut suppressed = 0;
            for (_, fold, _, held) in rest {
                suppressed += held;
                let fold = fold.into_owned();
                for c in fold.listed {
                    if all.listed.len() < HITS_PER_ALERT {
                        all.listed.push(c);
                    } else {
                        all.unlisted.push(unlisted(&c));
                    }
                }
                all.unlisted.extend(fold.unlisted);
            }
            let mut digest =
                self.alert(&Group::new(), &all, Reason::Digest, suppressed, keyed, telling);
            digest.note = Some(format!(
                "{n} further groups in one alert: an evaluation sends at most {ALERTS_PER_EVALUATION}."
            ));
            alerts.push(digest);
        }
        alerts
    }

    /// One alert over the new rows of a group.
    fn alert(
        &self,
        group: &Group,
        fold: &Fold,
        reason: Reason,
        suppressed: u64,
        keyed: bool,
        telling: &Telling<'_>,
    ) -> Alert {
        let mut listed: Vec<&Candidate> = fold.listed.iter().collect();
        listed
            .sort_by(|a, b| (a.hit.time, &a.row, a.ordinal).cmp(&(b.hit.time, &b.row, b.ordinal)));
        let rows = fold.listed.iter().map(|c| (&c.row, c.ordinal));
        let rows = rows.chain(fold.unlisted.iter().map(|u| (&u.row, u.ordinal)));
        let instant = keyed.then_some(telling.now);
        let key = self.watch.key();
        let times =
            fold.listed.iter().map(|c| c.hit.time).chain(
                fold.unlisted.iter().filter_map(|u| DateTime::from_timestamp_micros(u.micros)),
            );
        let (first, last) = times.fold((None, None), |(first, last): (Option<_>, Option<_>), t| {
            (Some(first.map_or(t, |f: DateTime<Utc>| f.min(t))), last.max(Some(t)))
        });
        let hits: Vec<Hit> = listed.into_iter().map(|c| c.hit.clone()).collect();
        let truncated = fold.unlisted.len() as u64;
        let id = alert_id(&key, group, rows, instant);
        self.told(telling, id, group, reason, hits, truncated, suppressed, first, last)
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where an alert is put together")]
    fn told(
        &self,
        telling: &Telling<'_>,
        id: String,
        group: &Group,
        reason: Reason,
        hits: Vec<Hit>,
        hits_truncated: u64,
        suppressed: u64,
        first: Option<DateTime<Utc>>,
        last: Option<DateTime<Utc>>,
    ) -> Alert {
        let rule = telling.rule;
        Alert {
            id,
            rule: AlertRule {
                id: rule.id.clone(),
                title: rule.title.clone(),
                severity: rule.severity,
                version: telling.version.to_owned(),
                meaning: rule.meaning.clone(),
                why: rule.why.clone(),
                action: rule.action.clone(),
                false_positives: rule.false_positives.clone(),
            },
            workspace: AlertWorkspace {
                id: self.watch.workspace.clone(),
                name: self.workspace_name.clone(),
            },
            group: group.clone(),
            incident_key: incident_key(&self.watch.workspace, &rule.id, group),
            reason,
            window: telling.window,
            time: telling.now,
            count: hits.len() as u64 + hits_truncated,
            suppressed,
            first_seen: first.unwrap_or(telling.window.from),
            last_seen: last.or(first).unwrap_or(telling.window.from),
            hits,
            hits_truncated,
            caveat: rule.query.contains(TABLE).then(|| CAVEAT.to_owned()),
            note: None,
            links: Links { logs: None, runbook: rule.runbook.clone() },
            receivers: telling.receivers.to_vec(),
        }
    }

    /// What `renotify` held back is told in one digest when it ends.
    fn held_back(&self, seen: &mut Seen, telling: &Telling<'_>) -> Option<Alert> {
        let over = seen.expire_keys(telling.now, telling.rule.hold());
        let count: u64 = over.iter().map(|entry| entry.held).sum();
        let first = over.iter().map(|entry| entry.held_first).min()?;
        let last = over.iter().map(|entry| entry.held_last).max()?;
        let keys = over.len();
        let mut digest =
            self.counted(telling, count, first, last, &format!("held back {keys} {first} {last}"));
        digest.note = Some(format!(
            "Held back by `renotify` since {} was told: {count} more, told here once.",
            if keys == 1 { "its key".to_owned() } else { format!("each of {keys} keys") }
        ));
        Some(digest)
    }

    /// A digest that only counts.
    fn counted(
        &self,
        telling: &Telling<'_>,
        count: u64,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
        what: &str,
    ) -> Alert {
        let group = Group::from([("digest".to_owned(), what.to_owned())]);
        let id = alert_id(&self.watch.key(), &group, std::iter::empty(), Some(telling.now));
        let none = Group::new();
        let (first, last) = (Some(first), Some(last));
        self.told(telling, id, &none, Reason::Digest, Vec::new(), count, 0, first, last)
    }

    /// Makes the alerts fit the outbox: what finds no room is folded into a digest, or held until there is room for one.
    fn fit_outbox(&mut self, mut alerts: Vec<Alert>, telling: &Telling<'_>) -> Vec<Alert> {
        let room = OUTBOX_ALERTS.saturating_sub(self.open_alerts());
        let waiting = usize::from(self.held.is_some());
        if alerts.len() + waiting > room {
            for alert in alerts.drain(..) {
                let held = self.held.get_or_insert(Held {
                    count: 0,
                    first: alert.first_seen,
                    last: alert.last_seen,
                });
                held.count += alert.count + alert.suppressed;
                held.first = held.first.min(alert.first_seen);
                held.last = held.last.max(alert.last_seen);
            }
        }
        if room > 0
            && let Some(Held { count, first, last }) = self.held.take()
        {
            let mut digest = self.counted(telling, count, first, last, "outbox");
            digest.note = Some(format!(
                "{count} hits in one digest: {OUTBOX_ALERTS} alerts of this watch still wait for their receivers."
            ));
            alerts.push(digest);
        }
        alerts
    }
}

/// How far back the gaps are kept that the watch `hsmwatch` has to tell of.
fn telling_horizon(watermark: DateTime<Utc>) -> DateTime<Utc> {
    watermark - TimeDelta::days(2)
}

fn unlisted(c: &Candidate) -> Unlisted {
    Unlisted { row: c.row, ordinal: c.ordinal, key: c.key, micros: c.hit.time.timestamp_micros() }
}

/// What becomes of a key in this evaluation.
enum Decision {
    /// Told; from this instant on, for window rules.
    Tell { repeat: bool, held: u64, from: Option<DateTime<Utc>> },
    /// Held back.
    Hold,
}

/// For window rules: instants before the key's time was over stay untold.
fn tells_instant(decision: Option<&Decision>, instant: Option<Interval>) -> bool {
    match (decision, instant) {
        (Some(Decision::Tell { from: Some(from), .. }), Some(instant)) => instant.to >= *from,
        _ => true,
    }
}

/// A row's time and, for window rules, the window that found it.
type Met = (DateTime<Utc>, Option<Interval>);

/// Looks at every key met, remembers what is told and counts what is held back.
fn decide_keys(intake: &Intake, seen: &mut Seen, telling: &Telling<'_>) -> BTreeMap<u32, Decision> {
    // For each key: its rows, with the instant for window rules.
    let mut met: BTreeMap<u32, Vec<Met>> = BTreeMap::new();
    for fold in intake.groups.values() {
        for c in &fold.listed {
            met.entry(c.key).or_default().push((c.hit.time, c.instant));
        }
        for u in &fold.unlisted {
            let time = DateTime::from_timestamp_micros(u.micros).unwrap_or(telling.now);
            met.entry(u.key).or_default().push((time, None));
        }
    }
    let hold = telling.rule.hold();
    let mut decisions = BTreeMap::new();
    for (index, mut rows) in met {
        let Some(key) = usize::try_from(index).ok().and_then(|i| intake.keys.get(i)) else {
            continue;
        };
        rows.sort_unstable();
        decisions.insert(index, decide_key(key, &rows, seen, hold, telling.now));
    }
    decisions
}

fn decide_key(
    key: &Fingerprint,
    rows: &[Met],
    seen: &mut Seen,
    hold: TimeDelta,
    now: DateTime<Utc>,
) -> Decision {
    let known = seen.key(key);
    let free_at = known.map(|entry| entry.told_at + hold);
    // Window rules go by the instant of each evaluation, event rules by that of this one.
    let at = |instant: Option<Interval>| instant.map_or(now, |window| window.to);
    let free = |instant: Option<Interval>| free_at.is_none_or(|free| at(instant) >= free);
    let held_rows = rows.iter().filter(|(_, instant)| !free(*instant)).filter(|(_, instant)| {
        // An overlapping window sums up what was told already: nothing is held back.
        match (instant, known) {
            (Some(window), Some(entry)) => window.from >= entry.told_at,
            _ => true,
        }
    });
    let mut entry =
        known.unwrap_or(KeyEntry { told_at: now, held: 0, held_first: now, held_last: now });
    for (time, _) in held_rows {
        if entry.held == 0 {
            (entry.held_first, entry.held_last) = (*time, *time);
        }
        entry.held += 1;
        entry.held_first = entry.held_first.min(*time);
        entry.held_last = entry.held_last.max(*time);
    }
    let told: Vec<DateTime<Utc>> = rows
        .iter()
        .filter(|(_, instant)| free(*instant))
        .map(|(_, instant)| at(*instant))
        .collect();
    if let Some(last) = told.iter().max() {
        let fresh = KeyEntry { told_at: *last, held: 0, held_first: now, held_last: now };
        seen.set_key(*key, fresh);
        Decision::Tell { repeat: known.is_some(), held: entry.held, from: free_at }
    } else {
        seen.set_key(*key, entry);
        Decision::Hold
    }
}

#[cfg(test)]
mod tests;
