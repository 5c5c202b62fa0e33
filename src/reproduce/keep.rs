//! Where builds that differ are kept.

use std::io;
use std::path::{Path, PathBuf};

use crate::surroundings::Surroundings;

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
