//! The formats of state documents, and the rule that lets an upgrade be rolled back for one release.
//!
//! Each kind of document says which formats this version reads and which one it writes. A new format is *read* by one release
//! before the next one *writes* it. So whatever a release left can be read by the one before it.

/// The formats of one kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// The oldest format that is read.
    oldest: u32,
    /// The newest format that is read.
    newest: u32,
    /// The format that is written.
    pub writes: u32,
}

/// A document of a format that this version does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtherFormat {
    /// Written by a newer version.
    #[error(
        "it has format {format}, this version reads up to {newest}: run the version that wrote it, or a newer one"
    )]
    Newer {
        /// The document's.
        format: u32,
        /// The newest that is read.
        newest: u32,
    },
    /// Written by a version that is too old.
    #[error(
        "it has format {format}, this version reads from {oldest} on: run the version before this one first"
    )]
    Older {
        /// The document's.
        format: u32,
        /// The oldest that is read.
        oldest: u32,
    },
}

impl Formats {
    /// Reads from `oldest` to `newest`. What is written is read, or this does not compile.
    pub const fn new(oldest: u32, newest: u32, writes: u32) -> Self {
        assert!(oldest <= writes && writes <= newest, "what is written must be read");
        Self { oldest, newest, writes }
    }

    /// Refuses a format that is not read.
    pub const fn check(self, format: u32) -> Result<(), OtherFormat> {
        if format > self.newest {
            Err(OtherFormat::Newer { format, newest: self.newest })
        } else if format < self.oldest {
            Err(OtherFormat::Older { format, oldest: self.oldest })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_is_read() {
        let formats = Formats::new(2, 4, 3);
        let read: Vec<u32> = (0..7).filter(|format| formats.check(*format).is_ok()).collect();
        assert_eq!(read, [2, 3, 4]);
        assert_eq!(
            formats.check(5).unwrap_err().to_string(),
            "it has format 5, this version reads up to 4: run the version that wrote it, or a newer one"
        );
        assert_eq!(
            formats.check(1).unwrap_err().to_string(),
            "it has format 1, this version reads from 2 on: run the version before this one first"
        );
    }
}
