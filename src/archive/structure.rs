//! The strict reader of a zip's structure. It accepts an archive only when every byte of it is accounted for and every
//! tool must read the same entries from it; it refuses gaps, overlaps, hidden entries, headers that disagree, and names
//! that mean different files to different systems. Numbers in comments are sections of PKWARE's APPNOTE 6.3.10.

use std::collections::HashMap;

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
    /// An archive of ours, behind a first line of the given length: only what format 1 can hold.
    Canonical {
        /// Bytes in front of the first local header.
        prefix: u64,
    },
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

/// The checked structure of an archive: its regular files in the order of its central directory, and its directories.
#[derive(Debug, Clone)]
pub struct ZipStructure {
    /// The regular files.
    pub files: Vec<ZipEntry>,
    /// The names of its directory entries, without their final `/`.
    pub directories: Vec<ArchivePath>,
}

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END_RECORD: u32 = 0x0605_4b50;
const ZIP64_END_RECORD: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_STRONG_ENCRYPTION: u16 = 1 << 6;
const FLAG_UTF8: u16 = 1 << 11;
/// Bits 1 and 2 tell how hard the deflater tried (4.4.4): no reader needs them.
const FLAGS_HARMLESS: u16 = 0b110 | FLAG_DESCRIPTOR | FLAG_UTF8;

/// Little-endian numbers from a slice whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) | u64::from(self.u32(at + 4)) << 32
    }
}

/// A central header (4.3.12), parsed; zip64 values are in place.
struct CentralHeader {
    name: String,
    is_directory: bool,
    flags: u16,
    method: Method,
    crc32: u32,
    compressed_size: u64,
    size: u64,
    header_offset: u64,
    made_by_unix: bool,
    external_attributes: u32,
    time_and_date: u32,
}

/// Where the central directory lies.
struct Directory {
    offset: u64,
    size: u64,
    entries: u64,
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

