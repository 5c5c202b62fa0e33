//! Requirements as they are compared: those of a `pyproject.toml` with what its sources make of them, and those that a
//! lock recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use pep440_rs::{VersionSpecifier, VersionSpecifiers};
use toml::{Table, Value};

use super::equivalent::are_equivalent;
use super::source::without_dots;
use super::wire::RequirementTable;
use crate::names::{ExtraName, PackageName};
use crate::redact::redact_url;
use crate::target::{Marker, Requirement, RequirementSource};
use crate::urls;

/// A requirement, and where its distribution is to come from.
pub(super) struct Required {
    pub(super) name: PackageName,
    extras: BTreeSet<ExtraName>,
    origin: Origin,
    marker: Option<Marker>,
}

enum Origin {
    /// Any version that fits, from a certain index where there is one.
    Versions {
        specifiers: Vec<VersionSpecifier>,
        index: Option<String>,
    },
    /// Repository; tag, branch or revision; subdirectory.
    Git {
        url: String,
        reference: Option<String>,
        subdirectory: Option<String>,
    },
    Url {
        url: String,
        subdirectory: Option<String>,
    },
    File(PathBuf),
    /// Whether it is editable is not said of a directory that has nothing to install.
    Directory {
        path: PathBuf,
        editable: Option<bool>,
    },
}

/// `[tool.uv.sources]` of a project and of its workspace, each with the directory that paths in it start from.
pub(super) struct Sources {
    by_name: BTreeMap<PackageName, (PathBuf, Value)>,
    /// `[[tool.uv.index]]`: URLs by name.
    indexes: BTreeMap<String, String>,
    /// The directories of packages in the lock.
    pub(super) local: BTreeMap<PackageName, PathBuf>,
}

impl Sources {
    /// Of several documents, the later count more.
    pub(super) fn read(documents: &[(&Path, &Table)], local: BTreeMap<PackageName, PathBuf>) -> Self {
        let mut sources = Self { by_name: BTreeMap::new(), indexes: BTreeMap::new(), local };
        for (directory, document) in documents {
            let Some(uv) = document.get("tool").and_then(|tool| tool.get("uv")) else { continue };
            for (name, source) in uv.get("sources").and_then(Value::as_table).into_iter().flatten() {
                let Ok(name) = name.parse() else { continue };
                sources.by_name.insert(name, ((*directory).to_owned(), source.clone()));
            }
            for index in uv.get("index").and_then(Value::as_array).into_iter().flatten() {
                let text = |key| index.get(key).and_then(Value::as_str);
                if let (Some(name), Some(url)) = (text("name"), text("url")) {
                    sources.indexes.insert(name.to_owned(), url.to_owned());
                }
            }
        }
        sources
    }

    /// Whether this name comes from different places in different environments: what uv makes of that is not followed.
    pub(super) fn is_conditional(&self, name: &PackageName) -> bool {
        self.by_name.get(name).is_some_and(|(_, source)| match source {
            Value::Table(table) => ["marker", "extra", "group"].iter().any(|key| table.contains_key(*key)),
            _ => true,
        })
    }

    /// The requirement, from where the sources say; with a marker beside its own. None where that cannot be told.
    pub(super) fn apply(&self, requirement: &Requirement, marker: Option<Marker>) -> Option<Required> {
        let origin = match &requirement.source {
            RequirementSource::Url(url) => of_direct_url(url.with_credentials())?,
            RequirementSource::Versions(specifiers) => match self.by_name.get(&requirement.name) {
                Some((directory, source)) => self.of_source(&requirement.name, directory, source, specifiers)?,
                None => Origin::Versions { specifiers: specifiers.iter().cloned().collect(), index: None },
            },
        };
        let (name, extras) = (requirement.name.clone(), requirement.extras.clone());
        Some(Required { name, extras, origin, marker })
    }

