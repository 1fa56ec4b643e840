//! Texts compressed and written in base64, and read again.

use super::codes::{from_base64, to_base64};
use super::{Args, Function, LONGEST_TEXT, Made, Prepare, Refusal, Signature, Takes};
use crate::value::{Type, Value};
use std::sync::Arc;

const TEXT: &[Signature] = &[Signature::new(&[Takes::Is(Type::String)], Type::String)];

/// The service writes texts as they are where compressing does not make them shorter, which is sure of short ones.
const SHORT: usize = 100;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::made("gzip_compress_to_base64_string", TEXT, |prepare| {
        compress(prepare, |bytes| {
            let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
            store(&mut out, bytes);
            out.extend(crc32(bytes).to_le_bytes());
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            out.extend(length.to_le_bytes());
            out
        })
    }),
    Function::made("zlib_compress_to_base64_string", TEXT, |prepare| {
        compress(prepare, |bytes| {
            let mut out = vec![0x78, 0x01];
            store(&mut out, bytes);
            out.extend(adler32(bytes).to_be_bytes());
            out
        })
    }),
    Function::plain("gzip_decompress_from_base64_string", TEXT, |args| {
        Some(text(from_base64(&args.text(0)).and_then(|bytes| gzip(&bytes))))
    }),
    Function::plain("zlib_decompress_from_base64_string", TEXT, |args| {
        Some(text(from_base64(&args.text(0)).and_then(|bytes| zlib(&bytes))))
    }),
];

/// What is long comes out longer than the service's, and reads back the same.
fn compress(prepare: &Prepare<'_>, pack: fn(&[u8]) -> Vec<u8>) -> Made {
    if let Some(Some(text)) = prepare.consts.first()
        && text.text().len() > SHORT
    {
        return Err(Refusal::Unsupported("compressing a long text".to_owned()));
    }
    Ok(Arc::new(move |args| Value::from(to_base64(&pack(args.text(0).as_bytes())))))
}

/// Blocks of bytes as they are.
fn store(out: &mut Vec<u8>, bytes: &[u8]) {
    let blocks = bytes.len().div_ceil(0xffff).max(1);
    for at in 0..blocks {
        let end = bytes.len().min((at + 1) * 0xffff);
        let block = bytes.get(at * 0xffff..end).unwrap_or_default();
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(at + 1 == blocks));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut check = u32::MAX;
    for byte in bytes {
        check ^= u32::from(*byte);
        for _ in 0..8 {
            check = (check >> 1) ^ (0xedb8_8320 & (check & 1).wrapping_neg());
        }
    }
    !check
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    high << 16 | low
}

fn text(bytes: Option<Vec<u8>>) -> Value {
    Value::from(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default())
}

/// A header without optional fields, the data, its checksum and its length.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = bytes.split_first_chunk::<10>()?;
    let (data, end) = rest.split_last_chunk::<8>()?;
    if !header.starts_with(&[0x1f, 0x8b, 8, 0]) {
        return None;
    }
    let out = inflate(data)?;
    end.starts_with(&crc32(&out).to_le_bytes()).then_some(out)
}

/// A header of two bytes, the data and its checksum.
fn zlib(bytes: &[u8]) -> Option<Vec<u8>> {
    let ([method, flags], rest) = bytes.split_first_chunk::<2>()?;
    let (data, end) = rest.split_last_chunk::<4>()?;
    let header = u16::from_be_bytes([*method, *flags]);
    if method & 15 != 8 || header % 31 != 0 || flags & 0x20 != 0 {
        return None;
    }
    let out = inflate(data)?;
    (*end == adler32(&out).to_be_bytes()).then_some(out)
}

/// Bits of bytes, the lowest first.
struct Bits<'a> {
    bytes: std::slice::Iter<'a, u8>,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    /// Up to 16 bits.
    fn take(&mut self, count: u32) -> Option<usize> {
        while self.count < count {
            self.held |= u32::from(*self.bytes.next()?) << self.count;
            self.count += 8;
        }
        let taken = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        usize::try_from(taken).ok()
    }

    fn align(&mut self) {
        self.held = 0;
        self.count = 0;
    }
}

/// A prefix code: how many codes each length has, and the symbols in the order of their codes.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        for length in lengths.iter().filter(|length| **length > 0) {
            if let Some(count) = counts.get_mut(*length) {
                *count += 1;
            }
        }
        let mut symbols: Vec<usize> =
            (0..lengths.len()).filter(|at| lengths.get(*at).is_some_and(|l| *l > 0)).collect();
        symbols.sort_by_key(|at| lengths.get(*at).copied());
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0_usize, 0_usize, 0_usize);
        for count in self.counts.iter().skip(1) {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code.checked_sub(first)?).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

const LENGTHS: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LENGTH_BITS: [u32; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The data of RFC 1951.
fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bits = Bits { bytes: bytes.iter(), held: 0, count: 0 };
    let mut out = Vec::new();
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.align();
                let (length, check) = (bits.take(16)?, bits.take(16)?);
                if length ^ check != 0xffff {
                    return None;
                }
                for _ in 0..length {
                    out.push(*bits.bytes.next()?);
                }
            }
            1 => {
                let length = |at| match at {
                    144..256 => 9,
                    256..280 => 7,
                    _ => 8,
                };
                let literals = Code::new(&(0..288).map(length).collect::<Vec<_>>());
                block(&mut bits, &mut out, &literals, &Code::new(&[5; 30]))?;
            }
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, &mut out, &literals, &distances)?;
            }
            _ => return None,
        }
        if last {
            return Some(out);
        }
    }
}

/// The two codes that a block brings along.
fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let count = bits.take(4)? + 4;
    let mut lengths = [0; 19];
    for at in ORDER.iter().take(count) {
        *lengths.get_mut(*at)? = bits.take(3)?;
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, repeat) = match code.read(bits)? {
            16 => (*lengths.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, repeat));
    }
    let (first, second) = lengths.split_at_checked(literals)?;
    Some((Code::new(first), Code::new(second.get(..distances)?)))
}

fn block(bits: &mut Bits<'_>, out: &mut Vec<u8>, literals: &Code, distances: &Code) -> Option<()> {
    loop {
        if out.len() > LONGEST_TEXT {
            return None;
        }
        let symbol = literals.read(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            out.push(byte);
            continue;
        }
        let Some(symbol) = symbol.checked_sub(257) else { return Some(()) };
        let length = LENGTHS.get(symbol)? + bits.take(*LENGTH_BITS.get(symbol)?)?;
        let symbol = distances.read(bits)?;
        let extra = u32::try_from(symbol / 2).ok()?.saturating_sub(1);
        let distance = DISTANCES.get(symbol)? + bits.take(extra)?;
        let start = out.len().checked_sub(distance)?;
        // The part that is repeated may reach into what is just being written.
        for at in start..start + length {
            out.push(*out.get(at)?);
        }
    }
}
