//! A lock that the user gives: every wheel, or what it was built from, is one that the lock has under its name.
//!
//! The file may be another one than the build's: what counts are its digests and commits. A directory has neither: what was
//! built from one is in the lock by name, or is an input that the recipe has as a directory, and the report says how many
//! there are.

use std::fmt::Write as _;
use std::path::Path;

use super::opened::VerifyError;
use super::problem::Problem;
use super::report::Finding;
use crate::digest::Sha256Digest;
use crate::evidence::{Manifest, ManifestSource, ManifestWheel, RecipeInput};
use crate::lock::{Context, FileHash, Lock, LockError, LockedPackage, LockedSource};

/// Reads the lock at `path`.
pub(super) fn read(path: &Path) -> Result<Result<Lock, Problem>, VerifyError> {
    match Lock::read(path, Context { project: None, name: None }) {
        Ok(lock) => Ok(Ok(lock)),
        Err(
            error
            @ (LockError::NotFound(_) | LockError::NoFile(_) | LockError::UnknownName(_) | LockError::Read { .. }),
        ) => Err(VerifyError::Lock(Box::new(error))),
        Err(error) => Ok(Err(Problem::LockMalformed(error.to_string()))),
    }
}

/// Compares the wheels with the lock.
pub(super) fn check(manifest: &Manifest, lock: &Lock) -> Finding {
    let mut problems = Vec::new();
    let mut directories = 0;
    // A project is not in every lock that was made for it; what was named as a directory is one.
    let project = RecipeInput::Requirement(".".to_owned());
    let mut projects = manifest.recipe.inputs.iter().filter(|input| **input == project).count();
    for wheel in &manifest.wheels {
        let packages: Vec<_> = lock.packages.iter().filter(|package| package.name == wheel.name).collect();
        let wanted = match origin(wheel) {
            From::File(sha256, _) if packages.iter().any(|package| has_digest(package, sha256)) => continue,
            From::Commit(uri) if packages.iter().any(|package| has_commit(package, uri)) => continue,
            From::Directory if packages.iter().any(|package| is_directory(package)) => {
                directories += 1;
                continue;
            }
            From::Directory if projects > 0 => {
                (directories, projects) = (directories + 1, projects - 1);
                continue;
            }
            From::File(sha256, what) => format!("{what}sha256 {sha256}"),
            From::Commit(uri) => format!("its source, `{uri}`"),
            From::Directory => "its source, a directory".to_owned(),
        };
        problems.push(Problem::LockLacks { wheel: wheel.filename.clone(), lock: lock.filename(), wanted });
    }
    if !problems.is_empty() {
        return Finding::Failed(problems);
    }
    let wheels = manifest.wheels.len();
    let mut found = format!("`{}` has {} of {wheels} wheels", lock.filename(), wheels - directories);
    if directories > 0 {
        let _ = write!(found, ", {directories} built from a directory, which no lock pins");
    }
    let same = manifest.recipe.lock.as_ref().is_some_and(|used| used.sha256 == lock.sha256);
    found.push_str(if same { "; it is the lock of the build" } else { "; it is not the very file of the build" });
    Finding::Held(found)
}

/// What a lock would have of a wheel.
enum From<'a> {
    /// A file with this digest: the wheel, or what it was built from.
    File(Sha256Digest, &'static str),
    /// A commit.
    Commit(&'a str),
    /// A directory.
    Directory,
}

fn origin(wheel: &ManifestWheel) -> From<'_> {
    match &wheel.source {
        None => From::File(wheel.sha256, ""),
        Some(ManifestSource { sha256: Some(sha256), .. }) => From::File(*sha256, "its source, "),
        Some(ManifestSource { uri, .. }) if uri.starts_with("git+") => From::Commit(uri),
        Some(_) => From::Directory,
    }
}

fn has_digest(package: &LockedPackage, sha256: Sha256Digest) -> bool {
    hashes(package).iter().any(|hash| hash.sha256() == Some(sha256))
}

/// Whether the lock has the commit that `uri` names: `git+URL@COMMIT#subdirectory=DIR`.
fn has_commit(package: &LockedPackage, uri: &str) -> bool {
    let bare = uri.split('#').next().unwrap_or_default();
    let named = bare.rsplit_once('@').map(|(_, commit)| commit);
    matches!(&package.source, LockedSource::Git { commit, .. } if named == Some(commit))
}

fn is_directory(package: &LockedPackage) -> bool {
    matches!(package.source, LockedSource::Directory { .. } | LockedSource::Virtual { .. })
}

fn hashes(package: &LockedPackage) -> Vec<&FileHash> {
    match &package.source {
        LockedSource::Files { files, .. } => files.iter().map(|file| &file.hash).collect(),
        LockedSource::Digests { digests, .. } => digests.iter().collect(),
        LockedSource::Archive { file, .. } => vec![&file.hash],
        LockedSource::Git { .. } | LockedSource::Directory { .. } | LockedSource::Virtual { .. } => Vec::new(),
    }
}
