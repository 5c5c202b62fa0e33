//! What evidence tells of origins beyond the manifest: an index, a URL or nobody as provider, and what wheels were built
//! with. All of it is what decides about the bytes anyway; see [`Origins`].

use std::collections::{BTreeMap, BTreeSet};

use crate::application::WheelSet;
use crate::digest::Sha256Digest;
use crate::evidence::{BuildRequirementNote, OriginNote, Origins, Provider, purl};
use crate::lock::{FileLocation, Lock, LockedBuild, LockedFile, LockedPackage, LockedSource, Selected};
use crate::names::PackageName;
use crate::redact::recorded_url;
use crate::target::{Requirement, RequirementSource};
use crate::urls::{path_of_file_url, split_login};
use crate::wheel::{Origin, VerifiedWheel};

use super::collect::BuildFacts;

/// What is known of the wheels that a build packs.
pub(super) struct Known<'a> {
    /// The wheels.
    pub(super) wheels: &'a WheelSet,
    /// What they are needed for.
    pub(super) roots: &'a [Requirement],
    /// What was built here.
    pub(super) builds: &'a [BuildFacts],
    /// What the inputs themselves gave: the recipe says where that comes from.
    pub(super) given: &'a BTreeSet<PackageName>,
    /// Source distributions and directories at hand that a resolver took.
    pub(super) at_hand: &'a BTreeSet<PackageName>,
    /// The lock, and what the target takes of it.
    pub(super) lock: Option<(&'a Lock, &'a [Selected<'a>])>,
}

impl Known<'_> {
    /// What is to be said of the wheels, and stands nowhere else.
    pub(super) fn note(&self) -> Origins {
        let direct = self.direct_references();
        let notes = self.wheels.iter().map(|wheel| {
            let mut build_requirements = self.build_requirements(wheel);
            build_requirements.sort();
            build_requirements.dedup();
            let provider = self.provider(wheel, &direct);
            OriginNote { filename: wheel.filename.to_string(), provider, build_requirements }
        });
        let told = |note: &OriginNote| note.provider.is_some() || !note.build_requirements.is_empty();
        let mut wheels: Vec<OriginNote> = notes.filter(told).collect();
        wheels.sort_by(|left, right| left.filename.cmp(&right.filename));
        Origins { wheels }
    }

    /// The entry of the lock that a wheel, or its source, is of.
    fn entry(&self, name: &PackageName) -> Option<&LockedPackage> {
        let (_, selected) = self.lock.filter(|_| !self.given.contains(name))?;
        selected.iter().map(|one| one.package).find(|package| package.name == *name)
    }

    fn provider(&self, wheel: &VerifiedWheel, direct: &BTreeMap<PackageName, String>) -> Option<Provider> {
        let name = &wheel.metadata.name;
        if let Some(package) = self.entry(name) {
            let source_sha256 = match &wheel.origin {
                Origin::Built(from) => from.sha256,
                _ => Some(wheel.sha256),
            };
            return provider_of(&package.source, source_sha256);
        }
        if self.at_hand.contains(name) {
            return Some(Provider::Nobody);
        }
        // An input's own place is in the recipe, and a wheel at hand is called local.
        let is_fetched = matches!(wheel.origin, Origin::Index | Origin::Built(_)) && !self.given.contains(name);
        let url = direct.get(name).filter(|url| is_fetched && !url.starts_with("git+"))?;
        Some(if path_of_file_url(url).is_some() { Provider::Nobody } else { Provider::Url(bare(url)) })
    }

    /// What is required by a URL, by name.
    fn direct_references(&self) -> BTreeMap<PackageName, String> {
        let required = self.wheels.iter().flat_map(|wheel| &wheel.metadata.requires_dist);
        let requirements = required.filter_map(|text| text.parse::<Requirement>().ok());
        requirements
            .chain(self.roots.iter().cloned())
            .filter_map(|requirement| match &requirement.source {
                RequirementSource::Url(url) => Some((requirement.name.clone(), url.with_credentials().to_owned())),
                RequirementSource::Versions(_) => None,
            })
            .collect()
    }

    fn build_requirements(&self, wheel: &VerifiedWheel) -> Vec<BuildRequirementNote> {
        let Origin::Built(_) = &wheel.origin else { return Vec::new() };
        let name = &wheel.metadata.name;
        let set = self.lock.and_then(|(lock, _)| {
            let mut sets = lock.builds.iter().filter(|set| set.name == *name);
            let of_version = sets.clone().find(|set| set.version.as_ref() == Some(&wheel.metadata.version));
            of_version.or_else(|| sets.find(|set| set.version.is_none()))
        });
        if let Some(set) = set {
            return list_locked(set);
        }
        if self.entry(name).is_some() {
            return Vec::new();
        }
        let facts = self.builds.iter().find(|build| build.name == *name);
        let used = facts.map(|facts| facts.requirements.as_slice()).unwrap_or_default();
        used.iter()
            .map(|requirement| BuildRequirementNote {
                name: requirement.name.clone(),
                version: requirement.version.clone(),
                filename: requirement.filename.clone(),
                sha256: requirement.sha256,
                // Beside a lock, where its bytes were found makes no difference: nothing says whose they are.
                provider: (requirement.at_hand || self.lock.is_some()).then_some(Provider::Nobody),
            })
            .collect()
    }
}

