//! What of a lock a target takes: the entries that are needed there, one a name, and of each the file that fits best.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Edge, EntryFault, FileHash, Lock, LockError, LockFormat, LockedFile, LockedPackage, LockedSource, Membership,
    PackageIndex,
};
use crate::names::{ExtraName, GroupName};
use crate::target::{Activation, BuildOrder, Target, WheelFilename};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Extras of the project.
    pub extras: BTreeSet<ExtraName>,
    /// Dependency groups of the project, beside the lock's default ones.
    pub groups: BTreeSet<GroupName>,
}

/// An entry that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected<'a> {
    /// The entry.
    pub package: &'a LockedPackage,
    /// What of it is taken.
    pub choice: Choice<'a>,
}

/// What of an entry is taken. Every file and digest has a sha256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<'a> {
    /// This wheel.
    Wheel(&'a LockedFile),
    /// This source distribution; the project lies in the subdirectory, where there is one.
    Sdist(&'a LockedFile),
    /// The best of the files with these digests that the index has ([`LockedSource::Digests`]).
    Digests,
    /// What the source says: a commit, a directory.
    Source,
}

impl Lock {
    /// The entries that `target` needs for what is wanted, by name.
    ///
    /// # Errors
    /// [`LockError`]: the lock is not for this target, does not have what is wanted, or an entry that is needed cannot be
    /// used.
    pub fn select(&self, target: &Target, wanted: &Wanted) -> Result<Vec<Selected<'_>>, LockError> {
        self.check_target(target)?;
        self.check_wanted(wanted)?;
        let mut walk = Walk { lock: self, target, active: self.activate(wanted), reached: BTreeMap::new() };
        walk.run()?;
        let reached = walk.reached;
        let mut selected: Vec<Selected<'_>> = Vec::new();
        for index in reached.keys() {
            let package = &self.packages[index.0];
            if matches!(package.source, LockedSource::Virtual { .. }) {
                continue;
            }
            selected.push(Selected { package, choice: self.choose(package, target)? });
        }
        selected.sort_by(|left, right| left.package.name.cmp(&right.package.name));
        for pair in selected.windows(2) {
            let [left, right] = pair else { continue };
            if left.package.name == right.package.name {
                let name = left.package.name.clone();
                let same = selected.iter().filter(|one| one.package.name == name);
                let versions = same.map(|one| one.package.version_text()).collect();
                return Err(LockError::Ambiguous { path: self.path.clone(), name, versions });
            }
        }
        Ok(selected)
    }

    fn check_target(&self, target: &Target) -> Result<(), LockError> {
        if let Some(requires_python) = self.requires_python.as_ref().filter(|python| !target.satisfies(python)) {
            return Err(LockError::Python {
                path: self.path.clone(),
                requires_python: requires_python.clone(),
                target: target.python_text(),
            });
        }
        let fits = |marker: &crate::target::Marker| target.applies(marker, &BTreeSet::new()).unwrap_or(false);
        if !self.environments.is_empty() && !self.environments.iter().any(fits) {
            let environments: Vec<String> = self.environments.iter().map(ToString::to_string).collect();
            let (path, target) = (self.path.clone(), target.to_string());
            return Err(LockError::Environment { path, target, environments: environments.join("; ") });
        }
        Ok(())
    }

    fn check_wanted(&self, wanted: &Wanted) -> Result<(), LockError> {
        for (kind, asked, known) in [("extra", &wanted.extras, &self.extras), ("group", &wanted.groups, &self.groups)] {
            let Some(known) = known else { continue };
            if let Some(name) = asked.iter().find(|name| !known.contains(*name)) {
                let known = known.iter().map(ToString::to_string).collect();
                return Err(LockError::NoSuchName { path: self.path.clone(), kind, name: name.clone(), known });
            }
        }
        let asks = |member: &&Membership| match member {
            Membership::Base => false,
            Membership::Extra(name) => wanted.extras.contains(name),
            Membership::Group(name) => wanted.groups.contains(name),
        };
        for conflict in &self.conflicts {
            let names: Vec<String> = conflict.iter().filter(asks).map(ToString::to_string).collect();
            if names.len() > 1 {
                return Err(LockError::Conflict { path: self.path.clone(), names });
            }
        }
        Ok(())
    }

    fn activate(&self, wanted: &Wanted) -> Wanted {
        let groups = wanted.groups.union(&self.default_groups).cloned().collect();
        Wanted { extras: wanted.extras.clone(), groups }
    }

    /// The best file of an entry for the target.
    fn choose<'a>(&'a self, package: &'a LockedPackage, target: &Target) -> Result<Choice<'a>, LockError> {
        let refuse = |fault| LockError::entry(&self.path, package.entry(), fault);
        if let Some(requires_python) = package.requires_python.as_ref().filter(|python| !target.satisfies(python)) {
            let target = target.python_text();
            return Err(refuse(EntryFault::Python { requires_python: requires_python.clone(), target }));
        }
        let choice = match &package.source {
            LockedSource::Files { files, .. } => choose_file(files, target).map_err(refuse)?,
            LockedSource::Archive { file, .. } => choose_file(std::slice::from_ref(file), target).map_err(refuse)?,
            LockedSource::Digests { digests, .. } => {
                let usable = digests.iter().any(|hash| matches!(hash, FileHash::Sha256(_)));
                let fault = digests.first().unwrap_or(&FileHash::Missing).fault(&package.entry());
                match fault {
                    Some(fault) if !usable => return Err(refuse(fault)),
                    _ => Choice::Digests,
                }
            }
            LockedSource::Git { .. } | LockedSource::Directory { .. } | LockedSource::Virtual { .. } => Choice::Source,
        };
        match &choice {
            Choice::Wheel(file) | Choice::Sdist(file) => match file.hash.fault(&file.filename) {
                Some(fault) => Err(refuse(fault)),
                None => Ok(choice),
            },
            Choice::Digests | Choice::Source => Ok(choice),
        }
    }
}

