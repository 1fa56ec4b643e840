//! Comparisons and membership: which types meet, and what comes of it.

use super::expr::{folded, made};
use super::{Binder, Typed};
use crate::ast::BinaryOp;
use crate::diagnostics::{BAD_LITERAL, Span};
use crate::functions::conversion::to_type;
use crate::functions::text_ops::{Test, TextOp, fold};
use crate::functions::{Args, Eval, compile};
use crate::plan::{Comparison, Expr};
use crate::time;
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::sync::Arc;

/// How two types are compared.
#[derive(Clone, Copy)]
enum Meeting {
    /// As they are; numbers across their types.
    Plain,
    /// A truth value with a number: true is one, false is zero.
    Truth,
    /// At least one side is JSON.
    Dynamic(Type),
}

fn meet(a: Type, b: Type) -> Option<Meeting> {
    match (a, b) {
        (Type::Dynamic, other) | (other, Type::Dynamic) => Some(Meeting::Dynamic(other)),
        _ if a == b || (a.is_number() && b.is_number()) => Some(Meeting::Plain),
        (Type::Bool, n) | (n, Type::Bool) if n.is_number() => Some(Meeting::Truth),
        _ => None,
    }
}

/// Both values as `==` sees them where one is JSON.
fn aligned(a: &Value, b: &Value, ty: Type) -> Option<(Value, Value)> {
    let side = |v: &Value| match (v, ty) {
        (Value::Dynamic(_), Type::Dynamic) => Some(v.clone()),
        (Value::Dynamic(_), Type::String) => Some(Value::String(v.text())),
        (Value::Dynamic(json), _) if ty.is_number() => match &**json {
            Json::Number(n) => n.as_i64().map(Value::Long).or(n.as_f64().map(Value::Real)),
            _ => None,
        },
        (Value::Dynamic(_), _) => to_type(v, ty),
        _ => Some(v.clone()),
    };
    Some((side(a)?, side(b)?))
}

fn equal(a: &Value, b: &Value, meeting: Meeting) -> Option<bool> {
    match (a.is_null(), b.is_null()) {
        (true, true) => return None,
        (true, false) | (false, true) => return Some(false),
        _ => {}
    }
    Some(match meeting {
        Meeting::Plain => same(a, b),
        Meeting::Truth => same(&counted(a), &counted(b)),
        Meeting::Dynamic(ty) => aligned(a, b, ty).is_some_and(|(a, b)| same(&a, &b)),
    })
}

fn counted(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => Value::Long(i64::from(*truth)),
        other => other.clone(),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.partial_cmp(b) == Some(Ordering::Equal),
        (Value::Dynamic(a), Value::Dynamic(b)) => a == b,
        (Value::Real(r), _) | (_, Value::Real(r)) if r.is_nan() => false,
        _ => a.order(b) == Ordering::Equal,
    }
}

fn ordered(a: &Value, b: &Value, meeting: Meeting) -> Option<Ordering> {
    if a.is_null() || b.is_null() {
        return None;
    }
    let (a, b) = match meeting {
        Meeting::Plain => (a.clone(), b.clone()),
        Meeting::Truth => (counted(a), counted(b)),
        Meeting::Dynamic(Type::Dynamic) => match (a, b) {
            (Value::Dynamic(x), Value::Dynamic(_)) if x.is_number() => aligned(a, b, Type::Real)?,
            _ => return None,
        },
        Meeting::Dynamic(ty) => aligned(a, b, ty)?,
    };
    if a.as_real().is_some_and(f64::is_nan) || b.as_real().is_some_and(f64::is_nan) {
        return None;
    }
    Some(a.order(&b))
}

/// `<` and its like over these types.
fn has_order(a: Type, b: Type) -> bool {
    let scalar = |t: Type| t.is_number() || matches!(t, Type::Datetime | Type::Timespan);
    match (a, b) {
        (Type::Dynamic, Type::Dynamic) => true,
        (Type::Dynamic, other) | (other, Type::Dynamic) => other.is_number(),
        (Type::Bool, other) | (other, Type::Bool) => other == Type::Bool || other.is_number(),
        _ => (a == b && scalar(a)) || (a.is_number() && b.is_number()),
    }
}

pub(super) fn symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Mod => "%",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Text(op) => op.name,
        BinaryOp::Term => ":",
    }
}

