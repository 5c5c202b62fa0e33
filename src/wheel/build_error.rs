//! Why a source does not become a wheel.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::collect::CollectError;
use crate::names::PackageName;
use crate::process::ProcessError;
use crate::process::scratch::ScratchError;
use crate::project::git::GitError;
use crate::project::sdist::SdistError;
use crate::project::sources::SourcesError;
use crate::python::venv::VenvError;
use crate::status::{Explain, Status};
use crate::target::RequirementError;

/// Why a source does not become a wheel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to build.
    #[error("cannot build `{label}`: it has neither pyproject.toml nor setup.py")]
    NoProject {
        /// The source.
        label: String,
    },
    /// Its pyproject.toml is wrong.
    #[error("cannot build `{label}`: pyproject.toml: {reason}")]
    Pyproject {
        /// The source.
        label: String,
        /// What is wrong.
        reason: String,
    },
    /// Its build requirements cannot be had.
    #[error("cannot build `{label}`: its build requirements cannot be had")]
    Requirements {
        /// The source.
        label: String,
        /// Why.
        source: Box<CollectError>,
    },
    /// A build requirement cannot be installed.
    #[error("cannot build `{label}`: cannot install its build requirement `{wheel}`")]
    Install {
        /// The source.
        label: String,
        /// The wheel.
        wheel: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A lock was asked for, and says nothing of what it is built with.
    #[error("cannot build `{label}`: no lock holds what it is built with ({})", requirements.join(", "))]
    Unlocked {
        /// The source.
        label: String,
        /// What it is built with.
        requirements: Vec<String>,
        /// What locks it.
        command: String,
    },
    /// The lock says something else than the source.
    #[error("cannot build `{label}`: the lock is stale: the build needs `{requirement}`, the lock has {}", locked.as_deref().unwrap_or("nothing of that name"))]
    StaleLock {
        /// The source.
        label: String,
        /// What it needs.
        requirement: String,
        /// What the lock has instead.
        locked: Option<String>,
        /// What makes the lock anew.
        command: String,
    },
    /// What was built is not what the lock's build requirements are for.
    #[error("cannot build `{label}`: the lock has build requirements for `{locked}`, and this is `{found}`")]
    OtherSet {
        /// The source.
        label: String,
        /// The name of its wheel.
        found: PackageName,
        /// The name that the lock has.
        locked: PackageName,
        /// What makes the lock anew.
        command: String,
    },
    /// A build requirement is none.
    #[error("cannot build `{label}`: a build requirement cannot be read")]
    Requirement {
        /// The source.
        label: String,
        /// Why.
        #[source]
        error: RequirementError,
    },
    /// The build backend is not there.
    #[error("cannot build `{label}`: no build backend `{backend}`: {reason}")]
    NoBackend {
        /// The source.
        label: String,
        /// The backend.
        backend: String,
        /// Why.
        reason: String,
    },
    /// The build backend failed, or took longer than it may.
    #[error(transparent)]
    Hook(#[from] Box<HookFailure>),
    /// The build backend returned something else than it should.
    #[error("cannot build `{label}`: {hook} of {backend} returned {returned}")]
    Returned {
        /// The source.
        label: String,
        /// The hook.
        hook: &'static str,
        /// The backend.
        backend: String,
        /// What it returned.
        returned: String,
    },
    /// To build it, it itself would have to be built first.
    #[error("cannot build `{label}`: to build it, it would have to be built first ({trail})")]
    Cycle {
        /// The source.
        label: String,
        /// What is built for what.
        trail: String,
    },
    /// The source tree cannot be copied.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The source distribution cannot be unpacked.
    #[error(transparent)]
    Sdist(#[from] SdistError),
    /// The commit cannot be had.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no virtual environment.
    #[error(transparent)]
    Venv(#[from] VenvError),
    /// There is no scratch directory.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A program did not run.
    #[error("cannot build `{label}`")]
    Run {
        /// The source.
        label: String,
        /// Why.
        source: ProcessError,
    },
    /// A file of the build cannot be written or read.
    #[error("cannot build `{label}`")]
    Write {
        /// The source.
        label: String,
        /// Why.
        source: io::Error,
    },
}

/// A hook of a build backend that did not succeed.
#[derive(Debug)]
pub struct HookFailure {
    /// The source.
    pub label: String,
    /// The hook.
    pub hook: &'static str,
    /// The backend.
    pub backend: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The exception, where there was one.
    pub exception: Option<String>,
    /// The last lines of the log.
    pub end: Vec<String>,
    /// What to do about what the log says is missing.
    pub advice: Option<String>,
    /// The whole log.
    pub log: PathBuf,
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// By itself; the exit status in words.
    Ended(String),
    /// By the time limit.
    TimedOut(Duration),
}

impl std::error::Error for HookFailure {}

/// One line of what happened, the end of the log on lines of its own, and where the whole log is.
impl fmt::Display for HookFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, hook, backend, outcome, exception, end, log, .. } = self;
        write!(formatter, "cannot build `{label}`: {hook} of {backend} ")?;
        match outcome {
            Outcome::Ended(status) => write!(formatter, "failed ({status})")?,
            Outcome::TimedOut(limit) => write!(formatter, "did not end within {} s", limit.as_secs_f64())?,
        }
        if let Some(exception) = exception {
            write!(formatter, ": {exception}")?;
        }
        end.iter().try_for_each(|line| write!(formatter, "\n    {line}"))?;
        write!(formatter, "\nthe full log is {}", log.display())
    }
}

impl Explain for BuildError {
    fn status(&self) -> Status {
        match self {
            Self::Requirements { source, .. } => source.status(),
            Self::Sources(error) => error.status(),
            Self::Sdist(error) => error.status(),
            Self::Git(error) => error.status(),
            Self::Venv(error) => error.status(),
            Self::Scratch(error) => error.status(),
            Self::Run { source, .. } => source.status(),
            Self::Write { .. } => Status::Machine,
            Self::NoProject { .. } => Status::Usage,
            _ => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Hook(failure) if matches!(failure.outcome, Outcome::TimedOut(_)) => {
                Some("raise the limit with --build-timeout".to_owned())
            }
            Self::Hook(failure) => failure.advice.clone(),
            Self::Unlocked { command, .. } | Self::StaleLock { command, .. } | Self::OtherSet { command, .. } => {
                Some(format!("run `{command}`, then build again"))
            }
            Self::NoBackend { .. } => Some("[build-system] requires has to name the backend's distribution".to_owned()),
            Self::Requirements { source, .. } => match source.missing() {
                // Among the inputs it would be packed.
                Some(name) => Some(format!("name the directory that holds a wheel of {name} with `--find-links DIR`")),
                None => source.hint(),
            },
            Self::Sources(error) => error.hint(),
            Self::Sdist(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::Venv(error) => error.hint(),
            Self::Scratch(error) => error.hint(),
            _ => None,
        }
    }
}
