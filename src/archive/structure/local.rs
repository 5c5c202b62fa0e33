//! Local headers and data descriptors (4.3.7, 4.3.9): each against its central header, and every byte between them.

use super::central::{CentralHeader, FLAG_DESCRIPTOR};
use super::extra::{parse_extra_fields, take_local_zip64_sizes};
use super::{Fields, Method, Profile, check_version};
use crate::archive::fault::{ReadError, ZipFault};
use crate::archive::source::Source;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;

/// Checks every local header (4.3.7) against its central one and every byte up to the central directory; gives the
/// offset of each entry's data, in the order of `headers`.
pub(super) fn check_local_headers(
    source: &Source,
    headers: &[CentralHeader],
    directory_offset: u64,
    profile: Profile,
) -> Result<Vec<u64>, ReadError> {
    let mut order: Vec<usize> = (0..headers.len()).collect();
    order.sort_by_key(|index| headers[*index].header_offset);
    if profile.is_canonical() && !headers.is_sorted_by(|one, next| one.name.as_bytes() < next.name.as_bytes()) {
        return Err(ReadError::archive(ZipFault::NotCanonical("names are not sorted by their bytes")));
    }
    if profile.is_canonical() && headers.iter().any(|header| header.time_and_date != headers[0].time_and_date) {
        return Err(ReadError::archive(ZipFault::NotCanonical("entries with different times")));
    }
    if profile.is_canonical() && !order.is_sorted() {
        return Err(ReadError::archive(ZipFault::NotCanonical("entries and central directory differ in order")));
    }
    let mut data_offsets = vec![0; headers.len()];
    let mut position = match profile {
        Profile::Wheel => 0,
        Profile::Program | Profile::Zip { .. } => {
            order.first().map_or(directory_offset, |first| headers[*first].header_offset)
        }
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
    check_version(local.u16(4)).map_err(refuse)?;
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
    if profile.is_canonical() {
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
