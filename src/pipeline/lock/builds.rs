//! What sources are built with: every backend is asked, and the versions of what it wants are chosen as those of all else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lock::{LockedBuild, MarkedPackage};
use crate::names::PackageName;
use crate::redact::redact_url;
use crate::resolve::{
    Artifact, Extent, PinRequest, Pinned, PinnedSource, Preferred, RemoteFile, Request, ResolveError, pin,
};
use crate::target::{Target, WheelFilename};
use crate::wheel::build::{Known, Source};
use crate::wheel::collect::Workshop;

use super::super::{Observer, Stage};
use super::entries::{complete_digests, entry};

/// A source whose build requirements are locked.
#[derive(Debug, Clone)]
pub(super) struct ToBuild {
    pub(super) name: PackageName,
    /// Its version; none for a directory, whose version changes while its build requirements stay.
    pub(super) version: Option<String>,
    pub(super) source: BuildSource,
}

/// Where it is.
#[derive(Debug, Clone)]
pub(super) enum BuildSource {
    /// A directory.
    Directory(PathBuf),
    /// A source distribution of this machine.
    Sdist(PathBuf),
    /// A source distribution that has to be fetched, and the project's directory in it.
    Remote(RemoteFile, Option<PathBuf>),
    /// A commit.
    Git { url: String, commit: String, subdirectory: Option<PathBuf> },
}

/// What decides about the build requirements, and what is told of them.
pub(super) struct BuildLocker<'a> {
    pub(super) workshop: &'a Workshop<'a>,
    pub(super) observer: &'a dyn Observer,
    /// The lock's file.
    pub(super) lock: &'a Path,
    /// The target that is locked for; none for all.
    pub(super) target: Option<&'a Target>,
    pub(super) extent: Extent<'a>,
    pub(super) preferred: &'a [Preferred],
    /// The directory whose resolver configuration counts.
    pub(super) directory: &'a Path,
}

impl BuildLocker<'_> {
    /// What each of the sources is built with; and what of that has itself to be built, and so on.
    pub(super) fn lock_builds(&self, sources: Vec<ToBuild>) -> Result<Vec<LockedBuild>, Error> {
        let mut open: VecDeque<ToBuild> = sources.into();
        let mut done = BTreeSet::new();
        let mut chosen: BTreeMap<Vec<String>, Vec<Pinned>> = BTreeMap::new();
        let mut builds = Vec::new();
        while let Some(next) = open.pop_front() {
            if !done.insert((next.name.clone(), next.version.clone())) {
                continue;
            }
            let shown = next
                .version
                .as_ref()
                .map_or_else(|| next.name.to_string(), |version| format!("{} {version}", next.name));
            self.observer.begin(Stage::Build, &format!("asking what {shown} is built with"));
            let requires = self.ask(&next)?;
            if !chosen.contains_key(&requires) {
                let packages = self.choose(&requires)?;
                chosen.insert(requires.clone(), packages);
            }
            let packages = &chosen[&requires];
            open.extend(packages.iter().filter_map(|package| self.unbuilt(package)));
            let entries: Vec<MarkedPackage> =
                packages.iter().map(|package| entry(package, self.lock)).collect::<Result<_, _>>().map_err(Box::new)?;
            builds.push(LockedBuild {
                name: next.name,
                version: next.version.and_then(|text| text.parse().ok()),
                requires: requires.iter().map(|text| redact_url(text).into_owned()).collect(),
                packages: entries,
            });
        }
        Ok(builds)
    }

    /// The package as a source, where it has no wheel for what is locked for.
    pub(super) fn unbuilt(&self, package: &Pinned) -> Option<ToBuild> {
        let (name, version) = (package.name.clone(), package.version.clone());
        let (version, source) = match &package.source {
            PinnedSource::Direct(Artifact::Wheel(_)) => return None,
            PinnedSource::Direct(Artifact::Sdist { file, subdirectory }) => {
                (version, BuildSource::Remote(file.clone(), subdirectory.clone()))
            }
            PinnedSource::Direct(Artifact::Git { url, commit, subdirectory }) => {
                let (url, commit, subdirectory) = (url.clone(), commit.clone(), subdirectory.clone());
                (version, BuildSource::Git { url, commit, subdirectory })
            }
            PinnedSource::Direct(Artifact::Directory(path)) => (None, BuildSource::Directory(path.clone())),
            PinnedSource::Files(files) => {
                if files.iter().any(|file| self.fits(file)) {
                    return None;
                }
                let sdist = files.iter().find(|one| !one.filename.ends_with(".whl"))?;
                (version, BuildSource::Remote(sdist.clone(), None))
            }
        };
        Some(ToBuild { name, version, source })
    }

    /// Whether it is a wheel that does: one for the target, or where that is open any.
    fn fits(&self, file: &RemoteFile) -> bool {
        let Ok(filename) = file.filename.parse::<WheelFilename>() else { return false };
        self.target.is_none_or(|target| target.tags.best_rank(&filename.tags).is_some())
    }

    fn ask(&self, wanted: &ToBuild) -> Result<Vec<String>, Error> {
        let fetched;
        let source = match &wanted.source {
            BuildSource::Directory(path) => Source::Project(path),
            BuildSource::Sdist(path) => Source::Sdist { path, sha256: None, subdirectory: None },
            BuildSource::Remote(file, subdirectory) => {
                fetched = self.workshop.fetch_files(std::slice::from_ref(file), &|_, _| {})?;
                let (path, sha256) = &fetched[0];
                Source::Sdist { path, sha256: Some(*sha256), subdirectory: subdirectory.clone() }
            }
            BuildSource::Git { url, commit, subdirectory } => {
                let (url, commit, subdirectory) = (url.clone(), commit.clone(), subdirectory.clone());
                Source::Git { url, commit, subdirectory }
            }
        };
        let known = Known { name: Some(&wanted.name), version: wanted.version.as_deref() };
        Ok(self.workshop.ask_build_requirements(&source, known).map_err(Box::new)?)
    }

    /// The versions of build requirements: for the interpreter that builds, or for every one.
    fn choose(&self, requires: &[String]) -> Result<Vec<Pinned>, Error> {
        if requires.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request {
            requirements: requires,
            constraints: &[],
            index: self.workshop.index,
            interpreter: self.workshop.interpreter,
            target: None,
            offline: self.workshop.offline,
            directory: self.directory,
            timeout: self.workshop.resolve_timeout,
            told: self.workshop.told,
        };
        let pin_for = |extent| {
            let wanted = PinRequest { request, extent, preferred: self.preferred, settled: &[] };
            pin(&wanted, self.workshop.surroundings, self.workshop.scratch.path())
        };
        let pinned = match (pin_for(self.extent), self.extent) {
            // A backend may need a later Python than what it builds.
            (Err(ResolveError::Unsatisfied { .. }), Extent::Everywhere { fewest, .. }) => {
                let lowest = self.workshop.interpreter.target.python.to_string();
                pin_for(Extent::Everywhere { lowest: &lowest, fewest })
            }
            (pinned, _) => pinned,
        };
        let mut packages = pinned.map_err(crate::wheel::collect::CollectError::from)?.packages;
        complete_digests(&mut packages, self.workshop)?;
        Ok(packages)
    }
}
