//! What a plan needs of the tables it reads: which columns, and which rows.
//!
//! A table may leave out the rest. It need not: what it gives too much of is dropped by the operators anyway.

use crate::ast::JoinKind;
use crate::plan::stages::{ExpandPlace, Part};
use crate::plan::{Comparison, Expr, Node, NodeId, Op, RunState, Subquery};
use crate::value::{Type, Value};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// What a query needs of a table, see [`Tables::scan_for`](crate::Tables::scan_for).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// For each column whether its values matter; others may be null.
    pub columns: Vec<bool>,
    /// Rows outside of any of these bounds do not matter.
    pub bounds: Vec<Bounds>,
    /// Rows whose text is none of these do not matter.
    pub texts: Vec<Texts>,
    /// Rows for which any of these does not hold do not matter.
    pub tests: Vec<Test>,
}

/// A condition on some columns of a row: any that is no [`Bounds`] and no [`Texts`], and depends on nothing but the row.
/// It is the same in every run of a plan, so that a table may remember which of its rows it holds for.
#[derive(Clone)]
pub struct Test {
    expr: Arc<Expr>,
    id: usize,
    /// Places of the columns that it looks at.
    pub columns: Vec<usize>,
    /// Where their values stand in the rows that the expression was made for.
    places: Vec<usize>,
}

impl Test {
    /// The same for the same condition in all runs of a plan, and for no other condition while the plan is kept.
    pub fn id(&self) -> usize {
        self.id
    }

    /// What tells of values, given in the order of `columns`, whether the condition holds for a row of them.
    pub fn check(&self) -> impl FnMut(&[Value]) -> bool + use<> {
        let run = RunState::of_nothing();
        let (expr, places) = (Arc::clone(&self.expr), self.places.clone());
        let width = places.iter().max().map_or(0, |last| last + 1);
        let mut row = vec![Value::Null; width];
        move |values| {
            for (place, value) in places.iter().zip(values) {
                if let Some(cell) = row.get_mut(*place) {
                    cell.clone_from(value);
                }
            }
            expr.test(&row, &run)
        }
    }
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.columns == other.columns
    }
}

impl Eq for Test {}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// What a string column has to be for a row to matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// Place of the column.
    pub column: usize,
    /// One of these, as they are.
    pub any_of: Arc<HashSet<Arc<str>>>,
}

/// A stretch of a datetime column; a row whose value is null does not matter.
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
    pub(crate) fn of(root: &Arc<Node>, subqueries: &[Subquery], params: &[Value]) -> Self {
        let mut walk = Walk::new(params);
        // Every node after all that read it: what they need is known when its turn comes.
        walk.visit(root);
        walk.need_all(root);
        walk.agree(root, Conditions::default());
        for subquery in subqueries {
            walk.visit(&subquery.node);
            walk.need(&subquery.node, 0);
            walk.agree(&subquery.node, Conditions::default());
        }
        walk.spread();
        Self(walk.wanted())
    }

    pub(crate) fn scan(&self, node: &Node) -> Option<&Wanted> {
        self.by_id(node.id())
    }

    pub(crate) fn by_id(&self, node: NodeId) -> Option<&Wanted> {
        self.0.get(&node)
    }

    /// Which rows the scans below `node` have to give when of its rows only those with these texts matter. Columns are not
    /// said.
    pub(crate) fn below(
        node: &Arc<Node>,
        texts: &[Texts],
        params: &[Value],
    ) -> HashMap<NodeId, Wanted> {
        let mut walk = Walk::new(params);
        walk.visit(node);
        walk.agree(node, Conditions { texts: texts.to_vec(), ..Conditions::default() });
        for node in std::mem::take(&mut walk.order).into_iter().rev() {
            walk.pass_conditions(node);
            walk.order.push(node);
        }
        walk.wanted()
    }
}

struct Walk<'a> {
    params: &'a [Value],
    /// The nodes, inputs before those that read them.
    order: Vec<&'a Arc<Node>>,
    columns: HashMap<NodeId, Vec<bool>>,
    /// For each node, what rows have to be for any of its readers.
    conditions: HashMap<NodeId, Conditions>,
}

