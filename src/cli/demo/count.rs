//! The demo checks itself: what must be told, counted from the records by plain comparisons that know nothing of queries,
//! windows or state, against what arrived.

use super::events::Record;
use crate::watch::alert::{Alert, Hit, Reason};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Rules that tell of each record with one of these operations.
const EACH: [(&str, &[&str]); 9] = [
    ("login-session", &["CN_LOGIN", "CN_AUTHORIZE_SESSION"]),
    ("user-change", &["CN_CREATE_USER", "CN_DELETE_USER"]),
    ("key-create", &["CN_GENERATE_KEY", "CN_GENERATE_KEY_PAIR"]),
    ("key-delete", &["CN_TOMBSTONE_OBJECT"]),
    ("key-attribute-change", &["CN_MODIFY_OBJECT"]),
    ("key-share", &["CN_SHARE_OBJECT"]),
    ("password-change", &["CN_CHANGE_PSWD"]),
    ("hsm-backup", &["CN_BACKUP_BEGIN", "CN_BACKUP_END"]),
    ("key-export", &["CN_EXTRACT_MASKED_OBJECT_USER", "CN_WRAP_KEY"]),
];

/// Rules that tell of a caller with so many of these operations within so many minutes.
const MANY: [(&str, &[&str], i64, usize); 2] = [
    ("login-burst", &["CN_LOGIN"], 60, 20),
    (
        "key-enumeration",
        &[
            "CN_FIND_OBJECTS_USING_COUNT",
            "CN_FIND_OBJECTS_FROM_INDEX",
            "CN_GET_ALL_ATTRIBUTE_VALUE",
            "CN_LIST_USERS",
        ],
        30,
        20,
    ),
];

/// The rule that tells of so many deletions on one HSM, whoever made them, within so many minutes.
const DELETIONS: (&str, &str, i64, usize) = ("key-delete-burst", "CN_TOMBSTONE_OBJECT", 60, 5);

/// The rule that tells of a caller who logs in within an hour of a new user, and either made that user or had not
/// logged in for two hours.
const NEW_USER: &str = "new-user-login";

/// The rule that tells of a caller without a past.
const FIRST_SEEN: &str = "caller-first-seen";

/// Everything of a record that tells it from others, save that two may be equal.
type Key = (String, DateTime<Utc>, [String; 5]);

/// How the two counts compare.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Records and callers that had to be told.
    pub(super) due: u64,
    /// Of these, records that a query sees only after the overlap.
    pub(super) late: u64,
    /// Not told.
    pub(super) missed: u64,
    /// Told more often than they happened.
    pub(super) surplus: u64,
    /// Rules told of that this count does not know.
    pub(super) unknown: BTreeSet<String>,
}

impl Compared {
    /// Whether each was told, and none twice.
    pub(super) fn agrees(&self) -> bool {
        self.missed == 0 && self.surplus == 0
    }
}

/// Compares what happened from `start` on with the alerts that arrived.
pub(super) fn compare(
    records: &[Record],
    start: DateTime<Utc>,
    overlap: TimeDelta,
    alerts: &[Alert],
) -> Compared {
    let mut due: BTreeMap<Key, u64> = BTreeMap::new();
    let mut compared = Compared::default();
    for record in records.iter().filter(|record| record.time >= start) {
        for (rule, operations) in EACH {
            if operations.contains(&record.operation.as_str()) {
                *due.entry(of_record(rule, record)).or_default() += 1;
                compared.late += u64::from(record.available - record.time > overlap);
            }
        }
    }
    for (rule, callers) in callers(records, start) {
        for (caller, resource) in callers {
            *due.entry(of_caller(rule, caller, resource)).or_default() += 1;
        }
    }
    compared.due = due.values().sum();
    for alert in alerts {
        let rule = alert.rule.id.as_str();
        let each = EACH.iter().any(|(id, _)| *id == rule);
        let by_caller = [FIRST_SEEN, NEW_USER, DELETIONS.0].contains(&rule)
            || MANY.iter().any(|(id, ..)| *id == rule);
        if !each && !by_caller {
            compared.unknown.insert(rule.to_owned());
            continue;
        }
        // A digest of what `renotify` held back tells again on purpose.
        if by_caller && !matches!(alert.reason, Reason::New | Reason::Sweep) {
            continue;
        }
        let keys: Vec<Key> = if each {
            alert.hits.iter().map(|hit| of_hit(rule, hit)).collect()
        } else {
            // All that a new caller did is listed, and the caller told once.
            let callers: BTreeSet<Key> =
                alert.hits.iter().map(|hit| caller_of_hit(rule, hit)).collect();
            callers.into_iter().collect()
        };
        for key in keys {
            match due.get_mut(&key).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => compared.surplus += 1,
            }
        }
        compared.surplus += alert.count.saturating_sub(alert.hits.len() as u64);
    }
    compared.missed = due.values().sum();
    compared
}

