//! What the seen set remembers, and its document.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn print(n: u32) -> Fingerprint {
    let mut print = [0; 16];
    // The first eight bytes are the hash: spread them as a hash would.
    print[..8].copy_from_slice(&(u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes());
    print[12..].copy_from_slice(&n.to_le_bytes());
    print
}

fn key_entry(told_at: i64, held: u64) -> KeyEntry {
    KeyEntry { told_at: at(told_at), held, held_first: at(told_at + 1), held_last: at(told_at + 2) }
}

/// Counts a row `n` times in one answer; the ordinals that are news.
fn count(seen: &mut Seen, row: u32, n: usize) -> Vec<u32> {
    (0..n).filter_map(|_| seen.count(print(row), at(0))).collect()
}

#[test]
fn rows_are_a_multiset() {
    let mut seen = Seen::default();
    assert!(seen.is_empty());
    assert_eq!(count(&mut seen, 1, 2), [1, 2]);
    seen.keep_answer();
    assert!(!seen.told(&print(1), 1), "counted is not told");
    seen.settle();
    assert!(seen.told(&print(1), 2) && !seen.told(&print(1), 3) && !seen.told(&print(2), 1));
    // The next evaluation has three of them: one is news.
    assert_eq!(count(&mut seen, 1, 3), [3]);
    seen.keep_answer();
    seen.settle();
    // One that is not there any more was told all the same.
    assert_eq!(count(&mut seen, 1, 1), [0; 0]);
    seen.keep_answer();
    seen.settle();
    assert_eq!(count(&mut seen, 1, 4), [4]);
    assert_eq!(seen.len(), 1);
}

#[test]
fn answers_of_one_evaluation_add_up() {
    let mut seen = Seen::default();
    // Two halves of a window: equal rows have equal times, so they are in one of them; but nothing breaks if not.
    assert_eq!(count(&mut seen, 1, 1), [1]);
    seen.keep_answer();
    assert_eq!(count(&mut seen, 1, 1), [2]);
    seen.keep_answer();
    seen.settle();
    assert!(seen.told(&print(1), 2));
}

#[test]
fn a_useless_answer_leaves_no_trace() {
    let mut seen = Seen::default();
    count(&mut seen, 1, 2);
    seen.keep_answer();
    seen.settle();
    count(&mut seen, 1, 5);
    count(&mut seen, 2, 1);
    seen.drop_answer();
    assert_eq!(seen.len(), 1);
    assert_eq!(count(&mut seen, 1, 3), [3]);
    assert_eq!(count(&mut seen, 2, 1), [1]);
}

#[test]
fn an_answer_counted_elsewhere_is_laid_over() {
    let mut base = Seen::default();
    count(&mut base, 1, 2);
    base.settle();
    let mut answer = Seen::default();
    count(&mut answer, 1, 3);
    count(&mut answer, 2, 1);
    answer.keep_answer();
    base.adopt_answer(&answer);
    assert!(base.told(&print(1), 2) && !base.told(&print(1), 3) && !base.told(&print(2), 1));
    base.settle();
    assert!(base.told(&print(1), 3) && base.told(&print(2), 1));
}

#[test]
fn pruning_keeps_what_is_at_the_floor() {
    let mut seen = Seen::default();
    for second in [-1, 0, 1] {
        let row = u32::try_from(second + 5).unwrap();
        seen.count(print(row), at(second));
    }
    seen.settle();
    // A floor within a second keeps the whole second: more is safe.
    let mut fine = seen.clone();
    fine.prune(at(0) + TimeDelta::milliseconds(500));
    assert!(!fine.told(&print(4), 1) && fine.told(&print(5), 1) && fine.told(&print(6), 1));
    seen.prune(at(1));
    assert!(!seen.told(&print(5), 1) && seen.told(&print(6), 1));
    assert_eq!(seen.len(), 1);
}

#[test]
fn shrinking_drops_the_oldest_seconds_whole() {
    let full = |seconds: &[i64]| {
        let mut seen = Seen::default();
        for (n, second) in seconds.iter().enumerate() {
            seen.count(print(u32::try_from(n).unwrap()), at(*second));
        }
        seen.settle();
        seen
    };
    let mut seen = full(&[1, 2, 3]);
    assert_eq!(seen.shrink(3), None);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen.shrink(2), Some(at(2)));
    assert_eq!(seen.len(), 2);
    // All of a second go together, so what is said to be complete is.
    let mut seen = full(&[1, 2, 2, 2, 3]);
    assert_eq!(seen.shrink(3), Some(at(3)));
    assert_eq!(seen.len(), 1);
    let mut seen = full(&[5; 4]);
    assert_eq!(seen.shrink(1), Some(at(6)));
    assert_eq!(seen.len(), 0);
    let mut seen = full(&[1, 2]);
    assert_eq!(seen.shrink(0), Some(at(3)));
}

