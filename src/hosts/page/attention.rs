//! What needs attention: each thing once, the gravest first, with what to do about it.

use super::Page;
use super::parts::{ANSWER, NAME, Tone, count, mark, moment};
use super::writer::Html;
use crate::engine::status::{Standing, State, Status, WatchStatus};
use crate::watch::head::FailureKind;
use crate::watch::own::Condition;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Longest configuration error shown, in characters.
const REFUSAL: usize = 20_000;
/// Watches that an item names; all of them stand further down.
const NAMED: usize = 6;
/// Items shown; the sections below show all.
const ITEMS: usize = 30;

/// The rank of what only a condition tells of.
const TOLD: u8 = 7;

/// One thing that needs attention.
pub(super) struct Item<'a> {
    /// 0 is the gravest.
    rank: u8,
    /// What it is about: names that others chose, and our words around them.
    what: Vec<Word<'a>>,
    since: Option<DateTime<Utc>>,
    /// What was answered or went wrong; others wrote it.
    said: Option<&'a str>,
    cure: &'static str,
}

impl Item<'_> {
    /// Whether it is here only because hsmwatch has told of it.
    pub(super) const fn is_told(&self) -> bool {
        self.rank == TOLD
    }
}

/// A piece of a heading.
enum Word<'a> {
    Ours(String),
    Theirs(&'a str),
}

fn ours<'a>(text: impl Into<String>) -> Word<'a> {
    Word::Ours(text.into())
}

/// Everything but a refused configuration.
pub(super) fn items(status: &Status) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for document in &status.unreadable {
        items.push(Item {
            rank: 3,
            what: vec![
                ours("State document "),
                Word::Theirs(&document.document),
                ours(" cannot be read"),
            ],
            since: None,
            said: Some(&document.why),
            cure: Condition::StateUnreadable.action(),
        });
    }
    for receiver in status.receivers.iter().filter(|receiver| !receiver.on) {
        items.push(Item {
            rank: 2,
            what: vec![ours("Receiver "), Word::Theirs(&receiver.name), ours(" is off")],
            since: receiver.off_since,
            said: Some(receiver.last_answer.as_deref().unwrap_or("it refused everything")),
            cure: Condition::ReceiverBroken.action(),
        });
    }
    watches(status, &mut items);
    let rest = status.conditions.iter().filter(|c| c.stands && !shown(c, status));
    items.extend(rest.map(|standing| Item {
        rank: TOLD,
        what: vec![
            ours(format!("{}: ", standing.condition.title())),
            Word::Theirs(&standing.subject),
        ],
        since: Some(standing.since),
        said: None,
        cure: standing.condition.action(),
    }));
    items.sort_by_key(|item| item.rank);
    items
}

/// One item for all watches of a workspace that suffer from the same.
fn watches<'a>(status: &'a Status, items: &mut Vec<Item<'a>>) {
    let mut groups: BTreeMap<(u8, &str, &str), Vec<&WatchStatus>> = BTreeMap::new();
    for watch in status.watches.iter().filter(|watch| watch.attention) {
        let (rank, said) = match &watch.state {
            State::Failing { error, .. } => (1, error.as_str()),
            State::Overdue { .. } => (0, ""),
            State::Waiting { .. } => (4, ""),
            State::Throttled { .. } => (5, ""),
            State::NotStarted => (6, ""),
            // The document is an item of its own.
            State::Unreadable if !status.unreadable.is_empty() => continue,
            State::Unreadable | State::UnknownRule | State::Fine => (3, ""),
        };
        groups.entry((rank, &watch.workspace, said)).or_default().push(watch);
    }
    for ((rank, workspace, said), group) in groups {
        let Some(first) = group.first() else { continue };
        let since = group.iter().filter_map(|watch| since(&watch.state)).min();
        let mut what = Vec::new();
        for (n, watch) in group.iter().take(NAMED).enumerate() {
            what.push(ours(if n == 0 { "" } else { ", " }));
            what.push(Word::Theirs(&watch.rule));
        }
        if group.len() > NAMED {
            what.push(ours(format!(" and {} more", group.len() - NAMED)));
        }
        what.extend([
            ours(" on "),
            Word::Theirs(workspace),
            ours(format!(": {}", trouble(&first.state))),
        ]);
        items.push(Item {
            rank,
            what,
            since,
            said: Some(said).filter(|said| !said.is_empty()),
            cure: cure(&first.state),
        });
    }
}

const fn since(state: &State) -> Option<DateTime<Utc>> {
    match state {
        State::Failing { since, .. } | State::Waiting { since } | State::Overdue { since } => {
            Some(*since)
        }
        _ => None,
    }
}

const fn trouble(state: &State) -> &'static str {
    match state {
        State::Failing { .. } => "evaluations fail",
        State::Overdue { .. } => "not evaluated, hsmwatch does not run",
        State::Waiting { .. } => "no data to give",
        State::Throttled { .. } => "throttled, nothing is evaluated",
        State::NotStarted => "not started",
        State::Unreadable => "its head cannot be read",
        State::UnknownRule | State::Fine => "needs attention",
    }
}

