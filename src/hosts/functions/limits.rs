//! How long an invocation may take: less than the host allows, which kills the whole process and everything in it.

use serde_json::Value as Json;
use std::time::Duration;

/// What is assumed where the host's limit is not known: its shortest default.
const ASSUMED: Duration = Duration::from_mins(5);
/// No invocation is ever given more.
const MOST: Duration = Duration::from_mins(10);

/// The times of an invocation, from its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// No evaluation goes on after this.
    pub evaluations: Duration,
    /// The invocation is answered by then.
    pub whole: Duration,
}

impl Limits {
    /// For a host that gives up after `timeout`.
    pub fn within(timeout: Duration) -> Self {
        let timeout = timeout.clamp(Duration::from_secs(1), MOST);
        Self { evaluations: timeout * 3 / 4, whole: timeout * 9 / 10 }
    }

    /// From what an app setting or else `host.json` says of `functionTimeout`.
    pub fn read(setting: Option<&str>, host_json: Option<&str>) -> Self {
        let in_file = || {
            let host: Json = serde_json::from_str(host_json?).ok()?;
            host.get("functionTimeout")?.as_str().map(str::to_owned)
        };
        let text = setting.map(str::to_owned).or_else(in_file);
        Self::within(text.as_deref().and_then(timespan).unwrap_or(ASSUMED))
    }
}

/// `hh:mm:ss`, `d.hh:mm:ss`; `-1` is as long as one likes.
fn timespan(text: &str) -> Option<Duration> {
    if text.trim() == "-1" {
        return Some(Duration::MAX);
    }
    let (days, clock) = match text.trim().split_once('.') {
        Some((days, clock)) if clock.contains(':') => (days.parse().ok()?, clock),
        _ => (0_u64, text.trim()),
    };
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let seconds = days
        .checked_mul(24)?
        .checked_add(hours)?
        .checked_mul(3600)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(seconds)?;
    parts.next().is_none().then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_wins_over_the_file_and_nothing_is_unbounded() {
        let of = |seconds: u64| Limits::within(Duration::from_secs(seconds));
        let file = Some(r#"{"version":"2.0","functionTimeout":"00:00:40"}"#);
        for (setting, file, expected) in [
            (None, file, of(40)),
            (Some("00:01:00"), file, of(60)),
            (Some("-1"), None, of(600)),
            (Some("1.00:00:00"), None, of(600)),
            (Some("00:00:10.5"), None, of(10)),
            (Some("soon"), None, of(300)),
            (Some("99999999999999999999:00:00"), None, of(300)),
            (None, Some("{}"), of(300)),
            (None, Some("no JSON"), of(300)),
            (None, None, of(300)),
        ] {
            assert_eq!(Limits::read(setting, file), expected, "{setting:?} {file:?}");
        }
        assert!(of(40).evaluations < of(40).whole && of(40).whole < Duration::from_secs(40));
    }
}
