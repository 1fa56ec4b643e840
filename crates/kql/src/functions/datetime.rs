//! Time: now, the parts of a datetime, the starts and ends of periods, differences.

use super::{Args, Eval, Function, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::time::{self, DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, UNIX_EPOCH};
use crate::value::{Type, Value};
use std::fmt::Write as _;
use std::sync::Arc;

const DATETIME: Takes = Takes::Is(Type::Datetime);
const LONG: Takes = Takes::Is(Type::Long);
const TEXT: Takes = Takes::Is(Type::String);
const REAL: Takes = Takes::Is(Type::Real);
const PERIOD: &[Signature] = &[Signature::new(&[DATETIME, LONG], Type::Datetime).from(1)];
const PART: &[Signature] = &[Signature::new(&[DATETIME], Type::Int)];
const EPOCH: &[Signature] = &[Signature::new(&[LONG], Type::Datetime)];

macro_rules! period {
    ($name:literal, $unit:expr, $end:expr) => {
        Function::plain($name, PERIOD, |args| {
            let offset = if args.len() > 1 { args.long(1)? } else { 0 };
            boundary(args.datetime(0)?, $unit, offset, $end)
        })
    };
}

macro_rules! part {
    ($name:literal, $of:expr) => {
        Function::plain($name, PART, |args| {
            let of: fn(i64) -> i64 = $of;
            args.datetime(0).map(|t| Value::Int(num::wrap_int(of(t))))
        })
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::made(
        "now",
        &[Signature::new(&[Takes::Is(Type::Timespan)], Type::Datetime).from(0)],
        |p| {
            let now = p.now;
            Ok(Arc::new(move |args| {
                let offset = if args.is_empty() { Some(0) } else { args.timespan(0) };
                Value::from(
                    offset.and_then(|o| time::checked(now.checked_add(o)?)).map(Value::Datetime),
                )
            }))
        },
    ),
    Function::made("ago", &[Signature::new(&[Takes::Is(Type::Timespan)], Type::Datetime)], |p| {
        let now = p.now;
        Ok(Arc::new(move |args| {
            Value::from(
                args.timespan(0)
                    .and_then(|o| time::checked(now.checked_sub(o)?))
                    .map(Value::Datetime),
            )
        }))
    }),
    period!("startofday", Unit::Ticks(DAY), false).named(Naming::First),
    period!("startofweek", Unit::Week, false).named(Naming::First),
    period!("startofmonth", Unit::Months(1), false).named(Naming::First),
    period!("startofyear", Unit::Months(12), false).named(Naming::First),
    period!("endofday", Unit::Ticks(DAY), true),
    period!("endofweek", Unit::Week, true),
    period!("endofmonth", Unit::Months(1), true),
    period!("endofyear", Unit::Months(12), true),
    part!("hourofday", |t| t.rem_euclid(DAY) / HOUR),
    part!("dayofmonth", |t| time::date_of(t).day),
    part!("dayofyear", day_of_year),
    part!("monthofyear", |t| time::date_of(t).month),
    part!("getmonth", |t| time::date_of(t).month),
    part!("getyear", |t| time::date_of(t).year),
    Function::plain("dayofweek", &[Signature::new(&[DATETIME], Type::Timespan)], |args| {
        args.datetime(0).map(|t| Value::Timespan(time::day_of_week(t) * DAY))
    }),
    Function::made(
        "datetime_diff",
        &[Signature::new(&[TEXT, DATETIME, DATETIME], Type::Long)],
        |p| {
            with_unit(p, |unit| {
                Arc::new(move |args| Value::from(diff(unit, args.datetime(1), args.datetime(2))))
            })
        },
    ),
    Function::made(
        "datetime_add",
        &[Signature::new(&[TEXT, Takes::Integer, DATETIME], Type::Datetime)],
        |p| {
            with_unit(p, |unit| {
                Arc::new(move |args| Value::from(add(unit, args.long(1), args.datetime(2))))
            })
        },
    ),
    Function::plain(
        "make_datetime",
        &[Signature::new(&[LONG, LONG, LONG, LONG, LONG, REAL], Type::Datetime).from(3)],
        make_datetime,
    ),
    Function::plain("unixtime_seconds_todatetime", EPOCH, |args| epoch(args, SECOND)),
    Function::plain("unixtime_milliseconds_todatetime", EPOCH, |args| epoch(args, MILLISECOND)),
    Function::plain("unixtime_microseconds_todatetime", EPOCH, |args| epoch(args, MICROSECOND)),
    Function::made("format_datetime", &[Signature::new(&[DATETIME, TEXT], Type::String)], |p| {
        let Some(Some(format)) = p.consts.get(1) else {
            return Err(Refusal::Unsupported(
                "format_datetime() with a format that is not a constant".to_owned(),
            ));
        };
        let parts = format_parts(&format.text())
            .ok_or_else(|| Refusal::Unsupported(format!("the format `{format}`")))?;
        Ok(Arc::new(move |args| {
            Value::from(args.datetime(0).map_or_else(String::new, |t| format_datetime(&parts, t)))
        }))
    })
    .named(Naming::First),
];

/// A span of the calendar.
#[derive(Clone, Copy)]
enum Unit {
    Ticks(i64),
    /// From Sunday.
    Week,
    Months(i64),
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
        _ => return None,
    })
}

