//! Slack: Block Kit for an incoming webhook.
//!
//! Text from the log stands only in `rich_text`, which Slack never interprets; our own text is escaped for mrkdwn. What
//! matters stands in blocks of the message itself; only the caveat and the footer stand in the attachment that gives the
//! message its colour, because Slack may fold attachments and is not known to show rich text in them.

use super::content::{self, Labelled, Table};
use super::limits::{self, Unit};
use super::links;
use super::wording::{self, Piece};
use super::{Body, Detail};
use crate::watch::alert::Alert;
use crate::watch::severity::Severity;
use serde_json::{Value as Json, json};

/// What a body never exceeds, in UTF-16 units: Slack refuses messages of about 13,200.
pub const MAX_BODY: usize = 10_000;
/// The content type.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

const MAX_HEADER: usize = 150;
const MAX_LINK: usize = 2_500;
/// More bullets than this are not read.
const MAX_ROWS: usize = 30;
/// Few rows at this width are worth less than more rows at a smaller one.
const ENOUGH_ROWS: usize = 6;

/// How much of a text is shown: tried in turn until the message fits.
#[derive(Clone, Copy)]
struct Widths {
    cell: usize,
    line: usize,
    own: usize,
}

const WIDTHS: [Widths; 4] = [
    Widths { cell: 160, line: 300, own: 600 },
    Widths { cell: 60, line: 120, own: 300 },
    Widths { cell: 24, line: 60, own: 100 },
    Widths { cell: 16, line: 24, own: 40 },
];

/// The body for an alert.
pub fn render(alert: &Alert, detail: Detail) -> Body {
    let table = match detail {
        Detail::Full => content::table(alert),
        Detail::Counts => Table::default(),
    };
    let wanted = table.rows.len().min(MAX_ROWS);
    let mut body = String::new();
    for widths in WIDTHS {
        let build = |rows| message(alert, detail, &table, rows, widths).to_string();
        let (rows, made) = content::most_rows(wanted, build, |body| fits(body));
        let enough = fits(&made) && rows >= wanted.min(ENOUGH_ROWS);
        body = made;
        if enough {
            break;
        }
    }
    Body { content_type: CONTENT_TYPE.into(), bytes: body.into_bytes() }
}

fn fits(body: &str) -> bool {
    body.len() <= MAX_BODY || Unit::Utf16.len(body) <= MAX_BODY
}

/// The colour of the bar, and the mark before the word.
const fn colour(severity: Severity) -> (&'static str, char) {
    match severity {
        Severity::Critical => ("#C4314B", '🔴'),
        Severity::High => ("#D9730D", '🟠'),
        Severity::Medium => ("#DFAB01", '🟡'),
        Severity::Low => ("#0B6E99", '🔵'),
        Severity::Info => ("#6B7280", '⚪'),
    }
}

fn message(alert: &Alert, detail: Detail, table: &Table, rows: usize, widths: Widths) -> Json {
    let (colour, mark) = colour(alert.rule.severity);
    let title = format!(
        "{mark} {} · {} · {}",
        wording::severity_word(alert.rule.severity),
        limits::clean(wording::title(alert), widths.own.min(110)),
        wording::reason_badge(alert.reason)
    );
    let mut blocks = vec![
        json!({ "type": "header", "text": plain_text(&title, MAX_HEADER) }),
        rich(&[section(&texts(&wording::summary(alert, detail), widths.line.max(100)))]),
    ];
    if wording::own_note(alert).is_none() {
        blocks.extend(alert.note.as_deref().and_then(|note| paragraph("Note", note, widths.own)));
    }
    if detail == Detail::Full {
        let lines = content::lines(alert);
        let lines: Vec<Json> = lines.iter().map(|line| labelled(line, widths.line)).collect();
        if !lines.is_empty() {
            blocks.push(rich(&lines));
        }
    }
    let facts: Vec<Json> = content::facts(alert, detail)
        .into_iter()
        .take(10)
        .map(|(name, value)| mrkdwn(&format!("*{name}*\n{}", escape(&value, widths.line))))
        .collect();
    blocks.push(json!({ "type": "section", "fields": facts }));
    blocks.extend(paragraph("Meaning", &alert.rule.meaning, widths.own));
    blocks.extend(paragraph("Why it matters", &alert.rule.why, widths.own));
    let shown = table.shown(rows);
    if rows > 0 {
        blocks.push(rich(&[bullets(table, rows, widths.cell)]));
    }
    if let Some(more) = content::and_more(alert, shown) {
        blocks.push(json!({ "type": "context", "elements": [plain_text(&more, 100)] }));
    }
    blocks.extend(paragraph("What to do now", &alert.rule.action, widths.own));
    blocks.extend(paragraph("Harmless when", &alert.rule.false_positives, widths.own));
    blocks.extend(buttons(alert, detail));

    let mut context = Vec::new();
    if let Some(caveat) = alert.caveat.as_deref().filter(|caveat| !caveat.is_empty()) {
        let caveat = escape(caveat, widths.own.max(160));
        context.push(context_block(&format!("*Logged is not succeeded.* {caveat}")));
    }
    context.push(context_block(&escape(&content::footer(alert, shown), 300)));
    let notice = wording::notice(alert, detail);
    json!({
        "text": escape(&notice, widths.own.max(200)),
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
        "attachments": [{
            "color": colour,
            // Plain text, shown only where attachments are not.
            "fallback": escape(&notice, 200),
            "blocks": context,
        }],
    })
}

