//! A bound query: what to compute, and how it is run.

pub(crate) mod stages;

use crate::aggregates::Factory;
use crate::ast::JoinKind;
use crate::diagnostics::Span;
use crate::explain::Stages;
use crate::functions::Eval;
use crate::functions::text_ops::fold;
use crate::needs::{Needs, Texts, Wanted};
use crate::ops;
use crate::schema::{Catalog, Row, Scan, ScanError, Schema, Tables};
use crate::value::{Key, Type, Value};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

/// A scalar expression over a row.
#[derive(Clone)]
pub(crate) enum Expr {
    Const(Value),
    Column(usize),
    /// The value of a subquery.
    Cell(usize),
    /// The value of a parameter: known when the query is run, not when it is bound.
    Param(usize),
    Call(Eval, Vec<Expr>),
    /// Of two values of one type that has an order: text, datetimes, timespans, integers.
    Compare {
        op: Comparison,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// Text `in (…)` constants; where `folded`, they and the text in lower case.
    InTexts {
        left: Box<Expr>,
        texts: Arc<HashSet<Arc<str>>>,
        negated: bool,
        folded: bool,
    },
    /// `in (subquery)`.
    InCell {
        left: Box<Expr>,
        cell: usize,
        negated: bool,
        folded: bool,
    },
}

/// A comparison that the plan can look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    /// The same said from the other side.
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::Eq | Self::Ne => self,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }

    /// Equality is total, order is not: null is neither less nor more than anything.
    fn of(self, left: &Value, right: &Value) -> Value {
        let known = match (left.is_null(), right.is_null()) {
            (false, false) => Some(self.holds(left.order(right))),
            (true, true) => None,
            _ => match self {
                Self::Eq => Some(false),
                Self::Ne => Some(true),
                _ => None,
            },
        };
        Value::from(known.map(Value::Bool))
    }
}

impl Expr {
    /// Calls `found` with every column that the value depends on.
    pub(crate) fn columns(&self, found: &mut dyn FnMut(usize)) {
        match self {
            Self::Column(at) => found(*at),
            Self::Const(_) | Self::Cell(_) | Self::Param(_) => {}
            Self::Call(_, parts) | Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.columns(found);
                }
            }
            Self::Compare { left, right, .. } => {
                left.columns(found);
                right.columns(found);
            }
            Self::InCell { left, .. } | Self::InTexts { left, .. } => left.columns(found),
        }
    }

    /// Whether the value depends on a row and nothing else: the same for equal rows, in any run.
    pub(crate) fn is_of_row_alone(&self) -> bool {
        match self {
            Self::Column(_) | Self::Const(_) => true,
            Self::Cell(_) | Self::Param(_) | Self::InCell { .. } => false,
            // What needs no argument may give another value each time.
            Self::Call(_, parts) => !parts.is_empty() && parts.iter().all(Self::is_of_row_alone),
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_of_row_alone),
            Self::Compare { left, right, .. } => left.is_of_row_alone() && right.is_of_row_alone(),
            Self::InTexts { left, .. } => left.is_of_row_alone(),
        }
    }

    /// The value, without a copy where the row or the query has it.
    pub(crate) fn look<'r>(&'r self, row: &'r [Value], run: &RunState<'_>) -> Cow<'r, Value> {
        match self {
            Self::Const(value) => Cow::Borrowed(value),
            Self::Column(at) => row.get(*at).map_or(Cow::Owned(Value::Null), Cow::Borrowed),
            other => Cow::Owned(other.eval(row, run)),
        }
    }

    pub(crate) fn eval(&self, row: &[Value], run: &RunState<'_>) -> Value {
        match self {
            Self::Const(value) => value.clone(),
            Self::Column(at) => row.get(*at).cloned().unwrap_or(Value::Null),
            Self::Cell(at) => run.cell(*at).map_or(Value::Null, |cell| cell.scalar.clone()),
            Self::Param(at) => run.params.get(*at).cloned().unwrap_or(Value::Null),
            Self::Call(eval, args) => match args.as_slice() {
                [Self::Column(at)] => eval(row.get(*at).map(slice::from_ref).unwrap_or_default()),
                [a] => eval(&[a.eval(row, run)]),
                [a, b] => eval(&[a.eval(row, run), b.eval(row, run)]),
                _ => eval(&args.iter().map(|a| a.eval(row, run)).collect::<Vec<_>>()),
            },
            Self::Compare { op, left, right } => op.of(&left.look(row, run), &right.look(row, run)),
            Self::And(parts) => logic(parts, row, run, false),
            Self::Or(parts) => logic(parts, row, run, true),
            Self::InTexts { left, texts, negated, folded } => {
                let value = left.look(row, run);
                let text = value.as_str().unwrap_or_default();
                let found = match folded {
                    true => texts.contains(&*fold(text)),
                    false => texts.contains(text),
                };
                Value::Bool(found != *negated)
            }
            Self::InCell { left, cell, negated, folded } => {
                let value = left.eval(row, run);
                let key = if *folded { Key::Text(fold(&value.text()).into()) } else { value.key() };
                let found = !value.is_null()
                    && run.cell(*cell).is_some_and(|c| {
                        if *folded { c.folded.contains(&key) } else { c.set.contains(&key) }
                    });
                Value::Bool(found != *negated)
            }
        }
    }

    pub(crate) fn test(&self, row: &[Value], run: &RunState<'_>) -> bool {
        matches!(self.eval(row, run), Value::Bool(true))
    }
}

