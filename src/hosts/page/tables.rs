//! Receivers, outbox, alerts of late, and what hsmwatch has told of itself: one table each.

use super::parts::{ANSWER, NAME, TITLE, Tone, badge, count, grouped, moment, nothing, section};
use super::writer::Html;
use crate::engine::status::{ReceiverStatus, RecentAlert, Status};
use crate::watch::alert::CAVEAT;
use crate::watch::severity::Severity;

/// Alerts of late that are shown.
const RECENT: usize = 40;
/// Rows of the outbox that are shown.
const OUTBOX: usize = 40;
/// Receivers named beside an alert.
const DELIVERIES: usize = 12;

/// A table that becomes a list of cards where the screen is narrow. The roles are said again because some browsers forget
/// them with the layout.
fn table(html: &mut Html, name: &str, heads: &[&str], rows: impl FnOnce(&mut Html)) {
    html.el("table", &[("role", "table"), ("aria-label", name)], |h| {
        h.el("thead", &[("role", "rowgroup")], |h| {
            h.el("tr", &[("role", "row")], |h| {
                for head in heads {
                    h.leaf("th", &[("role", "columnheader"), ("scope", "col")], head);
                }
            });
        });
        h.el("tbody", &[("role", "rowgroup")], rows);
    });
}

fn row(html: &mut Html, cells: impl FnOnce(&mut Html)) {
    html.line();
    html.el("tr", &[("role", "row")], cells);
}

/// A cell; `head` names it where the table's head is not shown.
fn cell(html: &mut Html, head: &str, inside: impl FnOnce(&mut Html)) {
    // What is inside stays one piece beside its head.
    html.el("td", &[("role", "cell"), ("data-head", head)], |h| h.el("div", &[], inside));
}

/// The cell that names the row.
fn name(html: &mut Html, inside: impl FnOnce(&mut Html)) {
    html.el("th", &[("role", "rowheader"), ("scope", "row")], inside);
}

fn number(html: &mut Html, head: &str, n: u64) {
    cell(html, head, |h| h.leaf("span", &[("class", "n")], &grouped(n)));
}

/// Receivers and their health.
pub(super) fn receivers(html: &mut Html, status: &Status) {
    section(html, "receivers", "Receivers", |h| {
        if status.receivers.is_empty() {
            return nothing(h, "No receiver: nobody is told.");
        }
        let heads = ["receiver", "state", "last accepted", "last answer", "open", "next try"];
        table(h, "Receivers", &heads, |h| {
            let mut all: Vec<&ReceiverStatus> = status.receivers.iter().collect();
            all.sort_by_key(|receiver| receiver.on);
            for receiver in all {
                row(h, |h| draw_receiver(h, receiver, status));
            }
        });
    });
}

fn draw_receiver(html: &mut Html, receiver: &ReceiverStatus, status: &Status) {
    let now = status.at;
    name(html, |h| {
        h.quoted(&receiver.name, NAME);
        h.leaf(
            "small",
            &[],
            &format!("{}, from {}", receiver.kind, receiver.min_severity.as_str()),
        );
    });
    let answer = receiver.last_answer.as_deref();
    cell(html, "state", |h| match receiver.off_since {
        Some(since) => {
            badge(h, Tone::Bad, "off");
            h.text(" since ");
            moment(h, since, now);
        }
        None if !receiver.on => badge(h, Tone::Bad, "off"),
        None if answer.is_some() => badge(h, Tone::Wait, "on, tried again"),
        None => badge(h, Tone::Good, "on"),
    });
    cell(html, "last accepted", |h| match receiver.last_accepted {
        Some(t) => moment(h, t, now),
        None => h.text("never"),
    });
    cell(html, "last answer", |h| match answer {
        Some(answer) => h.quoted(answer, ANSWER),
        None => h.text("–"),
    });
    number(html, "open", receiver.open);
    cell(html, "next try", |h| match receiver.next_due {
        Some(due) if due <= now => h.text("due now"),
        Some(due) => moment(h, due, now),
        None => h.text("–"),
    });
}