#[test]
fn keys_expire_when_their_time_is_over() {
    let mut seen = Seen::default();
    seen.set_key(print(1), key_entry(0, 0));
    seen.set_key(print(2), key_entry(0, 3));
    seen.set_key(print(3), key_entry(10, 1));
    let hold = TimeDelta::seconds(60);
    assert_eq!(seen.digest_due(hold), Some(at(60)));
    assert!(seen.expire_keys(at(59), hold).is_empty());
    assert_eq!(
        seen.expire_keys(at(60), hold),
        [key_entry(0, 3)],
        "only what was held back is told"
    );
    assert_eq!((seen.key(&print(1)), seen.key(&print(2))), (None, None));
    assert_eq!(seen.key(&print(3)), Some(key_entry(10, 1)));
    assert_eq!(seen.digest_due(hold), Some(at(70)));
    // A time that cannot be reached is over: no key is held for ever by mistake.
    assert_eq!(seen.expire_keys(at(0), TimeDelta::MAX).len(), 1);
    assert_eq!(seen.digest_due(hold), None);
}

#[test]
fn bad_documents_are_refused() {
    let mut seen = Seen::default();
    count(&mut seen, 1, 2);
    seen.set_key(print(2), key_entry(0, 1));
    let good = seen.encode();
    assert!(Seen::decode(&good).is_ok());
    for cut in 0..good.len() {
        let error = Seen::decode(&good[..cut]).unwrap_err();
        assert!(matches!(error, BadSeen::Damaged(_)), "{cut}: {error}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(Seen::decode(&longer).unwrap_err(), BadSeen::Damaged("it goes on after its end"));
    let mut newer = good.clone();
    newer[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let error = Seen::decode(&newer).unwrap_err();
    assert_eq!(error, BadSeen::Format(OtherFormat::Newer { format: 2, newest: 1 }));
    assert_eq!(
        error.to_string(),
        "it has format 2, this version reads up to 1: run the version that wrote it, or a newer one"
    );
    let mut other = good.clone();
    other[0] = b'x';
    assert_eq!(Seen::decode(&other).unwrap_err(), BadSeen::Damaged("it does not begin as one"));
    // A count of entries that no document could hold is not believed, nor is memory set aside for it.
    let mut many = good;
    many[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(Seen::decode(&many).unwrap_err(), BadSeen::Damaged("it is cut short"));
}

#[test]
fn two_hundred_thousand_fingerprints_are_less_than_five_megabytes() {
    let mut seen = Seen::default();
    for n in 0..200_000 {
        seen.count(print(n), at(i64::from(n)));
    }
    seen.settle();
    let bytes = seen.encode();
    assert!(bytes.len() < 5_000_000, "{} bytes", bytes.len());
    assert_eq!(Seen::decode(&bytes).unwrap().len(), 200_000);
}

type Rows = BTreeMap<Fingerprint, (u32, u32)>;
type Keys = BTreeMap<Fingerprint, (i64, u64, i64, i64)>;

/// What a seen set says, apart from the order of its maps.
fn said(seen: &Seen) -> (Rows, Keys) {
    let rows = seen.rows.iter().map(|(row, e)| (*row, (e.told.max(e.at_hand()), e.second)));
    let us = |t: DateTime<Utc>| t.timestamp_micros();
    let keys = seen
        .keys
        .iter()
        .map(|(key, e)| (*key, (us(e.told_at), e.held, us(e.held_first), us(e.held_last))));
    (rows.collect(), keys.collect())
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let row = (any::<Fingerprint>(), 1..400_u32, 0..u32::MAX);
    let time = || {
        (-62_135_596_800_000_000..253_402_300_799_000_000_i64)
            .prop_map(|us| DateTime::from_timestamp_micros(us).unwrap())
    };
    let key = (any::<Fingerprint>(), time(), any::<u64>(), time(), time());
    (prop::collection::vec(row, 0..20), prop::collection::vec(key, 0..20)).prop_map(
        |(rows, keys)| {
            let mut seen = Seen::default();
            for (row, told, second) in rows {
                *seen.rows.entry(row) = Entry { told, now: 0, second };
            }
            for (key, told_at, held, held_first, held_last) in keys {
                seen.set_key(key, KeyEntry { told_at, held, held_first, held_last });
            }
            seen
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(seen in any_seen()) {
        let read = Seen::decode(&seen.encode()).unwrap();
        prop_assert_eq!(said(&read), said(&seen));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Seen::decode(&bytes);
        let mut begun = b"hsmwseen\x01\0\0\0".to_vec();
        begun.extend_from_slice(&bytes);
        let _ = Seen::decode(&begun);
    }

    #[test]
    fn a_flipped_bit_never_panics(seen in any_seen(), byte in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = seen.encode();
        let byte = byte.index(bytes.len());
        bytes[byte] ^= 1 << bit;
        let _ = Seen::decode(&bytes);
    }

    #[test]
    fn shrinking_keeps_to_its_bound_and_says_what_is_complete(
        seconds in prop::collection::vec(0..50_i64, 0..100),
        limit in 0..60_usize,
    ) {
        let mut seen = Seen::default();
        for (n, second) in seconds.iter().enumerate() {
            seen.count(print(u32::try_from(n).unwrap()), at(*second));
        }
        seen.settle();
        let complete = seen.shrink(limit);
        prop_assert!(seen.len() <= limit);
        prop_assert_eq!(complete.is_some(), seconds.len() > limit);
        for (n, second) in seconds.iter().enumerate() {
            let kept = seen.told(&print(u32::try_from(n).unwrap()), 1);
            prop_assert_eq!(kept, complete.is_none_or(|from| at(*second) >= from));
        }
    }
}