fn with_unit(prepare: &Prepare<'_>, make: fn(Unit) -> Eval) -> Made {
    let Some(Some(name)) = prepare.consts.first() else {
        return Err(Refusal::Argument(0, "KS129", "The expression must be a constant".to_owned()));
    };
    unit_named(&name.text()).map(make).ok_or_else(|| {
        let message = format!(
            "`{name}` is not a period: year, quarter, month, week, day, hour, minute, second …"
        );
        Refusal::Argument(0, crate::diagnostics::BAD_LITERAL, message)
    })
}

/// The first tick of the period, or of the next but `offset`, or the last one.
fn boundary(ticks: i64, unit: Unit, offset: i64, end: bool) -> Option<Value> {
    let start = match unit {
        Unit::Ticks(size) => ticks - ticks.rem_euclid(size),
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
    };
    time::checked(next - i64::from(end)).map(Value::Datetime)
}

fn day_of_year(ticks: i64) -> i64 {
    let date = time::date_of(ticks);
    let start = time::from_date(date.year, 1, 1).unwrap_or(ticks);
    (ticks - start) / DAY + 1
}

/// How many boundaries of the period lie between the two.
fn diff(unit: Unit, a: Option<i64>, b: Option<i64>) -> Option<Value> {
    let (a, b) = (a?, b?);
    let index = |t: i64| match unit {
        Unit::Ticks(size) => t.div_euclid(size),
        Unit::Week => (t.div_euclid(DAY) + 1).div_euclid(7),
        Unit::Months(months) => {
            let date = time::date_of(t);
            (date.year * 12 + date.month - 1).div_euclid(months)
        }
    };
    Some(Value::Long(index(a) - index(b)))
}

fn add(unit: Unit, count: Option<i64>, ticks: Option<i64>) -> Option<Value> {
    let (count, ticks) = (count?, ticks?);
    let moved = match unit {
        Unit::Ticks(size) => ticks.checked_add(count.checked_mul(size)?)?,
        Unit::Week => ticks.checked_add(count.checked_mul(7 * DAY)?)?,
        Unit::Months(months) => time::add_months(ticks, count.checked_mul(months)?)?,
    };
    time::checked(moved).map(Value::Datetime)
}

fn make_datetime(args: &[Value]) -> Option<Value> {
    let date = time::from_date(args.long(0)?, args.long(1)?, args.long(2)?)?;
    let field = |at: usize, limit: i64| {
        if args.len() > at { args.long(at).filter(|v| (0..limit).contains(v)) } else { Some(0) }
    };
    let seconds = if args.len() > 5 { args.real(5)? } else { 0.0 };
    let ticks = num::real_to_long((seconds * num::long_to_real(SECOND)).round())?;
    let time = (0..MINUTE).contains(&ticks).then_some(ticks)?;
    Some(Value::Datetime(date + field(3, 24)? * HOUR + field(4, 60)? * MINUTE + time))
}

fn epoch(args: &[Value], unit: i64) -> Option<Value> {
    let ticks = args.long(0)?.checked_mul(unit)?.checked_add(UNIX_EPOCH)?;
    time::checked(ticks).map(Value::Datetime)
}

/// A run of one letter, or text between.
enum Part {
    Text(char),
    Field(char, usize),
}

fn format_parts(format: &str) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for c in format.chars() {
        match (parts.last_mut(), c) {
            (Some(Part::Field(last, len)), _) if *last == c => *len += 1,
            (_, 'd' | 'f' | 'F' | 'h' | 'H' | 'm' | 'M' | 's' | 'y' | 't') => {
                parts.push(Part::Field(c, 1));
            }
            (_, ' ' | '/' | '-' | ':' | ',' | '.' | '_' | '[' | ']') => parts.push(Part::Text(c)),
            _ => return None,
        }
    }
    let valid = parts.iter().all(|part| match part {
        Part::Text(_) => true,
        Part::Field('f' | 'F', len) => *len <= 7,
        Part::Field('y', len) => matches!(len, 2 | 4),
        Part::Field('t', len) => *len == 2,
        Part::Field(_, len) => *len <= 2,
    });
    valid.then_some(parts)
}

fn format_datetime(parts: &[Part], ticks: i64) -> String {
    let date = time::date_of(ticks);
    let t = ticks.rem_euclid(DAY);
    let hour = t / HOUR;
    let mut out = String::new();
    for part in parts {
        let (letter, len) = match part {
            Part::Text(c) => {
                out.push(*c);
                continue;
            }
            Part::Field(letter, len) => (*letter, *len),
        };
        let number = match letter {
            'y' if len == 2 => date.year % 100,
            'y' => date.year,
            'M' => date.month,
            'd' => date.day,
            'H' => hour,
            'h' => (hour + 11) % 12 + 1,
            'm' => t % HOUR / MINUTE,
            's' => t % MINUTE / SECOND,
            't' => {
                out.push_str(if hour < 12 { "AM" } else { "PM" });
                continue;
            }
            _ => {
                let all = format!("{:07}", t % SECOND);
                let kept: String = all.chars().take(len).collect();
                out.push_str(if letter == 'F' { kept.trim_end_matches('0') } else { &kept });
                continue;
            }
        };
        let _ = write!(out, "{number:0>len$}");
    }
    out
}
