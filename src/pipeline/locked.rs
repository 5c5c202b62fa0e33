//! Locked: from a lock to wheels. Nothing is chosen but the file that fits the target; what the lock names is found,
//! fetched, built where it has no wheel, and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::application::{Overridden, facts_of};
use crate::error::Error;
use crate::lock::{Absence, Choice, FileHash, Lock, LockError, LockFormat, LockedSource, Selected, Wanted};
use crate::names::{ExtraName, PackageName};
use crate::python::Interpreter;
use crate::python::default_index;
use crate::redact::recorded_url;
use crate::resolve::Resolved;
use crate::settings::BuildSettings;
use crate::shown::count;
use crate::surroundings::Surroundings;
use crate::target::{
    Closure, ClosureError, Demand, DistributionFacts, Requirement, Requirer, Target, close, specifiers_contain,
};
use crate::wheel::collect::{CollectError, Made, Obtained};
use crate::wheel::locked::LockedRequirements;
use crate::wheel::{CollectedWheel, Origin, VerifiedWheel};

use super::Stage;
use super::collect::{Collector, Gathered, Requirements, Settled};
use super::finder::Finder;
use super::inputs::{DirectRequirements, Inputs};

/// What of a lock the target takes, and what sources are built with.
pub(super) struct Locked<'a> {
    lock: &'a Lock,
    target: &'a Target,
    extras: BTreeSet<ExtraName>,
    pub(super) selected: Vec<Selected<'a>>,
    /// What the lock holds of build requirements, for the interpreter that builds.
    pub(super) builds: Vec<LockedRequirements>,
}

impl<'a> Locked<'a> {
    /// What of the lock the target takes.
    ///
    /// # Errors
    /// When the lock is not for the target, an entry cannot be trusted, or something that is required is not in it.
    pub(super) fn select(
        lock: &'a Lock,
        inputs: &Inputs,
        settings: &BuildSettings,
        target: &'a Target,
        interpreter: &Interpreter,
        world: &Surroundings,
    ) -> Result<Self, Error> {
        let extras: BTreeSet<ExtraName> = settings.extras.iter().cloned().collect();
        let wanted = Wanted { extras: extras.clone(), groups: settings.groups.iter().cloned().collect() };
        let selected = lock.select(target, &wanted).map_err(Box::new)?;
        let mut locked = Self { lock, target, extras, selected, builds: Vec::new() };
        let direct = inputs.direct_requirements(settings);
        if let Some(direct) = &direct {
            for (requirer, requirement) in &direct.required {
                locked.check_covers(&direct.given, requirer, requirement)?;
            }
        }
        let finder = Finder::new(&interpreter.target, &world.cache, &inputs.index.find_links);
        let may_build = |name: &PackageName| locked.may_build(name, direct.as_ref());
        locked.builds = locate_builds(lock, &interpreter.target, &finder, may_build)?;
        Ok(locked)
    }

    /// Whether a distribution may have to be built: it is an input, or taken as a source, or built to build others.
    fn may_build(&self, name: &PackageName, direct: Option<&DirectRequirements>) -> bool {
        let taken = self.selected.iter().find(|one| one.package.name == *name);
        let builds = self.lock.builds.iter().flat_map(|build| &build.packages);
        direct.is_none_or(|direct| direct.given.contains(name))
            || taken.is_some_and(|one| !matches!(one.choice, Choice::Wheel(_)))
            || builds.into_iter().any(|marked| marked.package.name == *name)
    }

    /// Refuses a lock without an entry that meets a requirement of what is packed; `given` are the inputs' own names.
    fn check_covers(
        &self,
        given: &BTreeSet<PackageName>,
        requirer: &str,
        requirement: &Requirement,
    ) -> Result<(), Error> {
        let applies = |marker| self.target.applies(marker, &self.extras) == Ok(true);
        if !requirement.marker.as_ref().is_none_or(applies) || given.contains(&requirement.name) {
            return Ok(());
        }
        let entry = self.selected.iter().map(|one| one.package).find(|package| package.name == requirement.name);
        let reason = match entry {
            None => "it has no entry of that name for this target".to_owned(),
            Some(package) => match (requirement.specifiers(), &package.version) {
                (Some(specifiers), Some(version)) if !specifiers_contain(specifiers, version) => {
                    format!("it has {}", package.entry())
                }
                _ => return Ok(()),
            },
        };
        Err(Box::new(self.lock.stale(format!("{requirer} requires `{requirement}`, and {reason}"))).into())
    }

    /// Refuses a wheel that is not the version which the lock has of it.
    fn check_version(&self, wheel: &VerifiedWheel) -> Result<(), Error> {
        let mut entries = self.selected.iter().map(|one| one.package);
        let Some(package) = entries.find(|package| package.name == wheel.metadata.name) else { return Ok(()) };
        match &package.version {
            Some(version) if *version != wheel.metadata.version => {
                let reason = format!("it has `{}`, and what is packed is `{}`", package.entry(), wheel.filename);
                Err(Box::new(self.lock.stale(reason)).into())
            }
            _ => Ok(()),
        }
    }
}

