//! What can be wrong with a lock: each refusal names the file, the entry and the reason.

use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use super::{FileHash, Unplaced};
use crate::names::PackageName;
use crate::shown::shown_in_line;
use crate::status::{Explain, Status};
use crate::target::EvaluationError;

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// There is no such file.
    #[error("no such lock file: `{}`", .0.display())]
    NotFound(PathBuf),
    /// It is a directory, a pipe or a device.
    #[error("the lock `{}` is not a file", .0.display())]
    NoFile(PathBuf),
    /// It cannot be read.
    #[error("cannot read the lock file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its name is none of those that lock files have.
    #[error("`{}` is no lock file that is known by its name", .0.display())]
    UnknownName(PathBuf),
    /// It is not what its format says.
    #[error("`{}` cannot be read as a lock: {}", path.display(), shown_in_line(reason))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where that is known.
        reason: String,
    },
    /// A version of its format that is not known.
    #[error("`{}` has lock version {}, which is not known (known: {known})", path.display(), shown_in_line(found))]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The versions that are read.
        known: &'static str,
    },
    /// One entry cannot be used.
    #[error("`{}`, {}: {}", path.display(), shown_in_line(entry), shown_in_line(&fault.to_string()))]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry: `httpie 3.2.4`.
        entry: String,
        /// What is wrong with it.
        fault: Box<EntryFault>,
    },
    /// It locks another project.
    #[error("`{}` locks `{found}`, and what is packed is `{expected}`", path.display())]
    OtherProject {
        /// The file.
        path: PathBuf,
        /// The project that it is for.
        found: String,
        /// The project that is packed.
        expected: String,
    },
    /// The project says something else than when it was locked.
    #[error("`{}` is stale: {reason}", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// What changed.
        reason: String,
        /// What makes it anew.
        command: String,
    },
    /// It was not made for this Python.
    #[error("`{}` is for Python {requires_python}, the target is {target}", path.display())]
    Python {
        /// The file.
        path: PathBuf,
        /// What it says.
        requires_python: VersionSpecifiers,
        /// The target.
        target: String,
    },
    /// It was not made for this platform.
    #[error("`{}` is not for {target}: none of its environments is ({environments})", path.display())]
    Environment {
        /// The file.
        path: PathBuf,
        /// The target.
        target: String,
        /// The environments that it has.
        environments: String,
    },
    /// An extra or a group that it does not have.
    #[error("`{}` has no {kind} `{name}`{}", path.display(), has(known))]
    NoSuchName {
        /// The file.
        path: PathBuf,
        /// `extra` or `group`.
        kind: &'static str,
        /// The name that was asked for.
        name: PackageName,
        /// Those that it has.
        known: Vec<String>,
    },
    /// Extras or groups that exclude each other.
    #[error("`{}`: {} exclude each other", path.display(), names.join(" and "))]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Those that were asked for.
        names: Vec<String>,
    },
    /// Entries of which the lock does not say where their files are, and that lie nowhere.
    #[error("`{}`, {}: no file of {} lies in the directories of --find-links or in the cache, and {absence}", path.display(), entries.join(", "), if entries.len() == 1 { "it" } else { "them" })]
    NotAtHand {
        /// The file.
        path: PathBuf,
        /// The entries.
        entries: Vec<String>,
        /// Whether an index was asked.
        absence: Absence,
    },
    /// Files of which the lock does not say where they are, and that are nowhere.
    #[error("`{}`: {} {} nowhere: {absence}", path.display(), files.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), if files.len() == 1 { "is" } else { "are" })]
    Unplaced {
        /// The file.
        path: PathBuf,
        /// The files.
        files: Vec<Unplaced>,
        /// Whether an index was asked.
        absence: Absence,
    },
    /// Nothing says which versions are meant.
    #[error("there is no lock to write for Nix: nothing pins {0}")]
    NoLock(String),
    /// One name, several entries that all count.
    #[error("`{}`: several entries of `{name}` are needed at once: {}", path.display(), versions.join(", "))]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// The distribution.
        name: PackageName,
        /// Its versions.
        versions: Vec<String>,
    },
}

/// What is known of indexes where a file lies nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// None was asked.
    #[error("no index may be asked")]
    NotAsked,
    /// They were asked.
    #[error("no index that was asked has one with a hash that the lock allows")]
    NotListed,
}

