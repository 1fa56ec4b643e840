//! Which names and facts a document may have: what every store can hold, the narrowest included.

use super::{Meta, StoreError};

/// Longest name, in bytes. Blob storage allows 1,024.
const MAX_NAME: usize = 512;
/// Longest word of a name, in bytes: a file name of at most 255 bytes must hold it escaped and with its suffix.
const MAX_WORD: usize = 120;
/// All keys and values together, in bytes. Blob storage allows 8 KB, of which a store may need some for itself.
const MAX_META: usize = 7 * 1024;

/// Refuses a name that is not `/`-separated words of `[A-Za-z0-9._-]`. A word of dots only would be a directory's own name.
pub fn check_name(name: &str) -> Result<(), StoreError> {
    let refuse = |why: &str| Err(StoreError::Failed(format!("document name `{name}` {why}")));
    if name.len() > MAX_NAME {
        return refuse("is longer than 512 bytes");
    }
    for word in name.split('/') {
        if word.is_empty() {
            return refuse("has an empty word");
        }
        if word.len() > MAX_WORD {
            return refuse("has a word longer than 120 bytes");
        }
        if word.bytes().all(|b| b == b'.') {
            return refuse("has a word of dots only");
        }
        if !word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return refuse("may only use letters, digits, `.`, `_`, `-` and `/`");
        }
    }
    Ok(())
}

/// Refuses facts that an HTTP header could not carry unchanged.
pub fn check_meta(name: &str, meta: &Meta) -> Result<(), StoreError> {
    let refuse = |key: &str, why: &str| {
        Err(StoreError::Failed(format!("fact `{}` of document `{name}` {why}", key.escape_debug())))
    };
    for (key, value) in meta {
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return refuse(key, "may only use the letters a to z and `_`");
        }
        if !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return refuse(key, "has a value that is not printable ASCII");
        }
        if value.trim().len() != value.len() {
            return refuse(key, "has a value with a blank at an end, which would be lost");
        }
    }
    let size: usize = meta.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_META {
        return Err(StoreError::Failed(format!("the facts of document `{name}` exceed 7 KB")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_slashes() {
        for good in ["a", "heads/prod/key-delete", "a.b/c_d/E-9", "..a/b..", "a/.b"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long_word = "x".repeat(121);
        let long_name = "abc/".repeat(200) + "x";
        for bad in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", ".", "a/./b", "a b", "ä", "a\\b", "a\0b",
            "a:b", "@lock", &long_word, &long_name,
        ] {
            assert!(matches!(check_name(bad), Err(StoreError::Failed(_))), "{bad}");
        }
    }

    #[test]
    fn facts_are_what_a_header_can_carry() {
        let check =
            |key: &str, value: &str| check_meta("x", &Meta::from([(key.into(), value.into())]));
        assert_eq!(check("due_at", "2026-11-24T00:00:00Z, or so"), Ok(()));
        assert_eq!(check("empty", ""), Ok(()));
        for (key, value) in [
            ("", "x"),
            ("Due", "x"),
            ("due-at", "x"),
            ("due1", "x"),
            ("due", "grün"),
            ("due", "a\nb"),
            ("due", "a\tb"),
            ("due", " a"),
            ("due", "a "),
            ("due", &"x".repeat(9000)),
        ] {
            assert!(matches!(check(key, value), Err(StoreError::Failed(_))), "{key}={value}");
        }
    }
}
