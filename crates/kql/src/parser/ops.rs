//! The operators after a pipe: one entry of a table each.

use super::{Parsed, Parser};
use crate::ast::{
    ColumnOrder, Expr, ExprKind, JoinKind, JoinOp, NamePattern, OpKind, Operator, Pipeline,
    SortKey, UnionOp,
};
use crate::diagnostics::{Diagnostic, Span};
use crate::lexer::Kind;
use crate::value::{Type, Value};

pub(super) type ParseOp = fn(&mut Parser<'_>) -> Parsed<OpKind>;

/// What the engine runs.
const OPERATORS: &[(&str, ParseOp)] = &[
    ("where", |p| p.expr().map(OpKind::Where)),
    ("filter", |p| p.expr().map(OpKind::Where)),
    ("project", |p| p.optional_columns().map(OpKind::Project)),
    ("extend", |p| p.columns().map(OpKind::Extend)),
    ("project-away", |p| p.patterns().map(OpKind::Away)),
    ("project-keep", |p| p.patterns().map(OpKind::Keep)),
    ("project-rename", |p| p.columns().map(OpKind::Rename)),
    ("project-reorder", |p| p.reorder()),
    ("summarize", |p| p.summarize()),
    ("distinct", |p| p.distinct()),
    ("sort", |p| p.sort()),
    ("order", |p| p.sort()),
    ("top", |p| p.top()),
    ("take", |p| p.expr().map(OpKind::Take)),
    ("limit", |p| p.expr().map(OpKind::Take)),
    ("count", |p| p.count()),
    ("union", |p| p.union().map(OpKind::Union)),
    ("join", |p| p.join(false)),
    ("lookup", |p| p.join(true)),
    ("serialize", |p| p.optional_columns().map(OpKind::Serialize)),
];

fn operators() -> impl Iterator<Item = &'static (&'static str, ParseOp)> {
    OPERATORS.iter().chain(super::stages::STAGES)
}

/// The names of what the engine runs.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    operators().map(|(name, _)| *name)
}

/// What the service runs and the engine does not.
pub(crate) const UNSUPPORTED: &[&str] = &[
    "assert-schema",
    "evaluate",
    "execute-and-cache",
    "externaldata",
    "external_data",
    "facet",
    "find",
    "fork",
    "graph-mark-components",
    "graph-match",
    "graph-merge",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-where-edges",
    "graph-where-nodes",
    "macro-expand",
    "make-graph",
    "make-series",
    "partition-by",
    "project-by-names",
    "reduce",
    "scan",
];

/// Operators that make rows and may start a query.
pub(crate) fn is_unsupported_source(name: &str) -> bool {
    matches!(
        name,
        "externaldata" | "external_data" | "find" | "evaluate" | "graph" | "macro" | "entity_group"
    )
}

pub(crate) fn is_operator(name: &str) -> bool {
    name == "render" || operators().any(|(n, _)| *n == name) || UNSUPPORTED.contains(&name)
}

