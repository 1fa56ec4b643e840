//! What the operators of `ops/{window,expand,parse,parse_kv,apply,top_nested}.rs` are told.

use super::{AggregateCall, Expr, Node, SortKey};
use crate::value::{Type, Value};
use regex::Regex;
use std::sync::Arc;

/// A column that depends on the rows before or after.
pub(crate) enum Window {
    /// `row_number(start, restart)`
    Number { start: Expr, restart: Expr },
    /// `row_cumsum(term, restart)`, of this type.
    Sum { term: Expr, restart: Expr, ty: Type },
    /// `row_rank_dense(term, restart)`, `row_rank_min(…)`
    Rank { term: Expr, restart: Expr, dense: bool },
    /// `row_window_session(at, from first, from the one before, restart)`
    Session { at: Expr, whole: Expr, gap: Expr, restart: Expr },
    /// `prev(value, rows, default)`
    Before { value: Expr, rows: usize, default: Expr },
    /// `next(value, rows, default)`
    After { value: Expr, rows: usize, default: Expr },
}

impl Window {
    pub(crate) fn exprs(&self) -> Vec<&Expr> {
        match self {
            Self::Number { start, restart } => vec![start, restart],
            Self::Sum { term, restart, .. } | Self::Rank { term, restart, .. } => {
                vec![term, restart]
            }
            Self::Session { at, whole, gap, restart } => vec![at, whole, gap, restart],
            Self::Before { value, default, .. } | Self::After { value, default, .. } => {
                vec![value, default]
            }
        }
    }
}

/// A row for each element of arrays.
pub(crate) struct Expand {
    /// The arrays, and the type of their elements.
    pub(crate) items: Vec<(Expr, Type)>,
    /// What each column of the result is.
    pub(crate) places: Vec<ExpandPlace>,
    /// A property is a pair of its name and its value.
    pub(crate) pairs: bool,
    pub(crate) limit: Option<Expr>,
}

#[derive(Clone, Copy)]
pub(crate) enum ExpandPlace {
    /// A column of the input.
    Input(usize),
    /// An element of this array.
    Item(usize),
    /// The element's place in it.
    Index,
}

/// Columns read from a text by a pattern.
pub(crate) struct Parse {
    pub(crate) text: Expr,
    pub(crate) pattern: Regex,
    /// The columns: the place of their group in the pattern, and their type.
    pub(crate) types: Vec<(usize, Type)>,
    /// Columns that are not of their type are null; else the whole text is taken not to fit.
    pub(crate) relaxed: bool,
    /// What each column of the result is: one of the input, or a group.
    pub(crate) places: Vec<Part>,
    /// Rows that do not fit are dropped.
    pub(crate) only: bool,
}

/// Where a column comes from that one of two things gives.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// The row that came in.
    Outer(usize),
    /// What was made of it.
    Inner(usize),
}

/// Columns read from a text of keys and values.
pub(crate) struct ParseKv {
    pub(crate) text: Expr,
    pub(crate) keys: Vec<(Arc<str>, Type)>,
    pub(crate) how: KvRules,
    pub(crate) places: Vec<Part>,
}

pub(crate) enum KvRules {
    /// Two groups: a key and its value.
    Regex(Regex),
    Delimiters(Delimiters),
}

#[derive(Default)]
pub(crate) struct Delimiters {
    /// Nothing: whatever is no letter or digit.
    pub(crate) pair: Option<String>,
    pub(crate) kv: Option<String>,
    /// Opening and closing.
    pub(crate) quotes: Vec<(char, char)>,
    pub(crate) escapes: Vec<char>,
    pub(crate) greedy: bool,
}

/// Operators that parts of the input go through, one part after the other.
pub(crate) struct Apply {
    pub(crate) input: Arc<Node>,
    /// Its rows are the part's.
    pub(crate) part: Arc<Node>,
    pub(crate) body: Arc<Node>,
    pub(crate) split: Split,
    pub(crate) places: Vec<Part>,
}

pub(crate) enum Split {
    /// `mv-apply`: the elements of each row.
    Elements(Expand),
    /// `partition`: the rows of each key, so many keys at most.
    Keys(Expr, usize),
}

/// `top-nested`
pub(crate) struct TopNested {
    pub(crate) levels: Vec<Level>,
}

pub(crate) struct Level {
    pub(crate) count: Option<Expr>,
    pub(crate) key: Expr,
    pub(crate) calls: Vec<AggregateCall>,
    /// Over the results of the calls.
    pub(crate) measure: SortKey,
    /// What stands for the keys that are not among the top.
    pub(crate) others: Option<Value>,
}
