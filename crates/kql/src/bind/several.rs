//! Scalar functions of several columns: a sort of several arrays, and the statistics of a series.

use super::expr::{Place, made};
use super::{Binder, Entry, Typed, lookup};
use crate::ast::{Arg, Column, Expr as Ast, ExprKind, Ident};
use crate::diagnostics::Span;
use crate::functions::{self, Args, Eval, series};
use crate::num;
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

impl Binder<'_> {
    /// Whether a call may give several columns.
    pub(super) fn gives_several(&self, name: &Ident) -> bool {
        matches!(name.name.as_str(), "array_sort_asc" | "array_sort_desc" | "series_stats")
            && !matches!(lookup(&self.scope, &name.name), Some(Entry::Function(_)))
    }

    /// The columns of an expression: one, or those of a call that gives several.
    pub(super) fn spread(&mut self, column: &Column, place: &mut Place<'_>) -> Option<Vec<Typed>> {
        let ExprKind::Call { name, args } = &column.expr.kind else {
            self.one_name(column)?;
            return self.expr(&column.expr, place).map(|value| vec![value]);
        };
        if !self.gives_several(name) {
            self.one_name(column)?;
            return self.expr(&column.expr, place).map(|value| vec![value]);
        }
        let outputs = self.several(name, args, column.expr.span, place)?;
        if let Some(extra) = column.names.get(outputs.len()) {
            let message = "The name does not have a corresponding expression";
            self.error("KS150", extra.span, message);
            return None;
        }
        Some(outputs)
    }

    /// The call where one value is wanted.
    pub(super) fn one_of_several(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        let mut outputs = self.several(name, args, span, place)?;
        if outputs.len() > 1 {
            let what = format!("`{}` of several columns inside of an expression", name.name);
            self.unsupported(name.span, &what);
            return None;
        }
        outputs.pop()
    }

    /// `array_sort_asc(a, b)[1]`: one of the columns, where the call has several; else nothing is said.
    pub(super) fn column_of_several(
        &mut self,
        base: &Ast,
        index: &Ast,
        place: &mut Place<'_>,
    ) -> Option<Result<Typed, ()>> {
        let ExprKind::Call { name, args } = &base.kind else { return None };
        let ExprKind::Literal(Value::Long(at), _) = &index.kind else { return None };
        if !self.gives_several(name) || (name.name != "series_stats" && args.len() < 2) {
            return None;
        }
        let Some(mut outputs) = self.several(name, args, base.span, place) else {
            return Some(Err(()));
        };
        if outputs.len() < 2 {
            // The other argument says where nulls go: the place is one of the array.
            let array = outputs.pop()?;
            let at = Value::Long(*at);
            return Some(self.path(array, at.clone(), &at.text(), index.span, false).ok_or(()));
        }
        let found = num::long_to_len(*at).filter(|at| *at < outputs.len());
        let Some(at) = found else {
            self.unsupported(index.span, &format!("column {at} of `{}`", name.name));
            return Some(Err(()));
        };
        Some(Ok(outputs.swap_remove(at)))
    }

    fn several(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Vec<Typed>> {
        let function = functions::find(&name.name)?;
        if let Some(named) = args.iter().find_map(|a| a.name.as_ref()) {
            self.unsupported(named.span, "an argument by name");
            return None;
        }
        let bound: Vec<Option<Typed>> = args
            .iter()
            .map(|a| self.expr(&a.value, place).map(|v| super::call::unnamed(&a.value, v)))
            .collect();
        let bound: Vec<Typed> = bound.into_iter().collect::<Option<_>>()?;
        let names: Vec<Option<String>> =
            bound.iter().filter(|a| a.ty == Type::Dynamic).map(|a| a.name.clone()).collect();
        let all = self.call_function(function, name, bound, span)?;
        let columns: Vec<(String, Type)> = if function.name == "series_stats" {
            let base = names.into_iter().next().flatten().unwrap_or_default();
            let columns = series::STATISTICS.iter();
            columns.map(|(name, ty)| (format!("series_stats_{base}_{name}"), *ty)).collect()
        } else {
            let names = names.into_iter().enumerate();
            let base = |(at, name): (usize, Option<String>)| name.unwrap_or(format!("array{at}"));
            names.map(|name| (format!("{}_sorted", base(name)), Type::Dynamic)).collect()
        };
        if let [(name, _)] = columns.as_slice() {
            return Some(vec![Typed { name: Some(name.clone()), ..all }]);
        }
        let column = |(at, (name, ty)): (usize, (String, Type))| {
            let pick: Eval = Arc::new(move |args| {
                let item = args.json(0).and_then(Json::as_array).and_then(|items| items.get(at));
                let value = item.map_or(Value::Null, |item| Value::from_json(item.clone()));
                Value::from(functions::conversion::to_type(&value, ty))
            });
            let made = made(pick, vec![all.clone()], ty);
            Typed { name: Some(name), span, ..made }
        };
        Some(columns.into_iter().enumerate().map(column).collect())
    }
}
