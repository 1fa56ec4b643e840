//! The picture of hits: how many were told, by the hour in which they happened.

use super::parts::iso;
use super::writer::Html;
use crate::engine::status::WatchStatus;
use crate::watch::head::Hour;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Hours that the picture shows.
pub(super) const HOURS: i64 = 48;
/// Width of an hour and of its bar, height of the picture and of its baseline, in the units of the drawing.
const STEP: i64 = 10;
const BAR: i64 = 8;
const HEIGHT: u64 = 32;
/// A single hit among thousands is still seen.
const LOWEST: u64 = 3;

/// The hits of the last hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hits {
    /// Hits by the number of the hour, 0 the oldest; hours without are left out.
    by_hour: BTreeMap<i64, u64>,
    /// All of them.
    pub(super) sum: u64,
    /// The busiest hour: its hits and its first instant.
    pub(super) most: Option<(u64, DateTime<Utc>)>,
    /// The first hour that was watched from its beginning or in part.
    start: i64,
    /// The first instant of hour 0, in hours since the epoch.
    first: i64,
}

const fn hour(t: DateTime<Utc>) -> i64 {
    t.timestamp().div_euclid(3_600)
}

impl Hits {
    /// What a watch told.
    pub(super) fn of(watch: &WatchStatus, now: DateTime<Utc>) -> Self {
        let first = hour(now) - HOURS + 1;
        let mut by_hour: BTreeMap<i64, u64> = BTreeMap::new();
        for Hour { hour: t, hits } in &watch.hours {
            let n = hour(*t) - first;
            if (0..HOURS).contains(&n) && *hits > 0 {
                let sum = by_hour.entry(n).or_default();
                *sum = sum.saturating_add(*hits);
            }
        }
        let most = by_hour
            .iter()
            .max_by_key(|(n, hits)| (**hits, **n))
            .and_then(|(n, hits)| Some((*hits, instant(first + n)?)));
        Self {
            sum: by_hour.values().fold(0, |sum, hits| sum.saturating_add(*hits)),
            most,
            start: watch.started_at.map_or(HOURS, |t| (hour(t) - first).clamp(0, HOURS)),
            by_hour,
            first,
        }
    }

    /// The hours that had hits, with their numbers.
    pub(super) fn hours(&self) -> impl Iterator<Item = (DateTime<Utc>, u64)> + '_ {
        self.by_hour.iter().filter_map(|(n, hits)| Some((instant(self.first + n)?, *hits)))
    }

    /// The outline of all bars.
    fn outline(&self) -> String {
        let most = self.most.map_or(1, |(most, _)| most.max(1));
        let mut path = String::new();
        for (n, hits) in &self.by_hour {
            let height = height(*hits, most);
            let x = n * STEP + (STEP - BAR) / 2;
            // Writing to a string never fails.
            let _written = write!(path, "M{x} {HEIGHT}v-{height}h{BAR}v{height}z");
        }
        path
    }

    fn alternative(&self) -> String {
        match self.most {
            None => format!("No hits told of the last {HOURS} hours"),
            Some((most, at)) => format!(
                "Hits by the hour, last {HOURS} hours: {} in all, at most {most} an hour, at {}",
                self.sum,
                iso(at)
            ),
        }
    }
}

fn instant(hour: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(hour.checked_mul(3_600)?, 0)
}

/// The height of a bar: in proportion, the largest as high as the picture.
fn height(hits: u64, most: u64) -> u64 {
    if hits == 0 {
        return 0;
    }
    let height = u128::from(hits) * u128::from(HEIGHT) / u128::from(most.max(1));
    u64::try_from(height).unwrap_or(HEIGHT).clamp(LOWEST, HEIGHT)
}

/// What the pictures of a page share: the labels of the axis.
pub(super) fn define(html: &mut Html) {
    html.el("symbol", &[("id", "hours")], |h| {
        h.leaf("text", &[("class", "start"), ("x", "0"), ("y", "10")], &format!("{HOURS} h ago"));
        h.leaf("text", &[("x", "50%"), ("y", "10")], &format!("{} h", HOURS / 2));
        h.leaf("text", &[("class", "end"), ("x", "100%"), ("y", "10")], "now");
    });
}

