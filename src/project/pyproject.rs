//! `pyproject.toml`: read for how to build, for dependency groups, and for `[tool.pyzpack]`. What the project is called
//! and needs is told by its built wheel, because not every project has a `[project]` table.

use std::path::{Path, PathBuf};

use pyproject_toml::PyProjectToml;

use crate::names::GroupName;
use crate::status::{Explain, Status};
use crate::target::{Requirement, RequirementError};

/// A project's directory and its `pyproject.toml`, where it has one.
#[derive(Debug, Clone)]
pub struct Project {
    /// The directory.
    pub root: PathBuf,
    /// What `pyproject.toml` says of the project; none where there is no such file.
    pub pyproject: Option<PyProjectToml>,
    /// `[tool.pyzpack]`.
    pub settings: toml::Table,
}

/// Why a directory cannot be packed as a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// It has nothing that a build needs.
    #[error("`{0}` is not a Python project: it has no pyproject.toml, setup.py or setup.cfg")]
    NotAProject(String),
    /// What a Pipfile says is pipenv's to lock.
    #[error("`{0}` has a Pipfile, which pipenv locks")]
    Pipfile(String),
    /// A file cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// `pyproject.toml` is not what its specifications say.
    #[error("`{path}` cannot be used: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The group is not there.
    #[error("`{path}` has no dependency group `{group}`{}", .known.as_ref().map(|known| format!(" (it has: {known})")).unwrap_or_default())]
    NoGroup {
        /// The file.
        path: String,
        /// The group.
        group: GroupName,
        /// The groups that it has.
        known: Option<String>,
    },
    /// A group's requirement cannot be read.
    #[error("`{path}`, dependency group `{group}`: {error}")]
    Requirement {
        /// The file.
        path: String,
        /// The group.
        group: GroupName,
        /// What is wrong.
        error: RequirementError,
    },
}

