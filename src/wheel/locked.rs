//! Build requirements that a lock holds: the whole set for a source is known, so nothing is resolved. What the source
//! and its backend ask for is only checked against the set.

use std::collections::BTreeSet;

use pep440_rs::Version;

use crate::names::PackageName;
use crate::resolve::Resolved;
use crate::target::{Requirement, RequirementError, RequirementSource, Target, specifiers_contain};

/// What sources are built with where a lock says so, and what happens to those of which it says nothing.
#[derive(Debug, Clone, Copy)]
pub struct BuildLock<'a> {
    /// A set for each source.
    pub sets: &'a [LockedRequirements],
    /// What happens to a source that none of them is for.
    pub unlocked: Unlocked,
    /// What makes the sets anew.
    pub command: &'a str,
}

impl Default for BuildLock<'_> {
    fn default() -> Self {
        Self { sets: &[], unlocked: Unlocked::default(), command: "pyzpack lock" }
    }
}

/// What happens to a source whose build requirements no lock holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unlocked {
    /// They are resolved.
    #[default]
    Resolve,
    /// It is not built, unless it has none.
    Refuse,
}

/// What one source is built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedRequirements {
    /// The distribution that is built.
    pub name: PackageName,
    /// Its version; none for any.
    pub version: Option<Version>,
    /// The requirements that the set was chosen for, as written: a direct reference (`name @ URL`) has to be one of
    /// them, since no version tells that it is met.
    pub requires: Vec<String>,
    /// The whole set, for the interpreter that builds.
    pub packages: Vec<Resolved>,
}

/// A requirement that a locked set does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unmet {
    /// The requirement, as it may be shown.
    pub requirement: String,
    /// What the set has of that name: `setuptools 70.0`; none for nothing.
    pub locked: Option<String>,
}

impl<'a> BuildLock<'a> {
    /// The set for a distribution: its own version's, else the one for any version.
    pub(super) fn find(&self, name: &PackageName, version: Option<&Version>) -> Option<&'a LockedRequirements> {
        let mut sets = self.sets.iter().filter(|set| set.name == *name);
        let Some(version) = version else {
            // Of several versions none is the right one.
            return sets.next().filter(|_| sets.next().is_none());
        };
        let of_version = sets.clone().find(|set| set.version.as_ref() == Some(version));
        of_version.or_else(|| sets.find(|set| set.version.is_none()))
    }

    /// The set for a directory whose name its backend alone knows (`setup.py`): the only one, or that for any version.
    pub(super) fn find_unnamed(&self) -> Option<&'a LockedRequirements> {
        if let [only] = self.sets {
            return Some(only);
        }
        let mut sets = self.sets.iter().filter(|set| set.version.is_none());
        sets.next().filter(|_| sets.next().is_none())
    }
}