/// Link buttons. Slack asks for an `action_id`; nothing listens to it.
fn buttons(alert: &Alert, detail: Detail) -> Option<Json> {
    // The query in the link may name values of the log.
    let logs = alert.links.logs.as_deref().filter(|_| detail == Detail::Full);
    let runbook = alert.links.runbook.as_deref();
    let buttons = [("Open query in Logs", "open_logs", logs), ("Runbook", "open_runbook", runbook)];
    let buttons: Vec<Json> = buttons
        .into_iter()
        .filter_map(|(label, action, url)| {
            let url = links::safe(url, MAX_LINK)?;
            let label = plain_text(label, 75);
            Some(json!({ "type": "button", "text": label, "action_id": action, "url": url }))
        })
        .collect();
    (!buttons.is_empty()).then(|| json!({ "type": "actions", "elements": buttons }))
}

fn plain_text(text: &str, max: usize) -> Json {
    json!({ "type": "plain_text", "text": limits::clean(text, max), "emoji": false })
}

/// Text of ours, already escaped.
fn mrkdwn(text: &str) -> Json {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn context_block(text: &str) -> Json {
    json!({ "type": "context", "elements": [mrkdwn(text)] })
}

/// A sentence of ours under a bold label; nothing for an empty one.
fn paragraph(label: &str, text: &str, max: usize) -> Option<Json> {
    let text = escape(text, max);
    (!text.is_empty())
        .then(|| json!({ "type": "section", "text": mrkdwn(&format!("*{label}:* {text}")) }))
}

fn rich(elements: &[Json]) -> Json {
    json!({ "type": "rich_text", "elements": elements })
}

fn section(elements: &[Json]) -> Json {
    json!({ "type": "rich_text_section", "elements": elements })
}

/// Text elements: shown literally, so nothing is escaped.
fn texts(pieces: &[Piece], max: usize) -> Vec<Json> {
    let texts = pieces.iter().map(|piece| piece.text(max)).filter(|text| !text.is_empty());
    texts.map(|text| json!({ "type": "text", "text": text })).collect()
}

fn labelled((label, pieces): &Labelled, max: usize) -> Json {
    let label = json!({ "type": "text", "text": format!("{label}: "), "style": { "bold": true } });
    let mut elements = vec![label];
    elements.extend(texts(pieces, max));
    // Sections of one block follow each other on one line unless they end it.
    elements.push(json!({ "type": "text", "text": "\n" }));
    section(&elements)
}

/// One bullet a row: its cells with the names of their columns, where these say more than the value.
fn bullets(table: &Table, rows: usize, cell: usize) -> Json {
    let items: Vec<Json> = table
        .rows
        .iter()
        .take(rows)
        .map(|row| {
            let mut elements: Vec<Json> = Vec::new();
            for (column, piece) in table.columns.iter().zip(&row.cells) {
                let text = piece.text(cell);
                if text.is_empty() {
                    continue;
                }
                let before = if elements.is_empty() { "" } else { " · " };
                let name = match *column {
                    "Client says" => "client ",
                    "Hits" => "hits ",
                    _ => "",
                };
                let before = format!("{before}{name}");
                if !before.is_empty() {
                    elements.push(json!({ "type": "text", "text": before }));
                }
                let code = matches!(piece, Piece::Log(_));
                let mut element = json!({ "type": "text", "text": text });
                if code && let Some(element) = element.as_object_mut() {
                    element.insert("style".to_owned(), json!({ "code": true }));
                }
                elements.push(element);
            }
            section(&elements)
        })
        .collect();
    json!({ "type": "rich_text_list", "style": "bullet", "elements": items })
}

/// Text of ours where mrkdwn is read: the three characters that can begin a link or a mention are escaped. At most `max`
/// units, escapes included, and never half of one.
fn escape(text: &str, max: usize) -> String {
    let escaped = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c => c.to_string(),
    };
    let text = limits::clean(text, max);
    let whole: String = text.chars().map(escaped).collect();
    if Unit::Utf16.len(&whole) <= max {
        return whole;
    }
    let mut room = max.saturating_sub(1);
    let mut out: String = text
        .chars()
        .map(escaped)
        .take_while(|part| {
            let fits = Unit::Utf16.len(part) <= room;
            room = room.saturating_sub(Unit::Utf16.len(part));
            fits
        })
        .collect();
    out.push(limits::ELLIPSIS);
    out
}

#[cfg(test)]
mod tests;
