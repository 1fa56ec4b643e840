//! Syntax to plan: names, types, and what Kusto's own binder refuses.
//!
//! Everything that can be said about a query is said: a failing part yields `None`, its neighbours are still bound.

mod arithmetic;
pub(crate) mod bin_auto;
mod call;
mod compare;
mod expand;
mod expr;
mod function;
mod names;
mod parse;
mod pipeline;
mod several;
mod shape;
mod stages;
mod top_nested;
mod window;

use crate::ast::{LetValue, Param, Pipeline, Statement};
use crate::diagnostics::{Diagnostic, Diagnostics, Span, TOO_COMPLEX};
use crate::needs::Needs;
use crate::plan::{Expr, Limits, Node, Op, Plan, Subquery};
use crate::schema::{Catalog, Schema};
use crate::value::Type;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Nodes that one query may bind; calls of `let` functions bind their body anew.
const MAX_WORK: usize = 200_000;
/// Findings after which no more are looked for.
const MAX_FINDINGS: usize = 100;
/// Statements of one query.
const MAX_STATEMENTS: usize = 1_000;
/// Operators below one another, over all `let` tables.
const MAX_NODES_DEEP: usize = 400;
/// Calls of `let` functions inside one another.
const MAX_CALLS_DEEP: usize = 16;

/// A scalar expression with its type.
#[derive(Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
    /// What an unnamed column of the expression is called.
    pub(crate) name: Option<String>,
    /// The expression is a column by its name.
    pub(crate) is_column: bool,
    pub(crate) span: Span,
}

impl Typed {
    pub(crate) fn constant(&self) -> Option<&crate::value::Value> {
        match &self.expr {
            Expr::Const(value) => Some(value),
            _ => None,
        }
    }
}

/// What a `let` name stands for.
#[derive(Clone)]
enum Entry {
    Scalar(Typed),
    Table(LetTable),
    Function(Rc<Function>),
}

/// A named table. It is bound anew for each of its readers, so that each of them tells it what it needs; one that is
/// materialized, or an argument, is the same for all.
#[derive(Clone)]
struct LetTable {
    node: Arc<Node>,
    anew: Option<Rc<Anew>>,
}

struct Anew {
    pipeline: Pipeline,
    /// The names that were there before the table's.
    scope: Scope,
    /// The first reader has the node that was bound where the name was given.
    read: Cell<bool>,
}

struct Function {
    params: Vec<Param>,
    body: Vec<Statement>,
    /// The closing brace.
    end: Span,
    /// The names that were there before the function.
    scope: Scope,
}

/// The `let` names, the latest first. Shared, so that a function keeps the names it saw.
type Scope = Option<Rc<ScopeNode>>;

struct ScopeNode {
    name: String,
    entry: Entry,
    parent: Scope,
}

fn lookup(scope: &Scope, name: &str) -> Option<Entry> {
    let mut at = scope.as_ref();
    while let Some(node) = at {
        if node.name == name {
            return Some(node.entry.clone());
        }
        at = node.parent.as_ref();
    }
    None
}

fn scope_names(scope: &Scope) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = scope.as_ref();
    while let Some(node) = at {
        names.push(node.name.clone());
        at = node.parent.as_ref();
    }
    names
}

/// A table or a scalar.
enum Bound {
    Table(Arc<Node>),
    Scalar(Typed),
}

pub(crate) struct Binder<'a> {
    catalog: &'a dyn Catalog,
    now: i64,
    found: Vec<Diagnostic>,
    subqueries: Vec<Subquery>,
    tables: BTreeSet<String>,
    scope: Scope,
    work: usize,
    calls: usize,
    windows: window::Windows,
    /// Bodies of `mv-apply` and `partition` around the place that is being bound.
    bodies: usize,
}

/// Binds a parsed query.
pub(crate) fn bind(
    statements: &[Statement],
    text: &str,
    catalog: &dyn Catalog,
    now: i64,
    params: &[(&str, Type)],
) -> Result<Plan, Diagnostics> {
    let mut binder = Binder {
        catalog,
        now,
        found: Vec::new(),
        subqueries: Vec::new(),
        tables: BTreeSet::new(),
        scope: None,
        work: 0,
        calls: 0,
        windows: window::Windows::default(),
        bodies: 0,
    };
    for (at, (name, ty)) in params.iter().enumerate() {
        let (expr, span) = (Expr::Param(at), Span::new(0, 0));
        let value = Typed { expr, ty: *ty, name: None, is_column: false, span };
        binder.declare(name, Entry::Scalar(value));
    }
    let root = binder.query(statements, Span::new(text.len(), 0));
    let needs = root.as_ref().map(|root| Arc::new(Needs::of(root, &binder.subqueries, &[])));
    let needs = needs.unwrap_or_default();
    match root {
        Some(root) if binder.found.is_empty() => Ok(Plan {
            root,
            tables: binder.tables.into_iter().collect(),
            subqueries: binder.subqueries,
            limits: Limits::default(),
            needs,
            params: params.iter().map(|(_, ty)| *ty).collect(),
        }),
        _ => Err(Diagnostics::new(binder.found)),
    }
}

