//! Small parts that every section uses: instants, marks, names.

use super::writer::Html;
use crate::engine::status::words::Age;
use chrono::{DateTime, Utc};
use std::fmt::Display;

/// Longest name shown (rule, workspace, receiver), in UTF-16 units.
pub(super) const NAME: usize = 80;
/// Longest title shown.
pub(super) const TITLE: usize = 160;
/// Longest answer or error shown.
pub(super) const ANSWER: usize = 400;

/// An instant for people: date and time of UTC, to the second.
pub(super) fn iso(t: DateTime<Utc>) -> String {
    t.format("%F %TZ").to_string()
}

/// An interval for people; the second date only if it is another.
pub(super) fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let end = if from.date_naive() == to.date_naive() { "%TZ" } else { "%F %TZ" };
    format!("{} to {}", iso(from), to.format(end))
}

/// How far an instant is from now.
pub(super) fn relative(t: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if t > now { format!("in {}", Age(t - now)) } else { format!("{} ago", Age(now - t)) }
}

/// An instant with its age beside it.
pub(super) fn moment(html: &mut Html, t: DateTime<Utc>, now: DateTime<Utc>) {
    time(html, t);
    html.text(" ");
    html.leaf("span", &[("class", "ago")], &relative(t, now));
}

/// An instant.
pub(super) fn time(html: &mut Html, t: DateTime<Utc>) {
    html.leaf("time", &[("datetime", &t.format("%FT%TZ").to_string())], &iso(t));
}

/// How something fares: a shape, a colour and, beside it, always a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Not yet, or not now.
    Wait,
    /// Someone should look.
    Bad,
    /// Nobody looks after it any more.
    Off,
}

impl Tone {
    /// Its class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wait => "hold",
            Self::Bad => "bad",
            Self::Off => "off",
        }
    }

    const fn symbol(self) -> &'static str {
        match self {
            Self::Good => "#good",
            Self::Wait => "#hold",
            Self::Bad => "#bad",
            Self::Off => "#off",
        }
    }
}

/// The shape of a tone. A word must stand beside it.
pub(super) fn mark(html: &mut Html, tone: Tone) {
    html.el("svg", &[("class", "mark"), ("aria-hidden", "true")], |h| {
        h.shape("use", &[("href", tone.symbol())]);
    });
}

/// A mark and its word.
pub(super) fn badge(html: &mut Html, tone: Tone, word: &str) {
    html.el("span", &[("class", tone.class())], |h| {
        mark(h, tone);
        h.text(word);
    });
}

/// The shapes of all tones.
pub(super) fn define(html: &mut Html) {
    let shapes = [
        (
            "good",
            "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM4.2 8.3l1.2-1.2 1.8 1.8 3.6-3.9 1.2 1.1-4.8 5.1z",
        ),
        (
            "hold",
            "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.7a5.3 5.3 0 1 1 0 10.6A5.3 5.3 0 0 1 8 2.7zM7.2 4.5h1.6v3.2l2.2 1.4-.8 1.3-3-1.9z",
        ),
        ("bad", "M8 .8 15.8 15H.2zM7.1 5.8l.3 4.5h1.2l.3-4.5zm0 5.6v1.8h1.8v-1.8z"),
        ("off", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM4.3 7.1h7.4v1.8H4.3z"),
    ];
    for (id, d) in shapes {
        html.el("symbol", &[("id", id), ("viewBox", "0 0 16 16")], |h| {
            h.shape("path", &[("fill-rule", "evenodd"), ("d", d)]);
        });
    }
}

/// `1 watch`, `2 watches`.
pub(super) fn count<N: Copy + Display + PartialEq + From<u8>>(
    n: N,
    one: &str,
    many: &str,
) -> String {
    format!("{} {}", grouped(n), if n == N::from(1) { one } else { many })
}

/// A number with its thousands set apart.
pub(super) fn grouped<N: Copy + Display>(n: N) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            // A narrow space that does not break.
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// A section with its heading.
pub(super) fn section(
    html: &mut Html,
    id: &'static str,
    heading: &str,
    inside: impl FnOnce(&mut Html),
) {
    html.line();
    html.el("section", &[("id", id), ("aria-labelledby", &format!("{id}-h"))], |h| {
        h.leaf("h2", &[("id", &format!("{id}-h"))], heading);
        inside(h);
    });
}

/// A paragraph that says there is nothing.
pub(super) fn nothing(html: &mut Html, text: &str) {
    html.leaf("p", &[("class", "quiet")], text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn instants() {
        let now = t("2026-11-22T09:15:04.7Z");
        assert_eq!(iso(now), "2026-11-22 09:15:04Z");
        assert_eq!(relative(t("2026-11-22T09:14:00Z"), now), "1m ago");
        assert_eq!(relative(t("2026-11-22T10:15:04.7Z"), now), "in 1h");
        assert_eq!(
            range(t("2026-11-22T01:00:00Z"), t("2026-11-22T02:00:00Z")),
            "2026-11-22 01:00:00Z to 02:00:00Z"
        );
        assert_eq!(
            range(t("2026-11-21T01:00:00Z"), t("2026-11-22T02:00:00Z")),
            "2026-11-21 01:00:00Z to 2026-11-22 02:00:00Z"
        );
    }

    #[test]
    fn numbers() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(1, "watch", "watches"), "1 watch");
        assert_eq!(count(0, "watch", "watches"), "0 watches");
    }
}