impl Collector<'_> {
    /// Finds, fetches, builds and checks what the lock has.
    pub(super) fn collect_locked(
        &self,
        gathered: &mut Gathered,
        needed: Requirements,
        locked: &Locked<'_>,
    ) -> Result<Settled, Error> {
        self.allow_unpinned(&gathered.unpinned)?;
        let mut wheels = std::mem::take(&mut gathered.at_hand);
        let given: BTreeSet<PackageName> = wheels.iter().map(|wheel| wheel.metadata.name.clone()).collect();
        for wheel in &wheels {
            let requirer = format!("{} {}", wheel.metadata.name, wheel.metadata.version);
            for requirement in facts_of(wheel)?.requires_dist {
                locked.check_covers(&given, &requirer, &requirement)?;
            }
        }
        let lock = locked.lock;
        let known = lock.digests();
        for wheel in wheels.iter_mut().filter(|wheel| known.contains(&wheel.sha256)) {
            wheel.origin = Origin::Locked;
        }
        for wheel in &wheels {
            locked.check_version(wheel)?;
        }
        let missing = locked.selected.iter().filter(|one| !given.contains(&one.package.name));
        let mut finder = Finder::new(self.target, &self.world.cache, &self.workshop.index.find_links);
        let (mut built, mut open) = (Vec::new(), Vec::new());
        for one in missing {
            match built_beforehand(one, &finder) {
                Some(wheel) => built.push(wheel),
                None => open.push(one),
            }
        }
        let absence = if self.settings.offline || self.workshop.index.no_index {
            Absence::NotAsked
        } else {
            finder.list(&open, self.workshop.client, || self.indexes())?;
            Absence::NotListed
        };
        let packages = locate_all(lock, &open, &finder, absence)?;
        let sources = packages.iter().filter_map(|package| package.artifact.source_shown()).collect();
        self.allow_building(sources)?;
        self.observer.begin(Stage::Fetch, &format!("fetching {}", count(packages.len(), "distribution")));
        let advance = |done, total| self.observer.advance(done, total);
        let mut collected = self.workshop.materialise(packages, &advance, &[])?;
        collected.extend(built);
        wheels.extend(self.check_collected(collected, &needed.hashes, |_| Origin::Locked, gathered)?);
        for wheel in &wheels {
            locked.check_version(wheel)?;
        }
        let (roots, overridden) = self.settle(lock, &wheels, &given, needed.roots)?;
        Ok(Settled { wheels, roots, overridden, resolver: lock.filename() })
    }

    /// The indexes that are asked for what the lock gives no place.
    fn indexes(&self) -> Result<Vec<String>, Error> {
        let index = self.workshop.index;
        let first = match &index.index_url {
            Some(url) => url.clone(),
            None => default_index(self.world, self.workshop.interpreter)?,
        };
        Ok(std::iter::once(first).chain(index.extra_index_urls.iter().cloned()).collect())
    }

    /// Follows the requirements through the wheels: what the inputs require is in the lock; what the lock's own
    /// distributions require and it does not have, it overrides.
    fn settle(
        &self,
        lock: &Lock,
        wheels: &[VerifiedWheel],
        given: &BTreeSet<PackageName>,
        mut roots: Vec<Requirement>,
    ) -> Result<(Vec<Requirement>, Overridden), Error> {
        let mut candidates: BTreeMap<PackageName, Vec<DistributionFacts>> = BTreeMap::new();
        for wheel in wheels {
            candidates.entry(wheel.metadata.name.clone()).or_default().push(facts_of(wheel)?);
        }
        let mut overridden = Overridden::default();
        loop {
            let error = match close(&roots, &candidates, self.target) {
                Ok(closure) => {
                    let more: Vec<Requirement> = unreached(&candidates, &closure);
                    if more.is_empty() {
                        self.tell_unknown_extras(&closure);
                        break;
                    }
                    roots.extend(more);
                    continue;
                }
                Err(error) => error,
            };
            let (ClosureError::Missing { demand } | ClosureError::Unsatisfied { demand, .. }) = &error else {
                return Err(Box::new(error).into());
            };
            let Demand { requirement, required_by } = demand.as_ref();
            match required_by {
                // A file that lists everything with hashes leaves nothing out on purpose.
                Requirer::Distribution { .. }
                    if lock.format == LockFormat::Requirements && matches!(error, ClosureError::Missing { .. }) =>
                {
                    return Err(CollectError::Unhashed(requirement.name.to_string()).into());
                }
                Requirer::Distribution { name, .. } if !given.contains(name) => {
                    overridden.insert(name, requirement);
                    let facts = candidates.get_mut(name).into_iter().flatten();
                    facts.for_each(|facts| facts.requires_dist.retain(|other| other != requirement));
                }
                _ => return Err(Box::new(lock.stale(format!("it lacks what is required: {error}"))).into()),
            }
        }
        for (name, requirement) in overridden.iter() {
            self.observer.warn(&format!("`{}` overrides the requirement `{requirement}` of `{name}`", lock.filename()));
        }
        Ok((roots, overridden))
    }
}

