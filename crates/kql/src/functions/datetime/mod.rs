//! Time: now, the parts of a datetime, the starts and ends of periods, differences.

mod format;
mod periods;
#[cfg(feature = "timezones")]
mod zones;

use super::math::decimal;
use super::{Args, Function, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::time::{self, DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, UNIX_EPOCH};
use crate::value::{Decimal, Type, Value};
use periods::{Unit, add, boundary, day_of_year, diff, part, week_of_year, with_unit};
use std::sync::Arc;

const DATETIME: Takes = Takes::Is(Type::Datetime);
const LONG: Takes = Takes::Is(Type::Long);
const TEXT: Takes = Takes::Is(Type::String);
const REAL: Takes = Takes::Is(Type::Real);
const PERIOD: &[Signature] = &[Signature::new(&[DATETIME, LONG], Type::Datetime).from(1)];
const PART: &[Signature] = &[Signature::new(&[DATETIME], Type::Int)];
const EPOCH: &[Signature] = &[Signature::new(&[Takes::Number], Type::Datetime)];
const NAMED_PART: &[Signature] = &[Signature::new(&[TEXT, DATETIME], Type::Int)];
const BIN_AT: &[Signature] = &[
    Signature::new(&[Takes::Integer, Takes::Integer, Takes::Integer], Type::Long),
    Signature::new(&[REAL, REAL, REAL], Type::Real),
    Signature::new(&[Takes::Number, Takes::Number, Takes::Number], Type::Decimal),
    Signature::new(
        &[Takes::Is(Type::Timespan), Takes::Is(Type::Timespan), Takes::Is(Type::Timespan)],
        Type::Timespan,
    ),
    Signature::new(&[DATETIME, Takes::Is(Type::Timespan), DATETIME], Type::Datetime),
];
#[cfg(feature = "timezones")]
const ZONED: &[Signature] = &[Signature::new(&[DATETIME, TEXT], Type::Datetime)];

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
    period!("startofweek", Unit::Week, false),
    period!("startofmonth", Unit::Months(1), false),
    period!("startofyear", Unit::Months(12), false),
    period!("endofday", Unit::Ticks(DAY), true),
    period!("endofweek", Unit::Week, true),
    period!("endofmonth", Unit::Months(1), true),
    period!("endofyear", Unit::Months(12), true),
    part!("hourofday", |t| t.rem_euclid(DAY) / HOUR),
    part!("dayofmonth", |t| time::date_of(t).day),
    part!("dayofyear", day_of_year),
    part!("monthofyear", |t| time::date_of(t).month),
    part!("week_of_year", week_of_year),
    part!("weekofyear", week_of_year),
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
    Function::made("datetime_part", NAMED_PART, named_part),
    Function::made("datepart", NAMED_PART, named_part),
    Function::made(
        "make_datetime",
        &[
            Signature::new(&[Takes::Scalar, LONG], Type::Datetime).from(1),
            Signature::new(&[LONG, LONG, LONG], Type::Datetime),
            Signature::new(&[LONG, LONG, LONG, LONG, LONG], Type::Datetime),
            Signature::new(&[LONG, LONG, LONG, LONG, LONG, REAL], Type::Datetime),
        ],
        |p| {
            if p.types.len() < 3 {
                let what = "make_datetime() without year, month and day".to_owned();
                return Err(Refusal::Unsupported(what));
            }
            Ok(Arc::new(|args| Value::from(make_datetime(args))))
        },
    ),
    Function::plain(
        "make_timespan",
        &[
            Signature::new(&[LONG, LONG], Type::Timespan),
            Signature::new(&[LONG, LONG, REAL], Type::Timespan),
            Signature::new(&[LONG, LONG, LONG, REAL], Type::Timespan),
        ],
        make_timespan,
    ),
    Function::plain("unixtime_seconds_todatetime", EPOCH, |args| epoch(args, SECOND)),
    Function::plain("unixtime_milliseconds_todatetime", EPOCH, |args| epoch(args, MILLISECOND)),
    Function::plain("unixtime_microseconds_todatetime", EPOCH, |args| epoch(args, MICROSECOND)),
    Function::plain("unixtime_nanoseconds_todatetime", EPOCH, |args| {
        let ticks = match args.value(0) {
            Value::Real(v) => num::real_to_long((v / 100.0).round())?,
            other => whole(other)?.div_euclid(100),
        };
        time::checked(ticks.checked_add(UNIX_EPOCH)?).map(Value::Datetime)
    }),
    Function::made("format_datetime", &[Signature::new(&[DATETIME, TEXT], Type::String)], |p| {
        let parts = format::of_datetimes(format_text(p)?)?;
        Ok(Arc::new(move |args| {
            Value::from(args.datetime(0).map_or_else(String::new, |t| format::datetime(&parts, t)))
        }))
    })
    .named(Naming::First),
    Function::made(
        "format_timespan",
        &[Signature::new(&[Takes::Is(Type::Timespan), TEXT], Type::String)],
        |p| {
            let parts = format::of_timespans(format_text(p)?)?;
            Ok(Arc::new(move |args| {
                let text = args.timespan(0).map(|t| format::timespan(&parts, t));
                Value::from(text.unwrap_or_default())
            }))
        },
    )
    .named(Naming::First),
    Function::plain("bin_at", BIN_AT, bin_at).named(Naming::First),
    #[cfg(feature = "timezones")]
    Function::made("datetime_utc_to_local", ZONED, |p| zones::convert(p, zones::to_local)),
    #[cfg(feature = "timezones")]
    Function::made("datetime_local_to_utc", ZONED, |p| zones::convert(p, zones::to_utc)),
    #[cfg(feature = "timezones")]
    Function::plain("datetime_list_timezones", &[Signature::new(&[], Type::Dynamic)], |_| {
        Some(Value::from_json(zones::names().into()))
    }),
];

