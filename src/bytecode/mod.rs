//! Compiled modules that do not depend on who compiled them: a `CPython` compiles sources that it never runs, and what it
//! writes is put into one spelling.
//!
//! The bytes are those of the exact version of the interpreter: two patch releases may compile alike or not. A source that
//! this Python does not compile has no bytecode, as with installers. One on which it crashes or hangs is an error, for
//! whether it does depends on the machine's stack and speed, and bytes must not.

mod canonical;
mod child;
mod compare;
mod marshal;

pub use canonical::canonical_code;
pub use child::{BytecodeError, Compiler, Module};
pub use compare::{CodeComparison, CodeDifference, compare_code};
pub use marshal::MarshalFault;

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::target::PythonMinor;

/// The versions of which compiled code is known, first and last.
pub const KNOWN: (PythonMinor, PythonMinor) = (PythonMinor::new(3, 8), PythonMinor::new(3, 13));

/// The versions to compile for: `3.11`, or several with commas between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BytecodeVersions(pub BTreeSet<PythonMinor>);

/// Why a text is no list of versions to compile for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BytecodeVersionError {
    /// Not of the form X.Y.
    #[error("not a Python version of the form X.Y: `{0}`")]
    Form(String),
    /// A version whose code is not known.
    #[error("the bytecode of Python {0} is not known, that of {first} to {last} is", first = KNOWN.0, last = KNOWN.1)]
    Unknown(PythonMinor),
}

impl FromStr for BytecodeVersions {
    type Err = BytecodeVersionError;

    fn from_str(text: &str) -> Result<Self, BytecodeVersionError> {
        let read = |part: &str| {
            let minor: PythonMinor = part.parse().map_err(|_| BytecodeVersionError::Form(part.to_owned()))?;
            if minor < KNOWN.0 || minor > KNOWN.1 { Err(BytecodeVersionError::Unknown(minor)) } else { Ok(minor) }
        };
        text.split(',').map(|part| read(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

/// Where Python looks for the bytecode of the module at `path`; none for what is no module's file.
pub fn bytecode_path(path: &str, python: PythonMinor) -> Option<String> {
    let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
    let stem = name.strip_suffix(".py").filter(|stem| !stem.is_empty())?;
    let separator = if directory.is_empty() { "" } else { "/" };
    Some(format!("{directory}{separator}__pycache__/{stem}.cpython-{}{}.pyc", python.major, python.minor))
}
