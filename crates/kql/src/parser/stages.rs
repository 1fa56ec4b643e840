//! Operators that make rows of values, values of text, or work on parts of a table: one entry of a table each.

use super::ops::ParseOp;
use super::{MAX_OPERATORS, Parsed, Parser};
use crate::ast::stages::{
    Expand, NestedLevel, Parse, ParseKind, ParseKv, ParsePart, ParsePartKind, Search, Stage,
};
use crate::ast::{Expr, OpKind, Operator};
use crate::diagnostics::{Diagnostic, TOO_COMPLEX};
use crate::lexer::Kind;
use crate::value::{Type, Value};

pub(super) const STAGES: &[(&str, ParseOp)] = &[
    ("getschema", |p| p.get_schema()),
    ("consume", |p| p.consume()),
    ("sample", |p| stage(Stage::Sample(p.expr()?))),
    ("sample-distinct", |p| {
        let count = p.expr()?;
        p.expect_word("of")?;
        stage(Stage::SampleDistinct(count, p.expr()?))
    }),
    ("mv-expand", |p| stage(Stage::Expand(p.expand(false)?))),
    ("mvexpand", |p| stage(Stage::Expand(p.expand(true)?))),
    ("mv-apply", |p| p.apply()),
    ("mvapply", |p| p.apply()),
    ("parse", |p| p.parse_text(false)),
    ("parse-where", |p| p.parse_text(true)),
    ("parse-kv", |p| p.parse_kv()),
    ("as", |p| p.name_rows()),
    ("search", |p| stage(Stage::Search(p.search()?))),
    ("top-nested", |p| p.top_nested()),
    ("top-hitters", |p| p.top_hitters()),
    ("partition", |p| p.partition()),
    ("invoke", |p| p.invoke()),
];

#[expect(clippy::unnecessary_wraps, reason = "the last step of every entry")]
fn stage(stage: Stage) -> Parsed<OpKind> {
    Ok(OpKind::Stage(Box::new(stage)))
}

