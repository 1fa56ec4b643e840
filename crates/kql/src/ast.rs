//! The syntax tree, every node with its place.

pub(crate) mod stages;

use crate::diagnostics::Span;
use crate::value::{Type, Value};

/// A name and its place.
#[derive(Clone, Debug)]
pub(crate) struct Ident {
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// A scalar expression, or a pipeline where one may stand.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Levels below, to bound recursion.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Literal(Value, Type),
    Name(String),
    Star,
    Call {
        name: Ident,
        args: Vec<Arg>,
    },
    Member(Box<Expr>, Ident),
    Index(Box<Expr>, Box<Expr>),
    Negate(Span, Box<Expr>),
    /// `and` / `or` over two or more operands; the span is the first operator's.
    Logic {
        and: bool,
        op: Span,
        parts: Vec<Expr>,
    },
    Binary {
        op: BinaryOp,
        at: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    In {
        op: InOp,
        at: Span,
        left: Box<Expr>,
        list: Vec<Expr>,
    },
    Between {
        negated: bool,
        at: Span,
        left: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    Typeof(Type),
    Pipeline(Box<Pipeline>),
}

/// A call's argument, `name = value` included.
#[derive(Clone, Debug)]
pub(crate) struct Arg {
    pub(crate) name: Option<Ident>,
    pub(crate) value: Expr,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `has`, `contains`, `=~` …: an entry of the table of string operators.
    Text(&'static crate::functions::text_ops::TextOp),
    /// `column:"term"`, in `search`.
    Term,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InOp {
    In { negated: bool, folded: bool },
    HasAny,
    HasAll,
}

/// A source and what it is piped through.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) source: Source,
    pub(crate) ops: Vec<Operator>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A name, a call, a pipeline in parentheses, or a scalar.
    Expr(Expr),
    Union(UnionOp, Span),
    Search(Box<stages::Search>, Span),
    Print(Vec<Column>),
    Range(Box<RangeSource>),
    Datatable {
        columns: Vec<(Ident, Type)>,
        values: Vec<Expr>,
        span: Span,
    },
}

/// `range name from … to … step …`.
#[derive(Clone, Debug)]
pub(crate) struct RangeSource {
    pub(crate) name: Ident,
    pub(crate) from: Expr,
    pub(crate) to: Expr,
    pub(crate) step: Expr,
}

/// `name = expression`, `(a, b) = expression` or an expression.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) names: Vec<Ident>,
    pub(crate) expr: Expr,
}

/// One step of a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) kind: OpKind,
    /// The operator's name.
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum OpKind {
    Where(Expr),
    Project(Vec<Column>),
    Extend(Vec<Column>),
    Away(Vec<NamePattern>),
    Keep(Vec<NamePattern>),
    Rename(Vec<Column>),
    Reorder(Vec<(NamePattern, Option<ColumnOrder>)>),
    Summarize {
        aggregates: Vec<Column>,
        by: Vec<Column>,
    },
    Distinct(Vec<Column>, Option<Span>),
    Sort(Vec<SortKey>),
    Top(Expr, SortKey),
    Take(Expr),
    Count(Option<Ident>),
    Union(UnionOp),
    Join(JoinOp),
    Serialize(Vec<Column>),
    Stage(Box<stages::Stage>),
    /// `render` and `as`: nothing to do with the rows.
    Nothing,
}

/// A name that may hold `*`.
#[derive(Clone, Debug)]
pub(crate) struct NamePattern {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// In which order `project-reorder` puts the columns of a pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnOrder {
    pub(crate) ascending: bool,
    /// Digits are compared as numbers: `a2` before `a10`.
    pub(crate) by_number: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct SortKey {
    pub(crate) expr: Expr,
    pub(crate) ascending: bool,
    pub(crate) nulls_first: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct UnionOp {
    pub(crate) inner: bool,
    pub(crate) source_column: Option<Ident>,
    pub(crate) fuzzy: bool,
    pub(crate) tables: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    InnerUnique,
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
    RightSemi,
    LeftAnti,
    RightAnti,
}

#[derive(Clone, Debug)]
pub(crate) struct JoinOp {
    pub(crate) kind: JoinKind,
    /// `lookup`: the right side's keys are dropped.
    pub(crate) lookup: bool,
    pub(crate) right: Expr,
    pub(crate) on: Vec<Expr>,
}

/// A `let` or the query itself.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Let(Ident, LetValue),
    /// `declare query_parameters(…)`.
    Parameters(Vec<Param>),
    Query(Box<Pipeline>),
    /// `set`, of an option that a result depends on.
    Option(Ident, Value, Type),
    /// What changes no result.
    Nothing,
}

#[derive(Clone, Debug)]
pub(crate) enum LetValue {
    Pipeline(Box<Pipeline>),
    /// The span is of the closing brace.
    Function {
        params: Vec<Param>,
        body: Vec<Statement>,
        end: Span,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: Ident,
    pub(crate) ty: ParamType,
    pub(crate) default: Option<Expr>,
}

#[derive(Clone, Debug)]
pub(crate) enum ParamType {
    Scalar(Type),
    /// `(name:type, …)`, or `(*)` as an empty list.
    Table(Vec<(Ident, Type)>),
}
