//! Which interpreter to use: the one that was asked for, else `python3` on PATH, else the newest there that fits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use super::interpreter::{Interpreter, ProbeError};
use super::pyenv;
use crate::status::{Explain, Status};
use crate::target::{PythonMinor, Threading};

/// What `--python` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonRequest {
    /// A version: `3`, `3.12`, `3.12.4`, `3.13t`.
    Version(VersionRequest),
    /// An interpreter, or the root of a venv.
    Path(PathBuf),
}

/// A version, as precise as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRequest {
    major: u8,
    minor: Option<u8>,
    patch: Option<u8>,
    threading: Option<Threading>,
}

/// Why a text is neither a version nor a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Python version or a path: `{0}`")]
pub struct PythonRequestError(String);

/// Why there is no interpreter to use.
#[derive(Debug, thiserror::Error)]
#[error("no {wanted} was found{}", lines(looked_at))]
pub struct FindError {
    /// What was wanted, in words.
    pub wanted: String,
    /// What was looked at, in that order, and why each did not fit.
    pub looked_at: Vec<LookedAt>,
}

/// An interpreter that did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedAt {
    /// Where it is.
    pub path: PathBuf,
    /// Why it did not fit.
    pub reason: String,
}

impl Explain for FindError {
    fn status(&self) -> Status {
        Status::Machine
    }

    fn hint(&self) -> Option<String> {
        Some("install such a Python, or name one with --python PATH".to_owned())
    }
}

impl Explain for PythonRequestError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write a version such as 3.12, or a path such as ./venv/bin/python".to_owned())
    }
}

/// What was looked at, a line each.
pub(crate) fn lines(looked_at: &[LookedAt]) -> String {
    let lines = looked_at.iter().map(|LookedAt { path, reason }| format!("\n  {}: {reason}", path.display()));
    lines.collect::<Vec<_>>().concat()
}

impl FromStr for PythonRequest {
    type Err = PythonRequestError;

    /// Anything with a path separator is a path; all else must be a version.
    fn from_str(text: &str) -> Result<Self, PythonRequestError> {
        if text.contains(std::path::is_separator) {
            return Ok(Self::Path(text.into()));
        }
        parse_version(text).map(Self::Version).ok_or_else(|| PythonRequestError(text.to_owned()))
    }
}

fn parse_version(text: &str) -> Option<VersionRequest> {
    let (numbers, threading) = match text.strip_suffix('t') {
        Some(numbers) => (numbers, Some(Threading::Free)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    let numbers: Vec<u8> = numbers.split('.').map(digits).collect::<Option<_>>()?;
    let (major, minor, patch) = match *numbers.as_slice() {
        [major] if threading.is_none() => (major, None, None),
        [major, minor] => (major, Some(minor), None),
        [major, minor, patch] => (major, Some(minor), Some(patch)),
        _ => return None,
    };
    Some(VersionRequest { major, minor, patch, threading })
}

impl VersionRequest {
    /// The release build of this minor version that has the lock.
    pub fn of_minor(python: PythonMinor) -> Self {
        Self { major: python.major, minor: Some(python.minor), patch: None, threading: Some(Threading::Locked) }
    }

    /// Whether this is such an interpreter.
    pub fn is(self, interpreter: &Interpreter) -> bool {
        let python = interpreter.target.python;
        let text = self.numbers();
        let full = interpreter.full_version.as_str();
        python.major == self.major
            && self.minor.is_none_or(|minor| minor == python.minor)
            && (self.patch.is_none()
                || full.strip_prefix(&text).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())))
            && self.threading.is_none_or(|threading| threading == interpreter.target.abi.threading)
    }

    /// The version without the mark of free threading.
    fn numbers(self) -> String {
        let parts = [Some(self.major), self.minor, self.patch].into_iter().flatten();
        parts.map(|number| number.to_string()).collect::<Vec<_>>().join(".")
    }

    /// Names that such an interpreter may have, the most telling first.
    fn commands(self) -> Vec<String> {
        let major = self.major;
        let mark = if self.threading == Some(Threading::Free) { "t" } else { "" };
        let precise = self.minor.map(|minor| format!("python{major}.{minor}{mark}"));
        precise.into_iter().chain([format!("python{major}"), "python".to_owned()]).collect()
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.threading == Some(Threading::Free) { "t" } else { "" };
        write!(formatter, "{}{mark}", self.numbers())
    }
}

/// Finds the interpreter to use, by running as few as possible, each in `environment`.
///
/// Without a request `python3` on `search_path` if it satisfies `requires`, else the newest `python3.N` there that does.
/// A version is looked for on `search_path` too. Where a directory of pyenv's shims is on the path, its installed
/// versions come last: a shim runs only what pyenv has switched on.
///
/// # Errors
/// Nothing fits; the error lists what was looked at.
pub fn find(
    request: Option<&PythonRequest>,
    search_path: &[PathBuf],
    requires: Option<&VersionSpecifiers>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Interpreter, FindError> {
    let mut search = Search { environment, requires, version: None, looked_at: Vec::new() };
    let found = match request {
        Some(PythonRequest::Path(path)) => search.first_of([executable_in(path)]),
        Some(PythonRequest::Version(version)) => {
            search.version = Some(*version);
            let named: Vec<PathBuf> =
                version.commands().iter().filter_map(|name| on_path(search_path, name).next()).collect();
            search
                .first_of(named)
                .or_else(|| search.first_of(pyenv::installed(search_path, |found| version_matches(*version, found))))
        }
        None => {
            let newest = numbered(search_path);
            search
                .first_of(on_path(search_path, "python3").take(1))
                .or_else(|| {
                    search.first_of(
                        newest.into_iter().filter(|(python, _)| may_fit(*python, requires)).map(|(_, path)| path),
                    )
                })
                .or_else(|| search.first_of(pyenv::installed(search_path, |found| may_fit(found.0, requires))))
        }
    };
    found.ok_or_else(|| {
        let needs = requires.map(|specifiers| format!(" that satisfies {specifiers}")).unwrap_or_default();
        let wanted = match request {
            Some(PythonRequest::Version(version)) => format!("Python {version}{needs}"),
            Some(PythonRequest::Path(_)) => format!("usable Python{needs}"),
            None => format!("Python{needs}"),
        };
        FindError { wanted, looked_at: search.looked_at }
    })
}

struct Search<'a> {
    environment: &'a BTreeMap<OsString, OsString>,
    requires: Option<&'a VersionSpecifiers>,
    version: Option<VersionRequest>,
    looked_at: Vec<LookedAt>,
}

