//! Observing hsmwatch itself: what is the matter, as rows of its own watch.

use super::record::{End, Faulted};
use super::{Engine, Tended, Watch, Workspace};
use crate::ports::{Query, QueryError};
use crate::watch::alert::Interval;
use crate::watch::head::{FailureKind, Gap, GapKind, Head, OUTBOX_ALERTS};
use crate::watch::own::{Condition, Observation, Own};
use crate::watch::row::{Row, Value};
use crate::watch::step::TABLE;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use tokio::time::{Instant, timeout_at};

/// In the first two hours of a watch a missing table, missing data and missing access are states, not alerts.
pub(super) const SETTLING: TimeDelta = TimeDelta::hours(2);
/// Failing for this many intervals is told.
const INTERVALS: i32 = 3;
/// A receiver of cards that has accepted nothing for this long gets a sign of life.
const IDLE: TimeDelta = TimeDelta::days(30);

impl Engine {
    /// What is the matter now.
    pub(super) async fn observe(
        &self,
        watches: &[Watch],
        heads: &BTreeMap<String, Head>,
        tended: &Tended,
        own: &Head,
        lost: &[(String, DateTime<Utc>)],
        (now, until): (DateTime<Utc>, Option<Instant>),
    ) -> Vec<Observation> {
        let mut out = Vec::new();
        for (label, watermark) in lost {
            out.push(observation(
                Condition::HeadLost,
                label.clone(),
                now,
                format!(
                    "The head of `{label}` was gone; the watch goes on from its last watermark, {}.",
                    time(*watermark)
                ),
            ));
        }
        for (key, why) in &tended.unreadable {
            out.push(observation(
                Condition::StateUnreadable,
                format!("heads/{key}"),
                now,
                why.clone(),
            ));
        }
        for (name, why) in &tended.documents {
            out.push(observation(Condition::StateUnreadable, name.clone(), now, why.clone()));
        }
        Self::watches(watches, heads, own, now, &mut out);
        for head in heads.values() {
            out.extend(head.gaps.iter().map(|gap| not_covered(head, gap)));
            if head.held.is_some() || head.open_alerts() >= OUTBOX_ALERTS {
                let label = label(head);
                let detail = format!(
                    "{OUTBOX_ALERTS} alerts of `{label}` wait for their receivers; further hits are told in digests."
                );
                out.push(observation(Condition::OutboxFull, label, now, detail));
            }
        }
        self.deliveries(tended, &mut out);
        if let Some(own_facts) = &own.own {
            self.heartbeats(own_facts, own.started_at, now, &mut out);
        }
        if let Some(silent_after) = self.silent_after
            && own.started_at + silent_after <= now
        {
            let mut asked: Vec<&str> = Vec::new();
            for watch in watches {
                if !asked.contains(&watch.workspace.id.as_str()) {
                    asked.push(&watch.workspace.id);
                    let silence = silence(&watch.workspace, silent_after, now);
                    // When the time of the tick is over, the next one asks.
                    out.extend(match until {
                        Some(until) => timeout_at(until, silence).await.unwrap_or_default(),
                        None => silence.await,
                    });
                }
            }
        }
        out
    }

