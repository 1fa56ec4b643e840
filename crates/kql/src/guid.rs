//! Identifiers of 128 bits and their text.

use std::fmt;

/// 128 bits, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid([u8; 16]);

impl From<u128> for Guid {
    fn from(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }
}

impl From<Guid> for u128 {
    fn from(guid: Guid) -> Self {
        Self::from_be_bytes(guid.0)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Reads a guid, with or without its dashes.
pub(crate) fn parse_guid(text: &str) -> Option<Guid> {
    let (guid, rest) = leading_guid(text.trim())?;
    rest.is_empty().then_some(guid)
}

/// The guid of the first 32 digits, and what follows them.
pub(crate) fn leading_guid(text: &str) -> Option<(Guid, &str)> {
    let mut bits = 0_u128;
    let mut digits = 0;
    for (at, c) in text.char_indices() {
        if digits == 32 {
            return Some((Guid::from(bits), text.get(at..)?));
        }
        match c.to_digit(16) {
            Some(digit) => {
                bits = bits << 4 | u128::from(digit);
                digits += 1;
            }
            // Dashes stand between groups only.
            None if c == '-' && matches!(digits, 8 | 12 | 16 | 20) => {}
            None => return None,
        }
    }
    (digits == 32).then_some((Guid::from(bits), ""))
}
