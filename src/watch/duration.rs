//! Durations as people write them: an integer and `s`, `m`, `h` or `d`.

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer};

/// The units, largest first, in seconds.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Longer than any log is kept, and short enough that no instant overflows.
const LONGEST: i64 = 3_650 * 86_400;

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// It has another form.
    #[error("`{0}` is not a duration: use an integer and s, m, h or d, such as `5m`")]
    Form(String),
    /// It has the form, and is beyond reason.
    #[error("`{0}` is too long: use at most `3650d`")]
    TooLong(String),
}

/// Reads a duration.
pub fn parse(text: &str) -> Result<TimeDelta, BadDuration> {
    let bad = || BadDuration::Form(text.to_owned());
    let (digits, factor) = UNITS
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .ok_or_else(bad)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    // Digits that do not fit are still digits: the text is a duration, only too long a one.
    let seconds = digits.parse::<i64>().ok().and_then(|n| n.checked_mul(factor));
    match seconds {
        Some(seconds) if seconds <= LONGEST => Ok(TimeDelta::seconds(seconds)),
        _ => Err(BadDuration::TooLong(text.to_owned())),
    }
}

/// Writes a duration in the largest unit that divides it. Fractions of a second are cut.
pub fn text(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    let (unit, factor) = UNITS
        .into_iter()
        .find(|(_, factor)| seconds != 0 && seconds % factor == 0)
        .unwrap_or(('s', 1));
    format!("{}{unit}", seconds / factor)
}

/// For `#[serde(deserialize_with = …)]` on an optional field; pair it with `default`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<TimeDelta>, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parse("90s"), Ok(TimeDelta::seconds(90)));
        assert_eq!(parse("5m"), Ok(TimeDelta::minutes(5)));
        assert_eq!(parse("49h"), Ok(TimeDelta::hours(49)));
        assert_eq!(parse("14d"), Ok(TimeDelta::days(14)));
        assert_eq!(parse("0s"), Ok(TimeDelta::zero()));
        assert_eq!(parse("3650d"), Ok(TimeDelta::days(3650)));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "", "5", "m", "5 m", " 5m", "5m ", "-5m", "+5m", "1.5h", "1h30m", "5M", "5ms", "5w",
            "٥m", "PT5M",
        ] {
            assert_eq!(parse(text), Err(BadDuration::Form(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn what_would_overflow_is_too_long() {
        for text in ["3651d", "315360001s", "9223372036854775807d", "99999999999999999999s"] {
            assert_eq!(parse(text), Err(BadDuration::TooLong(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn errors_say_the_cure() {
        let said = |text: &str| parse(text).map_err(|bad| bad.to_string());
        assert_eq!(
            said("5 minutes"),
            Err("`5 minutes` is not a duration: use an integer and s, m, h or d, such as `5m`"
                .to_owned())
        );
        assert_eq!(said("9999d"), Err("`9999d` is too long: use at most `3650d`".to_owned()));
    }

    #[test]
    fn the_largest_unit_that_divides_is_written() {
        for (written, canonical) in [
            ("90s", "90s"),
            ("60s", "1m"),
            ("120m", "2h"),
            ("24h", "1d"),
            ("49h", "49h"),
            ("0d", "0s"),
        ] {
            assert_eq!(parse(written).map(text), Ok(canonical.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0..=LONGEST) {
            let duration = TimeDelta::seconds(seconds);
            prop_assert_eq!(parse(&text(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            drop(parse(&text));
        }
    }
}