    let mut structure = ZipStructure { files: Vec::with_capacity(headers.len()), directories: Vec::new() };
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

/// Finds the central directory from the end-of-central-directory record (4.3.16) in the last 22 bytes, through zip64's
/// records (4.3.14, 4.3.15) where there are any.
fn find_directory(source: &Source, profile: Profile) -> Result<Directory, ReadError> {
    let end_offset = source.length().checked_sub(22).ok_or_else(|| ReadError::archive(ZipFault::EndRecord))?;
    let bytes = source.read_vec(end_offset, 22)?;
    let end = Fields(&bytes);
    if end.u32(0) != END_RECORD || end.u16(20) != 0 {
        return Err(ReadError::archive(ZipFault::EndRecord));
    }
    let bad = |what| Err(ReadError::archive(ZipFault::EndField(what)));
    if end.u16(4) != 0 || end.u16(6) != 0 {
        return bad("it speaks of more than one disk");
    }
    if end.u16(8) != end.u16(10) {
        return bad("entries on this disk and entries in all differ");
    }
    let mut directory = Directory { entries: end.u16(10).into(), size: end.u32(12).into(), offset: end.u32(16).into() };
    let mut directory_end = end_offset;
    if let Some(zip64_offset) = find_zip64_record(source, end_offset)? {
        if profile != Profile::Wheel {
            return Err(ReadError::archive(ZipFault::Zip64("an archive of ours has none")));
        }
        directory = read_zip64_record(source, zip64_offset, &directory)?;
        directory_end = zip64_offset;
    }
    if directory.offset.checked_add(directory.size) != Some(directory_end) {
        return bad("the central directory does not end where the end records begin");
    }
    Ok(directory)
}

/// The offset of the zip64 end record, when a zip64 locator stands in front of the end record.
fn find_zip64_record(source: &Source, end_offset: u64) -> Result<Option<u64>, ReadError> {
    let bad = |what| Err(ReadError::archive(ZipFault::Zip64(what)));
    let Some(locator_offset) = end_offset.checked_sub(20) else { return Ok(None) };
    let bytes = source.read_vec(locator_offset, 20)?;
    let locator = Fields(&bytes);
    if locator.u32(0) != ZIP64_LOCATOR {
        return Ok(None);
    }
    if locator.u32(4) != 0 || locator.u32(16) != 1 {
        return bad("the locator speaks of more than one disk");
    }
    if locator.u64(8).checked_add(56) != Some(locator_offset) {
        return bad("the locator does not point at the record in front of it");
    }
    Ok(Some(locator.u64(8)))
}

fn read_zip64_record(source: &Source, offset: u64, from_end: &Directory) -> Result<Directory, ReadError> {
    let bad = |what| Err(ReadError::archive(ZipFault::Zip64(what)));
    let bytes = source.read_vec(offset, 56)?;
    let record = Fields(&bytes);
    if record.u32(0) != ZIP64_END_RECORD || record.u64(4) != 44 {
        return bad("the end record is not one of 44 bytes");
    }
    if record.u32(16) != 0 || record.u32(20) != 0 || record.u64(24) != record.u64(32) {
        return bad("the end record speaks of more than one disk");
    }
    let directory = Directory { entries: record.u64(32), size: record.u64(40), offset: record.u64(48) };
    let agrees = |short: u64, sentinel: u64, long: u64| short == sentinel || short == long;
    if !agrees(from_end.entries, 0xffff, directory.entries)
        || !agrees(from_end.size, 0xffff_ffff, directory.size)
        || !agrees(from_end.offset, 0xffff_ffff, directory.offset)
    {
        return bad("the two end records disagree");
    }
    Ok(directory)
}

fn read_central_headers(
    source: &Source,
    directory: &Directory,
    profile: Profile,
) -> Result<Vec<CentralHeader>, ReadError> {
    // 46 bytes an entry at least: a number of entries that the directory cannot hold allocates nothing.
    if directory.entries > directory.size / 46 {
        return Err(ReadError::archive(ZipFault::CentralDirectory("it is too short for its number of entries")));
    }
    let bytes = source.read_vec(directory.offset, directory.size)?;
    let mut rest = bytes.as_slice();
    let mut headers = Vec::with_capacity(usize::try_from(directory.entries).unwrap_or_default());
    for _ in 0..directory.entries {
        let (header, length) = parse_central_header(rest, profile)?;
        headers.push(header);
        rest = &rest[length..];
    }
    if rest.is_empty() {
        Ok(headers)
    } else {
        Err(ReadError::archive(ZipFault::CentralDirectory("it holds more than its entries")))
    }
}

/// Parses the central header (4.3.12) that `bytes` begins with, and tells its length.
fn parse_central_header(bytes: &[u8], profile: Profile) -> Result<(CentralHeader, usize), ReadError> {
    let malformed = |what| ReadError::archive(ZipFault::CentralDirectory(what));
    if bytes.len() < 46 || Fields(bytes).u32(0) != CENTRAL_HEADER {
        return Err(malformed("no header where one is due"));
    }
    let fields = Fields(bytes);
    let name_end = 46 + usize::from(fields.u16(28));
    let extra_end = name_end + usize::from(fields.u16(30));
    let comment_length = usize::from(fields.u16(32));
    let length = extra_end + comment_length;
    if bytes.len() < length {
        return Err(malformed("a header is cut off"));
    }
    let raw_name = &bytes[46..name_end];
    let name = String::from_utf8_lossy(raw_name);
    let refuse = |fault: ZipFault| ReadError::entry(&name, fault);

    let flags = fields.u16(8);
    if flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION) != 0 {
        return Err(refuse(ZipFault::Encrypted));
    }
    if flags & !FLAGS_HARMLESS != 0 {
        return Err(refuse(ZipFault::Flags(flags)));
    }
    if std::str::from_utf8(raw_name).is_err() || (!raw_name.is_ascii() && flags & FLAG_UTF8 == 0) {
        return Err(refuse(ZipFault::NameEncoding));
    }
    let method = match fields.u16(10) {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => return Err(refuse(ZipFault::Method(other))),
    };
    let mut disk = u64::from(fields.u16(34));
    let (mut size, mut compressed_size) = (u64::from(fields.u32(24)), u64::from(fields.u32(20)));
    let mut header_offset = u64::from(fields.u32(42));
    {
        // 4.5.3: the zip64 field holds, in this order, those values whose 32-bit (16-bit) fields are all ones.
        let mut wide = [
            (&mut size, 0xffff_ffff, 8),
            (&mut compressed_size, 0xffff_ffff, 8),
            (&mut header_offset, 0xffff_ffff, 8),
            (&mut disk, 0xffff, 4),
        ];
        let zip64 = parse_extra_fields(&bytes[name_end..extra_end]).map_err(refuse)?;
        take_zip64_values(zip64, &mut wide).map_err(refuse)?;
    }
    if disk != 0 {
        return Err(refuse(ZipFault::Disk));
    }

