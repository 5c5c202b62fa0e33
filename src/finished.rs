//! A finished `.pyz`, opened: its structure and those of its payloads were read strictly, its manifest parsed. What the
//! manifest says was compared with nothing yet, and nothing of the file is run.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{Limits, Profile, ReadError, Source, Unpacker, ZipEntry, ZipStructure, read_structure};
use crate::digest::Sha256Digest;
use crate::evidence::{Distribution, EmbeddedSbom, Facts, MANIFEST_PATH, Manifest, ORIGINS_PATH, Origins, parse_json};
use crate::names::PackageName;
use crate::shown::shown;
use crate::status::{Explain, Status};
use crate::wheel::header_fields;

/// A manifest larger than this is refused; 300 bytes a file, for as many files as payloads hold.
pub(crate) const MANIFEST_LIMIT: u64 = 256 << 20;

/// A METADATA file larger than this is refused; long descriptions are part of it.
pub(crate) const METADATA_LIMIT: u64 = 16 << 20;

/// How much of the header fields of all METADATA files is held, in bytes of memory: hundreds of times what a thousand
/// distributions have.
const METADATA_IN_ALL: usize = 256 << 20;

/// What a header field takes in memory beside its bytes.
const FIELD: usize = 64;

/// The longest first line: `#!`, 127 bytes, a newline.
const FIRST_LINE: u64 = 130;

/// A finished `.pyz`, opened.
#[derive(Debug)]
pub struct FinishedPyz {
    /// Where it is.
    pub path: PathBuf,
    /// The open file.
    pub source: Source,
    /// Its first line, without `#!`.
    pub shebang: String,
    /// The entries of the file itself.
    pub outer: ZipStructure,
    /// The archives within it.
    pub payloads: Vec<Payload>,
    /// Its manifest.
    pub manifest: Manifest,
    /// What the manifest has no key for.
    pub origins: Origins,
}

/// An archive with the application's files, within a `.pyz`.
#[derive(Debug)]
pub struct Payload {
    /// Its name in the outer archive.
    pub name: String,
    /// Its bytes.
    pub source: Source,
    /// Its entries.
    pub structure: ZipStructure,
}

/// Why a file cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum FinishedError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It is no zip in format 1.
    #[error("`{path}` is not a .pyz of pyzpack: {error}")]
    NotOurs {
        /// The file.
        path: String,
        /// What is wrong.
        error: ReadError,
    },
    /// It has no manifest.
    #[error("`{0}` is not a .pyz of pyzpack: it has no `{MANIFEST_PATH}`")]
    NoManifest(String),
    /// It does not hold the files that its manifest names.
    #[error("`{path}` does not hold what its manifest names: {error}")]
    Differs {
        /// The file.
        path: String,
        /// What differs.
        error: ReadError,
    },
    /// It was written to meanwhile.
    #[error("`{0}` changed while it was read")]
    Changed(String),
    /// Its manifest is not one.
    #[error("`{path}`: its manifest cannot be used: {reason}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl FinishedError {
    /// A file that cannot be read, or ended while it was.
    pub(crate) fn read(path: &Path, error: io::Error) -> Self {
        let path = path.display().to_string();
        match error.kind() {
            // It ends earlier than it did when it was opened.
            io::ErrorKind::UnexpectedEof => Self::Changed(path),
            _ => Self::Read { path, error },
        }
    }

    /// A file that does not hold what its manifest names.
    pub(crate) fn differs(path: &Path, error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::read(path, error),
            error @ ReadError::Fault { .. } => Self::Differs { path: path.display().to_string(), error },
        }
    }
}

impl Explain for FinishedError {
    fn status(&self) -> Status {
        let usage = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::InvalidInput];
        match self {
            Self::Read { error, .. } if usage.contains(&error.kind()) => Status::Usage,
            Self::Read { .. } => Status::Machine,
            _ => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Changed(_) => Some("try again when nothing writes to it".to_owned()),
            _ => None,
        }
    }
}

impl FinishedPyz {
    /// Opens the `.pyz` at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is not in format 1, or has no usable manifest.
    pub fn open(path: &Path) -> Result<Self, FinishedError> {
        Self::read(path, Source::open(path).map_err(|error| FinishedError::read(path, error))?)
    }

