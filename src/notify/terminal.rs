//! An alert as a person reads it in a terminal. Nothing from the log reaches the terminal as a command: hidden characters,
//! escape sequences among them, are left out, and no line is wider than [`WIDTH`].

use super::content::{self, Table};
use super::wording::{self, Piece};
use super::{Detail, limits, links};
use crate::watch::alert::Alert;
use crate::watch::severity::Severity;

/// No line is wider, in columns.
pub const WIDTH: usize = 100;

/// Rows of a table that are shown.
const MAX_ROWS: usize = 12;
/// What stands before a label's text.
const INDENT: usize = 18;

/// The alert as lines of text, with colours if `colour`.
pub fn render(alert: &Alert, detail: Detail, colour: bool) -> String {
    let paint = Paint(colour);
    let severity = alert.rule.severity;
    let head = format!(
        "{} · {} · {}",
        wording::severity_word(severity),
        limits::clean(wording::title(alert), 200),
        wording::reason_badge(alert.reason),
    );
    let mut out = Vec::new();
    out.extend(wrap(&head, WIDTH).iter().map(|line| paint.with(code(severity), line)));
    let summary = joined(&wording::summary(alert, detail), 300);
    out.extend(wrap(&summary, WIDTH).iter().map(|line| paint.with("1", line)));
    out.push(String::new());

    let mut labelled = |label: &str, text: &str| {
        for (n, line) in wrap(text, WIDTH - INDENT).iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            let label = paint.with("2", &format!("{label:<width$}", width = INDENT - 2));
            out.push(format!("  {label}{line}"));
        }
    };
    if wording::own_note(alert).is_none() {
        labelled("Note", &limits::clean(alert.note.as_deref().unwrap_or(""), 600));
    }
    if detail == Detail::Full {
        let mut last = "";
        for (label, pieces) in content::lines(alert) {
            labelled(if label == last { "" } else { label }, &joined(&pieces, 200));
            last = label;
        }
    }
    for (label, value) in content::facts(alert, detail) {
        labelled(label, &value);
    }
    let rule = &alert.rule;
    let words = [
        ("Meaning", &rule.meaning),
        ("Why it matters", &rule.why),
        ("Do now", &rule.action),
        ("Harmless when", &rule.false_positives),
    ];
    for (label, text) in words {
        labelled(label, &limits::clean(text, 600));
    }
    let found = [("Logs", &alert.links.logs), ("Runbook", &alert.links.runbook)];
    for (label, link) in found {
        // A link that is broken over two lines is none.
        let shown = links::safe(link.as_deref(), WIDTH - INDENT);
        let logs = label == "Logs" && detail == Detail::Counts;
        match (link, shown) {
            _ if logs => {}
            (_, Some(link)) => labelled(label, link),
            (Some(_), None) => labelled(label, "(a link too long for this screen)"),
            (None, None) => {}
        }
    }

    let table = match detail {
        Detail::Full => content::table(alert),
        Detail::Counts => Table::default(),
    };
    let rows = table.rows.len().min(MAX_ROWS);
    let shown = table.shown(rows);
    if rows > 0 {
        out.push(String::new());
        out.extend(lines_of(&table, rows, paint));
    }
    if let Some(more) = content::and_more(alert, shown) {
        if rows == 0 {
            out.push(String::new());
        }
        out.push(format!("  {more}"));
    }
    out.push(String::new());
    if let Some(caveat) = alert.caveat.as_deref().filter(|caveat| !caveat.is_empty()) {
        let caveat = format!("! Logged is not succeeded. {}", limits::clean(caveat, 600));
        out.extend(wrap(&caveat, WIDTH).iter().map(|line| paint.with("33", line)));
    }
    let footer = content::footer(alert, shown);
    out.extend(wrap(&footer, WIDTH).iter().map(|line| paint.with("2", line)));
    out.push(String::new());
    out.join("\n")
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

