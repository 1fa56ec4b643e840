//! The operators of `parser/stages.rs`.

use super::{Arg, Column, Expr, Ident, Operator};
use crate::value::Type;

/// Operators that make rows of values, values of text, or work on parts of a table.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// True for `kind=csl`: one text.
    GetSchema(bool),
    Consume,
    Sample(Expr),
    SampleDistinct(Expr, Expr),
    Expand(Expand),
    /// `mv-apply`: what the elements of each row go through.
    Apply(Expand, Vec<Operator>),
    Parse(Parse),
    ParseKv(ParseKv),
    /// `as Name`; true where its rows are to be kept.
    As(Ident, bool),
    Search(Search),
    TopNested(Vec<NestedLevel>),
    TopHitters {
        count: Expr,
        of: Expr,
        by: Option<Expr>,
    },
    Partition {
        by: Expr,
        body: Vec<Operator>,
        /// `hint.strategy` is `native` or `shuffle`.
        native: bool,
    },
    Invoke(Ident, Vec<Arg>),
}

/// `mv-expand` and the head of `mv-apply`.
#[derive(Clone, Debug)]
pub(crate) struct Expand {
    /// `kind=array`: a property is a pair of its name and its value.
    pub(crate) pairs: bool,
    pub(crate) index: Option<Ident>,
    pub(crate) columns: Vec<(Column, Option<Type>)>,
    pub(crate) limit: Option<Expr>,
    /// `mvexpand`: the old name has a limit of its own.
    pub(crate) legacy: bool,
}

/// How strictly a text has to be as the pattern says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseKind {
    Simple,
    /// A column that is not of its type is null, the others are read.
    Relaxed,
    Regex,
}

#[derive(Clone, Debug)]
pub(crate) struct Parse {
    pub(crate) kind: ParseKind,
    pub(crate) flags: Option<Ident>,
    pub(crate) text: Expr,
    pub(crate) parts: Vec<ParsePart>,
    /// `parse-where`: rows that are otherwise are dropped.
    pub(crate) only: bool,
}

/// A piece of a pattern with its place.
#[derive(Clone, Debug)]
pub(crate) struct ParsePart {
    pub(crate) kind: ParsePartKind,
    pub(crate) span: crate::diagnostics::Span,
}

#[derive(Clone, Debug)]
pub(crate) enum ParsePartKind {
    /// `*`
    Any,
    Text(String),
    Column(Ident, Type),
}

#[derive(Clone, Debug)]
pub(crate) struct ParseKv {
    pub(crate) text: Expr,
    pub(crate) keys: Vec<(Ident, Type)>,
    pub(crate) options: Vec<(Ident, Expr)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) case_sensitive: bool,
    /// `in (T, …)`; nothing: the rows that are piped in.
    pub(crate) tables: Option<Vec<Expr>>,
    pub(crate) test: Expr,
}

/// `top-nested N of … by …`.
#[derive(Clone, Debug)]
pub(crate) struct NestedLevel {
    pub(crate) count: Option<Expr>,
    pub(crate) of: Column,
    pub(crate) others: Option<Expr>,
    pub(crate) by: Column,
    pub(crate) ascending: bool,
    pub(crate) span: crate::diagnostics::Span,
}
