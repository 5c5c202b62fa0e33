//! The file that is verified, opened once; and how the other files that the user names are read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::problem::Problem;
use crate::archive::{ReadError, Source, Stamp};
use crate::digest::Sha256Digest;
use crate::finished::read_shebang;
use crate::status::{Explain, Status};

/// Why nothing can be said of a file.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file that was named is not there.
    #[error("no such file: `{}`", .0.display())]
    Missing(PathBuf),
    /// A directory was named where a file is due.
    #[error("not a file: `{}`", .0.display())]
    NotAFile(PathBuf),
    /// A file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A lock that cannot be read, or whose name is none of a lock's.
    #[error(transparent)]
    Lock(Box<crate::lock::LockError>),
}

impl Explain for VerifyError {
    fn status(&self) -> Status {
        match self {
            Self::Missing(_) | Self::NotAFile(_) => Status::Usage,
            Self::Read { .. } => Status::Machine,
            Self::Lock(error) => error.status(),
        }
    }

    fn hint(&self) -> Option<String> {
        if let Self::Lock(error) = self { error.hint() } else { None }
    }
}

impl VerifyError {
    /// Whether `path` ended earlier than it did when it was opened: somebody writes to it.
    pub(super) fn is_end_of(&self, path: &Path) -> bool {
        matches!(self, Self::Read { path: read, error } if read == path && error.kind() == io::ErrorKind::UnexpectedEof)
    }

    fn read(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing(path.to_owned()),
            io::ErrorKind::IsADirectory => Self::NotAFile(path.to_owned()),
            _ => Self::Read { path: path.to_owned(), error },
        }
    }
}

/// The file, or why it is not looked into.
pub(super) enum Opening {
    Open(Opened),
    Refused(Problem),
}

/// The open file: all that is said of it was read from here.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) source: Source,
    stamp: Stamp,
    /// Its first line without `#!`, where it begins so.
    pub(super) shebang: Option<String>,
}

impl Opened {
    /// Opens the file at `path`, which must be a regular file itself: what a link leads to can be exchanged without a trace
    /// at the name that was verified.
    pub(super) fn open(path: &Path) -> Result<Opening, VerifyError> {
        let fail = |error| VerifyError::read(path, error);
        let found = std::fs::symlink_metadata(path).map_err(fail)?;
        if found.is_symlink() {
            let target = std::fs::read_link(path).map_err(fail)?;
            return Ok(Opening::Refused(Problem::Symlink(target.display().to_string())));
        }
        if found.is_dir() {
            return Ok(Opening::Refused(Problem::Directory));
        }
        if !found.is_file() {
            return Ok(Opening::Refused(Problem::Irregular));
        }
        let source = Source::open(path).map_err(fail)?;
        if source.length() == 0 {
            return Ok(Opening::Refused(Problem::Empty));
        }
        let stamp = source.stamp().map_err(fail)?;
        let shebang = read_shebang(&source).map_err(fail)?;
        Ok(Opening::Open(Self { path: path.to_owned(), source, stamp, shebang }))
    }

    /// Where the zip of a file of ours begins.
    pub(super) fn prefix(&self) -> u64 {
        self.shebang.as_ref().map_or(0, |line| line.len() as u64 + 3)
    }

    pub(super) fn sha256(&self) -> Result<Sha256Digest, VerifyError> {
        self.source.sha256().map_err(|error| self.fail(error))
    }

    pub(super) fn fail(&self, error: io::Error) -> VerifyError {
        VerifyError::read(&self.path, error)
    }

    /// A fault as a problem; a file that cannot be read as an error. A file that ends earlier than it did was changed.
    pub(super) fn problem(&self, archive: Option<&str>, error: ReadError) -> Result<Problem, VerifyError> {
        match error {
            ReadError::Fault { entry, fault } => Ok(Problem::Zip { archive: archive.map(str::to_owned), entry, fault }),
            ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Problem::Replaced),
            ReadError::Io(error) => Err(self.fail(error)),
        }
    }

    /// The problem, where the name leads elsewhere by now, or somebody wrote to the file.
    pub(super) fn check_unchanged(&self) -> Result<Option<Problem>, VerifyError> {
        let same = self.source.is_at(&self.path).map_err(|error| self.fail(error))?
            && self.source.stamp().map_err(|error| self.fail(error))? == self.stamp;
        Ok((!same).then_some(Problem::Replaced))
    }
}

/// The bytes of a small file that nobody named, which must be a regular one: a pipe would be waited for; one byte more than
/// `limit` where it is longer.
pub(super) fn read_found(path: &Path, limit: u64) -> Result<Vec<u8>, VerifyError> {
    Source::read_file(path, limit + 1).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => VerifyError::NotAFile(path.to_owned()),
        _ => VerifyError::read(path, error),
    })
}

/// The bytes of a small file that the user names; one byte more than `limit` where it is longer.
pub(super) fn read_named(path: &Path, limit: u64) -> Result<Vec<u8>, VerifyError> {
    let fail = |error| VerifyError::read(path, error);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(fail)?;
    Ok(bytes)
}
