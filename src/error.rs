//! What can go wrong in a build, whichever stage it is: each stage has its own errors, and this is any of them.

use crate::application::{EntryPointError, PlanError, TreeError};
use crate::bytecode::BytecodeError;
use crate::lock::{Disagreement, LockError};
use crate::output::OutputError;
use crate::process::scratch::ScratchError;
use crate::project::detect::DetectError;
use crate::project::git::GitError;
use crate::project::input::InputError;
use crate::project::pipfile::PipfileError;
use crate::project::pyproject::ProjectError;
use crate::project::requirements::RequirementsError;
use crate::project::script::ScriptError;
use crate::python::DefaultIndexError;
use crate::python::FindError;
use crate::status::{Explain, Status};
use crate::target::{ClosureError, PlatformError};
use crate::wheel::build_error::BuildError;
use crate::wheel::collect::CollectError;
use crate::wheel::{RepackError, WheelError};

macro_rules! stages {
    ($($(#[$documentation:meta])* $stage:ident($error:ty),)*) => {
        /// The error of any stage.
        #[derive(Debug, thiserror::Error)]
        pub enum Error {
            $($(#[$documentation])* #[error(transparent)] $stage(#[from] $error),)*
        }

        impl Explain for Error {
            fn status(&self) -> Status {
                match self {
                    $(Self::$stage(error) => error.status(),)*
                }
            }

            fn hint(&self) -> Option<String> {
                match self {
                    $(Self::$stage(error) => error.hint(),)*
                }
            }
        }
    };
}

stages! {
    /// What is to be packed cannot be understood.
    Input(InputError),
    /// A project cannot be read.
    Project(ProjectError),
    /// A requirements file cannot be read.
    Requirements(RequirementsError),
    /// A script cannot be read.
    Script(ScriptError),
    /// A lock cannot be used.
    Lock(Box<LockError>),
    /// A repository cannot be had.
    Git(GitError),
    /// A directory is nothing that is packed by convention, or could be several things.
    Detect(DetectError),
    /// A Pipfile cannot be read.
    Pipfile(PipfileError),
    /// A lock and what lies beside it contradict each other.
    Disagreement(Box<Disagreement>),
    /// There is no index to ask.
    Index(DefaultIndexError),
    /// There is no interpreter.
    Interpreter(FindError),
    /// The platform is not known.
    Platform(PlatformError),
    /// There is no place for temporary files.
    Scratch(ScratchError),
    /// Requirements do not come to wheels.
    Collect(CollectError),
    /// A wheel cannot be built.
    Build(Box<BuildError>),
    /// A wheel that was built cannot be used.
    Repack(RepackError),
    /// A wheel is refused.
    Wheel(WheelError),
    /// The wheels do not make an application.
    Closure(Box<ClosureError>),
    /// The wheels cannot stand beside each other.
    Tree(TreeError),
    /// Modules cannot be compiled.
    Bytecode(Box<BytecodeError>),
    /// There is nothing to start.
    EntryPoint(EntryPointError),
    /// The plan cannot be made.
    Plan(PlanError),
    /// The archive cannot be written.
    Output(OutputError),
}
