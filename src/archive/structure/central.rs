//! Central headers (4.3.12): what an archive says of its entries, and what is refused of it.

use super::directory::Directory;
use super::extra::{parse_extra_fields, take_zip64_values};
use super::{Fields, Method, Profile, check_version};
use crate::archive::fault::{ReadError, ZipFault};
use crate::archive::source::Source;

const CENTRAL_HEADER: u32 = 0x0201_4b50;

/// A larger central directory is not read into memory: 268 bytes an entry, for as many entries as are read at most.
const LARGEST: u64 = 256 << 20;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_STRONG_ENCRYPTION: u16 = 1 << 6;
const FLAG_UTF8: u16 = 1 << 11;
/// A data descriptor stands behind the data.
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Bits 1 and 2 tell how hard the deflater tried (4.4.4): no reader needs them.
const FLAGS_HARMLESS: u16 = 0b110 | FLAG_DESCRIPTOR | FLAG_UTF8;

/// A central header (4.3.12), parsed; zip64 values are in place.
pub(super) struct CentralHeader {
    pub(super) name: String,
    pub(super) is_directory: bool,
    pub(super) flags: u16,
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) compressed_size: u64,
    pub(super) size: u64,
    pub(super) header_offset: u64,
    pub(super) made_by_unix: bool,
    pub(super) external_attributes: u32,
    pub(super) time_and_date: u32,
}

pub(super) fn read_central_headers(
    source: &Source,
    directory: &Directory,
    profile: Profile,
) -> Result<Vec<CentralHeader>, ReadError> {
    // 46 bytes an entry at least: a number of entries that the directory cannot hold allocates nothing.
    if directory.entries > directory.size / 46 {
        return Err(ReadError::archive(ZipFault::CentralDirectory("it is too short for its number of entries")));
    }
    if directory.size > LARGEST {
        let fault = ZipFault::Limit { what: "size of the central directory", found: directory.size, limit: LARGEST };
        return Err(ReadError::archive(fault));
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
    check_version(fields.u16(6)).map_err(refuse)?;
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
    if profile.is_canonical() {
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
