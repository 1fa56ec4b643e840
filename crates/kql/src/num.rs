//! Number conversions, each with the rule it follows: the only casts of the crate.

#[expect(clippy::cast_precision_loss, reason = "Kusto's long to real rounds to the nearest real")]
pub(crate) fn long_to_real(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "JSON's whole numbers past long are reals")]
pub(crate) fn big_to_real(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a decimal shown or compared as a real rounds")]
pub(crate) fn wide_to_real(value: i128) -> f64 {
    value as f64
}

/// Towards zero; `None` outside of long, and for NaN.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(crate) fn real_to_long(value: f64) -> Option<i64> {
    // 2^63 is exact as a real, i64::MAX is not.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&value)
        .then_some(value as i64)
}

/// The low 32 bits, as integer arithmetic on int wraps.
#[expect(clippy::cast_possible_truncation, reason = "wrapping is the rule for int")]
pub(crate) fn wrap_int(value: i64) -> i32 {
    value as i32
}

/// A length as a long.
pub(crate) fn len_to_long(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// A long as an index; negative is `None`.
pub(crate) fn long_to_len(value: i64) -> Option<usize> {
    usize::try_from(value).ok()
}
