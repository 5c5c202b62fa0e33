//! From a wheel's file to a [`VerifiedWheel`], which exists only when every rule for incoming wheels holds.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use pep440_rs::Version;
use rayon::prelude::*;

use crate::archive::{
    ArchivePath, Contents, Limits, Profile, ReadError, Source, Stamp, Unpacker, ZipEntry, ZipFault, ZipStructure,
    read_structure,
};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::status::{Explain, Status};

use super::entry_points::{EntryPoints, EntryPointsError};
use super::metadata::{Metadata, MetadataError, WheelFile};
use super::record::{Check, Record, RecordFault, is_unhashed};
use crate::target::{WheelFilename, WheelFilenameError};

/// METADATA of 16 MiB is refused: the largest seen is below 1 MB.
const METADATA_LIMIT: u64 = 16 << 20;
/// RECORD grows with the wheel: 100 bytes a file, a million files.
pub(crate) const RECORD_LIMIT: u64 = 256 << 20;
/// The first bytes of a script that are kept: a shebang's longest line.
const HEAD: usize = 256;

/// Where a wheel's bytes were found, before anything is known of them.
#[derive(Debug, Clone)]
pub struct WheelInput {
    /// The file.
    pub path: PathBuf,
    /// The digest that a lock, an index or a URL promises; none for a file that the user names.
    pub expected: Option<Sha256Digest>,
    /// Where the wheel comes from, as the manifest will say.
    pub origin: Origin,
}

/// Where a wheel comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A lock names it with its digest.
    Locked,
    /// An index served it.
    Index,
    /// The user gave it, as a file or in a directory.
    Local,
    /// It was built here, from this source.
    Built(BuiltFrom),
}

/// The source that a wheel was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFrom {
    /// Its URL without credentials, its file name, or "." for a directory.
    pub uri: String,
    /// The digest of its archive; none for a directory.
    pub sha256: Option<Sha256Digest>,
}

/// A file of a wheel whose bytes were checked.
#[derive(Debug, Clone)]
pub struct VerifiedFile {
    /// Where it lies in the wheel.
    pub entry: ZipEntry,
    /// What unpacking it proved.
    pub contents: Contents,
    /// Its bytes, where packing needs to read them: metadata, `.pth` files; the first bytes of a script.
    pub kept: Option<Vec<u8>>,
}

/// A wheel every byte of which was checked: against its expected digest, its own structure and its RECORD.
///
/// Only [`verify_wheel`] makes one, so nothing unchecked can be packed.
#[derive(Debug, Clone)]
pub struct VerifiedWheel {
    /// Its file name.
    pub filename: WheelFilename,
    /// Where its bytes are, for messages.
    pub path: PathBuf,
    /// The digest of the whole file.
    pub sha256: Sha256Digest,
    /// Where it comes from.
    pub origin: Origin,
    /// Its METADATA.
    pub metadata: Metadata,
    /// Its scripts.
    pub entry_points: EntryPoints,
    /// The name of its `.dist-info` directory.
    pub dist_info: String,
    /// The name that its `.data` directory has, whether it is there or not.
    pub data_directory: String,
    /// Whether its root goes to purelib.
    pub root_is_purelib: bool,
    /// Its regular files, in the order of its central directory.
    pub files: Vec<VerifiedFile>,
    source: Source,
    stamp: Stamp,
}