/// Three-valued: `decisive` (false for `and`, true for `or`) wins over null.
fn logic(parts: &[Expr], row: &[Value], run: &RunState<'_>, decisive: bool) -> Value {
    let mut null = false;
    for part in parts {
        match part.eval(row, run) {
            Value::Bool(value) if value == decisive => return Value::Bool(decisive),
            Value::Bool(_) => {}
            _ => null = true,
        }
    }
    if null { Value::Null } else { Value::Bool(!decisive) }
}

/// An operator over its inputs, and the columns it gives.
pub(crate) struct Node {
    pub(crate) schema: Schema,
    pub(crate) op: Op,
    /// Where the query says so.
    pub(crate) span: Span,
    /// Operators below, to bound recursion.
    pub(crate) depth: usize,
    /// Operators below, each as often as it is read, to bound work.
    pub(crate) weight: usize,
    /// Its rows have an order that window functions may rely on.
    pub(crate) ordered: bool,
    /// Some of its rows are a part's, see [`Op::Part`].
    pub(crate) in_part: bool,
}

impl Node {
    /// What it works on, in the order of the text.
    pub(crate) fn inputs(&self) -> Vec<&Arc<Node>> {
        match &self.op {
            Op::Scan(_) | Op::Rows(_) | Op::Range { .. } | Op::Part => Vec::new(),
            Op::Filter(input, _)
            | Op::Project(input, _)
            | Op::Summarize { input, .. }
            | Op::Distinct(input)
            | Op::Sort(input, _)
            | Op::Top(input, ..)
            | Op::Take(input, _)
            | Op::Count(input)
            | Op::Materialize(input)
            | Op::Serialize(input)
            | Op::Named(input, _)
            | Op::Window(input, _)
            | Op::Expand(input, _)
            | Op::Parse(input, _)
            | Op::ParseKv(input, _)
            | Op::TopNested(input, _) => vec![input],
            Op::Apply(apply) => vec![&apply.input, &apply.body],
            Op::Join { left, right, .. } => vec![left, right],
            Op::Union { inputs, .. } => inputs.iter().map(|(node, _)| node).collect(),
        }
    }

    /// It, or what it works on, keeps rows for more than one reader.
    pub(crate) fn keeps_rows(&self) -> bool {
        matches!(self.op, Op::Materialize(_)) || self.inputs().iter().any(|node| node.keeps_rows())
    }

    /// What tells nodes of one plan apart.
    pub(crate) fn id(&self) -> NodeId {
        std::ptr::from_ref(self).addr()
    }
}

/// See [`Node::id`].
pub(crate) type NodeId = usize;

