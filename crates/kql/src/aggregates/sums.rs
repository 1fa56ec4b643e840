//! Sums and means.

use super::{Accumulator, Aggregate, Made, TEST, boxed, first_type};
use crate::functions::{Args, Gives, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Decimal, Type, Value};

const SUM: &[Signature] =
    &[Signature::new(&[Takes::Summable], Type::Long).giving(Gives::FirstPromoted)];
const SUM_IF: &[Signature] =
    &[Signature::new(&[Takes::Summable, TEST], Type::Long).giving(Gives::FirstPromoted)];
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

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of("sum", "sum", SUM, |p| sum(p, None)),
    Aggregate::of("sumif", "sumif", SUM_IF, |p| sum(p, Some(1))),
    Aggregate::of("avg", "avg", AVERAGE, |p| average(p, None)),
    Aggregate::of("avgif", "avgif", AVERAGE_IF, |p| average(p, Some(1))),
];

fn sum(prepare: &Prepare<'_>, test: Option<usize>) -> Made {
    match first_type(prepare) {
        Type::Datetime => Err(Refusal::Unsupported("the sum of datetimes".to_owned())),
        Type::Real => boxed(test, || SumReal(0.0)),
        Type::Decimal => boxed(test, || SumDecimal(Some(Decimal::from_long(0)))),
        Type::Timespan => boxed(test, || SumLong { total: 0, timespan: true }),
        _ => boxed(test, || SumLong { total: 0, timespan: false }),
    }
}

/// Of nothing: zero. Wraps.
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

/// Past what a decimal holds: null.
struct SumDecimal(Option<Decimal>);

impl Accumulator for SumDecimal {
    fn add(&mut self, args: &[Value]) -> usize {
        if let Value::Decimal(value) = args.value(0) {
            self.0 = self.0.as_ref().and_then(|total| total.add(value));
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        vec![Value::from(self.0.take().map(Value::Decimal))]
    }
}

fn average(prepare: &Prepare<'_>, test: Option<usize>) -> Made {
    match first_type(prepare) {
        ty @ (Type::Timespan | Type::Datetime) => {
            boxed(test, move || AverageTicks { ty, total: 0, count: 0 })
        }
        Type::Decimal => {
            boxed(test, || AverageDecimal { total: Some(Decimal::from_long(0)), count: 0 })
        }
        _ => boxed(test, || AverageReal { total: 0.0, count: 0 }),
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
struct AverageDecimal {
    total: Option<Decimal>,
    count: i64,
}

impl Accumulator for AverageDecimal {
    fn add(&mut self, args: &[Value]) -> usize {
        if let Value::Decimal(value) = args.value(0) {
            self.total = self.total.as_ref().and_then(|total| total.add(value));
            self.count += 1;
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        let count = Decimal::from_long(self.count);
        vec![Value::from(self.total.take().and_then(|t| t.div(&count)).map(Value::Decimal))]
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
