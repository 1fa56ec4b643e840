//! What people are told of a status, in the same words wherever it is shown: in a terminal and on a page.

use super::{State, Status};
use crate::notify::limits::clean;
use crate::watch::head::GapKind;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// Longest text of a service that is quoted, in UTF-16 units.
const QUOTED: usize = 400;

impl State {
    /// What there is to say of it beyond its word; quotes the service without hidden characters.
    pub fn says(&self) -> Option<String> {
        Some(match self {
            Self::Failing { since, error, .. } => {
                format!("failing since {}: {}", at(*since), clean(error, QUOTED))
            }
            Self::Waiting { since } => format!("no data to give since {}", at(*since)),
            Self::Throttled { until } => format!("throttled, put off until {}", at(*until)),
            Self::Overdue { since } => {
                format!("not evaluated since {}: hsmwatch does not run", at(*since))
            }
            Self::Fine | Self::NotStarted | Self::Unreadable | Self::UnknownRule => return None,
        })
    }
}

impl Status {
    /// How many of what need attention, a phrase each; empty if nothing does. `told`: how many conditions the reader will
    /// find below.
    pub fn troubles(&self, told: usize) -> Vec<String> {
        let ill = self.watches.iter().filter(|watch| watch.attention).count();
        let off = self.receivers.iter().filter(|receiver| !receiver.on).count();
        [
            (ill, "watch needs attention", "watches need attention"),
            (off, "receiver is off", "receivers are off"),
            (self.unreadable.len(), "document cannot be read", "documents cannot be read"),
            (told, "thing is told below", "things are told below"),
        ]
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many }))
        .collect()
    }
}

/// What a gap means.
pub const fn gap(why: GapKind) -> &'static str {
    match why {
        GapKind::Outage => "not asked for: further back than `catch_up`",
        GapKind::TooDense => "not answered: too many rows",
        GapKind::Fingerprints => "late rows not found: limit of fingerprints",
        GapKind::Versions => "late rows not found: a former text of the rule is no longer asked",
    }
}

/// An instant for people.
pub fn at(t: DateTime<Utc>) -> String {
    t.format("%F %T UTC").to_string()
}

/// A length of time in at most two units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub TimeDelta);

impl Age {
    /// From `t` to `now`.
    pub fn since(t: DateTime<Utc>, now: DateTime<Utc>) -> String {
        Self(now - t).to_string()
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.num_seconds().max(0);
        let text = match (all / 86_400, all / 3_600 % 24, all / 60 % 60) {
            (0, 0, 0) => format!("{all}s"),
            (0, 0, m) => format!("{m}m"),
            (0, h, 0) => format!("{h}h"),
            (0, h, m) => format!("{h}h{m}m"),
            (d, 0, _) => format!("{d}d"),
            (d, h, _) if d < 100 => format!("{d}d{h}h"),
            (d, ..) => format!("{d}d"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let table = [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (5_400, "1h30m"),
            (86_400, "1d"),
            (93_600, "1d2h"),
            (86_400 * 100 + 3_600, "100d"),
        ];
        for (seconds, said) in table {
            assert_eq!(Age(TimeDelta::seconds(seconds)).to_string(), said);
        }
    }
}
