//! Decimals: 34 significant digits in base ten, rounded half to even, as IEEE 754's decimal128 has them.

use crate::num;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Digits that a decimal keeps.
const DIGITS: u32 = 34;
/// 10^17: the product of two halves of a coefficient fits 128 bits.
const HALF: u128 = 100_000_000_000_000_000;
/// The largest power of ten that is kept apart from the digits: beyond it there is no value.
const MAX_SCALE: i32 = 6_144;

/// A decimal number: `digits / 10^scale`. Rare, so it is kept elsewhere: every value of every row is as large as
/// the largest kind.
#[derive(Clone, Debug)]
pub struct Decimal(Arc<Parts>);

/// Normal: no zero at the end of the digits, and zero has the scale zero; so equal numbers have equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    digits: i128,
    scale: i32,
}

impl Decimal {
    /// Reads `12`, `-0.5`, `1.50`, `1e3`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let mut digits: u128 = 0;
        let mut dropped: i32 = 0;
        let mut sticky = false;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = u128::from(byte - b'0');
            // Two digits more than are kept: the rest only tells whether a half is more than one.
            if digits < HALF * HALF * 10 {
                digits = digits * 10 + digit;
            } else {
                dropped = dropped.checked_add(1)?;
                sticky |= digit != 0;
            }
        }
        let fraction = i32::try_from(fraction.len()).ok()?;
        let scale = fraction.checked_sub(dropped)?.checked_sub(exponent)?;
        rounded(negative, digits, scale, sticky)
    }

    pub(crate) fn from_long(value: i64) -> Self {
        let parts = Parts { digits: i128::from(value), scale: 0 };
        Self(Arc::new(normal(parts)))
    }

    /// The shortest decimal that reads back as the same real.
    pub(crate) fn from_real(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}")))?
    }

    /// The nearest real.
    pub fn to_real(&self) -> f64 {
        format!("{}e{}", self.0.digits, -self.0.scale)
            .parse()
            .unwrap_or(num::wide_to_real(self.0.digits))
    }

    /// Towards zero; `None` outside of long.
    pub(crate) fn to_long(&self) -> Option<i64> {
        let whole = match u32::try_from(self.0.scale) {
            Ok(scale) => 10_i128.checked_pow(scale).map_or(0, |power| self.0.digits / power),
            Err(_) => {
                10_i128.checked_pow(self.0.scale.unsigned_abs())?.checked_mul(self.0.digits)?
            }
        };
        i64::try_from(whole).ok()
    }

    pub(crate) fn negated(&self) -> Self {
        Self(Arc::new(Parts { digits: -self.0.digits, scale: self.0.scale }))
    }

    pub(crate) fn abs(&self) -> Self {
        if self.0.digits < 0 { self.negated() } else { self.clone() }
    }

    pub(crate) fn add(&self, other: &Self) -> Option<Self> {
        let (a, b) = (*self.0, *other.0);
        if a.digits == 0 {
            return Some(other.clone());
        }
        if b.digits == 0 {
            return Some(self.clone());
        }
        // `high` has the larger power of ten.
        let (high, low) = if a.scale <= b.scale { (a, b) } else { (b, a) };
        let gap = low.scale.abs_diff(high.scale);
        // 38 digits hold the larger one with all the places that count.
        let room = 37_u32.saturating_sub(length(high.digits.unsigned_abs()));
        let up = gap.min(room);
        let raised = high.digits.checked_mul(10_i128.checked_pow(up)?)?;
        let down = gap - up;
        let (lowered, sticky) = match 10_i128.checked_pow(down) {
            Some(power) => (low.digits / power, low.digits % power),
            None => (0, low.digits),
        };
        let sum = raised.checked_add(lowered)?;
        let scale = high.scale.checked_add(i32::try_from(up).ok()?)?;
        // What was cut off counts towards its own sign.
        let sum = if sticky != 0 && (sticky < 0) != (sum < 0) && sum != 0 {
            sum - sum.signum()
        } else {
            sum
        };
        rounded(sum < 0, sum.unsigned_abs(), scale, sticky != 0)
    }

    pub(crate) fn sub(&self, other: &Self) -> Option<Self> {
        self.add(&other.negated())
    }

    pub(crate) fn mul(&self, other: &Self) -> Option<Self> {
        let (a, b) = (self.0.digits.unsigned_abs(), other.0.digits.unsigned_abs());
        let negative = (self.0.digits < 0) != (other.0.digits < 0);
        let scale = self.0.scale.checked_add(other.0.scale)?;
        if let Some(product) = a.checked_mul(b) {
            return rounded(negative, product, scale, false);
        }
        // Halves of 17 digits: a = a1 * 10^17 + a0.
        let (a1, a0, b1, b0) = (a / HALF, a % HALF, b / HALF, b % HALF);
        let low = a0 * b0;
        let middle = a1 * b0 + a0 * b1 + low / HALF;
        let mut high = a1 * b1 + middle / HALF;
        // The digits below `high`: 34 of them.
        let mut rest = middle % HALF * HALF + low % HALF;
        let mut scale = scale.checked_sub(34)?;
        let mut unit = HALF * HALF;
        while high < HALF * HALF * 10 && unit > 1 {
            unit /= 10;
            high = high * 10 + rest / unit;
            rest %= unit;
            scale += 1;
        }
        rounded(negative, high, scale, rest != 0)
    }

    /// Nothing for a divisor of zero.
    pub(crate) fn div(&self, other: &Self) -> Option<Self> {
        let (a, b) = (self.0.digits.unsigned_abs(), other.0.digits.unsigned_abs());
        let negative = (self.0.digits < 0) != (other.0.digits < 0);
        let mut quotient = a.checked_div(b)?;
        let mut rest = a % b;
        let mut scale = self.0.scale.checked_sub(other.0.scale)?;
        while rest != 0 && quotient < HALF * HALF * 10 {
            rest *= 10;
            quotient = quotient * 10 + rest / b;
            rest %= b;
            scale += 1;
        }
        rounded(negative, quotient, scale, rest != 0)
    }

    /// Not negative, as of integers. Nothing for a divisor of zero, and where the whole quotient has too many digits.
    pub(crate) fn rem(&self, other: &Self) -> Option<Self> {
        let scale = self.0.scale.max(other.0.scale);
        let raise = |p: Parts| {
            10_i128.checked_pow(scale.abs_diff(p.scale)).and_then(|f| p.digits.checked_mul(f))
        };
        let (a, b) = (raise(*self.0)?, raise(*other.0)?);
        let rest = a.checked_rem_euclid(b)?;
        rounded(false, rest.unsigned_abs(), scale, false)
    }

    /// The largest whole number that is not above it.
    pub(crate) fn floor(&self) -> Option<Self> {
        let Ok(scale) = u32::try_from(self.0.scale) else { return Some(self.clone()) };
        let whole = match 10_i128.checked_pow(scale) {
            Some(power) => self.0.digits.div_euclid(power),
            None => -i128::from(self.0.digits < 0),
        };
        rounded(whole < 0, whole.unsigned_abs(), 0, false)
    }

    /// Half away from zero, to so many places behind the point.
    pub(crate) fn round(&self, places: i32) -> Option<Self> {
        let cut = self.0.scale.saturating_sub(places);
        let Ok(cut @ 1..) = u32::try_from(cut) else { return Some(self.clone()) };
        let Some(power) = 10_i128.checked_pow(cut) else { return Some(Self::from_long(0)) };
        let half = power / 2 * self.0.digits.signum();
        let kept = self.0.digits.checked_add(half)? / power;
        rounded(kept < 0, kept.unsigned_abs(), places, false)
    }

    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let (a, b) = (*self.0, *other.0);
        let signs = a.digits.signum().cmp(&b.digits.signum());
        if signs.is_ne() || a.digits == 0 {
            return signs;
        }
        // The place of the first digit decides; where it is the same, the digits of one length do.
        let (x, y) = (a.digits.unsigned_abs(), b.digits.unsigned_abs());
        let place = |digits: u128, scale: i32| i64::from(length(digits)) - i64::from(scale);
        let padded = |digits: u128| {
            10_u128
                .checked_pow(DIGITS.saturating_sub(length(digits)))
                .and_then(|power| digits.checked_mul(power))
                .unwrap_or(digits)
        };
        let size =
            place(x, a.scale).cmp(&place(y, b.scale)).then_with(|| padded(x).cmp(&padded(y)));
        if a.digits < 0 { size.reverse() } else { size }
    }
}

