//! Sources and operators.

use super::expr::{Aggregates, NO_COLUMNS, Place, coerced};
use super::names::Names;
use super::{Binder, Bound, Entry, Typed, lookup, scope_names};
use crate::aggregates;
use crate::ast::{
    Arg, BinaryOp, Column, Expr as Ast, ExprKind, Ident, JoinKind, JoinOp, OpKind, Operator,
    Pipeline, RangeSource, SortKey as AstKey, Source, UnionOp,
};
use crate::diagnostics::{Diagnostic, Span};
use crate::functions::{conversion::to_type, nearest};
use crate::plan::{Expr, Node, Op, SortKey};
use crate::schema::{self, Schema};
use crate::value::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// A column of `project`, `extend` or `by`.
struct Given<'a> {
    written: Option<&'a Ident>,
    value: Typed,
    /// The expression has more columns than this.
    several: bool,
}

impl Binder<'_> {
    pub(super) fn pipeline_or_scalar(&mut self, pipeline: &Pipeline) -> Option<Bound> {
        match &pipeline.source {
            Source::Expr(expr) if pipeline.ops.is_empty() => self.source_expr(expr),
            _ => {
                let rows = self.leave_rows();
                let node = self.pipeline_of(pipeline);
                self.back_to_rows(rows);
                node.map(Bound::Table)
            }
        }
    }

    fn pipeline_of(&mut self, pipeline: &Pipeline) -> Option<Arc<Node>> {
        let mut node = match &pipeline.source {
            Source::Expr(expr) => self.table(expr)?,
            Source::Union(union, span) => self.union(None, union, *span)?,
            Source::Search(search, span) => self.search_source(search, *span)?,
            Source::Print(columns) => self.print(columns, pipeline.span)?,
            Source::Range(range) => self.range(range)?,
            Source::Datatable { columns, values, span } => {
                self.datatable(columns, values, *span)?
            }
        };
        for operator in &pipeline.ops {
            self.spend(operator.span)?;
            node = self.operator(node, operator)?;
        }
        Some(node)
    }

    /// A name or call that may be a table or a scalar.
    pub(super) fn source_expr(&mut self, ast: &Ast) -> Option<Bound> {
        match &ast.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline_or_scalar(pipeline),
            ExprKind::Name(name) => match lookup(&self.scope, name) {
                Some(Entry::Scalar(value)) => {
                    Some(Bound::Scalar(Typed { span: ast.span, ..value }))
                }
                Some(Entry::Table(table)) => self.read(table, ast.span).map(Bound::Table),
                Some(Entry::Function(function)) if function.needs_no_argument() => {
                    let name = Ident { name: name.clone(), span: ast.span };
                    self.call_let(&function, &name, &[], None)
                }
                None if self.catalog.schema(name).is_none() => {
                    self.column_index(&Schema::default(), name, ast.span);
                    None
                }
                _ => self.table(ast).map(Bound::Table),
            },
            ExprKind::Call { name, args } => {
                if name.name == "materialize" {
                    let [arg] = args.as_slice() else {
                        self.error(
                            "KS119",
                            name.span,
                            "The function 'materialize' expects 1 argument",
                        );
                        return None;
                    };
                    return match self.source_expr(&arg.value)? {
                        Bound::Table(node) => {
                            // A part's rows are others each time.
                            if node.in_part {
                                return Some(Bound::Table(node));
                            }
                            let schema = node.schema.clone();
                            self.node(schema, Op::Materialize(node), name.span).map(Bound::Table)
                        }
                        scalar @ Bound::Scalar(_) => Some(scalar),
                    };
                }
                if let Some(Entry::Function(function)) = lookup(&self.scope, &name.name) {
                    return self.call_let(&function, name, args, None);
                }
                self.alone(ast).map(Bound::Scalar)
            }
            _ => self.alone(ast).map(Bound::Scalar),
        }
    }

    /// A table by its name, a call or a pipeline.
    pub(super) fn table(&mut self, ast: &Ast) -> Option<Arc<Node>> {
        let ExprKind::Name(name) = &ast.kind else {
            if let ExprKind::Call { name, args } = &ast.kind {
                let known = name.name == "materialize"
                    || matches!(lookup(&self.scope, &name.name), Some(Entry::Function(_)));
                if let ("table", [Arg { value: Ast { kind: ExprKind::Literal(of, _), .. }, .. }]) =
                    (name.name.as_str(), args.as_slice())
                {
                    let kind = ExprKind::Name(of.text().to_string());
                    return self.table(&Ast { kind, span: ast.span, depth: 0 });
                }
                if !known {
                    let text = &name.name;
                    if matches!(
                        text.as_str(),
                        "table" | "workspace" | "database" | "cluster" | "app" | "adx"
                    ) {
                        self.unsupported(name.span, &format!("function `{text}`"));
                    } else {
                        let message =
                            format!("The name '{text}' does not refer to any known table function");
                        self.error("KS211", name.span, message);
                    }
                    return None;
                }
            }
            return match self.source_expr(ast)? {
                Bound::Table(node) => Some(node),
                Bound::Scalar(_) => {
                    self.error("KS111", ast.span, "A table is expected here, not a scalar");
                    None
                }
            };
        };
        match lookup(&self.scope, name) {
            Some(Entry::Table(table)) => return self.read(table, ast.span),
            Some(Entry::Scalar(_)) => {
                self.error(
                    "KS106",
                    ast.span,
                    format!("The name '{name}' is a scalar, a table is expected here"),
                );
                return None;
            }
            Some(Entry::Function(function)) if function.needs_no_argument() => {
                return match self.source_expr(ast)? {
                    Bound::Table(node) => Some(node),
                    Bound::Scalar(_) => {
                        self.error("KS111", ast.span, "A table is expected here, not a scalar");
                        None
                    }
                };
            }
            Some(Entry::Function(_)) => {
                self.error(
                    "KS117",
                    ast.span,
                    format!("The function '{name}' requires an argument list"),
                );
                return None;
            }
            None => {}
        }
        let Some(schema) = self.catalog.schema(name) else {
            let message = format!(
                "The name '{name}' does not refer to any known table, tabular variable or function"
            );
            let mut error = Diagnostic::error("KS204", ast.span, message);
            let names = scope_names(&self.scope);
            if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
                error = error.help(format!("did you mean `{near}`?"));
            }
            self.found.push(error);
            return None;
        };
        self.tables.insert(name.clone());
        self.node(schema, Op::Scan(name.clone()), ast.span)
    }

    fn print(&mut self, columns: &[Column], span: Span) -> Option<Arc<Node>> {
        let mut names = Names::default();
        let mut values = Vec::new();
        let mut sound = true;
        for (at, column) in columns.iter().enumerate() {
            let Some(mut outputs) = self.spread(column, &mut Place::row(&NO_COLUMNS)) else {
                sound = false;
                continue;
            };
            // Names leave out what they do not name; what has several columns names them.
            let several = outputs.len() > 1;
            if !column.names.is_empty() {
                outputs.truncate(column.names.len());
            }
            for (place, value) in outputs.into_iter().enumerate() {
                let name = match (column.names.get(place), &value.name) {
                    (Some(written), _) => self.column_name(&mut names, Some(written), &value),
                    (None, Some(name)) if several => Some(names.unique(name)),
                    _ => Some(names.unique(&format!("print_{at}"))),
                };
                match name {
                    Some(name) => names.push(name, value.ty),
                    None => sound = false,
                }
                values.push(value.expr);
            }
        }
        if !sound {
            return None;
        }
        self.node(names.schema(), Op::Rows(vec![values]), span)
    }

    fn range(&mut self, range: &RangeSource) -> Option<Arc<Node>> {
        let span = range.from.span;
        let (from, to) = (self.alone(&range.from), self.alone(&range.to));
        let step = self.alone(&range.step);
        let (from, to, step) = (from?, to?, step?);
        let ty = match (from.ty, to.ty, step.ty) {
            (Type::Int, Type::Int, Type::Int) => Type::Int,
            (a, b, c) if a.is_integer() && b.is_integer() && c.is_integer() => Type::Long,
            (a, b, c) if [a, b, c].iter().all(|t| t.is_integer() || *t == Type::Real) => Type::Real,
            (Type::Datetime, Type::Datetime, Type::Timespan) => Type::Datetime,
            (Type::Timespan, Type::Timespan, Type::Timespan) => Type::Timespan,
            (a, b, c) if [a, b, c].iter().all(|t| t.is_number()) => {
                self.unsupported(span, "a range of decimals");
                return None;
            }
            (Type::Dynamic, ..) | (_, Type::Dynamic, _) | (.., Type::Dynamic) => {
                let message = "The argument value must be summable: a number, timespan or datetime";
                self.error("KS138", span, message);
                return None;
            }
            (a, _, c) => {
                let message = format!(
                    "The operator 'range' is not defined for the operand types {a} and {c}"
                );
                self.error("KS106", step.span, message);
                return None;
            }
        };
        let op = if ty == Type::Real {
            let [from, to, step] = [from, to, step].map(|v| coerced(v, Type::Real).expr);
            Op::Range { from, to, step }
        } else {
            Op::Range { from: from.expr, to: to.expr, step: step.expr }
        };
        let name = range.name.name.as_str();
        if ty == Type::Int {
            let input = self.node(Schema::new([(name, Type::Long)]), op, span)?;
            let expr = Expr::Column(0);
            let value = Typed { expr, ty: Type::Long, name: None, is_column: true, span };
            let op = Op::Project(input, vec![coerced(value, ty).expr]);
            return self.node(Schema::new([(name, ty)]), op, span);
        }
        self.node(Schema::new([(name, ty)]), op, span)
    }

    fn datatable(
        &mut self,
        columns: &[(Ident, Type)],
        values: &[Ast],
        span: Span,
    ) -> Option<Arc<Node>> {
        let schema = Schema::new(columns.iter().map(|(name, ty)| (name.name.clone(), *ty)));
        if columns.is_empty() || !values.len().is_multiple_of(columns.len()) {
            let message = format!(
                "Incorrect number of data values. The values should appear in multiples of {}",
                columns.len()
            );
            self.error("KS173", span, message);
            return None;
        }
        let mut rows = Vec::new();
        for chunk in values.chunks(columns.len()) {
            let mut row = Vec::new();
            for (value, (_, ty)) in chunk.iter().zip(columns) {
                let value = self.alone(value)?;
                let Some(constant) = value.constant() else {
                    self.error("KS129", value.span, "The expression must be a constant");
                    return None;
                };
                let constant = if constant.is_null() { ty.missing() } else { constant.clone() };
                row.push(Expr::Const(to_type(&constant, *ty).unwrap_or_else(|| ty.missing())));
            }
            rows.push(row);
        }
        self.node(schema, Op::Rows(rows), span)
    }

    /// An operator over its input; window functions are columns of it, see `window.rs`.
    pub(super) fn operator_over(
        &mut self,
        input: Arc<Node>,
        operator: &Operator,
    ) -> Option<Arc<Node>> {
        let span = operator.span;
        match &operator.kind {
            OpKind::Where(test) => {
                let test = self.expr(test, &mut Place::row(&input.schema))?;
                if test.ty != Type::Bool {
                    self.error("KS141", test.span, "The expression must have the type bool");
                    return None;
                }
                self.node(input.schema.clone(), Op::Filter(input, test.expr), span)
            }
            OpKind::Project(columns) => self.project(input, columns, span),
            OpKind::Extend(columns) => self.extend(input, columns, span),
            OpKind::Serialize(columns) => {
                let node = self.extend(input, columns, span)?;
                self.node(node.schema.clone(), Op::Serialize(node), span)
            }
            OpKind::Stage(stage) => self.stage(input, stage, span),
            OpKind::Away(patterns) => self.away(input, patterns, false, span),
            OpKind::Keep(patterns) => self.away(input, patterns, true, span),
            OpKind::Rename(columns) => self.rename(input, columns, span),
            OpKind::Reorder(patterns) => self.reorder(input, patterns, span),
            OpKind::Summarize { aggregates, by } => self.summarize(input, aggregates, by, span),
            OpKind::Distinct(columns, star) => self.distinct(input, columns, *star, span),
            OpKind::Sort(keys) => {
                let keys: Vec<Option<SortKey>> =
                    keys.iter().map(|k| self.sort_key(k, &input.schema, false)).collect();
                let keys = keys.into_iter().collect::<Option<Vec<_>>>()?;
                self.node(input.schema.clone(), Op::Sort(input, keys), span)
            }
            OpKind::Top(count, key) => {
                let (count, key) = (self.whole(count), self.sort_key(key, &input.schema, true));
                self.node(input.schema.clone(), Op::Top(input, count?, key?), span)
            }
            OpKind::Take(count) => {
                let count = self.whole(count)?;
                self.node(input.schema.clone(), Op::Take(input, count), span)
            }
            OpKind::Count(name) => {
                let name = name.as_ref().map_or("Count", |n| n.name.as_str());
                self.node(Schema::new([(name, Type::Long)]), Op::Count(input), span)
            }
            OpKind::Union(union) => self.union(Some(input), union, span),
            OpKind::Join(join) => self.join(input, join, span),
            OpKind::Nothing => Some(input),
        }
    }

    pub(super) fn whole(&mut self, ast: &Ast) -> Option<Expr> {
        let count = self.alone(ast)?;
        if !count.ty.is_integer() {
            self.error("KS134", count.span, "The expression value must be an integer");
            return None;
        }
        Some(count.expr)
    }

    fn sort_key(&mut self, key: &AstKey, schema: &Schema, dynamic: bool) -> Option<SortKey> {
        let value = self.expr(&key.expr, &mut Place::row(schema))?;
        if !dynamic {
            self.not_dynamic(&value)?;
        } else if value.ty == Type::Dynamic {
            self.unsupported(value.span, "an order of dynamic values");
            return None;
        }
        Some(SortKey { expr: value.expr, ascending: key.ascending, nulls_first: key.nulls_first })
    }

    pub(super) fn not_dynamic(&mut self, value: &Typed) -> Option<()> {
        if value.ty != Type::Dynamic {
            return Some(());
        }
        self.found.push(
            Diagnostic::error(
                "KS116",
                value.span,
                "The value of type 'dynamic' is not allowed in this context",
            )
            .help("convert it: `tostring(…)`"),
        );
        None
    }

    pub(super) fn one_name(&mut self, column: &Column) -> Option<()> {
        if let [first, .., last] = column.names.as_slice() {
            if let ExprKind::Call { name, .. } = &column.expr.kind
                && crate::functions::find(&name.name).is_none()
                && crate::functions::known::is_function(&name.name)
            {
                self.unsupported(name.span, &format!("function `{}`", name.name));
                return None;
            }
            let message = "The expression does not have multiple named values";
            self.error("KS149", first.span.to(last.span), message);
            return None;
        }
        Some(())
    }

    /// Binds the expressions of columns, each with its name where one is written; `None` where one fails, after all have
    /// had their say.
    fn values<'a>(&mut self, columns: &'a [Column], schema: &Schema) -> Option<Vec<Given<'a>>> {
        let mut all = Some(Vec::new());
        for column in columns {
            match (self.spread(column, &mut Place::row(schema)), &mut all) {
                (Some(outputs), Some(all)) => {
                    let several = outputs.len() > 1;
                    let outputs = outputs.into_iter().enumerate();
                    all.extend(outputs.map(|(at, value)| Given {
                        written: column.names.get(at),
                        value,
                        several,
                    }));
                }
                _ => all = None,
            }
        }
        all
    }

    fn project(&mut self, input: Arc<Node>, columns: &[Column], span: Span) -> Option<Arc<Node>> {
        let values = self.values(columns, &input.schema)?;
        let mut names = Names::default();
        for given in &values {
            let name = self.column_name(&mut names, given.written, &given.value)?;
            names.push(name, given.value.ty);
        }
        let exprs = values.into_iter().map(|given| given.value.expr).collect();
        self.node(names.schema(), Op::Project(input, exprs), span)
    }

    fn extend(&mut self, input: Arc<Node>, columns: &[Column], span: Span) -> Option<Arc<Node>> {
        let values = self.values(columns, &input.schema)?;
        let mut schema = input.schema.clone();
        let mut exprs: Vec<Expr> = (0..schema.columns.len()).map(Expr::Column).collect();
        let mut places: HashMap<String, usize> =
            schema.names().enumerate().map(|(at, n)| (n.to_owned(), at)).collect();
        let mut names = Names::default();
        names.reserve(input.schema.names());
        for Given { written, value, several } in values {
            let name = match (written, &value.name) {
                (Some(written), _) => {
                    if !names.declare(&written.name) {
                        let message = format!(
                            "A column with the name '{}' is already declared",
                            written.name
                        );
                        self.error("KS171", written.span, message);
                        return None;
                    }
                    written.name.clone()
                }
                // A column by its own name changes nothing.
                (None, Some(name)) if value.is_column && places.contains_key(name) => continue,
                (None, Some(name)) if several => names.unique(name),
                (None, Some(name)) => name.clone(),
                (None, None) => names.free_unnamed(),
            };
            names.reserve(std::iter::once(name.as_str()));
            if let Some(at) = places.get(&name) {
                if let (Some(column), Some(expr)) =
                    (schema.columns.get_mut(*at), exprs.get_mut(*at))
                {
                    column.ty = value.ty;
                    *expr = value.expr;
                }
            } else {
                places.insert(name.clone(), exprs.len());
                schema.columns.push(schema::Column { name, ty: value.ty });
                exprs.push(value.expr);
            }
        }
        self.node(schema, Op::Project(input, exprs), span)
    }

    fn distinct(
        &mut self,
        input: Arc<Node>,
        columns: &[Column],
        star: Option<Span>,
        span: Span,
    ) -> Option<Arc<Node>> {
        let input = if let Some(star) = star {
            if input.schema.columns.iter().any(|c| c.ty == Type::Dynamic) {
                self.error(
                    "KS116",
                    star,
                    "The value of type 'dynamic' is not allowed in this context",
                );
                return None;
            }
            input
        } else {
            for given in &self.values(columns, &input.schema)? {
                self.not_dynamic(&given.value)?;
            }
            self.project(input, columns, span)?
        };
        self.node(input.schema.clone(), Op::Distinct(input), span)
    }

    fn summarize(
        &mut self,
        input: Arc<Node>,
        columns: &[Column],
        by: &[Column],
        span: Span,
    ) -> Option<Arc<Node>> {
        let mut names = Names::default();
        let keys = self.values(by, &input.schema);
        let mut sound = keys.is_some();
        let keys = keys.unwrap_or_default();
        let mut results = Vec::new();
        for Given { written, value: key, .. } in &keys {
            sound &= self.not_dynamic(key).is_some();
            let Some(name) = self.column_name(&mut names, *written, key) else {
                sound = false;
                continue;
            };
            names.push(name, key.ty);
            results.push(Expr::Column(results.len()));
        }
        let grouped = keys.iter().filter_map(|k| match k.value.expr {
            Expr::Column(at) => Some(at),
            _ => None,
        });
        let mut aggregates =
            Aggregates { calls: Vec::new(), next: keys.len(), grouped: grouped.collect() };
        for column in columns {
            let outputs = self.outputs(column, &input.schema, &mut aggregates);
            let Some(outputs) = outputs else {
                sound = false;
                continue;
            };
            if let Some(extra) = column.names.get(outputs.len()) {
                let message = "The name does not have a corresponding expression";
                self.error("KS150", extra.span, message);
                sound = false;
                continue;
            }
            for (at, value) in outputs.into_iter().enumerate() {
                let written = column.names.get(at);
                let value = Typed { is_column: false, ..value };
                let Some(name) = self.column_name(&mut names, written, &value) else {
                    sound = false;
                    continue;
                };
                names.push(name, value.ty);
                results.push(value.expr);
            }
        }
        if !sound {
            return None;
        }
        let keys = keys.into_iter().map(|k| k.value.expr).collect();
        let op = Op::Summarize { input, keys, calls: aggregates.calls, results };
        self.node(names.schema(), op, span)
    }

    /// The columns of one expression of `summarize`.
    pub(super) fn outputs(
        &mut self,
        column: &Column,
        schema: &Schema,
        aggregates: &mut Aggregates,
    ) -> Option<Vec<Typed>> {
        let mut place = Place { columns: schema, aggregates: Some(aggregates) };
        if let ExprKind::Call { name, args } = &column.expr.kind
            && let Some(aggregate) = aggregates::find(&name.name)
            && !matches!(lookup(&self.scope, &name.name), Some(Entry::Function(_)))
        {
            return self.aggregate(aggregate, name, args, &mut place);
        }
        self.spread(column, &mut place)
    }

    fn union(
        &mut self,
        first: Option<Arc<Node>>,
        union: &UnionOp,
        span: Span,
    ) -> Option<Arc<Node>> {
        let mut inputs: Vec<(Arc<Node>, String)> = Vec::new();
        if let Some(node) = first {
            let name = source_name(&node).unwrap_or_else(|| format!("union_arg{}", inputs.len()));
            inputs.push((node, name));
        }
        let mut sound = true;
        for ast in &union.tables {
            let before = self.found.len();
            let node = self.table(ast);
            let unknown = |d: &Diagnostic| matches!(d.code, "KS204" | "KS142");
            if union.fuzzy
                && node.is_none()
                && self.found.get(before..).is_some_and(|found| found.iter().all(unknown))
            {
                self.found.truncate(before);
                continue;
            }
            match node {
                Some(node) => {
                    let name =
                        source_name(&node).unwrap_or_else(|| format!("union_arg{}", inputs.len()));
                    inputs.push((node, name));
                }
                None => sound = false,
            }
        }
        if !sound {
            return None;
        }
        let source = union.source_column.as_ref().map(|c| c.name.as_str());
        self.union_of(inputs, union.inner, source, span)
    }

    fn join(&mut self, left: Arc<Node>, join: &JoinOp, span: Span) -> Option<Arc<Node>> {
        let right = self.table(&join.right)?;
        let mut keys = Vec::new();
        let mut dropped = Vec::new();
        let mut sound = true;
        let mut conditions: Vec<&Ast> = Vec::new();
        for on in &join.on {
            match &on.kind {
                ExprKind::Logic { and: true, parts, .. } => conditions.extend(parts),
                _ => conditions.push(on),
            }
        }
        for on in conditions {
            let Some((a, b)) = self.join_key(on, &left.schema, &right.schema) else {
                sound = false;
                continue;
            };
            dropped.push(b);
            let types = (
                left.schema.columns.get(a).map(|c| c.ty),
                right.schema.columns.get(b).map(|c| c.ty),
            );
            let (Some(x), Some(y)) = types else { continue };
            if x == Type::Dynamic || y == Type::Dynamic {
                self.unsupported(on.span, "a dynamic value as the key of a join");
                sound = false;
            } else if x == y || (x.is_integer() && y.is_integer()) {
                keys.push((Expr::Column(a), Expr::Column(b)));
            } else {
                let message = format!("Inconsistent data types for join keys: ({x}, {y})");
                self.error("KS242", on.span, message);
                sound = false;
            }
        }
        if !sound {
            return None;
        }
        let (schema, right_columns) = match join.kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti => (left.schema.clone(), Vec::new()),
            JoinKind::RightSemi | JoinKind::RightAnti => (right.schema.clone(), Vec::new()),
            _ => {
                let kept: Vec<usize> = (0..right.schema.columns.len())
                    .filter(|at| !(join.lookup && dropped.contains(at)))
                    .collect();
                let columns = kept.iter().filter_map(|at| right.schema.columns.get(*at));
                let mut names = Names::default();
                for column in &left.schema.columns {
                    names.push(column.name.clone(), column.ty);
                }
                names.reserve(left.schema.names());
                // A suffixed name is free on both sides.
                let clashing: Vec<&schema::Column> = columns.collect();
                names.reserve(clashing.iter().map(|c| c.name.as_str()));
                for column in clashing {
                    let clash = left.schema.index(&column.name).is_some();
                    let name = if clash { names.unique(&column.name) } else { column.name.clone() };
                    names.push(name, column.ty);
                }
                (names.schema(), kept)
            }
        };
        self.node(schema, Op::Join { kind: join.kind, left, right, keys, right_columns }, span)
    }

    /// `name` of both sides, or `$left.a == $right.b`.
    fn join_key(&mut self, on: &Ast, left: &Schema, right: &Schema) -> Option<(usize, usize)> {
        match &on.kind {
            ExprKind::Name(name) => match (left.index(name), right.index(name)) {
                (Some(a), Some(b)) => Some((a, b)),
                (None, None) => self.column_index(left, name, on.span).map(|a| (a, 0)),
                _ => {
                    let message =
                        format!("The column '{name}' must exist on both sides of the join");
                    self.error("KS145", on.span, message);
                    None
                }
            },
            ExprKind::Binary { op: BinaryOp::Eq, left: a, right: b, .. } => {
                let a = self.join_side(a, "$left", left);
                let b = self.join_side(b, "$right", right);
                Some((a?, b?))
            }
            _ => {
                let message = "The join condition must be either the name of a column common to both tables or in the \
                               form $left.<column> == $right.<column>";
                self.error("KS182", on.span, message);
                None
            }
        }
    }

    fn join_side(&mut self, side: &Ast, wanted: &str, schema: &Schema) -> Option<usize> {
        if let ExprKind::Member(base, member) = &side.kind
            && let ExprKind::Name(name) = &base.kind
            && name == wanted
        {
            return self.column_index(schema, &member.name, member.span);
        }
        let message = format!("The join condition operand must be: {wanted}.<column>");
        self.error("KS183", side.span, message);
        None
    }
}

/// The name that `withsource` shows.
pub(super) fn source_name(node: &Node) -> Option<String> {
    match &node.op {
        Op::Scan(table) | Op::Named(_, table) => Some(table.clone()),
        _ => None,
    }
}
