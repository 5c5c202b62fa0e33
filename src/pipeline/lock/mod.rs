//! Making a lock: what has to be locked is read, versions are chosen, backends are asked, and `pylock.toml` is written.
//!
//! `LockSettings -> Inputs -> Scopes -> Pinned -> Draft -> WrittenLock`
//!
//! Every extra and every dependency group is locked beside what is always needed, all in one resolution, so that no two
//! of them choose different versions; which of them needs a package is then asked of each alone, and becomes its marker.

mod builds;
mod coverage;
mod entries;
mod freshness;
mod nix;
mod scopes;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::archive::Epoch;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{Draft, EarlierLock, EarlierPackage, LockError, LockFormat};
use crate::names::PackageName;
use crate::output::{OutputError, check_target};
use crate::process::{PendingFile, ScratchDir};
use crate::project::detect::{DetectError, detect_lock, script_locks};
use crate::project::git::GitSource;
use crate::python::environment::resolver_environment;
use crate::resolve::{Extent, PinRequest, Pinned, Pinning, Preferred, Request, ResolveError, TargetOverride, pin};
use crate::settings::{BuildSettings, EpochChoice};
use crate::surroundings::Surroundings;
use crate::target::{Marker, Target};
use crate::wheel::build::{Known, Source};
use crate::wheel::collect::{CollectError, Workshop};
use crate::wheel::locked::BuildLock;
use crate::wheel::{Origin, VerifiedWheel, WheelInput, verify_wheel};

use self::builds::{BuildLocker, BuildSource, ToBuild};
use self::coverage::{default_python, environment, lowest_python};
use self::entries::{Merged, canonical, complete_digests, entry, restrict};
use self::scopes::{Scopes, StaticProject, read_scopes};
use super::collect::RESOLVE_TIMEOUT;
use super::inputs::{Inputs, SourceKind};
use super::pins::AllowedHashes;
use super::workshop::{Commission, choose_target, with_workshop};
use super::{Observer, Stage};

pub use coverage::Coverage;
pub use freshness::{check, find_staleness, inputs_digest};
pub use nix::{NixSettings, WrittenNix, check_for_nix, lock_for_nix};

/// What to lock, and how.
#[derive(Debug, Clone)]
pub struct LockSettings {
    /// What a build would be told. Of the extras and the groups only those that are named are locked; where none is, all.
    pub build: BuildSettings,
    /// The file to write; none for `pylock.toml` beside the first input.
    pub output: Option<PathBuf>,
    /// For which platforms and Pythons.
    pub coverage: Coverage,
    /// What becomes of the versions of an earlier lock.
    pub versions: Versions,
}

/// What becomes of the versions of an earlier lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// They stay, where nothing speaks against them.
    Keep,
    /// All are chosen anew.
    Upgrade,
}

impl Versions {
    /// Those of an earlier lock that are to stay.
    fn preferred(self, packages: &[EarlierPackage], coverage: Coverage, target: &Target) -> Vec<Preferred> {
        if self == Self::Upgrade {
            return Vec::new();
        }
        let universal = coverage == Coverage::Universal;
        let applies = |marker: &Marker| target.applies(marker, &BTreeSet::new()).unwrap_or(true);
        let preferred = packages.iter().filter_map(|package| {
            let EarlierPackage { name, version, marker } = package.clone();
            let counts = universal || marker.as_ref().is_none_or(applies);
            // A marker with extras means nothing to a resolver; its version does.
            let marker = marker.filter(|marker| {
                let sets = [crate::target::Variable::Extras, crate::target::Variable::DependencyGroups];
                universal && !sets.into_iter().any(|set| marker.mentions(set))
            });
            counts.then_some(())?;
            Some(Preferred { name, version: version?, marker })
        });
        preferred.collect()
    }
}

/// A lock that is written.
#[derive(Debug, Clone)]
pub struct WrittenLock {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// The digest of what was locked.
    pub inputs: Sha256Digest,
    /// The distributions in it.
    pub packages: usize,
    /// The distributions that its builds need.
    pub build_packages: usize,
    /// The sources of which build requirements are locked.
    pub builds: Vec<PackageName>,
    /// The one target that it is for; none for any.
    pub target: Option<String>,
    /// What chose the versions.
    pub resolver: &'static str,
}

