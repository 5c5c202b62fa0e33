//! The end of a build: the archive is written beside its target, read again, and only then takes its name; evidence of
//! an older file goes before that, evidence of the new one comes last.

use std::io;
use std::path::{Path, PathBuf};

use crate::application::WheelSet;
use crate::archive::{ArchivePlan, ReadError, Source, WriteError, check_written, write_archive};
use crate::digest::Sha256Digest;
use crate::process::PendingFile;
use crate::status::{Explain, Status};
use crate::wheel::WheelError;

/// What stands beside `APP.pyz` and speaks of it, by what is added to its name.
const EVIDENCE_SUFFIXES: [&str; 5] = [".sha256", ".cdx.json", ".spdx.json", ".intoto.json", ".sigstore.json"];

/// The file that lists the digests of everything in a directory.
const CHECKSUMS: &str = "SHA256SUMS";

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

/// Which evidence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EvidenceChoice {
    /// The digest, in a file of its own and in `SHA256SUMS`.
    #[default]
    Sha256,
    /// None.
    Nothing,
}

/// Why an archive did not get its name, or its evidence did not come.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The output is a directory.
    #[error("the output `{0}` is a directory")]
    Directory(String),
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
    /// A wheel changed under way.
    #[error(transparent)]
    Wheel(#[from] WheelError),
}

