//! Modules that are packed as they lie there, without packaging metadata: those that the entry point names, and a script.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::input::InputError;
use crate::application::LooseFile;
use crate::archive::{ArchivePath, Mode};

/// The files of the top-level module `module` in `directory`: `MODULE.py`, or everything below `MODULE/` but what Python
/// compiled.
///
/// # Errors
/// When there is no such module, or one of its files cannot be read or packed, or is a symbolic link that leads out of
/// `directory`. Other links are packed as what they lead to.
pub fn collect_module(directory: &Path, module: &str) -> Result<Vec<LooseFile>, InputError> {
    let file = directory.join(format!("{module}.py"));
    let package = directory.join(module);
    if package.is_dir() {
        let tree = real_path(directory)?;
        // Links are followed, for a wheel holds none; where they lead is checked before they are entered.
        let walk = WalkDir::new(&package).follow_links(true).sort_by_file_name().into_iter();
        let mut files = Vec::new();
        for entry in walk.filter_entry(|entry| entry.file_name() != "__pycache__") {
            let entry = entry.map_err(|error| loose(error.path().unwrap_or(&package), &reason(&error)))?;
            if entry.path_is_symlink() {
                check_link(&tree, entry.path())?;
            }
            if entry.file_type().is_dir() || entry.path().extension().is_some_and(|end| end == "pyc") {
                continue;
            }
            if !entry.file_type().is_file() {
                return Err(loose(entry.path(), &"it is no regular file"));
            }
            let below = entry.path().strip_prefix(directory).map_err(|error| loose(entry.path(), &error))?;
            let segments: Option<Vec<&str>> = below.iter().map(std::ffi::OsStr::to_str).collect();
            let name = segments.ok_or_else(|| loose(entry.path(), &"its name is not UTF-8"))?.join("/");
            files.push(read(entry.path(), name)?);
        }
        return Ok(files);
    }
    if file.is_file() {
        if file.is_symlink() {
            check_link(&real_path(directory)?, &file)?;
        }
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

/// Refuses a link that leads out of the tree, by however many other links.
fn check_link(tree: &Path, link: &Path) -> Result<(), InputError> {
    let target = real_path(link)?;
    if target.starts_with(tree) {
        return Ok(());
    }
    Err(loose(link, &format!("it is a link that leads to `{}`, outside of `{}`", target.display(), tree.display())))
}

fn real_path(path: &Path) -> Result<PathBuf, InputError> {
    path.canonicalize().map_err(|error| loose(path, &error))
}

/// What is wrong, without the path.
fn reason(error: &walkdir::Error) -> String {
    match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => format!("it is a link to `{}`, which holds it", ancestor.display()),
        (None, Some(error)) => error.to_string(),
        (None, None) => error.to_string(),
    }
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn collect(place: &Path) -> Result<Vec<String>, String> {
        let files = collect_module(&place.join("tree"), "app")
            .map_err(|error| error.to_string().replace(&place.canonicalize().unwrap().display().to_string(), "DIR"))?;
        let show = |file: &LooseFile| format!("{} {}", file.path, String::from_utf8_lossy(&file.bytes));
        Ok(files.iter().map(show).collect())
    }

    #[test]
    fn packs_links_that_stay_in_the_tree_and_refuses_others() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let app = place.join("tree/app");
        std::fs::create_dir_all(app.join("sub")).unwrap();
        std::fs::write(app.join("__init__.py"), "1").unwrap();
        std::fs::write(app.join("sub/x.txt"), "2").unwrap();
        std::fs::write(place.join("tree/shared.txt"), "3").unwrap();
        std::fs::create_dir(place.join("out")).unwrap();
        std::fs::write(place.join("out/secret"), "4").unwrap();
        symlink("../shared.txt", app.join("a.txt")).unwrap();
        symlink("sub", app.join("b")).unwrap();
        let expected = ["app/__init__.py 1", "app/a.txt 3", "app/b/x.txt 2", "app/sub/x.txt 2"];
        assert_eq!(collect(&place), Ok(expected.map(str::to_owned).to_vec()));
        for (target, message) in [
            ("../../out/secret", "it is a link that leads to `DIR/out/secret`, outside of `DIR/tree`"),
            ("../../out", "it is a link that leads to `DIR/out`, outside of `DIR/tree`"),
            (".", "it is a link to `DIR/tree/app`, which holds it"),
            ("gone", "No such file or directory (os error 2)"),
        ] {
            symlink(target, app.join("c")).unwrap();
            assert_eq!(collect(&place), Err(format!("cannot pack `DIR/tree/app/c`: {message}")));
            std::fs::remove_file(app.join("c")).unwrap();
        }
        std::fs::remove_dir_all(&app).unwrap();
        symlink("../out/secret", place.join("tree/app.py")).unwrap();
        let message =
            "cannot pack `DIR/tree/app.py`: it is a link that leads to `DIR/out/secret`, outside of `DIR/tree`";
        assert_eq!(collect(&place), Err(message.to_owned()));
    }
}
