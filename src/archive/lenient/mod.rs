//! The lenient reader: any zip that some tool can read, with all that stands in its headers. What the strict reader refuses
//! is a fact here, an [`Oddity`] or a field that can be compared: gaps, overlaps, names twice, headers that disagree, a first
//! line, offsets that count from elsewhere, methods that cannot be unpacked. Numbers in comments are sections of PKWARE's
//! APPNOTE 6.3.10.
//!
//! What it reads proves nothing: no name is safe to write to disk, no size is what a stream unpacks to. It refuses only a
//! file without an end record. Memory is bounded by [`MOST_ENTRIES`] and [`LARGEST_DIRECTORY`]; what lies beyond them is not
//! read, and an oddity says so.

mod contents;
mod end;
mod oddity;

use std::io;

use self::end::{Directory, find_directory};
use super::source::Source;
use super::structure::Fields;

pub(crate) use contents::ContentsError;
pub(crate) use oddity::Oddity;

const CENTRAL_HEADER: u32 = 0x0201_4b50;
const LOCAL_HEADER: u32 = 0x0403_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;

/// How many entries are read of one archive.
const MOST_ENTRIES: usize = 1_000_000;

/// How many bytes of a central directory are read.
const LARGEST_DIRECTORY: u64 = 256 << 20;

/// How many oddities are kept of one kind or another.
const MOST_ODDITIES: usize = 1_000;

/// A zip, as it stands.
#[derive(Debug, Clone)]
pub(crate) struct LenientZip {
    /// The file.
    pub(crate) source: Source,
    /// Bytes in front of the first local header.
    pub(crate) prefix: u64,
    /// What has to be added to the offsets that are written in it to count from the file's first byte.
    pub(crate) base: i64,
    /// In the order of the central directory.
    pub(crate) entries: Vec<LenientEntry>,
    /// The archive's comment (4.3.16).
    pub(crate) comment: Vec<u8>,
    /// Whether there is a zip64 end record (4.3.14).
    pub(crate) zip64: bool,
    /// Stretches that belong to no entry and no record, prefix and trailing bytes apart.
    pub(crate) gaps: Vec<Gap>,
    /// Bytes behind the end record and its comment.
    pub(crate) trailing: u64,
    /// What no tool writes on purpose.
    pub(crate) oddities: Vec<Oddity>,
}

/// A stretch that belongs to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The fields that local and central headers share (4.3.7, 4.3.12), as they stand; zip64's values are not in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) needed: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) time_and_date: u32,
    pub(crate) crc32: u32,
    pub(crate) compressed_size: u32,
    pub(crate) size: u32,
    pub(crate) name: Box<[u8]>,
    pub(crate) extra: Box<[u8]>,
}

/// What stands behind an entry's data where its flags announce a data descriptor (4.3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// None is announced.
    None,
    /// With its signature, of this many bytes.
    Signed(u8),
    /// Without it.
    Bare(u8),
    /// It is announced, and what is there is none.
    Missing,
}

/// An entry of the central directory, with what lies where it points.
#[derive(Debug, Clone)]
pub(crate) struct LenientEntry {
    pub(crate) central: Header,
    /// None where there is no local header.
    pub(crate) local: Option<Header>,
    pub(crate) made_by: u16,
    pub(crate) disk: u16,
    pub(crate) internal_attributes: u16,
    pub(crate) external_attributes: u32,
    pub(crate) comment: Box<[u8]>,
    /// Both sizes with zip64's values in place.
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
    /// From the file's first byte.
    pub(crate) header_offset: u64,
    /// Where its data begins; none where there is no local header, or the data would not lie in the file.
    pub(crate) data_offset: Option<u64>,
    pub(crate) descriptor: Descriptor,
}

impl LenientEntry {
    /// Its name as it stands.
    pub(crate) fn raw_name(&self) -> &[u8] {
        &self.central.name
    }

    /// Its name, with what is no UTF-8 replaced. It may hold anything.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.central.name).into_owned()
    }

    /// Its mode, where a unix system wrote one.
    pub(crate) fn unix_mode(&self) -> Option<u32> {
        let mode = self.external_attributes >> 16;
        (self.made_by >> 8 == 3 && mode != 0).then_some(mode)
    }

    /// Whether its data is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.central.flags & 1 != 0
    }
}

