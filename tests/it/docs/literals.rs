//! Finds the string literals of Rust source, and those among them that are texts of errors.
#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use std::collections::BTreeSet;
use std::ops::Range;

/// A string literal outside of test code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Literal {
    /// Its text, as the documentation writes it: see [`normal`].
    pub(crate) text: String,
    /// Below `src/`, with `/`.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    /// Whether it is the text of an error.
    pub(crate) error: bool,
}

/// Where texts of errors begin: whatever is written in these is one.
const MAKERS: &[&[&str]] = &[
    &["#", "[", "error", "("],
    &["Fault", "::", "new", "("],
    &["Stop", "::", "no", "("],
    &["Stop", "::", "usage", "("],
    &["tracing", "::", "error", "!", "("],
    &["tracing", "::", "warn", "!", "("],
];

/// The same, but what comes after the first text is the cure.
const WITH_CURE: &[&[&str]] =
    &[&["RuleProblem", "::", "error", "("], &["RuleProblem", "::", "warning", "("]];

/// Errors that carry their text: `QueryError::Denied("…")`.
const KINDS: &[&str] = &[
    "QueryError",
    "StoreError",
    "TransportError",
    "RemoteError",
    "TokenError",
    "StorageError",
    "StateError",
    "FilesError",
];

/// What is written in these is an error if it is a sentence.
const WRAPPERS: &[&str] =
    &["Err", "map_err", "ok_or", "ok_or_else", "bad", "fail", "failed", "judge_no_answer"];

/// `let why = "…";` is an error if it is a sentence.
const NAMES: &[&str] = &["why", "error", "fault", "problem", "what", "reason"];

/// Names and signs that are no texts: of credentials, and what the query service writes.
const WORDS: &[&str] = &[
    "the shared access signature",
    "exceeded the allowed limits",
    "let window_start = datetime(",
    "); let window_end = datetime(",
    "in the configuration",
    "in the rules",
];

/// What is written in these is no error.
const CURES: &[&str] = &["hint", "maybe_hint"];

/// Parts that say nothing but errors: every sentence in them is one.
const ADAPTERS: &[&str] =
    &["azure/", "local/", "http/", "ports/", "http.rs", "ports.rs", "wire.rs"];

/// Texts of alerts, pages and help, and of checks, which say themselves what cures: sentences in them are errors only in
/// [`MAKERS`].
const SPEAKERS: &[&str] = &[
    "cli/check.rs",
    "cli/demo",
    "cli/doctor/",
    "cli/explain.rs",
    "cli/init",
    "cli/rows.rs",
    "cli/rules.rs",
    "cli/sample.rs",
    "local/fleeting.rs",
    "local/rehearsal.rs",
    "cli/status",
    "hosts/page",
    "notify/content.rs",
    "notify/links.rs",
    "notify/operations",
    "notify/slack",
    "notify/teams",
    "notify/terminal.rs",
    "notify/webhook",
    "notify/wording.rs",
    "engine/observe.rs",
    "watch/own.rs",
];

