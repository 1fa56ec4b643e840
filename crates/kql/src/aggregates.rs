//! Aggregate functions: one entry of a table each.

use crate::functions::{Args, Gives, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Key, Type, Value};
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

/// The state of one aggregate over one group.
pub(crate) trait Accumulator {
    /// Takes a row's arguments; returns the bytes of memory it newly holds.
    fn add(&mut self, args: &[Value]) -> usize;
    /// The results, one per column of the aggregate.
    fn finish(&mut self) -> Vec<Value>;
}

pub(crate) type Factory = Arc<dyn Fn() -> Box<dyn Accumulator> + Send + Sync>;

/// An aggregate function.
pub(crate) struct Aggregate {
    pub(crate) name: &'static str,
    pub(crate) signatures: &'static [Signature],
    /// `prefix_` and the first argument's column name an unnamed result; nothing: its own name.
    pub(crate) prefix: Option<&'static str>,
    pub(crate) shape: Shape,
    pub(crate) make: fn(&Prepare<'_>) -> Result<Factory, Refusal>,
}

/// The columns of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One.
    Single,
    /// As many as arguments, each with its argument's name.
    Each,
    /// The first is the extreme, the others are of the same row.
    Extreme,
}

const TEST: Takes = Takes::Is(Type::Bool);
const ANY: Takes = Takes::Scalar;
const SUM: &[Signature] =
    &[Signature::new(&[Takes::Summable], Type::Long).giving(Gives::FirstPromoted)];
const SUM_IF: &[Signature] =
    &[Signature::new(&[Takes::Summable, TEST], Type::Long).giving(Gives::FirstPromoted)];
const EXTREME: &[Signature] =
    &[Signature::new(&[Takes::Orderable], Type::Long).giving(Gives::First)];
const EXTREME_IF: &[Signature] =
    &[Signature::new(&[Takes::Orderable, TEST], Type::Long).giving(Gives::First)];
const AVERAGE: &[Signature] = &[
    Signature::new(&[Takes::Integer], Type::Real),
    Signature::new(&[Takes::Is(Type::Real)], Type::Real),
    Signature::new(&[Takes::Is(Type::Decimal)], Type::Decimal),
    Signature::new(&[Takes::Is(Type::Timespan)], Type::Timespan),
    Signature::new(&[Takes::Is(Type::Datetime)], Type::Datetime),
];
const AVERAGE_IF: &[Signature] = &[
    Signature::new(&[Takes::Integer, TEST], Type::Real),
    Signature::new(&[Takes::Is(Type::Real), TEST], Type::Real),
    Signature::new(&[Takes::Is(Type::Decimal), TEST], Type::Decimal),
    Signature::new(&[Takes::Is(Type::Timespan), TEST], Type::Timespan),
    Signature::new(&[Takes::Is(Type::Datetime), TEST], Type::Datetime),
];
const COLLECT: &[Signature] = &[Signature::new(&[ANY, Takes::Integer], Type::Dynamic).from(1)];
const COLLECT_IF: &[Signature] =
    &[Signature::new(&[ANY, TEST, Takes::Integer], Type::Dynamic).from(2)];
const ROW: &[Signature] = &[Signature::new(&[ANY], Type::Long).up_to(32_767).giving(Gives::First)];
const DEVIATION: &[Signature] = &[Signature::new(&[Takes::Summable], Type::Real)];
const BEST: &[Signature] = &[Signature::new(&[Takes::Orderable, ANY], Type::Long)
    .from(1)
    .up_to(32_767)
    .giving(Gives::First)];

macro_rules! agg {
    ($name:literal, $prefix:expr, $signatures:expr, $make:expr) => {
        Aggregate {
            name: $name,
            signatures: $signatures,
            prefix: $prefix,
            shape: Shape::Single,
            make: $make,
        }
    };
}