impl LenientZip {
    /// Reads what stands in the headers of the zip in `source`; none where it has no end record, and is no zip.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(source: &Source) -> io::Result<Option<Self>> {
        let Some(directory) = find_directory(source)? else { return Ok(None) };
        let mut zip = Self {
            source: source.clone(),
            prefix: 0,
            base: directory.base,
            entries: Vec::new(),
            comment: directory.comment.clone(),
            zip64: directory.zip64,
            gaps: Vec::new(),
            trailing: directory.trailing,
            oddities: Vec::new(),
        };
        zip.read_central_headers(&directory)?;
        zip.read_local_headers()?;
        zip.find_gaps(&directory);
        zip.find_duplicates();
        if zip.oddities.len() > MOST_ODDITIES {
            zip.oddities.truncate(MOST_ODDITIES);
            zip.oddities.push(Oddity::More);
        }
        Ok(Some(zip))
    }

    fn read_central_headers(&mut self, directory: &Directory) -> io::Result<()> {
        if !directory.found {
            self.oddities.push(Oddity::NoDirectory);
        }
        let read = directory.size.min(LARGEST_DIRECTORY);
        let bytes = self.source.read_vec(directory.offset, read)?;
        let mut rest = bytes.as_slice();
        while let Some((entry, length)) = parse_central_header(rest, directory.base) {
            if self.entries.len() == MOST_ENTRIES {
                break;
            }
            self.entries.push(entry);
            rest = &rest[length..];
        }
        if self.entries.len() == MOST_ENTRIES || read < directory.size {
            self.oddities.push(Oddity::TooMany);
            return Ok(());
        }
        if !rest.is_empty() {
            self.oddities.push(Oddity::DirectoryRest(rest.len() as u64));
        }
        // Counts are of 16 bits where no zip64 record has them in full.
        let found = self.entries.len();
        let wraps = !directory.zip64 && found as u64 & 0xffff == directory.entries;
        if found as u64 != directory.entries && !wraps {
            self.oddities.push(Oddity::EntryCount { declared: directory.entries, found });
        }
        Ok(())
    }

    fn read_local_headers(&mut self) -> io::Result<()> {
        let mut buffer = Vec::new();
        for entry in &mut self.entries {
            let guess = 30 + entry.central.name.len() as u64 + 64;
            if !read_up_to(&self.source, entry.header_offset, guess, &mut buffer)? || buffer.len() < 30 {
                self.oddities.push(Oddity::NoLocalHeader(entry.name()));
                continue;
            }
            let fields = Fields(&buffer);
            let whole = 30 + u64::from(fields.u16(26)) + u64::from(fields.u16(28));
            let signed = fields.u32(0) == LOCAL_HEADER;
            if signed && whole > buffer.len() as u64 {
                read_up_to(&self.source, entry.header_offset, whole, &mut buffer)?;
            }
            if !signed || whole > buffer.len() as u64 {
                self.oddities.push(Oddity::NoLocalHeader(entry.name()));
                continue;
            }
            entry.local = Some(parse_local_header(&buffer));
            let data_offset = entry.header_offset + whole;
            match data_offset.checked_add(entry.compressed_size).filter(|end| *end <= self.source.length()) {
                Some(end) => {
                    entry.data_offset = Some(data_offset);
                    if entry.central.flags & 8 != 0 {
                        read_up_to(&self.source, end, 24, &mut buffer)?;
                        entry.descriptor = find_descriptor(&buffer, entry);
                    }
                }
                None => self.oddities.push(Oddity::Cut(entry.name())),
            }
        }
        Ok(())
    }

    /// What lies between the entries; entries that share bytes.
    fn find_gaps(&mut self, directory: &Directory) {
        let mut extents: Vec<(u64, u64, usize)> = Vec::with_capacity(self.entries.len());
        for (index, entry) in self.entries.iter().enumerate() {
            let Some(data_offset) = entry.data_offset else { continue };
            let end = data_offset + entry.compressed_size + entry.descriptor.length();
            extents.push((entry.header_offset, end, index));
        }
        extents.sort_unstable();
        self.prefix = extents.first().map_or(directory.offset, |first| first.0);
        let mut position = self.prefix;
        for (start, end, index) in extents {
            if start > position {
                self.gaps.push(Gap { offset: position, length: start - position });
            } else if start < position {
                self.oddities.push(Oddity::Overlap(self.entries[index].name()));
            }
            position = position.max(end);
        }
        for (start, end) in [(position, directory.offset), (directory.offset + directory.size, directory.end)] {
            if start < end {
                self.gaps.push(Gap { offset: start, length: end - start });
            }
        }
    }

    fn find_duplicates(&mut self) {
        let mut names: Vec<&[u8]> = self.entries.iter().map(LenientEntry::raw_name).collect();
        names.sort_unstable();
        let mut twice: Vec<&[u8]> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        twice.dedup();
        let found: Vec<Oddity> =
            twice.into_iter().map(|name| Oddity::Duplicate(String::from_utf8_lossy(name).into_owned())).collect();
        self.oddities.extend(found);
    }
}

impl Descriptor {
    fn length(self) -> u64 {
        match self {
            Self::Signed(length) | Self::Bare(length) => length.into(),
            Self::None | Self::Missing => 0,
        }
    }
}

