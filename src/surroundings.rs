//! What the command line knows of the world and hands down: the library itself asks neither environment nor clock.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

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

    /// The program of this name that `PATH` finds first.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        std::env::split_paths(self.variable("PATH")?)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(&file))
            .find(|candidate| is_executable(candidate))
    }
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
