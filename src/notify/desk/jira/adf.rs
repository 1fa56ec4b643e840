//! The text of a case in the Atlassian Document Format. Text from the log stands in `code` only, where nothing is interpreted;
//! there are no empty text nodes, which are not valid.

use crate::notify::plain::{self, Part, Place, Telling};
use crate::notify::wording::Piece;
use serde_json::{Value as Json, json};

/// The document of at most `max` bytes of JSON.
pub(super) fn document(telling: &Telling<'_>, place: Place, max: usize) -> Json {
    plain::fit(telling, place, build, |document| document.to_string().len() <= max)
}

fn build(parts: &[Part]) -> Json {
    let content: Vec<Json> = parts.iter().flat_map(blocks).collect();
    json!({ "type": "doc", "version": 1, "content": content })
}

fn blocks(part: &Part) -> Vec<Json> {
    match part {
        Part::Lead(pieces) => vec![paragraph(&inlines(pieces))],
        Part::Text(text) => vec![paragraph(text_node(text, None).as_slice())],
        Part::Warning(text) => {
            let text = paragraph(text_node(text, None).as_slice());
            vec![json!({ "type": "panel", "attrs": { "panelType": "warning" }, "content": [text] })]
        }
        Part::Labelled(label, text) => {
            vec![paragraph(&labelled(label, &[Piece::Own(text.clone())]))]
        }
        Part::Lines(lines) => {
            let items = lines.iter().map(|(label, pieces)| {
                json!({ "type": "listItem", "content": [paragraph(&labelled(label, pieces))] })
            });
            vec![json!({ "type": "bulletList", "content": items.collect::<Vec<_>>() })]
        }
        Part::Hits(table, more) => {
            let mut out = Vec::new();
            if !table.rows.is_empty() {
                let cell = |kind: &str, content: Vec<Json>| json!({ "type": kind, "content": [paragraph(&content)] });
                let row = |cells: Vec<Json>| json!({ "type": "tableRow", "content": cells });
                let head = table.columns.iter().map(|name| {
                    cell("tableHeader", text_node(name, Some("strong")).into_iter().collect())
                });
                let mut rows = vec![row(head.collect())];
                rows.extend(table.rows.iter().map(|shown| {
                    let cells = shown.cells.iter();
                    let cells =
                        cells.map(|piece| cell("tableCell", inlines(std::slice::from_ref(piece))));
                    row(cells.collect())
                }));
                out.push(json!({ "type": "table", "content": rows }));
            }
            out.extend(more.as_deref().map(|text| paragraph(text_node(text, None).as_slice())));
            out
        }
        Part::Links(links) => {
            let mut nodes: Vec<Json> = Vec::new();
            for (label, link) in links {
                if !nodes.is_empty() {
                    nodes.extend(text_node(" · ", None));
                }
                nodes.push(json!({
                    "type": "text",
                    "text": label,
                    "marks": [{ "type": "link", "attrs": { "href": link } }],
                }));
            }
            vec![paragraph(&nodes)]
        }
        Part::Footer(text) => {
            vec![paragraph(text_node(text, Some("em")).as_slice())]
        }
    }
}

fn paragraph(content: &[Json]) -> Json {
    // One without text is valid; an empty text node is not.
    if content.is_empty() {
        return json!({ "type": "paragraph" });
    }
    json!({ "type": "paragraph", "content": content })
}

fn labelled(label: &str, pieces: &[Piece]) -> Vec<Json> {
    let mut nodes: Vec<Json> =
        text_node(&format!("{label}: "), Some("strong")).into_iter().collect();
    nodes.extend(inlines(pieces));
    nodes
}

fn inlines(pieces: &[Piece]) -> Vec<Json> {
    let node = |piece: &Piece| match piece {
        Piece::Own(text) => text_node(text, None),
        Piece::Log(text) => text_node(text, Some("code")),
    };
    pieces.iter().filter_map(node).collect()
}

fn text_node(text: &str, mark: Option<&str>) -> Option<Json> {
    let node = match mark {
        Some(mark) => json!({ "type": "text", "text": text, "marks": [{ "type": mark }] }),
        None => json!({ "type": "text", "text": text }),
    };
    (!text.is_empty()).then_some(node)
}
