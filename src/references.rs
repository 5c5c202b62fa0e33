//! References into a directory, such as `/nix/store`, that a `.pyz`, a wheel or another zip holds: in what its members
//! unpack to, in their names, in the `#!` line, and in whatever else the file is made of.
//!
//! A reference is the directory's path, `/`, and a letter or digit: prose and patterns that only name the directory hold
//! none. Neither do 32 times `e` or 32 capitals in the place of a hash, which is what Nix leaves where it removed a reference.
//!
//! Zips in members are looked into, however deep, and so are gzip streams; a tar is read as the bytes that it is. What is
//! packed in another way, or once more in a gzip stream, or cannot be read, is named with the result, since nothing is known
//! of it. Memory does not depend on the size of what is read.

mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::archive::{
    Limits, Method, Profile, ReadError, Source, SourceReader, Unpacker, ZipEntry, ZipStructure, read_structure,
};
use crate::evidence::{MANIFEST_PATH, ManifestFile};
use crate::finished::{FinishedError, FinishedPyz, is_payload, read_shebang};
use crate::names::PackageName;
use crate::status::{Explain, Status};
use crate::target::WheelFilename;

pub use scan::{Directory, DirectoryError};
use scan::{Hit, Scanner};

/// How deep archives in archives are looked into: a zip can be made that holds itself.
const DEEPEST: u32 = 6;

/// How many bytes are unpacked of archives in archives, in all.
const UNPACKED: u64 = 32 << 30;

/// The length of a zip's last record, without a comment (APPNOTE 4.3.16).
const END_RECORD: usize = 22;

/// Bytes read at a time.
const PIECE: usize = 128 * 1024;

/// A place that holds a reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The member, with those that it lies in before it; none for the file itself.
    pub member: Vec<String>,
    /// The distribution that it belongs to, where that is known.
    pub distribution: Option<PackageName>,
    /// Where in it.
    pub place: Place,
    /// The first reference there, to its end or 200 bytes of it.
    pub text: String,
}

/// Where in a file or member a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The `#!` line.
    FirstLine,
    /// Bytes of an archive that are neither names nor contents of its members.
    Headers,
    /// What the member unpacks to.
    Contents,
    /// The member's name.
    Name,
}

impl Place {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstLine => "first-line",
            Self::Headers => "headers",
            Self::Contents => "contents",
            Self::Name => "name",
        }
    }
}

/// A member that was searched as the bytes that it is, and not for what is packed in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unopened {
    /// The member, with those that it lies in before it.
    pub member: Vec<String>,
    /// Why.
    pub reason: String,
}

/// What came of a search.
#[derive(Debug, Default)]
pub struct Searched {
    /// What holds references, a member once, in the order of names.
    pub found: Vec<Reference>,
    /// What was not looked into.
    pub unopened: Vec<Unopened>,
    /// How many members were searched.
    pub members: u64,
}

/// Why a file cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// It cannot be read, or is a damaged `.pyz`.
    #[error(transparent)]
    Finished(#[from] FinishedError),
    /// It is no zip that can be read in one way alone.
    #[error("cannot search `{path}`: {error}")]
    Zip {
        /// The file.
        path: String,
        /// What is wrong.
        error: ReadError,
    },
}

impl Explain for SearchError {
    fn status(&self) -> Status {
        match self {
            Self::Finished(error) => error.status(),
            Self::Zip { .. } => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Finished(error) => error.hint(),
            Self::Zip { .. } => None,
        }
    }
}