/// Puts up to `length` bytes from `offset` on into `buffer`; tells whether there are any.
fn read_up_to(source: &Source, offset: u64, length: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let there = source.length().saturating_sub(offset).min(length);
    buffer.resize(usize::try_from(there).unwrap_or_default(), 0);
    source.read_exact_at(buffer, offset.min(source.length()))?;
    Ok(there > 0)
}

/// The central header (4.3.12) that `bytes` begins with, and its length.
fn parse_central_header(bytes: &[u8], base: i64) -> Option<(LenientEntry, usize)> {
    if bytes.len() < 46 || Fields(bytes).u32(0) != CENTRAL_HEADER {
        return None;
    }
    let fields = Fields(bytes);
    let name_end = 46 + usize::from(fields.u16(28));
    let extra_end = name_end + usize::from(fields.u16(30));
    let length = extra_end + usize::from(fields.u16(32));
    let comment = bytes.get(extra_end..length)?;
    let central = Header {
        needed: fields.u16(6),
        flags: fields.u16(8),
        method: fields.u16(10),
        time_and_date: fields.u32(12),
        crc32: fields.u32(16),
        compressed_size: fields.u32(20),
        size: fields.u32(24),
        name: bytes[46..name_end].into(),
        extra: bytes[name_end..extra_end].into(),
    };
    let mut wide = [central.size.into(), central.compressed_size.into(), u64::from(fields.u32(42))];
    take_zip64_values(&central.extra, &mut wide);
    let [size, compressed_size, header_offset] = wide;
    let entry = LenientEntry {
        local: None,
        made_by: fields.u16(4),
        disk: fields.u16(34),
        internal_attributes: fields.u16(36),
        external_attributes: fields.u32(38),
        comment: comment.into(),
        size,
        compressed_size,
        // What would lie before the file lies nowhere.
        header_offset: header_offset.checked_add_signed(base).unwrap_or(u64::MAX / 2),
        data_offset: None,
        descriptor: if central.flags & 8 == 0 { Descriptor::None } else { Descriptor::Missing },
        central,
    };
    Some((entry, length))
}

/// The local header (4.3.7) in `bytes`, which hold all of it.
fn parse_local_header(bytes: &[u8]) -> Header {
    let fields = Fields(bytes);
    let name_end = 30 + usize::from(fields.u16(26));
    Header {
        needed: fields.u16(4),
        flags: fields.u16(6),
        method: fields.u16(8),
        time_and_date: fields.u32(10),
        crc32: fields.u32(14),
        compressed_size: fields.u32(18),
        size: fields.u32(22),
        name: bytes[30..name_end].into(),
        extra: bytes[name_end..name_end + usize::from(fields.u16(28))].into(),
    }
}

/// 4.5.3: the zip64 field holds, in this order, those values whose 32-bit fields are all ones.
fn take_zip64_values(extra: &[u8], wide: &mut [u64; 3]) {
    let Some((_, mut rest)) = extra_fields(extra).find(|(id, _)| *id == 1) else { return };
    for value in wide.iter_mut().filter(|value| **value == 0xffff_ffff) {
        let Some((bytes, after)) = rest.split_at_checked(8) else { return };
        *value = Fields(bytes).u64(0);
        rest = after;
    }
}

/// The extra fields (4.5.1), each by its number; the last may be cut.
pub(crate) fn extra_fields(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        if rest.len() < 4 {
            return None;
        }
        let fields = Fields(rest);
        let (id, end) = (fields.u16(0), 4 + usize::from(fields.u16(2)));
        let contents = &rest[4..end.min(rest.len())];
        rest = &rest[end.min(rest.len())..];
        Some((id, contents))
    })
}

/// The data descriptor that `bytes`, which follow the data, begin with.
fn find_descriptor(bytes: &[u8], entry: &LenientEntry) -> Descriptor {
    let values = |at: usize, wide: bool| {
        let end = at + if wide { 20 } else { 12 };
        let Some(bytes) = bytes.get(at..end) else { return false };
        let fields = Fields(bytes);
        let (compressed_size, size) =
            if wide { (fields.u64(4), fields.u64(12)) } else { (u64::from(fields.u32(4)), u64::from(fields.u32(8))) };
        fields.u32(0) == entry.central.crc32 && compressed_size == entry.compressed_size && size == entry.size
    };
    let signed = bytes.len() >= 4 && Fields(bytes).u32(0) == DATA_DESCRIPTOR;
    match () {
        () if signed && values(4, false) => Descriptor::Signed(16),
        () if signed && values(4, true) => Descriptor::Signed(24),
        () if values(0, false) => Descriptor::Bare(12),
        () if values(0, true) => Descriptor::Bare(20),
        () => Descriptor::Missing,
    }
}

#[cfg(test)]
mod tests;