    fn watches(
        watches: &[Watch],
        heads: &BTreeMap<String, Head>,
        own: &Head,
        now: DateTime<Utc>,
        out: &mut Vec<Observation>,
    ) {
        // One alert a workspace, however many of its watches suffer from the same thing.
        let mut suffering: BTreeMap<(Condition, String), Suffering> = BTreeMap::new();
        for watch in watches {
            let Some(head) = heads.get(&watch.id().key()) else { continue };
            let health = &head.health;
            let settling = now - head.started_at < SETTLING;
            let long = without_success(head, watch, now);
            let workspace = &watch.workspace.name;
            let found = match (health.failing_since, health.failure, health.waiting_since) {
                (Some(since), Some(FailureKind::Refused), _) => {
                    Some((Condition::QueryRefused, watch.label(), since))
                }
                (Some(_), Some(FailureKind::Denied), _) if settling => None,
                (Some(since), Some(FailureKind::Denied), _) => {
                    Some((Condition::AccessDenied, workspace.clone(), since))
                }
                (Some(since), _, _) if long.is_some() => {
                    Some((Condition::WatchFailing, workspace.clone(), since))
                }
                // Being throttled is no failure, and yet nothing is evaluated.
                (None, _, None) if health.put_off_until.is_some() => {
                    long.map(|since| (Condition::WatchFailing, workspace.clone(), since))
                }
                // Ticks go on, and whoever they delegate it to does not come to its end.
                (None, _, None) => own
                    .health
                    .last_success
                    .and_then(|ticked| without_success(head, watch, ticked))
                    .map(|since| (Condition::WatchFailing, workspace.clone(), since)),
                // An absence rule says so itself.
                (None, _, Some(since)) if !settling && watch.awaits_data() => {
                    Some((Condition::NoData, workspace.clone(), since))
                }
                _ => None,
            };
            let Some((condition, subject, since)) = found else { continue };
            let error = health.error.clone().unwrap_or_else(|| match health.put_off_until {
                Some(_) => "throttled by the service".to_owned(),
                None => "due, and not evaluated to its end: the log says why".to_owned(),
            });
            let entry = suffering.entry((condition, subject)).or_insert(Suffering {
                since,
                rules: Vec::new(),
                error,
            });
            entry.since = entry.since.min(since);
            entry.rules.push(watch.rule.id.clone());
        }
        for ((condition, subject), Suffering { since, rules, error }) in suffering {
            let rules = rules.join(", ");
            let detail = match condition {
                Condition::NoData => {
                    format!(
                        "Workspace `{subject}` has had no data to give since {} (rules: {rules}).",
                        time(since)
                    )
                }
                Condition::QueryRefused => format!("`{subject}` since {}: {error}", time(since)),
                _ => format!("`{subject}` since {} (rules: {rules}): {error}", time(since)),
            };
            out.push(observation(condition, subject, since, detail));
        }
    }

    fn deliveries(&self, tended: &Tended, out: &mut Vec<Observation>) {
        for (name, since) in &tended.off {
            let mut o = observation(
                Condition::ReceiverBroken,
                name.clone(),
                *since,
                format!(
                    "Receiver `{name}` is off: it refuses everything since {}. Its alerts wait.",
                    time(*since)
                ),
            );
            o.not_over = Some(name.clone());
            out.push(o);
        }
        for (end, condition, what) in [
            (End::Refused, Condition::AlertRefused, "refused"),
            (End::GaveUp, Condition::AlertGivenUp, "did not take in time"),
        ] {
            for (line, at) in tended.ends(end) {
                // An undelivered alert about hsmwatch makes no further one; neither does a receiver that was removed.
                if line.own || self.receiver(&line.receiver).is_none() {
                    continue;
                }
                let mut o = observation(
                    condition,
                    format!("alert {} at {}", line.alert, line.receiver),
                    at,
                    format!(
                        "Receiver `{}` {what} alert {}{}.",
                        line.receiver,
                        line.alert,
                        described(tended, &line.alert)
                    ),
                );
                o.about.clone_from(&line.receiver);
                o.not_over = Some(line.receiver.clone());
                out.push(o);
            }
        }
        for line in &tended.lines {
            let Some(Faulted { at, why }) = &line.fault else { continue };
            // A template that fails for alerts about hsmwatch would fail for this one, too.
            if line.own || self.receiver(&line.receiver).is_none() {
                continue;
            }
            let mut o = observation(
                Condition::TemplateFailed,
                format!("alert {} at {}", line.alert, line.receiver),
                *at,
                format!(
                    "Receiver `{}` gets alert {}{} in the default format, for its own failed: {why}.",
                    line.receiver,
                    line.alert,
                    described(tended, &line.alert)
                ),
            );
            o.about.clone_from(&line.receiver);
            out.push(o);
        }
    }

