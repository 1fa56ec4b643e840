//! What a person sees of the demo: alerts as they were received, a few words between them, and a table at the end.

use super::super::Format;
use super::super::report::{self, out, out_raw, progress, progress_done};
use super::receiver::Arrived;
use crate::notify::wording::{self, severity_word};
use crate::notify::{Detail, limits, terminal};
use crate::watch::alert::{Alert, Reason};
use crate::watch::severity::Severity;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fmt::Display;

/// Prints, for people or for programs.
pub(super) struct Show {
    pub(super) format: Format,
    colour: bool,
    /// Rules whose wording has been shown.
    explained: BTreeSet<String>,
    /// Alerts worth recording only, since the last line.
    quiet: Option<Quiet>,
    /// Whether an alert in full stands above.
    after_full: bool,
}

/// A run of alerts of one rule of severity info.
struct Quiet {
    title: String,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    alerts: u64,
    hits: u64,
}

/// The alert in a webhook's body. What is shown is what was received, not what was sent.
pub(super) fn received(body: &[u8]) -> Option<Alert> {
    let mut event: Json = serde_json::from_slice(body).ok()?;
    let (id, time) = (event.get("id")?.clone(), event.get("time")?.clone());
    let data = event.get_mut("data")?.as_object_mut()?;
    data.insert("id".to_owned(), id);
    data.insert("time".to_owned(), time);
    // Who else was told is not in it.
    data.insert("receivers".to_owned(), json!([]));
    serde_json::from_value(event.get_mut("data")?.take()).ok()
}

impl Show {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            colour: report::colour(),
            explained: BTreeSet::new(),
            quiet: None,
            after_full: false,
        }
    }

    /// A line for people only.
    pub(super) fn line(&mut self, text: impl Display) {
        if self.format == Format::Human {
            self.quiet_line();
            self.print(text);
        }
    }

    fn print(&mut self, text: impl Display) {
        progress_done();
        let text = text.to_string();
        if std::mem::take(&mut self.after_full) && !text.starts_with('\n') && !text.is_empty() {
            out("");
        }
        out(text);
    }

    /// Something that is not an alert, at its time.
    pub(super) fn note(&mut self, at: DateTime<Utc>, text: impl Display) {
        let text = format!("{}  {:<8}  {text}", minute(at), "note");
        let text = self.paint("36", &text);
        self.line(text);
    }

    /// A line of progress, where somebody looks.
    pub(super) fn progress(&self, text: impl Display) {
        if self.format == Format::Human {
            progress(text);
        }
    }

    /// A webhook's message, taken for what it says it is. Answers whether it takes a while to read.
    pub(super) fn alert(&mut self, arrived: &Arrived, alert: &Alert) -> bool {
        if self.format == Format::Json {
            out_raw(&arrived.body);
            out_raw(b"\n");
            return false;
        }
        let severity = alert.rule.severity;
        match severity {
            Severity::Info => self.quiet(arrived.at, alert),
            Severity::Low => {
                let summary: String =
                    wording::summary(alert, Detail::Full).iter().map(|p| p.text(100)).collect();
                let late = if alert.reason == Reason::Sweep { "late: " } else { "" };
                let line = format!("{}  {late}{summary}", head(arrived.at, severity));
                self.line(line);
            }
            _ => {
                self.in_full(arrived, alert);
                return true;
            }
        }
        false
    }

    fn in_full(&mut self, arrived: &Arrived, alert: &Alert) {
        let mut alert = alert.clone();
        let id = alert.rule.id.clone();
        let shown = if self.explained.insert(id) {
            ""
        } else {
            // What it means and what to do has been read once already.
            for text in [
                &mut alert.rule.meaning,
                &mut alert.rule.why,
                &mut alert.rule.action,
                &mut alert.rule.false_positives,
            ] {
                text.clear();
            }
            " · explained above"
        };
        let attempt = match arrived.attempt {
            1 => String::new(),
            n => format!(" · attempt {n}"),
        };
        let head =
            format!("── {} · received, signature verified{attempt}{shown} ", minute(arrived.at));
        let rest = terminal::WIDTH.saturating_sub(head.chars().count());
        let head = format!("{head}{}", "─".repeat(rest));
        let head = self.paint("2", &head);
        let text = terminal::render(&alert, Detail::Full, self.colour);
        self.line(format!("\n{head}\n{}", text.trim_end()));
        self.after_full = true;
    }

    fn quiet(&mut self, at: DateTime<Utc>, alert: &Alert) {
        let title = limits::clean(wording::title(alert), 100);
        if self.quiet.as_ref().is_some_and(|quiet| quiet.title != title) {
            self.quiet_line();
        }
        let quiet =
            self.quiet.get_or_insert(Quiet { title, first: at, last: at, alerts: 0, hits: 0 });
        quiet.last = at;
        quiet.alerts += 1;
        quiet.hits += alert.count;
    }

    /// Ends a run of alerts that are worth recording only.
    pub(super) fn quiet_line(&mut self) {
        let Some(Quiet { title, first, last, alerts, hits }) = self.quiet.take() else { return };
        let alerts = wording::count_of(alerts, "alert", "alerts");
        let hits = wording::count_of(hits, "record", "records");
        let until = if first == last {
            String::new()
        } else if first.date_naive() == last.date_naive() {
            format!(", until {}", last.format("%H:%M"))
        } else {
            format!(", until {}", minute(last))
        };
        let head = head(first, Severity::Info);
        let text = self.paint("2", &format!("{head}  {title}: {alerts} of {hits}{until}"));
        self.print(text);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

fn head(at: DateTime<Utc>, severity: Severity) -> String {
    format!("{}  {:<8}", minute(at), severity_word(severity))
}

/// `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What it all came to.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Totals {
    pub(super) events_read: u64,
    pub(super) queries: u64,
    pub(super) rows_matched: u64,
    pub(super) hits_told: u64,
    pub(super) duplicates_suppressed: u64,
    pub(super) alerts_sent: u64,
    pub(super) late_rows_caught: u64,
    /// The longest way from happening to being told, in seconds.
    pub(super) latest_after_s: i64,
    pub(super) deliveries_verified: u64,
    pub(super) deliveries_unverified: u64,
    pub(super) delivered_twice: u64,
    pub(super) tried_again: u64,
    pub(super) forgeries_refused: u64,
    pub(super) teams_cards: u64,
    pub(super) slack_messages: u64,
    pub(super) undelivered: u64,
    pub(super) failures: u64,
    /// By an independent count over the records.
    pub(super) due: u64,
    /// Of these, records that arrived after the overlap.
    pub(super) due_late: u64,
    pub(super) missed: u64,
    pub(super) told_twice: u64,
    pub(super) not_counted: BTreeSet<String>,
    pub(super) fine: bool,
}

