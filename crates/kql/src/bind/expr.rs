//! Scalar expressions.

use super::{Binder, Bound, Entry, Typed, lookup, scope_names};
use crate::ast::{Expr as Ast, ExprKind, Ident, InOp};
use crate::diagnostics::{Diagnostic, Span};
use crate::functions::{Args, Eval, dynamic, nearest};
use crate::plan::{AggregateCall, Expr, Node, RunState, Subquery};
use crate::schema::Schema;
use crate::value::{Type, Value};
use std::sync::Arc;

/// Where an expression stands.
pub(super) struct Place<'s> {
    pub(super) columns: &'s Schema,
    /// Inside of `summarize`, outside of an aggregate: the aggregates found so far.
    pub(super) aggregates: Option<&'s mut Aggregates>,
}

/// The aggregates of a `summarize`, and the first place of their results in its row.
#[derive(Default)]
pub(super) struct Aggregates {
    pub(super) calls: Vec<AggregateCall>,
    pub(super) next: usize,
    /// Columns of the input that `by` takes as they are: `*` leaves them out.
    pub(super) grouped: Vec<usize>,
}

impl<'s> Place<'s> {
    pub(super) fn row(columns: &'s Schema) -> Self {
        Self { columns, aggregates: None }
    }
}

pub(super) static NO_COLUMNS: Schema = Schema { columns: Vec::new() };

/// A computation; done at once where all arguments are constants.
pub(super) fn made(eval: Eval, args: Vec<Typed>, ty: Type) -> Typed {
    let span = args.iter().map(|a| a.span).reduce(Span::to).unwrap_or_default();
    let constants: Option<Vec<Value>> = args.iter().map(|a| a.constant().cloned()).collect();
    let expr = match constants {
        Some(values) => Expr::Const(eval(&values)),
        None => Expr::Call(eval, args.into_iter().map(|a| a.expr).collect()),
    };
    Typed { expr, ty, name: None, is_column: false, span }
}

/// The same value as another type.
pub(super) fn coerced(value: Typed, to: Type) -> Typed {
    if value.ty == to {
        return value;
    }
    let (name, span) = (value.name.clone(), value.span);
    let eval: Eval = Arc::new(move |args| {
        crate::functions::conversion::to_type(args.value(0), to).unwrap_or_else(|| to.missing())
    });
    Typed { name, span, ..made(eval, vec![value], to) }
}

