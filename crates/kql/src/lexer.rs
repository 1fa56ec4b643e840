//! Text to tokens. Every byte of the text is looked at once.

mod dynamic;
mod typed;

use crate::diagnostics::{BAD_LITERAL, Diagnostic, Span};
use crate::time;
use crate::value::{Type, Value};
use std::sync::Arc;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A name or a keyword; its text is under the span. `!in` and `in~` are one name.
    Name,
    /// A literal with its type.
    Literal(Value, Type),
    /// Punctuation and operators.
    Op(&'static str),
    /// The end of the text.
    End,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// Longest first.
const OPS: &[&str] = &[
    "..", "==", "!=", "<>", "<=", ">=", "=~", "!~", "=>", "(", ")", "[", "]", "{", "}", "|", ",",
    ";", ".", ":", "=", "<", ">", "+", "-", "*", "/", "%", "?", "@",
];

/// The tokens of `text`, ending with [`Kind::End`], and what could not be read.
pub(crate) fn lex(text: &str) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut lexer = Lexer::new(text);
    while lexer.token() {}
    let end = Span::new(text.len(), 0);
    lexer.tokens.push(Token { kind: Kind::End, span: end });
    (lexer.tokens, lexer.found)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    found: Vec<Diagnostic>,
    /// Literals `dynamic(…)` around the text.
    literals: usize,
    /// The text is of such a literal: numbers may be larger than a long.
    json: bool,
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, tokens: Vec::new(), found: Vec::new(), literals: 0, json: false }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, kind: Kind, len: usize) {
        self.tokens.push(Token { kind, span: Span::new(self.at, len) });
        self.at = self.at.saturating_add(len);
    }

    fn string(&mut self, value: &str, len: usize) {
        self.push(Kind::Literal(Value::String(Arc::from(value)), Type::String), len);
    }

    /// One token or a stretch without one; false at the end.
    fn token(&mut self) -> bool {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return false };
        if c.is_whitespace() || c == '\u{feff}' {
            self.at += rest.len()
                - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
        } else if rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if c == '"' || c == '\'' {
            self.quoted(0, c, false);
        } else if rest.starts_with("```") || rest.starts_with("~~~") {
            self.multi_line(0);
        } else if c == '@' && rest.get(1..).is_some_and(|r| r.starts_with(['"', '\''])) {
            self.quoted(1, if rest.get(1..2) == Some("'") { '\'' } else { '"' }, true);
        } else if matches!(c, 'h' | 'H') && self.obfuscated(rest) {
        } else if c.is_ascii_digit() {
            self.number(rest);
        } else if is_name_start(c) {
            self.name(rest);
        } else if c == '!'
            && rest.get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_lowercase()))
        {
            let len = 1 + name_len(rest.get(1..).unwrap_or(""));
            let tilde = usize::from(rest.get(len..).is_some_and(|r| r.starts_with('~')));
            self.push(Kind::Name, len + tilde);
        } else if let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) {
            self.push(Kind::Op(op), op.len());
        } else {
            let span = Span::new(self.at, c.len_utf8());
            self.found.push(Diagnostic::error("KS002", span, format!("Unexpected: {c}")));
            self.at += c.len_utf8();
        }
        true
    }

    /// `h"…"`, `h@"…"`, ``h```…``` ``: strings the service leaves out of its own log.
    fn obfuscated(&mut self, rest: &str) -> bool {
        let after = rest.get(1..).unwrap_or("");
        if after.starts_with("@\"") || after.starts_with("@'") {
            self.quoted(2, if after.get(1..2) == Some("'") { '\'' } else { '"' }, true);
        } else if after.starts_with(['"', '\'']) {
            self.quoted(1, if after.starts_with('\'') { '\'' } else { '"' }, false);
        } else if after.starts_with("```") || after.starts_with("~~~") {
            self.multi_line(1);
        } else {
            return false;
        }
        true
    }

    fn multi_line(&mut self, prefix: usize) {
        let rest = self.rest();
        let open = prefix + 3;
        let fence = rest.get(prefix..open).unwrap_or("```");
        let body = rest.get(open..).unwrap_or("");
        if let Some(end) = body.find(fence) {
            let value = body.get(..end).unwrap_or("");
            self.string(value, open + end + 3);
        } else {
            self.unclosed(fence, rest.len());
        }
    }

    fn unclosed(&mut self, quote: &str, len: usize) {
        let end = Span::new(self.at + len, 0);
        self.found.push(Diagnostic::error("KS001", end, format!("Missing: {quote}")));
        self.string("", len);
    }

    fn quoted(&mut self, prefix: usize, quote: char, verbatim: bool) {
        let rest = self.rest();
        let open = prefix + 1;
        let mut value = String::new();
        let mut chars = rest.get(open..).unwrap_or("").char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            let here = open + i;
            if c == quote {
                if verbatim && chars.peek().is_some_and(|(_, n)| *n == quote) {
                    chars.next();
                    value.push(quote);
                    continue;
                }
                self.string(&value, here + 1);
                return;
            }
            if c == '\n' || c == '\r' {
                self.unclosed(quote.encode_utf8(&mut [0; 4]), here);
                return;
            }
            if c == '\\' && !verbatim {
                if !Self::escape(&mut chars, &mut value) {
                    let span = Span::new(self.at + here, 1);
                    self.found.push(
                        Diagnostic::error(
                            "KS002",
                            span,
                            "The escape sequence is not valid in a string",
                        )
                        .help("write \\\\ for a backslash, or put @ before the quote"),
                    );
                }
                continue;
            }
            value.push(c);
        }
        self.unclosed(quote.encode_utf8(&mut [0; 4]), rest.len());
    }

    fn escape(
        chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
        value: &mut String,
    ) -> bool {
        // A line end is left for the caller, who reports the missing quote.
        let Some((_, c)) = chars.next_if(|(_, c)| *c != '\n' && *c != '\r') else { return true };
        if let Some(first) = c.to_digit(8) {
            value.push(Self::octal(chars, first));
            return true;
        }
        let mut hex = |digits: usize| {
            let mut code = 0_u32;
            for _ in 0..digits {
                let (_, c) = chars.next_if(|(_, c)| c.is_ascii_hexdigit())?;
                code = code * 16 + c.to_digit(16)?;
            }
            Some(code)
        };
        let read = match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'v' => Some('\u{b}'),
            '\\' | '"' | '\'' => Some(c),
            'x' => hex(2).and_then(char::from_u32),
            'U' => hex(8).and_then(char::from_u32),
            'u' => hex(4).and_then(|code| match code {
                // Two halves of a character outside of the first plane.
                0xD800..=0xDBFF => {
                    chars.next_if(|(_, c)| *c == '\\')?;
                    chars.next_if(|(_, c)| *c == 'u')?;
                    let mut low = 0_u32;
                    for _ in 0..4 {
                        low = low * 16
                            + chars.next_if(|(_, c)| c.is_ascii_hexdigit())?.1.to_digit(16)?;
                    }
                    let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x1_0000 + ((code - 0xD800) << 10) + low)
                }
                _ => char::from_u32(code),
            }),
            _ => None,
        };
        value.extend(read);
        read.is_some()
    }

    /// `\101`: up to three digits to the base of eight, the first of which is read.
    fn octal(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, first: u32) -> char {
        let mut code = first;
        for _ in 0..2 {
            let next = chars.next_if(|(_, c)| c.is_digit(8));
            let Some(digit) = next.and_then(|(_, c)| c.to_digit(8)) else { break };
            code = code * 8 + digit;
        }
        char::from_u32(code).unwrap_or('\0')
    }

    fn number(&mut self, rest: &str) {
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let len = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
            if len > 0 {
                let value = hex.get(..len).and_then(|d| u64::from_str_radix(d, 16).ok());
                self.literal(value.map(|v| Value::Long(v.cast_signed())), Type::Long, len + 2);
                return;
            }
        }
        let digits = |from: usize| {
            rest.get(from..).unwrap_or("").bytes().take_while(u8::is_ascii_digit).count()
        };
        let mut len = digits(0);
        let mut real = false;
        let after = rest.get(len..).unwrap_or("");
        // `1..2` is a range, `1.a` is not a number.
        if after.starts_with('.') && !after.starts_with("..") {
            real = true;
            len += 1 + digits(len + 1);
        }
        let after = rest.get(len..).unwrap_or("");
        if after.starts_with(['e', 'E']) {
            let sign = usize::from(after.get(1..2).is_some_and(|s| s == "+" || s == "-"));
            let exponent = digits(len + 1 + sign);
            if exponent > 0 {
                real = true;
                len += 1 + sign + exponent;
            }
        }
        let text = rest.get(..len).unwrap_or("");
        let suffix = name_len(rest.get(len..).unwrap_or(""));
        if suffix > 0 {
            let whole = rest.get(..len + suffix).unwrap_or("");
            if rest.get(len..len + suffix).and_then(time::unit).is_some() {
                let value = time::parse_units(whole).map(Value::Timespan);
                self.literal(value, Type::Timespan, len + suffix);
            } else {
                // `1abc` is a name to Kusto.
                self.push(Kind::Name, len + suffix);
            }
        } else if real {
            self.literal(text.parse().ok().map(Value::Real), Type::Real, len);
        } else if text == "9223372036854775808"
            && matches!(self.tokens.last().map(|t| &t.kind), Some(Kind::Op("-")))
        {
            // The one magnitude that is a long only with its minus, which then wraps to itself.
            self.push(Kind::Literal(Value::Long(i64::MIN), Type::Long), len);
        } else {
            let value = text.parse().ok().map(Value::Long);
            let large = || text.parse().ok().filter(|_| self.json).map(Value::Real);
            self.literal(value.or_else(large), Type::Long, len);
        }
    }

    fn literal(&mut self, value: Option<Value>, ty: Type, len: usize) {
        let value = value.unwrap_or_else(|| {
            let span = Span::new(self.at, len);
            let text = span.text(self.text);
            self.found.push(if matches!(ty, Type::Datetime | Type::Timespan) {
                // The service reads more forms than these.
                Diagnostic::lacking(span, &format!("the form of `{text}`"))
                    .help("write `datetime(2026-11-22T08:00:00Z)`, `timespan(1.02:03:04)` or `90m`")
            } else {
                Diagnostic::error(
                    BAD_LITERAL,
                    span,
                    format!("`{text}` is not a value of type {}", ty.name()),
                )
            });
            Value::Null
        });
        self.push(Kind::Literal(value, ty), len);
    }

    fn name(&mut self, rest: &str) {
        let len =
            1 + name_len(rest.get(rest.chars().next().map_or(1, char::len_utf8)..).unwrap_or(""));
        let len = len + rest.chars().next().map_or(1, char::len_utf8) - 1;
        let name = rest.get(..len).unwrap_or("");
        let after = rest.get(len..).unwrap_or("");
        if name == "in" && after.starts_with('~') {
            self.push(Kind::Name, len + 1);
            return;
        }
        if let Some(value) = typed::truth(name) {
            self.push(Kind::Literal(Value::Bool(value), Type::Bool), len);
            return;
        }
        let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
        match typed::of_name(name) {
            Some(ty) if after.get(blanks..).is_some_and(|a| a.starts_with('(')) => {
                self.typed(ty, rest, len + blanks + 1);
            }
            _ => self.push(Kind::Name, len),
        }
    }
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !is_name(c)).unwrap_or(text.len())
}
