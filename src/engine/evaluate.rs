//! Evaluating a watch: which time to ask for, asking, and the commit that makes the answer count.

use super::cover::{Covered, cover};
use super::{ALERTS_FORMATS, AlertsDoc, Engine, Loaded, Offer, StateError, Ticket, Watch};
use crate::planted::{self, Bug};
use crate::ports::{Etag, Meta, Query, QueryError, StoreError, When};
use crate::watch::alert::{Alert, Interval, Reason};
use crate::watch::fingerprint::Scope;
use crate::watch::head::{FailureKind, GapKind, Head, Stuck};
use crate::watch::intake::{Intake, Reading};
use crate::watch::own::Known;
use crate::watch::plan::{instants, window_at};
use crate::watch::row::Row;
use crate::watch::rule::Kind;
use crate::watch::seen::Seen;
use crate::watch::step::{Progress, Telling};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// A seen set of this many rows is read before the query: counting over it costs less memory than laying it under later.
const LARGE: u64 = 10_000;
/// How often a lost race is taken up again.
const RACES: usize = 3;
/// Instants of a window rule in one evaluation.
const INSTANTS: usize = 200;
/// Rows that a window rule may return at one instant.
const SUMMARY_ROWS: usize = 50_000;
/// A throttled watch is put off for this long when the service does not say.
const PUT_OFF: TimeDelta = TimeDelta::seconds(60);

/// How the evaluation of a watch went.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was unknown: it begins now, and nothing before is ever told.
    Started,
    /// Its slot was evaluated already.
    NotDue,
    /// The service throttles; not asked again before this.
    PutOff(DateTime<Utc>),
    /// The workspace has no data to give yet.
    Waiting(String),
    /// Committed.
    Done {
        /// Rows that the query returned.
        rows: u64,
        /// The alerts committed.
        alerts: Vec<Alert>,
    },
    /// Not committed, or not all of it.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// A sentence.
        error: String,
        /// The alerts committed before it failed.
        alerts: Vec<Alert>,
    },
}

/// What came of an evaluation.
pub(super) struct Evaluated {
    pub(super) outcome: Outcome,
    /// The head that stands now, if it is known.
    pub(super) head: Option<Loaded>,
    /// The document that could not be read, and why.
    pub(super) unreadable: Option<(String, String)>,
}

/// What an evaluation is given besides its watch.
pub(super) struct Given<'a> {
    pub(super) loaded: Option<Loaded>,
    /// What is remembered of the watch, should it have no head.
    pub(super) known: Option<&'a Known>,
    pub(super) ended: &'a BTreeSet<String>,
    pub(super) now: DateTime<Utc>,
    pub(super) offer: Offer<'a>,
}

/// What a commit carries besides its rows.
struct Change {
    progress: Progress,
    window: Interval,
    reason: Reason,
    passed: Vec<Interval>,
    stuck: Option<Stuck>,
    /// Former versions of the rule are not asked for anything before this any more.
    given_up: Option<DateTime<Utc>>,
    /// How the evaluation goes so far.
    health: HealthChange,
    /// The slot, when all of it has been evaluated.
    slot: Option<DateTime<Utc>>,
}

enum HealthChange {
    Success,
    Waiting,
    PutOff(DateTime<Utc>),
    Failing(FailureKind, String),
}

/// An evaluation under way.
struct Run<'a> {
    engine: &'a Engine,
    watch: &'a Watch,
    base: Loaded,
    /// The base, with what the configuration and the outbox say now.
    head: Head,
    ended: &'a BTreeSet<String>,
    now: DateTime<Utc>,
    offer: Offer<'a>,
    rows: u64,
    alerts: Vec<Alert>,
}