    fn of_source(
        &self,
        name: &PackageName,
        directory: &Path,
        source: &Value,
        specifiers: &VersionSpecifiers,
    ) -> Option<Origin> {
        let text = |key| source.get(key).and_then(Value::as_str);
        let editable = source.get("editable").and_then(Value::as_bool);
        let subdirectory = || text("subdirectory").map(str::to_owned);
        if let Some(url) = text("git") {
            let reference = ["tag", "branch", "rev"].iter().find_map(|key| Some(format!("{key}={}", text(key)?)));
            return Some(Origin::Git { url: plain_url(url), reference, subdirectory: subdirectory() });
        }
        if let Some(url) = text("url") {
            return Some(Origin::Url { url: plain_url(url), subdirectory: subdirectory() });
        }
        if let Some(path) = text("path") {
            return Some(of_path(&directory.join(path), Some(editable.unwrap_or(false))));
        }
        if let Some(index) = text("index") {
            let index = Some(index_key(self.indexes.get(index)?));
            return Some(Origin::Versions { specifiers: specifiers.iter().cloned().collect(), index });
        }
        if source.get("workspace").and_then(Value::as_bool) == Some(true) {
            let path = self.local.get(name)?.clone();
            return Some(Origin::Directory { path, editable: Some(editable.unwrap_or(true)) });
        }
        None
    }
}

impl Required {
    /// What the lock recorded; paths in it start from `directory`. None where it cannot be read.
    pub(super) fn recorded(table: &RequirementTable, directory: &Path) -> Option<Self> {
        let source = &table.source;
        let place = |path: &String| without_dots(&directory.join(path));
        let origin = if let Some(git) = &source.git {
            let (url, query) = git.split_once('?').unwrap_or((git, ""));
            let (mut reference, mut subdirectory) = (None, None);
            for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
                let value = String::from_utf8(urls::percent_decode(&value.replace('+', " "))).ok()?;
                match key {
                    "tag" | "branch" | "rev" => reference = Some(format!("{key}={value}")),
                    "subdirectory" => subdirectory = Some(value),
                    _ => {}
                }
            }
            Origin::Git { url: plain_url(url), reference, subdirectory }
        } else if let Some(url) = &source.url {
            Origin::Url { url: plain_url(url), subdirectory: source.subdirectory.clone() }
        } else if let Some(path) = &source.path {
            Origin::File(place(path))
        } else if let Some(path) = &source.editable {
            Origin::Directory { path: place(path), editable: Some(true) }
        } else if let Some(path) = &source.directory {
            Origin::Directory { path: place(path), editable: Some(false) }
        } else if let Some(path) = &source.r#virtual {
            Origin::Directory { path: place(path), editable: None }
        } else {
            let specifiers: VersionSpecifiers = table.specifier.as_deref().unwrap_or("").parse().ok()?;
            let index = table.index.as_deref().map(index_key);
            Origin::Versions { specifiers: specifiers.iter().cloned().collect(), index }
        };
        let marker = table.marker.as_deref().map(str::parse).transpose().ok()?;
        Some(Self { name: table.name.clone(), extras: table.extras.iter().cloned().collect(), origin, marker })
    }

    /// Whether both ask for the same.
    pub(super) fn is_same(&self, other: &Self, requires_python: Option<&VersionSpecifiers>) -> bool {
        self.name == other.name
            && self.extras == other.extras
            && self.origin.is_same(&other.origin)
            && are_equivalent(self.marker.as_ref(), other.marker.as_ref(), requires_python)
    }
}