    /// Reads an open `.pyz`, which is or is going to be at `path`.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn read(path: &Path, source: Source) -> Result<Self, FinishedError> {
        let shown_path = || path.display().to_string();
        let io_error = |error| FinishedError::read(path, error);
        let not_ours = |error| match error {
            ReadError::Io(error) => io_error(error),
            error @ ReadError::Fault { .. } => FinishedError::NotOurs { path: shown_path(), error },
        };
        let shebang = read_shebang(&source).map_err(io_error)?;
        let prefix = shebang.as_ref().map_or(0, |line| line.len() as u64 + 3);
        let limits = Limits::default();
        let outer = read_structure(&source, Profile::Canonical { prefix }, &limits).map_err(not_ours)?;
        let malformed = |reason: String| FinishedError::Manifest { path: shown_path(), reason };
        let bytes = read_own(&source, &outer, MANIFEST_PATH).map_err(not_ours)?;
        let bytes = bytes.ok_or_else(|| FinishedError::NoManifest(shown_path()))?;
        let manifest = parse_own::<Manifest>(&bytes).map_err(malformed)?;
        if manifest.format != 1 {
            return Err(malformed(format!("format {} is not known to this pyzpack", manifest.format)));
        }
        if let Some(excess) = manifest.excess() {
            return Err(malformed(excess));
        }
        let origins = match read_own(&source, &outer, ORIGINS_PATH).map_err(not_ours)? {
            Some(bytes) => parse_own(&bytes).map_err(|reason| malformed(format!("`{ORIGINS_PATH}`: {reason}")))?,
            None => Origins::default(),
        };
        let mut payloads = Vec::new();
        for entry in outer.files.iter().filter(|entry| is_payload(entry.path.as_str())) {
            let inner = source.slice(entry.data_offset, entry.compressed_size).map_err(io_error)?;
            let structure = read_structure(&inner, Profile::Canonical { prefix: 0 }, &limits)
                .map_err(|error| FinishedError::differs(path, error))?;
            payloads.push(Payload { name: entry.path.to_string(), source: inner, structure });
        }
        let shebang = shebang.unwrap_or_default();
        Ok(Self { path: path.to_owned(), source, shebang, outer, payloads, manifest, origins })
    }

    /// The application's files, wherever the layout has them.
    pub fn installed(&self) -> impl Iterator<Item = (&Source, &ZipEntry)> {
        let outer = self.outer.files.iter().filter(|entry| !is_own(entry.path.as_str()));
        let inner = self.payloads.iter().flat_map(|payload| {
            let files = payload.structure.files.iter();
            files.map(|entry| (&payload.source, entry))
        });
        outer.map(|entry| (&self.source, entry)).chain(inner)
    }

    /// The digest of the whole file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sha256(&self) -> Result<Sha256Digest, FinishedError> {
        self.source.sha256().map_err(|error| FinishedError::read(&self.path, error))
    }

    /// What evidence is made of, for a file that has this digest.
    ///
    /// # Errors
    /// When a distribution's METADATA cannot be read.
    pub fn facts(&self, sha256: Sha256Digest) -> Result<Facts, FinishedError> {
        let distributions = read_distributions(&self.path, &self.manifest, self.installed())?;
        let filename = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (manifest, origins) = (self.manifest.clone(), self.origins.clone());
        Ok(Facts { filename, sha256, manifest, origins, distributions })
    }
}

/// What the files of the manifest's wheels say of them, for the `.pyz` at `path` in which these are `installed`.
///
/// # Errors
/// When a distribution's METADATA cannot be read.
pub(crate) fn read_distributions<'a>(
    path: &Path,
    manifest: &Manifest,
    installed: impl Iterator<Item = (&'a Source, &'a ZipEntry)>,
) -> Result<Vec<Distribution>, FinishedError> {
    let mut unpacker = Unpacker::default();
    let mut distributions = vec![Distribution::default(); manifest.wheels.len()];
    let wheels = manifest.wheels.iter().enumerate();
    let places: BTreeMap<&PackageName, usize> = wheels.map(|(index, wheel)| (&wheel.name, index)).collect();
    let mut room = METADATA_IN_ALL;
    for (source, entry) in installed {
        let name = entry.path.as_str();
        let Some((directory, inner)) = name.split_once(".dist-info/") else { continue };
        let Some(owner) = directory.split_once('-').and_then(|(owner, _)| owner.parse::<PackageName>().ok()) else {
            continue;
        };
        let Some(&index) = places.get(&owner) else { continue };
        if inner == "METADATA" {
            let bytes = unpacker.read(source, entry, METADATA_LIMIT);
            let bytes = bytes.map_err(|error| FinishedError::differs(path, error))?;
            let unusable = |reason: String| FinishedError::Manifest {
                path: path.display().to_string(),
                reason: format!("`{}`: {reason}", shown(name)),
            };
            let fields = header_fields(&bytes).map_err(|error| unusable(error.to_string()))?;
            let size = fields.iter().map(|(name, value)| name.len() + value.len() + FIELD).sum();
            room = room.checked_sub(size).ok_or_else(|| {
                unusable(format!("the distributions have more metadata than {METADATA_IN_ALL} bytes in all"))
            })?;
            distributions[index].metadata = fields;
        } else if inner.starts_with("sboms/") {
            let contents = unpacker.unpack(source, entry, |_| Ok(()));
            let sha256 = contents.map_err(|error| FinishedError::differs(path, error))?.sha256;
            distributions[index].sboms.push(EmbeddedSbom { path: name.to_owned(), sha256 });
        }
    }
    Ok(distributions)
}

/// Whether an entry of the outer archive is one of its own files, and none of the application's.
pub(crate) fn is_own(name: &str) -> bool {
    name == "__main__.py" || name.starts_with("_pyzpack/")
}

/// Whether an entry of the outer archive is an archive with the application's files.
pub(crate) fn is_payload(name: &str) -> bool {
    name.starts_with("_pyzpack/payload") && name.ends_with(".zip")
}

/// The first line without `#!`; none where the file does not begin with one.
pub(crate) fn read_shebang(source: &Source) -> io::Result<Option<String>> {
    let head = source.read_vec(0, source.length().min(FIRST_LINE))?;
    let line = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    Ok(line.map(|line| String::from_utf8_lossy(line).into_owned()))
}

/// The bytes of a file of the outer archive, where it has it.
fn read_own(source: &Source, outer: &ZipStructure, path: &str) -> Result<Option<Vec<u8>>, ReadError> {
    let entry = outer.files.iter().find(|entry| entry.path.as_str() == path);
    entry.map(|entry| Unpacker::default().read(source, entry, MANIFEST_LIMIT)).transpose()
}

/// Reads a document of ours.
fn parse_own<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let limit = usize::try_from(MANIFEST_LIMIT).unwrap_or(usize::MAX);
    let value = parse_json(bytes, limit).map_err(|fault| fault.to_string())?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}