impl LockedRequirements {
    /// The first of `requirements` that counts for `target` and is not met; nothing if all are.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(super) fn unmet(&self, requirements: &[String], target: &Target) -> Result<Option<Unmet>, RequirementError> {
        for text in requirements {
            let requirement: Requirement = text.parse()?;
            let applies = requirement
                .marker
                .as_ref()
                .is_none_or(|marker| target.applies(marker, &BTreeSet::new()).unwrap_or(true));
            if !applies {
                continue;
            }
            let locked = self.packages.iter().find(|package| package.name == requirement.name);
            if !locked.is_some_and(|package| self.meets(package, &requirement)) {
                let locked = locked.map(|package| {
                    let version = package.version.as_deref().unwrap_or("of no version");
                    format!("{} {version}", package.name)
                });
                return Ok(Some(Unmet { requirement: requirement.to_string(), locked }));
            }
        }
        Ok(None)
    }

    fn meets(&self, package: &Resolved, requirement: &Requirement) -> bool {
        match &requirement.source {
            RequirementSource::Versions(specifiers) => {
                let version: Option<Version> = package.version.as_ref().and_then(|version| version.parse().ok());
                // A directory's version may be unknown until it is built.
                version.map_or(specifiers.is_empty(), |version| specifiers_contain(specifiers, &version))
            }
            RequirementSource::Url(_) => {
                let read = self.requires.iter().filter_map(|text| text.parse::<Requirement>().ok());
                read.map(|locked| locked.to_string()).any(|locked| locked == requirement.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::{Artifact, Location, RemoteFile};

    fn set(version: Option<&str>, packages: &[(&str, &str)]) -> LockedRequirements {
        let resolved = |(name, version): &(&str, &str)| Resolved {
            name: name.parse().unwrap(),
            version: Some((*version).to_owned()),
            artifact: Artifact::Wheel(RemoteFile {
                filename: format!("{name}-{version}-py3-none-any.whl"),
                location: Location::Path("/nowhere".into()),
                sha256: None,
                size: None,
            }),
        };
        LockedRequirements {
            name: "app".parse().unwrap(),
            version: version.map(|version| version.parse().unwrap()),
            requires: vec!["tool @ https://files.example/tool-1.zip".to_owned()],
            packages: packages.iter().map(resolved).collect(),
        }
    }

    fn target() -> Target {
        let python = crate::target::PythonMinor::new(3, 11);
        let abi = crate::target::PythonAbi {
            threading: crate::target::Threading::Locked,
            build: crate::target::PythonBuild::Release,
        };
        let environment = crate::target::MarkerEnvironment {
            implementation_name: "cpython".to_owned(),
            implementation_version: "3.11.7".to_owned(),
            os_name: "posix".to_owned(),
            platform_machine: "x86_64".to_owned(),
            platform_python_implementation: "CPython".to_owned(),
            platform_release: String::new(),
            platform_system: "Linux".to_owned(),
            platform_version: String::new(),
            python_full_version: "3.11.7".to_owned(),
            python_version: "3.11".to_owned(),
            sys_platform: "linux".to_owned(),
        };
        Target::new(python, abi, environment, "manylinux_2_28_x86_64".parse().unwrap())
    }

    #[test]
    fn finds_the_set_of_a_version_and_none_of_several_without_one() {
        let (one, two, any) = (set(Some("1.0"), &[]), set(Some("2"), &[]), set(None, &[]));
        let name: PackageName = "app".parse().unwrap();
        let find = |sets: &[LockedRequirements], version: Option<&str>| {
            let version: Option<Version> = version.map(|version| version.parse().unwrap());
            let lock = BuildLock { sets, unlocked: Unlocked::Refuse, ..BuildLock::default() };
            lock.find(&name, version.as_ref()).map(|set| set.version.as_ref().map(ToString::to_string))
        };
        let some = |version: &str| Some(Some(version.to_owned()));
        assert_eq!(find(&[one.clone(), two.clone()], Some("1")), some("1.0"));
        assert_eq!(find(&[one.clone(), two.clone()], Some("3")), None);
        assert_eq!(find(&[one.clone(), any.clone()], Some("3")), Some(None));
        assert_eq!(find(&[one.clone(), two], None), None);
        assert_eq!(find(&[one], None), some("1.0"));
        let lock = BuildLock { sets: &[any], unlocked: Unlocked::Refuse, ..BuildLock::default() };
        assert_eq!(lock.find(&"other".parse().unwrap(), None), None);
    }

    #[test]
    fn finds_the_set_of_a_directory_that_does_not_say_its_name() {
        let other = LockedRequirements { name: "other".parse().unwrap(), ..set(None, &[]) };
        let (one, any) = (set(Some("1.0"), &[]), set(None, &[]));
        let find = |sets: &[LockedRequirements]| {
            BuildLock { sets, unlocked: Unlocked::Refuse, ..BuildLock::default() }
                .find_unnamed()
                .map(|set| set.name.to_string())
        };
        assert_eq!(find(&[one.clone(), any.clone()]), Some("app".to_owned()));
        assert_eq!(find(&[any, other]), None);
        assert_eq!(find(std::slice::from_ref(&one)), Some("app".to_owned()));
        assert_eq!(find(&[one.clone(), one]), None);
    }

    #[test]
    fn tells_the_requirement_that_is_not_met() {
        let set = set(None, &[("setuptools", "70.0"), ("tool", "1")]);
        let unmet = |requirement: &str| set.unmet(&[requirement.to_owned()], &target()).unwrap();
        for met in [
            "setuptools",
            "Setuptools>=61,<71",
            "setuptools[core]",
            "absent; python_version<'3'",
            "tool @ https://files.example/tool-1.zip",
        ] {
            assert_eq!(unmet(met), None, "{met}");
        }
        for (requirement, locked) in [
            ("setuptools>=71", Some("setuptools 70.0")),
            ("wheel", None),
            ("tool @ https://files.example/tool-2.zip", Some("tool 1")),
        ] {
            let expected = Unmet { requirement: requirement.to_owned(), locked: locked.map(str::to_owned) };
            assert_eq!(unmet(requirement), Some(expected));
        }
        assert!(set.unmet(&["no requirement!".to_owned()], &target()).is_err());
    }
}
