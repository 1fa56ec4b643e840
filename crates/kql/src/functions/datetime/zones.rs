//! Time zones.

use crate::functions::{Args, Made, Prepare, Refusal};
use crate::time::{self, SECOND, UNIX_EPOCH};
use crate::value::Value;
use std::sync::Arc;

/// How far a zone's clocks are ahead of UTC at an instant, in ticks.
fn offset(zone: &str, ticks: i64) -> Option<i64> {
    let seconds = (ticks - UNIX_EPOCH).div_euclid(SECOND);
    let local = tzdb_data::find_tz(zone.as_bytes())?.find_local_time_type(seconds).ok()?;
    Some(i64::from(local.ut_offset()) * SECOND)
}

pub(super) fn to_local(zone: &str, ticks: i64) -> Option<i64> {
    time::checked(ticks.checked_add(offset(zone, ticks)?)?)
}

/// The earlier instant of a time that clocks show twice; a time that they skip is read as if they had been put
/// forward before it.
pub(super) fn to_utc(zone: &str, ticks: i64) -> Option<i64> {
    let day = time::DAY;
    let before = offset(zone, ticks.saturating_sub(day))?;
    let after = offset(zone, ticks.saturating_add(day))?;
    let fits = |ahead: i64| offset(zone, ticks.saturating_sub(ahead)) == Some(ahead);
    let ahead = if fits(before) { before } else { after };
    time::checked(ticks.checked_sub(ahead)?)
}

pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = tzdb_data::TZ_NAMES.iter().map(|n| (*n).to_owned()).collect();
    names.sort();
    names
}

pub(super) fn convert(prepare: &Prepare<'_>, conversion: fn(&str, i64) -> Option<i64>) -> Made {
    if let Some(Some(zone)) = prepare.consts.get(1)
        && tzdb_data::find_tz(zone.text().as_bytes()).is_none()
    {
        let message = format!("`{zone}` is not a time zone");
        return Err(Refusal::Argument(1, crate::diagnostics::BAD_LITERAL, message));
    }
    Ok(Arc::new(move |args| {
        let moved = args.datetime(0).and_then(|ticks| conversion(&args.text(1), ticks));
        Value::from(moved.map(Value::Datetime))
    }))
}
