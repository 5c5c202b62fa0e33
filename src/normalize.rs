//! Any zip, wheel or `.pyz` in one canonical form: the same members give the same bytes, whoever packed them, when, and
//! with what. Nothing of it is run.
//!
//! The form is that of our own archives (format 1), in which our own wheels are already: members in the order of the bytes
//! of their names, directories that have an entry among them; one time; mode 0755 where the owner may execute a file, else
//! 0644, as of those of which no mode is known; made on unix; deflated by the pinned encoder, or stored where that makes a
//! file no smaller; no extra field, comment, data descriptor or zip64. What members unpack to is not touched, so that
//! `RECORD`, signatures and digests of them stay true. Archives within the archive are members like others.
//!
//! What stands before the archive stays. Behind a mere first line offsets count from the file's first byte; behind more (a
//! shell script, a launcher for Windows) from where they did, since such a program may find its own parts by them. It has to
//! be a script or a program, and to hold nothing that a tool could take for another archive.
//!
//! Refused, with the member and the rule, is what tools read in several ways: all that is refused of a wheel
//! (`crate::archive`), but that a comment and a beginning are allowed, and sizes are bounded more widely. So is what the
//! form cannot keep: links, more than a zip without zip64 holds, formats that prescribe the first member. A `.pyz` of
//! pyzpack stays byte for byte, and is refused where it is not as `build` wrote it: its own digests say what it holds.
//!
//! A `.pyc` that holds the time of the `.py` beside it stays as well, and Python no longer takes it: of these the caller is
//! told.

mod error;
mod members;
mod prefix;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::{Epoch, Source, WriteError, check_written, write_archive};
use crate::diff::{Comparison, Request, compare_open};
use crate::digest::Sha256Digest;
use crate::finished::FinishedPyz;
use crate::inspect::check_files;
use crate::output::{beside, check_target};
use crate::process::PendingFile;

pub use self::error::NormalizeError;
use self::members::{Members, read_members};

/// What is copied of what stands before an archive at a time.
const PIECE: usize = 64 * 1024;

/// What may stand beside a file and speak of its bytes, by what is added to its name.
const EVIDENCE: [&str; 8] =
    [".sha256", ".cdx.json", ".spdx.json", ".intoto.json", ".sigstore.json", ".dsse.json", ".asc", ".sig"];

/// A file that is in canonical form.
#[derive(Debug)]
pub struct Normalized {
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Whether the input was so already.
    pub was_canonical: bool,
    /// Compiled modules that Python no longer takes, since they hold the time that their source had.
    pub stale_modules: Vec<String>,
    /// Files beside it that speak of what had its name before.
    pub stale_evidence: Vec<PathBuf>,
}

/// What a look came to.
#[derive(Debug)]
pub struct Checked {
    /// The size of the canonical form.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// What would change; none where the file is canonical.
    pub changes: Option<Comparison>,
}

/// Puts the file at `input` into canonical form: as `output`, or else in its own place, through links. It keeps the
/// permissions of `input`, but setuid and setgid; in its place the owner and the group too, where that is allowed.
///
/// # Errors
/// When it is refused, or cannot be read or written; whatever was at the target is as it was.
pub fn normalize(input: &Path, output: Option<&Path>, epoch: Epoch) -> Result<Normalized, NormalizeError> {
    let read_error = |error| NormalizeError::read(input, error);
    [Some(input), output].into_iter().flatten().try_for_each(NormalizeError::check_name)?;
    let source = Source::open(input).map_err(read_error)?;
    let stamp = source.stamp().map_err(read_error)?;
    let real = input.canonicalize().map_err(read_error)?;
    // Another name of the input is the input, links and all.
    let in_place = output.is_none_or(|output| output.canonicalize().is_ok_and(|output| output == real));
    let target = output.filter(|_| !in_place).unwrap_or(&real);
    check_target(target)?;
    let metadata = std::fs::metadata(&real).map_err(read_error)?;

    let members = read_members(input, &source, epoch)?;
    let write_error = |error| NormalizeError::write(target, error);
    PendingFile::remove_abandoned(target);
    let mut pending = PendingFile::create(target).map_err(write_error)?;
    let sha256 = if is_own(&members) {
        check_own(input, &source)?;
        copy(&source, source.length(), pending.file()).map_err(write_error)?;
        source.sha256().map_err(read_error)?
    } else {
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let scratch = Scratch { directory, target };
        write(input, &scratch, &source, &members, pending.file())?
    };
    let size = pending.file().metadata().map_err(write_error)?.len();
    let was_canonical = size == source.length() && sha256 == source.sha256().map_err(read_error)?;
    if source.stamp().map_err(read_error)? != stamp {
        return Err(NormalizeError::Changed(input.display().to_string()));
    }
    let stays = Source::open(target).and_then(|old| old.sha256()).is_ok_and(|old| old == sha256);
    if !(in_place && was_canonical) {
        if in_place {
            set_owner(pending.file(), &metadata).map_err(write_error)?;
        }
        set_mode(pending.file(), &metadata.permissions()).map_err(write_error)?;
        pending.persist().map_err(write_error)?;
    }
    let stale_modules = if was_canonical { Vec::new() } else { members.timed_modules };
    let evidence = EVIDENCE.iter().map(|suffix| beside(target, suffix));
    let stale_evidence = evidence.filter(|path| !stays && path.exists()).collect();
    Ok(Normalized { size, sha256, was_canonical, stale_modules, stale_evidence })
}

