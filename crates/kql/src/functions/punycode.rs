//! Punycode (RFC 3492): other letters written in ASCII, for labels and for the names of domains.

use super::{Args, Function, Signature, Takes};
use crate::value::{Type, Value};

const TEXT: &[Signature] = &[Signature::new(&[Takes::Is(Type::String)], Type::String)];

/// Longer labels are not encoded: the work grows with the square of the length.
const LONGEST: usize = 2048;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("punycode_from_string", TEXT, |args| {
        Some(Value::from(encode(&args.text(0)).unwrap_or_default()))
    }),
    Function::plain("punycode_to_string", TEXT, |args| {
        Some(Value::from(decode(&args.text(0)).unwrap_or_default()))
    }),
    // By their names in the service's documentation the two go the other way around.
    Function::plain("punycode_domain_from_string", TEXT, |args| {
        let text = args.text(0);
        let label = |label: &str| match label.strip_prefix("xn--") {
            Some(encoded) => decode(encoded),
            None => Some(label.to_owned()),
        };
        let labels: Option<Vec<String>> = text.split('.').map(label).collect();
        Some(Value::from(labels.unwrap_or_default().join(".")))
    }),
    Function::plain("punycode_domain_to_string", TEXT, |args| {
        let text = args.text(0);
        let label = |label: &str| {
            if label.is_ascii() {
                return Some(label.to_owned());
            }
            encode(label).map(|encoded| format!("xn--{encoded}"))
        };
        let labels: Option<Vec<String>> =
            text.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(label).collect();
        Some(Value::from(labels.unwrap_or_default().join(".")))
    }),
];

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;

fn adapted(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count.max(1);
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + 38)
}

fn threshold(k: u32, bias: u32) -> u32 {
    k.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

fn digit(value: u32) -> Option<char> {
    char::from_digit(if value < 26 { value + 10 } else { value - 26 }, 36)
}

fn encode(text: &str) -> Option<String> {
    let chars: Vec<u32> = text.chars().map(u32::from).collect();
    if chars.len() > LONGEST {
        return None;
    }
    let mut out: String = text.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    while let Some(next) = chars.iter().copied().filter(|c| *c >= n).min() {
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for c in &chars {
            if *c < n {
                delta = delta.checked_add(1)?;
            }
            if *c != n {
                continue;
            }
            let mut left = delta;
            let mut k = BASE;
            loop {
                let t = threshold(k, bias);
                if left < t {
                    break;
                }
                out.push(digit(t + (left - t) % (BASE - t))?);
                left = (left - t) / (BASE - t);
                k += BASE;
            }
            out.push(digit(left)?);
            bias = adapted(delta, handled + 1, handled == basic);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(out)
}

fn decode(text: &str) -> Option<String> {
    if !text.is_ascii() || text.len() > LONGEST {
        return None;
    }
    let (basic, encoded) = text.rsplit_once('-').unwrap_or(("", text));
    let mut out: Vec<char> = basic.chars().collect();
    let (mut n, mut at, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = encoded.chars();
    let mut first = true;
    while !digits.as_str().is_empty() {
        let before = at;
        let (mut weight, mut k) = (1_u32, BASE);
        loop {
            let value = digits.next()?.to_digit(36)?;
            let value = if value >= 10 { value - 10 } else { value + 26 };
            at = at.checked_add(value.checked_mul(weight)?)?;
            let t = threshold(k, bias);
            if value < t {
                break;
            }
            weight = weight.checked_mul(BASE - t)?;
            k += BASE;
        }
        let count = u32::try_from(out.len()).ok()? + 1;
        bias = adapted(at - before, count, first);
        first = false;
        n = n.checked_add(at / count)?;
        at %= count;
        out.insert(usize::try_from(at).ok()?, char::from_u32(n)?);
        at += 1;
    }
    Some(out.into_iter().collect())
}