pub(crate) enum Op {
    Scan(String),
    Rows(Vec<Vec<Expr>>),
    Range {
        from: Expr,
        to: Expr,
        step: Expr,
    },
    Filter(Arc<Node>, Expr),
    Project(Arc<Node>, Vec<Expr>),
    Summarize {
        input: Arc<Node>,
        keys: Vec<Expr>,
        calls: Vec<AggregateCall>,
        results: Vec<Expr>,
    },
    Distinct(Arc<Node>),
    Sort(Arc<Node>, Vec<SortKey>),
    Top(Arc<Node>, Expr, SortKey),
    Take(Arc<Node>, Expr),
    Count(Arc<Node>),
    /// The rows are computed once and kept, however often they are read.
    Materialize(Arc<Node>),
    Join {
        kind: JoinKind,
        left: Arc<Node>,
        right: Arc<Node>,
        keys: Vec<(Expr, Expr)>,
        right_columns: Vec<usize>,
    },
    /// Each input with the place of every result column in it.
    Union {
        inputs: Vec<(Arc<Node>, Vec<Option<usize>>)>,
        sources: Option<Vec<String>>,
    },
    /// The same rows, in an order that window functions may rely on.
    Serialize(Arc<Node>),
    /// The same rows under a name of their own.
    Named(Arc<Node>, String),
    /// The same rows with a column more.
    Window(Arc<Node>, stages::Window),
    Expand(Arc<Node>, stages::Expand),
    Parse(Arc<Node>, stages::Parse),
    ParseKv(Arc<Node>, stages::ParseKv),
    TopNested(Arc<Node>, stages::TopNested),
    /// Rows that [`Op::Apply`] lends.
    Part,
    Apply(stages::Apply),
}

/// An aggregate of `summarize`.
pub(crate) struct AggregateCall {
    pub(crate) factory: Factory,
    pub(crate) args: Vec<Expr>,
    /// The types of its results, for groups without a row.
    pub(crate) types: Vec<Type>,
}

pub(crate) struct SortKey {
    pub(crate) expr: Expr,
    pub(crate) ascending: bool,
    pub(crate) nulls_first: bool,
}

/// A subquery whose value the query needs before its rows.
pub(crate) struct Subquery {
    pub(crate) node: Arc<Node>,
    /// All values of the first column rather than the first row's.
    pub(crate) set: bool,
}

/// What a run may cost: past any of it, it ends with [`RunError::Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows, groups and collected values that operators (`sort`, `summarize`, `join` …) hold in all.
    pub rows: usize,
    /// Bytes that they hold, as a rough sum over the values.
    pub bytes: usize,
    /// Rows that sources (tables, `range` …) and operators that multiply rows (`join`, `mv-expand`) give in all.
    pub work: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 10_000_000, bytes: 1 << 30, work: 1_000_000_000 }
    }
}

/// Why a run ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The table could not be read.
    Scan {
        /// The table.
        table: String,
        /// What its reader said.
        error: ScanError,
    },
    /// A row does not fit the schema its table was bound with.
    Row {
        /// The table.
        table: String,
        /// What does not fit.
        problem: String,
    },
    /// An operator would hold more than [`Limits`] allows.
    Limit {
        /// The operator.
        operator: &'static str,
        /// `rows`, `bytes` or `rows of work`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A number that an operator needs is missing or out of range.
    Value {
        /// The operator.
        operator: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan { table, error } => write!(f, "reading table `{table}`: {error}"),
            Self::Row { table, problem } => {
                write!(f, "a row of table `{table}` does not fit: {problem}")
            }
            Self::Limit { operator, what, limit } => {
                write!(f, "`{operator}` would need more than the limit of {limit} {what}")
            }
            Self::Value { operator, problem } => write!(f, "`{operator}`: {problem}"),
        }
    }
}

impl RunError {
    /// The kind of error, for programs: `KQL010` a table cannot be read, `KQL011` a row does not fit, `KQL012` a limit,
    /// `KQL013` a value that an operator cannot work with.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scan { .. } => "KQL010",
            Self::Row { .. } => "KQL011",
            Self::Limit { .. } => "KQL012",
            Self::Value { .. } => "KQL013",
        }
    }

    /// The service might run it: only this engine's limits are in the way.
    pub fn unsupported(&self) -> bool {
        matches!(self, Self::Limit { .. })
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Scan { error, .. } => Some(&**error),
            _ => None,
        }
    }
}

