//! Arrays: parts of them, other orders of them, and arrays made of values.

use super::{Args, Function, Made, Naming, Prepare, Refusal, Signature, Takes, dynamic};
use crate::num;
use crate::time::HOUR;
use crate::value::{Type, Value};
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::sync::Arc;

const ARRAY: Takes = Takes::Is(Type::Dynamic);
const INTEGER: Takes = Takes::Integer;
const ANY: Takes = Takes::Scalar;
const IFF: &[Signature] = &[Signature::new(&[ARRAY, ANY, ANY], Type::Dynamic)];
const TURN: &[Signature] = &[Signature::new(&[ARRAY, INTEGER], Type::Dynamic)];
const SHIFT: &[Signature] = &[Signature::new(&[ARRAY, INTEGER, ANY], Type::Dynamic).from(2)];
const SORT: &[Signature] = &[
    Signature::new(&[ARRAY, Takes::Is(Type::Bool)], Type::Dynamic).from(1),
    Signature::new(&[ARRAY, ANY], Type::Dynamic).up_to(64),
];

/// Items of an array that `range` and `repeat` make, at most, as the service has it.
const LONGEST: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("array_iff", IFF, iff),
    Function::plain("array_iif", IFF, iff),
    Function::plain(
        "array_index_of",
        &[Signature::new(&[ARRAY, ANY, INTEGER, INTEGER, INTEGER], Type::Long).from(2)],
        index_of,
    ),
    Function::plain("array_reverse", &[Signature::new(&[ARRAY], Type::Dynamic)], |args| {
        made(args.json(0)?.as_array()?.iter().rev().cloned().collect())
    }),
    Function::plain("array_rotate_left", TURN, |args| rotate(args, true)),
    Function::plain("array_rotate_right", TURN, |args| rotate(args, false)),
    Function::plain("array_shift_left", SHIFT, |args| shift(args, true)),
    Function::plain("array_shift_right", SHIFT, |args| shift(args, false)),
    Function::plain(
        "array_slice",
        &[Signature::new(&[ARRAY, INTEGER, INTEGER], Type::Dynamic)],
        slice,
    ),
    Function::made("array_sort_asc", SORT, |p| sort(p, false)),
    Function::made("array_sort_desc", SORT, |p| sort(p, true)),
    Function::plain(
        "array_split",
        &[Signature::new(&[ARRAY, Takes::IntegerOrDynamic], Type::Dynamic)],
        split,
    ),
    Function::plain("array_sum", &[Signature::new(&[ARRAY], Type::Real)], |args| {
        let items = args.json(0)?.as_array()?;
        items.iter().try_fold(0.0, |sum, item| Some(sum + item.as_f64()?)).map(Value::Real)
    }),
    Function::made("range", &[Signature::new(&[ANY, ANY, ANY], Type::Dynamic).from(2)], range),
    Function::plain("repeat", &[Signature::new(&[ANY, INTEGER], Type::Dynamic)], |args| {
        let count = num::long_to_len(args.long(1)?)?.min(LONGEST);
        dynamic::fits(args.value(0).size().saturating_mul(count))?;
        made(vec![args.value(0).to_json(); count])
    })
    .named(Naming::Prefix("repeat")),
    Function::plain("zip", &[Signature::new(&[ARRAY, ARRAY], Type::Dynamic).up_to(16)], zip),
];

#[expect(clippy::unnecessary_wraps, reason = "what a function of the table ends with")]
pub(super) fn made(items: Vec<Json>) -> Option<Value> {
    Some(Value::from_json(Json::Array(items)))
}

/// The item at a place of an array, or the value for all places.
fn item_or_value(args: &[Value], arg: usize, at: usize) -> Json {
    match args.json(arg) {
        Some(Json::Array(items)) => items.get(at).cloned().unwrap_or_default(),
        _ => args.value(arg).to_json(),
    }
}

fn iff(args: &[Value]) -> Option<Value> {
    let conditions = args.json(0)?.as_array()?;
    for at in [1, 2] {
        match args.value(at) {
            Value::Dynamic(json) if json.is_array() => {}
            value => dynamic::fits(value.size().saturating_mul(conditions.len()))?,
        }
    }
    let items = conditions.iter().enumerate().map(|(at, condition)| {
        let holds = match condition {
            Json::Bool(holds) => *holds,
            Json::Number(number) => number.as_f64() != Some(0.0),
            _ => return Json::Null,
        };
        item_or_value(args, if holds { 1 } else { 2 }, at)
    });
    made(items.collect())
}

