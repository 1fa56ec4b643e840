//! Scalar expressions: `or` < `and` < comparisons < `+ -` < `* / %` < `-x` < paths.

use super::{Parsed, Parser, make};
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, InOp, Source};
use crate::diagnostics::{Diagnostic, Span};
use crate::functions::text_ops;
use crate::lexer::Kind;
use crate::value::{Type, Value};

/// What the service takes for a keyword where an expression may stand.
const RESERVED: &[&str] = &[
    "accumulate",
    "and",
    "as",
    "asc",
    "between",
    "boolean",
    "by",
    "contains",
    "datascope",
    "datatable",
    "date",
    "datetime",
    "decimal",
    "desc",
    "double",
    "dynamic",
    "endswith",
    "external_data",
    "externaldata",
    "find",
    "first",
    "flags",
    "has",
    "has_all",
    "has_any",
    "in",
    "int",
    "invoke",
    "isfuzzy",
    "last",
    "like",
    "long",
    "materialize",
    "of",
    "or",
    "print",
    "project",
    "real",
    "relaxed",
    "sample",
    "search",
    "set",
    "simple",
    "startswith",
    "string",
    "time",
    "timespan",
    "title",
    "to",
    "toscalar",
    "union",
    "where",
];

impl Parser<'_> {
    pub(crate) fn expr(&mut self) -> Parsed<Expr> {
        self.nested(|p| p.logic(false))
    }

    fn logic(&mut self, and: bool) -> Parsed<Expr> {
        let word = if and { "and" } else { "or" };
        let first = if and { self.comparison()? } else { self.logic(true)? };
        if !self.is_word(word) {
            return Ok(first);
        }
        let op = self.span();
        let mut depth = first.depth;
        let mut span = first.span;
        let mut parts = vec![first];
        while self.eat_word(word) {
            let part = if and { self.comparison()? } else { self.logic(true)? };
            depth = depth.max(part.depth);
            span = span.to(part.span);
            parts.push(part);
        }
        make(ExprKind::Logic { and, op, parts }, span, depth)
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.sum()?;
        let Some((op, at)) = self.comparator()? else { return Ok(left) };
        let expr = match op {
            Comparator::Binary(op) => {
                let right = self.sum()?;
                return binary(op, at, left, right);
            }
            Comparator::In(op) => {
                let (list, depth) = self.list()?;
                let (span, depth) = (left.span.to(self.last()), depth.max(left.depth));
                make(ExprKind::In { op, at, left: Box::new(left), list }, span, depth)?
            }
            Comparator::Between(negated) => {
                self.expect("(")?;
                let low = self.expr()?;
                self.expect("..")?;
                let high = self.expr()?;
                self.expect(")")?;
                let depth = left.depth.max(low.depth).max(high.depth);
                let span = left.span.to(self.last());
                let (left, low, high) = (Box::new(left), Box::new(low), Box::new(high));
                make(ExprKind::Between { negated, at, left, low, high }, span, depth)?
            }
        };
        Ok(expr)
    }

    fn comparator(&mut self) -> Parsed<Option<(Comparator, Span)>> {
        let binary = match self.kind_at(0) {
            Kind::Op("==") => Some(BinaryOp::Eq),
            Kind::Op("!=" | "<>") => Some(BinaryOp::Ne),
            Kind::Op("<") => Some(BinaryOp::Lt),
            Kind::Op("<=") => Some(BinaryOp::Le),
            Kind::Op(">") => Some(BinaryOp::Gt),
            Kind::Op(">=") => Some(BinaryOp::Ge),
            Kind::Op(":") if self.terms => Some(BinaryOp::Term),
            Kind::Op("=~") => text_ops::find("=~").map(BinaryOp::Text),
            Kind::Op("!~") => text_ops::find("!~").map(BinaryOp::Text),
            _ => None,
        };
        if let Some(op) = binary {
            return Ok(Some((Comparator::Binary(op), self.step())));
        }
        let Some(word) = self.word() else { return Ok(None) };
        let op = match word {
            "matches" => {
                let start = self.step();
                let at = start.to(self.expect_word("regex")?);
                let op =
                    text_ops::find("matches regex").map(|t| Comparator::Binary(BinaryOp::Text(t)));
                return Ok(op.map(|op| (op, at)));
            }
            "in" => Comparator::In(InOp::In { negated: false, folded: false }),
            "in~" => Comparator::In(InOp::In { negated: false, folded: true }),
            "!in" => Comparator::In(InOp::In { negated: true, folded: false }),
            "!in~" => Comparator::In(InOp::In { negated: true, folded: true }),
            "has_any" => Comparator::In(InOp::HasAny),
            "has_all" => Comparator::In(InOp::HasAll),
            "between" => Comparator::Between(false),
            "!between" => Comparator::Between(true),
            "like" | "notlike" => {
                return Err(Diagnostic::lacking(self.span(), &format!("operator `{word}`")));
            }
            // The older names.
            "containscs" | "notcontains" | "notcontainscs" => {
                let name = match word {
                    "containscs" => "contains_cs",
                    "notcontains" => "!contains",
                    _ => "!contains_cs",
                };
                match text_ops::find(name) {
                    Some(op) => Comparator::Binary(BinaryOp::Text(op)),
                    None => return Ok(None),
                }
            }
            _ => match text_ops::find(word) {
                Some(op) => Comparator::Binary(BinaryOp::Text(op)),
                None if word.starts_with('!') => {
                    let message = format!("`{word}` is not an operator");
                    let help = format!("write `not(… {} …)`", word.trim_start_matches('!'));
                    return Err(Diagnostic::error("KS002", self.span(), message).help(help));
                }
                None => return Ok(None),
            },
        };
        Ok(Some((op, self.step())))
    }

    fn list(&mut self) -> Parsed<(Vec<Expr>, usize)> {
        self.expect("(")?;
        let mut list = vec![self.expr_or_pipeline()?];
        while self.eat(",") {
            list.push(self.expr_or_pipeline()?);
        }
        self.expect(")")?;
        let depth = list.iter().map(|e| e.depth).max().unwrap_or(0);
        Ok((list, depth))
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let op = match self.kind_at(0) {
                Kind::Op("+") => BinaryOp::Add,
                Kind::Op("-") => BinaryOp::Sub,
                _ => return Ok(left),
            };
            let at = self.step();
            let right = self.product()?;
            left = binary(op, at, left, right)?;
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = match self.kind_at(0) {
                Kind::Op("*") => BinaryOp::Mul,
                Kind::Op("/") => BinaryOp::Div,
                Kind::Op("%") => BinaryOp::Mod,
                _ => return Ok(left),
            };
            let at = self.step();
            let right = self.unary()?;
            left = binary(op, at, left, right)?;
        }
    }

    pub(super) fn unary(&mut self) -> Parsed<Expr> {
        if self.is_op("-") {
            let at = self.step();
            let inner = self.nested(Self::unary)?;
            let (span, depth) = (at.to(inner.span), inner.depth);
            return make(ExprKind::Negate(at, Box::new(inner)), span, depth);
        }
        if self.is_op("+") {
            // Of a number, and a number: as good as negated twice.
            let at = self.step();
            let inner = self.nested(Self::unary)?;
            let (span, depth) = (at.to(inner.span), inner.depth);
            let once = make(ExprKind::Negate(at, Box::new(inner)), span, depth)?;
            let depth = once.depth;
            return make(ExprKind::Negate(at, Box::new(once)), span, depth);
        }
        self.path()
    }

    pub(super) fn path(&mut self) -> Parsed<Expr> {
        let mut base = self.primary()?;
        loop {
            if self.is_op(".") {
                self.step();
                let computed = self.is_op("[")
                    && !matches!(self.kind_at(1), Kind::Literal(Value::String(_), _));
                if computed {
                    // `.[key]` is `[key]`.
                    continue;
                }
                if let Some(word) = self.word() {
                    Self::not_reserved(word, self.span())?;
                }
                let name = self.ident()?;
                let (span, depth) = (base.span.to(name.span), base.depth);
                base = make(ExprKind::Member(Box::new(base), name), span, depth)?;
            } else if self.is_op("[") {
                self.step();
                let index = self.expr()?;
                let end = self.expect("]")?;
                let (span, depth) = (base.span.to(end), base.depth.max(index.depth));
                base = make(ExprKind::Index(Box::new(base), Box::new(index)), span, depth)?;
            } else {
                return Ok(base);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let start = self.here();
        match self.kind_at(0).clone() {
            Kind::Literal(Value::String(first), Type::String) => {
                self.step();
                let mut text = first.to_string();
                // Strings side by side are one string.
                while let Kind::Literal(Value::String(next), Type::String) = self.kind_at(0).clone()
                {
                    self.step();
                    text.push_str(&next);
                }
                let kind = ExprKind::Literal(Value::from(text), Type::String);
                make(kind, start.to(self.last()), 0)
            }
            Kind::Literal(value, ty) => {
                self.step();
                make(ExprKind::Literal(value, ty), start, 0)
            }
            Kind::Name => self.name_or_call(start),
            Kind::Op("[") => match self.bracketed() {
                Some(name) => make(ExprKind::Name(name.name), name.span, 0),
                None => Err(self.missing_expression()),
            },
            Kind::Op("*") => {
                self.step();
                make(ExprKind::Star, start, 0)
            }
            Kind::Op("(") => {
                self.step();
                let mut inner = self.expr_or_pipeline()?;
                let end = self.expect(")")?;
                inner.span = start.to(end);
                Ok(inner)
            }
            _ => Err(self.missing_expression()),
        }
    }

    fn name_or_call(&mut self, start: Span) -> Parsed<Expr> {
        let word = self.word().unwrap_or("");
        if word.starts_with('!') {
            return Err(self.missing_expression());
        }
        let is_call = self.op_ahead(1, "(");
        if word == "typeof" && is_call {
            self.step();
            self.expect("(")?;
            let ty = self.type_name()?;
            let end = self.expect(")")?;
            return make(ExprKind::Typeof(ty), start.to(end), 0);
        }
        if !is_call {
            if word == "not" {
                let message = "The function 'not' requires an argument list";
                return Err(Diagnostic::error("KS117", start, message).help("write `not(…)`"));
            }
            Self::not_reserved(word, start)?;
            let name = word.to_owned();
            self.step();
            return make(ExprKind::Name(name), start, 0);
        }
        let name = self.ident()?;
        self.expect("(")?;
        let mut args = Vec::new();
        let mut depth = 0;
        if !self.is_op(")") {
            loop {
                let named = matches!(self.kind_at(0), Kind::Name) && self.op_ahead(1, "=");
                let name = if named { Some(self.ident()?) } else { None };
                if named {
                    self.step();
                }
                let rows = matches!(word, "toscalar" | "materialize") || self.is_word("datatable");
                let value = if rows { self.expr_or_pipeline()? } else { self.expr()? };
                depth = depth.max(value.depth);
                args.push(Arg { name, value });
                if !self.eat(",") {
                    break;
                }
            }
        }
        let end = self.expect(")")?;
        make(ExprKind::Call { name, args }, start.to(end), depth)
    }

    /// Words of the language are names in brackets only.
    fn not_reserved(word: &str, span: Span) -> Parsed<()> {
        if !RESERVED.contains(&word) {
            return Ok(());
        }
        let message =
            format!("Missing expression: the keyword '{word}' is a name in brackets only");
        Err(Diagnostic::error("KS006", span, message).help(format!("write `['{word}']`")))
    }

    /// An expression; with a pipe after it, or an operator that makes rows before it, a pipeline.
    fn expr_or_pipeline(&mut self) -> Parsed<Expr> {
        let start = self.here();
        let source = self.nested(Self::source)?;
        if let Source::Expr(expr) = source {
            if !self.is_op("|") {
                return Ok(expr);
            }
            let depth = expr.depth;
            let pipeline = self.nested(|p| p.piped(Source::Expr(expr), start))?;
            let span = pipeline.span;
            return make(ExprKind::Pipeline(Box::new(pipeline)), span, depth);
        }
        let pipeline = self.nested(|p| p.piped(source, start))?;
        let span = pipeline.span;
        make(ExprKind::Pipeline(Box::new(pipeline)), span, 0)
    }
}

fn binary(op: BinaryOp, at: Span, left: Expr, right: Expr) -> Parsed<Expr> {
    let (span, depth) = (left.span.to(right.span), left.depth.max(right.depth));
    let (left, right) = (Box::new(left), Box::new(right));
    make(ExprKind::Binary { op, at, left, right }, span, depth)
}

enum Comparator {
    Binary(BinaryOp),
    In(InOp),
    Between(bool),
}
