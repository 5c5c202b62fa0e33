//! A lock as data for Nix, `LOCKNAME.nix.json` beside it: what [`Lock`] holds, with the URL of every file, and what
//! sources are built with. Nix reads no other format where the lock's own says too little (`poetry.lock` has no URLs) or
//! is none that it parses; a build takes from it what sources are built with, where the lock itself does not say.
//!
//! It belongs to one state of the lock, whose sha256 stands in it: of another one it is refused as stale. Nothing in it is
//! of one machine or one user: paths start from the lock's directory and stay in the project, URLs have no credentials and
//! no queries, and a file without a sha256 is left out. It is read as strictly as any lock.

mod describe;
mod read;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::bounds::Bounds;
use super::{
    Absence, BuildsIn, FileHash, FileLocation, Lock, LockError, LockFormat, LockedBuild, LockedFile, LockedPackage,
    LockedSource,
};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use describe::Description;
use wire::Document;

/// What stands in the field `format`.
const FORMAT: &str = "pyzpack-nix-lock";

/// The version that is read and written.
const VERSION: u64 = 1;

/// The longest document that is read, in bytes: ten times what is written for ten thousand distributions.
const LARGEST: usize = 256 << 20;

/// A lock as data for Nix, read.
#[derive(Debug)]
pub struct NixLock {
    path: PathBuf,
    text: String,
    document: Document,
}

/// Where files are of which a lock says only what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Their names and places, by distribution and sha256.
    files: BTreeMap<(PackageName, Sha256Digest), BTreeMap<String, FileLocation>>,
    /// What is known of indexes where a file is not among them.
    absence: Absence,
}

/// A file that a lock names, or of which it has the digest, and that is at no place that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// The distribution and its version.
    pub entry: String,
    /// The file's name, where the lock says.
    pub filename: Option<String>,
    /// Its digest.
    pub sha256: Sha256Digest,
}

impl Places {
    /// None yet.
    pub fn new(absence: Absence) -> Self {
        Self { files: BTreeMap::new(), absence }
    }

    /// Takes in a file.
    pub fn add(&mut self, name: &PackageName, sha256: Sha256Digest, filename: &str, location: FileLocation) {
        let known = self.files.entry((name.clone(), sha256)).or_default();
        known.entry(filename.to_owned()).or_insert(location);
    }

    /// The files of an entry that have a sha256, each with its place, and those without one. What the lock names is in the
    /// lock's order, and what has a digest alone is sorted by name.
    pub fn locate(&self, package: &LockedPackage) -> (Vec<LockedFile>, Vec<Unplaced>) {
        let (mut placed, mut unplaced) = (Vec::new(), Vec::new());
        let known = |sha256: Sha256Digest| self.files.get(&(package.name.clone(), sha256));
        let mut miss = |filename, sha256| unplaced.push(Unplaced { entry: package.entry(), filename, sha256 });
        match &package.source {
            LockedSource::Digests { digests, .. } => {
                for sha256 in digests.iter().filter_map(FileHash::sha256) {
                    let Some(files) = known(sha256) else {
                        miss(None, sha256);
                        continue;
                    };
                    placed.extend(files.iter().map(|(filename, location)| {
                        let (filename, location) = (filename.clone(), location.clone());
                        LockedFile { filename, location, hash: FileHash::Sha256(sha256), size: None }
                    }));
                }
                placed.sort_by(|left, right| left.filename.cmp(&right.filename));
            }
            source => {
                for file in source.files() {
                    let Some(sha256) = file.hash.sha256() else { continue };
                    let location = match &file.location {
                        FileLocation::Index => known(sha256).and_then(|files| files.get(&file.filename)).cloned(),
                        location => Some(location.clone()),
                    };
                    match location {
                        Some(location) => placed.push(LockedFile { location, ..file.clone() }),
                        None => miss(Some(file.filename.clone()), sha256),
                    }
                }
            }
        }
        (placed, unplaced)
    }
}

impl std::fmt::Display for Unplaced {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.filename {
            Some(filename) => write!(formatter, "`{filename}`"),
            None => write!(formatter, "the file of {} with sha256 {}", self.entry, self.sha256),
        }
    }
}

