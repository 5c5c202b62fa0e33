//! What has to be built of a lock that does not say with what, and what it is built with: chosen for every platform and
//! Python that the lock is for, or with pip alone for one.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::Error;
use crate::lock::{
    FileLocation, Lock, LockedBuild, LockedFile, LockedPackage, LockedSource, NixLock, PackageIndex, Places,
};
use crate::names::PackageName;
use crate::project::pyproject::Project;
use crate::resolve::{Extent, Location, RemoteFile, ResolveError};
use crate::target::{Target, WheelFilename, is_any_sdist_name};
use crate::wheel::build::{Known, Source};
use crate::wheel::collect::{CollectError, Workshop};

use super::super::super::inputs::{Inputs, SourceKind};
use super::super::builds::{BuildLocker, BuildSource, ToBuild};
use super::super::coverage::{default_python, environment, lowest_python};
use super::super::freshness::normalised;
use super::super::{Coverage, Versions};
use super::Observer;

/// What chooses build requirements.
pub(super) struct Chooser<'a> {
    pub(super) workshop: &'a Workshop<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) inputs: &'a Inputs,
    pub(super) lock: &'a Lock,
    pub(super) places: &'a Places,
    pub(super) target: &'a Target,
    /// An earlier document, and what becomes of its versions.
    pub(super) earlier: Option<&'a NixLock>,
    pub(super) versions: Versions,
}

impl Chooser<'_> {
    /// What the sources are built with: the project, and what of the lock has no wheel that does.
    pub(super) fn choose(&self) -> Result<Vec<LockedBuild>, Error> {
        let mut sources = self.projects()?;
        sources.extend(self.locked_sources());
        if sources.is_empty() {
            return Ok(Vec::new());
        }
        let python = self.lock.requires_python.clone();
        let python = python.unwrap_or_else(|| default_python(true, self.target.python));
        let lowest = lowest_python(&python).to_string();
        let universal = self.choose_for(sources.clone(), Extent::Everywhere { lowest: &lowest, fewest: true });
        let mut builds = match universal {
            Err(Error::Collect(CollectError::Resolve(ResolveError::Everywhere { target }))) => {
                self.observer.warn(&format!(
                    "the build requirements are for {target} alone: pip resolves for no other, and no uv is there that does"
                ));
                let mut builds = self.choose_for(sources, Extent::Target)?;
                // Elsewhere they are not there, in place of being the wrong ones.
                let here = environment(&self.workshop.interpreter.target);
                builds.iter_mut().flat_map(|build| &mut build.packages).for_each(|one| one.marker = Some(here.clone()));
                builds
            }
            chosen => chosen?,
        };
        builds.iter_mut().for_each(sort);
        builds.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
        Ok(builds)
    }

    fn choose_for(&self, sources: Vec<ToBuild>, extent: Extent<'_>) -> Result<Vec<LockedBuild>, Error> {
        let target = &self.workshop.interpreter.target;
        let is_universal = extent != Extent::Target;
        let coverage = if is_universal { Coverage::Universal } else { Coverage::Target };
        let earlier = self.earlier.map(NixLock::build_versions).unwrap_or_default();
        let preferred = self.versions.preferred(&earlier, coverage, target);
        let locker = BuildLocker {
            workshop: self.workshop,
            observer: self.observer,
            lock: &self.lock.path,
            target: (!is_universal).then_some(target),
            extent,
            preferred: &preferred,
            directory: self.inputs.locked_directory().or_else(|| self.lock.path.parent()).unwrap_or(Path::new(".")),
        };
        locker.lock_builds(sources)
    }

    fn projects(&self) -> Result<Vec<ToBuild>, Error> {
        let mut found = Vec::new();
        for project in projects(self.inputs) {
            let name = match stated_name(project) {
                Some(name) => name,
                None => {
                    self.workshop.build(&Source::Project(&project.root), Known::default(), &[]).map_err(Box::new)?.name
                }
            };
            found.push(ToBuild { name, version: None, source: BuildSource::Directory(project.root.clone()) });
        }
        Ok(found)
    }

    /// What the lock has that is built: whatever has no wheel at all, and what has none for the target.
    fn locked_sources(&self) -> Vec<ToBuild> {
        let here = self.lock.reach(Some(self.target));
        let to_build = |index: PackageIndex| {
            let package = &self.lock.packages[index.0];
            let files = self.places.locate(package).0;
            let wheels: Vec<WheelFilename> = files.iter().filter_map(|file| file.filename.parse().ok()).collect();
            let fits = |wheel: &WheelFilename| self.target.tags.best_rank(&wheel.tags).is_some();
            if wheels.iter().any(fits) || !wheels.is_empty() && !here.contains(&index) {
                return None;
            }
            let source = source_of(package, &files)?;
            // What a directory is built with stays when its version changes.
            let version = package.version.as_ref().filter(|_| !matches!(source, BuildSource::Directory(_)));
            Some(ToBuild { name: package.name.clone(), version: version.map(ToString::to_string), source })
        };
        self.lock.reach(None).into_iter().filter_map(to_build).collect()
    }
}