/// What a lock has of build requirements for the interpreter that builds, and where that is. What cannot be taken of a
/// distribution that is not built anyway is left out.
pub(super) fn locate_builds(
    lock: &Lock,
    target: &Target,
    finder: &Finder<'_>,
    may_build: impl Fn(&PackageName) -> bool,
) -> Result<Vec<LockedRequirements>, Error> {
    let mut located = Vec::new();
    for build in &lock.builds {
        let packages = match lock.select_build(build, target) {
            Ok(packages) => packages,
            // A lock for many platforms builds some things elsewhere alone.
            Err(_) if !may_build(&build.name) => continue,
            Err(error) => return Err(Box::new(error).into()),
        };
        let packages = locate_all(lock, &packages.iter().collect::<Vec<_>>(), finder, Absence::NotAsked)?;
        let (name, version, requires) = (build.name.clone(), build.version.clone(), build.requires.clone());
        located.push(LockedRequirements { name, version, requires, packages });
    }
    Ok(located)
}

/// Where the files of entries are.
///
/// # Errors
/// [`LockError::NotAtHand`] with every entry of which there is none.
fn locate_all(
    lock: &Lock,
    selected: &[&Selected<'_>],
    finder: &Finder<'_>,
    absence: Absence,
) -> Result<Vec<Resolved>, Error> {
    let (mut located, mut entries) = (Vec::with_capacity(selected.len()), Vec::new());
    for one in selected {
        match locate(lock, one, finder)? {
            Some(resolved) => located.push(resolved),
            None => entries.push(one.package.entry()),
        }
    }
    if entries.is_empty() {
        return Ok(located);
    }
    Err(Box::new(LockError::NotAtHand { path: lock.path.clone(), entries, absence }).into())
}

/// Where an entry's file is; nothing if it is nowhere.
fn locate(lock: &Lock, one: &Selected<'_>, finder: &Finder<'_>) -> Result<Option<Resolved>, Error> {
    let package = one.package;
    let Some(artifact) = finder.place(one)? else {
        if let (Some((file, found)), LockedSource::Digests { digests, .. }) = (finder.find_other(one), &package.source)
        {
            let allowed: Vec<String> = digests.iter().filter_map(FileHash::sha256).map(|one| one.to_string()).collect();
            let (by, allowed) = (lock.described(), allowed.join(" or "));
            return Err(CollectError::NotAllowed { by, file, allowed, found }.into());
        }
        return Ok(None);
    };
    let version = package.version.as_ref().map(ToString::to_string);
    Ok(Some(Resolved { name: package.name.clone(), version, artifact }))
}

/// A wheel of a source that was built before, by Nix for one, and lies at hand: it stands for the source.
fn built_beforehand(one: &Selected<'_>, finder: &Finder<'_>) -> Option<CollectedWheel> {
    let inside = |subdirectory: Option<&Path>| {
        subdirectory.map(|inside| format!("#subdirectory={}", inside.display())).unwrap_or_default()
    };
    let (source, sha256) = match (&one.choice, &one.package.source) {
        (Choice::Sdist(file), source) => {
            let subdirectory = match source {
                LockedSource::Archive { subdirectory, .. } => subdirectory.as_deref(),
                _ => None,
            };
            (file.filename.clone() + &inside(subdirectory), file.hash.sha256())
        }
        (Choice::Source, LockedSource::Git { url, commit, subdirectory }) => {
            (format!("git+{}@{commit}{}", recorded_url(url), inside(subdirectory.as_deref())), None)
        }
        _ => return None,
    };
    let (filename, path) = finder.find_built(one.package)?;
    let obtained = Obtained::Built {
        source,
        sha256,
        build_requirements: Vec::new(),
        locked: true,
        made: Made::Elsewhere,
        path_dependent: Vec::new(),
    };
    Some(CollectedWheel { name: one.package.name.clone(), filename, path, sha256: None, obtained })
}

/// Requirements that name what no other requirement reaches: a lock may hold more than metadata asks for.
fn unreached(candidates: &BTreeMap<PackageName, Vec<DistributionFacts>>, closure: &Closure<'_>) -> Vec<Requirement> {
    let left = candidates.iter().filter(|(name, _)| !closure.selected.contains_key(*name));
    let exact = left.flat_map(|(name, facts)| facts.iter().map(move |facts| format!("{name}=={}", facts.version)));
    exact.map(|text| text.parse().expect("a name and a version make a requirement")).collect()
}