impl Totals {
    /// The table.
    pub(super) fn table(&self) -> String {
        let late = wording::duration(chrono::TimeDelta::seconds(self.latest_after_s));
        let of = format!("{} of {}", grouped(self.deliveries_verified), grouped(self.alerts_sent));
        let lines = [
            (
                "events read",
                grouped(self.events_read),
                "a day on two HSMs, and a little of the days before".to_owned(),
            ),
            (
                "rows matched",
                grouped(self.rows_matched),
                format!("returned by {} queries", grouped(self.queries)),
            ),
            (
                "duplicates suppressed",
                grouped(self.duplicates_suppressed),
                "told already: windows overlap, sweeps look back".to_owned(),
            ),
            (
                "alerts sent",
                grouped(self.alerts_sent),
                format!("about {} hits, each told once", grouped(self.hits_told)),
            ),
            (
                "late rows caught",
                grouped(self.late_rows_caught),
                format!("too late for their own window; the latest came after {late}"),
            ),
            (
                "deliveries verified",
                of,
                format!(
                    "signatures; {} at the second attempt; {} forgeries refused",
                    self.tried_again, self.forgeries_refused
                ),
            ),
            (
                "also delivered",
                grouped(self.teams_cards + self.slack_messages),
                format!("{} Teams cards, {} Slack messages", self.teams_cards, self.slack_messages),
            ),
        ];
        let width = lines.iter().map(|(_, n, _)| n.len()).max().unwrap_or(0);
        let lines = lines.map(|(what, n, more)| format!("  {what:<22} {n:>width$}   {more}"));
        lines.join("\n")
    }

    /// Whether all went as promised, and what did not.
    pub(super) fn verdict(&self) -> String {
        if self.fine {
            return format!(
                "A second count, without queries or state: {} things had to be told; each was, none twice.",
                self.due,
            );
        }
        let wrong: Vec<String> = [
            (self.missed, "not told"),
            (self.told_twice, "told twice, or told though they did not match"),
            (self.deliveries_unverified, "messages whose signature was wrong"),
            (self.delivered_twice, "messages accepted twice"),
            (self.undelivered, "deliveries that did not arrive"),
            (self.failures, "failed evaluations or deliveries"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
        format!("NOT as promised: {}", wrong.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::webhook;
    use serde_json::json;

    #[test]
    fn what_is_received_is_what_was_sent() {
        let t = "2026-03-03T20:10:00Z";
        let hit = json!({
            "fingerprint": "f", "time": "2026-03-03T20:09:59.1234567Z", "operation": "CN_LOGIN", "caller": "a",
            "client": "\u{1b}[2J", "resource": "/r", "fields": {"DurationMs": 7},
        });
        let mut alert: Alert = serde_json::from_value(json!({
            "id": "1", "workspace": {"id": "w", "name": "n"}, "group": {"_ResourceId": "/r"}, "incident_key": "i",
            "rule": {"id": "r", "title": "T", "severity": "high", "version": "v", "meaning": "m", "action": "a"},
            "reason": "sweep", "window": {"from": t, "to": t}, "time": t, "count": 2, "suppressed": 3,
            "first_seen": t, "last_seen": t, "hits": [hit.clone(), hit], "caveat": "c", "note": "n",
            "links": {"runbook": "https://example.com/"}, "receivers": ["itsm"],
        }))
        .unwrap();
        let body = webhook::cloud_event::render(&alert, Detail::Full);
        alert.receivers.clear();
        assert_eq!(received(&body.bytes), Some(alert));
        assert_eq!(received(b"{}"), None);
    }

    #[test]
    fn large_numbers_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), text);
        }
    }

    #[test]
    fn what_is_not_as_promised_is_said() {
        let wrong = Totals { missed: 2, delivered_twice: 1, ..Totals::default() };
        assert_eq!(wrong.verdict(), "NOT as promised: 2 not told; 1 messages accepted twice");
    }
}