    let is_directory = raw_name.ends_with(b"/");
    let made_by_unix = fields.u16(4) >> 8 == 3;
    let external_attributes = fields.u32(38);
    check_file_type(external_attributes, is_directory).map_err(refuse)?;
    if is_directory && (size != 0 || fields.u32(16) != 0) {
        return Err(refuse(ZipFault::DirectoryWithContents));
    }
    if method == Method::Stored && compressed_size != size {
        return Err(refuse(ZipFault::Size { expected: size, found: compressed_size }));
    }
    let header = CentralHeader {
        is_directory,
        flags,
        method,
        crc32: fields.u32(16),
        compressed_size,
        size,
        header_offset,
        made_by_unix,
        external_attributes,
        time_and_date: fields.u32(12),
        name: name.clone().into_owned(),
    };
    if profile != Profile::Wheel {
        let plain = extra_end == name_end && comment_length == 0;
        check_canonical(&header, &fields, plain).map_err(refuse)?;
    }
    Ok((header, length))
}

/// What format 1 says of a central header.
fn check_canonical(header: &CentralHeader, fields: &Fields<'_>, plain: bool) -> Result<(), ZipFault> {
    let stored = header.method == Method::Stored;
    let flags = if header.name.is_ascii() { 0 } else { FLAG_UTF8 };
    let attributes = match header.external_attributes {
        0x81a4_0000 | 0x81ed_0000 => !header.is_directory,
        0x41ed_0010 => header.is_directory,
        _ => false,
    };
    let faults = [
        (plain, "an extra field or comment"),
        (fields.u16(4) == 0x0314, "version made by is not 3.20"),
        (fields.u16(6) == if stored { 10 } else { 20 }, "version needed is not 10 (stored) or 20 (deflated)"),
        (header.flags == flags, "flags"),
        (fields.u16(36) == 0, "internal attributes"),
        (attributes, "external attributes"),
        (header.size != 0 || stored, "an empty entry that is not stored"),
    ];
    match faults.into_iter().find(|(holds, _)| !holds) {
        Some((_, what)) => Err(ZipFault::NotCanonical(what)),
        None => Ok(()),
    }
}

/// Only regular files and directories (unix type bits in the high half of the external attributes), and a name that ends
/// in `/` for directories alone.
fn check_file_type(external_attributes: u32, is_directory: bool) -> Result<(), ZipFault> {
    let mode = external_attributes >> 16;
    let expected = if is_directory { 0o040_000 } else { 0o100_000 };
    // Tools that know no type leave the bits at zero.
    let type_fits = matches!(mode & 0o170_000, bits if bits == 0 || bits == expected);
    let dos_directory = external_attributes & 0x10 != 0;
    if !type_fits || (dos_directory && !is_directory) { Err(ZipFault::FileType(mode)) } else { Ok(()) }
}