impl Parser<'_> {
    fn ended(&self) -> bool {
        matches!(self.kind_at(0), Kind::End) || ["|", ";", ")", "}"].iter().any(|o| self.is_op(o))
    }

    /// Whether `word =` is next; it is passed over.
    fn eat_option(&mut self, word: &str) -> bool {
        let yes = self.is_word(word) && self.op_ahead(1, "=");
        if yes {
            self.step();
            self.step();
        }
        yes
    }

    fn get_schema(&mut self) -> Parsed<OpKind> {
        let text = self.eat_option("kind");
        if text {
            self.expect_word("csl")?;
        }
        stage(Stage::GetSchema(text))
    }

    fn consume(&mut self) -> Parsed<OpKind> {
        if self.eat_option("decodeblocks") {
            self.expr()?;
        }
        stage(Stage::Consume)
    }

    fn expand(&mut self, legacy: bool) -> Parsed<Expand> {
        let (mut pairs, mut index) = (false, None);
        self.hints()?;
        loop {
            if self.eat_option("kind") || self.eat_option("bagexpansion") {
                pairs = match self.word() {
                    Some("array") => true,
                    Some("bag") => false,
                    _ => return Err(self.expected("one of: bag, array")),
                };
                self.step();
            } else if self.eat_option("with_itemindex") {
                index = Some(self.ident()?);
            } else {
                break;
            }
        }
        let mut columns = Vec::new();
        loop {
            let column = self.column()?;
            let ty = if self.eat_word("to") {
                self.expect_word("typeof")?;
                self.expect("(")?;
                let ty = self.type_name()?;
                self.expect(")")?;
                Some(ty)
            } else {
                None
            };
            columns.push((column, ty));
            if !self.eat(",") {
                break;
            }
        }
        let limit = if self.eat_word("limit") { Some(self.expr()?) } else { None };
        Ok(Expand { pairs, index, columns, limit, legacy })
    }

    fn apply(&mut self) -> Parsed<OpKind> {
        let expand = self.expand(false)?;
        self.expect_word("on")?;
        let body = self.body()?;
        stage(Stage::Apply(expand, body))
    }

    /// `(operator | operator …)`: what the rows of a part go through.
    fn body(&mut self) -> Parsed<Vec<Operator>> {
        self.expect("(")?;
        let mut all = self.nested(|p| Ok(vec![p.operator()?]))?;
        while self.eat("|") {
            if all.len() >= MAX_OPERATORS {
                let message = format!("The pipeline has more than {MAX_OPERATORS} operators");
                return Err(Diagnostic::error(TOO_COMPLEX, self.here(), message));
            }
            all.push(self.nested(Self::operator)?);
        }
        self.expect(")")?;
        Ok(all)
    }

    fn parse_text(&mut self, only: bool) -> Parsed<OpKind> {
        let (mut kind, mut flags) = (ParseKind::Simple, None);
        loop {
            if self.eat_option("kind") {
                kind = match self.word() {
                    Some("simple") => ParseKind::Simple,
                    Some("relaxed") => ParseKind::Relaxed,
                    Some("regex") => ParseKind::Regex,
                    _ => return Err(self.expected("one of: simple, regex, relaxed")),
                };
                self.step();
            } else if self.eat_option("flags") {
                flags = Some(self.ident()?);
            } else {
                break;
            }
        }
        let text = self.expr()?;
        self.expect_word("with")?;
        let mut parts = Vec::new();
        while !self.ended() {
            let start = self.here();
            let part = if self.eat("*") {
                ParsePartKind::Any
            } else if let Some(text) = self.text_literal() {
                ParsePartKind::Text(text)
            } else {
                let name = self.ident()?;
                let ty = if self.eat(":") { self.type_name()? } else { Type::String };
                ParsePartKind::Column(name, ty)
            };
            parts.push(ParsePart { kind: part, span: start.to(self.last()) });
            // Between the parts, for those who like it.
            self.eat(",");
        }
        if parts.is_empty() {
            return Err(self.missing_expression());
        }
        stage(Stage::Parse(Parse { kind, flags, text, parts, only }))
    }

    /// A string; strings side by side are one.
    fn text_literal(&mut self) -> Option<String> {
        let mut text: Option<String> = None;
        while let Kind::Literal(Value::String(next), Type::String) = self.kind_at(0).clone() {
            self.step();
            text.get_or_insert_default().push_str(&next);
        }
        text
    }

    fn parse_kv(&mut self) -> Parsed<OpKind> {
        let text = self.expr()?;
        self.expect_word("as")?;
        self.expect("(")?;
        let mut keys = Vec::new();
        while !self.is_op(")") {
            let name = self.ident()?;
            self.expect(":")?;
            keys.push((name, self.type_name()?));
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")")?;
        let mut options = Vec::new();
        if self.eat_word("with") {
            self.expect("(")?;
            loop {
                let name = self.ident()?;
                let known =
                    ["pair_delimiter", "kv_delimiter", "quote", "escape", "greedy", "regex"];
                if !known.contains(&name.name.as_str()) {
                    return Err(Diagnostic::error("KS005", name.span, "Expected: )"));
                }
                self.expect("=")?;
                options.push((name, self.expr()?));
                if !self.eat(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        stage(Stage::ParseKv(ParseKv { text, keys, options }))
    }

    fn name_rows(&mut self) -> Parsed<OpKind> {
        let mut kept = false;
        while self.is_word("hint") && self.op_ahead(1, ".") {
            self.step();
            self.step();
            let hint = self.ident()?;
            self.expect("=")?;
            let on = self.span().text(self.text) == "true";
            kept |= on && hint.name == "materialized";
            self.step();
        }
        stage(Stage::As(self.ident()?, kept))
    }

    pub(super) fn search(&mut self) -> Parsed<Search> {
        let mut case_sensitive = false;
        if self.eat_option("kind") {
            case_sensitive = match self.word() {
                Some("case_sensitive") => true,
                Some("default" | "case_insensitive") => false,
                _ => {
                    return Err(self.expected("one of: default, case_insensitive, case_sensitive"));
                }
            };
            self.step();
        }
        let mut tables = None;
        if self.is_word("in") && self.op_ahead(1, "(") {
            self.step();
            self.step();
            let mut all = vec![self.table(false)?];
            while self.eat(",") {
                all.push(self.table(false)?);
            }
            self.expect(")")?;
            tables = Some(all);
        }
        let outer = std::mem::replace(&mut self.terms, true);
        let test = self.expr();
        self.terms = outer;
        Ok(Search { case_sensitive, tables, test: test? })
    }

    fn top_nested(&mut self) -> Parsed<OpKind> {
        let mut levels = Vec::new();
        loop {
            let span = self.here();
            let count = if self.is_word("of") { None } else { Some(self.expr()?) };
            self.expect_word("of")?;
            let of = self.column()?;
            let others = if self.eat_word("with") {
                self.expect_word("others")?;
                self.expect("=")?;
                Some(self.expr()?)
            } else {
                None
            };
            self.expect_word("by")?;
            let by = self.column()?;
            let ascending = self.eat_word("asc");
            if !ascending {
                self.eat_word("desc");
            }
            levels.push(NestedLevel { count, of, others, by, ascending, span });
            if !self.eat(",") {
                return stage(Stage::TopNested(levels));
            }
            let name = self.operator_name();
            if name.is_none_or(|span| span.text(self.text) != "top-nested") {
                return Err(self.expected("top-nested"));
            }
        }
    }

    fn top_hitters(&mut self) -> Parsed<OpKind> {
        let count = self.expr()?;
        self.expect_word("of")?;
        let of = self.expr()?;
        let by = if self.eat_word("by") { Some(self.expr()?) } else { None };
        stage(Stage::TopHitters { count, of, by })
    }

    fn partition(&mut self) -> Parsed<OpKind> {
        let start = self.at;
        self.hints()?;
        let hints = self.tokens.get(start..self.at).unwrap_or_default();
        let native = hints.iter().any(|t| matches!(t.span.text(self.text), "native" | "shuffle"));
        self.expect_word("by")?;
        let start = self.here();
        let name = self.ident()?;
        let by = super::make(crate::ast::ExprKind::Name(name.name), start.to(self.last()), 0)?;
        if self.is_op("{") {
            return Err(Diagnostic::lacking(self.span(), "`partition` with a source of its own"));
        }
        let body = self.body()?;
        stage(Stage::Partition { by, body, native })
    }

    fn invoke(&mut self) -> Parsed<OpKind> {
        let call: Expr = self.path()?;
        match call.kind {
            crate::ast::ExprKind::Call { name, args } => stage(Stage::Invoke(name, args)),
            _ => Err(Diagnostic::error("KS005", call.span, "Expected: a function call")),
        }
    }
}
