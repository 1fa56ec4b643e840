//! When a delivery is tried again: a fixed schedule of 75 hours with jitter that is the same on every machine.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Seconds between one attempt and the next; the first is made at once.
pub const SCHEDULE: [u32; 11] =
    [0, 5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The longest that `Retry-After` is obeyed.
pub const LONGEST_RETRY_AFTER: TimeDelta = TimeDelta::hours(24);

/// A seed for [`next_due`]: the same for the same alert and receiver wherever it is computed, another for any other.
pub fn seed(alert_id: &str, receiver: &str) -> u64 {
    let mut hash = Sha256::new();
    for part in [alert_id, receiver] {
        // Length first, so that no two pairs run together.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// How long the schedule lasts, jitter aside.
pub fn total() -> TimeDelta {
    TimeDelta::seconds(SCHEDULE.iter().copied().map(i64::from).sum())
}

/// When the next attempt is due after `attempts_made` of them, the last at `now`: the schedule's wait, 80 to 120 % of it by
/// `seed`, or `Retry-After` if that is later. `None`: the schedule has ended, give up.
pub fn next_due(
    attempts_made: u32,
    now: DateTime<Utc>,
    retry_after: Option<Duration>,
    seed: u64,
) -> Option<DateTime<Utc>> {
    let wait = SCHEDULE.get(usize::try_from(attempts_made).ok()?)?;
    // In milliseconds, 80 % + 0..=40 % in steps of 0.1 %.
    let wait = i64::from(*wait) * (800 + i64::from(per_mille(seed, attempts_made)));
    let asked = retry_after
        .and_then(|wait| TimeDelta::from_std(wait).ok())
        .unwrap_or(if retry_after.is_some() { LONGEST_RETRY_AFTER } else { TimeDelta::zero() })
        .min(LONGEST_RETRY_AFTER);
    now.checked_add_signed(TimeDelta::milliseconds(wait).max(asked))
}

/// 0 to 400, spread evenly over seeds and attempts.
fn per_mille(seed: u64, attempt: u32) -> u16 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(attempt.to_le_bytes());
    let n = hash.finalize().iter().take(4).fold(0u32, |n, byte| n << 8 | u32::from(*byte));
    u16::try_from(n % 401).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn wait(attempts: u32, retry_after: Option<u64>, seed: u64) -> Option<i64> {
        next_due(attempts, NOW, retry_after.map(Duration::from_secs), seed)
            .map(|due| (due - NOW).num_milliseconds())
    }

    #[test]
    fn the_schedule_begins_at_once_and_ends() {
        assert_eq!(wait(0, None, 7), Some(0));
        assert!(wait(10, None, 7).is_some());
        assert_eq!(wait(11, None, 7), None);
        assert_eq!(wait(11, Some(5), 7), None);
        assert_eq!(wait(u32::MAX, None, 7), None);
        // 75 h 35 min of waiting in all, and the 30 s that the published schedule lacks.
        assert_eq!(SCHEDULE.iter().sum::<u32>(), 75 * 3600 + 35 * 60 + 5 + 30);
    }

    #[test]
    fn retry_after_counts_if_later_up_to_a_day() {
        assert_eq!(wait(1, Some(90), 7), Some(90_000));
        assert_eq!(wait(1, Some(1), 7), wait(1, None, 7));
        assert_eq!(wait(1, Some(1_000_000), 7), Some(86_400_000));
        assert_eq!(wait(1, Some(u64::MAX), 7), Some(86_400_000));
        assert_eq!(wait(0, Some(60), 7), Some(60_000));
    }

    #[test]
    fn seeds_tell_pairs_apart() {
        assert_eq!(seed("a", "b"), seed("a", "b"));
        assert_ne!(seed("a", "b"), seed("b", "a"));
        assert_ne!(seed("ab", "c"), seed("a", "bc"));
    }

    #[test]
    fn jitter_reaches_both_ends() {
        let waits: Vec<i64> = (0..4_000).filter_map(|seed| wait(2, None, seed)).collect();
        assert_eq!(waits.iter().min(), Some(&24_000));
        assert_eq!(waits.iter().max(), Some(&36_000));
        let mean = waits.iter().sum::<i64>() / i64::try_from(waits.len()).unwrap();
        assert!((29_700..30_300).contains(&mean), "{mean}");
    }

    proptest! {
        #[test]
        fn within_a_fifth_of_the_schedule(attempts in 0u32..11, seed in any::<u64>()) {
            let base = i64::from(SCHEDULE[attempts as usize]) * 1000;
            let wait = wait(attempts, None, seed).unwrap();
            prop_assert!(wait >= base * 8 / 10 && wait <= base * 12 / 10);
        }
    }
}
