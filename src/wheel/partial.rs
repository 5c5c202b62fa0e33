//! The bytes of a file under way, hashed as they come; what a run leaves of one, and another run goes on with.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::process::PendingFile;

/// What the name of a partial file that outlives the run ends with. No wheel and no source distribution has such a name.
pub(crate) const PARTIAL_SUFFIX: &str = ".part";

/// A file under way to its target, and the digest of what is there of it.
pub(super) struct Partial {
    target: PathBuf,
    place: Place,
    hasher: Sha256Hasher,
    length: u64,
}

enum Place {
    /// `FILE.part` beside the target, held by its lock: it stays when the run fails.
    Kept { file: File, path: PathBuf },
    /// A file that goes when the run fails.
    Pending(PendingFile),
}

impl Partial {
    /// What an earlier run left of `target`, hashed; `None` where there is nothing or another process holds it.
    pub(super) fn resume(target: &Path) -> Option<Self> {
        let path = partial_path(target);
        let mut file = open_held(OpenOptions::new().read(true).write(true), &path)?;
        let mut hasher = Sha256Hasher::default();
        let mut buffer = vec![0_u8; 128 * 1024];
        let mut length = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    length += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Some(Self { target: target.to_owned(), place: Place::Kept { file, path }, hasher, length })
    }

    /// An empty one; one that is kept for the next run with `keep`, if no other process has it.
    ///
    /// # Errors
    /// The target's directory, which exists, cannot be written.
    pub(super) fn create(target: &Path, keep: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let path = partial_path(target);
        let held = if keep { open_held(&options, &path) } else { None };
        let place = match held {
            Some(file) => {
                file.set_len(0)?;
                Place::Kept { file, path }
            }
            None => Place::Pending(PendingFile::create(target)?),
        };
        Ok(Self { target: target.to_owned(), place, hasher: Sha256Hasher::default(), length: 0 })
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The digest of what there is.
    pub(super) fn sha256(&self) -> Sha256Digest {
        self.hasher.clone().finish()
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file().write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what there is.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        let file = self.file();
        file.set_len(0)?;
        file.rewind()?;
        (self.hasher, self.length) = (Sha256Hasher::default(), 0);
        Ok(())
    }

    /// Gives it its name.
    pub(super) fn persist(self) -> io::Result<()> {
        match self.place {
            Place::Kept { file: _file, path } => std::fs::rename(path, &self.target),
            Place::Pending(pending) => pending.persist().map(drop),
        }
    }

    /// Removes it.
    pub(super) fn discard(self) {
        if let Place::Kept { file: _file, path } = self.place {
            let _ = std::fs::remove_file(path);
        }
    }

    fn file(&mut self) -> &mut File {
        match &mut self.place {
            Place::Kept { file, .. } => file,
            Place::Pending(pending) => pending.file(),
        }
    }
}

fn partial_path(target: &Path) -> PathBuf {
    let mut name = OsString::from(target.file_name().unwrap_or_default());
    name.push(PARTIAL_SUFFIX);
    target.with_file_name(name)
}

/// Opens a file and takes its lock; `None` where another process has that, or the name is not the file's any more.
fn open_held(options: &OpenOptions, path: &Path) -> Option<File> {
    let file = options.open(path).ok()?;
    file.try_lock().ok()?;
    // Whoever had the lock until now may have given the file its last name, or removed it.
    is_at(&file, path).then_some(file)
}

/// Whether `path` is this file, not a link to it.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(opened), Ok(named)) = (file.metadata(), path.symlink_metadata()) else { return false };
    opened.is_file() && (opened.dev(), opened.ino()) == (named.dev(), named.ino())
}

/// Whether `path` is a file.
#[cfg(not(unix))]
pub(crate) fn is_at(_file: &File, path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|named| named.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_with_what_is_there_unless_another_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.whl");
        assert!(Partial::resume(&target).is_none());
        let mut first = Partial::create(&target, true).unwrap();
        first.write(b"one").unwrap();
        assert!(Partial::resume(&target).is_none());
        let mut beside = Partial::create(&target, true).unwrap();
        beside.write(b"another").unwrap();
        drop((first, beside));
        let names =
            || std::fs::read_dir(&directory).unwrap().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
        assert_eq!(names(), vec![OsString::from("a.whl.part")]);
        // A process that another test just starts has the lock until it runs its program.
        let mut tries = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            Partial::resume(&target)
        });
        let mut resumed = tries.by_ref().take(200).flatten().next().unwrap();
        resumed.write(b"two").unwrap();
        assert_eq!((resumed.length(), resumed.sha256()), (6, Sha256Digest::of(b"onetwo")));
        resumed.persist().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"onetwo");
        assert_eq!(names(), vec![OsString::from("a.whl")]);
    }

    #[cfg(unix)]
    #[test]
    fn writes_through_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let (target, other) = (directory.path().join("a.whl"), directory.path().join("other"));
        std::fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, directory.path().join("a.whl.part")).unwrap();
        assert!(Partial::resume(&target).is_none());
        Partial::create(&target, true).unwrap().write(b"x").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"kept");
    }
}
