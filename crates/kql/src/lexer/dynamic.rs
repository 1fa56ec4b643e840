//! `dynamic(…)`: JSON whose strings are Kusto's, and whose values may be typed literals.

use super::{Kind, Lexer, Token};
use crate::diagnostics::{Diagnostic, Span, TOO_COMPLEX};
use crate::value::{Type, Value};
use serde_json::{Map, Value as Json};

/// Arrays and bags inside one another.
const MAX_NESTING: usize = 64;
/// `dynamic(dynamic(…))`: each level is read once for every level around it.
const MAX_LITERALS: usize = 8;

impl Lexer<'_> {
    /// Reads `raw`, which starts at `at` of the token; the token has the length `len`.
    pub(super) fn dynamic(&mut self, raw: &str, at: usize, len: usize) {
        let start = self.at + at;
        if self.literals >= MAX_LITERALS {
            let message = "The expression is nested too deeply";
            self.found.push(Diagnostic::error(TOO_COMPLEX, Span::new(start, raw.len()), message));
            self.push(Kind::Literal(Value::Null, Type::Dynamic), len);
            return;
        }
        let mut inner = Lexer::new(raw);
        inner.literals = self.literals + 1;
        inner.json = true;
        while inner.token() {}
        inner.tokens.push(Token { kind: Kind::End, span: Span::new(raw.len(), 0) });
        let mut found = inner.found;
        let mut json = Json::Null;
        if found.is_empty() {
            let mut reader = Reader { text: raw, tokens: &inner.tokens, at: 0 };
            match reader.whole() {
                Ok(read) => json = read,
                Err(diagnostic) => found.push(diagnostic),
            }
        }
        self.found.extend(found.into_iter().map(|mut diagnostic| {
            diagnostic.span.start += start;
            diagnostic
        }));
        self.push(Kind::Literal(Value::from_json(json), Type::Dynamic), len);
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
}

type Read<T> = Result<T, Diagnostic>;

impl Reader<'_> {
    fn kind(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |t| &t.kind)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).map_or(Span::new(self.text.len(), 0), |t| t.span)
    }

    fn eat(&mut self, op: &str) -> bool {
        let yes = matches!(self.kind(), Kind::Op(o) if *o == op);
        self.at += usize::from(yes);
        yes
    }

    fn expected(&self, what: &str) -> Diagnostic {
        Diagnostic::error("KS005", self.span(), format!("Expected: {what}"))
    }

    fn missing(&self, what: &str) -> Diagnostic {
        Diagnostic::error("KS006", self.span(), format!("Missing {what}"))
    }

    fn whole(&mut self) -> Read<Json> {
        let json = self.value(0)?;
        match self.kind() {
            Kind::End => Ok(json),
            _ => Err(self.expected(")")),
        }
    }

    fn value(&mut self, depth: usize) -> Read<Json> {
        if depth > MAX_NESTING {
            let message = "The expression is nested too deeply";
            return Err(Diagnostic::error(TOO_COMPLEX, self.span(), message));
        }
        if self.eat("[") {
            return self.array(depth);
        }
        if self.eat("{") {
            return self.bag(depth);
        }
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let json = match self.kind() {
            Kind::Literal(Value::String(_), _) if !negative => {
                return self.text().map(Json::from).ok_or_else(|| self.missing("json value"));
            }
            Kind::Literal(Value::Long(v), _) if negative => Json::from(v.wrapping_neg()),
            Kind::Literal(Value::Real(v), _) if negative => Value::Real(-v).to_json(),
            // The other types have no literal here.
            Kind::Literal(value, ty) if !negative && !matches!(ty, Type::Int | Type::Decimal) => {
                value.to_json()
            }
            Kind::Name if !negative && self.span().text(self.text) == "null" => Json::Null,
            _ => return Err(self.missing("json value")),
        };
        self.at += 1;
        Ok(json)
    }

    /// Strings side by side are one string.
    fn text(&mut self) -> Option<String> {
        let mut text = None;
        while let Kind::Literal(Value::String(part), _) = self.kind() {
            text.get_or_insert_with(String::new).push_str(part);
            self.at += 1;
        }
        text
    }

    fn array(&mut self, depth: usize) -> Read<Json> {
        let mut items = Vec::new();
        if self.eat("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat("]") {
                return Ok(Json::Array(items));
            }
            if !self.eat(",") {
                let end = matches!(self.kind(), Kind::End);
                return Err(self.expected(if end { "]" } else { "," }));
            }
        }
    }

    fn bag(&mut self, depth: usize) -> Read<Json> {
        let mut bag = Map::new();
        if self.eat("}") {
            return Ok(Json::Object(bag));
        }
        loop {
            let Some(key) = self.text() else {
                return Err(match self.kind() {
                    Kind::Op("}") => self.missing("json key:value pair"),
                    _ => self.expected("}"),
                });
            };
            if !self.eat(":") {
                return Err(self.expected(":"));
            }
            let value = self.value(depth + 1)?;
            bag.insert(key, value);
            if self.eat("}") {
                return Ok(Json::Object(bag));
            }
            if !self.eat(",") {
                return Err(self.expected("}"));
            }
        }
    }
}
