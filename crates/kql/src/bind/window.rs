//! Functions of the rows before and after: `row_number`, `prev`, `next`, `row_cumsum` …
//!
//! A call becomes a column of the operator's input. The operator is bound twice: first to find its calls, then over
//! an input that has their columns, which are dropped from its result.

use super::expr::{Place, coerced};
use super::{Binder, Typed};
use crate::ast::{Arg, Ident, OpKind, Operator};
use crate::diagnostics::{Diagnostic, NOT_SERIALIZED, Span};
use crate::num;
use crate::plan::stages::{Split, Window};
use crate::plan::{Expr, Node, Op};
use crate::schema::Column;
use crate::value::{Type, Value};
use std::sync::Arc;

/// How the columns of calls are called: no query can say it.
const HIDDEN: &str = "\0";

/// The calls of the operator that is being bound.
#[derive(Default)]
pub(super) struct Windows(Option<Frame>);

struct Frame {
    /// Columns of the operator's input.
    width: usize,
    ordered: bool,
    calls: Vec<(Window, Type)>,
    /// The calls are columns already; so many have been met again.
    again: Option<usize>,
}

/// The operator whose calls were collected before, to be put back.
pub(super) struct Outer(Option<Frame>);

/// True for the functions of this file.
pub(super) fn is_window(name: &str) -> bool {
    matches!(
        name,
        "row_number"
            | "row_cumsum"
            | "row_rank"
            | "row_rank_dense"
            | "row_rank_min"
            | "row_window_session"
            | "prev"
            | "next"
    )
}

/// True for a column that stands for a call.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with(HIDDEN)
}

/// True where the order of the rows is one that the service takes as given.
pub(super) fn is_ordered(op: &Op) -> bool {
    match op {
        Op::Serialize(_) | Op::Sort(..) | Op::Top(..) | Op::Range { .. } | Op::Part => true,
        Op::Filter(input, _)
        | Op::Project(input, _)
        | Op::Take(input, _)
        | Op::Materialize(input)
        | Op::Named(input, _)
        | Op::Window(input, _)
        | Op::Expand(input, _)
        | Op::Parse(input, _)
        | Op::ParseKv(input, _) => input.ordered,
        Op::Apply(apply) => matches!(apply.split, Split::Elements(_)) && apply.input.ordered,
        Op::Scan(_)
        | Op::Rows(_)
        | Op::Summarize { .. }
        | Op::Distinct(_)
        | Op::Count(_)
        | Op::Join { .. }
        | Op::Union { .. }
        | Op::TopNested(..) => false,
    }
}

/// `serialize` gives its own columns the order that it is there to give.
fn is_ordered_for(input: &Node, operator: &Operator) -> bool {
    input.ordered || matches!(operator.kind, OpKind::Serialize(_))
}

