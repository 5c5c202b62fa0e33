//! Python on this machine: which interpreters there are and what they can do, the environments that their processes see,
//! and scratch virtual environments.

pub(crate) mod default_index;
pub mod environment;
mod find;
mod interpreter;
mod pyenv;
pub mod venv;

pub use default_index::{DefaultIndexError, default_index};
pub(crate) use find::lines as looked_at_lines;
pub use find::{FindError, LookedAt, PythonRequest, PythonRequestError, VersionRequest, find};
pub use interpreter::{Interpreter, ProbeError, VenvTools};
