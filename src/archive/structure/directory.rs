//! The end of an archive: where its central directory lies (4.3.14 to 4.3.16), and from where its offsets count.

use super::{Fields, Profile};
use crate::archive::fault::{ReadError, ZipFault};
use crate::archive::source::Source;

const END_RECORD: u32 = 0x0605_4b50;
const ZIP64_END_RECORD: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;

/// Where the central directory lies.
pub(super) struct Directory {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) entries: u64,
}

/// What anybody's zip may have around it that a wheel has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where its offsets count from: a zip that was put behind something as it was counts from its own first byte.
    pub(crate) base: u64,
    /// Bytes of the archive's comment.
    pub(crate) comment: u16,
}

/// Finds where the archive in `source` ends and its offsets begin, both without a choice.
///
/// # Errors
/// There is no end record whose comment ends with the file, or there are two; or the central directory, by its size and
/// offset, begins before the file does.
pub(crate) fn find_frame(source: &Source) -> Result<Frame, ReadError> {
    let start = source.length().saturating_sub(22 + u64::from(u16::MAX));
    let tail = source.read_vec(start, source.length() - start)?;
    let bad = |what| ReadError::archive(ZipFault::EndField(what));
    let is_end =
        |at: &usize| tail.len() - at >= 22 && usize::from(Fields(&tail[*at..]).u16(20)) == tail.len() - at - 22;
    let signature = END_RECORD.to_le_bytes();
    let at = memchr::memmem::rfind_iter(&tail, &signature).find(is_end);
    let at = at.ok_or_else(|| ReadError::archive(ZipFault::EndRecord))?;
    let comment = Fields(&tail[at..]).u16(20);
    // Tools look for it from the end, and some take whatever looks like one.
    if memchr::memmem::find(&tail[at + 4..], &signature).is_some() {
        return Err(bad("another one follows it"));
    }
    let end_offset = start + at as u64;
    let end = Fields(&tail[at..]);
    let (mut size, mut offset): (u64, u64) = (end.u32(12).into(), end.u32(16).into());
    let mut directory_end = end_offset;
    if let Some(locator) = end_offset.checked_sub(20)
        && Fields(&source.read_vec(locator, 20)?).u32(0) == ZIP64_LOCATOR
    {
        // Right before its locator; the strict reading sees that this is where the locator points.
        directory_end = locator.checked_sub(56).ok_or_else(|| bad("it begins before the file"))?;
        let record = source.read_vec(directory_end, 56)?;
        (size, offset) = (Fields(&record).u64(40), Fields(&record).u64(48));
    }
    let base = directory_end.checked_sub(size).and_then(|directory| directory.checked_sub(offset));
    Ok(Frame {
        base: base.ok_or_else(|| bad("the central directory does not end where the end records begin"))?,
        comment,
    })
}

/// Finds the central directory from the end-of-central-directory record (4.3.16) in the last 22 bytes, through zip64's
/// records (4.3.14, 4.3.15) where there are any.
pub(super) fn find_directory(source: &Source, profile: Profile) -> Result<Directory, ReadError> {
    let comment = profile.comment();
    let end_offset = source.length().checked_sub(22 + u64::from(comment));
    let end_offset = end_offset.ok_or_else(|| ReadError::archive(ZipFault::EndRecord))?;
    let bytes = source.read_vec(end_offset, 22)?;
    let end = Fields(&bytes);
    if end.u32(0) != END_RECORD || end.u16(20) != comment {
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
        if profile.is_canonical() {
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
