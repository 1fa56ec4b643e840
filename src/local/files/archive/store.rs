//! The rows, sorted by time: each value kept once for its column, a row's columns as numbers in as few bytes as they need.

use super::super::table::{COLUMNS, Drift, TABLE};
use crate::watch::alert::Interval;
use crate::watch::tables::{from_ticks, to_ticks};
use kql::Value;
use std::ops::Range;
use std::sync::OnceLock;

/// Rows of a chunk: a power of two.
const CHUNK: usize = 1 << 14;

/// Columns besides the time.
pub(super) const CODED: usize = COLUMNS.len() - 1;

/// Rows as they were read, in the order of one input.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Ticks.
    pub(super) times: Vec<i64>,
    /// For each column but the time, the number of each row's value.
    pub(super) codes: Vec<Codes>,
}

/// Numbers of values, in as few bytes as the largest needs.
#[derive(Debug)]
pub(super) enum Codes {
    Same(u32),
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Codes {
    pub(super) fn new(codes: &[u32]) -> Self {
        let Some(first) = codes.first() else { return Self::Same(0) };
        let (mut same, mut most) = (true, 0);
        for code in codes {
            same &= code == first;
            most = most.max(*code);
        }
        if same {
            return Self::Same(*first);
        }
        // Each is known to fit.
        if u8::try_from(most).is_ok() {
            Self::Bytes(codes.iter().map(|c| u8::try_from(*c).unwrap_or(u8::MAX)).collect())
        } else if u16::try_from(most).is_ok() {
            Self::Shorts(codes.iter().map(|c| u16::try_from(*c).unwrap_or(u16::MAX)).collect())
        } else {
            Self::Words(codes.to_vec())
        }
    }

    pub(super) fn get(&self, at: usize) -> u32 {
        match self {
            Self::Same(code) => *code,
            Self::Bytes(codes) => codes.get(at).map_or(0, |code| u32::from(*code)),
            Self::Shorts(codes) => codes.get(at).map_or(0, |code| u32::from(*code)),
            Self::Words(codes) => codes.get(at).copied().unwrap_or(0),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Bytes(codes) => codes.len(),
            Self::Shorts(codes) => codes.len() * 2,
            Self::Words(codes) => codes.len() * 4,
        }
    }
}

/// Where a column's values are, row by row for each value.
#[derive(Debug)]
pub(super) struct Postings {
    /// Where each value's rows begin in `rows`; one more than there are values.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Postings {
    /// The rows with a value, those in `within`.
    pub(super) fn of(&self, code: u32, within: &Range<usize>) -> &[u32] {
        let code = usize::try_from(code).unwrap_or(usize::MAX);
        let (Some(from), Some(to)) = (self.starts.get(code), self.starts.get(code + 1)) else {
            return &[];
        };
        let all = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
        let rows = all.and_then(|(from, to)| self.rows.get(from..to)).unwrap_or_default();
        let place =
            |row: usize| rows.partition_point(|at| usize::try_from(*at).is_ok_and(|at| at < row));
        let from = place(within.start);
        rows.get(from..place(within.end).max(from)).unwrap_or_default()
    }
}

/// All rows of exported logs.
#[derive(Debug)]
pub struct Archive {
    times: Vec<i64>,
    /// For each column but the time, chunk after chunk.
    codes: Vec<Vec<Codes>>,
    /// For each column but the time, its values; the first is what a row without one has.
    values: Vec<Vec<Value>>,
    postings: Vec<OnceLock<Postings>>,
    drift: Drift,
}

impl Archive {
    /// Puts parts together, in their order where times are equal.
    pub(super) fn new(parts: &[Part], values: Vec<Vec<Value>>, drift: Drift) -> Self {
        // A row's number has four bytes: more rows than that do not fit into memory anyway.
        let total = parts.iter().map(|part| part.times.len()).sum::<usize>().min(u32::MAX as usize);
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(total);
        let (mut sorted, mut last) = (true, i64::MIN);
        for (at, part) in parts.iter().enumerate() {
            for (row, time) in part.times.iter().enumerate() {
                sorted &= last <= *time;
                last = *time;
                order.push((small(at), small(row)));
            }
        }
        order.truncate(total);
        let time = |(part, row): &(u32, u32)| {
            let part = usize::try_from(*part).ok().and_then(|at| parts.get(at));
            let row = usize::try_from(*row).unwrap_or(usize::MAX);
            part.and_then(|part| part.times.get(row)).copied().unwrap_or_default()
        };
        if !sorted {
            order.sort_by_key(time);
        }
        let times = order.iter().map(time).collect();
        let mut buffer: Vec<u32> = Vec::with_capacity(CHUNK);
        let codes = (0..CODED).map(|column| {
            let chunks = order.chunks(CHUNK).map(|rows| {
                buffer.clear();
                buffer.extend(rows.iter().map(|(part, row)| {
                    let part = usize::try_from(*part).ok().and_then(|at| parts.get(at));
                    let codes = part.and_then(|part| part.codes.get(column));
                    codes.map_or(0, |codes| codes.get(usize::try_from(*row).unwrap_or(usize::MAX)))
                }));
                Codes::new(&buffer)
            });
            chunks.collect()
        });
        let codes = codes.collect();
        let postings = values.iter().map(|_| OnceLock::new()).collect();
        Self { times, codes, values, postings, drift }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// From the first row's time to just after the last one's.
    pub fn span(&self) -> Option<Interval> {
        let (first, last) = (*self.times.first()?, *self.times.last()?);
        Some(Interval { from: from_ticks(first)?, to: from_ticks(last.checked_add(1)?)? })
    }

    /// The table that it has.
    pub const fn table(&self) -> &'static str {
        TABLE
    }

