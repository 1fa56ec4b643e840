//! Status: what the state says now, gathered without writing anything. The command line prints it, and a page may show it.

mod watches;
pub mod words;

use super::record::{End, Line, Record};
use super::{Engine, Loaded, StateError, Tended, Watch};
use crate::notify::Kind;
use crate::watch::head::{FailureKind, GapKind, Head, Hour};
use crate::watch::own::{self, Condition};
use crate::watch::severity::Severity;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use watches::{of_head, without_head};

/// What the state says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// When it was gathered.
    pub at: DateTime<Utc>,
    /// Whether nothing needs attention.
    pub well: bool,
    /// When hsmwatch last ran to its end.
    pub last_tick: Option<DateTime<Utc>>,
    /// Every rule on every workspace, configured ones first.
    pub watches: Vec<WatchStatus>,
    /// Every receiver configured.
    pub receivers: Vec<ReceiverStatus>,
    /// The alerts of late, newest first.
    pub recent: Vec<RecentAlert>,
    /// State documents that cannot be read. They are left as they are.
    pub unreadable: Vec<Unreadable>,
    /// What hsmwatch has told of itself and is not over.
    pub conditions: Vec<Standing>,
}

/// How a watch fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Evaluated and up to date.
    Fine,
    /// It has no head yet: it begins with the next tick.
    NotStarted,
    /// The workspace has no data to give.
    Waiting {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Evaluations fail.
    Failing {
        /// Since when.
        since: DateTime<Utc>,
        /// What kind of failure.
        kind: Option<FailureKind>,
        /// What it says. May quote the service.
        error: String,
    },
    /// The service throttles.
    Throttled {
        /// Not asked again before this.
        until: DateTime<Utc>,
    },
    /// Nobody has evaluated it for several slots: hsmwatch does not run.
    Overdue {
        /// The first slot that was missed.
        since: DateTime<Utc>,
    },
    /// Its head cannot be read.
    Unreadable,
    /// A head whose rule or workspace is no longer configured: only its outbox is looked after.
    UnknownRule,
}

impl State {
    /// The word that people read.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::NotStarted => "not started",
            Self::Waiting { .. } => "waiting",
            Self::Failing { .. } => "failing",
            Self::Throttled { .. } => "throttled",
            Self::Overdue { .. } => "overdue",
            Self::Unreadable => "unreadable",
            Self::UnknownRule => "no rule",
        }
    }
}

/// One rule on one workspace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WatchStatus {
    /// Id of the rule.
    pub rule: String,
    /// Name of the workspace.
    pub workspace: String,
    /// How it fares.
    #[serde(flatten)]
    pub state: State,
    /// Whether someone should look.
    pub attention: bool,
    /// Rows before this are never hits.
    pub started_at: Option<DateTime<Utc>>,
    /// When an evaluation last succeeded.
    pub last_success: Option<DateTime<Utc>>,
    /// End of the time that was asked for.
    pub watermark: Option<DateTime<Utc>>,
    /// Seconds from the watermark to now: time that waits to be asked for.
    pub lag_s: Option<i64>,
    /// Seconds since the start that were asked for and answered.
    pub covered_s: Option<i64>,
    /// Seconds since the start that were given up, as far as they are remembered.
    pub missing_s: Option<i64>,
    /// The time that was given up, or in which late rows are no longer found.
    pub gaps: Vec<Missing>,
    /// The latest row that any evaluation returned.
    pub latest_row: Option<DateTime<Utc>>,
    /// The next slot; in the past if it is due.
    pub next: Option<DateTime<Utc>>,
    /// Alerts whose deliveries have not all ended.
    pub open_alerts: u64,
    /// Hits that wait for room in a full outbox.
    pub held: u64,
    /// Hits told, by the hour in which they happened; hours without are left out.
    pub hours: Vec<Hour>,
}

/// Time of which a watch does not know all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its first instant.
    pub from: DateTime<Utc>,
    /// The first instant after.
    pub to: DateTime<Utc>,
    /// Why.
    pub why: GapKind,
}

/// One receiver.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceiverStatus {
    /// Its name.
    pub name: String,
    /// Its kind: the word in the configuration.
    pub kind: &'static str,
    /// Alerts below this are not for it.
    pub min_severity: Severity,
    /// Whether alerts are sent to it.
    pub on: bool,
    /// Since when it is off.
    pub off_since: Option<DateTime<Utc>>,
    /// What it last answered to a delivery that waits. May quote the receiver.
    pub last_answer: Option<String>,
    /// When it last accepted anything.
    pub last_accepted: Option<DateTime<Utc>>,
    /// Deliveries that have not ended.
    pub open: u64,
    /// When the first of them is due; `None` while it is off or nothing is open.
    pub next_due: Option<DateTime<Utc>>,
}

/// An alert of late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecentAlert {
    /// Its id.
    pub id: String,
    /// When it was committed.
    pub time: DateTime<Utc>,
    /// How bad.
    pub severity: Severity,
    /// Title of its rule.
    pub title: String,
    /// Name of the workspace.
    pub workspace: String,
    /// Hits told.
    pub count: u64,
    /// For each receiver that has an end or an attempt on record: `delivered`, `refused`, `gave-up` or `waiting`.
    pub deliveries: BTreeMap<String, &'static str>,
}

/// A document that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Its name.
    pub document: String,
    /// What is wrong with it.
    pub why: String,
}

/// Something that hsmwatch has told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What is the matter.
    pub condition: Condition,
    /// With what.
    pub subject: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether it lasts until it is over; the others happened once and are told for the record.
    pub stands: bool,
}