impl Search<'_> {
    /// The first that fits; the others are noted.
    fn first_of(&mut self, paths: impl IntoIterator<Item = PathBuf>) -> Option<Interpreter> {
        for path in paths {
            if self.looked_at.iter().any(|seen| seen.path == path) {
                continue;
            }
            let program = pyenv::behind_shim(&path, self.environment).unwrap_or_else(|| path.clone());
            match Interpreter::probe(&program, self.environment) {
                Ok(interpreter) => match self.refuse(&interpreter) {
                    None => return Some(interpreter),
                    Some(reason) => self.looked_at.push(LookedAt { path, reason }),
                },
                Err(error) => self.looked_at.push(LookedAt { path, reason: reason(&error) }),
            }
        }
        None
    }

    fn refuse(&self, interpreter: &Interpreter) -> Option<String> {
        let found = format!("Python {}", interpreter.full_version);
        if self.version.is_some_and(|version| !version.is(interpreter)) {
            return Some(found);
        }
        let requires = self.requires.filter(|specifiers| !interpreter.target.satisfies(specifiers))?;
        Some(format!("{found}, which does not satisfy {requires}"))
    }
}

/// What is wrong, without the path, which stands before it.
fn reason(error: &ProbeError) -> String {
    match error {
        ProbeError::Run { source, .. } => format!("cannot be run: {source}"),
        ProbeError::Failed { message, .. } => message.clone(),
        ProbeError::Answer { .. } => "does not answer as a Python interpreter".to_owned(),
        ProbeError::Unsupported { found, .. } => format!("{found}; CPython 3.8 or newer is needed"),
        ProbeError::System { system, .. } => format!("runs on `{system}`, for which no wheel tags are known"),
    }
}

/// Whether a Python of that minor version can satisfy `requires` at all.
fn may_fit(python: PythonMinor, requires: Option<&VersionSpecifiers>) -> bool {
    python >= PythonMinor::OLDEST && requires.is_none_or(|specifiers| python.satisfies(specifiers))
}

/// The interpreter of a venv whose root was given, else the path itself.
fn executable_in(path: &Path) -> PathBuf {
    let inside = [path.join("bin/python3"), path.join("bin/python"), path.join("Scripts/python.exe")];
    inside.into_iter().find(|candidate| candidate.is_file()).unwrap_or_else(|| path.to_owned())
}

/// The executables of that name, in the path's order.
fn on_path(search_path: &[PathBuf], name: &str) -> impl Iterator<Item = PathBuf> {
    let file_name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    search_path.iter().map(move |directory| directory.join(&file_name)).filter(|path| is_executable(path))
}

/// Every `python3.N` on the path, the newest first, in the path's order among equals.
fn numbered(search_path: &[PathBuf]) -> Vec<(PythonMinor, PathBuf)> {
    let mut found: Vec<(PythonMinor, PathBuf)> = Vec::new();
    for directory in search_path {
        let Ok(entries) = directory.read_dir() else { continue };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let minor =
                name.to_str().map(|name| name.trim_end_matches(".exe")).and_then(|name| name.strip_prefix("python"));
            if let Some(python) = minor.and_then(|text| text.parse::<PythonMinor>().ok())
                && is_executable(&entry.path())
            {
                found.push((python, entry.path()));
            }
        }
    }
    found.sort_by_key(|(python, _)| std::cmp::Reverse(*python));
    found
}

fn version_matches(request: VersionRequest, (python, name): &pyenv::Installed) -> bool {
    python.major == request.major
        && request.minor.is_none_or(|minor| minor == python.minor)
        && (request.patch.is_none() || name.trim_end_matches('t') == request.numbers())
}

#[cfg(unix)]
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_versions_from_paths() {
        for text in ["3", "3.12", "3.12.4", "3.13t", "3.14.0t"] {
            let Ok(PythonRequest::Version(version)) = text.parse() else { panic!("{text}") };
            assert_eq!(version.to_string(), text);
        }
        for text in ["./python", "/usr/bin/python3", "venv/"] {
            assert_eq!(text.parse(), Ok(PythonRequest::Path(text.into())));
        }
    }

    #[test]
    fn refuses_what_is_neither() {
        for text in ["", "python3.12", "3.", "3.x", "3t", "3.12.1.2", "999", ">=3.8", "-3.8"] {
            let error = text.parse::<PythonRequest>().unwrap_err();
            assert_eq!(error.to_string(), format!("not a Python version or a path: `{text}`"));
            assert_eq!(error.status(), Status::Usage);
        }
    }
}
