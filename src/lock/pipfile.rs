//! Pipfile.lock (pipfile-spec 6), as pipenv writes it.
//!
//! It lists packages by category, each with a version, a marker and the digests of files that it does not name:
//! `default` is the project's own, `develop` and every other category is a group. What has no version or no digest
//! (`"version": "*"` without hashes, for another platform) is kept and refused when a target needs it. Refused as a
//! whole is a lock of another Pipfile than the one beside it.

mod hash;
#[cfg(test)]
mod tests;
mod unique;

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::document::Purpose;
use super::entries::{LocalPart, parse_hash};
use super::listing::{Listing, archive};
use super::places::{git_commit, http_url, local_path, long_form, not_git};
use super::{
    Context, Document, EntryFault, FileHash, FileLocation, Lock, LockError, LockedPackage, LockedSource, Membership,
    PackageIndex,
};
use crate::names::{ExtraName, GroupName, PackageName};
use crate::project::pipfile::MARKER_KEYS;
use crate::target::{Marker, is_sdist_name};
use crate::urls;
use unique::Unique;

/// The one version of the format that there is a tool for.
const SPEC: u64 = 6;

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    hash: BTreeMap<String, String>,
    #[serde(default)]
    requires: Requires,
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Deserialize, Default)]
struct Requires {
    python_version: Option<String>,
    python_full_version: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    name: Option<String>,
    url: String,
}

#[derive(Deserialize)]
struct Entry {
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
    markers: Option<String>,
    os_markers: Option<String>,
    #[serde(default)]
    extras: BTreeSet<ExtraName>,
    index: Option<String>,
    git: Option<String>,
    hg: Option<String>,
    svn: Option<String>,
    bzr: Option<String>,
    r#ref: Option<String>,
    subdirectory: Option<String>,
    path: Option<String>,
    file: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let malformed = |reason: String| document.malformed(reason);
    serde_json::from_str::<Unique>(document.text).map_err(|error| malformed(error.to_string()))?;
    let mut sections: BTreeMap<String, Value> =
        serde_json::from_str(document.text).map_err(|error| malformed(error.to_string()))?;
    let meta = sections.remove("_meta").ok_or_else(|| malformed("it has no `_meta`".to_owned()))?;
    let spec = meta.get("pipfile-spec").ok_or_else(|| malformed("`_meta` has no `pipfile-spec`".to_owned()))?;
    if spec.as_u64() != Some(SPEC) {
        return Err(document.unknown_version(spec, "6"));
    }
    let sources = meta.get("sources").cloned().unwrap_or_default();
    let meta: Meta = serde_json::from_value(meta).map_err(|error| malformed(format!("`_meta`: {error}")))?;
    if document.purpose == Purpose::Select {
        check_freshness(document, &meta, &sources)?;
    }
    let requires_python = meta.requires.specifiers().map_err(malformed)?;
    let bounds = document.bounds(context)?;
    let mut listing = Listing::default();
    let mut groups = BTreeSet::new();
    for (category, entries) in sections {
        let of = if category == "default" {
            Membership::Base
        } else {
            let group: GroupName =
                category.parse().map_err(|error| malformed(format!("category `{category}`: {error}")))?;
            groups.insert(group.clone());
            Membership::Group(group)
        };
        let Value::Object(entries) = entries else {
            return Err(malformed(format!("category `{category}` is no object")));
        };
        for (name, entry) in entries {
            let refuse = |fault| LockError::entry(document.path, name.clone(), fault);
            let entry: Entry =
                serde_json::from_value(entry).map_err(|error| refuse(EntryFault::Field(error.to_string())))?;
            let marker = entry.marker().map_err(refuse)?;
            let package = entry.package(&name, &meta.sources, &bounds).map_err(refuse)?;
            listing.add(of.clone(), package, entry.extras, marker);
        }
    }
    Ok(Lock {
        project: listing.packages.iter().position(|package| package.is_project(context)).map(PackageIndex),
        requires_python,
        // A Pipfile has no extras, and those of a project beside it are taken as it says.
        groups: Some(groups),
        packages: listing.packages,
        roots: listing.roots,
        ..document.empty_lock()
    })
}

/// Refuses a lock of another Pipfile than the one beside it; without one there is nothing to compare.
fn check_freshness(document: &Document<'_>, meta: &Meta, sources: &Value) -> Result<(), LockError> {
    let path = document.path.with_file_name("Pipfile");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(LockError::Read { path, source }),
    };
    let digests = hash::digests_of_pipfile(&text, sources)
        .map_err(|reason| document.malformed(format!("the Pipfile beside it is no TOML: {reason}")))?;
    let found = meta.hash.get("sha256").map(String::as_str).unwrap_or_default();
    if digests.iter().any(|digest| digest.to_string() == found) {
        return Ok(());
    }
    let reason = if found.is_empty() {
        "it does not say which Pipfile it was made from (`_meta.hash.sha256`)".to_owned()
    } else {
        format!("the Pipfile beside it has sha256 {}, it was made from {found}", digests[0])
    };
    Err(document.stale(reason))
}