impl Engine {
    /// What the state says of these watches, and of whatever else there is. Reads only.
    pub async fn status(
        &self,
        watches: &[Watch],
        now: DateTime<Utc>,
    ) -> Result<Status, StateError> {
        let tended = self.tend(now, &|_| {}).await?;
        let own_key = own::watch_id().key();
        let ticked = tended.head(&own_key).and_then(|head| head.health.last_success);
        let mut all = Vec::new();
        let mut configured: BTreeSet<String> = BTreeSet::from([own_key.clone()]);
        for watch in watches {
            let key = watch.id().key();
            all.push(match (tended.head(&key), tended.unreadable.contains_key(&key)) {
                (Some(head), _) => of_head(head, Some(watch), ticked, now),
                (None, unreadable) => without_head(watch, unreadable),
            });
            configured.insert(key);
        }
        for (key, Loaded { head, .. }) in &tended.heads {
            if !configured.contains(key) {
                all.push(of_head(head, None, ticked, now));
            }
        }
        let receivers = self.receiver_status(&tended, now).await?;
        let conditions: Vec<Standing> = tended
            .head(&own_key)
            .and_then(|head| head.own.as_ref())
            .into_iter()
            .flat_map(|own| own.told.values())
            .map(|told| Standing {
                condition: told.condition,
                subject: told.subject.clone(),
                since: told.since,
                stands: told.condition.stands(),
            })
            .collect();
        let unreadable: Vec<Unreadable> = tended
            .unreadable
            .iter()
            .map(|(key, why)| Unreadable { document: Head::name(key), why: why.clone() })
            .collect();
        let well = unreadable.is_empty()
            && all.iter().all(|watch| !watch.attention)
            && receivers.iter().all(|receiver| receiver.on)
            && conditions.iter().all(|condition| !condition.stands);
        let recent = recent(&tended);
        Ok(Status {
            at: now,
            well,
            last_tick: ticked,
            watches: all,
            receivers,
            recent,
            unreadable,
            conditions,
        })
    }

    async fn receiver_status(
        &self,
        tended: &Tended,
        now: DateTime<Utc>,
    ) -> Result<Vec<ReceiverStatus>, StateError> {
        let lines = lines(tended);
        let own = tended.head(&own::watch_id().key()).and_then(|head| head.own.as_ref());
        let mut out = Vec::new();
        for receiver in &self.receivers {
            let name = &receiver.name;
            let off_since = tended.off.get(name).copied();
            let (mut open, mut next_due) = (0, None::<DateTime<Utc>>);
            // The delivery that says most about the receiver: the latest attempt.
            let mut tried: Option<&Line> = None;
            for (alert, to) in open_deliveries(tended) {
                let line = lines.get(&(alert, to)).copied();
                if to != name || line.is_some_and(|line| line.end.is_some()) {
                    continue;
                }
                open += 1;
                let due = line.map_or(now, |line| line.due);
                next_due = Some(next_due.map_or(due, |next| next.min(due)));
                if let Some(line) = line
                    && tried.is_none_or(|t| line.attempted > t.attempted)
                {
                    tried = Some(line);
                }
            }
            let last_answer = match tried {
                Some(line) => self.last_answer(line).await?,
                None => None,
            };
            let accepted = tended.ends(End::Delivered).filter(|(line, _)| line.receiver == *name);
            out.push(ReceiverStatus {
                name: name.clone(),
                kind: Kind::as_str(receiver.kind()),
                min_severity: receiver.min_severity,
                on: off_since.is_none(),
                off_since,
                last_answer,
                last_accepted: accepted
                    .map(|(_, at)| at)
                    .max()
                    .max(own.and_then(|own| own.accepted.get(name).copied())),
                open,
                next_due: next_due.filter(|_| off_since.is_none()),
            });
        }
        Ok(out)
    }

    /// What came of the last attempt of a delivery.
    async fn last_answer(&self, line: &Line) -> Result<Option<String>, StateError> {
        let document = self.store.read(&Record::name(&line.alert, &line.receiver)).await?;
        let record = document.and_then(|document| Record::decode(&document.body).ok());
        Ok(record.map(|record| record.last).filter(|last| !last.is_empty()))
    }
}

/// Every delivery there is a record of, by alert and receiver.
fn lines(tended: &Tended) -> BTreeMap<(&str, &str), &Line> {
    tended.lines.iter().map(|line| ((line.alert.as_str(), line.receiver.as_str()), line)).collect()
}

/// Alert and receiver of every delivery in an outbox.
fn open_deliveries(tended: &Tended) -> impl Iterator<Item = (&str, &str)> {
    tended.heads.values().flat_map(|loaded| &loaded.head.outbox).flat_map(|batch| {
        batch.alerts.iter().flat_map(|alert| {
            batch.receivers.iter().map(|receiver| (alert.as_str(), receiver.as_str()))
        })
    })
}

fn recent(tended: &Tended) -> Vec<RecentAlert> {
    let mut ends: BTreeMap<&str, BTreeMap<String, &'static str>> = BTreeMap::new();
    for line in &tended.lines {
        let word = line.end.map_or("waiting", |(end, _)| end.as_str());
        ends.entry(&line.alert).or_default().insert(line.receiver.clone(), word);
    }
    let mut all: Vec<RecentAlert> = tended
        .heads
        .values()
        .flat_map(|Loaded { head, .. }| head.recent.iter().map(move |recent| (head, recent)))
        .map(|(head, recent)| RecentAlert {
            id: recent.id.clone(),
            time: recent.time,
            severity: recent.severity,
            title: recent.title.clone(),
            workspace: head.workspace_name.clone(),
            count: recent.count,
            deliveries: ends.get(recent.id.as_str()).cloned().unwrap_or_default(),
        })
        .collect();
    all.sort_by(|a, b| (b.time, &b.id).cmp(&(a.time, &a.id)));
    all
}
