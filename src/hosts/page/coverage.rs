//! The picture of coverage: which time a watch has asked for, which it gave up, which waits.

use super::parts::{iso, range};
use super::writer::Html;
use crate::engine::status::words::Age;
use crate::engine::status::{Status, WatchStatus};
use crate::watch::alert::Interval;
use crate::watch::head::GapKind;
use chrono::{DateTime, TimeDelta, Utc};

/// The picture is this wide; a unit is a hundredth of a percent.
const WIDTH: i64 = 10_000;
/// Nothing that is not covered is drawn narrower: two seconds missing in a week must be seen.
const NARROWEST: i64 = 90;
/// Waiting time is drawn from this share of the picture on. Less is the ordinary pause between two ticks.
const NOTABLE: i64 = 20;
/// Intervals that the picture's own text names; the details name more.
const NAMED: usize = 3;

/// What time is, from bottom to top of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Asked for and answered.
    Covered,
    /// Covered, but rows that come late are no longer found.
    Late,
    /// Not asked for yet.
    Waiting,
    /// Given up.
    Missing,
}

impl Kind {
    /// Its class in the style sheet.
    const fn class(self) -> &'static str {
        match self {
            Self::Covered => "cov",
            Self::Late => "late",
            Self::Waiting => "wait",
            Self::Missing => "miss",
        }
    }

    /// Where the bar stands in a picture 20 high, and its height: shapes tell kinds apart, not colours alone.
    const fn stands(self) -> (&'static str, &'static str) {
        match self {
            Self::Covered => ("4", "12"),
            Self::Late => ("14", "4"),
            Self::Waiting => ("7", "6"),
            Self::Missing => ("0", "20"),
        }
    }

    /// The word in the legend.
    const fn word(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Late => "late rows not found",
            Self::Waiting => "waiting",
            Self::Missing => "missing",
        }
    }
}

/// A bar: where it begins and how wide it is, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) kind: Kind,
    pub(super) x: i64,
    pub(super) width: i64,
}

/// The time that all pictures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    /// How people call it.
    pub(super) name: &'static str,
    /// A line and a label at each multiple of this.
    step: TimeDelta,
}

impl Range {
    /// A week, or less as long as no watch is older.
    pub(super) fn of(status: &Status) -> Self {
        let to = status.at;
        let oldest = status.watches.iter().filter_map(|watch| watch.started_at).min();
        let age = oldest.map_or(TimeDelta::days(7), |oldest| to - oldest);
        let table = [
            (TimeDelta::hours(3), "3 hours", TimeDelta::minutes(30)),
            (TimeDelta::hours(24), "24 hours", TimeDelta::hours(4)),
        ];
        let week = (TimeDelta::days(7), "7 days", TimeDelta::days(1));
        let (length, name, step) =
            table.into_iter().find(|(length, ..)| age <= *length).unwrap_or(week);
        Self { from: to - length, to, name, step }
    }

    /// Where an instant lies, at the edge if it lies outside.
    fn x(&self, t: DateTime<Utc>) -> i64 {
        let whole = (self.to - self.from).num_milliseconds().max(1);
        let part = (t - self.from).num_milliseconds().clamp(0, whole);
        // At most 7 days in milliseconds times ten thousand: far below the limit.
        part * WIDTH / whole
    }

    /// Lines of the time axis, with their labels.
    fn marks(&self) -> Vec<(i64, String)> {
        let step = self.step.num_seconds().max(1);
        let mut at = (self.from.timestamp().div_euclid(step) + 1) * step;
        let format = if self.step < TimeDelta::days(1) { "%H:%M" } else { "%a %-d" };
        let mut marks = Vec::new();
        while at < self.to.timestamp() {
            if let Some(t) = DateTime::from_timestamp(at, 0) {
                marks.push((self.x(t), t.format(format).to_string()));
            }
            at += step;
        }
        marks
    }
}

