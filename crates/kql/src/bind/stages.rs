//! Operators of `ast/stages.rs` that are made of others: samples, top hitters, names for rows, `search` …

use super::expr::Place;
use super::{Binder, Bound, Entry, LetTable, Typed, lookup};
use crate::ast::stages::{Search, Stage};
use crate::ast::{Arg, BinaryOp, Expr as Ast, ExprKind, Ident};
use crate::diagnostics::Span;
use crate::functions::text_ops::{self, TextOp};
use crate::num;
use crate::plan::{AggregateCall, Expr, Node, Op, SortKey};
use crate::schema::{Column, Schema};
use crate::value::{Type, Value};
use std::sync::Arc;

/// Where `search` says which table a row is of; it is not searched itself.
const TABLE_COLUMN: &str = "$table";
/// What `search` calls rows that no table's name goes with.
const UNNAMED: &str = "search_arg0";

impl Binder<'_> {
    pub(super) fn stage(
        &mut self,
        input: Arc<Node>,
        stage: &Stage,
        span: Span,
    ) -> Option<Arc<Node>> {
        match stage {
            Stage::GetSchema(false) => self.get_schema(&input, span),
            Stage::GetSchema(true) => self.schema_text(&input, span),
            Stage::Consume => self.node(Schema::default(), Op::Rows(Vec::new()), span),
            // Any rows will do: the first.
            Stage::Sample(count) => {
                let count = self.whole(count)?;
                let schema = input.schema.clone();
                let node = self.node(schema, Op::Take(input, count), span)?;
                self.unordered(node, span)
            }
            Stage::SampleDistinct(count, of) => self.sample_distinct(input, count, of, span),
            Stage::Expand(expand) => self.expand(input, expand, span),
            Stage::Apply(expand, body) => self.apply(input, expand, body, span),
            Stage::Parse(parse) => self.parse(input, parse, span),
            Stage::ParseKv(parse) => self.parse_kv(input, parse, span),
            Stage::As(name, kept) => self.name_rows(input, name, *kept, span),
            Stage::Search(search) => {
                if let Some(tables) = &search.tables {
                    let at = tables.first().map_or(span, |t| t.span);
                    self.error("KS005", at, "Expected: no tables where rows are piped in");
                    return None;
                }
                self.search(vec![input], search, span)
            }
            Stage::TopNested(levels) => self.top_nested(input, levels, span),
            Stage::TopHitters { count, of, by } => {
                self.top_hitters(input, count, of, by.as_ref(), span)
            }
            Stage::Partition { by, body, native } => self.partition(input, by, body, *native, span),
            Stage::Invoke(name, args) => self.invoke(input, name, args),
        }
    }

    /// The same rows, in no order that the service would take as given.
    fn unordered(&mut self, node: Arc<Node>, span: Span) -> Option<Arc<Node>> {
        if !node.ordered {
            return Some(node);
        }
        let places = (0..node.schema.columns.len()).map(Some).collect();
        let schema = node.schema.clone();
        self.node(schema, Op::Union { inputs: vec![(node, places)], sources: None }, span)
    }

    fn get_schema(&mut self, input: &Node, span: Span) -> Option<Arc<Node>> {
        let schema = Schema::new([
            ("ColumnName", Type::String),
            ("ColumnOrdinal", Type::Long),
            ("DataType", Type::String),
            ("ColumnType", Type::String),
        ]);
        let rows = input.schema.columns.iter().enumerate().map(|(at, column)| {
            [
                Value::from(column.name.as_str()),
                Value::Long(num::len_to_long(at)),
                Value::from(runtime_type(column.ty)),
                Value::from(column.ty.name()),
            ]
            .map(Expr::Const)
            .to_vec()
        });
        let node = self.node(schema.clone(), Op::Rows(rows.collect()), span)?;
        self.node(schema, Op::Serialize(node), span)
    }

    /// `getschema kind=csl`: one text, as a table is created with.
    fn schema_text(&mut self, input: &Node, span: Span) -> Option<Arc<Node>> {
        let columns: Vec<String> =
            input.schema.columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
        let row = vec![Expr::Const(Value::from(columns.join(",")))];
        self.node(Schema::new([("Schema", Type::String)]), Op::Rows(vec![row]), span)
    }

    fn sample_distinct(
        &mut self,
        input: Arc<Node>,
        count: &Ast,
        of: &Ast,
        span: Span,
    ) -> Option<Arc<Node>> {
        let count = self.whole(count);
        let of = self.column_of(of, &input.schema)?;
        self.not_dynamic(&of)?;
        let schema = Schema::new([(of.name.unwrap_or_default(), of.ty)]);
        let node = self.node(schema.clone(), Op::Project(input, vec![of.expr]), span)?;
        let node = self.node(schema.clone(), Op::Distinct(node), span)?;
        self.node(schema, Op::Take(node, count?), span)
    }

    /// A column by its name.
    pub(super) fn column_of(&mut self, ast: &Ast, schema: &Schema) -> Option<Typed> {
        let value = self.expr(ast, &mut Place::row(schema))?;
        if !value.is_column {
            self.error("KS109", value.span, "Column name expected");
            return None;
        }
        Some(value)
    }

    fn top_hitters(
        &mut self,
        input: Arc<Node>,
        count: &Ast,
        of: &Ast,
        by: Option<&Ast>,
        span: Span,
    ) -> Option<Arc<Node>> {
        let count = self.whole(count);
        let of = self.column_of(of, &input.schema)?;
        let key_name = of.name.unwrap_or_default();
        let (aggregate, args, types, named) = match by {
            None => ("count", Vec::new(), Vec::new(), ("count", key_name.clone())),
            Some(by) => {
                let by = self.expr(by, &mut Place::row(&input.schema))?;
                if !by.ty.is_number() {
                    self.error("KS137", by.span, "The expression value must be a number");
                    return None;
                }
                let name = by.name.clone().unwrap_or_default();
                ("sum", vec![by.expr], vec![by.ty], ("sum", name))
            }
        };
        let factory = self.factory(aggregate, &types, span)?;
        let ty = types.first().copied().unwrap_or(Type::Long);
        let result = match ty {
            // The sum of ints is counted as long and shown as int.
            Type::Int => {
                super::expr::coerced(
                    Typed {
                        expr: Expr::Column(1),
                        ty: Type::Long,
                        name: None,
                        is_column: false,
                        span,
                    },
                    Type::Int,
                )
                .expr
            }
            _ => Expr::Column(1),
        };
        let schema =
            Schema::new([(key_name, of.ty), (format!("approximate_{}_{}", named.0, named.1), ty)]);
        let op = Op::Summarize {
            input,
            keys: vec![of.expr],
            calls: vec![AggregateCall { factory, args, types: vec![ty] }],
            results: vec![Expr::Column(0), result],
        };
        let node = self.node(schema.clone(), op, span)?;
        let key = SortKey { expr: Expr::Column(1), ascending: false, nulls_first: false };
        self.node(schema, Op::Top(node, count?, key), span)
    }

    fn name_rows(
        &mut self,
        input: Arc<Node>,
        name: &Ident,
        kept: bool,
        span: Span,
    ) -> Option<Arc<Node>> {
        let schema = input.schema.clone();
        // A part's rows are others each time.
        let input = if kept && !input.in_part {
            self.node(schema.clone(), Op::Materialize(input), span)?
        } else {
            input
        };
        let node = self.node(schema, Op::Named(input, name.name.clone()), span)?;
        let table = LetTable { node: Arc::clone(&node), anew: None };
        self.declare(&name.name, Entry::Table(table));
        Some(node)
    }

    fn invoke(&mut self, input: Arc<Node>, name: &Ident, args: &[Arg]) -> Option<Arc<Node>> {
        let Some(Entry::Function(function)) = lookup(&self.scope, &name.name) else {
            let message = format!("The name '{}' does not refer to any known function", name.name);
            self.error("KS211", name.span, message);
            return None;
        };
        // The rows are the first argument, under a name that the query cannot say.
        let outer = self.scope.clone();
        let hidden = "\0rows";
        self.declare(hidden, Entry::Table(LetTable { node: input, anew: None }));
        let rows = Ast { kind: ExprKind::Name(hidden.to_owned()), span: name.span, depth: 0 };
        let mut all = vec![Arg { name: None, value: rows }];
        all.extend(args.iter().cloned());
        let bound = self.call_let(&function, name, &all, None);
        self.scope = outer;
        match bound? {
            Bound::Table(node) => Some(node),
            Bound::Scalar(value) => {
                self.error("KS106", value.span, "A table is expected here, not a scalar");
                None
            }
        }
    }

    /// `search in (…)` at the start of a query.
    pub(super) fn search_source(&mut self, search: &Search, span: Span) -> Option<Arc<Node>> {
        let Some(tables) = &search.tables else {
            self.unsupported(span, "`search` over all tables");
            return None;
        };
        let mut inputs = Some(Vec::new());
        for table in tables {
            match (self.table(table), &mut inputs) {
                (Some(node), Some(inputs)) => {
                    // A `let` table has the name it is known by.
                    let node = match (&node.op, &table.kind) {
                        (Op::Scan(_) | Op::Named(..), _) => node,
                        (_, ExprKind::Name(name)) => {
                            let schema = node.schema.clone();
                            self.node(schema, Op::Named(node, name.clone()), table.span)?
                        }
                        _ => node,
                    };
                    inputs.push(node);
                }
                _ => inputs = None,
            }
        }
        self.search(inputs?, search, span)
    }

    fn search(&mut self, inputs: Vec<Arc<Node>>, search: &Search, span: Span) -> Option<Arc<Node>> {
        let single = inputs.len() == 1;
        let ordered = single && inputs.iter().all(|input| input.ordered);
        let named = inputs.into_iter().enumerate().map(|(at, input)| {
            let name = super::pipeline::source_name(&input).unwrap_or_else(|| {
                if single { UNNAMED.to_owned() } else { format!("search_arg{at}") }
            });
            (input, name)
        });
        let node = self.union_of(named.collect(), false, Some(TABLE_COLUMN), span)?;
        let test = self.search_test(&search.test, &node.schema, search.case_sensitive)?;
        if test.ty != Type::Bool {
            self.error("KS141", test.span, "The expression must have the type bool");
            return None;
        }
        let node = self.node(node.schema.clone(), Op::Filter(node, test.expr), span)?;
        if !ordered {
            return Some(node);
        }
        self.node(node.schema.clone(), Op::Serialize(node), span)
    }

    /// Texts that stand alone are looked for in all columns.
    fn search_test(&mut self, ast: &Ast, schema: &Schema, exact: bool) -> Option<Typed> {
        let bool_of =
            |expr| Typed { expr, ty: Type::Bool, name: None, is_column: false, span: ast.span };
        match &ast.kind {
            ExprKind::Star => Some(bool_of(Expr::Const(Value::Bool(true)))),
            ExprKind::Literal(Value::String(term), Type::String) => {
                let Some((op, text)) = term_of(term, exact) else {
                    return Some(bool_of(Expr::Const(Value::Bool(true))));
                };
                let right = literal(&text, ast.span);
                self.any_column(BinaryOp::Text(op), ast.span, &right, schema)
            }
            ExprKind::Logic { and, parts, .. } => {
                let parts: Vec<Option<Typed>> =
                    parts.iter().map(|p| self.search_test(p, schema, exact)).collect();
                let parts: Vec<Typed> = parts.into_iter().collect::<Option<_>>()?;
                for part in &parts {
                    if part.ty != Type::Bool {
                        self.error("KS107", part.span, "A value of type bool expected");
                        return None;
                    }
                }
                let parts = parts.into_iter().map(|p| p.expr).collect();
                let expr = if *and { Expr::And(parts) } else { Expr::Or(parts) };
                Some(bool_of(super::expr::folded(expr)))
            }
            ExprKind::Call { name, args } if name.name == "not" && args.len() == 1 => {
                let inner = self.search_test(&args.first()?.value, schema, exact)?;
                let negated = self.not(inner, ast.span)?;
                Some(negated)
            }
            ExprKind::Binary { op: BinaryOp::Term, at, left, right } => {
                let ExprKind::Literal(Value::String(term), Type::String) = &right.kind else {
                    self.unsupported(right.span, "a search term that is no text");
                    return None;
                };
                let Some((op, text)) = term_of(term, exact) else {
                    return Some(bool_of(Expr::Const(Value::Bool(true))));
                };
                let left = self.expr(left, &mut Place::row(schema))?;
                if !matches!(left.ty, Type::String | Type::Dynamic) {
                    let message = format!(
                        "The operator ':' is not defined for the operand types {} and string",
                        left.ty
                    );
                    self.error("KS106", *at, message);
                    return None;
                }
                self.binary(BinaryOp::Text(op), *at, left, literal(&text, right.span))
            }
            ExprKind::Binary { op: BinaryOp::Text(op), at, left, right } if exact => {
                let op = exact_of(op);
                let right = self.expr(right, &mut Place::row(schema))?;
                if matches!(left.kind, ExprKind::Star) {
                    return self.any_column(BinaryOp::Text(op), *at, &right, schema);
                }
                let left = self.expr(left, &mut Place::row(schema))?;
                self.binary(BinaryOp::Text(op), *at, left, right)
            }
            _ => self.expr(ast, &mut Place::row(schema)),
        }
    }

    fn not(&mut self, value: Typed, span: Span) -> Option<Typed> {
        if value.ty != Type::Bool {
            self.error("KS107", value.span, "A value of type bool expected");
            return None;
        }
        let eval: crate::functions::Eval = Arc::new(|args: &[Value]| {
            Value::from(args.first().and_then(Value::as_bool).map(|b| Value::Bool(!b)))
        });
        Some(Typed { span, ..super::expr::made(eval, vec![value], Type::Bool) })
    }

    /// `* has "term"`: true where it is of any column. Texts are looked for in all columns, other values in those
    /// of their type.
    pub(super) fn any_column(
        &mut self,
        op: BinaryOp,
        at: Span,
        right: &Typed,
        schema: &Schema,
    ) -> Option<Typed> {
        let as_text = matches!(op, BinaryOp::Text(_));
        if !as_text && !matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            self.error("KS006", at, "Missing expression");
            return None;
        }
        let mut parts = Vec::new();
        for (place, Column { name, ty }) in schema.columns.iter().enumerate() {
            if super::window::is_hidden(name) || name == TABLE_COLUMN {
                continue;
            }
            let column = Typed {
                expr: Expr::Column(place),
                ty: *ty,
                name: None,
                is_column: false,
                span: at,
            };
            let left = if as_text {
                super::parse::as_text(column)
            } else if *ty == right.ty || ty.is_number() && right.ty.is_number() {
                column
            } else {
                continue;
            };
            parts.push(self.binary(op, at, left, right.clone())?.expr);
        }
        let expr = match parts.len() {
            0 => Expr::Const(Value::Bool(false)),
            _ => super::expr::folded(Expr::Or(parts)),
        };
        Some(Typed { expr, ty: Type::Bool, name: None, is_column: false, span: at })
    }

    /// An aggregate by its name, over arguments of these types.
    fn factory(
        &mut self,
        name: &str,
        types: &[Type],
        span: Span,
    ) -> Option<crate::aggregates::Factory> {
        let aggregate = crate::aggregates::find(name)?;
        let consts = vec![None; types.len()];
        let prepare = crate::functions::Prepare { types, consts: &consts, now: self.now };
        if let Ok(factory) = (aggregate.make)(&prepare) {
            return Some(factory);
        }
        self.unsupported(span, &format!("`{name}` of these values"));
        None
    }
}

