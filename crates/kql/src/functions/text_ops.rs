//! The operators between two texts: `has`, `contains`, `=~`, `matches regex` …

/// One operator.
#[derive(Debug)]
pub(crate) struct TextOp {
    pub(crate) name: &'static str,
    pub(crate) negated: bool,
    pub(crate) test: Test,
}

/// What the operator asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Test {
    /// Of the texts as they are.
    Exact(fn(&str, &str) -> bool),
    /// Of the texts in lower case.
    Folded(fn(&str, &str) -> bool),
    /// The right text is a pattern.
    Regex,
}

const fn op(name: &'static str, negated: bool, test: Test) -> TextOp {
    TextOp { name, negated, test }
}

const OPERATORS: &[TextOp] = &[
    op("=~", false, Test::Folded(|a, b| a == b)),
    op("!~", true, Test::Folded(|a, b| a == b)),
    op("has", false, Test::Folded(has)),
    op("!has", true, Test::Folded(has)),
    op("has_cs", false, Test::Exact(has)),
    op("!has_cs", true, Test::Exact(has)),
    op("hasprefix", false, Test::Folded(has_prefix)),
    op("!hasprefix", true, Test::Folded(has_prefix)),
    op("hasprefix_cs", false, Test::Exact(has_prefix)),
    op("!hasprefix_cs", true, Test::Exact(has_prefix)),
    op("hassuffix", false, Test::Folded(has_suffix)),
    op("!hassuffix", true, Test::Folded(has_suffix)),
    op("hassuffix_cs", false, Test::Exact(has_suffix)),
    op("!hassuffix_cs", true, Test::Exact(has_suffix)),
    op("contains", false, Test::Folded(contains)),
    op("!contains", true, Test::Folded(contains)),
    op("contains_cs", false, Test::Exact(contains)),
    op("!contains_cs", true, Test::Exact(contains)),
    op("startswith", false, Test::Folded(starts_with)),
    op("!startswith", true, Test::Folded(starts_with)),
    op("startswith_cs", false, Test::Exact(starts_with)),
    op("!startswith_cs", true, Test::Exact(starts_with)),
    op("endswith", false, Test::Folded(ends_with)),
    op("!endswith", true, Test::Folded(ends_with)),
    op("endswith_cs", false, Test::Exact(ends_with)),
    op("!endswith_cs", true, Test::Exact(ends_with)),
    op("matches regex", false, Test::Regex),
];

/// All names.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|op| op.name)
}

/// The operator of a name.
pub(crate) fn find(name: &str) -> Option<&'static TextOp> {
    OPERATORS.iter().find(|op| op.name == name)
}

/// Lower case, without a copy where the text has none of the upper.
pub(crate) fn fold(text: &str) -> std::borrow::Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_uppercase()) {
        text.into()
    } else if text.is_ascii() {
        text.to_ascii_lowercase().into()
    } else {
        // Letter by letter: a sigma at the end of a word is like any other.
        text.chars().flat_map(char::to_lowercase).collect::<String>().into()
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.contains(part)
}

fn starts_with(text: &str, part: &str) -> bool {
    text.starts_with(part)
}

fn ends_with(text: &str, part: &str) -> bool {
    text.ends_with(part)
}

/// Whole terms: a term is a run of letters and digits, everything else (`_` included) splits.
pub(crate) fn has(text: &str, part: &str) -> bool {
    occurs(text, part, true, true)
}

fn has_prefix(text: &str, part: &str) -> bool {
    occurs(text, part, true, false)
}

fn has_suffix(text: &str, part: &str) -> bool {
    occurs(text, part, false, true)
}

fn occurs(text: &str, part: &str, start: bool, end: bool) -> bool {
    let (Some(first), Some(last)) = (part.chars().next(), part.chars().next_back()) else {
        return true;
    };
    let (start, end) = (start && first.is_alphanumeric(), end && last.is_alphanumeric());
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(part)) {
        let at = from + found;
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + part.len()..).and_then(|t| t.chars().next());
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        if (!start || free(before)) && (!end || free(after)) {
            return true;
        }
        from = at + first.len_utf8();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms() {
        for (text, part, whole, prefix, suffix) in [
            ("CN_CREATE_USER", "USER", true, true, true),
            ("CN_CREATE_USER", "CREATE", true, true, true),
            ("CN_CREATE_USER", "CREA", false, true, false),
            ("CN_CREATE_USER", "EATE", false, false, true),
            ("CN_CREATE_USER", "CREATE_USER", true, true, true),
            ("CN_CREATE_USER", "_CREATE_", true, true, true),
            ("a1b", "1", false, false, false),
            ("a-1-b", "1", true, true, true),
            ("über alles", "ber", false, false, true),
            ("aa aaa", "aaa", true, true, true),
            ("anything", "", true, true, true),
            ("", "", true, true, true),
            ("", "a", false, false, false),
        ] {
            assert_eq!(has(text, part), whole, "{text} has {part}");
            assert_eq!(has_prefix(text, part), prefix, "{text} hasprefix {part}");
            assert_eq!(has_suffix(text, part), suffix, "{text} hassuffix {part}");
        }
    }
}
