//! Where an entry of a uv.lock comes from, and its files.

use std::path::{Component, Path, PathBuf};

use super::wire::{FileTable, PackageTable, SourceTable};
use crate::lock::bounds::{Bounds, subdirectory as inside};
use crate::lock::entries::parse_hash;
use crate::lock::places::{git_commit, http_url};
use crate::lock::{EntryFault, FileHash, FileLocation, LockedFile, LockedSource};
use crate::redact::redact_url;
use crate::target::is_sdist_name;
use crate::urls;

/// Reads the source of `package`.
pub(super) fn read_source(package: &PackageTable, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
    let source = &package.source;
    let SourceTable { registry, git, url, path, directory: folder, editable, r#virtual, subdirectory } = source;
    let known = [registry, git, url, path, folder, editable, r#virtual];
    if known.iter().filter(|field| field.is_some()).count() != 1 {
        let reason = "its source is not one of registry, git, url, path, directory, editable and virtual";
        return Err(EntryFault::Field(reason.to_owned()));
    }
    if let Some(registry) = registry {
        return read_files(package, registry, bounds);
    }
    if let Some(git) = git {
        return read_git(git, bounds);
    }
    if let Some(folder) = folder.as_ref().or(editable.as_ref()) {
        return Ok(LockedSource::Directory { path: bounds.resolve(folder)? });
    }
    if let Some(folder) = r#virtual {
        return Ok(LockedSource::Virtual { path: bounds.resolve(folder)? });
    }
    let location = match url {
        Some(url) => FileLocation::Url(http_url(url)?),
        None => FileLocation::Path(bounds.resolve(path.as_deref().unwrap_or_default())?),
    };
    let mut file = LockedFile::at(location, FileHash::Missing, None)?;
    let told = if is_sdist_name(&file.filename) { package.sdist.as_ref() } else { package.wheels.first() };
    if let Some(told) = told {
        (file.hash, file.size) = (parse_hash(told.hash.as_deref())?, told.size);
    }
    Ok(file.alone(subdirectory.as_deref().map_or(Ok(None), inside)?))
}

/// The files of a package that an index has, or a flat directory of files.
fn read_files(package: &PackageTable, registry: &str, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
    let index = urls::scheme(registry).map(|_| http_url(registry)).transpose()?;
    let folder = if index.is_none() { Some(bounds.resolve(registry)?) } else { None };
    let read = |file: &FileTable| {
        let location = match (&file.url, &file.path, &folder) {
            (Some(url), _, _) => FileLocation::Url(http_url(url)?),
            (None, Some(path), Some(folder)) => {
                FileLocation::Path(bounds.resolve(&folder.join(path).to_string_lossy())?)
            }
            _ => return Err(EntryFault::Field("one of its files has neither a URL nor a path".to_owned())),
        };
        LockedFile::at(location, parse_hash(file.hash.as_deref())?, file.size)
    };
    let mut files = package.wheels.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = files.iter().find(|file| !file.filename.ends_with(".whl")) {
        return Err(EntryFault::FileName(file.filename.clone()));
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

/// `https://HOST/PATH?subdirectory=DIR&rev=REV#COMMIT`.
fn read_git(text: &str, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
    let refuse = |rule: &str| {
        let shown = redact_url(text);
        EntryFault::Repository(format!("`{shown}` is no commit of a git repository: {rule}"))
    };
    let (url, commit) = text.split_once('#').ok_or_else(|| refuse("it names no commit"))?;
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let mut subdirectory = None;
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = String::from_utf8(urls::percent_decode(&value.replace('+', " ")));
        let value = value.map_err(|_| refuse("its query is not UTF-8"))?;
        match key {
            "subdirectory" => subdirectory = Some(value),
            "path" => return Err(refuse("an archive inside of a repository is not taken")),
            "lfs" if value.eq_ignore_ascii_case("true") => return Err(refuse("git LFS is not followed")),
            _ => {}
        }
    }
    git_commit(url, commit, subdirectory.as_deref(), bounds)
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
