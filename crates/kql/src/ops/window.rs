//! Window functions: each adds a column to the rows that pass.

use super::open;
use crate::num;
use crate::plan::stages::Window;
use crate::plan::{Expr, Node, Rows, RunError, RunState};
use crate::schema::Row;
use crate::value::{Key, Type, Value};
use std::collections::VecDeque;
use std::rc::Rc;

pub(super) fn run<'a>(input: &'a Node, window: &'a Window, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let rows = open(input, run);
    let run = Rc::clone(run);
    if let Window::After { value, rows: by, default } = window {
        let waiting = VecDeque::new();
        return Box::new(After { rows, value, by: *by, default, waiting, most: 0, run });
    }
    let mut state = State::default();
    Box::new(rows.map(move |row| {
        let mut row = row?;
        let value = state.next(window, &row, &run)?;
        row.push(value);
        Ok(row)
    }))
}

/// What is remembered of the rows before.
#[derive(Default)]
struct State {
    started: bool,
    count: i64,
    rank: i64,
    whole: i64,
    real: f64,
    last: Option<Key>,
    session: Option<(i64, i64)>,
    before: VecDeque<Value>,
}

impl State {
    fn next(
        &mut self,
        window: &Window,
        row: &[Value],
        run: &RunState<'_>,
    ) -> Result<Value, RunError> {
        Ok(match window {
            Window::Number { start, restart } => {
                if !self.started || restart.test(row, run) {
                    self.count = start.eval(row, run).as_long().unwrap_or(1);
                } else {
                    self.count = self.count.wrapping_add(1);
                }
                self.started = true;
                Value::Long(self.count)
            }
            Window::Sum { term, restart, ty } => {
                if restart.test(row, run) {
                    (self.whole, self.real) = (0, 0.0);
                }
                let term = term.eval(row, run);
                if *ty == Type::Real {
                    self.real += term.as_real().unwrap_or(0.0);
                    return Ok(Value::Real(self.real));
                }
                self.whole = self.whole.wrapping_add(term.as_long().unwrap_or(0));
                match ty {
                    Type::Int => Value::Int(num::wrap_int(self.whole)),
                    _ => Value::Long(self.whole),
                }
            }
            Window::Rank { term, restart, dense } => {
                let term = Some(term.eval(row, run).key());
                if !self.started || restart.test(row, run) {
                    (self.count, self.rank) = (1, 1);
                } else {
                    self.count = self.count.wrapping_add(1);
                    if term != self.last {
                        self.rank = if *dense { self.rank.wrapping_add(1) } else { self.count };
                    }
                }
                self.started = true;
                self.last = term;
                Value::Long(self.rank)
            }
            Window::Session { at, whole, gap, restart } => {
                let Value::Datetime(at) = at.eval(row, run) else {
                    self.session = None;
                    return Ok(Value::Null);
                };
                let within = |from: i64, span: &Expr| match span.eval(row, run) {
                    Value::Timespan(span) => at < from.saturating_add(span),
                    _ => true,
                };
                let start = self
                    .session
                    .filter(|(start, last)| within(*start, whole) && within(*last, gap))
                    .filter(|_| !restart.test(row, run))
                    .map_or(at, |(start, _)| start);
                self.session = Some((start, at));
                Value::Datetime(start)
            }
            Window::Before { value, rows, default } => {
                let value = value.eval(row, run);
                if *rows == 0 {
                    return Ok(value);
                }
                let before = if self.before.len() == *rows {
                    self.before.pop_front()
                } else {
                    run.hold("prev", 1, value.size())?;
                    None
                };
                self.before.push_back(value);
                before.unwrap_or_else(|| default.eval(row, run))
            }
            // It looks ahead: see `After`.
            Window::After { .. } => Value::Null,
        })
    }
}

struct After<'a> {
    rows: Rows<'a>,
    value: &'a Expr,
    by: usize,
    default: &'a Expr,
    waiting: VecDeque<Row>,
    /// The most rows that have waited at once.
    most: usize,
    run: Rc<RunState<'a>>,
}

impl Iterator for After<'_> {
    type Item = Result<Row, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() <= self.by {
            match self.rows.next() {
                Some(Ok(row)) => {
                    if self.waiting.len() >= self.most {
                        self.most += 1;
                        let held = self.run.hold("next", 1, crate::plan::row_size(&row));
                        if let Err(error) = held {
                            return Some(Err(error));
                        }
                    }
                    self.waiting.push_back(row);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        let ahead = self.waiting.get(self.by).map(|row| self.value.eval(row, &self.run));
        let mut row = self.waiting.pop_front()?;
        let value = ahead.unwrap_or_else(|| self.default.eval(&row, &self.run));
        row.push(value);
        Some(Ok(row))
    }
}
