//! Looking into a `.pyz` of ours: its structure is read strictly, its manifest parsed, nothing of it run.

use std::io;
use std::path::Path;

use crate::archive::{Limits, Profile, ReadError, Source, Unpacker, read_structure};
use crate::digest::Sha256Digest;
use crate::evidence::{MANIFEST_PATH, Manifest};
use crate::status::{Explain, Status};

/// A manifest larger than this is refused; 300 bytes a file, for as many files as payloads hold.
const MANIFEST_LIMIT: u64 = 256 << 20;

/// The longest first line: `#!`, 127 bytes, a newline.
const FIRST_LINE: u64 = 130;

/// What a `.pyz` says of itself.
#[derive(Debug)]
pub struct Inspected {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its first line, without `#!`.
    pub shebang: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Why a file cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
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
    /// Its manifest is not one.
    #[error("`{path}`: its manifest cannot be used: {reason}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Explain for InspectError {
    fn status(&self) -> Status {
        match self {
            Self::Read { error, .. } if error.kind() == io::ErrorKind::NotFound => Status::Usage,
            Self::Read { error, .. } if error.kind() == io::ErrorKind::InvalidInput => Status::Usage,
            Self::Read { .. } => Status::Machine,
            _ => Status::Refused,
        }
    }
}

/// Looks into the `.pyz` at `path`.
///
/// # Errors
/// When it cannot be read, is not in format 1, or has no usable manifest.
pub fn inspect(path: &Path) -> Result<Inspected, InspectError> {
    let shown = || path.display().to_string();
    let io_error = |error| InspectError::Read { path: shown(), error };
    let not_ours = |error| match error {
        ReadError::Io(error) => io_error(error),
        error => InspectError::NotOurs { path: shown(), error },
    };
    let source = Source::open(path).map_err(io_error)?;
    let head = source.read_vec(0, source.length().min(FIRST_LINE)).map_err(io_error)?;
    let shebang = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let shebang = shebang.map(|line| String::from_utf8_lossy(line).into_owned());
    let prefix = shebang.as_ref().map_or(0, |line| line.len() as u64 + 3);
    let profile = Profile::Canonical { prefix };
    let structure = read_structure(&source, profile, &Limits::default()).map_err(not_ours)?;
    let entry = structure.files.iter().find(|entry| entry.path.as_str() == MANIFEST_PATH);
    let entry = entry.ok_or_else(|| InspectError::NoManifest(shown()))?;
    let bytes = Unpacker::default().read(&source, entry, MANIFEST_LIMIT).map_err(not_ours)?;
    let malformed = |reason: String| InspectError::Manifest { path: shown(), reason };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if manifest.format != 1 {
        return Err(malformed(format!("format {} is not known to this pyzpack", manifest.format)));
    }
    let sha256 = source.sha256().map_err(io_error)?;
    Ok(Inspected { manifest, shebang: shebang.unwrap_or_default(), size: source.length(), sha256 })
}