impl Requires {
    /// `python_version = "3.11"` is any 3.11, `python_full_version` that one; pipenv takes the latter where both are.
    fn specifiers(&self) -> Result<Option<VersionSpecifiers>, String> {
        let (key, text, specifier) = match (&self.python_full_version, &self.python_version) {
            (Some(full), _) => ("python_full_version", full, format!("=={full}")),
            (None, Some(minor)) => ("python_version", minor, format!("=={minor}.*")),
            (None, None) => return Ok(None),
        };
        if text == "*" {
            return Ok(None);
        }
        let parsed = specifier.parse().map_err(|_| format!("`_meta.requires.{key}` is no version: `{text}`"))?;
        Ok(Some(parsed))
    }
}

impl Entry {
    fn marker(&self) -> Result<Option<Marker>, EntryFault> {
        let shorthand = |key: &&str| {
            let value = self.rest.get(*key)?.as_str()?;
            Some(format!("{key} {value}"))
        };
        let written = [&self.markers, &self.os_markers].into_iter().flatten().filter(|text| !text.trim().is_empty());
        let texts: Vec<String> = written.cloned().chain(MARKER_KEYS.iter().filter_map(shorthand)).collect();
        let parse = |text: &str| text.parse::<Marker>().map_err(|error| EntryFault::Marker(error.to_string()));
        // Each by itself first: joined texts could mean something else together.
        texts.iter().try_for_each(|text| parse(text).map(drop))?;
        match texts.as_slice() {
            [] => Ok(None),
            [text] => parse(text).map(Some),
            _ => parse(&texts.iter().map(|text| format!("({text})")).collect::<Vec<_>>().join(" and ")).map(Some),
        }
    }

    fn package(&self, name: &str, sources: &[Source], bounds: &Bounds) -> Result<LockedPackage, EntryFault> {
        let name: PackageName = name.parse().map_err(|error| EntryFault::Field(format!("{error}")))?;
        let digests = self.hashes.iter().map(|hash| parse_hash(Some(hash))).collect::<Result<Vec<FileHash>, _>>()?;
        for (kind, place) in [("hg", &self.hg), ("svn", &self.svn), ("bzr", &self.bzr)] {
            if place.is_some() {
                return Err(not_git(kind));
            }
        }
        if let Some(url) = &self.git {
            return LockedPackage::new(name, None, self.git(url, bounds)?, LocalPart::Stated);
        }
        if let Some(place) = self.file.as_ref().or(self.path.as_ref()) {
            if urls::scheme(place).is_some_and(|scheme| scheme != "file") {
                return archive(name, FileLocation::Url(http_url(place)?), &digests, self.subdirectory.as_deref());
            }
            let path = local_path(bounds, place)?;
            let is_file = |name: &str| name.ends_with(".whl") || is_sdist_name(name);
            if path.file_name().and_then(|name| name.to_str()).is_some_and(is_file) {
                return archive(name, FileLocation::Path(path), &digests, self.subdirectory.as_deref());
            }
            return LockedPackage::new(name, None, LockedSource::Directory { path }, LocalPart::Stated);
        }
        let version = self.version()?;
        let index = self.index(sources)?;
        // Without a version there is no file that the digests are of.
        let digests = if version.is_none() || digests.is_empty() { vec![FileHash::Missing] } else { digests };
        LockedPackage::new(name, version, LockedSource::Digests { digests, index }, LocalPart::Stated)
    }

    /// The version; none where any would do.
    fn version(&self) -> Result<Option<Version>, EntryFault> {
        let Some(text) = self.version.as_deref().map(str::trim).filter(|text| *text != "*") else { return Ok(None) };
        let version = text.strip_prefix("===").or_else(|| text.strip_prefix("=="));
        let version = version.and_then(|version| version.trim().parse().ok());
        let refused = || EntryFault::Field(format!("`version` is `{text}`, and a lock has `==VERSION`"));
        version.map(Some).ok_or_else(refused)
    }

    /// The index that has it: the one that it names, else the first. Variables in its URL stay as they are written.
    fn index(&self, sources: &[Source]) -> Result<Option<String>, EntryFault> {
        let source = match &self.index {
            None => sources.first(),
            Some(index) => {
                let named = |source: &&Source| source.name.as_ref() == Some(index) || source.url == *index;
                let refused = || EntryFault::Field(format!("its index `{index}` is none of the lock's sources"));
                Some(sources.iter().find(named).ok_or_else(refused)?)
            }
        };
        let Some(source) = source else { return Ok(None) };
        // What a variable stands for, nobody here knows.
        if source.url.starts_with('$') { Ok(Some(source.url.clone())) } else { http_url(&source.url).map(Some) }
    }

    fn git(&self, written: &str, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
        let (url, inline) = split_revision(written.split('#').next().unwrap_or(written));
        let revision = self.r#ref.as_deref().filter(|text| !text.is_empty()).or(inline).unwrap_or_default();
        git_commit(&long_form(url), revision, self.subdirectory.as_deref(), bounds)
    }
}

/// A URL and the revision behind its path: an `@` before the path belongs to a login.
fn split_revision(url: &str) -> (&str, Option<&str>) {
    let path = match url.find("://") {
        Some(at) => url[at + 3..].find('/').map(|length| at + 3 + length),
        None => url.find(':'),
    };
    let path = path.unwrap_or(url.len());
    match url[path..].rsplit_once('@') {
        Some((before, revision)) => (&url[..path + before.len()], Some(revision)),
        None => (url, None),
    }
}
