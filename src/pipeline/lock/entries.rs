//! From what a resolver pinned to entries of a lock: every file with a sha256, no credential, nothing of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::digest::Sha256Digest;
use crate::lock::{
    EntryFault, FileHash, FileLocation, LockError, LockedFile, LockedPackage, LockedSource, MarkedPackage, Membership,
};
use crate::names::PackageName;
use crate::redact::{recorded_url, redact_url};
use crate::resolve::{Artifact, Location, Pinned, PinnedSource, RemoteFile};
use crate::target::Marker;
use crate::urls::split_login;
use crate::wheel::collect::{CollectError, Workshop};

use super::super::pins::AllowedHashes;

/// Digests all files of which the resolver knows none.
pub(super) fn complete_digests(packages: &mut [Pinned], workshop: &Workshop<'_>) -> Result<(), CollectError> {
    let mut open: Vec<&mut RemoteFile> = Vec::new();
    for package in packages {
        match &mut package.source {
            PinnedSource::Files(files) => {
                open.extend(files.iter_mut().filter(|file| file.sha256.is_none()));
            }
            PinnedSource::Direct(artifact) => open.extend(artifact.file_mut().filter(|file| file.sha256.is_none())),
        }
    }
    let files: Vec<RemoteFile> = open.iter().map(|file| (**file).clone()).collect();
    let digested = workshop.fetch_files(&files, &|_, _| {})?;
    for (file, (_, digest)) in open.into_iter().zip(digested) {
        file.sha256 = Some(digest);
    }
    Ok(())
}

/// Leaves of each package the files that the requirements files allow.
pub(super) fn restrict(packages: &mut [Pinned], hashes: &AllowedHashes) -> Result<(), CollectError> {
    for package in packages {
        let Some(allowed) = hashes.of(&package.name) else { continue };
        let fits = |file: &RemoteFile| file.sha256.is_some_and(|found| allowed.contains(&found));
        let first = match &mut package.source {
            PinnedSource::Files(files) => {
                let first = files.first().cloned();
                files.retain(|file| fits(file));
                first.filter(|_| files.is_empty())
            }
            PinnedSource::Direct(artifact) => artifact.file_mut().filter(|file| !fits(file)).cloned(),
        };
        if let Some(RemoteFile { filename, sha256: Some(found), .. }) = first {
            super::super::pins::check(&filename, allowed, found)?;
        }
    }
    Ok(())
}

/// The entry of a package in the lock at `lock`.
pub(super) fn entry(package: &Pinned, lock: &Path) -> Result<MarkedPackage, LockError> {
    let named = || {
        package
            .version
            .as_ref()
            .map_or_else(|| package.name.to_string(), |version| format!("{} {version}", package.name))
    };
    let refuse = |fault| LockError::entry(lock, named(), fault);
    let version = package
        .version
        .as_ref()
        .map(|text| text.parse().map_err(|_| refuse(EntryFault::Field(format!("`{text}` is not a version")))));
    let source = match &package.source {
        PinnedSource::Files(files) => {
            LockedSource::Files { files: files.iter().map(locked_file).collect(), index: None }
        }
        PinnedSource::Direct(Artifact::Wheel(file)) => {
            LockedSource::Archive { file: locked_file(file), subdirectory: None }
        }
        PinnedSource::Direct(Artifact::Sdist { file, subdirectory }) => {
            LockedSource::Archive { file: locked_file(file), subdirectory: subdirectory.clone() }
        }
        PinnedSource::Direct(Artifact::Git { url, commit, subdirectory }) => {
            LockedSource::Git { url: without_login(url), commit: commit.clone(), subdirectory: subdirectory.clone() }
        }
        PinnedSource::Direct(Artifact::Directory(path)) => LockedSource::Directory { path: canonical(path) },
    };
    let locked = LockedPackage {
        name: package.name.clone(),
        version: version.transpose()?,
        requires_python: None,
        source,
        dependencies: Vec::new(),
        optional_dependencies: BTreeMap::new(),
    };
    Ok(MarkedPackage { package: locked, marker: package.marker.clone() })
}

fn locked_file(file: &RemoteFile) -> LockedFile {
    let (location, size) = match &file.location {
        // Whatever else stands in it can be a token: a signed URL would not hold for long anyway.
        Location::Url(url) => (FileLocation::Url(recorded_url(&split_login(url).0)), file.size),
        Location::Path(path) => {
            let path = canonical(path);
            let size = file.size.or_else(|| path.metadata().ok().map(|metadata| metadata.len()));
            (FileLocation::Path(path), size)
        }
    };
    let hash = file.sha256.map_or(FileHash::Missing, FileHash::Sha256);
    LockedFile { filename: file.filename.clone(), location, hash, size }
}

