//! Longs as 64 bits.

use super::{Args, Function, Naming, Signature, Takes};
use crate::value::{Type, Value};

const INTEGER: Takes = Takes::Integer;
const ONE: &[Signature] = &[Signature::new(&[INTEGER], Type::Long)];
const TWO: &[Signature] = &[Signature::new(&[INTEGER, INTEGER], Type::Long)];

macro_rules! two {
    ($name:literal, $of:expr) => {
        Function::plain($name, TWO, |args| {
            let of: fn(i64, i64) -> i64 = $of;
            Some(Value::Long(of(args.long(0)?, args.long(1)?)))
        })
        .named(Naming::First)
    };
}

macro_rules! shift {
    ($name:literal, $of:expr) => {
        // By so many bits modulo 64; nothing by a negative number.
        Function::plain($name, TWO, |args| {
            let of: fn(i64, u32) -> i64 = $of;
            let bits = u32::try_from(args.long(1)?.checked_rem(64)?).ok()?;
            Some(Value::Long(of(args.long(0)?, bits)))
        })
        .named(Naming::First)
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    two!("binary_and", |a, b| a & b),
    two!("binary_or", |a, b| a | b),
    two!("binary_xor", |a, b| a ^ b),
    shift!("binary_shift_left", i64::wrapping_shl),
    shift!("binary_shift_right", i64::wrapping_shr),
    Function::plain("binary_not", ONE, |args| args.long(0).map(|v| Value::Long(!v)))
        .named(Naming::First),
    Function::plain("bitset_count_ones", ONE, |args| {
        args.long(0).map(|v| Value::Long(i64::from(v.count_ones())))
    })
    .named(Naming::First),
];
