//! IPv6 addresses, and IPv4 addresses compared, shown and found in text.

use super::{Args, Function, Signature, Takes};
use crate::value::{Type, Value};
use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TEXT: Takes = Takes::Is(Type::String);
const TEXTS: &[Signature] = &[Signature::new(&[TEXT, TEXT], Type::Bool)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain(
        "ipv4_compare",
        &[Signature::new(&[TEXT, TEXT, Takes::Integer], Type::Long).from(2)],
        |args| {
            let (a, b) = (net4(&args.text(0))?, net4(&args.text(1))?);
            let bits = a.1.min(b.1).min(limit(args, 2, 32)?);
            Some(order((a.0 & mask4(bits)).cmp(&(b.0 & mask4(bits)))))
        },
    ),
    Function::plain("ipv4_netmask_suffix", &[Signature::new(&[TEXT], Type::Long)], |args| {
        net4(&args.text(0)).map(|(_, bits)| Value::Long(i64::from(bits)))
    }),
    Function::plain(
        "parse_ipv4_mask",
        &[Signature::new(&[TEXT, Takes::Integer], Type::Long)],
        |args| {
            let (address, bits) = net4(&args.text(0))?;
            let bits = bits.min(limit(args, 1, 32)?);
            Some(Value::Long(i64::from(address & mask4(bits))))
        },
    ),
    Function::plain("format_ipv4", FORMAT, |args| {
        Some(Value::from(shown4(args).map_or_else(String::new, |(address, _)| address.to_string())))
    }),
    Function::plain("format_ipv4_mask", FORMAT, |args| {
        let shown = shown4(args).map(|(address, bits)| format!("{address}/{bits}"));
        Some(Value::from(shown.unwrap_or_default()))
    }),
    Function::plain(
        "ipv6_compare",
        &[Signature::new(&[TEXT, TEXT, Takes::Integer], Type::Long).from(2)],
        |args| {
            let (a, b) = (net6(&args.text(0))?, net6(&args.text(1))?);
            let bits = a.1.min(b.1).min(limit(args, 2, 128)?);
            Some(order((a.0 & mask6(bits)).cmp(&(b.0 & mask6(bits)))))
        },
    ),
    Function::plain(
        "ipv6_is_match",
        &[Signature::new(&[TEXT, TEXT, Takes::Integer], Type::Bool).from(2)],
        |args| {
            let (a, b) = (net6(&args.text(0))?, net6(&args.text(1))?);
            let bits = a.1.min(b.1).min(limit(args, 2, 128)?);
            Some(Value::Bool(a.0 & mask6(bits) == b.0 & mask6(bits)))
        },
    ),
    Function::plain("ipv6_is_in_range", TEXTS, |args| {
        let (address, bits) = net6(&args.text(0))?;
        let (net, prefix) = net6(&args.text(1))?;
        Some(Value::Bool(bits >= prefix && address & mask6(prefix) == net & mask6(prefix)))
    }),
    Function::plain("parse_ipv6", &[Signature::new(&[TEXT], Type::String)], |args| {
        let canonical = net6(&args.text(0)).map(|(address, bits)| canonical(address & mask6(bits)));
        Some(Value::from(canonical.unwrap_or_default()))
    }),
    Function::plain(
        "parse_ipv6_mask",
        &[Signature::new(&[TEXT, Takes::Integer], Type::String)],
        |args| {
            let canonical = net6(&args.text(0)).and_then(|(address, bits)| {
                Some(canonical(address & mask6(bits.min(limit(args, 1, 128)?))))
            });
            Some(Value::from(canonical.unwrap_or_default()))
        },
    ),
    Function::plain("has_ipv4", TEXTS, |args| {
        Some(Value::Bool(finds(&args.text(0), &args.text(1), Find::Address)))
    }),
    Function::plain("has_ipv4_prefix", TEXTS, |args| {
        Some(Value::Bool(finds(&args.text(0), &args.text(1), Find::Prefix)))
    }),
    Function::plain("has_any_ipv4", ANY, |args| Some(Value::Bool(any(args, Find::Address)))),
    Function::plain("has_any_ipv4_prefix", ANY, |args| Some(Value::Bool(any(args, Find::Prefix)))),
];

const FORMAT: &[Signature] = &[
    Signature::new(&[TEXT, Takes::Integer], Type::String).from(1),
    Signature::new(&[Takes::Integer, Takes::Integer], Type::String).from(1),
];
const ANY: &[Signature] = &[Signature::new(&[TEXT, Takes::TextOrDynamic], Type::Bool).up_to(64)];

