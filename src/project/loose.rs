//! Modules that are packed as they lie there, without packaging metadata: those that the entry point names, a script, and
//! whole applications.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::input::InputError;
use crate::application::LooseFile;
use crate::archive::{ArchivePath, Mode};

/// Directories beside an application that are no part of it.
const NOT_IMPORTED: [&str; 14] = [
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "example",
    "benchmarks",
    "env",
    "venv",
    "build",
    "dist",
    "node_modules",
    "target",
];

/// Directories that web frameworks read beside the module that starts them (Flask, Starlette and Jinja's examples).
const TEMPLATES: [&str; 2] = ["static", "templates"];

/// Modules that tools read, and those that mean something else at the top of an archive.
const TOOLS: [&str; 6] = ["conftest.py", "fabfile.py", "noxfile.py", "setup.py", "__init__.py", "__main__.py"];

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
        return collect_tree(directory, &package);
    }
    if file.is_file() {
        if file.is_symlink() {
            check_link(&real_path(directory)?, &file)?;
        }
        return Ok(vec![read(&file, format!("{module}.py"))?]);
    }
    Err(InputError::NoModule { module: module.to_owned(), directory: directory.display().to_string() })
}

/// What an application without packaging metadata consists of.
#[derive(Debug)]
pub struct LooseApplication {
    /// Its files.
    pub files: Vec<LooseFile>,
    /// What lies at the top of its directory and is not packed, by name; hidden files apart.
    pub left_out: Vec<String>,
}

/// The files of the application in `directory` that starts the module `module`: everything that could be imported from
/// there as Python does when it runs the script, and the directories of templates.
///
/// `sources` are the files that belong to it, relative to `directory` ([`super::sources::list_sources`]: what git
/// ignores, environments and caches are not among them). Of those are packed, at the top of the directory, modules
/// (`NAME.py`) and directories with modules in them, with all that they hold; not tests, documentation and what
/// configures tools. Data at the top is left out: it is read by its path, which it would not have.
///
/// # Errors
/// When the module is not there, or a file cannot be read or packed, or is a symbolic link that leads out of `directory`.
pub fn collect_application(
    directory: &Path,
    module: &str,
    sources: &[PathBuf],
) -> Result<LooseApplication, InputError> {
    let mut tops: BTreeMap<&OsStr, Vec<&Path>> = BTreeMap::new();
    for path in sources {
        if let Some(top) = path.components().next() {
            tops.entry(top.as_os_str()).or_default().push(path);
        }
    }
    let (mut files, mut left_out, mut found) = (Vec::new(), Vec::new(), false);
    for (top, paths) in tops {
        let name = top.to_string_lossy();
        let started = name == module || name.strip_suffix(".py") == Some(module);
        if !started && !is_part(directory, &name, &paths) {
            if !name.starts_with('.') {
                left_out.push(name.into_owned());
            }
            continue;
        }
        found |= started;
        for path in paths {
            files.extend(collect_path(directory, &directory.join(path))?);
        }
    }
    if !found {
        let directory = directory.display().to_string();
        return Err(InputError::NoModule { module: module.to_owned(), directory });
    }
    Ok(LooseApplication { files, left_out })
}

/// Whether what has this name at the top of a directory could be imported by the application there.
fn is_part(directory: &Path, name: &str, paths: &[&Path]) -> bool {
    let path = directory.join(name);
    if path.is_dir() {
        let modules = || paths.iter().any(|path| path.extension().is_some_and(|end| end == "py")) || path.is_symlink();
        return NOT_IMPORTED.iter().all(|other| *other != name) && is_identifier(name) && modules()
            || TEMPLATES.contains(&name);
    }
    name.strip_suffix(".py").is_some_and(|stem| {
        let test = stem.starts_with("test_") || stem.ends_with("_test");
        is_identifier(stem) && !test && !TOOLS.contains(&name)
    })
}

/// Whether Python could import something of this name.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|next| next == '_' || next.is_alphanumeric())
}

/// A file, or what a link to a directory leads to.
fn collect_path(directory: &Path, path: &Path) -> Result<Vec<LooseFile>, InputError> {
    if path.is_symlink() {
        check_link(&real_path(directory)?, path)?;
        if path.is_dir() {
            return collect_tree(directory, path);
        }
    }
    if path.extension().is_some_and(|end| end == "pyc") {
        return Ok(Vec::new());
    }
    if !path.is_file() {
        return Err(loose(path, &"it is no regular file"));
    }
    Ok(vec![read(path, name_below(directory, path)?)?])
}