const AGGREGATES: &[Aggregate] = &[
    agg!(
        "count",
        Some("count"),
        &[Signature::new(&[], Type::Long), Signature::new(&[TEST], Type::Long)],
        |p| {
            let test = (!p.types.is_empty()).then_some(0);
            boxed(p, test, || Count(0))
        }
    ),
    agg!("countif", Some("countif"), &[Signature::new(&[TEST], Type::Long)], |p| boxed(
        p,
        Some(0),
        || Count(0)
    )),
    agg!(
        "dcount",
        Some("dcount"),
        &[Signature::new(&[ANY, Takes::NotDynamic], Type::Long).from(1)],
        |p| { boxed(p, None, Distinct::default) }
    ),
    agg!(
        "dcountif",
        Some("dcountif"),
        &[Signature::new(&[ANY, TEST, Takes::NotDynamic], Type::Long).from(2)],
        |p| { boxed(p, Some(1), Distinct::default) }
    ),
    agg!(
        "count_distinct",
        Some("count_distinct"),
        &[Signature::new(&[Takes::NotDynamic], Type::Long)],
        |p| { boxed(p, None, Distinct::default) }
    ),
    agg!(
        "count_distinctif",
        Some("count_distinctif"),
        &[Signature::new(&[Takes::NotDynamic, TEST], Type::Long)],
        |p| { boxed(p, Some(1), Distinct::default) }
    ),
    agg!("sum", Some("sum"), SUM, |p| sum(p, None)),
    agg!("sumif", Some("sumif"), SUM_IF, |p| sum(p, Some(1))),
    agg!("avg", Some("avg"), AVERAGE, |p| average(p, None)),
    agg!("avgif", Some("avgif"), AVERAGE_IF, |p| average(p, Some(1))),
    agg!("min", Some("min"), EXTREME, |p| boxed(p, None, || Extreme {
        wanted: Ordering::Less,
        best: Value::Null
    })),
    agg!("max", Some("max"), EXTREME, |p| boxed(p, None, || Extreme {
        wanted: Ordering::Greater,
        best: Value::Null
    })),
    agg!("minif", Some("minif"), EXTREME_IF, |p| {
        boxed(p, Some(1), || Extreme { wanted: Ordering::Less, best: Value::Null })
    }),
    agg!("maxif", Some("maxif"), EXTREME_IF, |p| {
        boxed(p, Some(1), || Extreme { wanted: Ordering::Greater, best: Value::Null })
    }),
    agg!("make_set", Some("set"), COLLECT, |p| collect(p, true, None, 1)),
    agg!("makeset", Some("set"), COLLECT, |p| collect(p, true, None, 1)),
    agg!("make_set_if", Some("set"), COLLECT_IF, |p| collect(p, true, Some(1), 2)),
    agg!("make_list", Some("list"), COLLECT, |p| collect(p, false, None, 1)),
    agg!("makelist", Some("list"), COLLECT, |p| collect(p, false, None, 1)),
    agg!("make_list_if", Some("list"), COLLECT_IF, |p| collect(p, false, Some(1), 2)),
    agg!("stdev", Some("stdev"), DEVIATION, |p| deviation(p, true)),
    agg!("variance", Some("variance"), DEVIATION, |p| deviation(p, false)),
    Aggregate {
        name: "take_any",
        signatures: ROW,
        prefix: None,
        shape: Shape::Each,
        make: |p| boxed(p, None, Any::default),
    },
    Aggregate {
        name: "any",
        signatures: ROW,
        prefix: Some("any"),
        shape: Shape::Each,
        make: |p| boxed(p, None, Any::default),
    },
    agg!(
        "take_anyif",
        None,
        &[Signature::new(&[ANY, TEST], Type::Long).giving(Gives::First)],
        |p| { boxed(p, Some(1), Any::default) }
    ),
    Aggregate {
        name: "arg_max",
        signatures: BEST,
        prefix: None,
        shape: Shape::Extreme,
        make: |p| best(p, Ordering::Greater),
    },
    Aggregate {
        name: "arg_min",
        signatures: BEST,
        prefix: None,
        shape: Shape::Extreme,
        make: |p| best(p, Ordering::Less),
    },
];

/// The aggregate of a name.
pub(crate) fn find(name: &str) -> Option<&'static Aggregate> {
    AGGREGATES.iter().find(|a| a.name == name)
}