/// What is wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// A file without any digest.
    #[error("`{file}` has no hash")]
    NoHash {
        /// The file, or the distribution where files have no names.
        file: String,
    },
    /// A file with digests that prove too little.
    #[error("`{file}` has no sha256 hash, only {}", algorithms.join(", "))]
    WeakHash {
        /// The file, or the distribution where files have no names.
        file: String,
        /// What it has instead.
        algorithms: Vec<String>,
    },
    /// A digest that is none.
    #[error("`{0}` is not a sha256 hash")]
    BadHash(String),
    /// A URL that is neither http nor https.
    #[error("`{0}` is neither an http nor an https URL")]
    Scheme(String),
    /// A path outside of the project.
    #[error("`{0}` is outside of the project")]
    Outside(String),
    /// A file name that is no wheel's and no source distribution's.
    #[error("`{0}` is the name of neither a wheel nor a source distribution")]
    FileName(String),
    /// A marker that cannot be read.
    #[error("{0}")]
    Marker(String),
    /// A marker without a value.
    #[error("{0}")]
    Evaluation(EvaluationError),
    /// A field that is missing or has a value that it may not have.
    #[error("{0}")]
    Field(String),
    /// A repository that is not git's, or a revision that is no whole commit.
    #[error("{0}")]
    Repository(String),
    /// It refers to an entry that is not there.
    #[error("it needs `{0}`, of which there is no entry")]
    Dangling(String),
    /// It refers to one of several entries without saying which.
    #[error("it needs `{name}`, and several entries match: {}", versions.join(", "))]
    Open {
        /// The distribution.
        name: PackageName,
        /// The versions of the entries.
        versions: Vec<String>,
    },
    /// Nothing in it fits the target.
    #[error("no wheel fits {target}, and there is no source distribution; there are {}", list(wheels))]
    NothingFits {
        /// The target.
        target: String,
        /// Its wheels.
        wheels: Vec<String>,
    },
    /// The target's Python is not one that it allows.
    #[error("it needs Python {requires_python}, the target is {target}")]
    Python {
        /// What it says.
        requires_python: VersionSpecifiers,
        /// The target.
        target: String,
    },
}

impl LockError {
    /// An entry's fault.
    pub(crate) fn entry(path: &Path, entry: impl Into<String>, fault: EntryFault) -> Self {
        Self::Entry { path: path.to_owned(), entry: entry.into(), fault: Box::new(fault) }
    }

    /// That it says something else than what it was made from, and what makes it anew.
    pub(crate) fn stale(path: &Path, reason: impl Into<String>, command: impl Into<String>) -> Self {
        Self::Stale { path: path.to_owned(), reason: reason.into(), command: command.into() }
    }

    /// A fault of the whole file.
    pub(super) fn malformed(path: &Path, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.into() }
    }
}

impl FileHash {
    /// What is wrong with it, of the file that it belongs to; nothing if it is a sha256.
    pub(super) fn fault(&self, file: &str) -> Option<EntryFault> {
        match self {
            Self::Sha256(_) => None,
            Self::Weak(algorithms) => {
                Some(EntryFault::WeakHash { file: file.to_owned(), algorithms: algorithms.clone() })
            }
            Self::Missing => Some(EntryFault::NoHash { file: file.to_owned() }),
        }
    }
}

impl Explain for LockError {
    fn status(&self) -> Status {
        match self {
            Self::NotFound(_)
            | Self::NoFile(_)
            | Self::UnknownName(_)
            | Self::NoLock(_)
            | Self::NoSuchName { .. }
            | Self::Conflict { .. } => Status::Usage,
            Self::Read { .. } => Status::Machine,
            _ => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownName(_) => Some(
                "a lock is called pylock.toml, pylock.NAME.toml, uv.lock, poetry.lock, Pipfile.lock, pdm.lock or \
                 NAME.txt (a requirements file with hashes)"
                    .to_owned(),
            ),
            Self::Stale { command, .. } => Some(format!("run `{command}`, then build again")),
            Self::OtherProject { .. } => Some("name the project's own lock with `--lock FILE`".to_owned()),
            Self::Entry { fault, .. } => match fault.as_ref() {
                EntryFault::NoHash { .. } | EntryFault::WeakHash { .. } => {
                    Some("lock again with an index that gives sha256 hashes, or run `pyzpack lock`".to_owned())
                }
                EntryFault::Outside(_) => {
                    Some("move it into the project, or pack it as an input of its own".to_owned())
                }
                _ => None,
            },
            Self::NotAtHand { absence: Absence::NotAsked, .. } => {
                Some("build once without --offline and --no-index, or name a directory with --find-links".to_owned())
            }
            Self::NotAtHand { absence: Absence::NotListed, .. } => {
                Some("name the index that has it with --index-url, or lock again".to_owned())
            }
            Self::Unplaced { absence: Absence::NotAsked, .. } => Some(
                "run it without --offline and --no-index, or name a directory of the project that has them with \
                 --find-links"
                    .to_owned(),
            ),
            Self::Unplaced { absence: Absence::NotListed, .. } => {
                Some("name the index that has them with --index-url or --extra-index-url, or lock again".to_owned())
            }
            Self::NoLock(_) => Some(
                "run `pyzpack lock`, or the tool that locks the project, or name a lock with `--lock FILE`".to_owned(),
            ),
            Self::Python { .. } | Self::Environment { .. } => Some(
                "choose another target with --python, --target-python or --platform, or lock for this one".to_owned(),
            ),
            _ => None,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no files".to_owned() } else { names.join(", ") }
}

fn has(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (it has: {})", known.join(", ")) }
}
