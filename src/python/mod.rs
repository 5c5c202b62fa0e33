//! Python on this machine: which interpreters there are and what they can do, the environments that their processes see,
//! and scratch virtual environments.

pub mod environment;
mod find;
mod interpreter;
mod pyenv;
pub mod venv;

pub use find::{FindError, LookedAt, PythonRequest, PythonRequestError, VersionRequest, find};
pub use interpreter::{Interpreter, ProbeError, VenvTools};
