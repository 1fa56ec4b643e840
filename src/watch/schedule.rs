//! When a watch is due: `every` or a cron expression, as slots that do not depend on when a timer fired.

use chrono::{DateTime, TimeDelta, Utc};
use std::str::FromStr;

/// When a rule is evaluated.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// At every multiple of this since the epoch, in UTC. At least one second.
    Every(TimeDelta),
    /// At the instants of a cron expression, in UTC.
    Cron {
        /// As written in the configuration.
        text: String,
        /// Parsed, with weekdays translated.
        schedule: Box<cron::Schedule>,
    },
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every(a), Self::Every(b)) => a == b,
            (Self::Cron { text: a, .. }, Self::Cron { text: b, .. }) => a == b,
            _ => false,
        }
    }
}

impl Eq for Schedule {}

/// A cron expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a cron expression: {why}")]
pub struct BadCron {
    /// As written.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Schedule {
    /// Reads a cron expression of six fields (second minute hour day month weekday) or of five (no seconds).
    ///
    /// The dialect is NCRONTAB's, which Azure Functions use: numeric weekdays count from 0 = Sunday, and 7 is Sunday too.
    pub fn cron(text: &str) -> Result<Self, BadCron> {
        let bad = |why: String| BadCron { text: text.to_owned(), why };
        let mut fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        match fields.len() {
            5 => fields.insert(0, "0".to_owned()),
            6 => {}
            n => return Err(bad(format!("it has {n} fields, not 5 or 6"))),
        }
        if let Some(weekday) = fields.last_mut() {
            *weekday = translate_weekdays(weekday).map_err(bad)?;
        }
        let schedule =
            cron::Schedule::from_str(&fields.join(" ")).map_err(|e| bad(why(&e.to_string())))?;
        if schedule.after(&DateTime::UNIX_EPOCH).next().is_none() {
            return Err(bad("it never comes".to_owned()));
        }
        Ok(Self::Cron { text: text.to_owned(), schedule: Box::new(schedule) })
    }

    /// The latest slot that is not after `now`: a watch is due when this is later than the slot it last evaluated.
    /// `None` if there is none yet.
    pub fn slot(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(every) => {
                let every = every.num_milliseconds().max(1_000);
                let at = now.timestamp_millis().div_euclid(every) * every;
                DateTime::from_timestamp_millis(at)
            }
            // `after` excludes its start going forward, and includes nothing later going back.
            Self::Cron { schedule, .. } => {
                schedule.after(&(now + TimeDelta::nanoseconds(1))).next_back()
            }
        }
    }

    /// The first slot after `t`.
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(every) => {
                let every = every.num_milliseconds().max(1_000);
                DateTime::from_timestamp_millis(
                    (t.timestamp_millis().div_euclid(every) + 1) * every,
                )
            }
            Self::Cron { schedule, .. } => schedule.after(&t).next(),
        }
    }

    /// The interval between slots; for cron, between the next two after `t`.
    pub fn interval(&self, t: DateTime<Utc>) -> TimeDelta {
        match self {
            Self::Every(every) => *every,
            Self::Cron { schedule, .. } => {
                let mut next = schedule.after(&t);
                match (next.next(), next.next()) {
                    (Some(a), Some(b)) => b - a,
                    _ => TimeDelta::days(366),
                }
            }
        }
    }
}

/// The reason in an error text of the crate `cron`: the last line, after the expression as we translated it and a caret.
fn why(text: &str) -> String {
    let last = text.lines().skip(2).last().unwrap_or_default().trim().trim_end_matches('.');
    if last.is_empty() { "a field is not understood".to_owned() } else { last.to_owned() }
}

/// NCRONTAB's numeric weekdays (0 or 7 = Sunday) in the numbers of the crate `cron` (1 = Sunday). Names pass through.
fn translate_weekdays(field: &str) -> Result<String, String> {
    if field == "*" || field == "?" {
        return Ok("*".to_owned());
    }
    let mut out: Vec<String> = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        if let Ok(names) = expand_names(range, step) {
            out.push(names);
            continue;
        }
        let step: u32 = match step {
            None => 1,
            Some(s) => s.parse().ok().filter(|s| *s > 0).ok_or(format!("bad step in `{part}`"))?,
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((a, b)) => (weekday(a)?, weekday(b)?),
            // `2/2` runs from 2 to the end of the week.
            None if part.contains('/') => (weekday(range)?, 6),
            None => (weekday(range)?, weekday(range)?),
        };
        // 5-1 wraps around the week's end.
        let to = if to < from { to + 7 } else { to };
        out.extend((from..=to).step_by(step as usize).map(|d| (d % 7 + 1).to_string()));
    }
    Ok(out.join(","))
}

/// A part made of names alone is the crate's own business.
fn expand_names(range: &str, step: Option<&str>) -> Result<String, ()> {
    let named = !range.is_empty() && range.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    match step {
        _ if !named => Err(()),
        None => Ok(range.to_owned()),
        Some(step) => Ok(format!("{range}/{step}")),
    }
}

fn weekday(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(day) if day <= 7 => Ok(day),
        _ => {
            Err(format!("`{text}` is not a weekday: use 0 to 7 (0 and 7 are Sunday) or SUN to SAT"))
        }
    }
}

#[cfg(test)]
mod tests;