/// Walks the extra fields (4.5.1) and gives the zip64 one's contents.
fn parse_extra_fields(mut rest: &[u8]) -> Result<Option<&[u8]>, ZipFault> {
    let mut zip64 = None;
    while !rest.is_empty() {
        if rest.len() < 4 {
            return Err(ZipFault::ExtraField("a field is cut off"));
        }
        let fields = Fields(rest);
        let end = 4 + usize::from(fields.u16(2));
        let contents = rest.get(4..end).ok_or(ZipFault::ExtraField("a field is cut off"))?;
        match fields.u16(0) {
            0x0001 if zip64.is_some() => return Err(ZipFault::ExtraField("two zip64 fields")),
            0x0001 => zip64 = Some(contents),
            0x7075 => return Err(ZipFault::ExtraField("another name (0x7075)")),
            0x9901 | 0x0017 | 0x0014 | 0x0015 | 0x0016 => {
                return Err(ZipFault::ExtraField("encryption or certificates"));
            }
            _ => {}
        }
        rest = &rest[end..];
    }
    Ok(zip64)
}

/// Puts the zip64 field's values where the short fields are all ones; every byte of the field must be used.
fn take_zip64_values(zip64: Option<&[u8]>, wide: &mut [(&mut u64, u64, usize)]) -> Result<(), ZipFault> {
    let Some(mut rest) = zip64 else { return Ok(()) };
    for (value, sentinel, width) in wide {
        if **value != *sentinel {
            continue;
        }
        let (bytes, after) =
            rest.split_at_checked(*width).ok_or(ZipFault::Zip64("the extra field lacks a value that is due"))?;
        **value = if *width == 8 { Fields(bytes).u64(0) } else { Fields(bytes).u32(0).into() };
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(ZipFault::Zip64("the extra field holds a value that is not due")) }
}

/// The zip64 field of a local header holds both sizes (4.5.3). Where the short fields hold true values too, as in protobuf's
/// wheels, the two must agree; a field with the values that are due alone passes as well.
fn take_local_zip64_sizes(zip64: Option<&[u8]>, size: &mut u64, compressed_size: &mut u64) -> Result<(), ZipFault> {
    const ALL_ONES: u64 = 0xffff_ffff;
    let Some(both) = zip64.filter(|bytes| bytes.len() == 16).map(Fields) else {
        return take_zip64_values(zip64, &mut [(size, ALL_ONES, 8), (compressed_size, ALL_ONES, 8)]);
    };
    for (short, long) in [(size, both.u64(0)), (compressed_size, both.u64(8))] {
        if *short != ALL_ONES && *short != long {
            return Err(ZipFault::Zip64("the local extra field disagrees with the header"));
        }
        *short = long;
    }
    Ok(())
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
    let mut seen: HashMap<String, &CentralHeader> = HashMap::with_capacity(headers.len());
    for header in headers {
        let bare = header.name.strip_suffix('/').unwrap_or(&header.name);
        ArchivePath::new(bare).map_err(|fault| ReadError::entry(&header.name, fault))?;
        if let Some(other) = seen.insert(fold(bare), header) {
            let fault = if other.name == header.name {
                ZipFault::Duplicate
            } else if other.is_directory != header.is_directory {
                ZipFault::FileAndDirectory(other.name.clone())
            } else {
                ZipFault::CaseClash(other.name.clone())
            };
            return Err(ReadError::entry(&header.name, fault));
        }
    }
    for header in headers {
        let folded = fold(header.name.strip_suffix('/').unwrap_or(&header.name));
        for (end, _) in folded.match_indices('/') {
            if let Some(file) = seen.get(&folded[..end]).filter(|other| !other.is_directory) {
                return Err(ReadError::entry(&file.name, ZipFault::FileAndDirectory(header.name.clone())));
            }
        }
    }
    Ok(())
}

