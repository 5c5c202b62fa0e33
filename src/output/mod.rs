//! The end of a build: the archive is written beside its target, read again, and only then takes its name; evidence of
//! an older file goes before that, evidence of the new one comes last.

mod checksums;
mod evidence;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::application::WheelSet;
use crate::archive::{ArchivePlan, ReadError, Source, WriteError, check_written, write_archive};
use crate::digest::Sha256Digest;
use crate::finished::FinishedError;
use crate::process::PendingFile;
use crate::status::{Explain, Status};
use crate::wheel::WheelError;

use self::checksums::{Checksums, ChecksumsError};
use self::evidence::{Document, make_documents, reserve_room};

pub use evidence::{EvidenceKind, EvidenceRequest, check_evidence};

/// What stands beside `APP.pyz` and speaks of it, by what is added to its name.
const EVIDENCE_SUFFIXES: [&str; 8] = [
    ".sha256",
    ".cdx.json",
    ".spdx.json",
    ".intoto.json",
    ".sigstore.json",
    ".dsse.json",
    ".cdx.sigstore.json",
    ".cdx.dsse.json",
];

/// An archive that has its name.
#[derive(Debug, Clone)]
pub struct PackedArchive {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, of what was read again.
    pub sha256: Sha256Digest,
    /// The evidence that was written beside it.
    pub evidence: Vec<PathBuf>,
}

/// Why an archive did not get its name, or its evidence did not come.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The output is a directory.
    #[error("the output `{0}` is a directory")]
    Directory(String),
    /// The output is a device, a pipe or a socket.
    #[error("the output `{0}` is not a regular file")]
    NotAFile(String),
    /// The output is one of the files that it is made from.
    #[error("the output `{0}` is one of the inputs")]
    Input(String),
    /// Two wheels that are made at once have one name.
    #[error("two of the sources give `{0}`")]
    Twice(String),
    /// The output is the list of checksums.
    #[error("the output `{0}` has the name of the list of checksums")]
    List(String),
    /// A directory has the name of a file with evidence.
    #[error("the evidence `{0}` is a directory")]
    EvidenceDirectory(String),
    /// The directory of the output is not there.
    #[error("the directory of the output is missing: `{0}`")]
    NoDirectory(String),
    /// The directory of the output is a file.
    #[error("the directory of the output is not a directory: `{0}`")]
    NotADirectory(String),
    /// The file system refuses.
    #[error("cannot write `{path}`: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write `{path}`: {error}")]
    Write {
        /// The archive.
        path: String,
        /// Why.
        error: WriteError,
    },
    /// The archive that was written is not the one that was planned.
    #[error("the archive that was written to `{path}` is not the one that was planned: {error}")]
    Reread {
        /// The archive.
        path: String,
        /// What differs.
        error: ReadError,
    },
    /// The archive that was written cannot be opened.
    #[error(transparent)]
    Finished(Box<FinishedError>),
    /// A wheel changed under way.
    #[error(transparent)]
    Wheel(#[from] WheelError),
}

impl From<FinishedError> for OutputError {
    fn from(error: FinishedError) -> Self {
        Self::Finished(Box::new(error))
    }
}

impl From<ChecksumsError> for OutputError {
    fn from(ChecksumsError { path, error }: ChecksumsError) -> Self {
        Self::Io { path: path.display().to_string(), error }
    }
}

impl Explain for OutputError {
    fn status(&self) -> Status {
        match self {
            Self::Wheel(error) => error.status(),
            Self::Finished(error) => error.status(),
            Self::Input(_) | Self::List(_) => Status::Usage,
            Self::Twice(_)
            | Self::Write {
                error: WriteError::TooManyEntries(_) | WriteError::TooLarge | WriteError::Read(ReadError::Fault { .. }),
                ..
            } => Status::Refused,
            _ => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        let of_io = |error: &io::Error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room on that file system"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some("choose a directory that you may write to, with `-o FILE`")
            }
            _ => None,
        };
        match self {
            Self::NotAFile(_) | Self::Input(_) | Self::List(_) => Some("name another file, with `-o FILE`"),
            Self::EvidenceDirectory(_) => Some("remove it, or ask for other evidence with `--evidence LIST`"),
            Self::Directory(_) => Some("name a file in it, with `-o FILE`"),
            Self::NotADirectory(_) => Some("choose another with `-o FILE`"),
            Self::NoDirectory(_) => Some("make it first, or choose another with `-o FILE`"),
            Self::Io { error, .. } | Self::Write { error: WriteError::Io(error), .. } => of_io(error),
            Self::Write { error: WriteError::TooManyEntries(_) | WriteError::TooLarge, .. } => {
                Some("pack fewer distributions: no Python before 3.13 runs a zip64")
            }
            Self::Twice(_) => Some("write one of them to another directory, with `-o DIR`"),
            Self::Write { .. } => Some("build again when nothing writes to the wheels"),
            Self::Reread { .. } => Some("check the disk and the memory of this machine, then build again"),
            Self::Wheel(error) => return error.hint(),
            Self::Finished(error) => return error.hint(),
        }
        .map(str::to_owned)
    }
}

