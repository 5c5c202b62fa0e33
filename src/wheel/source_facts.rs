//! What a source says of itself before anything of it runs: what it is built with, its name, its version.

use std::io;
use std::path::Path;

use pep440_rs::Version;
use serde::Deserialize;

use super::build::Known;
use super::build_error::BuildError;
use super::metadata::Headers;
use crate::names::PackageName;

/// `[build-system]` of pyproject.toml (PEP 518).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct BuildSystem {
    pub(super) requires: Vec<String>,
    #[serde(default = "legacy_backend")]
    pub(super) build_backend: String,
    pub(super) backend_path: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pyproject {
    build_system: Option<BuildSystem>,
}

/// What a project without `[build-system]` is built with (PEP 517).
const LEGACY_BACKEND: &str = "setuptools.build_meta:__legacy__";
const LEGACY_REQUIRES: &str = "setuptools>=40.8.0";

fn legacy_backend() -> String {
    LEGACY_BACKEND.to_owned()
}

impl BuildSystem {
    pub(super) fn read(project: &Path, label: &str) -> Result<Self, BuildError> {
        let legacy =
            || Self { requires: vec![LEGACY_REQUIRES.to_owned()], build_backend: legacy_backend(), backend_path: None };
        let fail = |reason: String| BuildError::Pyproject { label: label.to_owned(), reason };
        match fs_err::read_to_string(project.join("pyproject.toml")) {
            Ok(text) => {
                let read: Pyproject = toml::from_str(&text).map_err(|error| fail(error.message().to_owned()))?;
                Ok(read.build_system.unwrap_or_else(legacy))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let buildable = ["setup.py", "setup.cfg"].iter().any(|name| project.join(name).is_file());
                if buildable { Ok(legacy()) } else { Err(BuildError::NoProject { label: label.to_owned() }) }
            }
            Err(error) => Err(fail(error.to_string())),
        }
    }
}

/// Name and version of a distribution that is not built yet, where something tells them without running it.
pub(super) struct Identity {
    pub(super) name: Option<PackageName>,
    pub(super) version: Option<Version>,
}

impl Identity {
    /// What is known, else what pyproject.toml and the PKG-INFO of a source distribution say. Of pyproject.toml the
    /// version does not count: a directory has the same build requirements whatever its version.
    pub(super) fn read(project: &Path, known: Known<'_>) -> Self {
        #[derive(Deserialize)]
        struct Named {
            name: Option<String>,
        }
        #[derive(Deserialize)]
        struct Tool {
            poetry: Option<Named>,
        }
        #[derive(Deserialize)]
        struct Pyproject {
            project: Option<Named>,
            tool: Option<Tool>,
        }
        let pyproject = || {
            let text = fs_err::read_to_string(project.join("pyproject.toml")).ok()?;
            let read: Pyproject = toml::from_str(&text).ok()?;
            read.project.and_then(|project| project.name).or_else(|| read.tool?.poetry?.name)?.parse().ok()
        };
        let headers = fs_err::read(project.join("PKG-INFO")).ok().and_then(|text| Headers::parse(&text).ok());
        let header = |field| headers.as_ref().and_then(|headers| headers.all(field).next());
        let name = known.name.cloned().or_else(pyproject);
        let version = known.version.or_else(|| header("Version"));
        Self {
            name: name.or_else(|| header("Name").and_then(|name| name.parse().ok())),
            version: version.and_then(|version| version.parse().ok()),
        }
    }
}
