//! Texts as numbers and numbers as texts: code points, hexadecimal, base64, the escapes of URLs and of patterns.

use super::{Args, Function, LONGEST_SPLIT, Made, Naming, Prepare, Refusal, Signature, Takes};
use crate::num;
use crate::value::{Guid, Type, Value};
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::sync::Arc;

const TEXT: &[Signature] = &[Signature::new(&[Takes::Is(Type::String)], Type::String)];
const TO_ARRAY: &[Signature] = &[Signature::new(&[Takes::Is(Type::String)], Type::Dynamic)];
const POINTS: &[Signature] = &[Signature::new(&[Takes::Scalar], Type::Dynamic)];
const OF_POINTS: &[Signature] =
    &[Signature::new(&[Takes::IntegerOrDynamic], Type::String).up_to(32_767)];
const NUMBER: Takes = Takes::Number;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("unicode_codepoints_from_string", POINTS, points),
    Function::plain("to_utf8", POINTS, points),
    Function::plain("unicode_codepoints_to_string", OF_POINTS, of_points),
    Function::plain("make_string", OF_POINTS, of_points),
    Function::plain(
        "tohex",
        &[Signature::new(&[Takes::Integer, Takes::Integer], Type::String).from(1)],
        |args| Some(Value::from(tohex(args).unwrap_or_default())),
    )
    .named(Naming::First),
    Function::made(
        "format_bytes",
        &[Signature::new(&[NUMBER, NUMBER, Takes::Is(Type::String)], Type::String).from(1)],
        format_bytes,
    )
    .named(Naming::First),
    Function::plain("regex_quote", &[Signature::new(&[Takes::Scalar], Type::String)], |args| {
        Some(Value::from(regex::escape(&args.text(0))))
    }),
    Function::plain("url_encode", TEXT, |args| Some(Value::from(escaped(&args.text(0), "+")))),
    Function::plain("url_encode_component", TEXT, |args| {
        Some(Value::from(escaped(&args.text(0), "%20")))
    }),
    Function::plain("url_decode", TEXT, |args| Some(Value::from(unescaped(&args.text(0))))),
    Function::plain("base64_encode_tostring", TEXT, encode),
    Function::plain("base64_encodestring", TEXT, encode),
    Function::plain("base64_decode_tostring", TEXT, decode),
    Function::plain("base64_decodestring", TEXT, decode),
    Function::plain("base64_decode_toarray", TO_ARRAY, |args| {
        let bytes = from_base64(&args.text(0)).filter(|bytes| bytes.len() <= LONGEST_SPLIT)?;
        Some(Value::from_json(Json::Array(bytes.into_iter().map(Json::from).collect())))
    }),
    Function::plain(
        "base64_encode_fromarray",
        &[Signature::new(&[Takes::Is(Type::Dynamic)], Type::String)],
        |args| {
            let items = args.json(0).and_then(|json| json.as_array());
            let bytes: Option<Vec<u8>> = items.and_then(|items| {
                items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect()
            });
            Some(Value::from(bytes.map_or_else(String::new, |bytes| to_base64(&bytes))))
        },
    ),
    Function::plain(
        "base64_encode_fromguid",
        &[Signature::new(&[Takes::Is(Type::Guid)], Type::String)],
        |args| {
            let Value::Guid(guid) = args.value(0) else { return Some(Value::from("")) };
            Some(Value::from(to_base64(&swapped(u128::from(*guid).to_be_bytes()))))
        },
    ),
    Function::plain(
        "base64_decode_toguid",
        &[Signature::new(&[Takes::Is(Type::String)], Type::Guid)],
        |args| {
            let bytes: [u8; 16] = from_base64(&args.text(0))?.try_into().ok()?;
            Some(Value::Guid(Guid::from(u128::from_be_bytes(swapped(bytes)))))
        },
    ),
];

fn points(args: &[Value]) -> Option<Value> {
    let text = args.text(0);
    if text.len() > LONGEST_SPLIT {
        return None;
    }
    let points = text.chars().map(|c| Json::from(u32::from(c))).collect();
    Some(Value::from_json(Json::Array(points)))
}