/// The bars of a watch, lowest first.
pub(super) fn bars(watch: &WatchStatus, range: &Range) -> Vec<Bar> {
    let (Some(start), Some(watermark)) = (watch.started_at, watch.watermark) else {
        return Vec::new();
    };
    let end = watermark.min(range.to);
    let mut found: Vec<(Kind, Interval)> = Vec::new();
    found.push((Kind::Covered, Interval { from: start, to: end }));
    // Without its rule nobody will ask.
    if watch.lag_s.is_some() {
        found.push((Kind::Waiting, Interval { from: end.max(start), to: range.to }));
    }
    found.extend(watch.gaps.iter().map(|gap| {
        let kind = match gap.why {
            GapKind::Outage | GapKind::TooDense => Kind::Missing,
            GapKind::Fingerprints | GapKind::Versions => Kind::Late,
        };
        (kind, Interval { from: gap.from, to: gap.to })
    }));
    let mut bars: Vec<Bar> = found
        .into_iter()
        .filter(|(_, interval)| interval.from < interval.to)
        .filter(|(_, interval)| interval.to > range.from && interval.from < range.to)
        .filter_map(|(kind, Interval { from, to })| bar(kind, range.x(from), range.x(to)))
        .collect();
    bars.sort_by_key(|bar| (bar.kind, bar.x));
    // What touches is one: a thousand seconds given up are no thousand elements.
    bars.dedup_by(|next, bar| {
        let one = next.kind == bar.kind && next.x <= bar.x + bar.width;
        if one {
            bar.width = bar.width.max(next.x + next.width - bar.x);
        }
        one
    });
    bars
}

fn bar(kind: Kind, x: i64, to: i64) -> Option<Bar> {
    let width = to - x;
    let least = match kind {
        Kind::Covered => 0,
        Kind::Waiting if width < NOTABLE => return None,
        Kind::Waiting | Kind::Late | Kind::Missing => NARROWEST,
    };
    if width >= least {
        return (width > 0).then_some(Bar { kind, x, width });
    }
    // Widened around its middle, but not over the edges.
    let x = (x - (least - width) / 2).clamp(0, WIDTH - least);
    Some(Bar { kind, x, width: least })
}

/// Hundredths of a percent as SVG writes them.
pub(super) fn percent(units: i64) -> String {
    let (whole, rest) = (units / 100, units % 100);
    if rest == 0 { format!("{whole}%") } else { format!("{whole}.{rest:02}%") }
}

/// What the pictures of a page share: hatching, lines and labels of the axis.
pub(super) fn define(html: &mut Html, range: &Range) {
    let hatch = [
        ("id", "hatch"),
        ("width", "5"),
        ("height", "5"),
        ("patternUnits", "userSpaceOnUse"),
        ("patternTransform", "rotate(45)"),
    ];
    html.el("pattern", &hatch, |h| {
        h.shape("rect", &[("class", "miss-ground"), ("width", "5"), ("height", "5")]);
        h.shape("rect", &[("class", "miss-line"), ("width", "2"), ("height", "5")]);
    });
    let stripes =
        [("id", "stripes"), ("width", "4"), ("height", "4"), ("patternUnits", "userSpaceOnUse")];
    html.el("pattern", &stripes, |h| {
        h.shape("rect", &[("class", "wait-line"), ("width", "2"), ("height", "4")]);
    });
    let marks = range.marks();
    html.el("symbol", &[("id", "lines")], |h| {
        for (x, _) in &marks {
            let x = percent(*x);
            h.shape(
                "line",
                &[("class", "grid"), ("x1", &x), ("x2", &x), ("y1", "3"), ("y2", "17")],
            );
        }
    });
    html.el("symbol", &[("id", "days")], |h| {
        for (x, label) in &marks {
            // A label at the edge would be cut, or run into the last.
            if (WIDTH * 6 / 100..=WIDTH * 86 / 100).contains(x) {
                h.leaf("text", &[("x", &percent(*x)), ("y", "10")], label);
            }
        }
        h.leaf("text", &[("class", "end"), ("x", "100%"), ("y", "10")], "now");
    });
}

