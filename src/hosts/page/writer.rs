//! A writer of HTML that cannot be made to write anything but what its caller says: names of elements and attributes are
//! part of the program, every text and every attribute's value goes through [`escape`].

use crate::notify::limits::{ELLIPSIS, clean, is_hidden};

/// Names of attributes with their values.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// HTML in the making.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// The beginning of a document.
    pub(super) fn document() -> Self {
        Self("<!doctype html>\n".to_owned())
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// An element and what is in it.
    pub(super) fn el(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.begin(name, attributes);
        self.0.push('>');
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with nothing but a text of ours in it.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.el(name, attributes, |h| h.text(text));
    }

    /// An element of HTML that never holds anything (`meta`).
    pub(super) fn void(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.begin(name, attributes);
        self.0.push('>');
    }

    /// An element of SVG with nothing in it.
    pub(super) fn shape(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.begin(name, attributes);
        self.0.push_str("/>");
    }

    /// The style sheet: part of the program, and therefore as it is.
    pub(super) fn style(&mut self, css: &'static str) {
        self.0.push_str("<style>");
        self.0.push_str(css);
        self.0.push_str("</style>");
    }

    /// A line's end between blocks, so that people can read the source.
    pub(super) fn line(&mut self) {
        self.0.push('\n');
    }

    /// Text on one line. Hidden characters are left out.
    pub(super) fn text(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() {
                self.0.push(' ');
            } else if !is_hidden(c) {
                escape(c, &mut self.0);
            }
        }
    }

    /// A text that others wrote, at most `max` UTF-16 units of it. Its direction of writing ends with it.
    pub(super) fn quoted(&mut self, text: &str, max: usize) {
        self.el("bdi", &[], |h| h.text(&clean(text, max)));
    }

    /// A text with its lines, about `max` characters of it: a word in angle brackets stands for each hidden character.
    pub(super) fn lines(&mut self, text: &str, max: usize) {
        for (n, c) in text.chars().enumerate() {
            if n >= max {
                self.0.push(ELLIPSIS);
                return;
            }
            match c {
                '\n' => self.0.push('\n'),
                '\t' => self.0.push_str("    "),
                // Half of a line's end.
                '\r' => {}
                c if is_hidden(c) => self.text(&format!("<U+{:04X}>", u32::from(c))),
                c => escape(c, &mut self.0),
            }
        }
    }

    fn begin(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            self.0.push(' ');
            self.0.push_str(attribute);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
    }
}

/// The only way of a character into the page: right in texts and in quoted values of attributes.
fn escape(c: char, out: &mut String) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.finish()
    }

    #[test]
    fn markup_is_text() {
        let bad = "<img src=x onerror='alert(1)'>&\"";
        assert_eq!(
            written(|h| h.el("p", &[("title", bad)], |h| h.text(bad))),
            "<p title=\"&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;&quot;\">\
             &lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;&quot;</p>"
        );
    }

    #[test]
    fn hidden_characters_are_left_out() {
        assert_eq!(written(|h| h.text("a\u{202e}b\u{0}c\nd\u{feff}")), "abc d");
        assert_eq!(written(|h| h.quoted(" a\u{2066}b\r\n c ", 9)), "<bdi>ab c</bdi>");
        assert_eq!(written(|h| h.quoted("abcdef", 3)), "<bdi>ab…</bdi>");
    }

    #[test]
    fn in_lines_they_are_named() {
        assert_eq!(
            written(|h| h.lines("a\r\n\tb\u{202e}\u{1b}[31m<", 99)),
            "a\n    b&lt;U+202E&gt;&lt;U+001B&gt;[31m&lt;"
        );
        assert_eq!(written(|h| h.lines("abc", 2)), "ab…");
    }

    #[test]
    fn elements_without_content() {
        assert_eq!(
            written(|h| h.void("meta", &[("charset", "utf-8")])),
            "<meta charset=\"utf-8\">"
        );
        assert_eq!(written(|h| h.shape("rect", &[("x", "1%")])), "<rect x=\"1%\"/>");
    }
}
