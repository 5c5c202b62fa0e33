//! Requirements that leave no choice: wheels at hand, each name in one version that fits. These need no resolver, and so
//! neither uv nor pip.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::archive::{Limits, Profile, Source, Unpacker, read_structure};
use crate::names::PackageName;
use crate::target::WheelFilename;
use crate::target::{ClosureError, DistributionFacts, Requirement, RequirementSource, Target, close};
use crate::urls;
use crate::wheel::Metadata;

use super::{Artifact, Location, RemoteFile, Request, Resolved};

/// A wheel that was not opened yet, and where it is.
type Shelved = (WheelFilename, PathBuf);

/// Where the wheels of a closed set are looked for, and by name what was found there.
struct Shelf {
    /// Wheels by distribution.
    wheels: BTreeMap<PackageName, Vec<Shelved>>,
    /// Distributions of which there is something that is no wheel: only a resolver can look into it.
    sources: BTreeSet<PackageName>,
}

/// What the requirements come to where wheels at hand leave no choice; `None` where a resolver has to decide.
///
/// # Errors
/// Where no index may be asked and what is at hand cannot be enough, or a wheel that was named does not fit.
pub(super) fn resolve(request: &Request<'_>, target: &Target) -> Result<Option<Vec<Resolved>>, ClosureError> {
    let Some((roots, local)) = read_requirements(request) else { return Ok(None) };
    let directories = if request.index.no_index { request.index.find_links.as_slice() } else { &[] };
    let Some(mut shelf) = Shelf::read(directories) else { return Ok(None) };
    for (filename, path) in &local {
        shelf.wheels.insert(filename.name.clone(), vec![(filename.clone(), path.clone())]);
    }
    let Some((candidates, paths)) = shelf.reachable(&roots) else { return Ok(None) };
    let needs_source = |name: &PackageName| shelf.sources.contains(name);
    let given_as_file = |name: &PackageName| local.iter().any(|(filename, _)| filename.name == *name);
    let closure = match close(&roots, &candidates, target) {
        Ok(closure) => closure,
        Err(ClosureError::Ambiguous { .. }) => return Ok(None),
        // Nothing takes the place of a file that was named.
        Err(error) if concerns(&error).is_some_and(given_as_file) => return Err(error),
        Err(error) if !request.index.no_index || concerns(&error).is_none_or(needs_source) => {
            // Another version, from an index or a source, may do.
            let _ = error;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let resolved = closure.selected.values().map(|selected| {
        let facts = selected.facts;
        let filename = facts.filename.clone();
        let location = Location::Path(paths[&filename].clone());
        Resolved {
            name: facts.name.clone(),
            version: Some(facts.version.to_string()),
            artifact: Artifact::Wheel(RemoteFile { filename, location, sha256: None, size: None }),
        }
    });
    Ok(Some(resolved.collect()))
}

/// The distribution that an error is about.
fn concerns(error: &ClosureError) -> Option<&PackageName> {
    match error {
        ClosureError::Missing { demand }
        | ClosureError::Unsatisfied { demand, .. }
        | ClosureError::Unsupported { demand, .. }
        | ClosureError::UnfitPython { demand, .. } => Some(&demand.requirement.name),
        ClosureError::Ambiguous { .. } | ClosureError::Marker { .. } => None,
    }
}

/// The requirements and constraints, and the wheels that requirements name as files; `None` where one needs a resolver.
fn read_requirements(request: &Request<'_>) -> Option<(Vec<Requirement>, Vec<Shelved>)> {
    // A constraint can shut out a version: whether that matters is a resolver's to say.
    if !request.constraints.is_empty() {
        return None;
    }
    let mut roots = Vec::with_capacity(request.requirements.len());
    let mut local = Vec::new();
    for text in request.requirements {
        let requirement: Requirement = text.parse().ok()?;
        if let RequirementSource::Url(url) = &requirement.source {
            let path = urls::path_of_file_url(url.with_credentials())?;
            let filename: WheelFilename = path.file_name()?.to_str()?.parse().ok()?;
            local.push((filename, path));
        }
        roots.push(requirement);
    }
    Some((roots, local))
}

type Facts = BTreeMap<PackageName, Vec<DistributionFacts>>;
/// Where a wheel is, by its file name: the shelf has no name twice.
type Paths = BTreeMap<String, PathBuf>;

impl Shelf {
    /// Lists directories; `None` where one of them cannot be listed, which a resolver may explain.
    fn read(directories: &[PathBuf]) -> Option<Self> {
        let mut shelf = Self { wheels: BTreeMap::new(), sources: BTreeSet::new() };
        for directory in directories {
            let entries = std::fs::read_dir(directory).ok()?.map(|entry| entry.map(|entry| entry.file_name()));
            let mut file_names = entries.collect::<Result<Vec<_>, _>>().ok()?;
            // A file system lists in an order of its own.
            file_names.sort();
            for file_name in file_names {
                let Some(name) = file_name.to_str() else { continue };
                if let Ok(filename) = name.parse::<WheelFilename>() {
                    let path = directory.join(name);
                    let wheels = shelf.wheels.entry(filename.name.clone()).or_default();
                    // The same file in two directories is one candidate: the first directory's.
                    if wheels.iter().all(|(known, _)| known.as_str() != filename.as_str()) {
                        wheels.push((filename, path));
                    }
                } else if [".tar.gz", ".zip", ".tar.bz2", ".tgz"].iter().any(|end| name.ends_with(end)) {
                    let parts = name.match_indices('-').filter_map(|(at, _)| name[..at].parse().ok());
                    shelf.sources.extend(parts);
                }
            }
        }
        Some(shelf)
    }

    /// What the wheels say that can be reached from `roots` by name, whatever the markers; `None` where one of them
    /// cannot be read here.
    fn reachable(&self, roots: &[Requirement]) -> Option<(Facts, Paths)> {
        let (mut facts, mut paths) = (Facts::new(), Paths::new());
        let mut names: VecDeque<PackageName> = roots.iter().map(|root| root.name.clone()).collect();
        while let Some(name) = names.pop_front() {
            if facts.contains_key(&name) {
                continue;
            }
            let mut found = Vec::new();
            for (filename, path) in self.wheels.get(&name).into_iter().flatten() {
                let wheel = read_facts(filename, path)?;
                names.extend(wheel.requires_dist.iter().map(|requirement| requirement.name.clone()));
                paths.insert(wheel.filename.clone(), path.clone());
                found.push(wheel);
            }
            facts.insert(name, found);
        }
        facts.retain(|_, found| !found.is_empty());
        Some((facts, paths))
    }
}

/// What a wheel's METADATA says. Nothing is trusted by it: a wheel that is chosen is verified, and asked again.
fn read_facts(filename: &WheelFilename, path: &Path) -> Option<DistributionFacts> {
    let source = Source::open(path).ok()?;
    let structure = read_structure(&source, Profile::Wheel, &Limits::default()).ok()?;
    let entry = structure.files.iter().find(|entry| {
        entry
            .path
            .as_str()
            .split_once('/')
            .is_some_and(|(root, rest)| root.ends_with(".dist-info") && rest == "METADATA")
    })?;
    let metadata = Unpacker::default().read(&source, entry, 16 << 20).ok()?;
    let metadata = Metadata::parse(&metadata).ok()?;
    Some(DistributionFacts {
        name: filename.name.clone(),
        version: filename.version.clone(),
        requires_python: metadata.requires_python,
        requires_dist: metadata.requires_dist.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?,
        provides_extra: metadata.extras,
        tags: filename.tags.clone(),
        build: filename.build.clone(),
        filename: filename.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_wheels_by_file_name() {
        let directory = tempfile::tempdir().unwrap();
        let numbers = [7, 2, 9, 1, 8, 3, 6, 4, 5];
        for number in numbers {
            std::fs::write(directory.path().join(format!("a-1-{number}-py3-none-any.whl")), "").unwrap();
        }
        let shelf = Shelf::read(&[directory.path().to_owned()]).unwrap();
        let listed: Vec<_> = shelf.wheels.values().flatten().map(|(filename, _)| filename.build.clone()).collect();
        assert_eq!(listed, (1..=9).map(|number| Some(number.to_string())).collect::<Vec<_>>());
    }
}
