//! What a `pylock.toml` that is to be written anew says: what it was made for, and which versions it has. It decides
//! nothing that is installed, so what cannot be read counts as not there.

use std::collections::BTreeSet;
use std::path::Path;

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

use crate::digest::Sha256Digest;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::Marker;

/// An earlier lock, as far as a new one asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierLock {
    /// The digest of what was locked; none in another tool's lock.
    pub inputs: Option<Sha256Digest>,
    /// The Pythons that it is for.
    pub requires_python: Option<VersionSpecifiers>,
    /// The environments that it is for; empty for any.
    pub environments: Vec<Marker>,
    /// The extras that it has.
    pub extras: BTreeSet<ExtraName>,
    /// The dependency groups that it has.
    pub groups: BTreeSet<GroupName>,
    /// The versions that it chose.
    pub packages: Vec<EarlierPackage>,
    /// The versions that it chose for builds.
    pub build_packages: Vec<EarlierPackage>,
    /// What was built with which requirements.
    pub builds: Vec<EarlierBuild>,
}

/// A version that an earlier lock chose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EarlierPackage {
    /// The distribution.
    pub name: PackageName,
    /// Its version.
    pub version: Option<String>,
    /// Where it is needed.
    pub marker: Option<Marker>,
}

/// What an earlier lock says of one build.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EarlierBuild {
    /// What is built.
    pub name: PackageName,
    /// The build requirements.
    pub requires: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    requires_python: Option<VersionSpecifiers>,
    #[serde(default)]
    environments: Vec<Marker>,
    #[serde(default)]
    extras: BTreeSet<ExtraName>,
    #[serde(default)]
    dependency_groups: BTreeSet<GroupName>,
    #[serde(default)]
    packages: Vec<EarlierPackage>,
    #[serde(default)]
    tool: Tool,
}

#[derive(Deserialize, Default)]
struct Tool {
    #[serde(default)]
    pyzpack: Own,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Own {
    inputs: Option<String>,
    #[serde(default)]
    builds: Vec<EarlierBuild>,
    #[serde(default)]
    build_packages: Vec<EarlierPackage>,
}

impl EarlierLock {
    /// Reads the lock at `path`; none where there is none, or nothing of it can be read.
    pub fn read(path: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let Document { requires_python, environments, extras, dependency_groups, packages, tool } =
            toml::from_str(text).ok()?;
        let Own { inputs, builds, build_packages } = tool.pyzpack;
        let inputs = inputs.and_then(|text| text.strip_prefix("sha256:")?.parse().ok());
        let groups = dependency_groups;
        Some(Self { inputs, requires_python, environments, extras, groups, packages, build_packages, builds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_was_made_for_and_nothing_of_what_is_no_lock() {
        let digest = Sha256Digest::of(b"");
        let text = format!(
            "lock-version = \"1.0\"\nrequires-python = \">=3.9\"\nextras = [\"X_y\"]\n[[packages]]\nname = \"A\"\n\
             version = \"1\"\nmarker = \"sys_platform == 'linux'\"\n[tool.pyzpack]\ninputs = \"sha256:{digest}\"\n"
        );
        let read = EarlierLock::parse(&text).unwrap();
        assert_eq!((read.inputs, read.extras), (Some(digest), BTreeSet::from(["x-y".parse().unwrap()])));
        let marker = Some("sys_platform == \"linux\"".parse().unwrap());
        let package = EarlierPackage { name: "a".parse().unwrap(), version: Some("1".to_owned()), marker };
        assert_eq!(read.packages, [package]);
        assert_eq!(EarlierLock::parse("packages = 1"), None);
        assert_eq!(EarlierLock::parse("").unwrap(), EarlierLock::default());
    }
}
