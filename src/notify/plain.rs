//! The text of a case: what a desk shows of an alert. `parts` says what there is to say, in order; a desk that takes plain
//! text gets it from [`text`], one that takes a document builds that from the parts.

use super::content::{self, Table};
use super::limits::{self, Unit};
use super::wording::{self, Piece};
use super::{Detail, links};
use crate::watch::alert::{Alert, Reason};
use chrono::{DateTime, Utc};

/// Longer links are left out.
pub(super) const MAX_LINK: usize = 2_500;

/// What is told, and what is known of its case.
#[derive(Clone, Debug)]
pub struct Telling<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// How much of the log leaves.
    pub detail: Detail,
    /// Which alert of the incident it is, from 1.
    pub nth: u64,
    /// The alert of the incident told before: its id and time.
    pub previous: Option<(&'a str, DateTime<Utc>)>,
    /// The name of an earlier case of the incident, which is closed.
    pub former: Option<&'a str>,
    /// Whether the case is only closed, although the alert does not say that anything is over: a test cleans up.
    pub cleans_up: bool,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the description of a new case: all there is to say.
    Case,
    /// In a note of a case whose description says what the rule means.
    Note,
}

/// A part of a text. Every text is on one line and free of hidden characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first sentence: what happened.
    Lead(Vec<Piece>),
    /// A paragraph of ours.
    Text(String),
    /// A paragraph that must not be overlooked, in words of ours.
    Warning(String),
    /// Lines with a label each.
    Lines(Vec<(&'static str, Vec<Piece>)>),
    /// A paragraph of ours under a label.
    Labelled(&'static str, String),
    /// Hits, and what is left out.
    Hits(Table, Option<String>),
    /// Links with their labels.
    Links(Vec<(&'static str, String)>),
    /// Ids and versions, in words of ours.
    Footer(String),
}

/// How much of a text is shown: tried in turn until it fits.
#[derive(Clone, Copy, Debug)]
struct Widths {
    cell: usize,
    line: usize,
    own: usize,
    link: usize,
}

const WIDTHS: [Widths; 4] = [
    Widths { cell: 200, line: 400, own: 2_000, link: MAX_LINK },
    Widths { cell: 80, line: 160, own: 600, link: MAX_LINK },
    Widths { cell: 32, line: 80, own: 250, link: 600 },
    Widths { cell: 16, line: 24, own: 60, link: 0 },
];

impl Place {
    /// More rows than this are not read.
    const fn rows(self) -> usize {
        match self {
            Self::Case => 50,
            Self::Note => 15,
        }
    }
}

/// One line for lists, subjects and small screens, which may interpret what they show: severity word, title of the rule, what
/// and how many, where and when. At most `max` UTF-16 units; a long title of a rule gives way to what happened.
pub fn title(alert: &Alert, detail: Detail, max: usize) -> String {
    let test = if alert.reason == Reason::Test { "TEST · " } else { "" };
    let notice = wording::notice(alert, detail);
    let head = |max| {
        let word = wording::severity_word(alert.rule.severity);
        format!("{word}: {}. ", limits::clean(wording::title(alert), max))
    };
    let said = notice.strip_prefix(&head(150)).unwrap_or(&notice);
    let fits = Unit::Utf16.len(test) + Unit::Utf16.len(&notice) <= max;
    let head = if fits { head(150) } else { head(max / 2) };
    // hsmwatch's own alerts may quote what a receiver answered.
    let said = if wording::own_note(alert).is_some() { defanged(said) } else { said.to_owned() };
    limits::clean(&format!("{test}{head}{said}"), max)
}

/// The text, at most `max` units long.
pub fn text(telling: &Telling<'_>, place: Place, max: usize, unit: Unit) -> String {
    let made = fit(telling, place, lay_out, |text| unit.len(text) <= max);
    // Only where not even the least fits.
    limits::cap(&made, max, unit)
}

/// What `build` makes of as much of the text as `fits`; if not even the least does, what it makes of that.
pub fn fit<T>(
    telling: &Telling<'_>,
    place: Place,
    build: impl Fn(&[Part]) -> T,
    fits: impl Fn(&T) -> bool,
) -> T {
    /// Few rows at a width are worth less than more rows at a smaller one.
    const ENOUGH: usize = 8;
    let table = match telling.detail {
        Detail::Full => content::table(telling.alert),
        Detail::Counts => Table::default(),
    };
    let wanted = table.rows.len().min(place.rows());
    let at = |widths: Widths| {
        let build = |rows| build(&parts(telling, place, &table, rows, widths));
        content::most_rows(wanted, build, &fits)
    };
    let [first, rest @ ..] = WIDTHS;
    let (mut rows, mut made) = at(first);
    for widths in rest {
        if fits(&made) && rows >= wanted.min(ENOUGH) {
            break;
        }
        (rows, made) = at(widths);
    }
    made
}

/// What there is to say.
fn parts(
    telling: &Telling<'_>,
    place: Place,
    table: &Table,
    rows: usize,
    widths: Widths,
) -> Vec<Part> {
    let Telling { alert, detail, .. } = *telling;
    let cut = |pieces: Vec<Piece>| cut(&pieces, widths.line);
    let own = |text: &str| limits::clean(text, widths.own);
    let mut lead = cut(wording::summary(alert, detail));
    if wording::own_note(alert).is_some() {
        // hsmwatch's own alerts may quote what a receiver answered.
        lead = lead.iter().map(|piece| Piece::Own(defanged(said(piece)))).collect();
    }
    let mut out = vec![Part::Lead(lead)];
    out.extend(history(telling).into_iter().map(|text| Part::Text(own(&text))));
    if let Some(note) = alert.note.as_deref().filter(|_| wording::own_note(alert).is_none()) {
        out.push(Part::Labelled("Note", own(note)));
    }
    if let Some(caveat) = alert.caveat.as_deref().filter(|caveat| !caveat.is_empty()) {
        // It is ours, and must be read whole.
        let caveat = limits::clean(caveat, widths.own.max(200));
        out.push(Part::Warning(format!("Logged is not succeeded. {caveat}")));
    }
    let rule = &alert.rule;
    let words = [
        ("Meaning", &rule.meaning, false),
        ("Why it matters", &rule.why, false),
        ("What to do now", &rule.action, true),
        ("Harmless when", &rule.false_positives, false),
    ];
    for (label, text, always) in words {
        if always || place == Place::Case {
            out.push(Part::Labelled(label, own(text)));
        }
    }
    let mut lines = Vec::new();
    if detail == Detail::Full {
        lines.extend(content::lines(alert).into_iter().map(|(label, pieces)| (label, cut(pieces))));
    }
    let facts = content::facts(alert, detail);
    lines.extend(facts.into_iter().map(|(label, value)| {
        (label, vec![Piece::Own(limits::clean(&value, widths.line.max(100)))])
    }));
    out.push(Part::Lines(lines));
    let shown = table.shown(rows);
    let rows = table.rows.iter().take(rows).map(|row| content::TableRow {
        cells: row.cells.iter().map(|cell| shorten(cell, widths.cell)).collect(),
        hits: row.hits,
    });
    let head = Table { columns: table.columns.clone(), rows: rows.collect() };
    out.push(Part::Hits(head, content::and_more(alert, shown)));
    // The query in the link may name values of the log.
    let logs = alert.links.logs.as_deref().filter(|_| detail == Detail::Full);
    let found = [("Query in Logs", logs), ("Runbook", alert.links.runbook.as_deref())];
    let found = found
        .into_iter()
        .filter_map(|(label, link)| Some((label, links::safe(link, widths.link)?.to_owned())));
    out.push(Part::Links(found.collect()));
    out.push(Part::Footer(content::footer(alert, shown)));
    out.retain(|part| match part {
        Part::Lead(pieces) => !pieces.is_empty(),
        Part::Text(text) | Part::Warning(text) | Part::Labelled(_, text) | Part::Footer(text) => {
            !text.is_empty()
        }
        Part::Lines(lines) => !lines.is_empty(),
        Part::Hits(table, more) => !table.rows.is_empty() || more.is_some(),
        Part::Links(links) => !links.is_empty(),
    });
    out
}

/// What is known of the case: which alert this is, and what came before.
fn history(telling: &Telling<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if telling.cleans_up {
        out.push("The test is over: hsmwatch closes what it opened.".to_owned());
    }
    if let Some(former) = telling.former {
        let former = limits::clean(former, 60);
        out.push(format!("An earlier case of this incident is closed: {former}."));
    }
    if let Some((id, time)) = telling.previous {
        let (id, time) = (limits::clean(id, 64), wording::date_time(time));
        let nth = telling.nth;
        out.push(format!(
            "Alert number {nth} of this incident; the one before was {id}, of {time} UTC."
        ));
    }
    out
}

fn shorten(piece: &Piece, max: usize) -> Piece {
    let text = piece.text(max);
    match piece {
        Piece::Own(_) => Piece::Own(text),
        Piece::Log(_) => Piece::Log(text),
    }
}

fn cut(pieces: &[Piece], max: usize) -> Vec<Piece> {
    let pieces = pieces.iter().map(|piece| shorten(piece, max));
    pieces.filter(|piece| !said(piece).is_empty()).collect()
}

/// The words of a piece that was cut to its length.
pub fn said(piece: &Piece) -> &str {
    match piece {
        Piece::Own(text) | Piece::Log(text) => text,
    }
}

/// The words of a piece where they might be interpreted: what the log says is no link, no tag and no markup.
pub fn harmless(piece: &Piece) -> String {
    match piece {
        Piece::Own(text) => text.clone(),
        Piece::Log(text) => defanged(text),
    }
}

/// Text from the log for places that turn addresses into links and tags into what they mean: `hxxps://`, and brackets that
/// only look like themselves.
pub fn defanged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = 0;
    for c in text.chars() {
        match c {
            '<' => out.push('‹'),
            '>' => out.push('›'),
            // `[text](address)`, `[code]`
            '[' => out.push('⁅'),
            ']' => out.push('⁆'),
            _ => out.push(c),
        }
        if c == ':' {
            scheme(&mut out, word);
        }
        if !c.is_ascii_alphanumeric() {
            word = out.len();
        }
    }
    out
}

/// Spells the scheme of an address, if one ends `out`, so that nothing takes it for one.
fn scheme(out: &mut String, from: usize) {
    let word = out.get(from..).unwrap_or_default().to_ascii_lowercase();
    let spelled = match word.as_str() {
        "http:" => "hxxp:",
        "https:" => "hxxps:",
        "ftp:" | "file:" | "javascript:" | "data:" | "mailto:" => {
            out.truncate(out.len().saturating_sub(1));
            out.push_str("(:)");
            return;
        }
        _ => return,
    };
    out.truncate(from);
    out.push_str(spelled);
}

/// The parts as lines of text.
fn lay_out(parts: &[Part]) -> String {
    let joined = |pieces: &[Piece]| pieces.iter().map(harmless).collect::<String>();
    let block = |part: &Part| match part {
        Part::Lead(pieces) => joined(pieces),
        Part::Text(text) | Part::Warning(text) | Part::Footer(text) => text.clone(),
        Part::Labelled(label, text) => format!("{label}: {text}"),
        Part::Lines(lines) => {
            let lines = lines.iter().map(|(label, pieces)| format!("{label}: {}", joined(pieces)));
            lines.collect::<Vec<_>>().join("\n")
        }
        Part::Hits(table, more) => {
            let mut lines = Vec::new();
            if !table.rows.is_empty() {
                lines.push(format!("Hits: {}", table.columns.join(" · ")));
            }
            lines.extend(table.rows.iter().map(|row| format!("- {}", row_of(&row.cells))));
            lines.extend(more.clone());
            lines.join("\n")
        }
        Part::Links(links) => {
            let links = links.iter().map(|(label, link)| format!("{label}: {link}"));
            links.collect::<Vec<_>>().join("\n")
        }
    };
    parts.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// The cells of a row; one without a value is a dash, so that the others stand below their headings.
pub fn row_of(cells: &[Piece]) -> String {
    let cells = cells.iter().map(harmless).map(|cell| match cell {
        empty if empty.is_empty() => "–".to_owned(),
        cell => cell,
    });
    cells.collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests;
