//! What is odd about a zip, in words.

use std::fmt;

/// What no tool writes on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// No central directory where the end record has it.
    NoDirectory,
    /// The end record's number of entries is not that of the headers.
    EntryCount { declared: u64, found: usize },
    /// Bytes of the central directory that are no headers.
    DirectoryRest(u64),
    /// More entries, or a longer directory, than are read.
    TooMany,
    /// No local header where the central one points.
    NoLocalHeader(String),
    /// The data reaches beyond the end of the file.
    Cut(String),
    /// The entry begins before another one ends.
    Overlap(String),
    /// A name that stands twice.
    Duplicate(String),
    /// Further oddities.
    More,
}

impl fmt::Display for Oddity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory => write!(formatter, "no central directory where the end record has it"),
            Self::EntryCount { declared, found } => {
                write!(formatter, "the end record counts {declared} entries, the central directory has {found}")
            }
            Self::DirectoryRest(length) => write!(formatter, "{length} bytes of the central directory are no headers"),
            Self::TooMany => write!(formatter, "more entries than are read"),
            Self::NoLocalHeader(name) => write!(formatter, "no local header of `{name}` where one is due"),
            Self::Cut(name) => write!(formatter, "the data of `{name}` reaches beyond the end of the file"),
            Self::Overlap(name) => write!(formatter, "`{name}` overlaps another entry"),
            Self::Duplicate(name) => write!(formatter, "the name `{name}` stands twice"),
            Self::More => write!(formatter, "and more"),
        }
    }
}