    /// A rough number of bytes that its rows take.
    pub fn bytes(&self) -> usize {
        let codes: usize = self.codes.iter().flatten().map(Codes::bytes).sum();
        let values: usize = self.values.iter().map(Vec::len).sum();
        self.times.len() * 8 + codes + values * 64
    }

    /// Rows in each stretch of time between one of `edges` and the next.
    pub fn counts(&self, edges: &[chrono::DateTime<chrono::Utc>]) -> Vec<usize> {
        let places: Vec<usize> = edges.iter().map(|edge| self.place(to_ticks(*edge))).collect();
        places
            .windows(2)
            .map(|pair| match pair {
                [a, b] => b.saturating_sub(*a),
                _ => 0,
            })
            .collect()
    }

    pub(super) const fn drift(&self) -> Drift {
        self.drift
    }

    pub(super) fn time(&self, row: usize) -> i64 {
        self.times.get(row).copied().unwrap_or_default()
    }

    /// The first row at or after these ticks.
    pub(super) fn place(&self, ticks: i64) -> usize {
        self.times.partition_point(|time| *time < ticks)
    }

    /// The number of a row's value in a column but the time, which is column 0 of the table.
    pub(super) fn code(&self, column: usize, row: usize) -> u32 {
        let chunk = self.codes.get(column).and_then(|chunks| chunks.get(row / CHUNK));
        chunk.map_or(0, |codes| codes.get(row % CHUNK))
    }

    pub(super) fn values(&self, column: usize) -> &[Value] {
        self.values.get(column).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where the values of a column are. Looked for when first asked.
    pub(super) fn postings(&self, column: usize) -> Option<&Postings> {
        let made = || {
            let mut counts = vec![0_u32; self.values(column).len() + 1];
            for row in 0..self.len() {
                let code = usize::try_from(self.code(column, row)).unwrap_or(usize::MAX);
                if let Some(count) = counts.get_mut(code.saturating_add(1)) {
                    *count += 1;
                }
            }
            let mut sum = 0;
            for count in &mut counts {
                sum += *count;
                *count = sum;
            }
            let mut next = counts.clone();
            let mut rows = vec![0; self.len()];
            for row in 0..self.len() {
                let code = usize::try_from(self.code(column, row)).unwrap_or(usize::MAX);
                if let Some(at) = next.get_mut(code) {
                    if let Some(cell) = usize::try_from(*at).ok().and_then(|at| rows.get_mut(at)) {
                        *cell = small(row);
                    }
                    *at += 1;
                }
            }
            Postings { starts: counts, rows }
        };
        Some(self.postings.get(column)?.get_or_init(made))
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
