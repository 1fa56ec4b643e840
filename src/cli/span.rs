//! The time that a query is asked about.

use super::report::Stop;
use crate::watch::alert::Interval;
use crate::watch::duration;
use crate::watch::row::ticks_text;
use crate::watch::rule::{Kind, Rule};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The time that is asked about.
#[derive(Debug, clap::Args)]
pub(crate) struct Timing {
    /// The time up to now, or up to --to
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "from")]
    pub(crate) last: Option<TimeDelta>,
    /// First instant (RFC 3339, or a date)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) from: Option<DateTime<Utc>>,
    /// First instant after [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) to: Option<DateTime<Utc>>,
}

impl Timing {
    /// The interval meant; `None`: all time.
    fn interval(
        &self,
        now: DateTime<Utc>,
        default: Option<TimeDelta>,
    ) -> Result<Option<Interval>, Stop> {
        let to = self.to.unwrap_or(now);
        let back = |last| to.checked_sub_signed(last).unwrap_or(DateTime::UNIX_EPOCH);
        let from = match (self.from, self.last.or(default), self.to) {
            (Some(from), _, _) => from,
            (None, Some(last), _) => back(last),
            (None, None, Some(_)) => DateTime::UNIX_EPOCH,
            (None, None, None) => return Ok(None),
        };
        let interval = Interval { from, to };
        if interval.is_empty() {
            let (from, to) = (ticks_text(from), ticks_text(to));
            return Err(Stop::usage(format!("no time lies between {from} and {to}")));
        }
        Ok(Some(interval))
    }
}

/// What a query is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) now: DateTime<Utc>,
    /// What `window_start` and `window_end` stand for.
    pub(crate) window: Interval,
    /// Bounds of `TimeGenerated`; `None`: all there is.
    pub(crate) asked: Option<Interval>,
}

impl Span {
    /// The span of any query.
    pub(crate) fn new(
        timing: &Timing,
        now: DateTime<Utc>,
        default: Option<TimeDelta>,
    ) -> Result<Self, Stop> {
        let asked = timing.interval(now, default)?;
        let all = Interval { from: DateTime::UNIX_EPOCH, to: now };
        Ok(Self { now, window: asked.unwrap_or(all), asked })
    }

    /// The span of a rule's query: wider than its window by the rule's lookback.
    pub(crate) fn of_rule(
        timing: &Timing,
        rule: &Rule,
        now: DateTime<Utc>,
        default: Option<TimeDelta>,
    ) -> Result<Self, Stop> {
        let default = match rule.kind {
            Kind::Window { window, .. } => default.map(|_| window),
            Kind::Event { .. } => default,
        };
        let mut span = Self::new(timing, now, default)?;
        if let (Some(asked), Kind::Event { lookback: Some(lookback) }) =
            (&mut span.asked, &rule.kind)
        {
            let from = asked.from.checked_sub_signed(*lookback);
            asked.from = from.unwrap_or(DateTime::UNIX_EPOCH);
        }
        Ok(span)
    }
}

/// Reads an instant.
pub(crate) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let date =
        || Some(NaiveDate::parse_from_str(text, "%F").ok()?.and_time(NaiveTime::MIN).and_utc());
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.ok().or_else(date).ok_or_else(|| {
        "use RFC 3339, such as 2026-11-22T08:00:00Z, or a date, such as 2026-11-22".to_owned()
    })
}

/// The text with the window's constants before it, if it uses them and does not define them itself.
pub(crate) fn with_window(text: String, window: Interval) -> String {
    let names = ["window_start", "window_end"];
    let uses = names.iter().any(|name| text.contains(name));
    let defines = names.iter().any(|name| {
        text.match_indices(name)
            .any(|(at, _)| text.get(..at).is_some_and(|before| before.trim_end().ends_with("let")))
    });
    if !uses || defines {
        return text;
    }
    let (from, to) = (ticks_text(window.from), ticks_text(window.to));
    format!("let window_start = datetime({from}); let window_end = datetime({to}); {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_times_or_dates() {
        let read = |text| instant(text).map(ticks_text).ok();
        assert_eq!(read("2026-11-22").as_deref(), Some("2026-11-22T00:00:00.0000000Z"));
        let noon = Some("2026-11-22T10:00:00.0000000Z");
        assert_eq!(read("2026-11-22T12:00:00+02:00").as_deref(), noon);
        assert_eq!(read("22.11.2026"), None);
        assert_eq!(read("2026-11-22T12:00:00"), None);
    }

    #[test]
    fn the_window_is_given_to_those_who_use_it() {
        let window =
            Interval { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH + TimeDelta::hours(1) };
        let asked = |text: &str| with_window(text.to_owned(), window);
        assert_eq!(asked("T | count"), "T | count");
        assert_eq!(asked("let window_end = 1; T"), "let window_end = 1; T");
        assert_eq!(
            asked("T | where TimeGenerated < window_end"),
            "let window_start = datetime(1970-01-01T00:00:00.0000000Z); let window_end = datetime(1970-01-01T01:00:00.0000000Z); T | where TimeGenerated < window_end"
        );
    }
}
