//! uv.lock as it stands in the file. Keys that are not known are passed over: a new revision of version 1 may add some.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names::{ExtraName, GroupName, PackageName};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UvLock {
    pub(super) version: u64,
    /// The revision of the version: what is recorded of empty groups and extras depends on it.
    #[serde(default)]
    pub(super) revision: u64,
    pub(super) requires_python: Option<String>,
    /// `[tool.uv] environments`: what it was resolved for, and all that it is for. The file's `resolution-markers` only
    /// tell the forks of the resolution apart.
    #[serde(default)]
    pub(super) supported_markers: Vec<String>,
    /// `[tool.uv] required-environments`: what it had to find wheels for, which restricts nothing.
    #[serde(default)]
    pub(super) required_markers: Vec<String>,
    /// The resolver's.
    #[serde(default)]
    pub(super) options: toml::Table,
    #[serde(default)]
    pub(super) conflicts: Vec<Vec<ConflictItem>>,
    #[serde(default)]
    pub(super) manifest: Manifest,
    #[serde(default)]
    pub(super) package: Vec<PackageTable>,
}

/// The version alone, of a file that is otherwise not known.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) version: toml::Value,
}

/// One of several that exclude each other: an extra, a group, or with neither the package itself.
#[derive(Debug, Deserialize)]
pub(super) struct ConflictItem {
    pub(super) package: PackageName,
    pub(super) extra: Option<ExtraName>,
    pub(super) group: Option<GroupName>,
}

/// What was resolved beside the requirements of packages.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Manifest {
    /// The members of the workspace, where it has several.
    pub(super) members: Vec<PackageName>,
    /// A script's requirements.
    pub(super) requirements: Vec<RequirementTable>,
    /// `[tool.uv] constraint-dependencies`.
    pub(super) constraints: Vec<RequirementTable>,
    /// `[tool.uv] override-dependencies`; not all of them are requirements.
    pub(super) overrides: Vec<toml::Value>,
    /// The groups of a `pyproject.toml` without `[project]`.
    pub(super) dependency_groups: BTreeMap<GroupName, Vec<RequirementTable>>,
}

/// One `[[package]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PackageTable {
    pub(super) name: PackageName,
    pub(super) version: Option<String>,
    pub(super) source: SourceTable,
    #[serde(default)]
    pub(super) resolution_markers: Vec<String>,
    pub(super) sdist: Option<FileTable>,
    #[serde(default)]
    pub(super) wheels: Vec<FileTable>,
    #[serde(default)]
    pub(super) dependencies: Vec<EdgeTable>,
    #[serde(default)]
    pub(super) optional_dependencies: BTreeMap<ExtraName, Vec<EdgeTable>>,
    #[serde(default, alias = "dependency-groups")]
    pub(super) dev_dependencies: BTreeMap<GroupName, Vec<EdgeTable>>,
    pub(super) metadata: Option<MetadataTable>,
    /// `[tool.uv] default-groups`: what a development environment has. Nothing of it is packed unless it is asked for.
    pub(super) default_groups: Option<toml::Value>,
}

/// Where a package comes from: one of them is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub(super) struct SourceTable {
    pub(super) registry: Option<String>,
    pub(super) git: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) directory: Option<String>,
    pub(super) editable: Option<String>,
    pub(super) r#virtual: Option<String>,
    pub(super) subdirectory: Option<String>,
}

/// A wheel or a source distribution.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FileTable {
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) size: Option<u64>,
}

/// What a package, or one of its extras or groups, needs. Version and source stand there where several entries have the
/// name.
#[derive(Debug, Deserialize)]
pub(super) struct EdgeTable {
    pub(super) name: PackageName,
    pub(super) version: Option<String>,
    pub(super) source: Option<SourceTable>,
    #[serde(default)]
    pub(super) extra: Vec<ExtraName>,
    pub(super) marker: Option<String>,
}

/// What a package said that it requires when it was locked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct MetadataTable {
    pub(super) requires_dist: Vec<RequirementTable>,
    pub(super) provides_extras: Vec<ExtraName>,
    #[serde(alias = "dependency-groups")]
    pub(super) requires_dev: BTreeMap<GroupName, Vec<RequirementTable>>,
}

/// A requirement, taken apart.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RequirementTable {
    pub(super) name: PackageName,
    #[serde(default)]
    pub(super) extras: Vec<ExtraName>,
    pub(super) marker: Option<String>,
    pub(super) specifier: Option<String>,
    pub(super) index: Option<String>,
    #[serde(flatten)]
    pub(super) source: SourceTable,
}
