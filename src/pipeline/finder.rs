//! Where the files of a lock are: in a directory of `--find-links`, in the cache, where the lock says, or where an index
//! says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{Choice, FileHash, FileLocation, LockError, LockedFile, LockedPackage, LockedSource, Selected};
use crate::names::PackageName;
use crate::resolve::{Artifact, Location, RemoteFile};
use crate::target::{Target, WheelFilename, sdist_versions};
use crate::wheel::collect::CollectError;
use crate::wheel::fetch::Client;
use crate::wheel::index::IndexFile;

/// Finds the files of a lock.
pub(super) struct Finder<'a> {
    target: &'a Target,
    /// The cache's root.
    cache: &'a Path,
    /// Files at hand, by name: the first directory that has one wins.
    at_hand: BTreeMap<String, PathBuf>,
    /// What indexes have of those distributions of which the lock does not say where they are.
    listings: BTreeMap<PackageName, Vec<IndexFile>>,
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
        Self { target, cache, at_hand, listings: BTreeMap::new() }
    }

    /// Asks indexes, the lock's own or else `indexes`, for the files of those of `wanted` that neither the lock nor a
    /// directory places.
    ///
    /// # Errors
    /// When an index cannot be asked.
    pub(super) fn list(
        &mut self,
        wanted: &[&Selected<'_>],
        client: &Client,
        indexes: impl FnOnce() -> Result<Vec<String>, Error>,
    ) -> Result<(), Error> {
        let mut open = Vec::new();
        for one in wanted {
            if self.place(one)?.is_none() {
                open.push(one.package);
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let own = |package: &'_ LockedPackage| match &package.source {
            LockedSource::Files { index, .. } | LockedSource::Digests { index, .. } => index.clone(),
            _ => None,
        };
        let default = if open.iter().all(|package| own(package).is_some()) { Vec::new() } else { indexes()? };
        let pages: Vec<(String, &PackageName)> = open
            .iter()
            .flat_map(|package| {
                let asked = own(package).map_or_else(|| default.clone(), |index| vec![index]);
                asked.into_iter().map(|index| (index, &package.name))
            })
            .collect();
        let borrowed: Vec<(&str, &PackageName)> = pages.iter().map(|(index, name)| (index.as_str(), *name)).collect();
        for ((_, name), files) in pages.iter().zip(client.list_all(&borrowed).map_err(CollectError::from)?) {
            self.listings.entry((*name).clone()).or_default().extend(files.into_iter().flatten());
        }
        Ok(())
    }

    /// What an entry is installed from: at hand, in the cache, where the lock says, or where an index says that was asked;
    /// nothing if it is nowhere.
    ///
    /// # Errors
    /// When a file at hand cannot be read.
    pub(super) fn place(&self, one: &Selected<'_>) -> Result<Option<Artifact>, Error> {
        Ok(match (&one.choice, &one.package.source) {
            (Choice::Wheel(file), _) => self.find(one.package, file).map(Artifact::Wheel),
            (Choice::Sdist(file), source) => self.find(one.package, file).map(|file| {
                let subdirectory = match source {
                    LockedSource::Archive { subdirectory, .. } => subdirectory.clone(),
                    _ => None,
                };
                Artifact::Sdist { file, subdirectory }
            }),
            (Choice::Digests, LockedSource::Digests { digests, .. }) => self.find_any(one.package, digests)?,
            (Choice::Source, LockedSource::Git { url, commit, subdirectory }) => {
                let (url, commit, subdirectory) = (url.clone(), commit.clone(), subdirectory.clone());
                Some(Artifact::Git { url, commit, subdirectory })
            }
            (Choice::Source, LockedSource::Directory { path }) => Some(Artifact::Directory(path.clone())),
            _ => unreachable!("a choice goes with its source"),
        })
    }

    /// Where a file is that the lock names.
    fn find(&self, package: &LockedPackage, file: &LockedFile) -> Option<RemoteFile> {
        let sha256 = file.hash.sha256()?;
        let listed = || {
            let files = self.listings.get(&package.name)?;
            let of_name = || files.iter().filter(|listed| listed.filename == file.filename);
            // Two indexes may have files of one name: the digest tells which is meant.
            let found = of_name().find(|listed| listed.sha256 == Some(sha256)).or_else(|| of_name().next())?;
            Location::from_url(&found.url)
        };
        let location = match &file.location {
            FileLocation::Path(path) => match self.at_hand.get(&file.filename) {
                // The lock is here without what lies beside it.
                Some(at_hand) if !path.exists() => Location::Path(at_hand.clone()),
                _ => Location::Path(path.clone()),
            },
            FileLocation::Url(url) => Location::Url(url.clone()),
            FileLocation::Index => match self.at_hand.get(&file.filename) {
                Some(path) => Location::Path(path.clone()),
                None => self.cached(&sha256, &file.filename).map(Location::Path).or_else(listed)?,
            },
        };
        Some(RemoteFile { filename: file.filename.clone(), location, sha256: Some(sha256), size: file.size })
    }

    /// The best file that has one of these digests.
    fn find_any(&self, package: &LockedPackage, digests: &[FileHash]) -> Result<Option<Artifact>, Error> {
        let mut found: BTreeMap<String, RemoteFile> = BTreeMap::new();
        let mut add = |filename: String, location, sha256, size| {
            found.entry(filename.clone()).or_insert(RemoteFile { filename, location, sha256, size });
        };
        for (name, path) in self.at_hand.iter().filter(|(name, _)| is_of(name, package)) {
            let read = |source| LockError::Read { path: path.clone(), source };
            let file = std::fs::File::open(path).map_err(read).map_err(Box::new)?;
            let digest = Sha256Digest::of_reader(file).map_err(read).map_err(Box::new)?;
            if digests.contains(&FileHash::Sha256(digest)) {
                add(name.clone(), Location::Path(path.clone()), Some(digest), None);
            }
        }
        for digest in digests.iter().filter_map(FileHash::sha256) {
            for entry in std::fs::read_dir(self.cache_directory(&digest)).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                if is_of(&name, package) && self.cached(&digest, &name).is_some() {
                    add(name, Location::Path(entry.path()), Some(digest), None);
                }
            }
        }
        let listed = self.listings.get(&package.name).into_iter().flatten();
        for file in listed.filter(|file| is_of(&file.filename, package)) {
            let allowed = file.sha256.is_none_or(|digest| digests.contains(&FileHash::Sha256(digest)));
            if let (true, Some(location)) = (allowed, Location::from_url(&file.url)) {
                add(file.filename.clone(), location, file.sha256, file.size);
            }
        }
        let best = self.best(found.keys().map(String::as_str)).map(str::to_owned);
        Ok(best.and_then(|name| found.remove(&name)).map(artifact))
    }

    /// A file at hand of a package, of which the lock names digests alone, that has none of them.
    pub(super) fn find_other(&self, one: &Selected<'_>) -> Option<(String, Sha256Digest)> {
        let fitting = self.at_hand.keys().map(String::as_str).filter(|name| is_of(name, one.package));
        let name = self.best(fitting).filter(|_| one.choice == Choice::Digests)?;
        let found = Sha256Digest::of_reader(std::fs::File::open(&self.at_hand[name]).ok()?).ok()?;
        Some((name.to_owned(), found))
    }

    /// A wheel at hand of a package that the lock has as a source.
    pub(super) fn find_built(&self, package: &LockedPackage) -> Option<(String, PathBuf)> {
        let names = self.at_hand.keys().map(String::as_str);
        let best = self.best(names.filter(|name| name.ends_with(".whl") && is_of(name, package)))?;
        Some((best.to_owned(), self.at_hand[best].clone()))
    }

    /// Of the names of one version's files, sorted, the one that fits best; a source distribution where no wheel does.
    fn best<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        let names: Vec<&str> = names.collect();
        let wheel = self.target.tags.best_wheel(names.iter().copied(), |name| name);
        wheel.or_else(|| names.into_iter().find(|name| !name.ends_with(".whl")))
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
pub(super) fn is_of(filename: &str, package: &LockedPackage) -> bool {
    if let Ok(wheel) = filename.parse::<WheelFilename>() {
        return wheel.name == package.name && package.version.as_ref().is_none_or(|version| *version == wheel.version);
    }
    let is_locked =
        |version: &str| package.version.as_ref().is_none_or(|locked| version.parse().as_ref() == Ok(locked));
    sdist_versions(filename, &package.name).any(is_locked)
}

/// The artifact that a file is.
fn artifact(file: RemoteFile) -> Artifact {
    if file.filename.ends_with(".whl") { Artifact::Wheel(file) } else { Artifact::sdist(file) }
}
