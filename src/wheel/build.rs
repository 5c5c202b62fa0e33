//! Building a wheel from source (PEP 517), isolated: a copy of the source, a fresh virtual environment with the build
//! requirements and nothing else, and an environment of which every variable is fixed or named.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::backend::{BUILD, Backend};
use super::build_error::BuildError;
use super::built::{Entry, Ingredients, Kept};
use super::collect::{CollectError, CollectedWheel, Made, Obtained, Workshop};
use super::locked::{LockedRequirements, Unlocked, Unmet};
use super::source_facts::{BuildSystem, Identity};
use super::traces::find_path;
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::process::ScratchDir;
use crate::project::clamp::clamp_tree;
use crate::project::git::GitSource;
use crate::project::reach::{Reach, find_reach};
use crate::project::sdist::{check_subdirectory, unpack_sdist};
use crate::project::sources::{copy_part, copy_sources};
use crate::project::tree::{repository_digest, tree_digest};
use crate::python::environment::resolver_environment;
use crate::redact::redact_url;

/// What is built.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// A project's directory, which is built in a copy of all that its build reads ([`find_reach`]).
    Project(&'a Path),
    /// A directory: `project` (relative) is built in a copy of `root`.
    Directory {
        /// What is copied.
        root: &'a Path,
        /// The project's directory in it.
        project: &'a Path,
    },
    /// A source distribution.
    Sdist {
        /// The file.
        path: &'a Path,
        /// Its digest.
        sha256: Option<Sha256Digest>,
        /// The project's directory in it, below its one top directory.
        subdirectory: Option<PathBuf>,
    },
    /// A commit.
    Git {
        /// The repository's URL, without `git+`; it may hold credentials.
        url: String,
        /// The commit.
        commit: String,
        /// The project's directory in it.
        subdirectory: Option<PathBuf>,
    },
}

/// What is known of a distribution before it is built.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Its name.
    pub name: Option<&'a PackageName>,
    /// Its version.
    pub version: Option<&'a str>,
}

/// A distribution that a wheel was built with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BuildRequirement {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// Its wheel's file name.
    pub filename: String,
    /// Its wheel's digest; none where the wheel was itself built here, since a backend's file holds the host's zlib.
    pub sha256: Option<Sha256Digest>,
    /// Whether its wheel lay in a directory of this machine: then no index chose it.
    pub at_hand: bool,
}

impl BuildRequirement {
    fn of(wheel: &CollectedWheel) -> Self {
        let built = matches!(wheel.obtained, Obtained::Built { .. });
        Self {
            name: wheel.name.clone(),
            version: version_of(&wheel.filename).to_owned(),
            filename: wheel.filename.clone(),
            sha256: wheel.sha256.filter(|_| !built),
            at_hand: wheel.obtained == Obtained::Local,
        }
    }
}

