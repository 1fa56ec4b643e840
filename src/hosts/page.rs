//! The status as one page of HTML: made here, complete in itself, without script, image, font or style from elsewhere.
//!
//! Error texts, receivers' answers and names may be an attacker's. They pass through one function of `writer` on their
//! way in, and the page's policy forbids whatever it does not need.

mod attention;
mod coverage;
mod hits;
mod parts;
mod tables;
mod watches;
mod writer;

use crate::engine::status::Status;
use attention::Item;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use parts::{NAME, TITLE, Tone, count, grouped, mark, moment};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;
use writer::Html;

/// What the page looks like.
const STYLE: &str = include_str!("page/style.css");

/// The page's policy, for the header `content-security-policy`: its own style sheet and nothing else at all. The page says
/// it too, where no header can.
pub static POLICY: LazyLock<String> =
    LazyLock::new(|| format!("{}; frame-ancestors 'none'", *OWN_POLICY));

/// The part of the policy that a page may say of itself.
static OWN_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
});

/// What the page is about.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What the state says, if there is a configuration to look at it with.
    pub status: Option<&'a Status>,
    /// What is wrong with a configuration that was refused, and since when; with a status, that of the last good one.
    pub refused: Option<(&'a str, DateTime<Utc>)>,
    /// Where the configuration comes from, as the user would name it.
    pub source: &'a str,
    /// Of this program.
    pub version: &'a str,
    /// Now.
    pub at: DateTime<Utc>,
}

/// The page.
pub fn html(page: &Page<'_>) -> String {
    let items = page.status.map(attention::items).unwrap_or_default();
    let verdict = Verdict::of(page, &items);
    let mut html = Html::document();
    html.el("html", &[("lang", "en")], |h| {
        h.el("head", &[], |h| head(h, &verdict));
        h.line();
        h.el("body", &[], |h| {
            h.el("svg", &[("class", "defs"), ("aria-hidden", "true")], parts::define);
            top(h, page, &verdict);
            h.el("main", &[], |h| {
                attention::refused(h, page);
                attention::draw(h, page, &items);
                if let Some(status) = page.status {
                    watches::draw(h, status);
                    tables::receivers(h, status);
                    tables::outbox(h, status);
                    tables::recent(h, status);
                    tables::told(h, status);
                    tables::unreadable(h, status);
                }
            });
            foot(h);
        });
    });
    html.line();
    html.finish()
}

fn head(html: &mut Html, verdict: &Verdict) {
    html.line();
    html.void("meta", &[("charset", "utf-8")]);
    html.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &OWN_POLICY)]);
    html.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    html.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    html.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    html.void("meta", &[("name", "robots"), ("content", "noindex")]);
    html.leaf("title", &[], &format!("hsmwatch: {}", verdict.says));
    html.style(STYLE);
}

/// The answer to "is all well?".
struct Verdict {
    tone: Tone,
    says: String,
    more: String,
}

impl Verdict {
    fn of(page: &Page<'_>, items: &[Item<'_>]) -> Self {
        let refused = page.refused.is_some();
        let Some(status) = page.status else {
            return Self {
                tone: Tone::Bad,
                says: "nothing is watched".to_owned(),
                more: if refused {
                    "The configuration is refused, and there is no earlier one to go on with."
                } else {
                    "There is no status to show."
                }
                .to_owned(),
            };
        };
        let things = (items.len() + usize::from(refused)).max(usize::from(!status.well));
        if things > 0 {
            let mut said = status.troubles(items.iter().filter(|item| item.is_told()).count());
            if refused {
                said.insert(0, "the configuration is refused".to_owned());
            }
            return Self {
                tone: Tone::Bad,
                says: count(things, "thing needs attention", "things need attention"),
                more: sentence(&said.join(", ")),
            };
        }
        if status.watches.is_empty() {
            return Self {
                tone: Tone::Wait,
                says: "nothing is watched".to_owned(),
                more: "No rule runs on any workspace.".to_owned(),
            };
        }
        let here = match status.watches.len() {
            1 => "The one watch is looked after, the receivers are on.".to_owned(),
            n => format!("All {} watches are looked after, the receivers are on.", grouped(n)),
        };
        Self { tone: Tone::Good, says: "all is well".to_owned(), more: here }
    }
}

/// With a capital at its beginning and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

fn top(html: &mut Html, page: &Page<'_>, verdict: &Verdict) {
    html.line();
    html.el("header", &[("class", verdict.tone.class())], |h| {
        h.leaf("p", &[("class", "brand")], "hsmwatch");
        h.el("h1", &[], |h| {
            mark(h, verdict.tone);
            h.text(sentence(&verdict.says).trim_end_matches('.'));
        });
        h.leaf("p", &[("class", "more")], &verdict.more);
        h.el("dl", &[("class", "facts")], |h| {
            if let Some(status) = page.status {
                fact(h, "last run", |h| match status.last_tick {
                    Some(t) => moment(h, t, page.at),
                    None => h.text("not yet"),
                });
            }
            fact(h, "this page", |h| {
                let at = page.status.map_or(page.at, |status| status.at);
                moment(h, at, page.at);
            });
            fact(h, "configuration", |h| h.quoted(page.source, TITLE));
            fact(h, "version", |h| h.quoted(page.version, NAME));
        });
        if let Some(status) = page.status {
            figures(h, status);
        }
    });
}

fn fact(html: &mut Html, name: &str, value: impl FnOnce(&mut Html)) {
    html.el("div", &[], |h| {
        h.leaf("dt", &[], name);
        h.el("dd", &[], value);
    });
}

/// The numbers that one wants first; each leads to its section.
fn figures(html: &mut Html, status: &Status) {
    let on = status.receivers.iter().filter(|receiver| receiver.on).count();
    let open: u64 = status.watches.iter().map(|watch| watch.open_alerts).sum();
    let ill = status.watches.iter().filter(|watch| watch.attention).count();
    let watches = status.watches.len();
    let figures = [
        ("#watches", format!("{} of {}", grouped(watches - ill), grouped(watches)), "watches well"),
        ("#receivers", format!("{on} of {}", status.receivers.len()), "receivers on"),
        ("#outbox", grouped(open), "open alerts"),
        ("#watches", grouped(watches::hits_of_all(status)), "hits in 48 hours"),
    ];
    html.el("nav", &[("class", "figures"), ("aria-label", "Sections")], |h| {
        for (to, value, what) in &figures {
            figure(h, to, value, what);
        }
        let latest = status.recent.first().map(|alert| parts::relative(alert.time, status.at));
        let (value, what) = latest
            .map_or_else(|| ("none".to_owned(), "alerts of late"), |age| (age, "latest alert"));
        figure(h, "#alerts", &value, what);
    });
}

fn figure(html: &mut Html, to: &'static str, value: &str, what: &str) {
    html.el("a", &[("href", to)], |h| {
        h.leaf("b", &[], value);
        h.text(" ");
        h.leaf("span", &[], what);
    });
}

fn foot(html: &mut Html) {
    html.line();
    html.el("footer", &[], |h| {
        h.text("All times are UTC. This page does not renew itself. The same for programs: ");
        h.leaf("code", &[], "hsmwatch status --format json");
    });
}

#[cfg(test)]
mod tests;
