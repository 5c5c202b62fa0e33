//! What entries of every format are made of: a distribution, its files, their hashes.
//!
//! A file is its entry's own: its name says which distribution and version it is of, and every entry is checked for that
//! where it is made ([`LockedPackage::new`]), before anything is fetched.

use std::fmt::Display;
use std::path::PathBuf;

use pep440_rs::Version;

use super::{Context, EntryFault, FileHash, FileLocation, LockedFile, LockedPackage, LockedSource};
use crate::names::PackageName;
use crate::redact::redact_url;
use crate::target::{WheelFilename, is_any_sdist_name, is_sdist_name, sdist_versions};
use crate::urls;

/// Whether the local part of a version (`+cpu`) may stand in a file's name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocalPart {
    /// The entry has it too.
    Stated,
    /// The entry may leave it out (uv).
    Omissible,
}

impl LockedPackage {
    /// An entry without requirements of its own.
    ///
    /// # Errors
    /// A file whose name is none, or another distribution's or version's.
    pub(super) fn new(
        name: PackageName,
        version: Option<Version>,
        source: LockedSource,
        local: LocalPart,
    ) -> Result<Self, EntryFault> {
        let files = match &source {
            LockedSource::Files { files, .. } => files.as_slice(),
            LockedSource::Archive { file, .. } => std::slice::from_ref(file),
            _ => &[],
        };
        let is_archive = matches!(source, LockedSource::Archive { .. });
        for LockedFile { filename, .. } in files {
            // An archive of a repository is called after a branch or a tag.
            match is_archive && !filename.ends_with(".whl") {
                true if is_plain(filename) && is_sdist_name(filename) => {}
                true => return Err(EntryFault::FileName(filename.clone())),
                false => check_identity(filename, &name, version.as_ref(), local)?,
            }
        }
        let (requires_python, dependencies, optional_dependencies) = Default::default();
        Ok(Self { name, version, requires_python, source, dependencies, optional_dependencies })
    }

    /// Whether it is the directory that is packed.
    pub(super) fn is_project(&self, context: Context<'_>) -> bool {
        let (LockedSource::Directory { path }, Some(project)) = (&self.source, context.project) else { return false };
        project.canonicalize().is_ok_and(|project| project == *path)
    }
}

/// Refuses the name of a file that is not one of this distribution and version.
fn check_identity(
    filename: &str,
    name: &PackageName,
    version: Option<&Version>,
    local: LocalPart,
) -> Result<(), EntryFault> {
    let is_none = || EntryFault::FileName(filename.to_owned());
    let differs = |what: &str, found: &dyn Display, expected: &dyn Display| {
        EntryFault::Field(format!("`{filename}` is of {what} {found}, expected {expected}"))
    };
    check_filename(filename)?;
    if filename.ends_with(".whl") {
        let wheel: WheelFilename = filename.parse().map_err(|_| is_none())?;
        if wheel.name != *name {
            return Err(differs("the name", &wheel.name, name));
        }
        let bare = || wheel.version.clone().without_local();
        return match version {
            Some(version) if wheel.version != *version && (local == LocalPart::Stated || bare() != *version) => {
                Err(differs("version", &wheel.version, version))
            }
            _ => Ok(()),
        };
    }
    let Some(found) = sdist_versions(filename, name).last() else {
        let (found, _) = filename.rsplit_once('-').ok_or_else(is_none)?;
        return Err(found.parse::<PackageName>().map_or_else(|_| is_none(), |found| differs("the name", &found, name)));
    };
    match version {
        Some(version) if !sdist_versions(filename, name).any(|text| text.parse().as_ref() == Ok(version)) => {
            Err(differs("version", &found, version))
        }
        _ => Ok(()),
    }
}

/// Refuses what no file of an index is called.
pub(super) fn check_filename(name: &str) -> Result<(), EntryFault> {
    let known = is_plain(name) && (name.ends_with(".whl") || is_any_sdist_name(name));
    if known { Ok(()) } else { Err(EntryFault::FileName(name.to_owned())) }
}

/// Whether it names a file in a directory, and could not pass for an option.
fn is_plain(name: &str) -> bool {
    !name.starts_with(['.', '-']) && !name.contains(['/', '\\']) && !name.contains(char::is_control)
}

impl LockedFile {
    /// The file at a place that has its name.
    ///
    /// # Errors
    /// [`EntryFault::FileName`]: it ends in none.
    pub(super) fn at(location: FileLocation, hash: FileHash, size: Option<u64>) -> Result<Self, EntryFault> {
        let (shown, filename) = match &location {
            FileLocation::Url(url) => (redact_url(url).into_owned(), urls::file_name(url)),
            FileLocation::Path(path) => {
                (path.display().to_string(), path.file_name().and_then(|name| name.to_str()).map(str::to_owned))
            }
            FileLocation::Index => (String::new(), None),
        };
        let filename = filename.ok_or(EntryFault::FileName(shown))?;
        Ok(Self { filename, location, hash, size })
    }

    /// The same as a source of its own.
    pub(super) fn alone(self, subdirectory: Option<PathBuf>) -> LockedSource {
        LockedSource::Archive { file: self, subdirectory }
    }
}

