//! A lock that the user gives: every wheel, or what it was built from, is one that the lock has under its name.
//!
//! The file may be another one than the build's, and stands alone: what counts are its digests and commits. A directory has
//! neither. What was built from one is not compared where the lock has a directory of that name, or the recipe has one as
//! its input. Nor is the application itself, which its own lock does not pin, where the recipe's first input is the source
//! that it was built from. The report names each.

use std::path::Path;

use super::opened::VerifyError;
use super::problem::Problem;
use super::report::Finding;
use crate::digest::Sha256Digest;
use crate::evidence::{Manifest, ManifestSource, ManifestWheel, RecipeInput};
use crate::lock::{Lock, LockError, LockedPackage, LockedSource};

/// Reads the lock at `path`.
pub(super) fn read(path: &Path) -> Result<Result<Lock, Problem>, VerifyError> {
    match Lock::read_entries(path) {
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
    let mut not_compared = Vec::new();
    let mut lacks = |wheel: &ManifestWheel, wanted| {
        problems.push(Problem::LockLacks { wheel: wheel.filename.clone(), lock: lock.filename(), wanted });
    };
    let mut unlisted = Vec::new();
    for wheel in &manifest.wheels {
        let packages: Vec<_> = lock.packages.iter().filter(|package| package.name == wheel.name).collect();
        let has = |test: &dyn Fn(&LockedPackage) -> bool| packages.iter().any(|package| test(package));
        let listed = !packages.is_empty();
        match origin(wheel) {
            Identity::File(..) | Identity::Commit(_) if !listed && is_application(wheel, manifest) => {
                not_compared.push(wheel.name.as_str());
            }
            Identity::File(sha256, what) if !has(&|package| package.digests().contains(&sha256)) => {
                lacks(wheel, format!("{what}sha256 {sha256}"));
            }
            Identity::Commit(uri) if !has(&|package| has_commit(package, uri)) => {
                lacks(wheel, format!("its source, `{uri}`"));
            }
            Identity::Directory if !has(&is_directory) => unlisted.push(wheel),
            Identity::Directory => not_compared.push(wheel.name.as_str()),
            Identity::File(..) | Identity::Commit(_) => {}
        }
    }
    // The recipe does not say which of them an input is: where there are too many, any may be the one that is none.
    let project = RecipeInput::Requirement(".".to_owned());
    let projects = manifest.recipe.inputs.iter().filter(|input| **input == project).count();
    if unlisted.len() <= projects {
        not_compared.extend(unlisted.iter().map(|wheel| wheel.name.as_str()));
    } else {
        for wheel in unlisted {
            lacks(wheel, "its source, a directory".to_owned());
        }
    }
    Finding::of(problems, || {
        let wheels = manifest.wheels.len();
        let compared = format!("`{}` has {} of {wheels} wheels", lock.filename(), wheels - not_compared.len());
        let others = match not_compared.as_slice() {
            [] => String::new(),
            names => format!(
                "; not compared, as a lock pins neither directories nor the application itself: {}",
                names.join(", ")
            ),
        };
        let used = manifest.recipe.lock.as_ref().is_some_and(|used| used.sha256 == lock.sha256);
        let whose = if used { "it is the lock of the build" } else { "it is not the very file of the build" };
        format!("{compared}{others}; {whose}")
    })
}

/// What a lock would know a wheel by.
enum Identity<'a> {
    /// The digest of a file: of the wheel, or of what it was built from.
    File(Sha256Digest, &'static str),
    /// A commit.
    Commit(&'a str),
    /// None: a directory.
    Directory,
}

fn origin(wheel: &ManifestWheel) -> Identity<'_> {
    match &wheel.source {
        None => Identity::File(wheel.sha256, ""),
        Some(ManifestSource { sha256: Some(sha256), .. }) => Identity::File(*sha256, "its source, "),
        Some(ManifestSource { uri, .. }) if uri.starts_with("git+") => Identity::Commit(uri),
        Some(_) => Identity::Directory,
    }
}

/// Whether a wheel was built from the first input: a source distribution, or a commit.
fn is_application(wheel: &ManifestWheel, manifest: &Manifest) -> bool {
    let (Some(source), Some(first)) = (&wheel.source, manifest.recipe.inputs.first()) else { return false };
    match first {
        RecipeInput::File(file) => source.sha256 == Some(file.sha256),
        RecipeInput::Git { uri, commit, subdirectory } => {
            let inside = subdirectory.as_ref().map(|path| format!("#subdirectory={path}")).unwrap_or_default();
            source.uri == format!("git+{uri}@{commit}{inside}")
        }
        RecipeInput::Requirement(_) => false,
    }
}

/// Whether the lock has the commit that `uri` names: `git+URL@COMMIT#subdirectory=DIR`. A commit is the same wherever it is
/// fetched from; another directory of it is another project.
fn has_commit(package: &LockedPackage, uri: &str) -> bool {
    let (pinned, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let named = pinned.rsplit_once('@').map(|(_, commit)| commit);
    let inside = fragment.strip_prefix("subdirectory=").map(Path::new);
    matches!(
        &package.source,
        LockedSource::Git { commit, subdirectory, .. } if named == Some(commit) && inside == subdirectory.as_deref()
    )
}

fn is_directory(package: &LockedPackage) -> bool {
    matches!(package.source, LockedSource::Directory { .. } | LockedSource::Virtual { .. })
}