impl Binder<'_> {
    pub(super) fn column_index(
        &mut self,
        schema: &Schema,
        name: &str,
        span: Span,
    ) -> Option<usize> {
        let at = schema.index(name);
        if at.is_none() {
            self.unknown_name(schema, name, span);
        }
        at
    }

    fn unknown_name(&mut self, schema: &Schema, name: &str, span: Span) {
        let message = format!(
            "The name '{name}' does not refer to any known column, table, variable or function"
        );
        let mut error = Diagnostic::error("KS142", span, message);
        let scope = scope_names(&self.scope);
        let all = schema.names().chain(scope.iter().map(String::as_str));
        if let Some(near) = nearest(name, all) {
            error = error.help(format!("did you mean `{near}`?"));
        }
        self.found.push(error);
    }

    pub(super) fn expr(&mut self, ast: &Ast, place: &mut Place<'_>) -> Option<Typed> {
        self.spend(ast.span)?;
        let span = ast.span;
        let mut typed = match &ast.kind {
            ExprKind::Literal(value, ty) => {
                let value = if value.is_null() { ty.missing() } else { value.clone() };
                Typed { expr: Expr::Const(value), ty: *ty, name: None, is_column: false, span }
            }
            ExprKind::Name(name) => self.name(name, span, place)?,
            ExprKind::Star => {
                self.error("KS006", span, "Missing expression");
                return None;
            }
            ExprKind::Call { name, args } => self.call(name, args, span, place)?,
            ExprKind::Member(base, member) => {
                let base = super::call::unnamed(base, self.expr(base, place)?);
                self.path(base, Value::from(member.name.as_str()), &member.name, member.span, true)?
            }
            ExprKind::Index(base, index) => self.index(base, index, place)?,
            ExprKind::Negate(at, inner) => {
                let inner = self.expr(inner, place)?;
                self.negate(*at, inner)?
            }
            ExprKind::Logic { and, op, parts } => self.logic(*and, *op, parts, place)?,
            ExprKind::Binary { op, at, left, right } => {
                if matches!(left.kind, ExprKind::Star) {
                    let right = self.expr(right, place)?;
                    let mut any = self.any_column(*op, *at, &right, place.columns)?;
                    any.span = span;
                    return Some(any);
                }
                let (left, right) = (self.expr(left, place), self.expr(right, place));
                self.binary(*op, *at, left?, right?)?
            }
            ExprKind::In { op, at, left, list } => self.membership(*op, *at, left, list, place)?,
            ExprKind::Between { negated, at, left, low, high } => {
                let (value, low) = (self.expr(left, place), self.expr(low, place));
                let high = self.expr(high, place);
                self.between(*negated, *at, value?, low?, high?)?
            }
            ExprKind::Typeof(_) => {
                self.unsupported(span, "`typeof()` in this place");
                return None;
            }
            ExprKind::Pipeline(pipeline) => match self.pipeline_or_scalar(pipeline)? {
                Bound::Scalar(value) => value,
                Bound::Table(_) => {
                    self.error("KS005", span, "Expected: a scalar, not a table");
                    return None;
                }
            },
        };
        typed.span = span;
        Some(typed)
    }

    fn name(&mut self, name: &str, span: Span, place: &mut Place<'_>) -> Option<Typed> {
        if place.aggregates.is_some() {
            if place.columns.index(name).is_some() {
                let message = format!("The name '{name}' is not an aggregate or scalar function");
                self.found.push(
                    Diagnostic::error("KS236", span, message)
                        .help("group by the column, or take_any() of it"),
                );
                return None;
            }
        } else if let Some(at) = place.columns.index(name) {
            let ty = place.columns.columns.get(at).map_or(Type::Dynamic, |c| c.ty);
            return Some(Typed {
                expr: Expr::Column(at),
                ty,
                name: Some(name.to_owned()),
                is_column: true,
                span,
            });
        }
        match lookup(&self.scope, name) {
            Some(Entry::Scalar(value)) => {
                Some(Typed { name: Some(name.to_owned()), is_column: true, span, ..value })
            }
            Some(Entry::Table(_)) => {
                let message = format!("The name '{name}' is a table, a scalar is expected here");
                self.error("KS108", span, message);
                None
            }
            Some(Entry::Function(function)) if function.needs_no_argument() => {
                let ident = Ident { name: name.to_owned(), span };
                self.call(&ident, &[], span, place)
            }
            None if self.catalog.schema(name).is_some() => {
                let message = format!("The name '{name}' is a table, a scalar is expected here");
                self.error("KS108", span, message);
                None
            }
            Some(Entry::Function(_)) => {
                let message = format!("The function '{name}' requires an argument list");
                self.error("KS117", span, message);
                None
            }
            None => {
                self.unknown_name(place.columns, name, span);
                None
            }
        }
    }

    pub(super) fn path(
        &mut self,
        base: Typed,
        step: Value,
        text: &str,
        at: Span,
        by_dot: bool,
    ) -> Option<Typed> {
        if base.ty != Type::Dynamic {
            if by_dot {
                let message = format!(
                    "The name '{text}' does not refer to any known column, table, variable or function"
                );
                self.error("KS142", at, message);
            } else {
                self.error(
                    "KS147",
                    at,
                    "The element access operator [] is not allowed in this context",
                );
            }
            return None;
        }
        let name = match &base.name {
            Some(base) => Some(format!("{base}_{text}")),
            None => Some(text.to_owned()).filter(|text| !text.is_empty()),
        };
        let eval: Eval = Arc::new(move |args| dynamic::access(args.value(0), &step));
        Some(Typed { name, ..made(eval, vec![base], Type::Dynamic) })
    }

    fn index(&mut self, base: &Ast, index: &Ast, place: &mut Place<'_>) -> Option<Typed> {
        if let Some(column) = self.column_of_several(base, index, place) {
            return column.ok();
        }
        let written = matches!(index.kind, ExprKind::Literal(..));
        let bound = self.expr(base, place).map(|value| super::call::unnamed(base, value));
        let (base, index) = (bound, self.expr(index, place));
        let (base, index) = (base?, index?);
        if let Some(step @ (Value::String(_) | Value::Long(_) | Value::Int(_))) = index.constant() {
            let (step, text) = (step.clone(), if written { step.text() } else { "".into() });
            return self.path(base, step, &text, index.span, false);
        }
        if base.ty == Type::Dynamic
            && !(index.ty.is_integer() || matches!(index.ty, Type::String | Type::Dynamic))
        {
            let message = "The expression must have one of the types: int, long or string";
            self.error("KS141", index.span, message);
            return None;
        }
        if base.ty != Type::Dynamic {
            self.error(
                "KS147",
                index.span,
                "The element access operator [] is not allowed in this context",
            );
            return None;
        }
        let name = base.name.as_ref().map(|n| format!("{n}_"));
        let eval: Eval = Arc::new(|args| match args.value(1) {
            Value::Dynamic(json) => {
                let step = json.as_str().map(Value::from).or(json.as_i64().map(Value::Long));
                dynamic::access(args.value(0), &Value::from(step))
            }
            step => dynamic::access(args.value(0), step),
        });
        Some(Typed { name, ..made(eval, vec![base, index], Type::Dynamic) })
    }

    fn logic(
        &mut self,
        and: bool,
        op: Span,
        parts: &[Ast],
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        let bound: Vec<Option<Typed>> = parts.iter().map(|p| self.expr(p, place)).collect();
        let bound: Vec<Typed> = bound.into_iter().collect::<Option<_>>()?;
        let as_truth = |value: Typed| match value.ty {
            Type::Dynamic => coerced(value, Type::Bool),
            _ => value,
        };
        let bound: Vec<Typed> = bound.into_iter().map(as_truth).collect();
        for pair in bound.windows(2) {
            if let [a, b] = pair
                && (a.ty != Type::Bool || b.ty != Type::Bool)
            {
                let word = if and { "and" } else { "or" };
                let message = format!(
                    "The operator '{word}' is not defined for the operand types {} and {}",
                    a.ty, b.ty
                );
                self.error("KS106", op, message);
                return None;
            }
        }
        let span = bound.iter().map(|b| b.span).reduce(Span::to).unwrap_or_default();
        let parts = bound.into_iter().map(|b| b.expr).collect();
        let expr = if and { Expr::And(parts) } else { Expr::Or(parts) };
        Some(Typed { expr: folded(expr), ty: Type::Bool, name: None, is_column: false, span })
    }

    fn membership(
        &mut self,
        op: InOp,
        at: Span,
        left: &Ast,
        list: &[Ast],
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        let left = self.expr(left, place);
        if let [single] = list {
            match self.table_operand(single) {
                Operand::Table(node) => return self.in_table(op, at, left?, node),
                Operand::Failed => return None,
                Operand::Scalar => {}
            }
        }
        let list: Vec<Option<Typed>> = list.iter().map(|item| self.expr(item, place)).collect();
        let (left, list) = (left?, list.into_iter().collect::<Option<Vec<_>>>()?);
        let textual = matches!(left.ty, Type::String | Type::Dynamic);
        match op {
            InOp::In { negated, folded } => {
                if folded {
                    self.only_text(&left)?;
                    for item in &list {
                        self.only_text(item)?;
                    }
                }
                self.in_list(left, list, negated, folded)
            }
            InOp::HasAny | InOp::HasAll => {
                let all = matches!(op, InOp::HasAll);
                if !textual {
                    let name = if all { "has_all" } else { "has_any" };
                    let other = list.first().map_or(Type::String, |i| i.ty);
                    let message = format!(
                        "The operator '{name}' is not defined for the operand types {} and {other}",
                        left.ty
                    );
                    self.error("KS106", at, message);
                    return None;
                }
                for item in &list {
                    self.only_text(item)?;
                }
                Some(super::compare::has_list(left, list, all))
            }
        }
    }

    fn only_text(&mut self, value: &Typed) -> Option<()> {
        if matches!(value.ty, Type::String | Type::Dynamic) {
            return Some(());
        }
        self.error("KS107", value.span, "A value of type string or dynamic expected");
        None
    }

    /// The rows an operand means, where it is a table rather than a scalar.
    fn table_operand(&mut self, ast: &Ast) -> Operand {
        let bound = match &ast.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline_or_scalar(pipeline),
            ExprKind::Name(name) => match lookup(&self.scope, name) {
                Some(Entry::Table(table)) => {
                    return self.read(table, ast.span).map_or(Operand::Failed, Operand::Table);
                }
                None if self.catalog.schema(name).is_some() => self.table(ast).map(Bound::Table),
                _ => return Operand::Scalar,
            },
            ExprKind::Call { name, .. }
                if matches!(lookup(&self.scope, &name.name), Some(Entry::Function(_))) =>
            {
                self.source_expr(ast)
            }
            _ => return Operand::Scalar,
        };
        match bound {
            Some(Bound::Table(node)) => Operand::Table(node),
            Some(Bound::Scalar(_)) => Operand::Scalar,
            None => Operand::Failed,
        }
    }

    fn in_table(&mut self, op: InOp, at: Span, left: Typed, node: Arc<Node>) -> Option<Typed> {
        let InOp::In { negated, folded } = op else {
            self.unsupported(at, "`has_any` and `has_all` of a table");
            return None;
        };
        let Some(first) = node.schema.columns.first() else {
            self.error("KS005", at, "Expected: a table with a column");
            return None;
        };
        let same = left.ty == first.ty || (left.ty.is_integer() && first.ty.is_integer());
        if !same || first.ty == Type::Dynamic || (folded && first.ty != Type::String) {
            let what = format!("comparing {} with a table of {} by 'in'", left.ty, first.ty);
            self.unsupported(at, &what);
            return None;
        }
        let cell = self.subquery(node, true);
        let span = left.span.to(at);
        let expr = Expr::InCell { left: Box::new(left.expr), cell, negated, folded };
        Some(Typed { expr, ty: Type::Bool, name: None, is_column: false, span })
    }

    pub(super) fn subquery(&mut self, node: Arc<Node>, set: bool) -> usize {
        if node.in_part {
            self.unsupported(node.span, "a single value of the rows of a part");
        }
        self.subqueries.push(Subquery { node, set });
        self.subqueries.len() - 1
    }

    /// An expression without a row around it.
    pub(super) fn alone(&mut self, ast: &Ast) -> Option<Typed> {
        self.expr(ast, &mut Place::row(&NO_COLUMNS))
    }
}

/// What stands to the right of `in`.
enum Operand {
    Table(Arc<Node>),
    Scalar,
    /// A table with an error, which is reported.
    Failed,
}

/// A constant, where the parts are.
pub(super) fn folded(expr: Expr) -> Expr {
    let constant = |part: &Expr| matches!(part, Expr::Const(_));
    let all = match &expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(constant),
        Expr::Compare { left, right, .. } => constant(left) && constant(right),
        Expr::InTexts { left, .. } => constant(left),
        _ => false,
    };
    if !all {
        return expr;
    }
    Expr::Const(expr.eval(&[], &RunState::of_nothing()))
}
