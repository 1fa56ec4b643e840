//! Arithmetic: which types meet, and what comes of it.

use super::compare::symbol;
use super::expr::made;
use super::{Binder, Typed};
use crate::ast::BinaryOp;
use crate::diagnostics::Span;
use crate::functions::{Args, Eval};
use crate::num;
use crate::time;
use crate::value::{Decimal, Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        at: Span,
        left: Typed,
        right: Typed,
    ) -> Option<Typed> {
        let (a, b) = (left.ty, right.ty);
        if let Some((ty, eval)) = computed(op, a, b) {
            return Some(made(eval, vec![left, right], ty));
        }
        if odd(op, a, b) {
            self.unsupported(at, &format!("'{}' of {a} and {b}", symbol(op)));
            if let Some(last) = self.found.last_mut() {
                last.help = Some("convert first, `tolong(…)`, `totimespan(…)` …".to_owned());
            }
        } else {
            self.undefined(symbol(op), at, a, b);
        }
        None
    }

    pub(super) fn negate(&mut self, at: Span, inner: Typed) -> Option<Typed> {
        let ty = match inner.ty {
            Type::Int | Type::Long => Type::Long,
            ty @ (Type::Real | Type::Timespan | Type::Decimal | Type::Dynamic) => ty,
            Type::Datetime => {
                self.unsupported(at, "'-' of a datetime");
                return None;
            }
            ty => {
                let message = format!("The operator '-' is not defined for the operand type {ty}");
                self.error("KS106", at, message);
                return None;
            }
        };
        let eval: Eval = Arc::new(|args| negated(args.value(0)));
        Some(made(eval, vec![inner], ty))
    }
}

fn negated(value: &Value) -> Value {
    match value {
        Value::Int(v) => Value::Long(i64::from(*v).wrapping_neg()),
        Value::Long(v) => Value::Long(v.wrapping_neg()),
        Value::Real(v) => Value::Real(-v),
        Value::Decimal(v) => Value::Decimal(v.negated()),
        Value::Timespan(v) => Value::Timespan(v.wrapping_neg()),
        Value::Dynamic(json) if json.is_number() => {
            Value::from_json(negated(&number(json)).to_json())
        }
        _ => Value::Null,
    }
}

/// What the service also gives a type to, but what comes of it is not known here.
fn odd(op: BinaryOp, a: Type, b: Type) -> bool {
    use BinaryOp::{Add, Div, Mod, Mul, Sub};
    use Type::{Datetime, Dynamic, Timespan};
    let time = |ty| matches!(ty, Datetime | Timespan);
    match (a, op, b) {
        (Dynamic, Add | Sub, other) | (other, Add | Sub, Dynamic) => time(other),
        (Datetime, Add, Datetime) | (Timespan, Sub, Datetime) | (Timespan, Mul, Timespan) => true,
        (Datetime, Mul | Div | Mod, n) | (n, Mul, Datetime) | (Timespan, Mod, n) => n.is_number(),
        _ => false,
    }
}

/// The type and the computation, where the operator is defined for the operands and has a plain meaning.
fn computed(op: BinaryOp, a: Type, b: Type) -> Option<(Type, Eval)> {
    use BinaryOp::{Add, Div, Mod, Mul, Sub};
    use Type::{Datetime, Decimal, Dynamic, Real, Timespan};
    Some(match (a, op, b) {
        _ if a.is_number() && b.is_number() => {
            let ty = match (a, b) {
                (Decimal, _) | (_, Decimal) => Decimal,
                (Real, _) | (_, Real) => Real,
                _ => Type::Long,
            };
            (ty, numbers(op, ty))
        }
        (Dynamic, _, other) | (other, _, Dynamic) if other.is_number() => {
            let ty = if other == Type::Int { Type::Long } else { other };
            let numbers = numbers(op, ty);
            let side = move |value: &Value| match value {
                Value::Dynamic(json) => number(json),
                other => other.clone(),
            };
            (ty, Arc::new(move |args| numbers(&[side(args.value(0)), side(args.value(1))])))
        }
        (Dynamic, _, Dynamic) => (Dynamic, Arc::new(move |args| json_numbers(op, args))),
        (Datetime, Add, Timespan) | (Timespan, Add, Datetime) => {
            (Datetime, ticks(i64::wrapping_add, Datetime))
        }
        (Datetime, Sub, Timespan) => (Datetime, ticks(i64::wrapping_sub, Datetime)),
        (Timespan, Add, Timespan) => (Timespan, ticks(i64::wrapping_add, Timespan)),
        (Datetime, Sub, Datetime) | (Timespan, Sub, Timespan) => {
            (Timespan, ticks(i64::wrapping_sub, Timespan))
        }
        (Timespan | Datetime, Div, Timespan) | (Datetime, Div, Datetime) => (
            Real,
            Arc::new(|args| {
                let ratio = sides(args).map(|(a, b)| num::long_to_real(a) / num::long_to_real(b));
                Value::from(ratio.map(Value::Real))
            }),
        ),
        (Timespan | Datetime, Mod, Timespan) | (Datetime, Mod, Datetime) => (
            Timespan,
            Arc::new(|args| {
                let rest = sides(args).and_then(|(a, b)| a.checked_rem_euclid(b));
                Value::from(rest.map(Value::Timespan))
            }),
        ),
        (Timespan, Mul | Div, n) | (n, Mul, Timespan) if n.is_number() => {
            (Timespan, scaled(matches!(op, Div)))
        }
        _ => return None,
    })
}

