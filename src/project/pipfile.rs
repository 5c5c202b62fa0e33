//! Pipfiles, as far as they say what is needed: `[packages]`, to be compared with a lock that another tool made.

use std::path::Path;

use super::requirements::{HashedRequirement, RequirementsFile};
use crate::status::{Explain, Status};
use crate::target::{Requirement, RequirementError};

/// Keys of a package that stand for a marker each: `sys_platform = "== 'win32'"` (pipenv, `PipenvMarkers`).
pub(crate) const MARKER_KEYS: [&str; 11] = [
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_version",
    "python_full_version",
    "implementation_name",
    "implementation_version",
];

/// Why a Pipfile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PipfileError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or `[packages]` no table.
    #[error("`{path}` cannot be used: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A package cannot be read.
    #[error("`{path}`, {package}: {error}")]
    Requirement {
        /// The file.
        path: String,
        /// The package.
        package: String,
        /// What is wrong.
        error: RequirementError,
    },
}

impl Explain for PipfileError {
    fn status(&self) -> Status {
        Status::Usage
    }
}

/// The requirements of a Pipfile's `[packages]`: name, version and marker. Of what comes from a repository, a file or a
/// directory the name alone.
///
/// # Errors
/// [`PipfileError`].
pub fn read_pipfile(path: &Path) -> Result<RequirementsFile, PipfileError> {
    let shown = || path.display().to_string();
    let malformed = |reason: String| PipfileError::Malformed { path: shown(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| PipfileError::Read { path: shown(), error })?;
    let pipfile: toml::Table =
        text.parse().map_err(|error: toml::de::Error| malformed(error.message().trim().to_owned()))?;
    let mut file = RequirementsFile::default();
    let packages = match pipfile.get("packages") {
        None => return Ok(file),
        Some(toml::Value::Table(packages)) => packages,
        Some(_) => return Err(malformed("`packages` is no table".to_owned())),
    };
    for (name, package) in packages {
        let requirement: Requirement = requirement_text(name, package).parse().map_err(|error| {
            let package = name.clone();
            PipfileError::Requirement { path: shown(), package, error }
        })?;
        file.requirements.push(HashedRequirement { requirement, hashes: Vec::new() });
    }
    Ok(file)
}

/// A package as a requirement (PEP 508).
fn requirement_text(name: &str, package: &toml::Value) -> String {
    let field = |key: &str| package.get(key).and_then(toml::Value::as_str);
    let version = package.as_str().or_else(|| field("version")).unwrap_or("*").trim();
    let version = match version.chars().next() {
        None | Some('*') => String::new(),
        // pipenv takes a bare version as an exact one.
        Some(first) if first.is_ascii_digit() => format!("=={version}"),
        Some(_) => version.to_owned(),
    };
    let shorthand = MARKER_KEYS.iter().filter_map(|key| Some(format!("({key} {})", field(key)?)));
    let markers: Vec<String> = field("markers").map(|text| format!("({text})")).into_iter().chain(shorthand).collect();
    let separator = if markers.is_empty() { "" } else { "; " };
    format!("{name}{version}{separator}{}", markers.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("Pipfile");
        std::fs::write(&path, text).unwrap();
        let file = read_pipfile(&path)
            .map_err(|error| error.to_string().replace(&place.path().display().to_string(), "DIR"))?;
        Ok(file.requirements.iter().map(|one| one.requirement.to_string()).collect())
    }

    #[test]
    fn reads_packages_as_requirements() {
        let text = "[packages]\nA = \"*\"\nb = \">=1,<2\"\nc = \"1.5\"\nd = {version = \"~=2.0\", extras = [\"x\"], \
                    markers = \"os_name == 'nt' or os_name == 'x'\", python_version = \"< '3.9'\"}\n\
                    e = {git = \"https://git.example/e\", ref = \"main\"}\n[dev-packages]\nf = \"*\"\n";
        let marker = "(os_name == \"nt\" or os_name == \"x\") and python_version < \"3.9\"";
        let expected = ["a", "b<2,>=1", "c==1.5", &format!("d~=2.0; {marker}"), "e"].map(str::to_owned);
        assert_eq!(read(text), Ok(expected.to_vec()));
        assert_eq!(read(""), Ok(Vec::new()));
    }

    #[test]
    fn names_the_package_that_it_cannot_read() {
        let message =
            "`DIR/Pipfile`, a: invalid requirement `a>=`: expected a version specifier (PEP 440) at character 2";
        assert_eq!(read("[packages]\na = \">=\"\n"), Err(message.to_owned()));
        assert_eq!(read("packages = 1"), Err("`DIR/Pipfile` cannot be used: `packages` is no table".to_owned()));
        assert!(read("[").unwrap_err().starts_with("`DIR/Pipfile` cannot be used: "));
    }
}
