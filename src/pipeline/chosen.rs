//! What an earlier build chose, found again: by name, version, file name and digest, and never by a resolver.
//!
//! A file with that name and digest is the file, wherever it lies: `--find-links`, the cache, an index. What was at hand for
//! the earlier build has to be at hand again, since nothing says that an index ever had it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pep440_rs::Version;

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::names::PackageName;
use crate::project::git::GitSource;
use crate::python::{Interpreter, default_index};
use crate::resolve::{Artifact, IndexOptions, Location, RemoteFile, Resolved};
use crate::settings::{BuildSettings, ChosenFile, ChosenPlace};
use crate::surroundings::Surroundings;
use crate::wheel::access::Access;
use crate::wheel::collect::CollectError;
use crate::wheel::fetch::Client;
use crate::wheel::locked::LockedRequirements;

/// Where the files of an earlier build are looked for.
pub(super) struct Shelves<'a> {
    settings: &'a BuildSettings,
    world: &'a Surroundings,
    index: &'a IndexOptions,
    interpreter: &'a Interpreter,
    client: Client,
}

impl<'a> Shelves<'a> {
    pub(super) fn new(
        settings: &'a BuildSettings,
        world: &'a Surroundings,
        index: &'a IndexOptions,
        interpreter: &'a Interpreter,
    ) -> Self {
        let urls: Vec<String> = index.index_url.iter().chain(&index.extra_index_urls).cloned().collect();
        Self { settings, world, index, interpreter, client: Client::new(Access::read(world, &urls), settings.offline) }
    }

    /// Finds the distributions but those of `given`, which the inputs are.
    pub(super) fn find_distributions(
        &self,
        files: &[ChosenFile],
        given: &BTreeSet<PackageName>,
    ) -> Result<Vec<Resolved>, Error> {
        self.find_all(files.iter().filter(|file| !given.contains(&file.name)))
    }

    /// Finds what sources were built with, but for those of `locked`: of these a lock says it.
    pub(super) fn find_builds(&self, locked: &[LockedRequirements]) -> Result<Vec<LockedRequirements>, Error> {
        let chosen = self.settings.chosen.iter().flat_map(|chosen| &chosen.builds);
        let open = chosen.filter(|build| !locked.iter().any(|set| set.name == build.name));
        open.map(|build| {
            Ok(LockedRequirements {
                name: build.name.clone(),
                version: build.version.parse::<Version>().ok(),
                requires: Vec::new(),
                packages: self.find_all(build.requirements.iter())?,
            })
        })
        .collect()
    }

    fn find_all<'f>(&self, files: impl Iterator<Item = &'f ChosenFile>) -> Result<Vec<Resolved>, Error> {
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for file in files {
            match self.find(file)? {
                Some(artifact) => {
                    found.push(Resolved { name: file.name.clone(), version: Some(file.version.clone()), artifact });
                }
                None => missing.push(describe(file)),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(CollectError::Gone(missing).into()) }
    }

    fn find(&self, file: &ChosenFile) -> Result<Option<Artifact>, Error> {
        if file.filename.starts_with("git+") {
            let GitSource { url, revision, subdirectory, .. } = GitSource::parse(&file.filename)?;
            let Some(commit) = revision else { return Ok(None) };
            return Ok(Some(Artifact::Git { url, commit, subdirectory }));
        }
        let Some(sha256) = file.sha256 else { return Ok(None) };
        let (filename, subdirectory) = match file.filename.split_once("#subdirectory=") {
            Some((filename, subdirectory)) => (filename, Some(PathBuf::from(subdirectory))),
            None => (file.filename.as_str(), None),
        };
        let at_hand = self.at_hand(filename, &sha256);
        let location = match (&file.place, at_hand) {
            (ChosenPlace::AtHand, at_hand) => at_hand.map(Location::Path),
            (ChosenPlace::Url(url), _) => Location::from_url(url.split('#').next().unwrap_or(url)),
            // It is taken from there before any server is asked, and counts as what the index gives.
            (ChosenPlace::Index, Some(_)) => Some(Location::Url(filename.to_owned())),
            (ChosenPlace::Index, None) => self.ask(file, &sha256)?,
        };
        let Some(location) = location else { return Ok(None) };
        let remote = RemoteFile { filename: filename.to_owned(), location, sha256: Some(sha256), size: None };
        let is_wheel = filename.ends_with(".whl");
        Ok(Some(if is_wheel { Artifact::Wheel(remote) } else { Artifact::Sdist { file: remote, subdirectory } }))
    }

    /// Where such a file lies, in a directory of distributions or in the cache.
    fn at_hand(&self, filename: &str, sha256: &Sha256Digest) -> Option<PathBuf> {
        let digest = sha256.to_string();
        let cached = self.world.cache.join("wheels").join(&digest[..2]).join(&digest);
        let directories = self.index.find_links.iter().map(PathBuf::as_path).chain([cached.as_path()]);
        let is_it = |path: &PathBuf| {
            let opened = std::fs::File::open(path);
            opened.and_then(Sha256Digest::of_reader).is_ok_and(|found| found == *sha256)
        };
        directories.map(|directory: &Path| directory.join(filename)).find(is_it)
    }

    /// Where an index has the file.
    fn ask(&self, file: &ChosenFile, sha256: &Sha256Digest) -> Result<Option<Location>, Error> {
        if self.index.no_index || self.settings.offline {
            return Ok(None);
        }
        let first = match &self.index.index_url {
            Some(url) => url.clone(),
            None => default_index(self.world, self.interpreter)?,
        };
        for index in std::iter::once(&first).chain(&self.index.extra_index_urls) {
            let listed = self.client.list_files(index, &file.name).map_err(CollectError::from)?.unwrap_or_default();
            let mut same = listed.iter().filter(|one| one.filename == file.filename);
            if let Some(one) = same.find(|one| one.sha256.is_none_or(|found| found == *sha256)) {
                return Ok(Location::from_url(&one.url));
            }
        }
        Ok(None)
    }
}

fn describe(file: &ChosenFile) -> String {
    match file.sha256 {
        Some(sha256) => format!("`{}` (sha256 {sha256})", file.filename),
        None => format!("`{}`", file.filename),
    }
}