fn order(order: Ordering) -> Value {
    Value::Long(match order {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })
}

/// The optional number of bits at `at`; nothing where it is null or out of range.
fn limit(args: &[Value], at: usize, max: u32) -> Option<u32> {
    if args.len() <= at {
        return Some(max);
    }
    u32::try_from(args.long(at)?).ok().filter(|bits| *bits <= max)
}

fn mask4(bits: u32) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0)
}

fn mask6(bits: u32) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0)
}

/// `a.b.c.d` or `a.b.c.d/n`.
fn net4(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = match text.trim().split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|b| *b <= 32)?),
        None => (text.trim(), 32),
    };
    Some((u32::from(address.parse::<Ipv4Addr>().ok()?), bits))
}

/// An address of either kind, with or without a prefix; IPv4 is mapped into IPv6.
fn net6(text: &str) -> Option<(u128, u32)> {
    let (address, bits) = match text.trim().split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text.trim(), None),
    };
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => {
            let bits = bits.unwrap_or(32);
            (bits <= 32).then(|| (u128::from(address.to_ipv6_mapped()), bits + 96))
        }
        // `::192.168.1.1` is IPv4 as well, and so is its prefix.
        IpAddr::V6(address) if address_text_is_v4(text) => {
            let low = u32::try_from(u128::from(address) & u128::from(u32::MAX)).ok()?;
            let bits = bits.map_or(32, |bits| bits);
            let mapped = Ipv4Addr::from(low).to_ipv6_mapped();
            let bits = if bits <= 32 { bits + 96 } else { bits };
            (bits <= 128).then(|| (u128::from(mapped), bits))
        }
        IpAddr::V6(address) => {
            let bits = bits.unwrap_or(128);
            (bits <= 128).then(|| (u128::from(address), bits))
        }
    }
}

fn address_text_is_v4(text: &str) -> bool {
    text.contains('.') && text.contains(':')
}

/// Eight groups of four digits.
fn canonical(address: u128) -> String {
    let groups = Ipv6Addr::from(address).segments().map(|group| format!("{group:04x}"));
    groups.join(":")
}

/// An address as text or as a number, with the bits that count.
fn shown4(args: &[Value]) -> Option<(Ipv4Addr, u32)> {
    let (address, own) = match args.value(0) {
        Value::String(text) => net4(text)?,
        other => (u32::try_from(other.as_long()?).ok()?, 32),
    };
    let bits = own.min(limit(args, 1, 32)?);
    Some((Ipv4Addr::from(address & mask4(bits)), bits))
}

#[derive(Clone, Copy)]
enum Find {
    Address,
    Prefix,
}

/// Whether an address stands in the text, neither letter nor digit before and after it.
fn finds(text: &str, wanted: &str, find: Find) -> bool {
    let valid = match find {
        Find::Address => wanted.parse::<Ipv4Addr>().is_ok(),
        Find::Prefix => {
            let parts: Vec<&str> = wanted.split('.').collect();
            let (last, octets) = parts.split_last().map_or(("", &[][..]), |(l, o)| (*l, o));
            let octet = |part: &&str| part.parse::<u8>().is_ok();
            wanted.parse::<Ipv4Addr>().is_ok()
                || last.is_empty() && (1..=3).contains(&octets.len()) && octets.iter().all(octet)
        }
    };
    if !valid {
        return false;
    }
    text.match_indices(wanted).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let found = rest.get(..end).unwrap_or_default().trim_end_matches('.');
        let after = rest.get(found.len()..).and_then(|t| t.chars().next());
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let whole = match find {
            Find::Address => found == wanted,
            Find::Prefix => found.starts_with(wanted) && found.parse::<Ipv4Addr>().is_ok(),
        };
        whole && free(before) && before != Some('.') && free(after)
    })
}

fn any(args: &[Value], find: Find) -> bool {
    let text = args.text(0);
    args.iter().skip(1).any(|wanted| match wanted {
        Value::Dynamic(json) => match json.as_array() {
            Some(items) => {
                items.iter().filter_map(|item| item.as_str()).any(|w| finds(&text, w, find))
            }
            None => json.as_str().is_some_and(|w| finds(&text, w, find)),
        },
        other => finds(&text, &other.text(), find),
    })
}
