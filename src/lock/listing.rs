//! What the formats share that list packages with their digests and no file names: Pipfile.lock and requirements files.

use std::collections::BTreeSet;

use super::bounds::subdirectory as inside;
use super::entries::LocalPart;
use super::{
    Edge, EntryFault, FileHash, FileLocation, LockedFile, LockedPackage, LockedSource, Membership, PackageIndex, Root,
};
use crate::names::{ExtraName, PackageName};
use crate::target::{Marker, WheelFilename};

/// Entries, and what makes each of them needed.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) packages: Vec<LockedPackage>,
    pub(super) roots: Vec<Root>,
}

impl Listing {
    /// Takes in that `package` is needed; one that is listed already is not listed again.
    ///
    /// Two listings of one version are one entry if they have digests in common: what both allow.
    pub(super) fn add(
        &mut self,
        of: Membership,
        package: LockedPackage,
        extras: BTreeSet<ExtraName>,
        marker: Option<Marker>,
    ) {
        let known = self.packages.iter_mut().position(|known| merge(known, &package));
        let to = PackageIndex(known.unwrap_or(self.packages.len()));
        if known.is_none() {
            self.packages.push(package);
        }
        self.roots.push(Root { of, edge: Edge { to, extras, marker } });
    }
}

/// Makes `known` stand for `other` too, where both are the same.
fn merge(known: &mut LockedPackage, other: &LockedPackage) -> bool {
    if known == other {
        return true;
    }
    if known.name != other.name || known.version != other.version {
        return false;
    }
    let (LockedSource::Digests { digests, index }, LockedSource::Digests { digests: others, index: elsewhere }) =
        (&mut known.source, &other.source)
    else {
        return false;
    };
    let common: Vec<FileHash> =
        digests.iter().filter(|hash| matches!(hash, FileHash::Sha256(_)) && others.contains(hash)).cloned().collect();
    if index != elsewhere || common.is_empty() {
        return false;
    }
    *digests = common;
    true
}

/// The entry of `name` that is one file; a wheel's name says its version.
pub(super) fn archive(
    name: PackageName,
    location: FileLocation,
    digests: &[FileHash],
    subdirectory: Option<&str>,
) -> Result<LockedPackage, EntryFault> {
    let sha256: BTreeSet<&FileHash> = digests.iter().filter(|hash| matches!(hash, FileHash::Sha256(_))).collect();
    let hash = sha256.first().copied().or(digests.first()).cloned().unwrap_or(FileHash::Missing);
    let file = LockedFile::at(location, hash, None)?;
    let filename = file.filename.clone();
    let version = filename.parse::<WheelFilename>().ok().map(|wheel| wheel.version);
    let subdirectory = subdirectory.map_or(Ok(None), inside)?;
    let package = LockedPackage::new(name, version, file.alone(subdirectory), LocalPart::Stated)?;
    if sha256.len() > 1 {
        return Err(EntryFault::Field(format!("`{filename}` is one file and has {} sha256 hashes", sha256.len())));
    }
    Ok(package)
}

#[cfg(test)]
pub(super) mod targets {
    use crate::target::{MarkerEnvironment, Platform, PythonAbi, PythonMinor, Target};

    /// A `CPython` of this version on this platform.
    pub(in crate::lock) fn target(python: PythonMinor, platform: &str) -> Target {
        let environment = MarkerEnvironment {
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
        let platform: Platform = platform.parse().unwrap();
        Target::new(PythonMinor::new(3, 11), PythonAbi::default(), environment, platform.clone())
            .overridden(Some(python), Some(&platform))
    }
}
