//! Kusto's datetimes and timespans as the query API writes them.

use chrono::{DateTime, NaiveDate, Utc};

/// `2026-01-31T23:59:59.1234567Z`: RFC 3339 with up to nine digits of a second. A million rows hold a million of these, so
/// the usual form is read by position and only others are left to the library.
pub(super) fn datetime(text: &str) -> Option<DateTime<Utc>> {
    usual(text.as_bytes()).or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc()))
}

fn usual(text: &[u8]) -> Option<DateTime<Utc>> {
    let (date, rest) = text.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        *date
    else {
        return None;
    };
    let nanos = match rest {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            let places = u32::try_from(9 - digits.len()).ok()?;
            number(digits)? * 10_u32.pow(places)
        }
        _ => return None,
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?
        .and_hms_nano_opt(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?, nanos)
        .map(|t| t.and_utc())
}

/// At most nine decimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |n, digit| {
        digit.is_ascii_digit().then(|| n * 10 + u32::from(digit - b'0'))
    })
}

/// .NET's constant form `[-][d.]hh:mm:ss[.fffffff]`, in ticks of 100 ns.
pub(super) fn timespan(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.split(':');
    let (first, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = first.split_once('.').unwrap_or(("0", first));
    let (seconds, fraction) = match seconds.split_once('.') {
        Some((_, fraction)) if !(1..=7).contains(&fraction.len()) => return None,
        Some((seconds, fraction)) => (seconds, fraction),
        None => (seconds, ""),
    };
    let two = |text: &str, limit: u32| {
        number(text.as_bytes()).filter(|n| text.len() == 2 && *n < limit).map(i128::from)
    };
    let days = i128::from(number(days.as_bytes()).filter(|_| (1..=8).contains(&days.len()))?);
    let (h, m, s) = (two(hours, 24)?, two(minutes, 60)?, two(seconds, 60)?);
    let fraction = i128::from(number(fraction.as_bytes())?)
        * 10_i128.pow(u32::try_from(7 - fraction.len()).ok()?);
    let ticks = (((days * 24 + h) * 60 + m) * 60 + s) * 10_000_000 + fraction;
    i64::try_from(if negative { -ticks } else { ticks }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::row::{Value, ticks_text};
    use proptest::prelude::*;

    #[test]
    fn datetimes() {
        for (text, expected) in [
            ("2015-12-31T23:59:59.9Z", Some("2015-12-31T23:59:59.9000000Z")),
            ("2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00.0000000Z")),
            ("2026-01-01T00:00:00.1234567Z", Some("2026-01-01T00:00:00.1234567Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00.0000000Z")),
            ("9999-12-31T23:59:59.9999999Z", Some("9999-12-31T23:59:59.9999999Z")),
            ("2026-01-01T02:00:00+02:00", Some("2026-01-01T00:00:00.0000000Z")),
            ("2026-02-30T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01", None),
            ("", None),
            ("éééééééééééééééééééé", None),
        ] {
            assert_eq!(datetime(text).map(ticks_text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn timespans() {
        for (text, expected) in [
            ("00:00:10", Some(100_000_000)),
            ("1.02:03:04.5000000", Some(937_845_000_000)),
            ("-00:00:00.0000001", Some(-1)),
            ("00:00:01.5", Some(15_000_000)),
            ("10675199.02:48:05.4775807", Some(i64::MAX)),
            ("-10675199.02:48:05.4775808", Some(i64::MIN)),
            ("10675199.02:48:05.4775808", None),
            ("24:00:00", None),
            ("00:60:00", None),
            ("1:2:3", None),
            ("00:00", None),
            ("00:00:00:00", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(timespan(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_kusto_writes(seconds in -62_135_596_800_i64..253_402_300_799, ticks in 0_u32..10_000_000) {
            let t = DateTime::from_timestamp(seconds, ticks * 100).unwrap();
            prop_assert_eq!(datetime(&ticks_text(t)), Some(t));
        }

        #[test]
        fn timespan_round_trips(ticks: i64) {
            prop_assert_eq!(timespan(&Value::Timespan(ticks).text()), Some(ticks));
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = (datetime(&text), timespan(&text));
        }
    }
}
