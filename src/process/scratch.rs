//! Scratch directories: one a build, private, removed at its end; the next build removes those of killed ones.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::interrupt::{Registry, remove_persistently};

/// What the name of every scratch directory begins with.
const PREFIX: &str = "pyzpack-scratch-";

/// The file whose lock tells that the owner lives. The kernel drops the lock with the process, however it ended.
const LOCK: &str = ".owner";

/// A private temporary directory (mode 0700) that goes when this value is dropped or the process ends by a signal.
#[derive(Debug)]
pub struct ScratchDir {
    path: PathBuf,
    key: u64,
    _lock: File,
}

/// Why there is no scratch directory.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a scratch directory in `{}`", directory.display())]
pub struct ScratchError {
    directory: PathBuf,
    source: io::Error,
}

impl crate::status::Explain for ScratchError {
    fn status(&self) -> crate::status::Status {
        crate::status::Status::Machine
    }

    fn hint(&self) -> Option<String> {
        Some("set TMPDIR to a directory that exists, is writable and has room".to_owned())
    }
}

impl ScratchDir {
    /// Makes one in `directory`, which exists; those there whose owners were killed are removed first.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(directory: &Path) -> Result<Self, ScratchError> {
        remove_abandoned(directory);
        let fail = |source| ScratchError { directory: directory.to_owned(), source };
        // Another process may take the directory for an abandoned one before its lock is held: then a new name helps.
        let mut last = None;
        for _ in 0..16 {
            match Self::try_create(directory) {
                Ok(scratch) => return Ok(scratch),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {
                    last = Some(error);
                }
                Err(error) => return Err(fail(error)),
            }
        }
        Err(fail(last.unwrap_or_else(|| io::ErrorKind::NotFound.into())))
    }

    fn try_create(directory: &Path) -> io::Result<Self> {
        let mut registry = Registry::lock();
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let path = builder.tempdir_in(directory)?.keep();
        let locked = File::create_new(path.join(LOCK)).and_then(|lock| match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            // On a file system without locks nobody can take the directory for an abandoned one either.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
        });
        match locked {
            Ok(lock) => Ok(Self { key: registry.add_path(path.clone()), path, _lock: lock }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a new directory in it whose name begins with `name`; its parent is the scratch directory itself.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn subdirectory(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let made = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&self.path);
        made.map(tempfile::TempDir::keep).map_err(|source| ScratchError { directory: self.path.clone(), source })
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        remove_persistently(&self.path);
        Registry::lock().forget_path(self.key);
    }
}

/// Removes the scratch directories in `directory` that are ours and whose owners are gone.
fn remove_abandoned(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_own_directory(&entry.path()) {
            remove_if_abandoned(&entry.path());
        }
    }
}

fn remove_if_abandoned(path: &Path) {
    match File::open(path.join(LOCK)) {
        Ok(lock) => {
            if lock.try_lock().is_ok() {
                remove_persistently(path);
            }
        }
        // Killed between making the directory and its lock: it is empty, or a removal stopped half-way.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let _ = std::fs::remove_dir(path);
        }
        Err(_) => {}
    }
}

#[cfg(unix)]
fn is_own_directory(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn is_own_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_itself_and_abandoned_ones_but_no_living_one() {
        let parent = tempfile::tempdir().unwrap();
        let living = ScratchDir::create(parent.path()).unwrap();
        let abandoned = parent.path().join("pyzpack-scratch-dead");
        std::fs::create_dir_all(abandoned.join("sub")).unwrap();
        std::fs::write(abandoned.join(LOCK), "").unwrap();
        std::fs::create_dir(parent.path().join("pyzpack-scratch-empty")).unwrap();
        std::fs::create_dir(parent.path().join("unrelated")).unwrap();
        drop(ScratchDir::create(parent.path()).unwrap());
        let mut left: Vec<PathBuf> =
            std::fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        assert_eq!(left, [living.path().to_owned(), parent.path().join("unrelated")]);
    }

    #[cfg(unix)]
    #[test]
    fn is_private_and_removed_with_read_only_directories_in_it() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let scratch = ScratchDir::create(parent.path()).unwrap();
        assert_eq!(scratch.path().metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        let sub = scratch.subdirectory("x").unwrap();
        std::fs::write(sub.join("file"), "").unwrap();
        std::fs::set_permissions(&sub, std::fs::Permissions::from_mode(0o500)).unwrap();
        drop(scratch);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
