//! `mv-expand`, and the operators whose body works on parts of a table: `mv-apply`, `partition`.

use super::expr::Place;
use super::names::Names;
use super::{Binder, Typed};
use crate::ast::stages::Expand as Ast;
use crate::ast::{Expr as AstExpr, Operator};
use crate::diagnostics::Span;
use crate::plan::stages::{Apply, Expand, ExpandPlace, Part, Split};
use crate::plan::{Expr, Node, Op};
use crate::schema::{Column, Schema};
use crate::value::{Type, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What `mvexpand` gives at most of a row, where it is not told.
const LEGACY_LIMIT: i64 = 128;
/// Keys that `partition` takes at most where it does not work natively.
const LEGACY_PARTITIONS: usize = 64;

/// The rows of elements, and the columns of the input that they take the place of under their own name.
struct Expanded {
    schema: Schema,
    expand: Expand,
    replaced: HashSet<usize>,
}

impl Binder<'_> {
    pub(super) fn expand(&mut self, input: Arc<Node>, ast: &Ast, span: Span) -> Option<Arc<Node>> {
        let Expanded { schema, expand, .. } = self.expanded(&input.schema, ast)?;
        self.node(schema, Op::Expand(input, expand), span)
    }

    fn expanded(&mut self, input: &Schema, ast: &Ast) -> Option<Expanded> {
        let mut schema = input.clone();
        let mut places: Vec<ExpandPlace> =
            (0..schema.columns.len()).map(ExpandPlace::Input).collect();
        let mut known: HashMap<String, usize> =
            schema.names().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
        let mut names = Names::default();
        names.reserve(input.names());
        let mut items = Vec::new();
        let mut replaced = HashSet::new();
        let mut sound = Some(());
        for (column, ty) in &ast.columns {
            self.one_name(column)?;
            let Some(value) = self.expr(&column.expr, &mut Place::row(input)) else {
                sound = None;
                continue;
            };
            if value.ty != Type::Dynamic {
                self.error("KS141", value.span, "The expression must have the type dynamic");
                sound = None;
                continue;
            }
            let written = column.names.first();
            let base = match (written, &value.name) {
                (Some(written), _) => written.name.clone(),
                (None, Some(name)) => name.clone(),
                (None, None) => names.free_unnamed(),
            };
            if (written.is_some() || value.is_column) && !names.declare(&base) {
                let place = written.map_or(value.span, |w| w.span);
                let message = format!("A column with the name '{base}' is already declared");
                self.error("KS171", place, message);
                sound = None;
                continue;
            }
            let ty = ty.unwrap_or(Type::Dynamic);
            if matches!(ty, Type::Timespan | Type::Decimal) {
                // It makes something of such values and nothing of texts; JSON does not tell them apart.
                self.unsupported(value.span, &format!("elements `to typeof({ty})`"));
                sound = None;
                continue;
            }
            let item = ExpandPlace::Item(items.len());
            if let Some(at) = known.get(&base) {
                if written.is_none() && matches!(value.expr, Expr::Column(from) if from == *at) {
                    replaced.insert(*at);
                }
                if let (Some(column), Some(place)) =
                    (schema.columns.get_mut(*at), places.get_mut(*at))
                {
                    column.ty = ty;
                    *place = item;
                }
            } else {
                known.insert(base.clone(), places.len());
                names.reserve(std::iter::once(base.as_str()));
                schema.columns.push(Column { name: base, ty });
                places.push(item);
            }
            items.push((value.expr, ty));
        }
        sound?;
        if let Some(index) = &ast.index {
            let name = names.unique(&index.name);
            schema.columns.push(Column { name, ty: Type::Long });
            places.push(ExpandPlace::Index);
        }
        let limit = match &ast.limit {
            Some(limit) => Some(self.whole(limit)?),
            None if ast.legacy => Some(Expr::Const(Value::Long(LEGACY_LIMIT))),
            None => None,
        };
        let expand = Expand { items, places, pairs: ast.pairs, limit };
        Some(Expanded { schema, expand, replaced })
    }

    pub(super) fn apply(
        &mut self,
        input: Arc<Node>,
        ast: &Ast,
        body: &[Operator],
        span: Span,
    ) -> Option<Arc<Node>> {
        let Expanded { schema, expand, replaced } = self.expanded(&input.schema, ast)?;
        let (part, body) = self.body(schema, body, span)?;
        let inner: HashMap<&str, usize> =
            body.schema.names().enumerate().map(|(at, name)| (name, at)).collect();
        let mut columns = Vec::new();
        let mut places = Vec::new();
        let mut taken = HashSet::new();
        for (at, column) in input.schema.columns.iter().enumerate() {
            if replaced.contains(&at) {
                continue;
            }
            let from = inner.get(column.name.as_str()).copied();
            let column = match from.and_then(|from| body.schema.columns.get(from)) {
                Some(column) => column,
                None => column,
            };
            taken.insert(column.name.as_str());
            columns.push(column.clone());
            places.push(from.map_or(Part::Outer(at), Part::Inner));
        }
        for (at, column) in body.schema.columns.iter().enumerate() {
            if taken.insert(column.name.as_str()) {
                columns.push(column.clone());
                places.push(Part::Inner(at));
            }
        }
        drop(inner);
        let split = Split::Elements(expand);
        let apply = Apply { input, part, body, split, places };
        self.node(Schema { columns }, Op::Apply(apply), span)
    }

    pub(super) fn partition(
        &mut self,
        input: Arc<Node>,
        by: &AstExpr,
        body: &[Operator],
        native: bool,
        span: Span,
    ) -> Option<Arc<Node>> {
        let key: Typed = self.column_of(by, &input.schema)?;
        self.not_dynamic(&key)?;
        let (part, body) = self.body(input.schema.clone(), body, span)?;
        let schema = body.schema.clone();
        let places = (0..schema.columns.len()).map(Part::Inner).collect();
        let most = if native { usize::MAX } else { LEGACY_PARTITIONS };
        let apply = Apply { input, part, body, split: Split::Keys(key.expr, most), places };
        self.node(schema, Op::Apply(apply), span)
    }

    /// The operators that each part goes through, and where its rows come from.
    fn body(
        &mut self,
        schema: Schema,
        operators: &[Operator],
        span: Span,
    ) -> Option<(Arc<Node>, Arc<Node>)> {
        let part = self.node(schema, Op::Part, span)?;
        let outer = self.scope.clone();
        self.bodies += 1;
        let mut body = Some(Arc::clone(&part));
        for operator in operators {
            let Some(input) = body else { break };
            body = match self.spend(operator.span) {
                Some(()) => self.operator(input, operator),
                None => None,
            };
        }
        self.bodies -= 1;
        // Names for rows of a part mean nothing outside of it.
        self.scope = outer;
        Some((part, body?))
    }
}
