//! The strict reader of a zip's structure. It accepts an archive only when every byte of it is accounted for and every
//! tool must read the same entries from it; it refuses gaps, overlaps, hidden entries, headers that disagree, and names
//! that mean different files to different systems. Numbers in comments are sections of PKWARE's APPNOTE 6.3.10.

mod central;
mod directory;
mod extra;
mod local;

use self::central::{CentralHeader, read_central_headers};
use self::directory::find_directory;
pub(crate) use self::directory::{Frame, find_frame};
use self::local::check_local_headers;
use super::fault::{ReadError, ZipFault};
use super::path::{ArchivePath, fold};
use super::source::Source;

/// How much an archive may hold before it is refused as a bomb.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries in one archive.
    pub entries: u64,
    /// Bytes of all entries of one archive, unpacked.
    pub unpacked: u64,
    /// An entry above this many bytes, unpacked, is a bomb when it also exceeds `ratio`.
    pub entry_unpacked: u64,
    /// Unpacked bytes for one compressed byte.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000, unpacked: 8 << 30, entry_unpacked: 64 << 20, ratio: 50 }
    }
}

impl Limits {
    /// Limits that allow `unpacked` bytes for one archive, and for one entry too.
    #[must_use]
    pub fn with_unpacked(unpacked: u64) -> Self {
        Self { unpacked, entry_unpacked: unpacked, ..Self::default() }
    }
}

/// Which archives are read: how strictly, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Anybody's wheel: harmless variety passes (directories, time stamps, harmless extra fields, data descriptors).
    Wheel,
    /// Anybody's program: as a wheel, behind whatever starts it, with offsets that count from the file's first byte.
    Program,
    /// Anybody's zip: as a program, with a comment of this many bytes behind it.
    Zip {
        /// Bytes behind the end record.
        comment: u16,
    },
    /// An archive of ours, behind a first line of the given length: only what format 1 can hold.
    Canonical {
        /// Bytes in front of the first local header.
        prefix: u64,
    },
}

impl Profile {
    fn is_canonical(self) -> bool {
        matches!(self, Self::Canonical { .. })
    }

    /// Bytes behind the end record.
    fn comment(self) -> u16 {
        if let Self::Zip { comment } = self { comment } else { 0 }
    }
}

/// How an entry's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As they are.
    Stored,
    /// Deflated (RFC 1951).
    Deflated,
}

impl Method {
    /// The method's number in headers (4.4.5).
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// One regular file of an archive whose structure was checked; its contents were not, yet.
#[derive(Debug, Clone)]
pub struct ZipEntry {
    /// Its name.
    pub path: ArchivePath,
    /// How its bytes are stored.
    pub method: Method,
    /// CRC-32 of the unpacked bytes, as the headers say.
    pub crc32: u32,
    /// Bytes in the archive.
    pub compressed_size: u64,
    /// Bytes unpacked, as the headers say.
    pub size: u64,
    /// Offset of its stream in the source.
    pub data_offset: u64,
    /// Whether a unix system wrote it with its owner's execute bit set.
    pub executable: bool,
    /// The external attributes as they stand (4.4.15).
    pub external_attributes: u32,
}

impl ZipEntry {
    /// Its permissions, as a manifest has them.
    pub(crate) fn mode(&self) -> String {
        format!("{:04o}", self.external_attributes >> 16 & 0o7777)
    }
}

/// The checked structure of an archive: its regular files in the order of its central directory, and its directories.
#[derive(Debug, Clone)]
pub struct ZipStructure {
    /// The regular files.
    pub files: Vec<ZipEntry>,
    /// The names of its directory entries, without their final `/`.
    pub directories: Vec<ArchivePath>,
    /// The first entry's time, in the low half, and date (4.4.6); an archive of ours has the same everywhere.
    pub(crate) time_and_date: Option<u32>,
    /// Offset of its first local header, or of its central directory where it has no entries.
    pub(crate) start: u64,
}

/// Little-endian numbers from a slice whose length was checked.
pub(in crate::archive) struct Fields<'a>(pub(in crate::archive) &'a [u8]);

impl Fields<'_> {
    pub(in crate::archive) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    pub(in crate::archive) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    pub(in crate::archive) fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) | u64::from(self.u32(at + 4)) << 32
    }
}

