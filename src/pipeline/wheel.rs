//! Sources to wheels, one each, and nothing packed: the very wheels that a build makes of them on its way. One that lies in
//! a directory of distributions stands there for its source, so that a `.pyz` is the same whoever built its wheels, and
//! where.
//!
//! A lock says here what a source is built with, and by its digest what it is of. Whose lock it is, and whether that has
//! changed since, is not asked: the project need not be there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lock::{Context, Lock, LockFormat};
use crate::names::PackageName;
use crate::output::OutputError;
use crate::process::{PendingFile, ScratchDir};
use crate::project::input::InputError;
use crate::python::Interpreter;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::sdist_versions;
use crate::wheel::VerifiedWheel;
use crate::wheel::locked::LockedRequirements;

use super::collect::{BuildFacts, Collector, Given};
use super::finder::Finder;
use super::inputs::{Inputs, SourceKind};
use super::locked::locate_builds;
use super::pins::Unpinned;
use super::repositories::{check_out, find_epoch};
use super::workshop::{Commission, build_lock, choose_target, command_for_builds, with_workshop};
use super::{Observer, Stage};

/// Which wheels to build, and how.
#[derive(Debug, Clone)]
pub struct WheelSettings {
    /// What a build of them is told: its inputs are the sources.
    pub build: BuildSettings,
    /// The directory for the wheels.
    pub directory: PathBuf,
    /// The project's directory in the only source.
    pub subdirectory: Option<PathBuf>,
}

/// Wheels that have their names.
#[derive(Debug)]
pub struct MadeWheels {
    /// One for each source, in their order.
    pub wheels: Vec<MadeWheel>,
    /// The interpreter that built.
    pub interpreter: Interpreter,
    /// What another day could choose otherwise.
    pub unpinned: Unpinned,
}

/// A wheel that has its name.
#[derive(Debug)]
pub struct MadeWheel {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// What it was built from, and with what.
    pub facts: BuildFacts,
}

/// Builds the wheels that `settings` ask for.
///
/// # Errors
/// The error of the stage that failed; of several wheels those that were built before it is written are not there.
pub fn make_wheels(
    settings: &WheelSettings,
    world: &Surroundings,
    observer: &dyn Observer,
) -> Result<MadeWheels, Error> {
    let directory = settings.build.directory.join(&settings.directory);
    if directory.exists() && !directory.is_dir() {
        return Err(OutputError::NotADirectory(directory.display().to_string()).into());
    }
    observer.begin(Stage::Setup, "reading the inputs");
    let build = &place_inside(settings)?;
    let inputs = Inputs::read_to_build_wheels(build, world)?;
    for source in &inputs.sources {
        check_source(source)?;
    }
    let interpreter = inputs.find_interpreter(build, world)?;
    let target = choose_target(build, &interpreter)?;
    let lock = build.lock.as_ref().map(|path| read_lock(&build.directory.join(path))).transpose()?;
    let sets = match &lock {
        Some(lock) => locked_requirements(lock, &inputs, &interpreter, world)?,
        None => Vec::new(),
    };
    let command = command_for_builds(lock.as_ref());
    let build_lock = build_lock(&sets, &command, build.unpinned);
    let scratch = ScratchDir::create(&world.temporary)?;
    let checkouts = check_out(&inputs, build, world, &scratch, observer)?;
    let epoch = find_epoch(&inputs, &checkouts, build, world, observer)?;
    let commission = Commission {
        settings: build,
        world,
        inputs: &inputs,
        interpreter: &interpreter,
        scratch: &scratch,
        epoch,
        build_lock,
        observer,
    };
    let gathered = with_workshop(commission, |workshop| {
        let (target, scratch) = (&target, &scratch);
        let given = Given { entries: lock.as_ref(), subdirectory: settings.subdirectory.as_deref() };
        let collector = Collector { settings: build, world, observer, scratch, target, epoch, workshop, given };
        let gathered = collector.gather(&inputs, &checkouts)?;
        collector.allow_unpinned(&gathered.unpinned)?;
        Ok(gathered)
    })?;
    let mut names = BTreeSet::new();
    if let Some(twice) = gathered.builds.iter().find(|facts| !names.insert(&facts.filename)) {
        return Err(OutputError::Twice(twice.filename.clone()).into());
    }
    let written: Result<Vec<MadeWheel>, OutputError> =
        gathered.at_hand.iter().zip(gathered.builds).map(|(wheel, facts)| write(wheel, facts, &directory)).collect();
    Ok(MadeWheels { wheels: written?, interpreter, unpinned: gathered.unpinned })
}