/// What is no code point makes the whole empty.
#[expect(clippy::unnecessary_wraps, reason = "the shape of an entry's computation")]
fn of_points(args: &[Value]) -> Option<Value> {
    let char = |point: i64| u32::try_from(point).ok().and_then(char::from_u32);
    let mut out = String::new();
    for arg in args {
        let read = match arg {
            Value::Dynamic(json) => match &**json {
                Json::Array(items) => items
                    .iter()
                    .map(|item| char(item.as_i64()?))
                    .collect::<Option<String>>()
                    .map(|text| out.push_str(&text)),
                item => item.as_i64().and_then(char).map(|c| out.push(c)),
            },
            other => other.as_long().and_then(char).map(|c| out.push(c)),
        };
        if read.is_none() {
            return Some(Value::from(""));
        }
    }
    Some(Value::from(out))
}

/// A negative number shows all digits of its type.
fn tohex(args: &[Value]) -> Option<String> {
    let digits = match args.value(0) {
        Value::Int(v) => format!("{v:x}"),
        other => format!("{:x}", other.as_long()?),
    };
    let width = args.long(1).and_then(num::long_to_len).unwrap_or(0).min(16);
    Some(format!("{digits:0>width$}"))
}

const UNITS: [&str; 7] = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];

fn format_bytes(prepare: &Prepare<'_>) -> Made {
    for at in 1..prepare.consts.len() {
        if let Some(None) = prepare.consts.get(at) {
            let message = "The expression must be a constant".to_owned();
            return Err(Refusal::Argument(at, "KS129", message));
        }
    }
    let asked = prepare.consts.get(2).cloned().flatten().map(|unit| unit.text().to_string());
    let asked = match asked.as_deref() {
        None | Some("") => None,
        Some(unit) => {
            let Some(at) = UNITS.iter().position(|name| *name == unit) else {
                return Err(Refusal::Unsupported(format!("sizes in `{unit}`")));
            };
            Some(at)
        }
    };
    Ok(Arc::new(move |args| Value::from(size_text(args, asked).unwrap_or_default())))
}

fn size_text(args: &[Value], asked: Option<usize>) -> Option<String> {
    let size = args.real(0).filter(|size| size.is_finite())?;
    let precision = args.real(1).and_then(num::real_to_long).unwrap_or(0);
    let scale = 10_f64.powi(i32::try_from(precision.clamp(0, 15)).ok()?);
    let mut size = size;
    let mut at = 0;
    while asked.map_or(size.abs() >= 1024.0 && at + 1 < UNITS.len(), |unit| at < unit) {
        size /= 1024.0;
        at += 1;
    }
    let rounded = (size * scale).round() / scale;
    Some(format!("{rounded} {}", UNITS.get(at)?))
}

/// Letters, digits and a few signs stay, spaces become `space`, all else the two digits of each byte.
fn escaped(text: &str, space: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push_str(space),
            b'-' | b'_' | b'.' | b'!' | b'*' | b'(' | b')' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
    out
}

/// Escapes that are none stay as they are.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digits = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|[high, low]| {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        });
        match (byte, first) {
            (Some(byte), _) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (None, b'+') => out.push(b' '),
            (None, other) => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of an entry's computation")]
fn encode(args: &[Value]) -> Option<Value> {
    Some(Value::from(to_base64(args.text(0).as_bytes())))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of an entry's computation")]
fn decode(args: &[Value]) -> Option<Value> {
    let text = from_base64(&args.text(0)).and_then(|bytes| String::from_utf8(bytes).ok());
    Some(Value::from(text.unwrap_or_default()))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let value = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            let digit = DIGITS.get(value).filter(|_| at <= group.len());
            out.push(char::from(digit.copied().unwrap_or(b'=')));
        }
    }
    out
}

/// Whole groups of four only, the last one filled up with `=`.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let data = digits.strip_suffix(b"==").or(digits.strip_suffix(b"=")).unwrap_or(digits);
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3);
    for group in data.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = bits << 6 | sextet(*digit)?;
        }
        let missing = 4 - group.len();
        bits <<= 6 * missing;
        let [_, a, b, c] = bits.to_be_bytes();
        out.extend([a, b, c].into_iter().take(3 - missing));
    }
    Some(out)
}

fn sextet(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The first three fields of a guid with their bytes turned around, as they lie in memory.
fn swapped(mut bytes: [u8; 16]) -> [u8; 16] {
    for field in [0..4, 4..6, 6..8] {
        if let Some(field) = bytes.get_mut(field) {
            field.reverse();
        }
    }
    bytes
}
