//! Scratch directories: one a build, private, removed at its end; the next build removes those of killed ones.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::interrupt::{Registry, remove_persistently};
use crate::digest::Sha256Digest;

/// What the names of scratch directories begin with: those of chance, and those that are fixed by what is built.
const PREFIX: &str = "pyzpack-scratch-";
const FIXED_PREFIX: &str = "pyzpack-build-";

/// How often a fixed name that is taken is asked for again.
const STEP: Duration = Duration::from_millis(50);

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
        match make_lock(&path) {
            Ok(lock) => Ok(Self { key: registry.add_path(path.clone()), path, _lock: lock }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    /// The path of the scratch directory in `directory` whose name is fixed by `subject`.
    pub fn fixed_path(directory: &Path, subject: &Sha256Digest) -> PathBuf {
        directory.join(format!("{FIXED_PREFIX}{}", &subject.to_string()[..16]))
    }

    /// Makes the one at `path` ([`ScratchDir::fixed_path`]): what writes its path into a file writes the same each time.
    ///
    /// The name is the same for all users, so it may be taken: `None` where something of another user is there, where
    /// this process holds it, or where another process of this user does for longer than `patience`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn claim(path: &Path, patience: Duration) -> Result<Option<Self>, ScratchError> {
        let parent = path.parent().unwrap_or(path);
        let fail = |source| ScratchError { directory: parent.to_owned(), source };
        let asked = Instant::now();
        loop {
            match Self::try_claim(path) {
                Ok(Claim::Made(scratch)) => return Ok(Some(scratch)),
                Ok(Claim::Ours) => return Ok(None),
                // Another process took it for an abandoned one before its lock was held.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {
                    fs_err::metadata(parent).map_err(fail)?;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !is_own_directory(path) && path.symlink_metadata().is_ok() {
                        return Ok(None);
                    }
                    remove_if_abandoned(path);
                    if path.symlink_metadata().is_err() {
                        continue;
                    }
                }
                Err(error) => return Err(fail(error)),
            }
            if asked.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(STEP);
        }
    }

    fn try_claim(path: &Path) -> io::Result<Claim> {
        let mut registry = Registry::lock();
        if registry.has_path(path) {
            return Ok(Claim::Ours);
        }
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Nothing that is there is used, be it a link or a directory of somebody else.
        builder.create(path)?;
        let lock = make_lock(path)?;
        Ok(Claim::Made(Self { key: registry.add_path(path.to_owned()), path: path.to_owned(), _lock: lock }))
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

/// What became of asking for a fixed name.
enum Claim {
    Made(ScratchDir),
    /// This process has it.
    Ours,
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        remove_persistently(&self.path);
        Registry::lock().forget_path(self.key);
    }
}

/// Makes and takes the lock of a directory that was just made.
///
/// # Errors
/// `WouldBlock` or `NotFound`: another process took it for an abandoned one.
fn make_lock(directory: &Path) -> io::Result<File> {
    let lock = File::create_new(directory.join(LOCK))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        // The other one may be done with it already, and then what is locked has no name any more.
        Ok(()) | Err(TryLockError::Error(_)) if !is_lock_of(&lock, directory) => Err(io::ErrorKind::NotFound.into()),
        // On a file system without locks nobody can take the directory for an abandoned one either.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
    }
}

/// Removes the scratch directories in `directory` that are ours and whose owners are gone.
fn remove_abandoned(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if [PREFIX, FIXED_PREFIX].iter().any(|prefix| name.starts_with(prefix)) && is_own_directory(&entry.path()) {
            remove_if_abandoned(&entry.path());
        }
    }
}

fn remove_if_abandoned(path: &Path) {
    match File::open(path.join(LOCK)) {
        Ok(lock) => {
            // A fixed name may have been removed and made again since the file was opened: then this is not its lock.
            if lock.try_lock().is_ok() && is_lock_of(&lock, path) {
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
fn is_lock_of(lock: &File, directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (held, named) = (lock.metadata(), directory.join(LOCK).symlink_metadata());
    held.is_ok_and(|held| named.is_ok_and(|named| (held.dev(), held.ino()) == (named.dev(), named.ino())))
}

#[cfg(not(unix))]
fn is_lock_of(_lock: &File, directory: &Path) -> bool {
    directory.join(LOCK).exists()
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

    #[test]
    fn none_is_taken_for_an_abandoned_one_while_it_is_made() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let scratch = ScratchDir::create(parent.path()).unwrap();
                        assert!(scratch.path().join(LOCK).is_file());
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_fixed_name_is_had_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = ScratchDir::fixed_path(parent.path(), &Sha256Digest::of(b"x"));
        assert_eq!(path, parent.path().join("pyzpack-build-2d711642b726b044"));
        let claim = |patience: u64| ScratchDir::claim(&path, Duration::from_millis(patience)).unwrap();
        let first = claim(0).unwrap();
        assert!(claim(10_000).is_none(), "this process has it, and does not wait for itself");
        drop(first);
        assert!(claim(0).is_some());

        // Of another process: it is waited for; where the process is gone it is taken.
        std::fs::create_dir(&path).unwrap();
        let lock = File::create(path.join(LOCK)).unwrap();
        lock.try_lock().unwrap();
        assert!(claim(100).is_none());
        std::fs::write(path.join("left"), "").unwrap();
        drop(lock);
        let taken = claim(0).unwrap();
        assert_eq!(std::fs::read_dir(taken.path()).unwrap().count(), 1);
        drop(taken);

        // A file or a link in its place is neither used nor removed.
        std::fs::write(&path, "").unwrap();
        assert!(claim(10_000).is_none());
        std::fs::remove_file(&path).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(parent.path(), &path).unwrap();
            assert!(claim(10_000).is_none());
        }
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