/// All names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    AGGREGATES.iter().map(|a| a.name)
}

/// Passes the rows on where the argument at `test` is true.
struct Filtered<A> {
    test: usize,
    inner: A,
}

impl<A: Accumulator> Accumulator for Filtered<A> {
    fn add(&mut self, args: &[Value]) -> usize {
        if args.bool(self.test) == Some(true) { self.inner.add(args) } else { 0 }
    }

    fn finish(&mut self) -> Vec<Value> {
        self.inner.finish()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every entry's constructor")]
fn boxed<A: Accumulator + 'static>(
    _: &Prepare<'_>,
    test: Option<usize>,
    new: impl Fn() -> A + Send + Sync + 'static,
) -> Result<Factory, Refusal> {
    Ok(match test {
        Some(test) => Arc::new(move || Box::new(Filtered { test, inner: new() })),
        None => Arc::new(move || Box::new(new())),
    })
}

struct Count(i64);

impl Accumulator for Count {
    fn add(&mut self, _: &[Value]) -> usize {
        self.0 += 1;
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::Long(self.0)]
    }
}

/// Exact, where the service estimates.
#[derive(Default)]
struct Distinct(HashSet<Key>);

impl Accumulator for Distinct {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        if !value.is_null() && self.0.insert(value.key()) { value.size() } else { 0 }
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::Long(num::len_to_long(self.0.len()))]
    }
}

struct Extreme {
    wanted: Ordering,
    best: Value,
}

impl Accumulator for Extreme {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        if !value.is_null() && (self.best.is_null() || value.order(&self.best) == self.wanted) {
            self.best = value.clone();
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![std::mem::replace(&mut self.best, Value::Null)]
    }
}

fn first_type(prepare: &Prepare<'_>) -> Type {
    prepare.types.first().copied().unwrap_or(Type::Long)
}

fn no_decimal(prepare: &Prepare<'_>) -> Result<Type, Refusal> {
    match first_type(prepare) {
        Type::Decimal => Err(Refusal::Unsupported("arithmetic on decimals".to_owned())),
        ty => Ok(ty),
    }
}

fn sum(prepare: &Prepare<'_>, test: Option<usize>) -> Result<Factory, Refusal> {
    match no_decimal(prepare)? {
        Type::Datetime => Err(Refusal::Unsupported("the sum of datetimes".to_owned())),
        Type::Real => boxed(prepare, test, || SumReal(0.0)),
        Type::Timespan => boxed(prepare, test, || SumLong { total: 0, timespan: true }),
        _ => boxed(prepare, test, || SumLong { total: 0, timespan: false }),
    }
}

/// Of nothing: zero.
struct SumLong {
    total: i64,
    timespan: bool,
}

impl Accumulator for SumLong {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.long(0).or(args.timespan(0)).unwrap_or(0);
        self.total = self.total.wrapping_add(value);
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![if self.timespan { Value::Timespan(self.total) } else { Value::Long(self.total) }]
    }
}

struct SumReal(f64);

impl Accumulator for SumReal {
    fn add(&mut self, args: &[Value]) -> usize {
        self.0 += args.real(0).unwrap_or(0.0);
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::Real(self.0)]
    }
}

fn average(prepare: &Prepare<'_>, test: Option<usize>) -> Result<Factory, Refusal> {
    match no_decimal(prepare)? {
        ty @ (Type::Timespan | Type::Datetime) => {
            boxed(prepare, test, move || AverageTicks { ty, total: 0, count: 0 })
        }
        _ => boxed(prepare, test, || AverageReal { total: 0.0, count: 0 }),
    }
}

/// Of nothing: not a number.
struct AverageReal {
    total: f64,
    count: i64,
}

impl Accumulator for AverageReal {
    fn add(&mut self, args: &[Value]) -> usize {
        if let Some(value) = args.real(0) {
            self.total += value;
            self.count += 1;
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::Real(self.total / num::long_to_real(self.count))]
    }
}

/// Of nothing: null.
struct AverageTicks {
    ty: Type,
    total: i128,
    count: i128,
}

