//! Instants of a rule test: `"+2m1s"` after its start, or as they are.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;
use std::fmt::Write as _;

/// An instant as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "this is no instant: write \"+2m1s\" after the start, \"-3d\" before it, or 2026-11-22T08:00:00Z"
)]
pub(super) enum Written {
    /// `+5m`, `-3d12h`, or RFC 3339.
    Text(String),
    /// TOML's own.
    Date(toml::value::Datetime),
}

/// A span without a sign: `90s`, `2m1s`, `1h30m`, `250ms`.
pub(super) fn span(text: &str) -> Option<TimeDelta> {
    let mut rest = text;
    let mut total = TimeDelta::zero();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let number: i64 = number.parse().ok().filter(|n| *n <= 1_000_000_000)?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        total += match unit {
            "d" => TimeDelta::try_days(number)?,
            "h" => TimeDelta::try_hours(number)?,
            "m" => TimeDelta::try_minutes(number)?,
            "s" => TimeDelta::try_seconds(number)?,
            "ms" => TimeDelta::try_milliseconds(number)?,
            _ => return None,
        };
        rest = after;
    }
    // Ten years: no rule looks further.
    (total <= TimeDelta::days(3_650)).then_some(total)
}

impl Written {
    /// The instant, where the test begins at `start`; or what was written, where it is none.
    pub(super) fn instant(&self, start: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        match self {
            Self::Text(text) => {
                let relative = match (text.strip_prefix('+'), text.strip_prefix('-')) {
                    (Some(after), _) => span(after).and_then(|s| start.checked_add_signed(s)),
                    (_, Some(before)) => span(before).and_then(|s| start.checked_sub_signed(s)),
                    _ => DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc()),
                };
                relative.ok_or_else(|| text.clone())
            }
            Self::Date(date) => absolute(date).ok_or_else(|| date.to_string()),
        }
    }
}

/// A date with an offset, or a day's beginning in UTC.
pub(super) fn absolute(at: &toml::value::Datetime) -> Option<DateTime<Utc>> {
    if at.time.is_none() {
        let date: chrono::NaiveDate = at.date?.to_string().parse().ok()?;
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(&at.to_string()).ok().map(|t| t.to_utc())
}

/// `+2m1s`, `-3d`: the instant as a test would write it.
pub(super) fn relative(at: DateTime<Utc>, start: DateTime<Utc>) -> String {
    let between = at - start;
    let (sign, mut ms) = match between.num_milliseconds() {
        n if n < 0 => ('-', n.saturating_neg()),
        n => ('+', n),
    };
    let mut out = String::from(sign);
    for (unit, size) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
    {
        if ms >= size {
            // Writing to a text cannot fail.
            let _ = write!(out, "{}{unit}", ms / size);
            ms %= size;
        }
    }
    if out.len() == 1 {
        out.push_str("0s");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_relative_or_absolute() {
        let start: DateTime<Utc> = "2026-11-22T08:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("+0s", Some("2026-11-22T08:00:00Z")),
            ("+2m1s", Some("2026-11-22T08:02:01Z")),
            ("-1d12h", Some("2026-11-20T20:00:00Z")),
            ("+250ms", Some("2026-11-22T08:00:00.250Z")),
            ("2026-01-01T00:00:00+01:00", Some("2025-12-31T23:00:00Z")),
            ("5m", None),
            ("+", None),
            ("+5", None),
            ("+5x", None),
            ("+99999999999999d", None),
        ] {
            let found = Written::Text(text.to_owned()).instant(start).ok();
            assert_eq!(found, expected.map(|e| e.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_written_relative_reads_back() {
        let start: DateTime<Utc> = "2026-11-22T08:00:00Z".parse().unwrap();
        for text in ["+0s", "+2m1s", "-1d12h", "+1d1h1m1s1ms"] {
            let at = Written::Text(text.to_owned()).instant(start).unwrap();
            assert_eq!(relative(at, start), text);
        }
    }
}
