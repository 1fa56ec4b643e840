//! How many rows each operator of a run gave.

use crate::diagnostics::Span;
use crate::plan::{Node, NodeId, Op, Plan, RunState};
use std::collections::HashSet;
use std::rc::Rc;

/// What the operators of a run gave, so far: complete once its rows have been read.
pub struct Stages<'a> {
    plan: &'a Plan,
    state: Rc<RunState<'a>>,
}

/// An operator of a query and the rows it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The operator in the query's text: `where`, `summarize` …, or a table's name.
    pub span: Span,
    /// How deep it is inside of joins, unions and subqueries: 0 for the query's own pipeline.
    pub depth: usize,
    /// Rows that it gave. An operator that was read several times gave them several times.
    pub rows: u64,
}

impl<'a> Stages<'a> {
    pub(crate) fn new(plan: &'a Plan, state: Rc<RunState<'a>>) -> Self {
        Self { plan, state }
    }

    /// The operators in the order in which rows pass them, the inner ones before those that take their rows.
    pub fn all(&self) -> Vec<Stage> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for subquery in &self.plan.subqueries {
            self.collect(&subquery.node, 1, &mut seen, &mut found);
        }
        self.collect(&self.plan.root, 0, &mut seen, &mut found);
        found
    }

    fn collect(
        &self,
        node: &Node,
        depth: usize,
        seen: &mut HashSet<NodeId>,
        found: &mut Vec<Stage>,
    ) {
        if !seen.insert(node.id()) {
            return;
        }
        for (at, input) in node.inputs().into_iter().enumerate() {
            // The first input is what is piped in; a source that gathers tables has none.
            let gathers = matches!(&node.op, Op::Union { .. });
            self.collect(input, depth + usize::from(gathers || at > 0), seen, found);
        }
        let rows = self.state.counted(node.id()).unwrap_or(0);
        match found.last_mut() {
            // One operator of the text may be several of the plan: the last one counts.
            Some(last) if last.span == node.span && last.depth == depth => last.rows = rows,
            _ => found.push(Stage { span: node.span, depth, rows }),
        }
    }
}
