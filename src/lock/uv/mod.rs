//! uv.lock version 1, every revision, and the lock of a script (`SCRIPT.py.lock`).
//!
//! The file is a graph. The project is one of its entries, the one whose directory is packed; what it needs, with its
//! extras and groups, are the roots. Every edge is resolved to an entry here, so that nothing is left to choose but what
//! markers decide. A lock that does not hold the project, or holds another state of it, is refused.

mod conflict;
mod equivalent;
mod graph;
mod requirement;
mod settings;
mod source;
mod stale;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::graph::Graph;
use self::source::{local_directory, read_source, without_dots};
use self::wire::{PackageTable, UvLock};
use super::document::{Purpose, toml_fault};
use super::entries::LocalPart;
use super::{
    Context, Document, EntryFault, Lock, LockError, LockedPackage, LockedSource, Membership, PackageIndex, Root,
};
use crate::names::PackageName;
use crate::target::Marker;

pub(super) use conflict::{active_names, edge_names, is_active};

const VERSION: u64 = 1;

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let lock = parse(document)?;
    let malformed = |reason: String| document.malformed(reason);
    let bounds = document.bounds(context)?;
    let directory = bounds.directory();
    let project = find_project(document, &lock, directory, context)?;
    let requires_python = lock.requires_python.as_deref().map(|text| {
        text.parse().map_err(|_| malformed(format!("`requires-python` is not a version specifier: `{text}`")))
    });
    let environments = lock
        .supported_markers
        .iter()
        .map(|text| text.parse::<Marker>().map_err(|error| malformed(format!("in `supported-markers`: {error}"))));
    let environments = environments.collect::<Result<_, _>>()?;
    let graph = Graph::of(document.path, &lock.package)?;
    let mut packages = Vec::with_capacity(lock.package.len());
    for (table, version) in lock.package.iter().zip(&graph.versions) {
        let package = read_source(table, &bounds)
            .and_then(|source| LockedPackage::new(table.name.clone(), version.clone(), source, LocalPart::Omissible));
        let package = package.map_err(|fault| LockError::entry(document.path, entry(table), fault))?;
        let mut optional_dependencies = BTreeMap::new();
        for (extra, edges) in &table.optional_dependencies {
            optional_dependencies.insert(extra.clone(), graph.edges(table, edges)?);
        }
        let dependencies = graph.edges(table, &table.dependencies)?;
        packages.push(LockedPackage { dependencies, optional_dependencies, ..package });
    }
    let (roots, extras, groups) = match project {
        Some(index) => roots_of_entry(&graph, &lock.package[index.0], &packages[index.0])?,
        None => {
            let groups = lock.manifest.dependency_groups.keys().cloned().collect();
            (graph.manifest_roots(&lock.manifest)?, BTreeSet::new(), groups)
        }
    };
    if let Some(folder) = context.project.filter(|_| !is_of_script(document)) {
        let origin = Origin { directory, project: folder, entry: project };
        check_freshness(document, &lock, &origin, &packages, &roots)?;
    }
    let project_name = project.map(|index| &lock.package[index.0].name);
    Ok(Lock {
        requires_python: requires_python.transpose()?,
        environments,
        extras: Some(extras),
        groups: Some(groups),
        conflicts: conflict::read_conflicts(&lock.conflicts, project_name),
        packages,
        project,
        roots,
        ..document.empty_lock()
    })
}

fn parse(document: &Document<'_>) -> Result<UvLock, LockError> {
    let unknown = |found: String| document.unknown_version(found, "1");
    match toml::from_str::<UvLock>(document.text) {
        Ok(lock) if lock.version == VERSION => Ok(lock),
        Ok(lock) => Err(unknown(lock.version.to_string())),
        Err(error) => match toml::from_str::<wire::Version>(document.text) {
            Ok(wire::Version { version }) if version != toml::Value::Integer(1) => Err(unknown(version.to_string())),
            _ => Err(toml_fault(document.path, document.text, &error)),
        },
    }
}

/// What a lock is checked against: the files that it was made from.
struct Origin<'a> {
    /// The lock's directory.
    directory: &'a Path,
    /// The project's.
    project: &'a Path,
    /// The project's entry.
    entry: Option<PackageIndex>,
}

/// Compares with the `pyproject.toml` of the project, and of the members and directories that it needs.
fn check_freshness(
    document: &Document<'_>,
    lock: &UvLock,
    origin: &Origin<'_>,
    packages: &[LockedPackage],
    roots: &[Root],
) -> Result<(), LockError> {
    let directory_of = |index: PackageIndex| match &packages[index.0].source {
        LockedSource::Directory { path } | LockedSource::Virtual { path } => Some(path.clone()),
        _ => None,
    };
    // Where the lock has it: the same directory, though another path may lead there.
    let place = origin.entry.and_then(directory_of);
    let place = place.unwrap_or_else(|| {
        without_dots(&std::path::absolute(origin.project).unwrap_or_else(|_| origin.project.to_owned()))
    });
    let table = origin.entry.map(|index| &lock.package[index.0]);
    let mut change = stale::find_change(lock, table, origin.directory, &place);
    let mut seen: BTreeSet<PackageIndex> = origin.entry.into_iter().collect();
    let mut open: Vec<PackageIndex> = roots.iter().map(|root| root.edge.to).collect();
    while let (None, Some(index)) = (&change, open.pop()) {
        if !seen.insert(index) {
            continue;
        }
        if let Some(path) = directory_of(index) {
            change = stale::find_change_of_dependency(lock, &lock.package[index.0], origin.directory, &path);
        }
        let package = &packages[index.0];
        let edges = package.dependencies.iter().chain(package.optional_dependencies.values().flatten());
        open.extend(edges.map(|edge| edge.to));
    }
    change.map_or(Ok(()), |reason| Err(document.stale(reason)))
}