/// The comparisons that the plan can look into.
fn plain(op: BinaryOp, a: Type, b: Type) -> Option<Comparison> {
    let same = a == b || (a.is_integer() && b.is_integer());
    let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
    let simple = a.is_integer() || matches!(a, Type::Datetime | Type::Timespan);
    if !same || !(simple || equality && a == Type::String) {
        return None;
    }
    Some(match op {
        BinaryOp::Eq => Comparison::Eq,
        BinaryOp::Ne => Comparison::Ne,
        BinaryOp::Lt => Comparison::Lt,
        BinaryOp::Le => Comparison::Le,
        BinaryOp::Gt => Comparison::Gt,
        BinaryOp::Ge => Comparison::Ge,
        _ => return None,
    })
}

fn compared(op: Comparison, left: Typed, right: Typed) -> Typed {
    let span = left.span.to(right.span);
    let (left, right) = (Box::new(left.expr), Box::new(right.expr));
    let expr = folded(Expr::Compare { op, left, right });
    Typed { expr, ty: Type::Bool, name: None, is_column: false, span }
}

impl Binder<'_> {
    pub(super) fn undefined(&mut self, name: &str, at: Span, a: Type, b: Type) {
        let message =
            format!("The operator '{name}' is not defined for the operand types {a} and {b}");
        self.error("KS106", at, message);
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        at: Span,
        left: Typed,
        right: Typed,
    ) -> Option<Typed> {
        let (a, b) = (left.ty, right.ty);
        if let Some(op) = plain(op, a, b) {
            return Some(compared(op, left, right));
        }
        match op {
            BinaryOp::Text(text) => self.text_op(text, at, left, right),
            BinaryOp::Term => {
                self.unsupported(at, "a search term inside of an expression");
                None
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                let Some(meeting) = meet(a, b) else {
                    let what = format!("comparing {a} with {b} by '{}'", symbol(op));
                    self.unsupported(at, &what);
                    return None;
                };
                let negated = matches!(op, BinaryOp::Ne);
                let eval: Eval = Arc::new(move |args| {
                    let equal = equal(args.value(0), args.value(1), meeting);
                    Value::from(equal.map(|e| Value::Bool(e != negated)))
                });
                Some(made(eval, vec![left, right], Type::Bool))
            }
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let meeting = meet(a, b).filter(|_| has_order(a, b));
                let Some(meeting) = meeting else {
                    self.undefined(symbol(op), at, a, b);
                    return None;
                };
                let test: fn(Ordering) -> bool = match op {
                    BinaryOp::Lt => Ordering::is_lt,
                    BinaryOp::Le => Ordering::is_le,
                    BinaryOp::Gt => Ordering::is_gt,
                    _ => Ordering::is_ge,
                };
                let eval: Eval = Arc::new(move |args| {
                    Value::from(
                        ordered(args.value(0), args.value(1), meeting)
                            .map(|o| Value::Bool(test(o))),
                    )
                });
                Some(made(eval, vec![left, right], Type::Bool))
            }
            _ => self.arithmetic(op, at, left, right),
        }
    }

    fn text_op(
        &mut self,
        op: &'static TextOp,
        at: Span,
        left: Typed,
        right: Typed,
    ) -> Option<Typed> {
        let textual = |t: Type| matches!(t, Type::String | Type::Dynamic);
        if !textual(left.ty) || !textual(right.ty) {
            self.undefined(op.name, at, left.ty, right.ty);
            return None;
        }
        let negated = op.negated;
        let fixed = right.constant().map(Value::text);
        let eval: Eval = match (op.test, fixed) {
            (Test::Exact(test), _) => {
                Arc::new(move |args| Value::Bool(test(&args.text(0), &args.text(1)) != negated))
            }
            (Test::Folded(test), Some(needle)) => {
                let needle = fold(&needle).into_owned();
                Arc::new(move |args| Value::Bool(test(&fold(&args.text(0)), &needle) != negated))
            }
            (Test::Folded(test), None) => Arc::new(move |args| {
                Value::Bool(test(&fold(&args.text(0)), &fold(&args.text(1))) != negated)
            }),
            (Test::Regex, Some(pattern)) => match compile(&pattern) {
                Ok(regex) => Arc::new(move |args| Value::Bool(regex.is_match(&args.text(0)))),
                Err(error) => {
                    self.error(BAD_LITERAL, right.span, error);
                    return None;
                }
            },
            (Test::Regex, None) => Arc::new(move |args| {
                Value::from(
                    compile(&args.text(1)).ok().map(|r| Value::Bool(r.is_match(&args.text(0)))),
                )
            }),
        };
        Some(made(eval, vec![left, right], Type::Bool))
    }

    /// `in`, `in~` over values.
    pub(super) fn in_list(
        &mut self,
        left: Typed,
        list: Vec<Typed>,
        negated: bool,
        folded: bool,
    ) -> Option<Typed> {
        for item in &list {
            if meet(left.ty, item.ty).is_none() {
                let what = format!("comparing {} with {} by 'in'", left.ty, item.ty);
                self.unsupported(item.span, &what);
                return None;
            }
        }
        // Strings against constants, by far the most common, are one look-up.
        let constants: Option<Vec<Value>> = list.iter().map(|i| i.constant().cloned()).collect();
        if let (Type::String, Some(constants)) = (left.ty, constants) {
            let shape = |text: &str| -> Arc<str> {
                if folded { Arc::from(&*fold(text)) } else { Arc::from(text) }
            };
            let texts = flat(&constants).map(|value| shape(&value.text())).collect();
            let span = list.iter().map(|item| item.span).fold(left.span, Span::to);
            let left = Box::new(left.expr);
            let expr = Expr::InTexts { left, texts: Arc::new(texts), negated, folded };
            let (ty, name) = (Type::Bool, None);
            return Some(Typed {
                expr: super::expr::folded(expr),
                ty,
                name,
                is_column: false,
                span,
            });
        }
        let (ty, types): (Type, Vec<Type>) = (left.ty, list.iter().map(|i| i.ty).collect());
        let eval: Eval = Arc::new(move |args| {
            let value = args.value(0);
            let found = args.iter().skip(1).zip(&types).any(|(item, item_ty)| {
                let meeting = if *item_ty == Type::Dynamic || ty == Type::Dynamic {
                    Meeting::Dynamic(if ty == Type::Dynamic { *item_ty } else { ty })
                } else {
                    Meeting::Plain
                };
                flat(std::slice::from_ref(item)).any(|item| {
                    if folded {
                        !value.is_null() && fold(&value.text()) == fold(&item.text())
                    } else {
                        equal(value, &item, meeting) == Some(true)
                    }
                })
            });
            Value::Bool(found != negated)
        });
        let args = std::iter::once(left).chain(list).collect();
        Some(made(eval, args, Type::Bool))
    }

    pub(super) fn between(
        &mut self,
        negated: bool,
        at: Span,
        value: Typed,
        low: Typed,
        high: Typed,
    ) -> Option<Typed> {
        let types = (value.ty, low.ty, high.ty);
        let width = types == (Type::Datetime, Type::Datetime, Type::Timespan);
        let sound = width
            || if types.0.is_number() || types.0 == Type::Dynamic {
                (types.1.is_number() && types.2.is_number())
                    || (types.0.is_number() && (types.1, types.2) == (Type::Dynamic, Type::Dynamic))
            } else {
                types.0 != Type::Bool && has_order(types.0, types.1) && has_order(types.0, types.2)
            };
        if !sound {
            let message = format!(
                "The operator 'between' is not defined for the operand types {}, {} and {}",
                types.0, types.1, types.2
            );
            self.error("KS106", at, message);
            return None;
        }
        let meeting = |other: Type| meet(types.0, other).unwrap_or(Meeting::Plain);
        let (to_low, to_high) = (meeting(types.1), meeting(types.2));
        let eval: Eval = Arc::new(move |args| {
            let high = match (args.datetime(1), args.timespan(2)) {
                (Some(start), Some(span)) if width => Value::from(
                    start.checked_add(span).and_then(time::checked).map(Value::Datetime),
                ),
                _ => args.value(2).clone(),
            };
            let above = ordered(args.value(0), args.value(1), to_low).map(Ordering::is_ge);
            let below = ordered(args.value(0), &high, if width { Meeting::Plain } else { to_high })
                .map(Ordering::is_le);
            let inside = match (above, below) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            Value::from(inside.map(|i| Value::Bool(i != negated)))
        });
        Some(made(eval, vec![value, low, high], Type::Bool))
    }
}

/// `has_any`, `has_all`.
pub(super) fn has_list(left: Typed, list: Vec<Typed>, all: bool) -> Typed {
    let eval: Eval = Arc::new(move |args| {
        let text = fold(&args.text(0)).into_owned();
        let mut needles = flat(args.get(1..).unwrap_or_default());
        let test = |needle: Value| crate::functions::text_ops::has(&text, &fold(&needle.text()));
        Value::Bool(if all { needles.all(test) } else { needles.any(test) })
    });
    let args = std::iter::once(left).chain(list).collect();
    made(eval, args, Type::Bool)
}

/// The values, the elements of arrays one by one.
fn flat(values: &[Value]) -> impl Iterator<Item = Value> {
    values.iter().flat_map(|value| match value {
        Value::Dynamic(json) => match &**json {
            Json::Array(items) => items.iter().map(|i| Value::from_json(i.clone())).collect(),
            _ => vec![value.clone()],
        },
        _ => vec![value.clone()],
    })
}