/// The rows of a result, computed as they are asked for.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<Row, RunError>> + 'a>;

/// The value of a subquery.
pub(crate) struct CellValue {
    scalar: Value,
    set: HashSet<Key>,
    folded: HashSet<Key>,
}

/// What scans were to read before a join asked for less.
#[must_use]
pub(crate) struct Narrowing(Vec<(NodeId, Option<Wanted>)>);

/// What the operators of one run share.
pub(crate) struct RunState<'a> {
    pub(crate) tables: &'a dyn Tables,
    limits: Limits,
    rows: Cell<usize>,
    bytes: Cell<usize>,
    work: Cell<usize>,
    cells: Vec<OnceCell<CellValue>>,
    materialized: RefCell<HashMap<NodeId, Rc<Vec<Row>>>>,
    /// The rows that are lent to [`Op::Part`]s.
    parts: RefCell<HashMap<NodeId, Rc<Vec<Row>>>>,
    /// Rows that each node gave, where somebody asked.
    counts: Option<RefCell<HashMap<NodeId, u64>>>,
    needs: Arc<Needs>,
    /// Needs of the scans below a join's right side, while that is read for a few keys only.
    narrowed: RefCell<HashMap<NodeId, Wanted>>,
    params: Vec<Value>,
}

impl<'a> RunState<'a> {
    pub(crate) fn new(
        tables: &'a dyn Tables,
        limits: Limits,
        cells: usize,
        needs: Arc<Needs>,
        params: Vec<Value>,
        counted: bool,
    ) -> Self {
        let cells = std::iter::repeat_with(OnceCell::new).take(cells).collect();
        Self {
            tables,
            limits,
            rows: Cell::new(0),
            bytes: Cell::new(0),
            work: Cell::new(0),
            cells,
            materialized: RefCell::default(),
            parts: RefCell::default(),
            counts: counted.then(RefCell::default),
            needs,
            narrowed: RefCell::default(),
            params,
        }
    }

    /// What an expression is computed with that reads neither tables nor parameters.
    pub(crate) fn of_nothing() -> Self {
        Self::new(&NoTables, Limits::default(), 0, Arc::default(), Vec::new(), false)
    }

    fn cell(&self, at: usize) -> Option<&CellValue> {
        self.cells.get(at)?.get()
    }

    /// Counts a row that `operator` made.
    pub(crate) fn step(&self, operator: &'static str) -> Result<(), RunError> {
        self.work.set(self.work.get().saturating_add(1));
        if self.work.get() > self.limits.work {
            let limit = self.limits.work;
            return Err(RunError::Limit { operator, what: "rows of work", limit });
        }
        Ok(())
    }

    /// Whether rows are counted, node by node.
    pub(crate) fn is_counted(&self) -> bool {
        self.counts.is_some()
    }

    pub(crate) fn count(&self, node: NodeId, rows: u64) {
        if let Some(counts) = &self.counts {
            *counts.borrow_mut().entry(node).or_default() += rows;
        }
    }

    pub(crate) fn counted(&self, node: NodeId) -> Option<u64> {
        self.counts.as_ref()?.borrow().get(&node).copied()
    }

    pub(crate) fn materialized(&self, node: NodeId) -> Option<Rc<Vec<Row>>> {
        self.materialized.borrow().get(&node).cloned()
    }

    pub(crate) fn materialize(&self, node: NodeId, rows: Vec<Row>) -> Rc<Vec<Row>> {
        let rows = Rc::new(rows);
        self.materialized.borrow_mut().insert(node, Rc::clone(&rows));
        rows
    }

    /// Lends rows to a part until others are.
    pub(crate) fn lend(&self, part: NodeId, rows: Vec<Row>) {
        self.parts.borrow_mut().insert(part, Rc::new(rows));
    }