impl Explain for ProjectError {
    fn status(&self) -> Status {
        match self {
            Self::Read { .. } => Status::Machine,
            _ => Status::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Pipfile(_) => Some("run `pipenv lock`, then build".to_owned()),
            Self::NotAProject(_) => Some(
                "run it in a project's directory, or name what to pack: `pyzpack build httpie -c http`, \
                 `pyzpack build -r requirements.txt -e app:main`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl Project {
    /// Reads the project in `root`.
    ///
    /// # Errors
    /// When `root` is no project, or its `pyproject.toml` cannot be read or used.
    pub fn read(root: &Path) -> Result<Self, ProjectError> {
        if !has_packaging_metadata(root) {
            let error = if root.join("Pipfile").is_file() { ProjectError::Pipfile } else { ProjectError::NotAProject };
            return Err(error(root.display().to_string()));
        }
        let path = root.join("pyproject.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { root: root.to_owned(), pyproject: None, settings: toml::Table::new() });
            }
            Err(error) => return Err(ProjectError::Read { path: path.display().to_string(), error }),
        };
        let malformed = |reason: String| ProjectError::Malformed { path: path.display().to_string(), reason };
        let settings = read_settings(&text).map_err(malformed)?;
        check_requirements(&text).map_err(malformed)?;
        let pyproject =
            PyProjectToml::new(&text).map_err(|error| malformed(locate_fault(&text, error.span(), error.message())))?;
        Ok(Self { root: root.to_owned(), pyproject: Some(pyproject), settings })
    }

    /// The names of the dependency groups (PEP 735).
    ///
    /// # Errors
    /// When one is no name.
    pub fn group_names(&self) -> Result<Vec<GroupName>, ProjectError> {
        let groups = self.pyproject.as_ref().and_then(|pyproject| pyproject.dependency_groups.as_ref());
        let parse = |name: &String| {
            let path = self.root.join("pyproject.toml").display().to_string();
            name.parse()
                .map_err(|error: crate::names::NameError| ProjectError::Malformed { path, reason: error.to_string() })
        };
        groups.into_iter().flat_map(|groups| groups.keys()).map(parse).collect()
    }

    /// The requirements of a dependency group (PEP 735), those of the groups that it includes among them.
    ///
    /// # Errors
    /// When there is no such group, or it cannot be read.
    pub fn group(&self, group: &GroupName) -> Result<Vec<Requirement>, ProjectError> {
        let path = || self.root.join("pyproject.toml").display().to_string();
        let resolved = self.pyproject.as_ref().map(PyProjectToml::resolve).transpose();
        let resolved = resolved.map_err(|error| ProjectError::Malformed { path: path(), reason: error.to_string() })?;
        let groups = resolved.map(|resolved| resolved.dependency_groups).unwrap_or_default();
        let found = groups.iter().find(|(name, _)| name.parse().is_ok_and(|name: GroupName| name == *group));
        let Some((_, requirements)) = found else {
            let known: Vec<&str> = groups.keys().map(String::as_str).collect();
            let known = (!known.is_empty()).then(|| known.join(", "));
            return Err(ProjectError::NoGroup { path: path(), group: group.clone(), known });
        };
        let error = |error| ProjectError::Requirement { path: path(), group: group.clone(), error };
        requirements.iter().map(|requirement| requirement.to_string().parse().map_err(error)).collect()
    }
}

/// Whether `root` has what a build backend needs.
pub fn has_packaging_metadata(root: &Path) -> bool {
    let pyproject = || {
        let text = std::fs::read_to_string(root.join("pyproject.toml")).ok()?;
        let Ok(table) = text.parse::<toml::Table>() else { return Some(true) };
        let poetry = table.get("tool").and_then(|tool| tool.get("poetry")).is_some();
        Some(poetry || table.contains_key("project") || table.contains_key("build-system"))
    };
    root.join("setup.py").is_file() || root.join("setup.cfg").is_file() || pyproject().unwrap_or(false)
}

/// `[tool.pyzpack]` of a `pyproject.toml`'s text.
///
/// # Errors
/// When the text is not TOML, or `tool.pyzpack` is not a table.
pub fn read_settings(text: &str) -> Result<toml::Table, String> {
    let document: toml::Table =
        text.parse().map_err(|error: toml::de::Error| locate_fault(text, error.span(), error.message()))?;
    match document.get("tool").and_then(|tool| tool.get("pyzpack")) {
        None => Ok(toml::Table::new()),
        Some(toml::Value::Table(settings)) => Ok(settings.clone()),
        Some(_) => Err("`tool.pyzpack` is not a table".to_owned()),
    }
}

/// Refuses a text that is no requirement. The parser behind `PyProjectToml` panics at some of them (`a-`, `a[b-]`).
fn check_requirements(text: &str) -> Result<(), String> {
    let document: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let table =
        |parent: &toml::Table, key| parent.get(key).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let project = table(&document, "project");
    let build_system = table(&document, "build-system");
    let (extras, groups) = (table(&project, "optional-dependencies"), table(&document, "dependency-groups"));
    let single = [project.get("dependencies"), build_system.get("requires")].into_iter().flatten();
    let lists = single.chain(extras.values()).chain(groups.values()).filter_map(toml::Value::as_array);
    for requirement in lists.flatten().filter_map(toml::Value::as_str) {
        requirement.parse::<Requirement>().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What is wrong with a TOML text, with the line where it is known.
pub(crate) fn locate_fault(text: &str, span: Option<std::ops::Range<usize>>, message: &str) -> String {
    let line = span.and_then(|span| Some(text.get(..span.start)?.matches('\n').count() + 1));
    let message = message.trim().replace('\n', "; ");
    line.map_or(message.clone(), |line| format!("line {line}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_requirement_wherever_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let message = |text: &str| {
            std::fs::write(directory.path().join("pyproject.toml"), text).unwrap();
            let error = Project::read(directory.path()).unwrap_err().to_string();
            error.replace(&directory.path().display().to_string(), "DIR")
        };
        let project = "[project]\nname = \"a\"\nversion = \"1\"\n";
        for requirement in ["a-", "a_ ", "b-;", "b[c-]", "b[c.", "b @"] {
            for place in [
                format!("{project}dependencies = [\"{requirement}\"]"),
                format!("{project}[project.optional-dependencies]\nx = [\"b\", \"{requirement}\"]"),
                format!("[build-system]\nrequires = [\"{requirement}\"]"),
                format!("{project}[dependency-groups]\nx = [{{include-group = \"y\"}}, \"{requirement}\"]\ny = []"),
            ] {
                let expected =
                    format!("`DIR/pyproject.toml` cannot be used: invalid requirement `{requirement}`: expected ");
                assert!(message(&place).starts_with(&expected), "{place}: {}", message(&place));
            }
        }
    }
}
