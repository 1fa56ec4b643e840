//! `bin_auto()`: a `bin()` whose size, and the point it counts from, are options of the query.

use super::expr::Place;
use super::{Binder, Entry, Typed, lookup};
use crate::ast::{Arg, Expr as Ast, ExprKind, Ident};
use crate::diagnostics::Span;
use crate::plan::Expr;
use crate::value::{Type, Value};

/// The options `set` gives a value to, that a result depends on.
pub(crate) const OPTIONS: &[&str] = &[SIZE, AT];
const SIZE: &str = "query_bin_auto_size";
const AT: &str = "query_bin_auto_at";

/// An option among the names in scope.
fn entry(option: &str) -> String {
    format!("set {option}")
}

impl Binder<'_> {
    pub(super) fn set_option(&mut self, option: &Ident, value: &Value, ty: Type) {
        let (expr, span) = (Expr::Const(value.clone()), option.span);
        let value = Typed { expr, ty, name: None, is_column: false, span };
        self.declare(&entry(&option.name), Entry::Scalar(value));
    }

    pub(super) fn bin_auto(
        &mut self,
        name: &Ident,
        args: &[Arg],
        span: Span,
        place: &mut Place<'_>,
    ) -> Option<Typed> {
        self.arity(name, args.len(), 1, 1)?;
        if lookup(&self.scope, &entry(SIZE)).is_none() {
            self.unsupported(name.span, "`bin_auto()` without the option `query_bin_auto_size`");
            return None;
        }
        let fixed = lookup(&self.scope, &entry(AT)).is_some();
        let option = |option: &str| {
            let kind = ExprKind::Name(entry(option));
            Arg { name: None, value: Ast { kind, span, depth: 0 } }
        };
        let mut all = args.to_vec();
        all.push(option(SIZE));
        all.extend(fixed.then(|| option(AT)));
        let function = if fixed { "bin_at" } else { "bin" };
        self.call(&Ident { name: function.to_owned(), span: name.span }, &all, span, place)
    }
}
