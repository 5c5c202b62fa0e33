//! `entry_points.txt` (entry points specification): which objects a distribution offers under which names.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A reference to an object: `module.path:attribute.path`, or a module alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectReference {
    /// The dotted name of the module.
    pub module: String,
    /// The dotted path of the object within the module; none for the module itself.
    pub attribute: Option<String>,
}

/// Why a text is not an object reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an object reference (`module` or `module:object`): `{0}`")]
pub struct ObjectReferenceError(String);

impl FromStr for ObjectReference {
    type Err = ObjectReferenceError;

    fn from_str(text: &str) -> Result<Self, ObjectReferenceError> {
        // Extras behind the object are deprecated and ignored by installers.
        let bare = text.split_once('[').map_or(text, |(bare, _)| bare).trim();
        let (module, attribute) = match bare.split_once(':') {
            Some((module, attribute)) => (module.trim(), Some(attribute.trim())),
            None => (bare, None),
        };
        let dotted = |path: &str| path.split('.').all(is_identifier);
        if dotted(module) && attribute.is_none_or(dotted) {
            Ok(Self { module: module.to_owned(), attribute: attribute.map(str::to_owned) })
        } else {
            Err(ObjectReferenceError(text.to_owned()))
        }
    }
}

/// Whether `text` can be a Python identifier; what Unicode adds is taken by its general classes.
fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_numeric())
        && text.chars().all(|character| character.is_alphanumeric() || character == '_')
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.module)?;
        self.attribute.iter().try_for_each(|attribute| write!(formatter, ":{attribute}"))
    }
}

impl TryFrom<String> for ObjectReference {
    type Error = ObjectReferenceError;

    fn try_from(text: String) -> Result<Self, ObjectReferenceError> {
        text.parse()
    }
}

impl From<ObjectReference> for String {
    fn from(reference: ObjectReference) -> Self {
        reference.to_string()
    }
}

/// Why an `entry_points.txt` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryPointsError {
    /// Not UTF-8, or neither a section, a comment nor `name = object`.
    #[error("line {0} is malformed")]
    Line(usize),
    /// The same name twice in one group.
    #[error("`{0}` occurs twice in one group")]
    Repeated(String),
    /// A script whose name could not be a file's, or that would stand before the interpreter on a PATH.
    #[error("the script name `{0}` is refused")]
    ScriptName(String),
    /// A script that names no object.
    #[error("the script `{name}`: {error}")]
    Script {
        /// The script.
        name: String,
        /// What it names instead.
        error: ObjectReferenceError,
    },
}

/// The scripts of a distribution, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryPoints {
    /// Scripts that run in a terminal.
    pub console_scripts: BTreeMap<String, ObjectReference>,
    /// Scripts that bring their own window.
    pub gui_scripts: BTreeMap<String, ObjectReference>,
}

impl EntryPoints {
    /// Reads an `entry_points.txt`.
    ///
    /// # Errors
    /// When a line is malformed, a name repeated, or a script's name or object refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryPointsError> {
        let text = std::str::from_utf8(bytes).map_err(|_| EntryPointsError::Line(1))?;
        let mut entry_points = Self::default();
        let mut group: Option<&str> = None;
        for (index, line) in text.lines().enumerate() {
            let malformed = EntryPointsError::Line(index + 1);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[') {
                group = Some(section.strip_suffix(']').ok_or(malformed)?.trim());
                continue;
            }
            let (name, object) = line.split_once('=').ok_or_else(|| malformed.clone())?;
            let scripts = match group.ok_or(malformed)? {
                "console_scripts" => &mut entry_points.console_scripts,
                "gui_scripts" => &mut entry_points.gui_scripts,
                _ => continue,
            };
            let name = name.trim();
            if !is_script_name(name) {
                return Err(EntryPointsError::ScriptName(name.to_owned()));
            }
            let object = object.trim().parse().and_then(|reference: ObjectReference| {
                let complete = reference.attribute.is_some();
                if complete { Ok(reference) } else { Err(ObjectReferenceError(object.trim().to_owned())) }
            });
            let object = object.map_err(|error| EntryPointsError::Script { name: name.to_owned(), error })?;
            if scripts.insert(name.to_owned(), object).is_some() {
                return Err(EntryPointsError::Repeated(name.to_owned()));
            }
        }
        Ok(entry_points)
    }
}

/// Letters, digits, `_`, `.` and `-`, and not the interpreter's own names.
pub(crate) fn is_script_name(name: &str) -> bool {
    let letters = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '-');
    let interpreter = match name.strip_prefix("python") {
        Some("" | "w" | "3") => true,
        Some(rest) => rest
            .strip_prefix("3.")
            .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())),
        None => false,
    };
    !name.is_empty() && name.chars().all(letters) && !name.chars().all(|character| character == '.') && !interpreter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_scripts_and_passes_over_other_groups() {
        let entry_points = EntryPoints::parse(
            b"# comment\n[console_scripts]\na = m.n:main\npython-argcomplete-check = x:y.z [extra]\n\n[gui_scripts]\n\
              g=m:gui\n[mkdocs.themes]\nmaterial/search = material.plugins.search\n",
        )
        .unwrap();
        let listed = |scripts: &BTreeMap<String, ObjectReference>| {
            scripts.iter().map(|(name, object)| format!("{name}={object}")).collect::<Vec<_>>()
        };
        assert_eq!(listed(&entry_points.console_scripts), ["a=m.n:main", "python-argcomplete-check=x:y.z"]);
        assert_eq!(listed(&entry_points.gui_scripts), ["g=m:gui"]);
    }

    #[test]
    fn refuses_names_that_would_pass_for_the_interpreter_or_leave_the_directory() {
        for name in ["python", "pythonw", "python3", "python3.12", "a/b", "..", "a b", "a$"] {
            let text = format!("[console_scripts]\n{name} = m:f\n");
            assert_eq!(EntryPoints::parse(text.as_bytes()), Err(EntryPointsError::ScriptName(name.to_owned())));
        }
        for name in ["python4", "python3-config", "python3.", "pythonista", "3to2", "été"] {
            assert!(is_script_name(name), "{name}");
        }
    }

    #[test]
    fn refuses_what_is_malformed() {
        for (text, message) in [
            ("a = m:f\n", "line 1 is malformed"),
            ("[console_scripts]\na\n", "line 2 is malformed"),
            ("[console_scripts\n", "line 1 is malformed"),
            ("[console_scripts]\na = m:f\na = m:g\n", "`a` occurs twice in one group"),
            (
                "[console_scripts]\na = m\n",
                "the script `a`: not an object reference (`module` or `module:object`): `m`",
            ),
            (
                "[console_scripts]\na = m:f()\n",
                "the script `a`: not an object reference (`module` or `module:object`): `m:f()`",
            ),
        ] {
            assert_eq!(EntryPoints::parse(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }
}