/// `sha256:DIGEST`; of another algorithm its name is kept.
///
/// # Errors
/// [`EntryFault::BadHash`].
pub(super) fn parse_hash(text: Option<&str>) -> Result<FileHash, EntryFault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(FileHash::Missing) };
    let bad = || EntryFault::BadHash(text.to_owned());
    match text.split_once(':') {
        Some(("sha256", digest)) => digest.parse().map(FileHash::Sha256).map_err(|_| bad()),
        Some((algorithm, _)) if !algorithm.is_empty() => Ok(FileHash::Weak(vec![algorithm.to_owned()])),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::lock::Lock;

    fn checked(filename: &str, version: Option<&str>, local: LocalPart) -> Result<(), String> {
        let version = version.map(|version| version.parse().unwrap());
        let result = check_identity(filename, &"foo-bar".parse().unwrap(), version.as_ref(), local);
        result.map_err(|fault| fault.to_string().replacen(&format!("`{filename}` is "), "", 1))
    }

    #[test]
    fn a_files_name_says_whose_it_is() {
        for filename in [
            "foo_bar-1.0-py3-none-any.whl",
            "Foo.Bar-1-1-cp311-cp311-win_amd64.whl",
            "foo-bar-1.0.tar.gz",
            "Foo_Bar-1.0.0.zip",
            "foo-bar-1.tar.bz2",
        ] {
            assert_eq!(checked(filename, Some("1.0"), LocalPart::Stated), Ok(()), "{filename}");
            assert_eq!(checked(filename, None, LocalPart::Stated), Ok(()), "{filename}");
        }
        let none = "the name of neither a wheel nor a source distribution";
        for (filename, refusal) in [
            ("foo-1.0-py3-none-any.whl", "of the name foo, expected foo-bar"),
            ("foo_bar-2.0-py3-none-any.whl", "of version 2.0, expected 1.0"),
            ("foo_bar-1.0+cpu-py3-none-any.whl", "of version 1.0+cpu, expected 1.0"),
            ("foo_bar-1.0.whl", none),
            ("foo-1.0.tar.gz", "of the name foo, expected foo-bar"),
            ("foo-bar-2.0.tar.gz", "of version 2.0, expected 1.0"),
            ("foo-bar-new.zip", "of version new, expected 1.0"),
            ("foo_bar.zip", none),
            ("foo_bar-1.0.exe", none),
            ("x/foo_bar-1.0.zip", none),
            ("-foo_bar-1.0.zip", none),
            (".foo_bar-1.0.zip", none),
            ("foo_bar-1.0\n.zip", none),
        ] {
            assert_eq!(checked(filename, Some("1.0"), LocalPart::Stated), Err(refusal.to_owned()), "{filename}");
        }
        let local = "foo_bar-1.0+cpu-py3-none-any.whl";
        assert_eq!(checked(local, Some("1.0"), LocalPart::Omissible), Ok(()));
        assert!(checked(local, Some("1.0+gpu"), LocalPart::Omissible).is_err());
    }

    #[test]
    fn every_format_refuses_the_file_of_another_distribution() {
        let wheel = "requests-2.0-py3-none-any.whl";
        let entry = "[[package]]\nname = \"requests\"\nversion = \"2.0\"\n";
        let listed = "files = [{file = \"WHEEL\", hash = \"sha256:HASH\"}]\n";
        let uv = "version = 1\nrequires-python = \">=3.9\"\n[[package]]\nname = \"app\"\nversion = \"1\"\n\
                  source = { virtual = \".\" }\n";
        for (name, text) in [
            (
                "pylock.toml",
                "lock-version = \"1.0\"\ncreated-by = \"x\"\n[[packages]]\nname = \"requests\"\nversion = \"2.0\"\n\
                 wheels = [{ url = \"https://h/WHEEL\", hashes = { sha256 = \"HASH\" } }]\n"
                    .to_owned(),
            ),
            (
                "uv.lock",
                format!(
                    "{uv}{entry}source = {{ registry = \"https://h/simple\" }}\n\
                     wheels = [{{ url = \"https://h/WHEEL\", hash = \"sha256:HASH\" }}]\n"
                ),
            ),
            (
                "poetry.lock",
                format!(
                    "{entry}groups = [\"main\"]\n{listed}[metadata]\nlock-version = \"2.1\"\n\
                     python-versions = \"*\"\ncontent-hash = \"\"\n"
                ),
            ),
            (
                "pdm.lock",
                format!(
                    "[metadata]\nlock_version = \"4.5.0\"\nstrategy = [\"inherit_metadata\", \"cross_platform\"]\n\
                     {entry}groups = [\"default\"]\n{listed}"
                ),
            ),
            (
                "Pipfile.lock",
                "{\"_meta\": {\"pipfile-spec\": 6}, \"default\": {\"requests\": {\"file\": \"https://h/WHEEL\"}}}"
                    .to_owned(),
            ),
            ("requirements.txt", "requests @ https://h/WHEEL --hash=sha256:HASH\n".to_owned()),
        ] {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join(name);
            let read = |wheel: &str| {
                let hash = Sha256Digest::of(b"").to_string();
                std::fs::write(&path, text.replace("HASH", &hash).replace("WHEEL", wheel)).unwrap();
                Lock::read(&path, Context { project: None, name: None })
            };
            assert!(read(wheel).is_ok(), "{name}: {:?}", read(wheel));
            let error = read("evil-1.0-py3-none-any.whl").unwrap_err().to_string();
            let refusal = ": `evil-1.0-py3-none-any.whl` is of the name evil, expected requests";
            assert!(error.ends_with(refusal) && error.contains("requests"), "{name}: {error}");
        }
    }
}