/// Every file below `top` but what Python compiled, named from `directory`.
fn collect_tree(directory: &Path, top: &Path) -> Result<Vec<LooseFile>, InputError> {
    let tree = real_path(directory)?;
    // Links are followed, for a wheel holds none; where they lead is checked before they are entered.
    let walk = WalkDir::new(top).follow_links(true).sort_by_file_name().into_iter();
    let mut files = Vec::new();
    for entry in walk.filter_entry(|entry| entry.file_name() != "__pycache__") {
        let entry = entry.map_err(|error| loose(error.path().unwrap_or(top), &reason(&error)))?;
        if entry.path_is_symlink() {
            check_link(&tree, entry.path())?;
        }
        if entry.file_type().is_dir() || entry.path().extension().is_some_and(|end| end == "pyc") {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(loose(entry.path(), &"it is no regular file"));
        }
        files.push(read(entry.path(), name_below(directory, entry.path())?)?);
    }
    Ok(files)
}

/// The name that a file has in the archive.
fn name_below(directory: &Path, path: &Path) -> Result<String, InputError> {
    let below = path.strip_prefix(directory).map_err(|error| loose(path, &error))?;
    let segments: Option<Vec<&str>> = below.iter().map(OsStr::to_str).collect();
    segments.map(|segments| segments.join("/")).ok_or_else(|| loose(path, &"its name is not UTF-8"))
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

    /// A directory with these files, each holding its name.
    fn place(files: &[&str]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for name in files {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        place
    }

    fn application(place: &Path, module: &str) -> Result<(Vec<String>, Vec<String>), String> {
        let sources = super::super::sources::list_sources(place, None, &BTreeMap::new()).unwrap();
        let place = place.canonicalize().unwrap();
        let collected = collect_application(&place, module, &sources)
            .map_err(|error| error.to_string().replace(&place.display().to_string(), "DIR"))?;
        Ok((collected.files.iter().map(|file| file.path.to_string()).collect(), collected.left_out))
    }

    #[test]
    fn packs_what_an_application_can_import() {
        let place = place(&[
            "main.py",
            "tool.py",
            "größe.py",
            "package/__init__.py",
            "package/data.json",
            "package/tests/test_a.py",
            "package/__pycache__/a.cpython-311.pyc",
            "namespace/inner/a.py",
            "templates/page.html",
            "static/style.css",
            // What is none of it.
            "data/table.csv",
            "two-words/a.py",
            "tests/a.py",
            "test_main.py",
            "main_test.py",
            "conftest.py",
            "setup.py",
            "__main__.py",
            "__init__.py",
            "two-words.py",
            "README.md",
            "requirements.txt",
            ".env",
            ".hidden/a.py",
            "my_env/pyvenv.cfg",
            "my_env/lib/a.py",
            "venv/a.py",
            "node_modules/a.py",
        ]);
        let (files, left_out) = application(place.path(), "main").unwrap();
        let expected = [
            "größe.py",
            "main.py",
            "namespace/inner/a.py",
            "package/__init__.py",
            "package/data.json",
            "package/tests/test_a.py",
            "static/style.css",
            "templates/page.html",
            "tool.py",
        ];
        let mut sorted = files.clone();
        sorted.sort();
        let mut due = expected.map(str::to_owned).to_vec();
        due.sort();
        assert_eq!(sorted, due);
        let expected = [
            "README.md",
            "__init__.py",
            "__main__.py",
            "conftest.py",
            "data",
            "main_test.py",
            "requirements.txt",
            "setup.py",
            "test_main.py",
            "tests",
            "two-words",
            "two-words.py",
        ];
        assert_eq!(left_out, expected);
        // What is named is packed, whatever its name.
        assert!(application(place.path(), "test_main").unwrap().0.contains(&"test_main.py".to_owned()));
        assert_eq!(application(place.path(), "gone").unwrap_err(), "no module `gone` in `DIR`");
    }

    #[test]
    fn an_application_has_no_links_that_lead_out() {
        let place = place(&["tree/main.py", "tree/shared/a.py", "out/secret.py"]);
        let tree = place.path().join("tree");
        symlink("shared/a.py", tree.join("b.py")).unwrap();
        symlink("shared", tree.join("alias")).unwrap();
        let (files, _) = application(&tree, "main").unwrap();
        assert_eq!(files, ["alias/a.py", "b.py", "main.py", "shared/a.py"]);
        symlink("../out/secret.py", tree.join("c.py")).unwrap();
        let message = application(&tree, "main").unwrap_err();
        assert!(message.starts_with("cannot pack `DIR/c.py`: it is a link that leads to "), "{message}");
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
