//! Finding rows: by time, then by the values of the most telling column, then one by one; what was found out about a value
//! is not found out again.

use super::store::{Archive, CODED, Postings};
use hashbrown::HashMap;
use kql::{Test, Value, Wanted};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Conditions on several columns whose outcome is remembered, for so many combinations of values.
const REMEMBERED: usize = 1 << 20;

/// What is known of conditions, of as many queries as there are.
#[derive(Default)]
pub(super) struct Memory {
    /// By condition and column: for each value, whether it passes.
    one: HashMap<(usize, usize), Arc<Codes>>,
    /// By condition: for the values of its columns, whether they pass.
    many: HashMap<usize, Arc<Mutex<Combinations>>>,
    /// By column: the numbers of texts.
    texts: HashMap<usize, Arc<HashMap<Arc<str>, u32>>>,
}

/// Whether combinations of values pass a condition.
type Combinations = HashMap<Box<[u32]>, bool>;

/// The values of a column that pass.
pub(super) struct Codes {
    mask: Vec<bool>,
    list: Vec<u32>,
}

impl Codes {
    fn new(mask: Vec<bool>) -> Self {
        let list = mask.iter().enumerate().filter(|(_, pass)| **pass);
        let list = list.filter_map(|(code, _)| u32::try_from(code).ok()).collect();
        Self { mask, list }
    }

    fn has(&self, code: u32) -> bool {
        usize::try_from(code).is_ok_and(|code| self.mask.get(code).copied().unwrap_or(false))
    }
}

/// How the rows of a scan are told from others.
pub(super) struct Search {
    within: Range<usize>,
    /// Values that columns but the time may have.
    values: Vec<(usize, Arc<Codes>)>,
    /// What else has to hold.
    tests: Vec<Test>,
    /// Columns of the table that are needed.
    columns: Vec<Option<usize>>,
}

impl Search {
    /// `places`: for each column of the table's schema its place among all columns there are.
    pub(super) fn new(
        archive: &Archive,
        memory: &mut Memory,
        wanted: &Wanted,
        places: &[usize],
        within: Range<usize>,
    ) -> Self {
        let mut search =
            Self { within, values: Vec::new(), tests: Vec::new(), columns: Vec::new() };
        // The time is the first column of the table; it is never null.
        let coded = |column: usize| places.get(column).and_then(|place| place.checked_sub(1));
        for bounds in wanted.bounds.iter().filter(|bounds| places.get(bounds.column) == Some(&0)) {
            let from = archive.place(bounds.from);
            let to = bounds.last.checked_add(1).map_or(archive.len(), |to| archive.place(to));
            search.within = search.within.start.max(from)..search.within.end.min(to);
        }
        for texts in &wanted.texts {
            let Some(column) = coded(texts.column) else { continue };
            let known = memory.texts.entry(column).or_insert_with(|| {
                let values = archive.values(column).iter().enumerate();
                let texts = values.filter_map(|(code, value)| match value {
                    Value::String(text) => Some((Arc::clone(text), u32::try_from(code).ok()?)),
                    _ => None,
                });
                Arc::new(texts.collect())
            });
            let mut mask = vec![false; archive.values(column).len()];
            for code in texts.any_of.iter().filter_map(|text| known.get(text)) {
                if let Some(pass) = usize::try_from(*code).ok().and_then(|at| mask.get_mut(at)) {
                    *pass = true;
                }
            }
            search.values.push((column, Arc::new(Codes::new(mask))));
        }
        for test in &wanted.tests {
            match test.columns.as_slice() {
                [only] if let Some(column) = coded(*only) => {
                    let codes = memory.one.entry((test.id(), column)).or_insert_with(|| {
                        let mut check = test.check();
                        let values = archive.values(column).iter();
                        let mask = values.map(|value| check(std::slice::from_ref(value)));
                        Arc::new(Codes::new(mask.collect()))
                    });
                    search.values.push((column, Arc::clone(codes)));
                }
                _ => search.tests.push(test.clone()),
            }
        }
        let columns = wanted.columns.iter().zip(places);
        search.columns = columns.map(|(wanted, place)| wanted.then_some(*place)).collect();
        search
    }

