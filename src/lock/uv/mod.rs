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
use super::{
    Context, Document, EntryFault, Lock, LockError, LockFormat, LockedPackage, Membership, PackageIndex, Root,
};
use crate::names::PackageName;
use crate::project::pyproject::locate_fault;
use crate::target::Marker;

pub(super) use conflict::{active_names, edge_names, is_active};

const VERSION: u64 = 1;

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let lock = parse(document)?;
    let malformed = |reason: String| LockError::malformed(document.path, reason);
    // Made absolute by its text: nothing is looked at.
    let path = std::path::absolute(document.path).unwrap_or_else(|_| document.path.to_owned());
    let directory = without_dots(path.parent().unwrap_or(Path::new("")));
    let project = find_project(document, &lock, &directory, context)?;
    check_freshness(document, &lock, &directory, context, project)?;
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
        let source =
            read_source(table, &directory).map_err(|fault| LockError::entry(document.path, entry(table), fault))?;
        let mut optional_dependencies = BTreeMap::new();
        for (extra, edges) in &table.optional_dependencies {
            optional_dependencies.insert(extra.clone(), graph.edges(table, edges)?);
        }
        packages.push(LockedPackage {
            name: table.name.clone(),
            version: version.clone(),
            requires_python: None,
            source,
            dependencies: graph.edges(table, &table.dependencies)?,
            optional_dependencies,
        });
    }
    let (roots, extras, groups) = match project {
        Some(index) => roots_of_entry(&graph, &lock.package[index.0], &packages[index.0])?,
        None => {
            let groups = lock.manifest.dependency_groups.keys().cloned().collect();
            (graph.manifest_roots(&lock.manifest)?, BTreeSet::new(), groups)
        }
    };
    let project_name = project.map(|index| &lock.package[index.0].name);
    Ok(Lock {
        inputs: None,
        format: LockFormat::Uv,
        path: document.path.to_owned(),
        sha256: document.sha256,
        requires_python: requires_python.transpose()?,
        environments,
        extras: Some(extras),
        groups: Some(groups),
        default_groups: BTreeSet::new(),
        conflicts: conflict::read_conflicts(&lock.conflicts, project_name),
        packages,
        project,
        roots,
        builds: Vec::new(),
    })
}

fn parse(document: &Document<'_>) -> Result<UvLock, LockError> {
    let unknown = |found: String| LockError::UnknownVersion { path: document.path.to_owned(), found, known: "1" };
    match toml::from_str::<UvLock>(document.text) {
        Ok(lock) if lock.version == VERSION => Ok(lock),
        Ok(lock) => Err(unknown(lock.version.to_string())),
        Err(error) => match toml::from_str::<wire::Version>(document.text) {
            Ok(wire::Version { version }) if version != toml::Value::Integer(1) => Err(unknown(version.to_string())),
            _ => Err(LockError::malformed(document.path, locate_fault(document.text, error.span(), error.message()))),
        },
    }
}

/// Compares with the `pyproject.toml` of the project, where there is one to be read; a script has none.
fn check_freshness(
    document: &Document<'_>,
    lock: &UvLock,
    directory: &Path,
    context: Context<'_>,
    project: Option<PackageIndex>,
) -> Result<(), LockError> {
    let Some(folder) = context.project.filter(|_| !is_of_script(document)) else { return Ok(()) };
    let entry = project.map(|index| &lock.package[index.0]);
    // Where the lock has it: the same directory, though another path may lead there.
    let place = entry.and_then(|entry| local_directory(&entry.source)).map_or_else(
        || without_dots(&std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())),
        |text| without_dots(&directory.join(text)),
    );
    match stale::find_change(lock, entry, directory, &place) {
        None => Ok(()),
        Some(reason) => Err(LockError::Stale { path: document.path.to_owned(), reason, command: "uv lock".to_owned() }),
    }
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
    if is_of_script(document) {
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
                            return Err(LockError::malformed(document.path, reason));
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
        None if local.is_empty() => Err(LockError::malformed(document.path, "it holds no project")),
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

/// A fault of what is no entry's own.
fn marker(text: &str) -> Result<Marker, EntryFault> {
    text.parse::<Marker>().map_err(|error| EntryFault::Marker(error.to_string()))
}
