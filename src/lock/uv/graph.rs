//! The edges of a uv.lock, resolved to entries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pep440_rs::Version;

use super::wire::{EdgeTable, Manifest, PackageTable, RequirementTable};
use super::{entry, marker};
use crate::lock::{Edge, EntryFault, LockError, Membership, PackageIndex, Root};
use crate::names::PackageName;

/// The entries of a lock, by name.
pub(super) struct Graph<'a> {
    path: &'a Path,
    packages: &'a [PackageTable],
    by_name: BTreeMap<&'a PackageName, Vec<usize>>,
    /// The versions of the entries, in their order.
    pub(super) versions: Vec<Option<Version>>,
}

impl<'a> Graph<'a> {
    /// # Errors
    /// A version that is none, or an entry that stands there twice.
    pub(super) fn of(path: &'a Path, packages: &'a [PackageTable]) -> Result<Self, LockError> {
        let mut by_name: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
        let mut versions = Vec::with_capacity(packages.len());
        let mut seen = BTreeSet::new();
        for (index, package) in packages.iter().enumerate() {
            let refuse = |reason: String| LockError::entry(path, entry(package), EntryFault::Field(reason));
            let version = package.version.as_deref().map(read_version).transpose().map_err(refuse)?;
            if version.is_none() && package.source.registry.is_some() {
                return Err(refuse("it has no version".to_owned()));
            }
            if !seen.insert((&package.name, version.clone(), &package.source)) {
                return Err(refuse("it stands there twice".to_owned()));
            }
            versions.push(version);
            by_name.entry(&package.name).or_default().push(index);
        }
        Ok(Self { path, packages, by_name, versions })
    }

    /// The edges of `package`.
    pub(super) fn edges(&self, package: &PackageTable, edges: &[EdgeTable]) -> Result<Vec<Edge>, LockError> {
        let read = |edge: &EdgeTable| {
            Ok(Edge {
                to: self.find(edge)?,
                extras: edge.extra.iter().cloned().collect(),
                marker: edge.marker.as_deref().map(marker).transpose()?,
            })
        };
        let edges: Result<_, EntryFault> = edges.iter().map(read).collect();
        edges.map_err(|fault| LockError::entry(self.path, entry(package), fault))
    }

    /// Name, version and source decide; the latter two are left out where the name is enough.
    fn find(&self, edge: &EdgeTable) -> Result<PackageIndex, EntryFault> {
        let version = edge.version.as_deref().map(read_version).transpose().map_err(EntryFault::Field)?;
        let named = self.by_name.get(&edge.name).map(Vec::as_slice).unwrap_or_default();
        let fits = |index: &usize| {
            version.as_ref().is_none_or(|version| self.versions[*index].as_ref() == Some(version))
                && edge.source.as_ref().is_none_or(|source| self.packages[*index].source == *source)
        };
        let matching: Vec<usize> = named.iter().copied().filter(fits).collect();
        match matching.as_slice() {
            [one] => Ok(PackageIndex(*one)),
            [] => Err(EntryFault::Dangling(match &edge.version {
                Some(version) => format!("{} {version}", edge.name),
                None => edge.name.to_string(),
            })),
            // Of a directory, no version means one that is known only when it is built.
            several => match several.iter().filter(|index| self.versions[**index].is_none()).collect::<Vec<_>>()[..] {
                [one] if edge.source.is_some() => Ok(PackageIndex(*one)),
                _ => Err(self.open(&edge.name, several)),
            },
        }
    }

    fn open(&self, name: &PackageName, several: &[usize]) -> EntryFault {
        let text = |index: &usize| self.versions[*index].as_ref().map_or("no version".to_owned(), ToString::to_string);
        EntryFault::Open { name: name.clone(), versions: several.iter().map(text).collect() }
    }

    /// What the manifest needs: a script's requirements, the groups of a `pyproject.toml` without `[project]`.
    pub(super) fn manifest_roots(&self, manifest: &Manifest) -> Result<Vec<Root>, LockError> {
        let mut roots = Vec::new();
        let mut add = |of: Membership, requirements: &[RequirementTable]| {
            for requirement in requirements {
                let edges = self.manifest_edges(requirement);
                let edges = edges.map_err(|fault| LockError::entry(self.path, "the manifest", fault))?;
                roots.extend(edges.into_iter().map(|edge| Root { of: of.clone(), edge }));
            }
            Ok(())
        };
        add(Membership::Base, &manifest.requirements)?;
        for (group, requirements) in &manifest.dependency_groups {
            add(Membership::Group(group.clone()), requirements)?;
        }
        Ok(roots)
    }

    /// A requirement of the manifest has no version: of several entries, those count whose fork of the resolution the
    /// target belongs to.
    fn manifest_edges(&self, requirement: &RequirementTable) -> Result<Vec<Edge>, EntryFault> {
        let named = self.by_name.get(&requirement.name).map(Vec::as_slice).unwrap_or_default();
        if named.is_empty() {
            return Err(EntryFault::Dangling(requirement.name.to_string()));
        }
        let forks = |index: &usize| self.packages[*index].resolution_markers.as_slice();
        if named.len() > 1 && named.iter().any(|index| forks(index).is_empty()) {
            return Err(self.open(&requirement.name, named));
        }
        let mut edges = Vec::new();
        for index in named {
            let all: &[String] = if named.len() == 1 { &[] } else { forks(index) };
            let mut add = |condition: Option<&str>| {
                let conditions: Vec<&str> = requirement.marker.as_deref().into_iter().chain(condition).collect();
                // Each by itself first: joined, two halves could make a marker of another meaning.
                conditions.iter().try_for_each(|text| marker(text).map(drop))?;
                let marker = match conditions.as_slice() {
                    [] => None,
                    [one] => Some(marker(one)?),
                    several => Some(marker(&format!("({})", several.join(") and (")))?),
                };
                edges.push(Edge {
                    to: PackageIndex(*index),
                    extras: requirement.extras.iter().cloned().collect(),
                    marker,
                });
                Ok(())
            };
            if all.is_empty() {
                add(None)?;
            }
            all.iter().try_for_each(|fork| add(Some(fork)))?;
        }
        Ok(edges)
    }
}

fn read_version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|_| format!("`{text}` is not a version"))
}