/// The axis beneath or above the pictures.
pub(super) fn axis(html: &mut Html, class: &'static str) {
    html.el("svg", &[("class", class), ("aria-hidden", "true")], |h| {
        h.shape("use", &[("href", "#hours")]);
    });
}

/// The picture of one watch.
pub(super) fn draw(html: &mut Html, hits: &Hits) {
    let attributes = [
        ("class", if hits.most.is_some() { "hits" } else { "hits flat" }),
        ("role", "img"),
        ("viewBox", "0 0 480 34"),
        ("preserveAspectRatio", "none"),
    ];
    html.el("svg", &attributes, |h| {
        h.leaf("title", &[], &hits.alternative());
        if hits.most.is_some() {
            h.shape("path", &[("class", "top"), ("d", "M0 .5H480")]);
            h.shape("path", &[("class", "bars"), ("d", &hits.outline())]);
        }
        // No line where nobody watched: none told there is not the same as nothing there.
        let line = format!("M{} 33H480", hits.start * STEP);
        h.shape("path", &[("class", "base"), ("d", &line)]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::State;

    fn t(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hits(started: &str, hours: &[(&str, u64)]) -> Hits {
        let watch = WatchStatus {
            rule: "key-delete".to_owned(),
            workspace: "prod".to_owned(),
            state: State::Fine,
            attention: false,
            started_at: Some(t(started)),
            last_success: None,
            watermark: None,
            lag_s: None,
            covered_s: None,
            missing_s: None,
            gaps: Vec::new(),
            latest_row: None,
            next: None,
            open_alerts: 0,
            held: 0,
            hours: hours.iter().map(|(hour, hits)| Hour { hour: t(hour), hits: *hits }).collect(),
        };
        Hits::of(&watch, t("2026-11-22T09:15:00Z"))
    }

    #[test]
    fn heights_are_in_proportion() {
        assert_eq!(height(0, 10), 0);
        assert_eq!(height(10, 10), HEIGHT);
        assert_eq!(height(5, 10), HEIGHT / 2);
        assert_eq!(height(1, 1_000_000), LOWEST);
        assert_eq!(height(u64::MAX, u64::MAX), HEIGHT);
        assert_eq!(height(u64::MAX - 1, u64::MAX), HEIGHT - 1);
    }

    #[test]
    fn each_hour_has_its_place() {
        let hits = hits(
            "2026-11-21T10:30:00Z",
            &[
                ("2026-11-20T09:00:00Z", 99),
                ("2026-11-20T10:00:00Z", 8),
                ("2026-11-22T09:00:00Z", 4),
                ("2026-11-22T09:00:00Z", 12),
            ],
        );
        // The first is older than the picture.
        assert_eq!(hits.sum, 24);
        assert_eq!(hits.most, Some((16, t("2026-11-22T09:00:00Z"))));
        assert_eq!(hits.outline(), "M1 32v-16h8v16zM471 32v-32h8v32z");
        assert_eq!(hits.start, 24);
        assert_eq!(
            hits.hours().collect::<Vec<_>>(),
            [(t("2026-11-20T10:00:00Z"), 8), (t("2026-11-22T09:00:00Z"), 16)]
        );
        assert_eq!(
            hits.alternative(),
            "Hits by the hour, last 48 hours: 24 in all, at most 16 an hour, at 2026-11-22 09:00:00Z"
        );
    }

    #[test]
    fn without_hits() {
        let hits = hits("2026-11-01T00:00:00Z", &[]);
        assert_eq!((hits.sum, hits.most, hits.start), (0, None, 0));
        assert_eq!(hits.outline(), "");
        assert_eq!(hits.alternative(), "No hits told of the last 48 hours");
    }

    #[test]
    fn sums_do_not_overflow() {
        let hits = hits(
            "2026-11-01T00:00:00Z",
            &[("2026-11-22T08:00:00Z", u64::MAX), ("2026-11-22T09:00:00Z", u64::MAX)],
        );
        assert_eq!(hits.sum, u64::MAX);
    }
}
