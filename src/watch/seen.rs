//! What a watch has told: a multiset of fingerprints, and for keyed rules when each key was told. Immutable once written;
//! the head names the current one.

use super::fingerprint::Fingerprint;
use super::format::{Formats, OtherFormat};
use crate::planted::{self, Bug};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Fingerprints are uniform already: their first eight bytes are the hash.
#[derive(Default)]
pub struct FirstEight(u64);

impl Hasher for FirstEight {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    // The length prefix of an array says nothing.
    fn write_usize(&mut self, _: usize) {}
}

type Map<V> = HashMap<Fingerprint, V, BuildHasherDefault<FirstEight>>;

/// Rows are kept in this many maps. A map that grows holds the old and the new one for a while, and may end up twice as large
/// as it needs to be: with many small ones both are small. At 19 the limit of fingerprints just fits each map's power of two.
const SHARDS: usize = 19;

/// Rows by fingerprint.
#[derive(Clone, Debug)]
struct Rows(Vec<Map<Entry>>);

impl Default for Rows {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Map::default()).collect())
    }
}

impl Rows {
    /// By the last bytes: the first ones are the hash within a map.
    fn shard(row: &Fingerprint) -> usize {
        let last = row.last_chunk::<4>().copied().unwrap_or_default();
        usize::try_from(u32::from_le_bytes(last)).unwrap_or(0) % SHARDS
    }

    fn get(&self, row: &Fingerprint) -> Option<&Entry> {
        self.0.get(Self::shard(row))?.get(row)
    }

    /// The entry of a row, made if there is none.
    fn entry(&mut self, row: Fingerprint) -> &mut Entry {
        #[expect(clippy::indexing_slicing, reason = "a shard's number is below SHARDS")]
        self.0[Self::shard(&row)].entry(row).or_default()
    }

    fn len(&self) -> usize {
        self.0.iter().map(HashMap::len).sum()
    }

    fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Entry)> {
        self.0.iter().flatten()
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut().flat_map(HashMap::values_mut)
    }

    fn retain(&mut self, mut keep: impl FnMut(&mut Entry) -> bool) {
        for map in &mut self.0 {
            map.retain(|_, entry| keep(entry));
        }
    }

    fn reserve(&mut self, rows: usize) {
        // Even shares, and a little for chance.
        let share = rows / SHARDS;
        for map in &mut self.0 {
            map.reserve(share + share / 50);
        }
    }
}

/// How often a row was told, how often the evaluation at hand has it, and when it happened (seconds since the epoch, cut).
/// The top bit of `now` says that the row is of the answer being read, which may still turn out to be useless: half a million
/// of these are held at once, so a field of its own would cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    told: u32,
    now: u32,
    second: u32,
}

const READING: u32 = 1 << 31;

impl Entry {
    fn at_hand(self) -> u32 {
        self.now & !READING
    }
}

/// When a key was told, and what has been held back since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The evaluation that told it.
    pub told_at: DateTime<Utc>,
    /// Rows held back since.
    pub held: u64,
    /// Time of the first and the last row held back.
    pub held_first: DateTime<Utc>,
    /// See `held_first`.
    pub held_last: DateTime<Utc>,
}

/// Rows told, with counts, and keys told.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    rows: Rows,
    keys: Map<KeyEntry>,
}