const fn code(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "1;97;41",
        Severity::High => "1;31",
        Severity::Medium => "1;33",
        Severity::Low => "1;34",
        Severity::Info => "1;32",
    }
}

fn joined(pieces: &[Piece], max: usize) -> String {
    pieces.iter().map(|piece| piece.text(max)).collect()
}

/// The head of a table and its first rows, in columns.
fn lines_of(table: &Table, rows: usize, paint: Paint) -> Vec<String> {
    const GAP: usize = 2;
    let shown: Vec<Vec<String>> = table
        .rows
        .iter()
        .take(rows)
        .map(|row| row.cells.iter().map(|cell| cell.text(WIDTH)).collect())
        .collect();
    let mut widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let cells = shown.iter().filter_map(|row| row.get(n));
            cells.map(|cell| columns(cell)).max().unwrap_or(0).max(columns(name))
        })
        .collect();
    // The widest gives way until the row fits.
    let room = WIDTH.saturating_sub(GAP * (widths.len() + 1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 1) else { break };
        *widest -= 1;
    }
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| pad(cell, *width));
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        line.trim_end().to_owned()
    };
    let mut out = vec![paint.with("2", &line(table.columns.clone()))];
    out.extend(shown.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    out
}

/// `text` in exactly `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let cut = columns(text) > width;
    for c in text.chars() {
        // One column for the ellipsis.
        if used + column(c) + usize::from(cut) > width {
            break;
        }
        used += column(c);
        out.push(c);
    }
    if cut && used < width {
        out.push(limits::ELLIPSIS);
        used += 1;
    }
    out.extend(std::iter::repeat_n(' ', width - used));
    out
}

/// Columns that a text takes, at most.
pub fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// Columns that a character takes, at most: two for wide ones. Combining marks count as one, which errs on the safe side.
const fn column(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{11ff}'
        | '\u{231a}'..='\u{2bff}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe10}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ffe6}'
        | '\u{16fe0}'..='\u{18dff}'
        | '\u{1aff0}'..='\u{1b2ff}'
        | '\u{1d300}'..='\u{1d37f}'
        | '\u{1f000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// `text` in lines of at most `width` columns, broken at spaces where there are any. Nothing for an empty text.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = columns(word);
        if used > 0 && used + 1 + needed > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used + column(c) > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += column(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples;
    use proptest::prelude::*;

    fn check(text: &str) {
        for line in text.lines() {
            assert!(columns(line) <= WIDTH, "{} columns: {line}", columns(line));
            assert!(!line.chars().any(limits::is_hidden), "{line:?}");
        }
    }

    fn without_colours(text: &str) -> String {
        let mut parts = text.split("\u{1b}[");
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |out, part| out + part.split_once('m').unwrap().1)
    }

    #[test]
    fn as_shown() {
        for (name, alert) in samples::all() {
            let text = render(&alert, Detail::Full, false);
            check(&text);
            assert_eq!(without_colours(&render(&alert, Detail::Full, true)), text);
            let text = text.replace(content::VERSION, "hsmwatch [version]");
            samples::snapshots(|| insta::assert_snapshot!(format!("terminal_{name}"), text));
        }
    }

    #[test]
    fn wrapping() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3), [""; 0]);
        assert_eq!(wrap("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(pad("abc", 5), "abc  ");
        assert_eq!(pad("abcdef", 5), "abcd…");
        assert_eq!(pad("漢字漢字", 5), "漢字…");
        assert_eq!(pad("漢字漢字", 4), "漢… ");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_alert_stays_within_the_screen(alert in samples::any_alert()) {
            let text = render(&alert, Detail::Full, false);
            check(&text);
            prop_assert_eq!(without_colours(&render(&alert, Detail::Full, true)), text);
            let counts = render(&alert, Detail::Counts, false);
            prop_assert!(!counts.contains(samples::MARK) && !counts.contains("CN_"));
        }
    }
}
