//! What hsmwatch says of itself: once when it is ill, once when it is well again.

use super::*;
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::BTreeSet;

const ALL: [Condition; 15] = Condition::ALL;

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn seen(condition: Condition, about: &str, subject: &str, since: i64) -> Observation {
    Observation {
        condition,
        about: about.to_owned(),
        subject: subject.to_owned(),
        since: at(since),
        detail: format!("detail of {subject}"),
        not_over: None,
        only_over: None,
    }
}

fn tell(head: &mut Head, minute: i64, observations: &[Observation]) -> Vec<Alert> {
    step(head, observations, &["a".to_owned(), "b".to_owned()], at(minute))
}

fn titles(alerts: &[Alert]) -> Vec<&str> {
    alerts.iter().map(|alert| alert.rule.title.as_str()).collect()
}

#[test]
fn what_lasts_is_told_once_and_once_when_well() {
    for condition in ALL.into_iter().filter(|condition| condition.stands()) {
        let mut head = start(at(0));
        let ill = seen(condition, "x", "x", 1);
        let told = tell(&mut head, 5, std::slice::from_ref(&ill));
        assert_eq!(titles(&told), [format!("{}: x", condition.title())]);
        let alert = &told[0];
        assert_eq!((alert.rule.severity, alert.count), (condition.severity(), 1));
        assert_eq!(alert.note.as_deref(), Some("detail of x"));
        assert_eq!(alert.receivers, ["a", "b"]);
        assert!(!alert.rule.action.is_empty() && alert.caveat.is_none());
        assert_eq!(alert.hits[0].fields["state"], "ill");
        for minute in [10, 15] {
            // The beginning may come to be known better: it is the same condition.
            assert!(tell(&mut head, minute, &[seen(condition, "x", "x", minute)]).is_empty());
        }
        let well = tell(&mut head, 20, &[]);
        assert_eq!(titles(&well), [format!("Well again: {}: x", condition.title())]);
        assert_eq!(well[0].rule.severity, Severity::Info);
        assert_eq!(well[0].incident_key, alert.incident_key, "the same incident");
        assert_ne!(well[0].id, alert.id);
        assert!(tell(&mut head, 25, &[]).is_empty());
        // Ill again is news again.
        let again = tell(&mut head, 30, &[ill]);
        assert_eq!(again.len(), 1);
        assert_ne!(again[0].id, alert.id);
    }
}

#[test]
fn what_happened_once_is_told_once_and_never_well() {
    for condition in ALL.into_iter().filter(|condition| !condition.stands()) {
        let mut head = start(at(0));
        let happened = seen(condition, "x", "x", 1);
        assert_eq!(tell(&mut head, 5, std::slice::from_ref(&happened)).len(), 1);
        assert!(tell(&mut head, 10, std::slice::from_ref(&happened)).is_empty());
        // It happens again at another time.
        assert_eq!(tell(&mut head, 15, &[happened, seen(condition, "x", "x", 12)]).len(), 1);
        assert!(tell(&mut head, 20, &[]).is_empty());
        assert!(head.own.as_ref().unwrap().told.is_empty(), "nothing is remembered for ever");
    }
}

#[test]
fn one_alert_tells_all_that_is_new_about_one_thing() {
    let mut head = start(at(0));
    let gaps: Vec<Observation> =
        (0..60).map(|n| seen(Condition::NotCovered, "r on prod", &format!("gap {n}"), n)).collect();
    let told = tell(&mut head, 200, &gaps);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].count, told[0].hits.len()), (60, 60));
    assert!(
        told[0].rule.meaning.ends_with("And 59 more, listed below."),
        "{}",
        told[0].rule.meaning
    );
    assert_eq!((told[0].first_seen, told[0].last_seen), (at(0), at(59)));
    assert!(told[0].hits.is_sorted_by_key(|hit| hit.time));
    let fingerprints: BTreeSet<&str> =
        told[0].hits.iter().map(|hit| hit.fingerprint.as_str()).collect();
    assert_eq!(fingerprints.len(), 60);
    // Others are told apart, whatever is the matter with them.
    let two = [seen(Condition::HeadLost, "p", "p", 1), seen(Condition::HeadLost, "q", "q", 1)];
    assert_eq!(tell(&mut head, 205, &[gaps, two.to_vec()].concat()).len(), 2);
}