impl Binder<'_> {
    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.found.push(Diagnostic::error(code, span, message));
    }

    fn unsupported(&mut self, span: Span, what: &str) {
        self.found.push(Diagnostic::lacking(span, what));
    }

    /// Counts a step of work; `None` once a query has had its share.
    fn spend(&mut self, span: Span) -> Option<()> {
        self.work += 1;
        if self.work == MAX_WORK {
            self.error(TOO_COMPLEX, span, "The query is too large");
        }
        (self.work < MAX_WORK && self.found.len() < MAX_FINDINGS).then_some(())
    }

    fn query(&mut self, statements: &[Statement], end: Span) -> Option<Arc<Node>> {
        match self.statements(statements, end)? {
            Bound::Table(node) => Some(node),
            Bound::Scalar(value) => {
                self.unsupported(value.span, "a query that is a single value");
                None
            }
        }
    }

    /// The value of the last statement, the `let`s before it in scope.
    fn statements(&mut self, statements: &[Statement], end: Span) -> Option<Bound> {
        if statements.len() > MAX_STATEMENTS {
            self.error(
                TOO_COMPLEX,
                end,
                format!("The query has more than {MAX_STATEMENTS} statements"),
            );
            return None;
        }
        let mut names = BTreeSet::new();
        let mut result = None;
        let mut queries = 0;
        for statement in statements {
            match statement {
                Statement::Let(name, value) => {
                    if !names.insert(name.name.clone()) {
                        let message = format!(
                            "A variable with the name '{}' has already been declared",
                            name.name
                        );
                        self.error("KS201", name.span, message);
                    }
                    let entry = match value {
                        LetValue::Pipeline(pipeline) => match self.pipeline_or_scalar(pipeline) {
                            Some(Bound::Table(node)) => {
                                Some(Entry::Table(self.let_table(node, pipeline)))
                            }
                            Some(Bound::Scalar(value)) => Some(Entry::Scalar(value)),
                            None => None,
                        },
                        LetValue::Function { params, body, end } => {
                            let function = Rc::new(Function {
                                params: params.clone(),
                                body: body.clone(),
                                end: *end,
                                scope: self.scope.clone(),
                            });
                            self.checked(&function).map(|()| Entry::Function(function))
                        }
                    };
                    // Names after a failed `let` would only repeat its failure.
                    let entry = entry?;
                    self.declare(&name.name, entry);
                }
                Statement::Parameters(params) => self.query_parameters(params)?,
                Statement::Option(name, value, ty) => self.set_option(name, value, *ty),
                Statement::Nothing => {}
                Statement::Query(pipeline) => {
                    queries += 1;
                    if queries > 1 {
                        self.unsupported(pipeline.span, "a text of more than one query");
                        return None;
                    }
                    result = Some(self.pipeline_or_scalar(pipeline));
                }
            }
        }
        if result.is_none() {
            self.error("KS005", end, "Expected: a query");
        }
        result.flatten()
    }

    fn let_table(&self, node: Arc<Node>, pipeline: &Pipeline) -> LetTable {
        let anew = (!node.keeps_rows()).then(|| {
            let (pipeline, scope) = (pipeline.clone(), self.scope.clone());
            Rc::new(Anew { pipeline, scope, read: Cell::new(false) })
        });
        LetTable { node, anew }
    }

    /// The rows of a named table for one more reader.
    fn read(&mut self, table: LetTable, span: Span) -> Option<Arc<Node>> {
        let Some(anew) = table.anew.filter(|anew| anew.read.replace(true)) else {
            return Some(table.node);
        };
        self.spend(span)?;
        let outer = std::mem::replace(&mut self.scope, anew.scope.clone());
        let bound = self.pipeline_or_scalar(&anew.pipeline);
        self.scope = outer;
        match bound? {
            Bound::Table(node) => Some(node),
            Bound::Scalar(_) => Some(table.node),
        }
    }

    fn declare(&mut self, name: &str, entry: Entry) {
        let parent = self.scope.take();
        self.scope = Some(Rc::new(ScopeNode { name: name.to_owned(), entry, parent }));
    }

    fn node(&mut self, schema: Schema, op: Op, span: Span) -> Option<Arc<Node>> {
        let mut node =
            Node { schema, op, span, depth: 0, weight: 1, ordered: false, in_part: false };
        let inputs = node.inputs();
        let depth = 1 + inputs.iter().map(|input| input.depth).max().unwrap_or(0);
        let weight = inputs.iter().map(|i| i.weight).fold(1, usize::saturating_add);
        let in_part = matches!(node.op, Op::Part)
            || match &node.op {
                // Its body's part is its own.
                Op::Apply(apply) => apply.input.in_part || self.bodies > 0,
                _ => inputs.iter().any(|input| input.in_part),
            };
        let ordered = window::is_ordered(&node.op);
        if weight > MAX_WORK {
            self.error(TOO_COMPLEX, span, "The query is too large");
            return None;
        }
        if depth > MAX_NODES_DEEP {
            self.error(
                TOO_COMPLEX,
                span,
                format!("More than {MAX_NODES_DEEP} operators follow one another"),
            );
            return None;
        }
        node.depth = depth;
        node.weight = weight;
        node.ordered = ordered;
        node.in_part = in_part;
        Some(Arc::new(node))
    }
}
