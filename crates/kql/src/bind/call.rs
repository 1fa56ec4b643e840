//! Calls: of the table's functions, of aggregates, of `let` functions, and of the few that are more than a function.

use super::expr::{Place, coerced, made};
use super::{Binder, Bound, Entry, Typed, lookup};
use crate::aggregates::{self, Aggregate, Shape};
use crate::ast::{Arg, Expr as Ast, ExprKind, Ident};
use crate::diagnostics::{Diagnostic, Span};
use crate::functions::{
    self, Eval, Function, Gives, Naming, Prepare, Refusal, Signature, Takes, dynamic, known,
};
use crate::plan::{AggregateCall, Expr};
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// The type that all of these have in common.
fn common(types: &[Type]) -> Option<Type> {
    let mut all = types.iter().copied();
    let first = all.next()?;
    all.try_fold(first, |a, b| match (a, b) {
        _ if a == b => Some(a),
        (Type::Decimal, n) | (n, Type::Decimal) if n.is_number() => Some(Type::Decimal),
        (Type::Real, n) | (n, Type::Real) if n.is_number() => Some(Type::Real),
        (Type::Int | Type::Long, Type::Int | Type::Long) => Some(Type::Long),
        _ => None,
    })
}

fn fits(takes: Takes, ty: Type) -> bool {
    match takes {
        Takes::Is(Type::String) | Takes::TextOrDynamic => {
            matches!(ty, Type::String | Type::Dynamic)
        }
        Takes::Is(Type::Long) | Takes::Integer => ty.is_integer(),
        Takes::Is(Type::Real) => matches!(ty, Type::Int | Type::Long | Type::Real),
        Takes::Bag => ty == Type::Dynamic,
        Takes::Is(wanted) => wanted == ty,
        Takes::Scalar | Takes::Common | Takes::CommonOrDynamic => true,
        Takes::Number => ty.is_number(),
        Takes::IntegerOrDynamic => ty.is_integer() || ty == Type::Dynamic,
        Takes::NotDynamic => ty != Type::Dynamic,
        Takes::Summable => ty.is_number() || matches!(ty, Type::Timespan | Type::Datetime),
        Takes::Orderable => !matches!(ty, Type::Dynamic | Type::Guid),
    }
}

fn misfit(takes: Takes) -> (&'static str, String) {
    match takes {
        Takes::Is(Type::Dynamic) => {
            ("KS234", "The expression value must be a dynamic array or bag".to_owned())
        }
        Takes::Bag => ("KS235", "The expression must be a dynamic bag".to_owned()),
        Takes::Is(ty) => ("KS107", format!("A value of type {ty} expected")),
        Takes::Number => ("KS137", "The expression value must be a number".to_owned()),
        Takes::Integer => ("KS134", "The expression value must be an integer".to_owned()),
        Takes::TextOrDynamic => {
            ("KS141", "The expression must have one of the types: string or dynamic".to_owned())
        }
        Takes::IntegerOrDynamic => (
            "KS136",
            "The expression value must be an integer or a dynamic array of integers".to_owned(),
        ),
        Takes::NotDynamic => {
            ("KS116", "The value of type 'dynamic' is not allowed in this context".to_owned())
        }
        Takes::Summable => (
            "KS138",
            "The argument value must be summable: a number, timespan or datetime".to_owned(),
        ),
        Takes::Orderable => (
            "KS206",
            "The argument value must be orderable: a number, timespan, datetime, string or boolean"
                .to_owned(),
        ),
        Takes::Scalar | Takes::Common | Takes::CommonOrDynamic => {
            ("KS106", "A scalar expected".to_owned())
        }
    }
}

/// The parameter for the argument at `at` of `count`: the first ones in turn, then the last again.
fn parameter(signature: &Signature, at: usize) -> Takes {
    signature.takes.get(at).or(signature.takes.last()).copied().unwrap_or(Takes::Scalar)
}

/// `column_ifexists` passes its column's name to the result, not to what is made of it.
pub(super) fn unnamed(ast: &Ast, value: Typed) -> Typed {
    match &ast.kind {
        ExprKind::Call { name, .. } if name.name.starts_with("column") && !value.is_column => {
            Typed { name: None, ..value }
        }
        _ => value,
    }
}

