//! Parts of datetimes, timespans made and shown, bins from a point of one's own.

use super::{Args, Function, Gives, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::time::{self, DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, UNIX_EPOCH};
use crate::value::{Type, Value};
use std::fmt::Write as _;
use std::sync::Arc;

const DATETIME: Takes = Takes::Is(Type::Datetime);
const TIMESPAN: Takes = Takes::Is(Type::Timespan);
const TEXT: Takes = Takes::Is(Type::String);
const LONG: Takes = Takes::Integer;
const REAL: Takes = Takes::Is(Type::Real);
const PART: &[Signature] = &[Signature::new(&[TEXT, DATETIME], Type::Int)];
const WEEK: &[Signature] = &[Signature::new(&[DATETIME], Type::Int)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::made("datetime_part", PART, part),
    Function::made("datepart", PART, part),
    Function::plain("week_of_year", WEEK, |args| {
        args.datetime(0).map(|t| Value::Int(num::wrap_int(iso_week(t))))
    }),
    Function::plain(
        "unixtime_nanoseconds_todatetime",
        &[Signature::new(&[LONG], Type::Datetime)],
        |args| {
            let ticks = args.long(0)?.div_euclid(100).checked_add(UNIX_EPOCH)?;
            time::checked(ticks).map(Value::Datetime)
        },
    ),
    Function::plain(
        "make_timespan",
        &[
            Signature::new(&[LONG, LONG], Type::Timespan),
            Signature::new(&[LONG, LONG, REAL], Type::Timespan),
            Signature::new(&[LONG, LONG, LONG, REAL], Type::Timespan),
        ],
        |args| {
            let with_days = args.len() > 3;
            let at = usize::from(with_days);
            let days = if with_days { args.long(0)? } else { 0 };
            let (hours, minutes) = (args.long(at)?, args.long(at + 1)?);
            let seconds = if args.len() > 2 { args.real(at + 2)? } else { 0.0 };
            let inside = days >= 0
                && (0..24).contains(&hours)
                && (0..60).contains(&minutes)
                && (0.0..60.0).contains(&seconds);
            let ticks = num::real_to_long((seconds * num::long_to_real(SECOND)).round())?;
            let whole = days.checked_mul(DAY)?.checked_add(hours * HOUR + minutes * MINUTE)?;
            inside.then(|| whole.checked_add(ticks).map(Value::Timespan))?
        },
    ),
    Function::made("format_timespan", &[Signature::new(&[TIMESPAN, TEXT], Type::String)], format)
        .named(Naming::First),
    Function::plain(
        "bin_at",
        &[
            Signature::new(&[Takes::Integer, Takes::Integer, Takes::Integer], Type::Long),
            Signature::new(&[REAL, REAL, REAL], Type::Real).giving(Gives::Is(Type::Real)),
            Signature::new(&[TIMESPAN, TIMESPAN, TIMESPAN], Type::Timespan),
            Signature::new(&[DATETIME, TIMESPAN, DATETIME], Type::Datetime),
        ],
        bin_at,
    )
    .named(Naming::First),
];

/// Down to the bin that begins at the point, or a whole number of bins from it.
fn bin_at(args: &[Value]) -> Option<Value> {
    let ticks = |value: &Value| match value {
        Value::Datetime(v) | Value::Timespan(v) => Some(*v),
        other => other.as_long(),
    };
    let all = (ticks(args.value(0)), ticks(args.value(1)), ticks(args.value(2)));
    if let (Some(value), Some(size), Some(point)) = all {
        let rest = (i128::from(value) - i128::from(point)).checked_rem_euclid(i128::from(size))?;
        let start = i64::try_from(i128::from(value) - rest).ok().filter(|_| size > 0)?;
        return match args.value(0) {
            Value::Datetime(_) => time::checked(start).map(Value::Datetime),
            Value::Timespan(_) => Some(Value::Timespan(start)),
            _ => Some(Value::Long(start)),
        };
    }
    let (value, size, point) = (args.real(0)?, args.real(1)?, args.real(2)?);
    (size > 0.0).then(|| Value::Real(point + ((value - point) / size).floor() * size))
}

/// The week of ISO 8601: the first one has the year's first Thursday.
fn iso_week(ticks: i64) -> i64 {
    // The Thursday of the week, which begins on Monday.
    let days = ticks.div_euclid(DAY);
    let thursday = days - days.rem_euclid(7) + 3;
    let year = time::date_of(thursday * DAY).year;
    let first = time::from_date(year, 1, 1).unwrap_or(0).div_euclid(DAY);
    (thursday - first).div_euclid(7) + 1
}

fn part(prepare: &Prepare<'_>) -> Made {
    let Some(Some(name)) = prepare.consts.first() else {
        return Err(Refusal::Argument(0, "KS129", "The expression must be a constant".to_owned()));
    };
    let of: fn(i64) -> i64 = match name.text().to_ascii_lowercase().as_str() {
        "year" => |t| time::date_of(t).year,
        "quarter" => |t| (time::date_of(t).month - 1) / 3 + 1,
        "month" => |t| time::date_of(t).month,
        "week_of_year" | "weekofyear" | "week" => iso_week,
        "day" => |t| time::date_of(t).day,
        "dayofyear" => |t| {
            let start = time::from_date(time::date_of(t).year, 1, 1).unwrap_or(t);
            (t - start).div_euclid(DAY) + 1
        },
        "hour" => |t| t.rem_euclid(DAY) / HOUR,
        "minute" => |t| t.rem_euclid(HOUR) / MINUTE,
        "second" => |t| t.rem_euclid(MINUTE) / SECOND,
        "millisecond" => |t| t.rem_euclid(SECOND) / MILLISECOND,
        "microsecond" => |t| t.rem_euclid(SECOND) / MICROSECOND,
        "nanosecond" => |t| t.rem_euclid(SECOND) * 100,
        _ => {
            let message = format!(
                "`{name}` is not a part: year, quarter, month, week_of_year, day, dayOfYear, hour, minute, second …"
            );
            return Err(Refusal::Argument(0, crate::diagnostics::BAD_LITERAL, message));
        }
    };
    Ok(Arc::new(move |args| {
        Value::from(args.datetime(1).map(|t| Value::Int(num::wrap_int(of(t)))))
    }))
}

/// A run of one letter, or text between.
enum Piece {
    Text(char),
    Field(char, usize),
}

fn pieces(format: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for c in format.chars() {
        match (pieces.last_mut(), c) {
            (Some(Piece::Field(last, len)), _) if *last == c => *len += 1,
            (_, 'd' | 'f' | 'F' | 'h' | 'H' | 'm' | 's') => pieces.push(Piece::Field(c, 1)),
            (_, ' ' | '/' | '-' | ':' | ',' | '.' | '_' | '[' | ']') => {
                pieces.push(Piece::Text(c));
            }
            _ => return None,
        }
    }
    let valid = pieces.iter().all(|piece| match piece {
        Piece::Text(_) => true,
        Piece::Field('f' | 'F', len) => *len <= 7,
        Piece::Field('d', len) => *len <= 8,
        Piece::Field(_, len) => *len <= 2,
    });
    valid.then_some(pieces)
}

fn format(prepare: &Prepare<'_>) -> Made {
    let Some(Some(format)) = prepare.consts.get(1) else {
        let what = "format_timespan() with a format that is not a constant";
        return Err(Refusal::Unsupported(what.to_owned()));
    };
    let pieces = pieces(&format.text())
        .ok_or_else(|| Refusal::Unsupported(format!("the format `{format}`")))?;
    Ok(Arc::new(move |args| {
        Value::from(args.timespan(0).map_or_else(String::new, |span| shown(&pieces, span)))
    }))
}

fn shown(pieces: &[Piece], span: i64) -> String {
    let span = span.unsigned_abs();
    let unit = |unit: i64| unit.unsigned_abs();
    let mut out = String::new();
    for piece in pieces {
        let (letter, len) = match piece {
            Piece::Text(c) => {
                out.push(*c);
                continue;
            }
            Piece::Field(letter, len) => (*letter, *len),
        };
        let number = match letter {
            'd' => span / unit(DAY),
            'h' | 'H' => span % unit(DAY) / unit(HOUR),
            'm' => span % unit(HOUR) / unit(MINUTE),
            's' => span % unit(MINUTE) / unit(SECOND),
            _ => {
                let all = format!("{:07}", span % unit(SECOND));
                let kept: String = all.chars().take(len).collect();
                out.push_str(if letter == 'F' { kept.trim_end_matches('0') } else { &kept });
                continue;
            }
        };
        let _ = write!(out, "{number:0>len$}");
    }
    out
}