/// How many decimal digits a number has; zero has one.
fn length(digits: u128) -> u32 {
    digits.checked_ilog10().unwrap_or(0) + 1
}

fn normal(mut parts: Parts) -> Parts {
    if parts.digits == 0 {
        return Parts { digits: 0, scale: 0 };
    }
    while parts.digits % 10 == 0 {
        parts.digits /= 10;
        parts.scale -= 1;
    }
    parts
}

/// The nearest decimal of 34 digits; `sticky` where digits after these were cut off.
fn rounded(negative: bool, mut digits: u128, mut scale: i32, sticky: bool) -> Option<Decimal> {
    let excess = length(digits).saturating_sub(DIGITS);
    if excess > 0 {
        let power = 10_u128.checked_pow(excess)?;
        let (kept, rest) = (digits / power, digits % power);
        let up = match (rest.cmp(&(power / 2)), sticky) {
            (Ordering::Greater, _) | (Ordering::Equal, true) => true,
            (Ordering::Equal, false) => kept % 2 == 1,
            (Ordering::Less, _) => false,
        };
        digits = kept + u128::from(up);
        scale = scale.checked_sub(i32::try_from(excess).ok()?)?;
    }
    let digits = i128::try_from(digits).ok()?;
    let parts = normal(Parts { digits: if negative { -digits } else { digits }, scale });
    (parts.scale.abs() <= MAX_SCALE).then(|| Decimal(Arc::new(parts)))
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { digits, scale } = *self.0;
        let sign = if digits < 0 { "-" } else { "" };
        let text = digits.unsigned_abs().to_string();
        // Digits and an exponent where places would only be zeros past what a decimal holds.
        if !(-33..=40).contains(&scale) {
            return write!(f, "{sign}{text}E{:+}", -scale);
        }
        let Ok(places) = usize::try_from(scale) else {
            let zeros = usize::try_from(scale.unsigned_abs()).unwrap_or(0);
            return write!(f, "{sign}{text}{}", "0".repeat(zeros));
        };
        let text = format!("{text:0>width$}", width = places + 1);
        let (whole, fraction) = text.split_at_checked(text.len() - places).unwrap_or((&text, ""));
        let dot = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{dot}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn sums_products_and_quotients() {
        let show = |d: Option<Decimal>| d.map_or("none".to_owned(), |d| d.to_string());
        assert_eq!(show(dec("0.1").add(&dec("0.2"))), "0.3");
        assert_eq!(show(dec("1").sub(&dec("1e-40"))), "1");
        assert_eq!(show(dec("1e30").add(&dec("1e-3"))), "1000000000000000000000000000000.001");
        assert_eq!(show(dec("-1.5").add(&dec("0.5"))), "-1");
        assert_eq!(show(dec("1.5").mul(&dec("1.5"))), "2.25");
        assert_eq!(
            show(dec("1234567890123456789012345678901234").mul(&dec("10"))),
            "12345678901234567890123456789012340"
        );
        assert_eq!(
            show(
                dec("9999999999999999999999999999999999")
                    .mul(&dec("9999999999999999999999999999999999"))
            ),
            "9999999999999999999999999999999998E+34"
        );
        assert_eq!(show(dec("1").div(&dec("3"))), "0.3333333333333333333333333333333333");
        assert_eq!(show(dec("2").div(&dec("3"))), "0.6666666666666666666666666666666667");
        assert_eq!(show(dec("1").div(&dec("8"))), "0.125");
        assert_eq!(show(dec("1").div(&dec("0"))), "none");
        assert_eq!(show(dec("-7").rem(&dec("3"))), "2");
        assert_eq!(show(dec("7.5").rem(&dec("2"))), "1.5");
        assert_eq!(show(dec("-1.5").floor()), "-2");
        assert_eq!(show(dec("2.345").round(2)), "2.35");
        assert_eq!(show(dec("-2.345").round(2)), "-2.35");
        assert_eq!(show(dec("1250").round(-2)), "1300");
        assert_eq!(show(Decimal::from_real(0.1)), "0.1");
        assert_eq!(dec("123.9").to_long(), Some(123));
        assert_eq!(dec("1e30").to_long(), None);
    }

    #[test]
    fn order() {
        let sorted =
            ["-1e20", "-2", "-1.5", "-0.1", "0", "1e-30", "0.1", "0.11", "1", "10", "10.1", "1e6"];
        for pair in sorted.windows(2) {
            assert_eq!(dec(pair[0]).order(&dec(pair[1])), Ordering::Less, "{pair:?}");
        }
        assert_eq!(dec("1.50"), dec("1.5"));
        assert_eq!(dec("0.0"), dec("-0"));
    }

    #[test]
    fn text() {
        for (text, shown) in
            [("1.50", "1.5"), ("-0.05", "-0.05"), ("100", "100"), ("1e3", "1000"), (".5", "0.5")]
        {
            assert_eq!(dec(text).to_string(), shown);
        }
        for bad in ["", ".", "-", "x", "1.2.3", "1e", "0x1"] {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
    }
}