    /// The rows found, in the order of time, looked for as they are asked for.
    pub(super) fn rows<'a>(
        self,
        archive: &'a Archive,
        memory: &mut Memory,
        places: &[usize],
    ) -> impl Iterator<Item = usize> + use<'a> {
        let Self { within, values, tests, .. } = self;
        let nothing = values.iter().any(|(_, codes)| codes.list.is_empty());
        let within = if nothing { 0..0 } else { within };
        let mut tests: Vec<Look<'a>> =
            tests.iter().map(|test| look(archive, memory, test, places)).collect();
        candidates(archive, &values, within).filter(move |row| {
            values.iter().all(|(column, codes)| codes.has(archive.code(*column, *row)))
                && tests.iter_mut().all(|look| look(*row))
        })
    }

    /// The columns that are needed, by their place among all.
    pub(super) fn columns(&self) -> Vec<Option<usize>> {
        self.columns.clone()
    }
}

/// Tells whether a row passes.
type Look<'a> = Box<dyn FnMut(usize) -> bool + 'a>;

/// A condition on several columns.
fn look<'a>(archive: &'a Archive, memory: &mut Memory, test: &Test, places: &[usize]) -> Look<'a> {
    let columns: Vec<usize> =
        test.columns.iter().filter_map(|at| places.get(*at)).copied().collect();
    let (mut check, mut cells) = (test.check(), Vec::new());
    let of = columns.clone();
    let mut whole = move |row: usize| {
        cells.clear();
        cells.extend(of.iter().map(|at| value(archive, *at, row)));
        check(&cells)
    };
    if columns.contains(&0) {
        return Box::new(whole);
    }
    let known = Arc::clone(memory.many.entry(test.id()).or_default());
    Box::new(move |row| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let codes: Box<[u32]> =
            columns.iter().map(|at| archive.code(at.saturating_sub(1), row)).collect();
        if let Some(pass) = known.get(&codes) {
            return *pass;
        }
        let pass = whole(row);
        if known.len() < REMEMBERED {
            known.insert(codes, pass);
        }
        pass
    })
}

/// Rows that may be meant: by the column whose values are the fewest there, or all.
fn candidates<'a>(
    archive: &'a Archive,
    values: &[(usize, Arc<Codes>)],
    within: Range<usize>,
) -> Box<dyn Iterator<Item = usize> + 'a> {
    let row = |row: u32| usize::try_from(row).unwrap_or(usize::MAX);
    // A column's values are looked up where that is less work than to look at every row.
    let cheap = |codes: &Codes| codes.list.len() < 256 && codes.list.len() * 16 < within.len();
    let mut best: Option<(usize, &Codes, &'a Postings)> = None;
    for (column, codes) in values.iter().filter(|(_, codes)| cheap(codes)) {
        let Some(postings) = archive.postings(*column) else { continue };
        let count = codes.list.iter().map(|code| postings.of(*code, &within).len()).sum();
        if best.is_none_or(|(least, ..)| count < least) {
            best = Some((count, codes, postings));
        }
    }
    match best.filter(|(count, ..)| count * 2 < within.len()) {
        None => Box::new(within),
        Some((_, codes, postings)) => match codes.list.as_slice() {
            [only] => Box::new(postings.of(*only, &within).iter().copied().map(row)),
            several => {
                let slices = several.iter().map(|code| postings.of(*code, &within));
                let mut rows: Vec<u32> = slices.flatten().copied().collect();
                rows.sort_unstable();
                Box::new(rows.into_iter().map(row))
            }
        },
    }
}

/// A row's value in a column, by its place among all.
pub(super) fn value(archive: &Archive, place: usize, row: usize) -> Value {
    let Some(column) = place.checked_sub(1) else { return Value::Datetime(archive.time(row)) };
    debug_assert!(column < CODED, "a place is a column's");
    let code = usize::try_from(archive.code(column, row)).unwrap_or(usize::MAX);
    archive.values(column).get(code).cloned().unwrap_or(Value::Null)
}
