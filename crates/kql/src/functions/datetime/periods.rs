//! Spans of the calendar: their starts and ends, how many lie between, and the parts of a datetime.

use crate::functions::{Eval, Made, Prepare, Refusal};
use crate::time::{self, DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND};
use crate::value::Value;
use std::sync::Arc;

/// A span of the calendar.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Ticks(i64),
    /// From Sunday.
    Week,
    Months(i64),
    /// A hundredth of a tick.
    Nanosecond,
}

fn unit_named(name: &str) -> Option<Unit> {
    Some(match name.to_ascii_lowercase().as_str() {
        "year" => Unit::Months(12),
        "quarter" => Unit::Months(3),
        "month" => Unit::Months(1),
        "week" => Unit::Week,
        "day" => Unit::Ticks(DAY),
        "hour" => Unit::Ticks(HOUR),
        "minute" => Unit::Ticks(MINUTE),
        "second" => Unit::Ticks(SECOND),
        "millisecond" => Unit::Ticks(MILLISECOND),
        "microsecond" => Unit::Ticks(MICROSECOND),
        "nanosecond" => Unit::Nanosecond,
        _ => return None,
    })
}

/// The first argument, which has to be there before the rows.
pub(super) fn literal(prepare: &Prepare<'_>) -> Result<Arc<str>, Refusal> {
    let name = prepare.consts.first().and_then(Option::as_ref);
    name.map(Value::text)
        .ok_or_else(|| Refusal::Argument(0, "KS131", "The expression must be a literal".to_owned()))
}

pub(super) fn with_unit(prepare: &Prepare<'_>, make: fn(Unit) -> Eval) -> Made {
    unit_named(&literal(prepare)?).map(make).ok_or_else(|| {
        let message = "The expression must be one of the values: year, quarter, month, week, day, hour, minute, \
                       second, millisecond, microsecond or nanosecond";
        Refusal::Argument(0, "KS140", message.to_owned())
    })
}

/// The first tick of the period, or of the next but `offset`, or the last one.
pub(super) fn boundary(ticks: i64, unit: Unit, offset: i64, end: bool) -> Option<Value> {
    let start = match unit {
        Unit::Ticks(size) => ticks - ticks.rem_euclid(size),
        Unit::Nanosecond => ticks,
        Unit::Week => time::start_of_day(ticks) - time::day_of_week(ticks) * DAY,
        Unit::Months(months) => {
            let date = time::date_of(ticks);
            time::from_date(date.year, (date.month - 1) / months * months + 1, 1)?
        }
    };
    let shift = offset.checked_add(i64::from(end))?;
    // The last tick of year 9999 ends where no datetime starts.
    let next = match (unit, end) {
        (Unit::Months(months), _) => match time::add_months(start, shift.checked_mul(months)?) {
            None if end && time::date_of(start).year == 9999 && offset == 0 => {
                time::MAX_DATETIME + 1
            }
            other => other?,
        },
        (Unit::Ticks(size), _) => start.checked_add(shift.checked_mul(size)?)?,
        (Unit::Week, _) => start.checked_add(shift.checked_mul(7 * DAY)?)?,
        (Unit::Nanosecond, _) => return None,
    };
    time::checked(next - i64::from(end)).map(Value::Datetime)
}

pub(super) fn day_of_year(ticks: i64) -> i64 {
    let date = time::date_of(ticks);
    let start = time::from_date(date.year, 1, 1).unwrap_or(ticks);
    (ticks - start) / DAY + 1
}

/// How many boundaries of the period lie between the two.
pub(super) fn diff(unit: Unit, a: Option<i64>, b: Option<i64>) -> Option<Value> {
    let (a, b) = (a?, b?);
    let index = |t: i64| match unit {
        Unit::Ticks(size) => t.div_euclid(size),
        Unit::Nanosecond => t,
        Unit::Week => (t.div_euclid(DAY) + 1).div_euclid(7),
        Unit::Months(months) => {
            let date = time::date_of(t);
            (date.year * 12 + date.month - 1).div_euclid(months)
        }
    };
    let count = index(a) - index(b);
    // Ticks as nanoseconds wrap past three centuries.
    let nano = matches!(unit, Unit::Nanosecond);
    Some(Value::Long(if nano { count.wrapping_mul(100) } else { count }))
}

pub(super) fn add(unit: Unit, count: Option<i64>, ticks: Option<i64>) -> Option<Value> {
    let (count, ticks) = (count?, ticks?);
    let moved = match unit {
        Unit::Ticks(size) => ticks.checked_add(count.checked_mul(size)?)?,
        Unit::Nanosecond => ticks.checked_add(count / 100)?,
        Unit::Week => ticks.checked_add(count.checked_mul(7 * DAY)?)?,
        Unit::Months(months) => time::add_months(ticks, count.checked_mul(months)?)?,
    };
    time::checked(moved).map(Value::Datetime)
}

/// ISO 8601: weeks start on Monday, the first one has the year's first Thursday.
pub(super) fn week_of_year(ticks: i64) -> i64 {
    let monday = (time::day_of_week(ticks) + 6) % 7;
    let thursday = time::start_of_day(ticks) + (3 - monday) * DAY;
    // Only the last days of 9999 could leave the calendar, and they are a Friday's week.
    (day_of_year(thursday) - 1) / 7 + 1
}

/// A part of a datetime by its name.
pub(super) fn part(name: &str) -> Option<fn(i64) -> i64> {
    Some(match name.to_ascii_lowercase().as_str() {
        "year" => |t| time::date_of(t).year,
        "quarter" => |t| (time::date_of(t).month + 2) / 3,
        "month" => |t| time::date_of(t).month,
        "week_of_year" => week_of_year,
        "day" => |t| time::date_of(t).day,
        "dayofyear" => day_of_year,
        "hour" => |t| t.rem_euclid(DAY) / HOUR,
        "minute" => |t| t.rem_euclid(HOUR) / MINUTE,
        "second" => |t| t.rem_euclid(MINUTE) / SECOND,
        "millisecond" => |t| t.rem_euclid(SECOND) / MILLISECOND,
        "microsecond" => |t| t.rem_euclid(SECOND) / MICROSECOND,
        "nanosecond" => |t| t.rem_euclid(SECOND) * 100,
        _ => return None,
    })
}
