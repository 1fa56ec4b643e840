//! How far values lie apart: variance, deviation, covariance; of a sample, or of the whole population.

use super::{Accumulator, Aggregate, Made, TEST, boxed};
use crate::functions::{Args, Prepare, Refusal, Signature, Takes};
use crate::value::{Type, Value};

const ONE: &[Signature] = &[Signature::new(&[Takes::Summable], Type::Real)];
const ONE_IF: &[Signature] = &[Signature::new(&[Takes::Summable, TEST], Type::Real)];
const TWO: &[Signature] = &[Signature::new(&[Takes::Summable, Takes::Summable], Type::Real)];
const TWO_IF: &[Signature] =
    &[Signature::new(&[Takes::Summable, Takes::Summable, TEST], Type::Real)];

pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate::of("stdev", "stdev", ONE, |p| spread(p, true, false)),
    Aggregate::of("stdevif", "stdevif", ONE_IF, |p| spread(p, true, false)),
    Aggregate::of("stdevp", "stdevp", ONE, |p| spread(p, true, true)),
    Aggregate::of("variance", "variance", ONE, |p| spread(p, false, false)),
    Aggregate::of("varianceif", "varianceif", ONE_IF, |p| spread(p, false, false)),
    Aggregate::of("variancep", "variancep", ONE, |p| spread(p, false, true)),
    Aggregate::of("variancepif", "variancepif", ONE_IF, |p| spread(p, false, true)),
    Aggregate::of("covariance", "covariance", TWO, |p| joint(p, false)),
    Aggregate::of("covarianceif", "covarianceif", TWO_IF, |p| joint(p, false)),
    Aggregate::of("covariancep", "covariancep", TWO, |p| joint(p, true)),
    Aggregate::of("covariancepif", "covariancepif", TWO_IF, |p| joint(p, true)),
];

/// Only numbers have a spread here; the place of the test, where there is one.
fn checked(prepare: &Prepare<'_>, values: usize) -> Result<Option<usize>, Refusal> {
    let time = |ty: &Type| matches!(ty, Type::Datetime | Type::Timespan);
    if prepare.types.iter().take(values).any(time) {
        return Err(Refusal::Unsupported("the deviation of times".to_owned()));
    }
    Ok((prepare.types.len() > values).then_some(values))
}

fn spread(prepare: &Prepare<'_>, root: bool, population: bool) -> Made {
    boxed(checked(prepare, 1)?, move || Spread {
        root,
        population,
        second: 0,
        count: 0.0,
        means: (0.0, 0.0),
        products: 0.0,
    })
}

fn joint(prepare: &Prepare<'_>, population: bool) -> Made {
    boxed(checked(prepare, 2)?, move || Spread {
        root: false,
        population,
        second: 1,
        count: 0.0,
        means: (0.0, 0.0),
        products: 0.0,
    })
}

/// After Welford. Of nothing, and of a sample of one: zero.
struct Spread {
    root: bool,
    population: bool,
    /// The argument that the first one varies with: itself for a variance.
    second: usize,
    count: f64,
    means: (f64, f64),
    products: f64,
}

impl Accumulator for Spread {
    fn add(&mut self, args: &[Value]) -> usize {
        if let (Some(x), Some(y)) = (args.real(0), args.real(self.second)) {
            self.count += 1.0;
            let delta = x - self.means.0;
            self.means.0 += delta / self.count;
            self.means.1 += (y - self.means.1) / self.count;
            self.products += delta * (y - self.means.1);
        }
        0
    }

    fn finish(&mut self) -> Vec<Value> {
        let of = if self.population { self.count } else { self.count - 1.0 };
        let spread = if of > 0.0 { self.products / of } else { 0.0 };
        vec![Value::Real(if self.root { spread.sqrt() } else { spread })]
    }
}
