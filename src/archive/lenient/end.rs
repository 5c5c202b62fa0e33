//! Where a zip's central directory lies (4.3.14 to 4.3.16), as tolerant tools find it: the last end record whose comment fits
//! counts, whatever follows it, and the directory lies right before it, whatever its offset says.

use std::io;

use super::super::source::Source;
use super::super::structure::Fields;
use super::{CENTRAL_HEADER, read_up_to};

const END_RECORD: [u8; 4] = *b"PK\x05\x06";
const ZIP64_END_RECORD: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;

/// How much of a file's end is searched for the end record: the longest comment, and as much behind it.
const TAIL: u64 = 128 * 1024;

/// Where the central directory lies, and what the end records say.
pub(super) struct Directory {
    /// From the file's first byte.
    pub(super) offset: u64,
    pub(super) size: u64,
    /// Where the end records begin.
    pub(super) end: u64,
    pub(super) entries: u64,
    /// What has to be added to written offsets.
    pub(super) base: i64,
    pub(super) zip64: bool,
    pub(super) comment: Vec<u8>,
    pub(super) trailing: u64,
    /// Whether a header is there, or nothing has to be.
    pub(super) found: bool,
}

/// Finds the central directory; none where there is no end record.
pub(super) fn find_directory(source: &Source) -> io::Result<Option<Directory>> {
    let start = source.length().saturating_sub(TAIL);
    let tail = source.read_vec(start, source.length() - start)?;
    let records = memchr::memmem::rfind_iter(&tail, &END_RECORD).filter(|at| {
        let comment = tail.len() - at;
        comment >= 22 && usize::from(Fields(&tail[*at..]).u16(20)) <= comment - 22
    });
    // One whose comment ends with the file; else the last behind which there is something.
    let exact = |at: &usize| usize::from(Fields(&tail[*at..]).u16(20)) == tail.len() - at - 22;
    let candidates: Vec<usize> = records.take(64).collect();
    let Some(at) = candidates.iter().find(|at| exact(at)).or(candidates.first()).copied() else { return Ok(None) };

    let record = Fields(&tail[at..]);
    let end = start + at as u64;
    let comment_end = at + 22 + usize::from(record.u16(20));
    let mut directory = Directory {
        offset: record.u32(16).into(),
        size: record.u32(12).into(),
        end,
        entries: record.u16(10).into(),
        base: 0,
        zip64: false,
        comment: tail[at + 22..comment_end].to_vec(),
        trailing: (tail.len() - comment_end) as u64,
        found: false,
    };
    take_zip64_record(source, &mut directory)?;
    place(source, &mut directory)?;
    Ok(Some(directory))
}

/// Takes the values of the zip64 end record, where a locator in front of the end record leads to one.
fn take_zip64_record(source: &Source, directory: &mut Directory) -> io::Result<()> {
    let mut bytes = Vec::new();
    let Some(locator) = directory.end.checked_sub(20) else { return Ok(()) };
    read_up_to(source, locator, 20, &mut bytes)?;
    if bytes.len() < 20 || Fields(&bytes).u32(0) != ZIP64_LOCATOR {
        return Ok(());
    }
    // Right before the locator, or where that says.
    for offset in [locator.checked_sub(56), Some(Fields(&bytes).u64(8))].into_iter().flatten() {
        let mut record = Vec::new();
        read_up_to(source, offset, 56, &mut record)?;
        if record.len() == 56 && Fields(&record).u32(0) == ZIP64_END_RECORD {
            let fields = Fields(&record);
            directory.zip64 = true;
            directory.entries = fields.u64(32);
            directory.size = fields.u64(40);
            directory.offset = fields.u64(48);
            directory.end = offset;
            break;
        }
    }
    Ok(())
}

/// Decides where the directory lies: right before the end records, else where its offset says.
fn place(source: &Source, directory: &mut Directory) -> io::Result<()> {
    let written = directory.offset;
    let before = directory.end.checked_sub(directory.size);
    for offset in before.into_iter().chain([written]) {
        let mut bytes = Vec::new();
        read_up_to(source, offset, 4, &mut bytes)?;
        let is_header = bytes.len() == 4 && Fields(&bytes).u32(0) == CENTRAL_HEADER;
        if is_header || (directory.size == 0 && directory.entries == 0) {
            directory.found = true;
            directory.offset = offset;
            directory.base = offset.cast_signed().wrapping_sub(written.cast_signed());
            break;
        }
    }
    if !directory.found {
        directory.offset = directory.end;
    }
    // What reaches into the end records is no header; a record between them is a gap.
    directory.size = directory.size.min(source.length() - directory.offset);
    if directory.found {
        directory.size = directory.size.min(directory.end.saturating_sub(directory.offset));
    } else {
        directory.size = 0;
    }
    Ok(())
}