/// A bag of columns by their names.
fn packed(columns: Vec<Typed>, span: Span, sparse: bool) -> Typed {
    let names: Vec<String> = columns.iter().map(|c| c.name.clone().unwrap_or_default()).collect();
    let eval: Eval = Arc::new(move |args: &[Value]| {
        if dynamic::fits_all(args).is_none() {
            return Value::Null;
        }
        let empty = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
        let pairs = names.iter().zip(args).filter(|(_, value)| !(sparse && empty(value)));
        let bag = pairs.map(|(name, value)| (name.clone(), value.to_json())).collect();
        Value::from_json(Json::Object(bag))
    });
    Typed { name: None, is_column: false, span, ..made(eval, columns, Type::Dynamic) }
}

/// The result of matching a call with a function's signatures.
struct Matched {
    ty: Type,
    args: Vec<Typed>,
}

impl Binder<'_> {
    pub(super) fn call(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        if let Some(Entry::Function(function)) = lookup(&self.scope, &name.name) {
            return match self.call_let(&function, name, args, Some(place))? {
                Bound::Scalar(value) => Some(Typed { name: None, is_column: false, span, ..value }),
                Bound::Table(_) => {
                    let message = format!(
                        "The function '{}' gives a table, a scalar is expected here",
                        name.name
                    );
                    self.error("KS108", name.span, message);
                    None
                }
            };
        }
        if super::window::is_window(&name.name) {
            return self.window(name, args, span, place);
        }
        match name.name.as_str() {
            "toscalar" => return self.toscalar(name, args),
            "bin_auto" => return self.bin_auto(name, args, span, place),
            "column_ifexists" | "columnifexists" => return self.column_ifexists(name, args, place),
            "pack_all" => return self.pack_all(name, args, span, place),
            "pack_array" | "bag_pack_columns" => {
                let starred = |a: &Arg| matches!(a.value.kind, ExprKind::Star);
                if name.name != "pack_array" || args.iter().any(starred) {
                    return self.pack_columns(name, args, span, place);
                }
            }
            "ingestion_time" => {
                // A table may carry the instant as a column of this name.
                let column = "$IngestionTime";
                self.arity(name, args.len(), 0, 0)?;
                let expr =
                    place.columns.index(column).map_or(Expr::Const(Value::Null), Expr::Column);
                let name = Some(column.to_owned());
                return Some(Typed { expr, ty: Type::Datetime, name, is_column: false, span });
            }
            _ => {}
        }
        if self.gives_several(name) {
            return self.one_of_several(name, args, span, place);
        }
        if let Some(aggregate) = aggregates::find(&name.name) {
            return self.aggregate_scalar(aggregate, name, args, place);
        }
        let Some(function) = functions::find(&name.name) else {
            self.unknown_function(name);
            return None;
        };
        if let Some(named) = args.iter().find_map(|a| a.name.as_ref()) {
            self.unsupported(named.span, "an argument by name");
            return None;
        }
        // `extract(…, typeof(long))` is a conversion of what it extracts.
        let (args, to) = match args {
            [rest @ .., Arg { value: Ast { kind: ExprKind::Typeof(ty), .. }, .. }]
                if functions::extract::typed_after(function.name) == Some(rest.len()) =>
            {
                (rest, Some(*ty))
            }
            _ => (args, None),
        };
        let args: Vec<Option<Typed>> = args
            .iter()
            .map(|a| self.expr(&a.value, place).map(|value| unnamed(&a.value, value)))
            .collect();
        let args: Vec<Typed> = args.into_iter().collect::<Option<_>>()?;
        let value = self.call_function(function, name, args, span)?;
        Some(match to {
            Some(ty) => coerced(value, ty),
            None => value,
        })
    }

    /// The columns of the row, as arguments.
    fn whole_row(place: &Place<'_>, span: Span) -> Vec<Typed> {
        let columns = place.columns.columns.iter().enumerate();
        columns
            .filter(|(_, column)| !column.name.starts_with('$'))
            .map(|(at, column)| Typed {
                expr: Expr::Column(at),
                ty: column.ty,
                name: Some(column.name.clone()),
                is_column: true,
                span,
            })
            .collect()
    }

    /// `pack_all()`, `pack_all(true)`: the row as a bag, with or without what is null or empty.
    fn pack_all(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        self.arity(name, args.len(), 0, 1)?;
        let sparse = match args {
            [] => false,
            [arg, ..] => {
                let value = self.expr(&arg.value, place)?;
                let Some(Value::Bool(sparse)) = value.constant() else {
                    self.error("KS129", value.span, "The expression must be a constant");
                    return None;
                };
                *sparse
            }
        };
        let columns = Self::whole_row(place, span);
        Some(packed(columns, span, sparse))
    }

    /// `bag_pack_columns(a, b)`, `pack_array(*)`.
    fn pack_columns(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        let mut columns = Vec::new();
        for arg in args {
            if matches!(arg.value.kind, ExprKind::Star) {
                columns.extend(Self::whole_row(place, arg.value.span));
                continue;
            }
            let column = self.expr(&arg.value, place)?;
            if name.name == "bag_pack_columns" && !column.is_column {
                self.error("KS109", column.span, "A column expected");
                return None;
            }
            columns.push(column);
        }
        if name.name == "bag_pack_columns" {
            return Some(packed(columns, span, false));
        }
        let eval: Eval = Arc::new(|args: &[Value]| Value::from(dynamic::pack_array(args)));
        let made = made(eval, columns, Type::Dynamic);
        Some(Typed { name: None, is_column: false, span, ..made })
    }

    fn unknown_function(&mut self, name: &Ident) {
        let text = &name.name;
        if known::is_function(text) || text == "materialize" {
            self.unsupported(name.span, &format!("function `{text}`"));
        } else if known::is_aggregate(text) {
            self.unsupported(name.span, &format!("aggregate function `{text}`"));
        } else {
            let message = format!("The name '{text}' does not refer to any known function");
            let mut error = Diagnostic::error("KS211", name.span, message);
            if let Some(near) =
                functions::nearest(text, functions::names().chain(aggregates::names()))
            {
                error = error.help(format!("did you mean `{near}`?"));
            }
            self.found.push(error);
        }
    }

    pub(super) fn arity(
        &mut self,
        name: &Ident,
        count: usize,
        min: usize,
        max: usize,
    ) -> Option<()> {
        if (min..=max).contains(&count) {
            return Some(());
        }
        let text = &name.name;
        if min == max {
            let s = if min == 1 { "" } else { "s" };
            self.error(
                "KS119",
                name.span,
                format!("The function '{text}' expects {min} argument{s}"),
            );
        } else {
            let message =
                format!("The function '{text}' expects between {min} and {max} arguments");
            // Functions that take any number of arguments have a code of their own.
            self.error(if max > 60 { "KS120" } else { "KS119" }, name.span, message);
        }
        None
    }

    pub(super) fn call_function(
        &mut self,
        function: &'static Function,
        name: &Ident,
        args: Vec<Typed>,
        span: Span,
    ) -> Option<Typed> {
        let first = args.first().and_then(|a| a.name.clone());
        let matched = self.matched(function.signatures, name, args)?;
        let eval = self.prepared(&matched.args, span, |p| function.prepare(p))?;
        let naming = match function.naming {
            Naming::Default => None,
            Naming::First => first,
            Naming::Prefix(prefix) => Some(format!("{prefix}_{}", first.unwrap_or_default())),
        };
        let made = made(eval, matched.args, matched.ty);
        Some(Typed { name: naming, is_column: false, span, ..made })
    }

    /// Hands what is known of the arguments to a constructor, and reports its refusal.
    fn prepared<T>(
        &mut self,
        args: &[Typed],
        span: Span,
        make: impl FnOnce(&Prepare<'_>) -> Result<T, Refusal>,
    ) -> Option<T> {
        let types: Vec<Type> = args.iter().map(|a| a.ty).collect();
        let consts: Vec<Option<Value>> = args.iter().map(|a| a.constant().cloned()).collect();
        match make(&Prepare { types: &types, consts: &consts, now: self.now }) {
            Ok(made) => Some(made),
            Err(Refusal::Argument(at, code, message)) => {
                self.error(code, args.get(at).map_or(span, |a| a.span), message);
                None
            }
            Err(Refusal::Unsupported(what)) => {
                self.unsupported(span, &what);
                None
            }
        }
    }

    /// The signature that the arguments fit, the arguments as it takes them.
    fn matched(
        &mut self,
        signatures: &'static [Signature],
        name: &Ident,
        args: Vec<Typed>,
    ) -> Option<Matched> {
        let min = signatures.iter().map(|s| s.min).min().unwrap_or(0);
        let max = signatures.iter().map(|s| s.max).max().unwrap_or(0);
        self.arity(name, args.len(), min, max)?;
        if name.name == "case" && args.len().is_multiple_of(2)
            || name.name.contains("pack") && name.name != "pack_array" && args.len() % 2 == 1
        {
            self.error(
                "KS121",
                name.span,
                "The function call has an incorrect number of arguments",
            );
            return None;
        }
        let is_case = name.name == "case";
        let takes = |s: &Signature, at: usize| {
            if is_case && at.is_multiple_of(2) && at + 1 < args.len() {
                Takes::Is(Type::Bool)
            } else {
                parameter(s, at)
            }
        };
        let open: Vec<&Signature> =
            signatures.iter().filter(|s| (s.min..=s.max).contains(&args.len())).collect();
        let fitting = open
            .iter()
            .find(|s| args.iter().enumerate().all(|(at, arg)| fits(takes(s, at), arg.ty)))
            .copied();
        let Some(signature) = fitting else {
            // One way to call it is nearer than all others: what does not fit it is said. Else all is.
            let misses = |s: &Signature| {
                args.iter().enumerate().filter(|(at, arg)| !fits(takes(s, *at), arg.ty)).count()
            };
            let least = open.iter().map(|s| misses(s)).min();
            let nearest: Vec<&Signature> =
                open.iter().copied().filter(|s| Some(misses(s)) == least).collect();
            if let [only] = nearest.as_slice() {
                for (at, arg) in args.iter().enumerate() {
                    if !fits(takes(only, at), arg.ty) {
                        let (code, message) = misfit(takes(only, at));
                        self.error(code, arg.span, message);
                    }
                }
            } else {
                let types: Vec<&str> = args.iter().map(|a| a.ty.name()).collect();
                let message = format!(
                    "The function '{}' is not compatible with arguments ({})",
                    name.name,
                    types.join(", ")
                );
                self.error("KS127", name.span, message);
            }
            return None;
        };
        let kinds: Vec<Takes> = (0..args.len()).map(|at| takes(signature, at)).collect();
        let chosen: Vec<(Type, Takes)> = args
            .iter()
            .zip(&kinds)
            .filter(|(_, k)| matches!(k, Takes::Common | Takes::CommonOrDynamic))
            .map(|(a, k)| (a.ty, *k))
            .collect();
        let shared = self.shared(&chosen, name);
        let first = args.first().map_or(Type::Long, |a| a.ty);
        let ty = match signature.gives {
            Gives::Is(ty) => ty,
            Gives::FirstPromoted if first == Type::Int => Type::Long,
            Gives::First | Gives::FirstPromoted => first,
            Gives::Widest => match common(&args.iter().map(|a| a.ty).collect::<Vec<_>>()) {
                Some(Type::Int) | None => Type::Long,
                Some(ty) => ty,
            },
            Gives::Common => shared?,
        };
        let args = args
            .into_iter()
            .zip(kinds)
            .map(|(arg, kind)| match kind {
                Takes::Is(Type::String) => coerced(arg, Type::String),
                Takes::Common | Takes::CommonOrDynamic => coerced(arg, ty),
                _ => arg,
            })
            .collect();
        Some(Matched { ty, args })
    }

    /// The type of the arguments that share one.
    fn shared(&mut self, chosen: &[(Type, Takes)], name: &Ident) -> Option<Type> {
        if chosen.is_empty() {
            return None;
        }
        let types: Vec<Type> = chosen.iter().map(|(t, _)| *t).collect();
        if chosen.iter().any(|(_, k)| *k == Takes::CommonOrDynamic) {
            // JSON takes the type of its neighbours; neighbours that do not agree become JSON.
            let plain: Vec<Type> = types.iter().copied().filter(|t| *t != Type::Dynamic).collect();
            if plain.is_empty() {
                return Some(Type::Dynamic);
            }
            return Some(common(&plain).unwrap_or(Type::Dynamic));
        }
        let shared = common(&types);
        if shared.is_none() {
            self.error("KS232", name.span, "No common type can be determined from the arguments");
        }
        shared
    }

    fn toscalar(&mut self, name: &Ident, args: &[Arg]) -> Option<Typed> {
        self.arity(name, args.len(), 1, 1)?;
        let arg = args.first()?;
        match self.source_expr(&arg.value)? {
            Bound::Scalar(value) => Some(Typed { name: None, is_column: false, ..value }),
            Bound::Table(node) => {
                let Some(column) = node.schema.columns.first() else {
                    self.error("KS005", arg.value.span, "Expected: a table with a column");
                    return None;
                };
                let ty = column.ty;
                let cell = self.subquery(node, false);
                Some(Typed {
                    expr: Expr::Cell(cell),
                    ty,
                    name: None,
                    is_column: false,
                    span: name.span,
                })
            }
        }
    }

    /// The column where the table has it, the other expression where it has not.
    fn column_ifexists(
        &mut self,
        name: &Ident,
        args: &[Arg],
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        self.arity(name, args.len(), 2, 2)?;
        let [column, other] = args else { return None };
        let column_name = self.expr(&column.value, place)?;
        let Some(Value::String(text)) = column_name.constant() else {
            self.error("KS129", column.value.span, "The expression must be a constant");
            return None;
        };
        let other = self.expr(&other.value, place)?;
        if place.aggregates.is_some() {
            self.unsupported(name.span, "`column_ifexists()` outside of an aggregate");
            return None;
        }
        let Some(at) = place.columns.index(text) else {
            return Some(Typed { name: None, is_column: false, ..other });
        };
        let ty = place.columns.columns.get(at).map_or(other.ty, |c| c.ty);
        if ty != other.ty {
            let what =
                format!("`column_ifexists()` of a {ty} column with a {} for its absence", other.ty);
            self.unsupported(name.span, &what);
            return None;
        }
        Some(Typed {
            expr: Expr::Column(at),
            ty,
            name: Some(text.to_string()),
            is_column: false,
            span: name.span,
        })
    }

    /// An aggregate inside of an expression: one value.
    fn aggregate_scalar(
        &mut self,
        aggregate: &'static Aggregate,
        name: &Ident,
        args: &[Arg],
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        let mut outputs = self.aggregate(aggregate, name, args, place)?;
        if outputs.len() != 1 {
            self.unsupported(
                name.span,
                &format!("`{}` of several columns inside of an expression", name.name),
            );
            return None;
        }
        outputs.pop()
    }

    /// An aggregate with all of its columns.
    pub(super) fn aggregate(
        &mut self,
        aggregate: &'static Aggregate,
        name: &Ident,
        args: &[Arg],
        place: &mut Place<'_>,
    ) -> Option<Vec<Typed>> {
        let Some(aggregates) = place.aggregates.as_deref_mut() else {
            let message =
                format!("The aggregate function '{}' is not allowed in this context", name.name);
            self.error("KS144", name.span, message);
            return None;
        };
        let mut inner = Place::row(place.columns);
        let mut bound: Vec<Typed> = Vec::new();
        let mut written: Vec<Option<String>> = Vec::new();
        let mut sound = true;
        for arg in args {
            if matches!(arg.value.kind, ExprKind::Star) && aggregate.shape != Shape::Single {
                if aggregate.shape == Shape::Extreme && bound.is_empty() {
                    self.error("KS191", arg.value.span, "The * syntax is not allowed here");
                    return None;
                }
                let own: Vec<String> =
                    bound.iter().filter(|b| b.is_column).filter_map(|b| b.name.clone()).collect();
                for (at, column) in place.columns.columns.iter().enumerate() {
                    if own.contains(&column.name)
                        || aggregates.grouped.contains(&at)
                        || super::window::is_hidden(&column.name)
                    {
                        continue;
                    }
                    let (expr, name) = (Expr::Column(at), Some(column.name.clone()));
                    bound.push(Typed {
                        expr,
                        ty: column.ty,
                        name,
                        is_column: true,
                        span: arg.value.span,
                    });
                    written.push(None);
                }
                continue;
            }
            match self.expr(&arg.value, &mut inner) {
                Some(value) => {
                    bound.push(unnamed(&arg.value, value));
                    written.push(arg.name.as_ref().map(|n| n.name.clone()));
                }
                None => sound = false,
            }
        }
        if !sound {
            return None;
        }
        let names: Vec<Option<String>> = bound.iter().map(|b| b.name.clone()).collect();
        let matched = self.matched(aggregate.signatures, name, bound)?;
        let factory = self.prepared(&matched.args, name.span, aggregate.make)?;
        let ranks = match aggregate.shape {
            Shape::Ranks(from) => {
                self.prepared(&matched.args, name.span, |p| Ok(aggregates::rank_columns(p, from)))?
            }
            _ => Vec::new(),
        };
        let first = names.first().cloned().flatten();
        let prefixed = |prefix: Option<&str>, name: &Option<String>| match prefix {
            Some(prefix) => Some(format!("{prefix}_{}", name.as_deref().unwrap_or_default())),
            None => name.clone(),
        };
        let base = first.as_deref().unwrap_or_default();
        let extreme = if aggregate.name.ends_with("min") { "min" } else { "max" };
        let several = matched.args.len() > 1;
        let outputs: Vec<(Type, Option<String>)> = match aggregate.shape {
            Shape::Single => vec![(matched.ty, prefixed(aggregate.prefix, &first))],
            Shape::Ranks(_) => ranks
                .into_iter()
                .map(|(ty, rank)| (ty, Some(format!("percentile_{base}_{rank}"))))
                .collect(),
            Shape::Each => matched
                .args
                .iter()
                .zip(&names)
                .enumerate()
                .map(|(at, (arg, name))| {
                    let own = match (name, aggregate.prefix) {
                        (None, Some(_)) if !several => Some("any_".to_owned()),
                        (None, _) => Some(format!("any_arg{at}")),
                        (name, prefix) => prefixed(prefix, name),
                    };
                    (arg.ty, own)
                })
                .collect(),
            Shape::Extreme => matched
                .args
                .iter()
                .zip(&names)
                .zip(&written)
                .enumerate()
                .map(|(at, ((arg, name), written))| {
                    let own = match (written, name, at, aggregate.prefix) {
                        (Some(written), ..) => written.clone(),
                        (None, Some(_), 0, Some(prefix)) => format!("{prefix}_{base}"),
                        (None, Some(name), _, Some(prefix)) => format!("{prefix}_{base}_{name}"),
                        (None, Some(name), _, None) => name.clone(),
                        (None, None, 0, _) => format!("{extreme}_"),
                        (None, None, ..) => format!("{extreme}_{base}_arg{at}"),
                    };
                    (arg.ty, Some(own))
                })
                .collect(),
        };
        let types: Vec<Type> = outputs.iter().map(|(ty, _)| *ty).collect();
        let start = aggregates.next;
        aggregates.next += types.len();
        let args = matched.args.into_iter().map(|a| a.expr).collect();
        aggregates.calls.push(AggregateCall { factory, args, types });
        let typed = outputs.into_iter().enumerate().map(|(at, (ty, label))| Typed {
            expr: Expr::Column(start + at),
            ty,
            name: label,
            is_column: false,
            span: name.span,
        });
        Some(typed.collect())
    }
}
