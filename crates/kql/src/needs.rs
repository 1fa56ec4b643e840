//! What a plan needs of the tables it reads: which columns, and which stretch of a datetime column.
//!
//! A table may leave out the rest. It need not: what it gives too much of is dropped by the operators anyway.

use crate::ast::JoinKind;
use crate::plan::{Comparison, Expr, Node, NodeId, Op, Subquery};
use crate::value::{Type, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a query needs of a table, see [`Tables::scan_for`](crate::Tables::scan_for).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// For each column whether its values matter; others may be null.
    pub columns: Vec<bool>,
    /// Rows outside of any of these bounds do not matter.
    pub bounds: Vec<Bounds>,
}

/// A stretch of a datetime column: from the first tick to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Place of the column.
    pub column: usize,
    /// The first tick inside.
    pub from: i64,
    /// The last tick inside.
    pub last: i64,
}

/// What the scans of a plan need.
#[derive(Debug, Default)]
pub(crate) struct Needs(HashMap<NodeId, Wanted>);

impl Needs {
    pub(crate) fn of(root: &Arc<Node>, subqueries: &[Subquery]) -> Self {
        let mut walk = Walk { columns: BTreeMap::new(), bounds: HashMap::new(), order: Vec::new() };
        // Every node after all that read it: what they need is known when its turn comes.
        walk.visit(root);
        walk.need_all(root);
        walk.agree(root, Vec::new());
        for subquery in subqueries {
            walk.visit(&subquery.node);
            walk.need(&subquery.node, 0);
            walk.agree(&subquery.node, Vec::new());
        }
        walk.spread();
        Self(walk.wanted())
    }

    pub(crate) fn scan(&self, node: &Node) -> Option<&Wanted> {
        self.0.get(&node.id())
    }
}