/// The callers, each on one HSM, that the rules about callers have to tell of.
fn callers<'r>(
    records: &'r [Record],
    start: DateTime<Utc>,
) -> Vec<(&'static str, BTreeSet<(&'r str, &'r str)>)> {
    let pair = |record: &'r Record| (record.caller.as_str(), record.resource.as_str());
    let known: BTreeSet<_> = records.iter().filter(|r| r.time < start).map(pair).collect();
    let new = records.iter().filter(|r| r.time >= start && !r.caller.is_empty()).map(pair);
    let mut all = vec![(FIRST_SEEN, new.filter(|pair| !known.contains(pair)).collect())];
    for (rule, operations, minutes, enough) in MANY {
        let mut times: BTreeMap<_, Vec<DateTime<Utc>>> = BTreeMap::new();
        for record in records.iter().filter(|r| r.time >= start) {
            if operations.contains(&record.operation.as_str()) {
                times.entry(pair(record)).or_default().push(record.time);
            }
        }
        times.retain(|_, times| crowded(times, minutes, enough));
        all.push((rule, times.into_keys().collect()));
    }
    let (rule, operation, minutes, enough) = DELETIONS;
    let mut times: BTreeMap<_, Vec<DateTime<Utc>>> = BTreeMap::new();
    for record in records.iter().filter(|r| r.time >= start && r.operation == operation) {
        times.entry(("", record.resource.as_str())).or_default().push(record.time);
    }
    times.retain(|_, times| crowded(times, minutes, enough));
    all.push((rule, times.into_keys().collect()));
    all.push((NEW_USER, logins_after_new_users(records, start).map(pair).collect()));
    all
}

/// Whether so many happened in a row, within the window less the grid's step. `times` is in order.
fn crowded(times: &[DateTime<Utc>], minutes: i64, enough: usize) -> bool {
    let window = TimeDelta::minutes(minutes - 5);
    let mut first_and_last = times.iter().zip(times.iter().skip(enough - 1));
    first_and_last.any(|(first, last)| *last - *first <= window)
}

fn logins_after_new_users(
    records: &[Record],
    start: DateTime<Utc>,
) -> impl Iterator<Item = &Record> {
    let of = |operation: &'static str| records.iter().filter(move |r| r.operation == operation);
    of("CN_LOGIN").filter(move |login| {
        of("CN_CREATE_USER")
            .filter(|user| user.time >= start && user.resource == login.resource)
            .any(|user| {
                let quiet = || {
                    !of("CN_LOGIN").any(|other| {
                        (&other.caller, &other.resource) == (&login.caller, &login.resource)
                            && other.time <= user.time
                            && other.time > user.time - TimeDelta::hours(2)
                    })
                };
                login.time > user.time
                    && login.time <= user.time + TimeDelta::hours(1)
                    && (login.caller == user.caller || quiet())
            })
    })
}

fn of_record(rule: &str, record: &Record) -> Key {
    let Record { operation, caller, client, instance, resource, .. } = record;
    let texts = [operation, caller, client, instance, resource].map(Clone::clone);
    (rule.to_owned(), record.time, texts)
}

fn of_hit(rule: &str, hit: &Hit) -> Key {
    let texts = [&hit.operation, &hit.caller, &hit.client, &hit.instance, &hit.resource];
    (rule.to_owned(), hit.time, texts.map(|text| text.clone().unwrap_or_default()))
}

