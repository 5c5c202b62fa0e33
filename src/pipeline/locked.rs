//! Locked: from a lock to wheels. Nothing is chosen but the file that fits the target; what the lock names is found,
//! fetched, built where it has no wheel, and checked.

use std::collections::{BTreeMap, BTreeSet};

use crate::application::{Overridden, facts_of};
use crate::error::Error;
use crate::lock::{Choice, Lock, LockError, LockedSource, Selected, Wanted};
use crate::names::PackageName;
use crate::redact::recorded_url;
use crate::resolve::{Artifact, Resolved};
use crate::target::{
    Closure, ClosureError, Demand, DistributionFacts, Requirement, Requirer, close, specifiers_contain,
};
use crate::wheel::collect as workshop;
use crate::wheel::{CollectedWheel, Origin, VerifiedWheel};

use super::Stage;
use super::collect::{Collector, Gathered, Requirements, Settled, count};
use super::finder::Finder;
use super::inputs::Inputs;

/// What of a lock the target takes, found as far as reading directories tells.
pub(super) struct Locked<'a> {
    lock: &'a Lock,
    selected: Vec<Selected<'a>>,
}

impl Collector<'_> {
    /// What of the lock the target takes.
    ///
    /// # Errors
    /// When the lock is not for the target, an entry cannot be trusted, or something that is required is not in it.
    pub(super) fn select_locked<'a>(&self, inputs: &Inputs, lock: &'a Lock) -> Result<Locked<'a>, Error> {
        let wanted = Wanted {
            extras: self.settings.extras.iter().cloned().collect(),
            groups: self.settings.groups.iter().cloned().collect(),
        };
        let selected = lock.select(self.target, &wanted).map_err(Box::new)?;
        let locked = Locked { lock, selected };
        if let Some((given, required)) = inputs.direct_requirements(self.settings) {
            for (requirer, requirement) in &required {
                self.check_covers(&locked, &given, requirer, requirement)?;
            }
        }
        Ok(locked)
    }

    /// Refuses a lock without an entry that meets a requirement of what is packed; `given` are the inputs' own names.
    fn check_covers(
        &self,
        locked: &Locked<'_>,
        given: &BTreeSet<PackageName>,
        requirer: &str,
        requirement: &Requirement,
    ) -> Result<(), Error> {
        let extras = self.settings.extras.iter().cloned().collect();
        let applies = requirement.marker.as_ref().is_none_or(|marker| self.target.applies(marker, &extras) == Ok(true));
        if !applies || given.contains(&requirement.name) {
            return Ok(());
        }
        let entry = locked.selected.iter().map(|one| one.package).find(|package| package.name == requirement.name);
        let reason = match entry {
            None => "it has no entry of that name for this target".to_owned(),
            Some(package) => match (requirement.specifiers(), &package.version) {
                (Some(specifiers), Some(version)) if !specifiers_contain(specifiers, version) => {
                    format!("it has {}", package.entry())
                }
                _ => return Ok(()),
            },
        };
        Err(Box::new(locked.lock.stale(format!("{requirer} requires `{requirement}`, and {reason}"))).into())
    }

    /// Finds, fetches, builds and checks what the lock has.
    pub(super) fn collect_locked(
        &self,
        gathered: &mut Gathered,
        needed: Requirements,
        locked: Locked<'_>,
    ) -> Result<Settled, Error> {
        self.allow_unpinned(&gathered.unpinned)?;
        let mut wheels = std::mem::take(&mut gathered.at_hand);
        let given: BTreeSet<PackageName> = wheels.iter().map(|wheel| wheel.metadata.name.clone()).collect();
        for wheel in &wheels {
            let requirer = format!("{} {}", wheel.metadata.name, wheel.metadata.version);
            for requirement in facts_of(wheel)?.requires_dist {
                self.check_covers(&locked, &given, &requirer, &requirement)?;
            }
        }
        let Locked { lock, selected } = locked;
        let known = lock.digests();
        for wheel in wheels.iter_mut().filter(|wheel| known.contains(&wheel.sha256)) {
            wheel.origin = Origin::Locked;
        }
        for wheel in &wheels {
            check_version(lock, &selected, wheel)?;
        }
        let missing = selected.iter().filter(|one| !given.contains(&one.package.name));
        let finder = Finder::new(self.target, &self.world.cache, &self.workshop.index.find_links);
        let mut packages = Vec::new();
        let mut built = Vec::new();
        for one in missing {
            match built_beforehand(one, &finder) {
                Some(wheel) => built.push(wheel),
                None => packages.push(locate(lock, one, &finder)?),
            }
        }
        let sources = packages.iter().filter_map(|package| package.artifact.source_shown()).collect();
        self.allow_building(sources)?;
        self.observer.begin(Stage::Fetch, &format!("fetching {}", count(packages.len(), "distribution")));
        let advance = |done, total| self.observer.advance(done, total);
        let mut collected = self.workshop.materialise(packages, &advance, &[])?;
        collected.extend(built);
        wheels.extend(self.check_collected(collected, &needed.hashes, |_| Origin::Locked, &mut gathered.unpinned)?);
        for wheel in &wheels {
            check_version(lock, &selected, wheel)?;
        }
        let (roots, overridden) = self.settle(lock, &wheels, &given, needed.roots)?;
        Ok(Settled { wheels, roots, overridden, resolver: lock.filename() })
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

/// Where an entry's file is.
fn locate(lock: &Lock, one: &Selected<'_>, finder: &Finder<'_>) -> Result<Resolved, Error> {
    let package = one.package;
    let absent = || LockError::NotAtHand { path: lock.path.clone(), entry: package.entry() };
    let artifact = match (&one.choice, &package.source) {
        (Choice::Wheel(file), _) => finder.find(file).map(Artifact::Wheel),
        (Choice::Sdist(file), _) => finder.find(file).map(Artifact::Sdist),
        (Choice::Digests, LockedSource::Digests { digests, .. }) => finder.find_any(package, digests)?,
        (Choice::Source, LockedSource::Git { url, commit, subdirectory }) => {
            let (url, commit, subdirectory) = (url.clone(), commit.clone(), subdirectory.clone());
            Some(Artifact::Git { url, commit, subdirectory })
        }
        (Choice::Source, LockedSource::Directory { path }) => Some(Artifact::Directory(path.clone())),
        _ => unreachable!("a choice goes with its source"),
    };
    let artifact = artifact.ok_or_else(absent).map_err(Box::new)?;
    let version = package.version.as_ref().map(ToString::to_string);
    Ok(Resolved { name: package.name.clone(), version, artifact })
}

/// A wheel of a source that was built before, by Nix for one, and lies at hand: it stands for the source.
fn built_beforehand(one: &Selected<'_>, finder: &Finder<'_>) -> Option<CollectedWheel> {
    let (source, sha256) = match (&one.choice, &one.package.source) {
        (Choice::Sdist(file), _) => (file.filename.clone(), file.hash.sha256()),
        (Choice::Source, LockedSource::Git { url, commit, .. }) => {
            (format!("git+{}@{commit}", recorded_url(url)), None)
        }
        _ => return None,
    };
    let (filename, path) = finder.find_built(one.package)?;
    let origin = workshop::Origin::Built {
        source,
        sha256,
        build_requirements: Vec::new(),
        locked: false,
        reused: false,
        path_dependent: Vec::new(),
    };
    Some(CollectedWheel { name: one.package.name.clone(), filename, path, sha256: None, origin })
}

/// Requirements that name what no other requirement reaches: a lock may hold more than metadata asks for.
fn unreached(candidates: &BTreeMap<PackageName, Vec<DistributionFacts>>, closure: &Closure<'_>) -> Vec<Requirement> {
    let left = candidates.iter().filter(|(name, _)| !closure.selected.contains_key(*name));
    let exact = left.flat_map(|(name, facts)| facts.iter().map(move |facts| format!("{name}=={}", facts.version)));
    exact.map(|text| text.parse().expect("a name and a version make a requirement")).collect()
}

/// Refuses a wheel that is not the version which the lock has of it.
fn check_version(lock: &Lock, selected: &[Selected<'_>], wheel: &VerifiedWheel) -> Result<(), Error> {
    let entry = selected.iter().map(|one| one.package).find(|package| package.name == wheel.metadata.name);
    let Some(package) = entry else { return Ok(()) };
    match &package.version {
        Some(version) if *version != wheel.metadata.version => {
            let reason = format!("it has `{}`, and what is packed is `{}`", package.entry(), wheel.filename);
            Err(Box::new(lock.stale(reason)).into())
        }
        _ => Ok(()),
    }
}
