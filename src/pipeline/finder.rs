//! Where the files of a lock are: in a directory of `--find-links`, in the cache, or where the lock or an index says.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{FileHash, FileLocation, LockError, LockedFile, LockedPackage};
use crate::resolve::{Artifact, Location, RemoteFile};
use crate::target::{Target, WheelFilename};

/// Finds the files of a lock.
pub(super) struct Finder<'a> {
    target: &'a Target,
    /// The cache's root.
    cache: &'a Path,
    /// Files at hand, by name: the first directory that has one wins.
    at_hand: BTreeMap<String, PathBuf>,
}

impl<'a> Finder<'a> {
    /// A finder that looks into `directories` first; one that cannot be listed has nothing.
    pub(super) fn new(target: &'a Target, cache: &'a Path, directories: &[PathBuf]) -> Self {
        let mut at_hand = BTreeMap::new();
        for directory in directories {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                at_hand.entry(name).or_insert_with(|| entry.path());
            }
        }
        Self { target, cache, at_hand }
    }

    /// Where a file is that the lock names.
    pub(super) fn find(&self, file: &LockedFile) -> Option<RemoteFile> {
        let sha256 = file.hash.sha256();
        let at_hand = || self.at_hand.get(&file.filename).cloned();
        let cached = || sha256.and_then(|digest| self.cached(&digest, &file.filename));
        let location = match &file.location {
            FileLocation::Path(path) => Location::Path(path.clone()),
            FileLocation::Url(url) => at_hand().map_or_else(|| Location::Url(url.clone()), Location::Path),
            FileLocation::Index => Location::Path(at_hand().or_else(cached)?),
        };
        Some(RemoteFile { filename: file.filename.clone(), location, sha256 })
    }

    /// The best file at hand or in the cache that has one of these digests.
    pub(super) fn find_any(&self, package: &LockedPackage, digests: &[FileHash]) -> Result<Option<Artifact>, Error> {
        let mut found: BTreeMap<String, (PathBuf, Sha256Digest)> = BTreeMap::new();
        for digest in digests.iter().filter_map(FileHash::sha256) {
            for entry in std::fs::read_dir(self.cache_directory(&digest)).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                found.insert(name, (entry.path(), digest));
            }
        }
        for (name, path) in self.at_hand.iter().filter(|(name, _)| is_of(name, package)) {
            let read = |source| LockError::Read { path: path.clone(), source };
            let file = std::fs::File::open(path).map_err(read).map_err(Box::new)?;
            let digest = Sha256Digest::of_reader(file).map_err(read).map_err(Box::new)?;
            if digests.contains(&FileHash::Sha256(digest)) {
                found.insert(name.clone(), (path.clone(), digest));
            }
        }
        let best = self.best(found.keys().map(String::as_str).filter(|name| is_of(name, package)));
        Ok(best.map(|name| {
            let (path, digest) = found[name].clone();
            artifact(RemoteFile { filename: name.to_owned(), location: Location::Path(path), sha256: Some(digest) })
        }))
    }

    /// A wheel at hand of a package that the lock has as a source.
    pub(super) fn find_built(&self, package: &LockedPackage) -> Option<(String, PathBuf)> {
        let names = self.at_hand.keys().map(String::as_str);
        let best = self.best(names.filter(|name| name.ends_with(".whl") && is_of(name, package)))?;
        Some((best.to_owned(), self.at_hand[best].clone()))
    }

    /// Of the names of one version's files the one that fits best; a source distribution where no wheel does.
    fn best<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        let rank = |name: &str| match name.parse::<WheelFilename>() {
            Ok(wheel) => {
                let rank = self.target.tags.best_rank(&wheel.tags)?;
                Some((0, rank, Reverse(wheel.build_order())))
            }
            Err(_) if name.ends_with(".whl") => None,
            Err(_) => Some((1, 0, Reverse(None))),
        };
        let ranked = names.filter_map(|name| Some((rank(name)?, name)));
        ranked.min().map(|(_, name)| name)
    }

    /// Whether the cache has such a file; its bytes are not looked at.
    pub(super) fn is_cached(&self, file: &RemoteFile) -> bool {
        file.sha256.is_some_and(|digest| self.cache_directory(&digest).join(&file.filename).is_file())
    }

    fn cache_directory(&self, digest: &Sha256Digest) -> PathBuf {
        let digest = digest.to_string();
        self.cache.join("wheels").join(&digest[..2]).join(digest)
    }

    fn cached(&self, digest: &Sha256Digest, filename: &str) -> Option<PathBuf> {
        let path = self.cache_directory(digest).join(filename);
        let found = Sha256Digest::of_reader(std::fs::File::open(&path).ok()?).ok()?;
        (found == *digest).then_some(path)
    }
}

/// Whether a file's name is that of a wheel or a source distribution of this version.
fn is_of(filename: &str, package: &LockedPackage) -> bool {
    if let Ok(wheel) = filename.parse::<WheelFilename>() {
        return wheel.name == package.name && package.version.as_ref().is_none_or(|version| *version == wheel.version);
    }
    let stem = [".tar.gz", ".zip", ".tar.bz2", ".tgz"].iter().find_map(|end| filename.strip_suffix(end));
    let Some(stem) = stem else { return false };
    // PEP 625, and names from before it, in which the name may hold dashes.
    stem.match_indices('-').any(|(at, _)| {
        let (name, version) = (stem[..at].parse(), stem[at + 1..].parse());
        name == Ok(package.name.clone()) && package.version.as_ref().is_none_or(|locked| version.as_ref() == Ok(locked))
    })
}

/// The artifact that a file is.
fn artifact(file: RemoteFile) -> Artifact {
    if file.filename.ends_with(".whl") { Artifact::Wheel(file) } else { Artifact::Sdist(file) }
}
