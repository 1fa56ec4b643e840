//! The Atlassian Document Format: what issues and comments are written in.

use serde_json::{Map, Value as Json};

/// What is wrong with a document, if anything is: the place and the reason.
pub(crate) fn check(document: &Json) -> Result<(), String> {
    let Some(doc) = document.as_object() else { return Err("no object".to_owned()) };
    if doc.get("type") != Some(&"doc".into()) {
        return Err("`type` is not `doc`".to_owned());
    }
    if doc.get("version") != Some(&1.into()) {
        return Err("`version` is not 1".to_owned());
    }
    keys(doc, &["type", "version", "content"], "doc")?;
    children(doc, BLOCKS, "doc", 0)
}

/// A document as text: a line for every paragraph.
pub(crate) fn text(document: &Json) -> String {
    let mut text = String::new();
    write(document, &mut text);
    text.trim_end().to_owned()
}

fn write(node: &Json, text: &mut String) {
    match node["type"].as_str().unwrap_or_default() {
        "text" => text.push_str(node["text"].as_str().unwrap_or_default()),
        "hardBreak" => text.push('\n'),
        kind => {
            for child in node["content"].as_array().into_iter().flatten() {
                write(child, text);
            }
            if ["paragraph", "heading", "codeBlock"].contains(&kind) {
                text.push('\n');
            }
        }
    }
}

const BLOCKS: &[&str] = &[
    "paragraph",
    "heading",
    "bulletList",
    "orderedList",
    "codeBlock",
    "blockquote",
    "panel",
    "rule",
    "table",
    "expand",
];
const INLINES: &[&str] = &["text", "hardBreak", "inlineCard", "status", "date", "emoji", "mention"];

fn keys(node: &Map<String, Json>, known: &[&str], place: &str) -> Result<(), String> {
    node.keys()
        .find(|key| !known.contains(&key.as_str()))
        .map_or(Ok(()), |key| Err(format!("{place}: `{key}` is unknown")))
}

/// Checks what is within a node: of these kinds, and so many at least.
fn children(
    node: &Map<String, Json>,
    kinds: &[&str],
    place: &str,
    least: usize,
) -> Result<(), String> {
    let Some(content) = node.get("content") else {
        return if least == 0 { Ok(()) } else { Err(format!("{place}: no `content`")) };
    };
    let Some(content) = content.as_array() else {
        return Err(format!("{place}: `content` is no list"));
    };
    if content.len() < least {
        return Err(format!("{place}: `content` is empty"));
    }
    for (n, child) in content.iter().enumerate() {
        let place = format!("{place}.content[{n}]");
        let kind = child["type"].as_str().unwrap_or_default();
        if !kinds.contains(&kind) {
            return Err(format!("{place}: `{kind}` is not allowed here"));
        }
        let child = child.as_object().ok_or_else(|| format!("{place}: no object"))?;
        self::node(child, kind, &place)?;
    }
    Ok(())
}

fn node(node: &Map<String, Json>, kind: &str, place: &str) -> Result<(), String> {
    const PARAGRAPH_AND_LISTS: &[&str] = &["paragraph", "bulletList", "orderedList", "codeBlock"];
    const IN_PANEL: &[&str] =
        &["paragraph", "heading", "bulletList", "orderedList", "codeBlock", "rule"];
    const IN_CELL: &[&str] = &[
        "paragraph",
        "heading",
        "bulletList",
        "orderedList",
        "codeBlock",
        "blockquote",
        "panel",
        "rule",
    ];
    let place = &format!("{place} ({kind})");
    if kind == "text" {
        return text_node(node, place);
    }
    keys(node, &["type", "attrs", "content"], place)?;
    let attrs = node.get("attrs").unwrap_or(&Json::Null);
    let word = |name: &str| attrs[name].as_str().unwrap_or_default();
    let demand = |holds: bool, what: &str| {
        if holds { Ok(()) } else { Err(format!("{place}: {what}")) }
    };
    match kind {
        "paragraph" => children(node, INLINES, place, 0),
        "heading" => {
            demand(attrs["level"].as_u64().is_some_and(|l| (1..=6).contains(&l)), "`level`")?;
            children(node, INLINES, place, 0)
        }
        "bulletList" | "orderedList" => children(node, &["listItem"], place, 1),
        "listItem" => {
            let first = &node.get("content").unwrap_or(&Json::Null)[0]["type"];
            demand(first == "paragraph" || first == "codeBlock", "must begin with a paragraph")?;
            children(node, PARAGRAPH_AND_LISTS, place, 1)
        }
        "codeBlock" => {
            children(node, &["text"], place, 0)?;
            let content = node.get("content").and_then(Json::as_array);
            let marked = content.into_iter().flatten().any(|text| !text["marks"].is_null());
            demand(!marked, "marks in code")
        }
        "blockquote" => children(node, PARAGRAPH_AND_LISTS, place, 1),
        "panel" => {
            let kinds = ["info", "note", "warning", "success", "error", "tip"];
            demand(kinds.contains(&word("panelType")), "`panelType`")?;
            children(node, IN_PANEL, place, 1)
        }
        "table" => children(node, &["tableRow"], place, 1),
        "tableRow" => children(node, &["tableCell", "tableHeader"], place, 0),
        "tableCell" | "tableHeader" | "expand" => children(node, IN_CELL, place, 1),
        "inlineCard" => demand(web(word("url")), "`url`"),
        "status" => {
            demand(!word("text").is_empty() && !word("color").is_empty(), "`text`, `color`")
        }
        "date" => demand(word("timestamp").parse::<i64>().is_ok(), "`timestamp`"),
        "emoji" => demand(!word("shortName").is_empty(), "`shortName`"),
        "mention" => demand(!word("id").is_empty(), "`id`"),
        // Without attributes that matter.
        _ => demand(node.get("content").is_none(), "`content`"),
    }
}

fn text_node(node: &Map<String, Json>, place: &str) -> Result<(), String> {
    keys(node, &["type", "text", "marks"], place)?;
    let text = node.get("text").and_then(Json::as_str).unwrap_or_default();
    if text.is_empty() {
        return Err(format!("{place}: empty"));
    }
    // What XML cannot hold, Jira cannot keep.
    if let Some(c) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(format!("{place}: holds {c:?}"));
    }
    let marks = node.get("marks").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let kind = |mark: &Json| mark["type"].as_str().unwrap_or_default().to_owned();
    let kinds: Vec<String> = marks.iter().map(kind).collect();
    for (mark, kind) in marks.iter().zip(&kinds) {
        let attrs = &mark["attrs"];
        let holds = match kind.as_str() {
            "code" => kinds.iter().all(|k| k == "code" || k == "link"),
            "em" | "strike" | "strong" | "underline" => true,
            "link" => attrs["href"].as_str().is_some_and(web),
            "subsup" => attrs["type"] == "sub" || attrs["type"] == "sup",
            "textColor" | "backgroundColor" => attrs["color"].as_str().is_some_and(|color| {
                let digits = color.strip_prefix('#').unwrap_or_default();
                digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit())
            }),
            _ => false,
        };
        if !holds {
            return Err(format!("{place}: mark {mark}"));
        }
    }
    Ok(())
}

fn web(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| ["https", "http", "mailto"].contains(&url.scheme()))
}