impl Origin {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Versions { specifiers: one, index: one_index },
                Self::Versions { specifiers: other, index: other_index },
            ) => {
                one_index == other_index
                    && one.iter().all(|specifier| other.contains(specifier))
                    && other.iter().all(|specifier| one.contains(specifier))
            }
            (
                Self::Git { url: one, reference: one_reference, subdirectory: one_subdirectory },
                Self::Git { url: other, reference: other_reference, subdirectory: other_subdirectory },
            ) => one == other && one_reference == other_reference && one_subdirectory == other_subdirectory,
            (
                Self::Url { url: one, subdirectory: one_subdirectory },
                Self::Url { url: other, subdirectory: other_subdirectory },
            ) => one == other && one_subdirectory == other_subdirectory,
            (Self::File(one), Self::File(other)) => one == other,
            (
                Self::Directory { path: one, editable: one_editable },
                Self::Directory { path: other, editable: other_editable },
            ) => one == other && (one_editable.is_none() || other_editable.is_none() || one_editable == other_editable),
            _ => false,
        }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, extras, origin, marker } = self;
        write!(formatter, "{name}")?;
        if !extras.is_empty() {
            write!(formatter, "[{}]", extras.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))?;
        }
        match origin {
            Origin::Versions { specifiers, index } => {
                let texts: BTreeSet<String> = specifiers.iter().map(ToString::to_string).collect();
                write!(formatter, "{}", texts.into_iter().collect::<Vec<_>>().join(","))?;
                match index.as_deref() {
                    Some("") => write!(formatter, " from a local index")?,
                    Some(index) => write!(formatter, " from {}", redact_url(index))?,
                    None => {}
                }
            }
            Origin::Git { url, reference, subdirectory } => {
                write!(formatter, " @ git+{}", redact_url(url))?;
                let parts = [reference.clone(), subdirectory.as_ref().map(|path| format!("subdirectory={path}"))];
                for (index, part) in parts.into_iter().flatten().enumerate() {
                    write!(formatter, "{}{part}", if index == 0 { '?' } else { '&' })?;
                }
            }
            Origin::Url { url, subdirectory } => {
                write!(formatter, " @ {}", redact_url(url))?;
                if let Some(path) = subdirectory {
                    write!(formatter, "#subdirectory={path}")?;
                }
            }
            Origin::File(path) => write!(formatter, " @ {}", last(path))?,
            Origin::Directory { path, editable } => {
                write!(formatter, " @ {}{}", last(path), if *editable == Some(true) { " (editable)" } else { "" })?;
            }
        }
        marker.as_ref().map_or(Ok(()), |marker| write!(formatter, "; {marker}"))
    }
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// `https://...`, `git+https://...@REV#subdirectory=DIR`, `file:///...`.
fn of_direct_url(url: &str) -> Option<Origin> {
    let (bare, fragment) = url.split_once('#').unwrap_or((url, ""));
    let subdirectory = fragment.split('&').find_map(|part| part.strip_prefix("subdirectory=")).map(str::to_owned);
    if let Some(repository) = bare.strip_prefix("git+") {
        let path = repository.find("://").map_or(0, |at| at + 3);
        let path = repository[path..].find('/').map(|at| path + at)?;
        let (url, reference) = match repository[path..].rsplit_once('@') {
            Some((before, revision)) => (format!("{}{before}", &repository[..path]), Some(format!("rev={revision}"))),
            None => (repository.to_owned(), None),
        };
        return Some(Origin::Git { url: plain_url(&url), reference, subdirectory });
    }
    if let Some(path) = urls::path_of_file_url(bare) {
        return Some(of_path(&path, Some(false)));
    }
    Some(Origin::Url { url: plain_url(bare), subdirectory })
}

fn of_path(path: &Path, editable: Option<bool>) -> Origin {
    let path = without_dots(path);
    let name = last(&path);
    let is_archive = [".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz"].iter().any(|end| name.ends_with(end));
    if is_archive { Origin::File(path) } else { Origin::Directory { path, editable } }
}

/// Without credentials and fragment, neither of which is recorded.
fn plain_url(url: &str) -> String {
    let bare = url.split('#').next().unwrap_or(url);
    if urls::scheme(bare).as_deref() == Some("ssh") { bare.to_owned() } else { urls::split_login(bare).0 }
}

/// An index as it is compared. The path of a local one depends on the machine, and is nothing.
fn index_key(url: &str) -> String {
    match urls::scheme(url).as_deref() {
        Some("http" | "https") => plain_url(url).trim_end_matches('/').to_owned(),
        _ => String::new(),
    }
}