/// What a row has to be: all of it.
#[derive(Clone, Default)]
struct Conditions {
    bounds: Vec<Bounds>,
    texts: Vec<Texts>,
    tests: Vec<Test>,
}

impl<'a> Walk<'a> {
    fn new(params: &'a [Value]) -> Self {
        Self { params, order: Vec::new(), columns: HashMap::new(), conditions: HashMap::new() }
    }

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

    /// Columns read from a text, the others as they are.
    fn need_outer(&mut self, input: &Node, text: &Expr, needed: &[usize], places: &[Part]) {
        self.need_in(input, text);
        for place in needed.iter().filter_map(|at| places.get(*at)) {
            if let Part::Outer(at) = place {
                self.need(input, *at);
            }
        }
    }

    fn spread(&mut self) {
        for node in std::mem::take(&mut self.order).into_iter().rev() {
            let needed = self.columns.get(&node.id()).cloned().unwrap_or_default();
            let needed: Vec<usize> =
                needed.iter().enumerate().filter(|(_, n)| **n).map(|(at, _)| at).collect();
            self.pass_columns(node, &needed);
            self.pass_conditions(node);
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
            Op::Take(input, _) | Op::Serialize(input) | Op::Named(input, _) => {
                self.need_each(input, needed);
            }
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
            Op::Window(input, window) => {
                // The last column is the window's.
                self.need_each(input, needed);
                for expr in window.exprs() {
                    self.need_in(input, expr);
                }
            }
            Op::Expand(input, expand) => {
                for (expr, _) in &expand.items {
                    self.need_in(input, expr);
                }
                for at in needed.iter().filter_map(|at| expand.places.get(*at)) {
                    if let ExpandPlace::Input(at) = at {
                        self.need(input, *at);
                    }
                }
            }
            Op::Parse(input, parse) => self.need_outer(input, &parse.text, needed, &parse.places),
            Op::ParseKv(input, parse) => self.need_outer(input, &parse.text, needed, &parse.places),
            // Whatever is not said to need less needs all.
            _ => {
                for input in node.inputs() {
                    self.need_all(input);
                }
            }
        }
    }

    /// Tells the inputs which rows this node drops anyway.
    fn pass_conditions(&mut self, node: &Node) {
        let mut own = self.conditions.remove(&node.id()).unwrap_or_default();
        match &node.op {
            Op::Scan(_) => {
                self.conditions.insert(node.id(), own);
            }
            Op::Filter(input, test) => {
                own.add(test, input, self.params);
                self.agree(input, own);
            }
            Op::Sort(input, _) | Op::Serialize(input) | Op::Named(input, _) => {
                self.agree(input, own);
            }
            // Columns that are passed on as they are.
            Op::Project(input, exprs) => {
                let passed = own.moved(|at| match exprs.get(at) {
                    Some(Expr::Column(column)) => Some(*column),
                    _ => None,
                });
                self.agree(input, passed);
            }
            Op::Union { inputs, .. } => {
                for (input, places) in inputs {
                    let passed = own.moved(|at| places.get(at).copied().flatten());
                    self.agree(input, passed);
                }
            }
            _ => {
                for input in node.inputs() {
                    self.agree(input, Conditions::default());
                }
            }
        }
    }

    /// A node that several read has to give what any of them looks at.
    fn agree(&mut self, node: &Node, conditions: Conditions) {
        match self.conditions.get_mut(&node.id()) {
            Some(known) => known.widen(&conditions),
            None => {
                self.conditions.insert(node.id(), conditions);
            }
        }
    }

    fn wanted(mut self) -> HashMap<NodeId, Wanted> {
        let scans = self.order.iter().filter(|node| matches!(node.op, Op::Scan(_)));
        scans
            .map(|node| {
                let columns = self.columns.remove(&node.id()).unwrap_or_default();
                let Conditions { bounds, texts, tests } =
                    self.conditions.remove(&node.id()).unwrap_or_default();
                (node.id(), Wanted { columns, bounds, texts, tests })
            })
            .collect()
    }
}

