//! An archive as pure data, before a byte of it is written: what is packed, what is listed and what is described all
//! read this one plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::path::ArchivePath;
use super::source::Source;
use super::structure::ZipEntry;
use super::unpack::Contents;
use crate::digest::Sha256Digest;
use crate::epoch::Epoch;

/// An archive in format 1: entries sorted by the bytes of their names, one time for all.
#[derive(Debug, Clone)]
pub struct ArchivePlan {
    /// What stands in front of the first entry: a shebang's line, whatever else starts a program, or nothing.
    pub prefix: Vec<u8>,
    /// The time of every entry.
    pub epoch: Epoch,
    /// The regular files and directories.
    pub entries: BTreeMap<ArchivePath, PlannedEntry>,
}

/// One entry of a planned archive.
#[derive(Debug, Clone)]
pub struct PlannedEntry {
    /// Where its bytes come from.
    pub source: EntrySource,
    /// Its permissions.
    pub mode: Mode,
}

/// The permissions of an entry: all that is kept of a file's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// 0644.
    Regular,
    /// 0755.
    Executable,
}

impl Mode {
    /// The permission bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::Regular => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// How an entry's bytes get into the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// The stream that it has in its wheel, unchanged.
    Reuse,
    /// Deflated by the pinned encoder; stored where that makes it no smaller.
    Encode,
    /// Stored.
    Store,
}

/// Gives the bytes that name these digests.
pub type RenderDigests = Arc<dyn Fn(&[Sha256Digest]) -> Vec<u8> + Send + Sync>;

/// Where an entry's bytes come from.
#[derive(Clone)]
pub enum EntrySource {
    /// A checked entry of another archive.
    Entry {
        /// The other archive.
        source: Source,
        /// The entry.
        entry: ZipEntry,
        /// What checking it proved.
        contents: Contents,
        /// How it is packed.
        packing: Packing,
    },
    /// Bytes in memory.
    Bytes {
        /// The bytes.
        bytes: Arc<[u8]>,
        /// How they are packed; `Reuse` stores them.
        packing: Packing,
    },
    /// An archive of its own, stored.
    Nested(Box<ArchivePlan>),
    /// Bytes that name the digests of the nested archives, in the order of their names; stored.
    ///
    /// The length of what `render` gives does not depend on the digests' values.
    NamesDigests(RenderDigests),
    /// A directory.
    Directory,
}

impl std::fmt::Debug for EntrySource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry { entry, packing, .. } => write!(formatter, "Entry({}, {packing:?})", entry.path),
            Self::Bytes { bytes, packing } => write!(formatter, "Bytes({}, {packing:?})", bytes.len()),
            Self::Nested(plan) => write!(formatter, "Nested({} entries)", plan.entries.len()),
            Self::NamesDigests(_) => formatter.write_str("NamesDigests"),
            Self::Directory => formatter.write_str("Directory"),
        }
    }
}

impl ArchivePlan {
    /// The number of nested archives.
    pub(crate) fn nested_count(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.source, EntrySource::Nested(_))).count()
    }
}