/// The format, which has to be there before the rows.
fn format_text<'a>(prepare: &'a Prepare<'_>) -> Result<&'a str, Refusal> {
    prepare
        .consts
        .get(1)
        .and_then(|c| c.as_ref()?.as_str())
        .ok_or_else(|| Refusal::Argument(1, "KS131", "The expression must be a literal".to_owned()))
}

fn named_part(prepare: &Prepare<'_>) -> Made {
    let name = periods::literal(prepare)?;
    let part = part(&name).ok_or_else(|| {
        let message = "The expression must be one of the values: year, quarter, month, week_of_year, day, \
                       dayofyear, hour, minute, second, millisecond, microsecond or nanosecond";
        Refusal::Argument(0, "KS140", message.to_owned())
    })?;
    Ok(Arc::new(move |args| {
        Value::from(args.datetime(1).map(|t| Value::Int(num::wrap_int(part(t)))))
    }))
}

fn make_datetime(args: &[Value]) -> Option<Value> {
    let date = time::from_date(args.long(0)?, args.long(1)?, args.long(2)?)?;
    let time = match args.len() {
        3 => 0,
        5 => clock(args.long(3)?, args.long(4)?, 0.0)?,
        _ => clock(args.long(3)?, args.long(4)?, args.real(5)?)?,
    };
    Some(Value::Datetime(date + time))
}

/// A whole number of any type.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Decimal(v) => v.to_long(),
        other => other.as_long(),
    }
}

fn epoch(args: &[Value], unit: i64) -> Option<Value> {
    let ticks = match args.value(0) {
        Value::Real(v) => num::real_to_long((v * num::long_to_real(unit)).round())?,
        other => whole(other)?.checked_mul(unit)?,
    };
    time::checked(ticks.checked_add(UNIX_EPOCH)?).map(Value::Datetime)
}

/// A time from its parts, the last of them seconds.
fn clock(hour: i64, minute: i64, seconds: f64) -> Option<i64> {
    let ticks = num::real_to_long((seconds * num::long_to_real(SECOND)).round())?;
    let valid =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0..MINUTE).contains(&ticks);
    valid.then_some(hour * HOUR + minute * MINUTE + ticks)
}

fn make_timespan(args: &[Value]) -> Option<Value> {
    let (days, hour, minute, seconds) = match args.len() {
        2 => (0, args.long(0)?, args.long(1)?, 0.0),
        3 => (0, args.long(0)?, args.long(1)?, args.real(2)?),
        _ => (args.long(0)?, args.long(1)?, args.long(2)?, args.real(3)?),
    };
    let time = clock(hour, minute, seconds)?;
    days.checked_mul(DAY)?.checked_add(time).map(Value::Timespan)
}

/// Counted from the fixed point, down. No bin of zero or less.
fn bin_at(args: &[Value]) -> Option<Value> {
    let whole = |value: i64, size: i64, from: i64| {
        let rest = i128::from(value) - i128::from(from);
        let rest = rest.checked_rem_euclid(i128::from(size)).filter(|_| size > 0)?;
        i64::try_from(i128::from(value) - rest).ok()
    };
    match (args.value(0), args.value(1), args.value(2)) {
        (Value::Datetime(v), Value::Timespan(size), Value::Datetime(from)) => {
            time::checked(whole(*v, *size, *from)?).map(Value::Datetime)
        }
        (Value::Timespan(v), Value::Timespan(size), Value::Timespan(from)) => {
            whole(*v, *size, *from).map(Value::Timespan)
        }
        (v, size, from) if [v, size, from].iter().any(|n| matches!(n, Value::Decimal(_))) => {
            let (v, size, from) = (decimal(v)?, decimal(size)?, decimal(from)?);
            let count =
                v.sub(&from)?.div(&size).filter(|_| size.order(&Decimal::from_long(0)).is_gt())?;
            count.floor()?.mul(&size)?.add(&from).map(Value::Decimal)
        }
        (v, size, from) => {
            if let (Some(v), Some(size), Some(from)) = (v.as_long(), size.as_long(), from.as_long())
            {
                return whole(v, size, from).map(Value::Long);
            }
            let (v, size, from) = (v.as_real()?, size.as_real()?, from.as_real()?);
            (size > 0.0).then(|| Value::Real(((v - from) / size).floor() * size + from))
        }
    }
}
