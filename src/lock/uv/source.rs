//! Where an entry of a uv.lock comes from, and its files.

use std::path::{Component, Path, PathBuf};

use super::wire::{FileTable, PackageTable, SourceTable};
use crate::lock::entries::check_url;
use crate::lock::{EntryFault, FileHash, FileLocation, LockedFile, LockedSource};
use crate::project::git::{GitError, GitSource};
use crate::redact::redact_url;
use crate::target::WheelFilename;
use crate::urls;

/// Reads the source of `package`; paths in it start from `directory`, the lock's own.
pub(super) fn read_source(package: &PackageTable, directory: &Path) -> Result<LockedSource, EntryFault> {
    let source = &package.source;
    let SourceTable { registry, git, url, path, directory: folder, editable, r#virtual, subdirectory } = source;
    let known = [registry, git, url, path, folder, editable, r#virtual];
    if known.iter().filter(|field| field.is_some()).count() != 1 {
        let reason = "its source is not one of registry, git, url, path, directory, editable and virtual";
        return Err(EntryFault::Field(reason.to_owned()));
    }
    if let Some(registry) = registry {
        return read_files(package, registry, directory);
    }
    if let Some(git) = git {
        return read_git(git);
    }
    if let Some(folder) = folder.as_ref().or(editable.as_ref()) {
        return Ok(LockedSource::Directory { path: inside(directory, folder)? });
    }
    if let Some(folder) = r#virtual {
        return Ok(LockedSource::Virtual { path: inside(directory, folder)? });
    }
    let (filename, location) = match (url, path) {
        (Some(url), _) => {
            let location = read_url(url)?;
            (urls::file_name(url).ok_or_else(|| EntryFault::FileName(redact_url(url).into_owned()))?, location)
        }
        (None, path) => {
            let path = path.as_deref().unwrap_or_default();
            let place = inside(directory, path)?;
            let name = place.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| EntryFault::FileName(path.to_owned()))?.to_owned();
            (name, FileLocation::Path(place))
        }
    };
    let is_sdist = [".tar.gz", ".tgz", ".zip"].iter().any(|end| filename.ends_with(end));
    if !is_sdist {
        check_wheel_name(&filename, package)?;
    }
    let told = if is_sdist { package.sdist.as_ref() } else { package.wheels.first() };
    let hash = told.map_or(Ok(FileHash::Missing), read_hash)?;
    let size = told.and_then(|told| told.size);
    let subdirectory = subdirectory.as_deref().map(read_subdirectory).transpose()?;
    Ok(LockedSource::Archive { file: LockedFile { filename, location, hash, size }, subdirectory })
}

/// The files of a package that an index has, or a flat directory of files.
fn read_files(package: &PackageTable, registry: &str, directory: &Path) -> Result<LockedSource, EntryFault> {
    let (index, folder) = if urls::scheme(registry).is_some() {
        read_url(registry)?;
        (Some(registry.to_owned()), None)
    } else {
        (None, Some(inside(directory, registry)?))
    };
    let read = |file: &FileTable| {
        let (filename, location) = match (&file.url, &file.path, &folder) {
            (Some(url), _, _) => (urls::file_name(url), read_url(url)?),
            (None, Some(path), Some(folder)) => {
                let place = inside(directory, &folder.join(path).to_string_lossy())?;
                let name = place.file_name().map(|name| name.to_string_lossy().into_owned());
                (name, FileLocation::Path(place))
            }
            _ => return Err(EntryFault::Field("one of its files has neither a URL nor a path".to_owned())),
        };
        let shown = || file.url.as_deref().or(file.path.as_deref()).map(redact_url).unwrap_or_default().into_owned();
        let filename = filename.ok_or_else(|| EntryFault::FileName(shown()))?;
        Ok(LockedFile { filename, location, hash: read_hash(file)?, size: file.size })
    };
    let mut files = Vec::with_capacity(package.wheels.len() + 1);
    for wheel in &package.wheels {
        let file = read(wheel)?;
        check_wheel_name(&file.filename, package)?;
        files.push(file);
    }
    if let Some(sdist) = &package.sdist {
        let file = read(sdist)?;
        if file.filename.ends_with(".whl") {
            return Err(EntryFault::Field(format!("its `sdist` is a wheel: `{}`", file.filename)));
        }
        files.push(file);
    }
    Ok(LockedSource::Files { files, index })
}