fn is_of_script(document: &Document<'_>) -> bool {
    document.path.to_string_lossy().ends_with(".py.lock")
}

type Roots = (Vec<Root>, BTreeSet<PackageName>, BTreeSet<PackageName>);

/// What the project's own entry needs; its extras; its groups.
fn roots_of_entry(graph: &Graph<'_>, table: &PackageTable, package: &LockedPackage) -> Result<Roots, LockError> {
    let root = |of: &Membership, edge: &super::Edge| Root { of: of.clone(), edge: edge.clone() };
    let mut roots: Vec<Root> = package.dependencies.iter().map(|edge| root(&Membership::Base, edge)).collect();
    for (extra, edges) in &package.optional_dependencies {
        let of = Membership::Extra(extra.clone());
        roots.extend(edges.iter().map(|edge| root(&of, edge)));
    }
    for (group, edges) in &table.dev_dependencies {
        let of = Membership::Group(group.clone());
        roots.extend(graph.edges(table, edges)?.iter().map(|edge| root(&of, edge)));
    }
    // An extra or a group without requirements stands in the metadata alone.
    let (mut extras, mut groups) = (BTreeSet::new(), BTreeSet::new());
    extras.extend(table.optional_dependencies.keys().cloned());
    groups.extend(table.dev_dependencies.keys().cloned());
    if let Some(metadata) = &table.metadata {
        extras.extend(metadata.provides_extras.iter().cloned());
        groups.extend(metadata.requires_dev.keys().cloned());
    }
    Ok((roots, extras, groups))
}

/// The entry that is the project; none where the file's manifest says what is needed (a script, a `pyproject.toml`
/// without `[project]`).
fn find_project(
    document: &Document<'_>,
    lock: &UvLock,
    directory: &Path,
    context: Context<'_>,
) -> Result<Option<PackageIndex>, LockError> {
    if is_of_script(document) || document.purpose == Purpose::Compare {
        return Ok(None);
    }
    let place = |package: &PackageTable| -> Option<PathBuf> {
        local_directory(&package.source).map(|text| without_dots(&directory.join(text)))
    };
    let local: Vec<usize> = (0..lock.package.len()).filter(|index| place(&lock.package[*index]).is_some()).collect();
    let name = |index: usize| &lock.package[index].name;
    let from_manifest = !lock.manifest.requirements.is_empty() || !lock.manifest.dependency_groups.is_empty();
    let found = match context.project {
        Some(project) => {
            let project = without_dots(&std::path::absolute(project).unwrap_or_else(|_| project.to_owned()));
            let found = local
                .iter()
                .copied()
                .find(|index| place(&lock.package[*index]).is_some_and(|place| is_same_directory(&place, &project)));
            if found.is_none() && from_manifest && is_same_directory(directory, &project) {
                return Ok(None);
            }
            found
        }
        None => {
            let members = &lock.manifest.members;
            let of_name = |index: &usize| context.name.is_some_and(|wanted| wanted == name(*index));
            let own = |index: &usize| place(&lock.package[*index]).is_some_and(|place| place == directory);
            match local.as_slice() {
                [] if from_manifest => return Ok(None),
                [one] => Some(*one),
                several => {
                    let named = several.iter().copied().find(of_name);
                    // Beside members there may be path dependencies, which are no projects of this lock.
                    let alone = several.iter().copied().find(own).filter(|_| members.is_empty());
                    match named.or(alone) {
                        None if context.name.is_none() && !several.is_empty() => {
                            let of_members = |index: &&usize| members.is_empty() || members.contains(name(**index));
                            let candidates: Vec<String> =
                                several.iter().filter(of_members).map(|index| format!("`{}`", name(*index))).collect();
                            let reason = format!("it locks several projects ({}): say which", candidates.join(", "));
                            return Err(document.malformed(reason));
                        }
                        found => found,
                    }
                }
            }
        }
    };
    let expected = || match (context.name, context.project) {
        (Some(name), _) => name.to_string(),
        (None, Some(project)) => project.display().to_string(),
        (None, None) => "a project".to_owned(),
    };
    let other = |found: String| LockError::OtherProject { path: document.path.to_owned(), found, expected: expected() };
    match found {
        None if local.is_empty() => Err(document.malformed("it holds no project")),
        None => Err(other(local.iter().map(|index| name(*index).as_str()).collect::<Vec<_>>().join("`, `"))),
        Some(index) if context.name.is_some_and(|wanted| wanted != name(index)) => Err(other(name(index).to_string())),
        Some(index) => Ok(Some(PackageIndex(index))),
    }
}

/// By their texts, or where they lead.
fn is_same_directory(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The entry as messages name it.
fn entry(package: &PackageTable) -> String {
    package.version.as_ref().map_or_else(|| package.name.to_string(), |version| format!("{} {version}", package.name))
}

/// A marker; whose it is, the caller says.
fn marker(text: &str) -> Result<Marker, EntryFault> {
    text.parse::<Marker>().map_err(|error| EntryFault::Marker(error.to_string()))
}
