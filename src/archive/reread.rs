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
pub(crate) fn check_written(source: &Source, prefix: &[u8], expected: &[Expected]) -> Result<Sha256Digest, ReadError> {
    let (digest, checked) = rayon::join(|| source.sha256(), || check_archive(source, prefix, expected));
    checked?;
    Ok(digest?)
}

fn check_archive(source: &Source, prefix: &[u8], expected: &[Expected]) -> Result<(), ReadError> {
    if source.read_vec(0, prefix.len() as u64)? != prefix {
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
        check_archive(&inner, &[], nested)?;
        return Ok(true);
    }
    let mut hasher = Sha256Hasher::default();
    unpacker.for_each_stored_piece(source, entry, |piece| hasher.update(piece))?;
    Ok(hasher.finish() == planned.stream_sha256)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::path::ArchivePath;
    use super::super::plan::{ArchivePlan, EntrySource, Mode, Packing, PlannedEntry};
    use super::super::write::write_archive;
    use super::*;
    use crate::epoch::Epoch;

    const PREFIX: &[u8] = b"#!/usr/bin/env python3\n";

    /// An archive with an entry of every kind: stored, deflated, empty, a directory, an archive, what names its digest.
    fn plan() -> ArchivePlan {
        let bytes = |text: &[u8], packing| EntrySource::Bytes { bytes: text.into(), packing };
        let planned = |entries: Vec<(&str, EntrySource)>| -> BTreeMap<ArchivePath, PlannedEntry> {
            let entry = |source| PlannedEntry { source, mode: Mode::Regular };
            entries.into_iter().map(|(name, source)| (ArchivePath::new(name).unwrap(), entry(source))).collect()
        };
        let text = b"text, text, text, text, text, text";
        let inner = planned(vec![
            ("deflated", bytes(text, Packing::Encode)),
            ("empty", bytes(b"", Packing::Encode)),
            ("stored", bytes(text, Packing::Store)),
        ]);
        let epoch = Epoch::default();
        let inner = ArchivePlan { prefix: Vec::new(), epoch, entries: inner };
        let names = |digests: &[Sha256Digest]| format!("{digests:?}").into_bytes();
        let entries = planned(vec![
            ("__main__.py", EntrySource::NamesDigests(Arc::new(names))),
            ("deflated", bytes(text, Packing::Encode)),
            ("directory", EntrySource::Directory),
            ("payload.zip", EntrySource::Nested(Box::new(inner))),
        ]);
        ArchivePlan { prefix: PREFIX.to_vec(), epoch, entries }
    }

    fn written() -> (Vec<u8>, Vec<Expected>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let expected = write_archive(&plan(), file.as_file(), &tempfile::tempfile).unwrap();
        (std::fs::read(file.path()).unwrap(), expected)
    }

    fn check(bytes: &[u8], expected: &[Expected]) -> Result<Sha256Digest, ReadError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        check_written(&Source::open(file.path()).unwrap(), PREFIX, expected)
    }

    #[test]
    fn takes_what_was_written() {
        let (bytes, expected) = written();
        assert_eq!(check(&bytes, &expected).unwrap(), Sha256Digest::of(&bytes));
    }

    #[test]
    fn refuses_every_changed_byte() {
        let (bytes, expected) = written();
        for place in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[place] ^= mask;
                assert!(check(&changed, &expected).is_err(), "byte {place} of {} ^ {mask:#x}", bytes.len());
            }
        }
    }

    #[test]
    fn refuses_every_truncation_and_anything_behind_the_end() {
        let (bytes, expected) = written();
        for end in 0..bytes.len() {
            assert!(check(&bytes[..end], &expected).is_err(), "{end} bytes");
        }
        assert!(check(&[bytes.as_slice(), b"\0"].concat(), &expected).is_err());
    }

    #[test]
    fn refuses_a_sound_archive_of_another_plan() {
        let (bytes, expected) = written();
        let other = |change: fn(&mut ArchivePlan)| {
            let mut plan = plan();
            change(&mut plan);
            let file = tempfile::NamedTempFile::new().unwrap();
            let own = write_archive(&plan, file.as_file(), &tempfile::tempfile).unwrap();
            let other = std::fs::read(file.path()).unwrap();
            assert_ne!(other, bytes);
            check_written(&Source::open(file.path()).unwrap(), PREFIX, &own).unwrap();
            check(&other, &expected).unwrap_err().to_string()
        };
        let contents = "the contents are not those that were checked [zip-contents]";
        let missing = other(|plan| plan.entries.retain(|path, _| path.as_str() != "directory"));
        assert_eq!(missing, contents);
        let mode = other(|plan| {
            plan.entries.values_mut().for_each(|entry| entry.mode = Mode::Executable);
        });
        assert_eq!(mode, format!("entry `__main__.py`: {contents}"));
        let bytes = other(|plan| {
            let entry = plan.entries.values_mut().find(|entry| matches!(entry.source, EntrySource::Bytes { .. }));
            let source = EntrySource::Bytes { bytes: b"other".as_slice().into(), packing: Packing::Store };
            entry.unwrap().source = source;
        });
        assert_eq!(bytes, format!("entry `deflated`: {contents}"));
    }
}
