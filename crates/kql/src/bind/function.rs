//! Functions of the query: `let f = (…) { … }`.

use super::expr::{Place, coerced};
use super::{Binder, Bound, Entry, Function, LetTable, MAX_CALLS_DEEP, Typed};
use crate::ast::{Arg, Expr as Ast, Ident, Param, ParamType};
use crate::diagnostics::{Diagnostic, Span, TOO_COMPLEX};
use crate::functions::nearest;
use crate::plan::{Expr, Op};
use crate::schema::Schema;
use crate::value::Type;
use std::rc::Rc;

/// What is wrong with a body whatever its arguments: names and types. Constants are known in a call only.
const OF_ANY_CALL: &[&str] = &[
    "KS106",
    "KS107",
    "KS108",
    "KS111",
    "KS119",
    "KS120",
    "KS141",
    "KS142",
    "KS204",
    "KS211",
    TOO_COMPLEX,
];

impl Function {
    /// A name without parentheses is a call where no argument is needed.
    pub(super) fn needs_no_argument(&self) -> bool {
        self.params.iter().all(|p| p.default.is_some())
    }
}

impl Binder<'_> {
    /// Looks for what is wrong with a function that nobody may call.
    pub(super) fn checked(&mut self, function: &Rc<Function>) -> Option<()> {
        if self.calls >= MAX_CALLS_DEEP {
            return Some(());
        }
        let mut entries = Vec::new();
        for param in &function.params {
            let span = param.name.span;
            let entry = match &param.ty {
                ParamType::Scalar(ty) => {
                    if let Some(default) = &param.default {
                        let value = self.alone(default)?;
                        self.default_fits(&value, *ty)?;
                    }
                    // A value that nothing computes: what is bound here is thrown away.
                    let expr = Expr::Param(usize::MAX);
                    Entry::Scalar(Typed { expr, ty: *ty, name: None, is_column: false, span })
                }
                ParamType::Table(columns) => {
                    let columns = columns.iter().map(|(name, ty)| (name.name.clone(), *ty));
                    let node = self.node(Schema::new(columns), Op::Rows(Vec::new()), span)?;
                    Entry::Table(LetTable { node, anew: None })
                }
            };
            entries.push((param.name.name.clone(), entry));
        }
        let tables = self.tables.clone();
        let (subqueries, before) = (self.subqueries.len(), self.found.len());
        let rows = self.leave_rows();
        // The result is of no use, only what was found on the way.
        drop(self.body_of(function, entries));
        self.back_to_rows(rows);
        self.tables = tables;
        self.subqueries.truncate(subqueries);
        let found = self.found.split_off(before.min(self.found.len()));
        self.found.extend(found.into_iter().filter(|d| OF_ANY_CALL.contains(&d.code)));
        (self.found.len() == before).then_some(())
    }

    fn default_fits(&mut self, value: &Typed, ty: Type) -> Option<()> {
        let fits = value.ty == ty
            || value.ty.is_number() && ty.is_number()
            || value.constant().is_some_and(crate::value::Value::is_null);
        if !fits {
            self.error("KS141", value.span, format!("The expression must have the type {ty}"));
        }
        fits.then_some(())
    }

    fn body_of(&mut self, function: &Rc<Function>, entries: Vec<(String, Entry)>) -> Option<Bound> {
        let outer = std::mem::replace(&mut self.scope, function.scope.clone());
        for (name, entry) in entries {
            self.declare(&name, entry);
        }
        self.calls += 1;
        let result = self.statements(&function.body, Span::new(function.end.start, 0));
        self.calls -= 1;
        self.scope = outer;
        result
    }

    /// Binds the body of a `let` function with its arguments in scope.
    pub(super) fn call_let(
        &mut self,
        function: &Rc<Function>,
        name: &Ident,
        args: &[Arg],
        mut place: Option<&mut Place<'_>>,
    ) -> Option<Bound> {
        if self.calls >= MAX_CALLS_DEEP {
            self.error(TOO_COMPLEX, name.span, "The functions call one another too deeply");
            return None;
        }
        let required = function.params.iter().filter(|p| p.default.is_none()).count();
        self.arguments(function, args)?;
        self.arity(name, args.len(), required, function.params.len())?;
        let mut entries = Vec::new();
        for (at, param) in function.params.iter().enumerate() {
            let arg = args
                .iter()
                .find(|a| a.name.as_ref().is_some_and(|n| n.name == param.name.name))
                .or_else(|| args.get(at).filter(|a| a.name.is_none()))
                .map(|a| &a.value);
            let entry = match (&param.ty, arg, &param.default) {
                (ParamType::Table(columns), Some(arg), _) => self.table_argument(arg, columns)?,
                (ParamType::Scalar(ty), Some(arg), _) => {
                    let value = match place.as_deref_mut() {
                        Some(place) => self.expr(arg, place)?,
                        None => self.alone(arg)?,
                    };
                    Entry::Scalar(coerced(value, *ty))
                }
                (ParamType::Scalar(ty), None, Some(default)) => {
                    Entry::Scalar(coerced(self.alone(default)?, *ty))
                }
                _ => {
                    let text = &param.name.name;
                    let message = format!("The argument for parameter '{text}' is missing");
                    self.error("KS197", name.span, message);
                    return None;
                }
            };
            entries.push((param.name.name.clone(), entry));
        }
        let before = self.found.len();
        let result = self.body_of(function, entries);
        // Column arguments only mean something where rows are: a body that pipes them elsewhere is refused.
        if self.found.len() > before {
            return None;
        }
        if let (Some(Bound::Table(_)), Some(place)) = (&result, place)
            && !place.columns.columns.is_empty()
            && !args.is_empty()
        {
            self.unsupported(name.span, "a table function over the columns of a row");
            return None;
        }
        result
    }

    /// Names of arguments are parameters' names; after one that is out of order, all have one.
    fn arguments(&mut self, function: &Function, args: &[Arg]) -> Option<()> {
        let mut unordered = false;
        for (at, arg) in args.iter().enumerate() {
            let Some(name) = &arg.name else {
                if unordered {
                    let message = "All arguments after an unordered named argument must be named";
                    self.error("KS195", arg.value.span, message);
                    return None;
                }
                continue;
            };
            let place = function.params.iter().position(|p| p.name.name == name.name);
            if place.is_none() {
                self.unknown_argument(function, name);
                return None;
            }
            unordered |= place != Some(at);
        }
        Some(())
    }

    fn unknown_argument(&mut self, function: &Function, name: &Ident) {
        let message = "The argument name does not refer to a declared parameter";
        let mut error = Diagnostic::error("KS196", name.span, message);
        let names = function.params.iter().map(|p| p.name.name.as_str());
        if let Some(near) = nearest(&name.name, names) {
            error = error.help(format!("did you mean `{near}`?"));
        }
        self.found.push(error);
    }

    fn table_argument(&mut self, arg: &Ast, columns: &[(Ident, Type)]) -> Option<Entry> {
        let node = self.table(arg)?;
        let missing = columns.iter().find(|(name, ty)| {
            !node.schema.columns.iter().any(|c| c.name == name.name && c.ty == *ty)
        });
        if let Some((name, ty)) = missing {
            self.found.push(
                Diagnostic::error(
                    "KS249",
                    arg.span,
                    "The tabular value does not have the required columns",
                )
                .help(format!("it has no column `{}` of type {ty}", name.name)),
            );
            return None;
        }
        Some(Entry::Table(LetTable { node, anew: None }))
    }

    /// `declare query_parameters(…)`: nobody gives values here, so each has its default.
    pub(super) fn query_parameters(&mut self, params: &[Param]) -> Option<()> {
        for param in params {
            let (ParamType::Scalar(ty), Some(default)) = (&param.ty, &param.default) else {
                self.unsupported(param.name.span, "a parameter of the query without a default");
                return None;
            };
            let value = self.alone(default)?;
            self.default_fits(&value, *ty)?;
            let value = Typed { name: None, ..coerced(value, *ty) };
            self.declare(&param.name.name, Entry::Scalar(value));
        }
        Some(())
    }
}