impl Binder<'_> {
    /// Where no operator's rows are at hand.
    pub(super) fn leave_rows(&mut self) -> Outer {
        Outer(self.windows.0.take())
    }

    pub(super) fn back_to_rows(&mut self, outer: Outer) {
        self.windows.0 = outer.0;
    }

    /// Binds an operator, its window functions included.
    pub(super) fn operator(&mut self, input: Arc<Node>, operator: &Operator) -> Option<Arc<Node>> {
        let width = input.schema.columns.len();
        let ordered = is_ordered_for(&input, operator);
        let frame = Frame { width, ordered, calls: Vec::new(), again: None };
        let outer = self.windows.0.replace(frame);
        let node = self.operator_over(Arc::clone(&input), operator);
        let calls = self.windows.0.take().map(|frame| frame.calls).unwrap_or_default();
        if calls.is_empty() || node.is_none() {
            self.windows.0 = outer;
            return node;
        }
        let node = self.with_windows(input, calls, operator);
        self.windows.0 = outer;
        node
    }

    fn with_windows(
        &mut self,
        input: Arc<Node>,
        calls: Vec<(Window, Type)>,
        operator: &Operator,
    ) -> Option<Arc<Node>> {
        let width = input.schema.columns.len();
        let ordered = is_ordered_for(&input, operator);
        let mut node = input;
        for (at, (call, ty)) in calls.into_iter().enumerate() {
            let mut schema = node.schema.clone();
            schema.columns.push(Column { name: format!("{HIDDEN}{at}"), ty });
            node = self.node(schema, Op::Window(node, call), operator.span)?;
        }
        self.windows.0 = Some(Frame { width, ordered, calls: Vec::new(), again: Some(0) });
        let node = self.operator_over(node, operator)?;
        let shown: Vec<usize> = node
            .schema
            .names()
            .enumerate()
            .filter(|(_, name)| !is_hidden(name))
            .map(|(at, _)| at)
            .collect();
        if shown.len() == node.schema.columns.len() {
            return Some(node);
        }
        self.pick(node, &shown, operator.span)
    }

    /// A call of a window function.
    pub(super) fn window(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        let (min, max) = match name.name.as_str() {
            "row_number" => (0, 2),
            "prev" | "next" => (1, 3),
            "row_window_session" => (3, 4),
            _ => (1, 2),
        };
        self.arity(name, args.len(), min, max)?;
        if place.aggregates.is_some() {
            self.unsupported(name.span, &format!("`{}()` outside of an aggregate", name.name));
            return None;
        }
        let bound: Vec<Option<Typed>> = args.iter().map(|a| self.expr(&a.value, place)).collect();
        let bound: Vec<Typed> = bound.into_iter().collect::<Option<_>>()?;
        let (window, ty) = self.window_of(name, bound)?;
        let Some(frame) = self.windows.0.as_mut().filter(|frame| frame.ordered) else {
            let message = format!(
                "The function '{}' cannot be called here: the rows must be serialized",
                name.name
            );
            self.found.push(
                Diagnostic::error(NOT_SERIALIZED, name.span, message)
                    .help("put `| serialize`, or a `sort`, before it"),
            );
            return None;
        };
        let at = if let Some(met) = &mut frame.again {
            *met += 1;
            *met - 1
        } else {
            frame.calls.push((window, ty));
            frame.calls.len() - 1
        };
        let expr = Expr::Column(frame.width + at);
        Some(Typed { expr, ty, name: None, is_column: false, span })
    }

    fn window_of(&mut self, name: &Ident, args: Vec<Typed>) -> Option<(Window, Type)> {
        let mut args = args.into_iter();
        let first = args.next();
        let Some(first) = first else {
            let start = Expr::Const(Value::Long(1));
            let restart = Expr::Const(Value::Bool(false));
            return Some((Window::Number { start, restart }, Type::Long));
        };
        Some(match name.name.as_str() {
            "row_number" => {
                if !first.ty.is_integer() {
                    self.error("KS107", first.span, "A value of type long expected");
                    return None;
                }
                let restart = self.restart(args.next())?;
                (Window::Number { start: first.expr, restart }, Type::Long)
            }
            "row_cumsum" => {
                if !first.ty.is_number() {
                    self.error("KS137", first.span, "The expression value must be a number");
                    return None;
                }
                if first.ty == Type::Decimal {
                    self.unsupported(first.span, "a running sum of decimals");
                    return None;
                }
                let restart = self.restart(args.next())?;
                (Window::Sum { term: first.expr, restart, ty: first.ty }, first.ty)
            }
            "row_window_session" => {
                let whole = args.next()?;
                let gap = args.next()?;
                let wanted = [Type::Datetime, Type::Timespan, Type::Timespan];
                let mut sound = Some(());
                for (value, wanted) in [&first, &whole, &gap].into_iter().zip(wanted) {
                    if value.ty != wanted {
                        let message = format!("A value of type {wanted} expected");
                        self.error("KS107", value.span, message);
                        sound = None;
                    }
                }
                sound?;
                let restart = self.restart(args.next())?;
                let (at, whole, gap) = (first.expr, whole.expr, gap.expr);
                (Window::Session { at, whole, gap, restart }, Type::Datetime)
            }
            "prev" | "next" => {
                if !first.is_column {
                    self.error("KS109", first.span, "Column name expected");
                    return None;
                }
                let rows = match args.next() {
                    None => 1,
                    Some(offset) => self.offset(&offset)?,
                };
                let ty = first.ty;
                let default =
                    args.next().map_or(Expr::Const(ty.missing()), |d| coerced(d, ty).expr);
                let value = first.expr;
                let window = if name.name == "prev" {
                    Window::Before { value, rows, default }
                } else {
                    Window::After { value, rows, default }
                };
                (window, ty)
            }
            _ => {
                self.not_dynamic(&first)?;
                let restart = self.restart(args.next())?;
                let dense = name.name != "row_rank_min";
                (Window::Rank { term: first.expr, restart, dense }, Type::Long)
            }
        })
    }

    /// Where to start again; false where it is not said.
    fn restart(&mut self, restart: Option<Typed>) -> Option<Expr> {
        match restart {
            Some(restart) if restart.ty != Type::Bool => {
                self.error("KS107", restart.span, "A value of type bool expected");
                None
            }
            Some(restart) => Some(restart.expr),
            None => Some(Expr::Const(Value::Bool(false))),
        }
    }

    fn offset(&mut self, offset: &Typed) -> Option<usize> {
        if !offset.ty.is_integer() {
            self.error("KS107", offset.span, "A value of type long expected");
            return None;
        }
        let Some(value) = offset.constant() else {
            self.unsupported(offset.span, "an offset that is not a constant");
            return None;
        };
        let rows = value.as_long().and_then(num::long_to_len);
        if rows.is_none() {
            self.error("KS107", offset.span, "An offset of zero or more rows expected");
        }
        rows
    }
}