/// Finds what refers into `directory` in the file at `path`. What is packed in what is packed is unpacked to a file in
/// `temporary` that has no name.
///
/// # Errors
/// It cannot be read, is no zip that the strict reader accepts, or is a `.pyz` with a damaged manifest or member.
pub fn find_references(path: &Path, directory: &Directory, temporary: &Path) -> Result<Searched, SearchError> {
    let explain = |error| match error {
        ReadError::Io(error) => SearchError::Finished(FinishedError::read(path, error)),
        error @ ReadError::Fault { .. } => SearchError::Zip { path: path.display().to_string(), error },
    };
    let source = Source::open(path).map_err(|error| FinishedError::read(path, error))?;
    let structure = read_structure(&source, Profile::Program, &Limits::default()).map_err(explain)?;
    let is_ours = structure.files.iter().any(|entry| entry.path.as_str() == MANIFEST_PATH);
    let finished = is_ours.then(|| FinishedPyz::read(path, source.clone())).transpose()?;
    let files = finished.iter().flat_map(|finished| &finished.manifest.files);
    let owners: BTreeMap<&str, &ManifestFile> = files.map(|file| (file.path.as_str(), file)).collect();
    let archive = Archive {
        source,
        structure,
        at: Vec::new(),
        distribution: path.file_name().and_then(|name| name.to_str()).and_then(wheel_name),
        owners: Some(&owners),
    };
    let search = Search { directory, temporary, left: AtomicU64::new(UNPACKED) };
    let mut searched = search.archive(&archive).map_err(explain)?;
    searched.found.sort();
    searched.unopened.sort();
    Ok(searched)
}

struct Search<'a> {
    directory: &'a Directory,
    temporary: &'a Path,
    /// Bytes of archives in archives that may still be unpacked.
    left: AtomicU64,
}

/// An archive that is searched.
struct Archive<'a> {
    source: Source,
    structure: ZipStructure,
    /// Where it lies.
    at: Vec<String>,
    /// The distribution that all of it belongs to.
    distribution: Option<PackageName>,
    /// Whose its members are by the manifest; none in an archive that is itself an application's file.
    owners: Option<&'a BTreeMap<&'a str, &'a ManifestFile>>,
}

impl Archive<'_> {
    fn path_of(&self, name: &str) -> Vec<String> {
        self.at.iter().cloned().chain([name.to_owned()]).collect()
    }

    fn distribution_of(&self, name: &str) -> Option<PackageName> {
        let named = self.owners.and_then(|owners| owners.get(name)?.distribution.clone());
        named.or_else(|| self.distribution.clone())
    }
}

/// How a member's bytes are packed once more.
#[derive(Clone, Copy)]
enum Packed {
    Zip,
    Gzip,
    /// In a way that nothing here unpacks.
    Otherwise(&'static str),
}

/// How packed bytes begin.
const MAGIC: [(&[u8], Packed); 6] = [
    (b"PK\x03\x04", Packed::Zip),
    (b"\x1f\x8b\x08", Packed::Gzip),
    (b"\xfd7zXZ\0", Packed::Otherwise("xz")),
    (b"\x28\xb5\x2f\xfd", Packed::Otherwise("zstd")),
    (b"BZh91AY&SY", Packed::Otherwise("bzip2")),
    (b"7z\xbc\xaf\x27\x1c", Packed::Otherwise("7z")),
];

/// The ends of a member's bytes, which tell what it is.
#[derive(Default)]
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Ends {
    fn take(&mut self, piece: &[u8]) {
        self.head.extend(piece.iter().take(END_RECORD - self.head.len()));
        self.tail.extend(&piece[piece.len().saturating_sub(END_RECORD)..]);
        self.tail.drain(..self.tail.len().saturating_sub(END_RECORD));
    }

    fn packed(&self) -> Option<Packed> {
        // A zip may stand behind a program that starts it.
        let ends_a_zip = self.tail.len() == END_RECORD && self.tail.starts_with(b"PK\x05\x06");
        if ends_a_zip && self.tail.ends_with(b"\0\0") {
            return Some(Packed::Zip);
        }
        MAGIC.iter().find(|(magic, _)| self.head.starts_with(magic)).map(|(_, packed)| *packed)
    }
}

impl Searched {
    fn add(mut self, other: Self) -> Self {
        self.found.extend(other.found);
        self.unopened.extend(other.unopened);
        self.members += other.members;
        self
    }
}

impl Search<'_> {
    fn archive(&self, archive: &Archive<'_>) -> Result<Searched, ReadError> {
        let files = archive.structure.files.par_iter();
        let searched = files
            .map_init(Unpacker::default, |unpacker, entry| self.member(unpacker, archive, entry))
            .try_reduce(Searched::default, |one, other| Ok(one.add(other)))?;
        let directories = archive.structure.directories.iter().map(|path| format!("{path}/"));
        let names = archive.structure.files.iter().map(|entry| entry.path.as_str().to_owned()).chain(directories);
        let in_names: Vec<(String, String)> =
            names.filter_map(|name| Some((self.directory.first_in(name.as_bytes())?, name))).collect();
        let outside = self.outside(archive, &in_names.iter().map(|(text, _)| text.as_str()).collect())?;
        let mut searched = searched.add(Searched { found: outside, ..Searched::default() });
        for (text, name) in in_names {
            let member = archive.path_of(&name);
            // One line for each member: what it unpacks to is told first.
            if !searched.found.iter().any(|reference| reference.member == member) {
                let distribution = archive.distribution_of(&name);
                searched.found.push(Reference { member, distribution, place: Place::Name, text });
            }
        }
        Ok(searched)
    }