/// A repository's URL without its credential; the user of `ssh` is none.
fn without_login(url: &str) -> String {
    if redact_url(url) == url { url.to_owned() } else { split_login(url).0 }
}

pub(super) fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// What tells one pinned distribution from another.
type Identity = (PackageName, Option<String>, Option<Sha256Digest>);

/// The pinned packages of several scopes as one list, each with the marker that says when it is needed.
#[derive(Debug, Default)]
pub(super) struct Merged(BTreeMap<Identity, Needed>);

#[derive(Debug)]
struct Needed {
    package: Pinned,
    scopes: BTreeMap<Membership, BTreeSet<Option<Marker>>>,
}

impl Merged {
    /// Takes in what a scope needs.
    pub(super) fn add(&mut self, of: &Membership, packages: impl IntoIterator<Item = Pinned>) {
        for package in packages {
            let direct = match &package.source {
                PinnedSource::Direct(Artifact::Wheel(file) | Artifact::Sdist { file, .. }) => file.sha256,
                _ => None,
            };
            let key = (package.name.clone(), package.version.clone(), direct);
            let marker = package.marker.clone();
            let needed = self.0.entry(key).or_insert_with(|| Needed { package, scopes: BTreeMap::new() });
            needed.scopes.entry(of.clone()).or_default().insert(marker);
        }
    }

    pub(super) fn into_packages(self) -> Vec<Pinned> {
        let packages = self.0.into_values().map(|Needed { mut package, scopes }| {
            package.marker = joined(&scopes);
            package
        });
        packages.collect()
    }
}

/// When something is needed: in one of these scopes, each where its markers say.
fn joined(scopes: &BTreeMap<Membership, BTreeSet<Option<Marker>>>) -> Option<Marker> {
    let base = scopes.get(&Membership::Base);
    if base.is_some_and(|markers| markers.contains(&None)) {
        return None;
    }
    let mut parts = Vec::new();
    for (of, markers) in scopes {
        // What is needed anyway need not be said again.
        let more: Vec<&Option<Marker>> = markers
            .iter()
            .filter(|marker| *of == Membership::Base || !base.is_some_and(|base| base.contains(marker)))
            .collect();
        let asked = match of {
            Membership::Base => None,
            Membership::Extra(name) => Some(format!("\"{name}\" in extras")),
            Membership::Group(name) => Some(format!("\"{name}\" in dependency_groups")),
        };
        parts.extend(more.into_iter().map(|marker| match (marker, &asked) {
            (Some(marker), Some(asked)) => format!("({marker}) and {asked}"),
            (Some(marker), None) => format!("({marker})"),
            (None, asked) => asked.clone().expect("what is always needed was found before"),
        }));
    }
    (!parts.is_empty()).then(|| parts.join(" or ").parse().expect("markers joined make a marker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_when_a_package_is_needed() {
        let said = |scopes: &[(Membership, Option<&str>)]| {
            let mut by_scope: BTreeMap<Membership, BTreeSet<Option<Marker>>> = BTreeMap::new();
            for (of, marker) in scopes {
                by_scope.entry(of.clone()).or_default().insert(marker.map(|marker| marker.parse().unwrap()));
            }
            joined(&by_scope).map(|marker| marker.to_string())
        };
        let extra = || Membership::Extra("x".parse().unwrap());
        let group = || Membership::Group("g".parse().unwrap());
        let windows = Some("os_name == 'nt'");
        assert_eq!(said(&[(Membership::Base, None), (extra(), windows)]), None);
        assert_eq!(said(&[(Membership::Base, windows), (extra(), windows)]).unwrap(), "os_name == \"nt\"");
        assert_eq!(
            said(&[(Membership::Base, windows), (extra(), None)]).unwrap(),
            "os_name == \"nt\" or \"x\" in extras"
        );
        assert_eq!(
            said(&[(extra(), Some("os_name == 'nt' or os_name == 'java'")), (group(), None)]).unwrap(),
            "(os_name == \"nt\" or os_name == \"java\") and \"x\" in extras or \"g\" in dependency_groups"
        );
    }

    #[test]
    fn keeps_no_credential() {
        assert_eq!(without_login("https://u:p@git.example/r.git"), "https://git.example/r.git");
        assert_eq!(without_login("ssh://git@git.example/r.git"), "ssh://git@git.example/r.git");
        let url = "https://u:p@files.example/a-1.zip?token=t#sha256=00".to_owned();
        let file =
            RemoteFile { filename: "a-1.zip".to_owned(), location: Location::Url(url), sha256: None, size: None };
        let expected = FileLocation::Url("https://files.example/a-1.zip".to_owned());
        assert_eq!(locked_file(&file).location, expected);
    }
}
