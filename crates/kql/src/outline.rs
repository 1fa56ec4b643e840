//! What can be said of any KQL text from its tokens, whether or not the engine runs it.

use crate::diagnostics::{Diagnostics, Span};
use crate::lexer::{Kind, Token, lex};
use crate::value::{Type, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// The shape of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What makes the main statement's rows, where it is an operator: `union`, `search`, `print` …
    pub source: Option<OutlineOperator>,
    /// The operators that the main statement's rows go through, in order. A source that is a `let` name, a call
    /// of a `let` function, `materialize(…)` or a pipeline in parentheses contributes its operators first;
    /// the operands of `join`, `union` and `in` contribute none.
    pub operators: Vec<OutlineOperator>,
    /// The tables read anywhere in the text, as far as tokens tell: sorted, each once.
    pub tables: Vec<String>,
    /// The calls of `ago`, `now` and `ingestion_time`, in the order of the text.
    pub clock_calls: Vec<ClockCall>,
    /// Where `isfuzzy=true` is.
    pub isfuzzy: Option<Span>,
}

/// An operator by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineOperator {
    /// As written: `summarize`, `project-away`.
    pub name: String,
    /// The place of the name.
    pub span: Span,
}

/// A call that reads the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockCall {
    /// `ago`, `now` or `ingestion_time`.
    pub function: String,
    /// From the name to the closing parenthesis.
    pub span: Span,
}

/// Outlines a text.
///
/// # Errors
/// A string that is not closed: nothing after it can be trusted.
pub fn outline(text: &str) -> Result<Outline, Diagnostics> {
    let (tokens, found) = lex(text);
    let open: Vec<_> = found.into_iter().filter(|d| d.code == "KS001").collect();
    if !open.is_empty() {
        return Err(Diagnostics::new(open));
    }
    let closing = closing(&tokens);
    let reader = Reader { text, stops: stops(&tokens, &closing), closing, tokens };
    let mut outline = Outline::default();
    reader.calls(&mut outline);
    let (lets, main) = reader.statements(0..reader.tokens.len());
    if let Some(main) = main {
        reader.follow(main, &lets, lets.len(), &mut outline);
    }
    outline.tables = reader.tables().into_iter().collect();
    Ok(outline)
}

/// For each opening bracket the place of its closing one.
fn closing(tokens: &[Token]) -> HashMap<usize, usize> {
    let mut pairs = HashMap::new();
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Op("(") => open.push((at, ")")),
            Kind::Op("[") => open.push((at, "]")),
            Kind::Op("{") => open.push((at, "}")),
            Kind::Op(op @ (")" | "]" | "}")) => {
                if open.last().is_some_and(|(_, wanted)| *wanted == op)
                    && let Some((start, _)) = open.pop()
                {
                    pairs.insert(start, at);
                }
            }
            _ => {}
        }
    }
    pairs
}

struct Reader<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    closing: HashMap<usize, usize>,
    stops: Vec<usize>,
}

/// The `let`s by name: their place among the `let`s and their value's tokens.
type Lets<'a> = HashMap<&'a str, (usize, Range<usize>)>;

const CLOCK: [&str; 3] = ["ago", "now", "ingestion_time"];
const SOURCES: [&str; 8] =
    ["union", "search", "find", "print", "range", "datatable", "externaldata", "evaluate"];

