//! What the formats share that list packages with their digests and no file names: Pipfile.lock and requirements files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::bounds::{Bounds, subdirectory as inside};
use super::entries::check_url;
use super::{
    Context, Document, Edge, EntryFault, FileHash, FileLocation, LockedFile, LockedPackage, LockedSource, Membership,
    PackageIndex, Root,
};
use crate::digest::Sha256Digest;
use crate::names::{ExtraName, PackageName};
use crate::redact::redact_url;
use crate::target::{Marker, WheelFilename};
use crate::urls;

/// The ends of source distributions' names (PEP 625, and those that came before it).
const SDIST_ENDS: [&str; 3] = [".tar.gz", ".tgz", ".zip"];

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

/// The entry of `name` that is one file: at an http or https URL, or on this machine.
pub(super) fn archive(
    name: &PackageName,
    location: FileLocation,
    digests: &[FileHash],
    subdirectory: Option<&str>,
) -> Result<LockedPackage, EntryFault> {
    let (shown, filename) = match &location {
        FileLocation::Url(url) => {
            let shown = redact_url(url).into_owned();
            check_url(url)?;
            (shown, urls::file_name(url))
        }
        FileLocation::Path(path) => {
            (path.display().to_string(), path.file_name().and_then(|name| name.to_str()).map(str::to_owned))
        }
        FileLocation::Index => (name.to_string(), None),
    };
    let filename = filename.ok_or_else(|| EntryFault::FileName(shown.clone()))?;
    let mut version = None;
    if filename.ends_with(".whl") {
        let wheel: WheelFilename = filename.parse().map_err(|_| EntryFault::FileName(filename.clone()))?;
        if wheel.name != *name {
            return Err(EntryFault::Field(format!("`{filename}` is no wheel of `{name}`")));
        }
        version = Some(wheel.version);
    } else if !is_file_name(&filename) {
        return Err(EntryFault::FileName(filename));
    }
    let sha256: BTreeSet<&FileHash> = digests.iter().filter(|hash| matches!(hash, FileHash::Sha256(_))).collect();
    if sha256.len() > 1 {
        return Err(EntryFault::Field(format!("`{filename}` is one file and has {} sha256 hashes", sha256.len())));
    }
    let hash = sha256.first().copied().or(digests.first()).cloned().unwrap_or(FileHash::Missing);
    let subdirectory = subdirectory.map(inside).transpose()?.flatten();
    let file = LockedFile { filename, location, hash, size: None };
    let source = LockedSource::Archive { file, subdirectory };
    Ok(package(name, version, source))
}

/// An entry without dependencies of its own: everything that they need is listed.
pub(super) fn package(name: &PackageName, version: Option<pep440_rs::Version>, source: LockedSource) -> LockedPackage {
    LockedPackage {
        name: name.clone(),
        version,
        requires_python: None,
        source,
        dependencies: Vec::new(),
        optional_dependencies: std::collections::BTreeMap::new(),
    }
}

/// Whether a name ends as those of wheels and source distributions do.
pub(super) fn is_file_name(name: &str) -> bool {
    name.ends_with(".whl") || SDIST_ENDS.iter().any(|end| name.ends_with(end))
}

/// A digest as both formats write it: `sha256:...`.
pub(super) fn parse_hash(text: &str) -> Result<FileHash, EntryFault> {
    match text.split_once(':') {
        Some(("sha256", digits)) => {
            digits.parse::<Sha256Digest>().map(FileHash::Sha256).map_err(|_| EntryFault::BadHash(text.to_owned()))
        }
        Some((algorithm, _)) if !algorithm.is_empty() => Ok(FileHash::Weak(vec![algorithm.to_owned()])),
        _ => Err(EntryFault::BadHash(text.to_owned())),
    }
}

/// The absolute path that a lock's text stands for, which may be a `file:` URL.
///
/// # Errors
/// [`EntryFault::Outside`]; [`EntryFault::Scheme`] for another URL.
pub(super) fn local_path(document: &Document<'_>, context: Context<'_>, text: &str) -> Result<PathBuf, EntryFault> {
    let bounds = Bounds::of(document.path, context.project).map_err(|_| EntryFault::Outside(text.to_owned()))?;
    match urls::path_of_file_url(text) {
        Some(path) => bounds.resolve(&path.to_string_lossy()),
        None if text.contains("://") => Err(EntryFault::Scheme(redact_url(text).into_owned())),
        None => bounds.resolve(text),
    }
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
