//! Why a file is not put into canonical form.

use std::io;
use std::path::Path;

use crate::archive::{PathFault, ReadError, WriteError, ZipFault};
use crate::finished::FinishedError;
use crate::output::OutputError;
use crate::status::{Explain, Status};

/// Why a file is not put into canonical form.
#[derive(Debug, thiserror::Error)]
pub enum NormalizeError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// Nothing is read from standard input, and nothing but a report written to standard output.
    #[error("`{0}` is not the name of a file")]
    NoFile(String),
    /// It is no zip, or one that cannot be kept as it is.
    #[error("cannot make `{path}` canonical: {error}")]
    Refused {
        /// The file.
        path: String,
        /// The rule, with the member.
        error: ReadError,
    },
    /// A member has to be the first, and would not be.
    #[error(
        "cannot make `{path}` canonical: {format} have `{entry}` as their first entry, and `{first}` would come before it"
    )]
    First {
        /// The file.
        path: String,
        /// The member.
        entry: String,
        /// Files of what kind.
        format: &'static str,
        /// What would come first.
        first: String,
    },
    /// It has a manifest of ours, and is not as it was built.
    #[error("`{path}` is a .pyz of pyzpack, and not as it was built: {reason}")]
    Own {
        /// The file.
        path: String,
        /// What differs.
        reason: String,
    },
    /// It holds more than the canonical form can.
    #[error("cannot make `{path}` canonical: {error}")]
    TooLarge {
        /// The file.
        path: String,
        /// What is too much.
        error: WriteError,
    },
    /// It was written to meanwhile.
    #[error("`{0}` changed while it was read")]
    Changed(String),
    /// The canonical form cannot be written.
    #[error("cannot write `{path}`: {error}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// What was written is not what was meant.
    #[error("what was written to `{path}` is not what was meant: {error}")]
    Reread {
        /// The file.
        path: String,
        /// What differs.
        error: ReadError,
    },
    /// The target cannot be one.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl NormalizeError {
    /// Refuses what stands for a stream elsewhere, and no name at all.
    pub(super) fn check_name(path: &Path) -> Result<(), Self> {
        let is_name = !path.as_os_str().is_empty() && path != Path::new("-");
        if is_name { Ok(()) } else { Err(Self::NoFile(path.display().to_string())) }
    }

    /// A file that cannot be read, or ended while it was.
    pub(super) fn read(path: &Path, error: io::Error) -> Self {
        let path = path.display().to_string();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Changed(path),
            _ => Self::Read { path, error },
        }
    }

    pub(super) fn refused(path: &Path, error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::read(path, error),
            error @ ReadError::Fault { .. } => Self::Refused { path: path.display().to_string(), error },
        }
    }

    pub(super) fn own(path: &Path, error: FinishedError) -> Self {
        let reason = match error {
            FinishedError::Read { error, .. } => return Self::read(path, error),
            FinishedError::Changed(path) => return Self::Changed(path),
            FinishedError::NotOurs { error, .. } | FinishedError::Differs { error, .. } => error.to_string(),
            FinishedError::Manifest { reason, .. } => reason,
            error @ FinishedError::NoManifest(_) => error.to_string(),
        };
        Self::Own { path: path.display().to_string(), reason }
    }

    pub(super) fn write(path: &Path, error: io::Error) -> Self {
        Self::Write { path: path.display().to_string(), error }
    }
}

impl Explain for NormalizeError {
    fn status(&self) -> Status {
        let usage = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::InvalidInput];
        match self {
            Self::Read { error, .. } if usage.contains(&error.kind()) => Status::Usage,
            Self::NoFile(_) => Status::Usage,
            Self::Output(error) => error.status(),
            Self::Refused { .. } | Self::First { .. } | Self::Own { .. } | Self::TooLarge { .. } => Status::Refused,
            _ => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { error: ReadError::Fault { fault, .. }, .. } => hint_of(fault),
            Self::NoFile(_) => "name a file: no stream is read or written (a file called `-` is `./-`)",
            Self::Read { error, .. } => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "name a file that is there",
                io::ErrorKind::InvalidInput => "name a file: what comes through a pipe has to be written to one first",
                io::ErrorKind::PermissionDenied => "make it readable, or run this as a user who may read it",
                _ => return None,
            },
            Self::First { .. } => "leave it to a tool for that format",
            Self::Own { .. } => {
                "build it again, or see what `pyzpack verify` says of it: its own digests name what it holds"
            }
            Self::TooLarge { .. } => "divide it: many tools, and Pythons before 3.13, do not run a zip64",
            Self::Changed(_) => "try again when nothing writes to it",
            Self::Write { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on that file system",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a directory that you may write to, with `-o FILE`"
                }
                _ => return None,
            },
            Self::Reread { .. } => "check the disk and the memory of this machine, then try again",
            Self::Output(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// What to do about a rule that is broken.
fn hint_of(fault: &ZipFault) -> &'static str {
    match fault {
        ZipFault::EndRecord => {
            "give a whole zip, with nothing behind it (bsdtar adds zeros to what it writes into a pipe: give it `-f FILE`)"
        }
        ZipFault::Method(_) => "pack it again, deflated: pip and zipimport read nothing else",
        ZipFault::Encrypted => "decrypt it first",
        ZipFault::NameEncoding => {
            "pack it again with a tool that marks its names as UTF-8: bsdtar, 7z, `python -m zipfile -c`, but not zip(1)"
        }
        ZipFault::Name(PathFault::Long(_) | PathFault::LongSegment(_)) => {
            "pack it again under a shorter name: it could not be unpacked"
        }
        ZipFault::Name(_) | ZipFault::Duplicate | ZipFault::CaseClash(_) | ZipFault::FileAndDirectory(_) => {
            "pack it again under names that mean one file everywhere"
        }
        ZipFault::FileType(_) => "pack files and directories alone, and instead of a link what it leads to",
        ZipFault::Gap { .. } => "pack it again: what no member accounts for may be a signature, or a deleted member",
        ZipFault::Prefix { .. } => {
            "pack it again from its files, with nothing in front and no zip in its comment: tools may read another archive"
        }
        ZipFault::Limit { .. } => "divide it",
        _ => "pack it again from its files: tools may read it in different ways as it is",
    }
}
