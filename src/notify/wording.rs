//! The words that every kind for people shares: Teams, Slack and the terminal say the same thing the same way.

use super::{Detail, limits, operations};
use crate::watch::alert::{Alert, Interval, Reason};
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use std::collections::BTreeSet;

/// A stretch of text and whose words it holds. Text from the log may be hostile: each kind shows it where nothing is
/// interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of ours, or of the operator's configuration.
    Own(String),
    /// From the log.
    Log(String),
}

impl Piece {
    /// The text, cleaned for one line and cut to `max` UTF-16 units.
    pub fn text(&self, max: usize) -> String {
        match self {
            // Spaces at the ends of ours keep words apart.
            Self::Own(text) => limits::cap(text, max, limits::Unit::Utf16),
            Self::Log(text) => limits::clean(text, max),
        }
    }
}

/// A piece of ours.
pub(super) fn own(text: impl Into<String>) -> Piece {
    Piece::Own(text.into())
}

/// A piece from the log.
pub(super) fn log(text: impl Into<String>) -> Piece {
    Piece::Log(text.into())
}

/// Severity as the word that is shown beside its colour, never colour alone.
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFO",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// The badge of a card.
pub const fn reason_badge(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "NEW",
        Reason::Digest => "DIGEST",
        Reason::CatchUp => "CATCH-UP",
        Reason::Sweep => "LATE RECORDS",
        Reason::Repeat => "AGAIN",
        Reason::Test => "TEST",
    }
}

/// Why the alert was sent, in a sentence.
pub const fn reason_sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "new: not told before",
        Reason::Digest => {
            "digest: counted together, because a limit was reached or they were held back"
        }
        Reason::CatchUp => "catch-up: evaluated late, after an outage of the watch",
        Reason::Sweep => "sweep: records that came late, found by looking back",
        Reason::Repeat => "repeat: told before, and still so",
        Reason::Test => "test: a sample sent by hand, nothing has happened",
    }
}

/// `n` and the word that goes with it.
pub fn count_of(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// "40 s", "9 min 12 s", "1 h 5 min", "2 d 3 h": the two largest units.
pub fn duration(span: TimeDelta) -> String {
    let s = span.num_seconds().max(0);
    let units = [(s / 86_400, "d"), (s / 3_600 % 24, "h"), (s / 60 % 60, "min"), (s % 60, "s")];
    let mut rest = units.iter().skip_while(|(n, _)| *n == 0);
    match (rest.next(), rest.next()) {
        (None, _) => "0 s".to_owned(),
        (Some((n, unit)), Some((m, small))) if *m > 0 => format!("{n} {unit} {m} {small}"),
        (Some((n, unit)), _) => format!("{n} {unit}"),
    }
}

/// "2026-11-22 09:01:12".
pub fn date_time(t: DateTime<Utc>) -> String {
    format!("{} {}", t.date_naive(), clock(t))
}

/// "09:01:12", or "09:01" on the minute.
pub fn clock(t: DateTime<Utc>) -> String {
    if t.second() == 0 { minute(t) } else { format!("{}:{:02}", minute(t), t.second()) }
}

fn minute(t: DateTime<Utc>) -> String {
    format!("{:02}:{:02}", t.hour(), t.minute())
}

/// "2026-11-22 08:10 to 09:15 UTC".
pub fn from_to(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    if from == to {
        format!("{} UTC", date_time(from))
    } else if from.date_naive() == to.date_naive() {
        format!("{} to {} UTC", date_time(from), clock(to))
    } else {
        format!("{} to {} UTC", date_time(from), date_time(to))
    }
}

/// "2026-11-22 08:10 to 09:15 UTC (1 h 5 min)".
pub fn interval(interval: Interval) -> String {
    format!("{} ({})", from_to(interval.from, interval.to), duration(interval.to - interval.from))
}

/// "at 09:03 UTC", "between 09:00 and 09:15 UTC", with dates unless both are of the day of `told`.
pub fn when(from: DateTime<Utc>, to: DateTime<Utc>, told: DateTime<Utc>) -> String {
    let day = |t: DateTime<Utc>| t.date_naive();
    let dated = |t: DateTime<Utc>| format!("{} {}", day(t), minute(t));
    let (first, last) = match (day(from) == day(to), day(from) == day(told)) {
        (true, true) => (minute(from), minute(to)),
        (true, false) => (dated(from), minute(to)),
        (false, _) => (dated(from), dated(to)),
    };
    if day(from) == day(to) && minute(from) == minute(to) {
        format!("at {first} UTC")
    } else {
        format!("between {first} and {last} UTC")
    }
}

/// The HSM's name out of its ARM id; another text as it is.
pub fn short_name(resource: &str) -> &str {
    if arm_segment(resource, "providers").is_none() {
        return resource;
    }
    resource.trim_end_matches('/').rsplit('/').next().unwrap_or(resource)
}

/// A segment of an ARM id by the name before it.
pub fn arm_segment<'a>(resource: &'a str, name: &str) -> Option<&'a str> {
    let mut segments = resource.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case(name))?;
    segments.next().filter(|segment| !segment.is_empty())
}

