//! Local time: the zones of the IANA database, which is built in.

use super::{Args, Function, Signature, Takes};
use crate::time::{self, UNIX_EPOCH};
use crate::value::{Type, Value};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

const SHIFT: &[Signature] =
    &[Signature::new(&[Takes::Is(Type::Datetime), Takes::Is(Type::String)], Type::Datetime)];
/// Ticks of a second.
const SECOND: i64 = time::SECOND;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("datetime_utc_to_local", SHIFT, |args| {
        let utc = args.datetime(0)?;
        let zone = zone(&args.text(1))?;
        let seconds = (utc - UNIX_EPOCH).div_euclid(SECOND);
        let offset = zone.to_offset(Timestamp::from_second(seconds).ok()?);
        moved(utc, i64::from(offset.seconds()))
    }),
    Function::plain("datetime_local_to_utc", SHIFT, |args| {
        let local = args.datetime(0)?;
        let zone = zone(&args.text(1))?;
        let date = time::date_of(local);
        let second = local.rem_euclid(time::DAY) / SECOND;
        let part = |value: i64| i8::try_from(value).ok();
        let wall = civil::DateTime::new(
            i16::try_from(date.year).ok()?,
            part(date.month)?,
            part(date.day)?,
            part(second / 3_600)?,
            part(second / 60 % 60)?,
            part(second % 60)?,
            0,
        )
        .ok()?;
        // An hour that clocks skip, or that they show twice: as after the change.
        let offset = match zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { after, .. } | AmbiguousOffset::Fold { after, .. } => after,
        };
        moved(local, i64::from(offset.seconds()).checked_neg()?)
    }),
];

/// The zone of a name; nothing where there is none.
fn zone(name: &str) -> Option<TimeZone> {
    jiff::tz::db().get(name.trim()).ok()
}

fn moved(ticks: i64, seconds: i64) -> Option<Value> {
    time::checked(ticks.checked_add(seconds.checked_mul(SECOND)?)?).map(Value::Datetime)
}
