//! Every watch: how it fares, what it covered, what it found. Grouped by workspace, those that need attention first.

use super::coverage::{self, Range};
use super::hits::{self, HOURS, Hits};
use super::parts::{
    NAME, Tone, badge, count, grouped, mark, moment, nothing, range, relative, time,
};
use super::writer::Html;
use crate::engine::status::words::{self, Age};
use crate::engine::status::{Missing, State, Status, WatchStatus};
use crate::watch::head::GapKind;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// With more watches than this, those without trouble are folded away.
const UNFOLDED: usize = 40;
/// Intervals that the details of a watch name.
const GAPS: usize = 20;
/// Workspaces that the section's table of contents names.
const CONTENTS: usize = 60;

/// Watches by workspace: workspaces with trouble first, and so within each.
fn grouped_by_workspace(status: &Status) -> Vec<(&str, Vec<&WatchStatus>)> {
    let mut groups: BTreeMap<&str, Vec<&WatchStatus>> = BTreeMap::new();
    for watch in &status.watches {
        groups.entry(&watch.workspace).or_default().push(watch);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    for (_, watches) in &mut groups {
        watches.sort_by_key(|watch| (!watch.attention, tone(watch) == Tone::Good, is_plain(watch)));
    }
    groups.sort_by_key(|(_, watches)| !watches.iter().any(|watch| watch.attention));
    groups
}

/// How a watch looks at a glance.
const fn tone(watch: &WatchStatus) -> Tone {
    if watch.attention {
        return Tone::Bad;
    }
    match watch.state {
        State::Fine => Tone::Good,
        State::UnknownRule => Tone::Off,
        State::Failing { .. } | State::Overdue { .. } | State::Unreadable => Tone::Bad,
        State::NotStarted | State::Waiting { .. } | State::Throttled { .. } => Tone::Wait,
    }
}

/// Whether there is nothing to see: it is fine, and there is no gap.
fn is_plain(watch: &WatchStatus) -> bool {
    tone(watch) == Tone::Good && watch.gaps.is_empty()
}

/// The section.
pub(super) fn draw(html: &mut Html, status: &Status) {
    html.line();
    html.el("section", &[("id", "watches"), ("aria-labelledby", "watches-h")], |h| {
        h.leaf("h2", &[("id", "watches-h")], "Watches");
        if status.watches.is_empty() {
            return nothing(h, "No watch: no rule runs on any workspace.");
        }
        let range = Range::of(status);
        let groups = grouped_by_workspace(status);
        if groups.len() > 1 {
            contents(h, &groups);
        }
        let late = |gap: &Missing| matches!(gap.why, GapKind::Fingerprints | GapKind::Versions);
        h.el("div", &[("class", "key-line")], |h| {
            h.leaf(
                "span",
                &[],
                &format!("Coverage of the last {}, hits of the last {HOURS} hours", range.name),
            );
            coverage::legend(h, status.watches.iter().any(|watch| watch.gaps.iter().any(late)));
        });
        h.el("svg", &[("class", "defs"), ("aria-hidden", "true")], |h| {
            coverage::define(h, &range);
            hits::define(h);
        });
        for (n, (workspace, watches)) in groups.iter().enumerate() {
            let view =
                View { now: status.at, range: &range, fold: status.watches.len() > UNFOLDED };
            group(h, n, workspace, watches, &view);
        }
    });
}

fn contents(html: &mut Html, groups: &[(&str, Vec<&WatchStatus>)]) {
    html.el("nav", &[("class", "contents"), ("aria-label", "Workspaces")], |h| {
        for (n, (workspace, watches)) in groups.iter().take(CONTENTS).enumerate() {
            let ill = watches.iter().filter(|watch| watch.attention).count();
            h.el("a", &[("href", &format!("#w{n}"))], |h| {
                h.quoted(workspace, NAME);
                h.text(" ");
                h.el("span", &[("class", "ago")], |h| {
                    h.text(&grouped(watches.len()));
                    h.leaf("span", &[("class", "unseen")], " watches");
                });
                if ill > 0 {
                    h.el("span", &[("class", "bad")], |h| {
                        mark(h, Tone::Bad);
                        h.text(&grouped(ill));
                        h.leaf("span", &[("class", "unseen")], " need attention");
                    });
                }
            });
        }
    });
}

/// What all watches are drawn by.
struct View<'a> {
    now: DateTime<Utc>,
    range: &'a Range,
    fold: bool,
}

fn group(html: &mut Html, n: usize, workspace: &str, watches: &[&WatchStatus], view: &View<'_>) {
    html.line();
    html.el("div", &[("class", "group"), ("id", &format!("w{n}"))], |h| {
        h.el("div", &[("class", "head")], |h| {
            h.el("h3", &[], |h| h.quoted(workspace, NAME));
            // For the eye: each watch has the same words for those who do not see the columns.
            h.leaf("span", &[("class", "col"), ("aria-hidden", "true")], "last success");
            coverage::axis(h, "axis");
            hits::axis(h, "axis");
        });
        let folded = if view.fold {
            watches.iter().position(|watch| is_plain(watch)).unwrap_or(watches.len())
        } else {
            watches.len()
        };
        let (open, fine) = watches.split_at(folded);
        for watch in open {
            draw_watch(h, watch, view);
        }
        if !fine.is_empty() {
            h.el("details", &[("class", "fold")], |h| {
                h.el("summary", &[], |h| {
                    badge(
                        h,
                        Tone::Good,
                        &count(fine.len(), "more watch is fine", "more watches are fine"),
                    );
                });
                for watch in fine {
                    draw_watch(h, watch, view);
                }
            });
        }
    });
}

