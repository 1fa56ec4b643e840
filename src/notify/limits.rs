//! Making text safe to show and short enough to send. Log text may be hostile: it may hide, reorder or flood what stands
//! beside it.

/// Ends a text that was cut.
pub const ELLIPSIS: char = '…';

/// Whether a character shows nothing of its own but changes how others look: controls, direction marks, zero-width
/// characters, tags and the like.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'            // C0, DEL, C1
        | '\u{ad}' | '\u{34f}' | '\u{61c}'                  // soft hyphen, grapheme joiner, Arabic letter mark
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' // fillers and inherent vowels
        | '\u{180b}'..='\u{180f}'                           // Mongolian selectors
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' // zero width, line ends, direction
        | '\u{2060}'..='\u{206f}' | '\u{3164}'              // joiners, isolates, filler
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' // selectors, byte order mark, filler
        | '\u{fff9}'..='\u{fffb}'                           // annotations
        | '\u{e0000}'..='\u{e0fff}') // tags and selectors
}

/// The characters of `text` that may be shown, on one line: white space of any kind becomes one space, hidden characters
/// are left out.
fn shown(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut after_space = true;
    text.chars().filter_map(move |c| {
        let space = c.is_whitespace();
        if space && after_space || !space && is_hidden(c) {
            return None;
        }
        after_space = space;
        Some(if space { ' ' } else { c })
    })
}

/// How the length of a text is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Characters (Unicode scalar values).
    Chars,
    /// UTF-16 code units, which is what JavaScript and .NET count.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
}

impl Unit {
    /// The length of one character.
    pub const fn of(self, c: char) -> usize {
        match self {
            Self::Chars => 1,
            Self::Utf16 => c.len_utf16(),
            Self::Bytes => c.len_utf8(),
        }
    }

    /// The length of a text.
    pub fn len(self, text: &str) -> usize {
        text.chars().map(|c| self.of(c)).sum()
    }
}

fn cap_iter(chars: impl Iterator<Item = char>, max: usize, unit: Unit) -> String {
    let mut out = String::new();
    // The length of `out`, and the prefix of it that leaves room for the ellipsis.
    let (mut length, mut room) = (0, 0);
    for c in chars {
        length += unit.of(c);
        if length > max {
            out.truncate(room);
            if max >= unit.of(ELLIPSIS) {
                out.push(ELLIPSIS);
            }
            return out;
        }
        out.push(c);
        if length + unit.of(ELLIPSIS) <= max {
            room = out.len();
        }
    }
    out
}

/// `text` as it is, or its beginning and an ellipsis if it is longer than `max`.
pub fn cap(text: &str, max: usize, unit: Unit) -> String {
    cap_iter(text.chars(), max, unit)
}

/// `text` on one line without hidden characters, at most `max` UTF-16 units long.
pub fn clean(text: &str, max: usize) -> String {
    let mut out = cap_iter(shown(text), max, Unit::Utf16);
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_characters_are_left_out() {
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{1b}[31md\u{feff}", 99), "abc[31md");
        assert_eq!(clean("  a\r\n\tb  c ", 99), "a b c");
        assert_eq!(clean("x\u{2028}y", 99), "x y");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cap("abcdef", 6, Unit::Chars), "abcdef");
        assert_eq!(cap("abcdef", 5, Unit::Chars), "abcd…");
        assert_eq!(cap("abcdef", 5, Unit::Bytes), "ab…");
        assert_eq!(cap("🔑🔑🔑", 5, Unit::Utf16), "🔑🔑…");
        assert_eq!(cap("🔑🔑🔑", 4, Unit::Utf16), "🔑…");
        assert_eq!(cap("abc", 0, Unit::Chars), "");
    }

    proptest! {
        #[test]
        fn never_longer_than_asked(text in any::<String>(), max in 0usize..40) {
            for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
                let cut = cap(&text, max, unit);
                prop_assert!(unit.len(&cut) <= max);
                prop_assert!(unit.len(&text) > max || cut == text);
            }
            let cut = clean(&text, max);
            prop_assert!(Unit::Utf16.len(&cut) <= max);
            prop_assert!(!cut.chars().any(is_hidden));
        }
    }
}