/// A number of JSON.
fn number(json: &Json) -> Value {
    let real = || json.as_f64().map(Value::Real);
    Value::from(json.as_i64().map(Value::Long).or_else(real))
}

/// Two numbers of JSON: whole ones give a whole one.
fn json_numbers(op: BinaryOp, args: &[Value]) -> Value {
    let (Some(a), Some(b)) = (args.json(0), args.json(1)) else { return Value::Null };
    let (a, b) = (number(a), number(b));
    let whole = a.as_long().is_some() && b.as_long().is_some();
    let ty = if whole { Type::Long } else { Type::Real };
    Value::from_json(numbers(op, ty)(&[a, b]).to_json())
}

fn numbers(op: BinaryOp, ty: Type) -> Eval {
    match ty {
        Type::Decimal => decimals(op),
        Type::Real => reals(op),
        _ => longs(op),
    }
}

/// Wraps on overflow; nothing where divided by zero.
fn longs(op: BinaryOp) -> Eval {
    let compute: fn(i64, i64) -> Option<i64> = match op {
        BinaryOp::Add => |a, b| Some(a.wrapping_add(b)),
        BinaryOp::Sub => |a, b| Some(a.wrapping_sub(b)),
        BinaryOp::Mul => |a, b| Some(a.wrapping_mul(b)),
        BinaryOp::Div => |a, b| (b != 0).then(|| a.wrapping_div(b)),
        _ => |a, b| (b != 0).then(|| a.wrapping_rem_euclid(b)),
    };
    let whole = |value: &Value| match value {
        // Only JSON brings a real here.
        Value::Real(v) => num::real_to_long(*v),
        other => other.as_long(),
    };
    Arc::new(move |args| {
        let sides = whole(args.value(0)).zip(whole(args.value(1)));
        Value::from(sides.and_then(|(a, b)| compute(a, b)).map(Value::Long))
    })
}

fn reals(op: BinaryOp) -> Eval {
    let compute: fn(f64, f64) -> f64 = match op {
        BinaryOp::Add => |a, b| a + b,
        BinaryOp::Sub => |a, b| a - b,
        BinaryOp::Mul => |a, b| a * b,
        BinaryOp::Div => |a, b| a / b,
        _ => f64::rem_euclid,
    };
    Arc::new(move |args| {
        Value::from(args.real(0).zip(args.real(1)).map(|(a, b)| Value::Real(compute(a, b))))
    })
}

/// Nothing where divided by zero, and past what a decimal holds.
fn decimals(op: BinaryOp) -> Eval {
    let compute: fn(&Decimal, &Decimal) -> Option<Decimal> = match op {
        BinaryOp::Add => Decimal::add,
        BinaryOp::Sub => Decimal::sub,
        BinaryOp::Mul => Decimal::mul,
        BinaryOp::Div => Decimal::div,
        _ => Decimal::rem,
    };
    let side = |value: &Value| match value {
        Value::Decimal(v) => Some(v.clone()),
        Value::Real(v) => Decimal::from_real(*v),
        other => other.as_long().map(Decimal::from_long),
    };
    Arc::new(move |args| {
        let sides = side(args.value(0)).zip(side(args.value(1)));
        Value::from(sides.and_then(|(a, b)| compute(&a, &b)).map(Value::Decimal))
    })
}

/// The ticks of both sides.
fn sides(args: &[Value]) -> Option<(i64, i64)> {
    let side = |at| args.datetime(at).or(args.timespan(at));
    side(0).zip(side(1))
}

/// Over the ticks of both sides. No datetime outside of its range.
fn ticks(compute: fn(i64, i64) -> i64, result: Type) -> Eval {
    Arc::new(move |args| {
        let Some((a, b)) = sides(args) else { return Value::Null };
        let sum = compute(a, b);
        match result {
            Type::Datetime => Value::from(time::checked(sum).map(Value::Datetime)),
            _ => Value::Timespan(sum),
        }
    })
}

/// A timespan times or by a number.
fn scaled(divide: bool) -> Eval {
    Arc::new(move |args| {
        let Some(span) = args.timespan(0).or(args.timespan(1)) else { return Value::Null };
        let at = usize::from(args.timespan(0).is_some());
        let whole = args
            .long(at)
            .and_then(|n| if divide { span.checked_div(n) } else { span.checked_mul(n) });
        let real = || {
            let n = args.real(at)?;
            let span = num::long_to_real(span);
            num::real_to_long(if divide { span / n } else { span * n })
        };
        Value::from(whole.or_else(real).map(Value::Timespan))
    })
}