/// The settings of the build, in which a directory is the project's own.
fn place_inside(settings: &WheelSettings) -> Result<BuildSettings, InputError> {
    let mut build = settings.build.clone();
    let Some(inside) = &settings.subdirectory else { return Ok(build) };
    if build.inputs.is_empty() {
        build.inputs.push(".".to_owned());
    }
    match build.inputs.as_mut_slice() {
        [only] if !only.starts_with("git+") => {
            if build.directory.join(&*only).is_dir() {
                *only = Path::new(only).join(inside).display().to_string();
            }
            Ok(build)
        }
        _ => Err(InputError::Subdirectory),
    }
}

fn check_source(source: &SourceKind) -> Result<(), InputError> {
    let (input, kind) = match source {
        SourceKind::Project(_) | SourceKind::Sdist(_) | SourceKind::Git(_) => return Ok(()),
        SourceKind::Wheel(path) => (path.display().to_string(), "a wheel"),
        SourceKind::Script { path, .. } => (path.display().to_string(), "a script"),
        SourceKind::Modules { root, .. } => (root.display().to_string(), "no project"),
        SourceKind::Requirement(requirement) => (requirement.to_string(), "the name of a distribution"),
    };
    Err(InputError::NoSource { input, kind })
}

/// Reads a lock for its entries. Of one that says what sources are built with, paths are followed, and stay in bounds.
fn read_lock(path: &Path) -> Result<Lock, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let lock = match LockFormat::of_name(name) {
        Some(LockFormat::Pylock) => Lock::read(path, Context { project: None, name: None }),
        _ => Lock::read_entries(path),
    };
    Ok(lock.map_err(Box::new)?)
}

fn locked_requirements(
    lock: &Lock,
    inputs: &Inputs,
    interpreter: &Interpreter,
    world: &Surroundings,
) -> Result<Vec<LockedRequirements>, Error> {
    if !lock.builds.is_empty() {
        lock.check_target(&interpreter.target).map_err(Box::new)?;
    }
    let finder = Finder::new(&interpreter.target, &world.cache, &inputs.index.find_links);
    let packages = lock.builds.iter().flat_map(|build| &build.packages);
    let tools: BTreeSet<&PackageName> = packages.map(|marked| &marked.package.name).collect();
    let may_build =
        |name: &PackageName| tools.contains(name) || inputs.sources.iter().any(|source| may_be(source, name));
    locate_builds(lock, &interpreter.target, &finder, may_build)
}

/// Whether a source may be that of this distribution, as far as that is known before it is read.
fn may_be(source: &SourceKind, name: &PackageName) -> bool {
    match source {
        SourceKind::Project(project) => {
            let table = project.pyproject.as_ref().and_then(|pyproject| pyproject.project.as_ref());
            table.is_none_or(|table| table.name.parse().as_ref() == Ok(name))
        }
        SourceKind::Sdist(path) => {
            let filename = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            sdist_versions(filename, name).next().is_some()
        }
        _ => true,
    }
}

/// Copies a wheel beside its name, then gives it that name.
fn write(wheel: &VerifiedWheel, facts: BuildFacts, directory: &Path) -> Result<MadeWheel, OutputError> {
    let path = directory.join(&facts.filename);
    let copy = || -> io::Result<u64> {
        std::fs::create_dir_all(directory)?;
        PendingFile::remove_abandoned(&path);
        let mut pending = PendingFile::create(&path)?;
        let size = io::copy(&mut File::open(&wheel.path)?, pending.file())?;
        pending.set_readable()?;
        pending.persist()?;
        Ok(size)
    };
    let size = copy().map_err(|error| OutputError::Io { path: path.display().to_string(), error })?;
    Ok(MadeWheel { path, size, facts })
}