/// Checks every local header (4.3.7) against its central one and every byte up to the central directory; gives the
/// offset of each entry's data, in the order of `headers`.
fn check_local_headers(
    source: &Source,
    headers: &[CentralHeader],
    directory_offset: u64,
    profile: Profile,
) -> Result<Vec<u64>, ReadError> {
    let mut order: Vec<usize> = (0..headers.len()).collect();
    order.sort_by_key(|index| headers[*index].header_offset);
    if profile != Profile::Wheel && !headers.is_sorted_by(|one, next| one.name.as_bytes() < next.name.as_bytes()) {
        return Err(ReadError::archive(ZipFault::NotCanonical("names are not sorted by their bytes")));
    }
    if profile != Profile::Wheel && headers.iter().any(|header| header.time_and_date != headers[0].time_and_date) {
        return Err(ReadError::archive(ZipFault::NotCanonical("entries with different times")));
    }
    if profile != Profile::Wheel && !order.is_sorted() {
        return Err(ReadError::archive(ZipFault::NotCanonical("entries and central directory differ in order")));
    }
    let mut data_offsets = vec![0; headers.len()];
    let mut position = match profile {
        Profile::Wheel => 0,
        Profile::Canonical { prefix } => prefix,
    };
    let mut buffer = Vec::new();
    for index in order {
        let header = &headers[index];
        let refuse = |fault| ReadError::entry(&header.name, fault);
        check_adjacent(position, header.header_offset).map_err(refuse)?;
        let (data_offset, end) = check_local_header(source, header, directory_offset, profile, &mut buffer)?;
        data_offsets[index] = data_offset;
        position = end;
    }
    check_adjacent(position, directory_offset).map_err(ReadError::archive)?;
    Ok(data_offsets)
}

fn check_adjacent(end: u64, next: u64) -> Result<(), ZipFault> {
    match next.checked_sub(end) {
        Some(0) => Ok(()),
        Some(length) => Err(ZipFault::Gap { offset: end, length }),
        None => Err(ZipFault::Overlap { offset: next }),
    }
}