impl Engine {
    /// Evaluates a watch if it is due.
    pub(super) async fn evaluate(&self, watch: &Watch, given: Given<'_>) -> Evaluated {
        let done = |outcome, head| Evaluated { outcome, head, unreadable: None };
        let Given { loaded, known, ended, now, offer } = given;
        let Some(base) = loaded else {
            // A known watch whose head is gone goes on from where it was.
            let started_at = known.map_or(now, |known| known.watermark.min(now));
            let mut head = Head::start(watch.id(), &watch.workspace.name, &watch.rule, started_at);
            return match self.write_head(&mut head, When::Absent, now).await {
                Ok(etag) => done(Outcome::Started, Some(Loaded { head, etag })),
                // Another instance began it at the same time.
                Err(StateError::Store(StoreError::Lost(_))) => done(Outcome::Started, None),
                Err(error) => done(failed_state(&error, Vec::new()), None),
            };
        };
        if let Some(until) = base.head.put_off_until(now) {
            return done(Outcome::PutOff(until), Some(base));
        }
        let Some(slot) = base.head.due_slot(&watch.rule, now) else {
            return done(Outcome::NotDue, Some(base));
        };
        let head = base.head.clone();
        let mut run =
            Run { engine: self, watch, base, head, ended, now, offer, rows: 0, alerts: Vec::new() };
        run.head = run.prepared(&run.base.head);
        let result = match watch.rule.kind {
            Kind::Event { .. } => run.events(slot).await,
            Kind::Window { window, settle } => run.summaries(slot, window, settle).await,
        };
        let unreadable = match &result {
            Err(error @ (StateError::Head { name, .. } | StateError::Document { name, .. })) => {
                Some((name.clone(), error.to_string()))
            }
            _ => None,
        };
        let outcome = match result {
            Ok(None) => Outcome::Done { rows: run.rows, alerts: run.alerts },
            Ok(Some(error)) => outcome_of(error, now, run.alerts),
            Err(error) => failed_state(&error, run.alerts),
        };
        Evaluated { outcome, head: Some(run.base), unreadable }
    }

