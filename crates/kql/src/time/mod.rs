//! Datetime and timespan as ticks of 100 ns, their calendar and their text.

mod parse;

pub use parse::{parse_datetime, parse_timespan};
pub(crate) use parse::{parse_units, unit};

/// Ticks of one microsecond.
pub const MICROSECOND: i64 = 10;
/// Ticks of one millisecond.
pub const MILLISECOND: i64 = 10_000;
/// Ticks of one second.
pub const SECOND: i64 = 10_000_000;
/// Ticks of one minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Ticks of one hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Ticks of one day.
pub const DAY: i64 = 24 * HOUR;
/// The last datetime: 9999-12-31T23:59:59.9999999Z.
pub const MAX_DATETIME: i64 = 3_155_378_975_999_999_999;
/// 1970-01-01 as ticks.
pub const UNIX_EPOCH: i64 = 621_355_968_000_000_000;

/// Year, month, day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

/// Ticks that are a datetime, or nothing.
pub(crate) fn checked(ticks: i64) -> Option<i64> {
    (0..=MAX_DATETIME).contains(&ticks).then_some(ticks)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 0001-01-01 of a date of the proleptic Gregorian calendar.
fn days_from_date(date: Date) -> i64 {
    // The year starts in March, so that the leap day is its last.
    let y = if date.month <= 2 { date.year - 1 } else { date.year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let shifted = (date.month + 9) % 12;
    let doy = (153 * shifted + 2) / 5 + date.day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 306
}

fn date_from_days(days: i64) -> Date {
    let z = days + 306;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let shifted = (5 * doy + 2) / 153;
    let day = doy - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + yoe + i64::from(month <= 2);
    Date { year, month, day }
}

/// The date of a datetime.
pub(crate) fn date_of(ticks: i64) -> Date {
    date_from_days(ticks.div_euclid(DAY))
}

/// Midnight of a date, or nothing where there is no such date.
pub(crate) fn from_date(year: i64, month: i64, day: i64) -> Option<i64> {
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| days_from_date(Date { year, month, day }) * DAY)
}

/// Midnight of the same day.
pub(crate) fn start_of_day(ticks: i64) -> i64 {
    ticks - ticks.rem_euclid(DAY)
}

/// Days since Sunday.
pub(crate) fn day_of_week(ticks: i64) -> i64 {
    // 0001-01-01 was a Monday.
    (ticks.div_euclid(DAY) + 1).rem_euclid(7)
}

/// The same time of day `months` later, the day cut to the length of the month.
pub(crate) fn add_months(ticks: i64, months: i64) -> Option<i64> {
    let date = date_of(ticks);
    let total = date.year.checked_mul(12)?.checked_add(date.month - 1)?.checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let day = date.day.min(days_in_month(year, month));
    checked(from_date(year, month, day)? + ticks.rem_euclid(DAY))
}

/// `2026-11-22T08:00:00.0000000Z`.
pub fn format_datetime(ticks: i64) -> String {
    let Date { year, month, day } = date_of(ticks);
    let t = ticks.rem_euclid(DAY);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:07}Z",
        t / HOUR,
        t % HOUR / MINUTE,
        t % MINUTE / SECOND,
        t % SECOND
    )
}

/// `[-][d.]hh:mm:ss[.fffffff]`.
pub fn format_timespan(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let t = i128::from(ticks).abs();
    let (day, hour, minute, second) =
        (i128::from(DAY), i128::from(HOUR), i128::from(MINUTE), i128::from(SECOND));
    let days = if t >= day { format!("{}.", t / day) } else { String::new() };
    let fraction = if t % second == 0 { String::new() } else { format!(".{:07}", t % second) };
    format!(
        "{sign}{days}{:02}:{:02}:{:02}{fraction}",
        t % day / hour,
        t % hour / minute,
        t % minute / second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_ticks_agree() {
        assert_eq!(from_date(1, 1, 1), Some(0));
        assert_eq!(from_date(1970, 1, 1), Some(UNIX_EPOCH));
        assert_eq!(from_date(9999, 12, 31).map(|t| t + DAY - 1), Some(MAX_DATETIME));
        assert_eq!(from_date(2023, 2, 29), None);
        for day in (0..3_652_059).step_by(37) {
            let d = date_from_days(day);
            assert_eq!(days_from_date(d), day, "{d:?}");
        }
    }

    #[test]
    fn datetime_text() {
        for (text, shown) in [
            ("2026-11-22", "2026-11-22T00:00:00.0000000Z"),
            ("2026-11-22T08:00Z", "2026-11-22T08:00:00.0000000Z"),
            ("2026-11-22 08:00:01.5", "2026-11-22T08:00:01.5000000Z"),
            ("2026-11-22T08:00:59.9999999Z", "2026-11-22T08:00:59.9999999Z"),
            ("2026-11-22T08:00:00+02:00", "2026-11-22T06:00:00.0000000Z"),
            ("2026", "2026-01-01T00:00:00.0000000Z"),
        ] {
            assert_eq!(parse_datetime(text).map(format_datetime).as_deref(), Some(shown), "{text}");
        }
        for bad in
            ["", "x", "2026-13-01", "2026-11-22T25:00", "2026-11-22T", "0000-01-01", "2026-11-22Tx"]
        {
            assert_eq!(parse_datetime(bad), None, "{bad}");
        }
    }

    #[test]
    fn timespan_text() {
        for (text, ticks) in [
            ("00:00:01", SECOND),
            ("1.02:03:04", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND),
            ("-1.00:00:00.0000001", -DAY - 1),
            ("2", 2 * DAY),
            ("1.5h", 90 * MINUTE),
            ("15 seconds", 15 * SECOND),
        ] {
            assert_eq!(parse_timespan(text), Some(ticks), "{text}");
        }
        assert_eq!(format_timespan(-DAY - 1), "-1.00:00:00.0000001");
        assert_eq!(format_timespan(i64::MIN), "-10675199.02:48:05.4775808");
        assert_eq!(parse_timespan("25:00:00"), None);
    }
}