impl<'a> Reader<'a> {
    fn word(&self, at: usize) -> Option<&'a str> {
        let token = self.tokens.get(at)?;
        (token.kind == Kind::Name).then(|| token.span.text(self.text))
    }

    fn is(&self, at: usize, op: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| matches!(t.kind, Kind::Op(o) if o == op))
    }

    fn span(&self, at: usize) -> Span {
        self.tokens.get(at).map_or(Span::new(self.text.len(), 0), |t| t.span)
    }

    /// The token after `at`, brackets skipped as one.
    fn after(&self, at: usize) -> usize {
        self.closing.get(&at).copied().unwrap_or(at).saturating_add(1)
    }

    /// A name, `['a name']` included, and the token after it.
    fn name(&self, at: usize) -> Option<(&'a str, usize)> {
        if let Some(word) = self.word(at) {
            return Some((word, at + 1));
        }
        let quoted = self.is(at, "[") && self.is(at + 2, "]");
        let token = self.tokens.get(at + 1).filter(|_| quoted)?;
        if !matches!(token.kind, Kind::Literal(Value::String(_), Type::String)) {
            return None;
        }
        let text = token.span.text(self.text);
        Some((text.trim_matches(['"', '\'']), at + 3))
    }

    /// The `let`s of a range and its last other statement.
    fn statements(&self, range: Range<usize>) -> (Lets<'a>, Option<Range<usize>>) {
        let mut lets = HashMap::new();
        let mut main = None;
        let mut start = range.start;
        let mut at = range.start;
        while start < range.end {
            while at < range.end && !self.is(at, ";") {
                at = self.after(at);
            }
            let end = at.min(range.end);
            let ended = self.tokens.get(start).is_none_or(|t| t.kind == Kind::End);
            match self.word(start) {
                Some("let") if self.name(start + 1).is_some_and(|(_, next)| self.is(next, "=")) => {
                    if let Some((name, next)) = self.name(start + 1) {
                        let count = lets.len();
                        lets.entry(name).or_insert((count, next + 1..end));
                    }
                }
                Some("set" | "declare" | "alias" | "restrict" | "pattern")
                    if self.word(start + 1).is_some() => {}
                _ if start == end || ended => {}
                _ => main = Some(start..end),
            }
            at = end.saturating_add(1);
            start = at;
        }
        (lets, main)
    }

    /// The operator's name at a token: `project-away` is three tokens side by side.
    fn operator(&self, at: usize) -> Option<OutlineOperator> {
        self.word(at)?;
        let mut span = self.span(at);
        let mut next = at + 1;
        while self.is(next, "-")
            && self.span(next).start == span.end()
            && self.word(next + 1).is_some()
            && self.span(next + 1).start == self.span(next).end()
        {
            span = span.to(self.span(next + 1));
            next += 2;
        }
        Some(OutlineOperator { name: span.text(self.text).to_owned(), span })
    }

    /// The operators of a pipeline, those of its source first. `before` bounds the `let`s it may name, so that
    /// no name is followed twice.
    fn follow(&self, range: Range<usize>, lets: &Lets<'a>, before: usize, outline: &mut Outline) {
        let mut range = range;
        let mut before = before;
        let mut scopes: Vec<Lets<'a>> = Vec::new();
        // From the inside out: the operators of each level, the outermost level first.
        let mut levels: Vec<Vec<OutlineOperator>> = Vec::new();
        loop {
            let mut own = Vec::new();
            let mut at = range.start;
            let mut source_end = None;
            while at < range.end {
                if self.is(at, "|") {
                    source_end.get_or_insert(at);
                    own.extend(self.operator(at + 1));
                }
                at = self.after(at);
            }
            levels.push(own);
            let end = source_end.unwrap_or(range.end);
            let end = if self.tokens.get(end.saturating_sub(1)).is_some_and(|t| t.kind == Kind::End)
            {
                end - 1
            } else {
                end
            };
            let start = range.start;
            if start >= end {
                break;
            }
            // A pipeline in parentheses.
            if self.is(start, "(") && self.after(start) >= end {
                range = start + 1..end.saturating_sub(1);
                continue;
            }
            let Some((name, next)) = self.name(start) else { break };
            if SOURCES.contains(&name) && next < end {
                outline.source = self.operator(start);
                break;
            }
            if name == "materialize" && self.is(next, "(") {
                range = next + 1..self.after(next).saturating_sub(1);
                continue;
            }
            let inner = scopes.last().and_then(|s| s.get(name)).cloned();
            let is_inner = inner.is_some();
            let Some((place, value)) =
                inner.or_else(|| lets.get(name).filter(|(p, _)| *p < before).cloned())
            else {
                break;
            };
            if !is_inner {
                before = place;
            }
            if next < end && !self.is(next, "(") {
                break;
            }
            if next < end {
                // A function: its body's last statement.
                let Some(open) = value.clone().find(|at| self.is(*at, "{")) else { break };
                let body = open + 1..self.after(open).saturating_sub(1);
                let (own, main) = self.statements(body);
                let Some(main) = main else { break };
                // Names inside of the body go no deeper than one level of functions.
                if scopes.len() >= 16 {
                    break;
                }
                scopes.push(own);
                range = main;
            } else {
                if let (true, Some(scope)) = (is_inner, scopes.last_mut()) {
                    scope.remove(name);
                }
                range = value;
            }
        }
        outline.operators = levels.into_iter().rev().flatten().collect();
    }

    fn calls(&self, outline: &mut Outline) {
        for at in 0..self.tokens.len() {
            let Some(word) = self.word(at) else { continue };
            if CLOCK.contains(&word) && self.is(at + 1, "(") {
                let end = self.closing.get(&(at + 1)).copied().unwrap_or(at + 1);
                let span = self.span(at).to(self.span(end));
                outline.clock_calls.push(ClockCall { function: word.to_owned(), span });
            }
            if word == "isfuzzy" && self.is(at + 1, "=") {
                let value = self.span(at + 2);
                if matches!(value.text(self.text), "true" | "1") {
                    outline.isfuzzy.get_or_insert(self.span(at).to(value));
                }
            }
        }
    }

    /// Names where a table may stand: before a pipe, as a whole statement, after `join`, `lookup` and `union`.
    fn tables(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut own: BTreeSet<&str> = BTreeSet::new();
        let mut seen = HashSet::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let starts = at == 0 || ["(", ";", "=", "{"].iter().any(|op| self.is(at - 1, op));
            if self.word(at) == Some("let")
                && let Some((name, _)) = self.name(at + 1)
            {
                own.insert(name);
            }
            if let (true, Some((name, next))) = (starts, self.name(at)) {
                let ends = self.is(next, "|")
                    || (at == 0 || !self.is(at - 1, "("))
                        && (self.is(next, ";")
                            || self.tokens.get(next).is_some_and(|t| t.kind == Kind::End));
                if ends {
                    names.insert(name);
                }
            }
            if matches!(self.word(at), Some("join" | "lookup" | "union"))
                && (starts || self.is(at.saturating_sub(1), "|"))
            {
                self.operands(at + 1, self.word(at) == Some("union"), &mut seen, &mut names);
            }
            if self.word(at) == Some("as")
                && self.is(at.saturating_sub(1), "|")
                && let Some((name, _)) = self.name(self.after_options(at + 1))
            {
                // A name for the rows so far.
                own.insert(name);
            }
            if self.word(at) == Some("search") && (starts || self.is(at.saturating_sub(1), "|")) {
                let place = self.after_options(at + 1);
                if self.word(place) == Some("in") && self.is(place + 1, "(") {
                    self.operands(place + 2, true, &mut seen, &mut names);
                }
            }
            if self.is(at, ":")
                && let Some(at) = at.checked_sub(1)
                && let Some((name, _)) = self.name(at)
            {
                // A function's parameter.
                own.insert(name);
            }
            at += 1;
        }
        let operator = |name: &str| SOURCES.contains(&name) || name == "let";
        names.into_iter().filter(|n| !own.contains(n) && !operator(n)).map(str::to_owned).collect()
    }

    /// The place after `kind=inner`, `hint.strategy=broadcast`.
    fn after_options(&self, from: usize) -> usize {
        let mut at = from;
        while self.word(at).is_some() && (self.is(at + 1, "=") || self.is(at + 1, ".")) {
            at += if self.is(at + 1, ".") { 5 } else { 3 };
        }
        at
    }

    /// The tables after `join`, `lookup` or `union`; the places already seen are not seen again.
    fn operands(
        &self,
        from: usize,
        list: bool,
        seen: &mut HashSet<usize>,
        names: &mut BTreeSet<&'a str>,
    ) {
        let mut at = self.after_options(from);
        while seen.insert(at) {
            let inside = self.is(at, "(");
            if let Some((name, next)) = self.name(if inside { at + 1 } else { at })
                && !self.is(next, "(")
                && (!inside || self.is(next, ")") || self.is(next, "|"))
            {
                names.insert(name);
            }
            let first = if inside { self.after(at) } else { at };
            let next = self.stops.get(first).copied().unwrap_or(first);
            if !list || !self.is(next, ",") {
                return;
            }
            at = next + 1;
        }
    }
}

/// For each token the next one that ends an operand: itself, or one past brackets that close.
fn stops(tokens: &[Token], closing: &HashMap<usize, usize>) -> Vec<usize> {
    let mut stops = vec![tokens.len(); tokens.len()];
    for (at, token) in tokens.iter().enumerate().rev() {
        let ends = matches!(token.kind, Kind::Op("|" | ";" | "," | ")" | "}"));
        let after = closing.get(&at).copied().unwrap_or(at) + 1;
        let next = if ends { at } else { stops.get(after).copied().unwrap_or(tokens.len()) };
        if let Some(stop) = stops.get_mut(at) {
            *stop = next;
        }
    }
    stops
}
