//! Slots, and what cron expressions mean.

use super::*;
use chrono::{Datelike, TimeZone, Timelike};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn t(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn cron(text: &str) -> Schedule {
    Schedule::cron(text).unwrap_or_else(|e| panic!("{e}"))
}

/// The days of the week beginning on Sunday, 1 March 2026, on which it comes.
fn days(text: &str) -> Vec<u32> {
    let schedule = cron(text);
    let mut out = Vec::new();
    let mut at = t("2026-02-28T23:59:59Z");
    while let Some(next) = schedule.next_after(at).filter(|next| *next < t("2026-03-08T00:00:00Z"))
    {
        out.push(next.weekday().num_days_from_sunday());
        at = next;
    }
    out
}

#[test]
fn weekdays_are_those_of_ncrontab() {
    // 0 and 7 are Sunday; the crate's own numbers begin with 1 = Sunday.
    let table: [(&str, &[u32]); 26] = [
        ("*", &[0, 1, 2, 3, 4, 5, 6]),
        ("?", &[0, 1, 2, 3, 4, 5, 6]),
        ("0", &[0]),
        ("1", &[1]),
        ("6", &[6]),
        ("7", &[0]),
        ("1-5", &[1, 2, 3, 4, 5]),
        ("0-6", &[0, 1, 2, 3, 4, 5, 6]),
        ("1-7", &[0, 1, 2, 3, 4, 5, 6]),
        ("0-7", &[0, 1, 2, 3, 4, 5, 6]),
        ("5-7", &[0, 5, 6]),
        ("5-1", &[0, 1, 5, 6]),
        ("6-0", &[0, 6]),
        ("1,3,5", &[1, 3, 5]),
        ("0,6", &[0, 6]),
        ("1-3,6", &[1, 2, 3, 6]),
        ("*/2", &[0, 2, 4, 6]),
        ("1-5/2", &[1, 3, 5]),
        ("2/2", &[2, 4, 6]),
        ("5-1/2", &[0, 5]),
        ("MON", &[1]),
        ("mon-fri", &[1, 2, 3, 4, 5]),
        ("SUN,SAT", &[0, 6]),
        ("Sunday", &[0]),
        ("MON-FRI/2", &[1, 3, 5]),
        ("1,WED", &[1, 3]),
    ];
    for (weekday, expected) in table {
        assert_eq!(days(&format!("0 0 12 * * {weekday}")), expected, "{weekday}");
    }
}

/// What a field with a simple form means, by plain counting.
fn meant(field: &str, range: std::ops::RangeInclusive<u32>) -> BTreeSet<u32> {
    field
        .split(',')
        .flat_map(|part| {
            let (span, step) =
                part.split_once('/').map_or((part, 1), |(s, n)| (s, n.parse().unwrap()));
            let (from, to) = match span.split_once('-') {
                _ if span == "*" => (*range.start(), *range.end()),
                Some((a, b)) => (a.parse().unwrap(), b.parse().unwrap()),
                None if part.contains('/') => (span.parse().unwrap(), *range.end()),
                None => (span.parse().unwrap(), span.parse().unwrap()),
            };
            (from..=to).step_by(step)
        })
        .collect()
}

/// Every minute of a week that the expression names, by the fields of the calendar.
fn by_the_calendar(minute: &str, hour: &str, weekday: &str) -> Vec<DateTime<Utc>> {
    let (minutes, hours) = (meant(minute, 0..=59), meant(hour, 0..=23));
    let weekdays: BTreeSet<u32> = meant(weekday, 0..=6).into_iter().map(|d| d % 7).collect();
    (0..7 * 1440)
        .map(|n| t("2026-03-29T00:00:00Z") + TimeDelta::minutes(n))
        .filter(|at| {
            minutes.contains(&at.minute())
                && hours.contains(&at.hour())
                && weekdays.contains(&at.weekday().num_days_from_sunday())
        })
        .collect()
}

fn by_the_schedule(schedule: &Schedule) -> Vec<DateTime<Utc>> {
    let end = t("2026-04-05T00:00:00Z");
    let mut out = Vec::new();
    let mut at = t("2026-03-28T23:59:59.999Z");
    while let Some(next) = schedule.next_after(at).filter(|next| *next < end) {
        out.push(next);
        at = next;
    }
    out
}

#[test]
fn expressions_mean_what_the_calendar_says() {
    // The week in which Europe's clocks change: UTC knows nothing of it.
    for (minute, hour, weekday) in [
        ("*/5", "*", "*"),
        ("0", "9-17", "1-5"),
        ("7,37", "*/6", "0"),
        ("30", "2", "*"),
        ("15-45/10", "0,23", "6,7"),
        ("59", "23", "3-5/2"),
        ("10/20", "12", "2/2"),
    ] {
        let expected = by_the_calendar(minute, hour, weekday);
        for text in [
            format!("{minute} {hour} * * {weekday}"),
            format!("0 {minute} {hour} * * {weekday}"),
            format!("  0\t{minute}  {hour} * *   {weekday} "),
        ] {
            assert_eq!(by_the_schedule(&cron(&text)), expected, "{text}");
        }
    }
}

#[test]
fn seconds_months_and_days_of_the_month() {
    let next = |text: &str, at: &str| cron(text).next_after(t(at)).unwrap();
    assert_eq!(next("*/30 * * * * *", "2026-03-01T00:00:00Z"), t("2026-03-01T00:00:30Z"));
    assert_eq!(next("0 0 0 1 * *", "2026-03-01T00:00:00Z"), t("2026-04-01T00:00:00Z"));
    assert_eq!(next("0 0 1 4 *", "2026-03-01T00:00:00Z"), t("2026-04-01T00:00:00Z"));
    assert_eq!(next("0 0 0 1 JAN *", "2026-03-01T00:00:00Z"), t("2027-01-01T00:00:00Z"));
    assert_eq!(next("0 0 0 29 2 *", "2026-03-01T00:00:00Z"), t("2028-02-29T00:00:00Z"));
}

#[test]
fn bad_expressions_are_named() {
    for (text, why) in [
        ("", "it has 0 fields, not 5 or 6"),
        ("* * * *", "it has 4 fields, not 5 or 6"),
        ("0 0 0 1 1 * 2026", "it has 7 fields, not 5 or 6"),
        ("0 0 12 * * 8", "`8` is not a weekday: use 0 to 7 (0 and 7 are Sunday) or SUN to SAT"),
        ("0 0 12 * * 1-9", "`9` is not a weekday: use 0 to 7 (0 and 7 are Sunday) or SUN to SAT"),
        ("0 0 12 * * -", "a field is not understood"),
        ("0 0 12 * * 1/0", "bad step in `1/0`"),
        ("0 0 12 * * 1/x", "bad step in `1/x`"),
        ("0 0 12 * * ,", ""),
        ("0 0 12 * * FOO", "'FOO' is not a valid day of the week"),
        ("0 0 12 * * MON#2", ""),
        ("0 0 12 * * 5L", ""),
        ("60 * * * * *", "Seconds must be less than 59. ('60' specified.)"),
        ("0 60 * * * *", ""),
        ("0 0 24 * * *", ""),
        ("0 0 0 32 * *", ""),
        ("0 0 0 0 * *", ""),
        ("0 0 0 * 13 *", ""),
        ("0 */0 * * * *", ""),
        ("every five minutes or so", ""),
        ("0 0 0 30 2 *", "it never comes"),
        ("0 0 0 31 4,6 *", "it never comes"),
    ] {
        let Err(bad) = Schedule::cron(text) else { panic!("`{text}` was taken") };
        assert_eq!(bad.text, text);
        assert!(!bad.why.is_empty() && (why.is_empty() || bad.why == why), "{text}: {}", bad.why);
        assert!(bad.to_string().starts_with(&format!("`{text}` is not a cron expression: ")));
        assert!(!bad.to_string().contains('\n'), "{bad}");
    }
}

#[test]
fn slots() {
    let five = Schedule::Every(TimeDelta::minutes(5));
    let nine = cron("0 0 9 * * 1-5");
    let table = [
        // Exactly on a slot: that one, and the next is the one after.
        (&five, "2026-03-01T12:05:00Z", "2026-03-01T12:05:00Z", "2026-03-01T12:10:00Z"),
        (&five, "2026-03-01T12:05:00.000000001Z", "2026-03-01T12:05:00Z", "2026-03-01T12:10:00Z"),
        (&five, "2026-03-01T12:09:59.999999999Z", "2026-03-01T12:05:00Z", "2026-03-01T12:10:00Z"),
        (&five, "1969-12-31T23:59:59Z", "1969-12-31T23:55:00Z", "1970-01-01T00:00:00Z"),
        (&nine, "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"),
        (&nine, "2026-03-02T09:00:00.5Z", "2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"),
        (&nine, "2026-03-02T08:59:59.999Z", "2026-02-27T09:00:00Z", "2026-03-02T09:00:00Z"),
        (&nine, "2026-03-07T00:00:00Z", "2026-03-06T09:00:00Z", "2026-03-09T09:00:00Z"),
        (&nine, "2026-03-02T09:00:00.000000001Z", "2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"),
    ];
    for (schedule, now, slot, next) in table {
        assert_eq!(schedule.slot(t(now)), Some(t(slot)), "slot at {now}");
        assert_eq!(schedule.next_after(t(now)), Some(t(next)), "next after {now}");
    }
}

#[test]
fn every_is_aligned_to_the_epoch_and_at_least_a_second() {
    let week = Schedule::Every(TimeDelta::days(7));
    // The epoch was a Thursday.
    assert_eq!(week.slot(t("2026-03-01T12:00:00Z")), Some(t("2026-02-26T00:00:00Z")));
    for short in [TimeDelta::zero(), TimeDelta::milliseconds(1), TimeDelta::seconds(-5)] {
        let schedule = Schedule::Every(short);
        assert_eq!(schedule.slot(t("2026-03-01T12:00:00.7Z")), Some(t("2026-03-01T12:00:00Z")));
        assert_eq!(
            schedule.next_after(t("2026-03-01T12:00:00.7Z")),
            Some(t("2026-03-01T12:00:01Z"))
        );
    }
}

#[test]
fn intervals() {
    let at = t("2026-03-06T08:00:00Z");
    assert_eq!(Schedule::Every(TimeDelta::minutes(5)).interval(at), TimeDelta::minutes(5));
    assert_eq!(cron("*/10 * * * *").interval(at), TimeDelta::minutes(10));
    // From Friday to Monday.
    assert_eq!(cron("0 9 * * 1-5").interval(at), TimeDelta::days(3));
    assert_eq!(cron("0 0 0 29 2 *").interval(at), TimeDelta::days(1461));
}

#[test]
fn schedules_are_equal_by_what_was_written() {
    assert_eq!(cron("*/5 * * * *"), cron("*/5 * * * *"));
    assert_ne!(cron("*/5 * * * *"), cron("0 */5 * * * *"));
    assert_ne!(Schedule::Every(TimeDelta::minutes(5)), cron("*/5 * * * *"));
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let field = |from: u32, to: u32| {
        prop_oneof![
            Just("*".to_owned()),
            (from..=to).prop_map(|n| n.to_string()),
            (1..=to.min(30)).prop_map(|n| format!("*/{n}")),
            (from..=to, from..=to).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        ]
    };
    prop_oneof![
        (1..100_000_i64).prop_map(|s| Schedule::Every(TimeDelta::seconds(s))),
        (field(0, 59), field(0, 59), field(0, 23), field(0, 6))
            .prop_map(|(s, m, h, d)| cron(&format!("{s} {m} {h} * * {d}"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slots_do_not_depend_on_when_one_looks(
        schedule in any_schedule(),
        seconds in 1_700_000_000..1_900_000_000_i64,
        nanos in prop_oneof![Just(0), Just(1), Just(999_999_999), 0..1_000_000_000_u32],
    ) {
        let now = Utc.timestamp_opt(seconds, nanos).unwrap();
        let slot = schedule.slot(now).unwrap();
        let next = schedule.next_after(now).unwrap();
        prop_assert!(slot <= now && now < next);
        // Nothing lies between a slot and the next, and each is its own slot.
        prop_assert_eq!(schedule.next_after(slot).unwrap(), next);
        prop_assert_eq!(schedule.slot(slot).unwrap(), slot);
        prop_assert_eq!(schedule.slot(next).unwrap(), next);
        prop_assert_eq!(schedule.slot(next - TimeDelta::nanoseconds(1)).unwrap(), slot);
        prop_assert!(schedule.interval(now) > TimeDelta::zero());
    }

    #[test]
    fn no_text_panics(text in "[-0-9*/,?A-Z ]{0,30}") {
        let _ = Schedule::cron(&text);
    }
}
