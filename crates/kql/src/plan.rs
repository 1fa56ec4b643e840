//! A bound query: what to compute, and how it is run.

use crate::aggregates::Factory;
use crate::ast::JoinKind;
use crate::functions::Eval;
use crate::functions::text_ops::fold;
use crate::ops;
use crate::schema::{Row, ScanError, Schema, Tables};
use crate::value::{Key, Type, Value};
use std::cell::{Cell, OnceCell};
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// A scalar expression over a row.
#[derive(Clone)]
pub(crate) enum Expr {
    Const(Value),
    Column(usize),
    /// The value of a subquery.
    Cell(usize),
    Call(Eval, Vec<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// `in (subquery)`.
    InCell {
        left: Box<Expr>,
        cell: usize,
        negated: bool,
        folded: bool,
    },
}

impl Expr {
    pub(crate) fn eval(&self, row: &[Value], run: &RunState<'_>) -> Value {
        match self {
            Self::Const(value) => value.clone(),
            Self::Column(at) => row.get(*at).cloned().unwrap_or(Value::Null),
            Self::Cell(at) => run.cell(*at).map_or(Value::Null, |cell| cell.scalar.clone()),
            Self::Call(eval, args) => match args.as_slice() {
                [a] => eval(&[a.eval(row, run)]),
                [a, b] => eval(&[a.eval(row, run), b.eval(row, run)]),
                _ => eval(&args.iter().map(|a| a.eval(row, run)).collect::<Vec<_>>()),
            },
            Self::And(parts) => logic(parts, row, run, false),
            Self::Or(parts) => logic(parts, row, run, true),
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
    /// Operators below, to bound recursion.
    pub(crate) depth: usize,
}

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

/// What operators that keep rows (`sort`, `summarize`, `join`, `distinct`, `top`) may hold in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows, groups and collected values.
    pub rows: usize,
    /// Bytes, as a rough sum over the values held.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 10_000_000, bytes: 1 << 30 }
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
        /// `rows` or `bytes`.
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
                write!(f, "`{operator}` would hold more than the limit of {limit} {what}")
            }
            Self::Value { operator, problem } => write!(f, "`{operator}`: {problem}"),
        }
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

/// What the operators of one run share.
pub(crate) struct RunState<'a> {
    pub(crate) tables: &'a dyn Tables,
    limits: Limits,
    rows: Cell<usize>,
    bytes: Cell<usize>,
    cells: Vec<OnceCell<CellValue>>,
}

impl<'a> RunState<'a> {
    pub(crate) fn new(tables: &'a dyn Tables, limits: Limits, cells: usize) -> Self {
        let cells = std::iter::repeat_with(OnceCell::new).take(cells).collect();
        Self { tables, limits, rows: Cell::new(0), bytes: Cell::new(0), cells }
    }

    fn cell(&self, at: usize) -> Option<&CellValue> {
        self.cells.get(at)?.get()
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

    /// The same plan with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The rows of the result. Rows are read as the iterator is asked for them; subqueries
    /// (`toscalar(…)`, `in (Table | …)`) run at its first step. After an error there are no more rows.
    pub fn run<'a>(&'a self, tables: &'a dyn Tables) -> Rows<'a> {
        let state = Rc::new(RunState::new(tables, self.limits, self.subqueries.len()));
        let mut rows: Option<Rows<'a>> = None;
        let mut failed = false;
        Box::new(std::iter::from_fn(move || {
            if failed {
                return None;
            }
            if rows.is_none() {
                if let Err(error) = self.fill(&state) {
                    failed = true;
                    return Some(Err(error));
                }
                rows = Some(ops::open(&self.root, &state));
            }
            let next = rows.as_mut().and_then(Iterator::next);
            failed = matches!(next, Some(Err(_)));
            next
        }))
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