impl Accumulator for AverageTicks {
    fn add(&mut self, args: &[Value]) -> usize {
        if let Some(ticks) = args.timespan(0).or(args.datetime(0)) {
            self.total += i128::from(ticks);
            self.count += 1;
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        let mean = self.total.checked_div(self.count).and_then(|m| i64::try_from(m).ok());
        let wrap = if self.ty == Type::Datetime { Value::Datetime } else { Value::Timespan };
        vec![Value::from(mean.map(wrap))]
    }
}

fn deviation(prepare: &Prepare<'_>, root: bool) -> Result<Factory, Refusal> {
    match no_decimal(prepare)? {
        Type::Datetime | Type::Timespan => {
            Err(Refusal::Unsupported("the deviation of times".to_owned()))
        }
        _ => boxed(prepare, None, move || Deviation { root, count: 0.0, mean: 0.0, squares: 0.0 }),
    }
}

/// Of a sample, after Welford.
struct Deviation {
    root: bool,
    count: f64,
    mean: f64,
    squares: f64,
}

impl Accumulator for Deviation {
    fn add(&mut self, args: &[Value]) -> usize {
        if let Some(value) = args.real(0) {
            self.count += 1.0;
            let delta = value - self.mean;
            self.mean += delta / self.count;
            self.squares += delta * (value - self.mean);
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        let variance = if self.count > 1.0 { self.squares / (self.count - 1.0) } else { 0.0 };
        let value = if self.root { variance.sqrt() } else { variance };
        vec![if self.count == 0.0 { Value::Real(f64::NAN) } else { Value::Real(value) }]
    }
}

/// The service's own bound on the elements of a collected array.
const MAX_ELEMENTS: usize = 1_048_576;

fn collect(
    prepare: &Prepare<'_>,
    set: bool,
    test: Option<usize>,
    limit: usize,
) -> Result<Factory, Refusal> {
    let max = match prepare.consts.get(limit) {
        None => MAX_ELEMENTS,
        Some(Some(max)) => max.as_long().and_then(num::long_to_len).unwrap_or(MAX_ELEMENTS),
        Some(None) => {
            return Err(Refusal::Argument(
                limit,
                "KS129",
                "The expression must be a constant".to_owned(),
            ));
        }
    };
    boxed(prepare, test, move || Collect { seen: set.then(HashSet::new), items: Vec::new(), max })
}

/// Null is not collected.
struct Collect {
    seen: Option<HashSet<Key>>,
    items: Vec<Json>,
    max: usize,
}

impl Accumulator for Collect {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        if value.is_null() || self.items.len() >= self.max {
            return 0;
        }
        if self.seen.as_mut().is_some_and(|seen| !seen.insert(value.key())) {
            return 0;
        }
        self.items.push(value.to_json());
        value.size() * 2
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::from_json(Json::Array(std::mem::take(&mut self.items)))]
    }
}

/// The first row, a value that is not null where there is one.
#[derive(Default)]
struct Any(Option<Vec<Value>>);

impl Accumulator for Any {
    fn add(&mut self, args: &[Value]) -> usize {
        match &mut self.0 {
            None => self.0 = Some(args.to_vec()),
            Some(row) if row.first().is_some_and(Value::is_null) && !args.value(0).is_null() => {
                *row = args.to_vec();
            }
            Some(_) => {}
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        self.0.take().unwrap_or_default()
    }
}

fn best(prepare: &Prepare<'_>, wanted: Ordering) -> Result<Factory, Refusal> {
    boxed(prepare, None, move || Best { wanted, row: None })
}

/// The row of the extreme; rows without a value do not compete, but the first one stands in for them.
struct Best {
    wanted: Ordering,
    row: Option<Vec<Value>>,
}

impl Accumulator for Best {
    fn add(&mut self, args: &[Value]) -> usize {
        let value = args.value(0);
        let better = self.row.as_deref().is_none_or(|row| {
            let best = row.value(0);
            !value.is_null() && (best.is_null() || value.order(best) == self.wanted)
        });
        if better {
            self.row = Some(args.to_vec());
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        self.row.take().unwrap_or_default()
    }
}