/// Tells early whether `target` can be written, before minutes are spent on what goes into it.
///
/// # Errors
/// When it is a directory, or its own directory is missing or cannot be written to.
pub fn check_target(target: &Path) -> Result<(), OutputError> {
    let named_as_directory = target.as_os_str().as_encoded_bytes().last().is_some_and(|last| *last == b'/');
    if target.is_dir() || named_as_directory {
        return Err(OutputError::Directory(target.display().to_string()));
    }
    if target.symlink_metadata().is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(OutputError::NotAFile(target.display().to_string()));
    }
    let directory = directory_of(target);
    let shown = || directory.display().to_string();
    match directory.metadata() {
        Ok(metadata) if !metadata.is_dir() => Err(OutputError::NotADirectory(shown())),
        Ok(_) => {
            check_writable(directory).map_err(|error| OutputError::Io { path: target.display().to_string(), error })
        }
        Err(_) => Err(OutputError::NoDirectory(shown())),
    }
}

/// Refuses a target that is one of the files that are read for it: packing must not replace its own source.
///
/// # Errors
/// When it is one of them.
pub fn check_not_input<'a>(target: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), OutputError> {
    let Ok(found) = target.canonicalize() else { return Ok(()) };
    let same = |input: &Path| input.canonicalize().is_ok_and(|input| input == found);
    if inputs.into_iter().any(same) { Err(OutputError::Input(target.display().to_string())) } else { Ok(()) }
}

/// Whether a file can be made in `directory`, as far as that can be told without making one.
#[cfg(unix)]
fn check_writable(directory: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
fn check_writable(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes the archive of `plan`, reads it again, gives it the name `target`, and writes the evidence.
///
/// # Errors
/// When anything fails before the new file has its name, the old file and its evidence are as they were.
pub fn write_output(
    plan: &ArchivePlan,
    wheels: &WheelSet,
    target: &Path,
    request: &EvidenceRequest,
) -> Result<PackedArchive, OutputError> {
    check_target(target)?;
    check_evidence(target, &request.kinds)?;
    let shown = target.display().to_string();
    let io_error = |error| OutputError::Io { path: shown.clone(), error };
    let directory = directory_of(target);
    PendingFile::remove_abandoned(target);
    let mut pending = PendingFile::create(target).map_err(io_error)?;
    let file = pending.file();
    set_mode(file).map_err(io_error)?;
    let scratch = || tempfile::tempfile_in(directory);
    let expected = write_archive(plan, file, &scratch).map_err(|error| match error {
        // A wheel that no longer reads as it was checked is the wheel's fault, not the output's.
        WriteError::Read(error) => match wheels.iter().try_for_each(crate::wheel::VerifiedWheel::check_unchanged) {
            Err(changed) => OutputError::Wheel(changed),
            Ok(()) => OutputError::Write { path: shown.clone(), error: WriteError::Read(error) },
        },
        error => OutputError::Write { path: shown.clone(), error },
    })?;
    let source = file.try_clone().and_then(|file| Source::of_file(file.into())).map_err(io_error)?;
    wheels.iter().try_for_each(crate::wheel::VerifiedWheel::check_unchanged)?;
    let sha256 = check_written(&source, &plan.prefix, &expected)
        .map_err(|error| OutputError::Reread { path: shown.clone(), error })?;
    let size = source.length();
    let documents = make_documents(&source, target, &sha256, request)?;
    let room = reserve_room(target, &documents).map_err(io_error)?;
    let checksums = Checksums::take_turn(target, directory)?;
    remove_evidence(target)?;
    checksums.disown()?;
    pending.persist().map_err(io_error)?;
    drop(room);
    let mut evidence = Vec::new();
    if request.kinds.contains(&EvidenceKind::Sha256) {
        evidence.push(checksums.write_own(&sha256)?);
    }
    let mut digests = vec![(target.to_owned(), sha256)];
    for document in documents {
        let Document { path, bytes } = document;
        write_beside(&path, target, &bytes)
            .map_err(|error| OutputError::Io { path: path.display().to_string(), error })?;
        digests.push((path.clone(), Sha256Digest::of(&bytes)));
        evidence.push(path);
    }
    if request.kinds.is_empty() {
        checksums.remove_lines()?;
    } else {
        evidence.push(checksums.write_list(&digests)?);
    }
    Ok(PackedArchive { path: target.to_owned(), size, sha256, evidence })
}

/// Writes a document to `target` in one step, whatever was there before.
///
/// # Errors
/// When it cannot be written; what was there is as it was.
pub fn write_document(target: &Path, document: &[u8]) -> Result<(), OutputError> {
    check_target(target)?;
    PendingFile::remove_abandoned(target);
    let written = PendingFile::create(target).and_then(|mut pending| {
        pending.write_all(document)?;
        pending.set_readable()?;
        pending.persist()
    });
    written.map(drop).map_err(|error| OutputError::Io { path: target.display().to_string(), error })
}

/// Writes a small file that belongs to `target` in one step; the temporary file is named for it, whose next build removes it
/// where this one is killed.
fn write_beside(path: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut pending = PendingFile::create_for(path, target)?;
    pending.write_all(bytes)?;
    pending.set_readable()?;
    pending.persist()?;
    Ok(())
}

fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// 0755, whatever the umask.
#[cfg(unix)]
fn set_mode(file: &std::fs::File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
}

#[cfg(not(unix))]
fn set_mode(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

/// `target` with `suffix` added to its name.
pub(crate) fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    target.with_file_name(name)
}

/// Removes what speaks of an older file of this name.
fn remove_evidence(target: &Path) -> Result<(), OutputError> {
    for file in EVIDENCE_SUFFIXES.map(|suffix| beside(target, suffix)) {
        match std::fs::remove_file(&file) {
            // A directory of this name is no evidence.
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                return Err(OutputError::Io { path: file.display().to_string(), error });
            }
            _ => {}
        }
    }
    Ok(())
}