/// Whether two items are the same value, whichever way a number is written.
pub(super) fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => x == y,
            _ => x.as_f64() == y.as_f64(),
        },
        _ => a == b,
    }
}

fn index_of(args: &[Value]) -> Option<Value> {
    let items = args.json(0)?.as_array()?;
    let long = |at: usize, missing| if args.len() > at { args.long(at) } else { Some(missing) };
    let (start, length, occurrence) = (long(2, 0)?, long(3, -1)?, long(4, 1)?);
    if length < -1 || occurrence < 0 {
        return None;
    }
    let start = from_end(start, items.len());
    let length = num::long_to_len(length).unwrap_or(usize::MAX);
    let wanted = args.value(1).to_json();
    let mut found = (start..items.len())
        .take(length)
        .filter(|at| items.get(*at).is_some_and(|item| same(item, &wanted)));
    let at = num::long_to_len(occurrence - 1).and_then(|skipped| found.nth(skipped));
    Some(Value::Long(at.map_or(-1, num::len_to_long)))
}

/// A place that may be counted from the end, within the array.
fn from_end(at: i64, length: usize) -> usize {
    let at = if at < 0 { at.saturating_add(num::len_to_long(length)) } else { at };
    num::long_to_len(at).unwrap_or(0).min(length)
}

fn rotate(args: &[Value], left: bool) -> Option<Value> {
    let mut items = args.json(0)?.as_array()?.clone();
    let by = args.long(1)?;
    if !items.is_empty() {
        let by = by.rem_euclid(num::len_to_long(items.len()));
        let by = num::long_to_len(by).unwrap_or(0);
        if left { items.rotate_left(by) } else { items.rotate_right(by) }
    }
    made(items)
}

fn shift(args: &[Value], left: bool) -> Option<Value> {
    let items = args.json(0)?.as_array()?;
    let by = args.long(1)?;
    let filler = args.get(2).map(Value::to_json).unwrap_or_default();
    let left = left == (by >= 0);
    let by = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX).min(items.len());
    dynamic::fits(args.value(2).size().saturating_mul(by))?;
    let fill = std::iter::repeat_n(filler, by);
    made(if left {
        items.iter().skip(by).cloned().chain(fill).collect()
    } else {
        fill.chain(items.iter().take(items.len() - by).cloned()).collect()
    })
}

fn slice(args: &[Value]) -> Option<Value> {
    let items = args.json(0)?.as_array()?;
    let length = num::len_to_long(items.len());
    let place = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let (start, end) = (place(args.long(1)?).max(0), place(args.long(2)?));
    let count = num::long_to_len(end.saturating_sub(start).saturating_add(1)).unwrap_or(0);
    made(items.iter().skip(num::long_to_len(start).unwrap_or(0)).take(count).cloned().collect())
}

/// Numbers, then texts, then all else, and nulls apart.
fn order(a: &Json, b: &Json) -> Ordering {
    let rank = |json: &Json| match json {
        Json::Number(_) => 0,
        Json::String(_) => 1,
        _ => 2,
    };
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => x.as_f64().unwrap_or(0.0).total_cmp(&y.as_f64().unwrap_or(0.0)),
        },
        (Json::String(x), Json::String(y)) => x.cmp(y),
        (Json::Bool(x), Json::Bool(y)) => x.cmp(y),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Of one array that array sorted, of several an array of all, in the order of the first.
fn sort(prepare: &Prepare<'_>, descending: bool) -> Made {
    let wrong = |ty: &Type| *ty != Type::Dynamic;
    let (last, arrays) = match prepare.types.split_last() {
        Some((Type::Bool, arrays)) if !arrays.is_empty() => (true, arrays),
        _ => (false, prepare.types),
    };
    if let Some(at) = arrays.iter().position(wrong) {
        let message = "The expression value must be a dynamic array".to_owned();
        return Err(Refusal::Argument(at, "KS234", message));
    }
    let count = arrays.len();
    if last && prepare.consts.get(count).is_none_or(Option::is_none) {
        let message = "The expression must be a constant".to_owned();
        return Err(Refusal::Argument(count, "KS129", message));
    }
    Ok(Arc::new(move |args| {
        let Some(items) = args.json(0).and_then(Json::as_array) else { return Value::Null };
        let nulls_last = args.bool(count).unwrap_or(true);
        let (nulls, mut places): (Vec<usize>, Vec<usize>) =
            (0..items.len()).partition(|at| items.get(*at).is_none_or(Json::is_null));
        let key = |at: &usize| items.get(*at).unwrap_or(&Json::Null);
        // A stable sort either way: what is equal stays in its order.
        places.sort_by(
            |a, b| {
                if descending { order(key(b), key(a)) } else { order(key(a), key(b)) }
            },
        );
        let (first, last) = if nulls_last { (places, nulls) } else { (nulls, places) };
        let places: Vec<usize> = first.into_iter().chain(last).collect();
        let sorted = |at: usize| match args.json(at) {
            Some(Json::Array(other)) if other.len() == items.len() => Json::Array(
                places.iter().map(|at| other.get(*at).cloned().unwrap_or_default()).collect(),
            ),
            _ => Json::Null,
        };
        Value::from_json(match count {
            1 => sorted(0),
            _ => Json::Array((0..count).map(sorted).collect()),
        })
    }))
}

