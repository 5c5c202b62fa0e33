//! What of a lock a target takes: the entries that are needed there, one a name, and of each the file that fits best.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::{
    Edge, EntryFault, FileHash, Lock, LockError, LockFormat, LockedBuild, LockedFile, LockedPackage, LockedSource,
    MarkedPackage, Membership, PackageIndex, uv,
};
use crate::digest::Sha256Digest;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::{Activation, Marker, Target, Variable, is_sdist_name};

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
    /// It selects what `packaging.pylock.Pylock.select` does, with five differences, each told by PEP 751 or PEP 427 or for
    /// the sake of the build: an extra or a group that the lock does not have is refused; default groups are taken beside
    /// those that are asked for, not in their place; of wheels with equally good tags the one with the highest build tag is
    /// taken, then the first in the lock, not the first at once; an archive that is a wheel has to fit like any other; and
    /// the project itself is left out.
    ///
    /// # Errors
    /// [`LockError`]: the lock is not for this target, does not have what is wanted, or an entry that is needed cannot be
    /// used.
    pub fn select(&self, target: &Target, wanted: &Wanted) -> Result<Vec<Selected<'_>>, LockError> {
        self.check_target(target)?;
        self.check_wanted(wanted)?;
        let (names, reached) = (BTreeSet::new(), BTreeMap::new());
        let mut walk = Walk { lock: self, target, active: self.activate(wanted), names, reached };
        walk.run()?;
        let needed = walk.reached.keys().filter(|index| self.project != Some(**index));
        let needed = needed.map(|index| (index.0 + 1, &self.packages[index.0]));
        let needed = needed.filter(|(_, package)| !matches!(package.source, LockedSource::Virtual { .. }));
        self.take(&needed.collect::<Vec<_>>(), target)
    }

    /// What the distribution is built with, where the lock says; a build without a version is that of any.
    pub fn build_for(&self, name: &PackageName, version: Option<&Version>) -> Option<&LockedBuild> {
        let of_name = || self.builds.iter().filter(|build| build.name == *name);
        let exact = of_name().find(|build| build.version.is_some() && build.version.as_ref() == version);
        exact.or_else(|| of_name().find(|build| build.version.is_none() || version.is_none()))
    }

    /// Those of a build's packages that `target` needs, by name.
    ///
    /// # Errors
    /// [`LockError`]: one of them cannot be used.
    pub fn select_build<'a>(&'a self, build: &'a LockedBuild, target: &Target) -> Result<Vec<Selected<'a>>, LockError> {
        let mut needed = Vec::new();
        for (index, MarkedPackage { package, marker }) in build.packages.iter().enumerate() {
            let none = BTreeSet::new();
            let activation = Activation::LockFile { extras: &none, groups: &none };
            let needs = |marker| self.holds(marker, package, target, activation);
            if marker.as_ref().map_or(Ok(true), needs)? {
                needed.push((index + 1, package));
            }
        }
        self.take(&needed, target)
    }

    /// Of each entry what fits, by name. The entries come with their numbers in the lock, in its order.
    fn take<'a>(
        &'a self,
        needed: &[(usize, &'a LockedPackage)],
        target: &Target,
    ) -> Result<Vec<Selected<'a>>, LockError> {
        let mut names: BTreeSet<&PackageName> = BTreeSet::new();
        for (_, package) in needed {
            if let Some(requires_python) = package.requires_python.as_ref().filter(|python| !target.satisfies(python)) {
                let fault =
                    EntryFault::Python { requires_python: requires_python.clone(), target: target.python_text() };
                return Err(LockError::entry(&self.path, package.entry(), fault));
            }
            if !names.insert(&package.name) {
                let same = needed.iter().filter(|(_, one)| one.name == package.name);
                let versions = same.map(|(number, one)| one.place(*number)).collect();
                return Err(LockError::Ambiguous { path: self.path.clone(), name: package.name.clone(), versions });
            }
        }
        let choose =
            |(_, package): &(usize, &'a LockedPackage)| Ok(Selected { package, choice: self.choose(package, target)? });
        let mut selected = needed.iter().map(choose).collect::<Result<Vec<_>, LockError>>()?;
        selected.sort_by(|one, other| one.package.name.cmp(&other.package.name));
        Ok(selected)
    }

    /// Refuses a target that the lock was not made for.
    ///
    /// # Errors
    /// [`LockError::Python`], [`LockError::Environment`], or a marker that cannot be evaluated.
    pub fn check_target(&self, target: &Target) -> Result<(), LockError> {
        if let Some(requires_python) = self.requires_python.as_ref().filter(|python| !target.satisfies(python)) {
            return Err(LockError::Python {
                path: self.path.clone(),
                requires_python: requires_python.clone(),
                target: target.python_text(),
            });
        }
        for marker in &self.environments {
            let applies = target.applies(marker, &BTreeSet::new());
            let refuse = |error| LockError::entry(&self.path, "environments", EntryFault::Evaluation(error));
            if applies.map_err(refuse)? {
                return Ok(());
            }
        }
        if self.environments.is_empty() {
            return Ok(());
        }
        let environments: Vec<String> = self.environments.iter().map(ToString::to_string).collect();
        let (path, target) = (self.path.clone(), target.to_string());
        Err(LockError::Environment { path, target, environments: environments.join("; ") })
    }

    fn check_wanted(&self, wanted: &Wanted) -> Result<(), LockError> {
        for (kind, asked, known) in [("extra", &wanted.extras, &self.extras), ("group", &wanted.groups, &self.groups)] {
            let Some(known) = known else { continue };
            if let Some(name) = asked.iter().find(|name| !known.contains(*name)) {
                let known = known.iter().map(ToString::to_string).collect();
                return Err(LockError::NoSuchName { path: self.path.clone(), kind, name: name.clone(), known });
            }
        }
        self.check_conflicts(|member| match member {
            Membership::Base => true,
            Membership::Extra(name) => wanted.extras.contains(name),
            Membership::Group(name) => wanted.groups.contains(name),
        })
    }

    fn check_conflicts(&self, is_active: impl Fn(&Membership) -> bool) -> Result<(), LockError> {
        for conflict in &self.conflicts {
            let active = conflict.iter().filter(|member| is_active(member));
            let names: Vec<String> = active.map(ToString::to_string).collect();
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

    /// Whether an entry's marker holds.
    fn holds(
        &self,
        marker: &Marker,
        package: &LockedPackage,
        target: &Target,
        activation: Activation<'_>,
    ) -> Result<bool, LockError> {
        let evaluated = marker.evaluate(&target.environment, activation);
        evaluated.map_err(|error| LockError::entry(&self.path, package.entry(), EntryFault::Evaluation(error)))
    }

    /// The best file of an entry for the target.
    fn choose<'a>(&'a self, package: &'a LockedPackage, target: &Target) -> Result<Choice<'a>, LockError> {
        let refuse = |fault| LockError::entry(&self.path, package.entry(), fault);
        let choice = match &package.source {
            LockedSource::Files { files, .. } => {
                let choice = choose_file(files, target).map_err(refuse)?;
                check_digest(files, &choice).map_err(refuse)?;
                choice
            }
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

/// The wheel that fits best, of equals the lock's first; else the source distribution.
fn choose_file<'a>(files: &'a [LockedFile], target: &Target) -> Result<Choice<'a>, EntryFault> {
    if let Some(best) = target.tags.best_wheel(files, |file| &file.filename) {
        return Ok(Choice::Wheel(best));
    }
    if let Some(sdist) = files.iter().find(|file| is_sdist_name(&file.filename)) {
        return Ok(Choice::Sdist(sdist));
    }
    let is_wheel = |file: &&LockedFile| file.filename.ends_with(".whl");
    let wheels = files.iter().filter(is_wheel).map(|file| file.filename.clone()).collect();
    Err(EntryFault::NothingFits { target: target.to_string(), wheels })
}

/// Refuses a file that stands in its entry with several digests.
fn check_digest(files: &[LockedFile], choice: &Choice<'_>) -> Result<(), EntryFault> {
    let (Choice::Wheel(file) | Choice::Sdist(file)) = choice else { return Ok(()) };
    let same = files.iter().filter(|one| one.filename == file.filename);
    let digests: BTreeSet<Sha256Digest> = same.filter_map(|one| one.hash.sha256()).collect();
    if digests.len() > 1 {
        let listed: Vec<String> = digests.iter().map(ToString::to_string).collect();
        let reason = format!("`{}` is there with several sha256 hashes: {}", file.filename, listed.join(", "));
        return Err(EntryFault::Field(reason));
    }
    Ok(())
}

/// Follows the edges from the roots.
struct Walk<'a, 'b> {
    lock: &'a Lock,
    target: &'b Target,
    active: Wanted,
    /// What `extra` is in the markers of a uv.lock: the names of the conflicting extras and groups that are active.
    names: BTreeSet<ExtraName>,
    /// The packages that are needed, with the extras of which the edges were followed.
    reached: BTreeMap<PackageIndex, BTreeSet<ExtraName>>,
}

impl Walk<'_, '_> {
    fn run(&mut self) -> Result<(), LockError> {
        if self.lock.format != LockFormat::Uv {
            return self.follow_roots();
        }
        // An extra of a package that is reached may exclude an edge that was followed before: only a walk that
        // activates nothing more counts, as with uv.
        loop {
            self.names.extend(uv::active_names(self.lock, &self.active, &self.reached));
            let known = self.names.len();
            self.reached.clear();
            self.follow_roots()?;
            self.names.extend(uv::active_names(self.lock, &self.active, &self.reached));
            if self.names.len() == known {
                break;
            }
        }
        self.lock.check_conflicts(|member| uv::is_active(self.lock, member, &self.active, &self.names))
    }

    fn follow_roots(&mut self) -> Result<(), LockError> {
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
        // The extras that an edge asks for count in its own marker, too.
        let with_own: BTreeSet<ExtraName>;
        let names = if self.lock.format == LockFormat::Uv && !edge.extras.is_empty() && marker.mentions(Variable::Extra)
        {
            with_own = self.names.union(&uv::edge_names(&package.name, &edge.extras)).cloned().collect();
            &with_own
        } else {
            &self.names
        };
        let activation = match self.lock.format {
            LockFormat::Pylock | LockFormat::Poetry | LockFormat::Pdm => Activation::LockFile { extras, groups },
            LockFormat::Uv => Activation::Several { names },
            _ => Activation::Metadata { extras },
        };
        self.lock.holds(marker, package, self.target, activation)
    }
}

impl LockedPackage {
    /// The entry as messages name it: `httpie 3.2.4`.
    pub fn entry(&self) -> String {
        self.version.as_ref().map_or_else(|| self.name.to_string(), |version| format!("{} {version}", self.name))
    }

    /// What tells it from other entries of its name: version, kind of source, number in the lock.
    fn place(&self, number: usize) -> String {
        let version = self.version.as_ref().map_or_else(|| "no version".to_owned(), ToString::to_string);
        let source = match self.source {
            LockedSource::Files { .. } | LockedSource::Digests { .. } => "",
            LockedSource::Archive { .. } => " from an archive",
            LockedSource::Git { .. } => " from git",
            LockedSource::Directory { .. } | LockedSource::Virtual { .. } => " from a directory",
        };
        format!("{version}{source} (entry {number})")
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