    pub(crate) fn lent(&self, part: NodeId) -> Rc<Vec<Row>> {
        self.parts.borrow().get(&part).cloned().unwrap_or_default()
    }

    /// What a scan is to read.
    pub(crate) fn wanted<T>(&self, node: &Node, read: impl FnOnce(Option<&Wanted>) -> T) -> T {
        match self.narrowed.borrow().get(&node.id()) {
            Some(wanted) => read(Some(wanted)),
            None => read(self.needs.scan(node)),
        }
    }

    /// What the scans below `node` are to read when of its rows only those with these texts matter.
    pub(crate) fn narrow(&self, node: &Arc<Node>, texts: &[Texts]) -> Narrowing {
        let mut all = Needs::below(node, texts, &self.params);
        for (id, wanted) in &mut all {
            let known = self.needs.by_id(*id);
            wanted.columns = known.map(|known| known.columns.clone()).unwrap_or_default();
        }
        let mut narrowed = self.narrowed.borrow_mut();
        Narrowing(all.into_iter().map(|(id, wanted)| (id, narrowed.insert(id, wanted))).collect())
    }

    /// Takes a narrowing back.
    pub(crate) fn widen(&self, Narrowing(before): Narrowing) {
        let mut narrowed = self.narrowed.borrow_mut();
        for (id, wanted) in before {
            match wanted {
                Some(wanted) => narrowed.insert(id, wanted),
                None => narrowed.remove(&id),
            };
        }
    }

    /// Counts what `operator` holds from now on.
    pub(crate) fn hold(
        &self,
        operator: &'static str,
        rows: usize,
        bytes: usize,
    ) -> Result<(), RunError> {
        self.rows.set(self.rows.get().saturating_add(rows));
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.rows.get() > self.limits.rows {
            return Err(RunError::Limit { operator, what: "rows", limit: self.limits.rows });
        }
        if self.bytes.get() > self.limits.bytes {
            return Err(RunError::Limit { operator, what: "bytes", limit: self.limits.bytes });
        }
        Ok(())
    }
}

/// Constants need none.
struct NoTables;

impl Catalog for NoTables {
    fn schema(&self, _: &str) -> Option<Schema> {
        None
    }
}

impl Tables for NoTables {
    fn scan(&self, _: &str) -> Scan<'_> {
        Box::new(std::iter::empty())
    }
}

/// The size of a row, for [`RunState::hold`].
pub(crate) fn row_size(row: &[Value]) -> usize {
    row.iter().map(Value::size).fold(size_of::<Row>(), usize::saturating_add)
}

/// A bound query.
pub struct Plan {
    pub(crate) root: Arc<Node>,
    pub(crate) tables: Vec<String>,
    pub(crate) subqueries: Vec<Subquery>,
    pub(crate) limits: Limits,
    /// The types of its parameters.
    pub(crate) params: Vec<Type>,
    /// What scans need, whatever the parameters are.
    pub(crate) needs: Arc<Needs>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("schema", &self.root.schema)
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// The columns of the result.
    pub fn schema(&self) -> &Schema {
        &self.root.schema
    }

