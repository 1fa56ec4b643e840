//! Microsoft Teams: an Adaptive Card in the envelope that Workflows expects.
//!
//! Teams interprets Markdown in `TextBlock` and `FactSet`, so text from the log stands only in `TextRun`, which shows it
//! literally, and our own text is escaped. A flow answers before it has posted the card, and fails in silence: whatever
//! could make it fail (size, shape) is ruled out here.

use super::content::{self, Labelled, Table};
use super::limits::{self, Unit};
use super::links;
use super::wording::{self, Piece};
use super::{Body, Detail};
use crate::watch::alert::Alert;
use crate::watch::severity::Severity;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

/// What a body aims to stay below, in UTF-16 units: half of the service's limit.
pub const TARGET: usize = 14_000;
/// What a body never exceeds, in bytes.
pub const MAX_BODY: usize = 20_000;
/// The content type; without the charset some characters are lost on the way.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

const MAX_LINK: usize = 2_500;
/// A card of more rows than this is not read.
const MAX_ROWS: usize = 40;
/// Few rows at this width are worth less than more rows at a smaller one.
const ENOUGH_ROWS: usize = 8;

/// How much of a text is shown: tried in turn until the card fits.
#[derive(Clone, Copy)]
struct Widths {
    cell: usize,
    line: usize,
    own: usize,
}

const WIDTHS: [Widths; 3] = [
    Widths { cell: 160, line: 300, own: 600 },
    Widths { cell: 60, line: 120, own: 300 },
    Widths { cell: 24, line: 60, own: 100 },
];

/// The body for an alert.
pub fn render(alert: &Alert, detail: Detail) -> Body {
    let table = match detail {
        Detail::Full => content::table(alert),
        Detail::Counts => Table::default(),
    };
    let wanted = table.rows.len().min(MAX_ROWS);
    let mut body = Vec::new();
    for widths in WIDTHS {
        let build = |rows| envelope(&card(alert, detail, &table, rows, widths));
        let (rows, made) = content::most_rows(wanted, build, |body| fits(body));
        let enough = fits(&made) && rows >= wanted.min(ENOUGH_ROWS);
        body = made;
        if enough {
            break;
        }
    }
    Body { content_type: CONTENT_TYPE.into(), bytes: body }
}

/// A card that says all is well. A flow that is not used for 90 days is switched off, and nobody is told by it.
pub fn heartbeat(now: DateTime<Utc>, quiet_since: DateTime<Utc>) -> Body {
    let days = u64::try_from((now - quiet_since).num_days()).unwrap_or(0);
    let quiet = wording::count_of(days, "day", "days");
    let title = "OK · hsmwatch is alive";
    let said = format!("Nothing to tell here for {quiet}, as of {} UTC.", wording::date_time(now));
    let why = "Microsoft 365 switches off a flow that nothing triggers for 90 days, and then alerts would be lost \
        without a word. This card keeps the flow in use and shows that the way from hsmwatch to this channel works. \
        If you no longer see it once a month, something is wrong: look at the flow's run history and at `hsmwatch status`.";
    let card = json!({
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": format!("hsmwatch is alive. {said}"),
        "msteams": { "width": "Full" },
        "body": [
            {
                "type": "Container",
                "style": "good",
                "bleed": true,
                "items": [
                    heading(title),
                    text_block(&said, 300),
                ],
            },
            text_block(why, 1_000),
            subtle(&format!("{} · heartbeat", content::VERSION)),
        ],
        "actions": [],
    });
    Body { content_type: CONTENT_TYPE.into(), bytes: envelope(&card) }
}

const SCHEMA: &str = "http://adaptivecards.io/schemas/adaptive-card.json";

fn envelope(card: &Json) -> Vec<u8> {
    let envelope = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    });
    envelope.to_string().into_bytes()
}

fn fits(body: &[u8]) -> bool {
    // Bytes bound UTF-16 units from above, so most bodies need no count.
    let units = || str::from_utf8(body).map_or(usize::MAX, |text| Unit::Utf16.len(text));
    body.len() <= MAX_BODY && (body.len() <= TARGET || units() <= TARGET)
}

