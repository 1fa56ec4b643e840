//! `top-nested`: the top of each level, within the top of the level before.

use super::Binder;
use super::expr::{Aggregates, Place, coerced};
use super::names::Names;
use crate::ast::stages::NestedLevel;
use crate::diagnostics::Span;
use crate::plan::stages::{Level, TopNested};
use crate::plan::{Node, Op, SortKey};
use crate::value::Type;
use std::sync::Arc;

/// Levels of one operator.
const MAX_LEVELS: usize = 64;

impl Binder<'_> {
    pub(super) fn top_nested(
        &mut self,
        input: Arc<Node>,
        levels: &[NestedLevel],
        span: Span,
    ) -> Option<Arc<Node>> {
        if levels.len() > MAX_LEVELS {
            let message = format!("`top-nested` has more than {MAX_LEVELS} levels");
            self.error(crate::diagnostics::TOO_COMPLEX, span, message);
            return None;
        }
        let mut names = Names::default();
        let mut bound = Vec::new();
        for (at, ast) in levels.iter().enumerate() {
            let count = match &ast.count {
                Some(count) => Some(self.whole(count)?),
                None => None,
            };
            self.one_name(&ast.of)?;
            let key = self.expr(&ast.of.expr, &mut Place::row(&input.schema))?;
            if key.ty == Type::Dynamic {
                self.unsupported(key.span, "`top-nested` of dynamic values");
                return None;
            }
            let name = match (ast.of.names.first(), &key.name) {
                (Some(written), _) => names.unique(&written.name),
                (None, Some(name)) => names.unique(name),
                (None, None) => names.free_unnamed(),
            };
            names.push(name.clone(), key.ty);
            let others = match &ast.others {
                None => None,
                Some(_) if levels.len() > at + 1 => {
                    self.unsupported(ast.span, "`with others` above another level");
                    return None;
                }
                Some(others) => {
                    let value = coerced(self.alone(others)?, key.ty);
                    let Some(constant) = value.constant() else {
                        self.error("KS129", value.span, "The expression must be a constant");
                        return None;
                    };
                    Some(constant.clone())
                }
            };
            let mut aggregates = Aggregates::default();
            let outputs = self.outputs(&ast.by, &input.schema, &mut aggregates)?;
            let [measure] = outputs.as_slice() else {
                self.unsupported(ast.by.expr.span, "a measure of several columns");
                return None;
            };
            if measure.ty == Type::Dynamic {
                self.unsupported(measure.span, "an order of dynamic values");
                return None;
            }
            let name = match ast.by.names.first() {
                Some(written) => names.unique(&written.name),
                None => names.unique(&format!("aggregated_{name}")),
            };
            names.push(name, measure.ty);
            let measure = SortKey {
                expr: measure.expr.clone(),
                ascending: ast.ascending,
                nulls_first: ast.ascending,
            };
            bound.push(Level { count, key: key.expr, calls: aggregates.calls, measure, others });
        }
        self.node(names.schema(), Op::TopNested(input, TopNested { levels: bound }), span)
    }
}
