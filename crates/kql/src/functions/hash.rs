//! Hashes of values.

use super::digest::{md5, sha1, sha256, xx64};
use super::{Args, Function, Made, Prepare, Refusal, Signature, Takes};
use crate::value::{Type, Value};
use std::sync::Arc;

const ANY: &[Signature] = &[Signature::new(&[Takes::NotDynamic], Type::String)];
const HASH: &[Signature] =
    &[Signature::new(&[Takes::NotDynamic, Takes::Integer], Type::Long).from(1)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::made("hash", HASH, hash),
    Function::made("hash_xxhash64", HASH, hash),
    // These are taken of the value's text.
    Function::plain("hash_md5", ANY, |args| Some(Value::from(md5(args.text(0).as_bytes())))),
    Function::plain("hash_sha1", ANY, |args| Some(Value::from(sha1(args.text(0).as_bytes())))),
    Function::plain("hash_sha256", ANY, |args| Some(Value::from(sha256(args.text(0).as_bytes())))),
];

/// Of the value as it lies in memory: which is known of texts and of what has eight bytes.
fn hash(prepare: &Prepare<'_>) -> Made {
    let ty = prepare.types.first().copied().unwrap_or(Type::String);
    if !matches!(ty, Type::String | Type::Long | Type::Datetime | Type::Timespan | Type::Real) {
        return Err(Refusal::Unsupported(format!("hash of {ty}")));
    }
    Ok(Arc::new(|args| {
        let hash = match args.value(0) {
            Value::String(text) => xx64(text.as_bytes()),
            Value::Long(v) | Value::Datetime(v) | Value::Timespan(v) => xx64(&v.to_le_bytes()),
            Value::Real(v) => xx64(&v.to_le_bytes()),
            _ => return Value::Null,
        };
        if args.len() < 2 {
            return Value::Long(hash.cast_signed());
        }
        let modulo = args.long(1).and_then(|m| u64::try_from(m).ok());
        let rest = modulo.and_then(|m| hash.checked_rem(m)).map(u64::cast_signed);
        Value::from(rest.map(Value::Long))
    }))
}
