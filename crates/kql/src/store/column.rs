//! One column of a chunk.

use crate::needs::Bounds;
use crate::num;
use crate::value::{Type, Value};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// The values of a column, by what its type needs.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    Bool {
        values: Vec<u8>,
    },
    /// Ints, longs, datetimes, timespans.
    Whole(Whole),
    Real {
        values: Vec<f64>,
        nulls: Nulls,
    },
    Text(Words),
    /// Dynamic values, guids, decimals: equal ones that follow one another once.
    Other(Others),
}

/// A bool's three states in a byte.
const NULL_BOOL: u8 = 2;

#[derive(Clone, Debug)]
pub(super) struct Whole {
    ty: Type,
    values: Vec<i64>,
    nulls: Nulls,
    /// No value is less than the one before, and none is null.
    sorted: bool,
}

/// Which rows have no value.
#[derive(Clone, Debug, Default)]
pub(super) struct Nulls(Vec<u64>);

impl Nulls {
    fn add(&mut self, row: usize) {
        if self.0.len() <= row / 64 {
            self.0.resize(row / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    fn has(&self, row: usize) -> bool {
        self.0.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

/// Texts, each kept once; a row has its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    codes: Vec<u32>,
    known: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
}

impl Words {
    fn push(&mut self, text: &str, shared: impl FnOnce() -> Arc<str>) {
        // Rows that follow one another are much alike.
        let last = self.codes.last().copied();
        let same = last.filter(|code| self.word(*code).is_some_and(|word| &**word == text));
        let known = same.or_else(|| self.places.get(text).copied());
        self.codes.push(known.unwrap_or_else(|| {
            let code = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
            let text = shared();
            self.known.push(Arc::clone(&text));
            self.places.insert(text, code);
            code
        }));
    }

    fn word(&self, code: u32) -> Option<&Arc<str>> {
        self.known.get(usize::try_from(code).ok()?)
    }
}

/// Values that are looked at as a whole.
#[derive(Clone, Debug)]
pub(super) struct Others {
    ty: Type,
    codes: Vec<u32>,
    values: Vec<Value>,
}

impl Stored {
    pub(super) fn new(ty: Type) -> Self {
        match ty {
            Type::Bool => Self::Bool { values: Vec::new() },
            Type::Int | Type::Long | Type::Datetime | Type::Timespan => {
                Self::Whole(Whole { ty, values: Vec::new(), nulls: Nulls::default(), sorted: true })
            }
            Type::Real => Self::Real { values: Vec::new(), nulls: Nulls::default() },
            Type::String => Self::Text(Words::default()),
            Type::Dynamic | Type::Guid | Type::Decimal => {
                Self::Other(Others { ty, codes: Vec::new(), values: Vec::new() })
            }
        }
    }

    pub(super) fn ty(&self) -> Type {
        match self {
            Self::Bool { .. } => Type::Bool,
            Self::Whole(whole) => whole.ty,
            Self::Real { .. } => Type::Real,
            Self::Text(_) => Type::String,
            Self::Other(others) => others.ty,
        }
    }

    /// Adds a value of the column's type, or null.
    pub(super) fn push(&mut self, value: Value) {
        match self {
            Self::Bool { values } => {
                values.push(value.as_bool().map_or(NULL_BOOL, u8::from));
            }
            Self::Whole(whole) => whole.push(match value {
                Value::Datetime(ticks) | Value::Timespan(ticks) => Some(ticks),
                other => other.as_long(),
            }),
            Self::Real { values, nulls } => {
                let value = value.as_real();
                if value.is_none() {
                    nulls.add(values.len());
                }
                values.push(value.unwrap_or(0.0));
            }
            Self::Text(words) => match value {
                Value::String(text) => words.push(&text, || Arc::clone(&text)),
                _ => words.push("", || Arc::from("")),
            },
            Self::Other(others) => {
                let last = others.values.last();
                let same = match (last, &value) {
                    (Some(Value::Dynamic(a)), Value::Dynamic(b)) => Arc::ptr_eq(a, b) || a == b,
                    (Some(last), value) => last == value,
                    (None, _) => false,
                };
                if !same {
                    others.values.push(value);
                }
                let code = others.values.len().saturating_sub(1);
                others.codes.push(u32::try_from(code).unwrap_or(u32::MAX));
            }
        }
    }

    /// Adds a text to a string column without a copy of one that is known.
    pub(super) fn push_text(&mut self, text: &str) {
        match self {
            Self::Text(words) => words.push(text, || Arc::from(text)),
            other => other.push(Value::from(text)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bool { values } => values.len(),
            Self::Whole(whole) => whole.values.len(),
            Self::Real { values, .. } => values.len(),
            Self::Text(words) => words.codes.len(),
            Self::Other(others) => others.codes.len(),
        }
    }

    pub(super) fn value(&self, row: usize) -> Value {
        match self {
            Self::Bool { values } => match values.get(row) {
                Some(0) => Value::Bool(false),
                Some(1) => Value::Bool(true),
                _ => Value::Null,
            },
            Self::Whole(whole) => whole.value(row),
            Self::Real { values, nulls } => match values.get(row) {
                Some(value) if !nulls.has(row) => Value::Real(*value),
                _ => Value::Null,
            },
            Self::Text(words) => {
                let word = words.codes.get(row).and_then(|code| words.word(*code));
                word.map_or(Value::Null, |word| Value::String(Arc::clone(word)))
            }
            Self::Other(others) => {
                let at = others.codes.get(row).and_then(|code| usize::try_from(*code).ok());
                at.and_then(|at| others.values.get(at)).cloned().unwrap_or(Value::Null)
            }
        }
    }

    /// The rows inside of the bounds, where the column's order tells; nothing where each has to be looked at.
    pub(super) fn within(&self, bounds: Bounds) -> Option<Range<usize>> {
        let Self::Whole(Whole { values, sorted: true, .. }) = self else { return None };
        let start = values.partition_point(|ticks| *ticks < bounds.from);
        let end = values.partition_point(|ticks| *ticks <= bounds.last);
        Some(start..end)
    }

    pub(super) fn is_within(&self, row: usize, bounds: Bounds) -> bool {
        let Self::Whole(whole) = self else { return true };
        let ticks = whole.values.get(row).filter(|_| !whole.nulls.has(row));
        ticks.is_some_and(|ticks| (bounds.from..=bounds.last).contains(ticks))
    }

    /// The rows' numbers of words, and for each number whether its word is one of the texts.
    pub(super) fn among(&self, texts: &HashSet<Arc<str>>) -> Option<(&[u32], Vec<bool>)> {
        let Self::Text(words) = self else { return None };
        let mut among = vec![false; words.known.len()];
        for code in texts.iter().filter_map(|text| words.places.get(text)) {
            if let Some(found) = usize::try_from(*code).ok().and_then(|code| among.get_mut(code)) {
                *found = true;
            }
        }
        Some((&words.codes, among))
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Bool { values } => values.capacity(),
            Self::Whole(whole) => (whole.values.capacity() + whole.nulls.0.capacity()) * 8,
            Self::Real { values, nulls } => (values.capacity() + nulls.0.capacity()) * 8,
            Self::Text(words) => {
                // A word: its text and counts, its place in the list and in the index.
                let each = 16 + size_of::<Arc<str>>() * 2 + 16;
                let texts: usize = words.known.iter().map(|word| word.len() + each).sum();
                words.codes.capacity() * 4 + texts
            }
            Self::Other(others) => {
                others.codes.capacity() * 4 + others.values.iter().map(Value::size).sum::<usize>()
            }
        }
    }
}

impl Whole {
    fn push(&mut self, value: Option<i64>) {
        if let Some(value) = value {
            self.sorted &= self.values.last().is_none_or(|last| *last <= value);
            self.values.push(value);
        } else {
            self.nulls.add(self.values.len());
            self.sorted = false;
            self.values.push(0);
        }
    }

    fn value(&self, row: usize) -> Value {
        let Some(value) = self.values.get(row).copied().filter(|_| !self.nulls.has(row)) else {
            return Value::Null;
        };
        match self.ty {
            Type::Int => Value::Int(num::wrap_int(value)),
            Type::Datetime => Value::Datetime(value),
            Type::Timespan => Value::Timespan(value),
            _ => Value::Long(value),
        }
    }
}
