//! Which lock the inputs have, and whether it is one for them.

use std::path::Path;

use crate::error::Error;
use crate::lock::{BuildsIn, Context, Lock, check_agreement};
use crate::pipeline::lock::find_staleness;
use crate::project::detect::DetectError;
use crate::project::pipfile::read_pipfile;
use crate::project::requirements::RequirementsFile;
use crate::settings::BuildSettings;
use crate::target::Target;

use super::{Inputs, SourceKind};

/// The lock that a build follows.
#[derive(Debug)]
pub struct FoundLock {
    /// The lock, read.
    pub lock: Lock,
    /// Why this one.
    pub why: String,
}

impl Inputs {
    /// Takes the lock that is named: with `--lock`, or as the only requirements file where that leaves nothing open.
    pub(super) fn name_lock(&mut self, settings: &BuildSettings) {
        if let Some(path) = &settings.lock {
            self.locks.push((settings.directory.join(path), "named with --lock".to_owned()));
        } else if let [(path, file)] = self.files.as_slice()
            && file.is_complete()
        {
            self.locks.push((path.clone(), "everything in it is pinned and has a hash".to_owned()));
        }
        self.named_lock = self.locks.first().map(|(path, _)| path.clone());
    }

    /// The lock that says which versions are packed; none where nothing pins them. What it does not say of build
    /// requirements, the same lock as data for Nix does where that is beside it.
    ///
    /// # Errors
    /// When it cannot be read or trusted.
    pub fn read_lock(&self) -> Result<Option<FoundLock>, Error> {
        let Some(mut found) = self.find_lock()? else { return Ok(None) };
        if found.lock.builds_in == BuildsIn::Beside {
            found.lock.builds = found.lock.nix_builds(self.locked_directory()).map_err(Box::new)?.unwrap_or_default();
        }
        Ok(Some(found))
    }

    /// The lock alone, whatever is beside it.
    ///
    /// # Errors
    /// When it cannot be read or trusted.
    pub(in crate::pipeline) fn find_lock(&self) -> Result<Option<FoundLock>, Error> {
        let (path, why) = match self.locks.as_slice() {
            [] => return Ok(None),
            [only] => only,
            several => {
                let paths = several.iter().map(|(path, _)| path.clone()).collect();
                return Err(DetectError::SeveralLocks(paths).into());
            }
        };
        let table = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => project.pyproject.as_ref()?.project.as_ref(),
            _ => None,
        });
        let name = table.and_then(|table| table.name.parse().ok());
        let context = Context { project: self.locked_directory(), name: name.as_ref() };
        let lock = Lock::read(path, context).map_err(Box::new)?;
        if let Some(reason) = find_staleness(self, &lock)? {
            return Err(Box::new(lock.stale(reason)).into());
        }
        Ok(Some(FoundLock { lock, why: why.clone() }))
    }

    /// The directory whose requirements a lock holds.
    pub(in crate::pipeline) fn locked_directory(&self) -> Option<&Path> {
        self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(project.root.as_path()),
            SourceKind::Modules { root, .. } => Some(root.as_path()),
            _ => None,
        })
    }

    /// Whether there is anything that [`Self::check_stated`] compares.
    pub(in crate::pipeline) fn is_stated(&self) -> bool {
        !self.stated.is_empty()
    }

    /// Refuses a lock that something beside it contradicts.
    pub(in crate::pipeline) fn check_stated(&self, lock: &Lock, target: &Target) -> Result<(), Error> {
        for path in &self.stated {
            let is_pipfile = path.file_name().is_some_and(|name| name == "Pipfile");
            let file = if is_pipfile { read_pipfile(path)? } else { RequirementsFile::read(path)? };
            check_agreement(lock, path, &file, target)?;
        }
        Ok(())
    }
}