/// Writes the lock that `settings` ask for.
///
/// # Errors
/// The error of the stage that failed; an older lock is as it was.
pub fn lock(settings: &LockSettings, world: &Surroundings, observer: &dyn Observer) -> Result<WrittenLock, Error> {
    let build = &settings.build;
    observer.begin(Stage::Setup, "reading the inputs");
    let inputs = Inputs::read_to_lock(build, world)?;
    let path = lock_path(settings, &inputs)?;
    check_target(&path)?;
    let interpreter = inputs.find_interpreter(build, world)?;
    let earlier = EarlierLock::read(&path).unwrap_or_default();
    let scratch = ScratchDir::create(&world.temporary)?;
    let target = choose_target(build, &interpreter)?;
    let build_lock = BuildLock::default();
    // A lock holds no time.
    let epoch = match settings.build.epoch {
        EpochChoice::At(epoch) => epoch,
        EpochChoice::Commit => Epoch::default(),
    };
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
    with_workshop(commission, |workshop| {
        let (inputs, path, target, earlier) = (&inputs, path.as_path(), &target, &earlier);
        let locker = Locker { settings, world, observer, inputs, path, workshop, target, earlier };
        let (draft, resolver) = locker.draft()?;
        let written = write(&draft, locker.directory(), settings, target, resolver)?;
        tell_others(&written.path, inputs, observer);
        Ok(written)
    })
}

/// Tells of locks beside the new one: a build takes none of several that is not named.
fn tell_others(path: &Path, inputs: &Inputs, observer: &dyn Observer) {
    let beside = match inputs.sources.first() {
        Some(SourceKind::Script { path, .. }) => script_locks(path),
        _ => match path.parent().map(detect_lock) {
            Some(Err(DetectError::SeveralLocks(locks))) => locks,
            _ => return,
        },
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = name(path);
    let others: Vec<String> = beside.iter().map(|other| name(other)).filter(|other| *other != own).collect();
    // A lock of another name is no build's until it is named.
    if others.is_empty() || beside.iter().all(|other| name(other) != own) {
        return;
    }
    let others = others.join("`, `");
    observer.warn(&format!("`{others}` was not read, and is a lock too: build with `--lock {own}`"));
}

/// The file that is written, with its directory's links resolved.
fn lock_path(settings: &LockSettings, inputs: &Inputs) -> Result<PathBuf, Error> {
    let directory = &settings.build.directory;
    let beside = |path: &Path| path.parent().unwrap_or(directory).to_owned();
    let path = match (&settings.output, inputs.sources.first()) {
        (Some(output), _) => directory.join(output),
        (None, Some(SourceKind::Project(project))) => project.root.join("pylock.toml"),
        // A script is a neighbour of other scripts and of projects, whose locks are not its own.
        (None, Some(SourceKind::Script { path, module, .. })) => beside(path).join(format!("pylock.{module}.toml")),
        (None, _) => directory.join("pylock.toml"),
    };
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if LockFormat::of_name(name) != Some(LockFormat::Pylock) {
        return Err(Box::new(LockError::UnknownName(path)).into());
    }
    Ok(canonical(&beside(&path)).join(name))
}

/// A lock in the making.
struct Locker<'a> {
    settings: &'a LockSettings,
    world: &'a Surroundings,
    observer: &'a dyn Observer,
    inputs: &'a Inputs,
    /// The lock's file.
    path: &'a Path,
    workshop: &'a Workshop<'a>,
    target: &'a Target,
    earlier: &'a EarlierLock,
}

