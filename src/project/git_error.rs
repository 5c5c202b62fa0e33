//! Why a git input is not had.

use std::path::{Path, PathBuf};

use crate::process::{Ended, ProcessError};
use crate::status::{Explain, Status};

/// Why a git input is not had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The text is no git input.
    #[error("not a git input: `{input}` ({rule})")]
    Input {
        /// The text, without credentials.
        input: String,
        /// What it should be.
        rule: &'static str,
    },
    /// It lies beyond the network.
    #[error("cannot fetch `{url}` with --offline")]
    Offline {
        /// The repository.
        url: String,
    },
    /// There is no git.
    #[error("no program `git` on PATH, which `{url}` needs")]
    NoGit {
        /// The repository.
        url: String,
    },
    /// git failed.
    #[error("git cannot {action} `{url}` ({status}): {messages}")]
    Failed {
        /// What it was to do.
        action: &'static str,
        /// The repository.
        url: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        messages: String,
        /// Whether the network was in the way.
        network: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("repository `{url}` has no revision `{revision}`")]
    Revision {
        /// The repository.
        url: String,
        /// The revision.
        revision: String,
    },
    /// A commit's time was asked for where there is no commit.
    #[error("`{}` is in no git repository with a commit", directory.display())]
    NoCommit {
        /// The directory.
        directory: PathBuf,
    },
    /// The repository has no such directory.
    #[error("repository `{url}` has no directory `{}` at commit {commit}", subdirectory.display())]
    Subdirectory {
        /// The repository.
        url: String,
        /// The directory.
        subdirectory: PathBuf,
        /// The commit.
        commit: String,
    },
    /// git did not run to its end.
    #[error("cannot run git for `{url}`")]
    Run {
        /// The repository.
        url: String,
        /// Why.
        source: ProcessError,
    },
}

impl GitError {
    /// git did not tell what changed in a work tree.
    pub(super) fn of_look(directory: &Path, ended: &Ended) -> Self {
        Self::Failed {
            action: "look for changes in",
            url: directory.display().to_string(),
            status: ended.describe_status(),
            messages: ended.messages.trim_end().to_owned(),
            network: false,
        }
    }
}

impl Explain for GitError {
    fn status(&self) -> Status {
        match self {
            Self::Input { .. } | Self::NoCommit { .. } => Status::Usage,
            Self::NoGit { .. } | Self::Failed { network: true, .. } => Status::Machine,
            Self::Run { source, .. } => source.status(),
            Self::Offline { .. } | Self::Failed { .. } | Self::Revision { .. } | Self::Subdirectory { .. } => {
                Status::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoGit { .. } => Some("install git".to_owned()),
            Self::NoCommit { .. } => {
                Some("commit it, or give `--source-date-epoch` the time itself, in seconds since 1970".to_owned())
            }
            Self::Offline { .. } => Some("name a clone on this machine: git+file:///PATH@REV".to_owned()),
            _ => None,
        }
    }
}