    fn heartbeats(
        &self,
        own: &Own,
        started_at: DateTime<Utc>,
        now: DateTime<Utc>,
        out: &mut Vec<Observation>,
    ) {
        for receiver in self.receivers.iter().filter(|r| r.kind() == crate::notify::Kind::Teams) {
            let last =
                own.accepted.get(&receiver.name).copied().unwrap_or(started_at).max(started_at);
            if now - last < IDLE {
                continue;
            }
            let mut o = observation(
                Condition::Heartbeat,
                receiver.name.clone(),
                last,
                "Nothing to tell for 30 days: all watches are running.".to_owned(),
            );
            o.only_over = Some(receiver.name.clone());
            out.push(o);
        }
    }
}

/// Since when no evaluation of the watch has succeeded, if that is for more than three intervals.
pub(super) fn without_success(
    head: &Head,
    watch: &Watch,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let health = &head.health;
    let since = health.last_success.or(health.waiting_since).unwrap_or(head.started_at);
    let interval = watch.rule.schedule.interval(head.started_at);
    (now - since > interval * INTERVALS).then_some(since)
}

/// Watches that suffer from the same thing.
struct Suffering {
    since: DateTime<Utc>,
    rules: Vec<String>,
    error: String,
}

/// What is known of an alert by its id, for people.
fn described(tended: &Tended, alert: &str) -> String {
    tended
        .heads
        .values()
        .flat_map(|loaded| &loaded.head.recent)
        .find(|recent| recent.id == alert)
        .map(|recent| format!(" ({}, {} hits, {})", recent.title, recent.count, time(recent.time)))
        .unwrap_or_default()
}

fn observation(
    condition: Condition,
    subject: String,
    since: DateTime<Utc>,
    detail: String,
) -> Observation {
    let about = subject.clone();
    Observation { condition, about, subject, since, detail, not_over: None, only_over: None }
}

fn label(head: &Head) -> String {
    format!("{} on {}", head.watch.rule, head.workspace_name)
}

fn time(t: DateTime<Utc>) -> String {
    t.format("%F %T UTC").to_string()
}

fn not_covered(head: &Head, gap: &Gap) -> Observation {
    let label = label(head);
    let (from, to) = (gap.interval.from.format("%FT%T%.fZ"), gap.interval.to.format("%FT%T%.fZ"));
    let why = match gap.why {
        GapKind::Outage => "it lies further back than `catch_up` and was not asked for",
        GapKind::TooDense => "the service refused this second three times: it has too many rows",
        GapKind::Fingerprints => {
            "the limit of fingerprints was reached: late rows of this time are not found"
        }
        GapKind::Versions => {
            "a former text of the rule is no longer asked, for it was changed too often or the service refuses that text: late rows of this time are not found"
        }
    };
    let detail = format!("`{label}` from {from} to {to}: {why}.");
    let subject = format!("{label} {from}/{to}");
    let about = label;
    Observation { about, ..observation(Condition::NotCovered, subject, gap.at, detail) }
}

/// Whether the table has had no row for `silent_after`.
async fn silence(
    workspace: &Workspace,
    silent_after: TimeDelta,
    now: DateTime<Utc>,
) -> Option<Observation> {
    let window = Interval { from: now - silent_after, to: now };
    let query = Query {
        text: format!("{TABLE} | summarize Latest = max(TimeGenerated)"),
        timespan: Some(window),
        now,
    };
    let mut rows: Vec<Row> = Vec::new();
    let silent = match workspace.source.query(&query, &mut rows).await {
        Ok(_) => !rows
            .iter()
            .any(|row| matches!(row.get("Latest"), Some(Value::Datetime(t)) if *t >= window.from)),
        Err(QueryError::NoData(_)) => true,
        // A service that does not answer is the watches' business.
        Err(_) => false,
    };
    silent.then(|| {
        observation(
            Condition::TableSilent,
            workspace.name.clone(),
            window.from,
            format!(
                "Workspace `{}` has no row of {TABLE} since {}.",
                workspace.name,
                time(window.from)
            ),
        )
    })
}
