//! A zip as a plan of its canonical form: its frame, its structure and each member's contents, read and checked.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use crate::archive::{
    ArchivePath, ArchivePlan, Contents, EntrySource, Epoch, Frame, Limits, MAX_ENTRIES, Mode, Packing, PlannedEntry,
    Profile, ReadError, Source, Unpacker, ZipEntry, find_frame, read_structure,
};

use super::NormalizeError;
use super::prefix::read_prefix;

/// Bytes of all members together. Each is read piece by piece, so a large one costs time and no memory.
const MOST_UNPACKED: u64 = 32 << 30;

/// Seconds between UTC and the time zone farthest from it.
const FARTHEST_ZONE: u64 = 14 * 3600;

/// The header of a compiled module (PEP 552).
const PYC_HEADER: usize = 16;

/// Members that have to be the first of their formats, and what these are: OCF 3.0, 4.2.3; ODF 1.3, part 2, 3.3; the
/// `JarInputStream` of Java.
const FIRST: [(&str, &str); 2] = [("mimetype", "EPUB and OpenDocument"), ("META-INF/MANIFEST.MF", "jars")];

/// What a zip holds, as it is to be written.
pub(super) struct Members {
    /// Its canonical form.
    pub(super) plan: ArchivePlan,
    /// Bytes that stand before what the plan describes, and before what offsets count from.
    pub(super) lead: u64,
    /// Compiled modules beside their sources, of which they hold another time than that of the form.
    pub(super) timed_modules: Vec<String>,
}

/// Reads the zip in `source`, which is at `path`; everything in it is checked.
pub(super) fn read_members(path: &Path, source: &Source, epoch: Epoch) -> Result<Members, NormalizeError> {
    let refused = |error| NormalizeError::refused(path, error);
    let Frame { base, comment } = find_frame(source).map_err(refused)?;
    let archive = source.slice(base, source.length() - base).map_err(|error| NormalizeError::read(path, error))?;
    let limits =
        Limits { entries: MAX_ENTRIES as u64, unpacked: MOST_UNPACKED, entry_unpacked: u64::MAX, ratio: u64::MAX };
    let structure = read_structure(&archive, Profile::Zip { comment }, &limits).map_err(refused)?;
    let (lead, prefix) = read_prefix(source, base, base + structure.start).map_err(refused)?;

    let foremost = structure.files.first().map(|entry| entry.path.clone());
    let contents: Vec<Result<(Contents, bool), ReadError>> = structure
        .files
        .par_iter()
        .map_init(Unpacker::default, |unpacker, entry| read_contents(unpacker, &archive, entry, epoch))
        .collect();
    let mut entries = BTreeMap::new();
    let mut timed = Vec::new();
    for (entry, contents) in structure.files.into_iter().zip(contents) {
        let (contents, is_timed) = contents.map_err(refused)?;
        if is_timed {
            timed.push(entry.path.clone());
        }
        let mode = mode_of(&entry);
        let path = entry.path.clone();
        let source = EntrySource::Entry { source: archive.clone(), entry, contents, packing: Packing::Encode };
        entries.insert(path, PlannedEntry { source, mode });
    }
    for directory in structure.directories {
        entries.insert(directory, PlannedEntry { source: EntrySource::Directory, mode: Mode::Executable });
    }
    if let Some(foremost) = foremost {
        check_first(path, foremost.as_str(), &entries)?;
    }
    let sources: HashSet<&str> = entries.keys().map(ArchivePath::as_str).collect();
    let timed_modules = timed
        .into_iter()
        .map(|module| module.to_string())
        .filter(|module| sources.contains(&module[..module.len() - 1]))
        .collect();
    Ok(Members { plan: ArchivePlan { prefix, epoch, entries }, lead, timed_modules })
}

/// Unpacks a file; tells too whether it is a compiled module that holds a time of its source which is not `epoch`.
fn read_contents(
    unpacker: &mut Unpacker,
    archive: &Source,
    entry: &ZipEntry,
    epoch: Epoch,
) -> Result<(Contents, bool), ReadError> {
    let is_module = entry.path.as_str().ends_with(".pyc");
    let mut head = Vec::new();
    let contents = unpacker.unpack(archive, entry, |piece| {
        let wanted = if is_module { PYC_HEADER - head.len().min(PYC_HEADER) } else { 0 };
        head.extend_from_slice(&piece[..piece.len().min(wanted)]);
        Ok(())
    })?;
    // Every magic number ends in a carriage return and a newline; flags of zero mean time and size.
    let time = match head[..] {
        [_, _, b'\r', b'\n', 0, 0, 0, 0, a, b, c, d, ..] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    };
    // A zip's times are local ones to Python.
    Ok((contents, time.is_some_and(|time| epoch.seconds().abs_diff(time.into()) > FARTHEST_ZONE)))
}

/// Executable where the owner may execute it: on unix, or by a whole mode of unix, which Python writes on Windows too.
fn mode_of(entry: &ZipEntry) -> Mode {
    let mode = entry.external_attributes >> 16;
    let whole = mode & 0o170_000 == 0o100_000 && mode & 0o100 != 0;
    if entry.executable || whole { Mode::Executable } else { Mode::Regular }
}

/// Refuses a format in which a member has to be the first where it is, `foremost`, and would not be.
fn check_first(
    path: &Path,
    foremost: &str,
    entries: &BTreeMap<ArchivePath, PlannedEntry>,
) -> Result<(), NormalizeError> {
    let Some((_, format)) = FIRST.iter().find(|(name, _)| *name == foremost) else { return Ok(()) };
    let is_file = |entry: &PlannedEntry| !matches!(entry.source, EntrySource::Directory);
    match entries.iter().find(|(_, entry)| is_file(entry)) {
        Some((first, _)) if first.as_str() != foremost => Err(NormalizeError::First {
            path: path.display().to_string(),
            entry: foremost.to_owned(),
            format,
            first: first.as_str().escape_debug().to_string(),
        }),
        _ => Ok(()),
    }
}