impl Parser<'_> {
    /// A name with its dashes: `project-away`.
    pub(super) fn operator_name(&mut self) -> Option<Span> {
        self.word()?;
        let mut span = self.step();
        while self.is_op("-")
            && self.span().start == span.end()
            && self.span_at(1).start == self.span().end()
            && self.word_ahead(1).is_some()
        {
            self.step();
            span = span.to(self.step());
        }
        Some(span)
    }

    pub(super) fn operator(&mut self) -> Parsed<Operator> {
        let here = self.here();
        let unknown = |span| Diagnostic::error("KS176", span, "Query operator expected");
        let span = self.operator_name().ok_or_else(|| unknown(here))?;
        let name = span.text(self.text);
        if name == "render" {
            return self.render(span);
        }
        let Some((_, parse)) = operators().find(|(n, _)| *n == name) else {
            if UNSUPPORTED.contains(&name) {
                return Err(Diagnostic::lacking(span, &format!("operator `{name}`")));
            }
            let mut error = unknown(span);
            if let Some(near) = crate::functions::nearest(name, operators().map(|(n, _)| *n)) {
                error = error.help(format!("did you mean `{near}`?"));
            }
            return Err(error);
        };
        let kind = self.nested(|p| parse(p))?;
        Ok(Operator { kind, span })
    }

    /// A chart is no matter of rows: its words are skipped up to the next operator.
    fn render(&mut self, span: Span) -> Parsed<Operator> {
        const CHARTS: &[&str] = &[
            "table",
            "list",
            "barchart",
            "piechart",
            "ladderchart",
            "timechart",
            "linechart",
            "anomalychart",
            "pivotchart",
            "areachart",
            "stackedareachart",
            "scatterchart",
            "timepivot",
            "columnchart",
            "timeline",
            "3Dchart",
            "card",
            "treemap",
            "plotly",
            "graph",
            "sankey",
        ];
        let Some(chart) = self.word() else { return Err(self.expected("a chart")) };
        if !CHARTS.contains(&chart) {
            let error = self.expected(&format!("one of: {}", CHARTS.join(", ")));
            return Err(match crate::functions::nearest(chart, CHARTS.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            });
        }
        while !matches!(self.kind_at(0), Kind::End)
            && !["|", ";", "}"].iter().any(|o| self.is_op(o))
        {
            self.step();
        }
        Ok(Operator { kind: OpKind::Nothing, span })
    }

    fn optional_columns(&mut self) -> Parsed<Vec<crate::ast::Column>> {
        let ended = matches!(self.kind_at(0), Kind::End)
            || ["|", ";", ")", "}"].iter().any(|o| self.is_op(o));
        if ended { Ok(Vec::new()) } else { self.columns() }
    }

    /// `name`, `pre*`, `*`.
    fn pattern(&mut self) -> Parsed<NamePattern> {
        if let Some(name) = self.bracketed() {
            return Ok(NamePattern { text: name.name, span: name.span });
        }
        let mut span: Option<Span> = None;
        while (self.word().is_some()
            || self.is_op("*")
            || span.is_some() && matches!(self.kind_at(0), Kind::Literal(_, Type::Long)))
            && span.is_none_or(|s| s.end() == self.span().start)
        {
            let next = self.step();
            span = Some(span.map_or(next, |s| s.to(next)));
        }
        let span = span.ok_or_else(|| self.missing_expression())?;
        Ok(NamePattern { text: span.text(self.text).to_owned(), span })
    }

    fn patterns(&mut self) -> Parsed<Vec<NamePattern>> {
        let mut all = vec![self.pattern()?];
        while self.eat(",") {
            all.push(self.pattern()?);
        }
        Ok(all)
    }

    fn reorder(&mut self) -> Parsed<OpKind> {
        let mut all = Vec::new();
        loop {
            let pattern = self.pattern()?;
            let dashed = self.is_word("granny") && self.op_ahead(1, "-");
            let order = match self.word_ahead(if dashed { 2 } else { 0 }) {
                Some("asc") => Some(ColumnOrder { ascending: true, by_number: dashed }),
                Some("desc") => Some(ColumnOrder { ascending: false, by_number: dashed }),
                _ => None,
            };
            if order.is_some() {
                for _ in 0..if dashed { 3 } else { 1 } {
                    self.step();
                }
            }
            all.push((pattern, order));
            if !self.eat(",") {
                return Ok(OpKind::Reorder(all));
            }
        }
    }

    fn summarize(&mut self) -> Parsed<OpKind> {
        self.hints()?;
        let aggregates = if self.is_word("by") { Vec::new() } else { self.optional_columns()? };
        let by = if self.eat_word("by") { self.columns()? } else { Vec::new() };
        Ok(OpKind::Summarize { aggregates, by })
    }

    fn distinct(&mut self) -> Parsed<OpKind> {
        self.hints()?;
        if self.is_op("*") {
            let star = self.step();
            return Ok(OpKind::Distinct(Vec::new(), Some(star)));
        }
        Ok(OpKind::Distinct(self.columns()?, None))
    }

    fn sort_key(&mut self) -> Parsed<SortKey> {
        let expr = self.expr()?;
        let ascending = if self.eat_word("asc") {
            true
        } else {
            self.eat_word("desc");
            false
        };
        let mut nulls_first = ascending;
        if self.eat_word("nulls") {
            nulls_first = self.eat_word("first");
            if !nulls_first && !self.eat_word("last") {
                return Err(Diagnostic::error("KS006", self.here(), "Missing first or last"));
            }
        }
        Ok(SortKey { expr, ascending, nulls_first })
    }

    fn sort(&mut self) -> Parsed<OpKind> {
        self.hints()?;
        self.expect_word("by")?;
        let mut keys = vec![self.sort_key()?];
        while self.eat(",") {
            keys.push(self.sort_key()?);
        }
        Ok(OpKind::Sort(keys))
    }

    fn top(&mut self) -> Parsed<OpKind> {
        if self.is_word("by") {
            return Err(self.missing_expression());
        }
        let count = self.expr()?;
        self.hints()?;
        self.expect_word("by")?;
        let key = self.sort_key()?;
        if self.is_op(",") {
            return Err(self.unexpected());
        }
        Ok(OpKind::Top(count, key))
    }

    fn count(&mut self) -> Parsed<OpKind> {
        let name = if self.eat_word("as") {
            let missing = Diagnostic::error("KS006", self.here(), "Missing name");
            Some(self.ident().map_err(|_| missing)?)
        } else {
            None
        };
        Ok(OpKind::Count(name))
    }

    /// `hint.strategy = broadcast`: advice to the service's planner.
    pub(super) fn hints(&mut self) -> Parsed<()> {
        while self.word().is_some_and(|w| w == "hint") && self.op_ahead(1, ".") {
            self.step();
            self.step();
            self.ident()?;
            self.expect("=")?;
            if matches!(self.kind_at(0), Kind::Literal(..)) {
                self.step()
            } else {
                self.ident()?.span
            };
        }
        Ok(())
    }

    pub(super) fn union(&mut self) -> Parsed<UnionOp> {
        let mut op =
            UnionOp { inner: false, source_column: None, fuzzy: false, tables: Vec::new() };
        loop {
            self.hints()?;
            if !self.op_ahead(1, "=") {
                break;
            }
            match self.word() {
                Some("kind") => {
                    self.step();
                    self.step();
                    match self.word() {
                        Some("inner") => op.inner = true,
                        Some("outer") => op.inner = false,
                        _ => return Err(self.expected("one of: inner, outer")),
                    }
                    self.step();
                }
                Some("withsource") => {
                    self.step();
                    self.step();
                    op.source_column = Some(self.ident()?);
                }
                Some("isfuzzy") => {
                    self.step();
                    self.step();
                    let Kind::Literal(Value::Bool(fuzzy), _) = self.kind_at(0) else {
                        let message = "Boolean literal expected";
                        return Err(Diagnostic::error("KS223", self.here(), message));
                    };
                    op.fuzzy = *fuzzy;
                    self.step();
                }
                _ => return Err(self.expected("one of: kind, withsource, isfuzzy")),
            }
        }
        loop {
            op.tables.push(self.table(false)?);
            if !self.eat(",") {
                return Ok(op);
            }
        }
    }

    /// A table operand: a name, a call, a pipeline in parentheses, or a bare `datatable` where that may stand.
    pub(super) fn table(&mut self, datatable: bool) -> Parsed<Expr> {
        if self.is_op("*") || (self.word().is_some() && self.op_ahead(1, "*")) {
            return Err(Diagnostic::lacking(self.span(), "a table name with a wildcard"));
        }
        if matches!(self.kind_at(0), Kind::Literal(..)) {
            return Err(self.missing_expression());
        }
        if self.is_word("datatable") && self.op_ahead(1, "(") && datatable {
            let start = self.here();
            let source = self.datatable()?;
            let pipeline = Pipeline { source, ops: Vec::new(), span: start.to(self.last()) };
            let span = pipeline.span;
            return super::make(ExprKind::Pipeline(Box::new(pipeline)), span, 0);
        }
        self.path()
    }

    fn join(&mut self, lookup: bool) -> Parsed<OpKind> {
        let mut kind = if lookup { JoinKind::LeftOuter } else { JoinKind::InnerUnique };
        self.hints()?;
        while self.is_word("kind") && self.op_ahead(1, "=") {
            self.step();
            self.step();
            kind = match self.word() {
                Some("innerunique") if !lookup => JoinKind::InnerUnique,
                Some("inner") => JoinKind::Inner,
                Some("leftouter") => JoinKind::LeftOuter,
                Some("rightouter") if !lookup => JoinKind::RightOuter,
                Some("fullouter") if !lookup => JoinKind::FullOuter,
                Some("leftsemi") if !lookup => JoinKind::LeftSemi,
                Some("rightsemi") if !lookup => JoinKind::RightSemi,
                Some("leftanti" | "anti" | "leftantisemi") if !lookup => JoinKind::LeftAnti,
                Some("rightanti" | "rightantisemi") if !lookup => JoinKind::RightAnti,
                _ if lookup => return Err(self.expected("one of: inner, leftouter")),
                _ => {
                    return Err(self.expected(
                        "one of: inner, fullouter, innerunique, leftanti, leftantisemi, anti, leftouter, \
                         leftsemi, rightanti, rightantisemi, rightouter, rightsemi",
                    ));
                }
            };
            self.step();
            self.hints()?;
        }
        let right = self.table(true)?;
        if matches!(right.kind, ExprKind::Literal(..)) {
            return Err(self.expected("a table"));
        }
        if !self.eat_word("on") {
            return Err(Diagnostic::error(
                "KS006",
                self.here(),
                "Missing join on condition clause",
            ));
        }
        let mut on = vec![self.expr()?];
        while self.eat(",") {
            on.push(self.expr()?);
        }
        Ok(OpKind::Join(JoinOp { kind, lookup, right, on }))
    }
}