impl Locker<'_> {
    fn draft(&self) -> Result<(Draft, &'static str), Error> {
        let inputs = inputs_digest(self.inputs)?;
        let mut to_build = Vec::new();
        let (mut scopes, hashes) = self.scopes(&mut to_build)?;
        self.check_names(&scopes)?;
        scopes.keep(&self.settings.build.extras, &self.settings.build.groups);
        let universal = self.settings.coverage == Coverage::Universal;
        let own = self.target.python;
        let requires_python = scopes.requires_python.clone().unwrap_or_else(|| default_python(universal, own));
        let lowest = lowest_python(&requires_python).to_string();
        let extent = |fewest| if universal { Extent::Everywhere { lowest: &lowest, fewest } } else { Extent::Target };
        let (packages, resolver) = self.choose(&scopes, &hashes, extent(false))?;
        let preferred = self.preferred(&self.earlier.build_packages);
        let builds = BuildLocker {
            workshop: self.workshop,
            observer: self.observer,
            lock: self.path,
            target: (!universal).then_some(self.target),
            extent: extent(true),
            preferred: &preferred,
            directory: self.directory(),
        };
        to_build.extend(packages.iter().filter_map(|package| builds.unbuilt(package)));
        let builds = builds.lock_builds(to_build)?;
        let draft = Draft {
            path: self.path.to_owned(),
            requires_python,
            environments: if universal { Vec::new() } else { vec![environment(self.target)] },
            extras: scopes.extras(),
            groups: scopes.groups(),
            inputs,
            packages: packages
                .iter()
                .map(|package| entry(package, self.path))
                .collect::<Result<_, _>>()
                .map_err(Box::new)?,
            builds,
        };
        Ok((draft, resolver))
    }

    /// Reads what is locked; sources whose requirements only a backend knows are built for that.
    fn scopes(&self, to_build: &mut Vec<ToBuild>) -> Result<(Scopes, AllowedHashes), Error> {
        let (mut projects, mut wheels) = (Vec::new(), Vec::new());
        for source in &self.inputs.sources {
            let source = match source {
                SourceKind::Project(project) => {
                    let known = StaticProject::read(project);
                    let name = match &known {
                        Some(known) => known.name.clone(),
                        None => {
                            let source = Source::Project(&project.root);
                            let wheel = self.build(&source, &project.root.display().to_string())?;
                            let name = wheel.metadata.name.clone();
                            wheels.push(wheel);
                            name
                        }
                    };
                    projects.extend(known);
                    ToBuild { name, version: None, source: BuildSource::Directory(project.root.clone()) }
                }
                SourceKind::Wheel(path) => {
                    wheels.push(self.verify(path)?);
                    continue;
                }
                SourceKind::Sdist(path) => {
                    let wheel = self.build(
                        &Source::Sdist { path, sha256: None, subdirectory: None },
                        &path.display().to_string(),
                    )?;
                    let (name, version) = (wheel.metadata.name.clone(), Some(wheel.metadata.version.to_string()));
                    wheels.push(wheel);
                    ToBuild { name, version, source: BuildSource::Sdist(path.clone()) }
                }
                SourceKind::Git(git) => {
                    let (wheel, source) = self.build_commit(git)?;
                    let (name, version) = (wheel.metadata.name.clone(), Some(wheel.metadata.version.to_string()));
                    wheels.push(wheel);
                    ToBuild { name, version, source }
                }
                SourceKind::Requirement(_) | SourceKind::Script { .. } | SourceKind::Modules { .. } => continue,
            };
            to_build.push(source);
        }
        read_scopes(self.inputs, &projects, &wheels)
    }

    fn build(&self, source: &Source<'_>, shown: &str) -> Result<VerifiedWheel, Error> {
        self.observer.begin(Stage::Build, &format!("building {shown}, whose requirements its backend alone knows"));
        let built = self.workshop.build(source, Known::default(), &[]).map_err(Box::new)?;
        self.verify(&built.path)
    }

    fn verify(&self, path: &Path) -> Result<VerifiedWheel, Error> {
        let input = WheelInput { path: path.to_owned(), expected: None, origin: Origin::Local };
        Ok(verify_wheel(&input, &self.settings.build.limits)?)
    }

    fn build_commit(&self, git: &GitSource) -> Result<(VerifiedWheel, BuildSource), Error> {
        self.observer.begin(Stage::Build, &format!("fetching {}", git.url));
        let into = self.workshop.scratch.subdirectory("git")?.join(git.name());
        let temporary = self.workshop.scratch.subdirectory("git-tmp")?;
        let environment = resolver_environment(self.world, &temporary, None);
        let program = self.world.find_program("git");
        let checkout = git.checkout(program.as_deref(), &into, &environment, self.settings.build.offline)?;
        let project = checkout.project.strip_prefix(&checkout.root).unwrap_or(Path::new(""));
        let wheel = self.build(&Source::Directory { root: &checkout.root, project }, &git.url)?;
        Ok((wheel, BuildSource::Directory(checkout.project.clone())))
    }

    /// Refuses extras that nothing has.
    fn check_names(&self, scopes: &Scopes) -> Result<(), Error> {
        let known = scopes.extras();
        match self.settings.build.extras.iter().find(|extra| !known.contains(*extra)) {
            None => Ok(()),
            Some(extra) => {
                let known = known.iter().map(ToString::to_string).collect();
                let path = self.path.to_owned();
                Err(Box::new(LockError::NoSuchName { path, kind: "extra", name: extra.clone(), known }).into())
            }
        }
    }

    /// Chooses the versions of all scopes together, then asks of each alone what it needs.
    fn choose(
        &self,
        scopes: &Scopes,
        hashes: &AllowedHashes,
        extent: Extent<'_>,
    ) -> Result<(Vec<Pinned>, &'static str), Error> {
        let lines = scopes.all_lines();
        if lines.is_empty() {
            return Ok((Vec::new(), "nothing"));
        }
        self.observer.begin(Stage::Resolve, "choosing versions");
        let Pinning { packages: mut all, resolver } = self.pin(&lines, scopes, extent, &[])?;
        all.retain(|package| !scopes.named.contains(&package.name));
        complete_digests(&mut all, self.workshop)?;
        restrict(&mut all, hashes)?;
        let mut merged = Merged::default();
        let alone = scopes.lines.len() == 1;
        for (of, lines) in scopes.lines.iter().filter(|(_, lines)| !lines.is_empty()) {
            if alone {
                merged.add(of, all.iter().cloned());
                continue;
            }
            self.observer.begin(Stage::Resolve, &format!("choosing versions: {of}"));
            let needed = self.pin(lines, scopes, extent, &all)?.packages;
            for package in needed.into_iter().filter(|package| !scopes.named.contains(&package.name)) {
                let known = all.iter().find(|one| one.name == package.name && one.version == package.version);
                let Some(known) = known else {
                    let version = package.version.unwrap_or_default();
                    let reason = format!("{of} alone needs {} {version}, which all together do not", package.name);
                    return Err(CollectError::from(ResolveError::Answer { resolver, reason }).into());
                };
                merged.add(of, [Pinned { marker: package.marker, ..known.clone() }]);
            }
        }
        let mut packages = merged.into_packages();
        hashes.bind_pinned(&packages)?;
        packages.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
        Ok((packages, resolver))
    }

    fn pin(&self, lines: &[String], scopes: &Scopes, extent: Extent<'_>, settled: &[Pinned]) -> Result<Pinning, Error> {
        let build = &self.settings.build;
        let overridden = (build.target_python.is_some() || build.platform.is_some()).then(|| TargetOverride {
            python: build.target_python.map(|minor| (minor.major, minor.minor)),
            platform: build.platform.clone(),
        });
        let request = Request {
            requirements: lines,
            constraints: &scopes.constraints,
            index: self.workshop.index,
            interpreter: self.workshop.interpreter,
            target: overridden.as_ref(),
            offline: build.offline,
            directory: self.directory(),
            timeout: RESOLVE_TIMEOUT,
            told: self.workshop.told,
        };
        let preferred = self.preferred(&self.earlier.packages);
        let wanted = PinRequest { request, extent, preferred: &preferred, settled };
        Ok(pin(&wanted, self.world, self.workshop.scratch.path()).map_err(CollectError::from)?)
    }

    fn preferred(&self, packages: &[EarlierPackage]) -> Vec<Preferred> {
        self.settings.versions.preferred(packages, self.settings.coverage, self.target)
    }

    /// The directory whose resolver configuration counts.
    fn directory(&self) -> &Path {
        let root = self.inputs.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(project.root.as_path()),
            _ => None,
        });
        root.unwrap_or(&self.settings.build.directory)
    }
}