/// The resources an alert is about: of its group if that names one, else of its hits.
pub fn resources(alert: &Alert) -> Vec<&str> {
    if let Some(resource) = alert.group.get("_ResourceId").filter(|text| !text.is_empty()) {
        return vec![resource];
    }
    let resources = alert.hits.iter().filter_map(|hit| hit.resource.as_deref());
    resources.filter(|text| !text.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// One sentence: "47 key deletions on hsm-prod-weu between 09:00 and 09:15 UTC, 2 callers".
pub fn summary(alert: &Alert, detail: Detail) -> Vec<Piece> {
    if let Some(note) = own_note(alert) {
        return vec![own(limits::clean(note, 500))];
    }
    let mut out = what_and_how_many(alert, detail);
    let full = detail == Detail::Full;
    match resources(alert).as_slice() {
        [resource] if full => out.extend([own(" on "), log(short_name(resource))]),
        several if full && !several.is_empty() => {
            out.push(own(format!(" on {} HSMs", several.len())));
        }
        _ => {}
    }
    let (from, to) = if full && !sums_up(alert) {
        (alert.first_seen, alert.last_seen)
    } else {
        (alert.window.from, alert.window.to)
    };
    out.push(own(format!(" {}", when(from, to, alert.time))));
    let callers: BTreeSet<&str> =
        alert.hits.iter().filter_map(|hit| hit.caller.as_deref()).collect();
    if full && !callers.is_empty() {
        let at_least = if alert.count > alert.hits.len() as u64 { "at least " } else { "" };
        let callers = count_of(callers.len() as u64, "caller", "callers");
        out.push(own(format!(", {at_least}{callers}")));
    }
    out
}

/// Whether the hits are results that sum up the window: they name no operation.
pub fn sums_up(alert: &Alert) -> bool {
    !alert.hits.is_empty() && alert.hits.iter().all(|hit| hit.operation.is_none())
}

/// The note, where it says all there is to say: in hsmwatch's own alerts.
pub fn own_note(alert: &Alert) -> Option<&str> {
    alert.note.as_deref().filter(|note| alert.caveat.is_none() && !note.is_empty())
}

/// The summary for notifications and screen readers, which may interpret what they show: without text from the log, save
/// a name that is nothing but letters, digits and hyphens, as Azure's are.
pub fn notice(alert: &Alert, detail: Detail) -> String {
    let name_like = |text: &str| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let mut said = String::new();
    for piece in summary(alert, detail) {
        match &piece {
            Piece::Log(text) if !name_like(text) => said.push(limits::ELLIPSIS),
            _ => said.push_str(&piece.text(500)),
        }
    }
    format!("{}: {}. {said}", severity_word(alert.rule.severity), limits::clean(title(alert), 150))
}

/// The rule's title, or its id.
pub fn title(alert: &Alert) -> &str {
    if alert.rule.title.trim().is_empty() { &alert.rule.id } else { &alert.rule.title }
}

fn what_and_how_many(alert: &Alert, detail: Detail) -> Vec<Piece> {
    let n = alert.count;
    let hits = || vec![own(count_of(n, "hit", "hits"))];
    if detail == Detail::Counts || alert.hits.is_empty() {
        return hits();
    }
    let listed = alert.hits.len() as u64;
    let names: BTreeSet<Option<&str>> = alert
        .hits
        .iter()
        .map(|hit| hit.operation.as_deref().filter(|name| !name.is_empty()))
        .collect();
    let mut names = names.into_iter();
    match (names.next().flatten(), names.next()) {
        // All listed hits are of one operation.
        (Some(name), None) => match (operations::explain(name), n > listed) {
            (Some(known), false) => vec![own(count_of(n, &known.one, &known.many))],
            (Some(known), true) => {
                let listed = count_of(listed, &known.one, &known.many);
                vec![own(format!("{}, of which listed {listed},", count_of(n, "hit", "hits")))]
            }
            (None, false) => vec![own(format!("{n} × ")), log(name)],
            (None, true) => hits(),
        },
        (Some(_), Some(_)) => vec![own(count_of(n, "operation", "operations"))],
        (None, Some(_)) => hits(),
        (None, None) => vec![own(count_of(n, "result", "results"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples::{self, t};

    fn said(alert: &Alert) -> String {
        summary(alert, Detail::Full).iter().map(|piece| piece.text(100)).collect()
    }

    #[test]
    fn summaries() {
        let mut all: Vec<String> = Vec::new();
        for (name, alert) in samples::all() {
            all.push(format!("{name}: {}\n  {}", said(&alert), notice(&alert, Detail::Full)));
        }
        samples::snapshots(|| insta::assert_snapshot!("wording_summaries", all.join("\n")));
    }

    #[test]
    fn durations() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (40, "40 s"),
            (552, "9 min 12 s"),
            (900, "15 min"),
            (3_605, "1 h"),
            (3_900, "1 h 5 min"),
            (183_600, "2 d 3 h"),
            (604_800, "7 d"),
        ] {
            assert_eq!(duration(TimeDelta::seconds(seconds)), text);
        }
    }

    #[test]
    fn times() {
        let told = t("2026-11-22T09:15:04Z");
        let said = |from, to| when(t(from), t(to), told);
        assert_eq!(
            said("2026-11-22T09:00:00Z", "2026-11-22T09:15:00Z"),
            "between 09:00 and 09:15 UTC"
        );
        assert_eq!(said("2026-11-22T09:03:01Z", "2026-11-22T09:03:59Z"), "at 09:03 UTC");
        assert_eq!(said("2026-11-21T09:03:01Z", "2026-11-21T09:03:59Z"), "at 2026-11-21 09:03 UTC");
        assert_eq!(
            said("2026-11-21T23:50:00Z", "2026-11-22T00:05:00Z"),
            "between 2026-11-21 23:50 and 2026-11-22 00:05 UTC"
        );
        let window = Interval { from: t("2026-11-22T08:10:00Z"), to: t("2026-11-22T09:15:30Z") };
        assert_eq!(interval(window), "2026-11-22 08:10 to 09:15:30 UTC (1 h 5 min)");
    }

    #[test]
    fn names_of_hsms() {
        assert_eq!(short_name(samples::HSM), "hsm-prod-weu");
        assert_eq!(short_name("hsm1"), "hsm1");
        assert_eq!(short_name(""), "");
        assert_eq!(arm_segment(samples::HSM, "resourceGroups"), Some("rg-hsm"));
        assert_eq!(arm_segment("x", "resourceGroups"), None);
        assert_eq!(arm_segment("resourceGroups", "resourceGroups"), None);
    }

    #[test]
    fn the_notice_holds_no_text_of_the_log_but_names() {
        for (_, mut alert) in samples::all() {
            assert!(!notice(&alert, Detail::Full).contains("evil"));
            assert!(!notice(&alert, Detail::Counts).contains("hsm-prod"));
            for evil in samples::HOSTILE.iter().chain(&["a.b", "www", "a b", ""]) {
                alert.group.insert("_ResourceId".to_owned(), (*evil).to_owned());
                let notice = notice(&alert, Detail::Full);
                assert!(!notice.contains(" on www.") && !notice.contains("a.b"), "{notice}");
                assert!(!notice.contains(['<', '[', '{', '\u{1b}']), "{notice}");
            }
        }
    }
}