/// A wheel's name says whose it is: the entry's, though without a local version perhaps (as uv has it).
fn check_wheel_name(filename: &str, package: &PackageTable) -> Result<(), EntryFault> {
    let wheel: WheelFilename = filename.parse().map_err(|_| EntryFault::FileName(filename.to_owned()))?;
    let locked = package.version.as_deref().and_then(|version| version.parse().ok());
    let same =
        locked.is_none_or(|version| wheel.version == version || wheel.version.clone().without_local() == version);
    if wheel.name == package.name && same {
        return Ok(());
    }
    Err(EntryFault::Field(format!("`{filename}` is a wheel of another distribution or version")))
}

fn read_hash(file: &FileTable) -> Result<FileHash, EntryFault> {
    let Some(hash) = &file.hash else { return Ok(FileHash::Missing) };
    match hash.split_once(':') {
        Some(("sha256", digest)) => digest.parse().map(FileHash::Sha256).map_err(|_| EntryFault::BadHash(hash.clone())),
        Some((algorithm, _)) => Ok(FileHash::Weak(vec![algorithm.to_owned()])),
        None => Err(EntryFault::BadHash(hash.clone())),
    }
}

fn read_url(url: &str) -> Result<FileLocation, EntryFault> {
    Ok(FileLocation::Url(check_url(url)?))
}

/// `https://HOST/PATH?subdirectory=DIR&rev=REV#COMMIT`.
fn read_git(text: &str) -> Result<LockedSource, EntryFault> {
    let shown = redact_url(text);
    let refuse = |rule: &str| EntryFault::Repository(format!("`{shown}` is no commit of a git repository: {rule}"));
    let (url, commit) = text.split_once('#').ok_or_else(|| refuse("it names no commit"))?;
    if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(refuse("a commit is 40 or 64 hexadecimal digits"));
    }
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let mut subdirectory = None;
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = String::from_utf8(urls::percent_decode(&value.replace('+', " ")));
        let value = value.map_err(|_| refuse("its query is not UTF-8"))?;
        match key {
            "subdirectory" => subdirectory = Some(read_subdirectory(&value)?),
            "path" => return Err(refuse("an archive inside of a repository is not taken")),
            "lfs" if value.eq_ignore_ascii_case("true") => return Err(refuse("git LFS is not followed")),
            _ => {}
        }
    }
    match GitSource::parse(&format!("git+{url}@{commit}")) {
        Ok(_) => Ok(LockedSource::Git { url: url.to_owned(), commit: commit.to_ascii_lowercase(), subdirectory }),
        Err(GitError::Input { rule, .. }) => Err(refuse(rule)),
        Err(error) => Err(refuse(&error.to_string())),
    }
}

/// A directory inside of an archive or a repository.
fn read_subdirectory(text: &str) -> Result<PathBuf, EntryFault> {
    let path = PathBuf::from(text);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(path) } else { Err(EntryFault::Outside(text.to_owned())) }
}

/// What `text` means from `directory`, which it may not leave.
pub(super) fn inside(directory: &Path, text: &str) -> Result<PathBuf, EntryFault> {
    let place = without_dots(&directory.join(text));
    // A symbolic link may lead out.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stays = place.starts_with(directory) && (!place.exists() || real(&place).starts_with(real(directory)));
    if stays { Ok(place) } else { Err(EntryFault::Outside(text.to_owned())) }
}

/// An absolute path without `.` and `..`, by its text alone.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // The root is its own parent.
            Component::ParentDir => {
                place.pop();
            }
            _ => place.push(part),
        }
    }
    place
}

/// The directory of a package that is one, as the lock says it.
pub(super) fn local_directory(source: &SourceTable) -> Option<&str> {
    source.editable.as_deref().or(source.directory.as_deref()).or(source.r#virtual.as_deref())
}