impl Workshop<'_> {
    /// Builds the wheel of a source. `trail` names what this is built for, outermost first, and is empty for what the
    /// user asked for.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(&self, source: &Source<'_>, known: Known<'_>, trail: &[String]) -> Result<CollectedWheel, BuildError> {
        self.prepare(source, known, trail)?.build()
    }

    /// Asks what a source is built with: the requirements of its `[build-system]`, and those that its backend adds
    /// (PEP 517, `get_requires_for_build_wheel`), sorted. It runs the backend, and builds nothing.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn ask_build_requirements(&self, source: &Source<'_>, known: Known<'_>) -> Result<Vec<String>, BuildError> {
        self.prepare(source, known, &[])?.ask()
    }

    /// Copies a source and reads what it is built with. Where that has to be locked and is not, it is refused here: all
    /// sources are prepared before the first is built.
    pub(super) fn prepare(
        &self,
        source: &Source<'_>,
        known: Known<'_>,
        trail: &[String],
    ) -> Result<Prepared<'_>, BuildError> {
        let label = source.label();
        let step = known.name.map_or_else(|| label.clone(), ToString::to_string);
        if trail.contains(&step) {
            return Err(BuildError::Cycle { label, trail: format!("{} needs {step}", trail.join(" needs ")) });
        }
        let trail: Vec<String> = trail.iter().cloned().chain([step]).collect();
        let write = |source| BuildError::Write { label: label.clone(), source };
        let stage = self.scratch.subdirectory("source")?;
        let git = self.surroundings.find_program("git");
        let environment = resolver_environment(self.surroundings, &stage, None);
        let tree = stage.join("source");
        let (project, recorded) = self.copy(source, &tree, git.as_deref(), &environment)?;
        let system = BuildSystem::read(&tree.join(&project), &label)?;
        let identity = Identity::read(&tree.join(&project), known);
        let set = match (&identity.name, source) {
            (Some(name), _) => self.build_lock.find(name, identity.version.as_ref()),
            (None, Source::Project(_) | Source::Directory { .. }) => self.build_lock.find_unnamed(),
            (None, _) => None,
        };
        let sha256 = if let Source::Sdist { sha256, .. } = source { *sha256 } else { None };
        let content = sha256.map_or_else(|| tree_digest(&tree), Ok).map_err(write)?;
        let ingredients = repository_digest(git.as_deref(), &tree, &environment)
            .map(|repository| Ingredients::new(self, &content, &repository, &project));
        let name = identity.name;
        let prepared = Prepared {
            workshop: self,
            label,
            trail,
            tree,
            project,
            recorded,
            sha256,
            content,
            ingredients,
            system,
            name,
            set,
        };
        prepared.check_locked(&prepared.system.requires)?;
        Ok(prepared)
    }

    /// Makes the copy that is built. Gives the project's directory in it, and the source as it is recorded.
    fn copy(
        &self,
        source: &Source<'_>,
        into: &Path,
        git: Option<&Path>,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<(PathBuf, String), BuildError> {
        let label = source.label();
        let write = |source| BuildError::Write { label: label.clone(), source };
        match source {
            Source::Project(path) => {
                let Reach { root, project, part } = find_reach(path, git, environment)?;
                copy_part(&root, &part, into, self.epoch, git, environment)?;
                Ok((project, label))
            }
            Source::Directory { root, project } => {
                copy_sources(root, into, self.epoch, git, environment)?;
                Ok(((*project).to_owned(), label))
            }
            Source::Sdist { path, subdirectory, .. } => {
                let unpacked = into.with_file_name("unpacked");
                fs_err::create_dir_all(&unpacked).map_err(write)?;
                let top = unpack_sdist(path, &unpacked, self.limits, self.epoch)?;
                fs_err::rename(top, into).map_err(write)?;
                let project = subdirectory.clone().unwrap_or_default();
                check_subdirectory(path, into, &project)?;
                let inside = subdirectory.as_ref().map(|inside| format!("#subdirectory={}", inside.display()));
                Ok((project, label + &inside.unwrap_or_default()))
            }
            Source::Git { url, commit, subdirectory } => {
                let mut wanted = GitSource::parse(&format!("git+{url}@{commit}"))?;
                wanted.subdirectory.clone_from(subdirectory);
                let checkout = wanted.checkout(git, into, environment, self.offline)?;
                clamp_tree(into, self.epoch).map_err(write)?;
                Ok((subdirectory.clone().unwrap_or_default(), wanted.pinned(&checkout.commit)))
            }
        }
    }
}

/// A source that was copied, and of which is known what it is built with.
pub(super) struct Prepared<'a> {
    workshop: &'a Workshop<'a>,
    label: String,
    trail: Vec<String>,
    /// The copy.
    tree: PathBuf,
    /// The project's directory in it.
    project: PathBuf,
    recorded: String,
    sha256: Option<Sha256Digest>,
    /// The digest of the copy's content, or of the source distribution that it was unpacked from.
    content: Sha256Digest,
    /// What its wheel is kept by; none where version control does not tell what the copy is.
    ingredients: Option<Ingredients>,
    system: BuildSystem,
    name: Option<PackageName>,
    /// What a lock says that it is built with.
    set: Option<&'a LockedRequirements>,
}