/// Where the source of an entry is; none where it has none that a sha256 or a commit pins.
fn source_of(package: &LockedPackage, files: &[LockedFile]) -> Option<BuildSource> {
    let sdist = || files.iter().find(|file| is_any_sdist_name(&file.filename)).and_then(remote);
    match &package.source {
        LockedSource::Files { .. } | LockedSource::Digests { .. } => Some(BuildSource::Remote(sdist()?, None)),
        LockedSource::Archive { subdirectory, .. } => Some(BuildSource::Remote(sdist()?, subdirectory.clone())),
        LockedSource::Git { url, commit, subdirectory } => {
            let (url, commit, subdirectory) = (url.clone(), commit.clone(), subdirectory.clone());
            Some(BuildSource::Git { url, commit, subdirectory })
        }
        LockedSource::Directory { path } => Some(BuildSource::Directory(path.clone())),
        LockedSource::Virtual { .. } => None,
    }
}

fn remote(file: &LockedFile) -> Option<RemoteFile> {
    let location = match &file.location {
        FileLocation::Url(url) => Location::Url(url.clone()),
        FileLocation::Path(path) => Location::Path(path.clone()),
        FileLocation::Index => return None,
    };
    Some(RemoteFile { filename: file.filename.clone(), location, sha256: file.hash.sha256(), size: file.size })
}

/// In the order that a `pylock.toml` has: whatever order an index lists files in, one choice gives one document.
fn sort(build: &mut LockedBuild) {
    build.packages.sort_by(|left, right| {
        let key = |one: &LockedPackage| (one.name.clone(), one.version.clone());
        (key(&left.package), &left.marker).cmp(&(key(&right.package), &right.marker))
    });
    for one in &mut build.packages {
        if let LockedSource::Files { files, .. } = &mut one.package.source {
            let key = |file: &LockedFile| (!file.filename.ends_with(".whl"), file.filename.clone());
            files.sort_by_key(key);
        }
    }
}

/// What has to be built, whatever the target, and has no build requirements among `builds`, or others than these: a
/// clause.
pub(super) fn find_missing(inputs: &Inputs, lock: &Lock, places: &Places, builds: &[LockedBuild]) -> Option<String> {
    let mut directories: Vec<(PackageName, Project)> =
        projects(inputs).filter_map(|project| Some((stated_name(project)?, project.clone()))).collect();
    let mut names: BTreeSet<PackageName> = directories.iter().map(|(name, _)| name.clone()).collect();
    for index in lock.reach(None) {
        let package = &lock.packages[index.0];
        let files = places.locate(package).0;
        let has_wheel = files.iter().any(|file| file.filename.ends_with(".whl"));
        match source_of(package, &files).filter(|_| !has_wheel) {
            None => continue,
            Some(BuildSource::Directory(path)) => {
                directories.extend(Project::read(&path).ok().map(|project| (package.name.clone(), project)));
            }
            Some(_) => {}
        }
        names.insert(package.name.clone());
    }
    let is_known = |name: &PackageName| builds.iter().any(|build| build.name == *name);
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        return Some(format!("it does not say what `{name}` is built with"));
    }
    directories.iter().find_map(|(name, project)| {
        let known: BTreeSet<String> = builds
            .iter()
            .filter(|build| build.name == *name)
            .flat_map(|build| &build.requires)
            .map(normalised)
            .collect();
        let system = project.pyproject.as_ref()?.build_system.as_ref()?;
        let new = system.requires.iter().map(normalised).find(|requirement| !known.contains(requirement))?;
        Some(format!("`{name}` is now built with `{new}`"))
    })
}

/// The projects among the inputs, which are built.
fn projects(inputs: &Inputs) -> impl Iterator<Item = &Project> {
    inputs.sources.iter().filter_map(|source| match source {
        SourceKind::Project(project) => Some(project.as_ref()),
        _ => None,
    })
}

fn stated_name(project: &Project) -> Option<PackageName> {
    project.pyproject.as_ref()?.project.as_ref()?.name.parse().ok()
}
