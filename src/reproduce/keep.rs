//! Where builds that differ are kept.

use std::io;
use std::path::{Path, PathBuf};

use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;

/// Why builds are not kept where they should be. Known before the first of them.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no name.
    #[error("--keep names no directory")]
    Unnamed,
    /// Something else is there, or above it.
    #[error("cannot keep builds in `{}`: `{}` is no directory", named.display(), file.display())]
    NoDirectory {
        /// What was named.
        named: PathBuf,
        /// What is no directory.
        file: PathBuf,
    },
    /// Nothing there is to be replaced.
    #[error("cannot keep builds in `{}`: it is not empty", .0.display())]
    Taken(PathBuf),
}

impl Explain for KeepError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("name a directory that is new or empty".to_owned())
    }
}

/// Refuses a directory below `directory` in which builds could not be kept, or would replace something.
///
/// # Errors
/// It is that.
pub fn check_keep(named: &Path, directory: &Path) -> Result<(), KeepError> {
    if named.as_os_str().is_empty() {
        return Err(KeepError::Unnamed);
    }
    let place = directory.join(named);
    let nearest = place.ancestors().find(|above| above.symlink_metadata().is_ok());
    if let Some(file) = nearest.filter(|nearest| !nearest.is_dir()) {
        return Err(KeepError::NoDirectory { named: named.to_owned(), file: file.to_owned() });
    }
    let is_taken = std::fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken { Err(KeepError::Taken(named.to_owned())) } else { Ok(()) }
}

/// A directory for files that differ: the one that is named, else a new one beside other temporary files.
pub(super) fn make_keep(named: Option<&Path>, directory: &Path, world: &Surroundings) -> io::Result<PathBuf> {
    if let Some(named) = named {
        let place = directory.join(named);
        return fs_err::create_dir_all(&place).map(|()| place);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("pyzpack-differs-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(&world.temporary).map(tempfile::TempDir::keep)
}