impl Prepared<'_> {
    /// Refuses requirements that have to be locked and are not.
    fn check_locked(&self, requirements: &[String]) -> Result<(), BuildError> {
        let label = || self.label.clone();
        let command = || self.workshop.build_lock.command.to_owned();
        let Some(set) = self.set else {
            let refused = self.workshop.build_lock.unlocked == Unlocked::Refuse && !requirements.is_empty();
            let requirements: Vec<String> = requirements.iter().map(|text| redact_url(text).into_owned()).collect();
            return if refused {
                Err(BuildError::Unlocked { label: label(), requirements, command: command() })
            } else {
                Ok(())
            };
        };
        let unmet = set.unmet(requirements, &self.workshop.interpreter.target);
        match unmet.map_err(|error| BuildError::Requirement { label: label(), error })? {
            Some(Unmet { requirement, locked }) => {
                Err(BuildError::StaleLock { label: label(), requirement, locked, command: command() })
            }
            None => Ok(()),
        }
    }

    /// Refuses a wheel of another name than that of the set that it was built with.
    fn check_name(&self, name: &PackageName) -> Result<(), BuildError> {
        match self.set {
            Some(set) if set.name != *name => {
                let command = self.workshop.build_lock.command.to_owned();
                let (label, found, locked) = (self.label.clone(), name.clone(), set.name.clone());
                Err(BuildError::OtherSet { label, found, locked, command })
            }
            _ => Ok(()),
        }
    }

    /// What it is built with, as its `[build-system]` and its backend say.
    fn ask(self) -> Result<Vec<String>, BuildError> {
        let requires = &self.system.requires;
        let mut wheels = self
            .workshop
            .collect_build_requirements(requires, &[], &self.trail)
            .map_err(|source| self.requirements_error(source))?;
        wheels.sort_by(|left, right| left.name.cmp(&right.name));
        self.prove(&mut wheels)?;
        let known = self.entry(&wheels).and_then(|entry| entry.asked());
        let asked = known.map_or_else(|| self.ask_backend(&wheels), Ok)?;
        let all: BTreeSet<String> = requires.iter().cloned().chain(asked).collect();
        Ok(all.into_iter().collect())
    }

    /// What the backend wants beyond `wheels`.
    fn ask_backend(&self, wheels: &[CollectedWheel]) -> Result<Vec<String>, BuildError> {
        let write = |source| BuildError::Write { label: self.label.clone(), source };
        let room = self.workshop.scratch.subdirectory("asked")?;
        fs_err::rename(&self.tree, room.join("source")).map_err(write)?;
        let project = room.join("source").join(&self.project);
        let backend = Backend::open(self.workshop, &self.label, &room, &project, &self.system)?;
        self.install(&backend, wheels)?;
        let asked = backend.ask_requirements()?;
        if let Some(entry) = self.entry(wheels) {
            entry.keep_asked(&asked);
        }
        Ok(asked)
    }

    /// Builds the wheel, or takes the one that was built from the same before.
    pub(super) fn build(self) -> Result<CollectedWheel, BuildError> {
        let mut wheels = match self.set {
            Some(set) => self.workshop.materialise(set.packages.clone(), &|_, _| {}, &self.trail),
            None => self.workshop.collect_build_requirements(&self.system.requires, &[], &self.trail),
        }
        .map_err(|source| self.requirements_error(source))?;
        // They are installed in one order, whatever the lock's.
        wheels.sort_by(|left, right| left.name.cmp(&right.name));
        self.prove(&mut wheels)?;
        let room = self.room_path();
        let directory = self.workshop.scratch.subdirectory("built")?;
        if let Some((kept, path)) = self.take(&mut wheels, room.as_deref(), &directory)? {
            self.check_name(&kept.name)?;
            let wheel = CollectedWheel {
                name: kept.name,
                filename: kept.filename,
                path,
                sha256: None,
                obtained: Obtained::Local,
            };
            return Ok(self.finish(wheel, &wheels, kept.path_dependent, Made::Before));
        }

        let room = Room::claim(self.workshop, room, &self.label)?;
        let project = room.path.join("source").join(&self.project);
        let write = |source| BuildError::Write { label: self.label.clone(), source };
        fs_err::rename(&self.tree, room.path.join("source")).map_err(write)?;
        let backend = Backend::open(self.workshop, &self.label, &room.path, &project, &self.system)?;
        self.install(&backend, &wheels)?;
        let asked = backend.ask_requirements()?;
        let further = self.collect_further(&asked, &wheels)?;
        self.install(&backend, &further)?;
        let first = self.entry(&wheels);
        wheels.extend(further);
        let (built, filename) = backend.build()?;
        let path_dependent = find_path(&built, &room.path).map_err(write)?;
        let written = filename.split('-').next().and_then(|name| name.parse::<PackageName>().ok());
        let name = written.or_else(|| self.name.clone()).ok_or_else(|| backend.returned(BUILD, &filename))?;
        self.check_name(&name)?;
        let path = directory.join(&filename);
        fs_err::rename(built, &path).map_err(write)?;
        let wheel = CollectedWheel { name, filename, path, sha256: None, obtained: Obtained::Local };
        if let (Some(first), Some(entry)) = (first, self.entry(&wheels)) {
            first.keep_asked(&asked);
            entry.keep(&wheel, &path_dependent, room.fixed());
        }
        Ok(self.finish(wheel, &wheels, path_dependent, Made::Now))
    }

    /// The kept wheel of what is built with `wheels`, which what the backend is known to ask for is added to.
    fn take(
        &self,
        wheels: &mut Vec<CollectedWheel>,
        room: Option<&Path>,
        directory: &Path,
    ) -> Result<Option<(Kept, PathBuf)>, BuildError> {
        let Some(asked) = self.entry(wheels).and_then(|entry| entry.asked()) else { return Ok(None) };
        let further = self.collect_further(&asked, wheels)?;
        let known = wheels.len();
        wheels.extend(further);
        let taken = self.entry(wheels).and_then(|entry| entry.take(room, directory));
        if taken.is_none() {
            wheels.truncate(known);
        }
        Ok(taken)
    }

    /// The wheel with what is recorded of it.
    fn finish(
        self,
        wheel: CollectedWheel,
        wheels: &[CollectedWheel],
        path_dependent: Vec<String>,
        made: Made,
    ) -> CollectedWheel {
        let mut build_requirements: Vec<BuildRequirement> = wheels.iter().map(BuildRequirement::of).collect();
        build_requirements.sort();
        let obtained = Obtained::Built {
            source: self.recorded,
            sha256: self.sha256,
            build_requirements,
            locked: self.set.is_some(),
            made,
            path_dependent,
        };
        CollectedWheel { obtained, ..wheel }
    }

    fn entry(&self, wheels: &[CollectedWheel]) -> Option<Entry> {
        self.ingredients.as_ref().map(|ingredients| ingredients.with(self.workshop, wheels))
    }

    /// The directory that it is built in: the same for the same content, so that a path that goes into the wheel does
    /// not differ from build to build.
    fn room_path(&self) -> Option<PathBuf> {
        let subject = [self.content.as_bytes(), self.project.as_os_str().as_encoded_bytes()].concat();
        // Compilers write resolved paths: the prefix that they are to replace has to be one.
        let temporary = self.workshop.surroundings.temporary.canonicalize().ok()?;
        Some(ScratchDir::fixed_path(&temporary, &Sha256Digest::of(&subject)))
    }

    /// What the backend asked for beyond `present`, of which everything keeps its version.
    fn collect_further(&self, asked: &[String], present: &[CollectedWheel]) -> Result<Vec<CollectedWheel>, BuildError> {
        self.check_locked(asked)?;
        if self.set.is_some() || asked.is_empty() {
            return Ok(Vec::new());
        }
        let constraints: Vec<String> =
            present.iter().map(|wheel| format!("{}=={}", wheel.name, version_of(&wheel.filename))).collect();
        let mut further = self
            .workshop
            .collect_build_requirements(asked, &constraints, &self.trail)
            .map_err(|source| self.requirements_error(source))?;
        further.retain(|wheel| present.iter().all(|known| known.name != wheel.name));
        self.prove(&mut further)?;
        Ok(further)
    }

    /// Takes the digests of wheels that lie here, and refuses one that has another than it must.
    fn prove(&self, wheels: &mut [CollectedWheel]) -> Result<(), BuildError> {
        for wheel in wheels.iter_mut().filter(|wheel| !matches!(wheel.obtained, Obtained::Fetched(_))) {
            let digest = fs_err::File::open(&wheel.path).and_then(Sha256Digest::of_reader);
            let found = digest.map_err(|source| BuildError::Write { label: self.label.clone(), source })?;
            if let Some(expected) = wheel.sha256.replace(found).filter(|expected| *expected != found) {
                let file = wheel.filename.clone();
                return Err(self.requirements_error(CollectError::WrongHash { file, expected, found }));
            }
        }
        Ok(())
    }

    fn install(&self, backend: &Backend<'_>, wheels: &[CollectedWheel]) -> Result<(), BuildError> {
        for wheel in wheels {
            (self.workshop.install)(&wheel.path, wheel.sha256.as_ref(), backend.venv()).map_err(|source| {
                BuildError::Install { label: self.label.clone(), wheel: wheel.filename.clone(), source }
            })?;
        }
        Ok(())
    }

    fn requirements_error(&self, source: CollectError) -> BuildError {
        BuildError::Requirements { label: self.label.clone(), source: Box::new(source) }
    }
}

