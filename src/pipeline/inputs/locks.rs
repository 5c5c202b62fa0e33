//! Which lock the inputs have, and whether it is one for them.

use std::path::PathBuf;

use crate::error::Error;
use crate::lock::{Context, Lock, check_agreement};
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

    /// The lock that says which versions are packed; none where nothing pins them.
    ///
    /// # Errors
    /// When it cannot be read or trusted.
    pub fn read_lock(&self) -> Result<Option<FoundLock>, Error> {
        let (path, why) = match self.locks.as_slice() {
            [] => return Ok(None),
            [only] => only,
            several => {
                let paths = several.iter().map(|(path, _)| path.clone()).collect();
                return Err(DetectError::SeveralLocks(paths).into());
            }
        };
        let root = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(&project.root),
            SourceKind::Modules { root, .. } => Some(root),
            _ => None,
        });
        let table = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => project.pyproject.as_ref()?.project.as_ref(),
            _ => None,
        });
        let name = table.and_then(|table| table.name.parse().ok());
        let context = Context { project: root.map(PathBuf::as_path), name: name.as_ref() };
        let lock = Lock::read(path, context).map_err(Box::new)?;
        if let Some(reason) = find_staleness(self, &lock)? {
            return Err(Box::new(lock.stale(reason)).into());
        }
        Ok(Some(FoundLock { lock, why: why.clone() }))
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
