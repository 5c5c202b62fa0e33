//! A lock file's text, and what every reader does with it first and last.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use toml::Table;

use super::bounds::Bounds;
use super::{BuildsIn, Context, Lock, LockError, LockFormat};
use crate::digest::Sha256Digest;
use crate::project::pyproject::locate_fault;

/// A file that is read, and the format that it has.
pub(super) struct Document<'a> {
    pub(super) format: LockFormat,
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) sha256: Sha256Digest,
    pub(super) purpose: Purpose,
}

/// What a lock is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To build what it selects: it must be of the project, as that is now.
    Select,
    /// To compare with its entries: nobody has the project, and no path in it is opened.
    Compare,
}

impl Document<'_> {
    /// The whole document as a table.
    pub(super) fn table(&self) -> Result<Table, LockError> {
        parse_toml(self.path, self.text)
    }

    /// The bounds of its paths.
    pub(super) fn bounds(&self, context: Context<'_>) -> Result<Bounds, LockError> {
        let unreadable = |source| LockError::Read { path: self.path.to_owned(), source };
        if self.purpose == Purpose::Compare {
            return Bounds::none(self.path).map_err(unreadable);
        }
        Bounds::of(self.path, context.project).map_err(unreadable)
    }

    /// A lock that says nothing yet.
    pub(super) fn empty_lock(&self) -> Lock {
        Lock {
            format: self.format,
            path: self.path.to_owned(),
            sha256: self.sha256,
            requires_python: None,
            environments: Vec::new(),
            extras: Some(BTreeSet::new()),
            groups: Some(BTreeSet::new()),
            default_groups: BTreeSet::new(),
            conflicts: Vec::new(),
            packages: Vec::new(),
            project: None,
            roots: Vec::new(),
            inputs: None,
            builds: Vec::new(),
            builds_in: BuildsIn::Beside,
        }
    }

    /// A fault of the whole file.
    pub(super) fn malformed(&self, reason: impl Display) -> LockError {
        LockError::malformed(self.path, reason.to_string())
    }

    /// That its format has a version that is not known.
    pub(super) fn unknown_version(&self, found: impl Display, known: &'static str) -> LockError {
        LockError::UnknownVersion { path: self.path.to_owned(), found: found.to_string(), known }
    }

    /// That it says something else than what it was made from.
    pub(super) fn stale(&self, reason: impl Into<String>) -> LockError {
        LockError::stale(self.path, reason, self.format.command())
    }
}

/// A file of TOML as a table, its fault named by line.
pub(super) fn parse_toml(path: &Path, text: &str) -> Result<Table, LockError> {
    text.parse().map_err(|error| toml_fault(path, text, &error))
}

/// What is wrong with a file of TOML, and in which line.
pub(super) fn toml_fault(path: &Path, text: &str, error: &toml::de::Error) -> LockError {
    LockError::malformed(path, locate_fault(text, error.span(), error.message()))
}

/// The project's `pyproject.toml` and its path, where there is one.
///
/// # Errors
/// It cannot be read, or is not TOML.
pub(super) fn read_pyproject(context: Context<'_>) -> Result<Option<(PathBuf, Table)>, LockError> {
    let Some(project) = context.project else { return Ok(None) };
    let path = project.join("pyproject.toml");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LockError::Read { path, source }),
    };
    let text = str::from_utf8(&bytes).map_err(|_| LockError::malformed(&path, "it is not UTF-8"))?;
    let table = parse_toml(&path, text)?;
    Ok(Some((path, table)))
}
