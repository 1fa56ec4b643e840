//! Where a JSON value ends, found without reading it.

/// Follows one JSON value through pieces of text. It counts brackets and heeds strings; that the value is JSON is for its
/// reader to find out.
#[derive(Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// A number or a word: ends where something else begins.
    bare: bool,
}

impl Scan {
    /// Takes the next piece. `Some(n)`: the value ends after `n` bytes of it. `None`: it goes on in the next piece.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = piece.get(at..)?;
            if self.in_string {
                at += self.string(rest)?;
                if self.depth == 0 {
                    return Some(at);
                }
                continue;
            }
            if self.bare {
                let ends =
                    |b: &u8| matches!(b, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | b':');
                return rest.iter().position(ends).map(|n| at + n);
            }
            // Everything but strings and brackets is passed over.
            let next = rest.iter().position(|b| matches!(b, b'"' | b'[' | b']' | b'{' | b'}'));
            let first = self.depth == 0;
            match next.and_then(|n| rest.get(n).map(|byte| (n, *byte))) {
                Some((n, byte)) if !first || n == 0 => {
                    at += n + 1;
                    match byte {
                        b'"' => self.in_string = true,
                        b'[' | b'{' => self.depth += 1,
                        _ => {
                            self.depth = self.depth.saturating_sub(1);
                            if self.depth == 0 {
                                return Some(at);
                            }
                        }
                    }
                }
                _ if first => {
                    if rest.is_empty() {
                        return None;
                    }
                    self.bare = true;
                }
                _ => return None,
            }
        }
    }

    /// The number of bytes up to and with the closing quote.
    fn string(&mut self, rest: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.escaped && !rest.is_empty() {
            self.escaped = false;
            at = 1;
        }
        loop {
            at += quote_or_backslash(rest.get(at..)?)?;
            if rest.get(at) == Some(&b'"') {
                self.in_string = false;
                return Some(at + 1);
            }
            at += 2;
            if at > rest.len() {
                self.escaped = true;
                return None;
            }
        }
    }
}

/// Where the first of the two stands. Strings are most of an answer, so that they are searched eight bytes at a time.
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // Marks the high bit of the lowest byte that is zero (bits above it may be marked falsely).
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (n, eight) in eights.iter().enumerate() {
        let x = u64::from_le_bytes(*eight);
        let found = zero(x ^ (ONES * u64::from(b'"'))) | zero(x ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    Some(eights.len() * 8 + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The end of the first value, given in pieces of `size` bytes.
    fn end(text: &[u8], size: usize) -> Option<usize> {
        let mut scan = Scan::default();
        let mut before = 0;
        for piece in text.chunks(size) {
            if let Some(n) = scan.piece(piece) {
                return Some(before + n);
            }
            before += piece.len();
        }
        None
    }

    #[test]
    fn finds_the_end_in_pieces_of_any_size() {
        for (text, expected) in [
            (r"[1,2],3", Some(5)),
            (r#"["]"],"#, Some(5)),
            (r#""a\"b",1"#, Some(6)),
            (r#""\\",1"#, Some(4)),
            (r#"["\\\"]"]x"#, Some(9)),
            (r#"{"a":{"b":[]}}}"#, Some(14)),
            ("null,", Some(4)),
            ("-1.5e3]", Some(6)),
            ("12", None),
            (r#"["a"#, None),
            (r#""a\"#, None),
        ] {
            for size in 1..=text.len() {
                assert_eq!(end(text.as_bytes(), size), expected, "{text} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(texts in prop::collection::vec(".{0,12}", 0..5), size in 1_usize..9) {
            let json = serde_json::to_string(&(&texts, 1, [[true]])).unwrap();
            let followed = format!("{json}, [\"x\"]");
            prop_assert_eq!(end(followed.as_bytes(), size), Some(json.len()));
        }

        #[test]
        fn finds_what_a_plain_search_finds(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'#')], 0..40)) {
            let plain = bytes.iter().position(|b| matches!(b, b'"' | b'\\'));
            prop_assert_eq!(quote_or_backslash(&bytes), plain);
        }

        #[test]
        fn pieces_never_matter(text in "[\\[\\]{}\",:\\\\a1 ]{0,40}", size in 1_usize..9) {
            prop_assert_eq!(end(text.as_bytes(), size), end(text.as_bytes(), 1000));
        }
    }
}
