//! What the command line knows of the world and hands down: the library itself asks neither environment nor clock.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What makes a directory known as a cache, to back-up programs too (Cache Directory Tagging Specification), and as this one.
pub(crate) const CACHE_TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of pyzpack; all can be deleted.\n";

/// Environment variables and directories, as the command line found them.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment of the process.
    pub environment: BTreeMap<OsString, OsString>,
    /// Where scratch directories are made (`TMPDIR`), absolute.
    pub temporary: PathBuf,
    /// The root of the cache, absolute; made when it is needed.
    pub cache: PathBuf,
}

impl Surroundings {
    /// The value of a variable, where it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable where it is set, not empty and UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variable(name).and_then(OsStr::to_str)
    }

    /// The first of these variables that is set, not empty and UTF-8.
    pub fn first_text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// The home directory, where one is set and absolute.
    pub fn home(&self) -> Option<&Path> {
        self.variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
            .map(Path::new)
            .filter(|home| home.is_absolute())
    }

    /// Makes a directory below the cache's root, and the root, for their user alone; the root says that it is a cache.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_cache_directory(&self, below: &str) -> io::Result<PathBuf> {
        let directory = self.cache.join(below);
        make_private_directory(&directory)?;
        // A cache without it works as well, and is only not cleared.
        let _ =
            File::create_new(self.cache.join("CACHEDIR.TAG")).and_then(|mut tag| tag.write_all(CACHE_TAG.as_bytes()));
        Ok(directory)
    }

    /// The absolute directories of `PATH`.
    pub fn search_path(&self) -> Vec<PathBuf> {
        let path = self.variable("PATH").unwrap_or_default();
        std::env::split_paths(path).filter(|directory| directory.is_absolute()).collect()
    }

    /// The program of this name that `PATH` finds first.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        std::env::split_paths(self.variable("PATH")?)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(&file))
            .find(|candidate| is_executable(candidate))
    }
}

/// Makes a directory and those above it that are missing, with mode 0700 whatever the umask allows: an archive refuses to
/// start from a cache that others may write to, so none may be made.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot make the directory `{}`: {error}", directory.display()))
    })
}

/// Whether this is a file that its user may run.
pub(crate) fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    #[cfg(unix)]
    let runs = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let runs = true;
    metadata.is_file() && runs
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn makes_the_cache_for_its_user_alone() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("above/cache");
        let world = Surroundings { environment: BTreeMap::new(), temporary: PathBuf::new(), cache: cache.clone() };
        let logs = world.make_cache_directory("logs").unwrap();
        for made in [&directory.path().join("above"), &cache, &logs] {
            assert_eq!(made.metadata().unwrap().permissions().mode() & 0o7777, 0o700, "{made:?}");
        }
        assert_eq!(world.make_cache_directory("logs").unwrap(), cache.join("logs"));
    }
}
