//! From a lock to the document.

use std::path::Path;

use super::wire::{Build, Document, Edge, File, LockFile, Member, Need, Package, Root, Source};
use super::{FORMAT, Places, Unplaced, VERSION};
use crate::lock::bounds::Bounds;
use crate::lock::{
    EntryFault, FileLocation, Lock, LockError, LockedBuild, LockedFile, LockedPackage, LockedSource, MarkedPackage,
    Membership, PackageIndex,
};
use crate::redact::{recorded_url, redact_url};
use crate::urls::{scheme, split_login};

/// A document in the making.
pub(super) struct Description<'a> {
    lock: &'a Lock,
    places: &'a Places,
    bounds: &'a Bounds,
    unplaced: Vec<Unplaced>,
}

impl<'a> Description<'a> {
    pub(super) fn new(lock: &'a Lock, places: &'a Places, bounds: &'a Bounds) -> Self {
        Self { lock, places, bounds, unplaced: Vec::new() }
    }

    /// The files that were asked for and are nowhere.
    pub(super) fn unplaced(self) -> Vec<Unplaced> {
        self.unplaced
    }

    pub(super) fn describe(&mut self, builds: &[LockedBuild]) -> Result<Document, LockError> {
        let lock = self.lock;
        let root = |root: &crate::lock::Root| {
            let Edge { to, extras, marker } = edge(&root.edge);
            Root { of: member(&root.of), to, extras, marker }
        };
        let packages = lock.packages.iter().map(|package| self.package(package)).collect::<Result<_, _>>()?;
        let builds = builds.iter().map(|build| self.build(build)).collect::<Result<_, _>>()?;
        Ok(Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            lock: LockFile { name: lock.filename(), sha256: lock.sha256 },
            requires_python: lock.requires_python.clone(),
            environments: lock.environments.clone(),
            extras: lock.extras.clone(),
            groups: lock.groups.clone(),
            default_groups: lock.default_groups.clone(),
            conflicts: lock.conflicts.iter().map(|set| set.iter().map(member).collect()).collect(),
            project: lock.project.map(|PackageIndex(index)| index),
            roots: lock.roots.iter().map(root).collect(),
            packages,
            builds,
        })
    }

    fn build(&mut self, build: &LockedBuild) -> Result<Build, LockError> {
        let package = |MarkedPackage { package, marker }: &MarkedPackage| {
            Ok(Package { marker: Need::Stated(marker.clone()), ..self.package(package)? })
        };
        Ok(Build {
            name: build.name.clone(),
            version: build.version.clone(),
            requires: build.requires.clone(),
            packages: build.packages.iter().map(package).collect::<Result<_, LockError>>()?,
        })
    }

    fn package(&mut self, package: &LockedPackage) -> Result<Package, LockError> {
        let source = self.source(package);
        let source = source.map_err(|fault| LockError::entry(&self.lock.path, package.entry(), fault))?;
        let optional = package.optional_dependencies.iter();
        Ok(Package {
            name: package.name.clone(),
            version: package.version.clone(),
            requires_python: package.requires_python.clone(),
            source,
            dependencies: package.dependencies.iter().map(edge).collect(),
            optional_dependencies: optional
                .map(|(name, edges)| (name.clone(), edges.iter().map(edge).collect()))
                .collect(),
            marker: Need::Unstated,
        })
    }

    fn source(&mut self, package: &LockedPackage) -> Result<Source, EntryFault> {
        let (files, unplaced) = self.places.locate(package);
        self.unplaced.extend(unplaced);
        let mut files = files.iter().map(|file| self.file(file)).collect::<Result<Vec<_>, _>>()?;
        Ok(match &package.source {
            LockedSource::Files { .. } | LockedSource::Digests { .. } => Source::Files { files },
            LockedSource::Archive { subdirectory, .. } => {
                Source::Archive { file: files.pop(), subdirectory: slashed(subdirectory.as_deref()) }
            }
            LockedSource::Git { url, .. } if is_local(url) => {
                return Err(EntryFault::Repository("it comes from a repository on this machine".to_owned()));
            }
            LockedSource::Git { url, commit, subdirectory } => Source::Git {
                url: repository(url),
                commit: commit.clone(),
                subdirectory: slashed(subdirectory.as_deref()),
            },
            LockedSource::Directory { path } => Source::Directory { path: self.bounds.spell(path)? },
            LockedSource::Virtual { path } => Source::Virtual { path: self.bounds.spell(path)? },
        })
    }

    fn file(&self, file: &LockedFile) -> Result<File, EntryFault> {
        let (url, path) = match &file.location {
            FileLocation::Url(url) => (Some(bare(url)), None),
            FileLocation::Path(path) => (None, Some(self.bounds.spell(path)?)),
            FileLocation::Index => (None, None),
        };
        let sha256 = file.hash.sha256().ok_or_else(|| EntryFault::NoHash { file: file.filename.clone() })?;
        Ok(File { filename: file.filename.clone(), url, path, sha256 })
    }
}

/// The URL of a file, as it is written. A query can be a token; a signed URL would not hold for long anyway.
pub(super) fn bare(url: &str) -> String {
    let url = recorded_url(&split_login(url).0);
    url.split('#').next().unwrap_or_default().to_owned()
}

/// The URL of a repository, as it is written: the user of ssh is no credential.
pub(super) fn repository(url: &str) -> String {
    if redact_url(url) == url { url.to_owned() } else { split_login(url).0 }
}

/// Whether a repository is one of this machine.
pub(super) fn is_local(url: &str) -> bool {
    scheme(url).as_deref() == Some("file")
}

fn edge(edge: &crate::lock::Edge) -> Edge {
    Edge { to: edge.to.0, extras: edge.extras.clone(), marker: edge.marker.clone() }
}

fn member(of: &Membership) -> Member {
    match of {
        Membership::Base => Member { extra: None, group: None },
        Membership::Extra(name) => Member { extra: Some(name.clone()), group: None },
        Membership::Group(name) => Member { extra: None, group: Some(name.clone()) },
    }
}

fn slashed(path: Option<&Path>) -> Option<String> {
    let parts = path?.components().map(|part| part.as_os_str().to_string_lossy());
    Some(parts.collect::<Vec<_>>().join("/"))
}