/// The colour of the band. The severity stands in it as a word, in the default colour, which every band contrasts with.
const fn style(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "attention",
        Severity::High => "warning",
        Severity::Medium => "accent",
        Severity::Low => "default",
        Severity::Info => "good",
    }
}

fn card(alert: &Alert, detail: Detail, table: &Table, rows: usize, widths: Widths) -> Json {
    let mut body = vec![band(alert, detail, widths)];
    if wording::own_note(alert).is_none() {
        body.extend(alert.note.as_deref().and_then(|note| paragraph("Note", note, widths.own)));
    }
    if detail == Detail::Full {
        body.extend(content::lines(alert).iter().map(|line| labelled(line, widths.line)));
    }
    let facts = content::facts(alert, detail).into_iter();
    let facts: Vec<Json> = facts
        .map(|(title, value)| json!({ "title": title, "value": escape(&value, widths.line) }))
        .collect();
    body.push(json!({ "type": "FactSet", "spacing": "Medium", "facts": facts }));
    body.extend(paragraph("Meaning", &alert.rule.meaning, widths.own));
    body.extend(paragraph("Why it matters", &alert.rule.why, widths.own));
    let shown = table.shown(rows);
    if rows > 0 {
        body.push(hits(table, rows, widths.cell));
    }
    if let Some(more) = content::and_more(alert, shown) {
        body.push(text_block(&more, 100));
    }
    if let Some(caveat) = alert.caveat.as_deref().filter(|caveat| !caveat.is_empty()) {
        let words = json!({
            "type": "TextBlock",
            "text": format!("**Logged is not succeeded.** {}", escape(caveat, widths.own.max(300))),
            "wrap": true,
            "size": "Small",
        });
        body.push(json!({ "type": "Container", "style": "warning", "items": [words] }));
    }
    body.extend(paragraph("What to do now", &alert.rule.action, widths.own));
    body.extend(paragraph("Harmless when", &alert.rule.false_positives, widths.own));
    body.push(subtle(&content::footer(alert, shown)));

    // The query in the link may name values of the log.
    let logs = alert.links.logs.as_deref().filter(|_| detail == Detail::Full);
    let actions = [("Open query in Logs", logs), ("Runbook", alert.links.runbook.as_deref())];
    let actions: Vec<Json> = actions
        .into_iter()
        .filter_map(|(title, url)| {
            let url = links::safe(url, MAX_LINK)?;
            Some(json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": plain(&wording::notice(alert, detail), 400),
        "msteams": { "width": "Full" },
        "body": body,
        "actions": actions,
    })
}

/// The coloured band: severity and title, the summary, and why it was sent.
fn band(alert: &Alert, detail: Detail, widths: Widths) -> Json {
    let severity = alert.rule.severity;
    let title = limits::clean(wording::title(alert), widths.own.min(150));
    let badge = json!({
        "type": "TextBlock",
        "text": wording::reason_badge(alert.reason),
        "wrap": true,
        "weight": "Bolder",
        "horizontalAlignment": "Right",
    });
    let words = json!({
        "type": "Column",
        "width": "stretch",
        "items": [
            heading(&format!("{} · {title}", wording::severity_word(severity))),
            rich(&wording::summary(alert, detail), widths.line.max(100)),
        ],
    });
    let badge = json!({
        "type": "Column",
        "width": "auto",
        "verticalContentAlignment": "Center",
        "items": [badge],
    });
    json!({
        "type": "Container",
        "style": style(severity),
        "bleed": true,
        "items": [{ "type": "ColumnSet", "columns": [words, badge] }],
    })
}

fn heading(text: &str) -> Json {
    json!({
        "type": "TextBlock",
        "text": escape(text, 170),
        "wrap": true,
        "size": "Large",
        "weight": "Bolder",
        "style": "heading",
    })
}

fn text_block(text: &str, max: usize) -> Json {
    json!({ "type": "TextBlock", "text": escape(text, max), "wrap": true })
}

fn subtle(text: &str) -> Json {
    json!({ "type": "TextBlock", "text": escape(text, 300), "wrap": true, "isSubtle": true, "size": "Small" })
}

/// A sentence of ours under a bold label; nothing for an empty one.
fn paragraph(label: &str, text: &str, max: usize) -> Option<Json> {
    let text = escape(text, max);
    let text = (!text.is_empty()).then(|| format!("**{label}:** {text}"))?;
    Some(json!({ "type": "TextBlock", "text": text, "wrap": true }))
}

/// Pieces in runs of text, which Teams shows literally.
fn rich(pieces: &[Piece], max: usize) -> Json {
    json!({ "type": "RichTextBlock", "inlines": runs(pieces, max) })
}

fn runs(pieces: &[Piece], max: usize) -> Vec<Json> {
    let texts = pieces.iter().map(|piece| piece.text(max)).filter(|text| !text.is_empty());
    texts.map(|text| json!({ "type": "TextRun", "text": text })).collect()
}

fn labelled((label, pieces): &Labelled, max: usize) -> Json {
    let label = json!({ "type": "TextRun", "text": format!("{label}: "), "weight": "Bolder" });
    let mut inlines = vec![label];
    inlines.extend(runs(pieces, max));
    json!({ "type": "RichTextBlock", "spacing": "Small", "inlines": inlines })
}

fn hits(table: &Table, rows: usize, cell: usize) -> Json {
    let row = |cells: Vec<Json>| {
        let cells: Vec<Json> = cells
            .into_iter()
            .map(|run| json!({ "type": "TableCell", "items": [{ "type": "RichTextBlock", "inlines": [run] }] }))
            .collect();
        json!({ "type": "TableRow", "cells": cells })
    };
    let head = table.columns.iter();
    let head = head.map(|name| json!({ "type": "TextRun", "text": name, "weight": "Bolder" }));
    let mut out = vec![row(head.collect())];
    out.extend(table.rows.iter().take(rows).map(|line| {
        let cells = line.cells.iter().map(|piece| {
            let text = piece.text(cell);
            // An empty run is not valid.
            json!({ "type": "TextRun", "text": if text.is_empty() { "-" } else { &text }, "size": "Small" })
        });
        row(cells.collect())
    }));
    let columns: Vec<Json> =
        table.columns.iter().map(|name| json!({ "width": width(name) })).collect();
    json!({
        "type": "Table",
        "spacing": "Medium",
        "showGridLines": false,
        "gridStyle": "default",
        "columns": columns,
        "rows": out,
    })
}

fn width(column: &str) -> u8 {
    match column {
        "Hits" => 1,
        "Operation" | "Operations" | "Details" => 4,
        "Client says" => 3,
        _ => 2,
    }
}

/// Text of ours where Markdown is read, so that it shows as it is written; at most `max` units before escaping.
fn escape(text: &str, max: usize) -> String {
    let text = limits::clean(text, max);
    let mut out = String::with_capacity(text.len() + 8);
    let mut number_at_start = true;
    for (n, c) in text.chars().enumerate() {
        match c {
            '<' => out.push('‹'),
            '>' => out.push('›'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' | '{'
            | '}' | '-' => out.extend(['\\', c]),
            // `1.` at the start of a line would begin a list.
            '.' if number_at_start && n > 0 => out.extend(['\\', c]),
            c => out.push(c),
        }
        number_at_start &= c.is_ascii_digit();
    }
    out
}

/// Text of ours where nobody says whether Markdown is read: without what it could be made of.
fn plain(text: &str, max: usize) -> String {
    let swap = |c| match c {
        '<' => Some('‹'),
        '>' => Some('›'),
        '[' => Some('('),
        ']' => Some(')'),
        '\\' | '`' | '*' | '#' | '|' | '~' | '{' | '}' => None,
        c => Some(c),
    };
    limits::clean(text, max).chars().filter_map(swap).collect()
}

#[cfg(test)]
mod tests;
