//! Reads as much of Markdown as the tests need: links, headings, code and tables.
#![expect(clippy::string_slice, reason = "tests")]

use std::collections::BTreeMap;

/// A document.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Links with their lines.
    pub(crate) links: Vec<(usize, String)>,
    /// What links can name after `#`.
    pub(crate) anchors: Vec<String>,
    /// Code in backticks, and lines of fenced code, with their lines and the language of the fence.
    pub(crate) code: Vec<Code>,
    /// Lines outside of fences, as they are, by their numbers.
    pub(crate) prose: Vec<(usize, String)>,
}

/// A piece of code.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) line: usize,
    /// The fence's language; `None`: in a line of text.
    pub(crate) fence: Option<String>,
    pub(crate) text: String,
    /// Whether it stands in the first cell of a row.
    pub(crate) first_cell: bool,
}

/// Reads a document.
pub(crate) fn read(text: &str) -> Document {
    let mut document = Document::default();
    let mut fence: Option<String> = None;
    let mut slugs: BTreeMap<String, usize> = BTreeMap::new();
    for (n, line) in text.lines().enumerate() {
        let number = n + 1;
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = match fence {
                None => Some(language.trim().to_owned()),
                Some(_) => None,
            };
            continue;
        }
        if let Some(language) = &fence {
            let text = line.to_owned();
            let fence = Some(language.clone());
            document.code.push(Code { line: number, fence, text, first_cell: false });
            continue;
        }
        if let Some(heading) = line.strip_prefix('#') {
            let slug = slug(heading.trim_start_matches('#'));
            let seen = slugs.entry(slug.clone()).or_default();
            document.anchors.push(if *seen == 0 { slug } else { format!("{slug}-{seen}") });
            *seen += 1;
        }
        let first = cells(line).first().map_or(0, |cell| cell.len() + 2);
        let row = line.starts_with('|');
        let mut bare = String::new();
        for (at, piece, is_code) in pieces(line) {
            if is_code {
                document.code.push(Code {
                    line: number,
                    fence: None,
                    text: piece.to_owned(),
                    first_cell: row && at < first,
                });
                // A link around code is a link.
                bare.push('x');
            } else {
                bare.push_str(piece);
            }
        }
        let mut rest = bare.as_str();
        while let Some(begin) = rest.find("](") {
            rest = &rest[begin + 2..];
            let Some(end) = rest.find(')') else { break };
            document.links.push((number, rest[..end].to_owned()));
            rest = &rest[end..];
        }
        document.prose.push((number, line.to_owned()));
    }
    document
}

/// The cells of a row of a table; none of another line.
pub(crate) fn cells(line: &str) -> Vec<&str> {
    let Some(inner) = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
        return Vec::new();
    };
    let mut cells = Vec::new();
    let (mut begin, mut escaped) = (0, false);
    for (at, c) in inner.char_indices() {
        if c == '|' && !escaped {
            cells.push(&inner[begin..at]);
            begin = at + 1;
        }
        escaped = c == '\\';
    }
    cells.push(&inner[begin..]);
    cells
}

/// The pieces of a line: where each begins, its text, and whether it is code.
fn pieces(line: &str) -> Vec<(usize, &str, bool)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(begin) = line[at..].find('`').map(|n| at + n) {
        let ticks = line[begin..].chars().take_while(|c| *c == '`').count();
        let fence = "`".repeat(ticks);
        let Some(length) = line[begin + ticks..].find(&fence) else { break };
        pieces.push((at, &line[at..begin], false));
        pieces.push((begin, line[begin + ticks..begin + ticks + length].trim(), true));
        at = begin + ticks + length + ticks;
    }
    pieces.push((at, &line[at..], false));
    pieces
}

/// What GitHub makes of a heading.
fn slug(heading: &str) -> String {
    let mut slug = String::new();
    for c in heading.trim().to_lowercase().chars() {
        match c {
            ' ' => slug.push('-'),
            '-' | '_' => slug.push(c),
            c if c.is_alphanumeric() => slug.push(c),
            _ => {}
        }
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_headings_and_code() {
        let text = "# The `one`: it's a *title*\n\nSee [a](b.md#c) and [`d`](../e.md), not `[f](g)`.\n\n\
                    ```console\n$ hsmwatch run [x](y)\n```\n| ``a`b`` <br>`c` | `d \\| e` |\n# The one, its a title\n";
        let read = read(text);
        let links: Vec<&str> = read.links.iter().map(|(_, link)| link.as_str()).collect();
        assert_eq!(links, ["b.md#c", "../e.md"]);
        assert_eq!(read.anchors, ["the-one-its-a-title", "the-one-its-a-title-1"]);
        let code: Vec<(&str, bool)> =
            read.code.iter().map(|code| (code.text.as_str(), code.first_cell)).collect();
        let expected = [
            ("one", false),
            ("d", false),
            ("[f](g)", false),
            ("$ hsmwatch run [x](y)", false),
            ("a`b", true),
            ("c", true),
            ("d \\| e", false),
        ];
        assert_eq!(code, expected);
        assert_eq!(cells("| a | b \\| c |"), [" a ", " b \\| c "]);
    }
}
