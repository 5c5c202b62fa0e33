//! Copies of sources: as they are, times and modes included, without what tools left there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use filetime::FileTime;

use super::error::ReproduceError;
use crate::project::clamp::make_link;
use crate::project::pyproject::has_packaging_metadata;
use crate::project::sources::{copy_repository, list_sources};

/// The work tree of git around a directory, as far as its `.git` tells, else the directory itself.
pub(super) fn repository_of(directory: &Path) -> PathBuf {
    let directory: PathBuf = directory.components().collect();
    let around = directory.ancestors().find(|ancestor| ancestor.join(".git").symlink_metadata().is_ok());
    around.unwrap_or(&directory).to_owned()
}

/// Copies a tree as it is, times and modes included, without what tools left there; of a project, with git, what git does
/// not ignore, and its locks.
pub(super) fn copy_tree(
    root: &Path,
    into: &Path,
    git: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
    directory: &Path,
) -> Result<(), ReproduceError> {
    let mut files: BTreeSet<PathBuf> = list_sources(root, git, environment)?.into_iter().collect();
    for place in [root, directory] {
        let Ok(inside) = place.strip_prefix(root) else { continue };
        if has_packaging_metadata(place) {
            files.extend(locks_in(place).map(|name| inside.join(name)));
        } else {
            // Modules are packed whatever git thinks of them.
            files.extend(list_sources(place, None, environment)?.into_iter().map(|file| inside.join(file)));
        }
    }
    copy_files(root, files.into_iter(), into)?;
    copy_repository(&root.join(".git"), &into.join(".git")).map_err(ReproduceError::Stage)
}

/// Locks and lists of requirements in a directory.
fn locks_in(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.map(PathBuf::from).filter(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".lock")
            || name.ends_with(".lock.nix.json")
            || name.starts_with("pylock.")
            || name.ends_with(".txt")
    })
}

pub(super) fn copy_files(root: &Path, files: impl Iterator<Item = PathBuf>, into: &Path) -> Result<(), ReproduceError> {
    let copy = |file: &Path| -> io::Result<()> {
        let (from, to) = (root.join(file), into.join(file));
        let found = fs_err::symlink_metadata(&from)?;
        let time = FileTime::from_last_modification_time(&found);
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent)?;
        }
        if found.is_symlink() {
            make_link(&fs_err::read_link(&from)?, &to)?;
            return filetime::set_symlink_file_times(&to, time, time);
        }
        if found.is_dir() {
            return fs_err::create_dir_all(&to);
        }
        if found.is_file() {
            fs_err::copy(&from, &to)?;
            return filetime::set_file_times(&to, time, time);
        }
        Ok(())
    };
    let mut directories = BTreeSet::from([PathBuf::new()]);
    for file in files {
        copy(&file).map_err(ReproduceError::Stage)?;
        directories.extend(file.ancestors().skip(1).map(Path::to_owned));
    }
    // Contents first: a directory's time changes with what is made in it.
    for directory in directories.iter().rev() {
        let found = fs_err::metadata(root.join(directory)).map_err(ReproduceError::Stage)?;
        let (time, to) = (FileTime::from_last_modification_time(&found), into.join(directory));
        filetime::set_file_times(&to, time, time)
            .and_then(|()| fs_err::set_permissions(&to, found.permissions()))
            .map_err(ReproduceError::Stage)?;
    }
    Ok(())
}