/// Refuses an entry that readers leave out by the version that it needs: unzip from 4.7 on, Python from 6.4 on. The
/// number is the lower byte.
fn check_version(needed: u16) -> Result<(), ZipFault> {
    let [version, _] = needed.to_le_bytes();
    if version > 45 { Err(ZipFault::Version(version)) } else { Ok(()) }
}

/// Reads and checks the structure of the archive in `source`.
///
/// # Errors
/// The first rule that the archive breaks, with the entry that breaks it; or a file that cannot be read.
pub fn read_structure(source: &Source, profile: Profile, limits: &Limits) -> Result<ZipStructure, ReadError> {
    let directory = find_directory(source, profile)?;
    if directory.entries > limits.entries {
        let fault = ZipFault::Limit { what: "number of entries", found: directory.entries, limit: limits.entries };
        return Err(ReadError::archive(fault));
    }
    let headers = read_central_headers(source, &directory, profile)?;
    check_limits(&headers, limits)?;
    check_names(&headers)?;
    let data_offsets = check_local_headers(source, &headers, directory.offset, profile)?;

    let time_and_date = headers.first().map(|header| header.time_and_date);
    let start = headers.iter().map(|header| header.header_offset).min().unwrap_or(directory.offset);
    let mut structure =
        ZipStructure { files: Vec::with_capacity(headers.len()), directories: Vec::new(), time_and_date, start };
    for (header, data_offset) in headers.into_iter().zip(data_offsets) {
        let path = ArchivePath::new(header.name.strip_suffix('/').unwrap_or(&header.name))
            .map_err(|fault| ReadError::entry(&header.name, fault))?;
        if header.is_directory {
            structure.directories.push(path);
        } else {
            structure.files.push(ZipEntry {
                path,
                method: header.method,
                crc32: header.crc32,
                compressed_size: header.compressed_size,
                size: header.size,
                data_offset,
                executable: header.made_by_unix && header.external_attributes >> 16 & 0o100 != 0,
                external_attributes: header.external_attributes,
            });
        }
    }
    Ok(structure)
}

fn check_limits(headers: &[CentralHeader], limits: &Limits) -> Result<(), ReadError> {
    let mut total: u64 = 0;
    for header in headers {
        let allowed = header.compressed_size.saturating_mul(limits.ratio);
        if header.size > limits.entry_unpacked && header.size > allowed {
            let fault = ZipFault::Limit {
                what: "unpacked size of a highly compressed entry",
                found: header.size,
                limit: limits.entry_unpacked,
            };
            return Err(ReadError::entry(&header.name, fault));
        }
        total = total.saturating_add(header.size);
    }
    if total > limits.unpacked {
        let fault = ZipFault::Limit { what: "unpacked size", found: total, limit: limits.unpacked };
        return Err(ReadError::archive(fault));
    }
    Ok(())
}

/// Names are unique, also where case is ignored, and no file stands where another entry needs a directory.
fn check_names(headers: &[CentralHeader]) -> Result<(), ReadError> {
    let mut names = Vec::with_capacity(headers.len());
    for header in headers {
        let bare = header.name.strip_suffix('/').unwrap_or(&header.name);
        ArchivePath::new(bare).map_err(|fault| ReadError::entry(&header.name, fault))?;
        // In this order what lies in a directory follows it at once: no name holds NUL.
        names.push((fold(bare).replace('/', "\0"), header));
    }
    // Neighbours tell, where a look at every directory of every name would take time without bounds.
    names.sort_by(|(one, _), (next, _)| one.cmp(next));
    for pair in names.windows(2) {
        let ((one, other), (next, header)) = (&pair[0], &pair[1]);
        let Some(rest) = next.strip_prefix(one.as_str()) else { continue };
        if rest.is_empty() {
            let fault = if other.name == header.name {
                ZipFault::Duplicate
            } else if other.is_directory != header.is_directory {
                ZipFault::FileAndDirectory(other.name.clone())
            } else {
                ZipFault::CaseClash(other.name.clone())
            };
            return Err(ReadError::entry(&header.name, fault));
        }
        if rest.starts_with('\0') && !other.is_directory {
            return Err(ReadError::entry(&other.name, ZipFault::FileAndDirectory(header.name.clone())));
        }
    }
    Ok(())
}
