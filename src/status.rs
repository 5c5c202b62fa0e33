//! Every exit status of the command, and what an error owes its reader besides its message.

use std::process::ExitCode;

/// How the command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: done; the answer is yes.
    Done,
    /// 1: the answer is no, or the build failed: a refused wheel, a wrong hash, a difference, a failed or timed-out
    /// build backend, a requirement that was not found.
    Refused,
    /// 2: usage: arguments, settings, environment values, missing input paths, no project, no or ambiguous entry point.
    Usage,
    /// 3: the machine: disk full, unwritable output, no interpreter, network down.
    Machine,
    /// 130: ended by SIGINT.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
}

impl Status {
    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Machine => 3,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// What every stage's error tells besides its message: which status the command exits with, and what to do next.
pub trait Explain: std::error::Error {
    /// The exit status that this error leads to.
    fn status(&self) -> Status;

    /// One thing to do about it, without the word "hint" and without a full stop.
    fn hint(&self) -> Option<String> {
        None
    }
}
