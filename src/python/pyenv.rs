//! pyenv's layout: a directory of shims on the path, and the versions it has installed beside it.
//!
//! A shim is a shell script that takes some 60 ms to find out which installed version to run, several times as long as
//! asking that version directly. What can be read as plainly as pyenv itself reads it is read here; anything else is
//! left to the shim.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::find::is_executable;
use crate::target::PythonMinor;

/// A version that pyenv has installed: its minor version and its directory's name.
pub(super) type Installed = (PythonMinor, String);

/// The interpreters of the installed versions that are wanted, the newest first.
pub(super) fn installed(search_path: &[PathBuf], wanted: impl Fn(&Installed) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for versions in search_path.iter().filter_map(|directory| versions_beside(directory)) {
        let Ok(entries) = versions.read_dir() else { continue };
        for entry in entries.filter_map(Result::ok) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let mut numbers = name.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u8>);
            let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { continue };
            let patch = numbers.next().and_then(Result::ok);
            let version = (PythonMinor::new(major, minor), name);
            let executable = entry.path().join("bin").join(format!("python{major}.{minor}"));
            if wanted(&version) && is_executable(&executable) {
                found.push((version.0, patch, executable));
            }
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, _, executable)| executable).collect()
}

/// What a shim would run, where that is plain: `PYENV_VERSION`, else `.python-version` in the working directory or above
/// it, else the global version; the first of the versions named there that has the command.
pub(super) fn behind_shim(shim: &Path, environment: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let versions = versions_beside(shim.parent()?)?;
    let command = shim.file_name()?;
    let names = selected(&versions, environment)?;
    for name in names.split([':', ' ', '\t', '\n', '\r']).filter(|name| !name.is_empty()) {
        let directory = versions.join(name).join("bin");
        // `system`, a prefix such as `3.12`, a comment, a path: pyenv's to understand.
        if name == "system" || name.contains(['/', '#']) || !directory.is_dir() {
            return None;
        }
        let executable = directory.join(command);
        if is_executable(&executable) {
            return Some(executable);
        }
    }
    None
}

/// The text that selects versions.
fn selected(versions: &Path, environment: &BTreeMap<OsString, OsString>) -> Option<String> {
    let variable = |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    if let Some(selected) = variable("PYENV_VERSION") {
        return selected.to_str().map(str::to_owned);
    }
    if variable("PYENV_DIR").is_some() {
        return None;
    }
    let here = PathBuf::from(variable("PWD")?);
    if !is_working_directory(&here) {
        return None;
    }
    let local = here.ancestors().map(|directory| directory.join(".python-version")).find(|path| path.exists());
    fs::read_to_string(local.unwrap_or_else(|| versions.with_file_name("version"))).ok()
}

/// The directory of installed versions, if `shims` is pyenv's directory of shims.
fn versions_beside(shims: &Path) -> Option<PathBuf> {
    let versions = shims.parent()?.join("versions");
    (shims.ends_with("shims") && versions.is_dir()).then_some(versions)
}

/// PWD is only what the parent process says: a shim would not believe it unchecked either.
#[cfg(unix)]
fn is_working_directory(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    path.is_absolute() && identity(path).is_some() && identity(path) == identity(Path::new("."))
}

#[cfg(not(unix))]
fn is_working_directory(_path: &Path) -> bool {
    false
}
