//! Tokens to syntax: statements and pipelines. The first error ends the parse.

mod expr;
pub(crate) mod ops;
mod stages;

use crate::ast::{
    Column, Expr, ExprKind, Ident, LetValue, Param, ParamType, Pipeline, RangeSource, Source,
    Statement,
};
use crate::bind::bin_auto::OPTIONS;
use crate::diagnostics::{Diagnostic, Span, TOO_COMPLEX};
use crate::lexer::{Kind, Token, lex};
use crate::value::{Type, Value};
use std::collections::HashSet;

/// Nested parentheses, calls and brackets.
const MAX_NESTING: usize = 64;
/// Levels of one expression's tree.
const MAX_DEPTH: usize = 256;
/// Operators of one pipeline.
const MAX_OPERATORS: usize = 256;

pub(crate) type Parsed<T> = Result<T, Diagnostic>;

/// The statements of a query text.
pub(crate) fn parse(text: &str) -> Result<Vec<Statement>, Vec<Diagnostic>> {
    let (tokens, found) = lex(text);
    if !found.is_empty() {
        return Err(found);
    }
    let mut parser = Parser { text, tokens, at: 0, nesting: 0, terms: false };
    parser.statements(Stop::End).map_err(|d| vec![d])
}

#[derive(Clone, Copy, PartialEq)]
enum Stop {
    End,
    Brace,
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
    /// Inside of `search`, where `column:term` may stand.
    terms: bool,
}

impl<'a> Parser<'a> {
    fn kind_at(&self, ahead: usize) -> &Kind {
        self.tokens.get(self.at.saturating_add(ahead)).map_or(&Kind::End, |t| &t.kind)
    }

    fn span_at(&self, ahead: usize) -> Span {
        let end = Span::new(self.text.len(), 0);
        self.tokens.get(self.at.saturating_add(ahead)).map_or(end, |t| t.span)
    }

    fn span(&self) -> Span {
        self.span_at(0)
    }

    /// The place just read.
    fn last(&self) -> Span {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(Span::default(), |t| t.span)
    }

    fn step(&mut self) -> Span {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    fn is_op(&self, op: &str) -> bool {
        self.op_ahead(0, op)
    }

    fn op_ahead(&self, ahead: usize, op: &str) -> bool {
        matches!(self.kind_at(ahead), Kind::Op(o) if *o == op)
    }

    fn eat(&mut self, op: &str) -> bool {
        let yes = self.is_op(op);
        if yes {
            self.step();
        }
        yes
    }

    fn expect(&mut self, op: &str) -> Parsed<Span> {
        if self.is_op(op) { Ok(self.step()) } else { Err(self.expected(op)) }
    }

    /// The text of the name at hand.
    fn word(&self) -> Option<&'a str> {
        self.word_ahead(0)
    }

