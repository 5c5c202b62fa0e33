//! How much around a project its build reads: what is copied, so that it finds it.
//!
//! Most builds read their own directory alone, and nothing else of a repository of many is copied. What a project names
//! above itself (`readme = "../README.md"`, a link into a directory beside it) comes along, in its place; and where
//! the version comes from tags, the whole repository, since tools that count from a tag look whether all of it is as it was
//! committed. Nothing outside of the repository, or without one the workspace, is ever taken for a part.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::detect::workspace;
use super::sources::{SourcesError, is_tracked, list_sources};
use crate::names::PackageName;

/// What is copied of a project's surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The smallest directory that holds all of it.
    pub root: PathBuf,
    /// The project's directory in it; empty where it is the root.
    pub project: PathBuf,
    /// What of the root is copied.
    pub part: Part,
}

/// What of a directory is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All, a repository's own directory included.
    Whole,
    /// These files and directories, relative to it.
    Only(BTreeSet<PathBuf>),
}

/// Build requirements that take a version from version control.
const VERSION_TOOLS: [&str; 13] = [
    "dunamai",
    "flit-scm",
    "hatch-vcs",
    "pbr",
    "poetry-dynamic-versioning",
    "setuptools-git",
    "setuptools-git-versioning",
    "setuptools-scm",
    "setuptools-vcs-versioning",
    "uv-dynamic-versioning",
    "vcs-versioning",
    "versioneer",
    "versioningit",
];

/// Tables of `[tool]` that builds read.
const BUILD_TOOLS: [&str; 13] = [
    "flit",
    "hatch",
    "maturin",
    "meson-python",
    "pdm",
    "poetry",
    "poetry-dynamic-versioning",
    "scikit-build",
    "setuptools",
    "setuptools-rust",
    "setuptools_scm",
    "versioneer",
    "versioningit",
];

/// Files beside `pyproject.toml` that say what a build reads.
const BUILD_FILES: [&str; 3] = ["hatch_build.py", "setup.cfg", "setup.py"];

/// How much of what lies around `project` its build reads. `git` is the program, where there is one, and `environment` what
/// it sees.
///
/// # Errors
/// The directory cannot be read.
pub fn find_reach(
    project: &Path,
    git: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Reach, SourcesError> {
    let fail = |source| SourcesError::Copy { tree: project.to_owned(), source };
    let project = fs_err::canonicalize(project).map_err(fail)?;
    let alone = Reach { root: project.clone(), project: PathBuf::new(), part: Part::Whole };
    let repository = project.ancestors().find(|ancestor| ancestor.join(".git").symlink_metadata().is_ok());
    let Some(bounds) = repository.map(Path::to_owned).or_else(|| workspace::find_root(&project)) else {
        return Ok(alone);
    };
    let Ok(below) = project.strip_prefix(&bounds) else { return Ok(alone) };
    if below.as_os_str().is_empty() {
        return Ok(alone);
    }
    let pyproject = std::fs::read_to_string(project.join("pyproject.toml")).unwrap_or_default();
    let pyproject: Table = pyproject.parse().unwrap_or_default();
    // A directory that happens to lie in somebody's repository is no part of it.
    let of_repository = || repository.is_some() && is_tracked(&bounds, below, git, environment);
    if takes_version_from_tags(&project, &pyproject) && of_repository() {
        return Ok(Reach { root: bounds.clone(), project: below.to_owned(), part: Part::Whole });
    }
    let mut named: BTreeSet<PathBuf> = named_above(&project, &pyproject)
        .into_iter()
        .filter_map(|text| resolve(below, Path::new(&text)))
        .filter(|path| !path.starts_with(below) && bounds.join(path).symlink_metadata().is_ok())
        .collect();
    for file in list_sources(&project, git, environment)? {
        let path = project.join(&file);
        let link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let target = path.canonicalize().ok().filter(|target| link && !target.starts_with(&project));
        named.extend(target.and_then(|target| Some(target.strip_prefix(&bounds).ok()?.to_owned())));
    }
    if named.is_empty() {
        return Ok(alone);
    }
    let mut root = below;
    while !named.iter().all(|path| path.starts_with(root)) {
        root = root.parent().unwrap_or(Path::new(""));
    }
    named.insert(below.to_owned());
    let inside = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_owned();
    let parts: BTreeSet<PathBuf> = named
        .iter()
        .filter(|path| named.iter().all(|other| other == *path || !path.starts_with(other)))
        .map(inside)
        .collect();
    let whole = parts.contains(Path::new(""));
    let part = if whole { Part::Whole } else { Part::Only(parts) };
    Ok(Reach { root: bounds.join(root), project: inside(&below.to_owned()), part })
}

fn takes_version_from_tags(project: &Path, pyproject: &Table) -> bool {
    let requires = pyproject.get("build-system").and_then(|table| table.get("requires")).and_then(Value::as_array);
    let named = requires.into_iter().flatten().filter_map(Value::as_str).any(|requirement| {
        let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        let name = requirement[..end.unwrap_or(requirement.len())].parse::<PackageName>();
        name.is_ok_and(|name| VERSION_TOOLS.contains(&name.as_str()))
    });
    let key = |path: &[&str]| {
        let mut value = pyproject.get(*path.first()?)?;
        for name in &path[1..] {
            value = value.get(*name)?;
        }
        value.as_str()
    };
    let by_backend = key(&["tool", "pdm", "version", "source"]) == Some("scm")
        || key(&["tool", "scikit-build", "metadata", "version", "provider"])
            .is_some_and(|provider| provider.ends_with("setuptools_scm"));
    // Named in `setup_requires`, and set there.
    let by_setup = || {
        let text = std::fs::read_to_string(project.join("setup.py")).unwrap_or_default();
        ["use_scm_version", "setuptools_scm", "pbr=True", "versioneer"].iter().any(|sign| text.contains(sign))
    };
    named || by_backend || by_setup()
}

/// Relative paths that go up, of what the project says of its build.
fn named_above(project: &Path, pyproject: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let tools = pyproject.get("tool").and_then(Value::as_table);
    let tables = ["project", "build-system"].iter().filter_map(|name| pyproject.get(*name));
    let tools = BUILD_TOOLS.iter().filter_map(|name| tools?.get(*name));
    let backend = pyproject.get("tool").and_then(|tool| tool.get("uv")?.get("build-backend"));
    for value in tables.chain(tools).chain(backend) {
        collect_strings(value, &mut found);
    }
    for name in BUILD_FILES {
        let text = std::fs::read_to_string(project.join(name)).unwrap_or_default();
        // setup.cfg has its paths without quotes.
        found.extend(text.split(['"', '\'', '=', ',', '\n', ' ', '\t']).map(str::to_owned));
    }
    found.retain(|text| text == ".." || text.starts_with("../"));
    found
}

fn collect_strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, found)),
        Value::Table(table) => {
            for (key, value) in table {
                // `[tool.hatch.build.targets.wheel.force-include]` has paths as keys.
                found.push(key.clone());
                collect_strings(value, found);
            }
        }
        _ => {}
    }
}

/// The path that `text` names from `directory`, both relative to one root; none where it leaves that. A glob means the
/// directory that it begins in.
fn resolve(directory: &Path, text: &Path) -> Option<PathBuf> {
    let mut path = directory.to_owned();
    for component in text.components() {
        match component {
            Component::Normal(name) if name.as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte)) => break,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}
