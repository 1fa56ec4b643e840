//! A scanner of Rust source that is good enough to find the paths that a file names.
#![expect(clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

/// What one file names.
pub(crate) struct File {
    /// Below `src/`, with `/`.
    pub(crate) name: String,
    /// The part of the crate that it belongs to: the first folder or the file's stem.
    pub(crate) part: String,
    /// Every path outside of test code, `use` trees taken apart.
    pub(crate) paths: Vec<Path>,
    /// Lines with `async` or `await`.
    pub(crate) async_lines: Vec<usize>,
}

/// One path.
pub(crate) struct Path {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Segments; a path into this crate begins with `crate`, whatever it was written like.
    pub(crate) segments: Vec<String>,
}

impl Path {
    /// The segments after `crate`, if it leads into this crate. A path that names the crate itself has the segment `*`.
    pub(crate) fn inside_this_crate(&self) -> Option<&[String]> {
        match self.segments.split_first() {
            Some((first, rest)) if first == "crate" => Some(rest),
            _ => None,
        }
    }
}

/// Reads files given as name below `src/` and text, without those declared by `#[cfg(test)] mod name;`.
pub(crate) fn read(texts: &[(String, String)]) -> Vec<File> {
    let mut files = Vec::new();
    let mut only_tests = BTreeSet::new();
    for (name, text) in texts {
        let tokens = tokens(text);
        let (tokens, modules) = without_tests(&tokens);
        let home = home(name);
        for module in modules {
            let mut place = home.clone();
            place.push(module);
            only_tests.insert(place);
        }
        let async_lines = tokens
            .iter()
            .filter(|token| token.text == "async" || token.text == "await")
            .map(|token| token.line)
            .collect();
        let part = home.first().cloned().unwrap_or_else(|| name.trim_end_matches(".rs").to_owned());
        files.push((
            home.clone(),
            File { name: name.clone(), part, paths: paths(&tokens, &home), async_lines },
        ));
    }
    files.retain(|(home, _)| !(1..=home.len()).any(|n| only_tests.contains(&home[..n])));
    files.into_iter().map(|(_, file)| file).collect()
}

/// The module that a file is, as names below `crate`.
fn home(name: &str) -> Vec<String> {
    let name = name.trim_end_matches(".rs");
    let mut names: Vec<String> = name.split('/').map(str::to_owned).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        names.pop();
    }
    names
}

#[derive(Clone, Debug)]
struct Token {
    line: usize,
    text: String,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }

    /// Words that stand before a path and are no part of it.
    fn is_keyword(&self) -> bool {
        matches!(
            self.text.as_str(),
            "as" | "dyn"
                | "else"
                | "for"
                | "if"
                | "impl"
                | "in"
                | "match"
                | "mut"
                | "pub"
                | "return"
                | "use"
                | "where"
                | "while"
        )
    }
}

/// Words, `::` and single signs; comments and literals are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let start = i;
        let mut word = String::new();
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => i = after_comment(&at, i, chars.len()),
            '"' => i = after_string(&at, i, chars.len()),
            '\'' if at(i + 1) == '\\' => {
                // An escaped character: to the quote after what the backslash escapes.
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            // A lifetime: its name must not count as a word.
            '\'' => {
                i += 1;
                while is_part_of_word(at(i)) {
                    i += 1;
                }
            }
            c if is_part_of_word(c) => {
                while is_part_of_word(at(i)) {
                    word.push(at(i));
                    i += 1;
                }
                let hashes = (i..chars.len()).take_while(|j| at(*j) == '#').count();
                if matches!(word.as_str(), "r" | "br" | "cr") && at(i + hashes) == '"' {
                    word.clear();
                    i = after_raw_string(&at, i, hashes, chars.len());
                } else if word == "r" && hashes == 1 && is_part_of_word(at(i + 1)) {
                    // r#type: the word follows.
                    word.clear();
                    i += 1;
                } else if matches!(word.as_str(), "b" | "c") && matches!(at(i), '"' | '\'') {
                    word.clear();
                }
            }
            ':' if at(i + 1) == ':' => {
                word.push_str("::");
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    word.push(c);
                }
                i += 1;
            }
        }
        if !word.is_empty() {
            tokens.push(Token { line, text: word });
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn after_comment(at: &impl Fn(usize) -> char, start: usize, end: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i < end {
        match (at(i), at(i + 1)) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    break;
                }
            }
            _ => i += 1,
        }
    }
    i
}