/// The literals of a file, given by its name below `src/`.
pub(crate) fn of(file: &str, source: &str) -> Vec<Literal> {
    let tokens = without_tests(tokens(source));
    let signs: Vec<&str> = tokens.iter().map(Token::sign).collect();
    let mut surely = BTreeSet::new();
    let mut perhaps = BTreeSet::new();
    let mut never = BTreeSet::new();
    for at in 0..tokens.len() {
        let here = &signs[at..];
        for maker in MAKERS.iter().filter(|maker| here.starts_with(maker)) {
            surely.extend(within(&signs, at + maker.len() - 1));
        }
        for maker in WITH_CURE.iter().filter(|maker| here.starts_with(maker)) {
            let inside = within(&signs, at + maker.len() - 1);
            surely.extend(inside.clone().find(|n| tokens[*n].is_text));
        }
        if here.len() > 3 && KINDS.contains(&here[0]) && here[1] == "::" && here[3] == "(" {
            surely.extend(within(&signs, at + 3));
        }
        if here.len() > 1 && here[1] == "(" && WRAPPERS.contains(&here[0]) {
            perhaps.extend(within(&signs, at + 1));
        }
        if here.len() > 1 && here[1] == "(" && CURES.contains(&here[0]) {
            never.extend(within(&signs, at + 1));
        }
        if here.len() > 2 && here[0] == "let" && here[2] == "=" && NAMES.contains(&here[1]) {
            perhaps.extend(statement(&signs, at));
        }
        if here.starts_with(&["let", "hint"]) {
            never.extend(statement(&signs, at));
        }
        if here.starts_with(&["#", "["]) && here.get(2) != Some(&"error") {
            never.extend(within(&signs, at + 1));
        }
        let logs = ["info", "debug", "trace"];
        if here.starts_with(&["tracing", "::"]) && logs.contains(&here[2]) {
            never.extend(within(&signs, at + 4));
        }
    }
    let adapter = ADAPTERS.iter().any(|part| file.starts_with(part));
    let speaker = SPEAKERS.iter().any(|part| file.starts_with(part));
    let mut found = Vec::new();
    for (n, token) in tokens.iter().enumerate().filter(|(_, token)| token.is_text) {
        let text = normal(&token.text);
        let sentence = words(&text);
        let bare = text.trim_start_matches("error: ").trim_start_matches("warning: ");
        let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
        let is_said = surely.contains(&n) && text.contains(' ')
            || !speaker && perhaps.contains(&n) && sentence >= 3
            || adapter && sentence >= 4
            || begins(&["error: ", "warning: "]);
        let is_name = bare.len() > 60 && !bare.contains(' ')
            || !bare.contains(|c: char| c.is_ascii_lowercase())
            || begins(&["https://"])
            || WORDS.contains(&bare);
        let is_joint = text.starts_with(',');
        let error = is_said && !is_name && !is_joint && words(bare) > 0 && !never.contains(&n);
        found.push(Literal { text, file: file.to_owned(), line: token.line, error });
    }
    found
}

/// A text as the documentation writes it: `…` for what changes, no backticks, single spaces.
pub(crate) fn normal(text: &str) -> String {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(begin) = rest.find('{') {
        out.push_str(&rest[..begin]);
        let Some(length) = rest[begin..].find('}') else { break };
        out.push('…');
        rest = &rest[begin + length + 1..];
    }
    out.push_str(rest);
    let out = out.replace('\u{1}', "{").replace('\u{2}', "}").replace('`', "");
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many words a text has.
pub(crate) fn words(text: &str) -> usize {
    let word = |c: char| c.is_ascii_alphabetic() || matches!(c, '\'' | '-');
    let letters = |word: &&str| word.chars().filter(char::is_ascii_alphabetic).count() >= 2;
    text.split(|c| !word(c)).filter(letters).count()
}

/// The tokens inside of the bracket that opens at `at`.
fn within(signs: &[&str], at: usize) -> Range<usize> {
    let mut depth = 0_usize;
    for (n, sign) in signs.iter().enumerate().skip(at) {
        match *sign {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at..n;
                }
            }
            _ => {}
        }
    }
    at..signs.len()
}

/// The tokens of the statement that begins at `at`.
fn statement(signs: &[&str], at: usize) -> Range<usize> {
    let mut depth = 0_usize;
    for (n, sign) in signs.iter().enumerate().skip(at) {
        match *sign {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => return at..n,
            _ => {}
        }
    }
    at..signs.len()
}

#[derive(Clone, Debug)]
struct Token {
    line: usize,
    text: String,
    is_text: bool,
}

impl Token {
    /// What it is, for those who look for code: a literal is none.
    fn sign(&self) -> &str {
        if self.is_text { "\"" } else { &self.text }
    }
}