/// A rule for incoming wheels that a wheel breaks.
#[derive(Debug, thiserror::Error)]
pub enum WheelFault {
    /// The file's name.
    #[error("{0} [wheel-filename]")]
    Filename(#[from] WheelFilenameError),
    /// The file's digest.
    #[error("sha256: expected {expected}, found {found} [wheel-sha256]")]
    Sha256 {
        /// As promised.
        expected: Sha256Digest,
        /// As computed.
        found: Sha256Digest,
    },
    /// The container, or the file cannot be read.
    #[error(transparent)]
    Zip(#[from] ReadError),
    /// Not exactly one `.dist-info` directory, or one of another distribution.
    #[error("{0} [wheel-dist-info]")]
    DistInfo(String),
    /// METADATA or WHEEL.
    #[error("entry `{entry}`: {error} [wheel-metadata]")]
    Metadata {
        /// The file.
        entry: String,
        /// What is wrong with it.
        error: MetadataError,
    },
    /// File name and contents speak of different things.
    #[error("{what}: the file name has {filename}, {file} has {found} [wheel-disagrees]")]
    Disagrees {
        /// The thing.
        what: &'static str,
        /// As the file name has it.
        filename: String,
        /// The file that has it otherwise.
        file: &'static str,
        /// As that file has it.
        found: String,
    },
    /// RECORD and the archive disagree.
    #[error("{}{fault} [wheel-record]", .entry.as_ref().map_or("RECORD: ".to_owned(), |name| format!("entry `{name}`: RECORD: ")))]
    Record {
        /// The file that the fault is about, where it is about one.
        entry: Option<String>,
        /// What is wrong.
        fault: RecordFault,
    },
    /// `entry_points.txt`.
    #[error("entry `{entry}`: {error} [wheel-entry-points]")]
    EntryPoints {
        /// The file.
        entry: String,
        /// What is wrong with it.
        error: EntryPointsError,
    },
    /// A `.data` directory with a place that no installation scheme has.
    #[error("entry `{0}`: neither purelib, platlib, scripts, headers nor data [wheel-data]")]
    DataDirectory(String),
}

/// Why there is no verified wheel.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// The wheel breaks a rule.
    #[error("refused wheel `{wheel}`: {fault}")]
    Refused {
        /// The wheel's file name.
        wheel: String,
        /// The rule.
        fault: WheelFault,
    },
    /// The file cannot be read.
    #[error("cannot read wheel `{wheel}`: {error}")]
    Unreadable {
        /// The wheel's path.
        wheel: String,
        /// Why.
        error: io::Error,
    },
    /// Somebody wrote to the file while it was packed.
    #[error("wheel `{0}` changed while it was being packed")]
    Changed(String),
}

impl Explain for WheelError {
    fn status(&self) -> Status {
        match self {
            Self::Refused { .. } | Self::Changed(_) => Status::Refused,
            Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound => Status::Usage,
            Self::Unreadable { .. } => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Changed(_) => "build again when nothing writes to it",
            Self::Refused { fault: WheelFault::Sha256 { .. }, .. } => {
                "the file is not the one that was promised: fetch it again, and ask where the other one came from"
            }
            Self::Refused { fault: WheelFault::Zip(ReadError::Fault { fault, .. }), .. }
                if fault.code() == "zip-limit" =>
            {
                "if you trust the wheel, raise the limit with `--max-unpacked SIZE`"
            }
            Self::Refused { .. } => {
                "fetch the wheel again; if it stays refused, ask its publisher for one that follows the specification"
            }
            Self::Unreadable { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// Checks every wheel of `inputs`, in parallel; the result has their order.
///
/// First each wheel's digest, structure and RECORD, then every file of all of them against header and RECORD, each
/// inflated once: one list of files keeps all threads busy whatever the wheels' sizes.
///
/// # Errors
/// The error of the first wheel, in the order of `inputs`, that has one.
pub fn verify_wheels(inputs: &[WheelInput], limits: &Limits) -> Result<Vec<VerifiedWheel>, WheelError> {
    let opened: Vec<Result<OpenedWheel<'_>, WheelError>> =
        inputs.par_iter().map(|input| OpenedWheel::open(input, limits)).collect();
    let entries: Vec<(&OpenedWheel<'_>, &ZipEntry)> =
        opened.iter().flatten().flat_map(|wheel| wheel.entries.iter().map(move |entry| (wheel, entry))).collect();
    let mut results: Vec<Result<VerifiedFile, WheelFault>> = Vec::with_capacity(entries.len());
    entries
        .into_par_iter()
        .map_init(Unpacker::default, |unpacker, (wheel, entry)| wheel.check_file(unpacker, entry))
        .collect_into_vec(&mut results);
    let mut results = results.into_iter();
    let finish = |opened: Result<OpenedWheel<'_>, WheelError>| {
        let wheel = opened?;
        let files: Vec<_> = results.by_ref().take(wheel.entries.len()).collect();
        let input = wheel.input;
        let files = files.into_iter().collect::<Result<Vec<_>, _>>();
        files.and_then(|files| wheel.finish(files)).map_err(|fault| explain(input, fault))
    };
    opened.into_iter().map(finish).collect()
}

/// Checks one wheel, as [`verify_wheels`] does.
///
/// # Errors
/// When the file cannot be read, or the first rule that it breaks.
pub fn verify_wheel(input: &WheelInput, limits: &Limits) -> Result<VerifiedWheel, WheelError> {
    let mut verified = verify_wheels(std::slice::from_ref(input), limits)?;
    Ok(verified.pop().expect("one wheel for one input"))
}

/// The error of a wheel that a fault was found in.
fn explain(input: &WheelInput, fault: WheelFault) -> WheelError {
    match fault {
        WheelFault::Zip(ReadError::Io(error)) => {
            WheelError::Unreadable { wheel: input.path.display().to_string(), error }
        }
        fault => WheelError::Refused { wheel: input.file_name().escape_debug().to_string(), fault },
    }
}

impl WheelInput {
    fn file_name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// A wheel whose digest, structure and RECORD were checked; its files were not, yet.
struct OpenedWheel<'a> {
    input: &'a WheelInput,
    filename: WheelFilename,
    sha256: Sha256Digest,
    source: Source,
    stamp: Stamp,
    dist_info: String,
    data_directory: String,
    record: Record,
    entries: Vec<ZipEntry>,
}

impl<'a> OpenedWheel<'a> {
    fn open(input: &'a WheelInput, limits: &Limits) -> Result<Self, WheelError> {
        let unreadable = |error| WheelError::Unreadable { wheel: input.path.display().to_string(), error };
        let source = Source::open(&input.path).map_err(unreadable)?;
        let stamp = source.stamp().map_err(unreadable)?;
        Self::read(input, source, stamp, limits).map_err(|fault| explain(input, fault))
    }

    fn read(input: &'a WheelInput, source: Source, stamp: Stamp, limits: &Limits) -> Result<Self, WheelFault> {
        let filename: WheelFilename = input.file_name().parse()?;
        let sha256 = source.sha256().map_err(ReadError::Io)?;
        if let Some(expected) = input.expected.filter(|expected| *expected != sha256) {
            return Err(WheelFault::Sha256 { expected, found: sha256 });
        }
        let structure = read_structure(&source, Profile::Wheel, limits)?;
        let roots = root_directories(&structure);
        let dist_info = find_dist_info(&roots, &filename)?;
        let data_directory = find_data_directory(&roots, &filename)?;
        check_data_places(&structure.files, &data_directory)?;

        let record_path = format!("{dist_info}/RECORD");
        let record_entry = structure.files.iter().find(|entry| entry.path.as_str() == record_path);
        let record_entry = record_entry.ok_or_else(|| WheelFault::DistInfo(format!("`{record_path}` is missing")))?;
        let record = Unpacker::default().read(&source, record_entry, RECORD_LIMIT)?;
        let record = Record::parse(&record, &dist_info).map_err(|fault| WheelFault::Record { entry: None, fault })?;
        let entries = structure.files;
        Ok(Self { input, filename, sha256, source, stamp, dist_info, data_directory, record, entries })
    }

    fn check_file(&self, unpacker: &mut Unpacker, entry: &ZipEntry) -> Result<VerifiedFile, WheelFault> {
        let keep = keeps(entry.path.as_str(), &self.dist_info, &self.data_directory);
        verify_file(unpacker, &self.source, entry.clone(), &self.record, &self.dist_info, keep)
    }

    /// Reads the metadata in the checked files.
    fn finish(self, files: Vec<VerifiedFile>) -> Result<VerifiedWheel, WheelFault> {
        let dist_info = self.dist_info;
        check_ghosts(&self.record, &files)?;
        let kept = |file: &str| {
            let path = format!("{dist_info}/{file}");
            let found = files.iter().find(|candidate| candidate.entry.path.as_str() == path);
            found.and_then(|found| found.kept.as_deref())
        };
        let missing = |file: &str| WheelFault::DistInfo(format!("`{dist_info}/{file}` is missing"));
        let in_file = |file: &'static str| {
            let entry = format!("{dist_info}/{file}");
            move |error| WheelFault::Metadata { entry, error }
        };
        let metadata = kept("METADATA").ok_or_else(|| missing("METADATA"))?;
        let metadata = Metadata::parse(metadata).map_err(in_file("METADATA"))?;
        let wheel_file = kept("WHEEL").ok_or_else(|| missing("WHEEL"))?;
        let wheel_file = WheelFile::parse(wheel_file).map_err(in_file("WHEEL"))?;
        check_agreement(&self.filename, &metadata, &wheel_file)?;
        let entry_points = kept("entry_points.txt")
            .map(EntryPoints::parse)
            .transpose()
            .map_err(|error| WheelFault::EntryPoints { entry: format!("{dist_info}/entry_points.txt"), error })?;
        Ok(VerifiedWheel {
            filename: self.filename,
            path: self.input.path.clone(),
            sha256: self.sha256,
            origin: self.input.origin.clone(),
            metadata,
            entry_points: entry_points.unwrap_or_default(),
            data_directory: self.data_directory,
            root_is_purelib: wheel_file.root_is_purelib,
            dist_info,
            files,
            source: self.source,
            stamp: self.stamp,
        })
    }
}

/// How much of a file is kept in memory.
#[derive(Clone, Copy)]
enum Keep {
    Nothing,
    Head,
    Whole,
}

fn keeps(path: &str, dist_info: &str, data_directory: &str) -> Keep {
    let under = |directory: &str| path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
    let is_pth = |name: &str| name.ends_with(".pth") && !name.contains('/');
    let in_data = under(data_directory).and_then(|rest| rest.split_once('/'));
    match (under(dist_info), in_data) {
        (Some("METADATA" | "WHEEL" | "entry_points.txt"), _) => Keep::Whole,
        (None, Some(("scripts", _))) => Keep::Head,
        (None, Some(("purelib" | "platlib" | "data", name))) if is_pth(name) => Keep::Whole,
        (None, None) if is_pth(path) => Keep::Whole,
        _ => Keep::Nothing,
    }
}

fn verify_file(
    unpacker: &mut Unpacker,
    source: &Source,
    entry: ZipEntry,
    record: &Record,
    dist_info: &str,
    keep: Keep,
) -> Result<VerifiedFile, WheelFault> {
    let path = entry.path.as_str();
    let faulty = |fault| WheelFault::Record { entry: Some(path.to_owned()), fault };
    let row = record.0.get(path);
    if row.is_none() && !is_unhashed(path, dist_info) {
        return Err(faulty(RecordFault::Unlisted));
    }
    let mut check = row.map(|row| Check::new(row.digest));
    let limit = match keep {
        Keep::Nothing => 0,
        Keep::Head => HEAD,
        Keep::Whole if entry.size > METADATA_LIMIT => {
            let fault = ZipFault::Limit { what: "size of a metadata file", found: entry.size, limit: METADATA_LIMIT };
            return Err(ReadError::entry(path, fault).into());
        }
        Keep::Whole => usize::MAX,
    };
    let mut kept = Vec::new();
    let contents = unpacker.unpack(source, &entry, |piece| {
        if let Some(check) = &mut check {
            check.update(piece);
        }
        kept.extend_from_slice(&piece[..piece.len().min(limit - kept.len().min(limit))]);
        Ok(())
    })?;
    if let (Some(row), Some(check)) = (row, check) {
        if row.size != entry.size {
            return Err(faulty(RecordFault::Size { expected: row.size, found: entry.size }));
        }
        check.finish(&contents.sha256).map_err(faulty)?;
    }
    Ok(VerifiedFile { entry, contents, kept: (limit > 0).then_some(kept) })
}

/// A row whose file is not in the archive.
fn check_ghosts(record: &Record, files: &[VerifiedFile]) -> Result<(), WheelFault> {
    let present: BTreeSet<&str> = files.iter().map(|file| file.entry.path.as_str()).collect();
    match record.0.keys().find(|path| !present.contains(path.as_str())) {
        Some(ghost) => {
            let fault = RecordFault::Ghost(ghost.escape_debug().to_string());
            Err(WheelFault::Record { entry: None, fault })
        }
        None => Ok(()),
    }
}

/// The names of all directories at the root.
fn root_directories(structure: &ZipStructure) -> BTreeSet<String> {
    let in_files = structure.files.iter().filter_map(|entry| entry.path.as_str().split_once('/'));
    let directories = structure.directories.iter().map(|path| path.as_str().split('/').next().unwrap_or_default());
    in_files.map(|(root, _)| root).chain(directories).map(str::to_owned).collect()
}

/// Whether `stem` is `NAME-VERSION` of the distribution that the file name speaks of, in whatever spelling.
fn is_stem_of(stem: &str, filename: &WheelFilename) -> bool {
    stem.split_once('-').is_some_and(|(name, version)| {
        name.parse().is_ok_and(|name: PackageName| name == filename.name)
            && version.replace('_', "-").parse().is_ok_and(|version: Version| version == filename.version)
    })
}

fn is_dist_info(directory: &str) -> bool {
    directory.to_ascii_lowercase().ends_with(".dist-info")
}

/// The one `.dist-info` directory, which must be the one of the distribution that the file name speaks of.
fn find_dist_info(roots: &BTreeSet<String>, filename: &WheelFilename) -> Result<String, WheelFault> {
    let found: Vec<&str> = roots.iter().map(String::as_str).filter(|root| is_dist_info(root)).collect();
    let [dist_info] = found[..] else {
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        return Err(WheelFault::DistInfo(format!("exactly one .dist-info directory is due, found: {found}")));
    };
    if dist_info.strip_suffix(".dist-info").is_some_and(|stem| is_stem_of(stem, filename)) {
        return Ok(dist_info.to_owned());
    }
    let reason = format!("`{dist_info}` is not the directory of {} {}", filename.name, filename.version);
    Err(WheelFault::DistInfo(reason))
}

/// The name of the distribution's `.data` directory; where it has none, the name that it would have.
fn find_data_directory(roots: &BTreeSet<String>, filename: &WheelFilename) -> Result<String, WheelFault> {
    let is_data = |root: &&str| root.strip_suffix(".data").is_some_and(|stem| is_stem_of(stem, filename));
    let found: Vec<&str> = roots.iter().map(String::as_str).filter(is_data).collect();
    match found[..] {
        [] => Ok(format!("{}-{}.data", filename.name.in_file_name(), filename.version)),
        [one] => Ok(one.to_owned()),
        _ => Err(WheelFault::DistInfo(format!("one .data directory is due at most, found: {}", found.join(", ")))),
    }
}

/// In the `.data` directory there are only the places that installation schemes have, and nothing that installing would
/// make the metadata of a distribution, unseen by the checks of the one `.dist-info` directory.
fn check_data_places(entries: &[ZipEntry], data_directory: &str) -> Result<(), WheelFault> {
    for entry in entries {
        let in_data = entry.path.as_str().strip_prefix(data_directory).and_then(|rest| rest.strip_prefix('/'));
        let Some(in_data) = in_data else { continue };
        match in_data.split_once('/') {
            Some(("purelib" | "platlib" | "data", rest)) => {
                if rest.split_once('/').is_some_and(|(root, _)| is_dist_info(root)) {
                    let reason = format!("`{}` would be a second .dist-info directory", entry.path);
                    return Err(WheelFault::DistInfo(reason));
                }
            }
            Some(("scripts" | "headers", _)) => {}
            _ => return Err(WheelFault::DataDirectory(entry.path.to_string())),
        }
    }
    Ok(())
}

fn check_agreement(filename: &WheelFilename, metadata: &Metadata, wheel: &WheelFile) -> Result<(), WheelFault> {
    let differ = |what, filename: String, file, found: String| WheelFault::Disagrees { what, filename, file, found };
    if metadata.name != filename.name {
        return Err(differ("name", filename.name.to_string(), "METADATA", metadata.name.to_string()));
    }
    if metadata.version != filename.version {
        return Err(differ("version", filename.version.to_string(), "METADATA", metadata.version.to_string()));
    }
    if wheel.tags != filename.tags {
        let list = |tags: &BTreeSet<crate::target::WheelTag>| {
            let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
            tags.join(" ")
        };
        return Err(differ("tags", list(&filename.tags), "WHEEL", list(&wheel.tags)));
    }
    Ok(())
}

impl VerifiedWheel {
    /// Where the wheel's bytes are read from.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Tells whether the file is still the one that was checked. Where the file system says that it was touched, which a
    /// new or removed link to it does too, the bytes decide.
    ///
    /// # Errors
    /// When it was written to since, or cannot be read.
    pub(crate) fn check_unchanged(&self) -> Result<(), WheelError> {
        let unreadable = |error| WheelError::Unreadable { wheel: self.path.display().to_string(), error };
        let stamp = self.source.stamp().map_err(unreadable)?;
        if stamp == self.stamp {
            return Ok(());
        }
        let changed = || WheelError::Changed(self.filename.to_string());
        if !stamp.has_length_of(&self.stamp) {
            return Err(changed());
        }
        let sha256 = self.source.sha256().map_err(unreadable)?;
        if sha256 == self.sha256 { Ok(()) } else { Err(changed()) }
    }

    /// The checked file at `path` in the wheel.
    pub fn file(&self, path: &str) -> Option<&VerifiedFile> {
        self.files.iter().find(|file| file.entry.path.as_str() == path)
    }

    /// The bytes of a checked file, unpacked again.
    ///
    /// # Errors
    /// When the wheel cannot be read, or was written to since it was checked.
    pub(crate) fn read_file(&self, file: &VerifiedFile) -> Result<Vec<u8>, WheelError> {
        let mut unpacker = Unpacker::default();
        let bytes = unpacker.read(&self.source, &file.entry, u64::MAX);
        match bytes {
            Ok(bytes) if Sha256Digest::of(&bytes) == file.contents.sha256 => Ok(bytes),
            Ok(_) | Err(ReadError::Fault { .. }) => Err(WheelError::Changed(self.filename.to_string())),
            Err(ReadError::Io(error)) => Err(WheelError::Unreadable { wheel: self.path.display().to_string(), error }),
        }
    }

    /// Where installers would put the file at `path`, relative to site-packages, or to the root for `data`.
    ///
    /// # Errors
    /// When the resulting name is unsafe, which the name in the wheel was not.
    pub(crate) fn installed_path(&self, path: &ArchivePath) -> Result<ArchivePath, crate::archive::PathFault> {
        let in_data = path.as_str().strip_prefix(&self.data_directory).and_then(|rest| rest.strip_prefix('/'));
        let Some((place, rest)) = in_data.and_then(|rest| rest.split_once('/')) else { return Ok(path.clone()) };
        ArchivePath::new(match place {
            "scripts" => format!("bin/{rest}"),
            "headers" => format!("include/{}/{rest}", self.metadata.name),
            _ => rest.to_owned(),
        })
    }
}