struct Walk<'a> {
    /// The nodes, inputs before those that read them.
    order: Vec<&'a Arc<Node>>,
    columns: BTreeMap<NodeId, Vec<bool>>,
    /// For each node, the bounds that all of its readers agree to.
    bounds: HashMap<NodeId, Vec<Bounds>>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, node: &'a Arc<Node>) {
        if self.columns.contains_key(&node.id()) {
            return;
        }
        self.columns.insert(node.id(), vec![false; node.schema.columns.len()]);
        for input in node.inputs() {
            self.visit(input);
        }
        self.order.push(node);
    }

    fn need(&mut self, node: &Node, column: usize) {
        if let Some(needed) = self.columns.get_mut(&node.id()).and_then(|c| c.get_mut(column)) {
            *needed = true;
        }
    }

    fn need_each(&mut self, node: &Node, columns: &[usize]) {
        for column in columns {
            self.need(node, *column);
        }
    }

    fn need_all(&mut self, node: &Node) {
        if let Some(columns) = self.columns.get_mut(&node.id()) {
            columns.fill(true);
        }
    }

    fn need_in(&mut self, node: &Node, expr: &Expr) {
        expr.columns(&mut |column| self.need(node, column));
    }

    fn spread(&mut self) {
        for node in std::mem::take(&mut self.order).into_iter().rev() {
            let needed = self.columns.get(&node.id()).cloned().unwrap_or_default();
            let needed: Vec<usize> =
                needed.iter().enumerate().filter(|(_, n)| **n).map(|(at, _)| at).collect();
            self.pass_columns(node, &needed);
            self.pass_bounds(node);
            self.order.push(node);
        }
    }

    fn pass_columns(&mut self, node: &Node, needed: &[usize]) {
        match &node.op {
            Op::Filter(input, test) => {
                self.need_each(input, needed);
                self.need_in(input, test);
            }
            Op::Project(input, exprs) => {
                for expr in needed.iter().filter_map(|at| exprs.get(*at)) {
                    self.need_in(input, expr);
                }
            }
            Op::Summarize { input, keys, calls, .. } => {
                let args = calls.iter().flat_map(|call| &call.args);
                for expr in keys.iter().chain(args) {
                    self.need_in(input, expr);
                }
            }
            Op::Sort(input, keys) => {
                self.need_each(input, needed);
                for key in keys {
                    self.need_in(input, &key.expr);
                }
            }
            Op::Top(input, _, key) => {
                self.need_each(input, needed);
                self.need_in(input, &key.expr);
            }
            Op::Take(input, _) => self.need_each(input, needed),
            Op::Count(_) => {}
            Op::Join { kind, left, right, keys, right_columns } => {
                for (a, b) in keys {
                    self.need_in(left, a);
                    self.need_in(right, b);
                }
                let width = left.schema.columns.len();
                for at in needed {
                    match (kind, at.checked_sub(width)) {
                        (JoinKind::RightSemi | JoinKind::RightAnti, _) => self.need(right, *at),
                        (_, None) => self.need(left, *at),
                        (_, Some(at)) => {
                            if let Some(at) = right_columns.get(at) {
                                self.need(right, *at);
                            }
                        }
                    }
                }
            }
            Op::Union { inputs, .. } => {
                for (input, places) in inputs {
                    for at in needed.iter().filter_map(|at| places.get(*at).copied().flatten()) {
                        self.need(input, at);
                    }
                }
            }
            // Whatever is not said to need less needs all.
            _ => {
                for input in node.inputs() {
                    self.need_all(input);
                }
            }
        }
    }

    /// Tells the inputs which rows this node drops anyway.
    fn pass_bounds(&mut self, node: &Node) {
        let mut own = self.bounds.remove(&node.id()).unwrap_or_default();
        match &node.op {
            Op::Scan(_) => {
                self.bounds.insert(node.id(), own);
            }
            Op::Filter(input, test) => {
                collect(test, input, &mut own);
                self.agree(input, own);
            }
            Op::Sort(input, _) => self.agree(input, own),
            // Columns that are passed on as they are.
            Op::Project(input, exprs) => {
                let passed = own.into_iter().filter_map(|bounds| match exprs.get(bounds.column) {
                    Some(Expr::Column(column)) => Some(Bounds { column: *column, ..bounds }),
                    _ => None,
                });
                let passed = merged(passed);
                self.agree(input, passed);
            }
            _ => {
                for input in node.inputs() {
                    self.agree(input, Vec::new());
                }
            }
        }
    }

    /// A node that several read has the widest bounds of them all.
    fn agree(&mut self, node: &Node, bounds: Vec<Bounds>) {
        let Some(known) = self.bounds.get_mut(&node.id()) else {
            self.bounds.insert(node.id(), bounds);
            return;
        };
        known.retain_mut(|k| {
            let other = bounds.iter().find(|b| b.column == k.column);
            other.is_some_and(|other| {
                k.from = k.from.min(other.from);
                k.last = k.last.max(other.last);
                true
            })
        });
    }

    fn wanted(mut self) -> HashMap<NodeId, Wanted> {
        let mut all = HashMap::new();
        for node in self.order {
            if matches!(node.op, Op::Scan(_)) {
                let columns = self.columns.remove(&node.id()).unwrap_or_default();
                let bounds = self.bounds.remove(&node.id()).unwrap_or_default();
                all.insert(node.id(), Wanted { columns, bounds });
            }
        }
        all
    }
}

/// Adds what a test says of datetime columns and constants.
fn collect(test: &Expr, input: &Node, bounds: &mut Vec<Bounds>) {
    match test {
        Expr::And(parts) => {
            for part in parts {
                collect(part, input, bounds);
            }
        }
        Expr::Compare { op, left, right, .. } => {
            let (column, op, ticks) = match (&**left, &**right) {
                (Expr::Column(at), Expr::Const(Value::Datetime(ticks))) => (*at, *op, *ticks),
                (Expr::Const(Value::Datetime(ticks)), Expr::Column(at)) => {
                    (*at, op.turned(), *ticks)
                }
                _ => return,
            };
            if input.schema.columns.get(column).is_none_or(|c| c.ty != Type::Datetime) {
                return;
            }
            let (from, last) = match op {
                Comparison::Eq => (ticks, ticks),
                Comparison::Lt => (i64::MIN, ticks.saturating_sub(1)),
                Comparison::Le => (i64::MIN, ticks),
                Comparison::Gt => (ticks.saturating_add(1), i64::MAX),
                Comparison::Ge => (ticks, i64::MAX),
                Comparison::Ne => return,
            };
            narrow(bounds, Bounds { column, from, last });
        }
        _ => {}
    }
}

fn narrow(all: &mut Vec<Bounds>, one: Bounds) {
    match all.iter_mut().find(|b| b.column == one.column) {
        Some(known) => {
            known.from = known.from.max(one.from);
            known.last = known.last.min(one.last);
        }
        None => all.push(one),
    }
}

/// One entry a column.
fn merged(all: impl Iterator<Item = Bounds>) -> Vec<Bounds> {
    let mut found = Vec::new();
    all.for_each(|bounds| narrow(&mut found, bounds));
    found
}