impl Lock {
    /// Where the same lock is as data for Nix: beside it; of a workspace's lock, which is another one for each member, in
    /// the directory of the member that `project` is.
    pub fn nix_path(&self, project: Option<&Path>) -> PathBuf {
        let name = format!("{}.nix.json", self.filename());
        let root = self.path.parent().and_then(|root| root.canonicalize().ok());
        let member = project.filter(|_| self.format == LockFormat::Uv).and_then(|project| project.canonicalize().ok());
        match (member, root) {
            (Some(member), Some(root)) if member != root && member.starts_with(&root) => member.join(name),
            _ => self.path.with_file_name(name),
        }
    }

    /// What makes that anew.
    pub fn nix_command(&self) -> String {
        let name = self.filename();
        let of_script = match self.format {
            LockFormat::Uv => name.strip_suffix(".py.lock"),
            LockFormat::Pylock => name.strip_prefix("pylock.").and_then(|name| name.strip_suffix(".toml")),
            _ => None,
        };
        let script = of_script.map(|stem| format!("{stem}.py")).filter(|name| self.path.with_file_name(name).is_file());
        let named = match (script, name.as_str()) {
            (Some(script), _) => format!(" {script}"),
            (None, "pylock.toml" | "uv.lock" | "poetry.lock" | "Pipfile.lock" | "pdm.lock") => String::new(),
            (None, name) => format!(" --lock {name}"),
        };
        format!("pyzpack lock --format nix{named}")
    }

    /// What locks anew what sources are built with: it stands in the lock itself, or beside it.
    pub fn command_for_builds(&self) -> String {
        match self.builds_in {
            BuildsIn::Lock => self.command(),
            BuildsIn::Beside => self.nix_command(),
        }
    }

    /// The bytes of `LOCKNAME.nix.json`, with these places and builds; what `project` is, [`Context`](super::Context)
    /// says.
    ///
    /// # Errors
    /// [`LockError::Unplaced`] with every file that is nowhere; an entry lies where only this machine finds it.
    pub fn to_nix(&self, places: &Places, builds: &[LockedBuild], project: Option<&Path>) -> Result<String, LockError> {
        let bounds = self.bounds(project)?;
        let mut description = Description::new(self, places, &bounds);
        let document = description.describe(builds)?;
        let files = description.unplaced();
        if files.is_empty() {
            return Ok(document.to_text());
        }
        Err(LockError::Unplaced { path: self.path.clone(), files, absence: places.absence })
    }

    /// What sources are built with, as the document beside the lock says; none where there is no such document.
    ///
    /// # Errors
    /// It is none, or of another state of the lock, or one of its entries cannot be trusted.
    pub fn nix_builds(&self, project: Option<&Path>) -> Result<Option<Vec<LockedBuild>>, LockError> {
        let Some(document) = NixLock::read(&self.nix_path(project))? else { return Ok(None) };
        if let Some(reason) = document.find_staleness(self) {
            return Err(LockError::stale(&document.path, reason, self.nix_command()));
        }
        document.builds(self, project).map(Some)
    }

    fn bounds(&self, project: Option<&Path>) -> Result<Bounds, LockError> {
        Bounds::of(&self.path, project).map_err(|source| LockError::Read { path: self.path.clone(), source })
    }

    /// The entries of which the files' places are not known.
    pub fn without_places(&self) -> Vec<&LockedPackage> {
        self.packages.iter().filter(|package| package.lacks_places()).collect()
    }
}

impl LockedPackage {
    fn lacks_places(&self) -> bool {
        let lacks = |file: &LockedFile| file.location == FileLocation::Index && file.hash.sha256().is_some();
        match &self.source {
            LockedSource::Digests { digests, .. } => digests.iter().any(|digest| digest.sha256().is_some()),
            source => source.files().iter().any(lacks),
        }
    }
}

impl LockedSource {
    /// The files that it names.
    fn files(&self) -> &[LockedFile] {
        match self {
            Self::Files { files, .. } => files,
            Self::Archive { file, .. } => std::slice::from_ref(file),
            Self::Digests { .. } | Self::Git { .. } | Self::Directory { .. } | Self::Virtual { .. } => &[],
        }
    }
}