/// Words, `::`, signs and string literals; comments and characters are left out.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let start = i;
        let mut token = None;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                while i < chars.len() && (at(i), at(i + 1)) != ('*', '/') {
                    i += 1;
                }
                i += 2;
            }
            '"' => {
                let text;
                (text, i) = string(&at, i + 1, chars.len());
                token = Some((text, true));
            }
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => {
                i += 1;
                while part_of_word(at(i)) {
                    i += 1;
                }
            }
            c if part_of_word(c) => {
                while part_of_word(at(i)) {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let hashes = (i..chars.len()).take_while(|j| at(*j) == '#').count();
                if matches!(word.as_str(), "r" | "br") && at(i + hashes) == '"' {
                    let begin = i + hashes + 1;
                    let mut end = begin;
                    while end < chars.len()
                        && !(at(end) == '"' && (1..=hashes).all(|n| at(end + n) == '#'))
                    {
                        end += 1;
                    }
                    token = Some((chars[begin..end.min(chars.len())].iter().collect(), true));
                    i = end + 1 + hashes;
                } else {
                    token = Some((word, false));
                }
            }
            ':' if at(i + 1) == ':' => {
                token = Some(("::".to_owned(), false));
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    token = Some((c.to_string(), false));
                }
                i += 1;
            }
        }
        if let Some((text, is_text)) = token {
            tokens.push(Token { line, text, is_text });
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The text of a literal whose first character is at `i`, and where what comes after it begins.
fn string(at: &impl Fn(usize) -> char, mut i: usize, end: usize) -> (String, usize) {
    let mut text = String::new();
    while i < end && at(i) != '"' {
        if at(i) != '\\' {
            text.push(at(i));
            i += 1;
            continue;
        }
        match at(i + 1) {
            // The line goes on in the next one.
            '\n' => {
                i += 2;
                while at(i).is_whitespace() {
                    i += 1;
                }
                continue;
            }
            'n' | 'r' | 't' => text.push(' '),
            'u' | 'x' => {}
            c => text.push(c),
        }
        i += 2;
    }
    (text, i + 1)
}

/// Without items under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let signs: Vec<String> = tokens.iter().map(|token| token.sign().to_owned()).collect();
    let signs: Vec<&str> = signs.iter().map(String::as_str).collect();
    let mut kept = Vec::new();
    let mut until = 0;
    for (n, token) in tokens.into_iter().enumerate() {
        if n >= until && signs[n..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            let item = n + 7;
            let ends = (item..signs.len()).find(|m| matches!(signs[*m], "{" | ";"));
            until = match ends {
                Some(brace) if signs[brace] == "{" => within(&signs, brace).end + 1,
                Some(semicolon) => semicolon + 1,
                None => signs.len(),
            };
        }
        if n >= until {
            kept.push(token);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(file: &str, source: &str) -> Vec<String> {
        of(file, source).into_iter().filter(|found| found.error).map(|found| found.text).collect()
    }

    #[test]
    fn texts_of_errors_are_told_from_others() {
        let source = r##"
            //! "a comment is none of them"
            #[error("`{0}` is not a {kind}: {{}} \
                     and more")]
            #[expect(dead_code, reason = "a reason is none either")]
            fn f() {
                return Err(Fault::new(format!("{} is no name", x)).hint("letters and digits"));
                let why = "it was not there"; let other = "this is not an error";
                Stop::no(e.to_string()); out("said to people"); tracing::info!("all is well");
                RuleProblem::error(At::Rule, "the rule has nothing", "give it something to find");
                let c = '"'; QueryError::Denied(r#"no "way" in"#.into())
            }
            #[cfg(test)]
            mod tests { fn g() { Fault::new("not outside of tests"); } }
        "##;
        let found = [
            "… is not a …: {} and more",
            "… is no name",
            "it was not there",
            "the rule has nothing",
            "no \"way\" in",
        ];
        assert_eq!(errors("config/x.rs", source), found);
        assert_eq!(errors("notify/teams.rs", "let why = \"three little words\";"), [""; 0]);
        assert_eq!(errors("azure/x.rs", "f(\"the service is quite silent\")").len(), 1);
        assert_eq!(errors("cli/x.rs", "f(\"the service is quite silent\")").len(), 0);
    }
}