/// The wheel that fits best, else the source distribution.
fn choose_file<'a>(files: &'a [LockedFile], target: &Target) -> Result<Choice<'a>, EntryFault> {
    let mut best: Option<((usize, Reverse<Option<BuildOrder>>, &str), &LockedFile)> = None;
    for file in files {
        let Ok(name) = file.filename.parse::<WheelFilename>() else { continue };
        let Some(rank) = target.tags.best_rank(&name.tags) else { continue };
        let key = (rank, Reverse(name.build_order()), file.filename.as_str());
        if best.as_ref().is_none_or(|(known, _)| key < *known) {
            best = Some((key, file));
        }
    }
    if let Some((_, file)) = best {
        return Ok(Choice::Wheel(file));
    }
    let is_wheel = |file: &&LockedFile| file.filename.ends_with(".whl");
    if let Some(sdist) = files.iter().find(|file| !is_wheel(file)) {
        return Ok(Choice::Sdist(sdist));
    }
    let wheels = files.iter().filter(is_wheel).map(|file| file.filename.clone()).collect();
    Err(EntryFault::NothingFits { target: target.to_string(), wheels })
}

/// Follows the edges from the roots.
struct Walk<'a, 'b> {
    lock: &'a Lock,
    target: &'b Target,
    active: Wanted,
    /// The packages that are needed, with the extras of which the edges were followed.
    reached: BTreeMap<PackageIndex, BTreeSet<ExtraName>>,
}

impl Walk<'_, '_> {
    fn run(&mut self) -> Result<(), LockError> {
        let lock = self.lock;
        for root in &lock.roots {
            let active = match &root.of {
                Membership::Base => true,
                Membership::Extra(name) => self.active.extras.contains(name),
                Membership::Group(name) => self.active.groups.contains(name),
            };
            if active {
                self.follow(&root.edge)?;
            }
        }
        Ok(())
    }

    fn follow(&mut self, first: &Edge) -> Result<(), LockError> {
        let lock = self.lock;
        let mut queue = vec![first];
        while let Some(edge) = queue.pop() {
            let package = &lock.packages[edge.to.0];
            if !self.applies(edge, package)? {
                continue;
            }
            let known = self.reached.get(&edge.to);
            let new: Vec<&ExtraName> =
                edge.extras.iter().filter(|extra| !known.is_some_and(|known| known.contains(*extra))).collect();
            if known.is_none() {
                queue.extend(&package.dependencies);
            }
            for extra in &new {
                queue.extend(package.optional_dependencies.get(*extra).into_iter().flatten());
            }
            self.reached.entry(edge.to).or_default().extend(new.into_iter().cloned());
        }
        Ok(())
    }

    fn applies(&self, edge: &Edge, package: &LockedPackage) -> Result<bool, LockError> {
        let Some(marker) = &edge.marker else { return Ok(true) };
        let Wanted { extras, groups } = &self.active;
        let activation = match self.lock.format {
            LockFormat::Pylock | LockFormat::Poetry | LockFormat::Pdm => Activation::LockFile { extras, groups },
            _ => Activation::Metadata { extras },
        };
        let evaluated = marker.evaluate(&self.target.environment, activation);
        evaluated.map_err(|error| LockError::entry(&self.lock.path, package.entry(), EntryFault::Evaluation(error)))
    }
}

impl LockedPackage {
    /// The entry as messages name it: `httpie 3.2.4`.
    pub fn entry(&self) -> String {
        self.version.as_ref().map_or_else(|| self.name.to_string(), |version| format!("{} {version}", self.name))
    }

    fn version_text(&self) -> String {
        self.version.as_ref().map_or_else(|| "no version".to_owned(), ToString::to_string)
    }
}

impl std::fmt::Display for Membership {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Base => formatter.write_str("the project itself"),
            Self::Extra(name) => write!(formatter, "extra `{name}`"),
            Self::Group(name) => write!(formatter, "group `{name}`"),
        }
    }
}