/// The directory that a build happens in.
struct Room {
    path: PathBuf,
    /// Holds a directory of a fixed name; one with a name of chance goes with all that is temporary.
    fixed: Option<ScratchDir>,
}

impl Room {
    /// The one at `path`, where it can be had.
    fn claim(workshop: &Workshop<'_>, path: Option<PathBuf>, label: &str) -> Result<Self, BuildError> {
        if let Some(path) = path
            && let Some(fixed) = ScratchDir::claim(&path, workshop.build_timeout)?
        {
            return Ok(Self { path, fixed: Some(fixed) });
        }
        let path = workshop.scratch.subdirectory("build")?;
        let write = |source| BuildError::Write { label: label.to_owned(), source };
        Ok(Self { path: path.canonicalize().map_err(write)?, fixed: None })
    }

    fn fixed(&self) -> Option<&Path> {
        self.fixed.as_ref().map(|_| self.path.as_path())
    }
}

/// The version in a wheel's file name.
fn version_of(filename: &str) -> &str {
    filename.split('-').nth(1).unwrap_or_default()
}

/// A directory's own name.
fn name_of(directory: &Path) -> String {
    let path = directory.components().as_path();
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

impl Source<'_> {
    /// The source as messages name it.
    fn label(&self) -> String {
        match self {
            Self::Project(path) => name_of(path),
            Self::Directory { root, project } => name_of(&root.join(project)),
            Self::Sdist { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Git { url, .. } => crate::redact::recorded_url(url),
        }
    }
}