impl Explain for OutputError {
    fn status(&self) -> Status {
        match self {
            Self::Wheel(error) => error.status(),
            Self::Write {
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
            Self::Directory(_) => Some("name a file in it, with `-o FILE`"),
            Self::NotADirectory(_) => Some("choose another with `-o FILE`"),
            Self::NoDirectory(_) => Some("make it first, or choose another with `-o FILE`"),
            Self::Io { error, .. } | Self::Write { error: WriteError::Io(error), .. } => of_io(error),
            Self::Write { error: WriteError::TooManyEntries(_) | WriteError::TooLarge, .. } => {
                Some("pack fewer distributions: no Python before 3.13 runs a zip64")
            }
            Self::Write { .. } => Some("build again when nothing writes to the wheels"),
            Self::Reread { .. } => Some("check the disk and the memory of this machine, then build again"),
            Self::Wheel(error) => return error.hint(),
        }
        .map(str::to_owned)
    }
}

/// Tells early whether `target` can be written, before minutes are spent on what goes into it.
///
/// # Errors
/// When it is a directory, or its own directory is missing or cannot be written to.
pub fn check_target(target: &Path) -> Result<(), OutputError> {
    if target.is_dir() {
        return Err(OutputError::Directory(target.display().to_string()));
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
    evidence: EvidenceChoice,
) -> Result<PackedArchive, OutputError> {
    check_target(target)?;
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
    remove_evidence(target).map_err(io_error)?;
    pending.persist().map_err(io_error)?;
    let evidence = match evidence {
        EvidenceChoice::Nothing => Vec::new(),
        EvidenceChoice::Sha256 => write_checksums(target, &sha256).map_err(io_error)?,
    };
    Ok(PackedArchive { path: target.to_owned(), size, sha256, evidence })
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
fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    target.with_file_name(name)
}

/// Removes what speaks of an older file of this name.
fn remove_evidence(target: &Path) -> io::Result<()> {
    for suffix in EVIDENCE_SUFFIXES {
        match std::fs::remove_file(beside(target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    disown_lines_of(target)
}

/// Makes comments of the lines in `SHA256SUMS` that speak of `target` and its evidence, by one byte each: a `#` is where
/// `sha256sum` stops reading a line. It is done in place, because a killed build leaves one temporary file at most, and
/// the archive's own is there already.
fn disown_lines_of(target: &Path) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    let checksums = target.with_file_name(CHECKSUMS);
    let Some(text) = read_checksums(&checksums)? else { return Ok(()) };
    let mut offset = 0;
    let mut file = None;
    for line in text.split_inclusive('\n') {
        if is_line_of(line, target) {
            let file = match &mut file {
                Some(file) => file,
                None => file.insert(fs_err::OpenOptions::new().write(true).open(&checksums)?),
            };
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(b"#")?;
        }
        offset += line.len() as u64;
    }
    Ok(())
}

/// Writes `APP.pyz.sha256` and the lines of `SHA256SUMS`, as `sha256sum -c` reads them.
fn write_checksums(target: &Path, sha256: &Sha256Digest) -> io::Result<Vec<PathBuf>> {
    let line = checksum_line(target, sha256);
    let own = beside(target, ".sha256");
    replace(&own, target, &line)?;
    let checksums = target.with_file_name(CHECKSUMS);
    let kept = read_checksums(&checksums)?.map(|text| without_lines_of(&text, target)).unwrap_or_default();
    let mut lines: Vec<&str> = kept.lines().chain(line.lines()).collect();
    lines.sort_by_key(|line| (listed_name(line), *line));
    replace(&checksums, target, &(lines.join("\n") + "\n"))?;
    Ok(vec![own, checksums])
}

/// One line of coreutils' format: a name with a backslash or a line break is escaped, and the line begins with `\`.
fn checksum_line(target: &Path, sha256: &Sha256Digest) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    let mark = if escaped == name { "" } else { "\\" };
    format!("{mark}{sha256}  {escaped}\n")
}

fn read_checksums(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lines that speak neither of `target` nor of its evidence.
fn without_lines_of(text: &str, target: &Path) -> String {
    text.split_inclusive('\n').filter(|line| !is_line_of(line, target)).collect()
}

/// Whether a line speaks of `target` or of its evidence.
fn is_line_of(line: &str, target: &Path) -> bool {
    let own = checksum_line(target, &Sha256Digest::of(b""));
    let rest = listed_name(line).strip_prefix(listed_name(&own));
    rest.is_some_and(|rest| rest.is_empty() || EVIDENCE_SUFFIXES.contains(&rest))
}

/// The name in a line, as it is escaped there: behind the digest, a blank, and a blank or `*`.
fn listed_name(line: &str) -> &str {
    let name = line.split_once(' ').and_then(|(_, rest)| rest.strip_prefix([' ', '*']));
    name.unwrap_or_default().trim_end_matches(['\r', '\n'])
}

/// Replaces a small text file in one step; the temporary file is named for `target`, whose next build removes it where
/// this one is killed.
fn replace(path: &Path, target: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    let mut pending = PendingFile::create_for(path, target)?;
    pending.write_all(text.as_bytes())?;
    set_readable(pending.file())?;
    pending.persist()?;
    Ok(())
}

/// 0644, as any other file that is published.
#[cfg(unix)]
fn set_readable(file: &std::fs::File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_readable(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_lines_replace_their_own_and_keep_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("b.pyz");
        let digest = Sha256Digest::of(b"new");
        let other = Sha256Digest::of(b"other");
        let old = format!("{other}  c.txt\n{other}  b.pyz\n{other}  b.pyz.cdx.json\n{other}  a.pyz\n");
        std::fs::write(directory.path().join(CHECKSUMS), &old).unwrap();
        remove_evidence(&target).unwrap();
        let read = || std::fs::read_to_string(directory.path().join(CHECKSUMS)).unwrap();
        let disowned = format!("#{}", &other.to_string()[1..]);
        assert_eq!(read(), format!("{other}  c.txt\n{disowned}  b.pyz\n{disowned}  b.pyz.cdx.json\n{other}  a.pyz\n"));
        write_checksums(&target, &digest).unwrap();
        assert_eq!(read(), format!("{other}  a.pyz\n{digest}  b.pyz\n{other}  c.txt\n"));
        let own = std::fs::read_to_string(directory.path().join("b.pyz.sha256")).unwrap();
        assert_eq!(own, format!("{digest}  b.pyz\n"));
    }
}
