//! Modules that are packed as they lie there, without packaging metadata: those that the entry point names, and a script.

use std::path::Path;

use walkdir::WalkDir;

use super::input::InputError;
use crate::application::LooseFile;
use crate::archive::{ArchivePath, Mode};

/// The files of the top-level module `module` in `directory`: `MODULE.py`, or everything below `MODULE/` but what Python
/// compiled.
///
/// # Errors
/// When there is no such module, or one of its files cannot be read or packed.
pub fn collect_module(directory: &Path, module: &str) -> Result<Vec<LooseFile>, InputError> {
    let file = directory.join(format!("{module}.py"));
    let package = directory.join(module);
    if package.is_dir() {
        let walk = WalkDir::new(&package).sort_by_file_name().into_iter();
        let mut files = Vec::new();
        for entry in walk.filter_entry(|entry| entry.file_name() != "__pycache__") {
            let entry = entry.map_err(|error| loose(&package, &error))?;
            if entry.file_type().is_dir() || entry.path().extension().is_some_and(|end| end == "pyc") {
                continue;
            }
            let below = entry.path().strip_prefix(directory).map_err(|error| loose(entry.path(), &error))?;
            let segments: Option<Vec<&str>> = below.iter().map(std::ffi::OsStr::to_str).collect();
            let name = segments.ok_or_else(|| loose(entry.path(), &"its name is not UTF-8"))?.join("/");
            files.push(read(entry.path(), name)?);
        }
        return Ok(files);
    }
    if file.is_file() {
        return Ok(vec![read(&file, format!("{module}.py"))?]);
    }
    Err(InputError::NoModule { module: module.to_owned(), directory: directory.display().to_string() })
}

/// A file with bytes that were read already, under the name of the module that it is.
///
/// # Errors
/// When the name cannot be packed.
pub fn loose_file(path: &Path, name: String, bytes: Vec<u8>) -> Result<LooseFile, InputError> {
    let name = ArchivePath::new(name).map_err(|fault| loose(path, &fault))?;
    let metadata = std::fs::metadata(path).map_err(|error| loose(path, &error))?;
    Ok(LooseFile { path: name, bytes: bytes.into(), mode: mode_of(&metadata) })
}

fn read(path: &Path, name: String) -> Result<LooseFile, InputError> {
    let bytes = std::fs::read(path).map_err(|error| loose(path, &error))?;
    loose_file(path, name, bytes)
}

fn loose(path: &Path, reason: &dyn std::fmt::Display) -> InputError {
    InputError::Loose { path: path.display().to_string(), reason: reason.to_string() }
}

#[cfg(unix)]
fn mode_of(metadata: &std::fs::Metadata) -> Mode {
    let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0;
    if executable { Mode::Executable } else { Mode::Regular }
}

#[cfg(not(unix))]
fn mode_of(_metadata: &std::fs::Metadata) -> Mode {
    Mode::Regular
}
