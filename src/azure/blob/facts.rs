//! Facts as metadata, and versions as `ETag`s.

use crate::ports::{Etag, Meta};
use std::collections::HashMap;

/// Whose write a blob is. No fact has a digit in its name.
pub(super) const WRITE_ID: &str = "hsmwatch_write_1";

/// What stands before a value that would be empty, which not all of HTTP carries, or that begins like this.
const MARK: char = '~';

/// Facts and the write's id, as metadata.
pub(super) fn to_metadata(meta: Meta, write_id: &str) -> HashMap<String, String> {
    let marked = |value: String| {
        if value.is_empty() || value.starts_with(MARK) { format!("{MARK}{value}") } else { value }
    };
    meta.into_iter()
        .map(|(key, value)| (key, marked(value)))
        .chain([(WRITE_ID.to_owned(), write_id.to_owned())])
        .collect()
}

/// The facts in metadata; what others wrote there under names that are no fact's is passed over.
pub(super) fn from_metadata(metadata: HashMap<String, String>) -> Meta {
    metadata
        .into_iter()
        .map(|(key, value)| (key.to_ascii_lowercase(), value))
        .filter(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .map(|(key, value)| match value.strip_prefix(MARK) {
            Some(rest) => (key, rest.to_owned()),
            None => (key, value),
        })
        .collect()
}

/// An `ETag` without its quotes, which headers have and listings have not.
pub(super) fn bare(etag: &azure_core::http::Etag) -> Etag {
    Etag(etag.as_ref().trim_matches('"').to_owned())
}

/// A version as a condition has it.
pub(super) fn quoted(etag: &Etag) -> azure_core::http::Etag {
    format!("\"{}\"", etag.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_value_is_marked() {
        let meta = Meta::from([("none".into(), String::new()), ("due".into(), "now".into())]);
        let metadata = to_metadata(meta.clone(), "id");
        assert_eq!(metadata.get("none").map(String::as_str), Some("~"));
        assert_eq!(metadata.get(WRITE_ID).map(String::as_str), Some("id"));
        assert_eq!(from_metadata(metadata), meta);
    }

    #[test]
    fn versions_are_the_same_in_headers_and_listings() {
        assert_eq!(bare(&"\"0x8\"".into()), bare(&"0x8".into()));
        assert_eq!(quoted(&bare(&"0x8".into())).as_ref(), "\"0x8\"");
    }

    proptest! {
        #[test]
        fn facts_come_back(meta in prop::collection::btree_map("[a-z_]{1,8}", "[ -~]{0,8}", 0..5)) {
            prop_assert_eq!(from_metadata(to_metadata(meta.clone(), "id")), meta);
        }
    }
}
