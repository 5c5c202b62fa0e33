//! Source distributions unpacked: `.tar.gz` (PEP 625) and `.zip`.
//!
//! Refused by name: entries that are absolute or go up, links that leave the tree, devices, more than one top
//! directory, and archives past the limits.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use super::clamp::{clamp_tree, make_link, resolve_link};
use crate::status::{Explain, Status};

/// How much an archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 4 << 30 }
    }
}

/// Why a source distribution is refused.
#[derive(Debug, thiserror::Error)]
pub enum SdistError {
    /// It cannot be read, or its files not be written.
    #[error("cannot unpack the source distribution `{archive}`")]
    Unpack {
        /// The file's name.
        archive: String,
        /// Why.
        source: io::Error,
    },
    /// It is no archive of a kind that is taken.
    #[error("source distribution `{archive}`: not a .tar.gz or .zip file (PEP 625)")]
    Kind {
        /// The file's name.
        archive: String,
    },
    /// An entry breaks a rule.
    #[error("source distribution `{archive}`: entry `{entry}` {rule}")]
    Entry {
        /// The file's name.
        archive: String,
        /// The entry.
        entry: String,
        /// The rule.
        rule: &'static str,
    },
    /// It unpacks to more than is allowed.
    #[error("source distribution `{archive}` unpacks to more than {limit} {unit}")]
    TooLarge {
        /// The file's name.
        archive: String,
        /// The limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// It has no such directory.
    #[error("source distribution `{archive}` has no directory `{}`", subdirectory.display())]
    Subdirectory {
        /// The file's name.
        archive: String,
        /// The directory.
        subdirectory: PathBuf,
    },
    /// It has not one top directory.
    #[error("source distribution `{archive}`: expected one top directory, found {found}")]
    Top {
        /// The file's name.
        archive: String,
        /// Those that were found, or `none`.
        found: String,
    },
}

impl Explain for SdistError {
    fn status(&self) -> Status {
        match self {
            // A truncated or damaged archive is refused; a disk that is full is the machine's fault.
            Self::Unpack { source, .. } if is_damage(source) => Status::Refused,
            Self::Unpack { .. } => Status::Machine,
            _ => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::TooLarge { unit: "bytes", .. }).then(|| "raise the limit with --max-unpacked".to_owned())
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
    )
}

/// Unpacks `archive` into the empty directory `into` and returns its one top directory, with every time `epoch` and
/// every mode 0644 or 0755.
///
/// # Errors
/// [`SdistError`].
pub fn unpack_sdist(archive: &Path, into: &Path, limits: Limits, epoch: u64) -> Result<PathBuf, SdistError> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut unpacker = Unpacker { archive: name, into, limits, entries: 0, bytes: 0, links: Vec::new() };
    let file = fs_err::File::open(archive).map_err(|source| unpacker.broken(source))?;
    let lower = PathBuf::from(unpacker.archive.to_ascii_lowercase());
    let extension = |path: &Path| path.extension().unwrap_or_default().to_owned();
    let inner = extension(Path::new(lower.file_stem().unwrap_or_default()));
    if extension(&lower) == "tgz" || (extension(&lower) == "gz" && inner == "tar") {
        unpacker.unpack_tar(file.into())?;
    } else if extension(&lower) == "zip" {
        unpacker.unpack_zip(file.into())?;
    } else {
        return Err(SdistError::Kind { archive: unpacker.archive });
    }
    unpacker.make_links()?;
    let top = unpacker.find_top()?;
    clamp_tree(&top, epoch).map_err(|source| unpacker.broken(source))?;
    Ok(top)
}

/// Makes sure that a source distribution, unpacked at `tree`, has a directory `subdirectory` and that nothing leads out of
/// the tree on the way there.
///
/// # Errors
/// [`SdistError::Subdirectory`].
pub fn check_subdirectory(archive: &Path, tree: &Path, subdirectory: &Path) -> Result<(), SdistError> {
    let inside = subdirectory.components().all(|part| matches!(part, Component::Normal(_)));
    let place = tree.join(subdirectory).canonicalize().ok().zip(tree.canonicalize().ok());
    if inside && place.is_some_and(|(place, tree)| place.is_dir() && place.starts_with(tree)) {
        return Ok(());
    }
    let archive = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(SdistError::Subdirectory { archive, subdirectory: subdirectory.to_owned() })
}