fn of_caller(rule: &str, caller: &str, resource: &str) -> Key {
    let none = String::new;
    let texts = [none(), caller.to_owned(), none(), none(), resource.to_owned()];
    (rule.to_owned(), DateTime::UNIX_EPOCH, texts)
}

fn caller_of_hit(rule: &str, hit: &Hit) -> Key {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let caller = if rule == DELETIONS.0 { String::new() } else { text(&hit.caller) };
    of_caller(rule, &caller, &text(&hit.resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(second: u32, caller: &str, operation: &str) -> Record {
        let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::from(second));
        Record {
            time,
            available: time + TimeDelta::minutes(5),
            operation: operation.to_owned(),
            caller: caller.to_owned(),
            client: String::new(),
            instance: "hsm-1".to_owned(),
            resource: "/hsm".to_owned(),
            row: Vec::new(),
        }
    }

    fn alert(rule: &str, records: &[Record]) -> Alert {
        let hit = |record: &Record| {
            json!({
                "fingerprint": "", "time": record.time, "operation": record.operation,
                "instance": record.instance, "caller": record.caller, "resource": record.resource,
            })
        };
        let rule = json!({"id": rule, "title": "", "severity": "high", "version": ""});
        let t = DateTime::UNIX_EPOCH;
        let hits: Vec<_> = records.iter().map(hit).collect();
        serde_json::from_value(json!({
            "id": "", "rule": rule, "workspace": {"id": "", "name": ""}, "incident_key": "", "reason": "new",
            "window": {"from": t, "to": t}, "time": t, "count": hits.len(), "first_seen": t, "last_seen": t,
            "hits": hits, "receivers": [],
        }))
        .unwrap()
    }

    fn counted(records: &[Record], alerts: &[Alert]) -> (u64, u64, u64) {
        let start = DateTime::UNIX_EPOCH + TimeDelta::seconds(10);
        let compared = compare(records, start, TimeDelta::hours(1), alerts);
        (compared.due, compared.missed, compared.surplus)
    }

    #[test]
    fn what_is_missed_and_what_is_told_twice_is_seen() {
        let delete = |second| record(second, "a", "CN_TOMBSTONE_OBJECT");
        // Known from before the start, one deletion, and two equal ones.
        let log = [delete(0), delete(10), delete(11), delete(11)];
        let told = |records: &[Record]| alert("key-delete", records);
        let all = &log[1..];
        assert_eq!(counted(&log, &[told(all)]), (3, 0, 0));
        assert_eq!(counted(&log, &[]), (3, 3, 0));
        assert_eq!(counted(&log, &[told(&all[..2])]), (3, 1, 0));
        assert_eq!(counted(&log, &[told(all), told(&all[2..])]), (3, 0, 1));
        assert_eq!(counted(&log, &[told(&log)]), (3, 0, 1), "history is not told");
        assert_eq!(counted(&log, &[told(all), alert("user-change", &[delete(10)])]), (3, 0, 1));
        let uncounted = Alert { count: 5, ..told(all) };
        assert_eq!(counted(&log, &[uncounted]), (3, 0, 2));
    }

    #[test]
    fn callers_are_told_once() {
        let mut log = vec![record(0, "old", "X"), record(20, "old", "X"), record(30, "new", "X")];
        let first = alert(FIRST_SEEN, &log[2..]);
        assert_eq!(counted(&log, &[]), (1, 1, 0));
        assert_eq!(counted(&log, std::slice::from_ref(&first)), (1, 0, 0));
        assert_eq!(counted(&log, &[first.clone(), first.clone()]), (1, 0, 1));
        assert_eq!(counted(&log, &[first, alert(FIRST_SEEN, &log[1..2])]), (1, 0, 1));
        log.extend((0..20).map(|n| record(100 + n, "old", "CN_LIST_USERS")));
        assert_eq!(counted(&log, &[]).0, 2, "and who looks around");
        log.pop();
        assert_eq!(counted(&log, &[]).0, 1);
    }

    #[test]
    fn a_rule_that_is_not_known_is_named() {
        let start = DateTime::UNIX_EPOCH;
        let compared = compare(&[], start, TimeDelta::hours(1), &[alert("x", &[])]);
        assert_eq!(compared.unknown, BTreeSet::from(["x".to_owned()]));
    }
}
