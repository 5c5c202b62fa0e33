//! Python: the environments that its children see, and scratch virtual environments.

use std::path::PathBuf;

pub mod environment;
pub mod venv;

/// An interpreter, as far as building and resolving need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "four independent facts of one probe")]
pub struct Interpreter {
    /// The program, absolute.
    pub executable: PathBuf,
    /// Its minor version: (3, 11).
    pub minor: (u8, u8),
    /// Whether it has the module `venv`.
    pub has_venv: bool,
    /// Whether it has the module `ensurepip`.
    pub has_ensurepip: bool,
    /// Whether it has the module `pip`.
    pub has_pip: bool,
    /// Whether PEP 668's marker is there.
    pub externally_managed: bool,
}
