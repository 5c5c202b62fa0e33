//! The commits that a provenance claims for the checkouts on this machine that are packed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::project::checkout::{WorkTree, look_at_work_tree};
use crate::project::git::GitError;
use crate::python::environment::resolver_environment;
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;

use super::Observer;
use super::inputs::{Inputs, SourceKind};

/// How many changed files a message names.
const LISTED: usize = 3;

/// Why the commit of a directory cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// git does not tell.
    #[error(transparent)]
    Git(#[from] GitError),
    /// No repository has it.
    #[error("no commit has `{0}`")]
    NoCommit(String),
    /// It is not as it was committed.
    #[error("`{directory}` differs from its commit: {files}")]
    Changed {
        /// The directory.
        directory: String,
        /// What differs, in words.
        files: String,
    },
}

impl Explain for SourceError {
    fn status(&self) -> Status {
        match self {
            Self::Git(error) => error.status(),
            Self::NoCommit(_) => Status::Usage,
            Self::Changed { .. } => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Git(error) => error.hint(),
            Self::NoCommit(_) => None,
            Self::Changed { .. } => Some("commit it, or name what no build needs in `.gitignore`".to_owned()),
        }
    }
}

/// The commit of the checkout `directory`.
///
/// # Errors
/// When it has none, or differs from it.
pub fn find_commit(directory: &Path, world: &Surroundings) -> Result<String, SourceError> {
    let shown = || directory.display().to_string();
    let tree = look(directory, world)?.ok_or_else(|| SourceError::NoCommit(shown()))?;
    match tree.differences.as_slice() {
        [] => Ok(tree.commit),
        files => Err(SourceError::Changed { directory: shown(), files: list(files) }),
    }
}

fn look(path: &Path, world: &Surroundings) -> Result<Option<WorkTree>, GitError> {
    let environment = resolver_environment(world, &world.temporary, None);
    look_at_work_tree(world.find_program("git").as_deref(), path, &environment)
}

/// What the repositories around the inputs say at one time.
pub(super) struct Checkouts(BTreeMap<PathBuf, Result<Option<WorkTree>, GitError>>);

impl Checkouts {
    pub(super) fn look(inputs: &Inputs, world: &Surroundings) -> Self {
        let paths = inputs.sources.iter().filter_map(|source| match source {
            SourceKind::Project(project) => Some(&project.root),
            SourceKind::Modules { root: path, .. } | SourceKind::Script { path, .. } => Some(path),
            SourceKind::Wheel(_) | SourceKind::Sdist(_) | SourceKind::Git(_) | SourceKind::Requirement(_) => None,
        });
        // Without the `.` of `./project`.
        Self(paths.map(|path| (path.components().collect(), look(path, world))).collect())
    }

    /// The commits that may be claimed: of what was as it was committed before the build, and still is after it. Of others
    /// the user is told.
    pub(super) fn commits(&self, after: &Self, observer: &dyn Observer) -> BTreeSet<String> {
        let mut commits = BTreeSet::new();
        for (path, before) in &self.0 {
            let shown = path.display();
            let unclaimed = |reason: &str| {
                observer.note(&format!("the provenance claims no commit for `{shown}`: {reason}"));
            };
            match (before, after.0.get(path)) {
                (Err(error), _) | (_, Some(Err(error))) => unclaimed(&error.to_string()),
                (Ok(None), Some(Ok(None))) => {}
                (Ok(Some(tree)), Some(Ok(Some(later)))) if tree == later => match tree.differences.as_slice() {
                    [] => drop(commits.insert(tree.commit.clone())),
                    files => unclaimed(&format!("it differs from its commit: {}", list(files))),
                },
                _ => unclaimed("it changed during the build"),
            }
        }
        commits
    }
}

/// The first of many files.
pub(super) fn list(files: &[String]) -> String {
    let listed = if files.len() <= LISTED + 1 { files.len() } else { LISTED };
    let more = match files.len() - listed {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", files[..listed].join(", "))
}