const fn cure(state: &State) -> &'static str {
    match state {
        State::Failing { kind: Some(FailureKind::Denied), .. } => Condition::AccessDenied.action(),
        State::Failing { kind: Some(FailureKind::Refused), .. } => Condition::QueryRefused.action(),
        State::Failing { kind: Some(FailureKind::State), .. } => {
            "Look at the place where state is kept: is it there, is it writable, is it full?"
        }
        State::Failing { .. } => {
            "Look at the error; check the network and the workspace. Nothing is lost: the time is asked for later."
        }
        State::Overdue { .. } => {
            "See that it runs: the function app and its timer, or `hsmwatch run`. The time is asked for later."
        }
        State::Waiting { .. } => Condition::NoData.action(),
        State::Throttled { .. } => {
            "The service allows few queries at a time: use a longer `every`, or fewer rules on this workspace."
        }
        State::NotStarted => "It begins with the next tick. Rows before that are never told.",
        State::Unreadable => Condition::StateUnreadable.action(),
        State::UnknownRule | State::Fine => "Look at it below.",
    }
}

/// Whether another item tells of the same.
fn shown(standing: &Standing, status: &Status) -> bool {
    let subject = &standing.subject;
    let ill = || status.watches.iter().filter(|watch| watch.attention);
    match standing.condition {
        Condition::ReceiverBroken => {
            status.receivers.iter().any(|receiver| !receiver.on && receiver.name == *subject)
        }
        Condition::StateUnreadable => {
            status.unreadable.iter().any(|unreadable| unreadable.document == *subject)
        }
        Condition::QueryRefused => {
            ill().any(|watch| format!("{} on {}", watch.rule, watch.workspace) == *subject)
        }
        Condition::WatchFailing | Condition::AccessDenied | Condition::NoData => {
            ill().any(|watch| watch.workspace == *subject)
        }
        _ => false,
    }
}

/// The list, if there is anything on it.
pub(super) fn draw(html: &mut Html, page: &Page<'_>, items: &[Item<'_>]) {
    if items.is_empty() {
        return;
    }
    html.line();
    html.el("section", &[("id", "attention"), ("aria-labelledby", "attention-h")], |h| {
        h.leaf("h2", &[("id", "attention-h")], "Needs attention");
        h.el("ol", &[("class", "todo")], |h| {
            for item in items.iter().take(ITEMS) {
                h.el("li", &[], |h| draw_item(h, page, item));
            }
        });
        if items.len() > ITEMS {
            let more = format!("And {} below.", count(items.len() - ITEMS, "more", "more"));
            h.leaf("p", &[("class", "quiet")], &more);
        }
    });
}

fn draw_item(html: &mut Html, page: &Page<'_>, item: &Item<'_>) {
    html.el("span", &[("class", "bad")], |h| mark(h, Tone::Bad));
    html.el("h3", &[], |h| {
        for word in &item.what {
            match word {
                Word::Ours(text) => h.text(text),
                Word::Theirs(text) => h.quoted(text, NAME),
            }
        }
    });
    if let Some(since) = item.since {
        html.el("p", &[("class", "since")], |h| {
            h.text("since ");
            moment(h, since, page.at);
        });
    }
    if let Some(said) = item.said {
        html.el("p", &[("class", "said")], |h| h.quoted(said, ANSWER));
    }
    html.el("p", &[("class", "cure")], |h| code(h, item.cure));
}

/// A sentence whose words in backticks are what one types.
fn code(html: &mut Html, text: &'static str) {
    for (n, piece) in text.split('`').enumerate() {
        if n % 2 == 0 { html.text(piece) } else { html.leaf("code", &[], piece) }
    }
}

/// A configuration that was refused, with its full text.
pub(super) fn refused(html: &mut Html, page: &Page<'_>) {
    let Some((why, since)) = page.refused else { return };
    html.line();
    html.el("section", &[("id", "refused"), ("aria-labelledby", "refused-h")], |h| {
        h.el("h2", &[("id", "refused-h"), ("class", "bad")], |h| {
            mark(h, Tone::Bad);
            h.text("The configuration is refused");
        });
        h.el("p", &[], |h| {
            h.text("Refused since ");
            moment(h, since, page.at);
            h.text(if page.status.is_some() {
                ". The last good configuration goes on; all below is about that one."
            } else {
                ". There is no earlier one to go on with: nothing is watched until it is mended."
            });
        });
        h.el("pre", &[("tabindex", "0"), ("aria-label", "What is wrong with it")], |h| {
            h.lines(why, REFUSAL);
        });
        h.el("p", &[("class", "cure")], |h| {
            code(h, "Mend it; `hsmwatch check` says the same before it is in use.");
        });
    });
}