impl Conditions {
    /// Adds what a test says of columns and constants.
    fn add(&mut self, test: &Expr, input: &Node, params: &[Value]) {
        let is =
            |column: usize, ty: Type| input.schema.columns.get(column).is_some_and(|c| c.ty == ty);
        match test {
            Expr::And(parts) => {
                for part in parts {
                    self.add(part, input, params);
                }
                return;
            }
            Expr::InTexts { left, texts, negated: false, folded: false } => {
                if let Expr::Column(column) = **left
                    && is(column, Type::String)
                {
                    self.texts.push(Texts { column, any_of: Arc::clone(texts) });
                    return;
                }
            }
            Expr::Compare { op, left, right } => {
                let found = match (&**left, &**right) {
                    (Expr::Column(at), side) => constant(side, params).map(|c| (*at, *op, c)),
                    (side, Expr::Column(at)) => {
                        constant(side, params).map(|c| (*at, op.turned(), c))
                    }
                    _ => None,
                };
                match found {
                    Some((column, op, Value::Datetime(ticks))) if is(column, Type::Datetime) => {
                        if let Some((from, last)) = stretch(op, *ticks) {
                            self.narrow(Bounds { column, from, last });
                            return;
                        }
                    }
                    Some((column, Comparison::Eq, Value::String(text)))
                        if is(column, Type::String) =>
                    {
                        let any_of = Arc::new(HashSet::from([Arc::clone(text)]));
                        self.texts.push(Texts { column, any_of });
                        return;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        if test.is_of_row_alone() {
            let mut columns = Vec::new();
            test.columns(&mut |column| columns.push(column));
            columns.sort_unstable();
            columns.dedup();
            let id = std::ptr::from_ref(test).addr();
            let (expr, places) = (Arc::new(test.clone()), columns.clone());
            self.tests.push(Test { expr, id, columns, places });
        }
    }

    fn narrow(&mut self, one: Bounds) {
        match self.bounds.iter_mut().find(|b| b.column == one.column) {
            Some(known) => {
                known.from = known.from.max(one.from);
                known.last = known.last.min(one.last);
            }
            None => self.bounds.push(one),
        }
    }

    /// Lets through what either lets through.
    fn widen(&mut self, other: &Self) {
        self.bounds.retain_mut(|known| {
            let met = other.bounds.iter().find(|b| b.column == known.column);
            met.is_some_and(|met| {
                known.from = known.from.min(met.from);
                known.last = known.last.max(met.last);
                true
            })
        });
        self.texts.retain_mut(|known| {
            let met = other.texts.iter().find(|t| t.column == known.column);
            met.is_some_and(|met| {
                known.any_of = Arc::new(known.any_of.union(&met.any_of).cloned().collect());
                true
            })
        });
        self.tests.retain(|known| other.tests.contains(known));
    }

    /// The same of the columns that are at another place in the input.
    fn moved(&self, place: impl Fn(usize) -> Option<usize>) -> Self {
        let mut moved = Self::default();
        for bounds in &self.bounds {
            if let Some(column) = place(bounds.column) {
                moved.narrow(Bounds { column, ..*bounds });
            }
        }
        for texts in &self.texts {
            if let Some(column) = place(texts.column) {
                moved.texts.push(Texts { column, any_of: Arc::clone(&texts.any_of) });
            }
        }
        for test in &self.tests {
            let columns: Option<Vec<usize>> = test.columns.iter().map(|at| place(*at)).collect();
            if let Some(columns) = columns {
                moved.tests.push(Test { columns, ..test.clone() });
            }
        }
        moved
    }
}

/// The value of a constant or of a parameter.
fn constant<'e>(expr: &'e Expr, params: &'e [Value]) -> Option<&'e Value> {
    match expr {
        Expr::Const(value) => Some(value),
        Expr::Param(at) => params.get(*at),
        _ => None,
    }
}

/// The ticks for which a comparison with `ticks` may hold.
fn stretch(op: Comparison, ticks: i64) -> Option<(i64, i64)> {
    match op {
        Comparison::Eq => Some((ticks, ticks)),
        Comparison::Lt => Some((i64::MIN, ticks.saturating_sub(1))),
        Comparison::Le => Some((i64::MIN, ticks)),
        Comparison::Gt => Some((ticks.saturating_add(1), i64::MAX)),
        Comparison::Ge => Some((ticks, i64::MAX)),
        Comparison::Ne => None,
    }
}
