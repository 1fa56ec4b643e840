//! IPv4 addresses and networks. Text that is neither gives null.

use super::{Args, Function, Signature, Takes};
use crate::value::{Type, Value};
use std::net::Ipv4Addr;

const TEXT: Takes = Takes::Is(Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("ipv4_is_private", &[Signature::new(&[TEXT], Type::Bool)], |args| {
        let (address, bits) = network(&args.text(0))?;
        let inside = |net: [u8; 4], prefix: u32| {
            bits >= prefix && within(address, u32::from_be_bytes(net), prefix)
        };
        let private =
            inside([10, 0, 0, 0], 8) || inside([172, 16, 0, 0], 12) || inside([192, 168, 0, 0], 16);
        Some(Value::Bool(private))
    }),
    Function::plain("ipv4_is_in_range", &[Signature::new(&[TEXT, TEXT], Type::Bool)], |args| {
        in_range(&args.text(0), &args.text(1)).map(Value::Bool)
    }),
    Function::plain(
        "ipv4_is_match",
        &[Signature::new(&[TEXT, TEXT, Takes::Integer], Type::Bool).from(2)],
        |args| {
            let (a, b) = (network(&args.text(0))?, network(&args.text(1))?);
            let limit = if args.len() > 2 { u32::try_from(args.long(2)?).ok()? } else { 32 };
            Some(Value::Bool(within(a.0, b.0, a.1.min(b.1).min(limit))))
        },
    ),
    Function::plain(
        "ipv4_is_in_any_range",
        &[Signature::new(&[TEXT, Takes::Scalar], Type::Bool).up_to(64)],
        |args| {
            network(&args.text(0))?;
            let any = args.iter().skip(1).any(|range| match range {
                Value::Dynamic(json) => json.as_array().is_some_and(|items| {
                    items
                        .iter()
                        .filter_map(|i| i.as_str())
                        .any(|r| in_range(&args.text(0), r) == Some(true))
                }),
                other => in_range(&args.text(0), &other.text()) == Some(true),
            });
            Some(Value::Bool(any))
        },
    ),
    Function::plain("parse_ipv4", &[Signature::new(&[TEXT], Type::Long)], |args| {
        let (address, bits) = network(&args.text(0))?;
        Some(Value::Long(i64::from(address & mask(bits))))
    }),
];

fn in_range(address: &str, range: &str) -> Option<bool> {
    let (address, bits) = network(address)?;
    let (net, prefix) = network(range)?;
    Some(bits >= prefix && within(address, net, prefix))
}

/// `a.b.c.d` or `a.b.c.d/n`.
fn network(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = match text.trim().split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|b| *b <= 32)?),
        None => (text.trim(), 32),
    };
    let address: Ipv4Addr = address.parse().ok()?;
    Some((u32::from(address), bits))
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0)
}

fn within(address: u32, net: u32, bits: u32) -> bool {
    address & mask(bits) == net & mask(bits)
}