struct Unpacker<'a> {
    archive: String,
    into: &'a Path,
    limits: Limits,
    entries: u64,
    bytes: u64,
    /// Symbolic links, made last: nothing is written through one.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Unpacker<'_> {
    fn broken(&self, source: io::Error) -> SdistError {
        SdistError::Unpack { archive: self.archive.clone(), source }
    }

    fn refuse(&self, entry: &Path, rule: &'static str) -> SdistError {
        SdistError::Entry { archive: self.archive.clone(), entry: entry.to_string_lossy().into_owned(), rule }
    }

    /// Counts an entry and gives its path without `.` components; empty for the archive's root.
    fn admit(&mut self, path: &Path) -> Result<PathBuf, SdistError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let (archive, limit) = (self.archive.clone(), self.limits.entries);
            return Err(SdistError::TooLarge { archive, limit, unit: "entries" });
        }
        let mut admitted = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(part) => admitted.push(part),
                Component::CurDir => {}
                Component::ParentDir => return Err(self.refuse(path, "goes up with `..`")),
                Component::RootDir | Component::Prefix(_) => return Err(self.refuse(path, "is absolute")),
            }
        }
        if admitted.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(self.refuse(path, "has a NUL in its name"));
        }
        Ok(admitted)
    }

    fn make_directory(&self, path: &Path) -> Result<(), SdistError> {
        fs_err::create_dir_all(self.into.join(path)).map_err(|source| self.broken(source))
    }

    fn write_file(&mut self, path: &Path, executable: bool, content: impl Read) -> Result<(), SdistError> {
        if path.as_os_str().is_empty() {
            return Err(self.refuse(path, "is a file without a name"));
        }
        self.make_directory(path.parent().unwrap_or(Path::new("")))?;
        let target = self.into.join(path);
        let left = self.limits.bytes - self.bytes;
        let mut file = fs_err::File::create(&target).map_err(|source| self.broken(source))?;
        let written = io::copy(&mut content.take(left + 1), &mut file)
            .and_then(|written| file.flush().map(|()| written))
            .map_err(|source| self.broken(source))?;
        if written > left {
            let (archive, limit) = (self.archive.clone(), self.limits.bytes);
            return Err(SdistError::TooLarge { archive, limit, unit: "bytes" });
        }
        self.bytes += written;
        #[cfg(unix)]
        if executable {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs_err::set_permissions(&target, mode).map_err(|source| self.broken(source))?;
        }
        #[cfg(not(unix))]
        let _ = executable;
        Ok(())
    }

    fn add_link(&mut self, path: &Path, target: &Path) -> Result<(), SdistError> {
        // The top directory is the tree: what is beside it is outside.
        match resolve_link(path, target) {
            Some(resolved) if resolved.components().next() == path.components().next() => {}
            _ => return Err(self.refuse(path, "is a link that leaves the tree")),
        }
        self.links.push((path.to_owned(), target.to_owned()));
        Ok(())
    }

    fn unpack_tar(&mut self, file: File) -> Result<(), SdistError> {
        let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)));
        for entry in archive.entries().map_err(|source| self.broken(source))? {
            let entry = entry.map_err(|source| self.broken(source))?;
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let original = entry.path().map_err(|source| self.broken(source))?.into_owned();
            let path = self.admit(&original)?;
            if kind.is_dir() {
                self.make_directory(&path)?;
            } else if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
                let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
                self.write_file(&path, executable, entry)?;
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name().map_err(|source| self.broken(source))?.unwrap_or_default().into_owned();
                if kind.is_symlink() {
                    self.add_link(&path, &target)?;
                } else {
                    let first = self.admit(&target)?;
                    let source = File::open(self.into.join(&first));
                    let source = source.map_err(|_| self.refuse(&path, "is a hard link to what was not unpacked"))?;
                    let executable = source.metadata().is_ok_and(|found| is_executable(&found));
                    self.write_file(&path, executable, source)?;
                }
            } else {
                return Err(self.refuse(&original, "is neither a file, a directory nor a link"));
            }
        }
        Ok(())
    }

    fn unpack_zip(&mut self, file: File) -> Result<(), SdistError> {
        let damaged = |this: &Self, error: zip::result::ZipError| match error {
            zip::result::ZipError::Io(source) => this.broken(source),
            other => this.broken(io::Error::new(io::ErrorKind::InvalidData, other)),
        };
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(self, error))?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| damaged(self, error))?;
            let original = PathBuf::from(&*entry.name().map_err(|error| damaged(self, error))?);
            let path = self.admit(&original)?;
            let mode = entry.unix_mode().unwrap_or(0o644);
            match (entry.is_dir(), mode & 0o170_000) {
                (true, _) => self.make_directory(&path)?,
                (false, 0o120_000) => {
                    let mut target = String::new();
                    (&mut entry).take(4096).read_to_string(&mut target).map_err(|source| self.broken(source))?;
                    self.add_link(&path, Path::new(&target))?;
                }
                (false, 0 | 0o100_000) => self.write_file(&path, mode & 0o100 != 0, entry)?,
                _ => return Err(self.refuse(&original, "is neither a file, a directory nor a link")),
            }
        }
        Ok(())
    }

    fn make_links(&self) -> Result<(), SdistError> {
        for (path, target) in &self.links {
            self.make_directory(path.parent().unwrap_or(Path::new("")))?;
            make_link(target, &self.into.join(path)).map_err(|source| self.broken(source))?;
        }
        // A link through another link may leave the tree although the text of neither does.
        let root = fs_err::canonicalize(self.into).map_err(|source| self.broken(source))?;
        for (path, _) in &self.links {
            if self.into.join(path).canonicalize().is_ok_and(|resolved| !resolved.starts_with(&root)) {
                return Err(self.refuse(path, "is a link that leaves the tree"));
            }
        }
        Ok(())
    }

    fn find_top(&self) -> Result<PathBuf, SdistError> {
        let mut names = BTreeSet::new();
        for entry in fs_err::read_dir(self.into).map_err(|source| self.broken(source))? {
            names.insert(entry.map_err(|source| self.broken(source))?.file_name());
        }
        let top = names.first().map(|name| self.into.join(name));
        match top {
            Some(top) if names.len() == 1 && top.symlink_metadata().is_ok_and(|found| found.is_dir()) => Ok(top),
            _ => {
                let shown: Vec<String> =
                    names.iter().take(5).map(|name| format!("`{}`", name.to_string_lossy())).collect();
                let found = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
                Err(SdistError::Top { archive: self.archive.clone(), found })
            }
        }
    }
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    false
}