fn literal(text: &str, span: Span) -> Typed {
    let expr = Expr::Const(Value::from(text));
    Typed { expr, ty: Type::String, name: None, is_column: false, span }
}

/// What a term with `*` at its ends asks; nothing: it fits anything.
fn term_of(term: &str, exact: bool) -> Option<(&'static TextOp, String)> {
    let (left, right) = (term.starts_with('*'), term.ends_with('*'));
    let inner = term.trim_matches('*');
    if inner.is_empty() && left {
        return None;
    }
    let (name, text) = if inner.contains('*') {
        let start = if left { "" } else { r"\b" };
        let end = if right { "" } else { r"\b" };
        let parts: Vec<String> = inner.split('*').map(regex::escape).collect();
        let case = if exact { "" } else { "(?i)" };
        ("matches regex", format!("{case}{start}{}{end}", parts.join(".*")))
    } else {
        let name = match (left, right) {
            (false, false) => "has",
            (false, true) => "hasprefix",
            (true, false) => "hassuffix",
            (true, true) => "contains",
        };
        (name, inner.to_owned())
    };
    let op = text_ops::find(name)?;
    Some((if exact { exact_of(op) } else { op }, text))
}

/// The operator that heeds case.
fn exact_of(op: &'static TextOp) -> &'static TextOp {
    text_ops::find(&format!("{}_cs", op.name)).unwrap_or(op)
}

/// The name of a type in the service's runtime.
fn runtime_type(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "System.SByte",
        Type::Int => "System.Int32",
        Type::Long => "System.Int64",
        Type::Real => "System.Double",
        Type::Decimal => "System.Data.SqlTypes.SqlDecimal",
        Type::String => "System.String",
        Type::Datetime => "System.DateTime",
        Type::Timespan => "System.TimeSpan",
        Type::Dynamic => "System.Object",
        Type::Guid => "System.Guid",
    }
}
