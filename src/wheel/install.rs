//! Wheels unpacked into a scratch virtual environment, for builds only: nothing of it is packed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;

use crate::python::venv::Venv;

/// Why a wheel is not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It cannot be read, or its files not be written.
    #[error("cannot install the wheel `{}`", wheel.display())]
    Unpack {
        /// The wheel.
        wheel: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry leaves the directory.
    #[error("wheel `{}`: entry `{entry}` leaves the directory that it is installed into", wheel.display())]
    Entry {
        /// The wheel.
        wheel: PathBuf,
        /// The entry.
        entry: String,
    },
}

/// Installs a wheel: modules, scripts, data, headers, and stubs for its console scripts (PEP 427, "Installing a wheel").
///
/// # Errors
/// [`InstallError`].
pub fn install_wheel(wheel: &Path, venv: &Venv) -> Result<(), InstallError> {
    let unpack = |source| InstallError::Unpack { wheel: wheel.to_owned(), source };
    let damaged = |error: zip::result::ZipError| unpack(io::Error::new(io::ErrorKind::InvalidData, error));
    let file: File = fs_err::File::open(wheel).map_err(unpack)?.into();
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let mut entry_points = String::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        let path = Path::new(&name);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(InstallError::Entry { wheel: wheel.to_owned(), entry: name });
        }
        if entry.is_dir() {
            continue;
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let (target, kind) = place(path, venv);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(unpack)?;
        if path.components().count() == 2 && path.ends_with("entry_points.txt") {
            entry_points = String::from_utf8_lossy(&content).into_owned();
        }
        if kind == Kind::Script && content.starts_with(b"#!python") {
            let rest = content.iter().position(|byte| *byte == b'\n').map_or(&[][..], |at| &content[at..]);
            content = [b"#!", venv.python.as_os_str().as_encoded_bytes(), rest].concat();
        }
        write(&target, &content, executable || kind == Kind::Script).map_err(unpack)?;
    }
    for (name, object) in console_scripts(&entry_points) {
        let (module, function) = object.split_once(':').unwrap_or((object, "main"));
        let root = function.split('.').next().unwrap_or(function);
        let stub =
            format!("#!{}\nimport sys\nfrom {module} import {root}\nsys.exit({function}())\n", venv.python.display());
        write(&venv.bin.join(name), stub.as_bytes(), true).map_err(unpack)?;
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Kind {
    File,
    Script,
}

/// Where an entry goes.
fn place(path: &Path, venv: &Venv) -> (PathBuf, Kind) {
    let mut parts = path.components();
    let top = parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    if top.strip_suffix(".data").is_none() {
        return (venv.site_packages.join(path), Kind::File);
    }
    let scheme = parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    let rest = parts.as_path();
    match scheme.as_str() {
        "scripts" => (venv.bin.join(rest), Kind::Script),
        "data" => (venv.root.join(rest), Kind::File),
        "headers" => (venv.root.join("include/site").join(rest), Kind::File),
        _ => (venv.site_packages.join(rest), Kind::File),
    }
}

fn console_scripts(entry_points: &str) -> Vec<(&str, &str)> {
    let mut section = "";
    let mut scripts = Vec::new();
    for line in entry_points.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[console_scripts]"
            && let Some((name, object)) = line.split_once('=')
        {
            let (name, object) = (name.trim(), object.split('[').next().unwrap_or(object).trim());
            if !name.contains(['/', '\\']) && !name.starts_with('.') {
                scripts.push((name, object));
            }
        }
    }
    scripts
}

fn write(target: &Path, content: &[u8], executable: bool) -> io::Result<()> {
    if let Some(parent) = target.parent() {
        fs_err::create_dir_all(parent)?;
    }
    fs_err::write(target, content)?;
    #[cfg(unix)]
    if executable {
        fs_err::set_permissions(target, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    Ok(())
}