/// A seen set that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSeen {
    /// Written by a version too far from this one.
    #[error(transparent)]
    Format(#[from] OtherFormat),
    /// Cut short or not a seen set.
    #[error("the seen set is damaged: {0}")]
    Damaged(&'static str),
}

const MAGIC: &[u8; 8] = b"hsmwseen";
/// The formats of seen sets.
pub const FORMATS: Formats = Formats::new(1, 1, 1);

fn second(t: DateTime<Utc>) -> u32 {
    u32::try_from(t.timestamp().max(0)).unwrap_or(u32::MAX)
}

impl Seen {
    /// Rows told or at hand, distinct.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0 && self.keys.is_empty()
    }

    /// Counts one more of this row in the answer being read. `Some(ordinal)` if that is one more than was told.
    pub fn count(&mut self, row: Fingerprint, at: DateTime<Utc>) -> Option<u32> {
        let entry = self.rows.entry(row);
        let n = if planted::is(Bug::OrdinalDropped) {
            1
        } else {
            entry.at_hand().saturating_add(1).min(READING - 1)
        };
        entry.now = n | READING;
        entry.second = second(at);
        (n > entry.told).then_some(n)
    }

    /// Whether the `ordinal`-th of this row was told.
    pub fn told(&self, row: &Fingerprint, ordinal: u32) -> bool {
        self.rows.get(row).is_some_and(|entry| entry.told >= ordinal)
    }

    /// The answer being read is complete: it belongs to the evaluation at hand.
    pub fn keep_answer(&mut self) {
        for entry in self.rows.values_mut() {
            entry.now = entry.at_hand();
        }
    }

    /// The answer being read was useless.
    pub fn drop_answer(&mut self) {
        self.rows.retain(|entry| {
            if entry.now & READING != 0 {
                entry.now = 0;
            }
            entry.told > 0 || entry.now > 0
        });
    }

    /// The evaluation at hand is committed: what it has is told.
    pub fn settle(&mut self) {
        for entry in self.rows.values_mut() {
            entry.told = entry.told.max(entry.at_hand());
            entry.now = 0;
        }
    }

    /// Lays the answer counted in `other` over what `self` has told, as if it had been counted here.
    pub fn adopt_answer(&mut self, other: &Self) {
        for (row, theirs) in other.rows.iter().filter(|(_, entry)| entry.at_hand() > 0) {
            let entry = self.rows.entry(*row);
            entry.now = theirs.at_hand();
            entry.second = theirs.second;
        }
    }

    /// Lays what `base` has told under the answer counted here, where nothing has been told yet.
    pub fn rest_on(&mut self, base: Self) {
        for (row, theirs) in base.rows.0.into_iter().flatten() {
            let entry = self.rows.entry(row);
            entry.told = theirs.told;
            if entry.at_hand() == 0 {
                entry.second = theirs.second;
            }
        }
        self.keys = base.keys;
    }

    /// Drops what lies wholly before `floor`: no window begins there any more.
    pub fn prune(&mut self, floor: DateTime<Utc>) {
        let floor = second(floor);
        self.rows.retain(|entry| entry.second >= floor);
    }

    /// Drops the oldest until at most `limit` rows are left. Answers the first instant that is still complete.
    pub fn shrink(&mut self, limit: usize) -> Option<DateTime<Utc>> {
        if self.rows.len() <= limit {
            return None;
        }
        let mut seconds: Vec<u32> = self.rows.iter().map(|(_, entry)| entry.second).collect();
        let drop = seconds.len() - limit;
        let (_, cut, _) = seconds.select_nth_unstable(drop.saturating_sub(1));
        let first_kept = cut.saturating_add(1);
        self.rows.retain(|entry| entry.second >= first_kept);
        DateTime::from_timestamp(i64::from(first_kept), 0)
    }

    /// What is known of a key.
    pub fn key(&self, key: &Fingerprint) -> Option<KeyEntry> {
        self.keys.get(key).copied()
    }

    /// Remembers a key.
    pub fn set_key(&mut self, key: Fingerprint, entry: KeyEntry) {
        self.keys.insert(key, entry);
    }

    /// Takes out the keys whose time is over, with those that held something back.
    pub fn expire_keys(&mut self, now: DateTime<Utc>, renotify: TimeDelta) -> Vec<KeyEntry> {
        let mut over: Vec<(Fingerprint, KeyEntry)> = Vec::new();
        self.keys.retain(|key, entry| {
            let expired = entry.told_at.checked_add_signed(renotify).is_none_or(|t| t <= now);
            if expired && entry.held > 0 {
                over.push((*key, *entry));
            }
            !expired
        });
        over.sort_unstable_by_key(|(key, _)| *key);
        over.into_iter().map(|(_, entry)| entry).collect()
    }

    /// When the first key that holds something back is free again.
    pub fn digest_due(&self, renotify: TimeDelta) -> Option<DateTime<Utc>> {
        self.keys.values().filter(|e| e.held > 0).map(|e| e.told_at + renotify).min()
    }

    /// Bytes of a document in which the evaluation at hand is told: 21 bytes or so a row.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + self.rows.len() * 22 + self.keys.len() * 48);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMATS.writes.to_le_bytes());
        out.extend_from_slice(&(self.rows.len() as u64).to_le_bytes());
        for (row, entry) in self.rows.iter() {
            out.extend_from_slice(row);
            out.extend_from_slice(&entry.second.to_le_bytes());
            varint(&mut out, u64::from(entry.told.max(entry.at_hand())));
        }
        out.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        for (key, entry) in &self.keys {
            out.extend_from_slice(key);
            varint(&mut out, entry.held);
            for t in [entry.told_at, entry.held_first, entry.held_last] {
                out.extend_from_slice(&t.timestamp_micros().to_le_bytes());
            }
        }
        out
    }

    /// Reads a document.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadSeen> {
        let mut input = Input(bytes);
        if input.array::<8>()? != *MAGIC {
            return Err(BadSeen::Damaged("it does not begin as one"));
        }
        let format = u32::from_le_bytes(input.array()?);
        FORMATS.check(format)?;
        let mut seen = Self::default();
        let rows = input.len(21)?;
        seen.rows.reserve(rows);
        for _ in 0..rows {
            let row = input.array()?;
            let second = u32::from_le_bytes(input.array()?);
            let told = u32::try_from(input.varint()?).unwrap_or(u32::MAX);
            *seen.rows.entry(row) = Entry { told, now: 0, second };
        }
        for _ in 0..input.len(41)? {
            let key = input.array()?;
            let held = input.varint()?;
            let mut time = || {
                DateTime::from_timestamp_micros(i64::from_le_bytes(input.array()?))
                    .ok_or(BadSeen::Damaged("a time is out of range"))
            };
            let (told_at, held_first, held_last) = (time()?, time()?, time()?);
            seen.keys.insert(key, KeyEntry { told_at, held, held_first, held_last });
        }
        if input.0.is_empty() {
            Ok(seen)
        } else {
            Err(BadSeen::Damaged("it goes on after its end"))
        }
    }
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push((n & 0x7f) as u8);
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadSeen> {
        let (head, rest) =
            self.0.split_first_chunk::<N>().ok_or(BadSeen::Damaged("it is cut short"))?;
        self.0 = rest;
        Ok(*head)
    }

    /// A number of entries of at least `size` bytes each, believed only as far as there are bytes.
    fn len(&mut self, size: usize) -> Result<usize, BadSeen> {
        let n = usize::try_from(u64::from_le_bytes(self.array()?)).unwrap_or(usize::MAX);
        if n > self.0.len() / size {
            return Err(BadSeen::Damaged("it is cut short"));
        }
        Ok(n)
    }

    fn varint(&mut self) -> Result<u64, BadSeen> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array::<1>()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(BadSeen::Damaged("a number is too long"))
    }
}

#[cfg(test)]
mod tests;