/// Who gives an entry's file, where that is not the default index.
fn provider_of(source: &LockedSource, sha256: Option<Sha256Digest>) -> Option<Provider> {
    let file_of = |files: &[LockedFile]| files.iter().find(|file| file.hash.sha256() == sha256).cloned();
    match source {
        LockedSource::Files { index: Some(index), .. } | LockedSource::Digests { index: Some(index), .. } => {
            (!purl::is_of_default_index(index)).then(|| Provider::Index(bare(index)))
        }
        LockedSource::Files { files, index: None } => match file_of(files)?.location {
            FileLocation::Url(url) => (!purl::is_of_default_index(&url)).then(|| Provider::Url(bare(&url))),
            FileLocation::Path(_) => Some(Provider::Nobody),
            FileLocation::Index => None,
        },
        LockedSource::Archive { file, .. } => Some(match &file.location {
            FileLocation::Url(url) => Provider::Url(bare(url)),
            FileLocation::Path(_) | FileLocation::Index => Provider::Nobody,
        }),
        LockedSource::Directory { .. } | LockedSource::Virtual { .. } => Some(Provider::Nobody),
        // The manifest's own source names the repository.
        LockedSource::Git { .. } | LockedSource::Digests { index: None, .. } => None,
    }
}

/// A URL without credentials and query.
fn bare(url: &str) -> String {
    recorded_url(&split_login(url).0)
}

/// Every file that a lock allows for a build. A set with wheels is installed from these.
fn list_locked(set: &LockedBuild) -> Vec<BuildRequirementNote> {
    set.packages.iter().flat_map(|marked| list_package(&marked.package)).collect()
}

fn list_package(package: &LockedPackage) -> Vec<BuildRequirementNote> {
    let note = |filename: String, sha256: Option<Sha256Digest>| BuildRequirementNote {
        name: package.name.clone(),
        version: package.version.as_ref().map(ToString::to_string).unwrap_or_default(),
        filename,
        sha256,
        provider: sha256.and_then(|sha256| provider_of(&package.source, Some(sha256))),
    };
    let of_file = |file: &LockedFile| note(file.filename.clone(), file.hash.sha256());
    match &package.source {
        LockedSource::Files { files, .. } => {
            let is_wheel = |file: &&LockedFile| file.filename.ends_with(".whl");
            let wheels: Vec<_> = files.iter().filter(is_wheel).map(of_file).collect();
            if wheels.is_empty() { files.iter().map(of_file).collect() } else { wheels }
        }
        LockedSource::Digests { digests, .. } => {
            digests.iter().map(|digest| note(package.name.to_string(), digest.sha256())).collect()
        }
        LockedSource::Archive { file, .. } => vec![of_file(file)],
        LockedSource::Git { url, commit, .. } => vec![note(format!("git+{}@{commit}", bare(url)), None)],
        // It has no name that means the same elsewhere.
        LockedSource::Directory { .. } | LockedSource::Virtual { .. } => Vec::new(),
    }
}