    /// The names of the tables that a run reads, sorted.
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// What each read of a table needs of it.
    pub fn reads(&self, table: &str) -> Vec<&Wanted> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<&Node> = self.subqueries.iter().map(|s| &*s.node).collect();
        open.push(&self.root);
        while let Some(node) = open.pop() {
            if !seen.insert(node.id()) {
                continue;
            }
            if matches!(&node.op, Op::Scan(name) if name == table) {
                found.extend(self.needs.scan(node));
            }
            open.extend(node.inputs().into_iter().map(|node| &**node));
        }
        found
    }

    /// The same plan with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The rows of the result. Rows are read as the iterator is asked for them; subqueries
    /// (`toscalar(…)`, `in (Table | …)`) run at its first step. After an error there are no more rows.
    pub fn run<'a>(&'a self, tables: &'a dyn Tables) -> Rows<'a> {
        self.start(tables, Vec::new(), false).1
    }

    /// The rows of the result of a plan with parameters, see [`bind_with`](crate::bind_with): their values in the order in
    /// which they were named. One of another type, or missing, is null.
    ///
    /// ```
    /// use kql::{MemoryTables, Type, Value};
    ///
    /// let tables = MemoryTables::new();
    /// let query = "range n from 1 to 10 step 1 | where n > least | count";
    /// let plan = kql::bind_with(query, &tables, 0, &[("least", Type::Long)]).unwrap();
    /// for (least, count) in [(3, 7), (8, 2)] {
    ///     let rows: Vec<_> = plan.run_with(&tables, &[Value::Long(least)]).flatten().collect();
    ///     assert_eq!(rows, [[Value::Long(count)]]);
    /// }
    /// ```
    pub fn run_with<'a>(&'a self, tables: &'a dyn Tables, values: &[Value]) -> Rows<'a> {
        let params = self.params.iter().enumerate().map(|(at, ty)| match values.get(at) {
            Some(value) if value.ty() == Some(*ty) => value.clone(),
            _ => ty.missing(),
        });
        self.start(tables, params.collect(), false).1
    }

    /// The rows of the result, and what will tell, once they have been read, how many rows each operator gave.
    ///
    /// ```
    /// let tables = kql::MemoryTables::new();
    /// let query = "range n from 1 to 10 step 1 | where n % 3 == 0 | top 2 by n";
    /// let plan = kql::bind(query, &tables, 0).unwrap();
    /// let (rows, stages) = plan.explain(&tables);
    /// assert_eq!(rows.count(), 2);
    /// let counts: Vec<u64> = stages.all().iter().map(|s| s.rows).collect();
    /// assert_eq!(counts, [10, 3, 2]);
    /// ```
    pub fn explain<'a>(&'a self, tables: &'a dyn Tables) -> (Rows<'a>, Stages<'a>) {
        let (state, rows) = self.start(tables, Vec::new(), true);
        (rows, Stages::new(self, state))
    }

    fn start<'a>(
        &'a self,
        tables: &'a dyn Tables,
        params: Vec<Value>,
        counted: bool,
    ) -> (Rc<RunState<'a>>, Rows<'a>) {
        let cells = self.subqueries.len();
        let needs = match params.as_slice() {
            [] => Arc::clone(&self.needs),
            params => Arc::new(Needs::of(&self.root, &self.subqueries, params)),
        };
        let state = Rc::new(RunState::new(tables, self.limits, cells, needs, params, counted));
        let shared = Rc::clone(&state);
        let mut opened: Option<Rows<'a>> = None;
        let mut failed = false;
        let rows: Rows<'a> = Box::new(std::iter::from_fn(move || {
            if failed {
                return None;
            }
            if opened.is_none() {
                if let Err(error) = self.fill(&state) {
                    failed = true;
                    return Some(Err(error));
                }
                opened = Some(ops::open(&self.root, &state));
            }
            let next = opened.as_mut().and_then(Iterator::next);
            failed = matches!(next, Some(Err(_)));
            next
        }));
        (shared, rows)
    }

    /// Subqueries see only those before them.
    fn fill<'a>(&'a self, state: &Rc<RunState<'a>>) -> Result<(), RunError> {
        for (subquery, cell) in self.subqueries.iter().zip(&state.cells) {
            let missing =
                subquery.node.schema.columns.first().map_or(Value::Null, |c| c.ty.missing());
            let mut value =
                CellValue { scalar: missing, set: HashSet::new(), folded: HashSet::new() };
            let mut rows = ops::open(&subquery.node, state);
            if subquery.set {
                for row in rows {
                    let Some(first) = row?.into_iter().next() else { continue };
                    if !first.is_null() && value.set.insert(first.key()) {
                        state.hold("in", 1, first.size())?;
                        value.folded.insert(Key::Text(fold(&first.text()).into()));
                    }
                }
            } else if let Some(first) =
                rows.next().transpose()?.and_then(|row| row.into_iter().next())
            {
                value.scalar = first;
            }
            // Every cell is filled once: the loop visits it once.
            let _ = cell.set(value);
        }
        Ok(())
    }
}