    /// What the archive's own bytes hold beside names, which are searched by themselves, and contents.
    fn outside(&self, archive: &Archive<'_>, in_names: &BTreeSet<&str>) -> Result<Vec<Reference>, ReadError> {
        let entries = archive.structure.files.iter().filter(|entry| entry.method == Method::Stored);
        let contents: BTreeMap<u64, u64> =
            entries.map(|entry| (entry.data_offset, entry.data_offset + entry.compressed_size)).collect();
        let first_line = read_shebang(&archive.source)?.map_or(0, |line| line.len() as u64 + 2);
        let (mut first, mut other) = (None, None);
        let mut scanner = Scanner::new(self.directory);
        let mut take = |hit: Hit<'_>| {
            let is_content = contents.range(..=hit.offset).next_back().is_some_and(|(_, end)| hit.end <= *end);
            let is_name = in_names.iter().any(|name| hit.text.starts_with(name));
            // What is in front of a header ends where its signature begins (`PK` and two numbers).
            let is_next = hit.next.starts_with(b"PK") && hit.next.get(2).is_some_and(u8::is_ascii_control);
            let place = if hit.offset < first_line { &mut first } else { &mut other };
            if !is_content && !is_name && !is_next && place.is_none() {
                *place = Some(hit.text);
            }
        };
        let source = &archive.source;
        source.for_each_piece(0, source.length(), &mut vec![0; PIECE], |piece| {
            scanner.push(piece, &mut take);
            Ok::<(), ReadError>(())
        })?;
        scanner.finish(&mut take);
        let reference = |(place, text): (Place, Option<String>)| {
            let (member, distribution) = (archive.at.clone(), archive.distribution.clone());
            Some(Reference { member, distribution, place, text: text? })
        };
        Ok([(Place::FirstLine, first), (Place::Headers, other)].into_iter().filter_map(reference).collect())
    }

    fn member(&self, unpacker: &mut Unpacker, archive: &Archive<'_>, entry: &ZipEntry) -> Result<Searched, ReadError> {
        let name = entry.path.as_str();
        let mut ends = Ends::default();
        let mut first = None;
        let mut scanner = Scanner::new(self.directory);
        let outcome = unpacker.unpack(&archive.source, entry, |piece| {
            ends.take(piece);
            scanner.push(piece, &mut |hit: Hit<'_>| {
                first.get_or_insert(hit.text);
            });
            Ok(())
        });
        scanner.finish(&mut |hit: Hit<'_>| {
            first.get_or_insert(hit.text);
        });
        let member = archive.path_of(name);
        // An application may come with a damaged zip, for its tests.
        let is_strict = archive.owners.is_some();
        let (inner, first) = match (outcome, ends.packed()) {
            (Err(error @ ReadError::Fault { .. }), _) if !is_strict => {
                (Searched::unopened(member.clone(), error.to_string()), first)
            }
            (Err(error), _) => return Err(error),
            (Ok(_), None) => (Searched::default(), first),
            (Ok(_), Some(packed)) => match self.packed(unpacker, archive, entry, packed) {
                // What the inner archive says is more precise than its bytes are.
                Ok(Within::Archive(searched)) => (searched, None),
                Ok(Within::Stream(found)) => (Searched::default(), first.or(found)),
                Err(ReadError::Io(error)) => return Err(error.into()),
                Err(error) if is_strict && is_payload(name) => return Err(error),
                Err(error) => (Searched::unopened(member.clone(), error.to_string()), first),
                Ok(Within::Unknown(reason)) => (Searched::unopened(member.clone(), reason), first),
            },
        };
        let distribution = archive.distribution_of(name);
        let found = first.map(|text| Reference { member, distribution, place: Place::Contents, text });
        Ok(inner.add(Searched { found: found.into_iter().collect(), members: 1, ..Searched::default() }))
    }

    fn packed(
        &self,
        unpacker: &mut Unpacker,
        archive: &Archive<'_>,
        entry: &ZipEntry,
        packed: Packed,
    ) -> Result<Within, ReadError> {
        if let Packed::Otherwise(how) = packed {
            return Ok(Within::Unknown(format!("it is packed by {how}")));
        }
        if u32::try_from(archive.at.len()).is_ok_and(|depth| depth >= DEEPEST) {
            return Ok(Within::Unknown(format!("it lies in {DEEPEST} archives")));
        }
        let Some(source) = self.open(unpacker, &archive.source, entry)? else { return Ok(Within::exhausted()) };
        if matches!(packed, Packed::Gzip) {
            return Ok(self.gzip(source));
        }
        let structure = read_structure(&source, Profile::Program, &Limits::default())?;
        let name = entry.path.as_str();
        let base = name.rsplit('/').next().unwrap_or(name);
        let inner = Archive {
            source,
            structure,
            at: archive.path_of(name),
            distribution: wheel_name(base).or_else(|| archive.distribution_of(name)),
            owners: archive.owners.filter(|_| archive.at.is_empty() && is_payload(name)),
        };
        self.archive(&inner).map(Within::Archive)
    }

    /// A member as a source of its own; none where too much was unpacked before.
    fn open(&self, unpacker: &mut Unpacker, source: &Source, entry: &ZipEntry) -> Result<Option<Source>, ReadError> {
        if entry.method == Method::Stored {
            return Ok(Some(source.slice(entry.data_offset, entry.compressed_size)?));
        }
        if !self.spend(entry.size) {
            return Ok(None);
        }
        let mut file = tempfile::tempfile_in(self.temporary)?;
        unpacker.unpack(source, entry, |piece| Ok(file.write_all(piece)?))?;
        Ok(Some(Source::of_file(Arc::<File>::new(file))?))
    }

    /// Searches what a gzip stream unpacks to, as far as it can be unpacked.
    fn gzip(&self, source: Source) -> Within {
        let mut decoder = flate2::read::MultiGzDecoder::new(SourceReader::new(source));
        let mut scanner = Scanner::new(self.directory);
        let mut first = None;
        let mut take = |hit: Hit<'_>| {
            first.get_or_insert(hit.text);
        };
        let mut piece = vec![0; PIECE];
        let mut ends = Ends::default();
        let end = loop {
            match decoder.read(&mut piece) {
                Ok(0) if ends.packed().is_some() => break Err(Within::Unknown("it is packed twice".to_owned())),
                Ok(0) => break Ok(()),
                Ok(read) if self.spend(read as u64) => {
                    ends.take(&piece[..read]);
                    scanner.push(&piece[..read], &mut take);
                }
                Ok(_) => break Err(Within::exhausted()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(Within::Unknown(format!("it is no whole gzip stream: {error}"))),
            }
        };
        scanner.finish(&mut take);
        match end {
            Err(unknown) if first.is_none() => unknown,
            _ => Within::Stream(first),
        }
    }

    fn spend(&self, bytes: u64) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// What is within a member that is packed once more.
enum Within {
    Archive(Searched),
    Stream(Option<String>),
    Unknown(String),
}

impl Within {
    fn exhausted() -> Self {
        Self::Unknown(format!("archives in archives have more than {} GiB", UNPACKED >> 30))
    }
}

impl Searched {
    fn unopened(member: Vec<String>, reason: String) -> Self {
        Self { unopened: vec![Unopened { member, reason }], ..Self::default() }
    }
}

/// The distribution of a wheel by its file's name.
fn wheel_name(filename: &str) -> Option<PackageName> {
    filename.parse::<WheelFilename>().ok().map(|wheel| wheel.name)
}