/// The axis beneath or above the pictures. Each picture's text says the same.
pub(super) fn axis(html: &mut Html, class: &'static str) {
    html.el("svg", &[("class", class), ("aria-hidden", "true")], |h| {
        h.shape("use", &[("href", "#days")]);
    });
}

/// The picture of one watch.
pub(super) fn draw(html: &mut Html, watch: &WatchStatus, range: &Range) {
    html.el("svg", &[("class", "coverage"), ("role", "img")], |h| {
        h.leaf("title", &[], &alternative(watch, range));
        h.shape("rect", &[("class", "none"), ("y", "9"), ("width", "100%"), ("height", "2")]);
        for bar in bars(watch, range) {
            let (y, height) = bar.kind.stands();
            let (x, width) = (percent(bar.x), percent(bar.width));
            let attributes = [
                ("class", bar.kind.class()),
                ("x", &*x),
                ("y", y),
                ("width", &*width),
                ("height", height),
            ];
            h.shape("rect", &attributes);
        }
        h.shape("use", &[("href", "#lines")]);
    });
}

/// What the picture shows, in words.
pub(super) fn alternative(watch: &WatchStatus, range: &Range) -> String {
    let name = range.name;
    let (Some(start), Some(watermark)) = (watch.started_at, watch.watermark) else {
        return format!("Coverage of the last {name}: it has not started, nothing is covered");
    };
    let end = watermark.min(range.to);
    let mut parts = vec![if end <= range.from {
        format!("Coverage of the last {name}: nothing covered")
    } else if start < end {
        let asked = range_in(start.max(range.from), end);
        format!("Coverage of the last {name}: asked for {asked}")
    } else {
        format!("Coverage of the last {name}: nothing asked for yet")
    }];
    let lost: Vec<_> = watch
        .gaps
        .iter()
        .filter(|gap| gap.to > range.from)
        .filter(|gap| matches!(gap.why, GapKind::Outage | GapKind::TooDense))
        .collect();
    let named = lost.iter().take(NAMED);
    parts.extend(named.map(|gap| format!("missing {}", range_in(gap.from, gap.to))));
    if lost.len() > NAMED {
        parts.push(format!("{} further missing intervals", lost.len() - NAMED));
    }
    if watch.lag_s.is_some() && end < range.to {
        parts.push(format!("waiting {}", Age(range.to - end.max(range.from))));
    }
    if start > range.from {
        parts.push(format!("began {}", iso(start)));
    }
    parts.join("; ")
}

fn range_in(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    format!("{} ({})", range(from, to), Age(to - from))
}

/// What each kind of bar means.
pub(super) fn legend(html: &mut Html, late: bool) {
    let kinds = [Kind::Covered, Kind::Missing, Kind::Waiting, Kind::Late];
    html.el("ul", &[("class", "legend"), ("aria-label", "Legend of the coverage pictures")], |h| {
        for kind in kinds.into_iter().filter(|kind| late || *kind != Kind::Late) {
            let (y, height) = kind.stands();
            entry(h, kind.class(), y, height, kind.word());
        }
        entry(h, "none", "9", "2", "before its start");
    });
}

fn entry(html: &mut Html, class: &'static str, y: &str, height: &str, word: &str) {
    html.el("li", &[], |h| {
        h.el("svg", &[("class", "key"), ("aria-hidden", "true")], |h| {
            if class == Kind::Late.class() {
                let (y, height) = Kind::Covered.stands();
                h.shape(
                    "rect",
                    &[
                        ("class", Kind::Covered.class()),
                        ("y", y),
                        ("width", "100%"),
                        ("height", height),
                    ],
                );
            }
            h.shape("rect", &[("class", class), ("y", y), ("width", "100%"), ("height", height)]);
        });
        h.text(word);
    });
}

#[cfg(test)]
mod tests;