#[test]
fn receivers_that_cannot_be_told_are_left_out() {
    let mut head = start(at(0));
    let mut broken = seen(Condition::ReceiverBroken, "a", "a", 1);
    broken.not_over = Some("a".to_owned());
    assert_eq!(tell(&mut head, 5, std::slice::from_ref(&broken))[0].receivers, ["b"]);
    // Well again: it can be told that too, but is told like when it was ill.
    assert_eq!(tell(&mut head, 10, &[])[0].receivers, ["b"]);
    let mut alive = seen(Condition::Heartbeat, "b", "b", 1);
    alive.only_over = Some("b".to_owned());
    assert_eq!(tell(&mut head, 15, &[alive])[0].receivers, ["b"]);
    // With one receiver nobody can be told: the alert is still made, for `status` and the log.
    let mut head = start(at(0));
    let told = step(&mut head, &[broken], &["a".to_owned()], at(5));
    assert_eq!((told.len(), told[0].receivers.len()), (1, 0));
}

#[test]
fn conditions_remembered_and_alerts_made_at_once_are_bounded() {
    let mut head = start(at(0));
    let all: Vec<Observation> = (0..260)
        .map(|n| seen(Condition::StateUnreadable, &format!("{n:03}"), &format!("{n:03}"), n))
        .collect();
    let mut told = BTreeSet::new();
    for minute in 1..10 {
        let alerts = tell(&mut head, minute, &all);
        assert!(alerts.len() <= ALERTS_PER_EVALUATION);
        for alert in &alerts {
            assert!(told.insert(alert.group["subject"].clone()), "told twice");
        }
        assert!(head.own.as_ref().unwrap().told.len() <= CONDITIONS);
    }
    assert_eq!(told.len(), CONDITIONS);
    assert!(head.encode().len() < 64 * 1024, "{} bytes", head.encode().len());
    // As some are over, there is room for the others: nothing is left untold.
    for minute in 10..20 {
        let left: Vec<Observation> = all
            .iter()
            .filter(|o| !told.contains(&o.subject) || o.subject.as_str() < "010")
            .cloned()
            .collect();
        for alert in tell(&mut head, minute, &left) {
            if !alert.rule.title.starts_with("Well again") {
                told.insert(alert.group["subject"].clone());
            }
        }
    }
    assert_eq!(told.len(), 260);
}

#[test]
fn conditions_have_words_of_their_own() {
    let words: BTreeSet<&str> = ALL.iter().map(|condition| condition.as_str()).collect();
    assert_eq!(words.len(), ALL.len());
    for condition in ALL {
        assert_eq!(serde_json::to_value(condition).unwrap(), condition.as_str());
        assert!(!condition.action().is_empty() && !condition.title().is_empty());
    }
}

proptest! {
    /// Whatever comes and goes, each condition is told in turn: ill, well, ill, never twice the same.
    #[test]
    fn ill_and_well_alternate(ticks in prop::collection::vec(prop::collection::btree_set(0..6_usize, 0..6), 1..20)) {
        let mut head = start(at(0));
        let stands: Vec<Condition> = ALL.into_iter().filter(|c| c.stands()).take(3).collect();
        let mut ill: BTreeSet<(String, String)> = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for (minute, present) in ticks.into_iter().enumerate() {
            let observations: Vec<Observation> = present
                .iter()
                .map(|n| seen(stands[n % 3], &format!("s{}", n / 3), &format!("s{}", n / 3), 0))
                .collect();
            for alert in tell(&mut head, i64::try_from(minute).unwrap(), &observations) {
                prop_assert!(ids.insert(alert.id.clone()), "an id is never used twice");
                for hit in &alert.hits {
                    let text = |field: &str| hit.fields[field].as_str().unwrap().to_owned();
                    let what = (text("condition"), text("subject"));
                    if text("state") == "ill" {
                        prop_assert!(ill.insert(what));
                    } else {
                        prop_assert!(ill.remove(&what));
                    }
                }
            }
            let now: BTreeSet<(String, String)> = observations
                .iter()
                .map(|o| (o.condition.as_str().to_owned(), o.subject.clone()))
                .collect();
            prop_assert_eq!(&ill, &now);
        }
    }
}
