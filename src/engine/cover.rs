//! Covering: asking for a stretch of time, in halves where an answer is too large, as far as it goes.

use super::Workspace;
use crate::ports::{Query, QueryError, RowSink};
use crate::watch::alert::Interval;
use crate::watch::fingerprint::Scope;
use crate::watch::head::{Head, Stuck};
use crate::watch::intake::{Intake, Reading};
use crate::watch::plan::{Part, halves};
use crate::watch::row::Row;
use crate::watch::rule::Rule;
use crate::watch::seen::Seen;
use chrono::{DateTime, TimeDelta, Utc};

/// A second that is refused for its own sake at this many ticks is passed.
const TRIES: u32 = 3;
/// Our clock is not believed when it runs ahead of the service's by more than this.
const AHEAD: TimeDelta = TimeDelta::seconds(5);

/// How far the asking came.
pub(super) struct Covered {
    pub(super) intake: Intake,
    pub(super) seen: Seen,
    /// Everything from the window's start to here has been asked for.
    pub(super) upto: DateTime<Utc>,
    /// The service's clock, where it is behind ours.
    pub(super) clock: Option<DateTime<Utc>>,
    /// Seconds that were passed.
    pub(super) passed: Vec<Interval>,
    /// The second that stands in the way.
    pub(super) stuck: Option<Stuck>,
    /// Before this, former versions of the rule are refused while the one that is configured is answered: nobody can mend them.
    pub(super) given_up: Option<DateTime<Utc>>,
    /// Why it came no further.
    pub(super) failure: Option<QueryError>,
}

impl Covered {
    /// An instant, or the service's clock if that is behind and ours is not believed.
    pub(super) fn believed(&self, t: DateTime<Utc>) -> DateTime<Utc> {
        self.clock.map_or(t, |clock| t.min(clock))
    }
}

struct Sink<'a> {
    reading: Reading<'a>,
    window: Interval,
    intake: &'a mut Intake,
    seen: &'a mut Seen,
}

impl RowSink for Sink<'_> {
    fn row(&mut self, row: Row) {
        self.intake.event(&self.reading, self.window, self.seen, &row);
    }
}

/// The query of a part.
fn query(head: &Head, part: Part, now: DateTime<Utc>) -> Option<Query> {
    let version = head.versions.get(part.version)?;
    let Interval { from, to } = part.interval;
    Some(Query {
        text: version.ask(part.interval),
        timespan: Some(Interval { from: from - version.lookback(), to }),
        now,
    })
}

/// Asks for the parts, in order.
pub(super) async fn cover(
    workspace: &Workspace,
    rule: &Rule,
    head: &Head,
    parts: Vec<Part>,
    seen: Seen,
    window: Interval,
    now: DateTime<Utc>,
) -> Covered {
    let mut covered = Covered {
        intake: Intake::default(),
        seen,
        upto: window.from,
        clock: None,
        passed: Vec::new(),
        stuck: None,
        given_up: None,
        failure: None,
    };
    // Where the first part of a former version was refused that no answer has followed yet.
    let mut refused: Option<DateTime<Utc>> = None;
    let mut left: Vec<Part> = parts;
    left.reverse();
    while let Some(part) = left.pop() {
        let (Some(version), Some(asked)) =
            (head.versions.get(part.version), query(head, part, now))
        else {
            continue;
        };
        let reading = Reading {
            scope: Scope::new(&head.watch.workspace, &head.watch.rule, &version.id),
            key: &version.key,
            group_by: rule.group_by.as_deref(),
        };
        let answer = {
            let Covered { intake, seen, .. } = &mut covered;
            let mut sink = Sink { reading, window: part.interval, intake, seen };
            workspace.source.query(&asked, &mut sink).await
        };
        let too_large = match answer {
            Ok(answer) => {
                if let Some(date) = answer.date
                    && now > date + AHEAD
                {
                    covered.clock = Some(covered.clock.map_or(date, |clock| clock.min(date)));
                }
                answer.partial.map(|why| (why, true))
            }
            Err(QueryError::TooLarge(why)) => Some((why, false)),
            // The rule was mended after its text came to be refused. The time of the former text was covered while that was
            // answered; without this, its late rows would keep the mended rule from ever being asked.
            Err(QueryError::Refused(_)) if let Some(next) = head.versions.get(part.version + 1) => {
                covered.drop();
                refused = refused.or(Some(part.interval.from));
                covered.given_up = covered.given_up.max(Some(next.since));
                continue;
            }
            Err(error) => {
                covered.give_up(error);
                // A service that answers nothing says nothing about a version either.
                if let Some(from) = refused {
                    covered.given_up = None;
                    covered.upto = from;
                }
                return covered;
            }
        };
        refused = None;
        if covered.intake.timeless > 0 {
            covered.give_up(QueryError::Refused(
                "its answer has rows without `TimeGenerated`: project that column, or give the rule a `window`"
                    .to_owned(),
            ));
            return covered;
        }
        let Some((why, partial)) = too_large else {
            covered.keep(part.interval.to);
            continue;
        };
        if version.lookback_s.is_some() {
            covered.give_up(QueryError::Unavailable(format!("the answer is not complete: {why}")));
            return covered;
        }
        if let Some((first, second)) = halves(part.interval) {
            covered.drop();
            left.push(Part { version: part.version, interval: second });
            left.push(Part { version: part.version, interval: first });
            continue;
        }
        // Whether the service answers at all for this query is tried on a window that holds next to nothing.
        if let Err(outage) = probe(workspace, head, part, now).await {
            covered.give_up(outage);
            return covered;
        }
        let stuck = tried(head.stuck.as_ref(), part.interval.from, now);
        if stuck.tries < TRIES {
            covered.give_up(QueryError::TooLarge(why));
            covered.stuck = Some(stuck);
            return covered;
        }
        if !partial {
            covered.drop();
        }
        covered.passed.push(part.interval);
        covered.keep(part.interval.to);
    }
    covered.upto = window.to;
    covered
}

impl Covered {
    fn keep(&mut self, upto: DateTime<Utc>) {
        self.intake.keep_answer(&mut self.seen);
        self.upto = upto;
    }

    fn drop(&mut self) {
        self.intake.drop_answer(&mut self.seen);
    }

    fn give_up(&mut self, error: QueryError) {
        self.drop();
        self.failure = Some(error);
    }
}

async fn probe(
    workspace: &Workspace,
    head: &Head,
    part: Part,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    let from = part.interval.from;
    let nothing = Interval { from, to: from + TimeDelta::nanoseconds(100) };
    let Some(query) = query(head, Part { interval: nothing, ..part }, now) else { return Ok(()) };
    match workspace.source.query(&query, &mut Vec::new()).await {
        Ok(_) => Ok(()),
        Err(QueryError::TooLarge(why)) => Err(QueryError::Unavailable(why)),
        Err(error) => Err(error),
    }
}

/// One more try at a second; several in one tick count once.
fn tried(known: Option<&Stuck>, from: DateTime<Utc>, now: DateTime<Utc>) -> Stuck {
    let second = DateTime::from_timestamp(from.timestamp(), 0).unwrap_or(from);
    match known {
        Some(stuck) if stuck.second == second => {
            Stuck { second, tries: stuck.tries + u32::from(stuck.at < now), at: now }
        }
        _ => Stuck { second, tries: 1, at: now },
    }
}
