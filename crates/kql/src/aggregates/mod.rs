//! Aggregate functions: one table per family, one entry per function.

mod bits;
mod collect;
mod counts;
mod extremes;
mod rank;
mod schema;
mod spread;
mod sums;

use crate::functions::{Args, Prepare, Refusal, Signature, Takes};
use crate::value::{Type, Value};
use std::any::Any;
use std::sync::Arc;

/// The state of one aggregate over one group.
pub(crate) trait Accumulator: Send + Sync {
    /// Takes a row's arguments; returns the bytes of memory it newly holds.
    fn add(&mut self, args: &[Value]) -> usize;
    /// The results, one per column of the aggregate.
    fn finish(&mut self) -> Vec<Value>;
    /// What [`merge`](Self::merge) takes: only where the states of rows that follow one another make the state of all.
    fn state(&self) -> Option<&dyn Any> {
        None
    }
    /// Takes what another state of the same aggregate has of later rows; returns the bytes of memory it newly holds.
    fn merge(&mut self, later: &dyn Any) -> usize {
        let _ = later;
        0
    }
}

pub(crate) type Factory = Arc<dyn Fn() -> Box<dyn Accumulator> + Send + Sync>;

type Made = Result<Factory, Refusal>;

/// An aggregate function.
pub(crate) struct Aggregate {
    pub(crate) name: &'static str,
    pub(crate) signatures: &'static [Signature],
    /// `prefix_` and the first argument's column name an unnamed result; nothing: its own name.
    pub(crate) prefix: Option<&'static str>,
    pub(crate) shape: Shape,
    pub(crate) make: fn(&Prepare<'_>) -> Made,
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
    /// One per percentile; these are the arguments from this one on.
    Ranks(usize),
}

impl Aggregate {
    const fn of(
        name: &'static str,
        prefix: &'static str,
        signatures: &'static [Signature],
        make: fn(&Prepare<'_>) -> Made,
    ) -> Self {
        Self { name, signatures, prefix: Some(prefix), shape: Shape::Single, make }
    }

    const fn named_as_its_argument(mut self) -> Self {
        self.prefix = None;
        self
    }

    const fn shaped(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }
}

const TEST: Takes = Takes::Is(Type::Bool);
const ANY: Takes = Takes::Scalar;

const FAMILIES: &[&[Aggregate]] = &[
    bits::AGGREGATES,
    collect::AGGREGATES,
    counts::AGGREGATES,
    extremes::AGGREGATES,
    rank::AGGREGATES,
    schema::AGGREGATES,
    spread::AGGREGATES,
    sums::AGGREGATES,
];

fn all() -> impl Iterator<Item = &'static Aggregate> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The aggregate of a name.
pub(crate) fn find(name: &str) -> Option<&'static Aggregate> {
    all().find(|a| a.name == name)
}

/// All names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|a| a.name)
}

/// The columns that an aggregate of [`Shape::Ranks`] gives: a type, and what follows `percentile_` and the name of
/// the value's column.
pub(crate) fn rank_columns(prepare: &Prepare<'_>, from: usize) -> Vec<(Type, String)> {
    let ty = prepare.types.first().map_or(Type::Long, |ty| rank::result_type(*ty));
    prepare.consts.iter().skip(from).map(|value| (ty, rank::label(value.as_ref()))).collect()
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

    fn state(&self) -> Option<&dyn Any> {
        self.inner.state()
    }

    fn merge(&mut self, later: &dyn Any) -> usize {
        self.inner.merge(later)
    }
}

/// A constructor, of what sees only the rows where the argument at `test` is true.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every entry's constructor")]
fn boxed<A: Accumulator + 'static>(
    test: Option<usize>,
    new: impl Fn() -> A + Send + Sync + 'static,
) -> Made {
    Ok(match test {
        Some(test) => Arc::new(move || Box::new(Filtered { test, inner: new() })),
        None => Arc::new(move || Box::new(new())),
    })
}

fn first_type(prepare: &Prepare<'_>) -> Type {
    prepare.types.first().copied().unwrap_or(Type::Long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aggregate_is_named_once() {
        let mut names: Vec<&str> = names().collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for name in names {
            assert!(crate::functions::known::is_aggregate(name), "{name}");
        }
    }
}