/// Writes the lock beside its name, then gives it that name.
fn write(
    draft: &Draft,
    project: &Path,
    settings: &LockSettings,
    target: &Target,
    resolver: &'static str,
) -> Result<WrittenLock, Error> {
    let text = draft.to_toml(Some(project)).map_err(Box::new)?;
    let shown = draft.path.display().to_string();
    let io_error = |error| OutputError::Io { path: shown.clone(), error };
    PendingFile::remove_abandoned(&draft.path);
    let mut pending = PendingFile::create(&draft.path).map_err(io_error)?;
    pending.write_all(text.as_bytes()).map_err(io_error)?;
    pending.set_readable().map_err(io_error)?;
    pending.persist().map_err(io_error)?;
    let mut build_packages = BTreeSet::new();
    for entry in draft.builds.iter().flat_map(|build| &build.packages) {
        build_packages.insert((&entry.package.name, &entry.package.version));
    }
    Ok(WrittenLock {
        path: draft.path.clone(),
        sha256: Sha256Digest::of(text.as_bytes()),
        inputs: draft.inputs,
        packages: draft.packages.len(),
        build_packages: build_packages.len(),
        builds: draft.builds.iter().map(|build| build.name.clone()).collect(),
        target: (settings.coverage == Coverage::Target).then(|| target.to_string()),
        resolver,
    })
}

impl AllowedHashes {
    /// Refuses packages of which no digest is listed, where every one needs one.
    fn bind_pinned(&self, packages: &[Pinned]) -> Result<(), CollectError> {
        let unlisted = packages.iter().filter(|package| self.is_required() && self.of(&package.name).is_none());
        let names: Vec<String> = unlisted.map(|package| package.name.to_string()).collect();
        if names.is_empty() { Ok(()) } else { Err(CollectError::Unhashed(names.join(", "))) }
    }
}
