//! Where a text or a pattern stands in another text, and how often.

use super::text_ops::{fold, has};
use super::{Args, Function, Made, Prepare, Refusal, Signature, Takes, regex_of};
use crate::num;
use crate::value::{Type, Value};
use std::sync::Arc;

const TEXT: Takes = Takes::Is(Type::String);
const ANY: Takes = Takes::Scalar;
const INTEGER: Takes = Takes::Integer;
const PLACES: &[Signature] =
    &[Signature::new(&[ANY, ANY, INTEGER, INTEGER, INTEGER], Type::Long).from(2)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("indexof", PLACES, indexof),
    Function::made("indexof_regex", PLACES, |prepare| {
        let regex = regex_of(prepare, 1)?;
        Ok(Arc::new(move |args| {
            let text = args.text(0);
            let found = Range::of(args, &text, false).and_then(|range| {
                let regex = regex(args)?;
                let mut finds = regex.find_iter(range.rest);
                Some(range.place(|_| finds.next().map(|found| (found.start(), found.end()))))
            });
            Value::from(found)
        }))
    }),
    Function::made("countof", &[Signature::new(&[TEXT, TEXT, TEXT], Type::Long).from(2)], countof),
    Function::plain(
        "has_any_index",
        &[Signature::new(&[Takes::TextOrDynamic, Takes::Is(Type::Dynamic)], Type::Long)],
        |args| {
            let text = args.text(0);
            let text = fold(&text);
            let items = args.json(1).and_then(|json| json.as_array());
            let at = items.and_then(|items| {
                items.iter().position(|item| {
                    let item = Value::from_json(item.clone());
                    let (known, item) = (!item.is_null(), item.text());
                    known && has(&text, &fold(&item))
                })
            });
            Some(Value::Long(at.map_or(-1, num::len_to_long)))
        },
    ),
];

/// What is searched of a text: from where, how far after each find, and which of the finds is asked for.
struct Range<'a> {
    rest: &'a str,
    start: usize,
    length: Option<usize>,
    occurrence: usize,
}

impl<'a> Range<'a> {
    /// Nothing where the arguments from the third on make no sense.
    fn of(args: &[Value], text: &'a str, from_end: bool) -> Option<Self> {
        let long = |at: usize, missing| if args.len() > at { args.long(at) } else { Some(missing) };
        let (start, length, occurrence) = (long(2, 0)?, long(3, -1)?, long(4, 1)?);
        let start = match num::long_to_len(start) {
            Some(start) => start,
            None if from_end => {
                let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
                text.chars().count().saturating_sub(back)
            }
            None => return None,
        };
        let occurrence = num::long_to_len(occurrence)?;
        let length = num::long_to_len(length);
        if length.is_none() && args.len() > 3 && args.long(3) != Some(-1) {
            return None;
        }
        // Past the end there is nothing to find.
        Some(match skip(text, start) {
            Some(rest) => Self { rest, start, length, occurrence },
            None => Self { rest: "", start, length, occurrence: 0 },
        })
    }

    /// The place of the find that is asked for, counted in characters. `next` gives the bytes of the first find
    /// from a byte on.
    fn place(&self, mut next: impl FnMut(usize) -> Option<(usize, usize)>) -> Value {
        // The byte that is searched from, and the characters before it.
        let (mut from, mut before) = (0, 0);
        for turn in 1..=self.occurrence {
            let Some((start, end)) = next(from) else { break };
            let count = |from, to| self.rest.get(from..to).map_or(0, |t: &str| t.chars().count());
            let (gap, len) = (count(from, start), count(start, end));
            if self.length.is_some_and(|length| gap + len > length) {
                break;
            }
            before += gap;
            if turn == self.occurrence {
                return Value::Long(num::len_to_long(self.start.saturating_add(before)));
            }
            let Some(first) = self.rest.get(start..).and_then(|t| t.chars().next()) else { break };
            from = start + first.len_utf8();
            before += 1;
        }
        Value::Long(-1)
    }
}

/// What follows the first characters.
fn skip(text: &str, count: usize) -> Option<&str> {
    let mut chars = text.chars();
    if count > 0 {
        chars.nth(count - 1)?;
    }
    Some(chars.as_str())
}

fn indexof(args: &[Value]) -> Option<Value> {
    let (text, part) = (args.text(0), args.text(1));
    let range = Range::of(args, &text, true)?;
    if part.is_empty() {
        return Some(range.place(|from| Some((from, from))));
    }
    if range.occurrence == 1 {
        return Some(range.place(|_| range.rest.find(&*part).map(|at| (at, at + part.len()))));
    }
    let mut finds = occurrences(range.rest, &part);
    Some(range.place(|_| finds.next().map(|at| (at, at + part.len()))))
}

/// The bytes at which `part` stands in `text`; places may overlap. Takes as long as both are long.
fn occurrences<'a>(text: &'a str, part: &'a str) -> impl Iterator<Item = usize> + 'a {
    // How much of the part is read again after a miss behind each of its bytes.
    let wanted = part.as_bytes();
    let mut borders = vec![0_usize; wanted.len()];
    let mut length = 0;
    for (at, byte) in wanted.iter().enumerate().skip(1) {
        length = advanced(wanted, &borders, length, *byte);
        if let Some(border) = borders.get_mut(at) {
            *border = length;
        }
    }
    let mut length = 0;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        length = advanced(wanted, &borders, length, byte);
        (length == wanted.len() && length > 0).then(|| at + 1 - length)
    })
}

/// How much of `wanted` is read after one more byte.
fn advanced(wanted: &[u8], borders: &[usize], mut length: usize, byte: u8) -> usize {
    loop {
        if wanted.get(length) == Some(&byte) {
            return length + 1;
        }
        let Some(shorter) = length.checked_sub(1) else { return 0 };
        length = borders.get(shorter).copied().unwrap_or(0);
    }
}

fn countof(prepare: &Prepare<'_>) -> Made {
    let kind = match prepare.consts.get(2) {
        None => None,
        Some(None) => {
            let message = "The expression must be a literal".to_owned();
            return Err(Refusal::Argument(2, "KS131", message));
        }
        Some(Some(kind)) => Some(kind.text()),
    };
    match kind.as_deref() {
        // Overlapping places count.
        None | Some("normal") => Ok(Arc::new(|args| {
            let count = occurrences(&args.text(0), &args.text(1)).count();
            Value::Long(num::len_to_long(count))
        })),
        // Overlapping matches do not.
        Some("regex") => {
            let regex = regex_of(prepare, 1)?;
            Ok(Arc::new(move |args| {
                let count = regex(args).map(|regex| regex.find_iter(&args.text(0)).count());
                Value::from(count.map(|count| Value::Long(num::len_to_long(count))))
            }))
        }
        Some(_) => {
            let message = "The expression must be one of the values: normal or regex".to_owned();
            Err(Refusal::Argument(2, "KS140", message))
        }
    }
}