/// Tells in what the file at `input` differs from its canonical form, in so many lines of details at most. The form is
/// made in a file without a name in `temporary`.
///
/// # Errors
/// When it is refused, or cannot be read, or there is no room in `temporary`.
pub fn check(input: &Path, epoch: Epoch, most_lines: usize, temporary: &Path) -> Result<Checked, NormalizeError> {
    let read_error = |error| NormalizeError::read(input, error);
    NormalizeError::check_name(input)?;
    let source = Source::open(input).map_err(read_error)?;
    let stamp = source.stamp().map_err(read_error)?;
    let members = read_members(input, &source, epoch)?;
    let own = source.sha256().map_err(read_error)?;
    let mut checked = Checked { size: source.length(), sha256: own, changes: None };
    if is_own(&members) {
        check_own(input, &source)?;
    } else {
        let write_error = |error| NormalizeError::write(temporary, error);
        let mut file = tempfile::tempfile_in(temporary).map_err(write_error)?;
        let scratch = Scratch { directory: temporary, target: temporary };
        checked.sha256 = write(input, &scratch, &source, &members, &mut file)?;
        checked.size = file.metadata().map_err(write_error)?.len();
        if checked.sha256 != own {
            let canonical = Source::of_file(Arc::new(file)).map_err(write_error)?;
            let files = [input.to_owned(), PathBuf::from("canonical")];
            let request = Request { files, most_lines, temporary: temporary.to_owned() };
            checked.changes = Some(compare_open(&request, &[source.clone(), canonical]).map_err(read_error)?);
        }
    }
    if source.stamp().map_err(read_error)? != stamp {
        return Err(NormalizeError::Changed(input.display().to_string()));
    }
    Ok(checked)
}

/// Whether it says of itself that `build` wrote it.
fn is_own(members: &Members) -> bool {
    members.plan.entries.keys().any(|path| path.as_str() == crate::evidence::MANIFEST_PATH)
}

/// Refuses a `.pyz` of pyzpack that is not in format 1 throughout, or of which a file is not the one that its manifest
/// names.
fn check_own(input: &Path, source: &Source) -> Result<(), NormalizeError> {
    FinishedPyz::read(input, source.clone())
        .and_then(|finished| check_files(&finished))
        .map_err(|error| NormalizeError::own(input, error))
}

/// Where large members are packed, and what is written, for messages.
struct Scratch<'a> {
    directory: &'a Path,
    target: &'a Path,
}

/// Writes the canonical form to `file`, which is empty, and reads it again.
fn write(
    input: &Path,
    scratch: &Scratch<'_>,
    source: &Source,
    members: &Members,
    file: &mut File,
) -> Result<Sha256Digest, NormalizeError> {
    let Members { plan, lead, .. } = members;
    let Scratch { directory, target } = scratch;
    let write_error = |error| NormalizeError::write(target, error);
    copy(source, *lead, file).map_err(write_error)?;
    let expected = write_archive(plan, file, &|| tempfile::tempfile_in(directory)).map_err(|error| match error {
        WriteError::Io(error) => write_error(error),
        WriteError::Read(_) => NormalizeError::Changed(input.display().to_string()),
        error => NormalizeError::TooLarge { path: input.display().to_string(), error },
    })?;
    let written = Source::of_file(Arc::new(file.try_clone().map_err(write_error)?)).map_err(write_error)?;
    let archive = written.slice(*lead, written.length() - lead).map_err(write_error)?;
    let reread = |error| NormalizeError::Reread { path: target.display().to_string(), error };
    let sha256 = check_written(&archive, &plan.prefix, &expected).map_err(reread)?;
    if *lead == 0 { Ok(sha256) } else { written.sha256().map_err(write_error) }
}

/// Copies the first `length` bytes of `source`.
fn copy(source: &Source, length: u64, mut file: &File) -> io::Result<()> {
    source.for_each_piece(0, length, &mut vec![0; PIECE], |piece| io::Write::write_all(&mut file, piece))
}

/// The owner and the group of the input, as far as this user may give a file away.
#[cfg(unix)]
fn set_owner(file: &File, input: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let own = file.metadata()?;
    for (user, group) in [(None, Some(input.gid())), (Some(input.uid()), None)] {
        if user.is_none_or(|user| user == own.uid()) && group.is_none_or(|group| group == own.gid()) {
            continue;
        }
        match fchown(file, user, group) {
            // Not every root may: one of a container gives away to its own users alone.
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => {}
            done => done?,
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn set_owner(_file: &File, _input: &std::fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// The permission bits of the input, and no others: setuid and setgid were given to what it was before.
#[cfg(unix)]
fn set_mode(file: &File, permissions: &std::fs::Permissions) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(PermissionsExt::from_mode(permissions.mode() & 0o777))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _permissions: &std::fs::Permissions) -> io::Result<()> {
    Ok(())
}
