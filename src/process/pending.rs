//! Files that take their name last: written beside the target, renamed when they are whole.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::interrupt::Registry;

/// A file under way to its target: `.NAME.*.tmp` in the target's directory until [`PendingFile::persist`], gone when
/// dropped before that or when the process ends by a signal.
#[derive(Debug)]
pub struct PendingFile {
    target: PathBuf,
    path: PathBuf,
    file: File,
    key: Option<u64>,
}

impl PendingFile {
    /// Begins a file that is to be `target`, with mode 0600; its directory exists.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(target: &Path) -> io::Result<Self> {
        Self::create_for(target, target)
    }

    /// The same for a file that is written with another one, `owner`, in the same directory: until it is persisted it is
    /// called `.OWNER.*.tmp`, so that [`PendingFile::remove_abandoned`] of the owner finds it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create_for(target: &Path, owner: &Path) -> io::Result<Self> {
        loop {
            let mut registry = Registry::lock();
            let named =
                tempfile::Builder::new().prefix(&prefix_of(owner)).suffix(".tmp").tempfile_in(directory_of(target))?;
            let (file, path) = named.keep().map_err(|error| error.error)?;
            // The lock tells `remove_abandoned` of another process that this one lives. Whoever was faster has the
            // file removed; a new one is begun then.
            let contended = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) || !path.exists();
            if !contended {
                let key = Some(registry.add_path(path.clone()));
                return Ok(Self { target: target.to_owned(), path, file, key });
            }
        }
    }

    /// Where the bytes are until they are persisted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, open for reading and writing.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Makes the file one that everybody may read (0644), whatever the umask.
    ///
    /// # Errors
    /// The file system refuses.
    #[cfg(unix)]
    pub fn set_readable(&self) -> io::Result<()> {
        self.file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
    }

    /// Does nothing where there are no such modes.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn set_readable(&self) -> io::Result<()> {
        Ok(())
    }

    /// Gives the file its name, replacing what had it. What must outlive a power failure is synced before
    /// (`file().sync_all()`).
    ///
    /// # Errors
    /// Renaming fails; the old file is as it was.
    pub fn persist(mut self) -> io::Result<File> {
        let handle = self.file.try_clone()?;
        let mut registry = Registry::lock();
        std::fs::rename(&self.path, &self.target)?;
        if let Some(key) = self.key.take() {
            registry.forget_path(key);
        }
        Ok(handle)
    }

    /// Gives two files their names, this one's last, where nothing has them. A signal ends the process before or after.
    ///
    /// # Errors
    /// Something has a name (`AlreadyExists`), or renaming fails, with the name; what is there is as it was.
    pub fn persist_new_after(mut self, mut first: Self) -> Result<(), (PathBuf, io::Error)> {
        let mut registry = Registry::lock();
        rename_new(&first.path, &first.target).map_err(|error| (first.target.clone(), error))?;
        if let Err(error) = rename_new(&self.path, &self.target) {
            let _ = std::fs::remove_file(&first.target);
            return Err((self.target.clone(), error));
        }
        for key in [self.key.take(), first.key.take()].into_iter().flatten() {
            registry.forget_path(key);
        }
        Ok(())
    }

    /// Removes what killed builds left beside `target`: `.NAME.*.tmp` files that nobody holds.
    pub fn remove_abandoned(target: &Path) {
        let prefix = prefix_of(target);
        let Ok(entries) = std::fs::read_dir(directory_of(target)) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let middle = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
            let random = middle.and_then(|rest| rest.strip_suffix(b".tmp"));
            // As `tempfile` makes them: six letters or digits.
            let ours = random.is_some_and(|random| random.len() == 6 && random.iter().all(u8::is_ascii_alphanumeric))
                && entry.file_type().is_ok_and(|kind| kind.is_file());
            if ours && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let mut registry = Registry::lock();
            let _ = std::fs::remove_file(&self.path);
            registry.forget_path(key);
        }
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    link_new(from, to)
}

/// A link never replaces anything.
fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn prefix_of(target: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.pyz");
        std::fs::write(&target, "old").unwrap();
        let mut dropped = PendingFile::create(&target).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        let mut pending = PendingFile::create(&target).unwrap();
        pending.write_all(b"new").unwrap();
        pending.persist().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        let begin = |name: &str| PendingFile::create(&directory.path().join(name)).unwrap();
        for (first, last) in [("new.pyz", "a.pyz"), ("a.pyz", "new.pyz")] {
            let (there, error) = begin(last).persist_new_after(begin(first)).unwrap_err();
            assert_eq!((there, error.kind()), (target.clone(), io::ErrorKind::AlreadyExists));
            assert_eq!(std::fs::read(&target).unwrap(), b"new");
        }
        let other = directory.path().join("other");
        std::fs::write(&other, "").unwrap();
        assert_eq!(link_new(&other, &target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        link_new(&other, &directory.path().join("b.pyz")).unwrap();
        std::fs::remove_file(directory.path().join("b.pyz")).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn removes_what_a_killed_build_left_and_spares_the_living() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.pyz");
        std::fs::write(directory.path().join(".a.pyz.dead01.tmp"), "").unwrap();
        std::fs::write(directory.path().join(".b.pyz.dead01.tmp"), "").unwrap();
        std::fs::write(directory.path().join(".a.pyz.notes.tmp"), "a user's own").unwrap();
        let living = PendingFile::create(&target).unwrap();
        PendingFile::remove_abandoned(&target);
        let mut left: Vec<PathBuf> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        let mut expected = vec![
            living.path().to_owned(),
            directory.path().join(".a.pyz.notes.tmp"),
            directory.path().join(".b.pyz.dead01.tmp"),
        ];
        expected.sort();
        assert_eq!(left, expected);
    }
}
