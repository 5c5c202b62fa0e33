//! Reading a written archive again before it gets its name: by the strict reader, which shares nothing with the writer,
//! against what was planned.

use rayon::prelude::*;

use super::fault::{ReadError, ZipFault};
use super::source::Source;
use super::structure::{Limits, Profile, ZipEntry, read_structure};
use super::unpack::Unpacker;
use super::write::{Expected, ExpectedFile};
use crate::digest::{Sha256Digest, Sha256Hasher};

/// The digest of a whole archive that was read again and found to hold what was planned, and nothing else.
///
/// # Errors
/// The first thing that is not as planned; or a file that cannot be read.
pub(crate) fn check_written(source: &Source, prefix: &str, expected: &[Expected]) -> Result<Sha256Digest, ReadError> {
    let (digest, checked) = rayon::join(|| source.sha256(), || check_archive(source, prefix, expected));
    checked?;
    Ok(digest?)
}

fn check_archive(source: &Source, prefix: &str, expected: &[Expected]) -> Result<(), ReadError> {
    if source.read_vec(0, prefix.len() as u64)? != prefix.as_bytes() {
        return Err(ReadError::archive(ZipFault::NotCanonical("the first line")));
    }
    // What was planned is not bounded again: its size is that of wheels which passed the limits.
    let limits = Limits { entries: u64::MAX, unpacked: u64::MAX, entry_unpacked: u64::MAX, ratio: u64::MAX };
    let structure = read_structure(source, Profile::Canonical { prefix: prefix.len() as u64 }, &limits)?;
    let contents = ReadError::entry;
    let (planned_files, planned_directories): (Vec<_>, Vec<_>) =
        expected.iter().partition(|entry| entry.file.is_some());
    if !structure.directories.iter().eq(planned_directories.iter().map(|entry| &entry.path))
        || !structure.files.iter().map(|entry| &entry.path).eq(planned_files.iter().map(|entry| &entry.path))
    {
        return Err(ReadError::archive(ZipFault::Contents));
    }
    let pairs: Vec<_> =
        structure.files.iter().zip(planned_files.iter().filter_map(|entry| entry.file.as_ref())).collect();
    let results: Vec<Result<(), ReadError>> = pairs
        .into_par_iter()
        .map_init(Unpacker::default, |unpacker, (entry, planned)| {
            let attributes = (0o100_000 | planned.mode.bits()) << 16;
            if entry.method != planned.method
                || entry.crc32 != planned.crc32
                || entry.size != planned.size
                || entry.external_attributes != attributes
                || !has_contents(unpacker, source, entry, planned)?
            {
                return Err(contents(entry.path.as_str(), ZipFault::Contents));
            }
            Ok(())
        })
        .collect();
    results.into_iter().collect()
}

/// Whether the stream of `entry` is the planned one. A stream that was made here is unpacked as well, and an archive
/// within the archive is read strictly itself.
fn has_contents(
    unpacker: &mut Unpacker,
    source: &Source,
    entry: &ZipEntry,
    planned: &ExpectedFile,
) -> Result<bool, ReadError> {
    if let Some(sha256) = planned.unproved {
        let contents = unpacker.unpack(source, entry, |_| Ok(()))?;
        return Ok(contents.sha256 == sha256 && contents.stream_sha256 == planned.stream_sha256);
    }
    if let Some(nested) = &planned.nested {
        // Its digest was taken of what was written; here every header's fields and every stream are compared, which
        // leaves no byte of it out.
        let inner = source.slice(entry.data_offset, entry.size)?;
        check_archive(&inner, "", nested)?;
        return Ok(true);
    }
    let mut hasher = Sha256Hasher::default();
    unpacker.for_each_stored_piece(source, entry, |piece| hasher.update(piece))?;
    Ok(hasher.finish() == planned.stream_sha256)
}