/// Checks one local header; gives the offsets of the entry's data and of what follows the entry.
fn check_local_header(
    source: &Source,
    central: &CentralHeader,
    directory_offset: u64,
    profile: Profile,
    buffer: &mut Vec<u8>,
) -> Result<(u64, u64), ReadError> {
    let refuse = |fault: ZipFault| ReadError::entry(&central.name, fault);
    let missing = || refuse(ZipFault::LocalHeader(central.header_offset));
    let offset = central.header_offset;
    // The usual header is one read; a longer extra field takes a second one.
    let usual = 30 + central.name.len() as u64;
    let available = directory_offset.checked_sub(offset).filter(|room| *room >= usual).ok_or_else(missing)?;
    read_into(source, offset, (usual + 32).min(available), buffer)?;
    let local = Fields(buffer);
    if local.u32(0) != LOCAL_HEADER {
        return Err(missing());
    }
    let name_length = usize::from(local.u16(26));
    let extra_length = usize::from(local.u16(28));
    let header_length = (30 + name_length + extra_length) as u64;
    if header_length > available {
        return Err(missing());
    }
    if header_length > buffer.len() as u64 {
        read_into(source, offset, header_length, buffer)?;
    }
    let local = Fields(buffer);
    let mismatch =
        |field, local: String, central: String| Err(refuse(ZipFault::HeaderMismatch { field, local, central }));
    let name = &buffer[30..30 + name_length];
    if name != central.name.as_bytes() {
        let local = String::from_utf8_lossy(name).escape_debug().to_string();
        return mismatch("name", format!("`{local}`"), format!("`{}`", central.name.escape_debug()));
    }
    if local.u16(6) != central.flags {
        return mismatch("flags", format!("{:#06x}", local.u16(6)), format!("{:#06x}", central.flags));
    }
    if local.u16(8) != central.method.number() {
        return mismatch("method", local.u16(8).to_string(), central.method.number().to_string());
    }
    let extra = &buffer[30 + name_length..30 + name_length + extra_length];
    let zip64 = parse_extra_fields(extra).map_err(refuse)?;
    let (mut size, mut compressed_size) = (u64::from(local.u32(22)), u64::from(local.u32(18)));
    take_local_zip64_sizes(zip64, &mut size, &mut compressed_size).map_err(refuse)?;
    // With a data descriptor behind the data, 4.4.4 has these three at zero; some writers put the true values anyway.
    let deferred = central.flags & FLAG_DESCRIPTOR != 0;
    let agrees = |local: u64, central: u64| local == central || (deferred && local == 0);
    if !agrees(local.u32(14).into(), central.crc32.into()) {
        return mismatch("CRC-32", format!("{:08x}", local.u32(14)), format!("{:08x}", central.crc32));
    }
    if !agrees(compressed_size, central.compressed_size) {
        return mismatch("compressed size", compressed_size.to_string(), central.compressed_size.to_string());
    }
    if !agrees(size, central.size) {
        return mismatch("size", size.to_string(), central.size.to_string());
    }
    if profile != Profile::Wheel {
        let needed = if central.method == Method::Stored { 10 } else { 20 };
        if extra_length != 0 || local.u16(4) != needed || local.u32(10) != central.time_and_date {
            return Err(refuse(ZipFault::NotCanonical("local header")));
        }
    }
    let data_offset = offset + header_length;
    let end = data_offset.checked_add(central.compressed_size).filter(|end| *end <= directory_offset);
    let end = end.ok_or_else(|| refuse(ZipFault::Overlap { offset: directory_offset }))?;
    let wide_descriptor = zip64.is_some();
    if central.is_directory && central.compressed_size != 0 {
        // Nobody unpacks a directory: what stands here would be hidden. Writers that deflate whatever comes leave the
        // stream of nothing (RFC 1951: one empty block, with fixed codes or stored).
        read_into(source, data_offset, central.compressed_size.min(6), buffer)?;
        if !matches!(buffer[..], [3, 0] | [1, 0, 0, 0xff, 0xff]) {
            return Err(refuse(ZipFault::DirectoryWithContents));
        }
    }
    if !deferred {
        return Ok((data_offset, end));
    }
    let length = check_data_descriptor(source, central, end, directory_offset, wide_descriptor, buffer)?;
    Ok((data_offset, end + length))
}

/// Checks the data descriptor (4.3.9) at `offset`, with or without its signature, and gives its length.
fn check_data_descriptor(
    source: &Source,
    central: &CentralHeader,
    offset: u64,
    directory_offset: u64,
    zip64: bool,
    buffer: &mut Vec<u8>,
) -> Result<u64, ReadError> {
    read_into(source, offset, (directory_offset - offset).min(24), buffer)?;
    let widths: &[usize] = if zip64 { &[8] } else { &[4, 8] };
    for signature in [4, 0] {
        for width in widths {
            let length = signature + 4 + 2 * width;
            if buffer.len() < length {
                continue;
            }
            let fields = Fields(buffer);
            let value = |at| if *width == 8 { fields.u64(at) } else { fields.u32(at).into() };
            let signed = signature == 0 || fields.u32(0) == DATA_DESCRIPTOR;
            if signed
                && fields.u32(signature) == central.crc32
                && value(signature + 4) == central.compressed_size
                && value(signature + 4 + width) == central.size
            {
                return Ok(length as u64);
            }
        }
    }
    Err(ReadError::entry(&central.name, ZipFault::DataDescriptor))
}

fn read_into(source: &Source, offset: u64, length: u64, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    let size = usize::try_from(length).map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
    buffer.resize(size, 0);
    source.read_exact_at(buffer, offset)
}