    fn word_ahead(&self, ahead: usize) -> Option<&'a str> {
        matches!(self.kind_at(ahead), Kind::Name).then(|| self.span_at(ahead).text(self.text))
    }

    fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let yes = self.is_word(word);
        if yes {
            self.step();
        }
        yes
    }

    fn expect_word(&mut self, word: &str) -> Parsed<Span> {
        if self.is_word(word) { Ok(self.step()) } else { Err(self.expected(word)) }
    }

    fn expected(&self, what: &str) -> Diagnostic {
        Diagnostic::error("KS005", self.here(), format!("Expected: {what}"))
    }

    fn missing_expression(&self) -> Diagnostic {
        Diagnostic::error("KS006", self.here(), "Missing expression")
    }

    /// The token at hand; at the end, the empty place after the last one.
    fn here(&self) -> Span {
        if matches!(self.kind_at(0), Kind::End) {
            Span::new(self.last().end(), 0)
        } else {
            self.span()
        }
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return Err(too_deep(self.here()));
        }
        self.nesting += 1;
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    fn statements(&mut self, stop: Stop) -> Parsed<Vec<Statement>> {
        let mut all = Vec::new();
        loop {
            let ended = match stop {
                Stop::End => matches!(self.kind_at(0), Kind::End),
                Stop::Brace => self.is_op("}"),
            };
            if ended {
                return Ok(all);
            }
            all.push(self.statement()?);
            let ended = match stop {
                Stop::End => matches!(self.kind_at(0), Kind::End),
                Stop::Brace => self.is_op("}"),
            };
            if !ended && !self.eat(";") {
                let end = match self.kind_at(0) {
                    Kind::Op("=") => self.unexpected().help("a comparison is written `==`"),
                    Kind::Op(op) if !matches!(*op, "(" | "[" | "{") => self.unexpected(),
                    _ => self.expected(";"),
                };
                return Err(end);
            }
        }
    }

    fn unexpected(&self) -> Diagnostic {
        Diagnostic::error("KS198", self.here(), "The incomplete fragment is unexpected")
    }

    fn statement(&mut self) -> Parsed<Statement> {
        let word = self.word();
        let named = matches!(self.kind_at(1), Kind::Name);
        if word == Some("let") && !self.op_ahead(1, "|") {
            self.step();
            let name = self.ident()?;
            self.expect("=")?;
            let value = if self.is_function() {
                self.function()?
            } else {
                LetValue::Pipeline(Box::new(self.pipeline()?))
            };
            return Ok(Statement::Let(name, value));
        }
        if word == Some("set") && named {
            return self.set();
        }
        if word == Some("declare") && self.word_ahead(1) == Some("query_parameters") {
            self.step();
            self.step();
            return Ok(Statement::Parameters(self.parameters()?));
        }
        if let Some(word @ ("declare" | "alias" | "restrict" | "pattern")) = word
            && named
        {
            return Err(Diagnostic::lacking(self.span(), &format!("statement `{word}`")));
        }
        if self.is_op(".") {
            return Err(Diagnostic::lacking(self.span(), "a management command"));
        }
        Ok(Statement::Query(Box::new(self.pipeline()?)))
    }

    /// `set option`, `set option = value`: an option that only bounds or tells of the service's work is passed over.
    fn set(&mut self) -> Parsed<Statement> {
        const HARMLESS: &[&str] = &[
            "notruncation",
            "truncationmaxsize",
            "truncationmaxrecords",
            "norequesttimeout",
            "servertimeout",
            "querytrace",
            "maxmemoryconsumptionperiterator",
            "maxmemoryconsumptionperquerypernode",
            "max_memory_consumption_per_query_per_node",
            "query_results_cache_max_age",
            "query_consistency",
        ];
        self.step();
        let name = self.ident()?;
        if self.eat("=") {
            match self.kind_at(0) {
                Kind::Literal(value, ty) if OPTIONS.contains(&name.name.as_str()) => {
                    let (value, ty) = (value.clone(), *ty);
                    self.step();
                    return Ok(Statement::Option(name, value, ty));
                }
                Kind::Literal(..) | Kind::Name => self.step(),
                _ => return Err(self.missing_expression()),
            };
        }
        if HARMLESS.contains(&name.name.as_str()) {
            return Ok(Statement::Nothing);
        }
        Err(Diagnostic::lacking(name.span, &format!("option `{}`", name.name)))
    }

    /// `(a:type, …) {` rather than a parenthesised source.
    fn is_function(&self) -> bool {
        if self.is_op("{") || self.is_view() {
            return true;
        }
        let parameter = matches!(self.kind_at(1), Kind::Name) && self.op_ahead(2, ":");
        let bracketed = self.op_ahead(1, "[") && self.op_ahead(4, ":");
        self.is_op("(")
            && (parameter || bracketed || self.op_ahead(1, ")") && self.op_ahead(2, "{"))
    }

    /// `view (…)`: a function that wildcards find.
    fn is_view(&self) -> bool {
        self.is_word("view") && self.op_ahead(1, "(")
    }

    fn function(&mut self) -> Parsed<LetValue> {
        if self.is_view() {
            self.step();
        }
        let params = if self.is_op("(") { self.parameters()? } else { Vec::new() };
        self.expect("{")?;
        let body = self.nested(|p| p.statements(Stop::Brace))?;
        let end = self.expect("}")?;
        Ok(LetValue::Function { params, body, end })
    }

    fn parameters(&mut self) -> Parsed<Vec<Param>> {
        let mut params: Vec<Param> = Vec::new();
        let mut scalars = false;
        self.expect("(")?;
        while !self.is_op(")") {
            let name = self.ident()?;
            self.expect(":")?;
            let ty = if self.is_op("(") {
                let columns = self.row_schema()?;
                if scalars {
                    let span = name.span.to(self.last());
                    let message = "Tabular parameters must be declared first";
                    return Err(Diagnostic::error("KS226", span, message));
                }
                ParamType::Table(columns)
            } else {
                scalars = true;
                ParamType::Scalar(self.type_name()?)
            };
            let default = if self.eat("=") { Some(self.literal()?) } else { None };
            params.push(Param { name, ty, default });
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(params)
    }

    /// A literal, or one with a sign.
    fn literal(&mut self) -> Parsed<Expr> {
        let signed = usize::from(self.is_op("-") || self.is_op("+"));
        if !matches!(self.kind_at(signed), Kind::Literal(..)) {
            return Err(self.expected("a literal"));
        }
        self.unary()
    }

    /// `(a:long, b:string)` or `(*)`.
    fn row_schema(&mut self) -> Parsed<Vec<(Ident, Type)>> {
        self.expect("(")?;
        let mut columns = Vec::new();
        let mut names = HashSet::new();
        if self.eat("*") {
            self.expect(")")?;
            return Ok(columns);
        }
        while !self.is_op(")") {
            let name = self.ident()?;
            if !names.insert(name.name.clone()) {
                let message = format!("A column with the name '{}' is already declared", name.name);
                return Err(Diagnostic::error("KS171", name.span, message));
            }
            self.expect(":")?;
            columns.push((name, self.type_name()?));
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(columns)
    }

    fn type_name(&mut self) -> Parsed<Type> {
        let Some(word) = self.word() else { return Err(self.expected("a type")) };
        let found = match word {
            "int64" => Some(Type::Long),
            "uuid" | "uniqueid" => None,
            _ => Type::from_name(word),
        };
        let ty = found.ok_or_else(|| {
            let message =
                format!("The name '{word}' is not a valid type name that can be used here");
            let error = Diagnostic::error("KS160", self.span(), message);
            let types =
                ["bool", "int", "long", "real", "string", "datetime", "timespan", "dynamic"];
            match crate::functions::nearest(word, types.into_iter()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            }
        })?;
        self.step();
        Ok(ty)
    }

    /// A name, or one in brackets: `['a b']`.
    fn ident(&mut self) -> Parsed<Ident> {
        if let Some(ident) = self.bracketed() {
            return Ok(ident);
        }
        let name = self.word().filter(|w| !w.starts_with('!'));
        let name = name.ok_or_else(|| self.expected("a name"))?.to_owned();
        Ok(Ident { name, span: self.step() })
    }

    fn bracketed(&mut self) -> Option<Ident> {
        if !self.is_op("[") || !self.op_ahead(2, "]") {
            return None;
        }
        let Kind::Literal(Value::String(name), _) = self.kind_at(1).clone() else { return None };
        let start = self.step();
        self.step();
        let span = start.to(self.step());
        Some(Ident { name: name.to_string(), span })
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let start = self.here();
        let source = self.source()?;
        self.piped(source, start)
    }

    /// The operators after a source.
    fn piped(&mut self, source: Source, start: Span) -> Parsed<Pipeline> {
        let mut ops = Vec::new();
        while self.eat("|") {
            if ops.len() >= MAX_OPERATORS {
                let message = format!("The pipeline has more than {MAX_OPERATORS} operators");
                return Err(Diagnostic::error(TOO_COMPLEX, self.here(), message));
            }
            ops.push(self.operator()?);
        }
        Ok(Pipeline { source, ops, span: start.to(self.last()) })
    }

    fn source(&mut self) -> Parsed<Source> {
        let called = self.op_ahead(1, "(");
        match self.word() {
            Some("union") if !self.op_ahead(1, "|") => {
                let span = self.step();
                return Ok(Source::Union(self.union()?, span));
            }
            Some("search") if !self.op_ahead(1, "|") => {
                let span = self.step();
                return Ok(Source::Search(Box::new(self.search()?), span));
            }
            Some("print") => {
                self.step();
                return Ok(Source::Print(self.columns()?));
            }
            Some("range")
                if !called && (matches!(self.kind_at(1), Kind::Name) || self.op_ahead(3, "]")) =>
            {
                self.step();
                return self.range();
            }
            Some("datatable") if called => return self.datatable(),
            Some(name) if ops::is_unsupported_source(name) && !self.op_ahead(1, "|") => {
                let end = matches!(self.kind_at(1), Kind::End) || self.op_ahead(1, ";");
                if !end {
                    return Err(Diagnostic::lacking(self.span(), &format!("operator `{name}`")));
                }
            }
            Some(name) if ops::is_operator(name) && !called => {
                let starts_like_one = matches!(self.kind_at(1), Kind::Name | Kind::Literal(..));
                if starts_like_one {
                    let message = "The operator cannot be the first operator in a query";
                    return Err(Diagnostic::error("KS174", self.span(), message)
                        .help("start with a table: `Table | …`"));
                }
            }
            _ => {}
        }
        Ok(Source::Expr(self.expr()?))
    }

    fn range(&mut self) -> Parsed<Source> {
        let name = self.ident()?;
        self.expect_word("from")?;
        let from = self.expr()?;
        self.expect_word("to")?;
        let to = self.expr()?;
        self.expect_word("step")?;
        Ok(Source::Range(Box::new(RangeSource { name, from, to, step: self.expr()? })))
    }

    fn datatable(&mut self) -> Parsed<Source> {
        let span = self.step();
        let columns = self.row_schema()?;
        self.expect("[")?;
        let mut values = Vec::new();
        while !self.is_op("]") {
            values.push(self.literal()?);
            if !self.eat(",") {
                break;
            }
        }
        self.expect("]")?;
        Ok(Source::Datatable { columns, values, span })
    }

    /// `name = expression, …`; at least one.
    fn columns(&mut self) -> Parsed<Vec<Column>> {
        let mut columns = vec![self.column()?];
        while self.eat(",") {
            columns.push(self.column()?);
        }
        if self.starts_expression() {
            return Err(self.expected(","));
        }
        Ok(columns)
    }

    fn starts_expression(&self) -> bool {
        match self.kind_at(0) {
            Kind::Literal(..) => true,
            Kind::Name => {
                !matches!(self.word(), Some("by" | "on" | "with" | "to" | "step" | "from"))
            }
            Kind::Op(op) => *op == "[",
            Kind::End => false,
        }
    }

    fn column(&mut self) -> Parsed<Column> {
        let start = self.at;
        let mut names = Vec::new();
        if self.is_op("(") {
            // `(a, b) = arg_max(…)`: read as names, and again as an expression where no `=` follows.
            self.step();
            while let Ok(name) = self.ident() {
                names.push(name);
                if !self.eat(",") {
                    break;
                }
            }
            if !(self.eat(")") && self.eat("=")) {
                names.clear();
                self.at = start;
            }
        } else if let Ok(name) = self.ident() {
            if self.eat("=") {
                names.push(name);
            } else {
                self.at = start;
            }
        }
        let expr = self.expr()?;
        if self.is_op("=") {
            return Err(self.unexpected());
        }
        Ok(Column { names, expr })
    }
}

/// A node one level above what is below it.
fn make(kind: ExprKind, span: Span, below: usize) -> Parsed<Expr> {
    let depth = below + 1;
    if depth > MAX_DEPTH {
        return Err(too_deep(span));
    }
    Ok(Expr { kind, span, depth })
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(TOO_COMPLEX, span, "The expression is nested too deeply")
}