/// Alerts whose deliveries have not all ended.
pub(super) fn outbox(html: &mut Html, status: &Status) {
    section(html, "outbox", "Outbox", |h| {
        let mut full: Vec<_> =
            status.watches.iter().filter(|watch| watch.open_alerts > 0 || watch.held > 0).collect();
        let open: u64 = status.receivers.iter().map(|receiver| receiver.open).sum();
        if full.is_empty() {
            return nothing(
                h,
                &match open {
                    0 => "Nothing waits: every delivery has ended.".to_owned(),
                    n => format!(
                        "{} of hsmwatch's own alerts. No other alert waits.",
                        count(n, "delivery", "deliveries")
                    ),
                },
            );
        }
        full.sort_by_key(|watch| std::cmp::Reverse((watch.open_alerts, watch.held)));
        table(h, "Outbox", &["watch", "open alerts", "held hits"], |h| {
            for watch in full.iter().take(OUTBOX) {
                row(h, |h| {
                    name(h, |h| {
                        h.quoted(&watch.rule, NAME);
                        h.text(" on ");
                        h.quoted(&watch.workspace, NAME);
                    });
                    number(h, "open alerts", watch.open_alerts);
                    number(h, "held hits", watch.held);
                });
            }
        });
        more(h, full.len(), OUTBOX);
        h.leaf(
            "p",
            &[("class", "quiet")],
            "An alert is open until each of its receivers has taken or refused it. \
            Held hits wait for room and are then told in one digest.",
        );
    });
}

/// Alerts of late.
pub(super) fn recent(html: &mut Html, status: &Status) {
    section(html, "alerts", "Alerts of late", |h| {
        if status.recent.is_empty() {
            return nothing(h, "No alert yet.");
        }
        let heads = ["time", "severity", "what", "hits", "deliveries"];
        table(h, "Alerts of late", &heads, |h| {
            for alert in status.recent.iter().take(RECENT) {
                row(h, |h| draw_alert(h, alert, status));
            }
        });
        more(h, status.recent.len(), RECENT);
        h.leaf("p", &[("class", "quiet")], CAVEAT);
    });
}

fn draw_alert(html: &mut Html, alert: &RecentAlert, status: &Status) {
    let RecentAlert { id, time, severity, title, workspace, count, deliveries } = alert;
    cell(html, "time", |h| moment(h, *time, status.at));
    cell(html, "severity", |h| {
        h.leaf("span", &[("class", severity_class(*severity))], severity.as_str());
    });
    name(html, |h| {
        h.quoted(title, TITLE);
        h.text(" on ");
        h.quoted(workspace, NAME);
        h.el("small", &[], |h| h.el("code", &[], |h| h.quoted(id, NAME)));
    });
    number(html, "hits", *count);
    cell(html, "deliveries", |h| {
        if deliveries.is_empty() {
            return h.text("not sent yet");
        }
        h.el("ul", &[("class", "ends")], |h| {
            for (receiver, end) in deliveries.iter().take(DELIVERIES) {
                h.el("li", &[], |h| {
                    h.quoted(receiver, NAME);
                    h.text(" ");
                    badge(h, end_tone(end), end);
                });
            }
            if deliveries.len() > DELIVERIES {
                h.leaf("li", &[], &format!("and {} more", deliveries.len() - DELIVERIES));
            }
        });
    });
}

fn end_tone(end: &str) -> Tone {
    match end {
        "delivered" => Tone::Good,
        "waiting" => Tone::Wait,
        _ => Tone::Bad,
    }
}

const fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "sev critical",
        Severity::High => "sev high",
        Severity::Medium => "sev medium",
        Severity::Low | Severity::Info => "sev",
    }
}

/// What hsmwatch has told of itself.
pub(super) fn told(html: &mut Html, status: &Status) {
    if status.conditions.is_empty() {
        return;
    }
    section(html, "told", "hsmwatch itself has told", |h| {
        table(h, "hsmwatch itself has told", &["what", "about", "since", ""], |h| {
            let mut all: Vec<_> = status.conditions.iter().collect();
            all.sort_by_key(|c| (!c.stands, std::cmp::Reverse(c.since)));
            for condition in all {
                row(h, |h| {
                    name(h, |h| {
                        h.text(condition.condition.title());
                        h.leaf("small", &[], condition.condition.as_str());
                    });
                    cell(h, "about", |h| h.quoted(&condition.subject, TITLE));
                    cell(h, "since", |h| moment(h, condition.since, status.at));
                    cell(h, "state", |h| {
                        if condition.stands {
                            badge(h, Tone::Bad, "lasts");
                        } else {
                            badge(h, Tone::Off, "happened once");
                        }
                    });
                });
            }
        });
    });
}

/// Documents that cannot be read.
pub(super) fn unreadable(html: &mut Html, status: &Status) {
    if status.unreadable.is_empty() {
        return;
    }
    section(html, "unreadable", "State that cannot be read", |h| {
        table(h, "State that cannot be read", &["document", "why"], |h| {
            for document in &status.unreadable {
                row(h, |h| {
                    name(h, |h| h.el("code", &[], |h| h.quoted(&document.document, TITLE)));
                    cell(h, "why", |h| h.quoted(&document.why, ANSWER));
                });
            }
        });
    });
}

fn more(html: &mut Html, all: usize, shown: usize) {
    if all > shown {
        nothing(html, &format!("And {} more: hsmwatch status --format json", grouped(all - shown)));
    }
}
