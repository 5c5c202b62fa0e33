//! Why nothing can be said of whether a build comes out the same.

use std::io;
use std::path::PathBuf;

use super::difference::CompareError;
use crate::process::ProcessError;
use crate::process::scratch::ScratchError;
use crate::project::sources::SourcesError;
use crate::status::{Explain, Status};

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// There is no place for it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The sources cannot be copied.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The place cannot be prepared, or its builds not be read.
    #[error("cannot prepare the builds")]
    Stage(#[source] io::Error),
    /// This program cannot be run.
    #[error(transparent)]
    Run(#[from] ProcessError),
    /// The first build fails: there is nothing to compare with.
    #[error("the first build fails, with nothing changed")]
    First {
        /// Its exit status.
        status: Option<i32>,
        /// What it said.
        messages: String,
    },
    /// What was built cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The builds that differ cannot be kept.
    #[error("cannot keep the builds in `{}`", directory.display())]
    Keep {
        /// Where.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Explain for ReproduceError {
    fn status(&self) -> Status {
        match self {
            Self::Scratch(error) => error.status(),
            Self::Sources(error) => error.status(),
            Self::Run(error) => error.status(),
            Self::Compare(error) => error.status(),
            Self::First { status: Some(2), .. } => Status::Usage,
            Self::First { status: Some(1), .. } => Status::Refused,
            Self::First { .. } | Self::Stage(_) | Self::Keep { .. } => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Scratch(error) => error.hint(),
            Self::Sources(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Compare(error) => error.hint(),
            Self::First { .. } | Self::Stage(_) | Self::Keep { .. } => None,
        }
    }
}
