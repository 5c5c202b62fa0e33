//! Python on this machine: which interpreters there are and what they can do.

mod find;
mod interpreter;
mod pyenv;

pub use find::{FindError, LookedAt, PythonRequest, PythonRequestError, VersionRequest, find};
pub use interpreter::{Interpreter, ProbeError, VenvTools};