fn draw_watch(html: &mut Html, watch: &WatchStatus, view: &View<'_>) {
    let now = view.now;
    html.line();
    html.el("article", &[("class", "watch")], |h| {
        h.el("div", &[("class", "name")], |h| {
            h.el("h4", &[], |h| h.quoted(&watch.rule, NAME));
            badge(h, tone(watch), watch.state.word());
        });
        h.el("div", &[("class", "fresh")], |h| {
            h.leaf("span", &[("class", "label")], "last success ");
            match watch.last_success {
                Some(t) => {
                    h.leaf("b", &[], &relative(t, now));
                    h.text(" ");
                    time(h, t);
                }
                None => h.leaf("b", &[], "never"),
            }
        });
        h.el("div", &[("class", "picture")], |h| {
            coverage::draw(h, watch, view.range);
            coverage::axis(h, "axis own");
        });
        h.el("div", &[("class", "picture of-hits")], |h| {
            let hits = Hits::of(watch, now);
            hits::draw(h, &hits);
            hits::axis(h, "axis own");
            h.leaf(
                "p",
                &[("class", "scale")],
                &match hits.most {
                    None => "no hits".to_owned(),
                    Some((most, _)) => {
                        format!("{}, at most {}/h", count(hits.sum, "hit", "hits"), grouped(most))
                    }
                },
            );
        });
        if let Some(sentence) = watch.state.says() {
            h.el("p", &[("class", "says")], |h| h.quoted(&sentence, 600));
        }
        details(h, watch, now);
    });
}

/// One line that sums up, and everything else beneath it.
fn details(html: &mut Html, watch: &WatchStatus, now: DateTime<Utc>) {
    let Some(started) = watch.started_at else { return };
    html.el("details", &[], |h| {
        h.el("summary", &[], |h| h.text(&summary(watch, now)));
        h.el("dl", &[], |h| {
            fact(h, "watched since", |h| moment(h, started, now));
            if let Some(t) = watch.watermark {
                fact(h, "asked for until", |h| moment(h, t, now));
            }
            if let Some(t) = watch.latest_row {
                fact(h, "last row", |h| moment(h, t, now));
            }
            if let Some(t) = watch.next {
                fact(h, "next evaluation", |h| moment(h, t, now));
            }
            if !watch.gaps.is_empty() {
                fact(h, "not covered", |h| h.el("ul", &[], |h| gaps(h, watch)));
            }
            let hits = Hits::of(watch, now);
            if hits.sum > 0 {
                fact(h, "hits by the hour", |h| h.text(&by_hour(&hits)));
            }
        });
    });
}

fn fact(html: &mut Html, name: &str, value: impl FnOnce(&mut Html)) {
    html.leaf("dt", &[], name);
    html.el("dd", &[], value);
}

fn gaps(html: &mut Html, watch: &WatchStatus) {
    for gap in watch.gaps.iter().rev().take(GAPS) {
        let long = Age(gap.to - gap.from);
        html.leaf(
            "li",
            &[],
            &format!("{} ({long}), {}", range(gap.from, gap.to), words::gap(gap.why)),
        );
    }
    if watch.gaps.len() > GAPS {
        let more = count(watch.gaps.len() - GAPS, "further interval", "further intervals");
        html.leaf("li", &[], &format!("and {more}: hsmwatch status --format json"));
    }
}

/// A day's hours after its date, days apart.
fn by_hour(hits: &Hits) -> String {
    let mut days: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (hour, n) in hits.hours() {
        let told = format!("{}: {}", hour.format("%H:%MZ"), grouped(n));
        days.entry(hour.format("%F").to_string()).or_default().push(told);
    }
    let days: Vec<String> =
        days.into_iter().map(|(day, hours)| format!("{day} {}", hours.join(", "))).collect();
    days.join("; ")
}

fn summary(watch: &WatchStatus, now: DateTime<Utc>) -> String {
    let long = |seconds: i64| Age(TimeDelta::seconds(seconds)).to_string();
    let mut parts = Vec::new();
    if let (Some(covered), Some(missing)) = (watch.covered_s, watch.missing_s) {
        parts.push(format!("covered {}", long(covered)));
        if missing > 0 {
            parts.push(format!("missing {}", long(missing)));
        }
    }
    if let Some(lag) = watch.lag_s {
        parts.push(format!("lag {}", long(lag)));
    }
    parts.push(
        watch
            .latest_row
            .map_or_else(|| "no row yet".to_owned(), |t| format!("last row {}", relative(t, now))),
    );
    match watch.next {
        Some(next) if next <= now => parts.push("due now".to_owned()),
        Some(next) => parts.push(format!("next {}", relative(next, now))),
        None => {}
    }
    if watch.open_alerts > 0 {
        parts.push(format!("{} open", count(watch.open_alerts, "alert", "alerts")));
    }
    if watch.held > 0 {
        parts.push(format!("{} held", count(watch.held, "hit", "hits")));
    }
    parts.join(" · ")
}

/// Hits of all watches in the time of the pictures.
pub(super) fn hits_of_all(status: &Status) -> u64 {
    let all = status.watches.iter().map(|watch| Hits::of(watch, status.at).sum);
    all.fold(0, u64::saturating_add)
}