fn after_string(at: &impl Fn(usize) -> char, start: usize, end: usize) -> usize {
    let mut i = start + 1;
    while i < end && at(i) != '"' {
        i += if at(i) == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_raw_string(at: &impl Fn(usize) -> char, start: usize, hashes: usize, end: usize) -> usize {
    let mut i = start + hashes + 1;
    while i < end && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
        i += 1;
    }
    i + 1 + hashes
}

/// The tokens without items under `#[cfg(test)]`, and the names of modules in files of their own that are such items.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let mut kept = Vec::new();
    let mut modules = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if texts[i..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            let end = after_item(&texts, i + 7);
            if texts[i..end].ends_with(&[";"])
                && let Some(mod_) = texts[i..end].iter().position(|text| *text == "mod")
            {
                modules.push(texts[i + mod_ + 1].to_owned());
            }
            i = end;
        } else {
            kept.push(tokens[i].clone());
            i += 1;
        }
    }
    (kept, modules)
}

/// Where the item that begins at `i` has ended: after its block, or after its semicolon.
fn after_item(texts: &[&str], mut i: usize) -> usize {
    let mut depth = 0_usize;
    while i < texts.len() {
        match texts[i] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
        i += 1;
    }
    i
}

/// Every path, made absolute where it begins with `crate`, `self`, `super` or the crate's own name.
fn paths(tokens: &[Token], home: &[String]) -> Vec<Path> {
    let mut found = Vec::new();
    // The inline modules around the token: name, and the depth of braces outside of it.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < tokens.len() {
        let text = |n: usize| tokens.get(n).map_or("", |token| token.text.as_str());
        match text(i) {
            "mod" if text(i + 2) == "{" => inside.push((text(i + 1).to_owned(), depth)),
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inside.last().is_some_and(|(_, outside)| *outside == depth) {
                    inside.pop();
                }
            }
            _ => {}
        }
        let visibility = i > 0 && text(i - 1) == "(" && text(i + 1) == ")";
        if tokens[i].is_word()
            && !tokens[i].is_keyword()
            && !visibility
            && (i == 0 || text(i - 1) != "::" || is_root(tokens, i - 1))
        {
            let module: Vec<String> =
                home.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
            let mut tree = Vec::new();
            i = read_tree(tokens, i, Vec::new(), &mut tree);
            found.extend(tree.into_iter().filter_map(|path| absolute(path, &module)));
        } else {
            i += 1;
        }
    }
    found
}

/// Whether the `::` at `i` begins a path, as in `::std::fs`.
fn is_root(tokens: &[Token], i: usize) -> bool {
    match i.checked_sub(1).and_then(|before| tokens.get(before)) {
        Some(before) => before.is_keyword() || !(before.is_word() || before.text == ">"),
        None => true,
    }
}

/// Reads the path or `use` tree at `i`, adds its leaves to `out`, and says where it ended.
fn read_tree(
    tokens: &[Token],
    mut i: usize,
    mut prefix: Vec<String>,
    out: &mut Vec<Path>,
) -> usize {
    let text = |n: usize| tokens.get(n).map_or("", |token| token.text.as_str());
    let line = tokens.get(i).map_or(0, |token| token.line);
    loop {
        if text(i) == "{" {
            i += 1;
            while i < tokens.len() && text(i) != "}" {
                if text(i) == "as" {
                    i += 2;
                } else if text(i) == ","
                    || !(tokens[i].is_word() || text(i) == "{" || text(i) == "*")
                {
                    i += 1;
                } else {
                    i = read_tree(tokens, i, prefix.clone(), out);
                }
            }
            return i + 1;
        }
        match text(i) {
            "*" => prefix.push("*".to_owned()),
            // `{self, …}` is the prefix itself.
            "self" if !prefix.is_empty() => {}
            word => prefix.push(word.to_owned()),
        }
        let goes_on = text(i + 1) == "::"
            && (text(i + 2) == "{"
                || text(i + 2) == "*"
                || tokens.get(i + 2).is_some_and(Token::is_word));
        if !goes_on {
            out.push(Path { line, segments: prefix });
            return i + 1;
        }
        i += 2;
    }
}

/// The path as seen from the crate's root; `None` for what stays in its own module.
fn absolute(mut path: Path, module: &[String]) -> Option<Path> {
    let first = path.segments.first()?.clone();
    match first.as_str() {
        // The library as the binary sees it; a lone word is a field or a variable of that name.
        "hsmwatch" if path.segments.len() > 1 => {
            if let Some(root) = path.segments.first_mut() {
                "crate".clone_into(root);
            }
        }
        "self" => return None,
        "super" => {
            let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
            let mut segments = vec!["crate".to_owned()];
            segments.extend(module[..module.len().saturating_sub(ups)].iter().cloned());
            segments.extend(path.segments.into_iter().skip(ups));
            path.segments = segments;
        }
        _ => {}
    }
    if path.segments == ["crate"] {
        path.segments.push("*".to_owned());
    }
    Some(path)
}