fn split(args: &[Value]) -> Option<Value> {
    let items = args.json(0)?.as_array()?;
    let places: Vec<i64> = match args.value(1) {
        Value::Dynamic(json) => match &**json {
            Json::Array(places) => places.iter().map(Json::as_i64).collect::<Option<_>>()?,
            other => vec![other.as_i64()?],
        },
        other => vec![other.as_long()?],
    };
    let mut parts = Vec::new();
    let mut before = 0;
    let part =
        |from: usize, to: usize| Json::Array(items.iter().take(to).skip(from).cloned().collect());
    for place in places {
        let place = from_end(place, items.len());
        parts.push(part(before, place));
        before = place;
    }
    parts.push(part(before, items.len()));
    made(parts)
}

/// `start`, `start + step`, … up to `stop`.
fn range(prepare: &Prepare<'_>) -> Made {
    let ty = |at: usize| prepare.types.get(at).copied();
    let number = |ty: Type| matches!(ty, Type::Int | Type::Long | Type::Real);
    let types = (ty(0).unwrap_or(Type::Dynamic), ty(1).unwrap_or(Type::Dynamic), ty(2));
    let of_numbers = number(types.0) && number(types.1) && types.2.is_none_or(number);
    let of_times = types.0 == types.1
        && matches!(types.0, Type::Datetime | Type::Timespan)
        && types.2.is_none_or(|step| step == Type::Timespan);
    let whole = prepare.types.iter().all(|ty| matches!(ty, Type::Int | Type::Long));
    if of_times {
        let wrap = if types.0 == Type::Datetime { Value::Datetime } else { Value::Timespan };
        return Ok(Arc::new(move |args| {
            let ticks = |at| args.datetime(at).or_else(|| args.timespan(at));
            let step = if args.len() > 2 { args.timespan(2) } else { Some(HOUR) };
            Value::from(steps(ticks(0), ticks(1), step, |ticks| wrap(ticks).to_json()))
        }));
    }
    if !of_numbers {
        return Err(Refusal::Unsupported("`range` of these types".to_owned()));
    }
    Ok(Arc::new(move |args| {
        if whole {
            let step = if args.len() > 2 { args.long(2) } else { Some(1) };
            return Value::from(steps(args.long(0), args.long(1), step, Json::from));
        }
        let step = if args.len() > 2 { args.real(2) } else { Some(1.0) };
        let (Some(start), Some(stop), Some(step)) = (args.real(0), args.real(1), step) else {
            return Value::Null;
        };
        let mut items = Vec::new();
        let mut at = start;
        let mut turn = 0.0;
        while items.len() < LONGEST && (step > 0.0 && at <= stop || step < 0.0 && at >= stop) {
            items.push(Json::from(at));
            turn += 1.0;
            at = step.mul_add(turn, start);
        }
        Value::from_json(Json::Array(items))
    }))
}

fn steps(
    start: Option<i64>,
    stop: Option<i64>,
    step: Option<i64>,
    item: impl Fn(i64) -> Json,
) -> Option<Value> {
    let (mut at, stop, step) = (start?, stop?, step?);
    let mut items = Vec::new();
    while items.len() < LONGEST && (step > 0 && at <= stop || step < 0 && at >= stop) {
        items.push(item(at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    made(items)
}

fn zip(args: &[Value]) -> Option<Value> {
    dynamic::fits_all(args)?;
    let arrays: Vec<&Vec<Json>> =
        (0..args.len()).map(|at| args.json(at)?.as_array()).collect::<Option<_>>()?;
    let longest = arrays.iter().map(|array| array.len()).max().unwrap_or(0);
    let tuple = |at: usize| {
        Json::Array(arrays.iter().map(|array| array.get(at).cloned().unwrap_or_default()).collect())
    };
    made((0..longest).map(tuple).collect())
}