    /// Writes a head. When no answer comes, reads it again: our own commit is recognised.
    pub(super) async fn write_head(
        &self,
        head: &mut Head,
        when: When,
        now: DateTime<Utc>,
    ) -> Result<Etag, StateError> {
        head.commit = self.commit_id(now);
        let name = Head::name(&head.watch.key());
        match self.store.write(&name, head.encode(), Meta::new(), when).await {
            Ok(etag) => Ok(etag),
            Err(error @ (StoreError::Lost(_) | StoreError::Unknown(_))) => {
                match self.load(&head.watch.key()).await? {
                    Some(read) if read.head.commit == head.commit => Ok(read.etag),
                    _ => Err(StoreError::Lost(match error {
                        StoreError::Lost(text)
                        | StoreError::Unknown(text)
                        | StoreError::Failed(text) => text,
                    })
                    .into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a document whose name is nobody else's: finding it there means that an earlier try arrived.
    /// The body is made for each try: it may be large, and one is nearly always enough.
    pub(super) async fn write_new(
        &self,
        name: &str,
        body: impl Fn() -> Vec<u8> + Send + Sync,
    ) -> Result<(), StoreError> {
        let mut last = StoreError::Unknown(name.to_owned());
        for _ in 0..RACES {
            match self.store.write(name, body(), Meta::new(), When::Absent).await {
                Ok(_) | Err(StoreError::Lost(_)) => return Ok(()),
                Err(error @ StoreError::Unknown(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    async fn read_seen(&self, head: &Head) -> Result<Seen, StateError> {
        let Some(name) = &head.seen else { return Ok(Seen::default()) };
        let bad = |why: String| StateError::Document { name: name.clone(), why };
        let read = self.store.read(name).await.map_err(|error| match error {
            StoreError::Failed(why) => bad(why),
            error => error.into(),
        })?;
        let document = read.ok_or_else(|| bad("it is gone".to_owned()))?;
        Seen::decode(&document.body).map_err(|e| bad(e.to_string()))
    }
}

impl Run<'_> {
    /// The head as configuration and outbox have it now.
    fn prepared(&self, head: &Head) -> Head {
        let mut head = head.clone();
        head.workspace_name.clone_from(&self.watch.workspace.name);
        head.adopt(&self.watch.rule, self.now);
        head.cut(self.now, &self.engine.timing);
        head.trim(self.ended);
        head
    }

    /// An event rule: the ordinary windows up to now, then the sweep if one is due.
    async fn events(&mut self, slot: DateTime<Utc>) -> Result<Option<QueryError>, StateError> {
        let timing = self.engine.timing;
        let interval = self.watch.rule.schedule.interval(self.now);
        let mut asked = false;
        while let Some(window) = self.head.next_window(self.now, &timing) {
            asked = true;
            let late = self.now - self.head.watermark > timing.overlap.max(interval * 3);
            let reason = if late { Reason::CatchUp } else { Reason::New };
            let covered = self.cover(window).await?;
            let to = covered.believed(covered.upto);
            let last = window.to >= self.now || to < window.to;
            let failure = covered.failure.clone();
            // What was asked for before it failed counts, if it reaches beyond what was covered before.
            let progress =
                if to > self.head.watermark { Progress::Window(to) } else { Progress::None };
            let slot = (last && failure.is_none()).then_some(slot);
            self.commit_covered(covered, window, progress, reason, slot).await?;
            if failure.is_some() || last {
                if failure.is_some() {
                    return Ok(failure);
                }
                break;
            }
        }
        if !asked {
            let window = Interval { from: self.head.watermark, to: self.head.watermark };
            self.commit_nothing(window, HealthChange::Success, Some(slot)).await?;
        }
        self.sweep().await
    }

    async fn sweep(&mut self) -> Result<Option<QueryError>, StateError> {
        let timing = self.engine.timing;
        let events = self.head.versions.iter().any(|version| !version.summary);
        let Some(cursor) = self.head.next_sweep(self.now, &timing).filter(|_| events) else {
            return Ok(None);
        };
        let covered = self.cover(cursor.left).await?;
        let failure = covered.failure.clone();
        let began = covered.believed(cursor.began);
        let progress = if covered.upto > cursor.left.from || failure.is_none() {
            Progress::Sweep { to: covered.upto, began, end: cursor.left.to }
        } else {
            Progress::None
        };
        self.commit_covered(covered, cursor.left, progress, Reason::Sweep, None).await?;
        Ok(failure)
    }

    async fn cover(&mut self, window: Interval) -> Result<Covered, StateError> {
        let seen = if self.head.seen_rows > LARGE {
            self.engine.read_seen(&self.head).await?
        } else {
            Seen::default()
        };
        let parts = self.head.parts(window);
        let Self { watch, head, now, .. } = self;
        let covered = cover(&watch.workspace, &watch.rule, head, parts, seen, window, *now).await;
        self.rows += covered.intake.rows;
        Ok(covered)
    }

    async fn commit_covered(
        &mut self,
        mut covered: Covered,
        window: Interval,
        progress: Progress,
        reason: Reason,
        slot: Option<DateTime<Utc>>,
    ) -> Result<(), StateError> {
        if progress == Progress::None {
            // Nothing is told of time that does not count as covered.
            covered.intake = Intake::default();
            covered.seen = Seen::default();
            covered.passed.clear();
            covered.given_up = None;
        }
        let health = match &covered.failure {
            None => HealthChange::Success,
            Some(error) => health_of(error, self.now),
        };
        let change = Change {
            progress,
            window: Interval { from: window.from, to: covered.upto.max(window.from) },
            reason,
            passed: covered.passed,
            stuck: covered.stuck,
            given_up: covered.given_up,
            health,
            slot,
        };
        self.commit(covered.intake, covered.seen, change).await
    }

    async fn commit_nothing(
        &mut self,
        window: Interval,
        health: HealthChange,
        slot: Option<DateTime<Utc>>,
    ) -> Result<(), StateError> {
        let change = Change {
            progress: Progress::None,
            window,
            reason: Reason::New,
            passed: Vec::new(),
            stuck: self.head.stuck.clone(),
            given_up: None,
            health,
            slot,
        };
        self.commit(Intake::default(), Seen::default(), change).await
    }

    /// A window rule: the instants of its grid that have not been evaluated.
    async fn summaries(
        &mut self,
        slot: DateTime<Utc>,
        window: TimeDelta,
        settle: TimeDelta,
    ) -> Result<Option<QueryError>, StateError> {
        let due = instants(&self.head, &self.watch.rule, self.now, INSTANTS);
        let all =
            due.last().is_none_or(|last| self.watch.rule.schedule.slot(self.now) == Some(*last));
        let mut intake = Intake::default();
        let mut done: Option<DateTime<Utc>> = None;
        let mut failure = None;
        let first = due.first().copied();
        for instant in &due {
            let window = window_at(*instant, window, settle);
            match self.summary(window, &mut intake).await {
                Ok(()) => done = Some(*instant),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.rows += intake.rows;
        let at = done.unwrap_or(self.head.watermark);
        let covered = Interval {
            from: first.map_or(at, |first| first - settle - window).min(at - settle),
            to: at - settle,
        };
        let change = Change {
            progress: done.map_or(Progress::None, Progress::Window),
            window: covered,
            reason: if due.len() > 1 { Reason::CatchUp } else { Reason::New },
            passed: Vec::new(),
            stuck: None,
            given_up: None,
            health: failure
                .as_ref()
                .map_or(HealthChange::Success, |error| health_of(error, self.now)),
            slot: (failure.is_none() && all).then_some(slot),
        };
        self.commit(intake, Seen::default(), change).await?;
        if failure.is_some() {
            return Ok(failure);
        }
        self.sweep().await
    }

    async fn summary(&mut self, window: Interval, intake: &mut Intake) -> Result<(), QueryError> {
        let Some(version) = self.head.versions.last() else { return Ok(()) };
        let query = Query { text: version.ask(window), timespan: Some(window), now: self.now };
        let mut rows: Vec<Row> = Vec::new();
        match self.watch.workspace.source.query(&query, &mut rows).await {
            Ok(answer) => {
                if let Some(why) = answer.partial {
                    return Err(QueryError::Unavailable(format!(
                        "the answer is not complete: {why}"
                    )));
                }
            }
            // No data at all is what an absence rule watches for.
            Err(QueryError::NoData(_)) if !self.watch.over_nothing.is_empty() => {
                rows.clone_from(&self.watch.over_nothing);
            }
            Err(error) => return Err(error),
        }
        if rows.len() > SUMMARY_ROWS {
            return Err(QueryError::Refused(format!(
                "its answer has {} rows, more than the {SUMMARY_ROWS} of a summary: sum up more",
                rows.len()
            )));
        }
        let reading = Reading {
            scope: Scope::new(&self.head.watch.workspace, &self.head.watch.rule, &version.id),
            key: &version.key,
            group_by: self.watch.rule.group_by.as_deref(),
        };
        for row in &rows {
            intake.summary(&reading, window, row);
        }
        Ok(())
    }

    /// Commits: big documents first, then the head. Losing the race costs one more step on the head that won.
    async fn commit(
        &mut self,
        mut intake: Intake,
        counted: Seen,
        change: Change,
    ) -> Result<(), StateError> {
        let keyed =
            !self.watch.rule.key.is_empty() || matches!(self.watch.rule.kind, Kind::Window { .. });
        let preloaded = self.head.seen_rows > LARGE && !counted.is_empty();
        let mut counted = Some(counted);
        for race in 0..=RACES {
            let digest_due = self.head.digest_due.is_some_and(|due| due <= self.now);
            let wanted = intake.rows > 0 || digest_due;
            let mut seen = match counted.take() {
                Some(counted) if (race == 0 && preloaded) || !wanted => counted,
                // Nothing told was counted over yet: it is laid under, so that there is one large set and not two.
                Some(mut counted) if race == 0 => {
                    counted.rest_on(self.engine.read_seen(&self.head).await?);
                    intake.without_told(&counted, self.head.floor);
                    counted
                }
                given => {
                    let mut base = self.engine.read_seen(&self.head).await?;
                    if let Some(given) = given {
                        base.adopt_answer(&given);
                    }
                    intake.without_told(&base, self.head.floor);
                    base
                }
            };
            let news = !intake.groups.is_empty() || digest_due;
            let mut head = self.head.clone();
            let alerts = self.step(&mut head, &intake, &mut seen, &change);
            let commit = self.engine.commit_id(self.now);
            let key = head.watch.key();
            if news {
                let name = format!("seen/{key}/{commit}");
                head.seen_rows = seen.len() as u64;
                head.digest_due = keyed.then(|| seen.digest_due(self.watch.rule.hold())).flatten();
                self.engine.write_new(&name, || seen.encode()).await?;
                head.seen = Some(name);
            }
            if !alerts.is_empty() {
                let name = format!("alerts/{key}/{commit}");
                let doc = AlertsDoc { format: ALERTS_FORMATS.writes, alerts: alerts.clone() };
                self.engine
                    .write_new(&name, || serde_json::to_vec(&doc).unwrap_or_default())
                    .await?;
                head.post(&name, &alerts, self.now);
            }
            if planted::is(Bug::TicketsBeforeCommit) {
                offer_all(&key, &alerts, self.offer);
            }
            let when = When::Matches(self.base.etag.clone());
            match self.engine.write_head(&mut head, when, self.now).await {
                Ok(etag) => {
                    self.head = head.clone();
                    self.base = Loaded { head, etag };
                    offer_all(&key, &alerts, self.offer);
                    self.alerts.extend(alerts);
                    return Ok(());
                }
                Err(StateError::Store(StoreError::Lost(_))) => {
                    let Some(base) = self.engine.load(&key).await? else { break };
                    let head = self.prepared(&base.head);
                    // Rows were asked for with the versions of the head that lost: they mean nothing to others.
                    let same = head.versions == self.head.versions;
                    self.base = base;
                    self.head = head;
                    if !same {
                        break;
                    }
                    counted = Some(seen);
                }
                Err(error) => return Err(error),
            }
        }
        Err(StateError::Contended(self.watch.label()))
    }

    fn step(
        &self,
        head: &mut Head,
        intake: &Intake,
        seen: &mut Seen,
        change: &Change,
    ) -> Vec<Alert> {
        if let Some(to) = change.given_up {
            head.raise_floor(to, GapKind::Versions, self.now);
        }
        let version = head.versions.last().cloned();
        let telling = Telling {
            rule: &self.watch.rule,
            version: version.as_ref().map_or("", |version| &version.id),
            receivers: &self.watch.receivers,
            reason: change.reason,
            window: change.window,
            now: self.now,
        };
        let mut alerts = head.step(intake, seen, change.progress, &self.engine.timing, &telling);
        for alert in &mut alerts {
            if let Some(version) = &version {
                let about = alert.group.get("_ResourceId").map(String::as_str);
                alert.links.logs = (self.watch.workspace.logs_link)(
                    &version.ask(alert.window),
                    alert.window,
                    about,
                );
            }
        }
        for interval in &change.passed {
            head.gap(*interval, GapKind::TooDense, self.now);
        }
        head.stuck.clone_from(&change.stuck);
        let health = &mut head.health;
        match &change.health {
            HealthChange::Success => {
                health.last_success = Some(self.now);
                (health.failing_since, health.failure, health.error) = (None, None, None);
                (health.waiting_since, health.put_off_until) = (None, None);
            }
            HealthChange::Waiting => {
                health.waiting_since.get_or_insert(self.now);
                (health.failing_since, health.failure, health.error) = (None, None, None);
            }
            HealthChange::PutOff(until) => health.put_off_until = Some(*until),
            HealthChange::Failing(kind, error) => {
                health.failing_since.get_or_insert(self.now);
                health.failure = Some(*kind);
                health.error = Some(error.clone());
            }
        }
        head.slot = change.slot.or(head.slot);
        alerts
    }
}

fn health_of(error: &QueryError, now: DateTime<Utc>) -> HealthChange {
    match error {
        QueryError::NoData(_) => HealthChange::Waiting,
        QueryError::Throttled { retry_after } => HealthChange::PutOff(put_off(*retry_after, now)),
        error => HealthChange::Failing(kind_of(error), error.to_string()),
    }
}

fn put_off(retry_after: Option<std::time::Duration>, now: DateTime<Utc>) -> DateTime<Utc> {
    now + retry_after
        .and_then(|d| TimeDelta::from_std(d).ok())
        .unwrap_or(PUT_OFF)
        .min(TimeDelta::hours(1))
}

fn kind_of(error: &QueryError) -> FailureKind {
    match error {
        QueryError::Denied(_) => FailureKind::Denied,
        QueryError::Refused(_) => FailureKind::Refused,
        _ => FailureKind::Unavailable,
    }
}

fn outcome_of(error: QueryError, now: DateTime<Utc>, alerts: Vec<Alert>) -> Outcome {
    match error {
        QueryError::NoData(why) => Outcome::Waiting(why),
        QueryError::Throttled { retry_after } => Outcome::PutOff(put_off(retry_after, now)),
        error => Outcome::Failed { kind: kind_of(&error), error: error.to_string(), alerts },
    }
}

fn failed_state(error: &StateError, alerts: Vec<Alert>) -> Outcome {
    Outcome::Failed { kind: FailureKind::State, error: error.to_string(), alerts }
}

/// Offers every delivery of these alerts.
pub(super) fn offer_all(watch_key: &str, alerts: &[Alert], offer: Offer<'_>) {
    for alert in alerts {
        for receiver in &alert.receivers {
            offer(Ticket {
                watch: watch_key.to_owned(),
                alert: alert.id.clone(),
                receiver: receiver.clone(),
            });
        }
    }
}
